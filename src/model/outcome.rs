//! What became of fetches and attempts, and why.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::NotA;

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
