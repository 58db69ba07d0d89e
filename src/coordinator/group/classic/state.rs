//! The states of a classic group.

/// Where a group is between two generations (`ClassicGroupState`).
///
/// ```text
/// Empty ──► PreparingRebalance ──► CompletingRebalance ──► Stable
///   ▲         │     ▲      ▲               │                 │
///   └─────────┘     │      └───────────────┘                 │
///                   └────────────────────────────────────────┘
/// ```
/// A group of a partition that this broker no longer leads is Dead; here such a group is dropped instead.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ClassicGroupState {
    /// No members; perhaps offsets.
    Empty,
    /// Members join, or join again.
    PreparingRebalance,
    /// All have joined; the leader's assignment is awaited.
    CompletingRebalance,
    /// Every member has its assignment.
    Stable,
    /// Gone.
    Dead,
}

impl ClassicGroupState {
    /// As DescribeGroups and `kafka-consumer-groups.sh` spell it.
    pub const fn name(self) -> &'static str {
        match self {
            ClassicGroupState::Empty => "Empty",
            ClassicGroupState::PreparingRebalance => "PreparingRebalance",
            ClassicGroupState::CompletingRebalance => "CompletingRebalance",
            ClassicGroupState::Stable => "Stable",
            ClassicGroupState::Dead => "Dead",
        }
    }

    /// May this state follow that one?
    pub const fn may_follow(self, before: ClassicGroupState) -> bool {
        use ClassicGroupState::{CompletingRebalance, Dead, Empty, PreparingRebalance, Stable};
        matches!(
            (before, self),
            (PreparingRebalance, Empty | CompletingRebalance)
                | (Empty | CompletingRebalance | Stable, PreparingRebalance)
                | (CompletingRebalance, Stable)
                | (_, Dead)
        )
    }
}
