//! What all pages have in common.

use maud::{DOCTYPE, Markup, html};

use super::files;
use crate::clock::rfc3339;

/// The pages that the head of each links, and what they are called.
const PLACES: [(&str, &str); 2] = [("/", "Sounds"), ("/operations", "Operations")];

pub(super) fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            title { (title) " · soundwatch" }
            link rel="icon" type="image/svg+xml" href=(files::icon());
            link rel="stylesheet" href=(files::style());
            script src=(files::script()) defer {}
        }
    }
}

/// A page; `here` is the path of the place that it belongs to, `now` when what it says was so (unix seconds).
#[allow(clippy::needless_pass_by_value, reason = "maud's own way")]
pub(super) fn page(title: &str, here: &str, now: Option<i64>, content: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body #top {
                a.skip href="#main" { "To the content" }
                nav.places aria-label="Pages" {
                    strong { "soundwatch" }
                    @for (path, name) in PLACES {
                        @if path == here { a href=(path) aria-current="page" { (name) } } @else { a href=(path) { (name) } }
                    }
                }
                main #main { (content) }
                @if let Some(now) = now {
                    footer { "As of " time datetime=(rfc3339(now)) { (instant(now)) } ", UTC. Map: Natural Earth." }
                }
            }
        }
    }
}

/// A table that may be wider than a telephone; who has only a keyboard can scroll it too.
#[allow(clippy::needless_pass_by_value, reason = "maud's own way")]
pub(super) fn wide(what: &str, table: Markup) -> Markup {
    html! { div.scroll role="region" tabindex="0" aria-label=(what) { (table) } }
}

/// An instant for people, UTC: `2026-02-01 06:15`.
pub(super) fn instant(at: i64) -> String {
    let text = rfc3339(at);
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {}", time.get(..5).unwrap_or(time))
}
