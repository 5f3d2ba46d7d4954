//! What is known of sounds in regions: index, windows, audience. Everything comes for a list of
//! them at once.

use std::collections::BTreeMap;

use super::trend_index::index_day;
use super::{Row, Store, StoreError, json_rows, rows};
use crate::clock::DAY;
use crate::history::{Audience, Audiences, Score, Windows};
use crate::model::SeriesKey;
use crate::trend::IndexDay;

/// Who listened, by `snapshots.id`.
type Snapshots = BTreeMap<i64, Audience>;

impl Store {
    /// The index of each, from a day on (since 1970-01-01), ascending.
    pub async fn index_of(
        &self,
        keys: &[SeriesKey],
        from_day: i64,
    ) -> Result<BTreeMap<SeriesKey, Vec<IndexDay>>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "WITH r AS MATERIALIZED (SELECT value->>0 AS clip_id, value->>1 AS region FROM json_each($1))
            SELECT x.clip_id, x.region, x.day, x.value, x.low, x.high, x.segment, x.provisional
            FROM r
            JOIN trend_index AS x ON x.clip_id = r.clip_id AND x.region = r.region AND x.day >= $2
            ORDER BY x.clip_id, x.region, x.day",
            keys_json(keys)?,
            from_day
        )?;
        by_series(&rows)
    }

    /// The newest `days` days of the index of each, ascending, and the best day of its newest segment before
    /// these: enough to tell how it stands.
    pub async fn newest_index_of(
        &self,
        keys: &[SeriesKey],
        days: i64,
    ) -> Result<BTreeMap<SeriesKey, Vec<IndexDay>>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(&mut tx, NEWEST_INDEX, keys_json(keys)?, days)?;
        by_series(&rows)
    }

    /// The windows behind the index of each, by length and distance of points.
    pub async fn windows_of(
        &self,
        keys: &[SeriesKey],
    ) -> Result<BTreeMap<SeriesKey, Vec<Windows>>, StoreError> {
        let mut tx = self.read().await?;
        let kinds = rows!(&mut tx, WINDOWS, keys_json(keys)?)?;
        let newest: Vec<i64> = kinds
            .iter()
            .map(|row| row.get("newest_id"))
            .collect::<Result<_, _>>()?;
        let points = rows!(
            &mut tx,
            "WITH r AS MATERIALIZED (SELECT CAST(value->>0 AS BIGINT) AS id FROM json_each($1))
            SELECT p.snapshot_id, p.time, p.value
            FROM r
            JOIN trend_points AS p ON p.snapshot_id = r.id
            ORDER BY p.snapshot_id, p.time",
            ids_json(&newest)?
        )?;
        let mut of_snapshot: BTreeMap<i64, Vec<(i64, f64)>> = BTreeMap::new();
        for row in &points {
            let time: i64 = row.get("time")?;
            let point = (time.div_euclid(DAY), row.get("value")?);
            of_snapshot
                .entry(row.get("snapshot_id")?)
                .or_default()
                .push(point);
        }
        let mut windows: BTreeMap<SeriesKey, Vec<Windows>> = BTreeMap::new();
        for row in &kinds {
            let points = of_snapshot.remove(&row.get("newest_id")?).unwrap_or_default();
            windows.entry(key(row)?).or_default().push(kind(row, points)?);
        }
        Ok(windows)
    }

    /// Who listens to each, and who did a week and a month before that.
    ///
    /// The newest snapshot that tells of it counts, and what its target showed for the same window
    /// at the earlier instants.
    pub async fn audiences_of(
        &self,
        keys: &[SeriesKey],
    ) -> Result<BTreeMap<SeriesKey, Audiences>, StoreError> {
        let mut tx = self.read().await?;
        let found = rows!(&mut tx, AUDIENCES, keys_json(keys)?)?;
        let mut snapshots = Snapshots::new();
        for row in &found {
            let audience = Audience {
                fetched_at: row.get("first_fetched_at")?,
                ..Audience::default()
            };
            snapshots.insert(row.get("id")?, audience);
        }
        let ids = ids_json(&snapshots.keys().copied().collect::<Vec<_>>())?;
        for row in &rows!(&mut tx, scores!("country"), &ids)? {
            add(&mut snapshots, row, |audience| &mut audience.countries)?;
        }
        for row in &rows!(&mut tx, scores!("interest"), &ids)? {
            add(&mut snapshots, row, |audience| &mut audience.interests)?;
        }
        for row in &rows!(&mut tx, AGES, &ids)? {
            add(&mut snapshots, row, |audience| &mut audience.ages)?;
        }
        together(&found, &snapshots)
    }
}

fn by_series(rows: &[Row]) -> Result<BTreeMap<SeriesKey, Vec<IndexDay>>, StoreError> {
    let mut index: BTreeMap<SeriesKey, Vec<IndexDay>> = BTreeMap::new();
    for row in rows {
        index.entry(key(row)?).or_default().push(index_day(row)?);
    }
    Ok(index)
}

/// CROSS JOIN: SQLite would rather look at every day of every series than begin with the few that are wanted.
const NEWEST_INDEX: &str = "WITH r AS MATERIALIZED (
        SELECT i.clip_id, i.region, i.newest_day, i.peak_day
        FROM json_each($1) AS k
        JOIN index_state AS i ON i.clip_id = k.value->>0 AND i.region = k.value->>1
    )
    SELECT x.clip_id, x.region, x.day, x.value, x.low, x.high, x.segment, x.provisional
    FROM r
    CROSS JOIN trend_index AS x
    WHERE x.clip_id = r.clip_id AND x.region = r.region AND x.day > r.newest_day - $2
    UNION ALL
    SELECT x.clip_id, x.region, x.day, x.value, x.low, x.high, x.segment, x.provisional
    FROM r
    CROSS JOIN trend_index AS x
    WHERE x.clip_id = r.clip_id AND x.region = r.region AND x.day = r.peak_day AND r.peak_day <= r.newest_day - $2
    ORDER BY 1, 2, 3";

/// The scores of snapshots, with the names of what they are of.
macro_rules! scores {
    ("country") => {
        "WITH r AS MATERIALIZED (SELECT CAST(value->>0 AS BIGINT) AS id FROM json_each($1))
        SELECT x.snapshot_id, coalesce(c.code, x.country_id) AS id, coalesce(c.name, c.code, x.country_id) AS name, x.score
        FROM r
        JOIN country_scores AS x ON x.snapshot_id = r.id
        LEFT JOIN countries AS c ON c.id = x.country_id
        ORDER BY x.snapshot_id, x.position"
    };
    ("interest") => {
        "WITH r AS MATERIALIZED (SELECT CAST(value->>0 AS BIGINT) AS id FROM json_each($1))
        SELECT x.snapshot_id, x.interest_id AS id, coalesce(i.name, i.label, x.interest_id) AS name, x.score
        FROM r
        JOIN interest_scores AS x ON x.snapshot_id = r.id
        LEFT JOIN interests AS i ON i.id = x.interest_id
        ORDER BY x.snapshot_id, x.position"
    };
}
use scores;

/// What the levels mean is not told by the API; these are what others say.
const AGES: &str = "WITH r AS MATERIALIZED (SELECT CAST(value->>0 AS BIGINT) AS id FROM json_each($1))
    SELECT
        x.snapshot_id,
        CAST(x.age_level AS TEXT) AS id,
        CASE x.age_level
            WHEN 3 THEN '18–24'
            WHEN 4 THEN '25–34'
            WHEN 5 THEN '35 and older'
            ELSE 'level ' || CAST(x.age_level AS TEXT)
        END AS name,
        x.score
    FROM r
    JOIN age_scores AS x ON x.snapshot_id = r.id
    ORDER BY x.snapshot_id, x.age_level";

/// The kinds of windows of each, with the newest of each kind.
const WINDOWS: &str =
    "WITH r AS MATERIALIZED (SELECT value->>0 AS clip_id, value->>1 AS region FROM json_each($1)),
    windows AS (
        SELECT
            t.clip_id,
            t.region,
            s.*,
            CASE WHEN s.step_seconds > 86400 THEN s.step_seconds / 86400 ELSE 1 END AS step_days
        FROM r
        JOIN targets AS t ON t.clip_id = r.clip_id AND t.region = r.region
        JOIN snapshots AS s ON s.target_id = t.id
    ),
    numbered AS (
        SELECT
            w.*,
            row_number() OVER (
                PARTITION BY w.clip_id, w.region, w.period_days, w.step_days
                ORDER BY w.last_fetched_at DESC, w.id DESC
            ) AS place
        FROM windows AS w
    )
    SELECT
        n.clip_id,
        n.region,
        n.period_days,
        n.step_days,
        count(*) AS windows,
        CAST(count(*) + sum(n.confirmations) AS BIGINT) AS answers,
        min(n.first_fetched_at) AS first_fetched_at,
        max(n.last_fetched_at) AS last_fetched_at,
        max(CASE WHEN n.place = 1 THEN n.id END) AS newest_id
    FROM numbered AS n
    GROUP BY n.clip_id, n.region, n.period_days, n.step_days
    ORDER BY n.clip_id, n.region, n.period_days, n.step_days";

/// The CTE `newest`: of each series the newest snapshot for which a condition holds.
macro_rules! newest {
    ($told:literal, $select:literal) => {
        concat!(
            "WITH r AS MATERIALIZED (SELECT value->>0 AS clip_id, value->>1 AS region FROM json_each($1)),
            newest AS (
                SELECT
                    r.clip_id,
                    r.region,
                    (
                        SELECT s.id
                        FROM targets AS t
                        JOIN snapshots AS s ON s.target_id = t.id
                        WHERE t.clip_id = r.clip_id AND t.region = r.region AND (",
            $told,
            ")
                        ORDER BY s.last_fetched_at DESC, s.id DESC
                        LIMIT 1
                    ) AS id
                FROM r
            ),
            ",
            $select
        )
    };
}
pub(super) use newest;

/// The newest snapshot that tells who listens, and what its target showed for the same window before.
const AUDIENCES: &str = newest!(
    "EXISTS (SELECT 1 FROM country_scores AS x WHERE x.snapshot_id = s.id)
    OR EXISTS (SELECT 1 FROM interest_scores AS x WHERE x.snapshot_id = s.id)
    OR EXISTS (SELECT 1 FROM age_scores AS x WHERE x.snapshot_id = s.id)",
    "ago AS (SELECT CAST(0 AS BIGINT) AS days UNION ALL SELECT 7 UNION ALL SELECT 30),
    picked AS MATERIALIZED (
        SELECT n.clip_id, n.region, a.days, CASE
            WHEN a.days = 0 THEN s.id
            ELSE (
                SELECT p.id
                FROM snapshots AS p
                WHERE p.target_id = s.target_id
                    AND p.period_days = s.period_days
                    AND p.first_fetched_at <= s.last_fetched_at - a.days * 86400
                ORDER BY p.first_fetched_at DESC, p.id DESC
                LIMIT 1
            )
        END AS id
        FROM newest AS n
        JOIN snapshots AS s ON s.id = n.id
        CROSS JOIN ago AS a
    )
    SELECT p.clip_id, p.region, p.days, p.id, (
        SELECT e.first_fetched_at FROM snapshots AS e WHERE e.id = p.id
    ) AS first_fetched_at
    FROM picked AS p
    WHERE p.id IS NOT NULL
    ORDER BY p.clip_id, p.region, p.days"
);

pub(super) fn keys_json(keys: &[SeriesKey]) -> Result<String, StoreError> {
    let rows: Vec<(&str, &str)> = keys
        .iter()
        .map(|key| (key.clip_id.as_str(), key.region.as_str()))
        .collect();
    json_rows(&rows)
}

fn ids_json(ids: &[i64]) -> Result<String, StoreError> {
    json_rows(&ids.iter().map(|id| (*id,)).collect::<Vec<_>>())
}

pub(super) fn key(row: &Row) -> Result<SeriesKey, StoreError> {
    Ok(SeriesKey {
        clip_id: row.get("clip_id")?,
        region: row.get("region")?,
    })
}

fn kind(row: &Row, newest: Vec<(i64, f64)>) -> Result<Windows, StoreError> {
    Ok(Windows {
        period_days: row.get("period_days")?,
        step_days: row.get("step_days")?,
        windows: row.get("windows")?,
        answers: row.get("answers")?,
        first_fetched_at: row.get("first_fetched_at")?,
        last_fetched_at: row.get("last_fetched_at")?,
        newest,
    })
}

fn add(
    snapshots: &mut Snapshots,
    row: &Row,
    list: impl Fn(&mut Audience) -> &mut Vec<Score>,
) -> Result<(), StoreError> {
    if let Some(audience) = snapshots.get_mut(&row.get("snapshot_id")?) {
        list(audience).push(Score {
            id: row.get("id")?,
            name: row.get("name")?,
            score: row.get("score")?,
        });
    }
    Ok(())
}

fn together(found: &[Row], snapshots: &Snapshots) -> Result<BTreeMap<SeriesKey, Audiences>, StoreError> {
    let mut audiences: BTreeMap<SeriesKey, Audiences> = BTreeMap::new();
    for row in found {
        let audience = snapshots.get(&row.get("id")?).cloned().unwrap_or_default();
        let told = Some(audience.clone()).filter(|audience| !audience.is_empty());
        let of = audiences.entry(key(row)?).or_default();
        match row.get::<i64>("days")? {
            0 => of.now = audience,
            7 => of.week_ago = told,
            _ => of.month_ago = told,
        }
    }
    Ok(audiences)
}
