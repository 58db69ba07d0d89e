//! Between Kafka's JSON and the engine's requests of administrators of groups.

use crate::consumer_bytes;
use crate::script::Send;
use crate::translate::{Names, Reader, grouped, list, partitions};
use crate::words::Words;
use delivery_lab::base::TopicPartition;
use delivery_lab::protocol::*;
use serde_json::{Value, json};
use std::rc::Rc;

fn texts(body: &Value, key: &str) -> Vec<Rc<str>> {
    list(body, key).map(|it| it.as_str().unwrap_or_default().into()).collect()
}

/// A request of an administrator, if it is one.
pub fn request(send: &Send, names: &mut Names, reader: &Reader<'_>) -> Option<Request> {
    let body = &send.body;
    Some(match send.api.as_str() {
        "DescribeGroups" => Request::DescribeGroups(DescribeGroupsRequest { groups: texts(body, "groups") }),
        "ConsumerGroupDescribe" => {
            Request::ConsumerGroupDescribe(ConsumerGroupDescribeRequest { groups: texts(body, "groupIds") })
        }
        "ListGroups" => {
            let (states, types) = (texts(body, "statesFilter"), texts(body, "typesFilter"));
            Request::ListGroups(ListGroupsRequest { states, types })
        }
        "DeleteGroups" => Request::DeleteGroups(DeleteGroupsRequest { groups: texts(body, "groupsNames") }),
        "OffsetDelete" => {
            let part =
                |(topic, part): (_, &Value)| TopicPartition::new(topic, reader.int(part, "partitionIndex", 0) as u32);
            let group = body["groupId"].as_str().unwrap_or_default().into();
            let partitions = partitions(body, "topics", "partitions", names).into_iter().map(part).collect();
            Request::OffsetDelete(OffsetDeleteRequest { group, partitions })
        }
        _ => return None,
    })
}

/// The engine's response, as a golden would have it.
pub fn response(response: &Response, version: i16, names: &Names, words: &mut Words) -> Option<Value> {
    Some(match response {
        Response::DescribeGroups(it) => {
            json!({ "groups": it.groups.iter().map(|group| described(group, words)).collect::<Value>() })
        }
        Response::ConsumerGroupDescribe(it) => {
            json!({ "groups": it.groups.iter().map(|group| consumers(group, names, words)).collect::<Value>() })
        }
        Response::ListGroups(it) => {
            let one = |group: &ListedGroup| {
                let mut json = json!({ "groupId": &*group.group, "protocolType": &*group.protocol_type });
                if version >= 4 {
                    json["groupState"] = group.state.name().into();
                }
                if version >= 5 {
                    json["groupType"] = group.kind.name().into();
                }
                json
            };
            json!({ "errorCode": it.error.name(), "groups": it.groups.iter().map(one).collect::<Value>() })
        }
        Response::DeleteGroups(it) => {
            let one = |(group, error): &(Rc<str>, ErrorCode)| json!({ "groupId": &**group, "errorCode": error.name() });
            json!({ "results": it.groups.iter().map(one).collect::<Value>() })
        }
        Response::OffsetDelete(it) => {
            let one = |(id, error): &(TopicPartition, ErrorCode)| {
                (*id, json!({ "partitionIndex": id.partition as i32, "errorCode": error.name() }))
            };
            let topics = grouped(it.partitions.iter().map(one), "name", "partitions", names);
            json!({ "errorCode": it.error.name(), "topics": topics })
        }
        _ => return None,
    })
}

/// Who asks for no authorised operations is told of none.
const NO_OPERATIONS: i32 = i32::MIN;

fn described(group: &DescribedGroup, words: &mut Words) -> Value {
    let one = |member: &DescribedMember| {
        json!({
            "memberId": words.member(&member.member_id),
            "groupInstanceId": member.instance_id.as_deref(),
            "clientId": &*member.client_id,
            "memberMetadata": consumer_bytes::show(&member.metadata, false, &str::to_string),
            "memberAssignment": consumer_bytes::show(&member.assignment, true, &str::to_string),
        })
    };
    let members: Value = group.members.iter().map(one).collect();
    json!({
        "errorCode": group.error.name(),
        "groupId": &*group.group,
        "groupState": group.state.map_or("", GroupState::name),
        "protocolType": &*group.protocol_type,
        "protocolData": &*group.protocol,
        "members": members,
        "authorizedOperations": NO_OPERATIONS,
    })
}

fn consumers(group: &DescribedConsumerGroup, names: &Names, words: &mut Words) -> Value {
    let parts = |list: &[TopicPartition]| {
        let parts = list.iter().map(|it| (*it, json!(it.partition)));
        let mut topics = grouped(parts, "topicId", "partitions", names);
        for topic in topics.as_array_mut().into_iter().flatten() {
            topic["topicName"] = topic["topicId"].clone();
        }
        json!({ "topicPartitions": topics })
    };
    let one = |member: &DescribedConsumer| {
        let topics: Vec<&str> = member.subscribed_topics.iter().map(Rc::as_ref).collect();
        json!({
            "memberId": words.member(&member.member_id),
            "instanceId": member.instance_id.as_deref(),
            "rackId": member.rack_id.as_deref(),
            "memberEpoch": member.member_epoch,
            "clientId": &*member.client_id,
            "subscribedTopicNames": topics,
            "subscribedTopicRegex": member.subscribed_regex.as_deref(),
            "assignment": parts(&member.assigned),
            "targetAssignment": parts(&member.target),
            "memberType": i8::from(!member.classic),
        })
    };
    let members: Value = group.members.iter().map(one).collect();
    json!({
        "errorCode": group.error.name(),
        "groupId": &*group.group,
        "groupState": group.state.map_or("", GroupState::name),
        "groupEpoch": group.epoch,
        "assignmentEpoch": group.assignment_epoch,
        "assignorName": &*group.assignor,
        "members": members,
        "authorizedOperations": NO_OPERATIONS,
    })
}
