//! How much of the machine visitors get while a pass runs: as much as they like at first, as a person does, and
//! a twentieth of the time when they go on and on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Vitals;
use crate::clock::Clock;

/// Seconds of work for visitors that may be done at once.
const AT_ONCE: f64 = 2.0;

/// What is used up comes back at this rate.
const SHARE: f64 = 0.05;

/// The most that is owed, so that after one very long request nobody is shut out for minutes.
const MOST_OWED: f64 = 0.4;

/// Whether the pass still runs is looked at again after so much waiting.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Requests that are worked on at once: more would only wait for a connection to the database, and go on when
/// a pass has begun meanwhile.
const PLACES: usize = 4;

/// Longer than this nobody waits for a turn.
const PATIENCE: Duration = Duration::from_secs(8);

/// Whose turn it is.
#[derive(Debug)]
pub(super) struct Turns {
    vitals: Vitals,
    places: Arc<Semaphore>,
    /// While a pass runs, one request at a time is worked on.
    one: Arc<tokio::sync::Mutex<()>>,
    allowance: Mutex<Allowance>,
}

/// Seconds of work that visitors have to spare; below 0 when they have had more.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Allowance {
    spare: f64,
    at: Duration,
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            spare: AT_ONCE,
            at: Duration::ZERO,
        }
    }
}

impl Allowance {
    /// How long to wait for the next turn.
    fn wait(&mut self, now: Duration) -> Option<Duration> {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.spare = (self.spare + passed * SHARE).min(AT_ONCE);
        self.at = now;
        (self.spare <= 0.0)
            .then(|| Duration::from_secs_f64(-self.spare / SHARE).max(Duration::from_millis(1)))
    }

    /// So much was worked. Without a pass nobody has to wait for it, and it makes no debts.
    fn worked(&mut self, now: Duration, took: Duration, in_turn: bool) {
        let _ = self.wait(now);
        let most_owed = if in_turn { -MOST_OWED } else { 0.0 };
        self.spare = (self.spare - took.as_secs_f64()).max(most_owed);
    }
}

impl Turns {
    /// Of a daemon whose passes go first.
    pub(super) fn beside(vitals: Vitals) -> Arc<Self> {
        Arc::new(Self {
            vitals,
            places: Arc::new(Semaphore::new(PLACES)),
            one: Arc::default(),
            allowance: Mutex::default(),
        })
    }

    fn with_allowance<T>(&self, change: impl FnOnce(&mut Allowance) -> T) -> T {
        change(&mut self.allowance.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is held while a request is worked on.
struct Turn {
    _place: OwnedSemaphorePermit,
    /// Only while a pass runs.
    alone: Option<OwnedMutexGuard<()>>,
}

/// Waits until a request may be worked on. Real time, also in a demo that lives through days in seconds.
async fn turn(turns: &Turns) -> Option<Turn> {
    let clock = Clock::System;
    let place = Arc::clone(&turns.places).acquire_owned().await.ok()?;
    let mut alone = None;
    if turns.vitals.is_collecting() {
        alone = Some(Arc::clone(&turns.one).lock_owned().await);
        while turns.vitals.is_collecting()
            && let Some(wait) = turns.with_allowance(|allowance| allowance.wait(clock.monotonic()))
        {
            clock.sleep(wait.min(LOOK_AGAIN)).await;
        }
    }
    Some(Turn { _place: place, alone })
}

/// Works on a request when it is its turn. The work is a task of its own: it is counted to its end, also when
/// the visitor has gone, since the database works on as well.
pub(super) async fn in_turn(State(turns): State<Arc<Turns>>, request: Request, next: Next) -> Response {
    let Ok(Some(turn)) = timeout(PATIENCE, turn(&turns)).await else {
        let why = "slots are being collected, and others have asked before: try again in a while\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "10")], why).into_response();
    };
    #[allow(
        clippy::disallowed_methods,
        reason = "it ends with the page's own runtime at the latest"
    )]
    let work = tokio::spawn(async move {
        let begun = Clock::System.monotonic();
        let response = next.run(request).await;
        let now = Clock::System.monotonic();
        let (took, alone) = (now.saturating_sub(begun), turn.alone.is_some());
        turns.with_allowance(|allowance| allowance.worked(now, took, alone));
        drop(turn);
        response
    });
    work.await
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "visitors of tests are tasks")]
mod tests {
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use axum::{Router, http};
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;
    use tokio::task::{JoinHandle, yield_now};

    use super::*;
    use crate::config::Budget;

    /// A page that is ready when the gate lets it.
    struct Page {
        turns: Arc<Turns>,
        gate: Arc<Semaphore>,
    }

    impl Page {
        fn new() -> Self {
            let vitals = Vitals::of(Budget {
                credits_per_request: 2,
                daily_credits: 10,
                monthly_credits: 100,
            });
            Self {
                turns: Turns::beside(vitals),
                gate: Arc::new(Semaphore::new(0)),
            }
        }

        fn visit(&self) -> JoinHandle<StatusCode> {
            let gate = Arc::clone(&self.gate);
            let page = get(async move || gate.acquire().await.unwrap().forget());
            let turns = from_fn_with_state(Arc::clone(&self.turns), in_turn);
            let app = TowerToHyperService::new(Router::new().route("/", page).route_layer(turns));
            let request = http::Request::new(Body::empty());
            tokio::spawn(async move { app.call(request).await.unwrap().status() })
        }

        fn spare(&self) -> f64 {
            self.turns.with_allowance(|allowance| allowance.spare)
        }
    }

    #[tokio::test]
    async fn who_has_used_up_the_time_waits_for_the_end_of_the_pass() {
        let page = Page::new();
        page.gate.add_permits(1);
        let collecting = page.turns.vitals.collecting();
        page.turns
            .with_allowance(|allowance| allowance.worked(Clock::System.monotonic(), seconds(3), true));
        let visit = page.visit();
        for _ in 0..1_000 {
            yield_now().await;
        }
        assert!(!visit.is_finished(), "it would have to wait for 8 s");
        drop(collecting);
        assert_eq!(visit.await.unwrap(), StatusCode::OK);
    }

    #[tokio::test]
    async fn work_for_a_visitor_who_has_gone_is_counted() {
        let page = Page::new();
        let collecting = page.turns.vitals.collecting();
        let gone = page.visit();
        while page.turns.places.available_permits() == PLACES {
            yield_now().await;
        }
        for _ in 0..100 {
            yield_now().await;
        }
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        assert!(page.turns.places.available_permits() < PLACES, "it is worked on");
        page.gate.add_permits(1);
        while page.turns.places.available_permits() < PLACES {
            yield_now().await;
        }
        assert!(page.spare() < AT_ONCE, "{}", page.spare());
        drop(collecting);
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_person_never_waits() {
        let mut allowance = Allowance::default();
        for click in 0..20 {
            let now = seconds(10 * click);
            assert_eq!(allowance.wait(now), None, "click {click}");
            allowance.worked(now, Duration::from_millis(300), true);
        }
    }

    #[test]
    fn who_goes_on_and_on_gets_a_twentieth_of_the_time() {
        let mut allowance = Allowance::default();
        let (mut now, mut worked) = (Duration::ZERO, Duration::ZERO);
        while now < seconds(1_000) {
            match allowance.wait(now) {
                Some(wait) => now += wait,
                None => {
                    let took = Duration::from_millis(100);
                    now += took;
                    worked += took;
                    allowance.worked(now, took, true);
                }
            }
        }
        let share = (worked.as_secs_f64() - AT_ONCE) / now.as_secs_f64();
        assert!((share - SHARE).abs() < 0.001, "{share}");
    }

    #[test]
    fn work_without_a_pass_uses_up_what_is_there_and_no_more() {
        let mut allowance = Allowance::default();
        for second in 0..100 {
            allowance.worked(seconds(second), seconds(4), false);
        }
        assert_eq!(allowance.wait(seconds(99)), Some(Duration::from_millis(1)));
        assert_eq!(allowance.wait(seconds(100)), None);
    }
}
