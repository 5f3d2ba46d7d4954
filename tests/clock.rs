//! Clocks that jump, machines that sleep, days of other lengths: no slot is asked twice, and none is
//! without a row.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests too")]

#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use common::Backend;
use common::api::Reply;
use common::ledger::{DAY, HOUR, Ledger, MINUTE, NOW, pass, target};
use common::program::{Place, simulator, until};
use rstest::rstest;
use rustix::process::Signal;
use soundwatch::clock::Clock;
use sqlx::Connection;

/// A target whose clock is set to another time while its first request is under way.
async fn jumping(backend: Backend, schedule: &str, to: i64, status: u16) -> Ledger {
    let clock = Clock::manual(NOW);
    let hand = clock.clone();
    let mut ledger = Ledger::new(backend, 0, move |call| {
        if call.of_all == 1 {
            hand.set(to);
            if status != 200 {
                return Reply::new(status, "");
            }
        }
        Reply::trend(call, &[0.5, 1.0])
    })
    .await;
    ledger.clock = clock;
    ledger.wanted = vec![target(1, schedule)];
    ledger
}

/// Slot in hours from `NOW`, outcome, reason, attempts.
async fn hours(ledger: &Ledger) -> Vec<String> {
    let sql = format!(
        "SELECT (f.slot_at - {NOW}) / 3600, f.outcome, f.reason,
            (SELECT count(*) FROM attempts AS a WHERE a.fetch_id = f.id)
        FROM fetches AS f ORDER BY f.slot_at"
    );
    ledger.rows(&sql).await
}

#[rstest]
#[case::with_an_answer(200, "0 stored - 1")]
#[case::with_an_error(500, "0 failed server_error 1")]
#[tokio::test]
async fn a_machine_that_slept_during_a_request_goes_on_with_the_newest_slot(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] status: u16,
    #[case] first: &str,
) {
    let ledger = jumping(backend, "@hourly", NOW + 3 * HOUR + MINUTE, status).await;
    let session = ledger.session().await;
    pass(&session).await;
    pass(&session).await;
    let newest = if status == 200 {
        "3 confirmed - 1"
    } else {
        "3 stored - 1"
    };
    let expected = [first, "1 skipped missed 0", "2 skipped missed 0", newest];
    assert_eq!(hours(&ledger).await, expected);
    session.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_clock_that_is_set_back_during_a_pass_asks_nothing_twice(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = jumping(backend, "@hourly", NOW - 2 * HOUR, 200).await;
    let session = ledger.session().await;
    pass(&session).await;
    for hour in -2..=2 {
        ledger.clock.set(NOW + hour * HOUR + MINUTE);
        pass(&session).await;
        pass(&session).await;
    }
    assert_eq!(
        hours(&ledger).await,
        ["0 stored - 1", "1 confirmed - 1", "2 confirmed - 1"]
    );
    session.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_retry_during_which_the_clock_is_set_back_is_made_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = jumping(backend, "@hourly", NOW - 2 * HOUR, 500).await;
    ledger.pass().await;
    ledger.clock.set(NOW + MINUTE);
    ledger.pass().await;
    assert_eq!(hours(&ledger).await, ["0 stored - 2"]);
    assert_eq!((ledger.api.count(), ledger.credits().await), (2, 4));
    ledger.end().await;
}

/// A day with a pass every quarter of an hour, and what was asked in it.
#[rstest]
#[case::every_half_hour_in_spring("*/30 * * * *", "Europe/Riga", 1_774_735_200, 92, 46)]
#[case::every_half_hour_in_autumn("*/30 * * * *", "Europe/Riga", 1_792_875_600, 100, 50)]
#[case::two_times_of_which_one_is_skipped("30 1,3 * * *", "Europe/Riga", 1_774_735_200, 92, 2)]
#[case::two_times_of_which_one_comes_twice("30 1,3 * * *", "Europe/Riga", 1_792_875_600, 100, 2)]
#[case::a_change_of_half_an_hour("15 */2 * * *", "Australia/Lord_Howe", 1_791_034_200, 94, 12)]
#[case::a_leap_day("0 6,18 29 2 *", "UTC", 1_835_395_200, 96, 2)]
#[case::the_day_after_a_leap_day("0 6 * * *", "UTC", 1_835_481_600, 96, 1)]
#[tokio::test]
async fn a_day_of_any_length_has_each_of_its_slots_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] schedule: &str,
    #[case] zone: &str,
    #[case] midnight: i64,
    #[case] quarters: i64,
    #[case] slots: usize,
) {
    let mut ledger = Ledger::steady(backend, 0).await;
    ledger.wanted = vec![target(1, schedule)];
    ledger.wanted[0].time_zone = zone.to_owned();
    ledger.clock.set(midnight - MINUTE);
    let session = ledger.session().await;
    pass(&session).await;
    let before = ledger.api.count();
    for quarter in 0..quarters {
        ledger.clock.set(midnight + quarter * 15 * MINUTE);
        pass(&session).await;
    }
    let of_the_day = format!("SELECT count(*) FROM fetches WHERE slot_at >= {midnight}");
    assert_eq!(ledger.value(&of_the_day).await, slots.to_string());
    assert_eq!(ledger.api.count() - before, slots, "each was asked once");
    session.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn after_a_leap_day_the_next_one_is_due_in_four_years(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = Ledger::steady(backend, 0).await;
    ledger.wanted = vec![target(1, "0 6 29 2 *")];
    let leap_day = 1_835_395_200; // 2028-02-29, 00:00 UTC
    for day in [0, 1, 28, 366, 731, 1_096, 1_461] {
        ledger.clock.set(leap_day + day * DAY + 7 * HOUR);
        ledger.pass().await;
    }
    let slots = format!("SELECT (slot_at - {leap_day}) / 86400, outcome FROM fetches ORDER BY slot_at");
    assert_eq!(ledger.rows(&slots).await, ["0 stored", "1461 confirmed"]);
    ledger.end().await;
}

/// The rows of a query of two numbers.
fn numbers(place: &Place, sql: &'static str) -> Vec<(i64, i64)> {
    let database = format!("sqlite:{}", place.path().join("rehearsal.db").display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let Ok(mut connection) = sqlx::SqliteConnection::connect(&database).await else {
            return Vec::new();
        };
        let rows = sqlx::query_as(sql).fetch_all(&mut connection).await;
        rows.unwrap_or_default()
    })
}

#[test]
fn a_daemon_that_was_suspended_goes_on_and_leaves_no_slot_without_a_row() {
    const SLOTS: &str = "SELECT slot_at, (SELECT count(*) FROM attempts AS a WHERE a.fetch_id = f.id)
        FROM fetches AS f ORDER BY slot_at";
    let simulator = simulator("");
    let every_second = "[[sounds]]\nclip = \"6703723351497508865\"\nschedule = \"* * * * * *\"\n";
    let place = Place::asking(&simulator, every_second);
    let daemon = place.start("run");
    until("two slots are asked", || numbers(&place, SLOTS).len() >= 2);
    daemon.signal(Signal::STOP);
    let slept_from = Clock::System.now();
    until("four slots have passed", || Clock::System.now() > slept_from + 4);
    daemon.signal(Signal::CONT);
    let woken_at = Clock::System.now();
    until("a slot after that is asked", || {
        numbers(&place, SLOTS)
            .iter()
            .any(|(slot, asked)| *slot > woken_at && *asked == 1)
    });
    daemon.stop(Signal::TERM).expect_code(0);
    let slots = numbers(&place, SLOTS);
    let gaps = slots.windows(2).filter(|pair| pair[1].0 != pair[0].0 + 1);
    assert_eq!(gaps.count(), 0, "{slots:?}");
    assert!(slots.iter().all(|(_, attempts)| *attempts <= 1), "{slots:?}");
    let slept = slots
        .iter()
        .filter(|(slot, attempts)| *slot > slept_from && *attempts == 0);
    assert!(slept.count() >= 2, "{slots:?}");
}
