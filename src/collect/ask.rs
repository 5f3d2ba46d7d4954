//! The asking half of a pass: slots are claimed as places become free, and not before, so that what
//! is marked as sent is really on its way.

use std::collections::VecDeque;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;

use super::fetch::{Ended, Fetch};
use super::spooled::Answer;
use super::{Collector, Cut, PassError, Stop, Tally};
use crate::model::Claim;
use crate::spool::Slot;
use crate::store::claim;
use crate::store::due::Due;
use crate::store::pauses::Pause;

/// Places are claimed when this part of them is free: one transaction for several.
const CLAIM_PART: usize = 4;

/// What came of claiming.
struct Claimed {
    /// Ours, each with room for its answer.
    fetches: Vec<Fetch>,
    /// Not tried, because the pace did not let them through.
    later: Vec<Due>,
    /// Why nothing more may be claimed.
    cut: Option<Cut>,
}

impl Collector {
    /// Asks for all of these slots and settles the answers. `None` when all were asked.
    pub(super) async fn ask_all(
        &self,
        page: Vec<Due>,
        stop: &Stop,
        tally: &Tally<'_>,
    ) -> Result<Option<Cut>, PassError> {
        let (answers, inbox) = mpsc::channel(self.limits.max_in_flight);
        let asking = self.asking(page.into(), stop, answers, tally);
        let settling = self.settling(inbox, tally);
        let (asked, settled) = tokio::join!(asking, settling);
        settled?;
        asked
    }

    /// Asks until nothing is left to ask or something forbids it. Whatever happens, the requests that
    /// are under way end and their answers are handed on: they are paid for.
    async fn asking(
        &self,
        mut queue: VecDeque<Due>,
        stop: &Stop,
        answers: mpsc::Sender<Answer>,
        tally: &Tally<'_>,
    ) -> Result<Option<Cut>, PassError> {
        let mut in_flight = FuturesUnordered::new();
        // At most one: answers are read while the database writes the next claims.
        let mut claiming = FuturesUnordered::new();
        let mut end: Option<Result<Cut, PassError>> = None;
        loop {
            if stop.requested() && end.is_none() && !queue.is_empty() {
                end = Some(Ok(Cut::Stopped));
            }
            let free = self.limits.max_in_flight.saturating_sub(in_flight.len());
            let open = end.is_none() && !tally.is_broken() && !queue.is_empty();
            let enough = free >= self.limits.max_in_flight.div_ceil(CLAIM_PART);
            if open && enough && claiming.is_empty() {
                claiming.push(self.claim_next(queue.drain(..free.min(queue.len())).collect(), stop));
            }
            if in_flight.is_empty() && claiming.is_empty() {
                return end.transpose();
            }
            // No branch waits for the database: a fetch that is not polled meanwhile may be within a
            // transaction, and both would wait for each other.
            tokio::select! {
                // Answers first: a claim then serves all places that have become free.
                biased;
                Some(ended) = in_flight.next(), if !in_flight.is_empty() => match ended {
                    Ok(Ended::Refused(pause)) => end = end.or(Some(Ok(Cut::Paused(pause)))),
                    Ok(Ended::Stopped) => end = end.or(Some(Ok(Cut::Stopped))),
                    Ok(Ended::Answered | Ended::Unanswered) => {}
                    Err(error) => end = end.or(Some(Err(PassError::Store(error)))),
                },
                Some(claimed) = claiming.next(), if !claiming.is_empty() => match claimed {
                    Ok(claimed) => {
                        let fetches = claimed.fetches.into_iter();
                        in_flight.extend(fetches.map(|fetch| self.fetch(fetch, &answers, stop, tally)));
                        claimed.later.into_iter().rev().for_each(|due| queue.push_front(due));
                        end = end.or(claimed.cut.map(Ok));
                    }
                    Err(error) => end = end.or(Some(Err(error))),
                },
            }
        }
    }

    /// Claims as many of these slots as the pace lets through now.
    async fn claim_next(&self, mut due: Vec<Due>, stop: &Stop) -> Result<Claimed, PassError> {
        if !self.ready(stop).await {
            return Ok(Claimed {
                fetches: Vec::new(),
                later: due,
                cut: Some(Cut::Stopped),
            });
        }
        let later = due.split_off(1 + self.pace.try_more(due.len().saturating_sub(1)));
        Ok(Claimed {
            later,
            ..self.claim(&due, false).await?
        })
    }

    /// Waits until the pace lets a request through. `false`: asked to stop meanwhile.
    async fn ready(&self, stop: &Stop) -> bool {
        let mut stop = stop.clone();
        tokio::select! {
            () = self.pace.ready() => true,
            () = stop.wait() => false,
        }
    }

    /// Claims these slots, with room for each answer, or says why none may be claimed. What is not
    /// claimed stays due.
    async fn claim(&self, due: &[Due], probe: bool) -> Result<Claimed, PassError> {
        let slots: Result<Vec<Slot>, _> = due.iter().map(|_| self.spool.reserve()).collect();
        let mut slots = slots.map_err(|error| self.no_room(error))?;
        let (claims, cut) = match self
            .store
            .claim(self.claimer(), due, probe, self.clock.now())
            .await?
        {
            claim::Claimed::Yes(claims) => (claims, None),
            claim::Claimed::OverBudget => (Vec::new(), Some(Cut::Budget)),
            claim::Claimed::Paused(pause) => (Vec::new(), Some(Cut::Paused(Some(pause)))),
        };
        let unused = slots.split_off(claims.len().min(slots.len()));
        unused.into_iter().for_each(|slot| self.spool.release(slot));
        Ok(Claimed {
            fetches: fetches(claims, due, slots),
            later: Vec::new(),
            cut,
        })
    }

    /// Tries out with one request whether a pause may end, on another target than the one that was
    /// refused if there is another. `None`: it may, and has.
    pub(super) async fn probe(
        &self,
        page: &[Due],
        pause: &Pause,
        stop: &Stop,
        tally: &Tally<'_>,
    ) -> Result<Option<Cut>, PassError> {
        let other = page
            .iter()
            .find(|due| Some(due.target_id) != pause.target_id)
            .or(page.first());
        let Some(due) = other else { return Ok(None) };
        if !self.ready(stop).await {
            return Ok(Some(Cut::Stopped));
        }
        let Claimed { fetches, cut, .. } = self.claim(std::slice::from_ref(due), true).await?;
        let Some(fetch) = fetches.into_iter().next() else {
            // Without a claim another worker has it, and finds out.
            return match cut {
                Some(cut) => Ok(Some(cut)),
                None => self.still_paused().await,
            };
        };
        let (answers, inbox) = mpsc::channel(1);
        let asking = async {
            let ended = self.fetch(fetch, &answers, stop, tally).await;
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
            Ended::Stopped => Ok(Some(Cut::Stopped)),
            Ended::Unanswered => self.still_paused().await,
            Ended::Refused(pause) => Ok(Some(Cut::Paused(pause))),
        }
    }

    async fn still_paused(&self) -> Result<Option<Cut>, PassError> {
        let pause = self.store.pause_of(&self.key_fingerprint).await?;
        Ok(pause.map(|pause| Cut::Paused(Some(pause))))
    }
}

/// Claims with the slots that they are of, each with room for its answer.
fn fetches(claims: Vec<Claim>, due: &[Due], rooms: Vec<Slot>) -> Vec<Fetch> {
    let of = |claim: &Claim| {
        due.iter()
            .find(|due| (due.target_id, due.slot_at) == (claim.target_id, claim.slot_at))
    };
    let both = claims.into_iter().zip(rooms);
    both.filter_map(|(claim, room)| {
        let due = of(&claim)?.clone();
        Some(Fetch { claim, due, room })
    })
    .collect()
}
