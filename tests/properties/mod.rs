//! What must hold for whatever bytes come: for fuzzing (`scripts/fuzz`), and for the corpus that the
//! suite replays. Each property panics where it does not hold.

mod answer;
mod spool;
mod watchlist;

pub use answer::answer;
pub use spool::spool;
pub use watchlist::watchlist;
