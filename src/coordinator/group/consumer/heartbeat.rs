//! ConsumerGroupHeartbeat, and who is removed (`GroupMetadataManager.consumerGroupHeartbeat`).

use super::group::ConsumerGroup;
use super::reconcile::Reconciliation;
use super::record::target_member_record;
use super::record::{ConsumerGroupKey as Key, GroupValue, current_record, group_record, member_record};
use super::regex::RegexUpdate;
use super::{ConsumerGroupMember, ConsumerGroups, Surroundings, Timers};
use crate::base::Duration;
use crate::coordinator::CoordinatorRecord;
use crate::node::RemovalReason;
use crate::protocol::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ErrorCode, JOIN_EPOCH, LEAVE_EPOCH,
    LEAVE_STATIC_EPOCH, MemberEpoch,
};
use std::rc::Rc;

/// A member whose time is up.
pub struct Expired {
    /// Its group.
    pub group: Rc<str>,
    /// Which time.
    pub reason: RemovalReason,
    /// The records that remove it.
    pub records: Vec<CoordinatorRecord>,
}

/// What comes of a heartbeat.
#[derive(Debug)]
pub struct Handled {
    /// To be written.
    pub records: Vec<CoordinatorRecord>,
    /// To be given when they are committed.
    pub response: ConsumerGroupHeartbeatResponse,
    /// Once they are written the group's patterns are to be resolved, see [`ConsumerGroups::resolve`].
    pub resolve: bool,
}

/// Whether a request is complete (`throwIfConsumerGroupHeartbeatRequestIsInvalid`).
pub(in crate::coordinator::group) fn validate(
    request: &ConsumerGroupHeartbeatRequest,
    around: Surroundings<'_>,
) -> Result<(), ErrorCode> {
    let is_empty = |text: &Option<Rc<str>>| text.as_deref() == Some("");
    let joins_wrongly = || {
        request.rebalance_timeout.is_none()
            || request.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty())
            || (request.subscribed_topics.is_none() && request.subscribed_regex.is_none())
    };
    let invalid = request.member_id.is_empty()
        || request.group.is_empty()
        || is_empty(&request.instance_id)
        || is_empty(&request.rack_id)
        || match request.member_epoch {
            JOIN_EPOCH => joins_wrongly(),
            LEAVE_STATIC_EPOCH => request.instance_id.is_none(),
            epoch => epoch < LEAVE_STATIC_EPOCH,
        };
    if invalid {
        return Err(ErrorCode::InvalidRequest);
    }
    let offered = |name: &Rc<str>| around.config.group_consumer_assignors.iter().any(|it| it.name() == &**name);
    match &request.server_assignor {
        Some(name) if !offered(name) => Err(ErrorCode::UnsupportedAssignor),
        _ => Ok(()),
    }
}

impl ConsumerGroups {
    /// Handles a heartbeat of a request that is complete.
    pub fn heartbeat(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
        around: Surroundings<'_>,
    ) -> Result<Handled, ErrorCode> {
        let id = &request.group;
        let group = match self.groups.get(id) {
            Some(group) => group.clone(),
            None if request.member_epoch == JOIN_EPOCH => Rc::new(ConsumerGroup::new(id.clone())),
            None => return Err(ErrorCode::GroupIdNotFound),
        };
        if request.member_epoch < JOIN_EPOCH {
            return self.leave(&group, request, around);
        }
        let mut records = Vec::new();
        let member = group.find(request, around.config.group_consumer_max_size, &mut records)?;
        let mut updated = member.updated(request);
        if updated != member {
            records.push(member_record(id, &updated));
        }
        let regex = group.update_regex(&member, &updated, &mut records)?;
        let topics_changed = updated.subscribed_topics != member.subscribed_topics;
        let subscription_changed = topics_changed || regex != RegexUpdate::Unchanged;
        let resolve = self.wants_resolution(&group, &updated, around);
        let moved = topics_changed || regex == RegexUpdate::Resolved;
        let epoch = self.update_epoch(&group, &updated, moved, around, &mut records);
        let (target_epoch, target) = group.target_for(epoch, &updated, around, &mut records);
        if subscription_changed || !updated.is_reconciled_to(target_epoch) {
            let step = Reconciliation {
                group: &group,
                target_epoch,
                target: &target,
                subscribed: group.topic_ids(&updated, around.image),
                subscription_changed,
                owned: request.topic_partitions.as_deref(),
            };
            let next = step.step(&updated)?;
            if next != updated {
                records.push(current_record(id, &next));
            }
            self.start_timers(id, &next, next != updated, around);
            updated = next;
        } else {
            self.start_timers(id, &updated, false, around);
        }
        let full = request.rebalance_timeout.is_some()
            && (request.subscribed_topics.is_some() || request.subscribed_regex.is_some())
            && request.topic_partitions.is_some();
        let tell = request.member_epoch == JOIN_EPOCH || full || member.assigned != updated.assigned;
        let response = ConsumerGroupHeartbeatResponse {
            error: ErrorCode::None,
            member_id: Some(updated.member_id.clone()),
            member_epoch: updated.member_epoch,
            heartbeat_interval: around.config.group_consumer_heartbeat_interval_ms,
            assignment: tell.then(|| updated.assigned.keys().copied().collect()),
        };
        Ok(Handled { records, response, resolve })
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

    fn leave(
        &mut self,
        group: &Rc<ConsumerGroup>,
        request: &ConsumerGroupHeartbeatRequest,
        around: Surroundings<'_>,
    ) -> Result<Handled, ErrorCode> {
        let member = match &request.instance_id {
            None => group.members.get(&request.member_id).ok_or(ErrorCode::UnknownMemberId)?,
            Some(instance) => group.instance(instance, &request.member_id)?,
        };
        let records = if request.instance_id.is_some() && request.member_epoch == LEAVE_STATIC_EPOCH {
            // Its place is kept. What it had counts for whoever comes back as if it had been there always.
            let assigned = member.assigned.keys().map(|partition| (*partition, 0)).collect();
            let away = ConsumerGroupMember {
                member_epoch: LEAVE_STATIC_EPOCH,
                pending_revocation: Rc::default(),
                assigned: Rc::new(assigned),
                ..member.clone()
            };
            vec![current_record(&group.id, &away)]
        } else {
            let member_id = member.member_id.clone();
            self.fence(group, &member_id, around)
        };
        let response = ConsumerGroupHeartbeatResponse {
            error: ErrorCode::None,
            member_id: Some(request.member_id.clone()),
            member_epoch: request.member_epoch,
            heartbeat_interval: Duration::ZERO,
            assignment: None,
        };
        Ok(Handled { records, response, resolve: false })
    }

    /// The records that remove a member; the group's epoch moves on.
    fn fence(
        &mut self,
        group: &ConsumerGroup,
        member_id: &Rc<str>,
        around: Surroundings<'_>,
    ) -> Vec<CoordinatorRecord> {
        let mut records = removal(&group.id, member_id).to_vec();
        records.extend(group.forget_regex_of(&[member_id.clone()]));
        let others = group.members.values().filter(|it| it.member_id != *member_id);
        let metadata_hash = group.hash_of(others, around.image);
        records.push(group_record(&group.id, GroupValue { epoch: group.epoch.epoch + 1, metadata_hash }));
        self.timers.remove(&(group.id.clone(), member_id.clone()));
        records
    }

    /// Removes one member whose time is up, if there is any; the records take effect before the next is asked for.
    pub fn expire_one(&mut self, around: Surroundings<'_>) -> Option<Expired> {
        loop {
            let due = |(_, timers): &(&(Rc<str>, Rc<str>), &Timers)| timers.deadline() <= around.now;
            let ((group, member), timers) = self.timers.iter().find(due).map(|(id, it)| (id.clone(), it.clone()))?;
            let found = self.groups.get(&group).cloned();
            let found = found.and_then(|group| group.members.get(&member).cloned().map(|member| (group, member)));
            let Some((group, member)) = found else {
                self.timers.remove(&(group, member));
                continue;
            };
            let late = timers.rebalance.is_some_and(|(due, at)| due <= around.now && member.member_epoch == at);
            if late || timers.session <= around.now {
                let reason = if late { RemovalReason::RebalanceTimeout } else { RemovalReason::SessionTimeout };
                let records = self.fence(&group, &member.member_id, around);
                return Some(Expired { group: group.id.clone(), reason, records });
            }
            if let Some(timers) = self.timers.get_mut(&(group.id.clone(), member.member_id)) {
                timers.rebalance = None;
            }
        }
    }

    /// The session begins anew; a member that has just been told to give something up has its rebalance timeout for that.
    fn start_timers(&mut self, group: &Rc<str>, member: &ConsumerGroupMember, moved: bool, around: Surroundings<'_>) {
        let session = around.now + around.config.group_consumer_session_timeout_ms;
        let timers = self.timers.entry((group.clone(), member.member_id.clone()));
        let timers = timers.or_insert(Timers { session, rebalance: None });
        timers.session = session;
        if moved {
            timers.rebalance = member.revocation_deadline(around.now);
        }
    }
}

impl ConsumerGroup {
    /// The member that sends a heartbeat, a new one if it joins. A static member that joins takes the place of one that is
    /// away, which the records say.
    fn find(
        &self,
        request: &ConsumerGroupHeartbeatRequest,
        max_size: u32,
        records: &mut Vec<CoordinatorRecord>,
    ) -> Result<ConsumerGroupMember, ErrorCode> {
        let ConsumerGroupHeartbeatRequest { member_id, member_epoch, instance_id, .. } = request;
        let place = instance_id.as_deref().and_then(|instance| self.static_member(instance));
        // (A static member that comes back with another id is not let in either; that changed after 4.3.1.)
        if self.members.len() >= max_size as usize && !self.members.contains_key(member_id) {
            return Err(ErrorCode::GroupMaxSizeReached);
        }
        let joins = *member_epoch == JOIN_EPOCH;
        match (instance_id, place) {
            (Some(_), Some(place)) if joins => {
                if place.member_epoch != LEAVE_STATIC_EPOCH {
                    return Err(ErrorCode::UnreleasedInstanceId);
                }
                Ok(self.replace(place, member_id, records))
            }
            (Some(instance), _) if !joins => {
                let member = self.instance(instance, member_id)?;
                member.validate_epoch(request).map(|()| member.clone())
            }
            _ => match self.members.get(member_id) {
                Some(member) => member.validate_epoch(request).map(|()| member.clone()),
                None if joins => Ok(ConsumerGroupMember::new(member_id.clone())),
                None => Err(ErrorCode::UnknownMemberId),
            },
        }
    }

    fn instance(&self, instance_id: &str, member_id: &str) -> Result<&ConsumerGroupMember, ErrorCode> {
        let member = self.static_member(instance_id).ok_or(ErrorCode::UnknownMemberId)?;
        if &*member.member_id == member_id { Ok(member) } else { Err(ErrorCode::FencedInstanceId) }
    }

    fn replace(
        &self,
        place: &ConsumerGroupMember,
        member_id: &Rc<str>,
        records: &mut Vec<CoordinatorRecord>,
    ) -> ConsumerGroupMember {
        let (member_epoch, previous_member_epoch) = (JOIN_EPOCH, JOIN_EPOCH);
        let member_id = member_id.clone();
        let target = self.target.get(&place.member_id).cloned().unwrap_or_default();
        let member = ConsumerGroupMember { member_id, member_epoch, previous_member_epoch, ..place.clone() };
        records.extend(removal(&self.id, &place.member_id));
        records.push(member_record(&self.id, &member));
        records.push(target_member_record(&self.id, &member.member_id, &target));
        records.push(current_record(&self.id, &member));
        member
    }
}

impl ConsumerGroupMember {
    /// An answer may have been lost: the epoch before will do if the member has nothing that it should not.
    fn validate_epoch(&self, request: &ConsumerGroupHeartbeatRequest) -> Result<(), ErrorCode> {
        let epoch = request.member_epoch;
        let nothing_else = || {
            let owned = request.topic_partitions.as_ref();
            owned.is_some_and(|owned| owned.iter().all(|it| self.assigned.contains_key(it)))
        };
        let retried = || epoch < self.member_epoch && epoch == self.previous_member_epoch && nothing_else();
        if epoch == JOIN_EPOCH || epoch == self.member_epoch || retried() {
            Ok(())
        } else {
            Err(ErrorCode::FencedMemberEpoch)
        }
    }
}

fn removal(group: &Rc<str>, member: &Rc<str>) -> [CoordinatorRecord; 3] {
    let (group, member) = (|| group.clone(), || member.clone());
    let keys =
        [Key::Current(group(), member()), Key::TargetOfMember(group(), member()), Key::Member(group(), member())];
    keys.map(|key| key.tombstone())
}

// A request that only leaves is known by its epoch.
const _: () = assert!(LEAVE_EPOCH < JOIN_EPOCH && LEAVE_STATIC_EPOCH < LEAVE_EPOCH);
