//! A member of a group in the classic protocol: its generation, and how far it is on the way into the next.
//!
//! ```text
//! Unjoined           ► PreparingRebalance                            a JoinGroup request leaves
//! PreparingRebalance ► CompletingRebalance, Unjoined                 it was answered, or the member id is no good
//! CompletingRebalance► Stable, PreparingRebalance, Unjoined          SyncGroup was answered, or another rebalance began
//! Stable             ► PreparingRebalance, Unjoined                  rejoin, or the generation was lost
//! ```
//!
//! Invariants: only a stable member commits in its generation; a member that loses its generation keeps its id unless the
//! coordinator does not know it; an answer to a request of an earlier generation resets nothing.
//!
//! In Kafka: `AbstractCoordinator.Generation`, `MemberState`, and the fields that `joinGroupIfNeeded` works on.

use super::assignor::StickyMemory;
use super::heartbeat::Heartbeat;
use crate::base::config::{Assignor, ConsumerConfig};
use crate::base::{Generation, SortedMap, SortedSet, Time};
use crate::client::network_client::Outcome;
use crate::node::ClientError;
use crate::protocol::{ErrorCode, JoinGroupResponse, NamedPartition};
use bytes::Bytes;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// Where a member stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MemberState {
    /// It is no member, or was thrown out.
    Unjoined,
    /// It asked to join and has no answer.
    PreparingRebalance,
    /// It is in a generation and waits for its assignment.
    CompletingRebalance,
    /// It has its assignment.
    Stable,
}

/// A member's place in its group's history.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MemberGeneration {
    /// −1 for none.
    pub id: Generation,
    /// Empty for none.
    pub member_id: Rc<str>,
    /// The assignor's name.
    pub protocol: Option<Rc<str>>,
}

impl MemberGeneration {
    /// No member.
    pub(super) fn none() -> Self {
        MemberGeneration { id: -1, member_id: "".into(), protocol: None }
    }

    /// It lost its generation, but not its name (`hasGenerationReset`).
    pub(super) fn is_reset(&self) -> bool {
        self.id < 0 && self.protocol.is_none()
    }
}

/// How a change of assignment goes about (KIP-429).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RebalanceProtocol {
    /// All partitions are given up first.
    Eager,
    /// Only those that somebody else gets, in a second round.
    Cooperative,
}

impl RebalanceProtocol {
    /// What all of the assignors can do.
    pub(super) fn of(config: &ConsumerConfig) -> Self {
        match config.partition_assignment_strategy.iter().all(|it| *it == Assignor::CooperativeSticky) {
            true => RebalanceProtocol::Cooperative,
            false => RebalanceProtocol::Eager,
        }
    }
}

/// One attempt to join: JoinGroup, then SyncGroup.
#[derive(Clone, PartialEq, Hash, Debug)]
pub(super) enum Joining {
    /// None is under way.
    No,
    /// A request is.
    InFlight,
    /// JoinGroup ended; the next `poll()` reads how, as in Kafka, where only that thread does.
    JoinEnded((Rc<MemberGeneration>, JoinOutcome)),
    /// It leads, and waits for metadata of all the group's topics.
    Leading(Rc<JoinGroupResponse>),
    /// SyncGroup is to be sent with these assignments.
    ToSync(Vec<(Rc<str>, Bytes)>),
    /// SyncGroup brought the assignment.
    Synced(Bytes),
    /// It failed.
    Failed(JoinFailure),
}

/// How a JoinGroup request ended.
#[derive(Clone, PartialEq, Hash, Debug)]
pub(super) enum JoinOutcome {
    Answered(Rc<JoinGroupResponse>),
    Disconnected,
}

impl JoinOutcome {
    pub(super) fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Response(crate::protocol::Response::JoinGroup(response)) => JoinOutcome::Answered(response.into()),
            _ => JoinOutcome::Disconnected,
        }
    }
}

/// Why it failed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct JoinFailure {
    pub(super) error: ClientError,
    pub(super) retriable: bool,
    /// Tried again at once.
    pub(super) at_once: bool,
}

impl JoinFailure {
    pub(super) fn of(error: ErrorCode) -> Self {
        let at_once = matches!(
            error,
            ErrorCode::UnknownMemberId
                | ErrorCode::IllegalGeneration
                | ErrorCode::RebalanceInProgress
                | ErrorCode::MemberIdRequired
        );
        JoinFailure { error: ClientError::Broker(error), retriable: error.is_retriable(), at_once }
    }
}

/// Topics, as the leader saw them when it assigned.
pub(super) type TopicsSnapshot = SortedMap<Rc<str>, TopicSnapshot>;

/// A topic, as far as a change makes the leader assign anew (`MetadataSnapshot`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct TopicSnapshot {
    pub(super) partitions: u32,
    /// Of each partition, where its replicas are: none for one that lives nowhere. Empty without a `client.rack`.
    pub(super) racks: Vec<SortedSet<Option<Rc<str>>>>,
}

/// Without racks it is a number.
impl Hash for TopicSnapshot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.partitions.hash(state);
        if !self.racks.is_empty() {
            self.racks.hash(state);
        }
    }
}

/// See the module.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct Member {
    pub(super) generation: Rc<MemberGeneration>,
    pub(super) state: MemberState,
    pub(super) protocol: RebalanceProtocol,
    pub(super) heartbeat: Heartbeat,
    pub(super) rejoin_needed: bool,
    /// `onJoinPrepare` is to run before the next JoinGroup.
    pub(super) needs_prepare: bool,
    /// When `onJoinPrepare` stops waiting for its commit.
    pub(super) prepare_deadline: Option<Time>,
    /// The commit it waits for.
    pub(super) prepare_commit: Option<u32>,
    pub(super) joining: Joining,
    /// A failed attempt is not repeated before.
    pub(super) not_before: Time,
    /// With a pattern: the metadata that is to be newer than this before it joins.
    pub(super) stale_metadata: Option<u32>,
    pub(super) joined_subscription: Option<Rc<SortedSet<Rc<str>>>>,
    /// Of the leader only.
    pub(super) assignment_snapshot: Option<TopicsSnapshot>,
    /// The metadata the snapshot was last compared with.
    pub(super) compared_metadata: u32,
    pub(super) is_leader: bool,
    /// What its assignors remember of the last assignment.
    pub(super) memories: Vec<(Assignor, StickyMemory)>,
    /// A heartbeat met an error that `poll()` has to throw.
    pub(super) failure: Option<ClientError>,
}

impl Member {
    pub(super) fn new(config: &ConsumerConfig) -> Self {
        Member {
            generation: MemberGeneration::none().into(),
            state: MemberState::Unjoined,
            protocol: RebalanceProtocol::of(config),
            heartbeat: Heartbeat::new(config),
            rejoin_needed: true,
            needs_prepare: true,
            prepare_deadline: None,
            prepare_commit: None,
            joining: Joining::No,
            not_before: Time::ZERO,
            stale_metadata: None,
            joined_subscription: None,
            assignment_snapshot: None,
            compared_metadata: 0,
            is_leader: false,
            memories: config.partition_assignment_strategy.iter().map(|it| (*it, StickyMemory::default())).collect(),
            failure: None,
        }
    }

    // ---- asking ----

    /// Its place in the group's history.
    pub fn generation(&self) -> &MemberGeneration {
        &self.generation
    }

    /// Where it stands.
    pub fn state(&self) -> MemberState {
        self.state
    }

    /// How it rebalances.
    pub fn protocol(&self) -> RebalanceProtocol {
        self.protocol
    }

    /// It assigned the partitions of this generation.
    pub fn is_leader(&self) -> bool {
        self.is_leader
    }

    /// Its timers.
    pub fn heartbeat(&self) -> &Heartbeat {
        &self.heartbeat
    }

    /// It knows that it has to join again, or is about to.
    pub fn is_rejoining(&self) -> bool {
        self.rejoin_needed || self.joining != Joining::No
    }

    /// `generationIfStable`.
    pub(super) fn stable_generation(&self) -> Option<&Rc<MemberGeneration>> {
        (self.state == MemberState::Stable).then_some(&self.generation)
    }

    pub(super) fn rebalance_in_progress(&self) -> bool {
        matches!(self.state, MemberState::PreparingRebalance | MemberState::CompletingRebalance)
    }

    /// Neither its generation nor its id is any good: others may have its partitions.
    pub(super) fn has_lost_generation(&self) -> bool {
        self.generation.id < 0 || self.generation.member_id.is_empty()
    }

    // ---- acting ----

    /// `requestRejoin`.
    pub(super) fn request_rejoin(&mut self) {
        self.rejoin_needed = true;
    }

    /// `resetStateAndRejoin`.
    pub(super) fn reset(&mut self, member_id_too: bool) {
        self.state = MemberState::Unjoined;
        let member_id = match member_id_too {
            true => "".into(),
            false => Rc::clone(&self.generation.member_id),
        };
        self.generation = MemberGeneration { id: -1, member_id, protocol: None }.into();
        self.rejoin_needed = true;
        self.needs_prepare = true;
    }

    /// `onAssignment` of the assignor that was chosen.
    pub(super) fn remember(&mut self, assigned: Vec<NamedPartition>) {
        let chosen = self.generation.protocol.as_deref();
        if let Some((_, memory)) = self.memories.iter_mut().find(|(it, _)| Some(it.protocol_name()) == chosen) {
            memory.assignment = Some((assigned, self.generation.id));
        }
    }

    /// The coordinator refused a request of this generation: 22 keeps the member id, 25 does not.
    pub(super) fn reset_on(&mut self, error: ErrorCode) {
        self.reset(error != ErrorCode::IllegalGeneration);
    }
}
