//! One partition's share of a fetch response, read record by record as `poll()` asks for them.
//!
//! Skips what the application must not see: records below the position (a batch may begin there), control records, and
//! with read_committed the records of aborted transactions. The next offset moves past all of them, and past the end of
//! a batch whose last records compaction removed. In Kafka: `CompletedFetch`.

use super::ConsumerRecord;
use crate::base::config::{ConsumerConfig, IsolationLevel};
use crate::base::{LeaderEpoch, Offset, ProducerId, SortedSet, TopicPartition, sort_short};
use crate::client::payload::record_id_of;
use crate::node::ClientError;
use crate::protocol::{ErrorCode, FetchPartitionResponse};
use crate::record::{ControlRecord, ControlType, RecordBatch};

/// A fetched partition, perhaps partly read.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct CompletedFetch {
    response: FetchPartitionResponse,
    next_fetch_offset: Offset,
    last_epoch: LeaderEpoch,
    batch: u32,
    entered_batch: bool,
    next_aborted: u32,
    aborted_producers: SortedSet<ProducerId>,
    records_read: u32,
    initialized: bool,
    consumed: bool,
}

impl CompletedFetch {
    pub(super) fn new(mut response: FetchPartitionResponse, fetch_offset: Offset) -> Self {
        sort_short(&mut response.aborted_transactions, |a, b| a.first_offset < b.first_offset);
        CompletedFetch {
            response,
            next_fetch_offset: fetch_offset,
            last_epoch: -1,
            batch: 0,
            entered_batch: false,
            next_aborted: 0,
            aborted_producers: SortedSet::new(),
            records_read: 0,
            initialized: false,
            consumed: false,
        }
    }

    /// Whose records these are.
    pub fn partition(&self) -> TopicPartition {
        self.response.partition
    }

    /// The next offset that would be returned.
    pub fn next_fetch_offset(&self) -> Offset {
        self.next_fetch_offset
    }

    /// The batches that are not read to their end.
    pub fn batches(&self) -> &[RecordBatch] {
        self.response.records.get(self.batch as usize..).unwrap_or_default()
    }

    pub(super) fn response(&self) -> &FetchPartitionResponse {
        &self.response
    }

    pub(super) fn error(&self) -> ErrorCode {
        self.response.error
    }

    pub(super) fn last_epoch(&self) -> LeaderEpoch {
        self.last_epoch
    }

    pub(super) fn is_initialized(&self) -> bool {
        self.initialized
    }

    pub(super) fn set_initialized(&mut self) {
        self.initialized = true;
    }

    pub(super) fn is_consumed(&self) -> bool {
        self.consumed
    }

    /// Nothing more comes of it. Tells whether records did.
    pub(super) fn drain(&mut self) -> bool {
        let first_time = !std::mem::replace(&mut self.consumed, true);
        first_time && self.records_read > 0
    }

    /// Reads at most `max` records into `into`. An error is reported only when no record came before it; the next call
    /// meets it again, until the application seeks past it.
    pub(super) fn fetch_records(
        &mut self,
        config: &ConsumerConfig,
        max: u32,
        into: &mut Vec<ConsumerRecord>,
    ) -> Result<(), ClientError> {
        let wanted = into.len() + max as usize;
        let before = into.len();
        while into.len() < wanted && !self.consumed {
            let Some(batch) = self.response.records.get(self.batch as usize).cloned() else {
                self.consumed = true;
                break;
            };
            let read = self.enter(&batch, config).and_then(|skip| match skip {
                true => Ok(true),
                false => self.read(&batch, wanted, into),
            });
            match read {
                Ok(true) => self.leave(&batch),
                Ok(false) => {}
                Err(error) if into.len() == before => return Err(error),
                Err(_) => break,
            }
        }
        self.records_read += (into.len() - before) as u32;
        Ok(())
    }

    /// Begins a batch: checks it, follows the aborted transactions. True if it is to be skipped whole.
    fn enter(&mut self, batch: &RecordBatch, config: &ConsumerConfig) -> Result<bool, ClientError> {
        if self.entered_batch {
            return Ok(false);
        }
        if config.check_crcs && !batch.validate_crc() {
            return Err(self.corrupt(batch.base_offset()));
        }
        self.entered_batch = true;
        self.last_epoch = batch.leader_epoch();
        if config.isolation_level != IsolationLevel::ReadCommitted || !batch.has_producer_id() {
            return Ok(false);
        }
        self.follow_aborted_up_to(batch.last_offset());
        if is_abort_marker(batch) {
            self.aborted_producers.remove(&batch.producer_id());
            return Ok(false);
        }
        Ok(batch.is_transactional() && self.aborted_producers.contains(&batch.producer_id()))
    }

    fn follow_aborted_up_to(&mut self, offset: Offset) {
        let transactions = &self.response.aborted_transactions;
        while let Some(transaction) = transactions.get(self.next_aborted as usize)
            && transaction.first_offset <= offset
        {
            self.aborted_producers.insert(transaction.producer_id);
            self.next_aborted += 1;
        }
    }

    /// Reads on in a batch until it ends (true) or enough is read (false).
    fn read(
        &mut self,
        batch: &RecordBatch,
        wanted: usize,
        into: &mut Vec<ConsumerRecord>,
    ) -> Result<bool, ClientError> {
        for record in batch.records() {
            let record = record.map_err(|_| self.corrupt(self.next_fetch_offset))?;
            if record.offset < self.next_fetch_offset {
                continue;
            }
            if into.len() == wanted {
                return Ok(false);
            }
            self.next_fetch_offset = record.offset + 1;
            if !batch.is_control() {
                into.push(ConsumerRecord {
                    id: record.value.as_deref().and_then(record_id_of),
                    partition: self.response.partition,
                    leader_epoch: batch.leader_epoch(),
                    record,
                    delivery_count: 0,
                });
            }
        }
        Ok(into.len() < wanted)
    }

    fn leave(&mut self, batch: &RecordBatch) {
        self.next_fetch_offset = self.next_fetch_offset.max(batch.next_offset());
        self.batch += 1;
        self.entered_batch = false;
    }

    fn corrupt(&self, offset: Offset) -> ClientError {
        let TopicPartition { topic, partition } = self.response.partition;
        let text = format!(
            "KafkaException: Received exception when fetching the next record from {}-{partition} at offset {offset}. \
             If needed, please seek past the record to continue consumption.",
            topic.0
        );
        ClientError::Exception(text.into())
    }
}

fn is_abort_marker(batch: &RecordBatch) -> bool {
    let marker = || ControlRecord::of_batch(batch).ok().flatten();
    batch.is_control() && marker().is_some_and(|marker| marker.kind() == ControlType::Abort)
}
