//! Short forms for members of groups: fields of the requests in `shorthand.rs` that are lists or seldom needed.
//!
//! * `join`: `"metadata": "x"` or `"protocols": [["sticky", "a"], ["range", "b"]]`, `"session": 6000`, `"rebalance": 2000`, `"type": "connect"`.
//! * `sync`: `"assign": {"M1": "one", "M2": "two"}`. `leave`: `"members": [["M1", null], ["", "i"]]`, member and instance ids.
//! * `{"enter": "g", "id": "a"}`: the ConsumerGroupHeartbeat of someone who joins, with epoch 0 and all that this takes, subscribed to `t`;
//!   `{"member": "g", "epoch": 3}`: a later one. Both with `"topics": ["t", "u"]`, `"regex": "t|u"`, `"owned": [0, 1]` or
//!   `{"t": [0], "u": [1]}`, `"rebalance": 1000`, `"instance": "i"`, `"assignor": "range"`.
//! * `commit`: `"offsets": {"0": 5, "1": 7}` by partition; from version 10 on topics are named by id. `committed`: `"stable": true`, and
//!   `"id"`, `"epoch"` of the member that asks.

use serde_json::{Map, Value, json};

/// The step that is meant, in words of `shorthand.rs` or of Kafka.
pub fn expand(step: &Value) -> Value {
    let words = ["join", "sync", "leave", "enter", "member", "commit", "committed"];
    let Some(word) = words.into_iter().find(|word| step.get(*word).is_some()) else { return step.clone() };
    let mut step: Map<String, Value> = step.as_object().expect("a step").clone();
    let mut with = Map::new();
    let mut take = |from: &str, to: &str, make: &dyn Fn(Value) -> Value| {
        if let Some(value) = step.remove(from) {
            with.insert(to.into(), make(value));
        }
    };
    let itself = |value: Value| value;
    match word {
        "join" => {
            take("session", "sessionTimeoutMs", &itself);
            take("rebalance", "rebalanceTimeoutMs", &itself);
            take("type", "protocolType", &itself);
            take("metadata", "protocols", &|it| json!([{ "name": "range", "metadata": it }]));
            take("protocols", "protocols", &|it| pairs(&it, "name", "metadata"));
        }
        "sync" => take("assign", "assignments", &|it| named(&it, "memberId", "assignment")),
        "leave" => take("members", "members", &|it| pairs(&it, "memberId", "groupInstanceId")),
        "enter" | "member" => {
            take("topics", "subscribedTopicNames", &itself);
            take("regex", "subscribedTopicRegex", &itself);
            take("owned", "topicPartitions", &owned);
            take("rebalance", "rebalanceTimeoutMs", &itself);
            take("instance", "instanceId", &itself);
            take("assignor", "serverAssignor", &itself);
        }
        "commit" => {
            let by_id = step.get("version").and_then(Value::as_i64) >= Some(10);
            if step.contains_key("offsets") || by_id {
                let topic = step.remove("topic").unwrap_or(json!("t"));
                let one = json!({ step.get("partition").map_or("0".into(), Value::to_string): step.get("offset") });
                let offsets = step.remove("offsets").unwrap_or(one);
                let one = |(at, offset): (&String, &Value)| {
                    let at: i32 = at.parse().expect("a partition");
                    json!({ "partitionIndex": at, "committedOffset": offset, "committedMetadata": "" })
                };
                let parts: Value = offsets.as_object().into_iter().flatten().map(one).collect();
                let key = if by_id { "topicId" } else { "name" };
                with.insert("topics".into(), json!([{ key: topic, "partitions": parts }]));
            }
        }
        _ => {
            take("stable", "requireStable", &itself);
            if step.contains_key("id") {
                let partitions = step.remove("partitions").unwrap_or(json!([0]));
                let topic = step.remove("topic").unwrap_or(json!("t"));
                let by_id = step.get("version").and_then(Value::as_i64) >= Some(10);
                let key = if by_id { "topicId" } else { "name" };
                let topics = json!([{ key: topic, "partitionIndexes": partitions }]);
                let group = json!({ "groupId": step[word], "topics": topics,
                    "memberId": step.remove("id"), "memberEpoch": step.remove("epoch").unwrap_or(json!(-1)) });
                with.insert("groups".into(), json!([group]));
            }
        }
    }
    if let Some(group) = step.remove("enter") {
        step.insert("member".into(), group);
        step.insert("epoch".into(), json!(0));
        with.entry("rebalanceTimeoutMs").or_insert(json!(30_000));
        with.entry("topicPartitions").or_insert(json!([]));
        if !with.contains_key("subscribedTopicRegex") {
            with.entry("subscribedTopicNames").or_insert(json!(["t"]));
        }
    }
    if !with.is_empty() {
        with.extend(step.get("with").and_then(Value::as_object).cloned().unwrap_or_default());
        step.insert("with".into(), with.into());
    }
    Value::Object(step)
}

/// `{"a": "b"}` as a list of objects.
fn named(map: &Value, key: &str, value: &str) -> Value {
    let one = |(name, it): (&String, &Value)| json!({ key: name, value: it });
    map.as_object().into_iter().flatten().map(one).collect()
}

/// `[["a", "b"]]` as a list of objects.
fn pairs(list: &Value, key: &str, value: &str) -> Value {
    let one = |it: &Value| json!({ key: it[0], value: it[1] });
    list.as_array().into_iter().flatten().map(one).collect()
}

/// Partitions of `t`, or of several topics.
fn owned(json: Value) -> Value {
    match json {
        Value::Object(topics) => {
            let one = |(topic, list): (&String, &Value)| json!({ "topicId": topic, "partitions": list });
            topics.iter().map(one).collect()
        }
        list if list == json!([]) => list,
        list => json!([{ "topicId": "t", "partitions": list }]),
    }
}

#[test]
fn someone_who_joins_says_all_that_it_takes() {
    let step = expand(&json!({ "enter": "g", "id": "a", "instance": "i" }));
    let with = json!({ "rebalanceTimeoutMs": 30_000, "topicPartitions": [], "subscribedTopicNames": ["t"], "instanceId": "i" });
    assert_eq!(step, json!({ "member": "g", "id": "a", "epoch": 0, "with": with }));
    let step = expand(&json!({ "member": "g", "id": "a", "epoch": 3, "owned": [1] }));
    assert_eq!(step["with"], json!({ "topicPartitions": [{ "topicId": "t", "partitions": [1] }] }));
    let plain = json!({ "commit": "g", "offset": 3, "with": { "memberId": "a" } });
    assert_eq!(expand(&plain), plain);
}
