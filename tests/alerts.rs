//! Alerts: which targets are in trouble, what is kept of an alert, and what a daemon tells whom.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests too")]

#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use common::Backend;
use common::api::{Api, Call, Reply};
use common::ledger::{DAY, Ledger, NOW};
use common::program::{Place, until};
use rstest::rstest;
use rustix::process::Signal;
use serde_json::Value;
use soundwatch::model::{AlertKind, News};
use soundwatch::store::alerts::{Change, Condition, Untold};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, block_in_place};

/// The targets in trouble after each of so many daily passes: kind, how many, and whether one came to it
/// in that pass.
async fn troubled(ledger: &Ledger, days: usize) -> Vec<String> {
    let mut found = Vec::new();
    for _ in 0..days {
        ledger.pass().await;
        let session = ledger.session().await;
        let troubled = session.collector.store.troubled(3).await.unwrap();
        session.close().await.unwrap();
        let told = troubled.iter().map(|t| {
            let new = if t.grown_at == ledger.clock.now() {
                " new"
            } else {
                ""
            };
            format!("{} {}{new}", t.kind, t.targets)
        });
        found.push(told.collect::<Vec<_>>().join(", "));
        ledger.advance(DAY);
    }
    found
}

#[rstest]
#[tokio::test]
async fn the_third_slot_in_a_row_without_data_is_trouble(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let without = |call: &Call| call.clip.ends_with('1') && call.nth != 4;
    let script = move |call: &Call| match without(call) {
        true => Reply::new(204, ""),
        false => Reply::trend(call, &[1.0]),
    };
    // The day of the other's answers does not move: that is another kind of trouble.
    let ledger = Ledger::new(backend, 1, script).await;
    let found = troubled(&ledger, 8).await;
    let expected = ["", "", "no_data 1 new", "", "", "", "no_data 1 new", "no_data 1"];
    assert_eq!(
        found, expected,
        "the fourth answer has data: the count begins anew"
    );
    assert_eq!(ledger.api.count(), 8, "it is asked as often as before");
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn failing_targets_and_those_whose_day_stands_still_are_trouble(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let script = |call: &Call| match call.clip.as_str() {
        clip if clip.ends_with('1') => Reply::new(404, ""),
        // Its last slot says of which kind the trouble is.
        clip if clip.ends_with('2') && call.nth < 3 => Reply::new(404, ""),
        clip if clip.ends_with('2') => Reply::new(204, ""),
        _ => Reply::trend(call, &[0.5, 1.0]),
    };
    let mut ledger = Ledger::new(backend, 3, script).await;
    let found = troubled(&ledger, 7).await;
    let both = "failing 1, no_data 1";
    // The newest day is 2026-02-01. On the 5th it is more than three days old, on the 7th for the third time.
    let expected = [
        "",
        "",
        "failing 1 new, no_data 1 new",
        both,
        both,
        "failing 1, no_data 1, stale 1 new",
        "failing 1, no_data 1, stale 1",
    ];
    assert_eq!(found, expected);
    ledger.wanted.clear();
    ledger
        .wanted
        .push(common::ledger::target(4, common::ledger::DAILY));
    assert_eq!(
        troubled(&ledger, 1).await,
        [""],
        "what is not watched is no trouble"
    );
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_few_of_many_targets_in_trouble_are_named(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut ledger = Ledger::new(backend, 40, |_| Reply::new(404, "")).await;
    ledger.set("api", "attempts", 1);
    ledger.pass().await;
    let session = ledger.session().await;
    let troubled = session.collector.store.troubled(1).await.unwrap();
    session.close().await.unwrap();
    assert_eq!(troubled.len(), 1);
    assert_eq!((troubled[0].kind, troubled[0].targets), (AlertKind::Failing, 40));
    assert_eq!(troubled[0].names.len(), 5);
    assert_eq!(troubled[0].names[0], "7000000000000000001 US 7");
    ledger.end().await;
}

fn refused() -> Condition {
    Condition {
        kind: AlertKind::KeyRefused,
        subject: "ours".to_owned(),
        message: "no".to_owned(),
        targets: None,
        grown_at: 0,
    }
}

fn news(untold: &[Untold]) -> Vec<News> {
    untold.iter().map(|untold| untold.news).collect()
}

#[rstest]
#[tokio::test]
async fn an_alert_is_raised_told_and_ended_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = Ledger::steady(backend, 1).await;
    let session = ledger.session().await;
    let store = &session.collector.store;
    let raise = || vec![Change::Raise(refused())];
    assert_eq!(store.change_alerts(raise(), NOW).await.unwrap().len(), 1);
    assert!(
        store.change_alerts(raise(), NOW).await.unwrap().is_empty(),
        "another worker has"
    );

    let untold = store.untold_alerts().await.unwrap();
    assert_eq!(news(&untold), [News::Raised]);
    assert!(store.begin_telling(&untold[0], NOW + 1).await.unwrap());
    assert!(
        !store.begin_telling(&untold[0], NOW + 1).await.unwrap(),
        "another worker does"
    );
    store.told(&untold[0], NOW + 2).await.unwrap();
    assert!(store.untold_alerts().await.unwrap().is_empty());

    let open = store.open_alerts().await.unwrap();
    assert_eq!(open[0].told_at, Some(NOW + 2));
    let recover = || vec![Change::Recover(open[0].clone())];
    assert_eq!(store.change_alerts(recover(), NOW + 3).await.unwrap().len(), 1);
    assert!(store.change_alerts(recover(), NOW + 3).await.unwrap().is_empty());
    assert!(store.open_alerts().await.unwrap().is_empty());
    let untold = store.untold_alerts().await.unwrap();
    assert_eq!(news(&untold), [News::Recovered]);
    assert_eq!(untold[0].alert.recovered_at, Some(NOW + 3));
    assert!(store.begin_telling(&untold[0], NOW + 4).await.unwrap());
    store.told(&untold[0], NOW + 4).await.unwrap();
    assert!(store.untold_alerts().await.unwrap().is_empty());

    assert_eq!(
        store.change_alerts(raise(), NOW + 5).await.unwrap().len(),
        1,
        "it may begin again"
    );
    let again = store.untold_alerts().await.unwrap();
    assert_eq!(again[0].last_told_at, Some(NOW + 2));
    session.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn what_was_over_before_anybody_was_told_is_not_told(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(false, true)] while_telling: bool,
) {
    let ledger = Ledger::steady(backend, 1).await;
    let session = ledger.session().await;
    let store = &session.collector.store;
    store
        .change_alerts(vec![Change::Raise(refused())], NOW)
        .await
        .unwrap();
    let untold = store.untold_alerts().await.unwrap();
    assert!(store.begin_telling(&untold[0], NOW).await.unwrap());
    let open = store.open_alerts().await.unwrap().remove(0);
    store
        .change_alerts(vec![Change::Recover(open)], NOW)
        .await
        .unwrap();
    assert!(store.untold_alerts().await.unwrap().is_empty());
    if while_telling {
        store.told(&untold[0], NOW).await.unwrap();
        let untold = store.untold_alerts().await.unwrap();
        assert_eq!(
            news(&untold),
            [News::Recovered],
            "who was told that it began is told that it is over"
        );
    }
    session.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn growth_is_told_to_whom_was_told_the_beginning(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = Ledger::steady(backend, 1).await;
    let session = ledger.session().await;
    let store = &session.collector.store;
    let failing = |targets, grown_at| Condition {
        kind: AlertKind::Failing,
        targets: Some(targets),
        grown_at,
        ..refused()
    };
    store
        .change_alerts(vec![Change::Raise(failing(1, NOW))], NOW)
        .await
        .unwrap();
    let update = async |condition: Condition| {
        let open = store.open_alerts().await.unwrap().remove(0);
        store
            .change_alerts(vec![Change::Update(open, condition)], NOW)
            .await
            .unwrap();
        store.untold_alerts().await.unwrap()
    };
    assert_eq!(news(&update(failing(2, NOW + 1)).await), [News::Raised]);
    let untold = store.untold_alerts().await.unwrap();
    store.told(&untold[0], NOW + 2).await.unwrap();
    assert!(update(failing(1, 0)).await.is_empty(), "fewer are no news");
    let grown = update(failing(3, NOW + 3)).await;
    assert_eq!(news(&grown), [News::Grown]);
    assert_eq!(grown[0].alert.targets, Some(3));
    session.close().await.unwrap();
    ledger.end().await;
}

/// The path of the webhook, which is its secret.
const SECRET: &str = "T0hunter2";
const KEY: &str = "sk_live_hunter3";

/// A call that a receiver took.
#[derive(Clone, Debug)]
struct Taken {
    beat: bool,
    body: Value,
    headers: String,
}

/// Whoever is told: a webhook and a monitor on one port.
struct Receiver {
    webhook: String,
    monitor: String,
    taken: Arc<Mutex<Vec<Taken>>>,
    refused: Arc<Mutex<usize>>,
    _tasks: JoinSet<()>,
}

impl Receiver {
    /// Refuses the first calls of the webhook with 500, and answers them when there is a permit.
    async fn new(refuses: usize, gate: Arc<Semaphore>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let taken = Arc::new(Mutex::new(Vec::new()));
        let refused = Arc::new(Mutex::new(0));
        let (log, no) = (Arc::clone(&taken), Arc::clone(&refused));
        let handler = move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let (log, no, gate) = (Arc::clone(&log), Arc::clone(&no), Arc::clone(&gate));
            async move {
                let beat = uri.path().starts_with("/beat");
                if !beat {
                    gate.acquire().await.unwrap().forget();
                    let mut no = no.lock().unwrap();
                    if *no < refuses {
                        *no += 1;
                        return StatusCode::INTERNAL_SERVER_ERROR;
                    }
                }
                log.lock().unwrap().push(Taken {
                    beat,
                    body: serde_json::from_slice(&body).unwrap_or_default(),
                    headers: format!("{headers:?}"),
                });
                StatusCode::OK
            }
        };
        let mut tasks = JoinSet::new();
        let router = Router::new().fallback(handler);
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            webhook: format!("{url}/services/{SECRET}"),
            monitor: format!("{url}/beat/{SECRET}"),
            taken,
            refused,
            _tasks: tasks,
        }
    }

    async fn willing() -> Self {
        Self::new(0, Arc::new(Semaphore::new(Semaphore::MAX_PERMITS))).await
    }

    fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    fn beats(&self) -> usize {
        self.taken().iter().filter(|taken| taken.beat).count()
    }

    /// Event and kind of what the webhook was told.
    fn told(&self) -> Vec<String> {
        let told = self.taken().into_iter().filter(|taken| !taken.beat);
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        told.map(|taken| format!("{} {}", word(&taken.body["event"]), word(&taken.body["kind"])))
            .collect()
    }
}

fn watchlist(sounds: usize) -> String {
    let sound = |n: usize| format!("[[sounds]]\nclip = \"70000000000000000{n:02}\"\n");
    let sounds: String = (0..sounds).map(sound).collect();
    format!("[defaults]\nschedule = \"@yearly\"\n{sounds}")
}

fn place(api: &Api, receiver: &Receiver, sounds: usize) -> Place {
    let place = Place::empty()
        .with_setting("SOUNDWATCH__API__BASE_URL", &api.url)
        .with_setting("SOUNDWATCH__API__KEY_FILE", "")
        .with_setting("SOUNDWATCH__API__KEY", KEY)
        .with_setting("SOUNDWATCH__API__ATTEMPTS", "1")
        .with_setting("SOUNDWATCH__API__MAX_IN_FLIGHT", "1")
        .with_setting("SOUNDWATCH__API__REQUESTS_PER_SECOND", "100")
        .with_setting("SOUNDWATCH__ALERTS__WEBHOOK_URL", &receiver.webhook)
        .with_setting("SOUNDWATCH__ALERTS__HEARTBEAT_URL", &receiver.monitor)
        .with_setting("SOUNDWATCH__ALERTS__AFTER_SLOTS", "1")
        .with_setting("RUST_LOG", "trace");
    place.write("watchlist.toml", &watchlist(sounds));
    place
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_is_told_once_over_restarts_and_again_when_it_works(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let works = Arc::new(AtomicBool::new(false));
    let key_works = Arc::clone(&works);
    let api = Api::answering(move |call| match key_works.load(Ordering::SeqCst) {
        true => Reply::trend(call, &[1.0]),
        false => Reply::new(401, ""),
    })
    .await;
    let receiver = Receiver::new(2, Arc::new(Semaphore::new(Semaphore::MAX_PERMITS))).await;
    let database = backend.fresh().await;
    let place = place(&api, &receiver, 3)
        .with_setting("SOUNDWATCH__DATABASE__URL", &database.url)
        // The refused target itself is failing too: that is not what this is about.
        .with_setting("SOUNDWATCH__ALERTS__AFTER_SLOTS", "2");
    let said = block_in_place(|| {
        let first = place.start("run");
        until("the webhook is told", || !receiver.told().is_empty());
        let first = first.stop(Signal::TERM).expect_code(0);
        assert_eq!(receiver.beats(), 0, "what is not well makes no sign of life");
        let second = place.start("run");
        until("it collects", || {
            place.json("status")["collecting"].as_array().map(Vec::len) == Some(1)
        });
        works.store(true, Ordering::SeqCst);
        second.signal(Signal::HUP);
        until("all is well", || {
            receiver.told().len() > 1 && receiver.beats() > 0
        });
        [first, second.stop(Signal::TERM).expect_code(0)]
    });
    assert_eq!(receiver.told(), ["raised key_refused", "recovered key_refused"]);
    assert_eq!(*receiver.refused.lock().unwrap(), 2, "the test sees retries");
    let shown = format!("{:?}", receiver.taken());
    assert!(!shown.contains(KEY), "the API's key goes nowhere else: {shown}");
    for ended in said {
        assert!(ended.stderr.contains("the webhook was told"), "{ended}");
        assert!(!ended.stderr.contains(SECRET), "{ended}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_hangs_holds_nothing_up() {
    let api = Api::answering(|call| match call.clip.ends_with("00") {
        true => Reply::new(404, ""),
        false => Reply::trend(call, &[1.0]),
    })
    .await;
    let gate = Arc::new(Semaphore::new(0));
    let receiver = Receiver::new(0, Arc::clone(&gate)).await;
    let place = place(&api, &receiver, 1)
        .with_setting("SOUNDWATCH__ALERTS__FORMAT", "slack")
        .with_setting("RUST_LOG", "info");
    block_in_place(|| {
        let daemon = place.start("run");
        until("the failure is settled", || api.count() == 1);
        place.write("watchlist.toml", &watchlist(4));
        until("the others are asked and settled", || {
            let status = place.json("status");
            status["last_24_hours"][0]["outcome"] == "stored" && status["last_24_hours"][0]["slots"] == 3
        });
        until("the monitor is called", || receiver.beats() > 0);
        assert!(receiver.told().is_empty(), "the webhook hangs all the time");
        gate.add_permits(Semaphore::MAX_PERMITS / 2);
        until("the webhook is told", || !receiver.told().is_empty());
        daemon.stop(Signal::TERM).expect_code(0);
    });
    let taken = receiver.taken();
    let text = taken.iter().find_map(|taken| taken.body["text"].as_str());
    let text = text.unwrap_or_else(|| panic!("no text: {taken:?}"));
    assert!(
        text.contains("1 target has brought nothing for 1 slot in a row, and failed the last time: 7000000000000000000 US 7."),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_daemons_tell_it_once() {
    let api = Api::answering(|_| Reply::new(402, "")).await;
    let receiver = Receiver::willing().await;
    let database = Backend::Postgres.fresh().await;
    let place = place(&api, &receiver, 2).with_setting("SOUNDWATCH__DATABASE__URL", &database.url);
    let both = block_in_place(|| {
        let daemons = [place.start("run"), place.start("run")];
        until("both collect", || {
            let status = place.run("status --json");
            status.code == 0 && status.json()["collecting"].as_array().map(Vec::len) == Some(2)
        });
        until("the webhook is told", || receiver.told().len() >= 2);
        daemons.map(|daemon| daemon.stop(Signal::TERM).expect_code(0))
    });
    let mut told = receiver.told();
    told.sort();
    // The target that was refused has failed.
    assert_eq!(told, ["raised failing", "raised out_of_credits"]);
    let raised = both
        .iter()
        .map(|ended| ended.stderr.matches("alert=\"out_of_credits\"").count());
    assert!(raised.sum::<usize>() >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_watchlist_is_told_until_it_is_mended() {
    let api = Api::answering(|call| Reply::trend(call, &[1.0])).await;
    let receiver = Receiver::willing().await;
    let place = place(&api, &receiver, 1);
    block_in_place(|| {
        let daemon = place.start("run");
        until("it collects", || api.count() == 1);
        place.write("watchlist.toml", "[[sounds]]\nclip = 3\n");
        until("the webhook is told", || {
            receiver.told() == ["raised watchlist_broken"]
        });
        place.write("watchlist.toml", &watchlist(2));
        until("the webhook is told that it is over", || {
            receiver.told().len() == 2
        });
        daemon.stop(Signal::TERM).expect_code(0);
    });
    assert_eq!(
        receiver.told(),
        ["raised watchlist_broken", "recovered watchlist_broken"]
    );
    let taken = receiver.taken();
    let raised = taken.iter().find(|taken| taken.body["event"] == "raised");
    let message = raised
        .map(|taken| taken.body["message"].to_string())
        .unwrap_or_default();
    assert!(message.contains("watchlist.toml:2:8: "), "{message}");
    assert!(message.contains("soundwatch check"), "{message}");
    assert!(
        taken.iter().all(|taken| !taken.headers.contains("authorization")),
        "{taken:?}"
    );
}
