//! The section of a sound, with a part for each of its regions.

use maud::{Markup, html};

use super::Listed;
use super::audience;
use super::overview::{anchor, name, newest_day};
use super::words::{bounds, change, figure, reason_words, state};
use crate::charts::{IndexChart, index_chart, spark};
use crate::clock::day_name;
use crate::history::{Ages, Audiences, Change, Missing, Windows, name_of};
use crate::store::report::Series;
use crate::trend::IndexDay;

/// Everything that is told of a sound in a region.
pub(crate) struct Details<'a> {
    pub(crate) listed: &'a Listed,
    pub(crate) index: Vec<IndexDay>,
    pub(crate) windows: Vec<Windows>,
    pub(crate) audiences: Audiences,
    pub(crate) ages: Vec<Ages>,
    pub(crate) gaps: Vec<Missing>,
}

/// The gaps that are told; the others are counted.
const GAPS: usize = 12;

pub(super) fn section(regions: &[Details<'_>]) -> Markup {
    let Some(first) = regions.first().map(|details| &details.listed.series) else {
        return Markup::default();
    };
    html! {
        section.sound {
            header {
                h2 { (name(first)) }
                p.by { (by(first)) span.back { " · " a href="#overview" { "all sounds" } } }
            }
            @for details in regions { (region(details)) }
        }
    }
}

/// Everything of a sound in a region.
pub(crate) fn region(details: &Details<'_>) -> Markup {
    let series = &details.listed.series;
    html! {
        article id=(anchor(series)) {
            h3 { (series.key.region) " " (state(series.state.as_deref())) }
            (facts(details))
            (index(details))
            (audience::of(&details.audiences, &details.ages))
            div.columns {
                (windows(&details.windows))
                (gaps(&details.gaps))
            }
        }
    }
}

/// Who made a sound, and where it is.
pub(crate) fn by(series: &Series) -> Markup {
    html! {
        @if let Some(author) = &series.author { "by " bdi { (author) } " · " }
        a href=(format!("https://www.tiktok.com/music/x-{}", series.key.clip_id)) rel="noreferrer noopener" { "on TikTok" }
        " · " code { (series.key.clip_id) }
    }
}

fn facts(details: &Details<'_>) -> Markup {
    html! {
        dl.facts {
            @if let Some(summary) = details.listed.summary {
                div {
                    dt { "Index, " (name_of(summary.newest.day)) }
                    dd.big { (figure(summary.newest.value)) }
                    dd.soft {
                        @if summary.newest.provisional { "may still be restated" }
                        @else { (format!("between {:.1} and {:.1}", summary.newest.low, summary.newest.high)) }
                    }
                }
                (change_fact("7 days", summary.week))
                (change_fact("28 days", summary.four_weeks))
                div {
                    dt { "Peak" }
                    dd.big { (name_of(summary.peak.day)) }
                    dd.soft { (before_the_newest(summary.newest.day - summary.peak.day)) }
                }
            } @else {
                div { dt { "Newest day" } dd.big { (newest_day(details.listed)) } }
            }
        }
    }
}

fn before_the_newest(days: i64) -> String {
    match days {
        0 => "the newest day".to_owned(),
        1 => "1 day before the newest".to_owned(),
        days => format!("{days} days before the newest"),
    }
}

fn change_fact(what: &str, of: Option<Change>) -> Markup {
    html! {
        div {
            dt { (what) }
            dd.big { (change(of)) }
            @if let Some(change) = of { dd.soft { (bounds(&change)) } }
        }
    }
}

/// The chart with a table of its weeks; without an index the newest window.
fn index(details: &Details<'_>) -> Markup {
    let (Some(first), Some(last)) = (details.index.first(), details.index.last()) else {
        return window(details);
    };
    let words = format!(
        "The index from {} to {}, at last {:.0}; the table below has its weeks",
        name_of(first.day),
        name_of(last.day),
        last.value
    );
    let chart = IndexChart {
        days: &details.index,
        missing: &details.gaps,
        words: &words,
    };
    html! {
        figure {
            (index_chart(&chart))
            figcaption { "Index, 100 is the best day" }
        }
        details {
            summary { "Figures by week" }
            table.weeks {
                thead { tr {
                    th scope="col" { "From" } th.number scope="col" { "Days" } th.number scope="col" { "Lowest" }
                    th.number scope="col" { "Highest" } th.number scope="col" { "Last" } th.number scope="col" { "Scale" }
                } }
                tbody { @for week in details.index.chunk_by(same_week) { (week_row(week)) } }
            }
        }
    }
}

/// Days of one week, from Monday on, that compare. 1970 began on a Thursday.
fn same_week(a: &IndexDay, b: &IndexDay) -> bool {
    (a.day + 3).div_euclid(7) == (b.day + 3).div_euclid(7) && a.segment == b.segment
}

fn week_row(week: &[IndexDay]) -> Markup {
    let lowest = week.iter().map(|day| day.value).fold(f64::INFINITY, f64::min);
    let highest = week.iter().map(|day| day.value).fold(0.0, f64::max);
    html! {
        @if let (Some(first), Some(last)) = (week.first(), week.last()) {
            tr {
                td { (name_of(first.day)) } td { (week.len()) } td { (format!("{lowest:.1}")) }
                td { (format!("{highest:.1}")) } td { (format!("{:.1}", last.value)) } td { (last.segment) }
            }
        }
    }
}

/// What stands where there is no index.
fn window(details: &Details<'_>) -> Markup {
    let Some(newest) = details.windows.iter().max_by_key(|kind| kind.last_fetched_at) else {
        return html! { p.none { "Nothing has been answered yet." } };
    };
    let days: Vec<IndexDay> = newest.as_days();
    let words = format!("The newest window of {} days", newest.period_days);
    html! {
        figure {
            (index_chart(&IndexChart { days: &days, missing: &[], words: &words }))
            figcaption {
                "There is no index yet. This is the newest window of " (newest.period_days)
                " days, fetched " (day_name(newest.last_fetched_at)) ": 100 is the best of these days."
            }
        }
    }
}

fn windows(windows: &[Windows]) -> Markup {
    html! {
        section.windows {
            h4 { "Windows behind it" }
            @if windows.is_empty() { p.none { "None yet." } } @else {
                table {
                    thead { tr {
                        th scope="col" { "Window" } th scope="col" { "Newest" } th.number scope="col" { "Kept" }
                        th.number scope="col" { "Answers" } th scope="col" { "Fetched" }
                    } }
                    tbody { @for kind in windows { (window_row(kind)) } }
                }
            }
        }
    }
}

fn window_row(kind: &Windows) -> Markup {
    let words = format!("the newest window of {} days", kind.period_days);
    html! {
        tr {
            td {
                (kind.period_days) " days"
                @if kind.step_days > 1 { span.soft title="takes no part in the daily index" { ", by " (kind.step_days) " days" } }
            }
            td { (spark(&kind.newest, kind.step_days, &words)) }
            td.number { (kind.windows) }
            td.number { (kind.answers) }
            td { span.date { (day_name(kind.first_fetched_at)) } " to " span.date { (day_name(kind.last_fetched_at)) } }
        }
    }
}

fn gaps(gaps: &[Missing]) -> Markup {
    html! {
        section.gaps {
            h4 { "Missing days" }
            @if gaps.is_empty() { p { "None." } } @else {
                table {
                    thead { tr {
                        th scope="col" { "From" } th scope="col" { "To" } th.number scope="col" { "Days" } th scope="col" { "Why" }
                    } }
                    tbody {
                        @for gap in gaps.iter().rev().take(GAPS) {
                            tr {
                                td { (name_of(gap.first_day)) } td { (name_of(gap.last_day)) }
                                td.number { (gap.last_day - gap.first_day + 1) } td { (reason_words(&gap.reason)) }
                            }
                        }
                    }
                }
                @if gaps.len() > GAPS { p.soft { (gaps.len() - GAPS) " earlier ones are not shown." } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weeks_of_the_table_begin_on_mondays() {
        // From Thursday, 2026-01-29, to Tuesday, 2026-02-10.
        let days: Vec<IndexDay> = (20_482..=20_494)
            .map(|day| IndexDay {
                day,
                value: 1.0,
                low: 1.0,
                high: 1.0,
                segment: 1,
                provisional: false,
            })
            .collect();
        let first_days = days.chunk_by(same_week).map(|week| name_of(week[0].day));
        assert_eq!(
            first_days.collect::<Vec<_>>(),
            ["2026-01-29", "2026-02-02", "2026-02-09"]
        );
    }

    #[test]
    fn one_day_is_no_days() {
        assert_eq!(
            [0, 1, 2].map(before_the_newest),
            [
                "the newest day",
                "1 day before the newest",
                "2 days before the newest"
            ]
        );
    }
}
