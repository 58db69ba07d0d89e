//! Snapshots: an image as the records that make it, in the batches of a `.checkpoint` file, and back.
//!
//! In Kafka: `MetadataImage.write`, `RecordsSnapshotWriter` (KIP-630). On purpose different: topic ids count here, so a
//! snapshot also says which one is next: it creates and removes a nameless topic.

use super::image::BrokerRegistration;
use super::{ConfigRecord, ConfigResource, MetadataDelta, MetadataError, MetadataImage, MetadataRecord};
use super::{RegisterBrokerRecord, batch_of, records_of};
use crate::base::config::Properties;
use crate::base::{BrokerId, LeaderEpoch, Offset, TopicId, TopicPartition};
use crate::record::{ControlRecord, ControlType, RecordBatch};
use bytes::Bytes;
use std::rc::Rc;

/// `ImageWriter`s write as many records into one batch.
const RECORDS_A_BATCH: usize = 1_024;

impl MetadataImage {
    /// The records from which this image follows: features first, then brokers, topics, settings, producer ids.
    pub fn records(&self) -> Vec<MetadataRecord> {
        let mut out = Vec::new();
        out.extend(
            self.features
                .iter()
                .map(|(name, level)| MetadataRecord::FeatureLevel { name: name.clone(), level: *level }),
        );
        out.extend(self.brokers().iter().map(|(id, broker)| registration(*id, broker)));
        let mut next = TopicId(1);
        for (id, topic) in self.topics() {
            out.push(MetadataRecord::Topic { name: topic.name.clone(), topic: id });
            out.extend(settings(ConfigResource::Topic, &topic.name, &topic.config));
            let partitions = (0..).zip(&topic.partitions);
            out.extend(partitions.map(|(index, partition)| {
                MetadataRecord::Partition(partition.to_record(TopicPartition::new(id, index)))
            }));
            next = TopicId(id.0 + 1);
        }
        if next < self.next_topic_id() {
            let topic = TopicId(self.next_topic_id().0 - 1);
            out.push(MetadataRecord::Topic { name: Rc::from(""), topic });
            out.push(MetadataRecord::RemoveTopic { topic });
        }
        for (name, properties) in self.broker_configs.iter() {
            out.extend(settings(ConfigResource::Broker, name, properties));
        }
        for (group, properties) in self.group_configs.iter() {
            out.extend(settings(ConfigResource::Group, group, properties));
        }
        if self.next_producer_id() > 0 {
            let (broker, broker_epoch) = (BrokerId::NONE, -1);
            out.push(MetadataRecord::ProducerIds { broker, broker_epoch, next_producer_id: self.next_producer_id() });
        }
        out
    }

    /// The bytes of a snapshot of this image: header, records, footer.
    pub fn to_snapshot(&self, epoch: LeaderEpoch, timestamp: i64) -> Bytes {
        let mut out = Vec::new();
        let mut offset = 0;
        let mut write = |batch: RecordBatch| {
            let batch = batch.with_offset_and_epoch(offset, epoch);
            offset = batch.next_offset();
            out.extend_from_slice(batch.bytes());
        };
        let mut header = vec![0, 0];
        header.extend_from_slice(&timestamp.to_be_bytes());
        header.push(0);
        write(control(ControlType::SnapshotHeader, header, epoch, timestamp));
        for records in self.records().chunks(RECORDS_A_BATCH) {
            write(batch_of(records, epoch, timestamp));
        }
        write(control(ControlType::SnapshotFooter, vec![0, 0, 0], epoch, timestamp));
        Bytes::from(out)
    }

    /// Becomes what a snapshot of everything before `end_offset` says; `delta` gets what differs.
    pub fn load_snapshot(
        &mut self,
        end_offset: Offset,
        bytes: Bytes,
        delta: &mut MetadataDelta,
    ) -> Result<(), MetadataError> {
        let (mut loaded, mut fresh) = (MetadataImage::default(), MetadataDelta::default());
        for record in snapshot_records(end_offset, bytes)? {
            loaded.apply(end_offset - 1, &record, &mut fresh);
        }
        loaded.advance(end_offset - 1);
        fresh.compare(self, &loaded);
        delta.merge(fresh);
        *self = loaded;
        Ok(())
    }
}

/// The records of a snapshot that ends at `end_offset`.
pub fn snapshot_records(end_offset: Offset, bytes: Bytes) -> Result<Vec<MetadataRecord>, MetadataError> {
    let batches = RecordBatch::parse_all(bytes).map_err(|_| MetadataError::Batch(end_offset))?;
    let mut out = Vec::new();
    for batch in &batches {
        out.extend(records_of(batch)?.into_iter().map(|(_, record)| record));
    }
    Ok(out)
}

fn control(kind: ControlType, value: Vec<u8>, epoch: LeaderEpoch, timestamp: i64) -> RecordBatch {
    ControlRecord::Other { kind, value: Bytes::from(value) }.quorum_batch(0, epoch, timestamp)
}

fn registration(id: BrokerId, broker: &BrokerRegistration) -> MetadataRecord {
    MetadataRecord::RegisterBroker(RegisterBrokerRecord {
        broker: id,
        incarnation: broker.incarnation,
        broker_epoch: broker.epoch,
        rack: broker.rack.clone(),
        fenced: broker.fenced,
        in_controlled_shutdown: broker.in_controlled_shutdown,
    })
}

fn settings<'a>(
    resource: ConfigResource,
    name: &'a Rc<str>,
    properties: &'a Properties,
) -> impl Iterator<Item = MetadataRecord> + 'a {
    properties.iter().map(move |(key, value)| {
        MetadataRecord::Config(ConfigRecord {
            resource,
            resource_name: name.clone(),
            name: Rc::from(key.as_str()),
            value: Some(Rc::from(value.as_str())),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{BrokerRegistrationChangeRecord, PartitionRegistration};

    fn image() -> MetadataImage {
        let (mut image, mut delta) = (MetadataImage::default(), MetadataDelta::default());
        let broker = |fenced| RegisterBrokerRecord {
            broker: BrokerId(1),
            incarnation: 7,
            broker_epoch: 5,
            rack: Some("a".into()),
            fenced,
            in_controlled_shutdown: false,
        };
        let change = BrokerRegistrationChangeRecord {
            broker: BrokerId(1),
            broker_epoch: 5,
            fenced: Some(false),
            in_controlled_shutdown: true,
        };
        let partition = PartitionRegistration::new(vec![BrokerId(1), BrokerId(2)], vec![BrokerId(1)]);
        let config = |resource, name: &str| {
            let (resource_name, name, value) = (name.into(), "segment.bytes".into(), Some("9".into()));
            MetadataRecord::Config(ConfigRecord { resource, resource_name, name, value })
        };
        let records = [
            MetadataRecord::FeatureLevel { name: "metadata.version".into(), level: 30 },
            MetadataRecord::RegisterBroker(broker(true)),
            MetadataRecord::BrokerRegistrationChange(change),
            MetadataRecord::Topic { name: "orders".into(), topic: TopicId(1) },
            config(ConfigResource::Topic, "orders"),
            MetadataRecord::Partition(partition.to_record(TopicPartition::new(TopicId(1), 0))),
            MetadataRecord::Partition(partition.to_record(TopicPartition::new(TopicId(1), 1))),
            MetadataRecord::Topic { name: "gone".into(), topic: TopicId(2) },
            MetadataRecord::RemoveTopic { topic: TopicId(2) },
            config(ConfigResource::Broker, ""),
            config(ConfigResource::Group, "mail"),
            MetadataRecord::ProducerIds { broker: BrokerId(1), broker_epoch: 5, next_producer_id: 3_000 },
        ];
        for (offset, record) in (0..).zip(&records) {
            image.apply(offset, record, &mut delta);
        }
        image
    }

    #[test]
    fn an_image_is_what_its_snapshot_says() {
        let image = image();
        let bytes = image.to_snapshot(3, 1_000);
        let batches = RecordBatch::parse_all(bytes.clone()).expect("batches");
        let kind = |batch: &RecordBatch| {
            let control = batch.is_control().then(|| ControlRecord::of_batch(batch).expect("readable"));
            control.flatten().map(|control| control.kind())
        };
        let kinds: Vec<_> = batches.iter().map(kind).collect();
        assert_eq!(kinds, [Some(ControlType::SnapshotHeader), None, Some(ControlType::SnapshotFooter)]);
        assert!(batches.windows(2).all(|pair| pair[1].base_offset() == pair[0].next_offset()));
        let (mut loaded, mut delta) = (MetadataImage::default(), MetadataDelta::default());
        loaded.load_snapshot(image.offset() + 1, bytes, &mut delta).expect("a good snapshot");
        assert_eq!(loaded, image);
        assert_eq!(loaded.next_topic_id(), TopicId(3), "no id is given twice");
        assert_eq!((delta.changed_partitions.len(), delta.created_topics.len()), (2, 1));
        assert!(delta.removed_topics.is_empty());
    }

    #[test]
    fn a_snapshot_changes_only_what_differs() {
        let (new, mut old) = (image(), image());
        let mut delta = MetadataDelta::default();
        let other = MetadataRecord::Topic { name: "other".into(), topic: TopicId(3) };
        old.apply(11, &other, &mut delta);
        let mut delta = MetadataDelta::default();
        old.load_snapshot(20, new.to_snapshot(3, 1_000), &mut delta).expect("a good snapshot");
        assert_eq!((delta.changed_partitions, delta.removed_topics), (vec![], vec![TopicId(3)]));
    }
}
