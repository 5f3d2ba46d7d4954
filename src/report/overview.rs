//! All sounds in one table.

use maud::{Markup, PreEscaped, html};

use super::Listed;
use super::words::{change, figure, state};
use crate::charts::spark_over;
use crate::history::{name_of, segments};
use crate::store::report::Series;
use crate::trend::IndexDay;

/// The days of the small line.
const DAYS: i64 = 90;

pub(super) fn begin() -> Markup {
    html! {
        h2 #overview { "All sounds" }
        p.hint { "What has surely grown within a week comes first, what has surely fallen last. “7 days” is the mean of the last 7 settled days against the mean of the 7 before, “28 days” against the mean of the 7 that end 28 days earlier. A * marks a day that the source may still restate: it is not settled." }
        (PreEscaped("<table class=\"overview\">"))
        thead {
            tr {
                th scope="col" { "Sound" }
                th scope="col" { "Region" }
                th scope="col" { "Last 90 days" }
                th.number scope="col" { "Index" }
                th.number scope="col" { "7 days" }
                th.number scope="col" { "28 days" }
                th scope="col" { "Peak" }
                th scope="col" { "Newest day" }
                th scope="col" { "State" }
            }
        }
        (PreEscaped("<tbody>"))
    }
}

pub(super) fn end() -> Markup {
    html! { (PreEscaped("</tbody></table>")) }
}

/// A row of the table; `href` is where more is told.
pub(crate) fn row(listed: &Listed, days: &[IndexDay], today: i64, href: &str) -> Markup {
    let series = &listed.series;
    let summary = listed.summary;
    html! {
        tr {
            th.sound scope="row" {
                a href=(href) { (name(series)) }
                @if let Some(author) = &series.author { bdi.author { (author) } }
            }
            td data-label="Region" { (series.key.region) }
            td.line { (line(days, today)) }
            @if let Some(summary) = summary {
                td.number.now data-label="Index" {
                    (figure(summary.newest.value))
                    @if summary.newest.provisional { span.soft title="the source may still restate this day" { "*" } }
                }
                td.number data-label="7 days" { (change(summary.week)) }
                td.number data-label="28 days" { (change(summary.four_weeks)) }
                td data-label="Peak" { (name_of(summary.peak.day)) }
            } @else {
                td.none colspan="4" { "no index yet" }
            }
            td data-label="Newest day" { (newest_day(listed)) }
            td data-label="State" { (state(series.state.as_deref())) }
        }
    }
}

/// The newest day of the index, or of the windows where there is none.
pub(super) fn newest_day(listed: &Listed) -> String {
    let of_index = listed.summary.map(|summary| summary.newest.day);
    let newest = of_index.into_iter().chain(listed.series.newest_day).max();
    newest.map_or_else(|| "–".to_owned(), name_of)
}

/// The days of the newest segment among the last ones up to `today`, the same days for all sounds.
pub(crate) fn line(days: &[IndexDay], today: i64) -> Markup {
    let segment = segments(days).last().unwrap_or_default();
    let shown = today - DAYS + 1..=today;
    let points: Vec<(i64, f64)> = segment
        .iter()
        .filter(|day| shown.contains(&day.day))
        .map(|day| (day.day, day.value))
        .collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Markup::default();
    };
    let words = format!(
        "from {:.0} to {:.0} in {} days",
        first.1,
        last.1,
        last.0 - first.0
    );
    spark_over(shown, &points, 1, &words)
}

/// Where the section of a series is.
pub(super) fn anchor(series: &Series) -> String {
    format!("s-{}-{}", series.key.clip_id, series.key.region)
}

/// What a sound is called, kept from turning the text around it.
pub(crate) fn name(series: &Series) -> Markup {
    html! { bdi { (series.title.as_deref().unwrap_or(&series.key.clip_id)) } }
}
