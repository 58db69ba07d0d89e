//! Appending, as a leader and as a follower.

use super::producer_append::{Verdict, judge};
use super::validate::validate;
use super::{Segment, UnifiedLog, VerificationGuard};
use crate::base::config::TimestampType;
use crate::base::{LeaderEpoch, Offset, Time};
use crate::protocol::ErrorCode;
use crate::record::{NO_TIMESTAMP, RecordBatch};
use std::rc::Rc;

/// Where a batch comes from, which decides what is demanded of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AppendOrigin {
    /// A producer: everything is checked.
    Client,
    /// A group or transaction coordinator on this broker: no sequences; control batches are welcome.
    Coordinator,
    /// The leader of a quorum: offsets and epoch are in the batch already.
    Raft,
    /// The partition's leader: it has checked already.
    Replication,
}

/// What comes with an append besides the batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AppendContext {
    /// Where the batch comes from.
    pub origin: AppendOrigin,
    /// Of a transaction's first batch: what [`UnifiedLog::start_verification`] gave.
    pub verification: Option<VerificationGuard>,
    /// Of a marker: the transaction's version (0, 1 or 2). A leader has to know it; a follower cannot.
    pub transaction_version: Option<u8>,
}

/// What became of an append.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppendInfo {
    /// Offset of the first record.
    pub first_offset: Offset,
    /// Offset of the last record.
    pub last_offset: Offset,
    /// The broker's clock if it stamped the records (and for duplicates the batch's timestamp), else −1.
    pub log_append_time: i64,
    /// The log start offset.
    pub log_start_offset: Offset,
    /// It was there already; nothing was appended.
    pub duplicate: bool,
    /// As appended (of a follower's append: the last one).
    pub batch: RecordBatch,
}

impl From<AppendOrigin> for AppendContext {
    fn from(origin: AppendOrigin) -> Self {
        AppendContext { origin, verification: None, transaction_version: None }
    }
}

impl UnifiedLog {
    /// Appends a batch, giving it the next offsets and the leader's epoch.
    pub fn append_as_leader(
        &mut self,
        batch: RecordBatch,
        leader_epoch: LeaderEpoch,
        origin: AppendOrigin,
        now: Time,
    ) -> Result<AppendInfo, ErrorCode> {
        self.append_as_leader_with(batch, leader_epoch, AppendContext::from(origin), now)
    }

    /// As [`Self::append_as_leader`], for batches of transactions.
    pub fn append_as_leader_with(
        &mut self,
        batch: RecordBatch,
        leader_epoch: LeaderEpoch,
        context: AppendContext,
        now: Time,
    ) -> Result<AppendInfo, ErrorCode> {
        let origin = context.origin;
        self.analyze(&batch, leader_epoch, origin)?;
        let batch = if origin == AppendOrigin::Raft {
            if batch.base_offset() < self.log_end_offset {
                return Err(ErrorCode::UnknownServerError);
            }
            batch
        } else {
            let (timestamp_type, max_timestamp) = validate(&batch, &self.config, origin, now.wall_clock_ms())?;
            batch.as_appended(self.log_end_offset, leader_epoch, timestamp_type, max_timestamp)
        };
        let log_append_time = match self.config.timestamp_type {
            TimestampType::LogAppendTime if origin != AppendOrigin::Raft => batch.max_timestamp(),
            _ => NO_TIMESTAMP,
        };
        // Before the producer is judged, as in Kafka: a refused or repeated batch still has these effects.
        self.directory.epochs.assign(batch.leader_epoch(), batch.base_offset());
        self.make_room(batch.size_in_bytes(), batch.max_timestamp(), batch.base_offset(), batch.last_offset(), now)?;
        self.append_checked(batch, &context, log_append_time, now)
    }

    /// Appends what was fetched from the leader. Batches of an epoch above `leader_epoch` are left out, with all after
    /// them; None if nothing remains.
    pub fn append_as_follower(
        &mut self,
        batches: &[RecordBatch],
        leader_epoch: LeaderEpoch,
        now: Time,
    ) -> Result<Option<AppendInfo>, ErrorCode> {
        let known = batches.iter().take_while(|batch| batch.leader_epoch() <= leader_epoch).count();
        let batches = &batches[..known];
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else { return Ok(None) };
        let context = AppendContext::from(AppendOrigin::Replication);
        let mut next_offset = self.log_end_offset;
        let (mut size, mut max_timestamp) = (0, NO_TIMESTAMP);
        for batch in batches {
            self.analyze(batch, leader_epoch, AppendOrigin::Replication)?;
            if batch.base_offset() < next_offset || batch.last_offset() < batch.base_offset() {
                return Err(ErrorCode::UnknownServerError);
            }
            next_offset = batch.next_offset();
            size += batch.size_in_bytes();
            max_timestamp = max_timestamp.max(batch.max_timestamp());
        }
        for batch in batches {
            self.directory.epochs.assign(batch.leader_epoch(), batch.base_offset());
        }
        self.make_room(size, max_timestamp, first.base_offset(), last.last_offset(), now)?;
        let first_offset = first.base_offset();
        let mut info = None;
        for batch in batches {
            info = Some(self.append_checked(batch.clone(), &context, NO_TIMESTAMP, now)?);
        }
        Ok(info.map(|info| AppendInfo { first_offset, ..info }))
    }

    /// Checks that need no state: base offset, size, CRC.
    fn analyze(&self, batch: &RecordBatch, leader_epoch: LeaderEpoch, origin: AppendOrigin) -> Result<(), ErrorCode> {
        if origin == AppendOrigin::Raft && batch.leader_epoch() != leader_epoch {
            return Err(ErrorCode::InvalidRecord);
        }
        if origin == AppendOrigin::Client && batch.base_offset() != 0 {
            return Err(ErrorCode::InvalidRecord);
        }
        if origin != AppendOrigin::Replication && batch.size_in_bytes() > self.config.max_message_bytes {
            return Err(ErrorCode::MessageTooLarge);
        }
        if !batch.validate_crc() {
            return Err(ErrorCode::CorruptMessage);
        }
        Ok(())
    }

    /// Begins a new segment if the active one is full for what comes.
    fn make_room(
        &mut self,
        size: u32,
        max_timestamp: i64,
        first_offset: Offset,
        last_offset: Offset,
        now: Time,
    ) -> Result<(), ErrorCode> {
        let config = &self.config;
        if size > config.segment_bytes {
            return Err(ErrorCode::RecordListTooLarge);
        }
        let active = self.directory.active();
        let used = active.size_in_bytes();
        let waited = active.time_waited_for_roll(now.wall_clock_ms(), max_timestamp);
        if used > config.segment_bytes - size
            || (used > 0 && waited > config.max_segment_ms())
            || active.indexes_full(config.segment_index_bytes)
            || last_offset - active.base_offset() > i64::from(i32::MAX)
        {
            self.roll(first_offset.max(self.log_end_offset), now);
        }
        Ok(())
    }

    /// Begins a new segment; the old ones are flushed, and the producers' state is written.
    pub fn roll(&mut self, base_offset: Offset, now: Time) {
        let segment = Rc::new(Segment::new(base_offset, self.config.index_interval_bytes, now));
        if self.directory.active().base_offset() == base_offset {
            // An index without room for a single entry is full from the start (KAFKA-6388).
            assert_eq!(self.directory.active().size_in_bytes(), 0, "invariant: offsets rise from segment to segment");
            self.directory.segments.pop();
        } else {
            self.directory.active_mut().become_inactive();
            self.directory.flush();
            self.directory.recovery_point = base_offset;
        }
        self.directory.segments.push(segment);
        self.producer_state.set_end_offset(base_offset);
        self.take_snapshot();
    }

    /// The rest of an append: producer state, the append itself, transactions.
    fn append_checked(
        &mut self,
        batch: RecordBatch,
        context: &AppendContext,
        log_append_time: i64,
        now: Time,
    ) -> Result<AppendInfo, ErrorCode> {
        let log_start_offset = self.log_start_offset();
        let mut update = None;
        if batch.has_producer_id() {
            match judge(&self.producer_state, &batch, context, self.config.verify_transactions)? {
                Verdict::Append(appended) => update = Some(appended),
                Verdict::Duplicate(known) => {
                    let (first_offset, last_offset) = (known.first_offset(), known.last_offset);
                    let batch = batch.with_offset_and_epoch(first_offset, batch.leader_epoch());
                    let log_append_time = known.timestamp;
                    let duplicate = true;
                    return Ok(AppendInfo {
                        first_offset,
                        last_offset,
                        log_append_time,
                        log_start_offset,
                        duplicate,
                        batch,
                    });
                }
            }
        }
        let (first_offset, last_offset) = (batch.base_offset(), batch.last_offset());
        self.directory.active_mut().append(batch.clone(), now);
        self.log_end_offset = last_offset + 1;
        self.producer_state.set_end_offset(self.log_end_offset);
        if let Some(update) = update {
            if let Some(aborted) = self.producer_state.apply(&update) {
                self.directory.active_mut().add_aborted_txn(aborted);
            }
            self.update_first_unstable_offset();
        }
        if (self.log_end_offset - self.directory.recovery_point) as u64 >= self.config.flush_messages {
            self.flush();
        }
        Ok(AppendInfo { first_offset, last_offset, log_append_time, log_start_offset, duplicate: false, batch })
    }
}
