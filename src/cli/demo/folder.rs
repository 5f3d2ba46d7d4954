//! The folder of the demo: a configuration to go on with, and nothing deleted that is not ours.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::super::exit::Failure;
use super::super::simulate::{KEY, LISTEN};
use crate::config::{self, Config};
use crate::model::{Region, TargetSpec};
use crate::problem::{Place, Problem, Problems};
use crate::service::{Lock, ServiceError};

/// A folder is ours when its configuration begins with this line.
const MARK: &str =
    "# Made by `soundwatch demo`, which makes everything here anew each time. Take this line out to keep it.";

const CONFIG: &str = "config.toml";
const WATCHLIST: &str = "watchlist.toml";
const KEY_FILE: &str = "api-key";
const DATABASE: &str = "soundwatch.db";

/// The folder, as the person named it.
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder, or empties one that the demo has made before.
    pub(super) fn prepare(path: &Path, targets: &[TargetSpec]) -> Result<Self, Failure> {
        let folder = Self {
            path: path.to_path_buf(),
        };
        fs::create_dir_all(path).map_err(|error| folder.broken(&error))?;
        if folder.is_ours() {
            folder.remove_database()?;
        } else if folder.has_anything()? {
            let problem = Problem::new("this folder holds something else than a demo")
                .help("name another one with --dir; the demo deletes nothing that it has not made")
                .at(Place::file(path));
            return Err(Problems::from(problem).into());
        }
        folder.write(targets).map_err(|error| folder.broken(&error))?;
        Ok(folder)
    }

    pub(super) fn config_file(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// The configuration of the folder, for a server that is somewhere else and as fast as it can be.
    /// The environment has no say: a demo is the same everywhere.
    pub(super) fn config(&self, base_url: &str) -> Result<Config, Failure> {
        let folder = std::path::absolute(&self.path).map_err(|error| self.broken(&error))?;
        let settings = [
            ("SOUNDWATCH__API__BASE_URL", base_url),
            ("SOUNDWATCH__API__REQUESTS_PER_SECOND", "1000"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(config::load_from(
            Some((folder.join(CONFIG), config_text())),
            &settings,
            &folder,
        )?)
    }

    fn is_ours(&self) -> bool {
        fs::read_to_string(self.config_file()).is_ok_and(|text| text.starts_with(MARK))
    }

    fn has_anything(&self) -> Result<bool, Failure> {
        let mut entries = fs::read_dir(&self.path).map_err(|error| self.broken(&error))?;
        Ok(entries.next().is_some())
    }

    fn remove_database(&self) -> Result<(), Failure> {
        let database = self.database();
        if let Some(holder) = Lock::holder(&database) {
            return Err(ServiceError::Locked(holder).into());
        }
        for ending in ["", "-wal", "-shm"] {
            remove(&self.path.join(format!("{DATABASE}{ending}"))).map_err(|error| self.broken(&error))?;
        }
        Ok(())
    }

    /// The configuration first: with its mark the rest is ours too, should we be interrupted.
    fn write(&self, targets: &[TargetSpec]) -> io::Result<()> {
        fs::write(self.config_file(), config_text())?;
        fs::write(self.path.join(WATCHLIST), watchlist_text(targets))?;
        let key = self.path.join(KEY_FILE);
        remove(&key)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(key)?;
        writeln!(file, "{KEY}")
    }

    fn broken(&self, error: &io::Error) -> Failure {
        let problem = Problem::new(format!("the demo cannot be put here: {error}"))
            .help("name a folder that you can write to with --dir")
            .at(Place::file(&self.path));
        Failure::Problems(problem.into())
    }
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn config_text() -> String {
    format!(
        "{MARK}
# config.toml.example explains every setting.

[api]
# Nobody answers here, unless `soundwatch simulate` runs in another terminal.
base_url = \"http://{LISTEN}\"
key_file = \"{KEY_FILE}\"

[database]
url = \"sqlite:{DATABASE}\"

[watchlist]
path = \"{WATCHLIST}\"
"
    )
}

/// The watchlist as a person would write it: each sound once, with its regions.
fn watchlist_text(targets: &[TargetSpec]) -> String {
    let mut text = "# The sounds of the demo. They live in the simulator only.\n".to_owned();
    if let Some(first) = targets.first() {
        text.push_str(&format!(
            "\n[defaults]\nregions = [\"{}\"]\nperiod = {}\nschedule = \"{}\"\n",
            Region::US,
            first.period,
            first.schedule
        ));
    }
    for sound in targets.chunk_by(|a, b| a.clip_id == b.clip_id) {
        let Some(first) = sound.first() else { continue };
        text.push_str(&format!("\n[[sounds]]\nclip = \"{}\"\n", first.clip_id));
        if sound.len() > 1 {
            let regions: Vec<String> = sound
                .iter()
                .map(|target| format!("\"{}\"", target.region))
                .collect();
            text.push_str(&format!("regions = [{}]\n", regions.join(", ")));
        }
    }
    text
}
