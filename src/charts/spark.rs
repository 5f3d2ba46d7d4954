//! A small line without axes.

use std::ops::RangeInclusive;

use maud::{Markup, PreEscaped, html};
use plotters::prelude::*;

use super::axis::{Axis, coordinate};
use super::surface::{Ink, PIXEL, Surface};

const WIDTH: u32 = 140;
const HEIGHT: u32 = 32;

/// A small line over days, from nothing to the highest value; it ends where more than `step` days lie
/// between two. `words` say what it shows.
pub fn spark(points: &[(i64, f64)], step: i64, words: &str) -> Markup {
    let (first, last) = (points.first(), points.last());
    let days = first.map_or(0, |point| point.0)..=last.map_or(0, |point| point.0);
    spark_over(days, points, step, words)
}

/// The same with these days on its axis, whichever of them have points: so that several compare.
pub fn spark_over(days: RangeInclusive<i64>, points: &[(i64, f64)], step: i64, words: &str) -> Markup {
    let mut elements = String::new();
    let size = (WIDTH * PIXEL.unsigned_abs(), HEIGHT * PIXEL.unsigned_abs());
    let surface = Surface {
        elements: &mut elements,
        size,
    };
    let drawn = draw(&days, points, step, surface);
    html! {
        svg.spark role="img" aria-label=(words) viewBox=(format!("0 0 {} {}", size.0, size.1)) {
            @if drawn.is_some() { (PreEscaped(elements)) }
        }
    }
}

fn draw(days: &RangeInclusive<i64>, points: &[(i64, f64)], step: i64, surface: Surface<'_>) -> Option<()> {
    let (first, last) = (*days.start(), *days.end());
    let highest = points
        .iter()
        .map(|point| point.1)
        .fold(f64::MIN_POSITIVE, f64::max);
    let root = surface.into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin(3 * PIXEL)
        .build_cartesian_2d(
            Axis::new(coordinate(first), coordinate(last.max(first + 1)), Vec::new()),
            Axis::new(0.0, highest, Vec::new()),
        )
        .ok()?;
    let runs = points.chunk_by(|a, b| b.0 - a.0 <= step);
    for run in runs {
        let line: Vec<(f64, f64)> = run
            .iter()
            .map(|(day, value)| (coordinate(*day), *value))
            .collect();
        let (begin, end) = (line.first()?.0, line.last()?.0);
        let area = line.iter().copied().chain([(end, 0.0), (begin, 0.0)]);
        chart
            .draw_series([Polygon::new(area.collect::<Vec<_>>(), Ink::Area)])
            .ok()?;
        chart.draw_series([PathElement::new(line, Ink::Line)]).ok()?;
    }
    let (day, value) = points.last()?;
    let dot = Circle::new((coordinate(*day), *value), 2 * PIXEL, Ink::Dot);
    chart.draw_series([dot]).ok()?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_line_takes_only_its_days_of_an_axis_that_others_share() {
        let points: Vec<(i64, f64)> = (80..=89).map(|day| (day, 1.0)).collect();
        let left = |svg: Markup| -> i32 {
            let (_, line) = svg.0.split_once("class=\"line\" d=\"M").unwrap();
            line.split_once(' ').unwrap().0.parse().unwrap()
        };
        assert_eq!(left(spark(&points, 1, "")), 30, "all of its width");
        assert_eq!(left(spark_over(0..=89, &points, 1, "")), 30 + 1_340 * 80 / 89);
    }
}
