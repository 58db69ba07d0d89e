//! One partition's share of a share fetch response, read batch by batch.
//!
//! The application sees the records that were acquired for it; other records of the same batches are somebody else's.
//! Acquired offsets without a record to see (control records, what compaction removed) are acknowledged as gaps. A batch
//! whose checksum is wrong is rejected whole. In Kafka: `ShareCompletedFetch`.

use super::in_flight::{InFlightBatch, illegal_state};
use crate::base::config::ConsumerConfig;
use crate::base::{Duration, NodeId, Offset, TopicPartition};
use crate::client::consumer::ConsumerRecord;
use crate::client::payload::record_id_of;
use crate::node::ClientError;
use crate::protocol::{AcknowledgeType, ErrorCode, ShareFetchPartitionResponse};
use crate::record::{Record, RecordBatch};

/// A fetched partition, perhaps partly read.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct ShareCompletedFetch {
    node: NodeId,
    response: ShareFetchPartitionResponse,
    lock_timeout: Option<Duration>,
    /// The next batch to read.
    batch: usize,
    /// Acquired offsets below this one are dealt with.
    next: Offset,
    consumed: bool,
}

impl ShareCompletedFetch {
    pub(super) fn new(
        node: NodeId,
        response: ShareFetchPartitionResponse,
        lock_timeout: Option<Duration>,
    ) -> ShareCompletedFetch {
        ShareCompletedFetch { node, response, lock_timeout, batch: 0, next: 0, consumed: false }
    }

    /// Whose records these are.
    pub fn partition(&self) -> TopicPartition {
        self.response.partition
    }

    /// The batches that are not read; some of their records may be somebody else's.
    pub fn batches(&self) -> &[RecordBatch] {
        self.response.records.get(self.batch..).unwrap_or_default()
    }

    pub(super) fn error(&self) -> ErrorCode {
        self.response.error
    }

    pub(super) fn lock_timeout(&self) -> Option<Duration> {
        self.lock_timeout
    }

    pub(super) fn is_consumed(&self) -> bool {
        self.consumed
    }

    /// Reads whole batches until there are `max` records. An exception leaves it only when no record came before.
    pub(super) fn read(&mut self, config: &ConsumerConfig, max: usize) -> (InFlightBatch, Result<(), ClientError>) {
        let mut read = InFlightBatch::new(self.node);
        while read.len() < max && !self.consumed {
            let Some(batch) = self.response.records.get(self.batch).cloned() else {
                self.skip_to(Offset::MAX, AcknowledgeType::Gap, &mut read);
                self.consumed = true;
                break;
            };
            if config.check_crcs && !batch.validate_crc() {
                if !read.is_empty() {
                    break;
                }
                self.batch += 1;
                self.skip_to(batch.base_offset(), AcknowledgeType::Gap, &mut read);
                self.skip_to(batch.next_offset(), AcknowledgeType::Reject, &mut read);
                return (read, Err(corrupt(batch.base_offset())));
            }
            self.batch += 1;
            if batch.is_control() {
                continue;
            }
            for record in batch.records() {
                match record {
                    Ok(record) => self.take(&batch, record, &mut read),
                    // Without check.crcs: what follows it cannot be read either.
                    Err(_) => self.skip_to(batch.next_offset(), AcknowledgeType::Reject, &mut read),
                }
            }
        }
        (read, Ok(()))
    }

    fn take(&mut self, batch: &RecordBatch, record: Record, into: &mut InFlightBatch) {
        let offset = record.offset;
        if offset < self.next {
            return;
        }
        self.skip_to(offset, AcknowledgeType::Gap, into);
        let holds = |acquired: &&crate::protocol::AcquiredRecords| {
            (acquired.first_offset..=acquired.last_offset).contains(&offset)
        };
        if let Some(acquired) = self.response.acquired.iter().find(holds) {
            into.add(ConsumerRecord {
                id: record.value.as_deref().and_then(record_id_of),
                partition: self.response.partition,
                leader_epoch: batch.leader_epoch(),
                record,
                delivery_count: acquired.delivery_count,
            });
        }
        self.next = offset + 1;
    }

    /// Acknowledges the acquired offsets below `to`.
    fn skip_to(&mut self, to: Offset, kind: AcknowledgeType, into: &mut InFlightBatch) {
        for acquired in &self.response.acquired {
            let skipped = self.next.max(acquired.first_offset)..to.min(acquired.last_offset + 1);
            skipped.for_each(|offset| into.acknowledge_unseen(offset, kind));
        }
        self.next = self.next.max(to);
    }

    /// Nothing can be read from it: what to do about that error (`handleInitializeErrors`). True: metadata is out of date.
    pub(super) fn on_error(&self) -> Result<bool, ClientError> {
        match self.response.error {
            ErrorCode::NotLeaderOrFollower
            | ErrorCode::ReplicaNotAvailable
            | ErrorCode::KafkaStorageError
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::OffsetNotAvailable
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::InconsistentTopicId => Ok(true),
            ErrorCode::UnknownLeaderEpoch | ErrorCode::UnknownServerError => Ok(false),
            error @ (ErrorCode::TopicAuthorizationFailed | ErrorCode::CorruptMessage) => {
                Err(ClientError::Broker(error))
            }
            error => Err(illegal_state(&format!("Unexpected error code {} while fetching", error.code()))),
        }
    }
}

fn corrupt(offset: Offset) -> ClientError {
    ClientError::Exception(format!("CorruptRecordException: Record batch at offset {offset} is invalid").into())
}
