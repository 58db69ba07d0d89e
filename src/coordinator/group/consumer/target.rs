//! Who shall have what (`TargetAssignmentBuilder`).

use super::group::ConsumerGroup;
use super::record::{TargetValue, target_member_record, target_record};
use super::{ConsumerGroupMember, Surroundings, TargetAssignment};
use crate::base::{JavaMap, SortedMap};
use crate::coordinator::CoordinatorRecord;
use crate::coordinator::group::assignor::{self, MemberAssignment, MemberSpec, SubscriptionType};
use crate::protocol::MemberEpoch;
use std::rc::Rc;

impl ConsumerGroup {
    /// The members as they will be: one is new or has changed, and takes the place of its instance.
    pub(super) fn members_with<'a>(
        &'a self,
        updated: &'a ConsumerGroupMember,
    ) -> SortedMap<Rc<str>, &'a ConsumerGroupMember> {
        let replaced =
            |it: &ConsumerGroupMember| updated.instance_id.is_some() && it.instance_id == updated.instance_id;
        let others = self.members.values().filter(|it| !replaced(it));
        others.chain([updated]).map(|member| (member.member_id.clone(), member)).collect()
    }

    /// The epoch and the part of the target that count for a member. They are computed anew, and written, if the group's
    /// epoch has moved on and the last time is `consumer.assignment.interval.ms` ago (KIP-1263).
    pub(super) fn target_for(
        &self,
        group_epoch: MemberEpoch,
        member: &ConsumerGroupMember,
        around: Surroundings<'_>,
        records: &mut Vec<CoordinatorRecord>,
    ) -> (MemberEpoch, TargetAssignment) {
        let (now, last) = (around.now.wall_clock_ms(), self.target_epoch.timestamp);
        let interval = around.group_config(&self.id).consumer_assignment_interval_ms.as_millis() as i64;
        if self.target_epoch.epoch >= group_epoch || (last != 0 && interval != 0 && now < last + interval) {
            return (self.target_epoch.epoch, self.last_target(member).cloned().unwrap_or_default());
        }
        let mut target = self.compute(member, around);
        // Kafka goes through a hash map.
        let order: JavaMap<Rc<str>, ()> = target.keys().map(|member| (member.clone(), ())).collect();
        for member in order.keys() {
            let (old, new) = (self.target.get(member), &target[member]);
            if old.map(Rc::as_ref) != Some(new) {
                records.push(target_member_record(&self.id, member, new));
            }
        }
        records.push(target_record(&self.id, TargetValue { epoch: group_epoch, timestamp: now }));
        (group_epoch, Rc::new(target.remove(&member.member_id).unwrap_or_default()))
    }

    /// What a member shall have so far; who takes a place has what was meant for it.
    pub(super) fn last_target(&self, member: &ConsumerGroupMember) -> Option<&TargetAssignment> {
        self.target.get(self.before(member).map_or(&member.member_id, |before| &before.member_id))
    }

    /// The member as it is, or who had its place.
    fn before(&self, member: &ConsumerGroupMember) -> Option<&ConsumerGroupMember> {
        let place = member.instance_id.as_deref().and_then(|instance| self.static_member(instance));
        place.or_else(|| self.members.get(&member.member_id))
    }

    fn compute(&self, updated: &ConsumerGroupMember, around: Surroundings<'_>) -> SortedMap<Rc<str>, MemberAssignment> {
        let members = self.members_with(updated);
        let mixed = members.values().any(|it| it.regex().is_some() && !it.subscribed_topics.is_empty());
        let subscriptions: Vec<_> = members.values().map(|it| (it.regex(), &it.subscribed_topics)).collect();
        let subscription_type =
            if mixed { SubscriptionType::Heterogeneous } else { SubscriptionType::of(subscriptions.iter()) };
        let spec = |member: &ConsumerGroupMember| MemberSpec {
            instance_id: member.instance_id.clone(),
            topics: self.topic_ids(member, around.image),
            assignment: self.last_target(member).map(|target| (**target).clone()).unwrap_or_default(),
        };
        let configured = &around.config.group_consumer_assignors;
        let assignor = self.preferred_assignor(self.before(updated), Some(updated), configured);
        let specs: SortedMap<Rc<str>, MemberSpec> =
            members.into_iter().map(|(id, member)| (id, spec(member))).collect();
        let topics = specs.values().flat_map(|spec| spec.topics.iter());
        let partitions = topics.map(|topic| (*topic, around.image.partition_count(*topic))).collect();
        assignor::assign(assignor, subscription_type, &partitions, &specs)
    }
}
