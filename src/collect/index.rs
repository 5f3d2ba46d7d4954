//! The index of series whose windows have changed: computed on the blocking pool in batches, each
//! written in a transaction of its own.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use tokio::sync::Notify;

use super::Collector;
use crate::clock::Clock;
use crate::store::trend_index::{Computed, DueBatch, DueSeries};
use crate::store::{Store, StoreError};
use crate::trend::{Doubts, LagCounts, Series, index};

/// Points of windows in one batch: bounds memory, and how long a transaction takes.
const POINTS: i64 = 20_000;

/// Beside a pass the index is computed for so many answers at a time: its transactions take the place of
/// others.
const WORTHWHILE: usize = 512;

/// When fewer series than that are left it waits for more again.
pub(super) const SMALL: usize = 128;

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Indexed {
    /// Series whose index was computed; one may count several times.
    pub series: u64,
    /// Those of them whose windows had not changed meanwhile.
    pub written: u64,
    /// Days of them that have an index.
    pub days: u64,
    /// Asked to stop before the end.
    pub stopped: bool,
}

/// Answers that have been settled since the index was looked at.
#[derive(Debug, Default)]
pub struct News {
    answers: AtomicUsize,
    enough: Notify,
}

impl News {
    /// So many more have been settled.
    pub(super) fn settled(&self, answers: usize) {
        if self.answers.fetch_add(answers, Ordering::Relaxed) + answers >= WORTHWHILE {
            self.look();
        }
    }

    /// However few they are, they are all that come.
    pub(super) fn look(&self) {
        self.enough.notify_one();
    }

    /// Waits until looking is worth its while.
    pub(super) async fn enough(&self) {
        self.enough.notified().await;
    }

    /// What has been settled until now is being looked at.
    pub(super) fn looked_at(&self) {
        self.answers.store(0, Ordering::Relaxed);
    }
}

impl Collector {
    /// Computes the index of what is marked as long as `go_on` says so, until fewer than `least` series are
    /// left. `false`: it can't be done now. What is left stays marked: an index that is late is no reason not to
    /// collect.
    pub async fn index(&self, least: usize, go_on: &dyn Fn() -> bool) -> bool {
        let done = index_due(&self.store, &self.clock, least, go_on, &|_| {}).await;
        if let Err(error) = &done {
            tracing::warn!(%error, "the index is computed later");
        }
        done.is_ok()
    }
}

/// Computes the index of every series that is marked, in batches, until one that had all of them has fewer
/// than `least`, or `go_on` says no. `progress` hears of every batch how many series it had.
pub async fn index_due(
    store: &Store,
    clock: &Clock,
    least: usize,
    go_on: &dyn Fn() -> bool,
    progress: &dyn Fn(u64),
) -> Result<Indexed, StoreError> {
    let mut done = Indexed::default();
    loop {
        if !go_on() {
            done.stopped = true;
            return Ok(done);
        }
        let DueBatch { series: due, more } = store.series_due(POINTS, fastrand::f64()).await?;
        if due.is_empty() {
            return Ok(done);
        }
        let lag = store.lag_counts().await?.settle_lag();
        if lag.doubtful {
            tracing::warn!("no age at which a day is settled explains the windows: the index may be wrong");
        }
        let computed = compute_beside(due, lag.days).await?;
        done.written += store.put_index(&computed, clock.now()).await?;
        done.series += computed.len() as u64;
        done.days += computed
            .iter()
            .map(|one| one.index.days.len() as u64)
            .sum::<u64>();
        computed.iter().for_each(tell);
        progress(computed.len() as u64);
        if !more && computed.len() < least {
            return Ok(done);
        }
    }
}

/// On a thread of its own: it takes longer than anything else, and the event loop would wait for it.
async fn compute_beside(due: Vec<DueSeries>, lag: i64) -> Result<Vec<Computed>, StoreError> {
    let compute = move || due.into_iter().map(|series| compute(series, lag)).collect();
    let done = tokio::task::spawn_blocking(compute).await;
    done.map_err(|error| {
        StoreError::Unreadable(format!("windows of which no index can be computed: {error}"))
    })
}

fn compute(due: DueSeries, lag: i64) -> Computed {
    let series = Series::new(&due.windows);
    Computed {
        windows: series.len() as i64,
        unusable: series.unusable,
        counts: LagCounts::of(&series),
        settle_lag: lag,
        index: index(&series, lag),
        series: DueSeries {
            windows: Vec::new(),
            ..due
        },
    }
}

/// Logs what is wrong with the windows of one series.
fn tell(one: &Computed) {
    let (clip_id, region) = (&one.series.key.clip_id, &one.series.key.region);
    if one.unusable > 0 {
        tracing::warn!(
            clip_id,
            region,
            windows = one.unusable,
            "windows with values outside 0 to 1 have no part in the index"
        );
    }
    if one.index.doubts.half_unit > Doubts::default().half_unit {
        tracing::warn!(
            clip_id,
            region,
            half_unit = one.index.doubts.half_unit,
            "windows fit each other only if their values are less exact than they look"
        );
    }
}
