//! Answers that came while the database did not take them: kept, settled later, never asked again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use common::Backend;
use common::ledger::{Ledger, MINUTE, pass};
use rstest::rstest;
use soundwatch::collect::{Stop, Wanted};

/// Makes the database refuse new snapshots as a full disk would: for now, and whatever they are.
fn full(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => {
            "CREATE TRIGGER full_up BEFORE INSERT ON snapshots BEGIN SELECT RAISE(ABORT, 'full'); END"
        }
        Backend::Postgres => {
            "CREATE FUNCTION full_up() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'; END $$;
            CREATE TRIGGER full_up BEFORE INSERT ON snapshots FOR EACH ROW EXECUTE FUNCTION full_up()"
        }
    }
}

fn roomy(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "DROP TRIGGER full_up",
        Backend::Postgres => "DROP FUNCTION full_up CASCADE",
    }
}

#[rstest]
#[tokio::test]
async fn answers_wait_as_long_as_the_database_takes_nothing(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = Ledger::steady(backend, 3).await;
    let session = ledger.session().await;
    ledger.execute(full(backend)).await;
    let stop = Stop::new().1;
    for _ in 0..3 {
        let failed = session.collector.pass(Wanted::Due, &stop, &|_| {}).await;
        assert!(failed.unwrap_err().to_string().contains("full"));
        ledger.advance(MINUTE);
    }
    let asked = ledger.api.count();
    assert!(
        (1..=3).contains(&asked),
        "nothing is asked while answers wait: {asked}"
    );
    ledger.execute(roomy(backend)).await;
    pass(&session).await;
    assert_eq!(ledger.outcomes().await, ["stored - 3"]);
    assert_eq!(ledger.api.count(), 3);
    session.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn an_answer_of_another_database_is_left_for_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let folder = tempfile::tempdir().unwrap();
    let state = format!("\"{}\"", folder.path().display());
    let mut first = Ledger::steady(backend, 1).await;
    first.set("state", "dir", &state);
    let session = first.session().await;
    first.execute(full(backend)).await;
    let stop = Stop::new().1;
    session
        .collector
        .pass(Wanted::Due, &stop, &|_| {})
        .await
        .unwrap_err();
    session.close().await.unwrap();

    let mut second = Ledger::steady(backend, 2).await;
    second.wanted.remove(0);
    second.set("state", "dir", &state);
    second.pass().await;
    assert_eq!(second.outcomes().await, ["stored - 1"]);
    assert_eq!(second.value("SELECT count(*) FROM sounds").await, "1");
    second.end().await;

    first.execute(roomy(backend)).await;
    first.pass().await;
    assert_eq!(first.outcomes().await, ["stored - 1"]);
    assert_eq!(first.api.count(), 1);
    first.end().await;
}
