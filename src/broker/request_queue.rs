//! Requests in the order of their connections: one at a time each.
//!
//! Kafka's `Processor` mutes a channel when it has read a request and unmutes it when the response is sent, so that the
//! responses of a connection leave in the order of its requests. Invariant: a muted connection has exactly one request
//! being handled or parked; an unmuted one has none waiting, unless it is in `ready`.
//!
//! Until the broker has been unfenced for the first time it accepts connections but handles nothing
//! (`SocketServer.enableRequestProcessing` is the last step of `BrokerServer.startup`).

use crate::base::NodeId;
use crate::base::SortedMap;
use crate::node::{Channel, ConnectionId, Message, Outbox, RequestContext};
use crate::protocol::Response;
use std::collections::VecDeque;

/// All connections that clients have opened.
#[derive(Clone, Hash, Debug, Default)]
pub struct RequestQueue {
    open: bool,
    connections: SortedMap<ConnectionId, Connection>,
    ready: VecDeque<ConnectionId>,
}

#[derive(Clone, Hash, Debug, Default)]
struct Connection {
    muted: bool,
    waiting: VecDeque<Message>,
}

impl RequestQueue {
    /// Takes a request in. It comes back at once if its connection is free; then the connection is muted.
    pub fn receive(&mut self, message: Message) -> Option<Message> {
        let connection = self.connections.entry(message.connection).or_default();
        if self.open && !connection.muted && connection.waiting.is_empty() {
            connection.muted = true;
            return Some(message);
        }
        connection.waiting.push_back(message);
        None
    }

    /// Starts to handle requests, those that came too early included.
    pub fn open(&mut self) {
        if !self.open {
            self.open = true;
            let waiting = self.connections.iter().filter(|(_, connection)| !connection.waiting.is_empty());
            self.ready.extend(waiting.map(|(id, _)| *id));
        }
    }

    /// Sends a response and unmutes the connection.
    pub fn respond(&mut self, to: RequestContext, response: Response, out: &mut Outbox<'_>) {
        if self.unmute(to.connection) {
            out.respond(to, response);
        }
    }

    /// The request wanted no response (acks=0): unmutes the connection.
    pub fn finish(&mut self, context: RequestContext) {
        self.unmute(context.connection);
    }

    /// Closes the connection: the only way to tell an acks=0 producer of an error.
    pub fn close(&mut self, context: RequestContext, out: &mut Outbox<'_>) {
        if self.connections.remove(&context.connection).is_some() {
            let (peer, channel): (NodeId, Channel) = (context.connection.client, context.connection.channel);
            out.disconnect(peer, channel);
        }
    }

    /// The connection is gone, and what waited on it.
    pub fn disconnected(&mut self, connection: ConnectionId) {
        self.connections.remove(&connection);
    }

    /// The next request whose connection has become free.
    pub fn next(&mut self) -> Option<Message> {
        while let Some(id) = self.ready.pop_front() {
            let Some(connection) = self.connections.get_mut(&id).filter(|connection| !connection.muted) else {
                continue;
            };
            if let Some(message) = connection.waiting.pop_front() {
                connection.muted = true;
                return Some(message);
            }
        }
        None
    }

    /// Whether the connection is still there.
    fn unmute(&mut self, id: ConnectionId) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else { return false };
        connection.muted = false;
        if !connection.waiting.is_empty() {
            self.ready.push_back(id);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Prng;
    use crate::node::{Body, Effect, MessageId};
    use crate::protocol::{MetadataRequest, MetadataResponse, Request};

    fn request(correlation_id: u32) -> Message {
        let connection =
            ConnectionId { client: NodeId(5), server: NodeId(0), channel: Channel::Producer, generation: 0 };
        let body = Body::Request(Request::Metadata(MetadataRequest { topics: Vec::new() }));
        Message { id: MessageId(u64::from(correlation_id)), connection, correlation_id, body }
    }

    fn answer(queue: &mut RequestQueue, context: RequestContext) -> Vec<Effect> {
        let (mut effects, mut random) = (Vec::new(), Prng::split(0, "test"));
        let response =
            Response::Metadata(MetadataResponse { brokers: Vec::new(), racks: Default::default(), topics: Vec::new() });
        queue.respond(context, response, &mut Outbox::new(&mut effects, &mut random));
        effects
    }

    #[test]
    fn a_connection_is_muted_until_its_response_is_sent() {
        let mut queue = RequestQueue::default();
        queue.open();
        let first = queue.receive(request(1)).expect("free");
        assert!(queue.receive(request(2)).is_none());
        assert!(queue.next().is_none());
        assert_eq!(answer(&mut queue, first.context()).len(), 1);
        assert_eq!(queue.next().expect("unmuted").correlation_id, 2);
        assert!(queue.next().is_none());
    }

    #[test]
    fn early_requests_wait_and_a_broken_connection_forgets_them() {
        let mut queue = RequestQueue::default();
        assert!(queue.receive(request(1)).is_none());
        queue.open();
        let first = queue.next().expect("opened");
        assert!(queue.receive(request(2)).is_none());
        queue.disconnected(first.connection);
        assert!(answer(&mut queue, first.context()).is_empty(), "nobody is there to read it");
        assert!(queue.next().is_none());
    }
}
