//! What can go wrong with a database, named by what the caller does about it.

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be opened.
    #[error("cannot open {database}: {cause}\n  help: {help}")]
    Open {
        /// Its name for people, such as "the Postgres database".
        database: String,
        /// Why not.
        cause: String,
        /// What to do about it.
        help: &'static str,
    },
    /// There is no SQLite file of that name.
    #[error(
        "there is no database at {0}\n  help: `soundwatch db migrate` makes it; `run` and `collect` do so by themselves"
    )]
    Missing(String),
    /// The tables are older than this binary.
    #[error(
        "the database is at migration {found} and this soundwatch needs {needed}\n  help: run `soundwatch db migrate`"
    )]
    Outdated {
        /// The newest migration that has been applied.
        found: i64,
        /// The newest that this binary has.
        needed: i64,
    },
    /// The tables are newer than this binary.
    #[error(
        "the database is at migration {found}, which this soundwatch ({needed}) does not know\n  help: install the soundwatch that made it, or a newer one"
    )]
    Newer {
        /// The newest migration that has been applied.
        found: i64,
        /// The newest that this binary has.
        needed: i64,
    },
    /// An applied migration is not the one that this binary has.
    #[error(
        "migration {0} of the database is not the one of this soundwatch: one of them was edited\n  help: install the soundwatch that made the database; migrations are never edited"
    )]
    Edited(i64),
    /// Something in the database cannot be read as what it should be.
    #[error("the database holds something unexpected: {0}")]
    Unreadable(String),
    /// The database said no, or did not answer.
    #[error("the database failed: {0}{mend}", mend = mend(.0))]
    Failed(#[from] sqlx::Error),
}

impl StoreError {
    pub(crate) fn open(database: &str, cause: sqlx::Error) -> Self {
        Self::Open {
            database: database.to_owned(),
            help: help(&cause),
            cause: match cause {
                // Its own words name the crate's settings.
                sqlx::Error::PoolTimedOut => "it does not answer".to_owned(),
                sqlx::Error::Io(error) => error.to_string(),
                sqlx::Error::Database(error) => error.message().to_owned(),
                other => other.to_string(),
            },
        }
    }

    /// The database refuses what is to be written, and always will, however healthy it is.
    pub fn is_refusal(&self) -> bool {
        let Self::Failed(sqlx::Error::Database(error)) = self else {
            return matches!(self, Self::Unreadable(_));
        };
        let code = error.code().unwrap_or_default();
        // Postgres: data exceptions and violated constraints. SQLite: a constraint and its kinds, but
        // for the one that a trigger raises.
        let sqlite = code
            .parse::<u32>()
            .is_ok_and(|code| code < 10_000 && code & 0xff == 19 && code != 1_811);
        sqlite || (code.len() == 5 && (code.starts_with("22") || code.starts_with("23")))
    }

    /// There is nothing there yet: no file, or no tables.
    pub fn is_empty_place(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::Outdated { found: 0, .. })
    }

    /// Two transactions were in each other's way: the same again may well succeed.
    pub fn is_conflict(&self) -> bool {
        let Self::Failed(sqlx::Error::Database(error)) = self else {
            return false;
        };
        // Serialization failure and deadlock on Postgres; busy and locked on SQLite.
        matches!(
            error.code().as_deref(),
            Some("40001" | "40P01" | "5" | "6" | "261" | "517")
        )
    }
}

/// What to do about a database that cannot be opened.
fn help(cause: &sqlx::Error) -> &'static str {
    let code = match cause {
        sqlx::Error::Database(error) => error.code().unwrap_or_default(),
        _ => "".into(),
    };
    match (cause, code.as_ref()) {
        (sqlx::Error::Tls(_), _) => {
            "mend the server's certificate, or say in database.url what is wanted: ?sslmode=…"
        }
        (sqlx::Error::Configuration(_), _) => "mend database.url; config.toml.example shows what it may be",
        (_, "28P01" | "28000") => "mend user and password in database.url, or let them in with pg_hba.conf",
        (_, "3D000") => "make the database with createdb, or name another one in database.url",
        (_, "53300") => "end other connections, or raise max_connections of the server",
        (_, "14") => {
            "let this user write to the file and to its folder, or name another place in database.url"
        }
        (_, "26") => "this file is something else: name another one in database.url",
        _ => {
            "see that it runs and that this machine reaches it, and that host, port and name in database.url are right"
        }
    }
}

/// What to do when a database is gone that was there.
fn mend(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut => {
            "\n  help: see that it runs and that this machine reaches it; `soundwatch check` tries"
        }
        _ => "",
    }
}
