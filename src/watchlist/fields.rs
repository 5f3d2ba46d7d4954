//! The values of a watchlist's fields: each becomes what it means, or a problem at its place.

use std::collections::{HashMap, HashSet};

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::clip::clip_id;
use super::regions::region_doubt;
use crate::model::{ClipId, Period, Region};
use crate::problem::{Problem, nearest};
use crate::schedule::{Schedule, ScheduleError};
use crate::source::{Source, kind_of, offset};

/// A value with its place.
pub(super) type Value<'a> = Spanned<DeValue<'a>>;

/// Reads values and keeps what is wrong with them.
pub(super) struct Fields<'a> {
    pub(super) source: Source<'a>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    /// A watchlist has many sounds and few schedules and zones: each is read once.
    schedules: HashMap<String, Result<(), ScheduleError>>,
    zones: HashMap<String, Result<(), ScheduleError>>,
    doubted: HashSet<Region>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(source: Source<'a>) -> Self {
        Self {
            source,
            problems: Vec::new(),
            warnings: Vec::new(),
            schedules: HashMap::new(),
            zones: HashMap::new(),
            doubted: HashSet::new(),
        }
    }

    /// Keeps a problem of the text at `at`.
    pub(super) fn wrong(&mut self, at: usize, message: impl Into<String>, help: impl Into<String>) {
        let problem = Problem::new(message).help(help).at(self.source.place(at));
        self.problems.push(problem);
    }

    fn warn(&mut self, at: usize, message: impl Into<String>, help: impl Into<String>) {
        let problem = Problem::new(message).help(help).at(self.source.place(at));
        self.warnings.push(problem);
    }

    fn wrong_type(&mut self, key: &str, value: &Value<'_>, right: &str) {
        let found = kind_of(value.get_ref());
        self.wrong(
            offset(value),
            format!("{key} is {found}"),
            format!("write {right}"),
        );
    }

    /// Names the keys that a table may not have.
    pub(super) fn only(&mut self, known: &[&str], table: &DeTable<'_>) {
        for (name, _) in table {
            let name_text: &str = name.get_ref();
            if !known.contains(&name_text) {
                let help = nearest(name_text, known.iter().copied()).map_or_else(
                    || format!("there are: {}", known.join(", ")),
                    |meant| format!("did you mean {meant}?"),
                );
                self.wrong(offset(name), format!("{name_text}: there is no such key"), help);
            }
        }
    }

    pub(super) fn clip(&mut self, value: &Value<'_>) -> Option<ClipId> {
        let found = match value.get_ref() {
            DeValue::String(text) => clip_id(text),
            DeValue::Integer(number) => clip_of_number(number),
            _ => {
                self.wrong_type("clip", value, "a clip ID in quotes, or a link");
                return None;
            }
        };
        found
            .map_err(|(message, help)| self.wrong(offset(value), message, help))
            .ok()
    }

    pub(super) fn regions(&mut self, value: &Value<'_>) -> Option<Vec<Region>> {
        let right = "a list of codes in quotes, such as [\"US\", \"LV\"]";
        let DeValue::Array(list) = value.get_ref() else {
            self.wrong_type("regions", value, right);
            return None;
        };
        if list.is_empty() {
            self.wrong(offset(value), "regions is empty", format!("write {right}"));
        }
        let regions: Vec<Option<Region>> = list.iter().map(|entry| self.region(entry)).collect();
        regions
            .into_iter()
            .collect::<Option<Vec<_>>>()
            .filter(|r| !r.is_empty())
    }

    fn region(&mut self, value: &Value<'_>) -> Option<Region> {
        let DeValue::String(text) = value.get_ref() else {
            self.wrong_type("a region", value, "its code in quotes, such as \"US\"");
            return None;
        };
        let Ok(region) = text.parse::<Region>() else {
            let message = format!("{text:?} is not a region");
            self.wrong(
                offset(value),
                message,
                "write its code of two letters, such as \"US\"",
            );
            return None;
        };
        if let Some((message, help)) = region_doubt(region)
            && self.doubted.insert(region)
        {
            self.warn(offset(value), message, help);
        }
        Some(region)
    }

    /// One period or a list of them.
    pub(super) fn periods(&mut self, value: &Value<'_>) -> Option<Vec<Period>> {
        match value.get_ref() {
            DeValue::Array(list) if list.is_empty() => {
                self.wrong(offset(value), "period is an empty list", PERIODS);
                None
            }
            DeValue::Array(list) => {
                let periods: Vec<_> = list.iter().map(|entry| self.period(entry)).collect();
                periods.into_iter().collect()
            }
            _ => self.period(value).map(|period| vec![period]),
        }
    }

    fn period(&mut self, value: &Value<'_>) -> Option<Period> {
        let text = match value.get_ref() {
            DeValue::Integer(number) => number.to_string(),
            DeValue::String(text) => text.to_string(),
            _ => {
                self.wrong_type("a period", value, PERIODS);
                return None;
            }
        };
        let period = text.parse().ok();
        if period.is_none() {
            self.wrong(offset(value), format!("{text:?} is not a period"), PERIODS);
        }
        period
    }

    pub(super) fn schedule(&mut self, value: &Value<'_>) -> Option<String> {
        let expression = self.text("schedule", value)?;
        if let Some(known) = self.schedules.get(&expression).cloned() {
            return self.judged(value, expression, known);
        }
        let parsed = Schedule::parse(&expression, "UTC");
        if parsed.as_ref().is_ok_and(|schedule| schedule.most_a_day() > 1) {
            let message = format!("\"{expression}\" asks more than once a day");
            self.warn(
                offset(value),
                message,
                "the API has new values once a day; each request costs credits",
            );
        }
        let known = parsed.map(drop);
        self.schedules.insert(expression.clone(), known.clone());
        self.judged(value, expression, known)
    }

    pub(super) fn time_zone(&mut self, value: &Value<'_>) -> Option<String> {
        let zone = self.text("time_zone", value)?;
        let known = self
            .zones
            .entry(zone.clone())
            .or_insert_with(|| Schedule::parse("@daily", &zone).map(drop))
            .clone();
        self.judged(value, zone, known)
    }

    fn judged(
        &mut self,
        value: &Value<'_>,
        text: String,
        known: Result<(), ScheduleError>,
    ) -> Option<String> {
        known
            .map_err(|error| self.wrong(offset(value), error.to_string(), error.help()))
            .ok()
            .map(|()| text)
    }

    pub(super) fn tags(&mut self, value: &Value<'_>) -> Option<Vec<String>> {
        let DeValue::Array(list) = value.get_ref() else {
            self.wrong_type("tags", value, "a list of texts, such as [\"ambient\"]");
            return None;
        };
        let tags: Vec<_> = list.iter().map(|tag| self.text("a tag", tag)).collect();
        tags.into_iter().collect()
    }

    pub(super) fn text(&mut self, key: &str, value: &Value<'_>) -> Option<String> {
        if let DeValue::String(text) = value.get_ref() {
            return Some(text.to_string());
        }
        self.wrong_type(key, value, "a text in quotes");
        None
    }
}

const PERIODS: &str = "write 7, 30, 120, \"auto\", or a list such as [7, 120]";

/// The ID in a number. Numbers of TOML end at 2^63, IDs do not: other programs, and our own edits
/// of the file, would refuse the whole file.
fn clip_of_number(number: &DeInteger<'_>) -> Result<ClipId, (String, String)> {
    let digits = number.as_str();
    if number.radix() == 10 && digits.len() > 18 && digits.parse::<i64>().is_err() {
        let message = format!("{digits} is too large for a number in TOML");
        return Err((message, format!("put it in quotes: clip = \"{digits}\"")));
    }
    clip_id(&number.to_string())
}
