//! Bytes to metadata records. Every version the Lab writes; others are refused, as Kafka refuses what it does not know.

use super::encode::{FRAME_VERSION, types};
use super::records::{BrokerRegistrationChangeRecord, ConfigRecord, ConfigResource, MetadataRecord};
use super::records::{PartitionChangeRecord, PartitionRecord, RegisterBrokerRecord};
use super::wire::{Reader, WireError};
use crate::base::{BrokerId, TopicId, TopicPartition};
use crate::protocol::LeaderRecoveryState;

type Read<T> = Result<T, WireError>;

impl MetadataRecord {
    /// Reads the value of a record of the metadata log.
    pub fn decode(bytes: &[u8]) -> Result<MetadataRecord, WireError> {
        let mut r = Reader::new(bytes);
        if r.unsigned_varint()? != FRAME_VERSION {
            return Err(WireError::Invalid("unknown frame version (only frame version 1 is supported)"));
        }
        let record = match (r.unsigned_varint()?, r.unsigned_varint()?) {
            types::REGISTER_BROKER => register_broker(&mut r)?,
            types::UNREGISTER_BROKER => {
                let (broker, broker_epoch) = (BrokerId(r.i32()?), r.i64()?);
                r.skip_tagged_fields()?;
                MetadataRecord::UnregisterBroker { broker, broker_epoch }
            }
            types::TOPIC => {
                let (name, topic) = (r.compact_string()?, topic(&mut r)?);
                r.skip_tagged_fields()?;
                MetadataRecord::Topic { name, topic }
            }
            types::PARTITION => MetadataRecord::Partition(partition(&mut r)?),
            types::CONFIG => MetadataRecord::Config(config(&mut r)?),
            types::PARTITION_CHANGE => MetadataRecord::PartitionChange(partition_change(&mut r)?),
            types::REMOVE_TOPIC => {
                let topic = topic(&mut r)?;
                r.skip_tagged_fields()?;
                MetadataRecord::RemoveTopic { topic }
            }
            types::FEATURE_LEVEL => {
                let (name, level) = (r.compact_string()?, r.i16()?);
                r.skip_tagged_fields()?;
                MetadataRecord::FeatureLevel { name, level }
            }
            types::PRODUCER_IDS => {
                let (broker, broker_epoch, next_producer_id) = (BrokerId(r.i32()?), r.i64()?, r.i64()?);
                r.skip_tagged_fields()?;
                MetadataRecord::ProducerIds { broker, broker_epoch, next_producer_id }
            }
            types::BROKER_REGISTRATION_CHANGE | types::BROKER_REGISTRATION_SHUTDOWN => registration_change(&mut r)?,
            types::CLEAR_ELR => {
                let topic = Some(r.compact_string()?).filter(|topic| !topic.is_empty());
                r.skip_tagged_fields()?;
                MetadataRecord::ClearElr { topic }
            }
            types::NO_OP => {
                r.skip_tagged_fields()?;
                MetadataRecord::NoOp
            }
            _ => return Err(WireError::Invalid("unknown metadata record type or version")),
        };
        r.finish()?;
        Ok(record)
    }
}

fn topic(r: &mut Reader<'_>) -> Read<TopicId> {
    r.uuid()?.topic().ok_or(WireError::Invalid("the topic id is not one of the Lab's"))
}

fn topic_partition(r: &mut Reader<'_>) -> Read<TopicPartition> {
    let partition = u32::try_from(r.i32()?).map_err(|_| WireError::Invalid("the partition is negative"))?;
    Ok(TopicPartition::new(topic(r)?, partition))
}

fn recovery_state(r: &mut Reader<'_>) -> Read<LeaderRecoveryState> {
    match r.i8()? {
        0 => Ok(LeaderRecoveryState::Recovered),
        1 => Ok(LeaderRecoveryState::Recovering),
        _ => Err(WireError::Invalid("unknown leader recovery state")),
    }
}

fn register_broker(r: &mut Reader<'_>) -> Read<MetadataRecord> {
    let broker = BrokerId(r.i32()?);
    r.bool()?; // isMigratingZkBroker
    let (incarnation, broker_epoch) = (r.uuid()?.incarnation(), r.i64()?);
    r.array_of(|r| {
        r.compact_string()?;
        r.compact_string()?;
        r.u16()?;
        r.i16()?;
        r.skip_tagged_fields()
    })?;
    r.array_of(|r| {
        r.compact_string()?;
        r.i16()?;
        r.i16()?;
        r.skip_tagged_fields()
    })?;
    let rack = r.compact_nullable_string()?;
    let (fenced, in_controlled_shutdown) = (r.bool()?, r.bool()?);
    r.skip_tagged_fields()?;
    Ok(MetadataRecord::RegisterBroker(RegisterBrokerRecord {
        broker,
        incarnation,
        broker_epoch,
        rack,
        fenced,
        in_controlled_shutdown,
    }))
}

fn registration_change(r: &mut Reader<'_>) -> Read<MetadataRecord> {
    let mut record = BrokerRegistrationChangeRecord {
        broker: BrokerId(r.i32()?),
        broker_epoch: r.i64()?,
        fenced: None,
        in_controlled_shutdown: false,
    };
    r.tagged_fields(|tag, field| {
        match tag {
            0 => {
                record.fenced = match field.i8()? {
                    1 => Some(true),
                    0 => None,
                    -1 => Some(false),
                    _ => return Err(WireError::Invalid("unknown change of fencing")),
                }
            }
            1 => record.in_controlled_shutdown = field.i8()? == 1,
            _ => {}
        }
        Ok(())
    })?;
    Ok(MetadataRecord::BrokerRegistrationChange(record))
}

fn config(r: &mut Reader<'_>) -> Read<ConfigRecord> {
    let resource = match r.i8()? {
        2 => ConfigResource::Topic,
        4 => ConfigResource::Broker,
        32 => ConfigResource::Group,
        _ => return Err(WireError::Invalid("unknown resource type")),
    };
    let record = ConfigRecord {
        resource,
        resource_name: r.compact_string()?,
        name: r.compact_string()?,
        value: r.compact_nullable_string()?,
    };
    r.skip_tagged_fields()?;
    Ok(record)
}

fn partition(r: &mut Reader<'_>) -> Read<PartitionRecord> {
    let mut record = PartitionRecord {
        partition: topic_partition(r)?,
        replicas: r.brokers()?,
        isr: r.brokers()?,
        removing_replicas: r.brokers()?,
        adding_replicas: r.brokers()?,
        leader: BrokerId(r.i32()?),
        leader_recovery_state: LeaderRecoveryState::Recovered,
        leader_epoch: r.i32()?,
        partition_epoch: r.i32()?,
        elr: Vec::new(),
        last_known_elr: Vec::new(),
    };
    r.array_of(Reader::uuid)?; // directories
    r.tagged_fields(|tag, field| {
        match tag {
            0 => record.leader_recovery_state = recovery_state(field)?,
            1 => record.elr = field.brokers()?,
            2 => record.last_known_elr = field.brokers()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(record)
}

fn partition_change(r: &mut Reader<'_>) -> Read<PartitionChangeRecord> {
    let mut record = PartitionChangeRecord::none(topic_partition(r)?);
    r.tagged_fields(|tag, field| {
        match tag {
            0 => record.isr = Some(field.brokers()?),
            1 => record.leader = Some(BrokerId(field.i32()?)).filter(|leader| leader.0 != NO_LEADER_CHANGE),
            2 => record.replicas = Some(field.brokers()?),
            3 => record.removing_replicas = Some(field.brokers()?),
            4 => record.adding_replicas = Some(field.brokers()?),
            5 => record.leader_recovery_state = Some(recovery_state(field)?),
            6 => record.elr = Some(field.brokers()?),
            7 => record.last_known_elr = Some(field.brokers()?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(record)
}

const NO_LEADER_CHANGE: i32 = -2;
