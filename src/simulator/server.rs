//! The simulated API as a server.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::answer::{Moment, extend};
use super::chart::LISTED;
use super::dice::between;
use super::fault::Fault;
use super::spoil::spoiled;
use super::{PRICE, World};
use crate::model::{Ask, ClipId, Region, Window};

type Params = Query<HashMap<String, String>>;

/// What a request gets that is refused: its status and why.
pub(super) type Refusal = (StatusCode, String);

const LONGEST_PAGE: usize = 20;

/// Serves `world` until `shutdown` is over. Requests that are under way are answered.
pub async fn serve(
    listener: TcpListener,
    world: World,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router(world))
        .with_graceful_shutdown(shutdown)
        .await
}

/// The paths of the API, for whoever puts something before them.
pub fn router(world: World) -> Router {
    Router::new()
        .route("/v1/tiktok/trending/music/detail", get(detail))
        .route("/v1/tiktok/trending/music", get(list))
        .fallback(nothing_here)
        .with_state(Arc::new(world))
}

async fn detail(State(world): State<Arc<World>>, headers: HeaderMap, Query(params): Params) -> Response {
    let ask = ask(&params);
    let n = world.counts.count(ask.as_ref().ok().cloned());
    let fate = fate(&world, n, &headers);
    if let (Some(log), Ok(ask)) = (&world.log, &ask) {
        let (answer, credits) = fate.told();
        log.write(n, world.clock.now(), ask, &answer, credits);
    }
    let answer = |moment: &Moment<'_>| ask.map(|ask| moment.detail(&ask));
    answered(&world, n, fate, answer).await
}

async fn list(State(world): State<Arc<World>>, headers: HeaderMap, Query(params): Params) -> Response {
    let n = world.counts.count(None);
    let fate = fate(&world, n, &headers);
    let answer = |moment: &Moment<'_>| page(&world, moment, &params);
    answered(&world, n, fate, answer).await
}

async fn nothing_here(State(world): State<Arc<World>>) -> Response {
    let n = world.counts.count(None);
    refused(
        &world.moment(n),
        &(StatusCode::NOT_FOUND, "no such endpoint".to_owned()),
    )
}

/// What becomes of a request, as far as it does not depend on what was asked.
enum Fate {
    Answered(Option<Fault>),
    WrongKey,
    NoCredits,
}

impl Fate {
    /// In a word, and what it costs.
    fn told(&self) -> (String, i64) {
        match self {
            Self::Answered(None) => ("good".to_owned(), PRICE),
            Self::Answered(Some(fault)) => (fault.to_string(), if fault.is_free() { 0 } else { PRICE }),
            Self::WrongKey => ("wrong_key".to_owned(), 0),
            Self::NoCredits => ("no_credits".to_owned(), 0),
        }
    }
}

/// Checks the key, chooses the fault and takes the price.
fn fate(world: &World, n: u64, headers: &HeaderMap) -> Fate {
    if !has_key(world, headers) {
        return Fate::WrongKey;
    }
    let fault = world.faults.of(world.fault_seed, n);
    if fault.is_some_and(Fault::is_free) || world.pay() {
        Fate::Answered(fault)
    } else {
        Fate::NoCredits
    }
}

/// Waits as long as the API would, and answers; or spoils the answer.
async fn answered(
    world: &World,
    n: u64,
    fate: Fate,
    answer: impl FnOnce(&Moment<'_>) -> Result<Value, Refusal>,
) -> Response {
    if let Some((from, to)) = world.latency {
        let seconds = between(from.as_secs_f64(), to.as_secs_f64(), &[world.seed, n, 70]);
        world.clock.sleep(Duration::from_secs_f64(seconds)).await;
    }
    let moment = world.moment(n);
    let fault = match fate {
        Fate::WrongKey => {
            return refused(&moment, &(StatusCode::UNAUTHORIZED, "invalid API key".to_owned()));
        }
        Fate::NoCredits => {
            return refused(
                &moment,
                &(StatusCode::PAYMENT_REQUIRED, "insufficient balance".to_owned()),
            );
        }
        Fate::Answered(fault) => fault,
    };
    match (answer(&moment), fault) {
        (Err(refusal), _) => refused(&moment, &refusal),
        (Ok(answer), None) => Json(answer).into_response(),
        (Ok(answer), Some(fault)) => spoiled(&moment, answer, fault).await,
    }
}

fn has_key(world: &World, headers: &HeaderMap) -> bool {
    let sent = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    sent.and_then(|value| value.strip_prefix("Bearer ")) == Some(world.key.expose_secret())
}

/// An error as the API would word it.
pub(super) fn refused(moment: &Moment<'_>, (status, message): &Refusal) -> Response {
    let body = moment.envelope(status.as_u16(), message, &Value::Null);
    (*status, Json(body)).into_response()
}

fn bad(message: &str) -> Refusal {
    (StatusCode::BAD_REQUEST, message.to_owned())
}

fn ask(params: &HashMap<String, String>) -> Result<Ask, Refusal> {
    let clip_id = params.get("clip_id").ok_or_else(|| bad("clip_id is required"))?;
    Ok(Ask {
        clip_id: clip_id.parse::<ClipId>().map_err(|_| bad("clip_id is invalid"))?,
        region: region(params)?,
        window: period(params)?,
    })
}

fn region(params: &HashMap<String, String>) -> Result<Region, Refusal> {
    let region = params.get("region").map(|text| text.parse());
    region
        .unwrap_or(Ok(Region::US))
        .map_err(|_| bad("region is invalid"))
}

fn period(params: &HashMap<String, String>) -> Result<Window, Refusal> {
    match params.get("period") {
        None => Ok(Window::Days7),
        Some(text) => text
            .parse()
            .ok()
            .and_then(Window::of_days)
            .ok_or_else(|| bad("period must be 7, 30 or 120")),
    }
}

/// A page of the list; pages count from 1.
fn page(world: &World, moment: &Moment<'_>, params: &HashMap<String, String>) -> Result<Value, Refusal> {
    let number = |key, default| params.get(key).map_or(Ok(default), |text| text.parse::<usize>());
    let page = number("page", 1).ok().filter(|page| (1..=LISTED).contains(page));
    let page = page.ok_or_else(|| bad("page is invalid"))?;
    let limit = number("limit", LONGEST_PAGE).ok().filter(|limit| *limit > 0);
    let limit = limit.ok_or_else(|| bad("limit is invalid"))?.min(LONGEST_PAGE);
    let (region, window) = (region(params)?, period(params)?);
    let (only_new, commercial) = (
        truth(params, "new_to_top_100")?,
        truth(params, "commercial_music")?,
    );
    let mut chart = world.chart(region);
    chart.retain(|placed| !only_new || placed.before.is_none());
    chart.retain(|placed| !commercial || moment.is_commercial(&placed.clip_id));
    let total = chart.len();
    let listed = chart.into_iter().skip((page - 1) * limit).take(limit);
    let list: Vec<Value> = listed
        .map(|placed| {
            let ranks = placed.ranks();
            let ask = Ask {
                clip_id: placed.clip_id,
                region,
                window,
            };
            let mut sound = moment.listed(&ask);
            extend(&mut sound, ranks);
            sound
        })
        .collect();
    let has_more = page * limit < total;
    let pagination = json!({"page": page, "size": list.len(), "total": total, "has_more": has_more});
    let data = json!({"pagination": pagination, "sound_list": list});
    Ok(moment.envelope(0, "success", &data))
}

fn truth(params: &HashMap<String, String>, key: &str) -> Result<bool, Refusal> {
    let text = params.get(key).map_or("false", String::as_str);
    text.parse()
        .map_err(|_| bad(&format!("{key} must be true or false")))
}
