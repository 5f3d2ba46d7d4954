//! The API as a test wants it: a closure decides what each request gets, and all are counted.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::http::Response;
use axum::routing::get;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const RECORDED: &str = include_str!("../data/music_detail_US_7d.json");

/// The day of the newest trend point of built answers: 2026-02-01.
pub const NEWEST_DAY: i64 = 1_769_904_000;

/// One request as the API saw it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub clip: String,
    pub region: String,
    pub period: i64,
    /// The how-manyth request for these three it is, from 1.
    pub nth: usize,
    /// The how-manyth request of all it is, from 1.
    pub of_all: usize,
}

/// Where a connection breaks after the request has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Breaks {
    BeforeTheHead,
    InTheBody,
}

/// A request for a page of a chart as the API saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageCall {
    pub region: String,
    pub page: usize,
    pub parameters: HashMap<String, String>,
    /// The how-manyth request for a page it is, from 1.
    pub of_all: usize,
}

/// What a request gets.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Where the connection breaks.
    pub breaks: Option<Breaks>,
    /// The reply waits for a permit.
    pub held: Option<Arc<Semaphore>>,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            breaks: None,
            held: None,
        }
    }

    /// A good answer with these trend values, the newest last.
    pub fn trend(call: &Call, values: &[f64]) -> Self {
        Self::json(&answer(&call.clip, &call.region, values))
    }

    /// A good answer with these trend points: unix seconds and values.
    pub fn points(call: &Call, points: &[(i64, f64)]) -> Self {
        let mut body = answer(&call.clip, &call.region, &[1.0]);
        let points = points
            .iter()
            .map(|(time, value)| json!({"time": time, "value": value}));
        body["data"]["sound"]["trend"] = points.collect();
        Self::json(&body)
    }

    pub fn json(body: &Value) -> Self {
        Self::new(200, body.to_string())
    }

    /// HTTP 200 with a code in the body.
    pub fn code(code: i64) -> Self {
        Self::json(&json!({"code": code, "message": "so it is", "requestId": "r-1"}))
    }

    pub fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub fn breaking(mut self, at: Breaks) -> Self {
        self.breaks = Some(at);
        self
    }

    pub fn held_by(mut self, gate: &Arc<Semaphore>) -> Self {
        self.held = Some(Arc::clone(gate));
        self
    }
}

/// A page of a chart with these sounds, the first of them at `rank`.
pub fn chart_page(clips: &[String], rank: usize, has_more: Option<bool>) -> Reply {
    let sound = |(at, clip): (usize, &String)| {
        json!({"clip_id": clip, "title": format!("Title {clip}"), "rank": rank + at, "rank_diff": 0,
            "rank_diff_type": 2, "trend": [{"time": NEWEST_DAY, "value": 1}]})
    };
    let list: Vec<Value> = clips.iter().enumerate().map(sound).collect();
    let mut data = json!({"sound_list": list});
    if let Some(has_more) = has_more {
        data["pagination"] = json!({"has_more": has_more});
    }
    Reply::json(&json!({"code": 0, "message": "success", "data": data}))
}

/// A good answer in the recorded shape, for any sound and region.
pub fn answer(clip: &str, region: &str, values: &[f64]) -> Value {
    let mut body: Value = serde_json::from_str(RECORDED).unwrap();
    body["requestId"] = json!(format!("{:016x}", fastrand::u64(..)));
    let sound = &mut body["data"]["sound"];
    sound["clip_id"] = json!(clip);
    sound["country_code"] = json!(region);
    let first = NEWEST_DAY - 86_400 * (i64::try_from(values.len()).unwrap() - 1);
    let points = (0..)
        .zip(values)
        .map(|(day, value)| json!({"time": first + 86_400 * day, "value": value}));
    sound["trend"] = points.collect();
    body
}

/// A running API.
pub struct Api {
    pub url: String,
    calls: Arc<Mutex<Vec<Call>>>,
    pages: Arc<Mutex<Vec<PageCall>>>,
    _tasks: JoinSet<()>,
}

impl Api {
    /// An API on a free port of this machine that answers as `script` says.
    pub async fn answering(script: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        Self::with_charts(script, |_| Reply::new(404, "")).await
    }

    /// The same with charts that follow a script of their own.
    pub async fn with_charts(
        script: impl Fn(&Call) -> Reply + Send + Sync + 'static,
        charts: impl Fn(&PageCall) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (heard, script) = (Arc::clone(&calls), Arc::new(script));
        let handler = move |Query(query): Query<HashMap<String, String>>| {
            let call = count(&heard, &query);
            let reply = script(&call);
            async move { respond(reply).await }
        };
        let pages = Arc::new(Mutex::new(Vec::new()));
        let (heard, charts) = (Arc::clone(&pages), Arc::new(charts));
        let of_charts = move |Query(query): Query<HashMap<String, String>>| {
            let call = count_page(&heard, query);
            let reply = charts(&call);
            async move { respond(reply).await }
        };
        let router = Router::new()
            .route("/v1/tiktok/trending/music/detail", get(handler))
            .route("/v1/tiktok/trending/music", get(of_charts));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            calls,
            pages,
            _tasks: tasks,
        }
    }

    /// All requests in the order in which they came.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// All requests for pages of charts in the order in which they came.
    pub fn pages(&self) -> Vec<PageCall> {
        self.pages.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    /// How often each sound was asked for.
    pub fn by_clip(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.calls() {
            *counts.entry(call.clip).or_default() += 1;
        }
        counts
    }
}

fn count(calls: &Mutex<Vec<Call>>, query: &HashMap<String, String>) -> Call {
    let mut calls = calls.lock().unwrap();
    let mut call = Call {
        clip: query["clip_id"].clone(),
        region: query["region"].clone(),
        period: query["period"].parse().unwrap(),
        nth: 1,
        of_all: calls.len() + 1,
    };
    let same = |c: &&Call| (&c.clip, &c.region, c.period) == (&call.clip, &call.region, call.period);
    call.nth += calls.iter().filter(same).count();
    calls.push(call.clone());
    call
}

fn count_page(pages: &Mutex<Vec<PageCall>>, parameters: HashMap<String, String>) -> PageCall {
    let mut pages = pages.lock().unwrap();
    let call = PageCall {
        region: parameters["region"].clone(),
        page: parameters["page"].parse().unwrap(),
        parameters,
        of_all: pages.len() + 1,
    };
    pages.push(call.clone());
    call
}

async fn respond(reply: Reply) -> Response<Body> {
    if let Some(gate) = &reply.held {
        gate.acquire().await.unwrap().forget();
    }
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    let mut body = reply.body;
    let Some(breaks) = reply.breaks else {
        return response.body(Body::from(body)).unwrap();
    };
    response = response.header("content-length", body.len());
    body.truncate(body.len() / 2);
    let half: Result<Bytes, io::Error> = Ok(body.into());
    let broken = async move {
        if breaks == Breaks::InTheBody {
            // The server sends what it has when it has to wait for more.
            tokio::task::yield_now().await;
        }
        Err(io::Error::from(io::ErrorKind::BrokenPipe))
    };
    let pieces = stream::iter([half]).chain(stream::once(broken));
    response.body(Body::from_stream(pieces)).unwrap()
}
