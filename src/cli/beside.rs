//! A file that is there once it is whole: a report, an export.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

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
                return Err(io::Error::other("this is no file"));
            }
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_path_buf(),
            Err(error) => return Err(error),
        };
        let file = tempfile::Builder::new()
            .prefix(".soundwatch-")
            // As any new file has them: the umask takes away what others may not.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder(&path))?;
        Ok(Self { file, path })
    }

    /// How large it is.
    pub(super) fn bytes(&self) -> io::Result<u64> {
        Ok(self.file.as_file().metadata()?.len())
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
