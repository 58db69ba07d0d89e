//! Acknowledgements that travel alone: of `commitSync()`, of `commitAsync()`, and the last ones of `close()`.
//!
//! Per broker at most one request is under way: first what was committed asynchronously, then what somebody waits for, then
//! the end of the session. What fails for a reason that passes is sent again until its deadline.
//! In Kafka: `ShareConsumeRequestManager.AcknowledgeRequestState`.

use super::in_flight::NodeAcknowledgements;
use super::membership::Io;
use super::requests::{Answer, Parts, ShareRequests, error_of, has_moved, learn_leader};
use super::{Acknowledgements, Pending};
use crate::base::config::ConsumerConfig;
use crate::base::{Duration, NodeId, Time, TopicPartition};
use crate::client::consumer::backoff;
use crate::client::network_client::Outcome;
use crate::node::Channel;
use crate::protocol::{ErrorCode, Request, Response, ShareAcknowledgeRequest, ShareAcknowledgeResponse};
use std::rc::Rc;

/// Who acknowledges.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AcknowledgeKind {
    /// `commitAsync()`, or offsets that the application does not see.
    Async,
    /// `commitSync()`.
    Sync,
    /// `close()`: ends the session.
    Close,
}

/// Acknowledgements of one kind to one broker.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    to_send: Parts,
    /// To be sent again.
    incomplete: Parts,
    in_flight: Parts,
    deadline: Time,
    attempts: u32,
    not_before: Time,
    /// Of [`AcknowledgeKind::Close`], which may have nothing to say.
    ended: bool,
}

/// What is to be told to one broker.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct NodeStates([Option<State>; 3]);

/// A `commitSync()` that has not returned.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct SyncCommit {
    pub(super) waiting: usize,
    pub(super) results: Vec<(TopicPartition, ErrorCode)>,
}

impl State {
    fn is_over(&self, kind: AcknowledgeKind) -> bool {
        match kind {
            AcknowledgeKind::Close => self.ended,
            _ => [&self.to_send, &self.incomplete, &self.in_flight].iter().all(|parts| parts.is_empty()),
        }
    }

    fn restart(&mut self, deadline: Time) {
        (self.attempts, self.not_before, self.deadline) = (0, Time::ZERO, deadline);
    }
}

impl NodeStates {
    pub(super) fn parts(&self) -> impl Iterator<Item = &Parts> {
        self.0.iter().flatten().flat_map(|state| [&state.to_send, &state.incomplete, &state.in_flight])
    }

    pub(super) fn put(&mut self, kind: AcknowledgeKind, parts: Parts, deadline: Time) {
        let state = self.0[kind as usize].get_or_insert_with(|| State {
            to_send: Parts::new(),
            incomplete: Parts::new(),
            in_flight: Parts::new(),
            deadline,
            attempts: 0,
            not_before: Time::ZERO,
            ended: false,
        });
        for (partition, acknowledgements) in parts {
            state.to_send.entry(partition).or_default().merge(acknowledgements);
        }
    }

    fn get(&mut self, kind: AcknowledgeKind) -> Option<&mut State> {
        self.0[kind as usize].as_mut()
    }

    /// Forgets what is over. True if nothing is left.
    fn tidy(&mut self) -> bool {
        for kind in [AcknowledgeKind::Async, AcknowledgeKind::Sync, AcknowledgeKind::Close] {
            let state = &mut self.0[kind as usize];
            if state.as_ref().is_some_and(|state| state.is_over(kind)) {
                *state = None;
            }
        }
        self.0.iter().all(Option::is_none)
    }
}

/// How sending went.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// There was nothing to send.
    Nothing,
    /// It waits.
    NotYet,
    Yes,
}

impl ShareRequests {
    /// `commitSync()` or `commitAsync()` of what the application acknowledged.
    pub(super) fn commit(
        &mut self,
        kind: AcknowledgeKind,
        acknowledged: NodeAcknowledgements,
        deadline: Time,
        io: &mut Io<'_, '_>,
    ) {
        if kind == AcknowledgeKind::Sync {
            self.sync = Some(SyncCommit { waiting: acknowledged.len(), results: Vec::new() });
        }
        for (partition, node, acknowledgements) in acknowledged {
            let in_session = self.sessions.get(&node).is_some_and(|session| session.partitions().contains(&partition));
            let known = io.net.metadata.brokers().iter().any(|broker| broker.node() == node);
            if !known || !in_session || has_moved(node, partition, io) {
                self.end(kind, (partition, acknowledgements), ErrorCode::NotLeaderOrFollower, (true, None));
                continue;
            }
            let parts = std::iter::once((partition, acknowledgements)).collect();
            self.acknowledging.entry(node).or_default().put(kind, parts, deadline);
        }
    }

    /// Sends what may be sent. True while any is under way or waits.
    pub(super) fn send_acknowledgements(
        &mut self,
        who: &(Rc<str>, Rc<str>),
        config: &ConsumerConfig,
        io: &mut Io<'_, '_>,
    ) -> bool {
        for node in self.acknowledging.keys().copied().collect::<Vec<_>>() {
            for kind in [AcknowledgeKind::Async, AcknowledgeKind::Sync, AcknowledgeKind::Close] {
                if self.busy.contains(&node) || self.send_state(node, kind, who, config, io) != Sent::Nothing {
                    break;
                }
            }
        }
        self.acknowledging.retain(|_, states| !states.tidy());
        !self.acknowledging.is_empty()
    }

    fn send_state(
        &mut self,
        node: NodeId,
        kind: AcknowledgeKind,
        who: &(Rc<str>, Rc<str>),
        config: &ConsumerConfig,
        io: &mut Io<'_, '_>,
    ) -> Sent {
        let Some(state) = self.acknowledging.get_mut(&node).and_then(|states| states.get(kind)) else {
            return Sent::Nothing;
        };
        if state.is_over(kind) {
            return Sent::Nothing;
        }
        if state.attempts > 0 && state.deadline <= io.now {
            state.restart(io.now + config.default_api_timeout_ms);
            state.ended = true;
            let late = std::mem::take(&mut state.incomplete);
            self.end_all(kind, late, ErrorCode::RequestTimedOut);
            return Sent::Nothing;
        }
        if state.not_before > io.now {
            io.wake_at(state.not_before);
            return Sent::NotYet;
        }
        if io.is_unavailable(node, Channel::Consumer) {
            self.give_up(node, kind, ErrorCode::NetworkException, config, io);
            return Sent::NotYet;
        }
        if !io.ready(node, Channel::Consumer) {
            return Sent::NotYet;
        }
        self.transmit(node, kind, who, config, io)
    }

    fn transmit(
        &mut self,
        node: NodeId,
        kind: AcknowledgeKind,
        (group, member_id): &(Rc<str>, Rc<str>),
        config: &ConsumerConfig,
        io: &mut Io<'_, '_>,
    ) -> Sent {
        let session = self.sessions.get_mut(&node);
        if kind == AcknowledgeKind::Close
            && let Some(session) = session
        {
            session.close();
        } else if session.is_none_or(|session| session.is_new()) {
            // A session begins with a fetch: what was acquired before is not ours any more.
            self.give_up(node, kind, ErrorCode::NotLeaderOrFollower, config, io);
            return Sent::NotYet;
        }
        let state = self.acknowledging.get_mut(&node).and_then(|states| states.get(kind));
        let (Some(state), Some(session)) = (state, self.sessions.get_mut(&node)) else { return Sent::Nothing };
        let again = !state.incomplete.is_empty();
        let parts = std::mem::take(if again { &mut state.incomplete } else { &mut state.to_send });
        let request = session.acknowledge(parts.iter().map(|(partition, it)| (*partition, it.clone())).collect());
        state.in_flight = parts;
        state.attempts += 1;
        let renews = request.renews;
        let request = ShareAcknowledgeRequest {
            group: Rc::clone(group),
            member_id: Rc::clone(member_id),
            session_epoch: request.epoch,
            is_renew_ack: renews,
            partitions: request.partitions,
        };
        let pending = Pending::Acknowledge { kind, renews };
        io.send(node, Channel::Consumer, Request::ShareAcknowledge(request), pending);
        self.busy.push(node);
        Sent::Yes
    }

    // ---- hearing ----

    /// An acknowledgement ended.
    pub(super) fn on_acknowledge(
        &mut self,
        node: NodeId,
        outcome: Outcome,
        (kind, renews): (AcknowledgeKind, bool),
        config: &ConsumerConfig,
        io: &mut Io<'_, '_>,
    ) {
        self.busy.retain(|busy| *busy != node);
        let in_session = self.sessions.get_mut(&node);
        match outcome {
            Outcome::Response(Response::ShareAcknowledge(response)) => {
                let fine = in_session.is_some_and(|session| session.on_response(response.error));
                match fine || kind == AcknowledgeKind::Close {
                    true => self.on_parts(node, response, (kind, renews), config, io),
                    false if response.error.is_retriable() => self.again(node, kind, None, config, io),
                    false => self.give_up(node, kind, response.error, config, io),
                }
            }
            ended => {
                if let Some(session) = in_session {
                    session.on_failure();
                }
                self.give_up(node, kind, error_of(&ended), config, io);
            }
        }
        if kind == AcknowledgeKind::Close {
            self.sessions.remove(&node);
        }
    }

    fn on_parts(
        &mut self,
        node: NodeId,
        response: ShareAcknowledgeResponse,
        (kind, renews): (AcknowledgeKind, bool),
        config: &ConsumerConfig,
        io: &mut Io<'_, '_>,
    ) {
        let lock_timeout = Some(response.acquisition_lock_timeout).filter(|timeout| *timeout > Duration::ZERO);
        let mut retries = false;
        for part in response.partitions {
            learn_leader(part.partition, part.error, part.current_leader, io);
            if kind != AcknowledgeKind::Close && passes(part.error) {
                retries = true;
                self.again(node, kind, Some(part.partition), config, io);
                continue;
            }
            let states = self.acknowledging.get_mut(&node);
            let sent = states.and_then(|states| states.get(kind)?.in_flight.remove(&part.partition));
            if let Some(acknowledgements) = sent {
                let lock_timeout = lock_timeout.filter(|_| !part.error.is_error());
                self.end(kind, (part.partition, acknowledgements), part.error, (renews, lock_timeout));
            }
        }
        let Some(state) = self.acknowledging.get_mut(&node).and_then(|states| states.get(kind)) else { return };
        let unanswered = std::mem::take(&mut state.in_flight);
        if !retries {
            state.ended = true;
            state.restart(io.now + config.default_api_timeout_ms);
        }
        self.end_all(kind, unanswered, ErrorCode::InvalidRecordState);
    }

    /// To be sent again later: all of it, or one partition's.
    fn again(
        &mut self,
        node: NodeId,
        kind: AcknowledgeKind,
        only: Option<TopicPartition>,
        config: &ConsumerConfig,
        io: &mut Io<'_, '_>,
    ) {
        let Some(state) = self.acknowledging.get_mut(&node).and_then(|states| states.get(kind)) else { return };
        match only {
            Some(partition) => {
                if let Some(acknowledgements) = state.in_flight.remove(&partition) {
                    state.incomplete.insert(partition, acknowledgements);
                }
            }
            None => state.incomplete.append(&mut state.in_flight),
        }
        state.not_before = io.now + backoff(config).backoff(state.attempts.saturating_sub(1), io.out.random());
    }

    /// Nothing of it can be sent any more.
    fn give_up(
        &mut self,
        node: NodeId,
        kind: AcknowledgeKind,
        error: ErrorCode,
        config: &ConsumerConfig,
        io: &mut Io<'_, '_>,
    ) {
        let Some(state) = self.acknowledging.get_mut(&node).and_then(|states| states.get(kind)) else { return };
        let mut lost = std::mem::take(&mut state.in_flight);
        if lost.is_empty() {
            let again = !state.incomplete.is_empty();
            lost = std::mem::take(if again { &mut state.incomplete } else { &mut state.to_send });
        }
        state.ended = true;
        state.restart(io.now + config.default_api_timeout_ms);
        self.end_all(kind, lost, error);
    }

    fn end_all(&mut self, kind: AcknowledgeKind, parts: Parts, error: ErrorCode) {
        for (partition, acknowledgements) in parts {
            self.end(kind, (partition, acknowledgements), error, (true, None));
        }
    }

    fn end(
        &mut self,
        kind: AcknowledgeKind,
        (partition, acknowledgements): (TopicPartition, Acknowledgements),
        error: ErrorCode,
        (renews, lock_timeout): (bool, Option<Duration>),
    ) {
        if let Some(sync) = self.sync.as_mut().filter(|_| kind == AcknowledgeKind::Sync) {
            sync.waiting -= 1;
            sync.results.push((partition, error));
        }
        self.answers.push(Answer { partition, acknowledgements, error, renews, lock_timeout });
    }
}

/// It may go well the next time. If the leader has changed or the topic is gone, it will not: the locks are gone, too.
fn passes(error: ErrorCode) -> bool {
    let gone = [
        ErrorCode::NotLeaderOrFollower,
        ErrorCode::FencedLeaderEpoch,
        ErrorCode::UnknownTopicOrPartition,
        ErrorCode::UnknownTopicId,
    ];
    error.is_retriable() && !gone.contains(&error)
}
