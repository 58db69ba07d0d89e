//! Produce (API 0) and InitProducerId (API 22).

use super::ErrorCode;
use crate::base::{BrokerId, Duration, LeaderEpoch, Offset, ProducerEpoch, ProducerId, TopicPartition};
use crate::record::RecordBatch;
use std::rc::Rc;

/// Append one batch to each of some partitions.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct ProduceRequest {
    /// Set by a transactional producer.
    pub transactional_id: Option<Rc<str>>,
    /// The broker adds the partitions to the transaction (version 12).
    pub transaction_v2: bool,
    /// −1 all in-sync replicas, 1 the leader only, 0 no response at all.
    pub acks: i16,
    /// How long the broker may wait for replication.
    pub timeout: Duration,
    /// What to append where.
    pub partitions: Vec<ProducePartition>,
}

/// One partition's share of a [`ProduceRequest`].
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct ProducePartition {
    /// Where.
    pub partition: TopicPartition,
    /// Exactly one batch of magic 2, as Produce has demanded since version 3.
    pub batch: RecordBatch,
}

/// What became of each batch.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct ProduceResponse {
    /// In the order of the request.
    pub partitions: Vec<ProducePartitionResponse>,
}

/// One partition's share of a [`ProduceResponse`].
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct ProducePartitionResponse {
    /// Where.
    pub partition: TopicPartition,
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// Offset of the first record, −1 on error.
    pub base_offset: Offset,
    /// The broker's clock if it stamped the records, else −1.
    pub log_append_time: i64,
    /// −1 on error.
    pub log_start_offset: Offset,
    /// With `NOT_LEADER_OR_FOLLOWER` and `FENCED_LEADER_EPOCH`: who leads (KIP-951).
    pub current_leader: Option<CurrentLeader>,
}

/// The leader a broker knows of (KIP-951).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CurrentLeader {
    /// Its id.
    pub leader: BrokerId,
    /// Its epoch.
    pub epoch: LeaderEpoch,
}

/// Ask for a producer id.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct InitProducerIdRequest {
    /// None for a merely idempotent producer.
    pub transactional_id: Option<Rc<str>>,
    /// When an idle transaction is aborted.
    pub transaction_timeout: Duration,
    /// The id it has already (KIP-360), −1 if none.
    pub producer_id: ProducerId,
    /// And its epoch.
    pub producer_epoch: ProducerEpoch,
}

/// The id granted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct InitProducerIdResponse {
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// −1 on error.
    pub producer_id: ProducerId,
    /// −1 on error.
    pub producer_epoch: ProducerEpoch,
}
