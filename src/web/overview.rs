//! `/`: all sounds in a table, or as small charts; chosen, sorted and paged by the address alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use maud::{Markup, html};
use serde::Deserialize;

use super::failed::Failed;
use super::{Site, layout, sound};
use crate::clock::DAY;
use crate::history::summary;
use crate::model::SeriesKey;
use crate::report::Listed;
use crate::report::overview::{line, name, row};
use crate::report::page::how_to_read;
use crate::report::words::{change, figure, state};
use crate::store::overview::{Found, Order, Wanted};
use crate::trend::IndexDay;

/// Series on a page.
const PAGE: i64 = 100;

/// The newest days that tell how a series stands: those of the small line, and some that may be restated.
pub(super) const INDEX_DAYS: i64 = 100;

/// The states that can be chosen, and how they are called.
const STATES: [(&str, &str); 7] = [
    ("fresh", "fresh"),
    ("late", "late"),
    ("stale", "stale"),
    ("no_data", "no data"),
    ("failing", "failing"),
    ("new", "new"),
    ("ended", "ended"),
];

/// The columns of the table: what they sort by, their name, and whether they hold figures.
const COLUMNS: [(Option<Order>, &str, bool); 9] = [
    (Some(Order::Title), "Sound", false),
    (Some(Order::Region), "Region", false),
    (None, "Last 90 days", false),
    (Some(Order::Index), "Index", true),
    (Some(Order::Change), "7 days", true),
    (None, "28 days", true),
    (None, "Peak", false),
    (Some(Order::Newest), "Newest day", false),
    (Some(Order::State), "State", false),
];

/// What the address asks for. Everything may be left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    q: String,
    tag: String,
    region: String,
    state: String,
    sort: Order,
    /// `up` or `down`; the way that is usual for the column when left out.
    dir: String,
    /// `charts`, or a table.
    view: String,
    /// From 1.
    page: i64,
}

impl Asked {
    pub(super) fn wanted(&self) -> Wanted {
        Wanted {
            text: self.q.trim().to_owned(),
            tag: self.tag.trim().to_owned(),
            region: self.region.trim().to_ascii_uppercase(),
            state: self.state.clone(),
            order: self.sort,
            descending: self.descends(),
            skip: (self.number() - 1).saturating_mul(PAGE),
            limit: PAGE,
        }
    }

    fn number(&self) -> i64 {
        self.page.max(1)
    }

    /// Figures begin with the greatest, words with the first.
    fn descends(&self) -> bool {
        match self.dir.as_str() {
            "down" => true,
            "up" => false,
            _ => matches!(self.sort, Order::Change | Order::Index | Order::Newest),
        }
    }

    /// The address of the same with something else about it.
    fn but(&self, change: impl FnOnce(&mut Self)) -> String {
        let mut other = self.clone();
        change(&mut other);
        let page = other.page.to_string();
        let parts = [
            ("q", other.q.as_str()),
            ("tag", other.tag.as_str()),
            ("region", other.region.as_str()),
            ("state", other.state.as_str()),
            (
                "sort",
                if other.sort == Order::default() {
                    ""
                } else {
                    other.sort.as_str()
                },
            ),
            ("dir", other.dir.as_str()),
            ("view", other.view.as_str()),
            ("page", if other.page > 1 { page.as_str() } else { "" }),
        ];
        let given: Vec<_> = parts.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        address(&given)
    }
}

fn address(given: &[(&str, &str)]) -> String {
    let mut address = "/".to_owned();
    for (n, (name, value)) in given.iter().enumerate() {
        address.push(if n == 0 { '?' } else { '&' });
        address.push_str(name);
        address.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
                address.push(char::from(byte));
            } else {
                address.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    address
}

pub(super) async fn page(
    State(site): State<Arc<Site>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Markup, Failed> {
    let Query(asked) = asked?;
    let regions = site.store.regions().await?;
    let found = site.store.overview(&asked.wanted()).await?;
    let keys: Vec<SeriesKey> = found.series.iter().map(|series| series.key.clone()).collect();
    let index = site.store.newest_index_of(&keys, INDEX_DAYS).await?;
    let today = site.clock.now().div_euclid(DAY);
    let content = html! {
        h1 { "Sounds" }
        (filter(&asked, &regions))
        (counted(&asked, &found))
        @if found.series.is_empty() {
            p.none {
                @if asked.number() > 1 { "There are no more. " }
                @else if asked.but(|asked| asked.sort = Order::default()) == "/" { "Nothing is watched yet. " }
                @else { "No sound is so. " }
                a href="/" { "All sounds" }
            }
        } @else if asked.view == "charts" {
            (charts(&found, &index, today))
        } @else {
            (table(&asked, &found, &index, today))
        }
        (pages(&asked, found.of_all))
        (how_to_read())
    };
    Ok(layout::page("Sounds", "/", Some(site.clock.now()), content))
}

fn filter(asked: &Asked, regions: &[String]) -> Markup {
    html! {
        form.filter role="search" action="/" {
            label { "Name or clip ID" input type="search" name="q" value=(asked.q); }
            label { "Region" select name="region" {
                option value="" { "all" }
                @for region in regions { option value=(region) selected[*region == asked.region] { (region) } }
            } }
            label { "State" select name="state" {
                option value="" { "all" }
                @for (word, name) in STATES { option value=(word) selected[word == asked.state] { (name) } }
            } }
            label { "Tag" input type="text" name="tag" value=(asked.tag); }
            label { "Sort by" select name="sort" {
                @for (order, name, _) in COLUMNS {
                    @if let Some(order) = order { option value=(order.as_str()) selected[order == asked.sort] { (name) } }
                }
            } }
            @if !asked.dir.is_empty() { input type="hidden" name="dir" value=(asked.dir); }
            @if !asked.view.is_empty() { input type="hidden" name="view" value=(asked.view); }
            button { "Show" }
        }
    }
}

fn counted(asked: &Asked, found: &Found) -> Markup {
    let first = (asked.number() - 1).saturating_mul(PAGE) + 1;
    html! {
        div.counted {
            p.hint {
                @if found.of_all > PAGE {
                    (first) " to " (first.saturating_add(PAGE - 1).min(found.of_all)) " of " (found.of_all) "."
                } @else {
                    (found.of_all) @if found.of_all == 1 { " sound in a region." } @else { " sounds in their regions." }
                }
                @if asked.sort == Order::Change && asked.descends() {
                    " What has surely grown within a week comes first, what has surely fallen last."
                }
            }
            nav.choices aria-label="View" {
                @for (view, name) in [("", "Table"), ("charts", "Charts")] {
                    a href=(asked.but(|asked| view.clone_into(&mut asked.view)))
                        aria-current=[(asked.view == view).then_some("page")] { (name) }
                }
            }
        }
    }
}

fn table(asked: &Asked, found: &Found, index: &BTreeMap<SeriesKey, Vec<IndexDay>>, today: i64) -> Markup {
    html! {
        table.overview {
            thead { tr { @for (order, name, number) in COLUMNS { (heading(asked, order, name, number)) } } }
            tbody { @for (listed, days) in listed(found, index) { (row(&listed, days, today, &sound::address(&listed.series))) } }
        }
    }
}

/// A heading that sorts; once more, and it sorts the other way.
fn heading(asked: &Asked, order: Option<Order>, name: &str, number: bool) -> Markup {
    let sorted = (order == Some(asked.sort)).then(|| asked.descends());
    let to = order.map(|order| {
        asked.but(|asked| {
            asked.dir = sorted
                .map_or("", |down| if down { "up" } else { "down" })
                .to_owned();
            (asked.sort, asked.page) = (order, 1);
        })
    });
    let aria = sorted.map(|down| if down { "descending" } else { "ascending" });
    html! {
        th.number[number] scope="col" aria-sort=[aria] {
            @if let Some(to) = to { a href=(to) { (name) } } @else { (name) }
            @match sorted { Some(true) => span aria-hidden="true" { " ↓" }, Some(false) => span aria-hidden="true" { " ↑" }, None => {} }
        }
    }
}

/// The same as small charts beside each other.
fn charts(found: &Found, index: &BTreeMap<SeriesKey, Vec<IndexDay>>, today: i64) -> Markup {
    html! {
        ul.multiples {
            @for (listed, days) in listed(found, index) {
                li {
                    a href=(sound::address(&listed.series)) { (name(&listed.series)) }
                    span.soft { (listed.series.key.region) " " (state(listed.series.state.as_deref())) }
                    (line(days, today))
                    @if let Some(summary) = listed.summary {
                        span { strong { (figure(summary.newest.value)) } " " (change(summary.week)) }
                    } @else { span.none { "no index yet" } }
                }
            }
        }
    }
}

fn listed<'a>(
    found: &'a Found,
    index: &'a BTreeMap<SeriesKey, Vec<IndexDay>>,
) -> impl Iterator<Item = (Listed, &'a [IndexDay])> {
    found.series.iter().map(|series| {
        let days = index.get(&series.key).map_or(&[][..], Vec::as_slice);
        let listed = Listed {
            series: series.clone(),
            summary: summary(days),
        };
        (listed, days)
    })
}

fn pages(asked: &Asked, of_all: i64) -> Markup {
    let (number, last) = (asked.number(), (of_all + PAGE - 1) / PAGE);
    let to = |page: i64| asked.but(|asked| asked.page = page);
    html! {
        @if last > 1 {
            nav.choices aria-label="Pages of the list" {
                @if number > 1 { a href=(to(number - 1)) rel="prev" { "Previous" } }
                span { "Page " (number) " of " (last) }
                @if number < last { a href=(to(number + 1)) rel="next" { "Next" } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_what_was_asked_for_and_says_only_that() {
        let asked = Asked {
            q: "a&b=\"ü".to_owned(),
            sort: Order::Title,
            page: 3,
            ..Asked::default()
        };
        assert_eq!(
            asked.but(|asked| asked.page = 1),
            "/?q=a%26b%3D%22%C3%BC&sort=title"
        );
        assert_eq!(Asked::default().but(|asked| asked.page = 2), "/?page=2");
        assert_eq!(Asked::default().but(|_| {}), "/");
    }

    #[test]
    fn figures_begin_with_the_greatest_and_words_with_the_first() {
        let sorted = |sort, dir: &str| {
            let dir = dir.to_owned();
            Asked {
                sort,
                dir,
                ..Asked::default()
            }
            .wanted()
            .descending
        };
        assert!(sorted(Order::Change, "") && sorted(Order::Index, ""));
        assert!(!sorted(Order::Title, "") && sorted(Order::Title, "down"));
        assert!(!sorted(Order::Change, "up"));
    }
}
