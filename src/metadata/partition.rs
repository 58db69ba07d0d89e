//! One partition as the controller decided it.

use super::{PartitionChangeRecord, PartitionRecord};
use crate::base::{BrokerId, LeaderEpoch, TopicPartition};
use crate::protocol::LeaderRecoveryState;

/// The state of a partition.
///
/// Invariants: `isr`, `elr` ⊆ `replicas`; the leader is in the ISR or is −1; every change moves `partition_epoch`, every
/// record that names a leader moves `leader_epoch` too.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PartitionRegistration {
    /// In assignment order; the first is the preferred leader.
    pub replicas: Vec<BrokerId>,
    /// In sync.
    pub isr: Vec<BrokerId>,
    /// A reassignment takes these away.
    pub removing_replicas: Vec<BrokerId>,
    /// A reassignment brings these.
    pub adding_replicas: Vec<BrokerId>,
    /// Eligible leader replicas (KIP-966).
    pub elr: Vec<BrokerId>,
    /// The last leader, when ISR and ELR are empty (KIP-966).
    pub last_known_elr: Vec<BrokerId>,
    /// −1 if there is none.
    pub leader: BrokerId,
    /// Whether the leader was elected uncleanly and has yet to recover.
    pub leader_recovery_state: LeaderRecoveryState,
    /// Its epoch.
    pub leader_epoch: LeaderEpoch,
    /// Counts every change.
    pub partition_epoch: i32,
}

impl PartitionRegistration {
    /// A new partition.
    pub fn new(replicas: Vec<BrokerId>, isr: Vec<BrokerId>) -> Self {
        PartitionRegistration {
            leader: isr.first().copied().unwrap_or(BrokerId::NONE),
            replicas,
            isr,
            removing_replicas: Vec::new(),
            adding_replicas: Vec::new(),
            elr: Vec::new(),
            last_known_elr: Vec::new(),
            leader_recovery_state: LeaderRecoveryState::Recovered,
            leader_epoch: 0,
            partition_epoch: 0,
        }
    }

    /// As a record says.
    pub fn from_record(record: &PartitionRecord) -> Self {
        PartitionRegistration {
            replicas: record.replicas.clone(),
            isr: record.isr.clone(),
            removing_replicas: record.removing_replicas.clone(),
            adding_replicas: record.adding_replicas.clone(),
            elr: record.elr.clone(),
            last_known_elr: record.last_known_elr.clone(),
            leader: record.leader,
            leader_recovery_state: record.leader_recovery_state,
            leader_epoch: record.leader_epoch,
            partition_epoch: record.partition_epoch,
        }
    }

    /// As a record.
    pub fn to_record(&self, partition: TopicPartition) -> PartitionRecord {
        PartitionRecord {
            partition,
            replicas: self.replicas.clone(),
            isr: self.isr.clone(),
            removing_replicas: self.removing_replicas.clone(),
            adding_replicas: self.adding_replicas.clone(),
            leader: self.leader,
            leader_recovery_state: self.leader_recovery_state,
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
            elr: self.elr.clone(),
            last_known_elr: self.last_known_elr.clone(),
        }
    }

    /// Follows a change.
    pub fn merge(&mut self, change: &PartitionChangeRecord) {
        fn replace(target: &mut Vec<BrokerId>, new: &Option<Vec<BrokerId>>) {
            if let Some(new) = new {
                target.clone_from(new);
            }
        }
        replace(&mut self.isr, &change.isr);
        replace(&mut self.replicas, &change.replicas);
        replace(&mut self.removing_replicas, &change.removing_replicas);
        replace(&mut self.adding_replicas, &change.adding_replicas);
        replace(&mut self.elr, &change.elr);
        replace(&mut self.last_known_elr, &change.last_known_elr);
        if let Some(leader) = change.leader {
            self.leader = leader;
            self.leader_epoch += 1;
        }
        if let Some(state) = change.leader_recovery_state {
            self.leader_recovery_state = state;
        }
        self.partition_epoch += 1;
    }

    /// Whether `change` makes somebody leader who is not known to have every committed record. (The recovery state does not
    /// tell: a leader that has not reported its recovery yet stays in it.)
    pub fn elects_uncleanly(&self, change: &PartitionChangeRecord) -> bool {
        let new = change.leader.filter(|leader| *leader != BrokerId::NONE && *leader != self.leader);
        // The leader of a reassignment that completes comes from the ISR of the same record. One that is cancelled drops
        // what was to come, and may have nobody left in sync.
        let completes = |replicas: &Vec<BrokerId>| self.adding_replicas.iter().all(|coming| replicas.contains(coming));
        let proposed = change.isr.as_ref().filter(|_| change.replicas.as_ref().is_some_and(completes));
        new.is_some_and(|leader| {
            let known = [&self.isr, &self.elr].into_iter().chain(proposed).any(|set| set.contains(&leader));
            !known
        })
    }

    /// Whether a reassignment is under way.
    pub fn is_reassigning(&self) -> bool {
        !self.adding_replicas.is_empty() || !self.removing_replicas.is_empty()
    }

    /// Whether somebody leads.
    pub fn has_leader(&self) -> bool {
        self.leader != BrokerId::NONE
    }

    /// Whether its leader is the first of its replicas.
    pub fn has_preferred_leader(&self) -> bool {
        self.replicas.first() == Some(&self.leader)
    }
}
