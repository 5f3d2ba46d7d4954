//! One sound of a watchlist: what its table says, and how that is changed.

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};

use super::{Target, Wish, place};
use crate::model::{ClipId, Period, Region};
use crate::problem::Problem;
use crate::watchlist::clip_id;
use crate::watchlist::parse::Asking;

/// A sound as it stands in the file, with the defaults where it says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The sound.
    pub clip_id: ClipId,
    /// The markets.
    pub regions: Vec<Region>,
    /// The periods.
    pub periods: Vec<Period>,
    /// The cron expression.
    pub schedule: String,
    /// The IANA zone.
    pub time_zone: String,
    /// Words to group by.
    pub tags: Vec<String>,
    /// What to remember.
    pub note: Option<String>,
    /// Whether it says itself when to ask.
    pub has_own_schedule: bool,
    /// To be taken out.
    pub(super) gone: bool,
}

impl Entry {
    /// Reads the table of a sound in a watchlist that has been found valid.
    pub(super) fn read(table: &dyn TableLike, defaults: &Asking) -> Result<Self, Problem> {
        let clip = table
            .get("clip")
            .and_then(Item::as_value)
            .map(as_text)
            .unwrap_or_default();
        let clip_id = clip_id(&clip).map_err(|(message, help)| Problem::new(message).help(help))?;
        let asking = asking(table, defaults);
        Ok(Self {
            clip_id,
            regions: asking.regions,
            periods: asking.periods,
            schedule: asking.schedule,
            time_zone: asking.time_zone,
            tags: list(table, "tags"),
            note: text(table, "note"),
            has_own_schedule: ["schedule", "time_zone"]
                .iter()
                .any(|key| table.contains_key(key)),
            gone: false,
        })
    }

    /// The entry that [`new_table`] makes.
    pub(super) fn wished(wish: &Wish, defaults: &Asking) -> Self {
        let or = |wished: &[Region]| match wished {
            [] => defaults.regions.clone(),
            wished => wished.to_vec(),
        };
        Self {
            clip_id: wish.clip_id.clone(),
            regions: or(&wish.regions),
            periods: match wish.periods.as_slice() {
                [] => defaults.periods.clone(),
                wished => wished.to_vec(),
            },
            schedule: wish.schedule.clone().unwrap_or_else(|| defaults.schedule.clone()),
            time_zone: defaults.time_zone.clone(),
            tags: wish.tags.clone(),
            note: wish.note.clone(),
            has_own_schedule: wish.schedule.is_some(),
            gone: false,
        }
    }

    /// Each region with each period.
    pub fn targets(&self) -> impl Iterator<Item = Target> + '_ {
        let with = |region: Region| self.periods.iter().map(move |period| (region, *period));
        self.regions.iter().flat_map(move |region| with(*region))
    }

    /// Whether a wish asks for nothing but other regions and periods than this.
    pub(super) fn suits(&self, wish: &Wish) -> bool {
        wish.schedule
            .as_ref()
            .is_none_or(|schedule| *schedule == self.schedule)
            && wish.tags.iter().all(|tag| self.tags.contains(tag))
            && wish
                .note
                .as_ref()
                .is_none_or(|note| self.note.as_ref() == Some(note))
    }

    /// Adds the regions or the periods of a block, if all regions with all periods are then asked for
    /// that are wanted, and no others.
    pub(super) fn extend(&mut self, block: &Wish, table: &mut dyn TableLike) -> bool {
        if same(&self.periods, &block.periods) {
            self.regions.extend(&block.regions);
            let codes: Vec<Value> = block.regions.iter().map(|r| r.as_str().into()).collect();
            let all: Vec<Value> = self.regions.iter().map(|r| r.as_str().into()).collect();
            extend_list(table, "regions", codes, all);
        } else if same(&self.regions, &block.regions) {
            self.periods.extend(&block.periods);
            let new = block.periods.iter().map(|p| period_value(*p)).collect();
            let all = self.periods.iter().map(|p| period_value(*p)).collect();
            extend_list(table, "period", new, all);
        } else {
            return false;
        }
        true
    }

    /// Writes that only these regions are asked for any more.
    pub(super) fn write_fewer_regions(&self, table: &mut dyn TableLike) {
        let stays = |value: &Value| {
            let region = value.as_str().and_then(|code| code.parse::<Region>().ok());
            region.is_some_and(|region| self.regions.contains(&region))
        };
        if let Some(list) = table.get_mut("regions").and_then(Item::as_array_mut) {
            place::retain(list, stays);
        } else {
            let codes: Array = self.regions.iter().map(Region::as_str).collect();
            table.insert("regions", codes.into());
        }
    }
}

/// What holds for the sounds that say nothing else.
pub(super) fn defaults(document: &DocumentMut) -> Asking {
    let built_in = Asking::built_in();
    match document.get("defaults").and_then(Item::as_table_like) {
        Some(table) => asking(table, &built_in),
        None => built_in,
    }
}

/// The table of a new sound: what was not said stays open.
pub(super) fn new_table(wish: &Wish) -> Table {
    let mut table = Table::new();
    table.insert("clip", wish.clip_id.as_str().into());
    if !wish.regions.is_empty() {
        let codes: Array = wish.regions.iter().map(Region::as_str).collect();
        table.insert("regions", codes.into());
    }
    match wish.periods.as_slice() {
        [] => None,
        [one] => table.insert("period", period_value(*one).into()),
        more => table.insert(
            "period",
            more.iter().map(|p| period_value(*p)).collect::<Array>().into(),
        ),
    };
    if let Some(schedule) = &wish.schedule {
        table.insert("schedule", schedule.into());
    }
    if !wish.tags.is_empty() {
        table.insert("tags", wish.tags.iter().collect::<Array>().into());
    }
    if let Some(note) = &wish.note {
        table.insert("note", note.into());
    }
    table
}

fn asking(table: &dyn TableLike, defaults: &Asking) -> Asking {
    let regions: Vec<Region> = list(table, "regions")
        .iter()
        .filter_map(|code| code.parse().ok())
        .collect();
    let periods: Vec<Period> = list(table, "period")
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    Asking {
        regions: if regions.is_empty() {
            defaults.regions.clone()
        } else {
            regions
        },
        periods: if periods.is_empty() {
            defaults.periods.clone()
        } else {
            periods
        },
        schedule: text(table, "schedule").unwrap_or_else(|| defaults.schedule.clone()),
        time_zone: text(table, "time_zone").unwrap_or_else(|| defaults.time_zone.clone()),
    }
}

/// The texts of a list, or of the one value that stands in its place.
fn list(table: &dyn TableLike, key: &str) -> Vec<String> {
    match table.get(key).and_then(Item::as_value) {
        Some(Value::Array(list)) => list.iter().map(as_text).collect(),
        Some(one) => vec![as_text(one)],
        None => Vec::new(),
    }
}

fn text(table: &dyn TableLike, key: &str) -> Option<String> {
    table.get(key).and_then(Item::as_value).map(as_text)
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.value().clone(),
        Value::Integer(number) => number.value().to_string(),
        _ => String::new(),
    }
}

fn period_value(period: Period) -> Value {
    match period {
        Period::Fixed(window) => window.days().into(),
        Period::Auto => period.to_string().into(),
    }
}

fn same<T: Ord + Copy>(one: &[T], other: &[T]) -> bool {
    let sorted = |list: &[T]| {
        let mut list = list.to_vec();
        list.sort_unstable();
        list
    };
    sorted(one) == sorted(other)
}

/// Adds `new` to the list under `key`; where there is no list, `all` is written in its place.
fn extend_list(table: &mut dyn TableLike, key: &str, new: Vec<Value>, all: Vec<Value>) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(Value::Array(list)) => new.into_iter().for_each(|value| place::push_value(list, value)),
        Some(one) => {
            let decor = one.decor().clone();
            *one = Value::Array(all.into_iter().collect());
            *one.decor_mut() = decor;
        }
        None => {
            table.insert(key, all.into_iter().collect::<Array>().into());
        }
    }
}
