//! What controllers of a quorum say to each other: Vote (API 52), BeginQuorumEpoch (53), EndQuorumEpoch (54), and
//! FetchSnapshot (59), which brokers send too. The log itself is read with Fetch.

use super::{CurrentLeader, ErrorCode};
use crate::base::{BrokerId, LeaderEpoch, Offset};
use bytes::Bytes;

/// A controller asks for a vote, or whether it would get one (KIP-996).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct VoteRequest {
    /// Who would lead.
    pub replica: BrokerId,
    /// In which epoch; of a pre-vote the epoch it is in.
    pub replica_epoch: LeaderEpoch,
    /// Whose vote.
    pub voter: BrokerId,
    /// The epoch of the last record of the replica's log.
    pub last_offset_epoch: LeaderEpoch,
    /// Where that log ends.
    pub last_offset: Offset,
    /// Nothing is promised and no epoch begins.
    pub pre_vote: bool,
}

/// The vote.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct VoteResponse {
    /// `NONE`, `FENCED_LEADER_EPOCH`, `INVALID_REQUEST`, `INVALID_VOTER_KEY`.
    pub error: ErrorCode,
    /// Who leads in the voter's epoch, as far as it knows.
    pub current_leader: CurrentLeader,
    /// Whether the vote is given.
    pub vote_granted: bool,
}

/// I lead.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BeginQuorumEpochRequest {
    /// Who.
    pub leader: BrokerId,
    /// Since which epoch.
    pub leader_epoch: LeaderEpoch,
    /// Who is told.
    pub voter: BrokerId,
}

/// So be it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BeginQuorumEpochResponse {
    /// `NONE`, `FENCED_LEADER_EPOCH`, `INVALID_VOTER_KEY`.
    pub error: ErrorCode,
    /// Who leads in the voter's epoch.
    pub current_leader: CurrentLeader,
}

/// I lead no more.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct EndQuorumEpochRequest {
    /// Who led.
    pub leader: BrokerId,
    /// In which epoch.
    pub leader_epoch: LeaderEpoch,
    /// Who should try first: those whose logs are longest.
    pub preferred_candidates: Vec<BrokerId>,
}

/// Understood.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EndQuorumEpochResponse {
    /// `NONE`, `FENCED_LEADER_EPOCH`.
    pub error: ErrorCode,
    /// Who leads in the voter's epoch.
    pub current_leader: CurrentLeader,
}

/// Which snapshot: all records before an offset. Ordered as Kafka orders them, by epoch first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SnapshotId {
    /// The epoch of the last record in it.
    pub epoch: LeaderEpoch,
    /// The offset of the first record that is not in it.
    pub end_offset: Offset,
}

/// A piece of a snapshot is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FetchSnapshotRequest {
    /// By whom.
    pub replica: BrokerId,
    /// The leader epoch it knows.
    pub current_leader_epoch: LeaderEpoch,
    /// Of which snapshot.
    pub snapshot: SnapshotId,
    /// From which byte on.
    pub position: u64,
    /// At most so many.
    pub max_bytes: u32,
}

/// A piece of a snapshot.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FetchSnapshotResponse {
    /// `NONE`, `SNAPSHOT_NOT_FOUND`, `POSITION_OUT_OF_RANGE`, or one of Fetch's.
    pub error: ErrorCode,
    /// Who leads.
    pub current_leader: CurrentLeader,
    /// Of which snapshot.
    pub snapshot: SnapshotId,
    /// How large the whole of it is.
    pub size: u64,
    /// Where the piece begins.
    pub position: u64,
    /// The piece.
    pub bytes: Bytes,
}
