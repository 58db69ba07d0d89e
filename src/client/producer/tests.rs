//! The producer against a scripted cluster.

mod chaos;
mod harness;
mod idempotence;
mod sending;
