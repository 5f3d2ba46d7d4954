//! The words of the project as types. No I/O here, and no names of the API's JSON.

mod alert;
mod chart;
mod content;
mod outcome;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use alert::{AlertKind, News};
pub use chart::{Chart, ChartAsk, ChartClaim, ChartEntry, ChartPage, name};
pub use content::{
    AgeScore, Content, CountryScore, InterestScore, RelatedItem, SnapshotFacts, SoundFacts, TrendPoint,
};
pub use outcome::{AttemptState, Outcome, Reason};

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
