//! What a pass does before it asks: old claims are taken over, and missed slots get their rows.

use super::{Collector, Tally};
use crate::model::{Outcome, Reason};
use crate::schedule::Schedule;
use crate::store::StoreError;
use crate::store::due::{Due, GroupSlot};
use crate::store::schedules::{Group, MissedSlot};

/// Missed slots that get a row of their own for each target; older ones are summed up in one.
const MISSED_ROWS: usize = 1_000;

impl Collector {
    /// Gives the newest slot of every schedule, after the ledger has been put in order.
    pub(super) async fn prepare(&self, now: i64, tally: &Tally<'_>) -> Result<Vec<GroupSlot>, StoreError> {
        let groups = self.store.groups().await?;
        let schedules = groups.iter().map(|g| (g.schedule.as_str(), g.time_zone.as_str()));
        let newest = newest_slots(schedules, now);
        let catch_up_from = self.limits.catch_up_from(now);
        // Locked for this line only, not while the database is waited for.
        let silent_before = self.signs_of_life().silent_before(now);
        let freed = self
            .store
            .take_over(
                &self.worker.id,
                &newest,
                self.limits.attempts,
                catch_up_from,
                silent_before,
                now,
            )
            .await?;
        if freed > 0 {
            tracing::warn!(fetches = freed, "took over fetches that were left open");
        }
        let missed: Vec<MissedSlot> = groups
            .iter()
            .flat_map(|group| missed_slots(group, now, catch_up_from))
            .collect();
        if !missed.is_empty() {
            let recorded = self.store.record_missed(&missed, &self.worker.id, now).await?;
            if recorded > 0 {
                tally.settled(Outcome::Skipped, Some(Reason::Missed), recorded);
                tracing::warn!(slots = recorded, "recorded slots that were missed");
            }
        }
        Ok(newest)
    }
}

/// The newest slot of each schedule with its zone at `now`; equal ones that follow each other once. A schedule that cannot be read any more (its zone has
/// left the zone database, say) has none, and says so.
pub fn newest_slots<'a>(schedules: impl IntoIterator<Item = (&'a str, &'a str)>, now: i64) -> Vec<GroupSlot> {
    let mut slots: Vec<GroupSlot> = schedules
        .into_iter()
        .filter_map(|(schedule, time_zone)| {
            let slot_at = parse(schedule, time_zone)?.newest(now)?;
            Some(GroupSlot {
                schedule: schedule.to_owned(),
                time_zone: time_zone.to_owned(),
                slot_at,
            })
        })
        .collect();
    slots.dedup();
    slots
}

/// When the target of a slot is due again, unix seconds; until then the slot may be asked.
pub(super) fn next_slot(due: &Due) -> Option<i64> {
    parse(&due.schedule, &due.time_zone)?.next(due.slot_at)
}

fn parse(schedule: &str, time_zone: &str) -> Option<Schedule> {
    Schedule::parse(schedule, time_zone)
        .inspect_err(|error| tracing::error!(schedule, time_zone, %error, "a stored schedule is unusable"))
        .ok()
}

/// The slots of a schedule that nobody asked and nobody will: those between the last one with a row
/// and the newest, and the newest itself when it is older than is made up.
fn missed_slots(group: &Group, now: i64, catch_up_from: i64) -> Vec<MissedSlot> {
    let Some(schedule) = parse(&group.schedule, &group.time_zone) else {
        return Vec::new();
    };
    let Some(newest_at) = schedule.newest(now) else {
        return Vec::new();
    };
    let until = if newest_at < catch_up_from {
        newest_at
    } else {
        newest_at - 1
    };
    let slots: Vec<i64> = schedule.between(group.behind, until).collect();
    let summed_up = slots.len().saturating_sub(MISSED_ROWS);
    let missed = |slot_at: i64, slots: i64| MissedSlot {
        schedule: group.schedule.clone(),
        time_zone: group.time_zone.clone(),
        behind: group.behind,
        slot_at,
        slots,
        newest_at,
    };
    let sum = summed_up
        .checked_sub(1)
        .and_then(|last| slots.get(last))
        .map(|at| missed(*at, i64::try_from(summed_up).unwrap_or(i64::MAX)));
    sum.into_iter()
        .chain(slots.iter().skip(summed_up).map(|at| missed(*at, 1)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::DAY;

    fn hourly(behind: i64) -> Group {
        Group {
            schedule: "0 * * * *".to_owned(),
            time_zone: "UTC".to_owned(),
            behind,
        }
    }

    #[test]
    fn nothing_is_missed_when_only_the_newest_slot_is_open() {
        let now = 100 * DAY + 90;
        assert!(missed_slots(&hourly(100 * DAY - 3_600), now, now - DAY).is_empty());
    }

    #[test]
    fn slots_between_the_last_and_the_newest_are_missed() {
        let now = 100 * DAY + 90;
        let missed = missed_slots(&hourly(100 * DAY - 3 * 3_600), now, now - DAY);
        let slots: Vec<i64> = missed.iter().map(|m| m.slot_at).collect();
        assert_eq!(slots, [100 * DAY - 2 * 3_600, 100 * DAY - 3_600]);
    }

    #[test]
    fn the_newest_slot_is_missed_too_when_it_is_older_than_is_made_up() {
        let now = 100 * DAY + 1_800;
        let missed = missed_slots(&hourly(100 * DAY - 3_600), now, now - 600);
        assert_eq!(missed.iter().map(|m| m.slot_at).collect::<Vec<_>>(), [100 * DAY]);
    }

    #[test]
    fn beyond_a_thousand_slots_the_oldest_are_summed_up_in_one_row() {
        let now = 100 * DAY + 90;
        let behind = 100 * DAY - 1_501 * 3_600;
        let missed = missed_slots(&hourly(behind), now, now - DAY);
        assert_eq!(missed.len(), 1_001);
        assert_eq!(missed[0].slots, 500);
        assert_eq!(missed.iter().map(|m| m.slots).sum::<i64>(), 1_500);
    }
}
