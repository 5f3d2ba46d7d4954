//! A daemon that shows its page and its answers over HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::program::{Place, Running, until};
use super::{Backend, TestDatabase};

/// The history of the documents.
pub const HISTORY: &str = include_str!("../data/history.sql");

/// The history has IDs of its own, which Postgres does not count on from.
const NEXT_IDS: &str = "
    SELECT setval(pg_get_serial_sequence('fetches', 'id'), 1000),
        setval(pg_get_serial_sequence('chart_fetches', 'id'), 1000)";

/// The sound that has an index in the US, and windows only in Latvia.
pub const NEW_SUN: &str = "6703723351497508865";

/// Titles and names that would be markup.
pub const HOSTILE: &str = "
    UPDATE sounds SET title = '<script>alert(''1'')</script> \"quoted\" & <b>', author = '</bdi></a>' WHERE title = 'New Sun';
    UPDATE sounds SET title = '=1+1' WHERE title = 'Night Drive';
    UPDATE countries SET name = '<i>Latvia' WHERE code = 'LV';";

/// A daemon that listens.
pub struct Site {
    pub running: Running,
    pub address: SocketAddr,
    pub place: Place,
    pub database: Option<TestDatabase>,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(given, _)| given.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.body))
    }
}

impl Site {
    pub fn start(place: Place, database: Option<TestDatabase>) -> Self {
        let place = place.with_setting("SOUNDWATCH__HTTP__LISTEN", "127.0.0.1:0");
        let running = place.start_logging("run", "run.log");
        let mut address = None;
        until("it listens", || {
            let log = place.read("run.log");
            let told = log.split_once("listening on http://");
            address = told.and_then(|(_, rest)| rest.split_once('\n')?.0.trim().parse().ok());
            address.is_some()
        });
        Self {
            running,
            address: address.unwrap(),
            place,
            database,
        }
    }

    /// One that has the history of the documents, and asks nothing.
    pub async fn with_history(backend: Backend, sql: &str) -> Self {
        let database = backend.fresh().await;
        let settings = [
            ("SOUNDWATCH__DATABASE__URL", database.url.as_str()),
            ("SOUNDWATCH__API__BASE_URL", "http://127.0.0.1:1"),
            ("SOUNDWATCH__API__KEY_FILE", ""),
            ("SOUNDWATCH__API__KEY", "sk_live_simulated"),
            ("SOUNDWATCH__WATCHLIST__PATH", ""),
            ("SOUNDWATCH__BUDGET__DAILY_CREDITS", "1"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let place = Place::empty().with(&settings);
        place.run("db migrate").expect_code(0);
        let next_ids = match backend {
            Backend::Sqlite => "",
            Backend::Postgres => NEXT_IDS,
        };
        let sql = format!("{HISTORY};{next_ids};{sql}");
        database.connect().await.execute(&sql).await.unwrap();
        Self::start(place, Some(database))
    }

    pub fn ask(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub fn get_with(&self, path: &str, headers: &str) -> Answer {
        let host = self.address;
        self.ask(&format!(
            "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}\r\n"
        ))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.get_with(path, "")
    }
}
