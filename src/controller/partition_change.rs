//! Decides how a partition changes: who is in sync, who may lead, which epochs move.
//!
//! Invariants: without eligible leader replicas the ISR never becomes empty, its last member stays though it is gone; a
//! record that names a leader begins an epoch, one that only changes the ISR does not; an unclean election sets the ISR to
//! the new leader alone and marks it as recovering; a reassignment is complete, and disappears, with the first change after
//! which every added replica is in the ISR and somebody stays in it.
//!
//! In Kafka: `PartitionChangeBuilder`, `PartitionReassignmentReplicas`.

use crate::base::{BrokerId, TopicPartition, sort_short};
use crate::metadata::{PartitionChangeRecord, PartitionRegistration};
use crate::protocol::LeaderRecoveryState;

/// Who may be elected.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Election {
    /// The first replica before the current leader, otherwise as `Online`.
    Preferred,
    /// The current leader, else the first replica that has all committed records.
    Online,
    /// As `Online`; if there is none, any live replica.
    Unclean,
}

/// A change in the making.
pub(super) struct PartitionChange<'a> {
    at: TopicPartition,
    partition: &'a PartitionRegistration,
    acceptable: &'a dyn Fn(BrokerId) -> bool,
    election: Election,
    /// None while the feature is off.
    min_isr: Option<usize>,
    isr: Vec<BrokerId>,
    elr: Vec<BrokerId>,
    replicas: Vec<BrokerId>,
    removing: Vec<BrokerId>,
    adding: Vec<BrokerId>,
    recovery_state: LeaderRecoveryState,
    unclean_shutdown: Option<BrokerId>,
}

impl<'a> PartitionChange<'a> {
    /// A change of `partition`, whose leader must be `acceptable`.
    pub(super) fn new(
        at: TopicPartition,
        partition: &'a PartitionRegistration,
        acceptable: &'a dyn Fn(BrokerId) -> bool,
    ) -> Self {
        PartitionChange {
            at,
            partition,
            acceptable,
            election: Election::Online,
            min_isr: None,
            isr: partition.isr.clone(),
            elr: partition.elr.clone(),
            replicas: partition.replicas.clone(),
            removing: partition.removing_replicas.clone(),
            adding: partition.adding_replicas.clone(),
            recovery_state: partition.leader_recovery_state,
            unclean_shutdown: None,
        }
    }

    pub(super) fn election(mut self, election: Election) -> Self {
        self.election = election;
        self
    }

    /// Keeps eligible leader replicas (KIP-966) while the ISR is smaller than this; None while the feature is off.
    pub(super) fn eligible_leader_replicas(mut self, min_isr: Option<usize>) -> Self {
        self.min_isr = min_isr;
        self
    }

    /// Another assignment: the replicas, those of them that are to go and those that are to come.
    pub(super) fn assignment(
        mut self,
        replicas: Vec<BrokerId>,
        removing: Vec<BrokerId>,
        adding: Vec<BrokerId>,
    ) -> Self {
        (self.replicas, self.removing, self.adding) = (replicas, removing, adding);
        self
    }

    pub(super) fn isr(mut self, isr: Vec<BrokerId>) -> Self {
        self.isr = isr;
        self
    }

    pub(super) fn recovery_state(mut self, state: LeaderRecoveryState) -> Self {
        self.recovery_state = state;
        self
    }

    /// This broker stopped without saying so: what it had may be gone.
    pub(super) fn unclean_shutdown(mut self, broker: BrokerId) -> Self {
        self.unclean_shutdown = Some(broker);
        self
    }

    /// The record of the change; None if nothing changes.
    pub(super) fn build(mut self) -> Option<PartitionChangeRecord> {
        let mut record = PartitionChangeRecord::none(self.at);
        self.complete_reassignment();
        self.populate_elr();
        self.elect(&mut record);
        if record.leader.is_none() && !includes(&self.replicas, &self.partition.replicas) {
            // Who goes must learn of it from a new epoch.
            record.leader = Some(self.partition.leader);
        }
        self.record_elr(&mut record);
        let may_set_isr = !self.isr.is_empty() || self.min_isr.is_some();
        if record.isr.is_none() && may_set_isr && self.isr != self.partition.isr {
            record.isr = Some(std::mem::take(&mut self.isr));
        }
        self.record_last_known_leader(&mut record);
        self.record_assignment(&mut record);
        if self.recovery_state != self.partition.leader_recovery_state {
            record.leader_recovery_state = Some(self.recovery_state);
        }
        (!record.is_empty()).then_some(record)
    }

    /// Once those who were to come are in sync, those who were to go are gone.
    fn complete_reassignment(&mut self) {
        if self.removing.is_empty() && self.adding.is_empty() {
            return;
        }
        let stays = |replica: &BrokerId| !self.removing.contains(replica);
        let isr: Vec<_> = self.isr.iter().copied().filter(stays).collect();
        let replicas: Vec<_> = self.replicas.iter().copied().filter(stays).collect();
        // With fewer replicas than before, all that stay must be in sync: completing must not make the ISR too small.
        let shrinks = self.adding.len() < self.removing.len();
        let waits = isr.is_empty() || replicas.is_empty() || !includes(&isr, &self.adding);
        if !(waits || shrinks && !includes(&isr, &replicas)) {
            (self.isr, self.replicas) = (isr, replicas);
            self.removing.clear();
            self.adding.clear();
        }
    }

    /// Replicas that leave an ISR which is already too small are still known to have every committed record.
    fn populate_elr(&mut self) {
        let Some(min_isr) = self.min_isr else { return };
        if self.isr.len() >= min_isr {
            self.elr.clear();
            return;
        }
        self.elr.extend(&self.partition.isr);
        sort_short(&mut self.elr, |a, b| a < b);
        self.elr.dedup();
        let (isr, unclean) = (&self.isr, self.unclean_shutdown);
        self.elr.retain(|replica| !isr.contains(replica) && Some(*replica) != unclean);
    }

    fn elect(&mut self, record: &mut PartitionChangeRecord) {
        let (leader, unclean) = self.winner();
        if leader == self.partition.leader {
            return;
        }
        if self.elr.contains(&leader) {
            self.isr = vec![leader];
            self.elr.retain(|replica| *replica != leader);
        }
        record.leader = Some(leader);
        if unclean {
            record.isr = Some(vec![leader]);
            if self.partition.leader_recovery_state != LeaderRecoveryState::Recovering {
                record.leader_recovery_state = Some(LeaderRecoveryState::Recovering);
            }
        }
    }

    fn winner(&self) -> (BrokerId, bool) {
        let replicas = &self.replicas;
        let preferred = replicas.first().filter(|_| self.election == Election::Preferred);
        let clean = preferred
            .into_iter()
            .chain([&self.partition.leader])
            .chain(replicas)
            .find(|replica| self.is_valid_leader(**replica));
        if let Some(leader) = clean {
            return (*leader, false);
        }
        if let Some(leader) = self.last_known_leader() {
            return (leader, true);
        }
        let any = replicas.iter().find(|replica| self.election == Election::Unclean && (self.acceptable)(**replica));
        any.map_or((BrokerId::NONE, false), |leader| (*leader, true))
    }

    fn is_valid_leader(&self, replica: BrokerId) -> bool {
        let has_all = self.isr.contains(&replica) || (self.isr.is_empty() && self.elr.contains(&replica));
        has_all && (self.acceptable)(replica)
    }

    fn last_known_leader(&self) -> Option<BrokerId> {
        let [leader] = self.partition.last_known_elr[..] else { return None };
        let nobody_else = self.min_isr.is_some() && self.elr.is_empty() && self.isr.is_empty();
        (nobody_else && (self.acceptable)(leader)).then_some(leader)
    }

    fn record_elr(&mut self, record: &mut PartitionChangeRecord) {
        if record.isr.is_some() || self.min_isr.is_none() {
            self.elr.clear();
        }
        if self.elr != self.partition.elr {
            record.elr = Some(std::mem::take(&mut self.elr));
        }
    }

    fn record_last_known_leader(&self, record: &mut PartitionChangeRecord) {
        if self.min_isr.is_none() {
            return;
        }
        match record.leader {
            Some(BrokerId::NONE) if self.partition.last_known_elr.is_empty() => {
                record.last_known_elr = Some(vec![self.partition.leader]);
            }
            Some(leader) if leader != BrokerId::NONE && !self.partition.last_known_elr.is_empty() => {
                record.last_known_elr = Some(Vec::new());
            }
            _ => {}
        }
    }

    fn record_assignment(&mut self, record: &mut PartitionChangeRecord) {
        let change = |new: &mut Vec<BrokerId>, old: &Vec<BrokerId>| (new != old).then(|| std::mem::take(new));
        let old = self.partition;
        record.replicas = change(&mut self.replicas, &old.replicas).filter(|replicas| !replicas.is_empty());
        record.removing_replicas = change(&mut self.removing, &old.removing_replicas);
        record.adding_replicas = change(&mut self.adding, &old.adding_replicas);
    }
}

fn includes(set: &[BrokerId], subset: &[BrokerId]) -> bool {
    subset.iter().all(|member| set.contains(member))
}
