//! Settling: answers become rows, and people are told what came of them.

use std::sync::PoisonError;

use super::spooled::Answer;
use super::{Collector, Tally, counts};
use crate::model::{Claim, Outcome, Reason};
use crate::spool::Slot;
use crate::store::StoreError;
use crate::store::settle::{End, Settlement};

impl Collector {
    /// Settles answers in one transaction and gives their room back, or keeps them in it when the
    /// database fails.
    pub(super) async fn settle_answers(
        &self,
        answers: Vec<Answer>,
        tally: &Tally<'_>,
    ) -> Result<(), StoreError> {
        let (settlements, slots): (Vec<Settlement>, Vec<Slot>) = answers
            .into_iter()
            .map(|answer| (answer.settlement, answer.slot))
            .unzip();
        let settled = self.settle_batch(&settlements, tally).await;
        if settled.is_ok() {
            slots.into_iter().for_each(|slot| self.spool.release(slot));
        } else {
            let answers = settlements.into_iter().zip(slots);
            self.keep(
                answers
                    .map(|(settlement, slot)| Answer { settlement, slot })
                    .collect(),
            );
        }
        settled
    }

    pub(super) async fn settle_batch(
        &self,
        batch: &[Settlement],
        tally: &Tally<'_>,
    ) -> Result<(), StoreError> {
        let began = self.clock.monotonic();
        let settled = self.store.settle(batch).await?;
        counts::settled_in(self.clock.monotonic().saturating_sub(began));
        self.news.settled(batch.len());
        for (settlement, settled) in batch.iter().zip(settled) {
            let attempt = &settlement.attempt;
            tally.attempted(attempt);
            counts::attempted(attempt);
            self.tell_unknown_fields(settlement);
            let Some((outcome, reason)) = settled else {
                continue;
            };
            tally.settled(outcome, reason, 1);
            let target = &settlement.claim.ask;
            let slot = crate::clock::rfc3339(settlement.claim.slot_at);
            if let Some(reason) = reason {
                tracing::warn!(
                    %target,
                    slot,
                    outcome = outcome.as_str(),
                    reason = reason.as_str(),
                    http_status = attempt.http_status,
                    error = attempt.error.as_deref(),
                    "fetch settled"
                );
            } else {
                tracing::debug!(%target, slot, outcome = outcome.as_str(), "fetch settled");
            }
        }
        Ok(())
    }

    /// Logs each field that the API page does not name, once.
    fn tell_unknown_fields(&self, settlement: &Settlement) {
        let End::Content { content, .. } = &settlement.end else {
            return;
        };
        for path in content.extra.keys() {
            let mut told = self.told_fields.lock().unwrap_or_else(PoisonError::into_inner);
            // A service that invents names without end must not fill the memory.
            if told.len() < 1_000 && told.insert(path.clone()) {
                tracing::warn!(
                    field = path,
                    "answers have a field that is not known: it is kept in snapshots.extra"
                );
            }
        }
    }

    /// Ends a fetch whose next attempt may not be made.
    pub(super) async fn give_up(
        &self,
        claim: &Claim,
        reason: Reason,
        tally: &Tally<'_>,
    ) -> Result<(), StoreError> {
        self.store
            .give_up(&self.worker.id, claim.fetch_id, reason, self.clock.now())
            .await?;
        tally.settled(Outcome::Failed, Some(reason), 1);
        tracing::warn!(
            target = %claim.ask,
            slot = crate::clock::rfc3339(claim.slot_at),
            outcome = Outcome::Failed.as_str(),
            reason = reason.as_str(),
            "fetch settled"
        );
        Ok(())
    }
}
