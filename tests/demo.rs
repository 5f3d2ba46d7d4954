//! The demo: what a newcomer starts first must work, and must not break anything.

mod common;

use std::io::{Read, Write};

use common::TestConnection;
use common::program::{Place, until};
use rustix::process::Signal;
use serde_json::Value;
use sqlx::Connection;

fn sum(targets: &[Value], column: &str) -> i64 {
    targets.iter().filter_map(|target| target[column].as_i64()).sum()
}

#[tokio::test]
async fn a_demo_collects_weeks_and_its_query_shows_them() {
    let place = Place::empty();
    let demo = place.run("demo --days 20 --json").expect_code(0).json();
    let targets = demo["targets"].as_array().unwrap();
    assert_eq!(demo["days"], 20);
    assert!(targets.len() >= 8, "{demo}");
    assert_eq!(demo["outcomes"]["stored"], sum(targets, "snapshots"));
    assert!(sum(targets, "snapshots") > 100, "{demo}");
    assert_eq!(
        demo["credits"].as_i64(),
        demo["requests"].as_i64().map(|requests| 2 * requests)
    );
    assert!(targets.iter().any(|t| t["state"] == "fresh"), "{demo}");
    let known = |t: &Value| t["days_kept"].as_u64() > t["window"].as_array().map(|w| w.len() as u64);
    assert!(
        targets.iter().any(known),
        "more is kept than one answer tells: {demo}"
    );

    let index = demo["index"].as_array().unwrap();
    let longest = targets.iter().filter_map(|t| t["days_kept"].as_u64()).max();
    assert!(
        index.len() as u64 <= longest.unwrap() && index.len() > 30,
        "{demo}"
    );
    assert!(index.iter().any(|day| day["value"] == 100.0), "{demo}");

    let database = place.path().join(demo["database"].as_str().unwrap());
    let connection = sqlx::SqliteConnection::connect(&format!("sqlite:{}", database.display()));
    let mut connection = TestConnection::Sqlite(connection.await.unwrap());
    let rows = connection.query(demo["query"].as_str().unwrap()).await.unwrap();
    let answered = targets.iter().filter(|t| t["snapshots"] != 0).count();
    assert_eq!(rows.rows.len(), answered);
    assert_eq!(rows.columns[0], "title");
}

#[test]
fn one_can_go_on_where_the_demo_ends() {
    let place = Place::empty();
    let demo = place.run("demo --days 5").expect_code(0);
    for part in [
        "newest window",
        "the newest",
        "as one index",
        "sqlite3 -box",
        "soundwatch-demo/config.toml status",
        "soundwatch-demo/config.toml history ",
        "soundwatch-demo/config.toml report ",
    ] {
        assert!(demo.stdout.contains(part), "{part} is missing in\n{demo}");
    }
    let config = "--config soundwatch-demo/config.toml";
    place.run(&format!("{config} db check")).expect_code(0);
    let check = place.run(&format!("{config} check")).expect_code(0);
    assert_eq!(check.stderr, "", "a demo has nothing to warn of");
    let before = place.json(&format!("{config} status"));
    assert!(before["budget"]["month_credits"].as_i64() > Some(0), "{before}");

    // The same again is the same, and not added to what was there.
    place.run("demo --days 5").expect_code(0);
    let after = place.json(&format!("{config} status"));
    assert_eq!(before["budget"], after["budget"]);
}

#[test]
fn a_demo_deletes_nothing_that_it_has_not_made() {
    let place = Place::empty();
    place.write("soundwatch.db", "years of history");
    let demo = place.run("demo --days 1 --dir .").expect_code(2);
    assert!(demo.stderr.contains("name another one with --dir"), "{demo}");
    let kept = std::fs::read_to_string(place.path().join("soundwatch.db")).unwrap();
    assert_eq!(kept, "years of history");
    assert_eq!(place.path().read_dir().unwrap().count(), 1);
}

#[test]
fn a_demo_that_is_stopped_ends_with_what_it_has() {
    let place = Place::empty();
    let demo = place.start("demo --days 1000");
    let config = "--config soundwatch-demo/config.toml";
    until("some days are over", || {
        let status = place.run(&format!("{config} status --json"));
        status.code == 0 && status.json()["targets"]["worst_first"][0]["newest_day"].is_string()
    });
    let ended = demo.stop(Signal::INT).expect_code(3);
    assert!(ended.stdout.contains("days lived through"), "{ended}");
    assert!(!ended.stdout.contains("1000 days"), "{ended}");
    place.run(&format!("{config} db check")).expect_code(0);
}

#[test]
fn a_demo_that_is_served_shows_its_page_and_goes_on() {
    let place = Place::empty();
    let demo = place.start_logging("demo --days 5 --serve --listen 127.0.0.1:0", "demo.log");
    let mut address = None;
    until("it says where its page is", || {
        let log = place.read("demo.log");
        let told = log
            .split_once("http://")
            .and_then(|(_, rest)| rest.split_once(" shows"));
        address = told.map(|(address, _)| address.to_owned());
        address.is_some()
    });
    let address = address.unwrap();
    let page = || {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        write!(
            stream,
            "GET / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    };
    let as_of = |page: &str| page.split_once("As of <time datetime=\"").unwrap().1[..10].to_owned();
    let first = page();
    assert!(
        first.starts_with("HTTP/1.1 200") && first.contains("svg class=\"spark\""),
        "{first}"
    );
    until("a day has passed", || as_of(&page()) > as_of(&first));
    demo.stop(Signal::INT).expect_code(0);
    place
        .run("--config soundwatch-demo/config.toml db check")
        .expect_code(0);
}
