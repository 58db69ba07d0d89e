//! The producer against a scripted cluster.

mod harness;
mod idempotence;
mod sending;
