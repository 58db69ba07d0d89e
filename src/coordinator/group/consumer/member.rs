//! What is known of one member (`ConsumerGroupMember`).

use super::MemberEpochs;
use crate::base::{Duration, SortedSet};
use crate::protocol::{ConsumerGroupHeartbeatRequest, JoinGroupProtocol, MemberEpoch};
use std::rc::Rc;

/// How far a member is on its way to what it shall have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MemberState {
    /// It has, at its epoch, all that it shall have.
    Stable = 0,
    /// It must give something up first, and stays in its epoch until it has.
    UnrevokedPartitions = 1,
    /// It is in the new epoch, and waits for what others have not given up.
    UnreleasedPartitions = 2,
    /// Written by a coordinator of the future.
    Unknown = 127,
}

impl MemberState {
    /// As ConsumerGroupCurrentMemberAssignment writes it.
    pub const fn from_code(code: i8) -> MemberState {
        match code {
            0 => MemberState::Stable,
            1 => MemberState::UnrevokedPartitions,
            2 => MemberState::UnreleasedPartitions,
            _ => MemberState::Unknown,
        }
    }

    /// `STABLE`, …
    pub const fn name(self) -> &'static str {
        match self {
            MemberState::Stable => "STABLE",
            MemberState::UnrevokedPartitions => "UNREVOKED_PARTITIONS",
            MemberState::UnreleasedPartitions => "UNRELEASED_PARTITIONS",
            MemberState::Unknown => "UNKNOWN",
        }
    }
}

/// What a member that speaks the classic protocol said when it joined (`ClassicMemberMetadata`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ClassicMetadata {
    /// After so long a silence it is removed.
    pub session_timeout: Duration,
    /// What it supports, the preferred first; that one is what it is told the group has chosen.
    pub protocols: Rc<[JoinGroupProtocol]>,
}

/// A member.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ConsumerGroupMember {
    /// Its id, made by the client.
    pub member_id: Rc<str>,
    /// That of the assignment it has reached; −2 for a static member that is away.
    pub member_epoch: MemberEpoch,
    /// The one before.
    pub previous_member_epoch: MemberEpoch,
    /// On its way.
    pub state: MemberState,
    /// `group.instance.id`.
    pub instance_id: Option<Rc<str>>,
    /// `client.rack`.
    pub rack_id: Option<Rc<str>>,
    /// Milliseconds that it may take to give something up; −1 if unknown.
    pub rebalance_timeout: i32,
    /// `client.id`.
    pub client_id: Rc<str>,
    /// Where it connects from.
    pub client_host: Rc<str>,
    /// By name.
    pub subscribed_topics: SortedSet<Rc<str>>,
    /// By pattern; empty for none.
    pub subscribed_regex: Option<Rc<str>>,
    /// `group.remote.assignor`.
    pub server_assignor: Option<Rc<str>>,
    /// What it has, each with the epoch in which it got it.
    pub assigned: MemberEpochs,
    /// What it must give up.
    pub pending_revocation: MemberEpochs,
    /// It speaks the classic protocol.
    pub classic: Option<ClassicMetadata>,
}

impl ConsumerGroupMember {
    pub(in crate::coordinator::group) fn new(member_id: Rc<str>) -> Self {
        ConsumerGroupMember {
            member_id,
            member_epoch: 0,
            previous_member_epoch: -1,
            state: MemberState::Stable,
            instance_id: None,
            rack_id: None,
            rebalance_timeout: -1,
            client_id: Rc::from(""),
            client_host: Rc::from(""),
            subscribed_topics: SortedSet::new(),
            subscribed_regex: Some(Rc::from("")),
            server_assignor: None,
            assigned: Rc::default(),
            pending_revocation: Rc::default(),
            classic: None,
        }
    }

    /// With what a heartbeat says that it did not say before.
    pub(super) fn updated(&self, request: &ConsumerGroupHeartbeatRequest) -> ConsumerGroupMember {
        fn or<T: Clone>(new: &Option<T>, old: &Option<T>) -> Option<T> {
            new.clone().or_else(|| old.clone())
        }
        let timeout = request.rebalance_timeout.map(|it| i32::try_from(it.as_millis()).unwrap_or(i32::MAX));
        let topics = request.subscribed_topics.as_ref().map(|topics| topics.iter().cloned().collect());
        ConsumerGroupMember {
            instance_id: or(&request.instance_id, &self.instance_id),
            rack_id: or(&request.rack_id, &self.rack_id),
            rebalance_timeout: timeout.unwrap_or(self.rebalance_timeout),
            client_id: request.client_id.clone(),
            client_host: Rc::from("/127.0.0.1"),
            subscribed_topics: topics.unwrap_or_else(|| self.subscribed_topics.clone()),
            subscribed_regex: or(&request.subscribed_regex, &self.subscribed_regex),
            server_assignor: or(&request.server_assignor, &self.server_assignor),
            classic: None,
            ..self.clone()
        }
    }

    /// Has it all that it shall have at this epoch?
    pub fn is_reconciled_to(&self, epoch: MemberEpoch) -> bool {
        self.state == MemberState::Stable && self.member_epoch == epoch
    }

    /// In the next epoch; the one before is remembered, for the answer may be lost.
    pub(super) fn advance(&mut self, epoch: MemberEpoch) {
        self.previous_member_epoch = std::mem::replace(&mut self.member_epoch, epoch);
    }
}
