//! The requests of transactions: AddPartitionsToTxn (API 24; from brokers since version 4, KIP-890), AddOffsetsToTxn (25),
//! EndTxn (26), WriteTxnMarkers (27), TxnOffsetCommit (28), and what an administrator asks about them: DescribeProducers (61),
//! DescribeTransactions (65), ListTransactions (66).
//!
//! Where a version changes what a request means, the meaning is a field: `transaction_v2` is true for Produce from version 12,
//! EndTxn and TxnOffsetCommit from version 5, which clients use where `transaction.version` is 2 (KIP-890, part 2).

use super::ErrorCode;
use super::coordinator::{OffsetCommitPartition, OffsetCommitResult};
use crate::base::{Duration, Generation, Offset, ProducerEpoch, ProducerId, TopicPartition};
use std::rc::Rc;

/// Are these partitions part of these transactions? If they are not, add them, or only say so.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AddPartitionsToTxnRequest {
    /// One for each transactional id.
    pub transactions: Vec<AddPartitionsToTxn>,
}

/// One transaction of an [`AddPartitionsToTxnRequest`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AddPartitionsToTxn {
    /// Whose.
    pub transactional_id: Rc<str>,
    /// The id it writes with.
    pub producer_id: ProducerId,
    /// And its epoch.
    pub producer_epoch: ProducerEpoch,
    /// Add nothing (transaction version 1, whose producers add the partitions themselves).
    pub verify_only: bool,
    /// Which partitions.
    pub partitions: Vec<TopicPartition>,
}

/// What the coordinator found.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AddPartitionsToTxnResponse {
    /// Of the whole request.
    pub error: ErrorCode,
    /// One for each transactional id.
    pub transactions: Vec<AddPartitionsToTxnResult>,
}

/// One transaction of an [`AddPartitionsToTxnResponse`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AddPartitionsToTxnResult {
    /// Whose.
    pub transactional_id: Rc<str>,
    /// Each partition with `NONE` or why not.
    pub partitions: Vec<(TopicPartition, ErrorCode)>,
}

impl AddPartitionsToTxn {
    /// The same error for all partitions.
    pub fn failed(&self, error: ErrorCode) -> Vec<(TopicPartition, ErrorCode)> {
        self.partitions.iter().map(|partition| (*partition, error)).collect()
    }
}

/// The states of a transaction, by Kafka's numbers (`TransactionState`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TransactionState {
    /// The transactional id has a producer, and no transaction yet.
    Empty = 0,
    /// Partitions were added.
    Ongoing = 1,
    /// It is decided that it holds; markers are being written.
    PrepareCommit = 2,
    /// It is decided that it is undone; markers are being written.
    PrepareAbort = 3,
    /// It holds, and all markers are written.
    CompleteCommit = 4,
    /// It is undone, and all markers are written.
    CompleteAbort = 5,
    /// The transactional id is about to be forgotten.
    Dead = 6,
    /// The epoch is being raised, so that the old producer can do no more; then it will be aborted.
    PrepareEpochFence = 7,
}

impl TransactionState {
    /// All, by number.
    pub const ALL: [TransactionState; 8] = [
        TransactionState::Empty,
        TransactionState::Ongoing,
        TransactionState::PrepareCommit,
        TransactionState::PrepareAbort,
        TransactionState::CompleteCommit,
        TransactionState::CompleteAbort,
        TransactionState::Dead,
        TransactionState::PrepareEpochFence,
    ];

    /// As DescribeTransactions and `kafka-transactions.sh` spell it.
    pub const fn name(self) -> &'static str {
        match self {
            TransactionState::Empty => "Empty",
            TransactionState::Ongoing => "Ongoing",
            TransactionState::PrepareCommit => "PrepareCommit",
            TransactionState::PrepareAbort => "PrepareAbort",
            TransactionState::CompleteCommit => "CompleteCommit",
            TransactionState::CompleteAbort => "CompleteAbort",
            TransactionState::Dead => "Dead",
            TransactionState::PrepareEpochFence => "PrepareEpochFence",
        }
    }

    /// The state with that number.
    pub fn from_id(id: i8) -> Option<TransactionState> {
        Self::ALL.get(usize::try_from(id).ok()?).copied()
    }
}

/// The offsets of this group will be part of the transaction (transaction versions 0 and 1).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AddOffsetsToTxnRequest {
    /// Whose transaction.
    pub transactional_id: Rc<str>,
    /// The id it writes with.
    pub producer_id: ProducerId,
    /// And its epoch.
    pub producer_epoch: ProducerEpoch,
    /// The group.
    pub group: Rc<str>,
}

/// They are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AddOffsetsToTxnResponse {
    /// `NONE` or why not.
    pub error: ErrorCode,
}

/// Let the transaction hold, or undo it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct EndTxnRequest {
    /// Whose transaction.
    pub transactional_id: Rc<str>,
    /// The id it writes with.
    pub producer_id: ProducerId,
    /// And its epoch.
    pub producer_epoch: ProducerEpoch,
    /// Or aborted.
    pub committed: bool,
    /// The end raises the epoch (version 5).
    pub transaction_v2: bool,
}

/// It is decided.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EndTxnResponse {
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// To go on with (version 5), else −1.
    pub producer_id: ProducerId,
    /// To go on with (version 5), else −1.
    pub producer_epoch: ProducerEpoch,
}

/// Write the end of transactions into the logs.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct WriteTxnMarkersRequest {
    /// One for each producer and outcome.
    pub markers: Vec<TxnMarker>,
}

/// One transaction of a [`WriteTxnMarkersRequest`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TxnMarker {
    /// Whose.
    pub producer_id: ProducerId,
    /// The epoch that the marker carries.
    pub producer_epoch: ProducerEpoch,
    /// Or aborted.
    pub committed: bool,
    /// The leader epoch of the coordinator's partition.
    pub coordinator_epoch: i32,
    /// The version of the transaction (KIP-1228, version 2 of the request).
    pub transaction_version: u8,
    /// Where.
    pub partitions: Vec<TopicPartition>,
}

/// They are written.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct WriteTxnMarkersResponse {
    /// One for each marker of the request, in its order.
    pub markers: Vec<TxnMarkerResult>,
}

/// One transaction of a [`WriteTxnMarkersResponse`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TxnMarkerResult {
    /// Whose.
    pub producer_id: ProducerId,
    /// Each partition with `NONE` or why not.
    pub partitions: Vec<(TopicPartition, ErrorCode)>,
}

/// Remember how far a group has read, if the transaction commits.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TxnOffsetCommitRequest {
    /// Whose transaction.
    pub transactional_id: Rc<str>,
    /// The group.
    pub group: Rc<str>,
    /// The id it writes with.
    pub producer_id: ProducerId,
    /// And its epoch.
    pub producer_epoch: ProducerEpoch,
    /// Of the consumer whose offsets these are, −1 if it is no member (KIP-447).
    pub generation: Generation,
    /// Empty likewise.
    pub member_id: Rc<str>,
    /// `group.instance.id`.
    pub instance_id: Option<Rc<str>>,
    /// The broker adds the group's partition to the transaction (version 5).
    pub transaction_v2: bool,
    /// What to remember.
    pub offsets: Vec<OffsetCommitPartition>,
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TxnOffsetCommitResponse {
    /// In the order of the request.
    pub partitions: Vec<OffsetCommitResult>,
}

/// Who writes to these partitions?
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DescribeProducersRequest {
    /// Which.
    pub partitions: Vec<TopicPartition>,
}

/// These.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DescribeProducersResponse {
    /// In the order of the request.
    pub partitions: Vec<DescribeProducersPartition>,
}

/// One partition of a [`DescribeProducersResponse`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DescribeProducersPartition {
    /// Which.
    pub partition: TopicPartition,
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// Those that are not expired.
    pub producers: Vec<ActiveProducer>,
}

/// One producer of a [`DescribeProducersPartition`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ActiveProducer {
    /// Its id.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: ProducerEpoch,
    /// Of its last batch, −1 if none is known.
    pub last_sequence: i32,
    /// When it wrote last, milliseconds, −1 if unknown.
    pub last_timestamp: i64,
    /// The leader epoch of whoever ended its last transaction, −1 if nobody did.
    pub coordinator_epoch: i32,
    /// Where its open transaction begins, −1 if none is open.
    pub current_txn_start_offset: Offset,
}

/// How are these transactions?
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DescribeTransactionsRequest {
    /// Which.
    pub transactional_ids: Vec<Rc<str>>,
}

/// They are like this.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DescribeTransactionsResponse {
    /// In the order of the request.
    pub transactions: Vec<TransactionDescription>,
}

/// One transactional id of a [`DescribeTransactionsResponse`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TransactionDescription {
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// Which.
    pub transactional_id: Rc<str>,
    /// None on error.
    pub state: Option<TransactionState>,
    /// `transaction.timeout.ms` of its producer.
    pub timeout: Duration,
    /// When it began, milliseconds, −1 if none ever did, 0 on error.
    pub start_time: i64,
    /// 0 on error.
    pub producer_id: ProducerId,
    /// 0 on error.
    pub producer_epoch: ProducerEpoch,
    /// What it has written to.
    pub partitions: Vec<TopicPartition>,
}

/// Which transactions are there?
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct ListTransactionsRequest {
    /// Only in these states; all if empty.
    pub states: Vec<Rc<str>>,
    /// Only of these producers; all if empty.
    pub producer_ids: Vec<ProducerId>,
    /// Only those that have run for longer, milliseconds; −1 for all.
    pub duration: i64,
    /// Only ids that match this pattern (KIP-1152); all if none.
    pub id_pattern: Option<Rc<str>>,
}

/// These.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ListTransactionsResponse {
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// Of the states asked for, those that do not exist.
    pub unknown_states: Vec<Rc<str>>,
    /// Id, producer id and state of each.
    pub transactions: Vec<(Rc<str>, ProducerId, TransactionState)>,
}
