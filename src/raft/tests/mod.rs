//! One voter and, by hand, the others' side of its conversations. Node 0 is under test, 1 and 2 vote with it. Tests that
//! have a counterpart in `KafkaRaftClientTest`, `KafkaRaftClientPreVoteTest` and `LeaderStateTest` carry its name.

mod election;
mod following;
mod leader_state;
mod leading;
mod observer;
mod pre_vote;
mod snapshots;

use super::client::raft_fetch;
use super::*;
use crate::base::config::{BrokerConfig, Properties};
use crate::base::{BrokerId, Duration, LeaderEpoch, NodeId, Offset, Prng, Time, TopicId, TopicPartition};
use crate::node::{Channel, ConnectionId, Crash, Effect, Event, MessageId, Outbox, QuorumRole, RequestContext};
use crate::protocol::*;
use crate::record::{BatchBuilder, ControlRecord, RecordBatch};
use std::rc::Rc;

const LOG: TopicPartition = TopicPartition::new(TopicId(0), 0);
const ME: NodeId = NodeId(0);
const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);

fn id(node: NodeId) -> BrokerId {
    BrokerId::from(node)
}

fn leader(node: Option<NodeId>, epoch: LeaderEpoch) -> CurrentLeader {
    CurrentLeader { leader: node.map_or(BrokerId::NONE, BrokerId::from), epoch }
}

/// A leader's answer to a fetch: nothing new, unless `edit` says otherwise.
fn nothing_new(node: NodeId, epoch: LeaderEpoch, edit: impl FnOnce(&mut FetchPartitionResponse)) -> FetchResponse {
    let mut partition = FetchPartitionResponse {
        partition: LOG,
        error: ErrorCode::None,
        high_watermark: -1,
        last_stable_offset: -1,
        log_start_offset: 0,
        diverging_epoch: None,
        current_leader: Some(leader(Some(node), epoch)),
        snapshot_id: None,
        aborted_transactions: Vec::new(),
        preferred_read_replica: BrokerId::NONE,
        records: Vec::new(),
    };
    edit(&mut partition);
    FetchResponse { error: ErrorCode::None, session_id: 0, partitions: vec![partition] }
}

fn config(settings: &[(&str, &str)]) -> Rc<BrokerConfig> {
    let properties: Properties = settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    Rc::new(BrokerConfig::parse(&properties).expect("good settings"))
}

/// A batch of these values.
fn batch(offset: Offset, epoch: LeaderEpoch, values: &[&str]) -> RecordBatch {
    let mut builder = BatchBuilder::new(0);
    for value in values {
        builder.append(0, None, Some(value.as_bytes()), &[]);
    }
    builder.build().with_offset_and_epoch(offset, epoch)
}

struct Lab {
    raft: RaftClient,
    now: Time,
    random: Prng,
    timer: Option<Time>,
    sent: Vec<(NodeId, u32, Request)>,
    responses: Vec<Response>,
    events: Vec<Event>,
    disconnected: Vec<NodeId>,
    requests: u64,
}

impl Lab {
    /// A voter that has not started.
    fn asleep(voters: u16) -> Lab {
        let voters = (0..voters).map(NodeId).collect();
        let setup = RaftSetup { node: ME, voters, partition: LOG, config: config(&[]) };
        Lab {
            raft: RaftClient::new(setup),
            now: Time(1_000_000),
            random: Prng::split(1, "raft"),
            timer: None,
            sent: Vec::new(),
            responses: Vec::new(),
            events: Vec::new(),
            disconnected: Vec::new(),
            requests: 0,
        }
    }

    /// A voter of three that has just started with an empty disk.
    fn new() -> Lab {
        let mut lab = Lab::asleep(3);
        lab.start();
        lab
    }

    /// One that finds these epochs in its log, a batch of one record each, and this `quorum-state`.
    fn found(epochs: &[LeaderEpoch], election: ElectionState) -> Lab {
        let mut lab = Lab::asleep(3);
        for (offset, epoch) in (0..).zip(epochs) {
            lab.raft.log.append_as_follower(lab.now, &[batch(offset, *epoch, &["x"])], *epoch);
        }
        lab.raft.election = election;
        lab.start();
        lab
    }

    fn start(&mut self) {
        self.event(|raft, now, out| raft.start(now, out));
    }

    fn restart(&mut self, crash: Crash) {
        self.raft.crash(self.now, crash, &mut self.random);
        self.timer = None;
        self.sent.clear();
        self.start();
    }

    fn event(&mut self, handle: impl FnOnce(&mut RaftClient, Time, &mut Outbox<'_>)) {
        let mut effects = Vec::new();
        let mut out = Outbox::new(&mut effects, &mut self.random);
        handle(&mut self.raft, self.now, &mut out);
        self.raft.poll(self.now, &mut out);
        for effect in effects {
            match effect {
                Effect::Request { to, correlation_id, request, .. } => self.sent.push((to, correlation_id, request)),
                Effect::Respond { response, .. } => self.responses.push(response),
                Effect::SetTimer(crate::node::Timer::Controller(crate::node::ControllerTimer::Quorum), at) => {
                    self.timer = Some(at);
                }
                Effect::SetTimer(..) | Effect::CancelTimer(_) | Effect::Exit | Effect::Halt => {}
                Effect::Emit(event) => self.events.push(event),
                Effect::Disconnect { peer, .. } => self.disconnected.push(peer),
            }
        }
    }

    /// Lets time pass, the timer included.
    fn pass(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some(at) = self.timer.filter(|at| *at <= end) {
            self.timer = None;
            self.now = self.now.max(at);
            self.event(|raft, now, out| raft.on_timer(now, out));
        }
        self.now = end;
        self.event(|raft, now, out| raft.expire_parked(now, out));
    }

    /// Somebody asks; the answer, if it comes at once.
    fn ask(&mut self, from: NodeId, request: Request) -> Option<Response> {
        self.requests += 1;
        let connection = ConnectionId { client: from, server: ME, channel: Channel::Quorum, generation: 0 };
        let context = RequestContext { connection, correlation_id: 0, request: MessageId(self.requests) };
        self.responses.clear();
        self.event(|raft, now, out| assert_eq!(raft.handle_request(now, context, request, out), None));
        self.responses.pop()
    }

    fn ask_vote(
        &mut self,
        from: NodeId,
        epoch: LeaderEpoch,
        log: (LeaderEpoch, Offset),
        pre_vote: bool,
    ) -> VoteResponse {
        let (replica, voter) = (id(from), id(ME));
        let (last_offset_epoch, last_offset) = log;
        let request = VoteRequest { replica, replica_epoch: epoch, voter, last_offset_epoch, last_offset, pre_vote };
        match self.ask(from, Request::Vote(request)) {
            Some(Response::Vote(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    /// Whether it votes for who has an empty log.
    fn votes_for(&mut self, from: NodeId, epoch: LeaderEpoch) -> bool {
        let response = self.ask_vote(from, epoch, (0, 0), false);
        assert_eq!(response.error, ErrorCode::None);
        response.vote_granted
    }

    fn begin_epoch(&mut self, from: NodeId, epoch: LeaderEpoch) -> ErrorCode {
        let request = BeginQuorumEpochRequest { leader: id(from), leader_epoch: epoch, voter: id(ME) };
        self.ask(from, Request::BeginQuorumEpoch(request)).expect("an answer at once").error()
    }

    fn end_epoch(&mut self, from: NodeId, epoch: LeaderEpoch, successors: &[NodeId]) -> ErrorCode {
        let preferred_candidates = successors.iter().copied().map(id).collect();
        let request = EndQuorumEpochRequest { leader: id(from), leader_epoch: epoch, preferred_candidates };
        self.ask(from, Request::EndQuorumEpoch(request)).expect("an answer at once").error()
    }

    /// A fetch of somebody whose log ends there.
    fn fetch(&mut self, from: NodeId, offset: Offset, last_epoch: LeaderEpoch) -> Option<FetchPartitionResponse> {
        self.fetch_knowing(from, offset, last_epoch, -1)
    }

    fn fetch_knowing(
        &mut self,
        from: NodeId,
        fetch_offset: Offset,
        last_fetched_epoch: LeaderEpoch,
        high_watermark: Offset,
    ) -> Option<FetchPartitionResponse> {
        let current_leader_epoch = self.raft.epoch();
        let partition = FetchPartition {
            partition: LOG,
            current_leader_epoch,
            fetch_offset,
            last_fetched_epoch,
            log_start_offset: -1,
            partition_max_bytes: 0,
            high_watermark,
        };
        self.ask(from, raft_fetch(id(from), partition)).map(fetched)
    }

    /// The last request to that node.
    fn last_to(&self, node: NodeId) -> (u32, Request) {
        let last = self.sent.iter().rev().find(|sent| sent.0 == node).expect("a request");
        (last.1, last.2.clone())
    }

    /// That node answers the last request it got.
    fn answer(&mut self, node: NodeId, response: Response) {
        let (correlation, _) = self.last_to(node);
        self.event(|raft, now, out| raft.handle_response(now, node, correlation, response, out));
    }

    fn answer_vote(&mut self, node: NodeId, vote_granted: bool) {
        let current_leader = leader(None, self.raft.epoch());
        self.answer(node, Response::Vote(VoteResponse { error: ErrorCode::None, current_leader, vote_granted }));
    }

    /// The leader answers a fetch.
    fn answer_fetch(&mut self, node: NodeId, edit: impl FnOnce(&mut FetchPartitionResponse)) {
        let response = nothing_new(node, self.raft.epoch(), edit);
        self.answer(node, Response::Fetch(response));
    }

    /// Time-outs make it ask the others in advance.
    fn become_prospective(&mut self) {
        for _ in 0..100 {
            if self.role() == QuorumRole::Prospective {
                return;
            }
            self.pass(100);
        }
        panic!("it is still {:?}", self.role());
    }

    /// And they agree.
    fn become_candidate(&mut self) {
        self.become_prospective();
        self.answer_vote(A, true);
        assert_eq!(self.role(), QuorumRole::Candidate);
    }

    /// And again.
    fn become_leader(&mut self) {
        self.become_candidate();
        self.answer_vote(A, true);
        assert_eq!(self.role(), QuorumRole::Leader);
    }

    fn append(&mut self, values: &[&str]) -> Offset {
        let (offset, epoch) = (self.raft.log().end_offset(), self.raft.epoch());
        self.event(|raft, now, out| raft.append(now, batch(offset, epoch, values), out));
        offset
    }

    fn role(&self) -> QuorumRole {
        self.raft.role().expect("it runs")
    }

    fn election(&self) -> (LeaderEpoch, Option<NodeId>, Option<NodeId>) {
        let ElectionState { epoch, leader, voted } = self.raft.election();
        (epoch, leader, voted)
    }

    #[track_caller]
    fn expect(&self, role: QuorumRole, epoch: LeaderEpoch, leader: Option<NodeId>) {
        assert_eq!((self.role(), self.raft.epoch(), self.raft.election().leader), (role, epoch, leader));
    }
}

fn fetched(response: Response) -> FetchPartitionResponse {
    match response {
        Response::Fetch(mut response) => response.partitions.pop().expect("one partition"),
        other => panic!("{other:?}"),
    }
}
