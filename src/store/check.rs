//! Whether the database holds together: the file itself, and what the tables promise each other.

use std::fmt;

use serde::Serialize;

use super::{Store, StoreError, Tx, rows};

/// Something that should not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What does not hold.
    pub rule: String,
    /// How many rows break it.
    pub rows: i64,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} rows", self.rule, self.rows)
    }
}

/// Rules that no constraint of the tables can express.
const RULES: [(&str, &str); 10] = [
    (
        "credit_days equals the credits of attempts and chart_requests by day",
        "SELECT count(*) AS n
        FROM (
            SELECT day, sum(credits) AS credits
            FROM (
                SELECT sent_at / 86400 AS day, credits FROM attempts
                UNION ALL
                SELECT sent_at / 86400 AS day, credits FROM chart_requests
                UNION ALL
                SELECT day, -credits FROM credit_days
            ) AS both_sides
            GROUP BY day
            HAVING sum(credits) <> 0
        ) AS unequal",
    ),
    (
        "a stored or confirmed fetch has a snapshot of its target",
        "SELECT count(*) AS n
        FROM fetches AS f
        LEFT JOIN snapshots AS s ON s.id = f.snapshot_id AND s.target_id = f.target_id
        WHERE f.outcome IN ('stored', 'confirmed') AND s.id IS NULL",
    ),
    (
        "a snapshot has trend points",
        "SELECT count(*) AS n
        FROM snapshots AS s
        WHERE NOT EXISTS (SELECT 1 FROM trend_points AS p WHERE p.snapshot_id = s.id)",
    ),
    (
        "a snapshot has the fetch that stored it and one for each confirmation",
        "SELECT count(*) AS n
        FROM snapshots AS s
        LEFT JOIN (
            SELECT
                snapshot_id,
                count(CASE WHEN outcome = 'stored' THEN 1 END) AS stored,
                count(CASE WHEN outcome = 'confirmed' THEN 1 END) AS confirmed
            FROM fetches
            GROUP BY snapshot_id
        ) AS f ON f.snapshot_id = s.id
        WHERE coalesce(f.stored, 0) <> 1 OR f.confirmed <> s.confirmations",
    ),
    (
        "the attempts of a fetch are numbered without a gap",
        "SELECT count(*) AS n
        FROM (SELECT fetch_id FROM attempts GROUP BY fetch_id HAVING max(n) <> count(*)) AS a",
    ),
    (
        "no attempt is under way for a fetch that is settled",
        "SELECT count(*) AS n
        FROM attempts AS a
        JOIN fetches AS f ON f.id = a.fetch_id
        WHERE a.state = 'sent' AND f.outcome IS NOT NULL",
    ),
    (
        "no request is under way for a chart that is settled",
        "SELECT count(*) AS n
        FROM chart_requests AS r
        JOIN chart_fetches AS f ON f.id = r.chart_fetch_id
        WHERE r.state = 'sent' AND f.outcome IS NOT NULL",
    ),
    (
        "a stored chart has entries",
        "SELECT count(*) AS n
        FROM chart_fetches AS f
        WHERE f.outcome = 'stored'
            AND NOT EXISTS (SELECT 1 FROM chart_entries AS e WHERE e.chart_fetch_id = f.id)",
    ),
    (
        "index_state names the newest day of the index",
        "SELECT count(*) AS n
        FROM index_state AS i
        WHERE i.newest_day IS DISTINCT FROM (
                SELECT max(x.day) FROM trend_index AS x WHERE x.clip_id = i.clip_id AND x.region = i.region
            )
            AND NOT EXISTS (SELECT 1 FROM index_due AS d WHERE d.clip_id = i.clip_id AND d.region = i.region)",
    ),
    (
        "index_lags has the sums of index_state",
        "SELECT count(*) AS n
        FROM index_lags AS l
        WHERE l.pairs <> (
                SELECT coalesce(sum(CASE l.lag WHEN 0 THEN i.pairs_0 WHEN 1 THEN i.pairs_1 WHEN 2 THEN i.pairs_2 WHEN 3 THEN i.pairs_3 WHEN 4 THEN i.pairs_4 END), 0)
                FROM index_state AS i
            )
            OR l.violations <> (
                SELECT coalesce(sum(CASE l.lag WHEN 0 THEN i.violations_0 WHEN 1 THEN i.violations_1 WHEN 2 THEN i.violations_2 WHEN 3 THEN i.violations_3 WHEN 4 THEN i.violations_4 END), 0)
                FROM index_state AS i
            )",
    ),
];

impl Store {
    /// Everything that does not hold; empty when all is well. Changes nothing.
    pub async fn check(&self) -> Result<Vec<Finding>, StoreError> {
        let mut tx = self.read().await?;
        let mut findings = file_findings(&mut tx).await?;
        for (rule, sql) in RULES {
            let rows = rows!(&mut tx, sql)?;
            let broken: i64 = rows.first().map_or(Ok(0), |row| row.get("n"))?;
            if broken > 0 {
                findings.push(Finding {
                    rule: rule.to_owned(),
                    rows: broken,
                });
            }
        }
        Ok(findings)
    }
}

/// SQLite's own check of the file and of foreign keys; Postgres sees to both by itself.
async fn file_findings(tx: &mut Tx) -> Result<Vec<Finding>, StoreError> {
    if matches!(tx, Tx::Postgres(_)) {
        return Ok(Vec::new());
    }
    let mut findings = Vec::new();
    for row in rows!(tx, "SELECT integrity_check AS said FROM pragma_integrity_check")? {
        let said: String = row.get("said")?;
        if said != "ok" {
            findings.push(Finding {
                rule: format!("the file is sound ({said})"),
                rows: 1,
            });
        }
    }
    let orphans = rows!(
        tx,
        "SELECT \"table\" AS name, count(*) AS n FROM pragma_foreign_key_check GROUP BY 1"
    )?;
    for row in orphans {
        let rule = format!(
            "every row of {} has the rows it refers to",
            row.get::<String>("name")?
        );
        findings.push(Finding {
            rule,
            rows: row.get("n")?,
        });
    }
    Ok(findings)
}
