//! What the logs say when all is over: each record of an idempotent producer once, and in order.

use super::producers::{Fate, fates};
use super::{Cluster, Invariant, Invariants, Violation};
use crate::base::{ProducerEpoch, ProducerId, RecordId, SortedMap, SortedSet, Time, TopicPartition};
use crate::check::ledger::records_with_offsets;
use crate::log::UnifiedLog;
use crate::record::RecordBatch;

impl Invariants {
    /// At the end: within the life of a producer id and epoch, no record stands twice in a log, and none before an earlier one.
    /// (After a broker's recovery Kafka may raise the epoch and write again what it does not know to be written.)
    pub fn check_idempotence(&self, cluster: &impl Cluster, at: Time) -> Vec<Violation> {
        let mut found = Vec::new();
        if self.producers.brokers_forget() {
            return found;
        }
        let image = cluster.image();
        for (partition, decided) in image.partitions().filter(|(partition, _)| self.is_ours(*partition)) {
            let Some(replica) = cluster.replica(decided.leader, partition) else { continue };
            // A processor that went back writes records again, in transactions or not; a consumer sends away what it got
            // again, and in the order in which its handler threw.
            if self.sent_on.contains(&partition.topic) {
                continue;
            }
            if let Some(detail) = repetition(replica.log, self.epoch_per_transaction) {
                let (invariant, partition) = (Invariant::IdempotentOnce, Some(partition));
                found.push(Violation { invariant, at, partition, detail: detail.into() });
            }
        }
        found
    }

    /// Whether a topic is the scenario's own.
    pub(super) fn is_ours(&self, partition: TopicPartition) -> bool {
        (1..=self.last_topic).contains(&partition.topic.0)
    }
}

/// The first record that stands twice in a log, or before an earlier one, though one producer sent both. In transactions a record may be
/// written again; within one epoch that cannot be since each has its own (transaction version 2), but for what was undone.
fn repetition(log: &UnifiedLog, epoch_per_transaction: bool) -> Option<String> {
    let mut seen: SortedMap<(ProducerId, ProducerEpoch), SortedSet<RecordId>> = SortedMap::new();
    let counts = |batch: &RecordBatch, fate| match batch.is_transactional() {
        true => epoch_per_transaction && fate == Fate::Holds,
        false => batch.base_sequence() >= 0,
    };
    for (batch, _) in fates(log).filter(|(batch, fate)| counts(batch, *fate)) {
        let producer = (batch.producer_id(), batch.producer_epoch());
        let records = seen.entry(producer).or_default();
        for (offset, record) in records_with_offsets(batch) {
            // Who writes in transactions may write again what was undone.
            let overtaken = records.last().is_some_and(|last| *last > record) && !batch.is_transactional();
            if !records.insert(record) || overtaken {
                let what = if overtaken { "comes after a later one" } else { "stands there already" };
                return Some(format!("record {record} of producer {} at offset {offset} {what}", producer.0));
            }
        }
    }
    None
}
