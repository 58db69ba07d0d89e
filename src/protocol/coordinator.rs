//! FindCoordinator (API 10), OffsetCommit (8), OffsetFetch (9).

use super::{ErrorCode, MemberEpoch};
use crate::base::{BrokerId, Generation, LeaderEpoch, Offset, TopicPartition};
use std::rc::Rc;

/// What kind of coordinator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CoordinatorType {
    /// Of a consumer group.
    Group,
    /// Of a transactional id.
    Transaction,
    /// Of a share-partition: `group:topicId:partition`.
    Share,
}

/// Which broker coordinates this key?
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FindCoordinatorRequest {
    /// Group or transactional id.
    pub key: Rc<str>,
    /// Of what kind.
    pub key_type: CoordinatorType,
}

/// That one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FindCoordinatorResponse {
    /// `NONE` or `COORDINATOR_NOT_AVAILABLE`.
    pub error: ErrorCode,
    /// −1 on error.
    pub node: BrokerId,
}

/// Remember how far a group has read.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OffsetCommitRequest {
    /// The group.
    pub group: Rc<str>,
    /// −1 for a consumer that assigned its partitions itself.
    pub generation: Generation,
    /// Empty likewise.
    pub member_id: Rc<str>,
    /// `group.instance.id`.
    pub instance_id: Option<Rc<str>>,
    /// What to remember.
    pub offsets: Vec<OffsetCommitPartition>,
}

/// One partition of an [`OffsetCommitRequest`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OffsetCommitPartition {
    /// Where.
    pub partition: TopicPartition,
    /// The next offset to read.
    pub offset: Offset,
    /// Of the last record read, −1 if unknown.
    pub leader_epoch: LeaderEpoch,
    /// What the application adds.
    pub metadata: Rc<str>,
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OffsetCommitResponse {
    /// In the order of the request.
    pub partitions: Vec<OffsetCommitResult>,
}

/// One partition of an [`OffsetCommitResponse`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OffsetCommitResult {
    /// Where.
    pub partition: TopicPartition,
    /// `NONE` or why not.
    pub error: ErrorCode,
}

/// How far has a group read?
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OffsetFetchRequest {
    /// The group.
    pub group: Rc<str>,
    /// Where.
    pub partitions: Vec<TopicPartition>,
    /// Refuse while a transaction's offsets are pending (KIP-447).
    pub require_stable: bool,
    /// Who asks, if it is a member of the consumer protocol: its id and its epoch (version 9).
    pub member: Option<(Rc<str>, MemberEpoch)>,
}

/// That far.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OffsetFetchResponse {
    /// Of the whole group.
    pub error: ErrorCode,
    /// In the order of the request.
    pub partitions: Vec<OffsetFetchResult>,
}

/// One partition of an [`OffsetFetchResponse`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OffsetFetchResult {
    /// Where.
    pub partition: TopicPartition,
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// −1 if nothing was committed.
    pub offset: Offset,
    /// −1 if unknown.
    pub leader_epoch: LeaderEpoch,
    /// What the application added.
    pub metadata: Rc<str>,
}
