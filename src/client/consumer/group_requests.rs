//! What a member asks its coordinator in the background, and what the answers do to it: heartbeats, the end of JoinGroup
//! and SyncGroup, leaving.
//!
//! In Kafka: the heartbeat thread and the response handlers of `AbstractCoordinator`.

use super::calls::MembershipOperation;
use super::commit::Lost;
use super::coordinator::Coordinator;
use super::epoch_member::EpochState;
use super::io::{Io, Pending};
use super::member::{JoinFailure, JoinOutcome, Joining, MemberGeneration, MemberState};
use super::rebalance::RebalanceCallback;
use super::subscription::Subscription;
use crate::base::NodeId;
use crate::base::config::ConsumerConfig;
use crate::client::network_client::Outcome;
use crate::node::{Channel, ClientError, Event};
use crate::protocol::{ErrorCode, HeartbeatRequest, LeaveGroupRequest, LeavingMember, Request, Response};
use std::rc::Rc;

impl Coordinator {
    /// A member's request ended.
    pub(super) fn on_member_request(
        &mut self,
        pending: Pending,
        (node, outcome): (NodeId, Outcome),
        config: &ConsumerConfig,
        io: &mut Io<'_, '_>,
    ) {
        let answered = matches!(outcome, Outcome::Response(_));
        match pending {
            // It waits for the application's next poll().
            Pending::JoinGroup(sent) => {
                if self.member.joining == Joining::InFlight {
                    self.member.joining = Joining::JoinEnded((sent, JoinOutcome::of(outcome)));
                }
            }
            Pending::SyncGroup(sent) => self.on_sync(&sent, outcome, config, io),
            Pending::Heartbeat(sent) => self.on_heartbeat(&sent, &outcome, config, io),
            Pending::LeaveGroup => self.leaving = Leaving::No,
            other => unreachable!("invariant: {other:?} is none of a member's requests"),
        }
        if !answered {
            self.lose(node, Lost::Disconnected, config, io);
        }
    }

    fn on_sync(&mut self, sent: &Rc<MemberGeneration>, outcome: Outcome, config: &ConsumerConfig, io: &mut Io<'_, '_>) {
        if self.member.joining != Joining::InFlight {
            return;
        }
        let Outcome::Response(Response::SyncGroup(response)) = outcome else {
            self.member.joining = Joining::Failed(JoinFailure::of(ErrorCode::NetworkException));
            return;
        };
        let member = &mut self.member;
        let mut error = response.error;
        match error {
            ErrorCode::None => {
                let consistent =
                    response.protocol_name.is_none() || response.protocol_name == member.generation.protocol;
                if member.generation.is_reset() || member.state != MemberState::CompletingRebalance {
                    error = ErrorCode::IllegalGeneration;
                } else if !consistent {
                    error = ErrorCode::InconsistentGroupProtocol;
                } else {
                    member.state = MemberState::Stable;
                    member.rejoin_needed = false;
                    member.joining = Joining::Synced(response.assignment);
                    return;
                }
            }
            ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration if *sent == member.generation => {
                member.reset_on(error);
            }
            ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator => self.lose_told(config, io),
            _ => {}
        }
        self.member.joining = Joining::Failed(JoinFailure::of(error));
    }

    // ---- heartbeats ----

    /// What the heartbeat thread does. `polls`: the application is inside `poll()`.
    pub(super) fn beat(&mut self, polls: bool, config: &ConsumerConfig, io: &mut Io<'_, '_>) {
        let joined = matches!(self.member.state, MemberState::CompletingRebalance | MemberState::Stable);
        if !self.member.heartbeat.is_enabled() {
            return;
        }
        if !joined || self.member.failure.is_some() {
            self.member.heartbeat.disable();
            return;
        }
        if polls {
            self.member.heartbeat.polled(io.now);
        }
        let Some(node) = self.node else { return };
        if self.member.heartbeat.session_expired(io.now) {
            self.lose_told(config, io);
        } else if self.member.heartbeat.poll_expired(io.now) {
            self.leave(("consumer poll timeout has expired.", MembershipOperation::Default), config, io);
        } else if self.member.heartbeat.is_due(io.now) && io.ready(node, Channel::Coordinator) {
            let generation = Rc::clone(&self.member.generation);
            let request = HeartbeatRequest {
                group: Rc::clone(&self.group),
                generation: generation.id,
                member_id: Rc::clone(&generation.member_id),
                instance_id: config.group_instance_id.clone(),
            };
            self.member.heartbeat.sent(io.now);
            io.send(node, Channel::Coordinator, Request::Heartbeat(request), Pending::Heartbeat(generation));
        }
    }

    fn on_heartbeat(
        &mut self,
        sent: &Rc<MemberGeneration>,
        outcome: &Outcome,
        config: &ConsumerConfig,
        io: &mut Io<'_, '_>,
    ) {
        let error = match outcome {
            Outcome::Response(Response::Heartbeat(response)) => response.error,
            _ => ErrorCode::NetworkException,
        };
        let member = &mut self.member;
        match error {
            ErrorCode::None => member.heartbeat.received(io.now),
            ErrorCode::RebalanceInProgress => {
                // Heartbeats keep it in the group while the others join.
                member.heartbeat.received(io.now);
                if member.state == MemberState::Stable {
                    member.request_rejoin();
                }
            }
            ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration | ErrorCode::FencedInstanceId => {
                if *sent != member.generation {
                    return member.heartbeat.received(io.now);
                }
                member.reset_on(error);
                if error == ErrorCode::FencedInstanceId {
                    member.failure = Some(ClientError::Broker(error));
                } else {
                    member.heartbeat.failed(io.now, io.out.random());
                }
            }
            ErrorCode::GroupAuthorizationFailed => member.failure = Some(ClientError::Broker(error)),
            error => {
                member.heartbeat.failed(io.now, io.out.random());
                if matches!(error, ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator) {
                    self.lose_told(config, io);
                }
            }
        }
    }

    // ---- leaving ----

    /// `onLeavePrepare`: gives up everything.
    pub(super) fn give_up_all(&mut self, subscription: &Subscription) {
        let assigned = subscription.assigned();
        if assigned.is_empty() || !subscription.subscribed().is_auto_assigned() {
            return;
        }
        let joined = self.member.state == MemberState::Stable;
        let lost = match self.by_epochs {
            true => !joined,
            false => self.member.has_lost_generation() || self.member.rebalance_in_progress(),
        };
        let callback = match lost {
            true => RebalanceCallback::Lost(assigned.into()),
            false => RebalanceCallback::Revoked(assigned.into()),
        };
        self.changes.push(callback, Rc::new([]));
    }

    /// `maybeLeaveGroup`: a static member does not unless it is told to, it will be back.
    pub(super) fn leave(
        &mut self,
        (reason, operation): (&'static str, MembershipOperation),
        config: &ConsumerConfig,
        io: &mut Io<'_, '_>,
    ) {
        if self.by_epochs {
            return self.leave_epochs((reason, operation), config, io);
        }
        let leaves = match operation {
            MembershipOperation::Default => config.group_instance_id.is_none(),
            MembershipOperation::LeaveGroup => true,
            MembershipOperation::RemainInGroup => false,
        };
        let generation = &self.member.generation;
        let is_member = self.member.state != MemberState::Unjoined && !generation.member_id.is_empty();
        if self.node.is_some() && is_member && leaves {
            self.leaving = Leaving::Waits(Rc::clone(&generation.member_id));
            io.out.emit(Event::MemberLeft { group: Rc::clone(&self.group), reason });
        }
        // A join under way ends as a failure, since the member that asked is no more.
        self.member.reset(true);
        self.member.heartbeat.disable();
        self.send_leave(io);
    }

    /// LeaveGroup is not answered yet.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving != Leaving::No
            || self.by_epochs && (self.epochs.in_flight || self.epochs.state == EpochState::Leaving)
    }

    /// Sends LeaveGroup as soon as that is possible; who loses the coordinator before does not ask for another.
    pub(super) fn send_leave(&mut self, io: &mut Io<'_, '_>) {
        let Leaving::Waits(member_id) = &self.leaving else { return };
        let Some(node) = self.node else {
            self.leaving = Leaving::No;
            return;
        };
        if io.ready(node, Channel::Coordinator) {
            let member = LeavingMember { member_id: Rc::clone(member_id), instance_id: None };
            let request = LeaveGroupRequest { group: Rc::clone(&self.group), members: vec![member] };
            io.send(node, Channel::Coordinator, Request::LeaveGroup(request), Pending::LeaveGroup);
            self.leaving = Leaving::InFlight;
        }
    }
}

/// Whether a LeaveGroup request is under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Leaving {
    No,
    /// This member's waits for the connection.
    Waits(Rc<str>),
    InFlight,
}
