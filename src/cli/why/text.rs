//! The history of a sound as people read it.

use super::super::output::table;
use super::{TargetWhy, Why, words};
use crate::clock::rfc3339;
use crate::store::why::{AttemptHistory, Gap, SlotHistory};

pub(super) fn of(why: &Why) -> String {
    let title = why
        .title
        .as_ref()
        .map_or_else(String::new, |title| format!("  {title}"));
    let mut parts = vec![format!("{}{title}", why.clip_id)];
    parts.extend(why.targets.iter().map(target));
    parts.push(gaps(&why.gaps));
    parts.join("\n\n")
}

fn target(why: &TargetWhy) -> String {
    let target = &why.target;
    let success = target.last_success_at.map_or_else(|| "never".to_owned(), rfc3339);
    let mut lines = vec![format!(
        "{}, period {}, at \"{}\" {}, since {}; last success: {success}",
        target.region,
        target.period,
        target.schedule,
        target.time_zone,
        rfc3339(target.added_at)
    )];
    if why.earlier_slots > 0 {
        lines.push(format!(
            "… {} earlier {}; `--slots {}` shows all",
            why.earlier_slots,
            if why.earlier_slots == 1 { "slot" } else { "slots" },
            why.earlier_slots + i64::try_from(why.slots.len()).unwrap_or_default()
        ));
    }
    if why.slots.is_empty() {
        lines.push("It was never asked, and no slot was skipped.".to_owned());
    } else {
        lines.push(slots(why));
    }
    lines.push(format!("Now: {}", why.now));
    lines.push(format!(
        "Next slot: {}",
        why.next_slot.as_deref().unwrap_or("none")
    ));
    lines.join("\n")
}

/// A line for each slot, and below it one for each attempt: a table would be wider than a terminal.
fn slots(why: &TargetWhy) -> String {
    let lines = why.slots.iter().flat_map(|slot| {
        let outcome = slot.slot.outcome.as_deref().unwrap_or("open");
        let head = format!(
            "  {}  {outcome:9}  {}{}",
            rfc3339(slot.slot.slot_at),
            slot.why,
            asked(&slot.slot)
        );
        std::iter::once(head).chain(slot.slot.attempts.iter().map(of_attempt))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What was asked, why that, and who wanted it.
pub(super) fn asked(slot: &SlotHistory) -> String {
    let window = slot.period_days.map(|days| match &slot.period_reason {
        Some(reason) => format!("{days} days: {reason}"),
        None => format!("{days} days"),
    });
    let forced = slot.forced.then(|| "forced".to_owned());
    let facts: Vec<String> = window.into_iter().chain(forced).collect();
    match facts.as_slice() {
        [] => String::new(),
        facts => format!(" ({})", facts.join(", ")),
    }
}

fn of_attempt(attempt: &AttemptHistory) -> String {
    let mut facts = vec![attempt.state.clone()];
    facts.extend(attempt.http_status.map(|status| format!("HTTP {status}")));
    facts.extend(attempt.api_code.map(|code| format!("code {code}")));
    facts.push(crate::words::counted(attempt.credits, "credit"));
    facts.extend(attempt.latency_ms.map(|ms| format!("{ms} ms")));
    let wrong = went_wrong(attempt).map_or_else(String::new, |wrong| format!(": {wrong}"));
    format!("      {}. {}{wrong}", attempt.n, facts.join(", "))
}

/// What the answer, or the lack of one, said.
fn went_wrong(attempt: &AttemptHistory) -> Option<String> {
    let message = attempt.message.clone().filter(|_| attempt.api_code != Some(0));
    attempt.error.clone().or(message)
}

fn gaps(gaps: &[Gap]) -> String {
    if gaps.is_empty() {
        return "No days are missing.".to_owned();
    }
    let mut table = table(&["region", "missing from", "to", "days", "why"], &[3]);
    for gap in gaps {
        table.add_row([
            gap.region.clone(),
            gap.first_day.clone(),
            gap.last_day.clone(),
            gap.days.to_string(),
            words::of_reason(&gap.reason),
        ]);
    }
    table.to_string()
}
