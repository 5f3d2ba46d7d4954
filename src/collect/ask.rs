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
        let mut stopping = stop.clone();
        let mut cut: Option<Cut> = None;
        loop {
            if stop.requested() && cut.is_none() {
                cut = Some(Cut::Stopped);
            }
            let free = self.limits.max_in_flight.saturating_sub(in_flight.len());
            let may_claim = cut.is_none() && !queue.is_empty() && free > 0 && !answers.is_closed();
            if in_flight.is_empty() && !may_claim {
                return Ok(cut);
            }
            tokio::select! {
                // Answers first: a claim then serves all places that have become free.
                biased;
                Some(ended) = in_flight.next(), if !in_flight.is_empty() => {
                    if let Ended::Refused { reason, target_id } = ended? {
                        cut = Some(Cut::Paused(self.pause_key(reason, target_id).await?));
                    }
                }
                // The pace may be an hour's pause: nobody who stops waits for that.
                () = stopping.wait(), if may_claim => {}
                () = self.pace.ready(), if may_claim => {
                    let places = 1 + self.pace.try_more(free.min(queue.len()) - 1);
                    match self.claim_next(&mut queue, places).await? {
                        Claimed::Yes(claims) => {
                            for claim in claims {
                                in_flight.push(self.fetch(claim, &answers, stop, tally));
                            }
                        }
                        Claimed::OverBudget => cut = Some(Cut::Budget),
                        Claimed::Paused => cut = Some(Cut::Paused(self.store.pause_of(&self.key_fingerprint).await?)),
                    }
                }
            }
        }
    }

    /// Claims the next slots. What the budget does not pay for goes back to the front of the queue.
    async fn claim_next(&self, queue: &mut VecDeque<Due>, places: usize) -> Result<Claimed, StoreError> {
        let mut next: Vec<Due> = queue.drain(..places.min(queue.len())).collect();
        let claimed = self
            .store
            .claim(self.claimer(), &next, false, self.clock.now())
            .await?;
        if !matches!(claimed, Claimed::Yes(_)) {
            while let Some(due) = next.pop() {
                queue.push_front(due);
            }
        }
        Ok(claimed)
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
        let claim: Claim = match claimed {
            Claimed::OverBudget => return Ok(Some(Cut::Budget)),
            Claimed::Paused => return Ok(Some(Cut::Paused(Some(pause.clone())))),
            Claimed::Yes(claims) => match claims.into_iter().next() {
                Some(claim) => claim,
                // Another worker has it, and finds out.
                None => return Ok(Some(Cut::Paused(Some(pause.clone())))),
            },
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
            Ended::Unanswered => Ok(Some(Cut::Paused(Some(pause.clone())))),
            Ended::Refused { reason, target_id } => {
                Ok(Some(Cut::Paused(self.pause_key(reason, target_id).await?)))
            }
        }
    }
}
