//! One collecting process at a time on a SQLite file: a lock file beside it, locked as long as the
//! process lives, so that there is nothing to clean up after a crash.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ServiceError;
use crate::owner;
use crate::store::workers::Worker;

/// How often the lock is tried for before it counts as held ...
const TRIES: usize = 10;
/// ... with so much time between.
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// The lock; given up when it is dropped.
#[derive(Debug)]
pub struct Lock {
    // Held for its lock only.
    _file: File,
}

/// Who holds the lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process; 0 when the file does not say.
    pub pid: i64,
    /// The machine.
    pub host: String,
    /// As people read it.
    pub started_at: String,
    /// It does not collect: it reads kept answers again.
    #[serde(default)]
    pub reparses: bool,
}

impl From<&Worker> for Holder {
    fn from(worker: &Worker) -> Self {
        Self {
            pid: worker.pid,
            host: worker.host.clone(),
            started_at: crate::clock::rfc3339(worker.started_at),
            reparses: worker.reparses(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return f.write_str("another process");
        }
        write!(
            f,
            "process {} on {} (since {})",
            self.pid, self.host, self.started_at
        )
    }
}

impl Lock {
    /// Takes the lock of a database file for this worker.
    ///
    /// # Errors
    /// `Locked` tells who has it.
    pub fn take(database: &Path, worker: &Worker) -> Result<Self, ServiceError> {
        let path = path_of(database);
        let broken =
            |error: std::io::Error| ServiceError::Machine(format!("cannot lock {}: {error}", path.display()));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(broken)?;
        owner::give_to_owner_of_folder(&path);
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ServiceError::Locked(read(&mut file))),
            Err(TryLockError::Error(error)) => return Err(broken(error)),
        }
        let holder = Holder::from(worker);
        let text = serde_json::to_string(&holder).unwrap_or_default();
        file.set_len(0)
            .and_then(|()| file.write_all(text.as_bytes()))
            .map_err(broken)?;
        Ok(Self { _file: file })
    }

    /// Who is collecting into a database file now, if anyone.
    pub fn holder(database: &Path) -> Option<Holder> {
        let mut file = File::open(path_of(database)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(read(&mut file)),
            _ => None,
        }
    }
}

/// Whoever looks for the holder has the lock for a moment, which must not keep a daemon from it.
fn try_lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_TRIES),
            done => return done,
        }
    }
    file.try_lock()
}

fn path_of(database: &Path) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    database.with_file_name(name)
}

fn read(file: &mut File) -> Holder {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    read.ok()
        .and_then(|_| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker() -> Worker {
        Worker {
            id: "w".to_owned(),
            host: "here".to_owned(),
            pid: 42,
            version: "1".to_owned(),
            started_at: 0,
            heartbeat_at: 0,
        }
    }

    #[test]
    fn the_second_is_told_who_holds_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("a.db");
        let first = Lock::take(&database, &worker()).unwrap();
        let refused = Lock::take(&database, &worker()).unwrap_err().to_string();
        assert!(
            refused.starts_with("process 42 on here (since 1970-01-01T00:00:00Z)"),
            "{refused}"
        );
        assert_eq!(Lock::holder(&database).map(|h| h.pid), Some(42));
        drop(first);
        assert!(Lock::take(&database, &worker()).is_ok());
    }

    #[test]
    fn looking_for_the_holder_keeps_nobody_from_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("a.db");
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    Lock::holder(&database);
                }
            });
            let refused = (0..500).filter(|_| Lock::take(&database, &worker()).is_err());
            let refused = refused.count();
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            assert_eq!(refused, 0);
        });
    }

    #[test]
    fn nobody_holds_the_lock_of_a_database_that_nobody_uses() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("a.db");
        drop(Lock::take(&database, &worker()).unwrap());
        assert_eq!(Lock::holder(&database), None);
    }
}
