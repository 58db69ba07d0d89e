//! A member gets records: what was available again first, then what nobody has had yet (`SharePartition.acquire`).

use super::SharePartition;
use super::in_flight::{InFlightBatch, InFlightState, RecordState, ShareLimits};
use crate::base::config::ShareAcquireMode;
use crate::base::{Offset, Time};
use crate::protocol::{AbortedTransaction, AcquiredRecords};
use crate::record::RecordBatch;
use std::rc::Rc;

/// Who wants how much.
#[derive(Clone, Hash, Debug)]
pub struct Acquirer {
    /// The member.
    pub member: Rc<str>,
    /// Up to the end of a batch, or exactly so many.
    pub mode: ShareAcquireMode,
    /// In batches of about so many.
    pub batch_size: i64,
    /// At most so many.
    pub max_records: i64,
}

/// One call of [`SharePartition::acquire`].
struct Acquisition<'a> {
    who: &'a Acquirer,
    batches: &'a [RecordBatch],
    limits: ShareLimits,
    lock: Time,
}

impl SharePartition {
    /// Acquires what is available of the batches that were read from an offset on. Aborted transactions are told of if the
    /// group reads only what is committed.
    pub fn acquire(
        &mut self,
        who: &Acquirer,
        fetch_offset: Offset,
        batches: &[RecordBatch],
        aborted: &[AbortedTransaction],
        limits: ShareLimits,
        now: Time,
    ) -> Vec<AcquiredRecords> {
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else { return Vec::new() };
        if who.max_records <= 0 || last.last_offset() < self.start_offset {
            return Vec::new();
        }
        let Some((last, max)) = self.room(who.max_records, fetch_offset, last.last_offset(), limits) else {
            return Vec::new();
        };
        let acquisition = Acquisition { who, batches, limits, lock: now + limits.lock };
        self.archive_stale(fetch_offset, first.base_offset());
        let acquired = self.acquire_up_to(&acquisition, first.base_offset(), last, max);
        self.find_next_fetch_offset = self.first_available().is_some();
        if aborted.is_empty() { acquired } else { self.archive_aborted(batches, aborted, acquired) }
    }

    /// How far to acquire, and how many. When as many are in flight as may be, only among those.
    fn room(&self, wanted: i64, fetch_offset: Offset, last: Offset, limits: ShareLimits) -> Option<(Offset, i64)> {
        let room = wanted.min(limits.in_flight - self.in_flight_count());
        let end = self.end_offset;
        match room {
            1.. => Some((last, room)),
            _ if fetch_offset <= end => Some((last.min(end), wanted.min(end - fetch_offset + 1))),
            _ => None,
        }
    }

    fn acquire_up_to(
        &mut self,
        call: &Acquisition<'_>,
        first_base: Offset,
        last: Offset,
        mut max: i64,
    ) -> Vec<AcquiredRecords> {
        let base = match self.floor(first_base) {
            None => first_base.max(self.start_offset),
            Some(batch) if batch.last >= first_base => batch.first,
            Some(_) => first_base,
        };
        let firsts = self.firsts(first_base.min(base), last);
        let Some(last_known) = firsts.last().map(|first| self.batches[first].last) else {
            return self.acquire_new(call, base, last, max);
        };
        let (mut acquired, mut gap_start) = (Vec::new(), base);
        for first in firsts {
            if max <= count(&acquired) {
                break;
            }
            let batch_last = self.batches[&first].last;
            if self.active_gap().is_some() {
                if gap_start < first {
                    let missing = max - count(&acquired);
                    acquired.extend(self.acquire_new(call, gap_start, first - 1, missing));
                }
                gap_start = batch_last + 1;
                if max <= count(&acquired) {
                    break;
                }
            }
            let throttled = self.is_throttled(first, first_base, last, call.limits);
            if throttled && !acquired.is_empty() {
                max = 0;
                break;
            }
            let left = max - count(&acquired);
            let got = self.acquire_batch(call, first, (first_base, last), left, throttled, &mut acquired);
            if throttled && got {
                max = 0;
                break;
            }
        }
        let missing = max - count(&acquired);
        if missing > 0 && last_known < last {
            acquired.extend(self.acquire_new(call, last_known + 1, last, missing));
        }
        if let Some(last) = acquired.last() {
            self.move_gap(last.last_offset + 1);
        }
        acquired
    }

    /// Acquires what is available of one batch in flight, as a whole if nothing speaks against it.
    fn acquire_batch(
        &mut self,
        call: &Acquisition<'_>,
        first: Offset,
        range: (Offset, Offset),
        left: i64,
        throttled: bool,
        acquired: &mut Vec<AcquiredRecords>,
    ) -> bool {
        let batch = self.batches.get_mut(&first).expect("invariant: the batch was just found");
        if batch.whole().is_some_and(|whole| !whole.is_available()) {
            return false;
        }
        let full = batch.first >= range.0 && batch.last <= range.1;
        let exact = call.who.mode == ShareAcquireMode::RecordLimit;
        if !full || throttled || (exact && batch.len() > left) {
            batch.split();
        }
        let before = acquired.len();
        match batch.whole() {
            Some(_) => acquired.extend(batch.slots_mut().map(|(first, last, slot)| take(slot, first, last, call))),
            None => acquire_offsets(batch, range, left, call, acquired),
        }
        acquired.len() > before
    }

    /// Has anything available in a batch been delivered so often that it may be what makes consumers fail? Then batches
    /// become smaller, so that the others get past it.
    fn is_throttled(&self, first: Offset, from: Offset, to: Offset, limits: ShareLimits) -> bool {
        let batch = &self.batches[&first];
        let whole = batch.whole().is_some();
        let available =
            batch.slots().filter(|(at, _, slot)| slot.is_available() && (whole || (from..=to).contains(at)));
        available.map(|(.., slot)| slot.delivery_count).max().unwrap_or(0) >= throttle_limit(limits)
    }

    /// Acquires offsets that were never in flight, in new batches that end where batches of the log do.
    fn acquire_new(&mut self, call: &Acquisition<'_>, first: Offset, last: Offset, max: i64) -> Vec<AcquiredRecords> {
        let first = if self.batches.is_empty() { first.max(self.end_offset) } else { first };
        let mut end = last;
        if max < last - first + 1 {
            end = end_of_batch(call.batches, first + max - 1);
            // What a former leader acquired need not end where a batch does.
            if self.active_gap().is_some() {
                end = end.min(last);
            }
        }
        let exact = call.who.mode == ShareAcquireMode::RecordLimit;
        let mut acquired = Vec::new();
        let mut from = first;
        if !exact && end - first + 1 > call.who.batch_size {
            for base in call.batches.iter().map(RecordBatch::base_offset).take_while(|base| *base <= end) {
                if base - from >= call.who.batch_size {
                    acquired.push(self.add(call, from, base - 1));
                    from = base;
                }
            }
        }
        acquired.push(self.add(call, from, end));
        if let [only] = acquired.as_mut_slice()
            && exact
            && end - first + 1 > max
        {
            only.last_offset = first + max - 1;
            let batch = self.batches.get_mut(&first).expect("invariant: the batch was just added");
            batch.split();
            for (_, _, slot) in batch.slots_mut().filter(|(at, ..)| *at > only.last_offset) {
                *slot = InFlightState::resting(RecordState::Available, 0);
            }
            self.find_next_fetch_offset = true;
        }
        if self.batches.first_key_value().is_some_and(|(key, _)| *key == first) {
            self.start_offset = first;
        }
        self.end_offset = self.end_offset.max(end);
        self.move_gap(if exact { acquired[0].last_offset } else { end } + 1);
        acquired
    }

    fn add(&mut self, call: &Acquisition<'_>, first: Offset, last: Offset) -> AcquiredRecords {
        let mut state = InFlightState::resting(RecordState::Available, 0);
        let acquired = take(&mut state, first, last, call);
        self.batches.insert(first, InFlightBatch::new(first, last, state));
        acquired
    }
}

fn count(acquired: &[AcquiredRecords]) -> i64 {
    acquired.iter().map(|records| records.last_offset - records.first_offset + 1).sum()
}

/// From how many deliveries on: half of what is allowed, rounded up, but at least two.
fn throttle_limit(limits: ShareLimits) -> i16 {
    (limits.deliveries + 1).div_euclid(2).max(2)
}

fn take(slot: &mut InFlightState, first: Offset, last: Offset, call: &Acquisition<'_>) -> AcquiredRecords {
    slot.acquire(&call.who.member, call.lock);
    AcquiredRecords { first_offset: first, last_offset: last, delivery_count: slot.delivery_count }
}

/// Acquires offset by offset. What is delivered for the last time is delivered alone.
fn acquire_offsets(
    batch: &mut InFlightBatch,
    (from, to): (Offset, Offset),
    left: i64,
    call: &Acquisition<'_>,
    acquired: &mut Vec<AcquiredRecords>,
) {
    let (limit, throttle, len) = (call.limits.deliveries, throttle_limit(call.limits), batch.len());
    let (mut count, mut at_most) = (0, i64::MAX);
    let mut run: Option<AcquiredRecords> = None;
    for (at, _, slot) in batch.slots_mut() {
        if !(from..=to).contains(&at) || !slot.is_available() {
            continue;
        }
        let is_last_try = limit > 2 && slot.delivery_count == limit - 1;
        if is_last_try && count > 0 {
            break;
        }
        if slot.delivery_count >= throttle && at_most == i64::MAX {
            at_most = (len >> (slot.delivery_count - throttle + 1)).max(1);
        }
        let taken = take(slot, at, at, call);
        match &mut run {
            Some(run) if run.last_offset + 1 == at && run.delivery_count == taken.delivery_count => {
                run.last_offset = at
            }
            run => acquired.extend(run.replace(taken)),
        }
        count += 1;
        let enough = call.who.mode == ShareAcquireMode::RecordLimit && count == left;
        if is_last_try || enough || count == at_most {
            break;
        }
    }
    acquired.extend(run);
}

/// The last offset of the batch that holds this one.
fn end_of_batch(batches: &[RecordBatch], offset: Offset) -> Offset {
    let holder = batches.iter().take_while(|batch| batch.base_offset() <= offset).last();
    holder.map_or(offset, |batch| batch.last_offset().max(offset))
}
