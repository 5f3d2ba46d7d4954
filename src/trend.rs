//! The index: one comparable daily series of a sound in a region, from windows that are each scaled
//! to their own peak. Pure, and independent of the order in which windows came.
//!
//! A window `w` shows of day `d` the value `round(x_d / M_w)`, where `x` is the popularity that
//! nobody tells and `M_w` its maximum over the window. So each value is an interval:
//!
//! ```text
//! low(c) <= x_d / M_w <= high(c)      low = (c - 0.5) / 100, high = (c + 0.5) / 100, within 0 and 1
//! ```
//!
//! With `y = log x` these are bounds on differences, and shortest paths over all of them give exactly
//! what can be known of `x_d / x_e` for any two days, whatever number of windows lies between them.
//! Inside these bounds a weighted least-squares point is taken. The idea of rounding intervals is that
//! of Google Trends Anchor Bank (West, 2020, arxiv.org/abs/2007.13861), which follows one path; here
//! all constraints count.
//!
//! The parts, in the order of the steps:
//!
//! - [`window`]: what takes part
//! - [`lag`]: at which age a day is settled
//! - [`filter`]: days that were restated long after
//! - [`graph`]: nodes, bounds, segments
//! - [`closure`]: all that follows from the bounds
//! - [`solve`]: the point inside them
//! - [`scale`]: the index of each day, also of those seen only as 0 and those that are not settled yet
//!
//! What no window connects is a segment of its own, and never joined by a guess.

mod closure;
mod filter;
mod fit;
mod graph;
mod lag;
mod order;
mod scale;
mod solve;
mod window;

pub use fit::Fit;
pub use lag::{LAGS, LagCounts, SettleLag};
pub use window::{Series, Window};

use filter::restated;
use graph::{Belief, Graph};
use scale::{Scale, days};

/// Values that contradict each other are left out so often for each year of windows; then all values
/// are taken for less exact.
const MOST_DROPS: usize = 40;

/// Daily windows in a year.
const YEAR: usize = 366;

/// Rounding: a value is off by half a unit.
const HALF: f64 = 0.5;

/// The index of one day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IndexDay {
    /// Days since 1970-01-01.
    pub day: i64,
    /// 100 is the best day of the segment.
    pub value: f64,
    /// What it is at least, relative to that best day.
    pub low: f64,
    /// What it is at most.
    pub high: f64,
    /// From 1, by first day. Values of two segments don't compare.
    pub segment: i64,
    /// The service may still restate it.
    pub provisional: bool,
}

/// The index of a sound in a region, and how well its windows fit together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Index {
    /// Ascending by day.
    pub days: Vec<IndexDay>,
    /// What does not fit.
    pub doubts: Doubts,
}

/// How well the windows of a series fit together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Doubts {
    /// Values in windows that take part.
    pub observations: i64,
    /// Values left out because the day was restated.
    pub restated: i64,
    /// Values left out because they contradict others. With any, the bounds are suspect.
    pub contradictions: i64,
    /// By how many rounding units values were taken to be off; more than 0.5 means inconsistent.
    pub half_unit: f64,
}

impl Default for Doubts {
    fn default() -> Self {
        Self {
            observations: 0,
            restated: 0,
            contradictions: 0,
            half_unit: HALF,
        }
    }
}

/// Computes the index of a series; a day is settled at the age of `lag` days.
pub fn index(series: &Series, lag: i64) -> Index {
    let (mut dropped, restated) = restated(series, lag);
    let observations: usize = series.windows.iter().map(|window| window.seen.len()).sum();
    let mut doubts = Doubts {
        observations: observations as i64,
        restated,
        ..Doubts::default()
    };
    let most_drops = (MOST_DROPS * series.len().div_ceil(YEAR)) as i64;
    loop {
        let belief = Belief {
            series,
            dropped: &dropped,
            lag,
            half: doubts.half_unit,
        };
        let graph = Graph::new(belief);
        let contradictions = match Scale::of(&graph) {
            Ok(scale) => {
                let days = days(belief, &graph, &scale);
                return Index { days, doubts };
            }
            Err(contradictions) => contradictions,
        };
        if doubts.contradictions >= most_drops {
            doubts.half_unit *= 2.0;
            continue;
        }
        for (window, day) in contradictions {
            dropped.add(series, window, day);
            doubts.contradictions += 1;
        }
    }
}

#[cfg(test)]
mod tests;
