//! Targets that come back to the watchlist: which of them owe their newest slot.

use serde::Serialize;

use super::{Store, StoreError, json_rows, rows};

/// Slots in one parameter: bounds the memory of a large edit.
const CHUNK: usize = 5_000;

/// The newest slot of a target that comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct NewestSlot {
    /// `targets.id`.
    pub target_id: i64,
    /// Unix seconds.
    pub slot_at: i64,
}

impl Store {
    /// How many of these slots are not asked any more: they are settled, or under way.
    pub async fn done_already(&self, slots: &[NewestSlot], catch_up_from: i64) -> Result<i64, StoreError> {
        let mut tx = self.read().await?;
        let mut done = 0;
        for chunk in slots.chunks(CHUNK) {
            let rows = rows!(
                &mut tx,
                "SELECT count(*) AS done
                FROM json_each($1) AS r
                JOIN fetches AS f
                    ON f.target_id = CAST(r.value->>'target_id' AS BIGINT)
                    AND f.slot_at = CAST(r.value->>'slot_at' AS BIGINT)
                WHERE CASE
                    WHEN f.outcome IS NULL THEN f.worker_id IS NOT NULL
                    ELSE f.outcome <> 'skipped' OR f.reason NOT IN ('budget', 'paused') OR f.slot_at < $2
                END",
                json_rows(chunk)?,
                catch_up_from
            )?;
            done += rows.first().map_or(Ok(0), |row| row.get::<i64>("done"))?;
        }
        Ok(done)
    }
}
