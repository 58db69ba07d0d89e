//! SyncGroup, Heartbeat, LeaveGroup.

use super::record::group_metadata_record;
use super::{AfterWrite, ClassicGroup, ClassicGroups, Work};
use crate::base::{SortedMap, Time};
use crate::node::RequestContext;
use crate::protocol::GroupState::{CompletingRebalance, Empty, PreparingRebalance, Stable};
use crate::protocol::{
    ErrorCode, HeartbeatRequest, LeaveGroupRequest, LeaveGroupResponse, LeavingMember, Response, SyncGroupRequest,
    SyncGroupResponse,
};
use bytes::Bytes;
use std::rc::Rc;

impl ClassicGroups {
    /// Handles SyncGroup; the answer may wait for the leader's assignment.
    pub fn sync(&mut self, context: RequestContext, request: &SyncGroupRequest, work: &mut Work<'_>) {
        let refused = match self.group_mut(&request.group) {
            Some(group) if group.state != Empty => group.sync(context, request, work),
            _ => Err(ErrorCode::UnknownMemberId),
        };
        if let Err(error) = refused {
            work.answer(context, Response::SyncGroup(SyncGroupResponse::failed(error)));
        }
    }

    /// Handles Heartbeat.
    pub fn heartbeat(&mut self, request: &HeartbeatRequest, now: Time) -> ErrorCode {
        let Some(group) = self.group_mut(&request.group) else { return ErrorCode::UnknownMemberId };
        if let Err(error) = group.validate_member(&request.member_id, request.instance_id.as_ref()) {
            return error;
        }
        if request.generation != group.generation {
            return ErrorCode::IllegalGeneration;
        }
        group.refresh_session(&request.member_id, now);
        match group.state {
            PreparingRebalance => ErrorCode::RebalanceInProgress,
            CompletingRebalance | Stable => ErrorCode::None,
            _ => ErrorCode::UnknownMemberId,
        }
    }

    /// A commit of offsets is a sign of life, too.
    pub fn refresh_on_commit(&mut self, group: &str, member_id: &str, now: Time) {
        let group = self.groups.get_mut(group).filter(|group| group.is_in(&[Stable, PreparingRebalance]));
        if let Some(group) = group {
            Rc::make_mut(group).refresh_session(member_id, now);
        }
    }

    /// Handles LeaveGroup.
    pub fn leave(&mut self, request: &LeaveGroupRequest, work: &mut Work<'_>) -> LeaveGroupResponse {
        let Some(group) = self.group_mut(&request.group) else {
            let unknown = |member: &LeavingMember| (member.clone(), ErrorCode::UnknownMemberId);
            return LeaveGroupResponse {
                error: ErrorCode::None,
                members: request.members.iter().map(unknown).collect(),
            };
        };
        let leave = |member: &LeavingMember| {
            let error = group.leave(member, work).err().unwrap_or(ErrorCode::None);
            (member.clone(), error)
        };
        let members: Vec<(LeavingMember, ErrorCode)> = request.members.iter().map(leave).collect();
        if members.iter().any(|(_, error)| !error.is_error()) {
            match group.state {
                Stable | CompletingRebalance => group.rebalance_or_complete_join(work),
                PreparingRebalance => group.maybe_complete_join(work),
                _ => {}
            }
        }
        LeaveGroupResponse { error: ErrorCode::None, members }
    }
}

impl ClassicGroup {
    fn sync(
        &mut self,
        context: RequestContext,
        request: &SyncGroupRequest,
        work: &mut Work<'_>,
    ) -> Result<(), ErrorCode> {
        self.validate_member(&request.member_id, request.instance_id.as_ref())?;
        if request.generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        let differs = |asked: &Option<Rc<str>>, own: &Option<Rc<str>>| asked.is_some() && own.is_some() && asked != own;
        if differs(&request.protocol_type, &self.protocol_type) || differs(&request.protocol_name, &self.protocol_name)
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        match self.state {
            PreparingRebalance => return Err(ErrorCode::RebalanceInProgress),
            CompletingRebalance => {
                self.synced(&request.member_id);
                if let Some(member) = self.members.get_mut(&request.member_id) {
                    member.syncing = Some(context);
                }
                if self.is_leader(&request.member_id) {
                    self.assign(request, work);
                }
            }
            Stable => {
                self.synced(&request.member_id);
                let assignment = self.members.get(&request.member_id).map(|member| member.assignment.clone());
                let response = SyncGroupResponse {
                    error: ErrorCode::None,
                    protocol_type: self.protocol_type.clone(),
                    protocol_name: self.protocol_name.clone(),
                    assignment: assignment.unwrap_or_default(),
                };
                work.answer(context, Response::SyncGroup(response));
            }
            _ => return Err(ErrorCode::UnknownMemberId),
        }
        Ok(())
    }

    fn synced(&mut self, member_id: &Rc<str>) {
        self.pending_syncs.remove(member_id);
        if self.pending_syncs.is_empty() {
            self.sync_timer = None;
        }
    }

    /// The leader's assignment counts once it is written. Members that it leaves out are assigned nothing.
    fn assign(&mut self, request: &SyncGroupRequest, work: &mut Work<'_>) {
        let given: SortedMap<Rc<str>, Bytes> = request.assignments.iter().cloned().collect();
        let of = |member_id: &Rc<str>| given.get(member_id).cloned().unwrap_or_default();
        let assignment: SortedMap<Rc<str>, Bytes> = self.members.keys().map(|id| (id.clone(), of(id))).collect();
        let record = group_metadata_record(self, &assignment);
        let (group, generation, assignment) = (self.id.clone(), self.generation, Rc::new(assignment));
        work.write(record, AfterWrite::Assigned { group, generation, assignment });
    }

    fn refresh_session(&mut self, member_id: &str, now: Time) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.start_session(now);
        }
    }

    fn leave(&mut self, member: &LeavingMember, work: &mut Work<'_>) -> Result<(), ErrorCode> {
        let member_id = if member.member_id.is_empty() {
            // An administrator removes a static member, whatever its member id.
            let known = member.instance_id.as_ref().and_then(|instance_id| self.static_members.get(instance_id));
            known.cloned().ok_or(ErrorCode::UnknownMemberId)?
        } else if self.pending_joins.contains_key(&member.member_id) {
            member.member_id.clone()
        } else {
            self.validate_member(&member.member_id, member.instance_id.as_ref())?;
            member.member_id.clone()
        };
        self.remove_and_answer(&member_id, work);
        Ok(())
    }
}
