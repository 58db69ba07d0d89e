//! DeleteRecords (API 21): an administrator moves the start of logs.

use super::ErrorCode;
use crate::base::{Duration, Offset, TopicPartition};

/// Delete what is before these offsets.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DeleteRecordsRequest {
    /// Where, and up to where.
    pub partitions: Vec<DeleteRecordsPartition>,
    /// How long to wait until all replicas have followed.
    pub timeout: Duration,
}

/// One partition of a [`DeleteRecordsRequest`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DeleteRecordsPartition {
    /// Where.
    pub partition: TopicPartition,
    /// The first offset that stays, or [`Self::HIGH_WATERMARK`].
    pub offset: Offset,
}

impl DeleteRecordsPartition {
    /// Everything that is replicated.
    pub const HIGH_WATERMARK: Offset = -1;
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DeleteRecordsResponse {
    /// In the order of the request.
    pub partitions: Vec<DeleteRecordsResult>,
}

/// One partition of a [`DeleteRecordsResponse`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DeleteRecordsResult {
    /// Where.
    pub partition: TopicPartition,
    /// The smallest log start offset of all live replicas, −1 after an error.
    pub low_watermark: Offset,
    /// `NONE` or why not.
    pub error: ErrorCode,
}
