//! What fuzzing began with and what it found (`tests/corpus/`): the properties hold for all of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod properties;

use std::path::Path;

use rstest::rstest;

#[rstest]
#[case("answer", properties::answer)]
#[case("watchlist", properties::watchlist)]
#[case("spool", properties::spool)]
fn the_properties_hold_for_the_corpus(#[case] name: &str, #[case] property: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(name);
    let mut files: Vec<_> = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() > 5, "{files:?}");
    for file in files {
        println!("{}", file.display());
        property(&std::fs::read(&file).unwrap());
    }
}
