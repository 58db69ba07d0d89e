//! What the invariants remember of one partition.

use crate::base::{BrokerId, LeaderEpoch, NodeId, Offset};

/// One partition, watched.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Watch {
    /// The highest high watermark of a rightful leader.
    pub committed: Offset,
    /// Kafka promises nothing of what was acknowledged so far.
    pub waived: bool,
    /// Brokers that came back without all that was committed.
    pub cut: Vec<BrokerId>,
    /// The controller's last decision: leader epoch, partition epoch.
    epochs: Option<(LeaderEpoch, i32)>,
    /// The controller that told it.
    teller: Option<NodeId>,
    /// The last high watermark of each who leads: (broker, epoch, offset).
    marks: Vec<(BrokerId, LeaderEpoch, Offset)>,
    /// Up to where each broker's log was seen to agree with the leader's.
    verified: Vec<(BrokerId, Offset)>,
}

impl Watch {
    /// The leader epoch of the controller's last decision.
    pub fn last_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs.map(|(leader_epoch, _)| leader_epoch)
    }

    /// Whether a controller that has just taken over says again what its predecessor had decided: it cannot know what that
    /// one had told.
    pub fn is_told_again(&mut self, controller: NodeId, partition_epoch: i32) -> bool {
        let is_news = self.epochs.is_none_or(|(_, change)| partition_epoch > change);
        if is_news {
            self.teller = Some(controller);
        }
        !is_news && self.teller != Some(controller)
    }

    /// The controller decided; the epochs of its decision before.
    pub fn decided(&mut self, leader_epoch: LeaderEpoch, partition_epoch: i32) -> Option<(LeaderEpoch, i32)> {
        self.epochs.replace((leader_epoch, partition_epoch))
    }

    /// A leader's high watermark moved. If it went back within its epoch: from where.
    pub fn moved(&mut self, leader: BrokerId, epoch: LeaderEpoch, to: Offset) -> Option<Offset> {
        let Some(mark) = self.marks.iter_mut().find(|(broker, _, _)| *broker == leader) else {
            self.marks.push((leader, epoch, to));
            return None;
        };
        let before = std::mem::replace(mark, (leader, epoch, to));
        (before.1 == epoch && to < before.2).then_some(before.2)
    }

    /// A new reign: the new leader's high watermark may lag behind the old one's.
    pub fn reigns(&mut self, leader: BrokerId) {
        self.marks.retain(|(broker, _, _)| *broker != leader);
    }

    /// Up to where a broker's log was seen to agree.
    pub fn verified(&self, broker: BrokerId) -> Offset {
        self.verified.iter().find(|(known, _)| *known == broker).map_or(0, |(_, offset)| *offset)
    }

    /// A broker's log was seen to agree up to there, and so to hold all that is committed.
    pub fn verify(&mut self, broker: BrokerId, to: Offset) {
        self.cut.retain(|known| *known != broker);
        match self.verified.iter_mut().find(|(known, _)| *known == broker) {
            Some((_, offset)) => *offset = to.max(*offset),
            None => self.verified.push((broker, to)),
        }
    }

    /// A broker's log ends there now.
    pub fn shortened(&mut self, broker: BrokerId, end: Offset) {
        if let Some((_, offset)) = self.verified.iter_mut().find(|(known, _)| *known == broker) {
            *offset = end.min(*offset);
        }
    }

    /// From here on all is as if new, and old promises are void.
    pub fn waive(&mut self) {
        self.waived = true;
        self.committed = 0;
        self.verified.clear();
        self.cut.clear();
    }
}
