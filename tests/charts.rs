//! Charts in the ledger: pages are paid for once, within the budget, whatever happens between them; and
//! what is found on them is watched as long as it is there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::Backend;
use common::api::{Api, Breaks, PageCall, Reply, chart_page};
use common::ledger::{DAY, HOUR, Ledger, NOW, clip};
use rstest::rstest;
use soundwatch::collect::{Cut, Stop};
use soundwatch::config::Config;
use soundwatch::model::{Chart, Region, Window};
use soundwatch::service::{Discovery, Session};
use tokio::sync::Semaphore;

const STATES: &str = "SELECT pages_read, outcome, reason FROM chart_fetches ORDER BY id";
const REQUESTS: &str = "SELECT page, n, state, http_status, credits FROM chart_requests ORDER BY id";

fn us() -> Chart {
    Chart {
        region: Region::US,
        window: Window::Days7,
        new_to_top_100: false,
        commercial: false,
    }
}

/// The sounds from the place `from` to the place `to`.
fn places(from: usize, to: usize) -> Vec<String> {
    (from..=to).map(clip).collect()
}

/// 45 sounds, 20 on a page.
fn three_pages(call: &PageCall) -> Reply {
    let from = (call.page - 1) * 20 + 1;
    chart_page(&places(from, 45.min(from + 19)), from, Some(call.page < 3))
}

async fn ledger(backend: Backend, charts: impl Fn(&PageCall) -> Reply + Send + Sync + 'static) -> Ledger {
    let mut ledger = Ledger::steady(backend, 0).await;
    ledger.api = Api::with_charts(|call| Reply::trend(call, &[0.5, 1.0]), charts).await;
    ledger
}

/// Enters a reading and reads what is open.
async fn read(ledger: &Ledger, pages: i64) -> Option<Cut> {
    let session = ledger.session().await;
    let slot = ledger.clock.now() / 60 * 60;
    session
        .collector
        .store
        .enter_chart(&us(), slot, true, pages)
        .await
        .unwrap();
    let read = session.read_charts(&Stop::new().1).await.unwrap();
    session.close().await.unwrap();
    read.cut
}

#[rstest]
#[tokio::test]
async fn a_chart_is_read_page_by_page_to_its_end(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = ledger(backend, three_pages).await;
    assert_eq!(read(&ledger, 10).await, None);
    assert_eq!(ledger.rows(STATES).await, ["3 stored -"]);
    assert_eq!(
        ledger.rows(REQUESTS).await,
        ["1 1 answered 200 2", "2 1 answered 200 2", "3 1 answered 200 2"]
    );
    assert_eq!(ledger.credits().await, 6);
    assert_eq!(
        ledger.value("SELECT attempts, credits FROM credits_by_day").await,
        "3 6"
    );
    let asked = &ledger.api.pages()[1].parameters;
    assert_eq!((asked["limit"].as_str(), asked["period"].as_str()), ("20", "7"));
    assert!(!asked.contains_key("new_to_top_100"));
    let history = "SELECT region, period_days, rank, rank_diff, rank_diff_type, clip_id, title, author
        FROM chart_history ORDER BY rank DESC LIMIT 1";
    assert_eq!(
        ledger.value(history).await,
        format!("US 7 45 0 2 {0} Title {0} -", clip(45))
    );
    assert_eq!(
        ledger
            .value("SELECT count(*), count(DISTINCT seen_at) FROM chart_history")
            .await,
        "45 1"
    );
    assert_eq!(ledger.value("SELECT count(*) FROM payloads").await, "3");
    ledger.end().await;
}

#[rstest]
#[case::fewer_on_a_page_than_asked(|call: &PageCall| chart_page(&places(call.page * 10 - 9, call.page * 10), call.page * 10 - 9, Some(call.page < 4)), 4, 40)]
#[case::nothing_new(|_: &PageCall| chart_page(&places(1, 20), 1, Some(true)), 2, 20)]
#[case::moved_between_two_pages(|call: &PageCall| chart_page(&places(call.page * 20 - 20 + usize::from(call.page == 1), call.page * 20 - 1), 1, Some(call.page < 2)), 2, 39)]
#[case::no_word_of_more(|call: &PageCall| chart_page(&places(call.page * 20 - 19, if call.page == 2 { 25 } else { 20 }), 1, None), 2, 25)]
#[tokio::test]
async fn pages_are_read_as_long_as_they_bring_something(
    #[case] charts: fn(&PageCall) -> Reply,
    #[case] requests: usize,
    #[case] sounds: usize,
) {
    let ledger = ledger(Backend::Sqlite, charts).await;
    read(&ledger, 10).await;
    assert_eq!(ledger.api.pages().len(), requests);
    assert_eq!(ledger.rows(STATES).await, [format!("{requests} stored -")]);
    assert_eq!(
        ledger.value("SELECT count(*) FROM chart_entries").await,
        sounds.to_string()
    );
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_chart_never_costs_more_than_the_budget_has(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = ledger(backend, three_pages).await;
    ledger.set("budget", "daily_credits", 5);
    assert_eq!(read(&ledger, 3).await, Some(Cut::Budget));
    assert_eq!(ledger.rows(STATES).await, ["2 failed budget"]);
    ledger.advance(60);
    assert_eq!(read(&ledger, 3).await, Some(Cut::Budget));
    assert_eq!(ledger.rows(STATES).await, ["2 failed budget", "0 skipped budget"]);
    assert_eq!((ledger.api.pages().len(), ledger.credits().await), (2, 4));
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_page_is_asked_again_and_what_is_unknown_counts(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = ledger(backend, |call| match call.of_all {
        1 => three_pages(call).breaking(Breaks::InTheBody),
        2 => Reply::new(429, "").header("retry-after", 5),
        4.. => Reply::new(503, "away"),
        _ => three_pages(call),
    })
    .await;
    read(&ledger, 3).await;
    let requests = [
        "1 1 unknown 200 2",
        "1 2 answered 429 0",
        "1 3 answered 200 2",
        "2 1 answered 503 2",
        "2 2 answered 503 2",
        "2 3 answered 503 2",
    ];
    assert_eq!(ledger.rows(REQUESTS).await, requests);
    assert_eq!(ledger.rows(STATES).await, ["1 failed server_error"]);
    assert_eq!(ledger.credits().await, 10);
    assert_eq!(
        ledger.value("SELECT count(*) FROM chart_entries").await,
        "20",
        "what came stays"
    );
    ledger.end().await;
}

#[rstest]
#[case::no_data(Reply::json(&serde_json::json!({"code": 0, "msg": "deprecated"})), "no_data -")]
#[case::empty(chart_page(&[], 1, Some(false)), "no_data -")]
#[case::not_json(Reply::new(200, "<html>"), "rejected not_json")]
#[tokio::test]
async fn an_answer_without_a_chart_is_kept_and_told(#[case] reply: Reply, #[case] told: &str) {
    let body = reply.body.clone();
    let ledger = ledger(Backend::Sqlite, move |_| Reply::new(200, body.clone())).await;
    read(&ledger, 3).await;
    let pages = ledger.value("SELECT pages_read FROM chart_fetches").await;
    assert_eq!(ledger.rows(STATES).await, [format!("{pages} {told}")]);
    assert_eq!((ledger.api.pages().len(), ledger.credits().await), (1, 2));
    assert_eq!(ledger.value("SELECT count(*) FROM payloads").await, "1");
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_refused_key_is_paused_for_charts_too_and_a_chart_can_probe(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = ledger(backend, |call| match call.of_all {
        1 => Reply::new(402, r#"{"code": 402}"#),
        _ => three_pages(call),
    })
    .await;
    assert!(matches!(read(&ledger, 3).await, Some(Cut::Paused(Some(_)))));
    assert_eq!(
        ledger.value("SELECT reason, target_id FROM key_pauses").await,
        "out_of_credits -"
    );
    ledger.advance(60);
    assert!(matches!(read(&ledger, 3).await, Some(Cut::Paused(Some(_)))));
    assert_eq!(
        ledger.rows(STATES).await,
        ["0 failed out_of_credits", "0 skipped paused"]
    );
    assert_eq!((ledger.api.pages().len(), ledger.credits().await), (1, 0));
    ledger.advance(HOUR);
    assert_eq!(read(&ledger, 3).await, None);
    assert_eq!(
        ledger.rows("SELECT reason FROM key_pauses").await,
        [] as [&str; 0]
    );
    assert_eq!(ledger.rows(STATES).await[2], "3 stored -");
    ledger.end().await;
}

/// The second page's answer never comes: the process is gone before.
#[rstest]
#[tokio::test]
async fn a_reading_that_was_cut_off_goes_on_with_the_page_that_is_missing(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (gate, heard) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (held, hears) = (Arc::clone(&gate), Arc::clone(&heard));
    let ledger = ledger(backend, move |call| {
        if call.of_all == 2 {
            hears.add_permits(1);
            return three_pages(call).held_by(&held);
        }
        three_pages(call)
    })
    .await;
    let session = ledger.session().await;
    let store = &session.collector.store;
    store.enter_chart(&us(), NOW / 60 * 60, true, 3).await.unwrap();
    let stop = Stop::new().1;
    tokio::select! {
        read = session.read_charts(&stop) => panic!("{read:?}"),
        second = heard.acquire() => second.unwrap().forget(),
    }
    assert_eq!(
        ledger.rows(REQUESTS).await[1],
        "2 1 sent - 2",
        "it is in the ledger before it is answered"
    );
    drop(session);
    ledger.advance(HOUR);
    let session = ledger.session().await;
    let read = session.read_charts(&stop).await.unwrap();
    assert_eq!((read.ended, read.cut), (1, None));
    session.close().await.unwrap();
    let pages: Vec<usize> = ledger.api.pages().iter().map(|call| call.page).collect();
    assert_eq!(pages, [1, 2, 2, 3]);
    assert_eq!(ledger.rows(REQUESTS).await[1], "2 1 unknown - 2");
    assert_eq!(ledger.rows(STATES).await, ["3 stored -"]);
    assert_eq!(ledger.credits().await, 8);
    gate.add_permits(1);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_page_that_the_database_did_not_take_is_settled_on_return_and_not_paid_again(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = ledger(backend, three_pages).await;
    let session = ledger.session().await;
    let store = &session.collector.store;
    store.enter_chart(&us(), NOW / 60 * 60, true, 1).await.unwrap();
    ledger.execute("ALTER TABLE chart_entries RENAME TO away").await;
    let stop = Stop::new().1;
    session.read_charts(&stop).await.unwrap_err();
    ledger.execute("ALTER TABLE away RENAME TO chart_entries").await;
    session.read_charts(&stop).await.unwrap();
    session.close().await.unwrap();
    assert_eq!(ledger.rows(STATES).await, ["1 stored -"]);
    assert_eq!((ledger.api.pages().len(), ledger.credits().await), (1, 2));
    assert_eq!(ledger.value("SELECT count(*) FROM chart_history").await, "20");
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn two_workers_read_a_chart_once() {
    let ledger = ledger(Backend::Postgres, three_pages).await;
    let (one, other) = (ledger.session().await, ledger.session().await);
    let stop = Stop::new().1;
    let work = async |session: &Session| {
        session
            .collector
            .store
            .enter_chart(&us(), NOW, false, 3)
            .await
            .unwrap();
        session.read_charts(&stop).await.unwrap()
    };
    let (first, second) = tokio::join!(work(&one), work(&other));
    assert_eq!(first.ended + second.ended, 1);
    assert_eq!(ledger.api.pages().len(), 3);
    one.close().await.unwrap();
    other.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn what_a_chart_does_not_say_of_a_sound_stays(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = ledger(backend, three_pages).await;
    ledger.wanted = common::ledger::targets(1);
    ledger.pass().await;
    let author = ledger.value("SELECT author FROM sounds").await;
    assert_ne!(author, "-");
    read(&ledger, 1).await;
    let sound = format!("SELECT title, author FROM sounds WHERE clip_id = '{}'", clip(1));
    assert_eq!(ledger.value(&sound).await, format!("Title {} {author}", clip(1)));
    ledger.end().await;
}

/// A worker that discovers, and its watchlist file.
struct Worker {
    folder: tempfile::TempDir,
    discovery: Discovery,
}

impl Worker {
    fn new(own: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("watchlist.toml"), own).unwrap();
        Self {
            folder,
            discovery: Discovery::default(),
        }
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("watchlist.toml")).unwrap()
    }

    fn config(&self, ledger: &Ledger) -> Config {
        let mut config = ledger.config();
        config.watchlist.path = Some(self.folder.path().join("watchlist.toml"));
        config
    }

    /// One beat of the daemon; the discovery is a new one as after a start.
    async fn beat(&mut self, ledger: &Ledger) {
        let session = ledger.session().await;
        self.discovery = Discovery::default();
        let stop = Stop::new().1;
        self.discovery
            .work(&session, &self.config(ledger), &stop)
            .await
            .unwrap();
        session.close().await.unwrap();
    }
}

/// Charts of three sounds each, which start with the sound of this number.
async fn discovering(backend: Backend) -> (Ledger, Arc<AtomicUsize>) {
    let first = Arc::new(AtomicUsize::new(1));
    let now = Arc::clone(&first);
    let mut ledger = ledger(backend, move |_| {
        let first = now.load(Ordering::SeqCst);
        chart_page(&places(first, first + 2), 1, Some(false))
    })
    .await;
    ledger.set("discover", "regions", "[\"US\"]");
    ledger.set("discover", "add_top", 2);
    ledger.set("discover", "keep_days", 3);
    (ledger, first)
}

fn own() -> String {
    format!("# mine\n[[sounds]]\nclip = \"{}\" # the first\n", clip(1))
}

#[rstest]
#[tokio::test]
async fn what_is_found_is_watched_until_it_has_been_off_the_chart_for_long_enough(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (ledger, first) = discovering(backend).await;
    let mut worker = Worker::new(&own());
    worker.beat(&ledger).await;
    let found = format!(
        "{}\n[[sounds]]\nclip = \"{}\"\nregions = [\"US\"]\ntags = [\"discovered\"]\nnote = \"Title {1}\"\n",
        own(),
        clip(2)
    );
    assert_eq!(worker.text(), found, "the first is watched already");
    worker.beat(&ledger).await;
    assert_eq!(ledger.api.pages().len(), 1, "a slot is asked once");
    first.store(10, Ordering::SeqCst);
    for day in 1..=4 {
        ledger.advance(DAY);
        worker.beat(&ledger).await;
        // On day 1 the chart without them was seen first.
        assert_eq!(worker.text().contains(&clip(2)), day < 4, "day {day}");
        assert!(worker.text().starts_with(&own()));
    }
    assert!(worker.text().contains(&clip(10)) && worker.text().contains(&clip(11)));
    assert_eq!(ledger.credits().await, 10);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn after_a_downtime_only_the_newest_slot_of_a_chart_is_asked_and_nothing_goes_at_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (ledger, first) = discovering(backend).await;
    let mut worker = Worker::new(&own());
    worker.beat(&ledger).await;
    first.store(10, Ordering::SeqCst);
    ledger.advance(30 * DAY);
    worker.beat(&ledger).await;
    assert_eq!(ledger.api.pages().len(), 2);
    // For how long it has been off the chart nobody knows.
    assert!(worker.text().contains(&clip(2)));
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn no_more_is_found_than_is_allowed_and_a_broken_watchlist_is_left_alone() {
    let (mut ledger, _) = discovering(Backend::Sqlite).await;
    ledger.set("discover", "max_targets", 0);
    let mut worker = Worker::new(&own());
    worker.beat(&ledger).await;
    assert_eq!(worker.text(), own());
    ledger.set("discover", "max_targets", 5);
    let broken = format!("{}oops\n", own());
    std::fs::write(worker.folder.path().join("watchlist.toml"), &broken).unwrap();
    worker.beat(&ledger).await;
    assert_eq!(worker.text(), broken);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_chart_that_the_budget_forbade_is_read_when_there_is_budget_again(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (mut ledger, _) = discovering(backend).await;
    ledger.set("budget", "daily_credits", 0);
    let mut worker = Worker::new(&own());
    worker.beat(&ledger).await;
    assert_eq!(ledger.rows(STATES).await, ["0 skipped budget"]);
    ledger.set("budget", "daily_credits", 10);
    worker.beat(&ledger).await;
    assert_eq!(ledger.rows(STATES).await, ["1 stored -"]);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_worker_that_owns_no_watchlist_reads_no_chart() {
    let (ledger, _) = discovering(Backend::Sqlite).await;
    let session = ledger.session().await;
    let stop = Stop::new().1;
    Discovery::default()
        .work(&session, &ledger.config(), &stop)
        .await
        .unwrap();
    session.close().await.unwrap();
    assert_eq!(ledger.api.pages().len(), 0);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_sound_that_is_excluded_is_not_found() {
    let (mut ledger, _) = discovering(Backend::Sqlite).await;
    ledger.set("discover", "exclude", format!("[\"{}\"]", clip(2)));
    let mut worker = Worker::new(&own());
    worker.beat(&ledger).await;
    assert_eq!(worker.text(), own());
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_chart_that_was_handed_over_is_gone_on_with_after_an_error_of_the_database() {
    let (ledger, _) = discovering(Backend::Sqlite).await;
    let session = ledger.session().await;
    let (config, stop) = (ledger.config(), Stop::new().1);
    let mut discovery = Discovery::default();
    discovery.work(&session, &config, &stop).await.unwrap();
    assert!(
        !discovery.is_due(NOW + DAY),
        "this worker discovers nothing by itself"
    );
    let store = &session.collector.store;
    store.enter_chart(&us(), NOW / 60 * 60, true, 1).await.unwrap();
    ledger.execute("ALTER TABLE chart_entries RENAME TO away").await;
    discovery.work(&session, &config, &stop).await.unwrap_err();
    ledger.execute("ALTER TABLE away RENAME TO chart_entries").await;
    // It is this worker's, so nothing but this tells that there is something to do.
    assert!(discovery.is_due(NOW));
    discovery.work(&session, &config, &stop).await.unwrap();
    assert_eq!(ledger.rows(STATES).await, ["1 stored -"]);
    session.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_chart_gives_way_and_is_gone_on_with_without_paying_twice() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let ledger = ledger(Backend::Sqlite, move |call| three_pages(call).held_by(&held)).await;
    let session = ledger.session().await;
    let store = &session.collector.store;
    store.enter_chart(&us(), NOW / 60 * 60, true, 3).await.unwrap();
    let targets_are_due = async {
        while ledger.api.pages().is_empty() {
            tokio::task::yield_now().await;
        }
        gate.add_permits(3);
    };
    let stop = Stop::new().1;
    let read = async |stop: Stop| session.read_charts(&stop).await;
    let read = stop.or_when(targets_are_due, read).await.unwrap();
    assert_eq!(read.cut, Some(Cut::Stopped));
    assert_eq!(
        ledger.rows(STATES).await,
        ["1 - -"],
        "what was in flight has ended"
    );
    session.read_charts(&stop).await.unwrap();
    assert_eq!(ledger.rows(STATES).await, ["3 stored -"]);
    assert_eq!((ledger.api.pages().len(), ledger.credits().await), (3, 6));
    session.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn an_answer_is_kept_also_when_the_pause_that_it_asks_for_cannot_be_written() {
    let busy = |_: &PageCall| Reply::new(503, "later").header("Retry-After", 7_200);
    let ledger = ledger(Backend::Sqlite, busy).await;
    let session = ledger.session().await;
    let store = &session.collector.store;
    store.enter_chart(&us(), NOW / 60 * 60, true, 1).await.unwrap();
    ledger
        .execute("CREATE TRIGGER broken BEFORE INSERT ON key_pauses BEGIN SELECT RAISE(ABORT, 'broken'); END")
        .await;
    session.read_charts(&Stop::new().1).await.unwrap_err();
    assert_eq!(ledger.rows(REQUESTS).await, ["1 1 answered 503 2"]);
    ledger.execute("DROP TRIGGER broken").await;
    session.close().await.unwrap();
    ledger.end().await;
}
