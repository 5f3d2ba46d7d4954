//! The history of a sound as people read it.

use unicode_width::UnicodeWidthStr;

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
        "index {:.1} on {}{provisional}; 100 is the best day, {peak}\n\
         7 days: {}\n28 days: {}\n\
         (the mean of the last 7 settled days against that of the 7 before, and of the 7\n\
         that end 28 days earlier; not known where one of them is missing)",
        newest.value,
        name_of(newest.day),
        change(of.change_7_days),
        change(of.change_28_days)
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
    let width = terminal_width();
    let mut lines = vec![
        "Who listens; 100 is the average of all sounds".to_owned(),
        listed("  countries: ", &scores(&of.countries), "not told", width),
        listed("  interests: ", &scores(&of.interests), "not told", width),
    ];
    if !of.ages.is_empty() {
        lines.push(listed(
            "  ages, in percent: ",
            &scores(&of.ages),
            "not told",
            width,
        ));
    }
    lines.push(String::new());
    lines.extend(since(
        "Since a week ago, among the strongest",
        &of.since_a_week,
        width,
    ));
    lines.extend(since(
        "Since a month ago, among the strongest",
        &of.since_a_month,
        width,
    ));
    lines.join("\n")
}

/// Things with commas between, on as many lines as the width asks for.
fn listed(label: &str, things: &[String], none: &str, width: usize) -> String {
    let Some((last, others)) = things.split_last() else {
        return format!("{label}{none}");
    };
    let mut lines = label.trim_end().to_owned();
    let mut column = lines.width();
    let things = others.iter().map(|thing| format!("{thing},"));
    for thing in things.chain([last.clone()]) {
        if column + 1 + thing.width() > width {
            lines.push_str("\n   ");
            column = 3;
        }
        lines.push(' ');
        lines.push_str(&thing);
        column += 1 + thing.width();
    }
    lines
}

fn scores(scores: &[Score]) -> Vec<String> {
    let told = scores
        .iter()
        .take(STRONGEST)
        .map(|score| format!("{} {}", score.name, figure(score.score)));
    told.collect()
}

fn figure(score: Option<f64>) -> String {
    score.map_or_else(|| "–".to_owned(), |score| format!("{score:.0}"))
}

/// What came in, what dropped out, and what changed.
fn since(when: &str, moves: &[Move], width: usize) -> Vec<String> {
    if moves.is_empty() {
        return vec![format!("{when}: no change is known")];
    }
    let of = |wanted: fn(&Move) -> bool, told: fn(&Move) -> String| -> Vec<String> {
        moves.iter().filter(|change| wanted(change)).map(told).collect()
    };
    let came = of(
        |change| change.before.is_none(),
        |change| format!("{} {}", change.name, figure(change.now)),
    );
    let went = of(
        |change| change.before.is_some() && change.now.is_none(),
        |change| format!("{} {}", change.name, figure(change.before)),
    );
    let changed = of(
        |change| change.before.is_some() && change.now.is_some(),
        |change| {
            format!(
                "{} {} → {}",
                change.name,
                figure(change.before),
                figure(change.now)
            )
        },
    );
    let kinds = [("came in", came), ("dropped out", went), ("changed", changed)];
    let kinds = kinds.into_iter().filter(|(_, told)| !told.is_empty());
    let lines = kinds.map(|(kind, told)| listed(&format!("  {kind}: "), &told, "", width));
    std::iter::once(format!("{when}:")).chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_told_in_words_and_lines_end_where_the_terminal_does() {
        let change = |name: &str, before: Option<f64>, now: Option<f64>| Move {
            name: name.to_owned(),
            now,
            before,
        };
        let moves = [
            change("Dance", None, Some(250.0)),
            change("Dance of the World", None, Some(240.0)),
            change("Cats & Dogs", Some(228.0), None),
            change("Latvia", Some(1_000.0), Some(1_426.0)),
        ];
        insta::assert_snapshot!(since("Since a week ago", &moves, 30).join("\n"), @"
        Since a week ago:
          came in: Dance 250,
            Dance of the World 240
          dropped out: Cats & Dogs 228
          changed: Latvia 1000 → 1426
        ");
        assert_eq!(
            since("Since a week ago", &[], 30),
            ["Since a week ago: no change is known"]
        );
    }
}
