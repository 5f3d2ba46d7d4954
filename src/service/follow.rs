//! Follows the watchlist file beside the passes: what a person changes is seen within two seconds,
//! also while a pass takes a minute.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::alerting::WatchlistNews;
use super::notices::Notices;
use super::session::warn_of;
use super::watched::{Look, QUIET, Watched};
use crate::clock::Clock;
use crate::collect::Stop;
use crate::collect::targets::{Changes, sync};
use crate::config::{Budget, Config};
use crate::problem::{Problem, Problems};
use crate::store::{Store, StoreError};
use crate::watchlist::{self, Watchlist};

/// The file is looked at so often where the kernel says nothing.
const LOOK: Duration = Duration::from_millis(500);

/// After an error of the database an edit is tried again after so long.
const AFTER_ERROR: Duration = Duration::from_secs(10);

/// Problems that are logged one by one.
const TOLD: usize = 20;

/// What is followed; sent anew, it is read anew.
#[derive(Clone, Debug)]
pub(super) struct Followed {
    path: Option<PathBuf>,
    budget: Budget,
}

impl Followed {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            path: config.watchlist.path.clone(),
            budget: config.budget,
        }
    }
}

/// Whoever follows the file.
pub(super) struct Follower {
    store: Store,
    clock: Clock,
    followed: watch::Receiver<Followed>,
    /// Told when the targets have changed.
    edited: Arc<Notify>,
    file: Option<File>,
}

/// The file with what is heard of it.
struct File {
    watched: Watched,
    notices: Notices,
    /// The list in force is not the one of the file.
    is_broken: bool,
}

impl Follower {
    /// Follows the file as it is now. `edited` is told when the targets have changed.
    pub(super) fn new(
        store: Store,
        clock: Clock,
        followed: watch::Receiver<Followed>,
        edited: Arc<Notify>,
    ) -> Self {
        let path = followed.borrow().path.clone();
        Self {
            store,
            clock,
            followed,
            edited,
            file: path.map(|path| File::new(Watched::new(path))),
        }
    }

    /// Reads the file and brings the targets in line, for the first time: a broken one is an error.
    pub(super) async fn begin(&self) -> Result<(), super::ServiceError> {
        if let Some(file) = &self.file {
            let watchlist = watchlist::read(file.watched.path())?;
            self.apply(&watchlist).await?;
        }
        Ok(())
    }

    /// Follows it until asked to stop, or until nobody is left who says what to follow. `news` learns
    /// whether the file is good.
    pub(super) async fn follow(mut self, news: WatchlistNews, mut stop: Stop) {
        let mut wait = LOOK;
        loop {
            tokio::select! {
                () = stop.wait() => return,
                changed = self.followed.changed() => match changed {
                    Ok(()) => self.begin_anew(),
                    Err(_) => return,
                },
                () = something(self.file.as_ref()) => {}
                () = tokio::time::sleep(wait) => {}
            }
            wait = self.look(&news).await;
        }
    }

    /// Reads it again as soon as it stands still, also if it is the same.
    fn begin_anew(&mut self) {
        let path = self.followed.borrow_and_update().path.clone();
        match &mut self.file {
            // What has been heard of it still holds: it may be half-written.
            Some(file) if path.as_deref() == Some(file.watched.path()) => file.watched.forget(),
            other => *other = path.map(|path| File::new(Watched::unknown(path))),
        }
    }

    /// Takes up what has changed, and gives the time until the next look.
    async fn look(&mut self, news: &WatchlistNews) -> Duration {
        let Some(file) = &mut self.file else { return LOOK };
        match file.watched.look(self.clock.monotonic(), file.notices.written()) {
            Look::Same => return LOOK,
            Look::Changing => return QUIET,
            Look::Changed | Look::Gone => {}
        }
        // A folder may be another one now, and a symlink lead elsewhere.
        file.notices = Notices::of(file.watched.path());
        let read = read(file.watched.path()).await;
        if !file.watched.is_same() {
            file.watched.forget();
            return QUIET;
        }
        let was_broken = std::mem::replace(&mut file.is_broken, read.is_err());
        let watchlist = match read {
            Ok(watchlist) => watchlist,
            Err(problems) => {
                news.read(Err(&problems));
                tell_broken(problems);
                return LOOK;
            }
        };
        if was_broken {
            tracing::info!("the watchlist is good again");
        }
        if let Err(error) = self.apply(&watchlist).await {
            tracing::error!(%error, "the watchlist could not be applied; trying again in {} s", AFTER_ERROR.as_secs());
            self.file.iter_mut().for_each(|file| file.watched.forget());
            return AFTER_ERROR;
        }
        news.read(Ok(()));
        LOOK
    }

    async fn apply(&self, watchlist: &Watchlist) -> Result<(), StoreError> {
        warn_of(watchlist);
        let budget = self.followed.borrow().budget;
        let changes = sync(&self.store, &watchlist.targets, budget, self.clock.now()).await?;
        tell(&changes);
        self.edited.notify_one();
        Ok(())
    }
}

impl File {
    fn new(watched: Watched) -> Self {
        Self {
            notices: Notices::of(watched.path()),
            watched,
            is_broken: false,
        }
    }
}

/// Waits until something has happened to the file; for ever where there is none.
async fn something(file: Option<&File>) {
    match file {
        Some(file) => file.notices.something().await,
        None => std::future::pending().await,
    }
}

/// Reads the file on the blocking pool: a large one takes its time, and requests are under way.
async fn read(path: &Path) -> Result<Watchlist, Problems> {
    let path = path.to_path_buf();
    let read = tokio::task::spawn_blocking(move || watchlist::read(&path)).await;
    read.unwrap_or_else(|error| Err(Problem::new(format!("the watchlist cannot be read: {error}")).into()))
}

/// Logs what is wrong with the watchlist: once for each state of the file.
fn tell_broken(Problems(mut problems): Problems) {
    let all = problems.len();
    problems.truncate(TOLD);
    let rest = match all - problems.len() {
        0 => String::new(),
        rest => format!("\n… and {rest} more; `soundwatch check` tells all"),
    };
    tracing::error!(
        "the old watchlist stays in force until this is mended:\n{}{rest}",
        Problems(problems)
    );
}

/// Logs what the watchlist has changed, for people and in fields.
fn tell(changes: &Changes) {
    let rounded = |credits: f64| (credits * 100.0).round() / 100.0;
    tracing::info!(
        added = changes.added,
        removed = changes.removed,
        changed = changes.changed,
        returned = changes.returned,
        credits_per_day_before = rounded(changes.credits_per_day_before),
        credits_per_day_after = rounded(changes.credits_per_day_after),
        "the targets follow the watchlist: {}",
        changes.names
    );
}
