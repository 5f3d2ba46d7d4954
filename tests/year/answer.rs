//! What an answer means, read by the test itself as the API's page describes it.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::server::Asked;

/// The rows that a content must become, and what tells it from another one.
#[derive(Clone, Debug)]
pub struct Sight {
    /// SHA-256 of everything that is compared.
    pub same: [u8; 32],
    /// SHA-256 of the bytes, in hex.
    pub payload: String,
    pub facts: String,
    pub trend: String,
    pub countries: String,
    pub interests: String,
    pub ages: String,
    pub related: String,
}

/// What the collector has to make of an answer.
#[derive(Clone, Debug)]
pub enum Meaning {
    Content(Box<Sight>),
    NoData,
    Rejected(&'static str),
    /// Final for the slot.
    Failed(&'static str),
    /// Final for the slot, and the key is left alone.
    Refused(&'static str),
    /// To be asked again.
    Retry(&'static str),
}

#[derive(Clone, Debug)]
pub struct Told {
    pub status: u16,
    pub code: Option<i64>,
    pub meaning: Meaning,
    /// Whether an answer in full has come.
    pub whole: bool,
}

impl Told {
    /// The contract calls these free.
    pub fn is_free(&self) -> bool {
        let free = |code: i64| [401, 402, 403, 429].contains(&code);
        free(self.status.into()) || self.code.is_some_and(free)
    }
}

pub fn told(asked: &Asked, status: u16, whole: bool, body: &[u8]) -> Told {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let too_large = body.len() > 4 << 20;
    let code = json
        .as_ref()
        .filter(|_| whole && !too_large)
        .and_then(|json| json["code"].as_i64());
    let meaning = match (status, json) {
        (200, _) if !whole => Meaning::Retry("cut_off"),
        (200, _) if too_large => Meaning::Rejected("too_large"),
        (200, None) => Meaning::Rejected("not_json"),
        (200, Some(json)) => match code {
            None => Meaning::Rejected("no_code"),
            Some(0) => data(asked, &json["data"], body),
            Some(code) => error(code).unwrap_or(Meaning::Failed("api_code")),
        },
        (302, _) => Meaning::Failed("redirect"),
        (status, _) => error(status.into()).unwrap(),
    };
    Told {
        status,
        code,
        meaning,
        whole,
    }
}

fn error(code: i64) -> Option<Meaning> {
    Some(match code {
        400 => Meaning::Failed("bad_request"),
        401 => Meaning::Refused("unauthorized"),
        402 => Meaning::Refused("out_of_credits"),
        403 => Meaning::Refused("forbidden"),
        404 => Meaning::Failed("not_found"),
        429 => Meaning::Retry("rate_limited"),
        500..600 => Meaning::Retry("server_error"),
        _ => return None,
    })
}

fn data(asked: &Asked, data: &Value, body: &[u8]) -> Meaning {
    let sound = &data["sound"];
    let Some(trend) = sound["trend"].as_array().filter(|trend| !trend.is_empty()) else {
        return Meaning::NoData;
    };
    if sound["clip_id"] != asked.0.as_str() {
        return Meaning::Rejected("wrong_clip");
    }
    if sound["country_code"] != asked.1.as_str() {
        return Meaning::Rejected("wrong_region");
    }
    if trend.iter().any(|point| !point["value"].is_number()) {
        return Meaning::Rejected("wrong_shape");
    }
    Meaning::Content(Box::new(sight(data, body)))
}

fn sight(data: &Value, body: &[u8]) -> Sight {
    let sound = &data["sound"];
    let mut compared = data.clone();
    unsigned(&mut compared);
    let times: Vec<i64> = sound["trend"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["time"].as_i64().unwrap())
        .collect();
    let step = times.windows(2).map(|pair| pair[1] - pair[0]).min();
    let facts = [
        &sound["country_code"],
        &sound["rank"],
        &sound["rank_diff"],
        &sound["on_list_times"],
        &sound["promoted"],
        &sound["if_cml"],
        &sound["is_search"],
        &sound["cml_mid"],
        &data["like_count"],
        &data["liked"],
        &data["disliked"],
        &sound["longevity"]["popular_days"],
        &sound["longevity"]["current_popularity"],
    ];
    let mut facts: Vec<String> = facts.into_iter().map(shown).collect();
    facts.push(step.map_or("-".to_owned(), |step| step.to_string()));
    let list = |key: &str, line: &dyn Fn(usize, &Value) -> String| {
        let entries = sound[key].as_array().map_or(&[][..], Vec::as_slice);
        entries
            .iter()
            .enumerate()
            .map(|(i, entry)| line(i + 1, entry))
            .collect::<Vec<_>>()
            .join(",")
    };
    Sight {
        same: Sha256::digest(compared.to_string()).into(),
        payload: hex::encode(Sha256::digest(body)),
        facts: facts.join(" "),
        trend: list("trend", &|_, p| format!("{} {}", p["time"], number(&p["value"]))),
        countries: list("audience_countries", &|i, e| {
            format!("{i} {} {}", shown(&e["country_info"]["id"]), number(&e["score"]))
        }),
        interests: list("audience_interests", &|i, e| {
            format!("{i} {} {}", shown(&e["interest_info"]["id"]), number(&e["score"]))
        }),
        ages: list("audience_ages", &|_, e| {
            format!("{} {}", e["age_level"], number(&e["score"]))
        }),
        related: list("related_items", &|i, e| {
            format!("{i} {} {}", e["item_id"], shown(&e["cover_uri"]))
        }),
    }
}

/// Links are signed anew each time: their queries say nothing.
fn unsigned(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("http") => {
            let end = text.find('?').unwrap_or(text.len());
            text.truncate(end);
        }
        Value::Array(values) => values.iter_mut().for_each(unsigned),
        Value::Object(fields) => fields.values_mut().for_each(unsigned),
        _ => {}
    }
}

fn number(value: &Value) -> String {
    value.as_f64().unwrap().to_string()
}

/// A value as a column shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
