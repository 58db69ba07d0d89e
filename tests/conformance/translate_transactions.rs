//! Between Kafka's JSON and the engine's requests of transactions and of committed offsets.

use crate::script::Send;
use crate::translate::{Names, Reader, Refusal, grouped, list, partitions};
use crate::translate_groups::member;
use crate::words::Words;
use delivery_lab::base::{TopicId, TopicPartition};
use delivery_lab::protocol::*;
use serde_json::{Value, json};
use std::rc::Rc;

fn text(json: &Value, key: &str) -> Rc<str> {
    json[key].as_str().unwrap_or_default().into()
}

fn optional(json: &Value, key: &str) -> Option<Rc<str>> {
    json[key].as_str().map(Into::into)
}

/// Partitions whose innermost list is of bare numbers.
fn bare(body: &Value, topics: &str, inner: &str, names: &mut Names, reader: &Reader<'_>) -> Vec<TopicPartition> {
    let parts = partitions(body, topics, inner, names);
    parts.into_iter().map(|(topic, at)| TopicPartition::new(topic, reader.of(at) as u32)).collect()
}

/// A request of these families, if it is one.
pub fn request(send: &Send, names: &mut Names, reader: &Reader<'_>) -> Option<Result<Request, Refusal>> {
    let body = &send.body;
    let pid = |json: &Value| reader.number(json, "producerId", -1);
    let epoch = |json: &Value| reader.int(json, "producerEpoch", -1) as i16;
    let transactional_id = text(body, "transactionalId");
    let transaction_v2 = send.version >= 5;
    Some(Ok(match send.api.as_str() {
        "AddPartitionsToTxn" => Request::AddPartitionsToTxn(add_partitions(send.version, body, names, reader)),
        "AddOffsetsToTxn" => Request::AddOffsetsToTxn(AddOffsetsToTxnRequest {
            transactional_id,
            producer_id: pid(body),
            producer_epoch: epoch(body),
            group: text(body, "groupId"),
        }),
        "EndTxn" => Request::EndTxn(EndTxnRequest {
            transactional_id,
            producer_id: pid(body),
            producer_epoch: epoch(body),
            committed: body["committed"] == true,
            transaction_v2,
        }),
        "WriteTxnMarkers" => {
            let marker = |json: &Value| TxnMarker {
                producer_id: pid(json),
                producer_epoch: epoch(json),
                committed: json["transactionResult"] == true,
                coordinator_epoch: reader.int(json, "coordinatorEpoch", 0),
                transaction_version: reader.int(json, "transactionVersion", 0) as u8,
                partitions: bare(json, "topics", "partitionIndexes", names, reader),
            };
            Request::WriteTxnMarkers(WriteTxnMarkersRequest { markers: list(body, "markers").map(marker).collect() })
        }
        "TxnOffsetCommit" => Request::TxnOffsetCommit(TxnOffsetCommitRequest {
            transactional_id,
            group: text(body, "groupId"),
            producer_id: pid(body),
            producer_epoch: epoch(body),
            generation: reader.int(body, "generationId", -1),
            member_id: member(body, reader),
            instance_id: optional(body, "groupInstanceId"),
            transaction_v2,
            offsets: offsets(body, names, reader),
        }),
        "OffsetCommit" => Request::OffsetCommit(OffsetCommitRequest {
            group: text(body, "groupId"),
            generation: reader.int(body, "generationIdOrMemberEpoch", -1),
            member_id: member(body, reader),
            instance_id: optional(body, "groupInstanceId"),
            offsets: offsets(body, names, reader),
        }),
        "OffsetFetch" => match &list(body, "groups").collect::<Vec<_>>()[..] {
            [group] if group["topics"].is_array() => Request::OffsetFetch(OffsetFetchRequest {
                group: text(group, "groupId"),
                partitions: bare(group, "topics", "partitionIndexes", names, reader),
                require_stable: body["requireStable"] == true,
                member: group["memberId"].as_str().map(|id| (id.into(), reader.int(group, "memberEpoch", -1))),
            }),
            _ => return Some(Err(Refusal("an OffsetFetch of the engine is of one group and names partitions"))),
        },
        "DescribeProducers" => {
            let partitions = bare(body, "topics", "partitionIndexes", names, reader);
            Request::DescribeProducers(DescribeProducersRequest { partitions })
        }
        "DescribeTransactions" => {
            let ids = list(body, "transactionalIds").map(|id| id.as_str().unwrap_or_default().into());
            Request::DescribeTransactions(DescribeTransactionsRequest { transactional_ids: ids.collect() })
        }
        "ListTransactions" => Request::ListTransactions(ListTransactionsRequest {
            states: list(body, "stateFilters").map(|state| state.as_str().unwrap_or_default().into()).collect(),
            producer_ids: list(body, "producerIdFilters").map(|id| reader.of(id)).collect(),
            duration: reader.number(body, "durationFilter", -1),
            id_pattern: optional(body, "transactionalIdPattern"),
        }),
        _ => return None,
    }))
}

/// Old versions are of one transaction, and of clients.
fn add_partitions(version: i16, body: &Value, names: &mut Names, reader: &Reader<'_>) -> AddPartitionsToTxnRequest {
    if version < 4 {
        let transaction = AddPartitionsToTxn {
            transactional_id: text(body, "v3AndBelowTransactionalId"),
            producer_id: reader.number(body, "v3AndBelowProducerId", -1),
            producer_epoch: reader.int(body, "v3AndBelowProducerEpoch", -1) as i16,
            verify_only: false,
            partitions: bare(body, "v3AndBelowTopics", "partitions", names, reader),
        };
        return AddPartitionsToTxnRequest { transactions: vec![transaction] };
    }
    let transaction = |json: &Value| AddPartitionsToTxn {
        transactional_id: text(json, "transactionalId"),
        producer_id: reader.number(json, "producerId", -1),
        producer_epoch: reader.int(json, "producerEpoch", -1) as i16,
        verify_only: json["verifyOnly"] == true,
        partitions: bare(json, "topics", "partitions", names, reader),
    };
    AddPartitionsToTxnRequest { transactions: list(body, "transactions").map(transaction).collect() }
}

fn offsets(body: &Value, names: &mut Names, reader: &Reader<'_>) -> Vec<OffsetCommitPartition> {
    let part = |(topic, part): (TopicId, &Value)| OffsetCommitPartition {
        partition: TopicPartition::new(topic, reader.int(part, "partitionIndex", 0) as u32),
        offset: reader.number(part, "committedOffset", 0),
        leader_epoch: reader.int(part, "committedLeaderEpoch", -1),
        metadata: text(part, "committedMetadata"),
    };
    partitions(body, "topics", "partitions", names).into_iter().map(part).collect()
}

/// The engine's response, as a golden would have it.
pub fn response(response: &Response, send: &Send, names: &Names, words: &mut Words, now_ms: i64) -> Option<Value> {
    let errors = |list: &[(TopicPartition, ErrorCode)], key: &str| -> Vec<(TopicPartition, Value)> {
        let one = |(id, error): &(TopicPartition, ErrorCode)| {
            (*id, json!({ "partitionIndex": id.partition as i32, key: error.name() }))
        };
        list.iter().map(one).collect()
    };
    Some(match response {
        Response::AddPartitionsToTxn(it) => {
            let topics = |of: &AddPartitionsToTxnResult| {
                let errors = errors(&of.partitions, "partitionErrorCode");
                grouped(errors.into_iter(), "name", "resultsByPartition", names)
            };
            if send.version < 4 {
                return Some(json!({ "resultsByTopicV3AndBelow": it.transactions.first().map(topics) }));
            }
            let one = |of: &AddPartitionsToTxnResult| json!({ "transactionalId": *of.transactional_id, "topicResults": topics(of) });
            let results: Value = it.transactions.iter().map(one).collect();
            json!({ "errorCode": it.error.name(), "resultsByTransaction": results })
        }
        Response::AddOffsetsToTxn(it) => json!({ "errorCode": it.error.name() }),
        Response::EndTxn(it) if send.version < 5 => json!({ "errorCode": it.error.name() }),
        Response::EndTxn(it) => json!({
            "errorCode": it.error.name(),
            "producerId": words.granted_producer(it.producer_id),
            "producerEpoch": it.producer_epoch,
        }),
        Response::WriteTxnMarkers(it) => {
            let one = |marker: &TxnMarkerResult| {
                let topics = grouped(errors(&marker.partitions, "errorCode").into_iter(), "name", "partitions", names);
                json!({ "producerId": words.producer(marker.producer_id), "topics": topics })
            };
            json!({ "markers": it.markers.iter().map(one).collect::<Value>() })
        }
        Response::TxnOffsetCommit(TxnOffsetCommitResponse { partitions })
        | Response::OffsetCommit(OffsetCommitResponse { partitions }) => {
            let topic = topic_key(send);
            let results: Vec<_> = partitions.iter().map(|it| (it.partition, it.error)).collect();
            json!({ "topics": grouped(errors(&results, "errorCode").into_iter(), topic, "partitions", names) })
        }
        Response::OffsetFetch(it) => {
            let one = |part: &OffsetFetchResult| {
                let json = json!({
                    "partitionIndex": part.partition.partition as i32,
                    "errorCode": part.error.name(),
                    "committedOffset": part.offset,
                    "committedLeaderEpoch": part.leader_epoch,
                    "metadata": *part.metadata,
                });
                (part.partition, json)
            };
            let topics = grouped(it.partitions.iter().map(one), topic_key(send), "partitions", names);
            let group = &send.body["groups"][0]["groupId"];
            json!({ "groups": [{ "groupId": group, "errorCode": it.error.name(), "topics": topics }] })
        }
        _ => return described(response, names, words, now_ms),
    })
}

/// OffsetCommit and OffsetFetch name topics by id since version 10.
fn topic_key(send: &Send) -> &'static str {
    if send.version >= 10 { "topicId" } else { "name" }
}

/// What administrators ask.
fn described(response: &Response, names: &Names, words: &Words, now_ms: i64) -> Option<Value> {
    Some(match response {
        Response::DescribeProducers(it) => {
            let producer = |of: &ActiveProducer| {
                json!({
                    "producerId": words.producer(of.producer_id),
                    "producerEpoch": of.producer_epoch,
                    "lastSequence": of.last_sequence,
                    "lastTimestamp": words.time(of.last_timestamp, now_ms),
                    "coordinatorEpoch": if of.coordinator_epoch >= 0 { "current".into() } else { Value::from(-1) },
                    "currentTxnStartOffset": of.current_txn_start_offset,
                })
            };
            let one = |part: &DescribeProducersPartition| {
                let json = json!({
                    "partitionIndex": part.partition.partition as i32,
                    "errorCode": part.error.name(),
                    "activeProducers": part.producers.iter().map(producer).collect::<Value>(),
                });
                (part.partition, json)
            };
            json!({ "topics": grouped(it.partitions.iter().map(one), "name", "partitions", names) })
        }
        Response::DescribeTransactions(it) => {
            let one = |of: &TransactionDescription| {
                let topics = grouped(
                    of.partitions.iter().map(|id| (*id, Value::from(id.partition))),
                    "topic",
                    "partitions",
                    names,
                );
                json!({
                    "errorCode": of.error.name(),
                    "transactionalId": *of.transactional_id,
                    "transactionState": of.state.map_or("", TransactionState::name),
                    "transactionTimeoutMs": of.timeout.as_millis(),
                    "transactionStartTimeMs": words.time(of.start_time, now_ms),
                    "producerId": if of.error.is_error() { of.producer_id.into() } else { words.producer(of.producer_id) },
                    "producerEpoch": of.producer_epoch,
                    "topics": topics,
                })
            };
            json!({ "transactionStates": it.transactions.iter().map(one).collect::<Value>() })
        }
        Response::ListTransactions(it) => {
            let one = |(id, producer, state): &(Rc<str>, i64, TransactionState)| json!({ "transactionalId": **id, "producerId": words.producer(*producer), "transactionState": state.name() });
            let unknown: Value = it.unknown_states.iter().map(|state| Value::from(&**state)).collect();
            let states: Value = it.transactions.iter().map(one).collect();
            json!({ "errorCode": it.error.name(), "unknownStateFilters": unknown, "transactionStates": states })
        }
        _ => return None,
    })
}
