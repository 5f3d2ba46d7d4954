//! How a year goes by: four looks a day, and now and then something happens.

use std::collections::HashMap;
use std::sync::Arc;

use fastrand::Rng;
use soundwatch::clock::Clock;
use soundwatch::collect::{Cut, PassError, Report, Stop, Wanted};
use soundwatch::model::TargetSpec;
use soundwatch::service::Session;
use soundwatch::simulator::World;
use tokio::task::JoinSet;

use crate::answer::{Meaning, Told};
use crate::common::Backend;
use crate::common::ledger::{DAY, HOUR, KEY, Ledger, MINUTE};
use crate::server::{Asked, Book, start};
use crate::verify::{ATTEMPTS, Truth};
use crate::watched::{Pass, Times, Watched};

/// 2026-01-01, 00:00 UTC.
const BEGINNING: i64 = 1_767_225_600;

/// Between the looks of a day, hours.
const LOOKS: [i64; 4] = [3, 9, 15, 21];

/// The faults that are likely: together one request in twenty.
const FAULTS: &str = "429:0.004,500:0.006,503:0.003,400:0.001,404:0.002,401:0.0001,402:0.0001,403:0.0001,\
    code400:0.001,code401:0.0001,code402:0.0001,code403:0.0001,code404:0.001,code429:0.0005,code500:0.002,\
    code7:0.001,cut:0.006,slow:0.0001,timeout:0.0001,no_data:0.004,not_json:0.003,wrong_shape:0.003,\
    wrong_clip:0.002,wrong_region:0.002,no_code:0.002,too_large:0.0004,redirect:0.001,drift:0.003,restated:0.002";

/// What is lived through.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub seed: u64,
    pub days: i64,
    pub targets: usize,
}

pub struct Life {
    pub ledger: Ledger,
    pub events: HashMap<&'static str, usize>,
    pub plan: Plan,
    pub backend: Backend,
    pub rng: Rng,
    pub book: Arc<Book>,
    servers: JoinSet<()>,
    pub watched: Watched,
    pub asked: Vec<Asked>,
    /// When each session began.
    sessions: Vec<i64>,
    pub session: Option<Session>,
    /// The key was refused, and no answer has come since.
    refused: bool,
    pub poor: bool,
}

impl Life {
    pub async fn begin(backend: Backend, plan: Plan) -> Self {
        let mut ledger = Ledger::steady(backend, 0).await;
        ledger.clock = Clock::manual(BEGINNING - MINUTE);
        ledger.set("api", "attempts", ATTEMPTS);
        ledger.set("api", "timeout", "\"4s\"");
        ledger.set("api", "max_in_flight", 32);
        let region = |n: usize| ["US", "GB", "LV"][n % 3];
        let asked = (0..plan.targets * 5 / 4).map(|n| {
            let clip = 7_350_000_000_000_000_000 + 7_919 * (n as u64 / 3);
            (clip.to_string(), region(n).to_owned(), [7, 30, 7, 120, 7][n % 5])
        });
        let mut life = Self {
            book: Book::new(ledger.clock.clone()),
            ledger,
            events: HashMap::new(),
            plan,
            backend,
            rng: Rng::with_seed(plan.seed),
            servers: JoinSet::new(),
            watched: Watched::default(),
            asked: asked.collect(),
            sessions: Vec::new(),
            session: None,
            refused: false,
            poor: false,
        };
        for target in 0..plan.targets {
            let times = life.times();
            life.watched.add(target, times, BEGINNING);
        }
        life.open().await;
        life
    }

    pub async fn live(&mut self) {
        for day in 0..self.plan.days {
            if self.happens(3) {
                // Nothing runs for a day.
                self.close("a day off").await;
                continue;
            }
            for look in LOOKS {
                let at = BEGINNING + day * DAY + look * HOUR + 50 * MINUTE;
                self.ledger.clock.set(at.max(self.now()));
                self.look().await;
            }
        }
        self.open().await;
        self.quiet().await;
        self.close("end").await;
    }

    pub fn truth<'a>(&'a self, records: &'a [crate::server::Record]) -> Truth<'a> {
        Truth {
            watched: &self.watched,
            records,
            targets: &self.asked,
            sessions: &self.sessions,
            horizon: self.watched.passes.last().unwrap().begun,
        }
    }

    pub fn now(&self) -> i64 {
        self.ledger.clock.now()
    }

    /// By chance, in so many of a hundred cases.
    pub fn happens(&mut self, percent: u32) -> bool {
        self.rng.u32(0..100) < percent
    }

    async fn look(&mut self) {
        self.open().await;
        match self.rng.u32(0..100) {
            0..4 => self.close("restart").await,
            4..9 => self.die().await,
            9..13 => self.lose_the_database().await,
            13..15 => self.lose_the_api().await,
            15..16 => self.run_out_of_credits().await,
            16..18 => self.save().await,
            18..30 => self.edit().await,
            30..33 => self.ask_by_hand().await,
            // Postgres is shared by two for weeks on end.
            33.. if self.backend == Backend::Postgres && self.now() / (14 * DAY) % 2 == 1 => {
                self.share().await
            }
            _ => {}
        }
        self.open().await;
        self.passes().await;
    }

    pub fn count(&mut self, event: &'static str) {
        *self.events.entry(event).or_default() += 1;
    }

    /// Opens a session with a server of its own, unless one is open.
    pub async fn open(&mut self) {
        if self.session.is_some() {
            return;
        }
        // After a death, until the worker is taken for gone; and no two sessions within a second.
        self.ledger.advance(MINUTE);
        let number = self.sessions.len();
        let faults = FAULTS.parse().unwrap();
        let seed = self.plan.seed.wrapping_add(number as u64);
        // One world for all sessions, with other faults for each.
        let world = World::new(self.plan.seed, KEY.into(), self.ledger.clock.clone());
        let world = world.with_faults(faults).with_fault_seed(seed);
        let url = start(world, &self.book, number, &mut self.servers).await;
        self.ledger.set("api", "base_url", format!("\"{url}\""));
        self.reopen().await;
    }

    pub async fn reopen(&mut self) {
        self.sessions.push(self.now());
        self.ledger.wanted = self.wanted();
        self.session = Some(self.ledger.session().await);
    }

    pub async fn close(&mut self, why: &'static str) {
        self.count(why);
        if let Some(session) = self.session.take() {
            session.close().await.unwrap();
        }
    }

    /// Gone without a word.
    pub async fn kill(&mut self) {
        let session = self.session.take().unwrap();
        session.collector.store.close().await;
    }

    /// Passes until nothing more is due, or it is of no use to go on.
    pub async fn passes(&mut self) -> bool {
        for _ in 0..20 {
            let begun = self.begin_pass();
            let session = self.session.take().unwrap();
            let result = one_pass(&session).await;
            self.session = Some(session);
            let report = result.unwrap_or_else(|error| panic!("{error}"));
            self.end_pass(begun, true);
            match report.cut {
                Some(Cut::Paused(_)) if !*self.book.broke.lock().unwrap() => {
                    self.ledger.advance(HOUR + MINUTE)
                }
                Some(_) => return false,
                None if report.more => {}
                None => return true,
            }
        }
        false
    }

    /// Passes until the clock has stood still for one: no slot has come meanwhile.
    pub async fn quiet(&mut self) -> bool {
        for _ in 0..20 {
            let before = self.now();
            if self.passes().await && self.now() == before {
                return true;
            }
        }
        false
    }

    pub fn begin_pass(&self) -> (i64, usize, bool) {
        (self.now(), self.book.count(), self.refused)
    }

    /// Notes a pass, and what the server said about the key.
    pub fn end_pass(&mut self, (begun, first, paused): (i64, usize, bool), complete: bool) {
        let records = self.book.records.lock().unwrap();
        let told: Vec<&Told> = records[first..].iter().filter_map(|r| r.told.as_ref()).collect();
        let refused = told
            .iter()
            .any(|told| matches!(told.meaning, Meaning::Refused(_)));
        let answered = told
            .iter()
            .any(|told| !matches!(told.meaning, Meaning::Refused(_) | Meaning::Retry(_)));
        drop(told);
        drop(records);
        self.refused = refused || self.refused && !answered;
        self.watched.passes.push(Pass {
            begun,
            complete,
            paused: refused || paused,
            poor: self.poor,
        });
    }

    pub fn add(&mut self, target: usize) {
        let times = self.times();
        self.watched.add(target, times, self.ledger.clock.now());
    }

    /// Once a day, or twice; never near a look.
    pub fn times(&mut self) -> Times {
        let hour = self.rng.i64(0..12);
        let hours = match self.rng.u32(0..6) {
            0 => vec![hour, hour + 12],
            1..4 => vec![hour],
            _ => vec![hour + 12],
        };
        Times {
            minute: self.rng.i64(12..40),
            hours,
        }
    }

    pub fn wanted(&self) -> Vec<TargetSpec> {
        let specs = self
            .watched
            .watches
            .iter()
            .filter(|(target, _)| self.watched.is_watched(**target));
        specs
            .map(|(target, watches)| {
                let (clip, region, days) = &self.asked[*target];
                TargetSpec {
                    clip_id: clip.parse().unwrap(),
                    region: region.parse().unwrap(),
                    period: days.to_string().parse().unwrap(),
                    schedule: watches.last().unwrap().times.cron(),
                    time_zone: "UTC".to_owned(),
                    tags: Vec::new(),
                    note: None,
                }
            })
            .collect()
    }
}

/// A pass over what is due.
pub async fn one_pass(session: &Session) -> Result<Report, PassError> {
    let stop = Stop::new().1;
    session.pass(Wanted::Due, &stop, &|_| {}).await
}
