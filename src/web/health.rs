//! How the daemon is, for a supervisor: alive as long as the loop turns, ready when it can also do its
//! work, with the reasons when not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::Site;
use super::metrics::ANSWERS;
use crate::clock::rfc3339;
use crate::collect::PassError;
use crate::config::Budget;
use crate::store::StoreError;

/// The daemon gives a sign of life every five seconds; without one for so long it stands still.
const SILENCE: i64 = 60;

/// A slot that has waited so long (seconds) was not asked in time.
const LATE: i64 = 900;

/// What the daemon says about itself, shared with who shows it.
#[derive(Clone, Debug)]
pub struct Vitals(Arc<Mutex<Signs>>);

#[derive(Debug)]
struct Signs {
    /// Unix seconds; 0: not yet.
    alive_at: i64,
    database: Option<String>,
    spool: Option<String>,
    next_look_at: Option<i64>,
    budget: Budget,
    collecting: bool,
}

/// A pass runs as long as this is kept.
#[must_use]
#[derive(Debug)]
pub struct Collecting(Vitals);

impl Drop for Collecting {
    fn drop(&mut self) {
        self.0.signs().collecting = false;
    }
}

/// Why it is not ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// `start`, `loop`, `database`, `spool` or `schedule`.
    pub what: &'static str,
    /// For people.
    pub why: String,
}

impl Vitals {
    /// Of a daemon that starts and may spend so much.
    pub fn of(budget: Budget) -> Self {
        Self(Arc::new(Mutex::new(Signs {
            alive_at: 0,
            database: None,
            spool: None,
            next_look_at: None,
            budget,
            collecting: false,
        })))
    }

    /// From now on it may spend so much.
    pub fn may_spend(&self, budget: Budget) {
        self.signs().budget = budget;
    }

    /// What it may spend.
    pub fn budget(&self) -> Budget {
        self.signs().budget
    }

    /// A pass begins.
    pub fn collecting(&self) -> Collecting {
        self.signs().collecting = true;
        Collecting(self.clone())
    }

    /// Whether a pass runs.
    pub fn is_collecting(&self) -> bool {
        self.signs().collecting
    }

    /// The loop turns at `at` (unix seconds), and the database has just answered.
    pub fn alive(&self, at: i64) {
        let mut signs = self.signs();
        signs.alive_at = at;
        signs.database = None;
    }

    /// The loop turns at `at`, but this keeps it from its work.
    pub fn failed(&self, at: i64, error: &PassError) {
        let mut signs = self.signs();
        signs.alive_at = at;
        match error {
            PassError::NoRoom { .. } => signs.spool = Some(error.to_string()),
            PassError::Store(_) => signs.database = Some(error.to_string()),
        }
    }

    /// A pass has ended well at `at`; something can be due next at `next_look_at`.
    pub fn passed(&self, at: i64, next_look_at: i64) {
        let mut signs = self.signs();
        signs.alive_at = at;
        (signs.database, signs.spool) = (None, None);
        signs.next_look_at = Some(next_look_at);
    }

    /// Everything that keeps the daemon from its work at `now`.
    pub fn reasons(&self, now: i64) -> Vec<Reason> {
        let signs = self.signs();
        let mut reasons = Vec::new();
        let mut add = |what, why: String| reasons.push(Reason { what, why });
        if signs.alive_at == 0 {
            add("start", "it is starting".to_owned());
        } else if now - signs.alive_at > SILENCE {
            add(
                "loop",
                format!("no sign of life since {}", rfc3339(signs.alive_at)),
            );
        }
        if let Some(why) = &signs.database {
            add("database", why.clone());
        }
        if let Some(why) = &signs.spool {
            add("spool", why.clone());
        }
        if let Some(at) = signs.next_look_at.filter(|at| now - at > LATE) {
            add(
                "schedule",
                format!("what was due at {} is not done yet", rfc3339(at)),
            );
        }
        reasons
    }

    fn signs(&self) -> MutexGuard<'_, Signs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the process should be left alone: only a loop that stands still is for a restart.
pub(super) async fn healthz(State(site): State<Arc<Site>>) -> (StatusCode, Json<Value>) {
    let reasons = site.vitals.reasons(site.clock.now());
    answer(
        reasons
            .into_iter()
            .filter(|reason| reason.what == "loop")
            .collect(),
    )
}

/// Whether it does its work. The database is asked by the daemon's own loop and by this very request.
pub(super) async fn readyz(State(site): State<Arc<Site>>) -> (StatusCode, Json<Value>) {
    let mut reasons = site.vitals.reasons(site.clock.now());
    if reasons.iter().all(|reason| reason.what != "database")
        && let Some(why) = silence(timeout(ANSWERS, site.store.answers()).await)
    {
        reasons.push(Reason {
            what: "database",
            why,
        });
    }
    answer(reasons)
}

/// Why the database has not answered, if it has not.
fn silence(answered: Result<Result<(), StoreError>, Elapsed>) -> Option<String> {
    match answered {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("no answer within {} s", ANSWERS.as_secs())),
    }
}

fn answer(reasons: Vec<Reason>) -> (StatusCode, Json<Value>) {
    let status = if reasons.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(json!({ "ok": reasons.is_empty(), "reasons": reasons })),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vitals() -> Vitals {
        Vitals::of(Budget {
            credits_per_request: 2,
            daily_credits: 10,
            monthly_credits: 100,
        })
    }

    fn whats(vitals: &Vitals, now: i64) -> Vec<&'static str> {
        vitals.reasons(now).iter().map(|reason| reason.what).collect()
    }

    #[test]
    fn a_daemon_is_ready_from_its_first_sign_of_life_on() {
        let vitals = vitals();
        assert_eq!(whats(&vitals, 1_000), ["start"]);
        vitals.alive(1_000);
        assert_eq!(whats(&vitals, 1_000 + SILENCE), [""; 0]);
    }

    #[test]
    fn a_loop_without_signs_of_life_stands_still() {
        let vitals = vitals();
        vitals.alive(1_000);
        assert_eq!(whats(&vitals, 1_001 + SILENCE), ["loop"]);
        vitals.alive(1_001 + SILENCE);
        assert_eq!(whats(&vitals, 1_001 + SILENCE), [""; 0]);
    }

    #[test]
    fn a_database_that_is_away_is_a_reason_until_it_answers() {
        let vitals = vitals();
        let away = PassError::Store(StoreError::Unreadable("it is away".to_owned()));
        vitals.failed(1_000, &away);
        assert_eq!(whats(&vitals, 1_000), ["database"]);
        assert!(
            vitals
                .reasons(1_000)
                .iter()
                .all(|reason| reason.why.contains("it is away"))
        );
        vitals.alive(1_005);
        assert_eq!(whats(&vitals, 1_005), [""; 0]);
    }

    #[test]
    fn what_was_due_and_is_not_done_is_told_after_a_while() {
        let vitals = vitals();
        vitals.passed(1_000, 2_000);
        vitals.alive(2_000 + LATE);
        assert_eq!(whats(&vitals, 2_000 + LATE), [""; 0]);
        vitals.alive(2_001 + LATE);
        assert_eq!(whats(&vitals, 2_001 + LATE), ["schedule"]);
        vitals.passed(2_001 + LATE, 9_000);
        assert_eq!(whats(&vitals, 2_001 + LATE), [""; 0]);
    }
}
