//! Transactions on a whole cluster: their coordinator is found, moves, fails in the middle of a commit.

use crate::cluster::Cluster;
use delivery_lab::base::{Duration, TopicPartition};
use delivery_lab::node::{Crash, Event};
use delivery_lab::protocol::{
    AddPartitionsToTxn, AddPartitionsToTxnRequest, CoordinatorType, DescribeProducersRequest, EndTxnRequest, ErrorCode,
    InitProducerIdRequest, ProducePartition, ProduceRequest, Request, Response, TransactionState as State, TxnMarker,
    WriteTxnMarkersRequest,
};
use delivery_lab::record::BatchBuilder;

const SETTINGS: [(&str, &str); 1] = [("transaction.state.log.num.partitions", "1")];

pub fn find_coordinator(cluster: &mut Cluster) -> i32 {
    cluster.find_coordinator("t", CoordinatorType::Transaction)
}

/// The coordinator, and a partition that it does not lead.
fn topic_elsewhere(cluster: &mut Cluster) -> (i32, TopicPartition) {
    let coordinator = find_coordinator(cluster);
    let topic = cluster.create_topic("orders", 3, 3).topic;
    let mut partitions = (0..3).map(|index| TopicPartition::new(topic, index));
    let elsewhere = partitions.find(|id| cluster.leader(*id) != coordinator);
    (coordinator, elsewhere.expect("leaders are spread"))
}

/// Asks until it is not told to ask again: as a client, but without one.
pub fn init(cluster: &mut Cluster) -> (i64, i16) {
    for _ in 0..200 {
        let coordinator = find_coordinator(cluster);
        let transaction_timeout = Duration::from_millis(60_000);
        let transactional_id = Some("t".into());
        let (producer_id, producer_epoch) = (-1, -1);
        let request = InitProducerIdRequest { transactional_id, transaction_timeout, producer_id, producer_epoch };
        let Response::InitProducerId(response) = cluster.call(coordinator, Request::InitProducerId(request)) else {
            panic!()
        };
        if !response.error.is_error() {
            return (response.producer_id, response.producer_epoch);
        }
        assert!(response.error.is_retriable(), "{response:?}");
        cluster.run_for(20);
    }
    panic!("no producer id")
}

fn produce(
    cluster: &mut Cluster,
    partition: TopicPartition,
    (producer_id, epoch): (i64, i16),
    sequence: i32,
    transaction_v2: bool,
) -> ErrorCode {
    let timestamp = 1_767_225_600_000;
    let mut batch = BatchBuilder::new(timestamp).producer(producer_id, epoch, sequence).transactional(true);
    batch.append(timestamp, None, Some(b"x"), &[]);
    let request = ProduceRequest {
        transactional_id: Some("t".into()),
        transaction_v2,
        acks: -1,
        timeout: Duration::from_millis(30_000),
        partitions: vec![ProducePartition { partition, batch: batch.build() }],
    };
    let leader = cluster.leader(partition);
    let Response::Produce(response) = cluster.call(leader, Request::Produce(request)) else { panic!() };
    response.partitions[0].error
}

fn add(cluster: &mut Cluster, (producer_id, producer_epoch): (i64, i16), partition: TopicPartition) -> ErrorCode {
    let (transactional_id, verify_only, partitions) = ("t".into(), false, vec![partition]);
    let wish = AddPartitionsToTxn { transactional_id, producer_id, producer_epoch, verify_only, partitions };
    let request = AddPartitionsToTxnRequest { transactions: vec![wish] };
    let coordinator = find_coordinator(cluster);
    cluster.call(coordinator, Request::AddPartitionsToTxn(request)).error()
}

fn end_request((producer_id, producer_epoch): (i64, i16), committed: bool, transaction_v2: bool) -> Request {
    let transactional_id = "t".into();
    Request::EndTxn(EndTxnRequest { transactional_id, producer_id, producer_epoch, committed, transaction_v2 })
}

pub fn end(cluster: &mut Cluster, producer: (i64, i16), committed: bool, v2: bool) -> (ErrorCode, (i64, i16)) {
    let coordinator = find_coordinator(cluster);
    let Response::EndTxn(response) = cluster.call(coordinator, end_request(producer, committed, v2)) else { panic!() };
    (response.error, (response.producer_id, response.producer_epoch))
}

/// State, epoch and how many partitions, as the coordinator has it.
pub fn state(cluster: &mut Cluster) -> (State, i16, usize) {
    let coordinator = find_coordinator(cluster);
    let transactions = cluster.broker(coordinator).transaction_coordinator().expect("it runs");
    let (_, metadata) = transactions.transactions().next().expect("a transaction");
    (metadata.state, metadata.producer_epoch, metadata.partitions.len())
}

/// Log end, and the last stable offset.
fn offsets(cluster: &Cluster, id: TopicPartition) -> (i64, i64) {
    let log = cluster.broker(cluster.leader(id)).partition(id).expect("hosted").log();
    (log.log_end_offset(), log.last_stable_offset())
}

#[test]
fn the_topic_is_created_when_it_is_first_asked_for() {
    let (mut cluster, _) = Cluster::with_topic(3, &[("transaction.state.log.num.partitions", "5")]);
    assert_eq!(cluster.controller.image().topic_id("__transaction_state"), None);
    find_coordinator(&mut cluster);
    let image = cluster.controller.image();
    let topic = image.topic(image.topic_id("__transaction_state").expect("created")).expect("a topic");
    assert_eq!((topic.partitions.len(), topic.partitions[0].replicas.len()), (5, 3));
    let setting = |key: &str| topic.config.get(key).map(ToString::to_string);
    assert_eq!(setting("cleanup.policy").as_deref(), Some("compact"));
    assert_eq!(setting("min.insync.replicas").as_deref(), Some("2"));
    assert_eq!(setting("unclean.leader.election.enable").as_deref(), Some("false"));
}

#[test]
fn a_transaction_of_each_version() {
    for (version, v2) in [("0", false), ("1", false), ("2", true)] {
        let settings = [SETTINGS[0], ("transaction.version", version)];
        let (mut cluster, id) = Cluster::with_topic(3, &settings);
        let mut producer = init(&mut cluster);
        let (mut end_offset, mut sequence) = (0, 0);
        for committed in [true, false, true] {
            if v2 {
                sequence = 0;
            } else {
                assert_eq!(produce(&mut cluster, id, producer, sequence, v2), ErrorCode::TransactionAbortable);
                assert_eq!(add(&mut cluster, producer, id), ErrorCode::None);
            }
            assert_eq!(produce(&mut cluster, id, producer, sequence, v2), ErrorCode::None);
            assert_eq!(offsets(&cluster, id), (end_offset + 1, end_offset), "it is open");
            let (error, next) = end(&mut cluster, producer, committed, v2);
            assert_eq!(error, ErrorCode::None);
            if v2 {
                assert_eq!(next, (producer.0, producer.1 + 1));
                producer = next;
            } else {
                assert_eq!(next, (-1, -1));
                sequence += 1;
            }
            cluster.run_for(1_000);
            end_offset += 2;
            assert_eq!(offsets(&cluster, id), (end_offset, end_offset), "version {version}");
            let complete = if committed { State::CompleteCommit } else { State::CompleteAbort };
            assert_eq!(state(&mut cluster), (complete, producer.1, 0));
        }
    }
}

/// The coordinator dies with PrepareCommit in the log, before any marker: the next one writes the markers, and the client
/// that asks again is told that all is well.
#[test]
fn e17_the_coordinator_fails_in_the_middle_of_a_commit() {
    let mut cluster = Cluster::start(3, &SETTINGS);
    let (first, id) = topic_elsewhere(&mut cluster);
    let producer = init(&mut cluster);
    assert_eq!(produce(&mut cluster, id, producer, 0, true), ErrorCode::None);
    cluster.send_request(first, delivery_lab::node::Channel::Producer, end_request(producer, true, true));
    let decided = |event: &Event| matches!(event, Event::TransactionChanged { state: State::PrepareCommit, .. });
    let mut waited = 0;
    while !cluster.events.iter().any(|(_, _, event)| decided(event)) {
        cluster.run_until(cluster.now + Duration::from_micros(100));
        waited += 1;
        assert!(waited < 100_000, "it is never decided");
    }
    cluster.crash(first, Crash::PowerLoss);
    assert_eq!(offsets(&cluster, id), (1, 0), "no marker was written");
    cluster.run_for(15_000);
    let second = find_coordinator(&mut cluster);
    assert_ne!(first, second);
    assert_eq!(offsets(&cluster, id), (2, 2), "the new coordinator has written it");
    assert_eq!(state(&mut cluster), (State::CompleteCommit, producer.1 + 1, 0));
    let (error, next) = end(&mut cluster, producer, true, true);
    assert_eq!((error, next), (ErrorCode::None, (producer.0, producer.1 + 1)), "a retry");
    let (error, _) = end(&mut cluster, producer, false, true);
    assert_eq!(error, ErrorCode::InvalidTxnState, "it cannot be undone any more");
    assert_eq!(produce(&mut cluster, id, next, 0, true), ErrorCode::None);
}

/// The leader of a partition is dead when its transaction ends: the marker waits for the next leader.
#[test]
fn a_marker_waits_for_the_next_leader() {
    let mut cluster = Cluster::start(3, &SETTINGS);
    let (_, id) = topic_elsewhere(&mut cluster);
    let producer = init(&mut cluster);
    assert_eq!(produce(&mut cluster, id, producer, 0, true), ErrorCode::None);
    let leader = cluster.leader(id);
    cluster.crash(leader, Crash::Process);
    let (error, _) = end(&mut cluster, producer, true, true);
    assert_eq!(error, ErrorCode::None, "decided, whoever leads");
    assert_eq!(state(&mut cluster).0, State::PrepareCommit);
    cluster.run_for(15_000);
    assert_ne!(cluster.leader(id), leader);
    assert_eq!(offsets(&cluster, id), (2, 2));
    assert_eq!(state(&mut cluster).0, State::CompleteCommit);
}

/// §5.7: the transaction of a producer that is gone is aborted by the coordinator.
#[test]
fn e8_an_abandoned_transaction_is_aborted() {
    let (mut cluster, id) = Cluster::with_topic(3, &SETTINGS);
    let producer = init(&mut cluster);
    assert_eq!(produce(&mut cluster, id, producer, 0, true), ErrorCode::None);
    cluster.run_for(55_000);
    assert_eq!(offsets(&cluster, id), (1, 0));
    cluster.run_for(20_000);
    assert_eq!(offsets(&cluster, id), (2, 2));
    assert_eq!(state(&mut cluster), (State::CompleteAbort, producer.1 + 1, 0));
    assert_eq!(produce(&mut cluster, id, producer, 1, true), ErrorCode::InvalidProducerEpoch, "it is fenced");
}

/// Two producers with one transactional id: the second aborts what the first has open, and the first can do no more.
#[test]
fn f3_the_second_producer_fences_the_first() {
    let (mut cluster, id) = Cluster::with_topic(3, &SETTINGS);
    let first = init(&mut cluster);
    assert_eq!(produce(&mut cluster, id, first, 0, true), ErrorCode::None);
    let second = init(&mut cluster);
    assert_eq!(second, (first.0, first.1 + 2));
    assert_eq!(offsets(&cluster, id), (2, 2), "aborted");
    assert_eq!(end(&mut cluster, first, true, true).0, ErrorCode::ProducerFenced);
    assert_eq!(produce(&mut cluster, id, first, 1, true), ErrorCode::InvalidProducerEpoch);
    assert_eq!(produce(&mut cluster, id, second, 0, true), ErrorCode::None);
    assert_eq!(end(&mut cluster, second, true, true), (ErrorCode::None, (second.0, second.1 + 1)));
    cluster.run_for(1_000);
    assert_eq!(offsets(&cluster, id), (4, 4));
}

/// KIP-664: without verification a late batch opens a transaction that nobody will end. An administrator finds it with
/// DescribeProducers, and ends it with a marker in the coordinator's name (`kafka-transactions.sh abort`).
#[test]
fn a_hanging_transaction_and_its_repair() {
    for verification in ["false", "true"] {
        let verifies = ("transaction.partition.verification.enable", verification);
        let (mut cluster, id) = Cluster::with_topic(3, &[SETTINGS[0], ("transaction.version", "1"), verifies]);
        let producer = init(&mut cluster);
        assert_eq!(add(&mut cluster, producer, id), ErrorCode::None);
        assert_eq!(produce(&mut cluster, id, producer, 0, false), ErrorCode::None);
        assert_eq!(end(&mut cluster, producer, true, false).0, ErrorCode::None);
        cluster.run_for(1_000);
        let late = produce(&mut cluster, id, producer, 1, false);
        cluster.run_for(120_000);
        if verification == "true" {
            assert_eq!((late, offsets(&cluster, id)), (ErrorCode::TransactionAbortable, (2, 2)));
            continue;
        }
        assert_eq!((late, offsets(&cluster, id)), (ErrorCode::None, (3, 2)), "no timeout ends it");
        assert_eq!(state(&mut cluster), (State::CompleteCommit, producer.1, 0), "its coordinator knows nothing of it");
        let leader = cluster.leader(id);
        let request = Request::DescribeProducers(DescribeProducersRequest { partitions: vec![id] });
        let Response::DescribeProducers(described) = cluster.call(leader, request) else { panic!() };
        let open = described.partitions[0].producers[0];
        assert_eq!((open.producer_id, open.current_txn_start_offset), (producer.0, 2));
        let marker = TxnMarker {
            producer_id: open.producer_id,
            producer_epoch: open.producer_epoch,
            committed: false,
            coordinator_epoch: open.coordinator_epoch,
            transaction_version: 0,
            partitions: vec![id],
        };
        let request = Request::WriteTxnMarkers(WriteTxnMarkersRequest { markers: vec![marker] });
        assert_eq!(cluster.call(leader, request).error(), ErrorCode::None);
        cluster.run_for(1_000);
        assert_eq!(offsets(&cluster, id), (4, 4));
    }
}
