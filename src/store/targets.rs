//! The targets: what is watched now, and what once was.

use super::{Many, Row, Store, StoreError, Tx, rows};
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
        let texts: Vec<(String, String)> = chunk.iter().map(period_and_tags).collect();
        let rows: Vec<(&NewTarget<'_>, &(String, String))> = chunk.iter().zip(&texts).collect();
        let columns = Many::of(&rows)
            .text("clip_id", |(target, _)| target.spec.clip_id.as_str())
            .text("region", |(target, _)| target.spec.region.as_str())
            .text("period", |(_, (period, _))| period.as_str())
            .int("slots_from", |(target, _)| target.slots_from);
        columns.execute(tx, RETURNED).await?;
        columns
            .text("schedule", |(target, _)| target.spec.schedule.as_str())
            .text("time_zone", |(target, _)| target.spec.time_zone.as_str())
            .int("interval_seconds", |(target, _)| target.interval_seconds)
            .json("tags", |(_, (_, tags))| Some(tags.as_str()))
            .text("note", |(target, _)| target.spec.note.as_deref())
            .int("now", |_| now)
            .execute(tx, WRITTEN)
            .await?;
    }
    Ok(())
}

/// Whatever counts from another instant on is watched again.
const RETURNED: &str = "WITH r AS ({rows})
    UPDATE targets
    SET slots_from = r.slots_from, removed_at = NULL
    FROM r
    WHERE targets.clip_id = r.clip_id
        AND targets.region = r.region
        AND targets.period = r.period
        AND r.slots_from IS NOT NULL";

const WRITTEN: &str = "WITH r AS ({rows})
    INSERT INTO targets (
        clip_id, region, period, schedule, time_zone, interval_seconds, slots_from, tags, note, added_at
    )
    SELECT
        clip_id, region, period, schedule, time_zone, interval_seconds, coalesce(slots_from, now), tags, note, now
    FROM r
    WHERE true
    ON CONFLICT (clip_id, region, period) DO UPDATE SET
        schedule = excluded.schedule,
        time_zone = excluded.time_zone,
        interval_seconds = excluded.interval_seconds,
        tags = excluded.tags,
        note = excluded.note";

fn period_and_tags(target: &NewTarget<'_>) -> (String, String) {
    let tags = serde_json::Value::from(target.spec.tags.clone());
    (target.spec.period.to_string(), tags.to_string())
}

/// Marks targets as removed; their history stays.
pub async fn remove(tx: &mut Tx, ids: &[i64], now: i64) -> Result<(), StoreError> {
    for chunk in ids.chunks(CHUNK) {
        Many::of(chunk)
            .int("id", |id| *id)
            .int("now", |_| now)
            .execute(
                tx,
                "WITH r AS ({rows})
                UPDATE targets
                SET removed_at = r.now
                FROM r
                WHERE targets.id = r.id AND targets.removed_at IS NULL",
            )
            .await?;
    }
    Ok(())
}
