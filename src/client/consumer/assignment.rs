//! What this member says of itself when it joins, and how it reads what it is assigned.
//!
//! Topics travel by name; here partitions bear topic ids, so metadata translate. In Kafka:
//! `ConsumerCoordinator.metadata()`, `onLeaderElected`, `onJoinComplete`.

use super::assignor::{PartitionsPerTopic, Subscriptions};
use super::subscription::Subscription;
use crate::base::config::{Assignor, ConsumerConfig};
use crate::base::{Generation, Time, TopicPartition, sort_short};
use crate::client::metadata::Metadata;
use crate::protocol::{ConsumerAssignment, ConsumerSubscription, JoinGroupMember, NamedPartition, PartitionMetadata};
use bytes::Bytes;
use std::rc::Rc;

/// What it subscribes to and owns.
pub(super) fn subscription_of(
    subscription: &Subscription,
    generation: Generation,
    config: &ConsumerConfig,
    metadata: &Metadata,
) -> ConsumerSubscription {
    let named = |tp: &TopicPartition| Some((metadata.topic_name(tp.topic)?.clone(), tp.partition));
    ConsumerSubscription {
        topics: subscription.subscribed().topics().map(|it| it.iter().cloned().collect()).unwrap_or_default(),
        user_data: None,
        owned_partitions: subscription.assigned().iter().filter_map(named).collect(),
        generation: Some(generation).filter(|generation| *generation >= 0),
        rack: config.client_rack.clone(),
        instance_id: None,
    }
}

/// What the members say; who cannot be understood subscribes to nothing.
pub(super) fn read_members(members: &[JoinGroupMember]) -> Subscriptions {
    let read = |member: &JoinGroupMember| {
        let mut said = ConsumerSubscription::decode(&member.metadata).unwrap_or_default();
        said.instance_id = member.instance_id.clone();
        (Rc::clone(&member.member_id), said)
    };
    members.iter().map(read).collect()
}

/// The leader's metadata of these topics as assignors take them.
pub(super) fn partitions_per_topic<'a>(
    topics: impl Iterator<Item = &'a Rc<str>>,
    metadata: &Metadata,
) -> PartitionsPerTopic {
    let racks = |partition: &PartitionMetadata| metadata.replica_racks(partition).flatten().cloned().collect();
    let known = |name: &Rc<str>| {
        let topic = metadata.topic(metadata.topic_id(name)?)?;
        Some((Rc::clone(name), topic.partitions.iter().map(racks).collect()))
    };
    topics.filter_map(known).collect()
}

/// The assignor that the group agreed on, if it is one of this client's.
pub(super) fn find_assignor(name: Option<&str>, config: &ConsumerConfig) -> Option<Assignor> {
    config.partition_assignment_strategy.iter().copied().find(|assignor| Some(assignor.protocol_name()) == name)
}

/// An assignment as SyncGroup carries it.
pub(super) fn assignment_bytes(partitions: &[NamedPartition]) -> Bytes {
    ConsumerAssignment { partitions: partitions.to_vec(), user_data: None }.encode()
}

/// The partitions of an assignment, sorted. None if metadata do not know a topic yet: they are asked for it. A topic that
/// does not exist is left out.
pub(super) fn read_assignment(
    bytes: &Bytes,
    metadata: &mut Metadata,
    now: Time,
) -> Option<Vec<(Rc<str>, TopicPartition)>> {
    let named = ConsumerAssignment::decode(bytes).unwrap_or_default().partitions;
    let mut assigned = Vec::new();
    for (topic, partition) in named {
        match metadata.topic_id(&topic) {
            Some(id) => assigned.push((topic, TopicPartition::new(id, partition))),
            None if metadata.topic_error(&topic).is_some() => {}
            None => {
                metadata.add_topic(&topic, now);
                metadata.request_update(false);
                return None;
            }
        }
    }
    sort_short(&mut assigned, |a, b| a.1 < b.1);
    Some(assigned)
}
