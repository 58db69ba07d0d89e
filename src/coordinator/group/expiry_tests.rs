use super::*;
use crate::base::Duration;
use crate::coordinator::CoordinatorRecord;
use crate::coordinator::group::classic::{GroupMetadata, GroupMetadataKey, MemberMetadata, group_tombstone};
use crate::coordinator::group::offset_records::{OffsetAndMetadata, OffsetKey, offset_commit_record, offset_tombstone};
use crate::protocol::ConsumerSubscription;
use crate::record::NO_PRODUCER_ID;
use bytes::Bytes;
use std::rc::Rc;

const MINUTE: Duration = Duration::from_millis(60_000);

fn at(seconds: u64) -> Time {
    Time::ORIGIN + Duration::from_millis(seconds * 1_000)
}

fn key(topic: &str) -> OffsetKey {
    OffsetKey { group: "mail".into(), topic: topic.into(), partition: 0 }
}

/// With an offset of each topic, committed at second 10.
fn shard(topics: &[&str]) -> GroupShard {
    let mut shard = GroupShard::new(4_096);
    topics.iter().for_each(|topic| put(&mut shard, topic, NO_PRODUCER_ID));
    shard
}

fn put(shard: &mut GroupShard, topic: &str, producer_id: i64) {
    let offset = OffsetAndMetadata {
        offset: 5,
        leader_epoch: -1,
        metadata: "".into(),
        commit_timestamp: at(10).wall_clock_ms(),
        expire_timestamp: None,
        topic_id: None,
    };
    let record = offset_commit_record(&key(topic), &offset);
    shard.offsets.replay(0, producer_id, &record).expect("it can be read");
}

/// The group was written at second 30.
fn with_group(shard: &mut GroupShard, members: Vec<MemberMetadata>) {
    let some = |name: &str| (!members.is_empty()).then(|| Rc::from(name));
    let group = GroupMetadata {
        version: 3,
        protocol_type: "consumer".into(),
        generation: 1,
        protocol: some("range"),
        leader: some("a"),
        current_state_timestamp: at(30).wall_clock_ms(),
        members,
    };
    let key = GroupMetadataKey { group: "mail".into() }.encode();
    shard.groups.load(&CoordinatorRecord { key, value: Some(group.encode()) }).expect("it can be read");
}

fn member(topic: &str) -> MemberMetadata {
    let subscription = ConsumerSubscription { topics: vec![topic.into()], ..Default::default() };
    MemberMetadata {
        member_id: "a".into(),
        instance_id: None,
        client_id: "a".into(),
        client_host: "".into(),
        rebalance_timeout: 1,
        session_timeout: 1,
        subscription: subscription.encode(),
        assignment: Bytes::new(),
    }
}

#[track_caller]
fn check(shard: &GroupShard, seconds: u64, forgotten: &[&str], group: bool) {
    let mut expected: Vec<_> = forgotten.iter().map(|topic| offset_tombstone(&key(topic))).collect();
    expected.extend(group.then(|| group_tombstone(&"mail".into())));
    assert_eq!(shard.cleanup(MINUTE, at(seconds)), expected);
}

#[test]
fn a_simple_group_expires_from_the_commit() {
    let shard = shard(&["orders"]);
    check(&shard, 69, &[], false);
    check(&shard, 70, &["orders"], true);
}

#[test]
fn a_group_that_had_members_expires_from_when_it_became_empty() {
    let mut shard = shard(&["orders", "bills"]);
    with_group(&mut shard, Vec::new());
    check(&shard, 89, &[], false);
    check(&shard, 90, &["bills", "orders"], true);
    shard.appended(&group_tombstone(&"mail".into()));
    assert!(shard.groups.group("mail").is_none());
}

#[test]
fn what_a_live_group_subscribes_to_never_expires() {
    let mut shard = shard(&["orders", "bills"]);
    with_group(&mut shard, vec![member("orders")]);
    check(&shard, 69, &[], false);
    check(&shard, 70, &["bills"], false);
    check(&shard, 1_000_000, &["bills"], false);
    let opaque = MemberMetadata { subscription: Bytes::from_static(b"?"), ..member("orders") };
    with_group(&mut shard, vec![opaque]);
    check(&shard, 1_000_000, &[], false);
}

#[test]
fn what_a_transaction_replaces_stays_and_so_does_its_group() {
    let mut shard = shard(&["orders", "bills"]);
    put(&mut shard, "orders", 7);
    check(&shard, 70, &["bills"], false);
    shard.offsets.replay_end_transaction(7, false);
    check(&shard, 70, &["bills", "orders"], true);
}

#[test]
fn an_empty_group_without_offsets_goes_at_the_next_check() {
    let mut shard = shard(&[]);
    with_group(&mut shard, Vec::new());
    check(&shard, 31, &[], true);
    put(&mut shard, "orders", 7);
    check(&shard, 31, &[], false);
}
