//! Between Kafka's JSON and the engine's typed requests and responses.

use crate::batch;
use crate::script::Send;
use crate::translate_admin;
use crate::translate_control;
use crate::translate_groups;
use crate::translate_share;
use crate::translate_transactions;
use crate::words::Words;
use bytes::Bytes;
use delivery_lab::base::config::IsolationLevel;
use delivery_lab::base::{BrokerId, Duration, TopicId, TopicPartition};
use delivery_lab::protocol::*;
use delivery_lab::record::RecordBatch;
use serde_json::{Map, Value, json};

/// The topics of a sequence, and those that it only names.
pub struct Names {
    topics: Vec<(String, TopicId)>,
    /// Made up for topics that are not there.
    strangers: Vec<(String, TopicId)>,
}

/// Why the engine's types cannot hold a request.
#[derive(Debug)]
pub struct Refusal(pub &'static str);

type Answer<T> = Result<T, Refusal>;

impl Names {
    pub fn new(topics: impl Iterator<Item = (String, TopicId)>) -> Names {
        Names { topics: topics.collect(), strangers: Vec::new() }
    }

    /// A topic that the cluster made for itself.
    pub fn learn(&mut self, name: &str, id: TopicId) {
        if self.topics.iter().all(|(_, known)| *known != id) {
            self.topics.push((name.to_string(), id));
        }
    }

    pub fn first(&self) -> TopicId {
        self.topics[0].1
    }

    pub fn id(&mut self, name: &str) -> TopicId {
        let known = self.topics.iter().chain(&self.strangers).find(|(topic, _)| topic == name);
        if let Some((_, id)) = known {
            return *id;
        }
        let id = TopicId(1_000_000 + self.strangers.len() as u32);
        self.strangers.push((name.to_string(), id));
        id
    }

    fn name(&self, id: TopicId) -> &str {
        let known = self.topics.iter().chain(&self.strangers).find(|(_, topic)| *topic == id);
        known.map_or("unknown", |(name, _)| name)
    }

    /// As a golden has it: who is not known by id has no name.
    fn shown(&self, id: TopicId, by_id: bool) -> &str {
        let stranger = self.strangers.iter().any(|(name, topic)| *topic == id && !name.is_empty());
        if stranger && by_id { "unknown" } else { self.name(id) }
    }
}

/// Reads numbers and lists out of a request's JSON.
pub struct Reader<'a> {
    pub words: &'a Words,
    now_ms: i64,
}

impl Reader<'_> {
    pub fn number(&self, json: &Value, key: &str, default: i64) -> i64 {
        json.get(key).map_or(default, |value| self.words.number(value, self.now_ms))
    }

    pub fn int(&self, json: &Value, key: &str, default: i32) -> i32 {
        self.number(json, key, i64::from(default)) as i32
    }

    /// What is written is the number itself.
    pub fn of(&self, value: &Value) -> i64 {
        self.words.number(value, self.now_ms)
    }

    pub fn millis(&self, json: &Value, key: &str) -> Duration {
        Duration::from_millis(self.number(json, key, 0).max(0) as u64)
    }
}

pub fn list<'a>(json: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    json[key].as_array().into_iter().flatten()
}

/// All (topic, partition) of a request's two-storeyed list.
pub fn partitions<'a>(body: &'a Value, topics: &str, inner: &'a str, names: &mut Names) -> Vec<(TopicId, &'a Value)> {
    let topic = |topic: &'a Value| {
        let name = ["topicId", "name", "topic"].iter().find_map(|key| topic.get(*key)?.as_str()).unwrap_or("");
        let id = names.id(name);
        list(topic, inner).map(move |part| (id, part)).collect::<Vec<_>>()
    };
    list(body, topics).flat_map(topic).collect()
}

fn isolation(number: i64) -> IsolationLevel {
    if number == 1 { IsolationLevel::ReadCommitted } else { IsolationLevel::ReadUncommitted }
}

/// The engine's request.
pub fn request(send: &Send, names: &mut Names, words: &Words, now_ms: i64) -> Answer<Request> {
    let reader = Reader { words, now_ms };
    let body = &send.body;
    match send.api.as_str() {
        "Produce" => produce(send.version, body, names, &reader),
        "Fetch" => Ok(fetch(send, names, &reader)),
        "ListOffsets" => {
            let part = |(topic, part): (TopicId, &Value)| ListOffsetsPartition {
                partition: TopicPartition::new(topic, reader.int(part, "partitionIndex", 0) as u32),
                current_leader_epoch: reader.int(part, "currentLeaderEpoch", -1),
                timestamp: reader.number(part, "timestamp", 0),
            };
            Ok(Request::ListOffsets(ListOffsetsRequest {
                replica: BrokerId(reader.int(body, "replicaId", 0)),
                isolation: isolation(reader.number(body, "isolationLevel", 0)),
                partitions: partitions(body, "topics", "partitions", names).into_iter().map(part).collect(),
            }))
        }
        "OffsetForLeaderEpoch" => {
            let part = |(topic, part): (TopicId, &Value)| OffsetForLeaderEpochPartition {
                partition: TopicPartition::new(topic, reader.int(part, "partition", 0) as u32),
                current_leader_epoch: reader.int(part, "currentLeaderEpoch", -1),
                leader_epoch: reader.int(part, "leaderEpoch", 0),
            };
            Ok(Request::OffsetForLeaderEpoch(OffsetForLeaderEpochRequest {
                replica: BrokerId(reader.int(body, "replicaId", -2)),
                partitions: partitions(body, "topics", "partitions", names).into_iter().map(part).collect(),
            }))
        }
        "DeleteRecords" => {
            let part = |(topic, part): (TopicId, &Value)| DeleteRecordsPartition {
                partition: TopicPartition::new(topic, reader.int(part, "partitionIndex", 0) as u32),
                offset: reader.number(part, "offset", 0),
            };
            Ok(Request::DeleteRecords(DeleteRecordsRequest {
                partitions: partitions(body, "topics", "partitions", names).into_iter().map(part).collect(),
                timeout: reader.millis(body, "timeoutMs"),
            }))
        }
        "InitProducerId" => Ok(Request::InitProducerId(InitProducerIdRequest {
            transactional_id: body["transactionalId"].as_str().map(Into::into),
            transaction_timeout: reader.millis(body, "transactionTimeoutMs"),
            producer_id: reader.number(body, "producerId", -1),
            producer_epoch: reader.int(body, "producerEpoch", -1) as i16,
        })),
        api => translate_transactions::request(send, names, &reader).unwrap_or_else(|| {
            let group = translate_groups::request(send, names, &reader);
            let group = group.or_else(|| translate_admin::request(send, names, &reader));
            let control = group.or_else(|| translate_control::request(api, body, names, &reader));
            let share = control.map(Ok).or_else(|| translate_share::request(send, names, &reader));
            share.unwrap_or(Err("the engine has no such API yet")).map_err(Refusal)
        }),
    }
}

fn produce(version: i16, body: &Value, names: &mut Names, reader: &Reader<'_>) -> Answer<Request> {
    let mut parts = Vec::new();
    for (topic, part) in partitions(body, "topicData", "partitionData", names) {
        let json = &part["records"];
        if json.is_null() || json.is_array() {
            return Err(Refusal("a Produce of the engine holds exactly one batch"));
        }
        let bytes = Bytes::from(batch::build(json, reader.words, reader.now_ms));
        let (batch, rest) = RecordBatch::parse(bytes).map_err(|_| Refusal("a batch of the engine has magic 2"))?;
        if !rest.is_empty() {
            return Err(Refusal("a Produce of the engine holds exactly one batch"));
        }
        let partition = TopicPartition::new(topic, reader.int(part, "index", 0) as u32);
        parts.push(ProducePartition { partition, batch });
    }
    Ok(Request::Produce(ProduceRequest {
        transactional_id: body["transactionalId"].as_str().map(Into::into),
        transaction_v2: version >= 12,
        acks: reader.int(body, "acks", 0) as i16,
        timeout: reader.millis(body, "timeoutMs"),
        partitions: parts,
    }))
}

fn fetch(send: &Send, names: &mut Names, reader: &Reader<'_>) -> Request {
    let body = &send.body;
    let part = |(topic, part): (TopicId, &Value)| FetchPartition {
        partition: TopicPartition::new(topic, reader.int(part, "partition", 0) as u32),
        current_leader_epoch: reader.int(part, "currentLeaderEpoch", -1),
        fetch_offset: reader.number(part, "fetchOffset", 0),
        last_fetched_epoch: reader.int(part, "lastFetchedEpoch", -1),
        log_start_offset: reader.number(part, "logStartOffset", -1),
        partition_max_bytes: reader.int(part, "partitionMaxBytes", 0) as u32,
        high_watermark: -1,
    };
    let state = &body["replicaState"];
    let (id, epoch) = (reader.int(state, "replicaId", -1), reader.number(state, "replicaEpoch", -1));
    let forgotten = list(body, "forgottenTopicsData").flat_map(|topic| {
        let id = names.id(topic["topicId"].as_str().unwrap_or(""));
        list(topic, "partitions").map(move |at| TopicPartition::new(id, at.as_u64().unwrap_or(0) as u32))
    });
    let forgotten = forgotten.collect();
    Request::Fetch(FetchRequest {
        replica: (id >= 0).then_some(FetchReplica { id: BrokerId(id), epoch }),
        max_wait: reader.millis(body, "maxWaitMs"),
        min_bytes: reader.int(body, "minBytes", 0) as u32,
        max_bytes: reader.int(body, "maxBytes", i32::MAX) as u32,
        isolation: isolation(reader.number(body, "isolationLevel", 0)),
        session: FetchSession { id: reader.int(body, "sessionId", 0), epoch: reader.int(body, "sessionEpoch", -1) },
        partitions: partitions(body, "topics", "partitions", names).into_iter().map(part).collect(),
        forgotten,
        rack: body["rackId"].as_str().filter(|rack| !rack.is_empty()).map(Into::into),
    })
}

/// The engine's response, as a golden would have it.
pub fn response(response: &Response, send: &Send, names: &Names, words: &mut Words, now_ms: i64) -> Value {
    let version = send.version;
    match response {
        Response::Produce(it) => {
            let one = |part: &ProducePartitionResponse| (part.partition, produced(part, version, words, now_ms));
            let parts = it.partitions.iter().map(one);
            let key = if version >= 13 { "topicId" } else { "name" };
            json!({ "responses": grouped(parts, key, "partitionResponses", names) })
        }
        Response::Fetch(it) => {
            let key = if version >= 13 { "topicId" } else { "topic" };
            let one = |part: &FetchPartitionResponse| (part.partition, fetched(part, version, words, now_ms));
            let responses = grouped(it.partitions.iter().map(one), key, "partitions", names);
            if version < 7 {
                return json!({ "responses": responses });
            }
            let session = words.session(i64::from(it.session_id));
            json!({ "errorCode": it.error.name(), "sessionId": session, "responses": responses })
        }
        Response::ListOffsets(it) => {
            let one = |part: &ListOffsetsPartitionResponse| {
                let mut json = json!({
                    "partitionIndex": part.partition.partition as i32,
                    "errorCode": part.error.name(),
                    "timestamp": words.time(part.timestamp, now_ms),
                    "offset": part.offset,
                });
                if version >= 4 {
                    json["leaderEpoch"] = part.leader_epoch.into();
                }
                (part.partition, json)
            };
            json!({ "topics": grouped(it.partitions.iter().map(one), "name", "partitions", names) })
        }
        Response::OffsetForLeaderEpoch(it) => {
            let one = |part: &OffsetForLeaderEpochResult| {
                let json = json!({
                    "partition": part.partition.partition as i32,
                    "errorCode": part.error.name(),
                    "leaderEpoch": part.leader_epoch,
                    "endOffset": part.end_offset,
                });
                (part.partition, json)
            };
            json!({ "topics": grouped(it.partitions.iter().map(one), "topic", "partitions", names) })
        }
        Response::DeleteRecords(it) => {
            let one = |part: &DeleteRecordsResult| {
                let json = json!({
                    "partitionIndex": part.partition.partition as i32,
                    "errorCode": part.error.name(),
                    "lowWatermark": part.low_watermark,
                });
                (part.partition, json)
            };
            json!({ "topics": grouped(it.partitions.iter().map(one), "name", "partitions", names) })
        }
        Response::InitProducerId(it) => json!({
            "errorCode": it.error.name(),
            "producerId": words.granted_producer(it.producer_id),
            "producerEpoch": it.producer_epoch,
        }),
        other => {
            let json = translate_transactions::response(other, send, names, words, now_ms);
            let json = json.or_else(|| translate_groups::response(other, names, words));
            let json = json.or_else(|| translate_admin::response(other, version, names, words));
            if let Some(json) = json.or_else(|| translate_share::response(other, names, words, now_ms)) {
                return json;
            }
            let reader = Reader { words, now_ms };
            translate_control::response(other, names, &reader)
                .unwrap_or_else(|| json!({ "refused": other.api().response_name() }))
        }
    }
}

/// Partitions by topic, topics in the order in which they come.
pub fn grouped(parts: impl Iterator<Item = (TopicPartition, Value)>, key: &str, inner: &str, names: &Names) -> Value {
    let mut topics: Vec<(TopicId, Vec<Value>)> = Vec::new();
    for (id, json) in parts {
        match topics.iter_mut().find(|(topic, _)| *topic == id.topic) {
            Some((_, list)) => list.push(json),
            None => topics.push((id.topic, vec![json])),
        }
    }
    let topic = |(id, list): (TopicId, Vec<Value>)| {
        let mut topic = Map::new();
        topic.insert(key.into(), names.shown(id, key == "topicId").into());
        topic.insert(inner.into(), list.into());
        Value::Object(topic)
    };
    topics.into_iter().map(topic).collect()
}

fn leader(of: &CurrentLeader) -> Value {
    json!({ "leaderId": of.leader.0, "leaderEpoch": of.epoch })
}

fn produced(part: &ProducePartitionResponse, version: i16, words: &Words, now_ms: i64) -> Value {
    let mut json = json!({
        "index": part.partition.partition as i32,
        "errorCode": part.error.name(),
        "baseOffset": part.base_offset,
        "logAppendTimeMs": words.time(part.log_append_time, now_ms),
    });
    if version >= 5 {
        json["logStartOffset"] = part.log_start_offset.into();
    }
    if let Some(current) = part.current_leader.as_ref().filter(|_| version >= 10) {
        json["currentLeader"] = leader(current);
    }
    json
}

fn fetched(part: &FetchPartitionResponse, version: i16, words: &Words, now_ms: i64) -> Value {
    let records = part.records.iter().map(|batch| batch::describe(batch, words, now_ms));
    let aborted = part.aborted_transactions.iter();
    let aborted =
        aborted.map(|it| json!({ "producerId": words.producer(it.producer_id), "firstOffset": it.first_offset }));
    let mut json = json!({
        "partitionIndex": part.partition.partition as i32,
        "errorCode": part.error.name(),
        "highWatermark": part.high_watermark,
        "lastStableOffset": part.last_stable_offset,
        "records": records.collect::<Value>(),
        "abortedTransactions": aborted.collect::<Value>(),
    });
    if version >= 5 {
        json["logStartOffset"] = part.log_start_offset.into();
    }
    if version >= 11 {
        json["preferredReadReplica"] = part.preferred_read_replica.0.into();
    }
    if let Some(end) = &part.diverging_epoch {
        json["divergingEpoch"] = json!({ "epoch": end.epoch, "endOffset": end.end_offset });
    }
    if let Some(current) = &part.current_leader {
        json["currentLeader"] = leader(current);
    }
    json
}
