//! ShareGroupHeartbeat, and who is removed (`GroupMetadataManager.shareGroupHeartbeat`).

use super::ShareGroups;
use super::group::{ShareGroup, ShareGroupMember};
use super::record::{
    ShareGroupKey as Key, current_record, group_record, member_record, state_partitions_record, target_member_record,
    target_record,
};
use crate::base::{Duration, JavaMap, SortedMap, SortedSet, TopicPartition};
use crate::coordinator::CoordinatorRecord;
use crate::coordinator::group::assignor::{MemberAssignment, MemberSpec, SubscriptionType, assign_shared};
use crate::coordinator::group::consumer::{Surroundings, TargetAssignment, TargetValue, metadata_hash};
use crate::protocol::{
    ErrorCode, JOIN_EPOCH, LEAVE_EPOCH, MemberEpoch, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse,
};
use std::rc::Rc;

/// `group.share.initialize.retry.interval.ms`
const INITIALIZE_RETRY: Duration = Duration::from_millis(30_000);

/// What the share coordinator is to be told: these partitions begin a life in the group's epoch.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Initialize {
    /// The group.
    pub group: Rc<str>,
    /// Its epoch.
    pub state_epoch: i32,
    /// Which.
    pub partitions: Vec<TopicPartition>,
}

/// What share coordinators are to be told of a group.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum StateTask {
    /// It begins to read partitions.
    Initialize(Initialize),
    /// It is gone.
    Delete(Rc<str>, Vec<TopicPartition>),
}

/// Records, the answer to give once they are committed, and what to do then.
pub type Handled = (Vec<CoordinatorRecord>, ShareGroupHeartbeatResponse, Option<Initialize>);

/// Whether a request is complete (`throwIfShareGroupHeartbeatRequestIsInvalid`).
pub(in crate::coordinator::group) fn validate(request: &ShareGroupHeartbeatRequest) -> Result<(), ErrorCode> {
    let joins_nothing = || request.subscribed_topics.as_ref().is_none_or(Vec::is_empty);
    let invalid = request.member_id.is_empty()
        || request.group.is_empty()
        || request.rack_id.as_deref() == Some("")
        || request.member_epoch < LEAVE_EPOCH
        || (request.member_epoch == JOIN_EPOCH && joins_nothing());
    if invalid { Err(ErrorCode::InvalidRequest) } else { Ok(()) }
}

impl ShareGroups {
    /// Handles a heartbeat of a request that is complete.
    pub fn heartbeat(
        &mut self,
        request: &ShareGroupHeartbeatRequest,
        around: Surroundings<'_>,
    ) -> Result<Handled, ErrorCode> {
        self.now = around.now;
        let id = &request.group;
        let joins = request.member_epoch == JOIN_EPOCH;
        let group = match self.groups.get(id) {
            Some(group) => group.clone(),
            None if joins => Rc::new(ShareGroup::new(id.clone())),
            None => return Err(ErrorCode::GroupIdNotFound),
        };
        if request.member_epoch == LEAVE_EPOCH {
            return self.leave(&group, request, around);
        }
        let member = match group.members.get(&request.member_id) {
            Some(member) => member.clone(),
            None if group.members.len() >= around.config.group_share_max_size as usize => {
                return Err(ErrorCode::GroupMaxSizeReached);
            }
            None if joins => ShareGroupMember::new(request.member_id.clone()),
            None => return Err(ErrorCode::UnknownMemberId),
        };
        member.validate_epoch(request.member_epoch)?;
        let mut records = Vec::new();
        let mut updated = member.updated(request);
        if updated != member {
            records.push(member_record(id, &updated));
        }
        let up_to_date = group.target_epoch.epoch >= group.epoch;
        let changed = updated.subscribed_topics != member.subscribed_topics || (up_to_date && group.has_unassigned());
        let (epoch, bumped) = self.update_epoch(&group, &updated, changed, around, &mut records);
        let (target_epoch, target) = group.target_for(epoch, &updated, around, &mut records);
        if bumped || updated.member_epoch != target_epoch {
            let next = updated.reconciled(target_epoch, &target, around);
            if next != updated {
                records.push(current_record(id, &next));
            }
            updated = next;
        }
        let config = around.group_config(id);
        let session = around.now + config.share_session_timeout_ms;
        self.sessions.insert((id.clone(), updated.member_id.clone()), session);
        let tell = joins || request.subscribed_topics.is_some() || member.assigned != updated.assigned;
        let response = ShareGroupHeartbeatResponse {
            error: ErrorCode::None,
            member_id: Some(updated.member_id.clone()),
            member_epoch: updated.member_epoch,
            heartbeat_interval: config.share_heartbeat_interval_ms,
            assignment: tell.then(|| updated.partitions()),
        };
        let initialize = group.initialize(&updated, epoch, around, &mut records);
        Ok((records, response, initialize))
    }

    /// The group's epoch, one more if something has changed, and whether it is. Topics are looked at when the metadata have
    /// changed since the last time (`requestMetadataRefresh`).
    fn update_epoch(
        &mut self,
        group: &ShareGroup,
        updated: &ShareGroupMember,
        changed: bool,
        around: Surroundings<'_>,
        records: &mut Vec<CoordinatorRecord>,
    ) -> (MemberEpoch, bool) {
        let fresh = |(offset, at)| offset == around.image.offset() && group.epoch >= at;
        if !changed && group.metadata_seen.is_some_and(fresh) {
            return (group.epoch, false);
        }
        let hash = metadata_hash(group.topics_with(updated).iter(), around.image);
        let bumped = changed || hash != group.metadata_hash;
        let epoch = group.epoch + i32::from(bumped);
        if bumped {
            records.push(group_record(&group.id, epoch, hash));
        }
        if let Some(group) = self.groups.get_mut(&group.id) {
            Rc::make_mut(group).metadata_seen = Some((around.image.offset(), epoch));
        }
        (epoch, bumped)
    }

    fn leave(
        &mut self,
        group: &ShareGroup,
        request: &ShareGroupHeartbeatRequest,
        around: Surroundings<'_>,
    ) -> Result<Handled, ErrorCode> {
        if !group.members.contains_key(&request.member_id) {
            return Err(ErrorCode::UnknownMemberId);
        }
        let response = ShareGroupHeartbeatResponse {
            member_id: Some(request.member_id.clone()),
            member_epoch: request.member_epoch,
            ..ShareGroupHeartbeatResponse::failed(ErrorCode::None)
        };
        Ok((self.fence(group, &request.member_id, around), response, None))
    }

    /// The records that remove a member; the group's epoch moves on.
    pub(super) fn fence(
        &mut self,
        group: &ShareGroup,
        member: &Rc<str>,
        around: Surroundings<'_>,
    ) -> Vec<CoordinatorRecord> {
        let (id, of) = (|| group.id.clone(), || member.clone());
        let keys = [Key::Current(id(), of()), Key::TargetOfMember(id(), of()), Key::Member(id(), of())];
        let mut records: Vec<CoordinatorRecord> = keys.iter().map(Key::tombstone).collect();
        let others = group.members.values().filter(|it| it.member_id != *member);
        let topics: SortedSet<Rc<str>> = others.flat_map(|it| it.subscribed_topics.iter().cloned()).collect();
        let hash = metadata_hash(topics.iter(), around.image);
        records.push(group_record(&group.id, group.epoch + 1, hash));
        self.sessions.remove(&(id(), of()));
        records
    }
}

impl ShareGroup {
    fn members_with<'a>(&'a self, updated: &'a ShareGroupMember) -> impl Iterator<Item = &'a ShareGroupMember> {
        self.members.values().filter(|it| it.member_id != updated.member_id).chain([updated])
    }

    fn topics_with(&self, updated: &ShareGroupMember) -> SortedSet<Rc<str>> {
        self.members_with(updated).flat_map(|member| member.subscribed_topics.iter().cloned()).collect()
    }

    /// Is there anything initialised, of a topic that members subscribe to, that nobody was assigned?
    /// (`initializedAssignmentPending`)
    fn has_unassigned(&self) -> bool {
        if self.members.is_empty() || self.partitions.initialized.is_empty() {
            return false;
        }
        let topics = self.subscribed_topics();
        let assigned = |topic| {
            let parts = self.target.values().filter_map(move |target| target.get(topic));
            parts.flat_map(|partitions| partitions.iter().copied()).collect::<SortedSet<u32>>()
        };
        let mut initialized = self.partitions.initialized.iter().filter(|(_, (name, _))| topics.contains(name));
        initialized.any(|(topic, (_, partitions))| assigned(topic) != *partitions)
    }

    /// The epoch and the part of the target that count for a member. They are computed anew, and written, if the group's
    /// epoch has moved on and the last time is `share.assignment.interval.ms` ago.
    fn target_for(
        &self,
        group_epoch: MemberEpoch,
        member: &ShareGroupMember,
        around: Surroundings<'_>,
        records: &mut Vec<CoordinatorRecord>,
    ) -> (MemberEpoch, TargetAssignment) {
        let (now, last) = (around.now.wall_clock_ms(), self.target_epoch.timestamp);
        let interval = around.group_config(&self.id).share_assignment_interval_ms.as_millis() as i64;
        if self.target_epoch.epoch >= group_epoch || (last != 0 && interval != 0 && now < last + interval) {
            return (self.target_epoch.epoch, self.target.get(&member.member_id).cloned().unwrap_or_default());
        }
        let mut target = self.compute(member, around);
        // Kafka goes through a hash map.
        let order: JavaMap<Rc<str>, ()> = target.keys().map(|member| (member.clone(), ())).collect();
        for member in order.keys() {
            if self.target.get(member).map(Rc::as_ref) != Some(&target[member]) {
                records.push(target_member_record(&self.id, member, &target[member]));
            }
        }
        records.push(target_record(&self.id, TargetValue { epoch: group_epoch, timestamp: now }));
        (group_epoch, Rc::new(target.remove(&member.member_id).unwrap_or_default()))
    }

    fn compute(&self, updated: &ShareGroupMember, around: Surroundings<'_>) -> SortedMap<Rc<str>, MemberAssignment> {
        let subscriptions = self.members_with(updated).map(|member| &member.subscribed_topics);
        let subscription_type = SubscriptionType::of(subscriptions);
        let spec = |member: &ShareGroupMember| MemberSpec {
            instance_id: None,
            topics: member.topic_ids(around.image),
            assignment: self.target.get(&member.member_id).map(|target| (**target).clone()).unwrap_or_default(),
        };
        let specs = self.members_with(updated).map(|member| (member.member_id.clone(), spec(member))).collect();
        assign_shared(subscription_type, &self.partitions.assignable(), &specs)
    }

    /// Subscribed partitions that the share coordinator has not been told of, or not for a while: to be told now.
    fn initialize(
        &self,
        updated: &ShareGroupMember,
        epoch: MemberEpoch,
        around: Surroundings<'_>,
        records: &mut Vec<CoordinatorRecord>,
    ) -> Option<Initialize> {
        let mut next = self.partitions.clone();
        let retry = around.now >= self.partitions.since + INITIALIZE_RETRY;
        let mut partitions = Vec::new();
        for name in self.topics_with(updated).iter() {
            let Some(topic) = around.image.topic_id(name) else { continue };
            let known = self.partitions.initialized.get(&topic);
            let begun = self.partitions.initializing.get(&topic).filter(|_| !retry);
            let is_known = |index: &u32| [known, begun].into_iter().flatten().any(|(_, them)| them.contains(index));
            for index in (0..around.image.partition_count(topic)).filter(|index| !is_known(index)) {
                let entry = next.initializing.entry(topic).or_insert_with(|| (name.clone(), SortedSet::new()));
                entry.1.insert(index);
                partitions.push(TopicPartition::new(topic, index));
            }
        }
        if partitions.is_empty() {
            return None;
        }
        records.push(state_partitions_record(&self.id, &next));
        Some(Initialize { group: self.id.clone(), state_epoch: epoch, partitions })
    }
}

impl ShareGroupMember {
    /// An answer may have been lost: the epoch before will do.
    fn validate_epoch(&self, epoch: MemberEpoch) -> Result<(), ErrorCode> {
        let retried = epoch < self.member_epoch && epoch == self.previous_member_epoch;
        if epoch == JOIN_EPOCH || epoch == self.member_epoch || retried {
            Ok(())
        } else {
            Err(ErrorCode::FencedMemberEpoch)
        }
    }

    /// With what a heartbeat says that it did not say before.
    fn updated(&self, request: &ShareGroupHeartbeatRequest) -> ShareGroupMember {
        let topics = request.subscribed_topics.as_ref().map(|topics| topics.iter().cloned().collect());
        ShareGroupMember {
            rack_id: request.rack_id.clone().or_else(|| self.rack_id.clone()),
            client_id: request.client_id.clone(),
            client_host: Rc::from("/127.0.0.1"),
            subscribed_topics: topics.unwrap_or_else(|| self.subscribed_topics.clone()),
            ..self.clone()
        }
    }

    /// At the target's epoch with the target, as far as it subscribes to that (`ShareGroupAssignmentBuilder`).
    fn reconciled(&self, epoch: MemberEpoch, target: &MemberAssignment, around: Surroundings<'_>) -> ShareGroupMember {
        let topics = self.topic_ids(around.image);
        let assigned = target.iter().filter(|(topic, _)| topics.contains(*topic));
        let mut next = self.clone();
        next.assigned = Rc::new(assigned.map(|(topic, partitions)| (*topic, partitions.clone())).collect());
        if epoch != self.member_epoch {
            next.previous_member_epoch = std::mem::replace(&mut next.member_epoch, epoch);
        }
        next
    }
}
