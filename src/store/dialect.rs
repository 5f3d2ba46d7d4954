//! What differs between the two databases beyond the text of a statement.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

use super::{Missing, Store, StoreError};
use crate::owner;

/// How long a statement waits for another process that writes.
const BUSY: Duration = Duration::from_secs(30);

/// Payloads of about 1.5 KB waste less of a page of 8 KiB than of one of 4 KiB.
const PAGE_SIZE: u32 = 8192;

/// Rows of a SELECT that wait for whoever reads them: with fewer, both threads take turns at every row.
const ROWS: usize = 1_024;

/// Statements that are kept prepared: a pass has some hundred, with each size of `VALUES`, and to prepare one
/// takes ten times as long as to run it.
const STATEMENTS: usize = 200;

/// The writer's memory for pages, in KiB as SQLite wants it said.
const CACHE: &str = "-4000";

/// Opens a SQLite file: write-ahead log, one writer (several only wait for each other and fail),
/// and every commit on disk before it counts, because what it holds was paid for.
pub(super) async fn open_sqlite(url: &str, missing: Missing) -> Result<Store, StoreError> {
    let options =
        SqliteConnectOptions::from_str(url).map_err(|e| StoreError::open("the SQLite database", e))?;
    let file = options.get_filename().to_owned();
    let name = format!("the database {}", file.display());
    if file.as_os_str() == ":memory:" || url.contains("mode=memory") {
        return Err(StoreError::Open {
            database: name,
            cause: "a database in memory keeps no history".to_owned(),
            help: "name a file: sqlite:soundwatch.db",
        });
    }
    if missing == Missing::Refuse && !file.exists() {
        return Err(StoreError::Missing(file.display().to_string()));
    }
    if missing == Missing::Create {
        make_for_owner(&file);
    }
    let options = options
        .create_if_missing(missing == Missing::Create)
        .page_size(PAGE_SIZE)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .row_buffer_size(ROWS)
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging();
    let write = pool(1)
        .acquire_timeout(BUSY)
        .connect_with(options.clone().pragma("cache_size", CACHE))
        .await
        .map_err(|e| StoreError::open(&name, e))?;
    let read = pool(4)
        .acquire_timeout(BUSY)
        .idle_timeout(Duration::from_secs(60))
        .connect_lazy_with(options.create_if_missing(false).pragma("query_only", "on"));
    Ok(Store::Sqlite { write, read })
}

/// Opens a SQLite file for reading alone: its writer is one more connection that cannot write.
pub(super) fn open_sqlite_reader(url: &str) -> Result<Store, StoreError> {
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|e| StoreError::open("SQLite", e))?
        .create_if_missing(false)
        .busy_timeout(BUSY)
        .row_buffer_size(ROWS)
        .disable_statement_logging()
        .pragma("query_only", "on");
    let visitors = |connections| {
        pool(connections)
            .acquire_timeout(Duration::from_secs(10))
            .idle_timeout(Duration::from_secs(60))
    };
    Ok(Store::Sqlite {
        write: visitors(1).connect_lazy_with(options.clone()),
        read: visitors(super::READERS).connect_lazy_with(options),
    })
}

/// A connection in a file needs no asking whether it is still there. But when the disk is full or fails,
/// SQLite ends a transaction by itself, and sqlx goes on counting it: every later one would fail, or read
/// an old state for ever. Such a connection is closed.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
}

/// Makes the file before SQLite does, which gives those beside it to the same owner. When this fails,
/// SQLite tells why.
fn make_for_owner(file: &Path) {
    if File::create_new(file).is_ok() {
        owner::give_to_owner_of_folder(file);
    }
}

/// The file of a SQLite URL; `None` for Postgres.
pub fn sqlite_file(url: &str) -> Option<PathBuf> {
    let options = SqliteConnectOptions::from_str(url)
        .ok()
        .filter(|_| url.starts_with("sqlite:"))?;
    Some(options.get_filename().to_owned())
}
