//! A stretch of the log in one file, with its indexes.
//!
//! Invariant: `batches` are in order of offsets and lie one after the other from byte 0; everything before `flushed` is on
//! the medium, what comes after may be in the operating system's page cache only.

use crate::base::{Offset, ProducerId, Time, Vector};
use crate::record::RecordBatch;
use bytes::Bytes;
use std::rc::Rc;

/// A batch in a segment.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StoredBatch {
    /// Its bytes.
    pub batch: RecordBatch,
    /// Its last offset, at hand for searching.
    pub last_offset: Offset,
    /// Where in the segment it begins.
    pub position: u32,
    /// When it was written, for the operating system's write-back.
    pub written_at: Time,
}

/// An entry of `.index`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OffsetIndexEntry {
    /// Last offset of a batch, relative to the segment's base.
    pub relative_offset: u32,
    /// Where that batch begins.
    pub position: u32,
}

/// An entry of `.timeindex`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TimeIndexEntry {
    /// The largest timestamp so far.
    pub timestamp: i64,
    /// Last offset of the batch that has it, relative to the segment's base.
    pub relative_offset: u32,
}

/// An entry of `.txnindex`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AbortedTxn {
    /// Whose transaction.
    pub producer_id: ProducerId,
    /// Its first record.
    pub first_offset: Offset,
    /// Its marker.
    pub last_offset: Offset,
    /// When the marker was written.
    pub last_stable_offset: Offset,
}

/// One segment. Cloning shares the batches.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Segment {
    base_offset: Offset,
    /// `index.interval.bytes`.
    index_interval: u32,
    /// Shared one by one, so that a checkpoint costs pointers only.
    batches: Vector<Rc<StoredBatch>>,
    size: u32,
    flushed: u32,
    created_ms: i64,
    /// Maximal timestamp of the first batch: rolling by time counts from it.
    first_timestamp: Option<i64>,
    max_timestamp: i64,
    offset_of_max_timestamp: Offset,
    offset_index: Vector<OffsetIndexEntry>,
    time_index: Vector<TimeIndexEntry>,
    txn_index: Vector<AbortedTxn>,
    bytes_since_index_entry: u32,
    /// Bytes behind the last batch: the rest of one that a power loss tore.
    torn: Option<Bytes>,
}

impl Segment {
    /// An empty segment.
    pub fn new(base_offset: Offset, index_interval: u32, now: Time) -> Segment {
        Segment {
            base_offset,
            index_interval,
            batches: Vector::new(),
            size: 0,
            flushed: 0,
            created_ms: now.wall_clock_ms(),
            first_timestamp: None,
            max_timestamp: -1,
            offset_of_max_timestamp: -1,
            offset_index: Vector::new(),
            time_index: Vector::new(),
            txn_index: Vector::new(),
            bytes_since_index_entry: 0,
            torn: None,
        }
    }

    /// Offset in its name; no record in it is below.
    pub fn base_offset(&self) -> Offset {
        self.base_offset
    }

    /// Name of its file.
    pub fn file_name(&self) -> String {
        format!("{:020}.log", self.base_offset)
    }

    /// Bytes of all batches.
    pub fn size_in_bytes(&self) -> u32 {
        self.size
    }

    /// Bytes that were forced to the medium.
    pub fn flushed_bytes(&self) -> u32 {
        self.flushed
    }

    /// The batches, oldest first.
    pub fn batches(&self) -> &Vector<Rc<StoredBatch>> {
        &self.batches
    }

    /// The largest timestamp in it, −1 if none.
    pub fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// The largest timestamp in it; if there is none, when it was last written to.
    pub fn largest_timestamp(&self) -> i64 {
        if self.max_timestamp >= 0 { self.max_timestamp } else { self.last_modified_ms() }
    }

    fn last_modified_ms(&self) -> i64 {
        self.last_written().map_or(self.created_ms, Time::wall_clock_ms)
    }

    /// When its last batch was written.
    pub(super) fn last_written(&self) -> Option<Time> {
        self.batches.last().map(|stored| stored.written_at)
    }

    /// The largest timestamp of its first batch.
    pub(super) fn first_timestamp(&self) -> Option<i64> {
        self.first_timestamp
    }

    /// The sparse offset index.
    pub fn offset_index(&self) -> &Vector<OffsetIndexEntry> {
        &self.offset_index
    }

    /// The sparse time index.
    pub fn time_index(&self) -> &Vector<TimeIndexEntry> {
        &self.time_index
    }

    /// The aborted transactions whose marker is in it.
    pub fn txn_index(&self) -> &Vector<AbortedTxn> {
        &self.txn_index
    }

    /// Bytes of a batch that a power loss tore; recovery drops them.
    pub fn torn(&self) -> Option<&Bytes> {
        self.torn.as_ref()
    }

    /// After its last record, or its base if it is empty.
    pub fn next_offset(&self) -> Offset {
        self.batches.last().map_or(self.base_offset, |stored| stored.last_offset + 1)
    }

    /// How long record time went on since its first batch; wall-clock time if that has none.
    pub(super) fn time_waited_for_roll(&self, now_ms: i64, max_timestamp: i64) -> i64 {
        match self.first_timestamp {
            Some(first) if first >= 0 => max_timestamp.saturating_sub(first),
            _ => now_ms - self.created_ms,
        }
    }

    /// Is there no room for one more entry in an index of that size?
    pub(super) fn indexes_full(&self, max_index_bytes: u32) -> bool {
        let offset_entries = (max_index_bytes / 8) as usize;
        let time_entries = (max_index_bytes / 12) as usize;
        self.offset_index.len() >= offset_entries || self.time_index.len() + 1 >= time_entries
    }

    /// Adds a batch at the end.
    pub(super) fn append(&mut self, batch: RecordBatch, now: Time) {
        let last_offset = batch.last_offset();
        let relative = u32::try_from(last_offset - self.base_offset).expect("invariant: a segment spans 2^31 offsets");
        let (size, timestamp) = (batch.size_in_bytes(), batch.max_timestamp());
        if self.batches.is_empty() {
            self.first_timestamp = Some(timestamp);
        }
        if timestamp > self.max_timestamp {
            (self.max_timestamp, self.offset_of_max_timestamp) = (timestamp, last_offset);
        }
        if self.bytes_since_index_entry > self.index_interval {
            self.offset_index.push(OffsetIndexEntry { relative_offset: relative, position: self.size });
            self.add_time_index_entry();
            self.bytes_since_index_entry = 0;
        }
        let stored = StoredBatch { batch, last_offset, position: self.size, written_at: now };
        self.batches.push(Rc::new(stored));
        self.size += size;
        self.bytes_since_index_entry += size;
    }

    /// The segment is full: its largest timestamp goes into the time index.
    pub(super) fn become_inactive(&mut self) {
        self.add_time_index_entry();
    }

    fn add_time_index_entry(&mut self) {
        let newest = self.time_index.last().map_or(-1, |entry| entry.timestamp);
        if self.max_timestamp > newest {
            let relative_offset = (self.offset_of_max_timestamp - self.base_offset) as u32;
            self.time_index.push(TimeIndexEntry { timestamp: self.max_timestamp, relative_offset });
        }
    }

    pub(super) fn add_aborted_txn(&mut self, aborted: AbortedTxn) {
        self.txn_index.push(aborted);
    }

    /// Which batch is the first that ends at `offset` or later? Searches from the end, where readers mostly are.
    pub(super) fn first_ending_at(&self, offset: Offset) -> usize {
        let len = self.batches.len();
        let ends_before = |index: usize| self.batches[index].last_offset < offset;
        let mut step = 1;
        let mut high = len;
        while step <= high && !ends_before(high - step) {
            high -= step;
            step *= 2;
        }
        let mut low = high.saturating_sub(step);
        // Everything below `low` ends before the offset, everything from `high` on does not.
        while low < high {
            let middle = low + (high - low) / 2;
            if ends_before(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Forces everything to the medium.
    pub(super) fn flush(&mut self) {
        self.flushed = self.size;
    }

    /// A segment as its file is, all on the medium; without entries in its indexes.
    pub(super) fn restored(
        base_offset: Offset,
        index_interval: u32,
        batches: Vec<RecordBatch>,
        torn: Option<Bytes>,
        now: Time,
    ) -> Segment {
        let mut segment = Segment { torn, ..Segment::new(base_offset, index_interval, now) };
        for batch in batches {
            let (last_offset, position, size) = (batch.last_offset(), segment.size, batch.size_in_bytes());
            segment.batches.push(Rc::new(StoredBatch { batch, last_offset, position, written_at: now }));
            segment.size += size;
        }
        segment.flush();
        segment.find_timestamps();
        segment
    }

    /// Gives it these indexes; those that are None are made from its batches, as if it had just been written and closed.
    pub(super) fn set_indexes(
        &mut self,
        offsets: Option<Vec<OffsetIndexEntry>>,
        times: Option<Vec<TimeIndexEntry>>,
        aborted: Vec<AbortedTxn>,
    ) {
        if offsets.is_none() || times.is_none() {
            self.rebuild_indexes();
        }
        if let Some(offsets) = offsets {
            self.offset_index = Vector::new();
            offsets.into_iter().for_each(|entry| self.offset_index.push(entry));
        }
        if let Some(times) = times {
            self.time_index = Vector::new();
            times.into_iter().for_each(|entry| self.time_index.push(entry));
        }
        self.txn_index = Vector::new();
        aborted.into_iter().for_each(|entry| self.txn_index.push(entry));
        self.bytes_since_index_entry = 0;
    }

    fn rebuild_indexes(&mut self) {
        let batches = std::mem::take(&mut self.batches);
        (self.offset_index, self.time_index) = (Vector::new(), Vector::new());
        (self.max_timestamp, self.offset_of_max_timestamp) = (-1, -1);
        let mut last_entry = 0;
        for stored in batches.iter() {
            self.see_timestamp(stored);
            if stored.position - last_entry > self.index_interval {
                let relative_offset = (stored.last_offset - self.base_offset) as u32;
                self.offset_index.push(OffsetIndexEntry { relative_offset, position: stored.position });
                self.add_time_index_entry();
                last_entry = stored.position;
            }
        }
        self.batches = batches;
        self.add_time_index_entry();
    }

    fn see_timestamp(&mut self, stored: &StoredBatch) {
        let timestamp = stored.batch.max_timestamp();
        if timestamp > self.max_timestamp {
            (self.max_timestamp, self.offset_of_max_timestamp) = (timestamp, stored.last_offset);
        }
    }

    fn find_timestamps(&mut self) {
        self.first_timestamp = self.batches.first().map(|stored| stored.batch.max_timestamp());
        (self.max_timestamp, self.offset_of_max_timestamp) = (-1, -1);
        let batches = self.batches.clone();
        batches.iter().for_each(|stored| self.see_timestamp(stored));
    }

    /// Drops the batches from `index` on, and what a power loss left behind them. Returns how many bytes went. A segment
    /// that is empty then counts as new.
    pub(super) fn truncate_to_batch(&mut self, index: usize, now: Time) -> u32 {
        let before = self.size + self.torn.take().map_or(0, |torn| torn.len() as u32);
        if index < self.batches.len() {
            self.size = self.batches[index].position;
            self.batches.truncate(index);
            self.forget_what_went();
        }
        if self.batches.is_empty() {
            self.created_ms = now.wall_clock_ms();
        }
        before - self.size
    }

    fn forget_what_went(&mut self) {
        let (base, end, size) = (self.base_offset, self.next_offset(), self.size);
        self.flushed = self.flushed.min(size);
        // Positions and offsets go up in all of them.
        self.offset_index.truncate(self.offset_index.partition_point(|entry| entry.position < size));
        let before_end = |entry: &TimeIndexEntry| base + i64::from(entry.relative_offset) < end;
        self.time_index.truncate(self.time_index.partition_point(before_end));
        self.txn_index.truncate(self.txn_index.partition_point(|aborted| aborted.last_offset < end));
        self.bytes_since_index_entry = 0;
        self.find_timestamps();
    }

    /// Puts other bytes in the place of a batch: a fault of the disk.
    pub(super) fn replace(&mut self, index: usize, batch: RecordBatch) {
        Rc::make_mut(&mut self.batches[index]).batch = batch;
    }

    /// What was written by then, explicitly or by the operating system.
    pub(super) fn durable_batches(&self, written_back_before: Time) -> usize {
        let durable = |stored: &StoredBatch| stored.position < self.flushed || stored.written_at <= written_back_before;
        self.batches.iter().take_while(|stored| durable(stored)).count()
    }

    /// A power loss left these batches, all on the medium, and perhaps a piece of the next.
    pub(super) fn lose_power(&mut self, durable: usize, torn: Option<Bytes>, now: Time) {
        self.truncate_to_batch(durable, now);
        self.flush();
        self.torn = torn;
    }
}
