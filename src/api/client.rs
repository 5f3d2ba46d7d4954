//! The one function that sends a request to the paid API.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest::{Response, Url};
use secrecy::{ExposeSecret, SecretString};

use super::mask::mask;
use super::settings::Settings;
use super::{Question, Received, Verdict, is_charged, retry_after};
use crate::clock::Clock;
use crate::model::{Ask, AttemptState, Reason};
use crate::problem::Problem;

/// The largest body that is read, after gunzip: a known answer has about 4 KiB.
pub const BODY_LIMIT: usize = 4 << 20;

/// What is kept of a larger body: enough to see what it was.
pub const KEPT_OF_TOO_LARGE: usize = 64 << 10;

const WAIT_WITHOUT_RETRY_AFTER: Duration = Duration::from_secs(60);

/// A shorter key is a toy of a test, and would be found by chance in any body.
const SHORTEST_MASKED_KEY: usize = 6;

/// The way to the API.
pub struct Client {
    http: reqwest::Client,
    /// The address below which the endpoints are.
    base: Url,
    authorization: HeaderValue,
    key: SecretString,
    timeout: Duration,
    clock: Clock,
}

impl Client {
    /// A client for these settings; nothing is sent yet.
    pub fn new(settings: Settings, clock: Clock) -> Result<Self, Problem> {
        let base = settings.url()?;
        Ok(Self {
            http: settings.http_client(base.scheme() == "https")?,
            base,
            authorization: settings.authorization()?,
            key: settings.key,
            timeout: settings.timeout,
            clock,
        })
    }

    /// Sends one request and reads its answer.
    pub async fn ask(&self, ask: &Ask) -> Received {
        self.send(ask).await.read()
    }

    /// Sends one request and takes what comes.
    ///
    /// It is sent once: redirects are not followed and nothing is retried here. What went wrong
    /// on the way is told apart by what may have been charged:
    ///
    /// - no connection came about: `NotSent`, `connection`;
    /// - the connection broke before the head of an answer: `Unknown`, `connection`;
    /// - an answer began and did not end, or was not what its headers say: `Unknown`, `cut_off`;
    /// - the time was over after connecting: `Unknown`, `timeout`;
    /// - the head of an answer says that it is an error: `Answered`, whatever became of its body.
    pub async fn send<Q: Question>(&self, ask: &Q) -> Exchange<Q> {
        let begun = self.clock.monotonic();
        let mut head = None;
        let exchange = tokio::time::timeout(self.timeout, self.exchange(ask, &mut head)).await;
        let body = exchange.unwrap_or_else(|_| Err(Broken::timeout(self.timeout)));
        let latency = self.clock.monotonic().saturating_sub(begun);
        Exchange {
            ask: ask.clone(),
            head,
            body,
            latency_ms: i64::try_from(latency.as_millis()).unwrap_or(i64::MAX),
            key: self.key.clone(),
        }
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }

    /// The body of the answer, over the limit if there is more. `head` is filled as soon as it is
    /// known, so that it survives a timeout.
    async fn exchange<Q: Question>(&self, ask: &Q, head: &mut Option<Head>) -> Result<Vec<u8>, Broken> {
        let request = self
            .http
            .get(self.url(Q::PATH))
            .query(&ask.parameters())
            .header(AUTHORIZATION, self.authorization.clone());
        let mut response = request.send().await.map_err(|e| Broken::sending(&e))?;
        let head = head.insert(Head::of(&response, self.clock.now()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| Broken::reading(&e, head))? {
            body.extend_from_slice(&chunk);
            head.bytes_read = body.len();
            if body.len() > BODY_LIMIT {
                break;
            }
        }
        Ok(body)
    }
}

/// One request and what came of it, not yet read.
#[derive(Clone, Debug)]
pub struct Exchange<Q = Ask> {
    ask: Q,
    head: Option<Head>,
    body: Result<Vec<u8>, Broken>,
    latency_ms: i64,
    key: SecretString,
}

impl<Q: Question> Exchange<Q> {
    /// What came, without a look into it: for an answer on which reading has failed.
    pub fn unread(mut self, why: &str) -> Received<Q::Content> {
        let mut body = match std::mem::replace(&mut self.body, Ok(Vec::new())) {
            Ok(body) => body,
            Err(broken) => return broken.received(self.head.as_ref(), self.latency_ms),
        };
        self.mask(&mut body);
        let http_status = self.head.as_ref().map(|head| i64::from(head.http_status));
        Received {
            state: AttemptState::Answered,
            http_status,
            api_code: None,
            message: None,
            request_id: None,
            latency_ms: self.latency_ms,
            charged: is_charged(AttemptState::Answered, http_status, None),
            size_bytes: i64::try_from(body.len()).unwrap_or(i64::MAX),
            payload: Some(body),
            error: Some(format!(
                "soundwatch failed while it read this answer: {why}. Please report it"
            )),
            verdict: Verdict::Rejected(Reason::WrongShape),
        }
    }

    /// Reads what came. This takes some 0.1 ms of a processor.
    pub fn read(mut self) -> Received<Q::Content> {
        let body = std::mem::replace(&mut self.body, Ok(Vec::new()));
        match (body, self.head.take()) {
            (Ok(body), Some(head)) => self.answered(&head, body),
            (Err(_), Some(head)) if !head.is_success() => Received {
                payload: None,
                ..self.answered(&head, Vec::new())
            },
            (Err(broken), head) => broken.received(head.as_ref(), self.latency_ms),
            (Ok(_), None) => Broken::no_answer("no answer").received(None, self.latency_ms),
        }
    }

    fn answered(&self, head: &Head, mut body: Vec<u8>) -> Received<Q::Content> {
        self.mask(&mut body);
        let mut reading = self.ask.read(head.http_status, &body);
        if let Verdict::Retry { reason, after } = &mut reading.verdict {
            let unsaid = (*reason == Reason::RateLimited).then_some(WAIT_WITHOUT_RETRY_AFTER);
            *after = head.retry_after.or(unsaid);
        }
        if body.len() > BODY_LIMIT {
            body.truncate(KEPT_OF_TOO_LARGE);
        }
        let http_status = Some(i64::from(head.http_status));
        Received {
            state: AttemptState::Answered,
            http_status,
            api_code: reading.api_code,
            message: self.masked(reading.message),
            request_id: self.masked(reading.request_id),
            latency_ms: self.latency_ms,
            charged: is_charged(AttemptState::Answered, http_status, reading.api_code),
            payload: Some(body),
            size_bytes: i64::try_from(head.bytes_read).unwrap_or(i64::MAX),
            error: self.masked(reading.error),
            verdict: reading.verdict,
        }
    }

    fn mask(&self, body: &mut [u8]) {
        let key = self.key.expose_secret().as_bytes();
        if key.len() >= SHORTEST_MASKED_KEY {
            mask(body, key);
        }
    }

    /// The same for texts that were put together from an answer.
    fn masked(&self, text: Option<String>) -> Option<String> {
        let key = self.key.expose_secret();
        text.map(|text| {
            if key.len() >= SHORTEST_MASKED_KEY && text.contains(key) {
                text.replace(key, &"*".repeat(key.len()))
            } else {
                text
            }
        })
    }
}

/// What is known of an answer as soon as it begins.
#[derive(Clone, Debug)]
struct Head {
    http_status: u16,
    retry_after: Option<Duration>,
    bytes_read: usize,
}

impl Head {
    fn of(response: &Response, now: i64) -> Self {
        let header = response.headers().get(RETRY_AFTER);
        Self {
            http_status: response.status().as_u16(),
            retry_after: header
                .and_then(|value| value.to_str().ok())
                .and_then(|text| retry_after::read(text, now)),
            bytes_read: 0,
        }
    }

    fn is_success(&self) -> bool {
        (200..300).contains(&self.http_status)
    }
}

/// A request without a complete answer.
#[derive(Clone, Debug)]
struct Broken {
    state: AttemptState,
    reason: Reason,
    error: String,
}

impl Broken {
    fn sending(error: &reqwest::Error) -> Self {
        let cause = deepest(error);
        if !error.is_connect() && !error.is_builder() {
            return Self::no_answer(&cause);
        }
        let error = if error.is_timeout() {
            "could not connect: no answer in time".to_owned()
        } else {
            format!("could not connect: {cause}")
        };
        Self {
            state: AttemptState::NotSent,
            reason: Reason::Connection,
            error,
        }
    }

    fn no_answer(cause: &str) -> Self {
        Self {
            state: AttemptState::Unknown,
            reason: Reason::Connection,
            error: format!("the connection broke before an answer came: {cause}"),
        }
    }

    fn reading(error: &reqwest::Error, head: &Head) -> Self {
        let (bytes, cause) = (head.bytes_read, deepest(error));
        Self {
            state: AttemptState::Unknown,
            reason: Reason::CutOff,
            error: format!("the answer broke off after {bytes} bytes: {cause}"),
        }
    }

    fn timeout(timeout: Duration) -> Self {
        Self {
            state: AttemptState::Unknown,
            reason: Reason::Timeout,
            error: format!("no complete answer within {timeout:?}"),
        }
    }

    fn received<C>(self, head: Option<&Head>, latency_ms: i64) -> Received<C> {
        let http_status = head.map(|head| i64::from(head.http_status));
        Received {
            state: self.state,
            http_status,
            api_code: None,
            message: None,
            request_id: None,
            latency_ms,
            charged: is_charged(self.state, http_status, None),
            payload: None,
            size_bytes: head.map_or(0, |head| i64::try_from(head.bytes_read).unwrap_or(i64::MAX)),
            error: Some(self.error),
            verdict: Verdict::Retry {
                reason: self.reason,
                after: None,
            },
        }
    }
}

/// The cause of the cause: what stands above it only says that a request failed.
pub(crate) fn deepest(error: &dyn Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
