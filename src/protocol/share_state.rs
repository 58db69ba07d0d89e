//! The durable state of share-partitions, between a partition's leader, the group coordinator and the share coordinator
//! (KIP-932): InitializeShareGroupState (API 83), ReadShareGroupState (84), WriteShareGroupState (85),
//! DeleteShareGroupState (86), ReadShareGroupStateSummary (87).

use super::ErrorCode;
use crate::base::{LeaderEpoch, Offset, TopicPartition};
use std::rc::Rc;

/// Offsets `first ..= last` of one delivery state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StateBatch {
    /// The first.
    pub first_offset: Offset,
    /// The last, inclusive.
    pub last_offset: Offset,
    /// 0 available, 2 acknowledged, 4 archived. What is acquired is never written.
    pub delivery_state: i8,
    /// How often they have been delivered.
    pub delivery_count: i16,
}

impl StateBatch {
    /// The delivery state of what can be delivered again.
    pub const AVAILABLE: i8 = 0;
    /// Of what is processed.
    pub const ACKNOWLEDGED: i8 = 2;
    /// Of what is given up.
    pub const ARCHIVED: i8 = 4;
}

/// A group begins to read these partitions.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct InitializeShareGroupStateRequest {
    /// The share group.
    pub group: Rc<str>,
    /// Which.
    pub partitions: Vec<InitializeStatePartition>,
}

/// One partition of an [`InitializeShareGroupStateRequest`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct InitializeStatePartition {
    /// Which.
    pub partition: TopicPartition,
    /// Fences writers of an earlier life: the group's epoch.
    pub state_epoch: i32,
    /// The share-partition start offset, −1 to find it by `share.auto.offset.reset`.
    pub start_offset: Offset,
}

/// What became of each partition of a request that initialises, writes or deletes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ShareGroupStateResponse {
    /// In the order of the request, each with `NONE` or why not.
    pub partitions: Vec<(TopicPartition, ErrorCode)>,
}

/// A new leader asks what its predecessors wrote; or (as ReadShareGroupStateSummary) somebody asks how far a group is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ReadShareGroupStateRequest {
    /// The share group.
    pub group: Rc<str>,
    /// Which, with the epoch of its leader, −1 for who does not lead.
    pub partitions: Vec<(TopicPartition, LeaderEpoch)>,
}

/// That.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ReadShareGroupStateResponse {
    /// In the order of the request.
    pub partitions: Vec<ReadStatePartition>,
}

/// One partition of a [`ReadShareGroupStateResponse`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ReadStatePartition {
    /// Which.
    pub partition: TopicPartition,
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// 0 on error.
    pub state_epoch: i32,
    /// The share-partition start offset, −1 if it is still to be found.
    pub start_offset: Offset,
    /// From there on, in the order of the offsets; what they leave out is available.
    pub state_batches: Vec<StateBatch>,
}

/// A leader notes what has changed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct WriteShareGroupStateRequest {
    /// The share group.
    pub group: Rc<str>,
    /// Where.
    pub partitions: Vec<WriteStatePartition>,
}

/// One partition of a [`WriteShareGroupStateRequest`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct WriteStatePartition {
    /// Which.
    pub partition: TopicPartition,
    /// As it was read.
    pub state_epoch: i32,
    /// The leader's.
    pub leader_epoch: LeaderEpoch,
    /// The share-partition start offset, −1 if it has not moved.
    pub start_offset: Offset,
    /// How many offsets at or above the start offset need no delivery any more; −1 if unknown (KIP-1226).
    pub delivery_complete_count: i32,
    /// What has changed.
    pub state_batches: Vec<StateBatch>,
}

/// A group is gone, or a topic.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DeleteShareGroupStateRequest {
    /// The share group.
    pub group: Rc<str>,
    /// Which.
    pub partitions: Vec<TopicPartition>,
}

/// How far the group is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ReadShareGroupStateSummaryResponse {
    /// In the order of the request.
    pub partitions: Vec<ReadStateSummaryPartition>,
}

/// One partition of a [`ReadShareGroupStateSummaryResponse`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ReadStateSummaryPartition {
    /// Which.
    pub partition: TopicPartition,
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// 0 on error.
    pub state_epoch: i32,
    /// Of the leader that wrote last, −1 if none has.
    pub leader_epoch: LeaderEpoch,
    /// The share-partition start offset, −1 if unknown.
    pub start_offset: Offset,
    /// As in [`WriteStatePartition`].
    pub delivery_complete_count: i32,
}
