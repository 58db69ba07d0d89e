//! The world's own client: it creates the scenario's topics while the cluster boots, as an administrator would with
//! `kafka-topics --create`, and is idle ever after.

use crate::base::{Duration, NodeId, Prng, Time};
use crate::node::{Body, Channel, ConnectionId, Crash, LoopTimer, Message, Node, Outbox, Timer};
use crate::protocol::{CreateTopicsRequest, ErrorCode, NewTopic, Request, Response};
use std::rc::Rc;

/// By then every broker has registered and is unfenced, so that replicas are placed on all of them.
const FIRST_TRY: Time = Time(5_000_000);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// Creates topics.
#[derive(Clone, Hash, Debug)]
pub(super) struct Admin {
    controllers: Rc<[NodeId]>,
    /// What is left to create, and what the controller last said.
    topics: Vec<(NewTopic, ErrorCode)>,
    tries: u32,
}

impl Admin {
    pub fn new(controllers: Rc<[NodeId]>, topics: &[NewTopic]) -> Self {
        let topics = topics.iter().map(|topic| (topic.clone(), ErrorCode::RequestTimedOut)).collect();
        Admin { controllers, topics, tries: 0 }
    }

    /// The first topic that could not be created, and why.
    pub fn failure(&self) -> Option<(Rc<str>, ErrorCode)> {
        self.topics.first().map(|(topic, error)| (topic.name.clone(), *error))
    }
}

impl Node for Admin {
    fn on_start(&mut self, _now: Time, out: &mut Outbox<'_>) {
        if !self.topics.is_empty() {
            out.set_timer(Timer::Loop(LoopTimer::Generate), FIRST_TRY);
        }
    }

    fn on_message(&mut self, _now: Time, _from: NodeId, message: Message, out: &mut Outbox<'_>) {
        let Body::Response(Response::CreateTopics(response)) = message.body else { return };
        for result in response.topics {
            let done = matches!(result.error, ErrorCode::None | ErrorCode::TopicAlreadyExists);
            self.topics.retain(|(topic, _)| !(done && topic.name == result.name));
            if let Some((_, error)) = self.topics.iter_mut().find(|(topic, _)| topic.name == result.name) {
                *error = result.error;
            }
        }
        if self.topics.is_empty() {
            out.cancel_timer(Timer::Loop(LoopTimer::Generate));
        }
    }

    fn on_disconnect(&mut self, _now: Time, _peer: NodeId, _connection: ConnectionId, _out: &mut Outbox<'_>) {}

    fn on_timer(&mut self, now: Time, _timer: Timer, out: &mut Outbox<'_>) {
        if self.topics.is_empty() || now + PAUSE >= Time::ORIGIN {
            return;
        }
        let controller = self.controllers[self.tries as usize % self.controllers.len()];
        self.tries += 1;
        let topics = self.topics.iter().map(|(topic, _)| topic.clone()).collect();
        let request = Request::CreateTopics(CreateTopicsRequest { topics });
        out.request(controller, Channel::Forwarding, self.tries, request);
        out.set_timer(Timer::Loop(LoopTimer::Generate), now + PAUSE);
    }

    fn on_crash(&mut self, _now: Time, _crash: Crash, _random: &mut Prng) {}
}
