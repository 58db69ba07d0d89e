//! What an external system holds: the effects, and what it keeps in order to recognise repetitions. It knows nothing of
//! Kafka but what it is told, and survives every crash, as a database does.
//!
//! Invariants: what one request asks for happens together or not at all; a repetition is looked for in the same request
//! that does the first write. Whether an effect and the sink's own bookkeeping of it are one request or two is
//! [`SinkSetup::writes`]: between two, a crash leaves one without the other.
//!
//! Who was thrown out of the group while it had records in hand may still write, after the next owner has read the stored
//! offsets. What the `KafkaConsumer` documentation tells people to do ("Storing Offsets Outside Kafka") does not help there: see
//! [`Fencing`].

use super::{Dedupe, Fencing, SinkSetup, Writes};
use crate::base::{Generation, Offset, RecordId, SortedMap, Time, TopicPartition, Vector};
use crate::protocol::{
    ErrorCode, SinkAsk, SinkOffsetsRequest, SinkOffsetsResponse, SinkWrite, SinkWriteRequest, SinkWriteResponse,
};
use bytes::Bytes;
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

/// When a record's id was put into the store of processed ids; 0 for never.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Stored {
    /// The how-manieth, from 1.
    nth: u32,
    at: Time,
}

/// What a sink holds.
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
    /// The generation that owns a partition, where that counts.
    owners: SortedMap<TopicPartition, Generation>,
    /// Of versions that were ignored: the entity, and the version that it had by then. It explains, and is no state.
    ignored: SortedMap<RecordId, (Bytes, RecordId)>,
}

impl Sink {
    pub(super) fn new(setup: SinkSetup) -> Self {
        let (versions, offsets) = (SortedMap::new(), SortedMap::new());
        let (rows, ids, owners) = (Vector::new(), Vector::new(), SortedMap::new());
        Sink { setup, rows, versions, offsets, ids, stored: 0, requests: 0, owners, ignored: SortedMap::new() }
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

    /// With [`Dedupe::Version`]: the version of each entity.
    pub fn versions(&self) -> &SortedMap<Bytes, RecordId> {
        &self.versions
    }

    /// The entity of a version that was ignored, and the version that it had by then.
    pub fn ignored(&self, record: RecordId) -> Option<&(Bytes, RecordId)> {
        self.ignored.get(&record)
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

    /// An effect happens.
    pub(super) fn happens(&mut self, record: RecordId) {
        self.row_mut(record).effects += 1;
    }

    /// Does what is asked for, and tells of each first write whether its effect happened; none if the reply gets lost.
    pub(super) fn request(
        &mut self,
        now: Time,
        request: &SinkWriteRequest,
        mut tell: impl FnMut(&SinkWrite, bool),
    ) -> Option<SinkWriteResponse> {
        let lost = match self.admit(request) {
            Ok(lost) => lost,
            Err(error) => return Some(SinkWriteResponse { error, fresh: Vec::new() }),
        };
        let (acts, remembers) = match (self.setup.writes(), request.ask) {
            (Writes::Together, _) => (true, true),
            (Writes::EffectFirst, SinkAsk::First) | (Writes::IdentityFirst, SinkAsk::Second) => (true, false),
            (Writes::EffectFirst, SinkAsk::Second) | (Writes::IdentityFirst, SinkAsk::First) => (false, true),
        };
        let mut fresh = Vec::with_capacity(request.writes.len());
        for write in &request.writes {
            let is_fresh = request.ask == SinkAsk::Second || self.look(now, write);
            fresh.push(is_fresh);
            if is_fresh && remembers {
                self.remember(now, write);
            }
            if is_fresh && acts {
                self.row_mut(write.record).effects += 1;
            }
            if acts || !is_fresh {
                tell(write, is_fresh);
            }
        }
        (!lost).then_some(SinkWriteResponse { error: ErrorCode::None, fresh })
    }

    /// Which offsets are stored of these partitions. Who asks owns them from now on.
    pub(super) fn read_offsets(&mut self, request: &SinkOffsetsRequest) -> SinkOffsetsResponse {
        let error = self.fence(request.generation, request.partitions.iter().copied());
        let stored = |partition: &TopicPartition| Some((*partition, *self.offsets.get(partition)?));
        let offsets = request.partitions.iter().filter(|_| !error.is_error()).filter_map(stored).collect();
        SinkOffsetsResponse { error, offsets }
    }

    /// Whether the reply gets lost, or why the sink refuses.
    fn admit(&mut self, request: &SinkWriteRequest) -> Result<bool, ErrorCode> {
        let setup = self.setup;
        if setup.fail_every > 0 || setup.lose_reply_every > 0 {
            self.requests += 1;
        }
        let every = |nth: u32, count: u32| nth > 0 && count.is_multiple_of(nth);
        if request.writes.iter().any(|write| every(setup.poison_every, write.record.0.saturating_add(1))) {
            return Err(ErrorCode::InvalidRecord);
        }
        if every(setup.fail_every, self.requests) {
            return Err(ErrorCode::UnknownServerError);
        }
        let fenced = self.fence(request.generation, request.writes.iter().map(|write| write.partition));
        if fenced.is_error() { Err(fenced) } else { Ok(every(setup.lose_reply_every, self.requests)) }
    }

    /// With [`Fencing::Generation`]: remembers who owns these partitions, unless somebody newer does.
    fn fence(&mut self, generation: Generation, partitions: impl Iterator<Item = TopicPartition> + Clone) -> ErrorCode {
        if self.setup.dedupe != Dedupe::OffsetWithOutput || self.setup.fencing != Fencing::Generation {
            return ErrorCode::None;
        }
        let newer = |partition| self.owners.get(&partition).is_some_and(|owner| *owner > generation);
        if partitions.clone().any(newer) {
            return ErrorCode::IllegalGeneration;
        }
        self.owners.extend(partitions.map(|partition| (partition, generation)));
        ErrorCode::None
    }

    /// Whether it is no repetition; one is counted.
    fn look(&mut self, now: Time, write: &SinkWrite) -> bool {
        let untouched = || self.row(write.record).is_none_or(|row| row.effects == 0);
        let fresh = match (self.setup.dedupe, &write.key) {
            (Dedupe::None, _) => true,
            (Dedupe::UniqueKey, _) => untouched(),
            (Dedupe::ProcessedIds, _) => !self.remembers(now, write.record),
            // The record's number is its version. A record without a key is an entity of its own.
            (Dedupe::Version, None) => untouched(),
            (Dedupe::Version, Some(key)) => self.versions.get(key).is_none_or(|known| *known < write.record),
            // A plain `UPDATE`: whoever comes last is believed.
            (Dedupe::OffsetWithOutput, _) if self.setup.fencing == Fencing::None => true,
            (Dedupe::OffsetWithOutput, _) => {
                self.offsets.get(&write.partition).is_none_or(|next| write.offset >= *next)
            }
        };
        if !fresh {
            self.row_mut(write.record).refused += 1;
            if let (Dedupe::Version, Some(key)) = (self.setup.dedupe, &write.key)
                && let Some(known) = self.versions.get(key)
            {
                self.ignored.insert(write.record, (key.clone(), *known));
            }
        }
        fresh
    }

    fn remember(&mut self, now: Time, write: &SinkWrite) {
        match (self.setup.dedupe, &write.key) {
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
        if !self.owners.is_empty() {
            self.owners.hash(state);
        }
    }
}

#[cfg(test)]
mod tests;
