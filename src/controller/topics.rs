//! Topics are born, and grow: names, settings and numbers are checked, replicas placed, records written.
//!
//! In Kafka: `ReplicationControlManager.createTopics` and `createPartitions`, `org.apache.kafka.common.internals.Topic`.

use super::Controller;
use super::placer::ReplicaPlacer;
use crate::base::config::TopicConfig;
use crate::base::{BrokerId, TopicId, TopicPartition};
use crate::metadata::{ConfigRecord, ConfigResource, MetadataRecord, PartitionRegistration};
use crate::protocol::{CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse};
use crate::protocol::{ErrorCode, NewPartitions, NewTopic, NewTopicResult};
use std::rc::Rc;

const MAX_NAME_LENGTH: usize = 249;

impl Controller {
    /// Creates what can be created; each topic has its own answer.
    pub(super) fn create_topics(&self, request: &CreateTopicsRequest) -> (Vec<MetadataRecord>, CreateTopicsResponse) {
        let mut records = Vec::new();
        let mut next_id = self.image().next_topic_id();
        let topics = request
            .topics
            .iter()
            .map(|topic| {
                let error = match self.create_topic(request, topic, next_id, &mut records) {
                    Ok(()) => {
                        next_id = TopicId(next_id.0 + 1);
                        ErrorCode::None
                    }
                    Err(error) => error,
                };
                NewTopicResult { name: topic.name.clone(), error }
            })
            .collect();
        (records, CreateTopicsResponse { topics })
    }

    fn create_topic(
        &self,
        request: &CreateTopicsRequest,
        topic: &NewTopic,
        id: TopicId,
        records: &mut Vec<MetadataRecord>,
    ) -> Result<(), ErrorCode> {
        if request.topics.iter().filter(|other| other.name == topic.name).count() > 1 {
            return Err(ErrorCode::InvalidRequest);
        }
        if self.image().topic_id(&topic.name).is_some() {
            return Err(ErrorCode::TopicAlreadyExists);
        }
        if !is_valid_name(&topic.name) || self.collides(&topic.name) {
            return Err(ErrorCode::InvalidTopicException);
        }
        if TopicConfig::parse_with(&topic.config, self.config()).is_err() {
            return Err(ErrorCode::InvalidConfig);
        }
        let partitions = self.place(topic)?;
        records.push(MetadataRecord::Topic { name: topic.name.clone(), topic: id });
        records.extend(topic.config.iter().map(|(name, value)| {
            MetadataRecord::Config(ConfigRecord {
                resource: ConfigResource::Topic,
                resource_name: topic.name.clone(),
                name: Rc::from(name.as_str()),
                value: Some(Rc::from(value.as_str())),
            })
        }));
        records.extend(
            (0..).zip(partitions).map(|(index, partition)| {
                MetadataRecord::Partition(partition.to_record(TopicPartition::new(id, index)))
            }),
        );
        Ok(())
    }

    /// `a.b` and `a_b` would have the same metric names.
    fn collides(&self, name: &str) -> bool {
        let unify = |name: &str| name.replace('.', "_");
        name.contains(['.', '_']) && {
            let unified = unify(name);
            self.image().topics().any(|(_, topic)| topic.name.contains(['.', '_']) && unify(&topic.name) == unified)
        }
    }

    fn place(&self, topic: &NewTopic) -> Result<Vec<PartitionRegistration>, ErrorCode> {
        if !topic.assignments.is_empty() {
            return self.place_by_hand(topic);
        }
        let replication_factor = match topic.replication_factor {
            -1 => self.config().default_replication_factor as usize,
            factor => {
                usize::try_from(factor).ok().filter(|factor| *factor > 0).ok_or(ErrorCode::InvalidReplicationFactor)?
            }
        };
        let partitions = match topic.partitions {
            -1 => self.config().num_partitions,
            number => u32::try_from(number).ok().filter(|number| *number > 0).ok_or(ErrorCode::InvalidPartitions)?,
        };
        self.place_all(0, partitions, replication_factor)
    }

    fn place_by_hand(&self, topic: &NewTopic) -> Result<Vec<PartitionRegistration>, ErrorCode> {
        if topic.replication_factor != -1 || topic.partitions != -1 {
            return Err(ErrorCode::InvalidRequest);
        }
        let factor = topic.assignments[0].len();
        topic.assignments.iter().map(|replicas| self.place_one_by_hand(replicas, factor)).collect()
    }

    fn place_one_by_hand(&self, replicas: &[BrokerId], factor: usize) -> Result<PartitionRegistration, ErrorCode> {
        self.validate_assignment(replicas, Some(factor))?;
        self.new_partition(replicas.to_vec()).ok_or(ErrorCode::InvalidReplicaAssignment)
    }

    /// Gives topics more partitions; each topic has its own answer.
    pub(super) fn create_partitions(
        &self,
        request: &CreatePartitionsRequest,
    ) -> (Vec<MetadataRecord>, CreatePartitionsResponse) {
        let mut records = Vec::new();
        let mut topics = Vec::with_capacity(request.topics.len());
        for topic in &request.topics {
            let twice = request.topics.iter().filter(|other| other.name == topic.name).count() > 1;
            let grown = if twice { Err(ErrorCode::InvalidRequest) } else { self.grow(topic) };
            let error = match grown {
                Ok(partitions) => {
                    records.extend(partitions);
                    ErrorCode::None
                }
                Err(error) => error,
            };
            topics.push(NewTopicResult { name: topic.name.clone(), error });
        }
        (records, CreatePartitionsResponse { topics })
    }

    fn grow(&self, topic: &NewPartitions) -> Result<Vec<MetadataRecord>, ErrorCode> {
        let id = self.image().topic_id(&topic.name).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let before = self.image().partition_count(id);
        let additional = u32::try_from(topic.count).ok().and_then(|count| count.checked_sub(before));
        let additional = additional.filter(|more| *more > 0).ok_or(ErrorCode::InvalidPartitions)?;
        let first = self.image().partition(TopicPartition::new(id, 0)).ok_or(ErrorCode::UnknownServerError)?;
        let factor = first.replicas.len();
        let partitions: Vec<PartitionRegistration> = match &topic.assignments {
            Some(assignments) if assignments.len() != additional as usize => {
                return Err(ErrorCode::InvalidReplicaAssignment);
            }
            Some(assignments) => {
                assignments.iter().map(|replicas| self.place_one_by_hand(replicas, factor)).collect::<Result<_, _>>()?
            }
            None => self.place_all(before, additional, factor)?,
        };
        let record = |(index, partition): (u32, PartitionRegistration)| {
            MetadataRecord::Partition(partition.to_record(TopicPartition::new(id, index)))
        };
        Ok((before..).zip(partitions).map(record).collect())
    }

    /// Places partitions `first`, `first` + 1, … where they would be had they come with the others.
    fn place_all(&self, first: u32, count: u32, factor: usize) -> Result<Vec<PartitionRegistration>, ErrorCode> {
        let mut placer = ReplicaPlacer::new(self.image());
        (0..first).for_each(|_| drop(placer.place(factor)));
        let one = |_| self.new_partition(placer.place(factor)?);
        (0..count).map(one).collect::<Option<_>>().ok_or(ErrorCode::InvalidReplicationFactor)
    }

    /// Active replicas are in sync with an empty log; None if there is none.
    fn new_partition(&self, replicas: Vec<BrokerId>) -> Option<PartitionRegistration> {
        let isr: Vec<_> = replicas.iter().copied().filter(|replica| self.image().is_active(*replica)).collect();
        (!isr.is_empty()).then(|| PartitionRegistration::new(replicas, isr))
    }
}

fn is_valid_name(name: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !matches!(name, "" | "." | "..") && name.len() <= MAX_NAME_LENGTH && name.bytes().all(is_legal)
}
