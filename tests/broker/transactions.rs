//! The offsets of a transaction on a whole cluster: they outlive their coordinator.

use crate::cluster::Cluster;
use delivery_lab::base::TopicPartition;
use delivery_lab::node::Crash;
use delivery_lab::protocol::{
    ErrorCode, OffsetCommitPartition, OffsetFetchRequest, Request, Response, TxnMarker, TxnOffsetCommitRequest,
    WriteTxnMarkersRequest,
};

/// The producer added the partition itself (transaction version 1), and nobody asks.
const SETTINGS: [(&str, &str); 2] =
    [("offsets.topic.num.partitions", "1"), ("transaction.partition.verification.enable", "false")];

fn commit(cluster: &mut Cluster, broker: i32, partition: TopicPartition, producer_id: i64, offset: i64) -> ErrorCode {
    let request = TxnOffsetCommitRequest {
        transactional_id: "t".into(),
        group: "mail".into(),
        producer_id,
        producer_epoch: 0,
        generation: -1,
        member_id: "".into(),
        instance_id: None,
        transaction_v2: false,
        offsets: vec![OffsetCommitPartition { partition, offset, leader_epoch: 0, metadata: "".into() }],
    };
    cluster.call(broker, Request::TxnOffsetCommit(request)).error()
}

fn fetch(cluster: &mut Cluster, broker: i32, partition: TopicPartition) -> (ErrorCode, i64) {
    let request = OffsetFetchRequest { group: "mail".into(), partitions: vec![partition], require_stable: true };
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
