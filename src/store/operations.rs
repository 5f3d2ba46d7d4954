//! What went well and wrong, for the page: outcomes by day, and the newest slots that went wrong.

use super::{Row, Store, StoreError, rows};

/// How many slots of a day ended in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayOutcome {
    /// Of the settling, UTC, days since 1970-01-01.
    pub day: i64,
    /// See `docs/sql.md`.
    pub outcome: String,
    /// How many slots.
    pub slots: i64,
}

/// A slot that brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The sound.
    pub clip_id: String,
    /// What it is called, once an answer has said so.
    pub title: Option<String>,
    /// The market.
    pub region: String,
    /// Unix seconds.
    pub slot_at: i64,
    /// See `docs/sql.md`.
    pub outcome: String,
    /// Why.
    pub reason: Option<String>,
    /// What was wrong with the last request.
    pub error: Option<String>,
}

impl Store {
    /// Outcomes of slots that were settled since an instant, by day.
    pub async fn outcomes_by_day(&self, since: i64) -> Result<Vec<DayOutcome>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT settled_at / 86400 AS day, outcome, CAST(sum(slots) AS BIGINT) AS slots
            FROM fetches
            WHERE settled_at >= $1
            GROUP BY settled_at / 86400, outcome
            ORDER BY day DESC, outcome",
            since
        )?;
        rows.iter()
            .map(|row| {
                Ok(DayOutcome {
                    day: row.get("day")?,
                    outcome: row.get("outcome")?,
                    slots: row.get("slots")?,
                })
            })
            .collect()
    }

    /// The newest slots that went wrong, the newest first.
    pub async fn newest_wrong(&self, limit: i64) -> Result<Vec<Wrong>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "WITH newest AS MATERIALIZED (
                SELECT id, target_id, slot_at, outcome, reason
                FROM fetches
                WHERE outcome IN ('failed', 'rejected', 'no_data')
                ORDER BY slot_at DESC
                LIMIT $1
            )
            SELECT t.clip_id, o.title, t.region, n.slot_at, n.outcome, n.reason, (
                SELECT a.error FROM attempts AS a WHERE a.fetch_id = n.id ORDER BY a.n DESC LIMIT 1
            ) AS error
            FROM newest AS n
            JOIN targets AS t ON t.id = n.target_id
            LEFT JOIN sounds AS o ON o.clip_id = t.clip_id
            ORDER BY n.slot_at DESC, t.clip_id, t.region",
            limit
        )?;
        rows.iter().map(wrong).collect()
    }
}

fn wrong(row: &Row) -> Result<Wrong, StoreError> {
    Ok(Wrong {
        clip_id: row.get("clip_id")?,
        title: row.get("title")?,
        region: row.get("region")?,
        slot_at: row.get("slot_at")?,
        outcome: row.get("outcome")?,
        reason: row.get("reason")?,
        error: row.get("error")?,
    })
}
