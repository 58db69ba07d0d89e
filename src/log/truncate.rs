//! Cutting the log off, at its end.

use super::UnifiedLog;
use crate::base::{Offset, Time};
use std::rc::Rc;

impl UnifiedLog {
    /// Cuts off everything from `offset` on. A batch that reaches over `offset` goes as a whole, and still the log ends at
    /// `offset`. Says whether data went; the epochs are cut in any case.
    pub fn truncate_to(&mut self, offset: Offset, now: Time) -> bool {
        assert!(offset >= 0, "invariant: a log is not truncated to a negative offset");
        if offset >= self.log_end_offset {
            self.directory.epochs.truncate_from_end(self.log_end_offset);
            return false;
        }
        let Some(index) = self.directory.floor_segment(offset) else {
            self.truncate_fully_and_start_at(offset, now);
            return true;
        };
        let directory = &mut self.directory;
        directory.segments.truncate(index + 1);
        let segment = Rc::make_mut(&mut directory.segments[index]);
        let batch = segment.first_ending_at(offset);
        segment.truncate_to_batch(batch, now);
        directory.epochs.truncate_from_end(offset);
        directory.recovery_point = directory.recovery_point.min(offset);
        directory.limit_cleaned(directory.active().base_offset());
        self.log_start_offset = self.log_start_offset.min(offset);
        self.log_end_offset = offset;
        self.rebuild_producer_state(offset, now.wall_clock_ms());
        if self.high_watermark >= offset {
            self.set_high_watermark(offset);
        }
        // Transactions whose markers were read again are replicated all the same.
        self.producer_state.on_high_watermark(self.high_watermark);
        self.update_first_unstable_offset();
        true
    }

    /// Deletes everything; the log begins anew at `offset`.
    pub fn truncate_fully_and_start_at(&mut self, offset: Offset, now: Time) {
        self.directory.begin_anew_at(offset, self.config.index_interval_bytes, now);
        self.directory.limit_cleaned(offset);
        self.log_start_offset = offset;
        self.log_end_offset = offset;
        self.producer_state.reset(offset);
        self.set_high_watermark(offset);
        self.update_first_unstable_offset();
    }
}
