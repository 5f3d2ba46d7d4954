//! The workers: who is collecting, and who has fallen silent.

use super::{Store, StoreError, execute, rows};

/// A worker that has been silent for so long has lost its claims (seconds).
pub const SILENT_AFTER: i64 = 20;

/// How the ID of a worker begins that reads kept answers again instead of collecting.
pub const REPARSES: &str = "reparse-";

/// One running daemon or command that collects, or reads kept answers again.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Worker {
    /// Unique among all workers that ever were.
    pub id: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: i64,
    /// Of soundwatch.
    pub version: String,
    /// Unix seconds.
    pub started_at: i64,
    /// Unix seconds.
    pub heartbeat_at: i64,
}

impl Worker {
    /// Whether it reads kept answers again: then nobody collects beside it.
    pub fn reparses(&self) -> bool {
        self.id.starts_with(REPARSES)
    }
}

impl Store {
    /// Enters a worker. On SQLite the lock file has made sure that it is the only one, so that
    /// what is left of a former process is taken over at once.
    pub async fn enter(&self, worker: &Worker) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if matches!(self, Self::Sqlite { .. }) {
            execute!(&mut tx, "DELETE FROM workers")?;
        }
        execute!(
            &mut tx,
            "INSERT INTO workers (id, host, pid, version, started_at, heartbeat_at)
            VALUES ($1, $2, $3, $4, $5, $5)",
            &worker.id,
            &worker.host,
            worker.pid,
            &worker.version,
            worker.started_at
        )?;
        tx.commit().await
    }

    /// Says that a worker is alive, and forgets those that have been silent for a day. Gives how many
    /// are alive, this one included.
    pub async fn heartbeat(&self, worker: &Worker, now: i64) -> Result<usize, StoreError> {
        let mut tx = self.begin().await?;
        execute!(
            &mut tx,
            "INSERT INTO workers (id, host, pid, version, started_at, heartbeat_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (id) DO UPDATE SET heartbeat_at = excluded.heartbeat_at",
            &worker.id,
            &worker.host,
            worker.pid,
            &worker.version,
            worker.started_at,
            now
        )?;
        execute!(
            &mut tx,
            "DELETE FROM workers WHERE heartbeat_at < $1",
            now - crate::clock::DAY
        )?;
        let alive = rows!(
            &mut tx,
            "SELECT id FROM workers WHERE heartbeat_at >= $1",
            now - SILENT_AFTER
        )?;
        tx.commit().await?;
        Ok(alive.len())
    }

    /// Takes a worker out.
    pub async fn leave(&self, id: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        execute!(&mut tx, "DELETE FROM workers WHERE id = $1", id)?;
        tx.commit().await
    }

    /// The workers that are alive at `now`, oldest first.
    pub async fn workers(&self, now: i64) -> Result<Vec<Worker>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT id, host, pid, version, started_at, heartbeat_at
            FROM workers
            WHERE heartbeat_at >= $1
            ORDER BY started_at, id",
            now - SILENT_AFTER
        )?;
        rows.iter()
            .map(|row| {
                Ok(Worker {
                    id: row.get("id")?,
                    host: row.get("host")?,
                    pid: row.get("pid")?,
                    version: row.get("version")?,
                    started_at: row.get("started_at")?,
                    heartbeat_at: row.get("heartbeat_at")?,
                })
            })
            .collect()
    }
}
