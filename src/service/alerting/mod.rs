//! Alerting beside the loop: one task finds out what holds, one tells the webhook, one calls the
//! heartbeat URL. None of them can slow a pass: the loop leaves what it knows in a place that always
//! takes it, and what is to be told waits in the table `alerts`.

mod monitor;
mod send;
mod tell;
mod watch;

use std::sync::Arc;

use tokio::sync::{Notify, mpsc, watch as place};
use tokio::task::JoinSet;

use crate::alert::Health;
use crate::clock::Clock;
use crate::collect::{Collector, Cut, PassError, Report, Stop};
use crate::config::{Alerts, Budget, Config};
use crate::model::Outcome;
use crate::problem::Problems;
use crate::store::Store;

/// News that can't be in the database, since that is away: few.
const DIRECT_NEWS: usize = 4;

/// What the loop knows, as of now.
#[derive(Clone, Debug)]
struct Known {
    alerts: Alerts,
    budget: Budget,
    key_fingerprint: String,
    health: Health,
    /// Since when the database fails (unix seconds), and how.
    database_away: Option<(i64, String)>,
    /// Grows with what may change the state of targets.
    settled: u64,
    /// Grows with each good pass that settled something.
    good_passes: u64,
    /// The last pass was good, and the database answers.
    is_well: bool,
    /// When the loop last came by, unix seconds.
    last_beat: i64,
}

impl Known {
    fn first(config: &Config, collector: &Collector) -> Self {
        Self {
            alerts: config.alerts.clone(),
            budget: config.budget,
            key_fingerprint: collector.key_fingerprint.clone(),
            health: Health {
                host: collector.worker.host.clone(),
                // Whoever starts has read it.
                watchlist: config.watchlist.path.as_ref().map(|_| Vec::new()),
                no_room: None,
            },
            database_away: None,
            settled: 0,
            good_passes: 0,
            is_well: false,
            last_beat: collector.clock.now(),
        }
    }
}

/// What each of the tasks needs.
#[derive(Clone)]
struct Around {
    store: Store,
    clock: Clock,
    known: place::Receiver<Known>,
    stop: Stop,
}

/// The tasks, and the place where they look.
pub(super) struct Alerting {
    known: place::Sender<Known>,
    tasks: JoinSet<()>,
}

impl Alerting {
    /// Starts the tasks; they end with `stop`.
    pub(super) fn start(config: &Config, collector: &Collector, stop: &Stop) -> Self {
        let known = place::Sender::new(Known::first(config, collector));
        let around = Around {
            store: collector.store.clone(),
            clock: collector.clock.clone(),
            known: known.subscribe(),
            stop: stop.clone(),
        };
        let news = Arc::new(Notify::new());
        let (direct, direct_news) = mpsc::channel(DIRECT_NEWS);
        let mut tasks = JoinSet::new();
        tasks.spawn(watch::Watch::new(around.clone(), Arc::clone(&news), direct).go_on());
        tasks.spawn(tell::go_on(around.clone(), news, direct_news));
        tasks.spawn(monitor::go_on(around));
        Self { known, tasks }
    }

    /// A pass has ended.
    pub(super) fn passed(&self, report: &Report) {
        self.known.send_modify(|known| {
            known.is_well = is_good(report);
            if report.settled() > 0 {
                known.settled += 1;
                known.good_passes += u64::from(known.is_well);
            }
        });
    }

    /// The loop came by, and the database answered.
    pub(super) fn beat(&self, now: i64) {
        self.known.send_if_modified(|known| {
            known.last_beat = now;
            let news = known.database_away.is_some() || known.health.no_room.is_some();
            known.database_away = None;
            known.health.no_room = None;
            news
        });
    }

    /// The loop came by, and something failed.
    pub(super) fn failed(&self, error: &PassError, now: i64) {
        self.known.send_modify(|known| {
            known.last_beat = now;
            known.is_well = false;
            match error {
                PassError::NoRoom { cause } => known.health.no_room = Some(cause.to_string()),
                PassError::Store(error) => {
                    let since = known.database_away.take().map_or(now, |(since, _)| since);
                    known.database_away = Some((since, error.to_string()));
                }
            }
        });
    }

    /// Where to say what the watchlist is like.
    pub(super) fn watchlist_news(&self) -> WatchlistNews {
        WatchlistNews(self.known.clone())
    }

    /// The configuration was read again.
    pub(super) fn reconfigure(&self, config: &Config, key_fingerprint: &str) {
        self.known.send_modify(|known| {
            known.alerts = config.alerts.clone();
            known.budget = config.budget;
            known.key_fingerprint = key_fingerprint.to_owned();
            if config.watchlist.path.is_none() {
                known.health.watchlist = None;
            }
        });
    }

    /// Waits until the tasks have ended, after a stop was asked for.
    pub(super) async fn end(mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a task of the alerts failed");
            }
        }
    }
}

/// For whoever follows the watchlist.
pub(super) struct WatchlistNews(place::Sender<Known>);

impl WatchlistNews {
    /// The file was read again.
    pub(super) fn read(&self, read: Result<(), &Problems>) {
        let problems: Vec<String> = match read {
            Ok(()) => Vec::new(),
            Err(Problems(problems)) => problems.iter().map(ToString::to_string).collect(),
        };
        self.0.send_modify(|known| {
            known.settled += 1;
            known.health.watchlist = Some(problems);
        });
    }
}

/// Whether a pass shows that all is well: nothing but a stop or a reload cut it short, and not everything
/// that was asked failed.
fn is_good(report: &Report) -> bool {
    let count = |outcome| report.outcomes.get(&outcome).copied().unwrap_or_default();
    let bad = count(Outcome::Failed) + count(Outcome::Rejected);
    let good = count(Outcome::Stored) + count(Outcome::Confirmed) + count(Outcome::NoData);
    matches!(report.cut, None | Some(Cut::Stopped)) && (bad == 0 || good > 0)
}
