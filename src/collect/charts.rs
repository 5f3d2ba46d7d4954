//! Reading charts: the pages of each one after the other, a request at a time, through the same ledger,
//! pace, budget and pauses as the slots of targets.

mod spooled;

use super::fetch::{Next, waits};
use super::pack::unpack;
use super::read::Taken;
use super::{Collector, Cut, PassError, Stop, Tally};
use crate::api::{Exchange, Verdict, wire};
use crate::clock::rfc3339;
use crate::config::Budget;
use crate::model::{Chart, ChartAsk, ChartClaim, ChartPage, Outcome, Reason};
use crate::spool::Slot;
use crate::store::charts::{ChartEnd, ChartFetch, ChartSettlement, PageClaimed};
use crate::store::settle::Payload;
use std::time::Duration;

pub(super) use spooled::is_of_chart;

/// What reading the charts that were open came to.
#[derive(Clone, Debug, Default)]
pub struct ChartsRead {
    /// Readings that have ended, whatever they brought.
    pub ended: u64,
    /// Why some were not read to their end, if so.
    pub cut: Option<Cut>,
}

/// What became of the next page.
enum Page {
    /// It is there, and more are wanted.
    Read,
    /// It is to be asked for again, after this wait.
    Again(Duration),
    /// The reading has ended, or is somebody else's now.
    End,
    /// Nothing more may be asked.
    Cut(Cut),
}

impl Collector {
    /// Reads all charts that are open: those that were entered, and those that a process has left which
    /// is gone. They go on with the first page that was not read.
    ///
    /// # Errors
    /// As for a pass: what was settled stays settled, what had come is in the spool.
    pub async fn read_charts(&self, stop: &Stop) -> Result<ChartsRead, PassError> {
        let tally = Tally {
            report: std::sync::Mutex::default(),
            observe: &|_| {},
        };
        self.recover(&tally).await?;
        let now = self.clock.now();
        let silent_before = self.signs_of_life().silent_before(now);
        let catch_up_from = self.limits.catch_up_from(now);
        let freed = self
            .store
            .take_over_charts(&self.worker.id, catch_up_from, silent_before, now)
            .await?;
        if freed > 0 {
            tracing::warn!(charts = freed, "took over charts that were left open");
        }
        let mut read = ChartsRead::default();
        while !stop.requested() {
            let Some(fetch) = self.store.claim_chart(&self.worker.id, self.clock.now()).await? else {
                break;
            };
            match self.read_chart(fetch, stop).await? {
                Some(Cut::Stopped) => read.cut = Some(Cut::Stopped),
                cut => {
                    read.ended += 1;
                    read.cut = cut.or(read.cut);
                }
            }
        }
        Ok(read)
    }

    /// Reads one chart, page by page.
    async fn read_chart(&self, mut fetch: ChartFetch, stop: &Stop) -> Result<Option<Cut>, PassError> {
        let mut backoff = waits();
        let mut last = None;
        loop {
            if !self.ready(stop).await {
                self.store.leave_chart(&self.worker.id, fetch.id).await?;
                return Ok(Some(Cut::Stopped));
            }
            match self.next_page(&fetch, &mut last, &mut backoff).await? {
                Page::Read => {
                    fetch.pages_read += 1;
                    backoff = waits();
                    last = None;
                }
                Page::Again(wait) => {
                    if !self.wait_to_retry(wait, stop).await {
                        self.store.leave_chart(&self.worker.id, fetch.id).await?;
                        return Ok(Some(Cut::Stopped));
                    }
                }
                Page::End => return Ok(None),
                Page::Cut(cut) => return Ok(Some(cut)),
            }
        }
    }

    /// Asks for the next page once. `last` is why the request before it failed, if it did.
    async fn next_page(
        &self,
        fetch: &ChartFetch,
        last: &mut Option<Reason>,
        backoff: &mut impl Iterator<Item = Duration>,
    ) -> Result<Page, PassError> {
        let slot = self.spool.reserve().map_err(|error| self.no_room(error))?;
        let claimed = self
            .store
            .claim_chart_page(self.claimer(), fetch, self.limits.attempts, self.clock.now())
            .await?;
        let PageClaimed::Yes { claim, probes } = claimed else {
            self.spool.release(slot);
            return self.no_page(fetch, claimed, *last).await;
        };
        let taken = beside(self.client.send(&claim.ask).await, self.limits.budget).await;
        let next = taken.next;
        self.keep_pace(next);
        let cut = match next {
            Next::Refused(reason, least) => Some(self.pause_key(reason, None, least).await),
            _ => None,
        };
        let again = match next {
            Next::Again(reason, after) if claim.n < self.limits.attempts => {
                *last = Some(reason);
                let jittered = backoff.next().unwrap_or_default().mul_f64(fastrand::f64());
                Some(after.unwrap_or(jittered).max(self.pace.pause_left()))
            }
            _ => None,
        };
        let ended = self
            .settle_page(settlement(taken, claim, self.clock.now(), again.is_none()), slot)
            .await?;
        // Not before the answer is kept: an error must not lose it.
        let cut = cut.transpose()?.map(Cut::Paused);
        if probes && matches!(next, Next::End) {
            self.store.resume(&self.key_fingerprint).await?;
            tracing::info!("the key works again: asking goes on");
        }
        Ok(match (cut, ended, again) {
            (Some(cut), ..) => Page::Cut(cut),
            (None, Some(_), _) => Page::End,
            (None, None, Some(wait)) => Page::Again(wait),
            (None, None, None) => Page::Read,
        })
    }

    /// Settles a page, or keeps it in its room when the database fails.
    async fn settle_page(
        &self,
        settlement: ChartSettlement,
        slot: Slot,
    ) -> Result<Option<Outcome>, PassError> {
        match self.store.settle_chart(&settlement).await {
            Ok(ended) => {
                self.spool.release(slot);
                tell(&settlement, ended);
                Ok(ended)
            }
            Err(error) => {
                self.keep_page(settlement, slot);
                Err(error.into())
            }
        }
    }

    /// Ends a reading of which no further page may be asked.
    async fn no_page(
        &self,
        fetch: &ChartFetch,
        why: PageClaimed,
        last: Option<Reason>,
    ) -> Result<Page, PassError> {
        let (reason, page) = match why {
            PageClaimed::OverBudget => (Reason::Budget, Page::Cut(Cut::Budget)),
            PageClaimed::Paused(pause) => (Reason::Paused, Page::Cut(Cut::Paused(Some(pause)))),
            PageClaimed::TriedOften => (Reason::CutOff, Page::End),
            PageClaimed::NotOurs | PageClaimed::Yes { .. } => return Ok(Page::End),
        };
        let untried = fetch.pages_read == 0 && last.is_none() && reason != Reason::CutOff;
        let outcome = if untried {
            Outcome::Skipped
        } else {
            Outcome::Failed
        };
        tracing::warn!(chart = %fetch.chart, outcome = outcome.as_str(), reason = reason.as_str(), "chart not read to its end");
        self.store
            .end_chart(&self.worker.id, fetch.id, outcome, reason, self.clock.now())
            .await?;
        Ok(page)
    }
}

/// Reads an answer on a thread of its own. It was paid for, so it is kept even if reading it should fail.
async fn beside(exchange: Exchange<ChartAsk>, budget: Budget) -> Taken<ChartPage> {
    let kept = exchange.clone();
    match tokio::task::spawn_blocking(move || Taken::of(exchange.read(), budget)).await {
        Ok(taken) => taken,
        Err(error) => Taken::of(kept.unread(&error.to_string()), budget),
    }
}

fn settlement(taken: Taken<ChartPage>, claim: ChartClaim, at: i64, last: bool) -> ChartSettlement {
    let end = match taken.verdict {
        Verdict::Content(page) => ChartEnd::Page(page),
        Verdict::NoData => ChartEnd::NoData,
        Verdict::Rejected(reason) => ChartEnd::Rejected(reason),
        Verdict::Refused(reason) | Verdict::Failed(reason) => ChartEnd::Failed(reason),
        Verdict::Retry { reason, .. } if last => ChartEnd::Failed(reason),
        Verdict::Retry { .. } => ChartEnd::Retrying,
    };
    ChartSettlement {
        claim,
        at,
        attempt: taken.attempt,
        payload: taken.payload,
        end,
    }
}

fn tell(settlement: &ChartSettlement, ended: Option<Outcome>) {
    let ChartSettlement { claim, attempt, .. } = settlement;
    let (chart, page) = (claim.ask.chart, claim.ask.page);
    match (&settlement.end, ended) {
        (ChartEnd::Page(_), _) => {
            tracing::debug!(%chart, page, at = rfc3339(settlement.at), "page of a chart read")
        }
        (_, Some(outcome)) => tracing::warn!(
            %chart,
            page,
            outcome = outcome.as_str(),
            http_status = attempt.http_status,
            error = attempt.error.as_deref(),
            "chart settled"
        ),
        (_, None) => {
            tracing::debug!(%chart, page, error = attempt.error.as_deref(), "asking for a page again");
        }
    }
}

/// The pages of a chart, read again from their kept answers. What can't be read any more is left out.
pub fn pages_of(chart: &Chart, answers: &[(i64, Payload)]) -> Vec<ChartPage> {
    let page = |(page, payload): &(i64, Payload)| {
        let ask = ChartAsk {
            chart: *chart,
            page: *page,
        };
        match wire::read_chart(&ask, 200, &unpack(payload).ok()?).verdict {
            Verdict::Content(page) => Some(*page),
            _ => None,
        }
    };
    answers.iter().filter_map(page).collect()
}
