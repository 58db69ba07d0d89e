//! Elections: votes given and received, beginnings and ends of epochs, and what any response says about the leader.

use super::super::quorum::State;
use super::{RaftClient, node_of};
use crate::base::{BrokerId, Duration, LeaderEpoch, NodeId, Time};
use crate::node::Outbox;
use crate::protocol::{BeginQuorumEpochRequest, BeginQuorumEpochResponse, CurrentLeader, ErrorCode};
use crate::protocol::{EndQuorumEpochRequest, EndQuorumEpochResponse, VoteRequest, VoteResponse};

impl RaftClient {
    // ---- requests ----

    pub(super) fn handle_vote(&mut self, now: Time, request: &VoteRequest, out: &mut Outbox<'_>) -> VoteResponse {
        let (error, vote_granted) = match self.judge_vote(now, request, out) {
            Ok(granted) => (ErrorCode::None, granted),
            Err(error) => (error, false),
        };
        VoteResponse { error, current_leader: self.current_leader(), vote_granted }
    }

    fn judge_vote(&mut self, now: Time, request: &VoteRequest, out: &mut Outbox<'_>) -> Result<bool, ErrorCode> {
        let VoteRequest { replica_epoch, last_offset_epoch, last_offset, pre_vote, .. } = *request;
        // A candidate has never seen its own epoch in a log; who only asks in advance may have.
        let is_illegal = if pre_vote { last_offset_epoch > replica_epoch } else { last_offset_epoch >= replica_epoch };
        if is_illegal || last_offset < 0 || last_offset_epoch < 0 {
            return Err(ErrorCode::InvalidRequest);
        }
        let candidate = self.validate_voter_request(request.replica, replica_epoch)?;
        if replica_epoch > self.election.epoch {
            self.become_unattached(now, replica_epoch, out);
        }
        if request.voter != BrokerId::from(self.setup.node) {
            return Err(ErrorCode::InvalidVoterKey);
        }
        let own = (self.log.last_epoch(), self.log.end_offset());
        let is_up_to_date = (last_offset_epoch, last_offset) >= own;
        let known = self.election;
        let granted = self.state().can_grant_vote(&known, candidate, is_up_to_date, pre_vote);
        if granted && !pre_vote && known.voted.is_none() {
            self.add_vote(now, candidate, out);
        }
        Ok(granted)
    }

    /// Who asks, if it may.
    fn validate_voter_request(&self, from: BrokerId, epoch: LeaderEpoch) -> Result<NodeId, ErrorCode> {
        if epoch < self.election.epoch {
            return Err(ErrorCode::FencedLeaderEpoch);
        }
        node_of(from).ok_or(ErrorCode::InvalidRequest)
    }

    pub(super) fn handle_begin_quorum_epoch(
        &mut self,
        now: Time,
        request: &BeginQuorumEpochRequest,
        out: &mut Outbox<'_>,
    ) -> BeginQuorumEpochResponse {
        let error = match self.validate_voter_request(request.leader, request.leader_epoch) {
            Ok(leader) => {
                self.maybe_transition(now, Some(leader), request.leader_epoch, out);
                let for_me = request.voter == BrokerId::from(self.setup.node);
                if for_me { ErrorCode::None } else { ErrorCode::InvalidVoterKey }
            }
            Err(error) => error,
        };
        BeginQuorumEpochResponse { error, current_leader: self.current_leader() }
    }

    /// The leader resigned: the sooner this voter stands in the list of successors, the sooner it calls an election.
    pub(super) fn handle_end_quorum_epoch(
        &mut self,
        now: Time,
        request: &EndQuorumEpochRequest,
        out: &mut Outbox<'_>,
    ) -> EndQuorumEpochResponse {
        let error = match self.validate_voter_request(request.leader, request.leader_epoch) {
            Ok(leader) => {
                self.maybe_transition(now, Some(leader), request.leader_epoch, out);
                let pause = self.election_backoff(&request.preferred_candidates);
                if let State::Follower(follower) = &mut self.process().state {
                    follower.fetch_at = now + pause;
                }
                ErrorCode::None
            }
            Err(error) => error,
        };
        EndQuorumEpochResponse { error, current_leader: self.current_leader() }
    }

    /// None for the first successor, then up to `controller.quorum.election.backoff.max.ms`, each twice the one before.
    fn election_backoff(&self, successors: &[BrokerId]) -> Duration {
        let max = self.setup.config.controller_quorum_election_backoff_max_ms;
        let me = BrokerId::from(self.setup.node);
        let position = successors.iter().position(|successor| *successor == me);
        match position {
            Some(0) => Duration::ZERO,
            None => {
                if successors.is_empty() {
                    Duration::ZERO
                } else {
                    max
                }
            }
            Some(position) => {
                let base = max.as_millis() >> (successors.len() - 1);
                Duration::from_millis((base << (position - 1)).min(max.as_millis()))
            }
        }
    }

    // ---- responses: true if the node that answered may be asked again at once ----

    pub(super) fn on_vote(&mut self, now: Time, from: NodeId, response: &VoteResponse, out: &mut Outbox<'_>) -> bool {
        if let Some(well) = self.handle_common(now, response.error, response.current_leader, out) {
            return well;
        }
        // A candidate that had been deposed in this very epoch, followed, and started again, may meet `INVALID_REQUEST`: it
        // has records of the epoch in which it asks to be elected.
        if response.error.is_error() && response.error != ErrorCode::InvalidRequest {
            return false;
        }
        let (granted, rejected) = match &mut self.process().state {
            State::Prospective { election, .. } | State::Candidate { election, .. } => {
                election.record(from, response.vote_granted);
                (election.is_granted(), election.is_rejected())
            }
            _ => return true,
        };
        match (self.state(), granted) {
            (State::Prospective { .. }, true) => self.become_candidate(now, out),
            (State::Prospective { .. }, false) if rejected => self.lose_prospective(now, out),
            (State::Candidate { .. }, true) => self.become_leader(now, out),
            // A candidate that lost waits out its election timeout.
            _ => {}
        }
        true
    }

    pub(super) fn on_begin_quorum_epoch(
        &mut self,
        now: Time,
        response: &BeginQuorumEpochResponse,
        out: &mut Outbox<'_>,
    ) -> bool {
        let handled = self.handle_common(now, response.error, response.current_leader, out);
        handled.unwrap_or(!response.error.is_error())
    }

    pub(super) fn on_end_quorum_epoch(
        &mut self,
        now: Time,
        from: NodeId,
        response: &EndQuorumEpochResponse,
        out: &mut Outbox<'_>,
    ) -> bool {
        if let Some(well) = self.handle_common(now, response.error, response.current_leader, out) {
            return well;
        }
        if let State::Resigned { unacknowledged, .. } = &mut self.process().state {
            unacknowledged.retain(|voter| *voter != from);
        }
        !response.error.is_error()
    }

    /// What any response tells about epoch and leader; none if the rest of it still counts.
    pub(super) fn handle_common(
        &mut self,
        now: Time,
        error: ErrorCode,
        current: CurrentLeader,
        out: &mut Outbox<'_>,
    ) -> Option<bool> {
        let (leader, own) = (node_of(current.leader), self.election);
        if current.epoch < own.epoch || error == ErrorCode::UnknownLeaderEpoch {
            return Some(true);
        }
        if current.epoch > own.epoch || matches!(error, ErrorCode::FencedLeaderEpoch | ErrorCode::NotLeaderOrFollower) {
            self.maybe_transition(now, leader, current.epoch, out);
            return Some(true);
        }
        if let (Some(leader), None) = (leader, own.leader) {
            self.become_follower(now, current.epoch, leader, out);
            return error.is_error().then_some(true);
        }
        match error {
            ErrorCode::BrokerNotAvailable => Some(false),
            ErrorCode::InvalidVoterKey => Some(true),
            _ => None,
        }
    }

    /// A message names a leader, or an epoch that is new here.
    fn maybe_transition(&mut self, now: Time, leader: Option<NodeId>, epoch: LeaderEpoch, out: &mut Outbox<'_>) {
        let own = self.election;
        let consistent = match leader {
            Some(leader) if leader == self.setup.node => own.epoch != epoch || own.leader == Some(leader),
            Some(leader) => own.epoch != epoch || own.leader.is_none_or(|known| known == leader),
            None => true,
        };
        assert!(consistent, "invariant: one leader an epoch");
        match leader {
            Some(leader) if leader != self.setup.node && (epoch > own.epoch || own.leader.is_none()) => {
                self.become_follower(now, epoch, leader, out);
            }
            None if epoch > own.epoch => self.become_unattached(now, epoch, out),
            _ => {}
        }
    }
}
