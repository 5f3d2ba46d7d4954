//! What is settled outside of a batch, and asked after it: answers that had to wait, fetches that are
//! given up.

use crate::model::{Claim, Reason};
use crate::store::{Store, StoreError, execute, rows};

/// What the ledger knows of an attempt of which the answer had to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// It is to be settled.
    Open,
    /// It has been settled.
    Settled,
    /// It is none of this database.
    Foreign,
}

impl Store {
    /// What the ledger knows of an attempt of which the answer had to wait.
    pub async fn waiting(&self, claim: &Claim) -> Result<Waiting, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT a.state
            FROM attempts AS a
            JOIN fetches AS f ON f.id = a.fetch_id
            JOIN targets AS t ON t.id = f.target_id
            WHERE a.id = $1 AND f.id = $2 AND t.id = $3 AND f.slot_at = $4 AND t.clip_id = $5 AND t.region = $6",
            claim.attempt_id,
            claim.fetch_id,
            claim.target_id,
            claim.slot_at,
            claim.ask.clip_id.as_str(),
            claim.ask.region.as_str()
        )?;
        let Some(row) = rows.first() else {
            return Ok(Waiting::Foreign);
        };
        let state: String = row.get("state")?;
        // One that is `unknown` may still have an answer that waits.
        Ok(if state == "answered" || state == "not_sent" {
            Waiting::Settled
        } else {
            Waiting::Open
        })
    }

    /// Ends a fetch of this worker whose attempts are all settled and of which no further one may
    /// be made.
    pub async fn give_up(
        &self,
        worker: &str,
        fetch_id: i64,
        reason: Reason,
        now: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        execute!(
            &mut tx,
            "UPDATE fetches
            SET outcome = 'failed', reason = $3, settled_at = $4
            WHERE id = $1 AND worker_id = $2 AND outcome IS NULL",
            fetch_id,
            worker,
            reason.as_str(),
            now
        )?;
        tx.commit().await
    }
}
