//! How a member of the consumer protocol (KIP-848) talks to its coordinator, and how it gets from what it has to what it
//! should have.
//!
//! In Kafka: `AbstractHeartbeatRequestManager`, `ConsumerHeartbeatRequestManager`, `AbstractMembershipManager`.

use super::calls::MembershipOperation;
use super::commit::Lost;
use super::coordinator::Coordinator;
use super::epoch_member::EpochState;
use super::io::{Io, Pending};
use super::member::{MemberGeneration, MemberState};
use super::rebalance::RebalanceCallback;
use super::subscription::Subscription;
use crate::base::config::ConsumerConfig;
use crate::base::{NodeId, Prng, Time};
use crate::client::network_client::Outcome;
use crate::node::{Channel, ClientError, Event};
use crate::protocol::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ErrorCode, LEAVE_EPOCH, LEAVE_STATIC_EPOCH, Request,
    Response,
};
use std::rc::Rc;

impl Coordinator {
    /// The membership's part of `poll()`: false while a listener runs.
    pub(super) fn poll_epochs(
        &mut self,
        config: &ConsumerConfig,
        subscription: &mut Subscription,
        io: &mut Io<'_, '_>,
    ) -> Result<bool, ClientError> {
        if let Some(failure) = self.epochs.failure.take() {
            return Err(failure);
        }
        self.epochs.poll_ends = io.now + config.max_poll_interval_ms;
        if !self.changes.run(subscription, io.out) {
            return Ok(false);
        }
        match self.epochs.state {
            EpochState::Unsubscribed | EpochState::Fenced | EpochState::Stale => self.epochs.join(),
            EpochState::Reconciling => return Ok(self.reconcile(config, subscription, io)),
            _ => {}
        }
        Ok(true)
    }

    /// `maybeReconcile`: commits, gives up what is to go, takes what is new. False while a listener runs.
    fn reconcile(&mut self, config: &ConsumerConfig, subscription: &mut Subscription, io: &mut Io<'_, '_>) -> bool {
        let Some(target) = self.epochs.target.clone() else { return true };
        let owned = subscription.assigned();
        let (kept, revoked): (Vec<_>, Vec<_>) = owned.iter().copied().partition(|tp| target.contains(tp));
        if config.enable_auto_commit && !self.commit_before_change(&revoked, config, subscription, io) {
            return true;
        }
        if !revoked.is_empty() {
            self.changes.push(RebalanceCallback::Revoked(revoked.into()), kept.into());
        }
        let added = target.iter().copied().filter(|tp| !owned.contains(tp)).collect();
        self.changes.push(RebalanceCallback::Assigned(added), Rc::clone(&target));
        self.commits.restart_auto(config, io.now);
        self.epochs.has(target);
        self.epochs.state = EpochState::Acknowledging;
        self.changes.run(subscription, io.out)
    }

    /// The automatic commit before partitions change hands.
    fn commit_before_change(
        &mut self,
        revoked: &[crate::base::TopicPartition],
        config: &ConsumerConfig,
        subscription: &mut Subscription,
        io: &mut Io<'_, '_>,
    ) -> bool {
        if self.epochs.commit.is_none() {
            subscription.mark_revoked_soon(revoked);
            self.epochs.commit_deadline = io.now + config.max_poll_interval_ms;
            self.epochs.commit = Some(self.commits.begin_watched(subscription.all_consumed().into()));
            self.send_commits(config, subscription, io);
        }
        let ended = match self.commits.watched() {
            _ if self.epochs.commit_deadline <= io.now => true,
            None => false,
            Some(Err(retriable)) if retriable => {
                self.epochs.commit = Some(self.commits.begin_watched(subscription.all_consumed().into()));
                false
            }
            Some(_) => true,
        };
        match ended {
            true => self.epochs.commit = None,
            false => io.wake_at(self.epochs.commit_deadline),
        }
        ended
    }

    // ---- heartbeats ----

    /// What goes on in the background. `polls`: the application is inside `poll()`.
    pub(super) fn beat_epochs(
        &mut self,
        polls: bool,
        config: &ConsumerConfig,
        subscription: &mut Subscription,
        io: &mut Io<'_, '_>,
    ) {
        let member = &mut self.epochs;
        if polls {
            member.poll_ends = io.now + config.max_poll_interval_ms;
        }
        if !member.is_in_group() && member.state != EpochState::Leaving {
            return;
        }
        let Some(node) = self.node else {
            if member.state == EpochState::Leaving {
                member.state = EpochState::Unsubscribed;
            }
            return;
        };
        if member.poll_ends <= io.now && member.is_in_group() {
            self.leave_epochs(("consumer poll timeout has expired.", MembershipOperation::Default), config, io);
            self.epochs.state = EpochState::Stale;
            self.lose_everything(subscription, io);
            return;
        }
        let urgent = matches!(member.state, EpochState::Joining | EpochState::Acknowledging | EpochState::Leaving);
        let due = !member.in_flight && member.not_before <= io.now && (urgent || member.send_at <= io.now);
        let waits = !self.changes.is_done() && member.state == EpochState::Acknowledging;
        if due && !waits && io.ready(node, Channel::Coordinator) {
            let request = self.heartbeat(config, subscription, io.out.random());
            io.send(
                node,
                Channel::Coordinator,
                Request::ConsumerGroupHeartbeat(Box::new(request)),
                Pending::EpochHeartbeat,
            );
            let member = &mut self.epochs;
            member.in_flight = true;
            member.send_at = io.now + member.interval;
            match member.state {
                EpochState::Acknowledging if member.has_target() => member.state = EpochState::Stable,
                EpochState::Acknowledging => member.state = EpochState::Reconciling,
                EpochState::Leaving => member.state = EpochState::Unsubscribed,
                _ => {}
            }
        }
    }

    /// Says all when it joins, and later what has changed since the last heartbeat that was answered: one that says all again
    /// is told its assignment again (`HeartbeatState.buildRequestData`).
    fn heartbeat(
        &mut self,
        config: &ConsumerConfig,
        subscription: &Subscription,
        random: &mut Prng,
    ) -> ConsumerGroupHeartbeatRequest {
        let member = &mut self.epochs;
        if member.member_id.is_empty() {
            let (high, low) = (random.next_u64(), random.next_u64());
            member.member_id = format!("{}-{high:016x}{low:016x}", self.client_id).into();
        }
        let all = member.state == EpochState::Joining;
        let topics =
            subscription.subscribed().topics().cloned().filter(|it| all || member.sent.topics.as_ref() != Some(it));
        let pattern = subscription.subscribed().regex().cloned();
        let news = all && pattern.is_some() || pattern != member.sent.regex;
        let regex = news.then(|| pattern.clone().unwrap_or_default());
        member.sent.regex = pattern;
        let assignor =
            config.group_remote_assignor.clone().filter(|it| all || member.sent.assignor.as_ref() != Some(it));
        let local = (all || member.sent.local != Some(member.local.0)).then(|| member.local.1.to_vec());
        let timeout = Some(config.max_poll_interval_ms).filter(|_| all || !member.sent.rebalance_timeout);
        member.sent.rebalance_timeout = true;
        member.sent.topics = topics.clone().or(member.sent.topics.take());
        member.sent.assignor = assignor.clone().or(member.sent.assignor.take());
        member.sent.local = Some(member.local.0);
        ConsumerGroupHeartbeatRequest {
            group: Rc::clone(&self.group),
            member_id: Rc::clone(&member.member_id),
            member_epoch: member.epoch,
            instance_id: config.group_instance_id.clone(),
            rack_id: config.client_rack.clone().filter(|_| all),
            rebalance_timeout: timeout,
            subscribed_topics: topics.map(|topics| topics.iter().cloned().collect()),
            subscribed_regex: regex,
            server_assignor: assignor,
            topic_partitions: local,
            client_id: Rc::clone(&self.client_id),
        }
    }

    /// A heartbeat ended.
    pub(super) fn on_epoch_heartbeat(
        &mut self,
        (node, outcome): (NodeId, Outcome),
        config: &ConsumerConfig,
        subscription: &mut Subscription,
        io: &mut Io<'_, '_>,
    ) {
        self.epochs.in_flight = false;
        match outcome {
            Outcome::Response(Response::ConsumerGroupHeartbeat(response)) if !response.error.is_error() => {
                self.on_epoch(response, io);
            }
            Outcome::Response(response) => self.on_epoch_error(response.error(), config, subscription, io),
            _ => {
                self.back_off(config, io);
                self.lose(node, Lost::Disconnected, config, io);
            }
        }
    }

    fn back_off(&mut self, config: &ConsumerConfig, io: &mut Io<'_, '_>) {
        let member = &mut self.epochs;
        member.sent = Default::default();
        member.not_before = io.now + super::backoff(config).backoff(member.attempts, io.out.random());
        member.attempts += 1;
        io.wake_at(member.not_before);
    }

    fn on_epoch(&mut self, response: ConsumerGroupHeartbeatResponse, io: &mut Io<'_, '_>) {
        let member = &mut self.epochs;
        if !member.is_in_group() || response.member_epoch < 0 {
            return;
        }
        member.attempts = 0;
        if member.interval != response.heartbeat_interval {
            member.interval = response.heartbeat_interval;
            member.send_at = io.now + member.interval;
        }
        let news = member.epoch != response.member_epoch;
        member.epoch = response.member_epoch;
        if let Some(mut assignment) = response.assignment {
            crate::base::sort_short(&mut assignment, |a, b| a < b);
            member.target = Some(assignment.into());
        }
        match member.has_target() {
            false => member.state = EpochState::Reconciling,
            true if member.state != EpochState::Acknowledging => member.state = EpochState::Stable,
            true => {}
        }
        if news {
            self.tell_epoch(io);
        }
    }

    fn tell_epoch(&mut self, io: &mut Io<'_, '_>) {
        let (id, member_id) = (self.epochs.epoch, Rc::clone(&self.epochs.member_id));
        (self.told.generation, self.told.member_id) = (id, Rc::clone(&member_id));
        // Whoever commits or asks for offsets does it in this epoch.
        self.member.state = MemberState::Stable;
        self.member.generation = MemberGeneration { id, member_id: Rc::clone(&member_id), protocol: None }.into();
        io.out.emit(Event::GroupJoined { group: Rc::clone(&self.group), generation: id, member_id });
    }

    fn on_epoch_error(
        &mut self,
        error: ErrorCode,
        config: &ConsumerConfig,
        subscription: &mut Subscription,
        io: &mut Io<'_, '_>,
    ) {
        match error {
            ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable => {
                self.epochs.sent = Default::default();
                self.epochs.send_at = Time::ZERO;
                self.lose_told(config, io);
            }
            ErrorCode::CoordinatorLoadInProgress => self.back_off(config, io),
            ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId if self.epochs.is_in_group() => {
                self.epochs.state = EpochState::Fenced;
                self.lose_everything(subscription, io);
                if self.changes.is_done() {
                    self.epochs.join();
                }
            }
            _ if !self.epochs.is_in_group() => {}
            error => {
                self.epochs.failure = Some(ClientError::Broker(error));
                self.epochs.state = EpochState::Fatal;
                self.lose_everything(subscription, io);
            }
        }
    }

    /// Everything may be somebody else's already.
    fn lose_everything(&mut self, subscription: &mut Subscription, io: &mut Io<'_, '_>) {
        self.member.state = MemberState::Unjoined;
        self.epochs.clear();
        let assigned = subscription.assigned();
        if !assigned.is_empty() {
            subscription.mark_pending_revocation();
            self.changes.push(RebalanceCallback::Lost(assigned.into()), Rc::new([]));
        }
        self.changes.run(subscription, io.out);
    }

    // ---- leaving ----

    /// Says that it leaves, as soon as it may; a static member says that it will be back.
    pub(super) fn leave_epochs(
        &mut self,
        (reason, operation): (&'static str, MembershipOperation),
        config: &ConsumerConfig,
        io: &mut Io<'_, '_>,
    ) {
        if !self.epochs.is_in_group() {
            return;
        }
        let is_static = config.group_instance_id.is_some();
        let stays = !is_static && operation == MembershipOperation::RemainInGroup;
        let joined = !stays && (self.epochs.epoch > 0 || self.epochs.in_flight);
        self.epochs.state = if joined { EpochState::Leaving } else { EpochState::Unsubscribed };
        let returns = is_static && operation != MembershipOperation::LeaveGroup;
        self.epochs.epoch = if returns { LEAVE_STATIC_EPOCH } else { LEAVE_EPOCH };
        self.epochs.clear();
        self.member.state = MemberState::Unjoined;
        if !joined {
            return;
        }
        io.out.emit(Event::MemberLeft { group: Rc::clone(&self.group), reason });
        let Some(node) = self.node.filter(|node| io.ready(*node, Channel::Coordinator)) else { return };
        let request = ConsumerGroupHeartbeatRequest {
            group: Rc::clone(&self.group),
            member_id: Rc::clone(&self.epochs.member_id),
            member_epoch: self.epochs.epoch,
            instance_id: config.group_instance_id.clone(),
            rack_id: None,
            rebalance_timeout: None,
            subscribed_topics: None,
            subscribed_regex: None,
            server_assignor: None,
            topic_partitions: None,
            client_id: Rc::clone(&self.client_id),
        };
        io.send(
            node,
            Channel::Coordinator,
            Request::ConsumerGroupHeartbeat(Box::new(request)),
            Pending::EpochHeartbeat,
        );
        self.epochs.in_flight = true;
        self.epochs.state = EpochState::Unsubscribed;
    }
}
