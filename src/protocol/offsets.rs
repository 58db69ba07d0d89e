//! ListOffsets (API 2) and OffsetForLeaderEpoch (API 23): questions about a log's shape.

use super::ErrorCode;
use crate::base::config::IsolationLevel;
use crate::base::{BrokerId, LeaderEpoch, Offset, TopicPartition};

/// Which offset belongs to a timestamp?
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ListOffsetsRequest {
    /// −1 for a consumer.
    pub replica: BrokerId,
    /// Decides what "latest" means.
    pub isolation: IsolationLevel,
    /// The questions.
    pub partitions: Vec<ListOffsetsPartition>,
}

/// One question of a [`ListOffsetsRequest`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ListOffsetsPartition {
    /// Where.
    pub partition: TopicPartition,
    /// −1 for "do not check".
    pub current_leader_epoch: LeaderEpoch,
    /// Milliseconds, or [`Self::LATEST`], or [`Self::EARLIEST`].
    pub timestamp: i64,
}

impl ListOffsetsPartition {
    /// The end as the isolation level sees it.
    pub const LATEST: i64 = -1;
    /// The log start offset.
    pub const EARLIEST: i64 = -2;
    /// The record with the largest timestamp (KIP-734).
    pub const MAX_TIMESTAMP: i64 = -3;
    /// The log start offset of what is kept on the broker itself (KIP-405).
    pub const EARLIEST_LOCAL: i64 = -4;
    /// The end of what is kept in a remote tier (KIP-1005).
    pub const LATEST_TIERED: i64 = -5;
    /// The first offset that waits to be moved to a remote tier (KIP-1023).
    pub const EARLIEST_PENDING_UPLOAD: i64 = -6;
}

/// The answers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ListOffsetsResponse {
    /// In the order of the request.
    pub partitions: Vec<ListOffsetsPartitionResponse>,
}

/// One answer of a [`ListOffsetsResponse`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ListOffsetsPartitionResponse {
    /// Where.
    pub partition: TopicPartition,
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// Of the record found, −1 for the special questions.
    pub timestamp: i64,
    /// −1 if there is none.
    pub offset: Offset,
    /// Of the record found, −1 if unknown.
    pub leader_epoch: LeaderEpoch,
}

/// Where does an epoch end in the leader's log?
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OffsetForLeaderEpochRequest {
    /// −1 for a consumer.
    pub replica: BrokerId,
    /// The questions.
    pub partitions: Vec<OffsetForLeaderEpochPartition>,
}

/// One question of an [`OffsetForLeaderEpochRequest`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OffsetForLeaderEpochPartition {
    /// Where.
    pub partition: TopicPartition,
    /// The epoch the asker believes is current, −1 for "do not check".
    pub current_leader_epoch: LeaderEpoch,
    /// The epoch asked about.
    pub leader_epoch: LeaderEpoch,
}

/// The answers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OffsetForLeaderEpochResponse {
    /// In the order of the request.
    pub partitions: Vec<OffsetForLeaderEpochResult>,
}

/// One answer of an [`OffsetForLeaderEpochResponse`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OffsetForLeaderEpochResult {
    /// Where.
    pub partition: TopicPartition,
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// The largest epoch not above the one asked about, −1 if unknown.
    pub leader_epoch: LeaderEpoch,
    /// Its end, −1 if unknown.
    pub end_offset: Offset,
}
