//! The answer parser.

use serde_json::Value;
use soundwatch::api::{Verdict, wire};
use soundwatch::collect::content_hash;
use soundwatch::model::{Ask, Content, Region, Window};

/// Any body is read without a panic and always in the same way; what is accepted is in order, and
/// is the same content when its JSON is written anew.
pub(crate) fn answer(body: &[u8]) {
    let ask = Ask {
        clip_id: "6703723351497508865".parse().expect("it is a clip ID"),
        region: Region::US,
        window: Window::Days7,
    };
    for status in [200, 204, 302, 404, 429, 500] {
        let reading = wire::read(&ask, status, body);
        assert_eq!(
            reading,
            wire::read(&ask, status, body),
            "the same bytes read differently"
        );
        let told = reading.message.iter().chain(&reading.request_id);
        told.for_each(|text| assert!(text.chars().count() <= 1_001, "a text without end"));
        if let Verdict::Content(content) = reading.verdict {
            assert_eq!(status, 200);
            in_order(&content);
            same_when_written_anew(&ask, body, &content);
        }
    }
}

fn in_order(content: &Content) {
    assert!(!content.trend.is_empty());
    assert!(content.trend.windows(2).all(|pair| pair[0].time < pair[1].time));
    assert!(content.trend.iter().all(|point| point.value.is_finite()));
    assert!(content.ages.windows(2).all(|pair| pair[0].level < pair[1].level));
    let scores = content.countries.iter().map(|c| c.score);
    let scores = scores.chain(content.interests.iter().map(|i| i.score));
    let mut scores = scores.chain(content.ages.iter().map(|a| a.score));
    assert!(scores.all(|score| score.is_none_or(f64::is_finite)));
    let stored = serde_json::to_string(content).expect("content is JSON");
    // A backslash before `u0000` is a text of its own.
    let escapes = stored.replace("\\\\", "");
    assert!(!escapes.contains("\\u0000"), "a NUL, which Postgres refuses");
}

fn same_when_written_anew(ask: &Ask, body: &[u8], content: &Content) {
    // What had to be mended is no JSON as it stands.
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    let Verdict::Content(again) = wire::read(ask, 200, value.to_string().as_bytes()).verdict else {
        panic!("content, and written anew it is none");
    };
    assert_eq!(content_hash(content), content_hash(&again));
}
