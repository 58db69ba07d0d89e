//! What a partition knows of one producer.

use crate::base::{Offset, ProducerEpoch};
use crate::record::{NO_PRODUCER_EPOCH, NO_SEQUENCE, NO_TIMESTAMP, RecordBatch, decrement_sequence};

/// How many batches of a producer are recognised when they come again.
const BATCHES_TO_RETAIN: usize = 5;

/// A batch that was appended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct CachedBatch {
    /// Sequence of its last record.
    pub last_sequence: i32,
    /// Offset of its last record.
    pub last_offset: Offset,
    /// Last offset − first offset.
    pub offset_delta: i32,
    /// Its maximal timestamp.
    pub timestamp: i64,
}

/// A producer's state (`ProducerStateEntry`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ProducerEntry {
    /// −1 if nothing is known.
    pub epoch: ProducerEpoch,
    /// Of the last marker, −1 if there was none.
    pub coordinator_epoch: i32,
    /// Of the last batch or marker; the state expires some time after it.
    pub last_timestamp: i64,
    /// Where its open transaction began.
    pub current_txn_first_offset: Option<Offset>,
    /// The newest `count` batches of this epoch, oldest first.
    batches: [CachedBatch; BATCHES_TO_RETAIN],
    count: u8,
}

impl CachedBatch {
    /// Sequence of its first record.
    pub fn first_sequence(&self) -> i32 {
        decrement_sequence(self.last_sequence, self.offset_delta)
    }

    /// Offset of its first record.
    pub fn first_offset(&self) -> Offset {
        self.last_offset - i64::from(self.offset_delta)
    }
}

impl ProducerEntry {
    /// Nothing known.
    pub(super) const EMPTY: ProducerEntry = ProducerEntry {
        epoch: NO_PRODUCER_EPOCH,
        coordinator_epoch: -1,
        last_timestamp: NO_TIMESTAMP,
        current_txn_first_offset: None,
        batches: [CachedBatch { last_sequence: 0, last_offset: 0, offset_delta: 0, timestamp: 0 }; BATCHES_TO_RETAIN],
        count: 0,
    };

    /// The batches recognised when they come again, oldest first.
    pub fn batches(&self) -> &[CachedBatch] {
        &self.batches[..usize::from(self.count)]
    }

    /// Sequence of the last record, −1 if none is known.
    pub fn last_sequence(&self) -> i32 {
        self.batches().last().map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }

    /// Was this very batch appended already?
    pub fn find_duplicate(&self, batch: &RecordBatch) -> Option<CachedBatch> {
        if batch.producer_epoch() != self.epoch {
            return None;
        }
        let range = (batch.base_sequence(), batch.last_sequence());
        self.batches().iter().find(|known| (known.first_sequence(), known.last_sequence) == range).copied()
    }

    pub(super) fn add_batch(&mut self, epoch: ProducerEpoch, batch: CachedBatch) {
        self.move_to_epoch(epoch);
        if usize::from(self.count) == BATCHES_TO_RETAIN {
            self.batches.rotate_left(1);
            self.count -= 1;
        }
        self.batches[usize::from(self.count)] = batch;
        self.count += 1;
        self.last_timestamp = batch.timestamp;
    }

    pub(super) fn end_transaction(&mut self, epoch: ProducerEpoch, coordinator_epoch: i32, timestamp: i64) {
        self.move_to_epoch(epoch);
        self.coordinator_epoch = coordinator_epoch;
        self.current_txn_first_offset = None;
        self.last_timestamp = timestamp;
    }

    fn move_to_epoch(&mut self, epoch: ProducerEpoch) {
        if self.epoch != epoch {
            self.batches = ProducerEntry::EMPTY.batches;
            self.count = 0;
            self.epoch = epoch;
        }
    }

    /// As a snapshot file keeps it: with the last batch only.
    pub(super) fn for_snapshot(&self) -> ProducerEntry {
        let mut kept = *self;
        kept.batches = ProducerEntry::EMPTY.batches;
        kept.count = 0;
        if let Some(&last) = self.batches().last() {
            // The file has one timestamp an entry: a marker's may come back as its batch's.
            kept.batches[0] = CachedBatch { timestamp: self.last_timestamp, ..last };
            kept.count = 1;
        }
        kept
    }
}
