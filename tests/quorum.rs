//! Three controllers under real brokers and clients: crashes, partitions, pauses, power losses.
//!
//! `random` is Kafka's `RaftEventSimulationTest`.

#[path = "quorum/failover.rs"]
mod failover;
#[path = "quorum/lab.rs"]
mod lab;
#[path = "quorum/random.rs"]
mod random;
#[path = "quorum/snapshots.rs"]
mod snapshots;
#[path = "quorum/view.rs"]
mod view;
