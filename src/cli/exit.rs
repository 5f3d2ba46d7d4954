//! How a command ends: the exit statuses of the contract, and errors for the person who reads them.

use std::process::ExitCode;

use super::output::Told;
use crate::collect::PassError;
use crate::problem::Problems;
use crate::service::ServiceError;
use crate::store::StoreError;

/// An exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Usage, configuration or watchlist is wrong.
    Wrong = 2,
    /// Done in part.
    Part = 3,
    /// Stopped by budget, credits or key.
    Stopped = 4,
}

impl Exit {
    pub(super) fn code(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}

/// Why a command could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Problems(#[from] Problems),
    #[error("{0}")]
    Service(#[from] ServiceError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Pass(#[from] PassError),
    #[error("{0}")]
    Other(String),
    /// A person has stopped it.
    #[error("stopped: {0}")]
    Stopped(String),
    /// Whoever read the output has gone.
    #[error("")]
    Unread,
}

impl Failure {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Problems(_) | Self::Service(ServiceError::Problems(_)) => Exit::Wrong,
            Self::Service(_) | Self::Store(_) | Self::Pass(_) | Self::Other(_) => Exit::Failed,
            Self::Stopped(_) => Exit::Part,
            Self::Unread => Exit::Done,
        }
    }

    /// What is wrong, one by one, for machines.
    pub(super) fn problems(&self) -> Vec<Told> {
        match self {
            Self::Problems(Problems(problems))
            | Self::Service(ServiceError::Problems(Problems(problems))) => {
                problems.iter().map(Told::new).collect()
            }
            other => vec![Told::of(&other.to_string())],
        }
    }

    /// Writing the output failed. That a reader has had enough (`| head`) is no failure.
    pub(super) fn output(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            Self::Unread
        } else {
            Self::Other(format!("cannot write the output: {error}"))
        }
    }
}
