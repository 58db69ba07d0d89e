//! The world: virtual time, an event queue, a network of TCP-like connections, and faults.
//!
//! Invariants: events are totally ordered by (time, sequence); chance is split from the seed by name, per node and per
//! link; a [`World`] is its state: cloning it is a checkpoint, hashing it leaves out only tracing and buffers. Faults are
//! inputs, and are recorded as events like everything else.

mod admin;
mod any_node;
pub mod chaos;
mod engine;
mod fault;
mod network;
mod plan;
mod post;
mod queue;
mod quiet;
mod strike;
mod summary;
mod task;
#[cfg(test)]
mod tests;
mod timers;
mod transport;
mod world;

pub use any_node::AnyNode;
pub use engine::{Machine, Process, Recorded};
pub use fault::{Action, EventKind, Fault, MessageKind, Trigger};
pub use network::{Link, NetworkSetup};
pub use summary::records_of;
pub use task::AdminTask;
pub use world::{BootError, CLUSTER_ID, InFlight, Step, World, WorldSetup};
