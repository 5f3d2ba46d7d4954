//! The report: one page that holds everything it shows, written sound by sound.

mod audience;
pub(crate) mod overview;
pub(crate) mod page;
pub(crate) mod sound;
pub(crate) mod words;

use std::io::{self, Write};

use crate::charts::world_shapes;
use crate::clock::DAY;
use crate::history::{Summary, summary};
use crate::model::SeriesKey;
use crate::store::report::Series;
use crate::store::{Store, StoreError};

pub use words::{change_words, reason_words};

/// Sounds whose index is read at once for the overview.
const OVERVIEW_PAGE: usize = 32;

/// Sounds whose details are held at once.
const SECTION_PAGE: usize = 16;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The database failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The page cannot be written.
    #[error("{0}")]
    Write(#[from] io::Error),
}

/// What a report shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Sounds.
    pub sounds: usize,
    /// Sounds times their regions.
    pub series: usize,
}

/// A series with how it stands; `None` without an index.
pub(crate) struct Listed {
    pub(crate) series: Series,
    pub(crate) summary: Option<Summary>,
}

/// Writes the report of all sounds as they stand at `now`, unix seconds.
///
/// Held in memory are the names and the standing of all, the gaps of all, and the details of a few.
pub async fn write(store: &Store, now: i64, to: &mut (impl Write + Send)) -> Result<Shown, ReportError> {
    let listed = listed(store).await?;
    let mut sounds: Vec<&str> = listed.iter().map(|l| l.series.key.clip_id.as_str()).collect();
    sounds.dedup();
    let shown = Shown {
        sounds: sounds.len(),
        series: listed.len(),
    };
    put(to, &page::begin(now, shown, &listed))?;
    put(to, &world_shapes())?;
    overview(store, &listed, now.div_euclid(DAY), to).await?;
    sections(store, &listed, to).await?;
    put(to, &page::end())?;
    to.flush()?;
    Ok(shown)
}

fn put(to: &mut impl Write, markup: &maud::Markup) -> io::Result<()> {
    to.write_all(markup.0.as_bytes())
}

fn keys<'a>(series: impl IntoIterator<Item = &'a Listed>) -> Vec<SeriesKey> {
    series
        .into_iter()
        .map(|listed| listed.series.key.clone())
        .collect()
}

async fn listed(store: &Store) -> Result<Vec<Listed>, StoreError> {
    let mut series = store.all_series().await?.into_iter().peekable();
    let mut all = Vec::new();
    while series.peek().is_some() {
        let page: Vec<Series> = series.by_ref().take(OVERVIEW_PAGE).collect();
        let keys: Vec<SeriesKey> = page.iter().map(|series| series.key.clone()).collect();
        let index = store.index_of(&keys, 0).await?;
        all.extend(page.into_iter().map(|series| Listed {
            summary: index.get(&series.key).and_then(|days| summary(days)),
            series,
        }));
    }
    Ok(all)
}

/// What surely grew comes before what can't be told, and what surely fell after it; within these the
/// greater change of a week first. What has none keeps the order of titles, at the end.
fn rank(listed: &Listed) -> (u8, f64) {
    match listed.summary.and_then(|summary| summary.week) {
        Some(week) if week.is_certain() && week.times > 1.0 => (3, week.times),
        Some(week) if week.is_certain() => (1, week.times),
        Some(week) => (2, week.times),
        None => (0, 0.0),
    }
}

async fn overview(
    store: &Store,
    listed: &[Listed],
    today: i64,
    to: &mut impl Write,
) -> Result<(), ReportError> {
    let mut order: Vec<&Listed> = listed.iter().collect();
    order.sort_by(|a, b| rank(b).0.cmp(&rank(a).0).then(rank(b).1.total_cmp(&rank(a).1)));
    put(to, &overview::begin())?;
    for page in order.chunks(OVERVIEW_PAGE) {
        let keys = keys(page.iter().copied());
        let index = store.index_of(&keys, 0).await?;
        for listed in page {
            let days = index.get(&listed.series.key).map_or(&[][..], Vec::as_slice);
            let href = format!("#{}", overview::anchor(&listed.series));
            put(to, &overview::row(listed, days, today, &href))?;
        }
    }
    put(to, &overview::end())?;
    Ok(())
}

async fn sections(store: &Store, listed: &[Listed], to: &mut impl Write) -> Result<(), ReportError> {
    let mut gaps = store.all_gaps().await?;
    let sounds: Vec<&[Listed]> = listed
        .chunk_by(|a, b| a.series.key.clip_id == b.series.key.clip_id)
        .collect();
    for page in sounds.chunks(SECTION_PAGE) {
        let keys = keys(page.iter().copied().flatten());
        let mut index = store.index_of(&keys, 0).await?;
        let mut windows = store.windows_of(&keys).await?;
        let mut audiences = store.audiences_of(&keys).await?;
        let mut ages = store.ages_of(&keys).await?;
        for regions in page {
            let details = regions.iter().map(|listed| {
                let key = &listed.series.key;
                sound::Details {
                    listed,
                    index: index.remove(key).unwrap_or_default(),
                    windows: windows.remove(key).unwrap_or_default(),
                    audiences: audiences.remove(key).unwrap_or_default(),
                    ages: ages.remove(key).unwrap_or_default(),
                    gaps: gaps.remove(key).unwrap_or_default(),
                }
            });
            put(to, &sound::section(&details.collect::<Vec<_>>()))?;
        }
    }
    Ok(())
}
