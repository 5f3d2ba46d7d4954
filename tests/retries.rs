//! A retry never goes past the target's next slot: that slot asks anew.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests too")]

#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use common::Backend;
use common::api::{Call, Reply};
use common::ledger::{DAILY, HOUR, Ledger, MINUTE, NOW, SLOT, pass, target};
use rstest::rstest;

/// The first request of each sound is refused so, later ones are answered.
fn at_first(status: u16, retry_after: Option<i64>) -> impl Fn(&Call) -> Reply + Send + Sync {
    move |call| match (call.nth, retry_after) {
        (1, Some(seconds)) => Reply::new(status, "").header("retry-after", seconds),
        (1, None) => Reply::new(status, ""),
        _ => Reply::trend(call, &[0.5, 1.0]),
    }
}

/// One target whose slots are at full hours, of which the next one comes in so many seconds.
async fn seconds_before_the_next_slot(
    backend: Backend,
    seconds: i64,
    script: impl Fn(&Call) -> Reply + Send + Sync + 'static,
) -> Ledger {
    let mut ledger = Ledger::new(backend, 0, script).await;
    ledger.wanted = vec![target(1, "@hourly")];
    ledger.clock.set(NOW + HOUR - seconds);
    ledger
}

/// Slot in seconds from `NOW`, outcome, reason.
const FETCHES: &str = "SELECT slot_at - 1770015600, outcome, reason FROM fetches ORDER BY slot_at";

#[rstest]
#[case::rate_limited(429, Some(90), "rate_limited")]
#[case::rate_limited_without_a_word(429, None, "rate_limited")]
#[case::overloaded(503, Some(90), "server_error")]
#[tokio::test]
async fn a_retry_that_would_come_at_the_next_slot_or_later_is_not_made(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] status: u16,
    #[case] retry_after: Option<i64>,
    #[case] reason: &str,
) {
    let left = retry_after.unwrap_or(60);
    let ledger = seconds_before_the_next_slot(backend, left, at_first(status, retry_after)).await;
    let session = ledger.session().await;
    pass(&session).await;
    let given_up = format!("0 failed {reason}");
    assert_eq!(ledger.rows(FETCHES).await, [given_up.as_str()]);
    assert_eq!(ledger.api.count(), 1);
    assert_eq!(ledger.clock.now(), NOW + HOUR - left, "nobody waited for it");
    ledger.clock.set(NOW + HOUR);
    pass(&session).await;
    assert_eq!(ledger.rows(FETCHES).await, [given_up.as_str(), "3600 stored -"]);
    session.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_retry_that_comes_before_the_next_slot_is_made(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = seconds_before_the_next_slot(backend, 91, at_first(429, Some(90))).await;
    ledger.pass().await;
    assert_eq!(ledger.rows(FETCHES).await, ["0 stored -"]);
    assert_eq!(
        ledger.attempts().await,
        ["1 1 answered 429 - 0", "1 2 answered 200 0 2"]
    );
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_wait_of_our_own_is_bound_by_the_next_slot_too(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = seconds_before_the_next_slot(backend, 1, at_first(500, None)).await;
    ledger.pass().await;
    assert_eq!(ledger.rows(FETCHES).await, ["0 failed server_error"]);
    assert_eq!(ledger.attempts().await, ["1 1 answered 500 - 2"]);
    ledger.end().await;
}

/// The first sound makes all wait for most of an hour. Its own next slot comes tomorrow, that of
/// the second one within the wait.
#[rstest]
#[tokio::test]
async fn a_wait_that_another_answer_caused_is_bound_by_the_next_slot_too(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let script = |call: &Call| match (call.nth, call.clip.ends_with('1')) {
        (1, true) => Reply::new(503, "").header("retry-after", 3_000),
        (1, false) => Reply::new(500, ""),
        _ => Reply::trend(call, &[0.5, 1.0]),
    };
    let mut ledger = Ledger::new(backend, 0, script).await;
    ledger.wanted = vec![target(1, DAILY), target(2, "@hourly")];
    ledger.clock.set(NOW + 30 * MINUTE);
    let session = ledger.session().await;
    pass(&session).await;
    let fetches = ledger.fetches().await;
    let second = format!("2 {} failed server_error", NOW - SLOT);
    assert_eq!(fetches[..2], ["1 0 stored -".to_owned(), second]);
    session.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn what_was_asked_for_by_hand_is_not_retried_past_the_next_slot_either(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = seconds_before_the_next_slot(backend, 600, |call| match call.nth {
        1 => Reply::trend(call, &[0.5, 1.0]),
        _ => Reply::new(429, "").header("retry-after", 600),
    })
    .await;
    ledger.pass().await;
    ledger.force(None).await;
    assert_eq!(
        ledger.rows(FETCHES).await,
        ["0 stored -", "3000 failed rate_limited"]
    );
    assert_eq!(ledger.api.count(), 2);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn slots_that_wait_until_their_next_one_has_come_are_left_to_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let script = |call: &Call| match call.of_all {
        1 => Reply::new(429, "").header("retry-after", 1_500),
        _ => Reply::trend(call, &[0.5, 1.0]),
    };
    let mut ledger = seconds_before_the_next_slot(backend, 600, script).await;
    ledger.wanted = (1..=4).map(|n| target(n, "@hourly")).collect();
    ledger.set("api", "max_in_flight", 1);
    ledger.pass().await;
    assert_eq!(ledger.clock.now(), NOW + HOUR + 900, "the API was left alone");
    let mut expected = vec!["0 failed rate_limited"];
    expected.extend(["0 skipped missed"; 3]);
    expected.extend(["3600 stored -"; 4]);
    let mut fetches = ledger.rows(FETCHES).await;
    fetches.sort();
    assert_eq!(fetches, expected);
    assert_eq!(ledger.api.count(), 5, "nothing is paid for twice");
    ledger.end().await;
}
