//! The paid API: one function that sends a request, one that reads an answer, one pace for the key.
//!
//! What an answer means is decided in [`wire`], from its bytes alone, so that a kept payload can
//! be read again later. [`client`] adds what happens on the way. Neither retries: a retry is a new
//! row in the ledger, so it is decided there.

pub mod client;
mod mask;
pub mod pace;
mod question;
mod retry_after;
mod settings;
pub mod wire;

use std::time::Duration;

use crate::model::{AttemptState, Content, Reason};

pub(crate) use client::deepest;
pub use client::{BODY_LIMIT, Client, Exchange, KEPT_OF_TOO_LARGE};
pub use pace::Pace;
pub use question::Question;
pub use settings::Settings;
pub(crate) use settings::{http_client, no_https};

/// What one request brought; `C` is what a good answer says.
#[derive(Clone, Debug, PartialEq)]
pub struct Received<C = Content> {
    /// `Answered`; `Unknown` when it was sent and no complete answer came; `NotSent` when no
    /// connection came about.
    pub state: AttemptState,
    /// The HTTP status, as soon as a head of an answer has come.
    pub http_status: Option<i64>,
    /// The body's own code.
    pub api_code: Option<i64>,
    /// The body's own message.
    pub message: Option<String>,
    /// The API's name for this request, for questions to its support.
    pub request_id: Option<String>,
    /// From asking to the end of the answer.
    pub latency_ms: i64,
    /// Whether its credits stay counted.
    pub charged: bool,
    /// The body to keep, the key masked; `None` where no complete body came. Of a body that is
    /// too large, its beginning.
    pub payload: Option<Vec<u8>>,
    /// The body's size after gunzip, as far as it was read.
    pub size_bytes: i64,
    /// For people: what was wrong, and where. Never holds the key.
    pub error: Option<String>,
    /// What to do.
    pub verdict: Verdict<C>,
}

/// What an answer asks of the caller.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict<C = Content> {
    /// Store it.
    Content(Box<C>),
    /// Settle it as a success without data.
    NoData,
    /// Settle it and keep the payload: the answer is unusable.
    Rejected(Reason),
    /// Ask again, after a wait if one is named.
    Retry {
        /// Why.
        reason: Reason,
        /// How long the API wants to be left alone.
        after: Option<Duration>,
    },
    /// Ask nothing more with this key.
    Refused(Reason),
    /// Give up on this slot.
    Failed(Reason),
}

impl<C> Verdict<C> {
    /// Why it is not content, where there is a reason.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Content(_) | Self::NoData => None,
            Self::Rejected(reason) | Self::Refused(reason) | Self::Failed(reason) => Some(*reason),
            Self::Retry { reason, .. } => Some(*reason),
        }
    }
}

/// Whether a request's credits stay counted: only what surely did not cost anything is taken back.
fn is_charged(state: AttemptState, http_status: Option<i64>, api_code: Option<i64>) -> bool {
    let free = |code: Option<i64>| matches!(code, Some(401 | 402 | 403 | 429));
    state != AttemptState::NotSent && !free(http_status) && !free(api_code)
}
