//! The share-partition against a naive model: one entry for each offset, no batches.

use super::tests::{LIMITS, NOW, batch, fresh, member, says};
use super::*;
use crate::base::Duration;
use crate::base::config::ShareAcquireMode;
use crate::protocol::{AcknowledgeType, ErrorCode};
use crate::record::RecordBatch;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::rc::Rc;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Naive {
    Available,
    Acquired {
        member: u8,
        until: Time,
    },
    /// Under way to a state, from a member that had it until then.
    Moving {
        write: u32,
        to: RecordState,
        member: u8,
        until: Time,
    },
    Done,
}

#[derive(Clone, Debug)]
enum Step {
    Fetch { member: u8, max: i64, exact: bool, batches: usize },
    Acknowledge { member: u8, first: Offset, count: i64, types: Vec<AcknowledgeType> },
    Answer { at: usize, succeeded: bool },
    Release { member: u8 },
    Wait { ms: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    use AcknowledgeType::{Accept, Gap, Reject, Release, Renew};
    let member = 0_u8..3;
    let kind = prop::sample::select(vec![Accept, Accept, Accept, Release, Release, Reject, Gap, Renew]);
    let types = prop_oneof![prop::collection::vec(kind.clone(), 1), prop::collection::vec(kind, 8)];
    let step = prop_oneof![
        4 => (member.clone(), 1_i64..12, any::<bool>(), 1_usize..5)
            .prop_map(|(member, max, exact, batches)| Step::Fetch { member, max, exact, batches }),
        4 => (member.clone(), 0_i64..40, 1_i64..9, types).prop_map(|(member, first, count, types)| Step::Acknowledge {
            member, first, count, types
        }),
        4 => (0_usize..4, prop_oneof![4 => Just(true), 1 => Just(false)]).prop_map(|(at, succeeded)| Step::Answer { at, succeeded }),
        1 => member.prop_map(|member| Step::Release { member }),
        1 => (1_000_u64..25_000).prop_map(|ms| Step::Wait { ms }),
    ];
    prop::collection::vec(step, 1..60)
}

struct Pair {
    real: SharePartition,
    model: BTreeMap<Offset, (Naive, i16)>,
    log: Vec<RecordBatch>,
    writes: Vec<StateWrite>,
    now: Time,
}

impl Pair {
    fn new(sizes: &[i64]) -> Pair {
        let mut base = 0;
        let log = sizes.iter().map(|size| {
            base += size;
            batch(base - size, *size)
        });
        Pair { real: fresh(), model: BTreeMap::new(), log: log.collect(), writes: Vec::new(), now: NOW }
    }

    fn end(&self) -> Offset {
        self.log.last().map_or(0, RecordBatch::next_offset)
    }

    fn fetch(&mut self, by: u8, max: i64, exact: bool, batches: usize) -> i64 {
        let offset = self.real.next_fetch_offset();
        let from = self.log.iter().position(|batch| batch.last_offset() >= offset).unwrap_or(self.log.len());
        let log = &self.log[from..self.log.len().min(from + batches)];
        let mode = if exact { ShareAcquireMode::RecordLimit } else { ShareAcquireMode::BatchOptimized };
        let who = Acquirer { max_records: max, mode, batch_size: 4, ..member(&by.to_string()) };
        let acquired = self.real.acquire(&who, offset, log, &[], LIMITS, self.now);
        let mut count = 0;
        for records in acquired {
            for at in records.first_offset..=records.last_offset {
                let (state, deliveries) = self.model.entry(at).or_insert((Naive::Available, 0));
                assert_eq!(*state, Naive::Available, "{at} was not to be had");
                *state = Naive::Acquired { member: by, until: self.now + LIMITS.lock };
                *deliveries += 1;
                assert_eq!(*deliveries, records.delivery_count);
                count += 1;
            }
        }
        assert!(!exact || count <= max, "record_limit is exact");
        // What was passed over is available to others.
        for at in self.real.start_offset()..=self.real.end_offset().min(self.end() - 1) {
            self.model.entry(at).or_insert((Naive::Available, 0));
        }
        count
    }

    fn acknowledge(&mut self, by: u8, first: Offset, count: i64, types: &[AcknowledgeType]) {
        let (last, start) = (first + count - 1, self.real.start_offset());
        let types: Vec<_> = if types.len() == 1 { types.to_vec() } else { types[..count as usize].to_vec() };
        let single = types.len() == 1;
        let own = |at: Offset| match self.model.get(&at) {
            Some((Naive::Acquired { member, .. }, _)) => *member == by,
            _ => false,
        };
        let allowed = last < start || (first.max(start)..=last).all(own);
        let name: Rc<str> = by.to_string().into();
        match self.real.acknowledge(&name, &[says(first, last, &types)], LIMITS, self.now) {
            Err(error) => {
                assert!(!allowed, "refused: {error:?}");
                assert!(matches!(error, ErrorCode::InvalidRecordState | ErrorCode::InvalidRequest));
                // Renewals before the offset that is refused stand.
                self.renew_as_real();
            }
            Ok(write) => {
                assert!(allowed, "accepted");
                for at in first.max(start)..=last {
                    let kind = types[if single { 0 } else { (at - first) as usize }];
                    self.leave(at, kind, write.as_ref().map_or(0, |write| write.id));
                }
                self.writes.extend(write);
            }
        }
    }

    fn renew_as_real(&mut self) {
        let locks: Vec<(Offset, Offset, Option<Time>)> = {
            let slots = self.real.batches.values().flat_map(InFlightBatch::slots);
            slots.map(|(first, last, slot)| (first, last, slot.lock)).collect()
        };
        for (first, last, lock) in locks {
            for at in first..=last {
                if let Some((Naive::Acquired { until, .. }, _)) = self.model.get_mut(&at) {
                    *until = lock.expect("acquired");
                }
            }
        }
    }

    fn leave(&mut self, at: Offset, kind: AcknowledgeType, write: u32) {
        let (state, deliveries) = self.model.get_mut(&at).expect("checked");
        let Naive::Acquired { member, until } = *state else { panic!("checked") };
        let to = match kind {
            AcknowledgeType::Renew => {
                *state = Naive::Acquired { member, until: self.now + LIMITS.lock };
                return;
            }
            AcknowledgeType::Release if *deliveries < LIMITS.deliveries => RecordState::Available,
            AcknowledgeType::Accept => RecordState::Acknowledged,
            _ => RecordState::Archived,
        };
        *state = Naive::Moving { write, to, member, until };
    }

    fn answer(&mut self, at: usize, succeeded: bool) {
        if at >= self.writes.len() {
            return;
        }
        let write = self.writes.remove(at);
        self.real.written(&write, succeeded, LIMITS, self.now);
        for (state, deliveries) in self.model.values_mut() {
            let Naive::Moving { write: id, to, member, until } = *state else { continue };
            if id != write.id {
                continue;
            }
            let free = if *deliveries < LIMITS.deliveries { Naive::Available } else { Naive::Done };
            *state = match to {
                _ if !succeeded && until > self.now => Naive::Acquired { member, until },
                _ if !succeeded => free,
                RecordState::Available => Naive::Available,
                _ => Naive::Done,
            };
        }
    }

    fn release(&mut self, by: u8) {
        let write = self.real.release(&by.to_string().into(), LIMITS);
        let id = write.as_ref().map_or(0, |write| write.id);
        let all: Vec<Offset> = self.model.keys().copied().collect();
        for at in all {
            if matches!(self.model[&at].0, Naive::Acquired { member, .. } if member == by) {
                self.leave(at, AcknowledgeType::Release, id);
            }
        }
        self.writes.extend(write);
    }

    fn wait(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        let write = self.real.expire_locks(LIMITS, self.now);
        for (state, deliveries) in self.model.values_mut() {
            if matches!(*state, Naive::Acquired { until, .. } if until <= self.now) {
                *state = if *deliveries < LIMITS.deliveries { Naive::Available } else { Naive::Done };
            }
        }
        self.writes.extend(write);
    }

    fn check(&self) {
        let is = |wanted: fn(&Naive) -> bool| self.model.iter().find(move |(_, (state, _))| wanted(state));
        let available = is(|state| *state == Naive::Available).map(|(at, _)| *at);
        let after = self.model.keys().last().map_or(0, |last| last + 1);
        assert_eq!(self.real.next_fetch_offset(), available.unwrap_or(after));
        let undone = is(|state| *state != Naive::Done).map_or(after, |(at, _)| *at);
        let start = self.real.start_offset();
        assert!(start <= undone, "{start} is past {undone}, which is not done");
        if self.writes.is_empty() && available.is_none() {
            let done = self.model.range(start..).filter(|(_, (state, _))| *state == Naive::Done).count();
            assert_eq!(self.real.delivery_complete_count(), done as i32);
        }
        for (first, last, state, deliveries, _) in self.real.in_flight() {
            for at in (first..=last).filter(|at| *at >= start) {
                let (naive, count) = self.model[&at];
                let same = match (state, naive) {
                    (RecordState::Available, Naive::Available) | (RecordState::Acquired, Naive::Acquired { .. }) => {
                        true
                    }
                    (state, Naive::Moving { to, .. }) => state == to,
                    (state, Naive::Done) => state.is_terminal(),
                    _ => false,
                };
                assert!(same && deliveries == count, "{at}: {state:?} {deliveries} is not {naive:?} {count}");
            }
        }
    }

    /// Whatever has happened, a member that works gets to the end.
    fn drain(&mut self) {
        while !self.writes.is_empty() {
            self.answer(0, true);
        }
        self.wait(60_000);
        while !self.writes.is_empty() {
            self.answer(0, true);
        }
        while self.fetch(9, 500, false, 100) > 0 {
            let own = |(_, (state, _)): &(&Offset, &(Naive, i16))| matches!(state, Naive::Acquired { member: 9, .. });
            let all: Vec<Offset> = self.model.iter().filter(own).map(|(at, _)| *at).collect();
            for at in all {
                self.acknowledge(9, at, 1, &[AcknowledgeType::Accept]);
                self.answer(0, true);
            }
            self.check();
        }
        assert_eq!(self.real.start_offset(), self.end());
    }
}

proptest! {
    #[test]
    fn batches_do_what_single_offsets_would(sizes in prop::collection::vec(1_i64..7, 1..8), steps in steps()) {
        let mut pair = Pair::new(&sizes);
        for step in steps {
            match step {
                Step::Fetch { member, max, exact, batches } => {
                    pair.fetch(member, max, exact, batches);
                }
                Step::Acknowledge { member, first, count, types } => pair.acknowledge(member, first, count, &types),
                Step::Answer { at, succeeded } => pair.answer(at, succeeded),
                Step::Release { member } => pair.release(member),
                Step::Wait { ms } => pair.wait(ms),
            }
            pair.check();
        }
        pair.drain();
    }
}
