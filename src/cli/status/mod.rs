//! `soundwatch status`: how things stand, on one screen.

mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::exit::{Exit, Failure};
use super::output::{Output, Told};
use crate::clock::{DAY, rfc3339};
use crate::collect::{advice, catch_up_from, newest_slots};
use crate::config::Config;
use crate::forecast::{Forecast, Standing};
use crate::model::TargetSpec;
use crate::problem::{Problem, Problems};
use crate::schedule::Schedule;
use crate::service::{Holder, Lock};
use crate::spool;
use crate::store::alerts::Alert;
use crate::store::budget::Spent;
use crate::store::status::{OutcomeCount, TargetState, UnknownField};
use crate::store::{Missing, Store, StoreError, sqlite_file};
use crate::trend::Fit;
use crate::watchlist;

/// Rows of targets on the screen.
const SHOWN: usize = 10;

/// Days that are held against the budget.
const FORECAST_DAYS: i64 = 30;

/// The document of `--json`.
#[derive(Debug, Serialize)]
struct Status {
    collecting: Vec<Holder>,
    alerts: Vec<Alert>,
    database: Database,
    watchlist: Watched,
    key: Key,
    slots: Slots,
    last_24_hours: Vec<OutcomeCount>,
    budget: Spending,
    forecast: Coming,
    spool: Waiting,
    index: Indexes,
    targets: Targets,
    unknown_fields: Vec<UnknownField>,
}

#[derive(Debug, Serialize)]
struct Database {
    kind: &'static str,
    url: String,
    size_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Targets {
    states: Vec<StateCount>,
    worst_first: Vec<TargetState>,
}

#[derive(Debug, Serialize)]
struct StateCount {
    state: String,
    targets: i64,
}

/// The newest and the next slot of any schedule, RFC 3339, UTC.
#[derive(Debug, Serialize)]
struct Slots {
    last: Option<String>,
    next: Option<String>,
}

#[derive(Debug, Serialize)]
struct Spending {
    today_credits: i64,
    daily_credits: i64,
    month_credits: i64,
    monthly_credits: i64,
}

/// The watchlist as it is on this machine now; empty where another worker owns it.
#[derive(Debug, Default, Serialize)]
struct Watched {
    path: Option<PathBuf>,
    targets: Option<usize>,
    /// Whether as many targets of each schedule are in the database.
    in_force: Option<bool>,
    #[serde(serialize_with = "told")]
    problems: Vec<Problem>,
}

/// What is still to come, when nothing goes wrong.
#[derive(Debug, Serialize)]
struct Coming {
    due_now: i64,
    today_credits: i64,
    month_credits: i64,
    credits_per_day: f64,
    #[serde(serialize_with = "told")]
    over_budget: Vec<Problem>,
}

/// Answers on disk that the database has not taken yet.
#[derive(Debug, Serialize)]
struct Waiting {
    answers: usize,
    set_aside: usize,
    /// Why they can't be counted, if so.
    problem: Option<String>,
}

/// How well the windows fit that the indexes are computed from, and how many series wait for it.
#[derive(Debug, Serialize)]
struct Indexes {
    #[serde(flatten)]
    fit: Fit,
    waiting: i64,
    /// Signs that the service does not scale its windows as is thought.
    doubts: Vec<&'static str>,
}

fn told<S: serde::Serializer>(problems: &[Problem], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(problems.iter().map(Told::new))
}

/// The key that was found, and which keys are paused: that one, or any if none was found.
#[derive(Debug, Serialize)]
pub(super) struct Key {
    fingerprint: Option<String>,
    pub(super) pauses: Vec<Paused>,
}

#[derive(Debug, Serialize)]
pub(super) struct Paused {
    fingerprint: String,
    pub(super) reason: String,
    since: String,
    pub(super) until: String,
    pub(super) advice: &'static str,
}

pub(super) async fn run(config: &Config, output: Output) -> Result<Exit, Failure> {
    let store = Store::open(config.database.url.expose(), Missing::Refuse).await?;
    store.require_migrated().await?;
    let limit = if output.is_json() { i64::MAX } else { SHOWN as i64 };
    let status = gather(config, &store, limit).await;
    store.close().await;
    output.result(&status?, text::of)?;
    Ok(Exit::Done)
}

async fn gather(config: &Config, store: &Store, limit: i64) -> Result<Status, Failure> {
    let now = super::clock().now();
    let spent = store.spent(now).await?;
    let states = store.target_states().await?.into_iter();
    let schedules = store.schedules_of_targets().await?;
    Ok(Status {
        collecting: collecting(config, store, now).await?,
        alerts: store.open_alerts().await?,
        database: database(config, store),
        watchlist: watched(config, &schedules),
        key: key(config, store).await?,
        slots: slots(&schedules, now),
        last_24_hours: store.outcomes_since(now - DAY).await?,
        budget: Spending {
            today_credits: spent.day,
            daily_credits: config.budget.daily_credits,
            month_credits: spent.month,
            monthly_credits: config.budget.monthly_credits,
        },
        forecast: coming(config, store, &schedules, spent, now).await?,
        spool: waiting(config),
        index: indexes(store).await?,
        targets: Targets {
            states: states
                .map(|(state, targets)| StateCount { state, targets })
                .collect(),
            worst_first: store.worst_targets(limit).await?,
        },
        unknown_fields: store.unknown_fields().await?,
    })
}

fn watched(config: &Config, stored: &[(String, String, i64)]) -> Watched {
    let Some(path) = &config.watchlist.path else {
        return Watched::default();
    };
    let read = watchlist::read(path);
    let path = Some(path.clone());
    match read {
        Ok(watchlist) => Watched {
            path,
            targets: Some(watchlist.targets.len()),
            in_force: Some(same_schedules(&watchlist.targets, stored)),
            problems: Vec::new(),
        },
        Err(Problems(problems)) => Watched {
            path,
            problems,
            ..Watched::default()
        },
    }
}

/// Whether as many targets are wanted of each schedule as are stored: what they cost is then the same.
fn same_schedules(wanted: &[TargetSpec], stored: &[(String, String, i64)]) -> bool {
    let mut counts: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for target in wanted {
        *counts.entry((&target.schedule, &target.time_zone)).or_default() += 1;
    }
    let stored = stored
        .iter()
        .map(|(s, zone, n)| ((s.as_str(), zone.as_str()), *n));
    counts == stored.collect()
}

/// Of the targets as they are stored: their schedules are few.
async fn coming(
    config: &Config,
    store: &Store,
    schedules: &[(String, String, i64)],
    spent: Spent,
    now: i64,
) -> Result<Coming, StoreError> {
    let due_now = due_now(config, store, schedules, now).await?;
    let standing = Standing { spent, due_now };
    let forecast = Forecast::of_schedules(
        schedules,
        config.discovers(),
        config.budget,
        standing,
        now,
        FORECAST_DAYS,
    );
    Ok(Coming {
        due_now,
        today_credits: forecast.days.first().map_or(0, |day| day.credits),
        month_credits: forecast.months.first().map_or(0, |month| month.credits),
        credits_per_day: forecast.credits_per_day,
        over_budget: forecast.over_budget(),
    })
}

/// How many slots are due, those included that wait for the budget or a pause.
pub(super) async fn due_now(
    config: &Config,
    store: &Store,
    schedules: &[(String, String, i64)],
    now: i64,
) -> Result<i64, StoreError> {
    let pairs = schedules.iter().map(|(s, zone, _)| (s.as_str(), zone.as_str()));
    let newest = newest_slots(pairs, now);
    let from = catch_up_from(config.schedule.catch_up, now);
    store.due_count(&newest, from).await
}

fn waiting(config: &Config) -> Waiting {
    let found = spool::waiting(&config.state.dir.join("spool"));
    let (answers, set_aside) = *found.as_ref().unwrap_or(&(0, 0));
    Waiting {
        answers,
        set_aside,
        problem: found.err().map(|error| error.to_string()),
    }
}

async fn indexes(store: &Store) -> Result<Indexes, StoreError> {
    let (fit, waiting) = store.index_fit().await?;
    Ok(Indexes {
        doubts: fit.doubts(),
        fit,
        waiting,
    })
}

fn database(config: &Config, store: &Store) -> Database {
    let file: Option<PathBuf> = sqlite_file(config.database.url.expose());
    Database {
        kind: store.kind(),
        url: config.database.url.to_string(),
        size_bytes: file.and_then(|file| size_of(&file)),
    }
}

/// With the write-ahead log, in which the newest rows are.
fn size_of(file: &Path) -> Option<u64> {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let size = |file: &Path| Some(std::fs::metadata(file).ok()?.len());
    Some(size(file)? + size(Path::new(&log)).unwrap_or_default())
}

/// Who collects: on SQLite whoever holds the lock, on Postgres the workers with a heartbeat.
pub(super) async fn collecting(config: &Config, store: &Store, now: i64) -> Result<Vec<Holder>, Failure> {
    if let Some(file) = sqlite_file(config.database.url.expose()) {
        return Ok(Lock::holder(&file).into_iter().collect());
    }
    Ok(store.workers(now).await?.iter().map(Holder::from).collect())
}

fn slots(schedules: &[(String, String, i64)], now: i64) -> Slots {
    let readable = || {
        schedules
            .iter()
            .filter_map(|(expression, zone, _)| Schedule::parse(expression, zone).ok())
    };
    Slots {
        last: readable().filter_map(|s| s.newest(now)).max().map(rfc3339),
        next: readable().filter_map(|s| s.next(now)).min().map(rfc3339),
    }
}

/// Works without a key: whoever looks at the history need not be able to read it.
pub(super) async fn key(config: &Config, store: &Store) -> Result<Key, Failure> {
    let fingerprint = config.api_key().ok().map(|key| key.fingerprint());
    let pauses = store.pauses().await?.into_iter();
    let ours = pauses.filter(|(of, _)| fingerprint.as_ref().is_none_or(|ours| ours == of));
    let pauses = ours.map(|(fingerprint, pause)| Paused {
        fingerprint,
        advice: advice(&pause.reason),
        since: rfc3339(pause.since),
        until: rfc3339(pause.until),
        reason: pause.reason,
    });
    Ok(Key {
        pauses: pauses.collect(),
        fingerprint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_database_has_its_write_ahead_log() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("soundwatch.db");
        assert_eq!(size_of(&file), None);
        std::fs::write(&file, [0; 100]).unwrap();
        assert_eq!(size_of(&file), Some(100));
        std::fs::write(folder.path().join("soundwatch.db-wal"), [0; 11]).unwrap();
        assert_eq!(size_of(&file), Some(111));
    }
}
