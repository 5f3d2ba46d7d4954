//! What an answer says: of the sound, of its window, of its audience.

use serde::Serialize;

/// What an answer says of a sound itself. `None` is "not said".
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(
    missing_docs,
    reason = "named as the columns of the table sounds, which docs/sql.md explains"
)]
pub struct SoundFacts {
    pub song_id: Option<String>,
    pub title: Option<String>,
    pub author: Option<String>,
    pub url_title: Option<String>,
    pub link: Option<String>,
    pub cover_url: Option<String>,
    pub music_url: Option<String>,
    pub duration_seconds: Option<i64>,
}

impl SoundFacts {
    /// The same with what a newer answer says; what it does not say stays.
    pub fn updated_by(self, newer: &Self) -> Self {
        let newer = newer.clone();
        Self {
            song_id: newer.song_id.or(self.song_id),
            title: newer.title.or(self.title),
            author: newer.author.or(self.author),
            url_title: newer.url_title.or(self.url_title),
            link: newer.link.or(self.link),
            cover_url: newer.cover_url.or(self.cover_url),
            music_url: newer.music_url.or(self.music_url),
            duration_seconds: newer.duration_seconds.or(self.duration_seconds),
        }
    }
}

/// What an answer says beside its series. `None` is "not said".
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(
    missing_docs,
    reason = "named as the columns of the table snapshots, which docs/sql.md explains"
)]
pub struct SnapshotFacts {
    pub country_code: Option<String>,
    pub rank: Option<i64>,
    pub rank_diff: Option<i64>,
    pub on_list_times: Option<i64>,
    pub promoted: Option<bool>,
    pub is_commercial: Option<bool>,
    pub is_search: Option<bool>,
    pub cml_mid: Option<String>,
    pub like_count: Option<i64>,
    pub liked: Option<bool>,
    pub disliked: Option<bool>,
    pub popular_days: Option<i64>,
    pub current_popularity: Option<i64>,
}

/// One point of a trend: `value` is relative to the peak of its own snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TrendPoint {
    /// Unix seconds, UTC.
    pub time: i64,
    /// 0 to 1 as far as is known; kept as it came.
    pub value: f64,
}

/// How strongly a country listens; 100 is the average.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CountryScore {
    /// The GeoNames ID.
    pub id: String,
    /// The ISO 3166 alpha-2 code.
    pub code: Option<String>,
    /// The English name.
    pub name: Option<String>,
    /// The index; `None` when the answer had null.
    pub score: Option<f64>,
}

/// How strongly people of an interest listen; 100 is the average.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InterestScore {
    /// The API's ID.
    pub id: String,
    /// The API's label.
    pub label: Option<String>,
    /// The English name.
    pub name: Option<String>,
    /// The index; `None` when the answer had null.
    pub score: Option<f64>,
}

/// The share of an age group.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AgeScore {
    /// The API's number of the group.
    pub level: i64,
    /// Percent; `None` when the answer had null.
    pub score: Option<f64>,
}

/// A video shown beside the sound.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RelatedItem {
    /// Exact to the digit; beyond 64 bits too.
    pub item_id: String,
    /// Its cover.
    pub cover_url: Option<String>,
}

/// Everything that a usable answer says: what a snapshot and its rows are made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Content {
    /// Facts of the sound.
    pub sound: SoundFacts,
    /// Facts of the snapshot.
    pub facts: SnapshotFacts,
    /// Ascending by time, each time once, never empty.
    pub trend: Vec<TrendPoint>,
    /// In the order of the answer.
    pub countries: Vec<CountryScore>,
    /// In the order of the answer.
    pub interests: Vec<InterestScore>,
    /// Ascending by level, each level once.
    pub ages: Vec<AgeScore>,
    /// In the order of the answer.
    pub related: Vec<RelatedItem>,
    /// What has no column, by JSON path, in the answer's own JSON.
    pub extra: serde_json::Map<String, serde_json::Value>,
}
