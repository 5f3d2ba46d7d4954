//! `check --spend`: one real request, entered in the ledger like every other, to see whether all of it
//! works.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::super::exit::{Exit, Failure};
use super::super::output::note;
use crate::collect::{Stop, Wanted, advice, catch_up_from, newest_slots};
use crate::config::Config;
use crate::problem::Problem;
use crate::service::signals::Signals;
use crate::service::{Holder, Lock, Session, read_watchlist};
use crate::store::due::Scope;
use crate::store::reports::{FetchResult, LastAttempt};
use crate::store::{Missing, Store, sqlite_file};

/// How often whoever collects is asked whether it is done.
const LOOK: Duration = Duration::from_millis(500);

/// What came of the request.
#[derive(Debug, Serialize)]
pub(super) struct Spent {
    #[serde(flatten)]
    result: FetchResult,
    #[serde(flatten)]
    last: LastAttempt,
}

/// A slot that was handed over.
#[derive(Clone, Copy)]
struct Slot {
    target_id: i64,
    slot_at: i64,
}

/// Asks for one target: one that is due, or else the first one. What is due stays due.
pub(super) async fn run(config: &Config) -> Result<Spent, Failure> {
    let signals = Signals::listen()?;
    signals
        .stopping(async |stop| {
            let holder = || sqlite_file(config.database.url.expose()).and_then(|file| Lock::holder(&file));
            match holder() {
                Some(running) => beside(config, &running, stop, || holder().is_some()).await,
                None => alone(config, stop).await,
            }
        })
        .await
}

/// Asks in this process, with one attempt at most.
async fn alone(config: &Config, stop: Stop) -> Result<Spent, Failure> {
    let key = config.api_key()?;
    let watchlist = read_watchlist(config)?;
    let mut session = Session::open(config, &key, super::super::clock()).await?;
    session.collector.limits.attempts = 1;
    let spent = async {
        if let Some(watchlist) = &watchlist {
            session.sync(watchlist).await?;
        }
        let store = &session.collector.store;
        let slot = hand_over(store, config).await?;
        let wanted = Wanted::Forced(slot.slot_at);
        session.passes(wanted, &stop, &|_| {}).await?;
        // On a Postgres another worker may have taken it.
        follow(store, slot, stop, || true).await
    };
    let spent = spent.await;
    session.close().await?;
    spent
}

/// Hands the slot over to the process that is collecting.
async fn beside(
    config: &Config,
    holder: &Holder,
    stop: Stop,
    held: impl Fn() -> bool,
) -> Result<Spent, Failure> {
    note(&format!("{holder} is collecting: handing one request over to it"));
    let store = Store::open(config.database.url.expose(), Missing::Refuse).await?;
    let spent = async {
        store.require_migrated().await?;
        let slot = hand_over(&store, config).await?;
        follow(&store, slot, stop, held).await
    };
    let spent = spent.await;
    store.close().await;
    spent
}

async fn hand_over(store: &Store, config: &Config) -> Result<Slot, Failure> {
    let now = super::super::clock().now();
    let schedules = store.schedules().await?;
    let newest = newest_slots(schedules.iter().map(|(s, zone)| (s.as_str(), zone.as_str())), now);
    let from = catch_up_from(config.schedule.catch_up, now);
    let due = store.due(Scope::Scheduled(&newest), from, true, 1).await?;
    let target_id = match due.first() {
        Some(due) => due.target_id,
        None => store.first_target().await?.ok_or_else(|| {
            let problem = Problem::new("nothing is watched, so there is nothing to ask for");
            Failure::Problems(problem.help("add a sound to the watchlist").into())
        })?,
    };
    // Not the start of a minute: what others ask for by hand is theirs.
    let slot_at = if now % 60 == 0 { now - 1 } else { now };
    if store.hand_over_one(target_id, slot_at).await? {
        return Ok(Slot { target_id, slot_at });
    }
    Err(Failure::Other(
        "asked for already in this second\n  help: run it again".to_owned(),
    ))
}

/// Waits until the slot is settled; `held` says whether somebody is there who does so.
async fn follow(
    store: &Store,
    slot: Slot,
    mut stop: Stop,
    held: impl Fn() -> bool,
) -> Result<Spent, Failure> {
    loop {
        if let Some((result, last)) = store.result_of(slot.target_id, slot.slot_at).await? {
            return Ok(Spent { result, last });
        }
        if stop.requested() || !held() {
            let left = "the request is entered in the ledger, and nobody has answered for it yet\n  \
                        help: the next `run` or `collect` takes it over; `soundwatch why` tells what came of it";
            return Err(Failure::Other(left.to_owned()));
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop.wait() => {}
        }
    }
}

impl Spent {
    fn outcome(&self) -> &str {
        self.result.outcome.as_deref().unwrap_or_default()
    }

    /// Whether the API gave what was asked for.
    pub(super) fn is_well(&self) -> bool {
        self.exit() == Exit::Done
    }

    /// As `collect` has it.
    pub(super) fn exit(&self) -> Exit {
        let stopped = ["unauthorized", "out_of_credits", "forbidden", "budget", "paused"];
        match self.outcome() {
            "stored" | "confirmed" => Exit::Done,
            _ if stopped.contains(&self.result.reason.as_deref().unwrap_or_default()) => Exit::Stopped,
            "no_data" => Exit::Part,
            _ => Exit::Failed,
        }
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FetchResult {
            clip_id,
            region,
            period,
            credits,
            ..
        } = &self.result;
        write!(
            f,
            "{credits} credits for {clip_id} {region} {period}: {}",
            self.outcome()
        )?;
        let LastAttempt {
            http_status,
            error,
            latency_ms,
        } = &self.last;
        if let Some(reason) = &self.result.reason {
            write!(f, " ({reason})")?;
        }
        if let Some(status) = http_status {
            write!(f, ", HTTP {status}")?;
        }
        if let Some(ms) = latency_ms {
            write!(f, " after {ms} ms")?;
        }
        if let Some(error) = error {
            write!(f, ": {error}")?;
        }
        match self.result.reason.as_deref() {
            Some(reason @ ("unauthorized" | "out_of_credits" | "forbidden")) => {
                write!(f, "\n{:15}{}", "", advice(reason))
            }
            Some("paused") => write!(f, "\n{:15}The key is paused: `soundwatch status` says why.", ""),
            Some("budget") => write!(f, "\n{:15}The budget is spent: `soundwatch plan` shows it.", ""),
            _ => Ok(()),
        }
    }
}
