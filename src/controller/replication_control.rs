//! Partitions change: leaders ask for another ISR, brokers leave and return.
//!
//! In Kafka: `ReplicationControlManager`.

use super::Controller;
use super::partition_change::{Election, PartitionChange};
use crate::base::{BrokerId, TopicPartition};
use crate::metadata::{MetadataRecord, PartitionChangeRecord, PartitionRegistration};
use crate::protocol::{AlterPartition, AlterPartitionRequest, AlterPartitionResponse, AlterPartitionResult};
use crate::protocol::{BrokerState, ErrorCode, LeaderRecoveryState};

impl Controller {
    /// Leaders ask for other ISRs.
    pub(super) fn alter_partition(
        &self,
        request: &AlterPartitionRequest,
    ) -> (Vec<MetadataRecord>, AlterPartitionResponse) {
        let error = self.check_broker_epoch(request.broker, request.broker_epoch);
        if error.is_error() {
            return (Vec::new(), AlterPartitionResponse { error, partitions: Vec::new() });
        }
        let mut records = Vec::new();
        let partitions = request
            .partitions
            .iter()
            .map(|wish| {
                let (record, result) = self.alter_one(request.broker, wish);
                records.extend(record.map(MetadataRecord::PartitionChange));
                result
            })
            .collect();
        (records, AlterPartitionResponse { error, partitions })
    }

    fn alter_one(
        &self,
        sender: BrokerId,
        wish: &AlterPartition,
    ) -> (Option<PartitionChangeRecord>, AlterPartitionResult) {
        let partition = match self.validate_wish(sender, wish) {
            Ok(partition) => partition,
            Err(error) => return (None, refused(wish.partition, error)),
        };
        let acceptable = |broker| self.image().is_active(broker);
        let change = self
            .change(wish.partition, partition, &acceptable)
            .isr(wish.new_isr.iter().map(|member| member.broker).collect())
            .recovery_state(wish.leader_recovery_state)
            .build();
        let mut new = partition.clone();
        if let Some(change) = &change {
            new.merge(change);
            if change.leader.is_some_and(|leader| leader != sender) {
                // The sender must learn of the new leader from the metadata log.
                let result = refused(wish.partition, ErrorCode::NewLeaderElected);
                return (Some(change.clone()), result);
            }
        }
        let result = AlterPartitionResult {
            partition: wish.partition,
            error: ErrorCode::None,
            leader: new.leader,
            leader_epoch: new.leader_epoch,
            isr: new.isr,
            leader_recovery_state: new.leader_recovery_state,
            partition_epoch: new.partition_epoch,
        };
        (change, result)
    }

    /// The checks in Kafka's order.
    fn validate_wish(&self, sender: BrokerId, wish: &AlterPartition) -> Result<&PartitionRegistration, ErrorCode> {
        let topic = self.image().topic(wish.partition.topic).ok_or(ErrorCode::UnknownTopicId)?;
        let partition = topic.partitions.get(wish.partition.partition as usize);
        let partition = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
        // A leader that knows more than its controller has met a newer one.
        if wish.leader_epoch > partition.leader_epoch || wish.partition_epoch > partition.partition_epoch {
            return Err(ErrorCode::NotController);
        }
        if wish.leader_epoch < partition.leader_epoch {
            return Err(ErrorCode::FencedLeaderEpoch);
        }
        if sender != partition.leader {
            return Err(ErrorCode::InvalidRequest);
        }
        if wish.partition_epoch < partition.partition_epoch {
            return Err(ErrorCode::InvalidUpdateVersion);
        }
        let recovering = wish.leader_recovery_state == LeaderRecoveryState::Recovering;
        let is_invalid = !is_valid_isr(&partition.replicas, &wish.new_isr)
            || !wish.new_isr.iter().any(|member| member.broker == partition.leader)
            || (recovering && wish.new_isr.len() > 1)
            || (recovering && partition.leader_recovery_state == LeaderRecoveryState::Recovered);
        if is_invalid {
            return Err(ErrorCode::InvalidRequest);
        }
        if wish.new_isr.iter().any(|member| !self.is_eligible(member)) {
            return Err(ErrorCode::IneligibleReplica);
        }
        Ok(partition)
    }

    /// Whether a broker may join an ISR (KIP-841, KIP-903).
    fn is_eligible(&self, member: &BrokerState) -> bool {
        let registration = self.image().broker(member.broker).filter(|registration| registration.is_active());
        registration.is_some_and(|registration| member.epoch == -1 || registration.epoch == member.epoch)
    }

    /// A change of a partition, by the rules of its topic.
    pub(super) fn change<'a>(
        &self,
        at: TopicPartition,
        partition: &'a PartitionRegistration,
        acceptable: &'a dyn Fn(BrokerId) -> bool,
    ) -> PartitionChange<'a> {
        let election = if self.may_elect_uncleanly(at) { Election::Unclean } else { Election::Online };
        let min_isr = self.keeps_eligible_leaders().then(|| self.min_isr(at));
        PartitionChange::new(at, partition, acceptable).election(election).eligible_leader_replicas(min_isr)
    }

    /// The feature `eligible.leader.replicas.version` is on (KIP-966).
    pub(super) fn keeps_eligible_leaders(&self) -> bool {
        self.image().feature_level("eligible.leader.replicas.version") > 0
    }

    fn topic_setting(&self, at: TopicPartition, key: &str) -> Option<&str> {
        let topic = self.image().topic(at.topic)?;
        let cluster = || self.image().broker_config(None)?.get(key);
        topic.config.get(key).or_else(cluster).map(String::as_str)
    }

    pub(super) fn may_elect_uncleanly(&self, at: TopicPartition) -> bool {
        let default = self.config().unclean_leader_election_enable;
        let set = self.topic_setting(at, "unclean.leader.election.enable");
        set.map_or(default, |value| value.eq_ignore_ascii_case("true"))
    }

    /// `min.insync.replicas`, but not more than the topic's first partition has replicas.
    fn min_isr(&self, at: TopicPartition) -> usize {
        let set = self.topic_setting(at, "min.insync.replicas").and_then(|value| value.parse().ok());
        let replicas = self.image().partition(TopicPartition::new(at.topic, 0)).map_or(0, |first| first.replicas.len());
        set.unwrap_or(self.config().min_insync_replicas as usize).min(replicas)
    }

    /// The broker is on its way out: it leaves every ISR and leads no more.
    pub(super) fn remove_from_isrs(&self, broker: BrokerId, records: &mut Vec<MetadataRecord>) {
        let acceptable = |replica| replica != broker && self.image().is_active(replica);
        for (at, partition) in self.image().partitions().filter(|(_, partition)| partition.isr.contains(&broker)) {
            let change = self.change(at, partition, &acceptable).isr(without(&partition.isr, broker));
            records.extend(change.build().map(MetadataRecord::PartitionChange));
        }
    }

    /// The old incarnation is gone. If it did not say that it stops, what it had may be gone too, and it may not stay
    /// among the eligible leader replicas.
    pub(super) fn handle_shutdown_of_old_incarnation(
        &self,
        broker: BrokerId,
        clean: bool,
        records: &mut Vec<MetadataRecord>,
    ) {
        if clean || !self.keeps_eligible_leaders() {
            return self.remove_from_isrs(broker, records);
        }
        let acceptable = |replica| replica != broker && self.image().is_active(replica);
        let in_isr = self.image().partitions().filter(|(_, partition)| partition.isr.contains(&broker));
        let in_elr = self.image().partitions().filter(|(_, partition)| partition.elr.contains(&broker));
        for (at, partition) in in_isr.chain(in_elr) {
            let change = self.change(at, partition, &acceptable);
            let change = change.isr(without(&partition.isr, broker)).unclean_shutdown(broker);
            records.extend(change.build().map(MetadataRecord::PartitionChange));
        }
    }

    /// `broker` is about to be unfenced: it may lead what nobody leads.
    pub(super) fn elect_for_leaderless(&self, broker: BrokerId, records: &mut Vec<MetadataRecord>) {
        let acceptable = |replica| replica == broker || self.image().is_active(replica);
        for (at, partition) in self.image().partitions().filter(|(_, partition)| !partition.has_leader()) {
            let change = self.change(at, partition, &acceptable).build();
            records.extend(change.map(MetadataRecord::PartitionChange));
        }
    }
}

fn without(isr: &[BrokerId], broker: BrokerId) -> Vec<BrokerId> {
    isr.iter().copied().filter(|member| *member != broker).collect()
}

/// Replicas only, and none twice.
fn is_valid_isr(replicas: &[BrokerId], isr: &[BrokerState]) -> bool {
    isr.iter().enumerate().all(|(index, member)| {
        replicas.contains(&member.broker) && isr[..index].iter().all(|other| other.broker != member.broker)
    })
}

fn refused(partition: TopicPartition, error: ErrorCode) -> AlterPartitionResult {
    AlterPartitionResult {
        partition,
        error,
        leader: BrokerId(0),
        leader_epoch: 0,
        isr: Vec::new(),
        leader_recovery_state: LeaderRecoveryState::Recovered,
        partition_epoch: 0,
    }
}
