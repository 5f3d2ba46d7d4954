//! Taking over: what workers that are gone have left is freed, or settled where it will not be asked again.

use super::due::GroupSlot;
use super::{Store, StoreError, Tx, execute, json_rows, undisturbed};

impl Store {
    /// Frees the claims of workers that are gone, the last sign of which is older than `silent_before`,
    /// and settles what will not be asked again: of
    /// removed targets, tried often enough, or no longer the newest slot. A request that was under
    /// way may have been charged: its attempt is settled as `unknown`, its credits stay counted.
    pub async fn take_over(
        &self,
        worker: &str,
        newest: &[GroupSlot],
        attempts: i64,
        catch_up_from: i64,
        silent_before: i64,
        now: i64,
    ) -> Result<u64, StoreError> {
        undisturbed(async || {
            self.take_over_once(worker, newest, attempts, catch_up_from, silent_before, now)
                .await
        })
        .await
    }

    async fn take_over_once(
        &self,
        worker: &str,
        newest: &[GroupSlot],
        attempts: i64,
        catch_up_from: i64,
        silent_before: i64,
        now: i64,
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let freed = free_claims(&mut tx, worker, silent_before, now).await?;
        settle_unaskable(&mut tx, worker, newest, attempts, catch_up_from, now).await?;
        tx.commit().await?;
        Ok(freed)
    }
}

/// Frees what silent workers hold, and what this worker has left behind itself: it takes over
/// before it asks, so nothing of its own is under way.
async fn free_claims(tx: &mut Tx, worker: &str, silent_before: i64, now: i64) -> Result<u64, StoreError> {
    let freed = execute!(
        &mut *tx,
        "UPDATE fetches
        SET worker_id = NULL, claimed_at = NULL
        WHERE outcome IS NULL
            AND worker_id IS NOT NULL
            AND (
                worker_id = $1
                OR worker_id NOT IN (SELECT w.id FROM workers AS w WHERE w.heartbeat_at >= $2)
            )",
        worker,
        silent_before
    )?;
    execute!(
        tx,
        "UPDATE attempts
        SET state = 'unknown', settled_at = $1, error = 'the process ended before an answer came'
        WHERE state = 'sent'
            AND fetch_id IN (SELECT f.id FROM fetches AS f WHERE f.outcome IS NULL AND f.worker_id IS NULL)",
        now
    )?;
    Ok(freed)
}

async fn settle_unaskable(
    tx: &mut Tx,
    worker: &str,
    newest: &[GroupSlot],
    attempts: i64,
    catch_up_from: i64,
    now: i64,
) -> Result<u64, StoreError> {
    execute!(
        tx,
        "WITH open AS (
            SELECT
                f.id,
                f.slot_at,
                f.forced,
                t.removed_at,
                t.schedule,
                t.time_zone,
                (SELECT count(*) FROM attempts AS a WHERE a.fetch_id = f.id) AS tried
            FROM fetches AS f
            JOIN targets AS t ON t.id = f.target_id
            WHERE f.outcome IS NULL AND f.worker_id IS NULL
        ),
        unaskable AS (
            SELECT o.id, o.tried, o.removed_at
            FROM open AS o
            WHERE o.removed_at IS NOT NULL
                OR o.tried >= $2
                OR (o.forced AND o.slot_at < $3)
                OR (
                    NOT o.forced
                    AND EXISTS (
                        SELECT 1
                        FROM json_each($1) AS r
                        WHERE r.value->>'schedule' = o.schedule
                            AND r.value->>'time_zone' = o.time_zone
                            AND CAST(r.value->>'slot_at' AS BIGINT) > o.slot_at
                    )
                )
        )
        UPDATE fetches
        SET
            outcome = CASE WHEN u.tried > 0 THEN 'failed' ELSE 'skipped' END,
            reason = CASE WHEN u.tried > 0 THEN 'cut_off' WHEN u.removed_at IS NOT NULL THEN 'removed' ELSE 'missed' END,
            worker_id = $4,
            settled_at = $5
        FROM unaskable AS u
        WHERE fetches.id = u.id",
        json_rows(newest)?,
        attempts,
        catch_up_from,
        worker,
        now
    )
}
