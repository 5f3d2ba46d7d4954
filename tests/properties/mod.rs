//! What must hold for whatever bytes come: for fuzzing (`scripts/fuzz`), and for the corpus that the
//! suite replays. Each property panics where it does not hold.

mod answer;
mod spool;
mod watchlist;

pub(crate) use answer::answer;
pub(crate) use spool::spool;
pub(crate) use watchlist::watchlist;
