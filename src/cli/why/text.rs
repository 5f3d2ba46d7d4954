//! The history of a sound as people read it.

use super::super::output::table;
use super::{TargetWhy, Why, words};
use crate::clock::rfc3339;
use crate::store::why::{AttemptHistory, Gap};

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

/// A row for each attempt, and for each slot that has none.
fn slots(why: &TargetWhy) -> String {
    let headings = [
        "slot",
        "days",
        "outcome",
        "n",
        "state",
        "HTTP",
        "code",
        "credits",
        "ms",
        "what happened",
    ];
    let mut table = table(&headings, &[1, 3, 5, 6, 7, 8]);
    for slot in &why.slots {
        let forced = if slot.slot.forced { " asked for" } else { "" };
        let first = [
            format!("{}{forced}", rfc3339(slot.slot.slot_at)),
            number(slot.slot.period_days),
            slot.slot.outcome.clone().unwrap_or_else(|| "open".to_owned()),
        ];
        let mut first = Some(first);
        let mut why = Some(slot.why.clone());
        for attempt in &slot.slot.attempts {
            let mut row = Vec::from(first.take().unwrap_or_default());
            row.extend(of_attempt(attempt));
            let words: Vec<String> = why.take().into_iter().chain(went_wrong(attempt)).collect();
            row.push(words.join(": "));
            table.add_row(row);
        }
        if let (Some(first), Some(why)) = (first, why) {
            let mut row = Vec::from(first);
            row.extend(std::iter::repeat_n(String::new(), 6));
            row.push(why);
            table.add_row(row);
        }
    }
    table.to_string()
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
