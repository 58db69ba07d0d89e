//! One voter: what it keeps, what it is asked, and when it acts by itself.
//!
//! Whoever owns it hands it every message of the quorum and calls [`RaftClient::poll`] at the end of each event; then it
//! looks at [`RaftClient::high_watermark`] and [`RaftClient::leadership`] to see what has been committed and by whom.
//!
//! In Kafka: `KafkaRaftClient`. Departures: the voter does not ask itself who leads; a request that times out closes its
//! connection and backs off at once; `INVALID_REQUEST` as the answer to Vote is a refusal (Kafka's process would die of it, though
//! a voter can come to that: it was a candidate, followed another leader of the same epoch, and started again).

mod following;
mod leading;
mod poll;
mod transitions;
mod votes;

use super::leader::{LeaderState, ReplicaState};
use super::log::RaftLog;
use super::quorum::{ElectionState, Follower, State};
use super::request_manager::RequestManager;
use crate::base::config::BrokerConfig;
use crate::base::{BrokerId, Duration, LeaderEpoch, NodeId, Offset, Prng, Time, TopicPartition};
use crate::node::{ConnectionId, Crash, Outbox, QuorumRole, RequestContext};
use crate::protocol::{CurrentLeader, Request, Response};
use leading::ParkedFetch;
pub(in crate::raft) use poll::raft_fetch;
use std::rc::Rc;

/// What a voter is told at its birth.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RaftSetup {
    /// Where it runs.
    pub node: NodeId,
    /// The quorum, itself included.
    pub voters: Rc<[NodeId]>,
    /// What the quorum keeps.
    pub partition: TopicPartition,
    /// Time-outs and back-offs.
    pub config: Rc<BrokerConfig>,
}

/// A voter.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct RaftClient {
    setup: RaftSetup,
    /// Durable.
    pub(in crate::raft) log: RaftLog,
    /// Durable: in force while the process runs, and what the next one finds.
    pub(in crate::raft) election: ElectionState,
    process: Option<Process>,
}

/// What dies with the process.
#[derive(Clone, PartialEq, Hash, Debug)]
struct Process {
    state: State,
    /// As this state knows it; none at the beginning of a life and of a leader's epoch.
    high_watermark: Option<Offset>,
    requests: RequestManager,
    parked: Vec<ParkedFetch>,
    /// When the timer is due.
    timer: Option<Time>,
}

impl RaftClient {
    /// A voter with an empty disk.
    pub fn new(setup: RaftSetup) -> RaftClient {
        let log = RaftLog::new(setup.partition, &setup.config);
        RaftClient { setup, log, election: ElectionState::default(), process: None }
    }

    /// The process starts, and goes on from what it finds on the disk. A voter that is alone leads at once.
    pub fn start(&mut self, now: Time, out: &mut Outbox<'_>) {
        if let Some(offset) = self.log.damaged() {
            self.log.cut(offset, now);
        }
        let config = &self.setup.config;
        let requests = RequestManager::new(
            self.setup.voters.clone(),
            Some(self.setup.node),
            config.controller_quorum_retry_backoff_ms,
            config.controller_quorum_request_timeout_ms,
        );
        let state = State::Unattached { election_at: Time::MAX };
        self.process = Some(Process { state, high_watermark: None, requests, parked: Vec::new(), timer: None });
        self.initialize(now, out);
    }

    fn initialize(&mut self, now: Time, out: &mut Outbox<'_>) {
        let me = self.setup.node;
        let found = self.election;
        if found.epoch < self.log.last_epoch() {
            self.election = ElectionState { epoch: self.log.last_epoch(), leader: None, voted: None };
        }
        let election_at = self.random_election_timeout(now, out);
        let state = match self.election {
            ElectionState { leader: Some(leader), .. } if leader == me => {
                let unacknowledged = self.others().collect();
                State::Resigned { election_at, unacknowledged, successors: Vec::new() }
            }
            ElectionState { voted: Some(voted), .. } if voted == me => {
                self.election.leader = None;
                State::Candidate { election: self.own_election(), election_at }
            }
            ElectionState { leader: Some(_), .. } => State::Follower(self.new_follower(now)),
            _ => State::Unattached { election_at },
        };
        self.become_state(state, out);
        if self.is_only_voter() {
            self.become_prospective(now, out);
        }
    }

    /// What a crash leaves.
    pub fn crash(&mut self, now: Time, crash: Crash, random: &mut Prng) {
        self.process = None;
        self.log.crash(now, crash, random);
    }

    // ---- what it is asked ----

    /// A request of another voter or of an observer; gives back what is none of its business.
    pub fn handle_request(
        &mut self,
        now: Time,
        context: RequestContext,
        request: Request,
        out: &mut Outbox<'_>,
    ) -> Option<Request> {
        let response = match request {
            Request::Fetch(request) => {
                self.handle_fetch(now, context, &request, out);
                return None;
            }
            Request::Vote(request) => Response::Vote(self.handle_vote(now, &request, out)),
            Request::BeginQuorumEpoch(request) => {
                Response::BeginQuorumEpoch(self.handle_begin_quorum_epoch(now, &request, out))
            }
            Request::EndQuorumEpoch(request) => {
                Response::EndQuorumEpoch(self.handle_end_quorum_epoch(now, &request, out))
            }
            Request::FetchSnapshot(request) => Response::FetchSnapshot(self.handle_fetch_snapshot(now, &request)),
            other => return Some(other),
        };
        out.respond(context, response);
        None
    }

    /// Another voter answered.
    pub fn handle_response(
        &mut self,
        now: Time,
        from: NodeId,
        correlation: u32,
        response: Response,
        out: &mut Outbox<'_>,
    ) {
        if !self.requests().is_expected(from, correlation) {
            return;
        }
        let well = match response {
            Response::Fetch(response) => self.on_fetch(now, &response, out),
            Response::FetchSnapshot(response) => self.on_fetch_snapshot(now, response, out),
            Response::Vote(response) => self.on_vote(now, from, &response, out),
            Response::BeginQuorumEpoch(response) => self.on_begin_quorum_epoch(now, &response, out),
            Response::EndQuorumEpoch(response) => self.on_end_quorum_epoch(now, from, &response, out),
            _ => false,
        };
        self.process().requests.answered(from, correlation, well, now);
    }

    /// A connection broke: the request in flight on it is lost, or nobody waits for its answers any more.
    pub fn on_disconnect(&mut self, now: Time, peer: NodeId, connection: ConnectionId) {
        if connection.client == self.setup.node {
            self.process().requests.disconnected(peer, now);
        } else {
            self.process().parked.retain(|fetch| fetch.context.connection != connection);
        }
    }

    // ---- looking ----

    /// What it was told at its birth.
    pub fn setup(&self) -> &RaftSetup {
        &self.setup
    }

    /// The log and the snapshots.
    pub fn log(&self) -> &RaftLog {
        &self.log
    }

    /// The log and the snapshots, for who writes snapshots.
    pub fn log_mut(&mut self) -> &mut RaftLog {
        &mut self.log
    }

    /// The file `quorum-state`.
    pub fn election(&self) -> ElectionState {
        self.election
    }

    /// The current epoch.
    pub fn epoch(&self) -> LeaderEpoch {
        self.election.epoch
    }

    /// What it is; none while it does not run.
    pub fn role(&self) -> Option<QuorumRole> {
        self.process.as_ref().map(|process| process.state.role())
    }

    /// Before it, all is committed, as far as this voter knows.
    pub fn high_watermark(&self) -> Offset {
        self.log.high_watermark()
    }

    /// While it leads: its epoch, and the offset of the epoch's first record.
    pub fn leadership(&self) -> Option<(LeaderEpoch, Offset)> {
        match &self.process.as_ref()?.state {
            State::Leader(leader) => Some((self.election.epoch, leader.epoch_start_offset)),
            _ => None,
        }
    }

    /// While it leads: the voters, then the observers, as DescribeQuorum has them.
    pub fn describe(&self, now: Time) -> Option<(Vec<ReplicaState>, Vec<ReplicaState>)> {
        match &self.process.as_ref()?.state {
            State::Leader(leader) => {
                let (voters, observers) = leader.replicas(now);
                Some((voters.to_vec(), observers.copied().collect()))
            }
            _ => None,
        }
    }

    /// Whether nobody waits for it: it follows, or is alone.
    pub fn may_stop(&self) -> bool {
        self.is_only_voter() || self.election.leader.is_some_and(|leader| leader != self.setup.node)
    }

    /// Whether there is nobody else to agree with.
    pub fn is_only_voter(&self) -> bool {
        self.setup.voters.len() == 1
    }

    // ---- shared by its parts ----

    fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("invariant: only a running voter is called")
    }

    fn state(&self) -> &State {
        &self.process.as_ref().expect("invariant: only a running voter is called").state
    }

    fn requests(&self) -> &RequestManager {
        &self.process.as_ref().expect("invariant: only a running voter is called").requests
    }

    fn leader_state(&mut self) -> Option<&mut LeaderState> {
        match &mut self.process().state {
            State::Leader(leader) => Some(leader),
            _ => None,
        }
    }

    fn others(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.setup.voters.iter().copied().filter(|voter| *voter != self.setup.node)
    }

    fn fetch_timeout(&self) -> Duration {
        self.setup.config.controller_quorum_fetch_timeout_ms
    }

    fn new_follower(&self, now: Time) -> Follower {
        Follower { fetch_at: now + self.fetch_timeout(), has_fetched: false, snapshot: None }
    }

    fn current_leader(&self) -> CurrentLeader {
        CurrentLeader {
            leader: self.election.leader.map_or(BrokerId::NONE, BrokerId::from),
            epoch: self.election.epoch,
        }
    }
}

/// The node of an id, if it is one.
pub(in crate::raft) fn node_of(id: BrokerId) -> Option<NodeId> {
    (id != BrokerId::NONE).then(|| id.node())
}
