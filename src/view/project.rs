//! From a run to the picture of it.
//!
//! Invariant: what equals the section shown before *is* the section shown before, so that a page skips it by pointer.

use super::{
    ClusterView, LinkView, MessageFate, MessageView, NodeStatus, NodeView, Trouble, application, ledger, owners,
    processor, quorum, server,
};
use crate::base::{Duration, NodeId, Offset, RecordId, Time, TopicId, TopicPartition, sort_long};
use crate::check::Run;
use crate::node::MessageSummary;
use crate::sim::{AnyNode, InFlight, Process, World};
use std::rc::Rc;

/// A message that was lost a moment ago.
#[derive(Clone, PartialEq, Debug)]
pub struct LostMessage {
    /// Its number.
    pub id: u64,
    /// Sender.
    pub from: NodeId,
    /// Receiver.
    pub to: NodeId,
    /// When it left.
    pub sent: Time,
    /// When it was lost.
    pub lost: Time,
    /// What it was.
    pub summary: Rc<MessageSummary>,
}

/// Whose log was cut off, and which records went, by offset.
pub type Cut = (NodeId, TopicPartition, Rc<[(Offset, RecordId)]>);

/// What went a moment ago.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Recent {
    /// To be shown struck through.
    pub lost: Vec<LostMessage>,
    /// What was cut off the end of a broker's log: records and their offsets.
    pub cuts: Vec<Cut>,
}

/// The picture of a run. `before` is the last one.
pub fn project(run: &Run, events: u64, finished: bool, recent: &Recent, before: Option<&ClusterView>) -> ClusterView {
    let world = &run.world;
    let nodes = shown_nodes(world).map(|(id, node)| {
        let old = before.and_then(|view| view.nodes.get(usize::from(id.0)));
        reuse(node_view(run, id, node, recent, old.map(|view| &**view)), old)
    });
    let (ledger_view, verdict) = ledger::project(run, finished, before);
    let groups =
        owners::owner_lanes(&run.ownership, Time::ORIGIN, world.now(), |partition| partition_name(world, partition));
    ClusterView {
        time_us: world.now().us_since_origin(),
        events,
        finished,
        nodes: nodes.collect(),
        messages: messages(world, &recent.lost, before.map(|view| &view.messages)),
        links: reuse(links(world), before.map(|view| &view.links)),
        ledger: reuse(ledger_view, before.map(|view| &view.ledger)),
        verdict: reuse(verdict, before.map(|view| &view.verdict)),
        groups: reuse(groups, before.map(|view| &view.groups)),
    }
}

/// The old section if the new one says the same.
pub(super) fn reuse<T: PartialEq>(new: T, old: Option<&Rc<T>>) -> Rc<T> {
    match old {
        Some(old) if **old == new => Rc::clone(old),
        _ => Rc::new(new),
    }
}

/// All nodes but the last, which is the world's own client.
fn shown_nodes(world: &World) -> impl Iterator<Item = (NodeId, &AnyNode)> {
    world.nodes().take(world.names().len() - 1)
}

/// `orders-0`.
pub fn partition_name(world: &World, partition: TopicPartition) -> Rc<str> {
    let TopicPartition { topic: TopicId(topic), partition: index } = partition;
    let own = topic.checked_sub(1).and_then(|place| world.setup().topics.get(place as usize));
    if let Some(topic) = own {
        return Rc::from(format!("{}-{index}", topic.name));
    }
    let name = world.image().and_then(|image| image.topic_name(TopicId(topic))).unwrap_or(match topic {
        0 => crate::metadata::CLUSTER_METADATA_TOPIC,
        _ => "?",
    });
    Rc::from(format!("{name}-{index}"))
}

fn node_view(run: &Run, id: NodeId, node: &AnyNode, recent: &Recent, old: Option<&NodeView>) -> NodeView {
    let world = &run.world;
    let status = match world.process(id) {
        Process::Running if world.paused_until(id).is_some() => NodeStatus::Paused,
        Process::Running => match node {
            AnyNode::Broker(broker) if broker.is_fenced() => NodeStatus::Fenced,
            _ => NodeStatus::Up,
        },
        Process::Waiting => NodeStatus::Up,
        Process::Crashed => NodeStatus::Crashed,
        Process::Stopped => NodeStatus::Stopped,
        Process::PoweredOff => NodeStatus::PoweredOff,
    };
    let (doing, body) = match node {
        AnyNode::Broker(broker) => server::broker(run, id, broker, recent, old),
        AnyNode::Controller(controller) => quorum::controller(controller, world.now(), old),
        AnyNode::Producer(app) => application::producer(run, app),
        AnyNode::Consumer(app) => application::consumer(run, app),
        AnyNode::Processor(app) => processor::processor(run, app),
        AnyNode::Sink(it) => super::sink::sink_node(run, it),
        _ => unreachable!("invariant: the world's own client is not shown"),
    };
    let doing = match status {
        NodeStatus::Crashed | NodeStatus::Stopped | NodeStatus::PoweredOff => super::Activity::Dead,
        NodeStatus::Paused => super::Activity::Frozen,
        _ if world.process(id) == Process::Waiting => super::Activity::Idle,
        _ => doing,
    };
    let (full, slower) = world.disk(id);
    let trouble = match () {
        () if full => Some(Trouble::DiskFull),
        () if slower > Duration::ZERO => Some(Trouble::DiskSlow),
        () if world.clock_skew_ms(id) != 0 => Some(Trouble::WrongClock),
        () => None,
    };
    NodeView { id: id.0, name: Rc::clone(world.name(id)), status, trouble, doing, body }
}

/// In the order of their ids, each as it was before if nothing about it changed.
fn messages(
    world: &World,
    lost: &[LostMessage],
    before: Option<&Rc<Vec<Rc<MessageView>>>>,
) -> Rc<Vec<Rc<MessageView>>> {
    let shown = |from: NodeId, to: NodeId| usize::from(from.0.max(to.0)) < world.names().len() - 1;
    let flying = world.in_flight().filter(|message| shown(message.from, message.to));
    let flying = flying.filter_map(|message| Some(message_view(&message, message.summary?)));
    let lost = lost.iter().filter(|lost| shown(lost.from, lost.to)).map(|lost| MessageView {
        arrives_us: Some(lost.lost.us_since_origin()),
        fate: MessageFate::Lost,
        ..summary_view(lost.id, lost.from, lost.to, lost.sent, &lost.summary)
    });
    let old = |id: u64| before.and_then(|all| all.get(all.binary_search_by_key(&id, |it| it.id).ok()?));
    let mut all: Vec<Rc<MessageView>> = flying
        .chain(lost)
        .map(|new| {
            let old = old(new.id);
            reuse(new, old)
        })
        .collect();
    sort_long(&mut all, |a, b| a.id < b.id);
    reuse(all, before)
}

fn message_view(message: &InFlight<'_>, summary: &MessageSummary) -> MessageView {
    let flying = !message.held;
    MessageView {
        arrives_us: flying.then_some(message.arrives.us_since_origin()),
        fate: if flying { MessageFate::Flying } else { MessageFate::Stalled },
        ..summary_view(message.message.id.0, message.from, message.to, message.sent, summary)
    }
}

fn summary_view(id: u64, from: NodeId, to: NodeId, sent: Time, summary: &MessageSummary) -> MessageView {
    MessageView {
        id,
        from: from.0,
        to: to.0,
        api: summary.api.name(),
        response: summary.response,
        error: summary.error.is_error().then(|| summary.error.name()),
        records: summary.records.iter().map(|record| record.0).collect(),
        sent_us: sent.us_since_origin(),
        arrives_us: None,
        fate: MessageFate::Flying,
        quiet: summary.quiet,
    }
}

fn links(world: &World) -> Vec<LinkView> {
    let ids: Vec<NodeId> = shown_nodes(world).map(|(id, _)| id).collect();
    let mut out = Vec::new();
    for (i, a) in ids.iter().enumerate() {
        for b in &ids[i + 1..] {
            let (there, back) = (world.link(*a, *b), world.link(*b, *a));
            let cut = there.is_cut(world.now()) || back.is_cut(world.now());
            let slower_us = there.extra(world.now()).max(back.extra(world.now())).0;
            if cut || slower_us > 0 {
                out.push(LinkView { a: a.0, b: b.0, cut, slower_us });
            }
        }
    }
    out
}
