//! What is known of one classic group, and questions about it.

use super::member::ClassicGroupMember;
use super::state::may_follow;
use crate::base::{Duration, Generation, JavaMap, SortedMap, SortedSet, Time};
use crate::coordinator::group::expiry::ExpiryRule;
use crate::protocol::GroupState::{self, CompletingRebalance, Empty, PreparingRebalance, Stable};
use crate::protocol::{ConsumerSubscription, ErrorCode, JoinGroupMember, JoinGroupProtocol, JoinGroupResponse};
use std::rc::Rc;

/// `ConsumerProtocol.PROTOCOL_TYPE`.
const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// A classic group (`ClassicGroup`).
///
/// Invariants: the leader is a member; a member id is either pending or a member; every static member's instance is
/// mapped to its member id; members have at least one protocol in common.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ClassicGroup {
    pub(super) id: Rc<str>,
    pub(super) state: GroupState,
    pub(super) previous_state: GroupState,
    /// Wall clock of the last change of state, milliseconds.
    pub(super) state_since: Option<i64>,
    pub(super) generation: Generation,
    pub(super) protocol_type: Option<Rc<str>>,
    pub(super) protocol_name: Option<Rc<str>>,
    pub(super) leader: Option<Rc<str>>,
    pub(super) members: SortedMap<Rc<str>, ClassicGroupMember>,
    /// Member ids by instance.
    pub(super) static_members: SortedMap<Rc<str>, Rc<str>>,
    /// Member ids that were given out and not used yet, with the end of their sessions.
    pub(super) pending_joins: SortedMap<Rc<str>, Time>,
    /// Members that have not sent SyncGroup in this generation. As in Kafka it keeps the old id of a static member that comes
    /// back before it has; for that the group rebalances once more.
    pub(super) pending_syncs: SortedSet<Rc<str>>,
    /// Somebody joined during the initial delay.
    pub(super) new_member_added: bool,
    pub(super) join_timer: Option<JoinTimer>,
    pub(super) sync_timer: Option<Time>,
}

/// What ends the phase in which members join.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct JoinTimer {
    pub due: Time,
    /// The first members of a group: this delay, and how much is left to prolong it by.
    pub initial: Option<(Duration, Duration)>,
}

impl ClassicGroup {
    pub(super) fn new(id: Rc<str>, now: Time) -> Self {
        ClassicGroup {
            id,
            state: Empty,
            previous_state: Empty,
            state_since: Some(now.wall_clock_ms()),
            generation: 0,
            protocol_type: None,
            protocol_name: None,
            leader: None,
            members: SortedMap::new(),
            static_members: SortedMap::new(),
            pending_joins: SortedMap::new(),
            pending_syncs: SortedSet::new(),
            new_member_added: false,
            join_timer: None,
            sync_timer: None,
        }
    }

    /// `group.id`.
    pub fn id(&self) -> &Rc<str> {
        &self.id
    }

    /// Where it is between two generations.
    pub fn state(&self) -> GroupState {
        self.state
    }

    /// Counts its rebalances.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// `consumer`; none if it never had members.
    pub fn protocol_type(&self) -> Option<&Rc<str>> {
        self.protocol_type.as_ref()
    }

    /// The chosen protocol (a consumer group's: the assignor).
    pub fn protocol_name(&self) -> Option<&Rc<str>> {
        self.protocol_name.as_ref()
    }

    /// The member that assigns.
    pub fn leader(&self) -> Option<&Rc<str>> {
        self.leader.as_ref()
    }

    /// All members, by id. Departure: Java's map has no order that could be relied on.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &ClassicGroupMember> {
        self.members.values()
    }

    /// Has it neither members nor any that are about to be?
    pub(in crate::coordinator::group) fn is_empty(&self) -> bool {
        self.state == Empty
    }

    /// `ClassicGroup.offsetExpirationCondition`; none if nothing may expire.
    pub(in crate::coordinator::group) fn expiry_rule(&self) -> Option<ExpiryRule> {
        let Some(kind) = self.protocol_type.as_deref().filter(|kind| !kind.is_empty()) else {
            return Some(ExpiryRule { since: None, subscribed: Some(SortedSet::new()) });
        };
        let consumer = kind == CONSUMER_PROTOCOL_TYPE;
        let subscribed = if consumer { self.subscribed_topics() } else { Some(SortedSet::new()) };
        match self.state {
            Empty => Some(ExpiryRule { since: self.state_since, subscribed }),
            Stable if consumer && subscribed.is_some() => Some(ExpiryRule { since: None, subscribed }),
            _ => None,
        }
    }

    /// What its members read, if all of them say so in a way that can be read.
    pub(in crate::coordinator::group) fn subscribed_topics(&self) -> Option<SortedSet<Rc<str>>> {
        let mut topics = SortedSet::new();
        for member in self.members.values() {
            let metadata = member.metadata(self.protocol_name.as_deref()?)?;
            topics.extend(ConsumerSubscription::decode(metadata).ok()?.topics);
        }
        Some(topics)
    }

    pub(super) fn is_in(&self, states: &[GroupState]) -> bool {
        states.contains(&self.state)
    }

    pub(super) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    pub(super) fn transition_to(&mut self, state: GroupState, now: Time) {
        assert!(may_follow(self.state, state), "invariant: a group's states follow each other as Kafka's do");
        self.previous_state = self.state;
        self.state = state;
        self.state_since = Some(now.wall_clock_ms());
    }

    pub(super) fn may_rebalance(&self) -> bool {
        may_follow(self.state, PreparingRebalance)
    }

    pub(super) fn all_have_joined(&self) -> bool {
        self.pending_joins.is_empty() && self.members.values().all(ClassicGroupMember::is_awaiting_join)
    }

    pub(super) fn rebalance_timeout(&self) -> Duration {
        self.members.values().map(|member| member.rebalance_timeout).max().unwrap_or(Duration::ZERO)
    }

    pub(super) fn add(&mut self, member: ClassicGroupMember, protocol_type: &Rc<str>) {
        if let Some(instance_id) = &member.instance_id {
            let before = self.static_members.insert(instance_id.clone(), member.member_id.clone());
            assert!(before.is_none(), "invariant: an instance is one member");
        }
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.clone());
        }
        if self.leader.is_none() {
            self.leader = Some(member.member_id.clone());
        }
        self.pending_joins.remove(&member.member_id);
        self.members.insert(member.member_id.clone(), member);
    }

    /// A leader is followed by any member; who joins again before the rebalance ends is preferred later.
    pub(super) fn remove(&mut self, member_id: &str) -> Option<ClassicGroupMember> {
        let removed = self.members.remove(member_id);
        if let Some(instance_id) = removed.as_ref().and_then(|member| member.instance_id.as_ref()) {
            self.static_members.remove(instance_id);
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_joins.remove(member_id);
        self.pending_syncs.remove(member_id);
        removed
    }

    /// The leader stays if it has joined again, else somebody who has takes its place. False if nobody has.
    pub(super) fn elect_joined_leader(&mut self) -> bool {
        let Some(leader) = &self.leader else { return false };
        if self.members.get(leader).is_some_and(ClassicGroupMember::is_awaiting_join) {
            return true;
        }
        let joined = self.members.values().find(|member| member.is_awaiting_join());
        let Some(joined) = joined.map(|member| member.member_id.clone()) else { return false };
        self.leader = Some(joined);
        true
    }

    /// The protocols that all members support.
    fn candidates(&self) -> SortedSet<Rc<str>> {
        let mut members = self.members.values();
        let mut candidates = SortedSet::new();
        for protocol in members.next().iter().flat_map(|member| member.protocols.iter()) {
            candidates.insert(protocol.name.clone());
        }
        members.for_each(|member| candidates.retain(|name| member.metadata(name).is_some()));
        candidates
    }

    /// Each member votes for the first of its protocols that all support; of two with as many votes the first in a hash map of Java's.
    pub(super) fn select_protocol(&self) -> Option<Rc<str>> {
        let candidates = self.candidates();
        let mut votes: JavaMap<Rc<str>, usize> = JavaMap::default();
        for name in self.members.values().filter_map(|member| member.vote(&candidates)) {
            let count = votes.get(&name).copied().unwrap_or(0);
            votes.insert(name, count + 1);
        }
        let most = votes.iter().map(|(_, count)| *count).max()?;
        votes.iter().find(|(_, count)| **count == most).map(|(name, _)| name.clone())
    }

    /// Would a member with these protocols have one in common with all others?
    pub(super) fn supports(&self, protocol_type: &str, protocols: &[JoinGroupProtocol]) -> bool {
        if self.state == Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let candidates = self.candidates();
        let anything_goes = self.members.is_empty();
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|it| anything_goes || candidates.contains(&it.name))
    }

    pub(super) fn init_next_generation(&mut self, now: Time) {
        self.generation += 1;
        self.protocol_name = self.select_protocol();
        let next = if self.members.is_empty() { Empty } else { CompletingRebalance };
        self.transition_to(next, now);
        self.pending_syncs.clear();
    }

    /// What a member learns of the current generation.
    pub(super) fn joined(&self, member_id: &Rc<str>) -> JoinGroupResponse {
        let members = if self.is_leader(member_id) { self.described_members() } else { Vec::new() };
        JoinGroupResponse {
            error: ErrorCode::None,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member_id: member_id.clone(),
            members,
        }
    }

    fn described_members(&self) -> Vec<JoinGroupMember> {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        let describe = |member: &ClassicGroupMember| JoinGroupMember {
            member_id: member.member_id.clone(),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(protocol).cloned().unwrap_or_default(),
        };
        self.members.values().map(describe).collect()
    }

    /// Is this who it says it is?
    pub(super) fn validate_member(&self, member_id: &str, instance_id: Option<&Rc<str>>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(known) if **known != *member_id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// May this one commit offsets of the group (`ClassicGroup.validateOffsetCommit`)? In a transaction it may while
    /// assignments are awaited, too, and without saying who it is (KIP-447).
    pub fn validate_offset_commit(
        &self,
        member_id: &str,
        instance_id: Option<&Rc<str>>,
        generation: Generation,
        transactional: bool,
    ) -> Result<(), ErrorCode> {
        if generation < 0 && self.state == Empty {
            return Ok(());
        }
        if generation >= 0 || !member_id.is_empty() || instance_id.is_some() {
            self.validate_member(member_id, instance_id)?;
            if generation != self.generation {
                return Err(ErrorCode::IllegalGeneration);
            }
        } else if !transactional && self.state != Empty {
            return Err(ErrorCode::UnknownMemberId);
        }
        if !transactional && self.state == CompletingRebalance {
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }
}
