//! A database that is disturbed while answers are on their way: locked by another program, read-only,
//! cut off, without a free connection. Nothing is lost, nothing is asked twice.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use std::sync::Arc;
use std::time::Duration;

use common::api::Reply;
use common::ledger::{Ledger, pass};
use common::{Backend, postgres};
use soundwatch::collect::{PassError, Stop, Wanted};
use soundwatch::service::Session;
use soundwatch::store::{Store, Tx};
use tokio::sync::Semaphore;

/// A ledger whose API answers only when it is let.
async fn held(backend: Backend, targets: usize) -> (Ledger, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let holding = Arc::clone(&gate);
    let ledger = Ledger::new(backend, targets, move |call| {
        Reply::trend(call, &[0.25, 1.0]).held_by(&holding)
    })
    .await;
    (ledger, gate)
}

/// Waits until all requests are on their way, does something to the database, and lets the answers
/// come.
async fn disturb(ledger: &Ledger, gate: &Semaphore, targets: usize, disturbance: impl AsyncFnOnce()) {
    while ledger.api.count() < targets {
        tokio::task::yield_now().await;
    }
    disturbance().await;
    gate.add_permits(targets);
}

/// A pass that may fail, since the database is away.
async fn disturbed_pass(session: &Session) {
    let stop = Stop::new().1;
    let done = session.collector.pass(Wanted::Due, &stop, &|_| {}).await;
    if let Err(error) = done {
        assert!(matches!(error, PassError::Store(_)), "{error}");
    }
}

/// Changes a database, and ends all connections to it as a restart of the server does.
async fn alter(name: &str, setting: &str) {
    let set = if setting.contains('=') { "SET" } else { "" };
    postgres::on_the_server(&format!("ALTER DATABASE {name} {set} {setting}")).await;
    cut_off(name).await;
}

async fn cut_off(name: &str) {
    let connections = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity";
    postgres::on_the_server(&format!("{connections} WHERE datname = '{name}'")).await;
}

async fn all_stored_once(ledger: Ledger, targets: usize) {
    assert_eq!(ledger.outcomes().await, [format!("stored - {targets}")]);
    assert_eq!(ledger.api.count(), targets, "nothing is asked twice");
    assert_eq!(ledger.credits().await, 2 * i64::try_from(targets).unwrap());
    ledger.end().await;
}

#[tokio::test]
async fn a_sqlite_file_that_another_program_has_locked_is_waited_for() {
    let (ledger, gate) = held(Backend::Sqlite, 5).await;
    let session = ledger.session().await;
    let mut other = ledger.database.connect().await;
    let lock = async {
        disturb(&ledger, &gate, 5, async || {
            other.execute("BEGIN EXCLUSIVE").await.unwrap()
        })
        .await;
        // As long as a program may take with it.
        tokio::time::sleep(Duration::from_millis(300)).await;
        other.execute("COMMIT").await.unwrap();
    };
    tokio::join!(pass(&session), lock);
    session.close().await.unwrap();
    all_stored_once(ledger, 5).await;
}

#[tokio::test]
async fn a_database_that_becomes_read_only_loses_nothing() {
    let (ledger, gate) = held(Backend::Postgres, 5).await;
    let session = ledger.session().await;
    let name = ledger.value("SELECT current_database()").await;
    let read_only = |value| format!("default_transaction_read_only = {value}");
    let disturbance = disturb(&ledger, &gate, 5, async || alter(&name, &read_only("on")).await);
    tokio::join!(disturbed_pass(&session), disturbance);
    assert_eq!(ledger.outcomes().await, ["- - 5"], "they wait in the spool");
    alter(&name, &read_only("off")).await;
    pass(&session).await;
    session.close().await.unwrap();
    all_stored_once(ledger, 5).await;
}

#[tokio::test]
async fn a_server_that_ends_while_answers_are_under_way_loses_nothing() {
    let (ledger, gate) = held(Backend::Postgres, 5).await;
    let session = ledger.session().await;
    let name = ledger.value("SELECT current_database()").await;
    let disturbance = disturb(&ledger, &gate, 5, async || {
        alter(&name, "ALLOW_CONNECTIONS false").await;
    });
    tokio::join!(disturbed_pass(&session), disturbance);
    alter(&name, "ALLOW_CONNECTIONS true").await;
    assert_eq!(ledger.outcomes().await, ["- - 5"], "they wait in the spool");
    pass(&session).await;
    session.close().await.unwrap();
    all_stored_once(ledger, 5).await;
}

#[tokio::test]
async fn a_server_without_a_free_connection_loses_nothing() {
    let (mut ledger, gate) = held(Backend::Postgres, 5).await;
    ledger.session().await.close().await.unwrap();
    // Of a role of its own, since a superuser has no limit.
    let role = common::postgres::name_of_its_own("limited");
    ledger
        .execute(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'limited';
            GRANT ALL ON SCHEMA public TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};
            GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}"
        ))
        .await;
    let (_, host) = ledger.database.url.rsplit_once('@').unwrap();
    let url = format!("\"postgres://{role}:limited@{host}\"");
    ledger.set("database", "url", url);
    let session = ledger.session().await;
    let name = ledger.value("SELECT current_database()").await;
    let disturbance = disturb(&ledger, &gate, 5, async || {
        ledger
            .execute(&format!("ALTER ROLE {role} CONNECTION LIMIT 0"))
            .await;
        cut_off(&name).await;
    });
    tokio::join!(disturbed_pass(&session), disturbance);
    assert_eq!(ledger.outcomes().await, ["- - 5"], "they wait in the spool");
    ledger
        .execute(&format!("ALTER ROLE {role} CONNECTION LIMIT 5"))
        .await;
    pass(&session).await;
    session.close().await.unwrap();
    ledger
        .execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
    all_stored_once(ledger, 5).await;
}

/// What SQLite does by itself when the disk is full or fails: it ends the transaction.
async fn end_behind_its_back(tx: &mut Tx) {
    let Tx::Sqlite(tx) = tx else { panic!() };
    sqlx::query("ROLLBACK").execute(&mut **tx).await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_sqlite_has_ended_by_itself_is_not_in_the_way_of_the_next() {
    let ledger = Ledger::steady(Backend::Sqlite, 5).await;
    let session = ledger.session().await;
    let store: &Store = &session.collector.store;
    let mut write = store.begin().await.unwrap();
    end_behind_its_back(&mut write).await;
    drop(write);
    // As many as there may be connections.
    let mut reads = Vec::new();
    for _ in 0..4 {
        let mut read = store.read().await.unwrap();
        end_behind_its_back(&mut read).await;
        reads.push(read);
    }
    drop(reads);
    pass(&session).await;
    session.close().await.unwrap();
    all_stored_once(ledger, 5).await;
}
