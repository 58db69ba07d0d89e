//! What an administrator can ask of a running cluster.

use crate::base::config::Properties;
use crate::base::{BrokerId, Duration, Offset, TopicPartition};
use crate::protocol::ActiveProducer;
use crate::protocol::{
    AlterConfigs, AlterPartitionReassignmentsRequest, ApiKey, Configurable, CreatePartitionsRequest,
    DeleteRecordsPartition, DeleteRecordsRequest, DescribeProducersRequest, ElectLeadersRequest, ElectionType,
    IncrementalAlterConfigsRequest, NewPartitions, Reassignment, Request, TopicMetadata, TopicPartitions, TxnMarker,
    WriteTxnMarkersRequest,
};
use std::rc::Rc;

/// How long a broker waits until all replicas have deleted records (`request.timeout.ms`).
const DELETE_TIMEOUT: Duration = Duration::from_millis(30_000);

/// One command of `kafka-leader-election`, `kafka-topics`, `kafka-reassign-partitions`, `kafka-configs`, `kafka-delete-records`
/// or `kafka-transactions`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum AdminTask {
    /// Holds elections.
    ElectLeaders {
        /// Of which kind.
        election: ElectionType,
        /// Of which topic; of all, if none is named.
        topic: Option<Rc<str>>,
        /// Of which partition; of all of the topic, if none is named.
        partition: Option<u32>,
    },
    /// Gives a topic more partitions.
    CreatePartitions {
        /// Which topic.
        topic: Rc<str>,
        /// How many it is to have.
        count: u32,
    },
    /// Moves a partition to other brokers.
    Reassign {
        /// Of which topic.
        topic: Rc<str>,
        /// Which.
        partition: u32,
        /// Where to, the preferred leader first; none cancels a move.
        replicas: Option<Vec<BrokerId>>,
    },
    /// Changes settings of a topic; an empty value goes back to the default.
    AlterConfig {
        /// Of which topic; of all brokers, if none is named.
        topic: Option<Rc<str>>,
        /// The new settings.
        config: Properties,
    },
    /// Deletes the oldest records of a partition.
    DeleteRecords {
        /// Of which topic.
        topic: Rc<str>,
        /// Of which partition.
        partition: u32,
        /// The first that stays; none deletes all that is replicated.
        offset: Option<Offset>,
    },
    /// Ends a transaction that hangs in a partition, whatever its coordinator thinks (`kafka-transactions abort`, KIP-664).
    AbortTransaction {
        /// Of which topic.
        topic: Rc<str>,
        /// In which partition.
        partition: u32,
        /// Where it begins; none for the one that begins first.
        offset: Option<Offset>,
    },
    /// Changes settings of a group; an empty value goes back to the default.
    AlterGroupConfig {
        /// Of which group; it need not exist.
        group: Rc<str>,
        /// The new settings.
        config: Properties,
    },
}

impl AdminTask {
    /// Which API it uses.
    pub fn api(&self) -> ApiKey {
        match self {
            AdminTask::ElectLeaders { .. } => ApiKey::ElectLeaders,
            AdminTask::CreatePartitions { .. } => ApiKey::CreatePartitions,
            AdminTask::Reassign { .. } => ApiKey::AlterPartitionReassignments,
            AdminTask::AlterConfig { .. } | AdminTask::AlterGroupConfig { .. } => ApiKey::IncrementalAlterConfigs,
            AdminTask::DeleteRecords { .. } => ApiKey::DeleteRecords,
            AdminTask::AbortTransaction { .. } => ApiKey::WriteTxnMarkers,
        }
    }

    /// The topic it is about, if it is about one.
    pub fn topic(&self) -> Option<&Rc<str>> {
        match self {
            AdminTask::AlterGroupConfig { .. } => None,
            AdminTask::ElectLeaders { topic, .. } | AdminTask::AlterConfig { topic, .. } => topic.as_ref(),
            AdminTask::CreatePartitions { topic, .. }
            | AdminTask::Reassign { topic, .. }
            | AdminTask::DeleteRecords { topic, .. }
            | AdminTask::AbortTransaction { topic, .. } => Some(topic),
        }
    }

    /// The verb for it in scenarios.
    pub const fn verb(&self) -> &'static str {
        match self {
            AdminTask::ElectLeaders { .. } => "elect_leaders",
            AdminTask::CreatePartitions { .. } => "create_partitions",
            AdminTask::Reassign { .. } => "reassign",
            AdminTask::AlterConfig { .. } | AdminTask::AlterGroupConfig { .. } => "alter_config",
            AdminTask::DeleteRecords { .. } => "delete_records",
            AdminTask::AbortTransaction { .. } => "abort_transaction",
        }
    }

    /// The topic whose metadata have to be asked for first: how many partitions it has, who leads one.
    pub(super) fn asks_for(&self) -> Option<&Rc<str>> {
        match self {
            AdminTask::ElectLeaders { topic: Some(topic), partition: None, .. }
            | AdminTask::DeleteRecords { topic, .. }
            | AdminTask::AbortTransaction { topic, .. } => Some(topic),
            _ => None,
        }
    }

    /// The leader that has to be asked, −1 if there is none at present; none if it is the controller.
    pub(super) fn leader(&self, known: Option<&TopicMetadata>) -> Option<BrokerId> {
        match self {
            AdminTask::DeleteRecords { partition, .. } | AdminTask::AbortTransaction { partition, .. } => {
                let found = known.and_then(|known| known.partitions.get(*partition as usize));
                Some(found.map_or(BrokerId::NONE, |partition| partition.leader))
            }
            _ => None,
        }
    }

    /// Of the producers of the partition that it is about, the one whose transaction is to be ended.
    pub(super) fn chosen(&self, producers: &[ActiveProducer]) -> Option<ActiveProducer> {
        let AdminTask::AbortTransaction { offset, .. } = self else { return None };
        let open = producers.iter().filter(|it| it.current_txn_start_offset >= 0);
        let asked = open.filter(|it| offset.is_none_or(|offset| it.current_txn_start_offset == offset));
        asked.min_by_key(|it| it.current_txn_start_offset).copied()
    }

    /// The request, with what is known of the topic that it [asks for](Self::asks_for), and the producer that was
    /// [chosen](Self::chosen).
    pub(super) fn request(&self, known: Option<&TopicMetadata>, producer: Option<&ActiveProducer>) -> Request {
        match self {
            AdminTask::ElectLeaders { election, topic, partition } => {
                let partitions = topic.as_ref().map(|topic| {
                    let all = || (0..known.map_or(0, |known| known.partitions.len() as u32)).collect();
                    vec![TopicPartitions {
                        topic: topic.clone(),
                        partitions: partition.map_or_else(all, |it| vec![it]),
                    }]
                });
                Request::ElectLeaders(ElectLeadersRequest { election: *election, partitions })
            }
            AdminTask::CreatePartitions { topic, count } => {
                let count = i32::try_from(*count).unwrap_or(i32::MAX);
                let topics = vec![NewPartitions { name: topic.clone(), count, assignments: None }];
                Request::CreatePartitions(CreatePartitionsRequest { topics })
            }
            AdminTask::Reassign { topic, partition, replicas } => {
                let (topic, partition, replicas) = (topic.clone(), *partition, replicas.clone());
                let partitions = vec![Reassignment { topic, partition, replicas }];
                let allow_replication_factor_change = true;
                let request = AlterPartitionReassignmentsRequest { allow_replication_factor_change, partitions };
                Request::AlterPartitionReassignments(request)
            }
            AdminTask::AlterConfig { topic, config } => {
                alter(topic.clone().map_or(Configurable::Broker(None), Configurable::Topic), config)
            }
            AdminTask::AlterGroupConfig { group, config } => alter(Configurable::Group(group.clone()), config),
            AdminTask::DeleteRecords { partition, offset, .. } => {
                let topic = known.map_or(crate::base::TopicId(0), |known| known.topic);
                let partition = TopicPartition::new(topic, *partition);
                let offset = offset.unwrap_or(DeleteRecordsPartition::HIGH_WATERMARK);
                let partitions = vec![DeleteRecordsPartition { partition, offset }];
                Request::DeleteRecords(DeleteRecordsRequest { partitions, timeout: DELETE_TIMEOUT })
            }
            AdminTask::AbortTransaction { partition, .. } => {
                let topic = known.map_or(crate::base::TopicId(0), |known| known.topic);
                let partitions = vec![TopicPartition::new(topic, *partition)];
                let Some(producer) = producer else {
                    return Request::DescribeProducers(DescribeProducersRequest { partitions });
                };
                let marker = TxnMarker {
                    producer_id: producer.producer_id,
                    producer_epoch: producer.producer_epoch,
                    committed: false,
                    coordinator_epoch: producer.coordinator_epoch.max(0),
                    transaction_version: 0,
                    partitions,
                };
                Request::WriteTxnMarkers(WriteTxnMarkersRequest { markers: vec![marker] })
            }
        }
    }
}

fn alter(resource: Configurable, config: &Properties) -> Request {
    let change = |(key, value): (&String, &String)| {
        (Rc::from(&**key), Some(&**value).filter(|value| !value.is_empty()).map(Rc::from))
    };
    let resources = vec![AlterConfigs { resource, changes: config.iter().map(change).collect() }];
    Request::IncrementalAlterConfigs(IncrementalAlterConfigsRequest { resources })
}
