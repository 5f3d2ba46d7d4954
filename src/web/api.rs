//! `/api/v1`: what the page shows, for programs: JSON, or CSV where that is accepted. Rows of one sound have
//! the columns of the views in `docs/sql.md`, written as exports write them.

use std::io;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::overview::{Asked, INDEX_DAYS};
use super::{Fault, Site, openapi};
use crate::clock::{DAY, day_of, rfc3339};
use crate::export::view::View;
use crate::export::{Cell, Format, Kind, Writer, writer};
use crate::history::summary;
use crate::model::SeriesKey;
use crate::store::StoreError;
use crate::store::export::Selection;
use crate::store::report::Series;
use crate::trend::IndexDay;

/// What there is of one sound: the last part of the path, the view, and what it is.
pub(super) const LISTS: [(&str, &str, &str); 7] = [
    ("index", "sound_index", "The index, a row for each day"),
    (
        "countries",
        "country_history",
        "Scores of countries in each snapshot",
    ),
    (
        "interests",
        "interest_history",
        "Scores of interests in each snapshot",
    ),
    ("ages", "age_history", "Scores of ages in each snapshot"),
    ("fetches", "fetch_log", "Slots with their outcomes"),
    ("gaps", "gaps", "Runs of days that are missing"),
    ("charts", "chart_history", "Ranks on charts that were read"),
];

/// The rows of `/sounds`.
pub(super) static SOUNDS: View = View {
    name: "sounds",
    columns: &[
        ("clip_id", Kind::Text),
        ("region", Kind::Text),
        ("title", Kind::Text),
        ("author", Kind::Text),
        ("state", Kind::Text),
        ("newest_day", Kind::Day),
        ("index_day", Kind::Day),
        ("value", Kind::Real),
        ("low", Kind::Real),
        ("high", Kind::Real),
        ("provisional", Kind::Boolean),
        ("times_of_7_days", Kind::Real),
        ("times_of_28_days", Kind::Real),
        ("peak_day", Kind::Day),
    ],
    days: None,
    order: &["clip_id", "region"],
};

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/openapi.json", get(async || Json(openapi::document())))
        .route("/status", get(status))
        .route("/sounds", get(sounds))
        .route("/sounds/{clip_id}/{list}", get(of_sound))
        .fallback(async || {
            Wrong(
                StatusCode::NOT_FOUND,
                "there is nothing here; see /api/v1/openapi.json".to_owned(),
            )
        })
}

/// Why there is no answer, as JSON.
struct Wrong(StatusCode, String);

impl From<Fault> for Wrong {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Store(error) => Self(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
            Fault::NotFound(why) => Self(StatusCode::NOT_FOUND, why.to_owned()),
        }
    }
}

impl From<StoreError> for Wrong {
    fn from(error: StoreError) -> Self {
        Fault::from(error).into()
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

/// Rows on their way to whoever asked.
struct Rows {
    writer: Box<dyn Writer + Send>,
    to: Shared,
    format: Format,
}

/// The memory that a writer fills and an answer is made of.
#[derive(Clone, Default)]
struct Shared(Arc<std::sync::Mutex<Vec<u8>>>);

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
    fn memory(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Rows {
    fn begin(headers: &HeaderMap, view: &'static View) -> io::Result<Self> {
        let accepts = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
        let csv = accepts.is_some_and(|accept| accept.contains("text/csv"));
        let format = if csv { Format::Csv } else { Format::Jsonl };
        let to = Shared::default();
        Ok(Self {
            writer: writer(format, view, to.clone())?,
            to,
            format,
        })
    }

    /// The answer; `of_all` is how many rows there are on all pages.
    fn answer(self, of_all: Option<i64>) -> io::Result<Response> {
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

async fn sounds(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Wrong> {
    let found = site.store.overview(&asked.wanted()).await?;
    let keys: Vec<SeriesKey> = found.series.iter().map(|series| series.key.clone()).collect();
    let index = site.store.newest_index_of(&keys, INDEX_DAYS).await?;
    let mut rows = Rows::begin(&headers, &SOUNDS)?;
    for series in &found.series {
        let days = index.get(&series.key).map_or(&[][..], Vec::as_slice);
        rows.writer.row(&sound_row(series, days))?;
    }
    Ok(rows.answer(Some(found.of_all))?)
}

fn sound_row<'a>(series: &'a Series, days: &[IndexDay]) -> [Cell<'a>; 14] {
    let text = |text: Option<&'a str>| text.map_or(Cell::Null, Cell::Text);
    let summary = summary(days);
    let newest = summary.map(|summary| summary.newest);
    let real = |value: Option<f64>| value.map_or(Cell::Null, Cell::Real);
    let day = |day: Option<i64>| day.map_or(Cell::Null, Cell::Day);
    [
        Cell::Text(&series.key.clip_id),
        Cell::Text(&series.key.region),
        text(series.title.as_deref()),
        text(series.author.as_deref()),
        Cell::Text(series.state.as_deref().unwrap_or("ended")),
        day(series.newest_day),
        day(newest.map(|newest| newest.day)),
        real(newest.map(|newest| newest.value)),
        real(newest.map(|newest| newest.low)),
        real(newest.map(|newest| newest.high)),
        newest.map_or(Cell::Null, |newest| Cell::Boolean(newest.provisional)),
        real(summary.and_then(|summary| Some(summary.week?.times))),
        real(summary.and_then(|summary| Some(summary.four_weeks?.times))),
        day(summary.map(|summary| summary.peak.day)),
    ]
}

/// Which rows of a sound are wanted.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Chosen {
    region: String,
    since: String,
    until: String,
}

impl Chosen {
    fn selection(&self, view: &'static View, clip: &str) -> Result<Selection, Wrong> {
        let day = |name: &str, text: &str| match day_of(text) {
            _ if text.is_empty() => Ok(None),
            Some(day) => Ok(Some(day)),
            None => Err(Wrong(
                StatusCode::BAD_REQUEST,
                format!("{name}: write a day as 2026-02-01"),
            )),
        };
        let region = Some(self.region.to_ascii_uppercase());
        Ok(Selection {
            view,
            clips: vec![clip.to_owned()],
            regions: region.into_iter().filter(|region| !region.is_empty()).collect(),
            since: day("since", &self.since)?,
            until: day("until", &self.until)?,
        })
    }
}

async fn of_sound(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    Path((clip, list)): Path<(String, String)>,
    Query(chosen): Query<Chosen>,
) -> Result<Response, Wrong> {
    let named = LISTS.iter().find(|(name, ..)| *name == list);
    let Some(view) = named.and_then(|(_, view, _)| View::named(view)) else {
        return Err(Fault::NotFound("there is no such list of a sound; see /api/v1/openapi.json").into());
    };
    let selection = chosen.selection(view, &clip)?;
    if site.store.targets_of(&clip).await?.is_empty() {
        return Err(Fault::NotFound("this sound is not known here, and never was watched").into());
    }
    let mut rows = Rows::begin(&headers, view)?;
    let each = |cells: &[Cell<'_>]| rows.writer.row(cells).map_err(Wrong::from);
    site.store.export(&selection, each).await?;
    Ok(rows.answer(None)?)
}

async fn status(State(site): State<Arc<Site>>) -> Result<Json<Value>, Wrong> {
    let (store, now) = (&site.store, site.clock.now());
    let (forecast, _) = site.forecast(now).await?;
    let reasons = site.vitals.reasons(now);
    let (states, budget) = (site.target_states().await?, site.vitals.budget());
    let pauses = store.pauses().await?.into_iter().map(|(key, pause)| {
        json!({ "fingerprint": key, "reason": pause.reason, "since": rfc3339(pause.since), "until": rfc3339(pause.until) })
    });
    let workers = store.workers(now).await?.into_iter().map(|worker| {
        json!({ "host": worker.host, "pid": worker.pid, "version": worker.version,
            "started_at": rfc3339(worker.started_at), "heartbeat_at": rfc3339(worker.heartbeat_at) })
    });
    let workers: Vec<Value> = workers.collect();
    Ok(Json(json!({
        "at": rfc3339(now),
        "ready": reasons.is_empty(),
        "reasons": reasons,
        "targets": states.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "last_24_hours": store.outcomes_since(now - DAY).await?,
        "budget": { "daily_credits": budget.daily_credits, "monthly_credits": budget.monthly_credits },
        "forecast": forecast,
        "alerts": store.open_alerts().await?,
        "pauses": pauses.collect::<Vec<_>>(),
        "workers": workers,
    })))
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
}
