//! What an exchange with the API came to: read, hashed and packed, ready to be settled.

use super::content_hash;
use super::fetch::Next;
use super::pack::pack;
use crate::api::{Exchange, Received, Verdict};
use crate::config::Budget;
use crate::model::{AttemptState, Claim, Reason};
use crate::store::settle::{AttemptFacts, End, Payload, Settlement};

/// One attempt, as far as its answer tells.
pub(super) struct Read {
    /// What follows.
    pub(super) next: Next,
    attempt: AttemptFacts,
    payload: Option<Payload>,
    /// What becomes of the fetch; `Err` if another attempt may mend it.
    end: Result<End, Reason>,
}

impl Read {
    /// Reads an exchange on a thread of its own: it takes longer than anything else here, and
    /// meanwhile every step of the database and every other answer would wait for it.
    pub(super) async fn beside(exchange: Exchange, budget: Budget) -> Self {
        let reading = tokio::task::spawn_blocking(move || Self::of(exchange.read(), budget));
        reading
            .await
            .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    fn of(received: Received, budget: Budget) -> Self {
        let next = Next::after(&received.verdict);
        let body = received.payload.as_deref();
        let payload = body.map(|body| pack(body, received.size_bytes));
        let end = match received.verdict {
            Verdict::Content(content) => Ok(End::Content {
                hash: content_hash(&content),
                content,
            }),
            Verdict::NoData => Ok(End::NoData),
            Verdict::Rejected(reason) => Ok(End::Rejected(reason)),
            Verdict::Refused(reason) | Verdict::Failed(reason) => Ok(End::Failed(reason)),
            Verdict::Retry { reason, .. } => Err(reason),
        };
        let attempt = AttemptFacts {
            state: received.state,
            http_status: received.http_status,
            api_code: received.api_code,
            message: received.message,
            request_id: received.request_id,
            latency_ms: received.latency_ms,
            error: received.error,
            charged: received.charged && received.state != AttemptState::NotSent,
            credits: budget.credits_per_request,
        };
        Self {
            next,
            attempt,
            payload,
            end,
        }
    }

    /// What it means for the ledger; `last` tells that no attempt follows.
    pub(super) fn settlement(self, claim: &Claim, at: i64, last: bool) -> Settlement {
        Settlement {
            claim: claim.clone(),
            at,
            attempt: self.attempt,
            payload: self.payload,
            end: self
                .end
                .unwrap_or_else(|reason| if last { End::Failed(reason) } else { End::Retrying }),
        }
    }
}
