//! Nodes for JavaScript, each with what belongs to its kind; and what coordinators know of groups and transactions.

use super::picture::name;
use crate::base::SortedMap;
use crate::view::{
    Activity, BrokerView, ClusterView, ConsumerView, ControllerView, GroupMemberView, NodeBody, NodeStatus, NodeView,
    PositionView, ProducerView, ReplicaRole, SinkView, Trouble,
};
use serde::Serialize;
use std::rc::Rc;

/// One node.
#[derive(Serialize)]
pub struct Node {
    name: Rc<str>,
    status: NodeStatus,
    trouble: Option<Trouble>,
    doing: Activity,
    #[serde(flatten)]
    body: Body,
}

/// By kind.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
enum Body {
    Broker(Broker),
    Controller(Controller),
    Producer(Producer),
    Consumer(Consumer),
    Processor { from: Vec<Rc<str>>, to: Vec<Rc<str>>, offsets: &'static str, consumer: Consumer, producer: Producer },
    Sink(Sink),
}

#[derive(Serialize)]
struct Broker {
    broker_epoch: i64,
    metadata_offset: i64,
    leads: Vec<Rc<str>>,
    follows: Vec<Rc<str>>,
}

#[derive(Serialize)]
struct Controller {
    role: Option<&'static str>,
    active: bool,
    epoch: i32,
    leader: Option<Rc<str>>,
    metadata_offset: i64,
    brokers: Vec<Registration>,
}

#[derive(Serialize)]
struct Registration {
    broker: i32,
    broker_epoch: i64,
    fenced: bool,
}

#[derive(Serialize)]
struct Producer {
    topic: Rc<str>,
    sent: u32,
    total: u32,
    acked: u32,
    failed: u32,
    buffered: Vec<u32>,
    in_flight: Vec<InFlight>,
    producer_id: Option<i64>,
    producer_epoch: Option<i16>,
    transaction: Option<OwnTransaction>,
}

#[derive(Serialize)]
struct InFlight {
    to: Rc<str>,
    records: Vec<u32>,
    attempt: u32,
    deadline_us: u64,
}

/// As a producer's client knows it.
#[derive(Serialize)]
struct OwnTransaction {
    transactional_id: Rc<str>,
    state: &'static str,
    partitions: Vec<Rc<str>>,
    coordinator: Option<Rc<str>>,
    error: Option<Rc<str>>,
    fenced: bool,
}

#[derive(Serialize)]
struct Consumer {
    group: Option<Rc<str>>,
    share: bool,
    member: Option<Member>,
    positions: Vec<PositionView>,
    pending: Vec<u32>,
    worker: Vec<u32>,
    sink: Option<Sink>,
}

/// As it knows itself.
#[derive(Serialize)]
struct Member {
    member_id: Rc<str>,
    epoch: i32,
    state: &'static str,
}

#[derive(Serialize)]
struct Sink {
    dedupe: Rc<str>,
    users: Vec<Rc<str>>,
    records: Vec<SinkRecord>,
    offsets: SortedMap<Rc<str>, i64>,
    versions: SortedMap<Rc<str>, u32>,
}

#[derive(Serialize)]
struct SinkRecord {
    record: u32,
    effects: u32,
    refused: u32,
}

impl Node {
    /// One of the picture's.
    pub fn of(node: &NodeView, view: &ClusterView) -> Node {
        let body = match &node.body {
            NodeBody::Broker(it) => Body::Broker(broker(it)),
            NodeBody::Controller(it) => Body::Controller(controller(it, view)),
            NodeBody::Producer(it) => Body::Producer(producer(it, view)),
            NodeBody::Consumer(it) => Body::Consumer(consumer(it, it.sink.as_ref(), view)),
            NodeBody::Processor(it) => Body::Processor {
                from: it.from.clone(),
                to: it.to.clone(),
                offsets: it.offsets,
                consumer: consumer(&it.reader, it.sink.as_ref(), view),
                producer: producer(&it.writer, view),
            },
            NodeBody::Sink(it) => Body::Sink(sink(it, view)),
        };
        Node {
            name: Rc::clone(&node.name),
            status: node.status,
            trouble: node.trouble,
            doing: node.doing.clone(),
            body,
        }
    }
}

fn broker(it: &BrokerView) -> Broker {
    let of = |role: ReplicaRole| {
        let own = it.partitions.iter().filter(|partition| partition.role == role && !partition.internal);
        own.map(|partition| Rc::clone(&partition.name)).collect()
    };
    Broker {
        broker_epoch: it.broker_epoch,
        metadata_offset: it.metadata_offset,
        leads: of(ReplicaRole::Leader),
        follows: of(ReplicaRole::Follower),
    }
}

fn controller(it: &ControllerView, view: &ClusterView) -> Controller {
    let brokers = it.brokers.iter().map(|(broker, broker_epoch, fenced)| Registration {
        broker: *broker,
        broker_epoch: *broker_epoch,
        fenced: *fenced,
    });
    Controller {
        role: it.quorum.role,
        active: it.quorum.active,
        epoch: it.quorum.epoch,
        leader: it.quorum.leader.map(|id| name(view, id)),
        metadata_offset: it.metadata_offset,
        brokers: brokers.collect(),
    }
}

fn producer(it: &ProducerView, view: &ClusterView) -> Producer {
    let in_flight = it.in_flight.iter().map(|request| InFlight {
        to: name(view, request.to),
        records: request.records.clone(),
        attempt: request.attempt,
        deadline_us: request.deadline_us,
    });
    let transaction = it.manager.as_ref().map(|manager| OwnTransaction {
        transactional_id: Rc::clone(&manager.transactional_id),
        state: manager.state,
        partitions: manager.partitions.clone(),
        coordinator: manager.coordinator.map(|id| name(view, id)),
        error: manager.error.clone(),
        fenced: manager.fenced,
    });
    Producer {
        topic: Rc::clone(&it.topic),
        sent: it.sent,
        total: it.total,
        acked: it.acked,
        failed: it.failed,
        buffered: it.buffer.iter().map(|(record, _)| *record).collect(),
        in_flight: in_flight.collect(),
        producer_id: it.producer_id.map(|(id, _)| id),
        producer_epoch: it.producer_id.map(|(_, epoch)| epoch),
        transaction,
    }
}

fn consumer(it: &ConsumerView, its_sink: Option<&SinkView>, view: &ClusterView) -> Consumer {
    let member = it.membership.as_ref().map(|member| Member {
        member_id: Rc::clone(&member.member_id),
        epoch: member.generation,
        state: member.state,
    });
    Consumer {
        group: it.group.clone(),
        share: it.share,
        member,
        positions: it.positions.clone(),
        pending: it.pending.clone(),
        worker: it.worker.clone(),
        sink: its_sink.map(|it| sink(it, view)),
    }
}

fn sink(it: &SinkView, view: &ClusterView) -> Sink {
    let records =
        it.rows.iter().map(|row| SinkRecord { record: row.record, effects: row.effects, refused: row.refused });
    // The picture says there how much a store remembers, too.
    let dedupe = it.dedupe.split(' ').next().unwrap_or_default();
    Sink {
        dedupe: Rc::from(dedupe),
        users: it.users.iter().map(|id| name(view, *id)).collect(),
        records: records.collect(),
        offsets: it.offsets.iter().cloned().collect(),
        versions: it.versions.iter().cloned().collect(),
    }
}

/// A group, as its coordinator knows it.
#[derive(Serialize)]
pub struct Group {
    group: Rc<str>,
    coordinator: Rc<str>,
    protocol: &'static str,
    state: &'static str,
    epoch: i32,
    assignor: Option<Rc<str>>,
    members: Vec<GroupMember>,
    committed: SortedMap<Rc<str>, i64>,
}

#[derive(Serialize)]
struct GroupMember {
    member_id: Rc<str>,
    instance_id: Option<Rc<str>>,
    client_id: Rc<str>,
    assigned: Vec<Rc<str>>,
}

/// A transactional id, as its coordinator knows it.
#[derive(Serialize)]
pub struct Transaction {
    transactional_id: Rc<str>,
    coordinator: Rc<str>,
    state: &'static str,
    pending_state: Option<&'static str>,
    producer_id: i64,
    producer_epoch: i16,
    timeout_ms: u64,
    partitions: Vec<Rc<str>>,
}

fn brokers(view: &ClusterView) -> impl Iterator<Item = (&Rc<str>, &BrokerView)> {
    view.nodes.iter().filter_map(|node| match &node.body {
        NodeBody::Broker(broker) => Some((&node.name, broker)),
        _ => None,
    })
}

/// The groups of all coordinators.
pub fn groups(view: &ClusterView) -> Vec<Group> {
    let member = |it: &GroupMemberView| GroupMember {
        member_id: Rc::clone(&it.member_id),
        instance_id: it.instance_id.clone(),
        client_id: Rc::clone(&it.client_id),
        assigned: it.assigned.clone(),
    };
    let all = brokers(view).flat_map(|(coordinator, broker)| {
        broker.groups.iter().map(move |it| Group {
            group: Rc::clone(&it.group),
            coordinator: Rc::clone(coordinator),
            protocol: it.protocol,
            state: it.state,
            epoch: it.generation,
            assignor: it.assignor.clone(),
            members: it.members.iter().map(member).collect(),
            committed: it.committed.iter().cloned().collect(),
        })
    });
    all.collect()
}

/// The transactional ids of all coordinators.
pub fn transactions(view: &ClusterView) -> Vec<Transaction> {
    let all = brokers(view).flat_map(|(coordinator, broker)| {
        broker.transactions.iter().map(move |it| Transaction {
            transactional_id: Rc::clone(&it.transactional_id),
            coordinator: Rc::clone(coordinator),
            state: it.state,
            pending_state: it.pending,
            producer_id: it.producer_id,
            producer_epoch: it.producer_epoch,
            timeout_ms: it.timeout_ms,
            partitions: it.partitions.clone(),
        })
    });
    all.collect()
}
