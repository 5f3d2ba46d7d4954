//! `soundwatch check`: everything that is wrong with configuration, watchlist, key and database, at
//! once. It sends no request, and makes or changes no table.

use std::path::Path;

use rustix::fs::{Access, access};
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::forecast::Forecast;
use super::output::{Output, note};
use crate::config::{self, Config, Examined};
use crate::problem::{Place, Problem, Problems};
use crate::service::Lock;
use crate::store::migrate::NEWEST;
use crate::store::{Missing, Store, StoreError, sqlite_file};
use crate::watchlist::{self, Watchlist};

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

/// A problem for machines.
#[derive(Serialize)]
struct Told {
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    message: String,
    help: Option<String>,
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
    findings.watchlist(&examined);
    if examined.is_sure_of("api.key_file") {
        findings.key(config);
    }
    if examined.is_sure_of("database.url") {
        findings.database(config).await;
    }
    findings
}

impl Findings {
    /// Reads the watchlist also when the configuration has problems, unless it is not clear where it is.
    fn watchlist(&mut self, examined: &Examined) {
        let Some(path) = &examined.config.watchlist.path else {
            return;
        };
        if !examined.is_sure_of("watchlist.path") && !path.exists() {
            return;
        }
        match watchlist::read(path) {
            Ok(watchlist) => {
                self.summary.watchlist = Some(path.display().to_string());
                self.forecast(&examined.config, &watchlist);
                self.warnings.extend(watchlist.warnings);
            }
            Err(Problems(problems)) => self.problems.extend(problems),
        }
    }

    fn forecast(&mut self, config: &Config, watchlist: &Watchlist) {
        let forecast = Forecast::new(&watchlist.targets, config.budget, super::clock().now());
        self.warnings.extend(forecast.over_budget(config));
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

    async fn database(&mut self, config: &Config) {
        self.summary.database = Some(config.database.url.to_string());
        let url = config.database.url.expose();
        if let Some(file) = sqlite_file(url)
            && !file.exists()
        {
            match folder_of(&file) {
                Ok(()) => {
                    let will = "not there yet; `run` and `collect` make it".to_owned();
                    self.summary.database_state = Some(will);
                }
                Err(problem) => self.problems.push(problem),
            }
            return;
        }
        match state_of(url).await {
            Ok(state) => self.summary.database_state = Some(state),
            Err(error) => self.database = Some(error.to_string()),
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

/// What there is to say of a database that can be opened. Nothing is made or migrated.
async fn state_of(url: &str) -> Result<String, StoreError> {
    let store = Store::open(url, Missing::Refuse).await?;
    let migration = store.migration().await;
    let required = store.require_migrated().await;
    store.close().await;
    let migration = migration?;
    let holder = sqlite_file(url).and_then(|file| Lock::holder(&file));
    let collecting = holder.map_or_else(String::new, |holder| format!("; {holder} is collecting"));
    match required {
        Ok(()) => Ok(format!("up to date (migration {migration}){collecting}")),
        Err(StoreError::Outdated { .. }) => Ok(format!(
            "at migration {migration} of {NEWEST}; `run` and `collect` bring it up to date{collecting}"
        )),
        Err(error) => Err(error),
    }
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
        let mut lines = vec![
            format!(
                "Configuration  {}",
                or(&self.configuration, "no file; the defaults and the environment")
            ),
            format!(
                "Watchlist      {}",
                or(&self.watchlist, "none; another worker owns it")
            ),
        ];
        if let Some(forecast) = &self.forecast {
            lines.extend(
                forecast
                    .lines()
                    .into_iter()
                    .map(|line| format!("               {line}")),
            );
        }
        lines.push(format!(
            "Key            fingerprint {}",
            or(&self.key_fingerprint, "unknown")
        ));
        lines.push(format!(
            "Database       {}, {}",
            or(&self.database, ""),
            or(&self.database_state, "")
        ));
        lines.push("All is well.".to_owned());
        lines.join("\n")
    }
}

impl Told {
    fn new(problem: &Problem) -> Self {
        let place = problem.place.as_ref();
        let position = place.and_then(|place| place.position);
        Self {
            file: place.map(|place| place.file.display().to_string()),
            line: position.map(|(line, _)| line),
            column: position.map(|(_, column)| column),
            message: problem.message.clone(),
            help: problem.help.clone(),
        }
    }
}
