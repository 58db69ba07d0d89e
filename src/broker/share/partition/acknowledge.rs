//! What became of acquired records: acknowledged, released, given up by their member, or kept too long.

use super::in_flight::{InFlightBatch, InFlightState, RecordState, ShareLimits};
use super::{SharePartition, StateWrite};
use crate::base::{Offset, Time};
use crate::protocol::{AcknowledgeType, AcknowledgementBatch, ErrorCode, StateBatch};
use std::rc::Rc;

/// A call that lets offsets leave the acquired state.
struct Transition {
    write: u32,
    batches: Vec<StateBatch>,
    complete: i32,
}

impl SharePartition {
    /// A member acknowledges; all of it, or nothing and an error. What has to be written, if anything.
    pub fn acknowledge(
        &mut self,
        member: &Rc<str>,
        batches: &[AcknowledgementBatch],
        limits: ShareLimits,
        now: Time,
    ) -> Result<Option<StateWrite>, ErrorCode> {
        let mut transition = self.begin();
        let start = self.start_offset;
        let mut in_flight = batches.iter().filter(|batch| batch.last_offset >= start);
        let acknowledged =
            in_flight.try_for_each(|batch| self.acknowledge_batch(member, batch, limits, now, &mut transition));
        self.delivery_complete_count += transition.complete;
        if let Err(error) = acknowledged {
            self.roll_back(transition.write, &transition.batches, limits, now);
            return Err(error);
        }
        Ok(transition.into_write(false))
    }

    fn begin(&mut self) -> Transition {
        self.last_write = self.last_write.wrapping_add(1);
        Transition { write: self.last_write, batches: Vec::new(), complete: 0 }
    }

    /// Where the batches in flight begin that a batch of acknowledgements is about.
    fn concerned(&self, batch: &AcknowledgementBatch) -> Result<Vec<Offset>, ErrorCode> {
        let moved = (batch.first_offset..batch.last_offset).contains(&(self.start_offset - 1));
        let floor = self.floor(batch.first_offset).or(self.floor(self.start_offset).filter(|_| moved));
        let floor = floor.ok_or(ErrorCode::InvalidRecordState)?.first;
        let firsts = self.firsts(floor, batch.last_offset);
        let last = firsts.last().map_or(floor, |first| self.batches[first].last);
        if last < batch.last_offset { Err(ErrorCode::InvalidRequest) } else { Ok(firsts) }
    }

    fn acknowledge_batch(
        &mut self,
        member: &Rc<str>,
        acknowledged: &AcknowledgementBatch,
        limits: ShareLimits,
        now: Time,
        transition: &mut Transition,
    ) -> Result<(), ErrorCode> {
        let start = self.start_offset;
        for first in self.concerned(acknowledged)? {
            let batch = self.batches.get_mut(&first).expect("invariant: the batch was just found");
            if batch.last < start {
                continue;
            }
            let is_members = |slot: &InFlightState| slot.member.as_ref() == Some(member);
            if batch.whole().is_some_and(|whole| !is_members(whole)) {
                return Err(ErrorCode::InvalidRecordState);
            }
            let full = batch.first >= acknowledged.first_offset && batch.last <= acknowledged.last_offset;
            if !full || acknowledged.types.len() > 1 || batch.straddles(start) {
                batch.split();
            }
            let (from, to) = (acknowledged.first_offset.max(start), acknowledged.last_offset);
            for (first, last, slot) in batch.slots_mut().filter(|(first, last, _)| *first >= from && *last <= to) {
                if !is_members(slot) {
                    return Err(ErrorCode::InvalidRecordState);
                }
                let to = match type_of(acknowledged, first) {
                    // "Renewing acquisition locks is not enabled for the group."
                    AcknowledgeType::Renew if !limits.may_renew => return Err(ErrorCode::InvalidRecordState),
                    AcknowledgeType::Renew => {
                        slot.lock = Some(now + limits.lock);
                        continue;
                    }
                    AcknowledgeType::Accept => RecordState::Acknowledged,
                    AcknowledgeType::Gap | AcknowledgeType::Reject => RecordState::Archived,
                    AcknowledgeType::Release => slot.after_release(limits.deliveries),
                };
                slot.start(to, transition.write);
                transition.push(first, last, slot, start);
            }
        }
        Ok(())
    }

    /// A member is gone, or has closed its session: what it has is available again.
    pub fn release(&mut self, member: &Rc<str>, limits: ShareLimits) -> Option<StateWrite> {
        let (start, mut transition) = (self.start_offset, self.begin());
        for batch in self.batches.values_mut() {
            if batch.straddles(start) && batch.whole().is_some_and(|whole| whole.member.as_ref() == Some(member)) {
                batch.split();
            }
            for (first, last, slot) in batch.slots_mut().filter(|(.., slot)| slot.member.as_ref() == Some(member)) {
                let to = if last < start { RecordState::Archived } else { slot.after_release(limits.deliveries) };
                slot.start(to, transition.write);
                transition.push(first, last, slot, start);
            }
        }
        self.delivery_complete_count += transition.complete;
        transition.into_write(false)
    }

    /// Ends the locks whose time is up.
    pub fn expire_locks(&mut self, limits: ShareLimits, now: Time) -> Option<StateWrite> {
        let (start, mut transition) = (self.start_offset, self.begin());
        let is_over =
            |slot: &InFlightState| slot.state == RecordState::Acquired && slot.lock.is_some_and(|lock| lock <= now);
        let mut available = false;
        for batch in self.batches.values_mut() {
            if batch.straddles(start) && batch.whole().is_some_and(is_over) {
                batch.split();
            }
            for (first, last, slot) in batch.slots_mut().filter(|(.., slot)| is_over(slot)) {
                let to = if last < start { RecordState::Archived } else { slot.after_release(limits.deliveries) };
                slot.settle(to);
                available |= to == RecordState::Available;
                transition.push(first, last, slot, start);
            }
        }
        self.find_next_fetch_offset |= available;
        self.delivery_complete_count += transition.complete;
        transition.into_write(true)
    }

    /// A write has succeeded or failed. Says whether the start offset has moved.
    pub fn written(&mut self, write: &StateWrite, succeeded: bool, limits: ShareLimits, now: Time) -> bool {
        if !succeeded && !write.settled {
            self.roll_back(write.id, &write.batches, limits, now);
            return false;
        }
        let mut available = false;
        self.each_pending(write.id, &write.batches, |_, _, slot| {
            slot.settle(slot.state);
            available |= slot.state == RecordState::Available;
        });
        self.find_next_fetch_offset |= available;
        self.advance()
    }

    /// The offsets are their member's again, unless its time is up.
    fn roll_back(&mut self, write: u32, batches: &[StateBatch], limits: ShareLimits, now: Time) {
        let (start, mut available, mut undone) = (self.start_offset, false, 0);
        self.each_pending(write, batches, |first, last, slot| {
            let was_terminal = slot.state.is_terminal();
            match slot.pending.take() {
                Some((_, member)) if slot.lock.is_some_and(|lock| lock > now) => {
                    slot.state = RecordState::Acquired;
                    slot.member = Some(member);
                }
                _ => slot.settle(slot.after_release(limits.deliveries)),
            }
            available |= slot.state == RecordState::Available;
            if was_terminal && !slot.state.is_terminal() {
                undone += (last - first.max(start) + 1).max(0) as i32;
            }
        });
        self.find_next_fetch_offset |= available;
        self.delivery_complete_count -= undone;
    }

    fn each_pending(
        &mut self,
        write: u32,
        batches: &[StateBatch],
        mut run: impl FnMut(Offset, Offset, &mut InFlightState),
    ) {
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else { return };
        let from = self.floor(first.first_offset).map_or(first.first_offset, |batch| batch.first);
        let concerned = self.batches.values_mut().filter(|batch| (from..=last.last_offset).contains(&batch.first));
        for (first, last, slot) in concerned.flat_map(InFlightBatch::slots_mut) {
            if slot.pending.as_ref().is_some_and(|(by, _)| *by == write) {
                run(first, last, slot);
            }
        }
    }
}

/// What is said of an offset.
fn type_of(batch: &AcknowledgementBatch, offset: Offset) -> AcknowledgeType {
    let at = usize::try_from(offset - batch.first_offset).unwrap_or(0);
    let each = batch.types.get(at).filter(|_| batch.types.len() > 1);
    *each.or(batch.types.first()).expect("invariant: empty lists are refused before")
}

impl Transition {
    fn push(&mut self, first: Offset, last: Offset, slot: &InFlightState, start: Offset) {
        if slot.state.is_terminal() {
            self.complete += (last - first.max(start) + 1).max(0) as i32;
        }
        let (delivery_state, delivery_count) = (slot.state as i8, slot.delivery_count);
        match self.batches.last_mut() {
            Some(run)
                if run.last_offset + 1 == first
                    && (run.delivery_state, run.delivery_count) == (delivery_state, delivery_count) =>
            {
                run.last_offset = last;
            }
            _ => {
                self.batches.push(StateBatch { first_offset: first, last_offset: last, delivery_state, delivery_count })
            }
        }
    }

    fn into_write(self, settled: bool) -> Option<StateWrite> {
        let write = StateWrite { id: self.write, batches: self.batches, settled };
        (!write.batches.is_empty()).then_some(write)
    }
}
