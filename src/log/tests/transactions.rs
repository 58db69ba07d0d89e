//! Open transactions, markers, the last stable offset, the transaction index.

use super::*;
use crate::protocol::AbortedTransaction;

#[test]
fn a6_no_plain_append_in_a_transaction() {
    let mut log = empty_log();
    append(&mut log, transactional(1, 0, 1));
    assert_eq!(client(&mut log, idempotent(0, 1, 1)), Err(ErrorCode::InvalidTxnState));
    append(&mut log, transactional(1, 1, 1));
}

#[test]
fn a8_first_unstable_offset() {
    let mut log = empty_log();
    log.truncate_fully_and_start_at(99, NOW);
    let open = |log: &UnifiedLog| log.producer_state().first_undecided_offset();
    let unstable = |log: &UnifiedLog| log.producer_state().first_unstable_offset();
    append(&mut log, transactional(1, 0, 6));
    append(&mut log, transactional(2, 0, 4));
    assert_eq!(unstable(&log), Some(99));
    assert_eq!(end(&mut log, 1, true).unwrap().first_offset, 109);
    assert_eq!((open(&log), unstable(&log)), (Some(105), Some(99)));
    log.set_high_watermark(100);
    assert_eq!(unstable(&log), Some(99));
    log.set_high_watermark(110);
    assert_eq!((unstable(&log), log.last_stable_offset()), (Some(105), 105));
    append(&mut log, plain(2));
    assert_eq!(end(&mut log, 2, false).unwrap().first_offset, 112);
    assert_eq!((open(&log), unstable(&log)), (None, Some(105)));
    log.set_high_watermark(113);
    assert_eq!((unstable(&log), log.last_stable_offset()), (None, 113));
}

#[test]
fn a15_old_epoch_for_control_record() {
    for (marker_epoch, version, accepted) in
        [(3, 0, false), (3, 2, false), (5, 0, true), (5, 1, true), (5, 2, false), (6, 2, true)]
    {
        let mut log = empty_log();
        append(&mut log, builder(1, now_ms()).producer(1, 5, 0).transactional(true).build());
        let batch = ControlRecord::marker_batch(true, 1, marker_epoch, 0, now_ms());
        let result = append_marker(&mut log, batch, version).map(|info| info.first_offset);
        let expected = if accepted { Ok(1) } else { Err(ErrorCode::InvalidProducerEpoch) };
        assert_eq!(result, expected, "marker of epoch {marker_epoch}, version {version}");
    }
}

#[test]
fn a_marker_that_is_retried_is_tolerated() {
    let mut log = empty_log();
    append(&mut log, builder(1, now_ms()).producer(1, 5, 0).transactional(true).build());
    for _ in 0..2 {
        append_marker(&mut log, ControlRecord::marker_batch(true, 1, 6, 0, now_ms()), 2).unwrap();
    }
    assert_eq!(log.log_end_offset(), 3);
}

#[test]
fn a_zombie_coordinator_is_fenced() {
    let mut log = empty_log();
    append_marker(&mut log, ControlRecord::marker_batch(true, 1, 0, 4, now_ms()), 0).unwrap();
    let zombie = ControlRecord::marker_batch(true, 1, 0, 3, now_ms());
    assert_eq!(append_marker(&mut log, zombie, 0), Err(ErrorCode::TransactionCoordinatorFenced));
}

#[test]
fn sequences_go_on_after_a_marker_of_the_same_epoch_and_begin_anew_after_a_higher() {
    let mut log = empty_log();
    append(&mut log, transactional(1, 0, 3));
    end(&mut log, 1, true).unwrap();
    append(&mut log, transactional(1, 3, 1));
    append_marker(&mut log, ControlRecord::marker_batch(false, 1, 1, 0, now_ms()), 2).unwrap();
    let next = |sequence| builder(1, now_ms()).producer(1, 1, sequence).transactional(true).build();
    assert_eq!(client(&mut log, next(4)), Err(ErrorCode::OutOfOrderSequenceNumber));
    append(&mut log, next(0));
}

#[test]
fn a19_nonzero_sequence_without_state() {
    let attempt = |version_2: bool, sequence: i32| {
        let mut log = log_with(|config| config.verify_transactions = true);
        let guard = log.start_verification(1, sequence.max(5), 0, version_2, NOW).unwrap();
        assert!(guard.is_some());
        let context = AppendContext { verification: guard, ..AppendContext::from(AppendOrigin::Client) };
        log.append_as_leader_with(transactional(1, sequence, 1), 0, context, NOW).map(|info| info.first_offset)
    };
    assert_eq!(attempt(true, 5), Err(ErrorCode::OutOfOrderSequenceNumber));
    assert_eq!(attempt(true, 0), Ok(0));
    assert_eq!(attempt(false, 5), Ok(0));
}

#[test]
fn a_transaction_unknown_to_its_coordinator_is_refused() {
    let mut log = log_with(|config| config.verify_transactions = true);
    assert_eq!(client(&mut log, transactional(1, 0, 1)), Err(ErrorCode::InvalidTxnState));
    let stale = log.start_verification(1, 0, 0, false, NOW).unwrap();
    end(&mut log, 1, false).unwrap();
    let context = |verification| AppendContext { verification, ..AppendContext::from(AppendOrigin::Client) };
    let late = log.append_as_leader_with(transactional(1, 0, 1), 0, context(stale), NOW);
    assert_eq!(late, Err(ErrorCode::InvalidTxnState), "the marker took the guard away");
    let guard = log.start_verification(1, 0, 0, false, NOW).unwrap();
    log.append_as_leader_with(transactional(1, 0, 1), 0, context(guard), NOW).unwrap();
    assert_eq!(log.start_verification(1, 1, 0, false, NOW), Ok(None), "it is open now");
    append(&mut log, transactional(1, 1, 1));
}

#[test]
fn a20_empty_transactions_are_skipped() {
    let mut log = empty_log();
    log.truncate_fully_and_start_at(16, NOW);
    append(&mut log, transactional(1, 0, 5));
    for commit in [true, true, false] {
        end(&mut log, 1, commit).unwrap();
    }
    append(&mut log, transactional(1, 5, 4));
    for commit in [false, false] {
        end(&mut log, 1, commit).unwrap();
    }
    append(&mut log, transactional(1, 9, 2));
    assert_eq!(log.log_end_offset(), 32);
    let aborted: Vec<_> = log.segments()[0].txn_index().iter().map(|it| (it.first_offset, it.last_offset)).collect();
    assert_eq!(aborted, [(24, 28)]);
    log.set_high_watermark(32);
    assert_eq!(log.producer_state().first_unstable_offset(), Some(30));
}

#[test]
fn b5_fetch_up_to_the_last_stable_offset() {
    let mut log = empty_log();
    append(&mut log, transactional(1, 0, 5));
    append(&mut log, plain(3));
    append(&mut log, transactional(2, 0, 2));
    append(&mut log, transactional(1, 5, 4));
    append(&mut log, plain(2));
    append(&mut log, transactional(1, 9, 10));
    let committed = |log: &UnifiedLog, from| log.read(from, u32::MAX, log.last_stable_offset(), true).unwrap().len();
    log.set_high_watermark(log.log_end_offset());
    assert_eq!(log.last_stable_offset(), 0);
    for offset in 0..=log.log_end_offset() {
        assert_eq!(committed(&log, offset), 0, "empty, not an error");
    }
    end(&mut log, 1, true).unwrap();
    assert_eq!(log.last_stable_offset(), 0);
    log.set_high_watermark(log.log_end_offset());
    assert_eq!((log.last_stable_offset(), committed(&log, 0)), (8, 2));
    end(&mut log, 2, false).unwrap();
    assert_eq!(log.last_stable_offset(), 8);
    log.set_high_watermark(log.log_end_offset());
    assert_eq!(log.last_stable_offset(), log.log_end_offset());
    let expected = [AbortedTransaction { producer_id: 2, first_offset: 8 }];
    assert_eq!(log.aborted_transactions(0, log.log_end_offset()), expected);
    assert_eq!(log.aborted_transactions(0, 8), []);
    assert_eq!(log.aborted_transactions(log.log_end_offset(), 99), []);
}

#[test]
fn b6_the_last_stable_offset_is_not_below_the_log_start() {
    let mut log = empty_log();
    append(&mut log, transactional(1, 0, 10));
    log.set_high_watermark(10);
    assert_eq!(log.last_stable_offset(), 0);
    log.maybe_advance_log_start_offset(5).unwrap();
    assert_eq!((log.first_unstable_offset, log.last_stable_offset()), (Some(5), 5));
}

#[test]
fn an_open_transaction_survives_a_restart() {
    let mut log = empty_log();
    append(&mut log, plain(2));
    append(&mut log, transactional(1, 0, 2));
    let config = log.config().clone();
    let (mut log, _) = UnifiedLog::open(log.into_directory(), config, 4, NOW);
    assert_eq!((log.high_watermark(), log.last_stable_offset()), (4, 2));
    end(&mut log, 1, true).unwrap();
    log.set_high_watermark(5);
    assert_eq!(log.last_stable_offset(), 5);
}
