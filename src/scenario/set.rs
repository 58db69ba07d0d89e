//! Changing one thing of a scenario by its name: `acks=1`, `shop.linger.ms=0`, `mailer.commit=before`, `seed=7`.
//!
//! A bare Kafka key goes to everyone who has such a key: producers and consumers first, else topics, else the cluster, else
//! groups.

use super::format::*;
use super::groups;
use super::members::whole_name;
use super::reader::Mistake;
use crate::base::config::{ConfigKey, Properties, suggest};
use crate::base::config::{broker_keys, consumer_keys, group_keys, producer_keys, topic_keys};
use serde_json::{Value, json};
use std::rc::Rc;

/// Applies `KEY=VALUE`, or says what would be right and changes nothing.
pub fn set(scenario: &mut Scenario, assignment: &str) -> Result<(), Mistake> {
    let Some((key, value)) = assignment.split_once('=') else {
        return Err(mistake(assignment, "expected KEY=VALUE, such as acks=1 or mailer.commit=before".to_owned()));
    };
    let (key, value) = (key.trim(), value.trim());
    if key == "seed" {
        scenario.seed =
            value.parse().map_err(|_| mistake(key, format!("\"{value}\" is not a seed: a whole number from 0")))?;
        return Ok(());
    }
    if let Some((group, key)) = groups::owner(scenario, key) {
        return groups::set(scenario, &group, &key, value);
    }
    if let Some((name, rest)) = owner(scenario, key) {
        let (name, rest) = (name.to_owned(), rest.to_owned());
        return set_of(scenario, &name, &rest, value);
    }
    set_everywhere(scenario, key, value)
}

fn mistake(place: &str, problem: String) -> Mistake {
    Mistake { place: place.to_owned(), problem }
}

/// Splits `shop.acks` into the name of a part of the scenario and the rest.
fn owner<'a>(scenario: &Scenario, key: &'a str) -> Option<(&'a str, &'a str)> {
    let whole = scenario.consumers.iter().flat_map(|c| [Some(&*c.name), whole_name(&c.name)]).flatten().map(Rc::from);
    let names = scenario.applications().chain(whole).chain(scenario.topics.iter().map(|t| Rc::clone(&t.name)));
    names.chain([Rc::from("cluster")]).find_map(|name| {
        let rest = key.strip_prefix(&*name)?.strip_prefix('.')?;
        Some((&key[..name.len()], rest))
    })
}

fn set_of(scenario: &mut Scenario, name: &str, key: &str, value: &str) -> Result<(), Mistake> {
    let place = format!("{name}.{key}");
    if name == "cluster" {
        if key == "brokers" || key == "controllers" {
            return set_field(scenario, &place, |json| json["cluster"][key] = number_or_text(value));
        }
        if key == "racks" {
            return set_field(scenario, &place, |json| json["cluster"][key] = names(value));
        }
        return put(&mut scenario.cluster.config, broker_keys(), &place, key, value);
    }
    if let Some(i) = scenario.producers.iter().position(|p| &*p.name == name) {
        return match key {
            "records"
            | "rate.per.second"
            | "key"
            | "topic"
            | "resend"
            | "transaction.records"
            | "abort.every"
            | "start.at.ms" => set_field(scenario, &place, |json| json["producers"][i][key] = plain(value)),
            _ => put(&mut scenario.producers[i].config, producer_keys(), &place, key, value),
        };
    }
    if let Some(i) = scenario.consumers.iter().position(|c| &*c.name == name) {
        return set_of_consumer(scenario, i, &place, key, value);
    }
    let each = scenario.written_out(name);
    if !each.is_empty() {
        let mut changed = scenario.clone();
        each.iter().try_for_each(|one| set_of(&mut changed, one, key, value))?;
        *scenario = changed;
        return Ok(());
    }
    if let Some(i) = scenario.consumers.iter().position(|c| c.instances().any(|it| &*it.name == name)) {
        // One of several: from now on each stands for itself.
        let mut changed = scenario.clone();
        changed.write_out(i);
        set_of(&mut changed, name, key, value)?;
        *scenario = changed;
        return Ok(());
    }
    if let Some(i) = scenario.processors.iter().position(|p| &*p.name == name) {
        return set_of_processor(scenario, i, &place, key, value);
    }
    let i = scenario.topics.iter().position(|t| &*t.name == name).expect("the owner was found by this name");
    match key {
        "partitions" | "replication.factor" => {
            set_field(scenario, &place, |json| json["topics"][i][key] = number_or_text(value))
        }
        _ => put(&mut scenario.topics[i].config, topic_keys(), &place, key, value),
    }
}

/// `mailer.commit=before`; a setting of its client, or of the one that sends away: `mailer.producer.linger.ms=0`.
fn set_of_consumer(scenario: &mut Scenario, i: usize, place: &str, key: &str, value: &str) -> Result<(), Mistake> {
    match key {
        "processing.ms" | "commit" | "hand.over" | "group" | "members" | "assign" | "start.at.ms" | "batch"
        | "retries" | "retry.backoff.ms" | "retry.topic" | "dead.letter.topic" | "share" | "on.failure"
        | "on.revoke" | "renew.every.ms" => {
            return set_field(scenario, place, |json| json["consumers"][i][key] = plain(value));
        }
        // One stands for the other.
        "topics" | "topics.pattern" => {
            return set_field(scenario, place, |json| {
                let (list, pattern) = match key {
                    "topics" => (names(value), Value::Null),
                    _ => (Value::Null, json!(value)),
                };
                let it = &mut json["consumers"][i];
                if value.is_empty() {
                    it[key] = Value::Null;
                    return;
                }
                it["topics"] = list;
                it["topics.pattern"] = pattern;
            });
        }
        _ => {}
    }
    if let Some(key) = sink_key(key) {
        return set_field(scenario, place, |json| json["consumers"][i]["sink"][key] = plain(value));
    }
    let consumer = &mut scenario.consumers[i];
    match key.strip_prefix("producer.") {
        Some(key) => put(&mut consumer.producer_config, producer_keys(), place, key, value),
        None => put(&mut consumer.config, consumer_keys(), place, key, value),
    }
}

/// `invoices, audit`.
fn names(value: &str) -> Value {
    Value::from_iter(value.split(',').map(str::trim).filter(|name| !name.is_empty()))
}

/// `billing.offsets=after`; a setting of its clients with or without saying of which: `billing.producer.linger.ms=0`,
/// `billing.isolation.level=read_committed`. A key that both have goes to both.
fn set_of_processor(scenario: &mut Scenario, i: usize, place: &str, key: &str, value: &str) -> Result<(), Mistake> {
    match key {
        "processing.ms" | "offsets" | "group" | "assign" | "start.at.ms" => {
            return set_field(scenario, place, |json| json["processors"][i][key] = plain(value));
        }
        "from" | "to" => return set_field(scenario, place, |json| json["processors"][i][key] = names(value)),
        _ => {}
    }
    if let Some(key) = sink_key(key) {
        return set_field(scenario, place, |json| json["processors"][i]["sink"][key] = plain(value));
    }
    let processor = &mut scenario.processors[i];
    let of = |client: &str| key.strip_prefix(client).map(|rest| rest.strip_prefix("config.").unwrap_or(rest));
    if let Some(key) = of("producer.") {
        return put(&mut processor.producer_config, producer_keys(), place, key, value);
    }
    if let Some(key) = of("consumer.") {
        return put(&mut processor.consumer_config, consumer_keys(), place, key, value);
    }
    let knows = |keys: &[ConfigKey]| keys.iter().any(|known| known.name == key);
    if knows(producer_keys()) {
        put(&mut processor.producer_config, producer_keys(), place, key, value)?;
    }
    if knows(consumer_keys()) || !knows(producer_keys()) {
        put(&mut processor.consumer_config, consumer_keys(), place, key, value)?;
    }
    Ok(())
}

/// Changes a field through the file format, so that its checks hold here too.
fn set_field(scenario: &mut Scenario, place: &str, change: impl FnOnce(&mut Value)) -> Result<(), Mistake> {
    let mut json = super::to_json(scenario);
    change(&mut json);
    let changed = super::parse_value(json).map_err(|mut all| mistake(place, all.remove(0).problem))?;
    *scenario = changed;
    Ok(())
}

/// `window.records` of `sink.window.records`; what is most often asked for goes without.
fn sink_key(key: &str) -> Option<&str> {
    if key == "dedupe" { Some(key) } else { key.strip_prefix("sink.") }
}

/// As JSON would spell it; nothing for the default.
fn plain(value: &str) -> Value {
    match value {
        "" => Value::Null,
        "true" | "false" => Value::Bool(value == "true"),
        _ => number_or_text(value),
    }
}

fn number_or_text(value: &str) -> Value {
    value.parse::<serde_json::Number>().map_or_else(|_| json!(value), Value::Number)
}

pub(super) fn put(
    config: &mut Properties,
    keys: &[ConfigKey],
    place: &str,
    key: &str,
    value: &str,
) -> Result<(), Mistake> {
    let Some(definition) = keys.iter().find(|known| known.name == key) else {
        let near = suggest::nearest(key, keys.iter().map(|known| known.name));
        let hint = near.map_or(String::new(), |near| format!("; did you mean \"{near}\"?"));
        return Err(mistake(place, format!("unknown setting \"{key}\"{hint}")));
    };
    if value.is_empty() {
        // Back to the default.
        config.remove(key);
        return Ok(());
    }
    definition.validate(value).map_err(|error| mistake(place, error.message))?;
    config.insert(key.to_owned(), value.to_owned());
    Ok(())
}

fn set_everywhere(scenario: &mut Scenario, key: &str, value: &str) -> Result<(), Mistake> {
    let knows = |keys: &[ConfigKey]| keys.iter().any(|known| known.name == key);
    let (producer, consumer) = (knows(producer_keys()), knows(consumer_keys()));
    if producer || consumer {
        let producers = scenario.producers.iter_mut().filter(|_| producer).map(|p| (&mut p.config, producer_keys()));
        let consumers = scenario.consumers.iter_mut().filter(|_| consumer).map(|c| (&mut c.config, consumer_keys()));
        let processors = scenario.processors.iter_mut().flat_map(|p| {
            let producer = producer.then_some((&mut p.producer_config, producer_keys()));
            producer.into_iter().chain(consumer.then_some((&mut p.consumer_config, consumer_keys())))
        });
        let all = producers.chain(consumers).chain(processors);
        return { all }.try_for_each(|(config, keys)| put(config, keys, key, key, value));
    }
    if knows(topic_keys()) && !scenario.topics.is_empty() {
        return scenario.topics.iter_mut().try_for_each(|topic| put(&mut topic.config, topic_keys(), key, key, value));
    }
    if knows(broker_keys()) {
        return put(&mut scenario.cluster.config, broker_keys(), key, key, value);
    }
    if groups::is_groups(key) {
        return groups::set_everywhere(scenario, key, value);
    }
    let tables = [producer_keys(), consumer_keys(), topic_keys(), broker_keys(), group_keys()];
    let names = tables.iter().flat_map(|keys| keys.iter().map(|known| known.name));
    let near = suggest::nearest(key, names);
    let hint = near.map_or(String::new(), |near| format!("; did you mean \"{near}\"?"));
    let parts = part_names(scenario);
    Err(mistake(key, format!("nothing here is called \"{key}\"{hint} (parts of this scenario: {parts})")))
}

fn part_names(scenario: &Scenario) -> String {
    let topics = scenario.topics.iter().map(|t| Rc::clone(&t.name));
    let names: Vec<Rc<str>> = scenario.applications().chain(topics).collect();
    format!("{}, cluster", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::library;

    fn lost_ack() -> Scenario {
        library::get("lost-ack").expect("it is in the library")
    }

    #[test]
    fn a_bare_key_goes_to_everyone_who_has_it() {
        let mut scenario = lost_ack();
        set(&mut scenario, "acks=1").expect("a producer key");
        assert_eq!(scenario.producers[0].config["acks"], "1");
        set(&mut scenario, "request.timeout.ms=900").expect("of both clients");
        assert_eq!(scenario.producers[0].config["request.timeout.ms"], "900");
        assert_eq!(scenario.consumers[0].config["request.timeout.ms"], "900");
        set(&mut scenario, "min.insync.replicas=1").expect("a topic key");
        assert_eq!(scenario.topics[0].config["min.insync.replicas"], "1");
        set(&mut scenario, "replica.lag.time.max.ms=900").expect("a broker key");
        assert_eq!(scenario.cluster.config["replica.lag.time.max.ms"], "900");
    }

    #[test]
    fn a_name_chooses_a_part() {
        let mut scenario = lost_ack();
        set(&mut scenario, "mailer.commit=before").expect("a field");
        assert_eq!(scenario.consumers[0].commit, Some(Commit::Before));
        set(&mut scenario, "shop.records=5").expect("a field");
        assert_eq!(scenario.producers[0].records, 5);
        set(&mut scenario, "seed=9").expect("the seed");
        assert_eq!(scenario.seed, 9);
    }

    fn billing() -> Scenario {
        let text = r#"{ "version": 1, "topics": [ { "name": "orders" }, { "name": "invoices" }, { "name": "audit" } ],
            "processors": [ { "name": "billing", "from": ["orders"], "to": ["invoices"],
                              "producer.config": { "transactional.id": "billing-1" } } ] }"#;
        crate::scenario::parse(text).expect("a valid scenario")
    }

    #[test]
    fn a_processor_has_fields_of_its_own_and_settings_of_two_clients() {
        let mut scenario = billing();
        for assignment in [
            "billing.offsets=after",
            "billing.to=invoices, audit",
            "billing.sink.dedupe=unique-key",
            "billing.start.at.ms=250",
            "billing.producer.linger.ms=0",
            "billing.consumer.max.poll.records=3",
            "billing.transactional.id=${random.uuid}",
            "billing.isolation.level=read_committed",
            "request.timeout.ms=900",
            "acks=all",
        ] {
            set(&mut scenario, assignment).expect(assignment);
        }
        let billing = &scenario.processors[0];
        assert_eq!(
            (billing.offsets, billing.sink.as_ref().map(|sink| sink.dedupe)),
            (Some(Offsets::After), Some(Dedupe::UniqueKey))
        );
        assert_eq!(billing.to, ["invoices".into(), "audit".into()]);
        assert_eq!(billing.start, Some(crate::base::Duration::from_millis(250)));
        let producer = [
            ("acks", "all"),
            ("linger.ms", "0"),
            ("request.timeout.ms", "900"),
            ("transactional.id", "${random.uuid}"),
        ];
        let consumer =
            [("isolation.level", "read_committed"), ("max.poll.records", "3"), ("request.timeout.ms", "900")];
        let of =
            |list: &[(&str, &str)]| list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        assert_eq!((&billing.producer_config, &billing.consumer_config), (&of(&producer), &of(&consumer)));
        set(&mut scenario, "billing.transactional.id=").expect("back to the default");
        assert!(!scenario.processors[0].producer_config.contains_key("transactional.id"));
        let error = set(&mut scenario, "billing.producer.lingr.ms=1").expect_err("no such key");
        assert!(error.problem.contains("did you mean \"linger.ms\"?"), "{error}");
    }

    #[test]
    fn nonsense_is_refused_and_changes_nothing() {
        let mut scenario = lost_ack();
        for bad in ["acks", "ack=1", "acks=many", "shop.recrods=1", "mailer.commit=never", "seed=x"] {
            let error = set(&mut scenario, bad).expect_err(bad);
            assert!(!error.to_string().is_empty());
        }
        assert_eq!(scenario, lost_ack());
    }
}
