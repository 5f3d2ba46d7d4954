//! Faults that are edits of a good answer's JSON.

use serde_json::{Value, json};

use super::answer::extend;
use crate::clock::DAY;

/// What a value is replaced by that [`raw`] writes.
const MARK: &str = "a value that is written raw";

/// Far more than a parser follows.
const DEPTH: usize = 1_000;

/// NUL and half a surrogate pair are taken by no database, a bell, right-to-left
/// with its override, emoji that are joined, a letter with two combining marks.
const ODD_TITLE: &str = r#""\u0000\u0007\ud800 \u202eשלום العربية 👩‍👧 e\u0301\u0323""#;

/// The text of an answer with NaN, which no [`Value`] can hold.
pub(super) fn nan(answer: Value) -> String {
    raw(answer, "/data/sound/trend/0/value", "NaN")
}

pub(super) fn deep(answer: Value) -> String {
    let nested = "[".repeat(DEPTH) + &"]".repeat(DEPTH);
    raw(answer, "/data/like_count", &nested)
}

pub(super) fn double_keys(answer: Value) -> String {
    raw(answer, "/data/sound/title", r#""the first","title":"the last""#)
}

pub(super) fn odd_texts(answer: Value) -> String {
    raw(answer, "/data/sound/title", ODD_TITLE)
}

/// The text of an answer with `text` in the place of the value at `pointer`, JSON or not.
fn raw(mut answer: Value, pointer: &str, text: &str) -> String {
    set(&mut answer, pointer, json!(MARK));
    answer.to_string().replace(&json!(MARK).to_string(), text)
}

pub(super) fn drift(answer: &mut Value) {
    set(answer, "/data/sound/duration", json!("60"));
    set(answer, "/data/sound/longevity", json!(3));
    if let Some(sound) = answer.pointer_mut("/data/sound") {
        extend(sound, json!({"mood": {"label": "calm", "score": 71}}));
    }
}

/// Changes the trend, if there is one.
pub(super) fn trend(answer: &mut Value, edit: impl FnOnce(&mut Vec<Value>)) {
    let trend = answer.pointer_mut("/data/sound/trend");
    if let Some(trend) = trend.and_then(Value::as_array_mut) {
        edit(trend);
    }
}

/// A sound that nobody listens to gets a trend, so that there is one to spoil. `now` is in unix seconds.
pub(super) fn fill_trend(answer: &mut Value, now: i64) {
    let yesterday = (now.div_euclid(DAY) - 1) * DAY;
    let days = [
        (6, 0.2),
        (5, 0.4),
        (4, 0.6),
        (3, 0.8),
        (2, 1.0),
        (1, 0.9),
        (0, 0.7),
    ];
    trend(answer, |trend| {
        if trend.is_empty() {
            let point = |(ago, value)| json!({"time": yesterday - ago * DAY, "value": value});
            trend.extend(days.map(point));
        }
    });
}

/// The first day that is not the peak gets another value.
pub(super) fn restate(trend: &mut [Value]) {
    let values = trend.iter_mut().filter_map(|point| point.get_mut("value"));
    for value in values {
        let hundredths = value.as_f64().unwrap_or_default() * 100.0;
        if hundredths < 99.5 {
            let other = (hundredths.round() + 7.0) % 99.0;
            *value = json!(other / 100.0);
            return;
        }
    }
}

pub(super) fn huge_numbers(answer: &mut Value) {
    let item = json!({"item_id": 123_456_789_012_345_678_901_234_567_890_u128, "cover_uri": null});
    set(answer, "/data/sound/related_items", json!([item]));
    set(
        answer,
        "/data/sound/audience_countries/0/score",
        json!(1_u128 << 65),
    );
}

/// The first time once more, with a value that none has.
pub(super) fn two_values(trend: &mut Vec<Value>) {
    if let Some(mut point) = trend.first().cloned() {
        set(&mut point, "/value", json!(0.125));
        trend.push(point);
    }
}

pub(super) fn not_midnight(trend: &mut [Value]) {
    for point in trend {
        let time = time(point) + 6 * 3_600 + 17 * 60;
        set(point, "/time", json!(time));
    }
}

pub(super) fn out_of_range(trend: &mut [Value]) {
    for (point, value) in trend.iter_mut().zip([-0.25, 3.5]) {
        set(point, "/value", json!(value));
    }
}

/// The same values, a week apart; the newest stays where it is.
pub(super) fn weekly(trend: &mut [Value]) {
    let newest = trend.last().map_or(0, time);
    for (weeks, point) in (0..).zip(trend.iter_mut().rev()) {
        set(point, "/time", json!(newest - weeks * 7 * DAY));
    }
}

/// 5,000 days up to the newest; all but the newest point are made up.
pub(super) fn many_points(trend: &mut Vec<Value>) {
    let Some(newest) = trend.last().cloned() else {
        return;
    };
    let earlier = (1..5_000_i32).rev().map(|days| {
        let time = time(&newest) - i64::from(days) * DAY;
        json!({"time": time, "value": f64::from(days % 101) / 100.0})
    });
    *trend = earlier.chain([newest.clone()]).collect();
}

/// Puts a value in the place of another, if there is one.
pub(super) fn set(answer: &mut Value, pointer: &str, to: Value) {
    if let Some(value) = answer.pointer_mut(pointer) {
        *value = to;
    }
}

fn time(point: &Value) -> i64 {
    point.get("time").and_then(Value::as_i64).unwrap_or_default()
}
