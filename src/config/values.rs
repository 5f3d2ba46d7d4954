//! Values with rules of their own: the addresses of the API and of the database.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::reader::Wrong;

/// The URL of the database. It may hold a password, so it is only shown without it.
#[derive(Clone)]
pub struct DatabaseUrl(SecretString);

impl DatabaseUrl {
    /// Any URL; `config` has checked it.
    pub fn new(url: impl Into<String>) -> Self {
        Self(SecretString::from(url.into()))
    }

    /// The whole URL, to connect with.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether it is Postgres; else it is SQLite.
    pub fn is_postgres(&self) -> bool {
        is_postgres(self.expose())
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_postgres() {
            return f.write_str(self.expose());
        }
        let Ok(mut url) = Url::parse(self.expose()) else {
            return f.write_str("postgres://***");
        };
        // The parameters may name a password or a key file too; nobody needs them in a log.
        url.set_query(None);
        if url.password().is_some() && url.set_password(Some("***")).is_err() {
            return f.write_str("postgres://***");
        }
        f.write_str(url.as_str())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

/// An address that is a secret as a whole, such as that of a webhook. It is shown nowhere.
#[derive(Clone)]
pub struct SecretUrl(SecretString);

impl SecretUrl {
    /// Takes an https address, or an http address of this machine. The error never repeats it.
    pub(super) fn new(text: &str) -> Result<Self, Wrong> {
        let right = || "write an address such as \"https://hooks.example/abc\", or \"\" for none".to_owned();
        let wrong = |why: &str| Err((why.to_owned(), right()));
        let url = Url::parse(text).map_err(|e| (format!("this is not a URL: {e}"), right()))?;
        match (url.scheme(), url.host_str()) {
            (_, None) => wrong("the URL has no host"),
            ("https", _) => Ok(Self(SecretString::from(text))),
            ("http", Some(host)) if is_loopback(host) => Ok(Self(SecretString::from(text))),
            ("http", _) => wrong("it would be sent unencrypted: plain http is for this machine only"),
            _ => wrong("the URL is neither https nor http"),
        }
    }

    /// The address, to call it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether calling it needs TLS.
    pub fn is_https(&self) -> bool {
        self.expose().starts_with("https")
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretUrl(…)")
    }
}

/// What a webhook takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A JSON document of our own.
    #[default]
    Json,
    /// A text as Slack takes it.
    Slack,
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres:") || url.starts_with("postgresql:")
}

/// Checks the address of the API; the key goes there, so it must not go in the clear.
pub(super) fn base_url(text: &str) -> Result<String, Wrong> {
    let right = || "write an address such as \"https://api.keyapi.ai\"".to_owned();
    let wrong = |why: &str| Err((why.to_owned(), right()));
    if !text.contains("://") {
        let message = format!("{text:?} does not begin with https://");
        return Err((message, right()));
    }
    let url = Url::parse(text.trim()).map_err(|e| (format!("{text:?} is not a URL: {e}"), right()))?;
    match (url.scheme(), url.host_str()) {
        (_, None) => return wrong("the URL has no host"),
        ("https", _) => {}
        ("http", Some(host)) if is_loopback(host) => {}
        ("http", _) => {
            return wrong("the API key would be sent unencrypted: plain http is for this machine only");
        }
        _ => return wrong("the URL is neither https nor http"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        // Not repeated in the message: it may be a secret.
        return wrong("the URL has a user name or a password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("the URL has a query or a fragment");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn is_loopback(host: &str) -> bool {
    let ip = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

/// Checks the URL of the database, and makes the path of a SQLite file absolute. Its messages
/// never repeat it: it may hold a password.
pub(super) fn database(text: &str, directory: &Path) -> Result<String, Wrong> {
    let right = "write \"sqlite:soundwatch.db\" or \"postgres://user@host/soundwatch\"".to_owned();
    if is_postgres(text) {
        return match Url::parse(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(e) => Err((format!("this is not a Postgres URL: {e}"), right)),
        };
    }
    let Some(rest) = text.strip_prefix("sqlite:") else {
        return Err((
            "the URL begins with neither sqlite: nor postgres:".to_owned(),
            right,
        ));
    };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, parameters) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    if path.is_empty() {
        return Err(("the URL names no file".to_owned(), right));
    }
    if path == ":memory:" || parameters.contains("mode=memory") {
        return Err(("a database in memory keeps no history".to_owned(), right));
    }
    if path.starts_with('/') {
        return Ok(text.to_owned());
    }
    let Some(directory) = directory.to_str() else {
        let why = "the file would be in a directory whose name is not UTF-8".to_owned();
        return Err((why, "write an absolute path".to_owned()));
    };
    // In a URL these two have a meaning that they do not have in a directory's name.
    let directory = directory.replace('%', "%25").replace('?', "%3F");
    Ok(format!(
        "sqlite:{}/{path}{parameters}",
        directory.trim_end_matches('/')
    ))
}
