//! What the controller writes: the records of the metadata log.
//!
//! Field for field Kafka's `metadata/src/main/resources/common/metadata/*.json`, at the versions that metadata.version
//! 4.3-IV0 writes. Left out: what concerns security, quotas, migration from ZooKeeper and several log directories (each
//! broker has one directory, whose id follows from the broker's).

use crate::base::{BrokerId, LeaderEpoch, ProducerId, TopicId, TopicPartition};
use crate::protocol::LeaderRecoveryState;
use std::rc::Rc;

/// One record of the metadata log.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum MetadataRecord {
    /// A broker process introduced itself.
    RegisterBroker(RegisterBrokerRecord),
    /// A broker is gone for good.
    UnregisterBroker {
        /// Which.
        broker: BrokerId,
        /// Its epoch.
        broker_epoch: i64,
    },
    /// A topic begins; its settings and partitions follow.
    Topic {
        /// Its name.
        name: Rc<str>,
        /// Its id.
        topic: TopicId,
    },
    /// A partition begins, or is written anew as a whole.
    Partition(PartitionRecord),
    /// A setting was given or taken away.
    Config(ConfigRecord),
    /// Some of a partition's state changed.
    PartitionChange(PartitionChangeRecord),
    /// A topic is gone, with all partitions.
    RemoveTopic {
        /// Which.
        topic: TopicId,
    },
    /// A feature was set to a level.
    FeatureLevel {
        /// Which feature.
        name: Rc<str>,
        /// Which level; 0 takes it away.
        level: i16,
    },
    /// A block of producer ids was handed out.
    ProducerIds {
        /// To whom.
        broker: BrokerId,
        /// Its epoch.
        broker_epoch: i64,
        /// First of the next block.
        next_producer_id: ProducerId,
    },
    /// A broker was fenced, unfenced, or begins its controlled shutdown.
    BrokerRegistrationChange(BrokerRegistrationChangeRecord),
    /// The eligible leader replicas of a topic, or of all topics, are forgotten (KIP-966).
    ClearElr {
        /// The topic, by name; none for all.
        topic: Option<Rc<str>>,
    },
    /// Keeps the log moving.
    NoOp,
}

/// A broker process introduced itself.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RegisterBrokerRecord {
    /// Its id.
    pub broker: BrokerId,
    /// Which start of the process.
    pub incarnation: u64,
    /// The offset of this record.
    pub broker_epoch: i64,
    /// `broker.rack`.
    pub rack: Option<Rc<str>>,
    /// It may not lead or be in sync yet.
    pub fenced: bool,
    /// It is about to stop.
    pub in_controlled_shutdown: bool,
}

/// What changed about a broker; None where nothing did.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BrokerRegistrationChangeRecord {
    /// Which.
    pub broker: BrokerId,
    /// Its epoch.
    pub broker_epoch: i64,
    /// Fenced or unfenced.
    pub fenced: Option<bool>,
    /// Its controlled shutdown begins.
    pub in_controlled_shutdown: bool,
}

/// A partition as a whole.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PartitionRecord {
    /// Which.
    pub partition: TopicPartition,
    /// In assignment order; the first is the preferred leader.
    pub replicas: Vec<BrokerId>,
    /// In sync.
    pub isr: Vec<BrokerId>,
    /// A reassignment takes these away.
    pub removing_replicas: Vec<BrokerId>,
    /// A reassignment brings these.
    pub adding_replicas: Vec<BrokerId>,
    /// −1 if there is none.
    pub leader: BrokerId,
    /// Whether the leader was elected uncleanly and has yet to recover.
    pub leader_recovery_state: LeaderRecoveryState,
    /// Its epoch.
    pub leader_epoch: LeaderEpoch,
    /// Counts every change.
    pub partition_epoch: i32,
    /// Eligible leader replicas (KIP-966).
    pub elr: Vec<BrokerId>,
    /// The last leader, when ISR and ELR are empty (KIP-966).
    pub last_known_elr: Vec<BrokerId>,
}

/// What changed about a partition; None where nothing did. A leader that is named, even the same, begins a new epoch.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PartitionChangeRecord {
    /// Which.
    pub partition: TopicPartition,
    /// The new ISR.
    pub isr: Option<Vec<BrokerId>>,
    /// The leader of a new epoch.
    pub leader: Option<BrokerId>,
    /// The new assignment.
    pub replicas: Option<Vec<BrokerId>>,
    /// What a reassignment takes away.
    pub removing_replicas: Option<Vec<BrokerId>>,
    /// What a reassignment brings.
    pub adding_replicas: Option<Vec<BrokerId>>,
    /// The leader recovers, or has recovered.
    pub leader_recovery_state: Option<LeaderRecoveryState>,
    /// The new eligible leader replicas.
    pub elr: Option<Vec<BrokerId>>,
    /// The new last known ones.
    pub last_known_elr: Option<Vec<BrokerId>>,
}

impl PartitionChangeRecord {
    /// Nothing changes.
    pub fn none(partition: TopicPartition) -> Self {
        PartitionChangeRecord {
            partition,
            isr: None,
            leader: None,
            replicas: None,
            removing_replicas: None,
            adding_replicas: None,
            leader_recovery_state: None,
            elr: None,
            last_known_elr: None,
        }
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == Self::none(self.partition)
    }
}

/// What a setting is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ConfigResource {
    /// A topic, by name.
    Topic = 2,
    /// A broker, by id; all of them, if the name is empty.
    Broker = 4,
    /// A group, by id.
    Group = 32,
}

/// A setting.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ConfigRecord {
    /// Of what kind of thing.
    pub resource: ConfigResource,
    /// Of which.
    pub resource_name: Rc<str>,
    /// The key.
    pub name: Rc<str>,
    /// The value; None takes it away.
    pub value: Option<Rc<str>>,
}
