//! The heartbeat: one cron job that only wakes the loop. Everything else that a scheduler could do
//! (zones, many jobs, making up for missed ones) is computed from the ledger instead, where it
//! survives a restart.

use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler};

use super::ServiceError;

/// Every second, UTC.
const EVERY_SECOND: &str = "* * * * * *";

/// A running heartbeat.
pub(super) struct Heartbeat {
    scheduler: JobScheduler,
    /// Holds at most one beat: those that nobody waited for are one.
    pub(super) beats: mpsc::Receiver<()>,
}

impl Heartbeat {
    pub(super) async fn start() -> Result<Self, ServiceError> {
        let (sender, beats) = mpsc::channel(1);
        let broken = |error| ServiceError::Machine(format!("the heartbeat cannot start: {error}"));
        // With the default channel, jobs that are due at once get lost with only a log line.
        let scheduler = JobScheduler::new_with_channel_size(1024).await.map_err(broken)?;
        let beat = Job::new(EVERY_SECOND, move |_, _| {
            // Full: the loop is awake already.
            let _ = sender.try_send(());
        });
        scheduler.add(beat.map_err(broken)?).await.map_err(broken)?;
        scheduler.start().await.map_err(broken)?;
        Ok(Self { scheduler, beats })
    }

    pub(super) async fn stop(mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::warn!(%error, "the heartbeat did not stop");
        }
    }
}
