//! `soundwatch collect`: one pass with progress, and what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::exit::{Exit, Failure};
use super::output::{Output, note, table};
use super::progress::Progress;
use crate::clock::rfc3339;
use crate::collect::{Cut, Event, Stop, Wanted};
use crate::config::Config;
use crate::model::{ClipId, Outcome, Reason};
use crate::problem::{Problem, Problems};
use crate::service::signals::Signals;
use crate::service::{Holder, Lock, ServiceError, Session, read_watchlist};
use crate::store::reports::FetchResult;
use crate::store::{Missing, Store, sqlite_file};
use crate::watchlist::parse_clip;

/// What the pass was about and what came of it: the document of `--json`.
#[derive(Debug, Serialize)]
struct Result_ {
    outcomes: BTreeMap<&'static str, u64>,
    credits: i64,
    targets: Vec<FetchResult>,
    #[serde(skip)]
    cut: bool,
    #[serde(skip)]
    stopped: bool,
}

pub(super) async fn run(config: &Config, all: bool, clips: &[String], output: &Output) -> Result<Exit, Failure> {
    let clips = clip_ids(clips)?;
    let wanted = (all || !clips.is_empty()).then_some(if all { None } else { Some(clips.as_slice()) });
    let running = sqlite_file(config.database.url.expose()).and_then(|file| Lock::holder(&file));
    let collected = match running {
        Some(holder) => beside(config, wanted, &holder).await?,
        None => alone(config, wanted).await?,
    };
    output.result(&collected, Result_::text)?;
    Ok(collected.exit())
}

fn clip_ids(texts: &[String]) -> Result<Vec<ClipId>, Problems> {
    let (mut clips, mut problems) = (Vec::new(), Vec::new());
    for text in texts {
        match parse_clip(text) {
            Ok(clip) => clips.push(clip),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(clips) } else { Err(Problems(problems)) }
}
