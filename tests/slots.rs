//! Which slots are asked, which are missed, and that each has exactly one row.

#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use common::Backend;
use common::ledger::{DAY, HOUR, Ledger, MINUTE, NOW, SLOT, clip, pass, target};
use rstest::rstest;
use soundwatch::collect::newest_slots;
use soundwatch::store::backlog::Backlog;

async fn watching(backend: Backend, schedule: &str) -> Ledger {
    let mut ledger = Ledger::steady(backend, 0).await;
    ledger.wanted = vec![target(1, schedule)];
    ledger
}

/// The slots that were missed, and for how many each row stands.
const MISSED: &str = "SELECT slot_at, slots FROM fetches WHERE reason = 'missed' ORDER BY slot_at";

#[rstest]
#[tokio::test]
async fn a_new_target_is_due_at_once_however_old_its_newest_slot_is(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = watching(backend, "0 0 15 1 *").await; // 15 January, once a year
    ledger.pass().await;
    let slot = NOW / DAY * DAY - 18 * DAY;
    assert_eq!(ledger.fetches().await, [format!("1 {} stored -", slot - SLOT)]);
    ledger.advance(30 * DAY);
    ledger.pass().await;
    assert_eq!(ledger.api.count(), 1);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_new_target_that_nobody_asked_in_time_has_missed_its_slot(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = watching(backend, "15 6 * * *").await;
    ledger.session().await.close().await.unwrap();
    ledger.advance(DAY);
    ledger.pass().await;
    assert_eq!(ledger.fetches().await, ["1 0 skipped missed", "1 86400 stored -"]);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn after_a_downtime_the_newest_slot_is_asked_and_the_others_were_missed(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = watching(backend, "15 6 * * *").await;
    ledger.pass().await;
    ledger.advance(4 * DAY);
    ledger.pass().await;
    let expected = [
        "1 0 stored -",
        "1 86400 skipped missed",
        "1 172800 skipped missed",
        "1 259200 skipped missed",
        "1 345600 confirmed -",
    ];
    assert_eq!(ledger.fetches().await, expected);
    ledger.pass().await;
    assert_eq!(ledger.fetches().await, expected);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_newest_slot_that_is_too_old_was_missed_too(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = watching(backend, "15 6 * * 1").await; // Mondays
    ledger.set("schedule", "catch_up", "\"6h\"");
    ledger.pass().await;
    let monday = SLOT + 7 * DAY;
    ledger.clock.set(monday + 6 * HOUR + 1);
    for _ in 0..2 {
        ledger.pass().await;
        assert_eq!(
            ledger.fetches().await,
            ["1 0 stored -", "1 604800 skipped missed"]
        );
    }
    ledger.clock.set(monday + 7 * DAY + 6 * HOUR);
    ledger.pass().await;
    assert_eq!(
        ledger.fetches().await[2],
        "1 1209600 confirmed -",
        "as old as may be"
    );
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn beyond_a_thousand_missed_slots_the_oldest_are_one_row(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = watching(backend, "*/30 * * * *").await;
    ledger.pass().await;
    ledger.advance(40 * DAY);
    for _ in 0..2 {
        ledger.pass().await;
        let missed = ledger.rows(MISSED).await;
        assert_eq!(missed.len(), 1_001);
        let slots = |n: i64| NOW + n * 30 * MINUTE;
        assert_eq!(missed[0], format!("{} {}", slots(919), 919));
        assert_eq!(missed[1], format!("{} 1", slots(920)));
        assert_eq!(missed[1_000], format!("{} 1", slots(1_919)));
    }
    assert_eq!(ledger.value("SELECT count(*) FROM fetches").await, "1003");
    ledger.end().await;
}

/// A process that died between two targets: their last rows differ by one slot.
#[rstest]
#[tokio::test]
async fn each_target_has_its_own_sum_of_missed_slots(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = Ledger::steady(backend, 0).await;
    ledger.wanted = (1..=3).map(|n| target(n, "*/30 * * * *")).collect();
    ledger.pass().await;
    ledger.advance(30 * MINUTE);
    let minute = ledger.clock.now();
    ledger
        .execute(&format!(
            "INSERT INTO fetches (target_id, slot_at, outcome, reason, settled_at)
        SELECT id, {minute}, 'failed', 'not_found', {minute} FROM targets WHERE clip_id = '{}'",
            clip(2)
        ))
        .await;
    ledger.clock.set(NOW + 40 * DAY);
    ledger.pass().await;
    let sums = "SELECT CAST(substr(t.clip_id, 14) AS BIGINT), f.slots
        FROM fetches AS f JOIN targets AS t ON t.id = f.target_id WHERE f.slots > 1 ORDER BY 1";
    assert_eq!(ledger.rows(sums).await, ["1 919", "2 918", "3 919"]);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_forced_fetch_hides_no_missed_slot(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let ledger = watching(backend, "@hourly").await;
    ledger.pass().await;
    ledger.clock.set(NOW + 2 * HOUR + 30 * MINUTE);
    ledger.force(None).await;
    ledger.clock.set(NOW + 4 * HOUR + 30 * MINUTE);
    ledger.pass().await;
    let outcomes = format!("SELECT (slot_at - {NOW}) / 60, outcome FROM fetches ORDER BY slot_at");
    let expected = [
        "0 stored",
        "60 skipped",
        "120 skipped",
        "150 confirmed",
        "180 skipped",
        "240 confirmed",
    ];
    assert_eq!(ledger.rows(&outcomes).await, expected);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn after_a_change_of_the_schedule_the_next_slot_is_the_first_one_after_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = watching(backend, "15 6 * * *").await;
    ledger.pass().await;
    ledger.advance(5 * DAY);
    ledger.wanted = vec![target(1, "0 */6 * * *")];
    let changed_at = ledger.clock.now();
    ledger.pass().await;
    assert_eq!(ledger.fetches().await, ["1 0 stored -"]);
    ledger.clock.set(changed_at / DAY * DAY + 12 * HOUR);
    ledger.pass().await;
    let noon = changed_at / DAY * DAY + 12 * HOUR - SLOT;
    assert_eq!(
        ledger.fetches().await,
        ["1 0 stored -".to_owned(), format!("1 {noon} confirmed -")]
    );
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn another_note_changes_no_slots(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let mut ledger = watching(backend, "15 6 * * *").await;
    ledger.session().await.close().await.unwrap();
    ledger.wanted[0].note = Some("New Sun".to_owned());
    ledger.wanted[0].tags = vec!["ambient".to_owned(), "a \"b\"".to_owned()];
    ledger.pass().await;
    assert_eq!(ledger.fetches().await, ["1 0 stored -"]);
    let session = ledger.session().await;
    let stored = session.collector.store.targets().await.unwrap();
    assert_eq!(stored[0].spec, ledger.wanted[0]);
    session.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_removed_target_is_not_asked_and_keeps_its_history(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = Ledger::steady(backend, 2).await;
    ledger.pass().await;
    let kept = ledger.value("SELECT count(*) FROM trend_points").await;
    let session = ledger.session().await;
    let minute = NOW + MINUTE;
    session
        .collector
        .store
        .hand_over(Some(&[clip(2)]), minute)
        .await
        .unwrap();
    session.close().await.unwrap();
    ledger.wanted.truncate(1);
    ledger.advance(3 * DAY);
    ledger.pass().await;
    assert_eq!(ledger.api.by_clip()[&clip(2)], 1);
    let of_second: Vec<String> = ledger.fetches().await.split_off(4);
    assert_eq!(of_second, ["2 0 stored -", "2 2760 skipped removed"]);
    assert_eq!(ledger.value("SELECT count(*) FROM trend_points").await, kept);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_target_that_returns_is_the_same_row_and_due_at_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = Ledger::steady(backend, 2).await;
    ledger.pass().await;
    let ids = ledger.rows("SELECT id FROM targets ORDER BY id").await;
    let second = ledger.wanted.pop().unwrap();
    ledger.pass().await;
    ledger.advance(3 * DAY);
    ledger.wanted.push(second);
    ledger.pass().await;
    assert_eq!(ledger.rows("SELECT id FROM targets ORDER BY id").await, ids);
    let of_second: Vec<String> = ledger.fetches().await.split_off(4);
    let expected = ["2 0 stored -", "2 259200 confirmed -"];
    assert_eq!(of_second, expected, "what it did not watch it did not miss");
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_target_that_was_removed_by_mistake_is_not_asked_twice(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = Ledger::steady(backend, 1).await;
    ledger.pass().await;
    let wanted = std::mem::take(&mut ledger.wanted);
    ledger.pass().await;
    ledger.wanted = wanted;
    ledger.advance(MINUTE);
    ledger.pass().await;
    assert_eq!(ledger.api.count(), 1);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_clock_that_goes_backwards_asks_nothing_twice(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = watching(backend, "@hourly").await;
    for hour in [0, 1, 2, -1, -30, 1, 2, 3] {
        ledger.clock.set(NOW + hour * HOUR + MINUTE);
        ledger.pass().await;
    }
    assert_eq!(ledger.api.count(), 4);
    assert_eq!(ledger.outcomes().await, ["confirmed - 3", "stored - 1"]);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn slots_are_of_the_clock_on_the_wall_of_their_zone(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = watching(backend, "30 3 * * *").await;
    ledger.wanted[0].time_zone = "Europe/Riga".to_owned();
    // On 2026-03-29, 03:00 to 04:00 does not exist; on 2026-10-25 it comes twice.
    let march = 1_774_656_000; // the 28th, 00:00 UTC
    ledger.clock.set(march + 12 * HOUR);
    for _ in 0..3 {
        ledger.pass().await;
        ledger.advance(DAY);
    }
    let october = 1_792_800_000; // the 24th, 00:00 UTC
    ledger.clock.set(october + 12 * HOUR);
    for _ in 0..3 {
        ledger.pass().await;
        ledger.advance(DAY);
    }
    let slots = "SELECT slot_at FROM fetches WHERE reason IS NULL ORDER BY slot_at";
    let at = |day: i64, hour: i64, minute: i64| (day + hour * HOUR + minute * MINUTE).to_string();
    let expected = [
        at(march, 1, 30),
        at(march + DAY, 1, 0),
        at(march + 2 * DAY, 0, 30),
        at(october, 0, 30),
        at(october + DAY, 0, 30),
        at(october + 2 * DAY, 1, 30),
    ];
    assert_eq!(ledger.rows(slots).await, expected);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_schedule_that_cannot_be_read_any_more_does_not_stop_the_others(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = Ledger::steady(backend, 2).await;
    let session = ledger.session().await;
    let damage = format!(
        "UPDATE targets SET time_zone = 'Gone/Away' WHERE clip_id = '{}'",
        clip(1)
    );
    ledger.execute(&damage).await;
    common::ledger::pass(&session).await;
    session.close().await.unwrap();
    assert_eq!(ledger.fetches().await, ["2 0 stored -"]);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn the_backlog_is_what_is_due_or_open_and_a_new_target_waits_since_it_was_added(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = watching(backend, "15 6 * * *").await;
    let backlog = async |at: i64| {
        let newest = newest_slots([("15 6 * * *", "UTC")], at);
        ledger.store().await.backlog(&newest, at - DAY).await.unwrap()
    };
    let session = ledger.session().await;
    let of = |due, open, oldest_at| Backlog { due, open, oldest_at };
    assert_eq!(backlog(NOW).await, of(1, 0, Some(NOW)), "added now");
    pass(&session).await;
    assert_eq!(backlog(NOW).await, of(0, 0, None));
    assert_eq!(backlog(SLOT + DAY + 5).await, of(1, 0, Some(SLOT + DAY)));
    session.close().await.unwrap();
    ledger
        .execute("UPDATE fetches SET outcome = NULL, settled_at = NULL, worker_id = 'somebody'")
        .await;
    assert_eq!(backlog(SLOT + DAY - 1).await, of(0, 1, Some(NOW)), "claimed");
    ledger.abandon();
}
