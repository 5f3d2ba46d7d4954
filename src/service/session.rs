//! A session: what `run` and `collect` open before they make passes.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use super::{Lock, ServiceError, notify};
use crate::api::pace::Pace;
use crate::api::{Client, Settings};
use crate::clock::Clock;
use crate::collect::index::News;
use crate::collect::targets::{Changes, sync};
use crate::collect::{ChartsRead, Collector, Limits, Observe, PassError, Report, SignsOfLife, Stop, Wanted};
use crate::config::{ApiKey, Config};
use crate::owner;
use crate::problem::{Problem, Problems};
use crate::spool::Spool;
use crate::store::workers::Worker;
use crate::store::{Missing, Store, StoreError, sqlite_file};
use crate::watchlist::{self, Watchlist};
use crate::web::Vitals;

/// Seconds between two signs of life of a worker.
pub(super) const SIGN_OF_LIFE: i64 = 5;

/// After the last pass the index is computed for so long: the rest is for whoever comes next.
const INDEX_AT_MOST: Duration = Duration::from_secs(60);

/// An open database, a client, and on SQLite the lock.
pub struct Session {
    /// What makes the passes.
    pub collector: Collector,
    /// How it is, for who shows it.
    pub vitals: Vitals,
    // Given up with the session.
    _lock: Option<Lock>,
}

impl Session {
    /// Opens everything that collecting needs: lock, database, migrations, key, client.
    pub async fn open(config: &Config, key: &ApiKey, clock: Clock) -> Result<Self, ServiceError> {
        let worker = this_worker(&clock);
        let url = config.database.url.expose();
        let lock = match sqlite_file(url) {
            Some(file) => {
                make_parent(&file)?;
                Some(Lock::take(&file, &worker)?)
            }
            None => None,
        };
        let store = Store::open(url, Missing::Create).await?;
        store.migrate().await?;
        store.enter(&worker).await?;
        if let Some(other) = store.workers(clock.now()).await?.iter().find(|w| w.reparses()) {
            store.leave(&worker.id).await?;
            return Err(ServiceError::Locked(other.into()));
        }
        let client = client(config, key, clock.clone())?;
        let signs = SignsOfLife::from_start(clock.now());
        let collector = Collector {
            store,
            client,
            pace: Pace::new(config.api.requests_per_second, clock.clone()),
            clock,
            limits: limits(config),
            worker,
            key_fingerprint: key.fingerprint(),
            signs: Mutex::new(signs),
            spool: spool(config)?,
            stranded: Mutex::default(),
            stranded_pages: Mutex::default(),
            told_fields: Mutex::default(),
            news: News::default(),
        };
        collector.sign_of_life().await?;
        Ok(Self {
            collector,
            vitals: Vitals::of(config.budget),
            _lock: lock,
        })
    }

    /// Brings the targets in line with the watchlist.
    pub async fn sync(&self, watchlist: &Watchlist) -> Result<Changes, ServiceError> {
        Ok(sync(
            &self.collector.store,
            &watchlist.targets,
            self.collector.limits.budget,
            self.collector.clock.now(),
        )
        .await?)
    }

    /// Makes passes until nothing more is due, and computes the index of what they have changed; of what
    /// was left by others as much as takes a minute.
    pub async fn passes(
        &self,
        wanted: Wanted,
        stop: &Stop,
        observe: Observe<'_>,
    ) -> Result<Report, PassError> {
        let mut report = self.pass(wanted, stop, observe).await?;
        while report.more {
            report.add(self.pass(wanted, stop, observe).await?);
        }
        let clock = &self.collector.clock;
        let began = clock.monotonic();
        let go_on = || !stop.requested() && clock.monotonic().saturating_sub(began) < INDEX_AT_MOST;
        self.index(&go_on).await;
        Ok(report)
    }

    /// Computes the index of what is marked. `false`: it can't be done now.
    pub async fn index(&self, go_on: &dyn Fn() -> bool) -> bool {
        self.alive(self.collector.index(1, go_on)).await
    }

    /// Makes one pass.
    pub async fn pass(&self, wanted: Wanted, stop: &Stop, observe: Observe<'_>) -> Result<Report, PassError> {
        self.alive(self.collector.pass_and_index(wanted, stop, observe))
            .await
    }

    /// Does something that may take long, with signs of life beside it: after [`SILENT_AFTER`] seconds
    /// without one, other workers would take this one for dead, and pay for its slots again.
    ///
    /// [`SILENT_AFTER`]: crate::store::workers::SILENT_AFTER
    pub(super) async fn alive<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            never = signs_of_life(|| self.sign_of_life()) => match never {},
        }
    }

    /// Says that this worker is alive: to the others, and when the database has taken it to systemd.
    pub(super) async fn sign_of_life(&self) -> Result<(), StoreError> {
        self.collector.sign_of_life().await?;
        notify::alive();
        self.vitals.alive(self.collector.clock.now());
        Ok(())
    }

    /// Reads the charts that are open.
    pub async fn read_charts(&self, stop: &Stop) -> Result<ChartsRead, PassError> {
        self.alive(self.collector.read_charts(stop)).await
    }

    /// Takes over what can change while it runs: limits, pace, and the key with its client.
    pub fn reconfigure(&mut self, config: &Config, key: &ApiKey) -> Result<(), ServiceError> {
        let collector = &mut self.collector;
        collector.client = client(config, key, collector.clock.clone())?;
        let pace = Pace::new(config.api.requests_per_second, collector.clock.clone());
        // What the API asked of this key still holds.
        if collector.key_fingerprint == key.fingerprint() {
            pace.pause_for(collector.pace.pause_left());
        }
        collector.pace = pace;
        collector.limits = limits(config);
        self.vitals.may_spend(config.budget);
        collector.key_fingerprint = key.fingerprint();
        Ok(())
    }

    /// Takes the worker out and closes the database.
    pub async fn close(self) -> Result<(), ServiceError> {
        self.collector.store.leave(&self.collector.worker.id).await?;
        self.collector.store.close().await;
        Ok(())
    }
}

/// Says again and again that a worker is alive.
pub(super) async fn signs_of_life(sign: impl AsyncFn() -> Result<(), StoreError>) -> Infallible {
    loop {
        tokio::time::sleep(Duration::from_secs(SIGN_OF_LIFE.unsigned_abs())).await;
        if let Err(error) = sign().await {
            tracing::warn!(%error, "could not write a sign of life");
        }
    }
}

/// The watchlist that this process owns; none when another worker has it.
pub fn read_watchlist(config: &Config) -> Result<Option<Watchlist>, Problems> {
    let Some(path) = &config.watchlist.path else {
        return Ok(None);
    };
    let watchlist = watchlist::read(path)?;
    warn_of(&watchlist);
    Ok(Some(watchlist))
}

/// Logs what is doubtful about a watchlist.
pub(super) fn warn_of(watchlist: &Watchlist) {
    for warning in &watchlist.warnings {
        tracing::warn!("{warning}");
    }
}

fn spool(config: &Config) -> Result<Spool, ServiceError> {
    let folder = config.state.dir.join("spool");
    Spool::open(&folder).map_err(|error| {
        let problem = Problem::new(format!(
            "cannot use the spool folder {}: {error}",
            folder.display()
        ))
        .help("set state.dir to a folder that this user can write to");
        ServiceError::Problems(problem.into())
    })
}

fn client(config: &Config, key: &ApiKey, clock: Clock) -> Result<Client, ServiceError> {
    let settings = Settings {
        base_url: config.api.base_url.clone(),
        key: key.expose().into(),
        timeout: config.api.timeout,
        max_in_flight: config.api.max_in_flight,
    };
    Client::new(settings, clock).map_err(|error| ServiceError::Problems(error.into()))
}

fn limits(config: &Config) -> Limits {
    Limits {
        max_in_flight: config.api.max_in_flight,
        attempts: i64::from(config.api.attempts),
        pause: config.api.pause,
        catch_up: config.schedule.catch_up,
        budget: config.budget,
    }
}

pub(super) fn this_worker(clock: &Clock) -> Worker {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let (pid, now) = (i64::from(std::process::id()), clock.now());
    Worker {
        // A random part: on a simulated clock the same process may start twice in one second.
        id: format!("{host}-{pid}-{now}-{:08x}", fastrand::u32(..)),
        host,
        pid,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: now,
        heartbeat_at: now,
    }
}

fn make_parent(file: &Path) -> Result<(), ServiceError> {
    let Some(parent) = file.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
        return Ok(());
    };
    owner::make_folder(parent, 0o777).map_err(|error| {
        let problem = Problem::new(format!(
            "cannot make the folder {} of the database: {error}",
            parent.display()
        ))
        .help("make it, or set database.url to a place that this user can write to");
        ServiceError::Problems(problem.into())
    })
}
