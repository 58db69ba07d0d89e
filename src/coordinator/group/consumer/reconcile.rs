//! One step of a member on its way from what it has to what it shall have (`CurrentAssignmentBuilder`).
//!
//! Invariants: a partition is assigned to a member only when no other has it or has yet to give it up; a member that must
//! give something up keeps its epoch until it has.

use super::member::{ConsumerGroupMember, MemberState};
use super::{ConsumerGroup, MemberEpochs};
use crate::base::{SortedMap, SortedSet, TopicId, TopicPartition};
use crate::coordinator::group::assignor::MemberAssignment;
use crate::protocol::{ErrorCode, MemberEpoch};
use std::rc::Rc;

/// What a step depends on.
pub(super) struct Reconciliation<'a> {
    pub group: &'a ConsumerGroup,
    pub target_epoch: MemberEpoch,
    pub target: &'a MemberAssignment,
    /// The topics that the member subscribes to and that exist.
    pub subscribed: SortedSet<TopicId>,
    pub subscription_changed: bool,
    /// What the member says it has; none if it says nothing.
    pub owned: Option<&'a [TopicPartition]>,
}

impl Reconciliation<'_> {
    /// The member after the step.
    pub fn step(&self, member: &ConsumerGroupMember) -> Result<ConsumerGroupMember, ErrorCode> {
        match member.state {
            MemberState::Stable if member.member_epoch != self.target_epoch => {}
            MemberState::Stable if self.subscription_changed => return Ok(self.unsubscribe(member)),
            MemberState::Stable => return Ok(member.clone()),
            MemberState::UnrevokedPartitions if self.owns_any(&member.pending_revocation) => {
                return Ok(if self.subscription_changed { self.unsubscribe(member) } else { member.clone() });
            }
            MemberState::UnrevokedPartitions | MemberState::UnreleasedPartitions => {}
            MemberState::Unknown if self.owned.is_none_or(|owned| !owned.is_empty()) => {
                return Err(ErrorCode::FencedMemberEpoch);
            }
            MemberState::Unknown => {}
        }
        Ok(self.next(member))
    }

    /// Does the member still have any of these? Who does not say may.
    fn owns_any(&self, partitions: &MemberEpochs) -> bool {
        self.owned.is_none_or(|owned| owned.iter().any(|partition| partitions.contains_key(partition)))
    }

    /// What it does not subscribe to any more it must give up, whatever the target.
    fn unsubscribe(&self, member: &ConsumerGroupMember) -> ConsumerGroupMember {
        let is_subscribed = |partition: &TopicPartition| self.subscribed.contains(&partition.topic);
        if member.assigned.keys().all(is_subscribed) {
            return member.clone();
        }
        let (mut assigned, mut pending) = (SortedMap::new(), (*member.pending_revocation).clone());
        for (partition, epoch) in member.assigned.iter() {
            if is_subscribed(partition) { &mut assigned } else { &mut pending }.insert(*partition, *epoch);
        }
        let pending = Rc::new(pending);
        let mut next = ConsumerGroupMember { assigned: Rc::new(assigned), ..member.clone() };
        next.advance(member.member_epoch);
        if self.owns_any(&pending) {
            next.state = MemberState::UnrevokedPartitions;
            next.pending_revocation = pending;
        }
        next
    }

    fn next(&self, member: &ConsumerGroupMember) -> ConsumerGroupMember {
        let shall_have = |partition: &TopicPartition| {
            self.subscribed.contains(&partition.topic)
                && self.target.get(&partition.topic).is_some_and(|target| target.contains(&partition.partition))
        };
        let (mut assigned, mut pending_revocation) = (SortedMap::new(), SortedMap::new());
        for (partition, epoch) in member.assigned.iter() {
            let to = if shall_have(partition) { &mut assigned } else { &mut pending_revocation };
            to.insert(*partition, *epoch);
        }
        let pending_revocation = Rc::new(pending_revocation);
        let mut next = member.clone();
        if !pending_revocation.is_empty() && self.owns_any(&pending_revocation) {
            next.advance(if member.state == MemberState::Unknown { self.target_epoch } else { member.member_epoch });
            next.state = MemberState::UnrevokedPartitions;
            (next.assigned, next.pending_revocation) = (Rc::new(assigned), pending_revocation);
            return next;
        }
        let mut unreleased = false;
        for partition in self.wanted().filter(|partition| !member.assigned.contains_key(partition)) {
            // What the member itself is about to give up nobody else has.
            if self.group.is_held(partition) && !member.pending_revocation.contains_key(&partition) {
                unreleased = true;
            } else {
                assigned.insert(partition, self.target_epoch);
            }
        }
        next.advance(self.target_epoch);
        next.state = if unreleased { MemberState::UnreleasedPartitions } else { MemberState::Stable };
        (next.assigned, next.pending_revocation) = (Rc::new(assigned), Rc::default());
        next
    }

    fn wanted(&self) -> impl Iterator<Item = TopicPartition> {
        let topics = self.target.iter().filter(|(topic, _)| self.subscribed.contains(*topic));
        topics
            .flat_map(|(topic, partitions)| partitions.iter().map(|partition| TopicPartition::new(*topic, *partition)))
    }
}
