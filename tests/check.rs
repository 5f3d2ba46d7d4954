//! Every message of `check` for a table of mistakes, as a person reads them; and what `check` says of
//! paused keys, clocks, and the one request of `--spend`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod common;

use std::fmt::Write;

use common::Backend;
use common::program::{Ended, Place, simulator, until};
use rstest::rstest;
use rustix::process::Signal;
use serde_json::json;

/// With a slot that no minute of a test is.
const WATCHLIST: &str = r#"
[defaults]
schedule = "@yearly"

[[sounds]]
clip = "6703723351497508865"
regions = ["US", "LV"]
"#;

/// Configurations that are wrong, by what is wrong with them.
const CONFIGURATIONS: [(&str, &str); 27] = [
    ("a value is left out", "[api]\nkey_file =\n"),
    ("a quote is left out", "[watchlist]\npath = watchlist.toml\n"),
    ("a quote is not closed", "[state]\ndir = \"state\n"),
    ("a bracket is not closed", "[api\nattempts = 3\n"),
    ("an equals sign is left out", "[api]\nattempts 3\n"),
    ("a colon instead of an equals sign", "[api]\nattempts: 3\n"),
    ("a setting stands twice", "[api]\nattempts = 3\nattempts = 4\n"),
    (
        "a section stands twice",
        "[api]\nattempts = 3\n[api]\npause = \"1h\"\n",
    ),
    ("a section is misspelled", "[buget]\ndaily_credits = 10\n"),
    ("a setting is misspelled", "[api]\nattemps = 3\n"),
    ("a setting is in the wrong section", "[api]\ndaily_credits = 10\n"),
    ("a setting is in no section", "daily_credits = 10\n"),
    ("a setting that nobody knows", "[api]\ncolour = \"blue\"\n"),
    ("a section is a value", "api = 3\n"),
    (
        "the key stands in the file",
        "[api]\nkey = \"sk_live_0123456789\"\n",
    ),
    ("a number in quotes", "[api]\nattempts = \"3\"\n"),
    ("a number that is too large", "[api]\nattempts = 21\n"),
    (
        "a number beyond all numbers",
        "[budget]\ndaily_credits = 99999999999999999999\n",
    ),
    ("a negative budget", "[budget]\nmonthly_credits = -1\n"),
    ("no requests a second", "[api]\nrequests_per_second = 0\n"),
    ("a duration without a unit", "[api]\ntimeout = 30\n"),
    ("a duration of another unit", "[api]\npause = \"1 fortnight\"\n"),
    ("a duration that is too long", "[api]\ntimeout = \"1h\"\n"),
    ("plain http", "[api]\nbase_url = \"http://api.keyapi.ai\"\n"),
    ("no address at all", "[api]\nbase_url = \"api.keyapi.ai\"\n"),
    ("an address without a port", "[http]\nlisten = \"localhost\"\n"),
    ("no folder for the state", "[state]\ndir = \"\"\n"),
];

/// Settings from the environment that are wrong, and databases.
const SETTINGS: [(&str, &str, &str); 10] = [
    ("a variable is misspelled", "SOUNDWATCH__API__ATTEMPS", "3"),
    (
        "a variable with a wrong value",
        "SOUNDWATCH__BUDGET__DAILY_CREDITS",
        "many",
    ),
    (
        "a key of two lines",
        "SOUNDWATCH__API__KEY",
        "sk_live_1\nsk_live_2",
    ),
    ("no key", "SOUNDWATCH__API__KEY", ""),
    (
        "a database of another kind",
        "SOUNDWATCH__DATABASE__URL",
        "mysql://localhost/x",
    ),
    (
        "a Postgres URL that is none",
        "SOUNDWATCH__DATABASE__URL",
        "postgres://user@:port/x",
    ),
    (
        "a database in memory",
        "SOUNDWATCH__DATABASE__URL",
        "sqlite::memory:",
    ),
    (
        "nobody listens",
        "SOUNDWATCH__DATABASE__URL",
        "postgres://nobody:secret@127.0.0.1:1/none",
    ),
    (
        "a database that is something else",
        "SOUNDWATCH__DATABASE__URL",
        "sqlite:watchlist.toml",
    ),
    (
        "a state that is a file",
        "SOUNDWATCH__STATE__DIR",
        "watchlist.toml",
    ),
];

/// Watchlists that are wrong.
const WATCHLISTS: [(&str, &str); 30] = [
    ("an empty file", ""),
    ("nothing but defaults", "[defaults]\nregions = [\"US\"]\n"),
    ("half of a file", "[[sounds]]\nclip = \"67037233514"),
    (
        "an ID without quotes that is too large",
        "[[sounds]]\nclip = 16703723351497508865\n",
    ),
    ("an ID that is too short", "[[sounds]]\nclip = \"123\"\n"),
    ("a name instead of an ID", "[[sounds]]\nclip = \"New Sun\"\n"),
    (
        "a short link",
        "[[sounds]]\nclip = \"https://vm.tiktok.com/ZMabc/\"\n",
    ),
    (
        "a link to a video",
        "[[sounds]]\nclip = \"https://www.tiktok.com/@a/video/7326640926458743557\"\n",
    ),
    (
        "a link to another place",
        "[[sounds]]\nclip = \"https://example.org/music/x-7326640926458743557\"\n",
    ),
    ("a sound without a clip", "[[sounds]]\nregions = [\"US\"]\n"),
    (
        "a clip that is a list",
        "[[sounds]]\nclip = [\"6703723351497508865\"]\n",
    ),
    (
        "one bracket too few",
        "[sounds]\nclip = \"6703723351497508865\"\n",
    ),
    ("sounds that are texts", "sounds = [\"6703723351497508865\"]\n"),
    (
        "a key that there is not",
        "[[sounds]]\nclip = \"6703723351497508865\"\nregion = \"US\"\n",
    ),
    (
        "a section that there is not",
        "[default]\nperiod = 7\n[[sounds]]\nclip = \"6703723351497508865\"\n",
    ),
    (
        "a region that is a text",
        "[[sounds]]\nclip = \"6703723351497508865\"\nregions = \"US\"\n",
    ),
    (
        "a region by its name",
        "[[sounds]]\nclip = \"6703723351497508865\"\nregions = [\"Latvia\"]\n",
    ),
    (
        "no region",
        "[[sounds]]\nclip = \"6703723351497508865\"\nregions = []\n",
    ),
    (
        "a period that there is not",
        "[[sounds]]\nclip = \"6703723351497508865\"\nperiod = 14\n",
    ),
    (
        "a period in days",
        "[[sounds]]\nclip = \"6703723351497508865\"\nperiod = \"7 days\"\n",
    ),
    (
        "no period",
        "[[sounds]]\nclip = \"6703723351497508865\"\nperiod = []\n",
    ),
    (
        "a schedule of four fields",
        "[[sounds]]\nclip = \"6703723351497508865\"\nschedule = \"15 6 * *\"\n",
    ),
    (
        "a schedule of an hour that there is not",
        "[[sounds]]\nclip = \"6703723351497508865\"\nschedule = \"0 25 * * *\"\n",
    ),
    (
        "a schedule in words",
        "[[sounds]]\nclip = \"6703723351497508865\"\nschedule = \"every day\"\n",
    ),
    (
        "a schedule of a name that there is not",
        "[[sounds]]\nclip = \"6703723351497508865\"\nschedule = \"@dayly\"\n",
    ),
    (
        "a day that never comes",
        "[[sounds]]\nclip = \"6703723351497508865\"\nschedule = \"0 0 30 2 *\"\n",
    ),
    (
        "a time zone that there is not",
        "[[sounds]]\nclip = \"6703723351497508865\"\ntime_zone = \"Europe/Rigga\"\n",
    ),
    (
        "tags that are one text",
        "[[sounds]]\nclip = \"6703723351497508865\"\ntags = \"ambient\"\n",
    ),
    (
        "a sound twice",
        "[[sounds]]\nclip = \"6703723351497508865\"\n[[sounds]]\nclip = \"6703723351497508865\"\n",
    ),
    (
        "many mistakes, and a doubt",
        "[defaults]\nschedule = \"@hourly\"\n[[sounds]]\nclip = \"1\"\nregions = [\"UK\"]\n[[sounds]]\nnotes = \"x\"\n",
    ),
];

/// Writes a file with this mode.
fn write_with_mode(place: &Place, file: &str, text: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    place.write(file, text);
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(place.path().join(file), mode).unwrap();
}

/// A place where all is well.
fn well() -> Place {
    let place = Place::empty()
        .with_setting("SOUNDWATCH__API__KEY_FILE", "")
        .with_setting("SOUNDWATCH__API__KEY", "sk_live_simulated");
    place.write("watchlist.toml", WATCHLIST);
    place
}

/// What a person reads, without what is of this machine and this moment.
fn said(place: &Place, ended: &Ended) -> String {
    let folder = place.path().canonicalize().unwrap();
    let text = ended.stderr.replace(&format!("{}/", folder.display()), "");
    let text = text.replace(&folder.display().to_string(), "THE FOLDER");
    let lines = text.lines().map(|line| match line.find("clock says ") {
        Some(at) => format!("{}…", &line[..at + "clock says ".len()]),
        None => line.to_owned(),
    });
    lines.fold(String::new(), |text, line| text + &line + "\n")
}

#[test]
fn a_place_where_all_is_well_has_no_problem() {
    well().run("check").expect_code(0);
}

#[test]
fn every_mistake_is_told_with_its_place_and_its_mend() {
    let mut all = String::new();
    let mut tell = |name: &str, place: &Place| {
        let ended = place.run("check");
        assert!([1, 2].contains(&ended.code), "{name}: {ended}");
        write!(all, "== {name} (exit {})\n{}\n", ended.code, said(place, &ended)).unwrap();
    };
    for (name, text) in CONFIGURATIONS {
        let place = well();
        place.write("config.toml", text);
        tell(name, &place);
    }
    for (name, setting, value) in SETTINGS {
        tell(name, &well().with_setting(setting, value));
    }
    for (name, text) in WATCHLISTS {
        let place = well();
        place.write("watchlist.toml", text);
        tell(name, &place);
    }
    tell("no watchlist", &{
        let place = well();
        std::fs::remove_file(place.path().join("watchlist.toml")).unwrap();
        place
    });
    tell(
        "a watchlist that is a folder",
        &well().with_setting("SOUNDWATCH__WATCHLIST__PATH", "."),
    );
    tell(
        "no configuration where one is named",
        &well().with_setting("SOUNDWATCH_CONFIG", "soundwatch.toml"),
    );
    tell("a key that others can read", &{
        let place = well().with_setting("SOUNDWATCH__API__KEY_FILE", "key");
        place.write("key", "sk_live_0123456789");
        place
    });
    tell("a key with blanks", &{
        use std::os::unix::fs::PermissionsExt;
        let place = well().with_setting("SOUNDWATCH__API__KEY_FILE", "key");
        place.write("key", "my key");
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(place.path().join("key"), mode).unwrap();
        place
    });
    insta::assert_snapshot!(all);
}

#[rstest]
#[tokio::test]
async fn a_newest_row_of_tomorrow_tells_that_the_clock_is_wrong(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = backend.fresh().await;
    let place = well().with_setting("SOUNDWATCH__DATABASE__URL", &database.url);
    place.run("db migrate").expect_code(0);
    let mut connection = database.connect().await;
    connection
        .execute("INSERT INTO workers VALUES ('w', 'h', 1, '1', 4000000000, 4000000000)")
        .await
        .unwrap();
    let check = place.run("check").expect_code(2);
    assert!(check.stderr.contains("nothing is due until then"), "{check}");
    assert!(check.stderr.contains("help: set the clock"), "{check}");
}

#[rstest]
#[tokio::test]
async fn a_paused_key_is_told_by_check_and_plan(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = backend.fresh().await;
    let simulator = simulator("--credits 0");
    let place = Place::asking(&simulator, WATCHLIST).with_setting("SOUNDWATCH__DATABASE__URL", &database.url);
    place.run("collect").expect_code(4);
    for command in ["check", "plan"] {
        let told = place.run(command).expect_code(0);
        assert!(told.stderr.contains("is paused (out_of_credits, since"), "{told}");
        assert!(told.stderr.contains("help: Buy credits"), "{told}");
        assert_eq!(place.json(command)["warnings"].as_array().map(Vec::len), Some(1));
    }
}

#[rstest]
#[tokio::test]
async fn check_spends_one_request_when_told_to_and_none_otherwise(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = backend.fresh().await;
    let simulator = simulator("");
    let place = Place::asking(&simulator, WATCHLIST).with_setting("SOUNDWATCH__DATABASE__URL", &database.url);
    let spent = place.run("check --spend --json").expect_code(0).json();
    assert_eq!(spent["summary"]["spent"]["outcome"], "stored", "{spent}");
    assert_eq!(spent["summary"]["spent"]["credits"], 2, "{spent}");
    let mut connection = database.connect().await;
    let fetches = "SELECT CASE WHEN forced THEN 'forced' END FROM fetches";
    assert_eq!(connection.column(fetches).await, ["forced"]);
    place.run("check").expect_code(0);
    let attempts = "SELECT credits FROM attempts";
    assert_eq!(
        connection.column(attempts).await,
        ["2"],
        "without --spend nothing is sent"
    );
    assert_eq!(place.json("plan")["due_now"], 2, "what was due stays due");
}

#[rstest]
#[case::of_the_key("--credits 0", 4, "Buy credits")]
#[case::of_the_server("--faults 500:1", 1, "server_error")]
#[case::without_data("--faults no_data:1", 3, "no_data")]
fn a_request_that_fails_is_told_and_not_repeated(
    #[case] options: &str,
    #[case] code: i32,
    #[case] told: &str,
) {
    let simulator = simulator(options);
    let place = Place::asking(&simulator, WATCHLIST);
    let check = place.run("check --spend").expect_code(code);
    assert!(check.stdout.contains(told), "{check}");
    assert!(!check.stdout.contains("All is well"), "{check}");
    let why = place.run("why 6703723351497508865 --json").expect_code(0);
    assert!(!why.stdout.contains("\"n\": 2"), "one attempt at most: {why}");
}

#[test]
fn nothing_is_spent_while_something_is_wrong() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, "");
    let check = place.run("check --spend").expect_code(2);
    assert!(
        check.stderr.ends_with("nothing was spent: mend this first\n"),
        "{check}"
    );
    assert!(!place.path().join("rehearsal.db").exists());
}

#[test]
fn beside_a_daemon_the_request_is_handed_over() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, WATCHLIST);
    let daemon = place.start("run");
    // `status` needs a database, which the daemon makes first.
    until("all is asked", || {
        place.run("status --json").code == 0 && place.json("plan")["due_now"] == 0
    });
    let check = place.run("check --spend").expect_code(0);
    assert!(check.stderr.contains("handing one request over"), "{check}");
    assert!(check.stdout.contains("2 credits for"), "{check}");
    daemon.stop(Signal::TERM).expect_code(0);
}

#[test]
fn settings_of_the_environment_are_told_with_what_they_override() {
    let place = well().with_setting("SOUNDWATCH__API__ATTEMPTS", "2");
    place.write("config.toml", "[api]\nattempts = 3\n");
    let environment = &place.json("check")["summary"]["environment"];
    let told = [
        "SOUNDWATCH__API__KEY_FILE",
        "SOUNDWATCH__API__ATTEMPTS overrides api.attempts of the file",
    ];
    assert_eq!(*environment, json!(told));
}

#[rstest]
#[case("plan")]
#[case("status")]
#[case("collect")]
#[case("run")]
fn as_json_a_command_that_fails_tells_its_problems_in_one_document(#[case] command: &str) {
    let place = well().with_setting("SOUNDWATCH__DATABASE__URL", "sqlite:soundwatch.db");
    place.write("config.toml", "[api]\nattempts = 0\n[state]\ndir = 3\n");
    let document = place.run(&format!("{command} --json")).expect_code(2).json();
    assert_eq!(
        document["problems"].as_array().map(Vec::len),
        Some(2),
        "{document}"
    );
    assert_eq!(document["problems"][0]["line"], 2, "{document}");
    assert!(
        document["error"].as_str().unwrap().contains("state.dir"),
        "{document}"
    );
}

#[test]
fn as_json_an_error_of_the_database_has_its_mend() {
    let document = well().run("status --json").expect_code(1).json();
    let problem = &document["problems"][0];
    assert!(
        problem["message"]
            .as_str()
            .unwrap()
            .starts_with("there is no database")
    );
    assert!(
        problem["help"]
            .as_str()
            .unwrap()
            .contains("soundwatch db migrate")
    );
}

#[test]
fn check_and_plan_tell_what_charts_cost_and_which_of_their_regions_are_doubtful() {
    let place = well();
    let text = "[discover]\nregions = [\"US\", \"UK\"]\npages = 3\n[http]\nlisten = \"127.0.0.1:0\"\n";
    place.write("config.toml", text);
    let check = place.run("check").expect_code(0);
    let costs = "2 charts at \"45 5 * * *\" UTC: at most 6 requests and 12 credits a day";
    assert!(check.stdout.contains(costs), "{check}");
    assert!(check.stdout.contains("Alerts         to nobody"), "{check}");
    let doubt = "warning: discover.regions: \"UK\" is not one of";
    assert!(check.stderr.contains(doubt), "{check}");
    assert!(!check.stderr.contains("http.listen"), "it is served: {check}");
    let plan = place.json("plan --days 2");
    assert_eq!(plan["charts"]["credits_per_day"], 12.0, "{plan}");
    assert_eq!(plan["days"][1]["requests"], 6, "{plan}");
}

#[rstest]
#[case::others_can_read_it(Some("0123456789abcdef0123"), 0o644, "(mode 644)")]
#[case::it_is_short(Some("short"), 0o600, "16 characters or more")]
#[case::it_is_not_there(None, 0, "there is no token")]
fn a_token_that_run_refuses_is_told_by_check(
    #[case] token: Option<&str>,
    #[case] mode: u32,
    #[case] told: &str,
) {
    let place = well()
        .with_setting("SOUNDWATCH__HTTP__LISTEN", "127.0.0.1:0")
        .with_setting("SOUNDWATCH__HTTP__TOKEN_FILE", "token");
    if let Some(token) = token {
        write_with_mode(&place, "token", token, mode);
    }
    let check = place.run("check").expect_code(2);
    assert!(check.stderr.contains(told), "{check}");
    assert!(place.run("run").expect_code(2).stderr.contains(told));
}

#[test]
fn an_address_that_another_program_has_is_told_by_check() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = other.local_addr().unwrap().to_string();
    let place = well().with_setting("SOUNDWATCH__HTTP__LISTEN", &listen);
    let check = place.run("check").expect_code(2);
    assert!(
        check.stderr.contains(&format!("cannot listen on {listen}")),
        "{check}"
    );
    drop(other);
    let check = place.run("check").expect_code(0);
    assert_eq!(check.stderr, "", "{check}");
}

#[rstest]
#[tokio::test]
async fn an_address_that_the_daemon_of_the_same_database_has_is_no_problem(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = backend.fresh().await;
    let simulator = simulator("");
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let place = Place::asking(&simulator, WATCHLIST)
        .with_setting("SOUNDWATCH__DATABASE__URL", &database.url)
        .with_setting("SOUNDWATCH__HTTP__LISTEN", &free.to_string());
    let daemon = place.start("run");
    until("the page is there", || std::net::TcpStream::connect(free).is_ok());
    place.run("check").expect_code(0);
    daemon.stop(Signal::TERM).expect_code(0);
}

#[test]
fn check_tells_where_the_key_is_from_and_counts_warnings() {
    let place = well();
    let check = place.run("check").expect_code(0);
    assert!(
        check
            .stdout
            .contains(", from the variable SOUNDWATCH__API__KEY\n"),
        "{check}"
    );
    assert!(check.stdout.ends_with("All is well.\n"), "{check}");
    let place = place.with_setting("SOUNDWATCH__BUDGET__DAILY_CREDITS", "2");
    write_with_mode(&place, "key", "sk_live_0123456789", 0o600);
    let place = place.with_setting("SOUNDWATCH__API__KEY_FILE", "key");
    let check = place.run("check").expect_code(0);
    assert!(check.stdout.contains("/key\n"), "{check}");
    assert!(check.stdout.ends_with("No errors, 1 warning.\n"), "{check}");
}

#[test]
fn as_json_a_check_that_fails_has_an_error_like_other_commands() {
    let place = well();
    assert!(place.json("check").get("error").is_none());
    place.write("config.toml", "[api]\nattempts = 0\n[state]\ndir = 3\n");
    let document = place.run("check --json").expect_code(2).json();
    let error = document["error"].as_str().unwrap();
    assert!(
        error.contains("api.attempts") && error.contains("state.dir"),
        "{error}"
    );
}

#[test]
fn a_sound_that_stands_twice_is_one_problem() {
    let place = well();
    let sound = "[[sounds]]\nclip = \"6703723351497508865\"\nregions = [\"US\", \"LV\", \"LV\"]\n";
    place.write(
        "watchlist.toml",
        &format!("{}{sound}", sound.replace(", \"LV\"]", "]")),
    );
    let problems = place.run("check --json").expect_code(2).json()["problems"].clone();
    assert_eq!(problems.as_array().map(Vec::len), Some(1), "{problems}");
    assert_eq!(problems[0]["line"], 5, "{problems}");
}
