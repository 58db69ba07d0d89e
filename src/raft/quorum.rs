//! The state a voter is in. Legal transitions:
//!
//! ```text
//! Unattached ──► Prospective ──► Candidate ──► Leader ──► Resigned ──► Unattached (next epoch)
//!     ▲  │            │  │            │
//!     │  └► Follower ◄┘  └► Unattached└► Prospective        and from anywhere, on a higher epoch:
//!     │         └─────────► Prospective                     Unattached, or Follower if its leader is known
//! ```
//! A voter whose log says nothing of a leader waits for an election timeout; one that follows waits for a fetch timeout.
//!
//! Invariants: the epoch never falls; within an epoch a known leader stays known and a vote stays given; nobody follows
//! itself. In Kafka: `QuorumState` and its states.

use super::election::EpochElection;
use super::leader::LeaderState;
use crate::base::{LeaderEpoch, NodeId, Time};
use crate::node::QuorumRole;
use crate::protocol::SnapshotId;

/// The file `quorum-state`: written and forced to disk before anybody hears of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ElectionState {
    /// The current epoch.
    pub epoch: LeaderEpoch,
    /// Who was elected in it, if known.
    pub leader: Option<NodeId>,
    /// Who got this voter's vote in it.
    pub voted: Option<NodeId>,
}

/// What dies with the process.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum State {
    Unattached { election_at: Time },
    Prospective { election: EpochElection, election_at: Time },
    Candidate { election: EpochElection, election_at: Time },
    Follower(Follower),
    Leader(LeaderState),
    Resigned { election_at: Time, unacknowledged: Vec<NodeId>, successors: Vec<NodeId> },
}

/// A follower's own.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Follower {
    /// It calls an election then, unless it hears from the leader.
    pub fetch_at: Time,
    /// It has heard from the leader, and so lets nobody call an election (KIP-996).
    pub has_fetched: bool,
    pub snapshot: Option<FetchingSnapshot>,
}

/// A snapshot on its way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct FetchingSnapshot {
    pub id: SnapshotId,
    pub bytes: Vec<u8>,
}

impl State {
    pub fn role(&self) -> QuorumRole {
        match self {
            State::Unattached { .. } => QuorumRole::Unattached,
            State::Prospective { .. } => QuorumRole::Prospective,
            State::Candidate { .. } => QuorumRole::Candidate,
            State::Follower(_) => QuorumRole::Follower,
            State::Leader(_) => QuorumRole::Leader,
            State::Resigned { .. } => QuorumRole::Resigned,
        }
    }

    /// A running election timeout is kept when a new epoch makes this state an unattached one.
    pub fn running_election_timeout(&self) -> Option<Time> {
        match self {
            State::Prospective { election, .. } if election.is_rejected() => None,
            State::Unattached { election_at }
            | State::Prospective { election_at, .. }
            | State::Candidate { election_at, .. }
            | State::Resigned { election_at, .. } => Some(*election_at),
            State::Follower(_) | State::Leader(_) => None,
        }
    }

    /// Whether it votes for `candidate`, or would (`pre_vote`).
    pub fn can_grant_vote(
        &self,
        known: &ElectionState,
        candidate: NodeId,
        is_log_up_to_date: bool,
        pre_vote: bool,
    ) -> bool {
        match self {
            State::Unattached { .. } | State::Prospective { .. } if pre_vote => is_log_up_to_date,
            State::Unattached { .. } | State::Prospective { .. } => match (known.voted, known.leader) {
                (Some(voted), _) => voted == candidate,
                (None, Some(_)) => false,
                (None, None) => is_log_up_to_date,
            },
            State::Candidate { .. } | State::Resigned { .. } => pre_vote && is_log_up_to_date,
            State::Follower(follower) => pre_vote && !follower.has_fetched && is_log_up_to_date,
            State::Leader(_) => false,
        }
    }
}
