//! What a watchlist will cost, on the average: for `check`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::rfc3339;
use crate::config::{Budget, Config};
use crate::model::TargetSpec;
use crate::problem::Problem;
use crate::schedule::Schedule;

/// Days that a month is taken for.
const MONTH: f64 = 30.0;

/// Schedules that are named one by one.
const SHOWN: usize = 5;

/// Targets by schedule, and the credits that their slots cost when nothing goes wrong.
#[derive(Debug, Serialize)]
pub(super) struct Forecast {
    targets: usize,
    schedules: Vec<Scheduled>,
    requests_a_day: f64,
    credits_a_day: f64,
    credits_in_30_days: f64,
    next_slot: Option<String>,
}

#[derive(Debug, Serialize)]
struct Scheduled {
    schedule: String,
    time_zone: String,
    targets: usize,
    slots_a_day: f64,
    next_slot: Option<String>,
}

impl Forecast {
    #[allow(
        clippy::cast_precision_loss,
        reason = "targets and credits are far below 2^53"
    )]
    pub(super) fn new(targets: &[TargetSpec], budget: Budget, now: i64) -> Self {
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for target in targets {
            *counts.entry((&target.schedule, &target.time_zone)).or_default() += 1;
        }
        let mut next: Option<i64> = None;
        let mut schedules: Vec<Scheduled> = Vec::new();
        for ((expression, zone), targets) in counts {
            // The watchlist has been checked: there is no unreadable schedule in it.
            let Ok(schedule) = Schedule::parse(expression, zone) else {
                continue;
            };
            let next_slot = schedule.next(now);
            next = [next, next_slot].into_iter().flatten().min();
            schedules.push(Scheduled {
                schedule: expression.to_owned(),
                time_zone: zone.to_owned(),
                targets,
                slots_a_day: schedule.slots_a_day(now),
                next_slot: next_slot.map(rfc3339),
            });
        }
        schedules.sort_by_key(|scheduled| std::cmp::Reverse(scheduled.targets));
        let requests_a_day = schedules.iter().map(|s| s.targets as f64 * s.slots_a_day).sum();
        let credits_a_day = requests_a_day * budget.credits_per_request as f64;
        Self {
            targets: targets.len(),
            schedules,
            requests_a_day,
            credits_a_day,
            credits_in_30_days: credits_a_day * MONTH,
            next_slot: next.map(rfc3339),
        }
    }

    /// Warnings when the watchlist costs more than may be spent.
    #[allow(clippy::cast_precision_loss, reason = "credits are far below 2^53")]
    pub(super) fn over_budget(&self, config: &Config) -> Vec<Problem> {
        let budget = config.budget;
        let over = |cost: f64, span: &str, key: &str, limit: i64| {
            (cost > limit as f64).then(|| {
                Problem::new(format!(
                    "the watchlist costs about {cost:.0} credits {span}, and {key} is {limit}: some slots will be skipped"
                ))
                .help(format!("raise {key}, or watch less, or less often"))
            })
        };
        let day = over(
            self.credits_a_day,
            "a day",
            "budget.daily_credits",
            budget.daily_credits,
        );
        let month = over(
            self.credits_in_30_days,
            "in 30 days",
            "budget.monthly_credits",
            budget.monthly_credits,
        );
        day.into_iter().chain(month).collect()
    }

    /// For people.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.schedules.iter().take(SHOWN).map(Scheduled::text).collect();
        let rest = self.schedules.len().saturating_sub(SHOWN);
        if rest > 0 {
            lines.push(format!("… and {rest} more schedules"));
        }
        lines.push(format!(
            "{} in all: about {:.0} requests and {:.0} credits a day, {:.0} credits in 30 days",
            targets(self.targets),
            self.requests_a_day,
            self.credits_a_day,
            self.credits_in_30_days
        ));
        if let Some(next) = &self.next_slot {
            lines.push(format!("next slot {next}; a new target is asked at once"));
        }
        lines
    }
}

impl Scheduled {
    fn text(&self) -> String {
        format!(
            "{} at \"{}\" {} ({:.1} a day)",
            targets(self.targets),
            self.schedule,
            self.time_zone,
            self.slots_a_day
        )
    }
}

fn targets(n: usize) -> String {
    if n == 1 {
        "1 target".to_owned()
    } else {
        format!("{n} targets")
    }
}
