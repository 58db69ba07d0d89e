//! The external system on which a consumer's effects happen: a mail server, a database. It knows nothing of Kafka, and
//! survives the consumer's crash.
//!
//! Invariant: an effect and the sink's own bookkeeping of it happen together or not at all.

use super::Dedupe;
use crate::base::{Offset, RecordId, SortedMap, TopicPartition, Vector};
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

/// One request to the sink.
#[derive(Clone, Debug)]
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

/// The sink of one consumer application.
#[derive(Clone, PartialEq, Debug)]
pub struct Sink {
    dedupe: Dedupe,
    /// By record id, up to the highest known; of some of these records nothing may be known.
    rows: Vector<SinkRow>,
    versions: SortedMap<Bytes, RecordId>,
    offsets: SortedMap<TopicPartition, Offset>,
}

impl Sink {
    pub(super) fn new(dedupe: Dedupe) -> Self {
        Sink { dedupe, rows: Vector::new(), versions: SortedMap::new(), offsets: SortedMap::new() }
    }

    /// How it recognises repetitions.
    pub fn dedupe(&self) -> Dedupe {
        self.dedupe
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

    /// Lets the effect happen, unless the sink recognises a repetition. Tells whether it happened.
    pub(super) fn apply(&mut self, write: &SinkWrite<'_>) -> bool {
        let happens = self.accepts(write);
        let row = self.row_mut(write.record);
        if happens {
            row.effects += 1;
        } else {
            row.refused += 1;
        }
        happens
    }

    fn accepts(&mut self, write: &SinkWrite<'_>) -> bool {
        match self.dedupe {
            Dedupe::None => true,
            // Where the identity is kept differs (a column of the row, a table beside it), what is refused does not.
            Dedupe::UniqueKey | Dedupe::ProcessedIds => self.row(write.record).is_none_or(|row| row.effects == 0),
            Dedupe::Version => self.accepts_version(write),
            Dedupe::OffsetWithOutput => {
                let next = self.offsets.entry(write.partition).or_insert(0);
                let fresh = write.offset >= *next;
                if fresh {
                    *next = write.offset + 1;
                }
                fresh
            }
        }
    }

    /// The record's number is its version. A record without a key is an entity of its own.
    fn accepts_version(&mut self, write: &SinkWrite<'_>) -> bool {
        let Some(key) = write.key else {
            return self.row(write.record).is_none_or(|row| row.effects == 0);
        };
        let fresh = self.versions.get(key).is_none_or(|known| *known < write.record);
        if fresh {
            self.versions.insert(key.clone(), write.record);
        }
        fresh
    }

    fn row_mut(&mut self, record: RecordId) -> &mut SinkRow {
        for id in self.rows.len()..=record.0 as usize {
            self.rows.push(SinkRow { record: RecordId(id as u32), effects: 0, refused: 0 });
        }
        &mut self.rows[record.0 as usize]
    }
}

/// Of the rows, the known ones.
impl Hash for Sink {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.dedupe.hash(state);
        self.rows().for_each(|row| (row.record, row).hash(state));
        (&self.versions, &self.offsets).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::TopicId;

    fn write(record: u32, offset: Offset, key: Option<&Bytes>) -> SinkWrite<'_> {
        SinkWrite { record: RecordId(record), partition: TopicPartition::new(TopicId(1), 0), offset, key }
    }

    #[test]
    fn without_help_a_sink_repeats() {
        let mut sink = Sink::new(Dedupe::None);
        for record in [3, 1, 3] {
            assert!(sink.apply(&write(record, 0, None)));
        }
        let rows: Vec<(u32, u32)> = sink.rows().map(|row| (row.record.0, row.effects)).collect();
        assert_eq!(rows, [(1, 1), (3, 2)]);
    }

    #[test]
    fn identities_are_refused_the_second_time() {
        for dedupe in [Dedupe::UniqueKey, Dedupe::ProcessedIds, Dedupe::Version] {
            let mut sink = Sink::new(dedupe);
            assert!(sink.apply(&write(3, 0, None)));
            assert!(!sink.apply(&write(3, 0, None)), "{dedupe:?}");
            assert_eq!(sink.row(RecordId(3)), Some(&SinkRow { record: RecordId(3), effects: 1, refused: 1 }));
        }
    }

    #[test]
    fn an_older_version_is_refused_even_if_it_is_new() {
        let (mut sink, key) = (Sink::new(Dedupe::Version), Bytes::from_static(b"entity-0"));
        assert!(sink.apply(&write(5, 0, Some(&key))));
        assert!(!sink.apply(&write(4, 1, Some(&key))));
        assert!(sink.apply(&write(6, 2, Some(&key))));
    }

    #[test]
    fn an_offset_stored_with_the_output_refuses_what_is_below() {
        let mut sink = Sink::new(Dedupe::OffsetWithOutput);
        assert!(sink.apply(&write(0, 7, None)));
        assert!(!sink.apply(&write(0, 7, None)));
        assert_eq!(sink.offsets().values().copied().collect::<Vec<_>>(), [8]);
    }
}
