//! What the controller decides: a leader is in sync, and every decision is one that may be (TypeOk).

use super::{Cluster, Invariant, Invariants};
use crate::base::{BrokerId, LeaderEpoch, TopicPartition};
use crate::metadata::PartitionRegistration;
use crate::protocol::LeaderRecoveryState;
use crate::sim::Recorded;

/// As [`crate::node::Event::PartitionChanged`] has it.
pub(super) struct Decision<'a> {
    pub leader: BrokerId,
    pub leader_epoch: LeaderEpoch,
    pub partition_epoch: i32,
    pub isr: &'a [BrokerId],
    pub unclean: bool,
}

impl Invariants {
    pub(super) fn check_decision(
        &mut self,
        cluster: &impl Cluster,
        it: &Recorded,
        partition: TopicPartition,
        new: &Decision<'_>,
    ) {
        if self.watch_mut(partition).is_told_again(it.node, new.partition_epoch) {
            return;
        }
        let (leader, isr) = (new.leader, new.isr);
        if leader != BrokerId::NONE && !isr.contains(&leader) {
            let detail = format!("leader {leader} is not in the ISR {isr:?}");
            self.report(Invariant::LeaderInIsr, it.at, partition, detail);
        }
        let image = cluster.image();
        let decided = image.partition(partition);
        let is_new_reign = self.watch_mut(partition).last_epoch() < Some(new.leader_epoch);
        if let Some(problem) = decided.and_then(|decided| self.misfit(partition, decided, new)) {
            self.report(Invariant::TypeOk, it.at, partition, format!("{problem}: leader {leader}, ISR {isr:?}"));
        }
        // Who is elected while the partition recovers is so without having been in sync, and nobody says it again.
        let recovers = |it: &PartitionRegistration| it.leader_recovery_state == LeaderRecoveryState::Recovering;
        if new.unclean || (decided.is_some_and(|decided| recovers(decided)) && is_new_reign) {
            self.watch_mut(partition).waive();
            return;
        }
        // Who joins the ISR has caught up, and agrees.
        let Some(decided) = decided else { return };
        let known = cluster.replica(leader, partition).is_some_and(|it| it.leader_epoch == decided.leader_epoch);
        if known {
            self.check_agreement(cluster, image, it.at, partition, decided);
        }
    }

    /// What a decision must not be.
    fn misfit(
        &mut self,
        partition: TopicPartition,
        decided: &PartitionRegistration,
        new: &Decision<'_>,
    ) -> Option<&'static str> {
        let replicas = &decided.replicas;
        let known = |broker: &BrokerId| replicas.contains(broker);
        let (before, isr) = (self.watch_mut(partition).decided(new.leader_epoch, new.partition_epoch), new.isr);
        let twice = (1..isr.len()).any(|index| isr[..index].contains(&isr[index]));
        if before.is_some_and(|(epoch, change)| new.leader_epoch < epoch || new.partition_epoch < change) {
            Some("an epoch went back")
        } else if new.leader != BrokerId::NONE && !known(&new.leader) {
            Some("the leader is no replica")
        } else if !isr.iter().all(known) || twice {
            Some("the ISR is no set of replicas")
        } else if decided.partition_epoch != new.partition_epoch {
            // The same batch of records changes it again; the rest is looked at then.
            None
        } else if isr.is_empty() && decided.elr.is_empty() && decided.last_known_elr.is_empty() {
            Some("nobody is left who may lead")
        } else if decided.elr.iter().any(|broker| isr.contains(broker)) {
            // It may hold brokers that a reassignment took away: Kafka leaves them there (`maybePopulateTargetElr`), and
            // elects none of them.
            Some("the ELR and the ISR have a broker in common")
        } else {
            None
        }
    }
}
