//! Between Kafka's JSON and the engine's requests to the controller: of brokers and of administrators.

use crate::player::CLUSTER_ID;
use crate::translate::{Names, Reader, list};
use delivery_lab::base::config::Properties;
use delivery_lab::base::{BrokerId, TopicPartition};
use delivery_lab::protocol::*;
use serde_json::{Value, json};
use std::rc::Rc;

fn text(json: &Value, key: &str) -> Rc<str> {
    json[key].as_str().unwrap_or_default().into()
}

fn brokers(json: &Value) -> Vec<BrokerId> {
    json.as_array().into_iter().flatten().map(|id| BrokerId(id.as_i64().unwrap_or(-1) as i32)).collect()
}

fn numbers(json: &Value) -> Vec<u32> {
    json.as_array().into_iter().flatten().map(|it| it.as_i64().unwrap_or(-1) as u32).collect()
}

fn named_partitions(json: &Value, name: &str, inner: &str) -> Option<Vec<TopicPartitions>> {
    let one = |json: &Value| TopicPartitions { topic: text(json, name), partitions: numbers(&json[inner]) };
    json.as_array().map(|list| list.iter().map(one).collect())
}

/// A request to the controller, if it is one.
pub fn request(api: &str, body: &Value, names: &mut Names, reader: &Reader<'_>) -> Option<Request> {
    let broker = |json: &Value| BrokerId(reader.int(json, "brokerId", 0));
    let epoch = |json: &Value| reader.number(json, "brokerEpoch", -1);
    Some(match api {
        "AlterPartition" => {
            let mut partitions = Vec::new();
            for topic in list(body, "topics") {
                let id = names.id(topic["topicId"].as_str().unwrap_or(""));
                partitions.extend(list(topic, "partitions").map(|part| {
                    AlterPartition {
                        partition: TopicPartition::new(id, reader.int(part, "partitionIndex", 0) as u32),
                        leader_epoch: reader.int(part, "leaderEpoch", 0),
                        new_isr: list(part, "newIsrWithEpochs")
                            .map(|member| BrokerState { broker: broker(member), epoch: epoch(member) })
                            .collect(),
                        leader_recovery_state: match reader.int(part, "leaderRecoveryState", 0) {
                            0 => LeaderRecoveryState::Recovered,
                            _ => LeaderRecoveryState::Recovering,
                        },
                        partition_epoch: reader.int(part, "partitionEpoch", 0),
                    }
                }));
            }
            let (broker, broker_epoch) = (broker(body), epoch(body));
            Request::AlterPartition(AlterPartitionRequest { broker, broker_epoch, partitions })
        }
        "BrokerHeartbeat" => Request::BrokerHeartbeat(BrokerHeartbeatRequest {
            broker: broker(body),
            broker_epoch: epoch(body),
            current_metadata_offset: reader.number(body, "currentMetadataOffset", -1),
            want_fence: body["wantFence"] == true,
            want_shut_down: body["wantShutDown"] == true,
        }),
        "BrokerRegistration" => Request::BrokerRegistration(BrokerRegistrationRequest {
            broker: broker(body),
            cluster_id: if body["clusterId"] == "ours" { CLUSTER_ID.into() } else { text(body, "clusterId") },
            incarnation: 4711,
            previous_broker_epoch: reader.number(body, "previousBrokerEpoch", -1),
            rack: None,
        }),
        "AllocateProducerIds" => {
            let (broker, broker_epoch) = (broker(body), epoch(body));
            Request::AllocateProducerIds(AllocateProducerIdsRequest { broker, broker_epoch })
        }
        _ => return administration(api, body, reader),
    })
}

fn administration(api: &str, body: &Value, reader: &Reader<'_>) -> Option<Request> {
    Some(match api {
        "CreateTopics" => {
            let topic = |json: &Value| NewTopic {
                name: text(json, "name"),
                partitions: reader.int(json, "numPartitions", -1),
                replication_factor: reader.int(json, "replicationFactor", -1) as i16,
                assignments: list(json, "assignments").map(|it| brokers(&it["brokerIds"])).collect(),
                config: list(json, "configs")
                    .map(|it| (text(it, "name").to_string(), text(it, "value").to_string()))
                    .collect::<Properties>(),
            };
            Request::CreateTopics(CreateTopicsRequest { topics: list(body, "topics").map(topic).collect() })
        }
        "ElectLeaders" => Request::ElectLeaders(ElectLeadersRequest {
            election: if reader.int(body, "electionType", 0) == 1 {
                ElectionType::Unclean
            } else {
                ElectionType::Preferred
            },
            partitions: named_partitions(&body["topicPartitions"], "topic", "partitions"),
        }),
        "CreatePartitions" => {
            let topic = |json: &Value| NewPartitions {
                name: text(json, "name"),
                count: reader.int(json, "count", 0),
                assignments: json["assignments"]
                    .as_array()
                    .map(|list| list.iter().map(|it| brokers(&it["brokerIds"])).collect()),
            };
            Request::CreatePartitions(CreatePartitionsRequest { topics: list(body, "topics").map(topic).collect() })
        }
        "AlterPartitionReassignments" => {
            let mut partitions = Vec::new();
            for topic in list(body, "topics") {
                partitions.extend(list(topic, "partitions").map(|part| Reassignment {
                    topic: text(topic, "name"),
                    partition: reader.int(part, "partitionIndex", 0) as u32,
                    replicas: Some(brokers(&part["replicas"])).filter(|_| !part["replicas"].is_null()),
                }));
            }
            let allow_replication_factor_change = true;
            let request = AlterPartitionReassignmentsRequest { allow_replication_factor_change, partitions };
            Request::AlterPartitionReassignments(request)
        }
        "ListPartitionReassignments" => {
            let partitions = named_partitions(&body["topics"], "name", "partitionIndexes");
            Request::ListPartitionReassignments(ListPartitionReassignmentsRequest { partitions })
        }
        "IncrementalAlterConfigs" => {
            let change = |json: &Value| (text(json, "name"), json["value"].as_str().map(Into::into));
            let resource = |json: &Value| AlterConfigs {
                resource: Configurable::Topic(text(json, "resourceName")),
                changes: list(json, "configs").map(change).collect(),
            };
            let resources = list(body, "resources").map(resource).collect();
            Request::IncrementalAlterConfigs(IncrementalAlterConfigsRequest { resources })
        }
        _ => return None,
    })
}

/// Results of partitions, by topic.
fn by_topic(results: &[PartitionResult], topic: &str, inner: &str, partition: &str) -> Value {
    let mut topics: Vec<(Rc<str>, Vec<Value>)> = Vec::new();
    for it in results {
        let json = json!({ partition: it.partition as i32, "errorCode": it.error.name() });
        match topics.iter_mut().find(|(name, _)| *name == it.topic) {
            Some((_, list)) => list.push(json),
            None => topics.push((it.topic.clone(), vec![json])),
        }
    }
    topics.into_iter().map(|(name, list)| json!({ topic: *name, inner: list })).collect()
}

/// The controller's answer, as a golden would have it.
pub fn response(response: &Response, names: &Names, reader: &Reader<'_>) -> Option<Value> {
    let ids = |list: &[BrokerId]| list.iter().map(|id| Value::from(id.0)).collect::<Value>();
    Some(match response {
        Response::AlterPartition(it) => {
            let one = |part: &AlterPartitionResult| {
                let json = json!({
                    "partitionIndex": part.partition.partition as i32,
                    "errorCode": part.error.name(),
                    "leaderId": part.leader.0,
                    "leaderEpoch": part.leader_epoch,
                    "isr": ids(&part.isr),
                    "leaderRecoveryState": part.leader_recovery_state as i32,
                    "partitionEpoch": part.partition_epoch,
                });
                (part.partition, json)
            };
            let topics = crate::translate::grouped(it.partitions.iter().map(one), "topicId", "partitions", names);
            json!({ "errorCode": it.error.name(), "topics": topics })
        }
        Response::BrokerHeartbeat(it) => json!({
            "errorCode": it.error.name(),
            "isCaughtUp": it.is_caught_up,
            "isFenced": it.is_fenced,
            "shouldShutDown": it.should_shut_down,
        }),
        Response::BrokerRegistration(it) => {
            json!({ "errorCode": it.error.name(), "brokerEpoch": reader.words.broker_epoch(it.broker_epoch) })
        }
        Response::AllocateProducerIds(it) => json!({
            "errorCode": it.error.name(),
            "producerIdStart": if it.producer_id_start < 0 { Value::from(it.producer_id_start) } else { "a new block".into() },
            "producerIdLen": it.producer_id_len,
        }),
        Response::CreateTopics(it) => json!({ "topics": topics(&it.topics) }),
        Response::CreatePartitions(it) => json!({ "results": topics(&it.topics) }),
        Response::ElectLeaders(it) => json!({
            "errorCode": it.error.name(),
            "replicaElectionResults": by_topic(&it.partitions, "topic", "partitionResult", "partitionId"),
        }),
        Response::AlterPartitionReassignments(it) => json!({
            "allowReplicationFactorChange": true,
            "errorCode": it.error.name(),
            "responses": by_topic(&it.partitions, "name", "partitions", "partitionIndex"),
        }),
        Response::ListPartitionReassignments(it) => {
            let one = |part: &OngoingReassignment| {
                let part_json = json!({
                    "partitionIndex": part.partition as i32,
                    "replicas": ids(&part.replicas),
                    "addingReplicas": ids(&part.adding),
                    "removingReplicas": ids(&part.removing),
                });
                json!({ "name": *part.topic, "partitions": [part_json] })
            };
            json!({ "errorCode": it.error.name(), "topics": it.partitions.iter().map(one).collect::<Value>() })
        }
        Response::IncrementalAlterConfigs(it) => {
            let one = |(resource, error): &(Configurable, ErrorCode)| {
                let name = match resource {
                    Configurable::Topic(name) | Configurable::Group(name) => Value::from(&**name),
                    _ => Value::Null,
                };
                json!({ "errorCode": error.name(), "resourceType": 2, "resourceName": name })
            };
            json!({ "responses": it.resources.iter().map(one).collect::<Value>() })
        }
        _ => return None,
    })
}

fn topics(results: &[NewTopicResult]) -> Value {
    results.iter().map(|it| json!({ "name": *it.name, "errorCode": it.error.name() })).collect()
}
