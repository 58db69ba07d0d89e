//! Requests in flight: to whom, since when, until when, and what its owner keeps of each (`T`).
//!
//! Invariants: a request ends exactly once, as a response, a disconnection or a timeout; the requests of a connection
//! are answered in order; no owner's request is sent while a metadata update is due; a connection whose request timed
//! out is closed, and every other request on it times out with it.
//!
//! In Kafka: `NetworkClient` with `DefaultMetadataUpdater`, `ClusterConnectionStates`, `InFlightRequests`.
//!
//! On purpose different: the `ApiVersions` request that opens a Kafka connection is a Metadata request for the brokers
//! only; it also stands for the TCP handshake, and so has `socket.connection.setup.timeout.ms`. Bootstrap servers are
//! the brokers themselves, under their own ids. Idle connections stay open.

mod backoff;
mod connection;

pub use backoff::ExponentialBackoff;
pub use connection::{ConnectionState, InFlight};

use crate::base::{BrokerId, Duration, NodeId, Prng, SortedMap, Time};
use crate::client::metadata::{Metadata, MetadataConfig};
use crate::node::{Body, Channel, ConnectionId, Event, Message, Outbox};
use crate::protocol::{ApiKey, ErrorCode, MetadataRequest, Request, Response};
use connection::{Connection, Purpose};
use std::rc::Rc;

/// Settings of a [`NetworkClient`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NetworkConfig {
    /// `request.timeout.ms`.
    pub request_timeout: Duration,
    /// `reconnect.backoff.ms` and `reconnect.backoff.max.ms`.
    pub reconnect_backoff: ExponentialBackoff,
    /// `socket.connection.setup.timeout.ms` and `socket.connection.setup.timeout.max.ms`.
    pub setup_timeout: ExponentialBackoff,
    /// `max.in.flight.requests.per.connection`.
    pub max_in_flight: u32,
    /// Which connections carry metadata requests.
    pub metadata_channel: Channel,
}

/// How a request ended.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// With a response.
    Response(Response),
    /// Its connection broke (`NETWORK_EXCEPTION`).
    Disconnected,
    /// It, or another on its connection, took longer than `request.timeout.ms` (`REQUEST_TIMED_OUT`).
    TimedOut,
}

/// A request that ended.
#[derive(Clone, PartialEq, Debug)]
pub struct Completed<T> {
    /// Where it was sent to.
    pub node: NodeId,
    /// On which connection.
    pub channel: Channel,
    /// When it was sent.
    pub sent_at: Time,
    /// What the owner kept of it.
    pub context: T,
    /// How it ended.
    pub outcome: Outcome,
}

/// The connections of a client, and its metadata.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NetworkClient<T> {
    config: NetworkConfig,
    connections: SortedMap<(NodeId, Channel), Connection<T>>,
    next_correlation_id: u32,
    /// What the client knows of the cluster.
    pub metadata: Metadata,
    /// The metadata request in flight: the version of the wish it answers, and whether only new topics are in it.
    metadata_in_flight: Option<(u32, bool)>,
}

impl<T> NetworkClient<T> {
    /// A client without connections.
    pub fn new(config: NetworkConfig, metadata: MetadataConfig, bootstrap: Rc<[NodeId]>) -> Self {
        let metadata = Metadata::new(metadata, bootstrap);
        NetworkClient {
            config,
            connections: SortedMap::new(),
            next_correlation_id: 0,
            metadata,
            metadata_in_flight: None,
        }
    }

    // ---- asking ----

    /// Every request in flight, the client's own (without context) included.
    pub fn in_flight(&self) -> impl Iterator<Item = (NodeId, Channel, &InFlight<T>)> {
        self.connections
            .iter()
            .flat_map(|((node, channel), connection)| connection.in_flight.iter().map(|r| (*node, *channel, r)))
    }

    /// How many requests are in flight on one connection.
    pub fn in_flight_count(&self, node: NodeId, channel: Channel) -> usize {
        self.connections.get(&(node, channel)).map_or(0, |connection| connection.in_flight.len())
    }

    /// Where a connection stands.
    pub fn connection_state(&self, node: NodeId, channel: Channel) -> ConnectionState {
        self.connections.get(&(node, channel)).map_or(ConnectionState::Disconnected, |connection| connection.state)
    }

    /// Whether metadata was asked for and not answered.
    pub fn is_fetching_metadata(&self) -> bool {
        self.metadata_in_flight.is_some()
    }

    /// Whether a request could be sent to `node` right now (`isReady`).
    pub fn is_ready(&self, node: NodeId, channel: Channel, now: Time) -> bool {
        !self.is_metadata_due(now) && self.can_send(node, channel)
    }

    /// When the earliest request in flight times out: call [`Self::on_timeout`] then.
    pub fn next_timeout(&self) -> Option<Time> {
        self.connections.values().filter_map(Connection::next_timeout).min()
    }

    /// When [`Self::poll`] has something to do although nothing happens (`None`: not by itself).
    pub fn next_poll(&self, now: Time) -> Option<Time> {
        if self.metadata_in_flight.is_some() {
            return None;
        }
        let due = self.metadata.next_update_at();
        if due > now {
            return Some(due).filter(|due| *due < Time::MAX);
        }
        // Due, and poll() did not manage to ask.
        self.next_connect(self.config.metadata_channel, now)
    }

    /// When some broker may be connected to again, if none is being connected to (that tells by itself).
    pub fn next_connect(&self, channel: Channel, now: Time) -> Option<Time> {
        if self.any_connecting(channel) {
            return None;
        }
        let reconnects = self.metadata.brokers().iter().filter_map(|b| self.reconnect_at(b.node(), channel));
        reconnects.filter(|at| *at > now).min()
    }

    /// When the next attempt to connect is allowed, if the connection is down (the past: now).
    pub fn reconnect_at(&self, node: NodeId, channel: Channel) -> Option<Time> {
        match self.connections.get(&(node, channel)) {
            None => Some(Time::ZERO),
            Some(connection) if connection.state == ConnectionState::Disconnected => Some(connection.reconnect_at()),
            Some(_) => None,
        }
    }

    fn can_send(&self, node: NodeId, channel: Channel) -> bool {
        self.connections.get(&(node, channel)).is_some_and(|connection| {
            connection.state == ConnectionState::Ready
                && connection.in_flight.len() < self.config.max_in_flight as usize
        })
    }

    fn is_metadata_due(&self, now: Time) -> bool {
        self.metadata_in_flight.is_none() && self.metadata.next_update_at() <= now
    }

    /// A broker for a request that any broker can serve (`leastLoadedNode`), starting from a random one: ready with the
    /// fewest requests in flight, else being connected to, else the one whose last attempt to connect is the oldest.
    pub fn least_loaded_node(&self, channel: Channel, now: Time, random: &mut Prng) -> Option<NodeId> {
        let brokers = self.metadata.brokers();
        if brokers.is_empty() {
            return None;
        }
        let offset = random.below(brokers.len() as u64) as usize;
        let (mut ready, mut connecting, mut connectable) = (None, None, None);
        for broker in brokers[offset..].iter().chain(&brokers[..offset]) {
            let node = broker.node();
            let connection = self.connections.get(&(node, channel));
            if self.can_send(node, channel) {
                let load = connection.map_or(0, |c| c.in_flight.len());
                if ready.is_none_or(|(least, _)| load < least) {
                    ready = Some((load, node));
                }
            } else if connection.is_some_and(|c| c.state == ConnectionState::Connecting) {
                connecting = Some(node);
            } else if connection.is_none_or(|c| c.can_connect(now)) {
                let attempt = connection.map_or(Time::ZERO, |c| c.last_attempt);
                if connectable.is_none_or(|(oldest, _)| attempt < oldest) {
                    connectable = Some((attempt, node));
                }
            }
        }
        ready.map(|(_, node)| node).or(connecting).or(connectable.map(|(_, node)| node))
    }

    // ---- acting ----

    /// Whether a request can be sent to `node` now; begins to connect if need be (`ready`).
    pub fn ready(&mut self, node: NodeId, channel: Channel, now: Time, out: &mut Outbox<'_>) -> bool {
        if self.is_ready(node, channel, now) {
            return true;
        }
        self.maybe_connect(node, channel, now, out);
        false
    }

    /// Sends a request to a ready node; its end comes back with `context`. Returns the correlation id.
    pub fn send(
        &mut self,
        now: Time,
        (node, channel): (NodeId, Channel),
        request: Request,
        context: T,
        out: &mut Outbox<'_>,
    ) -> u32 {
        self.send_with_timeout(now, (node, channel), request, context, self.config.request_timeout, out)
    }

    /// As [`Self::send`], with a timeout of its own.
    pub fn send_with_timeout(
        &mut self,
        now: Time,
        (node, channel): (NodeId, Channel),
        request: Request,
        context: T,
        timeout: Duration,
        out: &mut Outbox<'_>,
    ) -> u32 {
        assert!(self.can_send(node, channel), "invariant: requests go to ready nodes");
        self.transmit(now, (node, channel), request, Purpose::Owner(context), timeout, out)
    }

    /// Sends a request that gets no response (`acks=0`) to a ready node.
    pub fn send_one_way(&mut self, to: (NodeId, Channel), request: Request, out: &mut Outbox<'_>) {
        assert!(self.can_send(to.0, to.1), "invariant: requests go to ready nodes");
        let correlation_id = self.take_correlation_id();
        out.request(to.0, to.1, correlation_id, request);
    }

    /// Asks for metadata if that is due. Call it in every turn, before using [`Self::ready`].
    pub fn poll(&mut self, now: Time, out: &mut Outbox<'_>) {
        if !self.is_metadata_due(now) {
            return;
        }
        let channel = self.config.metadata_channel;
        let mut node = self.least_loaded_node(channel, now, out.random());
        if node.is_none() && !self.any_ready(channel) && self.metadata.rebootstrap() {
            node = self.least_loaded_node(channel, now, out.random());
        }
        let Some(node) = node else { return };
        if self.can_send(node, channel) {
            let (topics, version, partial) = self.metadata.next_request(now);
            let request = Request::Metadata(MetadataRequest { topics });
            self.metadata_in_flight = Some((version, partial));
            self.transmit(now, (node, channel), request, Purpose::Metadata, self.config.request_timeout, out);
        } else if !self.any_connecting(channel) {
            self.maybe_connect(node, channel, now, out);
        }
    }

    /// A response arrived. `None` if it answered the client's own request (take a turn all the same: metadata may have
    /// changed, a connection may be ready) or nothing at all.
    pub fn on_response(&mut self, now: Time, message: Message, out: &mut Outbox<'_>) -> Option<Completed<T>> {
        let (node, channel) = (message.connection.server, message.connection.channel);
        let Body::Response(response) = message.body else { return None };
        let connection = self.connections.get_mut(&(node, channel))?;
        let at = connection.in_flight.iter().position(|r| r.correlation_id == message.correlation_id)?;
        let request = connection.in_flight.remove(at)?;
        connection.generation = message.connection.generation;
        let error = response.error();
        if error.is_error() {
            out.emit(Event::RequestFailed { api: request.api, peer: node, error });
        }
        match (request.purpose, response) {
            (Purpose::Handshake, _) => connection.ready(),
            (Purpose::Metadata, Response::Metadata(response)) => {
                let (version, partial) = self.metadata_in_flight.take()?;
                if response.brokers.is_empty() {
                    self.metadata.failed_update(now, out.random());
                } else {
                    self.metadata.update(&response, version, partial, now, out.random());
                }
            }
            (Purpose::Metadata, _) => unreachable!("invariant: a response has its request's API"),
            (Purpose::Owner(context), response) => {
                let outcome = Outcome::Response(response);
                return Some(Completed { node, channel, sent_at: request.sent_at, context, outcome });
            }
        }
        None
    }

    /// A connection broke: what was in flight on it, in order.
    pub fn on_disconnect(&mut self, now: Time, id: ConnectionId, out: &mut Outbox<'_>) -> Vec<Completed<T>> {
        match self.connections.get(&(id.server, id.channel)) {
            Some(c) if c.state != ConnectionState::Disconnected && id.generation >= c.generation => {
                self.end_connection(now, (id.server, id.channel), false, out)
            }
            _ => Vec::new(),
        }
    }

    /// Closes the connections on which a request is overdue: what was in flight on them, in order.
    pub fn on_timeout(&mut self, now: Time, out: &mut Outbox<'_>) -> Vec<Completed<T>> {
        let overdue = |c: &Connection<T>| c.next_timeout().is_some_and(|deadline| deadline <= now);
        let late: Vec<_> = self.connections.iter().filter(|(_, c)| overdue(c)).map(|(key, _)| *key).collect();
        let mut completed = Vec::new();
        for key in late {
            out.disconnect(key.0, key.1);
            completed.append(&mut self.end_connection(now, key, true, out));
        }
        completed
    }

    /// Closes a connection by choice (`disconnect`): what was in flight on it, as disconnected.
    pub fn disconnect(&mut self, now: Time, to: (NodeId, Channel), out: &mut Outbox<'_>) -> Vec<Completed<T>> {
        match self.connection_state(to.0, to.1) {
            ConnectionState::Disconnected => Vec::new(),
            _ => {
                out.disconnect(to.0, to.1);
                self.end_connection(now, to, false, out)
            }
        }
    }

    fn end_connection(
        &mut self,
        now: Time,
        key: (NodeId, Channel),
        timed_out: bool,
        out: &mut Outbox<'_>,
    ) -> Vec<Completed<T>> {
        let Some(connection) = self.connections.get_mut(&key) else { return Vec::new() };
        connection.disconnected(self.config.reconnect_backoff, out.random());
        let requests = std::mem::take(&mut connection.in_flight);
        let metadata_was_due = self.is_metadata_due(now);
        let mut completed = Vec::new();
        for request in requests {
            let error = if timed_out { ErrorCode::RequestTimedOut } else { ErrorCode::NetworkException };
            let failed = Event::RequestFailed { api: request.api, peer: key.0, error };
            match request.purpose {
                Purpose::Handshake => {}
                Purpose::Metadata => {
                    out.emit(failed);
                    self.metadata_in_flight = None;
                    self.metadata.failed_update(now, out.random());
                }
                Purpose::Owner(context) => {
                    out.emit(failed);
                    let outcome = if timed_out { Outcome::TimedOut } else { Outcome::Disconnected };
                    let (node, channel) = key;
                    completed.push(Completed { node, channel, sent_at: request.sent_at, context, outcome });
                }
            }
        }
        if metadata_was_due {
            self.metadata.failed_update(now, out.random());
        }
        self.metadata.request_update(false);
        completed
    }

    fn maybe_connect(&mut self, node: NodeId, channel: Channel, now: Time, out: &mut Outbox<'_>) {
        let connection = self.connections.entry((node, channel)).or_insert_with(Connection::new);
        if connection.can_connect(now) {
            let timeout = connection.connecting(now, self.config.setup_timeout, out.random());
            let brokers_only = Request::Metadata(MetadataRequest { topics: Vec::new() });
            self.transmit(now, (node, channel), brokers_only, Purpose::Handshake, timeout, out);
        }
    }

    fn transmit(
        &mut self,
        now: Time,
        (node, channel): (NodeId, Channel),
        request: Request,
        purpose: Purpose<T>,
        timeout: Duration,
        out: &mut Outbox<'_>,
    ) -> u32 {
        let correlation_id = self.take_correlation_id();
        let api: ApiKey = request.api();
        let connection = self.connections.entry((node, channel)).or_insert_with(Connection::new);
        connection.in_flight.push_back(InFlight {
            correlation_id,
            api,
            sent_at: now,
            deadline: now + timeout,
            purpose,
        });
        out.request(node, channel, correlation_id, request);
        correlation_id
    }

    fn take_correlation_id(&mut self) -> u32 {
        let id = self.next_correlation_id;
        self.next_correlation_id = id.wrapping_add(1);
        id
    }

    fn any_ready(&self, channel: Channel) -> bool {
        self.any_in(channel, ConnectionState::Ready)
    }

    fn any_connecting(&self, channel: Channel) -> bool {
        self.any_in(channel, ConnectionState::Connecting)
    }

    fn any_in(&self, channel: Channel, state: ConnectionState) -> bool {
        let brokers: &[BrokerId] = self.metadata.brokers();
        brokers.iter().any(|broker| self.connection_state(broker.node(), channel) == state)
    }
}

#[cfg(test)]
mod tests;
