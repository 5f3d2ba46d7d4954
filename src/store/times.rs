//! The clocks beside this machine's: what the newest rows say, and the server of a Postgres.

use super::{Store, StoreError, Tx, rows};

impl Store {
    /// The newest instant that the database knows of, unix seconds; `None` when there is none yet. It
    /// has passed, if this machine's clock is right.
    pub async fn newest_instant(&self) -> Result<Option<i64>, StoreError> {
        let mut tx = self.read().await?;
        // By the numbers of the rows, which an index finds at once.
        let rows = rows!(
            &mut tx,
            "SELECT max(at) AS at
            FROM (
                SELECT (SELECT sent_at FROM attempts ORDER BY id DESC LIMIT 1) AS at
                UNION ALL
                SELECT (SELECT added_at FROM targets ORDER BY id DESC LIMIT 1)
                UNION ALL
                SELECT max(heartbeat_at) FROM workers
            ) AS instants"
        )?;
        rows.first().map_or(Ok(None), |row| row.get("at"))
    }

    /// What the clock of the database's server says, unix seconds; `None` for SQLite, which has none.
    pub async fn server_time(&self) -> Result<Option<i64>, StoreError> {
        let mut tx = self.read().await?;
        if matches!(tx, Tx::Sqlite(_)) {
            return Ok(None);
        }
        let rows = rows!(
            &mut tx,
            "SELECT CAST(floor(extract(epoch FROM clock_timestamp())) AS BIGINT) AS now"
        )?;
        rows.first().map(|row| row.get("now")).transpose()
    }
}
