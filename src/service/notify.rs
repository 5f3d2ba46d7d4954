//! What systemd is told, and shows in `systemctl status`. When nothing listens, nobody is told.

use sd_notify::NotifyState;

use crate::clock::rfc3339;
use crate::collect::{Cut, Report};

/// Everything is up, or up again after a reload.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// A reload begins; [`ready`] ends it.
pub(super) fn reloading() {
    tell(&[NotifyState::Reloading]);
}

/// The end begins.
pub(super) fn stopping() {
    let status = NotifyState::Status("stopping: what is in flight ends");
    tell(&[NotifyState::Stopping, status]);
}

/// Feeds the watchdog: the loop turns, and the database has just answered.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// What goes on, in one line.
pub(super) fn status(text: &str) {
    // A second line would be taken for another message.
    let line = text.lines().next().unwrap_or_default();
    tell(&[NotifyState::Status(line)]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd could not be told");
    }
}

/// How the daemon stands: its last pass and its next slot.
#[derive(Debug, Default)]
pub(super) struct Standing {
    last_pass: Option<String>,
}

impl Standing {
    /// A pass that settled something ended at `now` (unix seconds).
    pub(super) fn passed(&mut self, now: i64, outcomes: &str) {
        self.last_pass = Some(format!("{} ({outcomes})", rfc3339(now)));
    }

    /// In one line, with the next slot (unix seconds) and what holds it up.
    pub(super) fn text(&self, next_slot: Option<i64>, report: &Report) -> String {
        let last = self.last_pass.as_deref().unwrap_or("none yet");
        let next = next_slot.map_or_else(|| "none".to_owned(), rfc3339);
        let held_up = match &report.cut {
            Some(Cut::Budget) => "; the budget is spent".to_owned(),
            Some(Cut::Paused(Some(pause))) => format!("; the key is paused until {}", rfc3339(pause.until)),
            Some(Cut::Paused(None)) => "; the key is paused".to_owned(),
            Some(Cut::Stopped) | None => String::new(),
        };
        format!("last pass: {last}; next slot: {next}{held_up}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_769_947_200;

    #[test]
    fn the_status_tells_the_last_pass_and_the_next_slot() {
        let mut standing = Standing::default();
        let quiet = Report::default();
        let text = standing.text(Some(NOON), &quiet);
        assert_eq!(text, "last pass: none yet; next slot: 2026-02-01T12:00:00Z");
        standing.passed(NOON, "stored 3, failed 1");
        let text = standing.text(None, &quiet);
        assert_eq!(
            text,
            "last pass: 2026-02-01T12:00:00Z (stored 3, failed 1); next slot: none"
        );
    }

    #[test]
    fn the_status_tells_what_holds_up_the_next_slot() {
        let spent = Report {
            cut: Some(Cut::Budget),
            ..Report::default()
        };
        let text = Standing::default().text(Some(NOON), &spent);
        assert!(text.ends_with("; the budget is spent"), "{text}");
    }
}
