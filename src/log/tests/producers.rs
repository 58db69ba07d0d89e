//! Idempotence: duplicates, sequences, epochs.

use super::*;

fn replicated(last_sequence: i32) -> UnifiedLog {
    let mut log = empty_log();
    replicate(&mut log, &idempotent(0, last_sequence, 1), 0, 0);
    log
}

fn last_sequence(log: &UnifiedLog) -> i32 {
    log.producer_state().entry(1).expect("the producer is known").last_sequence()
}

#[test]
fn a2_sequences_wrap_around() {
    let mut log = replicated(i32::MAX);
    append(&mut log, idempotent(0, 0, 1));
    assert_eq!(last_sequence(&log), 0);
}

#[test]
fn a3_sequences_wrap_around_to_nothing_else() {
    let mut log = replicated(i32::MAX);
    assert_eq!(client(&mut log, idempotent(0, 1, 1)), Err(ErrorCode::OutOfOrderSequenceNumber));
}

#[test]
fn a_batch_may_lie_across_the_wrap() {
    let mut log = replicated(i32::MAX - 3);
    append(&mut log, idempotent(0, i32::MAX - 2, 5));
    assert_eq!(last_sequence(&log), 1);
    assert!(append(&mut log, idempotent(0, i32::MAX - 2, 5)).duplicate);
    append(&mut log, idempotent(0, 2, 1));
}

#[test]
fn a7_replicas_accept_gaps() {
    let mut log = empty_log();
    append(&mut log, idempotent(0, 0, 1));
    assert_eq!(client(&mut log, idempotent(0, 3, 1)), Err(ErrorCode::OutOfOrderSequenceNumber));
    replicate(&mut log, &idempotent(0, 3, 1), 1, 0);
    assert_eq!(last_sequence(&log), 3);
}

#[test]
fn b1_duplicate_appends() {
    let mut log = empty_log();
    for sequence in 0..=5 {
        append(&mut log, idempotent(0, sequence, 1));
    }
    let first = append(&mut log, idempotent(0, 6, 3));
    assert_eq!((first.first_offset, first.last_offset, first.duplicate), (6, 8, false));
    let again = append(&mut log, idempotent(0, 6, 3));
    assert_eq!((again.first_offset, again.last_offset, again.duplicate), (6, 8, true));
    assert_eq!(log.log_end_offset(), 9);
    assert_eq!(client(&mut log, idempotent(0, 7, 2)), Err(ErrorCode::OutOfOrderSequenceNumber));
    let fifth = append(&mut log, idempotent(0, 2, 1));
    assert_eq!((fifth.first_offset, fifth.duplicate, fifth.batch.base_offset()), (2, true, 2));
    let sixth = client(&mut log, idempotent(0, 1, 1));
    assert_eq!(sixth, Err(ErrorCode::OutOfOrderSequenceNumber), "the sixth back is not recognised");
    assert_eq!(log.log_end_offset(), 9);
}

#[test]
fn a_duplicate_is_answered_with_its_old_timestamp() {
    let mut log = empty_log();
    let batch = builder(1, now_ms() - 7).producer(1, 0, 0).build();
    append(&mut log, batch.clone());
    assert_eq!(append(&mut log, batch).log_append_time, now_ms() - 7);
}

#[test]
fn epochs_of_a_producer() {
    let mut log = empty_log();
    append(&mut log, idempotent(3, 7, 1));
    assert_eq!(last_sequence(&log), 7, "an unknown producer may begin anywhere");
    assert_eq!(client(&mut log, idempotent(2, 8, 1)), Err(ErrorCode::InvalidProducerEpoch));
    assert_eq!(client(&mut log, idempotent(4, 8, 1)), Err(ErrorCode::OutOfOrderSequenceNumber));
    append(&mut log, idempotent(4, 0, 1));
    assert_eq!(log.producer_state().entry(1).unwrap().batches().len(), 1, "a new epoch forgets the old batches");
    replicate(&mut log, &idempotent(2, 8, 1), 2, 0);
    assert_eq!(log.log_end_offset(), 3, "replication accepts an old epoch");
}

#[test]
fn a_coordinator_needs_no_sequences() {
    let mut log = empty_log();
    for _ in 0..2 {
        log.append_as_leader(idempotent(0, -1, 2), 0, AppendOrigin::Coordinator, NOW).unwrap();
    }
    assert_eq!(log.log_end_offset(), 4);
}

#[test]
fn after_a_restart_only_the_last_batch_is_recognised() {
    for clean in [true, false] {
        let mut log = empty_log();
        for sequence in 0..3 {
            append(&mut log, idempotent(0, sequence, 1));
        }
        let config = log.config().clone();
        let directory = if clean { log.close() } else { log.into_directory() };
        let (mut log, report) = UnifiedLog::open(directory, config, 0, NOW);
        assert_eq!((report.clean, report.checked_batches), (clean, if clean { 0 } else { 3 }));
        assert!(append(&mut log, idempotent(0, 2, 1)).duplicate);
        assert_eq!(client(&mut log, idempotent(0, 1, 1)), Err(ErrorCode::OutOfOrderSequenceNumber));
        append(&mut log, idempotent(0, 3, 1));
    }
}

#[test]
fn truncation_forgets_what_it_cut_off() {
    let mut log = empty_log();
    for sequence in 0..4 {
        append(&mut log, idempotent(0, sequence, 1));
    }
    log.truncate_to(2, NOW);
    assert_eq!(last_sequence(&log), 1);
    assert!(append(&mut log, idempotent(0, 0, 1)).duplicate, "replayed batches are recognised");
    let info = append(&mut log, idempotent(0, 2, 1));
    assert_eq!((info.first_offset, info.duplicate), (2, false));
    log.truncate_fully_and_start_at(9, NOW);
    assert!(log.producer_state().entry(1).is_none());
}

#[test]
fn truncation_below_a_snapshot_uses_the_one_before() {
    let mut log = empty_log();
    for sequence in 0..6 {
        if sequence % 2 == 0 {
            log.roll(i64::from(sequence), NOW);
        }
        append(&mut log, idempotent(0, sequence, 1));
    }
    assert_eq!(log.directory().snapshot_offsets().collect::<Vec<_>>(), [2, 4]);
    log.truncate_to(3, NOW);
    assert_eq!(last_sequence(&log), 2);
    assert_eq!(log.producer_state().entry(1).unwrap().batches().len(), 2, "one of the snapshot, one replayed");
}

#[test]
fn a11_a_silent_producer_is_forgotten() {
    let mut log = empty_log();
    append(&mut log, idempotent(0, 0, 1));
    let almost = NOW + Duration::from_millis(86_399_999);
    log.remove_expired_producers(almost);
    assert!(log.producer_state().entry(1).is_some());
    log.remove_expired_producers(almost + Duration::from_millis(1));
    assert!(log.producer_state().entry(1).is_none());
    append(&mut log, idempotent(0, 77, 1));
}
