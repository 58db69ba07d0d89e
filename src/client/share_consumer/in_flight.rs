//! What `poll()` returned and the application has not acknowledged yet: the records of one fetch, by partition.
//!
//! ```text
//! in flight ► acknowledged ► taken (on its way to the broker)
//!     ▲             └ renewed by the application: renewing ► renewed ┐
//!     └──────────────────────────── the next poll() returns it again ┘
//! ```
//!
//! Invariant: a record is acknowledged at most once between two polls, and only while it is in flight.
//! In Kafka: `ShareFetch`, `ShareInFlightBatch`.

use super::Acknowledgements;
use crate::base::{Duration, NodeId, Offset, SortedMap, SortedSet, TopicPartition};
use crate::client::consumer::ConsumerRecord;
use crate::node::ClientError;
use crate::protocol::{AcknowledgeType, ErrorCode};

/// The records of one partition.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct InFlightBatch {
    node: NodeId,
    records: SortedMap<Offset, ConsumerRecord>,
    renewing: SortedMap<Offset, ConsumerRecord>,
    renewed: SortedMap<Offset, ConsumerRecord>,
    acknowledged: SortedSet<Offset>,
    acknowledgements: Acknowledgements,
}

impl InFlightBatch {
    pub(super) fn new(node: NodeId) -> Self {
        InFlightBatch {
            node,
            records: SortedMap::new(),
            renewing: SortedMap::new(),
            renewed: SortedMap::new(),
            acknowledged: SortedSet::new(),
            acknowledgements: Acknowledgements::default(),
        }
    }

    /// What the application has, acknowledged or not.
    pub fn records(&self) -> impl Iterator<Item = &ConsumerRecord> {
        self.records.values()
    }

    /// What the application said already.
    pub fn acknowledgements(&self) -> &Acknowledgements {
        &self.acknowledgements
    }

    pub(super) fn add(&mut self, record: ConsumerRecord) {
        self.records.insert(record.record.offset, record);
    }

    /// Says it of an offset that the application does not see.
    pub(super) fn acknowledge_unseen(&mut self, offset: Offset, kind: AcknowledgeType) {
        self.acknowledgements.set(offset, kind);
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.acknowledgements.is_empty()
    }

    fn has_renewals(&self) -> bool {
        !self.renewing.is_empty() || !self.renewed.is_empty()
    }

    fn acknowledge(&mut self, offset: Offset, kind: AcknowledgeType) -> bool {
        let known = self.records.contains_key(&offset);
        if known {
            self.acknowledgements.set(offset, kind);
            self.acknowledged.insert(offset);
        }
        known
    }

    fn accept_rest(&mut self) {
        for offset in self.records.keys() {
            if self.acknowledgements.set_if_absent(*offset, AcknowledgeType::Accept) {
                self.acknowledged.insert(*offset);
            }
        }
    }

    fn take(&mut self) -> Acknowledgements {
        let taken = std::mem::take(&mut self.acknowledgements);
        for (offset, kind) in taken.iter() {
            if self.acknowledged.remove(&offset)
                && let Some(record) = self.records.remove(&offset)
                && kind == AcknowledgeType::Renew
            {
                self.renewing.insert(offset, record);
            }
        }
        taken
    }
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct ShareFetch {
    batches: SortedMap<TopicPartition, InFlightBatch>,
    lock_timeout: Option<Duration>,
    renewed_lock_timeout: Option<Duration>,
}

/// What is to be sent to the leader from which the records came.
pub(super) type NodeAcknowledgements = Vec<(TopicPartition, NodeId, Acknowledgements)>;

impl ShareFetch {
    /// By partition.
    pub fn batches(&self) -> impl Iterator<Item = (TopicPartition, &InFlightBatch)> {
        self.batches.iter().map(|(partition, batch)| (*partition, batch))
    }

    /// How long the acquired records are locked, as the leader last said (`acquisitionLockTimeoutMs`).
    pub fn lock_timeout(&self) -> Option<Duration> {
        self.lock_timeout
    }

    pub(super) fn add(&mut self, partition: TopicPartition, batch: InFlightBatch, lock_timeout: Option<Duration>) {
        match self.batches.get_mut(&partition) {
            Some(known) => {
                known.records.append(&mut { batch.records });
                known.acknowledgements.merge(batch.acknowledgements);
            }
            None => drop(self.batches.insert(partition, batch)),
        }
        self.lock_timeout = lock_timeout.or(self.lock_timeout);
    }

    /// All records that the application has, in order.
    pub(super) fn records(&self) -> Vec<ConsumerRecord> {
        self.batches.values().flat_map(|batch| batch.records.values()).cloned().collect()
    }

    /// The application has no record (`isEmpty`); forgets partitions of which nothing is left.
    pub(super) fn is_empty(&mut self) -> bool {
        self.batches.retain(|_, batch| !batch.is_empty() || batch.has_renewals());
        self.batches.values().all(|batch| batch.records.is_empty())
    }

    /// Records that the application has and has not acknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.batches.values().map(|batch| batch.records.len() - batch.acknowledged.len()).sum()
    }

    pub(super) fn has_renewals(&self) -> bool {
        self.batches.values().any(InFlightBatch::has_renewals)
    }

    /// Renewed records are the application's again.
    pub(super) fn take_renewed(&mut self) {
        for batch in self.batches.values_mut() {
            batch.records.append(&mut batch.renewed);
        }
        self.lock_timeout = self.renewed_lock_timeout.or(self.lock_timeout);
    }

    /// `acknowledge()`: throws for a record that is not the application's.
    pub(super) fn acknowledge(
        &mut self,
        at: (TopicPartition, Offset),
        kind: AcknowledgeType,
    ) -> Result<(), ClientError> {
        match self.batches.get_mut(&at.0).is_some_and(|batch| batch.acknowledge(at.1, kind)) {
            true => Ok(()),
            false => Err(illegal_state("The record cannot be acknowledged.")),
        }
    }

    pub(super) fn accept_rest(&mut self) {
        self.batches.values_mut().for_each(InFlightBatch::accept_rest);
    }

    /// Takes what was acknowledged, to be sent.
    pub(super) fn take_acknowledgements(&mut self) -> NodeAcknowledgements {
        let taken = self.batches.iter_mut().map(|(partition, batch)| (*partition, batch.node, batch.take()));
        taken.filter(|(_, _, acknowledgements)| !acknowledgements.is_empty()).collect()
    }

    /// The broker answered: what was renewed comes back, unless it failed.
    pub(super) fn on_answer(
        &mut self,
        partition: TopicPartition,
        acknowledgements: &Acknowledgements,
        error: ErrorCode,
        lock_timeout: Option<Duration>,
    ) {
        self.renewed_lock_timeout = lock_timeout;
        let Some(batch) = self.batches.get_mut(&partition) else { return };
        for (offset, kind) in acknowledgements.iter() {
            if let Some(record) = batch.renewing.remove(&offset)
                && kind == AcknowledgeType::Renew
                && !error.is_error()
            {
                batch.renewed.insert(offset, record);
            }
        }
    }
}

pub(super) fn illegal_state(text: &str) -> ClientError {
    ClientError::Exception(format!("IllegalStateException: {text}").into())
}
