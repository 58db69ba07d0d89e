//! When segments roll, what truncation leaves of them, and transactions over several of them.

use super::*;
use crate::protocol::AbortedTransaction;

const HOUR: u64 = 3_600_000;

fn timeless() -> RecordBatch {
    builder(1, -1).build()
}

fn append_at(log: &mut UnifiedLog, batch: RecordBatch, now: Time) -> usize {
    log.append_as_leader(batch, 0, AppendOrigin::Client, now).expect("the append is fine");
    log.segments().len()
}

#[test]
fn time_based_log_roll_during_append() {
    let mut log = log_with(|config| {
        config.segment_ms = HOUR as i64;
        config.timestamp_after_max_ms = i64::MAX;
    });
    let mut now = NOW;
    let mut sleep = || {
        now += Duration::from_millis(HOUR + 1);
        now
    };
    let now = sleep();
    assert_eq!(append_at(&mut log, timeless(), now), 1, "no empty segment is made");
    assert_eq!(append_at(&mut log, timeless(), now), 2, "without timestamps the clock counts, from the creation on");
    for segments in 3..5 {
        let now = sleep();
        assert_eq!(append_at(&mut log, timeless(), now), segments);
    }
    let stamp = NOW.wall_clock_ms() + 6 * HOUR as i64;
    let now = sleep();
    let stamped = || builder(1, stamp).build();
    assert_eq!(append_at(&mut log, stamped(), now), 5, "the first record has no timestamp, so the clock counts");
    let now = sleep();
    assert_eq!(append_at(&mut log, stamped(), now), 5, "now the first record has one, and the clock does not");
    assert_eq!(append_at(&mut log, builder(1, stamp + HOUR as i64).build(), now), 5);
    assert_eq!(append_at(&mut log, builder(1, stamp + HOUR as i64 + 1).build(), now), 6);
    assert_eq!(append_at(&mut log, builder(1, stamp).build(), now), 6, "an older record does not roll");
}

#[test]
fn a_segment_that_truncation_empties_counts_as_new() {
    let mut log = log_with(|config| config.segment_ms = HOUR as i64);
    append_at(&mut log, timeless(), NOW);
    append_at(&mut log, timeless(), later(HOUR));
    log.truncate_to(0, later(HOUR));
    append_at(&mut log, timeless(), later(HOUR));
    assert_eq!(append_at(&mut log, timeless(), later(2 * HOUR)), 1);
    assert_eq!(append_at(&mut log, timeless(), later(2 * HOUR + 1)), 2);
}

#[test]
fn truncation_reloads_the_largest_timestamp() {
    let size = plain(1).size_in_bytes();
    let mut log = log_with(|config| config.index_interval_bytes = 2 * size - 1);
    for number in 0..30 {
        append(&mut log, builder(1, now_ms() + 10 * number).build());
    }
    assert_eq!(log.segments()[0].time_index().len(), 14);
    log.truncate_to(1, NOW);
    let segment = &log.segments()[0];
    assert_eq!((segment.time_index().len(), segment.offset_index().len()), (0, 0));
    assert_eq!((segment.max_timestamp(), segment.next_offset()), (now_ms(), 1));
}

#[test]
fn index_entries_name_the_largest_timestamp_so_far() {
    let mut log = log_with(|config| config.index_interval_bytes = 1);
    for delta in [1, 0, 2] {
        append(&mut log, builder(1, now_ms() + delta).build());
    }
    let segment = &log.segments()[0];
    let offsets: Vec<u32> = segment.offset_index().iter().map(|entry| entry.relative_offset).collect();
    let times: Vec<_> = segment.time_index().iter().map(|it| (it.timestamp - now_ms(), it.relative_offset)).collect();
    assert_eq!((offsets, times), (vec![1, 2], vec![(1, 0), (2, 2)]));
}

#[test]
fn truncation_to_an_offset_in_a_gap() {
    let mut log = empty_log();
    replicate(&mut log, &plain(2), 40, 0);
    replicate(&mut log, &plain(2), 50, 0);
    log.truncate_to(45, NOW);
    assert_eq!((base_offsets(&log), log.log_end_offset()), (vec![40], 45));
    replicate(&mut log, &plain(1), 45, 0);
    assert_eq!(base_offsets(&log), [40, 45]);
}

#[test]
fn truncation_below_the_first_segment_empties_the_log() {
    let mut log = empty_log();
    log.truncate_fully_and_start_at(10, NOW);
    append(&mut log, plain(3));
    assert!(log.truncate_to(5, NOW));
    assert_eq!((bases(&log), log.log_start_offset(), log.log_end_offset()), (vec![5], 5, 5));
}

#[test]
fn truncation_below_the_log_start_moves_it() {
    let mut log = empty_log();
    append(&mut log, plain(4));
    append(&mut log, plain(4));
    commit(&mut log);
    log.maybe_advance_log_start_offset(6).unwrap();
    assert!(log.truncate_to(4, NOW));
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.high_watermark()), (4, 4, 4));
    assert_eq!(log.read(2, 100, 4, true), Err(ErrorCode::OffsetOutOfRange));
}

#[test]
fn truncation_below_the_first_unstable_offset() {
    for fully in [false, true] {
        let mut log = empty_log();
        append(&mut log, plain(3));
        append(&mut log, transactional(1, 0, 2));
        assert_eq!(log.first_unstable_offset, Some(3));
        if fully {
            log.truncate_fully_and_start_at(2, NOW);
        } else {
            log.truncate_to(2, NOW);
        }
        assert_eq!((log.first_unstable_offset, log.log_end_offset()), (None, 2));
        assert!(log.producer_state().producers().next().is_none());
        append(&mut log, transactional(1, 0, 1));
        assert_eq!(log.first_unstable_offset, Some(2));
    }
}

/// A marker that is read again is as replicated as it was.
#[test]
fn truncation_to_the_high_watermark_keeps_the_last_stable_offset() {
    let mut log = empty_log();
    append(&mut log, transactional(1, 0, 2));
    end(&mut log, 1, true).unwrap();
    commit(&mut log);
    append(&mut log, plain(2));
    assert_eq!(log.last_stable_offset(), 3);
    log.truncate_to(3, NOW);
    assert_eq!((log.first_unstable_offset, log.last_stable_offset()), (None, 3));
}

#[test]
fn last_stable_offset_with_mixed_producers() {
    let mut log = empty_log();
    append(&mut log, transactional(137, 0, 3));
    append(&mut log, plain(3));
    append(&mut log, transactional(983, 0, 3));
    assert_eq!(log.first_unstable_offset, Some(0));
    end(&mut log, 137, false).unwrap();
    commit(&mut log);
    assert_eq!(log.first_unstable_offset, Some(6));
    end(&mut log, 983, true).unwrap();
    commit(&mut log);
    assert_eq!(log.first_unstable_offset, None);
}

#[test]
fn an_aborted_transaction_over_several_segments() {
    let mut log = log_with(|config| config.segment_bytes = transactional(1, 0, 3).size_in_bytes());
    append(&mut log, transactional(1, 0, 3));
    append(&mut log, transactional(1, 3, 3));
    end(&mut log, 1, false).unwrap();
    commit(&mut log);
    assert_eq!((bases(&log), log.first_unstable_offset), (vec![0, 3, 6], None));
    let aborted = [AbortedTransaction { producer_id: 1, first_offset: 0 }];
    assert_eq!(log.aborted_transactions(0, 3), aborted, "a reader of the first segment must know");
    assert_eq!(log.aborted_transactions(4, 5), aborted);
    let index = log.segments()[2].txn_index().iter().next().copied().expect("where the marker is");
    assert_eq!((index.first_offset, index.last_offset, index.last_stable_offset), (0, 6, 7));
}

/// What a real Kafka answers: `transactions-reading/only-those-that-overlap` in `tests/golden/kafka`.
#[test]
fn aborted_transactions_are_told_of_up_to_the_next_index_entry() {
    let mut log = log_with(|config| config.index_interval_bytes = 2 * transactional(1, 0, 1).size_in_bytes());
    for sequence in 0..8 {
        append(&mut log, transactional(1, sequence, 1));
    }
    let bound = |log: &UnifiedLog, from| log.upper_bound_of(&log.read(from, 1, 99, true).expect("it is there"));
    let indexed: Vec<u32> = log.segments()[0].offset_index().iter().map(|entry| entry.relative_offset).collect();
    assert_eq!(indexed, [3, 6], "more than two batches after the entry before");
    let bounds: Vec<_> = (0..8).map(|from| bound(&log, from)).collect();
    assert_eq!(bounds, [3, 3, 3, 6, 6, 6, 8, 8].map(Some));
    log.roll(8, NOW);
    append(&mut log, transactional(1, 8, 1));
    assert_eq!((bound(&log, 7), bound(&log, 8)), (Some(8), Some(9)), "the next segment, the log's end");
    assert_eq!(log.upper_bound_of(&[]), None);
}

#[test]
fn the_transaction_index_on_leader_and_follower() {
    let mut log = empty_log();
    let mut sequences = [0; 5];
    let mut more = |log: &mut UnifiedLog, producer: i64, count: u32| {
        let sequence = &mut sequences[producer as usize];
        append(log, transactional(producer, *sequence, count));
        *sequence += count as i32;
    };
    more(&mut log, 1, 5);
    append(&mut log, plain(3));
    more(&mut log, 2, 2);
    more(&mut log, 1, 4);
    more(&mut log, 3, 3);
    append(&mut log, plain(2));
    more(&mut log, 1, 10);
    end(&mut log, 1, false).unwrap();
    more(&mut log, 2, 6);
    more(&mut log, 4, 3);
    append(&mut log, plain(10));
    more(&mut log, 3, 9);
    end(&mut log, 3, true).unwrap();
    more(&mut log, 4, 8);
    more(&mut log, 2, 7);
    end(&mut log, 2, false).unwrap();
    append(&mut log, plain(10));
    more(&mut log, 4, 4);
    end(&mut log, 4, true).unwrap();

    let mut follower = empty_log();
    let batches: Vec<RecordBatch> = log.batches_from(0).cloned().collect();
    follower.append_as_follower(&batches, 0, NOW).unwrap();
    for log in [&mut log, &mut follower] {
        let index = log.segments()[0].txn_index().iter();
        let aborted: Vec<_> =
            index.map(|it| (it.producer_id, it.first_offset, it.last_offset, it.last_stable_offset)).collect();
        assert_eq!(aborted, [(1, 0, 29, 8), (2, 8, 74, 36)]);
        for (high_watermark, unstable) in [(30, Some(8)), (75, Some(36)), (90, None)] {
            log.set_high_watermark(high_watermark);
            assert_eq!(log.first_unstable_offset, unstable, "high watermark {high_watermark}");
        }
    }
}

#[test]
fn a_follower_takes_what_its_leader_took() {
    let mut log = log_with(|config| config.max_message_bytes = 100);
    let large = plain(20);
    assert_eq!(client(&mut log, large.clone()), Err(ErrorCode::MessageTooLarge));
    replicate(&mut log, &large, 0, 0);
    // Markers carry no version on their way to a follower.
    replicate(&mut log, &transactional(1, 0, 1), 20, 0);
    replicate(&mut log, &ControlRecord::marker_batch(true, 1, 5, 3, now_ms()), 21, 0);
    replicate(&mut log, &ControlRecord::marker_batch(true, 1, 5, 2, now_ms()), 22, 0);
    assert_eq!(log.producer_state().entry(1).map(|entry| entry.epoch), Some(5));
}

#[test]
#[should_panic(expected = "who ends a transaction knows its version")]
fn a_leader_must_know_the_version_of_the_transaction_it_ends() {
    let mut log = empty_log();
    append(&mut log, transactional(1, 0, 1));
    let _ = log.append_as_leader(marker(1, true), 0, AppendOrigin::Coordinator, NOW);
}

#[test]
fn offsets_far_apart_do_not_share_a_segment() {
    let mut log = empty_log();
    replicate(&mut log, &plain(1), 0, 0);
    replicate(&mut log, &plain(1), i64::from(i32::MAX), 0);
    replicate(&mut log, &plain(1), i64::from(i32::MAX) + 1, 0);
    assert_eq!(bases(&log), [0, i64::from(i32::MAX) + 1]);
    replicate(&mut log, &plain(1), 3 * i64::from(i32::MAX), 0);
    assert_eq!(bases(&log).len(), 3);
    let config = log.config().clone();
    let (log, report) = UnifiedLog::open(log.into_directory(), config, 0, NOW);
    assert_eq!((report.lost_bytes, log.log_end_offset()), (0, 3 * i64::from(i32::MAX) + 1));
}
