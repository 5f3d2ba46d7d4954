//! Synthetic sounds of which everything is known, and the windows that a service would show of them.

use soundwatch::trend::Window;

/// Days before the collection begins.
pub const PAST: i64 = 120;

/// Days of collection.
pub const COLLECTED: i64 = 365;

/// How a sound lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    LaunchDecay,
    DoublePeak,
    WeeklySeason,
    LongTail,
    Plateau,
    ZeroWeeks,
    Step,
    Volatile,
}

impl Shape {
    pub const ALL: [Self; 8] = [
        Self::LaunchDecay,
        Self::DoublePeak,
        Self::WeeklySeason,
        Self::LongTail,
        Self::Plateau,
        Self::ZeroWeeks,
        Self::Step,
        Self::Volatile,
    ];
}

/// A number from 0 to 1 that depends on its keys alone.
pub fn chance(keys: &[u64]) -> f64 {
    let mix = |state: u64, key: &u64| {
        let mut z = (state ^ key).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    (keys.iter().fold(0, mix) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The popularity of each day, the past first.
pub fn popularity(shape: Shape, seed: u64, days: i64) -> Vec<f64> {
    let key = shape as u64 * 1_000 + seed;
    let between = |low: f64, high: f64, part: u64| low + (high - low) * chance(&[key, part]);
    let bump = |day: f64, at: f64, width: f64| (-((day - at) / width).powi(2)).exp();
    let of = |n: i64| {
        let day = n as f64;
        let noise = |width: f64| (width * (2.0 * chance(&[key, 99, n as u64]) - 1.0)).exp();
        let weekend = |more: f64| 1.0 + more * f64::from(u8::from(n % 7 >= 5));
        match shape {
            Shape::LaunchDecay => {
                let age = day - between(60.0, 110.0, 1);
                let rise = 1.0 - (-age / 3.0).exp();
                if age <= 0.0 {
                    0.0
                } else {
                    rise * ((-age / between(20.0, 60.0, 2)).exp() + 0.02) * noise(0.1)
                }
            }
            Shape::DoublePeak => {
                let first = bump(day, between(90.0, 160.0, 1), between(10.0, 25.0, 2));
                let second = bump(day, between(280.0, 380.0, 3), between(10.0, 25.0, 4));
                (0.03 + first + between(0.3, 2.0, 5) * second) * noise(0.15)
            }
            Shape::WeeklySeason => {
                weekend(between(0.5, 2.0, 1)) * (1.5 + (day / between(30.0, 70.0, 2)).sin()) * noise(0.1)
            }
            Shape::LongTail => {
                (1.0 + (day - 20.0).max(0.0)).powf(-between(0.6, 1.1, 1)) * weekend(0.3) * noise(0.12)
            }
            Shape::Plateau => noise(0.03) / (1.0 + (-(day - between(100.0, 250.0, 1)) / 12.0).exp()) + 0.02,
            Shape::ZeroWeeks => {
                let quiet = chance(&[key, 7, n as u64 / 14]) < 0.25;
                if quiet {
                    0.0
                } else {
                    (1.2 + (day / 40.0).sin()) * noise(0.4)
                }
            }
            Shape::Step => {
                weekend(0.2)
                    * noise(0.1)
                    * if day < between(180.0, 330.0, 1) {
                        1.0
                    } else {
                        100.0
                    }
            }
            Shape::Volatile => noise(1.6),
        }
    };
    (0..days).map(of).collect()
}

/// What the service does to days before they are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restated {
    Never,
    /// The newest two days change afterwards.
    NewestTwo,
    /// One day in a hundred changes when it is five days old.
    Late,
}

impl Restated {
    /// By how much the value of a day of this age differs from the final one.
    pub fn factor(self, key: u64, day: i64, age: i64) -> f64 {
        let off = |part| (0.5 * (2.0 * chance(&[key, part, day as u64, age as u64]) - 1.0)).exp();
        match self {
            Self::NewestTwo if age < 2 => off(21),
            Self::Late if age < 5 && chance(&[key, 22, day as u64]) < 0.01 => {
                (0.7 * (2.0 * chance(&[key, 23, day as u64]) - 1.0)).exp()
            }
            _ => 1.0,
        }
    }
}

/// The window of so many days that is fetched on a day (from 0, the past counts) and ends on the one
/// before.
pub fn window(truth: &[f64], key: u64, restated: Restated, fetched: i64, length: i64) -> Window {
    let days = (fetched - length).max(0)..fetched;
    let of = |day: i64| truth[day as usize] * restated.factor(key, day, fetched - 1 - day);
    let peak = days.clone().map(of).fold(0.0, f64::max);
    let rounded = |day| {
        if peak > 0.0 {
            (100.0 * of(day) / peak).round() / 100.0
        } else {
            0.0
        }
    };
    Window {
        fetched_at: fetched * 86_400,
        period_days: length,
        points: days.map(|day| (day, rounded(day))).collect(),
    }
}
