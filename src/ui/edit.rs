//! Changing a scenario: settings, workload, guarantees, "try next". Everything gives back a new scenario or says why not.

mod place;
mod share;
mod sink;

pub use place::{Place, places};

use super::i18n::Texts;
use delivery_lab::base::Duration;
use delivery_lab::base::config::Properties;
use delivery_lab::scenario::format::{Commit, Dedupe, HandOver, Key, Offsets};
use delivery_lab::scenario::{Scenario, set};

/// A field that is not Kafka's: the workload around it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkField {
    /// Its key in the file format.
    pub key: &'static str,
    /// What it is.
    pub value: String,
    /// What it may be.
    pub kind: WorkKind,
}

/// What a workload field may be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WorkKind {
    /// A whole number.
    Number(u64, u64),
    /// One of these words.
    Words(Vec<&'static str>),
    /// Free text with a grammar of its own.
    Text,
}

fn words<T: Copy>(list: &'static [(&'static str, T)]) -> WorkKind {
    WorkKind::Words(list.iter().map(|(word, _)| *word).collect())
}

/// The workload fields of a place.
pub fn workload(scenario: &Scenario, place: Place) -> Vec<WorkField> {
    let number =
        |key, value: u64, low, high| WorkField { key, value: value.to_string(), kind: WorkKind::Number(low, high) };
    match place {
        Place::Producer(at) => {
            let it = &scenario.producers[at];
            let key = match it.key {
                Key::None => "none".to_owned(),
                Key::Record => "record".to_owned(),
                Key::Entity(count) => format!("entity:{count}"),
            };
            let mut fields = vec![
                number("records", it.records.into(), 0, 100_000),
                number("rate.per.second", it.rate_per_second.into(), 1, 1_000_000),
                WorkField { key: "key", value: key, kind: WorkKind::Text },
            ];
            if it.config.contains_key("transactional.id") {
                fields.push(number("transaction.records", it.transaction_records.into(), 1, 100_000));
                fields.push(number("abort.every", it.abort_every.into(), 0, 100_000));
            }
            fields.extend(it.start.map(|start| number("start.at.ms", start.as_millis(), 0, 600_000)));
            fields
        }
        Place::Reader(at) => {
            let it = &scenario.processors[at];
            let WorkKind::Words(mut offsets) = words(Offsets::WORDS) else { return Vec::new() };
            if it.offsets.is_none() {
                offsets.insert(0, "");
            }
            let word = it.offsets.map_or("", Offsets::word).to_owned();
            let mut fields = vec![
                number("processing.ms", it.processing.as_millis(), 0, 600_000),
                WorkField { key: "offsets", value: word, kind: WorkKind::Words(offsets) },
            ];
            fields.extend(it.sink.as_ref().map(|sink| WorkField {
                key: "sink.dedupe",
                value: sink.dedupe.word().to_owned(),
                kind: words(Dedupe::WORDS),
            }));
            fields.extend(it.start.map(|start| number("start.at.ms", start.as_millis(), 0, 600_000)));
            fields
        }
        Place::Writer(_) | Place::Group(_) => Vec::new(),
        Place::Consumer(at) => {
            let it = &scenario.consumers[at];
            let commit = it.commit.map_or("", Commit::word).to_owned();
            let WorkKind::Words(mut commits) = words(Commit::WORDS) else { return Vec::new() };
            if it.commit.is_none() {
                commits.insert(0, "");
            }
            let mut fields = vec![
                number("processing.ms", it.processing.as_millis(), 0, 600_000),
                WorkField { key: "commit", value: commit, kind: WorkKind::Words(commits) },
                WorkField { key: "hand.over", value: it.hand_over.word().to_owned(), kind: words(HandOver::WORDS) },
                sink::flag("batch", it.batch),
                number("retries", it.retries.into(), 0, 1_000),
            ];
            for (key, topic) in [("retry.topic", &it.retry_topic), ("dead.letter.topic", &it.dead_letter_topic)] {
                fields.extend(topic.as_ref().map(|topic| WorkField {
                    key,
                    value: topic.to_string(),
                    kind: WorkKind::Text,
                }));
            }
            fields.extend(share::fields(it));
            fields.extend(sink::fields(&it.sink));
            fields
        }
        Place::Topic(at) => {
            let it = &scenario.topics[at];
            vec![
                number("partitions", it.partitions.into(), 1, 64),
                number("replication.factor", it.replication_factor.into(), 1, scenario.cluster.brokers.into()),
            ]
        }
        Place::Cluster => {
            let (low, high) = scenario.network.latency;
            vec![
                number("seed", scenario.seed, 0, u64::MAX),
                number("brokers", scenario.cluster.brokers.into(), 1, 9),
                WorkField {
                    key: "controllers",
                    value: scenario.cluster.controllers.to_string(),
                    kind: WorkKind::Words(vec!["1", "3"]),
                },
                number("latency.us least", low.0, 0, 60_000_000),
                number("latency.us most", high.0, 0, 60_000_000),
            ]
        }
    }
}

/// The scenario with a workload field changed, or what is wrong with the text.
pub fn set_work(
    scenario: &Scenario,
    place: Place,
    field: &WorkField,
    text: &str,
    t: &Texts,
) -> Result<Scenario, String> {
    let text = text.trim();
    let mut new = scenario.clone();
    let mut number = 0;
    match &field.kind {
        WorkKind::Number(low, high) => {
            number = text
                .parse()
                .ok()
                .filter(|it| (low..=high).contains(&it))
                .ok_or_else(|| (t.expected_number)(*low, *high))?;
        }
        WorkKind::Words(words) if !words.contains(&text) => return Err((t.expected_words)(&words.join(", "))),
        _ => {}
    }
    match (place, field.key) {
        (Place::Cluster, "seed") => new.seed = number,
        (Place::Cluster, "latency.us least") => new.network.latency.0 = Duration::from_micros(number),
        (Place::Cluster, "latency.us most") => new.network.latency.1 = Duration::from_micros(number),
        (_, key) => {
            let name = if place == Place::Cluster { "cluster".to_owned() } else { place.name(scenario) };
            set(&mut new, &format!("{name}.{key}={text}")).map_err(|mistake| match key {
                "key" => (t.expected_words)("none, record, entity:4"),
                _ => mistake.problem,
            })?;
        }
    }
    let (low, high) = new.network.latency;
    if low > high {
        // The other end follows: whoever sets the least above the most means both.
        new.network.latency = if field.key.ends_with("least") { (low, low) } else { (high, high) };
    }
    Ok(new)
}

/// The scenario with `node.key=value` applied, where that is possible.
pub fn apply(scenario: &Scenario, change: &str) -> Option<Scenario> {
    let mut new = scenario.clone();
    set(&mut new, change).ok()?;
    Some(new)
}

/// The guarantees of the source document.
#[expect(clippy::enum_variant_names, reason = "these are the words of the field")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guarantee {
    AtMostOnce,
    AtLeastOnce,
    ExactlyOnce,
}

impl Guarantee {
    /// All of them.
    pub const ALL: [Guarantee; 3] = [Guarantee::AtMostOnce, Guarantee::AtLeastOnce, Guarantee::ExactlyOnce];
}

/// The scenario with exactly the settings that the source document names for a guarantee.
pub fn guarantee(scenario: &Scenario, which: Guarantee) -> Scenario {
    let mut new = scenario.clone();
    let mut taken = Vec::new();
    for producer in &mut new.producers {
        guarantee_writing(&mut producer.config, &producer.name, which, &mut taken);
    }
    for processor in &mut new.processors {
        guarantee_writing(&mut processor.producer_config, &processor.name, which, &mut taken);
        guarantee_reading(&mut processor.consumer_config, which);
        let (wanted, usual) = match which {
            Guarantee::AtMostOnce => (Offsets::Before, Offsets::After),
            Guarantee::AtLeastOnce => (Offsets::After, Offsets::After),
            Guarantee::ExactlyOnce => (Offsets::Transaction, Offsets::Transaction),
        };
        if processor.offsets.unwrap_or(usual) != wanted {
            processor.offsets = Some(wanted);
        }
    }
    for consumer in &mut new.consumers {
        if consumer.share {
            share::guarantee(consumer, which);
            continue;
        }
        let config = &mut consumer.config;
        config.insert("enable.auto.commit".into(), "false".into());
        guarantee_reading(config, which);
        let after = consumer
            .commit
            .filter(|it| matches!(it, Commit::AfterSync | Commit::AfterAsync))
            .unwrap_or(Commit::AfterSync);
        consumer.commit = Some(if which == Guarantee::AtMostOnce { Commit::Before } else { after });
    }
    new
}

/// What a guarantee asks of whoever writes. `taken` are the transactional ids that others have.
fn guarantee_writing(config: &mut Properties, name: &str, which: Guarantee, taken: &mut Vec<String>) {
    let (acks, idempotence) = match which {
        Guarantee::AtMostOnce => ("0", "false"),
        Guarantee::AtLeastOnce => ("all", "false"),
        Guarantee::ExactlyOnce => ("all", "true"),
    };
    config.insert("acks".into(), acks.into());
    config.insert("enable.idempotence".into(), idempotence.into());
    if which == Guarantee::ExactlyOnce {
        // Unique and stable: one that two share fences, one drawn anew at each start fences nobody.
        let good = |id: &String| !id.trim().is_empty() && !id.contains("${") && !taken.contains(id);
        let id = config.get("transactional.id").cloned().filter(good).unwrap_or_else(|| format!("{name}-tx"));
        taken.push(id.clone());
        config.insert("transactional.id".into(), id);
    } else {
        config.remove("transactional.id");
    }
    let most = if which == Guarantee::ExactlyOnce { 5 } else { u32::MAX };
    let in_flight = "max.in.flight.requests.per.connection";
    if config.get(in_flight).is_some_and(|it| it.trim().parse::<u32>().is_ok_and(|it| it > most)) {
        config.remove(in_flight);
    }
    if config.get("retries").is_some_and(|it| it.trim() == "0") && which != Guarantee::AtMostOnce {
        config.remove("retries");
    }
}

/// What a guarantee asks of whoever reads.
fn guarantee_reading(config: &mut Properties, which: Guarantee) {
    if which == Guarantee::ExactlyOnce {
        config.insert("isolation.level".into(), "read_committed".into());
    } else {
        config.remove("isolation.level");
    }
}

/// The guarantee whose settings a scenario has, if it is one of the three.
pub fn guarantee_of(scenario: &Scenario) -> Option<Guarantee> {
    let same = |which: &Guarantee| same_in_effect(scenario, &guarantee(scenario, *which));
    Guarantee::ALL.into_iter().find(same)
}

/// Whether two scenarios differ in no setting's effect: what is set to its default is as good as not set.
fn same_in_effect(a: &Scenario, b: &Scenario) -> bool {
    changes(a, b).is_empty()
}

/// What differs between two scenarios of the same shape: (name, key, before, after).
pub fn changes(before: &Scenario, after: &Scenario) -> Vec<(String, String, String, String)> {
    let mut found = Vec::new();
    let (old_places, new_places) = (places(before), places(after));
    for place in new_places.into_iter().filter(|place| old_places.contains(place)) {
        let name = place.name(after);
        let (old, new) = (place.properties(before), place.properties(after));
        for key in place.keys() {
            let value = |properties: &Properties| {
                properties.get(key.name).map_or(key.default, String::as_str).trim().to_owned()
            };
            let (was, is) = (value(old), value(new));
            if was != is {
                found.push((name.clone(), key.name.to_owned(), was, is));
            }
        }
        let (old, new) = (workload(before, place), workload(after, place));
        for (was, is) in old.into_iter().zip(new).filter(|(was, is)| was.value != is.value) {
            found.push((name.clone(), is.key.to_owned(), was.value, is.value));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use delivery_lab::scenario::library;

    fn lost_ack() -> Scenario {
        library::get("lost-ack").expect("it is in the library")
    }

    #[test]
    fn lost_ack_is_at_least_once_and_its_cure_is_a_setting() {
        let scenario = lost_ack();
        assert_eq!(guarantee_of(&scenario), Some(Guarantee::AtLeastOnce));
        let cured = apply(&scenario, "shop.enable.idempotence=true").expect("the hint can be applied");
        assert_eq!(changes(&scenario, &cured).len(), 1);
        assert_eq!(guarantee_of(&cured), None);
    }

    #[test]
    fn every_hint_of_the_library_can_be_applied() {
        for id in library::ids() {
            let scenario = library::get(id).expect("it is listed");
            for hint in scenario.about.iter().flat_map(|about| about.try_next.iter()) {
                let changed = apply(&scenario, hint).unwrap_or_else(|| panic!("{id}: {hint}"));
                assert_eq!(changes(&scenario, &changed).len(), 1, "{id}: {hint}");
            }
        }
    }

    #[test]
    fn exactly_once_sets_three_keys_and_no_more() {
        let changed = changes(&lost_ack(), &guarantee(&lost_ack(), Guarantee::ExactlyOnce));
        let said: Vec<_> = changed.iter().map(|(name, key, _, now)| format!("{name}.{key}={now}")).collect();
        assert_eq!(
            said,
            ["shop.enable.idempotence=true", "shop.transactional.id=shop-tx", "mailer.isolation.level=read_committed"]
        );
    }

    #[test]
    fn exactly_once_moves_a_processors_offsets_into_its_transaction() {
        let mut scenario = lost_ack();
        let text = r#"{ "version": 1, "topics": [ { "name": "orders" }, { "name": "invoices" } ],
            "processors": [ { "name": "billing", "from": ["orders"], "to": ["invoices"], "group": "b", "offsets": "after" } ] }"#;
        scenario.processors = delivery_lab::scenario::parse(text).expect("a scenario").processors;
        let new = guarantee(&scenario, Guarantee::ExactlyOnce);
        let changed: Vec<_> = changes(&scenario, &new).into_iter().filter(|it| it.0 == "billing").collect();
        let said: Vec<_> = changed.iter().map(|(_, key, _, now)| format!("{key}={now}")).collect();
        assert_eq!(said, ["isolation.level=read_committed", "offsets=transaction", "transactional.id=billing-tx"]);
        assert_eq!(guarantee_of(&new), Some(Guarantee::ExactlyOnce));
        let back = guarantee(&new, Guarantee::AtLeastOnce);
        assert_eq!(back.processors[0].offsets, Some(Offsets::After));
        assert_eq!(guarantee_of(&back), Some(Guarantee::AtLeastOnce));
    }

    #[test]
    fn a_transactional_id_that_is_stable_and_unique_is_kept_and_others_are_not() {
        let mut scenario = lost_ack();
        let mut twin = scenario.producers[0].clone();
        twin.name = "kiosk".into();
        scenario.producers.push(twin);
        let with = |first: &str, second: &str| {
            let mut scenario = scenario.clone();
            for (producer, id) in scenario.producers.iter_mut().zip([first, second]) {
                producer.config.insert("transactional.id".into(), id.into());
            }
            let ids = guarantee(&scenario, Guarantee::ExactlyOnce).producers;
            ids.iter().map(|it| it.config["transactional.id"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(with("a", "b"), ["a", "b"]);
        assert_eq!(with("same", "same"), ["same", "kiosk-tx"]);
        assert_eq!(with("x-${random.uuid}", ""), ["shop-tx", "kiosk-tx"]);
    }

    #[test]
    fn groups_have_settings_where_a_coordinator_asks_for_them() {
        let mut scenario = library::get("share-group").expect("it is in the library");
        let places = super::places(&scenario);
        let place = Place::Group(0);
        assert!(places.contains(&place) && place.name(&scenario) == "workers");
        assert!(place.offered(&scenario).all(|key| key.name.starts_with("share.")));
        let before = scenario.clone();
        place.properties_mut(&mut scenario).insert("share.delivery.count.limit".into(), "3".into());
        assert_eq!(changes(&before, &scenario).len(), 1);
        assert_eq!(place.check(&scenario, place.properties(&scenario)), []);
        place.properties_mut(&mut scenario).remove("share.delivery.count.limit");
        scenario.drop_empty_groups();
        assert_eq!(scenario, before);
        assert!(!super::places(&lost_ack()).contains(&Place::Group(0)), "nothing asks for those of a classic group");
    }

    #[test]
    fn every_guarantee_passes_kafkas_checks_and_is_recognised() {
        for id in library::ids() {
            for which in Guarantee::ALL {
                let changed = guarantee(&library::get(id).expect("it is listed"), which);
                assert_eq!(guarantee_of(&changed), Some(which), "{id}");
                for place in places(&changed) {
                    assert_eq!(place.check(&changed, place.properties(&changed)), [], "{id}");
                }
            }
        }
    }
}
