//! What came of a request for a page of a chart: its facts, its bytes, its sounds and their ranks, in
//! one transaction.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::DAY;
use crate::model::{AttemptState, ChartClaim, ChartEntry, ChartPage, Outcome, Reason, SoundFacts};
use crate::store::settle::{AttemptFacts, Payload, Waiting, upsert_sound_facts};
use crate::store::{Many, Store, StoreError, Tx, budget, execute, rows, undisturbed};

/// What came of a request for a page.
#[derive(Clone, Debug)]
pub struct ChartSettlement {
    /// The request.
    pub claim: ChartClaim,
    /// Unix seconds.
    pub at: i64,
    /// What is known of it.
    pub attempt: AttemptFacts,
    /// The answer's bytes, if they are kept.
    pub payload: Option<Payload>,
    /// What it means for the reading.
    pub end: ChartEnd,
}

/// What a request means for its reading.
#[derive(Clone, Debug)]
pub enum ChartEnd {
    /// A page.
    Page(Box<ChartPage>),
    /// A success without data.
    NoData,
    /// An unusable answer.
    Rejected(Reason),
    /// Given up.
    Failed(Reason),
    /// Another request for the page follows.
    Retrying,
}

impl Store {
    /// Settles a request. Gives the outcome of the reading if it has ended; one that another worker has
    /// ended, or goes on with, keeps what that one found.
    pub async fn settle_chart(&self, settlement: &ChartSettlement) -> Result<Option<Outcome>, StoreError> {
        undisturbed(async || self.settle_chart_once(settlement).await).await
    }

    async fn settle_chart_once(&self, settlement: &ChartSettlement) -> Result<Option<Outcome>, StoreError> {
        let mut tx = self.begin().await?;
        if !settlement.attempt.charged {
            give_back(&mut tx, settlement.claim.request_id).await?;
        }
        let open = open_fetch(&mut tx, &settlement.claim).await?;
        insert_payload(&mut tx, settlement).await?;
        update_request(&mut tx, settlement).await?;
        let mut ended = None;
        if let Some(pages) = open {
            ended = match &settlement.end {
                ChartEnd::Page(page) => store_page(&mut tx, settlement, page, pages).await?,
                ChartEnd::NoData if settlement.claim.ask.page > 1 => Some((Outcome::Stored, None)),
                ChartEnd::NoData => Some((Outcome::NoData, None)),
                ChartEnd::Rejected(reason) => Some((Outcome::Rejected, Some(*reason))),
                ChartEnd::Failed(reason) => Some((Outcome::Failed, Some(*reason))),
                ChartEnd::Retrying => None,
            };
            if let Some((outcome, reason)) = ended {
                end(&mut tx, settlement, outcome, reason).await?;
            }
        }
        tx.commit().await?;
        Ok(ended.map(|(outcome, _)| outcome))
    }

    /// What the ledger knows of a request of which the answer had to wait.
    pub async fn waiting_chart(&self, claim: &ChartClaim) -> Result<Waiting, StoreError> {
        let mut tx = self.read().await?;
        let found = rows!(
            &mut tx,
            "SELECT r.state
            FROM chart_requests AS r
            JOIN chart_fetches AS f ON f.id = r.chart_fetch_id
            WHERE r.id = $1 AND f.id = $2 AND r.page = $3 AND r.n = $4 AND r.sent_at = $5
                AND f.region = $6 AND f.period = $7",
            claim.request_id,
            claim.chart_fetch_id,
            claim.ask.page,
            claim.n,
            claim.sent_at,
            claim.ask.chart.region.as_str(),
            claim.ask.chart.window.days()
        )?;
        let Some(row) = found.first() else {
            return Ok(Waiting::Foreign);
        };
        let state: String = row.get("state")?;
        let settled = [AttemptState::Answered, AttemptState::NotSent].map(AttemptState::as_str);
        Ok(if settled.contains(&state.as_str()) {
            Waiting::Settled
        } else {
            Waiting::Open
        })
    }
}

/// Credits that were not charged go back to the day from which they were taken, once.
async fn give_back(tx: &mut Tx, request_id: i64) -> Result<(), StoreError> {
    let found = rows!(
        &mut *tx,
        "SELECT sent_at / 86400 AS day, credits FROM chart_requests WHERE id = $1",
        request_id
    )?;
    for row in found {
        let (day, credits): (i64, i64) = (row.get("day")?, row.get("credits")?);
        budget::add(tx, day * DAY, -credits).await?;
    }
    Ok(())
}

/// The pages that are wanted of the reading, if it waits for this page; kept from other workers until
/// the transaction ends.
async fn open_fetch(tx: &mut Tx, claim: &ChartClaim) -> Result<Option<i64>, StoreError> {
    execute!(
        &mut *tx,
        "UPDATE chart_fetches SET pages_read = pages_read WHERE id = $1",
        claim.chart_fetch_id
    )?;
    let found = rows!(
        tx,
        "SELECT pages FROM chart_fetches WHERE id = $1 AND outcome IS NULL AND pages_read = $2",
        claim.chart_fetch_id,
        claim.ask.page - 1
    )?;
    found.first().map(|row| row.get("pages")).transpose()
}

async fn insert_payload(tx: &mut Tx, settlement: &ChartSettlement) -> Result<(), StoreError> {
    let payloads: Vec<&Payload> = settlement.payload.iter().collect();
    Many::of(&payloads)
        .blob("hash", |payload| &payload.hash[..])
        .blob("body", |payload| &payload.body[..])
        .int("size_bytes", |payload| payload.size_bytes)
        .int("received_at", |_| settlement.at)
        .execute(
            tx,
            "WITH r AS ({rows})
            INSERT INTO payloads (hash, body, size_bytes, received_at)
            SELECT hash, body, size_bytes, received_at
            FROM r
            WHERE true
            ON CONFLICT (hash) DO NOTHING",
        )
        .await?;
    Ok(())
}

async fn update_request(tx: &mut Tx, settlement: &ChartSettlement) -> Result<(), StoreError> {
    let attempt = &settlement.attempt;
    execute!(
        tx,
        "UPDATE chart_requests
        SET
            state = $2,
            settled_at = $3,
            http_status = $4,
            api_code = $5,
            message = $6,
            request_id = $7,
            latency_ms = $8,
            payload_hash = $9,
            error = $10,
            credits = CASE WHEN $11 THEN credits ELSE 0 END
        WHERE id = $1",
        settlement.claim.request_id,
        attempt.state.as_str(),
        settlement.at,
        attempt.http_status,
        attempt.api_code,
        attempt.message.as_deref(),
        attempt.request_id.as_deref(),
        attempt.latency_ms,
        settlement.payload.as_ref().map(|payload| &payload.hash[..]),
        attempt.error.as_deref(),
        attempt.charged
    )?;
    Ok(())
}

type Ended = Option<(Outcome, Option<Reason>)>;

/// Stores the sounds and ranks of a page. Gives the outcome if it was the last one.
async fn store_page(
    tx: &mut Tx,
    settlement: &ChartSettlement,
    page: &ChartPage,
    pages: i64,
) -> Result<Ended, StoreError> {
    let claim = &settlement.claim;
    let sounds: BTreeMap<&str, (i64, SoundFacts)> = page
        .entries
        .iter()
        .map(|entry| (entry.clip_id.as_str(), (settlement.at, entry.sound.clone())))
        .collect();
    upsert_sound_facts(tx, sounds).await?;
    let (known, seen_at) = known_entries(tx, claim, settlement.at).await?;
    let new = insert_entries(tx, claim, &page.entries, known, seen_at).await?;
    execute!(
        &mut *tx,
        "UPDATE chart_fetches SET pages_read = $2 WHERE id = $1",
        claim.chart_fetch_id,
        claim.ask.page
    )?;
    let last = claim.ask.page >= pages || page.is_last(usize::try_from(new).unwrap_or(usize::MAX));
    let outcome = if known == 0 && new == 0 {
        Outcome::NoData
    } else {
        Outcome::Stored
    };
    Ok(last.then_some((outcome, None)))
}

/// The place of the last sound that the reading has found, and when its first page came.
async fn known_entries(tx: &mut Tx, claim: &ChartClaim, at: i64) -> Result<(i64, i64), StoreError> {
    let found = rows!(
        tx,
        "SELECT coalesce(max(position), 0) AS last, coalesce(min(seen_at), $2) AS seen_at
        FROM chart_entries
        WHERE chart_fetch_id = $1",
        claim.chart_fetch_id,
        at
    )?;
    match found.first() {
        Some(row) => Ok((row.get("last")?, row.get("seen_at")?)),
        None => Ok((0, at)),
    }
}

/// Enters what was on no page before: a chart may move between two pages. Gives how many that were.
async fn insert_entries(
    tx: &mut Tx,
    claim: &ChartClaim,
    entries: &[ChartEntry],
    known: i64,
    seen_at: i64,
) -> Result<u64, StoreError> {
    let mut seen = BTreeSet::new();
    let once = entries.iter().filter(|entry| seen.insert(&entry.clip_id));
    let placed: Vec<(i64, &ChartEntry)> = (known + 1..).zip(once).collect();
    Many::of(&placed)
        .int("chart_fetch_id", |_| claim.chart_fetch_id)
        .int("position", |(position, _)| *position)
        .text("region", |_| claim.ask.chart.region.as_str())
        .int("period", |_| claim.ask.chart.window.days())
        .int("seen_at", |_| seen_at)
        .int("rank", |(_, entry)| entry.rank)
        .int("rank_diff", |(_, entry)| entry.rank_diff)
        .int("rank_diff_type", |(_, entry)| entry.rank_diff_type)
        .text("clip_id", |(_, entry)| entry.clip_id.as_str())
        .execute(
            tx,
            "WITH r AS ({rows})
            INSERT INTO chart_entries (
                chart_fetch_id, position, region, period, seen_at, rank, rank_diff, rank_diff_type, clip_id
            )
            SELECT chart_fetch_id, position, region, period, seen_at, rank, rank_diff, rank_diff_type, clip_id
            FROM r
            WHERE true
            ON CONFLICT (chart_fetch_id, clip_id) DO NOTHING",
        )
        .await
}

async fn end(
    tx: &mut Tx,
    settlement: &ChartSettlement,
    outcome: Outcome,
    reason: Option<Reason>,
) -> Result<(), StoreError> {
    execute!(
        tx,
        "UPDATE chart_fetches SET outcome = $2, reason = $3, settled_at = $4 WHERE id = $1",
        settlement.claim.chart_fetch_id,
        outcome.as_str(),
        reason.map(Reason::as_str),
        settlement.at
    )?;
    Ok(())
}
