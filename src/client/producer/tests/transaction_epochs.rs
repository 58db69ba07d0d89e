//! New epochs (KIP-360), sequences after an abort, batches given up in a transaction: `TransactionManagerTest` by name.

use super::harness::{Lab, partition};
use crate::protocol::{ApiKey, ErrorCode};

/// Two records are stored, the third one's request is left unanswered.
fn two_stored_one_sent(lab: &mut Lab) -> super::harness::Sent {
    lab.begin().unwrap();
    for record in 0..2 {
        lab.send(record);
        lab.answer_one(ErrorCode::None, i64::from(record));
    }
    lab.send(2);
    lab.take_one()
}

fn next_transaction(lab: &mut Lab) -> (i32, i16) {
    lab.begin().unwrap();
    lab.send(9);
    let sent = lab.take_one();
    (sent.base_sequence(), sent.epoch())
}

/// As a broker before Kafka 2.5.
fn without_epoch_bump(lab: &mut Lab) {
    let manager = lab.producer.manager.as_mut().expect("transactional");
    let half = manager.transactional.get_mut().expect("transactional");
    half.coordinator_supports_bumping_epoch = false;
}

#[test]
fn h7_abort_transaction_and_reuse_sequence_number_on_error() {
    let mut lab = Lab::transactional(1, &[]);
    without_epoch_bump(&mut lab);
    let third = two_stored_one_sent(&mut lab);
    lab.answer(&third, ErrorCode::TopicAuthorizationFailed, -1);
    assert_eq!(lab.state(), "ABORTABLE_ERROR");
    lab.take_log();
    lab.abort();
    assert_eq!((lab.ended(), lab.take_log()), (Some(Ok(())), vec!["EndTxn"]));
    assert_eq!(next_transaction(&mut lab), (2, 0));
}

/// `testBumpTransactionalEpochOnAbortableError`, for both versions.
#[test]
fn h7_bump_transactional_epoch_on_abortable_error() {
    for (version, log) in [(1, vec!["EndTxn", "InitProducerId"]), (2, vec!["EndTxn"])] {
        let mut lab = Lab::transactional(version, &[]);
        let third = two_stored_one_sent(&mut lab);
        lab.answer(&third, ErrorCode::TopicAuthorizationFailed, -1);
        assert_eq!(lab.state(), "ABORTABLE_ERROR");
        lab.take_log();
        lab.coordinator.hold = vec![ApiKey::InitProducerId];
        lab.abort();
        if version == 1 {
            assert_eq!(lab.state(), "INITIALIZING");
            assert_eq!(lab.result(), None, "the call lasts until there is a new epoch");
            lab.release(ErrorCode::None);
        }
        assert_eq!((lab.result(), lab.take_log()), (Some(Ok(())), log));
        assert_eq!((lab.state(), lab.identity()), ("READY", (1_000, 1)));
        assert_eq!(next_transaction(&mut lab), (0, 1));
    }
}

/// `testAbortTransactionAndResetSequenceNumberOnUnknownProducerId`.
#[test]
fn without_epoch_bumps_a_lost_producer_begins_anew_on_that_partition() {
    let mut lab = Lab::uninitialized(1, &[0, 0], &[]);
    lab.warm_up();
    lab.init();
    assert_eq!(lab.ended(), Some(Ok(())));
    without_epoch_bump(&mut lab);
    lab.begin().unwrap();
    for (record, index) in [(0, 1), (1, 0), (2, 0)] {
        lab.send_record(record, Some(index), None, None);
        lab.answer_one(ErrorCode::None, i64::from(record));
    }
    lab.send_record(3, Some(0), None, None);
    lab.answer_one(ErrorCode::UnknownProducerId, -1);
    assert_eq!(lab.state(), "ABORTABLE_ERROR");
    lab.abort();
    assert_eq!(lab.ended(), Some(Ok(())));
    assert_eq!((lab.next_sequence(0), lab.next_sequence(1)), (0, 1));
}

/// `testBumpTransactionalEpochOnUnknownProducerIdError`; where the log begins after all that was acknowledged, the producer
/// was only forgotten, and its records are sent again from sequence 0.
#[test]
fn an_unknown_producer_id_depends_on_where_the_log_begins() {
    for (log_start, aborts) in [(0, true), (50, false)] {
        let mut lab = Lab::transactional(1, &[]);
        let third = two_stored_one_sent(&mut lab);
        assert_eq!(third.base_sequence(), 2);
        lab.answer_with_log_start(&third, ErrorCode::UnknownProducerId, log_start);
        if aborts {
            assert_eq!(lab.state(), "ABORTABLE_ERROR");
            lab.abort();
            assert_eq!(lab.ended(), Some(Ok(())));
            assert_eq!(next_transaction(&mut lab), (0, 1));
        } else {
            assert_eq!(lab.state(), "IN_TRANSACTION");
            lab.advance(200);
            let again = lab.take_one();
            assert_eq!((again.base_sequence(), again.epoch()), (0, 0));
            assert!(again.request.partitions[0].batch.is_transactional());
            lab.answer(&again, ErrorCode::None, 50);
            assert_eq!(lab.next_sequence(0), 1);
        }
    }
}

/// `testBumpTransactionalEpochOnTimeout`.
#[test]
fn a_batch_given_up_bumps_the_epoch_at_the_abort() {
    for version in [1, 2] {
        let times = [("request.timeout.ms", "1000"), ("delivery.timeout.ms", "1000")];
        let mut lab = Lab::transactional(version, &times);
        two_stored_one_sent(&mut lab);
        lab.advance(1_000);
        assert_eq!(lab.failed(), [(2, "REQUEST_TIMED_OUT".into())]);
        assert_eq!(lab.state(), "ABORTABLE_ERROR");
        lab.abort();
        assert_eq!(lab.ended(), Some(Ok(())));
        assert_eq!(next_transaction(&mut lab), (0, 1));
    }
}

const EXHAUSTED: &str = "TransactionAbortableException: Transaction Request was aborted after exhausting retries. Caused by: \
                         REQUEST_TIMED_OUT";

#[test]
fn h9_drop_commit_on_batch_expiry() {
    for version in [1, 2] {
        let times = [("linger.ms", "500"), ("request.timeout.ms", "500"), ("delivery.timeout.ms", "1000")];
        let mut lab = Lab::transactional(version, &times);
        lab.begin().unwrap();
        lab.send(0);
        lab.silent.push(crate::base::NodeId(0));
        lab.disconnect(0);
        lab.commit();
        lab.advance(999);
        assert_eq!(lab.result(), None);
        lab.advance(1);
        assert_eq!(lab.failed(), [(0, "REQUEST_TIMED_OUT".into())]);
        assert_eq!((lab.result(), lab.state()), (Some(Err(EXHAUSTED.into())), "ABORTABLE_ERROR"));
        assert!(!lab.take_log().contains(&"EndTxn"));
        lab.silent.clear();
        lab.disconnect(0);
        lab.abort();
        assert_eq!((lab.ended(), lab.state()), (Some(Ok(())), "READY"));
        assert_eq!(lab.take_log(), ["EndTxn"]);
        assert_eq!(lab.identity(), (1_000, i16::from(version == 2)), "it had no sequence that could be missing");
    }
}

/// While the sender waits for a coordinator it looks at nothing else: batches outlive `delivery.timeout.ms`, in Kafka, too.
#[test]
fn nothing_expires_while_a_transactional_request_waits_for_its_broker() {
    let times = [("request.timeout.ms", "1000"), ("delivery.timeout.ms", "1000"), ("max.block.ms", "5000")];
    let mut lab = Lab::transactional(1, &times);
    lab.begin().unwrap();
    lab.silent.push(crate::base::NodeId(0));
    lab.disconnect(0);
    lab.send(0);
    lab.commit();
    lab.advance(5_000);
    assert_eq!(lab.result(), Some(Err("REQUEST_TIMED_OUT".into())));
    assert!(lab.failed().is_empty());
    lab.silent.clear();
    lab.disconnect(0);
    lab.advance(2_000);
    lab.commit();
    assert_eq!((lab.ended(), lab.state()), (Some(Err(EXHAUSTED.into())), "ABORTABLE_ERROR"));
    assert!(!lab.take_log().contains(&"EndTxn"));
    lab.abort();
    assert_eq!((lab.ended(), lab.state()), (Some(Ok(())), "READY"));
}

/// `testTransitionToFatalErrorWhenRetriedBatchIsExpired`, `testMaybeResolveSequencesTransactionalProducer`.
#[test]
fn an_expired_retry_is_abortable_only_if_the_epoch_can_rise() {
    for (version, old, state) in [(1, true, "FATAL_ERROR"), (1, false, "ABORTABLE_ERROR"), (2, true, "ABORTABLE_ERROR")]
    {
        let times = [("request.timeout.ms", "1000"), ("delivery.timeout.ms", "1000"), ("retry.backoff.ms", "10")];
        let mut lab = Lab::transactional(version, &times);
        if old {
            without_epoch_bump(&mut lab);
        }
        let third = two_stored_one_sent(&mut lab);
        lab.answer(&third, ErrorCode::NotEnoughReplicas, -1);
        lab.advance(1_000);
        assert_eq!(lab.failed(), [(2, "REQUEST_TIMED_OUT".into())]);
        assert_eq!(lab.state(), state, "version {version}");
        let manager = lab.producer.transaction_manager().expect("transactional");
        let error = manager.state().error().expect("an error").name();
        let safe = if state == "FATAL_ERROR" { "It isn't safe to continue." } else { "It is safe to abort" };
        assert!(error.contains("hasn't received acknowledgment") && error.contains(safe), "{error}");
        assert!(!manager.has_unresolved_sequence(partition(0)));
    }
}

/// `testEpochUpdateAfterBumpFromEndTxnResponseInV2`, and what came before a late answer is forgotten with the old epoch.
#[test]
fn a_late_answer_to_a_batch_of_an_earlier_transaction_changes_nothing() {
    for version in [1, 2] {
        let times = [("request.timeout.ms", "5000"), ("delivery.timeout.ms", "5000"), ("linger.ms", "0")];
        let mut lab = Lab::transactional(version, &times);
        lab.begin().unwrap();
        lab.send(0);
        // It leaves once more just before its time is up, so that its answer comes after.
        lab.advance(4_000);
        let sent = lab.take_one();
        lab.answer(&sent, ErrorCode::NotEnoughReplicas, -1);
        lab.advance(900);
        let late = lab.take_one();
        lab.advance(100);
        assert_eq!(lab.state(), "ABORTABLE_ERROR");
        lab.abort();
        assert_eq!(lab.ended(), Some(Ok(())));
        let epoch = lab.identity().1;
        assert_eq!(epoch, 1);
        lab.begin().unwrap();
        lab.answer(&late, ErrorCode::None, 7);
        assert_eq!((lab.state(), lab.failed().len(), lab.acked().len()), ("IN_TRANSACTION", 1, 0));
        lab.send(1);
        let next = lab.take_one();
        assert_eq!((next.base_sequence(), next.epoch()), (0, 1));
        lab.answer(&next, ErrorCode::None, 8);
        lab.commit();
        assert_eq!(lab.ended(), Some(Ok(())));
        let (free, all) = lab.producer.memory();
        assert_eq!(free, all);
    }
}

/// `testAdjustSequences…` of the transactional producer: what was behind a refused batch moves up, as long as the transaction
/// is not aborted, so that it does not fail for another reason.
#[test]
fn batches_behind_a_refused_one_move_up() {
    let mut lab = Lab::transactional(2, &[]);
    lab.begin().unwrap();
    for record in 0..3 {
        lab.send(record);
    }
    let sent = lab.take_sent();
    assert_eq!(sent.len(), 3);
    lab.answer(&sent[0], ErrorCode::InvalidRecord, -1);
    assert_eq!((lab.state(), lab.next_sequence(0)), ("ABORTABLE_ERROR", 2));
    lab.answer(&sent[1], ErrorCode::OutOfOrderSequenceNumber, -1);
    lab.answer(&sent[2], ErrorCode::OutOfOrderSequenceNumber, -1);
    lab.advance(300);
    assert_eq!(lab.store_all(), [(0, 0), (1, 0)]);
    assert_eq!(lab.acked().len(), 2);
    lab.abort();
    assert_eq!(lab.ended(), Some(Ok(())));
}

/// `testAbortResendsProduceRequestIfRetried`, `testRecoveryFromAbortableErrorProduceRequestInRetry`.
#[test]
fn an_abort_waits_for_a_retry_of_what_was_sent() {
    for version in [1, 2] {
        let mut lab = Lab::transactional(version, &[]);
        lab.begin().unwrap();
        lab.send(0);
        lab.answer_one(ErrorCode::NotEnoughReplicas, -1);
        lab.abort();
        assert!(!lab.take_log().contains(&"EndTxn"));
        lab.advance(150);
        lab.answer_one(ErrorCode::None, 0);
        assert_eq!((lab.ended(), lab.state()), (Some(Ok(())), "READY"));
        assert_eq!(lab.acked(), [(0, 0)]);
    }
}

/// A split batch stays part of the transaction.
#[test]
fn h6_a_transactional_batch_that_is_too_large_is_split() {
    let mut lab = Lab::transactional(2, &[("linger.ms", "10"), ("batch.size", "1000")]);
    lab.begin().unwrap();
    lab.send_record(0, None, None, Some(300));
    lab.send_record(1, None, None, Some(300));
    lab.advance(10);
    for _ in 0..2 {
        let both = lab.take_one();
        assert_eq!(both.record_count(), 2);
        lab.answer(&both, ErrorCode::MessageTooLarge, -1);
    }
    for sequence in 0..2 {
        let part = lab.take_one();
        assert_eq!((part.record_count(), part.base_sequence()), (1, sequence));
        assert!(part.request.partitions[0].batch.is_transactional());
        lab.answer(&part, ErrorCode::None, i64::from(sequence));
    }
    lab.commit();
    assert_eq!(lab.ended(), Some(Ok(())));
}
