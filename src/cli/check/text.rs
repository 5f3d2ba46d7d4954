//! What `check` found, for people, when nothing is wrong.

use super::super::forecast::lines;
use super::Summary;
use crate::words::counted;

impl Summary {
    /// `warnings` is how many have been told.
    pub(super) fn text(&self, warnings: usize) -> String {
        let or =
            |text: &Option<String>, otherwise: &str| text.clone().unwrap_or_else(|| otherwise.to_owned());
        let mut rows = Vec::new();
        let mut row = |name: &str, text: String| rows.push(format!("{name:15}{text}"));
        let configuration = or(&self.configuration, "no file; the defaults and the environment");
        row("Configuration", configuration);
        for (number, variable) in self.environment.iter().enumerate() {
            row(if number == 0 { "Environment" } else { "" }, variable.clone());
        }
        if let Some(unit) = &self.unit {
            row("Unit", unit.clone());
        }
        let watchlist = or(&self.watchlist, "none; another worker owns it");
        match &self.changes {
            Some(changes) if changes.is_empty() => row("Watchlist", format!("{watchlist}, in force")),
            Some(changes) => {
                row("Watchlist", watchlist);
                row("Its changes", format!("not in force yet: {changes}"));
                row("", changes.names.to_string());
            }
            None => row("Watchlist", watchlist),
        }
        for line in self.forecast.iter().flat_map(lines) {
            row("", line);
        }
        let alerts = match (self.alerts.webhook, self.alerts.heartbeat) {
            (true, true) => "to the webhook; silence is noticed at the heartbeat URL",
            (true, false) => {
                "to the webhook; without alerts.heartbeat_url a dead daemon is noticed by nobody"
            }
            (false, true) => "to nobody (alerts.webhook_url); silence is noticed at the heartbeat URL",
            (false, false) => "to nobody: set alerts.webhook_url and alerts.heartbeat_url",
        };
        row("Alerts", alerts.to_owned());
        let fingerprint = or(&self.key_fingerprint, "unknown");
        let source = or(&self.key_source, "an unknown place");
        row("Key", format!("fingerprint {fingerprint}, from {source}"));
        let (database, state) = (or(&self.database, ""), or(&self.database_state, ""));
        row("Database", format!("{database}, {state}"));
        if !self.room.is_empty() {
            row("Disk", self.room.join(", "));
        }
        if let Some(spent) = &self.spent {
            row("Spent", spent.to_string());
        }
        let is_well = self.spent.as_ref().is_none_or(|spent| spent.is_well());
        if is_well {
            rows.push(match warnings {
                0 => "All is well.".to_owned(),
                n => format!("No errors, {}.", counted(n, "warning")),
            });
        }
        rows.join("\n")
    }
}
