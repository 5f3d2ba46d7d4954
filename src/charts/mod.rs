//! Charts for pages: plain values become SVG whose parts have classes and no colours of their own.
//!
//! The colours, for light and dark, are variables of [`STYLE`], which a page links or holds once. No
//! chart has an inline style, so that a strict Content-Security-Policy lets all of them through. Each
//! says in words what it shows; the figures stand in a table beside it.

mod axis;
mod bar;
mod frame;
mod index;
mod shares;
mod spark;
mod surface;
mod ticks;
mod world;

pub use bar::bar;
pub use index::{IndexChart, index_chart};
pub use shares::{shade, shares_chart};
pub use spark::{spark, spark_over};
pub use world::{LEVELS, level, world_map, world_shapes};

/// The style sheet of all charts.
pub const STYLE: &str = include_str!("charts.css");
