//! After how many days the service restates a day no more, learnt from what it has restated.

use super::window::{Series, Shown, shared};

/// Lags that are tried, in days.
pub const LAGS: usize = 5;

/// Taken when no lag explains the windows.
const FALLBACK: i64 = 2;

/// Room for rounding in a comparison that may be exact.
const EXACT: f64 = 1e-12;

/// For each lag the pairs of windows that follow each other, and those of them that contradict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LagCounts {
    /// Pairs that share two settled days or more.
    pub pairs: [i64; LAGS],
    /// Pairs that no ratio of their maxima explains.
    pub violations: [i64; LAGS],
}

/// The days that may still be restated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettleLag {
    /// A day of this age or more is settled.
    pub days: i64,
    /// No lag explains the windows: the model may be wrong.
    pub doubtful: bool,
}

impl LagCounts {
    /// Counts the pairs of one series.
    pub fn of(series: &Series) -> Self {
        let mut counts = Self::default();
        for pair in series.windows.windows(2) {
            let [older, newer] = pair else { continue };
            for lag in 0..LAGS {
                if let Some(fits) = fits(older, newer, lag as i64) {
                    counts.pairs[lag] += 1;
                    counts.violations[lag] += i64::from(!fits);
                }
            }
        }
        counts
    }

    /// The same with those of another series.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        for lag in 0..LAGS {
            self.pairs[lag] += other.pairs[lag];
            self.violations[lag] += other.violations[lag];
        }
        self
    }

    /// The smallest lag with which at most one pair in a hundred contradicts.
    pub fn settle_lag(&self) -> SettleLag {
        let both = self.pairs.iter().zip(&self.violations);
        let found = both
            .zip(0..)
            .find(|((pairs, violations), _)| *violations * 100 <= **pairs);
        SettleLag {
            days: found.map_or(FALLBACK, |(_, lag)| lag),
            doubtful: found.is_none(),
        }
    }
}

/// Whether some ratio of the maxima explains all days that are settled in the older window; `None`
/// when there are fewer than two.
fn fits(older: &Shown, newer: &Shown, lag: i64) -> Option<bool> {
    let (mut low, mut high, mut days) = (f64::NEG_INFINITY, f64::INFINITY, 0);
    for (a, b) in shared(older, newer).filter(|(a, _)| a.age >= lag) {
        let (a_low, a_high) = older.bounds(a.count, 0.5);
        let (b_low, b_high) = newer.bounds(b.count, 0.5);
        low = low.max(b_low - a_high);
        high = high.min(b_high - a_low);
        days += 1;
    }
    (days >= 2).then_some(low <= high + EXACT)
}

#[cfg(test)]
mod tests {
    use super::super::Window;
    use super::*;
    use rstest::rstest;

    fn series(windows: &[(i64, &[f64])]) -> Series {
        let of = |(first, values): &(i64, &[f64])| Window {
            fetched_at: *first,
            period_days: 7,
            points: (*first..).zip(values.iter().copied()).collect(),
        };
        Series::new(&windows.iter().map(of).collect::<Vec<_>>())
    }

    #[test]
    fn windows_that_tell_the_same_need_no_lag() {
        let counts = LagCounts::of(&series(&[(0, &[0.5, 1.0, 0.5, 0.5]), (1, &[1.0, 0.5, 0.5, 0.2])]));
        assert_eq!(
            counts.pairs,
            [1, 1, 0, 0, 0],
            "age 1 and more: two days are shared"
        );
        assert_eq!(counts.violations, [0; LAGS]);
        assert_eq!(
            counts.settle_lag(),
            SettleLag {
                days: 0,
                doubtful: false
            }
        );
    }

    #[test]
    fn restated_newest_days_make_the_lag() {
        let counts = LagCounts::of(&series(&[
            (0, &[0.5, 1.0, 0.5, 0.5, 0.1]),
            (1, &[1.0, 0.5, 0.5, 0.9, 0.2]),
        ]));
        assert_eq!(counts.violations, [1, 0, 0, 0, 0]);
        assert_eq!(
            counts.settle_lag(),
            SettleLag {
                days: 1,
                doubtful: false
            }
        );
    }

    #[rstest]
    #[case::nothing_seen([0; 5], [0; 5], 0, false)]
    #[case::one_in_a_hundred([100; 5], [1; 5], 0, false)]
    #[case::two_in_a_hundred([100; 5], [2, 2, 2, 1, 1], 3, false)]
    #[case::never([100; 5], [2; 5], 2, true)]
    fn the_lag_is_the_smallest_that_explains_nearly_all(
        #[case] pairs: [i64; 5],
        #[case] violations: [i64; 5],
        #[case] days: i64,
        #[case] doubtful: bool,
    ) {
        let counts = LagCounts { pairs, violations };
        assert_eq!(counts.settle_lag(), SettleLag { days, doubtful });
    }
}
