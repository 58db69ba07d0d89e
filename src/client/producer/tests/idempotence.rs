//! Sequences and epochs: `TransactionManagerTest` and `SenderTest` for the idempotent producer, by number.

use super::harness::{Lab, partition};
use crate::client::producer::ProducerIdAndEpoch;
use crate::protocol::ErrorCode;
use crate::record::increment_sequence;

const NOW: (&str, &str) = ("linger.ms", "0");

fn lab(settings: &[(&str, &str)]) -> Lab {
    let mut lab = Lab::new(settings);
    lab.warm_up();
    assert_eq!(lab.producer.producer_id_and_epoch(), ProducerIdAndEpoch { id: 1_000, epoch: 0 });
    lab
}

#[test]
fn h1_correct_handling_of_out_of_order_responses() {
    let mut lab = lab(&[NOW]);
    lab.send(0);
    lab.send(1);
    let sent = lab.take_sent();
    assert_eq!((sent[0].base_sequence(), sent[1].base_sequence()), (0, 1));
    lab.answer(&sent[1], ErrorCode::OutOfOrderSequenceNumber, -1);
    assert!(lab.take_sent().is_empty());
    lab.answer(&sent[0], ErrorCode::NotLeaderOrFollower, -1);
    let queued: Vec<i32> = lab.producer.buffered().map(|b| b.batch.base_sequence()).collect();
    assert_eq!(queued, [0, 1]);
    lab.advance(150);
    let first = lab.take_one();
    assert_eq!(first.base_sequence(), 0, "only the first in sequence is retried");
    lab.advance(1_000);
    assert!(lab.take_sent().is_empty());
    lab.answer(&first, ErrorCode::None, 0);
    let second = lab.take_one();
    assert_eq!(second.base_sequence(), 1);
    lab.answer(&second, ErrorCode::None, 1);
    assert_eq!(lab.acked(), [(0, 0), (1, 1)]);
    assert_eq!(lab.producer.producer_id_and_epoch().epoch, 0);
}

#[test]
fn h3_epoch_bump_on_out_of_order_sequence_for_next_batch() {
    let mut lab = lab(&[NOW]);
    for record in 0..2 {
        lab.send(record);
        lab.answer_one(ErrorCode::None, i64::from(record));
    }
    lab.send(2);
    let third = lab.take_one();
    assert_eq!(third.base_sequence(), 2);
    lab.answer(&third, ErrorCode::OutOfOrderSequenceNumber, -1);
    lab.advance(150);
    let again = lab.take_one();
    assert_eq!((again.base_sequence(), again.epoch()), (0, 1));
    lab.answer(&again, ErrorCode::None, 2);
    assert_eq!(lab.acked().last(), Some(&(2, 2)));
    assert_eq!(lab.next_sequence(0), 1);
    assert!(again.request.partitions[0].batch.validate_crc());
}

#[test]
fn h4_expiry_of_unsent_batches_should_not_cause_unresolved_sequences() {
    let mut lab = lab(&[NOW, ("request.timeout.ms", "1000"), ("delivery.timeout.ms", "1000")]);
    lab.silent = vec![crate::base::NodeId(0)];
    lab.disconnect(0);
    lab.send(0);
    lab.advance(1_000);
    assert_eq!(lab.failed(), [(0, "REQUEST_TIMED_OUT".into())]);
    let manager = lab.producer.transaction_manager().expect("idempotent");
    assert!(!manager.has_unresolved_sequence(partition(0)));
    assert_eq!(lab.producer.producer_id_and_epoch().epoch, 0);
    assert_eq!(lab.next_sequence(0), 0);
}

#[test]
fn h6_idempotent_split_batch_and_send() {
    let mut lab = lab(&[("linger.ms", "10"), ("batch.size", "1000")]);
    lab.send_record(0, None, None, Some(300));
    lab.send_record(1, None, None, Some(300));
    lab.advance(10);
    let both = lab.take_one();
    assert_eq!((both.record_count(), both.base_sequence()), (2, 0));
    lab.answer(&both, ErrorCode::MessageTooLarge, -1);
    // batch.size is no smaller: the same again, and then halved.
    let again = lab.take_one();
    assert_eq!(again.record_count(), 2);
    lab.answer(&again, ErrorCode::MessageTooLarge, -1);
    let first = lab.take_sent();
    assert_eq!(first.len(), 1, "the second part waits while the first is in flight");
    assert_eq!((first[0].record_count(), first[0].base_sequence()), (1, 0));
    lab.answer(&first[0], ErrorCode::None, 0);
    let second = lab.take_one();
    assert_eq!((second.record_count(), second.base_sequence()), (1, 1));
    lab.answer(&second, ErrorCode::None, 1);
    assert_eq!(lab.acked(), [(0, 0), (1, 1)]);
    assert_eq!(lab.next_sequence(0), 2);
    let (free, all) = lab.producer.memory();
    assert_eq!(free, all);
}

#[test]
fn h8_sequence_number_overflow() {
    let mut sequence = increment_sequence(0, i32::MAX);
    assert_eq!(sequence, i32::MAX);
    sequence = increment_sequence(sequence, 100);
    assert_eq!(sequence, 99);
    assert_eq!(increment_sequence(sequence, i32::MAX), 98);
}

#[test]
fn a_duplicate_is_a_success_without_an_offset() {
    let mut lab = lab(&[NOW]);
    lab.send(0);
    lab.answer_one(ErrorCode::DuplicateSequenceNumber, -1);
    assert_eq!(lab.acked(), [(0, -1)]);
}

#[test]
fn a_lost_response_is_retried_with_the_same_sequence() {
    let mut lab = lab(&[NOW]);
    lab.send(0);
    let first = lab.take_one();
    lab.disconnect(0);
    lab.advance(200);
    assert_eq!(lab.take_one().request, first.request);
}

#[test]
fn five_in_flight_come_back_in_order() {
    let mut lab = lab(&[NOW]);
    for record in 0..7 {
        lab.send(record);
    }
    assert_eq!(lab.take_sent().len(), 5);
    lab.disconnect(0);
    lab.advance(5_000);
    let mut acked = 0;
    let mut requests = Vec::new();
    while acked < 7 {
        let sent = lab.take_sent();
        requests.push(sent.len());
        for sent in sent {
            assert_eq!(sent.base_sequence(), acked);
            acked += sent.record_count() as i32;
            lab.answer(&sent, ErrorCode::None, i64::from(sent.base_sequence()));
        }
    }
    assert_eq!(requests, [1, 1, 1, 1, 2], "retries one by one; the last and what is new together");
    assert_eq!(lab.acked(), (0..7).map(|record| (record, i64::from(record))).collect::<Vec<_>>());
}

#[test]
fn the_epoch_rises_when_a_batch_fails_with_retries_left() {
    let mut lab = lab(&[NOW]);
    lab.send(0);
    lab.send(1);
    let sent = lab.take_sent();
    lab.answer(&sent[0], ErrorCode::InvalidRecord, -1);
    lab.answer(&sent[1], ErrorCode::OutOfOrderSequenceNumber, -1);
    lab.advance(150);
    let again = lab.take_one();
    assert_eq!((again.base_sequence(), again.epoch()), (0, 1));
    assert_eq!(lab.failed(), [(0, "INVALID_RECORD".into())]);
}

/// `testResetProducerIdAfterWithoutPendingInflightRequests` and neighbours: an expired batch that was sent leaves its
/// sequence unresolved, and with nothing after it in flight the epoch is raised.
#[test]
fn an_expired_retry_bumps_the_epoch() {
    let mut lab = lab(&[NOW, ("request.timeout.ms", "1000"), ("delivery.timeout.ms", "1500")]);
    lab.send(0);
    lab.take_sent();
    lab.advance(1_500);
    assert_eq!(lab.failed(), [(0, "REQUEST_TIMED_OUT".into())]);
    assert_eq!(lab.producer.producer_id_and_epoch().epoch, 1);
    lab.take_sent();
    lab.advance(2_000);
    lab.send(1);
    lab.advance(100);
    let next = lab.take_one();
    assert_eq!((next.base_sequence(), next.epoch()), (0, 1));
}

/// `testExpiryOfFirstBatchShouldCauseEpochBumpIfFutureBatchesFail` and `…ShouldNotCauseUnresolvedSequencesIfFutureBatches
/// Succeed`: while later batches are in flight nobody knows, and nothing new is sent.
#[test]
fn an_unresolved_sequence_is_resolved_by_what_came_after() {
    for (error, epoch) in [(ErrorCode::None, 0), (ErrorCode::OutOfOrderSequenceNumber, 1)] {
        let times = [("request.timeout.ms", "4900"), ("delivery.timeout.ms", "5000"), ("retry.backoff.ms", "1000")];
        let mut lab = lab(&[NOW, times[0], times[1], times[2]]);
        lab.send(0);
        lab.advance(4_500);
        lab.send(1);
        let sent = lab.take_sent();
        lab.answer(&sent[0], ErrorCode::NotEnoughReplicas, -1);
        lab.advance(500);
        assert_eq!(lab.failed(), [(0, "REQUEST_TIMED_OUT".into())], "given up during its back-off");
        let manager = lab.producer.transaction_manager().expect("idempotent");
        assert!(manager.has_unresolved_sequence(partition(0)));
        lab.send(2);
        assert!(lab.take_sent().is_empty(), "no new batch while that is unknown");
        lab.answer(&sent[1], error, 1);
        lab.advance(1_000);
        assert_eq!(lab.producer.producer_id_and_epoch().epoch, epoch);
        let next: Vec<_> = lab.take_sent().iter().map(|sent| (sent.epoch(), sent.base_sequence())).collect();
        let expected = if epoch == 0 { vec![(0, 2)] } else { vec![(1, 0), (1, 1)] };
        assert_eq!(next, expected);
    }
}

#[test]
fn the_producer_id_is_asked_for_until_it_comes() {
    let mut lab = Lab::new(&[NOW]);
    assert!(lab.producer.producer_id_and_epoch().is_valid());
    let mut slow = Lab::with_partitions(&[NOW], &[0]);
    slow.init_error = ErrorCode::CoordinatorLoadInProgress;
    slow.producer.manager.as_mut().expect("idempotent").state = super::super::State::Uninitialized;
    slow.advance(500);
    slow.send(0);
    assert!(slow.take_sent().is_empty());
    slow.init_error = ErrorCode::None;
    slow.advance(200);
    assert_eq!(slow.take_one().base_sequence(), 0);
    assert_eq!(lab.take_sent().len(), 0);
}
