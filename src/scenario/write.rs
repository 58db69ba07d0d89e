//! From a [`Scenario`] back to JSON. What equals the default is left out, so that a file says only what matters.

use super::format::*;
use super::parse::VERSION;
use super::sink;
use crate::base::config::Properties;
use crate::base::{BrokerId, Duration};
use crate::protocol::ElectionType;
use crate::sim::AdminTask;
use serde_json::{Map, Number, Value, json};
use std::rc::Rc;

/// The scenario as a JSON document that [`parse`](super::parse) reads back to an equal scenario.
pub fn to_json(scenario: &Scenario) -> Value {
    let default = Scenario::default();
    let mut out = Map::new();
    out.insert("version".into(), json!(VERSION));
    insert(&mut out, "id", scenario.id.as_deref().map(Value::from));
    out.insert("seed".into(), json!(scenario.seed));
    if scenario.cluster != default.cluster {
        let mut cluster = Map::new();
        cluster.insert("brokers".into(), json!(scenario.cluster.brokers));
        let racks = &scenario.cluster.racks;
        insert(&mut cluster, "racks", (!racks.is_empty()).then(|| json!(racks)));
        if scenario.cluster.controllers != default.cluster.controllers {
            cluster.insert("controllers".into(), json!(scenario.cluster.controllers));
        }
        settings(&mut cluster, "config", &scenario.cluster.config);
        out.insert("cluster".into(), Value::Object(cluster));
    }
    list(&mut out, "topics", scenario.topics.iter().map(topic));
    list(&mut out, "groups", scenario.groups.iter().map(group));
    if scenario.network != default.network {
        let (low, high) = scenario.network.latency;
        out.insert("network".into(), json!({ "latency.us": [low.0, high.0] }));
    }
    list(&mut out, "producers", scenario.producers.iter().map(producer));
    list(&mut out, "consumers", scenario.consumers.iter().map(consumer));
    list(&mut out, "processors", scenario.processors.iter().map(processor));
    list(&mut out, "faults", scenario.faults.iter().map(|fault| Value::Object(fault_to_json(fault))));
    if scenario.until != default.until {
        out.insert("until".into(), json!({ "quiet": scenario.until.quiet, "max.ms": millis(scenario.until.max) }));
    }
    insert(&mut out, "about", scenario.about.as_deref().map(about));
    Value::Object(out)
}

pub(super) fn insert(out: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        out.insert(key.to_owned(), value);
    }
}

fn list(out: &mut Map<String, Value>, key: &str, items: impl Iterator<Item = Value>) {
    let items: Vec<Value> = items.collect();
    insert(out, key, (!items.is_empty()).then_some(Value::Array(items)));
}

fn settings(out: &mut Map<String, Value>, key: &str, config: &Properties) {
    insert(out, key, (!config.is_empty()).then(|| json!(config)));
}

pub(super) fn millis(span: Duration) -> Value {
    if span.0.is_multiple_of(1_000) {
        return json!(span.as_millis());
    }
    let text = format!("{}.{:03}", span.0 / 1_000, span.0 % 1_000);
    text.parse::<Number>().map_or_else(|_| json!(span.as_millis()), Value::Number)
}

fn topic(topic: &Topic) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), json!(topic.name));
    out.insert("partitions".into(), json!(topic.partitions));
    out.insert("replication.factor".into(), json!(topic.replication_factor));
    settings(&mut out, "config", &topic.config);
    Value::Object(out)
}

fn group(group: &Group) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), json!(group.name));
    settings(&mut out, "config", &group.config);
    Value::Object(out)
}

fn producer(producer: &Producer) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), json!(producer.name));
    out.insert("topic".into(), json!(producer.topic));
    out.insert("records".into(), json!(producer.records));
    out.insert("rate.per.second".into(), json!(producer.rate_per_second));
    match producer.key {
        Key::None => {}
        Key::Record => drop(out.insert("key".into(), json!("record"))),
        Key::Entity(count) => drop(out.insert("key".into(), json!(format!("entity:{count}")))),
    }
    if producer.resend != Resend::Never {
        out.insert("resend".into(), json!(producer.resend.word()));
    }
    insert(
        &mut out,
        "transaction.records",
        (producer.transaction_records != 1).then(|| json!(producer.transaction_records)),
    );
    insert(&mut out, "abort.every", (producer.abort_every != 0).then(|| json!(producer.abort_every)));
    insert(&mut out, "start.at.ms", producer.start.map(millis));
    settings(&mut out, "config", &producer.config);
    Value::Object(out)
}

fn consumer(consumer: &Consumer) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), json!(consumer.name));
    insert(&mut out, "group", consumer.group.as_deref().map(Value::from));
    insert(&mut out, "members", (consumer.members > 1).then(|| json!(consumer.members)));
    insert(&mut out, "topics", (!consumer.topics.is_empty()).then(|| json!(consumer.topics)));
    insert(&mut out, "topics.pattern", consumer.topics_pattern.as_deref().map(Value::from));
    insert(&mut out, "assign", consumer.assign.then_some(json!(true)));
    out.insert("processing.ms".into(), millis(consumer.processing));
    insert(&mut out, "commit", consumer.commit.map(|commit| json!(commit.word())));
    if consumer.hand_over != HandOver::Inline {
        out.insert("hand.over".into(), json!(consumer.hand_over.word()));
    }
    if consumer.sink != Sink::default() {
        out.insert("sink".into(), sink::write(&consumer.sink));
    }
    let on_revoke = consumer.on_revoke;
    insert(&mut out, "on.revoke", (on_revoke != OnRevoke::Nothing).then(|| json!(on_revoke.word())));
    insert(&mut out, "batch", consumer.batch.then_some(Value::Bool(true)));
    insert(&mut out, "retries", (consumer.retries > 0).then(|| json!(consumer.retries)));
    let backoff = consumer.retry_backoff;
    insert(&mut out, "retry.backoff.ms", (backoff > Duration(0)).then(|| millis(backoff)));
    insert(&mut out, "retry.topic", consumer.retry_topic.as_deref().map(Value::from));
    insert(&mut out, "dead.letter.topic", consumer.dead_letter_topic.as_deref().map(Value::from));
    insert(&mut out, "share", consumer.share.then_some(json!(true)));
    insert(&mut out, "on.failure", consumer.refusal.map(|refusal| json!(refusal.word())));
    insert(&mut out, "renew.every.ms", consumer.renew_every.map(millis));
    settings(&mut out, "producer.config", &consumer.producer_config);
    insert(&mut out, "start.at.ms", consumer.start.map(millis));
    settings(&mut out, "config", &consumer.config);
    Value::Object(out)
}

fn processor(processor: &Processor) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), json!(processor.name));
    insert(&mut out, "group", (processor.group != processor.name).then(|| json!(processor.group)));
    out.insert("from".into(), json!(processor.from));
    insert(&mut out, "assign", processor.assign.then_some(json!(true)));
    out.insert("to".into(), json!(processor.to));
    out.insert("processing.ms".into(), millis(processor.processing));
    insert(&mut out, "offsets", processor.offsets.map(|offsets| json!(offsets.word())));
    insert(&mut out, "sink", processor.sink.as_ref().map(sink::write));
    insert(&mut out, "start.at.ms", processor.start.map(millis));
    settings(&mut out, "producer.config", &processor.producer_config);
    settings(&mut out, "consumer.config", &processor.consumer_config);
    Value::Object(out)
}

/// A fault, as it stands in a scenario.
pub fn fault_to_json(fault: &Fault) -> Map<String, Value> {
    let mut out = Map::new();
    match &fault.when {
        When::At(at) => drop(out.insert("at.ms".into(), millis(Duration(at.us_since_origin())))),
        When::Message { kind, from, to, nth } => {
            let mut on = Map::new();
            on.insert("message".into(), json!(kind));
            insert(&mut on, "from", from.as_deref().map(Value::from));
            insert(&mut on, "to", to.as_deref().map(Value::from));
            on.insert("nth".into(), json!(nth));
            out.insert("on".into(), Value::Object(on));
        }
        When::Event { kind, node, nth } => {
            let mut on = Map::new();
            on.insert("event".into(), json!(kind.word()));
            insert(&mut on, "node", node.as_deref().map(Value::from));
            on.insert("nth".into(), json!(nth));
            out.insert("on".into(), Value::Object(on));
        }
    }
    what(&mut out, &fault.what);
    out
}

pub(super) fn what(out: &mut Map<String, Value>, what: &What) {
    let (verb, node, span) = match what {
        What::Crash { node, back_after } => ("crash", Some(node), *back_after),
        What::PowerLoss { node, back_after } => ("power_loss", Some(node), *back_after),
        What::Shutdown { node, back_after } => ("shutdown", Some(node), *back_after),
        What::Admin(task) => (task.verb(), None, None),
        What::Restart { node } => ("restart", Some(node), None),
        What::Pause { node, duration } => ("pause", Some(node), *duration),
        What::Resume { node } => ("resume", Some(node), None),
        What::Partition { duration, .. } => ("partition", None, *duration),
        What::Heal { .. } => ("heal", None, None),
        What::Reset => ("reset", None, None),
        What::Stall => ("stall", None, None),
        What::Delay { .. } => ("delay", None, None),
        What::Slow { duration, .. } => ("slow", None, *duration),
        What::SkewClock { node, .. } => ("skew_clock", Some(node), None),
        What::Corrupt { node, .. } => ("corrupt", Some(node), None),
        What::SlowDisk { node, duration, .. } => ("slow_disk", Some(node), *duration),
        What::FullDisk { node, duration } => ("full_disk", Some(node), *duration),
    };
    out.insert("do".into(), json!(verb));
    insert(out, "node", node.map(|node| json!(node)));
    insert(out, "for.ms", span.map(millis));
    match what {
        What::Partition { a, b, one_way, .. } => {
            ends(out, Some(a), b.as_ref());
            insert(out, "one.way", one_way.then_some(Value::Bool(true)));
        }
        What::Heal { a, b } => ends(out, Some(a), b.as_ref()),
        What::Slow { a, b, by, .. } => {
            ends(out, a.as_ref(), b.as_ref());
            out.insert("by.ms".into(), millis(*by));
        }
        What::Admin(it) => task(out, it),
        What::Delay { by } => drop(out.insert("by.ms".into(), millis(*by))),
        What::SlowDisk { by, .. } => drop(out.insert("by.ms".into(), millis(*by))),
        What::Corrupt { partition, offset, .. } => {
            insert(out, "partition", partition.as_deref().map(Value::from));
            insert(out, "offset", offset.map(Value::from));
        }
        What::SkewClock { by_ms, .. } => drop(out.insert("by.ms".into(), json!(by_ms))),
        _ => {}
    }
}

fn task(out: &mut Map<String, Value>, task: &AdminTask) {
    insert(out, "topic", task.topic().map(|topic| json!(topic)));
    match task {
        AdminTask::ElectLeaders { election, partition, .. } => {
            let word = if *election == ElectionType::Preferred { "preferred" } else { "unclean" };
            out.insert("type".into(), json!(word));
            insert(out, "partition", partition.map(Value::from));
        }
        AdminTask::CreatePartitions { count, .. } => drop(out.insert("count".into(), json!(count))),
        AdminTask::Reassign { partition, replicas, .. } => {
            out.insert("partition".into(), json!(partition));
            let ids = |replicas: &Vec<BrokerId>| replicas.iter().map(|id| Value::from(id.0)).collect();
            insert(out, "replicas", replicas.as_ref().map(ids));
        }
        AdminTask::AlterConfig { config, .. } => settings(out, "config", config),
        AdminTask::AlterGroupConfig { group, config } => {
            out.insert("group".into(), json!(group));
            settings(out, "config", config);
        }
        AdminTask::DeleteRecords { partition, offset, .. } | AdminTask::AbortTransaction { partition, offset, .. } => {
            out.insert("partition".into(), json!(partition));
            insert(out, "offset", offset.map(Value::from));
        }
    }
}

fn ends(out: &mut Map<String, Value>, a: Option<&Rc<str>>, b: Option<&Rc<str>>) {
    match (a, b) {
        (Some(a), Some(b)) => drop(out.insert("between".into(), json!([a, b]))),
        (Some(a), None) => drop(out.insert("node".into(), json!(a))),
        _ => {}
    }
}

fn about(about: &About) -> Value {
    let text = |text: &Text| json!({ "en": text.en, "ko": text.ko });
    let mut out = Map::new();
    out.insert("title".into(), text(&about.title));
    out.insert("question".into(), text(&about.question));
    out.insert("watch".into(), text(&about.watch));
    match about.try_next.as_slice() {
        [] => {}
        [one] => drop(out.insert("try".into(), json!(one))),
        many => drop(out.insert("try".into(), json!(many))),
    }
    Value::Object(out)
}
