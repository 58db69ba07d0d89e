//! Identifiers. Brokers are nodes, and a broker's `NodeId` is its Kafka `node.id`.

use std::fmt;

/// A place in the simulated world: broker, controller or application.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub u16);

/// Kafka's `node.id` of a broker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BrokerId(pub i32);

impl BrokerId {
    /// Kafka's "no broker" (a partition without leader, a consumer's replica id).
    pub const NONE: BrokerId = BrokerId(-1);

    /// The node this broker runs on. Panics for [`BrokerId::NONE`].
    pub fn node(self) -> NodeId {
        NodeId(u16::try_from(self.0).expect("invariant: a broker id is a node id"))
    }
}

impl From<NodeId> for BrokerId {
    fn from(node: NodeId) -> Self {
        BrokerId(i32::from(node.0))
    }
}

impl fmt::Display for BrokerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A topic, interned in the order of creation; its name is in the metadata image.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TopicId(pub u32);

/// One partition of one topic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicId,
    /// The partition's index in it.
    pub partition: u32,
}

impl TopicPartition {
    /// Partition `partition` of `topic`.
    pub const fn new(topic: TopicId, partition: u32) -> Self {
        TopicPartition { topic, partition }
    }
}

/// The number a workload gave to a record, from 0, across all generators of a scenario. The ledger is indexed by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordId(pub u32);

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A position in a partition's log; −1 is "none".
pub type Offset = i64;
/// The epoch of a partition's leader; −1 is "none".
pub type LeaderEpoch = i32;
/// Identity of an idempotent producer; −1 is "none".
pub type ProducerId = i64;
/// Its epoch; −1 is "none".
pub type ProducerEpoch = i16;
/// A consumer group's generation; −1 is "none".
pub type Generation = i32;
