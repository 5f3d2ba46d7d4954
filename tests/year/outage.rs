//! Ways in which a database is away for a while.

use fastrand::Rng;

use crate::common::Backend;
use crate::common::ledger::Ledger;

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// It takes no new rows of this table, as if the disk were full.
    Full(Backend, &'static str),
    /// All connections of Postgres break.
    Disconnected,
}

impl Kind {
    pub fn any(backend: Backend, rng: &mut Rng) -> Self {
        if backend == Backend::Postgres && rng.bool() {
            return Self::Disconnected;
        }
        Self::Full(backend, ["snapshots", "attempts", "payloads"][rng.usize(0..3)])
    }

    pub async fn begin(self, ledger: &Ledger) {
        let sql = match self {
            Self::Full(Backend::Sqlite, table) => format!(
                "CREATE TRIGGER full_up BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'full'); END"
            ),
            Self::Full(Backend::Postgres, table) => format!(
                "CREATE FUNCTION full_up() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'; END $$;
                CREATE TRIGGER full_up BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION full_up()"
            ),
            Self::Disconnected => "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()"
                .to_owned(),
        };
        ledger.execute(&sql).await;
    }

    pub async fn end(self, ledger: &Ledger) {
        let sql = match self {
            Self::Full(Backend::Sqlite, _) => "DROP TRIGGER full_up",
            Self::Full(Backend::Postgres, _) => "DROP FUNCTION full_up CASCADE",
            Self::Disconnected => return,
        };
        ledger.execute(sql).await;
    }
}
