//! Sequence numbers and producer epochs: what makes a retry recognisable, so that it is stored once and in order.
//!
//! Invariants: a batch gets its sequence when it is drained, and keeps it however often it is sent; all in-flight batches
//! of a partition carry consecutive sequences of one producer id and epoch, unless a gap is *unresolved*: then no new
//! batch is sent until it is known whether the gap was written. A sequence is never used twice for different records
//! within one epoch: where a sequence is lost, the epoch is raised, locally.
//!
//! In Kafka: `TransactionManager` (the idempotent half), `TxnPartitionMap`, `TxnPartitionEntry`. The transactional half
//! lives in [`transactional`](super::transactional) and shares this state.

use super::batch::{Batch, BatchId, Batches, ProducerIdAndEpoch};
use super::state::State;
use super::transactional::Half;
use crate::base::config::ProducerConfig;
use crate::base::{Offset, SortedMap, SortedSet, Time, TopicPartition};
use crate::node::ClientError;
use crate::protocol::{ErrorCode, ProducePartitionResponse};
use crate::record::{NO_SEQUENCE, increment_sequence};

/// A batch that was given a sequence and is not completed: on the wire or back in the queue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct InFlightSequence {
    producer: ProducerIdAndEpoch,
    base_sequence: i32,
    batch: BatchId,
}

/// Sequences of one partition.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PartitionSequence {
    /// Whose sequences these are; older than the producer's own while old batches are in flight.
    pub producer: ProducerIdAndEpoch,
    /// For the next batch.
    pub next_sequence: i32,
    /// −1 if none was acknowledged.
    pub last_acked_sequence: i32,
    /// −1 if none was acknowledged.
    pub last_acked_offset: Offset,
    /// Ordered by producer id, epoch, sequence.
    in_flight: Vec<InFlightSequence>,
}

impl PartitionSequence {
    fn new() -> Self {
        PartitionSequence {
            producer: ProducerIdAndEpoch::NONE,
            next_sequence: 0,
            last_acked_sequence: -1,
            last_acked_offset: -1,
            in_flight: Vec::new(),
        }
    }

    /// From 0, the batches in flight included.
    fn start_at_beginning(&mut self, producer: ProducerIdAndEpoch, batches: &mut Batches) {
        let mut sequence = 0;
        for entry in &mut self.in_flight {
            let batch = batches.get_mut(entry.batch);
            batch.reset_producer(producer, sequence);
            (entry.producer, entry.base_sequence) = (producer, sequence);
            sequence = increment_sequence(sequence, batch.record_count() as i32);
        }
        self.producer = producer;
        self.next_sequence = sequence;
        self.last_acked_sequence = -1;
    }
}

/// The state of an idempotent producer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TransactionManager {
    /// Where it stands.
    pub(super) state: State,
    pub(super) producer: ProducerIdAndEpoch,
    partitions: SortedMap<TopicPartition, PartitionSequence>,
    /// Partitions whose last sequences may or may not be written, and the sequence after the gap.
    unresolved: SortedMap<TopicPartition, i32>,
    pub(super) epoch_bump_required: bool,
    partitions_to_rewrite: SortedSet<TopicPartition>,
    pub(super) transactional: Half,
}

impl TransactionManager {
    pub(super) fn new(config: &ProducerConfig) -> Self {
        TransactionManager {
            state: State::Uninitialized,
            producer: ProducerIdAndEpoch::NONE,
            partitions: SortedMap::new(),
            unresolved: SortedMap::new(),
            epoch_bump_required: false,
            partitions_to_rewrite: SortedSet::new(),
            transactional: Half::new(config),
        }
    }

    // ---- asking ----

    /// The identity given by a broker, with the epoch raised since.
    pub fn producer(&self) -> ProducerIdAndEpoch {
        self.producer
    }

    /// Where it stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Sequences of every partition written to.
    pub fn partitions(&self) -> impl Iterator<Item = (TopicPartition, &PartitionSequence)> {
        self.partitions.iter().map(|(partition, sequence)| (*partition, sequence))
    }

    /// Whether it is unknown if a batch that was given up was written.
    pub fn has_unresolved_sequence(&self, partition: TopicPartition) -> bool {
        self.unresolved.contains_key(&partition)
    }

    pub(super) fn has_in_flight(&self, partition: TopicPartition) -> bool {
        self.partitions.get(&partition).is_some_and(|p| !p.in_flight.is_empty())
    }

    fn is_stale(&self, partition: TopicPartition) -> bool {
        self.partitions.get(&partition).map_or(ProducerIdAndEpoch::NONE, |p| p.producer) != self.producer
    }

    fn is_next_sequence(&self, partition: TopicPartition, sequence: i32) -> bool {
        let last = self.partitions.get(&partition).map_or(-1, |p| p.last_acked_sequence);
        sequence.wrapping_sub(last) == 1
    }

    /// Whether the head of a queue must wait (`shouldStopDrainBatchesForPartition`).
    pub(super) fn holds_back(&self, head: &Batch) -> bool {
        let partition = head.partition;
        if !self.producer.is_valid() || !self.is_send_allowed(partition) {
            return true;
        }
        if !head.has_sequence() {
            let old_in_flight = self.has_in_flight(partition) && self.is_stale(partition);
            return old_in_flight || self.has_unresolved_sequence(partition);
        }
        let first = self.partitions.get(&partition).and_then(|p| p.in_flight.first());
        first.is_some_and(|first| first.base_sequence != NO_SEQUENCE && first.base_sequence != head.base_sequence())
    }

    // ---- the producer id ----

    /// Raises the epoch if that was asked for; true if an `InitProducerId` is to be sent now.
    pub(super) fn prepare(&mut self, now: Time, batches: &mut Batches) -> bool {
        if self.epoch_bump_required {
            self.bump_epoch(batches);
        }
        if self.state == State::Uninitialized {
            self.state = State::Initializing { at: now };
        }
        matches!(self.state, State::Initializing { at } if at <= now)
    }

    pub(super) fn set_producer(&mut self, producer: ProducerIdAndEpoch) {
        self.producer = producer;
        self.state = State::Ready;
    }

    /// After a new epoch from the coordinator every partition starts from 0 (`resetSequenceNumbers`).
    pub(super) fn reset_sequences(&mut self) {
        self.partitions.clear();
        self.unresolved.clear();
    }

    fn request_epoch_bump(&mut self, partition: TopicPartition) {
        self.epoch_bump_required = true;
        self.partitions_to_rewrite.insert(partition);
    }

    fn bump_epoch(&mut self, batches: &mut Batches) {
        if self.producer.epoch == i16::MAX {
            self.producer = ProducerIdAndEpoch::NONE;
            self.state = State::Uninitialized;
        } else {
            self.producer.epoch += 1;
        }
        for partition in std::mem::take(&mut self.partitions_to_rewrite) {
            if let Some(sequence) = self.partitions.get_mut(&partition) {
                sequence.start_at_beginning(self.producer, batches);
            }
            self.unresolved.remove(&partition);
        }
        self.epoch_bump_required = false;
    }

    /// As after very many records.
    #[cfg(test)]
    pub(super) fn set_next_sequence(&mut self, partition: TopicPartition, sequence: i32) {
        let entry = self.partitions.get_mut(&partition).expect("the test wrote to it");
        (entry.next_sequence, entry.last_acked_sequence) = (sequence, sequence - 1);
    }

    // ---- batches ----

    /// Gives a batch its place in the sequence as it is drained.
    pub(super) fn assign_sequence(&mut self, id: BatchId, batches: &mut Batches) {
        let (partition, count) = (batches.get(id).partition, batches.get(id).record_count());
        let producer = self.producer;
        let sequence = self.partitions.entry(partition).or_insert_with(PartitionSequence::new);
        if sequence.producer != producer && sequence.in_flight.is_empty() {
            sequence.start_at_beginning(producer, batches);
        }
        batches.get_mut(id).set_producer(producer, sequence.next_sequence);
        sequence.next_sequence = increment_sequence(sequence.next_sequence, count as i32);
        self.add_in_flight(batches.get(id));
    }

    pub(super) fn add_in_flight(&mut self, batch: &Batch) {
        let entry =
            InFlightSequence { producer: batch.producer(), base_sequence: batch.base_sequence(), batch: batch.id };
        let in_flight = &mut self.partitions.entry(batch.partition).or_insert_with(PartitionSequence::new).in_flight;
        let at = in_flight.partition_point(|other| *other < entry);
        in_flight.insert(at, entry);
    }

    pub(super) fn remove_in_flight(&mut self, batch: &Batch) {
        if let Some(sequence) = self.partitions.get_mut(&batch.partition) {
            sequence.in_flight.retain(|entry| entry.batch != batch.id);
        }
    }

    pub(super) fn on_completed(&mut self, batch: &Batch, base_offset: Offset) {
        if let Some(sequence) = self.partitions.get_mut(&batch.partition) {
            sequence.last_acked_sequence = sequence.last_acked_sequence.max(batch.last_sequence());
        }
        // Kafka, too, remembers only the offset of a batch that comes back to sequences begun anew.
        if base_offset >= 0 && (!self.is_transactional() || self.partitions.contains_key(&batch.partition)) {
            let sequence = self.partitions.entry(batch.partition).or_insert_with(PartitionSequence::new);
            let last_offset = base_offset + Offset::from(batch.record_count()) - 1;
            sequence.last_acked_offset = sequence.last_acked_offset.max(last_offset);
        }
        self.remove_in_flight(batch);
    }

    /// A batch failed for good. `adjust_sequences`: although retries were left, so its sequence is missing.
    pub(super) fn on_failed(
        &mut self,
        id: BatchId,
        error: &ClientError,
        adjust_sequences: bool,
        batches: &mut Batches,
    ) {
        self.on_send_error(error);
        let batch = batches.get(id);
        let partition = batch.partition;
        self.remove_in_flight(batch);
        if matches!(self.state, State::FatalError(_)) {
            return;
        }
        let transactional = self.is_transactional();
        match error {
            // Kafka's exception for the second is one for the first, too.
            ClientError::Broker(ErrorCode::OutOfOrderSequenceNumber | ErrorCode::UnknownProducerId)
                if !transactional =>
            {
                self.request_epoch_bump(partition);
            }
            ClientError::Broker(ErrorCode::UnknownProducerId) => {
                self.partitions.remove(&partition);
                self.unresolved.remove(&partition);
            }
            _ if !adjust_sequences => {}
            _ if transactional => self.close_gap(id, batches),
            _ => self.request_epoch_bump(partition),
        }
    }

    /// A broker refused a batch for good, so what comes after it moves up (`adjustSequencesDueToFailedBatch`). Only within a
    /// transaction, which can only be aborted now: nobody will see those records.
    fn close_gap(&mut self, id: BatchId, batches: &mut Batches) {
        let failed = batches.get(id);
        let (base_sequence, count) = (failed.base_sequence(), failed.record_count() as i32);
        let Some(sequence) = self.partitions.get_mut(&failed.partition) else { return };
        // Kafka throws here, and goes on, where the sequences began anew meanwhile.
        if sequence.next_sequence < count {
            return;
        }
        sequence.next_sequence -= count;
        for entry in sequence.in_flight.iter_mut().filter(|entry| entry.base_sequence >= base_sequence) {
            let moved = entry.base_sequence - count;
            if moved < 0 {
                return;
            }
            entry.base_sequence = moved;
            batches.get_mut(entry.batch).reset_producer(entry.producer, moved);
        }
    }

    /// A batch that was sent is given up without knowing whether it was written.
    pub(super) fn mark_unresolved(&mut self, batch: &Batch) {
        let next = batch.last_sequence().wrapping_add(1);
        let entry = self.unresolved.entry(batch.partition).or_insert(next);
        *entry = next.max(*entry);
    }

    /// Gaps after which nothing is in flight any more: either what came after was acknowledged, so the gap was written,
    /// or the epoch is raised.
    pub(super) fn resolve_sequences(&mut self) {
        if self.unresolved.is_empty() {
            return;
        }
        let settled: Vec<_> = self.unresolved.keys().filter(|p| !self.has_in_flight(**p)).copied().collect();
        for partition in settled {
            let next = self.partitions.get(&partition).map_or(0, |p| p.next_sequence);
            if !self.is_next_sequence(partition, next) {
                if self.is_transactional() {
                    self.sequences_stay_unresolved();
                } else {
                    self.request_epoch_bump(partition);
                }
            }
            self.unresolved.remove(&partition);
        }
    }

    /// Whether this answer is worth a retry, and what it means for the epoch (`canRetry`).
    pub(super) fn can_retry(
        &mut self,
        id: BatchId,
        response: &ProducePartitionResponse,
        batches: &mut Batches,
    ) -> bool {
        let batch = batches.get(id);
        let partition = batch.partition;
        let transactional = self.is_transactional();
        match response.error {
            // Without the log start nobody can tell why; a sequence begun anew says nothing new.
            ErrorCode::UnknownProducerId if response.log_start_offset == -1 || batch.sequence_reset => true,
            ErrorCode::UnknownProducerId if !transactional => {
                self.request_epoch_bump(partition);
                true
            }
            ErrorCode::UnknownProducerId => {
                // What was acknowledged is deleted, and with it the producer: nothing is lost, so begin anew.
                let Some(sequence) = self.partitions.get_mut(&partition) else { return false };
                let deleted = sequence.last_acked_offset < response.log_start_offset;
                if deleted {
                    sequence.start_at_beginning(self.producer, batches);
                }
                deleted
            }
            ErrorCode::OutOfOrderSequenceNumber => {
                let unresolved = self.unresolved.get(&partition).copied();
                let early = batch.sequence_reset || !self.is_next_sequence(partition, batch.base_sequence());
                match unresolved {
                    None if early => true,
                    _ if transactional => false,
                    Some(next) if next != batch.base_sequence() => true,
                    _ => {
                        self.request_epoch_bump(partition);
                        true
                    }
                }
            }
            error => error.is_retriable(),
        }
    }
}
