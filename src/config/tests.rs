//! What a person may write into the file or the environment, and what is said about it.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn from(text: &str, env: &[(&str, &str)]) -> Result<Config, Problems> {
    let env: Vec<_> = env
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    let file = (PathBuf::from("etc/config.toml"), text.to_owned());
    load_from(Some(file), &env, Path::new("/srv"))
}

fn problems_of(text: &str, env: &[(&str, &str)]) -> Vec<String> {
    let problems = from(text, env).expect_err("this configuration is wrong");
    problems.0.iter().map(ToString::to_string).collect()
}

#[test]
fn the_example_is_the_defaults_of_the_documentation() {
    let config = load_from(None, &[], Path::new("/here")).unwrap();
    assert_eq!(config.api.base_url, "https://api.keyapi.ai");
    assert_eq!(
        config.api.key_file.as_deref(),
        Some(Path::new("/etc/soundwatch/api-key"))
    );
    assert!((config.api.requests_per_second - 5.0).abs() < f64::EPSILON);
    assert_eq!(config.api.max_in_flight, 8);
    assert_eq!(config.api.timeout, Duration::from_secs(30));
    assert_eq!(config.api.attempts, 3);
    assert_eq!(config.api.pause, Duration::from_secs(3600));
    assert_eq!(config.budget.credits_per_request, 2);
    assert_eq!(config.budget.daily_credits, 1000);
    assert_eq!(config.budget.monthly_credits, 20_000);
    assert_eq!(config.database.url.expose(), "sqlite:/here/soundwatch.db");
    assert_eq!(
        config.watchlist.path.as_deref(),
        Some(Path::new("/here/watchlist.toml"))
    );
    assert_eq!(config.schedule.catch_up, Duration::from_secs(86_400));
    assert!(config.alerts.webhook_url.is_none());
    assert!(config.alerts.heartbeat_url.is_none());
    assert_eq!(config.alerts.format, Format::Json);
    assert_eq!(config.alerts.after_slots, 3);
    assert_eq!(config.http.listen, None);
    assert_eq!(config.state.dir, Path::new("/here/state"));
    assert_eq!(config.path, None);
}

#[test]
fn the_example_shows_every_setting_and_no_other() {
    let shown: Vec<String> = {
        let mut section = "";
        let mut keys = Vec::new();
        for line in EXAMPLE.lines() {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
            } else if let Some((name, _)) = line.trim_start_matches("# ").split_once(" = ") {
                keys.push(format!("{section}.{name}"));
            }
        }
        keys
    };
    assert_eq!(shown, KEYS);
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_example() {
    let file = "[api]\nattempts = 7\ntimeout = \"5s\"\n[http]\nlisten = \"127.0.0.1:1\"";
    let env = [
        ("SOUNDWATCH__API__ATTEMPTS", "9"),
        ("SOUNDWATCH__API__REQUESTS_PER_SECOND", "0.5"),
        ("SOUNDWATCH__STATE__DIR", "007"),
        ("SOUNDWATCH__HTTP__LISTEN", ""),
    ];
    let config = from(file, &env).unwrap();
    assert_eq!(config.api.attempts, 9);
    assert!((config.api.requests_per_second - 0.5).abs() < f64::EPSILON);
    assert_eq!(config.api.timeout, Duration::from_secs(5));
    assert_eq!(config.api.max_in_flight, 8);
    assert_eq!(config.state.dir, Path::new("/srv/etc/007"), "a text stays a text");
    assert_eq!(config.http.listen, None, "an empty text takes the listener away");
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_place() {
    let file = "[api]\nattemps = 3\ntimeout = 30\nmax_in_flight = 0\n\n[budgett]\ndaily_credits = 1\n[http]\nlisten = 1\n";
    let env = [
        ("SOUNDWATCH__API__ATTEMPTS", "many"),
        ("SOUNDWATCH__API__PAUS", "1h"),
    ];
    let problems = problems_of(file, &env);
    let expected = [
        "SOUNDWATCH__API__PAUS: this environment variable sets nothing\n  help: did you mean SOUNDWATCH__API__PAUSE?",
        "SOUNDWATCH__API__ATTEMPTS: \"many\" is not possible\n  help: write a whole number from 1 to 20",
        "etc/config.toml:2:1: api.attemps: there is no such setting\n  help: did you mean api.attempts?",
        "etc/config.toml:3:11: api.timeout: 30 has no unit\n  help: write a duration in quotes, such as \"30s\" or \"30m\"",
        "etc/config.toml:4:17: api.max_in_flight: 0 is not possible\n  help: write a whole number from 1 to 1000",
        "etc/config.toml:6:2: [budgett]: there is no such section\n  help: did you mean [budget]?",
        "etc/config.toml:9:10: http.listen: 1 is not a text\n  help: write an address with a port, in quotes",
    ];
    assert_eq!(problems, expected);
}

#[rstest]
#[case::broken_toml("[api]\nattempts = = 3\n", "etc/config.toml:2:12: not valid TOML")]
#[case::twice("[api]\nattempts = 3\nattempts = 4\n", "etc/config.toml:3:1: not valid TOML")]
#[case::not_a_section("api = 3\n", "etc/config.toml:1:1: api is a whole number, not a section")]
#[case::too_large(
    "[budget]\ndaily_credits = 99999999999999999999\n",
    "etc/config.toml:2:17: budget.daily_credits"
)]
#[case::capitals("[api]\nAttempts = 3\n", "did you mean api.attempts?")]
#[case::another_section(
    "[api]\ndaily_credits = 3\n",
    "did you mean budget.daily_credits, which stands below"
)]
#[case::a_number_in_quotes("[api]\nattempts = \"3\"\n", "\"3\" is a text")]
#[case::a_negative_rate("[api]\nrequests_per_second = -1\n", "write a number from 0.001 to 1000000")]
#[case::a_rate_that_is_none("[api]\nrequests_per_second = nan\n", "NaN is not possible")]
#[case::a_duration_without_unit("[api]\ntimeout = \"30\"\n", "\"30\" is not a duration: time unit needed")]
#[case::a_duration_too_long("[api]\ntimeout = \"1h\"\n", "write a duration from \"1s\" to \"10m\"")]
#[case::no_scheme("[api]\nbase_url = \"api.keyapi.ai\"\n", "does not begin with https://")]
#[case::no_url("[api]\nbase_url = \"https://a b\"\n", "is not a URL")]
#[case::another_scheme("[api]\nbase_url = \"ftp://api.keyapi.ai\"\n", "neither https nor http")]
#[case::in_the_clear("[api]\nbase_url = \"http://api.keyapi.ai\"\n", "unencrypted")]
#[case::not_quite_loopback("[api]\nbase_url = \"http://localhost.example.com\"\n", "unencrypted")]
#[case::a_query("[api]\nbase_url = \"https://a.example/?x=1\"\n", "query")]
#[case::another_database("[database]\nurl = \"mysql://host/db\"\n", "neither sqlite: nor postgres:")]
#[case::in_memory("[database]\nurl = \"sqlite::memory:\"\n", "keeps no history")]
#[case::shared_memory("[database]\nurl = \"sqlite:a?mode=memory\"\n", "keeps no history")]
#[case::no_database("[database]\nurl = \"sqlite:\"\n", "names no file")]
#[case::no_port("[http]\nlisten = \"localhost\"\n", "such as \"127.0.0.1:9464\"")]
#[case::no_directory("[state]\ndir = \"\"\n", "etc/config.toml:2:7: state.dir: the path is empty")]
fn a_wrong_value_is_one_problem_that_says_what_would_be_right(#[case] text: &str, #[case] says: &str) {
    let problems = problems_of(text, &[]);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].contains(says), "{}", problems[0]);
    assert!(problems[0].starts_with("etc/config.toml:"), "{}", problems[0]);
}

#[rstest]
#[case("http://127.0.0.1:8080/", "http://127.0.0.1:8080")]
#[case("http://[::1]:8080", "http://[::1]:8080")]
#[case("http://localhost:1/api/", "http://localhost:1/api")]
#[case("https://proxy.example/keyapi/", "https://proxy.example/keyapi")]
fn an_address_of_the_api_is_kept_without_its_last_slash(#[case] given: &str, #[case] kept: &str) {
    let config = from("", &[("SOUNDWATCH__API__BASE_URL", given)]).unwrap();
    assert_eq!(config.api.base_url, kept);
}

#[rstest]
#[case("sqlite:a.db", "sqlite:/srv/etc/a.db")]
#[case("sqlite://data/a.db?mode=ro", "sqlite:/srv/etc/data/a.db?mode=ro")]
#[case("sqlite:///var/lib/a.db", "sqlite:///var/lib/a.db")]
#[case(
    "postgres:///soundwatch?host=/run/postgresql",
    "postgres:///soundwatch?host=/run/postgresql"
)]
fn a_database_file_is_relative_to_the_configuration(#[case] given: &str, #[case] kept: &str) {
    let config = from("", &[("SOUNDWATCH__DATABASE__URL", given)]).unwrap();
    assert_eq!(config.database.url.expose(), kept);
}

#[test]
fn a_directory_with_special_characters_reaches_the_database_whole() {
    use std::str::FromStr;
    let config = load_from(None, &[], Path::new("/a?b/100%41")).unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::from_str(config.database.url.expose()).unwrap();
    assert_eq!(options.get_filename(), Path::new("/a?b/100%41/soundwatch.db"));
}

#[rstest]
#[case("postgres://me:hunter2@db/sw", "postgres://me:***@db/sw")]
#[case("postgres://me@db/sw?password=hunter2", "postgres://me@db/sw")]
#[case("postgresql://me:hunter2@/sw?host=/run", "postgres://***")]
fn the_password_of_the_database_is_never_shown(#[case] url: &str, #[case] shown: &str) {
    let url = DatabaseUrl::new(url);
    assert_eq!(url.to_string(), shown);
    assert!(!format!("{url:?}").contains("hunter2"));
}

#[test]
fn no_message_repeats_a_secret() {
    for url in [
        "postgres://me:hunter2@[/sw",
        "mysql://me:hunter2@db/sw",
        "postgres://me:hunter2@db:x/sw",
    ] {
        let problems = problems_of("", &[("SOUNDWATCH__DATABASE__URL", url)]).join("\n");
        assert!(!problems.contains("hunter2"), "{problems}");
    }
    let problems = problems_of("[api]\nkey = \"sk_live_hunter2\"\n", &[]).join("\n");
    assert!(
        problems.contains("api.key_file") && !problems.contains("hunter2"),
        "{problems}"
    );
    let url = [("SOUNDWATCH__API__BASE_URL", "https://me:hunter2@api.example")];
    assert!(!problems_of("", &url).join("\n").contains("hunter2"));
}

#[test]
fn files_of_other_editors_are_read_too() {
    let config = from("\u{feff}[api]\r\nattempts = 5\r\n", &[]).unwrap();
    assert_eq!(config.api.attempts, 5);
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let error = load(Some(Path::new("/nowhere/config.toml")))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("/nowhere/config.toml: there is no such file"),
        "{error}"
    );
}

fn key_file(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("api-key");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    (dir, path)
}

#[test]
fn the_key_comes_from_systemd_before_the_file_before_the_variable() {
    let (credentials, _) = key_file("from_systemd\n", 0o440);
    let (_dir, file) = key_file("from_file\n", 0o600);
    let find = |credentials, file| key::find(credentials, file, Some("from_variable"));
    let nowhere = Some(Path::new("/nowhere"));
    let (systemd, source) = find(Some(credentials.path()), Some(file.as_path())).unwrap();
    assert_eq!(systemd.expose(), "from_systemd");
    assert_eq!(source, KeySource::Credential);
    assert_eq!(
        find(nowhere, Some(file.as_path())).unwrap().0.expose(),
        "from_file"
    );
    assert_eq!(
        find(nowhere, Some(file.as_path())).unwrap().1,
        KeySource::File(file.clone())
    );
    assert_eq!(find(nowhere, nowhere).unwrap().0.expose(), "from_variable");
    assert_eq!(find(nowhere, nowhere).unwrap().1, KeySource::Variable);
    assert_eq!(find(None, None).unwrap().0.expose(), "from_variable");
}

#[test]
fn a_missing_key_names_all_three_places() {
    let error = key::find(None, Some(Path::new("/nowhere/api-key")), None)
        .unwrap_err()
        .to_string();
    for place in [
        "systemd credential api-key",
        "/nowhere/api-key",
        "SOUNDWATCH__API__KEY",
    ] {
        assert!(error.contains(place), "{error}");
    }
}

#[rstest]
#[case(0o640)]
#[case(0o604)]
#[case(0o622)]
fn a_key_file_for_others_is_refused_with_the_command_that_repairs_it(#[case] mode: u32) {
    let (_dir, path) = key_file("sk_live_hunter2", mode);
    let error = key::find(None, Some(&path), Some("other"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&format!("chmod 600 {}", path.display())),
        "{error}"
    );
    assert!(!error.contains("hunter2"));
}

#[test]
fn a_directory_is_no_key_file_and_is_not_to_be_changed() {
    let dir = tempfile::tempdir().unwrap();
    let error = key::find(None, Some(dir.path()), None).unwrap_err().to_string();
    assert!(
        error.contains("is a directory") && !error.contains("chmod"),
        "{error}"
    );
}

#[rstest]
#[case::empty(" \n")]
#[case::two_lines("hunter2\nhunter2")]
#[case::a_blank("hunter2 hunter2")]
#[case::not_ascii("hunter2ü")]
#[case::a_carriage_return("hunter2\rX: 1")]
fn a_key_that_no_header_can_hold_is_refused_without_showing_it(#[case] text: &str) {
    let (_dir, path) = key_file(text, 0o600);
    let error = key::find(None, Some(&path), None).unwrap_err().to_string();
    assert!(error.starts_with(&path.display().to_string()), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    let error = key::find(None, None, Some(text)).unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_key_shows_only_its_fingerprint() {
    let key = ApiKey::new("sk_live_hunter2").unwrap();
    // printf sk_live_hunter2 | sha256sum
    assert_eq!(key.fingerprint(), "21bb2adcdc27f881");
    assert_eq!(format!("{key:?}"), format!("ApiKey(21bb2adcdc27f881…)"));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_fail_otherwise_than_with_problems(text in ".{0,80}") {
        let _ = from(&text, &[]);
        let _ = from("", &[("SOUNDWATCH__DATABASE__URL", &text), ("SOUNDWATCH__API__TIMEOUT", &text)]);
    }
}

#[test]
fn the_address_of_a_webhook_is_shown_nowhere() {
    let file = "[alerts]\nwebhook_url = \"https://hooks.example/hunter2?t=hunter2\"\nformat = \"slack\"\n";
    let config = from(
        file,
        &[("SOUNDWATCH__ALERTS__HEARTBEAT_URL", "http://[::1]:80/hunter2")],
    )
    .unwrap();
    let alerts = &config.alerts;
    let url = alerts.webhook_url.as_ref().map(SecretUrl::expose);
    assert_eq!(url, Some("https://hooks.example/hunter2?t=hunter2"));
    assert_eq!(alerts.format, Format::Slack);
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[rstest]
#[case::plain("\"http://hooks.example/hunter2\"", "plain http is for this machine only")]
#[case::no_url("\"hunter2\"", "this is not a URL")]
#[case::no_web("\"ftp://127.0.0.1/hunter2\"", "neither https nor http")]
#[case::no_text("[\"https://hunter2\"]", "this is not a text")]
fn a_wrong_address_of_a_webhook_is_told_but_not_shown(#[case] url: &str, #[case] why: &str) {
    let problems = problems_of(&format!("[alerts]\nwebhook_url = {url}\n"), &[]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].starts_with("etc/config.toml:2:15: alerts.webhook_url: "),
        "{problems:?}"
    );
    assert!(problems[0].contains(why), "{problems:?}");
    assert!(!problems[0].contains("hunter2"), "{problems:?}");
}
