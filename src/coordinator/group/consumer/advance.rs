//! What a heartbeat, or a JoinGroup of a classic member, does: the member is written, the group's epoch moves if that
//! matters, and the member goes one step towards the target.

use super::group::ConsumerGroup;
use super::reconcile::Reconciliation;
use super::record::{GroupValue, current_record, group_record, member_record};
use super::regex::RegexUpdate;
use super::{ConsumerGroupMember, ConsumerGroups, Surroundings, TargetAssignment};
use crate::base::TopicPartition;
use crate::coordinator::CoordinatorRecord;
use crate::protocol::{ErrorCode, MemberEpoch};
use std::rc::Rc;

/// What is the case once a member is written.
pub(super) struct Update {
    /// The group's.
    pub epoch: MemberEpoch,
    /// Names or pattern are other ones.
    pub subscription_changed: bool,
    /// The group's patterns are to be resolved.
    pub resolve: bool,
}

impl ConsumerGroups {
    /// Writes a member that is new or has changed, and the group's epoch.
    pub(super) fn update(
        &mut self,
        group: &ConsumerGroup,
        (member, updated): (&ConsumerGroupMember, &ConsumerGroupMember),
        around: Surroundings<'_>,
        records: &mut Vec<CoordinatorRecord>,
    ) -> Result<Update, ErrorCode> {
        if updated != member {
            records.push(member_record(&group.id, updated));
        }
        let regex = group.update_regex(member, updated, records)?;
        let topics_changed = updated.subscribed_topics != member.subscribed_topics;
        let subscription_changed = topics_changed || regex != RegexUpdate::Unchanged;
        let resolve = self.wants_resolution(group, updated, around);
        // A pattern that is not resolved yet moves the epoch later.
        let moved =
            subscription_changed && (topics_changed || updated.classic.is_some() || regex == RegexUpdate::Resolved);
        let epoch = self.update_epoch(group, updated, moved, around, records);
        Ok(Update { epoch, subscription_changed, resolve })
    }

    /// The group's epoch, one more if subscriptions or topics have changed. Topics are looked at when the metadata have
    /// changed since the last time (`requestMetadataRefresh`).
    fn update_epoch(
        &mut self,
        group: &ConsumerGroup,
        updated: &ConsumerGroupMember,
        changed: bool,
        around: Surroundings<'_>,
        records: &mut Vec<CoordinatorRecord>,
    ) -> MemberEpoch {
        let mut epoch = group.epoch.epoch;
        let fresh = |(offset, at)| offset == around.image.offset() && epoch >= at;
        if !changed && group.metadata_seen.is_some_and(fresh) {
            return epoch;
        }
        let metadata_hash = group.hash_of(group.members_with(updated).into_values(), around.image);
        if changed || metadata_hash != group.epoch.metadata_hash {
            epoch += 1;
            records.push(group_record(&group.id, GroupValue { epoch, metadata_hash }));
        }
        if let Some(group) = self.groups.get_mut(&group.id) {
            Rc::make_mut(group).metadata_seen = Some((around.image.offset(), epoch));
        }
        epoch
    }

    /// One step of the member towards the target, which is written if it changes anything (`maybeReconcile`).
    pub(super) fn reconcile(
        &mut self,
        group: &ConsumerGroup,
        member: ConsumerGroupMember,
        (target_epoch, target): (MemberEpoch, &TargetAssignment),
        (subscription_changed, owned): (bool, Option<&[TopicPartition]>),
        around: Surroundings<'_>,
        records: &mut Vec<CoordinatorRecord>,
    ) -> Result<ConsumerGroupMember, ErrorCode> {
        if !subscription_changed && member.is_reconciled_to(target_epoch) {
            return Ok(member);
        }
        let step = Reconciliation {
            group,
            target_epoch,
            target,
            subscribed: group.topic_ids(&member, around.image),
            subscription_changed,
            owned,
        };
        let next = step.step(&member)?;
        if next != member {
            records.push(current_record(&group.id, &next));
            self.start_session(&group.id, &next, around).moved(&next, around.now);
        }
        Ok(next)
    }
}
