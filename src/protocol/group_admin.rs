//! What an administrator asks about groups: DescribeGroups (API 15), ListGroups (16), DeleteGroups (42), OffsetDelete (47),
//! ConsumerGroupDescribe (69).
//!
//! Topics of OffsetDelete are named by their ids here, as everywhere; one that does not exist has none.

use super::{ErrorCode, MemberEpoch};
use crate::base::TopicPartition;
use bytes::Bytes;
use std::rc::Rc;

/// Where a group is, of whichever protocol (`GroupState`).
///
/// ```text
/// classic:  Empty ──► PreparingRebalance ──► CompletingRebalance ──► Stable
///             ▲         │     ▲      ▲               │                 │
///             └─────────┘     │      └───────────────┘                 │
///                             └────────────────────────────────────────┘
/// consumer: Empty, Assigning, Reconciling, Stable follow from its members and epochs
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum GroupState {
    /// No members; perhaps offsets.
    Empty,
    /// Members join, or join again.
    PreparingRebalance,
    /// All have joined; the leader's assignment is awaited.
    CompletingRebalance,
    /// Every member has what it shall have.
    Stable,
    /// Gone, or never there.
    Dead,
    /// A target for its epoch is yet to be computed.
    Assigning,
    /// Members are on their way to the target.
    Reconciling,
}

impl GroupState {
    /// As responses and `kafka-consumer-groups.sh` spell it.
    pub const fn name(self) -> &'static str {
        match self {
            GroupState::Empty => "Empty",
            GroupState::PreparingRebalance => "PreparingRebalance",
            GroupState::CompletingRebalance => "CompletingRebalance",
            GroupState::Stable => "Stable",
            GroupState::Dead => "Dead",
            GroupState::Assigning => "Assigning",
            GroupState::Reconciling => "Reconciling",
        }
    }
}

/// Which protocol a group uses (`GroupType`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum GroupType {
    /// Members assign (JoinGroup, SyncGroup); also groups that only commit offsets.
    Classic,
    /// The coordinator assigns (KIP-848).
    Consumer,
    /// Members share partitions (KIP-932).
    Share,
}

impl GroupType {
    /// As responses spell it.
    pub const fn name(self) -> &'static str {
        match self {
            GroupType::Classic => "classic",
            GroupType::Consumer => "consumer",
            GroupType::Share => "share",
        }
    }
}

/// Which groups are there? Filters are compared without regard to case; one that is empty lets all pass.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct ListGroupsRequest {
    /// Names of states.
    pub states: Vec<Rc<str>>,
    /// Names of types.
    pub types: Vec<Rc<str>>,
}

/// Those that this broker coordinates.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ListGroupsResponse {
    /// Of the whole request.
    pub error: ErrorCode,
    /// One each.
    pub groups: Vec<ListedGroup>,
}

/// One group of a [`ListGroupsResponse`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ListedGroup {
    /// `group.id`.
    pub group: Rc<str>,
    /// `consumer`, `share`, what members of a classic group say; empty if it never had any.
    pub protocol_type: Rc<str>,
    /// Where it is.
    pub state: GroupState,
    /// Which protocol it uses.
    pub kind: GroupType,
}

/// How are these classic groups?
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DescribeGroupsRequest {
    /// Which.
    pub groups: Vec<Rc<str>>,
}

/// So.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DescribeGroupsResponse {
    /// One each.
    pub groups: Vec<DescribedGroup>,
}

/// One group of a [`DescribeGroupsResponse`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DescribedGroup {
    /// `NONE`, `GROUP_ID_NOT_FOUND` (also of groups of other protocols), `NOT_COORDINATOR`, …
    pub error: ErrorCode,
    /// `group.id`.
    pub group: Rc<str>,
    /// Dead if it is not found; none on other errors.
    pub state: Option<GroupState>,
    /// `consumer`.
    pub protocol_type: Rc<str>,
    /// The chosen protocol of a Stable group, else empty.
    pub protocol: Rc<str>,
    /// Its members.
    pub members: Vec<DescribedMember>,
}

/// One member of a [`DescribedGroup`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DescribedMember {
    /// Its id.
    pub member_id: Rc<str>,
    /// `group.instance.id`.
    pub instance_id: Option<Rc<str>>,
    /// `client.id`.
    pub client_id: Rc<str>,
    /// Where it connects from.
    pub client_host: Rc<str>,
    /// What it says of itself for the chosen protocol of a Stable group.
    pub metadata: Bytes,
    /// What it is assigned.
    pub assignment: Bytes,
}

impl DescribedGroup {
    /// Nothing is known of it, and why.
    pub fn failed(group: Rc<str>, error: ErrorCode, state: Option<GroupState>) -> DescribedGroup {
        let nothing: Rc<str> = Rc::from("");
        DescribedGroup { error, group, state, protocol_type: nothing.clone(), protocol: nothing, members: Vec::new() }
    }
}

/// How are these groups of the consumer protocol?
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ConsumerGroupDescribeRequest {
    /// Which.
    pub groups: Vec<Rc<str>>,
}

/// So.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ConsumerGroupDescribeResponse {
    /// One each.
    pub groups: Vec<DescribedConsumerGroup>,
}

/// One group of a [`ConsumerGroupDescribeResponse`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DescribedConsumerGroup {
    /// `NONE`, `GROUP_ID_NOT_FOUND` (also of groups of other protocols), `INVALID_GROUP_ID`, …
    pub error: ErrorCode,
    /// `group.id`.
    pub group: Rc<str>,
    /// None on error.
    pub state: Option<GroupState>,
    /// The group's; 0 on error.
    pub epoch: MemberEpoch,
    /// The epoch for which the target was computed; 0 on error.
    pub assignment_epoch: MemberEpoch,
    /// Who computes it; empty on error.
    pub assignor: Rc<str>,
    /// Its members.
    pub members: Vec<DescribedConsumer>,
}

/// One member of a [`DescribedConsumerGroup`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DescribedConsumer {
    /// Its id.
    pub member_id: Rc<str>,
    /// `group.instance.id`.
    pub instance_id: Option<Rc<str>>,
    /// `client.rack`.
    pub rack_id: Option<Rc<str>>,
    /// Its epoch.
    pub member_epoch: MemberEpoch,
    /// `client.id`.
    pub client_id: Rc<str>,
    /// Where it connects from.
    pub client_host: Rc<str>,
    /// By name.
    pub subscribed_topics: Vec<Rc<str>>,
    /// By pattern; empty for none.
    pub subscribed_regex: Option<Rc<str>>,
    /// What it has, and has not yet given up.
    pub assigned: Vec<TopicPartition>,
    /// What it shall have.
    pub target: Vec<TopicPartition>,
    /// It speaks the classic protocol.
    pub classic: bool,
}

impl DescribedConsumerGroup {
    /// Nothing is known of it, and why.
    pub fn failed(group: Rc<str>, error: ErrorCode) -> DescribedConsumerGroup {
        let (state, assignor, members) = (None, Rc::from(""), Vec::new());
        DescribedConsumerGroup { error, group, state, epoch: 0, assignment_epoch: 0, assignor, members }
    }
}

/// Forget these groups, and their offsets.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DeleteGroupsRequest {
    /// Which.
    pub groups: Vec<Rc<str>>,
}

/// What became of each.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DeleteGroupsResponse {
    /// `NONE`, `NON_EMPTY_GROUP`, `GROUP_ID_NOT_FOUND`, …
    pub groups: Vec<(Rc<str>, ErrorCode)>,
}

/// Forget these offsets of a group.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OffsetDeleteRequest {
    /// The group.
    pub group: Rc<str>,
    /// Which.
    pub partitions: Vec<TopicPartition>,
}

/// What became of each.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OffsetDeleteResponse {
    /// Of the whole request; then there are no partitions.
    pub error: ErrorCode,
    /// `NONE` (also where there was no offset), `GROUP_SUBSCRIBED_TO_TOPIC`, `UNKNOWN_TOPIC_OR_PARTITION`.
    pub partitions: Vec<(TopicPartition, ErrorCode)>,
}
