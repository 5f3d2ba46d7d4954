//! The ledger: each slot is asked once, each content is kept once, and two that collect share.

#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use common::Backend;
use common::api::{Reply, answer};
use common::ledger::{DAY, HOUR, Ledger, NOW, SLOT, clip, pass, target};
use rstest::rstest;
use serde_json::json;
use soundwatch::model::Outcome;

#[rstest]
#[tokio::test]
async fn a_slot_is_asked_once(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let ledger = Ledger::steady(backend, 3).await;
    let report = ledger.pass().await;
    assert_eq!(report.outcomes.get(&Outcome::Stored), Some(&3));
    assert_eq!((report.requests, report.credits), (3, 6));
    let again = ledger.pass().await;
    assert_eq!((again.settled(), again.requests, again.credits), (0, 0, 0));
    assert_eq!(ledger.api.count(), 3);
    assert_eq!(
        ledger.fetches().await,
        ["1 0 stored -", "2 0 stored -", "3 0 stored -"]
    );
    let facts =
        "SELECT slot_at, slots, period_days, claimed_at, settled_at, snapshot_id IS NOT NULL FROM fetches";
    let facts = ledger.rows(facts).await;
    assert!(
        facts[0].starts_with(&format!("{SLOT} 1 7 {NOW} {NOW} ")),
        "{facts:?}"
    );
    ledger.end().await;
}

/// All that hangs on snapshots, in one number.
const CHILDREN: &str = "SELECT (SELECT count(*) FROM trend_points) + (SELECT count(*) FROM country_scores)
    + (SELECT count(*) FROM interest_scores) + (SELECT count(*) FROM age_scores)
    + (SELECT count(*) FROM related_items)";

#[rstest]
#[tokio::test]
async fn the_same_content_is_confirmed_and_not_copied(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let script = |c: &common::api::Call| {
        let mut body = answer(&c.clip, &c.region, &[0.5, 1.0]);
        let signed = |what: &str| {
            format!(
                "https://p16.example/{what}.jpeg?x-expires={}&sig={}",
                c.nth, c.nth
            )
        };
        body["data"]["sound"]["cover"] = json!(signed("cover"));
        body["data"]["sound"]["music_url"] = json!(signed("music"));
        body["data"]["sound"]["related_items"] = json!([{"item_id": 1, "cover_uri": signed("item")}]);
        body["data"]["sound"]["new_url"] = json!(signed("new"));
        Reply::json(&body)
    };
    let ledger = Ledger::new(backend, 1, script).await;
    ledger.pass().await;
    let children = ledger.value(CHILDREN).await;
    for again in 1..=2 {
        ledger.advance(DAY);
        ledger.pass().await;
        let facts = "SELECT confirmations, first_fetched_at, last_fetched_at FROM snapshots";
        let last = ledger.clock.now();
        assert_eq!(ledger.value(facts).await, format!("{again} {NOW} {last}"));
    }
    assert_eq!(
        ledger.fetches().await,
        ["1 0 stored -", "1 86400 confirmed -", "1 172800 confirmed -"]
    );
    assert_eq!(ledger.value(CHILDREN).await, children);
    assert_eq!(ledger.value("SELECT count(*) FROM payloads").await, "1");
    let kept = ledger
        .rows("SELECT payload_hash IS NULL FROM attempts ORDER BY id")
        .await;
    assert_eq!((&kept[1], kept[0] == kept[1]), (&kept[2], false));
    let sound = ledger
        .value("SELECT first_seen_at, last_seen_at, cover_url FROM sounds")
        .await;
    let newest = "https://p16.example/cover.jpeg?x-expires=3&sig=3";
    assert_eq!(sound, format!("{NOW} {} {newest}", NOW + 2 * DAY));
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_content_that_comes_back_is_a_snapshot_of_its_own(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let script = |c: &common::api::Call| Reply::trend(c, if c.nth == 2 { &[0.5, 1.0] } else { &[1.0, 0.5] });
    let ledger = Ledger::new(backend, 1, script).await;
    for _ in 0..4 {
        ledger.pass().await;
        ledger.advance(DAY);
    }
    let outcomes = ledger.rows("SELECT outcome FROM fetches ORDER BY slot_at").await;
    assert_eq!(outcomes, ["stored", "stored", "stored", "confirmed"]);
    let snapshots = "SELECT confirmations, first_fetched_at - last_fetched_at FROM snapshots ORDER BY id";
    assert_eq!(ledger.rows(snapshots).await, ["0 0", "0 0", "1 -86400"]);
    let hashes = ledger
        .rows("SELECT content_hash FROM snapshots ORDER BY id")
        .await;
    assert_eq!(hashes[0], hashes[2]);
    assert_ne!(hashes[0], hashes[1]);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn several_regions_and_periods_of_a_sound_are_targets_of_their_own(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = Ledger::steady(backend, 0).await;
    for (region, period) in [("US", "7"), ("LV", "7"), ("LV", "120"), ("US", "auto")] {
        let mut wanted = target(1, "15 6 * * *");
        wanted.region = region.parse().unwrap();
        wanted.period = period.parse().unwrap();
        ledger.wanted.push(wanted);
    }
    ledger.pass().await;
    let asked: Vec<_> = ledger
        .api
        .calls()
        .into_iter()
        .map(|c| (c.region, c.period))
        .collect();
    let mut sorted = asked.clone();
    sorted.sort();
    let expected = [("LV", 7), ("LV", 120), ("US", 7), ("US", 120)].map(|(r, p)| (r.to_owned(), p));
    assert_eq!(sorted, expected);
    let snapshots = "SELECT t.region, t.period, s.period_days, f.period_days, s.country_code
        FROM fetches AS f JOIN targets AS t ON t.id = f.target_id JOIN snapshots AS s ON s.id = f.snapshot_id
        ORDER BY 1, 2";
    let expected = [
        "LV 120 120 120 LV",
        "LV 7 7 7 LV",
        "US 7 7 7 US",
        "US auto 120 120 US",
    ];
    assert_eq!(ledger.rows(snapshots).await, expected);
    assert_eq!(ledger.value("SELECT count(*) FROM sounds").await, "1");
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn two_sessions_on_one_database_ask_every_target_once() {
    let ledger = Ledger::steady(Backend::Postgres, 200).await;
    let (one, two) = (ledger.session().await, ledger.session().await);
    let (first, second) = tokio::join!(pass(&one), pass(&two));
    assert_eq!(ledger.api.count(), 200);
    assert!(ledger.api.by_clip().values().all(|n| *n == 1));
    assert_eq!(ledger.outcomes().await, ["stored - 200"]);
    assert_eq!(ledger.credits().await, 400);
    assert_eq!(first.requests + second.requests, 200);
    assert!(first.requests > 0 && second.requests > 0, "both have a share");
    one.close().await.unwrap();
    two.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn two_sessions_that_start_on_an_empty_database_do_not_harm_each_other() {
    let ledger = Ledger::steady(Backend::Postgres, 20).await;
    let (one, two) = tokio::join!(ledger.session(), ledger.session());
    tokio::join!(pass(&one), pass(&two));
    assert_eq!(ledger.outcomes().await, ["stored - 20"]);
    assert_eq!(ledger.value("SELECT count(*) FROM targets").await, "20");
    one.close().await.unwrap();
    two.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_forced_pass_asks_only_what_was_handed_over(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = Ledger::steady(backend, 4).await;
    ledger.force(Some(&[clip(2), clip(3), clip(2)])).await;
    assert_eq!(ledger.fetches().await, ["2 2700 stored -", "3 2700 stored -"]);
    ledger.force(None).await;
    assert_eq!(ledger.api.count(), 4, "two in one minute are one");
    ledger.advance(60);
    ledger.force(Some(&[clip(2)])).await;
    assert_eq!(ledger.api.by_clip()[&clip(2)], 2);
    let forced = ledger.value("SELECT count(*) FROM fetches WHERE forced").await;
    assert_eq!(forced, "5");
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_forced_fetch_does_not_disturb_the_slots_of_the_schedule(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = Ledger::steady(backend, 1).await;
    ledger.force(None).await;
    ledger.pass().await;
    assert_eq!(ledger.fetches().await, ["1 0 confirmed -", "1 2700 stored -"]);
    ledger.advance(DAY);
    ledger.pass().await;
    assert_eq!(ledger.fetches().await.len(), 3);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_forced_fetch_in_the_minute_of_a_slot_is_that_slot(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = Ledger::steady(backend, 1).await;
    ledger.clock.set(SLOT + 10);
    ledger.force(None).await;
    ledger.pass().await;
    for day in 1..=3 {
        ledger.clock.set(SLOT + day * DAY + 10);
        ledger.pass().await;
    }
    let expected = [
        "1 0 stored -",
        "1 86400 confirmed -",
        "1 172800 confirmed -",
        "1 259200 confirmed -",
    ];
    assert_eq!(ledger.fetches().await, expected);
    ledger.end().await;
}

/// Handed over to the process that collects: the same target twice in one pass.
#[rstest]
#[tokio::test]
async fn a_target_that_is_forced_and_due_is_asked_for_both(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = Ledger::steady(backend, 3).await;
    let session = ledger.session().await;
    let store = &session.collector.store;
    assert!(!store.has_open_fetches(NOW).await.unwrap());
    assert_eq!(store.hand_over(Some(&[clip(1)]), NOW).await.unwrap(), 1);
    assert!(store.has_open_fetches(NOW).await.unwrap());
    pass(&session).await;
    let fetches = ledger.fetches().await;
    assert_eq!(fetches.len(), 4);
    let of_first: Vec<_> = fetches.iter().filter(|f| f.starts_with("1 ")).collect();
    assert!(of_first.iter().any(|f| f.ends_with("stored -")), "{of_first:?}");
    assert!(
        of_first.iter().any(|f| f.ends_with("confirmed -")),
        "{of_first:?}"
    );
    session.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_sqlite_file_has_one_that_collects() {
    let ledger = Ledger::steady(Backend::Sqlite, 1).await;
    let session = ledger.session().await;
    let key = soundwatch::config::ApiKey::new("another").unwrap();
    let second = soundwatch::service::Session::open(&ledger.config(), &key, ledger.clock.clone()).await;
    let refused = second.err().unwrap().to_string();
    assert!(
        refused.contains("is already collecting into this database"),
        "{refused}"
    );
    session.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn what_was_asked_for_by_hand_and_not_paid_for_can_be_asked_for_again(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = Ledger::steady(backend, 2).await;
    ledger.pass().await;
    ledger.advance(HOUR);
    ledger.set("budget", "daily_credits", 4);
    ledger.force(None).await;
    let forced = "SELECT count(*) FROM fetches WHERE forced AND outcome";
    assert_eq!(ledger.value(&format!("{forced} = 'skipped'")).await, "2");
    ledger.set("budget", "daily_credits", 100);
    ledger.force(None).await;
    assert_eq!(ledger.value(&format!("{forced} = 'confirmed'")).await, "2");
    ledger.force(None).await;
    assert_eq!(ledger.api.count(), 4, "what was asked is not asked again");
    ledger.end().await;
}
