//! What became of fetches, as commands report it.

use serde::Serialize;

use super::{Row, Store, StoreError, rows};
use crate::clock::rfc3339;

/// What became of one fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FetchResult {
    /// The sound.
    pub clip_id: String,
    /// The market.
    pub region: String,
    /// `7`, `30`, `120` or `auto`.
    pub period: String,
    /// The slot, RFC 3339, UTC.
    pub slot_at: String,
    /// See `docs/sql.md`; `None` while it is open.
    pub outcome: Option<String>,
    /// Why it was not stored.
    pub reason: Option<String>,
    /// Requests made.
    pub attempts: i64,
    /// Credits counted as spent.
    pub credits: i64,
}

/// What came of the last request of a fetch; all `None` when none was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LastAttempt {
    /// Of the answer.
    pub http_status: Option<i64>,
    /// What was wrong.
    pub error: Option<String>,
    /// Until the answer was complete.
    pub latency_ms: Option<i64>,
}

/// How far fetches are that were handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandOver {
    /// All of them.
    pub handed_over: i64,
    /// Those that are settled.
    pub settled: i64,
}

/// The SELECT of fetches as commands report them, with its last clauses.
macro_rules! fetch_results {
    ($clauses:literal) => {
        concat!(
            "SELECT
                t.clip_id,
                t.region,
                t.period,
                f.slot_at,
                f.outcome,
                f.reason,
                (SELECT count(*) FROM attempts AS a WHERE a.fetch_id = f.id) AS attempts,
                (SELECT CAST(coalesce(sum(a.credits), 0) AS BIGINT) FROM attempts AS a WHERE a.fetch_id = f.id) AS credits
            FROM targets AS t
            JOIN fetches AS f ON f.target_id = t.id
            ",
            $clauses
        )
    };
}

impl Store {
    /// The fetches that a worker has settled since an instant, in the order of target and slot.
    pub async fn settled_by(&self, worker: &str, since: i64) -> Result<Vec<FetchResult>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            fetch_results!(
                "WHERE f.settled_at >= $2 AND f.worker_id = $1
                ORDER BY t.clip_id, t.region, t.period, f.slot_at"
            ),
            worker,
            since
        )?;
        rows.iter().map(fetch_result).collect()
    }

    /// The settled ones of the fetches that were handed over for a minute, for these sounds or for all.
    pub async fn handed_over(
        &self,
        clips: Option<&[String]>,
        slot_at: i64,
    ) -> Result<Vec<FetchResult>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            fetch_results!(
                "WHERE f.slot_at = $2
                    AND f.outcome IS NOT NULL
                    AND ($3 OR t.clip_id IN (SELECT r.value->>0 FROM json_each($1) AS r))
                ORDER BY t.clip_id, t.region, t.period"
            ),
            clip_rows(clips)?,
            slot_at,
            clips.is_none()
        )?;
        rows.iter().map(fetch_result).collect()
    }

    /// How many fetches were handed over for a minute, for these sounds or for all, and how many of
    /// them are settled.
    pub async fn hand_over_state(
        &self,
        clips: Option<&[String]>,
        slot_at: i64,
    ) -> Result<HandOver, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT count(*) AS handed_over, count(f.outcome) AS settled
            FROM targets AS t
            JOIN fetches AS f ON f.target_id = t.id AND f.slot_at = $2
            WHERE $3 OR t.clip_id IN (SELECT r.value->>0 FROM json_each($1) AS r)",
            clip_rows(clips)?,
            slot_at,
            clips.is_none()
        )?;
        match rows.first() {
            Some(row) => Ok(HandOver {
                handed_over: row.get("handed_over")?,
                settled: row.get("settled")?,
            }),
            None => Ok(HandOver::default()),
        }
    }

    /// What became of one slot of a target, and of its last attempt; `None` while it is open.
    pub async fn result_of(
        &self,
        target_id: i64,
        slot_at: i64,
    ) -> Result<Option<(FetchResult, LastAttempt)>, StoreError> {
        let mut tx = self.read().await?;
        let results = rows!(
            &mut tx,
            fetch_results!("WHERE t.id = $1 AND f.slot_at = $2 AND f.outcome IS NOT NULL"),
            target_id,
            slot_at
        )?;
        let attempts = rows!(
            &mut tx,
            "SELECT a.http_status, a.error, a.latency_ms
            FROM fetches AS f
            JOIN attempts AS a ON a.fetch_id = f.id
            WHERE f.target_id = $1 AND f.slot_at = $2
            ORDER BY a.n DESC
            LIMIT 1",
            target_id,
            slot_at
        )?;
        let Some(result) = results.first() else {
            return Ok(None);
        };
        let last = match attempts.first() {
            Some(row) => LastAttempt {
                http_status: row.get("http_status")?,
                error: row.get("error")?,
                latency_ms: row.get("latency_ms")?,
            },
            None => LastAttempt::default(),
        };
        Ok(Some((fetch_result(result)?, last)))
    }

    /// Which of these sounds are not watched.
    pub async fn unwatched(&self, clips: &[String]) -> Result<Vec<String>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT r.value->>0 AS clip_id
            FROM json_each($1) AS r
            WHERE NOT EXISTS (SELECT 1 FROM targets AS t WHERE t.clip_id = r.value->>0 AND t.removed_at IS NULL)",
            clip_rows(Some(clips))?
        )?;
        rows.iter().map(|row| row.get("clip_id")).collect()
    }
}

fn clip_rows(clips: Option<&[String]>) -> Result<String, StoreError> {
    let rows: Vec<(&str,)> = clips
        .unwrap_or_default()
        .iter()
        .map(|clip| (clip.as_str(),))
        .collect();
    super::json_rows(&rows)
}

fn fetch_result(row: &Row) -> Result<FetchResult, StoreError> {
    Ok(FetchResult {
        clip_id: row.get("clip_id")?,
        region: row.get("region")?,
        period: row.get("period")?,
        slot_at: rfc3339(row.get("slot_at")?),
        outcome: row.get("outcome")?,
        reason: row.get("reason")?,
        attempts: row.get("attempts")?,
        credits: row.get("credits")?,
    })
}
