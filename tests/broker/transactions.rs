//! The offsets of a transaction on a whole cluster, and the groups they belong to: both outlive their coordinator.

use crate::cluster::Cluster;
use crate::transaction_coordinator;
use bytes::Bytes;
use delivery_lab::base::{Duration, TopicPartition};
use delivery_lab::node::Crash;
use delivery_lab::protocol::{
    AddOffsetsToTxnRequest, ErrorCode, GroupState, HeartbeatRequest, JoinGroupProtocol, JoinGroupRequest,
    OffsetCommitPartition, OffsetFetchRequest, Request, Response, SyncGroupRequest, TransactionState, TxnMarker,
    TxnOffsetCommitRequest, WriteTxnMarkersRequest,
};
use std::rc::Rc;

/// The producer added the partition itself (transaction version 1), and nobody asks.
const SETTINGS: [(&str, &str); 2] =
    [("offsets.topic.num.partitions", "1"), ("transaction.partition.verification.enable", "false")];

fn request(partition: TopicPartition, producer: (i64, i16), offset: i64) -> TxnOffsetCommitRequest {
    TxnOffsetCommitRequest {
        transactional_id: "t".into(),
        group: "mail".into(),
        producer_id: producer.0,
        producer_epoch: producer.1,
        generation: -1,
        member_id: "".into(),
        instance_id: None,
        transaction_v2: false,
        offsets: vec![OffsetCommitPartition { partition, offset, leader_epoch: 0, metadata: "".into() }],
    }
}

fn commit(cluster: &mut Cluster, broker: i32, partition: TopicPartition, producer_id: i64, offset: i64) -> ErrorCode {
    cluster.call(broker, Request::TxnOffsetCommit(request(partition, (producer_id, 0), offset))).error()
}

fn fetch(cluster: &mut Cluster, broker: i32, partition: TopicPartition) -> (ErrorCode, i64) {
    let request =
        OffsetFetchRequest { group: "mail".into(), partitions: vec![partition], require_stable: true, member: None };
    let Response::OffsetFetch(response) = cluster.call(broker, Request::OffsetFetch(request)) else { panic!() };
    (response.partitions[0].error, response.partitions[0].offset)
}

fn end(cluster: &mut Cluster, broker: i32, offsets: TopicPartition, producer_id: i64, committed: bool) -> ErrorCode {
    let marker = TxnMarker {
        producer_id,
        producer_epoch: 0,
        committed,
        coordinator_epoch: 0,
        transaction_version: 1,
        partitions: vec![offsets],
    };
    cluster.call(broker, Request::WriteTxnMarkers(WriteTxnMarkersRequest { markers: vec![marker] })).error()
}

#[test]
fn pending_offsets_survive_the_group_coordinator() {
    let (mut cluster, id) = Cluster::with_topic(3, &SETTINGS);
    let offsets = cluster.create_topic("__consumer_offsets", 1, 3);
    let first = cluster.leader(offsets);
    assert_eq!(commit(&mut cluster, first, id, 5, 42), ErrorCode::None);
    assert_eq!(commit(&mut cluster, first, id, 6, 43), ErrorCode::None);
    assert_eq!(fetch(&mut cluster, first, id), (ErrorCode::UnstableOffsetCommit, -1));

    cluster.crash(first, Crash::PowerLoss);
    cluster.run_for(12_000);
    let second = cluster.leader(offsets);
    assert_ne!(first, second);
    assert_eq!(fetch(&mut cluster, second, id), (ErrorCode::UnstableOffsetCommit, -1), "both are pending");
    assert_eq!(end(&mut cluster, second, offsets, 6, false), ErrorCode::None);
    assert_eq!(fetch(&mut cluster, second, id), (ErrorCode::UnstableOffsetCommit, -1), "one is");
    assert_eq!(end(&mut cluster, second, offsets, 5, true), ErrorCode::None);
    assert_eq!(fetch(&mut cluster, second, id), (ErrorCode::None, 42));

    cluster.restart(first);
    cluster.run_for(20_000);
    cluster.crash(second, Crash::Process);
    cluster.run_for(12_000);
    let third = cluster.leader(offsets);
    assert_ne!(second, third);
    assert_eq!(fetch(&mut cluster, third, id), (ErrorCode::None, 42), "by replay of the markers");
    let shard = cluster.broker(third).group_offsets().next().expect("coordinates").1;
    assert_eq!(shard.pending_offsets().count(), 0);
}

#[test]
fn the_offsets_of_a_transaction_of_each_version() {
    let settings = [("offsets.topic.num.partitions", "1"), ("transaction.state.log.num.partitions", "1")];
    let (mut cluster, id) = Cluster::with_topic(3, &settings);
    let offsets = cluster.create_topic("__consumer_offsets", 1, 3);
    let groups = cluster.leader(offsets);
    let mut producer = transaction_coordinator::init(&mut cluster);
    let commit = |cluster: &mut Cluster, producer, transaction_v2, offset| {
        let request = TxnOffsetCommitRequest { transaction_v2, ..request(id, producer, offset) };
        cluster.call(groups, Request::TxnOffsetCommit(request)).error()
    };

    // Version 5: the broker adds its partition to the transaction, and EndTxn raises the epoch.
    assert_eq!(commit(&mut cluster, producer, true, 42), ErrorCode::None);
    assert_eq!(transaction_coordinator::state(&mut cluster), (TransactionState::Ongoing, producer.1, 1));
    assert_eq!(fetch(&mut cluster, groups, id), (ErrorCode::UnstableOffsetCommit, -1));
    let (error, next) = transaction_coordinator::end(&mut cluster, producer, true, true);
    assert_eq!(error, ErrorCode::None);
    cluster.run_for(1_000);
    assert_eq!(fetch(&mut cluster, groups, id), (ErrorCode::None, 42));
    assert_eq!(commit(&mut cluster, producer, true, 43), ErrorCode::InvalidProducerEpoch, "a zombie");

    // Version 4: the producer adds it, the broker asks.
    producer = next;
    assert_eq!(commit(&mut cluster, producer, false, 43), ErrorCode::TransactionAbortable);
    let add = AddOffsetsToTxnRequest {
        transactional_id: "t".into(),
        producer_id: producer.0,
        producer_epoch: producer.1,
        group: "mail".into(),
    };
    let coordinator = transaction_coordinator::find_coordinator(&mut cluster);
    assert_eq!(cluster.call(coordinator, Request::AddOffsetsToTxn(add)).error(), ErrorCode::None);
    assert_eq!(commit(&mut cluster, producer, false, 43), ErrorCode::None);
    assert_eq!(transaction_coordinator::end(&mut cluster, producer, false, false).0, ErrorCode::None);
    cluster.run_for(1_000);
    assert_eq!(fetch(&mut cluster, groups, id), (ErrorCode::None, 42), "aborted");
}

/// Joins the group until the coordinator knows the member, alone in its generation; its id.
fn join(cluster: &mut Cluster, broker: i32) -> Rc<str> {
    let mut member_id: Rc<str> = "".into();
    loop {
        let request = JoinGroupRequest {
            group: "mail".into(),
            client_id: "mailer".into(),
            session_timeout: Duration::from_millis(45_000),
            rebalance_timeout: Duration::from_millis(60_000),
            member_id: member_id.clone(),
            instance_id: None,
            protocol_type: "consumer".into(),
            protocols: vec![JoinGroupProtocol { name: "range".into(), metadata: Bytes::from_static(b"orders") }],
        };
        let Response::JoinGroup(joined) = cluster.call(broker, Request::JoinGroup(request)) else { panic!() };
        member_id = joined.member_id;
        match joined.error {
            ErrorCode::None => return member_id,
            error => assert_eq!(error, ErrorCode::MemberIdRequired),
        }
    }
}

fn sync(cluster: &mut Cluster, broker: i32, member_id: &Rc<str>) -> (ErrorCode, Bytes) {
    let request = SyncGroupRequest {
        group: "mail".into(),
        generation: 1,
        member_id: member_id.clone(),
        instance_id: None,
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        assignments: vec![(member_id.clone(), Bytes::from_static(b"all"))],
    };
    let Response::SyncGroup(synced) = cluster.call(broker, Request::SyncGroup(request)) else { panic!() };
    (synced.error, synced.assignment)
}

fn heartbeat(cluster: &mut Cluster, broker: i32, member_id: &Rc<str>) -> ErrorCode {
    let (group, member_id) = ("mail".into(), member_id.clone());
    let request = HeartbeatRequest { group, generation: 1, member_id, instance_id: None };
    cluster.call(broker, Request::Heartbeat(request)).error()
}

#[test]
fn a_group_survives_its_coordinator_and_fences_who_is_no_member() {
    let (mut cluster, id) = Cluster::with_topic(3, &SETTINGS);
    let offsets = cluster.create_topic("__consumer_offsets", 1, 3);
    let first = cluster.leader(offsets);
    let member = join(&mut cluster, first);
    assert_eq!(sync(&mut cluster, first, &member), (ErrorCode::None, Bytes::from_static(b"all")));

    cluster.crash(first, Crash::PowerLoss);
    cluster.run_for(12_000);
    let second = cluster.leader(offsets);
    assert_ne!(first, second);
    assert_eq!(heartbeat(&mut cluster, second, &member), ErrorCode::None, "the same generation");
    assert_eq!(sync(&mut cluster, second, &member), (ErrorCode::None, Bytes::from_static(b"all")));
    let commit = |cluster: &mut Cluster, member_id: &str, generation| {
        let request = TxnOffsetCommitRequest { generation, member_id: member_id.into(), ..request(id, (5, 0), 42) };
        cluster.call(second, Request::TxnOffsetCommit(request)).error()
    };
    assert_eq!(commit(&mut cluster, &member, 1), ErrorCode::None);
    assert_eq!(commit(&mut cluster, &member, 0), ErrorCode::IllegalGeneration);
    assert_eq!(commit(&mut cluster, "stranger", 1), ErrorCode::UnknownMemberId);

    cluster.run_for(46_000);
    assert_eq!(heartbeat(&mut cluster, second, &member), ErrorCode::UnknownMemberId, "its session ended");
    let (_, group) = cluster.broker(second).groups().next().expect("a group");
    assert_eq!((group.state(), group.generation()), (GroupState::Empty, 2));
}
