//! Databases on the temporary Postgres that `scripts/with-postgres` starts: starting a server for
//! each test would take longer than the tests.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::{Backend, Keeps, Rows, TestDatabase};

/// A new, empty database on the test server.
pub async fn database() -> TestDatabase {
    let server = server();
    let name = name_of_its_own("t");
    on_server(&server, format!("CREATE DATABASE {name}"))
        .await
        .unwrap();
    let (start, _) = server
        .rsplit_once('/')
        .expect("the URL ends with the name of a database");
    TestDatabase {
        url: format!("{start}/{name}"),
        backend: Backend::Postgres,
        _keeps: Keeps::Postgres {
            _database: Database { server, name },
        },
    }
}

/// A name that no other test has. Random numbers alone are not enough: they are seeded with the time, and
/// two processes can start in the same instant of a coarse clock.
pub fn name_of_its_own(kind: &str) -> String {
    format!("{kind}_{}_{:016x}", std::process::id(), fastrand::u64(..))
}

#[allow(
    clippy::disallowed_methods,
    reason = "the test server is told to tests by the script that starts it"
)]
fn server() -> String {
    std::env::var("SOUNDWATCH_TEST_POSTGRES").unwrap_or_else(|_| {
        panic!(
            "this test needs a Postgres: run scripts/test, or \
             scripts/with-postgres cargo test (or cargo nextest run)"
        )
    })
}

/// Runs a statement on the server, beside the databases of tests.
pub async fn on_the_server(sql: &str) {
    let done = on_server(&server(), sql.to_owned()).await;
    done.unwrap_or_else(|e| panic!("{sql}: {e}"));
}

async fn on_server(server: &str, sql: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(server).await?;
    connection.execute(AssertSqlSafe(sql)).await?;
    connection.close().await
}

/// Dropped with the test, also a failed one: a run makes hundreds of databases of 8 MB.
pub struct Database {
    server: String,
    name: String,
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let server = self.server.clone();
        // The test's own runtime can't be waited for from here.
        let dropped = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map(|runtime| runtime.block_on(on_server(&server, drop)))
        });
        if !matches!(dropped.join(), Ok(Ok(Ok(())))) {
            eprintln!("the test database {} was not dropped", self.name);
        }
    }
}

pub(super) async fn rows(connection: &mut PgConnection, sql: &str) -> Result<Rows, sqlx::Error> {
    use sqlx::{Column, Row, SqlSafeStr, Statement, ValueRef};

    let statement = connection
        .prepare(AssertSqlSafe(sql.to_owned()).into_sql_str())
        .await?;
    let columns = statement.columns().iter().map(|c| c.name().to_owned()).collect();
    let mut rows = Vec::new();
    // Without parameters the server sends texts, whatever the type.
    for row in connection
        .fetch_all(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await?
    {
        let text = |i: usize| -> Result<Option<String>, sqlx::Error> {
            let value = row.try_get_raw(i)?;
            if value.is_null() {
                return Ok(None);
            }
            let text = value.as_str().map_err(sqlx::Error::Decode)?;
            Ok(Some(text.to_owned()))
        };
        rows.push((0..row.len()).map(text).collect::<Result<_, _>>()?);
    }
    Ok(Rows { columns, rows })
}
