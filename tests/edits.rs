//! A running daemon follows its watchlist through all ways of saving: the targets are always those of the
//! last good file. `scripts/prove-edits` does the same a thousand times at random.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod common;

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use common::program::{Place, Running, simulator, until};
use common::{Backend, TestConnection, TestDatabase};
use rstest::rstest;
use rustix::process::Signal;

const LOG: &str = "run.log";
const REFUSED: &str = "the old watchlist stays in force";

/// A daemon that follows a watchlist, and the connection that looks at what it does.
struct Daemon {
    place: Place,
    running: Running,
    connection: TestConnection,
    runtime: tokio::runtime::Runtime,
    number: usize,
    _simulator: Running,
    _database: TestDatabase,
}

/// A watchlist of these sounds.
fn list(clips: &[u64]) -> String {
    let sound = |clip: &u64| format!("[[sounds]]\nclip = \"{clip:019}\"\n");
    let sounds: String = clips.iter().map(sound).collect();
    format!("[defaults]\nschedule = \"@yearly\"\n{sounds}")
}

impl Daemon {
    /// Of the sounds 1 and 2.
    fn start(backend: Backend) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let database = runtime.block_on(backend.fresh());
        let simulator = simulator("");
        let place = Place::asking(&simulator, &list(&[1, 2]))
            .with_setting("SOUNDWATCH__DATABASE__URL", &database.url);
        place.run("db migrate").expect_code(0);
        let mut daemon = Self {
            running: place.start_logging("run", LOG),
            connection: runtime.block_on(database.connect()),
            place,
            runtime,
            number: 0,
            _simulator: simulator,
            _database: database,
        };
        daemon.follows(&[1, 2]);
        daemon
    }

    fn path(&self, file: &str) -> PathBuf {
        self.place.path().join(file)
    }

    /// The watchlist file.
    fn file(&self) -> PathBuf {
        self.path("watchlist.toml")
    }

    /// A new file beside it.
    fn beside(&mut self, text: &str) -> PathBuf {
        self.number += 1;
        let folder = self.path(&format!("version-{}", self.number));
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("list.toml");
        std::fs::write(&file, text).unwrap();
        file
    }

    fn rename(&mut self, text: &str) {
        std::fs::rename(self.beside(text), self.file()).unwrap();
    }

    fn link(&mut self, text: &str) {
        let target = self.beside(text);
        let link = target.with_file_name("link");
        symlink(target, &link).unwrap();
        std::fs::rename(link, self.file()).unwrap();
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path(LOG)).unwrap_or_default()
    }

    fn targets(&mut self) -> BTreeSet<String> {
        let sql = "SELECT clip_id FROM targets WHERE removed_at IS NULL";
        let targets = self.runtime.block_on(self.connection.column(sql));
        targets.into_iter().collect()
    }

    fn sign_of_life(&mut self) -> i64 {
        let sql = "SELECT max(heartbeat_at) FROM workers";
        self.runtime.block_on(self.connection.column(sql))[0]
            .parse()
            .unwrap()
    }

    fn follows(&mut self, clips: &[u64]) {
        let wanted: BTreeSet<String> = clips.iter().map(|clip| format!("{clip:019}")).collect();
        until(&format!("the targets are {clips:?}"), || self.targets() == wanted);
    }

    /// Makes an edit that is refused, once and with this message; the targets stay.
    fn refuses(&mut self, message: &str, edit: impl FnOnce(&mut Self)) {
        let (targets, refused) = (self.targets(), self.log().matches(REFUSED).count());
        edit(self);
        until(&format!("{message:?} is told"), || {
            self.log().matches(REFUSED).count() == refused + 1
        });
        let log = self.log();
        let told = log.rsplit(REFUSED).next().unwrap();
        assert!(told.contains(message), "{message} is missing in {told}");
        assert_eq!(self.targets(), targets);
    }

    fn end(self) -> String {
        self.running.stop(Signal::TERM).expect_code(0);
        self.place.run("db check").expect_code(0);
        std::fs::read_to_string(self.place.path().join(LOG)).unwrap()
    }
}

#[rstest]
fn the_targets_are_those_of_the_last_good_file_however_it_is_saved(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut daemon = Daemon::start(backend);
    let file = daemon.file();
    std::fs::write(&file, list(&[1, 3])).unwrap();
    daemon.follows(&[1, 3]);
    daemon.rename(&list(&[1, 2, 3]));
    daemon.follows(&[1, 2, 3]);
    daemon.link(&list(&[4]));
    daemon.follows(&[4]);
    // Behind the link, in the folder that it leads to.
    let behind = file.canonicalize().unwrap();
    std::fs::write(&behind, list(&[4, 5])).unwrap();
    daemon.follows(&[4, 5]);
    daemon.refuses("not valid TOML", |_| {
        std::fs::write(&behind, "[[sounds]]\nclip = ").unwrap()
    });
    daemon.link(&list(&[5, 6]));
    daemon.follows(&[5, 6]);
    daemon.refuses("there are no sounds at all", |daemon| daemon.rename(""));
    daemon.refuses("there is no such file", |_| std::fs::remove_file(&file).unwrap());
    std::fs::write(&file, list(&[1])).unwrap();
    daemon.follows(&[1]);
    daemon.refuses("has 3 digits", |daemon| {
        daemon.rename("[[sounds]]\nclip = \"123\"\n")
    });
    daemon.refuses("this is a folder", |_| {
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
    });
    std::fs::remove_dir(&file).unwrap();
    daemon.rename(&list(&[2, 3]));
    daemon.follows(&[2, 3]);
    // The last of several in a row counts.
    for clips in [[7, 8], [8, 9], [9, 1], [1, 7]] {
        daemon.rename(&list(&clips));
    }
    daemon.follows(&[1, 7]);
    let log = daemon.end();
    assert!(log.contains("the watchlist is good again"), "{log}");
}

#[rstest]
fn a_half_written_file_is_neither_applied_nor_told_while_its_writer_has_it_open(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut daemon = Daemon::start(backend);
    daemon.running.signal(Signal::HUP);
    until("it is reloaded, with a sign of life", || {
        daemon.log().contains("reloaded")
    });
    let last_sign = daemon.sign_of_life();
    let whole = list(&[1, 2, 3]);
    let mut writer = std::fs::File::create(daemon.file()).unwrap();
    // Good by itself, without the second sound.
    let half = list(&[1]).len();
    writer.write_all(&whole.as_bytes()[..half]).unwrap();
    // The next sign of life comes seconds later: the half has been seen.
    until("there is a sign of life", || {
        daemon.sign_of_life() > last_sign + 1
    });
    assert_eq!(daemon.targets().len(), 2, "{}", daemon.log());
    writer.write_all(&whole.as_bytes()[half..]).unwrap();
    drop(writer);
    daemon.follows(&[1, 2, 3]);
    let log = daemon.end();
    assert!(!log.contains(REFUSED), "{log}");
    assert!(
        !log.contains("removed 0"),
        "nothing was taken out in between: {log}"
    );
}

#[test]
fn an_edit_is_taken_up_while_a_pass_goes_on() {
    let simulator = simulator("--latency 20s");
    let place = Place::asking(&simulator, &list(&[1]));
    let daemon = place.start_logging("run", LOG);
    let log = || std::fs::read_to_string(place.path().join(LOG)).unwrap_or_default();
    until("the targets are there", || {
        log().contains("added 0000000000000000001")
    });
    until("a request is under way", || {
        let status = place.run("why 0000000000000000001 --json");
        status.code == 0 && status.stdout.contains("sent")
    });
    place.write("watchlist.toml", &list(&[1, 2]));
    until("the edit is applied", || {
        log().contains("added 0000000000000000002")
    });
    assert!(!log().contains("pass done"), "{}", log());
    daemon.stop(Signal::KILL);
}

#[test]
fn a_reload_tells_each_setting_that_it_applies_and_each_that_needs_a_restart() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, &list(&[1]));
    place.write("config.toml", "[budget]\ndaily_credits = 100\n");
    let daemon = place.start_logging("run", LOG);
    let log = || std::fs::read_to_string(place.path().join(LOG)).unwrap_or_default();
    until("it runs", || log().contains("ready"));
    place.write(
        "config.toml",
        "[budget]\ndaily_credits = 50\n[state]\ndir = \"elsewhere\"\n",
    );
    daemon.signal(Signal::HUP);
    until("it is reloaded", || log().contains("reloaded"));
    for told in [
        "applied setting=\"budget.daily_credits\" from=\"100\" to=\"50\"",
        "this setting needs a restart setting=\"state.dir\"",
    ] {
        assert!(log().contains(told), "{told} is missing in {}", log());
    }
    place.write("config.toml", "[budget]\ndaily_credits = many\n");
    daemon.signal(Signal::HUP);
    until("the broken one is told", || {
        log().contains("the configuration is not reloaded")
    });
    daemon.stop(Signal::TERM).expect_code(0);
}

#[test]
fn a_reload_does_not_wait_for_the_pass_under_way() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, &list(&[1, 2]));
    let rate = |requests: &str| {
        let text = format!("[api]\nrequests_per_second = {requests}\n");
        place.write("config.toml", &text);
    };
    rate("0.001");
    let daemon = place.start_logging("run", LOG);
    let log = || std::fs::read_to_string(place.path().join(LOG)).unwrap_or_default();
    let stored = || {
        let status = |clip| place.run(&format!("why {clip:019} --json")).stdout;
        (1..=2).filter(|clip| status(*clip).contains("stored")).count()
    };
    until("the pass waits for the next request", || stored() == 1);
    rate("100");
    daemon.signal(Signal::HUP);
    until("the rest is asked at the new rate", || stored() == 2);
    assert!(
        log().contains("applied setting=\"api.requests_per_second\""),
        "{}",
        log()
    );
    assert!(!log().contains("left open"), "no claim was broken off: {}", log());
    daemon.stop(Signal::TERM).expect_code(0);
}
