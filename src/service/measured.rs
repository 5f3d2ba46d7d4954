//! What the loop measures for the metrics; `web/metrics.rs` describes each.

use metrics::gauge;

use crate::collect::Collector;
use crate::config::Config;
use crate::spool;

/// A pass has ended at `at`; something can be due next at `next_look_at` (unix seconds).
#[allow(clippy::cast_precision_loss, reason = "instants far below 2^53")]
pub(super) fn passed(collector: &Collector, at: i64, next_look_at: i64) {
    gauge!("soundwatch_pass_timestamp_seconds").set(at as f64);
    gauge!("soundwatch_next_slot_timestamp_seconds").set(next_look_at as f64);
    gauge!("soundwatch_requests_per_second").set(collector.pace.rate());
}

/// The answers that wait on disk after a pass, good or bad. Where they cannot be counted the gauge stays
/// as it was; `status` tells why.
#[allow(clippy::cast_precision_loss, reason = "they are few")]
pub(super) fn spooled(config: &Config) {
    if let Ok((answers, _)) = spool::waiting(&config.state.dir.join("spool")) {
        gauge!("soundwatch_spool_answers").set(answers as f64);
    }
}
