//! The targets follow the watchlist: load both, compare, write the difference.

use crate::model::TargetSpec;
use crate::schedule::Schedule;
use crate::store::targets::{NewTarget, remove, write};
use crate::store::{Store, StoreError};
use crate::watchlist::diff;

/// What a synchronisation changed: numbers of targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Changes {
    /// New.
    pub added: usize,
    /// With another schedule, tags or note.
    pub changed: usize,
    /// No longer watched; their history stays.
    pub removed: usize,
    /// Watched again.
    pub returned: usize,
    /// As they were.
    pub unchanged: usize,
}
