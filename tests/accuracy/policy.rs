//! What is asked when, and how near the index then comes to the truth.

use std::collections::{BTreeMap, BTreeSet};

use soundwatch::clock::DAY;
use soundwatch::forecast::advise::Way;
use soundwatch::model::{Period, Window as Asked};
use soundwatch::period::{Answer, choose};
use soundwatch::trend::{Index, LagCounts, Series, Window, index};

use super::truth::{COLLECTED, PAST, Restated, Shape, chance, popularity, window};

/// A way of collecting.
#[derive(Clone, Copy)]
pub struct Policy {
    pub name: &'static str,
    /// The window that is asked on a day of the collection, if any.
    pub ask: fn(i64) -> Option<i64>,
    /// Answers in a hundred that don't come.
    pub missed: u64,
    pub restated: Restated,
}

/// What is demanded: median and 95 % error, median half-width, days inside the bounds, all in percent.
pub type Demanded = [f64; 4];

pub fn mix(day: i64) -> Option<i64> {
    Some(match day % 7 {
        0 => 120,
        3 => 30,
        _ => 7,
    })
}

fn twice_a_week(day: i64) -> Option<i64> {
    match day % 7 {
        0 => Some(120),
        3 => Some(30),
        _ => None,
    }
}

fn weekly(day: i64) -> Option<i64> {
    (day % 7 == 0).then_some(30)
}

fn daily(_: i64) -> Option<i64> {
    Some(7)
}

fn outage(day: i64) -> Option<i64> {
    (!(180..190).contains(&day)).then_some(7)
}

/// All rows with what is demanded of them.
pub fn rows() -> [(Policy, Demanded); 8] {
    let row = |name, ask, missed, restated| Policy {
        name,
        ask,
        missed,
        restated,
    };
    use Restated::{Late, Never, NewestTwo};
    [
        (row("mix", mix, 0, Never), [0.25, 2.0, 1.5, 100.0]),
        (
            row(
                "mix, 10 % of answers missed, newest two days restated",
                mix,
                10,
                NewestTwo,
            ),
            [0.3, 2.0, 1.6, 100.0],
        ),
        (
            row("mix, 1 % of days restated after 5 days", mix, 0, Late),
            [0.3, 2.0, 1.6, 97.0],
        ),
        (
            row("two a week (120, 30)", twice_a_week, 0, Never),
            [0.35, 3.0, 2.0, 100.0],
        ),
        (row("weekly 30", weekly, 0, Never), [0.6, 5.0, 6.0, 100.0]),
        (row("daily 7", daily, 0, Never), [0.8, 4.0, 20.0, 100.0]),
        (
            row("daily 7, newest two days restated", daily, 0, NewestTwo),
            [1.2, 6.0, 45.0, 100.0],
        ),
        (
            row("daily 7, an outage of 10 days", outage, 0, Never),
            [0.8, 4.0, 15.0, 100.0],
        ),
    ]
}

/// One sound of which the truth is known, as it was collected.
pub struct Sound {
    /// The popularity of each day, as the service tells it in the end.
    pub truth: Vec<f64>,
    pub windows: Vec<Window>,
}

impl Sound {
    pub fn new(policy: &Policy, shape: Shape, seed: u64) -> Self {
        let truth = popularity(shape, seed, PAST + COLLECTED);
        let key = shape as u64 * 1_000 + seed;
        let comes = |day: &i64| chance(&[key, 31, *day as u64]) * 100.0 >= policy.missed as f64;
        let asked = (0..=COLLECTED)
            .filter(comes)
            .filter_map(|day| Some((day, (policy.ask)(day)?)));
        let windows = asked.map(|(day, length)| window(&truth, key, policy.restated, PAST + day, length));
        let windows = windows.collect();
        // What the service had not restated when the collection ended nobody can know.
        let end = PAST + COLLECTED - 1;
        let told = (0..)
            .zip(&truth)
            .map(|(day, x)| x * policy.restated.factor(key, day, end - day));
        Self {
            windows,
            truth: told.collect(),
        }
    }

    /// Collected by a target with that period and schedule.
    pub fn by_way(way: &Way, shape: Shape, seed: u64) -> Self {
        let truth = popularity(shape, seed, PAST + COLLECTED);
        let mut answers: Vec<Answer> = Vec::new();
        let mut windows = Vec::new();
        let slots = (0..).map(|n| (f64::from(n) * way.every_days).round() as i64);
        for day in slots.take_while(|day| *day <= COLLECTED) {
            let (fetched, interval) = (PAST + day, (way.every_days * DAY as f64) as i64);
            let asked = match way.period {
                Period::Fixed(window) => window,
                Period::Auto => choose(interval, fetched * DAY, &answers).window,
            };
            let weekly = way.weekly_120 && asked == Asked::Days120;
            answers.retain(|answer| answer.window != asked);
            answers.push(Answer {
                window: asked,
                at: fetched * DAY,
                weekly,
            });
            if !weekly {
                windows.push(window(&truth, 0, Restated::Never, fetched, asked.days()));
            }
        }
        Self { windows, truth }
    }

    /// Days that are shown by a window with something in it that is settled.
    pub fn days_shown(&self, lag: i64) -> usize {
        let some = self.windows.iter().filter(|window| {
            let newest = window.points.last().map_or(0, |point| point.0);
            window
                .points
                .iter()
                .any(|(day, value)| newest - day >= lag && *value > 0.0)
        });
        let days: BTreeSet<i64> = some.flat_map(|w| w.points.iter().map(|p| p.0)).collect();
        days.len()
    }
}

/// What came of a policy: percentages but for the counts.
pub struct Outcome {
    pub median: f64,
    pub most: f64,
    pub half_width: f64,
    pub inside: f64,
    /// Segments of a sound, at most.
    pub segments: i64,
    /// Days that were shown and have no index.
    pub missing: usize,
    pub naive_median: f64,
    pub naive_most: f64,
}

/// Collects `seeds` sounds of each shape and compares.
pub fn outcome(policy: &Policy, seeds: u64) -> Outcome {
    let sounds = all(seeds).map(|(shape, seed)| Sound::new(policy, shape, seed));
    outcome_of(&sounds.collect::<Vec<_>>())
}

/// The same for a way that `plan --advise` knows, with the windows that it really asks for.
pub fn outcome_of_way(way: &Way, seeds: u64) -> Outcome {
    let sounds = all(seeds).map(|(shape, seed)| Sound::by_way(way, shape, seed));
    outcome_of(&sounds.collect::<Vec<_>>())
}

fn all(seeds: u64) -> impl Iterator<Item = (Shape, u64)> {
    let shapes = Shape::ALL.into_iter();
    shapes.flat_map(move |shape| (0..seeds).map(move |seed| (shape, seed)))
}

fn outcome_of(sounds: &[Sound]) -> Outcome {
    let series: Vec<Series> = sounds.iter().map(|sound| Series::new(&sound.windows)).collect();
    let counts = series
        .iter()
        .map(LagCounts::of)
        .fold(LagCounts::default(), |all, one| all.and(&one));
    let lag = counts.settle_lag().days;
    let (mut errors, mut widths, mut naive) = (Vec::new(), Vec::new(), Vec::new());
    let (mut inside, mut days, mut segments, mut missing) = (0, 0, 0, 0);
    for (sound, series) in sounds.iter().zip(&series) {
        let index = index(series, lag);
        missing += sound.days_shown(lag) - index.days.len();
        segments = segments.max(index.days.iter().map(|day| day.segment).max().unwrap_or(0));
        let (within, of) = bounds(sound, &index, &mut widths);
        (inside, days) = (inside + within, days + of);
        errors.extend(index_errors(sound, &index));
        naive.extend(naive_errors(sound));
    }
    Outcome {
        median: quantile(&mut errors, 0.5),
        most: quantile(&mut errors, 0.95),
        half_width: quantile(&mut widths, 0.5),
        inside: 100.0 * f64::from(inside) / f64::from(days),
        segments,
        missing,
        naive_median: quantile(&mut naive, 0.5),
        naive_most: quantile(&mut naive, 0.95),
    }
}

/// Settled days at 1 % of the peak or more.
fn counts(sound: &Sound, day: i64) -> bool {
    let peak = sound.truth.iter().copied().fold(0.0, f64::max);
    sound.truth[day as usize] >= 0.01 * peak
}

/// How many settled days are within their bounds, of how many; `widths` gets their half-widths.
fn bounds(sound: &Sound, index: &Index, widths: &mut Vec<f64>) -> (i32, i32) {
    let (mut inside, mut all) = (0, 0);
    for day in index.days.iter().filter(|day| !day.provisional) {
        let base = index
            .days
            .iter()
            .find(|b| b.segment == day.segment && (b.low, b.high) == (100.0, 100.0))
            .unwrap();
        let share = 100.0 * sound.truth[day.day as usize] / sound.truth[base.day as usize];
        all += 1;
        inside += i32::from(day.low - 1e-7 <= share && share <= day.high + 1e-7);
        if counts(sound, day.day) && day.value > 0.0 {
            widths.push(100.0 * (day.high - day.low) / 2.0 / day.value);
        }
    }
    (inside, all)
}

fn index_errors(sound: &Sound, index: &Index) -> Vec<f64> {
    let last = index.days.iter().map(|day| day.segment).max().unwrap_or(0);
    let segment = |segment| {
        let days = index
            .days
            .iter()
            .filter(move |day| day.segment == segment && !day.provisional);
        errors(sound, &days.map(|day| (day.day, day.value)).collect::<Vec<_>>())
    };
    (1..=last).flat_map(segment).collect()
}

/// The history that everybody writes first: the newest value of each day.
fn naive_errors(sound: &Sound) -> Vec<f64> {
    let mut values = BTreeMap::new();
    for window in &sound.windows {
        values.extend(window.points.iter().copied());
    }
    errors(sound, &values.into_iter().collect::<Vec<_>>())
}

/// The errors of values after one free scale, in percent.
fn errors(sound: &Sound, values: &[(i64, f64)]) -> Vec<f64> {
    let counted = values.iter().filter(|(day, _)| counts(sound, *day));
    let mut ratios: Vec<f64> = counted
        .map(|(day, value)| value / sound.truth[*day as usize])
        .collect();
    let scale = quantile(&mut ratios, 0.5);
    ratios
        .iter()
        .map(|ratio| 100.0 * (ratio / scale - 1.0).abs())
        .collect()
}

fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len().saturating_sub(1) as f64 * share).round() as usize;
    values.get(at).copied().unwrap_or(f64::NAN)
}

impl Outcome {
    /// What is not as near as it should be.
    pub fn failures(&self, [median, most, half_width, inside]: Demanded) -> Vec<String> {
        let mut failures = Vec::new();
        let mut check = |name: &str, reached: bool, found: f64| {
            if !reached {
                failures.push(format!("{name}: {found}"));
            }
        };
        check("median error", self.median <= median, self.median);
        check("95 % error", self.most <= most, self.most);
        check("half-width", self.half_width <= half_width, self.half_width);
        check("days inside", self.inside >= inside, self.inside);
        check("missing days", self.missing == 0, self.missing as f64);
        failures
    }

    /// A row of the table.
    pub fn row(&self, name: &str) -> String {
        format!(
            "| {name} | {:.2} / {:.2} % | {:.2} % | {:.2} % | {} | {:.0} / {:.0} % |",
            self.median,
            self.most,
            self.half_width,
            self.inside,
            self.segments,
            self.naive_median,
            self.naive_most
        )
    }
}

/// What the columns of the rows are.
pub const HEADINGS: &str = "| collection | median / 95 % error | median half-width | days inside the bounds | most segments | naive: median / 95 % error |
|---|---|---|---|---|---|";
