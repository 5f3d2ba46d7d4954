//! Claims: who gets a row asks, and who does not get it does not ask. Credits are reserved in the
//! same transaction, so that a request that is not in the ledger is never sent.

use super::due::Due;
use super::pauses::Pause;
use super::{Many, Store, StoreError, Tx, budget, execute, pauses, periods, undisturbed};
use crate::config::Budget;
use crate::model::{Ask, Claim, Period, Reason, Window};

/// While a probe is under way the others wait, and so does the next probe when it came to nothing
/// (seconds).
const PROBE: i64 = 60;

/// What is needed to claim.
#[derive(Clone, Copy, Debug)]
pub struct Claimer<'a> {
    /// This worker's ID.
    pub worker: &'a str,
    /// The key, by its fingerprint.
    pub key_fingerprint: &'a str,
    /// What may be spent.
    pub budget: Budget,
}

/// What came of claiming.
#[derive(Debug, PartialEq, Eq)]
pub enum Claimed {
    /// These are ours; fewer than were asked for when another worker was faster.
    Yes(Vec<Claim>),
    /// The budget pays for no further request.
    OverBudget,
    /// The key is paused.
    Paused(Pause),
}

/// What came of claiming another attempt.
#[derive(Debug, PartialEq, Eq)]
pub enum Retry {
    /// The claim of the next attempt.
    Yes(Claim),
    /// The budget pays for no further request.
    OverBudget,
    /// The key is paused.
    Paused,
    /// Another worker took us for dead, and the fetch over.
    NotOurs,
}

impl Store {
    /// Claims as many of these slots as the budget pays for, each with its first attempt. With a
    /// pause on that is not over, nothing; `probe` is the one request that tries out whether it is.
    pub async fn claim(
        &self,
        who: Claimer<'_>,
        due: &[Due],
        probe: bool,
        now: i64,
    ) -> Result<Claimed, StoreError> {
        undisturbed(async || self.claim_once(who, due, probe, now).await).await
    }

    async fn claim_once(
        &self,
        who: Claimer<'_>,
        due: &[Due],
        probe: bool,
        now: i64,
    ) -> Result<Claimed, StoreError> {
        let mut tx = self.begin().await?;
        let spent = budget::lock(&mut tx, now).await?;
        if let Some(pause) = pauses::pause_of(&mut tx, who.key_fingerprint).await?
            && !(probe && pause.until <= now)
        {
            return Ok(Claimed::Paused(pause));
        }
        if probe {
            pauses::prolong(&mut tx, who.key_fingerprint, now + PROBE).await?;
        }
        let affordable = usize::try_from(spent.requests_left(who.budget)).unwrap_or(usize::MAX);
        if affordable == 0 {
            return Ok(Claimed::OverBudget);
        }
        let due = due.get(..affordable.min(due.len())).unwrap_or(due);
        let fetches = claim_fetches(&mut tx, who.worker, due, now).await?;
        let ids: Vec<i64> = fetches.iter().map(|(id, ..)| *id).collect();
        let attempts = reserve(&mut tx, who.budget, &ids, now).await?;
        tx.commit().await?;
        let claims = fetches.into_iter().filter_map(|(fetch_id, due, window)| {
            let (_, attempt_id, n) = attempts.iter().find(|(id, ..)| *id == fetch_id)?;
            Some(Claim {
                fetch_id,
                attempt_id: *attempt_id,
                n: *n,
                target_id: due.target_id,
                slot_at: due.slot_at,
                sent_at: now,
                ask: Ask {
                    clip_id: due.clip_id.clone(),
                    region: due.region,
                    window,
                },
            })
        });
        Ok(Claimed::Yes(claims.collect()))
    }

    /// Reserves a further attempt for a fetch that is still ours.
    pub async fn claim_retry(&self, who: Claimer<'_>, claim: &Claim, now: i64) -> Result<Retry, StoreError> {
        undisturbed(async || self.claim_retry_once(who, claim, now).await).await
    }

    async fn claim_retry_once(&self, who: Claimer<'_>, claim: &Claim, now: i64) -> Result<Retry, StoreError> {
        let mut tx = self.begin().await?;
        let spent = budget::lock(&mut tx, now).await?;
        if pauses::pause_of(&mut tx, who.key_fingerprint).await?.is_some() {
            return Ok(Retry::Paused);
        }
        if spent.requests_left(who.budget) == 0 {
            return Ok(Retry::OverBudget);
        }
        let kept = execute!(
            &mut tx,
            "UPDATE fetches SET worker_id = $2 WHERE id = $1 AND worker_id = $2 AND outcome IS NULL",
            claim.fetch_id,
            who.worker
        )?;
        let attempts = match kept {
            0 => Vec::new(),
            _ => reserve(&mut tx, who.budget, &[claim.fetch_id], now).await?,
        };
        let Some((_, attempt_id, n)) = attempts.first() else {
            return Ok(Retry::NotOurs);
        };
        let next = Claim {
            attempt_id: *attempt_id,
            n: *n,
            sent_at: now,
            ..claim.clone()
        };
        tx.commit().await?;
        Ok(Retry::Yes(next))
    }

    /// Records slots that are not asked, with the reason. Rows that are somebody's, or settled, stay.
    pub async fn skip(&self, worker: &str, due: &[Due], reason: Reason, now: i64) -> Result<u64, StoreError> {
        undisturbed(async || self.skip_once(worker, due, reason, now).await).await
    }

    async fn skip_once(
        &self,
        worker: &str,
        due: &[Due],
        reason: Reason,
        now: i64,
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let slots = in_order(due);
        let skipped = slot_rows(&slots)
            .text("reason", |_| reason.as_str())
            .text("worker_id", |_| worker)
            .int("settled_at", |_| now)
            .execute(
                &mut tx,
                "WITH r AS ({rows})
                INSERT INTO fetches (target_id, slot_at, forced, outcome, reason, worker_id, settled_at)
                SELECT target_id, slot_at, forced, 'skipped', reason, worker_id, settled_at
                FROM r
                WHERE true
                ON CONFLICT (target_id, slot_at) DO UPDATE SET
                    outcome = excluded.outcome,
                    reason = excluded.reason,
                    worker_id = excluded.worker_id,
                    settled_at = excluded.settled_at
                WHERE fetches.outcome IS NULL AND fetches.worker_id IS NULL
                    OR fetches.outcome = 'skipped' AND fetches.reason IN ('budget', 'paused')",
            )
            .await?;
        tx.commit().await?;
        Ok(skipped)
    }
}

/// Two workers that write the same rows in different orders would block each other.
fn in_order(due: &[Due]) -> Vec<&Due> {
    let mut slots: Vec<&Due> = due.iter().collect();
    slots.sort_by_key(|due| (due.target_id, due.slot_at));
    slots
}

fn slot_rows<'a>(slots: &'a [&'a Due]) -> Many<'a, &'a Due> {
    Many::of(slots)
        .int("target_id", |due| due.target_id)
        .int("slot_at", |due| due.slot_at)
        .flag("forced", |due| due.forced)
}

/// Claims slots, each with the window that is asked; one that was chosen before stays.
async fn claim_fetches<'d>(
    tx: &mut Tx,
    worker: &str,
    due: &'d [Due],
    now: i64,
) -> Result<Vec<(i64, &'d Due, Window)>, StoreError> {
    let chosen = periods::chosen(tx, due).await?;
    let slots: Vec<(&Due, (Window, Option<String>))> = in_order(due)
        .into_iter()
        .map(|due| match due.period {
            Period::Fixed(window) => (due, (window, None)),
            Period::Auto => (due, chosen.of(due)),
        })
        .collect();
    let rows = Many::of(&slots)
        .int("target_id", |(due, _)| due.target_id)
        .int("slot_at", |(due, _)| due.slot_at)
        .flag("forced", |(due, _)| due.forced)
        .int("period_days", |(_, (window, _))| window.days())
        .text("period_reason", |(_, (_, reason))| reason.as_deref())
        .text("worker_id", |_| worker)
        .int("claimed_at", |_| now)
        .fetch(
            tx,
            "WITH r AS ({rows})
            INSERT INTO fetches (target_id, slot_at, forced, period_days, period_reason, worker_id, claimed_at)
            SELECT t.id, r.slot_at, r.forced, r.period_days, r.period_reason, r.worker_id, r.claimed_at
            FROM r
            JOIN targets AS t ON t.id = r.target_id
            WHERE t.removed_at IS NULL
            ON CONFLICT (target_id, slot_at) DO UPDATE SET
                period_days = coalesce(fetches.period_days, excluded.period_days),
                period_reason = CASE
                    WHEN fetches.period_days IS NULL THEN excluded.period_reason
                    ELSE fetches.period_reason
                END,
                worker_id = excluded.worker_id,
                claimed_at = excluded.claimed_at,
                outcome = NULL,
                reason = NULL,
                settled_at = NULL
            WHERE fetches.outcome IS NULL AND fetches.worker_id IS NULL
                OR fetches.outcome = 'skipped' AND fetches.reason IN ('budget', 'paused')
            RETURNING id, target_id, slot_at, period_days",
        )
        .await?;
    rows.iter()
        .map(|row| {
            let (id, target_id, slot_at): (i64, i64, i64) =
                (row.get("id")?, row.get("target_id")?, row.get("slot_at")?);
            let days: i64 = row.get("period_days")?;
            let window =
                Window::of_days(days).ok_or_else(|| StoreError::Unreadable(format!("period_days {days}")))?;
            due.iter()
                .find(|d| d.target_id == target_id && d.slot_at == slot_at)
                .map(|d| (id, d, window))
                .ok_or_else(|| {
                    StoreError::Unreadable(format!("claimed an unknown slot of target {target_id}"))
                })
        })
        .collect()
}

/// Enters one attempt for each fetch with its credits reserved: (fetch_id, attempt_id, n).
async fn reserve(
    tx: &mut Tx,
    budget: Budget,
    fetches: &[i64],
    now: i64,
) -> Result<Vec<(i64, i64, i64)>, StoreError> {
    let rows = Many::of(fetches)
        .int("fetch_id", |id| *id)
        .int("sent_at", |_| now)
        .int("credits", |_| budget.credits_per_request)
        .fetch(
            tx,
            "WITH r AS ({rows})
            INSERT INTO attempts (fetch_id, n, state, sent_at, credits)
            SELECT
                f.id,
                1 + coalesce((SELECT max(a.n) FROM attempts AS a WHERE a.fetch_id = f.id), 0),
                'sent',
                r.sent_at,
                r.credits
            FROM r
            JOIN fetches AS f ON f.id = r.fetch_id
            WHERE f.outcome IS NULL
            RETURNING id, fetch_id, n",
        )
        .await?;
    let reserved = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    budget::add(tx, now, reserved * budget.credits_per_request).await?;
    rows.iter()
        .map(|row| Ok((row.get("fetch_id")?, row.get("id")?, row.get("n")?)))
        .collect()
}
