//! The targets follow the watchlist: load both, compare, write the difference.

use std::collections::BTreeMap;

use crate::clock::DAY;
use crate::model::TargetSpec;
use crate::schedule::Schedule;
use crate::store::targets::{NewTarget, remove, write};
use crate::store::{Store, StoreError};
use crate::watchlist::diff;

/// What a synchronisation changed: numbers of targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Changes {
    /// New.
    pub added: usize,
    /// With another schedule, tags or note.
    pub changed: usize,
    /// No longer watched; their history stays.
    pub removed: usize,
    /// Watched again.
    pub returned: usize,
    /// As they were.
    pub unchanged: usize,
}

impl std::fmt::Display for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            added,
            changed,
            removed,
            returned,
            unchanged,
        } = self;
        write!(
            f,
            "{added} added, {changed} changed, {removed} removed, {returned} returned, {unchanged} as before"
        )
    }
}

/// Brings the targets in line with the watchlist. A new target, or one that comes back, is due at
/// once, for its newest past slot; a changed schedule counts from now on.
pub async fn sync(store: &Store, wanted: &[TargetSpec], now: i64) -> Result<Changes, StoreError> {
    let stored = store.targets().await?;
    let diff = diff(&stored, wanted);
    let mut timing = Timing {
        now,
        known: BTreeMap::new(),
    };
    let fresh = diff
        .added
        .iter()
        .copied()
        .chain(diff.returned.iter().map(|r| r.spec));
    let mut rows: Vec<NewTarget<'_>> = fresh
        .map(|spec| timing.target(spec, Counts::FromNewest))
        .collect();
    rows.extend(diff.changed.iter().map(|changed| {
        let counts = if changed.slots_change {
            Counts::FromNow
        } else {
            Counts::AsBefore
        };
        timing.target(changed.spec, counts)
    }));
    if !diff.is_empty() {
        let mut tx = store.begin().await?;
        write(&mut tx, &rows, now).await?;
        remove(&mut tx, &diff.removed, now).await?;
        tx.commit().await?;
    }
    Ok(Changes {
        added: diff.added.len(),
        changed: diff.changed.len(),
        removed: diff.removed.len(),
        returned: diff.returned.len(),
        unchanged: diff.unchanged,
    })
}

/// From when on the slots of a target count.
#[derive(Clone, Copy)]
enum Counts {
    FromNewest,
    FromNow,
    AsBefore,
}

/// What the schedules of a watchlist mean at one instant; each is read once.
struct Timing {
    now: i64,
    known: BTreeMap<(String, String), (i64, i64)>,
}

impl Timing {
    fn target<'a>(&mut self, spec: &'a TargetSpec, counts: Counts) -> NewTarget<'a> {
        let now = self.now;
        let key = (spec.schedule.clone(), spec.time_zone.clone());
        let (interval_seconds, newest) = *self.known.entry(key).or_insert_with(|| {
            // The watchlist has been checked: a schedule that cannot be read does not get here.
            Schedule::parse(&spec.schedule, &spec.time_zone)
                .map(|schedule| {
                    (
                        schedule.interval_seconds(now),
                        schedule.newest(now).unwrap_or(now),
                    )
                })
                .unwrap_or((DAY, now))
        });
        let slots_from = match counts {
            Counts::FromNewest => Some(newest),
            Counts::FromNow => Some(now + 1),
            Counts::AsBefore => None,
        };
        NewTarget {
            spec,
            interval_seconds,
            slots_from,
        }
    }
}
