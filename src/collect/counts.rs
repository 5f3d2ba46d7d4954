//! What a process counts for its metrics; without a listener nobody does, and it costs next to nothing.
//! `web/metrics.rs` describes each.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

use crate::model::{AttemptState, Outcome, Reason};
use crate::store::settle::AttemptFacts;

pub(super) fn settled(outcome: Outcome, reason: Option<Reason>, fetches: u64) {
    let reason = reason.map_or("", Reason::as_str);
    counter!("soundwatch_fetches_total", "outcome" => outcome.as_str(), "reason" => reason)
        .increment(fetches);
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of one request")]
pub(super) fn attempted(attempt: &AttemptFacts) {
    let (state, status) = (attempt.state.as_str(), status_label(attempt.http_status));
    counter!("soundwatch_attempts_total", "state" => state, "status" => status).increment(1);
    if attempt.charged {
        counter!("soundwatch_credits_total").increment(attempt.credits.unsigned_abs());
    }
    if attempt.state == AttemptState::Answered {
        histogram!("soundwatch_request_seconds").record(attempt.latency_ms as f64 / 1_000.0);
    }
}

#[allow(clippy::cast_precision_loss, reason = "they are few")]
pub(super) fn in_flight(requests: usize) {
    gauge!("soundwatch_requests_in_flight").set(requests as f64);
}

pub(super) fn claimed_in(time: Duration) {
    histogram!("soundwatch_claim_seconds").record(time);
}

pub(super) fn settled_in(time: Duration) {
    histogram!("soundwatch_settle_seconds").record(time);
}

/// One label value for each status that the API is known to give, and one for each class of others.
fn status_label(status: Option<i64>) -> &'static str {
    match status {
        None => "",
        Some(200) => "200",
        Some(204) => "204",
        Some(400) => "400",
        Some(401) => "401",
        Some(402) => "402",
        Some(403) => "403",
        Some(404) => "404",
        Some(429) => "429",
        Some(500) => "500",
        Some(200..=299) => "2xx",
        Some(300..=399) => "3xx",
        Some(400..=499) => "4xx",
        Some(500..=599) => "5xx",
        Some(_) => "other",
    }
}
