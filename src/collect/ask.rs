//! The asking half of a pass: slots are claimed as places become free, and not before, so that what
//! is marked as sent is really on its way.

use std::collections::VecDeque;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;

use super::fetch::Ended;
use super::{Collector, Cut, Stop, Tally};
use crate::model::Claim;
use crate::store::StoreError;
use crate::store::claim::Claimed;
use crate::store::due::Due;
use crate::store::pauses::Pause;
use crate::store::settle::Settlement;

impl Collector {
    /// Asks for all of these slots and settles the answers. `None` when all were asked.
    pub(super) async fn ask_all(
        &self,
        page: Vec<Due>,
        stop: &Stop,
        tally: &Tally<'_>,
    ) -> Result<Option<Cut>, StoreError> {
        let (answers, inbox) = mpsc::channel(self.limits.max_in_flight);
        let asking = self.asking(page.into(), stop, answers, tally);
        let settling = self.settling(inbox, tally);
        let (asked, settled) = tokio::join!(asking, settling);
        settled?;
        asked
    }

    async fn asking(
        &self,
        mut queue: VecDeque<Due>,
        stop: &Stop,
        answers: mpsc::Sender<Settlement>,
        tally: &Tally<'_>,
    ) -> Result<Option<Cut>, StoreError> {
        let mut in_flight = FuturesUnordered::new();
        let mut claiming = FuturesUnordered::new(); // one at most
        let mut cut: Option<Cut> = None;
        let mut failed: Option<StoreError> = None;
        loop {
            if stop.requested() && cut.is_none() {
                cut = Some(Cut::Stopped);
            }
            let free = self.limits.max_in_flight.saturating_sub(in_flight.len());
            let goes_on = cut.is_none() && failed.is_none() && !answers.is_closed();
            let may_claim = goes_on && claiming.is_empty() && !queue.is_empty() && free > 0;
            if in_flight.is_empty() && claiming.is_empty() && !may_claim {
                return failed.map_or(Ok(cut), Err);
            }
            // No branch waits for the database: a fetch that is not polled meanwhile may be within
            // a transaction, and both would wait for each other.
            tokio::select! {
                // Answers first: a claim then serves all places that have become free.
                biased;
                Some(ended) = in_flight.next(), if !in_flight.is_empty() => match ended {
                    Ok(Ended::Refused(pause)) => cut = Some(Cut::Paused(pause)),
                    Ok(Ended::Answered | Ended::Unanswered) => {}
                    // What is on its way was paid for: it ends first.
                    Err(error) => failed = failed.or(Some(error)),
                },
                Some(claimed) = claiming.next(), if !claiming.is_empty() => match claimed {
                    Ok(Claimed::Yes(claims)) => {
                        for claim in claims {
                            in_flight.push(self.fetch(claim, &answers, stop, tally));
                        }
                    }
                    Ok(Claimed::OverBudget) => cut = cut.or(Some(Cut::Budget)),
                    Ok(Claimed::Paused(pause)) => cut = cut.or(Some(Cut::Paused(Some(pause)))),
                    Err(error) => failed = failed.or(Some(error)),
                },
                () = self.pace.ready(), if may_claim => {
                    let places = 1 + self.pace.try_more(free.min(queue.len()) - 1);
                    let next: Vec<Due> = queue.drain(..places).collect();
                    claiming.push(self.claim_next(next));
                }
            }
        }
    }

    async fn claim_next(&self, next: Vec<Due>) -> Result<Claimed, StoreError> {
        let now = self.clock.now();
        self.store.claim(self.claimer(), &next, false, now).await
    }

    /// Tries out with one request whether a pause may end, on another target than the one that was
    /// refused if there is another. `None`: it may, and has.
    pub(super) async fn probe(
        &self,
        page: &[Due],
        pause: &Pause,
        tally: &Tally<'_>,
    ) -> Result<Option<Cut>, StoreError> {
        let other = page
            .iter()
            .find(|due| Some(due.target_id) != pause.target_id)
            .or(page.first());
        let Some(due) = other else { return Ok(None) };
        let claimed = self
            .store
            .claim(self.claimer(), std::slice::from_ref(due), true, self.clock.now())
            .await?;
        let claim: Option<Claim> = match claimed {
            Claimed::OverBudget => return Ok(Some(Cut::Budget)),
            Claimed::Paused(pause) => return Ok(Some(Cut::Paused(Some(pause)))),
            Claimed::Yes(claims) => claims.into_iter().next(),
        };
        let Some(claim) = claim else {
            // Another worker has it, and finds out.
            return self.still_paused().await;
        };
        let (_unused, never) = Stop::new();
        let (answers, inbox) = mpsc::channel(1);
        let asking = async {
            let ended = self.fetch(claim, &answers, &never, tally).await;
            drop(answers);
            ended
        };
        let (ended, settled) = tokio::join!(asking, self.settling(inbox, tally));
        settled?;
        match ended? {
            Ended::Answered => {
                self.store.resume(&self.key_fingerprint).await?;
                tracing::info!("the key works again: asking goes on");
                Ok(None)
            }
            Ended::Unanswered => self.still_paused().await,
            Ended::Refused(pause) => Ok(Some(Cut::Paused(pause))),
        }
    }
    async fn still_paused(&self) -> Result<Option<Cut>, StoreError> {
        let pause = self.store.pause_of(&self.key_fingerprint).await?;
        Ok(pause.map(|pause| Cut::Paused(Some(pause))))
    }
}
