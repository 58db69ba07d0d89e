//! Builds a batch record by record.

use super::batch::{at, attribute, put, write_crc};
use super::varint::{size_of_varint, size_of_varlong, write_varint, write_varlong};
use super::{BATCH_OVERHEAD, Header, LOG_OVERHEAD, RecordBatch, TimestampType};
use super::{NO_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, NO_TIMESTAMP};
use crate::base::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

/// The most a record can take besides its key, value and headers (`DefaultRecord.MAX_RECORD_OVERHEAD`).
const MAX_RECORD_OVERHEAD: usize = 21;

/// A batch in the making. The records are encoded as they come; the header is written by [`Self::build`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct BatchBuilder {
    /// Room for the header, then the records.
    bytes: Vec<u8>,
    attributes: i16,
    base_offset: Offset,
    leader_epoch: LeaderEpoch,
    base_timestamp: i64,
    max_timestamp: i64,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    base_sequence: i32,
    count: i32,
}

impl BatchBuilder {
    /// An empty batch. Kafka's producer takes the first record's timestamp as the base.
    pub fn new(base_timestamp: i64) -> BatchBuilder {
        BatchBuilder {
            bytes: vec![0; BATCH_OVERHEAD],
            attributes: 0,
            base_offset: 0,
            leader_epoch: NO_LEADER_EPOCH,
            base_timestamp,
            max_timestamp: NO_TIMESTAMP,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            base_sequence: NO_SEQUENCE,
            count: 0,
        }
    }

    /// Offset of the first record; 0 if a leader will assign it.
    pub fn base_offset(mut self, base_offset: Offset) -> Self {
        self.base_offset = base_offset;
        self
    }

    /// Epoch of the leader; −1 if it will be assigned.
    pub fn leader_epoch(mut self, leader_epoch: LeaderEpoch) -> Self {
        self.leader_epoch = leader_epoch;
        self
    }

    /// The idempotent producer, and the first record's sequence number.
    pub fn producer(mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: i32) -> Self {
        self.set_producer(id, epoch, base_sequence);
        self
    }

    /// As [`Self::producer`], for a batch under way: sequence numbers are assigned when it is drained.
    pub fn set_producer(&mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: i32) {
        (self.producer_id, self.producer_epoch, self.base_sequence) = (id, epoch, base_sequence);
    }

    /// Part of a transaction?
    pub fn transactional(mut self, yes: bool) -> Self {
        self.set_attribute(attribute::TRANSACTIONAL, yes);
        self
    }

    /// A control batch?
    pub fn control(mut self, yes: bool) -> Self {
        self.set_attribute(attribute::CONTROL, yes);
        self
    }

    /// Whose clock the timestamps are.
    pub fn timestamp_type(mut self, timestamp_type: TimestampType) -> Self {
        self.set_attribute(attribute::LOG_APPEND_TIME, timestamp_type == TimestampType::LogAppendTime);
        self
    }

    fn set_attribute(&mut self, bit: i16, yes: bool) {
        if yes {
            self.attributes |= bit;
        } else {
            self.attributes &= !bit;
        }
    }

    /// From when the cleaner may drop tombstones or marker; the base timestamp tells it. To be set before any record.
    pub(super) fn delete_horizon(mut self, horizon: i64) -> Self {
        self.set_attribute(attribute::DELETE_HORIZON, true);
        self.base_timestamp = horizon;
        self
    }

    /// Adds a record; its offset delta is returned.
    pub fn append(&mut self, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) -> i32 {
        let offset_delta = self.count;
        self.append_at(offset_delta, timestamp, key, value, headers);
        offset_delta
    }

    /// Adds a record at an offset of its own, above those before it.
    pub(super) fn append_at(
        &mut self,
        offset_delta: i32,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) {
        let timestamp_delta = timestamp.wrapping_sub(self.base_timestamp);
        let size = body_size(offset_delta, timestamp_delta, key, value, headers);
        let out = &mut self.bytes;
        out.reserve(size + 5);
        write_varint(out, size as i32);
        out.push(0);
        write_varlong(out, timestamp_delta);
        write_varint(out, offset_delta);
        write_slice(out, key);
        write_slice(out, value);
        write_varint(out, headers.len() as i32);
        for header in headers {
            write_slice(out, Some(header.key.as_bytes()));
            write_slice(out, header.value.as_deref());
        }
        self.count += 1;
        self.max_timestamp = self.max_timestamp.max(timestamp);
    }

    /// How many records there are.
    pub fn record_count(&self) -> u32 {
        self.count as u32
    }

    /// Of the first record.
    pub fn base_timestamp(&self) -> i64 {
        self.base_timestamp
    }

    /// No record yet?
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Header and records so far.
    pub fn size_in_bytes(&self) -> u32 {
        self.bytes.len() as u32
    }

    /// Would this record leave the batch within `limit` bytes? The first record always may (`hasRoomFor`).
    pub fn has_room_for(
        &self,
        limit: u32,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> bool {
        let delta = timestamp.wrapping_sub(self.base_timestamp);
        self.is_empty() || self.bytes.len() + record_size(self.count, delta, key, value, headers) <= limit as usize
    }

    /// Kafka's upper bound for a batch with only this record (`estimateSizeInBytesUpperBound`): what the producer
    /// reserves, and compares with `max.request.size`.
    pub fn estimate_size(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) -> u32 {
        (BATCH_OVERHEAD + MAX_RECORD_OVERHEAD + content_size(key, value, headers)) as u32
    }

    /// Writes the header. Panics if there are no records.
    pub fn build(self) -> RecordBatch {
        let last_offset_delta = self.count - 1;
        self.build_to(last_offset_delta)
    }

    /// As [`Self::build`], for a batch that lost its last records.
    pub(super) fn build_to(mut self, last_offset_delta: i32) -> RecordBatch {
        assert!(self.count > 0, "invariant: a batch is built from at least one record");
        let bytes = &mut self.bytes;
        let length = (bytes.len() - LOG_OVERHEAD) as i32;
        put(bytes, at::BASE_OFFSET, self.base_offset.to_be_bytes());
        put(bytes, at::LENGTH, length.to_be_bytes());
        put(bytes, at::LEADER_EPOCH, self.leader_epoch.to_be_bytes());
        bytes[at::MAGIC] = 2;
        put(bytes, at::ATTRIBUTES, self.attributes.to_be_bytes());
        put(bytes, at::LAST_OFFSET_DELTA, last_offset_delta.to_be_bytes());
        put(bytes, at::BASE_TIMESTAMP, self.base_timestamp.to_be_bytes());
        put(bytes, at::MAX_TIMESTAMP, self.max_timestamp.to_be_bytes());
        put(bytes, at::PRODUCER_ID, self.producer_id.to_be_bytes());
        put(bytes, at::PRODUCER_EPOCH, self.producer_epoch.to_be_bytes());
        put(bytes, at::BASE_SEQUENCE, self.base_sequence.to_be_bytes());
        put(bytes, at::RECORD_COUNT, self.count.to_be_bytes());
        write_crc(bytes);
        RecordBatch::from_built(self.bytes)
    }
}

/// A record with its length field.
fn record_size(
    offset_delta: i32,
    timestamp_delta: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[Header],
) -> usize {
    let body = body_size(offset_delta, timestamp_delta, key, value, headers);
    body + size_of_varint(body as i32)
}

/// A record without its length field.
fn body_size(
    offset_delta: i32,
    timestamp_delta: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[Header],
) -> usize {
    1 + size_of_varlong(timestamp_delta) + size_of_varint(offset_delta) + content_size(key, value, headers)
}

fn content_size(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) -> usize {
    let headers_size: usize = headers
        .iter()
        .map(|header| slice_size(Some(header.key.as_bytes())) + slice_size(header.value.as_deref()))
        .sum();
    slice_size(key) + slice_size(value) + size_of_varint(headers.len() as i32) + headers_size
}

fn slice_size(slice: Option<&[u8]>) -> usize {
    slice.map_or(1, |slice| size_of_varint(slice.len() as i32) + slice.len())
}

fn write_slice(out: &mut Vec<u8>, slice: Option<&[u8]>) {
    match slice {
        None => write_varint(out, -1),
        Some(slice) => {
            write_varint(out, slice.len() as i32);
            out.extend_from_slice(slice);
        }
    }
}
