//! `soundwatch export`: a view as a file for other programs.

mod counted;

use std::io;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::beside::Beside;
use super::exit::{Exit, Failure};
use super::output::Output;
use crate::clock::day_of;
use crate::config::Config;
use crate::export::view::{VIEWS, View};
use crate::export::{Cell, Format, writer};
use crate::model::{ClipId, Region};
use crate::problem::{Problem, Problems};
use crate::service::signals::Signals;
use crate::store::export::Selection;
use crate::store::{Missing, Store};
use crate::watchlist::clip_id;
use counted::Counted;

/// So many rows come between two looks of the progress.
const TOLD: u64 = 4_096;

/// What is exported, and where to.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The view
    #[arg(value_parser = PossibleValuesParser::new(VIEWS.iter().map(|view| view.name)).try_map(view))]
    view: &'static View,
    /// The form of the file [default: what its name ends with]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The file, which is replaced only once all is written; - or none: stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only rows of this day and later ones (UTC), such as 2026-02-01
    #[arg(long, value_name = "DAY", value_parser = day)]
    since: Option<i64>,
    /// Only rows of this day and earlier ones (UTC)
    #[arg(long, value_name = "DAY", value_parser = day)]
    until: Option<i64>,
    /// Only this sound: a clip ID or a tiktok.com/music link; can be given several times
    #[arg(long = "clip", value_name = "CLIP_ID", value_parser = clip)]
    clips: Vec<ClipId>,
    /// Only this market, such as US; can be given several times
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<Region>,
}

/// The document of `--json`.
#[derive(Debug, Serialize)]
struct Exported {
    view: &'static str,
    format: &'static str,
    file: String,
    rows: u64,
    bytes: u64,
}

pub(super) async fn run(config: &Config, options: &Options, output: Output) -> Result<Exit, Failure> {
    let format = options.checked(output, io::IsTerminal::is_terminal(&io::stdout()))?;
    let store = Store::open(config.database.url.expose(), Missing::Refuse).await?;
    store.require_migrated().await?;
    let selection = options.selection();
    let Some(file) = options.file() else {
        // Nothing would be left behind, so a signal may end it as it ends any program.
        let done = to_stdout(&store, &selection, format).await;
        store.close().await;
        return done.map(|()| Exit::Done);
    };
    let signals = Signals::listen()?;
    let exported = signals
        .stopping(async |mut stop| {
            tokio::select! {
                exported = to_file(&store, &selection, format, file) => exported.map(Some),
                // The database may be in the middle of sorting; nothing waits for it.
                () = stop.wait() => Ok(None),
            }
        })
        .await?;
    let Some(exported) = exported else {
        return Err(Failure::Stopped(format!("{} was not written", file.display())));
    };
    store.close().await;
    output.result(&exported, |e| {
        let (rows, bytes) = (HumanCount(e.rows), HumanBytes(e.bytes));
        format!("{}: {rows} rows, {bytes}, in {}", e.view, e.file)
    })?;
    Ok(Exit::Done)
}

async fn to_stdout(store: &Store, selection: &Selection, format: Format) -> Result<(), Failure> {
    let stdout = io::stdout();
    let bar = progress(!io::IsTerminal::is_terminal(&stdout));
    let mut to = Counted::new(stdout);
    write(store, selection, format, &mut to, &bar, Failure::output).await?;
    to.flushed().map(drop).map_err(Failure::output)
}

async fn to_file(
    store: &Store,
    selection: &Selection,
    format: Format,
    path: &Path,
) -> Result<Exported, Failure> {
    let failed = |error: io::Error| {
        Failure::Other(format!(
            "cannot write {}: {error}\n  help: nothing of it is left; make room, name another file with -o, or leave -o out to write to stdout",
            path.display()
        ))
    };
    let beside = Beside::of(path).map_err(failed)?;
    let mut to = Counted::new(beside);
    let rows = write(store, selection, format, &mut to, &progress(true), failed).await?;
    let bytes = to.bytes().get();
    to.flushed().and_then(Beside::in_place).map_err(failed)?;
    Ok(Exported {
        view: selection.view.name,
        format: format.as_str(),
        file: path.display().to_string(),
        rows,
        bytes,
    })
}

/// Writes all rows and gives their number.
async fn write<W: io::Write + Send>(
    store: &Store,
    selection: &Selection,
    format: Format,
    to: &mut Counted<W>,
    bar: &ProgressBar,
    failed: impl Fn(io::Error) -> Failure,
) -> Result<u64, Failure> {
    let bytes = to.bytes();
    let mut rows = 0;
    let mut writer = writer(format, selection.view, to).map_err(&failed)?;
    let each = |cells: &[Cell<'_>]| {
        rows += 1;
        if rows % TOLD == 0 {
            bar.set_position(rows);
            bar.set_message(HumanBytes(bytes.get()).to_string());
        }
        writer.row(cells).map_err(&failed)
    };
    store.export(selection, each).await?;
    writer.finish().map_err(&failed)?;
    bar.finish_and_clear();
    Ok(rows)
}

/// Rows, rate and bytes on stderr; nothing is drawn where that is no terminal. How many rows there will
/// be is not known without reading them twice.
fn progress(shown: bool) -> ProgressBar {
    if !shown {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    // The template is a constant and known to be good; without it there is a plain one.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} rows  {per_sec}  {msg}  {elapsed}")
    {
        bar.set_style(style);
    }
    bar
}

impl Options {
    /// The file to write; `None` is stdout.
    fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| *path != Path::new("-"))
    }

    fn selection(&self) -> Selection {
        Selection {
            view: self.view,
            clips: self.clips.iter().map(|clip| clip.as_str().to_owned()).collect(),
            regions: self
                .regions
                .iter()
                .map(|region| region.as_str().to_owned())
                .collect(),
            since: self.since,
            until: self.until,
        }
    }

    /// The format, unless something is wrong: then all that is.
    fn checked(&self, output: Output, terminal: bool) -> Result<Format, Problems> {
        let mut problems = self.wrong_filters();
        let format = self.format.or_else(|| Format::of_file(self.file()?));
        match (format, self.file()) {
            (None, _) => problems.push(
                Problem::new("what format?")
                    .help("say --format csv, jsonl or parquet, or -o with a file name that ends so"),
            ),
            (Some(Format::Parquet), None) if terminal => problems.push(
                Problem::new("Parquet is not for a terminal")
                    .help("name a file with -o, or redirect the output"),
            ),
            _ => {}
        }
        if output.is_json() && self.file().is_none() {
            problems.push(
                Problem::new("--json describes a file that was written, and stdout has the rows themselves")
                    .help("say --format jsonl for rows as JSON, or name a file with -o"),
            );
        }
        match format {
            Some(format) if problems.is_empty() => Ok(format),
            _ => Err(Problems(problems)),
        }
    }

    fn wrong_filters(&self) -> Vec<Problem> {
        let view = self.view;
        let given = [
            (
                "--clip",
                !self.clips.is_empty(),
                view.kind("clip_id").is_some(),
                "column clip_id",
            ),
            (
                "--region",
                !self.regions.is_empty(),
                view.kind("region").is_some(),
                "column region",
            ),
            (
                "--since",
                self.since.is_some(),
                view.days.is_some(),
                "day that its rows belong to",
            ),
            (
                "--until",
                self.until.is_some(),
                view.days.is_some(),
                "day that its rows belong to",
            ),
        ];
        let mut problems: Vec<Problem> = given
            .into_iter()
            .filter(|(_, given, possible, _)| *given && !possible)
            .map(|(name, _, _, lacks)| {
                Problem::new(format!("{name}: {} has no {lacks}", view.name))
                    .help(format!("leave {name} out"))
            })
            .collect();
        if self
            .since
            .zip(self.until)
            .is_some_and(|(since, until)| since > until)
        {
            let problem = Problem::new("--since is after --until: no day is both");
            problems.push(problem.help("--until is the last day that is wanted"));
        }
        problems
    }
}

fn view(name: String) -> Result<&'static View, String> {
    View::named(&name).ok_or_else(|| format!("there is no view {name}"))
}

fn day(text: &str) -> Result<i64, &'static str> {
    day_of(text).ok_or("write a day as 2026-02-01")
}

fn clip(text: &str) -> Result<ClipId, String> {
    clip_id(text).map_err(|(wrong, help)| format!("{wrong}; {help}"))
}
