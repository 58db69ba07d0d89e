//! A small world for these tests: brokers, a controller and a client on a network of constant latency.

use delivery_lab::base::config::{BrokerConfig, Properties};
use delivery_lab::base::{BrokerId, Duration, NodeId, Prng, Time, TopicPartition};
use delivery_lab::broker::{Broker, BrokerSetup};
use delivery_lab::controller::{Controller, ControllerSetup};
use delivery_lab::node::{Body, Channel, ConnectionId, Crash, Effect, Event, Message, MessageId, Node, Outbox, Timer};
use delivery_lab::protocol::{
    CoordinatorType, CreateTopicsRequest, ErrorCode, FindCoordinatorRequest, NewTopic, Request, Response,
};
use std::collections::BTreeMap;
use std::rc::Rc;

const LATENCY: Duration = Duration::from_micros(500);
pub const CONTROLLER: NodeId = NodeId(100);
pub const CLIENT: NodeId = NodeId(200);

const BETWEEN_BROKERS: [Channel; 6] = [
    Channel::Replication,
    Channel::Lifecycle,
    Channel::AlterPartition,
    Channel::Metadata,
    Channel::Transactions,
    Channel::Markers,
];

enum What {
    Deliver(NodeId, NodeId, Message),
    Disconnected(NodeId, NodeId, ConnectionId),
    Timer(NodeId, Timer, u64),
}

pub struct Cluster {
    pub now: Time,
    sequence: u64,
    queue: BTreeMap<(Time, u64), What>,
    pub brokers: BTreeMap<BrokerId, Broker>,
    pub controller: Controller,
    timers: BTreeMap<(NodeId, Timer), u64>,
    random: Prng,
    /// Responses to the client's requests, by correlation id.
    pub answers: BTreeMap<u32, Response>,
    /// Connections of the client that a broker closed.
    pub closed: Vec<(NodeId, Channel)>,
    pub events: Vec<(Time, NodeId, Event)>,
    correlation: u32,
    generations: BTreeMap<NodeId, u32>,
    pub steps: u64,
    controller_is_cut_off: bool,
}

impl Cluster {
    /// `brokers` brokers and a controller, started.
    pub fn start(brokers: i32, settings: &[(&str, &str)]) -> Cluster {
        Cluster::start_in_racks(brokers, settings, |_| None)
    }

    /// The same, with a rack for each broker.
    pub fn start_in_racks(
        brokers: i32,
        settings: &[(&str, &str)],
        rack: impl Fn(BrokerId) -> Option<Rc<str>>,
    ) -> Cluster {
        let properties: Properties = settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let config = Rc::new(BrokerConfig::parse(&properties).expect("good settings"));
        let cluster_id: Rc<str> = "lab".into();
        let voters = [CONTROLLER].into();
        let setup =
            ControllerSetup { node: CONTROLLER, voters, config: config.clone(), cluster_id: cluster_id.clone() };
        let ids = (0..brokers).map(BrokerId);
        let broker = |id| BrokerSetup {
            id,
            controllers: [CONTROLLER].into(),
            config: config.clone(),
            cluster_id: cluster_id.clone(),
            rack: rack(id),
        };
        let mut cluster = Cluster {
            now: Time::ZERO,
            sequence: 0,
            queue: BTreeMap::new(),
            brokers: ids.clone().map(|id| (id, Broker::new(broker(id)))).collect(),
            controller: Controller::new(setup),
            timers: BTreeMap::new(),
            random: Prng::split(7, "cluster"),
            answers: BTreeMap::new(),
            closed: Vec::new(),
            events: Vec::new(),
            correlation: 0,
            generations: BTreeMap::new(),
            steps: 0,
            controller_is_cut_off: false,
        };
        cluster.with(CONTROLLER, |node, now, out| node.on_start(now, out));
        for id in ids {
            cluster.restart(id.0);
        }
        cluster.run_for(5_000);
        cluster
    }

    /// A cluster with one topic of one partition on all brokers.
    pub fn with_topic(brokers: i32, settings: &[(&str, &str)]) -> (Cluster, TopicPartition) {
        let mut cluster = Cluster::start(brokers, settings);
        let topic = cluster.create_topic("orders", 1, brokers as i16);
        (cluster, topic)
    }

    pub fn create_topic(&mut self, name: &str, partitions: i32, replication_factor: i16) -> TopicPartition {
        let topic = NewTopic {
            name: name.into(),
            partitions,
            replication_factor,
            assignments: Vec::new(),
            config: Properties::new(),
        };
        let request = Request::CreateTopics(CreateTopicsRequest { topics: vec![topic] });
        let answer = self.call(0, request);
        assert!(!answer.error().is_error(), "{answer:?}");
        self.run_for(1_500);
        let id = self.controller.image().topic_id(name).expect("created");
        TopicPartition::new(id, 0)
    }

    fn with<R>(&mut self, node: NodeId, run: impl FnOnce(&mut dyn Node, Time, &mut Outbox<'_>) -> R) -> R {
        let mut effects = Vec::new();
        let mut out = Outbox::new(&mut effects, &mut self.random);
        let result = if node == CONTROLLER {
            run(&mut self.controller, self.now, &mut out)
        } else {
            let broker = self.brokers.get_mut(&BrokerId::from(node)).expect("a broker");
            run(broker, self.now, &mut out)
        };
        for effect in effects {
            self.carry_out(node, effect);
        }
        result
    }

    fn push(&mut self, at: Time, what: What) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), what);
    }

    fn connection(&self, client: NodeId, server: NodeId, channel: Channel) -> ConnectionId {
        let generation = |node| self.generations.get(&node).copied().unwrap_or(0);
        ConnectionId { client, server, channel, generation: generation(client) + generation(server) }
    }

    fn carry_out(&mut self, node: NodeId, effect: Effect) {
        let arrival = self.now + LATENCY;
        match effect {
            Effect::Request { to, channel, correlation_id, request } => {
                let connection = self.connection(node, to, channel);
                if !self.is_running(to) {
                    return self.push(arrival + LATENCY, What::Disconnected(node, to, connection));
                }
                self.send(node, to, connection, correlation_id, Body::Request(request));
            }
            Effect::Respond { to, response } => {
                let client = to.connection.client;
                if to.connection == self.connection(client, node, to.connection.channel) {
                    self.send(node, client, to.connection, to.correlation_id, Body::Response(response));
                }
            }
            Effect::Disconnect { peer: CLIENT, channel } => self.closed.push((node, channel)),
            Effect::Disconnect { .. } | Effect::Halt => {}
            Effect::SetTimer(timer, at) => {
                self.sequence += 1;
                self.timers.insert((node, timer), self.sequence);
                let (at, sequence) = (at.max(self.now), self.sequence);
                self.queue.insert((at, sequence), What::Timer(node, timer, sequence));
            }
            Effect::CancelTimer(timer) => {
                self.timers.remove(&(node, timer));
            }
            Effect::Exit => self.end_connections(BrokerId::from(node)),
            Effect::Emit(event) => self.events.push((self.now, node, event)),
        }
    }

    fn send(&mut self, from: NodeId, to: NodeId, connection: ConnectionId, correlation_id: u32, body: Body) {
        let message = Message { id: MessageId(self.sequence), connection, correlation_id, body };
        self.push(self.now + LATENCY, What::Deliver(from, to, message));
    }

    fn is_running(&self, node: NodeId) -> bool {
        if node == CONTROLLER && self.controller_is_cut_off {
            return false;
        }
        self.brokers.get(&BrokerId::from(node)).is_none_or(Broker::is_running)
    }

    fn step(&mut self) {
        let Some(((at, _), what)) = self.queue.pop_first() else { return };
        self.now = at;
        self.steps += 1;
        match what {
            What::Deliver(from, to, message) => self.deliver(from, to, message),
            What::Disconnected(node, peer, connection) if node != CLIENT && self.is_running(node) => {
                self.with(node, |node, now, out| node.on_disconnect(now, peer, connection, out));
            }
            What::Timer(node, timer, sequence) if self.timers.get(&(node, timer)) == Some(&sequence) => {
                self.timers.remove(&(node, timer));
                self.with(node, |node, now, out| node.on_timer(now, timer, out));
            }
            _ => {}
        }
    }

    fn deliver(&mut self, from: NodeId, to: NodeId, message: Message) {
        let c = message.connection;
        if c != self.connection(c.client, c.server, c.channel) {
            return;
        }
        if to == CLIENT {
            if let Body::Response(response) = message.body {
                self.answers.insert(message.correlation_id, response);
            }
        } else if self.is_running(to) {
            self.with(to, |node, now, out| node.on_message(now, from, message, out));
        }
    }

    pub fn run_for(&mut self, millis: u64) {
        self.run_until(self.now + Duration::from_millis(millis));
    }

    pub fn run_until(&mut self, end: Time) {
        while self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= end) {
            self.step();
        }
        self.now = end;
    }

    /// Sends a request from the client; its correlation id.
    pub fn send_request(&mut self, broker: i32, channel: Channel, request: Request) -> u32 {
        self.correlation += 1;
        let connection = self.connection(CLIENT, BrokerId(broker).node(), channel);
        self.send(CLIENT, BrokerId(broker).node(), connection, self.correlation, Body::Request(request));
        self.correlation
    }

    /// Sends a request and waits for the answer.
    pub fn call(&mut self, broker: i32, request: Request) -> Response {
        let correlation = self.send_request(broker, Channel::Producer, request);
        let patience = self.now + Duration::from_millis(60_000);
        while !self.answers.contains_key(&correlation) && self.now < patience {
            self.step();
        }
        self.answers.remove(&correlation).expect("an answer within a minute")
    }

    /// Asks whoever runs until there is a coordinator.
    pub fn find_coordinator(&mut self, key: &str, key_type: CoordinatorType) -> i32 {
        for _ in 0..200 {
            let running = self.brokers.values().find(|broker| broker.is_running()).expect("one").id();
            let request = Request::FindCoordinator(FindCoordinatorRequest { key: key.into(), key_type });
            let Response::FindCoordinator(response) = self.call(running.0, request) else { panic!() };
            if !response.error.is_error() {
                return response.node.0;
            }
            assert_eq!(response.error, ErrorCode::CoordinatorNotAvailable);
            self.run_for(100);
        }
        panic!("no coordinator")
    }

    pub fn crash(&mut self, broker: i32, crash: Crash) {
        let (now, random) = (self.now, &mut self.random);
        self.brokers.get_mut(&BrokerId(broker)).expect("a broker").on_crash(now, crash, random);
        self.end_connections(BrokerId(broker));
    }

    /// The broker is asked to stop.
    pub fn shut_down(&mut self, broker: i32) {
        self.with(BrokerId(broker).node(), |node, now, out| node.on_shutdown(now, out));
    }

    /// From now on nothing reaches the controller.
    pub fn cut_off_controller(&mut self) {
        self.controller_is_cut_off = true;
    }

    fn end_connections(&mut self, broker: BrokerId) {
        let (node, now) = (broker.node(), self.now);
        self.timers.retain(|(owner, _), _| *owner != node);
        // Everyone who had a connection hears of it.
        let peers: Vec<NodeId> = self.brokers.keys().map(|id| id.node()).chain([CONTROLLER]).collect();
        for peer in peers.into_iter().filter(|peer| *peer != node) {
            for channel in BETWEEN_BROKERS {
                let (there, back) = (self.connection(peer, node, channel), self.connection(node, peer, channel));
                self.push(now + LATENCY, What::Disconnected(peer, node, there));
                self.push(now + LATENCY, What::Disconnected(peer, node, back));
            }
        }
        *self.generations.entry(node).or_default() += 1;
    }

    pub fn restart(&mut self, broker: i32) {
        self.with(BrokerId(broker).node(), |node, now, out| node.on_start(now, out));
    }

    pub fn broker(&self, broker: i32) -> &Broker {
        &self.brokers[&BrokerId(broker)]
    }

    /// The leader, as the controller has it.
    pub fn leader(&self, id: TopicPartition) -> i32 {
        self.controller.image().partition(id).expect("a partition").leader.0
    }

    pub fn isr(&self, id: TopicPartition) -> Vec<i32> {
        self.controller.image().partition(id).expect("a partition").isr.iter().map(|broker| broker.0).collect()
    }
}
