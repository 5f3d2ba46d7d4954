//! `soundwatch db reindex`: the index is computed again.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::clock;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Output;
use crate::collect::index::Indexed;
use crate::config::Config;
use crate::service::signals::Signals;
use crate::service::{Indexing, reindex};

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
    let done = done?;
    output.result(&done, text)?;
    Ok(if done.stopped { Exit::Part } else { Exit::Done })
}

fn text(done: &Indexed) -> String {
    let mut lines = vec![format!(
        "The index of {} series was computed again: {} days; a day is settled at the age of {} days.",
        done.series, done.days, done.settle_lag
    )];
    lines.push(format!(
        "{} values took part, {} were left out because their day was restated.",
        done.observations, done.restated
    ));
    if done.suspect > 0 {
        lines.push(format!(
            "The windows of {} series contradict each other at some day: their bounds are suspect.",
            done.suspect
        ));
    }
    if done.inconsistent > 0 {
        lines.push(format!(
            "Those of {} series fit only if their values are less exact than they look.",
            done.inconsistent
        ));
    }
    if done.unusable_windows > 0 {
        lines.push(format!(
            "{} windows have values outside 0 to 1 and no part in it.",
            done.unusable_windows
        ));
    }
    lines.extend(done.doubts.iter().map(|doubt| format!("Warning: {doubt}.")));
    if done.stopped {
        lines.push("Stopped before the end; whoever collects next goes on with it.".to_owned());
    }
    lines.join("\n")
}
