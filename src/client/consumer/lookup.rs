//! Finding a group's coordinator: any broker knows.
//!
//! Invariants: at most one question is under way; after a failure none before its back-off is over, nor while metadata is
//! still what it was. In Kafka: `AbstractCoordinator.lookupCoordinator`, `CoordinatorRequestManager`.

use super::backoff;
use super::io::Io;
use crate::base::config::ConsumerConfig;
use crate::base::{Duration, NodeId, Time};
use crate::client::network_client::Outcome;
use crate::node::Channel;
use crate::protocol::{CoordinatorType, ErrorCode, FindCoordinatorRequest, Request, Response};
use std::rc::Rc;

/// Whether somebody looks for the coordinator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum State {
    /// No.
    Idle,
    /// A FindCoordinator request is under way.
    InFlight,
    /// The last one failed: not before this time, nor while the metadata is still of this version.
    Failed(Time, Option<u32>),
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(in crate::client) struct Lookup {
    state: State,
    attempts: u32,
}

impl Lookup {
    pub(in crate::client) fn new() -> Self {
        Lookup { state: State::Idle, attempts: 0 }
    }

    /// Asks, if it may; `pending` is what is kept of the request.
    pub(in crate::client) fn ask<T>(&mut self, group: &Rc<str>, pending: T, io: &mut Io<'_, '_, T>) {
        match self.state {
            State::InFlight => return,
            State::Failed(not_before, _) if not_before > io.now => return io.wake_at(not_before),
            State::Failed(_, version) if version == Some(io.net.metadata.update_version()) => return,
            State::Failed(..) | State::Idle => {}
        }
        let Some(node) = io.net.least_loaded_node(Channel::Consumer, io.now, io.out.random()) else {
            return io.net.metadata.request_update(false);
        };
        if io.ready(node, Channel::Consumer) {
            let request = FindCoordinatorRequest { key: Rc::clone(group), key_type: CoordinatorType::Group };
            io.send(node, Channel::Consumer, Request::FindCoordinator(request), pending);
            self.state = State::InFlight;
        }
    }

    /// Who it is, or why nobody knows.
    pub(in crate::client) fn on_answer<T>(
        &mut self,
        outcome: &Outcome,
        config: &ConsumerConfig,
        io: &mut Io<'_, '_, T>,
    ) -> Result<NodeId, ErrorCode> {
        let error = match outcome {
            Outcome::Response(Response::FindCoordinator(response)) if !response.error.is_error() => {
                *self = Lookup::new();
                return Ok(response.node.node());
            }
            Outcome::Response(Response::FindCoordinator(response)) => response.error,
            Outcome::TimedOut => ErrorCode::RequestTimedOut,
            _ => ErrorCode::NetworkException,
        };
        let pause = self.pause(config, io);
        self.state = State::Failed(io.now + pause, Some(io.net.metadata.update_version()));
        io.net.metadata.request_update(true);
        Err(error)
    }

    /// The one that was found cannot be reached.
    pub(in crate::client) fn unreachable<T>(&mut self, config: &ConsumerConfig, io: &mut Io<'_, '_, T>) {
        self.state = State::Failed(io.now + self.pause(config, io), None);
    }

    fn pause<T>(&mut self, config: &ConsumerConfig, io: &mut Io<'_, '_, T>) -> Duration {
        self.attempts += 1;
        backoff(config).backoff(self.attempts - 1, io.out.random())
    }
}
