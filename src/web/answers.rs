//! The answers of `/api/v1`: rows as JSON or CSV, whichever is accepted, and what is wrong as JSON.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::export::view::View;
use crate::export::{Format, Writer, writer};
use crate::store::StoreError;

/// What is wrong is told in few words.
const WORDS: usize = 64 * 1024;

/// Why there is no answer, as JSON.
#[derive(Debug)]
pub(super) struct Wrong(pub(super) StatusCode, pub(super) String);

impl Wrong {
    pub(super) fn not_found(why: &str) -> Self {
        Self(StatusCode::NOT_FOUND, why.to_owned())
    }
}

impl From<StoreError> for Wrong {
    fn from(error: StoreError) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

/// Rows are written to memory, which takes everything.
impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// Tells what is wrong as JSON, whoever found it: the guard, the time limit or the routes.
pub(super) async fn wrong_as_json(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_api = path == "/api/v1" || path.starts_with("/api/v1/");
    let response = next.run(request).await;
    let (status, kind) = (response.status(), response.headers().get(CONTENT_TYPE));
    let is_wrong = status.is_client_error() || status.is_server_error();
    if !(is_api && is_wrong) || kind.is_some_and(|kind| kind == "application/json") {
        return response;
    }
    let is_text = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let (mut parts, body) = response.into_parts();
    let text = to_bytes(body, WORDS).await.unwrap_or_default();
    let why = match String::from_utf8_lossy(&text).trim() {
        why if is_text && !why.is_empty() => why.to_owned(),
        _ => status.canonical_reason().unwrap_or_default().to_owned(),
    };
    parts.headers.remove(CONTENT_LENGTH);
    let json = HeaderValue::from_static("application/json");
    parts.headers.insert(CONTENT_TYPE, json);
    Response::from_parts(parts, Body::from(json!({ "error": why }).to_string()))
}

/// Rows on their way to whoever asked.
pub(super) struct Rows {
    pub(super) writer: Box<dyn Writer + Send>,
    to: Shared,
    format: Format,
}

/// The memory that a writer fills and an answer is made of.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.memory().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    /// Begins an answer in the format that is accepted.
    pub(super) fn begin(headers: &HeaderMap, view: &'static View) -> Result<Self, Wrong> {
        let format =
            format(&accepted(headers)).ok_or_else(|| not_acceptable("application/json and text/csv"))?;
        let to = Shared::default();
        Ok(Self {
            writer: writer(format, view, to.clone())?,
            to,
            format,
        })
    }

    /// The answer; `of_all` is how many rows there are on all pages.
    pub(super) fn answer(self, of_all: Option<i64>) -> io::Result<Response> {
        self.writer.finish()?;
        let rows = std::mem::take(&mut *self.to.memory());
        let (kind, body) = match self.format {
            Format::Csv => ("text/csv; charset=utf-8", rows),
            _ => ("application/json", as_document(&rows, of_all)),
        };
        Ok(([(CONTENT_TYPE, kind), (VARY, "accept")], body).into_response())
    }
}

/// JSON Lines as one document. A line holds no line break of its own: JSON writes these as `\n`.
fn as_document(lines: &[u8], of_all: Option<i64>) -> Vec<u8> {
    let mut document = b"{".to_vec();
    if let Some(of_all) = of_all {
        document.extend_from_slice(format!("\"of_all\":{of_all},").as_bytes());
    }
    document.extend_from_slice(b"\"rows\":[");
    let lines = lines.strip_suffix(b"\n").unwrap_or(lines);
    document.extend(lines.iter().map(|byte| if *byte == b'\n' { b',' } else { *byte }));
    document.extend_from_slice(b"]}\n");
    document
}

/// For what there is as JSON only.
///
/// # Errors
/// When JSON is not accepted.
pub(super) fn takes_json(headers: &HeaderMap) -> Result<(), Wrong> {
    match wish(&accepted(headers), "application/json") {
        Some(_) => Ok(()),
        None => Err(not_acceptable("application/json")),
    }
}

fn not_acceptable(kinds: &str) -> Wrong {
    Wrong(
        StatusCode::NOT_ACCEPTABLE,
        format!("Accept: there is {kinds} here"),
    )
}

/// All that is accepted; everything where nothing is said.
fn accepted(headers: &HeaderMap) -> String {
    let lines = headers.get_all(ACCEPT).iter();
    let lines: Vec<_> = lines.filter_map(|line| line.to_str().ok()).collect();
    match lines.join(",") {
        none if none.trim().is_empty() => "*/*".to_owned(),
        accepted => accepted,
    }
}

/// JSON, unless CSV is wanted more.
fn format(accepted: &str) -> Option<Format> {
    let (json, csv) = (wish(accepted, "application/json"), wish(accepted, "text/csv"));
    match (json, csv) {
        (None, None) => None,
        (json, csv) if csv > json => Some(Format::Csv),
        _ => Some(Format::Jsonl),
    }
}

/// How much a kind of content is wanted, and how exactly it is named: what names it most exactly counts.
fn wish(accepted: &str, kind: &str) -> Option<(f32, u8)> {
    let (family, _) = kind.split_once('/')?;
    let mut best: Option<(u8, f32)> = None;
    for part in accepted.split(',') {
        let mut parts = part.split(';').map(str::trim);
        let range = parts.next()?.to_ascii_lowercase();
        let exactness = match range.split_once('/') {
            _ if range == kind => 3,
            Some((named, "*")) if named == family => 2,
            Some(("*", "*")) => 1,
            _ => continue,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q="));
        let quality = quality.map_or(Some(1.0), |quality| quality.parse().ok());
        if let Some(quality) = quality
            && best.is_none_or(|(named, _)| exactness > named)
        {
            best = Some((exactness, quality));
        }
    }
    best.filter(|(_, quality)| *quality > 0.0)
        .map(|(exactness, quality)| (quality, exactness))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_one_document() {
        let text = |lines: &[u8], of_all| String::from_utf8(as_document(lines, of_all)).unwrap();
        assert_eq!(text(b"", None), "{\"rows\":[]}\n");
        assert_eq!(
            text(b"{\"a\":1}\n{\"a\":2}\n", Some(9)),
            "{\"of_all\":9,\"rows\":[{\"a\":1},{\"a\":2}]}\n"
        );
    }

    #[test]
    fn what_is_accepted_most_is_given_and_json_where_nobody_minds() {
        for accept in [
            "*/*",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "application/*",
            "application/json;q=0.9, text/csv;q=0.8",
            "text/csv;q=0, */*",
            "text/csv, application/json",
            "text/*;q=0.1, */*",
        ] {
            assert_eq!(format(accept), Some(Format::Jsonl), "{accept}");
        }
        for accept in [
            "text/csv",
            "Text/CSV; charset=utf-8",
            "text/*",
            "text/csv, */*",
            "text/csv, */*;q=0.1",
            "application/json;q=0, */*",
        ] {
            assert_eq!(format(accept), Some(Format::Csv), "{accept}");
        }
        for accept in ["application/xml", "text/csv;q=0", "nonsense", "text/csv;q=much"] {
            assert_eq!(format(accept), None, "{accept}");
        }
    }
}
