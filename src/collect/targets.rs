//! The targets follow the watchlist: load both, compare, write the difference.

use std::collections::BTreeMap;

use crate::clock::DAY;
use crate::config::Budget;
use crate::forecast::credits_per_day;
use crate::model::TargetSpec;
use crate::schedule::Schedule;
use crate::store::targets::{NewTarget, remove, write};
use crate::store::{Store, StoreError};
use crate::watchlist::{Diff, StoredTarget, diff};

/// Targets that are named one by one of each kind of change.
const NAMED: usize = 5;

/// What an edit of the watchlist changes: numbers of targets, and what a day costs.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
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
    /// What the targets cost on an average day until now.
    pub credits_per_day_before: f64,
    /// What they cost from now on.
    pub credits_per_day_after: f64,
    /// Which targets they are.
    pub names: Names,
}

/// The first few targets of each kind of change: sound, region and period.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Names {
    added: Named,
    removed: Named,
    changed: Named,
    returned: Named,
}

/// The first few of so many targets.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
struct Named {
    first: Vec<String>,
    more: usize,
}

impl Named {
    fn of<'a>(all: usize, specs: impl Iterator<Item = &'a TargetSpec>) -> Self {
        let name = |spec: &TargetSpec| format!("{} {} {}", spec.clip_id, spec.region, spec.period);
        let first: Vec<String> = specs.take(NAMED).map(name).collect();
        Self {
            more: all.saturating_sub(first.len()),
            first,
        }
    }
}

impl Names {
    fn of(diff: &Diff<'_>, stored: &[StoredTarget]) -> Self {
        let first_removed: Vec<i64> = diff.removed.iter().copied().take(NAMED).collect();
        let removed = stored.iter().filter(|target| first_removed.contains(&target.id));
        Self {
            added: Named::of(diff.added.len(), diff.added.iter().copied()),
            removed: Named::of(diff.removed.len(), removed.map(|target| &target.spec)),
            changed: Named::of(diff.changed.len(), diff.changed.iter().map(|change| change.spec)),
            returned: Named::of(
                diff.returned.len(),
                diff.returned.iter().map(|change| change.spec),
            ),
        }
    }
}

impl std::fmt::Display for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds = [
            ("added", &self.added),
            ("removed", &self.removed),
            ("changed", &self.changed),
            ("returned", &self.returned),
        ];
        let told = kinds.iter().filter(|(_, named)| !named.first.is_empty());
        let told: Vec<String> = told
            .map(|(kind, named)| match named.more {
                0 => format!("{kind} {}", named.first.join(", ")),
                more => format!("{kind} {} and {more} more", named.first.join(", ")),
            })
            .collect();
        if told.is_empty() {
            return f.write_str("nothing changes");
        }
        f.write_str(&told.join("; "))
    }
}

impl Changes {
    /// What the watchlist changes in the stored targets.
    pub fn new(stored: &[StoredTarget], wanted: &[TargetSpec], budget: Budget, now: i64) -> Self {
        Self::of(&diff(stored, wanted), stored, wanted, budget, now)
    }

    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.added + self.changed + self.removed + self.returned == 0
    }

    fn of(diff: &Diff<'_>, stored: &[StoredTarget], wanted: &[TargetSpec], budget: Budget, now: i64) -> Self {
        let live = stored.iter().filter(|target| !target.removed);
        Self {
            added: diff.added.len(),
            changed: diff.changed.len(),
            removed: diff.removed.len(),
            returned: diff.returned.len(),
            unchanged: diff.unchanged,
            credits_per_day_before: credits_per_day(live.map(|target| &target.spec), budget, now),
            credits_per_day_after: credits_per_day(wanted, budget, now),
            names: Names::of(diff, stored),
        }
    }
}

impl std::fmt::Display for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            added,
            changed,
            removed,
            returned,
            unchanged,
            credits_per_day_before,
            credits_per_day_after,
            names: _,
        } = self;
        write!(
            f,
            "{added} added, {changed} changed, {removed} removed, {returned} returned, {unchanged} as before; \
             credits a day: {credits_per_day_before:.1} → {credits_per_day_after:.1}"
        )
    }
}

/// Brings the targets in line with the watchlist. A new target, or one that comes back, is due at
/// once, for its newest past slot; a changed schedule counts from now on.
pub async fn sync(
    store: &Store,
    wanted: &[TargetSpec],
    budget: Budget,
    now: i64,
) -> Result<Changes, StoreError> {
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
    Ok(Changes::of(&diff, &stored, wanted, budget, now))
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

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Budget = Budget {
        credits_per_request: 2,
        daily_credits: 100,
        monthly_credits: 100,
    };

    fn spec(clip: u64, schedule: &str) -> TargetSpec {
        TargetSpec {
            clip_id: format!("{clip:019}").parse().unwrap(),
            region: "US".parse().unwrap(),
            period: "7".parse().unwrap(),
            schedule: schedule.to_owned(),
            time_zone: "UTC".to_owned(),
            tags: Vec::new(),
            note: None,
        }
    }

    #[test]
    fn an_edit_tells_what_a_day_cost_before_and_costs_after() {
        let stored = |id, spec, removed| StoredTarget { id, spec, removed };
        let before = [
            stored(1, spec(1, "@daily"), false),
            stored(2, spec(2, "@daily"), false),
            stored(3, spec(3, "@hourly"), true),
        ];
        let wanted = [spec(1, "0 */12 * * *"), spec(4, "@daily"), spec(5, "@daily")];
        let changes = Changes::new(&before, &wanted, BUDGET, 1_770_015_600);
        assert_eq!(
            changes.to_string(),
            "2 added, 1 changed, 1 removed, 0 returned, 0 as before; credits a day: 4.0 → 8.0"
        );
        assert_eq!(
            changes.names.to_string(),
            "added 0000000000000000004 US 7, 0000000000000000005 US 7; removed 0000000000000000002 US 7; \
             changed 0000000000000000001 US 7"
        );
    }

    #[test]
    fn of_many_targets_the_first_few_are_named() {
        let wanted: Vec<TargetSpec> = (1..=9).map(|clip| spec(clip, "@daily")).collect();
        let names = Changes::new(&[], &wanted, BUDGET, 0).names.to_string();
        assert!(names.ends_with("0000000000000000005 US 7 and 4 more"), "{names}");
        assert_eq!(
            Changes::new(&[], &[], BUDGET, 0).names.to_string(),
            "nothing changes"
        );
    }
}
