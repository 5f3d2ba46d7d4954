//! Shares of a whole over time, one area on the other.

use maud::{Markup, PreEscaped, html};
use plotters::prelude::*;

use super::axis::{Axis, coordinate};
use super::frame::{Chart, Drawn, day_labels, mesh};
use super::surface::{Ink, PIXEL, Surface};

const WIDTH: u32 = 440;
const HEIGHT: u32 = 170;

/// Shades, from the lightest to the strongest.
const SHADES: usize = 5;

/// The shade of one of several shares, 1 to 5. Few of them take the middle ones: the strongest is glaring on a
/// large area.
pub fn shade(number: usize, of_all: usize) -> usize {
    let lightest = if of_all + 2 <= SHADES { 2 } else { 1 };
    (lightest + number).min(SHADES)
}

/// A chart of shares in percent: of each day (since 1970-01-01, ascending) one for each name, the lowest area
/// first. `words` say what it shows.
pub fn shares_chart(days: &[(i64, Vec<f64>)], words: &str) -> Markup {
    let mut elements = String::new();
    let size = (WIDTH * PIXEL.unsigned_abs(), HEIGHT * PIXEL.unsigned_abs());
    let surface = Surface {
        elements: &mut elements,
        size,
    };
    let drawn = draw(days, surface);
    html! {
        svg.shares role="img" aria-label=(words) viewBox=(format!("0 0 {} {}", size.0, size.1)) {
            @if drawn.is_some() { (PreEscaped(elements)) }
        }
    }
}

fn draw(days: &[(i64, Vec<f64>)], surface: Surface<'_>) -> Drawn {
    let (first, last) = (days.first()?.0, days.last()?.0);
    let root = surface.into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin_top(8 * PIXEL)
        .margin_right(24 * PIXEL)
        .x_label_area_size(24 * PIXEL)
        .y_label_area_size(40 * PIXEL)
        .build_cartesian_2d(
            Axis::new(
                coordinate(first),
                coordinate(last.max(first + 1)),
                day_labels(first, last),
            ),
            Axis::new(0.0, 100.0, vec![0.0, 25.0, 50.0, 75.0, 100.0]),
        )
        .ok()?;
    mesh(&mut chart, first, last)?;
    let shares = days.iter().map(|(_, shares)| shares.len()).max()?;
    // Each lies before those that reach higher.
    (0..shares)
        .rev()
        .try_for_each(|number| area(&mut chart, days, number, shares))
}

/// The area of one share and of all below it.
fn area(chart: &mut Chart<'_, '_>, days: &[(i64, Vec<f64>)], number: usize, of_all: usize) -> Drawn {
    let height = |shares: &[f64]| shares.iter().take(number + 1).sum::<f64>().min(100.0);
    let edge = days
        .iter()
        .map(|(day, shares)| (coordinate(*day), height(shares)));
    let ends = [(days.last()?.0, 0.0), (days.first()?.0, 0.0)];
    let around = edge.chain(ends.map(|(day, height)| (coordinate(day), height)));
    let shade = Ink::Shade(shade(number, of_all));
    let area = Polygon::new(around.collect::<Vec<_>>(), shade);
    chart.draw_series([area]).ok().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_share_is_an_area_before_those_that_reach_higher() {
        let days = [(20_412, vec![10.0, 20.0, 70.0]), (20_419, vec![20.0, 20.0, 60.0])];
        let svg = shares_chart(&days, "ages").into_string();
        let areas: Vec<&str> = svg
            .split("class=\"heat")
            .skip(1)
            .map(|part| part.split('z').next().unwrap())
            .collect();
        // 100 % are 138 pixels: 10 % are 138 units.
        assert_eq!(
            areas,
            [
                "4\" d=\"M400 80l3759 0 0 1379-3759 0",
                "3\" d=\"M400 1045l3759-138 0 552-3759 0",
                "2\" d=\"M400 1321l3759-138 0 276-3759 0"
            ]
        );
    }

    #[test]
    fn shades_differ_as_long_as_there_are_any() {
        let shades = |of_all| (0..of_all).map(|n| shade(n, of_all)).collect::<Vec<_>>();
        assert_eq!(shades(3), [2, 3, 4]);
        assert_eq!(shades(4), [1, 2, 3, 4]);
        assert_eq!(shades(6), [1, 2, 3, 4, 5, 5]);
    }

    #[test]
    fn nothing_is_an_empty_chart() {
        assert!(!shares_chart(&[], "").0.contains("path"));
    }
}
