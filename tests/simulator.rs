//! The simulated API answers as the real one was recorded, and as its page says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests too")]

#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use std::sync::Arc;
use std::time::Duration;

use common::Backend;
use common::ledger::Ledger;
use rstest::rstest;
use secrecy::SecretString;
use serde_json::{Value, json};
use soundwatch::api::{Client, Received, Settings, Verdict};
use soundwatch::clock::{Clock, DAY};
use soundwatch::model::{Ask, AttemptState, Content, Reason, RelatedItem, TrendPoint, Window};
use soundwatch::simulator::{Counts, Faults, RequestLog, World, serve, window};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

const KEY: &str = "sk_simulated_key";
const NOW: i64 = 1_770_000_000; // 2026-02-02, 02:40
const RECORDED: &str = include_str!("data/music_detail_US_7d.json");
const RECORDED_LIST: &str = include_str!("data/music_list_US_7d.json");

struct Running {
    url: String,
    counts: Arc<Counts>,
    stop: Option<oneshot::Sender<()>>,
    tasks: JoinSet<std::io::Result<()>>,
}

async fn start(world: World) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let counts = world.counts();
    let (stop, stopped) = oneshot::channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(listener, world, async { stopped.await.unwrap_or(()) }));
    Running {
        url,
        counts,
        stop: Some(stop),
        tasks,
    }
}

impl Running {
    fn client(&self, key: &str) -> Client {
        let settings = Settings {
            base_url: self.url.clone(),
            key: SecretString::from(key),
            timeout: Duration::from_millis(800),
            max_in_flight: 8,
        };
        Client::new(settings, Clock::manual(NOW)).unwrap()
    }

    async fn ask(&self, ask: &Ask) -> Received {
        self.client(KEY).ask(ask).await
    }

    /// Any request, and its JSON.
    async fn get(&self, path_and_query: &str) -> (u16, Value) {
        let url = format!("{}{path_and_query}", self.url);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
        let response = client.get(url).bearer_auth(KEY).send().await.unwrap();
        let status = response.status().as_u16();
        (
            status,
            serde_json::from_str(&response.text().await.unwrap()).unwrap(),
        )
    }
}

fn world(clock: &Clock) -> World {
    World::new(1, SecretString::from(KEY), clock.clone())
}

fn sample(n: usize, window: Window) -> Ask {
    Ask {
        clip_id: world(&Clock::manual(NOW)).sample_sounds(n + 1)[n].clip_id.clone(),
        region: "US".parse().unwrap(),
        window,
    }
}

fn content(received: Received) -> Content {
    match received.verdict {
        Verdict::Content(content) => *content,
        other => panic!("no content: {other:?}, {:?}", received.error),
    }
}

/// The content without the signatures of its links, which are new each time.
fn unsigned(received: Received) -> Content {
    let mut content = content(received);
    let strip = |url: &mut Option<String>| *url = url.take().map(|u| u.split('?').next().unwrap().to_owned());
    strip(&mut content.sound.cover_url);
    strip(&mut content.sound.music_url);
    content
        .related
        .iter_mut()
        .for_each(|item| strip(&mut item.cover_url));
    content
}

/// That `got` has the keys of `recorded` and, where both say something, the same types. `also`
/// are keys that are there at times.
fn assert_same_shape(path: &str, got: &Value, recorded: &Value, also: &[&str]) {
    match (got, recorded) {
        (Value::Object(got), Value::Object(recorded)) => {
            let missing: Vec<_> = recorded.keys().filter(|key| !got.contains_key(*key)).collect();
            assert!(missing.is_empty(), "{path} lacks {missing:?}");
            for (key, value) in got {
                match recorded.get(key) {
                    Some(recorded) => assert_same_shape(&format!("{path}.{key}"), value, recorded, also),
                    None => assert!(also.contains(&key.as_str()), "{path}.{key} is new"),
                }
            }
        }
        (Value::Array(got), Value::Array(recorded)) => {
            got.iter()
                .for_each(|entry| assert_same_shape(path, entry, &recorded[0], also));
        }
        (Value::Null, _) | (_, Value::Null) => {}
        (got, recorded) => assert_eq!(
            std::mem::discriminant(got),
            std::mem::discriminant(recorded),
            "{path}"
        ),
    }
}

#[tokio::test]
async fn details_have_the_recorded_shape() {
    let running = start(world(&Clock::manual(NOW))).await;
    let recorded: Value = serde_json::from_str(RECORDED).unwrap();
    for n in 0..24 {
        let ask = sample(n, Window::ALL[n % 3]);
        let query = format!(
            "clip_id={}&region={}&period={}",
            ask.clip_id,
            ask.region,
            ask.window.days()
        );
        let (status, answer) = running
            .get(&format!("/v1/tiktok/trending/music/detail?{query}"))
            .await;
        assert_eq!(status, 200);
        assert_same_shape("", &answer, &recorded, &["cml_mid"]);
    }
}

#[tokio::test]
async fn lists_have_the_recorded_shape_and_pages() {
    let running = start(world(&Clock::manual(NOW))).await;
    let recorded: Value = serde_json::from_str(RECORDED_LIST).unwrap();
    let page = |page| format!("/v1/tiktok/trending/music?page={page}&limit=20&period=7&region=LV");
    let (_, first) = running.get(&page(1)).await;
    assert_same_shape("", &first, &recorded, &[]);
    let (_, last) = running.get(&page(5)).await;
    let of = |answer: &Value, pointer: &str| answer.pointer(pointer).cloned().unwrap();
    assert_eq!(
        of(&first, "/data/pagination").to_string(),
        r#"{"has_more":true,"page":1,"size":20,"total":99}"#
    );
    assert_eq!(
        of(&last, "/data/pagination").to_string(),
        r#"{"has_more":false,"page":5,"size":19,"total":99}"#
    );
    assert_eq!(of(&first, "/data/sound_list/0/country_code"), "LV");
    assert_eq!(of(&last, "/data/sound_list/18/rank"), 99);
}

#[rstest]
#[case("", "clip_id is required")]
#[case("clip_id=12", "clip_id is invalid")]
#[case("clip_id=6703723351497508865&period=8", "period must be 7, 30 or 120")]
#[case("clip_id=6703723351497508865&region=USA", "region is invalid")]
#[tokio::test]
async fn wrong_parameters_are_refused(#[case] query: &str, #[case] message: &str) {
    let running = start(world(&Clock::manual(NOW))).await;
    let (status, answer) = running
        .get(&format!("/v1/tiktok/trending/music/detail?{query}"))
        .await;
    assert_eq!(
        (status, &answer["code"], &answer["message"]),
        (400, &400.into(), &message.into())
    );
}

#[tokio::test]
async fn a_wrong_key_and_a_wrong_path_are_refused() {
    let running = start(world(&Clock::manual(NOW))).await;
    let received = running
        .client("sk_another_key")
        .ask(&sample(0, Window::Days7))
        .await;
    assert_eq!(received.verdict, Verdict::Refused(Reason::Unauthorized));
    assert_eq!(running.get("/v2").await.0, 404);
}

#[tokio::test]
async fn the_client_reads_what_the_truth_shows() {
    let world = world(&Clock::manual(NOW));
    let truth = world.truth();
    let running = start(world).await;
    for n in 0..24 {
        for length in Window::ALL {
            let ask = sample(n, length);
            let content = content(running.ask(&ask).await);
            assert_eq!(content.trend, window(&truth, &ask, NOW));
            assert_eq!(content.countries.len(), 10);
            assert!(
                content
                    .countries
                    .windows(2)
                    .all(|pair| pair[0].score >= pair[1].score)
            );
            assert!(content.extra.is_empty(), "{:?}", content.extra);
            if !content.ages.is_empty() {
                assert_eq!(
                    content.ages.iter().filter_map(|age| age.score).sum::<f64>(),
                    100.0
                );
            }
        }
    }
}

#[tokio::test]
async fn an_answer_is_the_same_all_day_but_for_its_id_and_signatures() {
    let clock = Clock::manual(NOW);
    let running = start(world(&clock)).await;
    let ask = sample(0, Window::Days7);
    let (morning, evening) = (running.ask(&ask).await, {
        clock.set(NOW + DAY / 2);
        running.ask(&ask).await
    });
    assert_ne!(morning.request_id, evening.request_id);
    let evening = unsigned(evening);
    assert_eq!(unsigned(morning), evening);
    clock.set(NOW + DAY);
    assert_ne!(unsigned(running.ask(&ask).await), evening);
}

#[tokio::test]
async fn requests_are_counted() {
    let running = start(world(&Clock::manual(NOW))).await;
    let (one, other) = (sample(0, Window::Days7), sample(0, Window::Days30));
    running.ask(&one).await;
    running.ask(&one).await;
    running.ask(&other).await;
    running.get("/v1/tiktok/trending/music").await;
    let of = (running.counts.of(&one), running.counts.of(&other));
    assert_eq!((of, running.counts.total()), ((2, 1), 4));
    assert_eq!(running.counts.by_ask().len(), 2);
}

#[rstest]
#[case("429", Verdict::Retry { reason: Reason::RateLimited, after: Some(Duration::from_secs(1)) })]
#[case("429_date", Verdict::Retry { reason: Reason::RateLimited, after: Some(Duration::from_secs(2)) })]
#[case("503", Verdict::Retry { reason: Reason::ServerError, after: None })]
#[case("404", Verdict::Failed(Reason::NotFound))]
#[case("code402", Verdict::Refused(Reason::OutOfCredits))]
#[case("cut", Verdict::Retry { reason: Reason::CutOff, after: None })]
#[case("timeout", Verdict::Retry { reason: Reason::Timeout, after: None })]
#[case("slow", Verdict::Retry { reason: Reason::Timeout, after: None })]
#[case("no_data", Verdict::NoData)]
#[case("not_json", Verdict::Rejected(Reason::NotJson))]
#[case("wrong_shape", Verdict::Rejected(Reason::WrongShape))]
#[case("wrong_clip", Verdict::Rejected(Reason::WrongClip))]
#[case("wrong_region", Verdict::Rejected(Reason::WrongRegion))]
#[case("no_code", Verdict::Rejected(Reason::NoCode))]
#[case("too_large", Verdict::Rejected(Reason::TooLarge))]
#[case("endless", Verdict::Rejected(Reason::TooLarge))]
#[case("gzip_bomb", Verdict::Rejected(Reason::TooLarge))]
#[case("nan", Verdict::Rejected(Reason::NotJson))]
#[case("deep", Verdict::Rejected(Reason::NotJson))]
#[case("two_values", Verdict::Rejected(Reason::WrongShape))]
#[case("redirect", Verdict::Failed(Reason::Redirect))]
#[tokio::test]
async fn every_fault_is_what_it_is_called(#[case] fault: &str, #[case] verdict: Verdict) {
    let faults: Faults = format!("@2={fault}").parse().unwrap();
    let running = start(world(&Clock::manual(NOW)).with_faults(faults)).await;
    let ask = sample(0, Window::Days7);
    content(running.ask(&ask).await);
    assert_eq!(running.ask(&ask).await.verdict, verdict);
    content(running.ask(&ask).await);
}

#[rstest]
#[case("nan", "the body is not JSON: expected value at line 1 column ")]
#[case("deep", "the body is not JSON: recursion limit exceeded at line 1 column ")]
#[case("two_values", "data.sound.trend: 1769385600 stands twice, with two values")]
#[case("wrong_shape", "data.sound.trend[0].value: expected a number, got a string")]
#[case("endless", "the body is over 4 MiB")]
#[case("gzip_bomb", "the body is over 4 MiB")]
#[tokio::test]
async fn a_rejected_answer_says_where_it_is_wrong(#[case] fault: &str, #[case] error: &str) {
    let faults = format!("{fault}:1").parse().unwrap();
    let running = start(world(&Clock::manual(NOW)).with_faults(faults)).await;
    let told = running.ask(&sample(0, Window::Days7)).await.error.unwrap();
    assert!(told.starts_with(error), "{told}");
}

/// How the content of a spoiled answer differs from that of the good one.
#[rstest]
#[case("double_times", |_: &mut Content| {})]
#[case("unsorted", |_: &mut Content| {})]
#[case("not_midnight", |good: &mut Content| good.trend.iter_mut().for_each(|point| point.time += 22_620))]
#[case("out_of_range", |good: &mut Content| (good.trend[0].value, good.trend[1].value) = (-0.25, 3.5))]
#[case("weekly", |good: &mut Content| {
    let newest = good.trend[6].time;
    (0..7).for_each(|i| good.trend[i].time = newest - 7 * DAY * (6 - i64::try_from(i).unwrap()));
})]
#[case("many_points", |good: &mut Content| {
    let newest = good.trend[6];
    good.trend = (0..5_000_i32)
        .map(|n| TrendPoint {
            time: newest.time - i64::from(4_999 - n) * DAY,
            value: if n == 4_999 { newest.value } else { f64::from((4_999 - n) % 101) / 100.0 },
        })
        .collect();
})]
#[case("huge_numbers", |good: &mut Content| {
    good.countries[0].score = Some(36_893_488_147_419_103_232.0);
    let item_id = "123456789012345678901234567890".to_owned();
    good.related = vec![RelatedItem { item_id, cover_url: None }];
})]
#[case("double_keys", |good: &mut Content| good.sound.title = Some("the last".to_owned()))]
#[case("odd_texts", |good: &mut Content| {
    let title = "\u{fffd}\u{7}\u{fffd} \u{202e}שלום العربية 👩\u{200d}👧 e\u{301}\u{323}";
    good.sound.title = Some(title.to_owned());
})]
#[tokio::test]
async fn an_odd_answer_is_read_exactly(#[case] fault: &str, #[case] change: fn(&mut Content)) {
    let faults = format!("@2={fault}").parse().unwrap();
    let running = start(world(&Clock::manual(NOW)).with_faults(faults)).await;
    let ask = sample(0, Window::Days7);
    let mut expected = unsigned(running.ask(&ask).await);
    assert_eq!(expected.trend.len(), 7);
    change(&mut expected);
    assert_eq!(unsigned(running.ask(&ask).await), expected);
}

#[tokio::test]
async fn the_answer_of_a_sound_without_a_trend_is_spoiled_too() {
    let faults = "@2=two_values,@3=weekly".parse().unwrap();
    let running = start(world(&Clock::manual(NOW)).with_faults(faults)).await;
    let unborn = Ask {
        clip_id: "7999999999999999999".parse().unwrap(),
        ..sample(0, Window::Days7)
    };
    assert_eq!(running.ask(&unborn).await.verdict, Verdict::NoData);
    let spoiled = running.ask(&unborn).await.verdict;
    assert_eq!(spoiled, Verdict::Rejected(Reason::WrongShape));
    assert_eq!(content(running.ask(&unborn).await).trend.len(), 7);
}

/// Every answer that is not asked for again, one for each target.
#[rstest]
#[tokio::test]
async fn whatever_comes_is_settled_and_the_database_holds_together(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    const STORED: [&str; 12] = [
        "double_times",
        "unsorted",
        "not_midnight",
        "out_of_range",
        "weekly",
        "many_points",
        "huge_numbers",
        "double_keys",
        "odd_texts",
        "drift",
        "restated",
        "429_date",
    ];
    const REJECTED: [&str; 11] = [
        "not_json",
        "nan",
        "deep",
        "no_code",
        "wrong_shape",
        "two_values",
        "wrong_clip",
        "wrong_region",
        "too_large",
        "endless",
        "gzip_bomb",
    ];
    let faults: Vec<_> = (1..)
        .zip(REJECTED.iter().chain(&STORED))
        .map(|(n, word)| format!("@{n}={word}"))
        .collect();
    let mut ledger = Ledger::steady(backend, faults.len()).await;
    let world = World::new(1, SecretString::from(KEY), ledger.clock.clone());
    let running = start(world.with_faults(faults.join(",").parse().unwrap())).await;
    ledger.set("api", "base_url", format!("\"{}\"", running.url));
    ledger.set("api", "max_in_flight", 1);
    ledger.use_key(KEY);
    ledger.pass().await;
    let expected = [
        "rejected no_code 1",
        "rejected not_json 3",
        "rejected too_large 3",
        "rejected wrong_clip 1",
        "rejected wrong_region 1",
        "rejected wrong_shape 2",
        "stored - 12",
    ];
    assert_eq!(ledger.outcomes().await, expected);
    let untold = "SELECT count(*) FROM attempts WHERE error IS NULL AND (api_code IS NULL OR api_code <> 0)";
    assert_eq!(ledger.value(untold).await, "0");
    for (rows, found) in [
        (
            "related_items WHERE item_id = '123456789012345678901234567890'",
            "1",
        ),
        ("country_scores WHERE score = 36893488147419103232.0", "1"),
        ("snapshots WHERE step_seconds = 604800", "1"),
        (
            "sounds WHERE title LIKE '\u{fffd}\u{7}\u{fffd} \u{202e}%e\u{301}\u{323}'",
            "1",
        ),
        ("trend_points WHERE value IN (-0.25, 3.5)", "2"),
        ("trend_points WHERE time % 86400 = 22620", "7"),
        ("trend_points", "5077"),
    ] {
        let count = ledger.value(&format!("SELECT count(*) FROM {rows}")).await;
        assert_eq!(count, found, "{rows}");
    }
    ledger.end().await;
}

#[tokio::test]
async fn a_drifting_answer_is_still_content() {
    let faults = "drift:1".parse().unwrap();
    let running = start(world(&Clock::manual(NOW)).with_faults(faults)).await;
    let content = content(running.ask(&sample(0, Window::Days7)).await);
    let extra: Vec<_> = content.extra.keys().map(String::as_str).collect();
    assert_eq!(extra, ["sound.duration", "sound.longevity", "sound.mood"]);
}

#[tokio::test]
async fn a_restated_answer_is_good_and_tells_one_day_differently() {
    let faults = "@2=restated".parse().unwrap();
    let running = start(world(&Clock::manual(NOW)).with_faults(faults)).await;
    let ask = sample(0, Window::Days7);
    let (before, after) = (
        content(running.ask(&ask).await).trend,
        content(running.ask(&ask).await).trend,
    );
    let days = |trend: &[TrendPoint]| trend.iter().map(|point| point.time).collect::<Vec<_>>();
    assert_eq!(days(&before), days(&after));
    assert_eq!(before.iter().zip(&after).filter(|(b, a)| b != a).count(), 1);
}

#[tokio::test]
async fn an_empty_balance_is_402_and_free_answers_take_nothing_from_it() {
    let faults = "@1=429,@3=500".parse().unwrap();
    let poor = world(&Clock::manual(NOW)).with_faults(faults).with_credits(5);
    let running = start(poor).await;
    let ask = sample(0, Window::Days7);
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(running.ask(&ask).await.http_status.unwrap());
    }
    assert_eq!(statuses, [429, 200, 500, 402, 402]);
}

#[tokio::test]
async fn the_log_has_a_line_for_each_request_with_its_price() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("requests");
    let faults = "@2=429,@3=cut".parse().unwrap();
    let log = RequestLog::open(&file).unwrap();
    let running = start(world(&Clock::manual(NOW)).with_faults(faults).with_log(log)).await;
    let ask = sample(0, Window::Days7);
    for _ in 0..3 {
        running.ask(&ask).await;
    }
    let lines = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line["answer"].as_str().unwrap(), &line["credits"]))
        .collect();
    assert_eq!(
        told,
        [("good", &json!(2)), ("429", &json!(0)), ("cut", &json!(2))]
    );
    assert_eq!(
        (&lines[0]["clip_id"], &lines[0]["at"]),
        (&json!(ask.clip_id), &json!(NOW))
    );
}

#[tokio::test]
async fn answers_take_their_time_by_the_clock() {
    let clock = Clock::manual(NOW);
    let slow = world(&clock).with_latency(Duration::from_secs(2), Duration::from_secs(4));
    let running = start(slow).await;
    assert_eq!(
        running.ask(&sample(0, Window::Days7)).await.state,
        AttemptState::Answered
    );
    assert!(
        (NOW + 2..=NOW + 4).contains(&clock.now()),
        "{}",
        clock.now() - NOW
    );
}

#[tokio::test]
async fn the_server_ends_when_it_is_told_to() {
    let mut running = start(world(&Clock::manual(NOW))).await;
    running.ask(&sample(0, Window::Days7)).await;
    running.stop.take().unwrap().send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), running.tasks.join_next()).await;
    assert!(matches!(ended, Ok(Some(Ok(Ok(()))))));
    let received = running.ask(&sample(0, Window::Days7)).await;
    assert_eq!(received.state, AttemptState::NotSent);
}

#[test]
fn samples_are_lively_and_the_first_ones_are_always_the_same() {
    let world = world(&Clock::manual(NOW));
    let (few, many) = (world.sample_sounds(8), world.sample_sounds(99));
    assert_eq!(few, many[..8]);
    let truth = world.truth();
    for sample in &many {
        let region = "US".parse().unwrap();
        let ask = Ask {
            clip_id: sample.clip_id.clone(),
            region,
            window: Window::Days30,
        };
        let moves = (0..60)
            .map(|day| window(&truth, &ask, NOW + day * DAY))
            .collect::<Vec<_>>();
        assert!(moves.iter().all(|window| !window.is_empty()), "{sample:?}");
        assert!(moves.windows(2).all(|pair| pair[0] != pair[1]), "{sample:?}");
    }
    let mut ids: Vec<_> = many.iter().map(|sample| &sample.clip_id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 99);
}
