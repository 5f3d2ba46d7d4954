//! The targets: what is watched now, and what once was.

use serde::Serialize;

use super::{Row, Store, StoreError, Tx, execute, json_rows, rows};
use crate::model::TargetSpec;
use crate::watchlist::StoredTarget;

/// Rows in one statement: bounds the memory of a large watchlist.
const CHUNK: usize = 5_000;

/// A target to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewTarget<'a> {
    /// What the watchlist says.
    pub spec: &'a TargetSpec,
    /// Seconds between two slots of its schedule.
    pub interval_seconds: i64,
    /// The first instant whose slots count; `None` leaves that of a known target alone.
    pub slots_from: Option<i64>,
}

#[derive(Serialize)]
struct TargetRow<'a>(
    &'a str,
    &'a str,
    String,
    &'a str,
    &'a str,
    i64,
    Option<i64>,
    &'a [String],
    Option<&'a str>,
);

impl<'a> From<&NewTarget<'a>> for TargetRow<'a> {
    fn from(target: &NewTarget<'a>) -> Self {
        let spec = target.spec;
        Self(
            spec.clip_id.as_str(),
            spec.region.as_str(),
            spec.period.to_string(),
            &spec.schedule,
            &spec.time_zone,
            target.interval_seconds,
            target.slots_from,
            &spec.tags,
            spec.note.as_deref(),
        )
    }
}

impl Store {
    /// All targets, also those that were removed. They are read in pages: a driver's row takes many
    /// times the memory of what is in it.
    pub async fn targets(&self) -> Result<Vec<StoredTarget>, StoreError> {
        let mut tx = self.read().await?;
        let mut targets: Vec<StoredTarget> = Vec::new();
        loop {
            let rows = rows!(
                &mut tx,
                "SELECT id, clip_id, region, period, schedule, time_zone, CAST(tags AS TEXT) AS tags, note, removed_at
                FROM targets
                WHERE id > $1
                ORDER BY id
                LIMIT $2",
                targets.last().map_or(0, |target| target.id),
                i64::try_from(CHUNK).unwrap_or(i64::MAX)
            )?;
            if rows.is_empty() {
                return Ok(targets);
            }
            for row in &rows {
                targets.push(stored(row)?);
            }
        }
    }
}

fn stored(row: &Row) -> Result<StoredTarget, StoreError> {
    let tags: String = row.get("tags")?;
    Ok(StoredTarget {
        id: row.get("id")?,
        removed: row.get::<Option<i64>>("removed_at")?.is_some(),
        spec: TargetSpec {
            clip_id: row.parse("clip_id")?,
            region: row.parse("region")?,
            period: row.parse("period")?,
            schedule: row.get("schedule")?,
            time_zone: row.get("time_zone")?,
            tags: serde_json::from_str(&tags)
                .map_err(|e| StoreError::Unreadable(format!("tags {tags:?}: {e}")))?,
            note: row.get("note")?,
        },
    })
}

/// Writes targets as the watchlist has them now: new ones, changed ones, and those that came back.
/// A worker with the same file may have written them already, which does no harm.
pub async fn write(tx: &mut Tx, targets: &[NewTarget<'_>], now: i64) -> Result<(), StoreError> {
    for chunk in targets.chunks(CHUNK) {
        let rows: Vec<TargetRow<'_>> = chunk.iter().map(TargetRow::from).collect();
        execute!(
            tx,
            "INSERT INTO targets (
                clip_id, region, period, schedule, time_zone, interval_seconds, slots_from, tags, note, added_at
            )
            SELECT
                r.value->>0,
                r.value->>1,
                r.value->>2,
                r.value->>3,
                r.value->>4,
                CAST(r.value->>5 AS BIGINT),
                coalesce(CAST(r.value->>6 AS BIGINT), $2),
                r.value->7,
                r.value->>8,
                $2
            FROM json_each($1) AS r
            WHERE true
            ON CONFLICT (clip_id, region, period) DO UPDATE SET
                schedule = excluded.schedule,
                time_zone = excluded.time_zone,
                interval_seconds = excluded.interval_seconds,
                tags = excluded.tags,
                note = excluded.note",
            json_rows(&rows)?,
            now
        )?;
        execute!(
            tx,
            "UPDATE targets
            SET slots_from = CAST(r.value->>6 AS BIGINT), removed_at = NULL
            FROM json_each($1) AS r
            WHERE targets.clip_id = r.value->>0
                AND targets.region = r.value->>1
                AND targets.period = r.value->>2
                AND r.value->>6 IS NOT NULL",
            json_rows(&rows)?
        )?;
    }
    Ok(())
}

/// Marks targets as removed; their history stays.
pub async fn remove(tx: &mut Tx, ids: &[i64], now: i64) -> Result<(), StoreError> {
    for chunk in ids.chunks(CHUNK) {
        execute!(
            tx,
            "UPDATE targets
            SET removed_at = $2
            FROM json_each($1) AS r
            WHERE targets.id = CAST(r.value->>0 AS BIGINT) AND targets.removed_at IS NULL",
            json_rows(&chunk.iter().map(|id| (id,)).collect::<Vec<_>>())?,
            now
        )?;
    }
    Ok(())
}
