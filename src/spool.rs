//! The spool: room on disk for answers that have come while the database is away.
//!
//! Room is allocated before a request is sent, one file for each answer that can be under way, and
//! an answer is written into it in place: a full disk then refuses the request, never the answer.
//! A file is locked by the process that uses it, so that several may share a folder.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{FallocateFlags, fallocate};
use sha2::{Digest, Sha256};

use crate::owner;

/// The most that a record may have: an answer of the largest size with its facts, not compressed.
pub const ROOM: usize = 4 * 1024 * 1024 + 256 * 1024;

/// Marks a file that holds a record; zeros stand there otherwise.
const MAGIC: [u8; 8] = *b"swspool1";

/// Magic, length and SHA-256 of the record.
const HEADER: usize = 8 + 8 + 32;

/// A folder of files with room for one record each.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    free: Mutex<Vec<Slot>>,
    /// The file to try next: those before it are taken.
    next: Arc<AtomicUsize>,
}

/// Room for one record, allocated on disk and locked for this process.
#[derive(Debug)]
pub struct Slot {
    file: File,
    path: PathBuf,
    /// Of one that was reserved: where its number goes back to.
    reserved: Option<(Arc<AtomicUsize>, usize)>,
}

/// However a slot is given up, the next one who needs room finds its file again.
impl Drop for Slot {
    fn drop(&mut self) {
        if let Some((next, number)) = &self.reserved {
            next.fetch_min(*number, Ordering::Relaxed);
        }
    }
}

/// What a slot of a former process holds.
#[derive(Debug)]
pub enum Left {
    /// A whole record.
    Record(Vec<u8>, Slot),
    /// A record that was not written to its end: set aside under this name.
    Torn(PathBuf),
}

impl Spool {
    /// Opens the spool in a folder, which is made if need be and is nobody else's to read.
    pub fn open(folder: &Path) -> io::Result<Self> {
        owner::make_folder(folder, 0o700)?;
        Ok(Self {
            folder: folder.to_owned(),
            free: Mutex::default(),
            next: Arc::default(),
        })
    }

    /// Room for one record; an error means that no request may be sent.
    pub fn reserve(&self) -> io::Result<Slot> {
        if let Some(slot) = self.free().pop() {
            return Ok(slot);
        }
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let path = self.folder.join(format!("answer-{number:04}"));
            let Some(mut slot) = Slot::lock(path)? else {
                continue;
            };
            // What a former process left is settled first; until then its room is taken.
            if slot.holds_record()? {
                continue;
            }
            if let Err(error) = slot.allocate() {
                // There may be room later.
                self.next.store(number, Ordering::Relaxed);
                return Err(error);
            }
            slot.reserved = Some((Arc::clone(&self.next), number));
            return Ok(slot);
        }
    }

    /// Gives room back that is not needed any more.
    pub fn release(&self, slot: Slot) {
        self.free().push(slot);
    }

    /// The records that were left behind, in the order of their files. Those of other processes that
    /// are running are theirs.
    pub fn left(&self) -> io::Result<Vec<Left>> {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(&self.folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<_>>()?;
        paths.retain(|path| {
            path.file_name()
                .is_some_and(|n| n.as_encoded_bytes().starts_with(b"answer-"))
        });
        paths.retain(|path| path.extension().is_none());
        paths.sort();
        let mut left = Vec::new();
        for path in paths {
            let Some(slot) = Slot::lock(path)? else { continue };
            if let Some(found) = slot.take()? {
                left.push(found);
            }
        }
        Ok(left)
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Slot>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many records wait in a folder, and how many were set aside: whoever only looks locks nothing.
pub fn waiting(folder: &Path) -> io::Result<(usize, usize)> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((0, 0)),
        Err(error) => return Err(error),
    };
    let (mut records, mut aside) = (0, 0);
    for entry in entries {
        let path = entry?.path();
        let is_answer = path
            .file_name()
            .is_some_and(|n| n.as_encoded_bytes().starts_with(b"answer-"));
        if !is_answer {
            continue;
        }
        if path.extension().is_some() {
            aside += 1;
            continue;
        }
        let mut beginning = [0; MAGIC.len()];
        // One that is shorter holds none.
        let read = File::open(&path)?.read_exact(&mut beginning);
        records += usize::from(read.is_ok() && beginning == MAGIC);
    }
    Ok((records, aside))
}

impl Slot {
    /// Opens and locks a file; `None` when another process, or another slot of this one, has it.
    fn lock(path: PathBuf) -> io::Result<Option<Self>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)?;
        owner::give_to_owner_of_folder(&path);
        match file.try_lock() {
            Ok(()) => Ok(Some(Self {
                file,
                path,
                reserved: None,
            })),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn allocate(&self) -> io::Result<()> {
        let room = HEADER + ROOM;
        if usize::try_from(self.file.metadata()?.len()).is_ok_and(|length| length >= room) {
            return Ok(());
        }
        match fallocate(&self.file, FallocateFlags::empty(), 0, room as u64) {
            // A file system that cannot allocate is made to by writing.
            Err(rustix::io::Errno::OPNOTSUPP) => self.file.write_all_at(&vec![0; room], 0)?,
            other => other?,
        }
        Ok(())
    }

    /// Keeps a record until it is cleared. When this fails the slot must not be used again: what a
    /// failed fsync left behind is unknown.
    pub fn keep(&self, record: &[u8]) -> io::Result<()> {
        if record.len() > ROOM {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let mut bytes = Vec::with_capacity(HEADER + record.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&(record.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&Sha256::digest(record));
        bytes.extend_from_slice(record);
        self.file.write_all_at(&bytes, 0)?;
        self.file.sync_data()
    }

    /// Forgets the record, once it is in the database.
    pub fn clear(&self) -> io::Result<()> {
        self.file.write_all_at(&[0; HEADER], 0)?;
        self.file.sync_data()
    }

    fn holds_record(&self) -> io::Result<bool> {
        let mut magic = [0; MAGIC.len()];
        Ok(self.read_whole(&mut magic, 0)? && magic == MAGIC)
    }

    /// Fills the bytes from a place of the file; `false` when the file ends before.
    fn read_whole(&self, bytes: &mut [u8], at: u64) -> io::Result<bool> {
        match self.file.read_exact_at(bytes, at) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            done => done.map(|()| true),
        }
    }

    fn take(self) -> io::Result<Option<Left>> {
        if !self.holds_record()? {
            return Ok(None);
        }
        if let Some(record) = self.read()? {
            return Ok(Some(Left::Record(record, self)));
        }
        self.set_aside().map(|aside| Some(Left::Torn(aside)))
    }

    /// Renames the file so that it is kept for a person to look at, and gives its new name.
    pub fn set_aside(self) -> io::Result<PathBuf> {
        let aside = (0..)
            .map(|number| self.path.with_extension(format!("aside{number}")))
            .find(|path| !path.exists())
            .ok_or(ErrorKind::AlreadyExists)?;
        std::fs::rename(&self.path, &aside)?;
        Ok(aside)
    }

    /// The record, if it is whole.
    fn read(&self) -> io::Result<Option<Vec<u8>>> {
        let mut header = [0; HEADER];
        if !self.read_whole(&mut header, 0)? {
            return Ok(None);
        }
        let (facts, digest) = header.split_at(16);
        let length = facts
            .get(8..16)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u64::from_le_bytes);
        let Some(length) = length
            .and_then(|l| usize::try_from(l).ok())
            .filter(|l| *l <= ROOM)
        else {
            return Ok(None);
        };
        let mut record = vec![0; length];
        if !self.read_whole(&mut record, HEADER as u64)? {
            return Ok(None);
        }
        Ok((Sha256::digest(&record).as_slice() == digest).then_some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_found_by_the_next_process_until_it_is_cleared() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        spool.reserve().unwrap().keep(b"an answer").unwrap();
        let left = Spool::open(dir.path()).unwrap().left().unwrap();
        let [Left::Record(record, slot)] = left.as_slice() else {
            panic!("{left:?}")
        };
        assert_eq!(record, b"an answer");
        slot.clear().unwrap();
        drop(left);
        assert!(Spool::open(dir.path()).unwrap().left().unwrap().is_empty());
    }

    #[test]
    fn room_that_is_given_up_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        for _ in 0..3 {
            let slots: Vec<Slot> = (0..4).map(|_| spool.reserve().unwrap()).collect();
            drop(slots);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 4);
        spool.reserve().unwrap().keep(b"an answer").unwrap();
        let slots: Vec<Slot> = (0..4).map(|_| spool.reserve().unwrap()).collect();
        assert!(slots.iter().all(|slot| !slot.holds_record().unwrap()));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 5);
    }

    #[test]
    fn room_is_on_disk_before_anything_is_written() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        let slot = Spool::open(dir.path()).unwrap().reserve().unwrap();
        let allocated = usize::try_from(slot.file.metadata().unwrap().blocks() * 512).unwrap();
        assert!(allocated >= ROOM, "{allocated} bytes");
    }

    #[test]
    fn a_torn_record_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let slot = spool.reserve().unwrap();
        slot.keep(b"an answer that is cut").unwrap();
        slot.file.write_all_at(b"?", HEADER as u64 + 3).unwrap();
        drop(slot);
        let left = spool.left().unwrap();
        let [Left::Torn(aside)] = left.as_slice() else {
            panic!("{left:?}")
        };
        assert!(aside.exists());
        assert!(spool.left().unwrap().is_empty());
    }

    #[test]
    fn a_file_that_ends_in_the_header_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("answer-0000"), MAGIC).unwrap();
        let left = Spool::open(dir.path()).unwrap().left().unwrap();
        assert!(matches!(left.as_slice(), [Left::Torn(_)]), "{left:?}");
    }

    #[test]
    fn the_room_of_a_process_that_runs_is_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let first = Spool::open(dir.path()).unwrap();
        let slot = first.reserve().unwrap();
        slot.keep(b"still being settled").unwrap();
        let second = Spool::open(dir.path()).unwrap();
        assert!(second.left().unwrap().is_empty());
        assert_ne!(second.reserve().unwrap().path, slot.path);
    }

    #[test]
    fn room_that_is_given_back_is_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let slot = spool.reserve().unwrap();
        let path = slot.path.clone();
        spool.release(slot);
        assert_eq!(spool.reserve().unwrap().path, path);
    }
}
