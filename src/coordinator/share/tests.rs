//! The share coordinator's shard, by the names of Kafka's `ShareCoordinatorShardTest`.

use super::batches::combine;
use super::*;
use crate::base::{BrokerId, Offset, TopicId};
use crate::coordinator::CoordinatorRecord;
use crate::metadata::{MetadataDelta, MetadataImage, MetadataRecord, PartitionRegistration};
use crate::protocol::{ErrorCode, InitializeStatePartition, StateBatch, WriteStatePartition};

const PARTITION: TopicPartition = TopicPartition::new(TopicId(1), 0);

fn image() -> MetadataImage {
    let (mut image, mut delta) = (MetadataImage::default(), MetadataDelta::default());
    let registration = PartitionRegistration::new(vec![BrokerId(0)], vec![BrokerId(0)]);
    let records = [
        MetadataRecord::Topic { name: Rc::from("orders"), topic: TopicId(1) },
        MetadataRecord::Partition(registration.to_record(PARTITION)),
    ];
    (0..).zip(&records).for_each(|(offset, record)| image.apply(offset, record, &mut delta));
    image
}

fn batch(first_offset: Offset, last_offset: Offset, delivery_state: i8, delivery_count: i16) -> StateBatch {
    StateBatch { first_offset, last_offset, delivery_state, delivery_count }
}

/// A shard that replays what its handlers give, as its log would.
struct Lab {
    shard: ShareCoordinatorShard,
    log: Vec<CoordinatorRecord>,
    key: SharePartitionKey,
}

impl Lab {
    fn new(updates_per_snapshot: u32) -> Lab {
        let shard = ShareCoordinatorShard::new(updates_per_snapshot);
        Lab { shard, log: Vec::new(), key: (Rc::from("mail"), PARTITION) }
    }

    fn append(&mut self, record: Option<CoordinatorRecord>) {
        if let Some(record) = record {
            self.shard.replay(&record).expect("its own");
            self.log.push(record);
        }
    }

    fn initialize(&mut self, state_epoch: i32) -> ErrorCode {
        let request = InitializeStatePartition { partition: PARTITION, state_epoch, start_offset: -1 };
        let (record, error) = self.shard.initialize(&self.key, &request, &image(), 5);
        self.append(record);
        error
    }

    fn write(&mut self, epochs: (i32, i32), start_offset: Offset, state_batches: &[StateBatch]) -> ErrorCode {
        let request = WriteStatePartition {
            partition: PARTITION,
            state_epoch: epochs.0,
            leader_epoch: epochs.1,
            start_offset,
            delivery_complete_count: 0,
            state_batches: state_batches.to_vec(),
        };
        let (record, error) = self.shard.write(&self.key, &request, &image(), 6);
        self.append(record);
        error
    }

    fn read(&mut self, leader_epoch: i32) -> (ErrorCode, Offset, Vec<StateBatch>) {
        let (record, response) = self.shard.read(&self.key, leader_epoch, &image(), 7);
        self.append(record);
        (response.error, response.start_offset, response.state_batches)
    }

    fn snapshots(&self) -> usize {
        self.log.iter().filter(|record| record.key[1] == 0).count()
    }
}

#[test]
fn a_share_partition_is_initialised_written_and_read() {
    let mut lab = Lab::new(500);
    assert_eq!(lab.read(0).0, ErrorCode::InvalidRequest, "not initialised");
    assert_eq!(lab.write((1, 0), 0, &[]), ErrorCode::InvalidRequest);
    assert_eq!(lab.initialize(1), ErrorCode::None);
    assert_eq!(lab.read(0), (ErrorCode::None, -1, vec![]));
    assert_eq!(lab.log.len(), 1, "the leader epoch is 0 already");
    assert_eq!(lab.write((1, 0), 3, &[batch(3, 9, 2, 1), batch(10, 14, 0, 1)]), ErrorCode::None);
    assert_eq!(lab.write((1, 0), 5, &[batch(10, 11, 4, 2)]), ErrorCode::None);
    assert_eq!(lab.read(0).2, [batch(5, 9, 2, 1), batch(10, 11, 4, 2), batch(12, 14, 0, 1)]);
    let summary = lab.shard.summary(&lab.key, &image());
    assert_eq!((summary.start_offset, summary.state_epoch, summary.leader_epoch), (5, 1, 0));
}

#[test]
fn a_new_leader_is_remembered_and_fences_the_one_before() {
    let mut lab = Lab::new(500);
    lab.initialize(1);
    assert_eq!(lab.read(4).0, ErrorCode::None);
    assert_eq!(lab.log.len(), 2, "its epoch is written");
    assert_eq!(lab.write((1, 3), 0, &[]), ErrorCode::FencedLeaderEpoch);
    assert_eq!(lab.read(3).0, ErrorCode::FencedLeaderEpoch);
    assert_eq!(lab.read(-1).0, ErrorCode::None, "who does not lead may ask");
    assert_eq!(lab.write((1, 4), 0, &[]), ErrorCode::None);
}

#[test]
fn a_new_life_fences_the_writers_of_the_last() {
    let mut lab = Lab::new(500);
    lab.initialize(3);
    lab.write((3, 0), 0, &[batch(0, 4, 2, 1)]);
    assert_eq!(lab.initialize(2), ErrorCode::FencedStateEpoch);
    assert_eq!(lab.initialize(5), ErrorCode::None);
    assert_eq!(lab.read(0).2, [], "as if it were new");
    assert_eq!(lab.write((3, 0), 0, &[]), ErrorCode::FencedStateEpoch);
}

#[test]
fn after_many_updates_there_is_a_snapshot_of_all_that_is_known() {
    let mut lab = Lab::new(2);
    lab.initialize(1);
    for at in 0..7 {
        lab.write((1, 0), 0, &[batch(at, at, 2, 1)]);
    }
    assert_eq!((lab.log.len(), lab.snapshots()), (8, 3), "first, then each third");
    assert_eq!(lab.read(0).2, [batch(0, 6, 2, 1)]);
}

#[test]
fn a_failover_finds_the_same() {
    let mut lab = Lab::new(3);
    lab.initialize(1);
    lab.read(2);
    for at in 0..9 {
        lab.write((1, 2), at, &[batch(at, at + 3, (at % 2 * 2) as i8, at as i16)]);
    }
    let mut other = ShareCoordinatorShard::new(3);
    lab.log.iter().for_each(|record| other.replay(record).expect("its own"));
    assert_eq!(other, lab.shard);
}

#[test]
fn what_is_deleted_is_gone_and_a_topic_that_does_not_exist_is_unknown() {
    let mut lab = Lab::new(500);
    lab.initialize(1);
    let (record, error) = lab.shard.delete(&lab.key, &image());
    lab.append(record);
    assert_eq!((error, lab.shard.states().count()), (ErrorCode::None, 0));
    assert_eq!(lab.shard.delete(&lab.key, &image()), (None, ErrorCode::None));
    let elsewhere = (Rc::from("mail"), TopicPartition::new(TopicId(1), 1));
    assert_eq!(lab.shard.delete(&elsewhere, &image()), (None, ErrorCode::UnknownTopicOrPartition));
}

#[test]
fn batches_that_overlap_are_combined_by_delivery_count_and_state() {
    let cases: &[(&[StateBatch], Offset, &[StateBatch])] = &[
        (&[batch(0, 9, 0, 1), batch(10, 19, 0, 1)], -1, &[batch(0, 19, 0, 1)]),
        (&[batch(0, 9, 0, 1), batch(3, 5, 2, 1)], -1, &[batch(0, 2, 0, 1), batch(3, 5, 2, 1), batch(6, 9, 0, 1)]),
        (&[batch(0, 9, 0, 2), batch(3, 5, 2, 1)], -1, &[batch(0, 9, 0, 2)]),
        (&[batch(0, 9, 2, 1), batch(5, 14, 0, 2)], -1, &[batch(0, 4, 2, 1), batch(5, 14, 0, 2)]),
        (&[batch(0, 9, 2, 1), batch(20, 24, 2, 1)], 5, &[batch(5, 9, 2, 1), batch(20, 24, 2, 1)]),
        (&[batch(0, 4, 2, 1)], 5, &[]),
    ];
    for (batches, start, expected) in cases {
        assert_eq!(combine(batches.iter().copied(), *start), *expected, "{batches:?}");
    }
}

#[test]
fn records_are_kafkas_to_the_byte() {
    let key: SharePartitionKey = (Rc::from("g"), PARTITION);
    let snapshot = ShareSnapshot {
        snapshot_epoch: 1,
        state_epoch: 2,
        leader_epoch: 3,
        start_offset: 4,
        delivery_complete_count: 5,
        create_timestamp: 6,
        write_timestamp: 7,
        state_batches: Rc::from([batch(8, 9, 2, 1)]),
    };
    let said = ShareRecord::Snapshot(Some(snapshot));
    let record = said.encode(&key);
    let mut bytes = b"\x00\x00\x00\x01g".to_vec();
    bytes.extend(Uuid::of_topic(TopicId(1)).high.to_be_bytes());
    bytes.extend(Uuid::of_topic(TopicId(1)).low.to_be_bytes());
    bytes.extend([0; 4]);
    assert_eq!(record.key, bytes);
    let mut bytes = b"\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03".to_vec();
    [4_i64, 6, 7].iter().for_each(|number| bytes.extend(number.to_be_bytes()));
    bytes.push(2);
    [8_i64, 9].iter().for_each(|number| bytes.extend(number.to_be_bytes()));
    bytes.extend(b"\x02\x00\x01\x00\x01\x00\x04\x00\x00\x00\x05");
    assert_eq!(record.value.as_deref(), Some(&bytes[..]));
    assert_eq!(ShareRecord::decode(&record), Ok(Some((key.clone(), said))));
    let update = ShareUpdate {
        snapshot_epoch: 1,
        leader_epoch: 3,
        start_offset: -1,
        delivery_complete_count: -1,
        state_batches: Vec::new(),
    };
    let said = ShareRecord::Update(update);
    let record = said.encode(&key);
    let bytes = b"\x00\x00\x00\x00\x00\x01\x00\x00\x00\x03\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00";
    assert_eq!(record.value.as_deref(), Some(&bytes[..]), "an unknown count is left out");
    assert_eq!(ShareRecord::decode(&record), Ok(Some((key, said))));
}
