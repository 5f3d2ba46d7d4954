//! Fetches whose answers say something else than was settled.

use std::collections::{HashMap, HashSet};

use super::rows::{insert_rows, insert_snapshots};
use super::{
    End, Plan, Settled, Settlement, confirm_snapshots, mark_for_index, update_attempts, update_fetches,
};
use crate::store::{StoreError, Tx, execute, json_rows, rows};

/// Settles fetches that were settled otherwise. Each target occurs once.
pub(super) async fn settle_again(tx: &mut Tx, round: Vec<&Settlement>) -> Result<Vec<Settled>, StoreError> {
    let before = snapshots_before(tx, &round).await?;
    let plan: Vec<Plan<'_>> = round
        .into_iter()
        .map(|settlement| {
            let open = HashSet::from([settlement.claim.fetch_id]);
            Plan::of(settlement, &open, &before)
        })
        .collect();
    let fetches: Vec<(i64,)> = plan.iter().map(|p| (p.settlement.claim.fetch_id,)).collect();
    execute!(
        &mut *tx,
        "UPDATE fetches
        SET outcome = NULL, reason = NULL, snapshot_id = NULL, settled_at = NULL
        WHERE id IN (SELECT CAST(r.value->>0 AS BIGINT) FROM json_each($1) AS r)",
        json_rows(&fetches)?
    )?;
    let stored = insert_snapshots(tx, &plan).await?;
    confirm_snapshots(tx, &plan).await?;
    insert_rows(tx, &plan, &stored).await?;
    update_attempts(tx, &plan).await?;
    update_fetches(tx, &plan, &stored).await?;
    mark_for_index(tx, &plan).await?;
    Ok(plan.iter().map(Plan::settled).collect())
}

/// The snapshot that each of these targets had shown last before this slot: its ID and the hash of
/// its content.
async fn snapshots_before(
    tx: &mut Tx,
    round: &[&Settlement],
) -> Result<HashMap<i64, (i64, Vec<u8>)>, StoreError> {
    let wanted: Vec<(i64, i64, i64)> = round
        .iter()
        .filter(|s| matches!(s.end, End::Content { .. }))
        .map(|s| (s.claim.target_id, s.claim.ask.window.days(), s.claim.slot_at))
        .collect();
    let rows = rows!(
        tx,
        "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
        SELECT s.target_id, s.id, s.content_hash
        FROM r
        JOIN snapshots AS s ON s.id = (
            SELECT f.snapshot_id
            FROM fetches AS f
            JOIN snapshots AS n ON n.id = f.snapshot_id
            WHERE f.target_id = CAST(r.value->>0 AS BIGINT)
                AND f.slot_at < CAST(r.value->>2 AS BIGINT)
                AND n.period_days = CAST(r.value->>1 AS BIGINT)
            ORDER BY f.slot_at DESC
            LIMIT 1
        )",
        json_rows(&wanted)?
    )?;
    rows.iter()
        .map(|row| Ok((row.get("target_id")?, (row.get("id")?, row.get("content_hash")?))))
        .collect()
}
