//! `/api/v1`: what the page shows, for programs: JSON, or CSV where that is accepted. Rows of one sound have
//! the columns of the views in `docs/sql.md`, written as exports write them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::answers::{Rows, Wrong, takes_json};
use super::overview::{Asked, INDEX_DAYS};
use super::parameters::{self, CLIP, OF_SOUNDS, Parameter};
use super::{Site, openapi};
use crate::clock::{DAY, day_of, rfc3339};
use crate::export::view::View;
use crate::export::{Cell, Kind};
use crate::history::summary;
use crate::model::SeriesKey;
use crate::store::export::Selection;
use crate::store::report::Series;
use crate::trend::IndexDay;

/// Parameters as they were given.
type Given = Query<Vec<(String, String)>>;

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
        .route("/openapi.json", get(document))
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

async fn document(headers: HeaderMap, Query(given): Given) -> Result<Json<Value>, Wrong> {
    takes_json(&headers)?;
    check(given, &[])?;
    Ok(Json(openapi::document()))
}

fn check(given: Vec<(String, String)>, allowed: &[Parameter]) -> Result<BTreeMap<String, String>, Wrong> {
    parameters::check(given, allowed).map_err(|why| Wrong(StatusCode::BAD_REQUEST, why))
}

async fn sounds(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    Query(given): Given,
    uri: Uri,
) -> Result<Response, Wrong> {
    check(given, &OF_SOUNDS)?;
    let Query(asked) = Query::<Asked>::try_from_uri(&uri)
        .map_err(|error| Wrong(StatusCode::BAD_REQUEST, error.to_string()))?;
    let mut rows = Rows::begin(&headers, &SOUNDS)?;
    let found = site.store.overview(&asked.wanted()).await?;
    let keys: Vec<SeriesKey> = found.series.iter().map(|series| series.key.clone()).collect();
    let index = site.store.newest_index_of(&keys, INDEX_DAYS).await?;
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

async fn of_sound(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    Path((clip, list)): Path<(String, String)>,
    Query(given): Given,
) -> Result<Response, Wrong> {
    let named = LISTS.iter().find(|(name, ..)| *name == list);
    let Some(view) = named.and_then(|(_, view, _)| View::named(view)) else {
        return Err(Wrong::not_found(
            "there is no such list of a sound; see /api/v1/openapi.json",
        ));
    };
    if let Some(why) = CLIP.refusal(&clip) {
        return Err(Wrong(StatusCode::BAD_REQUEST, why));
    }
    let chosen = check(given, parameters::of_list(view))?;
    let mut rows = Rows::begin(&headers, view)?;
    if site.store.targets_of(&clip).await?.is_empty() {
        return Err(Wrong::not_found(
            "this sound is not known here, and never was watched",
        ));
    }
    let each = |cells: &[Cell<'_>]| rows.writer.row(cells).map_err(Wrong::from);
    site.store.export(&selection(view, clip, &chosen), each).await?;
    Ok(rows.answer(None)?)
}

/// The rows of a sound that are wanted, of parameters that were checked.
fn selection(view: &'static View, clip: String, chosen: &BTreeMap<String, String>) -> Selection {
    let day = |name: &str| chosen.get(name).and_then(|day| day_of(day));
    let region = chosen.get("region").map(|region| region.to_ascii_uppercase());
    Selection {
        view,
        clips: vec![clip],
        regions: region.into_iter().collect(),
        since: day("since"),
        until: day("until"),
    }
}

async fn status(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    Query(given): Given,
) -> Result<Json<Value>, Wrong> {
    takes_json(&headers)?;
    check(given, &[])?;
    let (store, now) = (&site.store, site.clock.now());
    let ((forecast, _), states) = tokio::try_join!(site.forecast(now), site.target_states())?;
    let reasons = site.vitals.reasons(now);
    let budget = site.vitals.budget();
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
        "targets": states.into_iter().collect::<BTreeMap<_, _>>(),
        "last_24_hours": store.outcomes_since(now - DAY).await?,
        "budget": { "daily_credits": budget.daily_credits, "monthly_credits": budget.monthly_credits },
        "forecast": forecast,
        "alerts": store.open_alerts().await?,
        "pauses": pauses.collect::<Vec<_>>(),
        "workers": workers,
    })))
}
