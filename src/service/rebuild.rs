//! Making what is derived anew, with the database for itself: kept answers are read again, the index is
//! computed again.

use super::session::{signs_of_life, this_worker};
use super::{Holder, Lock, ServiceError};
use crate::clock::Clock;
use crate::collect::Stop;
use crate::collect::index::{Indexed, index_due};
use crate::collect::reparse::{self, Reparsed};
use crate::config::Config;
use crate::store::workers::{REPARSES, Worker};
use crate::store::{Missing, Store, StoreError, sqlite_file};
use crate::trend::Fit;

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub enum Reading {
    /// So many answers are kept.
    Kept(u64),
    /// So many more have been read.
    Read(u64),
}

/// Reads all kept answers again while nobody collects, and computes the index of what they say.
/// `progress` is told how many answers there are, then of every part how many it had.
pub async fn reparse(
    config: &Config,
    clock: &Clock,
    stop: &Stop,
    progress: &dyn Fn(Reading),
) -> Result<Reparsed, ServiceError> {
    alone(config, clock, async |store| {
        progress(Reading::Kept(store.kept_answers().await?));
        let reparsed = reparse::reparse(store, stop, &|answers| progress(Reading::Read(answers))).await?;
        index_due(store, clock, 1, &|| !stop.requested(), &|_| {}).await?;
        Ok(reparsed)
    })
    .await
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub enum Indexing {
    /// So many series have windows.
    Marked(u64),
    /// So many more have been computed.
    Computed(u64),
}

/// Computes the index of every series again while nobody collects. `progress` is told how many there
/// are, then of every batch how many it had. Gives also how well the windows fit together.
pub async fn reindex(
    config: &Config,
    clock: &Clock,
    stop: &Stop,
    progress: &dyn Fn(Indexing),
) -> Result<(Indexed, Fit), ServiceError> {
    alone(config, clock, async |store| {
        progress(Indexing::Marked(store.mark_all_series(clock.now()).await?));
        let computed = |series| progress(Indexing::Computed(series));
        let indexed = index_due(store, clock, 1, &|| !stop.requested(), &computed).await?;
        let (fit, _) = store.index_fit().await?;
        Ok((indexed, fit))
    })
    .await
}

/// Does something while nobody collects.
async fn alone<T>(
    config: &Config,
    clock: &Clock,
    work: impl AsyncFnOnce(&Store) -> Result<T, StoreError>,
) -> Result<T, ServiceError> {
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
    let done = with_signs_of_life(&store, &worker, clock, work).await;
    let left = store.leave(&worker.id).await;
    store.close().await;
    let done = done?;
    left?;
    Ok(done)
}

async fn with_signs_of_life<T>(
    store: &Store,
    worker: &Worker,
    clock: &Clock,
    work: impl AsyncFnOnce(&Store) -> Result<T, StoreError>,
) -> Result<T, ServiceError> {
    // Whoever comes now sees this worker, so that of two that begin at once one gives way.
    let workers = store.workers(clock.now()).await?;
    if let Some(other) = workers.iter().find(|other| other.id != worker.id) {
        return Err(ServiceError::Locked(Holder::from(other)));
    }
    let sign = async || store.heartbeat(worker, clock.now()).await.map(drop);
    tokio::select! {
        done = work(store) => Ok(done?),
        never = signs_of_life(sign) => match never {},
    }
}
