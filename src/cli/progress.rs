//! Progress of a pass: counts, rate and the time that is left, on a terminal only.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::collect::Event;
use crate::model::Outcome;

/// Fetches settled, by outcome.
type Outcomes = Arc<Mutex<BTreeMap<Outcome, u64>>>;

/// A bar that follows the events of a pass.
pub(super) struct Progress {
    bar: ProgressBar,
    outcomes: Outcomes,
}

impl Progress {
    /// A bar on stderr; nothing is drawn where that is no terminal.
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let outcomes = Outcomes::default();
        let template = "{bar:30} {pos}/{len}  {rate}  {eta} left  {outcomes}";
        // The template is a constant and known to be good; without it there is a plain bar.
        if let Ok(style) = ProgressStyle::with_template(template) {
            // Counted when it is drawn, so that the counts are never ahead of the bar.
            let counted = Arc::clone(&outcomes);
            let style = style
                .with_key("rate", |state: &ProgressState, to: &mut dyn Write| {
                    let _ = write!(to, "{:.1}/s", state.per_sec());
                })
                .with_key("outcomes", move |_: &ProgressState, to: &mut dyn Write| {
                    let _ = write!(to, "{}", told(&counted));
                });
            bar.set_style(style);
        }
        Self { bar, outcomes }
    }

    pub(super) fn show(&self, event: Event) {
        match event {
            Event::Found(slots) => self.bar.inc_length(u64::try_from(slots).unwrap_or_default()),
            Event::Settled(outcome, fetches) => {
                let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                *outcomes.entry(outcome).or_default() += fetches;
                // Drawing looks at them.
                drop(outcomes);
                self.bar.inc(fetches);
            }
        }
    }

    /// So many of all are settled, whoever did it.
    pub(super) fn reach(&self, settled: i64, all: i64) {
        self.bar.set_length(all.unsigned_abs());
        self.bar.set_position(settled.unsigned_abs());
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

fn told(outcomes: &Outcomes) -> String {
    let outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
    let counts: Vec<String> = outcomes.iter().map(|(o, n)| format!("{o} {n}")).collect();
    counts.join(" · ")
}
