//! What happened to the targets of one sound, slot by slot, for `why`.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::workers::SILENT_AFTER;
use super::{Row, Store, StoreError, json_rows, rows};
use crate::clock::rfc3339;

/// A target of the sound, also one that is no longer watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SoundTarget {
    /// `targets.id`.
    #[serde(skip)]
    pub id: i64,
    /// What the sound is called, once an answer has said so.
    #[serde(skip)]
    pub title: Option<String>,
    /// The market.
    pub region: String,
    /// `7`, `30`, `120` or `auto`.
    pub period: String,
    /// The cron expression.
    pub schedule: String,
    /// The IANA zone.
    pub time_zone: String,
    /// The first instant whose slots count, unix seconds.
    #[serde(skip)]
    pub slots_from: i64,
    /// Unix seconds.
    #[serde(serialize_with = "instant")]
    pub added_at: i64,
    /// Unix seconds; `None` while it is watched.
    #[serde(serialize_with = "instant_if_any")]
    pub removed_at: Option<i64>,
    /// When an answer was last stored or confirmed, unix seconds.
    #[serde(serialize_with = "instant_if_any")]
    pub last_success_at: Option<i64>,
}

/// What became of a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SlotHistory {
    /// Unix seconds.
    #[serde(serialize_with = "instant")]
    pub slot_at: i64,
    /// How many slots the row stands for.
    pub slots: i64,
    /// Asked for by a person.
    pub forced: bool,
    /// The window that was asked, in days; `None` when nothing was.
    pub period_days: Option<i64>,
    /// Why this window, of targets that choose it.
    pub period_reason: Option<String>,
    /// See `docs/sql.md`; `None` while it is open.
    pub outcome: Option<String>,
    /// Why it was not stored.
    pub reason: Option<String>,
    /// Who holds it, while it is open.
    pub held: Held,
    /// When it was last claimed, unix seconds.
    #[serde(serialize_with = "instant_if_any")]
    pub claimed_at: Option<i64>,
    /// Unix seconds.
    #[serde(serialize_with = "instant_if_any")]
    pub settled_at: Option<i64>,
    /// The requests made for it.
    pub attempts: Vec<AttemptHistory>,
}

/// Who holds an open slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// Nobody yet: it was handed over.
    ByNobody,
    /// A worker that gives signs of life.
    ByWorker,
    /// A worker that has gone.
    ByGoneWorker,
    /// It is settled.
    Settled,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttemptHistory {
    /// From 1.
    pub n: i64,
    /// See `docs/sql.md`.
    pub state: String,
    /// Unix seconds.
    #[serde(serialize_with = "instant")]
    pub sent_at: i64,
    /// Of the answer.
    pub http_status: Option<i64>,
    /// The `code` in its body, 0 is success.
    pub api_code: Option<i64>,
    /// The message in its body.
    pub message: Option<String>,
    /// Counted for it.
    pub credits: i64,
    /// Milliseconds until the answer was there.
    pub latency_ms: Option<i64>,
    /// What was wrong.
    pub error: Option<String>,
}

/// The slots of a target that were read, ascending, and how many there are in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetSlots {
    /// The newest ones.
    pub slots: Vec<SlotHistory>,
    /// The newest that was not forced, however many were since.
    pub newest_scheduled: Option<SlotHistory>,
    /// How many rows the target has.
    pub of_all: i64,
}

/// A run of days that are missing: a row of the view `gaps`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The market.
    pub region: String,
    /// The first day that is missing.
    pub first_day: String,
    /// The last.
    pub last_day: String,
    /// How many.
    pub days: i64,
    /// A reason or an outcome, or `not_in_answers`.
    pub reason: String,
}

impl Store {
    /// The targets that a sound has or had, by region and period.
    pub async fn targets_of(&self, clip: &str) -> Result<Vec<SoundTarget>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT
                t.id,
                o.title,
                t.region,
                t.period,
                t.schedule,
                t.time_zone,
                t.slots_from,
                t.added_at,
                t.removed_at,
                (SELECT max(n.last_fetched_at) FROM snapshots AS n WHERE n.target_id = t.id) AS last_success_at
            FROM targets AS t
            LEFT JOIN sounds AS o ON o.clip_id = t.clip_id
            WHERE t.clip_id = $1
            ORDER BY t.region, length(t.period), t.period",
            clip
        )?;
        rows.iter().map(sound_target).collect()
    }

    /// The newest slots of targets, at most `limit` of each, with their attempts, and the newest that was
    /// not forced, by `targets.id`.
    pub async fn slots_of(
        &self,
        targets: &[i64],
        limit: i64,
        now: i64,
    ) -> Result<BTreeMap<i64, TargetSlots>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "WITH r AS MATERIALIZED (SELECT value FROM json_each($1)),
            numbered AS (
                SELECT
                    f.*,
                    row_number() OVER (PARTITION BY f.target_id ORDER BY f.slot_at DESC) AS place,
                    row_number() OVER (PARTITION BY f.target_id, f.forced ORDER BY f.slot_at DESC) AS place_of_kind,
                    count(*) OVER (PARTITION BY f.target_id) AS of_all
                FROM r
                JOIN fetches AS f ON f.target_id = CAST(r.value->>0 AS BIGINT)
            )
            SELECT
                n.*,
                EXISTS (SELECT 1 FROM workers AS w WHERE w.id = n.worker_id AND w.heartbeat_at >= $3) AS alive
            FROM numbered AS n
            WHERE n.place <= $2 OR (NOT n.forced AND n.place_of_kind = 1)
            ORDER BY n.target_id, n.slot_at",
            json_rows(&in_rows(targets))?,
            limit,
            now - SILENT_AFTER
        )?;
        let fetches: Result<Vec<i64>, _> = rows.iter().map(|row| row.get("id")).collect();
        let attempts = rows!(
            &mut tx,
            "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
            SELECT a.*
            FROM r
            JOIN attempts AS a ON a.fetch_id = CAST(r.value->>0 AS BIGINT)
            ORDER BY a.fetch_id, a.n",
            json_rows(&in_rows(&fetches?))?
        )?;
        together(&rows, &attempts, limit)
    }

    /// The days that are missing of a sound, by region.
    pub async fn gaps_of(&self, clip: &str) -> Result<Vec<Gap>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT region, CAST(first_day AS TEXT) AS first_day, CAST(last_day AS TEXT) AS last_day, days, reason
            FROM gaps
            WHERE clip_id = $1
            ORDER BY region, first_day",
            clip
        )?;
        let gap = |row: &Row| {
            Ok(Gap {
                region: row.get("region")?,
                first_day: row.get("first_day")?,
                last_day: row.get("last_day")?,
                days: row.get("days")?,
                reason: row.get("reason")?,
            })
        };
        rows.iter().map(gap).collect()
    }
}

fn in_rows(ids: &[i64]) -> Vec<(i64,)> {
    ids.iter().map(|id| (*id,)).collect()
}

fn together(rows: &[Row], attempts: &[Row], limit: i64) -> Result<BTreeMap<i64, TargetSlots>, StoreError> {
    let mut by_fetch: BTreeMap<i64, Vec<AttemptHistory>> = BTreeMap::new();
    for row in attempts {
        by_fetch
            .entry(row.get("fetch_id")?)
            .or_default()
            .push(attempt(row)?);
    }
    let mut targets: BTreeMap<i64, TargetSlots> = BTreeMap::new();
    for row in rows {
        let target = targets.entry(row.get("target_id")?).or_default();
        target.of_all = row.get("of_all")?;
        let attempts = by_fetch.remove(&row.get("id")?).unwrap_or_default();
        let slot = slot(row, attempts)?;
        if !slot.forced {
            target.newest_scheduled = Some(slot.clone());
        }
        if row.get::<i64>("place")? <= limit {
            target.slots.push(slot);
        }
    }
    Ok(targets)
}

fn sound_target(row: &Row) -> Result<SoundTarget, StoreError> {
    Ok(SoundTarget {
        id: row.get("id")?,
        title: row.get("title")?,
        region: row.get("region")?,
        period: row.get("period")?,
        schedule: row.get("schedule")?,
        time_zone: row.get("time_zone")?,
        slots_from: row.get("slots_from")?,
        added_at: row.get("added_at")?,
        removed_at: row.get("removed_at")?,
        last_success_at: row.get("last_success_at")?,
    })
}

fn slot(row: &Row, attempts: Vec<AttemptHistory>) -> Result<SlotHistory, StoreError> {
    let outcome: Option<String> = row.get("outcome")?;
    let worker: Option<String> = row.get("worker_id")?;
    let held = match (&outcome, worker) {
        (Some(_), _) => Held::Settled,
        (None, None) => Held::ByNobody,
        (None, Some(_)) if row.get("alive")? => Held::ByWorker,
        (None, Some(_)) => Held::ByGoneWorker,
    };
    Ok(SlotHistory {
        slot_at: row.get("slot_at")?,
        slots: row.get("slots")?,
        forced: row.get("forced")?,
        period_days: row.get("period_days")?,
        period_reason: row.get("period_reason")?,
        outcome,
        reason: row.get("reason")?,
        held,
        claimed_at: row.get("claimed_at")?,
        settled_at: row.get("settled_at")?,
        attempts,
    })
}

fn attempt(row: &Row) -> Result<AttemptHistory, StoreError> {
    Ok(AttemptHistory {
        n: row.get("n")?,
        state: row.get("state")?,
        sent_at: row.get("sent_at")?,
        http_status: row.get("http_status")?,
        api_code: row.get("api_code")?,
        message: row.get("message")?,
        credits: row.get("credits")?,
        latency_ms: row.get("latency_ms")?,
        error: row.get("error")?,
    })
}

/// Instants are RFC 3339 in documents for machines.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "so it is called by serde")]
fn instant<S: Serializer>(at: &i64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&rfc3339(*at))
}

#[allow(clippy::ref_option, reason = "so it is called by serde")]
fn instant_if_any<S: Serializer>(at: &Option<i64>, to: S) -> Result<S::Ok, S::Error> {
    at.map(rfc3339).serialize(to)
}
