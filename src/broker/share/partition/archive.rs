//! What will not be delivered any more, whoever wants it: below the log start offset, compacted away, aborted.

use super::SharePartition;
use super::in_flight::RecordState;
use crate::base::{Offset, SortedSet, sort_long};
use crate::protocol::{AbortedTransaction, AcquiredRecords};
use crate::record::{ControlRecord, RecordBatch};

impl SharePartition {
    /// The log begins later than this group has got (`updateCacheAndOffsets`). What is acquired below stays so until it is
    /// acknowledged or its lock ends; nothing is written until then.
    pub fn log_start_moved(&mut self, log_start_offset: Offset) {
        if log_start_offset <= self.start_offset {
            return;
        }
        if self.batches.is_empty() {
            (self.start_offset, self.end_offset) = (log_start_offset, log_start_offset);
            self.delivery_complete_count = 0;
            return;
        }
        let below = self.batches.values().flat_map(|batch| batch.slots());
        let terminal = below.filter(|(first, _, slot)| *first < log_start_offset && slot.state.is_terminal());
        let removed: i32 = terminal.map(|(first, last, _)| self.counted(first, last.min(log_start_offset - 1))).sum();
        let from = self.batches.first_key_value().map_or(self.start_offset, |(first, _)| *first);
        self.archive(from.min(self.start_offset), self.start_offset, log_start_offset, RecordState::Available, false);
        self.start_offset = log_start_offset;
        self.delivery_complete_count -= removed;
        self.end_offset = self.end_offset.max(log_start_offset);
    }

    /// The log has nothing where something is available: it was compacted away.
    pub(super) fn archive_stale(&mut self, fetch_offset: Offset, base_offset: Offset) {
        if fetch_offset < base_offset {
            let floor = self.floor(fetch_offset).filter(|batch| batch.last >= fetch_offset);
            let from = floor.map_or(fetch_offset, |batch| batch.first);
            self.archive(from, fetch_offset, base_offset, RecordState::Available, true);
        }
    }

    /// Archives what is in a state, in the batches that begin from `batches_from` on, of the offsets `from .. to`.
    fn archive(&mut self, batches_from: Offset, from: Offset, to: Offset, state: RecordState, count: bool) {
        let mut archived = 0;
        for first in self.firsts(batches_from, to - 1) {
            let batch = self.batches.get_mut(&first).expect("invariant: the batch was just found");
            let full = batch.first >= from && batch.last < to;
            if !full && batch.whole().is_some_and(|whole| whole.state != state) {
                continue;
            }
            if !full {
                batch.split();
            }
            for (first, last, slot) in batch.slots_mut() {
                if first >= from && last < to && slot.state == state {
                    slot.settle(RecordState::Archived);
                    archived += (last - first + 1) as i32;
                }
            }
        }
        self.find_next_fetch_offset |= archived > 0;
        if count {
            self.delivery_complete_count += archived;
        }
    }

    /// Takes what belongs to aborted transactions out of what was just acquired (`share.isolation.level`).
    pub(super) fn archive_aborted(
        &mut self,
        batches: &[RecordBatch],
        aborted: &[AbortedTransaction],
        mut acquired: Vec<AcquiredRecords>,
    ) -> Vec<AcquiredRecords> {
        for (first, last) in aborted_batches(batches, aborted) {
            let from = self.floor(first).map_or(first, |batch| batch.first);
            self.archive(from, first, last + 1, RecordState::Acquired, true);
            acquired = acquired.into_iter().flat_map(|records| without(records, first, last)).collect();
        }
        acquired
    }
}

/// What is left of acquired records without `first ..= last`.
fn without(records: AcquiredRecords, first: Offset, last: Offset) -> impl Iterator<Item = AcquiredRecords> {
    let before = AcquiredRecords { last_offset: records.last_offset.min(first - 1), ..records };
    let after = AcquiredRecords { first_offset: records.first_offset.max(last + 1), ..records };
    [before, after].into_iter().filter(|part| part.first_offset <= part.last_offset)
}

/// The batches with records of aborted transactions, in the order of the log.
fn aborted_batches(batches: &[RecordBatch], aborted: &[AbortedTransaction]) -> Vec<(Offset, Offset)> {
    let mut ahead = aborted.to_vec();
    sort_long(&mut ahead, |a, b| a.first_offset > b.first_offset);
    let (mut producers, mut found) = (SortedSet::new(), Vec::new());
    for batch in batches.iter().filter(|batch| batch.producer_id() >= 0) {
        while let Some(begun) = ahead.pop_if(|it| it.first_offset <= batch.last_offset()) {
            producers.insert(begun.producer_id);
        }
        if matches!(ControlRecord::of_batch(batch), Ok(Some(ControlRecord::Abort { .. }))) {
            producers.remove(&batch.producer_id());
        } else if batch.is_transactional() && !batch.is_control() && producers.contains(&batch.producer_id()) {
            found.push((batch.base_offset(), batch.last_offset()));
        }
    }
    found
}
