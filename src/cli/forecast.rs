//! Forecasts as `check` and `plan` show them, and what they take from the database.

use std::collections::BTreeSet;

use crate::collect::{catch_up_from, newest_slots};
use crate::config::Config;
use crate::forecast::{Forecast, Scheduled, Standing};
use crate::model::TargetSpec;
use crate::store::due::Scope;
use crate::store::{Store, StoreError};
use crate::watchlist::{StoredTarget, diff};

/// Schedules that are named one by one.
const SHOWN: usize = 5;

/// What has been spent, and how many slots of the wanted targets are due at this moment: those of
/// new ones, and those that nobody has asked yet.
pub(super) async fn standing(
    store: &Store,
    stored: &[StoredTarget],
    wanted: &[TargetSpec],
    config: &Config,
    now: i64,
) -> Result<Standing, StoreError> {
    let diff = diff(stored, wanted);
    let new = diff.added.len() + diff.returned.len();
    let other_slots = diff.changed.iter().filter(|changed| changed.slots_change);
    let not_any_more: BTreeSet<i64> = other_slots
        .map(|changed| changed.id)
        .chain(diff.removed.iter().copied())
        .collect();
    let schedules = store.schedules().await?;
    let newest = newest_slots(schedules.iter().map(|(s, zone)| (s.as_str(), zone.as_str())), now);
    let from = catch_up_from(config.schedule.catch_up, now);
    let due = store.due(Scope::Scheduled(&newest), from, true, i64::MAX).await?;
    let left = due.iter().filter(|due| !not_any_more.contains(&due.target_id));
    Ok(Standing {
        spent: store.spent(now).await?,
        due_now: in_numbers(new + left.count()),
    })
}

/// Where there is no database yet, every target is new.
pub(super) fn all_new(wanted: &[TargetSpec]) -> Standing {
    Standing {
        due_now: in_numbers(wanted.len()),
        ..Standing::default()
    }
}

fn in_numbers(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// For people: schedules, averages, the next slot.
pub(super) fn lines(forecast: &Forecast) -> Vec<String> {
    let mut lines: Vec<String> = forecast.schedules.iter().take(SHOWN).map(scheduled).collect();
    let rest = forecast.schedules.len().saturating_sub(SHOWN);
    if rest > 0 {
        lines.push(format!("… and {rest} more schedules"));
    }
    lines.push(format!(
        "{} in all: about {:.0} requests and {:.0} credits a day, {:.0} credits in 30 days",
        targets(forecast.targets),
        forecast.requests_per_day,
        forecast.credits_per_day,
        forecast.credits_in_30_days
    ));
    if let Some(next) = &forecast.next_slot {
        lines.push(match forecast.due_now {
            0 => format!("next slot {next}"),
            due => format!("next slot {next}; {} due now", slots(due)),
        });
    }
    lines
}

fn scheduled(scheduled: &Scheduled) -> String {
    format!(
        "{} at \"{}\" {} ({:.1} a day)",
        targets(scheduled.targets),
        scheduled.schedule,
        scheduled.time_zone,
        scheduled.slots_per_day
    )
}

fn targets(n: i64) -> String {
    if n == 1 {
        "1 target".to_owned()
    } else {
        format!("{n} targets")
    }
}

fn slots(n: i64) -> String {
    if n == 1 {
        "1 slot is".to_owned()
    } else {
        format!("{n} slots are")
    }
}
