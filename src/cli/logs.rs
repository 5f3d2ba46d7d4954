//! Logs: on stderr, in UTC, or in systemd's journal when that is where stderr goes; a daemon tells what
//! it does, a command only what went wrong.

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

use super::args::Command;
use super::journal::{self, Journal};
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
    let logs = tracing_subscriber::registry().with(filter);
    let in_journal = journal::is_stderr(config::journal_stream().as_deref());
    // Without its socket the journal takes what comes on stderr.
    if in_journal && let Ok(journal) = Journal::open() {
        return logs.with(journal).init();
    }
    let colours = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_target(false);
    logs.with(lines).init();
}
