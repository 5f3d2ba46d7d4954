//! A simulated life: the real client, ledger and store live through days with every fault of the
//! simulator, restarts, deaths, outages and an edited watchlist. At the end the database equals what
//! the server's own book and the watchlist's history say: nothing lost, nothing invented, nothing paid
//! twice. The suite lives through twenty days; `scripts/prove-year` through a year.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod answer;
#[allow(unused, reason = "every test file uses a part of it")]
#[path = "../common/mod.rs"]
mod common;
mod events;
mod kept;
mod life;
mod outage;
mod server;
mod verify;
mod watched;

use std::time::Instant;

use common::Backend;
use life::{Life, Plan};
use rstest::rstest;

/// A number of the plan, which `scripts/prove-year` sets.
#[allow(
    clippy::disallowed_methods,
    reason = "the script tells the test how long to live"
)]
fn given(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_life_full_of_faults_the_database_equals_what_was_served(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let plan = Plan {
        seed: given("YEAR_SEED", 1),
        days: given("YEAR_DAYS", 20).try_into().unwrap(),
        targets: given("YEAR_TARGETS", 20).try_into().unwrap(),
    };
    println!("{backend:?}: {plan:?}");
    let begun = Instant::now();
    let mut life = Life::begin(backend, plan).await;
    life.live().await;
    let lived = begun.elapsed();
    let records = std::mem::take(&mut *life.book.records.lock().unwrap());
    let figures = verify::verify(&life.ledger, &life.truth(&records)).await;
    let mut events: Vec<_> = life.events.iter().collect();
    events.sort();
    println!(
        "lived in {lived:.0?}, compared in {:.0?}",
        begun.elapsed() - lived
    );
    println!("events: {events:?}\n{figures:#?}");
    life.ledger.end().await;
}
