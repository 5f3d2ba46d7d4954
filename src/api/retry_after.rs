//! The header `Retry-After`: seconds or a date.

use std::time::{Duration, UNIX_EPOCH};

/// No wait is longer; it only keeps sums of times from overflowing.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// The wait that the header asks for at `now` (unix seconds); a past date asks for none. `None`
/// when the text is neither a number of seconds nor a date.
pub(super) fn read(text: &str, now: i64) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit are still a very long wait.
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let now = UNIX_EPOCH + Duration::from_secs(u64::try_from(now).ok()?);
    Some(date.duration_since(now).unwrap_or(Duration::ZERO).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const NOW: i64 = 1_770_000_000; // Mon, 02 Feb 2026 02:40:00 GMT

    #[rstest]
    #[case("0", Some(0))]
    #[case("120", Some(120))]
    #[case(" 7 ", Some(7))]
    #[case("Mon, 02 Feb 2026 02:41:30 GMT", Some(90))]
    #[case("Mon, 02 Feb 2026 02:39:00 GMT", Some(0))]
    #[case("Monday, 02-Feb-26 02:40:05 GMT", Some(5))]
    #[case("99999999999999999999999999", Some(365 * 86_400))]
    #[case("Fri, 31 Dec 9999 23:59:59 GMT", Some(365 * 86_400))]
    #[case("-5", None)]
    #[case("1.5", None)]
    #[case("", None)]
    #[case("soon", None)]
    #[case("Mon, 32 Feb 2026 02:41:30 GMT", None)]
    fn seconds_and_dates_are_read_and_nonsense_is_not(#[case] text: &str, #[case] seconds: Option<u64>) {
        assert_eq!(read(text, NOW), seconds.map(Duration::from_secs));
    }
}
