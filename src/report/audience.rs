//! Who listens: countries on a map and as bars, interests, ages, and what changed.

use maud::{Markup, html};

use super::words::change_words;
use crate::charts::{LEVELS, bar, level, shade, shares_chart, world_map};
use crate::clock::{DAY, day_name};
use crate::history::{Ages, Audience, Audiences, Move, Score, moves, name_of};

/// The changes of a kind that are told.
const MOVES: usize = 3;

pub(super) fn of(audiences: &Audiences, ages: &[Ages]) -> Markup {
    let now = &audiences.now;
    if now.is_empty() {
        return html! { p.none { "No answer has said who listens." } };
    }
    html! {
        section.audience {
            @if !now.countries.is_empty() { (countries(audiences)) }
            div.columns {
                @if !now.interests.is_empty() {
                    section { h4 { "Interests" } (table("Interest", audiences, |a| &a.interests)) }
                }
                @if !now.ages.is_empty() {
                    section {
                        h4 { "Ages, percent" }
                        (table("Age", audiences, |a| &a.ages))
                        (over_time(&now.ages, ages))
                    }
                }
                (changes(audiences))
            }
        }
    }
}

fn countries(audiences: &Audiences) -> Markup {
    let countries = &audiences.now.countries;
    html! {
        h4 { "Where it is heard most" }
        div.columns {
            (table("Country", audiences, |a| &a.countries))
            figure {
                (world_map(countries, "A map of these countries"))
                figcaption.legend {
                    "100 is average: "
                    @for (number, words) in legend() { (swatch(number, &words)) " " }
                }
            }
        }
    }
}

/// The levels of the map.
fn legend() -> Vec<(usize, String)> {
    let least = LEVELS
        .iter()
        .map(|least| (level(*least), format!("from {least:.0}")));
    std::iter::once((1, "less".to_owned())).chain(least).collect()
}

/// What a shade of a chart stands for.
fn swatch(shade: usize, words: &str) -> Markup {
    html! {
        span.key {
            svg.swatch viewBox="0 0 10 10" aria-hidden="true" { rect class=(format!("heat{shade}")) width="10" height="10" {} }
            bdi { (words) }
        }
    }
}

/// The ages that are told now, as they were from week to week, by the answers that told all of them.
fn over_time(now: &[Score], ages: &[Ages]) -> Markup {
    let share = |of: &Ages, id: &str| {
        let told = of.shares.iter().find(|(told, _)| told == id);
        told.map(|(_, share)| *share)
    };
    let shares = |of: &Ages| -> Option<Vec<f64>> { now.iter().map(|age| share(of, &age.id)).collect() };
    let days: Vec<(i64, Vec<f64>)> = ages
        .iter()
        .filter_map(|of| Some((of.fetched_at.div_euclid(DAY), shares(of)?)))
        .collect();
    let [first, .., last] = days.as_slice() else {
        return Markup::default();
    };
    let words = format!(
        "Ages from {} to {}, in percent; the table above has the newest",
        name_of(first.0),
        name_of(last.0)
    );
    html! {
        figure {
            (shares_chart(&days, &words))
            figcaption.legend {
                "From below: "
                @for (number, age) in now.iter().enumerate() { (swatch(shade(number, now.len()), &age.name)) " " }
            }
        }
    }
}

/// Scores with bars, and what they were.
fn table(what: &str, audiences: &Audiences, list: impl Fn(&Audience) -> &Vec<Score>) -> Markup {
    let now = list(&audiences.now);
    let most = now.iter().filter_map(|score| score.score).fold(0.0, f64::max);
    let before = |audience: &Option<Audience>, id: &str| {
        let scores = audience.as_ref().map(&list)?;
        scores.iter().find(|score| score.id == id)?.score
    };
    html! {
        table.scores {
            thead { tr {
                th scope="col" { (what) } th.wide scope="col" { span.hidden { "Bar" } } th.number scope="col" { "Now" }
                th.number scope="col" { "Week ago" } th.number scope="col" { "Month ago" }
            } }
            tbody {
                @for score in now {
                    tr {
                        th scope="row" { bdi { (score.name) } }
                        td.wide { (bar(score.score.unwrap_or(0.0), most)) }
                        td.number { (figure(score.score)) }
                        td.number.soft { (figure(before(&audiences.week_ago, &score.id))) }
                        td.number.soft { (figure(before(&audiences.month_ago, &score.id))) }
                    }
                }
            }
        }
    }
}

fn figure(score: Option<f64>) -> String {
    score.map_or_else(|| "–".to_owned(), |score| format!("{score:.0}"))
}

/// What changed since a month ago, or since a week where nothing older is known.
fn changes(audiences: &Audiences) -> Markup {
    let before = audiences.month_ago.as_ref().or(audiences.week_ago.as_ref());
    let Some(before) = before else {
        return Markup::default();
    };
    let of_countries = moves(&audiences.now.countries, &before.countries, MOVES);
    let of_interests = moves(&audiences.now.interests, &before.interests, MOVES);
    html! {
        section {
            h4 { "Changed since " (day_name(before.fetched_at)) }
            @if of_countries.is_empty() && of_interests.is_empty() { p { "Nothing by more than 5 %." } }
            ul.changes { @for change in of_countries.iter().chain(&of_interests) { li { (one(change)) } } }
        }
    }
}

fn one(change: &Move) -> Markup {
    let (now, before) = (figure(change.now), figure(change.before));
    let words = match (change.before, change.now, change.times()) {
        (None, _, _) => format!(" is new among the strongest: {now}"),
        (_, None, _) => format!(" is not among the strongest any more: it had {before}"),
        (_, _, Some(times)) => format!(": {before} → {now} ({})", change_words(times)),
        _ => format!(": {before} → {now}"),
    };
    html! { bdi { (change.name) } (words) }
}
