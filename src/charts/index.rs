//! The large chart of an index: the line, the band of its bounds, what is missing.

use maud::{Markup, PreEscaped, html};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{Axis, coordinate};
use super::frame::{Chart, Drawn, day_labels, mesh, text};
use super::surface::{Ink, PIXEL, Surface};
use crate::history::{Missing, name_of, runs, segments};
use crate::trend::IndexDay;

const WIDTH: u32 = 720;
const HEIGHT: u32 = 240;

/// The highest bound that is shown; wider ones are cut.
const HIGHEST: f64 = 150.0;

/// What a chart shows.
#[derive(Clone, Copy, Debug)]
pub struct IndexChart<'a> {
    /// Ascending.
    pub days: &'a [IndexDay],
    /// Days that are missing.
    pub missing: &'a [Missing],
    /// What it shows, in words.
    pub words: &'a str,
}

/// The chart of an index.
pub fn index_chart(chart: &IndexChart<'_>) -> Markup {
    let mut elements = String::new();
    let size = (WIDTH * PIXEL.unsigned_abs(), HEIGHT * PIXEL.unsigned_abs());
    let drawn = draw(
        chart,
        Surface {
            elements: &mut elements,
            size,
        },
    );
    html! {
        svg.index role="img" aria-label=(chart.words) viewBox=(format!("0 0 {} {}", size.0, size.1)) {
            @if drawn.is_some() { (PreEscaped(elements)) }
        }
    }
}

fn draw(of: &IndexChart<'_>, surface: Surface<'_>) -> Drawn {
    let (first, last) = (of.days.first()?.day, of.days.last()?.day);
    // A day alone stands in the middle.
    let (first, last) = if first == last {
        (first - 1, last + 1)
    } else {
        (first, last)
    };
    let top = of
        .days
        .iter()
        .map(|day| day.high)
        .fold(105.0, f64::max)
        .min(HIGHEST);
    let root = surface.into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin_top(16 * PIXEL)
        .margin_right(40 * PIXEL)
        .x_label_area_size(24 * PIXEL)
        .y_label_area_size(40 * PIXEL)
        .build_cartesian_2d(
            Axis::new(coordinate(first), coordinate(last), day_labels(first, last)),
            Axis::new(0.0, top, vec![0.0, 25.0, 50.0, 75.0, 100.0]),
        )
        .ok()?;
    missing(&mut chart, of.missing, first, last, top)?;
    mesh(&mut chart, first, last)?;
    for run in runs(of.days) {
        bounds(&mut chart, run, top)?;
        line(&mut chart, run)?;
    }
    breaks(&mut chart, of.days, top)?;
    marks(&mut chart, of.days)
}

/// The days that no answer showed are shaded.
fn missing(chart: &mut Chart<'_, '_>, missing: &[Missing], first: i64, last: i64, top: f64) -> Drawn {
    let shown = missing
        .iter()
        .filter(|gap| gap.last_day >= first && gap.first_day <= last);
    let areas = shown.map(|gap| {
        let left = coordinate(gap.first_day.max(first + 1) - 1);
        let right = coordinate((gap.last_day + 1).min(last));
        Rectangle::new([(left, top), (right, 0.0)], Ink::Missing.filled())
    });
    chart.draw_series(areas).ok().map(drop)
}

fn bounds(chart: &mut Chart<'_, '_>, run: &[IndexDay], top: f64) -> Drawn {
    let upper = run.iter().map(|day| (coordinate(day.day), day.high.min(top)));
    let lower = run
        .iter()
        .rev()
        .map(|day| (coordinate(day.day), day.low.min(top)));
    let band = Polygon::new(upper.chain(lower).collect::<Vec<_>>(), Ink::Band);
    chart.draw_series([band]).ok().map(drop)
}

/// A line through the settled days, a lighter one through those that may be restated; a day alone is a
/// dot.
fn line(chart: &mut Chart<'_, '_>, run: &[IndexDay]) -> Drawn {
    let points: Vec<(f64, f64)> = run.iter().map(|day| (coordinate(day.day), day.value)).collect();
    if let [alone] = points.as_slice() {
        let dot = Circle::new(*alone, 2 * PIXEL, Ink::Dot);
        return chart.draw_series([dot]).ok().map(drop);
    }
    let mut begin = 0;
    for part in run.chunk_by(|a, b| a.provisional == b.provisional) {
        let end = begin + part.len();
        let ink = if part.first()?.provisional {
            Ink::Provisional
        } else {
            Ink::Line
        };
        // The lines of two parts meet.
        let line = points.get(begin.saturating_sub(1)..end)?;
        chart.draw_series([PathElement::new(line, ink)]).ok()?;
        begin = end;
    }
    Some(())
}

/// Where days stop comparing.
fn breaks(chart: &mut Chart<'_, '_>, days: &[IndexDay], top: f64) -> Drawn {
    let parts: Vec<&[IndexDay]> = segments(days).collect();
    for pair in parts.windows(2) {
        let [before, after] = pair else { continue };
        let middle = (coordinate(before.last()?.day) + coordinate(after.first()?.day)) / 2.0;
        let line = PathElement::new(vec![(middle, 0.0), (middle, top)], Ink::Break);
        chart.draw_series([line]).ok()?;
        let style = text(Ink::Mark).pos(Pos::new(HPos::Left, VPos::Bottom));
        let words = EmptyElement::at((middle, 0.0)) + Text::new("new scale", (4 * PIXEL, -4 * PIXEL), style);
        chart.draw_series([words]).ok()?;
    }
    Some(())
}

/// The peak and the newest day, with their names.
fn marks(chart: &mut Chart<'_, '_>, days: &[IndexDay]) -> Drawn {
    let newest = days.last()?;
    let segment = segments(days).last()?;
    let peak = segment.iter().find(|day| day.value >= 100.0);
    if let Some(peak) = peak.filter(|peak| peak.day != newest.day) {
        let words = format!("peak {}", name_of(peak.day));
        // To the right of it, where there is room.
        let first = days.first()?.day;
        let room = (newest.day - peak.day) * 4 > newest.day - first;
        let (side, beside) = if room { (HPos::Left, 6) } else { (HPos::Right, -6) };
        mark(
            chart,
            peak,
            &words,
            Pos::new(side, VPos::Bottom),
            (beside * PIXEL, -3 * PIXEL),
        )?;
    }
    let decimals = usize::from(newest.value < 9.95);
    let words = format!("{:.decimals$}", newest.value);
    mark(
        chart,
        newest,
        &words,
        Pos::new(HPos::Left, VPos::Center),
        (7 * PIXEL, 0),
    )
}

fn mark(chart: &mut Chart<'_, '_>, day: &IndexDay, words: &str, pos: Pos, beside: (i32, i32)) -> Drawn {
    let style = text(Ink::Mark).pos(pos);
    let at = EmptyElement::at((coordinate(day.day), day.value));
    let dot = at + Circle::new((0, 0), 3 * PIXEL, Ink::Dot) + Text::new(words.to_owned(), beside, style);
    chart.draw_series([dot]).ok().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64, value: f64) -> IndexDay {
        IndexDay {
            day,
            value,
            low: value - 5.0,
            high: value + 5.0,
            segment: 1,
            provisional: false,
        }
    }

    fn svg(days: &[IndexDay], missing: &[Missing]) -> String {
        let words = "the \"index\" of <b>";
        index_chart(&IndexChart { days, missing, words })
            .into_string()
            .replace("><", ">\n<")
    }

    #[test]
    fn an_index_is_a_line_with_a_band_and_its_newest_days_are_marked() {
        let mut days: Vec<IndexDay> = (0..5).map(|n| day(20_412 + n, 60.0 + 10.0 * n as f64)).collect();
        days[4].provisional = true;
        insta::assert_snapshot!(svg(&days, &[]));
    }

    #[test]
    fn nothing_is_drawn_across_a_gap_or_a_new_scale() {
        let mut days: Vec<IndexDay> = [0, 1, 4, 5, 6, 7].map(|n| day(20_412 + n, 50.0)).to_vec();
        for day in &mut days[4..] {
            day.segment = 2;
        }
        let gap = Missing {
            first_day: 20_414,
            last_day: 20_415,
            reason: "missed".to_owned(),
        };
        let svg = svg(&days, &[gap]);
        let count = |what: &str| svg.matches(what).count();
        assert_eq!(count("class=\"line\""), 3, "{svg}");
        assert_eq!(count("class=\"band\""), 3, "{svg}");
        assert_eq!(count("class=\"missing\""), 1, "{svg}");
        assert_eq!(count("class=\"break\""), 1, "{svg}");
    }

    #[test]
    fn no_days_are_an_empty_chart() {
        assert!(!svg(&[], &[]).contains("path"));
    }
}
