//! The daemon: a loop that wakes once a second and makes a pass when something is due. It remembers
//! only when to look next; what is due is computed from the ledger each time.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::{Notify, watch};

use super::alerting::Alerting;
use super::discover::Discovery;
use super::follow::{Followed, Follower};
use super::heartbeat::Heartbeat;
use super::measured;
use super::notify::{self, Standing};
use super::session::SIGN_OF_LIFE;
use super::signals::{Signals, reload};
use super::web::Web;
use super::{ServiceError, Session};
use crate::clock::{Clock, DAY, rfc3339};
use crate::collect::{Cut, PassError, Report, Stop, Wanted};
use crate::config::Config;
use crate::schedule::Schedule;
use crate::store::{Store, StoreError};
use crate::watchlist::region_doubts;

/// Where other workers may change the targets, so many seconds pass at most before the next look.
const SHARED_LOOK: i64 = 60;

/// The index is computed for so long before it is looked whether something is due.
const INDEX_FOR: Duration = Duration::from_secs(1);

/// After an error of the index, so many seconds pass before it is tried again.
const INDEX_AGAIN: i64 = 60;

/// After an error of the database, so many seconds pass before the next look.
const AFTER_ERROR: i64 = 10;

/// Runs until it is asked to stop. `load` reads the configuration anew on SIGHUP.
pub async fn run(
    config: Config,
    clock: Clock,
    load: impl Fn() -> Result<Config, crate::problem::Problems>,
) -> Result<(), ServiceError> {
    let signals = Signals::listen()?;
    let hangup = reload()?;
    let key = config.api_key()?;
    // The watchlist comes after what stays: the memory that reading it takes can then be given back.
    let session = Session::open(&config, &key, clock).await?;
    let (followed, receiver) = watch::channel(Followed::of(&config));
    let edited = Arc::new(Notify::new());
    let collector = &session.collector;
    let (store, clock) = (collector.store.clone(), collector.clock.clone());
    let follower = Follower::new(store, clock.clone(), receiver, Arc::clone(&edited));
    follower.begin().await?;
    warn_of_charts(&config);
    let listen = config.http.listen;
    let web = listen.map(|listen| Web::start(&config, listen, clock, session.vitals.clone()));
    let web = web.transpose()?;
    let live = async |stop: Stop| {
        let alerting = Alerting::start(&config, &session.collector, &stop);
        let news = alerting.watchlist_news();
        let daemon = Daemon {
            session,
            config,
            followed,
            edited,
            alerting,
            discovery: Discovery::default(),
            look_at: 0,
            not_before: 0,
            index_not_before: 0,
            last_sign: 0,
            last_tick: 0,
            standing: Standing::default(),
        };
        let (lived, ()) = tokio::join!(
            daemon.live(stop.clone(), hangup, load),
            follower.follow(news, stop)
        );
        lived
    };
    let lived = signals.stopping(live).await;
    web.into_iter().for_each(Web::stop);
    lived
}

struct Daemon {
    session: Session,
    config: Config,
    /// Tells whoever follows the watchlist what to follow.
    followed: watch::Sender<Followed>,
    /// Told when an edit has changed the targets.
    edited: Arc<Notify>,
    alerting: Alerting,
    discovery: Discovery,
    /// The next instant at which something can be due, unix seconds.
    look_at: i64,
    /// After an error, the next instant at which anything is tried, unix seconds.
    not_before: i64,
    /// After an error of the index, the next instant at which it is tried, unix seconds.
    index_not_before: i64,
    last_sign: i64,
    last_tick: i64,
    standing: Standing,
}

impl Daemon {
    async fn live(
        mut self,
        mut stop: Stop,
        mut hangup: Signal,
        load: impl Fn() -> Result<Config, crate::problem::Problems>,
    ) -> Result<(), ServiceError> {
        let mut heartbeat = Heartbeat::start().await?;
        tracing::info!(database = self.session.collector.store.kind(), "ready");
        notify::ready();
        loop {
            tokio::select! {
                _ = heartbeat.beats.recv() => if self.beat(&mut hangup, &stop).await {
                    self.reload(&load).await;
                },
                _ = hangup.recv() => self.reload(&load).await,
                () = self.edited.notified() => self.look_at = 0,
                () = stop.wait() => break,
            }
        }
        heartbeat.stop().await;
        self.alerting.end().await;
        self.session.close().await?;
        tracing::info!("stopped");
        Ok(())
    }

    /// One beat, which a reload cuts short as a stop does: what is in flight ends, and nothing new is begun.
    /// `true`: a reload was asked for meanwhile.
    async fn beat(&mut self, hangup: &mut Signal, stop: &Stop) -> bool {
        let asked = Cell::new(false);
        let hangup = async {
            hangup.recv().await;
            asked.set(true);
        };
        stop.or_when(hangup, async |stop| self.tick(&stop).await).await;
        asked.get()
    }

    /// Does what is due. Errors of the database are logged and tried again: a daemon outlives an outage.
    async fn tick(&mut self, stop: &Stop) {
        let now = self.session.collector.clock.now();
        // A clock that went backwards has changed what is due.
        let backwards = now < self.last_tick;
        self.last_tick = now;
        if now < self.not_before && !backwards {
            return;
        }
        match self.work(now, backwards, stop).await {
            Ok(()) => self.alerting.beat(self.session.collector.clock.now()),
            Err(error) => {
                tracing::error!(%error, "the pass was cut short; trying again in {AFTER_ERROR} s");
                notify::status(&format!("trying again in {AFTER_ERROR} s: {error}"));
                self.session.vitals.failed(now, &error);
                self.alerting.failed(&error, now);
                measured::spooled(&self.config);
                self.look_at = 0;
                self.not_before = now + AFTER_ERROR;
            }
        }
    }

    async fn work(&mut self, now: i64, backwards: bool, stop: &Stop) -> Result<(), PassError> {
        let collector = &self.session.collector;
        if backwards || now >= self.last_sign + SIGN_OF_LIFE {
            self.session.sign_of_life().await?;
            self.last_sign = now;
        }
        let open = backwards || collector.has_open_fetches(now).await?;
        if open || now >= self.look_at {
            let report = self.pass(stop).await?;
            self.look_at = self.next_look(&report).await?;
            let at = self.session.collector.clock.now();
            self.session.vitals.passed(at, self.look_at);
            measured::passed(&self.session.collector, at, self.look_at);
            measured::spooled(&self.config);
        } else {
            self.index(now, stop).await;
        }
        if !stop.requested() && (open || self.discovery.is_due(now)) {
            self.charts(stop).await?;
        }
        Ok(())
    }

    /// Charts come after what is watched: they are left as they stand when the next slot is due or the
    /// watchlist has changed, be it in the midst of a long wait.
    async fn charts(&mut self, stop: &Stop) -> Result<(), PassError> {
        let clock = &self.session.collector.clock;
        let left = (self.look_at - clock.now()).max(0).unsigned_abs();
        let targets_are_due = async {
            tokio::select! {
                () = clock.sleep(Duration::from_secs(left)) => {}
                // Told once more, to the loop.
                () = self.edited.notified() => self.edited.notify_one(),
            }
        };
        let read = async |stop: Stop| self.discovery.work(&self.session, &self.config, &stop).await;
        stop.or_when(targets_are_due, read).await
    }

    /// Nothing is to be asked: what the passes have left of the index is computed, for about a beat, so
    /// that the next slot is not late.
    async fn index(&mut self, now: i64, stop: &Stop) {
        if now < self.index_not_before {
            return;
        }
        let clock = &self.session.collector.clock;
        let began = clock.monotonic();
        let go_on = || !stop.requested() && clock.monotonic().saturating_sub(began) < INDEX_FOR;
        if !self.session.index(&go_on).await {
            self.index_not_before = now + INDEX_AGAIN;
        }
    }

    async fn pass(&mut self, stop: &Stop) -> Result<Report, PassError> {
        let collecting = self.session.vitals.collecting();
        let report = self.session.pass(Wanted::Due, stop, &|_| {}).await?;
        drop(collecting);
        self.alerting.passed(&report);
        if report.settled() > 0 {
            let outcomes: Vec<String> = report
                .outcomes
                .iter()
                .map(|(outcome, n)| format!("{outcome} {n}"))
                .collect();
            let outcomes = outcomes.join(", ");
            self.standing
                .passed(self.session.collector.clock.now(), &outcomes);
            tracing::info!(
                outcomes,
                requests = report.requests,
                credits = report.credits,
                "pass done"
            );
        }
        Ok(report)
    }

    /// When something can be due again: at the next slot of any schedule, or when what cut the pass
    /// short may be over.
    async fn next_look(&self, report: &Report) -> Result<i64, StoreError> {
        let collector = &self.session.collector;
        let now = collector.clock.now();
        let next_slot = collector
            .store
            .schedules()
            .await?
            .iter()
            .filter_map(|(expression, zone)| Schedule::parse(expression, zone).ok()?.next(now))
            .min();
        notify::status(&self.standing.text(next_slot, report));
        let next_slot = next_slot.unwrap_or(now + DAY);
        if report.more {
            return Ok(now);
        }
        // Another worker may change the targets of a Postgres, and says nothing.
        let shared = matches!(collector.store, Store::Postgres(_));
        let next_slot = if shared {
            next_slot.min(now + SHARED_LOOK)
        } else {
            next_slot
        };
        let again = match &report.cut {
            Some(Cut::Budget) => (now / DAY + 1) * DAY,
            Some(Cut::Paused(Some(pause))) => pause.until.max(now + 1),
            Some(Cut::Paused(None) | Cut::Stopped) => now + 1,
            None => next_slot,
        };
        let look_at = next_slot.min(again);
        tracing::debug!(at = rfc3339(look_at), "next look");
        Ok(look_at)
    }

    /// Reads the configuration and the watchlist again. What cannot change while running says so.
    async fn reload(&mut self, load: &impl Fn() -> Result<Config, crate::problem::Problems>) {
        notify::reloading();
        self.take_over(load).await;
        notify::ready();
    }

    async fn take_over(&mut self, load: &impl Fn() -> Result<Config, crate::problem::Problems>) {
        let config = match load() {
            Ok(config) => config,
            Err(problems) => return tracing::error!("the configuration is not reloaded:\n{problems}"),
        };
        let key = config.api_key().map_err(ServiceError::from);
        let before = self.session.collector.key_fingerprint.clone();
        if let Err(error) = key.and_then(|key| self.session.reconfigure(&config, &key)) {
            return tracing::error!("the configuration is not reloaded:\n{error}");
        }
        // The new pace is the whole one until it is divided again.
        if let Err(error) = self.session.collector.sign_of_life().await {
            tracing::warn!(%error, "could not write a sign of life");
        }
        let collector = &self.session.collector;
        if collector.key_fingerprint != before {
            tracing::info!(from = before, to = collector.key_fingerprint, "another API key");
        }
        self.config = adopted(&self.config, config);
        warn_of_charts(&self.config);
        self.alerting
            .reconfigure(&self.config, &self.session.collector.key_fingerprint);
        self.followed.send_replace(Followed::of(&self.config));
        if let Err(error) = collector.store.resume(&collector.key_fingerprint).await {
            tracing::error!(%error, "the pause of the key could not be ended");
        }
        self.look_at = 0;
        self.discovery = Discovery::default();
        tracing::info!("reloaded");
    }
}

/// Logs what is doubtful about the charts that are read.
fn warn_of_charts(config: &Config) {
    for doubt in region_doubts("discover.regions", &config.discover.regions) {
        tracing::warn!("{doubt}");
    }
}

/// What is in force after a reload, with each change told: what needs a restart is as it was, so that
/// the next reload tells it again.
fn adopted(old: &Config, new: Config) -> Config {
    for change in old.changes(&new) {
        let (from, to) = (&change.from, &change.to);
        if change.needs_restart {
            tracing::warn!(setting = change.key, from, to, "this setting needs a restart");
        } else {
            tracing::info!(setting = change.key, from, to, "applied");
        }
    }
    new.as_far_as_running(old)
}
