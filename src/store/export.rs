//! Rows of a view, one by one, for `export`.

use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _, ValueRef};

use super::{Store, StoreError, Tx, json_rows};
use crate::clock::{DayText, day_of, instant_of};
use crate::export::view::View;
use crate::export::{Cell, Kind};

/// So many rows are taken before whatever else waits has its turn.
const TURN: u64 = 1_024;

/// Postgres counts from 2000-01-01.
const POSTGRES_EPOCH_DAYS: i64 = 10_957;
const POSTGRES_EPOCH_SECONDS: i64 = 946_684_800;

/// Views whose rows are all of a target. SQLite, which keeps no statistics, would read them by the largest
/// table and then sort everything; asked for the sounds of the targets, it goes target by target.
const OF_TARGETS: [&str; 5] = [
    "trend_history",
    "country_history",
    "interest_history",
    "age_history",
    "fetch_log",
];

/// Which rows of a view are wanted.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The view.
    pub view: &'static View,
    /// Only these sounds, if any are named.
    pub clips: Vec<String>,
    /// Only these markets, if any are named.
    pub regions: Vec<String>,
    /// The first day that is wanted, in days since 1970-01-01.
    pub since: Option<i64>,
    /// The last.
    pub until: Option<i64>,
}

/// A SELECT with its parameters, which are all texts.
#[derive(Debug, PartialEq, Eq)]
struct Statement {
    sql: String,
    parameters: Vec<String>,
}

impl Store {
    /// Gives each row of a selection in the view's order, all from one state of the database. Neither
    /// memory nor connections grow with the rows.
    pub async fn export<E: From<StoreError>>(
        &self,
        selection: &Selection,
        mut each: impl FnMut(&[Cell<'_>]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut tx = self.read().await?;
        let Statement { sql, parameters } = statement(selection, &tx)?;
        let columns = selection.view.columns;
        macro_rules! stream {
            ($tx:expr, $cell:expr) => {{
                let query = parameters
                    .iter()
                    .fold(sqlx::query(AssertSqlSafe(sql)), |q, p| q.bind(p));
                let mut rows = query.fetch(&mut **$tx);
                let mut taken = 0;
                while let Some(row) = rows.try_next().await.map_err(StoreError::from)? {
                    let cells = columns
                        .iter()
                        .enumerate()
                        .map(|(n, (_, kind))| $cell(&row, n, *kind));
                    each(&cells.collect::<Result<Vec<_>, _>>()?)?;
                    taken += 1;
                    if taken % TURN == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            }};
        }
        match &mut tx {
            Tx::Sqlite(tx) => stream!(tx, sqlite_cell),
            Tx::Postgres(tx) => stream!(tx, postgres_cell),
        }
        Ok(())
    }
}

/// So few clips or markets stand in the statement one by one: for a list of unknown length Postgres looks at
/// every row.
const NAMED: usize = 50;

/// A filter that is not given is left out instead of being NULL: with `$1 IS NULL OR …` SQLite would
/// use no index.
fn statement(selection: &Selection, tx: &Tx) -> Result<Statement, StoreError> {
    let view = selection.view;
    let mut parameters = Vec::new();
    let mut conditions = Vec::new();
    for (column, wanted) in [("clip_id", &selection.clips), ("region", &selection.regions)] {
        if wanted.is_empty() {
            continue;
        }
        let one_of = if wanted.len() <= NAMED {
            let first = parameters.len() + 1;
            parameters.extend(wanted.iter().cloned());
            let names = (first..=parameters.len()).map(|n| format!("${n}"));
            names.collect::<Vec<_>>().join(", ")
        } else {
            let rows: Vec<_> = wanted.iter().map(|text| (text,)).collect();
            parameters.push(json_rows(&rows)?);
            format!("SELECT value->>0 FROM json_each(${})", parameters.len())
        };
        conditions.push(format!("{column} IN ({one_of})"));
    }
    if matches!(tx, Tx::Sqlite(_)) && selection.clips.is_empty() && OF_TARGETS.contains(&view.name) {
        conditions.push("clip_id IN (SELECT clip_id FROM targets)".to_owned());
    }
    if let Some(days) = view.days {
        // Each day is held against the beginning of the first that is wanted, or of the one after the last.
        let since = selection.since.map(|day| (days.since, ">=", day));
        let until = selection
            .until
            .map(|day| (days.until, "<", day.saturating_add(1)));
        for (column, sign, day) in since.into_iter().chain(until) {
            parameters.push(DayText(day).to_string());
            let beginning = tx.beginning_of_day(parameters.len(), view.kind(column));
            conditions.push(format!("{column} {sign} {beginning}"));
        }
    }
    let columns: Vec<_> = view.columns.iter().map(|(name, _)| *name).collect();
    let filter = match conditions.as_slice() {
        [] => String::new(),
        conditions => format!(" WHERE {}", conditions.join(" AND ")),
    };
    let sql = format!(
        "SELECT {} FROM {}{filter} ORDER BY {}",
        columns.join(", "),
        view.name,
        order(view)
    );
    Ok(Statement { sql, parameters })
}

/// The two databases differ in where NULL comes. Sound and market are never NULL, and an index has
/// them in order.
fn order(view: &View) -> String {
    let keys = view.order.iter().map(|column| match *column {
        "clip_id" | "region" => (*column).to_owned(),
        other => format!("{other} NULLS FIRST"),
    });
    keys.collect::<Vec<_>>().join(", ")
}

impl Tx {
    /// The beginning of a day that parameter `n` says, as something that a column of this kind is
    /// compared with.
    fn beginning_of_day(&self, n: usize, kind: Option<Kind>) -> String {
        match (self, kind) {
            (Self::Sqlite(_), _) => format!("${n}"),
            (Self::Postgres(_), Some(Kind::Instant)) => format!("(${n}::timestamp AT TIME ZONE 'UTC')"),
            (Self::Postgres(_), _) => format!("${n}::date"),
        }
    }
}

fn sqlite_cell(row: &SqliteRow, n: usize, kind: Kind) -> Result<Cell<'_>, StoreError> {
    let cell = match kind {
        Kind::Text => row.try_get::<Option<&str>, _>(n)?.map(Cell::Text),
        Kind::Integer => row.try_get::<Option<i64>, _>(n)?.map(Cell::Integer),
        Kind::Real => row.try_get::<Option<f64>, _>(n)?.map(Cell::Real),
        Kind::Boolean => row
            .try_get::<Option<i64>, _>(n)?
            .map(|yes| Cell::Boolean(yes != 0)),
        Kind::Day | Kind::Instant => match row.try_get::<Option<&str>, _>(n)? {
            Some(text) => Some(in_time(text, kind)?),
            None => None,
        },
    };
    Ok(cell.unwrap_or(Cell::Null))
}

fn in_time(text: &str, kind: Kind) -> Result<Cell<'static>, StoreError> {
    let cell = match kind {
        Kind::Day => day_of(text).map(Cell::Day),
        _ => instant_of(text).map(Cell::Instant),
    };
    cell.ok_or_else(|| StoreError::Unreadable(format!("{text:?} is no {kind:?}")))
}

fn postgres_cell(row: &PgRow, n: usize, kind: Kind) -> Result<Cell<'_>, StoreError> {
    let cell = match kind {
        Kind::Text => row.try_get::<Option<&str>, _>(n)?.map(Cell::Text),
        Kind::Integer => row.try_get::<Option<i64>, _>(n)?.map(Cell::Integer),
        Kind::Real => row.try_get::<Option<f64>, _>(n)?.map(Cell::Real),
        Kind::Boolean => row.try_get::<Option<bool>, _>(n)?.map(Cell::Boolean),
        Kind::Day | Kind::Instant => {
            let value = row.try_get_raw(n)?;
            if value.is_null() {
                return Ok(Cell::Null);
            }
            Some(since_2000(value.as_bytes().map_err(sqlx::Error::Decode)?)?)
        }
    };
    Ok(cell.unwrap_or(Cell::Null))
}

/// A `date` is four bytes of days, a `timestamptz` eight of microseconds.
fn since_2000(bytes: &[u8]) -> Result<Cell<'static>, StoreError> {
    if let Ok(days) = bytes.try_into() {
        Ok(Cell::Day(
            POSTGRES_EPOCH_DAYS + i64::from(i32::from_be_bytes(days)),
        ))
    } else if let Ok(microseconds) = bytes.try_into() {
        let seconds = i64::from_be_bytes(microseconds).div_euclid(1_000_000);
        Ok(Cell::Instant(POSTGRES_EPOCH_SECONDS + seconds))
    } else {
        Err(StoreError::Unreadable(format!("a time of {} bytes", bytes.len())))
    }
}
