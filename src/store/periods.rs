//! What targets with `period = "auto"` have been answered, from which the next window is chosen.

use std::collections::HashMap;

use super::due::Due;
use super::{Row, Store, StoreError, Tx, json_rows, rows};
use crate::model::{Period, Window};
use crate::period::{Answer, Choice, choose};

/// What is known of some targets.
#[derive(Debug, Default)]
pub(super) struct Chosen(HashMap<i64, (i64, Vec<Answer>)>);

impl Chosen {
    /// The window of a slot, and why.
    pub(super) fn of(&self, due: &Due) -> (Window, Option<String>) {
        let choice = self.choice(due.target_id, due.slot_at);
        (choice.window, Some(choice.to_string()))
    }

    fn choice(&self, target_id: i64, slot_at: i64) -> Choice {
        let nothing = (0, Vec::new());
        let (interval, answers) = self.0.get(&target_id).unwrap_or(&nothing);
        choose(*interval, slot_at, answers)
    }
}

/// What is known of those of these targets that choose their window.
pub(super) async fn chosen(tx: &mut Tx, due: &[Due]) -> Result<Chosen, StoreError> {
    let auto = due.iter().filter(|due| due.period == Period::Auto);
    let targets: Vec<(i64,)> = auto.map(|due| (due.target_id,)).collect();
    if targets.is_empty() {
        return Ok(Chosen::default());
    }
    known(&rows!(
        tx,
        "SELECT t.id, t.interval_seconds, s.period_days, s.last_fetched_at, s.step_seconds
        FROM json_each($1) AS r
        JOIN targets AS t ON t.id = CAST(r.value->>0 AS BIGINT)
        CROSS JOIN (SELECT 7 AS days UNION ALL SELECT 30 UNION ALL SELECT 120) AS p
        LEFT JOIN snapshots AS s ON s.id = (
            SELECT n.id
            FROM snapshots AS n
            WHERE n.target_id = t.id AND n.period_days = p.days
            ORDER BY n.last_fetched_at DESC, n.id DESC
            LIMIT 1
        )",
        json_rows(&targets)?
    )?)
}

fn known(rows: &[Row]) -> Result<Chosen, StoreError> {
    let mut known = Chosen::default();
    for row in rows {
        let (_, answers) = known
            .0
            .entry(row.get("id")?)
            .or_insert((row.get("interval_seconds")?, Vec::new()));
        let Some(days) = row.get::<Option<i64>>("period_days")? else {
            continue;
        };
        let step: Option<i64> = row.get("step_seconds")?;
        answers.push(Answer {
            window: Window::of_days(days)
                .ok_or_else(|| StoreError::Unreadable(format!("period_days {days}")))?,
            at: row.get("last_fetched_at")?,
            weekly: step.is_some_and(|step| step > crate::clock::DAY),
        });
    }
    Ok(known)
}

impl Store {
    /// Whether the newest answer of a period had its points more than a day apart; `None` before there
    /// is one.
    pub async fn weekly(&self, window: Window) -> Result<Option<bool>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT step_seconds > 86400 AS weekly
            FROM snapshots
            WHERE period_days = $1 AND step_seconds IS NOT NULL
            ORDER BY id DESC
            LIMIT 1",
            window.days()
        )?;
        rows.first().map(|row| row.get("weekly")).transpose()
    }

    /// What the live targets that choose their window would ask for now, and why, each with how many
    /// do: for plans.
    pub async fn auto_choices(&self, now: i64) -> Result<Vec<(Choice, i64)>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT t.id, t.interval_seconds, s.period_days, s.last_fetched_at, s.step_seconds
            FROM targets AS t
            CROSS JOIN (SELECT 7 AS days UNION ALL SELECT 30 UNION ALL SELECT 120) AS p
            LEFT JOIN snapshots AS s ON s.id = (
                SELECT n.id
                FROM snapshots AS n
                WHERE n.target_id = t.id AND n.period_days = p.days
                ORDER BY n.last_fetched_at DESC, n.id DESC
                LIMIT 1
            )
            WHERE t.period = 'auto' AND t.removed_at IS NULL"
        )?;
        let known = known(&rows)?;
        let mut counts: Vec<(Choice, i64)> = Vec::new();
        for target in known.0.keys() {
            let choice = known.choice(*target, now);
            match counts.iter_mut().find(|(other, _)| *other == choice) {
                Some((_, count)) => *count += 1,
                None => counts.push((choice, 1)),
            }
        }
        counts.sort_by_key(|(choice, count)| (-count, choice.reason, choice.window));
        Ok(counts)
    }
}
