//! How the daemon is, for a supervisor: alive as long as the loop turns, ready when it can also do its
//! work, with the reasons when not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use super::Site;
use crate::clock::rfc3339;

/// The loop turns once a second; a pass may take about a minute between two turns.
const LOOP_SILENCE: i64 = 180;

/// A slot that has waited so long (seconds) was not asked in time.
const LATE: i64 = 900;

/// What the daemon says about itself, shared with who shows it.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Vitals>>);

#[derive(Debug, Default)]
struct Vitals {
    looped_at: i64,
    database: Option<String>,
    spool: Option<String>,
    next_slot_at: Option<i64>,
}

/// Why it is not ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// `loop`, `database`, `spool` or `schedule`.
    pub what: &'static str,
    /// For people.
    pub why: String,
}

impl Health {
    /// The loop has turned, with what it knows: the error of the database if it has failed, of the spool, and
    /// when something can be due next (unix seconds).
    pub fn looped(&self, at: i64, failed: Option<&crate::collect::PassError>, next_slot_at: i64) {
        let mut state = self.state();
        state.looped_at = at;
        state.next_slot_at = Some(next_slot_at);
        let text = failed.map(ToString::to_string);
        (state.database, state.spool) = match failed {
            Some(crate::collect::PassError::NoRoom { .. }) => (None, text),
            _ => (text, None),
        };
    }

    /// Everything that keeps the daemon from its work at `now`.
    pub fn reasons(&self, now: i64) -> Vec<Reason> {
        let state = self.state();
        let mut reasons = Vec::new();
        let mut add = |what, why: String| reasons.push(Reason { what, why });
        if state.looped_at == 0 {
            add("loop", "it is starting".to_owned());
        } else if now - state.looped_at > LOOP_SILENCE {
            add("loop", format!("it has not turned since {}", rfc3339(state.looped_at)));
        }
        if let Some(why) = &state.database {
            add("database", why.clone());
        }
        if let Some(why) = &state.spool {
            add("spool", why.clone());
        }
        if let Some(at) = state.next_slot_at.filter(|at| state.looped_at > 0 && now - at > LATE) {
            add("schedule", format!("slots of {} are not done yet", rfc3339(at)));
        }
        reasons
    }

    fn state(&self) -> MutexGuard<'_, Vitals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the process should be left alone: only a loop that stands still is for a restart.
pub(super) async fn healthz(State(site): State<Arc<Site>>) -> (StatusCode, Json<Value>) {
    let reasons = site.health.reasons(site.clock.now());
    answer(reasons.into_iter().filter(|reason| reason.what == "loop" && reason.why != "it is starting").collect())
}

/// Whether it does its work. The database is asked by the daemon's own loop and by this very request.
pub(super) async fn readyz(State(site): State<Arc<Site>>) -> (StatusCode, Json<Value>) {
    let mut reasons = site.health.reasons(site.clock.now());
    if reasons.iter().all(|reason| reason.what != "database")
        && let Err(error) = site.store.answers().await
    {
        reasons.push(Reason {
            what: "database",
            why: error.to_string(),
        });
    }
    answer(reasons)
}

fn answer(reasons: Vec<Reason>) -> (StatusCode, Json<Value>) {
    let status = if reasons.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(json!({ "ok": reasons.is_empty(), "reasons": reasons })))
}
