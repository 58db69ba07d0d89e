//! What eyes see: plain data, projected from a run.
//!
//! Invariants: a view borrows nothing and holds no localised text; a section that says the same as before is the same `Rc`.

mod application;
mod files;
mod groups;
mod lanes;
mod ledger;
mod model;
mod owners;
mod processor;
mod project;
mod quorum;
mod server;
mod share;
mod sink;
mod transactions;
mod verdict;

pub use files::{node_files, partition_files};
pub use groups::*;
pub use lanes::*;
pub use model::*;
pub use owners::*;
pub use processor::ProcessorView;
pub use project::{LostMessage, Recent, partition_name, project};
pub use server::{stored_before, stored_from};
pub use share::{ShareCell, SharePartitionView};
pub use sink::{SinkRow, SinkView};
pub use transactions::*;
pub use verdict::*;

/// How many offsets of a log are in view.
pub const CELLS: usize = 48;
