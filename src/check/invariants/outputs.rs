//! Read, process, write: where offsets are part of the transaction, each committed input has one committed output.
//!
//! It is judged by the logs alone, when all is over. Who may be a zombie is kept out by one `transactional.id` for all, or by the
//! group: offsets of another generation are refused, and its members wait for those of an open transaction (KIP-447). Nothing is
//! promised for a processor that reads what may be aborted; for one that assigns its partitions to itself and takes a new id at
//! every start, or another than the rest of its group; nor where Kafka gave up what was committed.

use super::producers::{Fate, fates};
use super::{Cluster, Invariant, Invariants, Violation};
use crate::app::{OffsetsMode, ProcessorAppSetup};
use crate::base::config::IsolationLevel;
use crate::base::{RecordId, SortedMap, Time, TopicId, TopicPartition};
use crate::check::ledger::records_with_offsets;
use crate::sim::WorldSetup;
use std::rc::Rc;

/// Where one record in means one record out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pipe {
    name: Rc<str>,
    from: Vec<TopicId>,
    to: TopicId,
}

fn topic_id(setup: &WorldSetup, name: &Rc<str>) -> Option<TopicId> {
    let place = setup.topics.iter().position(|topic| topic.name == *name)?;
    u32::try_from(place + 1).ok().map(TopicId)
}

/// Topics to which processors write, and consumers send what they cannot handle.
pub(super) fn sent_on(setup: &WorldSetup) -> Vec<TopicId> {
    let plans = setup.consumers.iter().map(|app| &app.on_failure);
    let away = plans.flat_map(|plan| plan.retry_topic.iter().chain(&plan.dead_letter_topic));
    let names = setup.processors.iter().flat_map(|app| &app.to).chain(away);
    names.filter_map(|name| topic_id(setup, name)).collect()
}

/// What the processors of a world promise.
pub(super) fn pipes(setup: &WorldSetup) -> Vec<Pipe> {
    let topic_id = |name: &Rc<str>| topic_id(setup, name);
    let mut pipes = Vec::new();
    for app in setup.processors.iter().filter(|app| promises(app, setup)) {
        for to in app.to.iter().filter(|to| is_its_own(to, app, setup)).filter_map(topic_id) {
            let from: Vec<TopicId> = app.from.iter().filter_map(topic_id).collect();
            if !pipes.iter().any(|pipe: &Pipe| pipe.to == to) {
                pipes.push(Pipe { name: app.name.clone(), from, to });
            }
        }
    }
    pipes
}

fn promises(app: &ProcessorAppSetup, setup: &WorldSetup) -> bool {
    let stable = |id: &Rc<str>| !id.contains("${");
    let id = &app.producer.transactional_id;
    let group = || setup.processors.iter().filter(|other| other.group == app.group);
    let is_whole = |other: &ProcessorAppSetup| {
        let committed = other.consumer.isolation_level == IsolationLevel::ReadCommitted;
        committed && other.offsets == OffsetsMode::Transaction
    };
    let one_id = id.as_ref().is_some_and(stable) && group().all(|other| other.producer.transactional_id == *id);
    let fenced = one_id || group().all(|other| !other.assign);
    fenced && group().all(is_whole) && !setup.consumers.iter().any(|other| other.group.as_ref() == Some(&app.group))
}

/// Nobody else writes to that topic.
fn is_its_own(to: &Rc<str>, app: &ProcessorAppSetup, setup: &WorldSetup) -> bool {
    let others = setup.processors.iter().filter(|other| other.group != app.group);
    !setup.producers.iter().any(|producer| producer.topic == *to) && !others.into_iter().any(|it| it.to.contains(to))
}

impl Invariants {
    /// At the end: no committed input has two committed outputs, and none has none if `ended`: all processors have come to an
    /// end of their input, and none has thrown.
    pub fn check_outputs(&self, cluster: &impl Cluster, at: Time, ended: bool) -> Vec<Violation> {
        let mut found = Vec::new();
        if self.any_waived() {
            return found;
        }
        for pipe in &*self.pipes {
            let inputs = pipe.from.iter().map(|topic| self.committed_records(cluster, *topic));
            let inputs: Option<Vec<_>> = inputs.collect();
            let (Some(inputs), Some(outputs)) = (inputs, self.committed_records(cluster, pipe.to)) else { continue };
            let put_in = |record: &RecordId| inputs.iter().filter_map(|of| of.get(record)).sum::<u32>();
            let report = |record: &RecordId, expected: u32, was: u32| Violation {
                invariant: Invariant::OneOutput,
                at,
                partition: None,
                detail: format!("{}: record {record} was put in {expected} times and came out {was} times", pipe.name)
                    .into(),
            };
            found.extend(
                outputs
                    .iter()
                    .filter(|(record, was)| **was > put_in(record))
                    .map(|(record, was)| report(record, put_in(record), *was)),
            );
            let missing = |record: &&RecordId| outputs.get(*record).copied().unwrap_or(0) < put_in(record);
            if ended {
                let records = inputs.iter().flat_map(SortedMap::keys).filter(missing);
                found.extend(records.map(|it| report(it, put_in(it), outputs.get(it).copied().unwrap_or(0))));
            }
        }
        found
    }

    /// How often each record stands in the logs of a topic, committed; none if that cannot be said.
    fn committed_records(&self, cluster: &impl Cluster, topic: TopicId) -> Option<SortedMap<RecordId, u32>> {
        let image = cluster.image();
        let mut counts = SortedMap::new();
        for index in 0..image.partition_count(topic) {
            let partition = TopicPartition::new(topic, index);
            let replica = cluster.replica(image.partition(partition)?.leader, partition)?;
            if replica.log.log_start_offset() > 0 {
                return None;
            }
            let holds = fates(replica.log)
                .filter(|(batch, fate)| *fate == Fate::Holds && batch.next_offset() <= replica.high_watermark);
            for (_, record) in holds.flat_map(|(batch, _)| records_with_offsets(batch)) {
                *counts.entry(record).or_insert(0) += 1;
            }
        }
        Some(counts)
    }
}
