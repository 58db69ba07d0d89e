//! The cluster as the controller writes it down and everyone else reads it: the records of the metadata log, the image
//! they add up to, and what a batch of them changed.
//!
//! Invariants: an image is a pure function of the records applied to it, in order; its clone shares almost everything;
//! records have Kafka's bytes. The metadata log is partition 0 of topic 0; other topics count from 1, in the order of
//! their creation.
//!
//! In Kafka: `org.apache.kafka.metadata`, `org.apache.kafka.image`.

mod batch;
mod decode;
mod delta;
mod encode;
mod features;
mod image;
mod json;
mod partition;
mod records;
mod snapshot;
#[cfg(test)]
mod tests;
mod uuid;
pub mod wire;

pub use batch::{MetadataError, batch_of, records_of};
pub use delta::MetadataDelta;
pub use features::{FEATURES, Feature};
pub use image::{BrokerRegistration, MetadataImage, TopicImage};
pub use json::record_json;
pub use partition::PartitionRegistration;
pub use records::{
    BrokerRegistrationChangeRecord, ConfigRecord, ConfigResource, MetadataRecord, PartitionChangeRecord,
    PartitionRecord, RegisterBrokerRecord,
};
pub use snapshot::snapshot_records;
pub use uuid::Uuid;

use crate::base::{TopicId, TopicPartition};

/// The metadata log.
pub const CLUSTER_METADATA: TopicPartition = TopicPartition::new(TopicId(0), 0);
/// Its name.
pub const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";
/// Where group coordinators keep offsets and groups.
pub const CONSUMER_OFFSETS_TOPIC: &str = "__consumer_offsets";
/// Where transaction coordinators keep transactions.
pub const TRANSACTION_STATE_TOPIC: &str = "__transaction_state";
/// Where share coordinators keep what share groups have done.
pub const SHARE_GROUP_STATE_TOPIC: &str = "__share_group_state";

/// Whether brokers keep their own affairs in this topic.
pub fn is_internal_topic(name: &str) -> bool {
    matches!(name, CONSUMER_OFFSETS_TOPIC | TRANSACTION_STATE_TOPIC | SHARE_GROUP_STATE_TOPIC)
}

/// Which of `partitions` partitions coordinates a group or a transactional id: Java's `String.hashCode`, made positive as
/// `Utils.abs` does (which leaves 0 for the number that has no positive counterpart).
pub fn coordinator_partition(key: &str, partitions: u32) -> u32 {
    let hash = key.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    hash.checked_abs().unwrap_or(0) as u32 % partitions
}
