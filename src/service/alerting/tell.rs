//! Tells the webhook what it has still to be told, one call after the other.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::{Around, Known, send};
use crate::alert::{document, is_due, slack};
use crate::config::{Format, SecretUrl};
use crate::model::News;
use crate::store::StoreError;
use crate::store::alerts::Alert;

/// What could not be told, or not yet, is looked at again so often.
const AGAIN_EVERY: Duration = Duration::from_secs(60);

/// Tells what the table holds when `news` rings, and what comes directly.
pub(super) async fn go_on(around: Around, news: Arc<Notify>, mut direct: mpsc::Receiver<Alert>) {
    let mut stop = around.stop.clone();
    loop {
        tokio::select! {
            () = stop.wait() => return,
            Some(alert) = direct.recv() => around.tell_directly(&alert).await,
            () = news.notified() => around.tell_all().await,
            () = around.clock.sleep(AGAIN_EVERY) => around.tell_all().await,
        }
    }
}

impl Around {
    /// Without a webhook nothing is told, and stays to be told while it holds.
    async fn tell_all(&self) {
        let known = self.known.borrow().clone();
        let Some(url) = &known.alerts.webhook_url else {
            return;
        };
        if known.database_away.is_some() {
            return;
        }
        if let Err(error) = self.tell_stored(&known, url).await {
            tracing::warn!(%error, "could not look up what is to be told");
        }
    }

    async fn tell_stored(&self, known: &Known, url: &SecretUrl) -> Result<(), StoreError> {
        for untold in self.store.untold_alerts().await? {
            let now = self.clock.now();
            if !is_due(&untold, now) || !self.store.begin_telling(&untold, now).await? {
                continue;
            }
            if !self.send(known, url, &untold.alert, untold.news).await {
                // The others would fail as well.
                break;
            }
            self.store.told(&untold, self.clock.now()).await?;
        }
        Ok(())
    }

    async fn tell_directly(&self, alert: &Alert) {
        let known = self.known.borrow().clone();
        if let Some(url) = &known.alerts.webhook_url {
            self.send(&known, url, alert, News::Raised).await;
        }
    }

    async fn send(&self, known: &Known, url: &SecretUrl, alert: &Alert, news: News) -> bool {
        let host = &known.health.host;
        let sent = match known.alerts.format {
            Format::Json => {
                let document = document(alert, news, host);
                send::post(url, &document, &self.clock, &self.stop).await
            }
            Format::Slack => send::post(url, &slack(alert, news, host), &self.clock, &self.stop).await,
        };
        match &sent {
            Ok(()) => tracing::info!(
                alert = alert.kind.as_str(),
                news = news.as_str(),
                "the webhook was told"
            ),
            Err(error) => tracing::error!(
                alert = alert.kind.as_str(),
                news = news.as_str(),
                error,
                "the webhook was not told (alerts.webhook_url); it is tried again in some minutes"
            ),
        }
        sent.is_ok()
    }
}
