//! Which conditions hold, each with what to do about it.

use crate::clock::{DAY, day_name, rfc3339};
use crate::collect::advice;
use crate::config::Budget;
use crate::model::AlertKind;
use crate::store::alerts::{Alert, Condition};
use crate::store::budget::Spent;
use crate::store::pauses::Pause;
use crate::store::troubled::Troubled;
use crate::words::counted;

/// Problems of the watchlist that are told.
const PROBLEMS_TOLD: usize = 3;

/// What a worker knows of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The machine.
    pub host: String,
    /// The problems of the watchlist, none if it is good; `None` when another worker owns it.
    pub watchlist: Option<Vec<String>>,
    /// Why there is no room for answers, if so.
    pub no_room: Option<String>,
}

/// Everything that alerts are about, at one instant.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Unix seconds.
    pub now: i64,
    /// What this worker knows of itself.
    pub health: Health,
    /// Of the key in use.
    pub key_fingerprint: String,
    /// The pauses, by the fingerprints of their keys.
    pub pauses: Vec<(String, Pause)>,
    /// Nobody else collects.
    pub alone: bool,
    /// What may be spent.
    pub budget: Budget,
    /// What has been spent.
    pub spent: Spent,
    /// So many bad slots in a row are told.
    pub after_slots: i64,
    /// The targets in trouble; `None` when nobody has looked.
    pub troubled: Option<Vec<Troubled>>,
}

impl Facts {
    /// What holds.
    pub(super) fn conditions(&self) -> Vec<Condition> {
        let mut all = self.of_budget();
        let ours = |(key, _): &&(String, Pause)| self.is_ours(key);
        all.extend(
            self.pauses
                .iter()
                .filter(ours)
                .map(|(key, p)| self.paused(key, p)),
        );
        all.extend(self.of_watchlist());
        all.extend(self.of_room());
        let troubled = self.troubled.iter().flatten();
        all.extend(troubled.map(|troubled| self.in_trouble(troubled)));
        all
    }

    /// Whether these facts can tell that an alert is over. What only another worker can know is its own,
    /// as long as there is another.
    pub(super) fn know_of(&self, alert: &Alert) -> bool {
        match alert.kind {
            AlertKind::Budget80 | AlertKind::Budget100 | AlertKind::DatabaseAway => true,
            AlertKind::KeyRefused | AlertKind::OutOfCredits => {
                self.alone || self.is_ours(&alert.subject) || !self.is_paused(&alert.subject)
            }
            AlertKind::NoRoom => self.alone || alert.subject == self.health.host,
            AlertKind::WatchlistBroken => self.health.watchlist.is_some(),
            AlertKind::Failing | AlertKind::NoData | AlertKind::Stale => self.troubled.is_some(),
        }
    }

    /// The key in use. The pause of a key that another worker may use is for that one to judge.
    fn is_ours(&self, key_fingerprint: &str) -> bool {
        key_fingerprint == self.key_fingerprint
    }

    /// A pause that nobody has prolonged for long is that of a key that nobody uses.
    fn is_paused(&self, key_fingerprint: &str) -> bool {
        let in_use = |pause: &Pause| pause.until > self.now - 2 * DAY;
        self.pauses
            .iter()
            .any(|(key, pause)| key == key_fingerprint && in_use(pause))
    }

    fn condition(&self, kind: AlertKind, subject: &str, message: String) -> Condition {
        Condition {
            kind,
            subject: subject.to_owned(),
            message,
            targets: None,
            grown_at: 0,
        }
    }

    fn paused(&self, key: &str, pause: &Pause) -> Condition {
        let (kind, what) = match pause.reason.as_str() {
            "out_of_credits" => (AlertKind::OutOfCredits, "The key is out of credits"),
            "unauthorized" | "forbidden" => (AlertKind::KeyRefused, "The API refuses the key"),
            _ => (
                AlertKind::KeyRefused,
                "The API asks to be left alone for a long time",
            ),
        };
        let message = format!(
            "{what} ({}, fingerprint {key}): nothing is asked with it until {}. {}",
            pause.reason,
            rfc3339(pause.until),
            advice(&pause.reason)
        );
        self.condition(kind, key, message)
    }

    /// A limit of 0 is set on purpose: nothing to tell.
    fn of_budget(&self) -> Vec<Condition> {
        let day = day_name(self.now);
        let month: String = day.chars().take(7).collect();
        let (spent, budget) = (self.spent, self.budget);
        let limits = [
            (
                day,
                "day",
                spent.day,
                "budget.daily_credits",
                budget.daily_credits,
            ),
            (
                month,
                "month",
                spent.month,
                "budget.monthly_credits",
                budget.monthly_credits,
            ),
        ];
        let mut all = Vec::new();
        for (subject, name, spent, setting, limit) in limits {
            if limit <= 0 || spent * 5 < limit * 4 {
                continue;
            }
            let spending = format!("{spent} of {limit} credits of the {name} {subject} (UTC)");
            let message = format!(
                "80 % of the budget is spent: {spending}. `soundwatch plan` shows what is still to come; raise {setting} if it may cost more."
            );
            all.push(self.condition(AlertKind::Budget80, &subject, message));
            if limit - spent < budget.credits_per_request {
                let message = format!(
                    "The budget is spent: {spending}. What is due is asked when there is budget again; raise {setting} to ask for it now."
                );
                all.push(self.condition(AlertKind::Budget100, &subject, message));
            }
        }
        all
    }

    fn of_watchlist(&self) -> Option<Condition> {
        let problems = self.health.watchlist.as_ref().filter(|p| !p.is_empty())?;
        let more = problems.len().saturating_sub(PROBLEMS_TOLD);
        let more = if more > 0 {
            format!(";\nand {more} more")
        } else {
            String::new()
        };
        let first: Vec<&str> = problems.iter().take(PROBLEMS_TOLD).map(String::as_str).collect();
        let message = format!(
            "The watchlist is broken, so the old one stays in force:\n{}{more}.\n`soundwatch check` tells all.",
            first.join(";\n")
        );
        Some(self.condition(AlertKind::WatchlistBroken, "", message))
    }

    fn of_room(&self) -> Option<Condition> {
        let why = self.health.no_room.as_ref()?;
        let message = format!(
            "Nothing is asked: there is no room for answers in state.dir ({why}). Free disk space, or set state.dir to another folder."
        );
        Some(self.condition(AlertKind::NoRoom, &self.health.host, message))
    }

    fn in_trouble(&self, troubled: &Troubled) -> Condition {
        let Troubled {
            kind,
            targets,
            grown_at,
            names,
        } = troubled;
        let slots = counted(self.after_slots, "slot");
        let (what, advice) = match kind {
            AlertKind::NoData => (
                format!("brought nothing for {slots} in a row, and had no data the last time"),
                if *targets == 1 {
                    "Take it off the watchlist if it stays so: each slot costs credits."
                } else {
                    "Take them off the watchlist if it stays so: each slot costs credits."
                },
            ),
            AlertKind::Stale => (
                format!(
                    "given {} or more whose newest day did not move",
                    counted(self.after_slots, "answer")
                ),
                "The service repeats itself; each answer costs credits.",
            ),
            _ => (
                format!("brought nothing for {slots} in a row, and failed the last time"),
                "`soundwatch why CLIP_ID` tells why.",
            ),
        };
        let who = match targets {
            1 => "1 target has".to_owned(),
            n => format!("{n} targets have"),
        };
        let named = i64::try_from(names.len()).unwrap_or(i64::MAX);
        let more = match targets - named {
            more if more > 0 => format!(" and {more} more"),
            _ => String::new(),
        };
        let message = format!("{who} {what}: {}{more}. {advice}", names.join(", "));
        Condition {
            targets: Some(*targets),
            grown_at: *grown_at,
            ..self.condition(*kind, "", message)
        }
    }
}

/// The database is away: what can't be written into it.
pub fn database_away(host: &str, since: i64, error: &str) -> Condition {
    Condition {
        kind: AlertKind::DatabaseAway,
        subject: host.to_owned(),
        message: format!(
            "The database is away since {} ({}). Nothing is asked; answers that had come wait in the spool and are settled when it is back.",
            rfc3339(since),
            error.lines().next().unwrap_or_default()
        ),
        targets: None,
        grown_at: since,
    }
}
