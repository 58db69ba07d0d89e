//! Old segments go, from the head of the log (`UnifiedLog.deleteOldSegments`).
//!
//! Three reasons: all of a segment is below the log start offset (whatever the `cleanup.policy`); the log is larger than
//! `retention.bytes`; its newest record is older than `retention.ms` (both only with the policy `delete`). A segment goes
//! only if all that is before the next one is replicated, and the segments before it go too; so the log start offset never
//! passes the high watermark. If nothing would remain, an empty segment is begun first.
//!
//! Departure: the files are gone at once, where Kafka renames them to `.deleted` for `file.delete.delay.ms`, so that a
//! reader that is at them can finish.

use super::{Segment, UnifiedLog};
use crate::base::Time;

impl UnifiedLog {
    /// Would [`Self::delete_old_segments`] delete something?
    pub fn has_old_segments(&self, now: Time) -> bool {
        self.below_log_start() + self.above_size() + self.above_age(now) > 0
    }

    /// Deletes the segments that are to be kept no longer, and says how many. The log start offset moves to the first that
    /// stays; what is known of producers is kept.
    pub fn delete_old_segments(&mut self, now: Time) -> usize {
        let mut deleted = self.delete_from_head(self.below_log_start(), now);
        deleted += self.delete_from_head(self.above_size(), now);
        deleted + self.delete_from_head(self.above_age(now), now)
    }

    fn below_log_start(&self) -> usize {
        let start = self.log_start_offset;
        self.deletable(|_, next| next.is_some_and(|next| next.base_offset() <= start))
    }

    fn above_size(&self) -> usize {
        let Some(limit) = self.config.retention_bytes.filter(|_| self.config.delete) else { return 0 };
        let Some(mut surplus) = self.size_in_bytes().checked_sub(limit) else { return 0 };
        self.deletable(|segment, _| match surplus.checked_sub(segment.size_in_bytes().into()) {
            Some(rest) => {
                surplus = rest;
                true
            }
            None => false,
        })
    }

    fn above_age(&self, now: Time) -> usize {
        let Some(limit) = self.config.retention_ms.filter(|_| self.config.delete) else { return 0 };
        let now_ms = now.wall_clock_ms();
        self.deletable(|segment, _| now_ms.saturating_sub(segment.largest_timestamp()) > limit)
    }

    /// How many segments from the head are `wanted` (given each and the one after it), replicated, and not just the empty
    /// end of the log.
    fn deletable(&self, mut wanted: impl FnMut(&Segment, Option<&Segment>) -> bool) -> usize {
        let segments = &self.directory.segments;
        let mut count = 0;
        while let Some(segment) = segments.get(count) {
            let next = segments.get(count + 1).map(|next| &**next);
            let end = next.map_or(self.log_end_offset, Segment::base_offset);
            let is_empty_end = next.is_none() && segment.size_in_bytes() == 0;
            if self.high_watermark < end || !wanted(segment, next) || is_empty_end {
                break;
            }
            count += 1;
        }
        count
    }

    fn delete_from_head(&mut self, count: usize, now: Time) -> usize {
        if count == 0 {
            return 0;
        }
        if count == self.directory.segments.len() {
            self.roll(self.log_end_offset, now);
        }
        let start = self.directory.segments[count].base_offset();
        self.maybe_advance_log_start_offset(start).expect("invariant: only what is replicated is deleted");
        for segment in self.directory.segments.drain(..count) {
            self.directory.snapshots.remove(&segment.base_offset());
        }
        count
    }
}
