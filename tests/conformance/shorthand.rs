//! Short forms of the requests that scripts send most, written out in Kafka's own words.
//!
//! * `{"produce": ["a", "b"]}`: one batch of these records; or a batch (`batch.rs`), or a list of batches. acks is −1.
//! * `{"fetch": 5}`: from offset 5. `{"list": -1}`: the offset of a timestamp. `{"epochEnd": 0}`: where a leader epoch ends.
//! * `{"delete": 3}`: the records below offset 3.
//!
//! * To coordinators: `init`, `add`, `addOffsets`, `end`, `describeTxn` with a transactional id; `txnCommit`, `join`, `sync`,
//!   `heartbeat`, `leave`, `commit`, `committed`, `member` with a group. `pid`, `epoch`, `id` (of a member), `generation`,
//!   `offset` and others fill their fields; `with` replaces whole ones.
//!
//! * To the controller: `isr` (with `by`, a broker). Through broker 0, as an administrator: `create`, `elect`, `grow`, `move`,
//!   `moves`, `configure`.
//!
//! * Transactions, groups and share groups have more of them: `shorthand_transactions.rs`, `shorthand_groups.rs`, `shorthand_share.rs`.
//!
//! The first five ask broker 0 (`to`) about partition 0 (`partition`) of the topic `t` (`topic`), in Kafka 4.3's newest version
//! (`version`). `with` holds more fields of the request, `part` of the partition.

use serde_json::{Map, Value, json};

const SHORT: &[&str] = &["produce", "fetch", "list", "epochEnd", "delete"];

/// The step that is meant.
pub fn expand(step: &Value) -> Value {
    let step = &crate::shorthand_share::expand(&crate::shorthand_groups::expand(step));
    let step = &crate::shorthand_transactions::expand(step);
    let Some(word) = SHORT.iter().find(|word| step.get(**word).is_some()) else { return coordinated(step) };
    let subject = step[*word].clone();
    let given = |key: &str, default: Value| step.get(key).cloned().unwrap_or(default);
    let (topic, partition) = (given("topic", json!("t")), given("partition", json!(0)));
    let (api, newest) = match *word {
        "produce" => ("Produce", 13),
        "fetch" => ("Fetch", 18),
        "list" => ("ListOffsets", 11),
        "epochEnd" => ("OffsetForLeaderEpoch", 4),
        _ => ("DeleteRecords", 2),
    };
    let version = given("version", json!(newest));
    let by_id = api == "Produce" || api == "Fetch" && version.as_i64() >= Some(13);
    let by_id = by_id && version.as_i64() >= Some(13);
    let part = |own: Value| merged(own, step.get("part"));
    let (topics, mut body) = match *word {
        "produce" => {
            let part = part(json!({ "index": partition, "records": batches(subject) }));
            ("topicData", json!({ "acks": -1, "timeoutMs": 5000, "topicData": [{ "partitionData": [part] }] }))
        }
        "fetch" => {
            let part = part(json!({ "partition": partition, "fetchOffset": subject, "partitionMaxBytes": 1_048_576 }));
            ("topics", json!({ "maxWaitMs": 100, "minBytes": 1, "topics": [{ "partitions": [part] }] }))
        }
        "list" => {
            let part = part(json!({ "partitionIndex": partition, "timestamp": subject }));
            ("topics", json!({ "replicaId": -1, "isolationLevel": 0, "topics": [{ "partitions": [part] }] }))
        }
        "epochEnd" => {
            let part = part(json!({ "partition": partition, "leaderEpoch": subject }));
            ("topics", json!({ "replicaId": -1, "topics": [{ "partitions": [part] }] }))
        }
        _ => {
            let part = part(json!({ "partitionIndex": partition, "offset": subject }));
            ("topics", json!({ "timeoutMs": 5000, "topics": [{ "partitions": [part] }] }))
        }
    };
    let key = match *word {
        _ if by_id => "topicId",
        "epochEnd" => "topic",
        "fetch" => "topic",
        _ => "name",
    };
    body[topics][0][key] = topic;
    let mut long = Map::new();
    long.insert("send".into(), json!(api));
    long.insert("version".into(), version);
    long.insert("to".into(), given("to", json!(0)));
    long.insert("body".into(), merged(body, step.get("with")));
    for (key, value) in step.as_object().into_iter().flatten() {
        if !SHORT.contains(&key.as_str())
            && !["topic", "partition", "version", "to", "with", "part"].contains(&key.as_str())
        {
            long.insert(key.clone(), value.clone());
        }
    }
    Value::Object(long)
}

/// Requests to a coordinator: word, API, version, whether the word's value is a transactional id.
const COORDINATED: &[(&str, &str, i16, bool)] = &[
    ("init", "InitProducerId", 5, true),
    ("add", "AddPartitionsToTxn", 3, true),
    ("addOffsets", "AddOffsetsToTxn", 4, true),
    ("end", "EndTxn", 5, true),
    ("describeTxn", "DescribeTransactions", 0, true),
    ("txnCommit", "TxnOffsetCommit", 5, false),
    ("join", "JoinGroup", 9, false),
    ("sync", "SyncGroup", 5, false),
    ("heartbeat", "Heartbeat", 4, false),
    ("leave", "LeaveGroup", 5, false),
    ("commit", "OffsetCommit", 9, false),
    ("committed", "OffsetFetch", 9, false),
    ("member", "ConsumerGroupHeartbeat", 1, false),
];

fn coordinated(step: &Value) -> Value {
    let Some((word, api, newest, transaction)) = COORDINATED.iter().find(|(word, ..)| step.get(*word).is_some()) else {
        return controlled(step);
    };
    let key = step[*word].clone();
    let given = |key: &str, default: Value| step.get(key).cloned().unwrap_or(default);
    let (pid, epoch) = (given("pid", json!(-1)), given("epoch", json!(0)));
    let (topic, offset) = (given("topic", json!("t")), given("offset", json!(0)));
    let (id, generation) = (given("id", json!("")), given("generation", json!(-1)));
    let offsets = json!([{ "name": topic, "partitions": [
        { "partitionIndex": given("partition", json!(0)), "committedOffset": offset, "committedMetadata": "" }] }]);
    let body = match *word {
        "init" => json!({ "transactionalId": key, "transactionTimeoutMs": 60000, "producerId": pid,
            "producerEpoch": given("epoch", json!(-1)) }),
        "add" => {
            json!({ "v3AndBelowTransactionalId": key, "v3AndBelowProducerId": pid, "v3AndBelowProducerEpoch": epoch,
            "v3AndBelowTopics": [{ "name": topic, "partitions": given("partitions", json!([0])) }] })
        }
        "addOffsets" => {
            json!({ "transactionalId": key, "producerId": pid, "producerEpoch": epoch, "groupId": step["group"] })
        }
        "end" => {
            json!({ "transactionalId": key, "producerId": pid, "producerEpoch": epoch, "committed": step["committed"] })
        }
        "describeTxn" => json!({ "transactionalIds": [key] }),
        "txnCommit" => json!({ "transactionalId": step["transaction"], "groupId": key, "producerId": pid,
            "producerEpoch": epoch, "generationId": generation, "memberId": id, "groupInstanceId": null, "topics": offsets }),
        "join" => json!({ "groupId": key, "sessionTimeoutMs": 30000, "rebalanceTimeoutMs": 30000, "memberId": id,
            "groupInstanceId": step["instance"], "protocolType": "consumer",
            "protocols": [{ "name": "range", "metadata": "m" }] }),
        "sync" => {
            json!({ "groupId": key, "generationId": generation, "memberId": id, "groupInstanceId": step["instance"],
            "protocolType": "consumer", "protocolName": "range" })
        }
        "heartbeat" => json!({ "groupId": key, "generationId": generation, "memberId": id,
            "groupInstanceId": step["instance"] }),
        "leave" => json!({ "groupId": key, "members": [{ "memberId": id, "groupInstanceId": step["instance"] }] }),
        "commit" => json!({ "groupId": key, "generationIdOrMemberEpoch": generation, "memberId": id,
            "groupInstanceId": step["instance"], "topics": offsets }),
        "committed" => json!({ "groups": [{ "groupId": key,
            "topics": [{ "name": topic, "partitionIndexes": given("partitions", json!([0])) }] }] }),
        _ => json!({ "groupId": key, "memberId": id, "memberEpoch": epoch }),
    };
    let to = if *transaction { json!({ "transaction": key }) } else { json!({ "group": key }) };
    let mut long = json!({ "send": api, "version": given("version", json!(newest)), "to": given("to", to),
        "body": merged(body, step.get("with")) });
    for key in ["as", "silent", "again", "repeat"] {
        if let Some(value) = step.get(key) {
            long[key] = value.clone();
        }
    }
    long
}

/// Requests of a broker to the controller: `isr` is an AlterPartition.
fn controlled(step: &Value) -> Value {
    let given = |key: &str, default: Value| step.get(key).cloned().unwrap_or(default);
    if let Some(isr) = step["isr"].as_array() {
        let by = given("by", json!(0));
        let members: Vec<Value> =
            isr.iter().map(|id| json!({ "brokerId": id, "brokerEpoch": if id.as_i64() > Some(2) { json!(1) } else { json!(format!("E{id}")) } })).collect();
        let part = json!({ "partitionIndex": given("partition", json!(0)), "leaderEpoch": 0, "partitionEpoch": 0,
            "newIsrWithEpochs": members, "leaderRecoveryState": 0 });
        let topic = json!({ "topicId": given("topic", json!("t")), "partitions": [merged(part, step.get("part"))] });
        let body = json!({ "brokerId": by, "brokerEpoch": format!("E{by}"), "topics": [topic] });
        return json!({ "send": "AlterPartition", "version": 3, "to": "controller", "body": merged(body, step.get("with")) });
    }
    administered(step)
}

/// Requests of an administrator, all through broker 0 unless `to` says otherwise.
fn administered(step: &Value) -> Value {
    let given = |key: &str, default: Value| step.get(key).cloned().unwrap_or(default);
    let topic = given("topic", json!("t"));
    let (api, version, body) = if let Some(name) = step.get("create") {
        let topic = json!({ "name": name, "numPartitions": 1, "replicationFactor": 1 });
        ("CreateTopics", 4, json!({ "topics": [merged(topic, step.get("part"))], "timeoutMs": 30000 }))
    } else if let Some(kind) = step.get("elect") {
        let kind = if kind == "unclean" { 1 } else { 0 };
        let topics = json!([{ "topic": topic, "partitions": step["partitions"] }]);
        ("ElectLeaders", 2, json!({ "electionType": kind, "topicPartitions": topics, "timeoutMs": 30000 }))
    } else if let Some(name) = step.get("grow") {
        let assignments = step["assignments"].as_array();
        let assignments = assignments.map(|list| list.iter().map(|ids| json!({ "brokerIds": ids })).collect::<Value>());
        let topic = json!({ "name": name, "count": step["count"], "assignments": assignments });
        ("CreatePartitions", 3, json!({ "topics": [topic], "timeoutMs": 30000 }))
    } else if step.get("move").is_some() {
        let part = json!({ "partitionIndex": given("partition", json!(0)), "replicas": step["move"] });
        let topics = json!([{ "name": topic, "partitions": [part] }]);
        ("AlterPartitionReassignments", 1, json!({ "topics": topics, "timeoutMs": 30000 }))
    } else if step.get("moves").is_some() {
        (
            "ListPartitionReassignments",
            0,
            json!({ "topics": [{ "name": topic, "partitionIndexes": [0] }], "timeoutMs": 30000 }),
        )
    } else if let Some(name) = step.get("configure") {
        let change = |(key, value): (&String, &Value)| json!({ "name": key, "configOperation": if value.is_null() { 1 } else { 0 }, "value": value });
        let configs: Value = step["set"].as_object().into_iter().flatten().map(change).collect();
        let resource = json!({ "resourceType": 2, "resourceName": name, "configs": configs });
        ("IncrementalAlterConfigs", 1, json!({ "resources": [resource] }))
    } else {
        return step.clone();
    };
    json!({ "send": api, "version": version, "to": given("to", json!(0)), "body": merged(body, step.get("with")) })
}

/// What `produce` is given: values of records, a batch, or several.
fn batches(subject: Value) -> Value {
    let values = subject.as_array().is_some_and(|list| list.iter().all(Value::is_string));
    if values { json!({ "records": subject }) } else { subject }
}

fn merged(mut own: Value, more: Option<&Value>) -> Value {
    for (key, value) in more.and_then(Value::as_object).into_iter().flatten() {
        own[key.as_str()] = value.clone();
    }
    own
}
