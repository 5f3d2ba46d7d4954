//! Where and how to ask, and what is too dangerous to try.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Url, redirect};
use secrecy::{ExposeSecret, SecretString};

use super::client::deepest;
use crate::problem::Problem;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where and how to ask.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The API's address, without the path.
    pub base_url: String,
    /// The key; never shown, and sent nowhere but to `base_url`.
    pub key: SecretString,
    /// For a whole request, from connecting to the last byte.
    pub timeout: Duration,
    /// How many connections are worth keeping open.
    pub max_in_flight: usize,
}

impl Settings {
    /// The client underneath.
    pub(super) fn http_client(&self, https: bool) -> Result<reqwest::Client, Problem> {
        // A connection attempt must end before the request does: what never connected is not charged.
        let connect_timeout = CONNECT_TIMEOUT.min(self.timeout.min(2 * CONNECT_TIMEOUT) * 9 / 10);
        let builder = http_client(https)
            .default_headers(
                [(ACCEPT, HeaderValue::from_static("application/json"))]
                    .into_iter()
                    .collect(),
            )
            .connect_timeout(connect_timeout)
            .pool_max_idle_per_host(self.max_in_flight);
        builder.build().map_err(|error| no_https(&error))
    }

    /// The address below which the endpoints are.
    pub(super) fn url(&self) -> Result<Url, Problem> {
        let base =
            Url::parse(&self.base_url).map_err(|e| Problem::new(format!("api.base_url is no URL: {e}")))?;
        if !base.username().is_empty() || base.password().is_some() {
            return Err(Problem::new("api.base_url holds a user name or a password")
                .help("the API wants only its key, which has its own setting"));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(Problem::new("api.base_url must end before any ? or #"));
        }
        if base.scheme() != "https" && !(base.scheme() == "http" && is_loopback(&base)) {
            let message = format!("api.base_url is {base}: the key would travel unencrypted");
            return Err(Problem::new(message).help("use https; plain http is only for this machine itself"));
        }
        Ok(base)
    }

    /// The header that holds the key.
    pub(super) fn authorization(&self) -> Result<HeaderValue, Problem> {
        let key = self.key.expose_secret();
        if key.is_empty() {
            return Err(Problem::new("the API key is empty"));
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| {
            Problem::new("the API key holds characters that can't be sent, e.g. a line break")
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// What all clients have in common: secrets go where they are meant to go, and nowhere else.
pub(crate) fn http_client(https: bool) -> reqwest::ClientBuilder {
    // Whoever was first has installed the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .user_agent(concat!("soundwatch/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false);
    if https {
        builder
    } else {
        // Without TLS there is no need for CA files, which a small machine may not have.
        builder.tls_certs_only([])
    }
}

/// Why no client can be made.
pub(crate) fn no_https(error: &reqwest::Error) -> Problem {
    Problem::new(format!("HTTPS can't be used: {}", deepest(error)))
        .help("install the system's CA files: the package is mostly called ca-certificates")
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
