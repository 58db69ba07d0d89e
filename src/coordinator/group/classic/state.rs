//! How the states of a classic group follow each other.

use crate::protocol::GroupState::{self, CompletingRebalance, Dead, Empty, PreparingRebalance, Stable};

/// May this state follow that one (`ClassicGroupState.validPreviousStates`)? A group of a partition that this broker no
/// longer leads is Dead; here such a group is dropped instead.
pub(super) const fn may_follow(before: GroupState, after: GroupState) -> bool {
    matches!(
        (before, after),
        (PreparingRebalance, Empty | CompletingRebalance)
            | (Empty | CompletingRebalance | Stable, PreparingRebalance)
            | (CompletingRebalance, Stable)
            | (_, Dead)
    )
}
