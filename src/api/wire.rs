//! What an answer means: the only place that knows the names in the API's JSON.
//!
//! An answer is decided from its HTTP status and its bytes alone, in this order: a key that is
//! refused, by status or by the body's code; a status other than success; the envelope; `data`.
//! A drifting API must not cost data: only what a snapshot can't do without has to be in shape,
//! everything else goes to `extra` under its path below `data`, e.g. `sound.new_key`.

mod chart;
mod content;
mod mend;
mod take;

use serde_json::{Map, Value};

use self::content::NotContent;
use self::take::{Path, WHOLE, required};
use super::Verdict;
use super::client::BODY_LIMIT;
use crate::model::{Ask, ChartAsk, ChartPage, Content, Reason};

/// Messages are for people; nobody reads more of one.
const LONGEST_MESSAGE: usize = 1_000;

/// What an answer says.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading<C = Content> {
    /// The body's own code.
    pub api_code: Option<i64>,
    /// The body's own message.
    pub message: Option<String>,
    /// The API's name for the request.
    pub request_id: Option<String>,
    /// What to do. A `Retry` never names a wait here: that stands in a header.
    pub verdict: Verdict<C>,
    /// For people: what was wrong, and where.
    pub error: Option<String>,
}

/// Reads the answer to `ask`. Never fails: an answer that can't be used is a verdict too.
pub fn read(ask: &Ask, http_status: u16, body: &[u8]) -> Reading {
    read_with(http_status, body, |data| content::read(ask, data))
}

/// Reads the answer to `ask`, a page of a chart. Never fails either.
pub fn read_chart(ask: &ChartAsk, http_status: u16, body: &[u8]) -> Reading<ChartPage> {
    read_with(http_status, body, |data| chart::read(ask, data))
}

/// Reads an answer; `data` reads what stands under that name in it.
fn read_with<C>(
    http_status: u16,
    body: &[u8],
    data: impl FnOnce(Value) -> Result<C, NotContent>,
) -> Reading<C> {
    let success = (200..300).contains(&http_status);
    if success && body.len() > BODY_LIMIT {
        let error = format!("the body is over {} MiB", BODY_LIMIT >> 20);
        return Envelope::default().rejected(Reason::TooLarge, error);
    }
    match (parse(body), http_status) {
        (_, 204) => Envelope::default().verdict(Verdict::NoData, Some("HTTP 204, no data".to_owned())),
        (parsed, 200..300) => parsed.map_or_else(
            |error| Envelope::default().rejected(Reason::NotJson, error),
            |body| read_success(body, data),
        ),
        // The body of an error is a courtesy: it may be anything.
        (parsed, _) => read_error(http_status, parsed.unwrap_or(Value::Null)),
    }
}

fn parse(body: &[u8]) -> Result<Value, String> {
    if body.is_empty() {
        return Err("the body is empty".to_owned());
    }
    serde_json::from_slice(&mend::mend(body)).map_err(|problem| {
        let beginning = String::from_utf8_lossy(body.get(..40).unwrap_or(body));
        format!("the body is not JSON: {problem}; it begins {beginning:?}")
    })
}

/// What surrounds `data`.
#[derive(Default)]
struct Envelope {
    api_code: Option<i64>,
    message: Option<String>,
    request_id: Option<String>,
}

impl Envelope {
    /// Takes the parts that are for people, whatever their type: they decide nothing.
    fn take(body: &mut Map<String, Value>) -> Self {
        let message = ["message", "msg"].iter().find_map(|key| said(body.remove(*key)));
        Self {
            api_code: None,
            message,
            request_id: said(body.remove("requestId")),
        }
    }

    fn verdict<C>(self, verdict: Verdict<C>, error: Option<String>) -> Reading<C> {
        Reading {
            api_code: self.api_code,
            message: self.message,
            request_id: self.request_id,
            verdict,
            error,
        }
    }

    fn rejected<C>(self, reason: Reason, error: String) -> Reading<C> {
        self.verdict(Verdict::Rejected(reason), Some(error))
    }
}

/// A text as it is, anything else as its JSON, null as nothing; not endlessly much of it.
fn said(value: Option<Value>) -> Option<String> {
    let mut text = match value? {
        Value::Null => return None,
        Value::String(text) => text,
        other => other.to_string(),
    };
    if let Some((end, _)) = text.char_indices().nth(LONGEST_MESSAGE) {
        text.truncate(end);
        text.push('…');
    }
    Some(text)
}

/// Reads the body of an HTTP success.
fn read_success<C>(body: Value, read: impl FnOnce(Value) -> Result<C, NotContent>) -> Reading<C> {
    let mut body = match body {
        Value::Object(map) => map,
        other => {
            let wrong = Path::Body.expected("an object", &other);
            return Envelope::default().rejected(Reason::WrongShape, wrong.0);
        }
    };
    let mut envelope = Envelope::take(&mut body);
    let code = match body.remove("code") {
        None | Some(Value::Null) => {
            return envelope.rejected(Reason::NoCode, "code: missing".to_owned());
        }
        Some(code) => required(code, &Path::Key(&Path::Body, "code"), &WHOLE),
    };
    match code {
        Err(wrong) => envelope.rejected(Reason::WrongShape, wrong.0),
        Ok(0) => {
            envelope.api_code = Some(0);
            read_data(envelope, read(body.remove("data").unwrap_or(Value::Null)))
        }
        Ok(code) => {
            envelope.api_code = Some(code);
            let error = describe(&format!("the API answered code {code}"), &envelope);
            envelope.verdict(of_code(code), Some(error))
        }
    }
}

fn read_data<C>(envelope: Envelope, read: Result<C, NotContent>) -> Reading<C> {
    match read {
        Ok(content) => envelope.verdict(Verdict::Content(Box::new(content)), None),
        Err(NotContent::Empty(path)) => {
            let error = describe(&format!("a success without data: no {path}"), &envelope);
            envelope.verdict(Verdict::NoData, Some(error))
        }
        Err(NotContent::Unusable(reason, error)) => envelope.rejected(reason, error),
    }
}

/// Reads what may have come with a status that is not a success.
fn read_error<C>(http_status: u16, body: Value) -> Reading<C> {
    let mut envelope = Envelope::default();
    if let Value::Object(mut body) = body {
        envelope = Envelope::take(&mut body);
        envelope.api_code = body.get("code").and_then(Value::as_i64);
    }
    let error = describe(&format!("the API answered HTTP {http_status}"), &envelope);
    let verdict = match envelope.api_code.map(of_code) {
        Some(refused @ Verdict::Refused(_)) => refused,
        _ => of_status(http_status),
    };
    envelope.verdict(verdict, Some(error))
}

fn describe(what: &str, envelope: &Envelope) -> String {
    envelope
        .message
        .as_ref()
        .map_or_else(|| what.to_owned(), |message| format!("{what}: {message}"))
}

/// What a status other than success asks for.
fn of_status<C>(http_status: u16) -> Verdict<C> {
    match http_status {
        300..400 => Verdict::Failed(Reason::Redirect),
        // A proxy's patience, not the API's verdict.
        408 => retry(Reason::Timeout),
        500.. => retry(Reason::ServerError),
        _ => of_known(i64::from(http_status)).unwrap_or(Verdict::Failed(Reason::BadRequest)),
    }
}

/// What a body's code other than 0 asks for.
fn of_code<C>(code: i64) -> Verdict<C> {
    match code {
        500 => retry(Reason::ServerError),
        _ => of_known(code).unwrap_or(Verdict::Failed(Reason::ApiCode)),
    }
}

/// What means the same as a status and as a code.
fn of_known<C>(code: i64) -> Option<Verdict<C>> {
    Some(match code {
        400 => Verdict::Failed(Reason::BadRequest),
        401 => Verdict::Refused(Reason::Unauthorized),
        402 => Verdict::Refused(Reason::OutOfCredits),
        403 => Verdict::Refused(Reason::Forbidden),
        404 => Verdict::Failed(Reason::NotFound),
        429 => retry(Reason::RateLimited),
        _ => return None,
    })
}

fn retry<C>(reason: Reason) -> Verdict<C> {
    Verdict::Retry { reason, after: None }
}

#[cfg(test)]
mod tests;
