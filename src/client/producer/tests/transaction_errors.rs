//! Every error code that a coordinator or a leader can answer, and what becomes of the transaction: the branches of
//! `TransactionManager`'s handlers, and the tests of theirs that are named after an error.

use super::harness::Lab;
use crate::client::producer::SendOutcome;
use crate::protocol::{ApiKey, ErrorCode};
use ErrorCode::*;

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// Sent again, and then all was well.
    Retried,
    Abortable,
    Fatal,
    /// As if new.
    Uninitialized,
    /// An error that an abort in progress swallows.
    StaysAborting,
}

/// What is being done when the error comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Doing {
    Init,
    FindTransactionCoordinator,
    FindGroupCoordinator,
    Write,
    SendOffsets,
    CommitOffsets,
    Commit,
    Abort,
}

impl Doing {
    fn api(self) -> ApiKey {
        match self {
            Doing::Init => ApiKey::InitProducerId,
            Doing::FindTransactionCoordinator | Doing::FindGroupCoordinator => ApiKey::FindCoordinator,
            Doing::Write => ApiKey::AddPartitionsToTxn,
            Doing::SendOffsets => ApiKey::AddOffsetsToTxn,
            Doing::CommitOffsets => ApiKey::TxnOffsetCommit,
            Doing::Commit | Doing::Abort => ApiKey::EndTxn,
        }
    }

    fn needs_version(self) -> Option<u8> {
        matches!(self, Doing::Write | Doing::SendOffsets).then_some(1)
    }
}

/// Kafka's, branch by branch.
fn expected(doing: Doing, error: ErrorCode) -> End {
    let abortable: &[ErrorCode] = match doing {
        Doing::Init => &[TransactionAbortable],
        Doing::FindTransactionCoordinator | Doing::FindGroupCoordinator => {
            &[GroupAuthorizationFailed, TransactionAbortable]
        }
        Doing::Write | Doing::Commit => &[UnknownProducerId, TransactionAbortable],
        Doing::SendOffsets => &[UnknownProducerId, GroupAuthorizationFailed, TransactionAbortable],
        Doing::CommitOffsets => {
            &[GroupAuthorizationFailed, FencedInstanceId, TransactionAbortable, UnknownMemberId, IllegalGeneration]
        }
        Doing::Abort => &[],
    };
    let fatal_for_partitions = [
        InvalidProducerEpoch,
        ProducerFenced,
        TransactionalIdAuthorizationFailed,
        InvalidTxnState,
        InvalidProducerIdMapping,
    ];
    match (doing, error) {
        _ if error.is_retriable() => End::Retried,
        (Doing::Init, TransactionalIdAuthorizationFailed | ClusterAuthorizationFailed) => End::Uninitialized,
        // A bug of Kafka's: nothing follows.
        (Doing::Abort, UnknownProducerId) => End::StaysAborting,
        (Doing::Write, error) if !fatal_for_partitions.contains(&error) => End::Abortable,
        _ if abortable.contains(&error) => End::Abortable,
        _ => End::Fatal,
    }
}

fn run(doing: Doing, version: u8, error: ErrorCode) -> (Lab, Result<(), String>) {
    // A commit of offsets whose coordinator cannot be found for good blocks until then, in Kafka, too.
    let mut lab = Lab::uninitialized(version, &[0], &[("max.block.ms", "700")]);
    lab.warm_up();
    if matches!(doing, Doing::Init | Doing::FindTransactionCoordinator) {
        lab.script(doing.api(), &[error]);
        lab.init();
    } else {
        lab.init();
        assert_eq!(lab.ended(), Some(Ok(())));
        lab.begin().unwrap();
        match doing {
            Doing::FindGroupCoordinator | Doing::SendOffsets | Doing::CommitOffsets => {
                lab.script(doing.api(), &[error]);
                lab.send_offsets(1);
            }
            Doing::Write => {
                lab.script(doing.api(), &[error]);
                lab.send(0);
                lab.advance(200);
                lab.store_all();
                lab.commit();
            }
            _ => {
                lab.send(0);
                lab.store_all();
                lab.script(doing.api(), &[error]);
                if doing == Doing::Commit { lab.commit() } else { lab.abort() }
            }
        }
    }
    let result = lab.ended().unwrap_or_else(|| panic!("{doing:?} {error:?} blocks"));
    (lab, result)
}

fn end(lab: &Lab, result: &Result<(), String>) -> End {
    match (lab.state(), result) {
        ("READY" | "IN_TRANSACTION", Ok(())) => End::Retried,
        ("ABORTABLE_ERROR", Err(_)) => End::Abortable,
        ("FATAL_ERROR", Err(_)) => End::Fatal,
        ("UNINITIALIZED", Err(_)) => End::Uninitialized,
        ("ABORTING_TRANSACTION", Err(_)) => End::StaysAborting,
        other => panic!("{other:?}"),
    }
}

const ALL: [Doing; 8] = [
    Doing::Init,
    Doing::FindTransactionCoordinator,
    Doing::FindGroupCoordinator,
    Doing::Write,
    Doing::SendOffsets,
    Doing::CommitOffsets,
    Doing::Commit,
    Doing::Abort,
];

/// `testRetriableErrors`, `testProducerFencedException…`, `testTransactionalIdAuthorizationFailure…`, `testTransactionAbortable…`,
/// `testInvalidTxnState…`, `testFatalErrorInTxnOffsetCommit`, `testRetriableErrorInTxnOffsetCommit` and their like.
#[test]
fn every_error_of_a_coordinator_has_kafkas_consequence() {
    for doing in ALL {
        for version in [1, 2] {
            if doing.needs_version().is_some_and(|needed| needed != version) {
                continue;
            }
            for error in ErrorCode::ALL.iter().copied().filter(|error| error.is_error()) {
                let (lab, result) = run(doing, version, error);
                assert_eq!(end(&lab, &result), expected(doing, error), "{doing:?}, version {version}: {error:?}");
            }
        }
    }
}

/// What can be aborted goes on after it.
#[test]
fn after_every_abortable_error_an_abort_brings_the_producer_back() {
    for doing in ALL {
        for version in [1, 2] {
            let errors = ErrorCode::ALL.iter().copied().filter(|error| error.is_error());
            for error in errors.filter(|error| expected(doing, *error) == End::Abortable) {
                if doing.needs_version().is_some_and(|needed| needed != version) {
                    continue;
                }
                let (mut lab, _) = run(doing, version, error);
                lab.abort();
                assert_eq!(lab.ended(), Some(Ok(())), "{doing:?}, version {version}: {error:?}");
                assert_eq!(lab.state(), "READY");
                if lab.identity().0 < 0 {
                    continue; // Kafka's initTransactions() cannot be repeated after that.
                }
                lab.begin().unwrap();
                lab.send(9);
                lab.advance(200);
                lab.store_all();
                lab.commit();
                assert_eq!(lab.ended(), Some(Ok(())), "{doing:?}, version {version}: {error:?}");
            }
        }
    }
}

/// After a fatal error every call tells so, and records end.
#[test]
fn after_a_fatal_error_nothing_goes_on() {
    for doing in [Doing::Init, Doing::CommitOffsets, Doing::Commit, Doing::Abort] {
        let (mut lab, result) = run(doing, 2, ProducerFenced);
        assert_eq!(result, Err("PRODUCER_FENCED".into()), "{doing:?}");
        let refused = lab.begin().unwrap_err();
        assert!(
            refused.starts_with("ProducerFencedException: Producer with transactionalId 'shop-1' and"),
            "{refused}"
        );
        assert!(refused.ends_with("has been fenced by another producer with the same transactionalId"), "{refused}");
        assert_eq!(lab.send(5), SendOutcome::Failed);
        lab.abort();
        assert!(matches!(lab.ended(), Some(Err(_))));
        lab.close();
        assert!(lab.producer.is_closed());
    }
}

/// `testInvalidProducerEpochConvertToProducerFenced…`.
#[test]
fn an_old_coordinators_epoch_error_is_fencing() {
    for doing in [Doing::Init, Doing::Write, Doing::SendOffsets, Doing::CommitOffsets, Doing::Commit] {
        let (_, result) = run(doing, 1, InvalidProducerEpoch);
        let expected = if doing == Doing::Write {
            "ProducerFencedException: Producer with transactionalId 'shop-1' and ProducerIdAndEpoch(producerId=1000, \
             epoch=0) has been fenced by another producer with the same transactionalId"
        } else {
            "PRODUCER_FENCED"
        };
        assert_eq!(result, Err(expected.into()), "{doing:?}");
    }
}

#[test]
fn exceptions_are_kafkas() {
    let text = |doing, error| run(doing, 1, error).1.unwrap_err();
    assert_eq!(
        text(Doing::CommitOffsets, IllegalGeneration),
        "CommitFailedException: Transaction offset Commit failed due to consumer group metadata mismatch: Specified group \
         generation id is not valid."
    );
    let unknown = UnknownServerError.description();
    let unexpected = |text: &str| format!("KafkaException: {text}{unknown}");
    let error = UnknownServerError;
    assert_eq!(text(Doing::Init, error), unexpected("Unexpected error in InitProducerIdResponse; "));
    assert_eq!(text(Doing::SendOffsets, error), unexpected("Unexpected error in AddOffsetsToTxnResponse: "));
    assert_eq!(text(Doing::CommitOffsets, error), unexpected("Unexpected error in TxnOffsetCommitResponse: "));
    assert_eq!(text(Doing::Commit, error), unexpected("Unhandled error in EndTxnResponse: "));
    assert_eq!(
        text(Doing::FindTransactionCoordinator, error),
        unexpected("Could not find a coordinator with type TRANSACTION with key shop-1 due to unexpected error: ")
    );
    assert_eq!(
        text(Doing::Abort, TransactionAbortable),
        "KafkaException: Failed to abort transaction. Caused by: TRANSACTION_ABORTABLE"
    );
}

/// `testCommitWithTopicAuthorizationFailureInAddPartitionsInFlight`, `testHandlingOfUnknownTopicPartitionErrorOnAddPartitions`.
#[test]
fn one_partition_that_cannot_be_added_spoils_the_transaction() {
    for (errors, wanted) in [
        ([TopicAuthorizationFailed, OperationNotAttempted], "TOPIC_AUTHORIZATION_FAILED"),
        (
            [OperationNotAttempted, InvalidTopicException],
            "KafkaException: Could not add partitions to transaction due to errors: OPERATION_NOT_ATTEMPTED, \
             INVALID_TOPIC_EXCEPTION, INVALID_TOPIC_EXCEPTION",
        ),
    ] {
        let mut lab = Lab::uninitialized(1, &[0, 0, 0], &[]);
        lab.warm_up();
        lab.init();
        assert_eq!(lab.ended(), Some(Ok(())));
        lab.begin().unwrap();
        lab.coordinator.hold.push(ApiKey::AddPartitionsToTxn);
        for index in 0..3 {
            lab.send_record(index, Some(index), Option::None, Option::None);
        }
        // The commit asks for all that are not added yet.
        lab.commit();
        lab.release(ErrorCode::None);
        lab.script(ApiKey::AddPartitionsToTxn, &errors);
        lab.release(ErrorCode::None);
        assert_eq!(lab.state(), "ABORTABLE_ERROR");
        assert_eq!(lab.failed().len(), 3, "one partition was added, but nothing is sent while another is being added");
        assert!(lab.failed().iter().all(|(_, error)| error == wanted), "{:?}", lab.failed());
        assert_eq!(lab.ended(), Some(Err(wanted.into())));
        assert!(!lab.take_log().contains(&"EndTxn"));
        lab.abort();
        assert_eq!(lab.ended(), Some(Ok(())));
        assert_eq!(lab.take_log(), ["EndTxn"], "the epoch may stay");
    }
}

/// `testFindCoordinatorAllowedInAbortableErrorState`, `testAbortableErrorWhileAbortInProgress`.
#[test]
fn in_a_state_of_error_only_coordinators_are_looked_for() {
    let mut lab = Lab::transactional(1, &[]);
    lab.begin().unwrap();
    lab.send(0);
    let sent = lab.take_one();
    lab.coordinator.hold.push(ApiKey::AddOffsetsToTxn);
    lab.send_offsets(1);
    lab.answer(&sent, InvalidRecord, -1);
    assert_eq!(lab.state(), "ABORTABLE_ERROR");
    lab.take_log();
    lab.release(NotCoordinator);
    lab.advance(1_000);
    assert_eq!(lab.take_log(), ["FindCoordinator"]);
    assert_eq!(lab.ended(), Some(Err("INVALID_RECORD".into())));
    lab.abort();
    assert_eq!(lab.ended(), Some(Ok(())));
    assert_eq!(lab.take_log(), ["EndTxn", "InitProducerId"]);
}

/// `testRetriableErrorInTxnOffsetCommit`, partition by partition: what is committed is not waited for again.
#[test]
fn offsets_are_committed_until_all_are() {
    for version in [1, 2] {
        let mut lab = Lab::transactional(version, &[]);
        lab.begin().unwrap();
        lab.script(ApiKey::TxnOffsetCommit, &[ErrorCode::None, UnknownTopicOrPartition, CoordinatorLoadInProgress]);
        lab.script(ApiKey::TxnOffsetCommit, &[ErrorCode::None, NotCoordinator, RequestTimedOut]);
        lab.send_offsets(3);
        assert_eq!(lab.ended(), Some(Ok(())));
        let expected = ["FindCoordinator", "TxnOffsetCommit", "TxnOffsetCommit", "FindCoordinator", "TxnOffsetCommit"];
        let log = lab.take_log();
        assert_eq!(log[log.len() - 5..], expected);
    }
}

// ---- Produce ----

/// Sends one record and lets it fail with `error` until its retries are used up.
fn produce(version: u8, error: ErrorCode) -> Lab {
    let mut lab = Lab::transactional(version, &[("retries", "1")]);
    lab.begin().unwrap();
    lab.send(0);
    for _ in 0..2 {
        lab.advance(300);
        for sent in lab.take_sent() {
            lab.answer(&sent, error, -1);
        }
    }
    lab
}

/// `testInvalidProducerEpochFromProduce`, `testFatalErrorWhenProduceResponseWithInvalidPidMapping`, KIP-1050: what retries did
/// not cure is abortable.
#[test]
fn every_error_of_a_leader_has_kafkas_consequence() {
    let fatal = [
        ClusterAuthorizationFailed,
        TransactionalIdAuthorizationFailed,
        ProducerFenced,
        UnsupportedVersion,
        InvalidProducerIdMapping,
    ];
    for version in [1, 2] {
        for error in ErrorCode::ALL.iter().copied().filter(|error| error.is_error()) {
            let mut lab = produce(version, error);
            let state = lab.state();
            if error == DuplicateSequenceNumber {
                assert_eq!((state, lab.acked()), ("IN_TRANSACTION", vec![(0, -1)]));
                continue;
            }
            let expected = if fatal.contains(&error) { "FATAL_ERROR" } else { "ABORTABLE_ERROR" };
            assert_eq!(state, expected, "version {version}: {error:?}");
            assert_eq!(lab.failed(), [(0, error.name().into())]);
            lab.commit();
            let thrown = lab.ended().expect("at once").expect_err("it failed");
            let exhausted = error.is_retriable() || error == InvalidTxnState;
            assert_eq!(
                thrown.contains("TransactionAbortableException: Transaction Request was aborted after"),
                exhausted
            );
            lab.abort();
            let recovers = !fatal.contains(&error);
            assert_eq!(lab.ended().map(|result| result.is_ok()), Some(recovers), "version {version}: {error:?}");
            // A new epoch either way, except after the end of all.
            assert_eq!(lab.identity().1, i16::from(recovers), "version {version}: {error:?}");
        }
    }
}

#[test]
fn an_old_epoch_at_a_partition_is_told_in_words() {
    let mut lab = produce(1, InvalidProducerEpoch);
    let refused = "InvalidProducerEpochException: Producer with transactionalId 'shop-1' and \
                   ProducerIdAndEpoch(producerId=1000, epoch=0) attempted to produce with an old epoch";
    assert_eq!(lab.send(1), SendOutcome::Failed);
    assert_eq!(lab.failed()[1].1, refused);
    assert_eq!(lab.begin(), Err(refused.into()));
}

/// `testDisallowCommitOnProduceFailure`, `testAllowAbortOnProduceFailure`.
#[test]
fn a_failed_record_makes_commit_throw_and_abort_possible() {
    for version in [1, 2] {
        let mut lab = Lab::transactional(version, &[]);
        lab.begin().unwrap();
        lab.send(0);
        lab.commit();
        lab.answer_one(InvalidRecord, -1);
        assert_eq!(lab.result(), Some(Err("INVALID_RECORD".into())));
        assert!(!lab.take_log().contains(&"EndTxn"));
        lab.commit();
        let refused = "KafkaException: Cannot execute transactional method because we are in an error state. Caused by: \
                       INVALID_RECORD";
        assert_eq!(lab.result(), Some(Err(refused.into())));
        lab.abort();
        assert_eq!((lab.ended(), lab.state()), (Some(Ok(())), "READY"));
    }
}

/// `KafkaProducerTest.testTransactionalMethodThrowsWhenSenderClosed` and the consequences of `send()`'s own exceptions.
#[test]
fn what_send_itself_refuses_spoils_the_transaction() {
    let mut lab = Lab::transactional(2, &[("max.request.size", "500")]);
    lab.begin().unwrap();
    assert_eq!(lab.send_record(0, Option::None, Option::None, Some(500)), SendOutcome::Failed);
    assert_eq!(lab.state(), "ABORTABLE_ERROR");
    lab.abort();
    assert_eq!(lab.result(), Some(Ok(())));
    assert_eq!(lab.send_record(1, Option::None, Option::None, Some(500)), SendOutcome::Failed);
    assert_eq!(lab.state(), "READY", "outside a transaction it changes nothing");
}
