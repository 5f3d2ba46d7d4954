//! Logs: on stderr, in UTC; a daemon tells what it does, a command only what went wrong.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::args::Command;
use crate::config;

/// Starts the logs. `RUST_LOG` chooses what is told, as everywhere in Rust.
pub(super) fn start(command: &Command) {
    let level = if matches!(command, Command::Run) {
        LevelFilter::INFO
    } else {
        LevelFilter::WARN
    };
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .parse_lossy(config::log_filter());
    let quiet = ["tokio_cron_scheduler=warn", "sqlx=warn"];
    let filter = quiet
        .iter()
        .filter_map(|d| d.parse().ok())
        .fold(filter, EnvFilter::add_directive);
    let colours = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_target(false)
        .init();
}
