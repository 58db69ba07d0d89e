//! A node that follows a script, answers requests, and writes down what it hears.

use super::super::engine::{Engine, Machine};
use super::super::fault::{Action, Fault, MessageKind};
use super::super::network::NetworkSetup;
use crate::base::{Duration, NodeId, Prng, RecordId, StateHash, Time, TopicId, TopicPartition};
use crate::node::{Body, Channel, ConnectionId, Crash, Event, LoopTimer, Message, Node, Outbox, Timer};
use crate::protocol::{ApiKey, MetadataRequest, MetadataResponse, Request, Response};
use std::rc::Rc;

pub const A: NodeId = NodeId(0);
pub const B: NodeId = NodeId(1);
pub const C: NodeId = NodeId(2);

/// What a probe heard.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Heard {
    Started,
    /// A request, with its number, on the connection of that generation.
    Request(u32, u32),
    /// The answer to its request with that number.
    Response(u32),
    Gone(NodeId),
    Tick,
}

/// What a probe does at some time.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Do {
    Send(NodeId, u32),
    SendOn(NodeId, Channel, u32),
    Close(NodeId),
    /// Tells that a record was processed, then sends.
    TellAndSend(NodeId, u32),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Probe {
    script: Vec<(Time, Do)>,
    next: usize,
    pub heard: Vec<(u64, Heard)>,
}

impl Probe {
    fn hear(&mut self, now: Time, heard: Heard) {
        self.heard.push((now.0, heard));
    }

    fn set_timer(&self, out: &mut Outbox<'_>) {
        if let Some((at, _)) = self.script.get(self.next) {
            out.set_timer(Timer::Loop(LoopTimer::Generate), *at);
        }
    }
}

fn ask(out: &mut Outbox<'_>, to: NodeId, channel: Channel, number: u32) {
    out.request(to, channel, number, Request::Metadata(MetadataRequest { topics: Vec::new() }));
}

impl Node for Probe {
    fn on_start(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.hear(now, Heard::Started);
        self.set_timer(out);
    }

    fn on_message(&mut self, now: Time, _from: NodeId, message: Message, out: &mut Outbox<'_>) {
        match &message.body {
            Body::Request(_) => {
                self.hear(now, Heard::Request(message.correlation_id, message.connection.generation));
                let response = MetadataResponse { brokers: Vec::new(), racks: Default::default(), topics: Vec::new() };
                out.respond(message.context(), Response::Metadata(response));
            }
            Body::Response(_) => self.hear(now, Heard::Response(message.correlation_id)),
        }
    }

    fn on_disconnect(&mut self, now: Time, peer: NodeId, _connection: ConnectionId, _out: &mut Outbox<'_>) {
        self.hear(now, Heard::Gone(peer));
    }

    fn on_timer(&mut self, now: Time, _timer: Timer, out: &mut Outbox<'_>) {
        self.hear(now, Heard::Tick);
        let (_, action) = self.script[self.next].clone();
        self.next += 1;
        match action {
            Do::Send(to, number) => ask(out, to, Channel::Producer, number),
            Do::SendOn(to, channel, number) => ask(out, to, channel, number),
            Do::Close(peer) => out.disconnect(peer, Channel::Producer),
            Do::TellAndSend(to, number) => {
                let partition = TopicPartition::new(TopicId(1), 0);
                out.emit(Event::Processed { record: RecordId(number), partition, offset: 0, by: A });
                ask(out, to, Channel::Producer, number);
            }
        }
        self.set_timer(out);
    }

    fn on_crash(&mut self, _now: Time, _crash: Crash, _random: &mut Prng) {}
}

impl Machine for Probe {}

/// Three probes and their engine; `A` follows the script, from time 0.
pub struct Lab(pub Engine<Probe>);

pub fn ms(ms: u64) -> Time {
    Time(ms * 1_000)
}

pub const REQUEST: MessageKind = MessageKind { api: ApiKey::Metadata, response: false };
pub const RESPONSE: MessageKind = MessageKind { api: ApiKey::Metadata, response: true };

impl Lab {
    /// Messages take exactly 1 ms.
    pub fn new(script: &[(u64, Do)]) -> Lab {
        Lab::with(7, Duration::from_millis(1), Duration::from_millis(1), script)
    }

    pub fn with(seed: u64, latency_min: Duration, latency_max: Duration, script: &[(u64, Do)]) -> Lab {
        let names: Vec<Rc<str>> = ["a", "b", "c"].map(Rc::from).to_vec();
        let script = script.iter().map(|(at, action)| (ms(*at), action.clone())).collect();
        let nodes = vec![Probe { script, ..Probe::default() }, Probe::default(), Probe::default()];
        let mut engine = Engine::new(seed, &names, nodes, NetworkSetup { latency_min, latency_max });
        for node in [A, B, C] {
            engine.start_at(node, Time::ZERO);
        }
        Lab(engine)
    }

    pub fn fault(mut self, at: u64, action: Action) -> Lab {
        self.0.plan_fault(Fault::at(0, ms(at), action));
        self
    }

    pub fn on(mut self, kind: MessageKind, nth: u32, action: Action) -> Lab {
        self.0.plan_fault(Fault::on_message(0, kind, None, None, nth, action));
        self
    }

    /// Runs to the end of `until` milliseconds.
    pub fn run(mut self, until: u64) -> Lab {
        self.run_on(until);
        self
    }

    pub fn run_on(&mut self, until: u64) {
        while self.0.step_before(Time(ms(until).0 + 1)) {}
    }

    /// What a node heard apart from starts and ticks, with the time in milliseconds.
    pub fn heard(&self, node: NodeId) -> Vec<(u64, Heard)> {
        let heard = self.0.slot(node).node.heard.iter();
        let talk = heard.filter(|(_, heard)| !matches!(heard, Heard::Started | Heard::Tick));
        talk.map(|(at, heard)| (at / 1_000, heard.clone())).collect()
    }

    pub fn hash(&self) -> StateHash {
        StateHash::of(&self.0)
    }
}
