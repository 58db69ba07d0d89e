//! A cluster and its applications, run.
//!
//! The cluster boots before [`Time::ORIGIN`] by the real protocol: brokers register, a client creates the topics, consumers
//! find their coordinator. Faults and producers begin at the origin.

use super::admin::Admin;
use super::any_node::AnyNode;
use super::engine::{Engine, Process, Recorded};
use super::fault::Fault;
use super::network::{Link, NetworkSetup};
use super::post::{Content, HELD};
use crate::app::{
    ConsumerApp, ConsumerAppSetup, ProcessorApp, ProcessorAppSetup, ProducerApp, ProducerAppSetup, SinkNode,
    SinkNodeSetup,
};
use crate::base::config::{BrokerConfig, Properties};
use crate::base::{BrokerId, Duration, NodeId, StateHash, Time, TopicId};
use crate::broker::{Broker, BrokerSetup};
use crate::client::consumer::Consumer;
use crate::controller::{Controller, ControllerSetup};
use crate::metadata::MetadataImage;
use crate::node::{ConnectionId, Message, MessageSummary};
use crate::protocol::{ErrorCode, NewTopic};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// `cluster.id`.
pub const CLUSTER_ID: &str = "delivery-lab";

/// All that a world is made of. Its fields decide everything that will ever happen in it.
#[derive(Clone, Debug)]
pub struct WorldSetup {
    /// Decides all chance.
    pub seed: u64,
    /// How many brokers: nodes 0, 1, ….
    pub brokers: u16,
    /// `broker.rack` of each broker, over and over; none for a cluster in one place.
    pub racks: Vec<Rc<str>>,
    /// How many controllers: the nodes after the brokers.
    pub controllers: u16,
    /// Settings of every broker and controller.
    pub broker_config: Rc<BrokerConfig>,
    /// Created while the cluster boots; they get the topic ids 1, 2, …
    pub topics: Vec<NewTopic>,
    /// Settings of groups, made while the cluster boots.
    pub group_configs: Vec<(Rc<str>, Properties)>,
    /// Latency.
    pub network: NetworkSetup,
    /// The nodes after the controllers. `node` and `brokers` are filled in by [`World::new`].
    pub producers: Vec<ProducerAppSetup>,
    /// The nodes after the producers. `node` and `brokers` are filled in by [`World::new`].
    pub consumers: Vec<ConsumerAppSetup>,
    /// The nodes after the consumers. `node` and `brokers` are filled in by [`World::new`].
    pub processors: Vec<ProcessorAppSetup>,
    /// The nodes after the processors. `node` is filled in by [`World::new`].
    pub sinks: Vec<SinkNodeSetup>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

impl WorldSetup {
    /// The names of all nodes, by node id: `broker-0`, `controller-0`, applications by their own.
    pub fn names(&self) -> Vec<Rc<str>> {
        let brokers = (0..self.brokers).map(|index| Rc::from(format!("broker-{index}")));
        let controllers = (0..self.controllers).map(|index| Rc::from(format!("controller-{index}")));
        let producers = self.producers.iter().map(|app| app.name.clone());
        let consumers = self.consumers.iter().map(|app| app.name.clone());
        let processors = self.processors.iter().map(|app| app.name.clone());
        let sinks = self.sinks.iter().map(|sink| sink.name.clone());
        brokers.chain(controllers).chain(producers).chain(consumers).chain(processors).chain(sinks).collect()
    }

    /// The node of that name.
    pub fn node_id(&self, name: &str) -> Option<NodeId> {
        let place = self.names().iter().position(|known| **known == *name)?;
        u16::try_from(place).ok().map(NodeId)
    }
}

/// Whoever reads is there before the first record: its coordinator is found and its positions are known at the origin.
const CONSUMERS_START: Time = Time(5_000_000);

/// When a node's process starts.
fn starts(node: &AnyNode) -> Time {
    match node {
        AnyNode::Producer(app) => app.setup().start.unwrap_or(Time::ORIGIN),
        AnyNode::Consumer(app) => app.setup().start.unwrap_or(CONSUMERS_START),
        AnyNode::Processor(app) => app.setup().start.unwrap_or(CONSUMERS_START),
        AnyNode::Broker(_) | AnyNode::Controller(_) | AnyNode::Admin(_) | AnyNode::Sink(_) => Time::ZERO,
    }
}

fn start_times(engine: &Engine<AnyNode>) -> Vec<(NodeId, Time)> {
    engine.node_ids().zip(engine.nodes.iter().map(|slot| starts(&slot.node))).collect()
}

/// Why a world could not be made: a topic could not be created.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("topic {topic} could not be created: {error}")]
pub struct BootError {
    /// Which.
    pub topic: Rc<str>,
    /// What the controller said; `REQUEST_TIMED_OUT` if nothing.
    pub error: ErrorCode,
}

/// One event handled.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// When.
    pub at: Time,
    /// What was recorded, in order. May be empty.
    pub events: &'a [Recorded],
}

/// A message on its way.
#[derive(Clone, Copy, Debug)]
pub struct InFlight<'a> {
    /// The message.
    pub message: &'a Message,
    /// From where.
    pub from: NodeId,
    /// To where.
    pub to: NodeId,
    /// On which connection.
    pub connection: ConnectionId,
    /// When it left.
    pub sent: Time,
    /// When it arrives, or would if nothing held it up.
    pub arrives: Time,
    /// It hangs: on a stalled connection, at a cut link, before a machine without power.
    pub held: bool,
    /// What a timeline says of it; none if it left while nobody traced.
    pub summary: Option<&'a Rc<MessageSummary>>,
}

/// A cluster and its applications. Cloning it is a checkpoint.
#[derive(Clone, Debug)]
pub struct World {
    engine: Engine<AnyNode>,
    setup: Rc<WorldSetup>,
    names: Rc<[Rc<str>]>,
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.engine.hash(state);
    }
}

impl World {
    /// Boots a cluster: afterwards the time is [`Time::ORIGIN`], topics exist, consumers poll, producers are about to start.
    pub fn new(mut setup: WorldSetup) -> Result<World, BootError> {
        let mut names = setup.names();
        let brokers: Rc<[NodeId]> = (0..setup.brokers).map(NodeId).collect();
        let first = setup.brokers + setup.controllers;
        let controllers: Rc<[NodeId]> = (setup.brokers..first).map(NodeId).collect();
        let apps = setup.producers.iter_mut().map(|app| (&mut app.node, &mut app.brokers));
        let apps = apps.chain(setup.consumers.iter_mut().map(|app| (&mut app.node, &mut app.brokers)));
        let apps = apps.chain(setup.processors.iter_mut().map(|app| (&mut app.node, &mut app.brokers)));
        for (node, (own, cluster)) in (first..).zip(apps) {
            *own = NodeId(node);
            *cluster = brokers.clone();
        }
        let apps = setup.producers.len() + setup.consumers.len() + setup.processors.len();
        for (node, sink) in (first + apps as u16..).zip(&mut setup.sinks) {
            sink.node = NodeId(node);
        }
        let mut nodes = Self::cluster(&setup, &brokers, &controllers);
        nodes.extend(setup.producers.iter().map(|app| AnyNode::Producer(Rc::new(ProducerApp::new(app.clone())))));
        nodes.extend(setup.consumers.iter().map(|app| AnyNode::Consumer(Rc::new(ConsumerApp::new(app.clone())))));
        nodes.extend(setup.processors.iter().map(|app| AnyNode::Processor(Rc::new(ProcessorApp::new(app.clone())))));
        nodes.extend(setup.sinks.iter().map(|sink| AnyNode::Sink(Rc::new(SinkNode::new(sink.clone())))));
        nodes.push(AnyNode::Admin(Rc::new(Admin::new(brokers, controllers, &setup.topics, &setup.group_configs))));
        names.push(Rc::from("admin"));

        let mut engine = Engine::new(setup.seed, &names, nodes, setup.network);
        engine.counting = false;
        engine.tracer.enabled = false;
        engine.last_topic = u32::try_from(setup.topics.len()).expect("invariant: topic ids have 32 bits");
        for (node, at) in start_times(&engine).into_iter().filter(|(_, at)| *at == Time::ZERO) {
            engine.start_at(node, at);
        }
        for fault in &setup.faults {
            engine.plan_fault(fault.clone());
        }
        let mut world = World { engine, setup: Rc::new(setup), names: names.into() };
        world.boot()?;
        Ok(world)
    }

    fn cluster(setup: &WorldSetup, brokers: &[NodeId], controllers: &Rc<[NodeId]>) -> Vec<AnyNode> {
        let cluster_id: Rc<str> = Rc::from(CLUSTER_ID);
        let config = &setup.broker_config;
        let broker = |node: &NodeId| {
            let (controllers, config) = (controllers.clone(), config.clone());
            let id = BrokerId::from(*node);
            let rack = setup.racks.get(usize::from(node.0) % setup.racks.len().max(1)).cloned();
            let setup = BrokerSetup { id, controllers, config, cluster_id: cluster_id.clone(), rack };
            AnyNode::Broker(Rc::new(Broker::new(setup)))
        };
        let controller = |node: &NodeId| {
            let (voters, config, cluster_id) = (controllers.clone(), config.clone(), cluster_id.clone());
            let setup = ControllerSetup { node: *node, voters, config, cluster_id };
            AnyNode::Controller(Rc::new(Controller::new(setup)))
        };
        brokers.iter().map(broker).chain(controllers.iter().map(controller)).collect()
    }

    fn boot(&mut self) -> Result<(), BootError> {
        // Applications come when the topics are there: what they make the cluster create is numbered after these.
        while self.missing_topic().is_some() && self.engine.step_before(Time::ORIGIN) {}
        for (node, at) in start_times(&self.engine).into_iter().filter(|(_, at)| *at > Time::ZERO) {
            self.engine.start_at(node, at.max(self.engine.now));
        }
        while self.engine.step_before(Time::ORIGIN) {}
        self.engine.recorded.clear();
        self.engine.now = Time::ORIGIN;
        self.engine.counting = true;
        self.engine.tracer.enabled = true;
        self.missing_topic().map_or(Ok(()), |(topic, error)| Err(BootError { topic, error }))
    }

    /// The first topic of the setup that is not created, and why.
    fn missing_topic(&self) -> Option<(Rc<str>, ErrorCode)> {
        self.engine.nodes.iter().find_map(|slot| match &slot.node {
            AnyNode::Admin(admin) => admin.failure(),
            _ => None,
        })
    }

    // ---- running ----

    /// Handles exactly one event. None when nothing will ever happen again.
    pub fn step(&mut self) -> Option<Step<'_>> {
        self.step_before(Time::MAX)
    }

    /// Handles exactly one event, if there is one before `limit`.
    pub fn step_before(&mut self, limit: Time) -> Option<Step<'_>> {
        let stepped = self.engine.step_before(limit);
        stepped.then_some(Step { at: self.engine.now, events: &self.engine.recorded })
    }

    /// What the last step recorded.
    pub fn recorded(&self) -> &[Recorded] {
        &self.engine.recorded
    }

    /// Adds a fault. What is to happen at once happens in the next step, before anything else.
    pub fn inject(&mut self, fault: Fault) {
        self.engine.inject(fault);
    }

    /// Whether messages are summarised and their comings and goings recorded. Changes no state and no count.
    pub fn set_tracing(&mut self, tracing: bool) {
        self.engine.tracer.enabled = tracing;
    }

    /// The present.
    pub fn now(&self) -> Time {
        self.engine.now
    }

    /// When the next event may happen (or later: what is queued may turn out to be out of date).
    pub fn next_at(&self) -> Option<Time> {
        self.engine.queue.next_at()
    }

    /// How many events were handled, booting included.
    pub fn steps(&self) -> u64 {
        self.engine.steps
    }

    /// The id that the next recorded event gets.
    pub fn next_event_id(&self) -> u64 {
        self.engine.next_event
    }

    /// A hash of the whole state.
    pub fn state_hash(&self) -> StateHash {
        StateHash::of(self)
    }

    /// Nobody waits for anything: no fault, start, resumption or healing is planned; every application that runs is done,
    /// and every consumer that runs has read all that its partitions' leaders hold. Dead applications do not count.
    pub fn is_quiet(&self) -> bool {
        super::quiet::is_quiet(self)
    }

    /// Whether a consumer, or the share group it is in, has done with all that there is in its topics.
    pub fn has_had_all(&self, app: &ConsumerApp) -> bool {
        super::quiet::has_had_all(self, app)
    }

    /// Whether a reader's positions are at the end of all that can be read in these topics.
    pub fn has_read_all(&self, reader: Option<&Consumer>, topics: &[Rc<str>]) -> bool {
        super::quiet::has_read_all(self, reader, topics)
    }

    /// No process is about to stop, no partition on the move, and the administrator has all answers.
    pub(super) fn is_settled(&self) -> bool {
        let stopping = self.engine.nodes.iter().any(|slot| slot.stopping);
        let asking = self.nodes().any(|(_, node)| matches!(node, AnyNode::Admin(admin) if !admin.is_idle()));
        let moves = |controller: &Controller| controller.image().partitions().any(|(_, it)| it.is_reassigning());
        !stopping && !asking && !self.controller().is_some_and(moves)
    }

    /// How many faults, starts, resumptions and healings are planned.
    pub fn pending(&self) -> u32 {
        self.engine.pending
    }

    // ---- looking ----

    /// What it was made of.
    pub fn setup(&self) -> &Rc<WorldSetup> {
        &self.setup
    }

    /// The names of all nodes, by node id. The last one is the world's own client.
    pub fn names(&self) -> &Rc<[Rc<str>]> {
        &self.names
    }

    /// A node's name.
    pub fn name(&self, node: NodeId) -> &Rc<str> {
        &self.names[usize::from(node.0)]
    }

    /// The node of that name.
    pub fn node_id(&self, name: &str) -> Option<NodeId> {
        self.engine.node_ids().find(|node| **self.name(*node) == *name)
    }

    /// All nodes, by node id.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &AnyNode)> {
        self.engine.node_ids().zip(self.engine.nodes.iter().map(|slot| &slot.node))
    }

    /// One node. Its state is readable whether or not its process lives.
    pub fn node(&self, node: NodeId) -> &AnyNode {
        &self.engine.slot(node).node
    }

    /// How a process is.
    pub fn process(&self, node: NodeId) -> Process {
        self.engine.slot(node).process
    }

    /// Whether the process runs (perhaps paused).
    pub fn is_alive(&self, node: NodeId) -> bool {
        self.process(node) == Process::Running
    }

    /// Until when a process is paused (`Time::MAX`: until somebody resumes it), if it is.
    pub fn paused_until(&self, node: NodeId) -> Option<Time> {
        self.engine.slot(node).paused_until
    }

    /// When a dead process starts again, if that is planned.
    pub fn starts_at(&self, node: NodeId) -> Option<Time> {
        self.engine.slot(node).start_at
    }

    /// By how many milliseconds a node's clock is wrong.
    pub fn clock_skew_ms(&self, node: NodeId) -> i64 {
        self.engine.slot(node).skew_us / 1_000
    }

    /// Whether a node's disk is full, and how much slower it is than it should be.
    pub fn disk(&self, node: NodeId) -> (bool, Duration) {
        let disk = &self.engine.slot(node).disk;
        (disk.full_until.is_some(), disk.slower_by(self.now()))
    }

    /// The link from one node to another.
    pub fn link(&self, from: NodeId, to: NodeId) -> &Link {
        self.engine.network.link(from, to)
    }

    /// The broker, if there is one with that id.
    pub fn broker(&self, broker: BrokerId) -> Option<&Broker> {
        let node = u16::try_from(broker.0).ok().filter(|id| *id < self.setup.brokers)?;
        match self.node(NodeId(node)) {
            AnyNode::Broker(broker) => Some(broker),
            _ => None,
        }
    }

    /// All brokers, dead ones too.
    pub fn brokers(&self) -> impl Iterator<Item = (NodeId, &Broker)> {
        self.nodes().filter_map(|(node, it)| match it {
            AnyNode::Broker(broker) => Some((node, &**broker)),
            _ => None,
        })
    }

    /// All controllers, dead ones too.
    pub fn controllers(&self) -> impl Iterator<Item = (NodeId, &Controller)> {
        let first = self.setup.brokers;
        (first..first + self.setup.controllers).map(NodeId).filter_map(|node| match self.node(node) {
            AnyNode::Controller(controller) => Some((node, &**controller)),
            _ => None,
        })
    }

    /// The active controller: the one that decides. A deposed one that does not know it counts less than its successor.
    pub fn active_controller(&self) -> Option<(NodeId, &Controller)> {
        let alive = self.controllers().filter(|(node, it)| self.is_alive(*node) && it.epoch().is_some());
        alive.max_by_key(|(_, it)| it.epoch())
    }

    /// The active controller. While there is none, the first that is alive, or just the first.
    pub fn controller(&self) -> Option<&Controller> {
        let any = || self.controllers().find(|(node, _)| self.is_alive(*node)).or_else(|| self.controllers().next());
        self.active_controller().or_else(any).map(|(_, controller)| controller)
    }

    /// The cluster as the quorum has committed it: what whoever knows most of it knows.
    pub fn image(&self) -> Option<&MetadataImage> {
        self.controllers().map(|(_, it)| it.committed_image()).max_by_key(|image| image.offset())
    }

    /// All applications that produce.
    pub fn producers(&self) -> impl Iterator<Item = (NodeId, &ProducerApp)> {
        self.nodes().filter_map(|(node, it)| match it {
            AnyNode::Producer(app) => Some((node, &**app)),
            _ => None,
        })
    }

    /// All applications that consume.
    pub fn consumers(&self) -> impl Iterator<Item = (NodeId, &ConsumerApp)> {
        self.nodes().filter_map(|(node, it)| match it {
            AnyNode::Consumer(app) => Some((node, &**app)),
            _ => None,
        })
    }

    /// All applications that read, process and produce.
    pub fn processors(&self) -> impl Iterator<Item = (NodeId, &ProcessorApp)> {
        self.nodes().filter_map(|(node, it)| match it {
            AnyNode::Processor(app) => Some((node, &**app)),
            _ => None,
        })
    }

    /// All external systems that are nodes of their own.
    pub fn sinks(&self) -> impl Iterator<Item = (NodeId, &SinkNode)> {
        self.nodes().filter_map(|(node, it)| match it {
            AnyNode::Sink(sink) => Some((node, &**sink)),
            _ => None,
        })
    }

    /// The id of a topic of the setup.
    pub fn topic_id(&self, name: &str) -> Option<TopicId> {
        let place = self.setup.topics.iter().position(|topic| *topic.name == *name)?;
        u32::try_from(place + 1).ok().map(TopicId)
    }

    /// The messages on their way, in no particular order.
    pub fn in_flight(&self) -> impl Iterator<Item = InFlight<'_>> {
        self.engine.post.iter().filter_map(|(_, parcel)| match &parcel.content {
            Content::Message(message) => Some(InFlight {
                message,
                from: parcel.from,
                to: parcel.to,
                connection: parcel.connection,
                sent: parcel.sent,
                arrives: parcel.arrives,
                held: parcel.sequence == HELD,
                summary: parcel.summary.as_ref(),
            }),
            Content::Closed => None,
        })
    }
}
