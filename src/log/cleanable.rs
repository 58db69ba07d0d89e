//! What there is to compact, and whether it is worth while (`LogCleanerManager`, `LogToClean`).

use super::{Segment, UnifiedLog};
use crate::base::{Offset, Time};
use std::rc::Rc;

/// A log as the cleaner sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogToClean {
    /// Before it, all was cleaned.
    pub first_dirty_offset: Offset,
    /// From here on nothing may be cleaned: a segment begins here that is active, or holds what is not stable or too young.
    pub first_uncleanable_offset: Offset,
    /// Bytes before the dirty part.
    pub clean_bytes: u64,
    /// Bytes of the dirty part.
    pub cleanable_bytes: u64,
    /// `max.compaction.lag.ms` is over for something in it.
    pub is_overdue: bool,
}

impl UnifiedLog {
    /// What there is to compact at `now`, if it is enough: more than `min.cleanable.dirty.ratio`, or overdue.
    pub fn to_clean(&self, now: Time) -> Option<LogToClean> {
        if !self.config.compact {
            return None;
        }
        let found = self.cleanable(now);
        let total = found.clean_bytes + found.cleanable_bytes;
        let ratio = self.config.min_cleanable_dirty_ratio;
        let is_filthy = found.cleanable_bytes * u64::from(ratio.denominator) > total * u64::from(ratio.numerator);
        (is_filthy || found.is_overdue && found.cleanable_bytes > 0).then_some(found)
    }

    /// Everything there is to compact at `now`.
    pub fn cleanable(&self, now: Time) -> LogToClean {
        let now_ms = now.wall_clock_ms();
        let segments = &self.directory.segments;
        let (start, end) = (self.log_start_offset, self.log_end_offset);
        let first_dirty_offset = self.cleaned_to().filter(|offset| (start..=end).contains(offset)).unwrap_or(start);
        let dirty = self.closed_segments_from(first_dirty_offset);
        let young = now_ms.saturating_sub(self.config.min_compaction_lag_ms);
        let too_young =
            |segment: &&Rc<Segment>| self.config.min_compaction_lag_ms > 0 && segment.largest_timestamp() > young;
        let mut uncleanable = self.last_stable_offset().min(self.directory.active().base_offset());
        if let Some(segment) = dirty.iter().find(too_young) {
            uncleanable = uncleanable.min(segment.base_offset());
        }
        // Whole segments only.
        let uncleanable = uncleanable.max(first_dirty_offset);
        let bound = self.directory.floor_segment(uncleanable).unwrap_or(0);
        let first_uncleanable_offset = segments[bound].base_offset();
        let from = self.directory.floor_segment(first_dirty_offset.min(first_uncleanable_offset)).unwrap_or(0);
        let bytes = |segments: &[Rc<Segment>]| segments.iter().map(|it| u64::from(it.size_in_bytes())).sum();
        let clean = segments.partition_point(|segment| segment.base_offset() < first_dirty_offset);
        let long_ago = now_ms.saturating_sub(self.config.max_compaction_lag_ms);
        let oldest = dirty.iter().filter_map(|segment| segment.first_timestamp()).filter(|first| *first > 0).min();
        LogToClean {
            first_dirty_offset,
            first_uncleanable_offset,
            clean_bytes: bytes(&segments[..clean]),
            cleanable_bytes: bytes(&segments[from..bound]),
            is_overdue: oldest.is_some_and(|oldest| oldest < long_ago),
        }
    }

    /// Where the next cleaning begins, if there was one (its line in `cleaner-offset-checkpoint`).
    pub fn cleaned_to(&self) -> Option<Offset> {
        self.directory.cleaned_to
    }

    /// The segments from the one that holds `offset` on, without the active one.
    fn closed_segments_from(&self, offset: Offset) -> &[Rc<Segment>] {
        let active = self.directory.segments.len() - 1;
        let from = self.directory.floor_segment(offset).unwrap_or(0).min(active);
        &self.directory.segments[from..active]
    }
}
