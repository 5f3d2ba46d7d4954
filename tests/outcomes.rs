//! What becomes of each kind of answer: outcome, reason, attempts, credits, payload.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use common::Backend;
use common::api::{Breaks, Call, Reply, answer};
use common::ledger::{Ledger, NOW};
use rstest::rstest;
use serde_json::{Value, json};

type Script = fn(&Call) -> Reply;

/// What the ledger says of one target that got one answer: `outcome reason`, the attempt, credits of
/// the day, kept payloads.
async fn one_answer(backend: Backend, script: Script, attempts: usize) -> (Ledger, [String; 4]) {
    let mut ledger = Ledger::new(backend, 1, script).await;
    ledger.set("api", "attempts", attempts);
    ledger.set("api", "timeout", "\"1s\"");
    ledger.pass().await;
    let facts = [
        ledger.value("SELECT outcome, reason FROM fetches").await,
        ledger.attempts().await.join(", "),
        ledger.credits().await.to_string(),
        ledger.value("SELECT count(*) FROM payloads").await,
    ];
    (ledger, facts)
}

fn with(pointer: &str, value: Value) -> impl Fn(&Call) -> Reply {
    let pointer = pointer.to_owned();
    move |call| {
        let mut body = answer(&call.clip, &call.region, &[0.5, 1.0]);
        *body.pointer_mut(&pointer).unwrap() = value.clone();
        Reply::json(&body)
    }
}

#[rstest]
#[case::stored(|c: &Call| Reply::trend(c, &[1.0]), "stored -", "1 1 answered 200 0 2", 2, 1)]
#[case::no_data(|_: &Call| Reply::json(&json!({"code": 0, "data": []})), "no_data -", "1 1 answered 200 0 2", 2, 1)]
#[case::no_content(|_: &Call| Reply::new(204, ""), "no_data -", "1 1 answered 204 - 2", 2, 1)]
#[case::redirect(|_: &Call| Reply::new(302, "").header("location", "/"), "failed redirect", "1 1 answered 302 - 2", 2, 1)]
#[case::http_400(|_: &Call| Reply::new(400, "?"), "failed bad_request", "1 1 answered 400 - 2", 2, 1)]
#[case::http_401(|_: &Call| Reply::new(401, "?"), "failed unauthorized", "1 1 answered 401 - 0", 0, 1)]
#[case::http_402(|_: &Call| Reply::new(402, "?"), "failed out_of_credits", "1 1 answered 402 - 0", 0, 1)]
#[case::http_403(|_: &Call| Reply::new(403, "?"), "failed forbidden", "1 1 answered 403 - 0", 0, 1)]
#[case::http_404(|_: &Call| Reply::new(404, "?"), "failed not_found", "1 1 answered 404 - 2", 2, 1)]
#[case::http_429(|_: &Call| Reply::new(429, "?"), "failed rate_limited", "1 1 answered 429 - 0", 0, 1)]
#[case::http_500(|_: &Call| Reply::new(500, "?"), "failed server_error", "1 1 answered 500 - 2", 2, 1)]
#[case::http_503(|_: &Call| Reply::new(503, "?"), "failed server_error", "1 1 answered 503 - 2", 2, 1)]
#[case::code_400(|_: &Call| Reply::code(400), "failed bad_request", "1 1 answered 200 400 2", 2, 1)]
#[case::code_401(|_: &Call| Reply::code(401), "failed unauthorized", "1 1 answered 200 401 0", 0, 1)]
#[case::code_402(|_: &Call| Reply::code(402), "failed out_of_credits", "1 1 answered 200 402 0", 0, 1)]
#[case::code_403(|_: &Call| Reply::code(403), "failed forbidden", "1 1 answered 200 403 0", 0, 1)]
#[case::code_404(|_: &Call| Reply::code(404), "failed not_found", "1 1 answered 200 404 2", 2, 1)]
#[case::code_429(|_: &Call| Reply::code(429), "failed rate_limited", "1 1 answered 200 429 0", 0, 1)]
#[case::code_500(|_: &Call| Reply::code(500), "failed server_error", "1 1 answered 200 500 2", 2, 1)]
#[case::code_7(|_: &Call| Reply::code(7), "failed api_code", "1 1 answered 200 7 2", 2, 1)]
#[case::not_json(|_: &Call| Reply::new(200, "<html>"), "rejected not_json", "1 1 answered 200 - 2", 2, 1)]
#[case::no_code(|_: &Call| Reply::new(200, "{}"), "rejected no_code", "1 1 answered 200 - 2", 2, 1)]
#[case::too_large(|_: &Call| Reply::new(200, vec![b' '; (4 << 20) + 1]), "rejected too_large", "1 1 answered 200 - 2", 2, 1)]
#[case::cut(|c: &Call| Reply::trend(c, &[1.0]).breaking(Breaks::InTheBody), "failed cut_off", "1 1 unknown 200 - 2", 2, 0)]
#[case::no_head(
    |c: &Call| Reply::trend(c, &[1.0]).breaking(Breaks::BeforeTheHead), "failed connection", "1 1 unknown - - 2", 2, 0
)]
#[case::wrong_region(
    |c: &Call| with("/data/sound/country_code", json!("LV"))(c), "rejected wrong_region", "1 1 answered 200 0 2", 2, 1
)]
#[case::wrong_clip(
    |c: &Call| with("/data/sound/clip_id", json!("7000000000000000099"))(c),
    "rejected wrong_clip", "1 1 answered 200 0 2", 2, 1
)]
#[case::wrong_shape(
    |c: &Call| with("/data/sound/trend/1/value", json!("1"))(c), "rejected wrong_shape", "1 1 answered 200 0 2", 2, 1
)]
#[tokio::test]
async fn every_answer_has_its_outcome_and_its_price(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] script: Script,
    #[case] outcome: &str,
    #[case] attempt: &str,
    #[case] credits: i64,
    #[case] payloads: usize,
) {
    let (ledger, facts) = one_answer(backend, script, 1).await;
    let expected = [
        outcome,
        attempt,
        credits.to_string().as_str(),
        payloads.to_string().as_str(),
    ]
    .map(str::to_owned);
    assert_eq!(facts, expected);
    ledger.end().await;
}

#[rstest]
#[case::server_errors(
    |c: &Call| if c.nth < 3 { Reply::new(500, "") } else { Reply::trend(c, &[1.0]) },
    "stored -", "1 1 answered 500 - 2, 1 2 answered 500 - 2, 1 3 answered 200 0 2", 6
)]
#[case::a_rate_limit_costs_nothing(
    |c: &Call| if c.nth == 1 { Reply::new(429, "").header("retry-after", 7) } else { Reply::trend(c, &[1.0]) },
    "stored -", "1 1 answered 429 - 0, 1 2 answered 200 0 2", 2
)]
#[case::a_cut_answer_may_have_cost(
    |c: &Call| if c.nth == 1 { Reply::trend(c, &[1.0]).breaking(Breaks::InTheBody) } else { Reply::trend(c, &[1.0]) },
    "stored -", "1 1 unknown 200 - 2, 1 2 answered 200 0 2", 4
)]
#[case::until_the_attempts_are_used_up(
    |_: &Call| Reply::new(503, ""),
    "failed server_error", "1 1 answered 503 - 2, 1 2 answered 503 - 2, 1 3 answered 503 - 2", 6
)]
#[case::the_last_reason_counts(
    |c: &Call| if c.nth == 1 { Reply::new(500, "") } else { Reply::code(404) },
    "failed not_found", "1 1 answered 500 - 2, 1 2 answered 200 404 2", 4
)]
#[tokio::test]
async fn what_may_pass_is_asked_again_and_each_attempt_has_its_row(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] script: Script,
    #[case] outcome: &str,
    #[case] attempts: &str,
    #[case] credits: i64,
) {
    let (ledger, facts) = one_answer(backend, script, 3).await;
    assert_eq!(
        facts[..3],
        [outcome, attempts, &credits.to_string()].map(str::to_owned)
    );
    ledger.end().await;
}

#[rstest]
#[case::rate_limited_in_seconds(429, "90", 90)]
#[case::rate_limited_until_a_date(429, "Mon, 02 Feb 2026 07:02:00 GMT", 120)]
#[case::rate_limited_without_a_word(429, "soon", 60)]
#[case::overloaded(503, "90", 90)]
#[tokio::test]
async fn the_api_is_left_alone_for_as_long_as_it_asks(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] status: u16,
    #[case] header: &'static str,
    #[case] seconds: i64,
) {
    let script = move |c: &Call| match c.of_all {
        1 => Reply::new(status, "").header("retry-after", header),
        _ => Reply::trend(c, &[1.0]),
    };
    let mut ledger = Ledger::new(backend, 2, script).await;
    ledger.set("api", "max_in_flight", 1);
    ledger.pass().await;
    let sent = ledger.rows("SELECT sent_at FROM attempts ORDER BY id").await;
    assert_eq!(sent[0], NOW.to_string());
    assert!(
        sent[1..]
            .iter()
            .all(|at| at.parse::<i64>().unwrap() >= NOW + seconds),
        "{sent:?}"
    );
    assert_eq!(ledger.fetches().await, ["1 0 stored -", "2 0 stored -"]);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn what_never_connects_costs_nothing(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let mut ledger = Ledger::steady(backend, 1).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    ledger.set("api", "base_url", format!("\"http://{nobody}\""));
    ledger.pass().await;
    assert_eq!(ledger.fetches().await, ["1 0 failed connection"]);
    let attempts = ledger.attempts().await;
    assert_eq!(
        attempts,
        ["1 1 not_sent - - 0", "1 2 not_sent - - 0", "1 3 not_sent - - 0"]
    );
    assert_eq!(ledger.credits().await, 0);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn an_answer_that_does_not_come_in_time_may_have_cost(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let mut ledger = Ledger::new(backend, 1, move |c: &Call| Reply::trend(c, &[1.0]).held_by(&gate)).await;
    ledger.set("api", "timeout", "\"1s\"");
    ledger.set("api", "attempts", 1);
    ledger.pass().await;
    assert_eq!(ledger.fetches().await, ["1 0 failed timeout"]);
    assert_eq!(ledger.attempts().await, ["1 1 unknown - - 2"]);
    assert_eq!(ledger.credits().await, 2);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn many_targets_are_retried_side_by_side(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let script = |c: &Call| {
        if c.nth == 1 {
            Reply::new(500, "")
        } else {
            Reply::trend(c, &[1.0])
        }
    };
    let ledger = Ledger::new(backend, 60, script).await;
    ledger.pass().await;
    assert_eq!(ledger.outcomes().await, ["stored - 60"]);
    assert_eq!((ledger.api.count(), ledger.credits().await), (120, 240));
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_failed_slot_is_final_and_the_next_slot_tries_again(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let script = |c: &Call| {
        if c.nth == 1 {
            Reply::new(404, "")
        } else {
            Reply::trend(c, &[1.0])
        }
    };
    let ledger = Ledger::new(backend, 1, script).await;
    ledger.pass().await;
    ledger.pass().await;
    assert_eq!(ledger.api.count(), 1);
    ledger.advance(86_400);
    ledger.pass().await;
    assert_eq!(
        ledger.fetches().await,
        ["1 0 failed not_found", "1 86400 stored -"]
    );
    ledger.end().await;
}
