//! Days that were restated long after: the older of two values that can't both be is left out, if
//! most days of the two windows agree on what their maxima were.

use super::window::{Series, Shown, shared};

/// So many later windows are compared with each.
const LATER: usize = 8;

/// Shared days that it takes to know which one is the odd one out.
const LEAST_DAYS: usize = 3;

/// Room for rounding in a comparison that may be exact.
const EXACT: f64 = 1e-12;

/// What is left out, by window and by the place of the day in it.
#[derive(Clone, Debug)]
pub(super) struct Dropped(Vec<Vec<bool>>);

impl Dropped {
    fn none(series: &Series) -> Self {
        Self(series.windows.iter().map(|w| vec![false; w.seen.len()]).collect())
    }

    /// Leaves a day of a window out.
    pub(super) fn add(&mut self, series: &Series, window: usize, day: i64) {
        let place = series.windows[window]
            .seen
            .binary_search_by_key(&day, |seen| seen.day);
        if let Ok(place) = place {
            self.0[window][place] = true;
        }
    }

    pub(super) fn has(&self, window: usize, place: usize) -> bool {
        self.0[window][place]
    }
}

/// The share of a maximum in another one that a shared day allows, as logarithms.
struct Ratio {
    day: i64,
    low: f64,
    high: f64,
}

/// What the restatement filter leaves out; a day is settled at this age.
pub(super) fn restated(series: &Series, lag: i64) -> (Dropped, i64) {
    let mut dropped = Dropped::none(series);
    let mut count = 0;
    for (a, older) in series.windows.iter().enumerate() {
        for newer in series.windows.iter().skip(a + 1).take(LATER) {
            let ratios: Vec<Ratio> = ratios(older, newer, lag)
                .filter(|(place, _)| !dropped.0[a][*place])
                .map(|(_, ratio)| ratio)
                .collect();
            for day in odd_ones(&ratios) {
                dropped.add(series, a, day);
                count += 1;
            }
        }
    }
    (dropped, count)
}

fn ratios<'a>(older: &'a Shown, newer: &'a Shown, lag: i64) -> impl Iterator<Item = (usize, Ratio)> + 'a {
    let first = older.seen.first().map_or(0, |seen| seen.day);
    let whole = older
        .seen
        .last()
        .is_some_and(|seen| (seen.day - first + 1) as usize == older.seen.len());
    let place = move |day: i64| {
        if whole {
            return (day - first) as usize;
        }
        older.seen.partition_point(|seen| seen.day < day)
    };
    let settled = shared(older, newer).filter(move |(a, b)| a.age >= lag && b.age >= lag);
    settled.map(move |(a, b)| {
        let (a_low, a_high) = older.bounds(a.count, 0.5);
        let (b_low, b_high) = newer.bounds(b.count, 0.5);
        let ratio = Ratio {
            day: a.day,
            low: b_low - a_high - EXACT,
            high: b_high - a_low + EXACT,
        };
        (place(a.day), ratio)
    })
}

/// The days whose interval misses the point on which most agree; none if not most do.
fn odd_ones(ratios: &[Ratio]) -> Vec<i64> {
    let low = ratios.iter().map(|r| r.low).fold(f64::NEG_INFINITY, f64::max);
    let high = ratios.iter().map(|r| r.high).fold(f64::INFINITY, f64::min);
    if ratios.len() < LEAST_DAYS || low <= high {
        return Vec::new();
    }
    let (point, depth) = deepest(ratios);
    if 2 * depth <= ratios.len() {
        return Vec::new();
    }
    let misses = ratios.iter().filter(|r| point < r.low || point > r.high);
    misses.map(|r| r.day).collect()
}

/// The lowest point that the most intervals contain, and how many do.
fn deepest(ratios: &[Ratio]) -> (f64, usize) {
    // Starts before ends where they meet: intervals are closed.
    let starts = ratios.iter().map(|r| (r.low, false));
    let mut ends: Vec<(f64, bool)> = starts.chain(ratios.iter().map(|r| (r.high, true))).collect();
    ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let (mut best, mut depth) = ((f64::NEG_INFINITY, 0), 0);
    for (point, is_end) in ends {
        if is_end {
            depth -= 1;
        } else {
            depth += 1;
            if depth > best.1 {
                best = (point, depth);
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::super::Window;
    use super::*;

    fn series(windows: &[&[f64]]) -> Series {
        let of = |(at, values): (i64, &&[f64])| Window {
            fetched_at: at,
            period_days: 7,
            points: (0..).zip(values.iter().copied()).collect(),
        };
        Series::new(&(0..).zip(windows).map(of).collect::<Vec<_>>())
    }

    #[test]
    fn the_older_value_of_a_restated_day_is_left_out() {
        let series = series(&[&[0.5, 1.0, 0.4, 0.3], &[0.5, 1.0, 0.8, 0.3]]);
        let (dropped, count) = restated(&series, 0);
        assert_eq!(count, 1);
        assert!(dropped.has(0, 2) && !dropped.has(1, 2));
    }

    #[test]
    fn nothing_is_left_out_where_no_majority_says_what_is_right() {
        let series = series(&[&[0.5, 1.0, 0.4, 0.3], &[0.5, 1.0, 0.8, 0.6]]);
        assert_eq!(restated(&series, 0).1, 0);
    }

    #[test]
    fn days_that_are_not_settled_are_not_compared() {
        let series = series(&[&[0.5, 1.0, 0.4, 0.3], &[0.5, 1.0, 0.4, 0.9]]);
        assert_eq!(restated(&series, 1).1, 0);
        assert_eq!(restated(&series, 0).1, 1);
    }
}
