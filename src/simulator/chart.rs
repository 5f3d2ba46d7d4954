//! The chart of a region: the most popular of the world's sounds, as they were yesterday.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::World;
use crate::clock::DAY;
use crate::model::{ClipId, Region};

/// Places of a chart.
pub(super) const LISTED: usize = 99;
/// Sounds that want to be on it.
const SOUNDS: usize = 150;

/// A sound on a chart.
pub(super) struct Placed {
    pub(super) clip_id: ClipId,
    /// From 1.
    pub(super) rank: i64,
    /// Its rank on the day before; `None` when it was not on the chart.
    pub(super) before: Option<i64>,
}

impl Placed {
    /// 1 is up, 2 unchanged, 3 down, 4 new.
    pub(super) fn ranks(&self) -> Value {
        let (difference, kind) = match self.before {
            None => (Value::Null, 4),
            Some(before) if before > self.rank => (json!(before - self.rank), 1),
            Some(before) if before < self.rank => (json!(self.rank - before), 3),
            Some(_) => (json!(0), 2),
        };
        json!({"rank": self.rank, "rank_diff": difference, "rank_diff_type": kind})
    }
}

impl World {
    /// The chart of a region, now.
    pub(super) fn chart(&self, region: Region) -> Vec<Placed> {
        let samples = self.sample_sounds(SOUNDS).into_iter();
        let sounds: Vec<ClipId> = samples.map(|sample| sample.clip_id).collect();
        let yesterday = self.clock.now().div_euclid(DAY) - 1;
        let before: HashMap<ClipId, i64> = self.ranked(&sounds, region, yesterday - 1).collect();
        let place = |(clip_id, rank)| Placed {
            before: before.get(&clip_id).copied(),
            clip_id,
            rank,
        };
        self.ranked(&sounds, region, yesterday).map(place).collect()
    }

    fn ranked(&self, sounds: &[ClipId], region: Region, day: i64) -> impl Iterator<Item = (ClipId, i64)> {
        let popularity = |clip: &ClipId| self.truth.popularity(clip, region, day);
        let mut ranked: Vec<(f64, ClipId)> = sounds
            .iter()
            .map(|clip| (popularity(clip), clip.clone()))
            .collect();
        ranked.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
        let first = ranked.into_iter().take(LISTED);
        first.zip(1..).map(|((_, clip), rank)| (clip, rank))
    }
}
