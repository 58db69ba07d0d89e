//! When an idempotent producer raises its epoch by itself, what it rewrites and what it leaves: `SenderTest` and
//! `TransactionManagerTest` by name.

use super::harness::{Lab, Sent, partition};
use crate::client::producer::ProducerIdAndEpoch;
use crate::protocol::ErrorCode;

const NOW: (&str, &str) = ("linger.ms", "0");

fn lab(settings: &[(&str, &str)], leaders: &[i32]) -> Lab {
    let all: Vec<_> = [NOW].iter().chain(settings).copied().collect();
    let mut lab = Lab::with_partitions(&all, leaders);
    lab.warm_up();
    lab
}

fn sequence(sent: &Sent) -> (i32, i16) {
    (sent.base_sequence(), sent.epoch())
}

fn set_producer(lab: &mut Lab, id: i64, epoch: i16) {
    lab.producer.manager.as_mut().expect("idempotent").producer = ProducerIdAndEpoch { id, epoch };
}

/// `testSequenceNumberOverflow`, on the wire: after 2147483647 comes 0, and a batch may lie across.
#[test]
fn h8_sequences_wrap_around_on_the_wire() {
    let mut lab = lab(&[("linger.ms", "10")], &[0]);
    lab.send(0);
    lab.advance(10);
    lab.answer_one(ErrorCode::None, 0);
    let manager = lab.producer.manager.as_mut().expect("idempotent");
    manager.set_next_sequence(partition(0), i32::MAX - 1);
    let mut sequences = Vec::new();
    for record in [1, 4, 7] {
        for record in record..record + 3 {
            lab.send(record);
        }
        lab.advance(10);
        let sent = lab.take_one();
        sequences.push((sent.base_sequence(), sent.request.partitions[0].batch.last_sequence()));
        lab.answer(&sent, ErrorCode::None, i64::from(record));
    }
    assert_eq!(sequences, [(i32::MAX - 1, 0), (1, 3), (4, 6)]);
    assert_eq!(lab.producer.producer_id_and_epoch().epoch, 0);
}

/// `testIdempotentUnknownProducerHandlingWhenRetentionLimitReached`, `testShouldRaiseOutOfOrderSequenceExceptionToUserIfLogWas
/// NotTruncated`: wherever the log begins.
#[test]
fn a_producer_the_broker_forgot_begins_a_new_epoch() {
    for log_start in [10, 0] {
        let mut lab = lab(&[], &[0]);
        lab.send(0);
        lab.answer_one(ErrorCode::None, 1);
        lab.send(1);
        let second = lab.take_one();
        assert_eq!(sequence(&second), (1, 0));
        lab.answer_with_log_start(&second, ErrorCode::UnknownProducerId, log_start);
        lab.advance(150);
        let again = lab.take_one();
        assert_eq!(sequence(&again), (0, 1));
        lab.answer(&again, ErrorCode::None, 11);
        assert_eq!(lab.acked(), [(0, 1), (1, 11)]);
    }
}

/// `testUnknownProducerErrorShouldBeRetriedWhenLogStartOffsetIsUnknown`.
#[test]
fn without_the_log_start_it_only_tries_again() {
    let mut lab = lab(&[], &[0]);
    lab.send(0);
    let first = lab.take_one();
    lab.answer_with_log_start(&first, ErrorCode::UnknownProducerId, -1);
    lab.advance(150);
    assert_eq!(sequence(&lab.take_one()), (0, 0));
}

/// `testUnknownProducerErrorShouldBeRetriedForFutureBatchesWhenFirstFails`: the first answer begins the epoch, the second only
/// belongs to the old one.
#[test]
fn answers_to_batches_rewritten_meanwhile_do_not_raise_the_epoch_again() {
    let mut lab = lab(&[], &[0]);
    lab.send(0);
    lab.answer_one(ErrorCode::None, 1);
    lab.send(1);
    lab.send(2);
    let sent = lab.take_sent();
    lab.answer_with_log_start(&sent[0], ErrorCode::UnknownProducerId, 10);
    lab.answer_with_log_start(&sent[1], ErrorCode::UnknownProducerId, 10);
    assert_eq!(lab.producer.producer_id_and_epoch().epoch, 1);
    lab.advance(150);
    let again = lab.take_one();
    assert_eq!(sequence(&again), (0, 1));
    lab.answer(&again, ErrorCode::None, 11);
    lab.advance(150);
    let last = lab.take_one();
    assert_eq!(sequence(&last), (1, 1));
    lab.answer(&last, ErrorCode::None, 12);
    assert_eq!(lab.acked(), [(0, 1), (1, 11), (2, 12)]);
}

/// Kafka's `UnknownProducerIdException` is an `OutOfOrderSequenceException`: where no retry is left, the epoch rises as well.
#[test]
fn an_unknown_producer_id_without_retries_left_raises_the_epoch() {
    let mut lab = lab(&[("retries", "1")], &[0]);
    lab.send(0);
    lab.answer_one(ErrorCode::None, 1);
    lab.send(1);
    for _ in 0..2 {
        let sent = lab.take_one();
        lab.answer_with_log_start(&sent, ErrorCode::UnknownProducerId, -1);
        lab.advance(150);
    }
    assert_eq!(lab.failed(), [(1, "UNKNOWN_PRODUCER_ID".into())]);
    lab.send(2);
    assert_eq!(sequence(&lab.take_one()), (0, 1));
}

/// `testHealthyPartitionRetriesDuringEpochBump`, `testFailedInflightBatchAfterEpochBump`, `testRetryWhenProducerIdChanges`.
#[test]
fn other_partitions_finish_what_is_in_flight_under_the_old_epoch() {
    for last_answer in [ErrorCode::None, ErrorCode::InvalidRecord] {
        let mut lab = lab(&[], &[0, 1]);
        for (record, index) in [(0, 0), (1, 1)] {
            lab.send_record(record, Some(index), None, None);
            lab.answer_one(ErrorCode::None, 500);
        }
        lab.send_record(2, Some(0), None, None);
        lab.send_record(3, Some(1), None, None);
        let sent = lab.take_sent();
        lab.answer_with_log_start(&sent[0], ErrorCode::UnknownProducerId, 501);
        assert_eq!(lab.producer.producer_id_and_epoch().epoch, 1);
        lab.advance(150);
        assert_eq!(sequence(&lab.take_one()), (0, 1));
        // A new batch of the other partition waits for the old epoch's; that one is retried as it was.
        lab.send_record(4, Some(1), None, None);
        assert!(lab.take_sent().is_empty());
        lab.answer(&sent[1], ErrorCode::NotLeaderOrFollower, -1);
        lab.advance(150);
        let retried = lab.take_one();
        assert_eq!(sequence(&retried), (1, 0));
        lab.answer(&retried, last_answer, 501);
        lab.advance(150);
        let next = lab.take_one();
        // Where it failed for good, its sequence is missing, and that asks for one more epoch.
        assert_eq!(sequence(&next), (0, if last_answer.is_error() { 2 } else { 1 }));
        assert_eq!(lab.failed().len(), usize::from(last_answer.is_error()));
    }
}

/// `testBatchFailureAfterProducerReset`, `testBatchCompletedAfterProducerReset`, `testProducerIdReset`,
/// `testResetOfProducerStateShouldAllowQueuedBatchesToDrain`.
#[test]
fn after_the_last_epoch_comes_a_new_producer_id() {
    let mut lab = lab(&[], &[0, 1]);
    set_producer(&mut lab, 1_000, i16::MAX);
    for (record, index) in [(0, 0), (1, 1)] {
        lab.send_record(record, Some(index), None, None);
        lab.answer_one(ErrorCode::None, 400);
    }
    lab.send_record(2, Some(0), None, None);
    lab.send_record(3, Some(1), None, None);
    let sent = lab.take_sent();
    lab.answer_with_log_start(&sent[0], ErrorCode::UnknownProducerId, 401);
    assert_eq!(lab.producer.producer_id_and_epoch(), ProducerIdAndEpoch { id: 1_001, epoch: 0 });
    lab.advance(150);
    let again = lab.take_one();
    // Kafka rewrites it before the new id is there, so that this one batch goes out without any.
    assert_eq!((again.request.partitions[0].batch.producer_id(), sequence(&again)), (-1, (0, -1)));
    lab.answer(&again, ErrorCode::None, 401);
    lab.send_record(5, Some(0), None, None);
    assert_eq!(sequence(&lab.take_one()), (0, 0));
    // The other partition goes on under the old id until what is in flight has ended.
    assert_eq!(lab.next_sequence(1), 2);
    lab.send_record(4, Some(1), None, None);
    assert!(lab.take_sent().is_empty());
    lab.answer(&sent[1], ErrorCode::None, 401);
    let next = lab.take_one();
    assert_eq!((next.request.partitions[0].batch.producer_id(), sequence(&next)), (1_001, (0, 0)));
    assert_eq!(lab.next_sequence(1), 1);
}

/// `testCorrectHandlingOfOutOfOrderResponsesWhenSecondSucceeds`.
#[test]
fn the_second_may_succeed_while_the_first_waits() {
    let mut lab = lab(&[], &[0]);
    lab.send(0);
    lab.send(1);
    let sent = lab.take_sent();
    // The first was stored, but its answer is late; the leader tells so by taking the second.
    lab.answer(&sent[1], ErrorCode::None, 1_000);
    lab.answer(&sent[0], ErrorCode::RequestTimedOut, -1);
    lab.advance(150);
    let again = lab.take_one();
    assert_eq!(sequence(&again), (0, 0));
    lab.answer(&again, ErrorCode::DuplicateSequenceNumber, -1);
    assert_eq!(lab.acked(), [(1, 1_000), (0, -1)]);
    lab.send(2);
    assert_eq!(sequence(&lab.take_one()), (2, 0));
}

/// `testIdempotenceWithMultipleInflightsWhereFirstFailsFatallyAndSequenceOfFutureBatchesIsAdjusted`.
#[test]
fn a_fatal_error_of_the_first_renumbers_those_in_flight() {
    let mut lab = lab(&[], &[0]);
    for record in 0..3 {
        lab.send(record);
    }
    let sent = lab.take_sent();
    lab.answer(&sent[0], ErrorCode::MessageTooLarge, -1);
    assert_eq!(lab.failed(), [(0, "MESSAGE_TOO_LARGE".into())]);
    lab.answer(&sent[1], ErrorCode::OutOfOrderSequenceNumber, -1);
    lab.answer(&sent[2], ErrorCode::OutOfOrderSequenceNumber, -1);
    for (expected, offset) in [((0, 1), 0), ((1, 1), 1)] {
        lab.advance(200);
        let again = lab.take_one();
        assert_eq!(sequence(&again), expected);
        lab.answer(&again, ErrorCode::None, offset);
    }
    assert_eq!(lab.producer.producer_id_and_epoch().epoch, 1, "once");
}
