//! `soundwatch db reparse`: kept answers are read again.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::clock;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Output;
use crate::collect::reparse::Reparsed;
use crate::config::Config;
use crate::service::signals::Signals;
use crate::service::{Reading, reparse};

pub(super) async fn run(config: &Config, output: Output) -> Result<Exit, Failure> {
    let signals = Signals::listen()?;
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    // The template is a constant and known to be good; without it there is a plain bar.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}  {per_sec}  {eta} left") {
        bar.set_style(style);
    }
    let progress = |reading| match reading {
        Reading::Kept(answers) => bar.set_length(answers),
        Reading::Read(answers) => bar.inc(answers),
    };
    let done = signals
        .stopping(async |stop| reparse(config, &clock(), &stop, &progress).await)
        .await;
    bar.finish_and_clear();
    let done = done?;
    output.result(&done, text)?;
    Ok(if done.unreadable > 0 || done.stopped {
        Exit::Part
    } else {
        Exit::Done
    })
}

fn text(done: &Reparsed) -> String {
    let mut lines = vec![format!(
        "{} kept answers were read again: {} snapshots were made anew.",
        done.answers, done.snapshots
    )];
    let changed = done.changed.iter();
    lines.extend(changed.map(|(outcome, fetches)| format!("{fetches} fetches are {outcome} now.")));
    if done.unreadable > 0 {
        lines.push(format!(
            "{} answers can't be read any more; their snapshots stay as they were:",
            done.unreadable
        ));
        lines.extend(done.unreadable_answers.iter().map(|answer| format!("  {answer}")));
    }
    if done.stopped {
        lines.push("Stopped before the end; what was done stays. Run it again to go on.".to_owned());
    }
    lines.join("\n")
}
