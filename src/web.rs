//! What the daemon shows over HTTP: the page for people, the same data for programs, health for a supervisor
//! and metrics for Prometheus.
//!
//! The handlers only read: they have connections of their own that cannot write, and run on a thread of
//! their own (`service/web.rs`), so that no visitor slows the collection. Every request passes
//! [`guard`] first.

mod answers;
mod api;
mod failed;
mod files;
pub mod guard;
mod health;
mod kept;
mod layout;
mod login;
mod looks;
pub mod metrics;
mod openapi;
mod operations;
mod overview;
mod parameters;
mod sound;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::clock::Clock;
use crate::config::Discover;
use crate::store::Store;
use failed::Failed;
use guard::Guard;
pub use health::{Reason, Vitals};
pub use looks::Looks;
use turns::Turns;

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
    pub recorded: Arc<metrics::Recorded>,
    /// Slots of so long ago are still asked, for the forecast.
    pub catch_up: Duration,
    /// What the daemon reads charts for, for the forecast.
    pub discover: Option<Discover>,
    /// Live targets by state, and what is due: each takes a look at all targets.
    pub looks: Looks,
}

/// All routes, guarded.
pub fn router(site: Arc<Site>, guard: Guard) -> Router {
    let guard = Arc::new(guard);
    let pages = Router::new()
        .route("/", get(overview::page))
        .route("/sounds/{clip_id}", get(sound::page))
        .route("/operations", get(operations::page))
        .nest("/api/v1", api::routes())
        .route_layer(from_fn_with_state(
            Turns::beside(site.vitals.clone()),
            turns::in_turn,
        ))
        .route("/static/{name}", get(files::file))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::page))
        .with_state(site)
        .route("/login", get(login::form).post(login::enter))
        .with_state(Arc::clone(&guard))
        .fallback(async || Failed::not_found("There is nothing here."));
    pages
        .layer(from_fn(in_time))
        .layer(from_fn_with_state(guard, guard::check))
        .layer(from_fn(answers::wrong_as_json))
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
