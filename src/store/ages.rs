//! How old those are who listen, over time.

use std::collections::BTreeMap;

use super::history::{key, keys_json, newest};
use super::{Store, StoreError, rows};
use crate::history::Ages;
use crate::model::SeriesKey;

/// One answer a week of the target that has told it last, for the same window.
const AGES: &str = newest!(
    "EXISTS (SELECT 1 FROM age_scores AS x WHERE x.snapshot_id = s.id)",
    "weekly AS (
        SELECT n.clip_id, n.region, max(e.id) AS id
        FROM newest AS n
        JOIN snapshots AS s ON s.id = n.id
        JOIN snapshots AS e ON e.target_id = s.target_id AND e.period_days = s.period_days
        GROUP BY n.clip_id, n.region, e.first_fetched_at / 604800
    )
    SELECT w.clip_id, w.region, e.first_fetched_at, CAST(x.age_level AS TEXT) AS id, x.score
    FROM weekly AS w
    JOIN snapshots AS e ON e.id = w.id
    JOIN age_scores AS x ON x.snapshot_id = e.id
    WHERE x.score IS NOT NULL
    ORDER BY w.clip_id, w.region, e.first_fetched_at, e.id, x.age_level"
);

impl Store {
    /// The ages of each, of one answer a week, ascending.
    pub async fn ages_of(&self, keys: &[SeriesKey]) -> Result<BTreeMap<SeriesKey, Vec<Ages>>, StoreError> {
        let mut tx = self.read().await?;
        let mut ages: BTreeMap<SeriesKey, Vec<Ages>> = BTreeMap::new();
        for row in &rows!(&mut tx, AGES, keys_json(keys)?)? {
            let fetched_at = row.get("first_fetched_at")?;
            let share = (row.get("id")?, row.get("score")?);
            let of = ages.entry(key(row)?).or_default();
            match of.last_mut().filter(|last| last.fetched_at == fetched_at) {
                Some(last) => last.shares.push(share),
                None => of.push(Ages {
                    fetched_at,
                    shares: vec![share],
                }),
            }
        }
        Ok(ages)
    }
}
