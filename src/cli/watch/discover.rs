//! `watch discover`: reads a chart of the API, shows it, and adds what is chosen.

mod show;

use std::collections::HashSet;
use std::time::Duration;

use show::{Discovered, sound};

use super::edit::watch;
use super::{Dry, fine, several};
use crate::cli::clock;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, note};
use crate::collect::{Stop, pages_of};
use crate::config::Config;
use crate::model::{Chart, ChartEntry, ClipId, Region, Window};
use crate::problem::{Problem, Problems};
use crate::service::signals::Signals;
use crate::service::{Lock, ServiceError, Session};
use crate::store::charts::ChartState;
use crate::store::{Missing, Store, sqlite_file};
use crate::watchlist::edit::{Common, Wish};
use crate::watchlist::{self, clip_id, import};

/// Which chart, and what to take from it.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    /// The chart's market
    #[arg(long, value_name = "REGION", default_value = "US")]
    region: String,
    /// The days that the chart ranks by: 7, 30 or 120
    #[arg(long, value_name = "DAYS", default_value = "7")]
    period: String,
    /// Only sounds that are new to the first hundred
    #[arg(long)]
    new_to_top_100: bool,
    /// Only sounds of the Commercial Music Library
    #[arg(long)]
    commercial: bool,
    /// Pages of up to 20 sounds to read at most; each costs the credits of a request
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..=50))]
    pages: i64,
    /// What to watch from now on in the chart's region: top:20, or clip IDs; several with commas between
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    add: Vec<String>,
    /// A word to group the added ones by; can be given several times
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Show the newest chart that has been read, for no credits
    #[arg(long)]
    kept: bool,
    #[command(flatten)]
    dry: Dry,
}

/// What is asked for on the command line.
struct Wanted {
    chart: Chart,
    top: usize,
    clips: Vec<ClipId>,
}

pub(super) async fn run(config: &Config, options: &Options, output: Output) -> Result<Exit, Failure> {
    let wanted = options.wanted()?;
    if let Some((message, help)) = watchlist::region_doubt(wanted.chart.region) {
        note(&format!("warning: {}", Problem::new(message).help(help)));
    }
    let watched = watched(config, wanted.chart.region, !options.add.is_empty())?;
    let (state, entries) = if options.kept {
        kept(config, &wanted.chart).await?
    } else {
        read(config, &wanted.chart, options.pages).await?
    };
    let wishes = wishes(&wanted, &options.tag, &entries);
    let edit = match &config.watchlist.path {
        Some(path) if !wishes.is_empty() => Some(watch(config, path, &wishes, options.dry.dry_run)?),
        _ => None,
    };
    let on_chart = |clip: &&ClipId| entries.iter().any(|entry| entry.clip_id == **clip);
    let missing = wanted.clips.iter().filter(|clip| !on_chart(clip));
    let discovered = Discovered {
        region: wanted.chart.region.to_string(),
        period: wanted.chart.window.days(),
        state,
        not_on_chart: missing.map(ToString::to_string).collect(),
        sounds: entries.into_iter().map(|entry| sound(entry, &watched)).collect(),
        edit,
    };
    output.result(&discovered, Discovered::text)?;
    Ok(discovered.exit())
}

impl Options {
    fn wanted(&self) -> Result<Wanted, Problems> {
        let mut problems = Vec::new();
        let regions = several(std::slice::from_ref(&self.region), import::regions, &mut problems);
        let days = self.period.parse().ok().and_then(Window::of_days);
        if days.is_none() {
            let message = format!("{:?} is not a period of a chart", self.period);
            problems.push(Problem::new(message).help("write 7, 30 or 120"));
        }
        if regions.len() > 1 {
            problems.push(Problem::new("a chart is of one region").help("read one after the other"));
        }
        let (mut top, mut clips) = (0, Vec::new());
        for what in &self.add {
            match (what.strip_prefix("top:").map(str::parse), clip_id(what)) {
                (Some(Ok(n)), _) => top = top.max(n),
                (None, Ok(clip)) => clips.push(clip),
                (Some(Err(_)), _) => {
                    problems.push(Problem::new(format!("{what:?} is no top")).help("write top:20"));
                }
                (None, Err((message, _))) => {
                    problems
                        .push(Problem::new(message).help("write top:20, or clip IDs with commas between"));
                }
            }
        }
        fine(problems)?;
        let chart = Chart {
            region: regions.first().copied().unwrap_or(Region::US),
            window: days.unwrap_or(Window::Days7),
            new_to_top_100: self.new_to_top_100,
            commercial: self.commercial,
        };
        Ok(Wanted { chart, top, clips })
    }
}

/// The sounds that are watched in a region. A watchlist that can't be edited is told before anything is
/// paid for.
fn watched(config: &Config, region: Region, adds: bool) -> Result<HashSet<ClipId>, Problems> {
    let path = match &config.watchlist.path {
        Some(path) => path,
        None if adds => return super::watchlist_path(config).map(|_| HashSet::new()),
        None => return Ok(HashSet::new()),
    };
    if !path.exists() {
        return Ok(HashSet::new());
    }
    let targets = watchlist::read(path)?.targets;
    let here = targets.into_iter().filter(|target| target.region == region);
    Ok(here.map(|target| target.clip_id).collect())
}

type Read = (ChartState, Vec<ChartEntry>);

/// Reads a chart: in this process, or by handing it over to the one that is collecting.
async fn read(config: &Config, chart: &Chart, pages: i64) -> Result<Read, Failure> {
    let minute = clock().now() / 60 * 60;
    let holder = sqlite_file(config.database.url.expose()).and_then(|file| Lock::holder(&file));
    let signals = Signals::listen()?;
    let Some(holder) = holder else {
        let key = config.api_key()?;
        let session = Session::open(config, &key, clock()).await?;
        let read = signals
            .stopping(async |stop| alone(&session, chart, minute, pages, stop).await)
            .await;
        if let Err(error) = session.close().await {
            note(&error.to_string());
        }
        return read;
    };
    if holder.reparses {
        return Err(ServiceError::Locked(holder).into());
    }
    note(&format!("{holder} is collecting: handing over to it"));
    let store = Store::open(config.database.url.expose(), Missing::Refuse).await?;
    store.require_migrated().await?;
    let id = enter(&store, chart, minute, pages).await?;
    let held = || sqlite_file(config.database.url.expose()).is_some_and(|file| Lock::holder(&file).is_some());
    let state = signals
        .stopping(async |stop| follow(&store, id, stop, held).await)
        .await?;
    let read = (state, entries(&store, chart, id).await?);
    store.close().await;
    Ok(read)
}

async fn alone(
    session: &Session,
    chart: &Chart,
    minute: i64,
    pages: i64,
    stop: Stop,
) -> Result<Read, Failure> {
    let store = &session.collector.store;
    let id = enter(store, chart, minute, pages).await?;
    session.read_charts(&stop).await?;
    // On Postgres another worker may have taken it.
    let state = follow(store, id, stop, || true).await?;
    Ok((state, entries(store, chart, id).await?))
}

async fn enter(store: &Store, chart: &Chart, minute: i64, pages: i64) -> Result<i64, Failure> {
    let (id, entered) = store.enter_chart(chart, minute, true, pages).await?;
    if !entered {
        note("asked for already in this minute: nothing is sent again");
    }
    Ok(id)
}

/// Waits until a reading has ended, or nobody is left who would end it.
async fn follow(
    store: &Store,
    id: i64,
    mut stop: Stop,
    held: impl Fn() -> bool,
) -> Result<ChartState, Failure> {
    loop {
        let Some(state) = store.chart_state(id).await? else {
            return Err(Failure::Other(
                "the chart that was asked for is gone from the database".to_owned(),
            ));
        };
        if state.outcome.is_some() || stop.requested() || !held() {
            return Ok(state);
        }
        tokio::select! {
            () = clock().sleep(Duration::from_millis(500)) => {}
            () = stop.wait() => {}
        }
    }
}

/// The newest chart that was read, from its kept answers.
async fn kept(config: &Config, chart: &Chart) -> Result<Read, Failure> {
    let store = Store::open(config.database.url.expose(), Missing::Refuse).await?;
    store.require_migrated().await?;
    let read = match store.newest_chart(chart).await? {
        Some(id) => store
            .chart_state(id)
            .await?
            .zip(Some(entries(&store, chart, id).await?)),
        None => None,
    };
    store.close().await;
    read.ok_or_else(|| {
        let problem = Problem::new(format!("no chart has been read yet: {chart}"));
        Problems::from(problem.help("without --kept it is asked for")).into()
    })
}

/// The sounds of a reading, each once.
async fn entries(store: &Store, chart: &Chart, id: i64) -> Result<Vec<ChartEntry>, Failure> {
    let pages = pages_of(chart, &store.chart_answers(id).await?);
    let mut seen = HashSet::new();
    let entries = pages.into_iter().flat_map(|page| page.entries);
    Ok(entries
        .filter(|entry| seen.insert(entry.clip_id.clone()))
        .collect())
}

/// What is to be watched: the first ones of the chart, and those that were named.
fn wishes(wanted: &Wanted, tags: &[String], entries: &[ChartEntry]) -> Vec<Wish> {
    let chosen = entries.iter().enumerate();
    let chosen = chosen.filter(|(at, entry)| *at < wanted.top || wanted.clips.contains(&entry.clip_id));
    chosen
        .map(|(_, entry)| wish(entry, wanted.chart.region, tags))
        .collect()
}

fn wish(entry: &ChartEntry, region: Region, tags: &[String]) -> Wish {
    let common = Common {
        regions: vec![region],
        tags: tags.to_vec(),
        note: entry.name(),
        ..Common::default()
    };
    common.wish(entry.clip_id.clone())
}
