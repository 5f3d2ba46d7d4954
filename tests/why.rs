//! `why` tells of each slot what happened, from the ledger of either database.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod common;

use common::Backend;
use common::api::{Call, Reply};
use common::ledger::{DAY, Ledger, SLOT, clip};
use common::program::{Place, simulator};
use rstest::rstest;
use serde_json::{Value, json};
use soundwatch::store::why::{Held, SlotHistory, TargetSlots};

/// What is known of the only target of the first sound.
async fn slots_of_the_first(ledger: &Ledger, limit: i64) -> TargetSlots {
    let store = ledger.store().await;
    let targets = store.targets_of(&clip(1)).await.unwrap();
    let now = ledger.clock.now();
    let mut slots = store.slots_of(&[targets[0].id], limit, now).await.unwrap();
    store.close().await;
    slots.remove(&targets[0].id).unwrap_or_default()
}

fn outcomes(slots: &[SlotHistory]) -> Vec<(i64, &str)> {
    let outcome = |slot: &SlotHistory| (slot.slot_at - SLOT) / DAY;
    slots
        .iter()
        .map(|slot| (outcome(slot), slot.outcome.as_deref().unwrap_or("open")))
        .collect()
}

#[rstest]
#[tokio::test]
async fn each_slot_comes_with_its_attempts_the_newest_last(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let script = |call: &Call| match call.nth {
        2 | 3 => Reply::new(500, "oh no"),
        5 => Reply::code(7),
        _ => Reply::trend(call, &[0.25, 1.0]),
    };
    let mut ledger = Ledger::new(backend, 1, script).await;
    for _ in 0..3 {
        ledger.pass().await;
        ledger.advance(DAY);
    }
    ledger.set("budget", "daily_credits", 0);
    ledger.pass().await;

    let found = slots_of_the_first(&ledger, 30).await;
    let expected = [(0, "stored"), (1, "confirmed"), (2, "failed"), (3, "skipped")];
    assert_eq!(outcomes(&found.slots), expected);
    assert_eq!(found.slots[3].reason.as_deref(), Some("budget"));
    assert_eq!(found.slots[3].attempts, []);
    let retried: Vec<_> = found.slots[1]
        .attempts
        .iter()
        .map(|a| (a.n, a.state.as_str(), a.http_status, a.credits))
        .collect();
    assert_eq!(
        retried,
        [
            (1, "answered", Some(500), 2),
            (2, "answered", Some(500), 2),
            (3, "answered", Some(200), 2)
        ]
    );
    let refused = &found.slots[2].attempts[0];
    assert_eq!(
        (refused.api_code, refused.message.as_deref()),
        (Some(7), Some("so it is"))
    );

    let newest = slots_of_the_first(&ledger, 2).await;
    assert_eq!(outcomes(&newest.slots), expected[2..]);
    assert_eq!(newest.of_all, 4);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn an_open_slot_says_who_holds_it(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let ledger = Ledger::steady(backend, 1).await;
    let session = ledger.session().await;
    let store = &session.collector.store;
    store.hand_over(None, ledger.clock.now()).await.unwrap();
    let held = async || slots_of_the_first(&ledger, 1).await.slots[0].held;
    assert_eq!(held().await, Held::ByNobody);
    let worker = &session.collector.worker.id;
    ledger
        .execute(&format!(
            "UPDATE fetches SET worker_id = '{worker}', claimed_at = 1"
        ))
        .await;
    assert_eq!(held().await, Held::ByWorker);
    ledger.execute("UPDATE workers SET heartbeat_at = 0").await;
    assert_eq!(held().await, Held::ByGoneWorker);
    session.close().await.unwrap();
    ledger.abandon();
}

#[rstest]
#[tokio::test]
async fn the_newest_scheduled_slot_is_there_however_many_were_asked_for_since(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = Ledger::steady(backend, 1).await;
    ledger.pass().await;
    for _ in 0..3 {
        ledger.advance(60);
        ledger.force(None).await;
    }
    for limit in 1..=5 {
        let found = slots_of_the_first(&ledger, limit).await;
        let forced: Vec<bool> = found.slots.iter().rev().map(|slot| slot.forced).collect();
        let newest_first = [true, true, true, false];
        assert_eq!(forced, newest_first[..usize::try_from(limit.min(4)).unwrap()]);
        assert!(!found.newest_scheduled.unwrap().forced);
        assert_eq!(found.of_all, 4);
    }
    ledger.end().await;
}

/// With a slot that no minute of a test is.
const WATCHLIST: &str = r#"
[defaults]
schedule = "@yearly"

[[sounds]]
clip = "6703723351497508865"
regions = ["US", "LV"]
"#;

#[rstest]
#[tokio::test]
async fn why_tells_slots_and_missing_days_and_what_comes_next(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = backend.fresh().await;
    let simulator = simulator("--faults @1=no_data");
    let place = Place::asking(&simulator, WATCHLIST)
        .with_setting("SOUNDWATCH__DATABASE__URL", &database.url)
        .with_setting("SOUNDWATCH__API__MAX_IN_FLIGHT", "1");
    place.run("collect").expect_code(3);
    // Whoever asks why needs no key.
    let place = place.with_setting("SOUNDWATCH__API__KEY", "");

    let why = place.json("why https://www.tiktok.com/music/x-6703723351497508865");
    let targets = why["targets"].as_array().unwrap();
    let told: Vec<_> = targets
        .iter()
        .map(|target| (&target["region"], &target["slots"][0]["outcome"]))
        .collect();
    assert_eq!(told.len(), 2, "{why}");
    assert!(told.contains(&(&json!("US"), &json!("no_data"))), "{why}");
    assert!(told.contains(&(&json!("LV"), &json!("stored"))), "{why}");
    assert_eq!(targets[0]["now"], "nothing is due");
    assert!(
        targets[0]["next_slot"]
            .as_str()
            .unwrap()
            .ends_with("-01-01T00:00:00Z")
    );
    assert_eq!(targets[0]["slots"][0]["attempts"][0]["http_status"], 200);

    let of_region = place.json("why 6703723351497508865 lv");
    assert_eq!(of_region["targets"].as_array().map(Vec::len), Some(1));
    assert_ne!(of_region["title"], Value::Null);
    let text = place.run("why 6703723351497508865 US --slots 1").expect_code(0);
    assert!(
        text.stdout.contains("the service said success and gave no trend"),
        "{text}"
    );
}

#[test]
fn why_says_what_is_wrong_with_the_sound_or_the_region() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, WATCHLIST);
    let missing = place.run("why 6703723351497508865").expect_code(1);
    assert!(missing.stderr.contains("there is no database at"), "{missing}");

    place.run("collect").expect_code(0);
    let told = |arguments: &str, expected: &str| {
        let why = place.run(arguments).expect_code(2);
        assert!(why.stderr.contains(expected), "{expected}\n{why}");
        assert_eq!(why.stdout, "");
    };
    told("why 12 nowhere", "\"12\" has 2 digits");
    told("why 12 nowhere", "\"nowhere\" is not a region");
    told("why 7326640926458743557", "add it to the watchlist, then collect");
    told("why 6703723351497508865 DE", "it is watched in LV, US");
    let more = format!("{WATCHLIST}[[sounds]]\nclip = \"7326640926458743557\"\n");
    place.write("watchlist.toml", &more);
    told("why 7326640926458743557", "it is new in the watchlist");
    place.run("why 6703723351497508865 --slots 0").expect_code(2);
}

#[test]
fn a_target_that_waits_says_for_what() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, WATCHLIST).with_setting("SOUNDWATCH__BUDGET__DAILY_CREDITS", "2");
    let place = place.with_setting("SOUNDWATCH__SCHEDULE__CATCH_UP", "366d");
    place.run("collect").expect_code(4);
    let why = place.run("why 6703723351497508865").expect_code(0);
    assert!(
        why.stdout
            .contains("it waits for budget, 2 of 2 credits are spent today"),
        "{why}"
    );
    assert!(
        why.stdout
            .contains("not asked: the day's or month's budget was spent"),
        "{why}"
    );
}

#[test]
fn a_title_turns_no_text_around() {
    let simulator = simulator("--faults odd_texts:1");
    let place = Place::asking(&simulator, WATCHLIST);
    place.run("collect").expect_code(0);
    let told = place.run("why 6703723351497508865").expect_code(0).stdout;
    assert!(told.contains("\u{fffd} \u{fffd}שלום"), "{told}");
    assert!(!told.contains('\u{202e}'), "{told}");
}
