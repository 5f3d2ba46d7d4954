//! `soundwatch demo`: the real collector lives through some weeks of a simulated API in seconds.

mod folder;
mod page;
mod report;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::exit::{Exit, Failure};
use super::output::Output;
use super::simulate::{KEY, base_url, listen};
use crate::clock::{Clock, DAY, day_name};
use crate::collect::{Stop, Wanted};
use crate::config::{ApiKey, Config};
use crate::model::{Period, Region, SeriesKey, TargetSpec, Window};
use crate::problem::Problem;
use crate::schedule::Schedule;
use crate::service::Session;
use crate::service::signals::Signals;
use crate::simulator::world::born_on;
use crate::simulator::{World, serve};
use crate::watchlist::Watchlist;
use folder::Folder;
use report::Report;

/// The same seed as that of `simulate`, so that one can go on where the demo ends.
const SEED: u64 = 1;

const SOUNDS: usize = 9;

/// Every day, so that the days of the demo are slots.
const SCHEDULE: &str = "15 6 * * *";
const ZONE: &str = "UTC";

/// Long enough that a window shows how a sound lives.
const PERIOD: Window = Window::Days30;

/// So many seconds after a slot the pass is made.
const AFTER_SLOT: i64 = 120;

/// New sounds of the demo were made at least so many days before its end.
const NEWEST_SOUND: i64 = 8;

#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    /// How many days to live through; the last one is today
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=1000))]
    days: u16,
    /// Where to put the database and its configuration; a demo that is there is made anew
    #[arg(long, value_name = "DIR", default_value = "soundwatch-demo")]
    dir: PathBuf,
    /// Serve the page of the demo afterwards, and go on: a day every few seconds, until Ctrl-C
    #[arg(long)]
    serve: bool,
    /// Where --serve listens, an address of this machine; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = page::LISTEN, value_parser = page::this_machine, requires = "serve")]
    listen: SocketAddr,
}

pub(super) async fn run(options: &Options, output: Output) -> Result<Exit, Failure> {
    let signals = Signals::listen()?;
    let began = super::clock().monotonic();
    let slots = slots(i64::from(options.days), super::clock().now())?;
    let clock = Clock::manual(slots.first().copied().unwrap_or_default());
    let world = World::new(SEED, KEY.into(), clock.clone());
    let sounds = sounds(slots.last().copied().unwrap_or_default());
    let folder = Folder::prepare(&options.dir, &sounds)?;
    let listener = listen(([127, 0, 0, 1], 0).into()).await?;
    let config = folder.config(&base_url(&listener)?)?;
    let demo = Demo {
        options,
        folder: &folder,
        config: &config,
        sounds: &sounds,
        slots: &slots,
        began,
    };
    let days = signals
        .stopping(async |stop| {
            tokio::select! {
                served = serve(listener, world, std::future::pending()) => {
                    Err(Failure::Other(format!("the simulated API ended: {served:?}")))
                }
                lived = demo.live(clock, &stop, output) => lived,
            }
        })
        .await?;
    Ok(if days == slots.len() {
        Exit::Done
    } else {
        Exit::Part
    })
}

/// A demo with everything that it is made of.
struct Demo<'a> {
    options: &'a Options,
    folder: &'a Folder,
    config: &'a Config,
    sounds: &'a [TargetSpec],
    slots: &'a [i64],
    /// Since when it goes on, by the monotonic clock.
    began: Duration,
}

impl Demo<'_> {
    /// Lives through the days, tells of them, and goes on with the page if that is wanted. Gives how many
    /// days there were.
    async fn live(&self, clock: Clock, stop: &Stop, output: Output) -> Result<usize, Failure> {
        let key = ApiKey::new(KEY).map_err(|why| Failure::Problems(Problem::new(why).into()))?;
        let session = Session::open(self.config, &key, clock).await?;
        let mut report = live(&session, self.sounds, self.slots, stop).await?;
        report.seconds = super::clock()
            .monotonic()
            .saturating_sub(self.began)
            .as_secs_f64();
        report.folder(self.folder);
        output.result(&report, Report::text)?;
        if self.options.serve && !stop.requested() {
            page::serve(self, &session, stop).await?;
        }
        session.close().await?;
        Ok(report.days)
    }
}

/// The slots of the days that end today, or yesterday when today's is still to come.
fn slots(days: i64, now: i64) -> Result<Vec<i64>, Failure> {
    let schedule = Schedule::parse(SCHEDULE, ZONE).map_err(|error| Failure::Other(error.to_string()))?;
    let newest = schedule.newest(now).unwrap_or(now);
    Ok(schedule.between(newest - days * DAY, newest).collect())
}

/// What is watched: a few sounds, every third one in a second market too.
fn sounds(end: i64) -> Vec<TargetSpec> {
    let near_the_end = Clock::manual(end - NEWEST_SOUND * DAY);
    let samples = World::new(SEED, KEY.into(), near_the_end).sample_sounds(SOUNDS);
    let second = "GB".parse().ok();
    let mut targets = Vec::new();
    for (i, sample) in samples.into_iter().enumerate() {
        let second = second.filter(|_| i % 3 == 0);
        targets.extend(
            std::iter::once(Region::US)
                .chain(second)
                .map(|region| TargetSpec {
                    clip_id: sample.clip_id.clone(),
                    region,
                    period: Period::Fixed(PERIOD),
                    schedule: SCHEDULE.to_owned(),
                    time_zone: ZONE.to_owned(),
                    tags: Vec::new(),
                    note: None,
                }),
        );
    }
    targets
}

/// Makes a pass on each day, as a daemon would have.
async fn live(
    session: &Session,
    sounds: &[TargetSpec],
    slots: &[i64],
    stop: &Stop,
) -> Result<Report, Failure> {
    let bar = progress(slots.len());
    let mut report = Report::default();
    for slot in slots {
        if stop.requested() {
            break;
        }
        bar.set_message(day_name(*slot));
        day(session, sounds, *slot, stop, &mut report).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let store = &session.collector.store;
    report.targets = store.newest_windows().await?;
    if let Some(target) = report.liveliest() {
        let key = SeriesKey {
            clip_id: target.clip_id.clone(),
            region: target.region.clone(),
        };
        let index = store.index_of(std::slice::from_ref(&key), 0).await?;
        report.index = index.into_values().flatten().map(Into::into).collect();
    }
    Ok(report)
}

async fn day(
    session: &Session,
    sounds: &[TargetSpec],
    slot: i64,
    stop: &Stop,
    report: &mut Report,
) -> Result<(), Failure> {
    let clock = &session.collector.clock;
    // The real time is the latest that there is, also a minute after today's slot.
    clock.set((slot + AFTER_SLOT).min(super::clock().now()));
    session.sync(&known_on(sounds, slot)).await?;
    report.add(&session.passes(Wanted::Due, stop, &|_| {}).await?);
    Ok(())
}

/// The watchlist of a day: people add a sound when it has been heard for two days.
fn known_on(sounds: &[TargetSpec], slot: i64) -> Watchlist {
    let known = |spec: &&TargetSpec| born_on(&spec.clip_id) + 2 <= slot / DAY;
    Watchlist {
        targets: sounds.iter().filter(known).cloned().collect(),
        warnings: Vec::new(),
    }
}

fn progress(days: usize) -> ProgressBar {
    let length = u64::try_from(days).unwrap_or_default();
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    // The template is a constant and known to be good; without it there is a plain bar.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} day {pos} of {len}  {msg}  {eta} left") {
        bar.set_style(style);
    }
    bar
}
