//! What every request has to pass: the right name of this machine, a reading method, the token where
//! one is needed; and the headers that every answer carries.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, LOCATION, REFERRER_POLICY,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The cookie of who has logged in.
const COOKIE_NAME: &str = "soundwatch";

/// Nothing from elsewhere, nothing inline, no frame around it, forms only to itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The headers of every answer.
const HEADERS: [(HeaderName, &str); 7] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Who may read.
#[derive(Debug)]
pub struct Guard {
    listen: SocketAddr,
    token: Option<SecretString>,
}

impl Guard {
    /// For a listener; everybody who reaches it may read when there is no token, which only a loopback
    /// address goes without.
    pub fn new(listen: SocketAddr, token: Option<SecretString>) -> Self {
        Self { listen, token }
    }

    /// Whether the request calls this machine by a name of its own. Another name on a loopback address
    /// is a page elsewhere that has its own name point here (DNS rebinding).
    fn knows_host(&self, headers: &HeaderMap) -> bool {
        // Behind a token a foreign page has nothing to gain: it has neither the token nor the cookie.
        if self.token.is_some() {
            return true;
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        host.is_some_and(|host| names_loopback(host, self.listen.port()))
    }

    fn lets_in(&self, headers: &HeaderMap) -> bool {
        self.token.is_none()
            || bearer(headers).is_some_and(|token| self.is_token(token))
            || self.has_cookie(headers)
    }

    /// Whether this is the token, compared in a time that tells nothing.
    pub(super) fn is_token(&self, given: &str) -> bool {
        self.token.as_ref().is_some_and(|token| {
            Sha256::digest(given.trim().as_bytes())
                .ct_eq(&Sha256::digest(token.expose_secret().as_bytes()))
                .into()
        })
    }

    /// The cookie that stands for the token: it is worth as much, but does not give it away.
    pub(super) fn cookie(&self) -> Option<String> {
        let token = self.token.as_ref()?;
        let mut hash = Sha256::new_with_prefix("soundwatch login:");
        hash.update(token.expose_secret());
        let value = hex::encode(hash.finalize());
        Some(format!(
            "{COOKIE_NAME}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000"
        ))
    }

    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        let Some(cookie) = self.cookie() else { return false };
        let ours = cookie.split(';').next().unwrap_or_default();
        headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(';'))
            .any(|given| given.trim().as_bytes().ct_eq(ours.as_bytes()).into())
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn names_loopback(host: &str, port: u16) -> bool {
    // Port 80 may be left out.
    let name = match host.rsplit_once(':') {
        Some((name, given)) if given.parse() == Ok(port) => name,
        _ if port == 80 => host,
        _ => return false,
    };
    let address = name
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Lets a request through or says why not.
pub(super) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let mut response = match refusal(&guard, &request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    for (name, value) in HEADERS {
        // What may be kept says so itself.
        response
            .headers_mut()
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

fn refusal(guard: &Guard, request: &Request) -> Option<Response> {
    let (headers, path) = (request.headers(), request.uri().path());
    if !guard.knows_host(headers) {
        let why = "this address is not a name of this machine\n";
        return Some((StatusCode::MISDIRECTED_REQUEST, why).into_response());
    }
    let login = path == "/login";
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !(reads || login && request.method() == Method::POST) {
        let why = "this service only reads\n";
        return Some((StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")], why).into_response());
    }
    // Whether the process lives is no secret, nor is what the page is made with.
    if login || path == "/healthz" || path.starts_with("/static/") || guard.lets_in(headers) {
        return None;
    }
    let accepts = headers.get("accept").and_then(|accept| accept.to_str().ok());
    if accepts.is_some_and(|accept| accept.contains("text/html")) {
        return Some((StatusCode::SEE_OTHER, [(LOCATION, "/login")]).into_response());
    }
    let why = "send the token of http.token_file: Authorization: Bearer TOKEN\n";
    Some((StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], why).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_loopback_names_with_the_port() {
        for host in [
            "localhost:9464",
            "LOCALHOST:9464",
            "127.0.0.1:9464",
            "127.0.0.2:9464",
            "[::1]:9464",
        ] {
            assert!(names_loopback(host, 9464), "{host}");
        }
        assert!(names_loopback("localhost", 80));
    }

    #[test]
    fn other_names_are_not_this_machine() {
        for host in [
            "localhost",
            "evil.example:9464",
            "localhost.evil.example:9464",
            "127.0.0.1:1",
            "",
            ":9464",
            "10.0.0.1:9464",
        ] {
            assert!(!names_loopback(host, 9464), "{host}");
        }
    }

    #[test]
    fn a_cookie_lets_in_and_does_not_hold_the_token() {
        let guard = Guard::new(([0, 0, 0, 0], 1).into(), Some("secret-token-0123".into()));
        let cookie = guard.cookie().unwrap();
        assert!(!cookie.contains("secret"));
        let pair = cookie.split(';').next().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, format!("a=b; {pair}").parse().unwrap());
        assert!(guard.lets_in(&headers));
        headers.insert(COOKIE, format!("{pair}0").parse().unwrap());
        assert!(!guard.lets_in(&headers));
        headers.insert(AUTHORIZATION, "Bearer secret-token-0123".parse().unwrap());
        assert!(guard.lets_in(&headers));
        headers.insert(AUTHORIZATION, "Bearer secret-token-012".parse().unwrap());
        assert!(!guard.lets_in(&headers));
    }
}
