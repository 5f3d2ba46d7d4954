//! What a forecast is over the budget, in words for the person who can change that.

use super::{Day, Forecast, Month, Scheduled, cost, in_float};
use crate::problem::Problem;

impl Forecast {
    /// What is over the budget and what to do about it; nothing when all of it is paid for.
    pub fn over_budget(&self) -> Vec<Problem> {
        [self.day_over(), self.month_over()]
            .into_iter()
            .flatten()
            .collect()
    }

    fn day_over(&self) -> Option<Problem> {
        let limit = self.budget.daily_credits;
        // Of today what has been spent counts too.
        let needs = |(number, day): (usize, &Day)| {
            let spent = if number == 0 { self.spent.day } else { 0 };
            (day.day.clone(), day.credits, day.credits + spent)
        };
        let over = self.days.iter().enumerate().map(needs);
        let over: Vec<_> = over
            .filter(|(_, coming, needed)| *coming > 0 && *needed > limit)
            .collect();
        let (day, _, needed) = over.iter().rev().max_by_key(|(_, _, needed)| *needed)?;
        let others = others(over.len(), "day");
        Some(
            Problem::new(format!(
                "{day} needs {needed} credits, and budget.daily_credits is {limit}: what is over it is skipped{others}"
            ))
            .help(self.advice("budget.daily_credits", *needed)),
        )
    }

    fn month_over(&self) -> Option<Problem> {
        let limit = self.budget.monthly_credits;
        let over: Vec<&Month> = self
            .months
            .iter()
            .filter(|m| m.over_credits > 0 && m.credits > 0)
            .collect();
        let worst = over.iter().rev().max_by_key(|month| month.over_credits)?;
        let (month, needed) = (&worst.month, worst.spent_credits + worst.credits);
        let others = others(over.len(), "month");
        Some(
            Problem::new(format!(
                "{month} needs {needed} credits, and budget.monthly_credits is {limit}: what is over it is skipped{others}"
            ))
            .help(self.advice("budget.monthly_credits", needed)),
        )
    }

    fn advice(&self, setting: &str, needed: i64) -> String {
        let requests = |s: &&Scheduled| in_float(s.targets) * s.slots_per_day;
        let most = self
            .schedules
            .iter()
            .max_by(|a, b| requests(a).total_cmp(&requests(b)));
        let most = most.map_or_else(String::new, |s| {
            let credits = cost(requests(&s), self.budget);
            format!(
                " (most is for schedule \"{}\" {}: {credits:.0} credits a day)",
                s.schedule, s.time_zone
            )
        });
        format!("set {setting} to {needed} at least, or watch less, or less often{most}")
    }
}

/// How many more there are than the one that is named.
fn others(over: usize, what: &str) -> String {
    match over.saturating_sub(1) {
        0 => String::new(),
        1 => format!("; 1 more {what} is over it"),
        n => format!("; {n} more {what}s are over it"),
    }
}
