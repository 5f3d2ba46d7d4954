//! `soundwatch check`: the one command to run after any edit. It tells everything that is wrong with
//! configuration, watchlist, key, database, clock, disk and systemd unit, at once. Without `--spend`
//! it sends no request, and makes or changes nothing.

mod database;
mod machine;
mod page;
mod spend;
mod text;
mod unit;

use std::path::Path;

use serde::Serialize;

use super::exit::{Exit, Failure};
use super::forecast::all_new;
use super::output::{Output, Told, note, problem_of};
use crate::collect::targets::Changes;
use crate::config::{self, Config, Examined};
use crate::forecast::{Forecast, Standing};
use crate::model::TargetSpec;
use crate::problem::{Problem, Problems};
use crate::service::Holder;
use crate::store::sqlite_file;
use crate::watchlist::{self, region_doubts};
use crate::words::counted;
use machine::Machine;
use spend::Spent;

/// Days that are held against the budget.
const FORECAST_DAYS: i64 = 30;

/// What was found.
#[derive(Default)]
struct Findings {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    /// What is wrong with the database, which is no mistake of what the person wrote.
    database: Option<Problem>,
    summary: Summary,
}

/// What there is, as far as it could be read.
#[derive(Default, Serialize)]
struct Summary {
    configuration: Option<String>,
    /// Settings that the environment gives.
    environment: Vec<String>,
    /// The systemd unit that runs with this configuration.
    unit: Option<String>,
    watchlist: Option<String>,
    /// What the watchlist changes in the stored targets.
    changes: Option<Changes>,
    forecast: Option<Forecast>,
    alerts: Alerting,
    key_fingerprint: Option<String>,
    /// Where the key was found.
    key_source: Option<String>,
    database: Option<String>,
    database_state: Option<String>,
    room: Vec<String>,
    /// What came of the one request of `--spend`.
    spent: Option<Spent>,
}

/// Who is told when something is wrong; the addresses are secrets.
#[derive(Default, Serialize)]
struct Alerting {
    webhook: bool,
    heartbeat: bool,
}

/// The document of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    ok: bool,
    /// All that is wrong in one text, as other commands have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    problems: Vec<Told>,
    warnings: Vec<Told>,
    database_problem: Option<Told>,
    summary: &'a Summary,
}

pub(super) async fn run(file: Option<&Path>, spend: bool, output: Output) -> Result<Exit, Failure> {
    let mut findings = Findings::default();
    let mut exit = None;
    match config::examine(file) {
        Ok(examined) => {
            findings.examine(&examined).await;
            if spend && findings.exit() == Exit::Done {
                exit = Some(findings.spend(&examined.config).await?);
            }
        }
        Err(Problems(problems)) => findings.problems = problems,
    }
    if output.is_json() {
        output.result(&findings.document(), |_| String::new())?;
    } else {
        findings.tell(spend, output)?;
    }
    Ok(exit.unwrap_or_else(|| findings.exit()))
}

impl Findings {
    async fn examine(&mut self, examined: &Examined) {
        let config = &examined.config;
        self.problems.extend_from_slice(&examined.problems.0);
        self.configuration(examined);
        let wanted = self.watchlist(examined);
        if examined.is_sure_of("api.key_file") {
            self.key(config);
        }
        self.machine(examined);
        let now = super::clock().now();
        self.problems.extend(machine::clock(now));
        let (standing, collecting) = if examined.is_sure_of("database.url") {
            self.database(config, wanted.as_deref(), now).await
        } else {
            (None, Vec::new())
        };
        self.problems.extend(page::problems(examined, &collecting));
        if let Some(wanted) = wanted {
            let sure = ["credits_per_request", "daily_credits", "monthly_credits"];
            if sure
                .iter()
                .all(|name| examined.is_sure_of(&format!("budget.{name}")))
            {
                self.forecast(config, &wanted, standing.unwrap_or_default(), now);
            }
        }
    }

    fn configuration(&mut self, examined: &Examined) {
        let path = examined.config.path.as_ref();
        self.summary.configuration = path.map(|path| path.display().to_string());
        let variables = examined.variables.iter();
        let told = variables.map(|variable| match variable.overrides {
            Some(key) => format!("{} overrides {key} of the file", variable.name),
            None => variable.name.clone(),
        });
        self.summary.environment = told.collect();
        let regions = &examined.config.discover.regions;
        self.warnings.extend(region_doubts("discover.regions", regions));
        let alerts = &examined.config.alerts;
        self.summary.alerts = Alerting {
            webhook: alerts.webhook_url.is_some(),
            heartbeat: alerts.heartbeat_url.is_some(),
        };
    }

    /// Reads the watchlist also when the configuration has problems, unless it is not clear where it is.
    fn watchlist(&mut self, examined: &Examined) -> Option<Vec<TargetSpec>> {
        let path = examined.config.watchlist.path.as_ref()?;
        if !examined.is_sure_of("watchlist.path") && !path.exists() {
            return None;
        }
        let found = watchlist::examine(path);
        self.warnings.extend(found.watchlist.warnings.iter().cloned());
        match found.usable() {
            Ok(watchlist) => {
                self.summary.watchlist = Some(path.display().to_string());
                Some(watchlist.targets)
            }
            Err(Problems(problems)) => {
                self.problems.extend(problems);
                None
            }
        }
    }

    fn key(&mut self, config: &Config) {
        match config.api_key_and_source() {
            Ok((key, source)) => {
                self.summary.key_fingerprint = Some(key.fingerprint());
                self.summary.key_source = Some(source.to_string());
            }
            Err(Problems(problems)) => self.problems.extend(problems),
        }
    }

    fn machine(&mut self, examined: &Examined) {
        let unit = unit::look(Path::new("/"), &examined.config, &examined.variables);
        let sure = |key: &str| examined.is_sure_of(key);
        // Where there is a unit, its user is the one who writes.
        let machine = Machine::look(&examined.config, sure, unit.unit.is_none());
        self.problems
            .extend(machine.problems.into_iter().chain(unit.problems));
        self.warnings
            .extend(machine.warnings.into_iter().chain(unit.warnings));
        self.summary.unit = unit.unit;
        self.summary.room = machine.room;
    }

    /// Looks at the database. Gives what a forecast of the wanted targets goes on from, and who collects.
    async fn database(
        &mut self,
        config: &Config,
        wanted: Option<&[TargetSpec]>,
        now: i64,
    ) -> (Option<Standing>, Vec<Holder>) {
        self.summary.database = Some(config.database.url.to_string());
        if sqlite_file(config.database.url.expose()).is_some_and(|file| !file.exists()) {
            let will = "not there yet; `run` and `collect` make it".to_owned();
            self.summary.database_state = Some(will);
            return (wanted.map(all_new), Vec::new());
        }
        match database::look_at(config, wanted, now).await {
            Ok(found) => {
                self.summary.database_state = Some(found.state);
                self.summary.changes = found.changes;
                self.problems.extend(found.clock);
                self.warnings.extend(found.paused);
                (found.standing, found.collecting)
            }
            Err(error) => {
                self.database = Some(problem_of(&format!("{}: {error}", config.database.url)));
                (None, Vec::new())
            }
        }
    }

    fn forecast(&mut self, config: &Config, wanted: &[TargetSpec], standing: Standing, now: i64) {
        let forecast = Forecast::new(
            wanted,
            config.discovers(),
            config.budget,
            standing,
            now,
            FORECAST_DAYS,
        );
        self.warnings.extend(forecast.over_budget());
        self.summary.forecast = Some(forecast);
    }

    async fn spend(&mut self, config: &Config) -> Result<Exit, Failure> {
        let spent = spend::run(config).await?;
        let exit = spent.exit();
        self.summary.spent = Some(spent);
        Ok(exit)
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

    /// All that is wrong.
    fn wrong(&self) -> Problems {
        Problems(self.problems.iter().chain(&self.database).cloned().collect())
    }

    fn document(&self) -> Document<'_> {
        let ok = self.exit() == Exit::Done;
        Document {
            ok,
            error: (!ok).then(|| self.wrong().to_string()),
            problems: self.problems.iter().map(Told::new).collect(),
            warnings: self.warnings.iter().map(Told::new).collect(),
            database_problem: self.database.as_ref().map(Told::new),
            summary: &self.summary,
        }
    }

    /// Problems and warnings go to stderr, like those of every command.
    fn tell(&self, spend: bool, output: Output) -> Result<(), Failure> {
        for warning in &self.warnings {
            note(&format!("warning: {warning}"));
        }
        let Problems(problems) = self.wrong();
        if problems.is_empty() {
            return output.result(&self.summary, |summary| summary.text(self.warnings.len()));
        }
        problems.iter().for_each(|problem| note(&problem.to_string()));
        note(&counted(problems.len(), "problem"));
        if spend {
            note("nothing was spent: mend this first");
        }
        Ok(())
    }
}
