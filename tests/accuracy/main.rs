//! How near the index comes to a truth that is known, for each way of collecting. `cargo bench --bench
//! index` prints the same with more sounds, which is the table of docs/index.md.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    unreachable_pub,
    reason = "helpers of tests are tests too, and the bench uses more of them"
)]

mod policy;
mod truth;

use policy::{outcome, outcome_of_way, rows};
use rstest::rstest;
use soundwatch::forecast::advise::WAYS;

/// Sounds of each shape.
const SEEDS: u64 = 2;

#[rstest]
#[case::mix(0)]
#[case::mix_with_misses(1)]
#[case::mix_restated_late(2)]
#[case::two_a_week(3)]
#[case::weekly_30(4)]
#[case::daily_7(5)]
#[case::daily_7_restated(6)]
#[case::daily_7_with_an_outage(7)]
fn the_index_comes_as_near_to_the_truth_as_it_should(#[case] row: usize) {
    let (policy, demanded) = rows()[row];
    let found = outcome(&policy, SEEDS);
    let failures = found.failures(demanded);
    assert!(
        failures.is_empty(),
        "{}: {failures:?}\n{}",
        policy.name,
        found.row(policy.name)
    );
    // What it is for: without it, the history is worthless.
    assert!(found.naive_most > 20.0 * found.most, "{}", found.row(policy.name));
}

/// An outage as long as the windows leaves no shared day; only then is there one segment more.
#[test]
fn an_outage_longer_than_the_windows_splits_and_nothing_else_does() {
    let (outage, _) = rows()[7];
    let (daily, _) = rows()[5];
    for seed in 0..SEEDS {
        let sound = |policy| policy::Sound::new(policy, truth::Shape::WeeklySeason, seed);
        let segments = |policy| {
            let index = soundwatch::trend::index(&soundwatch::trend::Series::new(&sound(policy).windows), 0);
            index.days.iter().map(|day| day.segment).max()
        };
        assert_eq!((segments(&daily), segments(&outage)), (Some(1), Some(2)));
    }
}

/// What `plan --advise` promises comes true, give or take what fewer sounds make of it.
#[rstest]
#[case::auto_daily(0)]
#[case::auto_twice_a_week(1)]
#[case::auto_daily_where_120_days_come_weekly(6)]
#[case::a_month_a_week(12)]
#[case::a_week_every_other_day(15)]
fn the_advice_tells_the_accuracy_that_there_is(#[case] n: usize) {
    let way = WAYS[n];
    let found = outcome_of_way(&way, SEEDS);
    let near = |promised: f64, found: f64| promised / 1.6 < found && found < promised * 1.6;
    assert!(near(way.median_error, found.median), "{way:?}: {}", found.median);
    assert!(near(way.most_error, found.most), "{way:?}: {}", found.most);
    assert!(
        near(way.half_width, found.half_width),
        "{way:?}: {}",
        found.half_width
    );
}
