//! The records of `__transaction_state`, byte for byte: `TransactionLogKey` and `TransactionLogValue`.
//!
//! Values are written at version 1, the flexible one, where `transaction.version` is at least 1, else at version 0, which has
//! no room for other producer ids and the client's version.

use super::metadata::TransitMetadata;
use crate::base::{Duration, ProducerEpoch, ProducerId, TopicPartition, sort_long};
use crate::coordinator::CoordinatorRecord;
use crate::metadata::MetadataImage;
use crate::metadata::wire::{Reader, TaggedFields, WireError, Writer};
use crate::protocol::TransactionState;
use bytes::Bytes;
use std::rc::Rc;

const TRANSACTION_LOG: i16 = 0;

/// A value as it is written: topics have names there.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TransactionLogValue {
    /// The producer's id.
    pub producer_id: ProducerId,
    /// The one before, −1 if none or not written.
    pub previous_producer_id: ProducerId,
    /// The one to come, −1 if none or not written.
    pub next_producer_id: ProducerId,
    /// The producer's epoch.
    pub producer_epoch: ProducerEpoch,
    /// Kafka reads it and never writes it: −1.
    pub next_producer_epoch: ProducerEpoch,
    /// Milliseconds.
    pub timeout_ms: i32,
    /// The state.
    pub state: TransactionState,
    /// None in the state Empty.
    pub partitions: Option<Vec<(Rc<str>, Vec<i32>)>>,
    /// When this was written, milliseconds.
    pub last_update_ms: i64,
    /// When the transaction began, milliseconds, −1 if there is none.
    pub start_ms: i64,
    /// The transaction version of the client.
    pub client_transaction_version: i16,
}

/// Remembers a state of a transactional id, as a cluster with this `transaction.version` does.
pub fn transaction_record(
    transactional_id: &str,
    state: &TransitMetadata,
    transaction_version: u32,
    image: &MetadataImage,
) -> CoordinatorRecord {
    let value = TransactionLogValue::of(state, image).encode(i16::from(transaction_version >= 1));
    CoordinatorRecord { key: key(transactional_id), value: Some(value) }
}

/// Forgets a transactional id.
pub fn transaction_tombstone(transactional_id: &str) -> CoordinatorRecord {
    CoordinatorRecord::tombstone(key(transactional_id))
}

fn key(transactional_id: &str) -> Bytes {
    let mut w = Writer::default();
    w.i16(TRANSACTION_LOG);
    w.string(transactional_id);
    Bytes::from(w.into_bytes())
}

/// Reads a record's key: the transactional id; None if the record is of a kind that Kafka 4.3 does not know.
pub fn read_key(bytes: &[u8]) -> Result<Option<Rc<str>>, WireError> {
    let mut r = Reader::new(bytes);
    if r.i16()? != TRANSACTION_LOG {
        return Ok(None);
    }
    let transactional_id = r.string()?;
    r.finish()?;
    Ok(Some(transactional_id))
}

impl TransactionLogValue {
    fn of(state: &TransitMetadata, image: &MetadataImage) -> Self {
        let mut topics: Vec<(Rc<str>, Vec<i32>)> = Vec::new();
        let mut last = None;
        for partition in state.partitions.iter() {
            // A topic that is gone needs no marker, and so no mention.
            let Some(topic) = image.topic(partition.topic) else { continue };
            if last != Some(partition.topic) {
                topics.push((topic.name.clone(), Vec::new()));
                last = Some(partition.topic);
            }
            topics.last_mut().expect("invariant: pushed above").1.push(partition.partition as i32);
        }
        TransactionLogValue {
            producer_id: state.producer_id,
            previous_producer_id: state.prev_producer_id,
            next_producer_id: state.next_producer_id,
            producer_epoch: state.producer_epoch,
            next_producer_epoch: -1,
            timeout_ms: i32::try_from(state.timeout.as_millis()).unwrap_or(i32::MAX),
            state: state.state,
            partitions: (state.state != TransactionState::Empty).then_some(topics),
            last_update_ms: state.update_ms,
            start_ms: state.start_ms,
            client_transaction_version: i16::from(state.transaction_version),
        }
    }

    /// As the coordinator keeps it. What the cluster does not know by that name any more is left out.
    pub fn to_transit(&self, image: &MetadataImage) -> TransitMetadata {
        let known = self.partitions.iter().flatten().filter_map(|(name, indexes)| {
            let topic = image.topic_id(name)?;
            let partition = move |index: &i32| Some(TopicPartition::new(topic, u32::try_from(*index).ok()?));
            Some(indexes.iter().filter_map(partition))
        });
        let mut partitions: Vec<TopicPartition> = known.flatten().collect();
        sort_long(&mut partitions, |a, b| a < b);
        partitions.dedup();
        TransitMetadata {
            producer_id: self.producer_id,
            prev_producer_id: self.previous_producer_id,
            next_producer_id: self.next_producer_id,
            producer_epoch: self.producer_epoch,
            last_producer_epoch: -1,
            timeout: Duration::from_millis(u64::try_from(self.timeout_ms).unwrap_or(0)),
            state: self.state,
            partitions: partitions.into(),
            start_ms: self.start_ms,
            update_ms: self.last_update_ms,
            transaction_version: u8::try_from(self.client_transaction_version).unwrap_or(0),
        }
    }

    /// The record's value at version 0 or 1.
    pub fn encode(&self, version: i16) -> Bytes {
        let mut w = Writer::default();
        w.i16(version);
        w.i64(self.producer_id);
        w.i16(self.producer_epoch);
        w.i32(self.timeout_ms);
        w.i8(self.state as i8);
        if version == 0 {
            self.write_partitions(&mut w)
        } else {
            self.write_compact_partitions(&mut w)
        }
        w.i64(self.last_update_ms);
        w.i64(self.start_ms);
        if version >= 1 {
            let given = |value: i64| Some(value).filter(|value| *value != -1);
            let mut tagged = TaggedFields::default();
            tagged.maybe(0, given(self.previous_producer_id), Writer::i64);
            tagged.maybe(1, given(self.next_producer_id), Writer::i64);
            tagged.maybe(2, Some(self.client_transaction_version).filter(|version| *version != 0), Writer::i16);
            tagged.maybe(3, Some(self.next_producer_epoch).filter(|epoch| *epoch != -1), Writer::i16);
            w.tagged_fields(&tagged);
        }
        Bytes::from(w.into_bytes())
    }

    fn write_partitions(&self, w: &mut Writer) {
        let Some(topics) = &self.partitions else { return w.i32(-1) };
        w.i32(topics.len() as i32);
        for (topic, partitions) in topics {
            w.string(topic);
            w.i32(partitions.len() as i32);
            partitions.iter().for_each(|partition| w.i32(*partition));
        }
    }

    fn write_compact_partitions(&self, w: &mut Writer) {
        let Some(topics) = &self.partitions else { return w.unsigned_varint(0) };
        w.compact_len(topics.len());
        for (topic, partitions) in topics {
            w.compact_string(topic);
            w.compact_len(partitions.len());
            partitions.iter().for_each(|partition| w.i32(*partition));
            w.no_tagged_fields();
        }
    }

    /// Reads a record's value; None of a version that Kafka 4.3 does not know.
    pub fn decode(bytes: &[u8]) -> Result<Option<TransactionLogValue>, WireError> {
        let mut r = Reader::new(bytes);
        let version = r.i16()?;
        if !(0..=1).contains(&version) {
            return Ok(None);
        }
        let (producer_id, producer_epoch, timeout_ms) = (r.i64()?, r.i16()?, r.i32()?);
        let state = TransactionState::from_id(r.i8()?).ok_or(WireError::Invalid("unknown state of a transaction"))?;
        let partitions = read_partitions(&mut r, version)?;
        let mut value = TransactionLogValue {
            producer_id,
            previous_producer_id: -1,
            next_producer_id: -1,
            producer_epoch,
            next_producer_epoch: -1,
            timeout_ms,
            state,
            partitions,
            last_update_ms: r.i64()?,
            start_ms: r.i64()?,
            client_transaction_version: 0,
        };
        if version >= 1 {
            r.tagged_fields(|tag, field| {
                match tag {
                    0 => value.previous_producer_id = field.i64()?,
                    1 => value.next_producer_id = field.i64()?,
                    2 => value.client_transaction_version = field.i16()?,
                    3 => value.next_producer_epoch = field.i16()?,
                    _ => {}
                }
                Ok(())
            })?;
        }
        r.finish()?;
        Ok(Some(value))
    }
}

/// The topics with their partitions, if there is a list.
type Partitions = Option<Vec<(Rc<str>, Vec<i32>)>>;

fn read_partitions(r: &mut Reader<'_>, version: i16) -> Result<Partitions, WireError> {
    let len = |r: &mut Reader<'_>| match version {
        0 => r.i32().map(|len| usize::try_from(len).ok()),
        _ => r.compact_len(),
    };
    let Some(topics) = len(r)? else { return Ok(None) };
    let mut read = Vec::new();
    for _ in 0..topics {
        let name = if version == 0 { r.string()? } else { r.compact_string()? };
        let partitions = len(r)?.unwrap_or(0);
        let partitions = (0..partitions).map(|_| r.i32()).collect::<Result<Vec<i32>, WireError>>()?;
        if version >= 1 {
            r.skip_tagged_fields()?;
        }
        read.push((name, partitions));
    }
    Ok(Some(read))
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
