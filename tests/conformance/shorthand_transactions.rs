//! Short forms of what transactions need, written out as other short forms or in Kafka's own words.
//!
//! * `{"write": ["a"], "by": ["P1", 0, 5]}`: a transactional batch of the producer `P1` in epoch 0, sequence 5 (0 if left out), for the
//!   transactional id `x` (`tx`). `batch` holds more fields of the batch.
//! * `{"read": 5}`: a Fetch that is read_committed. `{"stable": -1}`: a ListOffsets that is.
//! * `{"mark": "abort", "by": ["P1", 1]}`: WriteTxnMarkers for the partitions `[0]` (`partitions`), of coordinator epoch −1 (`coordinator`);
//!   with a transaction version (`tv`) in version 2 of the request.
//! * `{"producers": [0, 1]}`: DescribeProducers. `{"transactions": {"stateFilters": ["Ongoing"]}}`: ListTransactions.
//! * `{"verify": "x", "by": ["P1", 0]}`, `{"enlist": "x", …}`: AddPartitionsToTxn as brokers send it, asking or adding.
//!
//! In the requests to coordinators (`shorthand.rs`), too, `by` stands for `pid` and `epoch`.

use serde_json::{Map, Value, json};

/// The step that is meant, in words of `shorthand.rs` or of Kafka.
pub fn expand(step: &Value) -> Value {
    let step = &with_producer(step);
    let given = |key: &str, default: Value| step.get(key).cloned().unwrap_or(default);
    let topics = |step: &Value| {
        let partitions = step.get("partitions").cloned().unwrap_or(json!([0]));
        (step.get("topic").cloned().unwrap_or(json!("t")), partitions)
    };
    if let Some(records) = step.get("write") {
        let mut batch = json!({ "records": records, "transactional": true, "pid": given("pid", json!("P1")),
            "epoch": given("epoch", json!(0)), "seq": given("seq", json!(0)) });
        merge(&mut batch, &step["batch"]);
        let with = json!({ "transactionalId": given("tx", json!("x")) });
        return replaced(step, &["write", "batch", "tx", "pid", "epoch", "seq"], "produce", batch, with);
    }
    let read_committed = json!({ "isolationLevel": 1 });
    if let Some(offset) = step.get("read") {
        return replaced(step, &["read"], "fetch", offset.clone(), read_committed);
    }
    if let Some(timestamp) = step.get("stable") {
        return replaced(step, &["stable"], "list", timestamp.clone(), read_committed);
    }
    if let Some(result) = step.get("mark") {
        let (topic, partitions) = topics(step);
        let mut marker = json!({ "producerId": given("pid", json!("P1")), "producerEpoch": given("epoch", json!(0)),
            "transactionResult": result == "commit", "coordinatorEpoch": given("coordinator", json!(-1)),
            "topics": [{ "name": topic, "partitionIndexes": partitions }] });
        if let Some(version) = step.get("tv") {
            marker["transactionVersion"] = version.clone();
        }
        let version = if step.get("tv").is_some() { 2 } else { 1 };
        return sent(step, "WriteTxnMarkers", version, json!(0), json!({ "markers": [marker] }));
    }
    if let Some(partitions) = step.get("producers") {
        let body = json!({ "topics": [{ "name": given("topic", json!("t")), "partitionIndexes": partitions }] });
        return sent(step, "DescribeProducers", 0, json!(0), body);
    }
    if let Some(filters) = step.get("transactions") {
        let mut body = json!({ "stateFilters": [], "producerIdFilters": [] });
        merge(&mut body, filters);
        return sent(step, "ListTransactions", 2, json!({ "transaction": "x" }), body);
    }
    if let Some(id) = step.get("verify").or(step.get("enlist")) {
        let (topic, partitions) = topics(step);
        let transaction = json!({ "transactionalId": id, "producerId": given("pid", json!("P1")),
            "producerEpoch": given("epoch", json!(0)), "verifyOnly": step.get("verify").is_some(),
            "topics": [{ "name": topic, "partitions": partitions }] });
        let to = json!({ "transaction": if id == "" { json!("x") } else { id.clone() } });
        return sent(step, "AddPartitionsToTxn", 5, to, json!({ "transactions": [transaction] }));
    }
    step.clone()
}

/// `by` written out; a list of brokers' ISR is none.
fn with_producer(step: &Value) -> Value {
    let mut step = step.clone();
    if let Some(by) = step["by"].as_array().cloned() {
        step.as_object_mut().expect("a step").remove("by");
        for (key, value) in ["pid", "epoch", "seq"].iter().zip(by) {
            step[*key] = value;
        }
    }
    step
}

/// Another short form, with the rest of the step.
fn replaced(step: &Value, used: &[&str], word: &str, subject: Value, mut with: Value) -> Value {
    let mut out: Map<String, Value> = step.as_object().expect("a step").clone();
    out.retain(|key, _| !used.contains(&key.as_str()));
    merge(&mut with, &step["with"]);
    out.insert("with".into(), with);
    out.insert(word.into(), subject);
    Value::Object(out)
}

fn sent(step: &Value, api: &str, version: i16, to: Value, body: Value) -> Value {
    let given = |key: &str, default: Value| step.get(key).cloned().unwrap_or(default);
    let mut body = body;
    merge(&mut body, &step["with"]);
    let mut out =
        json!({ "send": api, "version": given("version", json!(version)), "to": given("to", to), "body": body });
    for key in ["as", "again", "repeat"] {
        if let Some(value) = step.get(key) {
            out[key] = value.clone();
        }
    }
    out
}

fn merge(own: &mut Value, more: &Value) {
    for (key, value) in more.as_object().into_iter().flatten() {
        own[key.as_str()] = value.clone();
    }
}

#[test]
fn a_transactional_write_is_a_produce() {
    let step = json!({ "write": ["a"], "by": ["P2", 3, 7], "tx": "y", "to": 1 });
    let batch = json!({ "records": ["a"], "transactional": true, "pid": "P2", "epoch": 3, "seq": 7 });
    assert_eq!(expand(&step), json!({ "produce": batch, "with": { "transactionalId": "y" }, "to": 1 }));
    assert_eq!(expand(&json!({ "read": 4 })), json!({ "fetch": 4, "with": { "isolationLevel": 1 } }));
    assert_eq!(expand(&json!({ "isr": [0, 1], "by": 2 })), json!({ "isr": [0, 1], "by": 2 }));
}
