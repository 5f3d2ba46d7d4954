//! Progress of a pass: counts, rate and the time that is left, on a terminal only.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::collect::Event;
use crate::model::Outcome;

/// A bar that follows the events of a pass.
pub(super) struct Progress {
    bar: ProgressBar,
    outcomes: Mutex<BTreeMap<Outcome, u64>>,
}

impl Progress {
    /// A bar on stderr; nothing is drawn where that is no terminal.
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let template = "{bar:30} {pos}/{len}  {per_sec}  {eta} left  {msg}";
        // The template is a constant and known to be good; without it there is a plain bar.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self {
            bar,
            outcomes: Mutex::default(),
        }
    }

    pub(super) fn show(&self, event: Event) {
        match event {
            Event::Found(slots) => self.bar.inc_length(u64::try_from(slots).unwrap_or_default()),
            Event::Settled(outcome, fetches) => {
                let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                *outcomes.entry(outcome).or_default() += fetches;
                let counts: Vec<String> = outcomes.iter().map(|(o, n)| format!("{o} {n}")).collect();
                self.bar.set_message(counts.join(" · "));
                self.bar.inc(fetches);
            }
        }
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
