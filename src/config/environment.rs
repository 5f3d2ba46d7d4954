//! What the environment says.

use super::{FILE_VARIABLE, PREFIX};
use crate::problem::{Problem, Problems};

/// The variables that concern soundwatch.
pub(super) fn environment() -> Result<Vec<(String, String)>, Problems> {
    let mut ours = Vec::new();
    let mut problems = Vec::new();
    #[allow(
        clippy::disallowed_methods,
        reason = "this module is the one that reads the environment"
    )]
    for (name, value) in std::env::vars_os() {
        let Some(name) = name
            .to_str()
            .filter(|name| name.starts_with(PREFIX) || *name == FILE_VARIABLE)
        else {
            continue;
        };
        match value.into_string() {
            Ok(value) => ours.push((name.to_owned(), value)),
            Err(_) => problems.push(Problem::new(format!("{name}: the value is not UTF-8 text"))),
        }
    }
    ours.sort();
    if problems.is_empty() {
        Ok(ours)
    } else {
        Err(Problems(problems))
    }
}

/// What the logs shall tell, in the words of `RUST_LOG`; empty when nobody said.
#[allow(clippy::disallowed_methods, reason = "this module reads the environment")]
pub fn log_filter() -> String {
    std::env::var("RUST_LOG").unwrap_or_default()
}

/// The device and inode of the journal's stream, when systemd has connected one; the caller compares
/// them with what it writes to.
#[allow(clippy::disallowed_methods, reason = "this module reads the environment")]
pub fn journal_stream() -> Option<String> {
    std::env::var("JOURNAL_STREAM").ok()
}
