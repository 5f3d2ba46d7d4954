//! `soundwatch check`: everything that is wrong with configuration, watchlist, key and database, at
//! once. It sends no request, and makes or changes no table.

use std::path::Path;

use rustix::fs::{Access, access};
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::forecast::{all_new, lines, standing};
use super::output::{Output, Told, note};
use crate::collect::targets::Changes;
use crate::config::{self, Config, Examined};
use crate::forecast::{Forecast, Standing};
use crate::model::TargetSpec;
use crate::problem::{Place, Problem, Problems};
use crate::service::Lock;
use crate::store::migrate::NEWEST;
use crate::store::{Missing, Store, StoreError, sqlite_file};
use crate::watchlist;

/// Days that are held against the budget.
const FORECAST_DAYS: i64 = 30;

/// What was found.
#[derive(Default)]
struct Findings {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    /// What is wrong with the database, which is no mistake of what the person wrote.
    database: Option<String>,
    summary: Summary,
}

/// What there is, as far as it could be read.
#[derive(Default, Serialize)]
struct Summary {
    configuration: Option<String>,
    watchlist: Option<String>,
    /// What the watchlist changes in the stored targets.
    changes: Option<Changes>,
    forecast: Option<Forecast>,
    key_fingerprint: Option<String>,
    database: Option<String>,
    database_state: Option<String>,
}

/// The document of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    ok: bool,
    problems: Vec<Told>,
    warnings: Vec<Told>,
    database_problem: Option<&'a str>,
    summary: &'a Summary,
}

pub(super) async fn run(file: Option<&Path>, output: Output) -> Result<Exit, Failure> {
    let findings = match config::examine(file) {
        Ok(examined) => examine(examined).await,
        Err(Problems(problems)) => Findings {
            problems,
            ..Findings::default()
        },
    };
    if output.is_json() {
        output.result(&findings.document(), |_| String::new())?;
    } else {
        findings.tell(output)?;
    }
    Ok(findings.exit())
}

async fn examine(examined: Examined) -> Findings {
    let config = &examined.config;
    let mut findings = Findings {
        problems: examined.problems.0.clone(),
        ..Findings::default()
    };
    findings.summary.configuration = config.path.as_ref().map(|path| path.display().to_string());
    let wanted = findings.watchlist(&examined);
    if examined.is_sure_of("api.key_file") {
        findings.key(config);
    }
    let now = super::clock().now();
    let standing = if examined.is_sure_of("database.url") {
        findings.database(config, wanted.as_deref(), now).await
    } else {
        None
    };
    if let Some(wanted) = wanted {
        findings.forecast(config, &wanted, standing.unwrap_or_default(), now);
    }
    findings
}

impl Findings {
    /// Reads the watchlist also when the configuration has problems, unless it is not clear where it is.
    fn watchlist(&mut self, examined: &Examined) -> Option<Vec<TargetSpec>> {
        let path = examined.config.watchlist.path.as_ref()?;
        if !examined.is_sure_of("watchlist.path") && !path.exists() {
            return None;
        }
        match watchlist::read(path) {
            Ok(watchlist) => {
                self.summary.watchlist = Some(path.display().to_string());
                self.warnings.extend(watchlist.warnings);
                Some(watchlist.targets)
            }
            Err(Problems(problems)) => {
                self.problems.extend(problems);
                None
            }
        }
    }

    fn forecast(&mut self, config: &Config, wanted: &[TargetSpec], standing: Standing, now: i64) {
        let forecast = Forecast::new(wanted, config.budget, standing, now, FORECAST_DAYS);
        self.warnings.extend(forecast.over_budget());
        if config.http.listen.is_some() {
            self.warnings.push(Problem::new(
                "http.listen is set, but this version serves no page yet",
            ));
        }
        self.summary.forecast = Some(forecast);
    }

    fn key(&mut self, config: &Config) {
        match config.api_key() {
            Ok(key) => self.summary.key_fingerprint = Some(key.fingerprint()),
            Err(Problems(problems)) => self.problems.extend(problems),
        }
    }

    /// Looks at the database. Gives what a forecast of the wanted targets goes on from.
    async fn database(
        &mut self,
        config: &Config,
        wanted: Option<&[TargetSpec]>,
        now: i64,
    ) -> Option<Standing> {
        self.summary.database = Some(config.database.url.to_string());
        if let Some(file) = sqlite_file(config.database.url.expose())
            && !file.exists()
        {
            match folder_of(&file) {
                Ok(()) => {
                    let will = "not there yet; `run` and `collect` make it".to_owned();
                    self.summary.database_state = Some(will);
                }
                Err(problem) => self.problems.push(problem),
            }
            return wanted.map(all_new);
        }
        match look_at(config, wanted, now).await {
            Ok(found) => {
                self.summary.database_state = Some(found.state);
                self.summary.changes = found.changes;
                found.standing
            }
            Err(error) => {
                self.database = Some(error.to_string());
                None
            }
        }
    }

    fn exit(&self) -> Exit {
        if !self.problems.is_empty() {
            Exit::Wrong
        } else if self.database.is_some() {
            Exit::Failed
        } else {
            Exit::Done
        }
    }

    fn document(&self) -> Document<'_> {
        Document {
            ok: self.exit() == Exit::Done,
            problems: self.problems.iter().map(Told::new).collect(),
            warnings: self.warnings.iter().map(Told::new).collect(),
            database_problem: self.database.as_deref(),
            summary: &self.summary,
        }
    }

    /// Problems and warnings go to stderr, like those of every command.
    fn tell(&self, output: Output) -> Result<(), Failure> {
        for warning in &self.warnings {
            note(&format!("warning: {warning}"));
        }
        for problem in &self.problems {
            note(&problem.to_string());
        }
        if let Some(error) = &self.database {
            note(error);
        }
        let problems = self.problems.len() + usize::from(self.database.is_some());
        if problems == 0 {
            return output.result(&self.summary, Summary::text);
        }
        note(&match problems {
            1 => "1 problem".to_owned(),
            n => format!("{n} problems"),
        });
        Ok(())
    }
}

/// What there is to say of a database that can be opened.
#[derive(Default)]
struct Found {
    state: String,
    standing: Option<Standing>,
    changes: Option<Changes>,
}

/// Looks into a database. Nothing is made or migrated.
async fn look_at(config: &Config, wanted: Option<&[TargetSpec]>, now: i64) -> Result<Found, StoreError> {
    let store = Store::open(config.database.url.expose(), Missing::Refuse).await?;
    let found = found_in(&store, config, wanted, now).await;
    store.close().await;
    found
}

async fn found_in(
    store: &Store,
    config: &Config,
    wanted: Option<&[TargetSpec]>,
    now: i64,
) -> Result<Found, StoreError> {
    let migration = store.migration().await?;
    let holder = sqlite_file(config.database.url.expose()).and_then(|file| Lock::holder(&file));
    let collecting = holder.map_or_else(String::new, |holder| format!("; {holder} is collecting"));
    match store.require_migrated().await {
        Ok(()) => {}
        Err(error @ StoreError::Outdated { .. }) => {
            return Ok(Found {
                state: format!(
                    "at migration {migration} of {NEWEST}; `run` and `collect` bring it up to date{collecting}"
                ),
                standing: wanted.filter(|_| error.is_empty_place()).map(all_new),
                changes: None,
            });
        }
        Err(error) => return Err(error),
    }
    let mut found = Found {
        state: format!("up to date (migration {migration}){collecting}"),
        ..Found::default()
    };
    if let Some(wanted) = wanted {
        let stored = store.targets().await?;
        found.standing = Some(standing(store, &stored, wanted, config, now).await?);
        found.changes = Some(Changes::new(&stored, wanted, config.budget, now));
    }
    Ok(found)
}

/// Whether a database file could be made: in the folder, or in a new one in the nearest there is.
fn folder_of(file: &Path) -> Result<(), Problem> {
    let nearest = file.ancestors().skip(1).find(|folder| folder.exists());
    let folder = nearest.filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if folder.is_dir() && access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok() {
        return Ok(());
    }
    Err(
        Problem::new("the database cannot be made: this is no folder that this user can write to")
            .help("make it writable, or name another place in database.url")
            .at(Place::file(folder)),
    )
}

impl Summary {
    fn text(&self) -> String {
        let or =
            |text: &Option<String>, otherwise: &str| text.clone().unwrap_or_else(|| otherwise.to_owned());
        let mut rows = vec![
            format!(
                "Configuration  {}",
                or(&self.configuration, "no file; the defaults and the environment")
            ),
            format!(
                "Watchlist      {}",
                or(&self.watchlist, "none; another worker owns it")
            ),
        ];
        if let Some(changes) = self.changes.as_ref().filter(|changes| !changes.is_empty()) {
            rows.push(format!("Its changes    {changes}"));
            rows.push(format!("               {}", changes.names));
        }
        if let Some(forecast) = &self.forecast {
            rows.extend(
                lines(forecast)
                    .into_iter()
                    .map(|line| format!("               {line}")),
            );
        }
        rows.push(format!(
            "Key            fingerprint {}",
            or(&self.key_fingerprint, "unknown")
        ));
        rows.push(format!(
            "Database       {}, {}",
            or(&self.database, ""),
            or(&self.database_state, "")
        ));
        rows.push("All is well.".to_owned());
        rows.join("\n")
    }
}
