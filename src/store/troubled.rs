//! Targets that have been in trouble for several slots in a row.

use super::{Row, Store, StoreError, rows};
use crate::model::AlertKind;

/// Targets that are named one by one, of each kind.
const NAMED: i64 = 5;

/// The targets that are in one kind of trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Troubled {
    /// `Failing`, `NoData` or `Stale`.
    pub kind: AlertKind,
    /// How many there are.
    pub targets: i64,
    /// When the last of them came to it, unix seconds; 0 when that was before its last slot.
    pub grown_at: i64,
    /// A few of them, the last that came first: title, sound, region and period.
    pub names: Vec<String>,
}

impl Store {
    /// The targets whose newest `slots` asked slots have brought nothing, or nothing new. Of each target
    /// only its newest rows are read, and at most a few targets come back.
    pub async fn troubled(&self, slots: i64) -> Result<Vec<Troubled>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(&mut tx, TROUBLED, slots, NAMED)?;
        let mut all: Vec<Troubled> = Vec::new();
        for row in &rows {
            let kind = row.parse("kind")?;
            let name = name(row)?;
            match all.last_mut().filter(|last| last.kind == kind) {
                Some(last) => last.names.push(name),
                None => all.push(Troubled {
                    kind,
                    targets: row.get("targets")?,
                    grown_at: row.get("grown_at")?,
                    names: vec![name],
                }),
            }
        }
        Ok(all)
    }
}

fn name(row: &Row) -> Result<String, StoreError> {
    let clip: String = row.get("clip_id")?;
    let (region, period): (String, String) = (row.get("region")?, row.get("period")?);
    let target = format!("{clip} {region} {period}");
    let title: Option<String> = row.get("title")?;
    Ok(title.map_or_else(|| target.clone(), |title| format!("{title} ({target})")))
}

/// `worse` are those that failed or had no data: the last slot says which. Who has done so once more than
/// is asked for came to it earlier. `stale` is as in the view `freshness`, since so many good answers.
const TROUBLED: &str = "WITH last_asked AS (
    SELECT
        t.id, t.clip_id, t.region, t.period,
        (
            SELECT f.outcome FROM fetches AS f
            WHERE f.target_id = t.id AND f.outcome <> 'skipped'
            ORDER BY f.slot_at DESC
            LIMIT 1
        ) AS outcome
    FROM targets AS t
    WHERE t.removed_at IS NULL
),
worse AS (
    SELECT
        l.id, l.clip_id, l.region, l.period,
        CASE l.outcome WHEN 'no_data' THEN 'no_data' ELSE 'failing' END AS kind,
        (
            SELECT CASE
                WHEN count(*) > $1 AND sum(newest.bad) > $1 THEN 0
                WHEN sum(CASE WHEN newest.n <= $1 THEN newest.bad ELSE 0 END) = $1 THEN max(newest.settled_at)
            END
            FROM (
                SELECT
                    f.settled_at,
                    CASE WHEN f.outcome IN ('failed', 'rejected', 'no_data') THEN 1 ELSE 0 END AS bad,
                    row_number() OVER (ORDER BY f.slot_at DESC) AS n
                FROM fetches AS f
                WHERE f.target_id = l.id AND f.outcome <> 'skipped'
                ORDER BY f.slot_at DESC
                LIMIT $1 + 1
            ) AS newest
        ) AS since
    FROM last_asked AS l
    WHERE l.outcome IN ('failed', 'rejected', 'no_data')
),
newest_day AS (
    SELECT
        l.id, l.clip_id, l.region, l.period,
        s.last_fetched_at,
        CASE WHEN s.step_seconds > 86400 THEN s.step_seconds / 86400 ELSE 1 END AS step_days,
        (SELECT max(p.time) FROM trend_points AS p WHERE p.snapshot_id = s.id) / 86400 AS day
    FROM last_asked AS l
    JOIN snapshots AS s ON s.id = (
        SELECT n.id FROM snapshots AS n
        WHERE n.target_id = l.id
        ORDER BY n.last_fetched_at DESC, n.id DESC
        LIMIT 1
    )
    WHERE l.outcome IN ('stored', 'confirmed')
),
stale AS (
    SELECT
        d.id, d.clip_id, d.region, d.period,
        'stale' AS kind,
        (
            SELECT f.settled_at FROM fetches AS f
            WHERE f.target_id = d.id
                AND f.slot_at >= (d.day + 3 * d.step_days + 1) * 86400
                AND f.outcome IN ('stored', 'confirmed')
            ORDER BY f.slot_at
            LIMIT 1 OFFSET $1 - 1
        ) AS since
    FROM newest_day AS d
    WHERE d.last_fetched_at / 86400 - d.day > 3 * d.step_days
),
troubled AS (
    SELECT
        a.kind, a.clip_id, a.region, a.period,
        count(*) OVER (PARTITION BY a.kind) AS targets,
        max(a.since) OVER (PARTITION BY a.kind) AS grown_at,
        row_number() OVER (PARTITION BY a.kind ORDER BY a.since DESC, a.clip_id, a.region, a.period) AS n
    FROM (SELECT * FROM worse UNION ALL SELECT * FROM stale) AS a
    WHERE a.since IS NOT NULL
)
SELECT a.kind, a.clip_id, a.region, a.period, a.targets, a.grown_at, o.title
FROM troubled AS a
LEFT JOIN sounds AS o ON o.clip_id = a.clip_id
WHERE a.n <= $2
ORDER BY a.kind, a.n";
