//! Whose the files are that root makes. An administrator runs a command in the service's folder; what
//! it makes there is the service's to write, so it is given to whoever owns the folder, as SQLite does
//! with the files beside a database.

use std::fs::DirBuilder;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, lchown};
use std::path::Path;

/// Gives a file or folder that root has made to the owner of the folder that it is in.
pub fn give_to_owner_of_folder(path: &Path) {
    let folder = path.parent().map(std::fs::metadata);
    if let Some(Ok(folder)) = folder
        && rustix::process::geteuid().is_root()
    {
        // Where root may not do this (in some containers), nobody else's service uses the folder.
        let _ = lchown(path, Some(folder.uid()), Some(folder.gid()));
    }
}

/// Makes a folder and those above it that are missing, each for the owner of the one above.
pub fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make_folder(above, mode)?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        // Another process was quicker.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made.map(|()| give_to_owner_of_folder(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_belongs_to_the_owner_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        if rustix::process::geteuid().is_root() {
            lchown(dir.path(), Some(12_345), Some(12_346)).unwrap();
        }
        let owner = |path: &Path| {
            let facts = std::fs::metadata(path).unwrap();
            (facts.uid(), facts.gid())
        };
        let folder = dir.path().join("state/spool");
        make_folder(&folder, 0o700).unwrap();
        let file = folder.join("answer");
        std::fs::write(&file, "").unwrap();
        give_to_owner_of_folder(&file);
        for path in [&dir.path().join("state"), &folder, &file] {
            assert_eq!(owner(path), owner(dir.path()), "{}", path.display());
        }
        assert_eq!(std::fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        make_folder(&folder, 0o700).unwrap();
    }
}
