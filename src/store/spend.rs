//! One request that a person asks for to see whether all works: `check --spend`.

use super::{Store, StoreError, execute, rows};

impl Store {
    /// The live target that has been there for longest.
    pub async fn first_target(&self) -> Result<Option<i64>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT id FROM targets WHERE removed_at IS NULL ORDER BY id LIMIT 1"
        )?;
        rows.first().map(|row| row.get("id")).transpose()
    }

    /// Hands a slot of one target over to whoever collects. `false`: it has this slot already.
    pub async fn hand_over_one(&self, target_id: i64, slot_at: i64) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let handed = execute!(
            &mut tx,
            "INSERT INTO fetches (target_id, slot_at, forced)
            VALUES ($1, $2, TRUE)
            ON CONFLICT (target_id, slot_at) DO NOTHING",
            target_id,
            slot_at
        )?;
        tx.commit().await?;
        Ok(handed == 1)
    }
}
