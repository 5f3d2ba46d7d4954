//! The rows that a settled answer becomes: its snapshot, and what hangs on it.

use std::collections::{BTreeMap, HashMap};

use super::{End, Plan, Settlement};
use crate::model::{Content, SnapshotFacts, SoundFacts};
use crate::store::{Many, StoreError, Tx};

/// What is counted of the path of an unknown field: a key that Postgres refuses to index would undo
/// the settlement.
const LONGEST_PATH: usize = 300;

/// The path of an unknown field as it is counted.
pub fn counted_path(path: &str) -> String {
    path.chars().take(LONGEST_PATH).collect()
}

/// A snapshot that is entered.
struct NewSnapshot<'a> {
    settlement: &'a Settlement,
    content: &'a Content,
    hash: [u8; 32],
    payload_hash: Option<&'a [u8]>,
    extra: Option<String>,
}

impl<'a> NewSnapshot<'a> {
    fn of(plan: &Plan<'a>) -> Option<Self> {
        let (content, hash) = plan.new?;
        Some(Self {
            settlement: plan.settlement,
            content,
            hash,
            payload_hash: plan.payload().map(|payload| &payload.hash[..]),
            extra: extra(content),
        })
    }
}

/// Enters the new snapshots and gives their IDs by target.
pub(super) async fn insert_snapshots(
    tx: &mut Tx,
    plan: &[Plan<'_>],
) -> Result<HashMap<i64, i64>, StoreError> {
    let new: Vec<NewSnapshot<'_>> = plan.iter().filter_map(NewSnapshot::of).collect();
    let rows = Many::of(&new)
        .int("target_id", |s| s.settlement.claim.target_id)
        .int("period_days", |s| s.settlement.claim.ask.window.days())
        .blob("content_hash", |s| &s.hash[..])
        .blob("payload_hash", |s| s.payload_hash)
        .int("fetched_at", |s| s.settlement.at)
        .int("step_seconds", |s| step_seconds(s.content))
        .json("extra", |s| s.extra.as_deref());
    let rows = with_facts(rows, |s| &s.content.facts)
        .fetch(
            tx,
            "WITH r AS ({rows})
            INSERT INTO snapshots (
                target_id, period_days, content_hash, payload_hash, first_fetched_at, last_fetched_at, step_seconds,
                country_code, rank, rank_diff, on_list_times, promoted, is_commercial, is_search, cml_mid, like_count,
                liked, disliked, popular_days, current_popularity, extra
            )
            SELECT
                target_id, period_days, content_hash, payload_hash, fetched_at, fetched_at, step_seconds,
                country_code, rank, rank_diff, on_list_times, promoted, is_commercial, is_search, cml_mid, like_count,
                liked, disliked, popular_days, current_popularity, extra
            FROM r
            RETURNING id, target_id",
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.get("target_id")?, row.get("id")?)))
        .collect()
}

/// The columns of a snapshot's facts.
pub(super) fn with_facts<'a, T>(
    rows: Many<'a, T>,
    facts: impl Fn(&'a T) -> &'a SnapshotFacts,
) -> Many<'a, T> {
    rows.text("country_code", |s| facts(s).country_code.as_deref())
        .int("rank", |s| facts(s).rank)
        .int("rank_diff", |s| facts(s).rank_diff)
        .int("on_list_times", |s| facts(s).on_list_times)
        .flag("promoted", |s| facts(s).promoted)
        .flag("is_commercial", |s| facts(s).is_commercial)
        .flag("is_search", |s| facts(s).is_search)
        .text("cml_mid", |s| facts(s).cml_mid.as_deref())
        .int("like_count", |s| facts(s).like_count)
        .flag("liked", |s| facts(s).liked)
        .flag("disliked", |s| facts(s).disliked)
        .int("popular_days", |s| facts(s).popular_days)
        .int("current_popularity", |s| facts(s).current_popularity)
}

/// What has no column, as JSON; NULL if there is nothing.
pub(super) fn extra(content: &Content) -> Option<String> {
    let extra = Some(&content.extra).filter(|extra| !extra.is_empty())?;
    Some(serde_json::Value::Object(extra.clone()).to_string())
}

/// The smallest distance between two points: 86,400 for a daily window.
pub(super) fn step_seconds(content: &Content) -> Option<i64> {
    content
        .trend
        .windows(2)
        .filter_map(|pair| Some(pair.get(1)?.time - pair.first()?.time))
        .min()
}

pub(super) async fn upsert_sounds(tx: &mut Tx, batch: &[Settlement]) -> Result<(), StoreError> {
    let mut sounds: BTreeMap<&str, (i64, SoundFacts)> = BTreeMap::new();
    for settlement in batch {
        if let End::Content { content, .. } = &settlement.end {
            // Several regions of one sound: each may leave out what another one says.
            let (at, known) = sounds.entry(settlement.claim.ask.clip_id.as_str()).or_default();
            *known = std::mem::take(known).updated_by(&content.sound);
            *at = settlement.at;
        }
    }
    upsert_sound_facts(tx, sounds).await
}

/// Writes when sounds were seen and what was said of them; what was not said stays.
pub(in crate::store) async fn upsert_sound_facts(
    tx: &mut Tx,
    sounds: BTreeMap<&str, (i64, SoundFacts)>,
) -> Result<(), StoreError> {
    let sounds: Vec<(&str, (i64, SoundFacts))> = sounds.into_iter().collect();
    Many::of(&sounds)
        .text("clip_id", |(clip, _)| *clip)
        .int("at", |(_, (at, _))| *at)
        .text("song_id", |(_, (_, facts))| facts.song_id.as_deref())
        .text("title", |(_, (_, facts))| facts.title.as_deref())
        .text("author", |(_, (_, facts))| facts.author.as_deref())
        .text("url_title", |(_, (_, facts))| facts.url_title.as_deref())
        .text("link", |(_, (_, facts))| facts.link.as_deref())
        .text("cover_url", |(_, (_, facts))| facts.cover_url.as_deref())
        .text("music_url", |(_, (_, facts))| facts.music_url.as_deref())
        .int("duration_seconds", |(_, (_, facts))| facts.duration_seconds)
        .execute(
            tx,
            "WITH r AS ({rows})
            INSERT INTO sounds (
                clip_id, song_id, title, author, url_title, link, cover_url, music_url, duration_seconds,
                first_seen_at, last_seen_at
            )
            SELECT clip_id, song_id, title, author, url_title, link, cover_url, music_url, duration_seconds, at, at
            FROM r
            WHERE true
            ON CONFLICT (clip_id) DO UPDATE SET
                song_id = coalesce(excluded.song_id, sounds.song_id),
                title = coalesce(excluded.title, sounds.title),
                author = coalesce(excluded.author, sounds.author),
                url_title = coalesce(excluded.url_title, sounds.url_title),
                link = coalesce(excluded.link, sounds.link),
                cover_url = coalesce(excluded.cover_url, sounds.cover_url),
                music_url = coalesce(excluded.music_url, sounds.music_url),
                duration_seconds = coalesce(excluded.duration_seconds, sounds.duration_seconds),
                last_seen_at = excluded.last_seen_at
            WHERE excluded.last_seen_at >= sounds.last_seen_at",
        )
        .await?;
    Ok(())
}

/// Enters the rows of the new snapshots.
pub(super) async fn insert_rows(
    tx: &mut Tx,
    plan: &[Plan<'_>],
    stored: &HashMap<i64, i64>,
) -> Result<(), StoreError> {
    let mut children = Children::default();
    for p in plan {
        let Some((content, _)) = p.new else { continue };
        let Some(id) = stored.get(&p.settlement.claim.target_id) else {
            continue;
        };
        children.add(*id, content);
    }
    children.write(tx).await
}

/// A score of a country or an interest: snapshot, position, ID, score.
type Scored<'a> = (i64, i64, &'a str, Option<f64>);
/// The code and name of a country, or the label and name of an interest, by ID.
type Names<'a> = BTreeMap<&'a str, (Option<&'a str>, Option<&'a str>)>;

/// The rows of several snapshots, by table.
#[derive(Default)]
pub(super) struct Children<'a> {
    trend: Vec<(i64, i64, f64)>,
    countries: Vec<Scored<'a>>,
    interests: Vec<Scored<'a>>,
    ages: Vec<(i64, i64, Option<f64>)>,
    related: Vec<(i64, i64, &'a str, Option<&'a str>)>,
    country_names: Names<'a>,
    interest_names: Names<'a>,
}

impl<'a> Children<'a> {
    pub(super) fn add(&mut self, id: i64, content: &'a Content) {
        self.trend
            .extend(content.trend.iter().map(|p| (id, p.time, p.value)));
        self.ages
            .extend(content.ages.iter().map(|a| (id, a.level, a.score)));
        let related = content.related.iter().zip(1..);
        self.related
            .extend(related.map(|(item, at)| (id, at, item.item_id.as_str(), item.cover_url.as_deref())));
        for (country, position) in content.countries.iter().zip(1..) {
            self.countries.push((id, position, &country.id, country.score));
            let names = self.country_names.entry(&country.id).or_default();
            names.0 = country.code.as_deref().or(names.0);
            names.1 = country.name.as_deref().or(names.1);
        }
        for (interest, position) in content.interests.iter().zip(1..) {
            self.interests.push((id, position, &interest.id, interest.score));
            let names = self.interest_names.entry(&interest.id).or_default();
            names.0 = interest.label.as_deref().or(names.0);
            names.1 = interest.name.as_deref().or(names.1);
        }
    }

    pub(super) async fn write(self, tx: &mut Tx) -> Result<(), StoreError> {
        write_countries(tx, self.country_names).await?;
        write_interests(tx, self.interest_names).await?;
        Many::of(&self.trend)
            .int("snapshot_id", |(snapshot, ..)| *snapshot)
            .int("time", |(_, time, _)| *time)
            .real("value", |(.., value)| *value)
            .execute(
                tx,
                "WITH r AS ({rows})
                INSERT INTO trend_points (snapshot_id, time, value)
                SELECT snapshot_id, time, value
                FROM r",
            )
            .await?;
        scores(&self.countries, "country_id")
            .execute(
                tx,
                "WITH r AS ({rows})
                INSERT INTO country_scores (snapshot_id, position, country_id, score)
                SELECT snapshot_id, position, country_id, score
                FROM r",
            )
            .await?;
        scores(&self.interests, "interest_id")
            .execute(
                tx,
                "WITH r AS ({rows})
                INSERT INTO interest_scores (snapshot_id, position, interest_id, score)
                SELECT snapshot_id, position, interest_id, score
                FROM r",
            )
            .await?;
        Many::of(&self.ages)
            .int("snapshot_id", |(snapshot, ..)| *snapshot)
            .int("age_level", |(_, level, _)| *level)
            .real("score", |(.., score)| *score)
            .execute(
                tx,
                "WITH r AS ({rows})
                INSERT INTO age_scores (snapshot_id, age_level, score)
                SELECT snapshot_id, age_level, score
                FROM r",
            )
            .await?;
        Many::of(&self.related)
            .int("snapshot_id", |(snapshot, ..)| *snapshot)
            .int("position", |(_, position, ..)| *position)
            .text("item_id", |(_, _, item, _)| *item)
            .text("cover_url", |(.., cover)| *cover)
            .execute(
                tx,
                "WITH r AS ({rows})
                INSERT INTO related_items (snapshot_id, position, item_id, cover_url)
                SELECT snapshot_id, position, item_id, cover_url
                FROM r",
            )
            .await?;
        Ok(())
    }
}

fn scores<'s>(scores: &'s [Scored<'s>], id: &'static str) -> Many<'s, Scored<'s>> {
    Many::of(scores)
        .int("snapshot_id", |(snapshot, ..)| *snapshot)
        .int("position", |(_, position, ..)| *position)
        .text(id, |(_, _, id, _)| *id)
        .real("score", |(.., score)| *score)
}

/// Only what is new is written: a conflict locks its row until the transaction ends, changed or not.
async fn write_countries(tx: &mut Tx, names: Names<'_>) -> Result<(), StoreError> {
    let names: Vec<_> = names.into_iter().collect();
    Many::of(&names)
        .text("id", |(id, _)| *id)
        .text("code", |(_, (code, _))| *code)
        .text("name", |(_, (_, name))| *name)
        .execute(
            tx,
            "WITH r AS ({rows})
            INSERT INTO countries (id, code, name)
            SELECT r.id, r.code, r.name
            FROM r
            LEFT JOIN countries AS known ON known.id = r.id
            WHERE known.id IS NULL OR r.code <> coalesce(known.code, '') OR r.name <> coalesce(known.name, '')
            ON CONFLICT (id) DO UPDATE SET
                code = coalesce(excluded.code, countries.code),
                name = coalesce(excluded.name, countries.name)",
        )
        .await?;
    Ok(())
}

async fn write_interests(tx: &mut Tx, names: Names<'_>) -> Result<(), StoreError> {
    let names: Vec<_> = names.into_iter().collect();
    Many::of(&names)
        .text("id", |(id, _)| *id)
        .text("label", |(_, (label, _))| *label)
        .text("name", |(_, (_, name))| *name)
        .execute(
            tx,
            "WITH r AS ({rows})
            INSERT INTO interests (id, label, name)
            SELECT r.id, r.label, r.name
            FROM r
            LEFT JOIN interests AS known ON known.id = r.id
            WHERE known.id IS NULL OR r.label <> coalesce(known.label, '') OR r.name <> coalesce(known.name, '')
            ON CONFLICT (id) DO UPDATE SET
                label = coalesce(excluded.label, interests.label),
                name = coalesce(excluded.name, interests.name)",
        )
        .await?;
    Ok(())
}

pub(super) async fn count_unknown_fields(tx: &mut Tx, batch: &[Settlement]) -> Result<(), StoreError> {
    let mut fields: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for settlement in batch {
        let End::Content { content, .. } = &settlement.end else {
            continue;
        };
        for path in content.extra.keys() {
            let entry = fields.entry(counted_path(path)).or_insert((0, settlement.at));
            *entry = (entry.0 + 1, settlement.at);
        }
    }
    let fields: Vec<(String, (i64, i64))> = fields.into_iter().collect();
    Many::of(&fields)
        .text("path", |(path, _)| path.as_str())
        .int("answers", |(_, (answers, _))| *answers)
        .int("at", |(_, (_, at))| *at)
        .execute(
            tx,
            "WITH r AS ({rows})
            INSERT INTO unknown_fields (path, answers, first_seen_at, last_seen_at)
            SELECT path, answers, at, at
            FROM r
            WHERE true
            ON CONFLICT (path) DO UPDATE SET
                answers = unknown_fields.answers + excluded.answers,
                last_seen_at = excluded.last_seen_at",
        )
        .await?;
    Ok(())
}
