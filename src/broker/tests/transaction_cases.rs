//! Kafka's cases about transactions on the leader of a partition (`kafka-cases.md`, C21, C22): ReplicaManagerTest,
//! AddPartitionsToTxnManagerTest. The coordinator of all transactions is broker 2.

use super::bench::{Bench, ID, LOCAL};
use crate::base::{BrokerId, Duration, TopicId, TopicPartition};
use crate::log::{AppendContext, AppendOrigin};
use crate::metadata::{MetadataRecord, PartitionRegistration, TRANSACTION_STATE_TOPIC};
use crate::protocol::{
    AddPartitionsToTxn, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, AddPartitionsToTxnResult, ErrorCode,
    ProducePartition, ProducePartitionResponse, ProduceRequest, Request, Response,
};
use crate::record::{BatchBuilder, ControlRecord, RecordBatch};

const COORDINATOR: BrokerId = BrokerId(2);
const TIMESTAMP: i64 = 1_767_225_600_000;
const VERSION_1: (&str, &str) = ("transaction.version", "1");

/// A leader alone in its ISR, and a transaction coordinator.
fn leader(settings: &[(&str, &str)]) -> Bench {
    let mut bench = Bench::new(settings);
    bench.register_partition(1, 5, 1, &[1], &[1]);
    let topic = TopicId(2);
    bench.follow(&[MetadataRecord::Topic { name: TRANSACTION_STATE_TOPIC.into(), topic }]);
    lead_coordinator(&mut bench, COORDINATOR);
    bench
}

fn lead_coordinator(bench: &mut Bench, leader: BrokerId) {
    let mut registration = PartitionRegistration::new(vec![COORDINATOR], vec![COORDINATOR]);
    registration.leader = leader;
    bench.follow(&[MetadataRecord::Partition(registration.to_record(TopicPartition::new(TopicId(2), 0)))]);
}

fn batch(producer_id: i64, epoch: i16, sequence: i32, transactional: bool) -> RecordBatch {
    let mut builder = BatchBuilder::new(TIMESTAMP).producer(producer_id, epoch, sequence).transactional(transactional);
    builder.append(TIMESTAMP, None, Some(b"x"), &[]);
    builder.build()
}

fn request(batches: &[(TopicPartition, RecordBatch)]) -> ProduceRequest {
    let part = |(partition, batch): &(TopicPartition, RecordBatch)| ProducePartition {
        partition: *partition,
        batch: batch.clone(),
    };
    let timeout = Duration::from_millis(30_000);
    ProduceRequest {
        transactional_id: Some("t".into()),
        transaction_v2: true,
        acks: -1,
        timeout,
        partitions: batches.iter().map(part).collect(),
    }
}

/// One batch of the transaction; the request's number.
fn produce(bench: &mut Bench, epoch: i16, sequence: i32) -> u32 {
    let transaction_v2 = bench.config().transaction_version >= 2;
    let request = request(&[(ID, batch(1, epoch, sequence, true))]);
    bench.request(Request::Produce(ProduceRequest { transaction_v2, ..request }))
}

fn questions(bench: &Bench) -> Vec<&AddPartitionsToTxnRequest> {
    let asked = bench.sent.iter().filter_map(|(_, _, request)| match request {
        Request::AddPartitionsToTxn(request) => Some(request),
        _ => None,
    });
    asked.collect()
}

/// The coordinator answers the last question, the same for all partitions.
fn answer(bench: &mut Bench, error: ErrorCode) {
    let (correlation, question) = bench.last_sent(COORDINATOR.0);
    let Request::AddPartitionsToTxn(question) = question else { panic!("{question:?}") };
    let result = |it: &AddPartitionsToTxn| AddPartitionsToTxnResult {
        transactional_id: it.transactional_id.clone(),
        partitions: it.failed(error),
    };
    let transactions = question.transactions.iter().map(result).collect();
    respond(bench, correlation, AddPartitionsToTxnResponse { error: ErrorCode::None, transactions });
}

fn respond(bench: &mut Bench, correlation: u32, response: AddPartitionsToTxnResponse) {
    let response = Response::AddPartitionsToTxn(response);
    bench.run(|replicas, _, ctx| replicas.on_coordinator_response(COORDINATOR, correlation, response, ctx));
}

fn responses(bench: &Bench, produce: u32) -> Option<&[ProducePartitionResponse]> {
    match bench.responses.get(&produce)? {
        Response::Produce(response) => Some(&response.partitions),
        other => panic!("{other:?}"),
    }
}

fn error(bench: &Bench, produce: u32) -> Option<ErrorCode> {
    responses(bench, produce).map(|partitions| partitions[0].error)
}

fn log_end(bench: &Bench) -> i64 {
    bench.partition().log().log_end_offset()
}

fn end_transaction(bench: &mut Bench, commit: bool, epoch: i16) {
    let marker = ControlRecord::marker_batch(commit, 1, epoch, 0, TIMESTAMP);
    let context = AppendContext { transaction_version: Some(1), ..AppendOrigin::Coordinator.into() };
    bench.run(|replicas, _, ctx| replicas.append(ID, &marker, -1, context, ctx).expect("appended"));
}

#[test]
fn c21_verification_errors_are_converted() {
    let cases = [
        (ErrorCode::NetworkException, ErrorCode::NotEnoughReplicas, ErrorCode::NotEnoughReplicas),
        (ErrorCode::CoordinatorLoadInProgress, ErrorCode::NotEnoughReplicas, ErrorCode::NotEnoughReplicas),
        (ErrorCode::CoordinatorNotAvailable, ErrorCode::NotEnoughReplicas, ErrorCode::NotEnoughReplicas),
        (ErrorCode::NotCoordinator, ErrorCode::NotEnoughReplicas, ErrorCode::NotEnoughReplicas),
        (ErrorCode::ConcurrentTransactions, ErrorCode::NotEnoughReplicas, ErrorCode::ConcurrentTransactions),
        (ErrorCode::InvalidTxnState, ErrorCode::InvalidTxnState, ErrorCode::InvalidTxnState),
        (ErrorCode::InvalidProducerIdMapping, ErrorCode::InvalidProducerIdMapping, ErrorCode::InvalidProducerIdMapping),
        (ErrorCode::ProducerFenced, ErrorCode::InvalidProducerEpoch, ErrorCode::InvalidProducerEpoch),
        (ErrorCode::InvalidProducerEpoch, ErrorCode::InvalidProducerEpoch, ErrorCode::InvalidProducerEpoch),
    ];
    // Without a pause before it gives up, version 2 passes on that another transaction is being ended.
    let version_2 = ("add.partitions.to.txn.retry.backoff.max.ms", "0");
    for (found, under_1, under_2) in cases {
        for (setting, expected) in [(VERSION_1, under_1), (version_2, under_2)] {
            let mut bench = leader(&[setting]);
            let produce = produce(&mut bench, 0, 0);
            assert_eq!(error(&bench, produce), None, "it waits");
            answer(&mut bench, found);
            let response = &responses(&bench, produce).expect("answered")[0];
            assert_eq!(response.error, expected, "{found:?} with {setting:?}");
            assert_eq!((response.base_offset, response.log_start_offset, log_end(&bench)), (-1, -1, 0));
        }
    }
}

#[test]
fn c21_an_error_of_the_whole_answer_and_a_broken_connection() {
    let mut bench = leader(&[]);
    let produced = produce(&mut bench, 0, 0);
    let correlation = bench.last_sent(COORDINATOR.0).0;
    let failed = AddPartitionsToTxnResponse { error: ErrorCode::NotCoordinator, transactions: Vec::new() };
    respond(&mut bench, correlation + 1, failed.clone());
    assert_eq!(error(&bench, produced), None, "that answers nothing that was asked");
    respond(&mut bench, correlation, failed);
    assert_eq!(error(&bench, produced), Some(ErrorCode::NotEnoughReplicas));

    let produced = produce(&mut bench, 0, 0);
    bench.run(|replicas, _, ctx| replicas.on_coordinator_disconnect(COORDINATOR, ctx));
    assert_eq!(error(&bench, produced), Some(ErrorCode::NotEnoughReplicas));

    let produced = produce(&mut bench, 0, 0);
    bench.advance(29_999);
    bench.run(|replicas, _, ctx| replicas.on_verification_timer(ctx));
    assert_eq!(error(&bench, produced), None, "request.timeout.ms");
    bench.advance(1);
    bench.run(|replicas, _, ctx| replicas.on_verification_timer(ctx));
    assert_eq!(error(&bench, produced), Some(ErrorCode::NotEnoughReplicas));
    assert_eq!((bench.closed, log_end(&bench)), (1, 0));
}

#[test]
fn c21_no_coordinator_is_one_that_is_not_available() {
    let mut bench = leader(&[]);
    lead_coordinator(&mut bench, BrokerId::NONE);
    let produced = produce(&mut bench, 0, 0);
    assert_eq!(error(&bench, produced), Some(ErrorCode::NotEnoughReplicas));
    lead_coordinator(&mut bench, COORDINATOR);
    bench.register(COORDINATOR.0, true, false);
    let produced = produce(&mut bench, 0, 0);
    assert_eq!(error(&bench, produced), Some(ErrorCode::NotEnoughReplicas), "it is fenced");
    assert_eq!((questions(&bench).len(), log_end(&bench)), (0, 0));
}

#[test]
fn c22_a_verified_batch_is_appended_and_the_next_needs_no_verification() {
    for (settings, verify_only) in [(&[VERSION_1][..], true), (&[], false)] {
        let mut bench = leader(settings);
        let produced = produce(&mut bench, 0, 0);
        let question = &questions(&bench)[0].transactions;
        let expected = AddPartitionsToTxn {
            transactional_id: "t".into(),
            producer_id: 1,
            producer_epoch: 0,
            verify_only,
            partitions: vec![ID],
        };
        assert_eq!((question, log_end(&bench)), (&vec![expected], 0));
        answer(&mut bench, ErrorCode::None);
        assert_eq!(responses(&bench, produced).map(|it| (it[0].error, it[0].base_offset)), Some((ErrorCode::None, 0)));
        let produced = produce(&mut bench, 0, 1);
        assert_eq!(responses(&bench, produced).map(|it| (it[0].error, it[0].base_offset)), Some((ErrorCode::None, 1)));
        assert_eq!(questions(&bench).len(), 1);
        end_transaction(&mut bench, true, 0);
        produce(&mut bench, 0, 2);
        assert_eq!(questions(&bench).len(), 2, "the next transaction is verified again");
    }
}

#[test]
fn c22_an_abort_takes_the_guard_away() {
    let mut bench = leader(&[]);
    let produced = produce(&mut bench, 0, 0);
    end_transaction(&mut bench, false, 0);
    answer(&mut bench, ErrorCode::None);
    assert_eq!(error(&bench, produced), Some(ErrorCode::InvalidTxnState));
    assert_eq!(log_end(&bench), 1, "the marker alone");
}

#[test]
fn c22_without_verification_version_1_asks_nobody_and_version_2_adds_all_the_same() {
    let off = ("transaction.partition.verification.enable", "false");
    let mut bench = leader(&[off, VERSION_1]);
    let produced = produce(&mut bench, 0, 0);
    assert_eq!((error(&bench, produced), questions(&bench).len()), (Some(ErrorCode::None), 0));
    let mut bench = leader(&[off]);
    let produced = produce(&mut bench, 0, 0);
    assert_eq!((error(&bench, produced), questions(&bench).len()), (None, 1));
    answer(&mut bench, ErrorCode::None);
    assert_eq!(error(&bench, produced), Some(ErrorCode::None));
}

#[test]
fn c22_concurrent_transactions_are_asked_again_for_a_while() {
    let mut bench = leader(&[]);
    let produced = produce(&mut bench, 0, 0);
    for asked in 1..=5 {
        assert_eq!((error(&bench, produced), questions(&bench).len()), (None, asked));
        answer(&mut bench, ErrorCode::ConcurrentTransactions);
        bench.run(|replicas, _, ctx| replicas.on_verification_timer(ctx));
        assert_eq!(questions(&bench).len(), asked, "not before the pause is over");
        bench.advance(20);
        bench.run(|replicas, _, ctx| replicas.on_verification_timer(ctx));
    }
    answer(&mut bench, ErrorCode::ConcurrentTransactions);
    assert_eq!(error(&bench, produced), Some(ErrorCode::ConcurrentTransactions));
    produce(&mut bench, 0, 0);
    answer(&mut bench, ErrorCode::ConcurrentTransactions);
    bench.advance(20);
    bench.run(|replicas, _, ctx| replicas.on_verification_timer(ctx));
    answer(&mut bench, ErrorCode::None);
    assert_eq!(log_end(&bench), 1);
}

#[test]
fn c22_one_question_per_transactional_id_waits() {
    let mut bench = leader(&[]);
    let asked = produce(&mut bench, 1, 0);
    let waits = produce(&mut bench, 1, 0);
    let again = produce(&mut bench, 1, 0);
    assert_eq!(error(&bench, waits), Some(ErrorCode::NotEnoughReplicas), "the producer has asked again");
    let fenced = produce(&mut bench, 0, 0);
    assert_eq!(error(&bench, fenced), Some(ErrorCode::InvalidProducerEpoch));
    let newer = produce(&mut bench, 2, 0);
    assert_eq!(error(&bench, again), Some(ErrorCode::InvalidProducerEpoch));
    assert_eq!((error(&bench, asked), error(&bench, newer), questions(&bench).len()), (None, None, 1));
    answer(&mut bench, ErrorCode::ProducerFenced);
    assert_eq!((error(&bench, asked), questions(&bench).len()), (Some(ErrorCode::InvalidProducerEpoch), 2));
    answer(&mut bench, ErrorCode::None);
    assert_eq!(error(&bench, newer), Some(ErrorCode::None));
    let late = produce(&mut bench, 1, 0);
    assert_eq!((error(&bench, late), questions(&bench).len()), (Some(ErrorCode::InvalidProducerEpoch), 2));
}

#[test]
fn c22_the_other_partitions_wait_but_do_not_fail() {
    let mut bench = leader(&[]);
    let other = TopicPartition::new(ID.topic, 1);
    let mut registration = PartitionRegistration::new(vec![LOCAL], vec![LOCAL]);
    registration.leader = LOCAL;
    bench.follow(&[MetadataRecord::Partition(registration.to_record(other))]);
    let batches = [(ID, batch(1, 0, 0, true)), (other, batch(1, 0, 0, false))];
    let produced = bench.request(Request::Produce(request(&batches)));
    assert_eq!(error(&bench, produced), None);
    answer(&mut bench, ErrorCode::NotCoordinator);
    let errors = responses(&bench, produced).map(|it| (it[0].error, it[1].error, it[1].base_offset));
    assert_eq!(errors, Some((ErrorCode::NotEnoughReplicas, ErrorCode::None, 0)));
    let batches = [(ID, batch(1, 0, 0, true)), (other, batch(2, 0, 0, true))];
    let produced = bench.request(Request::Produce(request(&batches)));
    let errors = responses(&bench, produced).map(|it| (it[0].error, it[1].error));
    let expected = ErrorCode::InvalidProducerIdMapping;
    assert_eq!(errors, Some((expected, expected)), "two producers in one request");
}

#[test]
fn a_producer_without_transactions_asks_nobody() {
    let mut bench = leader(&[]);
    let produced = bench.request(Request::Produce(request(&[(ID, batch(1, 0, 0, false))])));
    assert_eq!((error(&bench, produced), questions(&bench).len()), (Some(ErrorCode::None), 0));
}

/// What a real Kafka answers: `transactions-partitions/transactional-bits` in `tests/golden/kafka`.
#[test]
fn a_transactional_batch_without_a_producer_is_appended_unasked() {
    let mut bench = leader(&[]);
    let produce = bench.request(Request::Produce(request(&[(ID, batch(-1, -1, -1, true))])));
    assert_eq!((error(&bench, produce), log_end(&bench)), (Some(ErrorCode::None), 1));
    assert_eq!(questions(&bench), Vec::<&AddPartitionsToTxnRequest>::new());
    let without_id = ProduceRequest { transactional_id: None, ..request(&[(ID, batch(-1, -1, -1, true))]) };
    let produce = bench.request(Request::Produce(without_id));
    assert_eq!(error(&bench, produce), Some(ErrorCode::TransactionalIdAuthorizationFailed));
}
