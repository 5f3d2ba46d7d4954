//! The database itself: migrations, what is refused, what `check` finds, and that a settlement is
//! whole or not at all.

#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use common::Backend;
use common::api::{Call, Reply};
use common::ledger::{DAY, Ledger, MINUTE, pass};
use rstest::rstest;
use soundwatch::collect::{PassError, Stop, Wanted};
use soundwatch::store::migrate::NEWEST;
use soundwatch::store::{Missing, Store, StoreError};

async fn open(ledger: &Ledger) -> Store {
    ledger.store().await
}

#[rstest]
#[tokio::test]
async fn migrating_twice_is_fine(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let ledger = Ledger::steady(backend, 1).await;
    let store = open(&ledger).await;
    assert_eq!(store.migration().await.unwrap(), 0);
    store.migrate().await.unwrap();
    ledger.pass().await;
    store.migrate().await.unwrap();
    store.require_migrated().await.unwrap();
    assert_eq!(store.migration().await.unwrap(), NEWEST);
    store.close().await;
    assert_eq!(ledger.fetches().await, ["1 0 stored -"]);
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn two_that_migrate_at_once_do_it_once() {
    let ledger = Ledger::steady(Backend::Postgres, 0).await;
    let (one, two) = (open(&ledger).await, open(&ledger).await);
    let (first, second) = tokio::join!(one.migrate(), two.migrate());
    first.unwrap();
    second.unwrap();
    one.close().await;
    two.close().await;
    ledger.end().await;
}

/// People build views on ours.
#[rstest]
#[tokio::test]
async fn migrations_keep_the_views_that_others_use() {
    let ledger = Ledger::steady(Backend::Postgres, 0).await;
    ledger
        .execute(include_str!("../migrations/postgres/0001_tables.sql"))
        .await;
    ledger
        .execute(include_str!("../migrations/postgres/0002_views.sql"))
        .await;
    ledger.execute("CREATE VIEW mine AS SELECT * FROM gaps").await;
    ledger
        .execute(include_str!("../migrations/postgres/0003_gaps.sql"))
        .await;
    ledger
        .execute("CREATE VIEW costs AS SELECT * FROM credits_by_day")
        .await;
    ledger
        .execute(include_str!("../migrations/postgres/0004_charts.sql"))
        .await;
    assert_eq!(ledger.value("SELECT count(*) FROM mine").await, "0");
    assert_eq!(ledger.value("SELECT count(*) FROM costs").await, "0");
    ledger
        .execute("CREATE VIEW my_index AS SELECT * FROM sound_index; CREATE VIEW my_log AS SELECT * FROM fetch_log")
        .await;
    ledger
        .execute(include_str!("../migrations/postgres/0006_index.sql"))
        .await;
    assert_eq!(ledger.value("SELECT count(*) FROM my_index").await, "0");
    assert_eq!(ledger.value("SELECT count(*) FROM my_log").await, "0");
    ledger
        .execute(include_str!("../migrations/postgres/0008_index_summary.sql"))
        .await;
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn a_newer_database_is_refused_and_left_alone(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = Ledger::steady(backend, 0).await;
    ledger.pass().await;
    let next = NEWEST + 1;
    ledger
        .execute(&format!(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            SELECT {next}, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1"
        ))
        .await;
    let store = open(&ledger).await;
    let expected = format!(
        "the database is at migration {next}, which this soundwatch ({NEWEST}) does not know\n  \
         help: install the soundwatch that made it, or a newer one"
    );
    assert_eq!(store.migrate().await.unwrap_err().to_string(), expected);
    assert_eq!(store.require_migrated().await.unwrap_err().to_string(), expected);
    store.close().await;
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn an_edited_migration_is_refused(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let ledger = Ledger::steady(backend, 0).await;
    ledger.pass().await;
    let other =
        "UPDATE _sqlx_migrations SET checksum = (SELECT checksum FROM _sqlx_migrations WHERE version = 2)
        WHERE version = 1";
    ledger.execute(other).await;
    let store = open(&ledger).await;
    let expected = "migration 1 of the database is not the one of this soundwatch: one of them was edited\n  \
        help: install the soundwatch that made the database; migrations are never edited";
    assert_eq!(store.migrate().await.unwrap_err().to_string(), expected);
    assert_eq!(store.require_migrated().await.unwrap_err().to_string(), expected);
    store.close().await;
    ledger.end().await;
}

#[rstest]
#[tokio::test]
async fn reading_an_empty_or_old_database_says_what_to_do(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = Ledger::steady(backend, 0).await;
    let store = open(&ledger).await;
    let outdated = |found: i64| {
        format!(
            "the database is at migration {found} and this soundwatch needs {NEWEST}\n  \
             help: run `soundwatch db migrate`"
        )
    };
    assert_eq!(
        store.require_migrated().await.unwrap_err().to_string(),
        outdated(0)
    );
    assert_eq!(store.migration().await.unwrap(), 0, "nothing was made");
    store.migrate().await.unwrap();
    ledger
        .execute(&format!("DELETE FROM _sqlx_migrations WHERE version = {NEWEST}"))
        .await;
    assert_eq!(
        store.require_migrated().await.unwrap_err().to_string(),
        outdated(NEWEST - 1)
    );
    store.close().await;
    ledger.end().await;
}

#[tokio::test]
async fn a_sqlite_file_that_is_not_there_is_not_made_by_reading() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("none.db");
    let error = Store::open(&format!("sqlite:{}", file.display()), Missing::Refuse).await;
    let expected = format!(
        "there is no database at {}\n  help: `soundwatch db migrate` makes it; \
         `run` and `collect` do so by themselves",
        file.display()
    );
    assert_eq!(error.unwrap_err().to_string(), expected);
    assert!(!file.exists());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "watch New Sun ".repeat(1_000)).unwrap();
    let error = Store::open(&format!("sqlite:{}", file.display()), Missing::Create).await;
    assert!(matches!(error, Err(StoreError::Open { .. })), "{error:?}");
}

/// Whatever of a settlement fails, nothing of it stays in the database; the answers wait, and are
/// settled later without being asked for again: by the same process, or by the next one.
#[rstest]
#[case::the_payload("payloads")]
#[case::the_snapshot("snapshots")]
#[case::its_rows("trend_points")]
#[case::the_last_rows("related_items")]
#[case::the_sound("sounds")]
#[case::what_is_unknown("unknown_fields")]
#[tokio::test]
async fn a_settlement_is_whole_or_not_at_all(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] table: &str,
    #[values(true, false)] same_process: bool,
) {
    let script = |c: &Call| {
        let mut body = common::api::answer(&c.clip, &c.region, &[1.0]);
        body["data"]["sound"]["related_items"] = serde_json::json!([{"item_id": 1}]);
        body["data"]["sound"]["new"] = serde_json::json!(1);
        Reply::json(&body)
    };
    let ledger = Ledger::new(backend, 3, script).await;
    let session = ledger.session().await;
    ledger
        .execute(&format!("ALTER TABLE {table} RENAME TO away"))
        .await;
    let stop = Stop::new().1;
    let failed = session.collector.pass(Wanted::Due, &stop, &|_| {}).await;
    assert!(
        matches!(failed, Err(PassError::Store(StoreError::Failed(_)))),
        "{failed:?}"
    );
    ledger
        .execute(&format!("ALTER TABLE away RENAME TO {table}"))
        .await;
    for table in [
        "payloads",
        "snapshots",
        "trend_points",
        "related_items",
        "sounds",
        "unknown_fields",
    ] {
        let count = ledger.value(&format!("SELECT count(*) FROM {table}")).await;
        assert_eq!(count, "0", "{table}");
    }
    let asked = ledger.api.count();
    let sent = ledger.value("SELECT count(*) FROM attempts WHERE state = 'sent'");
    assert_eq!(sent.await, asked.to_string());
    assert_eq!(ledger.findings().await, []);
    ledger.advance(MINUTE);
    if same_process {
        pass(&session).await;
        session.close().await.unwrap();
    } else {
        session.collector.store.close().await;
        drop(session);
        ledger.pass().await;
    }
    assert_eq!(ledger.outcomes().await, ["stored - 3"]);
    assert_eq!(ledger.api.count(), 3, "what was answered is not asked again");
    let answered = "SELECT count(*) FROM attempts WHERE state = 'answered'";
    assert_eq!(ledger.value(answered).await, "3");
    assert_eq!(ledger.credits().await, 6);
    ledger.end().await;
}

/// When a claim fails, the requests that are under way were paid for: they end, and are settled.
#[rstest]
#[tokio::test]
async fn a_failed_claim_does_not_throw_away_what_is_under_way(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = Ledger::steady(backend, 30).await;
    let session = ledger.session().await;
    let fails = match backend {
        Backend::Sqlite => {
            "CREATE TRIGGER full_up BEFORE INSERT ON attempts WHEN (SELECT count(*) FROM attempts) >= 12
            BEGIN SELECT RAISE(ABORT, 'full'); END"
        }
        Backend::Postgres => {
            "CREATE FUNCTION full_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF (SELECT count(*) FROM attempts) >= 12 THEN RAISE EXCEPTION 'full'; END IF; RETURN NEW;
            END $$;
            CREATE TRIGGER full_up BEFORE INSERT ON attempts FOR EACH ROW EXECUTE FUNCTION full_up()"
        }
    };
    ledger.execute(fails).await;
    let stop = Stop::new().1;
    let failed = session.collector.pass(Wanted::Due, &stop, &|_| {}).await;
    assert!(failed.unwrap_err().to_string().contains("full"));
    let asked = ledger.api.count();
    assert!(asked > 0);
    let settled = "SELECT count(*) FROM attempts WHERE state = 'answered'";
    assert_eq!(ledger.value(settled).await, asked.to_string());
    assert_eq!(ledger.outcomes().await, [format!("stored - {asked}")]);
    session.close().await.unwrap();
    ledger.end().await;
}

#[rstest]
#[case::credits_gone("UPDATE credit_days SET credits = credits - 1", "credit_days equals")]
#[case::credits_from_nowhere("INSERT INTO credit_days (day, credits) VALUES (1, 2)", "credit_days equals")]
#[case::a_day_gone("DELETE FROM credit_days", "credit_days equals")]
#[case::a_snapshot_gone(
    "UPDATE fetches SET snapshot_id = NULL WHERE outcome = 'stored'",
    "a stored or confirmed fetch has a snapshot"
)]
#[case::points_gone("DELETE FROM trend_points", "a snapshot has trend points")]
#[case::a_confirmation_gone(
    "UPDATE snapshots SET confirmations = 0",
    "a snapshot has the fetch that stored it"
)]
#[case::never_stored(
    "UPDATE fetches SET outcome = 'no_data' WHERE outcome = 'stored'",
    "a snapshot has the fetch that stored it"
)]
#[case::an_attempt_gone("UPDATE attempts SET n = 2", "the attempts of a fetch are numbered")]
#[case::still_under_way(
    "UPDATE attempts SET state = 'sent', settled_at = NULL",
    "no attempt is under way for a fetch that is settled"
)]
#[tokio::test]
async fn check_finds_what_does_not_hold_together(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] damage: &str,
    #[case] rule: &str,
) {
    let ledger = Ledger::steady(backend, 1).await;
    ledger.pass().await;
    ledger.advance(DAY);
    ledger.pass().await;
    assert_eq!(ledger.findings().await, []);
    ledger.execute(damage).await;
    let findings = ledger.findings().await;
    assert!(
        findings.iter().any(|f| f.rule.starts_with(rule) && f.rows > 0),
        "{findings:?}"
    );
    ledger.abandon();
}

#[rstest]
#[tokio::test]
async fn check_finds_rows_that_refer_to_nothing_in_a_sqlite_file() {
    let ledger = Ledger::steady(Backend::Sqlite, 1).await;
    ledger.pass().await;
    ledger
        .execute("PRAGMA foreign_keys = OFF; DELETE FROM countries")
        .await;
    let findings = ledger.findings().await;
    assert_eq!(
        findings[0].rule,
        "every row of country_scores has the rows it refers to"
    );
    assert_eq!(findings[0].rows, 10);
    ledger.abandon();
}
