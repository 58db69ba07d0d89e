//! Metadata (API 3) and CreateTopics (API 19).

use super::ErrorCode;
use crate::base::config::Properties;
use crate::base::{BrokerId, LeaderEpoch, SortedMap, TopicId};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// Who leads what?
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MetadataRequest {
    /// By name; empty asks for the brokers only, [`Self::ALL_TOPICS`] alone for all topics.
    pub topics: Vec<Rc<str>>,
}

impl MetadataRequest {
    /// What no topic can be called; in Kafka all topics are asked for by `null`.
    pub const ALL_TOPICS: &'static str = "*";
}

/// The cluster as the answering broker knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetadataResponse {
    /// Brokers that are registered and not fenced.
    pub brokers: Vec<BrokerId>,
    /// `broker.rack` of those that have one.
    pub racks: SortedMap<BrokerId, Rc<str>>,
    /// In the order of the request.
    pub topics: Vec<TopicMetadata>,
}

/// A cluster without racks adds nothing.
impl Hash for MetadataResponse {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.brokers, &self.topics).hash(state);
        if !self.racks.is_empty() {
            self.racks.hash(state);
        }
    }
}

/// One topic of a [`MetadataResponse`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TopicMetadata {
    /// `NONE` or `UNKNOWN_TOPIC_OR_PARTITION`.
    pub error: ErrorCode,
    /// The name.
    pub name: Rc<str>,
    /// The id; meaningless on error.
    pub topic: TopicId,
    /// By index.
    pub partitions: Vec<PartitionMetadata>,
}

/// One partition of a [`TopicMetadata`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PartitionMetadata {
    /// `NONE` or `LEADER_NOT_AVAILABLE`.
    pub error: ErrorCode,
    /// Index.
    pub partition: u32,
    /// −1 if there is none.
    pub leader: BrokerId,
    /// Its epoch.
    pub leader_epoch: LeaderEpoch,
    /// In assignment order; the first is the preferred leader.
    pub replicas: Vec<BrokerId>,
    /// In sync.
    pub isr: Vec<BrokerId>,
    /// Replicas on fenced brokers.
    pub offline: Vec<BrokerId>,
}

/// Create topics; brokers forward it to the controller, and send it themselves for internal topics.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CreateTopicsRequest {
    /// Which.
    pub topics: Vec<NewTopic>,
}

/// One topic of a [`CreateTopicsRequest`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NewTopic {
    /// The name.
    pub name: Rc<str>,
    /// How many partitions; −1 for `num.partitions`.
    pub partitions: i32,
    /// How many replicas; −1 for `default.replication.factor`.
    pub replication_factor: i16,
    /// Replicas of each partition, if placed by hand; else empty.
    pub assignments: Vec<Vec<BrokerId>>,
    /// Topic settings that differ from the default.
    pub config: Properties,
}

/// What became of each topic.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CreateTopicsResponse {
    /// In the order of the request.
    pub topics: Vec<NewTopicResult>,
}

/// One topic of a [`CreateTopicsResponse`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NewTopicResult {
    /// The name.
    pub name: Rc<str>,
    /// `NONE`, `TOPIC_ALREADY_EXISTS`, `INVALID_REPLICATION_FACTOR`, …
    pub error: ErrorCode,
}
