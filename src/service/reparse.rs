//! Reading kept answers again, with the database for itself.

use super::session::{signs_of_life, this_worker};
use super::{Holder, Lock, ServiceError};
use crate::clock::Clock;
use crate::collect::Stop;
use crate::collect::reparse::{self, Reparsed};
use crate::config::Config;
use crate::store::workers::{REPARSES, Worker};
use crate::store::{Missing, Store, StoreError, sqlite_file};

/// Reads all kept answers again while nobody collects. `progress` is told how many answers there are,
/// then of every part how many it had.
pub async fn reparse(
    config: &Config,
    clock: &Clock,
    stop: &Stop,
    progress: &dyn Fn(Reading),
) -> Result<Reparsed, ServiceError> {
    let mut worker = this_worker(clock);
    worker.id.insert_str(0, REPARSES);
    let url = config.database.url.expose();
    let file = sqlite_file(url);
    if let Some(file) = file.as_deref().filter(|file| !file.exists()) {
        return Err(StoreError::Missing(file.display().to_string()).into());
    }
    let _lock = file.map(|file| Lock::take(&file, &worker)).transpose()?;
    let store = Store::open(url, Missing::Refuse).await?;
    store.require_migrated().await?;
    store.enter(&worker).await?;
    let done = alone(&store, &worker, clock, stop, progress).await;
    let left = store.leave(&worker.id).await;
    store.close().await;
    let done = done?;
    left?;
    Ok(done)
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub enum Reading {
    /// So many answers are kept.
    Kept(u64),
    /// So many more have been read.
    Read(u64),
}

async fn alone(
    store: &Store,
    worker: &Worker,
    clock: &Clock,
    stop: &Stop,
    progress: &dyn Fn(Reading),
) -> Result<Reparsed, ServiceError> {
    // Whoever comes now sees this worker, so that of two that begin at once one gives way.
    let workers = store.workers(clock.now()).await?;
    if let Some(other) = workers.iter().find(|other| other.id != worker.id) {
        return Err(ServiceError::Locked(Holder::from(other)));
    }
    progress(Reading::Kept(store.kept_answers().await?));
    let read = |answers| progress(Reading::Read(answers));
    let sign = async || store.heartbeat(worker, clock.now()).await.map(drop);
    tokio::select! {
        done = reparse::reparse(store, stop, &read) => Ok(done?),
        never = signs_of_life(sign) => match never {},
    }
}
