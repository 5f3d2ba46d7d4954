//! What the ledger knows of charts that were read.

use serde::Serialize;

use crate::model::{Chart, ClipId};
use crate::store::settle::Payload;
use crate::store::{Row, Store, StoreError, json_rows, rows};

/// How a reading stands, and what it has cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChartState {
    /// `None` while it is open.
    pub outcome: Option<String>,
    /// Why it is not stored.
    pub reason: Option<String>,
    /// Pages that have been read.
    pub pages_read: i64,
    /// Requests sent.
    pub requests: i64,
    /// Counted for them.
    pub credits: i64,
    /// What was wrong with the last request.
    pub error: Option<String>,
}

/// Where a sound has not been seen since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffChart {
    /// The sound.
    pub clip_id: ClipId,
    /// When the first whole reading came that it was not on; unix seconds.
    pub since: i64,
}

/// A sound on a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// The sound.
    pub clip_id: ClipId,
    /// What it is called.
    pub title: Option<String>,
    /// By whom.
    pub author: Option<String>,
}

/// Where a sound stood on a chart that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rank {
    /// The chart's market.
    pub region: String,
    /// The days that it ranks by.
    pub period_days: i64,
    /// Only sounds that are new to the first hundred.
    pub new_to_top_100: bool,
    /// Only those of the Commercial Music Library.
    pub commercial: bool,
    /// When it was read, unix seconds.
    pub seen_at: i64,
    /// From 1, as the pages listed them.
    pub position: i64,
    /// As the API says it.
    pub rank: Option<i64>,
}

impl Store {
    /// The newest ranks of a sound on charts, the newest first.
    pub async fn ranks_of(&self, clip: &str, limit: i64) -> Result<Vec<Rank>, StoreError> {
        let mut tx = self.read().await?;
        let found = rows!(
            &mut tx,
            "SELECT e.region, e.period, f.new_to_top_100, f.commercial, e.seen_at, e.position, e.rank
            FROM chart_entries AS e
            JOIN chart_fetches AS f ON f.id = e.chart_fetch_id
            WHERE e.clip_id = $1
            ORDER BY e.seen_at DESC, e.region, e.period, e.position
            LIMIT $2",
            clip,
            limit
        )?;
        let rank = |row: &Row| {
            Ok(Rank {
                region: row.get("region")?,
                period_days: row.get("period")?,
                new_to_top_100: row.get("new_to_top_100")?,
                commercial: row.get("commercial")?,
                seen_at: row.get("seen_at")?,
                position: row.get("position")?,
                rank: row.get("rank")?,
            })
        };
        found.iter().map(rank).collect()
    }

    /// How a reading stands.
    pub async fn chart_state(&self, id: i64) -> Result<Option<ChartState>, StoreError> {
        let mut tx = self.read().await?;
        let found = rows!(
            &mut tx,
            "SELECT
                f.outcome,
                f.reason,
                f.pages_read,
                (SELECT count(*) FROM chart_requests AS r WHERE r.chart_fetch_id = f.id AND r.state <> 'not_sent')
                    AS requests,
                (
                    SELECT CAST(coalesce(sum(r.credits), 0) AS BIGINT)
                    FROM chart_requests AS r
                    WHERE r.chart_fetch_id = f.id
                ) AS credits,
                (SELECT r.error FROM chart_requests AS r WHERE r.chart_fetch_id = f.id ORDER BY r.id DESC LIMIT 1)
                    AS error
            FROM chart_fetches AS f
            WHERE f.id = $1",
            id
        )?;
        let state = |row: &Row| {
            Ok(ChartState {
                outcome: row.get("outcome")?,
                reason: row.get("reason")?,
                pages_read: row.get("pages_read")?,
                requests: row.get("requests")?,
                credits: row.get("credits")?,
                error: row.get("error")?,
            })
        };
        found.first().map(state).transpose()
    }

    /// The newest reading of a chart that was read to its end.
    pub async fn newest_chart(&self, chart: &Chart) -> Result<Option<i64>, StoreError> {
        let mut tx = self.read().await?;
        let found = rows!(
            &mut tx,
            "SELECT id
            FROM chart_fetches
            WHERE region = $1 AND period = $2 AND new_to_top_100 = $3 AND commercial = $4 AND outcome = 'stored'
            ORDER BY slot_at DESC, id DESC
            LIMIT 1",
            chart.region.as_str(),
            chart.window.days(),
            chart.new_to_top_100,
            chart.commercial
        )?;
        found.first().map(|row| row.get("id")).transpose()
    }

    /// The kept answers of a reading, in the order of its pages.
    pub async fn chart_answers(&self, id: i64) -> Result<Vec<(i64, Payload)>, StoreError> {
        let mut tx = self.read().await?;
        let found = rows!(
            &mut tx,
            "SELECT r.page, p.hash, p.body, p.size_bytes
            FROM chart_requests AS r
            JOIN payloads AS p ON p.hash = r.payload_hash
            WHERE r.chart_fetch_id = $1 AND r.http_status = 200
            ORDER BY r.page, r.n",
            id
        )?;
        let answer = |row: &Row| {
            let hash: Vec<u8> = row.get("hash")?;
            let hash = hash
                .try_into()
                .map_err(|_| StoreError::Unreadable("a hash of another length".to_owned()))?;
            let payload = Payload {
                hash,
                body: row.get("body")?,
                size_bytes: row.get("size_bytes")?,
            };
            Ok((row.get("page")?, payload))
        };
        found.iter().map(answer).collect()
    }

    /// Since when each of these sounds is off a chart: the first whole reading after the last one that had
    /// it. Sounds that are on the newest one are not told.
    pub async fn off_chart(&self, chart: &Chart, clips: &[ClipId]) -> Result<Vec<OffChart>, StoreError> {
        let mut tx = self.read().await?;
        let found = rows!(
            &mut tx,
            "WITH readings AS (
                SELECT id, slot_at
                FROM chart_fetches
                WHERE region = $2 AND period = $3 AND new_to_top_100 = $4 AND commercial = $5 AND outcome = 'stored'
            )
            SELECT c.value->>0 AS clip_id, (
                SELECT min(r.slot_at)
                FROM readings AS r
                WHERE r.slot_at > coalesce(
                    (
                        SELECT max(r2.slot_at)
                        FROM chart_entries AS e
                        JOIN readings AS r2 ON r2.id = e.chart_fetch_id
                        WHERE e.clip_id = c.value->>0
                    ),
                    0
                )
            ) AS since
            FROM json_each($1) AS c",
            json_rows(&clips.iter().map(|clip| (clip.as_str(),)).collect::<Vec<_>>())?,
            chart.region.as_str(),
            chart.window.days(),
            chart.new_to_top_100,
            chart.commercial
        )?;
        let mut off = Vec::new();
        for row in &found {
            if let Some(since) = row.get("since")? {
                off.push(OffChart {
                    clip_id: row.parse("clip_id")?,
                    since,
                });
            }
        }
        Ok(off)
    }

    /// The first sounds of the newest reading of a chart that was read to its end.
    pub async fn top_of_chart(&self, chart: &Chart, top: i64) -> Result<Vec<Ranked>, StoreError> {
        let Some(id) = self.newest_chart(chart).await? else {
            return Ok(Vec::new());
        };
        let mut tx = self.read().await?;
        let found = rows!(
            &mut tx,
            "SELECT e.clip_id, o.title, o.author
            FROM chart_entries AS e
            LEFT JOIN sounds AS o ON o.clip_id = e.clip_id
            WHERE e.chart_fetch_id = $1
            ORDER BY e.position
            LIMIT $2",
            id,
            top
        )?;
        let ranked = |row: &Row| {
            Ok(Ranked {
                clip_id: row.parse("clip_id")?,
                title: row.get("title")?,
                author: row.get("author")?,
            })
        };
        found.iter().map(ranked).collect()
    }
}
