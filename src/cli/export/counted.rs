//! Where an export goes: a file that is there once it is whole, and a counter of bytes.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::NamedTempFile;

/// Bytes that are written at once.
const BUFFER: usize = 256 * 1024;

/// A file beside the one that is wanted, until it takes its place; else it is deleted.
pub(super) struct Beside {
    file: NamedTempFile,
    path: PathBuf,
}

impl Beside {
    /// For this path. A link stays one: what it points to is replaced.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let path = match fs::canonicalize(path) {
            Ok(found) if !found.is_file() => {
                return Err(io::Error::other(
                    "this is no file; leave -o out to write to stdout",
                ));
            }
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_path_buf(),
            Err(error) => return Err(error),
        };
        let file = tempfile::Builder::new()
            .prefix(".soundwatch-export-")
            // As any new file has them: the umask takes away what others may not.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder(&path))?;
        Ok(Self { file, path })
    }

    /// Puts the file where it is wanted, after all of it is on the disk.
    pub(super) fn in_place(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.path)?;
        File::open(folder(&self.path))?.sync_all()
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A buffer that counts what it is given.
pub(super) struct Counted<W: Write> {
    to: BufWriter<W>,
    bytes: Bytes,
}

/// Bytes so far, for others to look at.
#[derive(Clone, Debug, Default)]
pub(super) struct Bytes(Arc<AtomicU64>);

impl Bytes {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl<W: Write> Counted<W> {
    pub(super) fn new(to: W) -> Self {
        Self {
            to: BufWriter::with_capacity(BUFFER, to),
            bytes: Bytes::default(),
        }
    }

    pub(super) fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }

    /// What is beneath, after all was written to it.
    pub(super) fn flushed(self) -> io::Result<W> {
        self.to.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.to.write(bytes)?;
        self.bytes.0.fetch_add(taken as u64, Ordering::Relaxed);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
