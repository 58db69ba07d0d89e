//! From one state to the next (`QuorumState.transitionTo…`, `KafkaRaftClient.onBecome…`).

use super::super::election::EpochElection;
use super::super::leader::LeaderState;
use super::super::quorum::{ElectionState, State};
use super::RaftClient;
use crate::base::{BrokerId, Duration, LeaderEpoch, NodeId, Time};
use crate::node::{Event, Outbox};
use crate::protocol::ErrorCode;
use crate::record::ControlRecord;

impl RaftClient {
    /// When an election that begins or is waited for now is given up: between one and two timeouts.
    pub(super) fn random_election_timeout(&self, now: Time, out: &mut Outbox<'_>) -> Time {
        let timeout = self.setup.config.controller_quorum_election_timeout_ms;
        if self.is_only_voter() || timeout == Duration::ZERO {
            return now + timeout;
        }
        now + timeout + Duration(out.random().below(timeout.0))
    }

    pub(super) fn own_election(&self) -> EpochElection {
        EpochElection::new(&self.setup.voters, self.setup.node)
    }

    /// Takes on a state of what [`Self::election`] says, and tells.
    pub(super) fn become_state(&mut self, state: State, out: &mut Outbox<'_>) {
        let role = state.role();
        self.process().state = state;
        if !self.is_only_voter() {
            let ElectionState { epoch, leader, .. } = self.election;
            out.emit(Event::QuorumChanged { role, epoch, leader });
        }
    }

    /// An epoch without a leader that is known; or, after an election in advance was lost, the same one.
    pub(super) fn become_unattached(&mut self, now: Time, epoch: LeaderEpoch, out: &mut Outbox<'_>) {
        assert!(
            epoch > self.election.epoch || matches!(self.state(), State::Prospective { .. }),
            "invariant: only a higher epoch unseats a leader"
        );
        let kept = self.state().running_election_timeout();
        let election_at = kept.unwrap_or_else(|| self.random_election_timeout(now, out));
        if matches!(self.state(), State::Leader(_) | State::Resigned { .. }) {
            self.process().high_watermark = None;
        }
        if epoch != self.election.epoch {
            self.election = ElectionState { epoch, leader: None, voted: None };
        }
        self.become_state(State::Unattached { election_at }, out);
        self.process().requests.reset_all();
    }

    /// Gives the vote of this epoch away; the state stays, with a new timeout.
    pub(super) fn add_vote(&mut self, now: Time, candidate: NodeId, out: &mut Outbox<'_>) {
        assert!(candidate != self.setup.node, "invariant: a vote for itself makes a candidate");
        assert!(self.election.voted.is_none(), "invariant: one vote an epoch");
        self.election.voted = Some(candidate);
        let election_at = self.random_election_timeout(now, out);
        let state = match self.state() {
            State::Unattached { .. } => State::Unattached { election_at },
            State::Prospective { .. } => State::Prospective { election: self.own_election(), election_at },
            other => panic!("invariant: a {} voter gives no vote away", other.role().name()),
        };
        self.process().state = state;
    }

    pub(super) fn become_follower(&mut self, now: Time, epoch: LeaderEpoch, leader: NodeId, out: &mut Outbox<'_>) {
        assert!(leader != self.setup.node, "invariant: nobody follows itself");
        assert!(epoch >= self.election.epoch, "invariant: the epoch never falls");
        let voted = self.election.voted.filter(|_| epoch == self.election.epoch);
        if epoch == self.election.epoch {
            let fits = self.election.leader.is_none_or(|known| known == leader);
            assert!(fits && !matches!(self.state(), State::Leader(_)), "invariant: one leader an epoch");
        }
        if matches!(self.state(), State::Leader(_) | State::Resigned { .. }) {
            self.process().high_watermark = None;
        }
        self.election = ElectionState { epoch, leader: Some(leader), voted };
        let follower = State::Follower(self.new_follower(now));
        self.become_state(follower, out);
        self.process().requests.reset_all();
        self.refuse_parked(ErrorCode::NotLeaderOrFollower, out);
    }

    /// Asks the others whether they would vote for it, before it disturbs anybody with a new epoch (KIP-996).
    pub(super) fn become_prospective(&mut self, now: Time, out: &mut Outbox<'_>) {
        assert!(
            !matches!(self.state(), State::Leader(_) | State::Prospective { .. }),
            "invariant: a leader calls no election"
        );
        let (election, election_at) = (self.own_election(), self.random_election_timeout(now, out));
        let granted = election.is_granted();
        self.become_state(State::Prospective { election, election_at }, out);
        if granted {
            return self.become_candidate(now, out);
        }
        self.process().requests.reset_all();
    }

    pub(super) fn become_candidate(&mut self, now: Time, out: &mut Outbox<'_>) {
        assert!(matches!(self.state(), State::Prospective { .. }), "invariant: a candidate has asked in advance");
        let me = self.setup.node;
        self.election = ElectionState { epoch: self.election.epoch + 1, leader: None, voted: Some(me) };
        let (election, election_at) = (self.own_election(), self.random_election_timeout(now, out));
        let granted = election.is_granted();
        self.become_state(State::Candidate { election, election_at }, out);
        if granted {
            return self.become_leader(now, out);
        }
        self.process().requests.reset_all();
    }

    /// Writes the first record of its epoch; nothing older is committed before that one is.
    pub(super) fn become_leader(&mut self, now: Time, out: &mut Outbox<'_>) {
        let State::Candidate { election, .. } = self.state() else {
            panic!("invariant: only a candidate is elected");
        };
        assert!(election.is_granted(), "invariant: a leader has a majority");
        let ids = |nodes: &[NodeId]| nodes.iter().copied().map(BrokerId::from).collect::<Vec<_>>();
        let (me, epoch, start) = (self.setup.node, self.election.epoch, self.log.end_offset());
        let (voters, granting_voters) = (ids(&self.setup.voters), ids(election.granting()));
        self.election = ElectionState { epoch, leader: Some(me), voted: None };
        self.process().high_watermark = None;
        let leader = LeaderState::new(me, &self.setup.voters, start, self.fetch_timeout(), now);
        self.become_state(State::Leader(leader), out);
        self.process().requests.reset_all();
        self.log.begin_epoch(epoch);
        let change = ControlRecord::LeaderChange { leader: BrokerId::from(me), voters, granting_voters };
        self.append(now, change.quorum_batch(start, epoch, now.wall_clock_ms()), out);
    }

    /// Stops leading, and says so to the others.
    pub(super) fn become_resigned(&mut self, now: Time, out: &mut Outbox<'_>) {
        let State::Leader(leader) = self.state() else { panic!("invariant: only a leader resigns") };
        let successors = leader.successors();
        self.refuse_parked(ErrorCode::NotLeaderOrFollower, out);
        let election_at = self.random_election_timeout(now, out);
        let unacknowledged = self.others().collect();
        self.process().high_watermark = None;
        self.become_state(State::Resigned { election_at, unacknowledged, successors }, out);
        self.process().requests.reset_all();
    }
}
