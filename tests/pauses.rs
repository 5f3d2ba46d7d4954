//! A key that is refused is left alone, and what was not asked meanwhile is asked afterwards.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::Backend;
use common::api::{Call, Reply};
use common::ledger::{DAY, HOUR, KEY, Ledger, MINUTE, NOW, clip, pass, target};
use rstest::rstest;
use soundwatch::collect::Cut;
use soundwatch::config::ApiKey;
use soundwatch::model::{Outcome, Reason};

/// An API that refuses with a status until it is told otherwise (0).
fn refusing(status: &Arc<AtomicUsize>) -> impl Fn(&Call) -> Reply + use<> {
    let status = Arc::clone(status);
    move |call| match status.load(Ordering::SeqCst) {
        0 => Reply::trend(call, &[0.5, 1.0]),
        status => Reply::new(u16::try_from(status).unwrap(), ""),
    }
}

/// Targets after a pass whose first request was refused with 401, one request at a time.
async fn paused(backend: Backend, targets: usize) -> (Ledger, Arc<AtomicUsize>) {
    let status = Arc::new(AtomicUsize::new(401));
    let mut ledger = Ledger::new(backend, targets, refusing(&status)).await;
    ledger.set("api", "max_in_flight", 1);
    let report = ledger.pass().await;
    assert!(
        matches!(report.cut, Some(Cut::Paused(Some(_)))),
        "{:?}",
        report.cut
    );
    assert_eq!(ledger.api.count(), 1);
    (ledger, status)
}

const PAUSES: &str = "SELECT key_fingerprint, reason, since, until FROM key_pauses";

fn pause(key: &str, reason: &str, since: i64, until: i64) -> String {
    let key = ApiKey::new(key).unwrap().fingerprint();
    format!("{key} {reason} {since} {until}")
}

#[rstest]
#[case(401, "unauthorized")]
#[case(402, "out_of_credits")]
#[case(403, "forbidden")]
#[tokio::test]
async fn after_a_refusal_nothing_new_is_sent(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] status: u16,
    #[case] reason: &str,
) {
    let script = move |c: &Call| match c.of_all {
        3 => Reply::new(status, ""),
        _ => Reply::trend(c, &[1.0]),
    };
    let mut ledger = Ledger::new(backend, 10, script).await;
    ledger.set("api", "max_in_flight", 1);
    let report = ledger.pass().await;
    assert_eq!(ledger.api.count(), 3);
    assert_eq!(report.outcomes.get(&Outcome::Skipped), Some(&7));
    let refused = format!("failed {reason} 1");
    assert_eq!(
        ledger.outcomes().await,
        [refused.as_str(), "skipped paused 7", "stored - 2"]
    );
    assert_eq!(ledger.rows(PAUSES).await, [pause(KEY, reason, NOW, NOW + HOUR)]);
    assert_eq!(ledger.credits().await, 4);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn what_is_in_flight_at_a_refusal_ends(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let script = move |c: &Call| {
        if c.of_all == 4 {
            gate.add_permits(40);
            Reply::new(401, "")
        } else {
            Reply::trend(c, &[1.0]).held_by(&gate)
        }
    };
    let mut ledger = Ledger::new(backend, 40, script).await;
    ledger.set("api", "max_in_flight", 4);
    ledger.pass().await;
    let outcomes = ledger.outcomes().await;
    assert_eq!(outcomes[0], "failed unauthorized 1");
    assert_eq!(outcomes[2], format!("stored - {}", ledger.api.count() - 1));
    // The three that had ended may have made room for as many, before the refusal was known.
    assert!(ledger.api.count() <= 7, "{}", ledger.api.count());
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn within_the_pause_nothing_is_asked_and_new_slots_are_skipped(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (mut ledger, status) = paused(backend, 2).await;
    status.store(0, Ordering::SeqCst);
    ledger.advance(59 * MINUTE);
    ledger.wanted.push(target(3, "@hourly"));
    let report = ledger.pass().await;
    assert_eq!(report.outcomes.get(&Outcome::Skipped), Some(&1));
    assert!(matches!(report.cut, Some(Cut::Paused(Some(_)))));
    let again = ledger.pass().await;
    assert!(
        matches!(again.cut, Some(Cut::Paused(Some(_)))),
        "also when all that is due is paused"
    );
    assert_eq!(ledger.api.count(), 1);
    assert_eq!(
        ledger.outcomes().await,
        ["failed unauthorized 1", "skipped paused 2"]
    );
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn after_the_pause_a_probe_succeeds_and_the_pass_goes_on(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (ledger, status) = paused(backend, 5).await;
    status.store(0, Ordering::SeqCst);
    ledger.advance(HOUR);
    let report = ledger.pass().await;
    assert_eq!(
        report.outcomes.get(&Outcome::Stored),
        Some(&4),
        "skipped is not final"
    );
    assert_eq!(report.cut, None);
    assert_eq!(ledger.outcomes().await, ["failed unauthorized 1", "stored - 4"]);
    assert_eq!(
        ledger.api.by_clip()[&clip(1)],
        1,
        "the slot that was refused is final"
    );
    assert_eq!(ledger.rows(PAUSES).await, Vec::<String>::new());
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn the_probe_asks_for_another_target_than_the_one_that_was_refused(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    // Only the first target is refused, always.
    let script = |c: &Call| match c.clip == clip(1) {
        true => Reply::new(403, ""),
        false => Reply::trend(c, &[1.0]),
    };
    let mut ledger = Ledger::new(backend, 3, script).await;
    ledger.set("api", "max_in_flight", 1);
    ledger.pass().await;
    // With new slots for all, the refused target is the stalest again.
    ledger.advance(DAY);
    ledger.pass().await;
    assert_eq!(ledger.api.calls()[1].clip, clip(2));
    assert_eq!(
        ledger.api.calls()[2].clip,
        clip(1),
        "then the pass goes on with the stalest"
    );
    assert_eq!(ledger.api.count(), 3, "and is refused again");
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_probe_that_is_refused_prolongs_the_pause(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (ledger, status) = paused(backend, 5).await;
    status.store(402, Ordering::SeqCst);
    ledger.advance(HOUR);
    let report = ledger.pass().await;
    assert_eq!(ledger.api.count(), 2, "one probe");
    assert_ne!(ledger.api.calls()[1].clip, ledger.api.calls()[0].clip);
    assert!(matches!(report.cut, Some(Cut::Paused(Some(pause))) if pause.until == NOW + 2 * HOUR));
    let expected = pause(KEY, "out_of_credits", NOW, NOW + 2 * HOUR);
    assert_eq!(ledger.rows(PAUSES).await, [expected]);
    let expected = [
        "failed out_of_credits 1",
        "failed unauthorized 1",
        "skipped paused 3",
    ];
    assert_eq!(ledger.outcomes().await, expected);
    ledger.pass().await;
    assert_eq!(ledger.api.count(), 2);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_probe_without_an_answer_leaves_the_pause_and_does_not_spend_the_rest(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (mut ledger, status) = paused(backend, 5).await;
    ledger.set("api", "attempts", 1);
    status.store(500, Ordering::SeqCst);
    ledger.advance(HOUR);
    for _ in 0..3 {
        ledger.pass().await;
        ledger.advance(1);
    }
    assert_eq!(ledger.api.count(), 2, "one probe, not one a second");
    status.store(0, Ordering::SeqCst);
    ledger.advance(2 * MINUTE);
    ledger.pass().await;
    let expected = ["failed server_error 1", "failed unauthorized 1", "stored - 3"];
    assert_eq!(ledger.outcomes().await, expected);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn two_sessions_send_one_probe() {
    let (ledger, _status) = paused(Backend::Postgres, 20).await;
    ledger.advance(HOUR);
    let (one, two) = (ledger.session().await, ledger.session().await);
    tokio::join!(pass(&one), pass(&two));
    assert_eq!(ledger.api.count(), 2);
    one.close().await.unwrap();
    two.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn another_key_is_not_paused(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (mut ledger, status) = paused(backend, 5).await;
    status.store(0, Ordering::SeqCst);
    ledger.use_key("another_key_0123456789");
    ledger.advance(MINUTE);
    ledger.pass().await;
    assert_eq!(ledger.outcomes().await, ["failed unauthorized 1", "stored - 4"]);
    ledger.use_key(KEY);
    ledger.advance(DAY - HOUR);
    assert_eq!(ledger.rows(PAUSES).await.len(), 1, "the refused key stays paused");
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn slots_that_were_skipped_too_long_ago_or_are_not_the_newest_stay_skipped(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (mut ledger, status) = paused(backend, 2).await;
    ledger.wanted.push(target(3, "15 6 * * 1"));
    ledger.pass().await;
    status.store(0, Ordering::SeqCst);
    ledger.advance(25 * HOUR);
    ledger.pass().await;
    let expected = [
        "1 0 failed unauthorized",
        "1 86400 stored -",
        "2 0 skipped paused",
        "2 86400 stored -",
        "3 0 skipped paused",
    ];
    assert_eq!(ledger.fetches().await, expected);
    ledger.end().await;
}

#[rstest]
#[case::rate_limited(429, "rate_limited", 0)]
#[case::overloaded(503, "server_error", 2)]
#[tokio::test]
async fn a_retry_after_of_more_than_an_hour_pauses_the_key_for_as_long(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] status: u16,
    #[case] reason: &str,
    #[case] credits: i64,
) {
    let script = move |_: &Call| Reply::new(status, "").header("retry-after", 7_200);
    let mut ledger = Ledger::new(backend, 5, script).await;
    ledger.set("api", "max_in_flight", 1);
    ledger.pass().await;
    assert_eq!((ledger.api.count(), ledger.credits().await), (1, credits));
    let failed = format!("failed {reason} 1");
    assert_eq!(ledger.outcomes().await, [failed.as_str(), "skipped paused 4"]);
    assert_eq!(ledger.rows(PAUSES).await, [pause(KEY, reason, NOW, NOW + 7_200)]);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_pause_that_was_ended_by_hand_asks_at_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (ledger, status) = paused(backend, 5).await;
    status.store(0, Ordering::SeqCst);
    let session = ledger.session().await;
    let collector = &session.collector;
    collector.store.resume(&collector.key_fingerprint).await.unwrap();
    pass(&session).await;
    assert_eq!(ledger.outcomes().await, ["failed unauthorized 1", "stored - 4"]);
    session.close().await.unwrap();
    ledger.end().await;
}

#[tokio::test]
async fn a_reload_keeps_the_pause_that_the_api_asked_of_the_same_key_and_no_other() {
    let ledger = Ledger::steady(Backend::Sqlite, 0).await;
    let mut session = ledger.session().await;
    session.collector.pace.pause_for(Duration::from_secs(100));
    for (key, left) in [(KEY, 100), ("sk_live_another", 0)] {
        let key = ApiKey::new(key).unwrap();
        session.reconfigure(&ledger.config(), &key).unwrap();
        assert_eq!(session.collector.pace.pause_left(), Duration::from_secs(left));
    }
    session.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_shorter_pause_does_not_end_a_longer_one(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = Ledger::steady(backend, 1).await;
    let session = ledger.session().await;
    let store = &session.collector.store;
    for (reason, until) in [
        (Reason::RateLimited, NOW + 5 * HOUR),
        (Reason::Unauthorized, NOW + HOUR),
    ] {
        store.pause("key", reason, None, NOW, until).await.unwrap();
    }
    assert_eq!(
        ledger.rows(PAUSES).await,
        [format!("key unauthorized {NOW} {}", NOW + 5 * HOUR)]
    );
    session.close().await.unwrap();
    ledger.end().await;
}
