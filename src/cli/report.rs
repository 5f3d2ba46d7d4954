//! `soundwatch report`: one page with all sounds. Needs the database only.

use std::io::{self, BufWriter};
use std::path::Path;

use serde::Serialize;

use super::beside::Beside;
use super::exit::{Exit, Failure};
use super::output::Output;
use crate::config::Config;
use crate::problem::{Problem, Problems};
use crate::report::{self, ReportError, Shown};
use crate::service::signals::Signals;
use crate::store::{Missing, Store};

/// The document of `--json`.
#[derive(Debug, Serialize)]
struct Written {
    file: String,
    sounds: usize,
    /// Sounds times their regions.
    series: usize,
    bytes: u64,
    seconds: f64,
}

pub(super) async fn run(config: &Config, file: &Path, output: Output) -> Result<Exit, Failure> {
    if file == Path::new("-") {
        return to_stdout(config, output).await;
    }
    let began = super::clock().monotonic();
    let store = Store::open(config.database.url.expose(), Missing::Refuse).await?;
    store.require_migrated().await?;
    let signals = Signals::listen()?;
    let written = signals
        .stopping(async |mut stop| {
            tokio::select! {
                written = write(&store, file) => written.map(Some),
                () = stop.wait() => Ok(None),
            }
        })
        .await?;
    let Some((shown, bytes)) = written else {
        return Err(Failure::Stopped(format!("{} was not written", file.display())));
    };
    store.close().await;
    let written = Written {
        file: file.display().to_string(),
        sounds: shown.sounds,
        series: shown.series,
        bytes,
        seconds: super::clock().monotonic().saturating_sub(began).as_secs_f64(),
    };
    output.result(&written, text)?;
    Ok(Exit::Done)
}

async fn to_stdout(config: &Config, output: Output) -> Result<Exit, Failure> {
    if output.is_json() {
        let problem =
            Problem::new("--json describes a file that was written, and stdout has the page itself");
        return Err(Problems::from(problem.help("leave --json out, or name a file with --output")).into());
    }
    let store = Store::open(config.database.url.expose(), Missing::Refuse).await?;
    store.require_migrated().await?;
    let mut stdout = BufWriter::new(io::stdout());
    let written = report::write(&store, super::clock().now(), &mut stdout).await;
    store.close().await;
    match written {
        Ok(_) => Ok(Exit::Done),
        Err(ReportError::Store(error)) => Err(error.into()),
        Err(ReportError::Write(error)) => Err(Failure::output(error)),
    }
}

/// Writes the page beside its place and moves it there once it is whole and on disk.
async fn write(store: &Store, file: &Path) -> Result<(Shown, u64), Failure> {
    let written = async {
        let mut to = BufWriter::new(Beside::of(file)?);
        let shown = report::write(store, super::clock().now(), &mut to).await?;
        let beside = to.into_inner().map_err(io::IntoInnerError::into_error)?;
        let bytes = beside.bytes()?;
        beside.in_place()?;
        Ok((shown, bytes))
    };
    written.await.map_err(|error| match error {
        ReportError::Store(error) => error.into(),
        ReportError::Write(error) => Failure::Other(format!(
            "cannot write {}: {error}\n  help: name another file with --output",
            file.display()
        )),
    })
}

#[allow(clippy::cast_precision_loss, reason = "a size for people")]
fn text(written: &Written) -> String {
    format!(
        "{}: {} in {} series, {:.1} MB, made in {:.1} s",
        written.file,
        crate::words::counted(written.sounds, "sound"),
        written.series,
        written.bytes as f64 / 1e6,
        written.seconds
    )
}
