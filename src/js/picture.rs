//! The picture at a moment, for JavaScript: nodes by name, partitions with all their replicas, what is on its way, and what
//! it all comes to.

use super::node::{Group, Node, Transaction, groups, transactions};
use crate::base::SortedMap;
use crate::session::Session;
use crate::session::report::{GuaranteeReport, LedgerReport, PartitionReport};
use crate::view::{ClusterView, LedgerRow, MessageFate, NodeBody, ReplicaRole};
use serde::Serialize;
use std::rc::Rc;

/// `view()`.
#[derive(Serialize)]
pub struct View {
    time_us: u64,
    events: u64,
    finished: bool,
    nodes: Vec<Node>,
    partitions: SortedMap<String, Partition>,
    messages: Vec<Message>,
    links: Vec<Link>,
    groups: Vec<Group>,
    transactions: Vec<Transaction>,
    guarantee: Guarantee,
    ledger: LedgerReport,
}

/// A partition of the scenario.
#[derive(Serialize)]
struct Partition {
    #[serde(flatten)]
    at_its_leader: PartitionReport,
    replicas: Vec<Replica>,
}

/// A replica, as its broker has it.
#[derive(Serialize)]
struct Replica {
    broker: Rc<str>,
    role: ReplicaRole,
    leader_epoch: i32,
    log_start_offset: i64,
    log_end_offset: i64,
    high_watermark: i64,
    last_stable_offset: i64,
}

/// A message on its way, or lost a moment ago.
#[derive(Serialize)]
struct Message {
    id: u64,
    from: Rc<str>,
    to: Rc<str>,
    api: &'static str,
    response: bool,
    error: Option<&'static str>,
    records: Vec<u32>,
    sent_us: u64,
    arrives_us: Option<u64>,
    fate: MessageFate,
    quiet: bool,
}

/// A link that is cut or slow.
#[derive(Serialize)]
struct Link {
    between: [Rc<str>; 2],
    cut: bool,
    slower_us: u64,
}

/// Claim against observation, and which settings make the claim.
#[derive(Serialize)]
struct Guarantee {
    #[serde(flatten)]
    verdict: GuaranteeReport,
    because: Vec<Reason>,
}

#[derive(Serialize)]
struct Reason {
    key: Rc<str>,
    value: Rc<str>,
    node: Rc<str>,
}

/// A node's name, by its number.
pub fn name(view: &ClusterView, id: u16) -> Rc<str> {
    view.nodes.get(usize::from(id)).map_or_else(|| Rc::from("?"), |node| Rc::clone(&node.name))
}

impl View {
    /// Of the cursor, as it is shown at a moment.
    pub fn of(session: &mut Session, time_us: u64) -> View {
        let view = session.view();
        View {
            time_us,
            events: session.position(),
            finished: session.next_us().is_none(),
            nodes: view.nodes.iter().map(|node| Node::of(node, &view)).collect(),
            partitions: partitions(session, &view),
            messages: messages(&view),
            links: links(&view),
            groups: groups(&view),
            transactions: transactions(&view),
            guarantee: guarantee(session, &view),
            ledger: LedgerReport::of(&session.verdict()),
        }
    }
}

fn partitions(session: &Session, view: &ClusterView) -> SortedMap<String, Partition> {
    let mut out = SortedMap::new();
    for (partition, at_its_leader) in session.partitions().iter() {
        let replicas = view.nodes.iter().filter_map(|node| {
            let NodeBody::Broker(broker) = &node.body else { return None };
            let it = broker.partitions.iter().find(|it| *it.name == **partition)?;
            Some(Replica {
                broker: Rc::clone(&node.name),
                role: it.role,
                leader_epoch: it.leader_epoch,
                log_start_offset: it.log_start_offset,
                log_end_offset: it.log_end_offset,
                high_watermark: it.high_watermark,
                last_stable_offset: it.last_stable_offset,
            })
        });
        let replicas = replicas.collect();
        out.insert(partition.clone(), Partition { at_its_leader: at_its_leader.clone(), replicas });
    }
    out
}

fn messages(view: &ClusterView) -> Vec<Message> {
    let all = view.messages.iter().map(|it| Message {
        id: it.id,
        from: name(view, it.from),
        to: name(view, it.to),
        api: it.api,
        response: it.response,
        error: it.error,
        records: it.records.clone(),
        sent_us: it.sent_us,
        arrives_us: it.arrives_us,
        fate: it.fate,
        quiet: it.quiet,
    });
    all.collect()
}

fn links(view: &ClusterView) -> Vec<Link> {
    let all = view.links.iter().map(|it| Link {
        between: [name(view, it.a), name(view, it.b)],
        cut: it.cut,
        slower_us: it.slower_us,
    });
    all.collect()
}

fn guarantee(session: &Session, view: &ClusterView) -> Guarantee {
    let because = view.verdict.because.iter().map(|(key, value, node)| Reason {
        key: Rc::clone(key),
        value: Rc::clone(value),
        node: Rc::clone(node),
    });
    Guarantee { verdict: GuaranteeReport::of(&session.verdict()), because: because.collect() }
}

/// `ledger()`: the numbers, and a row for each record.
#[derive(Serialize)]
pub struct Ledger {
    #[serde(flatten)]
    numbers: LedgerReport,
    records: Vec<Row>,
}

/// One record's life.
#[derive(Serialize)]
struct Row {
    record: u32,
    partition: Option<Rc<str>>,
    status: crate::view::RowStatus,
    sent: bool,
    acked: bool,
    error: Option<Rc<str>>,
    appended: u32,
    committed: u32,
    aborted: u32,
    delivered: u32,
    processed: u32,
}

impl Ledger {
    /// Up to the present moment.
    pub fn of(session: &mut Session) -> Ledger {
        let view = session.view();
        let row = |it: &Rc<LedgerRow>| Row {
            record: it.record,
            partition: it.partition.clone(),
            status: it.status,
            sent: it.sent,
            acked: it.acked,
            error: it.error.clone(),
            appended: it.appended,
            committed: it.committed,
            aborted: it.aborted,
            delivered: it.delivered,
            processed: it.processed,
        };
        Ledger { numbers: LedgerReport::of(&session.verdict()), records: view.ledger.rows.iter().map(row).collect() }
    }
}
