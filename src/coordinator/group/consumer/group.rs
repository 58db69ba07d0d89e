//! What is known of one group, and questions about it (`ConsumerGroup`).

use super::member::{ConsumerGroupMember, MemberState};
use super::record::{
    ConsumerGroupKey as Key, CurrentValue, GroupValue, TargetValue, current_record, group_record, member_record,
    target_member_record, target_record,
};
use super::regex::{ResolvedRegexes, topic_names};
use super::{MemberAssignment, TargetAssignment};
use crate::base::config::ServerAssignor;
use crate::base::{Duration, JavaMap, Offset, SortedMap, SortedSet, Time, TopicPartition};
use crate::coordinator::CoordinatorRecord;
use crate::metadata::MetadataImage;
use crate::protocol::{ErrorCode, GroupState, LEAVE_EPOCH, MemberEpoch};
use std::rc::Rc;

/// Before anything is known.
pub(in crate::coordinator::group) const FIRST_EPOCH: MemberEpoch = 1;

/// A group.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ConsumerGroup {
    pub(super) id: Rc<str>,
    pub(super) epoch: GroupValue,
    pub(super) target_epoch: TargetValue,
    pub(super) members: SortedMap<Rc<str>, ConsumerGroupMember>,
    pub(super) target: SortedMap<Rc<str>, TargetAssignment>,
    pub(super) regexes: ResolvedRegexes,
    /// Its topics were compared with this version of the metadata, when the group's epoch was that.
    pub(super) metadata_seen: Option<(Offset, MemberEpoch)>,
}

impl ConsumerGroup {
    pub(super) fn new(id: Rc<str>) -> Self {
        ConsumerGroup {
            id,
            epoch: GroupValue { epoch: FIRST_EPOCH, metadata_hash: 0 },
            target_epoch: TargetValue { epoch: FIRST_EPOCH, timestamp: 0 },
            members: SortedMap::new(),
            target: SortedMap::new(),
            regexes: Rc::default(),
            metadata_seen: None,
        }
    }

    /// A group that was a classic one: what its members are assigned is the target of its epoch.
    pub(in crate::coordinator::group) fn of_members(
        id: Rc<str>,
        epoch: MemberEpoch,
        members: Vec<ConsumerGroupMember>,
        image: &MetadataImage,
    ) -> Self {
        let mut group = ConsumerGroup::new(id);
        group.target_epoch = TargetValue { epoch, timestamp: 0 };
        for member in members {
            let mut target = MemberAssignment::new();
            for partition in member.assigned.keys() {
                target.entry(partition.topic).or_default().insert(partition.partition);
            }
            group.target.insert(member.member_id.clone(), Rc::new(target));
            group.members.insert(member.member_id.clone(), member);
        }
        group.epoch = GroupValue { epoch, metadata_hash: group.hash_of(group.members.values(), image) };
        group
    }

    /// The records that make it what it is (`createConsumerGroupRecords`), in the order of Kafka's hash map.
    pub(in crate::coordinator::group) fn records(&self) -> Vec<CoordinatorRecord> {
        let members: JavaMap<Rc<str>, &ConsumerGroupMember> =
            self.members.iter().map(|(id, member)| (id.clone(), member)).collect();
        let target = |id: &Rc<str>| self.target.get(id).cloned().unwrap_or_default();
        let mut records: Vec<_> = members.iter().map(|(_, member)| member_record(&self.id, member)).collect();
        records.push(group_record(&self.id, self.epoch));
        records.extend(members.keys().map(|id| target_member_record(&self.id, id, &target(id))));
        records.push(target_record(&self.id, self.target_epoch));
        records.extend(members.iter().map(|(_, member)| current_record(&self.id, member)));
        records
    }

    /// `group.id`.
    pub fn id(&self) -> &Rc<str> {
        &self.id
    }

    /// Counts changes of members, subscriptions and topics.
    pub fn epoch(&self) -> MemberEpoch {
        self.epoch.epoch
    }

    /// The epoch for which the target was computed.
    pub fn target_epoch(&self) -> MemberEpoch {
        self.target_epoch.epoch
    }

    /// All members, by id.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &ConsumerGroupMember> {
        self.members.values()
    }

    /// A member.
    pub fn member(&self, id: &str) -> Option<&ConsumerGroupMember> {
        self.members.get(id)
    }

    /// What a member shall have.
    pub fn target(&self, member: &str) -> Option<&TargetAssignment> {
        self.target.get(member)
    }

    /// Where it is.
    pub fn state(&self) -> GroupState {
        if self.members.is_empty() {
            GroupState::Empty
        } else if self.epoch.epoch > self.target_epoch.epoch {
            GroupState::Assigning
        } else if self.members.values().any(|member| !member.is_reconciled_to(self.target_epoch.epoch)) {
            GroupState::Reconciling
        } else {
            GroupState::Stable
        }
    }

    pub(super) fn member_mut(&mut self, id: &Rc<str>) -> &mut ConsumerGroupMember {
        self.members.entry(id.clone()).or_insert_with(|| ConsumerGroupMember::new(id.clone()))
    }

    pub(super) fn static_member(&self, instance_id: &str) -> Option<&ConsumerGroupMember> {
        self.members.values().find(|member| member.instance_id.as_deref() == Some(instance_id))
    }

    /// Does any member have it, or has any yet to give it up?
    pub(super) fn is_held(&self, partition: TopicPartition) -> bool {
        let holds = |it: &ConsumerGroupMember| {
            it.assigned.contains_key(&partition) || it.pending_revocation.contains_key(&partition)
        };
        self.members.values().any(holds)
    }

    /// Who computes its target: what most members ask for, of those that the brokers have.
    pub fn assignor(&self, configured: &[ServerAssignor]) -> ServerAssignor {
        self.preferred_assignor(None, None, configured)
    }

    /// All topics that members subscribe to, those that patterns match among them.
    pub fn subscribed_topics(&self) -> SortedSet<Rc<str>> {
        topic_names(self.members.values(), &self.regexes)
    }

    /// What most members ask for, once one of them (if any) is as it will be; the first of `group.consumer.assignors` if none asks for any.
    ///
    /// Of two that have as many votes Kafka takes the one that comes first in a hash map, which is `uniform`; but it takes back the
    /// vote of that member and counts it anew, and a name that is new there comes first.
    pub(in crate::coordinator::group) fn preferred_assignor(
        &self,
        before: Option<&ConsumerGroupMember>,
        after: Option<&ConsumerGroupMember>,
        configured: &[ServerAssignor],
    ) -> ServerAssignor {
        fn vote(member: &ConsumerGroupMember) -> Option<&str> {
            member.server_assignor.as_deref()
        }
        let count = |name: &&'static str| self.members.values().filter(|member| vote(member) == Some(*name)).count();
        let mut votes: Vec<(&str, usize)> = ["uniform", "range"].iter().map(|name| (*name, count(name))).collect();
        if let Some(old) = before.and_then(vote) {
            votes.iter_mut().filter(|(name, _)| *name == old).for_each(|(_, count)| *count -= 1);
        }
        votes.retain(|(_, count)| *count > 0);
        if let Some(new) = after.and_then(vote) {
            match votes.iter_mut().find(|(name, _)| *name == new) {
                Some((_, count)) => *count += 1,
                None => votes.insert(0, (new, 1)),
            }
        }
        let most = votes.iter().map(|(_, count)| *count).max();
        let preferred = votes.iter().find(|(_, count)| Some(*count) == most);
        let named = preferred.and_then(|(name, _)| configured.iter().find(|it| it.name() == *name));
        named.or(configured.first()).copied().unwrap_or(ServerAssignor::Uniform)
    }

    /// May this one commit offsets (`ConsumerGroup.validateOffsetCommit`)? An epoch that has passed will do for what was
    /// assigned by then and has not been given up since (KIP-1251).
    pub fn validate_offset_commit(
        &self,
        member_id: &str,
        instance_id: Option<&Rc<str>>,
        epoch: MemberEpoch,
        transactional: bool,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<(), ErrorCode> {
        if epoch < 0 && self.members.is_empty() {
            return Ok(());
        }
        if transactional && epoch == -1 && member_id.is_empty() && instance_id.is_none() {
            return Ok(());
        }
        let member = self.members.get(member_id).ok_or(ErrorCode::UnknownMemberId)?;
        if epoch == member.member_epoch {
            return Ok(());
        }
        let illegal = transactional || member.classic.is_some();
        let assigned_by = |partition: TopicPartition| {
            let since = member.assigned.get(&partition).or_else(|| member.pending_revocation.get(&partition));
            since.is_some_and(|since| epoch >= *since)
        };
        let stale = if illegal { ErrorCode::IllegalGeneration } else { ErrorCode::StaleMemberEpoch };
        if epoch < member.member_epoch && partitions.into_iter().all(assigned_by) { Ok(()) } else { Err(stale) }
    }

    /// May this one read offsets (`validateOffsetFetch`)?
    pub fn validate_offset_fetch(&self, member_id: &str, epoch: MemberEpoch) -> Result<(), ErrorCode> {
        let member = self.members.get(member_id).ok_or(ErrorCode::UnknownMemberId)?;
        match member.classic {
            _ if epoch == member.member_epoch => Ok(()),
            Some(_) => Err(ErrorCode::IllegalGeneration),
            None => Err(ErrorCode::StaleMemberEpoch),
        }
    }

    /// The records that forget it.
    pub(in crate::coordinator::group) fn tombstones(&self) -> Vec<CoordinatorRecord> {
        self.tombstones_as(Rc::clone)
    }

    /// The same, where members have other ids by now.
    pub(in crate::coordinator::group) fn tombstones_as(
        &self,
        named: impl Fn(&Rc<str>) -> Rc<str>,
    ) -> Vec<CoordinatorRecord> {
        let members = || self.members.keys().map(|member| (self.id.clone(), named(member)));
        let mut keys: Vec<Key> = members().map(|(group, member)| Key::Current(group, member)).collect();
        keys.extend(members().map(|(group, member)| Key::TargetOfMember(group, member)));
        keys.push(Key::Target(self.id.clone()));
        keys.extend(members().map(|(group, member)| Key::Member(group, member)));
        keys.extend(self.regexes.keys().map(|regex| Key::Regex(self.id.clone(), regex.clone())));
        keys.extend([Key::PartitionMetadata(self.id.clone()), Key::Group(self.id.clone())]);
        keys.iter().map(Key::tombstone).collect()
    }
}

impl ConsumerGroupMember {
    pub(super) fn set(&mut self, value: CurrentValue) {
        (self.member_epoch, self.previous_member_epoch) = (value.epoch, value.previous_epoch);
        self.state = value.state;
        (self.assigned, self.pending_revocation) = (value.assigned, value.pending_revocation);
    }

    /// It has left; only its name is still there.
    pub(super) fn clear(&mut self) {
        (self.member_epoch, self.previous_member_epoch) = (LEAVE_EPOCH, LEAVE_EPOCH);
        (self.assigned, self.pending_revocation) = (Rc::default(), Rc::default());
    }

    /// Until when, and in which epoch, it may give up what it must.
    pub(super) fn revocation_deadline(&self, now: Time) -> Option<(Time, MemberEpoch)> {
        let unrevoked = self.state == MemberState::UnrevokedPartitions;
        unrevoked.then(|| (now + self.rebalance_timeout(), self.member_epoch))
    }

    pub(in crate::coordinator::group) fn rebalance_timeout(&self) -> Duration {
        Duration::from_millis(self.rebalance_timeout.max(0) as u64)
    }
}
