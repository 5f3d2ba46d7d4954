//! `soundwatch db reindex`: the index is computed again.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::cli::clock;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Output;
use crate::collect::index::Indexed;
use crate::config::Config;
use crate::service::signals::Signals;
use crate::service::{Indexing, reindex};
use crate::trend::Fit;

/// The document of `--json`.
#[derive(Serialize)]
struct Reindexed {
    #[serde(flatten)]
    indexed: Indexed,
    /// Of all series.
    fit: Fit,
    doubts: Vec<&'static str>,
}

pub(super) async fn run(config: &Config, output: Output) -> Result<Exit, Failure> {
    let signals = Signals::listen()?;
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    // The template is a constant and known to be good; without it there is a plain bar.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}  {per_sec}  {eta} left") {
        bar.set_style(style);
    }
    let progress = |indexing| match indexing {
        Indexing::Marked(series) => bar.set_length(series),
        Indexing::Computed(series) => bar.inc(series),
    };
    let done = signals
        .stopping(async |stop| reindex(config, &clock(), &stop, &progress).await)
        .await;
    bar.finish_and_clear();
    let (indexed, fit) = done?;
    let doubts = fit.doubts();
    output.result(&Reindexed { indexed, fit, doubts }, text)?;
    Ok(if indexed.stopped { Exit::Part } else { Exit::Done })
}

fn text(done: &Reindexed) -> String {
    let Reindexed { indexed, fit, doubts } = done;
    let mut lines = vec![format!(
        "The index of {} series was computed again: {} days; a day is settled at the age of {} days.",
        indexed.series, indexed.days, fit.settle_lag
    )];
    lines.push(format!(
        "{} values took part, {} were left out because their day was restated.",
        fit.observations, fit.restated
    ));
    if fit.suspect > 0 {
        lines.push(format!(
            "The windows of {} series contradict each other at some day: their bounds are suspect.",
            fit.suspect
        ));
    }
    if fit.inconsistent > 0 {
        lines.push(format!(
            "Those of {} series fit only if their values are less exact than they look.",
            fit.inconsistent
        ));
    }
    if fit.unusable_windows > 0 {
        lines.push(format!(
            "{} windows have values outside 0 to 1 and no part in it.",
            fit.unusable_windows
        ));
    }
    lines.extend(doubts.iter().map(|doubt| format!("Warning: {doubt}.")));
    if indexed.stopped {
        lines.push("Stopped before the end; whoever collects next goes on with it.".to_owned());
    }
    lines.join("\n")
}
