//! What a restart makes of the files: the log's end, the leader epochs, the producers' state (`LogLoader`).

use super::segment_recovery::{recover_segment, reload, remove_stray_snapshots};
use super::{LogConfig, LogDirectory, ProducerState, UnifiedLog};
use crate::base::{Offset, Time};
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
        if !directory.clean_shutdown {
            recover(&mut directory, &config, now, &mut report);
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
        remove_stray_snapshots(&mut log.directory);
        // Kafka recovers into a snapshot and loads that one, so that a producer's last batch alone is recognised afterwards.
        log.reload_producers(end, now.wall_clock_ms());
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
            let start = self.log_start_offset;
            self.directory.snapshots.retain(|&offset, _| offset <= end && offset > start);
            self.producer_state.reset(end);
        } else {
            self.reload_producers(end, now_ms);
        }
        self.take_snapshot();
    }

    /// From the newest snapshot, or if there is none from the log start. Producers silent for too long at `now_ms` are left
    /// out of snapshots.
    fn reload_producers(&mut self, end: Offset, now_ms: i64) {
        let start = self.log_start_offset;
        reload(&mut self.directory, &mut self.producer_state, start, end, now_ms, &self.config);
    }
}

/// Recovers the segments from that of the recovery point on, and drops what comes after the first bad batch. What is known
/// of producers is built anew from there on, also from records below the log start.
fn recover(directory: &mut LogDirectory, config: &LogConfig, now: Time, report: &mut RecoveryReport) {
    let first = directory.floor_segment(directory.recovery_point).unwrap_or(0);
    for index in first..directory.segments.len() {
        let lost = recover_segment(directory, index, config, now, report);
        if lost > 0 {
            report.lost_bytes += lost;
            for behind in directory.segments.drain(index + 1..) {
                report.lost_bytes += u64::from(behind.size_in_bytes());
            }
            break;
        }
    }
}
