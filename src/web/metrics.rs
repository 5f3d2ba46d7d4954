//! Metrics for Prometheus: what the daemon counts as it works, and at each scrape what the database says.
//! No label takes more values than are listed here or in `model/outcome.rs`, never one for each target.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tokio::time::timeout;

use super::Site;
use crate::store::StoreError;
use crate::store::backlog::Backlog;

/// Bounds of the histograms in seconds: from a local statement to the longest request.
const SECONDS: [f64; 13] = [
    0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// Every state of a target, so that one without targets is told as 0.
const STATES: [&str; 6] = ["failing", "no_data", "stale", "late", "new", "fresh"];

/// A database that does not answer within this time is away: a scrape ends before Prometheus gives it up.
pub(super) const ANSWERS: Duration = Duration::from_secs(4);

/// So long a scrape waits for a look at all targets. One that takes longer is for the next scrape.
const PATIENCE: Duration = Duration::from_millis(500);

const COUNTERS: [(&str, &str); 4] = [
    (
        "soundwatch_fetches_total",
        "Slots settled by this process, by outcome and reason",
    ),
    ("soundwatch_attempts_total", "Requests by state and HTTP status"),
    (
        "soundwatch_credits_total",
        "Credits counted as spent by this process",
    ),
    (
        "soundwatch_unknown_fields_total",
        "Fields of answers that this version does not know",
    ),
];

const GAUGES: [(&str, &str); 16] = [
    ("soundwatch_build_info", "1, with the version"),
    (
        "soundwatch_requests_in_flight",
        "Requests that wait for their answer",
    ),
    (
        "soundwatch_spool_answers",
        "Answers that wait on disk for the database",
    ),
    (
        "soundwatch_requests_per_second",
        "The rate that this process keeps at the moment",
    ),
    ("soundwatch_pass_timestamp_seconds", "When the last pass ended"),
    (
        "soundwatch_next_slot_timestamp_seconds",
        "When something can be due next",
    ),
    ("soundwatch_up", "1 when nothing keeps the daemon from its work"),
    (
        "soundwatch_targets",
        "Live targets by state, see the view freshness",
    ),
    (
        "soundwatch_due_slots",
        "Slots that are due and neither claimed nor skipped",
    ),
    (
        "soundwatch_open_fetches",
        "Slots that are claimed or handed over and not settled",
    ),
    (
        "soundwatch_slot_lag_seconds",
        "How long the oldest slot waits that is due or open",
    ),
    (
        "soundwatch_credits_spent",
        "Credits spent in the current UTC day and month, by all workers",
    ),
    (
        "soundwatch_credits_budget",
        "Credits that may be spent in a UTC day and month",
    ),
    ("soundwatch_key_paused", "1 while a key is paused, by reason"),
    ("soundwatch_workers", "Workers that are alive"),
    (
        "soundwatch_database_connections",
        "Connections that read for the page, by state",
    ),
];

const HISTOGRAMS: [(&str, &str); 5] = [
    (
        "soundwatch_request_seconds",
        "From sending a request to the end of its answer",
    ),
    ("soundwatch_claim_seconds", "Transactions that claim slots"),
    ("soundwatch_settle_seconds", "Transactions that settle answers"),
    (
        "soundwatch_begin_seconds",
        "From asking for a transaction to its begin: a free connection, the turn to write",
    ),
    (
        "soundwatch_commit_seconds",
        "Commits, until they are on the database's disk",
    ),
];

/// What this process counts.
#[derive(Debug)]
pub struct Recorded {
    handle: PrometheusHandle,
}

impl Recorded {
    /// Everything, in Prometheus' text format.
    pub(super) fn render(&self) -> String {
        self.handle.render()
    }

    /// To be called now and then: histograms keep every value until somebody reads them or this is done.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

/// Starts to count, for the whole process.
///
/// # Errors
/// When something in this process counts already.
pub fn record() -> Result<Arc<Recorded>, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets(&SECONDS)?
        .install_recorder()?;
    for (name, what) in COUNTERS {
        describe_counter!(name, what);
    }
    for (name, what) in GAUGES {
        describe_gauge!(name, what);
    }
    for (name, what) in HISTOGRAMS {
        describe_histogram!(name, Unit::Seconds, what);
    }
    gauge!("soundwatch_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1);
    Ok(Arc::new(Recorded { handle }))
}

/// The newest value of a metric without labels, as a scrape would tell it.
pub(super) fn value<'a>(scrape: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(' ');
    scrape.lines().find_map(value)
}

/// All metrics in Prometheus' text format. Without a database those that it knows are left out, and
/// `soundwatch_up` says so.
pub(super) async fn page(State(site): State<Arc<Site>>) -> Response {
    // Without a look in time the gauges are as they were, and set when it ends.
    let looks = async { tokio::try_join!(site.target_states(), site.plan(site.clock.now())) };
    if let Ok(Err(error)) = timeout(PATIENCE, looks).await {
        tracing::debug!(%error, "the metrics of targets are as they were");
    }
    let asked = timeout(ANSWERS, ask(&site)).await;
    let well = site.vitals.reasons(site.clock.now()).is_empty() && matches!(asked, Ok(Ok(())));
    gauge!("soundwatch_up").set(f64::from(u8::from(well)));
    if let Ok(Err(error)) = asked {
        tracing::debug!(%error, "the metrics of the database are as they were");
    }
    let text = site.recorded.render();
    (
        StatusCode::OK,
        [(CONTENT_TYPE, "text/plain; version=0.0.4")],
        text,
    )
        .into_response()
}

#[allow(clippy::cast_precision_loss, reason = "counts far below 2^53")]
async fn ask(site: &Site) -> Result<(), StoreError> {
    let (store, now) = (&site.store, site.clock.now());
    let (spent, budget) = (store.spent(now).await?, site.vitals.budget());
    for (span, spent, budget) in [
        ("day", spent.day, budget.daily_credits),
        ("month", spent.month, budget.monthly_credits),
    ] {
        gauge!("soundwatch_credits_spent", "span" => span).set(spent as f64);
        gauge!("soundwatch_credits_budget", "span" => span).set(budget as f64);
    }
    let pauses = store.pauses().await?;
    for reason in [
        "unauthorized",
        "out_of_credits",
        "forbidden",
        "rate_limited",
        "server_error",
    ] {
        let paused = pauses
            .iter()
            .any(|(_, pause)| pause.reason.as_str() == reason && pause.until > now);
        gauge!("soundwatch_key_paused", "reason" => reason).set(f64::from(u8::from(paused)));
    }
    gauge!("soundwatch_workers").set(store.workers(now).await?.len() as f64);
    let (idle, all) = store.connections();
    let used = usize::try_from(all).unwrap_or(idle).saturating_sub(idle);
    gauge!("soundwatch_database_connections", "state" => "idle").set(idle as f64);
    gauge!("soundwatch_database_connections", "state" => "used").set(used as f64);
    Ok(())
}

/// The gauges of what a look at all targets has found. Set by the look itself, which ends also when a scrape
/// has not waited for it.
#[allow(clippy::cast_precision_loss, reason = "counts far below 2^53")]
pub(super) fn tell_states(states: &[(String, i64)]) {
    for state in STATES {
        let targets = states
            .iter()
            .find(|(name, _)| name == state)
            .map_or(0, |(_, targets)| *targets);
        gauge!("soundwatch_targets", "state" => state).set(targets as f64);
    }
}

/// As [`tell_states`], of what waits at `now`.
#[allow(clippy::cast_precision_loss, reason = "counts far below 2^53")]
pub(super) fn tell_backlog(backlog: Backlog, now: i64) {
    gauge!("soundwatch_due_slots").set(backlog.due as f64);
    gauge!("soundwatch_open_fetches").set(backlog.open as f64);
    let lag = backlog.oldest_at.map_or(0, |at| (now - at).max(0));
    gauge!("soundwatch_slot_lag_seconds").set(lag as f64);
}
