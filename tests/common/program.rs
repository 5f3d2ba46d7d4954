//! The built program in a folder of its own, with nothing from the environment of the test.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Long enough for a machine that does ten other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder in which the program is started.
pub struct Place {
    folder: tempfile::TempDir,
    env: Vec<(String, String)>,
}

/// What came of a command that has ended.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            env: Vec::new(),
        }
    }

    /// A place whose settings and watchlist ask a simulator.
    pub fn asking(simulator: &Running, watchlist: &str) -> Self {
        let place = Self::empty().with(&simulator.env);
        place.write("watchlist.toml", watchlist);
        place
    }

    pub fn with(mut self, env: &[(String, String)]) -> Self {
        self.env.extend_from_slice(env);
        self
    }

    pub fn with_setting(self, name: &str, value: &str) -> Self {
        self.with(&[(name.to_owned(), value.to_owned())])
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path().join(file), text).unwrap();
    }

    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path().join(file)).unwrap()
    }

    fn command(&self, arguments: &str) -> std::process::Command {
        let mut command = std::process::Command::new(cargo_bin("soundwatch"));
        command
            .args(arguments.split_whitespace())
            .current_dir(self.path())
            .env_clear()
            .envs(self.env.iter().cloned())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &str) -> Ended {
        let output = assert_cmd::Command::from_std(self.command(arguments))
            .timeout(PATIENCE)
            .output()
            .unwrap();
        Ended::new(&output)
    }

    /// The same with something on its standard input.
    pub fn run_with_input(&self, arguments: &str, input: &str) -> Ended {
        let output = assert_cmd::Command::from_std(self.command(arguments))
            .write_stdin(input)
            .timeout(PATIENCE)
            .output()
            .unwrap();
        Ended::new(&output)
    }

    /// Runs a command with `--json`; its output must be one document and nothing else.
    pub fn json(&self, arguments: &str) -> Value {
        self.run(&format!("{arguments} --json")).json()
    }

    /// Starts a command that goes on until it is stopped.
    pub fn start(&self, arguments: &str) -> Running {
        Self::begin(self.command(arguments))
    }

    /// The same with what it says on stderr in a file of the place.
    pub fn start_logging(&self, arguments: &str, file: &str) -> Running {
        let mut command = self.command(arguments);
        let log = std::fs::File::create(self.path().join(file)).unwrap();
        command.stdout(Stdio::null()).stderr(log);
        Running {
            child: Some(command.spawn().unwrap()),
            env: Vec::new(),
        }
    }

    /// The same with one more setting.
    pub fn start_with(&self, arguments: &str, name: &str, value: &str) -> Running {
        let mut command = self.command(arguments);
        command.env(name, value);
        Self::begin(command)
    }

    fn begin(mut command: std::process::Command) -> Running {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running {
            child: Some(command.spawn().unwrap()),
            env: Vec::new(),
        }
    }
}

impl Ended {
    fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in:\n{self}"))
    }

    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "exit {}\n-- stdout\n{}-- stderr\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}

/// A process that goes on; killed at the end of the test, also of a failed one.
pub struct Running {
    child: Option<Child>,
    /// Of a simulator: the settings that point to it.
    pub env: Vec<(String, String)>,
}

impl Running {
    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// What it writes to stdout; whoever drops it has read enough.
    pub fn stdout(&mut self) -> std::process::ChildStdout {
        self.child.as_mut().unwrap().stdout.take().unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        let id = self.child.as_ref().unwrap().id();
        let pid = Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(self, signal: Signal) -> Ended {
        self.signal(signal);
        self.end()
    }

    /// Waits until it has ended.
    pub fn end(mut self) -> Ended {
        let mut child = self.child.take().unwrap();
        let begun = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if begun.elapsed() > PATIENCE {
                child.kill().unwrap();
                panic!("it did not end within {PATIENCE:?}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ended::new(&child.wait_with_output().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A simulator of its own process. The settings are those that it prints for people to paste.
pub fn simulator(options: &str) -> Running {
    let mut running = Place::empty().start(&format!("simulate --listen 127.0.0.1:0 {options}"));
    let stdout = running.stdout();
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let pair = |setting: &str| {
        let (name, value) = setting.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    };
    running.env = line.split_whitespace().map(pair).collect();
    running
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
