//! Settling: what came of a batch of attempts, in one transaction, so that one commit serves many.

mod late;
pub mod reparse;
mod rows;

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{Store, StoreError, Tx, budget, execute, json_rows, rows};
use crate::model::{AttemptState, Claim, Content, Outcome, Reason};
pub use late::Waiting;
use rows::{count_unknown_fields, insert_rows, insert_snapshots, upsert_sounds, write_rows};

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
        let mut tries = 0;
        loop {
            match self.settle_once(batch).await {
                Err(error) if error.is_conflict() && tries < 5 => tries += 1,
                done => return done,
            }
        }
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

/// Those of the batch's fetches that have no outcome yet. Writing to them keeps other workers off
/// them until the transaction ends, on both databases.
async fn open_fetches(tx: &mut Tx, batch: &[Settlement]) -> Result<HashSet<i64>, StoreError> {
    let mut ids: Vec<(i64,)> = batch.iter().map(|s| (s.claim.fetch_id,)).collect();
    ids.sort_unstable();
    let rows = rows!(
        tx,
        "UPDATE fetches
        SET outcome = NULL
        FROM json_each($1) AS r
        WHERE fetches.id = CAST(r.value->>0 AS BIGINT) AND fetches.outcome IS NULL
        RETURNING fetches.id AS id",
        json_rows(&ids)?
    )?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// The newest snapshot of each target that has new content: its ID and the hash of its content.
async fn newest_snapshots(
    tx: &mut Tx,
    batch: &[Settlement],
) -> Result<HashMap<i64, (i64, Vec<u8>)>, StoreError> {
    let wanted: Vec<(i64, i64)> = batch
        .iter()
        .filter(|s| matches!(s.end, End::Content { .. }))
        .map(|s| (s.claim.target_id, s.claim.ask.window.days()))
        .collect();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = rows!(
        tx,
        "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
        SELECT s.target_id, s.id, s.content_hash
        FROM r
        JOIN snapshots AS s ON s.id = (
            SELECT n.id
            FROM snapshots AS n
            WHERE n.target_id = CAST(r.value->>0 AS BIGINT) AND n.period_days = CAST(r.value->>1 AS BIGINT)
            ORDER BY n.last_fetched_at DESC, n.id DESC
            LIMIT 1
        )",
        json_rows(&wanted)?
    )?;
    rows.iter()
        .map(|row| Ok((row.get("target_id")?, (row.get("id")?, row.get("content_hash")?))))
        .collect()
}

/// The bodies go in as one blob of which each row takes its part: bytes in JSON would be written
/// and read several times.
async fn insert_payloads(tx: &mut Tx, plan: &[Plan<'_>]) -> Result<(), StoreError> {
    let mut payloads: Vec<(&Payload, i64)> = plan
        .iter()
        .filter_map(|p| p.payload().map(|payload| (payload, p.settlement.at)))
        .collect();
    payloads.sort_unstable_by_key(|(payload, _)| payload.hash);
    payloads.dedup_by_key(|(payload, _)| payload.hash);
    let mut bodies: Vec<u8> = Vec::new();
    let mut rows: Vec<(String, usize, usize, i64, i64)> = Vec::new();
    for (payload, at) in payloads {
        let begins = bodies.len() + 1;
        rows.push((
            hex::encode(payload.hash),
            begins,
            payload.body.len(),
            payload.size_bytes,
            at,
        ));
        bodies.extend_from_slice(&payload.body);
    }
    if rows.is_empty() {
        return Ok(());
    }
    execute!(
        tx,
        "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
        INSERT INTO payloads (hash, body, size_bytes, received_at)
        SELECT
            unhex(r.value->>0),
            substr($2, CAST(r.value->>1 AS INTEGER), CAST(r.value->>2 AS INTEGER)),
            CAST(r.value->>3 AS BIGINT),
            CAST(r.value->>4 AS BIGINT)
        FROM r
        WHERE true
        ON CONFLICT (hash) DO NOTHING",
        json_rows(&rows)?,
        &bodies
    )?;
    Ok(())
}

#[derive(Serialize)]
struct AttemptRow<'a>(
    i64,
    &'a str,
    i64,
    Option<i64>,
    Option<i64>,
    Option<&'a str>,
    Option<&'a str>,
    i64,
    Option<String>,
    Option<&'a str>,
    bool,
);

async fn update_attempts(tx: &mut Tx, plan: &[Plan<'_>]) -> Result<(), StoreError> {
    let rows: Vec<AttemptRow<'_>> = plan
        .iter()
        .map(|p| {
            let attempt = &p.settlement.attempt;
            AttemptRow(
                p.settlement.claim.attempt_id,
                attempt.state.as_str(),
                p.settlement.at,
                attempt.http_status,
                attempt.api_code,
                attempt.message.as_deref(),
                attempt.request_id.as_deref(),
                attempt.latency_ms,
                p.payload().map(|payload| hex::encode(payload.hash)),
                attempt.error.as_deref(),
                attempt.charged,
            )
        })
        .collect();
    execute!(
        tx,
        "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
        UPDATE attempts
        SET
            state = r.value->>1,
            settled_at = CAST(r.value->>2 AS BIGINT),
            http_status = CAST(r.value->>3 AS BIGINT),
            api_code = CAST(r.value->>4 AS BIGINT),
            message = r.value->>5,
            request_id = r.value->>6,
            latency_ms = CAST(r.value->>7 AS BIGINT),
            payload_hash = unhex(r.value->>8),
            error = r.value->>9,
            credits = CASE WHEN CAST(r.value->>10 AS BOOLEAN) THEN credits ELSE 0 END
        FROM r
        WHERE attempts.id = CAST(r.value->>0 AS BIGINT)",
        json_rows(&rows)?
    )?;
    Ok(())
}

async fn confirm_snapshots(tx: &mut Tx, plan: &[Plan<'_>]) -> Result<(), StoreError> {
    let rows: Vec<(i64, i64)> = plan
        .iter()
        .filter_map(|p| p.confirms.map(|id| (id, p.settlement.at)))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    execute!(
        tx,
        "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
        UPDATE snapshots
        SET confirmations = confirmations + 1, last_fetched_at = CAST(r.value->>1 AS BIGINT)
        FROM r
        WHERE snapshots.id = CAST(r.value->>0 AS BIGINT)",
        json_rows(&rows)?
    )?;
    Ok(())
}

async fn update_fetches(
    tx: &mut Tx,
    plan: &[Plan<'_>],
    stored: &HashMap<i64, i64>,
) -> Result<(), StoreError> {
    let rows: Vec<_> = plan
        .iter()
        .filter_map(|p| {
            let (outcome, reason) = p.settled()?;
            let new = p
                .new
                .and_then(|_| stored.get(&p.settlement.claim.target_id).copied());
            Some((
                p.settlement.claim.fetch_id,
                outcome.as_str(),
                reason.map(Reason::as_str),
                p.confirms.or(new),
                p.settlement.at,
            ))
        })
        .collect();
    write_rows(
        tx,
        "WITH r AS MATERIALIZED (SELECT value FROM json_each($1))
        UPDATE fetches
        SET
            outcome = r.value->>1,
            reason = r.value->>2,
            snapshot_id = CAST(r.value->>3 AS BIGINT),
            settled_at = CAST(r.value->>4 AS BIGINT)
        FROM r
        WHERE fetches.id = CAST(r.value->>0 AS BIGINT) AND fetches.outcome IS NULL",
        &rows,
    )
    .await
}
