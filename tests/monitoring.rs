//! Metrics, alert rules and the dashboard of metrics, held against a real Prometheus and its tool.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::Backend;
use common::program::{Place, Running, simulator, until};
use common::prometheus::{Prometheus, promtool};
use common::site::Site;
use rustix::process::Signal;
use serde_json::Value;

const RULES: &str = include_str!("../packaging/prometheus/soundwatch.rules.yml");
const RULE_TESTS: &str = include_str!("../packaging/prometheus/soundwatch.rules.test.yml");
const DASHBOARD: &str = include_str!("../packaging/grafana/soundwatch-metrics.json");
const DOCUMENT: &str = include_str!("../docs/http.md");

const WATCHLIST: &str = "[[sounds]]\nclip = \"6703723351497508865\"\n";
const TOKEN: &str = "a-token-for-tests-0123";

#[test]
fn the_alert_rules_are_right_and_do_what_their_tests_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/prometheus");
    for arguments in [
        ["check", "rules", "soundwatch.rules.yml"],
        ["test", "rules", "soundwatch.rules.test.yml"],
    ] {
        let output = promtool(&folder, &arguments, "");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    for rule in RULES.lines().filter_map(|line| line.split_once("- alert: ")) {
        assert!(
            RULE_TESTS.contains(&format!("alertname: {}", rule.1)),
            "{} has a test",
            rule.1
        );
    }
}

#[test]
fn promtool_finds_nothing_to_say_about_the_metrics_of_a_daemon() {
    let simulator = simulator("");
    let site = ready(Place::asking(&simulator, WATCHLIST));
    until("the pass is told", || {
        site.get("/metrics").body.contains("\nsoundwatch_spool_answers 0")
    });
    let metrics = site.get("/metrics").body;
    let output = promtool(site.place.path(), &["check", "metrics"], &metrics);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_told_by_the_metrics() {
    let site = Site::with_history(Backend::Postgres, "SELECT 1").await;
    let up = |metrics: &str| metrics.contains("\nsoundwatch_up 1");
    until("it is up", || up(&site.get("/metrics").body));
    let mut other = site.database.as_ref().unwrap().connect().await;
    other
        .execute("BEGIN; LOCK TABLE credit_days, targets IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let metrics = site.get("/metrics");
    assert_eq!(metrics.status, 200);
    assert!(metrics.body.contains("\nsoundwatch_up 0"), "{}", metrics.body);
    other.execute("ROLLBACK").await.unwrap();
    until("it is up again", || up(&site.get("/metrics").body));
}

#[test]
fn rules_and_dashboard_name_only_metrics_that_there_are() {
    // That the document lists exactly what a daemon tells is tested with the page.
    let named = |text: &'static str| {
        let word = |rest: &'static str| {
            let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_');
            rest[..end.unwrap_or(rest.len())].trim_end_matches("_bucket")
        };
        text.split("soundwatch_").skip(1).map(word).collect::<Vec<_>>()
    };
    let (_, table) = DOCUMENT.split_once("| metric |").unwrap();
    let documented = named(table);
    for (text, least) in [(RULES, 8), (RULE_TESTS, 8), (DASHBOARD, 20)] {
        let used = named(text);
        assert!(used.len() >= least, "{used:?}");
        for name in used {
            assert!(documented.contains(&name), "{name}");
        }
    }
}

/// Three daemons with real endings: the API refuses the key of one, one has a target that stands still, and one
/// is well. The rules are the shipped ones with their times shortened to a second.
#[tokio::test]
async fn a_real_prometheus_raises_the_alerts_and_none_for_a_daemon_that_is_well() {
    let (refusing, good) = (simulator("--faults 401:1"), simulator(""));
    let refused = ready(Place::asking(&refusing, WATCHLIST));
    let stale = Site::with_history(Backend::Sqlite, "SELECT 1").await;
    let well = with_token(&good);
    let prometheus = scraping(&[("refused", &refused), ("stale", &stale), ("well", &well)]);

    until("the one that is well has been scraped", || {
        !prometheus
            .query("soundwatch_targets{instance=\"well\", state=\"fresh\"} == 1")
            .is_empty()
    });
    let mut seen = Vec::new();
    until("the rules have looked at it three times", || {
        let evaluated = &prometheus.api("rules")["groups"][0]["lastEvaluation"];
        if seen.last() != Some(evaluated) {
            seen.push(evaluated.clone());
        }
        seen.len() > 3
    });
    until("the refused key is told", || {
        let told = |alert: &Value| {
            alert["alertname"] == "SoundwatchKeyPaused"
                && alert["instance"] == "refused"
                && alert["reason"] == "unauthorized"
        };
        prometheus.firing().iter().any(told)
    });
    until("the stale target is told", || {
        let told = |alert: &Value| {
            alert["alertname"] == "SoundwatchTargetsStale"
                && alert["instance"] == "stale"
                && alert["state"] == "stale"
        };
        prometheus.firing().iter().any(told)
    });
    let of_well = |alert: &Value| alert["instance"] == "well";
    let firing = prometheus.firing();
    assert!(!firing.iter().any(of_well), "{firing:?}");
    every_panel_shows_something(&prometheus);

    well.running.stop(Signal::TERM).expect_code(0);
    until("the one that was well is down, and told", || {
        let told = |alert: &Value| alert["alertname"] == "SoundwatchDown" && of_well(alert);
        prometheus.firing().iter().any(told)
    });
}

/// Every expression of the dashboard, as Grafana would ask for it.
fn every_panel_shows_something(prometheus: &Prometheus) {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let asked = expression
                .replace("$instance", ".*")
                .replace("$__rate_interval", "1m");
            assert!(!asked.contains('$'), "{asked}");
            let shown = prometheus.query(&asked);
            // The simulator's answers have no field that is not known.
            let may_be_empty = expression.contains("unknown_fields");
            assert!(!shown.is_empty() || may_be_empty, "{}: {asked}", panel["title"]);
        }
    }
}

fn ready(place: Place) -> Site {
    let site = Site::start(place, None);
    until("it is ready", || site.get("/readyz").status == 200);
    site
}

/// One that wants a token, and has made its first pass.
fn with_token(simulator: &Running) -> Site {
    let place = Place::asking(simulator, WATCHLIST).with_setting("SOUNDWATCH__HTTP__TOKEN_FILE", "token");
    place.write("token", TOKEN);
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(place.path().join("token"), mode).unwrap();
    let site = Site::start(place, None);
    let token = format!("authorization: Bearer {TOKEN}\r\n");
    until("it has fetched", || {
        let metrics = site.get_with("/metrics", &token).body;
        metrics.contains("soundwatch_up 1") && metrics.contains("soundwatch_targets{state=\"fresh\"} 1")
    });
    site
}

fn scraping(sites: &[(&str, &Site)]) -> Prometheus {
    let hasty = RULES.lines().map(|line| {
        if line.trim_start().starts_with("for: ") {
            "        for: 1s"
        } else {
            line
        }
    });
    let rules = hasty.collect::<Vec<_>>().join("\n");
    assert_ne!(rules, RULES);
    let targets = sites.iter().map(|(name, site)| {
        let address = site.address;
        format!("      - targets: [\"{address}\"]\n        labels: {{ instance: {name} }}\n")
    });
    let config = format!(
        "global: {{ scrape_interval: 2s, evaluation_interval: 1s }}\n\
         rule_files: [rules.yml]\n\
         scrape_configs:\n  - job_name: soundwatch\n    authorization: {{ credentials_file: token }}\n    static_configs:\n{}",
        targets.collect::<String>()
    );
    Prometheus::start(&[
        ("prometheus.yml", &config),
        ("rules.yml", &rules),
        ("token", TOKEN),
    ])
}
