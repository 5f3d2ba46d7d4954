//! The configuration: the embedded example, then the file, then the environment; checked as a
//! whole, with everything that is wrong told at once. This is the only module that reads the
//! environment.

mod changes;
mod environment;
mod key;
mod reader;
mod settings;
mod unknown;
mod values;

use std::path::{Path, PathBuf};

pub use changes::Change;
pub use environment::{journal_stream, log_filter};
pub use key::{ApiKey, KeySource};
pub use settings::{
    Alerts, Api, Budget, Config, Database, Discover, Http, ScheduleSettings, State, WatchlistSettings,
};
pub use values::{DatabaseUrl, Format, SecretUrl};

use secrecy::SecretString;

use crate::problem::{Problem, Problems};
use crate::source;
use environment::environment;
use reader::Reader;
use settings::settings;

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

fn first_file() -> Result<Option<(PathBuf, String)>, Problems> {
    for path in FILES.map(Path::new) {
        // A file that is there but may not be read is told, not passed over.
        if path.try_exists().unwrap_or(true) {
            return Ok(Some((path.to_path_buf(), read_text(path)?)));
        }
    }
    Ok(None)
}

fn read_text(path: &Path) -> Result<String, Problem> {
    source::read_text(
        path,
        "name another with --config, or write one after config.toml.example",
    )
}

#[cfg(test)]
mod tests;
