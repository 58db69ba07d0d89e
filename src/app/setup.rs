//! What an application is told at its birth. It never changes afterwards.

use crate::base::config::{ConsumerConfig, ProducerConfig};
use crate::base::{Duration, NodeId, Pattern, RecordId, Time};
use crate::protocol::AcknowledgeType;
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

/// What a consumer does in `onPartitionsRevoked`, before it gives partitions up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OnRevoke {
    /// Nothing.
    Nothing,
    /// `commitSync()`.
    Commit,
    /// Waits until its worker is done with their records, then `commitSync()`.
    Wait,
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
    /// A table of processed ids.
    ProcessedIds,
    /// The offset is stored with the effect, and reading starts from there.
    OffsetWithOutput,
}

/// Whether a sink writes its own bookkeeping (an id, an offset) together with the effect.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Writes {
    /// In one transaction.
    Together,
    /// First the effect: a crash in between repeats it.
    EffectFirst,
    /// First the bookkeeping: a crash in between loses the effect.
    IdentityFirst,
}

/// What keeps a member that was thrown out of its group from writing, with [`Dedupe::OffsetWithOutput`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fencing {
    /// Nothing: whoever comes last is believed, and the stored offset goes back.
    None,
    /// What is below the stored offset is refused: each record has its effect once, but who writes it nobody knows.
    Offset,
    /// And who writes for an older generation than the sink has heard of is refused altogether.
    Generation,
}

/// The external system on which an application acts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SinkSetup {
    /// How it recognises repetitions.
    pub dedupe: Dedupe,
    /// Of a store of processed ids: how many it remembers.
    pub window_records: Option<u32>,
    /// Of a store of processed ids: for how long.
    pub window: Option<Duration>,
    /// Of a store of processed ids or offsets. (A unique key or a version is part of the row itself.)
    pub writes: Writes,
    /// Of stored offsets.
    pub fencing: Fencing,
    /// How long a reply takes.
    pub latency: Duration,
    /// How long an application waits for one.
    pub timeout: Duration,
    /// Every how-manieth request it refuses; 0 for none.
    pub fail_every: u32,
    /// The reply to every how-manieth request gets lost; 0 for none.
    pub lose_reply_every: u32,
    /// Every how-manieth record it never takes; 0 for none.
    pub poison_every: u32,
}

impl From<Dedupe> for SinkSetup {
    fn from(dedupe: Dedupe) -> Self {
        SinkSetup {
            dedupe,
            window_records: None,
            window: None,
            writes: Writes::Together,
            fencing: Fencing::Offset,
            latency: Duration(0),
            timeout: SinkSetup::TIMEOUT,
            fail_every: 0,
            lose_reply_every: 0,
            poison_every: 0,
        }
    }
}

impl SinkSetup {
    /// How long applications wait for a reply if nothing else is said.
    pub const TIMEOUT: Duration = Duration(1_000_000);

    /// Nothing can be told of it but what happened: then it needs no node of its own.
    pub fn is_plain(&self) -> bool {
        *self == SinkSetup::from(Dedupe::None)
    }

    /// How it really writes: only what is kept apart from the effect can be written apart.
    pub fn writes(&self) -> Writes {
        match self.dedupe {
            Dedupe::ProcessedIds | Dedupe::OffsetWithOutput => self.writes,
            Dedupe::None | Dedupe::UniqueKey | Dedupe::Version => Writes::Together,
        }
    }

    /// Whether processed ids are kept apart from the effects, or forgotten.
    pub fn has_store(&self) -> bool {
        let plain = self.window_records.is_none() && self.window.is_none() && self.writes == Writes::Together;
        self.dedupe == Dedupe::ProcessedIds && !plain
    }
}

/// A sink that only recognises repetitions hashes as it always did.
impl Hash for SinkSetup {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.dedupe.hash(state);
        if *self != SinkSetup::from(self.dedupe) {
            (self.window_records, self.window, self.writes, self.fencing, self.latency, self.timeout).hash(state);
            (self.fail_every, self.lose_reply_every, self.poison_every).hash(state);
        }
    }
}

/// What a share consumer says of a record whose handler threw (with explicit acknowledgement).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refusal {
    /// `RELEASE`: somebody shall try again, until it has been delivered too often.
    Release,
    /// `REJECT`: nobody shall.
    Reject,
}

impl Refusal {
    /// As the acknowledgement has it.
    pub const fn acknowledges(self) -> AcknowledgeType {
        match self {
            Refusal::Release => AcknowledgeType::Release,
            Refusal::Reject => AcknowledgeType::Reject,
        }
    }
}

/// An external system with a node of its own.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct SinkNodeSetup {
    /// Where it runs.
    pub node: NodeId,
    /// Its name.
    pub name: Rc<str>,
    /// What it does.
    pub sink: SinkSetup,
}

/// What a program does with a record whose handler threw.
#[derive(Clone, PartialEq, Hash, Debug, Default)]
pub struct OnFailure {
    /// How often it tries again in place.
    pub retries: u32,
    /// How long it waits before each of these.
    pub backoff: Duration,
    /// Where it sends the record then, once.
    pub retry_topic: Option<Rc<str>>,
    /// Where it sends the record then. Without a topic the exception ends the loop.
    pub dead_letter_topic: Option<Rc<str>>,
    /// Settings of the client that sends; one with either topic.
    pub producer: Option<ProducerConfig>,
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
    /// It subscribes to all topics whose name matches this, instead of naming them.
    pub pattern: Option<Pattern>,
    /// It assigns all their partitions to itself, instead of being a member of its group.
    pub assign: bool,
    /// How long one record takes.
    pub processing: Duration,
    /// When it commits.
    pub commit: CommitMode,
    /// Who processes.
    pub hand_over: HandOver,
    /// What its rebalance listener does.
    pub on_revoke: OnRevoke,
    /// The handler gets all that `poll()` returned at once, and makes one request to the sink of it. (Not for a worker.)
    pub batch: bool,
    /// Where its effects happen.
    pub sink: SinkSetup,
    /// The node that does it; none: they happen in the program itself, at once.
    pub sink_node: Option<NodeId>,
    /// When its handler throws.
    pub on_failure: OnFailure,
    /// It is a share consumer, and this becomes of records that it cannot handle.
    pub share: Option<Refusal>,
    /// How often it locks anew what it works on; none: never. (Of a share consumer that acknowledges explicitly.)
    pub renew_every: Option<Duration>,
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
        (self.commit, self.hand_over, self.sink, &self.config, &self.brokers).hash(state);
        if self.start.is_some() {
            self.start.hash(state);
        }
        if self.assign {
            self.assign.hash(state);
        }
        if self.batch || self.on_failure != OnFailure::default() {
            (self.batch, &self.on_failure).hash(state);
        }
        if let Some(pattern) = &self.pattern {
            pattern.hash(state);
        }
        if self.share.is_some() {
            self.share.hash(state);
        }
        if self.renew_every.is_some() {
            self.renew_every.hash(state);
        }
        if let Some(node) = self.sink_node {
            node.hash(state);
        }
        if self.on_revoke != OnRevoke::Nothing {
            self.on_revoke.hash(state);
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
#[derive(Clone, PartialEq, Debug)]
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
    /// The external system that it acts on, if there is one.
    pub sink: Option<SinkSetup>,
    /// The node that is it; none: what happens there happens in the program itself, at once.
    pub sink_node: Option<NodeId>,
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

/// As for [`ProducerAppSetup`].
impl Hash for ProcessorAppSetup {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.node, &self.name, &self.group, &self.from, self.assign, &self.to).hash(state);
        (self.processing, self.offsets, self.sink).hash(state);
        (&self.producer, &self.consumer, self.transaction_version, self.start, &self.brokers).hash(state);
        if let Some(node) = self.sink_node {
            node.hash(state);
        }
    }
}

impl ProcessorAppSetup {
    /// Whether it writes in transactions.
    pub fn is_transactional(&self) -> bool {
        self.producer.transactional_id.is_some()
    }
}
