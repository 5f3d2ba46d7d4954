//! What can go wrong with a database, named by what the caller does about it.

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be opened.
    #[error("cannot open the {database} database: {cause}")]
    Open {
        /// Its name for people.
        database: String,
        /// Why not.
        cause: String,
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
    #[error("the database failed: {0}")]
    Failed(#[from] sqlx::Error),
}

impl StoreError {
    pub(crate) fn open(database: &str, cause: sqlx::Error) -> Self {
        Self::Open {
            database: database.to_owned(),
            cause: cause.to_string(),
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
