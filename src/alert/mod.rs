//! Alerts, decided: what holds now against what was raised, and what of it is to be told when. Pure:
//! facts in, changes and messages out.

mod conditions;
mod message;

pub use conditions::{Facts, Health, database_away};
pub use message::{Document, document, slack};

use crate::clock::DAY;
use crate::model::News;
use crate::store::alerts::{Alert, Change, Condition, Untold};

/// The same is told at most this often (seconds), however often it comes and goes.
const TOLD_AT_MOST_EVERY: i64 = 3_600;

/// Whoever began to tell something and did not end within this time (seconds) has failed.
pub const TELLING_TAKES: i64 = 300;

/// What is to change in the open alerts. Those of which the facts know nothing stay as they are.
pub fn changes(facts: &Facts, open: Vec<Alert>) -> Vec<Change> {
    let mut conditions = facts.conditions();
    let mut changes = Vec::new();
    for alert in open {
        let same = |c: &Condition| (c.kind, c.subject.as_str()) == (alert.kind, alert.subject.as_str());
        match conditions.iter().position(same) {
            Some(at) => {
                let condition = conditions.swap_remove(at);
                let told = (&alert.message, alert.targets);
                if told != (&condition.message, condition.targets) || alert.grown_at < condition.grown_at {
                    changes.push(Change::Update(alert, condition));
                }
            }
            None if facts.know_of(&alert) => changes.push(Change::Recover(alert)),
            None => {}
        }
    }
    conditions.sort_by_key(|condition| condition.kind);
    changes.extend(conditions.into_iter().map(Change::Raise));
    changes
}

/// Whether it is time to tell this.
pub fn is_due(untold: &Untold, now: i64) -> bool {
    let being_told = untold.telling_at.is_some_and(|at| now - at < TELLING_TAKES);
    let due = match untold.news {
        News::Raised | News::Grown => untold
            .last_told_at
            .is_none_or(|at| now - at >= TOLD_AT_MOST_EVERY),
        // What has long been over is no news.
        News::Recovered => untold.alert.recovered_at.is_some_and(|at| now - at < DAY),
    };
    due && !being_told
}

#[cfg(test)]
mod tests;
