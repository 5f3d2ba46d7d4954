//! What `run` shows over HTTP: who may read, pages and answers from either database, and that nobody who
//! is slow keeps others from it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod common;

use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use common::Backend;
use common::program::{Place, simulator, until};
use common::site::{HOSTILE, NEW_SUN, Site};
use rstest::rstest;
use rustix::process::Signal;

const DOCUMENT: &str = include_str!("../docs/http.md");

const TOKEN: &str = "a-token-for-tests-0123";

const WATCHLIST: &str = "[[sounds]]\nclip = \"6703723351497508865\"\n";

#[test]
fn a_daemon_tells_its_health_and_every_documented_metric() {
    let simulator = simulator("");
    let site = Site::start(Place::asking(&simulator, WATCHLIST), None);
    until("it is ready", || site.get("/readyz").status == 200);
    assert_eq!(site.get("/readyz").json()["reasons"], serde_json::json!([]));
    assert_eq!(site.get("/healthz").json()["ok"], true);
    // Ready says that the first pass has ended, in which the sound was fetched; the loop tells the rest.
    until("the pass is told", || {
        let metrics = site.get("/metrics").body;
        metrics.contains("\nsoundwatch_spool_answers 0") && metrics.contains("{outcome=\"stored\"")
    });
    let metrics = site.get("/metrics").body;
    let (_, listed) = DOCUMENT.split_once("| metric |").unwrap();
    let documented = listed
        .lines()
        .filter_map(|line| line.strip_prefix("| `soundwatch_"));
    let documented: Vec<&str> = documented.filter_map(|line| line.split('`').next()).collect();
    assert!(documented.len() > 15, "{documented:?}");
    for name in &documented {
        // The answers of the simulator have no field that is not known.
        let shown = metrics.contains(&format!("# TYPE soundwatch_{name} "));
        assert!(
            shown || *name == "unknown_fields_total",
            "{name} is not in\n{metrics}"
        );
    }
    for line in metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE soundwatch_"))
    {
        let name = line.split(' ').next().unwrap();
        assert!(documented.contains(&name), "{name} is not documented");
    }
    site.running.stop(Signal::TERM).expect_code(0);
}

#[tokio::test]
async fn another_name_of_this_machine_and_what_writes_are_refused() {
    let site = Site::with_history(Backend::Sqlite, "SELECT 1").await;
    let foreign = site.ask("GET / HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n");
    assert_eq!(foreign.status, 421);
    assert!(!foreign.body.contains("New Sun"));
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let host = site.address;
        let written = site.ask(&format!(
            "{method} /sounds/{NEW_SUN} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        ));
        assert_eq!(
            (written.status, written.header("allow")),
            (405, Some("GET, HEAD")),
            "{method}"
        );
    }
}

#[tokio::test]
async fn with_a_token_only_who_has_it_reads_and_a_browser_gets_a_cookie_for_it() {
    let place = Place::empty().with_setting("SOUNDWATCH__HTTP__TOKEN_FILE", "token");
    place.write("token", TOKEN);
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(place.path().join("token"), mode).unwrap();
    let simulator = simulator("");
    place.write("watchlist.toml", WATCHLIST);
    let site = Site::start(place.with(&simulator.env), None);

    assert_eq!(site.get("/healthz").status, 200);
    for path in ["/", "/operations", "/metrics", "/readyz", "/api/v1/status"] {
        assert_eq!(site.get(path).status, 401, "{path}");
        let right = format!("authorization: Bearer {TOKEN}\r\n");
        assert_ne!(site.get_with(path, &right).status, 401, "{path}");
    }
    assert_eq!(site.get_with("/", "authorization: Bearer wrong\r\n").status, 401);
    let browser = site.get_with("/", "accept: text/html\r\n");
    assert_eq!(
        (browser.status, browser.header("location")),
        (303, Some("/login"))
    );
    assert_eq!(site.get("/login").status, 200);

    let enter = |token: &str| {
        let body = format!("token={token}");
        let (host, length) = (site.address, body.len());
        site.ask(&format!(
            "POST /login HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\
             content-type: application/x-www-form-urlencoded\r\n\r\n{body}"
        ))
    };
    assert_eq!(enter("wrong").status, 403);
    let entered = enter(TOKEN);
    let cookie = entered.header("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    assert!(!cookie.contains(TOKEN), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    assert_eq!(site.get_with("/", &format!("cookie: {pair}\r\n")).status, 200);
}

#[rstest]
#[tokio::test]
async fn every_page_shows_what_is_known_and_no_title_becomes_markup(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let site = Site::with_history(backend, HOSTILE).await;
    let latvia = format!("/sounds/{NEW_SUN}?region=LV");
    let sound = format!("/sounds/{NEW_SUN}?region=US");
    for path in [
        "/",
        "/?view=charts",
        "/?q=%3Cscript%3E&tag=%22%3E&sort=title&dir=down",
        "/operations",
        &sound,
        &latvia,
    ] {
        let page = site.get(path);
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        for markup in [
            "<script>",
            "<b>",
            "</bdi></a></bdi>",
            "<i>Latvia",
            "style=",
            " onclick",
            "value=\"\">\"",
        ] {
            assert!(!page.body.contains(markup), "{markup} in {path}");
        }
        assert!(page.body.contains("<script src=\"/static/page-"), "{path}");
    }
    let title = "&lt;script&gt;alert('1')&lt;/script&gt; &quot;quoted&quot; &amp; &lt;b&gt;";
    assert!(site.get("/").body.contains(title));
    let us = site.get(&sound).body;
    for part in [
        title,
        "svg class=\"index\"",
        "aria-current=\"page\">US",
        "Windows behind it",
        "Lithuania",
        "15 6 * * *",
    ] {
        assert!(us.contains(part), "{part}");
    }
    assert!(site.get(&latvia).body.contains("There is no index yet."));
}

#[rstest]
#[tokio::test]
async fn ages_of_several_answers_are_a_chart(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let ages = "INSERT INTO age_scores (snapshot_id, age_level, score) VALUES
        (1, 3, 50), (1, 4, 30), (1, 5, 20), (3, 3, 61), (3, 4, 28), (3, 5, 11)";
    let site = Site::with_history(backend, ages).await;
    let path = format!("/sounds/{NEW_SUN}?region=US");
    let page = site.get(&path).body;
    let (_, chart) = page.split_once("<svg class=\"shares\"").unwrap();
    assert!(
        chart.contains("Ages from 2026-01-06 to 2026-02-03"),
        "one answer a week: {chart}"
    );
    let (areas, _) = chart.split_once("</svg>").unwrap();
    assert_eq!(areas.matches("class=\"heat").count(), 3, "{areas}");
    // In Latvia nobody has told ages, and of Night Drive one answer has.
    for path in [
        format!("/sounds/{NEW_SUN}?region=LV"),
        "/sounds/7326640926458743557".to_owned(),
    ] {
        assert!(!site.get(&path).body.contains("class=\"shares\""), "{path}");
    }
}

#[test]
fn a_broken_watchlist_is_told_with_its_places_and_mends() {
    let simulator = simulator("");
    let site = Site::start(Place::asking(&simulator, WATCHLIST), None);
    until("it is ready", || site.get("/readyz").status == 200);
    let broken = format!("{WATCHLIST}region = [\"US\"]\n[[sounds]]\nclip = \"12\"\n");
    site.place.write("watchlist.toml", &broken);
    until("the page tells it", || {
        let page = site.get("/operations").body;
        let told = |part: &str| page.contains(part);
        told("watchlist.toml:3:1: region: there is no such key\n  help: did you mean regions?")
            && told("watchlist.toml:5:8: ")
            && told("write the 15 to 20 digits")
    });
    site.place.write("watchlist.toml", WATCHLIST);
    until("it is over", || {
        !site.get("/operations").body.contains("The watchlist is broken")
    });
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let site = Site::with_history(Backend::Sqlite, "SELECT 1").await;
    for path in [
        "/sounds/1",
        "/sounds/",
        "/sounds/%00",
        "/nothing",
        "/static/page.css",
    ] {
        assert_eq!(site.get(path).status, 404, "{path}");
    }
}

#[tokio::test]
async fn style_and_script_are_kept_by_browsers_until_they_change() {
    let site = Site::with_history(Backend::Sqlite, "SELECT 1").await;
    let page = site.get("/");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let address = |ending: &str| {
        let mut parts = page.body.split('"').filter(|part| part.starts_with("/static/"));
        parts.find(|part| part.ends_with(ending)).unwrap().to_owned()
    };
    for (ending, kind) in [(".css", "text/css"), (".js", "text/javascript")] {
        let file = site.get(&address(ending));
        assert_eq!(file.status, 200);
        assert!(file.header("content-type").unwrap().starts_with(kind));
        assert!(file.header("cache-control").unwrap().contains("immutable"));
    }
}

#[tokio::test]
async fn visitors_who_say_nothing_keep_nobody_out() {
    let site = Site::with_history(Backend::Sqlite, "SELECT 1").await;
    let idle: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = TcpStream::connect(site.address).unwrap();
            // Half of a request, and then silence.
            stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
            stream
        })
        .collect();
    assert_eq!(site.get("/").status, 200);
    assert_eq!(site.get("/healthz").status, 200);
    drop(idle);
}
