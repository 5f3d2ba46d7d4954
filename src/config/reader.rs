//! Takes settings out of the merged sources, one by one, and keeps what is wrong with them.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use config::{Environment, File, FileFormat, Map, Value, ValueKind};
use humantime_serde::re::humantime;
use toml::de::{DeTable, DeValue};

use super::unknown::{unknown_keys, unknown_variable};
use super::values::{self, DatabaseUrl, Format, SecretUrl};
use super::{EXAMPLE, KEY_VARIABLE, KEYS, PREFIX, Unsure, Variable, variable_of};
use crate::model::{ClipId, Region, Window};
use crate::problem::{Place, Problem, Problems};
use crate::schedule::Schedule;
use crate::source::{Source, offset};

/// What is wrong with a value, and what would be right.
pub(super) type Wrong = (String, String);

/// The merged sources.
pub(super) struct Reader<'a> {
    merged: config::Config,
    file: Option<(Source<'a>, DeTable<'a>)>,
    variables: Vec<String>,
    directory: &'a Path,
    problems: Vec<Problem>,
    unsure: Unsure,
}

/// A value as it was given. The environment has nothing but texts.
struct Given {
    kind: ValueKind,
    from_environment: bool,
}

impl<'a> Reader<'a> {
    /// Merges the example, the file and the environment; unknown keys become problems.
    pub(super) fn new(
        file: Option<(&'a Path, &'a str)>,
        env: &[(String, String)],
        directory: &'a Path,
    ) -> Self {
        let mut problems = Vec::new();
        let mut known = Map::new();
        let settings = env.iter().filter(|(name, _)| name.starts_with(PREFIX));
        for (name, value) in settings.filter(|(name, _)| name != KEY_VARIABLE) {
            if KEYS.iter().any(|key| variable_of(key) == *name) {
                known.insert(name.clone(), value.clone());
            } else {
                problems.push(unknown_variable(name));
            }
        }
        let variables = known.keys().cloned().collect();
        let mut unsure = Unsure::These(Vec::new());
        let parsed = file.map(|(path, text)| {
            let mut source = Source::new(path, text);
            let (table, broken) = source.toml(0..text.len());
            if !broken.is_empty() {
                unsure = Unsure::All;
            }
            // What a broken line did not say would be told as missing: enough to repair at once.
            if broken.is_empty() {
                problems.extend(unknown_keys(&source, &table));
            }
            problems.extend(broken);
            (source, table)
        });
        // A broken file is left out of the merge; its problems are told already.
        let text = file.map_or("", |(_, text)| text);
        let merged = merge(text, &known).or_else(|error| {
            if problems.is_empty() {
                problems.push(Problem::new(error.to_string()));
            }
            unsure = Unsure::All;
            merge("", &known)
        });
        Self {
            merged: merged.unwrap_or_default(),
            file: parsed,
            variables,
            directory,
            problems,
            unsure,
        }
    }

    /// The settings that the environment gives.
    pub(super) fn variables(&self) -> Vec<Variable> {
        let given = KEYS
            .iter()
            .filter(|key| self.variables.contains(&variable_of(key)));
        given
            .map(|key| Variable {
                name: variable_of(key),
                overrides: self.place(key).map(|_| *key),
            })
            .collect()
    }

    /// Everything that was wrong, in the order of the file, and what was left unclear by it.
    pub(super) fn finish(mut self) -> (Problems, Unsure) {
        self.problems.sort_by_key(|problem| problem.place.clone());
        (Problems(self.problems), self.unsure)
    }

    /// A whole number within a range.
    pub(super) fn whole<T>(&mut self, key: &str, range: RangeInclusive<T>) -> T
    where
        T: Copy + Default + Display + PartialOrd + TryFrom<i64>,
    {
        self.take(key, |given| {
            let number = match &given.kind {
                ValueKind::I64(n) => Some(*n),
                ValueKind::String(s) if given.from_environment => s.trim().parse().ok(),
                _ => None,
            };
            number
                .and_then(|n| T::try_from(n).ok())
                .filter(|n| range.contains(n))
                .ok_or_else(|| {
                    let right = format!("write a whole number from {} to {}", range.start(), range.end());
                    given.no_number(right)
                })
        })
    }

    /// A number within a range.
    #[allow(clippy::cast_precision_loss, reason = "the ranges are far below 2^53")]
    pub(super) fn number(&mut self, key: &str, range: RangeInclusive<f64>) -> f64 {
        self.take(key, |given| {
            let number = match &given.kind {
                ValueKind::I64(n) => Some(*n as f64),
                ValueKind::Float(n) => Some(*n),
                ValueKind::String(s) if given.from_environment => s.trim().parse().ok(),
                _ => None,
            };
            number.filter(|n| range.contains(n)).ok_or_else(|| {
                let right = format!("write a number from {} to {}", range.start(), range.end());
                given.no_number(right)
            })
        })
    }

    /// A duration within a range, as a text with units.
    pub(super) fn duration(&mut self, key: &str, range: RangeInclusive<Duration>) -> Duration {
        self.take(key, |given| {
            if let ValueKind::I64(number) = given.kind {
                let right = format!("write a duration in quotes, such as \"{number}s\" or \"{number}m\"");
                return Err((format!("{number} has no unit"), right));
            }
            let text = given.text("a duration such as \"30s\" or \"5m\"")?;
            let (least, most) = (*range.start(), *range.end());
            let right = || {
                let (least, most) = (
                    humantime::format_duration(least),
                    humantime::format_duration(most),
                );
                format!("write a duration from \"{least}\" to \"{most}\", such as \"30s\" or \"5m\"")
            };
            let duration = humantime::parse_duration(text.trim())
                .map_err(|e| (format!("{given} is not a duration: {e}"), right()))?;
            if range.contains(&duration) {
                Ok(duration)
            } else {
                Err((format!("{given} is not possible"), right()))
            }
        })
    }

    /// The address of the API.
    pub(super) fn base_url(&mut self, key: &str) -> String {
        self.take(key, |given| values::base_url(given.text("a URL")?))
    }

    /// The URL of the database; its path, if it has one, made absolute.
    pub(super) fn database(&mut self, key: &str) -> DatabaseUrl {
        let directory = self.directory;
        let url = self.take(key, |given| {
            values::database(given.text("a URL, sqlite: or postgres:")?, directory)
        });
        DatabaseUrl::new(url)
    }

    /// A path, made absolute.
    pub(super) fn path(&mut self, key: &str) -> PathBuf {
        let directory = self.directory;
        self.take(key, |given| match given.text("a path")? {
            "" => Err((
                "the path is empty".to_owned(),
                "write a path, such as \"state\"".to_owned(),
            )),
            path => Ok(directory.join(path)),
        })
    }

    /// A path, made absolute; an empty text is none.
    pub(super) fn optional_path(&mut self, key: &str) -> Option<PathBuf> {
        let directory = self.directory;
        self.take(key, |given| {
            let path = given.text("a path, or \"\" for none")?;
            Ok((!path.is_empty()).then(|| directory.join(path)))
        })
    }

    /// An address that nobody else may know; an empty text is none.
    pub(super) fn secret_url(&mut self, key: &str) -> Option<SecretUrl> {
        self.take(key, |given| {
            // What is there instead of a text may be the secret: it is not repeated.
            let ValueKind::String(text) = &given.kind else {
                return Err((
                    "this is not a text".to_owned(),
                    "write a URL, in quotes".to_owned(),
                ));
            };
            match text.trim() {
                "" => Ok(None),
                text => SecretUrl::new(text).map(Some),
            }
        })
    }

    /// What a webhook takes.
    pub(super) fn format(&mut self, key: &str) -> Format {
        self.take(key, |given| match given.text("\"json\" or \"slack\"")? {
            "json" => Ok(Format::Json),
            "slack" => Ok(Format::Slack),
            _ => Err((
                format!("{given} is not possible"),
                "write \"json\" or \"slack\"".to_owned(),
            )),
        })
    }

    /// Region codes.
    pub(super) fn regions(&mut self, key: &str) -> Vec<Region> {
        let right = "write a list of codes in quotes, such as [\"US\", \"LV\"]; [] is none";
        self.list(key, "a region", right)
    }

    /// IDs of sounds.
    pub(super) fn clips(&mut self, key: &str) -> Vec<ClipId> {
        let right = "write a list of IDs in quotes, such as [\"6703723351497508865\"]; [] is none";
        self.list(key, "a clip ID", right)
    }

    /// A list, each value once; from the environment with commas between.
    fn list<T: FromStr + Ord>(&mut self, key: &str, what: &str, right: &str) -> Vec<T> {
        self.take(key, |given| {
            let texts: Vec<String> = match &given.kind {
                ValueKind::Array(list) => list.iter().map(ToString::to_string).collect(),
                ValueKind::String(text) if given.from_environment => {
                    let texts = text.split(',').map(str::trim).filter(|text| !text.is_empty());
                    texts.map(str::to_owned).collect()
                }
                _ => return Err((format!("{given} is not a list"), right.to_owned())),
            };
            let value = |text: &String| {
                text.parse()
                    .map_err(|_| (format!("{text:?} is not {what}"), right.to_owned()))
            };
            let mut values = texts.iter().map(value).collect::<Result<Vec<T>, Wrong>>()?;
            values.sort();
            values.dedup();
            Ok(values)
        })
    }

    /// The days that an answer looks back.
    pub(super) fn window(&mut self, key: &str) -> Window {
        let window = self.take(key, |given| {
            let days = match &given.kind {
                ValueKind::I64(days) => Some(*days),
                ValueKind::String(text) if given.from_environment => text.trim().parse().ok(),
                _ => None,
            };
            let window = days.and_then(Window::of_days);
            let wrong = || {
                (
                    format!("{given} is not a period"),
                    "write 7, 30 or 120".to_owned(),
                )
            };
            window.map(Some).ok_or_else(wrong)
        });
        window.unwrap_or(Window::Days7)
    }

    /// `true` or `false`.
    pub(super) fn truth(&mut self, key: &str) -> bool {
        self.take(key, |given| {
            let truth = match &given.kind {
                ValueKind::Boolean(truth) => Some(*truth),
                ValueKind::String(text) if given.from_environment => text.trim().parse().ok(),
                _ => None,
            };
            truth.ok_or_else(|| {
                (
                    format!("{given} is neither yes nor no"),
                    "write true or false".to_owned(),
                )
            })
        })
    }

    /// A cron expression.
    pub(super) fn schedule(&mut self, key: &str) -> String {
        self.take(key, |given| {
            let text = given.text("a cron expression")?;
            let parsed = Schedule::parse(text, "UTC");
            parsed.map_err(|error| (error.to_string(), error.help()))?;
            Ok(text.to_owned())
        })
    }

    /// An IANA time zone.
    pub(super) fn time_zone(&mut self, key: &str) -> String {
        self.take(key, |given| {
            let text = given.text("a time zone")?;
            let parsed = Schedule::parse("@daily", text);
            parsed.map_err(|error| (error.to_string(), error.help()))?;
            Ok(text.to_owned())
        })
    }

    /// An address with a port; absent or empty is none.
    pub(super) fn listen(&mut self, key: &str) -> Option<SocketAddr> {
        self.merged.get::<Value>(key).ok()?;
        self.take(key, |given| match given.text("an address with a port")?.trim() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                let right = "write an IP address and a port, such as \"127.0.0.1:9464\" or \"[::1]:9464\"";
                (format!("{given} is not an address with a port"), right.to_owned())
            }),
        })
    }

    /// Takes one value; when it is wrong, keeps the problem and gives any value instead.
    fn take<T: Default>(&mut self, key: &str, read: impl FnOnce(&Given) -> Result<T, Wrong>) -> T {
        debug_assert!(KEYS.contains(&key), "{key} is missing in KEYS");
        let from_environment = self.variables.contains(&variable_of(key));
        let Ok(value) = self.merged.get::<Value>(key) else {
            // Only when a section is not a table, or a line is broken: that is told already.
            if self.problems.is_empty() {
                self.problems
                    .push(Problem::new(format!("{key}: there is no value")));
            }
            return T::default();
        };
        let given = Given {
            kind: value.kind,
            from_environment,
        };
        read(&given).unwrap_or_else(|(message, help)| {
            self.refuse(key, &message, &help);
            T::default()
        })
    }

    /// Keeps a problem with a value, and where it was given.
    pub(super) fn refuse(&mut self, key: &str, message: &str, help: &str) {
        let problem = if self.variables.contains(&variable_of(key)) {
            Problem::new(format!("{}: {message}", variable_of(key)))
        } else {
            let problem = Problem::new(format!("{key}: {message}"));
            match self.place(key) {
                Some(place) => problem.at(place),
                None => problem,
            }
        };
        self.problems.push(problem.help(help));
        if let Unsure::These(keys) = &mut self.unsure {
            keys.push(key.to_owned());
        }
    }

    /// Where the file has the value of a key.
    fn place(&self, key: &str) -> Option<Place> {
        let (source, table) = self.file.as_ref()?;
        let (section, name) = key.split_once('.')?;
        let DeValue::Table(section) = table.get(section)?.get_ref() else {
            return None;
        };
        Some(source.place(offset(section.get(name)?)))
    }
}

impl Given {
    /// What to say when a number was expected.
    fn no_number(&self, right: String) -> Wrong {
        match &self.kind {
            ValueKind::String(text) if !self.from_environment && text.trim().parse::<f64>().is_ok() => {
                (format!("{self} is a text"), format!("{right}, without quotes"))
            }
            _ => (format!("{self} is not possible"), right),
        }
    }

    fn text(&self, expected: &str) -> Result<&str, Wrong> {
        match &self.kind {
            ValueKind::String(text) => Ok(text),
            _ => Err((
                format!("{self} is not a text"),
                format!("write {expected}, in quotes"),
            )),
        }
    }
}

impl Display for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.kind {
            ValueKind::String(text) => write!(f, "{text:?}"),
            ValueKind::Table(_) => f.write_str("a table"),
            ValueKind::Array(_) => f.write_str("a list"),
            other => other.fmt(f),
        }
    }
}

fn merge(file: &str, env: &Map<String, String>) -> Result<config::Config, config::ConfigError> {
    let environment = Environment::with_prefix("SOUNDWATCH")
        .separator("__")
        .source(Some(env.clone()));
    config::Config::builder()
        .add_source(File::from_str(EXAMPLE, FileFormat::Toml))
        .add_source(File::from_str(file, FileFormat::Toml))
        .add_source(environment)
        .build()
}
