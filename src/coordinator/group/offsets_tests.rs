use super::*;
use crate::base::{BrokerId, TopicId, TopicPartition};
use crate::coordinator::group::{OffsetAndMetadata, OffsetKey, offset_commit_record};
use crate::metadata::{MetadataDelta, MetadataRecord, PartitionRegistration};
use crate::protocol::{OffsetCommitPartition, OffsetFetchRequest};
use crate::record::NO_PRODUCER_ID;
use std::rc::Rc;

const ORDERS: TopicPartition = TopicPartition::new(TopicId(1), 0);

pub(in crate::coordinator::group) fn image() -> MetadataImage {
    let (mut image, mut delta) = (MetadataImage::default(), MetadataDelta::default());
    let registration = PartitionRegistration::new(vec![BrokerId(0)], vec![BrokerId(0)]);
    let mut records = Vec::new();
    for (name, topic) in [("orders", TopicId(1)), ("bills", TopicId(2))] {
        records.push(MetadataRecord::Topic { name: Rc::from(name), topic });
        let partitions = (0..2).map(|partition| TopicPartition::new(topic, partition));
        records.extend(partitions.map(|id| MetadataRecord::Partition(registration.to_record(id))));
    }
    (0..).zip(&records).for_each(|(offset, record)| image.apply(offset, record, &mut delta));
    image
}

fn wish(offset: i64) -> OffsetCommitPartition {
    OffsetCommitPartition { partition: ORDERS, offset, leader_epoch: 0, metadata: Rc::from("") }
}

fn request(generation: i32, offsets: Vec<OffsetCommitPartition>) -> OffsetCommitRequest {
    OffsetCommitRequest { group: Rc::from("mail"), generation, member_id: Rc::from(""), instance_id: None, offsets }
}

fn commit(shard: &mut GroupShard, request: &OffsetCommitRequest) -> Vec<ErrorCode> {
    let (records, response) = shard.commit(request, &image(), Time::ORIGIN);
    for record in &records {
        shard.offsets.replay(0, NO_PRODUCER_ID, record).expect("a shard reads what it wrote");
    }
    response.partitions.iter().map(|partition| partition.error).collect()
}

fn fetch(shard: &GroupShard) -> i64 {
    let request =
        OffsetFetchRequest { group: Rc::from("mail"), partitions: vec![ORDERS], require_stable: true, member: None };
    let response = shard.offsets.fetch(&request, &image());
    assert_eq!((response.error, response.partitions[0].error), (ErrorCode::None, ErrorCode::None));
    response.partitions[0].offset
}

#[test]
fn g11_offset_commit_with_unknown_group() {
    let mut shard = GroupShard::new(4_096);
    for (version, error) in [(9, ErrorCode::GroupIdNotFound), (8, ErrorCode::IllegalGeneration)] {
        let (records, response) = shard.commit_at_version(&request(10, vec![wish(5)]), version, &image(), Time::ORIGIN);
        assert_eq!((records.len(), response.partitions[0].error), (0, error), "version {version}");
    }
}

#[test]
fn g11_simple_group_offset_commit() {
    let mut shard = GroupShard::new(4_096);
    assert_eq!(fetch(&shard), -1, "an unknown group is no error");
    assert_eq!(commit(&mut shard, &request(-1, vec![wish(5)])), [ErrorCode::None]);
    assert_eq!(fetch(&shard), 5);
}

#[test]
fn g10_a_member_of_a_group_without_members_is_unknown() {
    let mut shard = GroupShard::new(4_096);
    commit(&mut shard, &request(-1, vec![wish(5)]));
    assert_eq!(commit(&mut shard, &request(1, vec![wish(6)])), [ErrorCode::UnknownMemberId]);
    assert_eq!(fetch(&shard), 5);
}

#[test]
fn nothing_changes_before_the_replay() {
    let mut shard = GroupShard::new(4_096);
    let (records, _) = shard.commit(&request(-1, vec![wish(5)]), &image(), Time::ORIGIN);
    assert_eq!((records.len(), fetch(&shard)), (1, -1));
}

#[test]
fn the_later_commit_wins_even_with_a_lower_offset() {
    let mut shard = GroupShard::new(4_096);
    commit(&mut shard, &request(-1, vec![wish(9)]));
    commit(&mut shard, &request(-1, vec![wish(4)]));
    assert_eq!(fetch(&shard), 4);
}

#[test]
fn each_partition_has_its_own_answer() {
    let mut shard = GroupShard::new(4);
    let long = OffsetCommitPartition { metadata: Rc::from("12345"), ..wish(5) };
    let unknown_partition = OffsetCommitPartition { partition: TopicPartition::new(TopicId(1), 7), ..wish(5) };
    let unknown_topic = OffsetCommitPartition { partition: TopicPartition::new(TopicId(9), 0), ..wish(5) };
    let short = OffsetCommitPartition { metadata: Rc::from("äöüß"), ..wish(5) };
    let errors = commit(&mut shard, &request(-1, vec![long, unknown_partition, unknown_topic, short]));
    assert_eq!(
        errors,
        [
            ErrorCode::OffsetMetadataTooLarge,
            ErrorCode::UnknownTopicOrPartition,
            ErrorCode::UnknownTopicId,
            ErrorCode::None
        ]
    );
}

#[test]
fn a_tombstone_forgets() {
    let mut shard = GroupShard::new(4_096);
    commit(&mut shard, &request(-1, vec![wish(5)]));
    for record in shard.offsets.forget_topic("orders") {
        shard.offsets.replay(0, NO_PRODUCER_ID, &record).expect("a tombstone");
    }
    assert_eq!(fetch(&shard), -1);
    assert_eq!(shard, GroupShard::new(4_096), "nothing is left of the group");
}

#[test]
fn a_topic_created_anew_has_no_offsets() {
    let mut shard = GroupShard::new(4_096);
    let (records, _) = shard.commit(&request(-1, vec![wish(5)]), &image(), Time::ORIGIN);
    let key = OffsetKey::decode(&records[0].key).expect("a key").expect("an offset's key");
    let mut value = OffsetAndMetadata::decode(records[0].value.as_deref().expect("a value")).expect("an offset");
    value.topic_id = Some(TopicId(8));
    shard.offsets.replay(0, NO_PRODUCER_ID, &offset_commit_record(&key, &value)).expect("an offset");
    assert_eq!(fetch(&shard), -1);
}

#[test]
fn failover_is_loading_the_partition() {
    let mut shard = GroupShard::new(4_096);
    let mut log = Vec::new();
    for offset in [3, 8] {
        let (records, _) = shard.commit(&request(-1, vec![wish(offset)]), &image(), Time::ORIGIN);
        let batch = crate::coordinator::batch_of(&records, 0);
        log.push(batch);
        records.iter().for_each(|record| shard.offsets.replay(0, NO_PRODUCER_ID, record).expect("an offset"));
    }
    let mut other = GroupShard::new(4_096);
    for batch in &log {
        for (_, record) in crate::coordinator::records_of(batch).expect("a batch") {
            other.offsets.replay(0, NO_PRODUCER_ID, &record).expect("an offset");
        }
    }
    assert_eq!(other, shard);
}
