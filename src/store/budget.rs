//! The budget: credits by UTC day and calendar month, reserved before anything is sent.

use super::{Store, StoreError, Tx, execute, rows};
use crate::clock::{DAY, month_days};
use crate::config::Budget;

/// What has been spent, in credits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Spent {
    /// In the UTC day.
    pub day: i64,
    /// In the UTC calendar month.
    pub month: i64,
}

impl Spent {
    /// How many requests a budget still pays for.
    pub fn requests_left(self, budget: Budget) -> i64 {
        let left = (budget.daily_credits - self.day).min(budget.monthly_credits - self.month);
        left.checked_div(budget.credits_per_request)
            .map_or(i64::MAX, |requests| requests.max(0))
    }
}

impl Store {
    /// What has been spent in the day and month of `now`.
    pub async fn spent(&self, now: i64) -> Result<Spent, StoreError> {
        let mut tx = self.read().await?;
        spent(&mut tx, now).await
    }
}

async fn spent(tx: &mut Tx, now: i64) -> Result<Spent, StoreError> {
    let (first, last) = month_days(now);
    let rows = rows!(
        tx,
        "SELECT
            CAST(coalesce(sum(credits), 0) AS BIGINT) AS month,
            CAST(coalesce(sum(CASE WHEN day = $3 THEN credits ELSE 0 END), 0) AS BIGINT) AS today
        FROM credit_days
        WHERE day BETWEEN $1 AND $2",
        first,
        last,
        now / DAY
    )?;
    match rows.first() {
        Some(row) => Ok(Spent {
            day: row.get("today")?,
            month: row.get("month")?,
        }),
        None => Ok(Spent::default()),
    }
}

/// Locks the day against other workers until the transaction ends, and gives what has been spent.
/// Every transaction that touches credits does this first, so that they queue and never deadlock.
pub(super) async fn lock(tx: &mut Tx, now: i64) -> Result<Spent, StoreError> {
    execute!(
        tx,
        "INSERT INTO credit_days (day, credits)
        VALUES ($1, 0)
        ON CONFLICT (day) DO UPDATE SET credits = credit_days.credits",
        now / DAY
    )?;
    spent(tx, now).await
}

/// Counts credits as spent in the UTC day of `sent_at`; fewer than 0 gives back.
pub(super) async fn add(tx: &mut Tx, sent_at: i64, credits: i64) -> Result<(), StoreError> {
    execute!(
        tx,
        "UPDATE credit_days SET credits = credits + $2 WHERE day = $1",
        sent_at / DAY,
        credits
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tighter_of_the_day_and_the_month_decides() {
        let budget = Budget {
            credits_per_request: 2,
            daily_credits: 10,
            monthly_credits: 100,
        };
        assert_eq!(Spent { day: 3, month: 3 }.requests_left(budget), 3);
        assert_eq!(Spent { day: 0, month: 97 }.requests_left(budget), 1);
        assert_eq!(Spent { day: 12, month: 12 }.requests_left(budget), 0);
    }
}
