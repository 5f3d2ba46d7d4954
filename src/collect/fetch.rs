//! One fetch: its attempts, until one of them ends it.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use super::plan::next_slot;
use super::read::Read;
use super::spooled::Answer;
use super::{Collector, Stop, Tally};
use crate::api::Verdict;
use crate::model::{Claim, Reason};
use crate::spool::Slot;
use crate::store::StoreError;
use crate::store::claim::Retry;
use crate::store::due::Due;
use crate::store::pauses::Pause;

/// The longest `Retry-After` that is waited for; beyond it the key is paused.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// How a fetch ended, as far as the pass is concerned.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The API answered, whatever it said.
    Answered,
    /// It did not.
    Unanswered,
    /// Asked to stop before the next attempt: the fetch stays open.
    Stopped,
    /// Nothing more is to be asked with this key: it is paused.
    Refused(Option<Pause>),
}

/// A slot that is ours to ask.
pub(super) struct Fetch {
    pub(super) claim: Claim,
    pub(super) due: Due,
    /// Where its answer waits if need be.
    pub(super) room: Slot,
}

/// What follows an answer, as far as its verdict tells.
#[derive(Clone, Copy)]
pub(super) enum Next {
    /// Another attempt, after a wait if one is named.
    Again(Reason, Option<Duration>),
    /// Nothing more with this key, for as long as is named at least.
    Refused(Reason, Duration),
    /// The fetch is at its end.
    End,
}

impl Next {
    pub(super) fn after<C>(verdict: &Verdict<C>) -> Self {
        match *verdict {
            Verdict::Refused(reason) => Self::Refused(reason, Duration::ZERO),
            Verdict::Retry {
                reason,
                after: Some(after),
            } if after > LONGEST_WAIT => Self::Refused(reason, after),
            Verdict::Retry { reason, after } => Self::Again(reason, after),
            _ => Self::End,
        }
    }
}

impl Collector {
    /// Sends the request of a claim, and again as often as is allowed. Once the target's next slot has
    /// come this one is not asked again: that one asks anew. The answer that ends it is given back to
    /// be settled.
    pub(super) async fn fetch(
        &self,
        fetch: Fetch,
        stop: &Stop,
        tally: &Tally<'_>,
    ) -> (Result<Ended, StoreError>, Option<Answer>) {
        let Fetch {
            mut claim,
            due,
            room: slot,
        } = fetch;
        let mut waits = waits();
        loop {
            let exchange = self.client.send(&claim.ask).await;
            let read = Read::beside(exchange, self.limits.budget).await;
            let next = read.next;
            self.keep_pace(next);
            let again = match next {
                Next::Again(reason, after) if claim.n < self.limits.attempts => {
                    let jittered = waits.next().unwrap_or_default().mul_f64(fastrand::f64());
                    let wait = after.unwrap_or(jittered).max(self.pace.pause_left());
                    self.before_next_slot(&due, wait).then_some((reason, wait))
                }
                _ => None,
            };
            let settlement = read.settlement(&claim, self.clock.now(), again.is_none());
            let Some((reason, wait)) = again else {
                let ended = self.ended(next, claim.target_id).await;
                return (ended, Some(Answer { settlement, slot }));
            };
            if let Err(error) = self.settle_batch(std::slice::from_ref(&settlement), tally).await {
                self.keep(vec![Answer { settlement, slot }]);
                return (Err(error), None);
            }
            if !self.wait_to_retry(wait, stop).await {
                return (Ok(Ended::Stopped), None);
            }
            match self.claim_again(&claim, &due, reason, tally).await {
                Ok(Some(next)) => claim = next,
                Ok(None) => return (Ok(Ended::Unanswered), None),
                Err(error) => return (Err(error), None),
            }
        }
    }

    /// What a last answer means for the pass. A refused key is paused first of all, so that no one
    /// else goes on asking.
    async fn ended(&self, next: Next, target_id: i64) -> Result<Ended, StoreError> {
        Ok(match next {
            Next::Refused(reason, least) => {
                Ended::Refused(self.pause_key(reason, Some(target_id), least).await?)
            }
            Next::Again(..) => Ended::Unanswered,
            Next::End => Ended::Answered,
        })
    }

    /// What an answer says of how fast the API wants to be asked.
    pub(super) fn keep_pace(&self, next: Next) {
        match next {
            Next::Again(Reason::RateLimited, after) => self.pace.refused(after.unwrap_or_default()),
            Next::Again(_, Some(after)) => self.pace.pause_for(after),
            Next::Again(_, None) | Next::Refused(..) => {}
            Next::End => self.pace.accepted(),
        }
    }

    /// Claims another attempt, or gives the fetch up for the reason of the last one.
    async fn claim_again(
        &self,
        claim: &Claim,
        due: &Due,
        reason: Reason,
        tally: &Tally<'_>,
    ) -> Result<Option<Claim>, StoreError> {
        // The wait may have been longer than was foreseen.
        if !self.before_next_slot(due, Duration::ZERO) {
            self.give_up(claim, reason, tally).await?;
            return Ok(None);
        }
        let forbidden = match self
            .store
            .claim_retry(self.claimer(), claim, self.clock.now())
            .await?
        {
            Retry::Yes(next) => return Ok(Some(next)),
            Retry::NotOurs => return Ok(None),
            Retry::OverBudget => Reason::Budget,
            Retry::Paused => reason,
        };
        self.give_up(claim, forbidden, tally).await?;
        Ok(None)
    }

    /// Whether the target's next slot is still to come after this wait.
    pub(super) fn before_next_slot(&self, due: &Due, wait: Duration) -> bool {
        let seconds = i64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(i64::MAX);
        let at = self.clock.now().saturating_add(seconds);
        next_slot(due).is_none_or(|next| at < next)
    }

    /// Waits: with full jitter, or as long as the API asked for. `false`: asked to stop meanwhile;
    /// the fetch stays open and is taken over at the next start.
    pub(super) async fn wait_to_retry(&self, wait: Duration, stop: &Stop) -> bool {
        let mut stop = stop.clone();
        let waiting = async {
            self.clock.sleep(wait).await;
            // When the API asks to be left alone, all requests wait, this one too.
            self.pace.ready().await;
        };
        tokio::select! {
            biased;
            () = stop.wait() => false,
            () = waiting => true,
        }
    }

    /// Leaves the key alone, for `least` or longer, and says once what to do about it.
    pub(super) async fn pause_key(
        &self,
        reason: Reason,
        target_id: Option<i64>,
        least: Duration,
    ) -> Result<Option<Pause>, StoreError> {
        let now = self.clock.now();
        let pause = self.limits.pause.max(least).as_secs();
        let until = now.saturating_add(i64::try_from(pause).unwrap_or(i64::MAX));
        self.store
            .pause(&self.key_fingerprint, reason, target_id, now, until)
            .await?;
        tracing::error!(
            reason = reason.as_str(),
            until = crate::clock::rfc3339(until),
            "the API refuses the key: nothing more is asked. {}",
            advice(reason.as_str())
        );
        self.store.pause_of(&self.key_fingerprint).await
    }
}

/// How long is waited before each further attempt, at most.
pub(super) fn waits() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_secs(1))
        .with_factor(2.0)
        .with_max_delay(Duration::from_secs(60))
        .without_max_times()
        .build()
}

/// What a person does about a key that is refused for this reason (a word of [`Reason`]).
pub fn advice(reason: &str) -> &'static str {
    match reason {
        "unauthorized" => "Put the right key in place (api.key_file); a daemon takes it on reload (SIGHUP).",
        "out_of_credits" => "Buy credits; asking goes on by itself.",
        "forbidden" => "See at the API's vendor what the key may do and its quota; asking goes on by itself.",
        _ => "Asking goes on by itself.",
    }
}
