//! What the kernel says of a file: that something has happened to it, and whether whoever wrote into
//! it has closed it. Folders are watched, not the file: who saves by renaming makes another file.
//! Network file systems say nothing, so whoever listens looks from time to time all the same.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// Notices of one file, from now on. If it is a symlink, of the file behind it too.
#[derive(Debug)]
pub(super) struct Notices {
    heard: Arc<Heard>,
    // Held for its thread; `None` when the kernel gives no notices.
    _watcher: Option<RecommendedWatcher>,
}

#[derive(Debug, Default)]
struct Heard {
    something: Notify,
    written: AtomicBool,
}

impl Notices {
    /// Listens to what happens to `path`.
    pub(super) fn of(path: &Path) -> Self {
        let heard = Arc::new(Heard::default());
        let watcher = watch(path, Arc::clone(&heard))
            .inspect_err(|error| tracing::debug!(%error, "the kernel gives no notices of the watchlist"));
        Self {
            heard,
            _watcher: watcher.ok(),
        }
    }

    /// Waits until something has happened.
    pub(super) async fn something(&self) {
        self.heard.something.notified().await;
    }

    /// Whether somebody has written into the file and not closed it yet.
    pub(super) fn written(&self) -> bool {
        self.heard.written.load(Ordering::SeqCst)
    }
}

fn watch(path: &Path, heard: Arc<Heard>) -> notify::Result<RecommendedWatcher> {
    let mut files: Vec<PathBuf> = vec![path.to_path_buf()];
    files.extend(path.canonicalize());
    let names: BTreeSet<OsString> = files
        .iter()
        .filter_map(|file| Some(file.file_name()?.to_owned()))
        .collect();
    let folders: BTreeSet<&Path> = files.iter().filter_map(|file| file.parent()).collect();
    // The link of a folder on the way may be swapped (as Kubernetes does), whatever its name is.
    let is_link = path.is_symlink();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // Lost notices are made up for by looking.
        let Ok(event) = event else { return };
        if concerns(&event, &names) {
            heard.hear(event.kind);
        } else if is_link && matches!(event.kind, EventKind::Modify(ModifyKind::Name(_))) {
            heard.something.notify_one();
        }
    })?;
    for folder in folders {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

fn concerns(event: &Event, names: &BTreeSet<OsString>) -> bool {
    let mut its_names = event.paths.iter().filter_map(|path| path.file_name());
    its_names.any(|name| names.contains(name))
}

impl Heard {
    fn hear(&self, kind: EventKind) {
        match kind {
            EventKind::Modify(ModifyKind::Data(_)) => self.written.store(true, Ordering::SeqCst),
            // Written to the end, or another file.
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(_) => self.written.store(false, Ordering::SeqCst),
            // Somebody reads it, perhaps ourselves.
            EventKind::Access(_) => return,
            _ => {}
        }
        self.something.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn a_file_counts_as_written_until_its_writer_closes_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("watchlist.toml");
        let notices = Notices::of(&path);
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        while !notices.written() {
            notices.something().await;
        }
        drop(file);
        while notices.written() {
            notices.something().await;
        }
    }

    #[tokio::test]
    async fn of_a_symlink_the_file_behind_it_and_the_link_itself_are_watched() {
        let dir = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| {
            let folder = dir.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            let file = folder.join("list.toml");
            std::fs::write(&file, name).unwrap();
            file
        });
        let link = dir.path().join("watchlist.toml");
        std::os::unix::fs::symlink(&first, &link).unwrap();
        let notices = Notices::of(&link);
        std::fs::write(&first, "another").unwrap();
        notices.something().await;
        let notices = Notices::of(&link);
        let beside = dir.path().join("beside");
        std::os::unix::fs::symlink(&second, &beside).unwrap();
        std::fs::rename(&beside, &link).unwrap();
        notices.something().await;
        let notices = Notices::of(&link);
        std::fs::rename(dir.path().join("first"), dir.path().join("third")).unwrap();
        notices.something().await;
    }
}
