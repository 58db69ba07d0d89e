//! Metadata records to bytes: frame version, API key, message version, then the message, all flexible.
//!
//! In Kafka: `AbstractApiMessageSerde`, `MetadataRecordSerde`, the generated `…Record.write`.

use super::records::{BrokerRegistrationChangeRecord, ConfigRecord, MetadataRecord, PartitionChangeRecord};
use super::records::{PartitionRecord, RegisterBrokerRecord};
use super::wire::{TaggedFields, Writer};
use super::{FEATURES, Uuid};
use crate::base::BrokerId;
use crate::protocol::LeaderRecoveryState;
use bytes::Bytes;

pub(super) const FRAME_VERSION: u32 = 1;

/// API key and version of each record type.
pub(super) mod types {
    pub const REGISTER_BROKER: (u32, u32) = (0, 4);
    pub const UNREGISTER_BROKER: (u32, u32) = (1, 0);
    pub const TOPIC: (u32, u32) = (2, 0);
    pub const PARTITION: (u32, u32) = (3, 2);
    pub const CONFIG: (u32, u32) = (4, 0);
    pub const PARTITION_CHANGE: (u32, u32) = (5, 2);
    pub const REMOVE_TOPIC: (u32, u32) = (9, 0);
    pub const FEATURE_LEVEL: (u32, u32) = (12, 0);
    pub const PRODUCER_IDS: (u32, u32) = (15, 0);
    /// Fenced or unfenced; a controlled shutdown needs version 1.
    pub const BROKER_REGISTRATION_CHANGE: (u32, u32) = (17, 0);
    pub const BROKER_REGISTRATION_SHUTDOWN: (u32, u32) = (17, 1);
    pub const NO_OP: (u32, u32) = (20, 0);
    pub const CLEAR_ELR: (u32, u32) = (28, 0);
}

impl MetadataRecord {
    /// The value of the record in the log; its key is null.
    pub fn encode(&self) -> Bytes {
        let mut w = Writer::default();
        let (api_key, version) = self.type_and_version();
        w.unsigned_varint(FRAME_VERSION);
        w.unsigned_varint(api_key);
        w.unsigned_varint(version);
        match self {
            MetadataRecord::RegisterBroker(record) => register_broker(&mut w, record),
            MetadataRecord::UnregisterBroker { broker, broker_epoch } => {
                w.i32(broker.0);
                w.i64(*broker_epoch);
                w.no_tagged_fields();
            }
            MetadataRecord::Topic { name, topic } => {
                w.compact_string(name);
                w.uuid(Uuid::of_topic(*topic));
                w.no_tagged_fields();
            }
            MetadataRecord::Partition(record) => partition(&mut w, record),
            MetadataRecord::Config(record) => config(&mut w, record),
            MetadataRecord::PartitionChange(record) => partition_change(&mut w, record),
            MetadataRecord::RemoveTopic { topic } => {
                w.uuid(Uuid::of_topic(*topic));
                w.no_tagged_fields();
            }
            MetadataRecord::FeatureLevel { name, level } => {
                w.compact_string(name);
                w.i16(*level);
                w.no_tagged_fields();
            }
            MetadataRecord::ProducerIds { broker, broker_epoch, next_producer_id } => {
                w.i32(broker.0);
                w.i64(*broker_epoch);
                w.i64(*next_producer_id);
                w.no_tagged_fields();
            }
            MetadataRecord::BrokerRegistrationChange(record) => registration_change(&mut w, record),
            MetadataRecord::ClearElr { topic } => {
                w.compact_string(topic.as_deref().unwrap_or(""));
                w.no_tagged_fields();
            }
            MetadataRecord::NoOp => w.no_tagged_fields(),
        }
        Bytes::from(w.into_bytes())
    }

    fn type_and_version(&self) -> (u32, u32) {
        match self {
            MetadataRecord::RegisterBroker(_) => types::REGISTER_BROKER,
            MetadataRecord::UnregisterBroker { .. } => types::UNREGISTER_BROKER,
            MetadataRecord::Topic { .. } => types::TOPIC,
            MetadataRecord::Partition(_) => types::PARTITION,
            MetadataRecord::Config(_) => types::CONFIG,
            MetadataRecord::PartitionChange(_) => types::PARTITION_CHANGE,
            MetadataRecord::RemoveTopic { .. } => types::REMOVE_TOPIC,
            MetadataRecord::FeatureLevel { .. } => types::FEATURE_LEVEL,
            MetadataRecord::ProducerIds { .. } => types::PRODUCER_IDS,
            MetadataRecord::BrokerRegistrationChange(record) if record.in_controlled_shutdown => {
                types::BROKER_REGISTRATION_SHUTDOWN
            }
            MetadataRecord::BrokerRegistrationChange(_) => types::BROKER_REGISTRATION_CHANGE,
            MetadataRecord::ClearElr { .. } => types::CLEAR_ELR,
            MetadataRecord::NoOp => types::NO_OP,
        }
    }
}

fn register_broker(w: &mut Writer, record: &RegisterBrokerRecord) {
    w.i32(record.broker.0);
    w.bool(false); // isMigratingZkBroker
    w.uuid(Uuid::of_incarnation(record.incarnation));
    w.i64(record.broker_epoch);
    w.compact_len(1);
    w.compact_string("PLAINTEXT");
    w.compact_string(&format!("broker-{}", record.broker));
    w.u16(9092);
    w.i16(0); // SecurityProtocol.PLAINTEXT
    w.no_tagged_fields();
    w.compact_len(FEATURES.len());
    for feature in FEATURES {
        w.compact_string(feature.name);
        w.i16(feature.min);
        w.i16(feature.max);
        w.no_tagged_fields();
    }
    w.compact_nullable_string(record.rack.as_deref());
    w.bool(record.fenced);
    w.bool(record.in_controlled_shutdown);
    let mut tagged = TaggedFields::default();
    tagged.field(0, |w| w.uuids([Uuid::of_directory(record.broker)].into_iter()));
    w.tagged_fields(&tagged);
}

fn registration_change(w: &mut Writer, record: &BrokerRegistrationChangeRecord) {
    w.i32(record.broker.0);
    w.i64(record.broker_epoch);
    let mut tagged = TaggedFields::default();
    tagged.maybe(0, record.fenced, |w, fenced| w.i8(if fenced { 1 } else { -1 }));
    tagged.maybe(1, record.in_controlled_shutdown.then_some(1), Writer::i8);
    w.tagged_fields(&tagged);
}

fn config(w: &mut Writer, record: &ConfigRecord) {
    w.i8(record.resource as i8);
    w.compact_string(&record.resource_name);
    w.compact_string(&record.name);
    w.compact_nullable_string(record.value.as_deref());
    w.no_tagged_fields();
}

fn partition(w: &mut Writer, record: &PartitionRecord) {
    w.i32(record.partition.partition as i32);
    w.uuid(Uuid::of_topic(record.partition.topic));
    w.brokers(&record.replicas);
    w.brokers(&record.isr);
    w.brokers(&record.removing_replicas);
    w.brokers(&record.adding_replicas);
    w.i32(record.leader.0);
    w.i32(record.leader_epoch);
    w.i32(record.partition_epoch);
    w.uuids(record.replicas.iter().map(|replica| Uuid::of_directory(*replica)));
    let mut tagged = TaggedFields::default();
    let recovering = Some(record.leader_recovery_state).filter(|state| *state == LeaderRecoveryState::Recovering);
    tagged.maybe(0, recovering, |w, state| w.i8(state as i8));
    tagged.maybe(1, some_unless_empty(&record.elr), |w, elr| w.brokers(elr));
    tagged.maybe(2, some_unless_empty(&record.last_known_elr), |w, elr| w.brokers(elr));
    w.tagged_fields(&tagged);
}

fn some_unless_empty(brokers: &[BrokerId]) -> Option<&[BrokerId]> {
    Some(brokers).filter(|brokers| !brokers.is_empty())
}

fn partition_change(w: &mut Writer, record: &PartitionChangeRecord) {
    w.i32(record.partition.partition as i32);
    w.uuid(Uuid::of_topic(record.partition.topic));
    let brokers = |w: &mut Writer, brokers: &Vec<BrokerId>| w.brokers(brokers);
    let mut tagged = TaggedFields::default();
    tagged.maybe(0, record.isr.as_ref(), brokers);
    tagged.maybe(1, record.leader, |w, leader| w.i32(leader.0));
    tagged.maybe(2, record.replicas.as_ref(), brokers);
    tagged.maybe(3, record.removing_replicas.as_ref(), brokers);
    tagged.maybe(4, record.adding_replicas.as_ref(), brokers);
    tagged.maybe(5, record.leader_recovery_state, |w, state| w.i8(state as i8));
    tagged.maybe(6, record.elr.as_ref(), brokers);
    tagged.maybe(7, record.last_known_elr.as_ref(), brokers);
    tagged.maybe(8, record.replicas.as_ref(), |w, replicas| {
        w.uuids(replicas.iter().map(|replica| Uuid::of_directory(*replica)));
    });
    w.tagged_fields(&tagged);
}
