//! Signals: the first asks to stop, the second stops at once.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::{ServiceError, notify};
use crate::collect::Stop;

/// The exit status of a process that was ended by a second Ctrl-C, as shells have it.
const INTERRUPTED: i32 = 130;

/// After the first signal, so much time is left: more than a request may take with the defaults, and
/// less than systemd gives.
const DEADLINE: Duration = Duration::from_secs(75);

/// SIGTERM and Ctrl-C.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens from now on.
    pub fn listen() -> Result<Self, ServiceError> {
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Requests the stop at the first signal and ends the process at the second, or after a deadline;
    /// never returns.
    /// What was received by then and not settled is asked again; what was settled stays.
    pub async fn request(mut self, stop: &watch::Sender<bool>) -> std::convert::Infallible {
        self.next().await;
        notify::stopping();
        tracing::info!("stopping: what is in flight ends, a second signal stops at once");
        // Without a receiver nobody is left who would have to stop.
        let _ = stop.send(true);
        tokio::select! {
            () = self.next() => tracing::warn!("stopped at once"),
            () = tokio::time::sleep(DEADLINE) => tracing::warn!(
                seconds = DEADLINE.as_secs(),
                "stopped: what was in flight has not ended in time"
            ),
        }
        std::process::exit(INTERRUPTED)
    }

    /// Runs something that can be asked to stop, under these signals.
    pub async fn stopping<T>(self, work: impl AsyncFnOnce(Stop) -> T) -> T {
        let (sender, stop) = Stop::new();
        tokio::select! {
            done = work(stop) => done,
            never = self.request(&sender) => match never {},
        }
    }
}

/// SIGHUP: read configuration and watchlist again.
pub fn reload() -> Result<Signal, ServiceError> {
    listen(SignalKind::hangup())
}

fn listen(kind: SignalKind) -> Result<Signal, ServiceError> {
    signal(kind).map_err(|error| ServiceError::Machine(format!("cannot listen for signals: {error}")))
}
