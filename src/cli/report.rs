//! `soundwatch report`: one page with all sounds. Needs the database only.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::exit::{Exit, Failure};
use super::output::Output;
use crate::config::Config;
use crate::report::{self, ReportError, Shown};
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
    let began = super::clock().monotonic();
    let store = Store::open(config.database.url.expose(), Missing::Refuse).await?;
    let written = write(&store, file).await;
    store.close().await;
    let (shown, bytes) = written?;
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

/// Writes the page beside its place and moves it there once it is whole and on disk.
async fn write(store: &Store, file: &Path) -> Result<(Shown, u64), Failure> {
    store.require_migrated().await?;
    let beside = beside(file);
    let written = fill(store, &beside).await;
    let moved = match written {
        Ok(written) => fs::rename(&beside, file)
            .map(|()| written)
            .map_err(ReportError::from),
        Err(error) => Err(error),
    };
    moved.map_err(|error| {
        // It may never have been made.
        let _ = fs::remove_file(&beside);
        match error {
            ReportError::Store(error) => error.into(),
            ReportError::Write(error) => Failure::Other(format!(
                "cannot write {}: {error}\n  help: name another file with --output",
                file.display()
            )),
        }
    })
}

async fn fill(store: &Store, beside: &Path) -> Result<(Shown, u64), ReportError> {
    let mut to = BufWriter::new(File::create(beside)?);
    let shown = report::write(store, super::clock().now(), &mut to).await?;
    let file = to.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok((shown, file.metadata()?.len()))
}

/// A name of our own in the same folder, so that it can be moved.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    file.with_file_name(name)
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
