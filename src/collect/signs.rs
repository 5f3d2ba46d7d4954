//! Signs of life: this worker's own, and what the silence of others means.

use std::sync::{MutexGuard, PoisonError};

use super::Collector;
use crate::store::StoreError;
use crate::store::workers::SILENT_AFTER;

/// When this worker's signs of life reached the database (unix seconds).
#[derive(Clone, Copy, Debug)]
pub struct SignsOfLife {
    last: i64,
    /// Without a gap until `last`.
    since: i64,
}

impl SignsOfLife {
    /// Of a worker that starts: it has missed nothing itself, and may take over at once.
    pub fn from_start(now: i64) -> Self {
        Self {
            last: now,
            since: now - SILENT_AFTER,
        }
    }

    fn reached(&mut self, now: i64) {
        if now - self.last > SILENT_AFTER || now < self.last {
            self.since = now;
        }
        self.last = now;
    }

    /// Workers whose last sign is older than this are gone. When this worker was cut off itself (the
    /// database was away, the machine slept, the clock went back), so may the others have been: they
    /// get time to come back with what they hold.
    pub(super) fn silent_before(&self, now: i64) -> i64 {
        if now - self.since >= SILENT_AFTER && now - self.last <= SILENT_AFTER {
            now - SILENT_AFTER
        } else {
            i64::MIN
        }
    }
}

impl Collector {
    /// Says that this worker is alive, and divides the rate among those that are.
    pub async fn sign_of_life(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let workers = self.store.heartbeat(&self.worker, now).await?;
        self.signs_of_life().reached(now);
        self.pace.share(workers);
        Ok(())
    }

    /// Whether fetches were handed over, or left by a worker that is gone.
    pub async fn has_open_fetches(&self, now: i64) -> Result<bool, StoreError> {
        let silent_before = self.signs_of_life().silent_before(now);
        self.store.has_open_fetches(silent_before).await
    }

    pub(super) fn signs_of_life(&self) -> MutexGuard<'_, SignsOfLife> {
        self.signs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_770_000_000;

    fn with_signs(at: &[i64]) -> SignsOfLife {
        let mut signs = SignsOfLife::from_start(NOW);
        at.iter().for_each(|seconds| signs.reached(NOW + seconds));
        signs
    }

    #[test]
    fn a_worker_that_starts_may_take_over_at_once() {
        assert_eq!(with_signs(&[]).silent_before(NOW), NOW - SILENT_AFTER);
    }

    #[test]
    fn signs_without_a_gap_keep_it_so() {
        assert_eq!(
            with_signs(&[5, 10, 25]).silent_before(NOW + 30),
            NOW + 30 - SILENT_AFTER
        );
    }

    #[test]
    fn after_a_gap_of_its_own_a_worker_judges_nobody_for_a_while() {
        let signs = with_signs(&[5, 60]);
        assert_eq!(signs.silent_before(NOW + 60), i64::MIN);
        assert_eq!(signs.silent_before(NOW + 79), i64::MIN);
        assert_eq!(signs.silent_before(NOW + 80), NOW + 60);
    }

    #[test]
    fn without_a_sign_of_its_own_a_worker_judges_nobody() {
        assert_eq!(with_signs(&[5]).silent_before(NOW + 60), i64::MIN);
    }

    #[test]
    fn a_clock_that_goes_back_is_a_gap() {
        assert_eq!(with_signs(&[5, -3_600]).silent_before(NOW - 3_590), i64::MIN);
    }
}
