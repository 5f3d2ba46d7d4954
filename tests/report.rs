//! The report: one page that holds everything, whatever the titles hold.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod common;

use common::program::{Place, until};
use common::{Backend, TestDatabase};
use rstest::rstest;
use rustix::process::Signal;

const HISTORY: &str = include_str!("data/history.sql");

/// A title that would be markup, one that turns what follows, and a long one.
const HOSTILE: &str = "
    UPDATE sounds SET title = '<script>alert(''1'')</script> \"quoted\" & <b>', author = '</bdi></a>' WHERE title = 'New Sun';
    UPDATE sounds SET title = 'שלום ' || '👩‍👧' WHERE title = 'Night Drive';
    UPDATE sounds SET title = replace('xxxxxxxxxx', 'x', 'thirty letters are in this text') WHERE title = 'Paper Boats';
    UPDATE countries SET name = '<i>Latvia' WHERE code = 'LV';
    UPDATE countries SET code = '\"><script>' WHERE code = 'HR';";

async fn place(backend: Backend, sql: &str) -> (TestDatabase, Place) {
    let database = backend.fresh().await;
    let place = Place::empty().with_setting("SOUNDWATCH__DATABASE__URL", &database.url);
    place.run("db migrate").expect_code(0);
    database.connect().await.execute(sql).await.unwrap();
    (database, place)
}

fn page(place: &Place) -> String {
    std::fs::read_to_string(place.path().join("report.html")).unwrap()
}

/// What an HTML element without an end tag is called.
const VOID: [&str; 2] = ["meta", "br"];

/// The tags of a page, without what is within; every one that is opened must be closed in its place.
fn assert_well_formed(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let (_, body) = page.split_once("<!DOCTYPE html>").unwrap();
    for part in body.split('<').skip(1) {
        let (tag, text) = part
            .split_once('>')
            .unwrap_or_else(|| panic!("no end of <{part}"));
        assert!(!text.contains('>'), "a stray > after <{tag}>: {text}");
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes of <{tag}>");
        let name = tag.split([' ', '\n']).next().unwrap();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "</{name}> closes something else"),
            None if VOID.contains(&name) => {}
            None => open.push(name),
        }
    }
    assert_eq!(open, [""; 0], "left open");
}

#[rstest]
#[tokio::test]
async fn a_report_holds_every_sound_and_loads_nothing(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, place) = place(backend, HISTORY).await;
    let written = place.json("report");
    assert_eq!(
        (written["sounds"].as_u64(), written["series"].as_u64()),
        (Some(6), Some(7))
    );
    let page = page(&place);
    assert_eq!(written["bytes"].as_u64(), Some(page.len() as u64));
    for expected in [
        "New Sun",
        "Night Drive",
        "Paper Boats",
        "Quiet Rain",
        "7100000000000000008",
        "Latvia",
        "soundwatch did not run",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    assert!(
        page.contains("There is no index yet."),
        "of those that have windows only"
    );
    assert!(
        page.contains("Nothing has been answered yet."),
        "of those that have nothing"
    );
    assert_well_formed(&page);
    assert_loads_nothing(&page);
}

/// Links to the sounds are no loading.
fn assert_loads_nothing(page: &str) {
    let without_links = page.replace("<a href=\"https://www.tiktok.com/music/x-", "");
    for loading in [
        "http:", "https:", "src=", "url(", "@import", "<script", "<link", "<iframe", "<img", "style=\"",
        " onl", " onc",
    ] {
        assert!(!without_links.contains(loading), "{loading}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[rstest]
#[tokio::test]
async fn no_title_becomes_markup(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, place) = place(backend, &format!("{HISTORY};{HOSTILE}")).await;
    place.run("report").expect_code(0);
    let page = page(&place);
    assert_well_formed(&page);
    assert_loads_nothing(&page);
    assert!(page.contains("&lt;script&gt;alert('1')&lt;/script&gt; &quot;quoted&quot; &amp; &lt;b&gt;"));
    assert!(page.contains("<bdi>שלום 👩‍👧</bdi>"), "its direction stays its own");
    assert!(page.contains("&lt;i&gt;Latvia"));
}

#[rstest]
#[tokio::test]
async fn an_empty_database_gives_an_empty_report(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, place) = place(backend, "SELECT 1").await;
    let told = place.run("report -o empty.html").expect_code(0);
    assert!(told.stdout.starts_with("empty.html: 0 sounds"), "{told}");
    assert_well_formed(&std::fs::read_to_string(place.path().join("empty.html")).unwrap());
}

#[tokio::test]
async fn a_report_that_cannot_be_written_leaves_the_old_one_and_nothing_beside() {
    let (database, place) = place(Backend::Sqlite, HISTORY).await;
    let failed = place.run("report -o nowhere/report.html").expect_code(1);
    assert!(
        failed.stderr.contains("cannot write nowhere/report.html"),
        "{failed}"
    );

    place.write("report.html", "the old one");
    let broken = "DROP VIEW gaps";
    database.connect().await.execute(broken).await.unwrap();
    place.run("report").expect_code(1);
    assert_eq!(page(&place), "the old one");
    let names: Vec<_> = place
        .path()
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["report.html"]);
}

#[tokio::test]
async fn a_dash_is_stdout_and_no_file() {
    let (_database, place) = place(Backend::Sqlite, HISTORY).await;
    let told = place.run("report -o -").expect_code(0);
    assert_well_formed(&told.stdout);
    assert!(
        told.stdout.trim_end().ends_with("</html>"),
        "nothing but the page"
    );
    assert_eq!(place.path().read_dir().unwrap().count(), 0);
    let json = place.run("report -o - --json").expect_code(2);
    assert!(json.stderr.contains("stdout has the page itself"), "{json}");
}

#[tokio::test]
async fn a_report_that_is_stopped_leaves_nothing() {
    let (database, place) = place(Backend::Sqlite, HISTORY).await;
    // Never gives its first row, since it is never done with sorting.
    let endless = "DROP VIEW gaps; CREATE VIEW gaps AS
        WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n)
        SELECT 'x' AS clip_id, 'x' AS region, date(n % 9999, 'unixepoch') AS first_day, '' AS last_day,
            n AS days, '' AS reason FROM n";
    database.connect().await.execute(endless).await.unwrap();
    let files = || place.path().read_dir().unwrap().count();
    let running = place.start("report");
    until("it has begun its file", || files() == 1);
    let ended = running.stop(Signal::INT).expect_code(3);
    assert!(ended.stderr.contains("report.html was not written"), "{ended}");
    assert_eq!(files(), 0);
}

#[test]
fn a_report_takes_the_place_of_files_only() {
    let place = Place::empty();
    place.run("db migrate").expect_code(0);
    let pipe = place.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let failed = place.run("report -o pipe").expect_code(1);
    assert!(failed.stderr.contains("this is no file"), "{failed}");
    assert!(!pipe.metadata().unwrap().is_file());
}

#[test]
fn without_a_database_it_says_how_to_make_one() {
    let missing = Place::empty().run("report").expect_code(1);
    assert!(missing.stderr.contains("there is no database at"), "{missing}");
}
