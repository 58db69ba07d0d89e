//! The state of offsets in flight (`InFlightBatch`, `InFlightState`, `RecordState`).
//!
//! A batch has one state for all its offsets, until some of them differ: then each has its own. Both are *slots* here.

use crate::base::{Duration, Offset, Time};
use std::rc::Rc;

/// What became of a record so far.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(i8)]
pub enum RecordState {
    /// It can be delivered.
    Available = 0,
    /// A member has it, and a lock on it.
    Acquired = 1,
    /// Done.
    Acknowledged = 2,
    /// It will not be delivered any more.
    Archived = 4,
}

impl RecordState {
    /// The state with this number in the log of the share coordinator.
    pub fn from_code(code: i8) -> Option<RecordState> {
        [RecordState::Available, RecordState::Acknowledged, RecordState::Archived]
            .into_iter()
            .find(|state| *state as i8 == code)
    }

    /// Nothing happens to it any more.
    pub fn is_terminal(self) -> bool {
        matches!(self, RecordState::Acknowledged | RecordState::Archived)
    }
}

/// Of one offset, or of a whole batch.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct InFlightState {
    /// Where it is, or (while a write is under way) where it is going.
    pub state: RecordState,
    /// How often it has been delivered.
    pub delivery_count: i16,
    /// Who has it, while it is acquired.
    pub member: Option<Rc<str>>,
    /// When the acquisition lock ends.
    pub lock: Option<Time>,
    /// It was acquired by this member, and has left that state only when this write has succeeded.
    pub pending: Option<(u32, Rc<str>)>,
}

impl InFlightState {
    /// In a state for good, or until somebody acquires it.
    pub fn resting(state: RecordState, delivery_count: i16) -> InFlightState {
        InFlightState { state, delivery_count, member: None, lock: None, pending: None }
    }

    /// Can it be acquired?
    pub fn is_available(&self) -> bool {
        self.state == RecordState::Available && self.pending.is_none()
    }

    /// May the start offset move past it?
    pub fn is_done(&self) -> bool {
        self.state.is_terminal() && self.pending.is_none()
    }

    /// It is the member's from now on, for so long.
    pub fn acquire(&mut self, member: &Rc<str>, until: Time) {
        self.state = RecordState::Acquired;
        self.delivery_count += 1;
        self.member = Some(member.clone());
        self.lock = Some(until);
    }

    /// It is given back, by its member or by the end of the lock; too often is the end of it.
    pub fn after_release(&self, limit: i16) -> RecordState {
        if self.delivery_count >= limit { RecordState::Archived } else { RecordState::Available }
    }

    /// Begins to leave the acquired state.
    pub fn start(&mut self, to: RecordState, write: u32) {
        let member = self.member.take().expect("invariant: who acquired it is known");
        self.pending = Some((write, member));
        self.state = to;
    }

    /// At rest.
    pub fn settle(&mut self, state: RecordState) {
        *self = InFlightState::resting(state, self.delivery_count);
    }
}

/// Offsets that were acquired together.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct InFlightBatch {
    /// The first.
    pub first: Offset,
    /// The last, inclusive.
    pub last: Offset,
    split: bool,
    slots: Vec<InFlightState>,
}

impl InFlightBatch {
    /// All in one state.
    pub fn new(first: Offset, last: Offset, state: InFlightState) -> InFlightBatch {
        InFlightBatch { first, last, split: false, slots: vec![state] }
    }

    /// The one state of all its offsets, if there is one.
    pub fn whole(&self) -> Option<&InFlightState> {
        if self.split { None } else { self.slots.first() }
    }

    /// Gives each offset its own state.
    pub fn split(&mut self) {
        if !self.split {
            self.split = true;
            self.slots = vec![self.slots.remove(0); usize::try_from(self.len()).unwrap_or(0)];
        }
    }

    /// How many offsets.
    pub fn len(&self) -> i64 {
        self.last - self.first + 1
    }

    /// Does the offset lie in it, and not at its beginning?
    pub fn straddles(&self, offset: Offset) -> bool {
        self.first < offset && offset <= self.last
    }

    /// Its states, with the first and the last offset of each.
    pub fn slots(&self) -> impl Iterator<Item = (Offset, Offset, &InFlightState)> {
        let (first, last, split) = (self.first, self.last, self.split);
        let spans = (first..).zip(&self.slots);
        spans.map(move |(at, slot)| if split { (at, at, slot) } else { (first, last, slot) })
    }

    /// The same, to change them.
    pub fn slots_mut(&mut self) -> impl Iterator<Item = (Offset, Offset, &mut InFlightState)> {
        let (first, last, split) = (self.first, self.last, self.split);
        let spans = (first..).zip(&mut self.slots);
        spans.map(move |(at, slot)| if split { (at, at, slot) } else { (first, last, slot) })
    }

    /// When the first lock ends.
    pub fn deadline(&self) -> Option<Time> {
        let locked = self.slots.iter().filter(|slot| slot.state == RecordState::Acquired);
        locked.filter_map(|slot| slot.lock).min()
    }
}

/// What the group's settings allow (`ShareGroupConfigProvider`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ShareLimits {
    /// `share.record.lock.duration.ms`
    pub lock: Duration,
    /// `share.delivery.count.limit`
    pub deliveries: i16,
    /// `share.partition.max.record.locks`
    pub in_flight: i64,
    /// `share.renew.acknowledge.enable`
    pub may_renew: bool,
}
