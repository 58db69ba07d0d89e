//! ProducerStateManagerTest and UnifiedLogTest: what a partition knows of its producers, their transactions and the
//! verification of these.

use super::*;
use crate::log::producer_state::VerificationEntry;
use crate::protocol::AbortedTransaction;

fn of_epoch(epoch: i16, sequence: i32) -> RecordBatch {
    builder(1, now_ms()).producer(1, epoch, sequence).transactional(true).build()
}

fn end_with(log: &mut UnifiedLog, epoch: i16, coordinator_epoch: i32) -> Result<AppendInfo, ErrorCode> {
    append_marker(log, ControlRecord::marker_batch(true, 1, epoch, coordinator_epoch, now_ms()), 1)
}

fn verification(log: &UnifiedLog) -> Option<VerificationEntry> {
    log.producer_state().verification(1).copied()
}

fn verified(log: &mut UnifiedLog, batch: RecordBatch, guard: VerificationGuard) -> Result<AppendInfo, ErrorCode> {
    let context = AppendContext { verification: Some(guard), ..AppendContext::from(AppendOrigin::Client) };
    log.append_as_leader_with(batch, 0, context, NOW)
}

#[test]
fn a1_basic_id_mapping() {
    let mut log = empty_log();
    append(&mut log, idempotent(0, 0, 1));
    append(&mut log, idempotent(0, 1, 1));
    // To the log a repetition is a duplicate; what is no exact repetition is out of order.
    assert!(append(&mut log, idempotent(0, 1, 1)).duplicate);
    assert_eq!(client(&mut log, idempotent(0, 1, 2)), Err(ErrorCode::OutOfOrderSequenceNumber));
    assert_eq!(client(&mut log, idempotent(0, 5, 1)), Err(ErrorCode::OutOfOrderSequenceNumber));
    append(&mut log, idempotent(1, 0, 1));
    assert_eq!(client(&mut log, idempotent(0, 0, 1)), Err(ErrorCode::InvalidProducerEpoch));
    assert_eq!(log.log_end_offset(), 3);
}

#[test]
fn a4_control_record_bumps_producer_epoch() {
    let mut log = empty_log();
    append(&mut log, of_epoch(0, 0));
    assert_eq!(end_with(&mut log, 1, 0).unwrap().first_offset, 1);
    let entry = *log.producer_state().entry(1).unwrap();
    assert_eq!((entry.epoch, entry.last_sequence(), entry.batches()), (1, -1, &[][..]));
    assert_eq!(entry.current_txn_first_offset, None);
    assert!(!append(&mut log, of_epoch(1, 0)).duplicate);
    assert_eq!(log.log_end_offset(), 3);
}

#[test]
fn a10_last_stable_offset_of_a_completed_transaction() {
    let mut log = empty_log();
    append(&mut log, transactional(1, 0, 25));
    append(&mut log, transactional(2, 0, 32));
    append(&mut log, transactional(3, 0, 15));
    // The index of aborted transactions keeps what the last stable offset becomes with each.
    for producer_id in [1, 3, 2] {
        end(&mut log, producer_id, false).unwrap();
        commit(&mut log);
        let unstable = log.producer_state().first_unstable_offset();
        assert_eq!(unstable, (producer_id != 2).then_some(25), "after the end of {producer_id}");
    }
    let kept = log.segments()[0].txn_index().iter().map(|it| (it.producer_id, it.first_offset, it.last_stable_offset));
    assert_eq!(kept.collect::<Vec<_>>(), [(1, 0, 25), (3, 57, 25), (2, 25, 75)]);
}

#[test]
fn a13_coordinator_fencing() {
    let mut log = empty_log();
    append(&mut log, of_epoch(0, 0));
    for coordinator_epoch in [1, 1, 2] {
        end_with(&mut log, 0, coordinator_epoch).unwrap();
        assert_eq!(log.producer_state().entry(1).unwrap().coordinator_epoch, coordinator_epoch);
    }
    assert_eq!(end_with(&mut log, 0, 1), Err(ErrorCode::TransactionCoordinatorFenced));
    assert_eq!(log.log_end_offset(), 4);
}

#[test]
fn a14_coordinator_fenced_after_reload() {
    let mut log = empty_log();
    log.truncate_fully_and_start_at(99, NOW);
    append(&mut log, of_epoch(0, 0));
    assert_eq!(end_with(&mut log, 0, 1).unwrap().first_offset, 100);
    let config = log.config().clone();
    let (mut log, report) = UnifiedLog::open(log.close(), config, 101, NOW);
    assert!(report.clean, "from the snapshot alone");
    assert_eq!(end_with(&mut log, 0, 0), Err(ErrorCode::TransactionCoordinatorFenced));
}

#[test]
fn a17_sequence_and_epoch_in_verification_entry() {
    let mut log = empty_log();
    let mut guards = Vec::new();
    for ((sequence, epoch), expected) in [((1, 0), (1, 0)), ((0, 0), (0, 0)), ((2, 1), (2, 1)), ((0, 0), (2, 1))] {
        guards.push(log.start_verification(1, sequence, epoch, true, NOW).unwrap().expect("no transaction is open"));
        let entry = verification(&log).unwrap();
        assert_eq!((entry.lowest_sequence, entry.epoch), expected);
    }
    assert!(guards.iter().all(|guard| *guard == guards[0]));
}

#[test]
fn a18_out_of_order_sequence_with_verification_sequence_check() {
    for verify in [true, false] {
        let mut log = log_with(|config| config.verify_transactions = verify);
        let guard = log.start_verification(1, 0, 0, true, NOW).unwrap().expect("no transaction is open");
        let before = verification(&log);
        let out_of_order = verified(&mut log, transactional(1, 4, 1), guard);
        assert_eq!(out_of_order, Err(ErrorCode::OutOfOrderSequenceNumber), "also when verification was switched off");
        assert_eq!(verification(&log), before);
    }
}

#[test]
fn a21_truncation_removes_out_of_range_snapshots() {
    let mut log = empty_log();
    for sequence in 0..5 {
        append(&mut log, idempotent(0, sequence, 1));
        log.roll(i64::from(sequence) + 1, NOW);
    }
    let snapshots = |log: &UnifiedLog| log.directory().snapshot_offsets().collect::<Vec<_>>();
    assert_eq!(snapshots(&log), [1, 2, 3, 4, 5]);
    commit(&mut log);
    log.maybe_advance_log_start_offset(1).unwrap();
    log.truncate_to(3, NOW);
    assert_eq!(snapshots(&log), [2, 3]);
}

#[test]
fn b9_transaction_is_ongoing_and_verification_guard() {
    let mut log = log_with(|config| config.verify_transactions = true);
    let guard = log.start_verification(1, 1, 0, true, NOW).unwrap().expect("no transaction is open");
    append(&mut log, idempotent(0, 0, 1));
    assert_eq!(verification(&log).map(|entry| entry.guard), Some(guard), "a plain batch leaves it alone");
    assert!(!log.producer_state().has_ongoing_transaction(1, 0));
    verified(&mut log, transactional(1, 1, 1), guard).unwrap();
    assert!(log.producer_state().has_ongoing_transaction(1, 0));
    assert_eq!(verification(&log), None);
    assert_eq!(log.start_verification(1, 2, 0, true, NOW), Ok(None));
    end_with(&mut log, 0, 0).unwrap();
    assert!(!log.producer_state().has_ongoing_transaction(1, 0));
    let next = log.start_verification(1, 2, 0, true, NOW).unwrap().expect("no transaction is open");
    assert_ne!(next, guard);
    assert_eq!(verified(&mut log, transactional(1, 2, 1), guard), Err(ErrorCode::InvalidTxnState), "an old guard");
    verified(&mut log, transactional(1, 2, 1), next).unwrap();
}

#[test]
fn b11_aborted_transaction_spanning_multiple_segments() {
    let mut log = empty_log();
    for sequence in 0..4 {
        append(&mut log, transactional(1, sequence, 1));
        log.roll(log.log_end_offset(), NOW);
    }
    end(&mut log, 1, false).unwrap();
    append(&mut log, plain(3));
    commit(&mut log);
    assert_eq!(bases(&log), [0, 1, 2, 3, 4]);
    let indexes: Vec<usize> = log.segments().iter().map(|segment| segment.txn_index().iter().count()).collect();
    assert_eq!(indexes, [0, 0, 0, 0, 1], "the segment with the marker has it");
    for from in 0..=4 {
        let aborted = log.aborted_transactions(from, from + 1);
        assert_eq!(aborted, [AbortedTransaction { producer_id: 1, first_offset: 0 }], "read from {from}");
    }
    assert_eq!(log.aborted_transactions(5, 8), []);
}

#[test]
fn b12_end_transaction_with_fenced_producer_epoch() {
    let mut log = empty_log();
    append(&mut log, of_epoch(5, 0));
    assert_eq!(end_with(&mut log, 4, 1), Err(ErrorCode::InvalidProducerEpoch));
    assert_eq!((log.log_end_offset(), log.producer_state().ongoing_transactions().count()), (1, 1));
    end_with(&mut log, 5, 1).unwrap();
}
