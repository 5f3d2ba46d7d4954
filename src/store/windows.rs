//! The newest windows of all targets, as tables and charts show them.

use serde::Serialize;

use super::{Row, Store, StoreError, rows};
use crate::clock::day_name;

/// A target with its newest window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetWindow {
    /// The sound.
    pub clip_id: String,
    /// What it is called, once an answer has said so.
    pub title: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// The market.
    pub region: String,
    /// `7`, `30`, `120` or `auto`.
    pub period: String,
    /// How many different answers are kept.
    pub snapshots: i64,
    /// How many days these tell of, all together.
    pub days_kept: i64,
    /// See `docs/sql.md`.
    pub state: String,
    /// The newest window, oldest day first; empty before the first answer.
    pub window: Vec<DayValue>,
}

impl TargetWindow {
    /// The newest day that is known.
    pub fn newest_day(&self) -> Option<&str> {
        self.window.last().map(|point| point.day.as_str())
    }
}

/// One day of a window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DayValue {
    /// `2026-02-01`.
    pub day: String,
    /// Relative to the best day of its own window.
    pub value: f64,
}

/// A query for people to paste into SQLite: which sounds rise, from views that are the same in every version. `last_fetched_at` and not the
/// day on which it is asked: a demo can be looked at later.
pub const RISING: &str = "SELECT title, region, count(DISTINCT day) AS days,
    round(avg(value) FILTER (WHERE is_latest AND
      day > date(last_fetched_at, '-4 days')), 2) AS last_3_days,
    round(avg(value) FILTER (WHERE is_latest AND
      day <= date(last_fetched_at, '-4 days')), 2) AS before
  FROM trend_history GROUP BY clip_id, region
  ORDER BY last_3_days / before DESC";

impl Store {
    /// All live targets with their newest windows, by title.
    pub async fn newest_windows(&self) -> Result<Vec<TargetWindow>, StoreError> {
        let mut tx = self.read().await?;
        let targets = rows!(
            &mut tx,
            "SELECT
                t.id,
                t.clip_id,
                o.title,
                o.author,
                t.region,
                t.period,
                (SELECT count(*) FROM snapshots AS s WHERE s.target_id = t.id) AS snapshots,
                (
                    SELECT count(DISTINCT p.time)
                    FROM snapshots AS s
                    JOIN trend_points AS p ON p.snapshot_id = s.id
                    WHERE s.target_id = t.id
                ) AS days_kept,
                f.state
            FROM targets AS t
            JOIN freshness AS f ON f.clip_id = t.clip_id AND f.region = t.region AND f.period = t.period
            LEFT JOIN sounds AS o ON o.clip_id = t.clip_id
            WHERE t.removed_at IS NULL
            ORDER BY o.title, t.clip_id, t.region, t.period"
        )?;
        let points = rows!(
            &mut tx,
            "SELECT t.id, p.time, p.value
            FROM targets AS t
            JOIN snapshots AS s ON s.id = (
                SELECT n.id
                FROM snapshots AS n
                WHERE n.target_id = t.id
                ORDER BY n.last_fetched_at DESC, n.id DESC
                LIMIT 1
            )
            JOIN trend_points AS p ON p.snapshot_id = s.id
            WHERE t.removed_at IS NULL
            ORDER BY t.id, p.time"
        )?;
        let mut windows = std::collections::BTreeMap::<i64, Vec<DayValue>>::new();
        for row in points {
            let point = DayValue {
                day: day_name(row.get("time")?),
                value: row.get("value")?,
            };
            windows.entry(row.get("id")?).or_default().push(point);
        }
        targets
            .iter()
            .map(|row| {
                let window = windows.remove(&row.get("id")?).unwrap_or_default();
                target(row, window)
            })
            .collect()
    }
}

fn target(row: &Row, window: Vec<DayValue>) -> Result<TargetWindow, StoreError> {
    Ok(TargetWindow {
        clip_id: row.get("clip_id")?,
        title: row.get("title")?,
        author: row.get("author")?,
        region: row.get("region")?,
        period: row.get("period")?,
        snapshots: row.get("snapshots")?,
        days_kept: row.get("days_kept")?,
        state: row.get("state")?,
        window,
    })
}
