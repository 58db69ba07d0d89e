//! The votes of one election, real or asked in advance. In Kafka: `EpochElection`.

use crate::base::NodeId;
use std::rc::Rc;

/// Who has answered what.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct EpochElection {
    voters: Rc<[NodeId]>,
    granted: Vec<NodeId>,
    rejected: Vec<NodeId>,
}

impl EpochElection {
    /// An election in which `me` votes for itself.
    pub fn new(voters: &Rc<[NodeId]>, me: NodeId) -> EpochElection {
        EpochElection { voters: voters.clone(), granted: vec![me], rejected: Vec::new() }
    }

    /// A vote came in; the last one of a voter counts.
    pub fn record(&mut self, voter: NodeId, granted: bool) {
        self.granted.retain(|known| *known != voter);
        self.rejected.retain(|known| *known != voter);
        if granted { self.granted.push(voter) } else { self.rejected.push(voter) }
    }

    fn majority(&self) -> usize {
        self.voters.len() / 2 + 1
    }

    /// A majority said yes.
    pub fn is_granted(&self) -> bool {
        self.granted.len() >= self.majority()
    }

    /// So many said no that no majority is left.
    pub fn is_rejected(&self) -> bool {
        self.voters.len() - self.rejected.len() < self.majority()
    }

    /// Who said yes.
    pub fn granting(&self) -> &[NodeId] {
        &self.granted
    }

    /// Who has not said anything.
    pub fn unrecorded(&self) -> Vec<NodeId> {
        let silent = |voter: &NodeId| !self.granted.contains(voter) && !self.rejected.contains(voter);
        self.voters.iter().copied().filter(silent).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn election(voters: u16) -> EpochElection {
        let voters: Rc<[NodeId]> = (0..voters).map(NodeId).collect();
        EpochElection::new(&voters, NodeId(0))
    }

    #[test]
    fn single_node_quorum() {
        let election = election(1);
        assert!(election.is_granted() && !election.is_rejected());
        assert_eq!(election.unrecorded(), []);
    }

    #[test]
    fn three_node_quorum_vote_granted_and_rejected() {
        let mut won = election(3);
        assert!(!won.is_granted() && !won.is_rejected());
        won.record(NodeId(1), false);
        assert!(!won.is_granted() && !won.is_rejected());
        won.record(NodeId(2), true);
        assert!(won.is_granted() && !won.is_rejected());
        assert_eq!(won.granting(), [NodeId(0), NodeId(2)]);

        let mut lost = election(3);
        lost.record(NodeId(1), false);
        assert_eq!(lost.unrecorded(), [NodeId(2)]);
        lost.record(NodeId(2), false);
        assert!(lost.is_rejected() && !lost.is_granted());
    }

    #[test]
    fn voters_may_change_their_mind_about_a_pre_vote() {
        let mut election = election(3);
        election.record(NodeId(1), false);
        election.record(NodeId(1), true);
        assert!(election.is_granted());
    }
}
