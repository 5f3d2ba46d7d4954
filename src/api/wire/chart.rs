//! A page of a chart: what stands in `data` of the list's answers.
//!
//! Only the list itself has to be in shape. A sound in it that can't be identified is left out, and of the others
//! whatever is of another type: the page was paid for, and its bytes are kept.

use serde_json::Value;

use super::content::{NotContent, filled, is_of_region, sound_facts};
use super::take::{Extra, LIST, OBJECT, Object, Path, TEXT, TRUTH, WHOLE, required};
use crate::model::{ChartAsk, ChartEntry, ChartPage};

const DATA: Path<'static> = Path::Key(&Path::Body, "data");
const SOUNDS: Path<'static> = Path::Key(&DATA, "sound_list");
const PAGINATION: Path<'static> = Path::Key(&DATA, "pagination");

/// Reads the value of `data`.
pub(super) fn read(ask: &ChartAsk, data: Value) -> Result<ChartPage, NotContent> {
    let mut data = Object::open(filled(data, "data")?, &DATA)?;
    let sounds = data.take("sound_list");
    if sounds.is_null() {
        return Err(NotContent::Empty("data.sound_list"));
    }
    let mut other = Extra::new();
    let pagination = data.optional("pagination", &OBJECT, &mut other);
    let has_more =
        pagination.and_then(|map| Object::of(map, &PAGINATION).optional("has_more", &TRUTH, &mut other));
    let mut entries = Vec::new();
    for (at, sound) in required(sounds, &SOUNDS, &LIST)?.into_iter().enumerate() {
        entries.extend(entry(ask, sound, &Path::Index(&SOUNDS, at))?);
    }
    Ok(ChartPage { entries, has_more })
}

/// One sound; `None` when it does not say which.
fn entry(ask: &ChartAsk, sound: Value, path: &Path<'_>) -> Result<Option<ChartEntry>, NotContent> {
    let Ok(mut sound) = Object::open(sound, path) else {
        return Ok(None);
    };
    let mut other = Extra::new();
    let country = sound.optional("country_code", &TEXT, &mut other);
    is_of_region(
        ask.chart.region,
        &sound.at("country_code").to_string(),
        country.as_deref(),
    )?;
    let clip = sound.optional("clip_id", &TEXT, &mut other);
    let Some(clip_id) = clip.and_then(|clip| clip.parse().ok()) else {
        return Ok(None);
    };
    Ok(Some(ChartEntry {
        clip_id,
        rank: sound.optional("rank", &WHOLE, &mut other),
        rank_diff: sound.optional("rank_diff", &WHOLE, &mut other),
        rank_diff_type: sound.optional("rank_diff_type", &WHOLE, &mut other),
        trend: trend(sound.take("trend")),
        sound: sound_facts(&mut sound, &mut other),
    }))
}

/// The values of a trend, for a picture of it; those that can't be read are left out.
fn trend(value: Value) -> Vec<f64> {
    let Value::Array(points) = value else {
        return Vec::new();
    };
    let value = |point: &Value| point.get("value")?.as_f64().filter(|value| value.is_finite());
    points.iter().filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::read_chart;
    use super::*;
    use crate::api::Verdict;
    use crate::model::{Chart, Reason, Region, Window};

    const RECORDED: &[u8] = include_bytes!("../../../tests/data/music_list_US_7d.json");

    fn ask() -> ChartAsk {
        let chart = Chart {
            region: Region::US,
            window: Window::Days7,
            new_to_top_100: false,
            commercial: false,
        };
        ChartAsk { chart, page: 1 }
    }

    fn verdict(body: &Value) -> Verdict<ChartPage> {
        read_chart(&ask(), 200, body.to_string().as_bytes()).verdict
    }

    fn page(sounds: &Value) -> Value {
        json!({"code": 0, "data": {"sound_list": sounds, "pagination": {"has_more": "perhaps"}}})
    }

    #[test]
    fn the_recorded_page_is_read_whole() {
        let Verdict::Content(page) = read_chart(&ask(), 200, RECORDED).verdict else {
            panic!("no content")
        };
        assert_eq!((page.has_more, page.entries.len()), (Some(true), 1));
        let entry = &page.entries[0];
        assert_eq!(entry.clip_id.as_str(), "6703723351497508865");
        assert_eq!(
            (entry.rank, entry.rank_diff, entry.rank_diff_type),
            (Some(1), Some(0), Some(2))
        );
        assert_eq!(entry.sound.author.as_deref(), Some("Chihei Hatakeyama"));
        assert_eq!(entry.trend, [0.06, 0.05, 0.31, 0.3, 0.1, 0.36, 1.0]);
    }

    #[test]
    fn what_can_not_be_read_of_a_sound_is_left_out_and_the_rest_kept() {
        let Verdict::Content(read) = verdict(&page(&json!([
            {"clip_id": 7, "rank": 1},
            "a text",
            {"clip_id": "6703723351497508865", "rank": "first", "trend": [{"value": "x"}, {"value": 1}]},
        ]))) else {
            panic!("no content")
        };
        let entry = &read.entries[0];
        assert_eq!((read.entries.len(), read.has_more, entry.rank), (1, None, None));
        assert_eq!(entry.trend, [1.0]);
    }

    #[test]
    fn a_page_of_another_region_or_shape_is_rejected_and_none_is_no_data() {
        let other = page(&json!([{"clip_id": "6703723351497508865", "country_code": "LV"}]));
        assert_eq!(verdict(&other), Verdict::Rejected(Reason::WrongRegion));
        assert_eq!(
            verdict(&page(&json!({"a": 1}))),
            Verdict::Rejected(Reason::WrongShape)
        );
        assert_eq!(verdict(&page(&json!(null))), Verdict::NoData);
        assert_eq!(verdict(&json!({"code": 0, "msg": "deprecated"})), Verdict::NoData);
        assert_eq!(
            verdict(&json!({"code": 402})),
            Verdict::Refused(Reason::OutOfCredits)
        );
    }
}
