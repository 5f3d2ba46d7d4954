//! What stands in `data`: from its JSON to the words of the model.

use serde_json::Value;

use super::take::{
    DIGITS_OR_TEXT, Extra, ITEM, LIST, NAME, NUMBER, OBJECT, Object, Path, TEXT, TRUTH, WHOLE, WrongShape,
    optional, required, tame,
};
use crate::model::{
    AgeScore, Ask, Content, CountryScore, InterestScore, Reason, Region, RelatedItem, SnapshotFacts,
    SoundFacts, TrendPoint,
};

/// Why `data` is not content.
#[derive(Debug, PartialEq)]
pub(super) enum NotContent {
    /// A success without data: what is missing.
    Empty(&'static str),
    /// Unusable: the reason, and for people where and why.
    Unusable(Reason, String),
}

impl From<WrongShape> for NotContent {
    fn from(WrongShape(error): WrongShape) -> Self {
        Self::Unusable(Reason::WrongShape, error)
    }
}

const DATA: Path<'static> = Path::Key(&Path::Body, "data");
const SOUND: Path<'static> = Path::Key(&DATA, "sound");

/// Seconds of the years 1 to 9999: what the databases can show as a date. Times in milliseconds
/// lie beyond.
const TIMES: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// Reads the value of `data`.
pub(super) fn read(ask: &Ask, data: Value) -> Result<Content, NotContent> {
    let mut data = Object::open(filled(data, "data")?, &DATA)?;
    let sound = filled(data.take("sound"), "data.sound")?;
    let mut sound = Object::open(sound, &SOUND)?;
    let trend = filled(sound.take("trend"), "data.sound.trend")?;
    is_of_clip(ask, &mut sound)?;
    let mut content = Content::default();
    let extra = &mut content.extra;
    content.facts = facts(&mut data, &mut sound, extra);
    is_of_region(
        ask.region,
        "data.sound.country_code",
        content.facts.country_code.as_deref(),
    )?;
    content.trend = points(trend, extra)?;
    content.sound = sound_facts(&mut sound, extra);
    content.countries = entries(&mut sound, "audience_countries", extra, country)?;
    content.interests = entries(&mut sound, "audience_interests", extra, interest)?;
    content.ages = ages(&mut sound, extra)?;
    content.related = related(&mut sound, extra);
    sound.close(extra);
    data.close(extra);
    extra.values_mut().for_each(tame);
    Ok(content)
}

/// The value, unless it is null or empty.
pub(super) fn filled(value: Value, path: &'static str) -> Result<Value, NotContent> {
    let empty = match &value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    if empty {
        Err(NotContent::Empty(path))
    } else {
        Ok(value)
    }
}

fn is_of_clip(ask: &Ask, sound: &mut Object<'_>) -> Result<(), NotContent> {
    let clip_id = sound.required("clip_id", &TEXT)?;
    if clip_id == ask.clip_id.as_str() {
        return Ok(());
    }
    let error = format!("data.sound.clip_id: asked for {}, got {clip_id:.40}", ask.clip_id);
    Err(NotContent::Unusable(Reason::WrongClip, error))
}

pub(super) fn is_of_region(region: Region, path: &str, country_code: Option<&str>) -> Result<(), NotContent> {
    match country_code {
        Some(code) if !code.eq_ignore_ascii_case(region.as_str()) => {
            let error = format!("{path}: asked for {region}, got {code:.40}");
            Err(NotContent::Unusable(Reason::WrongRegion, error))
        }
        _ => Ok(()),
    }
}

fn facts(data: &mut Object<'_>, sound: &mut Object<'_>, extra: &mut Extra) -> SnapshotFacts {
    let (popular_days, current_popularity) = longevity(sound, extra);
    SnapshotFacts {
        country_code: sound.optional("country_code", &TEXT, extra),
        rank: sound.optional("rank", &WHOLE, extra),
        rank_diff: sound.optional("rank_diff", &WHOLE, extra),
        on_list_times: sound.optional("on_list_times", &WHOLE, extra),
        promoted: sound.optional("promoted", &TRUTH, extra),
        is_commercial: sound.optional("if_cml", &TRUTH, extra),
        is_search: sound.optional("is_search", &TRUTH, extra),
        cml_mid: sound.optional("cml_mid", &TEXT, extra),
        like_count: data.optional("like_count", &WHOLE, extra),
        liked: data.optional("liked", &TRUTH, extra),
        disliked: data.optional("disliked", &TRUTH, extra),
        popular_days,
        current_popularity,
    }
}

fn longevity(sound: &mut Object<'_>, extra: &mut Extra) -> (Option<i64>, Option<i64>) {
    let path = Path::Key(&SOUND, "longevity");
    let Some(map) = sound.optional("longevity", &OBJECT, extra) else {
        return (None, None);
    };
    let mut longevity = Object::of(map, &path);
    let both = (
        longevity.optional("popular_days", &WHOLE, extra),
        longevity.optional("current_popularity", &WHOLE, extra),
    );
    longevity.close(extra);
    both
}

pub(super) fn sound_facts(sound: &mut Object<'_>, extra: &mut Extra) -> SoundFacts {
    SoundFacts {
        song_id: sound.optional("song_id", &TEXT, extra),
        title: sound.optional("title", &TEXT, extra),
        author: sound.optional("author", &TEXT, extra),
        url_title: sound.optional("url_title", &TEXT, extra),
        link: sound.optional("link", &TEXT, extra),
        cover_url: sound.optional("cover", &TEXT, extra),
        music_url: sound.optional("music_url", &TEXT, extra),
        duration_seconds: sound.optional("duration", &WHOLE, extra),
    }
}

/// The trend, ascending, each time once.
fn points(trend: Value, extra: &mut Extra) -> Result<Vec<TrendPoint>, WrongShape> {
    let path = Path::Key(&SOUND, "trend");
    let mut points = each(trend, &path, extra, point)?;
    points.sort_by_key(|point| point.time);
    once(&points, &path, |p| p.time, |p| Some(p.value))?;
    points.dedup_by_key(|point| point.time);
    Ok(points)
}

fn point(entry: &mut Object<'_>, _: &mut Extra) -> Result<TrendPoint, WrongShape> {
    let time = entry.required("time", &WHOLE)?;
    if !TIMES.contains(&time) {
        return Err(entry.at("time").expected("unix seconds", &time.into()));
    }
    let value = entry.required("value", &NUMBER)?;
    Ok(TrendPoint { time, value })
}

fn country(entry: &mut Object<'_>, extra: &mut Extra) -> Result<CountryScore, WrongShape> {
    let (id, code, name) = who(entry, "country_info", extra)?;
    let score = entry.nullable("score", &NUMBER)?;
    Ok(CountryScore {
        id,
        code,
        name,
        score,
    })
}

fn interest(entry: &mut Object<'_>, extra: &mut Extra) -> Result<InterestScore, WrongShape> {
    let (id, label, name) = who(entry, "interest_info", extra)?;
    let score = entry.nullable("score", &NUMBER)?;
    Ok(InterestScore {
        id,
        label,
        name,
        score,
    })
}

type Who = (String, Option<String>, Option<String>);

/// Whom a score is about: `{id, label, value}`.
fn who(entry: &mut Object<'_>, key: &str, extra: &mut Extra) -> Result<Who, WrongShape> {
    let map = entry.required(key, &OBJECT)?;
    let path = entry.at(key);
    let mut info = Object::of(map, &path);
    let id = info.required("id", &NAME)?;
    let label = info.optional("label", &TEXT, extra);
    let name = info.optional("value", &TEXT, extra);
    info.close(extra);
    Ok((id, label, name))
}

/// The age scores, ascending, each level once.
fn ages(sound: &mut Object<'_>, extra: &mut Extra) -> Result<Vec<AgeScore>, WrongShape> {
    let mut ages = entries(sound, "audience_ages", extra, |entry, _| {
        let level = entry.required("age_level", &WHOLE)?;
        let score = entry.nullable("score", &NUMBER)?;
        Ok(AgeScore { level, score })
    })?;
    ages.sort_by_key(|age| age.level);
    once(
        &ages,
        &Path::Key(&SOUND, "audience_ages"),
        |a| a.level,
        |a| a.score,
    )?;
    ages.dedup_by_key(|age| age.level);
    Ok(ages)
}

/// That no key of the sorted `list` stands twice with two values.
fn once<T>(
    list: &[T],
    path: &Path<'_>,
    key: impl Fn(&T) -> i64,
    value: impl Fn(&T) -> Option<f64>,
) -> Result<(), WrongShape> {
    let twice = list.windows(2).find_map(|pair| match pair {
        [a, b] if key(a) == key(b) && value(a) != value(b) => Some(key(a)),
        _ => None,
    });
    match twice {
        Some(key) => Err(WrongShape(format!("{path}: {key} stands twice, with two values"))),
        None => Ok(()),
    }
}

/// The related items. One that can't be read goes to `extra`, the others are kept.
fn related(sound: &mut Object<'_>, extra: &mut Extra) -> Vec<RelatedItem> {
    let list = sound.optional("related_items", &LIST, extra).unwrap_or_default();
    let path = Path::Key(&SOUND, "related_items");
    let mut items = Vec::with_capacity(list.len());
    for (i, value) in list.into_iter().enumerate() {
        let path = Path::Index(&path, i);
        let Some(map) = optional(value, &path, &ITEM, extra) else {
            continue;
        };
        let mut item = Object::of(map, &path);
        if let Some(item_id) = item.optional("item_id", &DIGITS_OR_TEXT, extra) {
            let cover_url = item.optional("cover_uri", &TEXT, extra);
            items.push(RelatedItem { item_id, cover_url });
        }
        item.close(extra);
    }
    items
}

/// The entries of an array, each emptied by `read`.
fn each<T>(
    list: Value,
    path: &Path<'_>,
    extra: &mut Extra,
    read: impl Fn(&mut Object<'_>, &mut Extra) -> Result<T, WrongShape>,
) -> Result<Vec<T>, WrongShape> {
    let list = required(list, path, &LIST)?;
    let entries = list.into_iter().enumerate();
    entries
        .map(|(i, value)| {
            let path = Path::Index(path, i);
            let mut entry = Object::open(value, &path)?;
            let read = read(&mut entry, extra)?;
            entry.close(extra);
            Ok(read)
        })
        .collect()
}

/// The entries of an array that may be null or missing.
fn entries<T>(
    sound: &mut Object<'_>,
    key: &str,
    extra: &mut Extra,
    read: impl Fn(&mut Object<'_>, &mut Extra) -> Result<T, WrongShape>,
) -> Result<Vec<T>, WrongShape> {
    match sound.take(key) {
        Value::Null => Ok(Vec::new()),
        list => each(list, &Path::Key(&SOUND, key), extra, read),
    }
}
