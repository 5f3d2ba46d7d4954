//! `period = "auto"`: the window is chosen when a slot is claimed, and stays chosen.
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
use soundwatch::model::{Claim, Period};
use soundwatch::store::claim::{Claimed, Claimer};
use soundwatch::store::due::Scope;

/// A ledger with one daily target that chooses its window.
async fn choosing(backend: Backend, script: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Ledger {
    let mut ledger = Ledger::new(backend, 1, script).await;
    ledger.wanted[0].period = Period::Auto;
    ledger
}

/// Another content each time; 120 days come back a point a week, or a day.
fn answer(call: &Call, step_of_120: i64) -> Reply {
    let step = if call.period == 120 { step_of_120 } else { 1 };
    let value = (call.of_all % 90) as f64 / 100.0;
    Reply::points(call, &[(NOW - step * DAY, value), (NOW, 1.0)])
}

#[rstest]
#[case::daily(
    1,
    "120 first, 7 short, 7 short, 30 middle, 7 short, 7 short, 7 short, 120 long, 7 short"
)]
#[case::weekly(
    7,
    "120 first, 30 long, 120 is weekly, 7 short, 7 short, 30 long, 120 is weekly, 7 short, 7 short, 30 long, 120 is weekly, 7 short"
)]
#[tokio::test]
async fn a_daily_target_asks_for_the_mix_and_says_why(
    #[case] step_of_120: i64,
    #[case] expected: &str,
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = choosing(backend, move |call| answer(call, step_of_120)).await;
    for _ in 0..9 {
        ledger.pass().await;
        ledger.advance(DAY);
    }
    let told = ledger
        .rows("SELECT period_days, period_reason FROM fetch_log ORDER BY slot_at")
        .await;
    assert_eq!(told.join(", "), expected);
    let store = ledger.store().await;
    let slots = store.slots_of(&[1], 1, NOW).await.unwrap();
    assert_eq!(slots[&1].slots[0].period_reason.as_deref(), Some("short"));
    store.close().await;
    let asked: Vec<i64> = ledger.api.calls().iter().map(|call| call.period).collect();
    let told: Vec<String> = ledger
        .rows("SELECT period_days FROM fetch_log ORDER BY slot_at")
        .await;
    assert_eq!(asked.iter().map(ToString::to_string).collect::<Vec<_>>(), told);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_retry_asks_for_the_same_window(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let ledger = choosing(backend, |call| {
        if call.of_all < 3 {
            Reply::new(500, "")
        } else {
            answer(call, 1)
        }
    })
    .await;
    ledger.pass().await;
    let asked: Vec<i64> = ledger.api.calls().iter().map(|call| call.period).collect();
    assert_eq!(asked, [120, 120, 120]);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn who_takes_a_slot_over_asks_for_the_window_that_was_chosen(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = choosing(backend, |call| answer(call, 1)).await;
    ledger.pass().await;
    ledger.advance(DAY);
    let session = ledger.session().await;
    let collector = &session.collector;
    let now = ledger.clock.now();
    let claim = async || -> Claim {
        let schedules = collector.store.schedules().await.unwrap();
        let schedules = schedules.iter().map(|(s, zone)| (s.as_str(), zone.as_str()));
        let slots = soundwatch::collect::newest_slots(schedules, now);
        let due = collector
            .store
            .due(Scope::Scheduled(&slots), 0, true, 10)
            .await
            .unwrap();
        let who = Claimer {
            worker: &collector.worker.id,
            key_fingerprint: &collector.key_fingerprint,
            budget: collector.limits.budget,
        };
        match collector.store.claim(who, &due, false, now).await.unwrap() {
            Claimed::Yes(mut claims) => claims.remove(0),
            other => panic!("{other:?}"),
        }
    };
    let first = claim().await;
    assert_eq!(first.ask.window.days(), 7);
    // The process dies, and now something is known that would make it 30 days.
    ledger
        .execute("UPDATE snapshots SET last_fetched_at = last_fetched_at - 864000")
        .await;
    ledger
        .execute("UPDATE fetches SET worker_id = NULL, claimed_at = NULL WHERE outcome IS NULL")
        .await;
    let again = claim().await;
    assert_eq!((again.fetch_id, again.n), (first.fetch_id, 2));
    assert_eq!(again.ask, first.ask);
    let told = ledger
        .rows("SELECT period_days, period_reason FROM fetches ORDER BY slot_at")
        .await;
    assert_eq!(told, ["120 first", "7 short"]);
    session.close().await.unwrap();
    ledger.abandon();
}
