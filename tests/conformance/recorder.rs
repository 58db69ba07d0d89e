//! Runs scripts against a real Kafka and writes down what it answers.

use crate::client::{Call, Connection, Schemas};
use crate::golden::{self, Answer};
use crate::kafka::{CONTROLLER, Kafka};
use crate::script::{Send, Sequence, Step, To, Topic, Until};
use crate::settings::BROKERS;
use crate::wire::now_ms;
use crate::words::Words;
use delivery_lab::protocol::ErrorCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Recorder {
    pub kafka: Kafka,
    pub schemas: Schemas,
    /// As they are, where that is not the newest level.
    features: Vec<(String, i16)>,
}

/// One sequence being run.
struct Run<'a> {
    recorder: &'a mut Recorder,
    words: Words,
    /// Of groups and transactional ids.
    prefix: String,
    topics: Vec<(String, String, [u8; 16])>,
    connections: BTreeMap<i32, Connection>,
    parked: BTreeMap<String, (Connection, Send)>,
}

impl Recorder {
    pub fn start(jars: &Path, java: &str, logs: &Path) -> Recorder {
        let (kafka, schemas) = (Kafka::start(jars, java, logs), Schemas::new(jars));
        let mut recorder = Recorder { kafka, schemas, features: Vec::new() };
        recorder.await_brokers();
        recorder.spend_first_ids();
        recorder
    }

    /// Errors are answered with the producer id 0, which should not be anybody's.
    fn spend_first_ids(&mut self) {
        let body = json!({ "transactionalId": null, "transactionTimeoutMs": 60000 });
        for broker in 0..BROKERS {
            let call = Call { api: "InitProducerId", version: 5, body: &body, prefix: "" };
            while self.ask(broker, call).is_none_or(|answer| has_error(&answer, "COORDINATOR_LOAD_IN_PROGRESS")) {
                std::thread::sleep(POLL);
            }
        }
    }

    /// Records a family.
    pub fn record(&mut self, folder: &Path, family: &str, sequences: &[Sequence]) {
        if family.starts_with("share") {
            self.await_share_coordinators();
        }
        let mut recorded = Vec::new();
        for sequence in sequences {
            println!("  {family}/{}", sequence.name);
            self.boot(&sequence.boot);
            self.finalize(&sequence.features);
            self.configure(&sequence.settings, true);
            self.configure_group(&format!("{family}.{}.g", sequence.name), &sequence.group);
            recorded.push((sequence.name.clone(), self.sequence(family, sequence)));
            self.heal();
            self.configure(&sequence.settings, false);
        }
        self.finalize(&[]);
        self.boot(&[]);
        golden::write(&folder.join(format!("{family}.json")), &recorded);
    }

    fn sequence(&mut self, family: &str, sequence: &Sequence) -> Vec<Answer> {
        let mut run = Run {
            recorder: self,
            words: Words::new(now_ms()),
            prefix: format!("{family}.{}.", sequence.name),
            topics: Vec::new(),
            connections: BTreeMap::new(),
            parked: BTreeMap::new(),
        };
        for topic in &sequence.topics {
            run.topics.push((topic.name.clone(), format!("{}{}", run.prefix, topic.name), [0; 16]));
            if !topic.later {
                run.create(topic);
            }
        }
        let mut answers = Vec::new();
        for step in &sequence.steps {
            if let Step::Add(name) = step {
                run.create(sequence.topic(name));
            } else if let Some(mut response) = run.step(step) {
                golden::in_order(&mut response);
                answers.push(Answer { step: step.label(), response });
            }
        }
        let is_heard = |step: &Step, name: &String| matches!(step, Step::Wait(it) | Step::Quiet(it, _) if it == name);
        for name in run.parked.keys() {
            let heard = sequence.steps.iter().any(|step| is_heard(step, name));
            assert!(heard, "{}: {name} is not waited for", sequence.name);
        }
        answers
    }

    /// One call of our own, translated with nothing.
    fn ask(&mut self, broker: i32, call: Call<'_>) -> Option<Value> {
        let mut words = Words::new(now_ms());
        let mut connection = Connection::open(&self.kafka, broker);
        connection.send(&self.schemas, call, &mut words, &[]);
        connection.receive(&self.schemas, call, &mut words, &[])
    }

    /// What a broker knows of topics.
    fn metadata(&mut self, broker: i32, topic: &str) -> Value {
        let body = json!({ "topics": [{ "name": topic }], "allowAutoTopicCreation": false });
        self.ask(broker, Call { api: "Metadata", version: 9, body: &body, prefix: "" }).unwrap_or(Value::Null)
    }

    /// All brokers know all brokers.
    fn await_brokers(&mut self) {
        let started = Instant::now();
        for broker in 0..BROKERS {
            while self.metadata(broker, "-")["brokers"].as_array().map_or(0, Vec::len) != BROKERS as usize {
                assert!(started.elapsed() < PATIENCE, "broker {broker} does not see all others");
                std::thread::sleep(POLL);
            }
        }
    }

    /// The first who looks for one has their topic created.
    fn await_share_coordinators(&mut self) {
        for key in ["a", "b", "c"] {
            let body = json!({ "keyType": 2, "coordinatorKeys": [format!("{key}:AAAAAAAAAAAAAAAAAAAAAQ:0")] });
            let call = Call { api: "FindCoordinator", version: 6, body: &body, prefix: "" };
            while self.ask(0, call).is_none_or(|answer| has_error(&answer, "COORDINATOR_NOT_AVAILABLE")) {
                std::thread::sleep(POLL);
            }
        }
        std::thread::sleep(Duration::from_secs(3));
    }

    /// Brokers have these settings, and no others; most sequences need none.
    fn boot(&mut self, settings: &[(String, String)]) {
        if self.kafka.booted() != settings {
            self.kafka.reboot(settings);
            // The controller notices that they were gone, and leaders change once more.
            std::thread::sleep(Duration::from_secs(8));
            self.await_brokers();
        }
    }

    /// Brings features to these levels, and others back to their newest.
    fn finalize(&mut self, features: &[(String, i16)]) {
        let old = std::mem::replace(&mut self.features, features.to_vec());
        let back = old.iter().filter(|(name, _)| features.iter().all(|(other, _)| other != name));
        let back: Vec<(String, i16)> = back.map(|(name, _)| (name.clone(), newest_level(name))).collect();
        for (name, level) in back.iter().chain(features.iter().filter(|feature| !old.contains(feature))) {
            let from = old.iter().find(|(other, _)| other == name).map_or(newest_level(name), |(_, level)| *level);
            // 1 is an upgrade, 2 a downgrade that loses nothing.
            let update =
                json!({ "feature": name, "maxVersionLevel": level, "upgradeType": if *level > from { 1 } else { 2 } });
            let body = json!({ "timeoutMs": 30000, "featureUpdates": [update] });
            let call = Call { api: "UpdateFeatures", version: 1, body: &body, prefix: "" };
            let answer = self.ask(0, call).expect("a response");
            assert!(!has_other_error(&answer), "{name} to {level}: {answer}");
            let started = Instant::now();
            while (0..BROKERS).any(|broker| self.level(broker, name) != *level) {
                assert!(started.elapsed() < PATIENCE, "the brokers do not learn that {name} is {level}");
                std::thread::sleep(POLL);
            }
        }
    }

    /// Sets these settings of all brokers, or takes them back.
    fn configure(&mut self, settings: &[(String, String)], set: bool) {
        if settings.is_empty() {
            return;
        }
        let change = |(key, value): &(String, String)| json!({ "name": key, "configOperation": if set { 0 } else { 1 }, "value": value });
        let configs: Value = settings.iter().map(change).collect();
        let body = json!({ "resources": [{ "resourceType": 4, "resourceName": "", "configs": configs }] });
        let call = Call { api: "IncrementalAlterConfigs", version: 1, body: &body, prefix: "" };
        let answer = self.ask(0, call).expect("a response");
        assert!(!has_other_error(&answer), "{settings:?}: {answer}");
        std::thread::sleep(Duration::from_secs(1));
    }

    fn configure_group(&mut self, group: &str, settings: &[(String, String)]) {
        if settings.is_empty() {
            return;
        }
        let change = |(key, value): &(String, String)| json!({ "name": key, "configOperation": 0, "value": value });
        let configs: Value = settings.iter().map(change).collect();
        let body = json!({ "resources": [{ "resourceType": 32, "resourceName": group, "configs": configs }] });
        let answer = self.ask(0, Call { api: "IncrementalAlterConfigs", version: 1, body: &body, prefix: "" });
        let answer = answer.expect("a response");
        assert!(!has_other_error(&answer), "{settings:?}: {answer}");
        std::thread::sleep(Duration::from_millis(500));
    }

    /// A feature's finalised level, as a broker has it; one that is not finalised is at 0.
    fn level(&mut self, broker: i32, name: &str) -> i16 {
        let body = json!({ "clientSoftwareName": "delivery-lab", "clientSoftwareVersion": "1" });
        let call = Call { api: "ApiVersions", version: 4, body: &body, prefix: "" };
        let answer = self.ask(broker, call).expect("a response");
        let features = answer["finalizedFeatures"].as_array().cloned().unwrap_or_default();
        let level = features.iter().find(|it| it["name"] == name).and_then(|it| it["maxVersionLevel"].as_i64());
        level.unwrap_or(0) as i16
    }

    /// Starts what a sequence stopped.
    fn heal(&mut self) {
        let dead: Vec<i32> = (0..BROKERS).filter(|id| !self.kafka.is_running(*id)).collect();
        for id in &dead {
            self.kafka.launch(*id);
        }
        for id in &dead {
            self.kafka.await_port(*id);
        }
        if !dead.is_empty() {
            self.await_brokers();
        }
    }
}

impl Run<'_> {
    fn create(&mut self, topic: &Topic) {
        let real = format!("{}{}", self.prefix, topic.name);
        let assignments = topic.replicas.iter().enumerate();
        let assignments: Vec<Value> =
            assignments.map(|(at, replicas)| json!({ "partitionIndex": at, "brokerIds": replicas })).collect();
        let configs: Vec<Value> =
            topic.config.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        let body = json!({ "topics": [{ "name": real, "numPartitions": -1, "replicationFactor": -1,
            "assignments": assignments, "configs": configs }], "timeoutMs": 30000 });
        let call = Call { api: "CreateTopics", version: 5, body: &body, prefix: "" };
        let created = self.recorder.ask(0, call).expect("a response");
        assert_eq!(created["topics"][0]["errorCode"], "NONE", "{created}");
        for (at, replicas) in topic.replicas.iter().enumerate() {
            let until = Until { partition: at as i32, leader: Some(replicas[0]), isr: Some(replicas.clone()) };
            self.until_of(&real, &until);
        }
        let id = self.recorder.kafka.topic_id(topic.replicas[0][0], &real);
        let named = self.topics.iter_mut().find(|(_, name, _)| *name == real);
        named.expect("a topic of the sequence").2 = id;
    }

    fn step(&mut self, step: &Step) -> Option<Value> {
        match step {
            Step::Send(send) if send.name.is_some() => {
                let broker = self.broker(&send.to);
                let mut connection = Connection::open(&self.recorder.kafka, broker);
                self.send(&mut connection, send);
                // It has to be there before whatever comes next on another connection.
                connection.has_response(POLL);
                self.parked.insert(send.name.clone().expect("it has one"), (connection, send.clone()));
                None
            }
            Step::Send(send) if send.silent => Some(self.silent(send)),
            Step::Send(send) => Some(self.call(send)),
            Step::Wait(name) => {
                let (mut connection, send) = self.parked.remove(name).unwrap_or_else(|| panic!("no {name} was sent"));
                Some(self.receive(&mut connection, &send))
            }
            Step::Quiet(name, ms) => {
                let (connection, _) = self.parked.get_mut(name).unwrap_or_else(|| panic!("no {name} was sent"));
                Some(json!({ "answered": connection.has_response(Duration::from_millis(*ms)) }))
            }
            Step::Until(until) => {
                let first = self.topics[0].1.clone();
                self.until_of(&first, until);
                None
            }
            Step::Kill(_) | Step::Stop(_) | Step::Start(_) => {
                self.process(step);
                None
            }
            Step::KillCoordinator(kind, key) => {
                let broker = self.coordinator(*kind, key);
                self.process(&Step::Kill(broker));
                None
            }
            Step::StartAll => {
                self.recorder.heal();
                self.connections.clear();
                None
            }
            Step::Sleep(ms) => {
                std::thread::sleep(Duration::from_millis(*ms));
                None
            }
            Step::Add(_) => unreachable!("the sequence knows the topic"),
        }
    }

    fn process(&mut self, step: &Step) {
        let kafka = &mut self.recorder.kafka;
        match step {
            Step::Kill(id) => kafka.kill(*id),
            Step::Stop(id) => kafka.stop(*id),
            Step::Start(id) => {
                kafka.launch(*id);
                kafka.await_port(*id);
            }
            _ => {}
        }
        self.connections.clear();
    }

    fn broker(&mut self, to: &To) -> i32 {
        match to {
            To::Broker(id) => *id,
            To::Coordinator(kind, key) => self.coordinator(*kind, key),
            To::Controller => CONTROLLER,
            To::Leader => {
                let topic = self.topics[0].1.clone();
                let running = (0..BROKERS).find(|id| self.recorder.kafka.is_running(*id)).expect("a broker that runs");
                let metadata = self.recorder.metadata(running, &topic);
                metadata["topics"][0]["partitions"][0]["leaderId"].as_i64().expect("a leader") as i32
            }
        }
    }

    /// Who coordinates a group or a transactional id; the first time its topic is created.
    fn coordinator(&mut self, kind: i8, key: &str) -> i32 {
        let key = if kind == 2 { self.share_key(key) } else { format!("{}{key}", self.prefix) };
        let body = json!({ "keyType": kind, "coordinatorKeys": [key] });
        let version = if kind == 2 { 6 } else { 4 };
        let call = Call { api: "FindCoordinator", version, body: &body, prefix: "" };
        let running = (0..BROKERS).find(|id| self.recorder.kafka.is_running(*id)).expect("a broker that runs");
        let started = Instant::now();
        loop {
            let answer = self.recorder.ask(running, call).expect("a response");
            // Who was just killed may still be said to be it.
            let node = answer["coordinators"][0]["nodeId"].as_i64().map_or(-1, |node| node as i32);
            if self.recorder.kafka.is_running(node) {
                return node;
            }
            assert!(started.elapsed() < PATIENCE, "nobody coordinates {key}: {answer}");
            std::thread::sleep(POLL);
        }
    }

    /// `group:topic id:partition`, of `g:t:0`.
    fn share_key(&self, key: &str) -> String {
        use base64::Engine as _;
        let parts: Vec<&str> = key.split(':').collect();
        let topic = self.topics.iter().find(|(name, ..)| *name == parts[1]).expect("a topic of the sequence");
        format!("{}{}:{}:{}", self.prefix, parts[0], base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(topic.2), parts[2])
    }

    fn send(&mut self, connection: &mut Connection, send: &Send) {
        if send.body.to_string().contains("\"E") {
            self.words.broker_epochs = self.recorder.kafka.broker_epochs();
        }
        let prefix = self.prefix.clone();
        let call = Call { api: &send.api, version: send.version, body: &send.body, prefix: &prefix };
        connection.send(&self.recorder.schemas, call, &mut self.words, &self.topics);
    }

    fn receive(&mut self, connection: &mut Connection, send: &Send) -> Value {
        let prefix = self.prefix.clone();
        let call = Call { api: &send.api, version: send.version, body: &send.body, prefix: &prefix };
        let response = connection.receive(&self.recorder.schemas, call, &mut self.words, &self.topics);
        response.unwrap_or_else(|| json!({ "connection": connection.end }))
    }

    fn call(&mut self, send: &Send) -> Value {
        let mut broker = self.broker(&send.to);
        let (mut started, mut left) = (Instant::now(), send.repeat);
        loop {
            let mut connection =
                self.connections.remove(&broker).unwrap_or_else(|| Connection::open(&self.recorder.kafka, broker));
            self.send(&mut connection, send);
            let response = self.receive(&mut connection, send);
            if response.get("connection").is_none() {
                self.connections.insert(broker, connection);
            }
            let again = is_loading(send, &response) || send.again.as_ref().is_some_and(|it| has_error(&response, it));
            if again && started.elapsed() < PATIENCE {
                std::thread::sleep(POLL);
                broker = self.broker(&send.to);
                continue;
            }
            started = Instant::now();
            left -= 1;
            if left == 0 {
                return response;
            }
        }
    }

    /// Sends what has no response, and then something that has one, on the same connection.
    fn silent(&mut self, send: &Send) -> Value {
        let broker = self.broker(&send.to);
        let mut connection = Connection::open(&self.recorder.kafka, broker);
        self.send(&mut connection, send);
        let body = json!({ "topics": [] });
        let after = Call { api: "Metadata", version: 9, body: &body, prefix: "" };
        connection.send(&self.recorder.schemas, after, &mut self.words, &self.topics);
        let answer = connection.receive(&self.recorder.schemas, after, &mut self.words, &self.topics);
        json!({ "connection": if answer.is_some() { "open" } else { "closed" } })
    }

    fn until_of(&mut self, topic: &str, until: &Until) {
        let started = Instant::now();
        let running: Vec<i32> = (0..BROKERS).filter(|id| self.recorder.kafka.is_running(*id)).collect();
        for broker in running {
            loop {
                let metadata = self.recorder.metadata(broker, topic);
                let partitions = metadata["topics"][0]["partitions"].as_array().cloned().unwrap_or_default();
                let it = partitions.iter().find(|it| it["partitionIndex"] == until.partition);
                if it.is_some_and(|it| is_so(it, until)) {
                    break;
                }
                assert!(started.elapsed() < PATIENCE, "broker {broker} says of {topic}: {metadata}, wanted {until:?}");
                std::thread::sleep(POLL);
            }
        }
        self.settled(topic, until);
    }

    /// Metadata are published a little before the replicas act on them.
    fn settled(&mut self, topic: &str, until: &Until) {
        let Some(leader) = until.leader.filter(|leader| *leader >= 0) else { return };
        let partition = json!({ "partitionIndex": until.partition, "timestamp": -2 });
        let body = json!({ "replicaId": -1, "topics": [{ "name": topic, "partitions": [partition] }] });
        let call = Call { api: "ListOffsets", version: 5, body: &body, prefix: "" };
        let started = Instant::now();
        while self.recorder.ask(leader, call).is_none_or(|answer| has_error(&answer, "NOT_LEADER_OR_FOLLOWER")) {
            assert!(started.elapsed() < PATIENCE, "broker {leader} does not lead {topic}");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn is_so(it: &Value, until: &Until) -> bool {
    let mut isr: Vec<i64> = it["isrNodes"].as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
    isr.sort();
    let mut wanted: Vec<i64> = until.isr.iter().flatten().map(|id| i64::from(*id)).collect();
    wanted.sort();
    until.leader.is_none_or(|leader| it["leaderId"] == leader) && (until.isr.is_none() || isr == wanted)
}

fn newest_level(feature: &str) -> i16 {
    assert_eq!(feature, "transaction.version", "no script needs others yet");
    2
}

fn has_other_error(response: &Value) -> bool {
    ErrorCode::ALL.iter().any(|error| *error != ErrorCode::None && has_error(response, error.name()))
}

/// Whether a coordinator is not there yet.
pub fn is_loading(send: &Send, response: &Value) -> bool {
    let loading = ["COORDINATOR_LOAD_IN_PROGRESS", "COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR"];
    matches!(send.to, To::Coordinator(..)) && loading.iter().any(|it| has_error(response, it))
}

/// Whether any error code in the response is named so.
pub fn has_error(response: &Value, error: &str) -> bool {
    match response {
        Value::Object(fields) => {
            fields.iter().any(|(name, value)| (name == "errorCode" && value == error) || has_error(value, error))
        }
        Value::Array(list) => list.iter().any(|value| has_error(value, error)),
        _ => false,
    }
}
