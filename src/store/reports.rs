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

impl Store {
    /// The fetches that a worker has settled since an instant, in the order of target and slot.
    pub async fn settled_by(&self, worker: &str, since: i64) -> Result<Vec<FetchResult>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT
                t.clip_id,
                t.region,
                t.period,
                f.slot_at,
                f.outcome,
                f.reason,
                (SELECT count(*) FROM attempts AS a WHERE a.fetch_id = f.id) AS attempts,
                (SELECT CAST(coalesce(sum(a.credits), 0) AS BIGINT) FROM attempts AS a WHERE a.fetch_id = f.id) AS credits
            FROM fetches AS f
            JOIN targets AS t ON t.id = f.target_id
            WHERE f.settled_at >= $2 AND f.worker_id = $1
            ORDER BY t.clip_id, t.region, t.period, f.slot_at",
            worker,
            since
        )?;
        rows.iter().map(fetch_result).collect()
    }

    /// The fetches that were handed over for a minute, for these sounds or for all.
    pub async fn handed_over(
        &self,
        clips: Option<&[String]>,
        slot_at: i64,
    ) -> Result<Vec<FetchResult>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
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
            JOIN fetches AS f ON f.target_id = t.id AND f.slot_at = $1
            ORDER BY t.clip_id, t.region, t.period",
            slot_at
        )?;
        let results: Result<Vec<FetchResult>, StoreError> = rows.iter().map(fetch_result).collect();
        let wanted = |result: &FetchResult| clips.is_none_or(|clips| clips.contains(&result.clip_id));
        Ok(results?.into_iter().filter(wanted).collect())
    }

    /// Which of these sounds are not watched.
    pub async fn unwatched(&self, clips: &[String]) -> Result<Vec<String>, StoreError> {
        let mut tx = self.read().await?;
        let clips: Vec<(&str,)> = clips.iter().map(|clip| (clip.as_str(),)).collect();
        let rows = rows!(
            &mut tx,
            "SELECT r.value->>0 AS clip_id
            FROM json_each($1) AS r
            WHERE NOT EXISTS (SELECT 1 FROM targets AS t WHERE t.clip_id = r.value->>0 AND t.removed_at IS NULL)",
            super::json_rows(&clips)?
        )?;
        rows.iter().map(|row| row.get("clip_id")).collect()
    }
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
