//! Observations: what happened, in Kafka's words. The ledger, the timeline and the checkers are made of them, and a
//! fault can wait for one. Nothing in the engine acts on them.

use super::{ConnectionId, MessageId};
use crate::base::{
    BrokerId, Duration, Generation, LeaderEpoch, NodeId, Offset, ProducerEpoch, ProducerId, RecordId, Time,
    TopicPartition,
};
use crate::protocol::{AcknowledgeType, AcquiredRecords, ApiKey, ErrorCode, GroupState, StateBatch, TransactionState};
use crate::record::RecordBatch;
use std::rc::Rc;

/// Why a client gave up, or what it met on the way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ClientError {
    /// A broker said so.
    Broker(ErrorCode),
    /// `TimeoutException`: `delivery.timeout.ms`, `max.block.ms` or `default.api.timeout.ms` passed.
    Timeout,
    /// The client itself refused; Kafka's exception and message.
    Exception(Rc<str>),
}

impl ClientError {
    /// The name shown and reported: an error code's, or `REQUEST_TIMED_OUT` for a timeout.
    pub fn name(&self) -> &str {
        match self {
            ClientError::Broker(code) => code.name(),
            ClientError::Timeout => ErrorCode::RequestTimedOut.name(),
            ClientError::Exception(text) => text,
        }
    }
}

/// Something that happened at a node (or, for the last group, to it).
#[derive(Clone, PartialEq, Hash, Debug)]
#[allow(missing_docs)] // fields: partition, offset, record and the like say it themselves
pub enum Event {
    // ---- producers ----
    /// `send()` took the record into the accumulator.
    Sent { record: RecordId, partition: TopicPartition },
    /// The sender put these records on the wire, for the `attempt`th time (from 1).
    BatchSent { partition: TopicPartition, to: BrokerId, attempt: u32, base_sequence: i32, records: Rc<[RecordId]> },
    /// The callback reported success; offset −1 with acks=0.
    Acked { record: RecordId, partition: TopicPartition, offset: Offset },
    /// The callback reported an exception.
    SendFailed { record: RecordId, partition: Option<TopicPartition>, error: ClientError },
    /// A batch goes back into the queue.
    Retry { partition: TopicPartition, error: ErrorCode, records: Rc<[RecordId]>, at: Time },

    // ---- consumers ----
    /// `poll()` returned the record.
    Delivered { record: RecordId, partition: TopicPartition, offset: Offset },
    /// The application's handler began.
    Processing { record: RecordId, partition: TopicPartition, offset: Offset },
    /// The effect happened in the sink, as that application had asked: the same node, unless the sink is one of its own.
    Processed { record: RecordId, partition: TopicPartition, offset: Offset, by: NodeId },
    /// The coordinator confirmed a commit.
    OffsetsCommitted { partition: TopicPartition, offset: Offset },
    /// Where reading starts, and why.
    PositionSet { partition: TopicPartition, offset: Offset, from_commit: bool },
    /// `poll()` or `commitSync()` threw this at the application.
    ConsumerFailed { error: ClientError },

    // ---- any client, and brokers as clients ----
    /// A response carried an error, or a request timed out (`REQUEST_TIMED_OUT`), or its connection broke
    /// (`NETWORK_EXCEPTION`).
    RequestFailed { api: ApiKey, peer: NodeId, error: ErrorCode },

    // ---- brokers ----
    /// A batch was appended to this broker's log.
    Appended { partition: TopicPartition, leader: bool, batch: RecordBatch },
    /// An idempotent batch was there already; answered with the old offsets.
    DuplicateIgnored { partition: TopicPartition, base_offset: Offset, batch: RecordBatch },
    /// The high watermark moved.
    HighWatermark { partition: TopicPartition, leader: bool, offset: Offset },
    /// The broker leads from here on.
    BecameLeader { partition: TopicPartition, leader_epoch: LeaderEpoch, log_end_offset: Offset, isr: Rc<[BrokerId]> },
    /// The broker follows from here on.
    BecameFollower { partition: TopicPartition, leader_epoch: LeaderEpoch, leader: BrokerId },
    /// The end of the log was cut off, with these records at these offsets.
    Truncated { partition: TopicPartition, from: Offset, to: Offset, records: Rc<[(Offset, RecordId)]> },
    /// The log begins later: old segments went, records were deleted, or (a follower) the leader's log begins there.
    LogStartMoved { partition: TopicPartition, leader: bool, offset: Offset },
    /// The cleaner went over the log up to there, and made it so many bytes smaller.
    Compacted { partition: TopicPartition, to: Offset, bytes: u64 },
    /// The leader learned that the controller committed this ISR.
    IsrChanged { partition: TopicPartition, isr: Rc<[BrokerId]>, partition_epoch: i32 },
    /// The leader asks the controller for this ISR.
    IsrProposed { partition: TopicPartition, isr: Rc<[BrokerId]> },
    /// The disk failed a write: the log directory is offline, and since there is no other the broker halts
    /// (`LogDirFailureChannel`).
    LogDirFailed,
    /// A write was refused or failed after the append.
    ProduceRefused { partition: TopicPartition, error: ErrorCode },
    /// After a start: what recovery found; `lost` bytes were cut from the tail.
    LogRecovered { partition: TopicPartition, log_end_offset: Offset, lost_bytes: u64 },

    // ---- the controller ----
    /// A broker is fenced: its session ended, or it came back anew.
    BrokerFenced { broker: BrokerId },
    /// A broker is alive.
    BrokerUnfenced { broker: BrokerId },
    /// The controller wrote a new state of a partition.
    PartitionChanged {
        partition: TopicPartition,
        leader: BrokerId,
        leader_epoch: LeaderEpoch,
        isr: Rc<[BrokerId]>,
        partition_epoch: i32,
        unclean: bool,
    },

    // ---- the quorum of controllers ----
    /// A controller's part in the quorum changed. (Its high watermark and truncations are told as those of a partition.)
    QuorumChanged { role: QuorumRole, epoch: LeaderEpoch, leader: Option<NodeId> },
    /// It has replayed all that was committed before its epoch, and decides from now on.
    ControllerActive { epoch: LeaderEpoch },

    // ---- the world ----
    /// A message left.
    MessageSent { message: MessageId, to: NodeId, connection: ConnectionId, summary: Rc<MessageSummary> },
    /// It arrived.
    MessageDelivered { message: MessageId },
    /// It never will.
    MessageLost { message: MessageId },
    /// A connection broke.
    Disconnected { peer: NodeId, connection: ConnectionId },
    /// A fault or another input took effect.
    Fault(FaultMark),
    /// The process started.
    Started,

    // ---- transactional producers ----
    /// `initTransactions()` returned.
    TransactionsInitialized { transactional_id: Rc<str>, producer_id: ProducerId, producer_epoch: ProducerEpoch },
    /// `beginTransaction()` returned.
    TransactionBegun { transactional_id: Rc<str>, producer_id: ProducerId, producer_epoch: ProducerEpoch },
    /// `commitTransaction()` or `abortTransaction()` was called.
    TransactionEnding { transactional_id: Rc<str>, committed: bool },
    /// It returned. The producer goes on with this id and epoch.
    TransactionEnded {
        transactional_id: Rc<str>,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        committed: bool,
    },
    /// A call of a transactional producer threw this at the application (`ProducerFencedException` among others).
    ProducerFailed { error: ClientError },

    /// `sendOffsetsToTransaction()` returned.
    OffsetsSent { group: Rc<str>, offsets: Rc<[(TopicPartition, Offset)]> },

    // ---- transaction coordinators ----
    /// A transactional id's new state is committed in `__transaction_state`.
    TransactionChanged {
        transactional_id: Rc<str>,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        state: TransactionState,
        partitions: Rc<[TopicPartition]>,
    },
    /// The same of a transactional id that was forgotten.
    TransactionalIdExpired { transactional_id: Rc<str> },

    // ---- members of a group ----
    /// The coordinator took the consumer into a generation (classic) or to an epoch (consumer protocol).
    GroupJoined { group: Rc<str>, generation: Generation, member_id: Rc<str> },
    /// These partitions are the member's from here on, besides those it kept (`onPartitionsAssigned`); perhaps none.
    PartitionsAssigned { partitions: Rc<[TopicPartition]> },
    /// It gave these up (`onPartitionsRevoked`): nobody else has them yet, so it could still commit.
    PartitionsRevoked { partitions: Rc<[TopicPartition]> },
    /// It was thrown out of its group (`onPartitionsLost`): others may have these already.
    PartitionsLost { partitions: Rc<[TopicPartition]> },
    /// It told the coordinator that it leaves, and why.
    MemberLeft { group: Rc<str>, reason: &'static str },

    // ---- handlers of consumers ----
    /// A record's handler threw an exception.
    HandlerFailed { record: RecordId, partition: TopicPartition, offset: Offset, error: ClientError },
    /// A share consumer's program said of a record what became of it (`acknowledge()`); the leader hears it later.
    Acknowledged { record: RecordId, partition: TopicPartition, offset: Offset, kind: AcknowledgeType },

    // ---- group coordinators ----
    /// A group's state, or its generation (classic) or epoch (the newer protocols), is another one.
    GroupChanged { group: Rc<str>, state: GroupState, epoch: Generation },
    /// The coordinator has one more member.
    MemberJoined { group: Rc<str>, member_id: Rc<str> },
    /// The coordinator has one less.
    MemberRemoved { group: Rc<str>, member_id: Rc<str>, reason: RemovalReason },

    // ---- share groups, on the leaders of partitions ----
    /// A member of a share group was given records, which are locked for it.
    RecordsAcquired { group: Rc<str>, member_id: Rc<str>, partition: TopicPartition, records: Rc<[AcquiredRecords]> },
    /// What became of acquired records (acknowledged, archived, or available again) is written by the share coordinator.
    RecordsAcknowledged { group: Rc<str>, partition: TopicPartition, batches: Rc<[StateBatch]> },
    /// Locks ended before their records were acknowledged: these are available to others, or archived.
    AcquisitionLockExpired { group: Rc<str>, partition: TopicPartition, batches: Rc<[StateBatch]> },
    /// The leader has read from the share coordinator what a share group has done with a partition: it begins there, and
    /// nothing is locked.
    SharePartitionLoaded { group: Rc<str>, partition: TopicPartition, start_offset: Offset },

    // ---- sinks ----
    /// It recognised a repetition (or an older version) in what that application asked for: no effect.
    SinkRefused { record: RecordId, partition: TopicPartition, offset: Offset, by: NodeId },
}

/// Why a group's coordinator removes a member.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RemovalReason {
    /// It said that it leaves, or an administrator said so.
    Left,
    /// It was silent for longer than its session timeout.
    SessionTimeout,
    /// It did not join again, sync, or give up its partitions within its rebalance timeout.
    RebalanceTimeout,
    /// Its instance (`group.instance.id`) came back as another member.
    Replaced,
    /// The group was full when it wanted to join again.
    GroupFull,
}

/// What a controller is in its quorum (KIP-595, KIP-996).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum QuorumRole {
    /// It knows no leader, and perhaps has voted.
    Unattached,
    /// It asks whether it would be elected.
    Prospective,
    /// It asks for votes in a new epoch.
    Candidate,
    /// It was elected.
    Leader,
    /// It reads the leader's log.
    Follower,
    /// It led, and tells the others that it does no more.
    Resigned,
}

impl QuorumRole {
    /// As `kafka-metadata-quorum` and the metrics spell it.
    pub const fn name(self) -> &'static str {
        match self {
            QuorumRole::Unattached => "unattached",
            QuorumRole::Prospective => "prospective",
            QuorumRole::Candidate => "candidate",
            QuorumRole::Leader => "leader",
            QuorumRole::Follower => "follower",
            QuorumRole::Resigned => "resigned",
        }
    }
}

/// What a timeline says of a message.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MessageSummary {
    /// Which API.
    pub api: ApiKey,
    /// Response or request.
    pub response: bool,
    /// Of a response.
    pub error: ErrorCode,
    /// Correlation with its counterpart: the request's message, for a response.
    pub answers: Option<MessageId>,
    /// The records it carries, or (a Produce response) acknowledges.
    pub records: Rc<[RecordId]>,
    /// Replication, heartbeats, empty fetches and metadata: quiet until asked for.
    pub quiet: bool,
}

/// A fault that took effect.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum FaultMark {
    /// The process died.
    Crashed,
    /// The process was asked to stop.
    ShuttingDown,
    /// It has stopped in an orderly way.
    Stopped,
    /// An administrator asks for something.
    Asked(ApiKey),
    /// The machine lost power.
    PowerLost,
    /// It stopped for a while (GC pause, SIGSTOP).
    Paused,
    /// It goes on.
    Resumed,
    /// The link to that node carries nothing.
    LinkCut(NodeId),
    /// It does again.
    LinkHealed(NodeId),
    /// The connection broke with this message on it.
    Reset(MessageId),
    /// This message, and all behind it, hangs.
    Stalled(MessageId),
    /// This message arrives later.
    Delayed(MessageId),
    /// The link to that node (all links, if none) became slower.
    Slowed(Option<NodeId>),
    /// The clock was moved by so many milliseconds.
    ClockSkewed(i64),
    /// Bytes on the disk were changed.
    Corrupted(TopicPartition),
    /// Whatever touches the disk takes this much longer.
    DiskSlowed(Duration),
    /// The disk takes no more bytes.
    DiskFull,
    /// The disk works again as it should: there is room, and it is no slower than before.
    DiskFreed,
}
