//! A real Prometheus in a folder of its own, and its tool. A missing one fails the test: `scripts/test`
//! installs both.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::program::until;

const MISSING: &str = "it is missing; on Debian: apt-get install --no-install-recommends prometheus";

/// Runs `promtool` in a folder with something on its standard input.
pub fn promtool(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut tool = Command::new("promtool")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("promtool: {error}; {MISSING}"));
    let mut stdin = tool.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    tool.wait_with_output().unwrap()
}

/// A server that scrapes; killed at the end of the test.
pub struct Prometheus {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    /// Starts one with these files beside its `prometheus.yml`.
    pub fn start(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        // It can't choose a free port by itself, and another process may take the one that was free.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let port = port.port();
            let log = std::fs::File::create(folder.path().join("log")).unwrap();
            let mut child = Command::new("prometheus")
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap_or_else(|error| panic!("prometheus: {error}; {MISSING}"));
            let mut ended = false;
            until("Prometheus is ready", || {
                ended = child.try_wait().unwrap().is_some();
                ended || get(port, "/-/ready").is_some_and(|answer| answer.contains("Ready"))
            });
            if !ended {
                return Self {
                    child,
                    port,
                    _folder: folder,
                };
            }
        }
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
        panic!("Prometheus does not start:\n{log}");
    }

    /// The `data` of an answer of its API.
    pub fn api(&self, path: &str) -> Value {
        let answer = get(self.port, &format!("/api/v1/{path}")).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// What an expression gives at this moment.
    pub fn query(&self, expression: &str) -> Vec<Value> {
        let encoded = expression.bytes().map(|byte| format!("%{byte:02x}"));
        let data = self.api(&format!("query?query={}", encoded.collect::<String>()));
        data["result"].as_array().unwrap().clone()
    }

    /// The alerts that fire, each with its labels.
    pub fn firing(&self) -> Vec<Value> {
        let data = self.api("alerts");
        let alerts = data["alerts"].as_array().unwrap().iter();
        let firing = alerts.filter(|alert| alert["state"] == "firing");
        firing.map(|alert| alert["labels"].clone()).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body of an answer. HTTP/1.0 knows no chunks.
fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nhost: 127.0.0.1\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.split_once("\r\n\r\n")?.1.to_owned())
}
