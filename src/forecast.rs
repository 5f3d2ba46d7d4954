//! What the coming days ask and cost, against the budget. Pure: targets, their schedules, and what
//! has been spent are all it needs. One request a slot is counted; each retry would cost as much again.

pub mod advise;
mod over_budget;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::{DAY, day_name, month_days, rfc3339};
use crate::config::{Budget, Discover};
use crate::model::TargetSpec;
use crate::schedule::Schedule;
use crate::store::budget::Spent;

/// Days that "in 30 days" means.
const MONTH: f64 = 30.0;

/// What the present is like, from which a forecast goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What has been spent already.
    pub spent: Spent,
    /// Slots that are due at this moment: of new targets, or left over.
    pub due_now: i64,
}

/// What targets and charts ask and cost, when nothing goes wrong: on the average, day by day, and by month.
#[derive(Debug, Serialize)]
pub struct Forecast {
    /// How many there are.
    pub targets: i64,
    /// Their schedules, the one with the most targets first.
    pub schedules: Vec<Scheduled>,
    /// The charts that are read, if any are.
    pub charts: Option<Charts>,
    /// On the average.
    pub requests_per_day: f64,
    /// On the average.
    pub credits_per_day: f64,
    /// On the average.
    pub credits_in_30_days: f64,
    /// RFC 3339, UTC; `None` when none comes any more.
    pub next_slot: Option<String>,
    /// Slots that are due at this moment; they count for the first day.
    pub due_now: i64,
    /// What has been spent already, in credits.
    pub spent: Spent,
    /// The days that were asked for, the rest of today first.
    pub days: Vec<Day>,
    /// The whole months in which these days lie, to their ends.
    pub months: Vec<Month>,
    #[serde(skip)]
    budget: Budget,
}

/// The targets of one schedule.
#[derive(Debug, Serialize)]
pub struct Scheduled {
    /// The cron expression.
    pub schedule: String,
    /// The IANA zone.
    pub time_zone: String,
    /// How many have it.
    pub targets: i64,
    /// Of each target, on the average.
    pub slots_per_day: f64,
    /// RFC 3339, UTC.
    pub next_slot: Option<String>,
}

/// Charts that the daemon reads on a cron.
#[derive(Debug, Serialize)]
pub struct Charts {
    /// The cron expression.
    pub schedule: String,
    /// The IANA zone.
    pub time_zone: String,
    /// How many there are.
    pub charts: usize,
    /// Of each, at most.
    pub pages: i64,
    /// On the average, at most.
    pub requests_per_day: f64,
    /// On the average, at most.
    pub credits_per_day: f64,
    /// So many targets at most are watched because of them; those that are not yet are not counted.
    pub max_targets: usize,
}

/// A UTC day; of today what is still to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Day {
    /// `2026-02-01`.
    pub day: String,
    /// Slots of all targets.
    pub slots: i64,
    /// One for each slot, and one for each page of a chart.
    pub requests: i64,
    /// What the requests cost.
    pub credits: i64,
    /// What of it the day's and the month's budget pays for.
    pub paid_credits: i64,
    /// What of it they don't.
    pub over_credits: i64,
}

/// A UTC month; of this one what is still to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Month {
    /// `2026-02`.
    pub month: String,
    /// What has been spent in it already.
    pub spent_credits: i64,
    /// What its slots still cost.
    pub credits: i64,
    /// What may be spent in it.
    pub monthly_credits: i64,
    /// What both are over that.
    pub over_credits: i64,
}

impl Forecast {
    /// The forecast for so many days from `now` (unix seconds), today included.
    pub fn new<'a>(
        targets: impl IntoIterator<Item = &'a TargetSpec>,
        discover: Option<&Discover>,
        budget: Budget,
        standing: Standing,
        now: i64,
        days: i64,
    ) -> Self {
        Self::of(groups(targets), discover, budget, standing, now, days)
    }

    /// The same from the schedules: expression, zone, and how many targets have it.
    pub fn of_schedules(
        schedules: &[(String, String, i64)],
        discover: Option<&Discover>,
        budget: Budget,
        standing: Standing,
        now: i64,
        days: i64,
    ) -> Self {
        let counted = schedules
            .iter()
            .map(|(s, zone, n)| ((s.as_str(), zone.as_str()), *n));
        Self::of(groups_of(counted), discover, budget, standing, now, days)
    }

    fn of(
        groups: Vec<Group>,
        discover: Option<&Discover>,
        budget: Budget,
        standing: Standing,
        now: i64,
        days: i64,
    ) -> Self {
        let today = now / DAY;
        // To the end of the last month, so that its sum is the whole month's.
        let (_, last) = month_days((today + days - 1) * DAY);
        let slots = slots_by_day(&groups, standing.due_now, now, last);
        let pages = discover.map(pages).unwrap_or_default();
        let asked: Vec<(i64, i64)> = slots
            .into_iter()
            .zip(slots_by_day(&pages, 0, now, last))
            .collect();
        let (mut days_until_end, months) = spend(&asked, budget, standing.spent, today);
        days_until_end.truncate(usize::try_from(days).unwrap_or(usize::MAX));
        let of_charts = requests_per_day(&pages, now);
        let requests_per_day = requests_per_day(&groups, now) + of_charts;
        let credits_per_day = cost(requests_per_day, budget);
        Self {
            targets: groups.iter().map(|group| group.targets).sum(),
            next_slot: groups
                .iter()
                .filter_map(|g| g.schedule.next(now))
                .min()
                .map(rfc3339),
            schedules: groups.iter().map(|group| group.scheduled(now)).collect(),
            charts: discover.map(|discover| Charts {
                schedule: discover.schedule.clone(),
                time_zone: discover.time_zone.clone(),
                charts: discover.regions.len(),
                pages: discover.pages,
                requests_per_day: of_charts,
                credits_per_day: cost(of_charts, budget),
                max_targets: discover.max_targets,
            }),
            requests_per_day,
            credits_per_day,
            credits_in_30_days: credits_per_day * MONTH,
            due_now: standing.due_now,
            spent: standing.spent,
            days: days_until_end,
            months,
            budget,
        }
    }
}

/// What the slots of these targets cost on an average day, in credits.
pub fn credits_per_day<'a>(
    targets: impl IntoIterator<Item = &'a TargetSpec>,
    budget: Budget,
    now: i64,
) -> f64 {
    cost(requests_per_day(&groups(targets), now), budget)
}

/// Targets that share a schedule: its slots are found once for all of them.
struct Group {
    expression: String,
    time_zone: String,
    schedule: Schedule,
    targets: i64,
}

impl Group {
    fn scheduled(&self, now: i64) -> Scheduled {
        Scheduled {
            schedule: self.expression.clone(),
            time_zone: self.time_zone.clone(),
            targets: self.targets,
            slots_per_day: self.schedule.slots_a_day(now),
            next_slot: self.schedule.next(now).map(rfc3339),
        }
    }
}

/// The schedules of these targets, the one with the most targets first. The watchlist has been
/// checked: there is no unreadable schedule in it.
fn groups<'a>(targets: impl IntoIterator<Item = &'a TargetSpec>) -> Vec<Group> {
    let mut counts: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for target in targets {
        *counts.entry((&target.schedule, &target.time_zone)).or_default() += 1;
    }
    groups_of(counts)
}

fn groups_of<'a>(counts: impl IntoIterator<Item = ((&'a str, &'a str), i64)>) -> Vec<Group> {
    let mut groups: Vec<Group> = counts
        .into_iter()
        .filter_map(|((expression, time_zone), targets)| {
            Some(Group {
                schedule: Schedule::parse(expression, time_zone).ok()?,
                expression: expression.to_owned(),
                time_zone: time_zone.to_owned(),
                targets,
            })
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.targets));
    groups
}

/// The pages of charts, each as a target of their schedule. The configuration has been checked.
fn pages(discover: &Discover) -> Vec<Group> {
    let charts = i64::try_from(discover.regions.len()).unwrap_or(i64::MAX);
    let schedule = (discover.schedule.as_str(), discover.time_zone.as_str());
    groups_of([(schedule, charts.saturating_mul(discover.pages))])
}

fn requests_per_day(groups: &[Group], now: i64) -> f64 {
    groups
        .iter()
        .map(|group| in_float(group.targets) * group.schedule.slots_a_day(now))
        // The sum of nothing would be -0.
        .fold(0.0, |sum, requests| sum + requests)
}

fn cost(requests: f64, budget: Budget) -> f64 {
    requests * in_float(budget.credits_per_request)
}

#[allow(
    clippy::cast_precision_loss,
    reason = "targets and credits are far below 2^53"
)]
fn in_float(number: i64) -> f64 {
    number as f64
}

/// The slots of each UTC day from today to the day `last` (days since 1970-01-01).
fn slots_by_day(groups: &[Group], due_now: i64, now: i64, last: i64) -> Vec<i64> {
    let today = now / DAY;
    let mut slots: BTreeMap<i64, i64> = (today..=last).map(|day| (day, 0)).collect();
    *slots.entry(today).or_default() += due_now;
    for group in groups {
        for slot in group.schedule.between(now, (last + 1) * DAY - 1) {
            *slots.entry(slot / DAY).or_default() += group.targets;
        }
    }
    slots.into_values().collect()
}

/// Lives through the days with their slots and pages, and pays for what the budget allows.
fn spend(asked: &[(i64, i64)], budget: Budget, mut spent: Spent, today: i64) -> (Vec<Day>, Vec<Month>) {
    let mut days = Vec::new();
    let mut months: Vec<Month> = Vec::new();
    for (day, (slots, pages)) in (today..).zip(asked) {
        let requests = slots + pages;
        let credits = requests * budget.credits_per_request;
        let month_name: String = day_name(day * DAY).chars().take(7).collect();
        if months.last().is_none_or(|month| month.month != month_name) {
            spent.month = if months.is_empty() { spent.month } else { 0 };
            months.push(Month {
                month: month_name,
                spent_credits: spent.month,
                credits: 0,
                monthly_credits: budget.monthly_credits,
                over_credits: 0,
            });
        }
        let paid_credits = spent.requests_left(budget).min(requests) * budget.credits_per_request;
        if let Some(month) = months.last_mut() {
            month.credits += credits;
            month.over_credits = (month.spent_credits + month.credits - month.monthly_credits).max(0);
        }
        days.push(Day {
            day: day_name(day * DAY),
            slots: *slots,
            requests,
            credits,
            paid_credits,
            over_credits: credits - paid_credits,
        });
        spent.month += paid_credits;
        spent.day = 0;
    }
    (days, months)
}

#[cfg(test)]
mod tests;
