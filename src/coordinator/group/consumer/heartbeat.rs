//! ConsumerGroupHeartbeat, and who is removed (`GroupMetadataManager.consumerGroupHeartbeat`).

use super::group::ConsumerGroup;
use super::record::{current_record, member_record, target_member_record};
use super::removal::removal;
use super::{ConsumerGroupMember, ConsumerGroups, Surroundings};
use crate::coordinator::CoordinatorRecord;
use crate::protocol::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ErrorCode, JOIN_EPOCH, LEAVE_EPOCH,
    LEAVE_STATIC_EPOCH,
};
use std::rc::Rc;

/// What comes of a request.
#[derive(Debug)]
pub struct Handled<R> {
    /// To be written.
    pub records: Vec<CoordinatorRecord>,
    /// To be given when they are committed.
    pub response: R,
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

/// How a member leaves.
pub(in crate::coordinator::group) enum Leaving {
    /// Its place is kept.
    Away(CoordinatorRecord),
    /// It is to be removed.
    Gone(Rc<str>),
}

impl ConsumerGroups {
    /// Handles a heartbeat of a request that is complete and does not leave. A group that has just come from the classic
    /// protocol is not here yet.
    pub(in crate::coordinator::group) fn heartbeat(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
        converted: Option<Rc<ConsumerGroup>>,
        around: Surroundings<'_>,
    ) -> Result<Handled<ConsumerGroupHeartbeatResponse>, ErrorCode> {
        let id = &request.group;
        let group = match converted.or_else(|| self.groups.get(id).cloned()) {
            Some(group) => group,
            None if request.member_epoch == JOIN_EPOCH => Rc::new(ConsumerGroup::new(id.clone())),
            None => return Err(ErrorCode::GroupIdNotFound),
        };
        let mut records = Vec::new();
        let member = group.find(request, around.config.group_consumer_max_size, &mut records)?;
        let mut updated = member.updated(request);
        let update = self.update(&group, (&member, &updated), around, &mut records)?;
        let (target_epoch, target) = group.target_for(update.epoch, &updated, around, &mut records);
        let known = (update.subscription_changed, request.topic_partitions.as_deref());
        updated = self.reconcile(&group, updated, (target_epoch, &target), known, around, &mut records)?;
        self.start_session(id, &updated, around);
        let full = request.rebalance_timeout.is_some()
            && (request.subscribed_topics.is_some() || request.subscribed_regex.is_some())
            && request.topic_partitions.is_some();
        let tell = request.member_epoch == JOIN_EPOCH || full || member.assigned != updated.assigned;
        let response = ConsumerGroupHeartbeatResponse {
            error: ErrorCode::None,
            member_id: Some(updated.member_id.clone()),
            member_epoch: updated.member_epoch,
            heartbeat_interval: around.group_config(id).consumer_heartbeat_interval_ms,
            assignment: tell.then(|| updated.assigned.keys().copied().collect()),
        };
        Ok(Handled { records, response, resolve: update.resolve })
    }

    /// How the member that says so leaves.
    pub(in crate::coordinator::group) fn leaving(
        &self,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<Leaving, ErrorCode> {
        let group = self.groups.get(&request.group).ok_or(ErrorCode::GroupIdNotFound)?;
        let member = match &request.instance_id {
            None => group.members.get(&request.member_id).ok_or(ErrorCode::UnknownMemberId)?,
            Some(instance) => group.instance(instance, &request.member_id)?,
        };
        if request.instance_id.is_none() || request.member_epoch != LEAVE_STATIC_EPOCH {
            return Ok(Leaving::Gone(member.member_id.clone()));
        }
        // What it had counts for whoever comes back as if it had been there always.
        let assigned = member.assigned.keys().map(|partition| (*partition, 0)).collect();
        let away = ConsumerGroupMember {
            member_epoch: LEAVE_STATIC_EPOCH,
            pending_revocation: Rc::default(),
            assigned: Rc::new(assigned),
            ..member.clone()
        };
        Ok(Leaving::Away(current_record(&group.id, &away)))
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
        self.has_room_for(member_id, max_size)?;
        let joins = *member_epoch == JOIN_EPOCH;
        match (instance_id, place) {
            (Some(_), Some(place)) if joins => {
                // A classic member that was replaced learns of it by its next request.
                if place.classic.is_none() && place.member_epoch != LEAVE_STATIC_EPOCH {
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

    /// A static member that comes back with another id is not let in either; that changed after 4.3.1.
    pub(super) fn has_room_for(&self, member_id: &str, max_size: u32) -> Result<(), ErrorCode> {
        let full = self.members.len() >= max_size as usize && !self.members.contains_key(member_id);
        if full { Err(ErrorCode::GroupMaxSizeReached) } else { Ok(()) }
    }

    pub(super) fn instance(&self, instance_id: &str, member_id: &str) -> Result<&ConsumerGroupMember, ErrorCode> {
        let member = self.static_member(instance_id).ok_or(ErrorCode::UnknownMemberId)?;
        if &*member.member_id == member_id { Ok(member) } else { Err(ErrorCode::FencedInstanceId) }
    }

    pub(super) fn replace(
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

// A request that only leaves is known by its epoch.
const _: () = assert!(LEAVE_EPOCH < JOIN_EPOCH && LEAVE_STATIC_EPOCH < LEAVE_EPOCH);
