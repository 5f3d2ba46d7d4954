//! Edits of the watchlist's file: all of one or nothing, none lost beside another, and the file stays
//! whose it is.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::edit::Editor;
use super::{Watchlist, parse};
use crate::problem::{Place, Problem, Problems};
use crate::source::read_text;

/// How often another edit is waited for ...
const TRIES: usize = 100;
/// ... with so much time between.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// What an edit came to.
#[derive(Clone, Debug)]
pub struct Edited<T> {
    /// What the edit gave.
    pub done: T,
    /// What the file asked for before.
    pub before: Watchlist,
    /// What it asks for with the edit.
    pub after: Watchlist,
    /// Whether its text is another one.
    pub changed: bool,
    /// What could not be kept as it was.
    pub warnings: Vec<Problem>,
}

/// Edits the file. With `dry_run` it only tells what would be. A file that is not there is made. An
/// edit that would leave the file invalid is refused with what would be wrong, and changes nothing; so
/// is one of a file that is invalid already.
pub fn edit<T>(
    path: &Path,
    dry_run: bool,
    change: impl Fn(&mut Editor) -> Result<T, Problems>,
) -> Result<Edited<T>, Problems> {
    for _ in 0..TRIES {
        let held = Held::take(path)?;
        let old = match &held {
            Some(_) => read_text(path, "")?,
            None => String::new(),
        };
        let (mut edited, text) = edit_text(path, &old, &change)?;
        if dry_run || !edited.changed {
            return Ok(edited);
        }
        let written = match &held {
            Some(held) => held.replace(path, &old, &text),
            None => make(path, &text).map(|made| made.then(Vec::new)),
        };
        match written.map_err(|error| unwritable(path, &error))? {
            Some(warnings) => {
                edited.warnings = warnings;
                return Ok(edited);
            }
            // Somebody saved it meanwhile: what they wrote is edited instead.
            None => std::thread::sleep(BETWEEN_TRIES),
        }
    }
    Err(busy(path).into())
}

/// The same with a text: what it came to, and the new text.
fn edit_text<T>(
    path: &Path,
    old: &str,
    change: impl Fn(&mut Editor) -> Result<T, Problems>,
) -> Result<(Edited<T>, String), Problems> {
    let editor = Editor::open(old);
    // A file without sounds is wrong too, but adding one is what mends it.
    let has_no_sounds = editor.as_ref().is_ok_and(Editor::lacks_sounds);
    let before = if has_no_sounds {
        Watchlist::default()
    } else {
        parse(path, old)?
    };
    let mut editor = editor.map_err(|problem| problem.at(Place::file(path)))?;
    let done = change(&mut editor)?;
    let text = editor.finish()?;
    let (text, after) = if text == old || (has_no_sounds && text.trim().is_empty()) {
        (old.to_owned(), before.clone())
    } else {
        let after = parse(path, &text)?;
        (text, after)
    };
    // What was written in another way, but means the same, is left alone.
    let changed = after.targets != before.targets;
    let edited = Edited {
        done,
        before,
        after,
        changed,
        warnings: Vec::new(),
    };
    Ok((edited, text))
}

/// The file, held against other edits. Whoever waits for it looks afterwards whether it is still the
/// one that the path names.
struct Held {
    file: File,
    /// Where it is: a link is followed, and stays one.
    path: PathBuf,
}

impl Held {
    /// `None`: there is no such file.
    fn take(path: &Path) -> Result<Option<Self>, Problem> {
        let broken = |error: io::Error| {
            Problem::new(format!("the file cannot be read: {error}")).at(Place::file(path))
        };
        for _ in 0..TRIES {
            let real = match std::fs::canonicalize(path) {
                Ok(real) => real,
                Err(error) if error.kind() == ErrorKind::NotFound && path.is_symlink() => {
                    let problem = Problem::new("this link points to a file that is not there");
                    return Err(problem.at(Place::file(path)));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(broken(error)),
            };
            let file = File::open(&real).map_err(broken)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    std::thread::sleep(BETWEEN_TRIES);
                    continue;
                }
                Err(TryLockError::Error(error)) => return Err(broken(error)),
            }
            let held = Self { file, path: real };
            if held.is_current().map_err(broken)? {
                return Ok(Some(held));
            }
        }
        Err(busy(path))
    }

    fn is_current(&self) -> io::Result<bool> {
        let (ours, named) = (self.file.metadata()?, std::fs::metadata(&self.path)?);
        Ok((ours.dev(), ours.ino()) == (named.dev(), named.ino()))
    }

    /// Puts the new text in the place of the old one, at once. `None`: it is not the old one any more.
    fn replace(&self, path: &Path, old: &str, new: &str) -> io::Result<Option<Vec<Problem>>> {
        let facts = self.file.metadata()?;
        let beside = Beside::write(&self.path, new, 0o600)?;
        let kept = beside.belong_to(facts.uid(), facts.gid());
        // After the owner: changing that takes some of them away.
        beside.file.set_permissions(facts.permissions())?;
        if std::fs::read(path)? != old.as_bytes() || !self.is_current()? {
            return Ok(None);
        }
        beside.rename(&self.path)?;
        let lost = "its owner could not be kept: the file belongs to this user now";
        let warning = Problem::new(lost).help("see that the user of the daemon can still read it");
        Ok(Some(if kept {
            Vec::new()
        } else {
            vec![warning.at(Place::file(path))]
        }))
    }
}

/// Makes the file; `false` when somebody else has made it meanwhile.
fn make(path: &Path, text: &str) -> io::Result<bool> {
    let beside = Beside::write(path, text, 0o666)?;
    beside.file.sync_all()?;
    // Unlike a rename, this replaces nothing.
    match std::fs::hard_link(&beside.path, path) {
        Ok(()) => sync_folder(path).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// A new text beside a file; gone again unless it is renamed.
struct Beside {
    path: PathBuf,
    file: File,
    renamed: bool,
}

impl Beside {
    fn write(path: &Path, text: &str, mode: u32) -> io::Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = path.with_file_name(format!(".{name}.{:016x}", fastrand::u64(..)));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&beside)?;
        let mut new = Self {
            path: beside,
            file,
            renamed: false,
        };
        new.file.write_all(text.as_bytes())?;
        Ok(new)
    }

    /// Gives it to the owner and the group, as far as this user may. `false`: not to the owner.
    fn belong_to(&self, uid: u32, gid: u32) -> bool {
        let chown = |uid, gid| std::os::unix::fs::fchown(&self.file, uid, gid);
        if chown(Some(uid), Some(gid)).is_ok() {
            return true;
        }
        // Whoever is in the group may keep that at least.
        let _ = chown(None, Some(gid));
        self.file.metadata().is_ok_and(|facts| facts.uid() == uid)
    }

    fn rename(mut self, to: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.path, to)?;
        self.renamed = true;
        sync_folder(to)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.renamed {
            // It is of no use to anyone; if it can't be removed either, it does no harm.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn busy(path: &Path) -> Problem {
    Problem::new("somebody else is editing the watchlist all the time")
        .help("try again in a moment")
        .at(Place::file(path))
}

fn unwritable(path: &Path, error: &io::Error) -> Problem {
    Problem::new(format!("the watchlist cannot be written: {error}"))
        .help("nothing has changed; see that this user may write to the file and its folder")
        .at(Place::file(path))
}
