//! The budget is never exceeded, the stalest targets go first, and what it did not pay for comes later.

#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use common::Backend;
use common::api::{Call, Reply};
use common::ledger::{DAILY, DAY, HOUR, Ledger, NOW, SLOT, clip, pass, target};
use rstest::rstest;
use soundwatch::collect::Cut;
use soundwatch::model::Outcome;
use soundwatch::store::due::Scope;

#[rstest]
#[case::of_the_day("daily_credits")]
#[case::of_the_month("monthly_credits")]
#[tokio::test]
async fn what_the_budget_does_not_pay_for_is_skipped(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] limit: &'static str,
) {
    let mut ledger = Ledger::steady(backend, 10).await;
    ledger.set("budget", limit, 7);
    let report = ledger.pass().await;
    assert_eq!(report.cut, Some(Cut::Budget));
    assert_eq!(report.outcomes.get(&Outcome::Skipped), Some(&7));
    assert_eq!(ledger.outcomes().await, ["skipped budget 7", "stored - 3"]);
    assert_eq!((ledger.api.count(), ledger.credits().await), (3, 6));
    let again = ledger.pass().await;
    assert_eq!((again.settled(), again.cut), (0, Some(Cut::Budget)));
    assert_eq!(ledger.api.count(), 3);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_budget_of_nothing_asks_nothing(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let mut ledger = Ledger::steady(backend, 2).await;
    ledger.set("budget", "daily_credits", 0);
    ledger.pass().await;
    assert_eq!(ledger.outcomes().await, ["skipped budget 2"]);
    assert_eq!(ledger.api.count(), 0);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn the_stalest_targets_go_first(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let mut ledger = Ledger::steady(backend, 4).await;
    // 3 was seen last, then 1; 2 and 4 never.
    for fresh in [1, 3] {
        ledger.advance(HOUR);
        ledger.force(Some(&[clip(fresh)])).await;
    }
    ledger.set("budget", "daily_credits", 10);
    ledger.set("api", "max_in_flight", 1);
    let before = ledger.api.count();
    ledger.pass().await;
    let asked: Vec<String> = ledger.api.calls()[before..]
        .iter()
        .map(|c| c.clip.clone())
        .collect();
    assert_eq!(asked, [clip(2), clip(4), clip(1)]);
    let skipped = ledger
        .rows(
            "SELECT t.clip_id, f.outcome, f.reason
            FROM fetches AS f
            JOIN targets AS t ON t.id = f.target_id
            WHERE f.outcome = 'skipped'",
        )
        .await;
    assert_eq!(skipped, [format!("{} skipped budget", clip(3))]);
    ledger.end().await;
}

/// Seen is seen, whether the answer was new or the same as before; a failure is no success.
#[rstest]
#[tokio::test]
async fn the_oldest_last_success_decides_not_the_oldest_request(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    // From its second request on, 2 is refused: it was asked last and has the oldest success.
    let script = |c: &Call| match (c.clip == clip(2), c.nth) {
        (true, 2..) => Reply::new(404, ""),
        _ => Reply::trend(c, &[0.25, 1.0]),
    };
    let mut ledger = Ledger::new(backend, 3, script).await;
    ledger.pass().await;
    for asked in [3, 1, 2] {
        ledger.advance(HOUR);
        ledger.force(Some(&[clip(asked)])).await;
    }
    ledger.advance(DAY);
    ledger.set("budget", "daily_credits", 4);
    ledger.pass().await;
    let fetches = ledger.fetches().await;
    let newest: Vec<&String> = fetches.iter().filter(|fetch| fetch.contains(" 86400 ")).collect();
    assert_eq!(
        newest,
        [
            "1 86400 skipped budget",
            "2 86400 failed not_found",
            "3 86400 confirmed -"
        ]
    );
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_skipped_slot_that_is_still_the_newest_is_asked_on_the_next_day(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = Ledger::steady(backend, 3).await;
    ledger.set("budget", "daily_credits", 4);
    ledger.pass().await;
    // Past midnight, and before the next slot.
    ledger.clock.set(NOW / DAY * DAY + DAY + HOUR);
    let report = ledger.pass().await;
    assert_eq!((report.settled(), report.requests), (1, 1));
    assert_eq!(
        ledger.fetches().await,
        ["1 0 stored -", "2 0 stored -", "3 0 stored -"]
    );
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_skipped_slot_stays_skipped_when_a_newer_one_has_come(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = Ledger::steady(backend, 2).await;
    ledger.set("budget", "daily_credits", 2);
    ledger.pass().await;
    ledger.advance(DAY);
    ledger.set("budget", "daily_credits", 100);
    ledger.pass().await;
    let expected = [
        "1 0 stored -",
        "1 86400 confirmed -",
        "2 0 skipped budget",
        "2 86400 stored -",
    ];
    assert_eq!(ledger.fetches().await, expected);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_skipped_slot_that_is_too_old_is_not_asked(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = Ledger::steady(backend, 0).await;
    ledger.wanted = vec![target(1, "15 6 * * 1"), target(2, "15 6 * * 1")];
    ledger.set("budget", "daily_credits", 2);
    ledger.pass().await;
    ledger.advance(25 * HOUR);
    ledger.pass().await;
    assert_eq!(ledger.fetches().await, ["1 0 stored -", "2 0 skipped budget"]);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_month_begins_anew(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let mut ledger = Ledger::steady(backend, 1).await;
    ledger.set("budget", "monthly_credits", 4);
    for _ in 0..3 {
        ledger.pass().await;
        ledger.advance(DAY);
    }
    assert_eq!(
        ledger.outcomes().await,
        ["confirmed - 1", "skipped budget 1", "stored - 1"]
    );
    ledger.clock.set(NOW + 27 * DAY); // 2026-03-01
    ledger.pass().await;
    assert_eq!(ledger.credits().await, 6);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_retry_that_the_budget_forbids_ends_the_fetch(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = Ledger::new(backend, 1, |_: &Call| Reply::new(500, "")).await;
    ledger.set("budget", "daily_credits", 5);
    let report = ledger.pass().await;
    assert_eq!(report.outcomes.get(&Outcome::Failed), Some(&1));
    assert_eq!(ledger.fetches().await, ["1 0 failed budget"]);
    assert_eq!(ledger.attempts().await.len(), 2);
    assert_eq!(ledger.credits().await, 4);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn credits_that_were_not_charged_pay_for_others(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let script = |c: &Call| match c.of_all {
        1 => Reply::new(429, "").header("retry-after", 1),
        _ => Reply::trend(c, &[1.0]),
    };
    let mut ledger = Ledger::new(backend, 3, script).await;
    ledger.set("budget", "daily_credits", 6);
    ledger.set("api", "max_in_flight", 1);
    ledger.pass().await;
    assert_eq!(ledger.outcomes().await, ["stored - 3"]);
    assert_eq!((ledger.api.count(), ledger.credits().await), (4, 6));
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn two_sessions_share_one_budget() {
    let mut ledger = Ledger::steady(Backend::Postgres, 60).await;
    ledger.set("budget", "daily_credits", 41);
    let (one, two) = (ledger.session().await, ledger.session().await);
    tokio::join!(pass(&one), pass(&two));
    assert_eq!((ledger.api.count(), ledger.credits().await), (20, 40));
    assert_eq!(ledger.outcomes().await, ["skipped budget 40", "stored - 20"]);
    one.close().await.unwrap();
    two.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn an_hourly_schedule_asks_again_within_the_hour_of_the_new_day(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = Ledger::steady(backend, 0).await;
    ledger.wanted = vec![target(1, "@hourly"), target(2, DAILY)];
    ledger.set("budget", "daily_credits", 4);
    ledger.pass().await;
    for _ in 0..3 {
        ledger.advance(HOUR);
        ledger.pass().await;
    }
    assert_eq!(ledger.outcomes().await, ["skipped budget 3", "stored - 2"]);
    ledger.clock.set(NOW / DAY * DAY + DAY + 60);
    ledger.pass().await;
    let newest = ledger
        .rows("SELECT outcome, reason FROM fetches ORDER BY slot_at DESC LIMIT 1")
        .await;
    assert_eq!(newest, ["confirmed -"]);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn what_the_budget_cuts_is_recorded_also_when_slots_were_missed_before(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = Ledger::steady(backend, 3).await;
    ledger.pass().await;
    ledger.advance(3 * DAY);
    // Two of three, in one claim that is cut.
    ledger.set("budget", "daily_credits", 4);
    ledger.pass().await;
    assert_eq!(
        ledger.outcomes().await,
        [
            "confirmed - 2",
            "skipped budget 1",
            "skipped missed 6",
            "stored - 3"
        ]
    );
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_slot_that_was_skipped_in_this_minute_is_asked_by_hand(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = Ledger::steady(backend, 2).await;
    ledger.clock.set(SLOT);
    ledger.set("budget", "daily_credits", 0);
    ledger.pass().await;
    assert_eq!(ledger.outcomes().await, ["skipped budget 2"]);
    ledger.set("budget", "daily_credits", 100);
    let store = ledger.store().await;
    store.hand_over(Some(&[clip(1)]), SLOT).await.unwrap();
    let due = store.due(Scope::Forced(SLOT), 0, false, 9).await.unwrap();
    assert!(
        due[0].forced,
        "whoever waits for it waits in vain if it gives way to the next slot"
    );
    store.close().await;
    ledger.force(Some(&[clip(1)])).await;
    assert_eq!(ledger.outcomes().await, ["skipped budget 1", "stored - 1"]);
    ledger.end().await;
}
