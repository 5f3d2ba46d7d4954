//! Settling: what came of a batch of attempts, in one transaction, so that one commit serves many.

mod again;
mod late;
mod rebuild;
pub mod reparse;
mod rows;

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{Many, Store, StoreError, Tx, budget, json_rows, rows, trend_index, undisturbed};
use crate::model::{AttemptState, Claim, Content, Outcome, Reason};
pub use late::Waiting;
pub(super) use rows::upsert_sound_facts;
use rows::{count_unknown_fields, insert_rows, insert_snapshots, upsert_sounds};

/// What came of one attempt, and of its fetch if it ended with it.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The fetch and its attempt.
    pub claim: Claim,
    /// Unix seconds.
    pub at: i64,
    /// What is known of the request.
    pub attempt: AttemptFacts,
    /// The answer's bytes, if they are kept.
    pub payload: Option<Payload>,
    /// What became of the fetch.
    pub end: End,
}

/// What is known of one request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "named as the columns of the table attempts, which docs/sql.md explains"
)]
pub struct AttemptFacts {
    pub state: AttemptState,
    pub http_status: Option<i64>,
    pub api_code: Option<i64>,
    pub message: Option<String>,
    pub request_id: Option<String>,
    pub latency_ms: i64,
    pub error: Option<String>,
    /// Whether its credits stay counted as spent.
    pub charged: bool,
    /// The credits that were reserved for it.
    pub credits: i64,
}

/// The bytes of an answer, compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// SHA-256 of the bytes before compression.
    pub hash: [u8; 32],
    /// zstd.
    pub body: Vec<u8>,
    /// Before compression.
    pub size_bytes: i64,
}

/// What became of a fetch.
#[derive(Clone, Debug)]
pub enum End {
    /// Content: stored, or confirmed if the newest snapshot says the same.
    Content {
        /// What the answer says.
        content: Box<Content>,
        /// SHA-256 of it in canonical form.
        hash: [u8; 32],
    },
    /// A success without data.
    NoData,
    /// An unusable answer.
    Rejected(Reason),
    /// Given up.
    Failed(Reason),
    /// Not given up: another attempt follows.
    Retrying,
}

/// What one settlement came to: `None` while another attempt follows.
pub type Settled = Option<(Outcome, Option<Reason>)>;

impl Store {
    /// Settles a batch in the order given. Each target may occur once in it. A conflict with another
    /// worker undoes all of it and is tried again.
    pub async fn settle(&self, batch: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        undisturbed(async || self.settle_once(batch).await).await
    }

    async fn settle_once(&self, batch: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        let mut tx = self.begin().await?;
        give_back(&mut tx, batch).await?;
        let open = open_fetches(&mut tx, batch).await?;
        let newest = newest_snapshots(&mut tx, batch).await?;
        let plan: Vec<Plan<'_>> = batch.iter().map(|s| Plan::of(s, &open, &newest)).collect();
        insert_payloads(&mut tx, &plan).await?;
        update_attempts(&mut tx, &plan).await?;
        confirm_snapshots(&mut tx, &plan).await?;
        let stored = insert_snapshots(&mut tx, &plan).await?;
        upsert_sounds(&mut tx, batch).await?;
        insert_rows(&mut tx, &plan, &stored).await?;
        count_unknown_fields(&mut tx, batch).await?;
        update_fetches(&mut tx, &plan, &stored).await?;
        mark_for_index(&mut tx, &plan).await?;
        tx.commit().await?;
        Ok(plan.iter().map(Plan::settled).collect())
    }
}

/// A settlement with what it means for its fetch and the snapshots.
struct Plan<'a> {
    settlement: &'a Settlement,
    /// Whether the fetch waits for this. It does not when the worker was taken for dead and another
    /// one was faster: of such a late answer only the attempt and the payload are kept.
    open: bool,
    /// The content and its hash, if it is new.
    new: Option<(&'a Content, [u8; 32])>,
    /// The snapshot that says the same.
    confirms: Option<i64>,
}

impl<'a> Plan<'a> {
    fn of(settlement: &'a Settlement, open: &HashSet<i64>, newest: &HashMap<i64, (i64, Vec<u8>)>) -> Self {
        let open = open.contains(&settlement.claim.fetch_id);
        let (new, confirms) = match &settlement.end {
            End::Content { content, hash } if open => match newest.get(&settlement.claim.target_id) {
                Some((id, known)) if known == hash => (None, Some(*id)),
                _ => (Some((&**content, *hash)), None),
            },
            _ => (None, None),
        };
        Self {
            settlement,
            open,
            new,
            confirms,
        }
    }

    /// A payload is kept for all answers but those that only confirm.
    fn payload(&self) -> Option<&'a Payload> {
        self.settlement
            .payload
            .as_ref()
            .filter(|_| self.confirms.is_none())
    }

    fn settled(&self) -> Settled {
        match self.settlement.end {
            _ if !self.open => None,
            End::Content { .. } if self.confirms.is_some() => Some((Outcome::Confirmed, None)),
            End::Content { .. } => Some((Outcome::Stored, None)),
            End::NoData => Some((Outcome::NoData, None)),
            End::Rejected(reason) => Some((Outcome::Rejected, Some(reason))),
            End::Failed(reason) => Some((Outcome::Failed, Some(reason))),
            End::Retrying => None,
        }
    }
}

/// Credits of attempts that were not charged go back to the day from which they were taken. What the
/// rows still hold is given back, so that settling twice gives back once.
async fn give_back(tx: &mut Tx, batch: &[Settlement]) -> Result<(), StoreError> {
    let free: Vec<(i64,)> = batch
        .iter()
        .filter(|s| !s.attempt.charged)
        .map(|s| (s.claim.attempt_id,))
        .collect();
    if free.is_empty() {
        return Ok(());
    }
    let days = rows!(
        tx,
        "SELECT a.sent_at / 86400 AS day, CAST(sum(a.credits) AS BIGINT) AS credits
        FROM json_each($1) AS r
        JOIN attempts AS a ON a.id = CAST(r.value->>0 AS BIGINT)
        GROUP BY 1
        ORDER BY 1",
        json_rows(&free)?
    )?;
    for row in days {
        let (day, credits): (i64, i64) = (row.get("day")?, row.get("credits")?);
        budget::add(tx, day * crate::clock::DAY, -credits).await?;
    }
    Ok(())
}

/// Those of the batch's fetches that have no outcome yet, kept from other workers until the transaction
/// ends. (With `IS NULL` Postgres would read the index of what is unsettled, in which each settled fetch
/// leaves an entry until the next vacuum.)
async fn open_fetches(tx: &mut Tx, batch: &[Settlement]) -> Result<HashSet<i64>, StoreError> {
    let mut ids: Vec<i64> = batch.iter().map(|s| s.claim.fetch_id).collect();
    ids.sort_unstable();
    let sql = format!(
        "WITH r AS ({{rows}})
        SELECT f.id
        FROM r
        JOIN fetches AS f ON f.id = r.id
        WHERE coalesce(f.outcome, '') = ''
        ORDER BY f.id
        {}",
        tx.keep("f")
    );
    let rows = Many::of(&ids).int("id", |id| *id).fetch(tx, &sql).await?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// The newest snapshot of each target that has new content: its ID and the hash of its content.
async fn newest_snapshots(
    tx: &mut Tx,
    batch: &[Settlement],
) -> Result<HashMap<i64, (i64, Vec<u8>)>, StoreError> {
    let wanted: Vec<&Claim> = batch
        .iter()
        .filter(|s| matches!(s.end, End::Content { .. }))
        .map(|s| &s.claim)
        .collect();
    let rows = Many::of(&wanted)
        .int("target_id", |claim| claim.target_id)
        .int("period_days", |claim| claim.ask.window.days())
        .fetch(
            tx,
            "WITH r AS ({rows})
            SELECT s.target_id, s.id, s.content_hash
            FROM r
            JOIN snapshots AS s ON s.id = (
                SELECT n.id
                FROM snapshots AS n
                WHERE n.target_id = r.target_id AND n.period_days = r.period_days
                ORDER BY n.last_fetched_at DESC, n.id DESC
                LIMIT 1
            )",
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.get("target_id")?, (row.get("id")?, row.get("content_hash")?))))
        .collect()
}

async fn insert_payloads(tx: &mut Tx, plan: &[Plan<'_>]) -> Result<(), StoreError> {
    let mut payloads: Vec<(&Payload, i64)> = plan
        .iter()
        .filter_map(|p| p.payload().map(|payload| (payload, p.settlement.at)))
        .collect();
    payloads.sort_unstable_by_key(|(payload, _)| payload.hash);
    payloads.dedup_by_key(|(payload, _)| payload.hash);
    Many::of(&payloads)
        .blob("hash", |(payload, _)| &payload.hash[..])
        .blob("body", |(payload, _)| &payload.body[..])
        .int("size_bytes", |(payload, _)| payload.size_bytes)
        .int("received_at", |(_, at)| *at)
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

async fn update_attempts(tx: &mut Tx, plan: &[Plan<'_>]) -> Result<(), StoreError> {
    Many::of(plan)
        .int("id", |p| p.settlement.claim.attempt_id)
        .text("state", |p| p.settlement.attempt.state.as_str())
        .int("settled_at", |p| p.settlement.at)
        .int("http_status", |p| p.settlement.attempt.http_status)
        .int("api_code", |p| p.settlement.attempt.api_code)
        .text("message", |p| p.settlement.attempt.message.as_deref())
        .text("request_id", |p| p.settlement.attempt.request_id.as_deref())
        .int("latency_ms", |p| p.settlement.attempt.latency_ms)
        .blob("payload_hash", |p| p.payload().map(|payload| &payload.hash[..]))
        .text("error", |p| p.settlement.attempt.error.as_deref())
        .flag("charged", |p| p.settlement.attempt.charged)
        .execute(
            tx,
            "WITH r AS ({rows})
            UPDATE attempts
            SET
                state = r.state,
                settled_at = r.settled_at,
                http_status = r.http_status,
                api_code = r.api_code,
                message = r.message,
                request_id = r.request_id,
                latency_ms = r.latency_ms,
                payload_hash = r.payload_hash,
                error = r.error,
                credits = CASE WHEN r.charged THEN credits ELSE 0 END
            FROM r
            WHERE attempts.id = r.id",
        )
        .await?;
    Ok(())
}

/// New windows change the index of their series.
async fn mark_for_index(tx: &mut Tx, plan: &[Plan<'_>]) -> Result<(), StoreError> {
    let marks = plan.iter().filter(|p| p.new.is_some()).map(|p| {
        let ask = &p.settlement.claim.ask;
        (ask.clip_id.as_str(), ask.region.as_str(), p.settlement.at)
    });
    trend_index::mark(tx, &marks.collect::<Vec<_>>()).await
}

/// A snapshot may have been seen again later than by this answer.
async fn confirm_snapshots(tx: &mut Tx, plan: &[Plan<'_>]) -> Result<(), StoreError> {
    let confirmed: Vec<(i64, i64)> = plan
        .iter()
        .filter_map(|p| p.confirms.map(|id| (id, p.settlement.at)))
        .collect();
    Many::of(&confirmed)
        .int("id", |(id, _)| *id)
        .int("at", |(_, at)| *at)
        .execute(
            tx,
            "WITH r AS ({rows})
            UPDATE snapshots
            SET
                confirmations = confirmations + 1,
                last_fetched_at = CASE WHEN last_fetched_at < r.at THEN r.at ELSE last_fetched_at END
            FROM r
            WHERE snapshots.id = r.id",
        )
        .await?;
    Ok(())
}

/// A fetch that has ended.
struct EndedFetch {
    id: i64,
    outcome: Outcome,
    reason: Option<Reason>,
    snapshot_id: Option<i64>,
    at: i64,
}

async fn update_fetches(
    tx: &mut Tx,
    plan: &[Plan<'_>],
    stored: &HashMap<i64, i64>,
) -> Result<(), StoreError> {
    let ended = |p: &Plan<'_>| {
        let (outcome, reason) = p.settled()?;
        let new = p
            .new
            .and_then(|_| stored.get(&p.settlement.claim.target_id).copied());
        Some(EndedFetch {
            id: p.settlement.claim.fetch_id,
            outcome,
            reason,
            snapshot_id: p.confirms.or(new),
            at: p.settlement.at,
        })
    };
    let ended: Vec<EndedFetch> = plan.iter().filter_map(ended).collect();
    Many::of(&ended)
        .int("id", |f| f.id)
        .text("outcome", |f| f.outcome.as_str())
        .text("reason", |f| f.reason.map(Reason::as_str))
        .int("snapshot_id", |f| f.snapshot_id)
        .int("at", |f| f.at)
        .execute(
            tx,
            "WITH r AS ({rows})
            UPDATE fetches
            SET outcome = r.outcome, reason = r.reason, snapshot_id = r.snapshot_id, settled_at = r.at
            FROM r
            WHERE fetches.id = r.id",
        )
        .await?;
    Ok(())
}
