//! What the daemon shows over HTTP: health for a supervisor and metrics for Prometheus.
//!
//! The handlers only read: they have connections of their own that cannot write, and run on a thread of
//! their own (`service/web.rs`), so that no visitor slows the collection. Every request passes
//! [`guard`] first.

pub mod guard;
mod health;
mod login;
pub mod metrics;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::clock::Clock;
use crate::store::Store;
use guard::Guard;
pub use health::{Reason, Vitals};

/// Longer than any page or answer takes on a healthy machine.
const HANDLER: Duration = Duration::from_secs(10);

/// Everything that the handlers read.
pub struct Site {
    /// Read-only connections; none while the database could not be opened.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// How the daemon is.
    pub vitals: Vitals,
    /// The numbers that the daemon counts.
    pub recorded: PrometheusHandle,
}

/// All routes, guarded.
pub fn router(site: Site, guard: Guard) -> Router {
    let guard = Arc::new(guard);
    let pages = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::page))
        .with_state(Arc::new(site))
        .route("/login", get(login::form).post(login::enter))
        .with_state(Arc::clone(&guard))
        .fallback(async || (StatusCode::NOT_FOUND, "there is nothing here\n"));
    pages
        .layer(from_fn(in_time))
        .layer(from_fn_with_state(guard, guard::check))
}

/// Ends a request that takes too long, so that what is slow does not pile up.
async fn in_time(request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    match tokio::time::timeout(HANDLER, next.run(request)).await {
        Ok(response) => response,
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database did not answer in time\n",
        )
            .into_response(),
    }
}
