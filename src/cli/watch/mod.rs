//! `soundwatch watch`: edits of the watchlist file. They need no database and no running daemon; one
//! that runs takes the edit up by itself.

mod discover;
mod edit;
mod list;

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::exit::{Exit, Failure};
use super::output::Output;
use crate::config::Config;
use crate::model::ClipId;
use crate::problem::{Problem, Problems};
use crate::schedule::Schedule;
use crate::watchlist::edit::{Common, Wish};
use crate::watchlist::{clip_id, import};

/// What can be done to the watchlist.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Action {
    /// Watch sounds, or watched ones in more regions or periods
    ///
    /// What is watched already stays as it is.
    Add {
        /// Clip IDs or tiktok.com/music links
        #[arg(value_name = "CLIP_ID", required = true)]
        clips: Vec<String>,
        #[command(flatten)]
        asking: Asking,
        #[command(flatten)]
        dry: Dry,
    },
    /// Watch sounds no longer; what has been collected stays
    Remove {
        /// Clip IDs or tiktok.com/music links
        #[arg(value_name = "CLIP_ID", required = true)]
        clips: Vec<String>,
        /// Only in these regions: US, or US,LV
        #[arg(long, value_name = "REGION")]
        region: Vec<String>,
        #[command(flatten)]
        dry: Dry,
    },
    /// Show what is watched, when it is asked next, and what it costs a day
    List,
    /// Watch the sounds of a spreadsheet's export (CSV with headings) or of a list of links
    ///
    /// Headings that are read: clip, clip_id, link, url or sound; region, period, tags, note, schedule.
    /// Nothing is imported unless all lines are good, or --skip-bad is given. Exit status: 2 some lines
    /// are bad; 3 they were skipped.
    Import {
        /// The file; - is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        asking: Asking,
        /// Import the good lines and leave out the bad ones
        #[arg(long)]
        skip_bad: bool,
        #[command(flatten)]
        dry: Dry,
    },
    /// Read the API's chart of a region, show it, and watch what you choose of it
    ///
    /// A page costs the credits of a request; they are in the ledger and the budget as all others are.
    /// Beside a running daemon it hands over. Exit status: 1 nothing could be read; 3 only a part; 4
    /// stopped by budget, credits or key.
    Discover(discover::Options),
}

/// How a sound is to be asked for; what is left out is as the defaults of the watchlist say.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Asking {
    /// Where: US, or US,LV
    #[arg(long, value_name = "REGION")]
    region: Vec<String>,
    /// How many days an answer looks back: 7, 30, 120 or auto; or 7,120
    #[arg(long, value_name = "DAYS")]
    period: Vec<String>,
    /// When: a cron expression
    #[arg(long, value_name = "CRON")]
    schedule: Option<String>,
    /// A word to group by; can be given several times
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Whatever you want to remember
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub(in crate::cli) struct Dry {
    /// Only tell what would change
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(config: &Config, action: &Action, output: Output) -> Result<Exit, Failure> {
    let path = || watchlist_path(config);
    match action {
        Action::Discover(options) => discover::run(config, options, output).await,
        Action::Add { clips, asking, dry } => {
            let mut problems = Vec::new();
            let clips = clip_ids(clips, &mut problems);
            let common = asking.common(&mut problems);
            fine(problems)?;
            let wishes: Vec<Wish> = clips.into_iter().map(|clip_id| common.wish(clip_id)).collect();
            edit::add(config, path()?, &wishes, dry.dry_run, output)
        }
        Action::Remove { clips, region, dry } => {
            let mut problems = Vec::new();
            let clips = clip_ids(clips, &mut problems);
            let regions = several(region, import::regions, &mut problems);
            fine(problems)?;
            edit::remove(config, path()?, &clips, &regions, dry.dry_run, output)
        }
        Action::List => list::run(config, path()?, output),
        Action::Import {
            file,
            asking,
            skip_bad,
            dry,
        } => {
            let mut problems = Vec::new();
            let common = asking.common(&mut problems);
            fine(problems)?;
            edit::import(config, path()?, file, &common, *skip_bad, dry.dry_run, output)
        }
    }
}

fn watchlist_path(config: &Config) -> Result<&Path, Problems> {
    config.watchlist.path.as_deref().ok_or_else(|| {
        Problem::new("watchlist.path is empty: another worker owns the watchlist")
            .help("edit it where that worker runs, or name a file in watchlist.path")
            .into()
    })
}

impl Asking {
    /// What holds for each sound of a command; each thing that is wrong goes to `problems`.
    fn common(&self, problems: &mut Vec<Problem>) -> Common {
        if let Some(Err(error)) = self.schedule.as_deref().map(|text| Schedule::parse(text, "UTC")) {
            problems.push(Problem::new(error.to_string()).help(error.help()));
        }
        Common {
            regions: several(&self.region, import::regions, problems),
            periods: several(&self.period, import::periods, problems),
            schedule: self.schedule.clone(),
            tags: self.tag.clone(),
            note: self.note.clone(),
        }
    }
}

fn clip_ids(texts: &[String], problems: &mut Vec<Problem>) -> Vec<ClipId> {
    let mut clips = Vec::new();
    for text in texts {
        match clip_id(text) {
            Ok(clip) => clips.push(clip),
            Err((message, help)) => problems.push(Problem::new(message).help(help)),
        }
    }
    clips
}

fn several<T>(
    texts: &[String],
    read: impl Fn(&str) -> Result<Vec<T>, Problem>,
    problems: &mut Vec<Problem>,
) -> Vec<T> {
    let mut all = Vec::new();
    for text in texts {
        match read(text) {
            Ok(some) => all.extend(some),
            Err(problem) => problems.push(problem),
        }
    }
    all
}

fn fine(problems: Vec<Problem>) -> Result<(), Problems> {
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Problems(problems))
    }
}
