//! The cluster as the invariants see it: a simulated world.

use super::{Cluster, Replica};
use crate::base::config::GroupConfig;
use crate::base::{BrokerId, Generation, NodeId, Offset, ProducerEpoch, ProducerId, TopicPartition};
use crate::client::consumer::{Consumer, MemberState};
use crate::coordinator::group::GroupShard;
use crate::metadata::{CONSUMER_OFFSETS_TOPIC, MetadataImage, coordinator_partition};
use crate::protocol::TransactionState;
use crate::sim::{AnyNode, World};

impl Cluster for World {
    fn image(&self) -> &MetadataImage {
        World::image(self).expect("invariant: a world has a controller")
    }

    fn replica(&self, broker: BrokerId, partition: TopicPartition) -> Option<Replica<'_>> {
        let partition = self.broker(broker)?.partition(partition)?;
        let log = partition.log();
        Some(Replica { log, high_watermark: log.high_watermark(), leader_epoch: partition.leader_epoch() })
    }

    fn broker_epoch(&self, broker: BrokerId) -> Option<i64> {
        self.broker(broker).filter(|broker| broker.is_running()).map(|broker| broker.broker_epoch())
    }

    fn decision(&self, producer_id: ProducerId, epoch: ProducerEpoch) -> Option<bool> {
        let coordinators = self.brokers().filter_map(|(_, broker)| broker.transaction_coordinator());
        let transactions = coordinators.flat_map(|coordinator| coordinator.transactions());
        let of = transactions.map(|(_, metadata)| metadata);
        let mut of = of.filter(|it| (it.producer_id, it.producer_epoch) == (producer_id, epoch));
        of.find_map(|it| match it.state {
            TransactionState::PrepareCommit | TransactionState::CompleteCommit => Some(true),
            TransactionState::PrepareAbort | TransactionState::CompleteAbort => Some(false),
            _ => None,
        })
    }

    fn owners(&self, group: &str) -> Vec<(TopicPartition, NodeId)> {
        let Some(shard) = group_shard(self, group) else { return Vec::new() };
        let mut owners = Vec::new();
        for (node, client) in
            self.nodes().filter(|(node, _)| self.is_alive(*node)).filter_map(|(node, it)| Some((node, client_of(it)?)))
        {
            let Some(member) = client.coordinator().filter(|it| &**it.group() == group).map(|it| it.member()) else {
                continue;
            };
            if !client.subscription().subscribed().is_auto_assigned() || member.state() != MemberState::Stable {
                continue;
            }
            let (generation, instance) = (member.generation(), client.config().group_instance_id.as_ref());
            let may_commit = |partition: TopicPartition| {
                let (member, epoch) = (&*generation.member_id, generation.id);
                let found = match (shard.consumers.group(group), shard.groups.group(group)) {
                    (Some(found), _) => found.validate_offset_commit(member, instance, epoch, false, [partition]),
                    (None, Some(found)) => found.validate_offset_commit(member, instance, epoch, false),
                    (None, None) => return false,
                };
                found.is_ok()
            };
            let partitions = client.subscription().iter().map(|(partition, _)| partition);
            owners.extend(partitions.filter(|it| may_commit(*it)).map(|partition| (partition, node)));
        }
        owners
    }

    fn share_start(&self, leader: NodeId, group: &str, partition: TopicPartition) -> Option<Offset> {
        let manager = self.broker(leader.into())?.shares()?.manager();
        let mut known = manager.partitions();
        known.find(|(key, _)| *key.0 == *group && key.1 == partition).map(|(_, share)| share.start_offset())
    }

    fn group_config(&self, broker: NodeId, group: &str) -> GroupConfig {
        let broker = self.broker(broker.into()).expect("invariant: a broker told it");
        broker.image().group_config(group, broker.config())
    }

    fn generation(&self, member: NodeId) -> Generation {
        let coordinator = client_of(self.node(member)).and_then(Consumer::coordinator);
        coordinator.map_or(-1, |it| it.member().generation().id)
    }
}

/// The consumer client of an application that runs.
pub(in crate::check) fn client_of(node: &AnyNode) -> Option<&Consumer> {
    match node {
        AnyNode::Consumer(app) => app.client(),
        AnyNode::Processor(app) => app.consumer(),
        _ => None,
    }
}

/// The shard that holds a group, at the broker that the controller has decided on.
pub(in crate::check) fn group_shard<'a>(world: &'a World, group: &str) -> Option<&'a GroupShard> {
    let image = world.image()?;
    let topic = image.topic_id(CONSUMER_OFFSETS_TOPIC)?;
    let home = TopicPartition::new(topic, coordinator_partition(group, image.partition_count(topic)));
    let broker = world.broker(image.partition(home)?.leader)?;
    broker.group_shards().find(|(id, _)| **id == home).map(|(_, shard)| shard)
}
