//! A real Chromium, driven over WebDriver. Whatever it complains of, or asks anybody else, fails the test.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource, KeyAction, KeyActions, MouseActions, PointerAction};
use fantoccini::error::CmdError;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::{Method, Url};
use serde_json::{Value, json};

use crate::common::site::Site;

/// Long enough for a machine that does ten other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who takes longer to end is ended.
const ENDING: Duration = Duration::from_secs(10);

const INSTALL: &str =
    "these tests need Chromium and its driver; on Debian: apt-get install chromium chromium-driver";

/// Nobody's profile, no sandbox (root has none), nothing that Chromium asks of its makers by itself. No name
/// but this machine's is found, and it goes when its driver goes.
const ARGUMENTS: [&str; 12] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
];

/// chromedriver; gone at the end of the test, also of a failed one.
struct Driver {
    process: Child,
    url: String,
    /// Closed, it would end chromedriver at its next line.
    _stdout: BufReader<ChildStdout>,
}

impl Driver {
    fn start() -> Self {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver: {error}; {INSTALL}"));
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut told = String::new();
        let port = loop {
            let start = told.len();
            let read = stdout.read_line(&mut told).unwrap();
            assert!(read > 0, "chromedriver ended: {told}");
            let line = told.split_at(start).1;
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim().trim_end_matches('.').to_owned();
            }
        };
        Self {
            process,
            url: format!("http://127.0.0.1:{port}"),
            _stdout: stdout,
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Asked to end it ends its browser first, so that nobody writes to the profile any more.
        if let Ok(mut stream) = TcpStream::connect(self.url.trim_start_matches("http://")) {
            let _ = stream.write_all(b"GET /shutdown HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
            let begun = Instant::now();
            while matches!(self.process.try_wait(), Ok(None)) && begun.elapsed() < ENDING {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A browser that looks at a site.
pub(crate) struct Browser {
    pub(crate) client: Client,
    site: String,
    ended: bool,
    _driver: Driver,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub(crate) async fn at(site: &Site) -> Self {
        let driver = Driver::start();
        let profile = tempfile::tempdir().unwrap();
        let folder = format!("--user-data-dir={}", profile.path().display());
        let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([folder.as_str()]).collect();
        let wanted = json!({
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        });
        let capabilities: Capabilities = wanted.as_object().unwrap().clone();
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&driver.url)
            .await
            .unwrap_or_else(|error| panic!("no browser: {error}; {INSTALL}"));
        let browser = Self {
            client,
            site: format!("http://{}", site.address),
            ended: false,
            _driver: driver,
            _profile: profile,
        };
        browser.screen(1280, "light").await;
        browser
    }

    pub(crate) async fn go(&self, path: &str) {
        let url = format!("{}{path}", self.site);
        self.client
            .goto(&url)
            .await
            .unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    /// Path and query of where it is.
    pub(crate) async fn place(&self) -> String {
        let url = self.client.current_url().await.unwrap().to_string();
        url.strip_prefix(&self.site).unwrap_or(&url).to_owned()
    }

    pub(crate) async fn click(&self, css: &str) {
        let found = self.client.find(Locator::Css(css)).await;
        let element = found.unwrap_or_else(|error| panic!("{css}: {error}"));
        element
            .click()
            .await
            .unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    /// What a reader sees of each of these.
    pub(crate) async fn texts(&self, css: &str) -> Vec<String> {
        let found =
            "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText ?? e.textContent)";
        let texts = self.client.execute(found, vec![json!(css)]).await.unwrap();
        serde_json::from_value(texts).unwrap()
    }

    pub(crate) async fn text(&self, css: &str) -> String {
        let texts = self.texts(css).await;
        let [text] = texts.as_slice() else {
            panic!("{css} is not one: {texts:?}")
        };
        text.clone()
    }

    /// The value of an expression.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        let value = self.try_value(expression).await;
        value.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    async fn try_value(&self, expression: &str) -> Result<Value, CmdError> {
        self.client
            .execute(&format!("return {expression}"), Vec::new())
            .await
    }

    /// Waits until an expression is true. A page that is just changing answers with an error.
    pub(crate) async fn until(&self, expression: &str) {
        let begun = Instant::now();
        loop {
            let value = self.try_value(expression).await;
            if matches!(value, Ok(Value::Bool(true))) {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "waited in vain until {expression}: {value:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Presses keys, whatever has the focus; `fantoccini::key::Key` names those without a letter.
    pub(crate) async fn press(&self, keys: &str) {
        let pressed = keys
            .chars()
            .fold(KeyActions::new("keys".to_owned()), |keys, value| {
                keys.then(KeyAction::Down { value }).then(KeyAction::Up { value })
            });
        self.client.perform_actions(pressed).await.unwrap();
    }

    /// Moves the pointer to a place, in pixels from the middle of an element.
    pub(crate) async fn point(&self, css: &str, right: f64, down: f64) {
        let element = self.client.find(Locator::Css(css)).await.unwrap();
        let to = PointerAction::MoveToElement {
            element,
            duration: None,
            x: right,
            y: down,
        };
        let moved = MouseActions::new("mouse".to_owned()).then(to);
        self.client.perform_actions(moved).await.unwrap();
    }

    /// A window so many pixels wide, of somebody who wants it `light` or `dark`.
    pub(crate) async fn screen(&self, width: u32, scheme: &str) {
        let wishes = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            // What still moves can't be clicked.
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({"features": wishes}))
            .await;
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// A command of the DevTools protocol.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) {
        let body = json!({"cmd": command, "params": parameters});
        self.post("goog/cdp/execute", body).await;
    }

    async fn post(&self, path: &'static str, body: Value) -> Value {
        let answer = self.client.issue_cmd(Post { path, body }).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let entries = self.post("se/log", json!({"type": kind})).await;
        entries.as_array().unwrap().clone()
    }

    /// Every test ends with this: nothing was wrong, and nobody else was asked.
    pub(crate) async fn end(self) {
        self.end_after(&[]).await;
    }

    /// The same where the browser had to complain of something.
    pub(crate) async fn end_after(mut self, expected: &[&str]) {
        self.ended = true;
        let complaints = self.log("browser").await;
        let complaint = |entry: &Value| entry["message"].as_str().unwrap().to_owned();
        for complaint in complaints.iter().map(complaint) {
            let known = expected.iter().any(|part| complaint.contains(part));
            assert!(known, "the browser complains: {complaint}");
        }
        let mut requests = 0;
        for entry in self.log("performance").await {
            let event: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            let (event, told) = (&event["message"]["method"], &event["message"]["params"]);
            // The page that Chromium begins with is no page of ours.
            let foreign = told["documentURL"]
                .as_str()
                .unwrap_or_default()
                .starts_with("chrome://");
            if event == "Network.requestWillBeSent" && !foreign {
                let url = told["request"]["url"].as_str().unwrap();
                let own = url.starts_with(&format!("{}/", self.site));
                assert!(own, "asked elsewhere: {url}");
                requests += 1;
            }
        }
        assert!(requests > 0, "no request was seen, so nothing was judged");
        self.client.clone().close().await.unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let judged = self.ended || std::thread::panicking();
        assert!(judged, "a test with a browser ends with `browser.end()`");
    }
}

/// A command that only chromedriver knows.
#[derive(Debug)]
struct Post {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Post {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}
