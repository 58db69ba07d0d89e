//! The cluster at some offset of the metadata log.

use super::records::{BrokerRegistrationChangeRecord, ConfigRecord, ConfigResource, MetadataRecord};
use super::{CLUSTER_METADATA, CLUSTER_METADATA_TOPIC, MetadataDelta};
use super::{PartitionChangeRecord, PartitionRegistration, RegisterBrokerRecord};
use crate::base::config::{BrokerConfig, GroupConfig, Properties};
use crate::base::{BrokerId, Offset, ProducerId, SortedMap, TopicId, TopicPartition};
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// A broker as the controller knows it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct BrokerRegistration {
    /// Which start of the process.
    pub incarnation: u64,
    /// The offset of its registration record.
    pub epoch: i64,
    /// It may not lead or be in sync.
    pub fenced: bool,
    /// It is about to stop.
    pub in_controlled_shutdown: bool,
    /// `broker.rack`.
    pub rack: Option<Rc<str>>,
}

impl BrokerRegistration {
    /// It may lead and be in sync: neither fenced nor about to stop.
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }
}

/// A topic.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TopicImage {
    /// Its name.
    pub name: Rc<str>,
    /// Its settings that differ from the default.
    pub config: Properties,
    /// By index.
    pub partitions: Vec<Rc<PartitionRegistration>>,
}

/// The cluster after the record at [`offset`](Self::offset). Clones share topics and partitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetadataImage {
    offset: Offset,
    brokers: SortedMap<BrokerId, BrokerRegistration>,
    topics: SortedMap<TopicId, Rc<TopicImage>>,
    names: Rc<SortedMap<Rc<str>, TopicId>>,
    /// Settings of brokers, by resource name; "" stands for all.
    pub(super) broker_configs: SortedMap<Rc<str>, Properties>,
    /// Settings of groups, as far as any were made.
    pub(super) group_configs: SortedMap<Rc<str>, Properties>,
    pub(super) features: Rc<SortedMap<Rc<str>, i16>>,
    next_topic: u32,
    next_producer_id: ProducerId,
}

/// Groups without settings add nothing.
impl Hash for MetadataImage {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.offset, &self.brokers, &self.topics, &self.names, &self.broker_configs, &self.features).hash(state);
        (self.next_topic, self.next_producer_id).hash(state);
        if !self.group_configs.is_empty() {
            self.group_configs.hash(state);
        }
    }
}

impl Default for MetadataImage {
    fn default() -> Self {
        MetadataImage {
            offset: -1,
            brokers: SortedMap::new(),
            topics: SortedMap::new(),
            names: Rc::default(),
            broker_configs: SortedMap::new(),
            group_configs: SortedMap::new(),
            features: Rc::default(),
            next_topic: CLUSTER_METADATA.topic.0 + 1,
            next_producer_id: 0,
        }
    }
}

impl MetadataImage {
    /// The offset of the last record applied, −1 before the first.
    pub fn offset(&self) -> Offset {
        self.offset
    }

    /// All registered brokers.
    pub fn brokers(&self) -> &SortedMap<BrokerId, BrokerRegistration> {
        &self.brokers
    }

    /// A registered broker.
    pub fn broker(&self, broker: BrokerId) -> Option<&BrokerRegistration> {
        self.brokers.get(&broker)
    }

    /// Whether the broker is registered, unfenced and not about to stop.
    pub fn is_active(&self, broker: BrokerId) -> bool {
        self.broker(broker).is_some_and(BrokerRegistration::is_active)
    }

    /// Whether the broker is registered and unfenced: clients may be sent to it.
    pub fn is_unfenced(&self, broker: BrokerId) -> bool {
        self.broker(broker).is_some_and(|registration| !registration.fenced)
    }

    /// All topics but the metadata log.
    pub fn topics(&self) -> impl Iterator<Item = (TopicId, &Rc<TopicImage>)> {
        self.topics.iter().map(|(id, topic)| (*id, topic))
    }

    /// A topic.
    pub fn topic(&self, topic: TopicId) -> Option<&Rc<TopicImage>> {
        self.topics.get(&topic)
    }

    /// The topic of that name.
    pub fn topic_id(&self, name: &str) -> Option<TopicId> {
        self.names.get(name).copied()
    }

    /// The name of that topic; also of the metadata log.
    pub fn topic_name(&self, topic: TopicId) -> Option<&str> {
        if topic == CLUSTER_METADATA.topic {
            return Some(CLUSTER_METADATA_TOPIC);
        }
        self.topic(topic).map(|topic| &*topic.name)
    }

    /// How many partitions a topic has, 0 if there is no such topic.
    pub fn partition_count(&self, topic: TopicId) -> u32 {
        self.topic(topic).map_or(0, |topic| topic.partitions.len() as u32)
    }

    /// A partition.
    pub fn partition(&self, partition: TopicPartition) -> Option<&Rc<PartitionRegistration>> {
        self.topic(partition.topic)?.partitions.get(partition.partition as usize)
    }

    /// All partitions of all topics.
    pub fn partitions(&self) -> impl Iterator<Item = (TopicPartition, &Rc<PartitionRegistration>)> {
        self.topics.iter().flat_map(|(id, topic)| {
            (0..).zip(&topic.partitions).map(|(index, partition)| (TopicPartition::new(*id, index), partition))
        })
    }

    /// The level of a feature, 0 if it is off.
    pub fn feature_level(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or(0)
    }

    /// Settings given to all brokers (`None`) or to one, at run time.
    pub fn broker_config(&self, broker: Option<BrokerId>) -> Option<&Properties> {
        self.broker_configs.get(&*broker.map_or(String::new(), |broker| broker.to_string()))
    }

    /// What is in effect for a group, on a broker with these settings.
    pub fn group_config(&self, group: &str, broker: &BrokerConfig) -> GroupConfig {
        GroupConfig::effective(self.group_configs.get(group), broker)
    }

    /// What a group has set itself.
    pub fn group_settings(&self, group: &str) -> Option<&Properties> {
        self.group_configs.get(group)
    }

    /// First of the next block of producer ids.
    pub fn next_producer_id(&self) -> ProducerId {
        self.next_producer_id
    }

    /// The id the next topic gets.
    pub fn next_topic_id(&self) -> TopicId {
        TopicId(self.next_topic)
    }

    /// Follows the record at `offset`, and notes in `delta` what it changed. A record about something unknown is
    /// ignored: only a damaged log holds one.
    pub fn apply(&mut self, offset: Offset, record: &MetadataRecord, delta: &mut MetadataDelta) {
        self.offset = offset;
        match record {
            MetadataRecord::RegisterBroker(record) => self.register(record, delta),
            MetadataRecord::UnregisterBroker { broker, .. } => {
                self.brokers.remove(broker);
                delta.broker(*broker);
            }
            MetadataRecord::Topic { name, topic } => self.create_topic(name, *topic, delta),
            MetadataRecord::Partition(record) => {
                self.put_partition(record.partition, PartitionRegistration::from_record(record), delta);
            }
            MetadataRecord::Config(record) => self.set_config(record, delta),
            MetadataRecord::PartitionChange(change) => self.apply_change(change, delta),
            MetadataRecord::RemoveTopic { topic } => self.remove_topic(*topic, delta),
            MetadataRecord::FeatureLevel { name, level } => {
                Rc::make_mut(&mut self.features).insert(name.clone(), *level);
            }
            MetadataRecord::ProducerIds { next_producer_id, .. } => self.next_producer_id = *next_producer_id,
            MetadataRecord::BrokerRegistrationChange(change) => self.change_registration(change, delta),
            MetadataRecord::ClearElr { topic } => self.clear_elr(topic.as_deref(), delta),
            MetadataRecord::NoOp => {}
        }
    }

    /// Passes records from which nothing follows, up to `offset`: those of control batches.
    pub fn advance(&mut self, offset: Offset) {
        self.offset = offset;
    }

    fn register(&mut self, record: &RegisterBrokerRecord, delta: &mut MetadataDelta) {
        let registration = BrokerRegistration {
            incarnation: record.incarnation,
            epoch: record.broker_epoch,
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            rack: record.rack.clone(),
        };
        self.brokers.insert(record.broker, registration);
        delta.broker(record.broker);
    }

    fn change_registration(&mut self, change: &BrokerRegistrationChangeRecord, delta: &mut MetadataDelta) {
        let Some(broker) = self.brokers.get_mut(&change.broker) else { return };
        if broker.epoch != change.broker_epoch {
            return;
        }
        broker.fenced = change.fenced.unwrap_or(broker.fenced);
        broker.in_controlled_shutdown |= change.in_controlled_shutdown;
        delta.broker(change.broker);
    }

    fn create_topic(&mut self, name: &Rc<str>, topic: TopicId, delta: &mut MetadataDelta) {
        let image = TopicImage { name: name.clone(), config: Properties::new(), partitions: Vec::new() };
        self.topics.insert(topic, Rc::new(image));
        Rc::make_mut(&mut self.names).insert(name.clone(), topic);
        self.next_topic = self.next_topic.max(topic.0.saturating_add(1));
        delta.created_topics.push(topic);
    }

    fn remove_topic(&mut self, topic: TopicId, delta: &mut MetadataDelta) {
        if let Some(image) = self.topics.remove(&topic) {
            Rc::make_mut(&mut self.names).remove(&image.name);
            delta.changed_partitions.retain(|partition| partition.topic != topic);
            delta.removed_topics.push(topic);
        }
    }

    fn put_partition(&mut self, at: TopicPartition, new: PartitionRegistration, delta: &mut MetadataDelta) {
        let Some(topic) = self.topics.get_mut(&at.topic) else { return };
        let partitions = &mut Rc::make_mut(topic).partitions;
        let index = at.partition as usize;
        match index.cmp(&partitions.len()) {
            Ordering::Less => partitions[index] = Rc::new(new),
            Ordering::Equal => partitions.push(Rc::new(new)),
            Ordering::Greater => return,
        }
        delta.partition(at);
    }

    /// Partitions that remember nobody are left alone.
    fn clear_elr(&mut self, topic: Option<&str>, delta: &mut MetadataDelta) {
        let named = topic.and_then(|name| self.topic_id(name));
        let remembers =
            |partition: &PartitionRegistration| !partition.elr.is_empty() || !partition.last_known_elr.is_empty();
        let partitions = self.partitions().filter(|(at, _)| topic.is_none() || Some(at.topic) == named);
        let cleared: Vec<_> = partitions.filter(|(_, partition)| remembers(partition)).map(|(at, _)| at).collect();
        for at in cleared {
            let mut change = PartitionChangeRecord::none(at);
            (change.elr, change.last_known_elr) = (Some(Vec::new()), Some(Vec::new()));
            self.apply_change(&change, delta);
        }
    }

    fn apply_change(&mut self, change: &PartitionChangeRecord, delta: &mut MetadataDelta) {
        if let Some(old) = self.partition(change.partition) {
            let mut new = PartitionRegistration::clone(old);
            new.merge(change);
            self.put_partition(change.partition, new, delta);
        }
    }

    fn set_config(&mut self, record: &ConfigRecord, delta: &mut MetadataDelta) {
        let properties = match record.resource {
            ConfigResource::Broker => {
                // Topics inherit from brokers.
                self.topics.keys().for_each(|topic| delta.config(*topic));
                self.broker_configs.entry(record.resource_name.clone()).or_default()
            }
            ConfigResource::Topic => {
                let Some(id) = self.names.get(&record.resource_name) else { return };
                delta.config(*id);
                let topic = self.topics.get_mut(id).expect("invariant: a name leads to a topic");
                &mut Rc::make_mut(topic).config
            }
            ConfigResource::Group => self.group_configs.entry(record.resource_name.clone()).or_default(),
        };
        match &record.value {
            Some(value) => properties.insert(record.name.to_string(), value.to_string()),
            None => properties.remove(&*record.name),
        };
        if record.resource == ConfigResource::Group && properties.is_empty() {
            self.group_configs.remove(&record.resource_name);
        }
    }
}
