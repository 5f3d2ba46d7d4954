//! Migrations: files that are part of the binary, in a folder for each database.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::{Store, StoreError, rows};

macro_rules! migrations {
    ($folder:literal) => {
        [
            (
                "tables",
                include_str!(concat!("../../migrations/", $folder, "/0001_tables.sql")),
            ),
            (
                "views",
                include_str!(concat!("../../migrations/", $folder, "/0002_views.sql")),
            ),
            (
                "gaps",
                include_str!(concat!("../../migrations/", $folder, "/0003_gaps.sql")),
            ),
            (
                "charts",
                include_str!(concat!("../../migrations/", $folder, "/0004_charts.sql")),
            ),
            (
                "alerts",
                include_str!(concat!("../../migrations/", $folder, "/0005_alerts.sql")),
            ),
            (
                "index",
                include_str!(concat!("../../migrations/", $folder, "/0006_index.sql")),
            ),
            (
                "indexes",
                include_str!(concat!("../../migrations/", $folder, "/0007_indexes.sql")),
            ),
            (
                "index summary",
                include_str!(concat!("../../migrations/", $folder, "/0008_index_summary.sql")),
            ),
        ]
    };
}

const SQLITE: [(&str, &str); 8] = migrations!("sqlite");
const POSTGRES: [(&str, &str); 8] = migrations!("postgres");

/// The newest migration that this binary has.
pub const NEWEST: i64 = SQLITE.len() as i64;

fn migrator(files: &'static [(&str, &str)]) -> Migrator {
    let migration = |(version, (name, sql)): (i64, &(&'static str, &'static str))| {
        Migration::new(
            version,
            Cow::Borrowed(*name),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    };
    Migrator::with_migrations((1..).zip(files).map(migration).collect())
}

impl Store {
    /// Brings the tables up to this binary; does nothing when they are.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let found = self.migration().await?;
        if found > NEWEST {
            return Err(StoreError::Newer {
                found,
                needed: NEWEST,
            });
        }
        let done = match self {
            Self::Sqlite { write, .. } => migrator(&SQLITE).run(write).await,
            Self::Postgres(pool) => migrator(&POSTGRES).run(pool).await,
        };
        done.map_err(|error| match error {
            MigrateError::VersionMismatch(version) => StoreError::Edited(version),
            MigrateError::VersionMissing(found) => StoreError::Newer {
                found,
                needed: NEWEST,
            },
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            other => StoreError::Unreadable(other.to_string()),
        })
    }

    /// Refuses a database whose tables are not those of this binary, without changing it.
    pub async fn require_migrated(&self) -> Result<(), StoreError> {
        match self.migration().await? {
            found if found < NEWEST => Err(StoreError::Outdated {
                found,
                needed: NEWEST,
            }),
            found if found > NEWEST => Err(StoreError::Newer {
                found,
                needed: NEWEST,
            }),
            _ => self.require_unedited().await,
        }
    }

    async fn require_unedited(&self) -> Result<(), StoreError> {
        let mut tx = self.read().await?;
        let known = match &tx {
            super::Tx::Sqlite(_) => migrator(&SQLITE),
            super::Tx::Postgres(_) => migrator(&POSTGRES),
        };
        let applied = rows!(
            &mut tx,
            "SELECT version, checksum FROM _sqlx_migrations ORDER BY version"
        )?;
        for (migration, row) in known.iter().zip(&applied) {
            let checksum: Vec<u8> = row.get("checksum")?;
            if checksum != *migration.checksum {
                return Err(StoreError::Edited(migration.version));
            }
        }
        Ok(())
    }

    /// The newest migration that has been applied; 0 for an empty database.
    pub async fn migration(&self) -> Result<i64, StoreError> {
        let mut tx = self.read().await?;
        let known = match &tx {
            super::Tx::Sqlite(_) => "SELECT name FROM sqlite_master WHERE name = '_sqlx_migrations'",
            super::Tx::Postgres(_) => {
                "SELECT relname FROM pg_class WHERE oid = to_regclass('_sqlx_migrations')"
            }
        };
        if rows!(&mut tx, known)?.is_empty() {
            return Ok(0);
        }
        let newest = rows!(
            &mut tx,
            "SELECT coalesce(max(version), 0) AS version FROM _sqlx_migrations"
        )?;
        newest.first().map_or(Ok(0), |row| row.get("version"))
    }
}
