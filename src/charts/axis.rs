//! An axis whose labels are where we want them; plotters' own knows no months of days.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

#[derive(Clone, Debug)]
pub(super) struct Axis {
    first: f64,
    last: f64,
    labels: Vec<f64>,
}

impl Axis {
    pub(super) fn new(first: f64, last: f64, labels: Vec<f64>) -> Self {
        Self { first, last, labels }
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    #[allow(clippy::cast_possible_truncation, reason = "places on a chart are few")]
    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let part = (value - self.first) / (self.last - self.first);
        from + (part * f64::from(to - from)).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, hint: H) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            Vec::new()
        } else {
            self.labels.clone()
        }
    }

    fn range(&self) -> Range<f64> {
        self.first..self.last
    }
}

/// A day as a place on an axis.
#[allow(clippy::cast_precision_loss, reason = "days are small")]
pub(super) fn coordinate(day: i64) -> f64 {
    day as f64
}
