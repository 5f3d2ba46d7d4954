//! What is due, computed from the ledger: nothing is remembered between passes, so that a missed
//! tick, a restart, a clock that jumps and a second worker are all the same case.

use serde::Serialize;

use super::{Store, StoreError, Tx, execute, json_rows, rows};
use crate::model::{ClipId, Period, Region};

/// A slot of all targets of one schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupSlot {
    /// The cron expression.
    pub schedule: String,
    /// The IANA zone.
    pub time_zone: String,
    /// The newest slot at or before now, unix seconds.
    pub slot_at: i64,
}

/// A slot of one target that should be asked now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// `targets.id`.
    pub target_id: i64,
    /// Unix seconds.
    pub slot_at: i64,
    /// Asked for by a person.
    pub forced: bool,
    /// The sound.
    pub clip_id: ClipId,
    /// The market.
    pub region: Region,
    /// The window, or `auto`.
    pub period: Period,
    /// The target's cron expression.
    pub schedule: String,
    /// The IANA zone of it.
    pub time_zone: String,
}

/// Which part of what is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// The newest slots of these schedules, and whatever was handed over.
    Scheduled(&'a [GroupSlot]),
    /// What a person asked for in this minute (unix seconds).
    Forced(i64),
}

/// The CTE `open`: slots of the newest ones ($1) that are due, those that wait for a worker, and of
/// skipped ones ($3) those that are not older than is made up ($2).
macro_rules! due_slots {
    ($select:literal) => {
        concat!(
            "WITH slots AS (
                SELECT
                    r.value->>'schedule' AS schedule,
                    r.value->>'time_zone' AS time_zone,
                    CAST(r.value->>'slot_at' AS BIGINT) AS slot_at
                FROM json_each($1) AS r
            ),
            open AS (
                SELECT f.target_id, f.slot_at, f.forced
                FROM fetches AS f
                WHERE f.outcome IS NULL AND f.worker_id IS NULL
                UNION ALL
                SELECT t.id, s.slot_at, FALSE
                FROM slots AS s
                JOIN targets AS t ON t.schedule = s.schedule AND t.time_zone = s.time_zone
                LEFT JOIN fetches AS f ON f.target_id = t.id AND f.slot_at = s.slot_at
                WHERE s.slot_at >= t.slots_from
                    AND (s.slot_at >= $2 OR s.slot_at = t.slots_from)
                    AND (
                        f.id IS NULL
                        OR ($3 AND f.outcome = 'skipped' AND f.reason IN ('budget', 'paused') AND s.slot_at >= $2)
                    )
            )
            ",
            $select
        )
    };
}
pub(super) use due_slots;

impl Store {
    /// Hands slots of the current minute over to whoever collects: rows without a worker, for all
    /// live targets or those of these sounds; also such as were skipped for the budget or a pause. Gives
    /// the number of targets.
    pub async fn hand_over(&self, clips: Option<&[String]>, slot_at: i64) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let handed = match clips {
            None => execute!(
                &mut tx,
                "INSERT INTO fetches (target_id, slot_at, forced)
                SELECT id, $1, TRUE
                FROM targets
                WHERE removed_at IS NULL
                ON CONFLICT (target_id, slot_at) DO UPDATE SET
                    outcome = NULL,
                    reason = NULL,
                    settled_at = NULL,
                    worker_id = NULL
                WHERE fetches.outcome = 'skipped' AND fetches.reason IN ('budget', 'paused')",
                slot_at
            )?,
            Some(clips) => execute!(
                &mut tx,
                "INSERT INTO fetches (target_id, slot_at, forced)
                SELECT id, $2, TRUE
                FROM targets
                WHERE removed_at IS NULL AND clip_id IN (SELECT r.value->>0 FROM json_each($1) AS r)
                ON CONFLICT (target_id, slot_at) DO UPDATE SET
                    outcome = NULL,
                    reason = NULL,
                    settled_at = NULL,
                    worker_id = NULL
                WHERE fetches.outcome = 'skipped' AND fetches.reason IN ('budget', 'paused')",
                json_rows(&clips.iter().map(|clip| (clip,)).collect::<Vec<_>>())?,
                slot_at
            )?,
        };
        tx.commit().await?;
        Ok(handed)
    }

    /// Whether fetches were handed over, or left by a worker whose last sign of life is older than
    /// `silent_before`.
    pub async fn has_open_fetches(&self, silent_before: i64) -> Result<bool, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT f.id
            FROM fetches AS f
            WHERE f.outcome IS NULL
                AND (
                    f.worker_id IS NULL
                    OR f.worker_id NOT IN (SELECT w.id FROM workers AS w WHERE w.heartbeat_at >= $1)
                )
            UNION ALL
            SELECT f.id
            FROM chart_fetches AS f
            WHERE f.outcome IS NULL
                AND (
                    f.worker_id IS NULL
                    OR f.worker_id NOT IN (SELECT w.id FROM workers AS w WHERE w.heartbeat_at >= $1)
                )
            LIMIT 1",
            silent_before
        )?;
        Ok(!rows.is_empty())
    }

    /// The next slots to ask, at most `limit`, the stalest targets first.
    ///
    /// `catch_up_from` is the oldest slot that is still asked (a new target's first slot is asked
    /// however old it is). `again` tells whether slots that were skipped for the budget or a pause
    /// are due again, because the cause is gone.
    pub async fn due(
        &self,
        scope: Scope<'_>,
        catch_up_from: i64,
        again: bool,
        limit: i64,
    ) -> Result<Vec<Due>, StoreError> {
        let mut tx = self.read().await?;
        let rows = match scope {
            Scope::Scheduled(slots) => scheduled(&mut tx, slots, catch_up_from, again, limit).await?,
            Scope::Forced(minute) => rows!(
                &mut tx,
                "SELECT f.target_id, f.slot_at, TRUE AS forced, t.clip_id, t.region, t.period, t.schedule, t.time_zone
                FROM fetches AS f
                JOIN targets AS t ON t.id = f.target_id
                WHERE f.outcome IS NULL AND f.worker_id IS NULL AND f.slot_at = $1 AND t.removed_at IS NULL
                ORDER BY
                    coalesce((SELECT max(n.last_fetched_at) FROM snapshots AS n WHERE n.target_id = t.id), 0),
                    t.id
                LIMIT $2",
                minute,
                limit
            )?,
        };
        rows.iter()
            .map(|row| {
                Ok(Due {
                    target_id: row.get("target_id")?,
                    slot_at: row.get("slot_at")?,
                    forced: row.get("forced")?,
                    clip_id: row.parse("clip_id")?,
                    region: row.parse("region")?,
                    period: row.parse("period")?,
                    schedule: row.get("schedule")?,
                    time_zone: row.get("time_zone")?,
                })
            })
            .collect()
    }

    /// How many slots `due` would give of schedules, those that were skipped included.
    pub async fn due_count(&self, newest: &[GroupSlot], catch_up_from: i64) -> Result<i64, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            due_slots!(
                "SELECT count(*) AS slots
                FROM open AS o
                JOIN targets AS t ON t.id = o.target_id
                WHERE t.removed_at IS NULL"
            ),
            json_rows(newest)?,
            catch_up_from,
            true
        )?;
        rows.first().map_or(Ok(0), |row| row.get("slots"))
    }
}

async fn scheduled(
    tx: &mut Tx,
    slots: &[GroupSlot],
    catch_up_from: i64,
    again: bool,
    limit: i64,
) -> Result<Vec<super::Row>, StoreError> {
    rows!(
        tx,
        due_slots!(
            "SELECT o.target_id, o.slot_at, o.forced, t.clip_id, t.region, t.period, t.schedule, t.time_zone
            FROM open AS o
            JOIN targets AS t ON t.id = o.target_id
            WHERE t.removed_at IS NULL
            ORDER BY
                coalesce((SELECT max(n.last_fetched_at) FROM snapshots AS n WHERE n.target_id = t.id), 0),
                t.id,
                o.slot_at
            LIMIT $4"
        ),
        json_rows(slots)?,
        catch_up_from,
        again,
        limit
    )
}
