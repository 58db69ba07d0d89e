//! What an application asks of the external system on which it acts: a database, a mail server. No API of Kafka's: it travels
//! on the same wires, so that all that can happen to a message can happen to it.
//!
//! Errors are told in Kafka's codes: `INVALID_RECORD` (it takes this record never), `UNKNOWN_SERVER_ERROR` (it refuses now),
//! `ILLEGAL_GENERATION` (another member owns the partition since). Then nothing has happened.

use super::ErrorCode;
use crate::base::{Generation, Offset, RecordId, TopicPartition};
use bytes::Bytes;

/// Which of two writes a request is for; the only one if they are one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SinkAsk {
    /// Look for repetitions, then write.
    First,
    /// Write the rest.
    Second,
}

/// Act on these records, all or none.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SinkWriteRequest {
    /// Which write.
    pub ask: SinkAsk,
    /// Of the member that read them, −1 for none.
    pub generation: Generation,
    /// The records.
    pub writes: Vec<SinkWrite>,
}

/// One record of a request to a sink.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SinkWrite {
    /// The record's identity.
    pub record: RecordId,
    /// Where it was read.
    pub partition: TopicPartition,
    /// Where it was read.
    pub offset: Offset,
    /// The entity it is about, if it names one.
    pub key: Option<Bytes>,
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SinkWriteResponse {
    /// `NONE`, or why nothing has happened.
    pub error: ErrorCode,
    /// In the order of the request: which records were no repetitions.
    pub fresh: Vec<bool>,
}

/// Which offsets are stored with the output?
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SinkOffsetsRequest {
    /// Of the member that asks, −1 for none.
    pub generation: Generation,
    /// Of which partitions.
    pub partitions: Vec<TopicPartition>,
}

/// The next offset to read of each partition of which anything is stored.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SinkOffsetsResponse {
    /// `NONE`, or why it does not say.
    pub error: ErrorCode,
    /// In the order of the request.
    pub offsets: Vec<(TopicPartition, Offset)>,
}
