//! The fake broker as coordinator of one group, as a test scripts it: the node under test, and others who never speak.

use super::FakeBroker;
use crate::base::{Duration, TopicPartition};
use crate::client::consumer::assignment;
use crate::protocol::*;
use bytes::Bytes;
use std::collections::VecDeque;
use std::rc::Rc;

/// The group.
#[derive(Default)]
pub struct FakeGroup {
    /// The last generation.
    pub generation: i32,
    /// Members besides the node under test; the first of them leads if `follower`.
    pub others: Vec<JoinGroupMember>,
    /// The node under test does not lead.
    pub follower: bool,
    /// What SyncGroup answers next, instead of what the leader assigned.
    pub assignments: VecDeque<Vec<NamedPartition>>,
    /// The leader has come back, and shall assign nothing.
    pub skip_assignment: bool,
    /// What the coordinator of the consumer protocol assigns next, each at an epoch of its own.
    pub targets: VecDeque<Vec<TopicPartition>>,
    members_made: u32,
    own: Bytes,
}

impl FakeBroker {
    /// The answer to a request about the group, if it is one.
    pub(super) fn answer_group(&mut self, request: &Request, error: ErrorCode) -> Option<Response> {
        Some(match request {
            Request::JoinGroup(r) => Response::JoinGroup(self.join_group(r, error)),
            Request::SyncGroup(r) => Response::SyncGroup(self.sync_group(r, error)),
            Request::ConsumerGroupHeartbeat(r) => Response::ConsumerGroupHeartbeat(self.epoch_heartbeat(r, error)),
            Request::Heartbeat(_) => Response::Heartbeat(HeartbeatResponse { error }),
            Request::LeaveGroup(r) => {
                let members = r.members.iter().map(|member| (member.clone(), ErrorCode::None)).collect();
                Response::LeaveGroup(LeaveGroupResponse { error, members })
            }
            _ => return None,
        })
    }

    fn join_group(&mut self, request: &JoinGroupRequest, error: ErrorCode) -> JoinGroupResponse {
        let group = &mut self.group;
        if error.is_error() {
            return JoinGroupResponse::failed(Rc::clone(&request.member_id), error);
        }
        let is_new = request.member_id.is_empty();
        if is_new {
            group.members_made += 1;
        }
        let made = format!("{}-{}", request.client_id, group.members_made).into();
        if is_new && request.instance_id.is_none() {
            return JoinGroupResponse::failed(made, ErrorCode::MemberIdRequired);
        }
        let member_id = if is_new { made } else { Rc::clone(&request.member_id) };
        group.generation += 1;
        let protocol = &request.protocols[0];
        let own = JoinGroupMember {
            member_id: Rc::clone(&member_id),
            instance_id: request.instance_id.clone(),
            metadata: protocol.metadata.clone(),
        };
        let leader = if group.follower { Rc::from("somebody-else") } else { Rc::clone(&member_id) };
        let members = [own].into_iter().chain(group.others.iter().cloned()).filter(|_| !group.follower);
        JoinGroupResponse {
            error,
            generation: group.generation,
            protocol_type: Some(Rc::clone(&request.protocol_type)),
            protocol_name: Some(Rc::clone(&protocol.name)),
            leader,
            skip_assignment: group.skip_assignment,
            member_id,
            members: members.collect(),
        }
    }

    fn epoch_heartbeat(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
        error: ErrorCode,
    ) -> ConsumerGroupHeartbeatResponse {
        if error.is_error() {
            return ConsumerGroupHeartbeatResponse::failed(error);
        }
        let (group, leaves) = (&mut self.group, request.member_epoch < 0);
        let joins = request.member_epoch == JOIN_EPOCH;
        let assignment = group.targets.pop_front().filter(|_| !leaves).or(joins.then(|| vec![super::TP]));
        group.generation += i32::from(assignment.is_some());
        ConsumerGroupHeartbeatResponse {
            error,
            member_id: Some(Rc::clone(&request.member_id)),
            member_epoch: if leaves { request.member_epoch } else { group.generation },
            heartbeat_interval: Duration::from_millis(5_000),
            assignment,
        }
    }

    fn sync_group(&mut self, request: &SyncGroupRequest, error: ErrorCode) -> SyncGroupResponse {
        if error.is_error() {
            return SyncGroupResponse::failed(error);
        }
        if let Some((_, own)) = request.assignments.iter().find(|(member, _)| *member == request.member_id) {
            self.group.own = own.clone();
        }
        if let Some(next) = self.group.assignments.pop_front() {
            self.group.own = assignment::assignment_bytes(&next);
        }
        SyncGroupResponse {
            error,
            protocol_type: request.protocol_type.clone(),
            protocol_name: request.protocol_name.clone(),
            assignment: self.group.own.clone(),
        }
    }
}
