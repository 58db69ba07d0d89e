//! The assignors against Kafka's own classes: `tests/golden/kafka/assignors.json` holds what those make of random groups
//! (`tests/conformance/Assignors.java` wrote it, run by `.ci/conformance.sh assignors`). Ours must give every member the same
//! partitions in the same order, and write the same bytes.

#![cfg(not(target_arch = "wasm32"))]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use delivery_lab::base::config::{Assignor, ServerAssignor};
use delivery_lab::base::{SortedMap, SortedSet, TopicId};
use delivery_lab::client::consumer::assignor::{self, PartitionRacks, StickyMemory, subscription_user_data};
use delivery_lab::coordinator::group::assignor as server;
use delivery_lab::coordinator::group::assignor::{MemberAssignment, MemberSpec, SubscriptionType};
use delivery_lab::metadata::Uuid;
use delivery_lab::protocol::{ConsumerAssignment, ConsumerSubscription, NamedPartition};
use serde_json::Value;
use std::rc::Rc;

fn golden() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/kafka/assignors.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the goldens")).expect("JSON")
}

/// The cases of a family, at least 50.
fn cases(family: &str) -> Vec<Value> {
    let cases = golden()[family].as_array().cloned().unwrap_or_default();
    assert!(cases.len() >= 50, "{family}: only {} cases", cases.len());
    cases
}

fn words(value: &Value) -> impl Iterator<Item = &str> {
    value.as_str().unwrap_or("").split_whitespace()
}

/// Reads "orders-0,1 mail-3".
fn partitions(value: &Value) -> Vec<NamedPartition> {
    let of_word = |word: &str| -> Vec<NamedPartition> {
        let (topic, numbers) = word.rsplit_once('-').expect("topic-partition");
        let topic: Rc<str> = Rc::from(topic);
        numbers.split(',').map(|number| (topic.clone(), number.parse().expect("a number"))).collect()
    };
    words(value).flat_map(of_word).collect()
}

fn name(value: &Value) -> Option<Rc<str>> {
    value.as_str().map(Rc::from)
}

fn object(value: &Value) -> impl Iterator<Item = (Rc<str>, &Value)> {
    value.as_object().into_iter().flatten().map(|(key, value)| (Rc::from(key.as_str()), value))
}

/// What a member joins with.
fn subscription(assignor: Assignor, member: &Value) -> ConsumerSubscription {
    let had = partitions(&member["had"]);
    let generation = member["generation"].as_i64().map(|it| it as i32).filter(|it| *it >= 0);
    let memory = StickyMemory { assignment: generation.map(|generation| (had.clone(), generation)) };
    ConsumerSubscription {
        topics: words(&member["topics"]).map(Rc::from).collect(),
        user_data: subscription_user_data(assignor, &memory),
        owned_partitions: if assignor == Assignor::CooperativeSticky { had } else { Vec::new() },
        generation,
        rack: name(&member["rack"]),
        instance_id: name(&member["instance"]),
    }
}

fn version(member: &Value) -> i16 {
    member["version"].as_i64().map_or(3, |version| version as i16)
}

fn play(assignor: Assignor) {
    let family = assignor.protocol_name();
    for (index, case) in cases(family).iter().enumerate() {
        let racks = |it: &Value| -> PartitionRacks { words(it).map(Rc::from).collect() };
        let of_topic = |it: &Value| match it.as_array() {
            Some(partitions) => partitions.iter().map(racks).collect(),
            None => vec![PartitionRacks::default(); it.as_u64().expect("a count") as usize],
        };
        let metadata = object(&case["topics"]).map(|(topic, it)| (topic, of_topic(it))).collect();
        let joined = |(member, it): (Rc<str>, &Value)| {
            let said = subscription(assignor, it);
            let heard = ConsumerSubscription::decode(&said.encode_as(version(it))).expect("it was just written");
            (member, ConsumerSubscription { instance_id: said.instance_id, ..heard })
        };
        let subscriptions = object(&case["members"]).map(joined).collect();
        let ours = assignor::assign(assignor, &metadata, &subscriptions);
        let kafka: SortedMap<Rc<str>, Vec<NamedPartition>> =
            object(&case["assignment"]).map(|(member, it)| (member, partitions(it))).collect();
        assert_eq!(ours, kafka, "{family}, case {index}: {case:#}");
    }
}

#[test]
fn range_assigns_as_kafkas_does() {
    play(Assignor::Range);
}

#[test]
fn round_robin_assigns_as_kafkas_does() {
    play(Assignor::RoundRobin);
}

#[test]
fn sticky_assigns_as_kafkas_does() {
    play(Assignor::Sticky);
}

#[test]
fn cooperative_sticky_assigns_as_kafkas_does() {
    play(Assignor::CooperativeSticky);
}

/// The topics of the goldens are the Lab's first ones.
fn topic_ids() -> SortedMap<Rc<str>, TopicId> {
    let golden = golden();
    let id = |(name, uuid): (Rc<str>, &Value)| {
        let uuid = uuid.as_str().expect("a topic id");
        let topic = (1..9).map(TopicId).find(|topic| Uuid::of_topic(*topic).to_string() == uuid);
        (name, topic.expect("one of the Lab's first topics"))
    };
    object(&golden["topic ids"]).map(id).collect()
}

fn play_on_server(assignor: ServerAssignor, family: &str) {
    let ids = topic_ids();
    let assignment = |value: &Value| {
        let mut assignment = MemberAssignment::default();
        for (topic, partition) in partitions(value) {
            assignment.entry(ids[&topic]).or_default().insert(partition);
        }
        assignment
    };
    for (index, case) in cases(family).iter().enumerate() {
        let count = |it: &Value| match it.as_array() {
            Some(partitions) => partitions.len() as u32,
            None => it.as_u64().expect("a count") as u32,
        };
        let topics = object(&case["topics"]).map(|(topic, it)| (ids[&topic], count(it))).collect();
        let spec = |it: &Value| MemberSpec {
            instance_id: name(&it["instance"]),
            topics: words(&it["topics"]).map(|topic| ids[topic]).collect::<SortedSet<TopicId>>(),
            assignment: assignment(&it["had"]),
        };
        let members: SortedMap<Rc<str>, MemberSpec> =
            object(&case["members"]).map(|(member, it)| (member, spec(it))).collect();
        let same = SubscriptionType::of(members.values().map(|spec| &spec.topics));
        let ours = server::assign(assignor, same, &topics, &members);
        let kafka: SortedMap<Rc<str>, MemberAssignment> =
            object(&case["assignment"]).map(|(member, it)| (member, assignment(it))).collect();
        assert_eq!(ours, kafka, "{family}, case {index}: {case:#}");
    }
}

#[test]
fn uniform_assigns_as_kafkas_does() {
    play_on_server(ServerAssignor::Uniform, "uniform on the server");
}

#[test]
fn range_on_the_server_assigns_as_kafkas_does() {
    play_on_server(ServerAssignor::Range, "range on the server");
}

#[test]
fn subscriptions_and_assignments_are_kafkas_bytes() {
    let golden = golden();
    let cases = golden["bytes"].as_array().expect("cases");
    assert!(cases.len() >= 20);
    for case in cases {
        let bytes = |key: &str| case[key].as_str().map(|text| Bytes::from(STANDARD.decode(text).expect("base64")));
        let assignor = Assignor::from_name(case["assignor"].as_str().expect("a name")).expect("an assignor");
        let said = subscription(assignor, case);
        assert_eq!(said.user_data, bytes("user data"), "{case:#}");
        assert_eq!(Some(said.encode_as(version(case))), bytes("subscription"), "{case:#}");
        let assignment = ConsumerAssignment { partitions: partitions(&case["had"]), user_data: said.user_data };
        let written = assignment.encode_as(version(case));
        assert_eq!(Some(written.clone()), bytes("assignment"), "{case:#}");
        let read = ConsumerAssignment::decode(&written).expect("it was just written");
        assert_eq!(read.encode_as(version(case)), written, "{case:#}");
    }
}
