//! `soundwatch history`: the index of a sound as a chart and a table, who listens, what changed. Needs
//! the database only.

mod chart;
mod text;

use serde::Serialize;

use super::exit::{Exit, Failure};
use super::output::Output;
use crate::clock::rfc3339;
use crate::config::Config;
use crate::history::{Audience, Audiences, Change, Missing as Gap, Move, Score, Windows};
use crate::history::{moves, name_of, summary};
use crate::model::SeriesKey;
use crate::model::{ClipId, Region};
use crate::problem::{Problem, Problems};
use crate::store::report::Series;
use crate::store::{Missing, Store};
use crate::trend::IndexDay;

/// Countries and interests that are told.
const STRONGEST: usize = 5;

/// Changes of each kind that are told.
const MOVES: usize = 3;

/// What is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The sound: a clip ID or a tiktok.com/music link
    #[arg(value_name = "CLIP_ID")]
    clip: String,
    /// One market, such as US; else all of the sound
    region: Option<String>,
    /// How many days the table has, the newest; the chart has all
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    days: i64,
}

/// The document of `--json`.
#[derive(Debug, Serialize)]
struct History {
    clip_id: ClipId,
    title: Option<String>,
    author: Option<String>,
    regions: Vec<RegionHistory>,
}

#[derive(Debug, Serialize)]
struct RegionHistory {
    region: String,
    /// See `docs/sql.md`; `None` when it is no longer watched.
    state: Option<String>,
    /// The mean of the last 7 settled days against that of the 7 before, and of the 7 that end 28 days
    /// earlier.
    change_7_days: Option<Change>,
    change_28_days: Option<Change>,
    peak_day: Option<String>,
    /// The newest days of the index, missing ones too; ascending.
    days: Vec<Day>,
    /// The newest window, where there is no index yet.
    window: Option<Window>,
    audience: Option<Listeners>,
    /// For the chart, which has all days.
    #[serde(skip)]
    index: Vec<IndexDay>,
}

/// A day of the table: with a value, or with the reason why there is none.
#[derive(Debug, Serialize)]
struct Day {
    day: String,
    value: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    segment: Option<i64>,
    provisional: Option<bool>,
    missing: Option<String>,
}

#[derive(Debug, Serialize)]
struct Window {
    period_days: i64,
    fetched_at: String,
    /// Relative to the best of them; ascending.
    days: Vec<(String, f64)>,
    #[serde(skip)]
    index: Vec<IndexDay>,
}

#[derive(Debug, Serialize)]
struct Listeners {
    fetched_at: String,
    countries: Vec<Score>,
    interests: Vec<Score>,
    ages: Vec<Score>,
    since_a_week: Vec<Move>,
    since_a_month: Vec<Move>,
}

pub(super) async fn run(config: &Config, options: &Options, output: Output) -> Result<Exit, Failure> {
    let (clip, region) = super::why::wanted(&options.clip, options.region.as_deref())?;
    let store = Store::open(config.database.url.expose(), Missing::Refuse).await?;
    let history = gather(&store, clip, region, options.days).await;
    store.close().await;
    output.result(&history?, text::of)?;
    Ok(Exit::Done)
}

async fn gather(store: &Store, clip: ClipId, region: Option<Region>, days: i64) -> Result<History, Failure> {
    store.require_migrated().await?;
    let all = store.series_of(clip.as_str()).await?;
    let here = |series: &&Series| region.is_none_or(|region| region.as_str() == series.key.region);
    let series: Vec<Series> = all.iter().filter(here).cloned().collect();
    let Some(first) = series.first() else {
        return Err(Problems::from(unknown(store, &clip, region, &all).await?).into());
    };
    let keys: Vec<SeriesKey> = series.iter().map(|series| series.key.clone()).collect();
    let mut index = store.index_of(&keys, 0).await?;
    let mut windows = store.windows_of(&keys).await?;
    let mut audiences = store.audiences_of(&keys).await?;
    let mut gaps = store.missing_of(clip.as_str()).await?;
    let (title, author) = (first.title.clone(), first.author.clone());
    let regions = series.into_iter().map(|series| {
        let index = index.remove(&series.key).unwrap_or_default();
        let windows = windows.remove(&series.key).unwrap_or_default();
        let gaps = gaps.remove(&series.key).unwrap_or_default();
        let audiences = audiences.remove(&series.key).unwrap_or_default();
        of_region(series, index, &gaps, days, &windows, &audiences)
    });
    Ok(History {
        regions: regions.collect(),
        clip_id: clip,
        title,
        author,
    })
}

fn of_region(
    series: Series,
    index: Vec<IndexDay>,
    gaps: &[Gap],
    days: i64,
    windows: &[Windows],
    audiences: &Audiences,
) -> RegionHistory {
    let summary = summary(&index);
    let newest = windows.iter().max_by_key(|kind| kind.last_fetched_at);
    RegionHistory {
        region: series.key.region,
        state: series.state,
        change_7_days: summary.and_then(|summary| summary.week),
        change_28_days: summary.and_then(|summary| summary.four_weeks),
        peak_day: summary.map(|summary| name_of(summary.peak.day)),
        days: table(&index, gaps, days),
        window: newest.filter(|_| index.is_empty()).map(window),
        audience: (!audiences.now.is_empty()).then(|| listeners(audiences)),
        index,
    }
}

/// The newest days, and those that are missing among and after them.
fn table(index: &[IndexDay], gaps: &[Gap], days: i64) -> Vec<Day> {
    let Some(first) = index.first() else {
        return Vec::new();
    };
    let missing = gaps
        .iter()
        .flat_map(|gap| (gap.first_day..=gap.last_day).map(|day| (day, gap.reason.as_str())))
        .filter(|(day, _)| *day > first.day && !index.iter().any(|known| known.day == *day));
    let known = index.iter().map(|day| (day.day, Some(day), None));
    let mut all: Vec<_> = known
        .chain(missing.map(|(day, reason)| (day, None, Some(reason))))
        .collect();
    all.sort_by_key(|(day, ..)| *day);
    let newest = all.last().map_or(0, |(day, ..)| *day);
    all.retain(|(day, ..)| *day > newest - days);
    all.into_iter()
        .map(|(day, known, reason)| Day {
            day: name_of(day),
            value: known.map(|known| known.value),
            low: known.map(|known| known.low),
            high: known.map(|known| known.high),
            segment: known.map(|known| known.segment),
            provisional: known.map(|known| known.provisional),
            missing: reason.map(str::to_owned),
        })
        .collect()
}

fn window(newest: &Windows) -> Window {
    Window {
        period_days: newest.period_days,
        fetched_at: rfc3339(newest.last_fetched_at),
        days: newest
            .newest
            .iter()
            .map(|(day, value)| (name_of(*day), *value))
            .collect(),
        index: newest.as_days(),
    }
}

fn listeners(audiences: &Audiences) -> Listeners {
    let now = &audiences.now;
    let since = |before: &Option<Audience>| -> Vec<Move> {
        let Some(before) = before else {
            return Vec::new();
        };
        let countries = moves(&now.countries, &before.countries, MOVES);
        let interests = moves(&now.interests, &before.interests, MOVES);
        countries.into_iter().chain(interests).collect()
    };
    Listeners {
        fetched_at: rfc3339(now.fetched_at),
        countries: now.countries.clone(),
        interests: now.interests.clone(),
        ages: now.ages.clone(),
        since_a_week: since(&audiences.week_ago),
        since_a_month: since(&audiences.month_ago),
    }
}

/// What to say of a sound, or a region of it, that the database does not know.
async fn unknown(
    store: &Store,
    clip: &ClipId,
    region: Option<Region>,
    of_sound: &[Series],
) -> Result<Problem, Failure> {
    if let Some(region) = region.filter(|_| !of_sound.is_empty()) {
        let regions: Vec<&str> = of_sound.iter().map(|series| series.key.region.as_str()).collect();
        let help = format!("it is known in {}", regions.join(", "));
        return Ok(Problem::new(format!("nothing is known of {clip} in {region}")).help(help));
    }
    let problem = Problem::new(format!("nothing is known of {clip}"));
    let all = store.all_series().await?;
    let nearest = all
        .iter()
        .map(|series| (strsim::levenshtein(&series.key.clip_id, clip.as_str()), series))
        .filter(|(distance, _)| *distance <= 3)
        .min_by_key(|(distance, _)| *distance);
    Ok(match nearest {
        Some((_, series)) => problem.help(format!(
            "did you mean {} ({})?",
            series.key.clip_id,
            series.title.as_deref().unwrap_or("no title yet")
        )),
        None => {
            problem.help("`soundwatch status` lists what is watched; add it to the watchlist, then collect")
        }
    })
}
