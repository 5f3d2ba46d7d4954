//! Edits of a watchlist's text that leave everything else as the person wrote it: comments, order,
//! spelling. Pure; [`super::file`] does it to a file.

mod entry;
mod place;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use toml_edit::{Array, DocumentMut};

use super::parse::Asking;
use crate::model::{ClipId, Period, Region};
use crate::problem::{Problem, Problems};

pub use entry::Entry;

/// A sound that somebody wants to be watched. What is left open is as the file's defaults say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The sound.
    pub clip_id: ClipId,
    /// The markets; none: not said.
    pub regions: Vec<Region>,
    /// The periods; none: not said.
    pub periods: Vec<Period>,
    /// A cron expression.
    pub schedule: Option<String>,
    /// Words to group by.
    pub tags: Vec<String>,
    /// What to remember.
    pub note: Option<String>,
}

/// What is wished for several sounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields of Wish")]
pub struct Common {
    pub regions: Vec<Region>,
    pub periods: Vec<Period>,
    pub schedule: Option<String>,
    pub tags: Vec<String>,
    pub note: Option<String>,
}

impl Common {
    /// The same wish for one sound.
    pub fn wish(&self, clip_id: ClipId) -> Wish {
        let Self {
            regions,
            periods,
            schedule,
            tags,
            note,
        } = self.clone();
        Wish {
            clip_id,
            regions,
            periods,
            schedule,
            tags,
            note,
        }
    }
}

/// What an edit did to a sound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The sound.
    pub clip_id: ClipId,
    /// What was done.
    pub what: What,
    /// The targets that it was done to, as (region, period).
    pub targets: Vec<(String, String)>,
}

/// What can be done to a sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It has an entry now, or more regions or periods than before.
    Added,
    /// Nothing: all that was asked for is watched.
    AlreadyWatched,
    /// The targets are gone.
    Removed,
    /// Nothing: it is not watched (there).
    NotWatched,
}

/// A region with a period.
type Target = (Region, Period);

/// The text of a watchlist that is being edited.
#[derive(Debug)]
pub struct Editor {
    document: DocumentMut,
    defaults: Asking,
    entries: Vec<Entry>,
    by_clip: HashMap<ClipId, Vec<usize>>,
    /// What programs on other systems put before and between lines, and toml_edit leaves out.
    byte_order_mark: bool,
    line_feeds_only: bool,
}

impl Editor {
    /// Opens a text that is a valid watchlist, or has no sounds yet.
    pub fn open(text: &str) -> Result<Self, Problem> {
        let plain = text.strip_prefix('\u{feff}');
        let document: DocumentMut = plain
            .unwrap_or(text)
            .parse()
            .map_err(|error| Problem::new(format!("the watchlist can't be edited: {error}")))?;
        let defaults = entry::defaults(&document);
        let entries = place::tables(&document)
            .map(|table| Entry::read(table, &defaults))
            .collect::<Result<Vec<_>, _>>()?;
        let mut by_clip: HashMap<ClipId, Vec<usize>> = HashMap::new();
        for (at, entry) in entries.iter().enumerate() {
            by_clip.entry(entry.clip_id.clone()).or_default().push(at);
        }
        Ok(Self {
            document,
            defaults,
            entries,
            by_clip,
            byte_order_mark: plain.is_some(),
            line_feeds_only: text.matches("\r\n").count() * 2 <= text.matches('\n').count(),
        })
    }

    /// Whether the text has no sounds yet, and nothing in their place.
    pub fn lacks_sounds(&self) -> bool {
        match self.document.get("sounds") {
            None => true,
            Some(sounds) => sounds.as_array().is_some_and(Array::is_empty),
        }
    }

    /// The sounds as they stand in the text, in its order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.gone)
    }

    /// The entries of one sound.
    pub fn entries_of(&self, clip_id: &ClipId) -> impl Iterator<Item = &Entry> {
        let places = self.by_clip.get(clip_id).into_iter().flatten();
        places
            .filter_map(|at| self.entries.get(*at))
            .filter(|entry| !entry.gone)
    }

    /// With how many periods a sound is asked for in a region to which no period is told.
    pub fn periods_of(&self, clip_id: &ClipId) -> usize {
        let known: BTreeSet<Period> = self
            .entries_of(clip_id)
            .flat_map(|entry| entry.periods.iter().copied())
            .collect();
        if known.is_empty() {
            self.defaults.periods.len()
        } else {
            known.len()
        }
    }

    /// Has a sound watched as is wished: with an entry of its own, or with the missing regions and
    /// periods in one that it has, if that asks for nothing else too.
    pub fn add(&mut self, wish: &Wish) -> Change {
        let known: BTreeSet<Target> = self.entries_of(&wish.clip_id).flat_map(Entry::targets).collect();
        let wanted = self.wanted(wish, &known);
        let missing: Vec<Target> = wanted.iter().filter(|t| !known.contains(t)).copied().collect();
        let (what, targets) = if missing.is_empty() {
            (What::AlreadyWatched, wanted)
        } else {
            (What::Added, missing)
        };
        if what == What::Added && known.is_empty() {
            self.push(wish);
        } else if what == What::Added {
            for (regions, periods) in blocks(&targets) {
                self.extend_or_push(Wish {
                    regions,
                    periods,
                    ..wish.clone()
                });
            }
        }
        change(&wish.clip_id, what, targets)
    }

    /// Takes a sound out, or some regions of it; of its entries those that `may` says.
    pub fn remove(&mut self, clip_id: &ClipId, regions: &[Region], may: impl Fn(&Entry) -> bool) -> Change {
        let mut gone = Vec::new();
        for at in self.by_clip.get(clip_id).cloned().unwrap_or_default() {
            let Some(entry) = self.entries.get_mut(at).filter(|e| !e.gone && may(e)) else {
                continue;
            };
            let leaves = |region: &Region| regions.is_empty() || regions.contains(region);
            gone.extend(entry.targets().filter(|(region, _)| leaves(region)));
            let stay: Vec<Region> = entry.regions.iter().filter(|r| !leaves(r)).copied().collect();
            if stay.is_empty() {
                entry.gone = true;
            } else if stay.len() < entry.regions.len() {
                entry.regions = stay;
                if let Some(table) = place::table_mut(&mut self.document, at) {
                    entry.write_fewer_regions(table);
                }
            }
        }
        let what = if gone.is_empty() {
            What::NotWatched
        } else {
            What::Removed
        };
        change(clip_id, what, gone)
    }

    /// The text as it is now.
    pub fn finish(mut self) -> Result<String, Problems> {
        if self.entries.iter().all(|entry| entry.gone) && !self.entries.is_empty() {
            let problem =
                Problem::new("this would take out the last sound, and a watchlist without any is an error")
                    .help("add another sound first; to stop collecting, stop the daemon");
            return Err(problem.into());
        }
        let gone: Vec<bool> = self.entries.iter().map(|entry| entry.gone).collect();
        place::take_out(&mut self.document, &gone);
        let mut text = self.document.to_string();
        if !self.line_feeds_only {
            text = text.replace("\r\n", "\n").replace('\n', "\r\n");
        }
        if self.byte_order_mark {
            text.insert(0, '\u{feff}');
        }
        Ok(text)
    }

    /// The targets of a wish. What it leaves open is as it is where the sound is watched already.
    fn wanted(&self, wish: &Wish, known: &BTreeSet<Target>) -> Vec<Target> {
        let mut regions = wish.regions.clone();
        if regions.is_empty() {
            regions = known.iter().map(|(region, _)| *region).collect();
        }
        if regions.is_empty() {
            regions.clone_from(&self.defaults.regions);
        }
        let mut periods = wish.periods.clone();
        if periods.is_empty() {
            periods = known.iter().map(|(_, period)| *period).collect();
        }
        if periods.is_empty() {
            periods.clone_from(&self.defaults.periods);
        }
        let product = regions
            .iter()
            .flat_map(|region| periods.iter().map(move |period| (*region, *period)));
        let mut seen = BTreeSet::new();
        product.filter(|target| seen.insert(*target)).collect()
    }

    /// Puts targets of a watched sound into an entry that is the same but for them, or into a new one.
    fn extend_or_push(&mut self, block: Wish) {
        for at in self.by_clip.get(&block.clip_id).cloned().unwrap_or_default() {
            let Some(entry) = self.entries.get_mut(at).filter(|e| !e.gone && e.suits(&block)) else {
                continue;
            };
            let Some(table) = place::table_mut(&mut self.document, at) else {
                continue;
            };
            if entry.extend(&block, table) {
                return;
            }
        }
        self.push(&block);
    }

    fn push(&mut self, wish: &Wish) {
        place::push(&mut self.document, entry::new_table(wish));
        let entry = Entry::wished(wish, &self.defaults);
        let at = self.entries.len();
        self.by_clip.entry(entry.clip_id.clone()).or_default().push(at);
        self.entries.push(entry);
    }
}

fn change(clip_id: &ClipId, what: What, targets: Vec<Target>) -> Change {
    let words = |(region, period): Target| (region.to_string(), period.to_string());
    Change {
        clip_id: clip_id.clone(),
        what,
        targets: targets.into_iter().map(words).collect(),
    }
}

/// Targets as few lists of regions with lists of periods, each pair of which is asked for.
fn blocks(targets: &[Target]) -> Vec<(Vec<Region>, Vec<Period>)> {
    let mut periods_of: BTreeMap<Region, Vec<Period>> = BTreeMap::new();
    for (region, period) in targets {
        periods_of.entry(*region).or_default().push(*period);
    }
    let mut blocks: Vec<(Vec<Region>, Vec<Period>)> = Vec::new();
    for (region, periods) in periods_of {
        match blocks.iter_mut().find(|(_, same)| *same == periods) {
            Some((regions, _)) => regions.push(region),
            None => blocks.push((vec![region], periods)),
        }
    }
    blocks
}

#[cfg(test)]
mod tests;
