//! Consumer groups: how far they have read. Members and assignors come with the issue on groups.
//!
//! In Kafka: `GroupCoordinatorShard`, `OffsetMetadataManager`.

mod offset_records;
mod offsets;
mod pending_offsets;

pub use offset_records::{OffsetAndMetadata, OffsetKey, offset_commit_record, offset_tombstone};
pub use offsets::{LATEST_OFFSET_COMMIT_VERSION, OffsetsShard};
