//! The records of `__share_group_state`, byte for byte: ShareSnapshot (type 0) and ShareUpdate (type 1), version 0.

use super::SharePartitionKey;
use crate::base::{LeaderEpoch, Offset, TopicPartition};
use crate::coordinator::CoordinatorRecord;
use crate::metadata::Uuid;
use crate::metadata::wire::{Reader, TaggedFields, WireError, Writer};
use crate::protocol::StateBatch;
use bytes::Bytes;
use std::rc::Rc;

const SNAPSHOT: i16 = 0;
const UPDATE: i16 = 1;

/// ShareSnapshotValue: all that is known of a share-partition.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ShareSnapshot {
    /// Counts the snapshots.
    pub snapshot_epoch: i32,
    /// The share-partition's life.
    pub state_epoch: i32,
    /// Of the leader that was last heard of; 0 if none was.
    pub leader_epoch: LeaderEpoch,
    /// The share-partition start offset, −1 if it is still to be found.
    pub start_offset: Offset,
    /// −1 if unknown.
    pub delivery_complete_count: i32,
    /// When it was created, milliseconds.
    pub create_timestamp: i64,
    /// When it was written.
    pub write_timestamp: i64,
    /// In the order of the offsets.
    pub state_batches: Rc<[StateBatch]>,
}

/// ShareUpdateValue: what has changed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ShareUpdate {
    /// Of the snapshot that it adds to.
    pub snapshot_epoch: i32,
    /// The leader's.
    pub leader_epoch: LeaderEpoch,
    /// −1 if it has not changed.
    pub start_offset: Offset,
    /// −1 if unknown.
    pub delivery_complete_count: i32,
    /// What has changed.
    pub state_batches: Vec<StateBatch>,
}

/// What a record says of a share-partition.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ShareRecord {
    /// A snapshot, or that there is nothing any more.
    Snapshot(Option<ShareSnapshot>),
    /// An update.
    Update(ShareUpdate),
}

fn key(kind: i16, (group, partition): &SharePartitionKey) -> Bytes {
    let mut w = Writer::default();
    w.i16(kind);
    w.string(group);
    w.uuid(Uuid::of_topic(partition.topic));
    w.i32(partition.partition as i32);
    Bytes::from(w.into_bytes())
}

fn record(kind: i16, of: &SharePartitionKey, write: impl FnOnce(&mut Writer)) -> CoordinatorRecord {
    CoordinatorRecord::new(key(kind, of), write)
}

fn put_batches(w: &mut Writer, batches: &[StateBatch], delivery_complete_count: i32) {
    w.compact_len(batches.len());
    for batch in batches {
        w.i64(batch.first_offset);
        w.i64(batch.last_offset);
        w.i8(batch.delivery_state);
        w.i16(batch.delivery_count);
        w.no_tagged_fields();
    }
    let mut tagged = TaggedFields::default();
    tagged.maybe(0, Some(delivery_complete_count).filter(|count| *count != -1), |w, count| w.i32(count));
    w.tagged_fields(&tagged);
}

impl ShareRecord {
    /// The record.
    pub fn encode(&self, of: &SharePartitionKey) -> CoordinatorRecord {
        match self {
            ShareRecord::Snapshot(None) => CoordinatorRecord::tombstone(key(SNAPSHOT, of)),
            ShareRecord::Snapshot(Some(snapshot)) => record(SNAPSHOT, of, |w| {
                w.i32(snapshot.snapshot_epoch);
                w.i32(snapshot.state_epoch);
                w.i32(snapshot.leader_epoch);
                w.i64(snapshot.start_offset);
                w.i64(snapshot.create_timestamp);
                w.i64(snapshot.write_timestamp);
                put_batches(w, &snapshot.state_batches, snapshot.delivery_complete_count);
            }),
            ShareRecord::Update(update) => record(UPDATE, of, |w| {
                w.i32(update.snapshot_epoch);
                w.i32(update.leader_epoch);
                w.i64(update.start_offset);
                put_batches(w, &update.state_batches, update.delivery_complete_count);
            }),
        }
    }

    /// Reads a record; None if it is of another kind, or about a topic that is not ours.
    pub fn decode(record: &CoordinatorRecord) -> Result<Option<(SharePartitionKey, ShareRecord)>, WireError> {
        let mut r = Reader::new(&record.key);
        let kind = r.i16()?;
        if !matches!(kind, SNAPSHOT | UPDATE) {
            return Ok(None);
        }
        let (group, topic, partition) = (r.string()?, r.uuid()?, r.i32()?);
        r.finish()?;
        let (Some(topic), Ok(partition)) = (topic.topic(), u32::try_from(partition)) else { return Ok(None) };
        let said = match &record.value {
            None if kind == UPDATE => return Ok(None),
            None => ShareRecord::Snapshot(None),
            Some(bytes) if kind == SNAPSHOT => ShareRecord::Snapshot(Some(read_snapshot(bytes)?)),
            Some(bytes) => ShareRecord::Update(read_update(bytes)?),
        };
        Ok(Some(((group, TopicPartition::new(topic, partition)), said)))
    }
}

fn read_snapshot(bytes: &[u8]) -> Result<ShareSnapshot, WireError> {
    let mut r = value(bytes)?;
    let (snapshot_epoch, state_epoch, leader_epoch, start_offset) = (r.i32()?, r.i32()?, r.i32()?, r.i64()?);
    let (create_timestamp, write_timestamp) = (r.i64()?, r.i64()?);
    let (state_batches, delivery_complete_count) = read_batches(&mut r)?;
    let state_batches = state_batches.into();
    Ok(ShareSnapshot {
        snapshot_epoch,
        state_epoch,
        leader_epoch,
        start_offset,
        delivery_complete_count,
        create_timestamp,
        write_timestamp,
        state_batches,
    })
}

fn read_update(bytes: &[u8]) -> Result<ShareUpdate, WireError> {
    let mut r = value(bytes)?;
    let (snapshot_epoch, leader_epoch, start_offset) = (r.i32()?, r.i32()?, r.i64()?);
    let (state_batches, delivery_complete_count) = read_batches(&mut r)?;
    Ok(ShareUpdate { snapshot_epoch, leader_epoch, start_offset, delivery_complete_count, state_batches })
}

fn value(bytes: &[u8]) -> Result<Reader<'_>, WireError> {
    let mut r = Reader::new(bytes);
    if r.i16()? == 0 { Ok(r) } else { Err(WireError::Invalid("unknown version of a share-partition's record")) }
}

/// To the end of the value, with the delivery complete count.
fn read_batches(r: &mut Reader<'_>) -> Result<(Vec<StateBatch>, i32), WireError> {
    let batches = r.array_of(|r| {
        let (first_offset, last_offset) = (r.i64()?, r.i64()?);
        let (delivery_state, delivery_count) = (r.i8()?, r.i16()?);
        r.skip_tagged_fields()?;
        Ok(StateBatch { first_offset, last_offset, delivery_state, delivery_count })
    })?;
    let mut count = -1;
    r.tagged_fields(|tag, field| {
        if tag == 0 {
            count = field.i32()?;
        }
        Ok(())
    })?;
    r.finish()?;
    Ok((batches, count))
}
