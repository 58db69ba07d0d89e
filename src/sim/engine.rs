//! The engine under the world: time, queue, processes, effects. It is generic over what a node is, so that its tests need
//! no Kafka.
//!
//! Invariants: one step handles exactly one event; ids of recorded events are counted whether or not tracing builds them,
//! so that tracing changes neither the state nor the count; buffers and tracing are no part of the state.

use super::fault::{Action, EventKind, Fault, Trigger};
use super::network::{Network, NetworkSetup};
use super::plan::Plan;
use super::post::Post;
use super::queue::{Entry, Queue, What};
use super::summary::Tracer;
use super::task::AdminTask;
use super::timers::Timers;
use crate::base::{Duration, NodeId, Offset, Prng, Time, TopicPartition};
use crate::node::{Effect, Event, Node, Outbox};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// What the engine asks of a node beyond [`Node`].
pub trait Machine: Node + Clone + Hash {
    /// Begins a task, if this node is the administrator.
    fn administer(&mut self, _now: Time, _task: &AdminTask, _out: &mut Outbox<'_>) {}

    /// Changes a byte of a batch on its disk; where, if there is such a batch. What is left open is decided by `luck`.
    fn corrupt(
        &mut self,
        _log: Option<(&str, u32)>,
        _offset: Option<Offset>,
        _luck: &mut Prng,
    ) -> Option<TopicPartition> {
        None
    }

    /// From now on its disk takes no more bytes, or takes them again. False if it has no disk that could be full.
    fn set_disk_full(&mut self, _full: bool) -> bool {
        false
    }
}

/// An event as it is recorded.
#[derive(Clone, PartialEq, Debug)]
pub struct Recorded {
    /// Rises; unique in a run.
    pub id: u64,
    /// When.
    pub at: Time,
    /// Where.
    pub node: NodeId,
    /// The event that led to it, 0 for none.
    pub cause: u64,
    /// What.
    pub event: Event,
}

/// How a process is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Process {
    /// Not started yet.
    Waiting,
    /// Alive (perhaps paused).
    Running,
    /// Dead; its machine still refuses connections for it.
    Crashed,
    /// Ended by itself, in an orderly way.
    Stopped,
    /// Dead with its machine; silence.
    PoweredOff,
}

/// One process and what the world keeps for it.
#[derive(Clone, Hash, Debug)]
pub(super) struct Slot<N> {
    pub node: N,
    pub process: Process,
    pub random: Prng,
    pub timers: Timers,
    pub skew_us: i64,
    /// While it is paused: until when (`Time::MAX` if nobody knows).
    pub paused_until: Option<Time>,
    /// It was asked to stop, and has not yet.
    pub stopping: bool,
    /// It starts again so long after it has stopped.
    pub restart_after: Option<Duration>,
    /// When a planned start happens.
    pub start_at: Option<Time>,
    /// What came up during a pause.
    pub waiting: Vec<Entry>,
    pub disk: DiskTrouble,
}

/// What is wrong with a disk.
#[derive(Clone, Copy, Hash, Debug)]
pub(super) struct DiskTrouble {
    slow_by: Duration,
    slow_until: Time,
    /// While it is full: until when (`Time::MAX` if nobody knows).
    pub full_until: Option<Time>,
    /// The process ended itself because of it.
    pub halted: bool,
}

impl DiskTrouble {
    const NONE: DiskTrouble =
        DiskTrouble { slow_by: Duration::ZERO, slow_until: Time::ZERO, full_until: None, halted: false };

    pub fn slow(&mut self, by: Duration, until: Time) {
        (self.slow_by, self.slow_until) = (by, until);
    }

    /// By how much it is slower now.
    pub fn slower_by(&self, now: Time) -> Duration {
        if now < self.slow_until { self.slow_by } else { Duration::ZERO }
    }
}

impl<N> Slot<N> {
    /// What its clock shows.
    pub fn clock(&self, now: Time) -> Time {
        Time(now.0.saturating_add_signed(self.skew_us))
    }
}

/// Time, queue, network, faults and nodes.
#[derive(Clone, Debug)]
pub(super) struct Engine<N> {
    pub now: Time,
    pub queue: Queue,
    pub network: Network,
    pub post: Post,
    pub nodes: Vec<Slot<N>>,
    pub plan: Plan,
    /// Faults, starts, resumptions and healings that are queued.
    pub pending: u32,
    pub steps: u64,
    pub next_event: u64,
    pub next_message: u64,
    pub next_order: u64,
    /// Whether triggers count; not while the cluster boots.
    pub counting: bool,
    /// Topics above this one are internal: triggers do not see them.
    pub last_topic: u32,
    // ---- no part of the state ----
    pub tracer: Tracer,
    pub recorded: Vec<Recorded>,
    effects: Vec<Effect>,
}

impl<N: Hash> Hash for Engine<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.now, self.pending, self.steps, self.next_event, self.next_message, self.next_order).hash(state);
        (self.counting, self.last_topic).hash(state);
        self.queue.hash(state);
        self.network.hash(state);
        self.post.hash(state);
        self.nodes.hash(state);
        self.plan.hash(state);
    }
}

impl<N: Machine> Engine<N> {
    /// Nodes that do not run yet.
    pub fn new(seed: u64, names: &[Rc<str>], nodes: Vec<N>, network: NetworkSetup) -> Self {
        let slot = |(name, node): (&Rc<str>, N)| Slot {
            node,
            process: Process::Waiting,
            random: Prng::split(seed, &format!("node {name}")),
            timers: Timers::new(),
            skew_us: 0,
            paused_until: None,
            stopping: false,
            restart_after: None,
            start_at: None,
            waiting: Vec::new(),
            disk: DiskTrouble::NONE,
        };
        Engine {
            now: Time::ZERO,
            queue: Queue::new(),
            network: Network::new(seed, names, network),
            post: Post::default(),
            nodes: names.iter().zip(nodes).map(slot).collect(),
            plan: Plan::default(),
            pending: 0,
            steps: 0,
            next_event: 1,
            next_message: 1,
            next_order: 0,
            counting: true,
            last_topic: u32::MAX,
            tracer: Tracer::new(),
            recorded: Vec::new(),
            effects: Vec::new(),
        }
    }

    pub fn slot(&self, node: NodeId) -> &Slot<N> {
        &self.nodes[usize::from(node.0)]
    }

    pub fn slot_mut(&mut self, node: NodeId) -> &mut Slot<N> {
        &mut self.nodes[usize::from(node.0)]
    }

    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + use<N> {
        let count = u16::try_from(self.nodes.len()).expect("invariant: node ids have 16 bits");
        (0..count).map(NodeId)
    }

    /// The process will start then.
    pub fn start_at(&mut self, node: NodeId, at: Time) {
        self.slot_mut(node).start_at = Some(at);
        self.plan_for(at, What::Start(node));
    }

    /// Queues something that [`pending`](Engine::pending) counts.
    pub fn plan_for(&mut self, at: Time, what: What) {
        self.pending += 1;
        self.queue.push(at, what);
    }

    /// Adds a fault before the run.
    pub fn plan_fault(&mut self, fault: Fault) {
        let at = fault.trigger.time();
        let place = self.plan.add(fault);
        match at {
            Some(at) => self.plan_for(at.max(self.now), What::Fault(place)),
            None => self.plan.arm(place),
        }
    }

    /// Adds a fault during the run: what is to happen at once happens in the next step.
    pub fn inject(&mut self, fault: Fault) {
        let at = match fault.trigger {
            Trigger::At(at) | Trigger::OnMessageId(_, at) => at.max(self.now),
            Trigger::OnMessage { .. } | Trigger::OnEvent { .. } => return self.plan_fault(fault),
        };
        let place = self.plan.add(fault);
        self.pending += 1;
        self.queue.push_urgent(at, What::Fault(place));
    }

    /// Handles the next event, if there is one before `limit`.
    pub fn step_before(&mut self, limit: Time) -> bool {
        self.recorded.clear();
        while self.queue.next_at().is_some_and(|at| at < limit) {
            let entry = self.queue.pop().expect("invariant: it was just seen");
            debug_assert!(entry.at >= self.now, "invariant: time does not go back");
            self.now = entry.at;
            if self.handle(entry) {
                self.steps += 1;
                return true;
            }
        }
        false
    }

    /// Whether the entry was an event; if not, it was out of date or has to wait.
    fn handle(&mut self, entry: Entry) -> bool {
        match entry.what {
            What::Deliver(parcel) => self.arrive(entry, parcel),
            What::Timer(node, timer) => {
                let slot = &mut self.nodes[usize::from(node.0)];
                if !slot.timers.is_live(timer, entry) {
                    return false;
                }
                if slot.paused_until.is_some() {
                    slot.waiting.push(entry);
                    return false;
                }
                let Some(cause) = slot.timers.fire(node, timer, self.now, &mut self.queue) else { return false };
                self.run(node, cause, |it, now, out| it.on_timer(now, timer, out));
                true
            }
            What::Start(node) => {
                self.pending -= 1;
                self.slot(node).start_at == Some(self.now) && self.start(node, 0)
            }
            What::Fault(place) => {
                self.pending -= 1;
                self.strike_planned(place)
            }
            What::Resume(node) => {
                self.pending -= 1;
                self.slot(node).paused_until == Some(self.now) && self.resume(node, 0)
            }
            What::Terminate(node) => {
                self.pending -= 1;
                let slot = self.slot(node);
                let hears = slot.stopping && slot.paused_until.is_none();
                if hears {
                    self.run(node, 0, |it, now, out| it.on_shutdown(now, out));
                }
                hears
            }
            What::Heal(from, to) => {
                self.pending -= 1;
                self.network.cut_ends(from, to, self.now) && self.heal(from, to, 0)
            }
            What::FreeDisk(node) => {
                self.pending -= 1;
                self.slot(node).disk.full_until == Some(self.now) && self.free_disk(node, 0)
            }
        }
    }

    /// The process starts, unless it runs.
    pub fn start(&mut self, node: NodeId, cause: u64) -> bool {
        let slot = self.slot_mut(node);
        slot.start_at = None;
        let before = slot.process;
        if before == Process::Running {
            return false;
        }
        slot.process = Process::Running;
        let started = self.record(node, cause, Event::Started);
        if before == Process::PoweredOff {
            for from in self.node_ids() {
                self.release(from, node);
            }
        }
        self.run(node, started, |it, now, out| it.on_start(now, out));
        true
    }

    /// Lets a node handle something, then does what it wants.
    pub fn run(&mut self, node: NodeId, cause: u64, handle: impl FnOnce(&mut N, Time, &mut Outbox<'_>)) {
        let mut effects = std::mem::take(&mut self.effects);
        let now = self.now;
        let slot = self.slot_mut(node);
        let clock = slot.clock(now);
        handle(&mut slot.node, clock, &mut Outbox::new(&mut effects, &mut slot.random));
        let mut halts = false;
        for effect in effects.drain(..) {
            if matches!(effect, Effect::Halt) {
                halts = true;
            } else {
                self.carry_out(node, cause, effect);
            }
        }
        self.effects = effects;
        if halts {
            self.halt(node, cause);
        }
    }

    fn carry_out(&mut self, node: NodeId, cause: u64, effect: Effect) {
        if let Effect::Emit(event) = effect {
            return self.emit(node, cause, event);
        }
        // It may have died of what it has just told: then it told it, but did nothing more.
        if self.slot(node).process != Process::Running {
            return;
        }
        match effect {
            Effect::Request { to, channel, correlation_id, request } => {
                self.request(node, to, channel, correlation_id, request, cause);
            }
            Effect::Respond { to, response } => self.respond(node, to, response, cause),
            Effect::Disconnect { peer, channel } => self.disconnect(node, peer, channel, cause),
            Effect::SetTimer(timer, at) => {
                let now = self.now;
                let slot = &mut self.nodes[usize::from(node.0)];
                if at == Time::MAX {
                    return slot.timers.cancel(timer);
                }
                let at = Time(at.0.saturating_add_signed(-slot.skew_us)).max(now);
                slot.timers.set(node, timer, at, cause, &mut self.queue);
            }
            Effect::CancelTimer(timer) => self.slot_mut(node).timers.cancel(timer),
            Effect::Exit => self.stopped(node, cause),
            Effect::Emit(_) | Effect::Halt => {}
        }
    }

    fn emit(&mut self, node: NodeId, cause: u64, event: Event) {
        let kind = if self.counting && self.plan.waits_for_events() { self.trigger_kind(&event) } else { None };
        // An effect that happens in a sink is also its program's.
        let by = if let Event::Processed { by, .. } = event { by } else { node };
        let id = self.record(node, cause, event);
        if let Some(kind) = kind {
            for action in self.plan.on_event(kind, [node, by]) {
                self.strike(&action, None, id);
            }
        }
    }

    /// What a fault can wait for in this event; internal topics do not count.
    fn trigger_kind(&self, event: &Event) -> Option<EventKind> {
        let kind = EventKind::of(event)?;
        let internal = match event {
            Event::Appended { partition, .. } | Event::HighWatermark { partition, .. } => {
                partition.topic.0 > self.last_topic || partition.topic.0 == 0
            }
            _ => false,
        };
        (!internal).then_some(kind)
    }

    /// Records an event and gives it its id.
    pub fn record(&mut self, node: NodeId, cause: u64, event: Event) -> u64 {
        let id = self.skip_event();
        self.recorded.push(Recorded { id, at: self.now, node, cause, event });
        id
    }

    /// The id of an event that only tracing would have built.
    pub fn skip_event(&mut self) -> u64 {
        let id = self.next_event;
        self.next_event += 1;
        id
    }

    /// Records an event that only tracing builds.
    pub fn trace(&mut self, node: NodeId, cause: u64, event: impl FnOnce() -> Event) -> u64 {
        if self.tracer.enabled { self.record(node, cause, event()) } else { self.skip_event() }
    }

    /// A fault of the plan is due.
    fn strike_planned(&mut self, place: u32) -> bool {
        let Trigger::OnMessageId(message, _) = self.plan.fault(place).trigger else {
            let action = self.plan.take(place);
            return action.is_some_and(|action| self.strike(&action, None, 0));
        };
        if message.0 >= self.next_message {
            self.plan.arm(place);
            return false;
        }
        let (Some(target), Some(action)) = (self.target(message), self.plan.take(place)) else { return false };
        self.strike(&action, Some(target), 0)
    }
}

impl Trigger {
    fn time(&self) -> Option<Time> {
        match self {
            Trigger::At(at) => Some(*at),
            _ => None,
        }
    }
}

impl Action {
    /// Whether it needs a message to act on.
    pub fn needs_message(&self) -> bool {
        matches!(self, Action::Reset | Action::Stall | Action::Delay { .. })
    }
}
