//! What can go wrong with an answer, by chance or at a certain request.

use std::fmt;
use std::str::FromStr;

use super::dice::chance;

/// One way to spoil an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This HTTP status instead: `429`, `503`, …
    Status(u16),
    /// HTTP 200 with this code in the body: `code402`, …
    Code(u16),
    /// Half of the answer, then the connection is closed.
    Cut,
    /// Three seconds more.
    Slow,
    /// No answer at all, until the client goes.
    Timeout,
    /// A success without data, in one of the ways that were seen.
    NoData,
    /// An HTML page under HTTP 200.
    NotJson,
    /// A trend value that is a text.
    WrongShape,
    /// Another sound.
    WrongClip,
    /// Another region.
    WrongRegion,
    /// An answer without a code.
    NoCode,
    /// More than 4 MiB.
    TooLarge,
    /// A redirect to elsewhere.
    Redirect,
    /// New keys, and optional ones of other types: still a good answer.
    Drift,
    /// A past day told differently than before: still a good answer.
    Restated,
}

const WORDS: [(&str, Fault); 13] = [
    ("cut", Fault::Cut),
    ("slow", Fault::Slow),
    ("timeout", Fault::Timeout),
    ("no_data", Fault::NoData),
    ("not_json", Fault::NotJson),
    ("wrong_shape", Fault::WrongShape),
    ("wrong_clip", Fault::WrongClip),
    ("wrong_region", Fault::WrongRegion),
    ("no_code", Fault::NoCode),
    ("too_large", Fault::TooLarge),
    ("redirect", Fault::Redirect),
    ("drift", Fault::Drift),
    ("restated", Fault::Restated),
];

impl Fault {
    /// Whether the request costs nothing.
    pub(super) fn is_free(self) -> bool {
        matches!(
            self,
            Self::Status(401 | 402 | 403 | 429) | Self::Code(401 | 402 | 403 | 429)
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Code(code) => write!(f, "code{code}"),
            other => {
                let word = WORDS.iter().find(|(_, fault)| fault == other);
                f.write_str(word.map_or("unknown", |(word, _)| word))
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
        let word = WORDS.iter().find(|(word, _)| *word == text);
        status
            .map(Self::Status)
            .or_else(|| code.map(Self::Code))
            .or_else(|| word.map(|(_, fault)| *fault))
            .ok_or_else(|| {
                let words = WORDS.map(|(word, _)| word).join(", ");
                format!("{text:?} is no fault: a status (400 to 599), code and a number (code402), {words}")
            })
    }
}

/// Which requests are spoiled: `429:0.05,cut:0.01` by chance, `@3=500` the third one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    by_chance: Vec<(Fault, f64)>,
    by_number: Vec<(u64, Fault)>,
}

impl Faults {
    /// The fault of request `n`, if it has one. Numbers go before chance.
    pub(super) fn of(&self, seed: u64, n: u64) -> Option<Fault> {
        if let Some((_, fault)) = self.by_number.iter().find(|(number, _)| *number == n) {
            return Some(*fault);
        }
        let mut left = chance(&[seed, n, 60]);
        let hit = self.by_chance.iter().find(|(_, probability)| {
            left -= probability;
            left < 0.0
        });
        hit.map(|(fault, _)| *fault)
    }

    fn add(&mut self, part: &str) -> Result<(), String> {
        if let Some(script) = part.strip_prefix('@') {
            let (number, fault) = script
                .split_once('=')
                .ok_or_else(|| format!("{part:?}: write @3=500 for the third request"))?;
            let number = number.parse().ok().filter(|n| *n > 0);
            let number = number.ok_or_else(|| format!("{part:?}: requests are numbered from 1"))?;
            self.by_number.push((number, fault.parse()?));
            return Ok(());
        }
        let (fault, probability) = part
            .split_once(':')
            .ok_or_else(|| format!("{part:?}: write 429:0.05 for one in twenty"))?;
        let probability = probability.parse().ok().filter(|p| (0.0..=1.0).contains(p));
        let probability = probability.ok_or_else(|| format!("{part:?}: a probability is from 0 to 1"))?;
        self.by_chance.push((fault.parse()?, probability));
        Ok(())
    }
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut faults = Self::default();
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        for part in parts {
            faults.add(part)?;
        }
        let sum: f64 = faults.by_chance.iter().map(|(_, probability)| probability).sum();
        if sum > 1.0 + 1e-9 {
            return Err(format!("the probabilities add up to {sum}, which is more than 1"));
        }
        Ok(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn chances_come_about_as_often_as_they_say() {
        let faults: Faults = "429:0.05, cut:0.2".parse().unwrap();
        let count = |fault| (1..=10_000).filter(|n| faults.of(1, *n) == Some(fault)).count();
        assert!((400..600).contains(&count(Fault::Status(429))));
        assert!((1_850..2_150).contains(&count(Fault::Cut)));
    }

    #[test]
    fn a_script_names_the_request() {
        let faults: Faults = "@3=500,@4=code402,@4=cut".parse().unwrap();
        let all: Vec<_> = (1..=5).map(|n| faults.of(1, n)).collect();
        let expected = [None, None, Some(Fault::Status(500)), Some(Fault::Code(402)), None];
        assert_eq!(all, expected);
    }

    #[rstest]
    #[case("late:0.1", "\"late\" is no fault: a status (400 to 599)")]
    #[case("200:0.1", "\"200\" is no fault")]
    #[case("429", "\"429\": write 429:0.05")]
    #[case("429:2", "\"429:2\": a probability is from 0 to 1")]
    #[case("429:NaN", "\"429:NaN\": a probability is from 0 to 1")]
    #[case("cut:0.6,slow:0.6", "the probabilities add up to 1.2")]
    #[case("@0=cut", "\"@0=cut\": requests are numbered from 1")]
    #[case("@3", "\"@3\": write @3=500")]
    fn what_is_not_understood_is_explained(#[case] spec: &str, #[case] message: &str) {
        let error = spec.parse::<Faults>().unwrap_err();
        assert!(error.starts_with(message), "{error}");
    }
}
