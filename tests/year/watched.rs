//! What was watched and when passes were made: which slots have to have a row, and what may be said
//! of those that nobody asked. Days and hours are counted here by hand, without a cron expression.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::ledger::{DAY, HOUR, MINUTE};

/// A schedule: at this minute of these hours, each day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    pub minute: i64,
    pub hours: Vec<i64>,
}

impl Times {
    pub fn cron(&self) -> String {
        let hours: Vec<String> = self.hours.iter().map(i64::to_string).collect();
        format!("{} {} * * *", self.minute, hours.join(","))
    }

    /// The slots from an instant to another, both included.
    pub fn slots(&self, from: i64, until: i64) -> impl Iterator<Item = i64> + use<> {
        let of_day = |day: i64| {
            let hours = self.hours.iter();
            hours.map(move |hour| day * DAY + hour * HOUR + self.minute * MINUTE)
        };
        (from.div_euclid(DAY)..=until.div_euclid(DAY))
            .flat_map(of_day)
            .filter(move |slot| (from..=until).contains(slot))
            .collect::<Vec<_>>()
            .into_iter()
    }

    pub fn newest(&self, now: i64) -> i64 {
        self.slots(now - DAY, now).max().unwrap()
    }

    pub fn next(&self, after: i64) -> i64 {
        self.slots(after + 1, after + DAY).min().unwrap()
    }
}

/// A stretch of time in which a target was watched with one schedule.
#[derive(Clone, Debug)]
pub struct Watch {
    pub times: Times,
    /// The first instant whose slots count.
    pub from: i64,
    /// The last one.
    pub until: i64,
    /// When the watchlist began to say so.
    pub since: i64,
}

/// From when until before when a slot could be asked.
pub type Window = (i64, i64);

/// A pass over what was due.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    pub begun: i64,
    /// It got to its end: whatever was due has been asked, or skipped for a reason.
    pub complete: bool,
    /// The key was or became paused.
    pub paused: bool,
    /// The budget was small.
    pub poor: bool,
}

#[derive(Default)]
pub struct Watched {
    /// By the target's number.
    pub watches: BTreeMap<usize, Vec<Watch>>,
    /// Target and minute.
    pub forced: BTreeSet<(usize, i64)>,
    pub passes: Vec<Pass>,
}

const OPEN: i64 = i64::MAX;

impl Watched {
    pub fn is_watched(&self, target: usize) -> bool {
        self.open(target).is_some()
    }

    pub fn was_watched(&self, target: usize) -> bool {
        self.watches.contains_key(&target)
    }

    fn open(&self, target: usize) -> Option<&Watch> {
        self.watches
            .get(&target)?
            .last()
            .filter(|watch| watch.until == OPEN)
    }

    /// New, or back: due at once, for its newest past slot. What one edit takes out and puts back has
    /// only got another schedule.
    pub fn add(&mut self, target: usize, times: Times, now: i64) {
        let watches = self.watches.get(&target);
        let changed = watches.is_some_and(|watches| watches.last().is_some_and(|watch| watch.until == now));
        let from = if changed { now + 1 } else { times.newest(now) };
        self.begin(target, times, from, now);
    }

    /// Another schedule: counts from now on. In the edit that has just added the target nobody has
    /// seen the first one.
    pub fn change(&mut self, target: usize, times: Times, now: i64) {
        if let Some(watch) = self.unseen(target, now) {
            watch.from = if watch.from > now {
                now + 1
            } else {
                times.newest(now)
            };
            watch.times = times;
            return;
        }
        self.end(target, now);
        self.begin(target, times, now + 1, now);
    }

    fn begin(&mut self, target: usize, times: Times, from: i64, since: i64) {
        let watch = Watch {
            times,
            from,
            until: OPEN,
            since,
        };
        self.watches.entry(target).or_default().push(watch);
    }

    /// What this very edit has begun.
    fn unseen(&mut self, target: usize, now: i64) -> Option<&mut Watch> {
        let last = self.watches.get_mut(&target)?.last_mut()?;
        (last.since == now).then_some(last)
    }

    pub fn end(&mut self, target: usize, now: i64) {
        if self.unseen(target, now).is_some() {
            self.watches.get_mut(&target).unwrap().pop();
            return;
        }
        self.watches.get_mut(&target).unwrap().last_mut().unwrap().until = now;
    }

    /// All slots that must have a row at the end. A slot is over with the next one, or when its target
    /// was no longer watched like this; it has two windows when the target came back within them.
    pub fn expected(&self, horizon: i64) -> BTreeMap<(usize, i64), Vec<Window>> {
        let mut expected: BTreeMap<_, Vec<Window>> = BTreeMap::new();
        for (target, watches) in &self.watches {
            for watch in watches {
                let until = watch.until.min(horizon);
                for slot in watch.times.slots(watch.from, until) {
                    let over = watch.times.next(slot).min(watch.until.saturating_add(1));
                    let window = (slot.max(watch.since), over);
                    expected.entry((*target, slot)).or_default().push(window);
                }
            }
        }
        expected
    }

    /// Passes that began while a slot was the newest of its target.
    pub fn passes_in(&self, (from, over): Window) -> &[Pass] {
        let first = self.passes.partition_point(|pass| pass.begun < from);
        let end = self.passes.partition_point(|pass| pass.begun < over);
        &self.passes[first..end.max(first)]
    }
}
