//! What eyes see: plain data, projected from a run.

mod lanes;
mod model;
mod verdict;

pub use lanes::*;
pub use model::*;
pub use verdict::*;

/// How many offsets of a log are in view.
pub const CELLS: usize = 48;
