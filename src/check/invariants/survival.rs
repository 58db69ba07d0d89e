//! What is committed or acknowledged stays, unless Kafka itself gives it up.

use super::agreement::in_sync;
use super::{Cluster, Invariant, Invariants, Violation};
use crate::base::{BrokerId, LeaderEpoch, Offset, RecordId, Time, TopicPartition};
use crate::check::StoryKind;
use crate::check::ledger::Ledger;
use crate::sim::Recorded;

impl Invariants {
    /// A broker came back and has looked at its log. If a power loss cut what was committed from all that were left in
    /// sync, nobody has it any more.
    pub(super) fn recovered(&mut self, cluster: &impl Cluster, it: &Recorded, partition: TopicPartition, end: Offset) {
        let broker = BrokerId::from(it.node);
        let watch = self.watch_mut(partition);
        watch.shortened(broker, end);
        if end < watch.committed && !watch.cut.contains(&broker) {
            watch.cut.push(broker);
        }
        let Some(decided) = cluster.image().partition(partition) else { return };
        let nobody = decided.isr.iter().chain(&decided.elr).all(|member| watch.cut.contains(member));
        if nobody && !watch.cut.is_empty() {
            watch.waive();
        }
    }

    pub(super) fn check_new_leader(
        &mut self,
        cluster: &impl Cluster,
        it: &Recorded,
        partition: TopicPartition,
        epoch: LeaderEpoch,
        end: Offset,
    ) {
        self.check_offsets(cluster, it, partition);
        if cluster.image().partition(partition).is_none_or(|decided| decided.leader_epoch > epoch) {
            return;
        }
        let watch = self.watch_mut(partition);
        let committed = watch.committed;
        watch.reigns(it.node.into());
        if end < committed {
            // What was given up counts as not committed.
            watch.committed = end;
            let detail = format!("broker {} leads with log end {end}, committed up to {committed}", it.node.0);
            self.report(Invariant::CommittedSurvives, it.at, partition, detail);
        }
    }

    pub(super) fn check_acked(
        &mut self,
        cluster: &impl Cluster,
        ledger: &Ledger,
        it: &Recorded,
        partition: TopicPartition,
        (record, offset): (RecordId, Offset),
    ) {
        if self.watches.get(&partition).is_some_and(|watch| watch.waived) {
            return;
        }
        let stands = ledger.life(record).is_some_and(|life| life.places.contains(&(partition, offset)));
        let image = cluster.image();
        let Some(decided) = image.partition(partition) else { return };
        let lacks = |member: &&BrokerId| {
            in_sync(cluster, image, **member, partition).is_some_and(|replica| replica.log.log_end_offset() <= offset)
        };
        let without = decided.isr.iter().find(lacks).copied();
        if let (true, None) = (stands, without) {
            return;
        }
        if self.is_mistaken(ledger, record) {
            return;
        }
        let detail = match without {
            Some(member) => format!("record {record} at offset {offset} is acknowledged but not on broker {member}"),
            None => format!("record {record} is acknowledged at offset {offset} but not in the leader's log"),
        };
        self.report(Invariant::AckedSurvives, it.at, partition, detail);
    }

    /// Whether the leader took a record that it does not have for one that it has. If an EndTxn that comes late aborts a
    /// transaction whose records are being sent again, these fail, and the producer gives their sequence numbers to the next
    /// ones though they are stored (`Sender.failBatch`; its epoch would be another if it were not aborting already). Before
    /// transaction.version 2 Kafka has no epoch for each transaction that would tell them apart.
    fn is_mistaken(&self, ledger: &Ledger, record: RecordId) -> bool {
        let Some(life) = ledger.life(record) else { return false };
        let told = |wanted: fn(&StoryKind) -> bool| life.story.iter().any(|step| wanted(&step.kind));
        let transactional = life.producer.is_some_and(|producer| self.producers.is_transactional(producer));
        !self.epoch_per_transaction
            && transactional
            && told(|kind| *kind == StoryKind::DuplicateIgnored)
            && !told(|kind| matches!(kind, StoryKind::Appended(_) | StoryKind::AppendedByFormerLeader(_)))
    }

    /// At the end: what acks=all acknowledged stands in a log, where nothing was given up.
    pub fn check_survivors(&self, cluster: &impl Cluster, ledger: &Ledger, at: Time) -> Vec<Violation> {
        let mut lost = Vec::new();
        for (record, life) in ledger.lives() {
            let (Some(ack), Some(producer), Some(partition)) = (life.acked, life.producer, life.partition) else {
                continue;
            };
            let promised = ack.offset >= 0 && self.acks_all.contains(&producer) && life.places.is_empty();
            let waived = self.watches.get(&partition).is_some_and(|watch| watch.waived);
            if promised
                && !waived
                && !self.is_mistaken(ledger, record)
                && cluster.image().partition(partition).is_some()
            {
                let detail = format!("record {record} was acknowledged at offset {} and is in no log", ack.offset);
                let (invariant, partition) = (Invariant::AckedSurvives, Some(partition));
                lost.push(Violation { invariant, at, partition, detail: detail.into() });
            }
        }
        lost
    }
}
