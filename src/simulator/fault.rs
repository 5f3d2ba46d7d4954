//! The ways to spoil an answer, and what they are called.

use std::fmt::{self, Write};
use std::str::FromStr;

/// One way to spoil an answer; [`WORDS`] explains them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// An HTTP status.
    Status(u16),
    /// A code in the body, under HTTP 200.
    Code(u16),
    RetryDate,
    Redirect,
    Slow,
    Timeout,
    Cut,
    TooLarge,
    Endless,
    GzipBomb,
    NoData,
    NotJson,
    Nan,
    Deep,
    NoCode,
    WrongShape,
    WrongClip,
    WrongRegion,
    TwoValues,
    DoubleTimes,
    Unsorted,
    NotMidnight,
    OutOfRange,
    Weekly,
    ManyPoints,
    HugeNumbers,
    DoubleKeys,
    OddTexts,
    Drift,
    Restated,
}

/// Every fault that is a word, and what it does. The help and `docs/simulate.md` say the same.
const WORDS: [(&str, Fault, &str); 28] = [
    (
        "429_date",
        Fault::RetryDate,
        "HTTP 429 with a date as Retry-After, in two seconds",
    ),
    ("redirect", Fault::Redirect, "a redirect to elsewhere"),
    ("slow", Fault::Slow, "the good answer, three seconds later"),
    ("timeout", Fault::Timeout, "no answer until the client goes"),
    (
        "cut",
        Fault::Cut,
        "half of the answer, then the connection is closed",
    ),
    ("too_large", Fault::TooLarge, "a body of more than 4 MiB"),
    ("endless", Fault::Endless, "a body without an end"),
    (
        "gzip_bomb",
        Fault::GzipBomb,
        "16 KiB of gzip that unfold to 16 MiB",
    ),
    (
        "no_data",
        Fault::NoData,
        "a success without data, in one of three ways",
    ),
    ("not_json", Fault::NotJson, "an HTML page under HTTP 200"),
    ("nan", Fault::Nan, "NaN as a trend value, which is no JSON"),
    ("deep", Fault::Deep, "a field of 1,000 arrays within each other"),
    ("no_code", Fault::NoCode, "an answer without code"),
    ("wrong_shape", Fault::WrongShape, "a trend value that is a text"),
    ("wrong_clip", Fault::WrongClip, "another sound"),
    ("wrong_region", Fault::WrongRegion, "another region"),
    (
        "two_values",
        Fault::TwoValues,
        "a trend time twice, with two values",
    ),
    ("double_times", Fault::DoubleTimes, "every trend point twice"),
    ("unsorted", Fault::Unsorted, "the newest trend point first"),
    ("not_midnight", Fault::NotMidnight, "trend times at 06:17"),
    ("out_of_range", Fault::OutOfRange, "trend values of -0.25 and 3.5"),
    (
        "weekly",
        Fault::Weekly,
        "trend points a week apart, whatever was asked",
    ),
    ("many_points", Fault::ManyPoints, "a trend of 5,000 days"),
    (
        "huge_numbers",
        Fault::HugeNumbers,
        "an item_id and a score beyond 64 bits",
    ),
    ("double_keys", Fault::DoubleKeys, "the key title twice"),
    (
        "odd_texts",
        Fault::OddTexts,
        "NUL, half a surrogate pair, right-to-left, emoji, combining marks",
    ),
    (
        "drift",
        Fault::Drift,
        "new keys, and optional ones of other types",
    ),
    (
        "restated",
        Fault::Restated,
        "a past day told differently than before",
    ),
];

impl Fault {
    /// Whether the request costs nothing.
    pub(super) fn is_free(self) -> bool {
        matches!(
            self,
            Self::Status(401 | 402 | 403 | 429) | Self::Code(401 | 402 | 403 | 429) | Self::RetryDate
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Code(code) => write!(f, "code{code}"),
            other => {
                let word = WORDS.iter().find(|(_, fault, _)| fault == other);
                f.write_str(word.map_or("unknown", |(word, ..)| word))
            }
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<u16>().ok();
        let status = number(text).filter(|status| (400..600).contains(status));
        let code = text.strip_prefix("code").and_then(number);
        let word = WORDS.iter().find(|(word, ..)| *word == text);
        status
            .map(Self::Status)
            .or_else(|| code.map(Self::Code))
            .or_else(|| word.map(|(_, fault, _)| *fault))
            .ok_or_else(|| {
                let words = WORDS.map(|(word, ..)| word).join(", ");
                format!("{text:?} is no fault: a status (400 to 599), code and a number (code402), {words}")
            })
    }
}

/// All faults with what they do, a line each.
pub fn explained() -> String {
    let statuses = [
        ("429", "this HTTP status, 400 to 599; a 429 with Retry-After: 1"),
        ("code402", "HTTP 200 with this code in the body"),
    ];
    let words = WORDS.iter().map(|(word, _, what)| (*word, *what));
    let mut text = String::new();
    for (word, what) in statuses.into_iter().chain(words) {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "  {word:<13} {what}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_explains_every_fault_in_the_same_words() {
        let page = include_str!("../../docs/simulate.md");
        let row = |line: &str| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            Some((
                cells.next()?.trim_end_matches('`').to_owned(),
                cells.next()?.to_owned(),
            ))
        };
        let rows: Vec<_> = page.lines().filter_map(row).collect();
        let explained = explained();
        let split = |line: &str| {
            let (word, what) = line.trim().split_once(' ').unwrap();
            (word.to_owned(), what.trim().to_owned())
        };
        assert_eq!(rows, explained.lines().map(split).collect::<Vec<_>>());
    }

    #[test]
    fn every_word_is_read_as_the_fault_that_it_shows() {
        for (word, fault, _) in WORDS {
            assert_eq!((word.parse(), fault.to_string().as_str()), (Ok(fault), word));
        }
    }
}
