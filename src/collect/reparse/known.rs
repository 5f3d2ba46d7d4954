//! What all answers together say: of sounds, of countries and interests, of fields without a column.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use crate::collect::content::cut_queries;
use crate::model::{Content, SoundFacts};
use crate::store::settle::reparse::{Name, Rebuilt, Sound, UnknownField, counted_path};

/// The newest that answers say of some sounds.
#[derive(Default)]
pub(super) struct Sounds(BTreeMap<String, Seen>);

#[derive(Default)]
struct Seen {
    /// By column.
    facts: BTreeMap<String, Column>,
    /// The first and the last instant.
    times: Option<(i64, i64)>,
    /// There is an answer about it that can't be read.
    in_part: bool,
}

/// What was said last of one thing. Answers of one second may say different things.
#[derive(Default)]
struct Column {
    at: i64,
    said: Vec<Value>,
}

impl Column {
    fn hear(&mut self, at: i64, said: Value) {
        if at > self.at {
            self.said.clear();
            self.at = at;
        }
        if at == self.at {
            self.said.push(said);
        }
    }

    /// The newest, beside what is known: that stays if it is as good. URLs are signed anew in every
    /// answer, and of those that only confirm no bytes are kept.
    fn beside(mut self, known: Option<&Value>) -> Value {
        let as_good = |known: &&Value| self.said.iter().any(|said| is_same(said, known));
        match known.filter(as_good) {
            Some(known) => known.clone(),
            None => self.said.pop().unwrap_or_default(),
        }
    }
}

fn is_same(one: &Value, other: &Value) -> bool {
    let unsigned = |value: &Value| {
        let mut value = value.clone();
        cut_queries(&mut value);
        value
    };
    unsigned(one) == unsigned(other)
}

/// Facts by the name of their column.
fn columns(facts: &SoundFacts) -> Map<String, Value> {
    match serde_json::to_value(facts) {
        Ok(Value::Object(columns)) => columns,
        // Of a type with named fields there is no other.
        _ => Map::new(),
    }
}

impl Sounds {
    /// An answer says this, from the first to the last time that it was seen.
    pub(super) fn seen(&mut self, clip: &str, facts: &SoundFacts, (first, last): (i64, i64)) {
        let seen = self.0.entry(clip.to_owned()).or_default();
        for (column, said) in columns(facts) {
            if !said.is_null() {
                seen.facts.entry(column).or_default().hear(last, said);
            }
        }
        let (earliest, latest) = seen.times.unwrap_or((first, last));
        seen.times = Some((earliest.min(first), latest.max(last)));
    }

    /// There is an answer about it that can't be read.
    pub(super) fn unreadable(&mut self, clip: &str) {
        self.0.entry(clip.to_owned()).or_default().in_part = true;
    }

    /// The rows, given those that are `there`. What is there stays where an answer can't be read.
    pub(super) fn beside(self, there: &HashMap<String, SoundFacts>) -> Vec<Sound> {
        let sounds = self.0.into_iter().filter_map(|(clip_id, seen)| {
            let (first_seen_at, last_seen_at) = seen.times?;
            let known = there.get(&clip_id).map(columns).unwrap_or_default();
            if seen.in_part && !known.is_empty() {
                return None;
            }
            let facts = seen.facts.into_iter();
            let facts = facts.map(|(name, column)| {
                let newest = column.beside(known.get(&name));
                (name, newest)
            });
            Some(Sound {
                clip_id,
                facts: facts.collect(),
                first_seen_at,
                last_seen_at,
            })
        });
        sounds.collect()
    }
}

/// When an answer was stored: the instant, and for those of one instant the snapshot.
type Stored = (i64, i64);

/// A text with when it was said.
#[derive(Default)]
struct Newest(Option<(Stored, String)>);

impl Newest {
    fn hear(&mut self, at: Stored, said: Option<&str>) {
        if let Some(said) = said
            && self.0.as_ref().is_none_or(|(known, _)| *known <= at)
        {
            self.0 = Some((at, said.to_owned()));
        }
    }

    fn text(&self) -> Option<String> {
        self.0.as_ref().map(|(_, text)| text.clone())
    }
}

type Names = BTreeMap<String, (Newest, Newest)>;

/// What is known of countries and interests, and which fields have no column: as many as the API has
/// words, however many answers there are.
#[derive(Default)]
pub(super) struct Known {
    countries: Names,
    interests: Names,
    fields: BTreeMap<String, (i64, i64, i64)>,
}

impl Known {
    /// A snapshot says this, and every answer that confirmed it.
    pub(super) fn snapshot(&mut self, snapshot: &Rebuilt) {
        let history = snapshot.history;
        self.names(&snapshot.content, (history.first_fetched_at, history.id));
        self.fields(
            &snapshot.content,
            1 + history.confirmations,
            (history.first_fetched_at, history.last_fetched_at),
        );
    }

    /// The names in an answer that was stored then.
    pub(super) fn names(&mut self, content: &Content, at: Stored) {
        for country in &content.countries {
            let (code, name) = self.countries.entry(country.id.clone()).or_default();
            code.hear(at, country.code.as_deref());
            name.hear(at, country.name.as_deref());
        }
        for interest in &content.interests {
            let (label, name) = self.interests.entry(interest.id.clone()).or_default();
            label.hear(at, interest.label.as_deref());
            name.hear(at, interest.name.as_deref());
        }
    }

    /// The fields without a column in so many answers.
    pub(super) fn fields(&mut self, content: &Content, answers: i64, (first, last): (i64, i64)) {
        for path in content.extra.keys() {
            let entry = self.fields.entry(counted_path(path));
            let (count, earliest, latest) = entry.or_insert((0, first, last));
            *count += answers;
            *earliest = first.min(*earliest);
            *latest = last.max(*latest);
        }
    }

    pub(super) fn countries(&self) -> Vec<Name> {
        named(&self.countries)
    }

    pub(super) fn interests(&self) -> Vec<Name> {
        named(&self.interests)
    }

    pub(super) fn unknown_fields(&self) -> Vec<UnknownField> {
        let fields = self.fields.iter();
        fields
            .map(|(path, (answers, first, last))| (path.clone(), *answers, *first, *last))
            .collect()
    }
}

fn named(names: &Names) -> Vec<Name> {
    let rows = names.iter();
    rows.map(|(id, (code, name))| (id.clone(), code.text(), name.text()))
        .collect()
}
