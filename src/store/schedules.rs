//! The schedules of the targets, and the slots of them that nobody asked.

use serde::Serialize;

use super::{Store, StoreError, execute, json_rows, rows};

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
}
