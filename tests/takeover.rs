//! What a process leaves behind is taken over, and what it may have been charged for stays counted.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests too")]

#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use std::sync::Arc;

use common::Backend;
use common::api::{Call, Reply};
use common::ledger::{DAY, HOUR, Ledger, MINUTE, NOW, pass, target};
use rstest::rstest;
use soundwatch::clock::Clock;
use soundwatch::collect::{Stop, Wanted};
use soundwatch::model::{Claim, Reason};
use soundwatch::service::Session;
use soundwatch::store::claim::{Claimed, Claimer, Retry};
use soundwatch::store::due::{GroupSlot, Scope};
use tokio::sync::Semaphore;

fn claimer(session: &Session) -> Claimer<'_> {
    Claimer {
        worker: &session.collector.worker.id,
        key_fingerprint: &session.collector.key_fingerprint,
        budget: session.collector.limits.budget,
    }
}

/// Claims what is due at a clock's time, as a process does that then dies.
async fn claim(session: &Session) -> Vec<Claim> {
    let (store, now) = (&session.collector.store, session.collector.clock.now());
    let slot = GroupSlot {
        schedule: "15 6 * * *".to_owned(),
        time_zone: "UTC".to_owned(),
        slot_at: (now - 6 * HOUR - 15 * MINUTE) / DAY * DAY + 6 * HOUR + 15 * MINUTE,
    };
    let slots = [slot];
    let due = store
        .due(Scope::Scheduled(&slots), now - DAY, true, 100)
        .await
        .unwrap();
    match store.claim(claimer(session), &due, false, now).await.unwrap() {
        Claimed::Yes(claims) => claims,
        other => panic!("{other:?}"),
    }
}

/// A session that has claimed everything and is gone without a word.
async fn dead_worker(ledger: &Ledger) {
    let session = ledger.session().await;
    assert_eq!(claim(&session).await.len(), ledger.wanted.len());
    session.collector.store.close().await;
}

#[rstest]
#[tokio::test]
async fn what_a_dead_process_was_asking_is_asked_again_and_stays_counted(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = Ledger::steady(backend, 2).await;
    dead_worker(&ledger).await;
    ledger.advance(MINUTE);
    ledger.pass().await;
    assert_eq!(ledger.fetches().await, ["1 0 stored -", "2 0 stored -"]);
    let expected = [
        "1 1 unknown - - 2",
        "1 2 answered 200 0 2",
        "2 1 unknown - - 2",
        "2 2 answered 200 0 2",
    ];
    assert_eq!(ledger.attempts().await, expected);
    let error = "SELECT DISTINCT error, settled_at FROM attempts WHERE state = 'unknown'";
    let said = format!("the process ended before an answer came {}", NOW + MINUTE);
    assert_eq!(ledger.rows(error).await, [said]);
    assert_eq!(ledger.credits().await, 8);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn what_was_tried_often_enough_is_given_up(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = Ledger::steady(backend, 1).await;
    ledger.set("api", "attempts", 2);
    for _ in 0..2 {
        let session = ledger.session().await;
        // What was claimed before is free again, and claimed anew.
        let slots = [];
        session
            .collector
            .store
            .take_over(
                &session.collector.worker.id,
                &slots,
                2,
                0,
                i64::MAX,
                ledger.clock.now(),
            )
            .await
            .unwrap();
        claim(&session).await;
        session.collector.store.close().await;
        ledger.advance(MINUTE);
    }
    ledger.pass().await;
    assert_eq!(ledger.api.count(), 0);
    assert_eq!(ledger.fetches().await, ["1 0 failed cut_off"]);
    assert_eq!(
        ledger.attempts().await,
        ["1 1 unknown - - 2", "1 2 unknown - - 2"]
    );
    assert_eq!(ledger.credits().await, 4);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn what_is_no_longer_the_newest_slot_is_given_up(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = Ledger::steady(backend, 1).await;
    dead_worker(&ledger).await;
    ledger.advance(2 * DAY);
    ledger.pass().await;
    let expected = [
        "1 0 failed cut_off",
        "1 86400 skipped missed",
        "1 172800 stored -",
    ];
    assert_eq!(ledger.fetches().await, expected);
    assert_eq!(ledger.credits().await, 4);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn what_was_being_asked_of_a_removed_target_is_given_up(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = Ledger::steady(backend, 1).await;
    dead_worker(&ledger).await;
    ledger.wanted.clear();
    ledger.advance(MINUTE);
    ledger.pass().await;
    assert_eq!(ledger.fetches().await, ["1 0 failed cut_off"]);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn the_claim_of_a_live_worker_is_its_own() {
    let ledger = Ledger::steady(Backend::Postgres, 1).await;
    let other = ledger.session().await;
    claim(&other).await;
    ledger.advance(20);
    ledger.pass().await;
    assert_eq!(ledger.api.count(), 0);
    assert_eq!(ledger.attempts().await, ["1 1 sent - - 2"]);
    let collector = &other.collector;
    collector
        .store
        .heartbeat(&collector.worker, NOW + 20)
        .await
        .unwrap();
    ledger.advance(20);
    ledger.pass().await;
    assert_eq!(ledger.api.count(), 0, "it gave a sign of life");
    ledger.advance(1);
    ledger.pass().await;
    assert_eq!(ledger.fetches().await, ["1 0 stored -"]);
    collector.store.close().await;
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_worker_takes_over_what_its_own_last_pass_left_behind(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = Ledger::steady(backend, 2).await;
    let session = ledger.session().await;
    claim(&session).await;
    pass(&session).await;
    assert_eq!(ledger.fetches().await, ["1 0 stored -", "2 0 stored -"]);
    assert_eq!(ledger.credits().await, 8);
    session.close().await.unwrap();
    ledger.end().await;
}

/// Another transaction waits for a row of the claim, and the claim for one of its. Postgres undoes the
/// first one that looks: the other one is told to wait for long, so that it is the claim.
#[rstest]
#[tokio::test]
async fn a_claim_that_a_conflict_has_undone_is_made_again() {
    let ledger = Ledger::steady(Backend::Postgres, 1).await;
    let session = ledger.session().await;
    let (mut other, mut watching) = (ledger.database.connect().await, ledger.database.connect().await);
    let (slot, day) = (ledger.clock.now() - 45 * MINUTE, ledger.clock.now() / DAY);
    let today = format!("INSERT INTO credit_days (day, credits) VALUES ({day}, 0)");
    other.execute(&today).await.unwrap();
    other.execute("SET deadlock_timeout = '1min'").await.unwrap();
    other.execute("BEGIN").await.unwrap();
    let insert = format!("INSERT INTO fetches (target_id, slot_at) VALUES (1, {slot})");
    other.execute(&insert).await.unwrap();
    let crossing = async {
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        while watching.column(waits).await != ["1"] {
            tokio::task::yield_now().await;
        }
        other
            .execute("UPDATE credit_days SET credits = credits")
            .await
            .unwrap();
        other.execute("ROLLBACK").await.unwrap();
    };
    let (claims, ()) = tokio::join!(claim(&session), crossing);
    assert_eq!(claims.len(), 1);
    let undone = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    // A server process tells its counts when it has nothing to do; it may have come to it twice.
    while watching.column(undone).await == ["0"] {
        watching.execute("SELECT pg_stat_clear_snapshot()").await.unwrap();
        tokio::task::yield_now().await;
    }
    session.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn workers_divide_the_rate_among_those_that_are_alive() {
    let ledger = Ledger::steady(Backend::Postgres, 1).await;
    let (one, two) = (ledger.session().await, ledger.session().await);
    let whole = ledger.config().api.requests_per_second;
    let rate = async |session: &Session| {
        session.collector.sign_of_life().await.unwrap();
        session.collector.pace.rate() / whole
    };
    assert!((rate(&one).await - 0.5).abs() < 1e-9);
    assert!((rate(&two).await - 0.5).abs() < 1e-9);
    ledger.advance(21);
    assert!((rate(&one).await - 1.0).abs() < 1e-9, "the other one is silent");
    assert!((rate(&two).await - 0.5).abs() < 1e-9);
    two.close().await.unwrap();
    assert!((rate(&one).await - 1.0).abs() < 1e-9);
    one.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_worker_that_was_cut_off_itself_leaves_others_time_to_come_back() {
    let ledger = Ledger::steady(Backend::Postgres, 1).await;
    let (one, two) = (ledger.session().await, ledger.session().await);
    claim(&two).await;
    // For an hour neither reached the database; this one is back first.
    ledger.advance(HOUR);
    let back = async |seconds| {
        ledger.advance(seconds);
        one.collector.sign_of_life().await.unwrap();
        pass(&one).await;
        ledger.api.count()
    };
    assert_eq!(back(0).await, 0);
    assert_eq!(back(10).await, 0);
    assert_eq!(back(10).await, 1, "the other one has not come back");
    two.collector.store.close().await;
    one.close().await.unwrap();
    ledger.end().await;
}

/// A worker that was taken for dead and comes back: its answer comes before, or after, that of the
/// worker that took over.
#[rstest]
#[case::before(true)]
#[case::after(false)]
#[tokio::test]
async fn a_late_answer_does_no_harm(#[case] first_answers_first: bool) {
    let gates = [Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0))];
    let held = gates.clone();
    let script = move |c: &Call| Reply::trend(c, &[1.0]).held_by(&held[c.of_all - 1]);
    let ledger = Ledger::new(Backend::Postgres, 1, script).await;
    let one = ledger.session().await;
    let two = ledger.session_at(Clock::manual(NOW + 30)).await;
    let asked = |n: usize| {
        let api = &ledger.api;
        async move {
            while api.count() < n {
                tokio::task::yield_now().await;
            }
        }
    };
    let mut first = Box::pin(pass(&one));
    tokio::select! { _ = &mut first => panic!("it waits"), () = asked(1) => {} }
    let mut second = Box::pin(pass(&two));
    tokio::select! { _ = &mut second => panic!("it waits"), () = asked(2) => {} }
    if first_answers_first {
        gates[0].add_permits(1);
        first.await;
        gates[1].add_permits(1);
        second.await;
    } else {
        gates[1].add_permits(1);
        second.await;
        gates[0].add_permits(1);
        first.await;
    }
    assert_eq!(ledger.fetches().await, ["1 0 stored -"]);
    assert_eq!(
        ledger.attempts().await,
        ["1 1 answered 200 0 2", "1 2 answered 200 0 2"]
    );
    assert_eq!(ledger.value("SELECT count(*) FROM snapshots").await, "1");
    let kept = "SELECT count(payload_hash) FROM attempts";
    assert_eq!(ledger.value(kept).await, "2", "both were paid for");
    one.close().await.unwrap();
    two.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_worker_that_was_taken_for_dead_does_not_retry() {
    let ledger = Ledger::steady(Backend::Postgres, 1).await;
    let one = ledger.session().await;
    let claims = claim(&one).await;
    let two = ledger.session_at(Clock::manual(NOW + 30)).await;
    let store = &two.collector.store;
    assert_eq!(
        store
            .take_over(&two.collector.worker.id, &[], 3, 0, NOW + 10, NOW + 30)
            .await
            .unwrap(),
        1
    );
    claim(&two).await;
    let retry = one
        .collector
        .store
        .claim_retry(claimer(&one), &claims[0], NOW + 31)
        .await;
    assert_eq!(retry.unwrap(), Retry::NotOurs);
    let id = &one.collector.worker.id;
    one.collector
        .store
        .give_up(id, claims[0].fetch_id, Reason::Timeout, NOW)
        .await
        .unwrap();
    assert_eq!(ledger.fetches().await, ["1 0 - -"]);
    assert_eq!(ledger.credits().await, 4);
    one.close().await.unwrap();
    two.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_pass_that_is_dropped_in_the_middle_is_finished_by_the_next(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let gate = Arc::new(Semaphore::new(5));
    let held = Arc::clone(&gate);
    let ledger = Ledger::new(backend, 20, move |c| Reply::trend(c, &[1.0]).held_by(&held)).await;
    let session = ledger.session().await;
    let stored = "SELECT count(*) FROM fetches WHERE outcome = 'stored'";
    // Places that have become free are claimed again two at a time: 7 or 8 more wait, as it comes.
    let stuck = async {
        while ledger.api.count() < 12 || ledger.value(stored).await != "5" {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! { _ = pass(&session) => panic!("it waits"), () = stuck => {} }
    session.collector.store.close().await;
    drop(session);
    let sent: i64 = ledger
        .value("SELECT count(*) FROM attempts WHERE state = 'sent'")
        .await
        .parse()
        .unwrap();
    assert!(sent >= 7, "{sent}");
    gate.add_permits(100);
    ledger.advance(MINUTE);
    ledger.pass().await;
    assert_eq!(ledger.outcomes().await, ["stored - 20"]);
    let states = "SELECT state, count(*) FROM attempts GROUP BY 1 ORDER BY 1";
    let expected = ["answered 20".to_owned(), format!("unknown {sent}")];
    assert_eq!(ledger.rows(states).await, expected);
    assert_eq!(ledger.credits().await, 40 + 2 * sent);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_pass_that_is_asked_to_stop_ends_what_is_in_flight_and_leaves_the_rest_due(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (sender, stop) = Stop::new();
    let script = move |c: &Call| {
        if c.of_all == 3 {
            sender.send(true).unwrap();
        }
        Reply::trend(c, &[1.0])
    };
    let mut ledger = Ledger::new(backend, 10, script).await;
    ledger.set("api", "max_in_flight", 1);
    let session = ledger.session().await;
    let report = session.collector.pass(Wanted::Due, &stop, &|_| {}).await.unwrap();
    assert_eq!(report.cut, Some(soundwatch::collect::Cut::Stopped));
    assert_eq!(ledger.outcomes().await, ["stored - 3"]);
    session.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_fetch_that_was_stopped_between_two_attempts_goes_on_with_the_next_start(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (sender, stop) = Stop::new();
    let script = move |c: &Call| {
        if c.nth > 1 {
            return Reply::trend(c, &[1.0]);
        }
        sender.send(true).unwrap();
        Reply::new(503, "").header("retry-after", 3_000)
    };
    let mut ledger = Ledger::new(backend, 0, script).await;
    ledger.wanted = vec![target(1, "@yearly")];
    // This clock really waits, and a stop does not wait for it.
    let session = ledger.session_at(Clock::System).await;
    session.collector.pass(Wanted::Due, &stop, &|_| {}).await.unwrap();
    assert_eq!(ledger.rows("SELECT outcome FROM fetches").await, ["-"]);
    session.close().await.unwrap();
    ledger.clock.set(Clock::System.now());
    ledger.pass().await;
    assert_eq!(ledger.rows("SELECT outcome FROM fetches").await, ["stored"]);
    assert_eq!(
        ledger.attempts().await,
        ["1 1 answered 503 - 2", "1 2 answered 200 0 2"]
    );
    ledger.end().await;
}
