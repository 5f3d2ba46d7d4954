//! When a target is due: a cron expression in a time zone, as slots in unix seconds. No I/O.
//!
//! **Days.** As in the classic (vixie) cron: when both the day of the month and the day of the
//! week are restricted, a day that fits *either* is meant (`0 6 13 * 5`: each 13th and each
//! Friday); when one of the two begins with `*`, a day must fit both.
//!
//! **Clocks that change.** A schedule that names its hours means times of the clock on the
//! wall: a time that the clock skips runs at the next valid instant, a time that it shows twice
//! runs once, the first time. A schedule of every hour means elapsed time: it goes on hour by
//! hour, so it runs in both of two hours with the same name and leaves the skipped ones out.
//! croner draws that line elsewhere (it lets `0 2,14 * * *` run twice or not at all), so here it
//! walks the clock on the wall, and this module finds the instants.

mod parse;

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::{GapInfo, Tz};
use croner::Cron;

use crate::clock::DAY;

/// How many slots are looked at to judge how often a schedule runs: a few months ...
const FEWEST_LOOKED_AT: usize = 4;
/// ... up to more than a week of hours.
const MOST_LOOKED_AT: usize = 200;

/// The interval of a schedule that has no two more slots before the end of the calendar: nobody
/// is late by it, and it can be multiplied.
const NO_INTERVAL: i64 = 1000 * 366 * DAY;

/// Why a schedule cannot be used, in words for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The cron expression cannot be read.
    #[error("\"{expression}\" is not a schedule: {why}")]
    Cron {
        /// As it was written.
        expression: String,
        /// What is wrong with it.
        why: String,
    },
    /// It can be read, but no day fits it.
    #[error("the schedule \"{0}\" never comes: no day fits it")]
    Never(String),
    /// No such time zone.
    #[error("\"{zone}\" is not a time zone")]
    Zone {
        /// As it was written.
        zone: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
}

impl ScheduleError {
    /// What to write instead.
    pub fn help(&self) -> String {
        match self {
            Self::Cron { .. } => "five fields (minute hour day month weekday) such as \"15 6 * * *\", \
                 for 06:15 each day; six with seconds first; or @hourly, @daily, @weekly, @monthly, @yearly"
                .to_owned(),
            Self::Never(_) => {
                "check the day against the month: \"0 6 31 2 *\" would be 31 February".to_owned()
            }
            Self::Zone { nearest, .. } => nearest.map_or_else(
                || "use a name of the IANA time zone database such as \"UTC\" or \"Europe/Riga\"".to_owned(),
                |zone| format!("did you mean \"{zone}\"?"),
            ),
        }
    }
}

/// A cron expression in a time zone.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    zone: Tz,
    every_hour: bool,
}

impl Schedule {
    /// Reads a cron expression of five fields, or six with leading seconds, or a name such as
    /// `@daily`, meant in an IANA time zone. One that never comes (31 February) is an error.
    pub fn parse(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        let cron = parse::cron(expression).map_err(|why| ScheduleError::Cron {
            expression: expression.to_owned(),
            why,
        })?;
        let zone = parse::zone(zone)?;
        if cron
            .find_next_occurrence(&NaiveDateTime::default(), false)
            .is_err()
        {
            return Err(ScheduleError::Never(expression.to_owned()));
        }
        let every_hour = cron.pattern.hours.values().len() == 24;
        Ok(Self {
            cron,
            zone,
            every_hour,
        })
    }

    /// The newest slot at or before `now`.
    pub fn newest(&self, now: i64) -> Option<i64> {
        let shown = self.shown(now)?;
        if self.every_hour {
            return self.cron.find_previous_occurrence(&shown, true).ok().map(unix);
        }
        // In the second of two equal hours, the rest of that hour has been in the first one.
        let repeated = match self.zone.from_local_datetime(&shown.naive_local()) {
            MappedLocalTime::Ambiguous(first, second) => second - first,
            _ => TimeDelta::zero(),
        };
        let mut wall = shown.naive_local().checked_add_signed(repeated)?;
        let mut inclusive = true;
        loop {
            wall = self.cron.find_previous_occurrence(&wall, inclusive).ok()?;
            inclusive = false;
            if let Some(slot) = self.instant(wall).filter(|slot| *slot <= now) {
                return Some(slot);
            }
        }
    }

    /// The first slot after `after`.
    pub fn next(&self, after: i64) -> Option<i64> {
        let shown = self.shown(after)?;
        if self.every_hour {
            return self.cron.find_next_occurrence(&shown, false).ok().map(unix);
        }
        let mut wall = shown.naive_local();
        loop {
            wall = self.cron.find_next_occurrence(&wall, false).ok()?;
            // Times of a repeated hour that were due in its first pass lie behind `after`.
            if let Some(slot) = self.instant(wall).filter(|slot| *slot > after) {
                return Some(slot);
            }
        }
    }

    /// The slots after `after`, up to and with `until`, ascending.
    pub fn between(&self, after: i64, until: i64) -> impl Iterator<Item = i64> + '_ {
        self.after(after).take_while(move |slot| *slot <= until)
    }

    /// How far apart slots are, in seconds: the longest wait in the days after `now`, so that a
    /// schedule of working days is not late on a Sunday.
    pub fn interval_seconds(&self, now: i64) -> i64 {
        let slots = self.coming(now, 8);
        let waits = slots.iter().zip(slots.iter().skip(1)).map(|(a, b)| b - a);
        waits.max().unwrap_or(NO_INTERVAL)
    }

    /// How many slots a day has, on the average of the days after `now`.
    #[allow(
        clippy::cast_precision_loss,
        reason = "seconds of a few years are exact in f64"
    )]
    pub fn slots_a_day(&self, now: i64) -> f64 {
        let slots = self.coming(now, 28);
        match (slots.first(), slots.last()) {
            (Some(first), Some(last)) if last > first => {
                (slots.len() - 1) as f64 * DAY as f64 / (last - first) as f64
            }
            _ => 0.0,
        }
    }

    /// How many slots a day has at most, whichever day it is.
    pub fn most_a_day(&self) -> usize {
        let pattern = &self.cron.pattern;
        [&pattern.seconds, &pattern.minutes, &pattern.hours]
            .into_iter()
            .map(|field| field.values().len())
            .product()
    }

    /// The slots of the coming days: at least a few, and not too many.
    fn coming(&self, now: i64, days: i64) -> Vec<i64> {
        let horizon = now.saturating_add(days * DAY);
        self.after(now)
            .enumerate()
            .take_while(|(i, slot)| *i < FEWEST_LOOKED_AT || (*i < MOST_LOOKED_AT && *slot <= horizon))
            .map(|(_, slot)| slot)
            .collect()
    }

    fn after(&self, after: i64) -> impl Iterator<Item = i64> + '_ {
        std::iter::successors(self.next(after), |slot| self.next(*slot))
    }

    /// What the clocks of the zone show at an instant.
    fn shown(&self, at: i64) -> Option<DateTime<Tz>> {
        Some(DateTime::from_timestamp(at, 0)?.with_timezone(&self.zone))
    }

    /// The instant at which a time on the wall is due.
    fn instant(&self, wall: NaiveDateTime) -> Option<i64> {
        match self.zone.from_local_datetime(&wall) {
            MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => Some(at.timestamp()),
            MappedLocalTime::None => GapInfo::new(&wall, &self.zone)?.end.map(unix),
        }
    }
}

fn unix(at: DateTime<Tz>) -> i64 {
    at.timestamp()
}

#[cfg(test)]
mod tests;
