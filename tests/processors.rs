//! Read-process-write from end to end, on the whole cluster: what a crash at each step costs, by when offsets are committed.

use delivery_lab::node::Event;
use delivery_lab::protocol::ApiKey;
use delivery_lab::scenario::{self, Scenario, Trial, library};
use delivery_lab::session::report::Report;
use delivery_lab::session::{Command, Session};
use delivery_lab::view::NodeBody;
use runs::{crash_at, finish, read, with_fault};

#[path = "common/runs.rs"]
mod runs;

/// Orders become invoices, invoices are mailed: exactly once, by all settings.
const BILLING: &str = r#"{ "version": 1, "seed": 7,
    "topics": [ { "name": "orders" }, { "name": "invoices" } ],
    "producers": [ { "name": "shop", "topic": "orders", "records": 12, "rate.per.second": 50, "transaction.records": 3,
                     "config": { "transactional.id": "shop-1" } } ],
    "processors": [ { "name": "billing", "from": ["orders"], "to": ["invoices"], "processing.ms": 15,
                      "producer.config": { "transactional.id": "billing-1" },
                      "consumer.config": { "auto.offset.reset": "earliest", "isolation.level": "read_committed",
                                           "max.poll.records": "4" } } ],
    "consumers": [ { "name": "mailer", "group": "mail", "topics": ["invoices"], "processing.ms": 5,
                     "config": { "auto.offset.reset": "earliest", "isolation.level": "read_committed",
                                 "enable.auto.commit": "false" } } ] }"#;

fn billing(set: &[&str]) -> Scenario {
    read(BILLING, set)
}

fn run(scenario: &Scenario) -> Report {
    finish(scenario).1
}

#[test]
fn nothing_fails_and_everything_happens_once() {
    let report = run(&billing(&[]));
    assert_eq!((report.guarantee.claimed, report.guarantee.observed), ("exactly-once", "exactly-once"));
    assert_eq!((report.ledger.sent, report.ledger.processed), (12, 12));
    assert_eq!(report.ledger.appended, 24, "once in each topic");
}

/// The steps of the loop, as events that a fault can wait for.
const STEPS: &[&str] = &[
    "delivered",
    "transaction-begun",
    "processing",
    "processed",
    "sent",
    "offsets-sent",
    "transaction-ending",
    "transaction-ended",
    "offsets-committed",
];

/// The outcome of a crash of that application at the nth event of a kind; none if that never comes.
fn crash(scenario: &Scenario, node: &str, event: &str, nth: u32) -> Option<Report> {
    let (trial, report) = finish(&with_fault(scenario.clone(), &crash_at(node, event, nth)));
    trial.run.world.processors().any(|(_, app)| app.lives() > 1).then_some(report)
}

/// The outcomes of a crash at each step of each round.
fn crash_at_each_step(scenario: &Scenario) -> Vec<(String, Report)> {
    let mut outcomes = Vec::new();
    for event in STEPS {
        for nth in 1.. {
            let Some(report) = crash(scenario, "billing", event, nth) else { break };
            outcomes.push((format!("{event} {nth}"), report));
        }
    }
    outcomes
}

#[test]
fn offsets_in_the_transaction_survive_a_crash_at_each_step() {
    let outcomes = crash_at_each_step(&billing(&[]));
    println!("{} crashes", outcomes.len());
    for (when, report) in outcomes {
        let ledger = &report.ledger;
        if report.guarantee.observed != "exactly-once" {
            println!("{when}: {}", report.to_text());
        }
        assert_eq!((report.guarantee.claimed, report.guarantee.observed), ("exactly-once", "exactly-once"), "{when}");
        assert_eq!((ledger.processed, ledger.open), (12, 0), "{when}");
    }
}

#[test]
fn offsets_after_the_transaction_repeat_and_never_lose() {
    let outcomes = crash_at_each_step(&billing(&["billing.offsets=after"]));
    for (when, report) in &outcomes {
        assert_eq!(report.guarantee.claimed, "at-least-once");
        assert!(report.guarantee.holds && report.ledger.lost.is_empty(), "{when}");
    }
    assert!(outcomes.iter().any(|(_, report)| !report.ledger.duplicated.is_empty()));
}

#[test]
fn offsets_before_processing_lose_and_never_repeat() {
    let outcomes = crash_at_each_step(&billing(&["billing.offsets=before"]));
    for (when, report) in &outcomes {
        assert_eq!(report.guarantee.claimed, "at-most-once");
        assert!(report.guarantee.holds && report.ledger.duplicated.is_empty(), "{when}");
    }
    assert!(outcomes.iter().any(|(_, report)| !report.ledger.acked_lost.is_empty()));
}

/// The effects at the sink of the processor, by record.
fn acted(scenario: &Scenario) -> (Report, Vec<u32>) {
    let (trial, report) = finish(scenario);
    let (_, app) = trial.run.world.processors().next().expect("there is one");
    let node = trial.run.world.sinks().next().map(|(_, node)| node.table());
    let sink = app.sink().or(node).expect("it acts on something");
    let rows = sink.rows().map(|row| row.effects).collect();
    (report, rows)
}

#[test]
fn an_external_effect_is_repeated_in_spite_of_exactly_once() {
    let crash = r#"{ "on": { "event": "processed", "node": "billing", "nth": 6 }, "do": "crash", "node": "billing", "for.ms": 300 }"#;
    let scenario = with_fault(billing(&["billing.sink.dedupe=none"]), crash);
    let (report, effects) = acted(&scenario);
    assert_eq!((report.guarantee.claimed, report.guarantee.holds), ("exactly-once", false));
    assert!(!report.ledger.duplicated.is_empty() && report.ledger.log_duplicated.is_empty());
    assert!(effects.contains(&2), "{effects:?}");
    let cured = with_fault(billing(&["billing.sink.dedupe=unique-key"]), crash);
    let (report, effects) = acted(&cured);
    assert!(report.guarantee.holds && effects.iter().all(|times| *times == 1), "{effects:?}");
}

#[test]
fn a_zombie_with_the_same_transactional_id_is_fenced_and_nothing_is_repeated() {
    let mut scenario = billing(&[]);
    let mut second = scenario.processors[0].clone();
    (second.name, second.start) = ("billing-b".into(), Some(delivery_lab::base::Duration::from_millis(150)));
    scenario.processors.push(second);
    let pause = r#"{ "at.ms": 145, "do": "pause", "node": "billing", "for.ms": 2000 }"#;
    let report = run(&with_fault(scenario, pause));
    assert_eq!((report.guarantee.claimed, report.guarantee.observed), ("exactly-once", "exactly-once"));
    let fenced = |code: &str| code.starts_with("ProducerFencedException") || code.starts_with("InvalidProducerEpoch");
    assert!(report.errors.iter().any(|error| &*error.node == "billing" && fenced(&error.code)), "{:?}", report.errors);
}

/// A member is cut off for longer than its session while it works on a batch. With the consumer protocol it joins anew in the
/// background, before it is done: what it has is somebody else's, and the coordinator would take offsets of its new epoch.
#[test]
fn who_was_thrown_out_while_it_worked_commits_nothing() {
    let two = r#"{ "name": "other", "from": ["orders"], "to": ["invoices"], "group": "billing", "processing.ms": 15,
        "producer.config": { "transactional.id": "other", "transaction.timeout.ms": "300000" },
        "consumer.config": { "auto.offset.reset": "earliest", "isolation.level": "read_committed", "max.poll.records": "4" } }"#;
    let cut = r#"{ "on": { "event": "processing", "node": "billing", "nth": 1 }, "do": "partition", "node": "billing", "for.ms": 50000 }"#;
    for protocol in ["classic", "consumer"] {
        let protocol = format!("group.protocol={protocol}");
        let mut json = scenario::to_json(&billing(&[
            "orders.partitions=2",
            "shop.key=record",
            "shop.records=30",
            "shop.rate.per.second=2",
            &protocol,
        ]));
        json["processors"][0]["processing.ms"] = 25_000.into();
        json["processors"][0]["producer.config"]["transaction.timeout.ms"] = "300000".into();
        json["processors"].as_array_mut().expect("a list").push(serde_json::from_str(two).expect("JSON"));
        json["until"]["max.ms"] = 2_000_000.into();
        let mut scenario = scenario::parse_value(json).expect("a valid scenario");
        scenario::set(&mut scenario, &protocol).expect("a valid setting");
        let (trial, report) = finish(&with_fault(scenario, cut));
        assert_eq!(trial.run.lost_promises(), [], "{protocol}");
        assert_eq!(report.guarantee.observed, "exactly-once", "{protocol}");
        let refused = report.errors.iter().any(|error| error.code.contains("CommitFailedException"));
        assert!(refused, "{protocol} {:?}", report.errors);
    }
}

#[test]
fn without_transactions_offsets_are_committed_after_the_acks() {
    for version in ["0", "1", "2"] {
        let transaction_version = format!("cluster.transaction.version={version}");
        let report = run(&billing(&[&transaction_version]));
        assert_eq!(report.guarantee.observed, "exactly-once", "transaction.version {version}");
    }
    let plain = billing(&["billing.transactional.id=", "shop.transactional.id="]);
    let report = run(&plain);
    assert_eq!((report.guarantee.claimed, report.guarantee.observed), ("at-least-once", "exactly-once"));
    let outcomes = crash_at_each_step(&plain);
    assert!(outcomes.iter().all(|(_, report)| report.ledger.lost.is_empty()));
    assert!(outcomes.iter().any(|(_, report)| !report.ledger.duplicated.is_empty()));
}

#[test]
fn what_is_aborted_on_purpose_is_seen_by_nobody_who_reads_what_is_committed() {
    let report = run(&billing(&["shop.abort.every=2"]));
    assert!(report.guarantee.holds && report.ledger.lost.is_empty());
    // The last record of each was still in its buffer: abortTransaction() drops it there.
    assert_eq!((report.ledger.sent, report.ledger.processed, report.ledger.aborted), (12, 6, 4));
    let careless = run(&billing(&["shop.abort.every=2", "billing.isolation.level=read_uncommitted"]));
    assert_eq!(careless.ledger.aborted_read, [3, 4, 9, 10]);
    assert_eq!(careless.guarantee.claimed, "at-least-once");
}

#[test]
fn a_transaction_that_hangs_is_aborted_before_the_run_is_over() {
    let set = [
        "shop.transaction.records=100",
        "shop.transaction.timeout.ms=2000",
        "billing.isolation.level=read_uncommitted",
    ];
    let crash = r#"{ "on": { "event": "sent", "node": "shop", "nth": 5 }, "do": "crash", "node": "shop" }"#;
    let report = run(&with_fault(billing(&set), crash));
    assert_eq!(report.ledger.open, 0, "the coordinator aborted it");
    assert!(report.ledger.aborted > 0 && !report.ledger.aborted_read.is_empty());
    assert!(report.ledger.acked_lost.is_empty(), "commitTransaction() never returned");
}

#[test]
fn several_topics_in_and_out() {
    let mut scenario = billing(&[]);
    for name in ["payments", "audit"] {
        let topic = scenario::format::Topic { name: name.into(), ..scenario.topics[0].clone() };
        scenario.topics.push(topic);
    }
    let mut till = scenario.producers[0].clone();
    (till.name, till.topic) = ("till".into(), "payments".into());
    till.config.insert("transactional.id".into(), "till-1".into());
    scenario.producers.push(till);
    for one in ["billing.from=orders,payments", "billing.to=invoices,audit"] {
        scenario::set(&mut scenario, one).expect("a valid setting");
    }
    let report = run(&scenario);
    assert_eq!((report.guarantee.claimed, report.guarantee.observed), ("exactly-once", "exactly-once"));
    assert_eq!((report.ledger.sent, report.ledger.appended, report.ledger.processed), (24, 72, 24));
}

#[test]
fn a_new_transactional_id_at_each_start_leaves_the_old_transaction_hanging() {
    let set = [
        "billing.transactional.id=billing-${random.uuid}",
        "billing.producer.transaction.timeout.ms=3000",
        "billing.assign=true",
    ];
    let crash = r#"{ "on": { "event": "offsets-sent", "node": "billing", "nth": 2 }, "do": "crash", "node": "billing", "for.ms": 300 }"#;
    // As a member of its group it would wait for the session of its former self to end, whatever its id.
    let alone = |mut scenario: Scenario| {
        scenario.processors[0].assign = true;
        with_fault(scenario, crash)
    };
    let slow = run(&alone(billing(&set)));
    let quick = run(&alone(billing(&set[1..])));
    let ms = |report: &Report| report.virtual_ms.to_string().parse::<f64>().expect("a number");
    assert!(
        ms(&slow) > ms(&quick) + 1_500.0,
        "nobody fenced the old one: {} and {}",
        slow.virtual_ms,
        quick.virtual_ms
    );
    assert!(slow.ledger.lost.is_empty() && quick.ledger.lost.is_empty());
}

#[test]
fn offsets_in_a_transaction_name_the_records_they_stand_for() {
    let crash = r#"{ "on": { "event": "offsets-sent", "node": "billing", "nth": 2 }, "do": "crash", "node": "billing", "for.ms": 300 }"#;
    let mut trial = Trial::new(&with_fault(billing(&[]), crash)).expect("a valid scenario");
    trial.run.world.set_tracing(true);
    let mut named = Vec::new();
    while let Some(events) = trial.step() {
        named.extend(events.iter().filter_map(|it| match &it.event {
            Event::MessageSent { summary, .. } if summary.api == ApiKey::TxnOffsetCommit && !summary.response => {
                Some(summary.records.iter().map(|record| record.0).collect::<Vec<_>>())
            }
            _ => None,
        }));
    }
    assert_eq!(named.first().map(Vec::as_slice), Some(&[0, 1, 2][..]), "{named:?}");
    assert!(named[2].starts_with(&named[1]), "what was undone is read and committed again: {named:?}");
    let mut all: Vec<u32> = named.concat();
    all.dedup();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all, (0..12).collect::<Vec<_>>());
}

#[test]
fn offsets_that_went_with_transactions_are_shown_as_committed() {
    let mut session = Session::new(library::get("side-effects").expect("in the library")).expect("valid");
    session.dispatch(Command::SeekTime(60_000_000)).expect("it goes there");
    let view = session.view();
    let processors = view.nodes.iter().filter_map(|node| match &node.body {
        NodeBody::Processor(it) => Some(it.reader.positions.clone()),
        _ => None,
    });
    let positions: Vec<_> = processors.flatten().collect();
    assert!(!positions.is_empty());
    for it in positions {
        let stored: Vec<i64> = view
            .nodes
            .iter()
            .filter_map(|node| match &node.body {
                NodeBody::Broker(broker) => broker.groups.iter().find(|group| &*group.group == "billing"),
                _ => None,
            })
            .flat_map(|group| group.committed.iter().filter(|(name, _)| *name == it.partition).map(|it| it.1))
            .collect();
        assert_eq!(stored, Vec::from_iter(it.committed), "as the coordinator has it");
        assert!(it.committed > Some(20), "all orders are committed: {it:?}");
    }
}
