//! Where the axis of days has its labels, and what they say.

use chrono::{Datelike, Days, Months, NaiveDate};

/// A label of the axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    /// Days since 1970-01-01.
    pub(super) day: i64,
    pub(super) label: String,
}

/// The most labels that an axis has room for.
const MOST: usize = 13;

/// Labels for the days from `first` to `last`: days, Mondays, or the first days of months, quarters or years.
pub(super) fn ticks(first: i64, last: i64) -> Vec<Tick> {
    let Some(begin) = date(first) else {
        return Vec::new();
    };
    match last - first {
        ..=7 => return days(begin, last, 1),
        8..=14 => return days(begin, last, 2),
        15..=70 => return weeks(begin, last),
        _ => {}
    }
    let step = [1, 2, 3, 6, 12, 24, 60, 120, 600]
        .into_iter()
        .find(|step| (last - first) / (30 * i64::from(*step)) <= MOST as i64);
    months(begin, last, step.unwrap_or(1_200))
}

fn weeks(begin: NaiveDate, last: i64) -> Vec<Tick> {
    let to_monday = (7 - begin.weekday().num_days_from_monday()) % 7;
    let monday = begin.checked_add_days(Days::new(u64::from(to_monday)));
    monday.map_or_else(Vec::new, |monday| days(monday, last, 7))
}

/// One day in `step`.
fn days(begin: NaiveDate, last: i64, step: u64) -> Vec<Tick> {
    std::iter::successors(Some(begin), |day| day.checked_add_days(Days::new(step)))
        .map(|day| Tick {
            day: number(day),
            label: day.format("%-d %b").to_string(),
        })
        .take_while(|tick| tick.day <= last)
        .collect()
}

fn months(begin: NaiveDate, last: i64, step: u32) -> Vec<Tick> {
    let january = begin.with_day(1).and_then(|day| day.with_month(1));
    let firsts = std::iter::successors(january, |day| day.checked_add_months(Months::new(step)));
    firsts
        .skip_while(|day| *day < begin)
        .take_while(|day| number(*day) <= last)
        .map(|day| Tick {
            day: number(day),
            label: day.format(if day.month() == 1 { "%Y" } else { "%b" }).to_string(),
        })
        .collect()
}

fn date(day: i64) -> Option<NaiveDate> {
    let days = Days::new(u64::try_from(day).ok()?);
    NaiveDate::default().checked_add_days(days)
}

fn number(date: NaiveDate) -> i64 {
    (date - NaiveDate::default()).num_days()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2025-11-20.
    const DAY: i64 = 20_412;

    fn labels(last: i64) -> String {
        let labels = ticks(DAY, last).into_iter().map(|tick| tick.label);
        labels.collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn few_days_are_told_by_days_or_mondays_and_many_by_months_or_years() {
        assert_eq!(labels(DAY + 2), "20 Nov | 21 Nov | 22 Nov");
        assert_eq!(
            labels(DAY + 12),
            "20 Nov | 22 Nov | 24 Nov | 26 Nov | 28 Nov | 30 Nov | 2 Dec"
        );
        assert_eq!(labels(DAY + 20), "24 Nov | 1 Dec | 8 Dec");
        assert_eq!(labels(DAY + 120), "Dec | 2026 | Feb | Mar");
        assert_eq!(
            labels(DAY + 500),
            "2026 | Mar | May | Jul | Sep | Nov | 2027 | Mar"
        );
        assert!(ticks(DAY, DAY + 100_000).len() <= MOST + 1);
        assert_eq!(labels(DAY), "20 Nov");
    }
}
