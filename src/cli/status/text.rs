//! The status for people: 80 columns wide, and short enough for one screen.

use comfy_table::ContentArrangement;
use unicode_width::UnicodeWidthStr;

use super::super::output::{short, table};
use super::{Coming, Indexes, Key, SHOWN, Slots, Spending, Status, Targets, Waiting, Watched};
use crate::store::status::TargetState;
use crate::words::counted;

/// Columns of a terminal that has not been made wider.
const WIDTH: usize = 80;

/// Columns of the names before the texts.
const NAMES: usize = 15;

/// Columns of a title.
const TITLE: usize = 16;

/// Ways of ending that are told one by one.
const OUTCOMES_SHOWN: usize = 6;

/// Unknown fields, problems and workers that are told one by one.
const FEW: usize = 3;

/// All of it.
pub(super) fn of(status: &Status) -> String {
    let mut lines = vec![("Collecting", collecting(status)), ("Alerts", alerts(status))];
    lines.extend([
        ("Database", database(status)),
        ("Watchlist", status.watchlist.text()),
    ]);
    if status.key.fingerprint.is_none() || !status.key.pauses.is_empty() {
        lines.push(("Key", status.key.text()));
    }
    lines.extend([
        ("Slots", status.slots.text()),
        ("Last 24 hours", outcomes(status)),
        ("Budget", status.budget.text()),
        ("Forecast", status.forecast.text()),
    ]);
    lines.extend(status.spool.text().map(|text| ("Spool", text)));
    lines.extend(status.index.text().map(|text| ("Index", text)));
    if !status.unknown_fields.is_empty() {
        lines.push(("Unknown fields", unknown_fields(status)));
    }
    lines.push(("Targets", status.targets.summary()));
    let lines: Vec<String> = lines.iter().map(|(name, text)| field(name, text)).collect();
    let text = lines.join("\n");
    if status.targets.worst_first.is_empty() {
        return text;
    }
    format!("{text}\n\n{}", status.targets.table())
}

/// A name and its text, wrapped at blanks.
fn field(name: &str, text: &str) -> String {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && NAMES + line.width() + 1 + word.width() > WIDTH {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    let indented = lines.join(&format!("\n{:NAMES$}", ""));
    format!("{name:NAMES$}{indented}")
}

/// The first few of a list, and how many more there are.
fn few(mut shown: Vec<String>, all: usize, apart: &str) -> String {
    let rest = all.saturating_sub(shown.len());
    if rest > 0 {
        shown.push(format!("and {rest} more"));
    }
    shown.join(apart)
}

fn collecting(status: &Status) -> String {
    let holders = &status.collecting;
    if holders.is_empty() {
        return "nobody; `soundwatch run` starts the daemon, `soundwatch collect` makes one pass".to_owned();
    }
    let shown = holders.iter().take(FEW).map(ToString::to_string).collect();
    few(shown, holders.len(), "\n")
}

/// What stands in the lines below is only named here.
fn alerts(status: &Status) -> String {
    use crate::model::AlertKind::{DatabaseAway, NoRoom};
    if status.alerts.is_empty() {
        return "none".to_owned();
    }
    let told = |alert: &crate::store::alerts::Alert| {
        let since = crate::clock::rfc3339(alert.raised_at);
        match (alert.kind, alert.targets) {
            (NoRoom | DatabaseAway, _) => format!("{} since {since}: {}", alert.kind, alert.message),
            (kind, Some(targets)) => format!("{kind} since {since} ({})", counted(targets, "target")),
            (kind, None) => format!("{kind} since {since}"),
        }
    };
    status.alerts.iter().map(told).collect::<Vec<_>>().join("\n")
}

fn database(status: &Status) -> String {
    let database = &status.database;
    let size = database
        .size_bytes
        .map_or_else(String::new, |bytes| format!(", {}", indicatif::HumanBytes(bytes)));
    format!("{} ({}{size})", database.kind, database.url)
}

fn outcomes(status: &Status) -> String {
    let counts = &status.last_24_hours;
    if counts.is_empty() {
        return "nothing was asked".to_owned();
    }
    let told = counts
        .iter()
        .take(OUTCOMES_SHOWN)
        .map(|count| match &count.reason {
            Some(reason) => format!("{} {} ({reason})", count.slots, count.outcome),
            None => format!("{} {}", count.slots, count.outcome),
        });
    few(told.collect(), counts.len(), ", ")
}

fn unknown_fields(status: &Status) -> String {
    let fields = &status.unknown_fields;
    let shown = fields.iter().take(FEW);
    let shown = shown.map(|field| format!("{} ({})", field.path, counted(field.answers, "answer")));
    format!(
        "{}; kept in snapshots.extra",
        few(shown.collect(), fields.len(), ", ")
    )
}

impl Watched {
    fn text(&self) -> String {
        let Some(path) = &self.path else {
            return "none here: another worker owns it".to_owned();
        };
        if let Some(targets) = self.targets {
            let targets = counted(targets, "target");
            let in_force = match self.in_force {
                Some(false) => ", not in force yet",
                _ => "",
            };
            return format!("{} ({targets}{in_force})", path.display());
        }
        let shown = self.problems.iter().take(FEW);
        let shown = shown.map(|problem| {
            let place = problem
                .place
                .as_ref()
                .map_or_else(String::new, |place| format!("{place}: "));
            format!("{place}{}", problem.message)
        });
        let problems = few(shown.collect(), self.problems.len(), "\n");
        format!(
            "broken, so the old one stays in force:\n{problems}\n`soundwatch check` tells all of it, and what to do"
        )
    }
}

impl Key {
    fn text(&self) -> String {
        let found = match &self.fingerprint {
            Some(fingerprint) => format!("fingerprint {fingerprint}"),
            None => "none found here; `soundwatch check` says where it is looked for".to_owned(),
        };
        let paused = self.pauses.iter().map(|pause| {
            let other = match &self.fingerprint {
                Some(_) => String::new(),
                None => format!(", fingerprint {}", pause.fingerprint),
            };
            format!(
                "\npaused until {} ({}, since {}{other}).\n{}",
                pause.until, pause.reason, pause.since, pause.advice
            )
        });
        format!("{found}{}", paused.collect::<String>())
    }
}

impl Slots {
    fn text(&self) -> String {
        let or_none = |slot: &Option<String>| slot.clone().unwrap_or_else(|| "none".to_owned());
        format!("last {}, next {}", or_none(&self.last), or_none(&self.next))
    }
}

impl Spending {
    fn text(&self) -> String {
        format!(
            "{} of {} credits today, {} of {} this month (UTC)",
            self.today_credits, self.daily_credits, self.month_credits, self.monthly_credits
        )
    }
}

impl Coming {
    fn text(&self) -> String {
        let due = match self.due_now {
            0 => String::new(),
            n => format!("{} due now; ", counted(n, "slot")),
        };
        let coming = format!(
            "{due}{} to come today, {} this month",
            counted(self.today_credits, "credit"),
            self.month_credits
        );
        match self.over_budget.first() {
            // What follows is for `plan` to tell.
            Some(problem) => format!(
                "{coming}\nover budget: {} (`soundwatch plan`)",
                problem.message.split(':').next().unwrap_or_default()
            ),
            None => coming,
        }
    }
}

impl Indexes {
    /// Nothing was answered yet: nothing to say.
    fn text(&self) -> Option<String> {
        let fit = &self.fit;
        if fit.series == 0 && self.waiting == 0 {
            return None;
        }
        let counts = [
            (self.waiting, "to be computed"),
            (fit.suspect, "with suspect bounds"),
            (fit.inconsistent, "inconsistent"),
        ];
        let counts = counts.iter().filter(|(series, _)| *series > 0);
        let counts: String = counts
            .map(|(series, what)| format!(", {series} {what}"))
            .collect();
        let days = counted(fit.settle_lag, "day");
        let mut text = format!(
            "{} series{counts}; days are settled at the age of {days}",
            fit.series
        );
        if fit.unusable_windows > 0 {
            let windows = counted(fit.unusable_windows, "window");
            text.push_str(&format!("\n{windows} with values outside 0 to 1 left out"));
        }
        for doubt in &self.doubts {
            text.push_str(&format!("\nwarning: {doubt}"));
        }
        Some(text)
    }
}

impl Waiting {
    /// Nothing waits: nothing to say.
    fn text(&self) -> Option<String> {
        if let Some(problem) = &self.problem {
            return Some(format!("can't be looked at: {problem}"));
        }
        let aside = match self.set_aside {
            0 => String::new(),
            n => format!("{n} set aside that could not be settled (state.dir/spool/*.aside*)"),
        };
        let waiting = match self.answers {
            0 if aside.is_empty() => return None,
            0 => return Some(aside),
            1 => "1 answer waits for the database".to_owned(),
            n => format!("{n} answers wait for the database"),
        };
        Some(if aside.is_empty() {
            waiting
        } else {
            format!("{waiting}; {aside}")
        })
    }
}

impl Targets {
    fn all(&self) -> i64 {
        self.states.iter().map(|count| count.targets).sum()
    }

    fn summary(&self) -> String {
        if self.states.is_empty() {
            return "none yet; `run` and `collect` take them from the watchlist".to_owned();
        }
        let states = self.states.iter();
        let states = states.map(|count| format!("{} {}", count.targets, count.state));
        format!("{}: {}", self.all(), states.collect::<Vec<_>>().join(", "))
    }

    fn table(&self) -> String {
        let mut table = table(&["state", "target", "title", "newest day", "success"], &[4]);
        table.set_content_arrangement(ContentArrangement::Disabled);
        let shown = self.worst_first.iter().take(SHOWN);
        let rows = shown.len();
        shown.for_each(|target| {
            table.add_row(row(target));
        });
        let rest = self.all() - i64::try_from(rows).unwrap_or(i64::MAX);
        if rest > 0 {
            format!("{table}\n… and {rest} more: query the view freshness")
        } else {
            table.to_string()
        }
    }
}

fn row(target: &TargetState) -> [String; 5] {
    let or_none = |text: Option<&str>| text.unwrap_or("–").to_owned();
    [
        target.state.clone(),
        format!("{} {} {}", target.clip_id, target.region, target.period),
        short(&or_none(target.title.as_deref()), TITLE),
        or_none(target.newest_day.as_deref()),
        target.age_hours.map_or_else(|| "never".to_owned(), ago),
    ]
}

/// Roughly, as one sees at a glance what is old.
fn ago(hours: f64) -> String {
    match hours {
        h if h < 1.0 => format!("{:.0} min", h.max(0.0) * 60.0),
        h if h < 48.0 => format!("{h:.0} h"),
        h => format!("{:.0} d", h / 24.0),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(-0.1, "0 min")]
    #[case(0.5, "30 min")]
    #[case(47.4, "47 h")]
    #[case(480.0, "20 d")]
    fn how_long_ago_is_told_roughly(#[case] hours: f64, #[case] told: &str) {
        assert_eq!(ago(hours), told);
    }

    #[test]
    fn an_index_that_may_be_wrong_says_so() {
        let fit = crate::trend::Fit {
            series: 4,
            settle_lag: 1,
            suspect: 3,
            unusable_windows: 2,
            observations: 100,
            ..crate::trend::Fit::default()
        };
        let indexes = Indexes {
            fit,
            waiting: 1,
            doubts: fit.doubts(),
        };
        assert_eq!(
            indexes.text().unwrap(),
            "4 series, 1 to be computed, 3 with suspect bounds; days are settled at the age of 1 day\n\
             2 windows with values outside 0 to 1 left out\n\
             warning: the windows of most sounds contradict each other: the index may be wrong"
        );
    }

    #[test]
    fn a_long_text_is_wrapped_below_itself() {
        let text = field("Name", &"0123456789 ".repeat(8));
        let line = "0123456789 ".repeat(5);
        assert_eq!(
            text,
            format!("Name           {line}0123456789\n               0123456789 0123456789")
        );
    }
}
