//! What an application is told at its birth. It never changes afterwards.

use crate::base::config::{ConsumerConfig, ProducerConfig};
use crate::base::{Duration, NodeId, RecordId, Time};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// Which keys generated records get.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyMode {
    /// None: the partitioner decides.
    None,
    /// Its own for each: the record's number.
    Unique,
    /// One of so many entities in turn, `entity-<number mod n>`: records of an entity share a partition.
    Entities(u32),
}

/// What a program sends again when it starts anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resend {
    /// Nothing: what its client held at the crash is gone.
    Never,
    /// All that it has not seen an ack for. It cannot know whether that is stored.
    Unacknowledged,
}

/// Adds nothing for a program that does not, so that it has the state hash that it always had.
impl Hash for Resend {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if *self == Resend::Unacknowledged {
            state.write_u8(1);
        }
    }
}

/// How a program that sends uses transactions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TransactionPlan {
    /// How many records a transaction has; the last one of a run may have fewer.
    pub records: u32,
    /// Every how-manieth transaction is aborted on purpose; 0 for none.
    pub abort_every: u32,
    /// `transaction.version` of the cluster: 0, 1 or 2. (Kafka's clients learn it from ApiVersions.)
    pub version: u8,
}

/// A program that sends numbered records at a steady pace.
#[derive(Clone, PartialEq, Debug)]
pub struct ProducerAppSetup {
    /// Where it runs.
    pub node: NodeId,
    /// Its name, also the first half of every value it sends.
    pub name: Rc<str>,
    /// Where to.
    pub topic: Rc<str>,
    /// How many.
    pub records: u32,
    /// The number of the first; the others follow it.
    pub first_record: RecordId,
    /// The pause between two.
    pub interval: Duration,
    /// Their keys.
    pub key: KeyMode,
    /// Pads values to this many bytes.
    pub value_size: Option<u32>,
    /// After a restart.
    pub resend: Resend,
    /// Settings of its Kafka client.
    pub config: ProducerConfig,
    /// How it uses transactions; none without `transactional.id`.
    pub transactions: Option<TransactionPlan>,
    /// When it starts, if not when the scenario does.
    pub start: Option<Time>,
    /// Bootstrap servers.
    pub brokers: Rc<[NodeId]>,
}

/// What came later (transactions, a start of its own) counts only where it is used, so that older runs keep their hashes.
impl Hash for ProducerAppSetup {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.node, &self.name, &self.topic, self.records, self.first_record).hash(state);
        (self.interval, self.key, self.value_size, &self.config, &self.brokers).hash(state);
        self.resend.hash(state);
        if self.transactions.is_some() || self.start.is_some() {
            (self.transactions, self.start).hash(state);
        }
    }
}

/// When a consumer commits what it read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CommitMode {
    /// `commitSync()` as soon as `poll()` returned, then process: at most once.
    Before,
    /// Process all that `poll()` returned, then `commitSync()`: at least once.
    AfterSync,
    /// Process all that `poll()` returned, then `commitAsync()` and poll on.
    AfterAsync,
    /// No commit of its own: `enable.auto.commit` does it inside `poll()`.
    Auto,
}

/// Who processes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HandOver {
    /// The thread that polls.
    Inline,
    /// Another thread, through a queue in memory; the poll loop goes on at once. To the loop, "processed" means "queued".
    Worker,
}

/// How the sink recognises an effect that happened already.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Dedupe {
    /// It does not.
    None,
    /// A unique constraint on the record's identity.
    UniqueKey,
    /// Each entity stores the version it was last written with; an older or equal one is refused.
    Version,
    /// A table of processed ids, written in one transaction with the effect.
    ProcessedIds,
    /// The offset is stored in one transaction with the effect, and reading starts from there.
    OffsetWithOutput,
}

/// A program that polls, processes and commits.
#[derive(Clone, PartialEq, Debug)]
pub struct ConsumerAppSetup {
    /// Where it runs.
    pub node: NodeId,
    /// Its name.
    pub name: Rc<str>,
    /// `group.id`; without one nothing is committed.
    pub group: Option<Rc<str>>,
    /// What it reads.
    pub topics: Vec<Rc<str>>,
    /// It assigns all their partitions to itself, instead of being a member of its group.
    pub assign: bool,
    /// How long one record takes.
    pub processing: Duration,
    /// When it commits.
    pub commit: CommitMode,
    /// Who processes.
    pub hand_over: HandOver,
    /// How its sink recognises repetitions.
    pub dedupe: Dedupe,
    /// Settings of its Kafka client.
    pub config: ConsumerConfig,
    /// When it starts, if not while the cluster boots.
    pub start: Option<Time>,
    /// Bootstrap servers.
    pub brokers: Rc<[NodeId]>,
}

/// As for [`ProducerAppSetup`].
impl Hash for ConsumerAppSetup {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.node, &self.name, &self.group, &self.topics, self.processing).hash(state);
        (self.commit, self.hand_over, self.dedupe, &self.config, &self.brokers).hash(state);
        if self.start.is_some() {
            self.start.hash(state);
        }
        if self.assign {
            self.assign.hash(state);
        }
    }
}

/// When a processor commits the offsets of what it read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OffsetsMode {
    /// As part of the transaction that writes the output: `sendOffsetsToTransaction()`.
    Transaction,
    /// `commitSync()` after the transaction, or after the output was acknowledged.
    After,
    /// `commitSync()` before anything is processed.
    Before,
}

/// A program that reads, processes, and writes what came of it to other topics.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct ProcessorAppSetup {
    /// Where it runs.
    pub node: NodeId,
    /// Its name, also the first half of every value it sends.
    pub name: Rc<str>,
    /// `group.id`.
    pub group: Rc<str>,
    /// What it reads.
    pub from: Vec<Rc<str>>,
    /// It assigns all their partitions to itself, instead of being a member of its group.
    pub assign: bool,
    /// One record goes to each of them for every record read.
    pub to: Vec<Rc<str>>,
    /// How long one record takes.
    pub processing: Duration,
    /// When offsets are committed.
    pub offsets: OffsetsMode,
    /// The external system that it acts on, if there is one: how that recognises repetitions.
    pub sink: Option<Dedupe>,
    /// Settings of its Kafka clients.
    pub producer: ProducerConfig,
    /// Settings of its Kafka clients.
    pub consumer: ConsumerConfig,
    /// `transaction.version` of the cluster: 0, 1 or 2.
    pub transaction_version: u8,
    /// When it starts, if not while the cluster boots.
    pub start: Option<Time>,
    /// Bootstrap servers.
    pub brokers: Rc<[NodeId]>,
}

impl ProcessorAppSetup {
    /// Whether it writes in transactions.
    pub fn is_transactional(&self) -> bool {
        self.producer.transactional_id.is_some()
    }
}
