//! How long a database lets wait, for the metrics; `web/metrics.rs` describes each.

use std::time::Duration;

use metrics::histogram;

use crate::clock::Clock;

/// Real time, also beside a clock that stands still.
pub(super) fn now() -> Duration {
    Clock::System.monotonic()
}

/// A transaction that was asked for at `since` has begun; `mode` is `read` or `write`.
pub(super) fn begun(mode: &'static str, since: Duration) {
    histogram!("soundwatch_begin_seconds", "mode" => mode).record(now().saturating_sub(since));
}

pub(super) fn committed(since: Duration) {
    histogram!("soundwatch_commit_seconds").record(now().saturating_sub(since));
}
