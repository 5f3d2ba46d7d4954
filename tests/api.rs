//! The way to the API and back: what servers do, and what becomes of a request then.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests are tests too"
)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rstest::rstest;
use secrecy::SecretString;
use soundwatch::api::{BODY_LIMIT, Client, KEPT_OF_TOO_LARGE, Pace, Received, Settings, Verdict};
use soundwatch::clock::Clock;
use soundwatch::model::{Ask, AttemptState, Reason, Window};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const KEY: &str = "sk_live_0123456789abcdef";
const RECORDED: &[u8] = include_bytes!("data/music_detail_US_7d.json");
const RECORDED_GZ: &[u8] = include_bytes!("data/music_detail_US_7d.json.gz");
const SPACES_GZ: &[u8] = include_bytes!("../src/simulator/16_MiB_of_spaces.gz");
const NOW: i64 = 1_770_000_000; // Mon, 02 Feb 2026 02:40:00 GMT

/// What a server does after what it has to say.
#[derive(Clone, Copy)]
enum Then {
    Close,
    Stay,
    Repeat,
}

/// A server that says the same bytes to everyone.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn saying(answer: Vec<u8>, then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&requests);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(talk(stream, answer.clone(), then, Arc::clone(&heard)));
            }
        });
        Self {
            url,
            requests,
            _tasks: tasks,
        }
    }

    fn heard(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn talk(mut stream: TcpStream, answer: Vec<u8>, then: Then, heard: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    heard
        .lock()
        .unwrap()
        .push(String::from_utf8_lossy(&head).into_owned());
    let _ = stream.write_all(&answer).await;
    match then {
        Then::Close => {}
        Then::Stay => std::future::pending().await,
        Then::Repeat => while stream.write_all(&[b' '; 65_536]).await.is_ok() {},
    }
}

/// A whole answer.
fn http(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{headers}\r\n").into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn ask() -> Ask {
    Ask {
        clip_id: "6703723351497508865".parse().unwrap(),
        region: "US".parse().unwrap(),
        window: Window::Days7,
    }
}

fn client(base_url: &str, timeout: Duration) -> Client {
    let settings = Settings {
        base_url: base_url.to_owned(),
        key: SecretString::from(KEY),
        timeout,
        max_in_flight: 8,
    };
    Client::new(settings, Clock::manual(NOW)).unwrap()
}

async fn received(answer: Vec<u8>, then: Then) -> Received {
    let server = Server::saying(answer, then).await;
    let received = client(&server.url, Duration::from_millis(500)).ask(&ask()).await;
    assert_eq!(server.heard().len(), 1, "one request, whatever happens");
    received
}

fn retry(reason: Reason, after: Option<u64>) -> Verdict {
    let after = after.map(Duration::from_secs);
    Verdict::Retry { reason, after }
}

#[tokio::test]
async fn the_request_is_what_the_api_wants() {
    let server = Server::saying(http(200, "", RECORDED), Then::Stay).await;
    let with_slash = format!("{}/", server.url);
    let received = client(&with_slash, Duration::from_secs(5)).ask(&ask()).await;
    assert_eq!(received.state, AttemptState::Answered);
    let request = server.heard().pop().unwrap();
    let expected =
        "GET /v1/tiktok/trending/music/detail?clip_id=6703723351497508865&region=US&period=7 HTTP/1.1\r\n";
    assert!(request.starts_with(expected), "{request}");
    let request = request.to_lowercase();
    assert!(request.contains(&format!("\r\nauthorization: bearer {KEY}\r\n")));
    assert!(request.contains(concat!(
        "\r\nuser-agent: soundwatch/",
        env!("CARGO_PKG_VERSION"),
        "\r\n"
    )));
    assert!(request.contains("\r\naccept-encoding: gzip\r\n"));
}

#[tokio::test]
async fn a_good_answer_is_content_and_its_bytes_are_kept() {
    for answer in [
        http(200, "", RECORDED),
        http(200, "Content-Encoding: gzip\r\n", RECORDED_GZ),
    ] {
        let received = received(answer, Then::Stay).await;
        assert_eq!(received.state, AttemptState::Answered);
        assert_eq!((received.http_status, received.api_code), (Some(200), Some(0)));
        assert_eq!(received.payload.as_deref(), Some(RECORDED));
        assert_eq!(received.size_bytes, i64::try_from(RECORDED.len()).unwrap());
        assert!(received.charged);
        assert_eq!(received.error, None);
        assert!(matches!(received.verdict, Verdict::Content(content) if content.trend.len() == 7));
    }
}

#[rstest]
#[case(204, Verdict::NoData, true)]
#[case(302, Verdict::Failed(Reason::Redirect), true)]
#[case(400, Verdict::Failed(Reason::BadRequest), true)]
#[case(401, Verdict::Refused(Reason::Unauthorized), false)]
#[case(402, Verdict::Refused(Reason::OutOfCredits), false)]
#[case(403, Verdict::Refused(Reason::Forbidden), false)]
#[case(404, Verdict::Failed(Reason::NotFound), true)]
#[case(429, retry(Reason::RateLimited, Some(60)), false)]
#[case(500, retry(Reason::ServerError, None), true)]
#[case(503, retry(Reason::ServerError, None), true)]
#[tokio::test]
async fn every_status_is_an_answer(#[case] status: u16, #[case] verdict: Verdict, #[case] charged: bool) {
    let body: &[u8] = if status == 204 { b"" } else { b"<html>no</html>" };
    let received = received(http(status, "", body), Then::Stay).await;
    assert_eq!(received.state, AttemptState::Answered);
    assert_eq!(received.http_status, Some(i64::from(status)));
    assert_eq!(received.verdict, verdict);
    assert_eq!(received.charged, charged);
    assert_eq!(received.payload.as_deref(), Some(body));
}

#[rstest]
#[case(429, "", retry(Reason::RateLimited, Some(60)), false)]
#[case(429, "Retry-After: 3\r\n", retry(Reason::RateLimited, Some(3)), false)]
#[case(402, "", Verdict::Refused(Reason::OutOfCredits), false)]
#[case(500, "", retry(Reason::ServerError, None), true)]
#[case(7, "", Verdict::Failed(Reason::ApiCode), true)]
#[tokio::test]
async fn a_code_in_the_body_counts_like_the_status(
    #[case] code: u16,
    #[case] headers: &str,
    #[case] verdict: Verdict,
    #[case] charged: bool,
) {
    let body = format!("{{\"code\":{code},\"message\":\"no\",\"requestId\":\"r-1\"}}");
    let received = received(http(200, headers, body.as_bytes()), Then::Stay).await;
    assert_eq!(
        (received.verdict, received.charged, received.api_code),
        (verdict, charged, Some(i64::from(code)))
    );
    assert_eq!(received.message.as_deref(), Some("no"));
    assert_eq!(received.request_id.as_deref(), Some("r-1"));
}

#[rstest]
#[case(429, "7", Reason::RateLimited, Some(7))]
#[case(429, "0", Reason::RateLimited, Some(0))]
#[case(429, "Mon, 02 Feb 2026 02:41:30 GMT", Reason::RateLimited, Some(90))]
#[case(429, "-3", Reason::RateLimited, Some(60))]
#[case(429, "later", Reason::RateLimited, Some(60))]
#[case(503, "7", Reason::ServerError, Some(7))]
#[case(503, "later", Reason::ServerError, None)]
#[tokio::test]
async fn retry_after_is_seconds_or_a_date(
    #[case] status: u16,
    #[case] header: &str,
    #[case] reason: Reason,
    #[case] after: Option<u64>,
) {
    let answer = http(status, &format!("Retry-After: {header}\r\n"), b"");
    assert_eq!(received(answer, Then::Stay).await.verdict, retry(reason, after));
}

/// The first half of an answer.
fn half(mut answer: Vec<u8>) -> Vec<u8> {
    answer.truncate(answer.len() / 2);
    answer
}

fn chunked(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
        body.len()
    );
    [head.as_bytes(), body, b"\r\n"].concat()
}

fn damaged_gz() -> Vec<u8> {
    let mut gz = RECORDED_GZ.to_vec();
    let middle = gz.len() / 2;
    gz[middle..].iter_mut().for_each(|byte| *byte ^= 0x55);
    gz
}

#[rstest]
#[case::in_the_middle(half(http(200, "", RECORDED)))]
#[case::between_chunks(chunked(RECORDED))]
#[case::within_gzip(http(200, "Content-Encoding: gzip\r\n", &RECORDED_GZ[..700]))]
#[case::damaged_gzip(http(200, "Content-Encoding: gzip\r\n", &damaged_gz()))]
#[case::no_gzip_at_all(http(200, "Content-Encoding: gzip\r\n", RECORDED))]
#[tokio::test]
async fn a_cut_answer_may_have_been_charged_and_is_asked_again(#[case] answer: Vec<u8>) {
    let received = received(answer, Then::Close).await;
    assert_eq!(received.state, AttemptState::Unknown);
    assert_eq!(received.verdict, retry(Reason::CutOff, None));
    assert_eq!(received.http_status, Some(200));
    assert_eq!(received.payload, None);
    assert!(received.charged);
    let error = received.error.unwrap();
    assert!(error.starts_with("the answer broke off after "), "{error}");
}

#[rstest]
#[case::nothing(b"")]
#[case::half_a_head(b"HTTP/1.1 200 OK\r\nContent-")]
#[case::no_http(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")]
#[tokio::test]
async fn a_connection_that_breaks_after_sending_may_have_been_charged(#[case] answer: &[u8]) {
    let received = received(answer.to_vec(), Then::Close).await;
    assert_eq!(received.state, AttemptState::Unknown);
    assert_eq!(received.verdict, retry(Reason::Connection, None));
    assert!(received.charged);
}

#[tokio::test]
async fn what_never_connected_is_not_charged() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let received = client(&url, Duration::from_secs(5)).ask(&ask()).await;
    assert_eq!(received.state, AttemptState::NotSent);
    assert_eq!(received.verdict, retry(Reason::Connection, None));
    assert!(!received.charged);
    assert_eq!((received.http_status, received.payload), (None, None));
    let error = received.error.unwrap();
    assert!(
        error.starts_with("could not connect: Connection refused"),
        "{error}"
    );
}

#[rstest]
#[case::silent(Vec::new(), None, 0)]
#[case::half_a_body(half(http(200, "", RECORDED)), Some(200), 1)]
#[tokio::test]
async fn an_answer_that_takes_too_long_may_have_been_charged(
    #[case] answer: Vec<u8>,
    #[case] http_status: Option<i64>,
    #[case] at_least: i64,
) {
    let received = received(answer, Then::Stay).await;
    assert_eq!(received.state, AttemptState::Unknown);
    assert_eq!(received.verdict, retry(Reason::Timeout, None));
    assert_eq!(received.http_status, http_status);
    assert!(received.size_bytes >= at_least);
    assert!(received.charged);
    assert_eq!(received.error.as_deref(), Some("no complete answer within 500ms"));
}

#[rstest]
#[case(Then::Close)]
#[case(Then::Stay)]
#[tokio::test]
async fn an_error_is_an_error_even_when_its_body_does_not_come(#[case] then: Then) {
    let answer = half(http(401, "", &[b'x'; 500]));
    let received = received(answer, then).await;
    assert_eq!(received.state, AttemptState::Answered);
    assert_eq!(received.verdict, Verdict::Refused(Reason::Unauthorized));
    assert_eq!((received.charged, received.payload), (false, None));
}

#[rstest]
#[case::endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), Then::Repeat)]
#[case::gzip_bomb(http(200, "Content-Encoding: gzip\r\n", SPACES_GZ), Then::Stay)]
#[tokio::test]
async fn a_body_over_the_limit_is_not_read_to_its_end(#[case] answer: Vec<u8>, #[case] then: Then) {
    let server = Server::saying(answer, then).await;
    let received = client(&server.url, Duration::from_secs(60)).ask(&ask()).await;
    assert_eq!(received.state, AttemptState::Answered);
    assert_eq!(received.verdict, Verdict::Rejected(Reason::TooLarge));
    assert_eq!(received.payload.map(|body| body.len()), Some(KEPT_OF_TOO_LARGE));
    let (limit, size) = (
        i64::try_from(BODY_LIMIT).unwrap(),
        usize::try_from(received.size_bytes).unwrap(),
    );
    assert!(received.size_bytes > limit && size < BODY_LIMIT + 1_000_000);
    assert!(received.charged);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_takes_no_key_along() {
    let elsewhere = Server::saying(http(200, "", RECORDED), Then::Stay).await;
    let location = format!("Location: {}/v1/tiktok\r\n", elsewhere.url);
    let received = received(http(307, &location, b""), Then::Stay).await;
    assert_eq!(received.verdict, Verdict::Failed(Reason::Redirect));
    assert_eq!(elsewhere.heard(), Vec::<String>::new());
}

#[rstest]
#[case::as_it_is("0123456789")]
#[case::with_an_escape("0\\u003123456789")]
#[tokio::test]
async fn the_key_is_masked_wherever_it_comes_back(#[case] digits: &str) {
    let key = format!("sk_live_{digits}abcdef");
    let body = format!("{{\"code\":401,\"message\":\"no such key: {key}, {key}\",\"requestId\":\"{key}\"}}");
    let received = received(http(200, "", body.as_bytes()), Then::Stay).await;
    let stars = "*".repeat(key.len());
    let message = format!("no such key: {stars}, {stars}");
    assert_eq!(received.message.as_deref(), Some(message.as_str()));
    assert_eq!(received.request_id, Some(stars));
    assert!(!format!("{:?}", received.error).contains(KEY));
    let payload = String::from_utf8(received.payload.unwrap()).unwrap();
    assert!(!payload.contains(KEY));
}

#[rstest]
#[case("http://api.example.com", "the key would travel unencrypted")]
#[case("http://127.0.0.1.example.com", "the key would travel unencrypted")]
#[case("ftp://127.0.0.1", "the key would travel unencrypted")]
#[case("https://me:secret@api.example.com", "holds a user name or a password")]
#[case("https://api.example.com/?x=1", "must end before any ? or #")]
#[case("api.example.com", "api.base_url is no URL")]
fn the_key_is_sent_to_no_doubtful_address(#[case] base_url: &str, #[case] message: &str) {
    let settings = Settings {
        base_url: base_url.to_owned(),
        key: SecretString::from(KEY),
        timeout: Duration::from_secs(1),
        max_in_flight: 1,
    };
    let problem = Client::new(settings, Clock::System).err().unwrap().to_string();
    assert!(problem.contains(message), "{problem}");
    assert!(!problem.contains("secret"));
}

#[rstest]
#[case("", "the API key is empty")]
#[case("sk_live\n", "the API key holds characters that can't be sent")]
fn a_key_that_cannot_be_sent_is_a_problem_that_does_not_show_it(#[case] key: &str, #[case] message: &str) {
    let settings = Settings {
        base_url: "http://[::1]:1".to_owned(),
        key: SecretString::from(key),
        timeout: Duration::from_secs(1),
        max_in_flight: 1,
    };
    let problem = Client::new(settings, Clock::System).err().unwrap().to_string();
    assert!(
        problem.contains(message) && !problem.contains("sk_live"),
        "{problem}"
    );
}

mod manners {
    use super::*;
    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::get;

    /// A bucket of tokens: 20 a second, 5 at once.
    struct Bucket {
        tokens: f64,
        since: Instant,
    }

    impl Bucket {
        fn take(&mut self) -> bool {
            let now = Instant::now();
            self.tokens = (self.tokens + (now - self.since).as_secs_f64() * 20.0).min(5.0);
            self.since = now;
            let taken = self.tokens >= 1.0;
            self.tokens -= if taken { 1.0 } else { 0.0 };
            taken
        }
    }

    async fn strict_server(tasks: &mut JoinSet<()>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let bucket = Arc::new(Mutex::new(Bucket {
            tokens: 5.0,
            since: Instant::now(),
        }));
        let answer = move || async move {
            if bucket.lock().unwrap().take() {
                (StatusCode::OK, [("retry-after", "")], RECORDED)
            } else {
                (
                    StatusCode::TOO_MANY_REQUESTS,
                    [("retry-after", "1")],
                    b"".as_slice(),
                )
            }
        };
        let router = Router::new().fallback(get(answer));
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        url
    }

    /// Asks up to three times and says how often it was refused, if it was answered in the end.
    async fn three_attempts(client: &Client, pace: &Pace) -> Option<usize> {
        for refused in 0..3 {
            pace.ready().await;
            match client.ask(&ask()).await.verdict {
                Verdict::Content(_) => {
                    pace.accepted();
                    return Some(refused);
                }
                Verdict::Retry { after, .. } => pace.refused(after.unwrap()),
                other => panic!("{other:?}"),
            }
        }
        None
    }

    #[tokio::test]
    async fn a_stricter_server_than_configured_is_served_with_few_wasted_requests() {
        let mut tasks = JoinSet::new();
        let url = strict_server(&mut tasks).await;
        let client = Arc::new(client(&url, Duration::from_secs(10)));
        let pace = Arc::new(Pace::new(50.0, Clock::System));
        let left = Arc::new(Mutex::new(60));
        let mut in_flight = JoinSet::new();
        for _ in 0..8 {
            let (client, pace, left) = (Arc::clone(&client), Arc::clone(&pace), Arc::clone(&left));
            in_flight.spawn(async move {
                let mut results = Vec::new();
                while take_one(&left) {
                    results.push(three_attempts(&client, &pace).await);
                }
                results
            });
        }
        let results: Vec<_> = in_flight.join_all().await.concat();
        assert_eq!(results.len(), 60);
        let refused: Option<Vec<usize>> = results.into_iter().collect();
        let wasted: usize = refused.expect("all are answered in three attempts").iter().sum();
        println!("{wasted} wasted, {}/s in the end", pace.rate());
        assert!(wasted <= 12, "{wasted} wasted requests");
    }

    fn take_one(left: &Mutex<usize>) -> bool {
        let mut left = left.lock().unwrap();
        let some = *left > 0;
        *left -= usize::from(some);
        some
    }
}
