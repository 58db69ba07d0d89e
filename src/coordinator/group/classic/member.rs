//! One member of a classic group.

use crate::base::{Duration, SortedSet, Time};
use crate::node::RequestContext;
use crate::protocol::{JoinGroupProtocol, JoinGroupRequest};
use bytes::Bytes;
use std::rc::Rc;

/// A member (`ClassicGroupMember`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ClassicGroupMember {
    /// Its id, which the coordinator gave it.
    pub member_id: Rc<str>,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<Rc<str>>,
    /// `client.id`.
    pub client_id: Rc<str>,
    /// Where it connects from.
    pub client_host: Rc<str>,
    /// So long a rebalance waits for it.
    pub rebalance_timeout: Duration,
    /// After so long a silence it is removed.
    pub session_timeout: Duration,
    /// What it supports, the preferred first.
    pub protocols: Rc<[JoinGroupProtocol]>,
    /// What it was assigned.
    pub assignment: Bytes,
    /// It has never been told its id, so that it cannot send heartbeats.
    pub(super) is_new: bool,
    /// When its session ends; none while nothing watches it.
    pub(super) session_end: Option<Time>,
    /// Its JoinGroup that waits.
    pub(super) joining: Option<RequestContext>,
    /// Its SyncGroup that waits.
    pub(super) syncing: Option<RequestContext>,
}

impl ClassicGroupMember {
    /// A member that has just joined.
    pub(super) fn new(member_id: Rc<str>, request: &JoinGroupRequest, joining: RequestContext) -> Self {
        ClassicGroupMember {
            member_id,
            instance_id: request.instance_id.clone(),
            client_id: request.client_id.clone(),
            // In the Lab all connect from the same machine, as it were.
            client_host: Rc::from("/127.0.0.1"),
            rebalance_timeout: request.rebalance_timeout,
            session_timeout: request.session_timeout,
            protocols: Rc::from(&request.protocols[..]),
            assignment: Bytes::new(),
            is_new: true,
            session_end: None,
            joining: Some(joining),
            syncing: None,
        }
    }

    /// Does it stay whatever happens to others with its member id?
    pub fn is_static(&self) -> bool {
        self.instance_id.is_some()
    }

    /// Does a JoinGroup of it wait?
    pub fn is_awaiting_join(&self) -> bool {
        self.joining.is_some()
    }

    /// Whoever waits for the coordinator need not send heartbeats. A new member is given up after a while even so.
    pub(super) fn has_satisfied_heartbeat(&self) -> bool {
        !self.is_new && (self.joining.is_some() || self.syncing.is_some())
    }

    /// What it says of itself for this protocol.
    pub fn metadata(&self, protocol: &str) -> Option<&Bytes> {
        self.protocols.iter().find(|it| &*it.name == protocol).map(|it| &it.metadata)
    }

    /// The first of its protocols that is among the candidates.
    pub(super) fn vote(&self, candidates: &SortedSet<Rc<str>>) -> Option<Rc<str>> {
        self.protocols.iter().map(|it| &it.name).find(|name| candidates.contains(*name)).cloned()
    }

    pub(super) fn start_session(&mut self, now: Time) {
        self.session_end = Some(now + self.session_timeout);
    }
}
