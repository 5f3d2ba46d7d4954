//! Figures and states as people read them.

use maud::{Markup, html};

use crate::history::Change;

/// A change in percent, or in times where that reads better: `+12 %`, `−40 %`, `×15`.
pub fn change_words(times: f64) -> String {
    if times >= 10.0 {
        return format!("×{times:.0}");
    }
    let percent = (times - 1.0) * 100.0;
    let sign = if percent.round() < 0.0 { "−" } else { "+" };
    format!("{sign}{:.0} %", percent.abs())
}

/// The bounds of a change.
pub(super) fn bounds(change: &Change) -> String {
    match change.most {
        Some(most) => format!(
            "between {} and {}",
            change_words(change.least),
            change_words(most)
        ),
        None if change.least <= 0.0 => "too little to tell".to_owned(),
        None => format!("at least {}", change_words(change.least)),
    }
}

/// A change with its direction; one that the bounds leave in doubt says so.
pub(crate) fn change(change: Option<Change>) -> Markup {
    let Some(change) = change else {
        return html! { span.none title="a day of the two weeks is missing, or they don’t compare" { "–" } };
    };
    let (class, sign) = match (change.is_certain(), change.times >= 1.0) {
        (true, true) => ("up", "▲"),
        (true, false) => ("down", "▼"),
        (false, _) => ("unsure", "≈"),
    };
    html! {
        span class=(class) title=(bounds(&change)) { (sign) " " (change_words(change.times)) }
    }
}

/// A figure of the index: small ones with a decimal.
pub(crate) fn figure(value: f64) -> String {
    if value < 9.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// The state of a series.
pub(crate) fn state(state: Option<&str>) -> Markup {
    let (class, words, title) = match state {
        Some("fresh") => ("good", "fresh", "the newest answer is as new as it should be"),
        Some("late") => ("warn", "late", "no answer for two intervals of the schedule"),
        Some("stale") => (
            "warn",
            "stale",
            "answers come, but their newest day does not advance",
        ),
        Some("no_data") => ("bad", "no data", "the service said success and gave no trend"),
        Some("failing") => ("bad", "failing", "the last slot failed or was rejected"),
        Some("new") => ("plain", "new", "nothing was asked yet"),
        Some(other) => ("plain", other, ""),
        None => ("plain", "ended", "it is no longer watched"),
    };
    html! { span class={ "state " (class) } title=(title) { (words) } }
}

/// Why a slot, or a day, has no data: a word of the tables or of the view `gaps`.
pub fn reason_words(word: &str) -> String {
    match word {
        "no_data" => "the service said success and gave no trend".to_owned(),
        "not_in_answers" => "no answer had them".to_owned(),
        "missed" => "soundwatch did not run".to_owned(),
        "budget" => "the budget was spent".to_owned(),
        "paused" => "the key was paused".to_owned(),
        other => other.replace('_', " "),
    }
}
