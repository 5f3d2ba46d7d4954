//! Pages of charts that have come while the database was away: kept in the spool as other answers are.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use std::sync::PoisonError;

use crate::api::{Verdict, wire};
use crate::collect::spooled::{EndFacts, Facts, parts, unpacked};
use crate::collect::{Collector, PassError};
use crate::model::ChartClaim;
use crate::spool::Slot;
use crate::store::StoreError;
use crate::store::charts::{ChartEnd, ChartSettlement};
use crate::store::settle::{Payload, Waiting};

/// What the record of a page begins with, unlike any other.
const BEGINNING: &[u8] = b"{\"chart\":";

/// The first line of a record.
#[derive(Serialize, Deserialize)]
struct OfChart {
    chart: Facts<ChartClaim>,
}

/// Whether a record of the spool holds a page of a chart.
pub(in crate::collect) fn is_of_chart(record: &[u8]) -> bool {
    record.starts_with(BEGINNING)
}

impl Collector {
    /// Keeps a page that the database did not take.
    pub(super) fn keep_page(&self, settlement: ChartSettlement, slot: Slot) {
        let record = encode(&settlement);
        let kept = slot
            .keep(&record)
            .or_else(|_| self.spool.reserve()?.keep(&record));
        let chart = settlement.claim.ask.chart;
        match kept {
            Ok(()) => tracing::warn!(%chart, "a page of a chart waits in the spool"),
            Err(error) => {
                tracing::error!(%chart, %error, "a page of a chart waits in memory only: neither the database nor the spool takes it");
                self.stranded_pages
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(settlement);
            }
        }
    }

    /// Settles what waits in memory.
    pub(in crate::collect) async fn recover_stranded_pages(&self) -> Result<(), PassError> {
        let stranded = || self.stranded_pages.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            // The lock is not held while the database is waited for.
            let Some(settlement) = stranded().last().cloned() else {
                return Ok(());
            };
            self.store.settle_chart(&settlement).await?;
            stranded().pop();
        }
    }

    /// Settles what a record of the spool holds, if it waits for that.
    pub(in crate::collect) async fn settle_late_page(&self, record: &[u8]) -> Result<Waiting, StoreError> {
        let settlement = settlement_of(record).map_err(StoreError::Unreadable)?;
        let waiting = self.store.waiting_chart(&settlement.claim).await?;
        if waiting == Waiting::Open {
            tracing::info!(chart = %settlement.claim.ask.chart, "settling a page that had to wait");
            self.store.settle_chart(&settlement).await?;
        }
        Ok(waiting)
    }
}

fn encode(settlement: &ChartSettlement) -> Vec<u8> {
    let chart = Facts {
        claim: settlement.claim.clone(),
        at: settlement.at,
        attempt: settlement.attempt.clone(),
        end: match settlement.end {
            ChartEnd::Page(_) => EndFacts::Content,
            ChartEnd::NoData => EndFacts::NoData,
            ChartEnd::Rejected(reason) => EndFacts::Rejected(reason),
            ChartEnd::Failed(reason) => EndFacts::Failed(reason),
            ChartEnd::Retrying => EndFacts::Retrying,
        },
        size_bytes: settlement.payload.as_ref().map(|payload| payload.size_bytes),
    };
    // Texts, numbers and our own words: there is nothing in it that could fail.
    let mut record = serde_json::to_vec(&OfChart { chart }).unwrap_or_default();
    record.push(b'\n');
    record.extend(settlement.payload.iter().flat_map(|payload| &payload.body));
    record
}

fn settlement_of(record: &[u8]) -> Result<ChartSettlement, String> {
    let (facts, packed) = parts(record)?;
    let OfChart { chart: facts } = serde_json::from_slice(facts).map_err(|e| e.to_string())?;
    let bytes = facts.size_bytes.map(|_| unpacked(packed)).transpose()?;
    let end = match facts.end {
        EndFacts::Content => {
            match wire::read_chart(&facts.claim.ask, 200, bytes.as_deref().unwrap_or_default()).verdict {
                Verdict::Content(page) => ChartEnd::Page(page),
                other => return Err(format!("the payload reads differently now: {other:?}")),
            }
        }
        EndFacts::NoData => ChartEnd::NoData,
        EndFacts::Rejected(reason) => ChartEnd::Rejected(reason),
        EndFacts::Failed(reason) => ChartEnd::Failed(reason),
        EndFacts::Retrying => ChartEnd::Retrying,
    };
    let payload = bytes.zip(facts.size_bytes).map(|(bytes, size_bytes)| Payload {
        hash: Sha256::digest(&bytes).into(),
        body: packed.to_vec(),
        size_bytes,
    });
    Ok(ChartSettlement {
        claim: facts.claim,
        at: facts.at,
        attempt: facts.attempt,
        payload,
        end,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::pack::pack;
    use crate::model::{AttemptState, Chart, ChartAsk, Region, Window};
    use crate::store::settle::AttemptFacts;

    #[test]
    fn a_page_comes_out_of_its_record_as_it_went_in() {
        let recorded = include_bytes!("../../../tests/data/music_list_US_7d.json");
        let chart = Chart {
            region: Region::US,
            window: Window::Days7,
            new_to_top_100: true,
            commercial: false,
        };
        let ask = ChartAsk { chart, page: 1 };
        let Verdict::Content(page) = wire::read_chart(&ask, 200, recorded).verdict else {
            panic!("no page")
        };
        let before = ChartSettlement {
            claim: ChartClaim {
                chart_fetch_id: 1,
                request_id: 2,
                n: 3,
                sent_at: 4,
                ask,
            },
            at: 5,
            attempt: AttemptFacts {
                state: AttemptState::Answered,
                http_status: Some(200),
                api_code: Some(0),
                message: None,
                request_id: None,
                latency_ms: 6,
                error: None,
                charged: true,
                credits: 2,
            },
            payload: Some(pack(recorded, i64::try_from(recorded.len()).unwrap())),
            end: ChartEnd::Page(page),
        };
        let record = encode(&before);
        assert!(is_of_chart(&record));
        let after = settlement_of(&record).unwrap();
        assert_eq!(format!("{after:?}"), format!("{before:?}"));
    }
}
