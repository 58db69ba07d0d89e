//! Compaction: of each key the newest record stays (`Cleaner`).
//!
//! Two walks. The first notes the newest offset of each key in the dirty part. The second copies all segments up to its end
//! without the records that are superseded by then, puts several small segments into one, and swaps them in.
//!
//! What stays besides: a tombstone or a transaction's marker, until the delete horizon that the first cleaning stamps on it;
//! a marker moreover while data of its transaction is there; the last batch of each producer that is known, and the last
//! of the cleaned part, if need be empty, so that sequences and offsets do not go back. Data of aborted transactions goes, and
//! so do records without a key.
//!
//! Departures: cleaning takes no time, so nothing happens to the log meanwhile; the offset map has no limit, so the dirty
//! part is always cleaned as a whole; a log with compressed batches cannot be cleaned.

use super::cleaned_transactions::CleanedTransactions;
use super::{AbortedTxn, LogToClean, Segment, UnifiedLog};
use crate::base::{Offset, SortedMap, Time};
use crate::record::{Record, RecordBatch, RecordError};
use std::rc::Rc;

/// The newest offset of each key in the dirty part.
type OffsetMap<'a> = SortedMap<&'a [u8], Offset>;

/// What the second walk needs to know.
struct Cleaning<'a> {
    map: OffsetMap<'a>,
    /// Up to where the log is cleaned.
    end: Offset,
    now_ms: i64,
    delete_retention_ms: i64,
}

/// Whether a batch stays when no record of it does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Emptied {
    Stays,
    Goes,
}

impl UnifiedLog {
    /// Cleans what [`Self::to_clean`] found; how many bytes smaller the log is. Fails if a batch cannot be read, and then
    /// changes nothing.
    pub fn clean(&mut self, what: &LogToClean, now: Time) -> Result<u64, RecordError> {
        let end = what.first_uncleanable_offset;
        let cleaning = Cleaning {
            map: self.offset_map(what.first_dirty_offset, end)?,
            end,
            now_ms: now.wall_clock_ms(),
            delete_retention_ms: self.config.delete_retention_ms,
        };
        let mut transactions = CleanedTransactions::default();
        let mut cleaned = Vec::new();
        let mut from = 0;
        while self.directory.segments[from].base_offset() < end {
            let group = self.group_from(from, end);
            cleaned.push(Rc::new(self.clean_group(from..from + group, &cleaning, &mut transactions, now)?));
            from += group;
        }
        let before = self.size_in_bytes();
        self.directory.replace_head(from, cleaned);
        self.directory.cleaned_to = Some(end);
        Ok(before.saturating_sub(self.size_in_bytes()))
    }

    fn offset_map(&self, from: Offset, end: Offset) -> Result<OffsetMap<'_>, RecordError> {
        let mut map = OffsetMap::new();
        let mut transactions = CleanedTransactions::default();
        transactions.expect(self.aborted_txns(from, end));
        for batch in self.batches_from(from).take_while(|batch| batch.base_offset() < end) {
            if batch.is_control() {
                transactions.is_superfluous(batch);
            } else if !transactions.is_aborted(batch) {
                for record in batch.raw_records() {
                    let record = record?;
                    if let Some(key) = record.key.filter(|_| record.offset >= from) {
                        map.insert(key, record.offset);
                    }
                }
            }
        }
        Ok(map)
    }

    /// How many segments from there on go into one: as many as it can hold.
    fn group_from(&self, first: usize, end: Offset) -> usize {
        let segments = &self.directory.segments[first..];
        let (mut bytes, mut count) = (segments[0].size_in_bytes(), 1);
        let (mut offsets, mut times) = (segments[0].offset_index().len(), segments[0].time_index().len());
        let limit = self.config.segment_index_bytes as usize;
        while let Some(next) = segments.get(count).filter(|next| next.base_offset() < end) {
            bytes = bytes.saturating_add(next.size_in_bytes());
            offsets += next.offset_index().len();
            times += next.time_index().len();
            let last = segments.get(count + 1).map_or(end, |after| after.base_offset().min(end)) - 1;
            let spans = next.size_in_bytes() > 0 && last - segments[0].base_offset() > i64::from(i32::MAX);
            if bytes > self.config.segment_bytes || offsets * 8 > limit || times * 12 > limit || spans {
                break;
            }
            count += 1;
        }
        count
    }

    fn clean_group(
        &self,
        group: std::ops::Range<usize>,
        cleaning: &Cleaning<'_>,
        transactions: &mut CleanedTransactions,
        now: Time,
    ) -> Result<Segment, RecordError> {
        let segments = &self.directory.segments;
        let modified = segments[group.end - 1].last_written().unwrap_or(now);
        let base = segments[group.start].base_offset();
        let mut cleaned = Segment::new(base, self.config.index_interval_bytes, modified);
        for index in group.clone() {
            let segment = &segments[index];
            let next_in_group = index + 1 < group.end;
            let upper = if next_in_group { segments[index + 1].base_offset() } else { segment.next_offset() };
            transactions.expect(self.aborted_txns(segment.base_offset(), upper));
            for stored in segment.batches().iter() {
                let (batch, aborted) = self.clean_batch(&stored.batch, cleaning, transactions)?;
                if let Some(batch) = batch {
                    cleaned.append(batch, modified);
                }
                if let Some(aborted) = aborted {
                    cleaned.add_aborted_txn(aborted);
                }
            }
        }
        cleaned.become_inactive();
        cleaned.flush();
        Ok(cleaned)
    }

    /// What stays of a batch, and the index entry of an aborted transaction that stays with it.
    fn clean_batch(
        &self,
        batch: &RecordBatch,
        cleaning: &Cleaning<'_>,
        transactions: &mut CleanedTransactions,
    ) -> Result<(Option<RecordBatch>, Option<AbortedTxn>), RecordError> {
        let (superfluous, aborted) = if batch.is_control() {
            transactions.is_superfluous(batch)
        } else {
            (transactions.is_aborted(batch), None)
        };
        let overdue = batch.delete_horizon().is_some_and(|horizon| horizon <= cleaning.now_ms);
        let discard = superfluous && (overdue || !batch.is_control());
        let emptied = match self.is_last_of_producer(batch) || batch.next_offset() == cleaning.end {
            true => Emptied::Stays,
            false => Emptied::Goes,
        };
        let is_empty_marker = superfluous && batch.is_control();
        let kept = if discard { Vec::new() } else { cleaning.retained(batch)? };
        Ok((cleaning.rewrite(batch, &kept, emptied, is_empty_marker), aborted))
    }

    /// The batch that what is known of its producer rests on: its last data, or if there is none left the marker that tells
    /// its epoch.
    fn is_last_of_producer(&self, batch: &RecordBatch) -> bool {
        let known = self.producer_state.entry(batch.producer_id()).filter(|_| batch.has_producer_id());
        known.is_some_and(|entry| match entry.batches().last() {
            Some(last) => batch.last_offset() == last.last_offset,
            None => batch.is_control() && batch.producer_epoch() == entry.epoch,
        })
    }
}

impl Cleaning<'_> {
    fn retained(&self, batch: &RecordBatch) -> Result<Vec<Record>, RecordError> {
        let overdue = batch.delete_horizon().is_some_and(|horizon| horizon <= self.now_ms);
        let stays = |record: &Record| {
            if batch.is_control() || record.offset >= self.end {
                return true;
            }
            let Some(key) = &record.key else { return false };
            let newest = self.map.get(&key[..]).is_none_or(|newest| record.offset >= *newest);
            newest && (record.value.is_some() || !overdue)
        };
        let mut kept = Vec::with_capacity(batch.record_count().max(0) as usize);
        for record in batch.records() {
            kept.extend(Some(record?).filter(stays));
        }
        Ok(kept)
    }

    fn rewrite(
        &self,
        batch: &RecordBatch,
        kept: &[Record],
        emptied: Emptied,
        is_empty_marker: bool,
    ) -> Option<RecordBatch> {
        if kept.is_empty() {
            return (emptied == Emptied::Stays).then(|| batch.emptied());
        }
        let has_tombstone = kept.iter().any(|record| record.value.is_none());
        let begins = (has_tombstone || is_empty_marker) && batch.delete_horizon().is_none();
        if kept.len() == batch.record_count() as usize && !begins {
            return Some(batch.clone());
        }
        let horizon =
            if begins { Some(self.now_ms.saturating_add(self.delete_retention_ms)) } else { batch.delete_horizon() };
        Some(batch.retaining(kept, horizon))
    }
}
