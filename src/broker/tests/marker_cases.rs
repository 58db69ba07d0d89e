//! WriteTxnMarkers and DescribeProducers on a partition's leader (KafkaApisTest, `kafka-cases.md` E18's other side).

use super::bench::{Bench, ID};
use super::requests::fetch;
use crate::base::{BrokerId, TopicId, TopicPartition};
use crate::log::{AppendContext, AppendOrigin};
use crate::metadata::{CONSUMER_OFFSETS_TOPIC, MetadataRecord, PartitionRegistration};
use crate::node::Event;
use crate::protocol::{
    ActiveProducer, DescribeProducersPartition, DescribeProducersRequest, ErrorCode, FetchReplica, FetchSession,
    Request, Response, TxnMarker, WriteTxnMarkersRequest,
};
use crate::record::BatchBuilder;

const TIMESTAMP: i64 = 1_767_225_600_000;
const OFFSETS: TopicPartition = TopicPartition::new(TopicId(2), 0);

/// Broker 1 leads, broker 2 is in sync.
fn leader(settings: &[(&str, &str)]) -> Bench {
    let unverified = [settings, &[("transaction.partition.verification.enable", "false")]].concat();
    let mut bench = Bench::new(&unverified);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    bench
}

fn lead_offsets(bench: &mut Bench, leader: i32) {
    bench.follow(&[MetadataRecord::Topic { name: CONSUMER_OFFSETS_TOPIC.into(), topic: OFFSETS.topic }]);
    let mut registration = PartitionRegistration::new(vec![BrokerId(1), BrokerId(2)], vec![BrokerId(leader)]);
    registration.leader = BrokerId(leader);
    bench.follow(&[MetadataRecord::Partition(registration.to_record(OFFSETS))]);
}

fn begin(bench: &mut Bench, producer_id: i64, epoch: i16) {
    let mut builder = BatchBuilder::new(TIMESTAMP).producer(producer_id, epoch, 0).transactional(true);
    builder.append(TIMESTAMP, None, Some(b"x"), &[]);
    let (batch, context) = (builder.build(), AppendContext::from(AppendOrigin::Client));
    bench.run(|replicas, _, ctx| replicas.append(ID, &batch, 1, context, ctx).expect("appended"));
}

fn marker(producer_id: i64, producer_epoch: i16, partitions: &[TopicPartition]) -> TxnMarker {
    TxnMarker {
        producer_id,
        producer_epoch,
        committed: true,
        coordinator_epoch: 3,
        transaction_version: 2,
        partitions: partitions.to_vec(),
    }
}

fn write(bench: &mut Bench, markers: &[TxnMarker]) -> u32 {
    bench.request(Request::WriteTxnMarkers(WriteTxnMarkersRequest { markers: markers.to_vec() }))
}

fn errors(bench: &Bench, request: u32) -> Option<Vec<(i64, Vec<ErrorCode>)>> {
    match bench.responses.get(&request)? {
        Response::WriteTxnMarkers(response) => {
            let marker = |it: &crate::protocol::TxnMarkerResult| {
                (it.producer_id, it.partitions.iter().map(|(_, error)| *error).collect())
            };
            Some(response.markers.iter().map(marker).collect())
        }
        other => panic!("{other:?}"),
    }
}

/// Broker 2 has everything up to there.
fn replicate(bench: &mut Bench, id: TopicPartition, offset: i64) {
    let mut request = fetch(id, offset, FetchSession::NONE);
    request.replica = Some(FetchReplica { id: BrokerId(2), epoch: 102 });
    request.partitions[0].log_start_offset = 0;
    bench.request(Request::Fetch(request));
}

#[test]
fn a_marker_is_answered_when_the_isr_has_it() {
    let mut bench = leader(&[]);
    begin(&mut bench, 7, 0);
    let request = write(&mut bench, &[marker(7, 1, &[ID])]);
    let log = bench.partition().log();
    assert_eq!((log.log_end_offset(), log.producer_state().ongoing_transactions().count()), (2, 0));
    let appended =
        bench.events.iter().any(|event| matches!(event, Event::Appended { batch, .. } if batch.is_control()));
    assert!(appended);
    assert_eq!(errors(&bench, request), None, "broker 2 has not fetched it");
    replicate(&mut bench, ID, 2);
    assert_eq!(errors(&bench, request), Some(vec![(7, vec![ErrorCode::None])]));
    assert_eq!(bench.partition().log().last_stable_offset(), 2);
}

#[test]
fn one_answer_for_all_markers() {
    let mut bench = leader(&[]);
    begin(&mut bench, 7, 0);
    begin(&mut bench, 8, 4);
    let nowhere = TopicPartition::new(TopicId(1), 9);
    let request = write(&mut bench, &[marker(7, 1, &[nowhere, ID]), marker(8, 3, &[ID]), marker(9, 0, &[])]);
    assert_eq!(errors(&bench, request), None);
    replicate(&mut bench, ID, 3);
    let fenced = ErrorCode::InvalidProducerEpoch;
    let unknown = ErrorCode::UnknownTopicOrPartition;
    assert_eq!(
        errors(&bench, request),
        Some(vec![(7, vec![unknown, ErrorCode::None]), (8, vec![fenced]), (9, vec![])])
    );
    let request = write(&mut bench, &[]);
    assert_eq!(errors(&bench, request), Some(vec![]));
}

#[test]
fn an_older_coordinator_is_fenced() {
    let mut bench = leader(&[]);
    begin(&mut bench, 7, 0);
    write(&mut bench, &[marker(7, 1, &[ID])]);
    let request = write(&mut bench, &[TxnMarker { coordinator_epoch: 2, ..marker(7, 2, &[ID]) }]);
    assert_eq!(errors(&bench, request), Some(vec![(7, vec![ErrorCode::TransactionCoordinatorFenced])]));
}

#[test]
fn a_leader_that_resigns_says_so() {
    let mut bench = leader(&[]);
    begin(&mut bench, 7, 0);
    let request = write(&mut bench, &[marker(7, 1, &[ID])]);
    bench.register_partition(2, 6, 2, &[1, 2], &[1, 2]);
    assert_eq!(errors(&bench, request), Some(vec![(7, vec![ErrorCode::NotLeaderOrFollower])]));
    let request = write(&mut bench, &[marker(7, 1, &[ID])]);
    assert_eq!(errors(&bench, request), Some(vec![(7, vec![ErrorCode::NotLeaderOrFollower])]));
}

#[test]
fn a_marker_that_is_not_replicated_times_out() {
    let mut bench = leader(&[]);
    begin(&mut bench, 7, 0);
    let request = write(&mut bench, &[marker(7, 1, &[ID])]);
    bench.advance(29_999);
    bench.run(|replicas, _, ctx| replicas.on_purgatory_timer(ctx));
    assert_eq!(errors(&bench, request), None);
    bench.advance(1);
    bench.run(|replicas, _, ctx| replicas.on_purgatory_timer(ctx));
    assert_eq!(errors(&bench, request), Some(vec![(7, vec![ErrorCode::RequestTimedOut])]));
    assert_eq!(bench.partition().log().log_end_offset(), 2, "it stays in the log");
}

#[test]
fn a_marker_needs_the_minimum_isr_but_not_where_groups_are() {
    let mut bench = leader(&[("min.insync.replicas", "2")]);
    bench.register_partition(1, 5, 2, &[1, 2], &[1]);
    lead_offsets(&mut bench, 1);
    begin(&mut bench, 7, 0);
    let request = write(&mut bench, &[marker(7, 1, &[ID])]);
    assert_eq!(errors(&bench, request), Some(vec![(7, vec![ErrorCode::NotEnoughReplicas])]));
    let request = write(&mut bench, &[marker(7, 1, &[OFFSETS])]);
    assert_eq!(errors(&bench, request), None, "appended, and waits");
    bench.advance(5_000);
    bench.run(|replicas, _, ctx| replicas.on_purgatory_timer(ctx));
    let late = Some(vec![(7, vec![ErrorCode::RequestTimedOut])]);
    assert_eq!(errors(&bench, request), late, "offsets.commit.timeout.ms");
}

#[test]
fn whoever_coordinates_no_groups_is_not_their_leader() {
    let mut bench = leader(&[]);
    lead_offsets(&mut bench, 2);
    let request = write(&mut bench, &[marker(7, 1, &[OFFSETS])]);
    assert_eq!(errors(&bench, request), Some(vec![(7, vec![ErrorCode::NotLeaderOrFollower])]));
}

#[test]
fn producers_are_described_on_any_replica() {
    let mut bench = leader(&[]);
    begin(&mut bench, 7, 0);
    let describe = |bench: &mut Bench, partition| {
        let request = DescribeProducersRequest { partitions: vec![partition] };
        bench.run(|replicas, _, ctx| replicas.describe_producers(&request, ctx)).partitions.remove(0)
    };
    let open = ActiveProducer {
        producer_id: 7,
        producer_epoch: 0,
        last_sequence: 0,
        last_timestamp: TIMESTAMP,
        coordinator_epoch: -1,
        current_txn_start_offset: 0,
    };
    let found = DescribeProducersPartition { partition: ID, error: ErrorCode::None, producers: vec![open] };
    assert_eq!(describe(&mut bench, ID), found);
    write(&mut bench, &[marker(7, 1, &[ID])]);
    bench.register_partition(2, 6, 2, &[1, 2], &[1, 2]);
    let ended = describe(&mut bench, ID).producers[0];
    assert_eq!((ended.producer_epoch, ended.last_sequence, ended.coordinator_epoch), (1, -1, 3));
    assert_eq!(ended.current_txn_start_offset, -1);
    let unknown = describe(&mut bench, TopicPartition::new(TopicId(1), 9));
    assert_eq!(unknown.error, ErrorCode::UnknownTopicOrPartition);
}
