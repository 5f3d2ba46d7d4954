//! What is due, computed from the ledger: nothing is remembered between passes, so that a missed
//! tick, a restart, a clock that jumps and a second worker are all the same case.

use serde::Serialize;

use super::{Store, StoreError, Tx, execute, json_rows, rows};
use crate::model::{ClipId, Period, Region};

/// A schedule with its zone, and how far its targets are behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The cron expression.
    pub schedule: String,
    /// The IANA zone.
    pub time_zone: String,
    /// The newest slot that has a row, or the instant before the first slot that counts.
    pub behind: i64,
}

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

/// A slot that was missed by those targets of a schedule that are `behind` alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissedSlot {
    /// Which targets.
    pub schedule: String,
    /// Which targets.
    pub time_zone: String,
    /// Which targets.
    pub behind: i64,
    /// The slot, unix seconds.
    pub slot_at: i64,
    /// How many slots the row stands for.
    pub slots: i64,
    /// The newest slot of the schedule: that one is still asked of a target that is new with it.
    pub newest_at: i64,
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

/// Slots that are not done yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Due, and neither claimed nor skipped.
    pub due: i64,
    /// Claimed or handed over, and not settled.
    pub open: i64,
    /// Since when the oldest of all these waits, unix seconds: its slot, or when its target was added if that
    /// was later.
    pub oldest_at: Option<i64>,
}

/// Which part of what is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// The newest slots of these schedules, and whatever was handed over.
    Scheduled(&'a [GroupSlot]),
    /// What a person asked for in this minute (unix seconds).
    Forced(i64),
}

const BEHIND: &str = "SELECT
    t.schedule,
    t.time_zone,
    coalesce(
        (
            SELECT f.slot_at
            FROM fetches AS f
            WHERE f.target_id = t.id AND f.slot_at >= t.slots_from AND NOT f.forced
            ORDER BY f.slot_at DESC
            LIMIT 1
        ),
        t.slots_from - 1
    ) AS behind
FROM targets AS t
WHERE t.removed_at IS NULL
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3";

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

impl Store {
    /// The schedules of all live targets, apart by how far these are behind.
    pub async fn groups(&self) -> Result<Vec<Group>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(&mut tx, BEHIND)?;
        rows.iter()
            .map(|row| {
                Ok(Group {
                    schedule: row.get("schedule")?,
                    time_zone: row.get("time_zone")?,
                    behind: row.get("behind")?,
                })
            })
            .collect()
    }

    /// The schedules of all live targets, each once.
    pub async fn schedules(&self) -> Result<Vec<(String, String)>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT DISTINCT schedule, time_zone FROM targets WHERE removed_at IS NULL ORDER BY schedule, time_zone"
        )?;
        rows.iter()
            .map(|row| Ok((row.get("schedule")?, row.get("time_zone")?)))
            .collect()
    }

    /// The schedules of all live targets, each once, with how many have it.
    pub async fn schedules_of_targets(&self) -> Result<Vec<(String, String, i64)>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT schedule, time_zone, count(*) AS targets
            FROM targets
            WHERE removed_at IS NULL
            GROUP BY schedule, time_zone
            ORDER BY schedule, time_zone"
        )?;
        rows.iter()
            .map(|row| Ok((row.get("schedule")?, row.get("time_zone")?, row.get("targets")?)))
            .collect()
    }

    /// Records slots that nobody asked: a row all the same, so that gaps are one SELECT. A slot
    /// that counts and has no row was missed, unless a row that sums up stands for it.
    pub async fn record_missed(
        &self,
        slots: &[MissedSlot],
        worker: &str,
        now: i64,
    ) -> Result<u64, StoreError> {
        let mut recorded = 0;
        // Few slots a transaction: each stands for all targets of its schedule.
        for chunk in slots.chunks(50) {
            let mut tx = self.begin().await?;
            recorded += execute!(
                &mut tx,
                "INSERT INTO fetches (target_id, slot_at, slots, outcome, reason, worker_id, settled_at)
                SELECT t.id, s.slot_at, s.slots, 'skipped', 'missed', $2, $3
                FROM (
                    SELECT
                        r.value->>'schedule' AS schedule,
                        r.value->>'time_zone' AS time_zone,
                        CAST(r.value->>'behind' AS BIGINT) AS behind,
                        CAST(r.value->>'slot_at' AS BIGINT) AS slot_at,
                        CAST(r.value->>'slots' AS BIGINT) AS slots,
                        CAST(r.value->>'newest_at' AS BIGINT) AS newest_at
                    FROM json_each($1) AS r
                ) AS s
                JOIN targets AS t ON t.schedule = s.schedule AND t.time_zone = s.time_zone
                WHERE t.removed_at IS NULL
                    AND s.slot_at >= t.slots_from
                    AND (s.slot_at < s.newest_at OR s.slot_at <> t.slots_from)
                    AND (
                        s.slots = 1
                        OR s.behind = t.slots_from - 1
                        OR EXISTS (SELECT 1 FROM fetches AS f WHERE f.target_id = t.id AND f.slot_at = s.behind)
                    )
                    AND (
                        s.slots = 1
                        OR NOT EXISTS (
                            SELECT 1
                            FROM fetches AS f
                            WHERE f.target_id = t.id AND f.slot_at > s.behind AND f.slot_at <= s.slot_at AND NOT f.forced
                        )
                    )
                    AND NOT EXISTS (
                        SELECT 1
                        FROM fetches AS f
                        WHERE f.target_id = t.id AND f.slot_at >= s.slot_at AND f.slots > 1
                    )
                ON CONFLICT (target_id, slot_at) DO NOTHING",
                json_rows(chunk)?,
                worker,
                now
            )?;
            tx.commit().await?;
        }
        Ok(recorded)
    }

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
                "SELECT f.target_id, f.slot_at, f.forced, t.clip_id, t.region, t.period, t.schedule, t.time_zone
                FROM fetches AS f
                JOIN targets AS t ON t.id = f.target_id
                WHERE f.outcome IS NULL AND f.worker_id IS NULL AND f.forced AND f.slot_at = $1 AND t.removed_at IS NULL
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

    /// What is not done yet. A look at every target.
    pub async fn backlog(&self, newest: &[GroupSlot], catch_up_from: i64) -> Result<Backlog, StoreError> {
        let mut tx = self.read().await?;
        let due = rows!(
            &mut tx,
            due_slots!(
                "SELECT
                    count(*) AS slots,
                    min(CASE WHEN o.slot_at < t.added_at THEN t.added_at ELSE o.slot_at END) AS oldest_at
                FROM open AS o
                JOIN targets AS t ON t.id = o.target_id
                WHERE t.removed_at IS NULL"
            ),
            json_rows(newest)?,
            catch_up_from,
            false
        )?;
        let open = rows!(
            &mut tx,
            "SELECT
                count(*) AS slots,
                min(CASE WHEN f.slot_at < t.added_at THEN t.added_at ELSE f.slot_at END) AS oldest_at
            FROM fetches AS f
            JOIN targets AS t ON t.id = f.target_id
            WHERE f.outcome IS NULL"
        )?;
        let mut backlog = Backlog::default();
        for (rows, slots) in [(due, &mut backlog.due), (open, &mut backlog.open)] {
            let Some(row) = rows.first() else { continue };
            *slots = row.get("slots")?;
            let oldest_at: Option<i64> = row.get("oldest_at")?;
            backlog.oldest_at = oldest_at.into_iter().chain(backlog.oldest_at).min();
        }
        Ok(backlog)
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
