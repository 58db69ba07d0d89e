//! Reading: by offset, by timestamp, and the index of aborted transactions.

use super::{AbortedTxn, UnifiedLog};
use crate::base::{LeaderEpoch, Offset};
use crate::protocol::{AbortedTransaction, ErrorCode};
use crate::record::RecordBatch;

impl UnifiedLog {
    /// Whole batches from the one that holds `from`, so the first may begin below; all end before `upper` (high watermark,
    /// last stable offset or log end). At most `max_bytes`, except for a first batch with `min_one`. As in Kafka, one read
    /// stays within one segment. Between `upper` and the log's end there is nothing to read, without an error.
    pub fn read(
        &self,
        from: Offset,
        max_bytes: u32,
        upper: Offset,
        min_one: bool,
    ) -> Result<Vec<RecordBatch>, ErrorCode> {
        let mut found = Vec::new();
        if from < self.log_start_offset() || from > self.log_end_offset {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        if from >= upper {
            return Ok(found);
        }
        let first_segment = self.directory.floor_segment(from).ok_or(ErrorCode::OffsetOutOfRange)?;
        for segment in &self.directory.segments[first_segment..] {
            let mut bytes: u32 = 0;
            for stored in segment.batches().iter_from(segment.first_ending_at(from)) {
                if stored.last_offset >= upper {
                    return Ok(found);
                }
                let size = stored.batch.size_in_bytes();
                if bytes.saturating_add(size) > max_bytes && !(found.is_empty() && min_one) {
                    return Ok(found);
                }
                bytes = bytes.saturating_add(size);
                found.push(stored.batch.clone());
            }
            if !found.is_empty() {
                break;
            }
        }
        Ok(found)
    }

    /// The first record with a timestamp of at least `timestamp`: timestamp, offset, leader epoch.
    pub fn offset_for_timestamp(&self, timestamp: i64) -> Option<(i64, Offset, LeaderEpoch)> {
        self.first_since(timestamp, self.log_start_offset())
    }

    fn first_since(&self, timestamp: i64, start: Offset) -> Option<(i64, Offset, LeaderEpoch)> {
        let segment = self.directory.segments.iter().find(|segment| segment.max_timestamp() >= timestamp)?;
        for stored in segment.batches().iter_from(segment.first_ending_at(start)) {
            let batch = &stored.batch;
            if batch.max_timestamp() < timestamp {
                continue;
            }
            let matching =
                |record: &crate::record::RawRecord<'_>| record.timestamp >= timestamp && record.offset >= start;
            if let Some(record) = batch.raw_records().flatten().find(matching) {
                return Some((record.timestamp, record.offset, batch.leader_epoch()));
            }
        }
        None
    }

    /// The first record that has the largest timestamp of all. As in Kafka, it may lie below the log's start: segments
    /// remember their largest timestamp whatever of them may still be read.
    pub fn offset_of_max_timestamp(&self) -> Option<(i64, Offset, LeaderEpoch)> {
        let largest = self.directory.segments.iter().map(|segment| segment.max_timestamp()).max()?;
        if largest < 0 { None } else { self.first_since(largest, 0) }
    }

    /// The aborted transactions that a read_committed reader of `from..upper` has to know, by the transaction indexes.
    pub fn aborted_transactions(&self, from: Offset, upper: Offset) -> Vec<AbortedTransaction> {
        let named = |it: AbortedTxn| AbortedTransaction { producer_id: it.producer_id, first_offset: it.first_offset };
        self.aborted_txns(from, upper).into_iter().map(named).collect()
    }

    /// How far Kafka looks for aborted transactions when these batches were read: not to their end, but to where the sparse
    /// offset index knows the next batch in the segment (`LogSegment.fetchUpperBoundOffset`), or to the segment's end.
    pub fn upper_bound_of(&self, records: &[RecordBatch]) -> Option<Offset> {
        let last = records.last()?;
        let index = self.directory.floor_segment(last.base_offset())?;
        let segment = &self.directory.segments[index];
        let stored = segment.batches().iter_from(segment.first_ending_at(last.last_offset())).next()?;
        let end = stored.position + last.size_in_bytes();
        let entries = segment.offset_index();
        let next = entries.partition_point(|entry| entry.position < end);
        Some(match self.directory.segments.get(index + 1) {
            _ if next < entries.len() => segment.base_offset() + Offset::from(entries[next].relative_offset),
            Some(segment) => segment.base_offset(),
            None => self.log_end_offset,
        })
    }

    /// The entries of the transaction indexes that overlap `from..upper`.
    pub(super) fn aborted_txns(&self, from: Offset, upper: Offset) -> Vec<AbortedTxn> {
        let mut found = Vec::new();
        let Some(first_segment) = self.directory.floor_segment(from) else { return found };
        for segment in &self.directory.segments[first_segment..] {
            for aborted in segment.txn_index().iter() {
                if aborted.last_offset >= from && aborted.first_offset < upper {
                    found.push(*aborted);
                }
                if aborted.last_stable_offset >= upper {
                    return found;
                }
            }
        }
        found
    }
}
