//! Answers that are not as they were: what can be kept is kept, on both databases alike.

#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use common::Backend;
use common::api::{Call, Reply, answer};
use common::ledger::{DAY, Ledger, NOW, pass, target};
use rstest::rstest;
use serde_json::{Value, json};

/// Answers with the good one changed: the `nth` request gets the `nth` change, the last for all after.
fn changing(changes: &'static [fn(&mut Value)]) -> impl Fn(&Call) -> Reply {
    move |call| {
        let mut body = answer(&call.clip, &call.region, &[0.5, 1.0]);
        changes[(call.nth - 1).min(changes.len() - 1)](&mut body);
        Reply::json(&body)
    }
}

fn same(_: &mut Value) {}

#[rstest]
#[tokio::test]
async fn no_data_leaves_what_is_known_untouched(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let script = changing(&[same, |body| body["data"] = json!([]), same]);
    let ledger = Ledger::new(backend, 1, script).await;
    ledger.pass().await;
    let known = "SELECT id, confirmations, last_fetched_at FROM snapshots";
    let before = ledger.rows(known).await;
    ledger.advance(DAY);
    ledger.pass().await;
    assert_eq!(ledger.rows(known).await, before);
    assert_eq!(
        ledger.value("SELECT last_seen_at FROM sounds").await,
        NOW.to_string()
    );
    ledger.advance(DAY);
    ledger.pass().await;
    let expected = ["1 0 stored -", "1 86400 no_data -", "1 172800 confirmed -"];
    assert_eq!(ledger.fetches().await, expected);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_rejected_answer_is_kept_and_says_what_is_wrong_and_where(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let script = changing(&[|body| body["data"]["sound"]["trend"][1]["value"] = json!("1")]);
    let ledger = Ledger::new(backend, 1, script).await;
    ledger.pass().await;
    let rows = "SELECT f.reason, f.snapshot_id, p.size_bytes > 0, a.error
        FROM fetches AS f JOIN attempts AS a ON a.fetch_id = f.id JOIN payloads AS p ON p.hash = a.payload_hash";
    let found = ledger.value(rows).await.replace(" t ", " 1 ");
    let error = "data.sound.trend[1].value: expected a number, got a string";
    assert_eq!(found, format!("wrong_shape - 1 {error}"));
    assert_eq!(ledger.value("SELECT count(*) FROM snapshots").await, "0");
    assert_eq!(ledger.value("SELECT count(*) FROM sounds").await, "0");
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn unknown_fields_are_kept_and_counted(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    fn new(body: &mut Value) {
        body["data"]["sound"]["mood"] = json!({"calm": [0.5, null]});
        body["data"]["sound"]["duration"] = json!("sixty");
    }
    let script = changing(&[new, new, same]);
    let ledger = Ledger::new(backend, 1, script).await;
    for _ in 0..3 {
        ledger.pass().await;
        ledger.advance(DAY);
    }
    let counted = ledger.rows("SELECT * FROM unknown_fields ORDER BY path").await;
    let expected = ["sound.duration", "sound.mood"].map(|path| format!("{path} 2 {NOW} {}", NOW + DAY));
    assert_eq!(counted, expected);
    let extras = ledger.rows("SELECT extra FROM snapshots ORDER BY id").await;
    assert_eq!((extras.len(), extras[1].as_str()), (2, "-"));
    let extra: Value = serde_json::from_str(&extras[0]).unwrap();
    let expected = json!({"sound.duration": "sixty", "sound.mood": {"calm": [0.5, null]}});
    assert_eq!(extra, expected);
    ledger.end().await;
}

/// The order of an object's keys says nothing.
#[rstest]
#[tokio::test]
async fn unknown_fields_in_another_order_are_the_same_content() {
    let script = |c: &Call| {
        let text = answer(&c.clip, &c.region, &[1.0]).to_string();
        let new = [
            "\"data\":{\"a\":{\"x\":1,\"y\":2},\"b\":3,",
            "\"data\":{\"b\":3,\"a\":{\"y\":2,\"x\":1},",
        ];
        Reply::new(200, text.replacen("\"data\":{", new[(c.nth - 1) % 2], 1))
    };
    let ledger = Ledger::new(Backend::Sqlite, 1, script).await;
    ledger.pass().await;
    ledger.advance(DAY);
    ledger.pass().await;
    assert_eq!(ledger.value("SELECT count(*) FROM unknown_fields").await, "2");
    assert_eq!(ledger.fetches().await, ["1 0 stored -", "1 86400 confirmed -"]);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn null_never_overwrites_what_is_known_of_a_sound(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let script = changing(&[
        |body| body["data"]["sound"]["music_url"] = json!("https://m.example/1"),
        |body| {
            let sound = &mut body["data"]["sound"];
            for key in ["title", "author", "duration", "music_url", "cover", "link"] {
                sound[key] = Value::Null;
            }
            sound["song_id"] = json!("2");
            sound["audience_countries"][0]["country_info"]["value"] = Value::Null;
            sound["audience_interests"][0]["interest_info"]["label"] = Value::Null;
        },
    ]);
    let ledger = Ledger::new(backend, 1, script).await;
    ledger.pass().await;
    ledger.advance(DAY);
    ledger.pass().await;
    let sound = "SELECT song_id, title, author, duration_seconds, music_url, last_seen_at FROM sounds";
    let expected = format!("2 New Sun Chihei Hatakeyama 60 https://m.example/1 {}", NOW + DAY);
    assert_eq!(ledger.value(sound).await, expected);
    let country = "SELECT code, name FROM countries WHERE id = '458258'";
    assert_eq!(ledger.value(country).await, "LV Latvia");
    let interest = "SELECT label, name FROM interests WHERE id = '10004'";
    assert_eq!(ledger.value(interest).await, "diversify_10004 Scripted Drama");
    ledger.end().await;
}

/// Two regions of one sound, answered at once and settled in one transaction.
#[rstest]
#[tokio::test]
async fn null_never_overwrites_within_one_transaction_either(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    use soundwatch::api::{Verdict, wire};
    use soundwatch::collect::content_hash;
    use soundwatch::model::{AttemptState, Claim};
    use soundwatch::store::claim::{Claimed, Claimer};
    use soundwatch::store::due::Scope;
    use soundwatch::store::settle::{AttemptFacts, End, Payload, Settlement};

    let mut ledger = Ledger::steady(backend, 1).await;
    let mut other = target(1, "15 6 * * *");
    other.region = "LV".parse().unwrap();
    ledger.wanted.push(other);
    let session = ledger.session().await;
    let (store, worker) = (&session.collector.store, &session.collector.worker.id);
    store.hand_over(None, NOW).await.unwrap();
    let due = store.due(Scope::Forced(NOW), 0, false, 9).await.unwrap();
    let budget = session.collector.limits.budget;
    let claimer = Claimer {
        worker,
        key_fingerprint: "f",
        budget,
    };
    let Claimed::Yes(claims) = store.claim(claimer, &due, false, NOW).await.unwrap() else {
        panic!("there is budget, and no pause");
    };
    let settlement = |(claim, n): (&Claim, u8)| {
        let mut body = answer(claim.ask.clip_id.as_str(), claim.ask.region.as_str(), &[1.0]);
        if n == 2 {
            let sound = &mut body["data"]["sound"];
            sound["title"] = Value::Null;
            sound["audience_countries"][0]["country_info"]["label"] = Value::Null;
            sound["audience_interests"][0]["interest_info"]["value"] = Value::Null;
        }
        let Verdict::Content(content) = wire::read(&claim.ask, 200, body.to_string().as_bytes()).verdict
        else {
            panic!("it is content");
        };
        let attempt = AttemptFacts {
            state: AttemptState::Answered,
            http_status: Some(200),
            api_code: Some(0),
            message: None,
            request_id: None,
            latency_ms: 1,
            error: None,
            charged: true,
            credits: 2,
        };
        Settlement {
            claim: claim.clone(),
            at: NOW,
            attempt,
            payload: Some(Payload {
                hash: [n; 32],
                body: vec![n],
                size_bytes: 1,
            }),
            end: End::Content {
                hash: content_hash(&content),
                content,
            },
        }
    };
    let batch: Vec<_> = claims.iter().zip(1..).map(settlement).collect();
    assert_eq!(store.settle(&batch).await.unwrap().len(), 2);
    assert_eq!(ledger.value("SELECT title FROM sounds").await, "New Sun");
    let country = "SELECT code, name FROM countries WHERE id = '458258'";
    assert_eq!(ledger.value(country).await, "LV Latvia");
    let interest = "SELECT label, name FROM interests WHERE id = '10004'";
    assert_eq!(ledger.value(interest).await, "diversify_10004 Scripted Drama");
    session.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn numbers_and_texts_are_kept_exactly(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    const VALUES: [f64; 8] = [
        0.1 + 0.2,
        1.0 / 3.0,
        5e-324,
        f64::MAX,
        -0.25,
        2.225_073_858_507_201e-308,
        123_456_789.123_456_79,
        0.999_999_999_999_999_9,
    ];
    let script = |c: &Call| {
        let mut body = answer(&c.clip, &c.region, &VALUES);
        let sound = &mut body["data"]["sound"];
        sound["title"] = json!("Ā'ž\"\\\n\t 音楽 🎵 \u{7f}\u{0}|");
        sound["audience_ages"] = json!([{"age_level": 3, "score": null}, {"age_level": 4, "score": 12.5}]);
        sound["rank"] = json!(i64::MAX);
        sound["rank_diff"] = json!(i64::MIN);
        sound["promoted"] = json!(true);
        let items = r#"[{"item_id": 123456789012345678901234567890, "cover_uri": null}, {"item_id": "007"}]"#;
        sound["related_items"] = serde_json::from_str(items).unwrap();
        Reply::json(&body)
    };
    let ledger = Ledger::new(backend, 1, script).await;
    ledger.pass().await;
    assert_eq!(ledger.fetches().await, ["1 0 stored -"]);
    let values = ledger.rows("SELECT value FROM trend_points ORDER BY time").await;
    let values: Vec<u64> = values
        .iter()
        .map(|v| v.parse::<f64>().unwrap().to_bits())
        .collect();
    assert_eq!(values, VALUES.map(f64::to_bits));
    let title = ledger.value("SELECT title FROM sounds").await;
    assert_eq!(title, "Ā'ž\"\\\n\t 音楽 🎵 \u{7f}\u{fffd}|");
    let ranks = "SELECT rank, rank_diff, CASE WHEN promoted THEN 1 ELSE 0 END FROM snapshots";
    assert_eq!(ledger.value(ranks).await, format!("{} {} 1", i64::MAX, i64::MIN));
    let ages = ledger
        .rows("SELECT age_level, score FROM age_scores ORDER BY 1")
        .await;
    assert_eq!(ages, ["3 -", "4 12.5"]);
    let items = ledger
        .rows("SELECT position, item_id, cover_url FROM related_items ORDER BY 1")
        .await;
    assert_eq!(items, ["1 123456789012345678901234567890 -", "2 007 -"]);
    ledger.end().await;
}

/// 3,000 characters that no database makes shorter.
fn long() -> String {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.alphanumeric())
        .take(3_000)
        .collect()
}

/// What one database can't take must not harm the answers that are settled beside it.
#[rstest]
#[case::a_number_beyond_all_numbers(|sound: &mut Value| {
    sound["new"] = serde_json::from_str(r#"[1e999999, -1e-999999, 0.1]"#).unwrap();
})]
#[case::a_very_long_name_of_a_field(|sound: &mut Value| sound[long()] = json!(1))]
#[case::a_very_long_country(|sound: &mut Value| {
    sound["audience_countries"][0]["country_info"]["id"] = json!(long());
})]
#[case::a_very_long_interest(|sound: &mut Value| {
    sound["audience_interests"][0]["interest_info"]["id"] = json!(long());
})]
#[case::very_long_texts(|sound: &mut Value| {
    for key in ["title", "author", "song_id", "cml_mid", "link", "cover"] {
        sound[key] = json!(long());
    }
})]
#[case::very_many_fields(|sound: &mut Value| {
    for n in 0..2_000 {
        sound[format!("new_{n}")] = json!(n);
    }
})]
#[tokio::test]
async fn no_answer_makes_a_pass_fail(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] damage: fn(&mut Value),
) {
    let script = move |c: &Call| {
        let mut body = answer(&c.clip, &c.region, &[1.0]);
        damage(&mut body["data"]["sound"]);
        Reply::json(&body)
    };
    let ledger = Ledger::new(backend, 1, script).await;
    let session = ledger.session().await;
    pass(&session).await;
    session.close().await.unwrap();
    let fetches = ledger.fetches().await;
    assert!(
        ["1 0 stored -", "1 0 rejected wrong_shape"].contains(&fetches[0].as_str()),
        "{fetches:?}"
    );
    assert_eq!(ledger.value("SELECT count(*) FROM payloads").await, "1");
    ledger.end().await;
}
