//! The classic protocol of groups: JoinGroup (API 11), Heartbeat (12), LeaveGroup (13), SyncGroup (14); and the consumer
//! protocol (KIP-848): ConsumerGroupHeartbeat (68).
//!
//! What members of the classic protocol say of themselves and what their leader assigns is opaque to the coordinator: bytes.

use super::ErrorCode;
use crate::base::{Duration, Generation, TopicPartition};
use bytes::Bytes;
use std::rc::Rc;

/// I want to be a member of the group.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct JoinGroupRequest {
    /// The group.
    pub group: Rc<str>,
    /// `client.id`, from the request's header.
    pub client_id: Rc<str>,
    /// After so long a silence the member is removed.
    pub session_timeout: Duration,
    /// So long others wait for this member to join again.
    pub rebalance_timeout: Duration,
    /// Empty for who is new.
    pub member_id: Rc<str>,
    /// `group.instance.id`.
    pub instance_id: Option<Rc<str>>,
    /// `consumer`.
    pub protocol_type: Rc<str>,
    /// What it supports (a consumer: its assignors), the preferred first.
    pub protocols: Vec<JoinGroupProtocol>,
}

/// One protocol of a [`JoinGroupRequest`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct JoinGroupProtocol {
    /// Its name, `range` among others.
    pub name: Rc<str>,
    /// What the member says of itself (a consumer: its subscription).
    pub metadata: Bytes,
}

/// You are.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct JoinGroupResponse {
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// −1 on error.
    pub generation: Generation,
    /// None on error.
    pub protocol_type: Option<Rc<str>>,
    /// The one that was chosen; none on error.
    pub protocol_name: Option<Rc<str>>,
    /// Its member id; empty on error.
    pub leader: Rc<str>,
    /// The leader shall assign nothing: it has come back, and nothing has changed (version 9).
    pub skip_assignment: bool,
    /// Yours.
    pub member_id: Rc<str>,
    /// To the leader: all members.
    pub members: Vec<JoinGroupMember>,
}

/// One member of a [`JoinGroupResponse`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct JoinGroupMember {
    /// Its id.
    pub member_id: Rc<str>,
    /// `group.instance.id`.
    pub instance_id: Option<Rc<str>>,
    /// What it says of itself for the chosen protocol.
    pub metadata: Bytes,
}

impl JoinGroupResponse {
    /// No member.
    pub fn failed(member_id: Rc<str>, error: ErrorCode) -> JoinGroupResponse {
        JoinGroupResponse {
            error,
            generation: -1,
            protocol_type: None,
            protocol_name: None,
            leader: Rc::from(""),
            skip_assignment: false,
            member_id,
            members: Vec::new(),
        }
    }
}

/// What am I assigned? Or, from the leader: this is what all are assigned.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SyncGroupRequest {
    /// The group.
    pub group: Rc<str>,
    /// The member's.
    pub generation: Generation,
    /// Who asks.
    pub member_id: Rc<str>,
    /// `group.instance.id`.
    pub instance_id: Option<Rc<str>>,
    /// As joined; not compared if absent (before version 5).
    pub protocol_type: Option<Rc<str>>,
    /// As chosen; not compared if absent.
    pub protocol_name: Option<Rc<str>>,
    /// From the leader: member id and assignment of each.
    pub assignments: Vec<(Rc<str>, Bytes)>,
}

/// This.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SyncGroupResponse {
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// None on error.
    pub protocol_type: Option<Rc<str>>,
    /// None on error.
    pub protocol_name: Option<Rc<str>>,
    /// Empty on error.
    pub assignment: Bytes,
}

impl SyncGroupResponse {
    /// No assignment.
    pub fn failed(error: ErrorCode) -> SyncGroupResponse {
        SyncGroupResponse { error, protocol_type: None, protocol_name: None, assignment: Bytes::new() }
    }
}

/// I am alive.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct HeartbeatRequest {
    /// The group.
    pub group: Rc<str>,
    /// The member's.
    pub generation: Generation,
    /// Who.
    pub member_id: Rc<str>,
    /// `group.instance.id`.
    pub instance_id: Option<Rc<str>>,
}

/// Good, or `REBALANCE_IN_PROGRESS`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct HeartbeatResponse {
    /// `NONE` or what is wrong.
    pub error: ErrorCode,
}

/// These are members no more.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LeaveGroupRequest {
    /// The group.
    pub group: Rc<str>,
    /// Who.
    pub members: Vec<LeavingMember>,
}

/// One member of a [`LeaveGroupRequest`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LeavingMember {
    /// Its id; empty if an administrator names it by its instance.
    pub member_id: Rc<str>,
    /// `group.instance.id`.
    pub instance_id: Option<Rc<str>>,
}

/// They are not.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LeaveGroupResponse {
    /// Of the whole request.
    pub error: ErrorCode,
    /// In the order of the request, each with `NONE` or why not.
    pub members: Vec<(LeavingMember, ErrorCode)>,
}

/// A member's epoch: that of the assignment it has reached.
pub type MemberEpoch = i32;

/// The epoch of who wants to be a member.
pub const JOIN_EPOCH: MemberEpoch = 0;
/// The epoch of who leaves.
pub const LEAVE_EPOCH: MemberEpoch = -1;
/// The epoch of a static member that leaves and will be back.
pub const LEAVE_STATIC_EPOCH: MemberEpoch = -2;

/// I am alive, and this is what I read. What is `None` has not changed since the last heartbeat.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ConsumerGroupHeartbeatRequest {
    /// The group.
    pub group: Rc<str>,
    /// Made by the client, a UUID.
    pub member_id: Rc<str>,
    /// The member's, or one of [`JOIN_EPOCH`], [`LEAVE_EPOCH`], [`LEAVE_STATIC_EPOCH`].
    pub member_epoch: MemberEpoch,
    /// `group.instance.id`.
    pub instance_id: Option<Rc<str>>,
    /// `client.rack`.
    pub rack_id: Option<Rc<str>>,
    /// So long the member may take to revoke: `max.poll.interval.ms`. On the wire −1 is none.
    pub rebalance_timeout: Option<Duration>,
    /// The topics it subscribes to by name.
    pub subscribed_topics: Option<Vec<Rc<str>>>,
    /// The pattern of topics that it subscribes to (RE2J), empty for none.
    pub subscribed_regex: Option<Rc<str>>,
    /// `group.remote.assignor`.
    pub server_assignor: Option<Rc<str>>,
    /// What it has, and has not yet given up.
    pub topic_partitions: Option<Vec<TopicPartition>>,
    /// `client.id`, from the request's header.
    pub client_id: Rc<str>,
}

/// This is what you shall read.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ConsumerGroupHeartbeatResponse {
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// None on error.
    pub member_id: Option<Rc<str>>,
    /// The member's now; 0 on error.
    pub member_epoch: MemberEpoch,
    /// Until the next heartbeat; 0 on error.
    pub heartbeat_interval: Duration,
    /// None if it has not changed.
    pub assignment: Option<Vec<TopicPartition>>,
}

impl ConsumerGroupHeartbeatResponse {
    /// No member, or not at this epoch.
    pub fn failed(error: ErrorCode) -> ConsumerGroupHeartbeatResponse {
        let heartbeat_interval = Duration::ZERO;
        ConsumerGroupHeartbeatResponse { error, member_id: None, member_epoch: 0, heartbeat_interval, assignment: None }
    }
}
