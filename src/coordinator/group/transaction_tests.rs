//! Offsets of transactions (OffsetMetadataManagerTest).

use super::tests::image;
use super::*;
use crate::base::{Offset, ProducerId, TopicId, TopicPartition};
use crate::protocol::{OffsetCommitPartition, OffsetFetchRequest, OffsetFetchResult};
use crate::record::NO_PRODUCER_ID;

const ORDERS: [TopicPartition; 2] = [TopicPartition::new(TopicId(1), 0), TopicPartition::new(TopicId(1), 1)];
const BILLS: [TopicPartition; 2] = [TopicPartition::new(TopicId(2), 0), TopicPartition::new(TopicId(2), 1)];
const ALL: [TopicPartition; 4] = [ORDERS[0], ORDERS[1], BILLS[0], BILLS[1]];

/// A shard and the end of its log.
struct Lab {
    shard: GroupShard,
    next: Offset,
}

impl Lab {
    fn new() -> Lab {
        Lab { shard: GroupShard::new(4_096), next: 0 }
    }

    fn replay(&mut self, producer_id: ProducerId, records: &[CoordinatorRecord]) {
        for record in records {
            self.shard.offsets.replay(self.next, producer_id, record).expect("a shard reads what it wrote");
            self.next += 1;
        }
    }

    fn commit(&mut self, partition: TopicPartition, offset: i64) {
        let (group, member_id, instance_id) = ("mail".into(), "".into(), None);
        let offsets = vec![wish(partition, offset)];
        let request = OffsetCommitRequest { group, generation: -1, member_id, instance_id, offsets };
        let (records, _) = self.shard.commit(&request, &image(), Time::ORIGIN);
        self.replay(NO_PRODUCER_ID, &records);
    }

    fn commit_in_transaction(&mut self, producer_id: ProducerId, partition: TopicPartition, offset: i64) -> ErrorCode {
        let request = TxnOffsetCommitRequest { producer_id, ..request(vec![wish(partition, offset)]) };
        let (records, response) = self.shard.commit_in_transaction(&request, &image(), Time::ORIGIN);
        self.replay(producer_id, &records);
        response.partitions[0].error
    }

    fn end(&mut self, producer_id: ProducerId, committed: bool) {
        self.shard.offsets.replay_end_transaction(producer_id, committed);
        self.next += 1;
    }

    /// Offset −88 stands for UNSTABLE_OFFSET_COMMIT.
    fn fetch(&self, require_stable: bool) -> Vec<i64> {
        let request =
            OffsetFetchRequest { group: "mail".into(), partitions: ALL.to_vec(), require_stable, member: None };
        let result = |it: &OffsetFetchResult| match it.error {
            ErrorCode::None => it.offset,
            ErrorCode::UnstableOffsetCommit if it.offset == -1 => -88,
            error => panic!("{error:?}"),
        };
        self.shard.offsets.fetch(&request, &image()).partitions.iter().map(result).collect()
    }
}

fn wish(partition: TopicPartition, offset: i64) -> OffsetCommitPartition {
    OffsetCommitPartition { partition, offset, leader_epoch: 0, metadata: "".into() }
}

fn request(offsets: Vec<OffsetCommitPartition>) -> TxnOffsetCommitRequest {
    TxnOffsetCommitRequest {
        transactional_id: "t".into(),
        group: "mail".into(),
        producer_id: 5,
        producer_epoch: 0,
        generation: -1,
        member_id: "".into(),
        instance_id: None,
        transaction_v2: true,
        offsets,
    }
}

fn with_pending() -> Lab {
    let mut lab = Lab::new();
    lab.commit(ORDERS[0], 100);
    lab.commit(ORDERS[1], 110);
    lab.commit(BILLS[0], 200);
    lab.commit_in_transaction(5, ORDERS[1], 111);
    lab.commit_in_transaction(5, BILLS[0], 201);
    lab.commit_in_transaction(5, BILLS[1], 211);
    lab
}

#[test]
fn g13_fetch_offsets_with_pending_transactional_offsets() {
    let mut lab = with_pending();
    assert_eq!(lab.fetch(true), [100, -88, -88, -88]);
    assert_eq!(lab.fetch(false), [100, 110, 200, -1]);
    lab.end(5, true);
    assert_eq!(lab.fetch(true), [100, 111, 201, 211]);
    assert_eq!(lab.shard.offsets.pending_offsets().count(), 0);
}

#[test]
fn an_abort_drops_what_was_pending() {
    let mut lab = with_pending();
    lab.end(6, true);
    assert_eq!(lab.fetch(true), [100, -88, -88, -88], "another producer's end");
    lab.end(5, false);
    assert_eq!(lab.fetch(true), [100, 110, 200, -1]);
    lab.end(5, true);
    assert_eq!(lab.fetch(true), [100, 110, 200, -1], "there is nothing left to commit");
}

#[test]
fn two_transactions_on_one_partition() {
    let mut lab = Lab::new();
    lab.commit_in_transaction(5, ORDERS[0], 10);
    lab.commit_in_transaction(6, ORDERS[0], 20);
    lab.end(6, true);
    assert_eq!((lab.fetch(true)[0], lab.fetch(false)[0]), (-88, 20));
    lab.end(5, true);
    assert_eq!(lab.fetch(true)[0], 20, "the record of the other is the later one, though its marker came first");
}

#[test]
fn a_plain_commit_in_between_is_the_newer_one() {
    let mut lab = Lab::new();
    lab.commit_in_transaction(5, ORDERS[0], 10);
    lab.commit(ORDERS[0], 3);
    lab.end(5, true);
    assert_eq!(lab.fetch(true)[0], 3);
    lab.commit_in_transaction(5, ORDERS[0], 11);
    lab.end(5, true);
    assert_eq!(lab.fetch(true)[0], 11);
}

#[test]
fn a_tombstone_forgets_pending_offsets_too() {
    let mut lab = with_pending();
    let records = lab.shard.offsets.forget_topic("bills");
    lab.replay(NO_PRODUCER_ID, &records);
    assert_eq!(lab.fetch(true), [100, -88, -1, -1]);
    lab.end(5, true);
    assert_eq!(lab.fetch(true), [100, 111, -1, -1]);
}

#[test]
fn transactional_commits_are_refused_as_kafka_refuses_them() {
    let mut lab = Lab::new();
    let commit = |shard: &GroupShard, request: &TxnOffsetCommitRequest| {
        let (records, response) = shard.commit_in_transaction(request, &image(), Time::ORIGIN);
        let errors: Vec<ErrorCode> = response.partitions.iter().map(|partition| partition.error).collect();
        (records.len(), errors)
    };
    let of_member = TxnOffsetCommitRequest { generation: 1, member_id: "m".into(), ..request(vec![wish(ALL[0], 5)]) };
    assert_eq!(commit(&lab.shard, &of_member), (0, vec![ErrorCode::IllegalGeneration]), "an unknown group");
    lab.commit(ORDERS[0], 1);
    assert_eq!(commit(&lab.shard, &of_member), (0, vec![ErrorCode::UnknownMemberId]), "a group without members");
    let long = OffsetCommitPartition { metadata: "x".repeat(4_097).into(), ..wish(ALL[0], 5) };
    let nowhere = wish(TopicPartition::new(TopicId(1), 7), 5);
    let mixed = request(vec![long, nowhere, wish(TopicPartition::new(TopicId(9), 0), 5), wish(ALL[1], 6)]);
    let errors = vec![
        ErrorCode::OffsetMetadataTooLarge,
        ErrorCode::UnknownTopicOrPartition,
        ErrorCode::UnknownTopicOrPartition,
        ErrorCode::None,
    ];
    assert_eq!(commit(&lab.shard, &mixed), (1, errors));
}
