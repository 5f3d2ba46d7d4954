//! The key is nowhere: in no output, log, file, table, payload or process argument, whatever the API
//! answers and wherever the key comes from. The built program runs, with all its logs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests too")]

#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::api::{Api, Call, Reply, answer};
use common::program::{Ended, Place, until};
use common::{Backend, TestConnection, TestDatabase, tables_and_views};
use rstest::rstest;
use rustix::process::Signal;
use serde_json::json;
use tokio::task::block_in_place;

/// With a slash, which some servers escape.
const KEY: &str = "sk_live_Never/Shown+42zq";
const ESCAPED: &str = r"sk_live_Never\/Shown+42zq";
/// The same as JSON may write it too.
const SPELLED: &str = r"\u0073k_live_\u004eever\/Shown\u002B42zq";

const WATCHLIST: &str = "[[sounds]]\nclip = \"7000000000000000001\"\nschedule = \"@yearly\"\n";

/// Where the key comes from.
#[derive(Clone, Copy)]
enum Source {
    Environment,
    File,
    Systemd,
}

fn place(api: &Api, database: &TestDatabase, source: Source) -> Place {
    let place = Place::empty();
    place.write("watchlist.toml", WATCHLIST);
    let secrets = place.path().join("secrets");
    std::fs::create_dir(&secrets).unwrap();
    let file = secrets.join("api-key");
    let folder = secrets.to_str().unwrap().to_owned();
    let place = place
        .with_setting("SOUNDWATCH__API__BASE_URL", &api.url)
        .with_setting("SOUNDWATCH__API__ATTEMPTS", "1")
        .with_setting("SOUNDWATCH__API__KEY_FILE", "")
        .with_setting("SOUNDWATCH__DATABASE__URL", &database.url)
        .with_setting("RUST_LOG", "trace");
    let (place, mode) = match source {
        Source::Environment => return place.with_setting("SOUNDWATCH__API__KEY", KEY),
        Source::File => (
            place.with_setting("SOUNDWATCH__API__KEY_FILE", file.to_str().unwrap()),
            0o600,
        ),
        Source::Systemd => (place.with_setting("CREDENTIALS_DIRECTORY", &folder), 0o440),
    };
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    place
}

#[track_caller]
fn hides_the_key(what: &str, bytes: &[u8]) {
    for key in [KEY, ESCAPED, SPELLED] {
        let found = bytes
            .windows(key.len())
            .position(|window| window == key.as_bytes());
        if let Some(at) = found {
            let around = &bytes[at.saturating_sub(60)..(at + key.len() + 20).min(bytes.len())];
            panic!("the key is in {what}: {}", String::from_utf8_lossy(around));
        }
    }
}

#[track_caller]
fn said_nothing(command: &str, ended: &Ended) {
    hides_the_key(command, ended.stdout.as_bytes());
    hides_the_key(command, ended.stderr.as_bytes());
}

/// Every file below a folder but the secrets themselves; answers that wait are unpacked.
fn files_hide_the_key(folder: &Path) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().unwrap() != "secrets" {
                files_hide_the_key(&path);
            }
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        hides_the_key(&path.display().to_string(), &bytes);
        if let Some(record) = bytes.strip_prefix(b"swspool1") {
            let length = u64::from_le_bytes(record[..8].try_into().unwrap());
            let record = &record[40..40 + usize::try_from(length).unwrap()];
            let facts = record.iter().position(|byte| *byte == b'\n').unwrap();
            let body = zstd::decode_all(&record[facts + 1..]).unwrap();
            hides_the_key("an answer in the spool", &body);
        }
    }
}

/// Every value of every table and view; payloads are unpacked.
async fn tables_hide_the_key(connection: &mut TestConnection) {
    for table in tables_and_views(connection).await {
        for row in connection
            .query(&format!("SELECT * FROM {table}"))
            .await
            .unwrap()
            .rows
        {
            row.iter()
                .flatten()
                .for_each(|value| hides_the_key(&table, value.as_bytes()));
        }
    }
    for body in connection.column("SELECT body FROM payloads").await {
        let body = hex::decode(body.trim_start_matches("\\x")).unwrap();
        hides_the_key("a payload", &zstd::decode_all(body.as_slice()).unwrap());
    }
}

async fn all_hides_the_key(place: &Place, database: &TestDatabase) {
    files_hide_the_key(place.path());
    if let Some(file) = database.url.strip_prefix("sqlite:") {
        files_hide_the_key(Path::new(file).parent().unwrap());
    }
    tables_hide_the_key(&mut database.connect().await).await;
}

/// A good answer in which this stands in a place that is kept.
fn told(call: &Call, spelled: &str) -> Reply {
    let mut body = answer(&call.clip, &call.region, &[0.5, 1.0]);
    body["message"] = json!("@");
    body["requestId"] = json!("@");
    let sound = &mut body["data"]["sound"];
    sound["title"] = json!("@");
    sound["mood"] = json!({"label": "@"});
    sound["related_items"] = json!([{"item_id": 1, "cover_uri": "https://p.example/@?k=@"}]);
    Reply::new(200, body.to_string().replace('@', spelled)).header("x-key", KEY)
}

fn wrong(call: &Call, pointer: &str) -> Reply {
    let mut body = answer(&call.clip, &call.region, &[0.5, 1.0]);
    *body.pointer_mut(pointer).unwrap() = json!(KEY);
    Reply::json(&body)
}

#[rstest]
#[case::a_good_answer(|c: &Call| told(c, KEY))]
#[case::a_good_answer_with_escapes(|c: &Call| told(c, SPELLED))]
#[case::refused(|_: &Call| Reply::new(401, format!("{{\"code\":401,\"message\":\"no such key: {ESCAPED}\"}}")))]
#[case::refused_in_a_page(|_: &Call| Reply::new(403, format!("<html>{KEY}")).header("www-authenticate", KEY))]
#[case::a_redirect(|_: &Call| Reply::new(302, KEY).header("location", format!("http://127.0.0.1:1/?key={KEY}")))]
#[case::no_json(|_: &Call| Reply::new(200, format!("{KEY} is not JSON")))]
#[case::an_error(|_: &Call| Reply::new(500, format!("{{\"message\":\"{SPELLED}\"}}")))]
#[case::another_clip(|c: &Call| wrong(c, "/data/sound/clip_id"))]
#[case::another_region(|c: &Call| wrong(c, "/data/sound/country_code"))]
#[case::another_shape(|c: &Call| wrong(c, "/data/sound/trend/1/value"))]
#[case::no_code(|c: &Call| wrong(c, "/code"))]
#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_api_answers_the_key_is_nowhere(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] script: fn(&Call) -> Reply,
) {
    let api = Api::answering(script).await;
    let database = backend.fresh().await;
    let place = place(&api, &database, Source::Environment);
    block_in_place(|| {
        said_nothing("collect", &place.run("collect --json"));
        for command in [
            "collect",
            "status",
            "status --json",
            "check",
            "check --json",
            "db check",
        ] {
            said_nothing(command, &place.run(command));
        }
    });
    assert_eq!(api.count(), 1, "the test sees an answer");
    all_hides_the_key(&place, &database).await;
}

#[rstest]
#[case::environment(Source::Environment)]
#[case::file(Source::File)]
#[case::systemd(Source::Systemd)]
#[tokio::test(flavor = "multi_thread")]
async fn wherever_the_key_comes_from_a_daemon_that_is_killed_leaves_none_of_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] source: Source,
) {
    let api = Api::answering(|call| told(call, KEY)).await;
    let database = backend.fresh().await;
    let place = place(&api, &database, source);
    block_in_place(|| {
        let daemon = place.start("run");
        until("the target is stored", || {
            let status = place.run("status --json");
            status.code == 0 && status.json()["last_24_hours"][0]["outcome"] == "stored"
        });
        let arguments = std::fs::read(format!("/proc/{}/cmdline", daemon.id())).unwrap();
        assert!(arguments.ends_with(b"run\0"), "the test sees the arguments");
        hides_the_key("the arguments", &arguments);
        let environment = std::fs::read(format!("/proc/{}/environ", daemon.id())).unwrap();
        if !matches!(source, Source::Environment) {
            hides_the_key("the environment", &environment);
        }
        daemon.signal(Signal::HUP);
        said_nothing("run", &daemon.stop(Signal::KILL));
    });
    // With its WAL, as it was left.
    all_hides_the_key(&place, &database).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_waits_in_the_spool_holds_no_key() {
    let api = Api::answering(|call| told(call, SPELLED)).await;
    let database = Backend::Sqlite.fresh().await;
    let place = place(&api, &database, Source::File);
    block_in_place(|| place.run("db migrate").expect_code(0));
    let full = "CREATE TRIGGER full_up BEFORE INSERT ON snapshots BEGIN SELECT RAISE(ABORT, 'full'); END";
    database.connect().await.execute(full).await.unwrap();
    let failed = block_in_place(|| place.run("collect")).expect_code(1);
    assert!(failed.stderr.contains("an answer waits in the spool"), "{failed}");
    said_nothing("collect", &failed);
    all_hides_the_key(&place, &database).await;
}

/// What people get wrong while they put the key in place.
#[rstest]
#[case::in_the_file("[api]\nkey = \"KEY\"\n", "", "")]
#[case::without_quotes("[api]\nkey = KEY\n", "", "")]
#[case::a_broken_line("[api]\nkey_file = \"KEY\n", "", "")]
#[case::as_the_name_of_the_file("[api]\nkey_file = \"KEY\"\n", "", "")]
#[case::as_a_number("[api]\nattempts = \"KEY\"\n", "", "")]
#[case::as_a_name("[api]\nKEY = 1\n", "", "")]
#[case::as_the_name_of_the_file_in_a_variable("", "SOUNDWATCH__API__KEY_FILE", "KEY")]
#[case::in_an_unknown_variable("", "SOUNDWATCH__API__KEYS", "KEY")]
#[case::in_the_address("", "SOUNDWATCH__API__BASE_URL", "https://KEY@api.example")]
#[case::in_the_query("", "SOUNDWATCH__API__BASE_URL", "https://api.example/?key=KEY")]
#[case::with_a_blank("", "SOUNDWATCH__API__KEY", "KEY KEY")]
#[case::as_the_database("", "SOUNDWATCH__DATABASE__URL", "KEY")]
#[case::for_a_time("", "SOUNDWATCH__API__TIMEOUT", "KEY")]
fn a_key_in_the_wrong_place_is_not_shown(#[case] config: &str, #[case] variable: &str, #[case] value: &str) {
    // A file of this name cannot be: the slash would make it a folder.
    let key = KEY.replace('/', "_");
    let mut place = Place::empty().with_setting("RUST_LOG", "trace");
    place.write("watchlist.toml", WATCHLIST);
    place.write("config.toml", &config.replace("KEY", &key));
    if !variable.is_empty() {
        place = place.with_setting(variable, &value.replace("KEY", &key));
    }
    for command in ["check", "check --json", "collect", "run", "status", "db check"] {
        let ended = place.run(command);
        assert_ne!(ended.code, 0, "{command}: {ended}");
        let said = [ended.stdout.as_str(), ended.stderr.as_str()].concat();
        assert!(!said.contains(&key), "{command} shows it: {said}");
    }
}
