//! The ledger: every record's life, from events.
//!
//! A record's identity is read from the bytes of its value, once, when a leader appends it; a processor's output carries the
//! number of its input, so that one life goes through all topics. What stands in the log is a picture per partition that follows
//! the present leader: a new leader's shorter log cuts it, a different log replaces it, and what a deposed leader appends in
//! ignorance is told in the story but does not count. Markers in the log tell what became of transactions.

use super::flow::{End, Flow, Readers};
use super::life::{Life, ShareEnd, StoryStep};
use super::picture::{Fate, LogPicture};
use crate::base::{NodeId, Offset, RecordId, SortedMap, Time, TopicId, TopicPartition, Vector};
use crate::client::payload::record_id_of;
use crate::node::ClientError;
use crate::protocol::ApiKey;
use crate::record::RecordBatch;
use crate::sim::WorldSetup;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// An error that an application met.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LedgerError {
    /// When.
    pub at: Time,
    /// Which application.
    pub node: NodeId,
    /// Which error.
    pub error: ClientError,
    /// The request that failed, if it was one.
    pub api: Option<ApiKey>,
    /// The record that failed, if it was one.
    pub record: Option<RecordId>,
}

/// What a generator has sent in the transaction that it has open.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct OpenTransaction {
    pub records: Vec<RecordId>,
    /// A call threw: whatever is aborted now is not aborted on purpose.
    pub failed: bool,
}

/// Every record's life.
#[derive(Clone, PartialEq, Debug)]
pub struct Ledger {
    /// How many records the generators will make: an id above is none of ours.
    pub(super) total: u32,
    /// Topics above this one are internal.
    pub(super) last_topic: u32,
    /// Which nodes are applications.
    pub(super) applications: Rc<[NodeId]>,
    pub(super) flow: Rc<Flow>,
    pub(super) lives: Vector<Rc<Life>>,
    pub(super) logs: SortedMap<TopicPartition, Rc<LogPicture>>,
    /// The first effects, in the order in which they happened: (reading, record).
    pub(super) effects: Vector<(u16, RecordId)>,
    pub(super) errors: Vector<LedgerError>,
    /// Of generators.
    pub(super) transactions: SortedMap<NodeId, OpenTransaction>,
}

/// Without open transactions as it always was.
impl Hash for Ledger {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.total, self.last_topic, &self.applications, &self.flow).hash(state);
        (&self.lives, &self.logs, &self.effects, &self.errors).hash(state);
        if !self.transactions.is_empty() {
            self.transactions.hash(state);
        }
    }
}

impl Ledger {
    /// An empty ledger for that world.
    pub fn new(setup: &WorldSetup) -> Ledger {
        let producers = setup.producers.iter().map(|app| app.node);
        let consumers = setup.consumers.iter().map(|app| app.node);
        let processors = setup.processors.iter().map(|app| app.node);
        let ends = setup.producers.iter().map(|app| app.first_record.0.saturating_add(app.records));
        Ledger {
            total: ends.max().unwrap_or(0),
            last_topic: u32::try_from(setup.topics.len()).expect("invariant: topic ids have 32 bits"),
            applications: producers.chain(consumers).chain(processors).collect(),
            flow: Rc::new(Flow::new(setup)),
            lives: Vector::new(),
            logs: SortedMap::new(),
            effects: Vector::new(),
            errors: Vector::new(),
            transactions: SortedMap::new(),
        }
    }

    /// The life of a record, if anything is known of it.
    pub fn life(&self, record: RecordId) -> Option<&Rc<Life>> {
        self.lives.get(record.0 as usize)
    }

    /// All lives, by record.
    pub fn lives(&self) -> impl Iterator<Item = (RecordId, &Rc<Life>)> {
        (0..).map(RecordId).zip(self.lives.iter())
    }

    /// What stands in the log of a partition.
    pub fn log(&self, partition: TopicPartition) -> Option<&Rc<LogPicture>> {
        self.logs.get(&partition)
    }

    /// What stands in the logs, by partition.
    pub fn logs(&self) -> impl Iterator<Item = (TopicPartition, &Rc<LogPicture>)> {
        self.logs.iter().map(|(partition, log)| (*partition, log))
    }

    /// Who reads what, and where ways end.
    pub fn flow(&self) -> &Rc<Flow> {
        &self.flow
    }

    /// The groups of applications that read.
    pub fn readers(&self) -> &[Readers] {
        self.flow.readers()
    }

    /// The errors that applications met, in order.
    pub fn errors(&self) -> &Vector<LedgerError> {
        &self.errors
    }

    /// The first effects in the order in which they happened: (reading, record).
    pub fn effects(&self) -> &Vector<(u16, RecordId)> {
        &self.effects
    }

    /// The story of a record.
    pub fn story(&self, record: RecordId) -> &[StoryStep] {
        self.life(record).map_or(&[], |life| &life.story)
    }

    /// What the transaction of the record that stands there came to.
    pub fn fate(&self, (partition, offset): (TopicPartition, Offset)) -> Fate {
        self.log(partition).map_or(Fate::Plain, |log| log.fate(offset))
    }

    /// In how many places of a topic a record stands for `read_committed`: outside of transactions, or committed.
    pub fn stands(&self, life: &Life, topic: TopicId) -> u32 {
        let holds = |place: &&(TopicPartition, Offset)| place.0.topic == topic && self.fate(**place).holds();
        life.places.iter().filter(holds).count() as u32
    }

    /// Whether a reader that comes now can get a record: it stands, was not deleted with the head of the log, nor compacted away.
    pub fn is_readable(&self, life: &Life, topic: TopicId) -> bool {
        let is_left = |partition: TopicPartition, offset| self.log(partition).is_none_or(|log| offset >= log.start);
        let readable = |place: &(TopicPartition, Offset)| {
            place.0.topic == topic && self.fate(*place).holds() && is_left(place.0, place.1)
        };
        !life.is_superseded() && life.places.iter().any(readable)
    }

    /// Whether a record stands in one topic more than once.
    pub fn is_log_duplicated(&self, life: &Life) -> bool {
        life.places.len() > 1 && life.places.iter().any(|(partition, _)| self.stands(life, partition.topic) > 1)
    }

    /// How often the effect of a record happened: at the end of its ways where it happened least, and most.
    pub fn effects_of(&self, life: &Life) -> (u32, u32) {
        let Some(partition) = life.partition else {
            let in_log = life.places.len() as u32;
            return (in_log, in_log);
        };
        let counts = self.flow.ends(partition.topic).iter().map(|end| match end {
            End::Sink(reading) => life.processed.of(*reading),
            End::Log(topic) => self.stands(life, *topic),
        });
        counts
            .fold(None, |range: Option<(u32, u32)>, count| {
                let (fewest, most) = range.unwrap_or((count, count));
                Some((fewest.min(count), most.max(count)))
            })
            .unwrap_or((0, 0))
    }

    /// Whether a consumer has put it into its dead letter topic.
    pub fn is_dead_lettered(&self, life: &Life) -> bool {
        life.places.iter().any(|(partition, _)| self.flow.is_dead_letter(partition.topic))
    }

    /// Whether a share group's program rejected it, so that nobody waits for its effect.
    pub fn is_rejected(&self, life: &Life) -> bool {
        self.share_ends(life).any(|end| end == ShareEnd::Rejected)
    }

    /// Whether a share group gave it up because it was delivered too often, and nobody has processed it.
    pub fn is_exhausted(&self, life: &Life) -> bool {
        self.share_ends(life).any(|end| end != ShareEnd::Rejected)
    }

    /// Why share groups gave it up that have not processed it.
    fn share_ends<'a>(&self, life: &'a Life) -> impl Iterator<Item = ShareEnd> + 'a {
        let unprocessed = |(reading, _): &&(u16, ShareEnd)| life.processed.of(*reading) == 0;
        life.share_ends().iter().filter(unprocessed).map(|(_, end)| *end)
    }

    /// How often effects happened, everywhere.
    pub fn processed(&self, life: &Life) -> u32 {
        let acts = |reading: u16| self.flow.readers_of(reading).is_some_and(|readers| readers.acts);
        life.processed.iter().filter(|(reading, _)| acts(*reading)).map(|(_, count)| count).sum()
    }
}

/// The generated records of a batch and where they stand.
pub(super) fn records_with_offsets(batch: &RecordBatch) -> impl Iterator<Item = (Offset, RecordId)> + '_ {
    batch.raw_records().filter_map(|record| {
        let record = record.ok()?;
        Some((record.offset, record_id_of(record.value?)?))
    })
}
