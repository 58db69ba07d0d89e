//! FindCoordinator, OffsetCommit, OffsetFetch, InitProducerId, Metadata against a whole cluster.

use crate::cluster::Cluster;
use delivery_lab::base::{Duration, TopicPartition};
use delivery_lab::node::Crash;
use delivery_lab::protocol::{
    CoordinatorType, ErrorCode, InitProducerIdRequest, MetadataRequest, OffsetCommitPartition, OffsetCommitRequest,
    OffsetFetchRequest, ProducePartition, ProduceRequest, Request, Response,
};
use delivery_lab::record::BatchBuilder;

fn find_coordinator(cluster: &mut Cluster) -> i32 {
    cluster.find_coordinator("mail", CoordinatorType::Group)
}

fn commit(cluster: &mut Cluster, broker: i32, partition: TopicPartition, offset: i64) -> ErrorCode {
    let offsets = vec![OffsetCommitPartition { partition, offset, leader_epoch: 0, metadata: "".into() }];
    let (group, member_id) = ("mail".into(), "".into());
    let request = OffsetCommitRequest { group, generation: -1, member_id, instance_id: None, offsets };
    let Response::OffsetCommit(response) = cluster.call(broker, Request::OffsetCommit(request)) else { panic!() };
    response.partitions[0].error
}

fn committed(cluster: &mut Cluster, broker: i32, partition: TopicPartition) -> (ErrorCode, Option<i64>) {
    let request =
        OffsetFetchRequest { group: "mail".into(), partitions: vec![partition], require_stable: true, member: None };
    let Response::OffsetFetch(response) = cluster.call(broker, Request::OffsetFetch(request)) else { panic!() };
    (response.error, response.partitions.first().map(|partition| partition.offset))
}

#[test]
fn offsets_are_committed_and_survive_the_coordinator() {
    let (mut cluster, id) = Cluster::with_topic(3, &[("offsets.topic.num.partitions", "3")]);
    let first = find_coordinator(&mut cluster);
    assert_eq!(committed(&mut cluster, first, id), (ErrorCode::None, Some(-1)));
    assert_eq!(commit(&mut cluster, first, id, 42), ErrorCode::None);
    assert_eq!(commit(&mut cluster, first, id, 43), ErrorCode::None);
    assert_eq!(committed(&mut cluster, first, id), (ErrorCode::None, Some(43)));
    let other = (first + 1) % 3;
    assert_eq!(commit(&mut cluster, other, id, 44), ErrorCode::NotCoordinator);
    assert_eq!(committed(&mut cluster, other, id).0, ErrorCode::NotCoordinator);
    cluster.crash(first, Crash::Process);
    cluster.run_for(12_000);
    let second = find_coordinator(&mut cluster);
    assert_ne!(first, second);
    assert_eq!(committed(&mut cluster, second, id), (ErrorCode::None, Some(43)));
}

#[test]
fn a_commit_below_min_isr_times_out_and_stands_all_the_same() {
    let settings =
        [("offsets.topic.num.partitions", "1"), ("min.insync.replicas", "2"), ("offsets.commit.timeout.ms", "1000")];
    let (mut cluster, id) = Cluster::with_topic(3, &settings);
    let first = find_coordinator(&mut cluster);
    assert_eq!(commit(&mut cluster, first, id, 42), ErrorCode::None);
    let others = [(first + 1) % 3, (first + 2) % 3];
    others.into_iter().for_each(|broker| cluster.crash(broker, Crash::Process));
    cluster.run_for(60_000);
    assert_eq!(commit(&mut cluster, first, id, 43), ErrorCode::CoordinatorNotAvailable, "nothing commits it in time");
    others.into_iter().for_each(|broker| cluster.restart(broker));
    cluster.run_for(60_000);
    let coordinator = find_coordinator(&mut cluster);
    assert_eq!(committed(&mut cluster, coordinator, id), (ErrorCode::None, Some(43)), "it was in the log");
}

#[test]
fn producer_ids_come_from_blocks_and_differ() {
    let mut cluster = Cluster::start(2, &[]);
    let mut ids = Vec::new();
    while ids.len() < 4 {
        let transaction_timeout = Duration::from_millis(60_000);
        let request =
            InitProducerIdRequest { transactional_id: None, transaction_timeout, producer_id: -1, producer_epoch: -1 };
        let Response::InitProducerId(response) = cluster.call(ids.len() as i32 % 2, Request::InitProducerId(request))
        else {
            panic!()
        };
        match response.error {
            ErrorCode::None => ids.push(response.producer_id),
            error => assert_eq!(error, ErrorCode::CoordinatorLoadInProgress),
        }
        cluster.run_for(10);
    }
    assert_eq!((ids[2] - ids[0], ids[3] - ids[1], (ids[1] - ids[0]).abs()), (1, 1, 1_000));
}

#[test]
fn metadata_leave_fenced_brokers_out() {
    let (mut cluster, id) = Cluster::with_topic(3, &[]);
    let dead = cluster.leader(id);
    let asked = (dead + 1) % 3;
    cluster.crash(dead, Crash::PowerLoss);
    cluster.run_for(12_000);
    let request = Request::Metadata(MetadataRequest { topics: vec!["orders".into(), "none".into()] });
    let Response::Metadata(response) = cluster.call(asked, request) else { panic!() };
    assert!(response.brokers.len() == 2 && response.brokers.iter().all(|broker| broker.0 != dead));
    let partition = &response.topics[0].partitions[0];
    assert!(partition.leader.0 != dead && partition.offline.len() == 1 && partition.isr.len() == 2);
    assert_eq!(response.topics[1].error, ErrorCode::UnknownTopicOrPartition);
}

#[test]
fn committed_offsets_outlive_the_compaction_of_their_topic() {
    let settings = [
        ("offsets.topic.num.partitions", "1"),
        ("log.roll.ms", "2000"),
        ("log.cleaner.backoff.ms", "1000"),
        ("log.cleaner.min.cleanable.ratio", "0.1"),
    ];
    let (mut cluster, id) = Cluster::with_topic(3, &settings);
    let first = find_coordinator(&mut cluster);
    let other = TopicPartition::new(id.topic, 7);
    assert_eq!(commit(&mut cluster, first, other, 5), ErrorCode::UnknownTopicOrPartition);
    for offset in 1..=30 {
        assert_eq!(commit(&mut cluster, first, id, offset), ErrorCode::None);
        cluster.run_for(1_000);
    }
    let topic = cluster.controller.image().topic_id("__consumer_offsets").expect("created");
    let offsets = TopicPartition::new(topic, 0);
    for broker in cluster.brokers.values() {
        let log = broker.partition(offsets).expect("hosted").log();
        assert!(log.batches_from(0).count() < 10, "compacted on broker {}", broker.id());
        assert_eq!((log.log_start_offset(), log.log_end_offset()), (0, 30));
    }
    cluster.crash(first, Crash::PowerLoss);
    cluster.run_for(12_000);
    let second = find_coordinator(&mut cluster);
    assert_eq!(committed(&mut cluster, second, id), (ErrorCode::None, Some(30)));
    cluster.restart(first);
    cluster.run_for(20_000);
    assert_eq!(cluster.isr(offsets).len(), 3, "who comes back follows over the gaps");
}

/// A batch of a transaction: the answer, and how long it took.
fn produce_in_transaction(cluster: &mut Cluster, partition: TopicPartition) -> (ErrorCode, Duration) {
    let mut batch = BatchBuilder::new(1_767_225_600_000).producer(1, 0, 0).transactional(true);
    batch.append(1_767_225_600_000, None, Some(b"x"), &[]);
    let request = Request::Produce(ProduceRequest {
        transactional_id: Some("t".into()),
        transaction_v2: true,
        acks: -1,
        timeout: Duration::from_millis(30_000),
        partitions: vec![ProducePartition { partition, batch: batch.build() }],
    });
    let (leader, start) = (cluster.leader(partition), cluster.now);
    let answer = cluster.call(leader, request);
    (answer.error(), Duration(cluster.now.0 - start.0))
}

#[test]
fn c21_a_cluster_without_transaction_coordinators_writes_no_transaction() {
    for brokers in [1, 3] {
        let (mut cluster, id) = Cluster::with_topic(brokers, &[]);
        let (error, alone) = produce_in_transaction(&mut cluster, id);
        assert_eq!(error, ErrorCode::NotEnoughReplicas, "nobody leads __transaction_state");
        cluster.create_topic("__transaction_state", 1, brokers as i16);
        let (error, asked) = produce_in_transaction(&mut cluster, id);
        assert_eq!(error, ErrorCode::InvalidProducerIdMapping, "somebody does, and knows no such transactional id");
        assert!(asked > alone, "it was asked");
        let leader = cluster.broker(cluster.leader(id));
        assert_eq!(leader.partition(id).expect("hosted").log().log_end_offset(), 0);
    }
}
