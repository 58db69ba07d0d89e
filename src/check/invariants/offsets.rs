//! One replica by itself: its offsets are in order, what it appends fits, a leader's high watermark never goes back.

use super::{Cluster, Invariant, Invariants, Replica};
use crate::base::{BrokerId, Offset, TopicPartition};
use crate::record::RecordBatch;
use crate::sim::Recorded;

impl Invariants {
    pub(super) fn check_offsets(&mut self, cluster: &impl Cluster, it: &Recorded, partition: TopicPartition) {
        if let Some(replica) = cluster.replica(it.node.into(), partition) {
            self.check_order(it, partition, &replica);
        }
    }

    fn check_order(&mut self, it: &Recorded, partition: TopicPartition, replica: &Replica<'_>) {
        let Replica { log, high_watermark, .. } = *replica;
        let (start, end) = (log.log_start_offset(), log.log_end_offset());
        if !(start <= high_watermark && high_watermark <= end) {
            let detail = format!("broker {}: log start {start}, high watermark {high_watermark}, end {end}", it.node.0);
            self.report(Invariant::OffsetsInOrder, it.at, partition, detail);
        }
    }

    /// What was appended is in the log, and is of no later epoch than its broker knows.
    pub(super) fn check_appended(
        &mut self,
        cluster: &impl Cluster,
        it: &Recorded,
        partition: TopicPartition,
        batch: &RecordBatch,
    ) {
        let Some(replica) = cluster.replica(it.node.into(), partition) else { return };
        self.check_order(it, partition, &replica);
        let Replica { log, leader_epoch, .. } = replica;
        let (end, epoch) = (log.log_end_offset(), batch.leader_epoch());
        if end < batch.next_offset() || epoch > leader_epoch {
            let (node, last) = (it.node.0, batch.last_offset());
            let detail = format!("broker {node}, epoch {leader_epoch}, end {end}: appended epoch {epoch} up to {last}");
            self.report(Invariant::TypeOk, it.at, partition, detail);
        }
    }

    pub(super) fn check_high_watermark(
        &mut self,
        cluster: &impl Cluster,
        it: &Recorded,
        partition: TopicPartition,
        now: Offset,
    ) {
        let leader = BrokerId::from(it.node);
        let Some(replica) = cluster.replica(leader, partition) else { return };
        self.check_order(it, partition, &replica);
        let epoch = replica.leader_epoch;
        if let Some(before) = self.watch_mut(partition).moved(leader, epoch, now) {
            let detail = format!("broker {leader}, epoch {epoch}: from {before} back to {now}");
            self.report(Invariant::HighWatermarkMonotonic, it.at, partition, detail);
        }
        // A deposed leader that does not know it commits nothing.
        let image = cluster.image();
        let Some(decided) = image.partition(partition) else { return };
        if (decided.leader, decided.leader_epoch) == (leader, epoch) {
            let watch = self.watch_mut(partition);
            watch.committed = watch.committed.max(now);
            self.check_agreement(cluster, image, it.at, partition, decided);
        }
    }
}
