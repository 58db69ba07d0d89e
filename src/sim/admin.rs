//! The world's own client: it creates the scenario's topics and sets its groups' settings while the cluster boots, as an
//! administrator would with `kafka-topics --create` and `kafka-configs`; later it does what the scenario's administrator wants.
//!
//! It speaks to the controllers (KIP-919), and to leaders where only they can help: to the next one after `NOT_CONTROLLER`, a broken connection or silence, until
//! `default.api.timeout.ms` is over.

use super::task::AdminTask;
use crate::base::config::Properties;
use crate::base::{BrokerId, Duration, NodeId, Prng, Time};
use crate::node::{Body, Channel, ConnectionId, Crash, Event, LoopTimer, Message, Node, Outbox, Timer};
use crate::protocol::{
    ActiveProducer, CreateTopicsRequest, ErrorCode, MetadataRequest, NewTopic, Request, Response, TopicMetadata,
};
use std::rc::Rc;

/// By then every broker has registered and is unfenced, so that replicas are placed on all of them.
const FIRST_TRY: Time = Time(5_000_000);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);
/// `retry.backoff.ms`
const RETRY_BACKOFF: Duration = Duration::from_millis(100);
/// `request.timeout.ms`
const REQUEST_TIMEOUT: Duration = Duration::from_millis(30_000);
/// `default.api.timeout.ms`
const API_TIMEOUT: Duration = Duration::from_millis(60_000);

/// Creates topics and does what it is told.
#[derive(Clone, Hash, Debug)]
pub(super) struct Admin {
    brokers: Rc<[NodeId]>,
    controllers: Rc<[NodeId]>,
    /// What is left to create, and what the controller last said.
    topics: Vec<(NewTopic, ErrorCode)>,
    /// Requests sent so far: the next one's correlation id.
    tries: u32,
    /// Which controller, and which broker, is asked next.
    target: usize,
    tasks: Vec<Running>,
}

/// A task under way.
#[derive(Clone, Hash, Debug)]
struct Running {
    task: AdminTask,
    /// What was found out about its topic, if that had to be asked for first.
    known: Option<TopicMetadata>,
    /// Whose transaction is to be ended.
    producer: Option<ActiveProducer>,
    give_up_at: Time,
    /// Of the request in flight, and to whom it went.
    in_flight: Option<(u32, NodeId)>,
    /// When to send it again, or to stop waiting for the answer.
    due: Time,
}

impl Running {
    fn new(task: AdminTask, due: Time) -> Self {
        Running { task, known: None, producer: None, give_up_at: due + API_TIMEOUT, in_flight: None, due }
    }
}

impl Admin {
    pub fn new(
        brokers: Rc<[NodeId]>,
        controllers: Rc<[NodeId]>,
        topics: &[NewTopic],
        groups: &[(Rc<str>, Properties)],
    ) -> Self {
        let topics = topics.iter().map(|topic| (topic.clone(), ErrorCode::RequestTimedOut)).collect();
        let settings = groups.iter().cloned().map(|(group, config)| AdminTask::AlterGroupConfig { group, config });
        let tasks = settings.map(|task| Running::new(task, FIRST_TRY)).collect();
        Admin { brokers, controllers, topics, tries: 0, target: 0, tasks }
    }

    /// The first topic that could not be created, and why.
    pub fn failure(&self) -> Option<(Rc<str>, ErrorCode)> {
        self.topics.first().map(|(topic, error)| (topic.name.clone(), *error))
    }

    /// Whether nothing is left to do.
    pub fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Begins a task.
    pub fn begin(&mut self, now: Time, task: AdminTask, out: &mut Outbox<'_>) {
        self.tasks.push(Running::new(task, now));
        self.pump(now, out);
    }

    /// Sends what is due, gives up what has taken too long.
    fn pump(&mut self, now: Time, out: &mut Outbox<'_>) {
        for running in &mut self.tasks {
            if running.due > now {
                continue;
            }
            if let Some((_, silent)) = running.in_flight.take() {
                out.disconnect(silent, Channel::Forwarding);
                self.target += 1;
            }
            if running.give_up_at <= now {
                continue;
            }
            self.tries += 1;
            let known = running.known.as_ref();
            let pick = |all: &[NodeId]| all[self.target % all.len()];
            let (to, request) = match running.task.asks_for().filter(|_| known.is_none()) {
                Some(topic) => {
                    (pick(&self.brokers), Request::Metadata(MetadataRequest { topics: vec![topic.clone()] }))
                }
                None => {
                    let leader = running.task.leader(known).map(BrokerId::node);
                    (
                        leader.unwrap_or_else(|| pick(&self.controllers)),
                        running.task.request(known, running.producer.as_ref()),
                    )
                }
            };
            out.request(to, Channel::Forwarding, self.tries, request);
            running.in_flight = Some((self.tries, to));
            running.due = running.give_up_at.min(now + REQUEST_TIMEOUT);
        }
        self.tasks.retain(|running| {
            let over = running.give_up_at <= now && running.in_flight.is_none();
            if over {
                let (api, peer) = (running.task.api(), self.controllers[0]);
                out.emit(Event::RequestFailed { api, peer, error: ErrorCode::RequestTimedOut });
            }
            !over
        });
        match self.tasks.iter().map(|running| running.due).min() {
            Some(due) => out.set_timer(Timer::Loop(LoopTimer::Poll), due),
            None => out.cancel_timer(Timer::Loop(LoopTimer::Poll)),
        }
    }

    fn answered(&mut self, now: Time, from: NodeId, correlation: u32, response: &Response, out: &mut Outbox<'_>) {
        let mine = |running: &Running| running.in_flight.is_some_and(|(id, _)| id == correlation);
        let Some(at) = self.tasks.iter().position(mine) else { return };
        let running = &mut self.tasks[at];
        running.in_flight = None;
        let error = response.error();
        let again = matches!(
            error,
            ErrorCode::NotController
                | ErrorCode::RequestTimedOut
                | ErrorCode::NotLeaderOrFollower
                | ErrorCode::LeaderNotAvailable
        );
        match response {
            Response::Metadata(metadata) if !error.is_error() || error == ErrorCode::LeaderNotAvailable => {
                running.known = metadata.topics.first().cloned();
                let leaderless = running.task.leader(running.known.as_ref()) == Some(BrokerId::NONE);
                running.known.take_if(|_| leaderless);
                running.due = if leaderless { now + RETRY_BACKOFF } else { now };
            }
            Response::DescribeProducers(described) if !error.is_error() => {
                let producers = described.partitions.first().map_or(&[][..], |partition| &partition.producers);
                running.producer = running.task.chosen(producers);
                running.due = now;
                if running.producer.is_none() {
                    // "Could not find any open transactions starting at offset …"
                    let api = running.task.api();
                    self.tasks.remove(at);
                    out.emit(Event::RequestFailed { api, peer: from, error: ErrorCode::InvalidTxnState });
                }
            }
            _ if again => {
                self.target += 1;
                (running.known, running.producer) = (None, None);
                running.due = now + RETRY_BACKOFF;
            }
            _ => {
                let api = running.task.api();
                self.tasks.remove(at);
                if error.is_error() {
                    out.emit(Event::RequestFailed { api, peer: from, error });
                }
            }
        }
        self.pump(now, out);
    }

    fn topics_created(&mut self, results: Vec<crate::protocol::NewTopicResult>, out: &mut Outbox<'_>) {
        for result in results {
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

    fn create_topics(&mut self, now: Time, out: &mut Outbox<'_>) {
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
}

impl Node for Admin {
    fn on_start(&mut self, _now: Time, out: &mut Outbox<'_>) {
        if !self.topics.is_empty() {
            out.set_timer(Timer::Loop(LoopTimer::Generate), FIRST_TRY);
        }
        if !self.tasks.is_empty() {
            out.set_timer(Timer::Loop(LoopTimer::Poll), FIRST_TRY);
        }
    }

    fn on_message(&mut self, now: Time, from: NodeId, message: Message, out: &mut Outbox<'_>) {
        match message.body {
            Body::Response(Response::CreateTopics(response)) => self.topics_created(response.topics, out),
            Body::Response(response) => self.answered(now, from, message.correlation_id, &response, out),
            Body::Request(_) => {}
        }
    }

    fn on_disconnect(&mut self, now: Time, peer: NodeId, _connection: ConnectionId, out: &mut Outbox<'_>) {
        self.target += 1;
        for running in &mut self.tasks {
            if running.in_flight.take_if(|(_, to)| *to == peer).is_some() {
                running.known = None;
                running.due = running.give_up_at.min(now + RETRY_BACKOFF);
            }
        }
        self.pump(now, out);
    }

    fn on_timer(&mut self, now: Time, timer: Timer, out: &mut Outbox<'_>) {
        match timer {
            Timer::Loop(LoopTimer::Generate) => self.create_topics(now, out),
            _ => self.pump(now, out),
        }
    }

    fn on_crash(&mut self, _now: Time, _crash: Crash, _random: &mut Prng) {}
}
