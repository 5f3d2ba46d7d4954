//! A recorded answer of the API, collected into both databases: everything that it says is found
//! by SQL. The walk over its JSON is the test's own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]
#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use common::Backend;
use common::api::Reply;
use common::ledger::{Ledger, NOW, target};
use rstest::rstest;
use serde_json::Value;
use sha2::{Digest, Sha256};

const RECORDED: &[u8] = include_bytes!("data/music_detail_US_7d.json");

/// The database after the recorded answer has been collected, and that answer.
async fn collected(backend: Backend) -> (Ledger, Value) {
    let mut ledger = Ledger::new(backend, 0, |_| Reply::new(200, RECORDED)).await;
    let mut recorded = target(1, "15 6 * * *");
    recorded.clip_id = "6703723351497508865".parse().unwrap();
    ledger.wanted = vec![recorded];
    ledger.pass().await;
    (ledger, serde_json::from_slice(RECORDED).unwrap())
}

/// A JSON value as the databases show it in a column.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::String(text) => text.clone(),
        number => number.to_string(),
    }
}

/// The named columns of the only row of a table; BOOLEANs as words.
async fn row(ledger: &Ledger, table: &str, columns: &[(&str, &Value)]) {
    for (column, expected) in columns {
        let column = if expected.is_boolean() {
            format!("CASE WHEN {column} THEN 'true' ELSE 'false' END")
        } else {
            (*column).to_owned()
        };
        let found = ledger.value(&format!("SELECT {column} FROM {table}")).await;
        assert_eq!(found, shown(expected), "{table}.{column}");
    }
}

#[rstest]
#[tokio::test]
async fn every_fact_of_the_sound_is_found_and_null_is_null(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (ledger, json) = collected(backend).await;
    let sound = &json["data"]["sound"];
    let columns = [
        ("clip_id", &sound["clip_id"]),
        ("song_id", &sound["song_id"]),
        ("title", &sound["title"]),
        ("author", &sound["author"]),
        ("url_title", &sound["url_title"]),
        ("link", &sound["link"]),
        ("cover_url", &sound["cover"]),
        ("music_url", &sound["music_url"]),
        ("duration_seconds", &sound["duration"]),
    ];
    row(&ledger, "sounds", &columns).await;
    assert!(sound["music_url"].is_null(), "the test sees a NULL");
    let seen = ledger
        .value("SELECT first_seen_at, last_seen_at FROM sounds")
        .await;
    assert_eq!(seen, format!("{NOW} {NOW}"));
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn every_fact_of_the_snapshot_is_found_and_null_is_null(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (ledger, json) = collected(backend).await;
    let (data, sound) = (&json["data"], &json["data"]["sound"]);
    let columns = [
        ("country_code", &sound["country_code"]),
        ("rank", &sound["rank"]),
        ("rank_diff", &sound["rank_diff"]),
        ("on_list_times", &sound["on_list_times"]),
        ("promoted", &sound["promoted"]),
        ("is_commercial", &sound["if_cml"]),
        ("is_search", &sound["is_search"]),
        ("cml_mid", &sound["cml_mid"]),
        ("like_count", &data["like_count"]),
        ("liked", &data["liked"]),
        ("disliked", &data["disliked"]),
        ("popular_days", &sound["longevity"]["popular_days"]),
        ("current_popularity", &sound["longevity"]["current_popularity"]),
        ("extra", &Value::Null),
    ];
    row(&ledger, "snapshots", &columns).await;
    let facts =
        "SELECT period_days, step_seconds, confirmations, first_fetched_at, last_fetched_at FROM snapshots";
    assert_eq!(ledger.value(facts).await, format!("7 86400 0 {NOW} {NOW}"));
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn every_row_of_every_list_is_found_in_its_order(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (ledger, json) = collected(backend).await;
    let sound = &json["data"]["sound"];
    let list = |key: &str| sound[key].as_array().cloned().unwrap_or_default();

    let trend = list("trend");
    assert_eq!(trend.len(), 7, "the test sees a trend");
    let expected: Vec<_> = trend
        .iter()
        .map(|p| format!("{} {}", p["time"], p["value"]))
        .collect();
    let found = ledger
        .rows("SELECT time, value FROM trend_points ORDER BY time")
        .await;
    assert_eq!(found, expected);

    for (key, info, table, names) in [
        ("audience_countries", "country_info", "country", "countries"),
        ("audience_interests", "interest_info", "interest", "interests"),
    ] {
        let label = if table == "country" { "code" } else { "label" };
        let line = |(position, entry): (usize, &Value)| {
            let (info, score) = (&entry[info], &entry["score"]);
            let [id, label, name] = ["id", "label", "value"].map(|key| shown(&info[key]));
            format!("{position} {id} {score} {label} {name}")
        };
        let expected: Vec<_> = (1..).zip(&list(key)).map(line).collect();
        assert!(!expected.is_empty(), "the test sees {key}");
        let sql = format!(
            "SELECT s.position, s.{table}_id, s.score, n.{label}, n.name
            FROM {table}_scores AS s JOIN {names} AS n ON n.id = s.{table}_id ORDER BY s.position"
        );
        assert_eq!(ledger.rows(&sql).await, expected);
    }

    for (key, table) in [
        ("audience_ages", "age_scores"),
        ("related_items", "related_items"),
    ] {
        assert!(sound[key].is_null());
        assert_eq!(ledger.value(&format!("SELECT count(*) FROM {table}")).await, "0");
    }
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn the_payload_is_kept_byte_for_byte(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (ledger, json) = collected(backend).await;
    let bytes = |hex: &str| hex::decode(hex.trim_start_matches("\\x")).unwrap();
    let body = bytes(&ledger.value("SELECT body FROM payloads").await);
    assert_eq!(zstd::decode_all(body.as_slice()).unwrap(), RECORDED);
    let hash = Sha256::digest(RECORDED).to_vec();
    for column in [
        "hash FROM payloads",
        "payload_hash FROM attempts",
        "payload_hash FROM snapshots",
    ] {
        assert_eq!(bytes(&ledger.value(&format!("SELECT {column}")).await), hash);
    }
    let size = ledger.value("SELECT size_bytes, received_at FROM payloads").await;
    assert_eq!(size, format!("{} {NOW}", RECORDED.len()));
    let attempt = "SELECT state, http_status, api_code, message, request_id, credits, error FROM attempts";
    let said = (
        shown(&json["code"]),
        shown(&json["message"]),
        shown(&json["requestId"]),
    );
    assert_eq!(
        ledger.value(attempt).await,
        format!("answered 200 {} {} {} 2 -", said.0, said.1, said.2)
    );
    ledger.end().await;
}

/// No value of the answer is without a place: what is new in the file fails here.
#[rstest]
#[tokio::test]
async fn nothing_of_the_recorded_answer_is_unknown() {
    let (ledger, _) = collected(Backend::Sqlite).await;
    assert_eq!(ledger.value("SELECT count(*) FROM unknown_fields").await, "0");
    ledger.end().await;
}
