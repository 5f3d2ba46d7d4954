//! Answers with a fault.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, LOCATION, RETRY_AFTER};
use axum::response::{Html, IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};

use super::answer::{Moment, extend};
use super::dice::hash;
use super::faults::Fault;
use super::server::refused;
use crate::api::BODY_LIMIT;

const SLOW: Duration = Duration::from_secs(3);

/// The answer, with this fault.
pub(super) async fn spoiled(moment: &Moment<'_>, mut answer: Value, fault: Fault) -> Response {
    match fault {
        Fault::Status(status) => return error_status(moment, status),
        Fault::Code(code) => answer = moment.envelope(code, "simulated", &Value::Null),
        Fault::Cut => return cut(&answer.to_string()),
        Fault::Slow => tokio::time::sleep(SLOW).await,
        Fault::Timeout => std::future::pending().await,
        Fault::NoData => answer = no_data(moment),
        Fault::NotJson => return Html("<html><body>Bad gateway</body></html>").into_response(),
        Fault::TooLarge => return (" ".repeat(BODY_LIMIT) + &answer.to_string()).into_response(),
        Fault::Redirect => {
            return (StatusCode::FOUND, [(LOCATION, "https://elsewhere.invalid/")]).into_response();
        }
        Fault::WrongShape => set(&mut answer, "/data/sound/trend/0/value", json!("0.5")),
        Fault::WrongClip => set(&mut answer, "/data/sound/clip_id", json!("6700000000000000000")),
        Fault::WrongRegion => set(&mut answer, "/data/sound/country_code", json!("ZZ")),
        Fault::NoCode => {
            answer.as_object_mut().and_then(|answer| answer.remove("code"));
        }
        Fault::Drift => drift(&mut answer),
        Fault::Restated => restate(&mut answer),
    }
    Json(answer).into_response()
}

fn error_status(moment: &Moment<'_>, status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = refused(moment, &(status, "simulated".to_owned()));
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(RETRY_AFTER, 1.into());
    }
    response
}

/// The ways in which successes without data were seen.
fn no_data(moment: &Moment<'_>) -> Value {
    match hash(&[moment.seed, moment.n, 90]) % 3 {
        0 => json!({"code": 0, "msg": "deprecated"}),
        1 => moment.envelope(0, "success", &Value::Null),
        _ => moment.envelope(0, "success", &json!({"sound": null})),
    }
}

fn drift(answer: &mut Value) {
    set(answer, "/data/sound/duration", json!("60"));
    set(answer, "/data/sound/longevity", json!(3));
    if let Some(sound) = answer.pointer_mut("/data/sound") {
        extend(sound, json!({"mood": {"label": "calm", "score": 71}}));
    }
}

/// The first day that is not the peak gets another value.
fn restate(answer: &mut Value) {
    let trend = answer
        .pointer_mut("/data/sound/trend")
        .and_then(Value::as_array_mut);
    let values = trend
        .into_iter()
        .flatten()
        .filter_map(|point| point.get_mut("value"));
    for value in values {
        let hundredths = value.as_f64().unwrap_or_default() * 100.0;
        if hundredths < 99.5 {
            let other = (hundredths.round() + 7.0) % 99.0;
            *value = json!(other / 100.0);
            return;
        }
    }
}

fn set(answer: &mut Value, pointer: &str, to: Value) {
    if let Some(value) = answer.pointer_mut(pointer) {
        *value = to;
    }
}

/// Half of the body, although the header promises all of it.
fn cut(body: &str) -> Response {
    let half = Bytes::copy_from_slice(body.as_bytes().get(..body.len() / 2).unwrap_or_default());
    let stream = stream::unfold(Some(half), |half| async {
        if half.is_none() {
            // Time for the first half to be sent, without which nothing at all would be.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        half.map(|half| (Ok::<_, Infallible>(half), None))
    });
    let mut response = Response::new(Body::from_stream(stream));
    response.headers_mut().insert(CONTENT_LENGTH, body.len().into());
    response
}
