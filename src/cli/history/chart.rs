//! The index as block characters: as wide as the terminal, with the bounds as shades. Columns of
//! missing days stay empty.

use crate::history::segments;
use crate::trend::IndexDay;

/// From nothing to a full block.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

const ROWS: u32 = 10;

/// Columns of the axis on the left.
const AXIS: usize = 6;

/// What a column shows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Column {
    /// No day is known.
    Empty,
    /// The days on its two sides don't compare.
    Break,
    /// The mean of its days.
    Mean { value: f64, high: f64 },
}

/// The chart, at most `width` columns wide. Where days are more than columns, each has several days.
pub(super) fn chart(days: &[IndexDay], first: &str, last: &str, width: usize) -> String {
    let columns = columns(days, width_of_days(days, width));
    let top = days.iter().map(|day| day.value).fold(1.0, f64::max);
    let mut lines: Vec<String> = (0..ROWS).rev().map(|row| line(&columns, row, top)).collect();
    lines.push(format!("{:>AXIS$}{}", "└", "─".repeat(columns.len())));
    let between = columns.len().saturating_sub(first.len() + last.len());
    lines.push(format!("{:AXIS$}{first}{}{last}", "", " ".repeat(between.max(1))));
    lines.extend(match days_each(days, width_of_days(days, width)) {
        1 => None,
        days => Some(format!("{:AXIS$}a column is the mean of {days} days", "")),
    });
    lines.join("\n")
}

/// The columns that are left for days beside the axis and the breaks.
fn width_of_days(days: &[IndexDay], width: usize) -> i64 {
    let taken = AXIS + segments(days).count() - usize::from(!days.is_empty());
    i64::try_from(width.saturating_sub(taken).max(20)).unwrap_or(80)
}

/// How many days share a column.
fn days_each(days: &[IndexDay], width: i64) -> i64 {
    match (days.first(), days.last()) {
        (Some(first), Some(last)) => (last.day - first.day) / width + 1,
        _ => 1,
    }
}

/// The days on equally wide columns.
fn columns(days: &[IndexDay], width: i64) -> Vec<Column> {
    let (Some(first), Some(last)) = (days.first(), days.last()) else {
        return Vec::new();
    };
    let days_each = days_each(days, width);
    // Few days are drawn wider, so that the chart is no stub.
    let wide = (width / (last.day - first.day + 1)).clamp(1, 8);
    let mut columns = Vec::new();
    let mut segment = first.segment;
    let mut begin = first.day;
    while begin <= last.day {
        let within = days
            .iter()
            .filter(|day| (begin..begin + days_each).contains(&day.day));
        let within: Vec<&IndexDay> = within.collect();
        let newest = within.last().map_or(segment, |day| day.segment);
        if newest != segment {
            columns.push(Column::Break);
            segment = newest;
        }
        columns.extend((0..wide).map(|_| mean(&within, segment)));
        begin += days_each;
    }
    columns
}

/// Only days of one segment: others don't compare with them.
fn mean(within: &[&IndexDay], segment: i64) -> Column {
    let of: Vec<&&IndexDay> = within.iter().filter(|day| day.segment == segment).collect();
    if of.is_empty() {
        return Column::Empty;
    }
    #[allow(clippy::cast_precision_loss, reason = "days are few")]
    let mean = |part: fn(&IndexDay) -> f64| of.iter().map(|day| part(day)).sum::<f64>() / of.len() as f64;
    Column::Mean {
        value: mean(|day| day.value),
        high: mean(|day| day.high),
    }
}

fn line(columns: &[Column], row: u32, top: f64) -> String {
    let label = match row {
        _ if row + 1 == ROWS => format!("{top:>4.0} ┤"),
        _ if 2 * (row + 1) == ROWS => format!("{:>4.0} ┤", top / 2.0),
        _ => format!("{:>AXIS$}", "│"),
    };
    let cells: String = columns.iter().map(|column| cell(*column, row, top)).collect();
    format!("{label}{cells}").trim_end().to_owned()
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0 to 8"
)]
fn cell(column: Column, row: u32, top: f64) -> char {
    let (value, high) = match column {
        Column::Empty => return ' ',
        Column::Break => return '┊',
        Column::Mean { value, high } => (value, high),
    };
    let height = |value: f64| value / top * f64::from(ROWS) - f64::from(row);
    // A value is never invisible, be it 0.
    let least = if row == 0 { 0.125 } else { 0.0 };
    let eighths = (height(value).max(least) * 8.0).round().clamp(0.0, 8.0) as usize;
    match eighths {
        // What the bounds leave open above the value.
        0 if height(high) >= 0.5 => '░',
        _ => BLOCKS.get(eighths).copied().unwrap_or(' '),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64, value: f64, segment: i64) -> IndexDay {
        IndexDay {
            day,
            value,
            low: value,
            high: value + 15.0,
            segment,
            provisional: false,
        }
    }

    #[test]
    fn a_chart_has_shades_for_bounds_nothing_for_gaps_and_a_line_where_the_scale_is_new() {
        let days: Vec<IndexDay> = [
            (0, 10.0, 1),
            (1, 40.0, 1),
            (2, 100.0, 1),
            (5, 50.0, 1),
            (6, 100.0, 2),
            (7, 20.0, 2),
        ]
        .map(|(n, value, segment)| day(n, value, segment))
        .to_vec();
        insta::assert_snapshot!(chart(&days, "02-01", "02-08", 30));
    }

    #[test]
    fn days_that_are_more_than_columns_share_them() {
        let days: Vec<IndexDay> = (0..400).map(|n| day(n, 50.0, 1)).collect();
        let chart = chart(&days, "a", "b", 86);
        assert!(chart.lines().all(|line| line.chars().count() <= 86), "{chart}");
        assert_eq!(columns(&days, 80).len(), 80);
    }
}
