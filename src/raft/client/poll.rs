//! What a voter does by itself: waits, calls elections, asks, tells (`KafkaRaftClient.poll…`).

use super::super::quorum::State;
use super::RaftClient;
use crate::base::config::IsolationLevel;
use crate::base::{BrokerId, Duration, NodeId, Time};
use crate::node::{Channel, ControllerTimer, Outbox, Timer};
use crate::protocol::{BeginQuorumEpochRequest, EndQuorumEpochRequest, FetchPartition, FetchReplica, FetchRequest};
use crate::protocol::{FetchSession, FetchSnapshotRequest, Request, SnapshotId, VoteRequest};

/// `KafkaRaftClient.MAX_FETCH_WAIT_MS`
pub const MAX_FETCH_WAIT: Duration = Duration::from_millis(500);
/// `controller.quorum.fetch.max.bytes` and `controller.quorum.fetch.snapshot.max.bytes`
pub const MAX_FETCH_BYTES: u32 = 8 * 1024 * 1024;

impl RaftClient {
    /// Does what is to be done now, and sets the timer for the next time. At the end of every event.
    pub fn poll(&mut self, now: Time, out: &mut Outbox<'_>) {
        if self.is_only_voter() {
            return;
        }
        while let Some(silent) = self.process().requests.next_timed_out(now) {
            out.disconnect(silent, Channel::Quorum);
        }
        let deadline = loop {
            if let Some(deadline) = self.poll_state(now, out) {
                break self.requests().deadline().map_or(deadline, |at| at.min(deadline));
            }
        };
        if deadline < Time::MAX && self.process().timer.is_none_or(|due| deadline < due) {
            self.process().timer = Some(deadline);
            out.set_timer(Timer::Controller(ControllerTimer::Quorum), deadline);
        }
    }

    /// The timer is due.
    pub fn on_timer(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.process().timer = None;
        self.poll(now, out);
    }

    /// When to look again, besides what waits for answers; none if the state changed.
    fn poll_state(&mut self, now: Time, out: &mut Outbox<'_>) -> Option<Time> {
        match self.state() {
            State::Unattached { election_at } => self.poll_unattached(now, *election_at, out),
            State::Prospective { election, election_at } => {
                let (election_at, voters, hopeless) = (*election_at, election.unrecorded(), election.is_rejected());
                if election_at <= now {
                    self.lose_prospective(now, out);
                    return None;
                }
                self.ask_for_votes(now, &voters, hopeless, out);
                Some(election_at)
            }
            State::Candidate { election, election_at } => {
                let (election_at, voters, hopeless) = (*election_at, election.unrecorded(), election.is_rejected());
                if election_at <= now {
                    self.become_prospective(now, out);
                    return None;
                }
                self.ask_for_votes(now, &voters, hopeless, out);
                Some(election_at)
            }
            State::Follower(follower) => {
                let fetch_at = follower.fetch_at;
                if fetch_at <= now {
                    self.become_prospective(now, out);
                    return None;
                }
                self.fetch_from_best(now, out);
                Some(fetch_at)
            }
            State::Leader(_) => self.poll_leader(now, out),
            State::Resigned { election_at, unacknowledged, .. } => {
                let (election_at, unacknowledged) = (*election_at, unacknowledged.clone());
                if election_at <= now {
                    // The epoch rises, so that this node does not have to follow itself.
                    self.become_unattached(now, self.election.epoch + 1, out);
                    return None;
                }
                self.tell_resignation(now, &unacknowledged, out);
                Some(election_at)
            }
        }
    }

    fn poll_unattached(&mut self, now: Time, election_at: Time, out: &mut Outbox<'_>) -> Option<Time> {
        if election_at <= now {
            self.become_prospective(now, out);
            return None;
        }
        self.fetch_from_any(now, out);
        Some(election_at)
    }

    /// The others would not elect it: it follows whom it followed, or waits.
    pub(super) fn lose_prospective(&mut self, now: Time, out: &mut Outbox<'_>) {
        let epoch = self.election.epoch;
        match self.election.leader {
            Some(leader) => self.become_follower(now, epoch, leader, out),
            None => self.become_unattached(now, epoch, out),
        }
    }

    fn poll_leader(&mut self, now: Time, out: &mut Outbox<'_>) -> Option<Time> {
        let leader = self.leader_state().expect("invariant: it leads");
        if leader.resign_requested || leader.check_quorum_at() <= now {
            self.become_resigned(now, out);
            return None;
        }
        let silent = if leader.begin_epoch_at <= now { leader.voters_to_tell(now) } else { Vec::new() };
        let next = leader.begin_epoch_at.min(leader.check_quorum_at());
        let (leader, leader_epoch) = (BrokerId::from(self.setup.node), self.election.epoch);
        for voter in silent {
            let request = BeginQuorumEpochRequest { leader, leader_epoch, voter: BrokerId::from(voter) };
            self.send(now, voter, out, |_| Request::BeginQuorumEpoch(request));
        }
        Some(next)
    }

    /// Stops leading at the next [`Self::poll`], as a controller does that stops in an orderly way.
    pub fn resign(&mut self) {
        if let Some(leader) = self.leader_state() {
            leader.resign_requested = true;
        }
    }

    /// Sends a request, if that node may be asked now.
    fn send(&mut self, now: Time, to: NodeId, out: &mut Outbox<'_>, request: impl FnOnce(&Self) -> Request) {
        if self.requests().is_ready(to, now) {
            let request = request(self);
            let correlation = self.process().requests.sent(to, now);
            out.request(to, Channel::Quorum, correlation, request);
        }
    }

    fn ask_for_votes(&mut self, now: Time, voters: &[NodeId], hopeless: bool, out: &mut Outbox<'_>) {
        if hopeless {
            return;
        }
        let pre_vote = matches!(self.state(), State::Prospective { .. });
        for &voter in voters {
            self.send(now, voter, out, |it| {
                Request::Vote(VoteRequest {
                    replica: BrokerId::from(it.setup.node),
                    replica_epoch: it.election.epoch,
                    voter: BrokerId::from(voter),
                    last_offset_epoch: it.log.last_epoch(),
                    last_offset: it.log.end_offset(),
                    pre_vote,
                })
            });
        }
    }

    fn tell_resignation(&mut self, now: Time, voters: &[NodeId], out: &mut Outbox<'_>) {
        for &voter in voters {
            self.send(now, voter, out, |it| {
                let State::Resigned { successors, .. } = it.state() else {
                    panic!("invariant: it has resigned");
                };
                Request::EndQuorumEpoch(EndQuorumEpochRequest {
                    leader: BrokerId::from(it.setup.node),
                    leader_epoch: it.election.epoch,
                    preferred_candidates: successors.iter().copied().map(BrokerId::from).collect(),
                })
            });
        }
    }

    /// From the leader; while that one does not answer, from anybody, who may know a newer one.
    fn fetch_from_best(&mut self, now: Time, out: &mut Outbox<'_>) {
        let leader = self.election.leader.expect("invariant: a follower knows its leader");
        if self.requests().is_backing_off(leader, now) {
            self.fetch_from_any(now, out);
        } else if !self.requests().has_any_in_flight() {
            let snapshot = match self.state() {
                State::Follower(follower) => follower.snapshot.as_ref().map(|it| (it.id, it.bytes.len() as u64)),
                _ => None,
            };
            self.send(now, leader, out, |it| match snapshot {
                Some((id, position)) => it.snapshot_request(id, position),
                None => it.fetch_request(),
            });
        }
    }

    fn fetch_from_any(&mut self, now: Time, out: &mut Outbox<'_>) {
        if let Some(node) = self.requests().ready_bootstrap(now, out.random()) {
            self.send(now, node, out, Self::fetch_request);
        }
    }

    fn snapshot_request(&self, snapshot: SnapshotId, position: u64) -> Request {
        Request::FetchSnapshot(FetchSnapshotRequest {
            replica: BrokerId::from(self.setup.node),
            current_leader_epoch: self.election.epoch,
            snapshot,
            position,
            max_bytes: MAX_FETCH_BYTES,
        })
    }

    fn fetch_request(&self) -> Request {
        let high_watermark = self.process.as_ref().and_then(|process| process.high_watermark);
        let partition = FetchPartition {
            partition: self.setup.partition,
            current_leader_epoch: self.election.epoch,
            fetch_offset: self.log.end_offset(),
            last_fetched_epoch: self.log.last_epoch(),
            log_start_offset: -1,
            partition_max_bytes: 0,
            high_watermark: high_watermark.unwrap_or(-1),
        };
        raft_fetch(BrokerId::from(self.setup.node), partition)
    }
}

/// A Fetch of the quorum's log.
pub(in crate::raft) fn raft_fetch(id: BrokerId, partition: FetchPartition) -> Request {
    Request::Fetch(FetchRequest {
        replica: Some(FetchReplica { id, epoch: -1 }),
        max_wait: MAX_FETCH_WAIT,
        min_bytes: 0,
        max_bytes: MAX_FETCH_BYTES,
        isolation: IsolationLevel::ReadUncommitted,
        session: FetchSession::NONE,
        partitions: vec![partition],
        forgotten: Vec::new(),
        rack: None,
    })
}
