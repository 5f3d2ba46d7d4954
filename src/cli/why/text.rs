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
            "… {} earlier slots; `--slots {}` shows all",
            why.earlier_slots,
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

/// A row for each attempt, and for each slot that has none. The last one says what came of it.
fn slots(why: &TargetWhy) -> String {
    let headings = [
        "slot",
        "days",
        "n",
        "state",
        "HTTP",
        "code",
        "credits",
        "ms",
        "outcome",
        "what happened",
    ];
    let mut table = table(&headings, &[1, 2, 4, 5, 6, 7]);
    for slot in &why.slots {
        let (last, earlier) = match slot.slot.attempts.split_last() {
            Some((last, earlier)) => (Some(last), earlier),
            None => (None, [].as_slice()),
        };
        let mut name = of_slot(&slot.slot);
        for attempt in earlier {
            let told = [String::new(), went_wrong(attempt).unwrap_or_default()];
            table.add_row(name.into_iter().chain(of_attempt(attempt)).chain(told));
            name = Default::default();
        }
        let words: Vec<String> = std::iter::once(slot.why.clone())
            .chain(last.and_then(went_wrong))
            .collect();
        let outcome = slot.slot.outcome.clone().unwrap_or_else(|| "open".to_owned());
        let attempt = last.map(of_attempt).unwrap_or_default();
        table.add_row(name.into_iter().chain(attempt).chain([outcome, words.join(": ")]));
    }
    table.to_string()
}

fn of_slot(slot: &SlotHistory) -> [String; 2] {
    let forced = if slot.forced { " forced" } else { "" };
    [
        format!("{}{forced}", rfc3339(slot.slot_at)),
        number(slot.period_days),
    ]
}

fn of_attempt(attempt: &AttemptHistory) -> [String; 6] {
    [
        attempt.n.to_string(),
        attempt.state.clone(),
        number(attempt.http_status),
        number(attempt.api_code),
        attempt.credits.to_string(),
        number(attempt.latency_ms),
    ]
}

/// What the answer, or the lack of one, said.
fn went_wrong(attempt: &AttemptHistory) -> Option<String> {
    let message = attempt.message.clone().filter(|_| attempt.api_code != Some(0));
    attempt.error.clone().or(message)
}

fn number(number: Option<i64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
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
