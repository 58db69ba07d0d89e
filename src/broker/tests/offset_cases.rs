//! TxnOffsetCommit at a group coordinator (GroupCoordinatorServiceTest, CoordinatorRuntimeTest).

use super::group_bench::{ID, Lab, OFFSETS};
use crate::broker::group_coordinator::write_error;
use crate::protocol::{ErrorCode, OffsetCommitPartition, Request, TxnOffsetCommitRequest};

pub(super) fn request(offset: i64) -> TxnOffsetCommitRequest {
    TxnOffsetCommitRequest {
        transactional_id: "t".into(),
        group: "mail".into(),
        producer_id: 5,
        producer_epoch: 0,
        generation: -1,
        member_id: "".into(),
        instance_id: None,
        transaction_v2: true,
        offsets: vec![OffsetCommitPartition { partition: ID, offset, leader_epoch: 0, metadata: "".into() }],
    }
}

#[test]
fn the_partition_of_the_group_is_added_to_the_transaction_first() {
    let mut lab = Lab::new(&[1, 2], &[]);
    let first = lab.commit(&request(7));
    let (_, question) = lab.bench.last_sent(2);
    let Request::AddPartitionsToTxn(question) = question else { panic!("{question:?}") };
    let asked = &question.transactions[0];
    assert_eq!((&*asked.transactional_id, asked.producer_id, asked.verify_only), ("t", 5, false));
    assert_eq!((asked.partitions.as_slice(), lab.log_end()), (&[OFFSETS][..], 0));
    lab.answer(ErrorCode::None);
    assert_eq!((lab.error(first), lab.log_end()), (None, 1), "appended, not replicated");
    lab.replicate(1);
    assert_eq!(lab.error(first), Some(ErrorCode::None));
    let second = lab.commit(&request(8));
    assert_eq!((lab.questions(), lab.log_end()), (1, 2), "the transaction is known here now");
    lab.replicate(2);
    assert_eq!((lab.error(second), lab.fetch()), (Some(ErrorCode::None), (ErrorCode::UnstableOffsetCommit, -1)));
    let batch = lab.bench.replicas.partition(OFFSETS).expect("hosted").log().batches_from(0).next().expect("a batch");
    assert!(batch.is_transactional() && !batch.is_control());
    assert_eq!((batch.producer_id(), batch.producer_epoch(), batch.base_sequence()), (5, 0, -1));
    let end = lab.end(true);
    assert_eq!(lab.error(end), None);
    lab.replicate(3);
    assert_eq!((lab.error(end), lab.fetch()), (Some(ErrorCode::None), (ErrorCode::None, 8)));
}

#[test]
fn an_aborted_transaction_commits_no_offsets() {
    let mut lab = Lab::new(&[1], &[]);
    let commit = lab.commit(&request(7));
    lab.answer(ErrorCode::None);
    assert_eq!((lab.error(commit), lab.fetch().0), (Some(ErrorCode::None), ErrorCode::UnstableOffsetCommit));
    lab.end(false);
    assert_eq!(lab.fetch(), (ErrorCode::None, -1));
}

#[test]
fn errors_of_the_verification_are_told_as_kafka_tells_them() {
    let cases = [
        (ErrorCode::NetworkException, ErrorCode::CoordinatorLoadInProgress),
        (ErrorCode::CoordinatorLoadInProgress, ErrorCode::CoordinatorLoadInProgress),
        (ErrorCode::NotCoordinator, ErrorCode::NotCoordinator),
        (ErrorCode::ConcurrentTransactions, ErrorCode::ConcurrentTransactions),
        (ErrorCode::TransactionAbortable, ErrorCode::TransactionAbortable),
        (ErrorCode::ProducerFenced, ErrorCode::InvalidProducerEpoch),
        (ErrorCode::InvalidProducerIdMapping, ErrorCode::InvalidProducerIdMapping),
    ];
    for (found, told) in cases {
        let mut lab = Lab::new(&[1], &[]);
        let commit = lab.commit(&request(7));
        lab.answer(found);
        assert_eq!((lab.error(commit), lab.log_end()), (Some(told), 0), "{found:?}");
    }
}

#[test]
fn version_4_only_asks_whether_the_partition_was_added() {
    let old = TxnOffsetCommitRequest { transaction_v2: false, ..request(7) };
    let mut lab = Lab::new(&[1], &[]);
    lab.commit(&old);
    let (_, question) = lab.bench.last_sent(2);
    let Request::AddPartitionsToTxn(question) = question else { panic!("{question:?}") };
    assert!(question.transactions[0].verify_only);
    let mut lab = Lab::new(&[1], &[("transaction.partition.verification.enable", "false")]);
    let commit = lab.commit(&old);
    assert_eq!((lab.questions(), lab.error(commit)), (0, Some(ErrorCode::None)));
}

#[test]
fn nobody_else_coordinates_the_group() {
    let mut lab = Lab::new(&[1, 2], &[]);
    let waiting = lab.commit(&request(7));
    lab.answer(ErrorCode::None);
    lab.lead(OFFSETS, &[1, 2], 2, 1);
    assert_eq!(lab.error(waiting), Some(ErrorCode::NotCoordinator), "it was appended, and waited for broker 2");
    let commit = lab.commit(&request(7));
    assert_eq!((lab.error(commit), lab.questions()), (Some(ErrorCode::NotCoordinator), 1));
    let nameless = lab.commit(&TxnOffsetCommitRequest { group: "".into(), ..request(7) });
    assert_eq!(lab.error(nameless), Some(ErrorCode::InvalidGroupId));
    let mut nowhere = request(7);
    nowhere.offsets[0].partition.partition = 9;
    let commit = lab.commit(&nowhere);
    assert_eq!(lab.error(commit), Some(ErrorCode::UnknownTopicOrPartition));
}

#[test]
fn offsets_that_are_not_replicated_time_out() {
    let mut lab = Lab::new(&[1, 2], &[]);
    let commit = lab.commit(&request(7));
    lab.answer(ErrorCode::None);
    lab.bench.advance(5_000);
    lab.run(|group, replicas, ctx| group.on_timer(replicas, ctx));
    assert_eq!(lab.error(commit), Some(ErrorCode::CoordinatorNotAvailable));
}

/// `GroupCoordinatorService.handleOperationException`.
#[test]
fn what_the_log_says_is_told_as_kafka_tells_it() {
    use ErrorCode::*;
    let told = [
        (UnknownTopicOrPartition, CoordinatorNotAvailable),
        (NotEnoughReplicas, CoordinatorNotAvailable),
        (RequestTimedOut, CoordinatorNotAvailable),
        (NotLeaderOrFollower, NotCoordinator),
        (KafkaStorageError, NotCoordinator),
        (MessageTooLarge, UnknownServerError),
        (RecordListTooLarge, UnknownServerError),
        (InvalidFetchSize, UnknownServerError),
        (NetworkException, CoordinatorLoadInProgress),
        (InvalidProducerEpoch, InvalidProducerEpoch),
    ];
    for (found, error) in told {
        assert_eq!(write_error(found), error, "{found:?}");
    }
}
