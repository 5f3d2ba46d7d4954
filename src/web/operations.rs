//! `/operations`: whether the collecting goes well, and what it costs.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use maud::{Markup, html};

use super::failed::Failed;
use super::layout::{self, instant, wide};
use super::looks::Schedules;
use super::{Site, metrics};
use crate::charts::bar;
use crate::clock::DAY;
use crate::forecast::Forecast;
use crate::history::name_of;
use crate::report::reason_words;
use crate::schedule::Schedule;
use crate::store::alerts::Alert;
use crate::store::operations::{DayOutcome, Wrong};
use crate::store::pauses::Pause;
use crate::store::workers::Worker;

/// Days of outcomes that are shown.
const DAYS: i64 = 7;

/// Slots that went wrong, and next slots, that are shown.
const WRONG: i64 = 20;
const NEXT: usize = 10;

/// The outcomes in the order of the columns.
const OUTCOMES: [&str; 6] = ["stored", "confirmed", "no_data", "rejected", "failed", "skipped"];

pub(super) async fn page(State(site): State<Arc<Site>>) -> Result<Markup, Failed> {
    let (store, now) = (&site.store, site.clock.now());
    let ((forecast, schedules), states) = tokio::try_join!(site.forecast(now), site.target_states())?;
    let scrape = site.recorded.render();
    let content = html! {
        h1 { "Operations" }
        (standing(&site, now))
        (problems(&store.open_alerts().await?, &store.pauses().await?, now))
        (facts(&states, metrics::value(&scrape, "soundwatch_requests_per_second"), &forecast))
        (budget(&site, &forecast))
        (outcomes(&store.outcomes_by_day(now - DAYS * DAY).await?))
        (wrong(&store.newest_wrong(WRONG).await?))
        div.columns {
            (next_slots(&schedules, now))
            (workers(&store.workers(now).await?))
        }
    };
    Ok(layout::page("Operations", "/operations", Some(now), content))
}

/// Whether the daemon does its work.
fn standing(site: &Site, now: i64) -> Markup {
    let reasons = site.vitals.reasons(now);
    html! {
        @if reasons.is_empty() { p { span.state.good { "ready" } " The daemon does its work." } }
        @else {
            p { span.state.bad { "not ready" } " Something keeps the daemon from its work:" }
            ul { @for reason in &reasons { li { (reason.what) ": " (reason.why) } } }
        }
    }
}

/// What is wrong now: alerts, which tell of a broken watchlist too, and paused keys.
fn problems(alerts: &[Alert], pauses: &[(String, Pause)], now: i64) -> Markup {
    let paused: Vec<_> = pauses.iter().filter(|(_, pause)| pause.until > now).collect();
    html! {
        section {
            h2 { "What is wrong" }
            @if alerts.is_empty() && paused.is_empty() { p { "Nothing that is known." } }
            ul.problems {
                @for alert in alerts { li { (alert.message) span.soft { " Since " (instant(alert.raised_at)) "." } } }
                @for (key, pause) in paused {
                    li { "Key " code { (key) } " is paused until " (instant(pause.until)) ": " (reason_words(pause.reason.as_str())) }
                }
            }
        }
    }
}

fn facts(states: &[(String, i64)], rate: Option<&str>, forecast: &Forecast) -> Markup {
    html! {
        section {
            h2 { "Targets" }
            dl.facts {
                @for (state, targets) in states {
                    div { dt { (state.replace('_', " ")) } dd.big { a href=(format!("/?state={state}")) { (targets) } } }
                }
                div { dt { "Due now" } dd.big { (forecast.due_now) } }
                div { dt { "Requests a day" } dd.big { (format!("{:.0}", forecast.requests_per_day)) } }
                @if let Some(rate) = rate { div { dt { "Rate, a second" } dd.big { (rate) } } }
            }
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "bars are short")]
fn budget(site: &Site, forecast: &Forecast) -> Markup {
    let (spent, limits) = (forecast.spent, site.vitals.budget());
    let today = forecast.days.first().map_or(0, |day| day.credits);
    let month = forecast.months.first().map_or(0, |month| month.credits);
    html! {
        section.budget {
            h2 { "Budget" }
            (wide("Budget", html! { table {
                thead { tr {
                    th scope="col" { "Credits" } th.wide scope="col" { span.hidden { "Bar" } } th.number scope="col" { "Spent" }
                    th.number scope="col" { "To come" } th.number scope="col" { "Limit" }
                } }
                tbody {
                    @for (what, spent, coming, limit) in [
                        ("Today", spent.day, today, limits.daily_credits),
                        ("This month", spent.month, month, limits.monthly_credits),
                    ] {
                        tr {
                            th scope="row" { (what) }
                            td.wide { (bar(spent.min(limit) as f64, limit.max(1) as f64)) }
                            td.number { (spent) } td.number { (coming) } td.number { (limit) }
                        }
                    }
                }
            } }))
            h3 { "The coming days, against the daily limit" }
            (wide("Budget of the coming days", html! { table {
                thead { tr {
                    th scope="col" { "Day" } th.wide scope="col" { span.hidden { "Bar" } } th.number scope="col" { "Slots" }
                    th.number scope="col" { "Credits" } th.number scope="col" { "Over budget" }
                } }
                tbody { @for day in &forecast.days { tr {
                    th scope="row" { (day.day) }
                    td.wide { (bar(day.credits.min(limits.daily_credits) as f64, limits.daily_credits.max(1) as f64)) }
                    td.number { (day.slots) } td.number { (day.credits) }
                    td.number { @if day.over_credits > 0 { span.down { (day.over_credits) } } @else { "0" } }
                } } }
            } }))
        }
    }
}

fn outcomes(found: &[DayOutcome]) -> Markup {
    let mut days: BTreeMap<i64, BTreeMap<&str, i64>> = BTreeMap::new();
    for one in found {
        days.entry(one.day).or_default().insert(&one.outcome, one.slots);
    }
    html! {
        section {
            h2 { "Outcomes by day" }
            @if days.is_empty() { p.none { "No slot was settled in the last " (DAYS) " days." } } @else {
                (wide("Outcomes by day", html! { table {
                    thead { tr {
                        th scope="col" { "Day" }
                        @for outcome in OUTCOMES { th.number scope="col" { (outcome.replace('_', " ")) } }
                    } }
                    tbody { @for (day, slots) in days.iter().rev() { tr {
                        th scope="row" { (day_of_the_year(*day)) }
                        @for outcome in OUTCOMES { (count(slots.get(outcome).copied().unwrap_or(0))) }
                    } } }
                } }))
            }
        }
    }
}

/// A day, whose year gives way on a telephone.
fn day_of_the_year(day: i64) -> Markup {
    let name = name_of(day);
    let (year, day) = name.split_at_checked(5).unwrap_or(("", &name));
    html! { span.year { (year) } (day) }
}

/// Nothing is paler than something.
fn count(slots: i64) -> Markup {
    html! { td.number.soft[slots == 0] { (slots) } }
}

fn wrong(slots: &[Wrong]) -> Markup {
    html! {
        section {
            h2 { "What went wrong last" }
            @if slots.is_empty() { p { "Nothing has." } } @else {
                (wide("What went wrong last", html! { table {
                    thead { tr {
                        th scope="col" { "Slot" } th scope="col" { "Sound" } th scope="col" { "Region" }
                        th scope="col" { "Outcome" } th scope="col" { "Why" }
                    } }
                    tbody { @for slot in slots { tr {
                        td { (instant(slot.slot_at)) }
                        td.name { a href=(format!("/sounds/{}?region={}#slots", slot.clip_id, slot.region)) {
                            bdi { (slot.title.as_deref().unwrap_or(&slot.clip_id)) }
                        } }
                        td { (slot.region) }
                        td.down { (slot.outcome.replace('_', " ")) }
                        td {
                            (slot.reason.as_deref().map(reason_words).unwrap_or_default())
                            @if let Some(error) = &slot.error { " " span.soft { (error) } }
                        }
                    } } }
                } }))
            }
        }
    }
}

/// The next slot of each schedule, the soonest first.
fn next_slots(schedules: &Schedules, now: i64) -> Markup {
    let next = |(expression, zone, targets): &(String, String, i64)| {
        let at = Schedule::parse(expression, zone).ok()?.next(now)?;
        Some((at, expression.clone(), zone.clone(), *targets))
    };
    let mut coming: Vec<_> = schedules.iter().filter_map(next).collect();
    coming.sort();
    html! {
        section {
            h2 { "Next slots" }
            @if coming.is_empty() { p.none { "None: nothing is watched." } }
            ul {
                @for (at, expression, zone, targets) in coming.iter().take(NEXT) {
                    li { (instant(*at)) ": " (targets) " at " code { (expression) } " " (zone) }
                }
            }
            @if coming.len() > NEXT { p.soft { "and " (coming.len() - NEXT) " later ones" } }
        }
    }
}

fn workers(workers: &[Worker]) -> Markup {
    html! {
        section {
            h2 { "Workers" }
            @if workers.is_empty() { p.none { "None gives signs of life." } }
            ul {
                @for worker in workers {
                    li { (worker.host) ", process " (worker.pid) ", " (worker.version) span.soft { ", since " (instant(worker.started_at)) } }
                }
            }
        }
    }
}
