//! Short forms of the requests of share groups (KIP-932), written out in Kafka's own words.
//!
//! * `{"shareEnter": "g", "id": "U1"}`, `{"shareMember": "g", "id": "U1", "epoch": 1}`: ShareGroupHeartbeat, subscribed to `t` (`topics`).
//! * `{"shareFetch": "g", "id": "U1", "epoch": 0}`: ShareFetch to broker 0 (`to`); `{"acknowledge": "g", …}`: ShareAcknowledge. Partitions
//!   of `t` (`topic`) are named in `partitions`; `"acks": {"0": [[0, 2, [1]]]}` acknowledges, by partition: from, to, and how (0 gap,
//!   1 accept, 2 release, 3 reject, 4 renew). `max` records, `wait` milliseconds, `mode` 1 (record limit), `renew`, `forget` partitions.
//! * `{"shareInit": "g", "epoch": 0, "start": 5}`, `{"shareRead": "g"}`, `{"shareSummary": "g"}`, `{"shareErase": "g"}`,
//!   `{"shareWrite": "g", "epoch": 0, "start": 5, "batches": [[5, 9, 2, 1]], "complete": 5}`: to the coordinator of partition 0
//!   (`partition`) of `t`; a batch is from, to, delivery state and count. `leader` is the leader's epoch.

use serde_json::{Value, json};

/// The step that is meant, in words of `shorthand.rs` or of Kafka.
pub fn expand(step: &Value) -> Value {
    let given = |key: &str, default: Value| step.get(key).cloned().unwrap_or(default);
    let words = ["shareEnter", "shareMember", "shareFetch", "acknowledge"];
    let states = ["shareInit", "shareRead", "shareSummary", "shareErase", "shareWrite"];
    let Some(word) = words.into_iter().chain(states).find(|word| step.get(*word).is_some()) else {
        return step.clone();
    };
    let group = &step[word];
    let (api, version, to, mut body) = match word {
        "shareEnter" | "shareMember" => {
            let enters = word == "shareEnter";
            let topics = given("topics", if enters { json!(["t"]) } else { Value::Null });
            let body = json!({ "groupId": group, "memberId": step["id"], "memberEpoch": given("epoch", json!(0)),
                "subscribedTopicNames": topics });
            ("ShareGroupHeartbeat", 1, json!({ "group": group }), body)
        }
        "shareFetch" => {
            let body = json!({ "groupId": group, "memberId": step["id"], "shareSessionEpoch": given("epoch", json!(0)),
                "maxWaitMs": given("wait", json!(500)), "minBytes": 1, "maxRecords": given("max", json!(500)), "batchSize": 500,
                "shareAcquireMode": given("mode", json!(0)), "isRenewAck": given("renew", json!(false)),
                "topics": topics(step), "forgottenTopicsData": forgotten(step) });
            ("ShareFetch", 2, json!(0), body)
        }
        "acknowledge" => {
            let body = json!({ "groupId": group, "memberId": step["id"], "shareSessionEpoch": given("epoch", json!(0)),
                "isRenewAck": given("renew", json!(false)), "topics": topics(step) });
            ("ShareAcknowledge", 2, json!(0), body)
        }
        _ => state(word, step),
    };
    for (key, value) in step["with"].as_object().into_iter().flatten() {
        body[key.as_str()] = value.clone();
    }
    let mut out =
        json!({ "send": api, "version": given("version", json!(version)), "to": given("to", to), "body": body });
    for key in ["as", "again", "repeat"] {
        if let Some(value) = step.get(key) {
            out[key] = value.clone();
        }
    }
    out
}

/// Requests to the share coordinator, of one partition.
fn state(word: &str, step: &Value) -> (&'static str, i16, Value, Value) {
    let given = |key: &str, default: Value| step.get(key).cloned().unwrap_or(default);
    let (group, topic) = (&step[word], given("topic", json!("t")));
    let mut part = json!({ "partition": given("partition", json!(0)) });
    let (api, version) = match word {
        "shareInit" => ("InitializeShareGroupState", 0),
        "shareRead" => ("ReadShareGroupState", 0),
        "shareSummary" => ("ReadShareGroupStateSummary", 1),
        "shareErase" => ("DeleteShareGroupState", 0),
        _ => ("WriteShareGroupState", 1),
    };
    if ["shareInit", "shareWrite"].contains(&word) {
        part["stateEpoch"] = given("epoch", json!(0));
        part["startOffset"] = given("start", json!(-1));
    }
    if ["shareRead", "shareSummary", "shareWrite"].contains(&word) {
        part["leaderEpoch"] = given("leader", json!(0));
    }
    if word == "shareWrite" {
        part["deliveryCompleteCount"] = given("complete", json!(-1));
        let batch = |it: &Value| json!({ "firstOffset": it[0], "lastOffset": it[1], "deliveryState": it[2], "deliveryCount": it[3] });
        part["stateBatches"] = step["batches"].as_array().into_iter().flatten().map(batch).collect();
    }
    let to = format!("{}:t:{}", group.as_str().expect("a group"), part["partition"]);
    let body = json!({ "groupId": group, "topics": [{ "topicId": topic, "partitions": [part] }] });
    (api, version, json!({ "share": to }), body)
}

/// The partitions that are asked for and those with acknowledgements.
fn topics(step: &Value) -> Value {
    let acks = step["acks"].as_object().cloned().unwrap_or_default();
    let asked = step["partitions"].as_array().into_iter().flatten().filter_map(Value::as_i64);
    let mut partitions: Vec<i64> = asked.chain(acks.keys().map(|at| at.parse().expect("a partition"))).collect();
    partitions.sort();
    partitions.dedup();
    let batch = |it: &Value| json!({ "firstOffset": it[0], "lastOffset": it[1], "acknowledgeTypes": it[2] });
    let one = |at: i64| {
        let batches: Value =
            acks.get(&at.to_string()).and_then(Value::as_array).into_iter().flatten().map(batch).collect();
        json!({ "partitionIndex": at, "acknowledgementBatches": batches })
    };
    let list: Vec<Value> = partitions.into_iter().map(one).collect();
    let topic = step.get("topic").cloned().unwrap_or(json!("t"));
    if list.is_empty() { json!([]) } else { json!([{ "topicId": topic, "partitions": list }]) }
}

fn forgotten(step: &Value) -> Value {
    let topic = step.get("topic").cloned().unwrap_or(json!("t"));
    step.get("forget").map_or(json!([]), |list| json!([{ "topicId": topic, "partitions": list }]))
}

#[test]
fn acknowledgements_are_of_partitions() {
    let step = expand(&json!({ "acknowledge": "g", "id": "U1", "epoch": 2, "acks": { "0": [[0, 2, [1]]] } }));
    let batch = json!({ "firstOffset": 0, "lastOffset": 2, "acknowledgeTypes": [1] });
    let part = json!({ "partitionIndex": 0, "acknowledgementBatches": [batch] });
    assert_eq!(step["body"]["topics"], json!([{ "topicId": "t", "partitions": [part] }]));
    assert_eq!((&step["send"], &step["body"]["shareSessionEpoch"]), (&json!("ShareAcknowledge"), &json!(2)));
}
