//! What the daemon shows over HTTP: whether it lives and works, and its numbers, also after a reload; to
//! nobody who calls it by a foreign name or would change something.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use common::program::{Place, simulator, until};
use rustix::process::Signal;

const LIST: &str = "[[sounds]]\nclip = \"6703723351497508865\"\nschedule = \"@yearly\"\n";

/// Asks once; the whole answer, empty where nobody listens.
fn ask(port: u16, method: &str, path: &str, host: &str) -> String {
    let mut answer = String::new();
    let asked = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )?;
        stream.read_to_string(&mut answer)
    });
    asked.map(|_| answer).unwrap_or_default()
}

#[test]
fn health_and_metrics_are_shown_and_follow_a_reload() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, LIST);
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let budget = |credits: i64| {
        let text = format!("[budget]\ndaily_credits = {credits}\n[http]\nlisten = \"127.0.0.1:{port}\"\n");
        place.write("config.toml", &text);
    };
    budget(100);
    let daemon = place.start_logging("run", "run.log");
    let host = format!("localhost:{port}");
    let get = |path: &str| ask(port, "GET", path, &host);
    until("it is ready", || get("/readyz").starts_with("HTTP/1.1 200"));
    assert!(get("/healthz").starts_with("HTTP/1.1 200"));
    let shows = |line: &str| get("/metrics").lines().any(|shown| shown == line);
    assert!(shows("soundwatch_credits_budget{span=\"day\"} 100"));
    budget(50);
    daemon.signal(Signal::HUP);
    until("the new budget is shown", || {
        shows("soundwatch_credits_budget{span=\"day\"} 50")
    });
    let foreign = ask(port, "GET", "/metrics", "evil.example");
    assert!(foreign.starts_with("HTTP/1.1 421"), "{foreign}");
    assert!(ask(port, "POST", "/metrics", &host).starts_with("HTTP/1.1 405"));
    daemon.stop(Signal::TERM).expect_code(0);
}
