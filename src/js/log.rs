//! One replica's log and its files, for JavaScript.

use crate::base::config::suggest::nearest;
use crate::log::files::NamedFile;
use crate::scenario::Mistake;
use crate::session::Session;
use crate::view::{
    AbortedView, BrokerView, CellView, ClusterView, FollowerView, NodeBody, NodeView, PartitionView, ReplicaRole,
    SegmentView,
};
use serde::Serialize;
use std::rc::Rc;

/// `log()`.
#[derive(Serialize)]
pub struct Log {
    partition: Rc<str>,
    broker: Rc<str>,
    role: ReplicaRole,
    leader: i32,
    leader_epoch: i32,
    partition_epoch: i32,
    replicas: Vec<i32>,
    isr: Vec<i32>,
    pending_isr: Option<Vec<i32>>,
    elr: Vec<i32>,
    log_start_offset: i64,
    log_end_offset: i64,
    high_watermark: i64,
    last_stable_offset: i64,
    followers: Vec<FollowerView>,
    records: Vec<CellView>,
    segments: Vec<SegmentView>,
    epochs: Vec<Epoch>,
    producers: Vec<ProducerState>,
    aborted: Vec<AbortedView>,
}

/// An entry of the leader epoch cache.
#[derive(Serialize)]
struct Epoch {
    epoch: i32,
    start_offset: i64,
}

/// An idempotent producer, as this log knows it.
#[derive(Serialize)]
struct ProducerState {
    producer_id: i64,
    producer_epoch: i16,
    coordinator_epoch: i32,
    open_since: Option<i64>,
    batches: Vec<Batch>,
}

/// One of its last five batches.
#[derive(Serialize)]
struct Batch {
    first_sequence: i32,
    last_sequence: i32,
    first_offset: i64,
}

fn wrong<T>(place: &str, problem: String) -> Result<T, Vec<Mistake>> {
    Err(vec![Mistake { place: place.to_owned(), problem }])
}

fn there_are<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let near = nearest(name, known.clone()).map(|near| format!("did you mean \"{near}\"?"));
    near.unwrap_or_else(|| format!("there are: {}", known.collect::<Vec<_>>().join(", ")))
}

fn node<'a>(view: &'a ClusterView, place: &str, name: &str) -> Result<&'a NodeView, Vec<Mistake>> {
    view.nodes.iter().find(|node| *node.name == *name).map(|node| &**node).ok_or(()).or_else(|()| {
        let hint = there_are(name, view.nodes.iter().map(|node| &*node.name));
        wrong(place, format!("there is no node \"{name}\"; {hint}"))
    })
}

fn broker<'a>(view: &'a ClusterView, name: &str) -> Result<&'a BrokerView, Vec<Mistake>> {
    match &node(view, "broker", name)?.body {
        NodeBody::Broker(broker) => Ok(broker),
        _ => wrong("broker", format!("\"{name}\" is no broker")),
    }
}

fn partition<'a>(broker: &'a BrokerView, name: &str) -> Result<&'a PartitionView, Vec<Mistake>> {
    broker.partitions.iter().find(|it| *it.name == *name).map(|it| &**it).ok_or(()).or_else(|()| {
        let hint = there_are(name, broker.partitions.iter().map(|it| &*it.name));
        wrong("partition", format!("this broker has no log of \"{name}\"; {hint}"))
    })
}

impl Log {
    /// Of a partition on a broker, by their names.
    pub fn of(session: &mut Session, broker_name: &str, partition_name: &str) -> Result<Log, Vec<Mistake>> {
        let view = session.view();
        let it = partition(broker(&view, broker_name)?, partition_name)?;
        let batches = |all: &[(i32, i32, i64)]| {
            let batch = |it: &(i32, i32, i64)| Batch { first_sequence: it.0, last_sequence: it.1, first_offset: it.2 };
            all.iter().map(batch).collect()
        };
        let producers = it.producers.iter().map(|it| ProducerState {
            producer_id: it.producer_id,
            producer_epoch: it.epoch,
            coordinator_epoch: it.coordinator_epoch,
            open_since: it.open_since,
            batches: batches(&it.batches),
        });
        let epochs = it.epochs.iter().map(|(epoch, start)| Epoch { epoch: *epoch, start_offset: *start });
        Ok(Log {
            partition: Rc::clone(&it.name),
            broker: Rc::from(broker_name),
            role: it.role,
            leader: it.leader,
            leader_epoch: it.leader_epoch,
            partition_epoch: it.partition_epoch,
            replicas: it.replicas.clone(),
            isr: it.isr.clone(),
            pending_isr: it.pending_isr.clone(),
            elr: it.elr.clone(),
            log_start_offset: it.log_start_offset,
            log_end_offset: it.log_end_offset,
            high_watermark: it.high_watermark,
            last_stable_offset: it.last_stable_offset,
            followers: it.followers.clone(),
            records: it.cells.clone(),
            segments: it.segments.clone(),
            epochs: epochs.collect(),
            producers: producers.collect(),
            aborted: it.aborted.clone(),
        })
    }
}

/// The files of a partition on a node.
pub fn files(session: &mut Session, node_name: &str, partition_name: &str) -> Result<Vec<NamedFile>, Vec<Mistake>> {
    let view = session.view();
    let id = node(&view, "node", node_name)?.id;
    session
        .files(id, partition_name)
        .ok_or(())
        .or_else(|()| wrong("partition", format!("\"{node_name}\" has no files of \"{partition_name}\"")))
}
