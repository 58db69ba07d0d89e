//! Fetch (API 1): by consumers, by followers, and by brokers that follow the metadata log.

use super::{CurrentLeader, ErrorCode, SnapshotId};
use crate::base::config::IsolationLevel;
use crate::base::{BrokerId, Duration, LeaderEpoch, Offset, ProducerId, TopicPartition};
use crate::record::RecordBatch;
use std::rc::Rc;

/// Read from some partitions.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FetchRequest {
    /// None for a consumer.
    pub replica: Option<FetchReplica>,
    /// How long the broker may hold the request for `min_bytes`.
    pub max_wait: Duration,
    /// Answer at once when this much is there.
    pub min_bytes: u32,
    /// Do not return more, except for one whole first batch.
    pub max_bytes: u32,
    /// Up to the high watermark or the last stable offset; only for consumers.
    pub isolation: IsolationLevel,
    /// Which incremental session (KIP-227).
    pub session: FetchSession,
    /// All partitions of a full fetch; of an incremental one, those that changed.
    pub partitions: Vec<FetchPartition>,
    /// Leave the session.
    pub forgotten: Vec<TopicPartition>,
    /// `client.rack`.
    pub rack: Option<Rc<str>>,
}

/// Which follower fetches.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FetchReplica {
    /// Its broker id.
    pub id: BrokerId,
    /// Its broker epoch, −1 if unknown.
    pub epoch: i64,
}

/// Place in a fetch session. (0, 0) asks for a new one, (0, −1) wants none, (id, −1) closes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FetchSession {
    /// Given by the broker.
    pub id: i32,
    /// Counts the session's requests from 1.
    pub epoch: i32,
}

impl FetchSession {
    /// A full fetch that asks for a session.
    pub const INITIAL: FetchSession = FetchSession { id: 0, epoch: 0 };
    /// A full fetch without a session.
    pub const NONE: FetchSession = FetchSession { id: 0, epoch: -1 };
}

/// One partition's share of a [`FetchRequest`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FetchPartition {
    /// Which.
    pub partition: TopicPartition,
    /// The leader epoch the fetcher knows, −1 for "do not check".
    pub current_leader_epoch: LeaderEpoch,
    /// From where.
    pub fetch_offset: Offset,
    /// Epoch of the last record a follower holds, −1 for consumers.
    pub last_fetched_epoch: LeaderEpoch,
    /// A follower's log start offset, −1 for consumers.
    pub log_start_offset: Offset,
    /// At most this much of this partition.
    pub partition_max_bytes: u32,
    /// Of the metadata log: the high watermark the fetcher knows (KIP-1166), −1 if none; elsewhere −1.
    pub high_watermark: Offset,
}

/// What was read.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct FetchResponse {
    /// Of the session.
    pub error: ErrorCode,
    /// 0 if none was created.
    pub session_id: i32,
    /// All partitions, or in an incremental response those with news.
    pub partitions: Vec<FetchPartitionResponse>,
}

/// One partition's share of a [`FetchResponse`].
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct FetchPartitionResponse {
    /// Which.
    pub partition: TopicPartition,
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// As the leader had it before this fetch moved it.
    pub high_watermark: Offset,
    /// Only for consumers with read_committed, else −1.
    pub last_stable_offset: Offset,
    /// The leader's.
    pub log_start_offset: Offset,
    /// The follower's log went another way: where to cut.
    pub diverging_epoch: Option<EpochEndOffset>,
    /// With an epoch or leadership error: who leads (KIP-951).
    pub current_leader: Option<CurrentLeader>,
    /// Of the metadata log: what the fetcher needs is only in that snapshot (KIP-630).
    pub snapshot_id: Option<SnapshotId>,
    /// Aborted transactions that overlap the records.
    pub aborted_transactions: Vec<AbortedTransaction>,
    /// Read from there instead (KIP-392), −1 for "from the leader".
    pub preferred_read_replica: BrokerId,
    /// Whole batches; the first may begin below the offset asked for.
    pub records: Vec<RecordBatch>,
}

/// The end of an epoch in the leader's log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EpochEndOffset {
    /// −1 if unknown.
    pub epoch: LeaderEpoch,
    /// First offset after the epoch, −1 if unknown.
    pub end_offset: Offset,
}

/// A transaction whose records a read_committed consumer must drop.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AbortedTransaction {
    /// Whose.
    pub producer_id: ProducerId,
    /// Where it began.
    pub first_offset: Offset,
}
