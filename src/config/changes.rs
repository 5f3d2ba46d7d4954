//! What a reload changes, setting by setting, and what of it waits for a restart.

use humantime_serde::re::humantime::format_duration;

use super::{Alerts, Config};

/// A setting that a reload has found changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its name.
    pub key: &'static str,
    /// What it was; secrets are left out.
    pub from: String,
    /// What it is to be; secrets are left out.
    pub to: String,
    /// Whether it takes effect at the next start only.
    pub needs_restart: bool,
}

impl Config {
    /// The settings that are different in `new`.
    pub fn changes(&self, new: &Self) -> Vec<Change> {
        let mut changes: Vec<Change> = (self.shown().into_iter().zip(new.shown()))
            .filter(|((_, from), (_, to))| from != to)
            .map(|((key, from), (_, to))| Change {
                key,
                from,
                to,
                needs_restart: ["state.dir", "http.listen", "http.token_file"].contains(&key),
            })
            .collect();
        // These are secrets: that they have changed is all there is to tell.
        let urls = |alerts: &Alerts| {
            [&alerts.webhook_url, &alerts.heartbeat_url]
                .map(|url| url.as_ref().map(|url| url.expose().to_owned()))
        };
        let (old_urls, new_urls) = (urls(&self.alerts), urls(&new.alerts));
        for ((key, from), to) in ["alerts.webhook_url", "alerts.heartbeat_url"]
            .into_iter()
            .zip(old_urls)
            .zip(new_urls)
        {
            if from != to {
                let shown = |url: Option<String>| if url.is_some() { "set" } else { "none" }.to_owned();
                changes.push(Change {
                    key,
                    from: shown(from),
                    to: shown(to),
                    needs_restart: false,
                });
            }
        }
        // Compared as it is, shown without its password: that may be all that has changed.
        if self.database.url.expose() != new.database.url.expose() {
            changes.push(Change {
                key: "database.url",
                from: self.database.url.to_string(),
                to: new.database.url.to_string(),
                needs_restart: true,
            });
        }
        changes
    }

    /// This configuration, but for what `running` has and cannot change.
    #[must_use]
    pub fn as_far_as_running(self, running: &Self) -> Self {
        Self {
            database: running.database.clone(),
            state: running.state.clone(),
            http: running.http.clone(),
            ..self
        }
    }

    /// All settings but the secret ones and the database, as people read them.
    fn shown(&self) -> [(&'static str, String); 28] {
        let path = |path: &Option<std::path::PathBuf>| match path {
            Some(path) => path.display().to_string(),
            None => "none".to_owned(),
        };
        let regions: Vec<String> = self.discover.regions.iter().map(ToString::to_string).collect();
        let exclude: Vec<String> = self.discover.exclude.iter().map(ToString::to_string).collect();
        let (api, budget, discover) = (&self.api, &self.budget, &self.discover);
        [
            ("api.base_url", api.base_url.clone()),
            ("api.key_file", path(&api.key_file)),
            ("api.requests_per_second", api.requests_per_second.to_string()),
            ("api.max_in_flight", api.max_in_flight.to_string()),
            ("api.timeout", format_duration(api.timeout).to_string()),
            ("api.attempts", api.attempts.to_string()),
            ("api.pause", format_duration(api.pause).to_string()),
            (
                "budget.credits_per_request",
                budget.credits_per_request.to_string(),
            ),
            ("budget.daily_credits", budget.daily_credits.to_string()),
            ("budget.monthly_credits", budget.monthly_credits.to_string()),
            ("watchlist.path", path(&self.watchlist.path)),
            (
                "schedule.catch_up",
                format_duration(self.schedule.catch_up).to_string(),
            ),
            (
                "alerts.format",
                format!("{:?}", self.alerts.format).to_lowercase(),
            ),
            ("alerts.after_slots", self.alerts.after_slots.to_string()),
            ("discover.regions", regions.join(", ")),
            ("discover.period", discover.window.days().to_string()),
            ("discover.new_to_top_100", discover.new_to_top_100.to_string()),
            ("discover.commercial", discover.commercial.to_string()),
            ("discover.pages", discover.pages.to_string()),
            ("discover.schedule", discover.schedule.clone()),
            ("discover.time_zone", discover.time_zone.clone()),
            ("discover.add_top", discover.add_top.to_string()),
            ("discover.exclude", exclude.join(", ")),
            ("discover.max_targets", discover.max_targets.to_string()),
            ("discover.keep_days", discover.keep_days.to_string()),
            (
                "http.listen",
                self.http
                    .listen
                    .map_or_else(|| "none".to_owned(), |listen| listen.to_string()),
            ),
            ("http.token_file", path(&self.http.token_file)),
            ("state.dir", self.state.dir.display().to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::super::{KEYS, load_from};
    use super::*;

    fn config(text: &str) -> Config {
        let file = (PathBuf::from("config.toml"), text.to_owned());
        load_from(Some(file), &[], Path::new("/here")).unwrap()
    }

    #[test]
    fn every_setting_is_compared() {
        let mut shown: Vec<&str> = config("").shown().iter().map(|(key, _)| *key).collect();
        shown.extend(["alerts.webhook_url", "alerts.heartbeat_url", "database.url"]);
        let mut keys = KEYS.to_vec();
        shown.sort_unstable();
        keys.sort_unstable();
        assert_eq!(shown, keys);
    }

    #[test]
    fn a_changed_setting_is_told_from_what_to_what() {
        let changes = config("").changes(&config("[api]\ntimeout = \"1m\"\n[state]\ndir = \"other\"\n"));
        let told: Vec<_> = changes
            .iter()
            .map(|c| (c.key, c.from.as_str(), c.to.as_str(), c.needs_restart))
            .collect();
        assert_eq!(
            told,
            [
                ("api.timeout", "30s", "1m", false),
                ("state.dir", "/here/state", "/here/other", true),
            ]
        );
    }

    #[test]
    fn another_password_is_a_change_that_does_not_show_it() {
        let url = |password| format!("[database]\nurl = \"postgres://me:{password}@host/db\"\n");
        let (old, new) = (config(&url("secret1")), config(&url("secret2")));
        let changes = old.changes(&new);
        assert_eq!(changes.len(), 1);
        assert!(changes[0].needs_restart);
        assert!(!format!("{changes:?}").contains("secret"), "{changes:?}");
        let kept = new.as_far_as_running(&old);
        assert!(old.changes(&kept).is_empty(), "what cannot change stays");
    }
}
