//! `soundwatch why`: what happened to a sound, slot by slot, and why something is missing. Needs the
//! database only.

mod text;
mod words;

use serde::Serialize;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::status::{collecting, key};
use crate::clock::rfc3339;
use crate::collect::catch_up_from;
use crate::config::Config;
use crate::model::{ClipId, Region};
use crate::problem::{Problem, Problems};
use crate::schedule::Schedule;
use crate::store::why::{Gap, SlotHistory, SoundTarget, TargetSlots};
use crate::store::{Missing, Store};
use crate::watchlist::{self, clip_id};
use words::Present;

/// What is asked about.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The sound: a clip ID or a tiktok.com/music link
    #[arg(value_name = "CLIP_ID")]
    clip: String,
    /// One market, such as US; else all of the sound
    region: Option<String>,
    /// How many slots to show of each target, the newest
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    slots: i64,
}

/// The document of `--json`.
#[derive(Debug, Serialize)]
struct Why {
    clip_id: ClipId,
    title: Option<String>,
    targets: Vec<TargetWhy>,
    gaps: Vec<Gap>,
}

#[derive(Debug, Serialize)]
struct TargetWhy {
    #[serde(flatten)]
    target: SoundTarget,
    /// Slots that are not shown, since they are older.
    earlier_slots: i64,
    /// Ascending.
    slots: Vec<SlotWhy>,
    /// How it stands at this moment, in words.
    now: String,
    next_slot: Option<String>,
}

#[derive(Debug, Serialize)]
struct SlotWhy {
    #[serde(flatten)]
    slot: SlotHistory,
    /// What became of it, in words.
    why: String,
}

pub(super) async fn run(config: &Config, options: &Options, output: Output) -> Result<Exit, Failure> {
    let (clip, region) = wanted(&options.clip, options.region.as_deref())?;
    let store = Store::open(config.database.url.expose(), Missing::Refuse).await?;
    let why = gather(config, &store, clip, region, options.slots).await;
    store.close().await;
    output.result(&why?, text::of)?;
    Ok(Exit::Done)
}

/// What the person asks about, or everything that is wrong with it.
pub(super) fn wanted(clip: &str, region: Option<&str>) -> Result<(ClipId, Option<Region>), Problems> {
    let clip = clip_id(clip).map_err(|(message, help)| Problem::new(message).help(help));
    let region = region.map(|text| {
        text.parse::<Region>().map_err(|_| {
            Problem::new(format!("{text:?} is not a region"))
                .help("write its code of two letters, such as US")
        })
    });
    match (clip, region.transpose()) {
        (Ok(clip), Ok(region)) => Ok((clip, region)),
        (clip, region) => Err(Problems(
            [clip.err(), region.err()].into_iter().flatten().collect(),
        )),
    }
}

async fn gather(
    config: &Config,
    store: &Store,
    clip: ClipId,
    region: Option<Region>,
    limit: i64,
) -> Result<Why, Failure> {
    store.require_migrated().await?;
    let all = store.targets_of(clip.as_str()).await?;
    let here = |found: &str| region.is_none_or(|region| region.as_str() == found);
    let targets: Vec<SoundTarget> = all.iter().filter(|t| here(&t.region)).cloned().collect();
    if targets.is_empty() {
        let regions: Vec<&str> = all.iter().map(|target| target.region.as_str()).collect();
        return Err(Problems::from(unknown(
            &clip,
            region,
            regions,
            in_watchlist(config, &clip, region),
        ))
        .into());
    }
    let present = present(config, store).await?;
    let ids: Vec<i64> = targets.iter().map(|target| target.id).collect();
    let mut slots = store.slots_of(&ids, limit, present.now).await?;
    let gaps = store.gaps_of(clip.as_str()).await?;
    Ok(Why {
        clip_id: clip,
        title: targets.first().and_then(|target| target.title.clone()),
        gaps: gaps.into_iter().filter(|gap| here(&gap.region)).collect(),
        targets: targets
            .into_iter()
            .map(|target| {
                let slots = slots.remove(&target.id).unwrap_or_default();
                target_why(target, slots, &present)
            })
            .collect(),
    })
}

fn target_why(target: SoundTarget, found: TargetSlots, present: &Present) -> TargetWhy {
    let watched = target.removed_at.is_none();
    let schedule = Schedule::parse(&target.schedule, &target.time_zone).ok();
    let newest = schedule.as_ref().and_then(|s| s.newest(present.now));
    // What was asked for by hand in the minute of a slot has taken its place.
    let taken = found.slots.iter().find(|slot| Some(slot.slot_at) == newest);
    let scheduled = taken.or(found.newest_scheduled.as_ref());
    let next = schedule
        .filter(|_| watched)
        .and_then(|s| s.next(present.now.max(target.slots_from - 1)));
    let shown = i64::try_from(found.slots.len()).unwrap_or(i64::MAX);
    TargetWhy {
        now: words::of_present(&target, scheduled, present),
        next_slot: next.map(rfc3339),
        earlier_slots: found.of_all - shown,
        slots: found
            .slots
            .into_iter()
            .map(|slot| SlotWhy {
                why: words::of_slot(&slot),
                slot,
            })
            .collect(),
        target,
    }
}

async fn present(config: &Config, store: &Store) -> Result<Present, Failure> {
    let now = super::clock().now();
    let pauses = key(config, store).await?.pauses;
    Ok(Present {
        now,
        catch_up_from: catch_up_from(config.schedule.catch_up, now),
        collecting: !collecting(config, store, now).await?.is_empty(),
        pause: pauses
            .first()
            .map(|p| format!("paused until {} ({}). {}", p.until, p.reason, p.advice)),
        spent: store.spent(now).await?,
        budget: config.budget,
    })
}

/// Whether the watchlist asks for it; a watchlist that is wrong is for `check` to tell.
fn in_watchlist(config: &Config, clip: &ClipId, region: Option<Region>) -> bool {
    let watchlist = config.watchlist.path.as_deref().map(watchlist::read);
    watchlist.and_then(Result::ok).is_some_and(|watchlist| {
        let mut targets = watchlist.targets.iter();
        targets.any(|t| t.clip_id == *clip && region.is_none_or(|region| t.region == region))
    })
}

/// What to say of a sound, or a region of it, that the database does not know.
fn unknown(clip: &ClipId, region: Option<Region>, mut regions: Vec<&str>, in_watchlist: bool) -> Problem {
    regions.dedup();
    let here = region.map_or_else(String::new, |region| format!(" in {region}"));
    if in_watchlist {
        return Problem::new(format!(
            "nothing is known of {clip}{here} yet: it is new in the watchlist"
        ))
        .help("`soundwatch collect` asks for it, and so does a daemon that runs");
    }
    let help = if regions.is_empty() {
        "add it to the watchlist, then collect".to_owned()
    } else {
        format!(
            "it is watched in {}; add others to its regions in the watchlist",
            regions.join(", ")
        )
    };
    Problem::new(format!("{clip} is not watched{here}")).help(help)
}

#[cfg(test)]
mod tests;
