//! How parcels are sent, arrive, hang, and how connections end: the engine's half of [`network`](super::network).

use super::engine::{Engine, Machine, Process};
use super::fault::MessageKind;
use super::network::State;
use super::post::{Content, HELD, Parcel};
use super::queue::{Entry, What};
use crate::base::{NodeId, Time};
use crate::node::{Body, Channel, ConnectionId, Event, Message, MessageId, RequestContext};
use crate::protocol::{ApiKey, Request, Response};

/// A parcel that a fault acts on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Target {
    pub parcel: u32,
    pub order: u64,
    pub message: MessageId,
}

/// Whether the sender had to write or read its log before it sent this: answers to Produce, Fetch and OffsetCommit, and a
/// follower's next fetch, which leaves when the last one's records are appended.
fn waits_for_disk(message: &Message) -> bool {
    let kind = MessageKind::of(&message.body);
    match kind.api {
        ApiKey::Produce | ApiKey::OffsetCommit => kind.response,
        ApiKey::Fetch => kind.response || message.connection.channel == Channel::Replication,
        _ => false,
    }
}

impl<N: Machine> Engine<N> {
    // ---- sending ----

    pub fn request(
        &mut self,
        from: NodeId,
        to: NodeId,
        channel: Channel,
        correlation_id: u32,
        request: Request,
        cause: u64,
    ) {
        let connection = self.network.open(from, to, channel);
        let (id, works) = (connection.id, connection.state == State::Open);
        let message = Message { id: self.message_id(), connection: id, correlation_id, body: Body::Request(request) };
        self.send(from, to, message, None, works, cause);
    }

    pub fn respond(&mut self, from: NodeId, context: RequestContext, response: Response, cause: u64) {
        let RequestContext { connection: id, correlation_id, request } = context;
        assert!(id.server == from, "invariant: only the server of a connection responds on it");
        let works = self.network.current(id).is_some_and(|it| it.state == State::Open && !it.forgotten);
        let message = Message { id: self.message_id(), connection: id, correlation_id, body: Body::Response(response) };
        self.send(from, id.client, message, Some(request), works, cause);
    }

    fn message_id(&mut self) -> MessageId {
        self.next_message += 1;
        MessageId(self.next_message - 1)
    }

    /// Sends a message; into the void, if the connection does not work.
    fn send(
        &mut self,
        from: NodeId,
        to: NodeId,
        message: Message,
        answers: Option<MessageId>,
        works: bool,
        cause: u64,
    ) {
        let (id, connection, kind) = (message.id, message.connection, MessageKind::of(&message.body));
        let summary = self.tracer.summarize(&message, answers);
        let sent = match &summary {
            Some(summary) => {
                let summary = summary.clone();
                self.record(from, cause, Event::MessageSent { message: id, to, connection, summary })
            }
            None => self.skip_event(),
        };
        let target = if works {
            let (parcel, order) = self.put(from, to, connection, !kind.response, Content::Message(message), sent);
            if let Some(parcel) = self.post.get_mut(parcel) {
                parcel.summary = summary;
            }
            Some(Target { parcel, order, message: id })
        } else {
            self.trace(from, sent, || Event::MessageLost { message: id });
            None
        };
        if self.counting && self.plan.waits_for_messages() {
            for action in self.plan.on_message(id, kind, from, to) {
                self.strike(&action, target, sent);
            }
        }
    }

    /// Puts a parcel on its way, behind what is on the same way already. Its place and order.
    fn put(
        &mut self,
        from: NodeId,
        to: NodeId,
        connection: ConnectionId,
        request: bool,
        content: Content,
        cause: u64,
    ) -> (u32, u64) {
        let order = self.next_order;
        self.next_order += 1;
        let mut arrives = self.now + self.network.latency(from, to, self.now);
        if let Content::Message(message) = &content
            && waits_for_disk(message)
        {
            arrives += self.slot(from).disk.slower_by(self.now);
        }
        let mut hangs = false;
        if let Some(it) = self.network.current(connection) {
            let flow = it.flow_mut(request);
            arrives = arrives.max(flow.last_arrival);
            flow.last_arrival = arrives;
            hangs = order >= flow.stalled_from;
        }
        let sent = self.now;
        let parcel = Parcel {
            from,
            to,
            connection,
            request,
            order,
            sequence: HELD,
            sent,
            arrives,
            cause,
            content,
            summary: None,
        };
        let place = self.post.insert(parcel);
        if !hangs {
            self.schedule(place, arrives);
        }
        (place, order)
    }

    fn schedule(&mut self, place: u32, arrives: Time) {
        let sequence = self.queue.push(arrives, What::Deliver(place));
        if let Some(parcel) = self.post.get_mut(place) {
            parcel.sequence = sequence;
            parcel.arrives = arrives;
        }
    }

    // ---- arriving ----

    /// A parcel comes up. Whether anything happened.
    pub fn arrive(&mut self, entry: Entry, place: u32) -> bool {
        let Some(parcel) = self.post.get(place).filter(|parcel| parcel.sequence == entry.sequence) else {
            return false;
        };
        let (from, to, connection, request) = (parcel.from, parcel.to, parcel.connection, parcel.request);
        let is_message = parcel.is_message();
        let current = self.network.current(connection).map(|it| (it.state, it.forgotten));
        let off = self.slot(to).process == Process::PoweredOff;
        if off || self.network.link(from, to).is_cut(self.now) {
            // It is sent again and again until somebody answers or nobody cares any more.
            let patient = if is_message { current.is_some() && (request || !off) } else { !off };
            return if patient { self.hold(place) } else { self.lose(place, 0) };
        }
        let slot = self.slot_mut(to);
        if slot.paused_until.is_some() {
            slot.waiting.push(entry);
            return false;
        }
        let running = slot.process == Process::Running;
        let knows = match (request, current) {
            (true, current) => running && !current.is_some_and(|(_, forgotten)| forgotten),
            (false, current) => running && current.is_some(),
        };
        if !is_message {
            return self.arrive_closed(place, knows);
        }
        if !knows {
            let broke = request && current.is_some_and(|(state, _)| state == State::Open);
            let cause = self.post.get(place).map_or(0, |parcel| parcel.cause);
            let lost = self.lose(place, 0);
            if broke {
                self.break_for_client(connection, cause);
            }
            return lost || broke;
        }
        let Some(Parcel { content: Content::Message(message), cause, .. }) = self.post.remove(place) else {
            return false;
        };
        let delivered = self.trace(to, cause, || Event::MessageDelivered { message: message.id });
        self.run(to, delivered, |it, now, out| it.on_message(now, from, message, out));
        true
    }

    /// The news arrives that a connection is closed.
    fn arrive_closed(&mut self, place: u32, knows: bool) -> bool {
        let Some(Parcel { from, to, connection, request, cause, .. }) = self.post.remove(place) else { return false };
        if !knows {
            return false;
        }
        if !request {
            let Some(it) = self.network.current(connection).filter(|it| it.state == State::Broken) else {
                return false;
            };
            it.state = State::Closed;
        }
        let event = self.record(to, cause, Event::Disconnected { peer: from, connection });
        self.run(to, event, |it, now, out| it.on_disconnect(now, from, connection, out));
        true
    }

    /// It waits until somebody releases it.
    fn hold(&mut self, place: u32) -> bool {
        if let Some(parcel) = self.post.get_mut(place) {
            parcel.sequence = HELD;
        }
        false
    }

    /// It never arrives. True if that was a message.
    pub fn lose(&mut self, place: u32, cause: u64) -> bool {
        match self.post.remove(place) {
            Some(Parcel { content: Content::Message(message), from, cause: sent, .. }) => {
                let cause = if cause == 0 { sent } else { cause };
                self.trace(from, cause, || Event::MessageLost { message: message.id });
                true
            }
            _ => false,
        }
    }

    /// Loses all parcels that `select` picks.
    pub fn lose_all(&mut self, cause: u64, select: impl Fn(&Parcel) -> bool) {
        for place in self.post.select(select) {
            self.lose(place, cause);
        }
    }

    /// A link works again: what waited for it goes on, in the order of sending.
    pub fn release(&mut self, from: NodeId, to: NodeId) {
        let mut floor = self.now;
        for place in self.post.select(|parcel| parcel.from == from && parcel.to == to) {
            let Some(parcel) = self.post.get(place) else { continue };
            let (connection, request, order) = (parcel.connection, parcel.request, parcel.order);
            let waits = parcel.sequence == HELD || parcel.arrives <= self.now;
            let planned = parcel.arrives;
            if self.network.current(connection).is_some_and(|it| order >= it.flow_mut(request).stalled_from) {
                continue;
            }
            let arrives = if waits { self.now + self.network.latency(from, to, self.now) } else { planned }.max(floor);
            floor = arrives;
            if let Some(it) = self.network.current(connection) {
                let flow = it.flow_mut(request);
                flow.last_arrival = flow.last_arrival.max(arrives);
            }
            self.schedule(place, arrives);
        }
    }

    /// The parcel at `place` and those behind it arrive no sooner than `arrives`.
    pub fn postpone(&mut self, place: u32, arrives: Time) {
        let Some(first) = self.post.get(place).filter(|it| it.sequence != HELD).cloned() else { return };
        for place in self.post.select(|parcel| parcel.is_not_before(&first) && parcel.sequence != HELD) {
            let later = self.post.get(place).map_or(arrives, |parcel| parcel.arrives.max(arrives));
            self.schedule(place, later);
            if let Some(it) = self.network.current(first.connection) {
                let flow = it.flow_mut(first.request);
                flow.last_arrival = flow.last_arrival.max(later);
            }
        }
    }

    // ---- closing ----

    /// A node closes a connection that it opened, or else one that it accepted.
    pub fn disconnect(&mut self, node: NodeId, peer: NodeId, channel: Channel, cause: u64) {
        let opened = self.network.connection(node, peer, channel).filter(|it| it.state != State::Closed);
        if let Some(id) = opened.map(|it| it.id) {
            return self.close_by_client(id, cause);
        }
        let accepted = self.network.connection(peer, node, channel);
        if let Some(id) = accepted.filter(|it| it.state == State::Open && !it.forgotten).map(|it| it.id) {
            self.close_by_server(id, cause);
        }
    }

    /// The client closes: what it sent still arrives unless it hangs, what it was sent does not.
    pub fn close_by_client(&mut self, id: ConnectionId, cause: u64) {
        let Some(connection) = self.network.current(id) else { return };
        let stalled = connection.requests.stalled_from != u64::MAX;
        let tell = connection.state == State::Open && !connection.forgotten && !stalled;
        self.lose_all(cause, |it| it.connection == id && (!it.request || it.sequence == HELD));
        if tell {
            self.tell(id, true, cause);
        }
        if let Some(connection) = self.network.current(id) {
            connection.state = State::Closed;
        }
    }

    /// The server closes: what it sent still arrives, then the client learns of it.
    pub fn close_by_server(&mut self, id: ConnectionId, cause: u64) {
        self.lose_all(cause, |it| it.connection == id && it.request);
        self.break_for_client(id, cause);
    }

    /// One end is going to learn that its connection is gone: the server, or the client.
    pub fn tell(&mut self, id: ConnectionId, server: bool, cause: u64) {
        let (from, to) = if server { (id.client, id.server) } else { (id.server, id.client) };
        self.put(from, to, id, server, Content::Closed, cause);
    }

    /// The client is going to learn that its connection is gone.
    pub fn break_for_client(&mut self, id: ConnectionId, cause: u64) {
        let Some(connection) = self.network.current(id) else { return };
        connection.state = State::Broken;
        self.tell(id, false, cause);
    }

    /// The message of that id on its way.
    pub fn target(&self, message: MessageId) -> Option<Target> {
        let is_it = |parcel: &Parcel| matches!(&parcel.content, Content::Message(it) if it.id == message);
        let (place, parcel) = self.post.iter().find(|(_, parcel)| is_it(parcel))?;
        Some(Target { parcel: place, order: parcel.order, message })
    }
}
