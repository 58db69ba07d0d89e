//! Replicas in sync against their leader: they have all that is committed (ValidHighWatermark), and the same (StrongIsr).
//!
//! "In sync and alive" means here: in the ISR that the controller wrote down, running, and registered as this very process;
//! a process that has just come back is not yet the one that the ISR speaks of. What was seen to agree once is not
//! compared again, unless it was cut off.

use super::{Cluster, Invariant, Invariants, Replica};
use crate::base::{BrokerId, Offset, Time, TopicPartition};
use crate::log::UnifiedLog;
use crate::metadata::{MetadataImage, PartitionRegistration};
use crate::record::RecordBatch;
use crate::sim::Recorded;

impl Invariants {
    /// Every replica in sync agrees with the leader below the high watermark, as far as that was not seen before.
    pub(super) fn check_agreement(
        &mut self,
        cluster: &impl Cluster,
        image: &MetadataImage,
        at: Time,
        partition: TopicPartition,
        decided: &PartitionRegistration,
    ) {
        let Some(leader) = cluster.replica(decided.leader, partition) else { return };
        let to = self.watch_mut(partition).committed;
        for member in decided.isr.iter().filter(|member| **member != decided.leader) {
            let from = self.watch_mut(partition).verified(*member);
            if from >= to {
                continue;
            }
            let Some(replica) = in_sync(cluster, image, *member, partition) else { continue };
            let end = replica.log.log_end_offset();
            if end < to {
                let detail = format!("broker {member} is in sync and ends at {end}, committed up to {to}");
                self.report(Invariant::ValidHighWatermark, at, partition, detail);
            }
            self.watch_mut(partition).verify(*member, to);
            if let Some(offset) = first_difference(leader.log, replica.log, from, to.min(end)) {
                let leader = decided.leader;
                let detail = format!("brokers {leader} and {member} differ at offset {offset}, committed up to {to}");
                self.report(Invariant::StrongIsr, at, partition, detail);
            }
        }
        self.watch_mut(partition).verify(decided.leader, to);
    }

    /// A replica cut its log. One that is in sync never cuts off what is committed.
    pub(super) fn check_truncated(
        &mut self,
        cluster: &impl Cluster,
        it: &Recorded,
        partition: TopicPartition,
        to: Offset,
    ) {
        let broker = BrokerId::from(it.node);
        let watch = self.watch_mut(partition);
        watch.shortened(broker, to);
        let committed = watch.committed;
        if to >= committed {
            return;
        }
        let image = cluster.image();
        let Some(decided) = image.partition(partition) else { return };
        if decided.isr.contains(&broker) && in_sync(cluster, image, broker, partition).is_some() {
            let detail = format!("broker {broker} is in sync and cut its log at {to}, committed up to {committed}");
            self.report(Invariant::ValidHighWatermark, it.at, partition, detail);
        }
    }
}

/// The replica of a broker that is in sync and alive, given that it is in the ISR.
pub(super) fn in_sync<'a>(
    cluster: &'a impl Cluster,
    image: &MetadataImage,
    broker: BrokerId,
    partition: TopicPartition,
) -> Option<Replica<'a>> {
    let registered = image.broker(broker).map(|registration| registration.epoch);
    let runs_as = cluster.broker_epoch(broker);
    if registered.is_none() || registered != runs_as {
        return None;
    }
    cluster.replica(broker, partition)
}

/// Where two logs first differ between two offsets.
fn first_difference(leader: &UnifiedLog, member: &UnifiedLog, from: Offset, to: Offset) -> Option<Offset> {
    let from = from.max(leader.log_start_offset()).max(member.log_start_offset());
    if leader.config().compact {
        return first_contradiction(leader, member, from, to);
    }
    let mut theirs = member.batches_from(from);
    for batch in leader.batches_from(from).take_while(|batch| batch.base_offset() < to) {
        if theirs.next() != Some(batch) {
            return Some(batch.base_offset());
        }
    }
    None
}

/// Where two compacted logs first have different records at one offset. Each replica is cleaned in its own time, so that one
/// may lack what the other has still.
fn first_contradiction(leader: &UnifiedLog, member: &UnifiedLog, from: Offset, to: Offset) -> Option<Offset> {
    let mut theirs = member.batches_from(from).flat_map(RecordBatch::raw_records).flatten().peekable();
    for record in
        leader.batches_from(from).take_while(|batch| batch.base_offset() < to).flat_map(RecordBatch::raw_records)
    {
        let Ok(record) = record else { continue };
        while theirs.next_if(|other| other.offset < record.offset).is_some() {}
        let other = theirs.next_if(|other| other.offset == record.offset);
        if other.is_some_and(|other| (other.key, other.value) != (record.key, record.value)) {
            return Some(record.offset);
        }
    }
    None
}
