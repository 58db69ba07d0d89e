//! What brokers and the controller say to each other: BrokerRegistration (API 62), BrokerHeartbeat (63),
//! AlterPartition (56), AllocateProducerIds (67). The metadata log itself is read with Fetch.

use super::ErrorCode;
use crate::base::{BrokerId, LeaderEpoch, ProducerId, TopicPartition};
use std::rc::Rc;

/// A broker process introduces itself.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct BrokerRegistrationRequest {
    /// Its id.
    pub broker: BrokerId,
    /// Must match the controller's.
    pub cluster_id: Rc<str>,
    /// A random number for each start of the process (Kafka: a UUID).
    pub incarnation: u64,
    /// The epoch of its last clean stop, −1 if it did not stop cleanly (KIP-966).
    pub previous_broker_epoch: i64,
    /// `broker.rack`.
    pub rack: Option<Rc<str>>,
}

/// It is known now, and fenced until its first good heartbeat.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BrokerRegistrationResponse {
    /// `NONE`, `DUPLICATE_BROKER_REGISTRATION`, `INCONSISTENT_CLUSTER_ID`, `NOT_CONTROLLER`.
    pub error: ErrorCode,
    /// The offset of its registration record, −1 on error.
    pub broker_epoch: i64,
}

/// I am alive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BrokerHeartbeatRequest {
    /// Who.
    pub broker: BrokerId,
    /// From the registration.
    pub broker_epoch: i64,
    /// How far it has replayed the metadata log.
    pub current_metadata_offset: i64,
    /// It wants to be fenced.
    pub want_fence: bool,
    /// It wants to shut down.
    pub want_shut_down: bool,
}

/// What the controller makes of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BrokerHeartbeatResponse {
    /// `NONE`, `STALE_BROKER_EPOCH`, `NOT_CONTROLLER`.
    pub error: ErrorCode,
    /// Its metadata is recent.
    pub is_caught_up: bool,
    /// It may not lead or be in sync.
    pub is_fenced: bool,
    /// It may stop now.
    pub should_shut_down: bool,
}

/// A leader asks for another ISR.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AlterPartitionRequest {
    /// The leader's broker id.
    pub broker: BrokerId,
    /// Its broker epoch.
    pub broker_epoch: i64,
    /// The wishes.
    pub partitions: Vec<AlterPartition>,
}

/// One wish of an [`AlterPartitionRequest`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AlterPartition {
    /// Which partition.
    pub partition: TopicPartition,
    /// Its epoch as the leader knows it.
    pub leader_epoch: LeaderEpoch,
    /// The ISR wished for.
    pub new_isr: Vec<BrokerState>,
    /// Whether an uncleanly elected leader is done recovering.
    pub leader_recovery_state: LeaderRecoveryState,
    /// The partition epoch the wish is based on.
    pub partition_epoch: i32,
}

/// A member of an ISR wished for (KIP-903).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BrokerState {
    /// Which broker.
    pub broker: BrokerId,
    /// Its epoch as it told the leader in Fetch, −1 if unknown.
    pub epoch: i64,
}

/// Whether a leader may have lost committed records and has yet to recover.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LeaderRecoveryState {
    /// No.
    Recovered = 0,
    /// It was elected uncleanly.
    Recovering = 1,
}

/// What became of the wishes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AlterPartitionResponse {
    /// Of the request as a whole.
    pub error: ErrorCode,
    /// In the order of the request.
    pub partitions: Vec<AlterPartitionResult>,
}

/// One partition of an [`AlterPartitionResponse`]: the state now in force.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AlterPartitionResult {
    /// Which partition.
    pub partition: TopicPartition,
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// −1 if there is none.
    pub leader: BrokerId,
    /// Its epoch.
    pub leader_epoch: LeaderEpoch,
    /// In sync.
    pub isr: Vec<BrokerId>,
    /// Of the leader.
    pub leader_recovery_state: LeaderRecoveryState,
    /// The epoch after the change.
    pub partition_epoch: i32,
}

/// A broker needs producer ids to hand out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AllocateProducerIdsRequest {
    /// Who.
    pub broker: BrokerId,
    /// Its broker epoch.
    pub broker_epoch: i64,
}

/// A block of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AllocateProducerIdsResponse {
    /// `NONE`, `STALE_BROKER_EPOCH`, …
    pub error: ErrorCode,
    /// First of the block.
    pub producer_id_start: ProducerId,
    /// How many (1000).
    pub producer_id_len: u32,
}
