//! A window as the index takes it: counts of rounding units with the interval that each stands for.

use std::collections::BTreeMap;

/// Decimals that are believed at most: more are the noise of a computation, not of a rounding.
const MOST_DECIMALS: usize = 6;

/// Decimals that the service rounds to as far as is known.
const LEAST_DECIMALS: usize = 2;

/// One stored answer: what a fetch has shown of a sound in a region.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// When that content was first seen, unix seconds.
    pub fetched_at: i64,
    /// The days that were asked for.
    pub period_days: i64,
    /// Days since 1970-01-01 and values, in any order.
    pub points: Vec<(i64, f64)>,
}

/// One value of a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Days since 1970-01-01.
    pub(super) day: i64,
    /// The value in rounding units: 0 to `Shown::unit`.
    pub(super) count: i64,
    /// Days from this one to the newest of its window.
    pub(super) age: i64,
}

/// A window that takes part, its days ascending.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) seen: Vec<Seen>,
    /// Rounding units in the window's maximum: 100 for two decimals.
    pub(super) unit: i64,
}

/// Windows of one sound in one region, in the order in which they were fetched.
#[derive(Clone, Debug, Default)]
pub struct Series {
    pub(super) windows: Vec<Shown>,
    /// Windows with a value outside 0 to 1: the service has changed, or lies.
    pub unusable: i64,
}

impl Series {
    /// Takes the windows that have a point a day and something in it, whatever order they come in.
    pub fn new(windows: &[Window]) -> Self {
        let mut ordered: Vec<_> = windows
            .iter()
            .map(|window| (window, window.points.iter().copied().collect::<BTreeMap<_, _>>()))
            .filter(|(window, days)| days.len() == window.points.len() && is_daily(days))
            .collect();
        let usable = |days: &BTreeMap<i64, f64>| days.values().all(|value| (0.0..=1.0).contains(value));
        let before = ordered.len();
        ordered.retain(|(_, days)| usable(days));
        let unusable = i64::try_from(before - ordered.len()).unwrap_or(i64::MAX);
        ordered.retain(|(_, days)| days.values().any(|value| *value > 0.0));
        ordered.sort_by(|(a, a_days), (b, b_days)| {
            let values = || a_days.iter().map(in_order).cmp(b_days.iter().map(in_order));
            (a.fetched_at, a_days.len())
                .cmp(&(b.fetched_at, b_days.len()))
                .then(a.period_days.cmp(&b.period_days))
                .then_with(values)
        });
        Self {
            windows: ordered.iter().map(|(_, days)| Shown::new(days)).collect(),
            unusable,
        }
    }

    /// How many windows take part.
    pub fn len(&self) -> usize {
        self.windows.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }
}

fn in_order((day, value): (&i64, &f64)) -> (i64, u64) {
    // Values are not negative, so their bits are in order.
    (*day, value.to_bits())
}

/// Whether most points are one day apart. (A weekly window says of a week what is not known to be its
/// sum or its average.)
fn is_daily(days: &BTreeMap<i64, f64>) -> bool {
    let gaps = || days.keys().zip(days.keys().skip(1)).map(|(a, b)| b - a);
    2 * gaps().filter(|gap| *gap == 1).count() > gaps().count()
}

impl Shown {
    fn new(days: &BTreeMap<i64, f64>) -> Self {
        let unit = unit(days.values());
        let newest = days.keys().next_back().copied().unwrap_or_default();
        let seen = days.iter().map(|(day, value)| Seen {
            day: *day,
            count: (value * unit as f64).round() as i64,
            age: newest - day,
        });
        Self {
            seen: seen.collect(),
            unit,
        }
    }

    /// Natural logarithms of the least and the greatest share of the maximum that `count` stands for,
    /// when it is uncertain by `half` units. The lower one is minus infinity for nothing.
    pub(super) fn bounds(&self, count: i64, half: f64) -> (f64, f64) {
        let unit = self.unit as f64;
        let low = (count as f64 - half).max(0.0) / unit;
        let high = (count as f64 + half).min(unit) / unit;
        (low.ln(), high.ln())
    }
}

/// The units in 1 of a window that rounds to as many decimals as its values have.
fn unit<'a>(values: impl Iterator<Item = &'a f64>) -> i64 {
    let decimals = |value: &f64| {
        value
            .to_string()
            .split_once('.')
            .map_or(0, |(_, digits)| digits.len())
    };
    let most = values.map(decimals).max().unwrap_or_default();
    10_i64.pow(most.clamp(LEAST_DECIMALS, MOST_DECIMALS) as u32)
}

/// The days that two windows share.
pub(super) fn shared<'a>(a: &'a Shown, b: &'a Shown) -> impl Iterator<Item = (&'a Seen, &'a Seen)> {
    let mut rest = b.seen.iter().peekable();
    a.seen.iter().filter_map(move |seen| {
        while rest.next_if(|other| other.day < seen.day).is_some() {}
        rest.next_if(|other| other.day == seen.day)
            .map(|other| (seen, other))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn window(values: &[f64], step: i64) -> Window {
        Window {
            fetched_at: 0,
            period_days: 7,
            points: (0..).step_by(step as usize).zip(values.iter().copied()).collect(),
        }
    }

    #[rstest]
    #[case::daily(window(&[0.5, 1.0, 0.25], 1), 1, 0)]
    #[case::weekly(window(&[0.5, 1.0, 0.25], 7), 0, 0)]
    #[case::nothing_in_it(window(&[0.0, 0.0, 0.0], 1), 0, 0)]
    #[case::too_large(window(&[0.5, 1.5, 0.25], 1), 0, 1)]
    #[case::no_number(window(&[0.5, f64::NAN, 0.25], 1), 0, 1)]
    #[case::one_point(window(&[1.0], 1), 0, 0)]
    #[case::no_peak(window(&[0.5, 0.7], 1), 1, 0)]
    fn only_daily_windows_with_a_scale_take_part(
        #[case] window: Window,
        #[case] taken: usize,
        #[case] unusable: i64,
    ) {
        let series = Series::new(&[window]);
        assert_eq!((series.len(), series.unusable), (taken, unusable));
    }

    #[rstest]
    #[case::two_decimals(&[0.5, 1.0], 100)]
    #[case::three_decimals(&[0.125, 1.0], 1_000)]
    #[case::noise(&[0.1 + 0.2, 1.0], 1_000_000)]
    fn a_window_is_as_exact_as_its_decimals(#[case] values: &[f64], #[case] unit: i64) {
        assert_eq!(Series::new(&[window(values, 1)]).windows[0].unit, unit);
    }

    #[test]
    fn a_value_stands_for_all_that_is_rounded_to_it() {
        let shown = &Series::new(&[window(&[0.0, 0.37, 1.0], 1)]).windows[0];
        let of = |day: usize| {
            let (low, high) = shown.bounds(shown.seen[day].count, 0.5);
            (low.exp(), high.exp())
        };
        assert!(of(0).0 == 0.0 && (of(0).1 - 0.005).abs() < 1e-12);
        assert!((of(1).0 - 0.365).abs() < 1e-12 && (of(1).1 - 0.375).abs() < 1e-12);
        assert!((of(2).0 - 0.995).abs() < 1e-12 && of(2).1 == 1.0);
    }
}
