//! Logs that lose their head, or are compacted, and what that does to readers: whole runs.

use delivery_lab::scenario::{Scenario, Trial, parse};
use delivery_lab::session::report::Report;
use delivery_lab::session::sweep;

/// A hundred and forty records in seven seconds; the reader is down from 500 ms on, for six seconds.
fn absent_reader(topic: &str, reset: &str) -> Report {
    let text = format!(
        r#"{{
  "version": 1, "seed": 3,
  "cluster": {{ "brokers": 3, "config": {{ "log.retention.check.interval.ms": "1000", "log.initial.task.delay.ms": "0" }} }},
  "topics": [{{ "name": "orders", "partitions": 1, "replication.factor": 3, "config": {topic} }}],
  "producers": [{{ "name": "shop", "topic": "orders", "records": 140, "rate.per.second": 20, "config": {{ "acks": "all" }} }}],
  "consumers": [{{ "name": "mailer", "group": "mail", "assign": true, "topics": ["orders"], "processing.ms": 5, "commit": "after-sync",
      "config": {{ "enable.auto.commit": "false", "auto.offset.reset": "{reset}", "max.poll.records": "4" }} }}],
  "faults": [{{ "at.ms": 500, "do": "crash", "node": "mailer", "for.ms": 6000 }}],
  "until": {{ "max.ms": 20000 }}
}}"#
    );
    let scenario = parse(&text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let mut trial = Trial::new(&scenario).expect("a valid scenario");
    trial.finish();
    let report = Report::of(&scenario, &trial);
    assert_eq!(report.invariant_violations, Vec::<String>::new());
    report
}

const SHORT: &str = r#"{ "min.insync.replicas": "2", "retention.ms": "1500", "internal.segment.bytes": "400" }"#;

#[test]
fn a_reader_that_retention_overtakes_goes_on_where_its_policy_says() {
    let kept = absent_reader(r#"{ "min.insync.replicas": "2", "internal.segment.bytes": "400" }"#, "earliest");
    assert_eq!((kept.ledger.processed, kept.ledger.lost.len()), (140, 0), "it goes on at its committed offset");
    let lost = |reset| {
        let report = absent_reader(SHORT, reset);
        assert!(report.errors.iter().any(|error| error.code == "OFFSET_OUT_OF_RANGE" && &*error.node == "mailer"));
        assert!(report.ledger.duplicated.is_empty());
        report.ledger.acked_lost
    };
    let (earliest, latest) = (lost("earliest"), lost("latest"));
    assert!(!earliest.is_empty(), "what was deleted is never read");
    assert!(earliest.windows(2).all(|pair| pair[0] + 1 == pair[1]), "one hole: {earliest:?}");
    assert!(earliest.iter().all(|record| *record < 100), "the young ones were read");
    assert!(latest.len() > earliest.len() && latest[0] == earliest[0], "a larger one: {latest:?}");
}

/// Sixty records about three entities; the reader comes late.
fn entities(topic: &str, faults: &str) -> Scenario {
    let text = format!(
        r#"{{
  "version": 1, "seed": 5,
  "cluster": {{ "brokers": 3, "config": {{ "log.cleaner.backoff.ms": "1000", "log.retention.check.interval.ms": "1000",
      "log.initial.task.delay.ms": "0" }} }},
  "topics": [{{ "name": "orders", "partitions": 1, "replication.factor": 3, "config": {topic} }}],
  "producers": [{{ "name": "shop", "topic": "orders", "records": 60, "rate.per.second": 20, "key": "entity:3",
      "config": {{ "acks": "all", "linger.ms": "200" }} }}],
  "consumers": [{{ "name": "mailer", "group": "mail", "assign": true, "topics": ["orders"], "processing.ms": 5, "commit": "after-sync",
      "config": {{ "enable.auto.commit": "false", "auto.offset.reset": "earliest" }} }}],
  "faults": [{faults}],
  "until": {{ "max.ms": 20000 }}
}}"#
    );
    parse(&text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

const COMPACT: &str = r#"{ "min.insync.replicas": "2", "cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1",
      "internal.segment.bytes": "700" }"#;

#[test]
fn a_late_reader_of_a_compacted_topic_gets_the_newest_of_each_entity() {
    let late = r#"{ "at.ms": 10, "do": "crash", "node": "mailer", "for.ms": 7000 }"#;
    let scenario = entities(COMPACT, late);
    let mut trial = Trial::new(&scenario).expect("a valid scenario");
    trial.finish();
    let report = Report::of(&scenario, &trial);
    assert_eq!(report.invariant_violations, Vec::<String>::new());
    assert!(report.ledger.processed < 30, "most were superseded: {} were read", report.ledger.processed);
    assert_eq!(report.ledger.lost, [0; 0], "each that was not read had been superseded");
    let orders = &report.partitions["orders-0"];
    assert_eq!((orders.log_end_offset, orders.high_watermark), (60, 60));
}

#[test]
fn compaction_and_failover_get_along() {
    let crash = r#"{ "at.ms": 2500, "do": "crash", "node": "broker-0", "for.ms": 12000 }"#;
    let scenario = entities(COMPACT, crash);
    let mut trial = Trial::new(&scenario).expect("a valid scenario");
    trial.finish();
    let report = Report::of(&scenario, &trial);
    assert_eq!(report.invariant_violations, Vec::<String>::new());
    assert_eq!((report.ledger.processed, report.ledger.lost.len()), (60, 0), "the reader kept up");
    assert!(report.ledger.log_duplicated.is_empty());
    assert_eq!(report.ledger.appended, 60, "what is compacted away was not cut off");
}

#[test]
fn random_faults_on_compacted_and_short_lived_topics_break_no_invariant() {
    let both = COMPACT.replace("\"compact\"", "\"compact,delete\"").replace("{ ", "{ \"retention.ms\": \"1500\", ");
    for topic in [COMPACT, SHORT, &both] {
        let outcome = sweep::run(&entities(topic, ""), 40, |_| {}).expect("a valid scenario");
        assert_eq!(outcome.broken, None, "{topic}");
    }
}
