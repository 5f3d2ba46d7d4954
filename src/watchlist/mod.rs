//! The watchlist: which sounds to ask for, where, how far back and when. A file that a person
//! wrote becomes targets; a pure diff says what to change in the stored ones.

mod clip;
mod diff;
pub mod discovered;
pub mod edit;
mod fields;
pub mod file;
pub mod import;
mod parse;
mod regions;

use std::path::Path;

pub use clip::clip_id;
pub use diff::{Changed, Diff, StoredTarget, diff};
pub use parse::parse;
pub use regions::{REGIONS, region_doubt, region_doubts};

use crate::model::TargetSpec;
use crate::problem::{Problem, Problems};
use crate::source;

/// A watchlist to begin with, and its documentation.
pub const EXAMPLE: &str = include_str!("../../watchlist.toml.example");

/// What a watchlist file asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watchlist {
    /// Each (clip, region, period) once, in the order of the file.
    pub targets: Vec<TargetSpec>,
    /// What is allowed, but probably not meant.
    pub warnings: Vec<Problem>,
}

/// A watchlist that may have problems, with what is doubtful about the rest of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// What could be read.
    pub watchlist: Watchlist,
    /// Everything that is wrong.
    pub problems: Problems,
}

impl Examined {
    fn broken(problems: Vec<Problem>) -> Self {
        Self {
            problems: Problems(problems),
            ..Self::default()
        }
    }

    /// The watchlist, if nothing is wrong with it.
    pub fn usable(self) -> Result<Watchlist, Problems> {
        if self.problems.0.is_empty() {
            Ok(self.watchlist)
        } else {
            Err(self.problems)
        }
    }
}

/// Reads a watchlist file.
pub fn read(path: &Path) -> Result<Watchlist, Problems> {
    examine(path).usable()
}

/// The same, with the warnings also when there are problems.
pub fn examine(path: &Path) -> Examined {
    match source::read_text(path, "write one after watchlist.toml.example") {
        Ok(text) => parse::examine_text(path, &text),
        Err(problem) => Examined::broken(vec![problem]),
    }
}

#[cfg(test)]
mod tests;
