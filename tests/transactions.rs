//! Kafka's own end-to-end tests of transactions, as cases F of the list, on the whole cluster.

use delivery_lab::base::{NodeId, Offset, RecordId, SortedMap, TopicPartition};
use delivery_lab::node::{ClientError, Event};
use delivery_lab::protocol::ErrorCode;
use delivery_lab::scenario::{self, Trial};
use delivery_lab::sim::Recorded;
use serde_json::{Value, json};

/// A run, watched from outside.
struct Lab {
    trial: Trial,
    /// What every reader got, by reader.
    delivered: SortedMap<NodeId, Vec<(TopicPartition, Offset, RecordId)>>,
    /// What calls of transactional producers threw.
    thrown: Vec<(NodeId, ClientError)>,
    /// The transactions that calls of producers ended: who, and whether it was committed.
    ended: Vec<(NodeId, bool)>,
    /// How often a process was started, since the beginning.
    starts: u32,
}

fn run(scenario: Value) -> Lab {
    let scenario = scenario::parse(&scenario.to_string()).expect("a valid scenario");
    let trial = Trial::new(&scenario).expect("a valid scenario");
    let mut lab = Lab { trial, delivered: SortedMap::new(), thrown: Vec::new(), ended: Vec::new(), starts: 0 };
    while let Some(events) = lab.trial.step() {
        let events = events.to_vec();
        events.iter().for_each(|it| lab.note(it));
    }
    let run = &lab.trial.run;
    assert!(run.invariants.violations().is_empty(), "{:?}", run.invariants.violations());
    assert_eq!(run.lost_promises(), []);
    lab
}

impl Lab {
    fn note(&mut self, it: &Recorded) {
        match &it.event {
            Event::Delivered { record, partition, offset } => {
                self.delivered.entry(it.node).or_default().push((*partition, *offset, *record));
            }
            Event::ProducerFailed { error } => self.thrown.push((it.node, error.clone())),
            Event::TransactionEnded { committed, .. } => self.ended.push((it.node, *committed)),
            Event::Started => self.starts += 1,
            _ => {}
        }
    }

    fn node(&self, name: &str) -> NodeId {
        self.trial.names().id(name).expect("it is in the scenario")
    }

    /// What that reader got from that topic, by partition, in order.
    fn read(&self, reader: &str, topic: &str) -> Vec<Vec<u32>> {
        let topic = self.trial.run.world.topic_id(topic).expect("it is in the scenario");
        let mut by_partition: SortedMap<TopicPartition, Vec<u32>> = SortedMap::new();
        for (partition, _, record) in self.delivered.get(&self.node(reader)).into_iter().flatten() {
            if partition.topic == topic {
                by_partition.entry(*partition).or_default().push(record.0);
            }
        }
        by_partition.into_values().collect()
    }

    /// How many offsets its topics have, and how many of them a reader never got.
    fn gaps(&self, reader: &str, topic: &str) -> i64 {
        let world = &self.trial.run.world;
        let topic = world.topic_id(topic).expect("it is in the scenario");
        let logs = world.brokers().filter_map(|(_, it)| it.partition(TopicPartition::new(topic, 0)));
        let end = logs.filter(|it| it.is_leader()).map(|it| it.log().log_end_offset()).max().expect("one leads");
        let got = self.delivered.get(&self.node(reader)).into_iter().flatten();
        end - got.filter(|(partition, ..)| partition.topic == topic).count() as i64
    }
}

fn reader(name: &str, isolation: &str, topics: &[&str]) -> Value {
    json!({ "name": name, "topics": topics, "processing.ms": 1,
            "config": { "auto.offset.reset": "earliest", "isolation.level": isolation } })
}

/// F1, testBasicTransactions: of an aborted and a committed transaction on two topics who reads what is committed sees the
/// second, who reads everything sees both, and nobody sees a marker.
#[test]
fn f1_basic_transactions() {
    let lab = run(json!({ "version": 1, "seed": 1,
        "topics": [{ "name": "orders" }, { "name": "left" }, { "name": "right" }],
        "producers": [{ "name": "shop", "topic": "orders", "records": 4, "rate.per.second": 1000, "config": {} }],
        "processors": [{ "name": "copier", "from": ["orders"], "to": ["left", "right"], "processing.ms": 5,
                         "producer.config": { "transactional.id": "copier" },
                         "consumer.config": { "auto.offset.reset": "earliest" } }],
        "consumers": [reader("strict", "read_committed", &["left", "right"]),
                      reader("lax", "read_uncommitted", &["left", "right"])],
        "faults": [{ "on": { "event": "transaction-ending", "node": "copier", "nth": 1 },
                     "do": "crash", "node": "copier", "for.ms": 500 }] }));
    let copier = lab.node("copier");
    assert!(lab.ended.iter().all(|(node, committed)| *node == copier && *committed));
    for topic in ["left", "right"] {
        assert_eq!(lab.read("strict", topic), [[0, 1, 2, 3]], "{topic}: only what is committed");
        let seen = lab.read("lax", topic).concat();
        assert!(seen.len() > 4 && seen.ends_with(&[0, 1, 2, 3]), "{topic}: the aborted ones, too: {seen:?}");
        let markers = 1 + lab.ended.len() as i64;
        assert_eq!(lab.gaps("lax", topic), markers, "{topic}: an ABORT, and a COMMIT for each");
    }
    // What was acknowledged and then aborted is in the log, and `lax` has got it there.
    let lives = lab.trial.run.ledger.lives();
    assert!(lives.filter(|(_, life)| life.places.len() > 3).count() > 0);
}

/// F3, testFencingOnCommit.
#[test]
fn f3_fencing_on_commit() {
    for version in ["0", "1", "2"] {
        let till = |name: &str, start: u32| {
            json!({ "name": name, "topic": "orders", "records": 4, "rate.per.second": 20, "transaction.records": 4,
                    "start.at.ms": start, "config": { "transactional.id": "till" } })
        };
        let lab = run(json!({ "version": 1, "seed": 2,
            "cluster": { "config": { "transaction.version": version } },
            "topics": [{ "name": "orders" }],
            "producers": [till("first", 0), till("second", 1_500)],
            "consumers": [reader("strict", "read_committed", &["orders"])],
            // All is sent, and the program is about to commit.
            "faults": [{ "on": { "event": "transaction-ending", "node": "first", "nth": 1 },
                         "do": "pause", "node": "first", "for.ms": 4_000 },
                       { "on": { "message": "EndTxnRequest", "from": "first" }, "do": "delay", "by.ms": 4_000 }] }));
        let (first, second) = (lab.node("first"), lab.node("second"));
        let fenced = |(node, error): &(NodeId, ClientError)| {
            *node == first && *error == ClientError::Broker(ErrorCode::ProducerFenced)
        };
        assert!(lab.thrown.iter().any(fenced), "version {version}: {:?}", lab.thrown);
        assert_eq!(lab.ended, [(second, true)], "version {version}");
        assert_eq!(lab.read("strict", "orders"), [[4, 5, 6, 7]], "version {version}: only the second one's");
    }
}

/// F5, testBounce: consume, transform and produce while brokers are restarted all the time. The output is the input, exactly
/// once, in the order of each partition.
#[test]
fn f5_bounce() {
    for (seed, verb, version) in [(1, "shutdown", "2"), (2, "crash", "2"), (3, "shutdown", "1"), (4, "crash", "1")] {
        let bounce = |i: u64| json!({ "at.ms": 1_000 + 3_000 * i, "do": verb, "node": format!("broker-{}", i % 3), "for.ms": 800 });
        let faults: Vec<Value> = (0..6).map(bounce).collect();
        let lab = run(json!({ "version": 1, "seed": seed,
            "cluster": { "config": { "broker.session.timeout.ms": "1500", "broker.heartbeat.interval.ms": "300",
                                     "transaction.version": version } },
            "topics": [{ "name": "input", "partitions": 2, "config": { "min.insync.replicas": "2" } },
                       { "name": "output", "partitions": 2, "config": { "min.insync.replicas": "2" } }],
            "producers": [{ "name": "seeder", "topic": "input", "records": 200, "rate.per.second": 10, "key": "entity:7",
                            "config": { "request.timeout.ms": "2000", "delivery.timeout.ms": "30000" } }],
            "processors": [{ "name": "copier", "from": ["input"], "to": ["output"], "processing.ms": 5,
                             "producer.config": { "transactional.id": "copier", "request.timeout.ms": "2000",
                                                  "delivery.timeout.ms": "30000" },
                             "consumer.config": { "auto.offset.reset": "earliest", "isolation.level": "read_committed",
                                                  "max.poll.records": "20" } }],
            "consumers": [reader("origin", "read_committed", &["input"]), reader("strict", "read_committed", &["output"])],
            "faults": faults, "until": { "max.ms": 120_000 } }));
        let (input, output) = (lab.read("origin", "input"), lab.read("strict", "output"));
        assert_eq!(input, output, "seed {seed}");
        assert_eq!(input.iter().map(Vec::len).sum::<usize>(), 200, "seed {seed}");
        assert_eq!(lab.starts, 1 + 6, "seed {seed}: the seeder, and each broker twice");
    }
}
