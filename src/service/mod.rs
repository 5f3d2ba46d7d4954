//! What runs: a session (configuration, database, key, lock) that makes passes, once or for years.
//! This is the only place that starts tasks, and each is ended where it was started.

mod alerting;
mod daemon;
mod discover;
mod follow;
mod heartbeat;
mod lock;
mod measured;
mod notices;
mod notify;
mod rebuild;
mod session;
pub mod signals;
mod watched;
mod web;

pub use daemon::run;
pub use discover::Discovery;
pub use lock::{Holder, Lock};
pub use rebuild::{Indexing, Reading, reindex, reparse};
pub use session::{Session, read_watchlist};
pub use web::Web;

use crate::problem::Problems;
use crate::store::StoreError;

/// Why a session cannot begin or go on, named by what the caller does about it.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Something that a person wrote is wrong.
    #[error("{0}")]
    Problems(#[from] Problems),
    /// The database failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// Another process has the database for itself.
    #[error("{0} {doing} this database", doing = if .0.reparses { "is making what is derived from answers anew in" } else { "is already collecting into" })]
    Locked(Holder),
    /// The machine does not give what is needed.
    #[error("{0}")]
    Machine(String),
}
