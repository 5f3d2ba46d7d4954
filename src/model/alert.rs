//! The words of alerts.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::NotA;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(
    missing_docs,
    reason = "the words are the documentation; docs/alerts.md explains each"
)]
pub enum AlertKind {
    KeyRefused,
    OutOfCredits,
    #[serde(rename = "budget_100")]
    Budget100,
    #[serde(rename = "budget_80")]
    Budget80,
    DatabaseAway,
    NoRoom,
    WatchlistBroken,
    Failing,
    NoData,
    Stale,
}

impl AlertKind {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 10] = [
        Self::KeyRefused,
        Self::OutOfCredits,
        Self::DatabaseAway,
        Self::NoRoom,
        Self::WatchlistBroken,
        Self::Budget100,
        Self::Budget80,
        Self::Failing,
        Self::NoData,
        Self::Stale,
    ];

    /// The word in the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeyRefused => "key_refused",
            Self::OutOfCredits => "out_of_credits",
            Self::Budget100 => "budget_100",
            Self::Budget80 => "budget_80",
            Self::DatabaseAway => "database_away",
            Self::NoRoom => "no_room",
            Self::WatchlistBroken => "watchlist_broken",
            Self::Failing => "failing",
            Self::NoData => "no_data",
            Self::Stale => "stale",
        }
    }

    /// Whether it is about targets, which are found by looking at all of them.
    pub fn is_about_targets(self) -> bool {
        matches!(self, Self::Failing | Self::NoData | Self::Stale)
    }
}

impl fmt::Display for AlertKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for AlertKind {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.as_str() == text)
            .ok_or(NotA("kind of alert"))
    }
}

/// What there is to tell of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// It began.
    Raised,
    /// It got worse: further targets came to it.
    Grown,
    /// It is over.
    Recovered,
}

impl News {
    /// The word in the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Grown => "grown",
            Self::Recovered => "recovered",
        }
    }
}

impl FromStr for News {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        [Self::Raised, Self::Grown, Self::Recovered]
            .into_iter()
            .find(|news| news.as_str() == text)
            .ok_or(NotA("piece of news"))
    }
}
