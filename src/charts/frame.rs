//! What charts over days have in common: axes, a grid, texts.

use plotters::prelude::*;

use super::axis::{Axis, coordinate};
use super::surface::{Ink, PIXEL, Surface};
use super::ticks::ticks;

pub(super) type Chart<'a, 'b> = ChartContext<'a, Surface<'b>, Cartesian2d<Axis, Axis>>;

/// `None` when there is nothing to draw; plotters' own errors cannot happen on this surface.
pub(super) type Drawn = Option<()>;

/// Where the axis of these days has its labels.
pub(super) fn day_labels(first: i64, last: i64) -> Vec<f64> {
    let ticks = ticks(first, last);
    ticks.iter().map(|tick| coordinate(tick.day)).collect()
}

/// Axes with their labels, and lines across.
pub(super) fn mesh(chart: &mut Chart<'_, '_>, first: i64, last: i64) -> Drawn {
    let ticks = ticks(first, last);
    let label = |at: &f64| {
        let tick = ticks.iter().find(|tick| coordinate(tick.day) == *at);
        tick.map(|tick| tick.label.clone()).unwrap_or_default()
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .max_light_lines(0)
        .light_line_style(TRANSPARENT)
        .bold_line_style(Ink::Grid)
        .axis_style(Ink::Axis)
        .set_all_tick_mark_size(4 * PIXEL)
        .x_label_formatter(&label)
        .y_label_formatter(&|value| format!("{value:.0}"))
        .label_style(text(Ink::Label))
        .draw()
        .ok()
}

/// The style sheet decides the size; plotters needs one to say where a text is.
pub(super) fn text(ink: Ink) -> TextStyle<'static> {
    TextStyle {
        color: ink.to_backend_color(),
        ..TextStyle::from(("sans-serif", 10 * PIXEL))
    }
}
