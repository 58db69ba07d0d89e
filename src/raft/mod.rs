//! The quorum that keeps the metadata log: elections, replication, commitment, snapshots (KRaft).
//!
//! ```text
//! client ── poll, requests, responses      one voter: what it does when, and what it answers
//!   quorum, election, leader                 the state it is in, votes, what a leader knows of the others
//!   request_manager                          whom it may ask now
//!   log                                      batches and snapshots
//! observer                                 a broker's half: reads the log, votes for nobody
//! ```
//!
//! Invariants (the checker in `check` looks at them after every event): at most one leader an epoch; what is committed is in
//! the log of every later leader; logs that share a record share all before it; a voter votes once an epoch, and its
//! [`ElectionState`] is on the disk before it answers; so is every record that its Fetch claims to have.
//!
//! In Kafka: `org.apache.kafka.raft` (KIP-595, KIP-630, KIP-996, KIP-1166). On purpose different: the voters are fixed
//! (`kraft.version` 0; no AddRaftVoter, RemoveRaftVoter, UpdateRaftVoter); records are appended at once, not after
//! `controller.quorum.append.linger.ms`; an observer keeps in memory what a broker's copy of the log holds.

mod client;
mod election;
mod leader;
mod log;
mod observer;
mod quorum;
mod request_manager;
#[cfg(test)]
mod tests;

pub use client::{RaftClient, RaftSetup};
pub use leader::ReplicaState;
pub use log::{RaftLog, Snapshot};
pub use observer::{Observed, Observer};
pub use quorum::ElectionState;
