//! The systemd unit, where it is installed and runs with this configuration: whether its user can
//! read what is read and write what is written, and what it sets that a shell does not.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::{Config, Variable};
use crate::problem::{Place, Problem};
use crate::store::sqlite_file;

/// Where units are; the first one counts.
const UNITS: [&str; 3] = [
    "etc/systemd/system/soundwatch.service",
    "usr/lib/systemd/system/soundwatch.service",
    "lib/systemd/system/soundwatch.service",
];

/// The configuration of a unit that names no other.
const CONFIG: &str = "/etc/soundwatch/config.toml";

const READ: u32 = 4;
const WRITE: u32 = 2;
const ENTER: u32 = 1;

/// A unit and its drop-ins.
#[derive(Debug)]
struct Unit {
    path: PathBuf,
    /// Its `Name=value` lines.
    lines: Vec<(String, String)>,
}

/// Whoever a unit runs as.
#[derive(Debug, PartialEq, Eq)]
struct User {
    name: String,
    uid: u32,
    gids: Vec<u32>,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The unit, for people.
    pub(super) unit: Option<String>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

/// Looks at the unit below `root`, which is `/` but in tests.
pub(super) fn look(root: &Path, config: &Config, seen: &[Variable]) -> Found {
    let mut found = Found::default();
    let Some(unit) = Unit::read(root).filter(|unit| unit.is_of(config)) else {
        return found;
    };
    found.warnings.extend(unit.unseen_settings(seen));
    let name = unit.last("User").unwrap_or("root").to_owned();
    found.unit = Some(format!("{} runs as {name}", unit.path.display()));
    if name == "root" || unit.is_true("DynamicUser") {
        return found;
    }
    let Some(user) = user(root, &name) else {
        let problem = Problem::new(format!("User={name}: there is no such user"))
            .help(format!("make it: useradd --system {name}"));
        found.problems.push(problem.at(Place::file(&unit.path)));
        return found;
    };
    let barriers = needs(&unit, config).into_iter().filter_map(|(path, want)| {
        let (barrier, want) = barrier(&path, want, &user)?;
        let verb = if want & WRITE != 0 { "write to" } else { "read" };
        let problem = Problem::new(format!(
            "the unit's user {name} cannot {verb} {}: this keeps it out",
            path.display()
        ));
        Some(problem.help(mend(&name, want)).at(Place::file(&barrier)))
    });
    found.problems.extend(barriers);
    found
}

fn mend(name: &str, want: u32) -> String {
    let rights = if want & WRITE != 0 { "u+rwX" } else { "g+rX" };
    if want & WRITE != 0 {
        format!("give it to that user: chown {name} and chmod {rights}")
    } else {
        format!("let that user's group read it: chgrp {name} and chmod {rights}")
    }
}

/// What the unit's user reads and writes.
fn needs(unit: &Unit, config: &Config) -> Vec<(PathBuf, u32)> {
    let mut needs: Vec<(PathBuf, u32)> = config.path.iter().map(|path| (path.clone(), READ)).collect();
    needs.extend(config.watchlist.path.iter().map(|path| (path.clone(), READ)));
    // systemd reads a credential as root.
    if unit.last("LoadCredential").is_none() {
        needs.extend(config.api.key_file.iter().map(|path| (path.clone(), READ)));
    }
    needs.push((config.state.dir.clone(), WRITE | ENTER));
    if let Some(file) = sqlite_file(config.database.url.expose()) {
        if let Some(folder) = file.parent() {
            needs.push((folder.to_path_buf(), WRITE | ENTER));
        }
        if file.exists() {
            needs.push((file, READ | WRITE));
        }
    }
    // systemd makes these at each start, and gives them to the user.
    let names = unit.all("StateDirectory").flat_map(str::split_whitespace);
    let own: Vec<PathBuf> = names.map(|name| Path::new("/var/lib").join(name)).collect();
    needs.retain(|(path, _)| !own.iter().any(|folder| path.starts_with(folder)));
    needs
}

impl Unit {
    fn read(root: &Path) -> Option<Self> {
        let path = UNITS
            .iter()
            .map(|unit| root.join(unit))
            .find(|unit| unit.is_file())?;
        let mut text = std::fs::read_to_string(&path).ok()?;
        let drop_ins = root.join("etc/systemd/system/soundwatch.service.d");
        let mut files: Vec<PathBuf> = (drop_ins.read_dir().into_iter().flatten())
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "conf"))
            .collect();
        files.sort();
        for file in files {
            text.push('\n');
            text.push_str(&std::fs::read_to_string(file).unwrap_or_default());
        }
        Some(Self {
            path,
            lines: settings(&text),
        })
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.lines.iter().filter(move |(of, _)| of == name);
        lines.map(|(_, value)| value.as_str())
    }

    fn last(&self, name: &str) -> Option<&str> {
        let line = self.lines.iter().rev().find(|(of, _)| of == name)?;
        Some(line.1.as_str())
    }

    fn is_true(&self, name: &str) -> bool {
        self.last(name)
            .is_some_and(|value| ["yes", "true", "on", "1"].contains(&value))
    }

    /// Whether it runs with this configuration file.
    fn is_of(&self, config: &Config) -> bool {
        let command = self
            .last("ExecStart")
            .unwrap_or_default()
            .replace("--config=", "--config ");
        let words = command.split_whitespace();
        let named = words.skip_while(|word| *word != "--config").nth(1);
        let its = Path::new(named.unwrap_or(CONFIG)).canonicalize().ok();
        its.is_some() && its == config.path.as_ref().and_then(|path| path.canonicalize().ok())
    }

    /// Settings that the unit gives and this environment does not: what was checked is then not what
    /// runs.
    fn unseen_settings(&self, seen: &[Variable]) -> Vec<Problem> {
        let own = self.all("Environment").map(str::to_owned);
        let files = self
            .all("EnvironmentFile")
            .map(|file| file.trim_start_matches('-'));
        let of_files = files.filter_map(|file| std::fs::read_to_string(file).ok());
        let texts: Vec<String> = own.chain(of_files).collect();
        let words = texts.iter().flat_map(|text| text.split(['\n', ' ', '"', '\'']));
        let mut names: Vec<&str> = words
            .filter_map(|word| word.split_once('='))
            .map(|(name, _)| name)
            .filter(|name| name.starts_with("SOUNDWATCH__") && *name != "SOUNDWATCH__API__KEY")
            .filter(|name| !seen.iter().any(|variable| variable.name == *name))
            .collect();
        names.sort_unstable();
        names.dedup();
        let problem = |name: &str| {
            Problem::new(format!("the unit sets {name}, which this check has not seen"))
                .help("run `check` with the same variable, or write the setting into the configuration file")
                .at(Place::file(&self.path))
        };
        names.into_iter().map(problem).collect()
    }
}

/// The `Name=value` lines of a unit; an empty value takes back what stood before it.
fn settings(text: &str) -> Vec<(String, String)> {
    let mut settings: Vec<(String, String)> = Vec::new();
    for line in text.replace("\\\n", " ").lines() {
        let line = line.trim();
        let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with(['#', ';'])) else {
            continue;
        };
        let (name, value) = (name.trim(), value.trim());
        if value.is_empty() {
            settings.retain(|(of, _)| of != name);
        } else {
            settings.push((name.to_owned(), value.to_owned()));
        }
    }
    settings
}

/// A user of `/etc/passwd` by name or number, with the groups of `/etc/group`.
fn user(root: &Path, name: &str) -> Option<User> {
    let text = std::fs::read_to_string(root.join("etc/passwd")).ok()?;
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let mut lines = text.lines().map(fields);
    let line = lines.find(|line| {
        let is = |n: usize| line.get(n).is_some_and(|field| field == name);
        is(0) || is(2)
    })?;
    let number = |n: usize| line.get(n)?.parse::<u32>().ok();
    let login = line.first()?.clone();
    let groups = std::fs::read_to_string(root.join("etc/group")).unwrap_or_default();
    let others = groups.lines().map(fields).filter_map(|group| {
        let mut members = group.get(3)?.split(',');
        members
            .any(|member| member == login)
            .then(|| group.get(2)?.parse().ok())?
    });
    Some(User {
        uid: number(2)?,
        gids: number(3).into_iter().chain(others).collect(),
        name: login,
    })
}

/// What keeps a user from a path that it wants in this way, and what it lacks there: a folder above
/// it, or itself. What is not there yet is made in the nearest folder that is.
fn barrier(path: &Path, want: u32, user: &User) -> Option<(PathBuf, u32)> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let there = path.ancestors().find(|ancestor| ancestor.exists())?;
    let mut folders: Vec<&Path> = there.ancestors().skip(1).collect();
    folders.reverse();
    let closed = folders
        .into_iter()
        .map(|folder| (folder, ENTER))
        .chain([(there, if there == path { want } else { want | ENTER })])
        .find(|(step, want)| step.metadata().is_ok_and(|facts| !may(&facts, *want, user)));
    closed.map(|(step, _)| (step.to_path_buf(), want))
}

/// Whether the mode of a file lets a user do this; access control lists are not looked at.
fn may(facts: &Metadata, want: u32, user: &User) -> bool {
    let shift = if user.uid == 0 {
        return true;
    } else if facts.uid() == user.uid {
        6
    } else if user.gids.contains(&facts.gid()) {
        3
    } else {
        0
    };
    facts.mode() >> shift & want == want
}

#[cfg(test)]
mod tests;
