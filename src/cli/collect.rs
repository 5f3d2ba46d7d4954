//! `soundwatch collect`: one pass with progress, and what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::exit::{Exit, Failure};
use super::output::{Output, fitting, note};
use super::progress::Progress;
use super::status::due_now;
use crate::collect::{Cut, Stop, Wanted};
use crate::config::Config;
use crate::model::Outcome;
use crate::problem::{Problem, Problems};
use crate::service::signals::Signals;
use crate::service::{Holder, Lock, ServiceError, Session, read_watchlist};
use crate::store::reports::FetchResult;
use crate::store::{Missing, Store, StoreError, sqlite_file};
use crate::watchlist::clip_id;
use crate::words::counted;

/// Rows of the table of targets; a pass over more of them is summed up only.
const SHOWN: usize = 40;

/// What came of a pass: the document of `--json`.
#[derive(Debug, Serialize)]
struct Collected {
    outcomes: BTreeMap<&'static str, u64>,
    credits: i64,
    /// Slots that wait for the budget.
    waiting: i64,
    targets: Vec<FetchResult>,
    /// Asked to stop: the rest is still due.
    stopped: bool,
    #[serde(skip)]
    cut: Option<Cut>,
}

/// Which targets are asked also when they are not due.
enum Forced {
    None,
    All,
    Clips(Vec<String>),
}

impl Forced {
    fn clips(&self) -> Option<&[String]> {
        if let Self::Clips(clips) = self {
            Some(clips)
        } else {
            None
        }
    }
}

pub(super) async fn run(
    config: &Config,
    all: bool,
    clips: &[String],
    output: Output,
) -> Result<Exit, Failure> {
    let forced = match (all, clips) {
        (true, _) => Forced::All,
        (false, []) => Forced::None,
        (false, clips) => Forced::Clips(clip_ids(clips)?),
    };
    let running = sqlite_file(config.database.url.expose()).and_then(|file| Lock::holder(&file));
    let beside = match running {
        Some(holder) if holder.reparses => return Err(ServiceError::Locked(holder).into()),
        Some(holder) => beside(config, &forced, &holder).await?,
        None => None,
    };
    let collected = match beside {
        Some(collected) => collected,
        None => alone(config, &forced).await?,
    };
    output.result(&collected, Collected::text)?;
    Ok(collected.exit())
}

fn clip_ids(texts: &[String]) -> Result<Vec<String>, Problems> {
    let mut problems = Vec::new();
    let mut clips = Vec::new();
    for text in texts {
        match clip_id(text) {
            Ok(clip) => clips.push(clip.as_str().to_owned()),
            Err((message, help)) => problems.push(Problem::new(message).help(help)),
        }
    }
    if problems.is_empty() {
        Ok(clips)
    } else {
        Err(Problems(problems))
    }
}

/// Collects in this process.
async fn alone(config: &Config, forced: &Forced) -> Result<Collected, Failure> {
    let signals = Signals::listen()?;
    let key = config.api_key()?;
    let watchlist = read_watchlist(config)?;
    let session = Session::open(config, &key, super::clock()).await?;
    if let Some(watchlist) = &watchlist {
        session.sync(watchlist).await?;
    }
    let collected = signals
        .stopping(async |stop| pass(config, &session, forced, stop).await)
        .await;
    if let Err(error) = session.close().await {
        // What was collected counts: the worker is taken for gone in a moment anyway.
        note(&error.to_string());
    }
    collected
}

async fn pass(config: &Config, session: &Session, forced: &Forced, stop: Stop) -> Result<Collected, Failure> {
    let collector = &session.collector;
    let wanted = match forced {
        Forced::None => Wanted::Due,
        _ => Wanted::Forced(hand_over(&collector.store, forced).await?),
    };
    let progress = Progress::new();
    let report = session.passes(wanted, &stop, &|event| progress.show(event)).await;
    let cut = report.inspect_err(|_| progress.end())?.cut;
    if let Wanted::Forced(minute) = wanted {
        // On Postgres other workers may have taken some of them.
        let followed = follow(&collector.store, forced, minute, stop, &progress, || true).await?;
        return Ok(followed.map_or_else(
            || Collected::new(Vec::new(), None),
            |f| Collected::new(f.targets, cut.or(f.cut)),
        ));
    }
    progress.end();
    let worker = &collector.worker;
    let targets = collector.store.settled_by(&worker.id, worker.started_at).await?;
    let waiting = match cut {
        Some(Cut::Budget) => waiting(config, &collector.store).await?,
        _ => 0,
    };
    Ok(Collected {
        waiting,
        ..Collected::new(targets, cut)
    })
}

/// How many slots are due and wait for the budget.
async fn waiting(config: &Config, store: &Store) -> Result<i64, StoreError> {
    let now = super::clock().now();
    if store.spent(now).await?.requests_left(config.budget) > 0 {
        return Ok(0);
    }
    let schedules = store.schedules_of_targets().await?;
    due_now(config, store, &schedules, now).await
}

/// What is due beside a process that collects: nothing is asked here, but what waits for the budget is told.
async fn due_beside(config: &Config, holder: &Holder) -> Result<Collected, Failure> {
    note(&format!(
        "{holder} is collecting and asks whatever is due by itself; `collect --all` asks now"
    ));
    let store = Store::open(config.database.url.expose(), Missing::Refuse).await?;
    let waiting = async {
        store.require_migrated().await?;
        waiting(config, &store).await
    };
    let waiting = waiting.await;
    store.close().await;
    let waiting = waiting?;
    Ok(Collected {
        waiting,
        ..Collected::new(Vec::new(), (waiting > 0).then_some(Cut::Budget))
    })
}

/// Enters the slots of the current minute, and gives it.
async fn hand_over(store: &Store, forced: &Forced) -> Result<i64, Failure> {
    let unwatched = store.unwatched(forced.clips().unwrap_or_default()).await?;
    if !unwatched.is_empty() {
        let problem = |clip: &String| {
            Problem::new(format!("{clip} is not watched")).help("add it to the watchlist, then collect again")
        };
        return Err(Problems(unwatched.iter().map(problem).collect()).into());
    }
    let minute = super::clock().now() / 60 * 60;
    if store.hand_over(forced.clips(), minute).await? == 0 {
        note("asked for already in this minute: nothing is sent again");
    }
    Ok(minute)
}

/// Hands the slots over to the process that is collecting, and shows them being done. `None` when
/// that process has gone and left some.
async fn beside(config: &Config, forced: &Forced, holder: &Holder) -> Result<Option<Collected>, Failure> {
    if matches!(forced, Forced::None) {
        return Ok(Some(due_beside(config, holder).await?));
    }
    note(&format!("{holder} is collecting: handing over to it"));
    let store = Store::open(config.database.url.expose(), Missing::Refuse).await?;
    store.require_migrated().await?;
    let minute = hand_over(&store, forced).await?;
    let signals = Signals::listen()?;
    let held = || sqlite_file(config.database.url.expose()).is_some_and(|file| Lock::holder(&file).is_some());
    let collected = signals
        .stopping(async |stop| follow(&store, forced, minute, stop, &Progress::new(), held).await)
        .await;
    store.close().await;
    collected
}

/// Follows the slots of a minute until they are settled. `None` when `held` says that nobody is left
/// who would settle them.
async fn follow(
    store: &Store,
    forced: &Forced,
    minute: i64,
    mut stop: Stop,
    progress: &Progress,
    held: impl Fn() -> bool,
) -> Result<Option<Collected>, Failure> {
    let cut = loop {
        let state = store.hand_over_state(forced.clips(), minute).await?;
        progress.reach(state.settled, state.handed_over);
        if state.settled == state.handed_over {
            break None;
        }
        if stop.requested() {
            break Some(Cut::Stopped);
        }
        if !held() {
            progress.end();
            return Ok(None);
        }
        tokio::select! {
            () = super::clock().sleep(Duration::from_millis(500)) => {}
            () = stop.wait() => {}
        }
    };
    progress.end();
    Ok(Some(Collected::new(
        store.handed_over(forced.clips(), minute).await?,
        cut,
    )))
}

impl Collected {
    fn new(targets: Vec<FetchResult>, cut: Option<Cut>) -> Self {
        let mut outcomes: BTreeMap<&'static str, u64> = Outcome::ALL
            .into_iter()
            .map(|outcome| (outcome.as_str(), 0))
            .collect();
        for target in &targets {
            if let Some(count) = target
                .outcome
                .as_deref()
                .and_then(|outcome| outcomes.get_mut(outcome))
            {
                *count += 1;
            }
        }
        let credits = targets.iter().map(|target| target.credits).sum();
        Self {
            outcomes,
            credits,
            waiting: 0,
            targets,
            stopped: cut == Some(Cut::Stopped),
            cut,
        }
    }

    fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(outcome.as_str()).copied().unwrap_or_default()
    }

    fn ended_for(&self, reason: &str) -> bool {
        self.targets
            .iter()
            .any(|target| target.reason.as_deref() == Some(reason))
    }

    fn exit(&self) -> Exit {
        let stopped = matches!(self.cut, Some(Cut::Budget | Cut::Paused(_)));
        if stopped || self.ended_for("budget") || self.ended_for("paused") {
            return Exit::Stopped;
        }
        let bad = self.count(Outcome::Failed) + self.count(Outcome::Rejected);
        let good = self.count(Outcome::Stored) + self.count(Outcome::Confirmed);
        let without_data = self.count(Outcome::NoData);
        if bad > 0 && good + without_data == 0 {
            Exit::Failed
        } else if bad > 0 || without_data > 0 || self.cut.is_some() {
            Exit::Part
        } else {
            Exit::Done
        }
    }

    fn text(&self) -> String {
        let counts: Vec<String> = Outcome::ALL
            .into_iter()
            .filter(|outcome| self.count(*outcome) > 0)
            .map(|outcome| format!("{} {outcome}", self.count(outcome)))
            .collect();
        let credits = counted(self.credits, "credit");
        let mut text = match (counts.is_empty(), self.waiting) {
            (false, _) => format!("{}{}; {credits}", self.table(), counts.join(", ")),
            (true, 0) => "Nothing was due.".to_owned(),
            (true, 1) => "1 slot waits for the budget.".to_owned(),
            (true, n) => format!("{n} slots wait for the budget."),
        };
        match &self.cut {
            Some(Cut::Budget) => {
                text.push_str(
                "\nThe budget is spent: what is due is asked when there is budget again; what was asked for by hand, ask for again.",
            )
            }
            Some(Cut::Paused(_)) => text.push_str(
                "\nThe key is paused: nothing more is asked with it. `soundwatch status` says why.",
            ),
            Some(Cut::Stopped) => text.push_str("\nStopped: the rest is still due."),
            None => {}
        }
        text
    }

    /// The targets, those first that went wrong.
    fn table(&self) -> String {
        let mut targets: Vec<&FetchResult> = self.targets.iter().collect();
        targets.sort_by_key(|t| matches!(t.outcome.as_deref(), Some("stored" | "confirmed")));
        let headings = ["target", "slot", "outcome", "reason", "attempts", "credits"];
        let row = |t: &&FetchResult| {
            vec![
                format!("{} {} {}", t.clip_id, t.region, t.period),
                t.slot_at.clone(),
                t.outcome.clone().unwrap_or_default(),
                t.reason.clone().unwrap_or_default(),
                t.attempts.to_string(),
                t.credits.to_string(),
            ]
        };
        let rows: Vec<_> = targets.iter().take(SHOWN).map(row).collect();
        let table = fitting(&headings, &[4, 5], &rows, &[], &[4, 5, 1]);
        let rest = targets.len().saturating_sub(SHOWN);
        let rest = if rest > 0 {
            format!("\n… and {rest} more; `--json` has all of them\n")
        } else {
            "\n".to_owned()
        };
        format!("{table}{rest}")
    }
}
