//! What waits, for status pages and metrics.

use super::due::{GroupSlot, due_slots};
use super::{Store, StoreError, json_rows, rows};

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

impl Store {
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
