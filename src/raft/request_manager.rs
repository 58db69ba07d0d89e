//! Whom may be asked now: at most one request in flight for each node, and a pause after one that failed.
//!
//! Invariants: a response counts only if it answers the request in flight; a request that went unanswered for
//! `controller.quorum.request.timeout.ms` counts as failed. In Kafka: `RequestManager`.

use crate::base::{Duration, NodeId, Prng, Time};
use std::rc::Rc;

/// One node's connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Connection {
    Awaiting { correlation: u32, deadline: Time },
    BackingOff { until: Time },
}

/// All connections that are not simply ready.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct RequestManager {
    /// Whom to ask who leads.
    bootstrap: Rc<[NodeId]>,
    me: Option<NodeId>,
    retry_backoff: Duration,
    request_timeout: Duration,
    correlation: u32,
    connections: Vec<(NodeId, Connection)>,
}

impl RequestManager {
    pub fn new(
        bootstrap: Rc<[NodeId]>,
        me: Option<NodeId>,
        retry_backoff: Duration,
        request_timeout: Duration,
    ) -> RequestManager {
        RequestManager { bootstrap, me, retry_backoff, request_timeout, correlation: 0, connections: Vec::new() }
    }

    fn get(&self, node: NodeId) -> Option<Connection> {
        self.connections.iter().find(|(known, _)| *known == node).map(|(_, connection)| *connection)
    }

    fn set(&mut self, node: NodeId, connection: Option<Connection>) {
        self.connections.retain(|(known, _)| *known != node);
        self.connections.extend(connection.map(|connection| (node, connection)));
    }

    pub fn is_ready(&self, node: NodeId, now: Time) -> bool {
        match self.get(node) {
            None => true,
            Some(Connection::Awaiting { .. }) => false,
            Some(Connection::BackingOff { until }) => until <= now,
        }
    }

    pub fn is_backing_off(&self, node: NodeId, now: Time) -> bool {
        matches!(self.get(node), Some(Connection::BackingOff { until }) if until > now)
    }

    pub fn has_any_in_flight(&self) -> bool {
        self.connections.iter().any(|(_, connection)| matches!(connection, Connection::Awaiting { .. }))
    }

    /// A request leaves; the correlation id it gets.
    pub fn sent(&mut self, node: NodeId, now: Time) -> u32 {
        self.correlation = self.correlation.wrapping_add(1);
        let (correlation, deadline) = (self.correlation, now + self.request_timeout);
        self.set(node, Some(Connection::Awaiting { correlation, deadline }));
        correlation
    }

    /// Whether a response with that correlation id is waited for.
    pub fn is_expected(&self, node: NodeId, correlation: u32) -> bool {
        matches!(self.get(node), Some(Connection::Awaiting { correlation: waited, .. }) if waited == correlation)
    }

    /// A response was dealt with, well or badly.
    pub fn answered(&mut self, node: NodeId, correlation: u32, well: bool, now: Time) {
        if self.is_expected(node, correlation) {
            if well { self.set(node, None) } else { self.failed(node, now) }
        }
    }

    /// The request in flight, if there is one, is lost with its connection.
    pub fn disconnected(&mut self, node: NodeId, now: Time) {
        if matches!(self.get(node), Some(Connection::Awaiting { .. })) {
            self.failed(node, now);
        }
    }

    fn failed(&mut self, node: NodeId, now: Time) {
        self.set(node, Some(Connection::BackingOff { until: now + self.retry_backoff }));
    }

    /// A node that left its request unanswered for too long; its connection is to be closed. Pauses that are over end.
    pub fn next_timed_out(&mut self, now: Time) -> Option<NodeId> {
        self.connections.retain(|(_, it)| !matches!(it, Connection::BackingOff { until } if *until <= now));
        let late =
            |it: &&(NodeId, Connection)| matches!(it.1, Connection::Awaiting { deadline, .. } if deadline <= now);
        let node = self.connections.iter().find(late)?.0;
        self.failed(node, now);
        Some(node)
    }

    /// A new state of the quorum: whatever is in flight no longer matters.
    pub fn reset_all(&mut self) {
        self.connections.clear();
    }

    /// Any node that may be asked who leads, if nothing is in flight.
    pub fn ready_bootstrap(&self, now: Time, random: &mut Prng) -> Option<NodeId> {
        if self.has_any_in_flight() {
            return None;
        }
        let others = || self.bootstrap.iter().copied().filter(|node| Some(*node) != self.me);
        let count = others().count();
        let first = if count > 1 { random.below(count as u64) as usize } else { 0 };
        others().cycle().skip(first).take(count).find(|node| self.is_ready(*node, now))
    }

    /// When something changes by itself.
    pub fn deadline(&self) -> Option<Time> {
        let times = self.connections.iter().map(|(_, connection)| match connection {
            Connection::Awaiting { deadline, .. } => *deadline,
            Connection::BackingOff { until } => *until,
        });
        times.min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager() -> (RequestManager, Prng) {
        let nodes: Rc<[NodeId]> = [NodeId(1), NodeId(2), NodeId(3)].into();
        let (backoff, timeout) = (Duration::from_millis(50), Duration::from_millis(30_000));
        (RequestManager::new(nodes, Some(NodeId(1)), backoff, timeout), Prng::split(1, "requests"))
    }

    #[test]
    fn reset_all_connections() {
        let (mut requests, _) = manager();
        let (now, peer) = (Time(1_000), NodeId(2));
        let correlation = requests.sent(peer, now);
        requests.answered(peer, correlation, false, now);
        assert!(requests.is_backing_off(peer, now) && !requests.is_ready(peer, now));
        requests.reset_all();
        assert!(requests.is_ready(peer, now));
        let old = requests.sent(peer, now);
        requests.reset_all();
        assert!(!requests.is_expected(peer, old), "what was in flight no longer matters");
    }

    #[test]
    fn backoff_after_failure() {
        let (mut requests, _) = manager();
        let (now, peer) = (Time(0), NodeId(2));
        let correlation = requests.sent(peer, now);
        requests.answered(peer, correlation, false, Time(10_000));
        assert_eq!(requests.deadline(), Some(Time(60_000)));
        assert!(requests.is_backing_off(peer, Time(59_999)));
        assert!(requests.is_ready(peer, Time(60_000)));
    }

    #[test]
    fn successful_response() {
        let (mut requests, _) = manager();
        let correlation = requests.sent(NodeId(2), Time(0));
        assert!(!requests.is_ready(NodeId(2), Time(1)) && requests.has_any_in_flight());
        requests.answered(NodeId(2), correlation + 1, true, Time(1));
        assert!(!requests.is_ready(NodeId(2), Time(1)), "that answered something else");
        requests.answered(NodeId(2), correlation, true, Time(1));
        assert!(requests.is_ready(NodeId(2), Time(1)));
    }

    #[test]
    fn ignore_unexpected_response() {
        let (mut requests, _) = manager();
        assert!(!requests.is_expected(NodeId(2), 1));
        requests.answered(NodeId(2), 1, false, Time(0));
        assert!(requests.is_ready(NodeId(2), Time(0)));
    }

    #[test]
    fn request_timeout() {
        let (mut requests, _) = manager();
        requests.sent(NodeId(2), Time(0));
        assert_eq!(requests.next_timed_out(Time(29_999_999)), None);
        assert_eq!(requests.next_timed_out(Time(30_000_000)), Some(NodeId(2)));
        assert_eq!(requests.next_timed_out(Time(30_000_000)), None);
        assert!(requests.is_backing_off(NodeId(2), Time(30_000_000)));
    }

    #[test]
    fn find_ready_bootstrap_server() {
        let (mut requests, mut random) = manager();
        let first = requests.ready_bootstrap(Time(0), &mut random).expect("all are ready");
        assert_ne!(first, NodeId(1), "nobody asks itself");
        let correlation = requests.sent(first, Time(0));
        assert_eq!(requests.ready_bootstrap(Time(0), &mut random), None, "one at a time");
        requests.answered(first, correlation, false, Time(0));
        let second = requests.ready_bootstrap(Time(0), &mut random).expect("the other one");
        assert!(second != first && second != NodeId(1));
    }
}
