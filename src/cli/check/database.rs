//! What there is to say of a database that can be opened.

use super::super::forecast::{all_new, paused, standing};
use super::machine::clock_beside;
use crate::collect::targets::Changes;
use crate::config::Config;
use crate::forecast::Standing;
use crate::model::TargetSpec;
use crate::problem::Problem;
use crate::service::{Holder, Lock};
use crate::store::migrate::NEWEST;
use crate::store::{Missing, Store, StoreError, sqlite_file};

/// What was found in it.
#[derive(Default)]
pub(super) struct Found {
    pub(super) state: String,
    pub(super) standing: Option<Standing>,
    pub(super) changes: Option<Changes>,
    /// What it says against this machine's clock.
    pub(super) clock: Option<Problem>,
    /// Who collects into it now.
    pub(super) collecting: Vec<Holder>,
    /// Keys that are paused.
    pub(super) paused: Vec<Problem>,
}

/// Looks into a database. Nothing is made or migrated.
pub(super) async fn look_at(
    config: &Config,
    wanted: Option<&[TargetSpec]>,
    now: i64,
) -> Result<Found, StoreError> {
    let store = Store::open(config.database.url.expose(), Missing::Refuse).await?;
    let found = found_in(&store, config, wanted, now).await;
    store.close().await;
    found
}

async fn found_in(
    store: &Store,
    config: &Config,
    wanted: Option<&[TargetSpec]>,
    now: i64,
) -> Result<Found, StoreError> {
    let migration = store.migration().await?;
    let holder = sqlite_file(config.database.url.expose()).and_then(|file| Lock::holder(&file));
    let collecting = holder
        .as_ref()
        .map_or_else(String::new, |holder| format!("; {holder} is collecting"));
    match store.require_migrated().await {
        Ok(()) => {}
        Err(error @ StoreError::Outdated { .. }) => {
            return Ok(Found {
                state: format!(
                    "at migration {migration} of {NEWEST}; `run` and `collect` bring it up to date{collecting}"
                ),
                standing: wanted.filter(|_| error.is_empty_place()).map(all_new),
                collecting: holder.into_iter().collect(),
                ..Found::default()
            });
        }
        Err(error) => return Err(error),
    }
    let mut found = Found {
        state: format!("up to date (migration {migration}){collecting}"),
        clock: clock_beside(store, now).await?,
        paused: paused(store, config, now).await?,
        collecting: match holder {
            Some(holder) => vec![holder],
            None => store.workers(now).await?.iter().map(Holder::from).collect(),
        },
        ..Found::default()
    };
    if let Some(wanted) = wanted {
        let stored = store.targets().await?;
        found.standing = Some(standing(store, &stored, wanted, config, now).await?);
        found.changes = Some(Changes::new(&stored, wanted, config.budget, now));
    }
    Ok(found)
}
