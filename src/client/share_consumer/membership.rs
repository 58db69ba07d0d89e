//! The membership in a share group: heartbeats, and the partitions that the coordinator assigns.
//!
//! The states are those of the consumer protocol ([`EpochMember`]); but other members may have the same partitions, so
//! nothing is handed over: a new assignment holds at once, and there is nothing to commit before it. The member leaves when
//! the application has not polled for `max.poll.interval.ms`; what it holds is released by brokers, not by it.
//! In Kafka: `ShareMembershipManager`, `ShareHeartbeatRequestManager`. Departure: the id begins with the client's name.

use super::Pending;
use crate::base::config::ConsumerConfig;
use crate::base::{NodeId, SortedSet, Time, TopicPartition, sort_short};
use crate::client::consumer::epoch_member::{EpochMember, EpochState};
use crate::client::consumer::lookup::Lookup;
use crate::client::consumer::{backoff, io};
use crate::client::network_client::Outcome;
use crate::node::{Channel, ClientError, Event};
use crate::protocol::{
    ErrorCode, LEAVE_EPOCH, Request, Response, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse,
};
use std::rc::Rc;

pub(super) type Io<'a, 'b> = io::Io<'a, 'b, Pending>;

/// See the module.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Membership {
    group: Rc<str>,
    client_id: Rc<str>,
    node: Option<NodeId>,
    lookup: Lookup,
    member: EpochMember,
    /// What is subscribed to; none: nothing.
    topics: Option<Rc<SortedSet<Rc<str>>>>,
    /// It was taken into the group once, so that brokers know its id.
    known: bool,
    /// What it reads, in the order in which it is asked for.
    assigned: Vec<TopicPartition>,
}

impl Membership {
    pub(super) fn new(client_id: Rc<str>, group: Rc<str>) -> Self {
        Membership {
            group,
            client_id,
            node: None,
            lookup: Lookup::new(),
            member: EpochMember::new(),
            topics: None,
            known: false,
            assigned: Vec::new(),
        }
    }

    // ---- asking ----

    /// `group.id`.
    pub fn group(&self) -> &Rc<str> {
        &self.group
    }

    /// Where the coordinator is, if known.
    pub fn node(&self) -> Option<NodeId> {
        self.node
    }

    /// Where it stands.
    pub fn member(&self) -> &EpochMember {
        &self.member
    }

    /// Its id, once brokers know it.
    pub fn member_id(&self) -> Option<&Rc<str>> {
        Some(&self.member.member_id).filter(|_| self.known)
    }

    /// What it subscribes to.
    pub fn topics(&self) -> Option<&Rc<SortedSet<Rc<str>>>> {
        self.topics.as_ref()
    }

    /// What it reads, perhaps with others.
    pub fn assigned(&self) -> &[TopicPartition] {
        &self.assigned
    }

    pub(super) fn assigned_mut(&mut self) -> &mut Vec<TopicPartition> {
        &mut self.assigned
    }

    /// It is on its way into the group, or to another assignment.
    pub fn is_rejoining(&self) -> bool {
        self.topics.is_some() && self.member.is_rejoining()
    }

    pub(super) fn next_beat(&self) -> Option<Time> {
        self.member.next().filter(|_| self.node.is_some())
    }

    // ---- the application ----

    pub(super) fn subscribe(&mut self, topics: SortedSet<Rc<str>>) {
        self.topics = Some(topics.into());
    }

    /// The application polls.
    pub(super) fn polled(&mut self, config: &ConsumerConfig, now: Time) -> Result<(), ClientError> {
        if let Some(failure) = self.member.failure.take() {
            return Err(failure);
        }
        self.member.poll_ends = now + config.max_poll_interval_ms;
        if matches!(self.member.state, EpochState::Unsubscribed | EpochState::Stale) {
            self.member.join();
        }
        Ok(())
    }

    /// Leaves the group, as soon as the coordinator can be told.
    pub(super) fn leave(&mut self, reason: &'static str, io: &mut Io<'_, '_>) {
        self.topics = None;
        self.assign(Rc::new([]), io);
        if !self.member.is_in_group() {
            return;
        }
        let joined = self.member.epoch > 0 || self.member.in_flight;
        self.member.state = if joined { EpochState::Leaving } else { EpochState::Unsubscribed };
        if joined {
            io.out.emit(Event::MemberLeft { group: Rc::clone(&self.group), reason });
        }
        self.member.clear();
        self.member.epoch = LEAVE_EPOCH;
        self.send_leave(io);
    }

    /// The coordinator has not been told yet, or has not answered.
    pub(super) fn is_leaving(&self) -> bool {
        let told = self.member.state == EpochState::Unsubscribed && self.member.epoch == LEAVE_EPOCH;
        self.member.state == EpochState::Leaving || told && self.member.in_flight
    }

    // ---- in the background ----

    /// `polls`: the application is inside `poll()`.
    pub(super) fn turn(&mut self, polls: bool, config: &ConsumerConfig, io: &mut Io<'_, '_>) {
        if self.node.is_some_and(|node| io.is_unavailable(node, Channel::Coordinator)) {
            self.node = None;
            self.lookup.unreachable(config, io);
        }
        if polls {
            self.member.poll_ends = io.now + config.max_poll_interval_ms;
        }
        if self.node.is_none() && (self.member.is_in_group() || self.member.state == EpochState::Leaving) {
            self.lookup.ask(&self.group, Pending::FindCoordinator, io);
        }
        if self.member.state == EpochState::Leaving {
            return self.send_leave(io);
        }
        if !self.member.is_in_group() || self.node.is_none() {
            return;
        }
        if self.member.poll_ends <= io.now {
            let topics = self.topics.clone();
            self.leave("consumer poll timeout has expired.", io);
            self.topics = topics;
            self.member.state = EpochState::Stale;
            return;
        }
        self.reconcile(io);
        let member = &self.member;
        let urgent = matches!(member.state, EpochState::Joining | EpochState::Acknowledging);
        if !member.in_flight && member.not_before <= io.now && (urgent || member.send_at <= io.now) {
            self.beat(config, io);
        }
    }

    /// Takes over what the coordinator wants it to have.
    fn reconcile(&mut self, io: &mut Io<'_, '_>) {
        if self.member.state == EpochState::Reconciling
            && let Some(target) = self.member.target.clone()
        {
            self.member.has(Rc::clone(&target));
            self.member.state = EpochState::Acknowledging;
            self.assign(target, io);
        }
    }

    fn assign(&mut self, target: Rc<[TopicPartition]>, io: &mut Io<'_, '_>) {
        let given_up: Vec<TopicPartition> =
            self.assigned.iter().copied().filter(|partition| !target.contains(partition)).collect();
        let added: Vec<TopicPartition> =
            target.iter().copied().filter(|partition| !self.assigned.contains(partition)).collect();
        self.assigned.retain(|partition| target.contains(partition));
        self.assigned.extend_from_slice(&added);
        if !given_up.is_empty() {
            io.out.emit(Event::PartitionsRevoked { partitions: given_up.into() });
        }
        if !added.is_empty() {
            io.out.emit(Event::PartitionsAssigned { partitions: added.into() });
        }
    }

    fn beat(&mut self, config: &ConsumerConfig, io: &mut Io<'_, '_>) {
        let Some(node) = self.node.filter(|node| io.ready(*node, Channel::Coordinator)) else { return };
        let member = &mut self.member;
        if member.member_id.is_empty() {
            let (high, low) = (io.out.random().next_u64(), io.out.random().next_u64());
            member.member_id = format!("{}-{high:016x}{low:016x}", self.client_id).into();
        }
        let all = member.state == EpochState::Joining;
        let topics = self.topics.clone().filter(|topics| all || member.sent.topics.as_ref() != Some(topics));
        member.sent.topics = topics.clone().or(member.sent.topics.take());
        let request = ShareGroupHeartbeatRequest {
            group: Rc::clone(&self.group),
            member_id: Rc::clone(&member.member_id),
            member_epoch: member.epoch,
            rack_id: config.client_rack.clone().filter(|_| all),
            subscribed_topics: topics.map(|topics| topics.iter().cloned().collect()),
            client_id: Rc::clone(&self.client_id),
        };
        io.send(node, Channel::Coordinator, Request::ShareGroupHeartbeat(request), Pending::Heartbeat);
        member.in_flight = true;
        member.send_at = io.now + member.interval;
        if member.state == EpochState::Acknowledging {
            member.state = if member.has_target() { EpochState::Stable } else { EpochState::Reconciling };
        }
    }

    fn send_leave(&mut self, io: &mut Io<'_, '_>) {
        let Some(node) = self.node.filter(|node| io.ready(*node, Channel::Coordinator)) else { return };
        let request = ShareGroupHeartbeatRequest {
            group: Rc::clone(&self.group),
            member_id: Rc::clone(&self.member.member_id),
            member_epoch: LEAVE_EPOCH,
            rack_id: None,
            subscribed_topics: None,
            client_id: Rc::clone(&self.client_id),
        };
        io.send(node, Channel::Coordinator, Request::ShareGroupHeartbeat(request), Pending::Heartbeat);
        self.member.in_flight = true;
        self.member.state = EpochState::Unsubscribed;
    }

    // ---- hearing ----

    /// FindCoordinator ended.
    pub(super) fn on_lookup(
        &mut self,
        outcome: &Outcome,
        config: &ConsumerConfig,
        io: &mut Io<'_, '_>,
    ) -> Result<(), ClientError> {
        match self.lookup.on_answer(outcome, config, io) {
            Ok(node) => self.node = Some(node),
            Err(error) if error.is_retriable() => {}
            Err(error) => return Err(ClientError::Broker(error)),
        }
        Ok(())
    }

    /// A heartbeat ended.
    pub(super) fn on_heartbeat(&mut self, outcome: Outcome, config: &ConsumerConfig, io: &mut Io<'_, '_>) {
        self.member.in_flight = false;
        match outcome {
            Outcome::Response(Response::ShareGroupHeartbeat(response)) if !response.error.is_error() => {
                self.on_epoch(response, io);
            }
            Outcome::Response(response) => self.on_error(response.error(), config, io),
            _ => {
                self.back_off(config, io);
                self.node = None;
            }
        }
    }

    fn on_epoch(&mut self, response: ShareGroupHeartbeatResponse, io: &mut Io<'_, '_>) {
        let member = &mut self.member;
        if !member.is_in_group() || response.member_epoch < 0 {
            return;
        }
        member.attempts = 0;
        self.known = true;
        if member.interval != response.heartbeat_interval {
            member.interval = response.heartbeat_interval;
            member.send_at = io.now + member.interval;
        }
        let news = member.epoch != response.member_epoch;
        member.epoch = response.member_epoch;
        if let Some(mut assignment) = response.assignment {
            sort_short(&mut assignment, |a, b| a < b);
            member.target = Some(assignment.into());
        }
        match member.has_target() {
            false => member.state = EpochState::Reconciling,
            true if member.state != EpochState::Acknowledging => member.state = EpochState::Stable,
            true => {}
        }
        if news {
            let (group, member_id) = (Rc::clone(&self.group), Rc::clone(&member.member_id));
            io.out.emit(Event::GroupJoined { group, generation: member.epoch, member_id });
        }
    }

    fn on_error(&mut self, error: ErrorCode, config: &ConsumerConfig, io: &mut Io<'_, '_>) {
        self.member.sent = Default::default();
        match error {
            ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable => {
                self.member.send_at = Time::ZERO;
                self.node = None;
            }
            ErrorCode::CoordinatorLoadInProgress => self.back_off(config, io),
            _ if !self.member.is_in_group() => {}
            ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId => {
                self.lose_everything(io);
                self.member.join();
            }
            error => {
                self.lose_everything(io);
                self.member.failure = Some(ClientError::Broker(error));
                self.member.state = EpochState::Fatal;
            }
        }
    }

    fn lose_everything(&mut self, io: &mut Io<'_, '_>) {
        let lost: Rc<[TopicPartition]> = std::mem::take(&mut self.assigned).into();
        if !lost.is_empty() {
            io.out.emit(Event::PartitionsLost { partitions: lost });
        }
    }

    fn back_off(&mut self, config: &ConsumerConfig, io: &mut Io<'_, '_>) {
        let member = &mut self.member;
        member.sent = Default::default();
        member.not_before = io.now + backoff(config).backoff(member.attempts, io.out.random());
        member.attempts += 1;
        io.wake_at(member.not_before);
    }
}
