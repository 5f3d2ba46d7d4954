//! The page around everything: head, how to read it, foot.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Listed, Shown};
use crate::charts;
use crate::clock::rfc3339;

pub(crate) const STYLE: &str = include_str!("report.css");

/// Nothing is loaded from anywhere, whatever a title holds.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

pub(super) fn begin(now: i64, shown: Shown, listed: &[Listed]) -> Markup {
    html! {
        (DOCTYPE)
        (PreEscaped("<html lang=\"en\">"))
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta http-equiv="Content-Security-Policy" content=(POLICY);
            meta name="referrer" content="no-referrer";
            title { "Sounds on TikTok, " (date(now)) }
            style { (PreEscaped(charts::STYLE)) (PreEscaped(STYLE)) }
        }
        (PreEscaped("<body id=\"top\">"))
        header {
            h1 { "Sounds on TikTok" }
            p.lead {
                (crate::words::counted(shown.sounds, "sound"))
                @if shown.series != shown.sounds { ", " (shown.series) " with their regions" }
                " · as of " time datetime=(rfc3339(now)) { (date(now)) }
            }
            (week(listed))
            (how_to_read())
        }
        (PreEscaped("<main>"))
    }
}

/// How many rise and fall.
fn week(listed: &[Listed]) -> Markup {
    let weeks: Vec<_> = listed.iter().filter_map(|listed| listed.summary?.week).collect();
    let rise = weeks
        .iter()
        .filter(|week| week.is_certain() && week.times > 1.0)
        .count();
    let fall = weeks
        .iter()
        .filter(|week| week.is_certain() && week.times < 1.0)
        .count();
    html! {
        @if !weeks.is_empty() {
            p.week {
                "The last 7 settled days against the 7 before: "
                span.up { "▲ " (rise) " rise" } ", "
                span.down { "▼ " (fall) " fall" } ", "
                span.unsure { "≈ " (weeks.len() - rise - fall) " can’t be told apart from no change" } "."
            }
        }
    }
}

pub(crate) fn how_to_read() -> Markup {
    html! {
        details.help {
            summary { "How to read this" }
            p {
                "The " strong { "index" } " of a sound in a region is 100 on its best day; 50 is a day with half of that. "
                "Compare days of one sound with each other. Two sounds, or two regions of one, don’t compare: each has a 100 of its own."
            }
            p {
                "A change compares whole weeks, so that weekdays make none: “7 days” is the mean of the last 7 settled days against the mean of the 7 days before, "
                "“28 days” against the mean of the 7 days that end 28 days earlier. “–” stands where one of these days is missing or the days don’t compare."
            }
            p {
                "The source rounds its figures, so each day is known within bounds: the pale band around the line. "
                "A change marked ≈ is smaller than these bounds. A dashed end of a line may still be restated by the source."
            }
            p {
                "Where a dotted upright line says “new scale”, nothing links the days before it to those after it: don’t compare across it. "
                "Shaded days are missing."
            }
            p {
                "Scores of countries and interests are indexes too: 100 is the average of all sounds, they are no shares. Ages are percent."
            }
        }
    }
}

pub(super) fn end() -> Markup {
    html! {
        (PreEscaped("</main>"))
        footer { "Made by soundwatch from what it has collected. Map: Natural Earth." }
        (PreEscaped("</body></html>\n"))
    }
}

fn date(at: i64) -> String {
    crate::clock::day_name(at)
}
