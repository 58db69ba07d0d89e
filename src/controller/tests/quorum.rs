//! A controller of three, and by hand the other two: standby, active, deposed.

use super::*;
use crate::base::config::IsolationLevel;
use crate::record::RecordBatch;

const A: NodeId = NodeId(10);
const B: NodeId = NodeId(11);

struct Three {
    controller: Controller,
    now: Time,
    random: Prng,
    timers: SortedMap<Timer, Time>,
    sent: Vec<(NodeId, u32, Request)>,
    responses: Vec<Response>,
    events: Vec<Event>,
    messages: u64,
    exited: bool,
}

impl Three {
    fn new() -> Three {
        let config = Rc::new(BrokerConfig::parse(&Properties::new()).expect("defaults are good"));
        let voters = [CONTROLLER, A, B].into();
        let setup = ControllerSetup { node: CONTROLLER, voters, config, cluster_id: Rc::from("lab") };
        let mut three = Three {
            controller: Controller::new(setup),
            now: Time(1_000_000),
            random: Prng::split(1, "three"),
            timers: SortedMap::new(),
            sent: Vec::new(),
            responses: Vec::new(),
            events: Vec::new(),
            messages: 0,
            exited: false,
        };
        three.event(|controller, now, out| controller.on_start(now, out));
        three
    }

    fn event(&mut self, handle: impl FnOnce(&mut Controller, Time, &mut Outbox<'_>)) {
        let mut effects = Vec::new();
        handle(&mut self.controller, self.now, &mut Outbox::new(&mut effects, &mut self.random));
        for effect in effects {
            match effect {
                Effect::Request { to, correlation_id, request, .. } => self.sent.push((to, correlation_id, request)),
                Effect::Respond { response, .. } => self.responses.push(response),
                Effect::SetTimer(timer, at) => drop(self.timers.insert(timer, at)),
                Effect::CancelTimer(timer) => drop(self.timers.remove(&timer)),
                Effect::Emit(event) => self.events.push(event),
                Effect::Exit => self.exited = true,
                Effect::Disconnect { .. } | Effect::Halt => {}
            }
        }
    }

    fn until_it_asks_for_votes(&mut self) {
        while !matches!(self.sent.last(), Some((_, _, Request::Vote(_)))) {
            let (timer, at) =
                self.timers.iter().map(|(timer, at)| (*timer, *at)).min_by_key(|it| it.1).expect("a timer");
            self.timers.remove(&timer);
            self.now = self.now.max(at);
            self.event(|controller, now, out| controller.on_timer(now, timer, out));
        }
    }

    fn message(&mut self, from: NodeId, client: NodeId, correlation_id: u32, body: Body) {
        let server = if client == from { CONTROLLER } else { from };
        let connection = ConnectionId { client, server, channel: Channel::Quorum, generation: 0 };
        self.messages += 1;
        let message = Message { id: MessageId(self.messages), connection, correlation_id, body };
        self.event(|controller, now, out| controller.on_message(now, from, message, out));
    }

    /// What is answered at once.
    fn ask(&mut self, from: NodeId, request: Request) -> Option<Response> {
        self.responses.clear();
        self.message(from, from, 0, Body::Request(request));
        self.responses.pop()
    }

    fn grant(&mut self, from: NodeId) {
        let last = self.sent.iter().rev().find(|sent| sent.0 == from && matches!(sent.2, Request::Vote(_)));
        let correlation = last.expect("it was asked").1;
        let current_leader = CurrentLeader { leader: BrokerId::NONE, epoch: self.controller.raft().epoch() };
        let vote = VoteResponse { error: ErrorCode::None, current_leader, vote_granted: true };
        self.message(from, CONTROLLER, correlation, Body::Response(Response::Vote(vote)));
    }

    /// It is elected, but nothing of its epoch is committed.
    fn elect(&mut self) {
        self.until_it_asks_for_votes();
        self.grant(A);
        self.grant(A);
        assert!(self.controller.raft().leadership().is_some());
    }

    /// A has everything, which commits it.
    fn replicate(&mut self) {
        let raft = self.controller.raft();
        let partition = FetchPartition {
            partition: CLUSTER_METADATA,
            current_leader_epoch: raft.epoch(),
            fetch_offset: raft.log().end_offset(),
            last_fetched_epoch: raft.log().last_epoch(),
            log_start_offset: -1,
            partition_max_bytes: 0,
            high_watermark: -1,
        };
        let request = FetchRequest {
            replica: Some(FetchReplica { id: BrokerId::from(A), epoch: -1 }),
            max_wait: Duration::ZERO,
            min_bytes: 0,
            max_bytes: 1_000_000,
            isolation: IsolationLevel::ReadUncommitted,
            session: FetchSession::NONE,
            partitions: vec![partition],
            forgotten: Vec::new(),
            rack: None,
        };
        self.responses.clear();
        self.message(A, A, 0, Body::Request(Request::Fetch(request)));
    }

    /// It decides, and all it has decided so far is committed.
    fn activate(&mut self) {
        self.elect();
        self.replicate();
        self.replicate();
        assert!(self.controller.epoch().is_some());
    }

    fn depose(&mut self) {
        let (leader, leader_epoch) = (BrokerId::from(B), self.controller.raft().epoch() + 1);
        let request = BeginQuorumEpochRequest { leader, leader_epoch, voter: BrokerId::from(CONTROLLER) };
        self.responses.clear();
        self.message(B, B, 0, Body::Request(Request::BeginQuorumEpoch(request)));
    }
}

fn register(broker: i32) -> Request {
    Request::BrokerRegistration(BrokerRegistrationRequest {
        broker: BrokerId(broker),
        cluster_id: Rc::from("lab"),
        incarnation: 1,
        previous_broker_epoch: -1,
        rack: None,
    })
}

fn heartbeat(broker: i32, broker_epoch: i64) -> Request {
    let current_metadata_offset = broker_epoch;
    let (broker, want_fence, want_shut_down) = (BrokerId(broker), false, false);
    let request = BrokerHeartbeatRequest { broker, broker_epoch, current_metadata_offset, want_fence, want_shut_down };
    Request::BrokerHeartbeat(request)
}

#[test]
fn a_standby_refuses_everything_with_not_controller() {
    let mut three = Three::new();
    let topic = NewTopic {
        name: "orders".into(),
        partitions: 1,
        replication_factor: 1,
        assignments: Vec::new(),
        config: Properties::new(),
    };
    let (broker, broker_epoch, partitions) = (BrokerId(0), 0, Vec::new());
    for request in [
        register(0),
        heartbeat(0, 0),
        Request::AlterPartition(AlterPartitionRequest { broker, broker_epoch, partitions }),
        Request::AllocateProducerIds(AllocateProducerIdsRequest { broker, broker_epoch }),
        Request::CreateTopics(CreateTopicsRequest { topics: vec![topic] }),
    ] {
        let api = request.api();
        let response = three.ask(NodeId(0), request).expect("at once");
        assert_eq!((response.api(), response.error()), (api, ErrorCode::NotController));
    }
}

#[test]
fn a_leader_decides_only_when_its_epoch_has_begun_for_the_majority() {
    let mut three = Three::new();
    three.elect();
    assert_eq!(three.controller.epoch(), None, "what it does not know yet may be committed");
    assert_eq!(three.ask(NodeId(0), register(0)).expect("at once").error(), ErrorCode::NotController);
    three.replicate();
    assert_eq!(three.controller.epoch(), Some(1));
    assert!(three.events.contains(&Event::ControllerActive { epoch: 1 }));
}

#[test]
fn an_answer_waits_until_it_is_committed() {
    let mut three = Three::new();
    three.activate();
    assert_eq!(three.ask(NodeId(0), register(0)), None);
    assert!(three.controller.image().broker(BrokerId(0)).is_some(), "it goes on from what it has decided");
    assert!(three.controller.committed_image().broker(BrokerId(0)).is_none());
    three.replicate();
    let answered = |it: &Response| matches!(it, Response::BrokerRegistration(it) if !it.error.is_error());
    assert!(three.responses.iter().any(answered));
    assert!(three.controller.committed_image().broker(BrokerId(0)).is_some());
}

#[test]
fn so_does_one_that_only_looks_at_what_is_not() {
    let mut three = Three::new();
    three.activate();
    three.ask(NodeId(0), register(0));
    let epoch = three.controller.image().broker(BrokerId(0)).expect("registered").epoch;
    assert_eq!(
        three.ask(NodeId(0), heartbeat(0, epoch + 7)),
        None,
        "STALE_BROKER_EPOCH is true only if 0 is registered"
    );
    three.replicate();
    let stale = |it: &Response| it.error() == ErrorCode::StaleBrokerEpoch;
    assert!(three.responses.iter().any(stale));
}

#[test]
fn what_a_deposed_controller_had_decided_is_undone_and_refused() {
    let mut three = Three::new();
    three.activate();
    let committed = three.controller.committed_image().clone();
    assert_eq!(three.ask(NodeId(0), register(0)), None);
    three.depose();
    assert_eq!(three.controller.epoch(), None);
    let refused =
        |it: &Response| matches!(it, Response::BrokerRegistration(it) if it.error == ErrorCode::NotController);
    assert!(three.responses.iter().any(refused));
    assert_eq!(three.controller.image(), &committed);
    assert!(!three.timers.contains_key(&Timer::Controller(ControllerTimer::Session)), "it fences nobody any more");
    assert!(
        three.events.iter().all(|event| !matches!(event, Event::BrokerFenced { .. } | Event::PartitionChanged { .. }))
    );
}

#[test]
fn only_one_leader_tells_what_was_decided() {
    let mut three = Three::new();
    three.activate();
    three.ask(NodeId(0), register(0));
    let epoch = three.controller.image().broker(BrokerId(0)).expect("registered").epoch;
    three.ask(NodeId(0), heartbeat(0, epoch));
    let told =
        |three: &Three| three.events.iter().filter(|event| matches!(event, Event::BrokerUnfenced { .. })).count();
    assert_eq!(told(&three), 0, "it is not committed");
    three.replicate();
    assert_eq!(told(&three), 1);
    three.event(|controller, now, _| controller.on_crash(now, Crash::PowerLoss, &mut Prng::split(1, "crash")));
    assert!(three.controller.committed_image().is_unfenced(BrokerId(0)), "a dead controller's image is still readable");
    three.timers.clear();
    three.event(|controller, now, out| controller.on_start(now, out));
    three.activate();
    assert_eq!(told(&three), 1, "told in its former life");
    let batches: Vec<&RecordBatch> = three.controller.log().batches_from(0).collect();
    assert_eq!(batches.last().map(|batch| batch.leader_epoch()), Some(three.controller.raft().epoch()));
}

#[test]
fn an_active_controller_that_stops_hands_over_first() {
    let mut three = Three::new();
    three.activate();
    three.event(|controller, now, out| controller.on_shutdown(now, out));
    assert_eq!(three.controller.epoch(), None, "it decides nothing any more");
    assert!(three.sent.iter().any(|sent| matches!(sent.2, Request::EndQuorumEpoch(_))));
    assert!(!three.exited, "nobody has taken over yet");
    three.depose();
    assert!(three.exited);
}

#[test]
fn a_standby_stops_at_once() {
    let mut three = Three::new();
    three.depose();
    three.event(|controller, now, out| controller.on_shutdown(now, out));
    assert!(three.exited);
}
