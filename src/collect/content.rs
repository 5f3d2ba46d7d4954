//! What makes two contents equal, and an answer ready to be settled.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::Content;

/// SHA-256 of a content in canonical form: its values in a fixed order, without the query part of
/// URLs, which are signed anew for each answer.
pub fn content_hash(content: &Content) -> [u8; 32] {
    let sound = &content.sound;
    let names = (
        &sound.song_id,
        &sound.title,
        &sound.author,
        &sound.url_title,
        sound.duration_seconds,
    );
    let urls = [&sound.link, &sound.cover_url, &sound.music_url].map(|url| url.as_deref().map(without_query));
    let related: Vec<(&str, Option<&str>)> = content
        .related
        .iter()
        .map(|item| {
            (
                item.item_id.as_str(),
                item.cover_url.as_deref().map(without_query),
            )
        })
        .collect();
    let mut extra = content.extra.clone();
    extra.values_mut().for_each(cut_queries);
    let series = (
        &content.trend,
        &content.countries,
        &content.interests,
        &content.ages,
    );
    // Of these types only a map with keys other than texts could fail, and there is none.
    let canonical =
        serde_json::to_vec(&(names, urls, &content.facts, series, related, extra)).unwrap_or_default();
    Sha256::digest(&canonical).into()
}

fn without_query(url: &str) -> &str {
    match url.split_once('?') {
        Some((address, _)) if url.starts_with("http") => address,
        _ => url,
    }
}

pub(super) fn cut_queries(value: &mut Value) {
    match value {
        Value::String(text) => *text = without_query(text).to_owned(),
        Value::Array(items) => items.iter_mut().for_each(cut_queries),
        Value::Object(fields) => fields.values_mut().for_each(cut_queries),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TrendPoint;

    fn content() -> Content {
        let mut content = Content::default();
        content.sound.title = Some("New Sun?".to_owned());
        content.sound.cover_url = Some("https://p16.example/a.jpeg?x-expires=1".to_owned());
        content.trend = vec![TrendPoint {
            time: 86_400,
            value: 0.5,
        }];
        content
    }

    #[test]
    fn a_newly_signed_url_is_the_same_content() {
        let mut signed_anew = content();
        signed_anew.sound.cover_url = Some("https://p16.example/a.jpeg?x-expires=2".to_owned());
        assert_eq!(content_hash(&content()), content_hash(&signed_anew));
    }

    #[test]
    fn another_value_is_another_content() {
        let mut other = content();
        other.trend[0].value = 0.51;
        assert_ne!(content_hash(&content()), content_hash(&other));
    }

    #[test]
    fn a_question_mark_in_a_title_is_no_query() {
        let mut other = content();
        other.sound.title = Some("New Sun".to_owned());
        assert_ne!(content_hash(&content()), content_hash(&other));
    }
}
