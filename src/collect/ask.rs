//! A page of slots, asked: places are claimed as they become free, and not before, so that what is
//! marked as sent really is on its way; and answers are settled as many together as are waiting.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::fetch::{Ended, Fetch};
use super::spooled::Answer;
use super::{Collector, Cut, PassError, Stop, Tally, counts};
use crate::model::Claim;
use crate::spool::Slot;
use crate::store::due::Due;
use crate::store::pauses::Pause;
use crate::store::{StoreError, claim};

/// Places are claimed when this part of them is free: one transaction for several.
const CLAIM_PART: usize = 4;

/// Answers in one transaction.
const BATCH: usize = 256;

/// What came of claiming.
struct Claimed {
    /// Ours, each with room for its answer.
    fetches: Vec<Fetch>,
    /// Why nothing more may be claimed.
    cut: Option<Cut>,
}

/// What is written to the ledger. It is put together when a writer is free: what waits for one grows
/// into one larger transaction.
enum Write {
    Claim(Vec<Due>),
    Settle(Vec<Answer>),
}

/// What came of it.
enum Written {
    Claimed(Result<Claimed, PassError>),
    /// With the targets of the answers.
    Settled(Vec<i64>, Result<(), StoreError>),
}

/// Where a page stands.
struct Progress {
    /// Not claimed yet.
    queue: VecDeque<Due>,
    /// Slots are being claimed.
    claiming: bool,
    /// Not settled yet.
    answers: VecDeque<Answer>,
    /// The targets of which an answer is being settled.
    settling: HashSet<i64>,
    /// Why no more is to be claimed.
    end: Option<Result<Cut, PassError>>,
    /// The database has failed: what comes now goes to the spool.
    broken: bool,
}

impl Collector {
    /// Asks for all of these slots and settles the answers. `None` when all were asked. Whatever
    /// happens, the requests that are under way end and their answers are kept: they are paid for.
    pub(super) async fn ask_all(
        &self,
        page: Vec<Due>,
        stop: &Stop,
        tally: &Tally<'_>,
    ) -> Result<Option<Cut>, PassError> {
        let mut page = Progress {
            queue: page.into(),
            claiming: false,
            answers: VecDeque::new(),
            settling: HashSet::new(),
            end: None,
            broken: false,
        };
        let mut in_flight = FuturesUnordered::new();
        // At most one of each.
        let mut writing = FuturesUnordered::new();
        let mut pacing = FuturesUnordered::new();
        let mut permitted = false;
        let mut stopping = stop.clone();
        loop {
            if stop.requested() && !page.queue.is_empty() {
                page.end_with(Ok(Cut::Stopped));
            }
            if page.broken {
                self.keep(page.answers.drain(..).collect());
            }
            let free = self.limits.max_in_flight.saturating_sub(in_flight.len());
            let open = page.end.is_none() && !page.queue.is_empty();
            let claimable = open && !page.claiming && page.has_room(free, self.limits.max_in_flight);
            if claimable && !permitted && pacing.is_empty() {
                pacing.push(self.pace.ready());
            }
            // A permit does not outlast a pause that the API has asked for meanwhile.
            permitted &= self.pace.pause_left().is_zero();
            if claimable && permitted && writing.len() < self.store.writers() {
                permitted = false;
                let slots = 1 + self.pace.try_more(free.min(page.queue.len()) - 1);
                let due = self.not_outlived(page.take(slots));
                if due.is_empty() {
                    continue;
                }
                page.claiming = true;
                writing.push(self.write(Write::Claim(due), tally));
            }
            if writing.len() < self.store.writers() {
                // Beside another transaction only if it is worth its while.
                let beside = self.limits.max_in_flight.div_ceil(2);
                let least = if writing.is_empty() { 1 } else { beside };
                let batch = page.batch(least);
                if !batch.is_empty() {
                    writing.push(self.write(Write::Settle(batch), tally));
                }
            }
            counts::in_flight(in_flight.len());
            if in_flight.is_empty() && writing.is_empty() && !open {
                return page.end.transpose();
            }
            // No handler waits for the database: a fetch that is not polled meanwhile may be within a
            // transaction, and both would wait for each other.
            tokio::select! {
                // Answers first: what is written then serves all of them.
                biased;
                Some((ended, answer)) = in_flight.next(), if !in_flight.is_empty() => {
                    page.answers.extend(answer);
                    page.fetched(ended);
                }
                Some(written) = writing.next(), if !writing.is_empty() => {
                    let fetches = page.written(written).into_iter();
                    in_flight.extend(fetches.map(|fetch| self.fetch(fetch, stop, tally)));
                }
                Some(()) = pacing.next(), if !pacing.is_empty() => permitted = true,
                () = stopping.wait(), if open => {}
            }
        }
    }

    /// Without the slots whose next one has come since they were read, e.g. while the API wanted to be left
    /// alone: the next pass asks that one, and notes these as missed.
    fn not_outlived(&self, mut due: Vec<Due>) -> Vec<Due> {
        let mut known = HashMap::new();
        due.retain(|due| {
            let slot = (due.schedule.clone(), due.time_zone.clone(), due.slot_at);
            let is_newest = known.entry(slot);
            due.forced || *is_newest.or_insert_with(|| self.before_next_slot(due, Duration::ZERO))
        });
        due
    }

    async fn write(&self, write: Write, tally: &Tally<'_>) -> Written {
        match write {
            Write::Claim(due) => Written::Claimed(self.claim(&due, false).await),
            Write::Settle(answers) => {
                let targets = answers.iter().map(Answer::target_id).collect();
                Written::Settled(targets, self.settle_answers(answers, tally).await)
            }
        }
    }

    /// Waits until the pace lets a request through. `false`: asked to stop meanwhile.
    pub(super) async fn ready(&self, stop: &Stop) -> bool {
        let mut stop = stop.clone();
        tokio::select! {
            // Also where a request could be sent at once.
            biased;
            () = stop.wait() => false,
            () = self.pace.ready() => true,
        }
    }

    /// Claims these slots, with room for each answer, or says why none may be claimed. What is not
    /// claimed stays due.
    async fn claim(&self, due: &[Due], probe: bool) -> Result<Claimed, PassError> {
        let slots: Result<Vec<Slot>, _> = due.iter().map(|_| self.spool.reserve()).collect();
        let mut slots = slots.map_err(|error| self.no_room(error))?;
        let began = self.clock.monotonic();
        let claimed = self.store.claim(self.claimer(), due, probe, self.clock.now());
        let claimed = claimed.await?;
        counts::claimed_in(self.clock.monotonic().saturating_sub(began));
        let (claims, cut) = match claimed {
            claim::Claimed::Yes(claims) => (claims, None),
            claim::Claimed::OverBudget => (Vec::new(), Some(Cut::Budget)),
            claim::Claimed::Paused(pause) => (Vec::new(), Some(Cut::Paused(Some(pause)))),
        };
        let unused = slots.split_off(claims.len().min(slots.len()));
        unused.into_iter().for_each(|slot| self.spool.release(slot));
        Ok(Claimed {
            fetches: fetches(claims, due, slots),
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
        let Claimed { fetches, cut } = self.claim(std::slice::from_ref(due), true).await?;
        let Some(fetch) = fetches.into_iter().next() else {
            // Without a claim another worker has it, and finds out.
            return match cut {
                Some(cut) => Ok(Some(cut)),
                None => self.still_paused().await,
            };
        };
        let (ended, answer) = self.fetch(fetch, stop, tally).await;
        self.settle_answers(answer.into_iter().collect(), tally).await?;
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

impl Progress {
    /// Whether more may be claimed: enough places are free, and the database keeps up.
    fn has_room(&self, free: usize, places: usize) -> bool {
        free >= places.div_ceil(CLAIM_PART) && self.answers.len() <= places
    }

    fn take(&mut self, slots: usize) -> Vec<Due> {
        self.queue.drain(..slots).collect()
    }

    /// The answers to settle together, if there are that many. A target's second answer is compared with
    /// the first, so that one has to be in before.
    fn batch(&mut self, least: usize) -> Vec<Answer> {
        if self.answers.len() < least {
            return Vec::new();
        }
        let (batch, later) = std::mem::take(&mut self.answers)
            .into_iter()
            .partition(|answer: &Answer| {
                self.settling.len() < BATCH && self.settling.insert(answer.target_id())
            });
        self.answers = later;
        Vec::from(batch)
    }

    /// The first reason stays, but a failure is told in any case.
    fn end_with(&mut self, end: Result<Cut, PassError>) {
        if self.end.is_none() || end.is_err() && matches!(self.end, Some(Ok(_))) {
            self.end = Some(end);
        }
    }

    fn fetched(&mut self, ended: Result<Ended, StoreError>) {
        match ended {
            Ok(Ended::Answered | Ended::Unanswered) => {}
            Ok(Ended::Refused(pause)) => self.end_with(Ok(Cut::Paused(pause))),
            Ok(Ended::Stopped) => self.end_with(Ok(Cut::Stopped)),
            Err(error) => self.end_with(Err(error.into())),
        }
    }

    /// Notes what came of writing, and gives what is to be asked now.
    fn written(&mut self, written: Written) -> Vec<Fetch> {
        match &written {
            Written::Claimed(_) => self.claiming = false,
            Written::Settled(targets, _) => targets.iter().for_each(|target| {
                self.settling.remove(target);
            }),
        }
        match written {
            Written::Claimed(Ok(Claimed { fetches, cut })) => {
                if let Some(cut) = cut {
                    self.end_with(Ok(cut));
                }
                return fetches;
            }
            Written::Claimed(Err(error)) => self.end_with(Err(error)),
            Written::Settled(_, Ok(())) => {}
            Written::Settled(_, Err(error)) => {
                self.broken = true;
                self.end_with(Err(error.into()));
            }
        }
        Vec::new()
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
