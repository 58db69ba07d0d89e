//! Controllers, projected: their quorum, the cluster they keep, their log in words.

use super::{Activity, ControllerView, MetadataRecordView, NodeBody, NodeView, QuorumReplicaView, QuorumView};
use crate::base::{BrokerId, Offset, Time};
use crate::controller::Controller;
use crate::metadata::{MetadataRecord, PartitionChangeRecord, records_of};
use crate::protocol::LeaderRecoveryState;
use crate::raft::ReplicaState;
use crate::record::{ControlRecord, RecordBatch};
use std::rc::Rc;

/// How many records of the metadata log are shown.
const METADATA_RECORDS: Offset = 30;

pub(super) fn controller(controller: &Controller, now: Time, old: Option<&NodeView>) -> (Activity, NodeBody) {
    // An active one shows what it has decided, the others what they know to be committed.
    let image = if controller.epoch().is_some() { controller.image() } else { controller.committed_image() };
    let brokers: Vec<_> = image.brokers().iter().map(|(id, it)| (id.0, it.epoch, it.fenced)).collect();
    let alive = brokers.iter().filter(|(_, _, fenced)| !fenced).count() as u32;
    let quorum = quorum(controller, now);
    let doing = match controller.epoch() {
        Some(_) => Activity::Controlling { alive },
        None => Activity::Standby { role: quorum.role.unwrap_or(""), epoch: quorum.epoch },
    };
    // The same log, committed as far: the same words.
    let shown = old.and_then(|view| match &view.body {
        NodeBody::Controller(view) => Some(view).filter(|view| log_state(&view.quorum) == log_state(&quorum)),
        _ => None,
    });
    let records = shown.map_or_else(|| records(controller).into(), |view| Rc::clone(&view.records));
    (doing, NodeBody::Controller(ControllerView { metadata_offset: quorum.log_end_offset, brokers, records, quorum }))
}

fn quorum(controller: &Controller, now: Time) -> QuorumView {
    let (raft, election) = (controller.raft(), controller.raft().election());
    let (voters, observers) = raft.describe(now).unwrap_or_default();
    let end = raft.log().end_offset();
    let replicas = |states: &[ReplicaState]| states.iter().map(|state| replica(state, end)).collect::<Vec<_>>();
    QuorumView {
        role: raft.role().map(|role| role.name()),
        active: controller.epoch().is_some(),
        epoch: election.epoch,
        leader: election.leader.map(|node| node.0),
        voted: election.voted.map(|node| node.0),
        high_watermark: raft.high_watermark(),
        log_start_offset: raft.log().log().log_start_offset(),
        log_end_offset: end,
        epochs: raft.log().log().epoch_entries().iter().map(|entry| (entry.epoch, entry.start_offset)).collect(),
        snapshots: raft.log().snapshots().map(|it| (it.id.end_offset, it.id.epoch, it.bytes.len() as u64)).collect(),
        voters: replicas(&voters),
        observers: replicas(&observers),
    }
}

/// What the log's words depend on: an epoch does not write an offset twice.
fn log_state(it: &QuorumView) -> (Offset, Offset, Offset, Option<(i32, Offset)>) {
    (it.log_start_offset, it.high_watermark, it.log_end_offset, it.epochs.last().copied())
}

fn replica(state: &ReplicaState, end: Offset) -> QuorumReplicaView {
    QuorumReplicaView {
        node: state.node.0,
        log_end_offset: state.log_end_offset,
        lag: state.log_end_offset.map(|offset| end - offset),
        last_fetch_us: state.last_fetch.map(Time::us_since_origin),
        last_caught_up_us: state.last_caught_up.map(Time::us_since_origin),
    }
}

fn records(controller: &Controller) -> Vec<MetadataRecordView> {
    let log = controller.log();
    let first = log.log_end_offset() - METADATA_RECORDS;
    let mut out = Vec::new();
    for batch in log.batches_from(first) {
        let (epoch, committed) = (batch.leader_epoch(), batch.next_offset() <= log.high_watermark());
        let mut add = |offset, text: String| {
            out.push(MetadataRecordView { offset, epoch, committed, text: Rc::from(text) });
        };
        if batch.is_control() {
            add(batch.base_offset(), control_in_words(batch));
        }
        for (offset, record) in records_of(batch).unwrap_or_default() {
            add(offset, in_words(&record));
        }
    }
    out
}

fn control_in_words(batch: &RecordBatch) -> String {
    match ControlRecord::of_batch(batch) {
        Ok(Some(ControlRecord::LeaderChange { leader, granting_voters, .. })) => {
            format!("LeaderChange: {leader} leads, by the votes of {}", list(&granting_voters))
        }
        Ok(Some(other)) => other.kind().name().to_owned(),
        _ => String::new(),
    }
}

fn list(brokers: &[BrokerId]) -> String {
    brokers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" · ")
}

/// A record, by Kafka's name for it and what it says.
fn in_words(record: &MetadataRecord) -> String {
    let fenced = |fenced: bool| if fenced { "fenced" } else { "unfenced" };
    match record {
        MetadataRecord::RegisterBroker(it) => {
            format!("RegisterBroker: {}, epoch {}, {}", it.broker, it.broker_epoch, fenced(it.fenced))
        }
        MetadataRecord::UnregisterBroker { broker, .. } => format!("UnregisterBroker: {broker}"),
        MetadataRecord::Topic { name, topic } => format!("Topic: {name}, id {}", topic.0),
        MetadataRecord::Partition(it) => {
            let (topic, index) = (it.partition.topic.0, it.partition.partition);
            let (replicas, isr) = (list(&it.replicas), list(&it.isr));
            format!("Partition: topic {topic}, {index}: replicas {replicas}, ISR {isr}, leader {}", it.leader)
        }
        MetadataRecord::Config(it) => {
            let value = it.value.as_deref().unwrap_or("(default)");
            format!("Config: {} {} = {value}", it.resource_name, it.name)
        }
        MetadataRecord::PartitionChange(it) => change_in_words(it),
        MetadataRecord::RemoveTopic { topic } => format!("RemoveTopic: id {}", topic.0),
        MetadataRecord::FeatureLevel { name, level } => format!("FeatureLevel: {name} {level}"),
        MetadataRecord::ProducerIds { broker, next_producer_id, .. } => {
            format!("ProducerIds: up to {} for {broker}", next_producer_id - 1)
        }
        MetadataRecord::BrokerRegistrationChange(it) => {
            let change = it.fenced.map_or("", fenced);
            let stops = if it.in_controlled_shutdown { "in controlled shutdown" } else { "" };
            format!("BrokerRegistrationChange: {} {change}{stops}", it.broker)
        }
        MetadataRecord::ClearElr { topic } => format!("ClearElr: {}", topic.as_deref().unwrap_or("all topics")),
        MetadataRecord::NoOp => "NoOp".to_owned(),
    }
}

fn change_in_words(it: &PartitionChangeRecord) -> String {
    let mut out = format!("PartitionChange: topic {}, {}:", it.partition.topic.0, it.partition.partition);
    let lists =
        [("ISR", &it.isr), ("replicas", &it.replicas), ("ELR", &it.elr), ("last known ELR", &it.last_known_elr)];
    let lists = lists.into_iter().chain([("removing", &it.removing_replicas), ("adding", &it.adding_replicas)]);
    for (name, brokers) in lists.filter_map(|(name, brokers)| Some((name, brokers.as_ref()?))) {
        out.push_str(&format!(" {name} {}", list(brokers)));
    }
    if let Some(leader) = it.leader {
        out.push_str(&format!(" leader {leader}"));
    }
    match it.leader_recovery_state {
        Some(LeaderRecoveryState::Recovering) => out.push_str(" recovering"),
        Some(LeaderRecoveryState::Recovered) => out.push_str(" recovered"),
        None => {}
    }
    out
}
