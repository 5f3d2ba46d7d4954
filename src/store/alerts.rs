//! The alerts that were raised: what is open, what is over, and what the webhook has still to be told.

use serde::Serialize;

use super::many::Many;
use super::{Row, Store, StoreError, Tx, execute, rows};
use crate::model::{AlertKind, News};

/// Something that holds now and that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What is wrong.
    pub kind: AlertKind,
    /// Which one of its kind; empty when there is only one.
    pub subject: String,
    /// What is wrong and what to do, for people.
    pub message: String,
    /// How many targets it is about, if it is about targets.
    pub targets: Option<i64>,
    /// When it last got worse, unix seconds.
    pub grown_at: i64,
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// `alerts.id`.
    #[serde(skip)]
    pub id: i64,
    /// What is wrong.
    pub kind: AlertKind,
    /// Which one of its kind.
    pub subject: String,
    /// What is wrong and what to do, for people.
    pub message: String,
    /// How many targets it is about.
    pub targets: Option<i64>,
    /// Unix seconds.
    #[serde(serialize_with = "instant")]
    pub raised_at: i64,
    /// Unix seconds.
    #[serde(skip)]
    pub grown_at: i64,
    /// Unix seconds; `None` while it holds.
    #[serde(serialize_with = "instant_if_any")]
    pub recovered_at: Option<i64>,
    /// When the webhook was last told that it holds, unix seconds.
    #[serde(serialize_with = "instant_if_any")]
    pub told_at: Option<i64>,
}

fn instant<S: serde::Serializer>(at: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&crate::clock::rfc3339(*at))
}

fn instant_if_any<S: serde::Serializer>(at: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => instant(at, serializer),
        None => serializer.serialize_none(),
    }
}

/// What the webhook has still to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// Of what.
    pub alert: Alert,
    /// What.
    pub news: News,
    /// When the webhook was last told that this one, or an earlier one of the same, holds; unix seconds.
    pub last_told_at: Option<i64>,
    /// When somebody last began to tell it, unix seconds.
    pub telling_at: Option<i64>,
}

/// What becomes of the alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new one.
    Raise(Condition),
    /// An open one is told otherwise, and has got worse or not.
    Update(Alert, Condition),
    /// An open one is over.
    Recover(Alert),
}

impl Store {
    /// The alerts that are open, oldest first.
    pub async fn open_alerts(&self) -> Result<Vec<Alert>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT id, kind, subject, message, targets, raised_at, grown_at, recovered_at, told_at
            FROM alerts
            WHERE recovered_at IS NULL
            ORDER BY raised_at, id"
        )?;
        rows.iter().map(alert).collect()
    }

    /// Writes changes, and gives those that took place: what another worker has done already did not.
    pub async fn change_alerts(&self, changes: Vec<Change>, now: i64) -> Result<Vec<Change>, StoreError> {
        let mut done = Vec::new();
        if changes.is_empty() {
            return Ok(done);
        }
        let mut tx = self.begin().await?;
        for change in changes {
            let rows = match &change {
                Change::Raise(condition) => raise(&mut tx, condition, now).await?,
                Change::Update(alert, condition) => update(&mut tx, alert, condition).await?,
                Change::Recover(alert) => recover(&mut tx, alert.id, now).await?,
            };
            if rows > 0 {
                done.push(change);
            }
        }
        tx.commit().await?;
        Ok(done)
    }

    /// Enters an alert that is over already and that the webhook was told of when it began: the
    /// database was away.
    pub async fn enter_past_alert(&self, condition: &Condition, now: i64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        execute!(
            &mut tx,
            "INSERT INTO alerts (kind, subject, message, raised_at, grown_at, recovered_at, to_tell, told_at)
            VALUES ($1, $2, $3, $4, $4, $5, 'recovered', $4)",
            condition.kind.as_str(),
            &condition.subject,
            &condition.message,
            condition.grown_at,
            now
        )?;
        tx.commit().await
    }

    /// What the webhook has still to be told, in the order in which it happened.
    pub async fn untold_alerts(&self) -> Result<Vec<Untold>, StoreError> {
        let mut tx = self.read().await?;
        let rows = rows!(
            &mut tx,
            "SELECT
                a.id, a.kind, a.subject, a.message, a.targets, a.raised_at, a.grown_at, a.recovered_at, a.told_at,
                a.to_tell, a.telling_at,
                (
                    SELECT max(b.told_at) FROM alerts AS b WHERE b.kind = a.kind AND b.subject = a.subject
                ) AS last_told_at
            FROM alerts AS a
            WHERE a.to_tell IS NOT NULL
            ORDER BY coalesce(a.recovered_at, a.raised_at), a.id"
        )?;
        let untold = |row: &Row| {
            Ok(Untold {
                alert: alert(row)?,
                news: row.parse("to_tell")?,
                last_told_at: row.get("last_told_at")?,
                telling_at: row.get("telling_at")?,
            })
        };
        rows.iter().map(untold).collect()
    }

    /// Takes it upon this worker to tell the webhook. `false`: another one does, or has.
    pub async fn begin_telling(&self, untold: &Untold, now: i64) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let rows = execute!(
            &mut tx,
            "UPDATE alerts SET telling_at = $3
            WHERE id = $1 AND to_tell = $2 AND coalesce(telling_at, 0) = $4",
            untold.alert.id,
            untold.news.as_str(),
            now,
            untold.telling_at.unwrap_or_default()
        )?;
        tx.commit().await?;
        Ok(rows > 0)
    }

    /// The webhook has been told. What has happened meanwhile is still to be told.
    pub async fn told(&self, untold: &Untold, now: i64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        execute!(
            &mut tx,
            "UPDATE alerts SET
                to_tell = CASE
                    WHEN to_tell = $2 THEN NULL
                    WHEN recovered_at IS NOT NULL AND $2 <> 'recovered' THEN 'recovered'
                    ELSE to_tell
                END,
                told_at = CASE WHEN $2 = 'recovered' THEN told_at ELSE $3 END,
                telling_at = NULL
            WHERE id = $1",
            untold.alert.id,
            untold.news.as_str(),
            now
        )?;
        tx.commit().await
    }
}

/// What others have raised meanwhile stays theirs.
async fn raise(tx: &mut Tx, condition: &Condition, now: i64) -> Result<u64, StoreError> {
    let raised = [condition];
    Many::of(&raised)
        .text("kind", |c| c.kind.as_str())
        .text("subject", |c| c.subject.as_str())
        .text("message", |c| c.message.as_str())
        .int("targets", |c| c.targets)
        .int("raised_at", |_| now)
        .int("grown_at", |c| c.grown_at)
        .execute(
            tx,
            "WITH raised AS ({rows})
            INSERT INTO alerts (kind, subject, message, targets, raised_at, grown_at, to_tell)
            SELECT kind, subject, message, targets, raised_at, grown_at, 'raised' FROM raised WHERE TRUE
            ON CONFLICT (kind, subject) WHERE recovered_at IS NULL DO NOTHING",
        )
        .await
}

/// That it got worse is told only to whom has been told that it began.
async fn update(tx: &mut Tx, alert: &Alert, condition: &Condition) -> Result<u64, StoreError> {
    execute!(
        tx,
        "UPDATE alerts SET
            message = $3,
            targets = $4,
            to_tell = CASE WHEN grown_at < $5 THEN coalesce(to_tell, 'grown') ELSE to_tell END,
            grown_at = CASE WHEN grown_at < $5 THEN $5 ELSE grown_at END
        WHERE id = $1 AND recovered_at IS NULL AND grown_at = $2",
        alert.id,
        alert.grown_at,
        &condition.message,
        condition.targets,
        condition.grown_at
    )
}

/// Whoever was not told that it began is not told that it is over.
async fn recover(tx: &mut Tx, id: i64, now: i64) -> Result<u64, StoreError> {
    execute!(
        tx,
        "UPDATE alerts SET
            recovered_at = $2,
            to_tell = CASE WHEN to_tell = 'raised' THEN NULL ELSE 'recovered' END
        WHERE id = $1 AND recovered_at IS NULL",
        id,
        now
    )
}

fn alert(row: &Row) -> Result<Alert, StoreError> {
    Ok(Alert {
        id: row.get("id")?,
        kind: row.parse("kind")?,
        subject: row.get("subject")?,
        message: row.get("message")?,
        targets: row.get("targets")?,
        raised_at: row.get("raised_at")?,
        grown_at: row.get("grown_at")?,
        recovered_at: row.get("recovered_at")?,
        told_at: row.get("told_at")?,
    })
}
