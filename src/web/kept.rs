//! Answers that cost a look at all targets, kept for a while, so that neither a scrape every few seconds nor
//! many visitors make the database look again and again.

use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::store::StoreError;

/// An answer is kept for this many times as long as it took: so looking takes a twentieth of the time, with
/// ten targets as with a million.
const COST: u32 = 20;

/// A look that takes longer waits for a server that has gone silently.
const LONGEST: Duration = Duration::from_secs(300);

/// The newest answer to one question.
#[derive(Debug)]
pub(super) struct Kept<T> {
    newest: RwLock<Option<Answer<T>>>,
    /// Held by the one who looks.
    turn: Arc<Mutex<()>>,
}

#[derive(Clone, Debug)]
struct Answer<T> {
    value: T,
    good_until: Duration,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            newest: RwLock::new(None),
            turn: Arc::default(),
        }
    }
}

impl<T: Clone + Send + Sync + 'static> Kept<T> {
    /// The answer, from a look at most so long ago as looks take. While one looks, others get the one before.
    ///
    /// The look is a task of its own: it ends, and is of use to the next, also when this visitor gives up.
    pub(super) async fn get(
        self: &Arc<Self>,
        clock: &Clock,
        look: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let before = self.newest();
        if let Some(before) = &before
            && clock.monotonic() < before.good_until
        {
            return Ok(before.value.clone());
        }
        let turn = match (Arc::clone(&self.turn).try_lock_owned(), before) {
            (Ok(turn), _) => turn,
            (Err(_), Some(before)) => return Ok(before.value),
            (Err(_), None) => {
                let turn = Arc::clone(&self.turn).lock_owned().await;
                if let Some(first) = self.newest() {
                    return Ok(first.value);
                }
                turn
            }
        };
        let (kept, clock) = (Arc::clone(self), clock.clone());
        #[allow(
            clippy::disallowed_methods,
            reason = "it ends with the page's own runtime at the latest"
        )]
        let looked = tokio::spawn(async move {
            let begun = clock.monotonic();
            let silent = |_| StoreError::from(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()));
            let value = tokio::time::timeout(LONGEST, look).await.map_err(silent)??;
            let ended = clock.monotonic();
            let answer = Answer {
                value: value.clone(),
                good_until: ended + ended.saturating_sub(begun) * COST,
            };
            *kept.newest.write().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            drop(turn);
            Ok(value)
        });
        looked.await.unwrap_or(Err(sqlx::Error::WorkerCrashed.into()))
    }

    fn newest(&self) -> Option<Answer<T>> {
        self.newest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "visitors of tests are tasks")]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// Looks that take as long as the gate is shut, and are counted.
    struct Looks {
        gate: Arc<Semaphore>,
        count: Arc<AtomicU32>,
        clock: Clock,
        kept: Arc<Kept<u32>>,
    }

    impl Looks {
        fn new() -> Self {
            Self {
                gate: Arc::new(Semaphore::new(0)),
                count: Arc::default(),
                clock: Clock::manual(1_000),
                kept: Arc::default(),
            }
        }

        /// A visitor, on a task of its own; each look takes 3 s.
        fn visit(&self) -> tokio::task::JoinHandle<u32> {
            let (gate, count) = (Arc::clone(&self.gate), Arc::clone(&self.count));
            let (clock, kept) = (self.clock.clone(), Arc::clone(&self.kept));
            tokio::spawn(async move {
                let looking = clock.clone();
                let look = async move {
                    gate.acquire().await.unwrap().forget();
                    looking.set(looking.now() + 3);
                    Ok(count.fetch_add(1, Ordering::SeqCst) + 1)
                };
                kept.get(&clock, look).await.unwrap()
            })
        }
    }

    #[tokio::test]
    async fn visitors_at_once_share_a_look_and_those_soon_after_get_its_answer() {
        let looks = Looks::new();
        let both = (looks.visit(), looks.visit());
        looks.gate.add_permits(1);
        assert_eq!((both.0.await.unwrap(), both.1.await.unwrap()), (1, 1));
        looks.clock.set(1_003 + 59);
        assert_eq!(looks.visit().await.unwrap(), 1, "it took 3 s and is good for 60");
        looks.clock.set(1_003 + 60);
        looks.gate.add_permits(1);
        assert_eq!(looks.visit().await.unwrap(), 2);
    }

    #[tokio::test]
    async fn while_one_looks_again_the_others_get_the_answer_before() {
        let looks = Looks::new();
        looks.gate.add_permits(1);
        assert_eq!(looks.visit().await.unwrap(), 1);
        looks.clock.set(2_000);
        let who_looks = looks.visit();
        while looks.kept.turn.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        assert_eq!(looks.visit().await.unwrap(), 1);
        looks.gate.add_permits(1);
        assert_eq!(who_looks.await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_look_ends_without_the_visitor_who_wanted_it() {
        let looks = Looks::new();
        let impatient = looks.visit();
        while looks.kept.turn.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        impatient.abort();
        assert!(impatient.await.unwrap_err().is_cancelled());
        looks.gate.add_permits(1);
        assert_eq!(looks.visit().await.unwrap(), 1);
        assert_eq!(looks.count.load(Ordering::SeqCst), 1);
    }
}
