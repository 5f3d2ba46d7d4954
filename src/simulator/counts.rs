//! What the simulated API was asked.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::Ask;

/// Counts of requests, for tests and for people.
#[derive(Debug, Default)]
pub struct Counts(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    total: u64,
    by_ask: BTreeMap<Ask, u64>,
}

impl Counts {
    /// All requests, also those that asked for nonsense.
    pub fn total(&self) -> u64 {
        self.inner().total
    }

    /// The requests for one thing.
    pub fn of(&self, ask: &Ask) -> u64 {
        self.inner().by_ask.get(ask).copied().unwrap_or(0)
    }

    /// The requests for each thing.
    pub fn by_ask(&self) -> BTreeMap<Ask, u64> {
        self.inner().by_ask.clone()
    }

    /// Counts a request and gives its number, from 1.
    pub(super) fn count(&self, ask: Option<Ask>) -> u64 {
        let mut inner = self.inner();
        if let Some(ask) = ask {
            *inner.by_ask.entry(ask).or_default() += 1;
        }
        inner.total += 1;
        inner.total
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
