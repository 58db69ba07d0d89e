//! An external system with a node of its own: applications ask it over the network, and it can be slow, fail, lose its reply,
//! crash, be paused or cut off like any other.
//!
//! Invariants: a request takes effect when it arrives, all of it or nothing; its reply leaves [`SinkSetup::latency`](super::SinkSetup)
//! later. What it holds survives every crash, as that of a database does; replies that have not left do not: their programs do not know.
//! Requests of a connection are answered in order.

use super::{Sink, SinkNodeSetup};
use crate::base::{NodeId, Prng, Time};
use crate::node::{Body, ConnectionId, Crash, Event, LoopTimer, Message, Node, Outbox, RequestContext, Timer};
use crate::protocol::{Request, Response};
use std::collections::VecDeque;
use std::rc::Rc;

/// What a crash destroys: replies that are due at some time.
type Replies = VecDeque<(Time, RequestContext, Response)>;

/// See the module.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct SinkNode {
    setup: Rc<SinkNodeSetup>,
    table: Sink,
    /// How often it was started.
    lives: u32,
    running: Option<Replies>,
}

impl SinkNode {
    /// Not started yet, and empty.
    pub fn new(setup: SinkNodeSetup) -> Self {
        SinkNode { table: Sink::new(setup.sink), setup: Rc::new(setup), lives: 0, running: None }
    }

    /// What it was told.
    pub fn setup(&self) -> &Rc<SinkNodeSetup> {
        &self.setup
    }

    /// What it holds.
    pub fn table(&self) -> &Sink {
        &self.table
    }

    /// How many replies are yet to leave.
    pub fn replying(&self) -> usize {
        self.running.as_ref().map_or(0, VecDeque::len)
    }

    fn reply(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(replies) = &mut self.running else { return };
        while let Some((_, to, response)) = replies.pop_front_if(|(due, _, _)| *due <= now) {
            out.respond(to, response);
        }
        if let Some((due, _, _)) = replies.front() {
            out.set_timer(Timer::Loop(LoopTimer::Reply), *due);
        }
    }
}

impl Node for SinkNode {
    fn on_start(&mut self, _now: Time, _out: &mut Outbox<'_>) {
        self.lives += 1;
        self.running = Some(Replies::new());
    }

    fn on_message(&mut self, now: Time, from: NodeId, message: Message, out: &mut Outbox<'_>) {
        let context = message.context();
        let response = match &message.body {
            Body::Request(Request::SinkWrite(request)) => {
                let response = self.table.request(now, request, |write, happened| {
                    let (record, partition, offset, by) = (write.record, write.partition, write.offset, from);
                    out.emit(match happened {
                        true => Event::Processed { record, partition, offset, by },
                        false => Event::SinkRefused { record, partition, offset, by },
                    });
                });
                response.map(Response::SinkWrite)
            }
            Body::Request(Request::SinkOffsets(request)) => {
                Some(Response::SinkOffsets(self.table.read_offsets(request)))
            }
            other => unreachable!("invariant: nobody asks a sink for {}", other.name()),
        };
        if let (Some(replies), Some(response)) = (&mut self.running, response) {
            replies.push_back((now + self.setup.sink.latency, context, response));
        }
        self.reply(now, out);
    }

    fn on_disconnect(&mut self, _now: Time, _peer: NodeId, _connection: ConnectionId, _out: &mut Outbox<'_>) {}

    fn on_timer(&mut self, now: Time, _timer: Timer, out: &mut Outbox<'_>) {
        self.reply(now, out);
    }

    fn on_crash(&mut self, _now: Time, _crash: Crash, _random: &mut Prng) {
        self.running = None;
    }
}
