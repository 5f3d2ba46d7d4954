//! What the history of a sound in a region says: its index, how that has changed, who listens. Pure.

use serde::Serialize;

use crate::clock::{DAY, day_name};
use crate::trend::IndexDay;

/// The parts of an index over which a line may be drawn: no day is missing within, and all compare.
pub fn runs(days: &[IndexDay]) -> impl Iterator<Item = &[IndexDay]> {
    days.chunk_by(|a, b| a.segment == b.segment && a.day + 1 == b.day)
}

/// The parts of an index that compare.
pub fn segments(days: &[IndexDay]) -> impl Iterator<Item = &[IndexDay]> {
    days.chunk_by(|a, b| a.segment == b.segment)
}

/// How the mean of a week compares with that of an earlier one of its segment, in times. Whole weeks, so
/// that each weekday is in both.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Change {
    /// By so much it has grown: 1 is the same, 2 twice as much.
    pub times: f64,
    /// At least so much. The true bounds of a ratio may be narrower, never wider.
    pub least: f64,
    /// At most so much; `None` where the earlier week may have been nothing.
    pub most: Option<f64>,
}

impl Change {
    /// Whether the bounds leave no doubt about the direction.
    pub fn is_certain(&self) -> bool {
        self.least > 1.0 || self.most.is_some_and(|most| most < 1.0)
    }

    /// What a list is sorted by: what surely grew is greater than what cannot be told, and that than what
    /// surely fell; among each, by how much.
    pub fn rank(&self) -> f64 {
        let times = self.times.min(1e6);
        match self.most {
            _ if self.least > 1.0 => 2e9 + times,
            Some(most) if most < 1.0 => times,
            _ => 1e9 + times,
        }
    }

    fn between(earlier: &Week, later: &Week) -> Option<Self> {
        (earlier.value > 0.0).then(|| Self {
            times: later.value / earlier.value,
            least: later.low / earlier.high.max(earlier.value),
            most: (earlier.low > 0.0).then(|| later.high / earlier.low),
        })
    }
}

const WEEK: i64 = 7;

/// The means of seven days. The true mean lies between those of the bounds.
struct Week {
    value: f64,
    low: f64,
    high: f64,
}

impl Week {
    /// The week that ends with a day; `None` where one of its days is missing or provisional.
    fn until(segment: &[IndexDay], last: i64) -> Option<Self> {
        let days = segment.iter().filter(|day| !day.provisional);
        let days: Vec<&IndexDay> = days
            .filter(|day| (last - WEEK + 1..=last).contains(&day.day))
            .collect();
        let mean = |part: fn(&IndexDay) -> f64| days.iter().map(|day| part(day)).sum::<f64>() / 7.0;
        (days.len() == 7).then(|| Self {
            value: mean(|day| day.value),
            low: mean(|day| day.low),
            high: mean(|day| day.high),
        })
    }
}

/// How a sound stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The newest day.
    pub newest: IndexDay,
    /// The last seven settled days against the seven before; `None` where one of them is missing or does
    /// not compare, or where all of the earlier ones were nothing.
    pub week: Option<Change>,
    /// The last seven settled days against the seven that end 28 days earlier.
    pub four_weeks: Option<Change>,
    /// The best day of the newest segment.
    pub peak: IndexDay,
}

/// How a sound stands whose days are these, ascending.
pub fn summary(days: &[IndexDay]) -> Option<Summary> {
    let segment = segments(days).last()?;
    let newest = *segment.last()?;
    let settled = segment.iter().rev().find(|day| !day.provisional);
    let change = |back: i64| {
        let last = settled?.day;
        Change::between(&Week::until(segment, last - back)?, &Week::until(segment, last)?)
    };
    let best = |a: &&IndexDay, b: &&IndexDay| a.value.total_cmp(&b.value).then(b.day.cmp(&a.day));
    Some(Summary {
        newest,
        week: change(WEEK),
        four_weeks: change(4 * WEEK),
        peak: *segment.iter().max_by(best)?,
    })
}

/// The name of a day: `2026-02-01`.
pub fn name_of(day: i64) -> String {
    day_name(day * DAY)
}

/// A score of a country, an interest or an age.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// ISO 3166 alpha-2 of a country; the API's number of an interest or an age.
    pub id: String,
    /// For people.
    pub name: String,
    /// Of countries and interests an index, 100 is average; of ages percent.
    pub score: Option<f64>,
}

/// Who listened, as one answer said.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Audience {
    /// When that was first said, unix seconds.
    #[serde(skip)]
    pub fetched_at: i64,
    /// The strongest countries, up to ten.
    pub countries: Vec<Score>,
    /// The strongest interests.
    pub interests: Vec<Score>,
    /// Ages, where they are told.
    pub ages: Vec<Score>,
}

impl Audience {
    /// Whether the answer said nothing of it.
    pub fn is_empty(&self) -> bool {
        self.countries.is_empty() && self.interests.is_empty() && self.ages.is_empty()
    }
}

/// Who listens, and who listened before, by the answers of one target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Audiences {
    /// The newest that is known.
    pub now: Audience,
    /// A week before that; `None` where nothing was asked so early.
    pub week_ago: Option<Audience>,
    /// A month before.
    pub month_ago: Option<Audience>,
}

/// What one answer said of ages.
#[derive(Clone, Debug, PartialEq)]
pub struct Ages {
    /// When that was first said, unix seconds.
    pub fetched_at: i64,
    /// The API's numbers of ages with their shares in percent.
    pub shares: Vec<(String, f64)>,
}

/// A score now and before; one of them may not have been told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Move {
    /// The country or interest.
    pub name: String,
    /// Its score now; `None` when it is not among the strongest any more.
    pub now: Option<f64>,
    /// Its score before; `None` when it was not among them.
    pub before: Option<f64>,
}

/// What came, went and changed the most: at most `limit` of each. Where one answer told nothing, there
/// is nothing to compare.
pub fn moves(now: &[Score], before: &[Score], limit: usize) -> Vec<Move> {
    if now.is_empty() || before.is_empty() {
        return Vec::new();
    }
    let of = |scores: &[Score], id: &str| scores.iter().find(|s| s.id == id).and_then(|s| s.score);
    let told = |scores: &[Score], id: &str| scores.iter().any(|s| s.id == id);
    let came = now.iter().filter(|score| !told(before, &score.id));
    let went = before.iter().filter(|score| !told(now, &score.id));
    let mut changed: Vec<Move> = now
        .iter()
        .filter(|score| told(before, &score.id))
        .map(|score| Move {
            name: score.name.clone(),
            now: score.score,
            before: of(before, &score.id),
        })
        .filter(|change| change.times().is_some_and(|times| (times - 1.0).abs() >= 0.05))
        .collect();
    let size = |change: &Move| change.times().map_or(0.0, |times| times.ln().abs());
    changed.sort_by(|a, b| size(b).total_cmp(&size(a)));
    let came = came.take(limit).map(|score| Move {
        name: score.name.clone(),
        now: score.score,
        before: None,
    });
    let went = went.take(limit).map(|score| Move {
        name: score.name.clone(),
        now: None,
        before: score.score,
    });
    came.chain(went).chain(changed.into_iter().take(limit)).collect()
}

impl Move {
    /// By how much it has grown, where both are known.
    pub fn times(&self) -> Option<f64> {
        let (now, before) = (self.now?, self.before?);
        (now > 0.0 && before > 0.0).then_some(now / before)
    }
}

/// The windows of one length that a series is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Windows {
    /// 7, 30 or 120.
    pub period_days: i64,
    /// Distance of their points in days: 1 is daily; weekly ones take no part in the index.
    pub step_days: i64,
    /// How many different ones there are.
    pub windows: i64,
    /// How many answers showed them.
    pub answers: i64,
    /// When the first was fetched, unix seconds.
    pub first_fetched_at: i64,
    /// When the newest was last fetched, unix seconds.
    pub last_fetched_at: i64,
    /// Days (since 1970-01-01) and values of the newest, relative to its own peak.
    pub newest: Vec<(i64, f64)>,
}

impl Windows {
    /// The newest window as days to draw; exact as they are, since they compare with nothing else.
    pub fn as_days(&self) -> Vec<IndexDay> {
        let day = |(day, value): &(i64, f64)| IndexDay {
            day: *day,
            value: value * 100.0,
            low: value * 100.0,
            high: value * 100.0,
            segment: 0,
            provisional: false,
        };
        self.newest.iter().map(day).collect()
    }
}

/// Days that are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The first, days since 1970-01-01.
    pub first_day: i64,
    /// The last.
    pub last_day: i64,
    /// Why: a word of the view `gaps`.
    pub reason: String,
}

#[cfg(test)]
mod tests;
