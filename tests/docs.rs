//! `docs/sql.md` says what the database holds: every column, and queries with their results. Here
//! each of its promises is held against both databases.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests end by panicking"
)]

mod common;

use common::simulated::simulated;
use common::{Backend, Rows, TestConnection};

const PAGE: &str = include_str!("../docs/sql.md");
const HISTORY: &str = include_str!("data/history.sql");

/// A query of the page: `<!-- query: both -->` (or `sqlite`, `postgres`) stands above its block, and
/// the table after it is its result on `tests/data/history.sql`; with `, simulated` in the marker on what
/// was collected from the simulated API.
struct Query {
    title: String,
    marker: String,
    simulated: bool,
    sql: String,
    result: String,
}

fn queries() -> Vec<Query> {
    let mut title = "";
    let mut lines = PAGE.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        title = line.strip_prefix("### ").unwrap_or(title);
        let Some(marker) = line.strip_prefix("<!-- query: ") else {
            continue;
        };
        assert_eq!(lines.next(), Some("```sql"), "after the marker of {title:?}");
        let sql: Vec<_> = lines.by_ref().take_while(|l| *l != "```").collect();
        let table = |l: &&str| l.starts_with('|');
        let result: Vec<_> = lines
            .clone()
            .skip_while(|l| l.is_empty())
            .take_while(table)
            .collect();
        let marker = marker.trim_end_matches(" -->");
        found.push(Query {
            title: title.to_owned(),
            marker: marker.trim_end_matches(", simulated").to_owned(),
            simulated: marker.ends_with(", simulated"),
            sql: sql.join("\n"),
            result: result.join("\n"),
        });
    }
    found
}

fn markdown(rows: &Rows) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(rows.columns.clone());
    text += &format!("|{}\n", "---|".repeat(rows.columns.len()));
    for row in &rows.rows {
        text += &line(row.iter().map(|v| v.clone().unwrap_or_default()).collect());
    }
    text.trim_end().to_owned()
}

/// Postgres writes `t`, `2026-02-03 06:15:01+00` and `1.50` for what SQLite writes as `1`,
/// `2026-02-03 06:15:01` and `1.5`.
fn as_sqlite_writes(mut rows: Rows) -> Rows {
    for value in rows.rows.iter_mut().flatten().flatten() {
        match value.as_str() {
            "t" => *value = "1".to_owned(),
            "f" => *value = "0".to_owned(),
            instant if instant.len() == 22 && instant.ends_with("+00") => value.truncate(19),
            number if number.contains('.') => {
                if let Ok(number) = number.parse::<f64>() {
                    *value = number.to_string();
                }
            }
            _ => {}
        }
    }
    rows
}

#[rstest::rstest]
#[tokio::test]
async fn every_query_runs_unchanged_and_gives_what_the_page_shows(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = backend.fresh().await;
    let mut connection = database.migrated().await;
    connection.execute(HISTORY).await.unwrap();
    hold_queries(&mut connection, backend, false).await;
}

#[rstest::rstest]
#[tokio::test]
async fn every_recipe_runs_unchanged_and_gives_what_the_page_shows(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let ledger = simulated(backend).await;
    let mut connection = ledger.database.connect().await;
    hold_queries(&mut connection, backend, true).await;
    ledger.end().await;
}

async fn hold_queries(connection: &mut TestConnection, backend: Backend, simulated: bool) {
    let own_marker = format!("{backend:?}").to_lowercase();
    let mut ran = 0;
    let mut wrong = String::new();
    for query in queries() {
        let (title, marker) = (&query.title, query.marker.as_str());
        assert!(
            ["both", "sqlite", "postgres"].contains(&marker),
            "{title}: {marker}"
        );
        if query.simulated != simulated || (marker != "both" && marker != own_marker) {
            continue;
        }
        let rows = connection
            .query(&query.sql)
            .await
            .unwrap_or_else(|e| panic!("{title}: {e}"));
        let none = rows.rows.is_empty();
        let got = markdown(&as_sqlite_writes(rows));
        if none || got != query.result {
            wrong += &format!("\n{title} gives\n\n{got}\n");
        }
        ran += 1;
    }
    assert!(ran >= 6, "only {ran} queries");
    assert!(
        wrong.is_empty(),
        "not what docs/sql.md shows, on {backend:?}:\n{wrong}"
    );
}

/// The sections of tables and views: `#### name` and a table whose first cells are the columns.
fn documented_columns(name: &str) -> Vec<String> {
    let heading = format!("\n#### {name}\n");
    let (_, section) = PAGE
        .split_once(&heading)
        .unwrap_or_else(|| panic!("docs/sql.md has no section {name}"));
    let section = section.split("\n#").next().unwrap();
    section
        .lines()
        .skip_while(|line| !line.starts_with("| column |"))
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next())
        .map(str::to_owned)
        .collect()
}

#[rstest::rstest]
#[tokio::test]
async fn every_table_view_and_column_is_described(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = backend.fresh().await;
    let mut connection = database.migrated().await;
    let names = common::tables_and_views(&mut connection).await;
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let columns = connection
            .query(&format!("SELECT * FROM {name}"))
            .await
            .unwrap()
            .columns;
        assert_eq!(
            columns,
            documented_columns(&name),
            "{name}: the database, then docs/sql.md"
        );
    }
}

#[test]
fn every_word_in_the_tables_is_explained() {
    let words = include_str!("../src/model/outcome.rs")
        .split("=> \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    let mut count = 0;
    for word in words {
        assert!(
            PAGE.contains(&format!("| `{word}` |")),
            "docs/sql.md does not explain {word}"
        );
        count += 1;
    }
    assert!(count > 30, "only {count} words found in src/model/outcome.rs");
}
