//! Discovering: the daemon reads charts on a cron of its own, and has their first sounds watched. What is
//! due is computed from the ledger, as for targets; the watchlist file is edited as by hand.

use std::collections::BTreeMap;
use std::path::Path;

use tokio::task::spawn_blocking;

use super::Session;
use crate::clock::DAY;
use crate::collect::{Cut, PassError, Stop};
use crate::config::{Config, Discover};
use crate::model::{Chart, ClipId, Region, name};
use crate::problem::Problem;
use crate::schedule::Schedule;
use crate::source::read_text;
use crate::store::StoreError;
use crate::watchlist::discovered::{Found, discovered, follow};
use crate::watchlist::edit::{Editor, What};
use crate::watchlist::file::edit;

/// When charts are to be looked at next.
#[derive(Debug, Default)]
pub struct Discovery {
    look_at: i64,
}

impl Discovery {
    /// Whether a chart can be due at `now` (unix seconds).
    pub fn is_due(&self, now: i64) -> bool {
        now >= self.look_at
    }

    /// Reads the charts that are due, and those that were handed over; then has the watchlist follow them.
    pub async fn work(&mut self, session: &Session, config: &Config, stop: &Stop) -> Result<(), PassError> {
        let collector = &session.collector;
        let now = collector.clock.now();
        // Until this has gone well it is due at once.
        let is_first = std::mem::take(&mut self.look_at) == 0;
        // Whoever owns the watchlist discovers; a second worker would only pay twice.
        let path = config
            .watchlist
            .path
            .as_deref()
            .filter(|_| config.discovers().is_some());
        if path.is_some() {
            enter(session, &config.discover, now).await?;
        }
        let read = session.read_charts(stop).await?;
        if let Some(path) = path
            && (read.ended > 0 || is_first)
        {
            session
                .alive(follow_charts(session, &config.discover, path, now))
                .await?;
        }
        let next = schedule(&config.discover).and_then(|schedule| schedule.next(now));
        let next = next.filter(|_| path.is_some()).unwrap_or(i64::MAX);
        self.look_at = match read.cut {
            Some(Cut::Budget) => next.min((now / DAY + 1) * DAY),
            Some(Cut::Paused(pause)) => next.min(pause.map_or(0, |pause| pause.until).max(now + 1)),
            Some(Cut::Stopped) => now + 1,
            None => next,
        };
        Ok(())
    }
}

/// The configuration has been checked: its schedule can be read.
fn schedule(discover: &Discover) -> Option<Schedule> {
    Schedule::parse(&discover.schedule, &discover.time_zone).ok()
}

fn chart(discover: &Discover, region: Region) -> Chart {
    Chart {
        region,
        window: discover.window,
        new_to_top_100: discover.new_to_top_100,
        commercial: discover.commercial,
    }
}

/// Enters the newest slot of each chart, if it is not too old; one that has its row stays as it is.
async fn enter(session: &Session, discover: &Discover, now: i64) -> Result<(), StoreError> {
    let collector = &session.collector;
    let newest = schedule(discover).and_then(|schedule| schedule.newest(now));
    let Some(slot_at) = newest.filter(|slot| *slot >= collector.limits.catch_up_from(now)) else {
        return Ok(());
    };
    for region in &discover.regions {
        let chart = chart(discover, *region);
        collector
            .store
            .enter_chart(&chart, slot_at, false, discover.pages)
            .await?;
    }
    Ok(())
}

/// Brings the watchlist file in line with the newest charts. A file that can't be edited is left as it
/// is, and said so: the charts are tried again with the next ones.
async fn follow_charts(
    session: &Session,
    discover: &Discover,
    path: &Path,
    now: i64,
) -> Result<(), StoreError> {
    let found = found(session, discover, path, now).await?;
    let (path, most) = (path.to_path_buf(), discover.max_targets);
    // A large file takes its time, and so does somebody else's edit.
    let edited = spawn_blocking(move || edit(&path, false, |editor| Ok(follow(editor, &found, most)))).await;
    let edited =
        edited.unwrap_or_else(|error| Err(Problem::new(format!("the edit has failed: {error}")).into()));
    match edited {
        Ok(edited) => {
            for warning in &edited.warnings {
                tracing::warn!("{warning}");
            }
            let count = |what| edited.done.iter().filter(|change| change.what == what).count();
            if edited.changed {
                tracing::info!(
                    added = count(What::Added),
                    removed = count(What::Removed),
                    "the watchlist follows the charts"
                );
            }
        }
        Err(problems) => tracing::error!("the watchlist can't follow the charts:\n{problems}"),
    }
    Ok(())
}

async fn found(
    session: &Session,
    discover: &Discover,
    path: &Path,
    now: i64,
) -> Result<Vec<Found>, StoreError> {
    let store = &session.collector.store;
    let (file, regions) = (path.to_path_buf(), discover.regions.clone());
    // Nothing is known of a file that is broken: what is wrong with it is told when it is edited.
    let watched = spawn_blocking(move || watched(&file, &regions)).await;
    let watched = watched.unwrap_or_default();
    let top = i64::try_from(discover.add_top).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    for region in &discover.regions {
        let chart = chart(discover, *region);
        let watched = watched.get(region).map_or(&[][..], Vec::as_slice);
        let off = store.off_chart(&chart, watched).await?;
        let long_off = off
            .into_iter()
            .filter(|off| now - off.since >= discover.keep_days * DAY);
        let ranked = store.top_of_chart(&chart, top).await?;
        found.push(Found {
            region: *region,
            off: long_off.map(|off| off.clip_id).collect(),
            top: ranked
                .into_iter()
                .filter(|sound| !discover.exclude.contains(&sound.clip_id))
                .map(|sound| {
                    (
                        sound.clip_id,
                        name(sound.title.as_deref(), sound.author.as_deref()),
                    )
                })
                .collect(),
        });
    }
    Ok(found)
}

/// The sounds that were found before and are watched, by region.
fn watched(path: &Path, regions: &[Region]) -> BTreeMap<Region, Vec<ClipId>> {
    let editor = read_text(path, "").ok().and_then(|text| Editor::open(&text).ok());
    let here = |editor: &Editor| {
        let of = |region: &Region| (*region, discovered(editor, *region));
        regions.iter().map(of).collect()
    };
    editor.as_ref().map(here).unwrap_or_default()
}
