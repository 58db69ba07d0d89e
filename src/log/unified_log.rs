//! The log of one replica: its offsets, and what moves them besides appending and truncating.

use super::{
    EpochEntry, LogConfig, LogDirectory, OpenTransaction, ProducerState, Segment, StoredBatch, VerificationGuard,
};
use crate::base::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Time, TopicPartition};
use crate::protocol::{EpochEndOffset, ErrorCode};
use crate::record::RecordBatch;
use std::rc::Rc;

/// One replica of a partition. Cloning shares what is large.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct UnifiedLog {
    pub(super) directory: LogDirectory,
    pub(super) config: Rc<LogConfig>,
    pub(super) log_start_offset: Offset,
    /// May lie behind the last batch's end: a truncation into the middle of a batch takes all of it.
    pub(super) log_end_offset: Offset,
    pub(super) high_watermark: Offset,
    /// Where the first transaction begins whose fate is not known and replicated.
    pub(super) first_unstable_offset: Option<Offset>,
    pub(super) producer_state: ProducerState,
}

impl UnifiedLog {
    /// A new, empty log.
    pub fn create(partition: TopicPartition, config: Rc<LogConfig>, now: Time) -> UnifiedLog {
        UnifiedLog {
            directory: LogDirectory::new(partition, &config, now),
            config,
            log_start_offset: 0,
            log_end_offset: 0,
            high_watermark: 0,
            first_unstable_offset: None,
            producer_state: ProducerState::default(),
        }
    }

    /// The process dies: only the files remain.
    pub fn into_directory(self) -> LogDirectory {
        self.directory
    }

    /// Closes the log in an orderly way: all is flushed, and the producers' state is written.
    pub fn close(mut self) -> LogDirectory {
        self.take_snapshot();
        self.directory.active_mut().become_inactive();
        self.flush();
        self.checkpoint_log_start();
        self.directory.clean_shutdown = true;
        self.directory
    }

    /// The files.
    pub fn directory(&self) -> &LogDirectory {
        &self.directory
    }

    /// Of which partition.
    pub fn partition(&self) -> TopicPartition {
        self.directory.partition
    }

    /// Its settings.
    pub fn config(&self) -> &Rc<LogConfig> {
        &self.config
    }

    /// Changes its settings, from the next append on.
    pub fn set_config(&mut self, config: Rc<LogConfig>) {
        self.config = config;
    }

    /// The first offset that may be read.
    pub fn log_start_offset(&self) -> Offset {
        self.log_start_offset
    }

    /// The next offset to be written.
    pub fn log_end_offset(&self) -> Offset {
        self.log_end_offset
    }

    /// Nothing to read?
    pub fn is_empty(&self) -> bool {
        self.log_start_offset() == self.log_end_offset
    }

    /// Bytes of all segments.
    pub fn size_in_bytes(&self) -> u64 {
        self.directory.size_in_bytes()
    }

    /// Before it, all is replicated.
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// Before it, all is replicated and every transaction is decided.
    pub fn last_stable_offset(&self) -> Offset {
        self.first_unstable_offset.map_or(self.high_watermark, |unstable| unstable.min(self.high_watermark))
    }

    /// Sets the high watermark, clamped to what the log holds; returns it.
    pub fn set_high_watermark(&mut self, offset: Offset) -> Offset {
        let clamped = offset.clamp(self.log_start_offset(), self.log_end_offset);
        if clamped != self.high_watermark {
            self.high_watermark = clamped;
            self.producer_state.on_high_watermark(clamped);
            self.update_first_unstable_offset();
        }
        clamped
    }

    /// Raises the high watermark; returns the new one if it moved. It never passes the log's end.
    pub fn maybe_advance_high_watermark(&mut self, offset: Offset) -> Option<Offset> {
        (offset.min(self.log_end_offset) > self.high_watermark).then(|| self.set_high_watermark(offset))
    }

    /// Raises the log start offset, up to the high watermark. Records below can no longer be read.
    pub fn maybe_advance_log_start_offset(&mut self, offset: Offset) -> Result<bool, ErrorCode> {
        if offset > self.high_watermark {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        if offset <= self.log_start_offset() {
            return Ok(false);
        }
        self.log_start_offset = offset;
        self.directory.recovery_point = self.directory.recovery_point.max(offset);
        self.directory.epochs.truncate_from_start(offset);
        self.producer_state.on_log_start(offset);
        self.update_first_unstable_offset();
        Ok(true)
    }

    /// Is the log start offset not yet on disk?
    pub fn log_start_is_unwritten(&self) -> bool {
        self.directory.log_start_offset != self.log_start_line()
    }

    /// Writes the log's line of `log-start-offset-checkpoint`. A crash before that brings a start back that
    /// DeleteRecords had moved, as far as the segments are still there.
    pub fn checkpoint_log_start(&mut self) {
        self.directory.log_start_offset = self.log_start_line();
    }

    fn log_start_line(&self) -> Offset {
        let first = self.directory.segments[0].base_offset();
        if self.log_start_offset > first { self.log_start_offset } else { 0 }
    }

    /// Notes that `epoch` begins at `start_offset`: what a new leader does before it appends.
    pub fn assign_epoch_start_offset(&mut self, epoch: LeaderEpoch, start_offset: Offset) {
        self.directory.epochs.assign(epoch, start_offset);
    }

    /// The newest leader epoch.
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.directory.epochs.latest().map(|entry| entry.epoch)
    }

    /// All leader epochs and where they begin.
    pub fn epoch_entries(&self) -> &[EpochEntry] {
        self.directory.epochs.entries()
    }

    /// The largest epoch not above `epoch`, and where it ends; −1 if unknown.
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> EpochEndOffset {
        self.directory.epochs.end_offset_for(epoch, self.log_end_offset)
    }

    /// The epoch of the record at `offset`.
    pub fn epoch_for_offset(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.directory.epochs.epoch_for_offset(offset)
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> &[Rc<Segment>] {
        &self.directory.segments
    }

    /// The batches from the one that holds `offset` on.
    pub fn batches_from(&self, offset: Offset) -> impl Iterator<Item = &RecordBatch> {
        self.stored_from(offset).map(|stored| &stored.batch)
    }

    /// As [`Self::batches_from`], with their place on disk.
    pub fn stored_from(&self, offset: Offset) -> impl Iterator<Item = &StoredBatch> {
        let segments = &self.directory.segments;
        let first = self.directory.floor_segment(offset).unwrap_or(0);
        let skipped = segments[first].first_ending_at(offset);
        segments[first..].iter().enumerate().flat_map(move |(index, segment)| {
            let from = if index == 0 { skipped } else { 0 };
            segment.batches().iter_from(from).map(Rc::as_ref)
        })
    }

    /// What is known of producers and their transactions.
    pub fn producer_state(&self) -> &ProducerState {
        &self.producer_state
    }

    /// See [`ProducerState::start_verification`].
    ///
    /// # Errors
    ///
    /// `INVALID_PRODUCER_EPOCH` if a newer one is known.
    pub fn start_verification(
        &mut self,
        producer_id: ProducerId,
        sequence: i32,
        epoch: ProducerEpoch,
        supports_epoch_bump: bool,
        now: Time,
    ) -> Result<Option<VerificationGuard>, ErrorCode> {
        if self.producer_state.entry(producer_id).is_some_and(|entry| epoch < entry.epoch) {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        let now_ms = now.wall_clock_ms();
        Ok(self.producer_state.start_verification(producer_id, sequence, epoch, supports_epoch_bump, now_ms))
    }

    /// Transactions that hold the last stable offset back, or would if they were first.
    pub fn ongoing_transactions(&self) -> impl Iterator<Item = &OpenTransaction> {
        self.producer_state.ongoing_transactions()
    }

    /// Is there a producer to forget?
    pub fn has_expired_producers(&self, now: Time) -> bool {
        self.producer_state.has_expired(now.wall_clock_ms(), &self.config)
    }

    /// Forgets producers that were silent for `producer.id.expiration.ms`.
    pub fn remove_expired_producers(&mut self, now: Time) {
        let config = Rc::clone(&self.config);
        self.producer_state.remove_expired(now.wall_clock_ms(), &config);
    }

    /// Forces everything to the medium (fsync).
    pub fn flush(&mut self) {
        if self.directory.recovery_point < self.log_end_offset {
            self.directory.flush();
            self.directory.recovery_point = self.log_end_offset;
        }
    }

    /// Flips a byte of the batch that holds `offset`: a fault of the disk. Says whether there is one.
    pub fn corrupt(&mut self, offset: Offset, byte: usize) -> bool {
        self.directory.corrupt(offset, byte)
    }

    pub(super) fn update_first_unstable_offset(&mut self) {
        let start = self.log_start_offset();
        self.first_unstable_offset = self.producer_state.first_unstable_offset().map(|offset| offset.max(start));
    }

    /// Writes the producers' state, unless that offset has a snapshot.
    pub(super) fn take_snapshot(&mut self) {
        let offset = self.producer_state.end_offset();
        let newest = self.directory.snapshots.keys().next_back().copied();
        if newest.map_or(offset > self.log_start_offset(), |newest| offset > newest) {
            self.directory.snapshots.insert(offset, self.producer_state.snapshot());
        }
    }
}
