//! Between Kafka's JSON and the engine's requests of share groups (KIP-932).

use crate::batch;
use crate::script::Send;
use crate::translate::{Names, Reader, grouped, list, partitions};
use crate::translate_groups::{member, optional, text};
use crate::translate_transactions::bare;
use crate::words::Words;
use delivery_lab::base::TopicPartition;
use delivery_lab::base::config::ShareAcquireMode;
use delivery_lab::protocol::*;
use serde_json::{Value, json};
use std::rc::Rc;

/// A request of a member of a share group, or to the share coordinator, if it is one; why it cannot be said, if it cannot.
pub fn request(send: &Send, names: &mut Names, reader: &Reader<'_>) -> Option<Result<Request, &'static str>> {
    let body = &send.body;
    let (group, member_id) = (text(body, "groupId"), member(body, reader));
    let session_epoch = reader.int(body, "shareSessionEpoch", 0);
    let is_renew_ack = body["isRenewAck"] == true;
    Some(Ok(match send.api.as_str() {
        "ShareGroupHeartbeat" => {
            let names = list(body, "subscribedTopicNames").map(|name| name.as_str().unwrap_or_default().into());
            Request::ShareGroupHeartbeat(ShareGroupHeartbeatRequest {
                group,
                member_id,
                member_epoch: reader.int(body, "memberEpoch", 0),
                rack_id: optional(body, "rackId"),
                subscribed_topics: body["subscribedTopicNames"].is_array().then(|| names.collect()),
                client_id: "delivery-lab".into(),
            })
        }
        "ShareGroupDescribe" => {
            let groups = list(body, "groupIds").map(|id| id.as_str().unwrap_or_default().into()).collect();
            Request::ShareGroupDescribe(ShareGroupDescribeRequest { groups })
        }
        "ShareFetch" | "ShareAcknowledge" if body["groupId"].is_null() || body["memberId"].is_null() => {
            return Some(Err("members and share groups have names"));
        }
        "ShareFetch" => {
            let Some(partitions) = acknowledged(body, names, reader) else { return Some(Err("there are five kinds")) };
            let forgotten = bare(body, "forgottenTopicsData", "partitions", names, reader);
            let by_limit = reader.int(body, "shareAcquireMode", 0) == 1;
            Request::ShareFetch(Box::new(ShareFetchRequest {
                group,
                member_id,
                session_epoch,
                max_wait: reader.millis(body, "maxWaitMs"),
                min_bytes: reader.int(body, "minBytes", 0) as u32,
                max_bytes: reader.int(body, "maxBytes", i32::MAX) as u32,
                max_records: reader.int(body, "maxRecords", 0) as u32,
                batch_size: reader.int(body, "batchSize", 0) as u32,
                acquire_mode: if by_limit { ShareAcquireMode::RecordLimit } else { ShareAcquireMode::BatchOptimized },
                is_renew_ack,
                partitions,
                forgotten,
            }))
        }
        "ShareAcknowledge" => {
            let Some(partitions) = acknowledged(body, names, reader) else { return Some(Err("there are five kinds")) };
            Request::ShareAcknowledge(ShareAcknowledgeRequest {
                group,
                member_id,
                session_epoch,
                is_renew_ack,
                partitions,
            })
        }
        _ => return state_request(send, names, reader).map(Ok),
    }))
}

/// Partitions and what became of their records; none if of a kind that is none.
fn acknowledged(body: &Value, names: &mut Names, reader: &Reader<'_>) -> Option<Vec<SharePartitionAcknowledgements>> {
    let kind = |number: &Value| {
        use AcknowledgeType::*;
        [Gap, Accept, Release, Reject, Renew].into_iter().find(|kind| *kind as i64 == reader.of(number))
    };
    let batch = |json: &Value| {
        Some(AcknowledgementBatch {
            first_offset: reader.number(json, "firstOffset", 0),
            last_offset: reader.number(json, "lastOffset", 0),
            types: list(json, "acknowledgeTypes").map(kind).collect::<Option<Vec<_>>>()?,
        })
    };
    let part = |(topic, part): (_, &Value)| {
        let partition = TopicPartition::new(topic, reader.int(part, "partitionIndex", 0) as u32);
        let batches = list(part, "acknowledgementBatches").map(batch).collect::<Option<Vec<_>>>()?;
        Some(SharePartitionAcknowledgements { partition, batches })
    };
    partitions(body, "topics", "partitions", names).into_iter().map(part).collect()
}

/// A request to the share coordinator.
fn state_request(send: &Send, names: &mut Names, reader: &Reader<'_>) -> Option<Request> {
    let body = &send.body;
    let group = text(body, "groupId");
    let parts: Vec<(TopicPartition, &Value)> = partitions(body, "topics", "partitions", names)
        .into_iter()
        .map(|(topic, part)| (TopicPartition::new(topic, reader.int(part, "partition", 0) as u32), part))
        .collect();
    let parts = parts.into_iter();
    let leaders = |(id, part): (TopicPartition, &Value)| (id, reader.int(part, "leaderEpoch", 0));
    Some(match send.api.as_str() {
        "InitializeShareGroupState" => {
            let part = |(partition, part): (TopicPartition, &Value)| InitializeStatePartition {
                partition,
                state_epoch: reader.int(part, "stateEpoch", 0),
                start_offset: reader.number(part, "startOffset", 0),
            };
            let partitions = parts.map(part).collect();
            Request::InitializeShareGroupState(InitializeShareGroupStateRequest { group, partitions })
        }
        "ReadShareGroupState" => {
            Request::ReadShareGroupState(ReadShareGroupStateRequest { group, partitions: parts.map(leaders).collect() })
        }
        "ReadShareGroupStateSummary" => {
            let partitions = parts.map(leaders).collect();
            Request::ReadShareGroupStateSummary(ReadShareGroupStateRequest { group, partitions })
        }
        "DeleteShareGroupState" => {
            let partitions = parts.map(|(id, _)| id).collect();
            Request::DeleteShareGroupState(DeleteShareGroupStateRequest { group, partitions })
        }
        "WriteShareGroupState" => {
            let batch = |json: &Value| StateBatch {
                first_offset: reader.number(json, "firstOffset", 0),
                last_offset: reader.number(json, "lastOffset", 0),
                delivery_state: reader.int(json, "deliveryState", 0) as i8,
                delivery_count: reader.int(json, "deliveryCount", 0) as i16,
            };
            let part = |(partition, part): (TopicPartition, &Value)| WriteStatePartition {
                partition,
                state_epoch: reader.int(part, "stateEpoch", 0),
                leader_epoch: reader.int(part, "leaderEpoch", 0),
                start_offset: reader.number(part, "startOffset", 0),
                delivery_complete_count: reader.int(part, "deliveryCompleteCount", -1),
                state_batches: list(part, "stateBatches").map(batch).collect(),
            };
            let partitions = parts.map(part).collect();
            Request::WriteShareGroupState(WriteShareGroupStateRequest { group, partitions })
        }
        _ => return None,
    })
}

/// The engine's response, as a golden would have it.
pub fn response(response: &Response, names: &Names, words: &mut Words, now_ms: i64) -> Option<Value> {
    let leader = |json: &mut Value, of: &Option<CurrentLeader>| {
        let nobody = CurrentLeader { leader: delivery_lab::base::BrokerId(0), epoch: 0 };
        let of = of.as_ref().unwrap_or(&nobody);
        json["currentLeader"] = json!({ "leaderId": of.leader.0, "leaderEpoch": of.epoch });
    };
    Some(match response {
        Response::ShareGroupHeartbeat(it) => {
            let mut json = json!({
                "errorCode": it.error.name(),
                "memberId": it.member_id.as_ref().map(|id| words.member(id)),
                "memberEpoch": it.member_epoch,
                "heartbeatIntervalMs": it.heartbeat_interval.as_millis(),
            });
            if let Some(assignment) = &it.assignment {
                json["assignment"] = assigned(assignment, names);
            }
            json
        }
        Response::ShareGroupDescribe(it) => {
            json!({ "groups": it.groups.iter().map(|group| described(group, names, words)).collect::<Value>() })
        }
        Response::ShareFetch(it) => {
            let one = |part: &ShareFetchPartitionResponse| {
                let acquired = |it: &AcquiredRecords| json!({ "firstOffset": it.first_offset, "lastOffset": it.last_offset, "deliveryCount": it.delivery_count });
                let records = part.records.iter().map(|batch| batch::describe(batch, words, now_ms));
                let mut json = json!({
                    "partitionIndex": part.partition.partition as i32,
                    "errorCode": part.error.name(),
                    "acknowledgeErrorCode": part.acknowledge_error.name(),
                    "records": records.collect::<Value>(),
                    "acquiredRecords": part.acquired.iter().map(acquired).collect::<Value>(),
                });
                leader(&mut json, &part.current_leader);
                (part.partition, json)
            };
            let parts: Vec<_> = it.partitions.iter().map(one).collect();
            json!({
                "errorCode": it.error.name(),
                "acquisitionLockTimeoutMs": it.acquisition_lock_timeout.as_millis(),
                "responses": grouped(parts.into_iter(), "topicId", "partitions", names),
            })
        }
        Response::ShareAcknowledge(it) => {
            let one = |part: &ShareAcknowledgePartitionResponse| {
                let mut json =
                    json!({ "partitionIndex": part.partition.partition as i32, "errorCode": part.error.name() });
                leader(&mut json, &part.current_leader);
                (part.partition, json)
            };
            json!({
                "errorCode": it.error.name(),
                "acquisitionLockTimeoutMs": it.acquisition_lock_timeout.as_millis(),
                "responses": grouped(it.partitions.iter().map(one), "topicId", "partitions", names),
            })
        }
        _ => return state_response(response, names),
    })
}

fn assigned(partitions: &[TopicPartition], names: &Names) -> Value {
    let parts = partitions.iter().map(|it| (*it, json!(it.partition)));
    json!({ "topicPartitions": grouped(parts, "topicId", "partitions", names) })
}

fn described(group: &DescribedShareGroup, names: &Names, words: &mut Words) -> Value {
    let one = |member: &DescribedShareMember| {
        let topics: Vec<&str> = member.subscribed_topics.iter().map(Rc::as_ref).collect();
        let mut assignment = assigned(&member.assignment, names);
        for topic in assignment["topicPartitions"].as_array_mut().into_iter().flatten() {
            topic["topicName"] = topic["topicId"].clone();
        }
        json!({
            "memberId": words.member(&member.member_id),
            "rackId": member.rack_id.as_deref(),
            "memberEpoch": member.member_epoch,
            "clientId": &*member.client_id,
            "subscribedTopicNames": topics,
            "assignment": assignment,
        })
    };
    let members: Value = group.members.iter().map(one).collect();
    json!({
        "errorCode": group.error.name(),
        "groupId": &*group.group,
        "groupState": group.state,
        "groupEpoch": group.group_epoch,
        "assignmentEpoch": group.assignment_epoch,
        "assignorName": group.assignor,
        "members": members,
        // Who asks for none is told of none.
        "authorizedOperations": i32::MIN,
    })
}

fn state_response(response: &Response, names: &Names) -> Option<Value> {
    let results = |parts: Vec<(TopicPartition, Value)>| json!({ "results": grouped(parts.into_iter(), "topicId", "partitions", names) });
    Some(match response {
        Response::InitializeShareGroupState(it)
        | Response::WriteShareGroupState(it)
        | Response::DeleteShareGroupState(it) => {
            let one = |(id, error): &(TopicPartition, ErrorCode)| {
                (*id, json!({ "partition": id.partition as i32, "errorCode": error.name() }))
            };
            results(it.partitions.iter().map(one).collect())
        }
        Response::ReadShareGroupState(it) => {
            let batch = |it: &StateBatch| {
                json!({ "firstOffset": it.first_offset, "lastOffset": it.last_offset,
                "deliveryState": it.delivery_state, "deliveryCount": it.delivery_count })
            };
            let one = |part: &ReadStatePartition| {
                let json = json!({
                    "partition": part.partition.partition as i32,
                    "errorCode": part.error.name(),
                    "stateEpoch": part.state_epoch,
                    "startOffset": part.start_offset,
                    "stateBatches": part.state_batches.iter().map(batch).collect::<Value>(),
                });
                (part.partition, json)
            };
            results(it.partitions.iter().map(one).collect())
        }
        Response::ReadShareGroupStateSummary(it) => {
            let one = |part: &ReadStateSummaryPartition| {
                let json = json!({
                    "partition": part.partition.partition as i32,
                    "errorCode": part.error.name(),
                    "stateEpoch": part.state_epoch,
                    "leaderEpoch": part.leader_epoch,
                    "startOffset": part.start_offset,
                    "deliveryCompleteCount": part.delivery_complete_count,
                });
                (part.partition, json)
            };
            results(it.partitions.iter().map(one).collect())
        }
        _ => return None,
    })
}
