//! Offsets, epochs, segments, refusals.

use super::*;
use crate::base::config::TimestampType;
use crate::record::Header;

#[test]
fn b2_high_watermark_maintenance() {
    let mut log = empty_log();
    append(&mut log, plain(3));
    assert_eq!(log.high_watermark(), 0);
    assert_eq!(log.set_high_watermark(1), 1);
    assert_eq!(log.set_high_watermark(5), 3, "capped at the log's end");
    replicate(&mut log, &plain(3), 3, 0);
    assert_eq!(log.set_high_watermark(6), 6);
    assert!(log.truncate_to(3, NOW));
    assert_eq!((log.high_watermark(), log.log_end_offset()), (3, 3));
    append(&mut log, plain(3));
    assert_eq!((log.high_watermark(), log.log_end_offset()), (3, 6));
    log.truncate_fully_and_start_at(4, NOW);
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.high_watermark()), (4, 4, 4));
}

#[test]
fn the_high_watermark_never_falls_by_advancing() {
    let mut log = empty_log();
    append(&mut log, plain(5));
    assert_eq!(log.maybe_advance_high_watermark(3), Some(3));
    assert_eq!(log.maybe_advance_high_watermark(3), None);
    assert_eq!(log.maybe_advance_high_watermark(2), None);
    assert_eq!(log.maybe_advance_high_watermark(9), Some(5));
    assert_eq!(log.maybe_advance_high_watermark(9), None);
}

#[test]
fn b3_truncate_to_end_offset_clears_epoch_cache() {
    for target in [29, 30] {
        let mut log = empty_log();
        log.truncate_fully_and_start_at(27, NOW);
        log.append_as_leader(plain(2), 19, AppendOrigin::Client, NOW).unwrap();
        log.assign_epoch_start_offset(20, 29);
        assert_eq!(log.latest_epoch(), Some(20));
        assert!(!log.truncate_to(target, NOW));
        assert_eq!(log.log_end_offset(), 29);
        assert_eq!(log.epoch_entries(), [EpochEntry { epoch: 19, start_offset: 27 }]);
    }
}

#[test]
fn a_leader_assigns_offsets_and_its_epoch() {
    let mut log = empty_log();
    log.append_as_leader(plain(2), 3, AppendOrigin::Client, NOW).unwrap();
    let info = log.append_as_leader(plain(3), 5, AppendOrigin::Client, NOW).unwrap();
    assert_eq!((info.first_offset, info.last_offset, info.log_append_time), (2, 4, -1));
    assert_eq!((info.batch.base_offset(), info.batch.leader_epoch()), (2, 5));
    assert!(info.batch.validate_crc());
    let starts: Vec<_> = log.epoch_entries().iter().map(|entry| (entry.epoch, entry.start_offset)).collect();
    assert_eq!(starts, [(3, 0), (5, 2)]);
    assert_eq!(log.end_offset_for_epoch(4).end_offset, 2);
    assert_eq!(log.epoch_for_offset(4), Some(5));
}

#[test]
fn refusals_come_in_kafkas_order() {
    let mut log = log_with(|config| {
        config.max_message_bytes = 200;
        config.compact = true;
        config.timestamp_after_max_ms = 1_000;
    });
    let refused = |log: &mut UnifiedLog, batch: RecordBatch| client(log, batch).unwrap_err();
    let large_and_corrupt = builder(20, now_ms()).build().corrupted(50);
    assert_eq!(refused(&mut log, large_and_corrupt.with_offset_and_epoch(7, 0)), ErrorCode::InvalidRecord);
    assert_eq!(refused(&mut log, large_and_corrupt), ErrorCode::MessageTooLarge);
    assert_eq!(refused(&mut log, marker(1, true).corrupted(50)), ErrorCode::CorruptMessage);
    assert_eq!(refused(&mut log, marker(1, true)), ErrorCode::InvalidRecord);
    assert_eq!(refused(&mut log, plain(1).with_producer(1, 0, -1)), ErrorCode::InvalidRecord);
    let mut keyless = BatchBuilder::new(now_ms());
    keyless.append(now_ms(), None, Some(b"v"), &[]);
    assert_eq!(refused(&mut log, keyless.clone().build()), ErrorCode::InvalidRecord);
    keyless.append(now_ms() + 2_000, Some(b"k"), Some(b"v"), &[]);
    assert_eq!(refused(&mut log, keyless.build()), ErrorCode::InvalidTimestamp);
    assert_eq!((log.log_end_offset(), log.latest_epoch()), (0, None), "nothing happened so far");
}

/// The batch, claiming that its records are compressed.
fn compressed(batch: &RecordBatch, codec: u8) -> RecordBatch {
    let mut bytes = batch.bytes().to_vec();
    bytes[22] |= codec;
    let crc = crate::record::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    RecordBatch::parse(bytes.into()).unwrap().0
}

#[test]
fn a_leader_refuses_compressed_batches_and_a_follower_keeps_them() {
    for codec in 1..=4 {
        let batch = compressed(&plain(2), codec);
        assert!(batch.validate_crc());
        for origin in [AppendOrigin::Client, AppendOrigin::Coordinator] {
            let mut log = empty_log();
            let refused = log.append_as_leader(batch.clone(), 0, origin, NOW).unwrap_err();
            assert_eq!((refused, log.log_end_offset()), (ErrorCode::UnsupportedCompressionType, 0));
        }
        let mut log = empty_log();
        replicate(&mut log, &batch, 0, 0);
        assert_eq!(log.read(0, u32::MAX, 2, true).unwrap().len(), 1);
    }
    let unknown = client(&mut empty_log(), compressed(&plain(2), 5));
    assert_eq!(unknown, Err(ErrorCode::UnknownServerError), "there is no such codec");
    let corrupt = compressed(&plain(2), 1).corrupted(50);
    assert_eq!(client(&mut empty_log(), corrupt), Err(ErrorCode::CorruptMessage), "that is seen first");
}

#[test]
fn a_batch_larger_than_a_segment_is_refused_after_its_epoch_was_noted() {
    let mut log = log_with(|config| config.segment_bytes = 100);
    assert_eq!(client(&mut log, plain(9)), Err(ErrorCode::RecordListTooLarge));
    assert_eq!(log.latest_epoch(), Some(0));
}

#[test]
fn with_log_append_time_the_leader_stamps_the_batch() {
    let mut log = log_with(|config| config.timestamp_type = TimestampType::LogAppendTime);
    let batch = builder(2, now_ms() - 5_000).build();
    let info = append(&mut log, batch);
    assert_eq!(info.log_append_time, now_ms());
    assert_eq!(info.batch.timestamp_type(), TimestampType::LogAppendTime);
    assert!(info.batch.validate_crc());
    assert!(info.batch.records().all(|record| record.unwrap().timestamp == now_ms()));
    assert_eq!(info.batch.base_timestamp(), now_ms() - 5_000, "it is the maximal timestamp that is set");
}

#[test]
fn a_follower_keeps_offsets_and_leaves_out_newer_epochs() {
    let mut log = empty_log();
    let batches: Vec<RecordBatch> =
        [(0, 1), (2, 2), (4, 3)].map(|(offset, epoch)| plain(2).with_offset_and_epoch(offset, epoch)).into();
    let info = log.append_as_follower(&batches, 2, NOW).unwrap().unwrap();
    assert_eq!((info.first_offset, info.last_offset, log.log_end_offset()), (0, 3, 4));
    assert_eq!(log.latest_epoch(), Some(2));
    assert_eq!(log.append_as_follower(&batches[2..], 2, NOW), Ok(None));
    assert!(log.append_as_follower(&batches[..1], 3, NOW).is_err(), "below the log's end");
    assert_eq!(log.append_as_follower(&[batches[2].corrupted(9)], 3, NOW), Err(ErrorCode::CorruptMessage));
    replicate(&mut log, &plain(1), 10, 3);
    assert_eq!((log.log_end_offset(), base_offsets(&log)), (11, vec![0, 2, 10]), "compaction left a gap");
}

#[test]
fn reads_end_at_the_bound_and_fail_outside_of_the_log() {
    let mut log = empty_log();
    for _ in 0..3 {
        append(&mut log, plain(2));
    }
    let read = |from, max, upper, min_one| -> Result<Vec<Offset>, ErrorCode> {
        Ok(log.read(from, max, upper, min_one)?.iter().map(RecordBatch::base_offset).collect())
    };
    let size = log.size_in_bytes() as u32 / 3;
    assert_eq!(read(0, u32::MAX, 6, true), Ok(vec![0, 2, 4]));
    assert_eq!(read(3, u32::MAX, 6, true), Ok(vec![2, 4]), "whole batches: the first may begin below");
    assert_eq!(read(0, u32::MAX, 4, true), Ok(vec![0, 2]));
    assert_eq!(read(0, u32::MAX, 3, true), Ok(vec![0]), "no batch across the bound");
    assert_eq!(read(4, u32::MAX, 4, true), Ok(vec![]));
    assert_eq!(read(5, u32::MAX, 2, true), Ok(vec![]), "between bound and end: nothing, no error");
    assert_eq!(read(6, u32::MAX, 6, true), Ok(vec![]));
    assert_eq!(read(7, u32::MAX, 6, true), Err(ErrorCode::OffsetOutOfRange));
    assert_eq!(read(-1, u32::MAX, 6, true), Err(ErrorCode::OffsetOutOfRange));
    assert_eq!(read(0, 2 * size, 6, true), Ok(vec![0, 2]));
    assert_eq!(read(0, 2 * size - 1, 6, true), Ok(vec![0]));
    assert_eq!(read(0, 1, 6, true), Ok(vec![0]));
    assert_eq!(read(0, 1, 6, false), Ok(vec![]));
}

#[test]
fn below_the_log_start_nothing_can_be_read() {
    let mut log = empty_log();
    append(&mut log, plain(4));
    log.set_high_watermark(3);
    assert_eq!(log.maybe_advance_log_start_offset(4), Err(ErrorCode::OffsetOutOfRange));
    assert_eq!(log.maybe_advance_log_start_offset(2), Ok(true));
    assert_eq!(log.maybe_advance_log_start_offset(2), Ok(false));
    assert_eq!(log.read(1, 100, 4, true), Err(ErrorCode::OffsetOutOfRange));
    assert_eq!(log.read(2, 100, 4, true).unwrap().len(), 1);
    assert_eq!(log.epoch_entries(), [EpochEntry { epoch: 0, start_offset: 2 }]);
}

#[test]
fn a_segment_rolls_by_size_and_a_read_stays_in_it() {
    let size = plain(1).size_in_bytes();
    let mut log = log_with(|config| config.segment_bytes = 2 * size);
    for _ in 0..5 {
        append(&mut log, plain(1));
    }
    let bases: Vec<Offset> = log.segments().iter().map(|segment| segment.base_offset()).collect();
    assert_eq!(bases, [0, 2, 4]);
    assert_eq!(log.segments()[1].file_name(), "00000000000000000002.log");
    assert_eq!(log.read(1, u32::MAX, 5, true).unwrap().len(), 1);
    assert_eq!(log.read(2, u32::MAX, 5, true).unwrap().len(), 2);
    assert_eq!(base_offsets(&log), [0, 1, 2, 3, 4]);
    assert_eq!(log.directory().recovery_point(), 4, "what was rolled is flushed");
    assert_eq!(log.directory().snapshot_offsets().collect::<Vec<_>>(), [2, 4]);
    assert!(log.truncate_to(3, NOW));
    assert_eq!(base_offsets(&log), [0, 1, 2]);
    assert!(log.truncate_to(0, NOW));
    assert_eq!((base_offsets(&log), log.segments().len()), (vec![], 1));
}

#[test]
fn a_segment_rolls_by_record_time_not_by_the_clock() {
    let mut log = log_with(|config| config.segment_ms = 1_000);
    append(&mut log, builder(1, now_ms()).build());
    let later = Time(NOW.0 + 60_000_000);
    log.append_as_leader(builder(1, now_ms() + 1_000).build(), 0, AppendOrigin::Client, later).unwrap();
    assert_eq!(log.segments().len(), 1);
    log.append_as_leader(builder(1, now_ms() + 1_001).build(), 0, AppendOrigin::Client, later).unwrap();
    assert_eq!(log.segments().len(), 2);
}

#[test]
fn the_indexes_are_sparse() {
    let size = plain(1).size_in_bytes();
    let mut log = log_with(|config| config.index_interval_bytes = 2 * size);
    for number in 0..7 {
        append(&mut log, builder(1, now_ms() + number).build());
    }
    let segment = &log.segments()[0];
    let offsets: Vec<(u32, u32)> =
        segment.offset_index().iter().map(|entry| (entry.relative_offset, entry.position / size)).collect();
    assert_eq!(offsets, [(3, 3), (6, 6)]);
    let times: Vec<(i64, u32)> =
        segment.time_index().iter().map(|entry| (entry.timestamp - now_ms(), entry.relative_offset)).collect();
    assert_eq!(times, [(3, 3), (6, 6)]);
}

#[test]
fn truncation_into_a_batch_takes_all_of_it() {
    let mut log = empty_log();
    append(&mut log, plain(2));
    append(&mut log, plain(4));
    assert!(log.truncate_to(4, NOW));
    assert_eq!((log.log_end_offset(), base_offsets(&log)), (4, vec![0]));
    assert_eq!(log.read(3, 100, 4, true), Ok(vec![]));
    let info = append(&mut log, plain(1));
    assert_eq!(info.first_offset, 4);
}

#[test]
fn offsets_by_timestamp() {
    let mut log = log_with(|config| config.segment_bytes = 200);
    let mut batch = BatchBuilder::new(now_ms());
    for delta in [0, 20, 10] {
        batch.append(now_ms() + delta, Some(b"k"), None, &[Header { key: "h".into(), value: None }]);
    }
    append(&mut log, batch.build());
    for delta in [5, 40, 30] {
        append(&mut log, builder(1, now_ms() + delta).build());
    }
    let find = |delta| log.offset_for_timestamp(now_ms() + delta).map(|(time, offset, _)| (time - now_ms(), offset));
    assert_eq!(find(-5), Some((0, 0)));
    assert_eq!(find(1), Some((20, 1)));
    assert_eq!(find(21), Some((40, 4)));
    assert_eq!(find(41), None);
    assert_eq!(log.offset_of_max_timestamp().map(|found| found.1), Some(4));
    assert_eq!(empty_log().offset_of_max_timestamp(), None);
}

#[test]
fn a_quorum_leaders_batches_keep_their_offsets() {
    let mut log = empty_log();
    let batch = builder(2, now_ms()).base_offset(0).leader_epoch(4).build();
    assert_eq!(
        log.append_as_leader(batch.clone(), 5, AppendOrigin::Raft, NOW).unwrap_err(),
        ErrorCode::InvalidRecord,
        "the epoch must be in the batch"
    );
    let info = log.append_as_leader(batch.clone(), 4, AppendOrigin::Raft, NOW).unwrap();
    assert_eq!(info.batch, batch);
    assert!(log.append_as_leader(batch, 4, AppendOrigin::Raft, NOW).is_err(), "below the log's end");
}
