//! The hidden truth behind the simulated answers: how popular each sound is, day by day.
//!
//! It depends on nothing but the seed, the sound, the region and the day, so it can be asked for
//! again later and compared with what was collected. Days are counted from 1970-01-01, UTC.

use super::dice::{between, chance, hash, name};
use crate::clock::DAY;
use crate::model::{ClipId, Region};

/// Surges come at most once in so many days.
const SURGE_DAYS: i64 = 45;

/// How a sound lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A spike after its birth, then a long tail.
    Launch,
    /// A slow decay over a year.
    Decay,
    /// Strong weekends.
    Weekly,
    /// Quiet, with sudden surges.
    Revival,
    /// Nearly the same each day.
    Steady,
    /// Nobody listens: no data.
    Dead,
}

/// All simulated sounds.
#[derive(Clone, Copy, Debug)]
pub struct Truth {
    seed: u64,
}

impl Truth {
    /// The truth of this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// How a sound lives in a region. One in twenty-five is dead there.
    pub fn shape(&self, clip: &ClipId, region: Region) -> Shape {
        if chance(&[self.of(clip, region), 1]) < 0.04 {
            return Shape::Dead;
        }
        match chance(&[self.seed, name(clip.as_str()), 2]) {
            ..0.3 => Shape::Launch,
            ..0.4 => Shape::Decay,
            ..0.6 => Shape::Weekly,
            ..0.85 => Shape::Revival,
            _ => Shape::Steady,
        }
    }

    /// The popularity of a day, in units that only compare within one sound and region.
    pub fn popularity(&self, clip: &ClipId, region: Region, day: i64) -> f64 {
        let age = day - born_on(clip);
        let shape = self.shape(clip, region);
        if age < 0 || shape == Shape::Dead {
            return 0.0;
        }
        let key = self.of(clip, region);
        let scale = between(0.0, 6.0, &[key, 3]).exp();
        let weekend = match shape {
            Shape::Weekly => between(0.8, 2.0, &[key, 4]),
            _ => between(0.0, 0.3, &[key, 4]),
        };
        scale * course(shape, key, age, day) * season(weekend, day) * noise(key, day)
    }

    fn of(&self, clip: &ClipId, region: Region) -> u64 {
        hash(&[self.seed, name(clip.as_str()), name(region.as_str())])
    }
}

/// The day on which a sound was made: TikTok's IDs begin with it. IDs that say a day to come (or
/// nothing) are of old sounds.
pub fn born_on(clip: &ClipId) -> i64 {
    const OLD: i64 = 17_897; // 2019-01-01
    const TO_COME: i64 = 22_000; // 2030-03-27
    let seconds = clip.as_str().parse::<u64>().map_or(0, |id| id >> 32);
    i64::try_from(seconds)
        .map(|seconds| seconds / DAY)
        .ok()
        .filter(|day| (OLD..TO_COME).contains(day))
        .unwrap_or(OLD)
}

/// The popularity without weekdays and noise.
fn course(shape: Shape, key: u64, age: i64, day: i64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "ages are small")]
    let age = age as f64;
    match shape {
        Shape::Launch => {
            let (rise, half_life) = (between(1.0, 5.0, &[key, 10]), between(4.0, 20.0, &[key, 11]));
            rising(age, rise) * (0.02 + (-age / half_life).exp()) + 0.3 * surges(key, day)
        }
        Shape::Decay => 0.01 + (-age / between(90.0, 300.0, &[key, 12])).exp(),
        Shape::Weekly => rising(age, 10.0),
        Shape::Revival => rising(age, 3.0) * (0.03 + surges(key, day)),
        Shape::Steady | Shape::Dead => rising(age, 20.0),
    }
}

/// From nothing on the first day to nearly one after a few times `days`.
fn rising(age: f64, days: f64) -> f64 {
    1.0 - (-age / days).exp()
}

/// What is left of the surges of the last months.
fn surges(key: u64, day: i64) -> f64 {
    let newest = day.div_euclid(SURGE_DAYS);
    (newest - 3..=newest).map(|n| surge(key, n, day)).sum()
}

/// What is left of surge `n`, which may not have happened.
fn surge(key: u64, n: i64, day: i64) -> f64 {
    let parts = |part| [key, n.unsigned_abs(), part];
    if chance(&parts(20)) < 0.3 {
        return 0.0;
    }
    #[allow(clippy::cast_precision_loss, reason = "days are small")]
    let age = (day - n * SURGE_DAYS) as f64 - between(0.0, 40.0, &parts(21));
    if age < 0.0 {
        return 0.0;
    }
    let height = between(-1.5, 1.5, &parts(22)).exp();
    height * rising(age + 0.3, 1.5) * (-age / between(3.0, 12.0, &parts(23))).exp()
}

/// More on Fridays to Sundays.
fn season(weekend: f64, day: i64) -> f64 {
    /// 1970-01-01 was a Thursday.
    const BY_WEEKDAY: [f64; 7] = [0.1, 0.5, 1.0, 0.9, 0.0, 0.0, 0.05];
    let weekday = usize::try_from(day.rem_euclid(7)).unwrap_or(0);
    1.0 + weekend * BY_WEEKDAY.get(weekday).copied().unwrap_or(0.0)
}

fn noise(key: u64, day: i64) -> f64 {
    between(0.88, 1.12, &[key, 30, day.unsigned_abs()])
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_OF_TESTS: i64 = 20_486; // 2026-02-02

    fn us() -> Region {
        "US".parse().unwrap()
    }

    fn clip(n: u64) -> ClipId {
        // Born in 2024.
        (7_350_000_000_000_000_000 + n * 7_919)
            .to_string()
            .parse()
            .unwrap()
    }

    #[test]
    fn the_same_seed_tells_the_same_truth_and_another_one_another() {
        let series = |seed| -> Vec<f64> {
            let truth = Truth::new(seed);
            (0..60)
                .map(|day| truth.popularity(&clip(1), us(), DAY_OF_TESTS + day))
                .collect()
        };
        assert_eq!(series(1), series(1));
        assert_ne!(series(1), series(2));
    }

    #[test]
    fn regions_differ() {
        let truth = Truth::new(1);
        let lv = "LV".parse().unwrap();
        assert!(
            truth.popularity(&clip(1), us(), DAY_OF_TESTS) != truth.popularity(&clip(1), lv, DAY_OF_TESTS)
        );
    }

    #[test]
    fn all_shapes_occur_and_few_sounds_are_dead() {
        let truth = Truth::new(1);
        let count = |shape| (0..500).filter(|n| truth.shape(&clip(*n), us()) == shape).count();
        for shape in [
            Shape::Launch,
            Shape::Decay,
            Shape::Weekly,
            Shape::Revival,
            Shape::Steady,
        ] {
            assert!(count(shape) > 25, "{shape:?}");
        }
        assert!((5..50).contains(&count(Shape::Dead)));
    }

    #[test]
    fn popularity_is_a_number_from_birth_on_and_nothing_before() {
        let truth = Truth::new(1);
        for n in 0..200 {
            let born = born_on(&clip(n));
            assert!(truth.popularity(&clip(n), us(), born - 1) == 0.0);
            let dead = truth.shape(&clip(n), us()) == Shape::Dead;
            for age in 1..700 {
                let popularity = truth.popularity(&clip(n), us(), born + age);
                assert!(popularity.is_finite());
                assert!(
                    dead || popularity > 0.0,
                    "{n} {:?} at {age}",
                    truth.shape(&clip(n), us())
                );
            }
        }
    }

    #[test]
    fn weekly_sounds_are_strongest_at_weekends() {
        let truth = Truth::new(1);
        let weekly = (0..)
            .map(clip)
            .find(|c| truth.shape(c, us()) == Shape::Weekly)
            .unwrap();
        let of = |weekday: i64| -> f64 {
            let thursday = DAY_OF_TESTS - DAY_OF_TESTS.rem_euclid(7);
            (0..10)
                .map(|week| truth.popularity(&weekly, us(), thursday + 7 * week + weekday))
                .sum()
        };
        assert!(of(2) > 1.5 * of(4), "Saturdays over Mondays");
    }

    #[test]
    fn the_birth_is_read_from_the_id() {
        let recorded: ClipId = "6703723351497508865".parse().unwrap();
        assert_eq!(born_on(&recorded), 18_065); // 2019-06-18
        for odd in ["99999999999999999999", "123456789012345", "9999999999999999999"] {
            assert_eq!(born_on(&odd.parse().unwrap()), 17_897);
        }
    }
}
