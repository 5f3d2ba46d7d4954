//! The clock: the only place that reads time, so that tests and the demo can decide it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};

/// Seconds in a day; days are UTC days throughout.
pub const DAY: i64 = 86_400;

/// Where the time comes from. All times are unix seconds, UTC.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's clock.
    System,
    /// A clock that stands still until it is set or slept on.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `now` until it is set.
    pub fn manual(now: i64) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(now)))
    }

    /// Unix seconds, UTC.
    pub fn now(&self) -> i64 {
        match self {
            #[allow(clippy::disallowed_methods, reason = "this is the one place")]
            Self::System => Utc::now().timestamp(),
            Self::Manual(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Time that only goes forward, from an arbitrary beginning: for pauses, and for how long
    /// something took. Someone setting the system's clock does not disturb it.
    pub fn monotonic(&self) -> Duration {
        static BEGINNING: OnceLock<Instant> = OnceLock::new();
        match self {
            Self::System => BEGINNING.get_or_init(Instant::now).elapsed(),
            Self::Manual(_) => Duration::from_secs(u64::try_from(self.now()).unwrap_or(0)),
        }
    }

    /// Sets a manual clock; the system's clock is left alone.
    pub fn set(&self, to: i64) {
        if let Self::Manual(now) = self {
            now.store(to, Ordering::SeqCst);
        }
    }

    /// Waits. A manual clock does not wait: it jumps to the end of the wait, so that several
    /// waits side by side take as long as the longest, not as long as their sum.
    pub fn sleep(&self, wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match self {
            Self::System => Box::pin(tokio::time::sleep(wait)),
            Self::Manual(now) => {
                let end = self.now() + i64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(i64::MAX / 2);
                now.fetch_max(end, Ordering::SeqCst);
                Box::pin(tokio::task::yield_now())
            }
        }
    }
}

/// An instant as people and machines read it: `2026-02-01T06:15:00Z`.
pub fn rfc3339(at: i64) -> String {
    DateTime::<Utc>::from_timestamp(at, 0).map_or_else(
        || format!("unix time {at}"),
        |t| t.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}

/// The UTC day of an instant: `2026-02-01`.
pub fn day_name(at: i64) -> String {
    DateTime::<Utc>::from_timestamp(at, 0)
        .map_or_else(|| format!("unix time {at}"), |t| t.format("%Y-%m-%d").to_string())
}

/// The day that a text says, `2026-02-01`, in days since 1970-01-01.
pub fn day_of(text: &str) -> Option<i64> {
    let (year, month_day) = text.split_once('-')?;
    let (month, day) = month_day.split_once('-')?;
    let digits = |part: &str, n: usize| part.len() == n && part.bytes().all(|b| b.is_ascii_digit());
    if !(digits(year, 4) && digits(month, 2) && digits(day, 2)) {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)?;
    Some((date - NaiveDate::default()).num_days())
}

/// The instant that a text of SQLite's views says, `2026-02-01 06:15:00`, in unix seconds.
pub fn instant_of(text: &str) -> Option<i64> {
    let (day, time) = text.split_once(' ')?;
    let mut parts = time.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let mut seconds = 0;
    for limit in [24, 60, 60] {
        let part = parts.next()??;
        seconds = seconds * 60 + Some(part).filter(|part| (0..limit).contains(part))?;
    }
    Some(day_of(day)? * DAY + seconds)
}

/// Shows a day, in days since 1970-01-01, as `2026-02-01`.
#[derive(Clone, Copy, Debug)]
pub struct DayText(pub i64);

impl fmt::Display for DayText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.saturating_mul(DAY);
        match DateTime::<Utc>::from_timestamp(seconds, 0) {
            Some(at) => write!(f, "{}", at.date_naive()),
            None => write!(f, "day {}", self.0),
        }
    }
}

/// Shows an instant, in unix seconds, with one text between day and time and one after it.
#[derive(Clone, Copy, Debug)]
pub struct InstantText(pub i64, pub &'static str, pub &'static str);

impl fmt::Display for InstantText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::<Utc>::from_timestamp(self.0, 0) {
            Some(at) => write!(f, "{}{}{}{}", at.date_naive(), self.1, at.time(), self.2),
            None => write!(f, "unix time {}", self.0),
        }
    }
}

/// The first and the last day (in days since 1970-01-01) of the UTC calendar month of an instant.
pub fn month_days(at: i64) -> (i64, i64) {
    use chrono::{Datelike, Months};
    let epoch = NaiveDate::default();
    DateTime::<Utc>::from_timestamp(at, 0)
        .and_then(|t| {
            let first = t.date_naive().with_day(1)?;
            let next = first.checked_add_months(Months::new(1))?;
            Some(((first - epoch).num_days(), (next - epoch).num_days() - 1))
        })
        .unwrap_or((at / DAY, at / DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_its_own_days_also_in_a_leap_year() {
        let first_of_february_2028 = 1_832_976_000;
        let (first, last) = month_days(first_of_february_2028 + 40_000);
        assert_eq!(first, first_of_february_2028 / DAY);
        assert_eq!(last - first + 1, 29);
    }

    #[test]
    fn days_and_instants_are_read_as_they_are_written() {
        for day in [-1, 0, 19_782, 20_487, 47_482] {
            assert_eq!(day_of(&DayText(day).to_string()), Some(day));
            let at = day * DAY + 22_501;
            assert_eq!(instant_of(&InstantText(at, " ", "").to_string()), Some(at));
        }
        assert_eq!(DayText(20_487).to_string(), "2026-02-03");
        assert_eq!(
            InstantText(1_770_099_301, "T", "Z").to_string(),
            "2026-02-03T06:15:01Z"
        );
        for wrong in [
            "",
            "2026-2-3",
            "2026-02-30",
            "26-02-03",
            "2026-02-03 ",
            "+026-02-03",
            "2026/02/03",
        ] {
            assert_eq!(day_of(wrong), None, "{wrong:?}");
        }
        for wrong in [
            "2026-02-03",
            "2026-02-03 24:00:00",
            "2026-02-03 06:15",
            "2026-02-03 06:15:-1",
        ] {
            assert_eq!(instant_of(wrong), None, "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn waits_side_by_side_on_a_manual_clock_take_as_long_as_the_longest() {
        let clock = Clock::manual(100);
        let (short, long) = (
            clock.sleep(Duration::from_secs(5)),
            clock.sleep(Duration::from_secs(7)),
        );
        tokio::join!(short, long);
        assert!(clock.now() >= 107);
    }
}
