//! Every setting, with its type and what it may be.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::reader::Reader;
use super::values::{DatabaseUrl, Format, SecretUrl};
use crate::clock::DAY;
use crate::model::{ClipId, Region, Window};

/// Everything that can be set. Paths are absolute, or relative to nothing that changes.
#[derive(Clone, Debug)]
pub struct Config {
    /// How the API is asked.
    pub api: Api,
    /// What may be spent.
    pub budget: Budget,
    /// Where the history is kept.
    pub database: Database,
    /// Where the watchlist is.
    pub watchlist: WatchlistSettings,
    /// How slots are treated.
    pub schedule: ScheduleSettings,
    /// Who is told when something is wrong.
    pub alerts: Alerts,
    /// The listener.
    pub http: Http,
    /// What is kept outside the database.
    pub state: State,
    /// What is found and watched by itself.
    pub discover: Discover,
    /// The file that was read; `None` when there is none.
    pub path: Option<PathBuf>,
}

/// How the API is asked.
#[derive(Clone, Debug)]
pub struct Api {
    /// Without a slash at its end; https, or http to this machine.
    pub base_url: String,
    /// The file of the API key.
    pub key_file: Option<PathBuf>,
    /// The most requests in a second, for the whole key.
    pub requests_per_second: f64,
    /// The most requests that wait for an answer at once.
    pub max_in_flight: usize,
    /// For a whole request.
    pub timeout: Duration,
    /// The most attempts at one slot, from 1.
    pub attempts: u32,
    /// How long a refused key is left alone.
    pub pause: Duration,
}

/// What may be spent, in credits.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Credits that one request costs.
    pub credits_per_request: i64,
    /// The most credits in a UTC day.
    pub daily_credits: i64,
    /// The most credits in a UTC month.
    pub monthly_credits: i64,
}

/// Where the history is kept.
#[derive(Clone, Debug)]
pub struct Database {
    /// SQLite or Postgres.
    pub url: DatabaseUrl,
}

/// Where the watchlist is.
#[derive(Clone, Debug)]
pub struct WatchlistSettings {
    /// `None` when another worker owns it.
    pub path: Option<PathBuf>,
}

/// How slots are treated.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleSettings {
    /// How old a missed slot may be to be asked still.
    pub catch_up: Duration,
}

/// Who is told when something is wrong.
#[derive(Clone, Debug)]
pub struct Alerts {
    /// `None`: the log only.
    pub webhook_url: Option<SecretUrl>,
    /// What the webhook takes.
    pub format: Format,
    /// What is called after good passes.
    pub heartbeat_url: Option<SecretUrl>,
    /// So many bad slots in a row are told.
    pub after_slots: i64,
}

/// The listener.
#[derive(Clone, Debug)]
pub struct Http {
    /// `None`: no listener.
    pub listen: Option<SocketAddr>,
    /// The file of the token that visitors need; always there when others than this machine can visit.
    pub token_file: Option<PathBuf>,
}

/// What is kept outside the database.
#[derive(Clone, Debug)]
pub struct State {
    /// The directory of the spool.
    pub dir: PathBuf,
}

/// What is found on charts and watched by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discover {
    /// The charts' markets; none: nothing is discovered.
    pub regions: Vec<Region>,
    /// The days that the charts rank by.
    pub window: Window,
    /// Only sounds that are new to the first hundred.
    pub new_to_top_100: bool,
    /// Only sounds of the Commercial Music Library.
    pub commercial: bool,
    /// Pages of a chart that are read at most.
    pub pages: i64,
    /// When: a cron expression.
    pub schedule: String,
    /// The IANA zone of the schedule.
    pub time_zone: String,
    /// How many of the first sounds of a chart are watched.
    pub add_top: usize,
    /// Sounds that are never watched in this way.
    pub exclude: Vec<ClipId>,
    /// The most targets that are watched in this way at a time.
    pub max_targets: usize,
    /// How long one is watched that has left its chart, in days.
    pub keep_days: i64,
}

/// The table of all settings with what they may be. Where a value is unusable, the reader keeps
/// the problem and hands on any value, so that the rest is checked too.
pub(super) fn settings(read: &mut Reader<'_>) -> Config {
    let most_credits = 1_000_000_000_000;
    let days = |n: i64| Duration::from_secs((n * DAY).unsigned_abs());
    let second = Duration::from_secs(1);
    Config {
        api: Api {
            base_url: read.base_url("api.base_url"),
            key_file: read.optional_path("api.key_file"),
            requests_per_second: read.number("api.requests_per_second", 0.001..=1_000_000.0),
            max_in_flight: read.whole("api.max_in_flight", 1..=1_000),
            timeout: read.duration("api.timeout", second..=second * 600),
            attempts: read.whole("api.attempts", 1..=20),
            pause: read.duration("api.pause", second..=days(30)),
        },
        budget: Budget {
            credits_per_request: read.whole("budget.credits_per_request", 1..=1_000_000),
            daily_credits: read.whole("budget.daily_credits", 0..=most_credits),
            monthly_credits: read.whole("budget.monthly_credits", 0..=most_credits),
        },
        database: Database {
            url: read.database("database.url"),
        },
        watchlist: WatchlistSettings {
            path: read.optional_path("watchlist.path"),
        },
        schedule: ScheduleSettings {
            catch_up: read.duration("schedule.catch_up", Duration::ZERO..=days(366)),
        },
        alerts: Alerts {
            webhook_url: read.secret_url("alerts.webhook_url"),
            format: read.format("alerts.format"),
            heartbeat_url: read.secret_url("alerts.heartbeat_url"),
            after_slots: read.whole("alerts.after_slots", 1..=1_000),
        },
        http: Http {
            listen: read.listen("http.listen"),
            token_file: read.optional_path("http.token_file"),
        },
        state: State {
            dir: read.path("state.dir"),
        },
        discover: discover(read),
        path: None,
    }
}

fn discover(read: &mut Reader<'_>) -> Discover {
    let time_zone = read.time_zone("discover.time_zone");
    Discover {
        regions: read.regions("discover.regions"),
        window: read.window("discover.period"),
        new_to_top_100: read.truth("discover.new_to_top_100"),
        commercial: read.truth("discover.commercial"),
        pages: read.whole("discover.pages", 1..=50),
        schedule: read.schedule("discover.schedule"),
        time_zone,
        add_top: read.whole("discover.add_top", 0..=1_000),
        exclude: read.clips("discover.exclude"),
        max_targets: read.whole("discover.max_targets", 0..=100_000),
        keep_days: read.whole("discover.keep_days", 0..=3_650),
    }
}
