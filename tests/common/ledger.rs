//! A database, an API, a clock and a watchlist: everything that a test of the ledger needs.

use soundwatch::clock::Clock;
use soundwatch::collect::{Report, Stop, Wanted};
use soundwatch::config::{ApiKey, Config, load_from};
use soundwatch::model::TargetSpec;
use soundwatch::service::Session;
use soundwatch::store::check::Finding;
use soundwatch::store::{Missing, Store};
use soundwatch::watchlist::Watchlist;

use super::api::{Api, Call, Reply};
use super::{Backend, TestDatabase};

/// Monday, 2026-02-02 07:00:00 UTC.
pub const NOW: i64 = 1_770_015_600;
pub const MINUTE: i64 = 60;
pub const HOUR: i64 = 3_600;
pub const DAY: i64 = 86_400;

/// The schedule of targets that name no other, and its newest slot at `NOW`.
pub const DAILY: &str = "15 6 * * *";
pub const SLOT: i64 = NOW - 45 * MINUTE;

pub const KEY: &str = "sk_test_0123456789abcdef";

/// The `n`th sound.
pub fn clip(n: usize) -> String {
    format!("7000000000000{n:06}")
}

/// A target: 7 days of US, in UTC.
pub fn target(n: usize, schedule: &str) -> TargetSpec {
    TargetSpec {
        clip_id: clip(n).parse().unwrap(),
        region: "US".parse().unwrap(),
        period: "7".parse().unwrap(),
        schedule: schedule.to_owned(),
        time_zone: "UTC".to_owned(),
        tags: Vec::new(),
        note: None,
    }
}

/// The targets 1 to `n`, daily.
pub fn targets(n: usize) -> Vec<TargetSpec> {
    (1..=n).map(|n| target(n, DAILY)).collect()
}

pub struct Ledger {
    pub database: TestDatabase,
    pub api: Api,
    pub clock: Clock,
    /// What the watchlist asks for.
    pub wanted: Vec<TargetSpec>,
    key: String,
    /// Lines for the configuration, by section; the last one of a name counts.
    settings: Vec<(&'static str, &'static str, String)>,
    /// The folder of `state.dir`.
    state: tempfile::TempDir,
    ended: bool,
}

impl Ledger {
    /// An empty database with daily targets and an API that follows a script.
    pub async fn new(
        backend: Backend,
        targets_wanted: usize,
        script: impl Fn(&Call) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self {
            database: backend.fresh().await,
            api: Api::answering(script).await,
            clock: Clock::manual(NOW),
            wanted: targets(targets_wanted),
            key: KEY.to_owned(),
            settings: vec![
                ("api", "requests_per_second", "100000".to_owned()),
                ("budget", "daily_credits", "1000000".to_owned()),
                ("budget", "monthly_credits", "1000000".to_owned()),
                ("watchlist", "path", "\"\"".to_owned()),
            ],
            state: tempfile::tempdir().unwrap(),
            ended: false,
        }
    }

    /// The same with an API that gives everyone the same trend.
    pub async fn steady(backend: Backend, targets_wanted: usize) -> Self {
        Self::new(backend, targets_wanted, |call| Reply::trend(call, &[0.25, 1.0])).await
    }

    /// Changes a setting, e.g. `set("budget", "daily_credits", 10)`.
    pub fn set(&mut self, section: &'static str, name: &'static str, value: impl ToString) {
        self.settings.retain(|(s, n, _)| (*s, *n) != (section, name));
        self.settings.push((section, name, value.to_string()));
    }

    pub fn use_key(&mut self, key: &str) {
        self.key = key.to_owned();
    }

    pub fn advance(&self, seconds: i64) {
        self.clock.set(self.clock.now() + seconds);
    }

    pub fn config(&self) -> Config {
        let base_url = ("api", "base_url", format!("\"{}\"", self.api.url));
        let url = ("database", "url", format!("\"{}\"", self.database.url));
        let state = ("state", "dir", format!("\"{}\"", self.state.path().display()));
        let mut text = String::new();
        // Settings that the test has made stand in for the fixture's.
        let own = [base_url, url, state]
            .into_iter()
            .filter(|(s, n, _)| !self.settings.iter().any(|(os, on, _)| (os, on) == (s, n)));
        let mut lines: Vec<_> = own.chain(self.settings.iter().cloned()).collect();
        lines.sort();
        let mut last = "";
        for (section, name, value) in lines {
            if section != last {
                text += &format!("[{section}]\n");
                last = section;
            }
            text += &format!("{name} = {value}\n");
        }
        let cwd = std::env::temp_dir();
        load_from(Some((cwd.join("config.toml"), text)), &[], &cwd).unwrap_or_else(|e| panic!("{e}"))
    }

    /// A session as `run` and `collect` open it, with the targets in line with the watchlist.
    pub async fn session(&self) -> Session {
        self.session_at(self.clock.clone()).await
    }

    /// The same with a clock of its own.
    pub async fn session_at(&self, clock: Clock) -> Session {
        let key = ApiKey::new(&self.key).unwrap();
        let session = Session::open(&self.config(), &key, clock).await.unwrap();
        let watchlist = Watchlist {
            targets: self.wanted.clone(),
            warnings: Vec::new(),
        };
        session.sync(&watchlist).await.unwrap();
        session
    }

    /// Starts, makes one pass over what is due, and ends.
    pub async fn pass(&self) -> Report {
        let session = self.session().await;
        let report = pass(&session).await;
        session.close().await.unwrap();
        report
    }

    /// Asks for some sounds, or all, in the minute of the clock.
    pub async fn force(&self, clips: Option<&[String]>) -> Report {
        let session = self.session().await;
        let minute = self.clock.now() / MINUTE * MINUTE;
        session.collector.store.hand_over(clips, minute).await.unwrap();
        let stop = Stop::new().1;
        let report = session.passes(Wanted::Forced(minute), &stop, &|_| {}).await;
        session.close().await.unwrap();
        report.unwrap()
    }

    pub async fn store(&self) -> Store {
        Store::open(&self.database.url, Missing::Create).await.unwrap()
    }

    /// The rows of a query: values apart by spaces, NULL as `-`.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        let mut connection = self.database.connect().await;
        let rows = connection
            .query(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"));
        let line = |row: Vec<Option<String>>| {
            let values: Vec<String> = row.into_iter().map(|v| v.unwrap_or_else(|| "-".into())).collect();
            values.join(" ")
        };
        rows.rows.into_iter().map(line).collect()
    }

    /// The one value of a query.
    pub async fn value(&self, sql: &str) -> String {
        let rows = self.rows(sql).await;
        assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
        rows[0].clone()
    }

    /// Statements that no test can do without, e.g. to damage something.
    pub async fn execute(&self, sql: &str) {
        let done = self.database.connect().await.execute(sql).await;
        done.unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// Every fetch: the sound's number, the slot in seconds from `SLOT`, outcome, reason.
    pub async fn fetches(&self) -> Vec<String> {
        let sql = format!(
            "SELECT CAST(substr(t.clip_id, 14) AS BIGINT), f.slot_at - {SLOT}, f.outcome, f.reason
            FROM fetches AS f JOIN targets AS t ON t.id = f.target_id ORDER BY t.clip_id, t.region, t.period, f.slot_at"
        );
        self.rows(&sql).await
    }

    /// How many fetches came to what: `outcome reason count`.
    pub async fn outcomes(&self) -> Vec<String> {
        self.rows("SELECT outcome, reason, count(*) FROM fetches GROUP BY 1, 2 ORDER BY 1, 2")
            .await
    }

    /// Every attempt: the sound's number, n, state, HTTP status, code, credits.
    pub async fn attempts(&self) -> Vec<String> {
        self.rows(
            "SELECT CAST(substr(t.clip_id, 14) AS BIGINT), a.n, a.state, a.http_status, a.api_code, a.credits
            FROM attempts AS a JOIN fetches AS f ON f.id = a.fetch_id JOIN targets AS t ON t.id = f.target_id
            ORDER BY t.clip_id, f.slot_at, a.n",
        )
        .await
    }

    /// The credits that the ledger counts as spent on all days.
    pub async fn credits(&self) -> i64 {
        let sum = self.value("SELECT CAST(coalesce(sum(credits), 0) AS BIGINT) FROM credit_days");
        sum.await.parse().unwrap()
    }

    pub async fn findings(&self) -> Vec<Finding> {
        let store = self.store().await;
        let findings = store.check().await.unwrap();
        store.close().await;
        findings
    }

    /// Ends the test: the database must hold together, whatever happened.
    pub async fn end(mut self) {
        assert_eq!(self.findings().await, []);
        self.ended = true;
    }
}

impl Ledger {
    /// Ends a test that has damaged the database.
    pub fn abandon(mut self) {
        self.ended = true;
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let checked = self.ended || std::thread::panicking();
        assert!(checked, "a test of the ledger ends with `ledger.end()`");
    }
}

/// One pass over what is due.
pub async fn pass(session: &Session) -> Report {
    let stop = Stop::new().1;
    let report = session.passes(Wanted::Due, &stop, &|_| {}).await;
    report.unwrap_or_else(|e| panic!("{e}"))
}
