//! What a restart makes of the files: the log's end, the leader epochs, the producers' state (`LogLoader`).

use super::{AppendContext, AppendOrigin, LogConfig, LogDirectory, ProducerState, UnifiedLog};
use crate::base::{Offset, Time};
use crate::record::RecordBatch;
use std::rc::Rc;

/// What recovery found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct RecoveryReport {
    /// The log had been closed in an orderly way, so nothing was checked.
    pub clean: bool,
    /// Bytes cut from the tail, because they were torn or did not match their CRC.
    pub lost_bytes: u64,
    /// Batches whose CRC was checked.
    pub checked_batches: u64,
    /// Where the log ends now.
    pub log_end_offset: Offset,
}

impl UnifiedLog {
    /// Opens the log in `directory`. After anything but an orderly close, batches behind the recovery point are checked,
    /// and the log is cut off at the first bad one. The high watermark is the checkpointed one, within the log's bounds.
    pub fn open(
        mut directory: LogDirectory,
        config: Rc<LogConfig>,
        checkpointed_high_watermark: Offset,
        now: Time,
    ) -> (UnifiedLog, RecoveryReport) {
        let mut report = RecoveryReport { clean: directory.clean_shutdown, ..RecoveryReport::default() };
        let mut known_from = Offset::MAX;
        if !directory.clean_shutdown {
            known_from = recover(&mut directory, &mut report);
        }
        directory.clean_shutdown = false;
        let start = directory.start_offset();
        if directory.end_offset() < start {
            // Nothing that may be read is left.
            directory.begin_anew_at(start, config.index_interval_bytes, now);
        }
        let end = directory.end_offset();
        directory.epochs.truncate_from_end(end);
        directory.epochs.truncate_from_start(directory.log_start_offset);
        directory.recovery_point = directory.recovery_point.clamp(start, end);
        report.log_end_offset = end;
        let mut log = UnifiedLog {
            directory,
            config,
            log_start_offset: start,
            log_end_offset: end,
            high_watermark: 0,
            first_unstable_offset: None,
            producer_state: ProducerState::default(),
        };
        // Kafka recovers into a snapshot and loads that one, so that a producer's last batch alone is recognised afterwards.
        log.reload_producers(known_from.min(start), end, now.wall_clock_ms());
        log.take_snapshot();
        let snapshot = log.producer_state.snapshot();
        log.producer_state.load(end, &snapshot, now.wall_clock_ms(), &log.config);
        log.set_high_watermark(checkpointed_high_watermark);
        log.update_first_unstable_offset();
        (log, report)
    }

    /// After a truncation to `end`: the nearest snapshot not after it, and the batches since.
    pub(super) fn rebuild_producer_state(&mut self, end: Offset, now_ms: i64) {
        if self.producer_state.is_empty() && self.producer_state.end_offset() >= end {
            // There was nobody to know before; truncating made nobody known.
            self.directory.snapshots.retain(|&offset, _| offset <= end);
            self.producer_state.reset(end);
        } else {
            self.reload_producers(self.log_start_offset, end, now_ms);
        }
        self.take_snapshot();
    }

    /// From the newest snapshot, or if there is none from the batches after `from`. Producers silent for too long at `now_ms`
    /// are left out of snapshots.
    fn reload_producers(&mut self, from: Offset, end: Offset, now_ms: i64) {
        let start = self.log_start_offset();
        let directory = &mut self.directory;
        directory.snapshots.retain(|&offset, _| offset <= end && offset > start);
        match directory.snapshots.last_key_value() {
            Some((&offset, snapshot)) => self.producer_state.load(offset, snapshot, now_ms, &self.config),
            None => self.producer_state.reset(from),
        }
        let from = self.producer_state.end_offset();
        let batches: Vec<RecordBatch> =
            self.batches_from(from).take_while(|batch| batch.last_offset() < end).cloned().collect();
        for batch in batches {
            self.replay_producer(&batch);
        }
        self.producer_state.set_end_offset(end);
    }

    fn replay_producer(&mut self, batch: &RecordBatch) {
        let context = AppendContext::from(AppendOrigin::Replication);
        if batch.has_producer_id()
            && let Ok(super::producer_append::Verdict::Append(update)) =
                super::producer_append::judge(&self.producer_state, batch, &context, false)
        {
            // The transaction index is on disk already.
            self.producer_state.apply(&update);
        }
    }
}

/// Checks the batches from the recovery point's segment on, and cuts off from the first bad one. Returns where that segment
/// begins: from there on what is known of producers is built anew, also from records below the log start.
fn recover(directory: &mut LogDirectory, report: &mut RecoveryReport) -> Offset {
    let first = directory.floor_segment(directory.recovery_point).unwrap_or(0);
    let base = directory.segments[first].base_offset();
    directory.snapshots.retain(|&offset, _| offset <= base);
    for index in first..directory.segments.len() {
        let segment = &directory.segments[index];
        let mut next_offset = segment.base_offset();
        let mut good = 0;
        for stored in segment.batches().iter() {
            report.checked_batches += 1;
            if !stored.batch.validate_crc() || stored.batch.base_offset() < next_offset {
                break;
            }
            let epoch = stored.batch.leader_epoch();
            if epoch >= 0 && directory.epochs.latest().is_none_or(|latest| epoch > latest.epoch) {
                directory.epochs.assign(epoch, stored.batch.base_offset());
            }
            next_offset = stored.batch.next_offset();
            good += 1;
        }
        if good == segment.batches().len() && segment.torn().is_none() {
            continue;
        }
        report.lost_bytes += u64::from(Rc::make_mut(&mut directory.segments[index]).truncate_to_batch(good));
        for behind in directory.segments.drain(index + 1..) {
            report.lost_bytes += u64::from(behind.size_in_bytes());
        }
        break;
    }
    base
}
