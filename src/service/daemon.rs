//! The daemon: a loop that wakes once a second and makes a pass when something is due. It remembers
//! only when to look next; what is due is computed from the ledger each time.

use std::time::Duration;

use tokio::signal::unix::Signal;

use super::heartbeat::Heartbeat;
use super::session::{SIGN_OF_LIFE, read_watchlist};
use super::signals::{Signals, reload};
use super::watched::Watched;
use super::{ServiceError, Session};
use crate::clock::{Clock, DAY, rfc3339};
use crate::collect::targets::Changes;
use crate::collect::{Cut, PassError, Report, Stop, Wanted};
use crate::config::Config;
use crate::schedule::Schedule;
use crate::store::{Store, StoreError};

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
    // Before the file is read: an edit during a long first look is seen afterwards.
    let watched = config.watchlist.path.clone().map(Watched::new);
    if let Some(watchlist) = read_watchlist(&config)? {
        tell(&session.sync(&watchlist).await?);
    }
    if config.http.listen.is_some() {
        tracing::warn!("http.listen is set, but this version serves no page yet");
    }
    let daemon = Daemon {
        session,
        config,
        watched,
        hangup,
        look_at: 0,
        not_before: 0,
        index_not_before: 0,
        last_sign: 0,
        last_tick: 0,
    };
    signals.stopping(async |stop| daemon.live(stop, load).await).await
}

/// Logs what the watchlist has changed, for people and in fields.
fn tell(changes: &Changes) {
    tracing::info!(
        added = changes.added,
        removed = changes.removed,
        changed = changes.changed,
        returned = changes.returned,
        credits_per_day_before = changes.credits_per_day_before,
        credits_per_day_after = changes.credits_per_day_after,
        "the targets follow the watchlist"
    );
}

struct Daemon {
    session: Session,
    config: Config,
    watched: Option<Watched>,
    hangup: Signal,
    /// The next instant at which something can be due, unix seconds.
    look_at: i64,
    /// After an error, the next instant at which anything is tried, unix seconds.
    not_before: i64,
    /// After an error of the index, the next instant at which it is tried, unix seconds.
    index_not_before: i64,
    last_sign: i64,
    last_tick: i64,
}

impl Daemon {
    async fn live(
        mut self,
        mut stop: Stop,
        load: impl Fn() -> Result<Config, crate::problem::Problems>,
    ) -> Result<(), ServiceError> {
        let mut heartbeat = Heartbeat::start().await?;
        tracing::info!(database = self.session.collector.store.kind(), "ready");
        loop {
            tokio::select! {
                _ = heartbeat.beats.recv() => self.tick(&stop).await,
                _ = self.hangup.recv() => self.reload(&load).await,
                () = stop.wait() => break,
            }
        }
        heartbeat.stop().await;
        self.session.close().await?;
        tracing::info!("stopped");
        Ok(())
    }

    /// One beat. Errors of the database are logged and tried again: a daemon outlives an outage.
    async fn tick(&mut self, stop: &Stop) {
        if self.watched.as_mut().is_some_and(Watched::changed) {
            self.reread_watchlist().await;
        }
        let now = self.session.collector.clock.now();
        // A clock that went backwards has changed what is due.
        let backwards = now < self.last_tick;
        self.last_tick = now;
        if let Err(error) = self.work(now, backwards, stop).await {
            tracing::error!(%error, "the pass was cut short; trying again in {AFTER_ERROR} s");
            self.look_at = 0;
            self.not_before = now + AFTER_ERROR;
        }
    }

    async fn work(&mut self, now: i64, backwards: bool, stop: &Stop) -> Result<(), PassError> {
        if now < self.not_before && !backwards {
            return Ok(());
        }
        let collector = &self.session.collector;
        if backwards || now >= self.last_sign + SIGN_OF_LIFE {
            collector.sign_of_life().await?;
            self.last_sign = now;
        }
        if now < self.look_at && !backwards && !collector.has_open_fetches(now).await? {
            self.index(now, stop).await;
            return Ok(());
        }
        let report = self.pass(stop).await?;
        self.look_at = self.next_look(&report).await?;
        Ok(())
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
        let report = self.session.pass(Wanted::Due, stop, &|_| {}).await?;
        if report.settled() > 0 {
            let outcomes: Vec<String> = report
                .outcomes
                .iter()
                .map(|(outcome, n)| format!("{outcome} {n}"))
                .collect();
            tracing::info!(
                outcomes = outcomes.join(", "),
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
            .min()
            .unwrap_or(now + DAY);
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
        let config = match load() {
            Ok(config) => config,
            Err(problems) => return tracing::error!("the configuration is not reloaded:\n{problems}"),
        };
        if config.database.url.expose() != self.config.database.url.expose()
            || config.state.dir != self.config.state.dir
        {
            tracing::warn!("database.url and state.dir take effect at the next start");
        }
        let key = config.api_key().map_err(ServiceError::from);
        if let Err(error) = key.and_then(|key| self.session.reconfigure(&config, &key)) {
            return tracing::error!("the configuration is not reloaded:\n{error}");
        }
        // The new pace is the whole one until it is divided again.
        if let Err(error) = self.session.collector.sign_of_life().await {
            tracing::warn!(%error, "could not write a sign of life");
        }
        self.watched = config.watchlist.path.clone().map(Watched::new);
        self.config = config;
        self.reread_watchlist().await;
        let collector = &self.session.collector;
        if let Err(error) = collector.store.resume(&collector.key_fingerprint).await {
            tracing::error!(%error, "the pause of the key could not be ended");
        }
        self.look_at = 0;
        tracing::info!("reloaded");
    }

    /// Applies the watchlist as it is now; a broken one leaves everything as it was.
    async fn reread_watchlist(&mut self) {
        let applied = match read_watchlist(&self.config) {
            Ok(Some(watchlist)) => self.session.sync(&watchlist).await,
            Ok(None) => return,
            Err(problems) => Err(ServiceError::Problems(problems)),
        };
        match applied {
            Ok(changes) => {
                tell(&changes);
                self.look_at = 0;
            }
            Err(error) => {
                if matches!(error, ServiceError::Store(_)) {
                    // The file is good: it is tried again, also without another edit.
                    self.watched.iter_mut().for_each(Watched::forget);
                }
                tracing::error!("the old watchlist stays in force:\n{error}");
            }
        }
    }
}
