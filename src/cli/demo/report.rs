//! What the demo ends with.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::chart::{bars, skyline, sparkline};
use super::super::output::{fitting, short};
use super::folder::Folder;
use crate::clock::{DAY, day_name};
use crate::collect;
use crate::store::windows::{RISING, TargetWindow};
use crate::trend::IndexDay;

/// Columns of a title beside its window.
const TITLE: usize = 32;

/// Rows of the large chart.
const CHART_ROWS: u32 = 8;

/// Columns of the index, so that it fits a narrow terminal.
const INDEX_COLUMNS: usize = 70;

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
    /// The index of the sound that moves the most.
    pub(super) index: Vec<Day>,
}

/// A day of the index.
#[derive(Debug, Serialize)]
pub(super) struct Day {
    day: String,
    value: f64,
    low: f64,
    high: f64,
    segment: i64,
    provisional: bool,
    #[serde(skip)]
    number: i64,
}

impl From<IndexDay> for Day {
    fn from(of: IndexDay) -> Self {
        Self {
            day: day_name(of.day * DAY),
            value: of.value,
            low: of.low,
            high: of.high,
            segment: of.segment,
            provisional: of.provisional,
            number: of.day,
        }
    }
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
        parts.extend(self.index_chart());
        parts.push(
            "A value of a window is relative to the best day of that window (1.0): never\n\
             compare two windows by it. The index (100 is its best day) makes one series\n\
             of all windows of a sound in a region; two sounds don't compare by it either."
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
        let headings = [
            "title",
            "author",
            "region",
            "snapshots",
            "newest day",
            "state",
            "newest window",
        ];
        let rows: Vec<_> = self.targets.iter().map(row).collect();
        let table = fitting(&headings, &[3, 6], &rows, &[0, 1], &[6, 1, 5]);
        if table.contains("newest window") {
            return table;
        }
        let longest = self.longest_window();
        let windows = self.targets.iter().map(|target| {
            let line = sparkline(&values(target));
            format!(
                " {line:>longest$}  {} {}",
                short(&title(target), TITLE),
                target.region
            )
        });
        format!("{table}\n\n{}", windows.collect::<Vec<_>>().join("\n"))
    }

    fn longest_window(&self) -> usize {
        self.targets.iter().map(|t| t.window.len()).max().unwrap_or(0)
    }

    /// The index of the liveliest sound: its newest segment, for values of others don't compare.
    fn index_chart(&self) -> Option<String> {
        let target = self.liveliest()?;
        let newest = self.index.last()?;
        let days: Vec<&Day> = self
            .index
            .iter()
            .filter(|day| day.segment == newest.segment)
            .collect();
        let first = days.first()?;
        let value = |number| {
            let found = days.iter().find(|day| day.number == number);
            found.map(|day| day.value / 100.0)
        };
        let values: Vec<Option<f64>> = (first.number..=newest.number).map(value).collect();
        let skyline = skyline(&values, CHART_ROWS, INDEX_COLUMNS, &first.day, &newest.day);
        let mut widths: Vec<f64> = days
            .iter()
            .filter(|day| day.value > 0.0 && !day.provisional)
            .map(|day| 50.0 * (day.high - day.low) / day.value)
            .collect();
        widths.sort_by(f64::total_cmp);
        let width = widths.get(widths.len() / 2)?;
        Some(format!(
            "The same, as one index of {} days from {} windows (half of the days are\n\
             known to ± {width:.1} % or better)\n{skyline}",
            days.len(),
            target.snapshots
        ))
    }

    /// The target whose window moves the most.
    pub(super) fn liveliest(&self) -> Option<&TargetWindow> {
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
        let sound = self.liveliest().map_or_else(String::new, |target| {
            format!("{} {}", target.clip_id, target.region)
        });
        let program = shell(&std::env::args().next().unwrap_or_else(|| "soundwatch".to_owned()));
        format!(
            "Look at it\n\
             \x20 {program} --config {config} status\n\
             \x20 {program} --config {config} history {sound}\n\
             \x20 {program} --config {config} report      # a page, report.html\n\n\
             Query it (every answer is kept; docs/sql.md has more)\n\
             \x20 sqlite3 -box {database} \"\n  {}\"\n\n\
             Go on with it\n\
             \x20 {program} simulate          # in another terminal\n\
             \x20 {program} --config {config} collect --all",
            self.query
        )
    }
}

fn row(target: &TargetWindow) -> Vec<String> {
    let or_none = |text: Option<&str>| text.unwrap_or("–").to_owned();
    vec![
        title(target),
        or_none(target.author.as_deref()),
        target.region.clone(),
        target.snapshots.to_string(),
        or_none(target.newest_day()),
        target.state.clone(),
        sparkline(&values(target)),
    ]
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
