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

use super::Site;
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
pub struct Turns {
    places: Arc<Semaphore>,
    /// While a pass runs, one request at a time is worked on.
    one: Arc<tokio::sync::Mutex<()>>,
    allowance: Mutex<Allowance>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(PLACES)),
            one: Arc::default(),
            allowance: Mutex::default(),
        }
    }
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
async fn turn(site: &Site) -> Option<Turn> {
    let (turns, clock) = (&site.turns, Clock::System);
    let place = Arc::clone(&turns.places).acquire_owned().await.ok()?;
    let mut alone = None;
    if site.vitals.is_collecting() {
        alone = Some(Arc::clone(&turns.one).lock_owned().await);
        while site.vitals.is_collecting()
            && let Some(wait) = turns.with_allowance(|allowance| allowance.wait(clock.monotonic()))
        {
            clock.sleep(wait.min(LOOK_AGAIN)).await;
        }
    }
    Some(Turn { _place: place, alone })
}

/// Works on a request when it is its turn. The work is a task of its own: it is counted to its end, also when
/// the visitor has gone, since the database works on as well.
pub(super) async fn in_turn(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let Ok(Some(turn)) = timeout(PATIENCE, turn(&site)).await else {
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
        site.turns
            .with_allowance(|allowance| allowance.worked(now, took, alone));
        drop(turn);
        response
    });
    work.await
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

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
