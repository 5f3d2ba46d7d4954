//! The words of the project as types. No I/O here, and no names of the API's JSON.

mod alert;
mod chart;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use alert::{AlertKind, News};
pub use chart::{Chart, ChartAsk, ChartClaim, ChartEntry, ChartPage, name};

/// A sound in a region: what has one index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SeriesKey {
    /// The sound.
    pub clip_id: String,
    /// The market.
    pub region: String,
}

/// The API's key of a sound: 15 to 20 digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClipId(String);

impl ClipId {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClipId {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        if digits && (15..=20).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotA("clip ID of 15 to 20 digits"))
        }
    }
}

/// A market, by its ISO 3166 alpha-2 code in capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Region([u8; 2]);

impl Region {
    /// The API's default.
    pub const US: Self = Self(*b"US");

    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("??")
    }
}

impl FromStr for Region {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        match text.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Ok(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => Err(NotA("region code of two letters")),
        }
    }
}

/// The days that one answer looks back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Window {
    /// A week.
    Days7,
    /// A month.
    Days30,
    /// Four months.
    Days120,
}

impl Window {
    /// All windows that the API sells.
    pub const ALL: [Self; 3] = [Self::Days7, Self::Days30, Self::Days120];

    /// Its length in days.
    pub fn days(self) -> i64 {
        match self {
            Self::Days7 => 7,
            Self::Days30 => 30,
            Self::Days120 => 120,
        }
    }

    /// The window of that many days, if the API sells it.
    pub fn of_days(days: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|w| w.days() == days)
    }
}

/// What a target asks for: always the same window, or the one that serves its index best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// Always this window.
    Fixed(Window),
    /// Chosen for each fetch, see [`crate::period`].
    Auto,
}

impl FromStr for Period {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        match text {
            "7" => Ok(Self::Fixed(Window::Days7)),
            "30" => Ok(Self::Fixed(Window::Days30)),
            "120" => Ok(Self::Fixed(Window::Days120)),
            "auto" => Ok(Self::Auto),
            _ => Err(NotA("period: 7, 30, 120 or \"auto\"")),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(window) => write!(f, "{}", window.days()),
            Self::Auto => f.write_str("auto"),
        }
    }
}

macro_rules! display_as_str {
    ($($type:ty),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    )*};
}
display_as_str!(ClipId, Region, Outcome, Reason, AttemptState);

/// A text that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {0}")]
pub struct NotA(pub &'static str);

/// What the watchlist asks for: one (clip, region, period) with its schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetSpec {
    /// The sound.
    pub clip_id: ClipId,
    /// The market.
    pub region: Region,
    /// The window, or `auto`.
    pub period: Period,
    /// The cron expression as written.
    pub schedule: String,
    /// The IANA time zone in which the schedule is meant.
    pub time_zone: String,
    /// Words to group by in SQL.
    pub tags: Vec<String>,
    /// Whatever the person wants to remember.
    pub note: Option<String>,
}

/// What became of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// New content.
    Stored,
    /// Content equal to the target's newest snapshot of that period.
    Confirmed,
    /// A success without data.
    NoData,
    /// The answer was unusable.
    Rejected,
    /// Given up after retries.
    Failed,
    /// Not asked.
    Skipped,
}

impl Outcome {
    /// In the order in which people want to see them.
    pub const ALL: [Self; 6] = [
        Self::Stored,
        Self::Confirmed,
        Self::NoData,
        Self::Rejected,
        Self::Failed,
        Self::Skipped,
    ];

    /// The word in the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Confirmed => "confirmed",
            Self::NoData => "no_data",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

impl FromStr for Outcome {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        Self::ALL
            .into_iter()
            .find(|o| o.as_str() == text)
            .ok_or(NotA("outcome"))
    }
}

/// Why a fetch was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "the words are the documentation; docs/sql.md explains each"
)]
pub enum Reason {
    Connection,
    Timeout,
    CutOff,
    RateLimited,
    ServerError,
    Redirect,
    BadRequest,
    NotFound,
    Unauthorized,
    OutOfCredits,
    Forbidden,
    ApiCode,
    Budget,
    NotJson,
    TooLarge,
    WrongShape,
    WrongClip,
    WrongRegion,
    NoCode,
    Paused,
    Removed,
    Missed,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::Connection,
        Self::Timeout,
        Self::CutOff,
        Self::RateLimited,
        Self::ServerError,
        Self::Redirect,
        Self::BadRequest,
        Self::NotFound,
        Self::Unauthorized,
        Self::OutOfCredits,
        Self::Forbidden,
        Self::ApiCode,
        Self::Budget,
        Self::NotJson,
        Self::TooLarge,
        Self::WrongShape,
        Self::WrongClip,
        Self::WrongRegion,
        Self::NoCode,
        Self::Paused,
        Self::Removed,
        Self::Missed,
    ];

    /// The word in the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::CutOff => "cut_off",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::Redirect => "redirect",
            Self::BadRequest => "bad_request",
            Self::NotFound => "not_found",
            Self::Unauthorized => "unauthorized",
            Self::OutOfCredits => "out_of_credits",
            Self::Forbidden => "forbidden",
            Self::ApiCode => "api_code",
            Self::Budget => "budget",
            Self::NotJson => "not_json",
            Self::TooLarge => "too_large",
            Self::WrongShape => "wrong_shape",
            Self::WrongClip => "wrong_clip",
            Self::WrongRegion => "wrong_region",
            Self::NoCode => "no_code",
            Self::Paused => "paused",
            Self::Removed => "removed",
            Self::Missed => "missed",
        }
    }
}

impl FromStr for Reason {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        Self::ALL
            .into_iter()
            .find(|r| r.as_str() == text)
            .ok_or(NotA("reason"))
    }
}

/// What is known of one HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptState {
    /// Under way: its credits are reserved.
    Sent,
    /// An answer came.
    Answered,
    /// No answer came; it may have been charged.
    Unknown,
    /// It never left this machine.
    NotSent,
}

impl AttemptState {
    /// The word in the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Answered => "answered",
            Self::Unknown => "unknown",
            Self::NotSent => "not_sent",
        }
    }
}

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

/// One fetch that this worker has claimed, with its first attempt reserved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// `fetches.id`.
    pub fetch_id: i64,
    /// `attempts.id` of the attempt that is reserved.
    pub attempt_id: i64,
    /// The number of that attempt, from 1; more than 1 after taking over.
    pub n: i64,
    /// `targets.id`.
    pub target_id: i64,
    /// The slot, unix seconds.
    pub slot_at: i64,
    /// When that attempt was reserved, unix seconds.
    pub sent_at: i64,
    /// What to ask for.
    pub ask: Ask,
}

/// What one request asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ask {
    /// The sound.
    pub clip_id: ClipId,
    /// The market.
    pub region: Region,
    /// The window.
    pub window: Window,
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}d", self.clip_id, self.region, self.window.days())
    }
}
