//! Metadata and FindCoordinator: the image, as clients see it (Kafka's `KRaftMetadataCache`).
//!
//! The topic a coordinator keeps its state in is created when it is first asked for.

use crate::base::BrokerId;
use crate::coordinator::partition_for;
use crate::metadata::{
    CONSUMER_OFFSETS_TOPIC, MetadataImage, PartitionRegistration, SHARE_GROUP_STATE_TOPIC, TRANSACTION_STATE_TOPIC,
};
use crate::protocol::{
    CoordinatorType, ErrorCode, FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest, MetadataResponse,
    PartitionMetadata, TopicMetadata,
};
use std::rc::Rc;

/// Answers Metadata. Fenced brokers are not shown.
pub fn metadata(request: &MetadataRequest, image: &MetadataImage) -> MetadataResponse {
    let unfenced = || image.brokers().iter().filter(|(_, broker)| !broker.fenced);
    let brokers = unfenced().map(|(id, _)| *id).collect();
    let racks = unfenced().filter_map(|(id, broker)| Some((*id, broker.rack.clone()?))).collect();
    let topics = match request.topics.as_slice() {
        [all] if **all == *MetadataRequest::ALL_TOPICS => {
            image.topics().filter_map(|(id, _)| Some(topic_metadata(&image.topic_name(id)?.into(), image))).collect()
        }
        names => names.iter().map(|name| topic_metadata(name, image)).collect(),
    };
    MetadataResponse { brokers, racks, topics }
}

fn topic_metadata(name: &Rc<str>, image: &MetadataImage) -> TopicMetadata {
    let found = image.topic_id(name).and_then(|id| Some((id, image.topic(id)?)));
    let Some((topic, state)) = found else {
        let (error, topic) = (ErrorCode::UnknownTopicOrPartition, crate::base::TopicId(0));
        return TopicMetadata { error, name: Rc::clone(name), topic, partitions: Vec::new() };
    };
    let partitions = (0..).zip(&state.partitions).map(|(index, partition)| partition_metadata(index, partition, image));
    TopicMetadata { error: ErrorCode::None, name: Rc::clone(name), topic, partitions: partitions.collect() }
}

fn partition_metadata(index: u32, partition: &PartitionRegistration, image: &MetadataImage) -> PartitionMetadata {
    let known = image.broker(partition.leader).is_some();
    PartitionMetadata {
        error: if known { ErrorCode::None } else { ErrorCode::LeaderNotAvailable },
        partition: index,
        leader: if known { partition.leader } else { BrokerId::NONE },
        leader_epoch: partition.leader_epoch,
        replicas: partition.replicas.clone(),
        isr: partition.isr.clone(),
        offline: partition.replicas.iter().copied().filter(|broker| !image.is_unfenced(*broker)).collect(),
    }
}

/// Where coordinators of this kind keep their state.
pub fn coordinator_topic(kind: CoordinatorType) -> &'static str {
    match kind {
        CoordinatorType::Group => CONSUMER_OFFSETS_TOPIC,
        CoordinatorType::Transaction => TRANSACTION_STATE_TOPIC,
        CoordinatorType::Share => SHARE_GROUP_STATE_TOPIC,
    }
}

/// Answers FindCoordinator; the second value says that the topic has to be created first.
pub fn find_coordinator(request: &FindCoordinatorRequest, image: &MetadataImage) -> (FindCoordinatorResponse, bool) {
    if request.key_type == CoordinatorType::Share && request.key.rsplit(':').count() < 3 {
        let response = FindCoordinatorResponse { error: ErrorCode::InvalidRequest, node: BrokerId::NONE };
        return (response, false);
    }
    let unavailable =
        |create| (FindCoordinatorResponse { error: ErrorCode::CoordinatorNotAvailable, node: BrokerId::NONE }, create);
    let name = coordinator_topic(request.key_type);
    let Some(topic) = image.topic_id(name).and_then(|id| image.topic(id)) else {
        return unavailable(true);
    };
    let index = partition_for(&request.key, topic.partitions.len() as u32);
    let leader = topic.partitions.get(index as usize).map_or(BrokerId::NONE, |partition| partition.leader);
    if !image.is_unfenced(leader) {
        return unavailable(false);
    }
    (FindCoordinatorResponse { error: ErrorCode::None, node: leader }, false)
}
