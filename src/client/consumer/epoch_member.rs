//! A member of a group in the consumer protocol (KIP-848): its epoch, what the coordinator wants it to have, and what it
//! has.
//!
//! ```text
//! Unsubscribed  ► Joining                       subscribe()
//! Joining       ► Reconciling, Stable           the first heartbeat is answered
//! Stable        ► Reconciling                   another assignment comes
//! Reconciling   ► Acknowledging                 what is to go is given up, what is new is assigned
//! Acknowledging ► Stable, Reconciling           the heartbeat that says so leaves
//! any of these  ► Fenced, Stale, Leaving, Fatal
//! Fenced, Stale ► Joining                       everything is lost; a stale member waits for poll()
//! ```
//!
//! Invariants: partitions are given up before others are taken; what it says it has it really has; it joins with epoch 0
//! and nothing. In Kafka: `AbstractMembershipManager`, `ConsumerMembershipManager`, `HeartbeatState`,
//! `HeartbeatRequestState`. Departures: the id begins with the client's name, so that people know who it is; an
//! assignment is taken over inside `poll()` alone.

use crate::base::{Duration, SortedSet, Time, TopicPartition};
use crate::node::ClientError;
use crate::protocol::MemberEpoch;
use std::rc::Rc;

/// Where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EpochState {
    /// No member.
    Unsubscribed,
    /// It asks to be one.
    Joining,
    /// What it has is not what it should have.
    Reconciling,
    /// It is about to say that it has what it should have.
    Acknowledging,
    /// It has it.
    Stable,
    /// The coordinator threw it out; its partitions are lost.
    Fenced,
    /// It called `poll()` too late, and left.
    Stale,
    /// It says that it leaves.
    Leaving,
    /// It cannot be a member.
    Fatal,
}

impl EpochState {
    /// As Kafka's `MemberState` spells it.
    pub const fn name(self) -> &'static str {
        match self {
            EpochState::Unsubscribed => "UNSUBSCRIBED",
            EpochState::Joining => "JOINING",
            EpochState::Reconciling => "RECONCILING",
            EpochState::Acknowledging => "ACKNOWLEDGING",
            EpochState::Stable => "STABLE",
            EpochState::Fenced => "FENCED",
            EpochState::Stale => "STALE",
            EpochState::Leaving => "LEAVING",
            EpochState::Fatal => "FATAL",
        }
    }
}

/// What the last heartbeats said already.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(in crate::client) struct SentFields {
    /// `max.poll.interval.ms`, which never changes.
    pub(in crate::client) rebalance_timeout: bool,
    pub(in crate::client) topics: Option<Rc<SortedSet<Rc<str>>>>,
    pub(in crate::client) regex: Option<Rc<str>>,
    pub(in crate::client) assignor: Option<Rc<str>>,
    /// The count of [`EpochMember::local`].
    pub(in crate::client) local: Option<u32>,
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct EpochMember {
    /// Empty before the first heartbeat.
    pub(in crate::client) member_id: Rc<str>,
    pub(in crate::client) epoch: MemberEpoch,
    pub(in crate::client) state: EpochState,
    /// What the coordinator wants it to have.
    pub(in crate::client) target: Option<Rc<[TopicPartition]>>,
    /// What it has, and how often that changed.
    pub(in crate::client) local: (u32, Rc<[TopicPartition]>),
    /// The commit before the assignment changes, if one is needed.
    pub(in crate::client) commit: Option<u32>,
    /// Until when that is waited for.
    pub(in crate::client) commit_deadline: Time,
    /// The coordinator says how often it wants to hear of it.
    pub(in crate::client) interval: Duration,
    pub(in crate::client) send_at: Time,
    pub(in crate::client) not_before: Time,
    pub(in crate::client) attempts: u32,
    pub(in crate::client) in_flight: bool,
    pub(in crate::client) poll_ends: Time,
    pub(in crate::client) sent: SentFields,
    /// Thrown by the next `poll()`.
    pub(in crate::client) failure: Option<ClientError>,
}

impl EpochMember {
    pub(in crate::client) fn new() -> Self {
        EpochMember {
            member_id: "".into(),
            epoch: 0,
            state: EpochState::Unsubscribed,
            target: None,
            local: (0, Rc::new([])),
            commit: None,
            commit_deadline: Time::ZERO,
            interval: Duration::ZERO,
            send_at: Time::ZERO,
            not_before: Time::ZERO,
            attempts: 0,
            in_flight: false,
            poll_ends: Time::MAX,
            sent: SentFields::default(),
            failure: None,
        }
    }

    /// Its id; empty before the first heartbeat.
    pub fn member_id(&self) -> &Rc<str> {
        &self.member_id
    }

    /// Its epoch; 0 before it has joined, negative once it left.
    pub fn epoch(&self) -> MemberEpoch {
        self.epoch
    }

    /// Where it stands.
    pub fn state(&self) -> EpochState {
        self.state
    }

    /// What the coordinator wants it to have.
    pub fn target(&self) -> &[TopicPartition] {
        self.target.as_deref().unwrap_or_default()
    }

    /// It takes part, perhaps not yet with all its partitions.
    pub(in crate::client) fn is_in_group(&self) -> bool {
        use EpochState::{Acknowledging, Joining, Reconciling, Stable};
        matches!(self.state, Joining | Reconciling | Acknowledging | Stable)
    }

    /// It is on the way to another assignment.
    pub(in crate::client) fn is_rejoining(&self) -> bool {
        !matches!(self.state, EpochState::Stable | EpochState::Fatal | EpochState::Unsubscribed)
    }

    pub(in crate::client) fn has_target(&self) -> bool {
        self.target.as_ref().is_none_or(|target| *target == self.local.1)
    }

    /// It begins anew, with nothing.
    pub(in crate::client) fn join(&mut self) {
        self.state = EpochState::Joining;
        self.epoch = 0;
        self.clear();
    }

    /// It has nothing any more.
    pub(in crate::client) fn clear(&mut self) {
        self.target = None;
        self.commit = None;
        self.local = (self.local.0 + 1, Rc::new([]));
        self.sent = SentFields::default();
        self.attempts = 0;
        (self.send_at, self.not_before) = (Time::ZERO, Time::ZERO);
    }

    /// It has this now.
    pub(in crate::client) fn has(&mut self, partitions: Rc<[TopicPartition]>) {
        self.local = (self.local.0 + 1, partitions);
    }

    /// When the next thing happens by itself.
    pub(in crate::client) fn next(&self) -> Option<Time> {
        let sends = (!self.in_flight).then(|| self.send_at.max(self.not_before));
        self.is_in_group().then(|| sends.map_or(self.poll_ends, |at| at.min(self.poll_ends)))
    }
}
