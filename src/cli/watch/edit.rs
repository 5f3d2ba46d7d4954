//! `watch add`, `remove` and `import`: an edit, and what it changes in credits a day.

use std::io::Read;
use std::path::Path;

use serde::Serialize;

use crate::cli::clock;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Output, Told, note};
use crate::config::Config;
use crate::forecast::credits_per_day;
use crate::model::{ClipId, Region};
use crate::problem::{Problem, Problems};
use crate::source::read_text;
use crate::watchlist::edit::{Change, Common, What, Wish};
use crate::watchlist::file::{Edited, edit};
use crate::watchlist::import;
use crate::words::{about, counted};

/// Sounds that are told one by one.
const SHOWN: usize = 40;

/// What an edit came to: the document of `--json`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    file: String,
    dry_run: bool,
    changed: bool,
    sounds: Vec<Change>,
    targets_before: usize,
    targets_after: usize,
    credits_per_day_before: f64,
    credits_per_day_after: f64,
    /// Lines that were left out.
    bad_lines: Vec<Told>,
    #[serde(skip)]
    asks_otherwise: bool,
}

pub(super) fn add(
    config: &Config,
    path: &Path,
    wishes: &[Wish],
    dry_run: bool,
    output: Output,
) -> Result<Exit, Failure> {
    let report = watch(config, path, wishes, dry_run)?;
    output.result(&report, Report::text)?;
    Ok(Exit::Done)
}

/// Puts wishes into the file.
pub(super) fn watch(
    config: &Config,
    path: &Path,
    wishes: &[Wish],
    dry_run: bool,
) -> Result<Report, Problems> {
    let edited = edit(path, dry_run, |editor| {
        Ok(wishes.iter().map(|wish| editor.add(wish)).collect())
    })?;
    let mut report = Report::new(config, path, edited, dry_run);
    report.asks_otherwise = wishes
        .iter()
        .any(|wish| wish.schedule.is_some() || wish.note.is_some() || !wish.tags.is_empty());
    Ok(report)
}

pub(super) fn remove(
    config: &Config,
    path: &Path,
    clips: &[ClipId],
    regions: &[Region],
    dry_run: bool,
    output: Output,
) -> Result<Exit, Failure> {
    let edited = edit(path, dry_run, |editor| {
        let removed = clips.iter().map(|clip| editor.remove(clip, regions, |_| true));
        let changes: Vec<Change> = removed.collect();
        let missing = changes.iter().filter(|change| change.what == What::NotWatched);
        let problems: Vec<Problem> = missing
            .map(|change| not_watched(&change.clip_id, regions))
            .collect();
        if problems.is_empty() {
            Ok(changes)
        } else {
            Err(Problems(problems))
        }
    })?;
    let report = Report::new(config, path, edited, dry_run);
    output.result(&report, Report::text)?;
    Ok(Exit::Done)
}

fn not_watched(clip: &ClipId, regions: &[Region]) -> Problem {
    let codes: Vec<&str> = regions.iter().map(Region::as_str).collect();
    let place = if codes.is_empty() {
        String::new()
    } else {
        format!(" in {}", codes.join(", "))
    };
    Problem::new(format!("{clip} is not watched{place}: nothing was removed"))
        .help("`soundwatch watch list` shows what is")
}

pub(super) fn import(
    config: &Config,
    path: &Path,
    file: &Path,
    common: &Common,
    skip_bad: bool,
    dry_run: bool,
    output: Output,
) -> Result<Exit, Failure> {
    let imported = import::read(file, &text_of(file)?, common);
    for heading in &imported.unused {
        note(&format!("the column {heading:?} is not used"));
    }
    let bad = imported.problems;
    if !bad.is_empty() && (!skip_bad || imported.wishes.is_empty()) {
        note("nothing was imported:");
        return Err(Problems(bad).into());
    }
    bad.iter()
        .for_each(|problem| note(&format!("left out: {problem}")));
    let mut report = watch(config, path, &imported.wishes, dry_run)?;
    report.bad_lines = bad.iter().map(Told::new).collect();
    output.result(&report, Report::text)?;
    Ok(if bad.is_empty() { Exit::Done } else { Exit::Part })
}

fn text_of(file: &Path) -> Result<String, Failure> {
    if file != Path::new("-") {
        return Ok(read_text(file, "name the file to import").map_err(Problems::from)?);
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Problems::from(Problem::new(format!("standard input cannot be read: {error}"))))?;
    Ok(text)
}

impl Report {
    fn new(config: &Config, path: &Path, edited: Edited<Vec<Change>>, dry_run: bool) -> Self {
        let (before, after, now) = (&edited.before, &edited.after, clock().now());
        for warning in &edited.warnings {
            note(&format!("warning: {warning}"));
        }
        let known = |message: &str| before.warnings.iter().any(|warning| warning.message == message);
        for warning in after.warnings.iter().filter(|warning| !known(&warning.message)) {
            note(&format!("warning: {warning}"));
        }
        Self {
            file: path.display().to_string(),
            dry_run,
            changed: edited.changed && !dry_run,
            targets_before: before.targets.len(),
            targets_after: after.targets.len(),
            credits_per_day_before: credits_per_day(&before.targets, config.budget, now),
            credits_per_day_after: credits_per_day(&after.targets, config.budget, now),
            sounds: edited.done,
            bad_lines: Vec::new(),
            asks_otherwise: false,
        }
    }

    pub(super) fn text(&self) -> String {
        let mut lines: Vec<String> = self.sounds.iter().take(SHOWN).map(sound).collect();
        let rest = self.sounds.len().saturating_sub(SHOWN);
        if rest > 0 {
            lines.push(format!("… and {rest} more; `--json` has all of them"));
        }
        let stays = self.sounds.iter().any(|sound| sound.what == What::AlreadyWatched);
        if stays && self.asks_otherwise {
            lines.push(
                "What was watched keeps its schedule, tags and note: change these in the file.".to_owned(),
            );
        }
        let (before, after) = (self.credits_per_day_before, self.credits_per_day_after);
        lines.push(format!(
            "{}, about {} a day; before {}, about {} a day ({} a day, {} in 30 days)",
            counted(self.targets_after, "target"),
            about(after, "credit"),
            counted(self.targets_before, "target"),
            about(before, "credit"),
            more(after - before),
            more((after - before) * 30.0)
        ));
        if self.dry_run {
            lines.push("Only tried: nothing was changed.".to_owned());
        }
        lines.join("\n")
    }
}

/// More or fewer credits; of few also the tenths, for a weekly schedule costs some a day.
fn more(credits: f64) -> String {
    let tenths = (credits * 10.0).round() / 10.0 + 0.0;
    if tenths.fract() == 0.0 || tenths.abs() >= 10.0 {
        format!("{credits:+.0}", credits = tenths.round())
    } else {
        format!("{tenths:+.1}")
    }
}

fn sound(change: &Change) -> String {
    let what = match change.what {
        What::Added => "added",
        What::AlreadyWatched => "already watched",
        What::Removed => "removed",
        What::NotWatched => "not watched",
    };
    let targets: Vec<String> = change
        .targets
        .iter()
        .map(|(region, period)| format!("{region} {period}"))
        .collect();
    format!("{what}  {}  {}", change.clip_id, targets.join(", "))
}
