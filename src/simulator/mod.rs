//! The API, pretended: to rehearse a configuration for no credits, for the demo and for tests.
//!
//! [`world::Truth`] knows how popular every sound is, [`window()`] shows it as the API would,
//! `answer` puts it into the recorded JSON, `spoil` gives it a fault, [`serve`] sends it.

mod answer;
mod chart;
mod counts;
mod dice;
mod edit;
mod fault;
mod faults;
mod log;
mod server;
mod spoil;
mod window;
mod words;
pub mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use secrecy::SecretString;

use self::answer::Moment;
use self::world::{Shape, Truth};
use crate::clock::{Clock, DAY};
use crate::model::{ClipId, Region};

pub use counts::Counts;
pub use fault::explained as faults_explained;
pub use faults::Faults;
pub use log::RequestLog;
pub use server::{router, serve};
pub use window::window;

/// What a request costs, in credits.
const PRICE: i64 = 2;

/// Everything that a simulated API is made of.
#[derive(Clone, Debug)]
pub struct World {
    seed: u64,
    truth: Truth,
    key: SecretString,
    clock: Clock,
    began_at: i64,
    latency: Option<(Duration, Duration)>,
    faults: Faults,
    fault_seed: u64,
    counts: Arc<Counts>,
    balance: Option<Arc<AtomicI64>>,
    log: Option<Arc<RequestLog>>,
}

/// A sound that is worth watching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its ID.
    pub clip_id: ClipId,
    /// What it is called.
    pub title: String,
    /// How it lives in the US.
    pub shape: Shape,
}

impl World {
    /// A world that answers at once and without faults to those who have `key`.
    pub fn new(seed: u64, key: SecretString, clock: Clock) -> Self {
        Self {
            seed,
            truth: Truth::new(seed),
            key,
            began_at: clock.now(),
            clock,
            latency: None,
            faults: Faults::default(),
            fault_seed: seed,
            counts: Arc::default(),
            balance: None,
            log: None,
        }
    }

    /// The same world, taking its time for each answer. It is waited for with the clock.
    #[must_use]
    pub fn with_latency(mut self, from: Duration, to: Duration) -> Self {
        self.latency = Some((from, to.max(from)));
        self
    }

    /// The same world with faults.
    #[must_use]
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// The same world, in which other requests go wrong.
    #[must_use]
    pub fn with_fault_seed(mut self, seed: u64) -> Self {
        self.fault_seed = seed;
        self
    }

    /// The same world, which answers with 402 once so many credits are spent.
    #[must_use]
    pub fn with_credits(mut self, credits: i64) -> Self {
        self.balance = Some(Arc::new(AtomicI64::new(credits)));
        self
    }

    /// The same world, with a line for each request.
    #[must_use]
    pub fn with_log(mut self, log: RequestLog) -> Self {
        self.log = Some(Arc::new(log));
        self
    }

    /// Takes the price of a request from the balance; `false` when it is not enough.
    fn pay(&self) -> bool {
        let Some(balance) = &self.balance else {
            return true;
        };
        let rest = |credits: i64| Some(credits - PRICE).filter(|rest| *rest >= 0);
        balance
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, rest)
            .is_ok()
    }

    /// What it was asked; it counts on while the world is served.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// The hidden truth.
    pub fn truth(&self) -> Truth {
        self.truth
    }

    /// How popular a sound is on a day since 1970-01-01.
    pub fn popularity(&self, clip_id: &ClipId, region: Region, day: i64) -> f64 {
        self.truth.popularity(clip_id, region, day)
    }

    /// `n` sounds with a lively life: surges, launches of the weeks before this world began,
    /// weekends, decays. The first ones are the same for every `n`.
    pub fn sample_sounds(&self, n: usize) -> Vec<Sample> {
        (0_u64..).filter_map(|i| self.sample(i)).take(n).collect()
    }

    fn sample(&self, i: u64) -> Option<Sample> {
        let (shape, youngest, oldest) = match i % 4 {
            0 => (Shape::Revival, 200, 2_000),
            1 => (Shape::Launch, 2, 25),
            2 => (Shape::Weekly, 100, 2_000),
            _ => (Shape::Decay, 10, 120),
        };
        // One in ten has the shape at least, so the first of these that has it comes soon.
        let clip_id = (0..1_000)
            .filter_map(|attempt| self.born_before(youngest, oldest, &[self.seed, 50, i, attempt]))
            .find(|clip_id| self.truth.shape(clip_id, Region::US) == shape)?;
        Some(Sample {
            title: answer::title(self.moment(0).of(&clip_id)),
            clip_id,
            shape,
        })
    }

    /// The ID of a sound that was made so many days before this world began.
    fn born_before(&self, youngest: u32, oldest: u32, parts: &[u64]) -> Option<ClipId> {
        let days = dice::between(f64::from(youngest), f64::from(oldest), parts);
        #[allow(clippy::cast_possible_truncation, reason = "some years at most")]
        let born = self.began_at.div_euclid(DAY) * DAY - (days * 86_400.0) as i64;
        let id = (born.max(0).unsigned_abs() << 32) | (dice::hash(parts) >> 32);
        format!("{id:019}").parse().ok()
    }

    /// The request number `n`, now.
    fn moment(&self, n: u64) -> Moment<'_> {
        Moment {
            truth: &self.truth,
            seed: self.seed,
            now: self.clock.now(),
            n,
        }
    }
}
