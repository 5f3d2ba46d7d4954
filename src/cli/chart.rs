//! Charts of block characters. A day without a value stays empty: nothing is drawn across a gap.

/// From nothing to a full block.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Columns that a day is wide.
const DAY_WIDTH: usize = 2;

/// The block for a height of 0 to 1 within one row.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0 to 8"
)]
fn block(height: f64) -> char {
    let eighths = (height * 8.0).round().clamp(0.0, 8.0) as usize;
    BLOCKS.get(eighths).copied().unwrap_or(' ')
}

/// A row of blocks, one for each value from 0 to 1. A value is never invisible, be it 0.
pub(super) fn sparkline(values: &[f64]) -> String {
    values.iter().map(|value| block(value.max(0.125))).collect()
}

/// A bar of full blocks for one part and shaded ones for the other, `width` columns long when both
/// are `most` together. A part that is not 0 has a block at least.
pub(super) fn bar(full: i64, shaded: i64, most: i64, width: usize) -> String {
    let columns = |part: i64| {
        let exact = i128::from(part) * width as i128;
        let columns = (exact + i128::from(most) / 2).checked_div(i128::from(most));
        usize::try_from(columns.unwrap_or_default().max(i128::from(part > 0))).unwrap_or_default()
    };
    let shaded_columns = columns(shaded);
    let full_columns = columns(full).min(width.saturating_sub(shaded_columns).max(usize::from(full > 0)));
    format!("{}{}", "█".repeat(full_columns), "░".repeat(shaded_columns))
}

/// Bars for values from 0 to 1 with an axis, the first and the last label below.
pub(super) fn bars(values: &[f64], rows: u32, first: &str, last: &str) -> String {
    let mut lines: Vec<String> = (0..rows).rev().map(|row| bar_row(values, row, rows)).collect();
    let width = values.len() * DAY_WIDTH;
    lines.push(format!("     └{}", "─".repeat(width)));
    let between = width.saturating_sub(first.chars().count() + last.chars().count());
    lines.push(format!("      {first}{}{last}", " ".repeat(between.max(1))));
    lines.join("\n")
}

/// The same for a long series: a column for each day, or for several of which it shows the best one; 1 is
/// labelled 100. A column without a value stays empty.
pub(super) fn skyline(values: &[Option<f64>], rows: u32, columns: usize, first: &str, last: &str) -> String {
    let days = values.len().div_ceil(columns.max(1)).max(1);
    let best = |part: &[Option<f64>]| part.iter().flatten().copied().reduce(f64::max);
    let heights: Vec<Option<f64>> = values.chunks(days).map(best).collect();
    let row_text = |row: u32| {
        let label = match row {
            _ if row + 1 == rows => "100 ┤",
            _ if 2 * (row + 1) == rows => " 50 ┤",
            _ => "    │",
        };
        let least = if row == 0 { 0.125 } else { 0.0 };
        let of = |value: &f64| block((value * f64::from(rows) - f64::from(row)).max(least));
        let blocks = heights.iter().map(|height| height.as_ref().map_or(' ', of));
        format!(" {label}{}", blocks.collect::<String>())
            .trim_end()
            .to_owned()
    };
    let mut lines: Vec<String> = (0..rows).rev().map(row_text).collect();
    lines.push(format!("     └{}", "─".repeat(heights.len())));
    let between = heights
        .len()
        .saturating_sub(first.chars().count() + last.chars().count());
    lines.push(format!("      {first}{}{last}", " ".repeat(between.max(1))));
    lines.join("\n")
}

fn bar_row(values: &[f64], row: u32, rows: u32) -> String {
    let label = match row {
        _ if row + 1 == rows => "1.0 ┤".to_owned(),
        _ if 2 * (row + 1) == rows => "0.5 ┤".to_owned(),
        _ => "    │".to_owned(),
    };
    let bars = values.iter().flat_map(|value| {
        let height = value * f64::from(rows) - f64::from(row);
        let least = if row == 0 { 0.125 } else { 0.0 };
        // Half a day is left free, so that days can be counted.
        [block(height.max(least)), ' ']
    });
    format!(" {label}{}", bars.collect::<String>())
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_has_a_block_for_each_value_and_shows_nothing_too() {
        assert_eq!(sparkline(&[0.0, 0.5, 1.0, 2.0]), "▁▄██");
    }

    #[test]
    fn a_bar_shows_both_parts_however_small() {
        assert_eq!(bar(5, 5, 20, 8), "██░░");
        assert_eq!(bar(20, 0, 20, 8), "████████");
        assert_eq!(bar(1, 99, 100, 4), "█░░░░");
        assert_eq!(bar(1, 0, 1_000, 4), "█");
        assert_eq!(bar(0, 0, 0, 4), "");
    }

    #[test]
    fn a_skyline_shows_the_best_of_several_days_and_nothing_where_there_is_nothing() {
        let values = [Some(0.1), Some(1.0), None, None, Some(0.5), Some(0.25), Some(0.0)];
        insta::assert_snapshot!(skyline(&values, 2, 4, "05-01", "05-07"), @"
         100 ┤█
          50 ┤█ █▁
             └────
              05-01 05-07
        ");
    }

    #[test]
    fn bars_stand_on_an_axis_with_its_first_and_last_day() {
        let chart = bars(
            &[0.0, 0.25, 0.5, 1.0, 0.75, 0.5, 0.3, 0.1, 0.1, 0.1],
            4,
            "05-01",
            "05-10",
        );
        insta::assert_snapshot!(chart, @"
         1.0 ┤      █
             │      █ █
         0.5 ┤    █ █ █ █ ▂
             │▁ █ █ █ █ █ █ ▃ ▃ ▃
             └────────────────────
              05-01          05-10
        ");
    }
}
