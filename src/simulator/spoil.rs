//! Answers with a fault.

use std::convert::Infallible;
use std::time::{Duration, UNIX_EPOCH};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};

use super::answer::Moment;
use super::dice::hash;
use super::edit::{self, set};
use super::fault::Fault;
use super::server::refused;
use crate::api::BODY_LIMIT;

const SLOW: Duration = Duration::from_secs(3);

/// More than the client reads.
const SPACES_GZ: &[u8] = include_bytes!("16_MiB_of_spaces.gz");

/// The answer, with this fault.
pub(super) async fn spoiled(moment: &Moment<'_>, mut answer: Value, fault: Fault) -> Response {
    edit::fill_trend(&mut answer, moment.now);
    match fault {
        Fault::Status(status) => return error_status(moment, status, 1.into()),
        Fault::RetryDate => return error_status(moment, 429, in_two_seconds(moment.now)),
        Fault::Redirect => {
            return (StatusCode::FOUND, [(LOCATION, "https://elsewhere.invalid/")]).into_response();
        }
        Fault::Slow => tokio::time::sleep(SLOW).await,
        Fault::Timeout => std::future::pending().await,
        Fault::Cut => return cut(&answer.to_string()),
        Fault::TooLarge => return (" ".repeat(BODY_LIMIT) + &answer.to_string()).into_response(),
        Fault::Endless => return endless(),
        Fault::GzipBomb => return ([(CONTENT_ENCODING, "gzip")], SPACES_GZ).into_response(),
        Fault::NotJson => return Html("<html><body>Bad gateway</body></html>").into_response(),
        Fault::Nan => return json_text(edit::nan(answer)),
        Fault::Deep => return json_text(edit::deep(answer)),
        Fault::DoubleKeys => return json_text(edit::double_keys(answer)),
        Fault::OddTexts => return json_text(edit::odd_texts(answer)),
        Fault::Code(code) => answer = moment.envelope(code, "simulated", &Value::Null),
        Fault::NoData => answer = no_data(moment),
        Fault::NoCode => {
            answer.as_object_mut().and_then(|answer| answer.remove("code"));
        }
        Fault::WrongShape => set(&mut answer, "/data/sound/trend/0/value", json!("0.5")),
        Fault::WrongClip => set(&mut answer, "/data/sound/clip_id", json!("6700000000000000000")),
        Fault::WrongRegion => set(&mut answer, "/data/sound/country_code", json!("ZZ")),
        Fault::HugeNumbers => edit::huge_numbers(&mut answer),
        Fault::Drift => edit::drift(&mut answer),
        Fault::TwoValues => edit::trend(&mut answer, edit::two_values),
        Fault::DoubleTimes => edit::trend(&mut answer, |trend| trend.extend_from_within(..)),
        Fault::Unsorted => edit::trend(&mut answer, |trend| trend.reverse()),
        Fault::NotMidnight => edit::trend(&mut answer, |trend| edit::not_midnight(trend)),
        Fault::OutOfRange => edit::trend(&mut answer, |trend| edit::out_of_range(trend)),
        Fault::Weekly => edit::trend(&mut answer, |trend| edit::weekly(trend)),
        Fault::ManyPoints => edit::trend(&mut answer, edit::many_points),
        Fault::Restated => edit::trend(&mut answer, |trend| edit::restate(trend)),
    }
    Json(answer).into_response()
}

fn error_status(moment: &Moment<'_>, status: u16, retry_after: HeaderValue) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = refused(moment, &(status, "simulated".to_owned()));
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(RETRY_AFTER, retry_after);
    }
    response
}

/// A date as headers have it. `now` is in unix seconds.
fn in_two_seconds(now: i64) -> HeaderValue {
    let then = UNIX_EPOCH + Duration::from_secs(now.unsigned_abs() + 2);
    HeaderValue::from_str(&httpdate::fmt_http_date(then)).unwrap_or(HeaderValue::from_static("soon"))
}

/// The ways in which successes without data were seen.
fn no_data(moment: &Moment<'_>) -> Value {
    match hash(&[moment.seed, moment.n, 90]) % 3 {
        0 => json!({"code": 0, "msg": "deprecated"}),
        1 => moment.envelope(0, "success", &Value::Null),
        _ => moment.envelope(0, "success", &json!({"sound": null})),
    }
}

fn json_text(text: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

/// Spaces, as long as somebody takes them.
fn endless() -> Response {
    let spaces = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b' '; 64 << 10])));
    Response::new(Body::from_stream(spaces))
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
