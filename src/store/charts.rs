//! Readings of charts in the ledger: claimed, asked page by page and settled as fetches are. What a
//! request costs is in the same `credit_days`, so that one budget holds for all.

mod reports;
mod settle;

use super::claim::Claimer;
use super::pauses::{self, Pause};
use super::{Row, Store, StoreError, Tx, budget, execute, rows, undisturbed};
use crate::model::{Chart, ChartAsk, ChartClaim, Outcome, Reason, Region, Window};

pub use reports::{ChartState, OffChart, Rank, Ranked};
pub use settle::{ChartEnd, ChartSettlement};

/// While one request tries out whether a pause may end, the others wait so long (seconds).
const PROBE: i64 = 60;

/// A reading of a chart that is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartFetch {
    /// `chart_fetches.id`.
    pub id: i64,
    /// Which chart.
    pub chart: Chart,
    /// The slot, or the minute in which it was asked for by hand; unix seconds.
    pub slot_at: i64,
    /// Pages to read at most.
    pub pages: i64,
    /// Pages that have been read.
    pub pages_read: i64,
}

/// What came of entering a request for a page.
#[derive(Debug)]
pub enum PageClaimed {
    /// It may be sent. `probes`: the key was paused, and this tries out whether that is over.
    Yes {
        /// The request.
        claim: ChartClaim,
        /// See above.
        probes: bool,
    },
    /// The budget pays for no further request.
    OverBudget,
    /// The key is paused.
    Paused(Pause),
    /// The page was tried often enough.
    TriedOften,
    /// Another worker took us for dead, and the reading over.
    NotOurs,
}

impl Store {
    /// Enters a reading without an owner, for whoever claims it. One that was skipped for the budget or a
    /// pause is opened again. Gives its ID, and whether it is open now and was not before.
    pub async fn enter_chart(
        &self,
        chart: &Chart,
        slot_at: i64,
        forced: bool,
        pages: i64,
    ) -> Result<(i64, bool), StoreError> {
        let mut tx = self.begin().await?;
        let entered = execute!(
            &mut tx,
            "INSERT INTO chart_fetches (region, period, new_to_top_100, commercial, slot_at, forced, pages)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (region, period, new_to_top_100, commercial, slot_at) DO UPDATE SET
                outcome = NULL, reason = NULL, worker_id = NULL, settled_at = NULL
            WHERE chart_fetches.outcome = 'skipped' AND chart_fetches.reason IN ('budget', 'paused')",
            chart.region.as_str(),
            chart.window.days(),
            chart.new_to_top_100,
            chart.commercial,
            slot_at,
            forced,
            pages
        )?;
        let found = rows!(
            &mut tx,
            "SELECT id
            FROM chart_fetches
            WHERE region = $1 AND period = $2 AND new_to_top_100 = $3 AND commercial = $4 AND slot_at = $5",
            chart.region.as_str(),
            chart.window.days(),
            chart.new_to_top_100,
            chart.commercial,
            slot_at
        )?;
        let id = match found.first() {
            Some(row) => row.get("id")?,
            None => {
                return Err(StoreError::Unreadable(
                    "a chart that was entered is gone".to_owned(),
                ));
            }
        };
        tx.commit().await?;
        Ok((id, entered > 0))
    }

    /// Frees the readings of workers that are gone, and settles those that will not be gone on with: by
    /// hand or not, older than `catch_up_from`, or with a newer one of the same chart.
    pub async fn take_over_charts(
        &self,
        worker: &str,
        catch_up_from: i64,
        silent_before: i64,
        now: i64,
    ) -> Result<u64, StoreError> {
        undisturbed(async || {
            let mut tx = self.begin().await?;
            let freed = free_charts(&mut tx, worker, silent_before, now).await?;
            settle_left_charts(&mut tx, worker, catch_up_from, now).await?;
            tx.commit().await?;
            Ok(freed)
        })
        .await
    }

    /// Takes the oldest reading that nobody has.
    pub async fn claim_chart(&self, worker: &str, now: i64) -> Result<Option<ChartFetch>, StoreError> {
        let mut tx = self.begin().await?;
        let claimed = rows!(
            &mut tx,
            "UPDATE chart_fetches
            SET worker_id = $1, claimed_at = $2
            WHERE id = (SELECT min(f.id) FROM chart_fetches AS f WHERE f.outcome IS NULL AND f.worker_id IS NULL)
                AND worker_id IS NULL
                AND outcome IS NULL
            RETURNING id, region, period, new_to_top_100, commercial, slot_at, pages, pages_read",
            worker,
            now
        )?;
        let claimed = claimed.first().map(chart_fetch).transpose()?;
        tx.commit().await?;
        Ok(claimed)
    }

    /// Enters a request for the next page of a reading, its credits reserved.
    pub async fn claim_chart_page(
        &self,
        who: Claimer<'_>,
        fetch: &ChartFetch,
        attempts: i64,
        now: i64,
    ) -> Result<PageClaimed, StoreError> {
        undisturbed(async || self.claim_page_once(who, fetch, attempts, now).await).await
    }

    async fn claim_page_once(
        &self,
        who: Claimer<'_>,
        fetch: &ChartFetch,
        attempts: i64,
        now: i64,
    ) -> Result<PageClaimed, StoreError> {
        let mut tx = self.begin().await?;
        let spent = budget::lock(&mut tx, now).await?;
        let pause = pauses::pause_of(&mut tx, who.key_fingerprint).await?;
        if let Some(pause) = &pause {
            if pause.until > now {
                return Ok(PageClaimed::Paused(pause.clone()));
            }
            pauses::prolong(&mut tx, who.key_fingerprint, now + PROBE).await?;
        }
        if spent.requests_left(who.budget) == 0 {
            return Ok(PageClaimed::OverBudget);
        }
        let page = fetch.pages_read + 1;
        let Some(n) = next_n(&mut tx, who.worker, fetch.id, page).await? else {
            return Ok(PageClaimed::NotOurs);
        };
        if n > attempts {
            return Ok(PageClaimed::TriedOften);
        }
        let entered = rows!(
            &mut tx,
            "INSERT INTO chart_requests (chart_fetch_id, page, n, state, sent_at, credits)
            VALUES ($1, $2, $3, 'sent', $4, $5)
            RETURNING id",
            fetch.id,
            page,
            n,
            now,
            who.budget.credits_per_request
        )?;
        budget::add(&mut tx, now, who.budget.credits_per_request).await?;
        let Some(request_id) = entered.first().map(|row| row.get("id")).transpose()? else {
            return Ok(PageClaimed::NotOurs);
        };
        tx.commit().await?;
        let ask = ChartAsk {
            chart: fetch.chart,
            page,
        };
        let claim = ChartClaim {
            chart_fetch_id: fetch.id,
            request_id,
            n,
            sent_at: now,
            ask,
        };
        Ok(PageClaimed::Yes {
            claim,
            probes: pause.is_some(),
        })
    }

    /// Ends a reading of which no further page may be asked.
    pub async fn end_chart(
        &self,
        worker: &str,
        id: i64,
        outcome: Outcome,
        reason: Reason,
        now: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        execute!(
            &mut tx,
            "UPDATE chart_fetches
            SET outcome = $3, reason = $4, settled_at = $5
            WHERE id = $1 AND worker_id = $2 AND outcome IS NULL",
            id,
            worker,
            outcome.as_str(),
            reason.as_str(),
            now
        )?;
        tx.commit().await
    }

    /// Gives a reading back, for the next start or another worker.
    pub async fn leave_chart(&self, worker: &str, id: i64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        execute!(
            &mut tx,
            "UPDATE chart_fetches
            SET worker_id = NULL, claimed_at = NULL
            WHERE id = $1 AND worker_id = $2 AND outcome IS NULL",
            id,
            worker
        )?;
        tx.commit().await
    }
}

/// The number of the next request for a page, if the reading is still ours.
async fn next_n(tx: &mut Tx, worker: &str, fetch: i64, page: i64) -> Result<Option<i64>, StoreError> {
    let kept = execute!(
        &mut *tx,
        "UPDATE chart_fetches SET worker_id = $2 WHERE id = $1 AND worker_id = $2 AND outcome IS NULL",
        fetch,
        worker
    )?;
    if kept == 0 {
        return Ok(None);
    }
    let tried = rows!(
        tx,
        "SELECT coalesce(max(n), 0) + 1 AS n FROM chart_requests WHERE chart_fetch_id = $1 AND page = $2",
        fetch,
        page
    )?;
    tried.first().map(|row| row.get("n")).transpose()
}

async fn free_charts(tx: &mut Tx, worker: &str, silent_before: i64, now: i64) -> Result<u64, StoreError> {
    let freed = execute!(
        &mut *tx,
        "UPDATE chart_fetches
        SET worker_id = NULL, claimed_at = NULL
        WHERE outcome IS NULL
            AND worker_id IS NOT NULL
            AND (
                worker_id = $1
                OR worker_id NOT IN (SELECT w.id FROM workers AS w WHERE w.heartbeat_at >= $2)
            )",
        worker,
        silent_before
    )?;
    execute!(
        tx,
        "UPDATE chart_requests
        SET state = 'unknown', settled_at = $1, error = 'the process ended before an answer came'
        WHERE state = 'sent'
            AND chart_fetch_id IN (
                SELECT f.id FROM chart_fetches AS f WHERE f.outcome IS NULL AND f.worker_id IS NULL
            )",
        now
    )?;
    Ok(freed)
}

async fn settle_left_charts(
    tx: &mut Tx,
    worker: &str,
    catch_up_from: i64,
    now: i64,
) -> Result<u64, StoreError> {
    execute!(
        tx,
        "WITH left_over AS (
            SELECT f.id, (SELECT count(*) FROM chart_requests AS r WHERE r.chart_fetch_id = f.id) AS tried
            FROM chart_fetches AS f
            WHERE f.outcome IS NULL
                AND f.worker_id IS NULL
                AND (
                    f.slot_at < $1
                    OR EXISTS (
                        SELECT 1
                        FROM chart_fetches AS newer
                        WHERE newer.region = f.region
                            AND newer.period = f.period
                            AND newer.new_to_top_100 = f.new_to_top_100
                            AND newer.commercial = f.commercial
                            AND newer.slot_at > f.slot_at
                    )
                )
        )
        UPDATE chart_fetches
        SET
            outcome = CASE WHEN o.tried > 0 THEN 'failed' ELSE 'skipped' END,
            reason = CASE WHEN o.tried > 0 THEN 'cut_off' ELSE 'missed' END,
            worker_id = $2,
            settled_at = $3
        FROM left_over AS o
        WHERE chart_fetches.id = o.id",
        catch_up_from,
        worker,
        now
    )
}

fn chart_fetch(row: &Row) -> Result<ChartFetch, StoreError> {
    let days: i64 = row.get("period")?;
    let window =
        Window::of_days(days).ok_or_else(|| StoreError::Unreadable(format!("a chart of {days} days")))?;
    let region: Region = row.parse("region")?;
    Ok(ChartFetch {
        id: row.get("id")?,
        chart: Chart {
            region,
            window,
            new_to_top_100: row.get("new_to_top_100")?,
            commercial: row.get("commercial")?,
        },
        slot_at: row.get("slot_at")?,
        pages: row.get("pages")?,
        pages_read: row.get("pages_read")?,
    })
}
