//! Calls to addresses that a person has configured: a webhook, a monitor. They have a client of their
//! own, so that the API's key can never go there, and no redirect is followed.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, StatusCode};
use serde::Serialize;

use crate::api::{deepest, http_client, no_https};
use crate::clock::Clock;
use crate::collect::Stop;
use crate::config::SecretUrl;

/// For a whole call.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Calls in all, until one succeeds.
const TRIES: usize = 5;

/// Why a call did not succeed, without the address.
struct Failed {
    why: String,
    /// The same again may succeed.
    passing: bool,
}

/// Sends a document, again if need be.
pub(super) async fn post(
    url: &SecretUrl,
    document: &impl Serialize,
    clock: &Clock,
    stop: &Stop,
) -> Result<(), String> {
    let body = serde_json::to_vec(document).map_err(|error| error.to_string())?;
    let client = client(url)?;
    let request = || {
        let request = client.post(url.expose()).header(CONTENT_TYPE, "application/json");
        request.body(body.clone())
    };
    persistently(request, clock, stop).await
}

/// Calls an address, again if need be.
pub(super) async fn get(url: &SecretUrl, clock: &Clock, stop: &Stop) -> Result<(), String> {
    let client = client(url)?;
    persistently(|| client.get(url.expose()), clock, stop).await
}

fn client(url: &SecretUrl) -> Result<reqwest::Client, String> {
    let client = http_client(url.is_https()).timeout(TIMEOUT).build();
    client.map_err(|error| no_https(&error.without_url()).to_string())
}

/// Between tries it waits from 1 s, doubling, with full jitter.
async fn persistently(
    request: impl Fn() -> RequestBuilder,
    clock: &Clock,
    stop: &Stop,
) -> Result<(), String> {
    let mut waits = ExponentialBuilder::new()
        .with_min_delay(Duration::from_secs(1))
        .with_factor(2.0)
        .with_max_times(TRIES - 1)
        .build();
    let mut stop = stop.clone();
    loop {
        let Err(failed) = once(request()).await else {
            return Ok(());
        };
        let Some(wait) = waits.next().filter(|_| failed.passing) else {
            return Err(failed.why);
        };
        tokio::select! {
            () = clock.sleep(wait.mul_f64(fastrand::f64())) => {}
            () = stop.wait() => return Err(failed.why),
        }
    }
}

async fn once(request: RequestBuilder) -> Result<(), Failed> {
    let status = match request.send().await {
        Ok(response) => response.status(),
        Err(error) => {
            let timeout = error.is_timeout();
            let why = if timeout {
                format!("no answer within {TIMEOUT:?}")
            } else {
                deepest(&error.without_url())
            };
            return Err(Failed { why, passing: true });
        }
    };
    if status.is_success() {
        return Ok(());
    }
    let passing = status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
        );
    let redirect = if status.is_redirection() {
        ", and redirects are not followed"
    } else {
        ""
    };
    Err(Failed {
        why: format!("it answers HTTP {}{redirect}", status.as_u16()),
        passing,
    })
}
