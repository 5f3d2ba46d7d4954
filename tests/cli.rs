//! The commands as people and scripts meet them: the built program, real processes, real HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod common;

use common::Backend;
use common::program::{Place, simulator, until};
use rstest::rstest;
use rustix::process::Signal;
use serde_json::{Value, json};

/// With a slot that no minute of a test is.
const WATCHLIST: &str = r#"
[defaults]
schedule = "@yearly"

[[sounds]]
clip = "6703723351497508865"
regions = ["US", "LV"]
"#;

const DATABASE: &str = "rehearsal.db";

/// A key that a simulator does not take.
const WRONG_KEY: (&str, &str) = ("SOUNDWATCH__API__KEY", "sk_live_another");

#[test]
fn collecting_stores_what_is_new_and_confirms_what_is_known() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, WATCHLIST);

    let first = place.run("collect --json").expect_code(0).json();
    assert_eq!(first["outcomes"]["stored"], 2);
    assert_eq!(first["credits"], 4);

    let nothing = place.run("collect").expect_code(0);
    assert_eq!(nothing.stdout, "Nothing was due.\n");

    let again = place.run("collect --all --json").expect_code(0).json();
    assert_eq!(again["outcomes"]["confirmed"], 2, "{again}");
    assert_eq!(again["outcomes"]["stored"], 0);
}

#[test]
fn kept_answers_are_read_again_without_a_request() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, WATCHLIST);
    place.run("collect").expect_code(0);
    drop(simulator);
    let said = place.run("db reparse").expect_code(0).stdout;
    let expected = "2 kept answers were read again: 2 snapshots were made anew.\n";
    assert_eq!(said, expected);
    let document = place.json("db reparse");
    assert_eq!(document["answers"], 2, "{document}");
    assert_eq!(document["unreadable"], 0, "{document}");
    place.run("db check").expect_code(0);
}

#[test]
fn collect_as_json_tells_each_target() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, WATCHLIST);
    let collected = place.json("collect");
    let mut targets = collected["targets"].as_array().unwrap().clone();
    for target in &mut targets {
        let slot = target["slot_at"].take();
        let slot = chrono::DateTime::parse_from_rfc3339(slot.as_str().unwrap()).unwrap();
        assert_eq!(
            slot.format("%m-%d %H:%M:%S %z").to_string(),
            "01-01 00:00:00 +0000"
        );
    }
    let target = |region: &str| {
        json!({
            "clip_id": "6703723351497508865", "region": region, "period": "7", "slot_at": null,
            "outcome": "stored", "reason": null, "attempts": 1, "credits": 2,
        })
    };
    assert_eq!(targets, [target("LV"), target("US")]);
    let outcomes = ["stored", "confirmed", "no_data", "rejected", "failed", "skipped"];
    assert!(
        outcomes
            .iter()
            .all(|outcome| collected["outcomes"][outcome].is_u64()),
        "{collected}"
    );
}

#[rstest]
#[case::all_stored("", 0)]
#[case::one_without_data("--faults @1=no_data", 3)]
#[case::one_rejected("--faults @1=wrong_shape", 3)]
#[case::all_rejected("--faults not_json:1", 1)]
#[case::all_failed("--faults 404:1", 1)]
#[case::out_of_credits("--faults code402:1", 4)]
fn the_exit_status_of_collect_tells_what_came_of_it(#[case] options: &str, #[case] code: i32) {
    let simulator = simulator(options);
    Place::asking(&simulator, WATCHLIST)
        .run("collect")
        .expect_code(code);
}

#[test]
fn a_spent_budget_stops_with_4() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, WATCHLIST).with_setting("SOUNDWATCH__BUDGET__DAILY_CREDITS", "2");
    let collected = place.run("collect --json").expect_code(4).json();
    assert_eq!(collected["outcomes"]["stored"], 1, "{collected}");
    assert_eq!(collected["outcomes"]["skipped"], 1, "{collected}");
    assert_eq!(collected["credits"], 2);
}

#[test]
fn a_refused_key_stops_with_4_and_status_says_what_to_do() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, WATCHLIST).with_setting(WRONG_KEY.0, WRONG_KEY.1);
    place.run("collect").expect_code(4);
    let status = place.run("status").expect_code(0);
    assert!(
        status.stdout.contains("(unauthorized, since"),
        "{}",
        status.stdout
    );
    assert!(
        status.stdout.contains("Put the right key in place"),
        "{}",
        status.stdout
    );
    assert!(!status.stdout.contains(WRONG_KEY.1), "the key itself is a secret");
}

#[test]
fn status_without_a_database_says_how_to_make_it() {
    let missing = Place::empty().run("status").expect_code(1);
    assert!(missing.stderr.contains("there is no database at"), "{missing}");
    assert!(missing.stderr.contains("soundwatch db migrate"), "{missing}");
}

#[rstest]
#[tokio::test]
async fn status_needs_no_key(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let database = backend.fresh().await;
    let simulator = simulator("");
    let place = Place::asking(&simulator, WATCHLIST).with_setting("SOUNDWATCH__DATABASE__URL", &database.url);
    place.run("collect").expect_code(0);
    let place = place.with_setting("SOUNDWATCH__API__KEY", "");
    let status = place.run("status --json").expect_code(0).json();
    assert_eq!(
        status["targets"]["states"],
        json!([{"state": "fresh", "targets": 2}])
    );
    assert_eq!(
        status["last_24_hours"],
        json!([{"outcome": "stored", "reason": null, "slots": 2}])
    );
    assert_eq!(status["budget"]["today_credits"], 4);
    assert_eq!(status["key"]["fingerprint"], Value::Null);
    assert_eq!(status["collecting"], json!([]));
    assert_eq!(status["targets"]["worst_first"].as_array().map(Vec::len), Some(2));
}

#[test]
fn status_refuses_a_database_that_has_no_tables_yet() {
    let place = Place::empty();
    place.write("soundwatch.db", "");
    let status = place.run("status").expect_code(1);
    assert!(
        status.stderr.contains("soundwatch db migrate"),
        "{}",
        status.stderr
    );
}

#[test]
fn check_tells_problems_of_all_kinds_at_once() {
    let place = Place::empty();
    place.write(
        "config.toml",
        "[api]\nattemps = 3\nkey_file = \"key\"\n[database]\nurl = \"mysql:x\"\n",
    );
    place.write("watchlist.toml", "[[sounds]]\nclip = \"123\"\n");
    place.write("key", "sk_live_secret\n");
    let check = place.run("check").expect_code(2);
    for told in [
        "config.toml:2:1: api.attemps: there is no such setting",
        "config.toml:5:7: database.url:",
        "watchlist.toml:2:8: \"123\" has 3 digits",
        "key: others than the owner can get at the API key",
        "4 problems",
    ] {
        assert!(check.stderr.contains(told), "{told} is missing in\n{check}");
    }
    assert_eq!(check.stdout, "");
    let document = place.run("check --json").expect_code(2).json();
    assert_eq!(document["ok"], false);
    assert_eq!(document["problems"].as_array().map(Vec::len), Some(4));
    assert_eq!(document["problems"][0]["line"], 2);
}

#[test]
fn a_broken_configuration_brings_no_problems_that_are_none() {
    let place = Place::empty();
    place.write("config.toml", "[api]\nkey_file = \n");
    let check = place.run("check").expect_code(2);
    assert!(check.stderr.starts_with("config.toml:2:"), "{check}");
    assert!(check.stderr.ends_with("\n1 problem\n"), "{check}");
}

#[test]
fn check_costs_nothing_and_makes_nothing() {
    let simulator = simulator("");
    let daily = WATCHLIST.replace("@yearly", "@daily");
    let place = Place::asking(&simulator, &daily).with_setting("SOUNDWATCH__BUDGET__MONTHLY_CREDITS", "100");
    let check = place.run("check").expect_code(0);
    assert!(
        check
            .stdout
            .contains("2 requests and 4 credits a day, 120 credits in 30 days"),
        "{check}"
    );
    assert!(
        check
            .stderr
            .contains("credits, and budget.monthly_credits is 100"),
        "{check}"
    );
    assert!(!place.path().join(DATABASE).exists());
    let document = place.run("check --json").expect_code(0).json();
    assert_eq!(document["summary"]["forecast"]["targets"], 2);
    assert_eq!(document["warnings"].as_array().map(Vec::len), Some(1));
}

#[test]
fn check_ends_with_1_when_only_the_database_is_away() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, WATCHLIST)
        .with_setting("SOUNDWATCH__DATABASE__URL", "postgres://nobody@127.0.0.1:1/none");
    let check = place.run("check").expect_code(1);
    assert!(check.stderr.contains("Connection refused"), "{check}");
}

#[rstest]
#[case("run")]
#[case("collect")]
#[case("status")]
#[case("plan")]
#[case("check")]
#[case("db check")]
fn a_wrong_configuration_ends_with_2(#[case] command: &str) {
    let place = Place::empty();
    place.write("config.toml", "[budget]\ndaily_credits = -1\n");
    let ended = place.run(command).expect_code(2);
    assert!(
        ended.stderr.contains("config.toml:2:17: budget.daily_credits"),
        "{ended}"
    );
    assert_eq!(ended.stdout, "");
}

#[rstest]
#[case("demo --days 0")]
#[case("collect --al")]
#[case("plan --days 0")]
#[case("simulate --latency fast")]
#[case("simulate --faults late:0.5")]
#[case("no_such_command")]
fn wrong_usage_ends_with_2(#[case] arguments: &str) {
    Place::empty().run(arguments).expect_code(2);
}

#[test]
fn the_manual_and_the_completions_know_every_command() {
    let place = Place::empty();
    let man = place.run("man").expect_code(0).stdout;
    let completions = place.run("completions bash").expect_code(0).stdout;
    for command in [
        "demo", "run", "collect", "check", "plan", "status", "db", "simulate",
    ] {
        let section = format!(".SH \"SOUNDWATCH {}\"", command.to_uppercase());
        assert!(man.contains(&section), "{section}");
        assert!(completions.contains(command), "{command}");
    }
    assert!(man.contains(".SH \"SOUNDWATCH DB MIGRATE\""));
}

#[test]
fn a_simulator_is_ended_with_ctrl_c() {
    simulator("").stop(Signal::INT).expect_code(0);
}

#[test]
fn a_second_simulator_at_the_same_address_says_what_to_do() {
    let first = simulator("");
    let (_, url) = &first.env[0];
    let address = url.strip_prefix("http://").unwrap();
    let second = Place::empty()
        .run(&format!("simulate --listen {address}"))
        .expect_code(1);
    assert!(second.stderr.contains("port 0 takes any free one"), "{second}");
}

/// The number of slots that status counts with this outcome.
fn settled(place: &Place, outcome: &str) -> u64 {
    let status = place.run("status --json");
    if status.code != 0 {
        return 0;
    }
    let counts = status.json()["last_24_hours"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let of_outcome = counts.iter().filter(|count| count["outcome"] == outcome);
    of_outcome.filter_map(|count| count["slots"].as_u64()).sum()
}

#[test]
fn a_daemon_collects_and_ends_with_0_when_it_is_asked_to() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, WATCHLIST);
    let daemon = place.start("run");
    until("both targets are stored", || settled(&place, "stored") == 2);
    let status = place.json("status");
    assert_eq!(status["collecting"].as_array().map(Vec::len), Some(1));
    let ended = daemon.stop(Signal::TERM).expect_code(0);
    assert_eq!(ended.stdout, "");
    assert!(
        !ended.stderr.contains('\u{1b}'),
        "colours are for terminals: {ended}"
    );
    assert_eq!(place.json("status")["collecting"], json!([]));
}

#[test]
fn a_daemon_logs_what_an_edit_of_the_watchlist_costs() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, &WATCHLIST.replace("@yearly", "@daily"));
    let daemon = place.start("run");
    until("both targets are stored", || settled(&place, "stored") == 2);
    place.write("watchlist.toml", &WATCHLIST.replace("@yearly", "@hourly"));
    until("the edit is applied", || {
        number(&place, "SELECT count(*) FROM targets WHERE schedule = '@hourly'") == 2
    });
    let ended = daemon.stop(Signal::TERM).expect_code(0);
    let told = "added=0 removed=0 changed=2 returned=0 credits_per_day_before=4.0 credits_per_day_after=96.0";
    assert!(ended.stderr.contains(told), "{ended}");
}

#[test]
fn a_daemon_that_waits_for_its_pace_ends_all_the_same() {
    let simulator = simulator("");
    // The second request would come after a quarter of an hour.
    let place =
        Place::asking(&simulator, WATCHLIST).with_setting("SOUNDWATCH__API__REQUESTS_PER_SECOND", "0.001");
    let daemon = place.start("run");
    until("the first target is stored", || settled(&place, "stored") == 1);
    daemon.stop(Signal::TERM).expect_code(0);
}

#[test]
fn a_collect_beside_a_daemon_hands_its_slots_over() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, WATCHLIST);
    let daemon = place.start("run");
    until("both targets are stored", || settled(&place, "stored") == 2);
    let collected = place.run("collect --all --json").expect_code(0).json();
    assert_eq!(collected["outcomes"]["confirmed"], 2, "{collected}");
    let second = place.run("run").expect_code(1);
    assert!(second.stderr.contains("is already collecting"), "{second}");
    daemon.stop(Signal::TERM).expect_code(0);
}

#[test]
fn a_collect_goes_on_by_itself_when_the_daemon_dies() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, WATCHLIST);
    // A pace at which the daemon takes minutes for what it is handed.
    let daemon = place.start_with("run", "SOUNDWATCH__API__REQUESTS_PER_SECOND", "0.01");
    until("the first target is stored", || settled(&place, "stored") == 1);
    let collecting = place.start("collect --all --json");
    until("its slots are handed over", || {
        number(&place, "SELECT count(*) FROM fetches WHERE forced") == 2
    });
    daemon.stop(Signal::KILL);
    let collected = collecting.end().expect_code(0).json();
    assert_eq!(collected["targets"].as_array().unwrap().len(), 2, "{collected}");
}

/// The one number of a query; 0 while the database is not there.
fn number(place: &Place, sql: &'static str) -> i64 {
    use sqlx::Connection;
    let database = format!("sqlite:{}", place.path().join(DATABASE).display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let Ok(mut connection) = sqlx::SqliteConnection::connect(&database).await else {
            return 0;
        };
        sqlx::query_scalar(sql)
            .fetch_one(&mut connection)
            .await
            .unwrap_or(0)
    })
}

#[test]
fn a_reload_takes_the_new_key() {
    let simulator = simulator("--key sk_live_right_key");
    let settings: Vec<_> = simulator
        .env
        .iter()
        .filter(|(name, _)| !name.starts_with("SOUNDWATCH__API__KEY"))
        .cloned()
        .collect();
    let place = Place::empty()
        .with(&settings)
        .with_setting("SOUNDWATCH__API__KEY_FILE", "key")
        // What a refused key left over is asked again within this time.
        .with_setting("SOUNDWATCH__SCHEDULE__CATCH_UP", "366d");
    place.write("watchlist.toml", WATCHLIST);
    let write_key = |key: &str| {
        use std::os::unix::fs::PermissionsExt;
        place.write("key", key);
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(place.path().join("key"), mode).unwrap();
    };
    write_key("sk_live_wrong_key");
    let daemon = place.start("run");
    until("the wrong key is refused", || settled(&place, "failed") == 1);
    write_key("sk_live_right_key");
    daemon.signal(Signal::HUP);
    until("the right key is used", || settled(&place, "stored") == 1);
    daemon.stop(Signal::TERM).expect_code(0);
}

#[test]
fn a_long_pass_gives_signs_of_life() {
    let simulator = simulator("--latency 25s");
    let place = Place::asking(&simulator, WATCHLIST);
    let _collecting = place.start("collect");
    let alive_for = || number(&place, "SELECT heartbeat_at - started_at FROM workers");
    until("a sign of life was given during the request", || alive_for() >= 4);
}

#[test]
fn a_spent_budget_is_told_by_collect_with_what_waits() {
    let simulator = simulator("");
    let daily = WATCHLIST.replace("@yearly", "@daily");
    let place = Place::asking(&simulator, &daily).with_setting("SOUNDWATCH__BUDGET__DAILY_CREDITS", "2");
    place.run("collect").expect_code(4);
    let again = place.run("collect").expect_code(4);
    assert!(
        again.stdout.starts_with("1 slot waits for the budget.\n"),
        "{again}"
    );
    let daemon = place.start("run");
    until("the daemon collects", || {
        !place.json("status")["collecting"].as_array().unwrap().is_empty()
    });
    let beside = place.run("collect").expect_code(4);
    assert!(
        beside.stdout.starts_with("1 slot waits for the budget.\n"),
        "{beside}"
    );
    daemon.stop(Signal::TERM).expect_code(0);
}

#[test]
fn status_tells_that_an_edit_is_not_in_force_yet() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, WATCHLIST);
    place.run("collect").expect_code(0);
    assert_eq!(place.json("status")["watchlist"]["in_force"], true);
    place.run("watch add 7326640926458743557").expect_code(0);
    let status = place.run("status").expect_code(0);
    assert!(
        status.stdout.contains("(3 targets, not in force yet)"),
        "{status}"
    );
    assert_eq!(place.json("status")["watchlist"]["in_force"], false);
}
