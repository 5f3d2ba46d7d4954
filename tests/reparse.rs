//! Reading kept answers again: what is derived from them comes out as it was, what was damaged is
//! mended, what could not be read is tried again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use std::collections::BTreeMap;

use common::api::{Call, Reply, answer};
use common::ledger::{DAY, Ledger, pass, target};
use common::{Backend, TestDatabase};
use rstest::rstest;
use serde_json::{Value, json};
use soundwatch::clock::Clock;
use soundwatch::collect::Stop;
use soundwatch::collect::reparse::Reparsed;
use soundwatch::config::{ApiKey, Config};
use soundwatch::service::{Reading, ServiceError, Session, reparse};

/// All rows of all tables but those of who is running, by table.
async fn dump(database: &TestDatabase) -> BTreeMap<&'static str, Vec<String>> {
    const TABLES: [(&str, &str); 15] = [
        ("sounds", "clip_id"),
        ("targets", "id"),
        ("fetches", "id"),
        ("attempts", "id"),
        ("payloads", "hash"),
        ("snapshots", "id"),
        ("trend_points", "snapshot_id, time"),
        ("country_scores", "snapshot_id, position"),
        ("interest_scores", "snapshot_id, position"),
        ("age_scores", "snapshot_id, age_level"),
        ("related_items", "snapshot_id, position"),
        ("countries", "id"),
        ("interests", "id"),
        ("credit_days", "day"),
        ("unknown_fields", "path"),
    ];
    let mut connection = database.connect().await;
    let mut tables = BTreeMap::new();
    for (table, key) in TABLES {
        let rows = connection
            .query(&format!("SELECT * FROM {table} ORDER BY {key}"))
            .await;
        let rows = rows.unwrap().rows.into_iter().map(|row| format!("{row:?}"));
        tables.insert(table, rows.collect());
    }
    tables
}

/// Tells which rows differ, not all that there are.
#[track_caller]
fn assert_same(before: &BTreeMap<&str, Vec<String>>, after: &BTreeMap<&str, Vec<String>>) {
    for (table, rows) in before {
        let gone: Vec<_> = rows.iter().filter(|row| !after[table].contains(row)).collect();
        let new: Vec<_> = after[table].iter().filter(|row| !rows.contains(row)).collect();
        assert!(
            gone.is_empty() && new.is_empty(),
            "{table}: {gone:#?} became {new:#?}"
        );
        assert_eq!(rows.len(), after[table].len(), "{table}");
    }
}

async fn run(ledger: &Ledger) -> Result<Reparsed, ServiceError> {
    reparse(&ledger.config(), &ledger.clock, &Stop::new().1, &|_| {}).await
}

async fn reparsed(ledger: &Ledger) -> Reparsed {
    run(ledger).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Every kind of answer: three sounds in two regions that go through all of it, each at its own time.
fn lively(call: &Call) -> Reply {
    let n =
        call.nth + call.clip.as_bytes()[18] as usize + call.region.len() * usize::from(call.region == "LV");
    let mut body = answer(&call.clip, &call.region, &[0.25, 0.5, 1.0]);
    body["data"]["sound"]["cover"] = json!(format!("https://p16.example/a.jpeg?x-expires={}", call.nth));
    let sound = &mut body["data"]["sound"];
    match n % 12 {
        0 | 1 => {}
        2 => sound["trend"][0]["value"] = json!(0.1 + 0.2),
        3 => return Reply::new(500, "{\"message\": \"again\"}"),
        4 => {
            sound["mood"] = json!({"calm": [0.5, null]});
            sound["duration"] = json!("sixty");
            sound["related_items"] = json!([{"item_id": 7_326_640_926_458_743_557_u64, "cover_uri": "x"}, 3]);
        }
        5 => sound["trend"][1]["value"] = json!("1"),
        6 => body["data"] = Value::Null,
        7 => return Reply::new(200, "<html>"),
        8 => return Reply::code(404),
        9 => {
            sound["title"] = Value::Null;
            sound["author"] = json!("Somebody else \u{0}");
            sound["audience_countries"][0]["country_info"]["value"] = json!("Another name");
        }
        10 => sound["clip_id"] = json!("7000000000000999999"),
        _ => return Reply::new(204, ""),
    }
    Reply::json(&body)
}

/// A database with two weeks of lively answers.
async fn lived(backend: Backend) -> Ledger {
    let mut ledger = Ledger::new(backend, 3, lively).await;
    for (n, region) in [(1, "LV"), (2, "LV")] {
        let mut other = target(n, "15 6 * * *");
        other.region = region.parse().unwrap();
        ledger.wanted.push(other);
    }
    let mut month = target(1, "15 6 * * *");
    month.period = "30".parse().unwrap();
    ledger.wanted.push(month);
    ledger.set("api", "attempts", 1);
    for _ in 0..13 {
        ledger.pass().await;
        ledger.advance(DAY);
    }
    let outcomes = ledger.outcomes().await.join("\n");
    for outcome in [
        "stored",
        "confirmed",
        "no_data",
        "rejected wrong_shape",
        "failed not_found",
    ] {
        assert!(outcomes.contains(outcome), "{outcomes}");
    }
    ledger
}

#[rstest]
#[tokio::test]
async fn nothing_changes_when_nothing_was_wrong(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = lived(backend).await;
    let before = dump(&ledger.database).await;
    let report = reparsed(&ledger).await;
    assert_same(&before, &dump(&ledger.database).await);
    let snapshots = ledger.value("SELECT count(*) FROM snapshots").await;
    let answers = ledger.value("SELECT count(payload_hash) FROM attempts").await;
    assert_eq!(report.snapshots.to_string(), snapshots);
    assert_eq!(report.answers.to_string(), answers);
    assert_eq!((report.changed.len(), report.unreadable), (0, 0), "{report:?}");
    ledger.end().await;
}

#[rstest]
#[case(
    "UPDATE snapshots SET rank = 99, extra = NULL, step_seconds = 5, country_code = 'XX', content_hash = payload_hash"
)]
#[case("DELETE FROM trend_points WHERE time % 3 = 0; UPDATE trend_points SET value = 7")]
#[case("DELETE FROM country_scores; DELETE FROM countries")]
#[case("UPDATE interest_scores SET score = NULL; UPDATE interests SET name = 'x', label = NULL")]
#[case(
    "DELETE FROM age_scores; DELETE FROM related_items; INSERT INTO age_scores SELECT id, 77, 1 FROM snapshots"
)]
#[case(
    "DELETE FROM sounds WHERE clip_id LIKE '%1'; UPDATE sounds SET author = 'x', title = NULL, first_seen_at = 1"
)]
#[case("DELETE FROM unknown_fields; INSERT INTO unknown_fields VALUES ('made.up', 1, 2, 3)")]
#[case("UPDATE fetches SET outcome = 'failed', reason = 'api_code' WHERE outcome IN ('rejected', 'no_data')")]
#[tokio::test]
async fn damage_is_mended(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] damage: &str,
) {
    let ledger = lived(backend).await;
    let before = dump(&ledger.database).await;
    ledger.execute(damage).await;
    reparsed(&ledger).await;
    assert_same(&before, &dump(&ledger.database).await);
    ledger.end().await;
}

/// As the `sqlite3` program lets people do: it does not look at foreign keys.
#[tokio::test]
async fn a_snapshot_that_is_gone_comes_back_with_its_number_and_its_history() {
    let ledger = lived(Backend::Sqlite).await;
    let before = dump(&ledger.database).await;
    ledger
        .execute(
            "PRAGMA foreign_keys = OFF; DELETE FROM snapshots WHERE id % 2 = 0; DELETE FROM trend_points",
        )
        .await;
    reparsed(&ledger).await;
    assert_same(&before, &dump(&ledger.database).await);
    ledger.end().await;
}

/// Two rejected answers with the same new content, between other contents: the fetches come to what
/// they would have come to.
#[rstest]
#[tokio::test]
async fn what_could_not_be_read_is_stored_or_confirmed_when_it_can(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = Ledger::new(backend, 2, |call| match call.nth {
        1 | 4 => Reply::trend(call, &[0.25, 1.0]),
        5 => Reply::trend(call, &[0.5, 1.0]),
        _ => Reply::trend(call, &[0.75, 1.0]),
    })
    .await;
    for _ in 0..5 {
        ledger.pass().await;
        ledger.advance(DAY);
    }
    // The third answer's bytes were not kept: the second's stand in for it, but for their own ID.
    let same_request = "UPDATE attempts SET request_id = 'r'";
    ledger.execute(same_request).await;
    let whole = dump(&ledger.database).await;
    // As if the second and third answers had not been readable.
    let rows = [
        "trend_points",
        "country_scores",
        "interest_scores",
        "age_scores",
        "related_items",
    ];
    for table in rows {
        let of = "snapshot_id IN (SELECT id FROM snapshots WHERE confirmations = 1)";
        ledger.execute(&format!("DELETE FROM {table} WHERE {of}")).await;
    }
    ledger
        .execute(
            "UPDATE fetches SET outcome = 'rejected', reason = 'wrong_shape', snapshot_id = NULL
            WHERE snapshot_id IN (SELECT id FROM snapshots WHERE confirmations = 1);
            UPDATE attempts SET
                payload_hash = (SELECT s.payload_hash FROM snapshots AS s JOIN fetches AS f ON f.target_id = s.target_id
                    WHERE f.id = attempts.fetch_id AND s.confirmations = 1),
                error = 'data.sound: unreadable'
            WHERE fetch_id IN (SELECT id FROM fetches WHERE outcome = 'rejected');
            DELETE FROM snapshots WHERE confirmations = 1",
        )
        .await;
    assert_eq!(ledger.outcomes().await, ["rejected wrong_shape 4", "stored - 6"]);
    let report = reparsed(&ledger).await;
    assert_eq!(report.changed, BTreeMap::from([("confirmed", 2), ("stored", 2)]));
    assert_eq!(ledger.outcomes().await, ["confirmed - 2", "stored - 8"]);
    ledger.execute(same_request).await;
    let mut after = dump(&ledger.database).await;
    // The snapshots got new numbers; everything that does not name them is as it was.
    for table in ["snapshots", "fetches"].into_iter().chain(rows) {
        assert_eq!(after[table].len(), whole[table].len(), "{table}");
        after.insert(table, whole[table].clone());
    }
    assert_same(&whole, &after);
    let history = "SELECT count(*), min(value), max(value) FROM trend_history WHERE is_latest";
    assert_eq!(ledger.value(history).await, "4 0.5 1");
    assert_eq!(
        reparsed(&ledger).await.changed,
        BTreeMap::new(),
        "there is nothing left to do"
    );
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn what_can_be_read_by_now_gets_its_index(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = Ledger::new(backend, 1, |call| Reply::trend(call, &[0.25, 0.5, 1.0])).await;
    ledger.pass().await;
    let index = ledger.value("SELECT count(*) FROM trend_index").await;
    assert_eq!(index, "3");
    // As if its only answer had not been readable: nothing is known of a series yet.
    ledger
        .execute(
            "UPDATE fetches SET outcome = 'rejected', reason = 'wrong_shape', snapshot_id = NULL;
            UPDATE attempts SET error = 'data.sound: unreadable';
            DELETE FROM trend_points; DELETE FROM country_scores; DELETE FROM interest_scores;
            DELETE FROM age_scores; DELETE FROM related_items; DELETE FROM snapshots;
            DELETE FROM trend_index; DELETE FROM index_state",
        )
        .await;
    assert_eq!(reparsed(&ledger).await.changed, BTreeMap::from([("stored", 1)]));
    assert_eq!(ledger.value("SELECT count(*) FROM trend_index").await, index);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn what_can_not_be_read_any_more_stays_and_is_told(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = lived(backend).await;
    let before = dump(&ledger.database).await;
    let broken = match backend {
        Backend::Sqlite => "x'00'",
        Backend::Postgres => "'\\x00'",
    };
    let first = "(SELECT payload_hash FROM snapshots ORDER BY id LIMIT 1)";
    let body = ledger
        .value(&format!("SELECT body FROM payloads WHERE hash = {first}"))
        .await;
    ledger
        .execute(&format!(
            "UPDATE payloads SET body = {broken} WHERE hash = {first}"
        ))
        .await;
    let report = reparsed(&ledger).await;
    assert_eq!(report.unreadable, 1);
    assert!(
        report.unreadable_answers[0].contains("cannot be unpacked"),
        "{report:?}"
    );
    let mut after = dump(&ledger.database).await;
    after.insert("payloads", before["payloads"].clone());
    assert_same(&before, &after);
    assert!(!body.is_empty());
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn it_begins_anew_after_it_was_stopped(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let ledger = lived(backend).await;
    let before = dump(&ledger.database).await;
    ledger
        .execute("UPDATE trend_points SET value = 7; UPDATE sounds SET author = 'x'")
        .await;
    let (sender, stop) = Stop::new();
    sender.send(true).unwrap();
    let stopped = reparse(&ledger.config(), &ledger.clock, &stop, &|_| {})
        .await
        .unwrap();
    assert!(stopped.stopped, "{stopped:?}");
    reparsed(&ledger).await;
    assert_same(&before, &dump(&ledger.database).await);
    ledger.end().await;
}

/// What someone is told who wants to collect; on a thread of its own, since the test's is busy.
fn collect_elsewhere(config: Config, clock: Clock) -> String {
    let session = std::thread::spawn(move || {
        let key = ApiKey::new(common::ledger::KEY).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async { Session::open(&config, &key, clock).await.map(drop) })
    });
    session.join().unwrap().unwrap_err().to_string()
}

#[rstest]
#[tokio::test]
async fn nobody_collects_meanwhile(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let ledger = Ledger::steady(backend, 1).await;
    let session = ledger.session().await;
    pass(&session).await;
    let refused = run(&ledger).await.unwrap_err().to_string();
    assert!(
        refused.ends_with("is already collecting into this database"),
        "{refused}"
    );
    session.close().await.unwrap();

    // While answers are read, which takes as long as the callback of the first part.
    let (config, stop) = (ledger.config(), Stop::new().1);
    let refusals = std::cell::RefCell::new(Vec::new());
    let collect = |reading| {
        if matches!(reading, Reading::Kept(_)) {
            refusals
                .borrow_mut()
                .push(collect_elsewhere(config.clone(), ledger.clock.clone()));
        }
    };
    reparse(&config, &ledger.clock, &stop, &collect).await.unwrap();
    let refused = refusals.take().join("");
    assert!(
        refused.ends_with("is making what is derived from answers anew in this database"),
        "{refused}"
    );
    ledger.pass().await;
    ledger.end().await;
}
