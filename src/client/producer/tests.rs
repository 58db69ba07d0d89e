//! The producer against a scripted cluster.

mod chaos;
mod coordinator;
mod harness;
mod idempotence;
mod new_epochs;
mod sending;
mod transaction_chaos;
mod transaction_epochs;
mod transaction_errors;
mod transaction_views;
mod transactions;
