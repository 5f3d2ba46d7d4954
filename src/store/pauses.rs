//! Pauses of a key that was refused or is out of credits: nothing is asked with it until then.

use super::{Row, Store, StoreError, Tx, execute, rows};
use crate::model::Reason;

/// A pause of one key.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Pause {
    /// Why: `unauthorized`, `out_of_credits`, `forbidden`; `rate_limited` or `server_error` when the API
    /// asked to be left alone for over an hour.
    pub reason: String,
    /// Unix seconds.
    pub since: i64,
    /// Unix seconds; after this one request probes.
    pub until: i64,
    /// The target whose request was refused: the probe takes another, as this one may be the cause.
    pub target_id: Option<i64>,
}

impl Store {
    /// The pause of a key, also when its time is up and only the probe is still to come.
    pub async fn pause_of(&self, key_fingerprint: &str) -> Result<Option<Pause>, StoreError> {
        let mut tx = self.read().await?;
        pause_of(&mut tx, key_fingerprint).await
    }

    /// Pauses a key; a pause that is on already is prolonged, never shortened.
    pub async fn pause(
        &self,
        key_fingerprint: &str,
        reason: Reason,
        target_id: Option<i64>,
        now: i64,
        until: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        execute!(
            &mut tx,
            "INSERT INTO key_pauses (key_fingerprint, reason, since, until, target_id)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (key_fingerprint) DO UPDATE SET
                reason = excluded.reason,
                until = CASE WHEN key_pauses.until < excluded.until THEN excluded.until ELSE key_pauses.until END,
                target_id = excluded.target_id",
            key_fingerprint,
            reason.as_str(),
            now,
            until,
            target_id
        )?;
        tx.commit().await
    }

    /// Ends the pause of a key.
    pub async fn resume(&self, key_fingerprint: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        execute!(
            &mut tx,
            "DELETE FROM key_pauses WHERE key_fingerprint = $1",
            key_fingerprint
        )?;
        tx.commit().await
    }
}

pub(super) async fn pause_of(tx: &mut Tx, key_fingerprint: &str) -> Result<Option<Pause>, StoreError> {
    let rows = rows!(
        tx,
        "SELECT reason, since, until, target_id FROM key_pauses WHERE key_fingerprint = $1",
        key_fingerprint
    )?;
    rows.first().map(pause).transpose()
}

/// Puts the end of a pause off.
pub(super) async fn prolong(tx: &mut Tx, key_fingerprint: &str, until: i64) -> Result<(), StoreError> {
    execute!(
        tx,
        "UPDATE key_pauses SET until = $2 WHERE key_fingerprint = $1",
        key_fingerprint,
        until
    )?;
    Ok(())
}

pub(super) fn pause(row: &Row) -> Result<Pause, StoreError> {
    Ok(Pause {
        reason: row.get("reason")?,
        since: row.get("since")?,
        until: row.get("until")?,
        target_id: row.get("target_id")?,
    })
}
