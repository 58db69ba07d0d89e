//! The share coordinator: what share groups have done with their partitions, so that it outlives the partitions' leaders.
//!
//! ```text
//! snapshot  all that is known of a share-partition, written when it is initialised and after many updates
//!   + update  what a leader has changed since; a new leader's epoch
//! ```
//! Invariants: a handler gives a record, which takes effect when it is replayed; of two writers the one with the older
//! leader epoch, and whoever writes for an older life of the share-partition (its state epoch), is refused.
//!
//! Departures: share-partitions that nobody writes get no new snapshots, and the log is not cut off below what is still
//! needed (`share.coordinator.state.topic.prune.interval.ms`): the log only grows.
//!
//! In Kafka: `ShareCoordinatorShard`, `ShareGroupOffset`, `PersisterStateBatchCombiner`.

mod batches;
mod json;
mod record;
mod shard;
#[cfg(test)]
mod tests;

pub use json::share_state_record_json;
pub use record::{ShareRecord, ShareSnapshot, ShareUpdate};
pub use shard::{ShareCoordinatorShard, SharePartitionState};

use crate::base::TopicPartition;
use crate::metadata::Uuid;
use std::rc::Rc;

/// A partition of a topic, as one share group has it.
pub type SharePartitionKey = (Rc<str>, TopicPartition);

/// What a share-partition is called in FindCoordinator (`SharePartitionKey.asCoordinatorKey`).
pub fn coordinator_key(group: &str, partition: TopicPartition) -> String {
    format!("{group}:{}:{}", Uuid::of_topic(partition.topic), partition.partition)
}
