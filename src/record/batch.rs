//! One batch: a view over its bytes.

use super::{BATCH_OVERHEAD, LOG_OVERHEAD, RawRecords, Record, RecordError, crc32c, increment_sequence};
use crate::base::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};
use bytes::Bytes;
use std::hash::{Hash, Hasher};

pub use crate::base::config::TimestampType;

/// Where the header's fields begin.
pub(super) mod at {
    pub const BASE_OFFSET: usize = 0;
    pub const LENGTH: usize = 8;
    pub const LEADER_EPOCH: usize = 12;
    pub const MAGIC: usize = 16;
    pub const CRC: usize = 17;
    pub const ATTRIBUTES: usize = 21;
    pub const LAST_OFFSET_DELTA: usize = 23;
    pub const BASE_TIMESTAMP: usize = 27;
    pub const MAX_TIMESTAMP: usize = 35;
    pub const PRODUCER_ID: usize = 43;
    pub const PRODUCER_EPOCH: usize = 51;
    pub const BASE_SEQUENCE: usize = 53;
    pub const RECORD_COUNT: usize = 57;
}

/// What the bits of the attributes mean.
pub(super) mod attribute {
    pub const CODEC: i16 = 0x07;
    pub const LOG_APPEND_TIME: i16 = 0x08;
    pub const TRANSACTIONAL: i16 = 0x10;
    pub const CONTROL: i16 = 0x20;
    pub const DELETE_HORIZON: i16 = 0x40;
}

/// One batch of records, of magic 2. Cloning shares the bytes.
#[derive(Clone)]
pub struct RecordBatch {
    bytes: Bytes,
}

macro_rules! field {
    ($(#[$doc:meta])* $name:ident: $type:ty = $at:expr) => {
        $(#[$doc])*
        pub fn $name(&self) -> $type {
            <$type>::from_be_bytes(self.array($at))
        }
    };
}

impl RecordBatch {
    /// The first batch of `bytes`, and what follows it.
    pub fn parse(mut bytes: Bytes) -> Result<(RecordBatch, Bytes), RecordError> {
        let have = bytes.len() as u64;
        if bytes.len() < BATCH_OVERHEAD {
            return Err(RecordError::Truncated { have, need: BATCH_OVERHEAD as u64 });
        }
        let batch = RecordBatch { bytes: bytes.clone() };
        let length = i32::from_be_bytes(batch.array(at::LENGTH));
        let size = usize::try_from(length).unwrap_or(0) + LOG_OVERHEAD;
        if size < BATCH_OVERHEAD {
            return Err(RecordError::Length(length));
        }
        let magic = bytes[at::MAGIC] as i8;
        if magic != 2 {
            return Err(RecordError::Magic(magic));
        }
        if bytes.len() < size {
            return Err(RecordError::Truncated { have, need: size as u64 });
        }
        let rest = bytes.split_off(size);
        Ok((RecordBatch { bytes }, rest))
    }

    /// All batches of `bytes`, which must hold nothing else.
    pub fn parse_all(mut bytes: Bytes) -> Result<Vec<RecordBatch>, RecordError> {
        let mut batches = Vec::new();
        while !bytes.is_empty() {
            let (batch, rest) = RecordBatch::parse(bytes)?;
            batches.push(batch);
            bytes = rest;
        }
        Ok(batches)
    }

    /// Bytes that [`super::BatchBuilder`] made.
    pub(super) fn from_built(bytes: Vec<u8>) -> RecordBatch {
        debug_assert!(bytes.len() >= BATCH_OVERHEAD, "invariant: a built batch has a header");
        RecordBatch { bytes: bytes.into() }
    }

    field! {
        /// Offset of the first record (also when compaction removed it).
        base_offset: Offset = at::BASE_OFFSET
    }
    field! {
        /// Epoch of the leader that appended it; −1 before that.
        leader_epoch: LeaderEpoch = at::LEADER_EPOCH
    }
    field! {
        /// The CRC-32C it claims.
        crc: u32 = at::CRC
    }
    field! {
        /// Codec, timestamp type, transactional, control, delete horizon.
        attributes: i16 = at::ATTRIBUTES
    }
    field! {
        /// Of the last record (also when compaction removed it), relative to the base offset.
        last_offset_delta: i32 = at::LAST_OFFSET_DELTA
    }
    field! {
        /// What the records' timestamps count from.
        base_timestamp: i64 = at::BASE_TIMESTAMP
    }
    field! {
        /// The largest of the records, or the append time.
        max_timestamp: i64 = at::MAX_TIMESTAMP
    }
    field! {
        /// −1 if the producer is not idempotent.
        producer_id: ProducerId = at::PRODUCER_ID
    }
    field! {
        /// −1 if the producer is not idempotent.
        producer_epoch: ProducerEpoch = at::PRODUCER_EPOCH
    }
    field! {
        /// Sequence of the first record, −1 for none.
        base_sequence: i32 = at::BASE_SEQUENCE
    }
    field! {
        /// How many records it holds (fewer than offsets, after compaction).
        record_count: i32 = at::RECORD_COUNT
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> Offset {
        self.base_offset().wrapping_add(i64::from(self.last_offset_delta()))
    }

    /// Where the next batch may begin. Readers advance to here, never by counting records.
    pub fn next_offset(&self) -> Offset {
        self.last_offset().wrapping_add(1)
    }

    /// Header and records.
    pub fn size_in_bytes(&self) -> u32 {
        self.bytes.len() as u32
    }

    /// Sequence of the last record, −1 for none.
    pub fn last_sequence(&self) -> i32 {
        match self.base_sequence() {
            super::NO_SEQUENCE => super::NO_SEQUENCE,
            base => increment_sequence(base, self.last_offset_delta()),
        }
    }

    /// Does it come from an idempotent producer?
    pub fn has_producer_id(&self) -> bool {
        self.producer_id() > super::NO_PRODUCER_ID
    }

    /// Is it part of a transaction?
    pub fn is_transactional(&self) -> bool {
        self.attributes() & attribute::TRANSACTIONAL != 0
    }

    /// Does it hold a control record?
    pub fn is_control(&self) -> bool {
        self.attributes() & attribute::CONTROL != 0
    }

    /// 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub fn codec(&self) -> u8 {
        (self.attributes() & attribute::CODEC) as u8
    }

    /// Whose clock the timestamps are.
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes() & attribute::LOG_APPEND_TIME != 0 {
            TimestampType::LogAppendTime
        } else {
            TimestampType::CreateTime
        }
    }

    /// From when the cleaner may drop its tombstones or marker.
    pub fn delete_horizon(&self) -> Option<i64> {
        (self.attributes() & attribute::DELETE_HORIZON != 0).then(|| self.base_timestamp())
    }

    /// The bytes themselves.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Do the bytes match the CRC?
    pub fn validate_crc(&self) -> bool {
        self.crc() == crc32c(&self.bytes[at::ATTRIBUTES..])
    }

    /// The records, owned (they share the batch's bytes).
    pub fn records(&self) -> impl Iterator<Item = Result<Record, RecordError>> + '_ {
        self.raw_records().map(|record| record.and_then(|record| Record::of(&self.bytes, &record)))
    }

    /// The records, borrowed: the cheap way to look at them.
    pub fn raw_records(&self) -> RawRecords<'_> {
        RawRecords::of(self)
    }

    /// The same batch at another place, appended by another leader. The CRC covers neither.
    pub fn with_offset_and_epoch(&self, base_offset: Offset, leader_epoch: LeaderEpoch) -> RecordBatch {
        self.edited(|bytes| {
            put(bytes, at::BASE_OFFSET, base_offset.to_be_bytes());
            put(bytes, at::LEADER_EPOCH, leader_epoch.to_be_bytes());
        })
    }

    /// As the leader writes it: placed, and stamped if `timestamps` differ from what it says.
    pub fn as_appended(
        &self,
        base_offset: Offset,
        leader_epoch: LeaderEpoch,
        timestamp_type: TimestampType,
        max_timestamp: i64,
    ) -> RecordBatch {
        let restamp = self.timestamp_type() != timestamp_type || self.max_timestamp() != max_timestamp;
        self.edited(|bytes| {
            put(bytes, at::BASE_OFFSET, base_offset.to_be_bytes());
            put(bytes, at::LEADER_EPOCH, leader_epoch.to_be_bytes());
            if restamp {
                stamp(bytes, timestamp_type, max_timestamp);
            }
        })
    }

    /// The same batch, stamped by the broker's clock.
    pub fn with_append_time(&self, append_time: i64) -> RecordBatch {
        self.edited(|bytes| stamp(bytes, TimestampType::LogAppendTime, append_time))
    }

    /// The same records from that producer, numbered from `base_sequence`.
    pub fn with_producer(&self, id: ProducerId, epoch: ProducerEpoch, base_sequence: i32) -> RecordBatch {
        self.edited(|bytes| {
            put(bytes, at::PRODUCER_ID, id.to_be_bytes());
            put(bytes, at::PRODUCER_EPOCH, epoch.to_be_bytes());
            put(bytes, at::BASE_SEQUENCE, base_sequence.to_be_bytes());
            write_crc(bytes);
        })
    }

    /// What compaction leaves if no record stays: a header, which still tells offsets, sequences and the maximal timestamp.
    pub fn emptied(&self) -> RecordBatch {
        let mut bytes = self.bytes[..super::BATCH_OVERHEAD].to_vec();
        let kept = attribute::LOG_APPEND_TIME | attribute::TRANSACTIONAL | attribute::CONTROL;
        put(&mut bytes, at::LENGTH, ((super::BATCH_OVERHEAD - super::LOG_OVERHEAD) as i32).to_be_bytes());
        put(&mut bytes, at::ATTRIBUTES, (self.attributes() & kept).to_be_bytes());
        put(&mut bytes, at::BASE_TIMESTAMP, super::NO_TIMESTAMP.to_be_bytes());
        put(&mut bytes, at::RECORD_COUNT, 0_i32.to_be_bytes());
        write_crc(&mut bytes);
        RecordBatch { bytes: bytes.into() }
    }

    /// What compaction leaves if these records stay (there is at least one, all of this batch, uncompressed): they keep
    /// their offsets and timestamps, and the batch its first and last offset and its sequences.
    pub fn retaining(&self, records: &[Record], delete_horizon: Option<i64>) -> RecordBatch {
        let first_timestamp = records.first().map_or(super::NO_TIMESTAMP, |record| record.timestamp);
        let mut builder = super::BatchBuilder::new(first_timestamp)
            .base_offset(self.base_offset())
            .leader_epoch(self.leader_epoch())
            .producer(self.producer_id(), self.producer_epoch(), self.base_sequence())
            .transactional(self.is_transactional())
            .control(self.is_control())
            .timestamp_type(self.timestamp_type());
        if let Some(horizon) = delete_horizon {
            builder = builder.delete_horizon(horizon);
        }
        for record in records {
            let delta = (record.offset - self.base_offset()) as i32;
            builder.append_at(delta, record.timestamp, record.key.as_deref(), record.value.as_deref(), &record.headers);
        }
        builder.build_to(self.last_offset_delta())
    }

    /// The batch with the byte at `index` flipped: a fault of the disk. The CRC is left as it was.
    pub fn corrupted(&self, index: usize) -> RecordBatch {
        let first = at::ATTRIBUTES;
        let index = first + index % (self.bytes.len() - first);
        self.edited(|bytes| bytes[index] ^= 0xff)
    }

    fn edited(&self, edit: impl FnOnce(&mut [u8])) -> RecordBatch {
        let mut bytes = self.bytes.to_vec();
        edit(&mut bytes);
        RecordBatch { bytes: bytes.into() }
    }

    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes[at..at + N]);
        array
    }
}

fn stamp(bytes: &mut [u8], timestamp_type: TimestampType, max_timestamp: i64) {
    let mut attributes = i16::from_be_bytes([bytes[at::ATTRIBUTES], bytes[at::ATTRIBUTES + 1]]);
    match timestamp_type {
        TimestampType::LogAppendTime => attributes |= attribute::LOG_APPEND_TIME,
        TimestampType::CreateTime => attributes &= !attribute::LOG_APPEND_TIME,
    }
    put(bytes, at::ATTRIBUTES, attributes.to_be_bytes());
    put(bytes, at::MAX_TIMESTAMP, max_timestamp.to_be_bytes());
    write_crc(bytes);
}

/// Writes a field into a header.
pub(super) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

/// Makes the CRC right.
pub(super) fn write_crc(bytes: &mut [u8]) {
    let crc = crc32c(&bytes[at::ATTRIBUTES..]);
    put(bytes, at::CRC, crc.to_be_bytes());
}

impl PartialEq for RecordBatch {
    fn eq(&self, other: &Self) -> bool {
        let shared = self.bytes.as_ptr() == other.bytes.as_ptr() && self.bytes.len() == other.bytes.len();
        shared || self.bytes == other.bytes
    }
}

impl Eq for RecordBatch {}

impl Hash for RecordBatch {
    /// Place, epoch, CRC and length stand for all bytes.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.base_offset() as u64);
        state.write_u64(u64::from(self.leader_epoch() as u32) << 32 | u64::from(self.crc()));
        state.write_u32(self.size_in_bytes());
    }
}

impl std::fmt::Debug for RecordBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (base, last, epoch) = (self.base_offset(), self.last_offset(), self.leader_epoch());
        write!(f, "RecordBatch({base}..={last}, epoch {epoch}, {} bytes", self.bytes.len())?;
        if self.has_producer_id() {
            let (id, producer_epoch) = (self.producer_id(), self.producer_epoch());
            write!(f, ", producer {id}/{producer_epoch} from {}", self.base_sequence())?;
        }
        if self.is_control() {
            write!(f, ", control")?;
        }
        write!(f, ")")
    }
}
