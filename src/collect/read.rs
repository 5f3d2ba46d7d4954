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
        Self::by(Exchange::read, exchange, budget).await
    }

    /// An answer was paid for, so it is kept even if reading it should fail.
    async fn by(read: fn(Exchange) -> Received, exchange: Exchange, budget: Budget) -> Self {
        let kept = exchange.clone();
        match tokio::task::spawn_blocking(move || Self::of(read(exchange), budget)).await {
            Ok(done) => done,
            Err(error) => Self::of(kept.unread(&error.to_string()), budget),
        }
    }

    fn of(received: Received, budget: Budget) -> Self {
        let Taken {
            next,
            attempt,
            payload,
            verdict,
        } = Taken::of(received, budget);
        let end = match verdict {
            Verdict::Content(content) => Ok(End::Content {
                hash: content_hash(&content),
                content,
            }),
            Verdict::NoData => Ok(End::NoData),
            Verdict::Rejected(reason) => Ok(End::Rejected(reason)),
            Verdict::Refused(reason) | Verdict::Failed(reason) => Ok(End::Failed(reason)),
            Verdict::Retry { reason, .. } => Err(reason),
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

/// An answer of any kind, as far as the ledger is concerned.
pub(super) struct Taken<C> {
    pub(super) next: Next,
    pub(super) attempt: AttemptFacts,
    pub(super) payload: Option<Payload>,
    pub(super) verdict: Verdict<C>,
}

impl<C> Taken<C> {
    pub(super) fn of(received: Received<C>, budget: Budget) -> Self {
        let body = received.payload.as_deref();
        Self {
            next: Next::after(&received.verdict),
            payload: body.map(|body| pack(body, received.size_bytes)),
            attempt: AttemptFacts {
                state: received.state,
                http_status: received.http_status,
                api_code: received.api_code,
                message: received.message,
                request_id: received.request_id,
                latency_ms: received.latency_ms,
                error: received.error,
                charged: received.charged && received.state != AttemptState::NotSent,
                credits: budget.credits_per_request,
            },
            verdict: received.verdict,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

    use super::*;
    use crate::api::{Client, Settings};
    use crate::clock::Clock;
    use crate::model::{Ask, Region, Window};

    #[tokio::test]
    async fn an_answer_on_which_reading_fails_is_kept() {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(200).set_body_string("{}");
        Mock::given(matchers::any())
            .respond_with(answer)
            .mount(&server)
            .await;
        let settings = Settings {
            base_url: server.uri(),
            key: "sk_live_0123456789abcdef".into(),
            timeout: Duration::from_secs(5),
            max_in_flight: 1,
        };
        let ask = Ask {
            clip_id: "6703723351497508865".parse().unwrap(),
            region: Region::US,
            window: Window::Days7,
        };
        let client = Client::new(settings, Clock::manual(0)).unwrap();
        let exchange = client.send(&ask).await;
        let budget = Budget {
            credits_per_request: 2,
            daily_credits: 10,
            monthly_credits: 10,
        };
        let read = Read::by(|_| panic!("a mistake"), exchange, budget).await;
        assert!(matches!(read.end, Ok(End::Rejected(Reason::WrongShape))));
        assert_eq!(read.payload.unwrap().size_bytes, 2);
        assert!(read.attempt.charged);
        assert!(read.attempt.error.unwrap().contains("report it"));
    }
}
