//! What happened to a slot and what comes next, in words for people. Pure.

use crate::clock::rfc3339;
use crate::config::Budget;
use crate::model::Reason;
use crate::schedule::Schedule;
use crate::store::budget::Spent;
use crate::store::why::{Held, SlotHistory, SoundTarget};

/// What decides whether a slot is asked at this moment.
#[derive(Clone, Debug)]
pub(super) struct Present {
    /// Unix seconds.
    pub(super) now: i64,
    /// The oldest slot that is still asked, unix seconds.
    pub(super) catch_up_from: i64,
    /// Whether someone collects.
    pub(super) collecting: bool,
    /// Until when the key is paused, why, and what to do about it.
    pub(super) pause: Option<String>,
    pub(super) spent: Spent,
    pub(super) budget: Budget,
}

/// What became of a slot.
pub(super) fn of_slot(slot: &SlotHistory) -> String {
    let words = match (slot.outcome.as_deref(), slot.held) {
        (Some(outcome), _) => of_outcome(outcome, slot.reason.as_deref()),
        (None, Held::ByNobody) => "handed over, waits for whoever collects".to_owned(),
        (None, Held::ByGoneWorker) => {
            "left by a process that has gone; the next pass takes it over".to_owned()
        }
        (None, _) => "under way".to_owned(),
    };
    match slot.slots {
        1 => words,
        n => format!("{words}; stands for {n} slots up to this one"),
    }
}

fn of_outcome(outcome: &str, reason: Option<&str>) -> String {
    match (outcome, reason) {
        ("stored", _) => "new content".to_owned(),
        ("confirmed", _) => "the same content as before".to_owned(),
        ("failed", Some("budget")) => "no credits were left for another try".to_owned(),
        (_, Some(reason)) => of_reason(reason),
        (outcome, None) => of_reason(outcome),
    }
}

/// Why a slot, or a day, has no data: a word of the tables or of the view `gaps`.
pub(super) fn of_reason(word: &str) -> String {
    let reason = match (word, word.parse()) {
        (_, Ok(reason)) => reason,
        ("no_data", _) => return "the service said success and gave no trend".to_owned(),
        ("not_in_answers", _) => {
            return "no answer had them: the service left them out, or was asked too seldom".to_owned();
        }
        (other, _) => return other.to_owned(),
    };
    match reason {
        Reason::Connection => "no connection could be made",
        Reason::Timeout => "no whole answer came within api.timeout",
        Reason::CutOff => "the answer ended in the middle, or the process that asked ended before it came",
        Reason::RateLimited => "the service refused: more requests than it allows",
        Reason::ServerError => "the service failed",
        Reason::Redirect => "the service pointed elsewhere, which is never followed",
        Reason::BadRequest => "the service did not accept the request",
        Reason::NotFound => "the service does not know the sound",
        Reason::Unauthorized => "the service refused the key",
        Reason::OutOfCredits => "the account was out of credits",
        Reason::Forbidden => "the key may not do this, or its quota was used up",
        Reason::ApiCode => "the service answered with an error code",
        Reason::Budget => "not asked: the day's or month's budget was spent",
        Reason::NotJson => "the answer was no JSON; it is kept",
        Reason::TooLarge => "the answer was larger than 4 MiB; its beginning is kept",
        Reason::WrongShape => "the answer had another shape than is known; it is kept",
        Reason::WrongClip => "the answer was about another sound; it is kept",
        Reason::WrongRegion => "the answer was about another region; it is kept",
        Reason::NoCode => "the answer said neither success nor failure; it is kept",
        Reason::Paused => "not asked: the key was paused",
        Reason::Removed => "not asked: the target had left the watchlist",
        Reason::Missed => "not asked in time: soundwatch did not run, or was busy",
    }
    .to_owned()
}

/// How the target stands at this moment: why it is not asked, or that nothing is due. `scheduled` is its
/// newest slot that was not forced, or took the place of such a one.
pub(super) fn of_present(target: &SoundTarget, scheduled: Option<&SlotHistory>, present: &Present) -> String {
    if let Some(removed_at) = target.removed_at {
        return format!(
            "not watched since {}: nothing is asked until it is in the watchlist again",
            rfc3339(removed_at)
        );
    }
    let schedule = match Schedule::parse(&target.schedule, &target.time_zone) {
        Ok(schedule) => schedule,
        Err(error) => return format!("nothing is asked: {error}"),
    };
    let Some(newest) = schedule.newest(present.now) else {
        return "nothing is due yet".to_owned();
    };
    if newest < target.slots_from {
        return format!(
            "nothing is due yet: its slots count from {}",
            rfc3339(target.slots_from)
        );
    }
    let in_time = newest >= present.catch_up_from;
    match scheduled.filter(|slot| slot.slot_at >= newest) {
        Some(slot) if in_time && can_be_asked_after_all(slot) => {
            format!(
                "the slot of {} was skipped and can still be asked: {}",
                rfc3339(newest),
                of_due(present)
            )
        }
        Some(slot) if slot.outcome.is_none() => format!("the slot of {}: {}", rfc3339(newest), of_slot(slot)),
        Some(_) => "nothing is due".to_owned(),
        None if in_time || newest == target.slots_from => {
            format!("the slot of {} is due: {}", rfc3339(newest), of_due(present))
        }
        None => format!(
            "the slot of {} is older than schedule.catch_up: the next pass records it as missed",
            rfc3339(newest)
        ),
    }
}

fn can_be_asked_after_all(slot: &SlotHistory) -> bool {
    slot.outcome.as_deref() == Some("skipped") && matches!(slot.reason.as_deref(), Some("budget" | "paused"))
}

/// What a slot that is due waits for.
fn of_due(present: &Present) -> String {
    let Spent { day, month } = present.spent;
    let Budget {
        daily_credits,
        monthly_credits,
        ..
    } = present.budget;
    if let Some(pause) = &present.pause {
        format!("it waits, the key is {pause}")
    } else if present.spent.requests_left(present.budget) == 0 {
        format!(
            "it waits for budget, {day} of {daily_credits} credits are spent today and {month} of \
             {monthly_credits} this month"
        )
    } else if present.collecting {
        "it is in the queue of whoever collects".to_owned()
    } else {
        "nobody collects; `soundwatch run` or `soundwatch collect` asks it".to_owned()
    }
}
