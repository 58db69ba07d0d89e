//! The bytes in JoinGroup and SyncGroup that consumers write: subscriptions and assignments, as JSON.
//!
//! `{"subscribe": ["t"], "owned": {"t": [0]}, "generation": 3, "version": 1}`, `{"assigned": {"t": [0, 1]}, "version": 1}`; the version is 3 if
//! it is left out. Bytes that are neither are shown as text.

use bytes::Bytes;
use delivery_lab::protocol::{ConsumerAssignment, ConsumerSubscription, NamedPartition};
use serde_json::{Map, Value, json};

/// Topics have other names in a real cluster.
pub type Rename<'a> = &'a dyn Fn(&str) -> String;

/// The bytes that are meant; a text stands for itself.
pub fn build(json: &Value, rename: Rename<'_>) -> Bytes {
    let version = json["version"].as_i64().unwrap_or(3) as i16;
    if json.get("assigned").is_some() {
        let assignment = ConsumerAssignment { partitions: partitions(&json["assigned"], rename), user_data: None };
        return assignment.encode_as(version);
    }
    if let Some(topics) = json["subscribe"].as_array() {
        let subscription = ConsumerSubscription {
            topics: topics.iter().map(|topic| rename(topic.as_str().unwrap_or_default()).into()).collect(),
            owned_partitions: partitions(&json["owned"], rename),
            generation: json["generation"].as_i64().map(|it| it as i32),
            ..ConsumerSubscription::default()
        };
        return subscription.encode_as(version);
    }
    Bytes::from(json.as_str().unwrap_or_default().to_string())
}

fn partitions(json: &Value, rename: Rename<'_>) -> Vec<NamedPartition> {
    let of_topic = |(topic, list): (&String, &Value)| {
        let partitions: Vec<u64> = list.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        let topic = rename(topic);
        partitions.into_iter().map(move |at| (topic.as_str().into(), at as u32))
    };
    json.as_object().into_iter().flatten().flat_map(of_topic).collect()
}

/// As a golden has them: what a member was assigned, or says of itself.
pub fn show(bytes: &[u8], is_assignment: bool, rename: Rename<'_>) -> Value {
    let version = bytes.get(..2).map_or(0, |it| i16::from_be_bytes([it[0], it[1]]));
    if is_assignment && let Ok(it) = ConsumerAssignment::decode(bytes) {
        return json!({ "assigned": shown(&it.partitions, rename), "version": version });
    }
    if !is_assignment && let Ok(it) = ConsumerSubscription::decode(bytes) {
        let topics: Vec<String> = it.topics.iter().map(|topic| rename(topic)).collect();
        let mut json = json!({ "subscribe": topics, "version": version });
        if !it.owned_partitions.is_empty() {
            json["owned"] = shown(&it.owned_partitions, rename);
        }
        if let Some(generation) = it.generation {
            json["generation"] = generation.into();
        }
        return json;
    }
    Value::from(bytes.escape_ascii().to_string())
}

fn shown(partitions: &[NamedPartition], rename: Rename<'_>) -> Value {
    let mut topics: Map<String, Value> = Map::new();
    let mut sorted = partitions.to_vec();
    sorted.sort();
    for (topic, partition) in sorted {
        let list = topics.entry(rename(&topic)).or_insert(json!([]));
        list.as_array_mut().expect("a list").push(partition.into());
    }
    topics.into()
}

#[test]
fn what_consumers_write_is_read_again() {
    let real = |topic: &str| format!("real.{topic}");
    let short = |topic: &str| topic.trim_start_matches("real.").to_string();
    for json in [
        json!({ "subscribe": ["t", "u"], "owned": { "t": [0, 2] }, "generation": 3, "version": 2 }),
        json!({ "subscribe": [], "version": 0 }),
    ] {
        assert_eq!(show(&build(&json, &real), false, &short), json);
    }
    let json = json!({ "assigned": { "t": [0, 1], "u": [5] }, "version": 3 });
    assert_eq!(show(&build(&json, &real), true, &short), json);
    for text in ["", "m", "all", "three", "M1 17", "what it is given"] {
        assert_eq!(show(text.as_bytes(), true, &short), json!(text));
        assert_eq!(show(text.as_bytes(), false, &short), json!(text));
    }
}
