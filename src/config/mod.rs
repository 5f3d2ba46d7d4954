//! The configuration: the embedded example, then the file, then the environment; checked as a
//! whole, with everything that is wrong told at once. This is the only module that reads the
//! environment.

mod changes;
mod key;
mod reader;
mod unknown;
mod values;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use changes::Change;
pub use key::{ApiKey, KeySource};
pub use values::{DatabaseUrl, Format, SecretUrl};

use secrecy::SecretString;

use crate::clock::DAY;
use crate::model::{ClipId, Region, Window};
use crate::problem::{Problem, Problems};
use crate::source;
use reader::Reader;

/// All settings with their documentation; its values are the defaults.
pub const EXAMPLE: &str = include_str!("../../config.toml.example");

/// Every setting that there is. The API key is none: whoever reads the file would read it.
const KEYS: [&str; 31] = [
    "api.base_url",
    "api.key_file",
    "api.requests_per_second",
    "api.max_in_flight",
    "api.timeout",
    "api.attempts",
    "api.pause",
    "budget.credits_per_request",
    "budget.daily_credits",
    "budget.monthly_credits",
    "database.url",
    "watchlist.path",
    "schedule.catch_up",
    "alerts.webhook_url",
    "alerts.format",
    "alerts.heartbeat_url",
    "alerts.after_slots",
    "http.listen",
    "http.token_file",
    "state.dir",
    "discover.regions",
    "discover.period",
    "discover.new_to_top_100",
    "discover.commercial",
    "discover.pages",
    "discover.schedule",
    "discover.time_zone",
    "discover.add_top",
    "discover.exclude",
    "discover.max_targets",
    "discover.keep_days",
];

/// What the variables that are settings begin with.
const PREFIX: &str = "SOUNDWATCH__";
/// The variable that names the configuration file.
const FILE_VARIABLE: &str = "SOUNDWATCH_CONFIG";
/// The variable that may hold the API key.
const KEY_VARIABLE: &str = "SOUNDWATCH__API__KEY";
/// Where the configuration file is looked for when nobody names it.
const FILES: [&str; 2] = ["config.toml", "/etc/soundwatch/config.toml"];

/// The variable that sets a key.
fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

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

/// Reads the configuration: the file that is named, else `$SOUNDWATCH_CONFIG`, else
/// `./config.toml`, else `/etc/soundwatch/config.toml`, else the defaults; and the environment.
pub fn load(explicit: Option<&Path>) -> Result<Config, Problems> {
    examine(explicit)?.usable()
}

/// The same, also when there are problems. An error is a file that cannot be read at all.
pub fn examine(explicit: Option<&Path>) -> Result<Examined, Problems> {
    let env = environment()?;
    let cwd = std::env::current_dir()
        .map_err(|e| Problem::new(format!("the current directory cannot be told: {e}")))?;
    let named = explicit.map(Path::to_path_buf).or_else(|| {
        let variable = env.iter().find(|(name, _)| name == FILE_VARIABLE);
        variable
            .filter(|(_, file)| !file.is_empty())
            .map(|(_, file)| PathBuf::from(file))
    });
    let file = match named {
        Some(path) => Some((path.clone(), read_text(&path)?)),
        None => first_file()?,
    };
    Ok(examine_from(file, &env, &cwd))
}

/// The same from plain values: a file's name and text, the environment, the current directory.
pub fn load_from(
    file: Option<(PathBuf, String)>,
    env: &[(String, String)],
    cwd: &Path,
) -> Result<Config, Problems> {
    examine_from(file, env, cwd).usable()
}

/// A configuration that may have problems, so that what it names can be looked at all the same.
#[derive(Clone, Debug)]
pub struct Examined {
    /// What could be read of it.
    pub config: Config,
    /// Everything that is wrong with it.
    pub problems: Problems,
    /// The settings that the environment gives.
    pub variables: Vec<Variable>,
    unsure: Unsure,
}

/// A setting that the environment gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Of the variable.
    pub name: String,
    /// The setting that it gives, if the file has it too: there it has no effect.
    pub overrides: Option<&'static str>,
}

/// The settings of which it is not known what the person meant.
#[derive(Clone, Debug)]
enum Unsure {
    All,
    These(Vec<String>),
}

impl Examined {
    /// Whether a setting is what the person meant, or left out.
    pub fn is_sure_of(&self, key: &str) -> bool {
        match &self.unsure {
            Unsure::All => false,
            Unsure::These(keys) => !keys.iter().any(|unsure| unsure == key),
        }
    }

    fn usable(self) -> Result<Config, Problems> {
        if self.problems.0.is_empty() {
            Ok(self.config)
        } else {
            Err(self.problems)
        }
    }
}

fn examine_from(file: Option<(PathBuf, String)>, env: &[(String, String)], cwd: &Path) -> Examined {
    let directory = match file.as_ref().and_then(|(path, _)| path.parent()) {
        Some(parent) => cwd.join(parent),
        None => cwd.to_path_buf(),
    };
    let given = file.as_ref().map(|(path, text)| (path.as_path(), text.as_str()));
    let mut reader = Reader::new(given, env, &directory);
    let mut config = settings(&mut reader);
    if config
        .http
        .listen
        .is_some_and(|listen| !listen.ip().is_loopback())
        && config.http.token_file.is_none()
    {
        reader.refuse(
            "http.listen",
            "others than this machine could read the page without a token",
            "set http.token_file to a file with a long random text, or listen on 127.0.0.1",
        );
    }
    let variables = reader.variables();
    let (problems, unsure) = reader.finish();
    config.path = file.map(|(path, _)| path);
    Examined {
        config,
        problems,
        variables,
        unsure,
    }
}

/// The table of all settings with what they may be. Where a value is unusable, the reader keeps
/// the problem and hands on any value, so that the rest is checked too.
fn settings(read: &mut Reader<'_>) -> Config {
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

impl Config {
    /// What is found on charts, if anything is: that is for the worker that owns the watchlist.
    pub fn discovers(&self) -> Option<&Discover> {
        let is_asked = self.watchlist.path.is_some() && !self.discover.regions.is_empty();
        is_asked.then_some(&self.discover)
    }

    /// The API key: from the systemd credential `api-key`, else from `api.key_file`, else from
    /// `SOUNDWATCH__API__KEY`. Read anew at each call, so a reload sees a changed key.
    pub fn api_key(&self) -> Result<ApiKey, Problems> {
        self.api_key_and_source().map(|(key, _)| key)
    }

    /// The same, with where it was found.
    pub fn api_key_and_source(&self) -> Result<(ApiKey, KeySource), Problems> {
        #[allow(
            clippy::disallowed_methods,
            reason = "this module is the one that reads the environment"
        )]
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let credentials = variable("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        let key = variable(KEY_VARIABLE).map(|value| value.to_string_lossy().into_owned());
        key::find(
            credentials.as_deref(),
            self.api.key_file.as_deref(),
            key.as_deref(),
        )
    }
}

impl Config {
    /// The token that visitors of the page need; `None` where none is asked for.
    pub fn http_token(&self) -> Result<Option<SecretString>, Problems> {
        let file = self.http.token_file.as_deref();
        file.map(key::token).transpose().map_err(Problems::from)
    }
}

/// The variables that concern soundwatch.
fn environment() -> Result<Vec<(String, String)>, Problems> {
    let mut ours = Vec::new();
    let mut problems = Vec::new();
    #[allow(
        clippy::disallowed_methods,
        reason = "this module is the one that reads the environment"
    )]
    for (name, value) in std::env::vars_os() {
        let Some(name) = name
            .to_str()
            .filter(|name| name.starts_with(PREFIX) || *name == FILE_VARIABLE)
        else {
            continue;
        };
        match value.into_string() {
            Ok(value) => ours.push((name.to_owned(), value)),
            Err(_) => problems.push(Problem::new(format!("{name}: the value is not UTF-8 text"))),
        }
    }
    ours.sort();
    if problems.is_empty() {
        Ok(ours)
    } else {
        Err(Problems(problems))
    }
}

fn first_file() -> Result<Option<(PathBuf, String)>, Problems> {
    for path in FILES.map(Path::new) {
        // A file that is there but may not be read is told, not passed over.
        if path.try_exists().unwrap_or(true) {
            return Ok(Some((path.to_path_buf(), read_text(path)?)));
        }
    }
    Ok(None)
}

/// What the logs shall tell, in the words of `RUST_LOG`; empty when nobody said.
#[allow(clippy::disallowed_methods, reason = "this module reads the environment")]
pub fn log_filter() -> String {
    std::env::var("RUST_LOG").unwrap_or_default()
}

/// The device and inode of the journal's stream, when systemd has connected one; the caller compares
/// them with what it writes to.
#[allow(clippy::disallowed_methods, reason = "this module reads the environment")]
pub fn journal_stream() -> Option<String> {
    std::env::var("JOURNAL_STREAM").ok()
}

fn read_text(path: &Path) -> Result<String, Problem> {
    source::read_text(
        path,
        "name another with --config, or write one after config.toml.example",
    )
}

#[cfg(test)]
mod tests;
