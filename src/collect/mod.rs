//! One pass: what is due is claimed, asked, settled and reported. No loop over time and no sleep
//! but that between two attempts; `service/` decides when a pass is made.
//!
//! [`ask`] is its heart: slots are claimed, at most `max_in_flight` requests are under way ([`fetch`]),
//! and about as many answers wait until they are settled ([`settle`]), so that memory is bounded and
//! one commit serves all that wait.

mod ask;
mod charts;
mod content;
mod counts;
mod fetch;
pub mod index;
mod pack;
mod plan;
mod read;
pub mod reparse;
mod settle;
mod signs;
mod spooled;
pub mod targets;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join;
use tokio::sync::watch;

use crate::api::Client;
use crate::api::pace::Pace;
use crate::clock::Clock;
use crate::config::Budget;
use crate::model::{AttemptState, Outcome, Reason};
use crate::spool::Spool;
use crate::store::charts::ChartSettlement;
use crate::store::claim::Claimer;
use crate::store::due::{Due, Scope};
use crate::store::pauses::Pause;
use crate::store::settle::{AttemptFacts, Settlement};
use crate::store::workers::Worker;
use crate::store::{Store, StoreError};

pub use charts::{ChartsRead, pages_of};
pub use content::content_hash;
pub use fetch::advice;
use index::News;
pub use plan::newest_slots;
pub use signs::SignsOfLife;
pub use spooled::settlement_of;

/// The most slots read at once: bounds the memory of a pass over any number of targets.
const PAGE: i64 = 10_000;

/// A slot is not missed because a tick came late (seconds).
const GRACE: i64 = 60;

/// What a pass is told by the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests under way at once.
    pub max_in_flight: usize,
    /// Requests for one slot, the first included.
    pub attempts: i64,
    /// How long a key is left alone that was refused.
    pub pause: Duration,
    /// How old the newest slot may be and still be asked, after a downtime.
    pub catch_up: Duration,
    /// What may be spent.
    pub budget: Budget,
}

impl Limits {
    /// The oldest slot that is still asked at `now` (unix seconds).
    pub fn catch_up_from(&self, now: i64) -> i64 {
        catch_up_from(self.catch_up, now)
    }
}

/// The oldest slot that is still asked at `now` (unix seconds) with this `schedule.catch_up`.
pub fn catch_up_from(catch_up: Duration, now: i64) -> i64 {
    let catch_up = i64::try_from(catch_up.as_secs()).unwrap_or(i64::MAX);
    now.saturating_sub(catch_up.max(GRACE))
}

/// Everything that a pass needs.
pub struct Collector {
    /// Where it is kept.
    pub store: Store,
    /// The API.
    pub client: Client,
    /// The key's pace.
    pub pace: Pace,
    /// The time.
    pub clock: Clock,
    /// The limits.
    pub limits: Limits,
    /// Who we are.
    pub worker: Worker,
    /// Which key it is.
    pub key_fingerprint: String,
    /// This worker's signs of life.
    pub signs: Mutex<SignsOfLife>,
    /// Room for answers that the database does not take.
    pub spool: Spool,
    /// Answers that neither the database nor the spool took.
    pub stranded: Mutex<Vec<Settlement>>,
    /// The same of charts.
    pub stranded_pages: Mutex<Vec<ChartSettlement>>,
    /// Unknown fields that have been logged, each once.
    pub told_fields: Mutex<BTreeSet<String>>,
    /// For who computes the index beside the pass.
    pub news: News,
}

/// Which slots a pass is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Whatever is due.
    Due,
    /// What was handed over for this minute (unix seconds).
    Forced(i64),
}

/// A request to stop: what is in flight ends, nothing new is begun.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// A stop and the sender that requests it with `true`.
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Whether it was requested.
    pub fn requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is requested.
    pub async fn wait(&mut self) {
        // A sender that is gone cannot request anything any more.
        if self.0.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Does something under a stop of its own, which comes with this one, or as soon as `early` is done.
    /// What has been begun ends all the same.
    pub async fn or_when<T>(&self, early: impl Future<Output = ()>, work: impl AsyncFnOnce(Stop) -> T) -> T {
        let (sender, either) = Self::new();
        let mut stop = self.clone();
        let mut work = pin!(work(either));
        tokio::select! {
            done = &mut work => return done,
            () = early => {}
            () = stop.wait() => {}
        }
        // Without a receiver nobody is left who would have to stop.
        let _ = sender.send(true);
        work.await
    }
}

/// What happens during a pass, for progress and logs.
#[derive(Clone, Debug)]
pub enum Event {
    /// So many more slots are to be asked.
    Found(usize),
    /// So many fetches have been settled.
    Settled(Outcome, u64),
}

/// Who wants to know.
pub type Observe<'a> = &'a (dyn Fn(Event) + Sync);

/// Why a pass could not go on.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The database failed. Answers that had come are in the spool and are settled first next time.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// There is no room for answers, so nothing is asked.
    #[error(
        "no room for answers in the spool ({cause}), so nothing is asked\n  help: free disk space, or set state.dir to a folder that this user can write to"
    )]
    NoRoom {
        /// Why not.
        cause: io::Error,
    },
}

/// Why a pass ended before everything due was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The budget pays for no further request.
    Budget,
    /// The key is paused.
    Paused(Option<Pause>),
    /// It was asked to stop.
    Stopped,
}

/// What a pass came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Fetches settled, by outcome.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Credits counted as spent by its attempts.
    pub credits: i64,
    /// Requests sent.
    pub requests: u64,
    /// Why it ended early, if it did.
    pub cut: Option<Cut>,
    /// More is due, for another pass.
    pub more: bool,
}

impl Report {
    /// Adds what a later pass came to.
    pub fn add(&mut self, later: Report) {
        for (outcome, fetches) in later.outcomes {
            *self.outcomes.entry(outcome).or_default() += fetches;
        }
        self.credits += later.credits;
        self.requests += later.requests;
        self.cut = later.cut;
        self.more = later.more;
    }

    /// All fetches that were settled.
    pub fn settled(&self) -> u64 {
        self.outcomes.values().sum()
    }
}

/// What the parts of a pass add up, and tell whoever watches.
struct Tally<'a> {
    report: Mutex<Report>,
    observe: Observe<'a>,
}

impl Tally<'_> {
    fn edit(&self, edit: impl FnOnce(&mut Report)) {
        edit(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn all_settled(&self) -> u64 {
        let report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.settled()
    }

    fn found(&self, slots: usize) {
        (self.observe)(Event::Found(slots));
    }

    fn settled(&self, outcome: Outcome, reason: Option<Reason>, fetches: u64) {
        counts::settled(outcome, reason, fetches);
        self.edit(|report| *report.outcomes.entry(outcome).or_default() += fetches);
        (self.observe)(Event::Settled(outcome, fetches));
    }

    fn attempted(&self, attempt: &AttemptFacts) {
        self.edit(|report| {
            report.requests += u64::from(attempt.state != AttemptState::NotSent);
            report.credits += if attempt.charged { attempt.credits } else { 0 };
        });
    }
}

impl Collector {
    /// Makes a pass over what is due now, or over as much of it as takes about a minute: what the
    /// report calls `more` is for the next one, so that a long pass misses neither new slots nor an
    /// edited watchlist.
    ///
    /// # Errors
    /// When the database fails or there is no room for answers. What was settled until then stays
    /// settled, what had come is in the spool, and the next pass begins with it.
    pub async fn pass(&self, wanted: Wanted, stop: &Stop, observe: Observe<'_>) -> Result<Report, PassError> {
        let tally = Tally {
            report: Mutex::default(),
            observe,
        };
        self.recover(&tally).await?;
        let slots = self.prepare(self.clock.now(), &tally).await?;
        let scope = match wanted {
            Wanted::Due => Scope::Scheduled(&slots),
            Wanted::Forced(minute) => Scope::Forced(minute),
        };
        let page = self.page(scope, true).await?;
        let found = u64::try_from(page.len()).unwrap_or(u64::MAX);
        let full = i64::try_from(found) == Ok(self.page_size());
        let settled_before = tally.all_settled();
        let (cut, probed) = self.ask_page(page, stop, &tally).await?;
        if let Some(cut) = &cut {
            self.skip_rest(scope, cut, &tally).await?;
        }
        let settled = tally.all_settled() - settled_before;
        let mut report = tally.report.into_inner().unwrap_or_else(PoisonError::into_inner);
        // What the budget did not pay for gets its reason in the next pass; slots that others hold are
        // no reason to look again at once.
        let left = full || settled < found;
        report.more = cut.is_none() && (probed || left && report.requests > 0);
        report.cut = cut;
        Ok(report)
    }

    /// A pass with the index beside it: what has been settled is indexed while the rest is asked, so that
    /// the index never holds up a request. Both are polled together, so neither can wait for the other
    /// with a transaction open.
    pub async fn pass_and_index(
        &self,
        wanted: Wanted,
        stop: &Stop,
        observe: Observe<'_>,
    ) -> Result<Report, PassError> {
        let over = Cell::new(false);
        let pass = async {
            let report = self.pass(wanted, stop, observe).await;
            over.set(true);
            self.news.look();
            report
        };
        let index = async {
            let mut possible = true;
            while possible && !over.get() {
                self.news.enough().await;
                if !over.get() {
                    self.news.looked_at();
                    possible = self.index(index::SMALL, &|| !over.get()).await;
                }
            }
        };
        join(pass, index).await.0
    }

    /// Asks for what is due, or probes whether a pause may end; tells also which of both.
    async fn ask_page(
        &self,
        page: Vec<Due>,
        stop: &Stop,
        tally: &Tally<'_>,
    ) -> Result<(Option<Cut>, bool), PassError> {
        if stop.requested() {
            return Ok((Some(Cut::Stopped), false));
        }
        if page.is_empty() {
            return Ok((None, false));
        }
        let now = self.clock.now();
        match self.barred(now).await? {
            Some(Cut::Paused(Some(pause))) if pause.until <= now => {
                tally.found(1);
                Ok((self.probe(&page, &pause, stop, tally).await?, true))
            }
            Some(cut) => Ok((Some(cut), false)),
            None => {
                tally.found(page.len());
                Ok((self.ask_all(page, stop, tally).await?, false))
            }
        }
    }

    /// Slots read at once: about a minute's worth of requests.
    fn page_size(&self) -> i64 {
        ((self.pace.rate() * 60.0) as i64).clamp(100, PAGE)
    }

    /// What is due; `again` with what was skipped and can be asked when its cause is gone.
    async fn page(&self, scope: Scope<'_>, again: bool) -> Result<Vec<Due>, StoreError> {
        let catch_up_from = self.limits.catch_up_from(self.clock.now());
        self.store
            .due(scope, catch_up_from, again, self.page_size())
            .await
    }

    /// Why nothing may be asked now, if so.
    async fn barred(&self, now: i64) -> Result<Option<Cut>, StoreError> {
        if let Some(pause) = self.store.pause_of(&self.key_fingerprint).await? {
            return Ok(Some(Cut::Paused(Some(pause))));
        }
        let spent = self.store.spent(now).await?;
        Ok((spent.requests_left(self.limits.budget) == 0).then_some(Cut::Budget))
    }

    /// Records everything that is still due and will not be asked, so that gaps have a reason.
    async fn skip_rest(&self, scope: Scope<'_>, cut: &Cut, tally: &Tally<'_>) -> Result<(), StoreError> {
        let reason = match cut {
            Cut::Budget => Reason::Budget,
            Cut::Paused(_) => Reason::Paused,
            Cut::Stopped => return Ok(()),
        };
        loop {
            let page = self.page(scope, false).await?;
            if page.is_empty() {
                return Ok(());
            }
            let skipped = self
                .store
                .skip(&self.worker.id, &page, reason, self.clock.now())
                .await?;
            if skipped == 0 {
                return Ok(());
            }
            tally.settled(Outcome::Skipped, Some(reason), skipped);
        }
    }

    fn stranded(&self) -> MutexGuard<'_, Vec<Settlement>> {
        self.stranded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn no_room(&self, cause: io::Error) -> PassError {
        PassError::NoRoom { cause }
    }

    fn claimer(&self) -> Claimer<'_> {
        Claimer {
            worker: &self.worker.id,
            key_fingerprint: &self.key_fingerprint,
            budget: self.limits.budget,
        }
    }
}
