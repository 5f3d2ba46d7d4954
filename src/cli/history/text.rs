//! The history of a sound as people read it.

use super::super::output::{table, terminal_width};
use super::chart::chart;
use super::{Day, History, Listeners, RegionHistory, STRONGEST, Window};
use crate::history::{Change, Move, Score, name_of, segments};
use crate::report::{change_words, reason_words};
use crate::trend::IndexDay;

pub(super) fn of(history: &History) -> String {
    let title = history.title.as_deref().unwrap_or("(no title yet)");
    let by = history
        .author
        .as_ref()
        .map_or_else(String::new, |author| format!(", by {author}"));
    let mut parts = vec![format!("{title}{by}\n{}", history.clip_id)];
    parts.extend(history.regions.iter().map(region));
    parts.join("\n\n")
}

fn region(of: &RegionHistory) -> String {
    let state = of.state.as_deref().unwrap_or("no longer watched");
    let mut parts = vec![format!("{} ({state})", of.region)];
    match (&of.window, of.index.last()) {
        (_, Some(newest)) => {
            parts.push(standing(of, newest));
            parts.push(drawn(&of.index));
            parts.push(days(&of.days));
        }
        (Some(window), None) => parts.push(of_window(window)),
        (None, None) => parts.push("Nothing has been answered yet.".to_owned()),
    }
    parts.extend(of.audience.as_ref().map(listeners));
    parts.join("\n\n")
}

fn standing(of: &RegionHistory, newest: &IndexDay) -> String {
    let provisional = if newest.provisional { " (provisional)" } else { "" };
    let peak = of.peak_day.as_deref().unwrap_or("–");
    format!(
        "index {:.1} on {}{provisional}; 100 is the best day, {peak}\n7 days: {}   30 days: {}",
        newest.value,
        name_of(newest.day),
        change(of.change_7_days),
        change(of.change_30_days)
    )
}

/// A change with its bounds, which is in doubt where they hold both directions.
fn change(change: Option<Change>) -> String {
    let Some(change) = change else {
        return "not known".to_owned();
    };
    let sign = if change.is_certain() { "" } else { "about " };
    let most = change.most.map_or_else(|| "more".to_owned(), change_words);
    format!(
        "{sign}{} ({} to {most})",
        change_words(change.times),
        change_words(change.least)
    )
}

fn drawn(index: &[IndexDay]) -> String {
    let (Some(first), Some(last)) = (index.first(), index.last()) else {
        return String::new();
    };
    let mut drawn = chart(index, &name_of(first.day), &name_of(last.day), terminal_width());
    if segments(index).count() > 1 {
        drawn.push_str("\n┊ a new scale begins: days on its two sides don't compare");
    }
    drawn
}

fn days(days: &[Day]) -> String {
    let mut table = table(&["day", "index", "low–high", "segment", "", ""], &[1, 2, 3]);
    for day in days {
        let figure = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.1}"));
        let bounds = match (day.low, day.high) {
            (Some(low), Some(high)) => format!("{low:.1}–{high:.1}"),
            _ => String::new(),
        };
        let note = match (&day.missing, day.provisional) {
            (Some(reason), _) => format!("missing: {}", reason_words(reason)),
            (None, Some(true)) => "provisional".to_owned(),
            (None, _) => String::new(),
        };
        let segment = day
            .segment
            .map_or_else(String::new, |segment| segment.to_string());
        let bar = day.value.map_or_else(String::new, |value| {
            super::super::chart::bar(tenths(value), 0, 1_000, 16)
        });
        table.add_row([day.day.clone(), figure(day.value), bounds, segment, bar, note]);
    }
    table.to_string()
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "an index is at most some hundreds"
)]
fn tenths(value: f64) -> i64 {
    (value * 10.0) as i64
}

fn of_window(window: &Window) -> String {
    let (Some(first), Some(last)) = (window.index.first(), window.index.last()) else {
        return "There is no index yet, and the newest window is empty.".to_owned();
    };
    format!(
        "There is no index yet. The newest window of {} days, fetched {}; 100 is the best of these days:\n\n{}",
        window.period_days,
        window.fetched_at,
        chart(
            &window.index,
            &name_of(first.day),
            &name_of(last.day),
            terminal_width()
        )
    )
}

fn listeners(of: &Listeners) -> String {
    let mut lines = vec![
        format!("countries: {}", scores(&of.countries)),
        format!("interests: {}", scores(&of.interests)),
    ];
    if !of.ages.is_empty() {
        lines.push(format!("ages in percent: {}", scores(&of.ages)));
    }
    lines.push("(100 is the average of all sounds)".to_owned());
    lines.push(String::new());
    lines.push(since("since a week ago", &of.since_a_week));
    lines.push(since("since a month ago", &of.since_a_month));
    lines.join("\n")
}

fn scores(scores: &[Score]) -> String {
    let told = scores
        .iter()
        .take(STRONGEST)
        .map(|score| format!("{} {}", score.name, figure(score.score)));
    let told = told.collect::<Vec<_>>().join(", ");
    if told.is_empty() {
        "not told".to_owned()
    } else {
        told
    }
}

fn figure(score: Option<f64>) -> String {
    score.map_or_else(|| "–".to_owned(), |score| format!("{score:.0}"))
}

fn since(when: &str, moves: &[Move]) -> String {
    let told = moves.iter().map(|change| {
        let (now, before) = (figure(change.now), figure(change.before));
        match (change.before, change.now) {
            (None, _) => format!("+ {} {now}", change.name),
            (_, None) => format!("- {} {before}", change.name),
            _ => format!("{} {before} → {now}", change.name),
        }
    });
    let told = told.collect::<Vec<_>>().join(", ");
    format!(
        "{when}: {}",
        if told.is_empty() {
            "no change is known"
        } else {
            &told
        }
    )
}
