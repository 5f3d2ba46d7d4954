//! Kept answers, read again: what the ledger made of them, and what is made of them anew.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::again::settle_again;
use super::rebuild::rebuild;
pub use super::rows::counted_path;
use super::{Settled, Settlement};
use crate::model::{Ask, Claim, Content, Outcome, SoundFacts, Window};
use crate::store::{Many, Row, Store, StoreError, execute, json_rows, rows};

/// A kept answer with what the ledger made of it.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its attempt.
    pub claim: Claim,
    /// When it came, unix seconds.
    pub at: i64,
    /// The HTTP status.
    pub http_status: i64,
    /// How long it took.
    pub latency_ms: i64,
    /// The bytes.
    pub payload: super::Payload,
    /// What its fetch came to by it, and the word of its reason; `None` if another attempt decided that.
    pub ended: Option<(Outcome, Option<String>)>,
    /// The snapshot that its fetch stored.
    pub snapshot: Option<History>,
}

/// What of a snapshot does not stand in its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "named as the columns of the table snapshots, which docs/sql.md explains"
)]
pub struct History {
    pub id: i64,
    pub first_fetched_at: i64,
    pub last_fetched_at: i64,
    pub confirmations: i64,
}

/// A snapshot as its answer reads now.
#[derive(Clone, Debug)]
pub struct Rebuilt {
    /// Its target.
    pub target_id: i64,
    /// What was asked.
    pub ask: Ask,
    /// What stays as it is.
    pub history: History,
    /// SHA-256 of its answer.
    pub payload_hash: [u8; 32],
    /// What the answer says.
    pub content: Box<Content>,
    /// SHA-256 of it in canonical form.
    pub hash: [u8; 32],
}

/// A row of `sounds`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(
    missing_docs,
    reason = "named as the columns of the table sounds, which docs/sql.md explains"
)]
pub struct Sound {
    pub clip_id: String,
    /// The other columns by name; one that is missing is NULL.
    pub facts: serde_json::Map<String, serde_json::Value>,
    pub first_seen_at: i64,
    pub last_seen_at: i64,
}

/// A row of `countries` or `interests`: ID, code or label, name.
pub type Name = (String, Option<String>, Option<String>);

/// A row of `unknown_fields`: path, answers, first and last seen.
pub type UnknownField = (String, i64, i64, i64);

impl Store {
    /// How many answers are kept.
    pub async fn kept_answers(&self) -> Result<u64, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(&mut tx, "SELECT count(payload_hash) AS n FROM attempts")?;
        let n: i64 = rows.first().map_or(Ok(0), |row| row.get("n"))?;
        Ok(n.unsigned_abs())
    }

    /// The next sounds that are or were watched, by ID.
    pub async fn clips_after(&self, clip: &str, limit: i64) -> Result<Vec<String>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT DISTINCT clip_id FROM targets WHERE clip_id > $1 ORDER BY clip_id LIMIT $2",
            clip,
            limit
        )?;
        rows.iter().map(|row| row.get("clip_id")).collect()
    }

    /// The attempts of these sounds whose answers are kept, in the order in which they were made.
    pub async fn attempts_kept(&self, clips: &[String]) -> Result<Vec<i64>, StoreError> {
        let clips: Vec<(&str,)> = clips.iter().map(|clip| (clip.as_str(),)).collect();
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
            SELECT a.id
            FROM r
            JOIN targets AS t ON t.clip_id = r.value->>0
            JOIN fetches AS f ON f.target_id = t.id
            JOIN attempts AS a ON a.fetch_id = f.id
            WHERE a.payload_hash IS NOT NULL AND a.settled_at IS NOT NULL
            ORDER BY a.id",
            json_rows(&clips)?
        )?;
        rows.iter().map(|row| row.get("id")).collect()
    }

    /// The kept answers of these attempts, in this order.
    pub async fn kept(&self, attempts: &[i64]) -> Result<Vec<Kept>, StoreError> {
        let ids: Vec<(i64, usize)> = attempts.iter().copied().zip(0..).collect();
        let mut tx = self.read().await?;
        // The fetch was ended by the attempt that was settled with it. Of a snapshot that is gone the
        // fetches still tell the history.
        let rows = rows!(
            &mut tx,
            "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
            SELECT
                a.id AS attempt_id, a.n, a.sent_at, a.settled_at, coalesce(a.http_status, 0) AS http_status,
                coalesce(a.latency_ms, 0) AS latency_ms, f.id AS fetch_id, f.slot_at, f.outcome, f.reason,
                f.snapshot_id, coalesce(f.period_days, 7) AS period_days, t.id AS target_id, t.clip_id, t.region,
                p.hash, p.body, p.size_bytes,
                coalesce((
                    SELECT max(b.id)
                    FROM attempts AS b
                    WHERE b.fetch_id = f.id AND b.settled_at = f.settled_at AND b.payload_hash = s.payload_hash
                ), (
                    SELECT max(b.id)
                    FROM attempts AS b
                    WHERE b.fetch_id = f.id AND b.settled_at = f.settled_at AND b.payload_hash IS NOT NULL
                )) AS ended_by,
                coalesce(s.first_fetched_at, f.settled_at, 0) AS first_fetched_at,
                coalesce(s.last_fetched_at, (
                    SELECT max(c.settled_at)
                    FROM fetches AS c
                    WHERE c.target_id = t.id AND c.snapshot_id = f.snapshot_id AND s.id IS NULL
                ), 0) AS last_fetched_at,
                coalesce(s.confirmations, (
                    SELECT count(*)
                    FROM fetches AS c
                    WHERE c.target_id = t.id AND c.snapshot_id = f.snapshot_id AND c.outcome = 'confirmed' AND s.id IS NULL
                ), 0) AS confirmations
            FROM r
            JOIN attempts AS a ON a.id = CAST(r.value->>0 AS BIGINT)
            JOIN fetches AS f ON f.id = a.fetch_id
            JOIN targets AS t ON t.id = f.target_id
            JOIN payloads AS p ON p.hash = a.payload_hash
            LEFT JOIN snapshots AS s ON s.id = f.snapshot_id
            ORDER BY CAST(r.value->>1 AS BIGINT)",
            json_rows(&ids)?
        )?;
        rows.iter().map(kept).collect()
    }

    /// Writes what kept answers say now, in one transaction: snapshots with their rows, and fetches
    /// that come to something else. Gives what these came to.
    pub async fn rewrite(
        &self,
        rebuilt: &[Rebuilt],
        changed: &[Settlement],
    ) -> Result<Vec<Settled>, StoreError> {
        let mut tx = self.begin().await?;
        rebuild(&mut tx, rebuilt).await?;
        let mut settled = Vec::new();
        let mut left: Vec<&Settlement> = changed.iter().collect();
        // A target's second answer is compared with its first, so that one has to be in before.
        while !left.is_empty() {
            let mut targets = HashSet::new();
            let (round, later) = left.into_iter().partition(|s| targets.insert(s.claim.target_id));
            settled.extend(settle_again(&mut tx, round).await?);
            left = later;
        }
        tx.commit().await?;
        Ok(settled)
    }

    /// The rows of these sounds, as far as there are any.
    pub async fn sounds(&self, clips: &[String]) -> Result<HashMap<String, SoundFacts>, StoreError> {
        let clips: Vec<(&str,)> = clips.iter().map(|clip| (clip.as_str(),)).collect();
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
            SELECT s.*
            FROM r
            JOIN sounds AS s ON s.clip_id = r.value->>0",
            json_rows(&clips)?
        )?;
        rows.iter()
            .map(|row| Ok((row.get("clip_id")?, sound_facts(row)?)))
            .collect()
    }

    /// Writes sounds as they are given, NULLs too.
    pub async fn put_sounds(&self, sounds: &[Sound]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        execute!(
            &mut tx,
            "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
            INSERT INTO sounds (
                clip_id, song_id, title, author, url_title, link, cover_url, music_url, duration_seconds,
                first_seen_at, last_seen_at
            )
            SELECT
                r.value->>'clip_id',
                r.value->'facts'->>'song_id',
                r.value->'facts'->>'title',
                r.value->'facts'->>'author',
                r.value->'facts'->>'url_title',
                r.value->'facts'->>'link',
                r.value->'facts'->>'cover_url',
                r.value->'facts'->>'music_url',
                CAST(r.value->'facts'->>'duration_seconds' AS BIGINT),
                CAST(r.value->>'first_seen_at' AS BIGINT),
                CAST(r.value->>'last_seen_at' AS BIGINT)
            FROM r
            WHERE true
            ON CONFLICT (clip_id) DO UPDATE SET
                song_id = excluded.song_id,
                title = excluded.title,
                author = excluded.author,
                url_title = excluded.url_title,
                link = excluded.link,
                cover_url = excluded.cover_url,
                music_url = excluded.music_url,
                duration_seconds = excluded.duration_seconds,
                first_seen_at = excluded.first_seen_at,
                last_seen_at = excluded.last_seen_at",
            json_rows(sounds)?
        )?;
        tx.commit().await
    }

    /// Writes the names of countries and interests as they are given, and the unknown fields, if
    /// they are known: no others stay.
    pub async fn put_names(
        &self,
        countries: &[Name],
        interests: &[Name],
        unknown_fields: Option<&[UnknownField]>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        Many::of(countries)
            .text("id", |(id, ..)| id.as_str())
            .text("code", |(_, code, _)| code.as_deref())
            .text("name", |(.., name)| name.as_deref())
            .execute(
                &mut tx,
                "WITH r AS ({rows})
                INSERT INTO countries (id, code, name)
                SELECT id, code, name
                FROM r
                WHERE true
                ON CONFLICT (id) DO UPDATE SET code = excluded.code, name = excluded.name",
            )
            .await?;
        Many::of(interests)
            .text("id", |(id, ..)| id.as_str())
            .text("label", |(_, label, _)| label.as_deref())
            .text("name", |(.., name)| name.as_deref())
            .execute(
                &mut tx,
                "WITH r AS ({rows})
                INSERT INTO interests (id, label, name)
                SELECT id, label, name
                FROM r
                WHERE true
                ON CONFLICT (id) DO UPDATE SET label = excluded.label, name = excluded.name",
            )
            .await?;
        if let Some(fields) = unknown_fields {
            execute!(&mut tx, "DELETE FROM unknown_fields")?;
            Many::of(fields)
                .text("path", |(path, ..)| path.as_str())
                .int("answers", |(_, answers, ..)| *answers)
                .int("first_seen_at", |(_, _, first, _)| *first)
                .int("last_seen_at", |(.., last)| *last)
                .execute(
                    &mut tx,
                    "WITH r AS ({rows})
                    INSERT INTO unknown_fields (path, answers, first_seen_at, last_seen_at)
                    SELECT path, answers, first_seen_at, last_seen_at
                    FROM r",
                )
                .await?;
        }
        tx.commit().await
    }
}

fn kept(row: &Row) -> Result<Kept, StoreError> {
    let attempt_id: i64 = row.get("attempt_id")?;
    let days: i64 = row.get("period_days")?;
    let window =
        Window::of_days(days).ok_or_else(|| StoreError::Unreadable(format!("period_days {days}")))?;
    let hash: Vec<u8> = row.get("hash")?;
    let payload = super::Payload {
        hash: hash.try_into().unwrap_or_default(),
        body: row.get("body")?,
        size_bytes: row.get("size_bytes")?,
    };
    let ended = row.get::<Option<i64>>("ended_by")? == Some(attempt_id);
    let outcome = match row.get::<Option<String>>("outcome")? {
        Some(_) if ended => Some(row.parse::<Outcome>("outcome")?),
        _ => None,
    };
    let snapshot: Option<i64> = row.get("snapshot_id")?;
    let history = match snapshot.filter(|_| outcome == Some(Outcome::Stored)) {
        Some(id) => Some(History {
            id,
            first_fetched_at: row.get("first_fetched_at")?,
            last_fetched_at: row.get("last_fetched_at")?,
            confirmations: row.get("confirmations")?,
        }),
        None => None,
    };
    let claim = Claim {
        fetch_id: row.get("fetch_id")?,
        attempt_id,
        n: row.get("n")?,
        target_id: row.get("target_id")?,
        slot_at: row.get("slot_at")?,
        sent_at: row.get("sent_at")?,
        ask: Ask {
            clip_id: row.parse("clip_id")?,
            region: row.parse("region")?,
            window,
        },
    };
    Ok(Kept {
        claim,
        at: row.get("settled_at")?,
        http_status: row.get("http_status")?,
        latency_ms: row.get("latency_ms")?,
        payload,
        ended: match outcome {
            Some(outcome) => Some((outcome, row.get("reason")?)),
            None => None,
        },
        snapshot: history,
    })
}

fn sound_facts(row: &Row) -> Result<SoundFacts, StoreError> {
    Ok(SoundFacts {
        song_id: row.get("song_id")?,
        title: row.get("title")?,
        author: row.get("author")?,
        url_title: row.get("url_title")?,
        link: row.get("link")?,
        cover_url: row.get("cover_url")?,
        music_url: row.get("music_url")?,
        duration_seconds: row.get("duration_seconds")?,
    })
}
