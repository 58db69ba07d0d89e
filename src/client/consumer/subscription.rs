//! Which partitions are assigned, and where reading stands in each.
//!
//! In Kafka: `SubscriptionState` and its `FetchStates`. A state class opens with its legal transitions:
//!
//! ```text
//! Initializing    ► Fetching, AwaitReset, AwaitValidation    no position yet: the committed offset decides
//! Fetching        ► Fetching, AwaitReset, AwaitValidation    a valid position
//! AwaitReset      ► Fetching, AwaitReset                     no position: auto.offset.reset decides
//! AwaitValidation ► all but Initializing                     a position that a new leader may have truncated
//! ```
//!
//! Invariants: exactly `Fetching` and `AwaitValidation` hold a position; only `Fetching` may fetch and commit. A
//! transition that is not legal is ignored, as in Kafka.

use super::subscribed::Subscribed;
use crate::base::config::AutoOffsetReset;
use crate::base::{BrokerId, LeaderEpoch, Offset, SortedSet, Time, TopicPartition, sort_short};
use std::rc::Rc;

/// Where a partition stands between assignment and reading.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FetchState {
    /// The committed offset is not known yet.
    Initializing,
    /// Reading.
    Fetching,
    /// `auto.offset.reset` looks for a place to start.
    AwaitReset,
    /// A new leader is asked whether the position still exists there.
    AwaitValidation,
}

impl FetchState {
    const fn may_become(self, next: FetchState) -> bool {
        use FetchState::{AwaitReset, AwaitValidation, Fetching, Initializing};
        match (self, next) {
            (_, Initializing) | (AwaitReset, AwaitValidation) => false,
            (Initializing | Fetching | AwaitReset | AwaitValidation, _) => true,
        }
    }

    const fn requires_position(self) -> bool {
        matches!(self, FetchState::Fetching | FetchState::AwaitValidation)
    }
}

/// A partition's leader as far as the client knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Leader {
    /// None while an election is under way.
    pub id: Option<BrokerId>,
    /// −1 if unknown.
    pub epoch: LeaderEpoch,
}

impl Leader {
    /// Nothing is known.
    pub const UNKNOWN: Leader = Leader { id: None, epoch: -1 };
}

/// The next offset to read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FetchPosition {
    /// It.
    pub offset: Offset,
    /// Epoch of the last record read, −1 if unknown.
    pub offset_epoch: LeaderEpoch,
    /// Whom to ask for it.
    pub leader: Leader,
}

impl FetchPosition {
    /// A position of which nothing but the offset is known.
    pub const fn at(offset: Offset) -> Self {
        FetchPosition { offset, offset_epoch: -1, leader: Leader::UNKNOWN }
    }
}

/// What a commit stores for a partition (`OffsetAndMetadata`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OffsetAndEpoch {
    /// The next offset to read.
    pub offset: Offset,
    /// Epoch of the last record read, −1 if unknown.
    pub leader_epoch: LeaderEpoch,
}

/// All that is known of one assigned partition.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PartitionState {
    state: FetchState,
    position: Option<FetchPosition>,
    paused: bool,
    /// It is about to be revoked: its position is committed and must not move any more.
    pending_revocation: bool,
    reset: Option<AutoOffsetReset>,
    retry_at: Option<Time>,
    /// Read from there instead of from the leader, until then (KIP-392).
    preferred: Option<(BrokerId, Time)>,
    committed: Option<Offset>,
    high_watermark: Offset,
    last_stable_offset: Offset,
    log_start_offset: Offset,
}

impl PartitionState {
    fn new() -> Self {
        PartitionState {
            state: FetchState::Initializing,
            position: None,
            paused: false,
            pending_revocation: false,
            reset: None,
            retry_at: None,
            preferred: None,
            committed: None,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> FetchState {
        self.state
    }

    /// The next offset to read, if there is one.
    pub fn position(&self) -> Option<&FetchPosition> {
        self.position.as_ref()
    }

    /// The application paused it.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// The offset last confirmed by, or learned from, the coordinator.
    pub fn committed(&self) -> Option<Offset> {
        self.committed
    }

    /// As the last fetch told, −1 before.
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// As the last fetch told, −1 before or with read_uncommitted.
    pub fn last_stable_offset(&self) -> Offset {
        self.last_stable_offset
    }

    /// As the last fetch told, −1 before.
    pub fn log_start_offset(&self) -> Offset {
        self.log_start_offset
    }

    /// The replica to read from instead of the leader, if there is one.
    pub fn preferred_read_replica(&self, now: Time) -> Option<BrokerId> {
        self.preferred.filter(|(_, expires)| now <= *expires).map(|(replica, _)| replica)
    }

    /// It may be read and committed.
    pub fn has_valid_position(&self) -> bool {
        self.state == FetchState::Fetching
    }

    /// It may be read now.
    pub fn is_fetchable(&self) -> bool {
        !self.paused && !self.pending_revocation && self.has_valid_position()
    }

    fn transition(&mut self, next: FetchState, position: Option<FetchPosition>) -> bool {
        if !self.state.may_become(next) {
            return false;
        }
        self.state = next;
        self.position = if next.requires_position() { position.or(self.position) } else { None };
        assert!(
            !next.requires_position() || self.position.is_some(),
            "invariant: a partition in {next:?} has a position"
        );
        self.retry_at = None;
        true
    }

    fn may_try(&self, now: Time) -> bool {
        self.retry_at.is_none_or(|at| at <= now)
    }
}

/// Every assigned partition.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Subscription {
    subscribed: Subscribed,
    /// Of a group's leader: the topics of all its members.
    group_topics: Rc<SortedSet<Rc<str>>>,
    /// In the order in which they are asked for: who answered goes to the end. Few, so a search costs little.
    partitions: Vec<(TopicPartition, PartitionState)>,
    default_reset: AutoOffsetReset,
}

impl Subscription {
    pub(super) fn new(default_reset: AutoOffsetReset) -> Self {
        let (subscribed, group_topics) = (Subscribed::Nothing, Rc::default());
        Subscription { subscribed, group_topics, partitions: Vec::new(), default_reset }
    }

    // ---- what was asked for ----

    /// What the application asked for.
    pub fn subscribed(&self) -> &Subscribed {
        &self.subscribed
    }

    pub(super) fn set_subscribed(&mut self, subscribed: Subscribed) {
        self.subscribed = subscribed;
    }

    /// See [`Subscribed::match_topics`].
    pub(super) fn match_topics<'a>(&mut self, known: impl Iterator<Item = &'a Rc<str>>) -> bool {
        self.subscribed.match_topics(known)
    }

    /// Takes over topics that the group's leader assigned and the pattern matches. True if there were any new.
    pub(super) fn add_matched<'a>(&mut self, assigned: impl Iterator<Item = &'a Rc<str>>) -> bool {
        let topics = self.subscribed.topics().cloned().unwrap_or_default();
        let known: Vec<Rc<str>> = topics.iter().cloned().chain(assigned.cloned()).collect();
        self.subscribed.match_topics(known.iter())
    }

    /// The leader watches over the topics of all members, until it leads no more.
    pub(super) fn set_group_topics(&mut self, topics: SortedSet<Rc<str>>) {
        self.group_topics = Rc::new(topics);
    }

    /// The topics whose metadata matter to the group (`metadataTopics`).
    pub(super) fn metadata_topics(&self) -> SortedSet<Rc<str>> {
        let own = self.subscribed.topics().map(|topics| (**topics).clone()).unwrap_or_default();
        own.iter().chain(self.group_topics.iter()).cloned().collect()
    }

    /// The assigned partitions, sorted.
    pub(super) fn assigned(&self) -> Vec<TopicPartition> {
        let mut assigned: Vec<TopicPartition> = self.partitions.iter().map(|(tp, _)| *tp).collect();
        sort_short(&mut assigned, |a, b| a < b);
        assigned
    }

    /// All that is assigned is about to be revoked: it is neither fetched nor returned any more.
    pub(super) fn mark_pending_revocation(&mut self) {
        for (_, state) in &mut self.partitions {
            state.pending_revocation = true;
        }
    }

    /// These are.
    pub(super) fn mark_revoked_soon(&mut self, revoked: &[TopicPartition]) {
        for (tp, state) in &mut self.partitions {
            state.pending_revocation |= revoked.contains(tp);
        }
    }

    // ---- the assignment ----

    /// Takes over these partitions; those assigned before keep their state.
    pub(super) fn assign(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        let mut former = std::mem::take(&mut self.partitions);
        for tp in partitions {
            let state = former.iter().position(|(known, _)| *known == tp).map(|at| former.remove(at).1);
            self.partitions.push((tp, state.unwrap_or_else(PartitionState::new)));
        }
    }

    /// Every assigned partition, in no meaningful order.
    pub fn iter(&self) -> impl Iterator<Item = (TopicPartition, &PartitionState)> {
        self.partitions.iter().map(|(tp, state)| (*tp, state))
    }

    /// One assigned partition.
    pub fn get(&self, tp: TopicPartition) -> Option<&PartitionState> {
        self.partitions.iter().find(|(known, _)| *known == tp).map(|(_, state)| state)
    }

    fn get_mut(&mut self, tp: TopicPartition) -> Option<&mut PartitionState> {
        self.partitions.iter_mut().find(|(known, _)| *known == tp).map(|(_, state)| state)
    }

    /// How many partitions are assigned.
    pub fn len(&self) -> usize {
        self.partitions.len()
    }

    /// Nothing is assigned.
    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    pub(super) fn position(&self, tp: TopicPartition) -> Option<&FetchPosition> {
        self.get(tp)?.position()
    }

    pub(super) fn is_fetchable(&self, tp: TopicPartition) -> bool {
        self.get(tp).is_some_and(PartitionState::is_fetchable)
    }

    pub(super) fn has_default_reset(&self) -> bool {
        self.default_reset != AutoOffsetReset::None
    }

    pub(super) fn has_all_positions(&self) -> bool {
        self.partitions.iter().all(|(_, state)| state.has_valid_position())
    }

    pub(super) fn in_state(&self, wanted: FetchState) -> impl Iterator<Item = TopicPartition> {
        let concerned = move |state: &PartitionState| {
            state.state == wanted && !(wanted == FetchState::Initializing && state.pending_revocation)
        };
        self.partitions.iter().filter(move |(_, state)| concerned(state)).map(|(tp, _)| *tp)
    }

    /// What a commit without arguments stores: partitions without a valid position are left out.
    pub(super) fn all_consumed(&self) -> Vec<(TopicPartition, OffsetAndEpoch)> {
        let mut offsets: Vec<_> = self
            .partitions
            .iter()
            .filter(|(_, state)| state.has_valid_position())
            .filter_map(|(tp, state)| {
                let position = state.position?;
                Some((*tp, OffsetAndEpoch { offset: position.offset, leader_epoch: position.offset_epoch }))
            })
            .collect();
        sort_short(&mut offsets, |a, b| a.0 < b.0);
        offsets
    }

    // ---- positions ----

    /// A position that needs no validation: from the application, or from a reset.
    pub(super) fn seek_validated(&mut self, tp: TopicPartition, position: FetchPosition) {
        if let Some(state) = self.get_mut(tp) {
            state.transition(FetchState::Fetching, Some(position));
            state.reset = None;
        }
    }

    /// A position from a commit: a known epoch has to be checked against the leader's log.
    pub(super) fn seek_unvalidated(&mut self, tp: TopicPartition, position: FetchPosition) {
        self.seek_validated(tp, position);
        if let Some(state) = self.get_mut(tp) {
            Self::validate(state, position);
        }
    }

    /// Moves a valid position on, after its records were returned.
    pub(super) fn advance(&mut self, tp: TopicPartition, position: FetchPosition) {
        let state = self.get_mut(tp).expect("invariant: only assigned partitions are read");
        assert!(state.has_valid_position(), "invariant: only a valid position moves on");
        state.position = Some(position);
    }

    pub(super) fn request_reset(&mut self, tp: TopicPartition) {
        let default = self.default_reset;
        if let Some(state) = self.get_mut(tp) {
            state.transition(FetchState::AwaitReset, None);
            state.reset = Some(default);
        }
    }

    /// Answers a reset, unless the application moved the position meanwhile.
    pub(super) fn complete_reset(
        &mut self,
        tp: TopicPartition,
        asked: AutoOffsetReset,
        position: FetchPosition,
    ) -> bool {
        let wanted =
            self.get(tp).is_some_and(|state| state.state == FetchState::AwaitReset && state.reset == Some(asked));
        if wanted {
            self.seek_validated(tp, position);
        }
        wanted
    }

    /// Partitions to reset now, with their strategy.
    pub(super) fn needing_reset(&self, now: Time) -> Vec<(TopicPartition, AutoOffsetReset)> {
        let waits = |state: &PartitionState| state.state == FetchState::AwaitReset && state.may_try(now);
        self.partitions
            .iter()
            .filter(|(_, state)| waits(state))
            .filter_map(|(tp, state)| Some((*tp, state.reset?)))
            .collect()
    }

    /// Positions to validate now.
    pub(super) fn needing_validation(&self, now: Time) -> Vec<(TopicPartition, FetchPosition)> {
        let waits = |state: &PartitionState| state.state == FetchState::AwaitValidation && state.may_try(now);
        self.partitions
            .iter()
            .filter(|(_, state)| waits(state))
            .filter_map(|(tp, state)| Some((*tp, state.position?)))
            .collect()
    }

    /// No reset or validation of this partition before `at`.
    pub(super) fn retry_at(&mut self, tp: TopicPartition, at: Time) {
        if let Some(state) = self.get_mut(tp) {
            state.retry_at = Some(at);
        }
    }

    /// When the next reset or validation that waits may be tried again.
    pub(super) fn next_retry(&self) -> Option<Time> {
        let waits = |state: &PartitionState| {
            matches!(state.state, FetchState::AwaitReset | FetchState::AwaitValidation).then_some(state.retry_at)
        };
        self.partitions.iter().filter_map(|(_, state)| waits(state).flatten()).min()
    }

    /// The leader changed: a position with an epoch has to be validated there first.
    pub(super) fn leader_is(&mut self, tp: TopicPartition, leader: Leader) {
        let Some(state) = self.get_mut(tp) else { return };
        let Some(position) = state.position else { return };
        if leader.id.is_some() && position.leader != leader {
            Self::validate(state, FetchPosition { leader, ..position });
            state.preferred = None;
        }
    }

    fn validate(state: &mut PartitionState, position: FetchPosition) {
        let checkable = position.offset_epoch >= 0 && position.leader.epoch >= 0;
        let next = if checkable { FetchState::AwaitValidation } else { FetchState::Fetching };
        state.transition(next, Some(position));
    }

    /// The leader knows the position.
    pub(super) fn complete_validation(&mut self, tp: TopicPartition) {
        if let Some(state) = self.get_mut(tp)
            && state.position.is_some()
        {
            state.transition(FetchState::Fetching, None);
        }
    }

    // ---- what the application asks for, and what responses tell ----

    pub(super) fn set_paused(&mut self, tp: TopicPartition, paused: bool) {
        if let Some(state) = self.get_mut(tp) {
            state.paused = paused;
        }
    }

    pub(super) fn set_committed(&mut self, tp: TopicPartition, offset: Offset) {
        if let Some(state) = self.get_mut(tp) {
            state.committed = Some(offset);
        }
    }

    /// Offsets that a fetch response tells; −1 tells nothing.
    pub(super) fn log_offsets(&mut self, tp: TopicPartition, high_watermark: Offset, stable: Offset, start: Offset) {
        let Some(state) = self.get_mut(tp) else { return };
        for (known, told) in [
            (&mut state.high_watermark, high_watermark),
            (&mut state.last_stable_offset, stable),
            (&mut state.log_start_offset, start),
        ] {
            if told >= 0 {
                *known = told;
            }
        }
    }

    /// The leader says that this replica is nearer; it says so again after `expires`.
    pub(super) fn prefer(&mut self, tp: TopicPartition, replica: BrokerId, expires: Time) {
        if let Some(state) = self.get_mut(tp) {
            state.preferred = Some((replica, expires));
        }
    }

    /// Back to the leader; whether another replica was preferred.
    pub(super) fn clear_preferred(&mut self, tp: TopicPartition) -> bool {
        self.get_mut(tp).is_some_and(|state| state.preferred.take().is_some())
    }

    /// Its turn is over: others are asked for first.
    pub(super) fn move_to_end(&mut self, tp: TopicPartition) {
        if let Some(at) = self.partitions.iter().position(|(known, _)| *known == tp) {
            self.partitions[at..].rotate_left(1);
        }
    }
}

#[cfg(test)]
mod tests;
