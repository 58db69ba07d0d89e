//! How a member gets into the next generation of its group, step by step, inside `poll()`.
//!
//! Prepare (commit, give up partitions), JoinGroup, the leader assigns, SyncGroup, take over the assignment. A step that
//! has to wait makes `poll()` go on without the group; a cooperative member meanwhile reads what it owns.
//!
//! In Kafka: `AbstractCoordinator.joinGroupIfNeeded`, `ConsumerCoordinator.onJoinPrepare`, `onLeaderElected`,
//! `onJoinComplete`. Departures: a retriable failure waits `retry.backoff.ms`, where Kafka's waits until something
//! happens or that time is over; an assigned topic that the client's metadata do not know yet delays the assignment,
//! since partitions bear topic ids here.

use super::assignment;
use super::assignor::{self, Assignments, StickyMemory};
use super::coordinator::Coordinator;
use super::io::{Io, Pending};
use super::member::{
    JoinFailure, JoinOutcome, Joining, MemberGeneration, MemberState, RebalanceProtocol, TopicSnapshot, TopicsSnapshot,
};
use super::rebalance::RebalanceCallback;
use super::subscription::Subscription;
use crate::base::config::{Assignor, ConsumerConfig};
use crate::base::{Duration, TopicPartition};
use crate::node::{Channel, ClientError, Event};
use crate::protocol::{
    CONSUMER_PROTOCOL_TYPE, ConsumerSubscription, ErrorCode, JoinGroupProtocol, JoinGroupRequest, JoinGroupResponse,
    Request, SyncGroupRequest,
};
use bytes::Bytes;
use std::rc::Rc;

/// Others may wait so much longer for a JoinGroup answer than the rebalance may take.
const JOIN_GROUP_TIMEOUT_LAPSE: Duration = Duration::from_millis(5_000);

impl Coordinator {
    /// The membership's part of `poll()`: false while the consumer is no active member.
    pub(super) fn poll_classic(
        &mut self,
        config: &ConsumerConfig,
        subscription: &mut Subscription,
        io: &mut Io<'_, '_>,
    ) -> Result<bool, ClientError> {
        if let Some(failure) = self.member.failure.take() {
            return Err(failure);
        }
        self.member.heartbeat.polled(io.now);
        if !self.changes.run(subscription, io.out) || self.node.is_none() {
            return Ok(false);
        }
        while self.rejoin_needed_or_pending(config, subscription, io) {
            if !self.join_step(config, subscription, io)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Metadata of what the leader assigned, or the subscription, changed; or somebody asked for it.
    fn rejoin_needed_or_pending(
        &mut self,
        config: &ConsumerConfig,
        subscription: &Subscription,
        io: &Io<'_, '_>,
    ) -> bool {
        let member = &mut self.member;
        let version = io.net.metadata.update_version();
        if let Some(snapshot) = &member.assignment_snapshot
            && member.compared_metadata != version
        {
            member.compared_metadata = version;
            if *snapshot != topics_snapshot(config, subscription, io) {
                member.rejoin_needed = true;
            }
        }
        if member.joined_subscription.as_ref().is_some_and(|joined| Some(joined) != subscription.subscribed().topics())
        {
            member.rejoin_needed = true;
        }
        member.is_rejoining()
    }

    /// True if the next step may follow at once.
    fn join_step(
        &mut self,
        config: &ConsumerConfig,
        subscription: &mut Subscription,
        io: &mut Io<'_, '_>,
    ) -> Result<bool, ClientError> {
        match std::mem::replace(&mut self.member.joining, Joining::No) {
            Joining::No => Ok(self.begin_join(config, subscription, io)),
            Joining::JoinEnded(outcome) => {
                self.member.joining = self.join_ended(outcome, config, io);
                Ok(true)
            }
            Joining::Leading(response) => self.lead(response, config, subscription, io),
            Joining::ToSync(assignments) => Ok(self.send_sync(assignments, config, io)),
            Joining::Synced(assignment) => Ok(self.complete_join(assignment, config, subscription, io)),
            Joining::Failed(failure) => self.join_failed(failure, config, io),
            waits @ Joining::InFlight => {
                self.member.joining = waits;
                Ok(false)
            }
        }
    }

    // ---- prepare and JoinGroup ----

    fn begin_join(&mut self, config: &ConsumerConfig, subscription: &mut Subscription, io: &mut Io<'_, '_>) -> bool {
        if !self.has_fresh_metadata(subscription, io) {
            return false;
        }
        if self.member.needs_prepare {
            if !self.prepare(config, subscription, io) {
                return false;
            }
            self.member.needs_prepare = false;
        }
        if !self.changes.run(subscription, io.out) {
            return false;
        }
        if self.member.not_before > io.now {
            io.wake_at(self.member.not_before);
            return false;
        }
        let Some(node) = self.node.filter(|node| io.ready(*node, Channel::Coordinator)) else { return false };
        let request = self.join_request(config, subscription, io);
        // It may block for as long as others take to join.
        let timeout = config.request_timeout_ms.max(config.max_poll_interval_ms + JOIN_GROUP_TIMEOUT_LAPSE);
        let pending = Pending::JoinGroup(Rc::clone(&self.member.generation));
        io.send_for(node, Request::JoinGroup(request), pending, timeout);
        let member = &mut self.member;
        member.state = MemberState::PreparingRebalance;
        member.heartbeat.disable();
        member.joined_subscription = subscription.subscribed().topics().cloned();
        member.joining = Joining::InFlight;
        member.stale_metadata = None;
        false
    }

    /// A pattern is matched against the newest metadata before each join.
    fn has_fresh_metadata(&mut self, subscription: &Subscription, io: &mut Io<'_, '_>) -> bool {
        let super::Subscribed::Pattern(..) = subscription.subscribed() else { return true };
        let version = io.net.metadata.update_version();
        if self.member.stale_metadata.is_none() {
            io.net.metadata.request_update(true);
            io.net.poll(io.now, io.out);
        }
        let stale = *self.member.stale_metadata.get_or_insert(version);
        version != stale && !io.net.metadata.update_requested()
    }

    /// `onJoinPrepare`: commits, then gives up what has to be given up. False while the commit is under way.
    fn prepare(&mut self, config: &ConsumerConfig, subscription: &mut Subscription, io: &mut Io<'_, '_>) -> bool {
        let deadline = *self.member.prepare_deadline.get_or_insert(io.now + config.max_poll_interval_ms);
        if config.enable_auto_commit && !self.commit_before_rejoin(deadline, config, subscription, io) {
            io.wake_at(deadline);
            return false;
        }
        let assigned = subscription.assigned();
        let (lost, protocol) = (self.member.has_lost_generation(), self.member.protocol);
        if lost {
            if !assigned.is_empty() {
                self.changes.push(RebalanceCallback::Lost(assigned.into()), Rc::new([]));
            }
        } else if protocol == RebalanceProtocol::Eager {
            self.changes.push(RebalanceCallback::Revoked(assigned.into()), Rc::new([]));
        } else {
            let subscribed = |tp: &TopicPartition| {
                let name = io.net.metadata.topic_name(tp.topic);
                name.is_some_and(|name| subscription.subscribed().topics().is_some_and(|topics| topics.contains(name)))
            };
            let (kept, revoked): (Vec<_>, Vec<_>) = assigned.into_iter().partition(subscribed);
            if !revoked.is_empty() {
                self.changes.push(RebalanceCallback::Revoked(revoked.into()), kept.into());
            }
        }
        self.member.is_leader = false;
        subscription.set_group_topics(Default::default());
        self.member.prepare_deadline = None;
        self.member.prepare_commit = None;
        true
    }

    /// The automatic commit before a rebalance: waits for it, and repeats it while that may help.
    fn commit_before_rejoin(
        &mut self,
        deadline: crate::base::Time,
        config: &ConsumerConfig,
        subscription: &mut Subscription,
        io: &mut Io<'_, '_>,
    ) -> bool {
        if self.member.prepare_commit.is_none() {
            if self.member.not_before > io.now {
                io.wake_at(self.member.not_before);
                return deadline <= io.now;
            }
            if self.member.protocol == RebalanceProtocol::Eager {
                subscription.mark_pending_revocation();
            }
            self.member.prepare_commit = Some(self.commits.begin_watched(subscription.all_consumed().into()));
            self.send_commits(config, subscription, io);
        }
        let ended = self.commits.watched();
        if ended.is_some() {
            self.member.prepare_commit = None;
        }
        match ended {
            _ if deadline <= io.now => true,
            None => false,
            Some(Err(retriable)) if retriable => {
                self.member.not_before = io.now + config.retry_backoff_ms;
                io.wake_at(self.member.not_before);
                false
            }
            Some(_) => true,
        }
    }

    fn join_request(&self, config: &ConsumerConfig, subscription: &Subscription, io: &Io<'_, '_>) -> JoinGroupRequest {
        let generation = self.member.generation.id;
        let said = assignment::subscription_of(subscription, generation, config, &io.net.metadata);
        let protocol = |(assignor, memory): &(Assignor, StickyMemory)| {
            let user_data = assignor::subscription_user_data(*assignor, memory);
            let metadata = ConsumerSubscription { user_data, ..said.clone() }.encode();
            JoinGroupProtocol { name: assignor.protocol_name().into(), metadata }
        };
        JoinGroupRequest {
            group: Rc::clone(&self.group),
            client_id: config.client_id.clone().unwrap_or_else(|| Rc::clone(&self.client_id)),
            session_timeout: config.session_timeout_ms,
            rebalance_timeout: config.max_poll_interval_ms,
            member_id: Rc::clone(&self.member.generation.member_id),
            instance_id: config.group_instance_id.clone(),
            protocol_type: CONSUMER_PROTOCOL_TYPE.into(),
            protocols: self.member.memories.iter().map(protocol).collect(),
        }
    }

    /// Reads how JoinGroup ended, and says what follows.
    fn join_ended(
        &mut self,
        (sent, outcome): (Rc<MemberGeneration>, JoinOutcome),
        config: &ConsumerConfig,
        io: &mut Io<'_, '_>,
    ) -> Joining {
        let response = match outcome {
            JoinOutcome::Answered(response) => response,
            JoinOutcome::Disconnected => return Joining::Failed(JoinFailure::of(ErrorCode::NetworkException)),
        };
        match response.error {
            ErrorCode::None if self.member.state != MemberState::PreparingRebalance => {
                // It left the group meanwhile.
                return Joining::Failed(JoinFailure::of(ErrorCode::RebalanceInProgress));
            }
            ErrorCode::None => return self.joined(response, io),
            ErrorCode::UnknownMemberId if sent == self.member.generation => self.member.reset(true),
            ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator => self.lose_told(config, io),
            ErrorCode::MemberIdRequired => {
                let member_id = Rc::clone(&response.member_id);
                self.member.generation = MemberGeneration { id: -1, member_id, protocol: None }.into();
                self.member.request_rejoin();
            }
            _ => {}
        }
        Joining::Failed(JoinFailure::of(response.error))
    }

    fn joined(&mut self, response: Rc<JoinGroupResponse>, io: &mut Io<'_, '_>) -> Joining {
        let member = &mut self.member;
        let member_id = Rc::clone(&response.member_id);
        member.state = MemberState::CompletingRebalance;
        member.heartbeat.enable(io.now);
        let (id, protocol) = (response.generation, response.protocol_name.clone());
        member.generation = MemberGeneration { id, member_id: Rc::clone(&member_id), protocol }.into();
        io.out.emit(Event::GroupJoined { group: Rc::clone(&self.group), generation: id, member_id });
        match response.leader == response.member_id {
            true => Joining::Leading(response),
            false => Joining::ToSync(Vec::new()),
        }
    }

    fn join_failed(
        &mut self,
        failure: JoinFailure,
        config: &ConsumerConfig,
        io: &mut Io<'_, '_>,
    ) -> Result<bool, ClientError> {
        self.member.request_rejoin();
        if failure.at_once {
            return Ok(true);
        }
        if !failure.retriable {
            return Err(failure.error);
        }
        self.member.not_before = io.now + config.retry_backoff_ms;
        io.wake_at(self.member.not_before);
        Ok(false)
    }

    // ---- the leader, and SyncGroup ----

    /// Assigns all partitions of all members' topics, as soon as metadata tell which there are.
    fn lead(
        &mut self,
        response: Rc<JoinGroupResponse>,
        config: &ConsumerConfig,
        subscription: &mut Subscription,
        io: &mut Io<'_, '_>,
    ) -> Result<bool, ClientError> {
        if self.is_out_of_step() {
            return Ok(true);
        }
        let members = assignment::read_members(&response.members);
        let topics = members.values().flat_map(|member| member.topics.iter().cloned());
        subscription.set_group_topics(topics.collect());
        let topics = subscription.metadata_topics();
        for topic in topics.iter() {
            io.net.metadata.add_topic(topic, io.now);
        }
        if io.net.metadata.update_requested() {
            io.net.poll(io.now, io.out);
            self.member.joining = Joining::Leading(response);
            return Ok(false);
        }
        let snapshot = topics_snapshot(config, subscription, io);
        let assignments = match response.skip_assignment {
            true => Assignments::new(),
            false => {
                let Some(assignor) = assignment::find_assignor(response.protocol_name.as_deref(), config) else {
                    let text = "IllegalStateException: Coordinator selected invalid assignment protocol";
                    return Err(ClientError::Exception(text.into()));
                };
                assignor::assign(
                    assignor,
                    &assignment::partitions_per_topic(snapshot.keys(), &io.net.metadata),
                    &members,
                )
            }
        };
        let member = &mut self.member;
        member.is_leader = true;
        member.compared_metadata = io.net.metadata.update_version();
        member.assignment_snapshot = Some(snapshot);
        let encoded =
            assignments.iter().map(|(id, partitions)| (Rc::clone(id), assignment::assignment_bytes(partitions)));
        member.joining = Joining::ToSync(encoded.collect());
        Ok(true)
    }

    fn send_sync(&mut self, assignments: Vec<(Rc<str>, Bytes)>, config: &ConsumerConfig, io: &mut Io<'_, '_>) -> bool {
        if self.is_out_of_step() {
            return true;
        }
        let Some(node) = self.node else {
            self.member.joining = Joining::Failed(JoinFailure::of(ErrorCode::CoordinatorNotAvailable));
            return true;
        };
        if !io.ready(node, Channel::Coordinator) {
            self.member.joining = Joining::ToSync(assignments);
            return false;
        }
        let generation = &self.member.generation;
        let request = SyncGroupRequest {
            group: Rc::clone(&self.group),
            generation: generation.id,
            member_id: Rc::clone(&generation.member_id),
            instance_id: config.group_instance_id.clone(),
            protocol_type: Some(CONSUMER_PROTOCOL_TYPE.into()),
            protocol_name: generation.protocol.clone(),
            assignments,
        };
        let pending = Pending::SyncGroup(Rc::clone(generation));
        io.send(node, Channel::Coordinator, Request::SyncGroup(request), pending);
        self.member.joining = Joining::InFlight;
        false
    }

    /// The generation was lost between JoinGroup and SyncGroup: the attempt has failed.
    fn is_out_of_step(&mut self) -> bool {
        let out = self.member.state != MemberState::CompletingRebalance;
        if out {
            self.member.joining = Joining::Failed(JoinFailure::of(ErrorCode::IllegalGeneration));
        }
        out
    }

    // ---- the assignment ----

    /// `onJoinComplete`. True if a look at whether to rejoin may follow.
    fn complete_join(
        &mut self,
        bytes: Bytes,
        config: &ConsumerConfig,
        subscription: &mut Subscription,
        io: &mut Io<'_, '_>,
    ) -> bool {
        let member = &mut self.member;
        if member.generation.is_reset() || member.state != MemberState::Stable {
            // A heartbeat told meanwhile that this generation is over.
            member.reset(true);
            return true;
        }
        let Some(assigned) = assignment::read_assignment(&bytes, &mut io.net.metadata, io.now) else {
            io.net.poll(io.now, io.out);
            member.joining = Joining::Synced(bytes);
            return false;
        };
        if !member.is_leader {
            member.assignment_snapshot = None;
        }
        self.told.generation = member.generation.id;
        self.told.member_id = Rc::clone(&member.generation.member_id);
        member.needs_prepare = true;
        if !assigned.iter().all(|(topic, _)| subscription.subscribed().covers(topic)) {
            member.request_rejoin();
            return true;
        }
        // The leader may know topics that match the pattern and that this client has not seen when it joined.
        if subscription.add_matched(assigned.iter().map(|(topic, _)| topic)) {
            member.joined_subscription = subscription.subscribed().topics().cloned();
        }
        member.remember(assigned.iter().map(|(topic, tp)| (Rc::clone(topic), tp.partition)).collect());
        let assigned: Vec<TopicPartition> = assigned.into_iter().map(|(_, partition)| partition).collect();
        let owned = subscription.assigned();
        if member.protocol == RebalanceProtocol::Cooperative {
            let (kept, revoked): (Vec<_>, Vec<_>) = owned.iter().copied().partition(|tp| assigned.contains(tp));
            if !revoked.is_empty() {
                self.changes.push(RebalanceCallback::Revoked(revoked.into()), kept.into());
                member.request_rejoin();
            }
        }
        let added = assigned.iter().copied().filter(|tp| !owned.contains(tp)).collect();
        self.changes.push(RebalanceCallback::Assigned(added), assigned.into());
        self.commits.restart_auto(config, io.now);
        self.changes.run(subscription, io.out)
    }
}

/// What the topics are like that concern the group. Whoever is in no rack does not care for those of others.
fn topics_snapshot(config: &ConsumerConfig, subscription: &Subscription, io: &Io<'_, '_>) -> TopicsSnapshot {
    let metadata = &io.net.metadata;
    let known = |name: &Rc<str>| {
        let topic = metadata.topic(metadata.topic_id(name)?)?;
        let cares = config.client_rack.is_some();
        let racks = topic.partitions.iter().filter(|_| cares);
        let racks = racks.map(|partition| metadata.replica_racks(partition).map(Option::<&Rc<str>>::cloned).collect());
        let snapshot = TopicSnapshot { partitions: topic.partitions.len() as u32, racks: racks.collect() };
        Some((Rc::clone(name), snapshot))
    };
    subscription.metadata_topics().iter().filter_map(known).collect()
}
