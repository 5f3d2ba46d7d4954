//! Databases for tests: each one fresh, its own, and gone at the end.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "every test file is a crate of its own and uses a part of this"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a helper that can't do its work fails the test that called it"
)]

pub mod api;
pub mod ledger;
pub mod postgres;
pub mod program;
pub mod simulated;
pub mod site;

use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

/// The databases that every store test runs on; a `#[values]` or `#[case]` of rstest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    pub const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// An empty database without any tables.
    pub async fn fresh(self) -> TestDatabase {
        match self {
            Self::Sqlite => sqlite(),
            Self::Postgres => postgres::database().await,
        }
    }

    /// The migration files of this database, in the order in which they are applied.
    pub fn migrations(self) -> Vec<PathBuf> {
        let folder = match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("migrations")
            .join(folder);
        let mut files: Vec<_> = folder
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
    }
}

/// A database that lives as long as this value.
pub struct TestDatabase {
    /// What belongs into `database.url`.
    pub url: String,
    pub backend: Backend,
    _keeps: Keeps,
}

enum Keeps {
    Folder { _folder: tempfile::TempDir },
    Postgres { _database: postgres::Database },
}

/// A new SQLite file in a folder of its own.
pub fn sqlite() -> TestDatabase {
    let folder = tempfile::tempdir().unwrap();
    TestDatabase {
        url: format!("sqlite:{}", folder.path().join("test.db").display()),
        backend: Backend::Sqlite,
        _keeps: Keeps::Folder { _folder: folder },
    }
}

impl TestDatabase {
    /// A connection for looking at what the program has done, with plain SQL.
    pub async fn connect(&self) -> TestConnection {
        match self.backend {
            Backend::Sqlite => {
                let url = format!("{}?mode=rwc", self.url);
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                // Test data need not survive this machine, only the test.
                let pragma = sqlx::raw_sql("PRAGMA synchronous = OFF");
                pragma.execute(&mut connection).await.unwrap();
                TestConnection::Sqlite(connection)
            }
            Backend::Postgres => TestConnection::Postgres(PgConnection::connect(&self.url).await.unwrap()),
        }
    }

    /// A connection to this database after all migrations.
    pub async fn migrated(&self) -> TestConnection {
        let mut connection = self.connect().await;
        for file in self.backend.migrations() {
            let text = std::fs::read_to_string(&file).unwrap();
            if let Err(error) = connection.execute(&text).await {
                panic!("{}: {error}", file.display());
            }
        }
        connection
    }
}

/// One connection to either database.
pub enum TestConnection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// What a query gave, every value as the database writes it; NULL is `None`.
#[derive(Debug, PartialEq, Eq)]
pub struct Rows {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Option<String>>>,
}

impl TestConnection {
    /// Any number of statements, without parameters.
    pub async fn execute(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self {
            Self::Sqlite(connection) => sql.execute(connection).await.map(drop),
            Self::Postgres(connection) => sql.execute(connection).await.map(drop),
        }
    }

    /// One query. Both databases are made to give texts, so that the same test reads both.
    pub async fn query(&mut self, sql: &str) -> Result<Rows, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => sqlite_rows(connection, sql).await,
            Self::Postgres(connection) => postgres::rows(connection, sql).await,
        }
    }

    /// The first column of a query's rows, NULL as an empty text.
    pub async fn column(&mut self, sql: &str) -> Vec<String> {
        let rows = self.query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        let first = |mut row: Vec<Option<String>>| row.swap_remove(0).unwrap_or_default();
        rows.rows.into_iter().map(first).collect()
    }
}

async fn sqlite_rows(connection: &mut SqliteConnection, sql: &str) -> Result<Rows, sqlx::Error> {
    use sqlx::{Column, Executor, Row, SqlSafeStr, Statement, TypeInfo, ValueRef};

    let statement = connection
        .prepare(AssertSqlSafe(sql.to_owned()).into_sql_str())
        .await?;
    let columns = statement.columns().iter().map(|c| c.name().to_owned()).collect();
    let mut rows = Vec::new();
    for row in statement.query().fetch_all(connection).await? {
        let text = |i: usize| -> Result<Option<String>, sqlx::Error> {
            let value = row.try_get_raw(i)?;
            if value.is_null() {
                return Ok(None);
            }
            Ok(match value.type_info().name() {
                "REAL" => Some(row.try_get::<f64, _>(i)?.to_string()),
                "TEXT" => Some(row.try_get(i)?),
                "BLOB" => Some(hex::encode(row.try_get::<Vec<u8>, _>(i)?)),
                _ => Some(row.try_get_unchecked::<i64, _>(i)?.to_string()),
            })
        };
        rows.push((0..row.len()).map(text).collect::<Result<_, _>>()?);
    }
    Ok(Rows { columns, rows })
}

/// What a user finds in a migrated database, sorted; nothing of sqlx's own.
pub async fn tables_and_views(connection: &mut TestConnection) -> Vec<String> {
    let sql = match connection {
        TestConnection::Sqlite(_) => {
            "SELECT name FROM sqlite_schema \
             WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_sqlx%' ESCAPE '\\' \
             ORDER BY name"
        }
        TestConnection::Postgres(_) => {
            "SELECT table_name FROM information_schema.tables \
             WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%' ORDER BY table_name COLLATE \"C\""
        }
    };
    connection.column(sql).await
}
