//! How things stand, for `status`: what the targets are like, what happened, what is paused.

use serde::Serialize;

use super::pauses::Pause;
use super::{Row, Store, StoreError, rows};
use crate::clock::rfc3339;

/// How a target stands: a row of the view `freshness`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetState {
    /// The sound.
    pub clip_id: String,
    /// What it is called, once an answer has said so.
    pub title: Option<String>,
    /// The market.
    pub region: String,
    /// `7`, `30`, `120` or `auto`.
    pub period: String,
    /// The newest day of its trend.
    pub newest_day: Option<String>,
    /// The newest answer that was stored or confirmed, RFC 3339, UTC.
    pub last_success_at: Option<String>,
    /// The age of that answer.
    pub age_hours: Option<f64>,
    /// See `docs/sql.md`.
    pub state: String,
}

/// How many fetches ended in the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutcomeCount {
    /// See `docs/sql.md`.
    pub outcome: String,
    /// Why, if it was not stored.
    pub reason: Option<String>,
    /// How many slots.
    pub slots: i64,
}

/// A field of the answers that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnknownField {
    /// Its JSON path.
    pub path: String,
    /// How many answers had it.
    pub answers: i64,
    /// RFC 3339, UTC.
    pub last_seen_at: String,
}

impl Store {
    /// The live targets by state, worst first.
    pub async fn target_states(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT state, count(*) AS targets
            FROM freshness
            GROUP BY state
            ORDER BY CASE state
                WHEN 'failing' THEN 0 WHEN 'no_data' THEN 1 WHEN 'stale' THEN 2
                WHEN 'late' THEN 3 WHEN 'new' THEN 4 ELSE 5
            END"
        )?;
        rows.iter()
            .map(|row| Ok((row.get("state")?, row.get("targets")?)))
            .collect()
    }

    /// At most `limit` live targets, the worst and the oldest first.
    pub async fn worst_targets(&self, limit: i64) -> Result<Vec<TargetState>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT
                clip_id,
                title,
                region,
                period,
                CAST(newest_day AS TEXT) AS newest_day,
                substr(CAST(last_success_at AS TEXT), 1, 19) AS last_success_at,
                age_hours,
                state
            FROM freshness
            ORDER BY
                CASE state
                    WHEN 'failing' THEN 0 WHEN 'no_data' THEN 1 WHEN 'stale' THEN 2
                    WHEN 'late' THEN 3 WHEN 'new' THEN 4 ELSE 5
                END,
                coalesce(age_hours, 1e9) DESC,
                clip_id,
                region,
                period
            LIMIT $1",
            limit
        )?;
        rows.iter().map(target_state).collect()
    }

    /// How the slots ended that were settled since an instant.
    pub async fn outcomes_since(&self, since: i64) -> Result<Vec<OutcomeCount>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT outcome, reason, CAST(sum(slots) AS BIGINT) AS slots
            FROM fetches
            WHERE settled_at >= $1
            GROUP BY outcome, reason
            ORDER BY 3 DESC, outcome, reason",
            since
        )?;
        rows.iter()
            .map(|row| {
                Ok(OutcomeCount {
                    outcome: row.get("outcome")?,
                    reason: row.get("reason")?,
                    slots: row.get("slots")?,
                })
            })
            .collect()
    }

    /// All keys that are paused: their fingerprints and pauses.
    pub async fn pauses(&self) -> Result<Vec<(String, Pause)>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT key_fingerprint, reason, since, until, target_id
            FROM key_pauses
            ORDER BY until DESC, key_fingerprint"
        )?;
        rows.iter()
            .map(|row| Ok((row.get("key_fingerprint")?, super::pauses::pause(row)?)))
            .collect()
    }

    /// The fields of answers that this version does not know, the most frequent first.
    pub async fn unknown_fields(&self) -> Result<Vec<UnknownField>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT path, answers, last_seen_at FROM unknown_fields ORDER BY answers DESC, path"
        )?;
        rows.iter()
            .map(|row| {
                Ok(UnknownField {
                    path: row.get("path")?,
                    answers: row.get("answers")?,
                    last_seen_at: rfc3339(row.get("last_seen_at")?),
                })
            })
            .collect()
    }
}

fn target_state(row: &Row) -> Result<TargetState, StoreError> {
    let at: Option<String> = row.get("last_success_at")?;
    Ok(TargetState {
        clip_id: row.get("clip_id")?,
        title: row.get("title")?,
        region: row.get("region")?,
        period: row.get("period")?,
        newest_day: row.get("newest_day")?,
        last_success_at: at.map(|at| format!("{}Z", at.replace(' ', "T"))),
        age_hours: row.get("age_hours")?,
        state: row.get("state")?,
    })
}
