//! Groups: who is a member, and how far they have read.
//!
//! In Kafka: `GroupCoordinatorShard`, `GroupMetadataManager`, `OffsetMetadataManager`.

mod admin;
pub mod assignor;
pub mod classic;
pub mod consumer;
mod expiry;
mod migration;
mod offset_records;
mod offsets;
mod pending_offsets;
mod shard;
pub mod share;

pub use offset_records::{OffsetAndMetadata, OffsetKey, offset_commit_record, offset_tombstone};
pub use offsets::OffsetsShard;
pub use shard::GroupShard;
