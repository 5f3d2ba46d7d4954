//! The settling half of a pass: answers become rows, as many in one transaction as are waiting.

use std::collections::HashSet;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::{Collector, Tally, content_hash};
use crate::api::{Received, Verdict};
use crate::config::Budget;
use crate::model::{AttemptState, Claim, Outcome, Reason};
use crate::store::StoreError;
use crate::store::settle::{AttemptFacts, End, Payload, Settlement};

/// Answers in one transaction.
const BATCH: usize = 256;

/// Of the zstd levels the one after which the size of such answers hardly falls.
const ZSTD_LEVEL: i32 = 3;

impl Collector {
    /// Settles what comes until the sender is gone.
    pub(super) async fn settling(
        &self,
        mut inbox: mpsc::Receiver<Settlement>,
        tally: &Tally<'_>,
    ) -> Result<(), StoreError> {
        let mut next = inbox.recv().await;
        while let Some(first) = next.take() {
            let mut targets = HashSet::from([first.claim.target_id]);
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Ok(settlement) = inbox.try_recv()
            {
                // A target's second answer is compared with the first, so that one has to be in.
                if !targets.insert(settlement.claim.target_id) {
                    next = Some(settlement);
                    break;
                }
                batch.push(settlement);
            }
            self.settle_batch(&batch, tally).await?;
            if next.is_none() {
                next = inbox.recv().await;
            }
        }
        Ok(())
    }

    async fn settle_batch(&self, batch: &[Settlement], tally: &Tally<'_>) -> Result<(), StoreError> {
        let settled = self.store.settle(batch).await?;
        for (settlement, settled) in batch.iter().zip(settled) {
            let attempt = &settlement.attempt;
            tally.attempted(attempt);
            let Some((outcome, reason)) = settled else {
                continue;
            };
            tally.settled(outcome, 1);
            if let Some(reason) = reason {
                tracing::warn!(
                    target = %settlement.claim.ask,
                    slot = crate::clock::rfc3339(settlement.claim.slot_at),
                    outcome = outcome.as_str(),
                    reason = reason.as_str(),
                    http_status = attempt.http_status,
                    error = attempt.error.as_deref(),
                    "fetch settled"
                );
            } else {
                tracing::debug!(target = %settlement.claim.ask, outcome = outcome.as_str(), "fetch settled");
            }
        }
        Ok(())
    }

    /// Settles an attempt that is followed by another one.
    pub(super) async fn settle_one(
        &self,
        settlement: &Settlement,
        tally: &Tally<'_>,
    ) -> Result<(), StoreError> {
        self.settle_batch(std::slice::from_ref(settlement), tally).await
    }

    /// Ends a fetch whose next attempt may not be made.
    pub(super) async fn give_up(
        &self,
        claim: &Claim,
        reason: Reason,
        tally: &Tally<'_>,
    ) -> Result<(), StoreError> {
        self.store
            .give_up(claim.fetch_id, reason, self.clock.now())
            .await?;
        tally.settled(Outcome::Failed, 1);
        Ok(())
    }
}

/// What a received answer means for the ledger; `last` tells that no attempt follows.
pub(super) fn settlement(
    claim: &Claim,
    received: Received,
    budget: Budget,
    at: i64,
    last: bool,
) -> Settlement {
    let payload = received
        .payload
        .as_deref()
        .map(|body| pack(body, received.size_bytes));
    let end = match received.verdict {
        Verdict::Content(content) => End::Content {
            hash: content_hash(&content),
            content,
        },
        Verdict::NoData => End::NoData,
        Verdict::Rejected(reason) => End::Rejected(reason),
        Verdict::Refused(reason) | Verdict::Failed(reason) => End::Failed(reason),
        Verdict::Retry { reason, .. } if last => End::Failed(reason),
        Verdict::Retry { .. } => End::Retrying,
    };
    let attempt = AttemptFacts {
        state: received.state,
        http_status: received.http_status,
        api_code: received.api_code,
        message: received.message,
        request_id: received.request_id,
        latency_ms: received.latency_ms,
        error: received.error,
        charged: received.charged && received.state != AttemptState::NotSent,
        credits: budget.credits_per_request,
    };
    Settlement {
        claim: claim.clone(),
        at,
        attempt,
        payload,
        end,
    }
}

fn pack(body: &[u8], size_bytes: i64) -> Payload {
    // Compressing into memory does not fail; if it did, the bytes as they are would be readable too.
    let packed = zstd::bulk::compress(body, ZSTD_LEVEL).unwrap_or_else(|_| body.to_vec());
    Payload {
        hash: Sha256::digest(body).into(),
        body: packed,
        size_bytes,
    }
}
