//! How near the index comes to a truth that is known, for each way of collecting.
//!
//! `cargo test --test accuracy -- --nocapture` prints the table of docs/index.md.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    reason = "helpers of tests are tests too"
)]

mod policy;
mod truth;

use policy::{outcome, rows};

/// Sounds of each shape.
const SEEDS: u64 = 4;

#[test]
fn every_way_of_collecting_comes_as_near_to_the_truth_as_it_should() {
    println!("| collection | median / 95 % error | median half-width | days inside the bounds | segments | naive median / 95 % error |");
    println!("|---|---|---|---|---|---|");
    let mut wrong = Vec::new();
    for (policy, [median, most, half_width, inside]) in rows() {
        let found = outcome(&policy, SEEDS);
        println!(
            "| {} | {:.2} / {:.2} % | {:.2} % | {:.2} % | {} | {:.0} / {:.0} % |",
            policy.name, found.median, found.most, found.half_width, found.inside, found.segments,
            found.naive_median, found.naive_most
        );
        let reached = found.median <= median && found.most <= most && found.half_width <= half_width
            && found.inside >= inside && found.missing == 0;
        if !reached {
            wrong.push(format!("{}: {found:?}", policy.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
