//! The service as systemd meets it: what the unit allows, and what the daemon tells. The life of the
//! whole package under a real systemd is `scripts/prove-systemd`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod common;

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use assert_cmd::cargo::cargo_bin;
use common::Backend;
use common::program::{Place, Running, simulator};
use rstest::rstest;
use rustix::process::Signal;
use soundwatch::config;

const UNIT: &str = include_str!("../packaging/soundwatch.service");
const CONFIG: &str = include_str!("../packaging/config.toml");

const WATCHLIST: &str = r#"
[defaults]
schedule = "@yearly"

[[sounds]]
clip = "6703723351497508865"
"#;

/// The unit beside a program that is there.
fn unit(folder: &Path) -> PathBuf {
    let program = cargo_bin("soundwatch");
    let path = folder.join("soundwatch.service");
    std::fs::write(
        &path,
        UNIT.replace("/usr/bin/soundwatch", program.to_str().unwrap()),
    )
    .unwrap();
    path
}

/// A missing systemd fails the test: `scripts/test` installs it.
fn analyze(arguments: &[&str], unit: &Path) -> Output {
    let mut command = Command::new("systemd-analyze");
    let command = command.args(arguments).arg(unit);
    command
        .output()
        .expect("systemd-analyze is needed (Debian: apt-get install systemd)")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn the_unit_is_exposed_by_at_most_1_1() {
    let folder = tempfile::tempdir().unwrap();
    let output = analyze(
        &["security", "--offline=true", "--threshold=11"],
        &unit(folder.path()),
    );
    assert!(output.status.success(), "{}", text(&output));
    assert!(
        text(&output).contains("Overall exposure level"),
        "{}",
        text(&output)
    );
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    // The manual page comes with the package.
    let output = analyze(&["verify", "--man=no"], &unit(folder.path()));
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(text(&output), "");
}

#[test]
fn the_packaged_configuration_names_the_folders_of_the_unit() {
    let file = (PathBuf::from("/etc/soundwatch/config.toml"), CONFIG.to_owned());
    let config = config::load_from(Some(file), &[], Path::new("/")).unwrap();
    let url = config.database.url.to_string();
    assert_eq!(url, "sqlite:/var/lib/soundwatch/soundwatch.db");
    assert_eq!(config.state.dir, Path::new("/var/lib/soundwatch/state"));
    let watchlist = Path::new("/etc/soundwatch/watchlist.toml");
    assert_eq!(config.watchlist.path.as_deref(), Some(watchlist));
    for line in [
        "StateDirectory=soundwatch",
        "ConfigurationDirectory=soundwatch",
        "LoadCredential=api-key:/etc/soundwatch/api-key",
        "RestartPreventExitStatus=2",
    ] {
        assert!(UNIT.lines().any(|l| l == line), "{line}");
    }
    let key_file = Path::new("/etc/soundwatch/api-key");
    assert_eq!(config.api.key_file.as_deref(), Some(key_file));
}

/// What the daemon tells systemd.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn start(place: &Place) -> (Self, Running) {
        let path = place.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        // Longer than anything takes; it only ends a test that would hang.
        socket.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let daemon = place.start_with("run", "NOTIFY_SOCKET", path.to_str().unwrap());
        (Self { socket }, daemon)
    }

    /// Everything that is told until a line begins so, that line included.
    fn until(&self, beginning: &str) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            let mut bytes = [0; 4096];
            let length = self
                .socket
                .recv(&mut bytes)
                .unwrap_or_else(|error| panic!("no {beginning:?} ({error}) after {told:?}"));
            let message = String::from_utf8_lossy(bytes.get(..length).unwrap());
            let lines = message.lines().map(str::to_owned);
            told.extend(lines);
            if told.iter().any(|line| line.starts_with(beginning)) {
                return told;
            }
        }
    }
}

#[test]
fn systemd_is_told_of_each_step_of_the_daemons_life() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, WATCHLIST);
    let (manager, daemon) = Manager::start(&place);

    assert_eq!(
        manager.until("READY=1"),
        ["READY=1"],
        "nothing before it is ready"
    );
    manager.until("WATCHDOG=1");
    let told = manager.until("STATUS=last pass: 2");
    let status = told.last().unwrap();
    assert!(status.contains(" (stored 1); next slot: 2"), "{status}");

    daemon.signal(Signal::HUP);
    manager.until("RELOADING=1");
    manager.until("READY=1");

    daemon.signal(Signal::TERM);
    manager.until("STOPPING=1");
    daemon.end().expect_code(0);
}

#[test]
fn a_broken_watchlist_is_never_ready() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, "[[sounds]]");
    let (manager, daemon) = Manager::start(&place);
    daemon.end().expect_code(2);
    manager.socket.set_nonblocking(true).unwrap();
    assert!(manager.socket.recv(&mut [0; 64]).is_err());
}

#[rstest]
#[tokio::test]
async fn the_watchdog_gets_nothing_while_the_database_does_not_answer(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = backend.fresh().await;
    let simulator = simulator("");
    let place = Place::asking(&simulator, WATCHLIST).with_setting("SOUNDWATCH__DATABASE__URL", &database.url);
    let (manager, daemon) = Manager::start(&place);
    manager.until("WATCHDOG=1");

    let mut connection = database.connect().await;
    let (refuse, take) = match backend {
        Backend::Sqlite => (
            "CREATE TRIGGER away BEFORE UPDATE ON workers BEGIN SELECT RAISE(ABORT, 'away'); END",
            "DROP TRIGGER away",
        ),
        Backend::Postgres => (
            "CREATE FUNCTION away() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'away'; END $$;
            CREATE TRIGGER away BEFORE UPDATE ON workers FOR EACH ROW EXECUTE FUNCTION away()",
            "DROP FUNCTION away CASCADE",
        ),
    };
    connection.execute(refuse).await.unwrap();
    manager.until("STATUS=trying again in");
    let told = manager.until("STATUS=trying again in");
    assert!(!told.iter().any(|line| line == "WATCHDOG=1"), "{told:?}");
    connection.execute(take).await.unwrap();
    manager.until("WATCHDOG=1");
    daemon.stop(Signal::TERM).expect_code(0);
}
