use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::model::{AgeScore, Content, RelatedItem, TrendPoint, Window};

const RECORDED: &str = include_str!("../../../tests/data/music_detail_US_7d.json");

fn ask() -> Ask {
    Ask {
        clip_id: "6703723351497508865".parse().unwrap(),
        region: "US".parse().unwrap(),
        window: Window::Days7,
    }
}

/// The recorded answer with `value` at a JSON pointer, which need not exist.
fn with(pointer: &str, value: Value) -> Value {
    let mut answer: Value = serde_json::from_str(RECORDED).unwrap();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match answer.pointer_mut(parent).unwrap() {
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        parent => parent[key] = value,
    }
    answer
}

fn without(parent: &str, key: &str) -> Value {
    let mut answer: Value = serde_json::from_str(RECORDED).unwrap();
    let parent = answer.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    parent.remove(key).unwrap();
    answer
}

fn read_ok(answer: &Value) -> Reading {
    read(&ask(), 200, answer.to_string().as_bytes())
}

fn content(reading: Reading) -> Content {
    match reading.verdict {
        Verdict::Content(content) => *content,
        other => panic!("no content: {other:?}, {:?}", reading.error),
    }
}

fn rejection(reading: &Reading) -> (Reason, &str) {
    match reading.verdict {
        Verdict::Rejected(reason) => (reason, reading.error.as_deref().unwrap()),
        ref other => panic!("not rejected: {other:?}"),
    }
}

#[test]
fn the_recorded_answer_is_read_whole() {
    let reading = read(&ask(), 200, RECORDED.as_bytes());
    assert_eq!(reading.api_code, Some(0));
    assert_eq!(reading.message.as_deref(), Some("success"));
    assert_eq!(
        reading.request_id.as_deref(),
        Some("10ddeaa7-1b62-43c1-918c-f0e164fdb631")
    );
    insta::assert_snapshot!(serde_json::to_string_pretty(&content(reading)).unwrap());
}

#[rstest]
#[case(json!({"code": 0, "msg": "deprecated"}))]
#[case(json!({"code": 0, "data": null}))]
#[case(json!({"code": 0, "data": []}))]
#[case(json!({"code": 0, "data": ""}))]
#[case(json!({"code": 0, "data": {}}))]
#[case(json!({"code": 0, "data": {"liked": null}}))]
#[case(json!({"code": 0, "data": {"sound": null}}))]
#[case(json!({"code": 0, "data": {"sound": {}}}))]
#[case(json!({"code": 0, "data": {"sound": []}}))]
#[case(without("/data/sound", "trend"))]
#[case(with("/data/sound/trend", Value::Null))]
#[case(with("/data/sound/trend", json!([])))]
fn a_success_without_data_is_no_data(#[case] answer: Value) {
    let reading = read_ok(&answer);
    assert_eq!(reading.verdict, Verdict::NoData);
    assert!(
        reading
            .error
            .is_some_and(|e| e.starts_with("a success without data: no data"))
    );
}

#[test]
fn no_data_tells_what_the_api_said() {
    let reading = read_ok(&json!({"code": 0, "msg": "deprecated"}));
    assert_eq!(reading.message.as_deref(), Some("deprecated"));
    assert_eq!(
        reading.error.as_deref(),
        Some("a success without data: no data: deprecated")
    );
}

#[rstest]
#[case(400, Verdict::Failed(Reason::BadRequest))]
#[case(401, Verdict::Refused(Reason::Unauthorized))]
#[case(402, Verdict::Refused(Reason::OutOfCredits))]
#[case(403, Verdict::Refused(Reason::Forbidden))]
#[case(404, Verdict::Failed(Reason::NotFound))]
#[case(429, retry(Reason::RateLimited))]
#[case(500, retry(Reason::ServerError))]
fn a_status_and_the_same_code_in_the_body_mean_the_same(#[case] code: u16, #[case] verdict: Verdict) {
    let body = json!({"code": code, "message": "why"}).to_string();
    for (status, body) in [
        (200, body.as_str()),
        (code, body.as_str()),
        (code, "<html>"),
        (code, ""),
        (code, "{\"detail\":1}"),
    ] {
        assert_eq!(
            read(&ask(), status, body.as_bytes()).verdict,
            verdict,
            "{status} {body}"
        );
    }
    let reading = read(&ask(), 200, body.as_bytes());
    assert_eq!(reading.api_code, Some(i64::from(code)));
    assert_eq!(reading.error, Some(format!("the API answered code {code}: why")));
}

#[rstest]
#[case(301, Verdict::Failed(Reason::Redirect))]
#[case(304, Verdict::Failed(Reason::Redirect))]
#[case(405, Verdict::Failed(Reason::BadRequest))]
#[case(408, retry(Reason::Timeout))]
#[case(502, retry(Reason::ServerError))]
#[case(599, retry(Reason::ServerError))]
#[case(204, Verdict::NoData)]
fn other_statuses_decide_whatever_the_body_is(#[case] status: u16, #[case] verdict: Verdict) {
    for body in ["", "<html>", RECORDED] {
        assert_eq!(read(&ask(), status, body.as_bytes()).verdict, verdict);
    }
}

#[test]
fn a_refused_key_counts_under_every_status() {
    let reading = read(&ask(), 500, br#"{"code":402,"message":"no credits"}"#);
    assert_eq!(reading.verdict, Verdict::Refused(Reason::OutOfCredits));
}

#[rstest]
#[case(1)]
#[case(-1)]
#[case(200)]
#[case(502)]
#[case(100_404)]
fn any_other_code_is_a_failure_of_its_own(#[case] code: i64) {
    let reading = read_ok(&json!({"code": code, "data": {}}));
    assert_eq!(reading.verdict, Verdict::Failed(Reason::ApiCode));
    assert_eq!(reading.api_code, Some(code));
}

#[rstest]
#[case(b"", Reason::NotJson, "the body is empty")]
#[case(
    b"<html>\xff",
    Reason::NotJson,
    "the body is not JSON: expected value at line 1 column 1; it begins"
)]
#[case(b"{\"code\":0,\"message\":\"\xff\"}", Reason::NotJson, "the body is not JSON")]
#[case(b"{\"code\":0", Reason::NotJson, "the body is not JSON: EOF")]
#[case(b"{\"code\":0} {}", Reason::NotJson, "the body is not JSON: trailing")]
#[case(b"{\"code\":NaN}", Reason::NotJson, "the body is not JSON")]
#[case(b"[]", Reason::WrongShape, "the body: expected an object, got an array")]
#[case(b"null", Reason::WrongShape, "the body: expected an object, got null")]
#[case(b"{}", Reason::NoCode, "code: missing")]
#[case(b"{\"code\":null,\"data\":null}", Reason::NoCode, "code: missing")]
#[case(
    b"{\"code\":\"0\"}",
    Reason::WrongShape,
    "code: expected a whole number, got a string"
)]
#[case(
    b"{\"code\":99999999999999999999}",
    Reason::WrongShape,
    "code: expected a whole number"
)]
#[case(
    b"{\"code\":0,\"data\":7}",
    Reason::WrongShape,
    "data: expected an object, got the number 7"
)]
#[case(
    b"{\"code\":0,\"data\":[{}]}",
    Reason::WrongShape,
    "data: expected an object, got an array"
)]
#[case(
    b"{\"code\":0,\"data\":{\"sound\":true}}",
    Reason::WrongShape,
    "data.sound: expected an object, got true"
)]
fn an_envelope_out_of_shape_is_rejected(#[case] body: &[u8], #[case] reason: Reason, #[case] error: &str) {
    let reading = read(&ask(), 200, body);
    let (got, text) = rejection(&reading);
    assert_eq!(got, reason);
    assert!(text.starts_with(error), "{text}");
}

#[rstest]
#[case("/data/sound/clip_id", json!(6_703_723_351_497_508_865_i64), "data.sound.clip_id: expected a string, got the number 6703723351497508865")]
#[case(
    "/data/sound/clip_id",
    Value::Null,
    "data.sound.clip_id: expected a string, got null"
)]
#[case("/data/sound/trend", json!("x"), "data.sound.trend: expected an array, got a string")]
#[case(
    "/data/sound/trend/3",
    Value::Null,
    "data.sound.trend[3]: expected an object, got null"
)]
#[case("/data/sound/trend/3", json!({"time": 1}), "data.sound.trend[3].value: expected a number, but it is missing")]
#[case("/data/sound/trend/3/value", json!("0.3"), "data.sound.trend[3].value: expected a number, got a string")]
#[case(
    "/data/sound/trend/3/value",
    Value::Null,
    "data.sound.trend[3].value: expected a number, got null"
)]
#[case("/data/sound/trend/3/time", json!(1.5), "data.sound.trend[3].time: expected a whole number, got the number 1.5")]
#[case("/data/sound/trend/3/time", json!(1_769_731_200_000_i64), "data.sound.trend[3].time: expected unix seconds, got the number 1769731200000")]
#[case("/data/sound/audience_countries", json!({"LV": 1}), "data.sound.audience_countries: expected an array, got an object")]
#[case("/data/sound/audience_countries/1", json!("LV"), "data.sound.audience_countries[1]: expected an object, got a string")]
#[case("/data/sound/audience_countries/1/score", json!("7"), "data.sound.audience_countries[1].score: expected a number, got a string")]
#[case("/data/sound/audience_countries/1/country_info", json!("LV"), "data.sound.audience_countries[1].country_info: expected an object, got a string")]
#[case("/data/sound/audience_countries/1/country_info/id", json!(7), "data.sound.audience_countries[1].country_info.id: expected a string of at most 200 characters, got the number 7")]
#[case(
    "/data/sound/audience_interests/0/interest_info/id",
    Value::Null,
    "data.sound.audience_interests[0].interest_info.id: expected a string of at most 200 characters, got null"
)]
#[case("/data/sound/audience_ages", json!([{"age_level": "3", "score": 1}]), "data.sound.audience_ages[0].age_level: expected a whole number, got a string")]
#[case("/data/sound/audience_ages", json!([{"age_level": 3, "score": 1}, {"age_level": 3, "score": 2}]), "data.sound.audience_ages: 3 stands twice, with two values")]
fn what_a_snapshot_is_made_of_must_be_in_shape(
    #[case] pointer: &str,
    #[case] value: Value,
    #[case] error: &str,
) {
    let reading = read_ok(&with(pointer, value));
    assert_eq!(rejection(&reading), (Reason::WrongShape, error));
    assert_eq!(reading.api_code, Some(0));
}

#[test]
fn a_missing_clip_id_is_rejected() {
    let reading = read_ok(&without("/data/sound", "clip_id"));
    let error = "data.sound.clip_id: expected a string, but it is missing";
    assert_eq!(rejection(&reading), (Reason::WrongShape, error));
}

#[test]
fn a_trend_value_beyond_all_floats_is_rejected() {
    let body = RECORDED.replace("\"value\": 0.31", "\"value\": 1e999");
    let reading = read(&ask(), 200, body.as_bytes());
    let error = "data.sound.trend[2].value: expected a number, got the number 1e+999";
    assert_eq!(rejection(&reading), (Reason::WrongShape, error));
}

#[test]
fn an_answer_about_another_sound_or_region_is_rejected() {
    let reading = read_ok(&with("/data/sound/clip_id", json!("7000000000000000001")));
    let error = "data.sound.clip_id: asked for 6703723351497508865, got 7000000000000000001";
    assert_eq!(rejection(&reading), (Reason::WrongClip, error));

    let reading = read_ok(&with("/data/sound/country_code", json!("LV")));
    let error = "data.sound.country_code: asked for US, got LV";
    assert_eq!(rejection(&reading), (Reason::WrongRegion, error));
}

#[rstest]
#[case(json!("us"), Some("us"))]
#[case(Value::Null, None)]
fn the_region_may_be_lower_case_or_unsaid(#[case] value: Value, #[case] kept: Option<&str>) {
    let content = content(read_ok(&with("/data/sound/country_code", value)));
    assert_eq!(content.facts.country_code.as_deref(), kept);
}

#[rstest]
#[case("/data/like_count", json!("many"), "like_count")]
#[case("/data/liked", json!(0), "liked")]
#[case("/data/sound/title", json!(["New Sun"]), "sound.title")]
#[case("/data/sound/duration", json!("60"), "sound.duration")]
#[case("/data/sound/duration", json!(60.5), "sound.duration")]
#[case("/data/sound/rank", json!(9_223_372_036_854_775_808_u64), "sound.rank")]
#[case("/data/sound/if_cml", json!("false"), "sound.if_cml")]
#[case("/data/sound/country_code", json!(840), "sound.country_code")]
#[case("/data/sound/longevity", json!(3), "sound.longevity")]
#[case("/data/sound/longevity/popular_days", json!("3"), "sound.longevity.popular_days")]
#[case("/data/sound/longevity/new", json!(1), "sound.longevity.new")]
#[case("/data/sound/related_items", json!({"a": 1}), "sound.related_items")]
#[case("/data/sound/audience_countries/0/country_info/label", json!(1), "sound.audience_countries[0].country_info.label")]
#[case("/data/sound/audience_countries/0/country_info/new", json!(1), "sound.audience_countries[0].country_info.new")]
#[case("/data/sound/audience_interests/1/new", json!(1), "sound.audience_interests[1].new")]
#[case("/data/sound/trend/6/new", json!({"a": [1]}), "sound.trend[6].new")]
#[case("/data/sound/new_key", json!({"a": [1]}), "sound.new_key")]
#[case("/data/sound/new_key", Value::Null, "sound.new_key")]
#[case("/data/new_key", json!([]), "new_key")]
#[case("/data/a.b", json!(1), "[\"a.b\"]")]
#[case("/data/sound/a.b", json!(1), "sound[\"a.b\"]")]
fn what_drifts_is_kept_under_its_path_and_the_rest_is_read(
    #[case] pointer: &str,
    #[case] value: Value,
    #[case] path: &str,
) {
    let content = content(read_ok(&with(pointer, value.clone())));
    let extra: Vec<_> = content.extra.iter().collect();
    assert_eq!(extra, [(&path.to_owned(), &value)]);
    assert_eq!((content.trend.len(), content.countries.len()), (7, 10));
}

#[test]
fn a_scalar_of_the_wrong_type_is_null() {
    let content = content(read_ok(&with("/data/sound/duration", json!("60"))));
    assert_eq!(content.sound.duration_seconds, None);
}

#[test]
fn only_data_is_needed() {
    let trend = json!([{"time": 86400, "value": 1}]);
    let sound = json!({"clip_id": ask().clip_id, "trend": trend});
    let got = content(read_ok(&json!({"code": 0, "data": {"sound": sound}})));
    let points = vec![TrendPoint {
        time: 86_400,
        value: 1.0,
    }];
    let expected = Content {
        trend: points,
        ..Content::default()
    };
    assert_eq!(got, expected);
}

#[test]
fn a_trend_is_sorted_and_repeated_points_count_once() {
    let trend = r#"[{"time":172801,"value":1.5},{"time":86400,"value":-0.25},{"time":172801,"value":1.5}]"#;
    let answer = with("/data/sound/trend", serde_json::from_str(trend).unwrap());
    let points: Vec<_> = content(read_ok(&answer))
        .trend
        .iter()
        .map(|p| (p.time, p.value))
        .collect();
    assert_eq!(points, [(86_400, -0.25), (172_801, 1.5)]);
}

#[test]
fn a_time_with_two_values_is_rejected() {
    let answer = with("/data/sound/trend/0/time", json!(1_769_990_400));
    let error = "data.sound.trend: 1769990400 stands twice, with two values";
    assert_eq!(rejection(&read_ok(&answer)), (Reason::WrongShape, error));
}

#[test]
fn age_levels_are_sorted_and_repeated_ones_count_once() {
    let ages = json!([{"age_level": 4, "score": 30}, {"age_level": 3, "score": null}, {"age_level": 4, "score": 30}]);
    let content = content(read_ok(&with("/data/sound/audience_ages", ages)));
    let expected = [(3, None), (4, Some(30.0))].map(|(level, score)| AgeScore { level, score });
    assert_eq!(content.ages, expected);
}

#[test]
fn item_ids_are_exact_to_the_digit() {
    let items = r#"[{"item_id":7601234567890123457,"cover_uri":"https://x/y"},
        {"item_id":123456789012345678901234567890},{"item_id":"0042","cover_uri":5},{"item_id":1e3},{},null]"#;
    let answer = with("/data/sound/related_items", serde_json::from_str(items).unwrap());
    let content = content(read_ok(&answer));
    let item = |id: &str, cover: Option<&str>| RelatedItem {
        item_id: id.to_owned(),
        cover_url: cover.map(str::to_owned),
    };
    let expected = [
        item("7601234567890123457", Some("https://x/y")),
        item("123456789012345678901234567890", None),
        item("0042", None),
    ];
    assert_eq!(content.related, expected);
    let extra: Vec<_> = content.extra.keys().map(String::as_str).collect();
    let kept = ["[2].cover_uri", "[3]", "[4]"].map(|end| format!("sound.related_items{end}"));
    assert_eq!(extra, kept);
}

#[test]
fn whole_numbers_may_be_written_as_floats() {
    let body = RECORDED
        .replace("\"duration\": 60", "\"duration\": 60.0")
        .replace("\"rank\": null", "\"rank\": -2e1");
    let content = content(read(&ask(), 200, body.as_bytes()));
    assert_eq!(
        (content.sound.duration_seconds, content.facts.rank),
        (Some(60), Some(-20))
    );
}

#[test]
fn texts_that_no_database_takes_are_mended_everywhere() {
    let body = RECORDED
        .replace("New Sun", "New\\u0000 \\ud800Sun\\u0007")
        .replace("\"liked\"", "\"k\\u0000\": {\"\\udfff\": \"\\u0000\"}, \"liked\"");
    let content = content(read(&ask(), 200, body.as_bytes()));
    assert_eq!(
        content.sound.title.as_deref(),
        Some("New\u{fffd} \u{fffd}Sun\u{7}")
    );
    assert_eq!(
        Value::from(content.extra),
        json!({"k\u{fffd}": {"\u{fffd}": "\u{fffd}"}})
    );
}

#[test]
fn deep_nesting_is_rejected_and_does_no_harm() {
    let deep = format!("{{\"code\":0,\"data\":{}", "[".repeat(1_000_000));
    assert_eq!(rejection(&read(&ask(), 200, deep.as_bytes())).0, Reason::NotJson);
}

#[test]
fn a_body_over_the_limit_is_rejected_unread() {
    let mut body = RECORDED.as_bytes().to_vec();
    body.resize(BODY_LIMIT, b' ');
    assert!(matches!(read(&ask(), 200, &body).verdict, Verdict::Content(_)));
    body.push(b' ');
    assert_eq!(rejection(&read(&ask(), 200, &body)).0, Reason::TooLarge);
    assert_eq!(read(&ask(), 503, &body).verdict, retry(Reason::ServerError));
}

#[test]
fn messages_of_any_type_are_kept_as_text_and_not_endlessly() {
    let reading = read_ok(&json!({"code": 5, "message": {"a": 1}, "requestId": 7}));
    assert_eq!(reading.message.as_deref(), Some("{\"a\":1}"));
    assert_eq!(reading.request_id.as_deref(), Some("7"));
    let reading = read_ok(&json!({"code": 5, "message": "é".repeat(5_000)}));
    assert_eq!(reading.message.unwrap().chars().count(), LONGEST_MESSAGE + 1);
}

proptest! {
    #[test]
    fn no_bytes_can_harm_the_reader(body in proptest::collection::vec(any::<u8>(), 0..300), status in 100_u16..1000) {
        let reading = read(&ask(), status, &body);
        prop_assert!(!matches!(reading.verdict, Verdict::Content(_)));
    }

    #[test]
    fn no_damage_to_a_good_answer_can_harm_the_reader(
        damage in proptest::collection::vec((0..RECORDED.len(), any::<u8>()), 1..4),
        end in 0..RECORDED.trim_end().len(),
    ) {
        let mut body = RECORDED.as_bytes().to_vec();
        for (at, byte) in damage {
            body[at] = byte;
        }
        read(&ask(), 200, &body);
        body.truncate(end);
        prop_assert!(!matches!(read(&ask(), 200, &body).verdict, Verdict::Content(_)));
    }

    #[test]
    fn no_value_in_no_place_can_harm_the_reader(place in 0..PLACES.len(), value in 0..VALUES.len()) {
        let value: Value = serde_json::from_str(VALUES[value]).unwrap();
        let reading = read_ok(&with(PLACES[place], value));
        if let Verdict::Content(content) = reading.verdict {
            prop_assert!(content.trend.windows(2).all(|pair| pair[0].time < pair[1].time));
            prop_assert!(content.trend.iter().all(|point| point.value.is_finite()));
            prop_assert!(!content.trend.is_empty());
        }
    }
}

const PLACES: [&str; 14] = [
    "/code",
    "/message",
    "/data",
    "/data/liked",
    "/data/sound",
    "/data/sound/clip_id",
    "/data/sound/longevity",
    "/data/sound/related_items",
    "/data/sound/trend",
    "/data/sound/trend/0",
    "/data/sound/trend/0/time",
    "/data/sound/trend/0/value",
    "/data/sound/audience_countries",
    "/data/sound/audience_ages",
];
const VALUES: [&str; 16] = [
    "null",
    "true",
    "0",
    "-0",
    "0.5",
    "1e400",
    "-1e-400",
    "9223372036854775808",
    "1E18",
    "\"\"",
    "\"\\u0000\"",
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "{\"$serde_json::private::Number\": \"1\"}",
];
