//! Which answers are spoiled, by chance or at a certain request.

use std::str::FromStr;

use super::dice::chance;
use super::fault::Fault;

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
