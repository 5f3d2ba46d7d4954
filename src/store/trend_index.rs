//! The index in the tables: what it is due for, the windows that it is computed from, and its rows.
//!
//! A series (a sound in a region) is marked in `index_due` in the transaction that changes its windows,
//! and the mark goes in the transaction that writes its rows: a crash forgets nothing, and any worker
//! may do it.

mod write;

use std::collections::{BTreeMap, HashMap};

use super::history::key;
use super::{Many, Row, Store, StoreError, Tx, execute, json_rows, rows, undisturbed};
use crate::clock::DAY;
use crate::model::SeriesKey;
use crate::trend::{Fit, IndexDay, LAGS, LagCounts, Window};
pub use write::Computed;

/// Marks among which a batch is chosen.
const MARKS: i64 = 1_024;

/// Series that are looked at to make up a batch.
const SERIES: usize = 512;

/// Snapshots whose points are read together: a driver's row takes many times the memory of what is in
/// it.
const SNAPSHOTS: usize = 512;

/// A series whose index is to be computed, as it was read.
#[derive(Clone, Debug)]
pub struct DueSeries {
    /// Whose.
    pub key: SeriesKey,
    /// All its windows that may be daily.
    pub windows: Vec<Window>,
    /// `snapshots.id` of the newest that was there, to know later that none has come meanwhile.
    pub newest: i64,
}

/// Series that are computed together.
#[derive(Clone, Debug, Default)]
pub struct DueBatch {
    /// At least one, if any is due.
    pub series: Vec<DueSeries>,
    /// More are marked than these.
    pub more: bool,
}

/// A target of which new windows are settled: its sound and region, and when.
pub(super) type Mark<'a> = (&'a str, &'a str, i64);

/// Marks series whose windows change in this transaction. (`DO UPDATE` and not `DO NOTHING`: on Postgres
/// it waits for whoever is about to take the mark away.)
pub(super) async fn mark(tx: &mut Tx, marks: &[Mark<'_>]) -> Result<(), StoreError> {
    let newest: BTreeMap<(&str, &str), i64> = marks
        .iter()
        .map(|(clip, region, at)| ((*clip, *region), *at))
        .collect();
    let marks: Vec<((&str, &str), i64)> = newest.into_iter().collect();
    Many::of(&marks)
        .text("clip_id", |((clip, _), _)| *clip)
        .text("region", |((_, region), _)| *region)
        .int("marked_at", |(_, at)| *at)
        .execute(
            tx,
            "WITH r AS ({rows})
            INSERT INTO index_due (clip_id, region, marked_at)
            SELECT clip_id, region, marked_at
            FROM r
            WHERE true
            ON CONFLICT (clip_id, region) DO UPDATE SET marked_at = excluded.marked_at",
        )
        .await?;
    Ok(())
}

impl Store {
    /// Marks every series that has windows or an index, and gives how many there are.
    pub async fn mark_all_series(&self, now: i64) -> Result<u64, StoreError> {
        undisturbed(async || {
            let mut tx = self.begin().await?;
            let marked = execute!(
                &mut tx,
                "INSERT INTO index_due (clip_id, region, marked_at)
                SELECT u.clip_id, u.region, $1
                FROM (
                    SELECT t.clip_id, t.region
                    FROM targets AS t
                    WHERE EXISTS (SELECT 1 FROM snapshots AS s WHERE s.target_id = t.id)
                    UNION
                    SELECT clip_id, region FROM trend_index
                    UNION
                    SELECT clip_id, region FROM index_state
                ) AS u
                WHERE true
                ORDER BY u.clip_id, u.region
                ON CONFLICT (clip_id, region) DO UPDATE SET marked_at = excluded.marked_at",
                now
            )?;
            tx.commit().await?;
            Ok(marked)
        })
        .await
    }

    /// How windows that follow each other fit, over all series.
    pub async fn lag_counts(&self) -> Result<LagCounts, StoreError> {
        lag_counts(&mut self.read().await?).await
    }

    /// How well the windows of all series fit together, and how many series wait to be computed.
    pub async fn index_fit(&self) -> Result<(Fit, i64), StoreError> {
        let mut tx = self.read().await?;
        let lag = lag_counts(&mut tx).await?.settle_lag();
        let rows = rows!(
            &mut tx,
            "SELECT
                count(*) AS series,
                (SELECT count(*) FROM index_due) AS waiting,
                CAST(coalesce(sum(CASE WHEN contradictions > 0 THEN 1 ELSE 0 END), 0) AS BIGINT) AS suspect,
                CAST(coalesce(sum(CASE WHEN half_unit > 0.5 THEN 1 ELSE 0 END), 0) AS BIGINT) AS inconsistent,
                CAST(coalesce(sum(unusable), 0) AS BIGINT) AS unusable_windows,
                CAST(coalesce(sum(observations), 0) AS BIGINT) AS observations,
                CAST(coalesce(sum(restated), 0) AS BIGINT) AS restated
            FROM index_state"
        )?;
        let Some(row) = rows.first() else {
            return Ok((Fit::default(), 0));
        };
        let fit = Fit {
            series: row.get("series")?,
            settle_lag: lag.days,
            lag_doubtful: lag.doubtful,
            suspect: row.get("suspect")?,
            inconsistent: row.get("inconsistent")?,
            unusable_windows: row.get("unusable_windows")?,
            observations: row.get("observations")?,
            restated: row.get("restated")?,
        };
        Ok((fit, row.get("waiting")?))
    }

    /// Series to compute with their windows: at least one, if any is due, and together not many more
    /// than so many points. `place`, from 0 to below 1, says where to begin among the next ones: workers
    /// that begin at different places seldom compute the same.
    pub async fn series_due(&self, points: i64, place: f64) -> Result<DueBatch, StoreError> {
        let mut tx = self.read().await?;
        let (due, more) = keys_due(&mut tx, points, place).await?;
        if due.is_empty() {
            return Ok(DueBatch::default());
        }
        let mut series: Vec<DueSeries> = Vec::new();
        let mut places: HashMap<SeriesKey, usize> = HashMap::new();
        for (newest, key) in due {
            places.insert(key.clone(), series.len());
            series.push(DueSeries {
                key,
                windows: Vec::new(),
                newest,
            });
        }
        let daily = daily_snapshots(&mut tx, &places).await?;
        for part in daily.chunks(SNAPSHOTS) {
            let mut points = points_of(&mut tx, part).await?;
            for snapshot in part {
                if let Some(series) = series.get_mut(snapshot.series) {
                    series.windows.push(Window {
                        fetched_at: snapshot.fetched_at,
                        period_days: snapshot.period_days,
                        points: points.remove(&snapshot.id).unwrap_or_default(),
                    });
                }
            }
        }
        Ok(DueBatch { series, more })
    }
}

/// A snapshot that may be daily.
struct Daily {
    id: i64,
    /// The place of its series in the batch.
    series: usize,
    fetched_at: i64,
    period_days: i64,
}

pub(super) fn index_day(row: &Row) -> Result<IndexDay, StoreError> {
    Ok(IndexDay {
        day: row.get("day")?,
        value: row.get("value")?,
        low: row.get("low")?,
        high: row.get("high")?,
        segment: row.get("segment")?,
        provisional: row.get("provisional")?,
    })
}

/// The sums over all series.
async fn lag_counts(tx: &mut Tx) -> Result<LagCounts, StoreError> {
    let rows = rows!(tx, "SELECT lag, pairs, violations FROM index_lags ORDER BY lag")?;
    let mut counts = LagCounts::default();
    for row in &rows {
        let lag = usize::try_from(row.get::<i64>("lag")?).unwrap_or(LAGS);
        if let (Some(pairs), Some(violations)) = (counts.pairs.get_mut(lag), counts.violations.get_mut(lag)) {
            (*pairs, *violations) = (row.get("pairs")?, row.get("violations")?);
        }
    }
    Ok(counts)
}

/// A batch of the next series that are due, with the newest snapshot of each (0: none).
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "marks are some hundreds"
)]
async fn keys_due(tx: &mut Tx, points: i64, place: f64) -> Result<(Vec<(i64, SeriesKey)>, bool), StoreError> {
    let marks = rows!(
        &mut *tx,
        "SELECT clip_id, region FROM index_due ORDER BY clip_id, region LIMIT $1",
        MARKS
    )?;
    let mut keys: Vec<SeriesKey> = marks.iter().map(key).collect::<Result<_, _>>()?;
    let marked = keys.len();
    let begin = ((place * keys.len() as f64) as usize).min(keys.len());
    keys.rotate_left(begin);
    keys.truncate(SERIES);
    if keys.is_empty() {
        return Ok((Vec::new(), false));
    }
    let extents = extents(tx, &keys.iter().collect::<Vec<_>>()).await?;
    let mut sum = 0;
    let mut fits = |key: &SeriesKey| {
        sum += extents.get(key).map_or(0, |extent| extent.points);
        sum <= points
    };
    let fitting = keys.iter().take_while(|key| fits(key)).count();
    keys.truncate(fitting.max(1));
    let newest = |key: &SeriesKey| extents.get(key).map_or(0, |extent| extent.newest);
    let more = keys.len() < marked;
    Ok((keys.into_iter().map(|key| (newest(&key), key)).collect(), more))
}

/// What there is of a series.
struct Extent {
    /// The points of its windows, at most.
    points: i64,
    /// `snapshots.id` of the newest.
    newest: i64,
}

/// The extent of those of these series that have snapshots.
async fn extents(tx: &mut Tx, keys: &[&SeriesKey]) -> Result<HashMap<SeriesKey, Extent>, StoreError> {
    let rows = rows!(
        tx,
        "SELECT
            t.clip_id,
            t.region,
            CAST(sum(s.period_days) AS BIGINT) AS points,
            max(s.id) AS newest
        FROM json_each($1) AS r
        JOIN targets AS t ON t.clip_id = r.value->>'clip_id' AND t.region = r.value->>'region'
        JOIN snapshots AS s ON s.target_id = t.id
        GROUP BY t.clip_id, t.region",
        json_rows(keys)?
    )?;
    rows.iter().map(|row| Ok((key(row)?, extent(row)?))).collect()
}

fn extent(row: &Row) -> Result<Extent, StoreError> {
    Ok(Extent {
        points: row.get("points")?,
        newest: row.get("newest")?,
    })
}

async fn daily_snapshots(tx: &mut Tx, places: &HashMap<SeriesKey, usize>) -> Result<Vec<Daily>, StoreError> {
    let keys: Vec<&SeriesKey> = places.keys().collect();
    let rows = rows!(
        tx,
        "SELECT t.clip_id, t.region, s.id, s.first_fetched_at, s.period_days
        FROM json_each($1) AS r
        JOIN targets AS t ON t.clip_id = r.value->>'clip_id' AND t.region = r.value->>'region'
        JOIN snapshots AS s ON s.target_id = t.id
        WHERE s.step_seconds <= 86400
        ORDER BY s.id",
        json_rows(&keys)?
    )?;
    let daily = rows.iter().map(|row| {
        Ok(Daily {
            id: row.get("id")?,
            series: places.get(&key(row)?).copied().unwrap_or(usize::MAX),
            fetched_at: row.get("first_fetched_at")?,
            period_days: row.get("period_days")?,
        })
    });
    daily.collect()
}

/// The points of some snapshots: days and values.
async fn points_of(tx: &mut Tx, part: &[Daily]) -> Result<HashMap<i64, Vec<(i64, f64)>>, StoreError> {
    let ids: Vec<(i64,)> = part.iter().map(|snapshot| (snapshot.id,)).collect();
    let rows = rows!(
        tx,
        "SELECT p.snapshot_id, p.time, p.value
        FROM json_each($1) AS r
        JOIN trend_points AS p ON p.snapshot_id = CAST(r.value->>0 AS BIGINT)",
        json_rows(&ids)?
    )?;
    let mut points: HashMap<i64, Vec<(i64, f64)>> = HashMap::new();
    for row in &rows {
        let day = row.get::<i64>("time")?.div_euclid(DAY);
        points
            .entry(row.get("snapshot_id")?)
            .or_default()
            .push((day, row.get("value")?));
    }
    Ok(points)
}
