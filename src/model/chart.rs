//! The API's charts: its lists of the sounds that trend in a region.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ClipId, Region, SoundFacts, Window};

/// A chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Chart {
    /// The market.
    pub region: Region,
    /// The days that it ranks by.
    pub window: Window,
    /// Only sounds that are new to the first hundred.
    pub new_to_top_100: bool,
    /// Only sounds of the Commercial Music Library.
    pub commercial: bool,
}

impl fmt::Display for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let new = if self.new_to_top_100 {
            ", new to the top 100"
        } else {
            ""
        };
        let commercial = if self.commercial { ", commercial" } else { "" };
        write!(f, "{} {}d{new}{commercial}", self.region, self.window.days())
    }
}

/// What one request asks for: a page of a chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartAsk {
    /// Of this chart.
    pub chart: Chart,
    /// From 1.
    pub page: i64,
}

impl ChartAsk {
    /// Sounds that a page is asked to have. It may have fewer.
    pub const LIMIT: usize = 20;
}

/// A sound on a chart. `None` is "not said".
#[derive(Clone, Debug, PartialEq)]
pub struct ChartEntry {
    /// The sound.
    pub clip_id: ClipId,
    /// Its place, from 1.
    pub rank: Option<i64>,
    /// By how many places it has moved.
    pub rank_diff: Option<i64>,
    /// In which direction: 1 up, 2 unchanged, 3 down, 4 new.
    pub rank_diff_type: Option<i64>,
    /// What the list says of the sound itself.
    pub sound: SoundFacts,
    /// The values of its trend, relative to their peak.
    pub trend: Vec<f64>,
}

/// `title, by author`, or what is known of it.
pub fn name(title: Option<&str>, author: Option<&str>) -> Option<String> {
    match (title, author) {
        (Some(title), Some(author)) => Some(format!("{title}, by {author}")),
        (title, author) => title.or(author).map(str::to_owned),
    }
}

impl ChartEntry {
    /// What people call it, as far as it is known: `title, by author`.
    pub fn name(&self) -> Option<String> {
        name(self.sound.title.as_deref(), self.sound.author.as_deref())
    }
}

/// One page of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartPage {
    /// In the order of the page.
    pub entries: Vec<ChartEntry>,
    /// Whether the API says that there are more pages.
    pub has_more: Option<bool>,
}

impl ChartPage {
    /// Whether the chart ends here, when so many of the entries were on no page before. An API that gives
    /// fewer on a page than it is asked for and says that there are more is believed.
    pub fn is_last(&self, new: usize) -> bool {
        match self.has_more {
            Some(has_more) => !has_more || new == 0,
            None => new == 0 || self.entries.len() < ChartAsk::LIMIT,
        }
    }
}

/// A request for a page that this worker has entered into the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartClaim {
    /// `chart_fetches.id`.
    pub chart_fetch_id: i64,
    /// `chart_requests.id`.
    pub request_id: i64,
    /// The number of the request for this page, from 1.
    pub n: i64,
    /// When it was entered, unix seconds.
    pub sent_at: i64,
    /// What to ask for.
    pub ask: ChartAsk,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::the_api_says_so(20, Some(false), 20, true)]
    #[case::fewer_on_a_page_than_asked(10, Some(true), 10, false)]
    #[case::nothing_new(20, Some(true), 0, true)]
    #[case::not_said_and_full(20, None, 20, false)]
    #[case::not_said_and_short(19, None, 19, true)]
    #[case::empty(0, Some(true), 0, true)]
    fn a_chart_ends(
        #[case] entries: u64,
        #[case] has_more: Option<bool>,
        #[case] new: usize,
        #[case] ends: bool,
    ) {
        let entry = |n| ChartEntry {
            clip_id: format!("{:019}", n).parse().unwrap(),
            rank: None,
            rank_diff: None,
            rank_diff_type: None,
            sound: SoundFacts::default(),
            trend: Vec::new(),
        };
        let entries = (0..entries).map(entry).collect();
        assert_eq!(ChartPage { entries, has_more }.is_last(new), ends);
    }
}
