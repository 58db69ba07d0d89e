//! Coordinators: state machines whose state is the replay of what they wrote.
//!
//! Invariant: a handler returns records and a response and changes nothing; state changes only when a record is replayed.
//! So failover *is* loading the partition. (Transactions have a pending state besides, which dies with its coordinator.)
//!
//! In Kafka: `coordinator-common` (`CoordinatorShard`, `CoordinatorResult`), `group-coordinator`, `transaction-coordinator`,
//! `share-coordinator`.

pub mod group;
mod json;
mod json_consumer;
mod json_share;
mod record;
pub mod share;
pub mod transaction;

pub use crate::metadata::coordinator_partition as partition_for;
pub use json::{offsets_record_json, transaction_record_json};
pub use record::{CoordinatorRecord, batch_of, records_of, transactional_batch_of};
