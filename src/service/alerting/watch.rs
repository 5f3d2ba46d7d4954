//! Finds out what holds, and raises and ends alerts.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::{Around, Known};
use crate::alert::{Facts, changes, database_away};
use crate::store::alerts::{Alert, Change, Condition};
use crate::store::troubled::Troubled;
use crate::store::{Store, StoreError};

/// How often it looks when nothing is said to have changed: other workers may have changed something.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// All targets are looked at after a pass that settled something, and this often (seconds) ...
const TARGETS_EVERY: i64 = 600;

/// ... but only when this many times as long has passed as looking took, since with a million targets
/// that takes seconds ...
const TARGETS_COST: u32 = 20;

/// ... and no longer than this: a database that was busy once must not hold the news back for minutes.
const TARGETS_WAIT: Duration = Duration::from_secs(30);

/// A database that is away for so long (seconds) is told: shorter times pass by themselves.
const AWAY_FOR: i64 = 60;

pub(super) struct Watch {
    around: Around,
    /// Rings when there is something to tell.
    news: Arc<Notify>,
    /// Takes what can't be in the database.
    direct: mpsc::Sender<Alert>,
    /// The alert of a database that is away.
    away: Option<Condition>,
    targets: Looked,
}

/// When the targets were last looked at.
#[derive(Default)]
struct Looked {
    settled: Option<u64>,
    at: i64,
    not_before: Duration,
}

impl Watch {
    pub(super) fn new(around: Around, news: Arc<Notify>, direct: mpsc::Sender<Alert>) -> Self {
        Self {
            around,
            news,
            direct,
            away: None,
            targets: Looked::default(),
        }
    }

    /// Looks again and again.
    pub(super) async fn go_on(mut self) {
        let mut stop = self.around.stop.clone();
        while !stop.requested() {
            let known = self.around.known.borrow_and_update().clone();
            self.look(&known).await;
            tokio::select! {
                changed = self.around.known.changed() => if changed.is_err() { return },
                () = self.around.clock.sleep(LOOK_EVERY) => {}
                () = stop.wait() => return,
            }
        }
    }

    async fn look(&mut self, known: &Known) {
        if let Some((since, error)) = &known.database_away {
            self.database_is_away(known, *since, error);
            return;
        }
        if let Err(error) = self.look_into(known).await {
            tracing::warn!(%error, "could not look for what is to be told");
        }
    }

    /// It can't be written into the database, so it is told at once.
    fn database_is_away(&mut self, known: &Known, since: i64, error: &str) {
        if self.away.is_some() || self.around.clock.now() - since < AWAY_FOR {
            return;
        }
        let condition = database_away(&known.health.host, since, error);
        tracing::error!(alert = "database_away", "{}", condition.message);
        let alert = Alert {
            id: 0,
            kind: condition.kind,
            subject: condition.subject.clone(),
            message: condition.message.clone(),
            targets: None,
            raised_at: since,
            grown_at: since,
            recovered_at: None,
            told_at: None,
        };
        if known.alerts.webhook_url.is_some() && self.direct.try_send(alert).is_err() {
            tracing::warn!("the webhook is busy: it is not told that the database is away");
        }
        self.away = Some(condition);
    }

    async fn look_into(&mut self, known: &Known) -> Result<(), StoreError> {
        let now = self.around.clock.now();
        if let Some(condition) = &self.away {
            self.around.store.enter_past_alert(condition, now).await?;
            tracing::info!(alert = "database_away", "the database is back");
            self.away = None;
        }
        let troubled = self.troubled(known, now).await?;
        let facts = facts(&self.around.store, known, troubled, now).await?;
        settle(&self.around.store, &facts).await?;
        self.news.notify_one();
        Ok(())
    }

    /// The targets in trouble, if it is time to look for them.
    async fn troubled(&mut self, known: &Known, now: i64) -> Result<Option<Vec<Troubled>>, StoreError> {
        let begun = self.around.clock.monotonic();
        let changed = self.targets.settled != Some(known.settled);
        let long_ago = now - self.targets.at >= TARGETS_EVERY || now < self.targets.at;
        if !changed && !long_ago || begun < self.targets.not_before {
            return Ok(None);
        }
        let troubled = self.around.store.troubled(known.alerts.after_slots).await?;
        let ended = self.around.clock.monotonic();
        self.targets = Looked {
            settled: Some(known.settled),
            at: now,
            not_before: ended + TARGETS_WAIT.min(ended.saturating_sub(begun) * TARGETS_COST),
        };
        Ok(Some(troubled))
    }
}

async fn facts(
    store: &Store,
    known: &Known,
    troubled: Option<Vec<Troubled>>,
    now: i64,
) -> Result<Facts, StoreError> {
    Ok(Facts {
        now,
        health: known.health.clone(),
        key_fingerprint: known.key_fingerprint.clone(),
        pauses: store.pauses().await?,
        alone: store.workers(now).await?.len() <= 1,
        budget: known.budget,
        spent: store.spent(now).await?,
        after_slots: known.alerts.after_slots,
        troubled,
    })
}

/// Brings the alerts in line with the facts, and logs what has changed.
async fn settle(store: &Store, facts: &Facts) -> Result<(), StoreError> {
    let changes = changes(facts, store.open_alerts().await?);
    for change in store.change_alerts(changes, facts.now).await? {
        match change {
            Change::Raise(condition) => {
                tracing::error!(alert = condition.kind.as_str(), "{}", condition.message);
            }
            Change::Update(alert, condition) if alert.grown_at < condition.grown_at => {
                tracing::error!(
                    alert = condition.kind.as_str(),
                    "more of it: {}",
                    condition.message
                );
            }
            Change::Update(..) => {}
            Change::Recover(alert) => tracing::info!(
                alert = alert.kind.as_str(),
                since = crate::clock::rfc3339(alert.raised_at),
                "recovered"
            ),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch::Sender;

    use super::*;
    use crate::alert::Health;
    use crate::clock::Clock;
    use crate::collect::Stop;
    use crate::config::load_from;
    use crate::model::News;
    use crate::store::{Missing, Store};

    const NOW: i64 = 1_770_015_600;

    fn known() -> Known {
        let webhook = "[alerts]\nwebhook_url = \"http://127.0.0.1:1/\"\n".to_owned();
        let file = Some(("c.toml".into(), webhook));
        let config = load_from(file, &[], std::path::Path::new("/")).unwrap();
        Known {
            alerts: config.alerts,
            budget: config.budget,
            key_fingerprint: String::new(),
            health: Health::default(),
            database_away: None,
            settled: 0,
            good_passes: 0,
            is_well: true,
            last_beat: NOW,
        }
    }

    #[tokio::test]
    async fn a_database_that_stays_away_is_told_once_and_entered_when_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let store = Store::open(&url, Missing::Create).await.unwrap();
        store.migrate().await.unwrap();
        let sender = Sender::new(known());
        let around = Around {
            store: store.clone(),
            clock: Clock::manual(NOW),
            known: sender.subscribe(),
            stop: Stop::new().1,
        };
        let (direct, mut told) = mpsc::channel(4);
        let clock = around.clock.clone();
        let mut watch = Watch::new(around, Arc::new(Notify::new()), direct);
        let away = Known {
            database_away: Some((NOW, "gone\nwith details".to_owned())),
            ..known()
        };
        for (seconds, alerts) in [(59, 0), (60, 1), (120, 0)] {
            clock.set(NOW + seconds);
            watch.look(&away).await;
            assert_eq!(
                std::iter::from_fn(|| told.try_recv().ok()).count(),
                alerts,
                "{seconds} s"
            );
        }
        clock.set(NOW + 180);
        watch.look(&known()).await;
        let untold = store.untold_alerts().await.unwrap();
        let back: Vec<_> = untold
            .iter()
            .map(|u| (u.news, u.alert.raised_at, u.alert.recovered_at))
            .collect();
        assert_eq!(back, [(News::Recovered, NOW, Some(NOW + 180))]);
        watch.look(&known()).await;
        assert_eq!(store.untold_alerts().await.unwrap().len(), 1, "once");
        store.close().await;
    }
}
