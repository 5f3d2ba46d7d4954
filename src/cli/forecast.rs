//! Forecasts as `check` and `plan` show them, and what they take from the database.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::rfc3339;
use crate::collect::{advice, catch_up_from, newest_slots};
use crate::config::Config;
use crate::forecast::{Charts, Forecast, Scheduled, Standing};
use crate::model::TargetSpec;
use crate::problem::Problem;
use crate::schedule::Schedule;
use crate::store::due::Scope;
use crate::store::returned::NewestSlot;
use crate::store::{Store, StoreError};
use crate::watchlist::{Changed, StoredTarget, diff};
use crate::words::{about, counted};

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
    let new = in_numbers(diff.added.len() + left.count());
    Ok(Standing {
        spent: store.spent(now).await?,
        due_now: new + returned_due(store, &diff.returned, from, now).await?,
    })
}

/// How many of the targets that come back owe their newest slot: those that have not had it before
/// they were taken out.
async fn returned_due(
    store: &Store,
    returned: &[Changed<'_>],
    from: i64,
    now: i64,
) -> Result<i64, StoreError> {
    let mut newest: BTreeMap<(&str, &str), Option<i64>> = BTreeMap::new();
    let slots: Vec<NewestSlot> = returned
        .iter()
        .filter_map(|target| {
            let (schedule, zone) = (target.spec.schedule.as_str(), target.spec.time_zone.as_str());
            let slot_at = newest
                .entry((schedule, zone))
                .or_insert_with(|| Schedule::parse(schedule, zone).ok()?.newest(now));
            Some(NewestSlot {
                target_id: target.id,
                slot_at: (*slot_at)?,
            })
        })
        .collect();
    Ok(in_numbers(returned.len()) - store.done_already(&slots, from).await?)
}

/// Keys that are paused: the one that is found here, or any if none is.
pub(super) async fn paused(store: &Store, config: &Config, now: i64) -> Result<Vec<Problem>, StoreError> {
    let ours = config.api_key().ok().map(|key| key.fingerprint());
    let pauses = store.pauses().await?.into_iter();
    let pauses = pauses.filter(|(of, _)| ours.as_ref().is_none_or(|ours| ours == of));
    let told = pauses.map(|(fingerprint, pause)| {
        let since = rfc3339(pause.since);
        let until = if pause.until > now {
            format!("nothing is asked with it until {}", rfc3339(pause.until))
        } else {
            "the next request tries whether that is over".to_owned()
        };
        let message = format!(
            "the key with fingerprint {fingerprint} is paused ({}, since {since}): {until}",
            pause.reason
        );
        Problem::new(message).help(advice(&pause.reason))
    });
    Ok(told.collect())
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
    lines.extend(forecast.charts.as_ref().map(charts));
    lines.push(format!(
        "{} in all: about {} and {} a day, {} in 30 days",
        counted(forecast.targets, "target"),
        about(forecast.requests_per_day, "request"),
        about(forecast.credits_per_day, "credit"),
        about(forecast.credits_in_30_days, "credit")
    ));
    if let Some(next) = &forecast.next_slot {
        lines.push(match forecast.due_now {
            0 => format!("next slot {next}"),
            due => format!("next slot {next}; {} due now", slots(due)),
        });
    }
    lines
}

fn charts(charts: &Charts) -> String {
    let count = match charts.charts {
        1 => "1 chart".to_owned(),
        n => format!("{n} charts"),
    };
    format!(
        "{count} at \"{}\" {}: at most {:.0} requests and {:.0} credits a day; the targets that they add (at most {}) come on top",
        charts.schedule,
        charts.time_zone,
        charts.requests_per_day,
        charts.credits_per_day,
        charts.max_targets
    )
}

fn scheduled(scheduled: &Scheduled) -> String {
    format!(
        "{} at \"{}\" {} ({:.1} a day)",
        counted(scheduled.targets, "target"),
        scheduled.schedule,
        scheduled.time_zone,
        scheduled.slots_per_day
    )
}

fn slots(n: i64) -> String {
    if n == 1 {
        "1 slot is".to_owned()
    } else {
        format!("{n} slots are")
    }
}
