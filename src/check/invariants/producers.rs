//! What producers leave in a partition's log: sequences without gap or repetition, transactions that the last stable offset
//! respects, and nothing aborted in the hands of those who read only what is committed.
//!
//! All of it is learned from what the leader appends, and anew from its log when another leads; the log's own idea of its
//! producers is what is judged. Nothing is demanded of sequences where brokers forget producers within a run
//! (`producer.id.expiration.ms`), nor of readers where Kafka gave up what was committed.

use super::{Cluster, Invariant, Invariants};
use crate::base::{
    BrokerId, Duration, LeaderEpoch, NodeId, Offset, ProducerEpoch, ProducerId, SortedMap, TopicPartition, Vector,
};
use crate::log::UnifiedLog;
use crate::record::{ControlRecord, RecordBatch, increment_sequence};
use crate::sim::{Recorded, WorldSetup};
use std::rc::Rc;

/// Brokers that forget producers sooner may do so while a scenario runs.
const LONG: Duration = Duration::from_millis(3_600_000);

/// Where the numbers of one producer stand in one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Chain {
    epoch: ProducerEpoch,
    next: i32,
}

/// A transaction that a marker ended in this partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Ended {
    producer_id: ProducerId,
    first: Offset,
    marker: Offset,
    committed: bool,
}

/// The producers of the present leader's log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Producers {
    leader: Option<(NodeId, LeaderEpoch)>,
    chains: SortedMap<ProducerId, Chain>,
    /// Where each open transaction begins.
    open: SortedMap<ProducerId, Offset>,
    /// In the order of their markers.
    ended: Vector<Ended>,
}

/// What became of what stands in a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// Part of no transaction, or of a committed one.
    Holds,
    /// Its transaction was undone.
    Aborted,
    /// Its transaction is not decided.
    Open,
}

impl Producers {
    /// Takes in what was appended; what is wrong with its sequences.
    fn append(&mut self, batch: &RecordBatch) -> Option<String> {
        let (producer_id, epoch) = (batch.producer_id(), batch.producer_epoch());
        if batch.is_control() {
            self.end(batch);
            return None;
        }
        if batch.is_transactional() {
            self.open.entry(producer_id).or_insert(batch.base_offset());
        }
        if batch.base_sequence() < 0 {
            return None;
        }
        let (first, next) = (batch.base_sequence(), increment_sequence(batch.last_sequence(), 1));
        let Some(chain) = self.chains.get_mut(&producer_id) else {
            self.chains.insert(producer_id, Chain { epoch, next });
            return None;
        };
        let expected = match epoch.cmp(&chain.epoch) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => Some(chain.next),
            std::cmp::Ordering::Greater => Some(0),
        };
        let before = std::mem::replace(chain, Chain { epoch, next });
        (expected != Some(first)).then(|| {
            let offset = batch.base_offset();
            format!(
                "producer {producer_id} has sequence {first} of epoch {epoch} at offset {offset}, after {} of epoch {}",
                before.next.wrapping_sub(1),
                before.epoch
            )
        })
    }

    fn end(&mut self, batch: &RecordBatch) {
        let Ok(Some(record)) = ControlRecord::of_batch(batch) else { return };
        let committed = match record {
            ControlRecord::Commit { .. } => true,
            ControlRecord::Abort { .. } => false,
            _ => return,
        };
        let (producer_id, marker) = (batch.producer_id(), batch.base_offset());
        if let Some(first) = self.open.remove(&producer_id) {
            self.ended.push(Ended { producer_id, first, marker, committed });
        }
        // A marker of a higher epoch starts the sequences anew, one of the same epoch does not.
        if let Some(chain) = self.chains.get_mut(&producer_id)
            && batch.producer_epoch() > chain.epoch
        {
            *chain = Chain { epoch: batch.producer_epoch(), next: 0 };
        }
    }

    fn has_transactions(&self) -> bool {
        !self.open.is_empty() || !self.ended.is_empty()
    }

    /// Up to where every transaction is decided, and the decision replicated.
    fn stable_up_to(&self, high_watermark: Offset) -> Offset {
        let open = self.open.values().copied();
        let fresh = self.ended.iter().rev().take_while(|ended| ended.marker >= high_watermark);
        open.chain(fresh.map(|ended| ended.first)).fold(high_watermark, Offset::min)
    }

    fn fate(&self, batch: &RecordBatch) -> Fate {
        if !batch.is_transactional() {
            return Fate::Holds;
        }
        let from = self.ended.partition_point(|ended| ended.marker < batch.base_offset());
        let ended = self.ended.iter_from(from).find(|ended| ended.producer_id == batch.producer_id());
        match ended.filter(|ended| ended.first <= batch.base_offset()) {
            Some(ended) if ended.committed => Fate::Holds,
            Some(_) => Fate::Aborted,
            None => Fate::Open,
        }
    }
}

/// The producers of all partitions. No part of the state's hash: it all stands in the logs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ProducerWatch {
    partitions: SortedMap<TopicPartition, Rc<Producers>>,
    read_committed: Rc<[NodeId]>,
    brokers_forget: bool,
    transactional: Rc<[NodeId]>,
}

impl ProducerWatch {
    pub fn new(setup: &WorldSetup, read_committed: Rc<[NodeId]>) -> ProducerWatch {
        let brokers_forget = setup.broker_config.producer_id_expiration_ms < LONG;
        let producers = setup.producers.iter().map(|app| (app.node, &app.config));
        let all = producers.chain(setup.processors.iter().map(|app| (app.node, &app.producer)));
        let transactional = all.filter(|(_, config)| config.transactional_id.is_some()).map(|(node, _)| node).collect();
        ProducerWatch { partitions: SortedMap::new(), read_committed, brokers_forget, transactional }
    }

    /// Whether a program sends in transactions.
    pub fn is_transactional(&self, node: NodeId) -> bool {
        self.transactional.contains(&node)
    }

    /// Whether brokers may forget a producer while a scenario runs.
    pub fn brokers_forget(&self) -> bool {
        self.brokers_forget
    }

    fn of(&mut self, partition: TopicPartition) -> &mut Producers {
        Rc::make_mut(self.partitions.entry(partition).or_default())
    }
}

/// What became of every batch of a log, in its order: its records hold, are undone, or undecided.
pub(super) fn fates(log: &UnifiedLog) -> impl Iterator<Item = (&RecordBatch, Fate)> {
    let mut producers = Producers::default();
    log.batches_from(0).for_each(|batch| drop(producers.append(batch)));
    log.batches_from(0).filter(|batch| !batch.is_control()).map(move |batch| (batch, producers.fate(batch)))
}

impl Invariants {
    /// A leader has appended what a producer sent, or the end of its transaction.
    pub(super) fn check_producer(
        &mut self,
        cluster: &impl Cluster,
        it: &Recorded,
        partition: TopicPartition,
        batch: &RecordBatch,
    ) {
        let forget = self.producers.brokers_forget;
        let producers = self.producers.of(partition);
        let by = (it.node, batch.leader_epoch());
        if *producers.leader.get_or_insert(by) != by {
            return;
        }
        if batch.is_control() {
            self.check_marker(cluster, it, partition, batch);
        }
        let producers = self.producers.of(partition);
        if let Some(detail) = producers.append(batch).filter(|_| !forget) {
            self.report(Invariant::SequencesInOrder, it.at, partition, detail);
        }
        self.check_stable(cluster, it, partition);
    }

    /// The last stable offset passes neither the high watermark nor a transaction whose end is not replicated.
    pub(super) fn check_stable(&mut self, cluster: &impl Cluster, it: &Recorded, partition: TopicPartition) {
        let Some(producers) = self.producers.partitions.get(&partition).filter(|it| it.has_transactions()) else {
            return;
        };
        let Some(replica) = cluster.replica(it.node.into(), partition) else { return };
        if producers.leader.is_none_or(|(node, _)| node != it.node) {
            return;
        }
        let stable = cluster.last_stable_offset(&replica);
        let most = producers.stable_up_to(replica.high_watermark).max(replica.log.log_start_offset());
        if stable > most {
            let detail = format!("broker {}: last stable offset {stable}, should be at most {most}", it.node.0);
            self.report(Invariant::LastStableOffset, it.at, partition, detail);
        }
    }

    /// Another leads: its log is the log, as it was then. (What it has appended since, in the same step, is told after this.)
    pub(super) fn learn_producers(
        &mut self,
        cluster: &impl Cluster,
        it: &Recorded,
        partition: TopicPartition,
        (epoch, end): (LeaderEpoch, Offset),
    ) {
        let known = self.producers.partitions.get(&partition).and_then(|it| it.leader);
        let Some(replica) = cluster.replica(it.node.into(), partition) else { return };
        if known.is_some_and(|(_, known)| known > epoch) {
            return;
        }
        let mut producers = Producers { leader: Some((it.node, epoch)), ..Producers::default() };
        // What it took over was judged when it was appended.
        let taken_over = replica.log.batches_from(0).take_while(|batch| batch.base_offset() < end);
        taken_over.filter(|batch| batch.has_producer_id()).for_each(|batch| {
            producers.append(batch);
        });
        *self.producers.of(partition) = producers;
    }

    /// `poll()` returned a record.
    pub(super) fn check_delivered(
        &mut self,
        cluster: &impl Cluster,
        it: &Recorded,
        partition: TopicPartition,
        offset: Offset,
    ) {
        if !self.producers.read_committed.contains(&it.node) {
            return;
        }
        let Some(producers) = self.producers.partitions.get(&partition).filter(|it| it.has_transactions()) else {
            return;
        };
        if self.watches.get(&partition).is_some_and(|watch| watch.waived) {
            return;
        }
        let Some((leader, _)) = producers.leader else { return };
        let Some(replica) = cluster.replica(BrokerId::from(leader), partition) else { return };
        let Some(batch) = replica.log.batches_from(offset).next().filter(|it| it.base_offset() <= offset) else {
            return;
        };
        let fate = match producers.fate(batch) {
            Fate::Holds => return,
            Fate::Aborted => "was aborted",
            Fate::Open => "is not decided",
        };
        let detail = format!("node {} got offset {offset}, whose transaction {fate}", it.node.0);
        self.report(Invariant::AbortedUnread, it.at, partition, detail);
    }
}
