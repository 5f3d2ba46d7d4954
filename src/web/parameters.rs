//! The parameters of `/api/v1`: one table says what each may be, for the OpenAPI document and for whoever gives
//! something else.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::clock::day_of;
use crate::export::view::View;
use crate::model::{ClipId, Region};

/// Pages that can be asked for: more than any watchlist fills.
const LAST_PAGE: i64 = 1_000_000;

/// Letters that a text may have.
const TEXT: usize = 200;

/// What a parameter may be.
enum Rule {
    Text,
    Words(&'static [&'static str]),
    Clip,
    Region,
    Day,
    Page,
}

/// A parameter.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// What it is for.
    pub(super) what: &'static str,
    rule: Rule,
}

/// Of `/sounds`.
pub(super) static OF_SOUNDS: [Parameter; 7] = [
    parameter(
        "q",
        "Within title or author in any case, or a whole clip ID",
        Rule::Text,
    ),
    parameter("region", "The market, ISO 3166 alpha-2", Rule::Region),
    parameter(
        "state",
        "How they stand, see the view freshness; ended: no longer watched",
        Rule::Words(&["fresh", "late", "stale", "no_data", "failing", "new", "ended"]),
    ),
    parameter("tag", "A whole tag that a target has", Rule::Text),
    parameter(
        "sort",
        "What they are sorted by; change when left out",
        Rule::Words(&["change", "title", "region", "index", "newest", "state"]),
    ),
    parameter(
        "dir",
        "The least or the greatest first; the usual way of the column when left out",
        Rule::Words(&["up", "down"]),
    ),
    parameter("page", "100 rows each", Rule::Page),
];

/// The sound in a path.
pub(super) static CLIP: Parameter = parameter("clip_id", "The sound", Rule::Clip);

static OF_A_SOUND: [Parameter; 3] = [
    parameter(
        "region",
        "The market, ISO 3166 alpha-2; all when left out",
        Rule::Region,
    ),
    parameter("since", "The first day", Rule::Day),
    parameter("until", "The last day", Rule::Day),
];

/// Of a list of one sound: days can be chosen where its rows have some.
pub(super) fn of_list(view: &View) -> &'static [Parameter] {
    let days = view.days.is_some();
    if days { &OF_A_SOUND } else { &OF_A_SOUND[..1] }
}

const fn parameter(name: &'static str, what: &'static str, rule: Rule) -> Parameter {
    Parameter { name, what, rule }
}

impl Parameter {
    /// What it may be, as a JSON schema.
    pub(super) fn schema(&self) -> Value {
        match &self.rule {
            Rule::Text => json!({ "type": "string", "minLength": 1, "maxLength": TEXT,
                "pattern": "^[^\\u0000-\\u001f\\u007f]*[^\\u0000-\\u001f\\u007f\\s][^\\u0000-\\u001f\\u007f]*$" }),
            Rule::Words(words) => json!({ "type": "string", "enum": words }),
            Rule::Clip => json!({ "type": "string", "pattern": "^[0-9]{15,20}$" }),
            Rule::Region => json!({ "type": "string", "pattern": "^[A-Za-z]{2}$" }),
            Rule::Day => json!({ "type": "string", "format": "date" }),
            Rule::Page => json!({ "type": "integer", "minimum": 1, "maximum": LAST_PAGE, "default": 1 }),
        }
    }

    /// What would be right, if this value is not.
    pub(super) fn refusal(&self, value: &str) -> Option<String> {
        let (right, is_right) = match &self.rule {
            Rule::Text => (
                format!("write 1 to {TEXT} letters, not only blanks, and no control characters"),
                value.chars().count() <= TEXT
                    && !value.trim().is_empty()
                    && !value.chars().any(|c| c < ' ' || c == '\x7f'),
            ),
            Rule::Words(words) => (
                format!("write one of {}", words.join(", ")),
                words.contains(&value),
            ),
            Rule::Clip => (
                "write a clip ID of 15 to 20 digits".to_owned(),
                value.parse::<ClipId>().is_ok(),
            ),
            Rule::Region => (
                "write a market of two letters, as US".to_owned(),
                value.parse::<Region>().is_ok(),
            ),
            Rule::Day => ("write a day as 2026-02-01".to_owned(), day_of(value).is_some()),
            Rule::Page => (
                format!("write a number from 1 to {LAST_PAGE}"),
                value.bytes().all(|b| b.is_ascii_digit())
                    && value.parse().is_ok_and(|page| (1..=LAST_PAGE).contains(&page)),
            ),
        };
        (!is_right).then(|| format!("{}: {right}", self.name))
    }
}

/// The values that were given, by name.
///
/// # Errors
/// Everything that is wrong with them, for people.
pub(super) fn check(
    given: Vec<(String, String)>,
    allowed: &[Parameter],
) -> Result<BTreeMap<String, String>, String> {
    let mut values = BTreeMap::new();
    let mut wrong = Vec::new();
    for (name, value) in given {
        match allowed.iter().find(|parameter| parameter.name == name) {
            Some(parameter) => wrong.extend(parameter.refusal(&value)),
            None => wrong.push(unknown(&name, allowed)),
        }
        if values.contains_key(&name) {
            wrong.push(format!("{name:.40}: give it once"));
        }
        values.insert(name, value);
    }
    if wrong.is_empty() {
        Ok(values)
    } else {
        Err(wrong.join("; "))
    }
}

fn unknown(name: &str, allowed: &[Parameter]) -> String {
    let names: Vec<_> = allowed.iter().map(|parameter| parameter.name).collect();
    match names.as_slice() {
        [] => format!("{name:.40}: there are no parameters here"),
        names => format!(
            "{name:.40}: there is no such parameter here; there are {}",
            names.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(given: &[(&str, &str)], allowed: &[Parameter]) -> Result<BTreeMap<String, String>, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        check(given.iter().map(owned).collect(), allowed)
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_with_what_would_be_right() {
        let wrong = checked(
            &[
                ("regoin", "US"),
                ("page", "0"),
                ("sort", "name"),
                ("q", "\0"),
                ("q", "x"),
            ],
            &OF_SOUNDS,
        );
        assert_eq!(
            wrong.unwrap_err(),
            "regoin: there is no such parameter here; there are q, region, state, tag, sort, dir, page; \
             page: write a number from 1 to 1000000; \
             sort: write one of change, title, region, index, newest, state; \
             q: write 1 to 200 letters, not only blanks, and no control characters; q: give it once"
        );
    }

    #[test]
    fn what_is_right_is_given_by_name() {
        let given = [("region", "lv"), ("since", "2026-02-01")];
        let values = checked(&given, &OF_A_SOUND).unwrap();
        assert_eq!(values["region"], "lv");
        assert_eq!(values["since"], "2026-02-01");
    }

    #[test]
    fn a_list_without_days_has_none_to_choose() {
        let view = View::named("gaps").unwrap();
        assert_eq!(of_list(view).len(), if view.days.is_some() { 3 } else { 1 });
        let refused = checked(&[("since", "2026-02-01")], &OF_A_SOUND[..1]);
        assert_eq!(
            refused.unwrap_err(),
            "since: there is no such parameter here; there are region"
        );
        let none = checked(&[("since", "2026-02-01")], &[]);
        assert_eq!(none.unwrap_err(), "since: there are no parameters here");
    }
}
