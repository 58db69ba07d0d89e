//! Between Kafka's JSON and the engine's requests of members of groups, in both protocols.

use crate::consumer_bytes;
use crate::script::Send;
use crate::translate::{Names, Reader, grouped, list};
use crate::translate_transactions::bare;
use crate::words::Words;
use bytes::Bytes;
use delivery_lab::protocol::*;
use serde_json::{Value, json};
use std::rc::Rc;

/// A text, empty if it is left out.
pub fn text(json: &Value, key: &str) -> Rc<str> {
    json[key].as_str().unwrap_or_default().into()
}

/// A text, if it is there.
pub fn optional(json: &Value, key: &str) -> Option<Rc<str>> {
    json[key].as_str().map(Into::into)
}

fn bytes(json: &Value, key: &str) -> Bytes {
    consumer_bytes::build(&json[key], &str::to_string)
}

/// A member id, which may be a name.
pub fn member(json: &Value, reader: &Reader<'_>) -> Rc<str> {
    reader.words.text(json["memberId"].as_str().unwrap_or_default()).into()
}

/// A request of a member, if it is one.
pub fn request(send: &Send, names: &mut Names, reader: &Reader<'_>) -> Option<Request> {
    let body = &send.body;
    let (group, instance_id) = (text(body, "groupId"), optional(body, "groupInstanceId"));
    let (member_id, generation) = (member(body, reader), reader.int(body, "generationId", -1));
    Some(match send.api.as_str() {
        "JoinGroup" => {
            let protocol =
                |json: &Value| JoinGroupProtocol { name: text(json, "name"), metadata: bytes(json, "metadata") };
            Request::JoinGroup(JoinGroupRequest {
                group,
                client_id: "delivery-lab".into(),
                session_timeout: reader.millis(body, "sessionTimeoutMs"),
                rebalance_timeout: reader.millis(body, "rebalanceTimeoutMs"),
                member_id,
                instance_id,
                protocol_type: text(body, "protocolType"),
                protocols: list(body, "protocols").map(protocol).collect(),
            })
        }
        "SyncGroup" => {
            let assignment = |json: &Value| (member(json, reader), bytes(json, "assignment"));
            Request::SyncGroup(SyncGroupRequest {
                group,
                generation,
                member_id,
                instance_id,
                protocol_type: optional(body, "protocolType"),
                protocol_name: optional(body, "protocolName"),
                assignments: list(body, "assignments").map(assignment).collect(),
            })
        }
        "Heartbeat" => Request::Heartbeat(HeartbeatRequest { group, generation, member_id, instance_id }),
        "LeaveGroup" => {
            let leaving = |json: &Value| LeavingMember {
                member_id: member(json, reader),
                instance_id: optional(json, "groupInstanceId"),
            };
            Request::LeaveGroup(LeaveGroupRequest { group, members: list(body, "members").map(leaving).collect() })
        }
        "ConsumerGroupHeartbeat" => {
            let owned =
                body["topicPartitions"].is_array().then(|| bare(body, "topicPartitions", "partitions", names, reader));
            let topics = body["subscribedTopicNames"].is_array().then(|| {
                list(body, "subscribedTopicNames").map(|name| name.as_str().unwrap_or_default().into()).collect()
            });
            let timeout = body.get("rebalanceTimeoutMs").filter(|it| **it != -1);
            Request::ConsumerGroupHeartbeat(Box::new(ConsumerGroupHeartbeatRequest {
                group,
                member_id,
                member_epoch: reader.int(body, "memberEpoch", 0),
                instance_id: optional(body, "instanceId"),
                rack_id: optional(body, "rackId"),
                rebalance_timeout: timeout.map(|_| reader.millis(body, "rebalanceTimeoutMs")),
                subscribed_topics: topics,
                subscribed_regex: optional(body, "subscribedTopicRegex"),
                server_assignor: optional(body, "serverAssignor"),
                topic_partitions: owned,
                client_id: "delivery-lab".into(),
            }))
        }
        _ => return None,
    })
}

/// The engine's response, as a golden would have it.
pub fn response(response: &Response, names: &Names, words: &mut Words) -> Option<Value> {
    let assigned = |bytes: &Bytes| consumer_bytes::show(bytes, true, &str::to_string);
    Some(match response {
        Response::JoinGroup(it) => {
            let (leader, id) = (words.member(&it.leader), words.member(&it.member_id));
            let one = |of: &JoinGroupMember| {
                json!({
                    "memberId": words.member(&of.member_id),
                    "groupInstanceId": of.instance_id.as_deref(),
                    "metadata": consumer_bytes::show(&of.metadata, false, &str::to_string),
                })
            };
            let members: Value = it.members.iter().map(one).collect();
            json!({
                "errorCode": it.error.name(),
                "generationId": it.generation,
                "protocolType": it.protocol_type.as_deref(),
                "protocolName": it.protocol_name.as_deref(),
                "leader": leader,
                "skipAssignment": it.skip_assignment,
                "memberId": id,
                "members": members,
            })
        }
        Response::SyncGroup(it) => json!({
            "errorCode": it.error.name(),
            "protocolType": it.protocol_type.as_deref(),
            "protocolName": it.protocol_name.as_deref(),
            "assignment": assigned(&it.assignment),
        }),
        Response::Heartbeat(it) => json!({ "errorCode": it.error.name() }),
        Response::LeaveGroup(it) => {
            let one = |(member, error): &(LeavingMember, ErrorCode)| {
                json!({
                    "memberId": words.member(&member.member_id),
                    "groupInstanceId": member.instance_id.as_deref(),
                    "errorCode": error.name(),
                })
            };
            json!({ "errorCode": it.error.name(), "members": it.members.iter().map(one).collect::<Value>() })
        }
        Response::ConsumerGroupHeartbeat(it) => {
            let mut json = json!({
                "errorCode": it.error.name(),
                "memberId": it.member_id.as_ref().map(|id| words.member(id)),
                "memberEpoch": it.member_epoch,
                "heartbeatIntervalMs": it.heartbeat_interval.as_millis(),
            });
            if let Some(assignment) = &it.assignment {
                let parts = assignment.iter().map(|it| (*it, json!(it.partition)));
                json["assignment"] = json!({ "topicPartitions": grouped(parts, "topicId", "partitions", names) });
            }
            json
        }
        _ => return None,
    })
}
