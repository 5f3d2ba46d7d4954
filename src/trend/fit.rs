//! How well the windows of all series fit together, and the signs that the service does not scale them
//! as is thought.

use serde::Serialize;

/// A filter that leaves out more than one value in so many says that the model is wrong.
const RESTATED_PART: i64 = 100;

/// What the indexes of all series were computed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// Series that have been computed.
    pub series: i64,
    /// A day is settled at this age.
    pub settle_lag: i64,
    /// No age explains the windows that follow each other.
    #[serde(skip)]
    pub lag_doubtful: bool,
    /// Series whose windows contradict each other at some day: their bounds are suspect.
    pub suspect: i64,
    /// Series whose windows fit only when all values are taken for less exact.
    pub inconsistent: i64,
    /// Windows with a value outside 0 to 1.
    pub unusable_windows: i64,
    /// Values that took part.
    pub observations: i64,
    /// Values left out because their day was restated.
    pub restated: i64,
}

impl Fit {
    /// Signs that the model is wrong. A single series tells nothing of the service.
    pub fn doubts(&self) -> Vec<&'static str> {
        let signs = [
            (
                self.lag_doubtful,
                "windows that follow each other contradict, however old their days are: the index may be wrong",
            ),
            (
                self.series > 1 && self.restated * RESTATED_PART > self.observations,
                "many days were restated late: the index may be wrong",
            ),
            (
                self.series > 1 && 2 * self.suspect > self.series,
                "the windows of most sounds contradict each other: the index may be wrong",
            ),
        ];
        signs
            .iter()
            .filter(|(holds, _)| *holds)
            .map(|(_, sign)| *sign)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const GOOD: Fit = Fit {
        series: 10,
        settle_lag: 1,
        lag_doubtful: false,
        suspect: 5,
        inconsistent: 0,
        unusable_windows: 0,
        observations: 1_000,
        restated: 10,
    };

    #[rstest]
    #[case::all_is_well(GOOD, &[])]
    #[case::nothing_yet(Fit::default(), &[])]
    #[case::no_lag_explains_it(Fit { lag_doubtful: true, ..GOOD }, &["windows that follow"])]
    #[case::restated(Fit { restated: 11, ..GOOD }, &["many days"])]
    #[case::contradicting(Fit { suspect: 6, ..GOOD }, &["the windows of most"])]
    #[case::one_odd_series(Fit { series: 1, suspect: 1, restated: 500, ..GOOD }, &[])]
    fn what_many_series_show_is_a_sign_of_the_service(#[case] fit: Fit, #[case] signs: &[&str]) {
        let doubts = fit.doubts();
        assert_eq!(doubts.len(), signs.len(), "{doubts:?}");
        for (doubt, sign) in doubts.iter().zip(signs) {
            assert!(doubt.starts_with(sign), "{doubt}");
        }
    }
}
