//! The index in the tables: computed as answers come, never lost, and the same when made anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod common;

use common::Backend;
use common::api::{Call, Reply};
use common::ledger::{DAY, Ledger, NOW};
use rstest::rstest;
use soundwatch::clock::Clock;
use soundwatch::collect::index::{Indexed, index_due};
use soundwatch::collect::{Stop, Wanted};
use soundwatch::history::summary;
use soundwatch::model::SeriesKey;
use soundwatch::service::reindex;

/// A popularity that is different each day and never nothing, by day since 1970-01-01.
fn popularity(clip: &str, day: i64) -> f64 {
    let seed: i64 = clip[14..].parse().unwrap();
    let x = (day * 37 + seed * 11) % 101;
    20.0 + x as f64 * if (day / 9) % 3 == 0 { 4.0 } else { 1.0 }
}

/// The window that ends on the day before `now`, scaled to its peak: times and values.
fn window(clip: &str, now: i64, length: i64) -> Vec<(i64, f64)> {
    let days = now / DAY - length..now / DAY;
    let values: Vec<(i64, f64)> = days.map(|day| (day, popularity(clip, day))).collect();
    let peak = values.iter().map(|day| day.1).fold(0.0, f64::max);
    let rounded = |(day, value): (i64, f64)| (day * DAY, (100.0 * value / peak).round() / 100.0);
    values.into_iter().map(rounded).collect()
}

/// A ledger whose API shows the windows of that popularity, on the day of the clock.
async fn ledger(backend: Backend, targets: usize) -> Ledger {
    let clock = Clock::manual(NOW);
    let now = clock.clone();
    let script = move |call: &Call| Reply::points(call, &window(&call.clip, now.now(), call.period));
    let mut ledger = Ledger::new(backend, targets, script).await;
    ledger.clock = clock;
    ledger
}

/// Lives through so many days in one process.
async fn live(ledger: &Ledger, days: i64) {
    let session = ledger.session().await;
    for _ in 0..days {
        common::ledger::pass(&session).await;
        ledger.advance(DAY);
    }
    session.close().await.unwrap();
}

const INDEX: &str =
    "SELECT clip_id, region, day, value, low, high, segment, provisional FROM trend_index ORDER BY 1, 2, 3";
const STATE: &str = "SELECT * FROM index_state ORDER BY clip_id, region";

async fn run_reindex(ledger: &Ledger) -> Indexed {
    let stop = Stop::new().1;
    let done = reindex(&ledger.config(), &ledger.clock, &stop, &|_| {}).await;
    done.unwrap().0
}

#[rstest]
#[tokio::test]
async fn a_history_of_windows_becomes_one_series_near_the_truth(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = ledger(backend, 1).await;
    live(&ledger, 30).await;
    let clip = common::ledger::clip(1);
    let rows = ledger
        .rows("SELECT day, value, low, high FROM trend_index WHERE segment = 1 AND NOT provisional ORDER BY day")
        .await;
    assert_eq!(rows.len(), 36, "7 days of the first answer, then one a day");
    let days: Vec<Vec<f64>> = rows
        .iter()
        .map(|row| row.split(' ').map(|value| value.parse().unwrap()).collect())
        .collect();
    let base = days
        .iter()
        .find(|day| (day[2], day[3]) == (100.0, 100.0))
        .unwrap()[0];
    for day in &days {
        let truth = 100.0 * popularity(&clip, day[0] as i64) / popularity(&clip, base as i64);
        assert!(
            day[2] - 1e-6 <= truth && truth <= day[3] + 1e-6,
            "{day:?} {truth}"
        );
        assert!((day[1] / truth - 1.0).abs() < 0.1, "{day:?} {truth}");
    }
    assert_eq!(ledger.value("SELECT count(*) FROM index_due").await, "0");
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn how_a_series_stands_is_written_with_its_index(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = ledger(backend, 2).await;
    for days in [3, 9, 9] {
        live(&ledger, days).await;
        let session = ledger.session().await;
        let keys = [1, 2].map(|n| SeriesKey {
            clip_id: common::ledger::clip(n),
            region: "US".to_owned(),
        });
        let index = session.collector.store.index_of(&keys, 0).await.unwrap();
        session.close().await.unwrap();
        let expected = keys.iter().map(|key| {
            let stands = summary(&index[key]).unwrap();
            let rank = stands.week.map_or("-".to_owned(), |week| week.rank().to_string());
            format!(
                "{} {} {} {rank}",
                stands.newest.day, stands.newest.value, stands.peak.day
            )
        });
        let expected: Vec<String> = expected.collect();
        let columns =
            "SELECT newest_day, newest_value, peak_day, change_rank FROM index_state ORDER BY clip_id";
        assert_eq!(ledger.rows(columns).await, expected);
        assert_eq!(expected[0].ends_with(" -"), days == 3, "{expected:?}");
    }
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn how_a_series_stands_is_known_right_after_an_upgrade(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = ledger(backend, 2).await;
    live(&ledger, 12).await;
    let columns = "SELECT newest_day, newest_value, peak_day FROM index_state ORDER BY clip_id";
    let (before, state) = (ledger.rows(columns).await, ledger.rows(STATE).await);
    for column in ["newest_day", "newest_value", "peak_day", "change_rank"] {
        ledger
            .execute(&format!("ALTER TABLE index_state DROP COLUMN {column}"))
            .await;
    }
    ledger
        .execute("DELETE FROM _sqlx_migrations WHERE version = 8")
        .await;
    ledger.session().await.close().await.unwrap();
    assert_eq!(ledger.rows(columns).await, before);
    assert!(!before.iter().any(|row| row.contains('-')), "{before:?}");
    run_reindex(&ledger).await;
    assert_eq!(ledger.rows(STATE).await, state);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn making_it_anew_changes_nothing_and_mends_what_was_damaged(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = ledger(backend, 3).await;
    live(&ledger, 20).await;
    let (index, state) = (ledger.rows(INDEX).await, ledger.rows(STATE).await);
    assert_eq!(index.len(), 3 * 26);
    let done = run_reindex(&ledger).await;
    assert_eq!((done.series, done.stopped), (3, false));
    assert_eq!(
        (ledger.rows(INDEX).await, ledger.rows(STATE).await),
        (index.clone(), state.clone())
    );

    ledger
        .execute("UPDATE trend_index SET value = 1 WHERE day % 2 = 0")
        .await;
    ledger.execute("DELETE FROM trend_index WHERE day % 3 = 0").await;
    ledger
        .execute(
            "INSERT INTO trend_index (clip_id, region, day, value, low, high, segment, provisional)
            VALUES ('7000000000000000009', 'US', 1, 1, 1, 1, 1, FALSE)",
        )
        .await;
    run_reindex(&ledger).await;
    assert_eq!(
        (ledger.rows(INDEX).await, ledger.rows(STATE).await),
        (index.clone(), state.clone())
    );

    // From nothing it is what it had become day by day, to the last digit that counts.
    ledger.execute("DELETE FROM trend_index").await;
    run_reindex(&ledger).await;
    let again = ledger.rows(INDEX).await;
    assert_eq!(again.len(), index.len());
    for (a, b) in again.iter().zip(&index) {
        let (a, b): (Vec<&str>, Vec<&str>) = (a.split(' ').collect(), b.split(' ').collect());
        assert_eq!((&a[..3], &a[6..]), (&b[..3], &b[6..]));
        for (a, b) in a[3..6].iter().zip(&b[3..6]) {
            let (a, b): (f64, f64) = (a.parse().unwrap(), b.parse().unwrap());
            assert!((a - b).abs() <= 1e-9 * b.abs(), "{a} {b}");
        }
    }
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn rows_that_stay_as_they_are_are_not_written_again(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = ledger(backend, 1).await;
    live(&ledger, 10).await;
    // A row that is the same to nine digits is left alone, so its last digits tell whether it was.
    ledger
        .execute("UPDATE trend_index SET value = value * (1 + 1e-12)")
        .await;
    let before = ledger.rows(INDEX).await;
    run_reindex(&ledger).await;
    assert_eq!(ledger.rows(INDEX).await, before);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_process_that_dies_before_it_computes_leaves_a_mark(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = ledger(backend, 1).await;
    let session = ledger.session().await;
    let stop = Stop::new().1;
    // A pass alone, without what computes beside it.
    session
        .collector
        .pass(soundwatch::collect::Wanted::Due, &stop, &|_| {})
        .await
        .unwrap();
    assert_eq!(ledger.value("SELECT count(*) FROM index_due").await, "1");
    assert_eq!(ledger.value("SELECT count(*) FROM trend_index").await, "0");
    session.close().await.unwrap();
    // The next one has nothing to ask, and computes.
    ledger.pass().await;
    assert_eq!(ledger.value("SELECT count(*) FROM index_due").await, "0");
    assert_eq!(ledger.value("SELECT count(*) FROM trend_index").await, "7");
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn what_was_computed_from_windows_that_have_changed_is_not_written(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = ledger(backend, 1).await;
    live(&ledger, 3).await;
    let store = ledger.store().await;
    store.mark_all_series(NOW).await.unwrap();
    let mut read = store.series_due(1_000, 0.0).await.unwrap().series;
    assert_eq!((read.len(), read[0].windows.len()), (1, 3));
    // Meanwhile another window comes and is indexed by another worker.
    ledger.pass().await;
    let before = ledger.rows(INDEX).await;
    let computed = soundwatch::store::trend_index::Computed {
        windows: 3,
        unusable: 0,
        counts: soundwatch::trend::LagCounts::default(),
        settle_lag: 0,
        index: soundwatch::trend::Index::default(),
        series: read.remove(0),
    };
    assert_eq!(
        store
            .put_index(std::slice::from_ref(&computed), NOW)
            .await
            .unwrap(),
        0
    );
    store.mark_all_series(NOW).await.unwrap();
    assert_eq!(
        store.put_index(&[computed], NOW).await.unwrap(),
        0,
        "there is a newer snapshot"
    );
    assert_eq!(ledger.rows(INDEX).await, before);
    assert_eq!(
        ledger.value("SELECT count(*) FROM index_due").await,
        "1",
        "still to be done"
    );
    store.close().await;
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn workers_that_begin_at_different_places_compute_different_series(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = ledger(backend, 4).await;
    live(&ledger, 2).await;
    let store = ledger.store().await;
    store.mark_all_series(NOW).await.unwrap();
    let mut seen = Vec::new();
    for place in [0.0, 0.3, 0.6, 0.99] {
        // Two windows of 7 days are more than 7 points; at least one series comes all the same.
        let due = store.series_due(7, place).await.unwrap().series;
        seen.extend(due.into_iter().map(|series| series.key.clip_id));
    }
    let all: Vec<String> = (1..=4).map(common::ledger::clip).collect();
    assert_eq!(seen, all);
    let due = store.series_due(28, 0.99).await.unwrap().series;
    let due: Vec<&str> = due.iter().map(|series| series.key.clip_id.as_str()).collect();
    assert_eq!(due, [&all[3], &all[0]], "after the last comes the first");
    store.close().await;
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn weekly_windows_are_kept_and_have_no_part_in_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = Ledger::new(backend, 1, |call: &Call| {
        Reply::points(
            call,
            &[
                (NOW - 21 * DAY, 0.5),
                (NOW - 14 * DAY, 1.0),
                (NOW - 7 * DAY, 0.25),
            ],
        )
    })
    .await;
    ledger.pass().await;
    assert_eq!(ledger.value("SELECT count(*) FROM trend_points").await, "3");
    assert_eq!(ledger.value("SELECT count(*) FROM trend_index").await, "0");
    assert_eq!(ledger.value("SELECT windows FROM index_state").await, "0");
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn restated_days_teach_the_lag_and_every_index_follows(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let clock = Clock::manual(NOW);
    let now = clock.clone();
    // The newest day is shown a third too low until the next day.
    let script = move |call: &Call| {
        let mut points = window(&call.clip, now.now(), 7);
        points[6].1 = (points[6].1 * 67.0).round() / 100.0;
        Reply::points(call, &points)
    };
    let mut ledger = Ledger::new(backend, 2, script).await;
    ledger.clock = clock;
    live(&ledger, 12).await;
    let lags = ledger.rows("SELECT DISTINCT settle_lag FROM index_state").await;
    assert_eq!(lags, ["1"]);
    let provisional = ledger
        .rows("SELECT clip_id, count(*) FROM trend_index WHERE provisional GROUP BY 1 ORDER BY 1")
        .await;
    assert_eq!(provisional.len(), 2, "{provisional:?}");
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn answers_of_several_passes_together_make_an_index_beside_one(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = ledger(backend, 300).await;
    let session = ledger.session().await;
    let stop = Stop::new().1;
    for _ in 0..2 {
        let pass = session.collector.pass_and_index(Wanted::Due, &stop, &|_| {});
        pass.await.unwrap();
        ledger.advance(DAY);
    }
    assert_eq!(ledger.outcomes().await, ["stored - 600"]);
    assert_ne!(ledger.value("SELECT count(*) FROM index_state").await, "0");
    session.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_batch_that_is_small_since_its_windows_are_long_is_followed_by_more(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = Ledger::steady(backend, 200).await;
    for target in &mut ledger.wanted {
        target.period = "120".parse().unwrap();
    }
    let session = ledger.session().await;
    let (store, stop) = (&session.collector.store, Stop::new().1);
    session.collector.pass(Wanted::Due, &stop, &|_| {}).await.unwrap();
    // Of 20,000 points that a batch may have: 166 series.
    let indexed = index_due(store, &ledger.clock, 200, &|| true, &|_| {})
        .await
        .unwrap();
    assert_eq!(indexed.series, 200);
    session.close().await.unwrap();
    ledger.end().await;
}
