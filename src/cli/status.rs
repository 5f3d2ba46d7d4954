//! `soundwatch status`: how things stand, on one screen.

use std::path::PathBuf;

use serde::Serialize;

use super::exit::{Exit, Failure};
use super::output::{Output, table};
use crate::clock::{DAY, rfc3339};
use crate::collect::advice;
use crate::config::Config;
use crate::schedule::Schedule;
use crate::service::{Holder, Lock};
use crate::store::status::{OutcomeCount, TargetState, UnknownField};
use crate::store::{Missing, Store, sqlite_file};

/// Rows of targets on the screen.
const SHOWN: usize = 12;

/// Unknown fields on the screen.
const FIELDS_SHOWN: usize = 5;

/// The document of `--json`.
#[derive(Debug, Serialize)]
struct Status {
    database: Database,
    collecting: Vec<Holder>,
    targets: Targets,
    last_24_hours: Vec<OutcomeCount>,
    slots: Slots,
    budget: Spending,
    key: Key,
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
    output.result(&status?, Status::text)?;
    Ok(Exit::Done)
}

async fn gather(config: &Config, store: &Store, limit: i64) -> Result<Status, Failure> {
    let now = super::clock().now();
    let spent = store.spent(now).await?;
    let states = store.target_states().await?.into_iter();
    Ok(Status {
        database: database(config, store),
        collecting: collecting(config, store, now).await?,
        targets: Targets {
            states: states
                .map(|(state, targets)| StateCount { state, targets })
                .collect(),
            worst_first: store.worst_targets(limit).await?,
        },
        last_24_hours: store.outcomes_since(now - DAY).await?,
        slots: slots(&store.schedules().await?, now),
        budget: Spending {
            today_credits: spent.day,
            daily_credits: config.budget.daily_credits,
            month_credits: spent.month,
            monthly_credits: config.budget.monthly_credits,
        },
        key: key(config, store).await?,
        unknown_fields: store.unknown_fields().await?,
    })
}

fn database(config: &Config, store: &Store) -> Database {
    let file: Option<PathBuf> = sqlite_file(config.database.url.expose());
    Database {
        kind: store.kind(),
        url: config.database.url.to_string(),
        size_bytes: file.and_then(|file| Some(std::fs::metadata(file).ok()?.len())),
    }
}

/// Who collects: on SQLite whoever holds the lock, on Postgres the workers with a heartbeat.
pub(super) async fn collecting(config: &Config, store: &Store, now: i64) -> Result<Vec<Holder>, Failure> {
    if let Some(file) = sqlite_file(config.database.url.expose()) {
        return Ok(Lock::holder(&file).into_iter().collect());
    }
    Ok(store.workers(now).await?.iter().map(Holder::from).collect())
}

fn slots(schedules: &[(String, String)], now: i64) -> Slots {
    let readable = || {
        schedules
            .iter()
            .filter_map(|(expression, zone)| Schedule::parse(expression, zone).ok())
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

impl Status {
    fn text(&self) -> String {
        let mut lines = vec![
            ("Database", self.database_text()),
            ("Collecting", self.collecting_text()),
            ("Targets", self.targets.summary()),
            ("Last 24 hours", self.outcomes_text()),
            ("Slots", self.slots.text()),
            ("Budget", self.budget.text()),
            ("Key", self.key.text()),
        ];
        if !self.unknown_fields.is_empty() {
            lines.push(("Unknown fields", self.fields_text()));
        }
        let lines = lines.iter().map(|(name, text)| format!("{name:15}{text}"));
        let text = lines.collect::<Vec<_>>().join("\n");
        if self.targets.worst_first.is_empty() {
            return text;
        }
        format!("{text}\n\n{}", self.targets.table())
    }

    fn database_text(&self) -> String {
        let size = self
            .database
            .size_bytes
            .map_or_else(String::new, |bytes| format!(", {}", indicatif::HumanBytes(bytes)));
        format!("{} ({}{size})", self.database.kind, self.database.url)
    }

    fn collecting_text(&self) -> String {
        if self.collecting.is_empty() {
            return "nobody; `soundwatch run` starts the daemon, `soundwatch collect` makes one pass"
                .to_owned();
        }
        let holders: Vec<String> = self.collecting.iter().map(ToString::to_string).collect();
        holders.join(", ")
    }

    fn outcomes_text(&self) -> String {
        if self.last_24_hours.is_empty() {
            return "nothing was asked".to_owned();
        }
        let outcomes = self.last_24_hours.iter().map(|count| match &count.reason {
            Some(reason) => format!("{} {} ({reason})", count.slots, count.outcome),
            None => format!("{} {}", count.slots, count.outcome),
        });
        outcomes.collect::<Vec<_>>().join(", ")
    }

    fn fields_text(&self) -> String {
        let shown = self.unknown_fields.iter().take(FIELDS_SHOWN);
        let mut fields: Vec<String> = shown
            .map(|field| format!("{} ({} answers)", field.path, field.answers))
            .collect();
        let rest = self.unknown_fields.len().saturating_sub(FIELDS_SHOWN);
        if rest > 0 {
            fields.push(format!("{rest} more"));
        }
        format!("{}; kept in snapshots.extra", fields.join(", "))
    }
}

impl Targets {
    fn all(&self) -> i64 {
        self.states.iter().map(|count| count.targets).sum()
    }

    fn summary(&self) -> String {
        if self.states.is_empty() {
            return "none yet; `run` and `collect` take them from the watchlist".to_owned();
        }
        let states = self
            .states
            .iter()
            .map(|count| format!("{} {}", count.targets, count.state));
        format!("{}: {}", self.all(), states.collect::<Vec<_>>().join(", "))
    }

    fn table(&self) -> String {
        let headings = [
            "sound",
            "title",
            "region",
            "period",
            "newest day",
            "last success",
            "hours ago",
            "state",
        ];
        let mut table = table(&headings, &[6]);
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
        for target in self.worst_first.iter().take(SHOWN) {
            table.add_row([
                target.clip_id.clone(),
                or_none(&target.title),
                target.region.clone(),
                target.period.clone(),
                or_none(&target.newest_day),
                or_none(&target.last_success_at),
                or_none(&target.age_hours.map(|hours| format!("{hours:.1}"))),
                target.state.clone(),
            ]);
        }
        let shown = i64::try_from(self.worst_first.len().min(SHOWN)).unwrap_or(i64::MAX);
        let rest = self.all() - shown;
        if rest > 0 {
            format!("{table}\n… and {rest} more; `--json` has all of them")
        } else {
            table.to_string()
        }
    }
}

impl Slots {
    fn text(&self) -> String {
        let or_none = |slot: &Option<String>| slot.clone().unwrap_or_else(|| "none".to_owned());
        format!("last {}, next {}", or_none(&self.last), or_none(&self.next))
    }
}

impl Spending {
    fn text(&self) -> String {
        format!(
            "{} of {} credits today, {} of {} this month (UTC)",
            self.today_credits, self.daily_credits, self.month_credits, self.monthly_credits
        )
    }
}

impl Key {
    fn text(&self) -> String {
        let found = match &self.fingerprint {
            Some(fingerprint) => format!("fingerprint {fingerprint}"),
            None => "none found here; `soundwatch check` says where it is looked for".to_owned(),
        };
        let pauses = self.pauses.iter().map(|pause| {
            format!(
                "\n{:15}paused until {} ({}, since {}, fingerprint {}). {}",
                "", pause.until, pause.reason, pause.since, pause.fingerprint, pause.advice
            )
        });
        format!("{found}{}", pauses.collect::<String>())
    }
}
