//! What an operator does to a running cluster: shutdowns, elections, moves, growth; through scenarios, as people write them.

use delivery_lab::base::{BrokerId, TopicPartition};
use delivery_lab::metadata::PartitionRegistration;
use delivery_lab::scenario::{Trial, library, parse, to_json};
use delivery_lab::session::report::Report;
use serde_json::{Value, json};

/// Four brokers, `orders` on some of them, a producer and a consumer, and these faults.
fn scenario(topic: Value, faults: Value) -> Value {
    json!({
        "version": 1, "seed": 7,
        "cluster": { "brokers": 4, "config": { "broker.heartbeat.interval.ms": 500, "broker.session.timeout.ms": 2000 } },
        "topics": [topic],
        "producers": [{ "name": "shop", "topic": "orders", "records": 60, "rate.per.second": 20, "key": "record" }],
        "consumers": [{ "name": "billing", "group": "g", "topics": ["orders"], "processing.ms": 1 }],
        "faults": faults,
        "until": { "quiet": true, "max.ms": 120_000 }
    })
}

struct Lab(Trial, Report);

fn run(json: &Value) -> Lab {
    let scenario = parse(&json.to_string()).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    assert_eq!(parse(&to_json(&scenario).to_string()).as_ref(), Ok(&scenario), "it survives being written");
    let mut trial = Trial::new(&scenario).expect("a good scenario");
    trial.finish();
    let report = Report::of(&scenario, &trial);
    assert_eq!(report.invariant_violations, Vec::<String>::new());
    assert!(trial.run.world.now() < trial.deadline(), "it comes to rest");
    assert!(report.ledger.lost.is_empty(), "nothing is lost: {:?}", report.ledger.lost);
    Lab(trial, report)
}

impl Lab {
    fn at(&self, partition: u32) -> TopicPartition {
        TopicPartition::new(self.0.run.world.topic_id("orders").expect("it exists"), partition)
    }

    fn partition(&self, partition: u32) -> &PartitionRegistration {
        let image = self.0.run.world.controller().expect("a controller").image();
        image.partition(self.at(partition)).expect("it exists")
    }

    fn replicas(&self, partition: u32) -> Vec<i32> {
        self.partition(partition).replicas.iter().map(|broker| broker.0).collect()
    }

    fn hosts(&self, broker: i32, partition: u32) -> bool {
        self.0.run.world.broker(BrokerId(broker)).expect("a broker").log(self.at(partition)).is_some()
    }
}

fn orders(replication_factor: u32) -> Value {
    json!({ "name": "orders", "partitions": 1, "replication.factor": replication_factor })
}

#[test]
fn a_controlled_shutdown_moves_leadership_before_the_broker_stops() {
    // The new process may register only when the old one's session is over, orderly stop or not. (The last fault does
    // nothing, but the run waits for it.)
    let faults = json!([
        { "at.ms": 500, "do": "shutdown", "node": "broker-0", "for.ms": 1000 },
        { "at.ms": 8000, "do": "resume", "node": "broker-0" }
    ]);
    let Lab(trial, report) = &run(&scenario(orders(3), faults));
    let lab = trial.run.world.controller().expect("a controller").image();
    let partition = lab.partitions().next().expect("orders-0").1;
    assert_eq!(partition.isr.len(), 3, "it has come back");
    assert!(partition.elr.is_empty() && trial.run.world.broker(BrokerId(0)).expect("broker-0").is_running());
    assert!(report.errors.iter().all(|error| error.code != "REQUEST_TIMED_OUT"), "nobody had to wait for a timeout");
}

#[test]
fn a_stopped_broker_is_told_from_a_crashed_one() {
    use delivery_lab::sim::Process;
    let faults = json!([
        { "at.ms": 500, "do": "shutdown", "node": "broker-0" },
        { "at.ms": 600, "do": "crash", "node": "broker-1", "for.ms": 100 }
    ]);
    let Lab(trial, report) = &run(&scenario(orders(3), faults));
    let process = |broker: i32| trial.run.world.process(BrokerId(broker).node());
    assert_eq!((process(0), process(1)), (Process::Stopped, Process::Running));
    assert_eq!(report.ledger.acked, 60);
}

#[test]
fn a_partition_moves_to_other_brokers_and_back() {
    let faults = json!([
        { "at.ms": 300, "do": "reassign", "topic": "orders", "partition": 0, "replicas": [3, 1] },
        { "at.ms": 1500, "do": "elect_leaders", "topic": "orders", "type": "preferred" }
    ]);
    let lab = run(&scenario(orders(2), faults));
    assert_eq!(lab.replicas(0), [3, 1]);
    assert_eq!((lab.partition(0).leader.0, lab.partition(0).isr.len()), (3, 2));
    assert!(lab.hosts(3, 0) && lab.hosts(1, 0) && !lab.hosts(0, 0), "who went deletes its log");
    let there = json!([
        { "at.ms": 300, "do": "reassign", "topic": "orders", "partition": 0, "replicas": [2, 3] },
        { "at.ms": 900, "do": "reassign", "topic": "orders", "partition": 0, "replicas": [0, 1] }
    ]);
    let lab = run(&scenario(orders(2), there));
    assert_eq!((lab.replicas(0), lab.partition(0).isr.len()), (vec![0, 1], 2));
    assert!(!lab.hosts(2, 0) && !lab.hosts(3, 0));
}

#[test]
fn a_move_to_a_dead_broker_waits_and_can_be_cancelled() {
    let faults = json!([
        { "at.ms": 0, "do": "crash", "node": "broker-3" },
        { "at.ms": 300, "do": "reassign", "topic": "orders", "partition": 0, "replicas": [3, 1] },
        { "at.ms": 2500, "do": "reassign", "topic": "orders", "partition": 0 }
    ]);
    let lab = run(&scenario(orders(2), faults));
    assert_eq!(lab.replicas(0), [1, 0]);
    assert!(lab.partition(0).adding_replicas.is_empty() && lab.partition(0).removing_replicas.is_empty());
}

#[test]
fn new_partitions_are_written_and_read() {
    let faults = json!([{ "at.ms": 500, "do": "create_partitions", "topic": "orders", "count": 4 }]);
    let mut json = scenario(orders(2), faults);
    json["producers"][0]["config"] = json!({ "metadata.max.age.ms": 300 });
    json["consumers"][0]["config"] = json!({ "metadata.max.age.ms": 300, "auto.offset.reset": "earliest" });
    let Lab(trial, report) = &run(&json);
    let world = &trial.run.world;
    assert_eq!(report.partitions.len(), 4);
    let ends = report.partitions.values().map(|partition| partition.log_end_offset).collect::<Vec<_>>();
    assert!(ends.iter().all(|end| *end > 0), "records spread over all of them: {ends:?}");
    assert_eq!(world.consumers().next().expect("billing").1.client().expect("it runs").positions().count(), 4);
}

#[test]
fn leadership_returns_when_somebody_asks() {
    let faults = json!([
        { "at.ms": 200, "do": "crash", "node": "broker-0", "for.ms": 2500 },
        { "at.ms": 6000, "do": "elect_leaders" }
    ]);
    let lab = run(&scenario(orders(3), faults));
    assert_eq!(lab.partition(0).leader.0, 0);
}

#[test]
fn an_unclean_election_by_request() {
    // Only 0 is in sync when it dies; 1 may lead all the same, once somebody says so.
    let faults = json!([
        { "at.ms": 0, "do": "crash", "node": "broker-1" },
        { "at.ms": 3500, "do": "power_loss", "node": "broker-0" },
        { "at.ms": 4000, "do": "restart", "node": "broker-1" },
        { "at.ms": 9000, "do": "elect_leaders", "type": "unclean", "topic": "orders", "partition": 0 }
    ]);
    let mut json = scenario(orders(2), faults);
    json["producers"][0]["config"] = json!({ "acks": "1", "enable.idempotence": false });
    let scenario = parse(&json.to_string()).expect("a good scenario");
    let mut trial = Trial::new(&scenario).expect("a good scenario");
    trial.finish();
    let report = Report::of(&scenario, &trial);
    assert_eq!(report.invariant_violations, Vec::<String>::new());
    let image = trial.run.world.controller().expect("a controller").image();
    let partition = image.partitions().next().expect("orders-0").1;
    assert_eq!((partition.leader.0, partition.isr.len()), (1, 1));
    assert_eq!(report.partitions["orders-0"].log_end_offset, 0, "what 1 never had is gone");
}

#[test]
fn settings_change_while_the_cluster_runs() {
    let faults = json!([
        { "at.ms": 300, "do": "alter_config", "topic": "orders", "config": { "min.insync.replicas": 2 } },
        { "at.ms": 500, "do": "crash", "node": "broker-1", "for.ms": 3000 }
    ]);
    let Lab(trial, _) = &run(&scenario(orders(2), faults));
    let image = trial.run.world.controller().expect("a controller").image();
    let orders = image.topic_id("orders").and_then(|id| image.topic(id)).expect("it exists");
    assert_eq!(orders.config["min.insync.replicas"], "2");
    let replica = trial
        .run
        .world
        .broker(BrokerId(0))
        .and_then(|broker| broker.partition(TopicPartition::new(image.topic_id("orders").expect("it exists"), 0)));
    assert_eq!(replica.expect("on broker 0").effective_min_isr(), 2);
}

#[test]
fn settings_of_all_brokers_change_what_topics_inherit() {
    let faults = json!([{ "at.ms": 300, "do": "alter_config", "config": { "min.insync.replicas": 2 } }]);
    let lab = run(&scenario(orders(2), faults));
    let effective = |broker| {
        let replica = lab.0.run.world.broker(BrokerId(broker)).and_then(|it| it.partition(lab.at(0)));
        replica.filter(|replica| replica.is_leader()).map(|replica| replica.effective_min_isr())
    };
    assert_eq!((0..4).find_map(effective), Some(2));
}

#[test]
fn records_are_deleted_by_request() {
    // The leader changes in between: the administrator looks for the new one.
    let faults = json!([
        { "at.ms": 2000, "do": "delete_records", "topic": "orders", "partition": 0, "offset": 10 },
        { "at.ms": 2500, "do": "crash", "node": "broker-0", "for.ms": 3000 },
        { "at.ms": 2600, "do": "delete_records", "topic": "orders", "partition": 0, "offset": 20 },
        { "at.ms": 9000, "do": "resume", "node": "shop" }
    ]);
    let lab = run(&scenario(orders(3), faults));
    for broker in 0..3 {
        let replica = lab.0.run.world.broker(BrokerId(broker)).and_then(|it| it.partition(lab.at(0)));
        assert_eq!(replica.expect("hosted").log().log_start_offset(), 20, "on broker {broker}");
    }
}

#[test]
fn mistakes_in_tasks_are_named() {
    let mistakes = |fault: Value| {
        let json = scenario(orders(2), json!([fault]));
        let mistakes = parse(&json.to_string()).and_then(|scenario| Trial::new(&scenario).map(drop));
        mistakes.expect_err("a mistake").iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    for (fault, problem) in [
        (json!({ "at.ms": 1, "do": "elect_leader" }), "did you mean \"elect_leaders\"?"),
        (json!({ "at.ms": 1, "do": "elect_leaders", "kind": "unclean" }), "unknown key \"kind\""),
        (json!({ "at.ms": 1, "do": "elect_leaders", "type": "dirty" }), "one of \"preferred\", \"unclean\""),
        (json!({ "at.ms": 1, "do": "elect_leaders", "partition": 0 }), "needs a \"topic\""),
        (json!({ "at.ms": 1, "do": "create_partitions", "topic": "orders", "cuont": 4 }), "did you mean \"count\"?"),
        (json!({ "at.ms": 1, "do": "reassign", "topic": "order", "replicas": [0] }), "did you mean \"orders\"?"),
        (json!({ "at.ms": 1, "do": "reassign", "topic": "orders", "replicas": [4] }), "there is no broker 4"),
        (json!({ "at.ms": 1, "do": "alter_config", "topic": "orders", "config": { "retention": 1 } }), "retention"),
        (json!({ "at.ms": 1, "do": "shutdown", "node": "shop" }), "for brokers, controllers and consumers"),
        (json!({ "at.ms": 1, "do": "shutdown", "node": "broker-9" }), "there is no node \"broker-9\""),
    ] {
        let found = mistakes(fault);
        assert!(found.contains(problem), "{found}");
    }
}

/// `orders` on brokers in three racks; the consumer is where the third is, away from the leader.
fn racks(faults: Value) -> Value {
    let mut json = scenario(orders(3), faults);
    json["cluster"] = json!({
        "brokers": 3, "racks": ["a", "b", "c"],
        "config": { "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector" }
    });
    json["consumers"][0]["config"] = json!({ "client.rack": "c", "auto.offset.reset": "earliest" });
    json
}

fn reads_from(trial: &Trial) -> Option<BrokerId> {
    let world = &trial.run.world;
    let (_, app) = world.consumers().next().expect("billing");
    let (_, state) = app.client().expect("it runs").subscription().iter().next().expect("orders-0");
    state.preferred_read_replica(world.now())
}

#[test]
fn a_consumer_reads_from_the_replica_in_its_rack() {
    let Lab(trial, _) = &run(&racks(json!([])));
    assert_eq!(reads_from(trial), Some(BrokerId(2)));
    let elsewhere = json!({ "client.rack": "d", "auto.offset.reset": "earliest" });
    let mut json = racks(json!([]));
    json["consumers"][0]["config"] = elsewhere;
    assert_eq!(reads_from(&run(&json).0), None);
}

#[test]
fn a_consumer_goes_back_to_the_leader_when_its_replica_dies_and_returns_with_it() {
    let Lab(trial, _) = &run(&racks(json!([{ "at.ms": 800, "do": "crash", "node": "broker-2" }])));
    assert_eq!(reads_from(trial), None, "its rack has no replica any more");
    let back = json!([
        { "at.ms": 300, "do": "crash", "node": "broker-2", "for.ms": 500 },
        { "at.ms": 30_000, "do": "resume", "node": "shop" }
    ]);
    let mut json = racks(back);
    json["producers"][0]["records"] = json!(400);
    json["consumers"][0]["config"]["metadata.max.age.ms"] = json!(1000);
    let Lab(trial, report) = &run(&json);
    assert_eq!(reads_from(trial), Some(BrokerId(2)));
    assert_eq!(report.ledger.sent, 400);
}

/// `blocked-behind-lso`, stopped long before `transaction.timeout.ms`: the high watermark and the last stable offset.
fn orphaned(more: Value) -> (i64, i64) {
    let mut json = to_json(&library::get("blocked-behind-lso").expect("it is in the library"));
    json["until"] = json!({ "quiet": false, "max.ms": 5_000 });
    json["faults"].as_array_mut().expect("it has one").extend(more.as_array().cloned().unwrap_or_default());
    let scenario = parse(&json.to_string()).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    assert_eq!(parse(&to_json(&scenario).to_string()).as_ref(), Ok(&scenario), "it survives being written");
    let mut trial = Trial::new(&scenario).expect("a good scenario");
    trial.finish();
    let report = Report::of(&scenario, &trial);
    assert_eq!(report.invariant_violations, Vec::<String>::new());
    let orders = &report.partitions["orders-0"];
    (orders.high_watermark, orders.last_stable_offset)
}

#[test]
fn a_transaction_that_hangs_is_aborted_by_hand() {
    let (high_watermark, stable) = orphaned(json!([]));
    assert!(stable < high_watermark, "the orphan hides what is behind it");
    let abort =
        |offset: Value| json!([{ "at.ms": 4_000, "do": "abort_transaction", "topic": "orders", "offset": offset }]);
    assert_eq!(orphaned(abort(Value::Null)), (high_watermark + 1, high_watermark + 1), "a marker ended it");
    assert_eq!(orphaned(abort(json!(stable))), (high_watermark + 1, high_watermark + 1), "named by its first offset");
    assert_eq!(orphaned(abort(json!(0))), (high_watermark, stable), "none begins there");
}
