//! The store: SQLite or Postgres behind one set of functions. All SQL lives here, each statement
//! beside the one function that runs it, and with one text for both databases: numbered
//! parameters. Rows that are written go in as [`many::Many`]; lists to look things up by are one JSON
//! parameter that `json_each($1)` unfolds (on Postgres a function of that name comes with the
//! migrations).

pub mod ages;
pub mod alerts;
pub mod backlog;
pub mod budget;
pub mod charts;
pub mod check;
pub mod claim;
mod dialect;
pub mod due;
mod error;
pub mod export;
pub mod history;
mod many;
mod measured;
pub mod migrate;
pub mod operations;
pub mod overview;
pub mod pauses;
pub mod periods;
pub mod report;
pub mod reports;
pub mod returned;
pub mod schedules;
pub mod settle;
pub mod spend;
pub mod status;
pub mod takeover;
pub mod targets;
pub mod times;
pub mod trend_index;
pub mod troubled;
pub mod why;
pub mod windows;
pub mod workers;

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Decode, Executor, Postgres, Row as _, Sqlite, Transaction, Type};

pub use dialect::sqlite_file;
pub use error::StoreError;
use many::Many;

/// Connections of a [`Store::open_reader`]: for the four requests that are worked on at once, three looks at all
/// targets, and two for health and metrics, which must not wait for those.
const READERS: u32 = 9;

/// An open database.
#[derive(Clone, Debug)]
pub enum Store {
    /// One writer and a few readers on one file.
    Sqlite {
        /// The only connection that writes.
        write: SqlitePool,
        /// Connections that read beside it.
        read: SqlitePool,
    },
    /// A pool of connections.
    Postgres(PgPool),
}

/// Whether a SQLite file that is not there is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Make it.
    Create,
    /// Say that it is missing.
    Refuse,
}

impl Store {
    /// Opens the database that `url` names (`sqlite:PATH` or `postgres://…`).
    pub async fn open(url: &str, missing: Missing) -> Result<Self, StoreError> {
        if url.starts_with("sqlite:") {
            dialect::open_sqlite(url, missing).await
        } else {
            Self::open_postgres(url).await
        }
    }

    async fn open_postgres(url: &str) -> Result<Self, StoreError> {
        let pool = postgres_pool(5).connect(url).await;
        match pool {
            Ok(pool) => Ok(Self::Postgres(pool)),
            Err(error) => Err(StoreError::open(
                "the Postgres database",
                why_not(url, error).await,
            )),
        }
    }

    /// Begins a transaction that writes.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let since = measured::now();
        let tx = match self {
            Self::Sqlite { write, .. } => Tx::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        };
        measured::begun("write", since);
        Ok(tx)
    }

    /// Begins a transaction that only reads, and sees one state of the database throughout.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        let since = measured::now();
        let tx = match self {
            Self::Sqlite { read, .. } => Tx::Sqlite(read.begin().await?),
            Self::Postgres(pool) => Tx::Postgres(
                pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await?,
            ),
        };
        measured::begun("read", since);
        Ok(tx)
    }

    /// Ends all connections; on SQLite this also folds the write-ahead log into the file.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }

    /// The same database over connections of its own that cannot write, opened when they are needed.
    pub fn open_reader(url: &str) -> Result<Self, StoreError> {
        if url.starts_with("sqlite:") {
            return dialect::open_sqlite_reader(url);
        }
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| StoreError::open("Postgres", error))?
            .options([("default_transaction_read_only", "on")]);
        Ok(Self::Postgres(postgres_pool(READERS).connect_lazy_with(options)))
    }

    /// Asks whether the database answers.
    pub async fn answers(&self) -> Result<(), StoreError> {
        let mut tx = self.read().await?;
        rows!(&mut tx, "SELECT 1").map(drop)
    }

    /// The connections that read: those without work, and all of them.
    pub fn connections(&self) -> (usize, u32) {
        match self {
            Self::Sqlite { read, .. } => (read.num_idle(), read.size()),
            Self::Postgres(pool) => (pool.num_idle(), pool.size()),
        }
    }

    /// Transactions that one process writes at the same time with gain: on Postgres one that claims
    /// and one that settles.
    pub fn writers(&self) -> usize {
        match self {
            Self::Sqlite { .. } => 1,
            Self::Postgres(_) => 2,
        }
    }

    /// The database's name for people.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "SQLite",
            Self::Postgres(_) => "Postgres",
        }
    }
}

fn postgres_pool(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        // Compiling a statement takes longer than any of ours runs.
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute("SET jit = off").await.map(drop) })
        })
        // A begin that is cancelled can leave a transaction open (sqlx issue 4385); without one, a
        // bare ROLLBACK would bring a warning each time.
        .after_release(|connection, _| {
            Box::pin(async move { connection.execute("BEGIN; ROLLBACK").await.map(|_| true) })
        })
}

/// Runs a transaction, and again when a conflict with another one has undone it.
pub(crate) async fn undisturbed<T>(
    transaction: impl AsyncFn() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut tries = 0;
    loop {
        match transaction().await {
            Err(error) if error.is_conflict() && tries < 5 => tries += 1,
            done => return done,
        }
    }
}

/// What kept a pool from its first connection: it tries a refused one again until its time is up,
/// and then tells only that.
async fn why_not(url: &str, error: sqlx::Error) -> sqlx::Error {
    use sqlx::Connection;
    if !matches!(error, sqlx::Error::PoolTimedOut) {
        return error;
    }
    let once = tokio::time::timeout(Duration::from_secs(5), sqlx::PgConnection::connect(url)).await;
    match once {
        Ok(Err(cause)) => cause,
        _ => error,
    }
}

/// A transaction; rolled back unless it is committed.
#[derive(Debug)]
pub enum Tx {
    /// On SQLite.
    Sqlite(Transaction<'static, Sqlite>),
    /// On Postgres.
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    /// What a SELECT ends with that keeps the rows of a table from other writers until the transaction
    /// ends: nothing on SQLite, where a transaction that writes is alone.
    pub(crate) fn keep(&self, table: &str) -> String {
        match self {
            Self::Sqlite(_) => String::new(),
            Self::Postgres(_) => format!("FOR NO KEY UPDATE OF {table}"),
        }
    }

    /// Makes all of it durable.
    pub async fn commit(self) -> Result<(), StoreError> {
        let since = measured::now();
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        measured::committed(since);
        Ok(())
    }
}

/// One row of either database.
#[derive(Debug)]
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// The value of a column.
    pub(crate) fn get<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>,
    {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    /// The value of a text column that holds one of our own words or IDs.
    pub(crate) fn parse<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        let text: String = self.get(column)?;
        text.parse()
            .map_err(|e| StoreError::Unreadable(format!("{column} {text:?}: {e}")))
    }
}

/// Runs a statement in a transaction and gives the number of rows that it changed.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $argument:expr)* $(,)?) => {
        match $tx {
            $crate::store::Tx::Sqlite(tx) => sqlx::query($sql)
                $(.bind($argument))*
                .execute(&mut **tx)
                .await
                .map(|done| done.rows_affected()),
            $crate::store::Tx::Postgres(tx) => sqlx::query($sql)
                $(.bind($argument))*
                .execute(&mut **tx)
                .await
                .map(|done| done.rows_affected()),
        }
        .map_err($crate::store::StoreError::from)
    };
}

/// Runs a statement in a transaction and gives its rows.
macro_rules! rows {
    ($tx:expr, $sql:expr $(, $argument:expr)* $(,)?) => {
        match $tx {
            $crate::store::Tx::Sqlite(tx) => sqlx::query($sql)
                $(.bind($argument))*
                .fetch_all(&mut **tx)
                .await
                .map(|rows| rows.into_iter().map($crate::store::Row::Sqlite).collect::<Vec<_>>()),
            $crate::store::Tx::Postgres(tx) => sqlx::query($sql)
                $(.bind($argument))*
                .fetch_all(&mut **tx)
                .await
                .map(|rows| rows.into_iter().map($crate::store::Row::Postgres).collect::<Vec<_>>()),
        }
        .map_err($crate::store::StoreError::from)
    };
}

pub(crate) use {execute, rows};

/// A list as the one JSON parameter that `json_each($1)` unfolds.
pub(crate) fn json_rows<T: serde::Serialize>(rows: &[T]) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|e| StoreError::Unreadable(e.to_string()))
}
