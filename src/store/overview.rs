//! A page of the overview: which series it shows, chosen and sorted in the database, and all that is known
//! of these without their index.

use std::collections::BTreeMap;

use super::history::key;
use super::report::{STATES, Series};
use super::{Row, Store, StoreError, Tx, rows};
use crate::model::SeriesKey;

/// What series are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The change of this week against the one before: what surely grew, what cannot be told, what surely fell.
    #[default]
    Change,
    /// The name.
    Title,
    /// The market.
    Region,
    /// The newest value of the index.
    Index,
    /// The newest day of the index.
    Newest,
    /// How it stands.
    State,
}

impl Order {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Title => "title",
            Self::Region => "region",
            Self::Index => "index",
            Self::Newest => "newest",
            Self::State => "state",
        }
    }
}

/// Which series are wanted; an empty text chooses all.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Within title or author, or a whole clip ID.
    pub text: String,
    /// A tag that a target has.
    pub tag: String,
    /// The market.
    pub region: String,
    /// A state of the view `freshness`, or `ended`.
    pub state: String,
    /// What they are sorted by.
    pub order: Order,
    /// The greatest first.
    pub descending: bool,
    /// So many are left out.
    pub skip: i64,
    /// At most so many are given.
    pub limit: i64,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Those that are wanted, sorted.
    pub series: Vec<Series>,
    /// How many there are without the limit.
    pub of_all: i64,
}

impl Store {
    /// Chooses series. What is not asked for is not computed: a state or a key to sort by costs a look at
    /// every series.
    pub async fn overview(&self, wanted: &Wanted) -> Result<Found, StoreError> {
        let (keys, of_all) = self.chosen(wanted).await?;
        let mut known: BTreeMap<SeriesKey, Series> = BTreeMap::new();
        for series in self.series(Some(&keys)).await? {
            known.insert(series.key.clone(), series);
        }
        Ok(Found {
            series: keys.iter().filter_map(|key| known.remove(key)).collect(),
            of_all,
        })
    }

    async fn chosen(&self, wanted: &Wanted) -> Result<(Vec<SeriesKey>, i64), StoreError> {
        let state = match wanted.state.as_str() {
            "" => -1,
            state => rank(state),
        };
        let tag = if wanted.tag.is_empty() {
            String::new()
        } else {
            within(&serde_json::Value::from(wanted.tag.as_str()).to_string())
        };
        let mut tx = self.read().await?;
        let rows = chosen(&mut tx, wanted, state, &tag).await?;
        let keys = rows.iter().map(key).collect::<Result<_, _>>()?;
        // Behind the last of them no row says how many there are.
        let counted = if rows.is_empty() && wanted.skip > 0 {
            let first = Wanted {
                skip: 0,
                limit: 1,
                ..wanted.clone()
            };
            chosen(&mut tx, &first, state, &tag).await?
        } else {
            rows
        };
        let of_all = counted.first().map_or(Ok(0), |row| row.get("of_all"))?;
        Ok((keys, of_all))
    }

    /// The markets of all targets.
    pub async fn regions(&self) -> Result<Vec<String>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(&mut tx, "SELECT DISTINCT region FROM targets ORDER BY region")?;
        rows.iter().map(|row| row.get("region")).collect()
    }
}

async fn chosen(tx: &mut Tx, wanted: &Wanted, state: i64, tag: &str) -> Result<Vec<Row>, StoreError> {
    let text = match wanted.text.as_str() {
        "" => String::new(),
        text => within(text),
    };
    rows!(
        tx,
        CHOSEN,
        text,
        wanted.text.as_str(),
        wanted.region.as_str(),
        tag,
        state,
        wanted.order.as_str(),
        i64::from(wanted.descending),
        wanted.limit,
        wanted.skip
    )
}

/// The place of a state among all, the best first; what is no longer watched comes last.
#[allow(clippy::cast_possible_wrap, reason = "they are few")]
fn rank(state: &str) -> i64 {
    STATES
        .iter()
        .position(|known| *known == state)
        .unwrap_or(STATES.len()) as i64
}

/// The pattern of LIKE for a text that holds this one.
fn within(text: &str) -> String {
    let mut pattern = "%".to_owned();
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// A CASE computes only the branch that is taken.
const CHOSEN: &str = r"WITH chosen AS MATERIALIZED (
        SELECT t.clip_id, t.region, coalesce(o.title, t.clip_id) AS name
        FROM targets AS t
        LEFT JOIN sounds AS o ON o.clip_id = t.clip_id
        WHERE ($1 = '' OR t.clip_id = $2 OR lower(o.title) LIKE lower($1) ESCAPE '\' OR lower(o.author) LIKE lower($1) ESCAPE '\')
            AND ($3 = '' OR t.region = $3)
            AND ($4 = '' OR CAST(t.tags AS TEXT) LIKE $4 ESCAPE '\')
        GROUP BY t.clip_id, t.region, o.title
    ),
    judged AS MATERIALIZED (
        SELECT c.clip_id, c.region, c.name, CASE WHEN $5 >= 0 OR $6 = 'state' THEN coalesce(
            (
                SELECT min(CASE f.state
                    WHEN 'fresh' THEN 0 WHEN 'late' THEN 1 WHEN 'stale' THEN 2
                    WHEN 'no_data' THEN 3 WHEN 'failing' THEN 4 ELSE 5
                END)
                FROM freshness AS f
                WHERE f.clip_id = c.clip_id AND f.region = c.region
            ),
            6
        ) END AS state
        FROM chosen AS c
    ),
    keyed AS (
        SELECT j.clip_id, j.region, j.name, count(*) OVER () AS of_all, CASE $6
            WHEN 'state' THEN CAST(j.state AS DOUBLE PRECISION)
            WHEN 'newest' THEN CAST(i.newest_day AS DOUBLE PRECISION)
            WHEN 'index' THEN i.newest_value
            WHEN 'change' THEN i.change_rank
        END AS sort_key
        FROM judged AS j
        LEFT JOIN index_state AS i ON i.clip_id = j.clip_id AND i.region = j.region
        WHERE $5 < 0 OR j.state = $5
    )
    SELECT k.clip_id, k.region, k.of_all
    FROM keyed AS k
    ORDER BY
        CASE WHEN $7 = 1 THEN k.sort_key END DESC NULLS LAST,
        CASE WHEN $7 = 0 THEN k.sort_key END NULLS LAST,
        CASE WHEN $6 = 'title' AND $7 = 1 THEN lower(k.name) END DESC,
        CASE WHEN $6 = 'region' AND $7 = 1 THEN k.region END DESC,
        CASE WHEN $6 = 'region' AND $7 = 0 THEN k.region END,
        lower(k.name),
        k.clip_id,
        k.region
    LIMIT $8 OFFSET $9";
