//! Exports: what is written is what the views say, the same from both databases, and a file is there
//! whole or not at all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod common;

use common::program::{Place, until};
use common::{Backend, TestConnection, TestDatabase};
use rstest::rstest;
use rustix::process::Signal;
use soundwatch::clock::day_of;
use soundwatch::export::view::{VIEWS, View};
use soundwatch::export::{Cell, Format, Kind, writer};
use soundwatch::store::export::Selection;
use soundwatch::store::{Missing, Store, StoreError};

const HISTORY: &str = include_str!("data/history.sql");

/// What is odd in the texts of the API, and two targets of one sound and market whose rows look alike.
const ODD: &str = "
    UPDATE sounds SET title = '=HYPERLINK(\"x\")', author = 'a, \"b\"' WHERE clip_id = '7326640926458743557';
    INSERT INTO targets (id, clip_id, region, period, schedule, time_zone, interval_seconds, slots_from, added_at)
    VALUES (20, '6703723351497508865', 'US', 'auto', '15 6 * * *', 'UTC', 86400, 0, 0);
    INSERT INTO fetches (id, target_id, slot_at, outcome, reason, settled_at)
    SELECT 900 + id, 20, slot_at, 'skipped', 'budget', slot_at + 1 FROM fetches WHERE target_id = 1;";

struct Exporting {
    database: TestDatabase,
    store: Store,
}

impl Exporting {
    async fn new(backend: Backend) -> Self {
        let database = backend.fresh().await;
        let store = Store::open(&database.url, Missing::Create).await.unwrap();
        store.migrate().await.unwrap();
        let exporting = Self { database, store };
        let mut connection = exporting.connect().await;
        connection.execute(HISTORY).await.unwrap();
        connection.execute(ODD).await.unwrap();
        exporting
    }

    async fn connect(&self) -> TestConnection {
        self.database.connect().await
    }

    async fn text(&self, selection: &Selection, format: Format) -> String {
        let mut file = Vec::new();
        let mut to = writer(format, selection.view, &mut file).unwrap();
        let each = |cells: &[Cell<'_>]| {
            // What depends on the moment at which it is read can't be the same twice.
            let timeless = selection
                .view
                .columns
                .iter()
                .zip(cells)
                .map(|((name, _), cell)| match *name {
                    "age_hours" => Cell::Null,
                    _ => *cell,
                });
            to.row(&timeless.collect::<Vec<_>>()).unwrap();
            Ok::<_, StoreError>(())
        };
        self.store.export(selection, each).await.unwrap();
        to.finish().unwrap();
        String::from_utf8(file).unwrap()
    }

    async fn rows(&self, selection: &Selection) -> usize {
        self.text(selection, Format::Jsonl).await.lines().count()
    }
}

fn all_of(name: &str) -> Selection {
    Selection {
        view: View::named(name).unwrap(),
        clips: Vec::new(),
        regions: Vec::new(),
        since: None,
        until: None,
    }
}

#[rstest]
#[tokio::test]
async fn every_view_and_column_of_the_database_can_be_exported(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let exporting = Exporting::new(backend).await;
    let mut connection = exporting.connect().await;
    let views = connection
        .column(match backend {
            Backend::Sqlite => "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name",
            Backend::Postgres => {
                "SELECT viewname FROM pg_views WHERE schemaname = 'public' ORDER BY viewname COLLATE \"C\""
            }
        })
        .await;
    let mut known: Vec<_> = VIEWS.iter().map(|view| view.name).collect();
    known.sort_unstable();
    assert_eq!(views, known, "the database, then src/export/view.rs");
    for view in &VIEWS {
        let columns = connection
            .query(&format!("SELECT * FROM {}", view.name))
            .await
            .unwrap()
            .columns;
        let known: Vec<_> = view.columns.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            columns, known,
            "{}: the database, then src/export/view.rs",
            view.name
        );
    }
}

#[tokio::test]
async fn the_kinds_of_columns_are_those_of_postgres() {
    let exporting = Exporting::new(Backend::Postgres).await;
    let mut connection = exporting.connect().await;
    for view in &VIEWS {
        let sql = format!(
            "SELECT data_type FROM information_schema.columns WHERE table_name = '{}' ORDER BY ordinal_position",
            view.name
        );
        let types = view.columns.iter().map(|(_, kind)| match kind {
            Kind::Text => "text",
            Kind::Integer => "bigint",
            Kind::Real => "double precision",
            Kind::Boolean => "boolean",
            Kind::Day => "date",
            Kind::Instant => "timestamp with time zone",
        });
        assert_eq!(
            connection.column(&sql).await,
            types.collect::<Vec<_>>(),
            "{}",
            view.name
        );
    }
}

#[tokio::test]
async fn both_databases_give_the_same_bytes_and_all_rows() {
    let (sqlite, postgres) = (
        Exporting::new(Backend::Sqlite).await,
        Exporting::new(Backend::Postgres).await,
    );
    // A session in another zone is none of the export's business.
    let mut connection = postgres.connect().await;
    let zone = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone TO ''Asia/Tokyo''', current_database()); END $$";
    connection.execute(zone).await.unwrap();
    for view in &VIEWS {
        let all = all_of(view.name);
        for format in [Format::Csv, Format::Jsonl] {
            let text = sqlite.text(&all, format).await;
            assert_eq!(text, postgres.text(&all, format).await, "{}", view.name);
        }
        let count = connection
            .column(&format!("SELECT count(*) FROM {}", view.name))
            .await;
        assert_eq!(count, [sqlite.rows(&all).await.to_string()], "{}", view.name);
        assert_ne!(count, ["0"], "{}: nothing to compare", view.name);
    }
}

/// Each filter, and the same as a condition.
#[rstest]
#[case::sounds("trend_history", "clip_id IN ('6703723351497508865', '7011536772089924609')")]
#[case::market("trend_history", "region = 'LV'")]
#[case::since("trend_history", "day >= '2026-02-01'")]
#[case::until("trend_history", "day < '2026-02-02'")]
#[case::two_days("trend_history", "day >= '2026-02-01' AND day < '2026-02-02'")]
#[case::instants("country_history", "fetched_at >= '2026-02-02' AND fetched_at < '2026-02-03'")]
#[case::slots("fetch_log", "slot_at >= '2026-02-02' AND slot_at < '2026-02-03'")]
#[case::spending("credits_by_day", "day >= '2026-02-01' AND day < '2026-02-03'")]
#[case::gaps_that_touch_a_day("gaps", "last_day >= '2026-02-01' AND first_day < '2026-02-02'")]
#[case::nothing_is_known_of_a_sound("trend_history", "clip_id IN ('999999999999999999')")]
#[tokio::test]
async fn filters_choose_the_rows_that_a_condition_chooses(
    #[case] name: &str,
    #[case] condition: &str,
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let exporting = Exporting::new(backend).await;
    let quoted = |before: &str| -> Vec<String> {
        let (_, rest) = condition.split_once(before).unwrap_or_default();
        rest.split('\'').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let first = |before: &str| quoted(before).first().and_then(|day| day_of(day));
    let of = |column: &str| {
        if condition.starts_with(column) {
            quoted("")
        } else {
            Vec::new()
        }
    };
    let selection = Selection {
        clips: of("clip_id"),
        regions: of("region"),
        since: first(">= "),
        until: first("< ").map(|day| day - 1),
        ..all_of(name)
    };
    let mut connection = exporting.connect().await;
    connection.execute("SELECT 1").await.unwrap();
    let sql = format!("SELECT count(*) FROM {name} WHERE {condition}");
    let expected = connection.column(&sql).await;
    assert_eq!(
        [exporting.rows(&selection).await.to_string()],
        expected[..],
        "{selection:?}"
    );
}

/// A folder with a configuration and a database in which is what the page's queries are tried on.
async fn place() -> Place {
    let place = Place::empty();
    place.write(
        "config.toml",
        "[database]\nurl = \"sqlite:a.db\"\n[watchlist]\npath = \"\"\n",
    );
    place.run("db migrate").expect_code(0);
    change(&place, HISTORY).await;
    place
}

async fn change(place: &Place, sql: &str) {
    let url = format!("sqlite:{}", place.path().join("a.db").display());
    let database = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url)
        .await
        .unwrap();
    TestConnection::Sqlite(database).execute(sql).await.unwrap();
}

fn files(place: &Place) -> Vec<String> {
    let names = place
        .path()
        .read_dir()
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names
        .filter(|name| !name.starts_with("a.db") && name != "config.toml")
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_has_what_stdout_has_and_its_ending_says_the_format() {
    let place = place().await;
    for (ending, format) in [("csv", "csv"), ("ndjson", "jsonl"), ("jsonl", "jsonl")] {
        let told = place.json(&format!("export gaps -o gaps.{ending}"));
        let file = std::fs::read_to_string(place.path().join(format!("gaps.{ending}"))).unwrap();
        let stdout = place
            .run(&format!("export gaps --format {format} -o -"))
            .expect_code(0)
            .stdout;
        assert_eq!(file, stdout);
        assert_eq!(told["format"], format);
        assert_eq!(told["rows"], 4);
        assert_eq!(told["bytes"], file.len());
    }
    let told = place.run("export gaps -o gaps.parquet").expect_code(0);
    assert!(told.stdout.starts_with("gaps: 4 rows, "), "{told}");
    let file = std::fs::read(place.path().join("gaps.parquet")).unwrap();
    assert!(file.starts_with(b"PAR1") && file.ends_with(b"PAR1"));
    assert_eq!(
        files(&place),
        ["gaps.csv", "gaps.jsonl", "gaps.ndjson", "gaps.parquet"]
    );
}

#[tokio::test]
async fn a_link_stays_one_and_its_file_is_replaced() {
    let place = place().await;
    std::fs::create_dir(place.path().join("elsewhere")).unwrap();
    place.write("elsewhere/real.csv", "old");
    std::os::unix::fs::symlink("elsewhere/real.csv", place.path().join("link.csv")).unwrap();
    place.run("export gaps -o link.csv").expect_code(0);
    assert!(place.path().join("link.csv").is_symlink());
    let file = std::fs::read_to_string(place.path().join("elsewhere/real.csv")).unwrap();
    assert_eq!(file.lines().count(), 5);
}

#[tokio::test]
async fn an_export_that_fails_leaves_the_old_file_and_nothing_else() {
    let place = place().await;
    place.write("trend.csv", "old");
    change(
        &place,
        "UPDATE sounds SET title = CAST(x'ff' AS TEXT) WHERE title = 'New Sun'",
    )
    .await;
    let failed = place.run("export trend_history -o trend.csv").expect_code(1);
    assert!(failed.stderr.contains("utf-8"), "{failed}");
    assert_eq!(files(&place), ["trend.csv"]);
    assert_eq!(
        std::fs::read_to_string(place.path().join("trend.csv")).unwrap(),
        "old"
    );

    let failed = place.run("export gaps -o missing/gaps.csv").expect_code(1);
    assert!(
        failed.stderr.contains("cannot write missing/gaps.csv"),
        "{failed}"
    );
    let failed = place.run("export gaps --format csv -o /dev/full").expect_code(1);
    assert!(
        failed.stderr.contains("leave -o out to write to stdout"),
        "{failed}"
    );
}

#[tokio::test]
async fn an_export_that_is_stopped_leaves_nothing() {
    let place = place().await;
    // Never gives its first row, since it is never done with sorting.
    let endless = "DROP VIEW credits_by_day; CREATE VIEW credits_by_day AS
        WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n)
        SELECT date(n % 9999, 'unixepoch') AS day, n AS attempts, n AS credits FROM n";
    change(&place, endless).await;
    let running = place.start("export credits_by_day -o credits.csv");
    until("it has begun its file", || !files(&place).is_empty());
    let ended = running.stop(Signal::INT).expect_code(3);
    assert!(ended.stderr.contains("credits.csv was not written"), "{ended}");
    assert_eq!(files(&place), Vec::<String>::new());
}

#[rstest]
#[case(
    "export trend_histroy --format csv",
    "a similar value exists: 'trend_history'"
)]
#[case("export trend_history", "say --format csv, jsonl or parquet")]
#[case("export trend_history -o trend.xlsx", "say --format csv, jsonl or parquet")]
#[case(
    "export credits_by_day --format csv --clip 6703723351497508865",
    "--clip: credits_by_day has no column clip_id"
)]
#[case(
    "export credits_by_day --format csv --region US",
    "--region: credits_by_day has no column region"
)]
#[case(
    "export freshness --format csv --since 2026-02-01",
    "--since: freshness has no day that its rows belong to"
)]
#[case(
    "export gaps --format csv --since 2026-02-02 --until 2026-02-01",
    "--since is after --until"
)]
#[case("export gaps --format csv --since 1.2.2026", "write a day as 2026-02-01")]
#[case("export gaps --format csv --region USA", "region code of two letters")]
#[case("export gaps --format csv --clip 12", "a clip ID has 15 to 20")]
#[case("export gaps --format csv --json", "say --format jsonl for rows as JSON")]
#[tokio::test]
async fn what_cannot_be_is_said_before_anything_is_written(#[case] command: &str, #[case] message: &str) {
    let place = place().await;
    let refused = place.run(command).expect_code(2);
    assert!(refused.stderr.contains(message), "{refused}");
    // With --json what was wrong is a document there; rows are not.
    let document = command.ends_with("--json");
    assert_eq!(refused.stdout.is_empty(), !document, "{refused}");
    assert!(!refused.stdout.contains("clip_id"), "{refused}");
    assert_eq!(files(&place), Vec::<String>::new());
}

#[tokio::test]
async fn a_reader_who_has_had_enough_is_no_failure() {
    let place = place().await;
    let many = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000)
        INSERT INTO trend_points (snapshot_id, time, value) SELECT 1, n * 86400, 0.5 FROM n";
    change(&place, many).await;
    for format in ["csv", "jsonl", "parquet"] {
        let mut running = place.start(&format!("export trend_history --format {format}"));
        drop(running.stdout());
        let ended = running.end().expect_code(0);
        assert_eq!(ended.stderr, "", "{format}");
    }
}
