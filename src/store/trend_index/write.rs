//! Writing the index: only what differs from what is there, and only if nothing has changed meanwhile.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{DueSeries, extents, index_day, lag_counts};
use crate::history::{Summary, summary};
use crate::model::SeriesKey;
use crate::store::history::key;
use crate::store::{Many, Store, StoreError, Tx, execute, json_rows, rows, undisturbed};
use crate::trend::{Index, IndexDay, LAGS, LagCounts};

/// Values that differ by less than this part of them are the same: history that is closed is not
/// written again.
const SAME: f64 = 1e-9;

/// What came of computing.
#[derive(Clone, Debug)]
pub struct Computed {
    /// Of what.
    pub series: DueSeries,
    /// Windows that took part.
    pub windows: i64,
    /// Windows with a value outside 0 to 1.
    pub unusable: i64,
    /// How well windows that follow each other fit.
    pub counts: LagCounts,
    /// The age at which a day was taken as settled.
    pub settle_lag: i64,
    /// The result.
    pub index: Index,
}

impl Store {
    /// Writes what was computed, unless the windows or the settle lag have changed meanwhile; what was
    /// learnt of the lag may mark all series anew. Gives how many series were written.
    pub async fn put_index(&self, computed: &[Computed], now: i64) -> Result<u64, StoreError> {
        undisturbed(async || self.put_index_once(computed, now).await).await
    }

    async fn put_index_once(&self, computed: &[Computed], now: i64) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        // One at a time: what is learnt of the lag is counted once.
        execute!(&mut tx, "UPDATE index_lags SET pairs = pairs")?;
        let counts = lag_counts(&mut tx).await?;
        let lag = counts.settle_lag().days;
        let current = still_current(&mut tx, computed, lag).await?;
        write_difference(&mut tx, &current).await?;
        let learnt = learn(&mut tx, &current).await?;
        let (there, gone): (Vec<&Computed>, Vec<&Computed>) =
            current.iter().partition(|one| one.series.newest > 0);
        write_states(&mut tx, &there).await?;
        delete_states(&mut tx, &gone).await?;
        delete_marks(&mut tx, &current).await?;
        let lag_now = counts.and(&learnt).settle_lag().days;
        if lag_now != lag {
            mark_other_lags(&mut tx, lag_now, now).await?;
        }
        tx.commit().await?;
        Ok(current.len() as u64)
    }
}

/// Marks the series that were computed with another settle lag.
async fn mark_other_lags(tx: &mut Tx, lag: i64, now: i64) -> Result<(), StoreError> {
    let series = execute!(
        tx,
        "INSERT INTO index_due (clip_id, region, marked_at)
        SELECT clip_id, region, $2
        FROM index_state
        WHERE settle_lag <> $1
        ORDER BY clip_id, region
        ON CONFLICT (clip_id, region) DO UPDATE SET marked_at = excluded.marked_at",
        lag,
        now
    )?;
    tracing::info!(
        lag,
        series,
        "days are settled at another age than was thought: indexes are computed anew"
    );
    Ok(())
}

/// Enters what the series tell of the settle lag in place of what they told before, and gives the
/// difference.
async fn learn(tx: &mut Tx, current: &[&Computed]) -> Result<LagCounts, StoreError> {
    let keys: Vec<&SeriesKey> = current.iter().map(|one| &one.series.key).collect();
    let rows = rows!(
        &mut *tx,
        "SELECT
            i.pairs_0, i.pairs_1, i.pairs_2, i.pairs_3, i.pairs_4,
            i.violations_0, i.violations_1, i.violations_2, i.violations_3, i.violations_4
        FROM json_each($1) AS r
        JOIN index_state AS i ON i.clip_id = r.value->>'clip_id' AND i.region = r.value->>'region'",
        json_rows(&keys)?
    )?;
    let mut learnt = current
        .iter()
        .fold(LagCounts::default(), |all, one| all.and(&one.counts));
    for row in &rows {
        for lag in 0..LAGS {
            learnt.pairs[lag] -= row.get::<i64>(&format!("pairs_{lag}"))?;
            learnt.violations[lag] -= row.get::<i64>(&format!("violations_{lag}"))?;
        }
    }
    let lags: Vec<usize> = (0..LAGS).collect();
    Many::of(&lags)
        .int("lag", |lag| *lag as i64)
        .int("pairs", |lag| learnt.pairs[*lag])
        .int("violations", |lag| learnt.violations[*lag])
        .execute(
            tx,
            "WITH r AS ({rows})
            UPDATE index_lags
            SET pairs = index_lags.pairs + r.pairs, violations = index_lags.violations + r.violations
            FROM r
            WHERE index_lags.lag = r.lag",
        )
        .await?;
    Ok(learnt)
}

async fn write_difference(tx: &mut Tx, current: &[&Computed]) -> Result<(), StoreError> {
    let there = days_there(tx, current).await?;
    let nothing = BTreeMap::new();
    let (mut changed, mut gone) = (Vec::new(), Vec::new());
    for one in current {
        let key = &one.series.key;
        let old = there.get(key).unwrap_or(&nothing);
        let new: BTreeMap<i64, &IndexDay> = one.index.days.iter().map(|day| (day.day, day)).collect();
        let days_gone = old.keys().filter(|day| !new.contains_key(day));
        gone.extend(days_gone.map(|day| (key, *day)));
        let differs = |day: &&IndexDay| old.get(&day.day).is_none_or(|old| !is_same(old, day));
        changed.extend(new.into_values().filter(differs).map(|day| (key, day)));
    }
    delete_days(tx, &gone).await?;
    write_days(tx, &changed).await
}

fn same_values(a: f64, b: f64) -> bool {
    (a - b).abs() <= SAME * a.abs().max(b.abs())
}

fn is_same(a: &IndexDay, b: &IndexDay) -> bool {
    let values = [(a.value, b.value), (a.low, b.low), (a.high, b.high)];
    values.into_iter().all(|(a, b)| same_values(a, b))
        && (a.segment, a.provisional) == (b.segment, b.provisional)
}

/// Those whose mark is still there, that have got no further snapshot, and that were computed with the
/// settle lag of now. The marks are kept from
/// others until the transaction ends, before the snapshots are looked at.
async fn still_current<'c>(
    tx: &mut Tx,
    computed: &'c [Computed],
    lag: i64,
) -> Result<Vec<&'c Computed>, StoreError> {
    let all: Vec<&SeriesKey> = computed.iter().map(|one| &one.series.key).collect();
    let sql = format!(
        "WITH r AS ({{rows}})
        SELECT d.clip_id, d.region
        FROM r
        JOIN index_due AS d ON d.clip_id = r.clip_id AND d.region = r.region
        ORDER BY d.clip_id, d.region
        {}",
        tx.keep("d")
    );
    let marked = Many::of(&all)
        .text("clip_id", |key| key.clip_id.as_str())
        .text("region", |key| key.region.as_str())
        .fetch(tx, &sql)
        .await?;
    let marked: HashSet<SeriesKey> = marked.iter().map(key).collect::<Result<_, _>>()?;
    let extents = extents(tx, &marked.iter().collect::<Vec<_>>()).await?;
    let current = computed.iter().filter(|one| {
        let key = &one.series.key;
        one.settle_lag == lag
            && marked.contains(key)
            && extents.get(key).map_or(0, |extent| extent.newest) == one.series.newest
    });
    Ok(current.collect())
}

type Days = HashMap<SeriesKey, BTreeMap<i64, IndexDay>>;

async fn days_there(tx: &mut Tx, current: &[&Computed]) -> Result<Days, StoreError> {
    let keys: Vec<&SeriesKey> = current.iter().map(|one| &one.series.key).collect();
    let rows = rows!(
        tx,
        "SELECT x.clip_id, x.region, x.day, x.value, x.low, x.high, x.segment, x.provisional
        FROM json_each($1) AS r
        JOIN trend_index AS x ON x.clip_id = r.value->>'clip_id' AND x.region = r.value->>'region'",
        json_rows(&keys)?
    )?;
    let mut days = Days::new();
    for row in &rows {
        let day = index_day(row)?;
        days.entry(key(row)?).or_default().insert(day.day, day);
    }
    Ok(days)
}

async fn delete_days(tx: &mut Tx, gone: &[(&SeriesKey, i64)]) -> Result<(), StoreError> {
    Many::of(gone)
        .text("clip_id", |(key, _)| key.clip_id.as_str())
        .text("region", |(key, _)| key.region.as_str())
        .int("day", |(_, day)| *day)
        .execute(
            tx,
            "WITH r AS ({rows})
            DELETE FROM trend_index
            WHERE (clip_id, region, day) IN (SELECT r.clip_id, r.region, r.day FROM r)",
        )
        .await?;
    Ok(())
}

async fn write_days(tx: &mut Tx, changed: &[(&SeriesKey, &IndexDay)]) -> Result<(), StoreError> {
    Many::of(changed)
        .text("clip_id", |(key, _)| key.clip_id.as_str())
        .text("region", |(key, _)| key.region.as_str())
        .int("day", |(_, day)| day.day)
        .real("value", |(_, day)| day.value)
        .real("low", |(_, day)| day.low)
        .real("high", |(_, day)| day.high)
        .int("segment", |(_, day)| day.segment)
        .flag("provisional", |(_, day)| day.provisional)
        .execute(
            tx,
            "WITH r AS ({rows})
            INSERT INTO trend_index (clip_id, region, day, value, low, high, segment, provisional)
            SELECT clip_id, region, day, value, low, high, segment, provisional
            FROM r
            WHERE true
            ON CONFLICT (clip_id, region, day) DO UPDATE SET
                value = excluded.value,
                low = excluded.low,
                high = excluded.high,
                segment = excluded.segment,
                provisional = excluded.provisional",
        )
        .await?;
    Ok(())
}

/// By key: the marks of all sounds may be there.
async fn delete_marks(tx: &mut Tx, current: &[&Computed]) -> Result<(), StoreError> {
    Many::of(current)
        .text("clip_id", |one| one.series.key.clip_id.as_str())
        .text("region", |one| one.series.key.region.as_str())
        .execute(
            tx,
            "WITH r AS ({rows})
            DELETE FROM index_due
            WHERE (clip_id, region) IN (SELECT r.clip_id, r.region FROM r)",
        )
        .await?;
    Ok(())
}

/// Of series that have no snapshots any more.
async fn delete_states(tx: &mut Tx, gone: &[&Computed]) -> Result<(), StoreError> {
    Many::of(gone)
        .text("clip_id", |one| one.series.key.clip_id.as_str())
        .text("region", |one| one.series.key.region.as_str())
        .execute(
            tx,
            "WITH r AS ({rows})
            DELETE FROM index_state
            WHERE (clip_id, region) IN (SELECT r.clip_id, r.region FROM r)",
        )
        .await?;
    Ok(())
}

async fn write_states(tx: &mut Tx, current: &[&Computed]) -> Result<(), StoreError> {
    let current: Vec<(&Computed, Option<Summary>)> = current
        .iter()
        .map(|one| (*one, summary(&one.index.days)))
        .collect();
    Many::of(&current)
        .text("clip_id", |(one, _)| one.series.key.clip_id.as_str())
        .text("region", |(one, _)| one.series.key.region.as_str())
        .int("settle_lag", |(one, _)| one.settle_lag)
        .int("windows", |(one, _)| one.windows)
        .int("unusable", |(one, _)| one.unusable)
        .int("observations", |(one, _)| one.index.doubts.observations)
        .int("restated", |(one, _)| one.index.doubts.restated)
        .int("contradictions", |(one, _)| one.index.doubts.contradictions)
        .real("half_unit", |(one, _)| one.index.doubts.half_unit)
        .int("pairs_0", |(one, _)| one.counts.pairs[0])
        .int("pairs_1", |(one, _)| one.counts.pairs[1])
        .int("pairs_2", |(one, _)| one.counts.pairs[2])
        .int("pairs_3", |(one, _)| one.counts.pairs[3])
        .int("pairs_4", |(one, _)| one.counts.pairs[4])
        .int("violations_0", |(one, _)| one.counts.violations[0])
        .int("violations_1", |(one, _)| one.counts.violations[1])
        .int("violations_2", |(one, _)| one.counts.violations[2])
        .int("violations_3", |(one, _)| one.counts.violations[3])
        .int("violations_4", |(one, _)| one.counts.violations[4])
        .int("newest_day", |(_, stands)| stands.map(|stands| stands.newest.day))
        .real("newest_value", |(_, stands)| stands.map(|stands| stands.newest.value))
        .int("peak_day", |(_, stands)| stands.map(|stands| stands.peak.day))
        .real("change_rank", |(_, stands)| stands.and_then(|stands| stands.week).map(|week| week.rank()))
        .execute(
            tx,
            "WITH r AS ({rows})
            INSERT INTO index_state (
                clip_id, region, settle_lag, windows, unusable, observations, restated, contradictions, half_unit,
                pairs_0, pairs_1, pairs_2, pairs_3, pairs_4,
                violations_0, violations_1, violations_2, violations_3, violations_4,
                newest_day, newest_value, peak_day, change_rank
            )
            SELECT
                clip_id, region, settle_lag, windows, unusable, observations, restated, contradictions, half_unit,
                pairs_0, pairs_1, pairs_2, pairs_3, pairs_4,
                violations_0, violations_1, violations_2, violations_3, violations_4,
                newest_day, newest_value, peak_day, change_rank
            FROM r
            WHERE true
            ON CONFLICT (clip_id, region) DO UPDATE SET
                settle_lag = excluded.settle_lag,
                windows = excluded.windows,
                unusable = excluded.unusable,
                observations = excluded.observations,
                restated = excluded.restated,
                contradictions = excluded.contradictions,
                half_unit = excluded.half_unit,
                pairs_0 = excluded.pairs_0,
                pairs_1 = excluded.pairs_1,
                pairs_2 = excluded.pairs_2,
                pairs_3 = excluded.pairs_3,
                pairs_4 = excluded.pairs_4,
                violations_0 = excluded.violations_0,
                violations_1 = excluded.violations_1,
                violations_2 = excluded.violations_2,
                violations_3 = excluded.violations_3,
                violations_4 = excluded.violations_4,
                newest_day = excluded.newest_day,
                newest_value = excluded.newest_value,
                peak_day = excluded.peak_day,
                change_rank = excluded.change_rank",
        )
        .await?;
    Ok(())
}
