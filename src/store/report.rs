//! What a report tells of all sounds.

use std::collections::BTreeMap;

use super::history::{key, keys_json};
use super::{Row, Store, StoreError, rows};
use crate::clock::DAY;
use crate::history::Missing;
use crate::model::SeriesKey;

/// A sound in a region, with what is known without its index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// Which.
    pub key: SeriesKey,
    /// What the sound is called, once an answer has said so.
    pub title: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// The newest day that a window shows, since 1970-01-01.
    pub newest_day: Option<i64>,
    /// The best state of its targets, see `docs/sql.md`; `None` when it is no longer watched.
    pub state: Option<String>,
}

/// The states of a target, the best first.
pub(super) const STATES: [&str; 6] = ["fresh", "late", "stale", "no_data", "failing", "new"];

/// The SELECT of series. A condition that may hold for all would make a database look at every sound
/// where few are asked for, so there is a text for each.
macro_rules! series {
    ($condition:literal) => {
        concat!(
            "SELECT
                t.clip_id,
                t.region,
                o.title,
                o.author,
                max(
                    (SELECT max(p.time) FROM trend_points AS p WHERE p.snapshot_id = (
                        SELECT n.id
                        FROM snapshots AS n
                        WHERE n.target_id = t.id
                        ORDER BY n.last_fetched_at DESC, n.id DESC
                        LIMIT 1
                    ))
                ) AS newest_time
            FROM targets AS t
            LEFT JOIN sounds AS o ON o.clip_id = t.clip_id
            ",
            $condition,
            "
            GROUP BY t.clip_id, t.region, o.title, o.author
            ORDER BY coalesce(o.title, t.clip_id), t.clip_id, t.region"
        )
    };
}

/// The best state of each of some series, by its place among [`STATES`]. Asked for one by one, since
/// Postgres would compute the view for all targets and choose among these.
const STATES_OF: &str = "SELECT r.value->>0 AS clip_id, r.value->>1 AS region, (
        SELECT CAST(min(CASE f.state
            WHEN 'fresh' THEN 0 WHEN 'late' THEN 1 WHEN 'stale' THEN 2
            WHEN 'no_data' THEN 3 WHEN 'failing' THEN 4 ELSE 5
        END) AS BIGINT)
        FROM freshness AS f
        WHERE f.clip_id = r.value->>0 AND f.region = r.value->>1
    ) AS place
    FROM json_each($1) AS r";

/// The best state of each series.
const STATES_OF_ALL: &str = "SELECT clip_id, region, CAST(min(CASE state
        WHEN 'fresh' THEN 0 WHEN 'late' THEN 1 WHEN 'stale' THEN 2
        WHEN 'no_data' THEN 3 WHEN 'failing' THEN 4 ELSE 5
    END) AS BIGINT) AS place
    FROM freshness
    GROUP BY clip_id, region";

/// The SELECT of missing days.
macro_rules! gaps {
    ($condition:literal) => {
        concat!(
            "SELECT clip_id, region, CAST(first_day AS TEXT) AS first_day, days, reason FROM gaps ",
            $condition,
            " ORDER BY clip_id, region, first_day"
        )
    };
}

impl Store {
    /// All sounds in all their regions, also those that are no longer watched, by title.
    pub async fn all_series(&self) -> Result<Vec<Series>, StoreError> {
        self.series(None).await
    }

    /// One sound in all its regions.
    pub async fn series_of(&self, clip: &str) -> Result<Vec<Series>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT DISTINCT clip_id, region FROM targets WHERE clip_id = $1",
            clip
        )?;
        drop(tx);
        let keys: Vec<SeriesKey> = rows.iter().map(key).collect::<Result<_, _>>()?;
        self.series(Some(&keys)).await
    }

    /// These, or all.
    pub(super) async fn series(&self, keys: Option<&[SeriesKey]>) -> Result<Vec<Series>, StoreError> {
        let mut tx = self.read().await?;
        let (rows, places) = match keys {
            Some(keys) => {
                let keys = keys_json(keys)?;
                (
                    rows!(
                        &mut tx,
                        series!(
                            "JOIN json_each($1) AS r ON t.clip_id = r.value->>0 AND t.region = r.value->>1"
                        ),
                        &keys
                    )?,
                    rows!(&mut tx, STATES_OF, &keys)?,
                )
            }
            None => (rows!(&mut tx, series!(""))?, rows!(&mut tx, STATES_OF_ALL)?),
        };
        let mut states: BTreeMap<SeriesKey, &str> = BTreeMap::new();
        for row in &places {
            let place: Option<i64> = row.get("place")?;
            let place = place.and_then(|place| usize::try_from(place).ok());
            if let Some(state) = place.and_then(|place| STATES.get(place)) {
                states.insert(key(row)?, state);
            }
        }
        rows.iter().map(|row| one_series(row, &states)).collect()
    }

    /// All days that are missing, by sound and region.
    pub async fn all_gaps(&self) -> Result<BTreeMap<SeriesKey, Vec<Missing>>, StoreError> {
        self.missing(None).await
    }

    /// The days that are missing of one sound, by region.
    pub async fn missing_of(&self, clip: &str) -> Result<BTreeMap<SeriesKey, Vec<Missing>>, StoreError> {
        self.missing(Some(clip)).await
    }

    async fn missing(&self, clip: Option<&str>) -> Result<BTreeMap<SeriesKey, Vec<Missing>>, StoreError> {
        let mut tx = self.read().await?;
        let rows = match clip {
            Some(clip) => rows!(&mut tx, gaps!("WHERE clip_id = $1"), clip)?,
            None => rows!(&mut tx, gaps!(""))?,
        };
        let mut gaps: BTreeMap<SeriesKey, Vec<Missing>> = BTreeMap::new();
        for row in &rows {
            let first_day = day(row, "first_day")?;
            let days: i64 = row.get("days")?;
            gaps.entry(key(row)?).or_default().push(Missing {
                first_day,
                last_day: first_day + days - 1,
                reason: row.get("reason")?,
            });
        }
        Ok(gaps)
    }
}

fn one_series(row: &Row, states: &BTreeMap<SeriesKey, &str>) -> Result<Series, StoreError> {
    let key = key(row)?;
    let newest_time: Option<i64> = row.get("newest_time")?;
    Ok(Series {
        title: row.get("title")?,
        author: row.get("author")?,
        newest_day: newest_time.map(|time| time.div_euclid(DAY)),
        state: states.get(&key).map(|state| (*state).to_owned()),
        key,
    })
}

/// A day of a view, since 1970-01-01.
fn day(row: &Row, column: &str) -> Result<i64, StoreError> {
    let day: chrono::NaiveDate = row.parse(column)?;
    Ok((day - chrono::NaiveDate::default()).num_days())
}
