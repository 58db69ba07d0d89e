//! A share-partition: what a share group has done with the offsets of one partition (`kafka.server.share.SharePartition`).
//!
//! ```text
//! start offset ──► in flight: available, acquired, acknowledged, archived ──► end offset ──► never acquired
//!
//! Available ──acquire──► Acquired ──accept──► Acknowledged
//!     ▲                     │ ├──reject, gap──► Archived
//!     └───release, timeout──┘ └──release or timeout of the last delivery──► Archived
//! ```
//! A state machine without I/O. What leaves the acquired state is written to the share coordinator first: a call returns the
//! [`StateWrite`], and [`SharePartition::written`] tells how it went; until then these offsets are in transition, and nobody
//! gets or acknowledges them. The end of a lock does not wait for its write.
//!
//! Invariants: batches do not overlap, in the order of their offsets, and none begins after the end offset; everything
//! below the start offset is done with, whatever its state says; who acquired an offset is known exactly while it is
//! acquired.
//!
//! Departures: locks that end at the same moment are written at once, not one by one; an offset that is archived while its
//! write is under way does not wait for the write.

mod acknowledge;
mod acquire;
mod archive;
mod in_flight;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

pub use acquire::Acquirer;
pub use in_flight::{RecordState, ShareLimits};

use self::in_flight::{InFlightBatch, InFlightState};
use crate::base::{LeaderEpoch, Offset, SortedMap, Time};
use crate::protocol::{ReadStatePartition, StateBatch};

/// One partition as one share group sees it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SharePartition {
    leader_epoch: LeaderEpoch,
    state_epoch: i32,
    start_offset: Offset,
    /// The last offset in flight, or where to go on if nothing is.
    end_offset: Offset,
    batches: SortedMap<Offset, InFlightBatch>,
    /// There may be something available before the end.
    find_next_fetch_offset: bool,
    gap: Option<GapWindow>,
    /// Offsets from the start offset on that are done with (KIP-1226).
    delivery_complete_count: i32,
    last_write: u32,
}

/// What was read from the share coordinator has gaps: offsets that a former leader delivered and heard nothing of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct GapWindow {
    /// The end offset then; the window is of no interest when that has moved.
    end: Offset,
    /// The gaps before this offset have been acquired.
    start: Offset,
}

/// What is to be written to the share coordinator.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StateWrite {
    /// To tell the answer with.
    pub id: u32,
    /// What has changed.
    pub batches: Vec<StateBatch>,
    /// The offsets have changed already, whatever becomes of the write.
    pub settled: bool,
}

/// State from the share coordinator that nobody can have written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidState;

impl SharePartition {
    /// As the share coordinator knows it. The start offset is found already, if it was not known; writes are numbered from
    /// `last_write` on.
    pub fn load(
        leader_epoch: LeaderEpoch,
        read: &ReadStatePartition,
        start_offset: Offset,
        last_write: u32,
    ) -> Result<SharePartition, InvalidState> {
        let mut partition = SharePartition {
            leader_epoch,
            state_epoch: read.state_epoch,
            start_offset,
            end_offset: start_offset,
            batches: SortedMap::new(),
            find_next_fetch_offset: false,
            gap: None,
            delivery_complete_count: 0,
            last_write,
        };
        let (mut gap, mut next) = (None, start_offset);
        for batch in &read.state_batches {
            let (first, last) = (batch.first_offset, batch.last_offset);
            let state = RecordState::from_code(batch.delivery_state).ok_or(InvalidState)?;
            if first < start_offset || last < first {
                return Err(InvalidState);
            }
            gap = gap.or((first > next).then_some(next));
            next = last + 1;
            if state.is_terminal() {
                partition.delivery_complete_count += (last - first + 1) as i32;
            }
            let state = InFlightState::resting(state, batch.delivery_count);
            partition.batches.insert(first, InFlightBatch::new(first, last, state));
        }
        if let Some((_, last)) = partition.batches.last_key_value() {
            partition.find_next_fetch_offset = true;
            partition.end_offset = last.last;
            partition.gap = gap.map(|start| GapWindow { end: partition.end_offset, start });
            partition.advance();
        }
        Ok(partition)
    }

    /// In whose epoch it was loaded.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    /// The number of its last write.
    pub fn last_write(&self) -> u32 {
        self.last_write
    }

    /// As it was read.
    pub fn state_epoch(&self) -> i32 {
        self.state_epoch
    }

    /// The share-partition start offset (SPSO).
    pub fn start_offset(&self) -> Offset {
        self.start_offset
    }

    /// The share-partition end offset (SPEO).
    pub fn end_offset(&self) -> Offset {
        self.end_offset
    }

    /// How many offsets at or above the start offset need no delivery any more.
    pub fn delivery_complete_count(&self) -> i32 {
        self.delivery_complete_count
    }

    /// What is in flight, by offset: first, last, state, how often delivered, and who has it.
    pub fn in_flight(&self) -> impl Iterator<Item = (Offset, Offset, RecordState, i16, Option<&str>)> {
        self.batches
            .values()
            .flat_map(|batch| batch.slots())
            .map(|(first, last, slot)| (first, last, slot.state, slot.delivery_count, slot.member.as_deref()))
    }

    /// From where to read: the first available offset, or what comes after all that was ever acquired.
    pub fn next_fetch_offset(&self) -> Offset {
        let available = if self.find_next_fetch_offset { self.first_available() } else { None };
        let none_in_flight = self.batches.last_key_value().is_none_or(|(_, last)| self.start_offset > last.last);
        match available {
            _ if none_in_flight => self.end_offset,
            Some(offset) => offset,
            None => self.end_offset + 1,
        }
    }

    fn first_available(&self) -> Option<Offset> {
        let mut gap = self.active_gap();
        for (first, batch) in self.batches.iter() {
            if let Some(start) = gap {
                if *first > start {
                    return Some(start);
                }
                gap = Some(start.max(batch.last + 1));
            }
            if let Some((offset, ..)) = batch.slots().find(|(.., slot)| slot.is_available()) {
                return Some(offset);
            }
        }
        None
    }

    /// Whether a fetch would get anything: something is available, or there is room for more.
    pub fn can_acquire(&self, limits: ShareLimits) -> bool {
        self.next_fetch_offset() != self.end_offset + 1 || self.in_flight_count() < limits.in_flight
    }

    fn in_flight_count(&self) -> i64 {
        if self.batches.is_empty() { 0 } else { self.end_offset - self.start_offset + 1 }
    }

    /// When the first acquisition lock ends.
    pub fn deadline(&self) -> Option<Time> {
        self.batches.values().filter_map(InFlightBatch::deadline).min()
    }

    fn active_gap(&self) -> Option<Offset> {
        self.gap.filter(|gap| gap.end == self.end_offset).map(|gap| gap.start)
    }

    /// The gaps before this offset are acquired.
    fn move_gap(&mut self, offset: Offset) {
        let end = self.end_offset;
        self.gap =
            self.gap.filter(|gap| gap.end == end && offset <= gap.end).map(|gap| GapWindow { start: offset, ..gap });
    }

    fn floor(&self, offset: Offset) -> Option<&InFlightBatch> {
        self.batches.range(..=offset).next_back().map(|(_, batch)| batch)
    }

    /// Where the batches begin from here to there.
    fn firsts(&self, from: Offset, to: Offset) -> Vec<Offset> {
        self.batches.keys().copied().filter(|first| (from..=to).contains(first)).collect()
    }

    /// How many of these offsets are not below the start offset.
    fn counted(&self, first: Offset, last: Offset) -> i32 {
        (last - first.max(self.start_offset) + 1).max(0) as i32
    }

    /// Moves the start offset past what is done; says whether it moved (`maybeUpdateCachedStateAndOffsets`).
    fn advance(&mut self) -> bool {
        let at_start = self.floor(self.start_offset).and_then(|batch| {
            let slot = batch.slots().find(|(_, last, _)| *last >= self.start_offset).or(batch.slots().last());
            slot.map(|(.., slot)| slot.is_done())
        });
        let Some((done, count)) = self.last_done().filter(|_| at_start == Some(true)) else { return false };
        let last = self.batches.last_key_value().map_or(done, |(_, batch)| batch.last);
        if done == last {
            (self.start_offset, self.end_offset) = (last + 1, last + 1);
            self.batches.clear();
            self.delivery_complete_count = 0;
            return true;
        }
        let reached = self.floor(done).expect("invariant: what is done is in flight");
        // Only whole batches are forgotten.
        let (keep_from, mut start) = if reached.last == done {
            let next = self.batches.range(done + 1..).next().map_or(done + 1, |(first, _)| *first);
            (done + 1, self.start_offset.max(next))
        } else {
            (reached.first, self.start_offset.max(done + 1))
        };
        if let Some(gap) = self.active_gap().filter(|_| reached.last == done) {
            start = start.min(gap);
        }
        self.start_offset = start;
        self.delivery_complete_count -= count;
        self.batches.retain(|first, _| *first >= keep_from);
        true
    }

    /// The last offset before which all is done, and how many of these are at or above the start offset.
    fn last_done(&self) -> Option<(Offset, i32)> {
        let (mut done, mut count) = (None, 0);
        for batch in self.batches.values() {
            if self.active_gap().is_some_and(|gap| batch.last >= gap) {
                break;
            }
            for (first, last, slot) in batch.slots() {
                if !slot.is_done() {
                    return done.map(|done| (done, count));
                }
                done = Some(last);
                count += self.counted(first, last);
            }
        }
        done.map(|done| (done, count))
    }
}
