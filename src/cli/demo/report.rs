//! What the demo ends with.

use std::collections::BTreeMap;

use comfy_table::Table;
use serde::Serialize;

use super::super::chart::{bars, sparkline};
use super::super::output::table;
use super::folder::Folder;
use crate::collect;
use crate::store::windows::{RISING, TargetWindow};

/// Blanks that a column of a table has around it.
const GAP: usize = 3;

/// Rows of the large chart.
const CHART_ROWS: u32 = 8;

/// The document of `--json`.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) days: usize,
    pub(super) seconds: f64,
    requests: u64,
    credits: i64,
    outcomes: BTreeMap<&'static str, u64>,
    config: String,
    database: String,
    query: &'static str,
    pub(super) targets: Vec<TargetWindow>,
}

impl Report {
    /// Adds what came of a day.
    pub(super) fn add(&mut self, pass: &collect::Report) {
        self.days += 1;
        self.requests += pass.requests;
        self.credits += pass.credits;
        for (outcome, n) in &pass.outcomes {
            *self.outcomes.entry(outcome.as_str()).or_default() += n;
        }
    }

    /// Says where things are.
    pub(super) fn folder(&mut self, folder: &Folder) {
        self.config = folder.config_file().display().to_string();
        self.database = folder.database().display().to_string();
        self.query = RISING;
    }

    pub(super) fn text(&self) -> String {
        let mut parts = vec![self.headline(), self.table()];
        parts.extend(self.liveliest().and_then(chart));
        parts.push(
            "A value is relative to the best day of its own window (1.0): compare days\n\
             within a window, never two sounds, regions or windows. One index that\n\
             compares them over time comes in a later version."
                .to_owned(),
        );
        parts.push(self.next_steps());
        parts.join("\n\n")
    }

    fn headline(&self) -> String {
        let outcomes: Vec<String> = self.outcomes.iter().map(|(o, n)| format!("{n} {o}")).collect();
        format!(
            "{} days lived through in {:.1} s: {} requests to a simulated API,\n\
             {}; {} credits, had they been real.\n\
             The database is {}.\n\
             It has up to {} days of a sound, of which the API now shows the newest {}.",
            self.days,
            self.seconds,
            self.requests,
            outcomes.join(", "),
            self.credits,
            self.database,
            self.targets.iter().map(|t| t.days_kept).max().unwrap_or(0),
            self.longest_window()
        )
    }

    /// The targets with their newest windows; on a narrow terminal the windows stand below.
    fn table(&self) -> String {
        let wide = self.rows(true);
        let columns = wide.column_max_content_widths();
        let width: usize = columns.iter().map(|column| usize::from(*column) + GAP).sum();
        if wide.width().is_none_or(|terminal| width <= usize::from(terminal)) {
            return wide.to_string();
        }
        let longest = self.longest_window();
        let windows = self.targets.iter().map(|target| {
            let line = sparkline(&values(target));
            format!(" {line:>longest$}  {} {}", title(target), target.region)
        });
        format!(
            "{}\n\n{}",
            self.rows(false),
            windows.collect::<Vec<_>>().join("\n")
        )
    }

    fn longest_window(&self) -> usize {
        self.targets.iter().map(|t| t.window.len()).max().unwrap_or(0)
    }

    fn rows(&self, with_windows: bool) -> Table {
        let mut headings = vec!["title", "author", "region", "snapshots", "newest day", "state"];
        headings.extend(with_windows.then_some("newest window"));
        let mut table = table(&headings, &[3, 6]);
        for target in &self.targets {
            let or_none = |text: Option<&str>| text.unwrap_or("–").to_owned();
            let mut row = vec![
                title(target),
                or_none(target.author.as_deref()),
                target.region.clone(),
                target.snapshots.to_string(),
                or_none(target.newest_day()),
                target.state.clone(),
            ];
            row.extend(with_windows.then(|| sparkline(&values(target))));
            table.add_row(row);
        }
        table
    }

    /// The target whose window moves the most.
    fn liveliest(&self) -> Option<&TargetWindow> {
        let movement = |target: &TargetWindow| -> f64 {
            let values = values(target);
            values
                .iter()
                .zip(values.iter().skip(1))
                .map(|(a, b)| (a - b).abs())
                .sum()
        };
        self.targets
            .iter()
            .max_by(|a, b| movement(a).total_cmp(&movement(b)))
    }

    fn next_steps(&self) -> String {
        let config = shell(&self.config);
        let database = shell(&self.database);
        // As it was called: after `cargo run` there is no such command in the PATH.
        let program = shell(&std::env::args().next().unwrap_or_else(|| "soundwatch".to_owned()));
        format!(
            "Look at it\n\
             \x20 {program} --config {config} status\n\n\
             Query it (every answer is kept; docs/sql.md has more)\n\
             \x20 sqlite3 -box {database} \"\n  {}\"\n\n\
             Go on with it\n\
             \x20 {program} simulate          # in another terminal\n\
             \x20 {program} --config {config} collect --all",
            self.query
        )
    }
}

fn title(target: &TargetWindow) -> String {
    target.title.clone().unwrap_or_else(|| target.clip_id.clone())
}

fn values(target: &TargetWindow) -> Vec<f64> {
    target.window.iter().map(|point| point.value).collect()
}

fn chart(target: &TargetWindow) -> Option<String> {
    let (first, last) = (target.window.first()?, target.window.last()?);
    let bars = bars(&values(target), CHART_ROWS, &first.day, &last.day);
    Some(format!(
        "{} in {}, the newest {} days\n{bars}",
        title(target),
        target.region,
        target.window.len()
    ))
}

/// A path as a shell takes it.
fn shell(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if path.chars().all(plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}
