//! What to change in the stored targets so that they are those of the watchlist. Pure.

use std::collections::BTreeMap;

use crate::model::{ClipId, Period, Region, TargetSpec};

/// A target as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTarget {
    /// `targets.id`.
    pub id: i64,
    /// What it asks for.
    pub spec: TargetSpec,
    /// Whether it was taken out of the watchlist; its history stays.
    pub removed: bool,
}

/// A stored target that the watchlist now wants like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed<'a> {
    /// `targets.id`.
    pub id: i64,
    /// What it shall be.
    pub spec: &'a TargetSpec,
    /// Whether its slots change (schedule or time zone), or only what people read (tags, note).
    pub slots_change: bool,
}

/// The way from the stored targets to the wanted ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff<'a> {
    /// Never seen before.
    pub added: Vec<&'a TargetSpec>,
    /// Watched before and now, but not in the same way.
    pub changed: Vec<Changed<'a>>,
    /// The IDs of those that are no longer wanted.
    pub removed: Vec<i64>,
    /// Once removed and wanted again: the same rows.
    pub returned: Vec<Changed<'a>>,
    /// How many stay as they are.
    pub unchanged: usize,
}

impl Diff<'_> {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.changed.is_empty()
            && self.removed.is_empty()
            && self.returned.is_empty()
    }
}

/// What makes two targets the same.
fn key(spec: &TargetSpec) -> (&ClipId, Region, Period) {
    (&spec.clip_id, spec.region, spec.period)
}

/// Compares the stored targets with those of the watchlist, each of which has a
/// (clip, region, period) at most once.
pub fn diff<'a>(stored: &[StoredTarget], wanted: &'a [TargetSpec]) -> Diff<'a> {
    let mut unclaimed: BTreeMap<_, _> = stored.iter().map(|s| (key(&s.spec), s)).collect();
    let mut diff = Diff::default();
    for spec in wanted {
        let Some(found) = unclaimed.remove(&key(spec)) else {
            diff.added.push(spec);
            continue;
        };
        let change = Changed {
            id: found.id,
            spec,
            slots_change: found.spec.schedule != spec.schedule || found.spec.time_zone != spec.time_zone,
        };
        if found.removed {
            diff.returned.push(change);
        } else if found.spec == *spec {
            diff.unchanged += 1;
        } else {
            diff.changed.push(change);
        }
    }
    let gone = unclaimed.into_values().filter(|s| !s.removed);
    diff.removed = gone.map(|s| s.id).collect();
    diff
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spec(clip: u64, region: &str, schedule: &str, note: Option<&str>) -> TargetSpec {
        TargetSpec {
            clip_id: format!("{clip:019}").parse().unwrap(),
            region: region.parse().unwrap(),
            period: "7".parse().unwrap(),
            schedule: schedule.to_owned(),
            time_zone: "UTC".to_owned(),
            tags: Vec::new(),
            note: note.map(str::to_owned),
        }
    }

    fn stored(id: i64, spec: TargetSpec, removed: bool) -> StoredTarget {
        StoredTarget { id, spec, removed }
    }

    #[test]
    fn each_target_is_added_changed_removed_returned_or_left_alone() {
        let before = [
            stored(1, spec(1, "US", "@daily", None), false),
            stored(2, spec(2, "US", "@daily", None), false),
            stored(3, spec(3, "US", "@daily", None), false),
            stored(4, spec(4, "US", "@daily", None), false),
            stored(5, spec(5, "US", "@daily", None), true),
            stored(6, spec(6, "US", "@daily", None), true),
        ];
        let wanted = [
            spec(1, "US", "@daily", None),
            spec(2, "US", "@hourly", None),
            spec(3, "US", "@daily", Some("a note")),
            spec(5, "US", "@daily", None),
            spec(1, "LV", "@daily", None),
        ];
        let diff = diff(&before, &wanted);
        assert_eq!(diff.added, [&wanted[4]]);
        let changed: Vec<_> = diff.changed.iter().map(|c| (c.id, c.slots_change)).collect();
        assert_eq!(changed, [(2, true), (3, false)]);
        assert_eq!(diff.removed, [4]);
        let returned: Vec<_> = diff.returned.iter().map(|c| (c.id, c.slots_change)).collect();
        assert_eq!(returned, [(5, false)]);
        assert_eq!(diff.unchanged, 1);
    }

    fn specs() -> impl Strategy<Value = Vec<TargetSpec>> {
        let one = (0..12_u64, prop::bool::ANY, prop::bool::ANY);
        prop::collection::vec(one, 0..12).prop_map(|list| {
            let unique: BTreeMap<u64, _> = list.into_iter().map(|(c, s, n)| (c, (s, n))).collect();
            let spec_of = |(clip, (hourly, note)): (u64, (bool, bool))| {
                let schedule = if hourly { "@hourly" } else { "@daily" };
                spec(clip, "US", schedule, note.then_some("note"))
            };
            unique.into_iter().map(spec_of).collect()
        })
    }

    proptest! {
        #[test]
        fn applied_once_nothing_is_left_to_do(old in specs(), new in specs(), gone in any::<u16>()) {
            let mut rows: Vec<StoredTarget> = (0..)
                .zip(old)
                .map(|(id, spec)| stored(id, spec, gone >> id & 1 == 1))
                .collect();
            let first = diff(&rows, &new);
            for change in first.changed.iter().chain(&first.returned) {
                let row = rows.iter_mut().find(|r| r.id == change.id).unwrap();
                (row.spec, row.removed) = (change.spec.clone(), false);
            }
            for row in &mut rows {
                row.removed |= first.removed.contains(&row.id);
            }
            let added = (100..).zip(&first.added).map(|(id, spec)| stored(id, (*spec).clone(), false));
            rows.extend(added);
            let second = diff(&rows, &new);
            prop_assert!(second.is_empty(), "{:?}", second);
            prop_assert_eq!(second.unchanged, new.len());
        }
    }
}
