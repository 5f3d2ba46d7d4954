//! Several processes on one Postgres: they share the work and the budget, and take over from one that died.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests too")]

#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use common::program::{Place, Running, simulator, until};
use common::{Backend, TestDatabase};
use rustix::process::Signal;

/// So many sounds with a slot that no minute of a test is.
fn watchlist(sounds: usize) -> String {
    let sound = |n: usize| format!("[[sounds]]\nclip = \"70000000000000000{n:02}\"\n");
    let sounds: String = (0..sounds).map(sound).collect();
    format!("[defaults]\nschedule = \"@yearly\"\n{sounds}")
}

fn place(simulator: &Running, database: &TestDatabase, sounds: usize) -> Place {
    Place::asking(simulator, &watchlist(sounds))
        .with_setting("SOUNDWATCH__DATABASE__URL", &database.url)
        .with_setting("SOUNDWATCH__API__MAX_IN_FLIGHT", "2")
        .with_setting("SOUNDWATCH__API__REQUESTS_PER_SECOND", "100")
}

/// The one number of a query; 0 while the tables are not there.
fn number(database: &TestDatabase, sql: &str) -> i64 {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let rows = database.connect().await.query(sql).await;
        rows.map_or(0, |rows| {
            rows.rows[0][0].as_deref().unwrap_or("0").parse().unwrap()
        })
    })
}

const SETTLED: &str = "SELECT count(*) FROM fetches WHERE outcome IS NOT NULL";
const WORKERS: &str = "SELECT count(DISTINCT worker_id) FROM fetches WHERE outcome = 'stored'";
const SENT: &str = "SELECT count(*) FROM attempts WHERE state = 'sent'";

fn database() -> TestDatabase {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(Backend::Postgres.fresh())
}

#[test]
fn two_daemons_share_the_work_and_ask_nothing_twice() {
    let (simulator, database) = (simulator("--latency 300ms"), database());
    let place = place(&simulator, &database, 20);
    let daemons = [place.start("run"), place.start("run")];
    until("all are settled", || number(&database, SETTLED) == 20);
    assert_eq!(number(&database, WORKERS), 2);
    assert_eq!(number(&database, "SELECT count(*) FROM attempts"), 20);
    for daemon in daemons {
        daemon.stop(Signal::TERM).expect_code(0);
    }
}

#[test]
fn two_daemons_share_the_budget() {
    let (simulator, database) = (simulator("--latency 100ms"), database());
    let place = place(&simulator, &database, 20).with_setting("SOUNDWATCH__BUDGET__DAILY_CREDITS", "14");
    let daemons = [place.start("run"), place.start("run")];
    until("all are settled", || number(&database, SETTLED) == 20);
    assert_eq!(number(&database, "SELECT count(*) FROM attempts"), 7);
    let skipped = "SELECT count(*) FROM fetches WHERE reason = 'budget'";
    assert_eq!(number(&database, skipped), 13);
    for daemon in daemons {
        daemon.stop(Signal::TERM).expect_code(0);
    }
}

#[test]
fn what_a_killed_daemon_was_asking_another_one_asks_again() {
    let (simulator, database) = (simulator("--latency 1s"), database());
    let place = place(&simulator, &database, 6);
    let first = place.start("run");
    until("requests are under way", || number(&database, SENT) > 0);
    first.stop(Signal::KILL);
    let second = place.start("run");
    until("all are settled", || number(&database, SETTLED) == 6);
    let again = "SELECT count(*) FROM attempts WHERE n = 2 AND state = 'answered'";
    let unknown = "SELECT count(*) FROM attempts WHERE state = 'unknown' AND credits = 2";
    assert!(number(&database, unknown) > 0, "it may have been charged");
    assert_eq!(number(&database, again), number(&database, unknown));
    assert_eq!(
        number(&database, "SELECT count(*) FROM fetches WHERE outcome = 'stored'"),
        6
    );
    second.stop(Signal::TERM).expect_code(0);
}
