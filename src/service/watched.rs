//! The states of the watchlist file: whether it has changed, and then stood still, so that nobody
//! reads what is being written.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A file that has stood still for so long has been written to its end ...
pub(super) const QUIET: Duration = Duration::from_millis(500);

/// ... or for so long when whoever wrote into it has not closed it.
const HELD: Duration = Duration::from_secs(30);

/// A file whose changes matter.
#[derive(Debug)]
pub(super) struct Watched {
    path: PathBuf,
    /// What was taken up last; `None`: nothing yet.
    known: Option<State>,
    /// Another state, and when it was seen first (monotonic time).
    changing: Option<(State, Duration)>,
}

/// A file's stamp; `None` when there is no file.
type State = Option<Stamp>;

/// What tells one state of a file from another. The time of change sees what that of modification
/// does not: a file that was moved here with its old time, or that may be read now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    changed: (i64, i64),
    length: u64,
    file: (u64, u64),
}

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It is as it was.
    Same,
    /// It has changed, and may still be changing.
    Changing,
    /// It has changed and stands still.
    Changed,
    /// It is not there any more.
    Gone,
}

impl Watched {
    /// Takes the file as it is now for known.
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            known: Some(stamp(&path)),
            ..Self::unknown(path)
        }
    }

    /// Takes the file for changed, whatever it is.
    pub(super) fn unknown(path: PathBuf) -> Self {
        Self {
            path,
            known: None,
            changing: None,
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the file as it is for changed.
    pub(super) fn forget(&mut self) {
        self.known = None;
    }

    /// Whether it is what the last look took up.
    pub(super) fn is_same(&self) -> bool {
        self.known == Some(stamp(&self.path))
    }

    /// Looks at the file, at a monotonic time. A change counts once it has stood still; `written`
    /// says that whoever wrote into it has not closed it yet.
    pub(super) fn look(&mut self, now: Duration, written: bool) -> Look {
        let state = stamp(&self.path);
        if self.known == Some(state) {
            self.changing = None;
            return Look::Same;
        }
        let since = match self.changing {
            Some((seen, since)) if seen == state => since,
            _ => now,
        };
        self.changing = Some((state, since));
        let still = now.saturating_sub(since);
        if still < if written { HELD } else { QUIET } {
            return Look::Changing;
        }
        self.changing = None;
        self.known = Some(state);
        match state {
            Some(_) => Look::Changed,
            None => Look::Gone,
        }
    }
}

fn stamp(path: &Path) -> State {
    use std::os::unix::fs::MetadataExt;
    let facts = std::fs::metadata(path).ok()?;
    Some(Stamp {
        modified: facts.modified().ok()?,
        changed: (facts.ctime(), facts.ctime_nsec()),
        length: facts.len(),
        file: (facts.dev(), facts.ino()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn watched() -> (tempfile::TempDir, PathBuf, Watched) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("watchlist.toml");
        std::fs::write(&path, "one").unwrap();
        let watched = Watched::new(path.clone());
        (dir, path, watched)
    }

    #[test]
    fn a_change_counts_once_and_only_after_it_stood_still() {
        let (_dir, path, mut watched) = watched();
        assert_eq!(watched.look(ms(0), false), Look::Same);
        std::fs::write(&path, "one two").unwrap();
        assert_eq!(watched.look(ms(1_000), false), Look::Changing);
        std::fs::write(&path, "one two three").unwrap();
        assert_eq!(watched.look(ms(1_500), false), Look::Changing, "it still grows");
        assert_eq!(watched.look(ms(2_000), false), Look::Changed);
        assert_eq!(watched.look(ms(9_000), false), Look::Same);
        assert!(watched.is_same());
    }

    #[test]
    fn what_its_writer_holds_open_is_left_alone_for_longer() {
        let (_dir, path, mut watched) = watched();
        std::fs::write(&path, "one two").unwrap();
        assert_eq!(watched.look(ms(0), true), Look::Changing);
        assert_eq!(watched.look(ms(29_900), true), Look::Changing);
        assert_eq!(watched.look(ms(30_000), true), Look::Changed);
    }

    #[test]
    fn a_file_that_is_gone_is_told_once_and_read_when_it_is_back() {
        let (_dir, path, mut watched) = watched();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(
            watched.look(ms(0), false),
            Look::Changing,
            "it may be being replaced"
        );
        assert_eq!(watched.look(ms(500), false), Look::Gone);
        assert_eq!(watched.look(ms(5_000), false), Look::Same);
        std::fs::write(&path, "one").unwrap();
        assert_eq!(watched.look(ms(6_000), false), Look::Changing);
        assert_eq!(watched.look(ms(6_500), false), Look::Changed);
    }

    #[test]
    fn another_file_of_the_same_time_and_length_is_a_change() {
        let (dir, path, mut watched) = watched();
        let before = std::fs::metadata(&path).unwrap().modified().unwrap();
        let other = dir.path().join("other");
        std::fs::write(&other, "two").unwrap();
        let file = std::fs::File::options().write(true).open(&other).unwrap();
        file.set_modified(before).unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(watched.look(ms(0), false), Look::Changing);
    }
}
