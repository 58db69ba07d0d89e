//! Where each leader epoch begins in the log.
//!
//! Invariant: epochs and start offsets both rise strictly. In Kafka: `LeaderEpochFileCache`, kept in the file
//! `leader-epoch-checkpoint`; an assignment is written there at once, which is why this lives in the log's directory.

use crate::base::{LeaderEpoch, Offset};
use crate::protocol::EpochEndOffset;

/// The beginning of an epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EpochEntry {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// Offset of its first record, or where that will be.
    pub start_offset: Offset,
}

/// All epochs of a log.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct EpochCache {
    entries: Vec<EpochEntry>,
}

impl EpochCache {
    /// All entries, oldest first.
    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    /// The newest epoch.
    pub fn latest(&self) -> Option<EpochEntry> {
        self.entries.last().copied()
    }

    /// Notes that `epoch` begins at `start_offset`. Older knowledge that contradicts is dropped; an epoch that is known
    /// keeps its beginning. Says whether anything changed.
    pub fn assign(&mut self, epoch: LeaderEpoch, start_offset: Offset) -> bool {
        assert!(epoch >= 0 && start_offset >= 0, "invariant: a leader epoch and its start are not negative");
        if let Some(latest) = self.entries.last()
            && latest.epoch == epoch
            && start_offset >= latest.start_offset
        {
            return false;
        }
        while self.entries.last().is_some_and(|entry| entry.epoch >= epoch || entry.start_offset >= start_offset) {
            self.entries.pop();
        }
        self.entries.push(EpochEntry { epoch, start_offset });
        true
    }

    /// The largest epoch not above `epoch`, and where it ends. Below the first entry: `epoch` itself, and where the first
    /// entry begins. Above the last: unknown.
    pub fn end_offset_for(&self, epoch: LeaderEpoch, log_end_offset: Offset) -> EpochEndOffset {
        let unknown = EpochEndOffset { epoch: -1, end_offset: -1 };
        if epoch == -1 {
            return unknown;
        }
        if self.entries.last().is_some_and(|latest| latest.epoch == epoch) {
            return EpochEndOffset { epoch, end_offset: log_end_offset };
        }
        let higher = self.entries.partition_point(|entry| entry.epoch <= epoch);
        let Some(next) = self.entries.get(higher) else { return unknown };
        let found = if higher == 0 { epoch } else { self.entries[higher - 1].epoch };
        EpochEndOffset { epoch: found, end_offset: next.start_offset }
    }

    /// The epoch that the record at `offset` belongs to.
    pub fn epoch_for_offset(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.entries.partition_point(|entry| entry.start_offset <= offset);
        after.checked_sub(1).map(|index| self.entries[index].epoch)
    }

    /// The log ends at `offset` now: forget the epochs that begin there or later. Not if it is unknown (−1).
    pub fn truncate_from_end(&mut self, offset: Offset) {
        while offset >= 0 && self.entries.last().is_some_and(|entry| entry.start_offset >= offset) {
            self.entries.pop();
        }
    }

    /// The log starts at `offset` now: the epoch there begins there, and older ones are forgotten.
    pub fn truncate_from_start(&mut self, offset: Offset) {
        let after = self.entries.partition_point(|entry| entry.start_offset <= offset);
        if after > 0 {
            self.entries.drain(..after - 1);
            self.entries[0].start_offset = offset;
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(entries: &[(LeaderEpoch, Offset)]) -> EpochCache {
        let mut cache = EpochCache::default();
        for &(epoch, start) in entries {
            cache.assign(epoch, start);
        }
        cache
    }

    fn listed(cache: &EpochCache) -> Vec<(LeaderEpoch, Offset)> {
        cache.entries().iter().map(|entry| (entry.epoch, entry.start_offset)).collect()
    }

    fn end(cache: &EpochCache, epoch: LeaderEpoch) -> (LeaderEpoch, Offset) {
        let end = cache.end_offset_for(epoch, 100);
        (end.epoch, end.end_offset)
    }

    #[test]
    fn b14_next_available_epoch_if_there_is_none_for_the_one_requested() {
        let cache = cache(&[(0, 10), (2, 13), (4, 17)]);
        assert_eq!(end(&cache, 1), (0, 13));
        assert_eq!(end(&cache, 2), (2, 17));
        assert_eq!(end(&cache, 3), (2, 17));
    }

    #[test]
    fn end_offsets_outside_of_what_is_known() {
        let cache = cache(&[(3, 10), (5, 20)]);
        assert_eq!(end(&cache, 5), (5, 100), "the latest epoch ends where the log does");
        assert_eq!(end(&cache, 6), (-1, -1));
        assert_eq!(end(&cache, -1), (-1, -1));
        assert_eq!(end(&cache, 1), (1, 10), "an epoch before the first is answered with itself");
        assert_eq!(end(&EpochCache::default(), 0), (-1, -1));
    }

    #[test]
    fn b17_start_offsets_and_epochs_rise() {
        assert_eq!(listed(&cache(&[(2, 9), (3, 9)])), [(3, 9)]);
        assert_eq!(listed(&cache(&[(1, 5), (2, 6), (1, 7)])), [(1, 7)]);
    }

    #[test]
    fn a_known_epoch_keeps_its_start() {
        assert_eq!(listed(&cache(&[(2, 6), (2, 10)])), [(2, 6)]);
        assert_eq!(listed(&cache(&[(2, 6), (2, 6)])), [(2, 6)]);
    }

    #[test]
    fn an_earlier_start_of_the_same_epoch_truncates() {
        let cache = cache(&[(5, 11), (6, 12), (7, 13), (7, 12)]);
        assert_eq!(listed(&cache), [(5, 11), (7, 12)]);
        assert_eq!((end(&cache, 5), end(&cache, 6)), ((5, 12), (5, 12)));
    }

    #[test]
    fn leaders_change_many_times() {
        let mut cache = cache(&[(0, 0), (1, 0)]);
        let end_at = |cache: &EpochCache, epoch, log_end| {
            let end = cache.end_offset_for(epoch, log_end);
            (end.epoch, end.end_offset)
        };
        assert_eq!((end_at(&cache, 1, 0), end_at(&cache, 0, 0)), ((1, 0), (0, 0)), "epoch 0 has written nothing");
        assert_eq!(end_at(&cache, 1, 5), (1, 5));
        cache.assign(2, 5);
        assert_eq!((end_at(&cache, 2, 10), end_at(&cache, 1, 10), end_at(&cache, 0, 10)), ((2, 10), (1, 5), (0, 0)));
        assert_eq!(listed(&cache), [(1, 0), (2, 5)]);
    }

    #[test]
    fn clearing_the_earliest() {
        let cases: [(Offset, &[(LeaderEpoch, Offset)]); 8] = [
            (-1, &[(2, 6), (3, 8), (4, 11)]),
            (1, &[(2, 6), (3, 8), (4, 11)]),
            (6, &[(2, 6), (3, 8), (4, 11)]),
            (7, &[(2, 7), (3, 8), (4, 11)]),
            (8, &[(3, 8), (4, 11)]),
            (9, &[(3, 9), (4, 11)]),
            (11, &[(4, 11)]),
            (15, &[(4, 15)]),
        ];
        for (offset, left) in cases {
            let mut cache = cache(&[(2, 6), (3, 8), (4, 11)]);
            cache.truncate_from_start(offset);
            assert_eq!(listed(&cache), left, "log start {offset}");
        }
        let mut empty = EpochCache::default();
        empty.truncate_from_start(7);
        empty.truncate_from_end(7);
        assert_eq!((listed(&empty), empty.latest()), (vec![], None));
    }

    #[test]
    fn clearing_the_latest() {
        let cases: [(Offset, usize); 7] = [(-1, 3), (12, 3), (11, 2), (9, 2), (8, 1), (6, 0), (0, 0)];
        for (offset, left) in cases {
            let mut cache = cache(&[(2, 6), (3, 8), (4, 11)]);
            cache.truncate_from_end(offset);
            assert_eq!(listed(&cache), [(2, 6), (3, 8), (4, 11)][..left], "log end {offset}");
        }
    }

    #[test]
    fn the_epoch_at_an_offset() {
        let cache = cache(&[(0, 10), (1, 20), (5, 30)]);
        let found = [25, 20, 30, 50, 5].map(|offset| cache.epoch_for_offset(offset));
        assert_eq!(found, [Some(1), Some(1), Some(5), Some(5), None]);
    }

    #[test]
    fn truncation_at_both_ends() {
        let mut cache = cache(&[(2, 6), (3, 8), (4, 11)]);
        cache.truncate_from_end(12);
        assert_eq!(listed(&cache), [(2, 6), (3, 8), (4, 11)]);
        cache.truncate_from_end(11);
        assert_eq!(listed(&cache), [(2, 6), (3, 8)]);
        cache.truncate_from_start(7);
        assert_eq!(listed(&cache), [(2, 7), (3, 8)]);
        cache.truncate_from_start(8);
        assert_eq!(listed(&cache), [(3, 8)]);
        assert_eq!(cache.epoch_for_offset(7), None);
        assert_eq!(cache.epoch_for_offset(8), Some(3));
    }
}
