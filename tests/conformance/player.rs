//! Runs scripts against the engine: three real brokers and a controller on a small network, and what they answer.

use crate::cluster::{CONTROLLER, Cluster};
use crate::golden::{self, Answer};
use crate::recorder::{has_error, is_loading};
use crate::script::{Send, Sequence, Step, To, Topic, Until};
use crate::settings::{BROKERS, SETTINGS, rack};
use crate::translate::{Names, Refusal, request, response};
use crate::words::Words;
use delivery_lab::base::config::Properties;
use delivery_lab::base::{BrokerId, Time, TopicPartition};
use delivery_lab::metadata::Uuid;
use delivery_lab::node::{Channel, Crash};
use delivery_lab::protocol::{
    CoordinatorType, CreateTopicsRequest, FindCoordinatorRequest, MetadataRequest, NewTopic, Request, Response,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A step is over after this.
const PATIENCE_MS: u64 = 120_000;
/// For requests that nobody waits for: each its own connection.
pub const LANES: &[Channel] = &[
    Channel::Consumer,
    Channel::Coordinator,
    Channel::Replication,
    Channel::Quorum,
    Channel::Lifecycle,
    Channel::AlterPartition,
    Channel::Forwarding,
    Channel::Metadata,
];

/// A sequence being run.
pub struct Play {
    cluster: Cluster,
    words: Words,
    names: Names,
    running: BTreeSet<i32>,
    /// By name: lane, correlation, request.
    parked: BTreeMap<String, (Channel, u32, Send)>,
}

/// What the engine answers to a sequence.
pub fn play(sequence: &Sequence) -> Vec<Answer> {
    let mut play = Play::new(sequence);
    sequence.steps.iter().filter_map(|step| play.answer(sequence, step)).collect()
}

fn start_cluster(sequence: &Sequence) -> Cluster {
    let levels: Vec<_> = sequence.features.iter().map(|(name, level)| (name.as_str(), level.to_string())).collect();
    let levels = levels.iter().map(|(name, level)| (*name, level.as_str()));
    let own = sequence
        .settings
        .iter()
        .chain(&sequence.boot)
        .chain(&sequence.group)
        .map(|(key, value)| (key.as_str(), value.as_str()));
    let settings: Vec<(&str, &str)> = SETTINGS.iter().copied().chain(levels).chain(own).collect();
    Cluster::start_in_racks(BROKERS, &settings, |id| Some(rack(id.0).into()))
}

/// Kafka's own name for the cluster in scripts is `ours`.
pub const CLUSTER_ID: &str = "lab";

fn create(cluster: &mut Cluster, topic: &Topic) -> delivery_lab::base::TopicId {
    let topic = NewTopic {
        name: topic.name.as_str().into(),
        partitions: -1,
        replication_factor: -1,
        assignments: topic.replicas.iter().map(|ids| ids.iter().map(|id| BrokerId(*id)).collect()).collect(),
        config: topic.config.iter().cloned().collect::<Properties>(),
    };
    let name = topic.name.clone();
    let answer = cluster.call(0, Request::CreateTopics(CreateTopicsRequest { topics: vec![topic] }));
    assert!(!answer.error().is_error(), "{answer:?}");
    cluster.run_for(1_500);
    cluster.controller.image().topic_id(&name).expect("created")
}

impl Play {
    /// The cluster, with the topics that are there from the beginning.
    pub fn new(sequence: &Sequence) -> Play {
        let mut cluster = start_cluster(sequence);
        let first = sequence.topics.iter().filter(|topic| !topic.later);
        let names = Names::new(first.map(|topic| (topic.name.clone(), create(&mut cluster, topic))));
        let words = Words::new(cluster.now.wall_clock_ms());
        Play { cluster, words, names, running: (0..BROKERS).collect(), parked: BTreeMap::new() }
    }

    /// What a step of the sequence brings.
    pub fn answer(&mut self, sequence: &Sequence, step: &Step) -> Option<Answer> {
        if let Step::Add(name) = step {
            let id = create(&mut self.cluster, sequence.topic(name));
            self.names.learn(name, id);
        }
        let mut response = self.step(step)?;
        golden::in_order(&mut response);
        Some(Answer { step: step.label(), response })
    }

    /// Whether a request that nobody waited for has an answer.
    pub fn is_answered(&self, name: &str) -> bool {
        self.cluster.answers.contains_key(&self.parked[name].1)
    }

    fn step(&mut self, step: &Step) -> Option<Value> {
        match step {
            Step::Send(send) => return self.send(send),
            Step::Wait(name) => {
                let (_, correlation, send) = self.parked.remove(name).expect("it was sent");
                return Some(self.await_answer(correlation, &send));
            }
            Step::Quiet(name, ms) => {
                self.cluster.run_for(*ms);
                let (_, correlation, _) = self.parked[name];
                return Some(json!({ "answered": self.cluster.answers.contains_key(&correlation) }));
            }
            Step::Kill(id) => self.kill(*id),
            Step::KillCoordinator(kind, key) => {
                let broker = self.coordinator(*kind, key);
                self.kill(broker);
            }
            Step::Stop(id) => {
                self.cluster.shut_down(*id);
                let started = self.cluster.now;
                while self.cluster.broker(*id).is_running() {
                    assert!(self.waited_ms(started) < PATIENCE_MS, "broker {id} does not stop");
                    self.cluster.run_for(10);
                }
                self.running.remove(id);
            }
            Step::Start(id) => self.start(*id),
            Step::StartAll => {
                for id in 0..BROKERS {
                    if !self.running.contains(&id) {
                        self.start(id);
                    }
                }
            }
            Step::Until(until) => self.until(until),
            Step::Sleep(ms) => self.cluster.run_for(*ms),
            Step::Add(_) => {}
        }
        None
    }

    fn kill(&mut self, id: i32) {
        self.cluster.crash(id, Crash::Process);
        self.running.remove(&id);
    }

    fn start(&mut self, id: i32) {
        self.cluster.restart(id);
        self.running.insert(id);
    }

    fn send(&mut self, send: &Send) -> Option<Value> {
        let (mut started, mut left) = (self.cluster.now, send.repeat);
        loop {
            let broker = self.broker(&send.to);
            let now_ms = self.cluster.now.wall_clock_ms();
            let image = self.cluster.controller.image();
            let epoch = |id| image.broker(BrokerId(id)).map_or(-1, |registration| registration.epoch);
            self.words.broker_epochs = (0..BROKERS).map(epoch).collect();
            let request = match request(send, &mut self.names, &self.words, now_ms) {
                Ok(request) => request,
                Err(Refusal(why)) => return Some(json!({ "refused": why })),
            };
            if let Some(name) = &send.name {
                let is_free = |lane: &&Channel| self.parked.values().all(|(taken, ..)| taken != *lane);
                let lane = *LANES.iter().find(is_free).expect("fewer requests wait than there are lanes");
                let correlation = self.cluster.send_request(broker, lane, request);
                self.cluster.run_for(5);
                self.parked.insert(name.clone(), (lane, correlation, send.clone()));
                return None;
            }
            let correlation = self.cluster.send_request(broker, Channel::Producer, request);
            if send.silent {
                return Some(self.silent(broker, correlation));
            }
            let answer = self.await_answer(correlation, send);
            let again = is_loading(send, &answer) || send.again.as_ref().is_some_and(|it| has_error(&answer, it));
            if again && self.waited_ms(started) < PATIENCE_MS {
                self.cluster.run_for(100);
                continue;
            }
            started = self.cluster.now;
            left -= 1;
            if left == 0 {
                return Some(answer);
            }
        }
    }

    fn waited_ms(&self, since: Time) -> u64 {
        self.cluster.now.since(since).as_millis()
    }

    fn await_answer(&mut self, correlation: u32, send: &Send) -> Value {
        let started = self.cluster.now;
        while !self.cluster.answers.contains_key(&correlation) && self.waited_ms(started) < PATIENCE_MS {
            self.cluster.run_for(1);
        }
        for topic in ["__consumer_offsets", "__transaction_state"] {
            if let Some(id) = self.cluster.controller.image().topic_id(topic) {
                self.names.learn(topic, id);
            }
        }
        match self.cluster.answers.remove(&correlation) {
            Some(answer) => {
                let now_ms = self.cluster.now.wall_clock_ms();
                response(&answer, send, &self.names, &mut self.words, now_ms)
            }
            None => json!({ "unanswered": true }),
        }
    }

    /// What has no response, and then something that has one. (On this network, a closed connection opens again by itself.)
    fn silent(&mut self, broker: i32, correlation: u32) -> Value {
        self.cluster.closed.clear();
        let after = Request::Metadata(MetadataRequest { topics: Vec::new() });
        let after = self.cluster.send_request(broker, Channel::Producer, after);
        self.cluster.run_for(1_000);
        assert!(!self.cluster.answers.contains_key(&correlation), "acks=0 has no response");
        let answered = matches!(self.cluster.answers.remove(&after), Some(Response::Metadata(_)));
        let closed = self.cluster.closed.contains(&(BrokerId(broker).node(), Channel::Producer));
        assert!(answered || closed, "the connection is closed, or it goes on");
        json!({ "connection": if closed { "closed" } else { "open" } })
    }

    /// Who coordinates this; the first time its topic is created.
    fn coordinator(&mut self, kind: i8, key: &str) -> i32 {
        let (key_type, key) = match kind {
            0 => (CoordinatorType::Group, key.to_string()),
            1 => (CoordinatorType::Transaction, key.to_string()),
            _ => (CoordinatorType::Share, self.share_key(key)),
        };
        let started = self.cluster.now;
        loop {
            let running = *self.running.first().expect("a broker that runs");
            let request = Request::FindCoordinator(FindCoordinatorRequest { key: key.as_str().into(), key_type });
            let answer = self.cluster.call(running, request);
            match answer {
                // Who was just killed may still be said to be it.
                Response::FindCoordinator(it) if self.running.contains(&it.node.0) => return it.node.0,
                _ => assert!(self.waited_ms(started) < PATIENCE_MS, "nobody coordinates {key}: {answer:?}"),
            }
            self.cluster.run_for(100);
        }
    }

    /// `group:topic id:partition`, of `g:t:0`.
    fn share_key(&mut self, key: &str) -> String {
        let parts: Vec<&str> = key.split(':').collect();
        format!("{}:{}:{}", parts[0], Uuid::of_topic(self.names.id(parts[1])), parts[2])
    }

    fn broker(&mut self, to: &To) -> i32 {
        match to {
            To::Broker(id) => *id,
            To::Coordinator(kind, key) => self.coordinator(*kind, key),
            To::Controller => i32::from(CONTROLLER.0),
            To::Leader => self.cluster.leader(self.first(0)),
        }
    }

    /// A partition of the first topic.
    fn first(&self, partition: i32) -> TopicPartition {
        TopicPartition::new(self.names.first(), partition as u32)
    }

    fn until(&mut self, until: &Until) {
        let (id, started) = (self.first(until.partition), self.cluster.now);
        while !self.is_so(id, until) {
            assert!(self.waited_ms(started) < PATIENCE_MS, "{until:?} does not come");
            self.cluster.run_for(50);
        }
        self.cluster.run_for(50);
    }

    fn is_so(&self, id: TopicPartition, until: &Until) -> bool {
        self.running.iter().all(|broker| {
            let Some(it) = self.cluster.broker(*broker).image().partition(id) else { return false };
            let mut isr: Vec<i32> = it.isr.iter().map(|broker| broker.0).collect();
            isr.sort();
            let mut wanted = until.isr.clone().unwrap_or_default();
            wanted.sort();
            until.leader.is_none_or(|leader| it.leader.0 == leader) && (until.isr.is_none() || isr == wanted)
        })
    }
}
