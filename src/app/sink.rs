//! The external system on which a consumer's effects happen: a mail server, a database. It knows nothing of Kafka, and
//! survives the consumer's crash.
//!
//! Invariants: what one request asks for happens together or not at all; a repetition is looked for in the same request
//! that does the first write. Whether an effect and the sink's own bookkeeping of it are one request or two is
//! [`SinkSetup::writes`]: between two, a crash leaves one without the other.
//!
//! A request reaches the sink at once; its reply takes [`SinkSetup::latency`] (see the consumer's handler). So the effect has
//! happened while the program waits, and if it dies there it never learns so.

use super::{Dedupe, SinkSetup, Writes};
use crate::base::{Offset, RecordId, SortedMap, Time, TopicPartition, Vector};
use bytes::Bytes;
use smallvec::SmallVec;
use std::hash::{Hash, Hasher};

/// What happened in the sink because of one record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SinkRow {
    /// Which record.
    pub record: RecordId,
    /// How often its effect happened.
    pub effects: u32,
    /// How often the sink refused it as a repetition.
    pub refused: u32,
}

impl SinkRow {
    fn is_known(&self) -> bool {
        self.effects + self.refused > 0
    }
}

/// One record of a request to the sink.
#[derive(Clone, Copy, Debug)]
pub struct SinkWrite<'a> {
    /// The record's identity.
    pub record: RecordId,
    /// Where it was read.
    pub partition: TopicPartition,
    /// Where it was read.
    pub offset: Offset,
    /// The entity it is about, if it names one.
    pub key: Option<&'a Bytes>,
}

/// Why a request failed, as far as the program can tell.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SinkError {
    /// The sink refused it: nothing happened.
    Unavailable,
    /// The sink takes this record never.
    Poison,
    /// No reply came: what was asked for has happened, but the program cannot know.
    ReplyLost,
}

impl SinkError {
    /// The exception that the handler throws.
    pub const fn message(self) -> &'static str {
        match self {
            SinkError::Unavailable => "SinkException: the sink is unavailable",
            SinkError::Poison => "SinkException: the sink refuses this record",
            SinkError::ReplyLost => "SinkException: timed out waiting for the sink's reply",
        }
    }
}

/// Which of the two writes a request is for; the only one if they are one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ask {
    /// Look for repetitions, then write.
    First,
    /// Write the rest.
    Second,
}

/// Of the records of a first request, in order: which were no repetitions.
pub(super) type Fresh = SmallVec<[bool; 4]>;

/// When a record's id was put into the store of processed ids; 0 for never.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Stored {
    /// The how-manieth, from 1.
    nth: u32,
    at: Time,
}

/// The sink of one consumer application.
#[derive(Clone, PartialEq, Debug)]
pub struct Sink {
    setup: SinkSetup,
    /// By record id, up to the highest known; of some of these records nothing may be known.
    rows: Vector<SinkRow>,
    versions: SortedMap<Bytes, RecordId>,
    offsets: SortedMap<TopicPartition, Offset>,
    /// By record id: a store of processed ids that is apart from the effects, or forgets.
    ids: Vector<Stored>,
    /// How many ids were ever put into it.
    stored: u32,
    /// How many requests came, where every nth of them fails.
    requests: u32,
}

impl Sink {
    pub(super) fn new(setup: SinkSetup) -> Self {
        let (versions, offsets) = (SortedMap::new(), SortedMap::new());
        Sink { setup, rows: Vector::new(), versions, offsets, ids: Vector::new(), stored: 0, requests: 0 }
    }

    /// What it was told.
    pub fn setup(&self) -> &SinkSetup {
        &self.setup
    }

    /// How it recognises repetitions.
    pub fn dedupe(&self) -> Dedupe {
        self.setup.dedupe
    }

    /// Everything that happened, in the order of record ids.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &SinkRow> {
        self.rows.iter().filter(|row| row.is_known())
    }

    /// What happened because of one record.
    pub fn row(&self, record: RecordId) -> Option<&SinkRow> {
        self.rows.get(record.0 as usize).filter(|row| row.is_known())
    }

    /// With [`Dedupe::OffsetWithOutput`]: the next offset to read of each partition, as the sink stores it.
    pub fn offsets(&self) -> &SortedMap<TopicPartition, Offset> {
        &self.offsets
    }

    /// Whether a store of processed ids would recognise the record now.
    pub fn remembers(&self, now: Time, record: RecordId) -> bool {
        if !self.setup.has_store() {
            return self.row(record).is_some_and(|row| row.effects > 0);
        }
        let Some(stored) = self.ids.get(record.0 as usize).filter(|stored| stored.nth > 0) else { return false };
        let within = self.setup.window_records.is_none_or(|window| self.stored - stored.nth < window);
        within && self.setup.window.is_none_or(|window| now < stored.at + window)
    }

    /// Does what is asked for, and calls `effect` for each effect that happened. On [`SinkError::ReplyLost`] it happened, too.
    /// A first request fills `fresh`, which the second is given.
    pub(super) fn request(
        &mut self,
        now: Time,
        ask: Ask,
        writes: &[SinkWrite<'_>],
        fresh: &mut Fresh,
        mut effect: impl FnMut(&SinkWrite<'_>),
    ) -> Result<(), SinkError> {
        let lost = self.admit(writes)?;
        for (place, write) in writes.iter().enumerate() {
            match ask {
                Ask::First => fresh.push(self.look(now, write)),
                Ask::Second => {}
            }
            if !fresh[place] {
                continue;
            }
            let (acts, remembers) = match (self.setup.writes(), ask) {
                (Writes::Together, _) => (true, true),
                (Writes::EffectFirst, Ask::First) | (Writes::IdentityFirst, Ask::Second) => (true, false),
                (Writes::EffectFirst, Ask::Second) | (Writes::IdentityFirst, Ask::First) => (false, true),
            };
            if remembers {
                self.remember(now, write);
            }
            if acts {
                self.row_mut(write.record).effects += 1;
                effect(write);
            }
        }
        if lost { Err(SinkError::ReplyLost) } else { Ok(()) }
    }

    /// [`Self::request`] of one record, where both writes are one and nothing fails.
    pub(super) fn apply(&mut self, now: Time, write: &SinkWrite<'_>) -> bool {
        let mut happened = false;
        // Whoever calls this was given a sink that does not fail.
        let _ = self.request(now, Ask::First, std::slice::from_ref(write), &mut Fresh::new(), |_| happened = true);
        happened
    }

    /// Whether the reply gets lost, or why the sink refuses.
    fn admit(&mut self, writes: &[SinkWrite<'_>]) -> Result<bool, SinkError> {
        let setup = self.setup;
        if setup.fail_every > 0 || setup.lose_reply_every > 0 {
            self.requests += 1;
        }
        let every = |nth: u32, count: u32| nth > 0 && count.is_multiple_of(nth);
        if writes.iter().any(|write| every(setup.poison_every, write.record.0.saturating_add(1))) {
            return Err(SinkError::Poison);
        }
        if every(setup.fail_every, self.requests) {
            return Err(SinkError::Unavailable);
        }
        Ok(every(setup.lose_reply_every, self.requests))
    }

    /// Whether it is no repetition; one is counted.
    fn look(&mut self, now: Time, write: &SinkWrite<'_>) -> bool {
        let untouched = || self.row(write.record).is_none_or(|row| row.effects == 0);
        let fresh = match (self.setup.dedupe, write.key) {
            (Dedupe::None, _) => true,
            (Dedupe::UniqueKey, _) => untouched(),
            (Dedupe::ProcessedIds, _) => !self.remembers(now, write.record),
            // The record's number is its version. A record without a key is an entity of its own.
            (Dedupe::Version, None) => untouched(),
            (Dedupe::Version, Some(key)) => self.versions.get(key).is_none_or(|known| *known < write.record),
            (Dedupe::OffsetWithOutput, _) => {
                self.offsets.get(&write.partition).is_none_or(|next| write.offset >= *next)
            }
        };
        if !fresh {
            self.row_mut(write.record).refused += 1;
        }
        fresh
    }

    fn remember(&mut self, now: Time, write: &SinkWrite<'_>) {
        match (self.setup.dedupe, write.key) {
            // The row itself is what is remembered.
            (Dedupe::None | Dedupe::UniqueKey, _) | (Dedupe::Version, None) => {}
            (Dedupe::Version, Some(key)) => drop(self.versions.insert(key.clone(), write.record)),
            (Dedupe::OffsetWithOutput, _) => drop(self.offsets.insert(write.partition, write.offset + 1)),
            (Dedupe::ProcessedIds, _) if self.setup.has_store() => {
                let place = write.record.0 as usize;
                while self.ids.len() <= place {
                    self.ids.push(Stored::default());
                }
                self.stored += 1;
                let nth = self.stored;
                if let Some(stored) = self.ids.get_mut(place) {
                    *stored = Stored { nth, at: now };
                }
            }
            (Dedupe::ProcessedIds, _) => {}
        }
    }

    fn row_mut(&mut self, record: RecordId) -> &mut SinkRow {
        for id in self.rows.len()..=record.0 as usize {
            self.rows.push(SinkRow { record: RecordId(id as u32), effects: 0, refused: 0 });
        }
        &mut self.rows[record.0 as usize]
    }
}

/// Of the rows, the known ones; what a sink does not use adds nothing.
impl Hash for Sink {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.setup.hash(state);
        self.rows().for_each(|row| (row.record, row).hash(state));
        (&self.versions, &self.offsets).hash(state);
        if self.stored > 0 || self.requests > 0 {
            (&self.ids, self.stored, self.requests).hash(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Duration, TopicId};

    fn write(record: u32, offset: Offset, key: Option<&Bytes>) -> SinkWrite<'_> {
        SinkWrite { record: RecordId(record), partition: TopicPartition::new(TopicId(1), 0), offset, key }
    }

    fn sink(dedupe: Dedupe) -> Sink {
        Sink::new(dedupe.into())
    }

    fn at(ms: u64) -> Time {
        Time::ORIGIN + Duration::from_millis(ms)
    }

    fn split(dedupe: Dedupe, writes: Writes) -> Sink {
        Sink::new(SinkSetup { writes, ..dedupe.into() })
    }

    #[test]
    fn without_help_a_sink_repeats() {
        let mut sink = sink(Dedupe::None);
        for record in [3, 1, 3] {
            assert!(sink.apply(at(0), &write(record, 0, None)));
        }
        let rows: Vec<(u32, u32)> = sink.rows().map(|row| (row.record.0, row.effects)).collect();
        assert_eq!(rows, [(1, 1), (3, 2)]);
    }

    #[test]
    fn identities_are_refused_the_second_time() {
        for dedupe in [Dedupe::UniqueKey, Dedupe::ProcessedIds, Dedupe::Version] {
            let mut sink = sink(dedupe);
            assert!(sink.apply(at(0), &write(3, 0, None)));
            assert!(!sink.apply(at(0), &write(3, 0, None)), "{dedupe:?}");
            assert_eq!(sink.row(RecordId(3)), Some(&SinkRow { record: RecordId(3), effects: 1, refused: 1 }));
        }
    }

    #[test]
    fn an_older_version_is_refused_even_if_it_is_new() {
        let (mut sink, key) = (sink(Dedupe::Version), Bytes::from_static(b"entity-0"));
        assert!(sink.apply(at(0), &write(5, 0, Some(&key))));
        assert!(!sink.apply(at(0), &write(4, 1, Some(&key))));
        assert!(sink.apply(at(0), &write(6, 2, Some(&key))));
    }

    #[test]
    fn an_offset_stored_with_the_output_refuses_what_is_below() {
        let mut sink = sink(Dedupe::OffsetWithOutput);
        assert!(sink.apply(at(0), &write(0, 7, None)));
        assert!(!sink.apply(at(0), &write(0, 7, None)));
        assert_eq!(sink.offsets().values().copied().collect::<Vec<_>>(), [8]);
    }

    #[test]
    fn a_store_forgets_the_oldest_id_when_it_is_full() {
        let mut sink = Sink::new(SinkSetup { window_records: Some(2), ..Dedupe::ProcessedIds.into() });
        for record in [0, 1, 2] {
            assert!(sink.apply(at(0), &write(record, 0, None)));
        }
        assert!(!sink.apply(at(0), &write(1, 0, None)), "one of the last two");
        assert!(!sink.apply(at(0), &write(2, 0, None)), "a refused id takes no room");
        assert!(sink.apply(at(0), &write(0, 0, None)), "forgotten: a duplicate");
    }

    #[test]
    fn an_id_expires_so_long_after_it_was_stored() {
        let mut sink = Sink::new(SinkSetup { window: Some(Duration::from_millis(50)), ..Dedupe::ProcessedIds.into() });
        assert!(sink.apply(at(10), &write(0, 0, None)));
        assert!(!sink.apply(at(59), &write(0, 0, None)));
        assert!(sink.apply(at(60), &write(0, 0, None)), "forgotten: a duplicate");
    }

    /// The effects after a crash between both writes and all over again.
    fn crash_between(dedupe: Dedupe, writes: Writes) -> u32 {
        let (mut sink, write, mut fresh) = (split(dedupe, writes), write(0, 0, None), Fresh::new());
        let done = sink.request(at(0), Ask::First, &[write], &mut fresh, |_| {});
        assert_eq!(done, Ok(()));
        let mut fresh = Fresh::new();
        for ask in [Ask::First, Ask::Second] {
            let done = sink.request(at(1), ask, &[write], &mut fresh, |_| {});
            assert_eq!(done, Ok(()));
        }
        sink.row(RecordId(0)).map_or(0, |row| row.effects)
    }

    #[test]
    fn two_writes_repeat_or_lose_by_their_order() {
        for dedupe in [Dedupe::ProcessedIds, Dedupe::OffsetWithOutput] {
            assert_eq!(crash_between(dedupe, Writes::EffectFirst), 2, "{dedupe:?}");
            assert_eq!(crash_between(dedupe, Writes::IdentityFirst), 0, "{dedupe:?}");
        }
        assert_eq!(crash_between(Dedupe::UniqueKey, Writes::EffectFirst), 1, "a row cannot be apart from its key");
    }

    #[test]
    fn a_refusal_changes_nothing_and_a_lost_reply_does() {
        let setup = SinkSetup { fail_every: 2, lose_reply_every: 3, poison_every: 10, ..Dedupe::None.into() };
        let mut sink = Sink::new(setup);
        let mut ask = |record| sink.request(at(0), Ask::First, &[write(record, 0, None)], &mut Fresh::new(), |_| {});
        let replies = [ask(0), ask(1), ask(2), ask(9)];
        assert_eq!(replies, [Ok(()), Err(SinkError::Unavailable), Err(SinkError::ReplyLost), Err(SinkError::Poison)]);
        assert_eq!(sink.rows().map(|row| row.record.0).collect::<Vec<_>>(), [0, 2]);
    }
}
