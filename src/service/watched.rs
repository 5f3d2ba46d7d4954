//! The watchlist file, looked at once a second. Looking works for every way of saving (in place, by
//! rename, by a symlink, on a network file system), and costs one system call.

use std::path::PathBuf;
use std::time::SystemTime;

/// A file whose changes matter.
#[derive(Debug)]
pub(super) struct Watched {
    path: PathBuf,
    seen: Option<Stamp>,
    changing: Option<Stamp>,
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    length: u64,
    inode: u64,
}

impl Watched {
    /// Takes the file as it is now for known.
    pub(super) fn new(path: PathBuf) -> Self {
        let seen = stamp(&path);
        Self {
            path,
            seen,
            changing: None,
        }
    }

    /// Takes the file as it is for changed.
    pub(super) fn forget(&mut self) {
        self.seen = None;
    }

    /// Whether the file has changed and then stood still since the last look: who reads a file that
    /// is being written reads half of it.
    pub(super) fn changed(&mut self) -> bool {
        let now = stamp(&self.path);
        if now.is_none() || now == self.seen {
            self.changing = None;
            return false;
        }
        if self.changing != now {
            self.changing = now;
            return false;
        }
        self.changing = None;
        self.seen = now;
        true
    }
}

fn stamp(path: &PathBuf) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let facts = std::fs::metadata(path).ok()?;
    Some(Stamp {
        modified: facts.modified().ok()?,
        length: facts.len(),
        inode: facts.ino(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_once_and_only_after_it_stood_still() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("watchlist.toml");
        std::fs::write(&path, "one").unwrap();
        let mut watched = Watched::new(path.clone());
        assert!(!watched.changed());
        std::fs::write(&path, "one two").unwrap();
        assert!(!watched.changed(), "it may still be growing");
        std::fs::write(&path, "one two three").unwrap();
        assert!(!watched.changed());
        assert!(watched.changed());
        assert!(!watched.changed());
    }

    #[test]
    fn a_file_that_is_gone_is_no_change_until_it_is_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("watchlist.toml");
        std::fs::write(&path, "one").unwrap();
        let mut watched = Watched::new(path.clone());
        std::fs::remove_file(&path).unwrap();
        assert!(!watched.changed());
        assert!(!watched.changed());
        std::fs::write(&path, "another").unwrap();
        assert!(!watched.changed());
        assert!(watched.changed());
    }
}
