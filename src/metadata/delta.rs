//! What some records changed: what a broker must react to.

use super::MetadataImage;
use crate::base::{BrokerId, TopicId, TopicPartition};

/// What changed between two images. Nothing is named twice.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct MetadataDelta {
    /// Partitions that are new or have a new state, in the order of their first change.
    pub changed_partitions: Vec<TopicPartition>,
    /// Topics that are new.
    pub created_topics: Vec<TopicId>,
    /// Topics that are gone.
    pub removed_topics: Vec<TopicId>,
    /// Topics with other settings.
    pub changed_configs: Vec<TopicId>,
    /// Brokers that are new, anew, gone, fenced, unfenced or about to stop.
    pub changed_brokers: Vec<BrokerId>,
}

impl MetadataDelta {
    /// Whether there is nothing to react to.
    pub fn is_empty(&self) -> bool {
        self.changed_partitions.is_empty()
            && self.created_topics.is_empty()
            && self.removed_topics.is_empty()
            && self.changed_configs.is_empty()
            && self.changed_brokers.is_empty()
    }

    /// Of what a snapshot says, keeps what differs from an old image, and adds what is gone.
    pub(super) fn compare(&mut self, old: &MetadataImage, new: &MetadataImage) {
        self.changed_partitions.retain(|partition| old.partition(*partition) != new.partition(*partition));
        self.created_topics.retain(|topic| old.topic(*topic).is_none() && new.topic(*topic).is_some());
        self.removed_topics.clear();
        let gone = old.topics().map(|(topic, _)| topic).filter(|topic| new.topic(*topic).is_none());
        self.removed_topics.extend(gone);
        for broker in old.brokers().keys().filter(|broker| new.broker(**broker).is_none()) {
            add(&mut self.changed_brokers, *broker);
        }
    }

    /// Adds what follows.
    pub(super) fn merge(&mut self, next: MetadataDelta) {
        next.changed_partitions.into_iter().for_each(|it| add(&mut self.changed_partitions, it));
        next.created_topics.into_iter().for_each(|it| add(&mut self.created_topics, it));
        next.removed_topics.into_iter().for_each(|it| add(&mut self.removed_topics, it));
        next.changed_configs.into_iter().for_each(|it| add(&mut self.changed_configs, it));
        next.changed_brokers.into_iter().for_each(|it| add(&mut self.changed_brokers, it));
    }

    pub(super) fn partition(&mut self, partition: TopicPartition) {
        // Records of one partition come in bursts, so the last is the likely one.
        if self.changed_partitions.last() != Some(&partition) {
            add(&mut self.changed_partitions, partition);
        }
    }

    pub(super) fn broker(&mut self, broker: BrokerId) {
        add(&mut self.changed_brokers, broker);
    }

    pub(super) fn config(&mut self, topic: TopicId) {
        add(&mut self.changed_configs, topic);
    }
}

fn add<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}
