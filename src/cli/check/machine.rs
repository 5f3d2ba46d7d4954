//! What the machine must give: room on disk, folders that can be written to, a clock that is right.

use std::path::Path;

use indicatif::BinaryBytes;
use rustix::fs::{Access, access, statvfs};

use crate::clock::{DAY, rfc3339};
use crate::config::Config;
use crate::problem::{Place, Problem};
use crate::spool;
use crate::store::{Store, StoreError, sqlite_file};

/// 2026-01-01: nobody has run this before.
const BEGINNING: i64 = 20_454 * DAY;

/// A clock may be off by so much (seconds): workers are told apart from dead ones by their signs of
/// life.
const OFF: i64 = 15;

/// Below this a database has no room to grow in (bytes) ...
const NO_ROOM: u64 = 16 << 20;
/// ... and below this not much.
const LITTLE_ROOM: u64 = 256 << 20;

/// Answers of one request in flight that room is set aside for, at most.
const ANSWERS: u64 = 3;

/// What was found: problems, and what is only doubtful.
#[derive(Debug, Default)]
pub(super) struct Machine {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    /// Where is how much room, for people.
    pub(super) room: Vec<String>,
}

impl Machine {
    /// Looks at the folders of what is kept. Makes nothing. `writes` says whether it is this user who
    /// writes to them.
    pub(super) fn look(config: &Config, sure: impl Fn(&str) -> bool, writes: bool) -> Self {
        let mut machine = Self::default();
        if sure("state.dir") {
            let in_flight = u64::try_from(config.api.max_in_flight).unwrap_or(u64::MAX);
            let least = in_flight.saturating_mul(spool::ROOM as u64);
            let needs = (least, least.saturating_mul(ANSWERS));
            machine.folder("state.dir", &config.state.dir, needs, writes);
        }
        if sure("database.url")
            && let Some(file) = sqlite_file(config.database.url.expose())
        {
            let folder = file.parent().unwrap_or(Path::new("/"));
            machine.folder("database.url", folder, (NO_ROOM, LITTLE_ROOM), writes);
        }
        machine
    }

    /// A folder that is written to, or could be made: whether it can, and has room for so many bytes
    /// at least, better for so many.
    fn folder(&mut self, setting: &str, folder: &Path, (least, better): (u64, u64), writes: bool) {
        let nearest = nearest(folder);
        if writes && !writable(nearest) {
            let problem = Problem::new(format!(
                "{setting}: this is no folder that this user can write to"
            ))
            .help(format!("make it writable, or name another place in {setting}"));
            return self.problems.push(problem.at(Place::file(nearest)));
        }
        let Ok(facts) = statvfs(nearest) else { return };
        let free = facts.f_bavail.saturating_mul(facts.f_frsize);
        self.room
            .push(format!("{} free for {setting}", BinaryBytes(free)));
        if let Some(problem) = short_of_room(setting, free, least, better) {
            let problem = problem.at(Place::file(nearest));
            if free < least {
                self.problems.push(problem);
            } else {
                self.warnings.push(problem);
            }
        }
    }
}

/// What to say of a file system with so many bytes free.
fn short_of_room(setting: &str, free: u64, least: u64, better: u64) -> Option<Problem> {
    if free >= better {
        return None;
    }
    let what = if free < least { "no room" } else { "little room" };
    Some(
        Problem::new(format!(
            "{setting}: {what}: {} are free, and {} should be",
            BinaryBytes(free),
            BinaryBytes(better)
        ))
        .help(format!("free disk space, or name another place in {setting}")),
    )
}

/// The folder, or the nearest one that is there and in which it would be made.
fn nearest(folder: &Path) -> &Path {
    let there = folder.ancestors().find(|ancestor| ancestor.exists());
    there
        .filter(|there| !there.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn writable(folder: &Path) -> bool {
    folder.is_dir() && access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// What is wrong with this machine's clock by itself.
pub(super) fn clock(now: i64) -> Option<Problem> {
    (now < BEGINNING).then(|| wrong_clock(format!("this machine's clock says {}", rfc3339(now))))
}

/// What is wrong with it beside what the database knows.
pub(super) async fn clock_beside(store: &Store, now: i64) -> Result<Option<Problem>, StoreError> {
    let server = store.server_time().await?;
    let newest = store.newest_instant().await?;
    Ok(off(now, server, newest))
}

fn off(now: i64, server: Option<i64>, newest: Option<i64>) -> Option<Problem> {
    if let Some(server) = server.filter(|server| (server - now).abs() > OFF) {
        return Some(wrong_clock(format!(
            "this machine's clock says {}, the one of the database's server {}",
            rfc3339(now),
            rfc3339(server)
        )));
    }
    let newest = newest.filter(|newest| newest - now > OFF)?;
    Some(wrong_clock(format!(
        "this machine's clock says {}, but the newest row of the database is of {}: nothing is due until then",
        rfc3339(now),
        rfc3339(newest)
    )))
}

fn wrong_clock(message: String) -> Problem {
    Problem::new(message).help("set the clock: timedatectl set-ntp true, or whatever keeps the time here")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_770_000_000;

    #[test]
    fn a_clock_is_wrong_before_this_program_was_there() {
        assert!(clock(0).unwrap().message.contains("1970-01-01"));
        assert_eq!(clock(NOW), None);
    }

    #[test]
    fn a_clock_is_held_against_the_server_and_the_newest_row() {
        assert_eq!(off(NOW, Some(NOW + 15), Some(NOW + 15)), None);
        assert_eq!(off(NOW, None, None), None);
        let server = off(NOW, Some(NOW - 60), None).unwrap().message;
        assert!(server.contains("the one of the database's server"), "{server}");
        let rows = off(NOW, None, Some(NOW + 3_600)).unwrap().message;
        assert!(rows.contains("nothing is due until then"), "{rows}");
    }

    #[test]
    fn room_is_enough_or_little_or_none() {
        assert_eq!(short_of_room("state.dir", 300, 100, 300), None);
        let little = short_of_room("state.dir", 299, 100, 300).unwrap();
        assert!(little.message.starts_with("state.dir: little room"), "{little}");
        let none = short_of_room("state.dir", 99, 100, 300).unwrap();
        assert!(none.message.starts_with("state.dir: no room"), "{none}");
    }
}
