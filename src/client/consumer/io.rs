//! What the consumer's parts share while they handle one event: the connections, the time, the outbox.

use super::member::MemberGeneration;
use super::offset_lookup::Reset;
use super::subscription::FetchPosition;
use crate::base::{Duration, NodeId, Time, TopicPartition};
use crate::client::network_client::NetworkClient;
use crate::node::{Channel, Outbox};
use crate::protocol::Request;
use std::rc::Rc;

/// What the consumer keeps of a request until it ends.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Pending {
    /// To any broker.
    FindCoordinator,
    /// To the coordinator.
    OffsetFetch,
    /// To the coordinator; which commit it is.
    OffsetCommit(u32),
    /// To the coordinator; in which generation it was asked, as of the next ones.
    JoinGroup(Rc<MemberGeneration>),
    /// To the coordinator.
    SyncGroup(Rc<MemberGeneration>),
    /// To the coordinator.
    Heartbeat(Rc<MemberGeneration>),
    /// To the coordinator.
    LeaveGroup,
    /// To the coordinator: ConsumerGroupHeartbeat.
    EpochHeartbeat,
    /// To a leader; what was asked stands in the session.
    Fetch,
    /// Ends a fetch session; nobody waits for the answer.
    CloseSession,
    /// To a leader: the resets it decides.
    ListOffsets(Rc<[Reset]>),
    /// To a leader: the positions it validates.
    Validate(Rc<[(TopicPartition, FetchPosition)]>),
}

/// See the module. `T` is what is kept of a request: a share consumer keeps other things.
pub(in crate::client) struct Io<'a, 'b, T = Pending> {
    pub(in crate::client) net: &'a mut NetworkClient<T>,
    pub(in crate::client) now: Time,
    pub(in crate::client) out: &'a mut Outbox<'b>,
    pub(in crate::client) wake: &'a mut Option<Time>,
}

impl<T> Io<'_, '_, T> {
    /// Whether a request can be sent now; if not, the turn in which it can will come.
    pub(in crate::client) fn ready(&mut self, node: NodeId, channel: Channel) -> bool {
        if self.net.ready(node, channel, self.now, self.out) {
            return true;
        }
        if let Some(at) = self.net.reconnect_at(node, channel) {
            self.wake_at(at);
        }
        false
    }

    /// The connection failed and may not be tried again yet (`ConsumerNetworkClient.isUnavailable`).
    pub(in crate::client) fn is_unavailable(&mut self, node: NodeId, channel: Channel) -> bool {
        let at = self.net.reconnect_at(node, channel).filter(|at| *at > self.now);
        if let Some(at) = at {
            self.wake_at(at);
        }
        at.is_some()
    }

    pub(in crate::client) fn send(&mut self, node: NodeId, channel: Channel, request: Request, pending: T) {
        self.net.send(self.now, (node, channel), request, pending, self.out);
    }

    /// To the coordinator, with a timeout of its own.
    pub(in crate::client) fn send_for(&mut self, node: NodeId, request: Request, pending: T, timeout: Duration) {
        self.net.send_with_timeout(self.now, (node, Channel::Coordinator), request, pending, timeout, self.out);
    }

    /// Asks for another turn at `at`, if that is still to come.
    pub(in crate::client) fn wake_at(&mut self, at: Time) {
        if at > self.now && self.wake.is_none_or(|wake| at < wake) {
            *self.wake = Some(at);
        }
    }
}
