//! What an administrator asks for: ElectLeaders (API 43), IncrementalAlterConfigs (44), AlterPartitionReassignments (45),
//! ListPartitionReassignments (46), CreatePartitions (37). Controllers answer; a broker that is asked forwards.

use super::{ErrorCode, NewTopicResult};
use crate::base::BrokerId;
use std::rc::Rc;

/// Which election (`ElectionType`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ElectionType {
    /// The first replica, if it is in sync.
    Preferred = 0,
    /// Any live replica of a partition that has no leader, although it may lack committed records.
    Unclean = 1,
}

/// Some partitions of a topic.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TopicPartitions {
    /// By name.
    pub topic: Rc<str>,
    /// Which.
    pub partitions: Vec<u32>,
}

/// What became of one partition.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PartitionResult {
    /// Its topic, by name.
    pub topic: Rc<str>,
    /// Which.
    pub partition: u32,
    /// `NONE` or why not.
    pub error: ErrorCode,
}

/// Hold elections.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ElectLeadersRequest {
    /// Of which kind.
    pub election: ElectionType,
    /// Where; none for every partition there is.
    pub partitions: Option<Vec<TopicPartitions>>,
}

/// How they ended.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ElectLeadersResponse {
    /// Of the request as a whole.
    pub error: ErrorCode,
    /// `NONE`, `ELECTION_NOT_NEEDED`, `PREFERRED_LEADER_NOT_AVAILABLE`, `ELIGIBLE_LEADERS_NOT_AVAILABLE`, … When all
    /// partitions were asked for, those where no election was needed are left out.
    pub partitions: Vec<PartitionResult>,
}

/// Give topics more partitions.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CreatePartitionsRequest {
    /// Which topics.
    pub topics: Vec<NewPartitions>,
}

/// One topic of a [`CreatePartitionsRequest`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NewPartitions {
    /// The topic, by name.
    pub name: Rc<str>,
    /// How many partitions it is to have in all.
    pub count: i32,
    /// The replicas of each new partition, if placed by hand.
    pub assignments: Option<Vec<Vec<BrokerId>>>,
}

/// What became of each topic.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CreatePartitionsResponse {
    /// In the order of the request: `NONE`, `INVALID_PARTITIONS`, `INVALID_REPLICA_ASSIGNMENT`, …
    pub topics: Vec<NewTopicResult>,
}

/// Move partitions to other brokers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AlterPartitionReassignmentsRequest {
    /// Whether partitions may get more or fewer replicas (KIP-860).
    pub allow_replication_factor_change: bool,
    /// Which partitions.
    pub partitions: Vec<Reassignment>,
}

/// One partition of an [`AlterPartitionReassignmentsRequest`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Reassignment {
    /// The topic, by name.
    pub topic: Rc<str>,
    /// Which partition.
    pub partition: u32,
    /// The new replicas, the preferred leader first; none cancels what is under way.
    pub replicas: Option<Vec<BrokerId>>,
}

/// What became of each partition.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AlterPartitionReassignmentsResponse {
    /// Of the request as a whole.
    pub error: ErrorCode,
    /// In the order of the request: `NONE`, `INVALID_REPLICA_ASSIGNMENT`, `NO_REASSIGNMENT_IN_PROGRESS`, …
    pub partitions: Vec<PartitionResult>,
}

/// Which partitions are on the move?
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ListPartitionReassignmentsRequest {
    /// Which to look at; none for all.
    pub partitions: Option<Vec<TopicPartitions>>,
}

/// These are.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ListPartitionReassignmentsResponse {
    /// Of the request as a whole.
    pub error: ErrorCode,
    /// Only those on the move.
    pub partitions: Vec<OngoingReassignment>,
}

/// One partition of a [`ListPartitionReassignmentsResponse`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OngoingReassignment {
    /// The topic, by name.
    pub topic: Rc<str>,
    /// Which partition.
    pub partition: u32,
    /// Those that stay, come and go.
    pub replicas: Vec<BrokerId>,
    /// Those that come.
    pub adding: Vec<BrokerId>,
    /// Those that go.
    pub removing: Vec<BrokerId>,
}

/// Change settings of topics, brokers and groups while they run.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct IncrementalAlterConfigsRequest {
    /// Whose.
    pub resources: Vec<AlterConfigs>,
}

/// Something that has settings.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Configurable {
    /// A topic, by name.
    Topic(Rc<str>),
    /// A broker; all of them, if none is named.
    Broker(Option<BrokerId>),
    /// A group, by id.
    Group(Rc<str>),
}

/// One resource of an [`IncrementalAlterConfigsRequest`]. Left out: appending to lists and subtracting from them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AlterConfigs {
    /// Whose.
    pub resource: Configurable,
    /// Keys with their new values; none goes back to the default.
    pub changes: Vec<(Rc<str>, Option<Rc<str>>)>,
}

/// What became of each resource.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct IncrementalAlterConfigsResponse {
    /// In the order of the request: `NONE`, `INVALID_CONFIG`, `INVALID_REQUEST`, `UNKNOWN_TOPIC_OR_PARTITION`.
    pub resources: Vec<(Configurable, ErrorCode)>,
}
