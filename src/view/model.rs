//! What eyes see: plain data in Kafka's words, without localised text and without a float.
//!
//! Invariants: times are microseconds since the scenario began; record numbers are the generator's; every section is its
//! own `Rc` and is the *same* `Rc` as before when nothing in it changed, so that a page can skip it by pointer.

use super::{
    AbortedView, CellKind, GroupLane, GroupView, LedgerView, ManagerView, MembershipView, ProcessorView,
    ProducerStateView, ReadFlag, SharePartitionView, SinkView, TransactionView, VerdictView,
};
use serde::Serialize;
use std::rc::Rc;

/// The whole picture at one moment.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ClusterView {
    /// The moment.
    pub time_us: u64,
    /// Events handled so far.
    pub events: u64,
    /// Nothing is left to happen.
    pub finished: bool,
    /// Brokers, controllers, then applications, by id.
    pub nodes: Vec<Rc<NodeView>>,
    /// In flight, or lost a moment ago.
    pub messages: Rc<Vec<Rc<MessageView>>>,
    /// Links that are cut or slow.
    pub links: Rc<Vec<LinkView>>,
    /// One row a record.
    pub ledger: Rc<LedgerView>,
    /// Claim against observation.
    pub verdict: Rc<VerdictView>,
    /// Of each group that shares something: who owned what from the beginning on.
    pub groups: Rc<Vec<GroupLane>>,
}

/// One node.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct NodeView {
    /// Its number: index into [`ClusterView::nodes`].
    pub id: u16,
    /// `broker-0`, `shop`, …
    pub name: Rc<str>,
    /// Alive?
    pub status: NodeStatus,
    /// What is wrong with its machine, if anything.
    pub trouble: Option<Trouble>,
    /// What it is doing now.
    pub doing: Activity,
    /// What it holds.
    pub body: NodeBody,
}

/// Whether a process runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeStatus {
    /// It runs.
    Up,
    /// A broker that runs but may not lead or be in sync.
    Fenced,
    /// It is stopped for a while.
    Paused,
    /// The process died; its log is still readable.
    Crashed,
    /// The process has ended in an orderly way.
    Stopped,
    /// The machine has no power.
    PoweredOff,
}

/// What is wrong with a machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// Its disk takes no more bytes.
    DiskFull,
    /// Its disk is slow.
    DiskSlow,
    /// Its clock is wrong.
    WrongClock,
}

/// By role.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum NodeBody {
    /// A broker.
    Broker(BrokerView),
    /// A controller.
    Controller(ControllerView),
    /// A producer application.
    Producer(ProducerView),
    /// A consumer application, with its sink where that is no node of its own.
    Consumer(ConsumerView),
    /// An application that reads, processes and writes.
    Processor(Box<ProcessorView>),
    /// An external system on which applications act.
    Sink(SinkView),
}

/// What a node does now; the page makes a sentence of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
#[allow(missing_docs)]
pub enum Activity {
    /// Nothing to do yet, or any more.
    Idle,
    /// All its work is done.
    Finished,
    /// The process is dead.
    Dead,
    /// It is stopped.
    Frozen,
    /// A client looks for brokers and leaders.
    WaitingForMetadata,
    /// A producer asks for its producer id.
    WaitingForProducerId,
    /// Records wait in the accumulator.
    Buffering { records: Vec<u32> },
    /// Records are on the wire for the first time.
    WaitingForAck { records: Vec<u32> },
    /// They are on the wire again.
    Retrying { attempt: u32, records: Vec<u32> },
    /// They wait for the next attempt.
    BackingOff { attempt: u32, records: Vec<u32>, until_us: u64 },
    /// A consumer looks for its coordinator and offsets.
    WaitingForCoordinator,
    /// Inside `poll()`: joins its group.
    JoiningGroup,
    /// It waits for records.
    Polling,
    /// Its handler works on a record.
    Processing { record: u32, until_us: u64 },
    /// It waits for a commit.
    Committing,
    /// A newer producer with its transactional id has taken over.
    ProducerFenced,
    /// It is inside `initTransactions()`.
    InitializingTransactions,
    /// Its transaction is open, and nothing is under way.
    InTransaction,
    /// Partitions are being added to its transaction.
    AddingPartitions,
    /// It is inside `sendOffsetsToTransaction()`.
    SendingOffsets,
    /// It is inside `commitTransaction()`, or `abortTransaction()`.
    EndingTransaction { committed: bool },
    /// An exception ended its loop.
    Failed { error: Rc<str> },
    /// It waits for what its sink replies.
    WaitingForSink,
    /// A sink has replies that are yet to leave.
    Replying,
    /// A broker is known but fenced.
    Fenced,
    /// A broker is starting: recovery, registration.
    Starting,
    /// A broker leads and follows so many partitions (internal topics not counted).
    Serving { leads: u32, follows: u32 },
    /// A controller: so many brokers are alive.
    Controlling { alive: u32 },
    /// Does not decide; its role in the quorum.
    Standby { role: &'static str, epoch: i32 },
}

/// A broker.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct BrokerView {
    /// From the registration, −1 if none.
    pub broker_epoch: i64,
    /// How far it has replayed the metadata log.
    pub metadata_offset: i64,
    /// Its replicas: the scenario's topics first, then internal partitions that hold data.
    pub partitions: Vec<Rc<PartitionView>>,
    /// The transactional ids it coordinates.
    pub transactions: Vec<TransactionView>,
    /// The groups it coordinates.
    pub groups: Vec<GroupView>,
    /// What share groups have done with the partitions that it leads.
    pub shares: Vec<SharePartitionView>,
}

/// One replica.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PartitionView {
    /// `orders-0`.
    pub name: Rc<str>,
    /// An internal topic's.
    pub internal: bool,
    /// What this broker believes to be.
    pub role: ReplicaRole,
    /// As this broker knows it.
    pub leader: i32,
    /// As this broker knows it.
    pub leader_epoch: i32,
    /// As this broker knows it.
    pub partition_epoch: i32,
    /// In assignment order.
    pub replicas: Vec<i32>,
    /// Committed by the controller.
    pub isr: Vec<i32>,
    /// Proposed and not yet committed, if any.
    pub pending_isr: Option<Vec<i32>>,
    /// Eligible leader replicas: not in sync, but they have all that is committed (KIP-966).
    pub elr: Vec<i32>,
    /// A reassignment brings these replicas
    pub adding: Vec<i32>,
    /// and takes these away.
    pub removing: Vec<i32>,
    /// First offset.
    pub log_start_offset: i64,
    /// Next offset.
    pub log_end_offset: i64,
    /// HW.
    pub high_watermark: i64,
    /// LSO.
    pub last_stable_offset: i64,
    /// A leader's knowledge of its followers.
    pub followers: Vec<FollowerView>,
    /// The last [`CELLS`](super::CELLS) offsets.
    pub cells: Vec<CellView>,
    /// How far those who read it are; of a leader only.
    pub readers: Vec<ReadFlag>,
    /// Records that were cut off its end a moment ago: (offset, record).
    pub cut: Vec<(i64, u32)>,
    /// Segments on disk.
    pub segments: Vec<SegmentView>,
    /// The leader epoch cache: (epoch, first offset).
    pub epochs: Vec<(i32, i64)>,
    /// Idempotent producers known to this log.
    pub producers: Vec<ProducerStateView>,
    /// Its transaction index: what a read_committed reader leaves out.
    pub aborted: Vec<AbortedView>,
}

/// What a broker is to a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplicaRole {
    /// It leads.
    Leader,
    /// It follows.
    Follower,
    /// Only the files: the process is dead.
    Offline,
}

/// A follower as its leader knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FollowerView {
    /// Which broker.
    pub broker: i32,
    /// Its last fetch offset, −1 if unknown.
    pub log_end_offset: i64,
    /// When it was last caught up, 0 if never.
    pub last_caught_up_us: u64,
    /// Member of the committed ISR.
    pub in_sync: bool,
}

/// One offset of a log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CellView {
    /// Which.
    pub offset: i64,
    /// The generator's number, if it is a generator's record.
    pub record: Option<u32>,
    /// What it is, and what its transaction came to.
    pub kind: CellKind,
    /// Below the high watermark as this replica knows it.
    pub committed: bool,
    /// The record stands in this log at another offset too.
    pub duplicate: bool,
    /// Of its batch.
    pub leader_epoch: i32,
    /// Base offset of its batch.
    pub batch: i64,
}

/// A segment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SegmentView {
    /// Its name in 20 digits is its file.
    pub base_offset: i64,
    /// Of the `.log` file.
    pub bytes: u64,
    /// How many batches.
    pub batches: u32,
    /// Where the first of them begins.
    pub first_batch: Option<i64>,
}

/// A controller.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ControllerView {
    /// End of the metadata log.
    pub metadata_offset: i64,
    /// Brokers: (id, epoch, fenced).
    pub brokers: Vec<(i32, i64, bool)>,
    /// The metadata log's last records, newest last.
    pub records: Rc<[MetadataRecordView]>,
    /// Its place in the quorum.
    pub quorum: QuorumView,
}

/// A record of the metadata log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MetadataRecordView {
    /// Where it stands.
    pub offset: i64,
    /// Of the leader that wrote it.
    pub epoch: i32,
    /// As far as this controller knows.
    pub committed: bool,
    /// Kafka's name for it, and what it says.
    pub text: Rc<str>,
}

/// A controller's place in the quorum.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct QuorumView {
    /// `leader`, `follower`, `candidate`, `prospective`, `unattached`, `resigned`; none while it does not run.
    pub role: Option<&'static str>,
    /// It decides: it leads, and has replayed all that was committed before.
    pub active: bool,
    /// The epoch it is in.
    pub epoch: i32,
    /// The node that leads in that epoch, if it knows.
    pub leader: Option<u16>,
    /// The node that got its vote in that epoch.
    pub voted: Option<u16>,
    /// Before it, all is committed, as far as it knows.
    pub high_watermark: i64,
    /// Where its log begins.
    pub log_start_offset: i64,
    /// Where its log ends.
    pub log_end_offset: i64,
    /// (epoch, start offset) of the epochs in its log.
    pub epochs: Vec<(i32, i64)>,
    /// (end offset, epoch, bytes) of its snapshots.
    pub snapshots: Vec<(i64, i32, u64)>,
    /// What a leader knows of the voters, itself included (DescribeQuorum).
    pub voters: Vec<QuorumReplicaView>,
    /// What a leader knows of the brokers that read the log.
    pub observers: Vec<QuorumReplicaView>,
}

/// A voter or observer, as the leader knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct QuorumReplicaView {
    /// Which node.
    pub node: u16,
    /// Where its log ends, if it has fetched.
    pub log_end_offset: Option<i64>,
    /// How many records it lacks.
    pub lag: Option<i64>,
    /// When it last fetched; none of the leader itself.
    pub last_fetch_us: Option<u64>,
    /// When it last had everything.
    pub last_caught_up_us: Option<u64>,
}

/// A producer application.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ProducerView {
    /// Its topic.
    pub topic: Rc<str>,
    /// A few settings worth seeing: (key, value, differs from Kafka's default).
    pub settings: Vec<(Rc<str>, Rc<str>, bool)>,
    /// In the accumulator: (record, partition).
    pub buffer: Vec<(u32, Rc<str>)>,
    /// On the wire.
    pub in_flight: Vec<InFlightView>,
    /// `max.in.flight.requests.per.connection`.
    pub max_in_flight: u32,
    /// Handed to `send()` so far.
    pub sent: u32,
    /// To be sent in all.
    pub total: u32,
    /// Callbacks with success.
    pub acked: u32,
    /// Callbacks with an exception.
    pub failed: u32,
    /// (id, epoch) of an idempotent producer.
    pub producer_id: Option<(i64, i16)>,
    /// The transaction manager of a transactional one.
    pub manager: Option<ManagerView>,
}

/// A Produce request that awaits its response.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct InFlightView {
    /// To which broker.
    pub to: u16,
    /// The records it carries.
    pub records: Vec<u32>,
    /// From 1.
    pub attempt: u32,
    /// When `request.timeout.ms` ends.
    pub deadline_us: u64,
}

/// A consumer application.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ConsumerView {
    /// `group.id`.
    pub group: Option<Rc<str>>,
    /// That is a share group.
    pub share: bool,
    /// Its place in it, if it is a member.
    pub membership: Option<MembershipView>,
    /// A few settings worth seeing: (key, value, differs from Kafka's default).
    pub settings: Vec<(Rc<str>, Rc<str>, bool)>,
    /// One an assigned partition.
    pub positions: Vec<PositionView>,
    /// Returned by `poll()`, not yet processed.
    pub pending: Vec<u32>,
    /// Handed over to a worker, not yet processed.
    pub worker: Vec<u32>,
    /// The external system behind it, if that is no node of its own.
    pub sink: Option<SinkView>,
}

/// How far a consumer is in a partition.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PositionView {
    /// `orders-0`.
    pub partition: Rc<str>,
    /// Next offset to read; none while it is being looked up.
    pub position: Option<i64>,
    /// Last confirmed commit.
    pub committed: Option<i64>,
    /// Records it could read and has not.
    pub lag: i64,
}

/// A message in flight, or just lost.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MessageView {
    /// Which message of the run; a fault on it names this number.
    pub id: u64,
    /// Sender.
    pub from: u16,
    /// Receiver.
    pub to: u16,
    /// `Produce`, `Fetch`, …
    pub api: &'static str,
    /// A response.
    pub response: bool,
    /// A response's error code, if it has one.
    pub error: Option<&'static str>,
    /// Records it carries or acknowledges.
    pub records: Vec<u32>,
    /// When it left.
    pub sent_us: u64,
    /// When it will arrive, or was lost; none while it hangs.
    pub arrives_us: Option<u64>,
    /// Its fate.
    pub fate: MessageFate,
    /// Replication, heartbeats, metadata and empty fetches.
    pub quiet: bool,
}

/// What becomes of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageFate {
    /// On its way.
    Flying,
    /// It hangs: stalled, or behind a stalled one, or on a cut link.
    Stalled,
    /// It will never arrive.
    Lost,
}

/// A link that is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LinkView {
    /// One end.
    pub a: u16,
    /// The other.
    pub b: u16,
    /// It carries nothing.
    pub cut: bool,
    /// It is slower than configured by this much.
    pub slower_us: u64,
}
