//! Record batches of magic 2, to the byte: read, built, and mapped for the inspector.
//!
//! A [`RecordBatch`] *is* its bytes: it travels through produce, log, replication and fetch unchanged, and header fields
//! are read straight from it. Only the leader writes into one (offset, leader epoch, timestamps), and gets a new batch.
//!
//! Invariants: a `RecordBatch` is at least a whole header, of magic 2, and exactly as long as it says; nothing else is
//! promised (the CRC may be wrong, the records may be nonsense). Once built, the bytes never change.
//!
//! In Kafka: `DefaultRecordBatch`, `DefaultRecord`, `MemoryRecordsBuilder`, `ControlRecordType`, `EndTransactionMarker`.
//!
//! On purpose different from Kafka: older magics are refused; compressed records are not opened.

mod batch;
mod builder;
mod bytemap;
mod control;
#[cfg(any(test, target_arch = "wasm32"))]
mod crc;
mod records;
mod varint;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use ::crc32c::crc32c;
pub use batch::{RecordBatch, TimestampType};
pub use builder::BatchBuilder;
pub use bytemap::{ByteField, bytemap};
pub use control::{ControlRecord, ControlType};
#[cfg(target_arch = "wasm32")]
pub(crate) use crc::crc32c;
pub use records::{Header, RawRecord, RawRecords, Record};

/// Size of a batch's header, and so of the smallest batch.
pub const BATCH_OVERHEAD: usize = 61;
/// Bytes before the length field's count begins: base offset and the length itself.
pub const LOG_OVERHEAD: usize = 12;
/// The timestamp that means "none".
pub const NO_TIMESTAMP: i64 = -1;
/// The producer id that means "none".
pub const NO_PRODUCER_ID: i64 = -1;
/// The producer epoch that means "none".
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// The sequence number that means "none".
pub const NO_SEQUENCE: i32 = -1;
/// The leader epoch that means "none".
pub const NO_LEADER_EPOCH: i32 = -1;

/// The sequence number `by` after `sequence`: after 2³¹−1 comes 0. Numbers that are no sequences wrap, as Java's do.
pub const fn increment_sequence(sequence: i32, by: i32) -> i32 {
    if sequence > i32::MAX.wrapping_sub(by) {
        by.wrapping_sub(i32::MAX.wrapping_sub(sequence)).wrapping_sub(1)
    } else {
        sequence.wrapping_add(by)
    }
}

/// The sequence number `by` before `sequence`: before 0 comes 2³¹−1.
pub const fn decrement_sequence(sequence: i32, by: i32) -> i32 {
    if sequence < by {
        i32::MAX.wrapping_sub(by.wrapping_sub(sequence)).wrapping_add(1)
    } else {
        sequence.wrapping_sub(by)
    }
}

/// Why bytes are not a record batch, or not its records.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum RecordError {
    /// Fewer bytes than a header, or than the batch says it has.
    #[error("the batch ends after {have} of {need} bytes")]
    Truncated {
        /// What there is.
        have: u64,
        /// What there should be.
        need: u64,
    },
    /// A length below the size of a header.
    #[error("a batch cannot be {0} bytes long")]
    Length(i32),
    /// Not magic 2.
    #[error("unsupported magic {0}")]
    Magic(i8),
    /// A record, or the count of them, contradicts the bytes.
    #[error("record {index} is malformed: {what}")]
    Malformed {
        /// Which record of the batch, from 0.
        index: u32,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The records are compressed.
    #[error("records compressed with codec {0} cannot be read")]
    Compressed(u8),
    /// The key or value of a control record is not one.
    #[error("not a control record: {0}")]
    Control(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(increment_sequence(i32::MAX, 1), 0);
        assert_eq!(increment_sequence(i32::MAX - 1, 4), 2);
        assert_eq!(increment_sequence(5, 3), 8);
        assert_eq!(decrement_sequence(0, 1), i32::MAX);
        assert_eq!(decrement_sequence(2, 4), i32::MAX - 1);
        assert_eq!(decrement_sequence(5, 3), 2);
    }
}
