//! The rows that a settled answer becomes: its snapshot, and what hangs on it.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::{End, Plan, Settlement};
use crate::model::{Content, SnapshotFacts, SoundFacts};
use crate::store::{StoreError, Tx, execute, json_rows, rows};

/// What is counted of the path of an unknown field: a key that Postgres refuses to index would undo
/// the settlement.
pub(super) const LONGEST_PATH: usize = 300;

#[derive(Serialize)]
struct SnapshotRow<'a>(
    i64,
    i64,
    String,
    Option<String>,
    i64,
    Option<i64>,
    &'a SnapshotFacts,
    Option<&'a serde_json::Map<String, serde_json::Value>>,
);

/// Enters the new snapshots and gives their IDs by target.
pub(super) async fn insert_snapshots(
    tx: &mut Tx,
    plan: &[Plan<'_>],
) -> Result<HashMap<i64, i64>, StoreError> {
    let rows: Vec<SnapshotRow<'_>> = plan
        .iter()
        .filter_map(|p| p.new.map(|new| (p, new)))
        .map(|(p, (content, hash))| {
            SnapshotRow(
                p.settlement.claim.target_id,
                p.settlement.claim.ask.window.days(),
                hex::encode(hash),
                p.payload().map(|payload| hex::encode(payload.hash)),
                p.settlement.at,
                step_seconds(content),
                &content.facts,
                Some(&content.extra).filter(|extra| !extra.is_empty()),
            )
        })
        .collect();
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = rows!(
        tx,
        "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
        INSERT INTO snapshots (
            target_id, period_days, content_hash, payload_hash, first_fetched_at, last_fetched_at, step_seconds,
            country_code, rank, rank_diff, on_list_times, promoted, is_commercial, is_search, cml_mid, like_count,
            liked, disliked, popular_days, current_popularity, extra
        )
        SELECT
            CAST(r.value->>0 AS BIGINT),
            CAST(r.value->>1 AS BIGINT),
            unhex(r.value->>2),
            unhex(r.value->>3),
            CAST(r.value->>4 AS BIGINT),
            CAST(r.value->>4 AS BIGINT),
            CAST(r.value->>5 AS BIGINT),
            r.value->6->>'country_code',
            CAST(r.value->6->>'rank' AS BIGINT),
            CAST(r.value->6->>'rank_diff' AS BIGINT),
            CAST(r.value->6->>'on_list_times' AS BIGINT),
            CAST(r.value->6->>'promoted' AS BOOLEAN),
            CAST(r.value->6->>'is_commercial' AS BOOLEAN),
            CAST(r.value->6->>'is_search' AS BOOLEAN),
            r.value->6->>'cml_mid',
            CAST(r.value->6->>'like_count' AS BIGINT),
            CAST(r.value->6->>'liked' AS BOOLEAN),
            CAST(r.value->6->>'disliked' AS BOOLEAN),
            CAST(r.value->6->>'popular_days' AS BIGINT),
            CAST(r.value->6->>'current_popularity' AS BIGINT),
            NULLIF(r.value->7, 'null')
        FROM r
        RETURNING id, target_id",
        json_rows(&rows)?
    )?;
    rows.iter()
        .map(|row| Ok((row.get("target_id")?, row.get("id")?)))
        .collect()
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
    if sounds.is_empty() {
        return Ok(());
    }
    let rows: Vec<(&str, i64, SoundFacts)> = sounds
        .into_iter()
        .map(|(clip, (at, facts))| (clip, at, facts))
        .collect();
    execute!(
        tx,
        "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
        INSERT INTO sounds (
            clip_id, song_id, title, author, url_title, link, cover_url, music_url, duration_seconds,
            first_seen_at, last_seen_at
        )
        SELECT
            r.value->>0,
            r.value->2->>'song_id',
            r.value->2->>'title',
            r.value->2->>'author',
            r.value->2->>'url_title',
            r.value->2->>'link',
            r.value->2->>'cover_url',
            r.value->2->>'music_url',
            CAST(r.value->2->>'duration_seconds' AS BIGINT),
            CAST(r.value->>1 AS BIGINT),
            CAST(r.value->>1 AS BIGINT)
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
        json_rows(&rows)?
    )?;
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

type Scored<'a> = (i64, usize, &'a str, Option<f64>);
type Names<'a> = BTreeMap<&'a str, (Option<&'a str>, Option<&'a str>)>;

/// The rows of several snapshots, by table.
#[derive(Default)]
pub(super) struct Children<'a> {
    trend: Vec<(i64, i64, f64)>,
    countries: Vec<Scored<'a>>,
    interests: Vec<Scored<'a>>,
    ages: Vec<(i64, i64, Option<f64>)>,
    related: Vec<(i64, usize, &'a str, Option<&'a str>)>,
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
        const COUNTRIES: &str = "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
            INSERT INTO countries (id, code, name)
            SELECT r.value->>0, r.value->1->>0, r.value->1->>1
            FROM r
            WHERE true
            ON CONFLICT (id) DO UPDATE SET
                code = coalesce(excluded.code, countries.code),
                name = coalesce(excluded.name, countries.name)
            WHERE excluded.code <> coalesce(countries.code, '') OR excluded.name <> coalesce(countries.name, '')";
        const INTERESTS: &str = "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
            INSERT INTO interests (id, label, name)
            SELECT r.value->>0, r.value->1->>0, r.value->1->>1
            FROM r
            WHERE true
            ON CONFLICT (id) DO UPDATE SET
                label = coalesce(excluded.label, interests.label),
                name = coalesce(excluded.name, interests.name)
            WHERE excluded.label <> coalesce(interests.label, '') OR excluded.name <> coalesce(interests.name, '')";
        const COUNTRY_SCORES: &str = "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
            INSERT INTO country_scores (snapshot_id, position, country_id, score)
            SELECT
                CAST(r.value->>0 AS BIGINT),
                CAST(r.value->>1 AS BIGINT),
                r.value->>2,
                CAST(r.value->>3 AS DOUBLE PRECISION)
            FROM r";
        const INTEREST_SCORES: &str = "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
            INSERT INTO interest_scores (snapshot_id, position, interest_id, score)
            SELECT
                CAST(r.value->>0 AS BIGINT),
                CAST(r.value->>1 AS BIGINT),
                r.value->>2,
                CAST(r.value->>3 AS DOUBLE PRECISION)
            FROM r";
        const TREND: &str = "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
            INSERT INTO trend_points (snapshot_id, time, value)
            SELECT
                CAST(r.value->>0 AS BIGINT),
                CAST(r.value->>1 AS BIGINT),
                CAST(r.value->>2 AS DOUBLE PRECISION)
            FROM r";
        const AGES: &str = "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
            INSERT INTO age_scores (snapshot_id, age_level, score)
            SELECT
                CAST(r.value->>0 AS BIGINT),
                CAST(r.value->>1 AS BIGINT),
                CAST(r.value->>2 AS DOUBLE PRECISION)
            FROM r";
        const RELATED: &str = "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
            INSERT INTO related_items (snapshot_id, position, item_id, cover_url)
            SELECT CAST(r.value->>0 AS BIGINT), CAST(r.value->>1 AS BIGINT), r.value->>2, r.value->>3
            FROM r";
        write_rows(tx, COUNTRIES, &self.country_names.into_iter().collect::<Vec<_>>()).await?;
        write_rows(
            tx,
            INTERESTS,
            &self.interest_names.into_iter().collect::<Vec<_>>(),
        )
        .await?;
        write_rows(tx, TREND, &self.trend).await?;
        write_rows(tx, COUNTRY_SCORES, &self.countries).await?;
        write_rows(tx, INTEREST_SCORES, &self.interests).await?;
        write_rows(tx, AGES, &self.ages).await?;
        write_rows(tx, RELATED, &self.related).await
    }
}

pub(super) async fn write_rows<T: Serialize>(
    tx: &mut Tx,
    sql: &'static str,
    rows: &[T],
) -> Result<(), StoreError> {
    if !rows.is_empty() {
        execute!(tx, sql, json_rows(rows)?)?;
    }
    Ok(())
}

pub(super) async fn count_unknown_fields(tx: &mut Tx, batch: &[Settlement]) -> Result<(), StoreError> {
    let mut fields: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for settlement in batch {
        let End::Content { content, .. } = &settlement.end else {
            continue;
        };
        for path in content.extra.keys() {
            let path = path.chars().take(LONGEST_PATH).collect();
            let entry = fields.entry(path).or_insert((0, settlement.at));
            *entry = (entry.0 + 1, settlement.at);
        }
    }
    let rows: Vec<_> = fields
        .into_iter()
        .map(|(path, (answers, at))| (path, answers, at))
        .collect();
    write_rows(
        tx,
        "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
        INSERT INTO unknown_fields (path, answers, first_seen_at, last_seen_at)
        SELECT
            r.value->>0,
            CAST(r.value->>1 AS BIGINT),
            CAST(r.value->>2 AS BIGINT),
            CAST(r.value->>2 AS BIGINT)
        FROM r
        WHERE true
        ON CONFLICT (path) DO UPDATE SET
            answers = unknown_fields.answers + excluded.answers,
            last_seen_at = excluded.last_seen_at",
        &rows,
    )
    .await
}
