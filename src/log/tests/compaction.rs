//! Compaction: Kafka's cases (`LogCleanerTest`, `LogCleanerManagerTest`), and their like.

use super::*;
use crate::protocol::AbortedTransaction;

fn compacted(change: impl FnOnce(&mut LogConfig)) -> UnifiedLog {
    log_with(|config| {
        (config.compact, config.delete) = (true, false);
        config.min_cleanable_dirty_ratio.numerator = 0;
        change(config);
    })
}

/// One record; without a value it is a tombstone.
fn record(key: &str, value: Option<&str>) -> RecordBatch {
    records(&[(key, value)]).build()
}

fn records(records: &[(&str, Option<&str>)]) -> BatchBuilder {
    let mut builder = BatchBuilder::new(now_ms());
    for (key, value) in records {
        builder.append(now_ms(), Some(key.as_bytes()), value.map(str::as_bytes), &[]);
    }
    builder
}

fn put(log: &mut UnifiedLog, keys: &str) {
    for key in keys.chars() {
        append(log, record(&key.to_string(), Some("v")));
    }
}

fn of(producer: i64, sequence: i32, keys: &str) -> RecordBatch {
    let keys: Vec<String> = keys.chars().map(|key| key.to_string()).collect();
    let pairs: Vec<(&str, Option<&str>)> = keys.iter().map(|key| (key.as_str(), Some("v"))).collect();
    records(&pairs).producer(producer, 0, sequence).transactional(true).build()
}

fn roll(log: &mut UnifiedLog) {
    log.roll(log.log_end_offset(), NOW);
}

/// Rolls, takes all as replicated, and cleans; says whether there was anything to clean.
fn clean(log: &mut UnifiedLog, now: Time) -> bool {
    roll(log);
    commit(log);
    match log.to_clean(now) {
        Some(what) => log.clean(&what, now).map(|_| true).expect("it can be read"),
        None => false,
    }
}

/// Keys and offsets of the records that are there; markers are `C` and `A`.
fn content(log: &UnifiedLog) -> Vec<(String, Offset)> {
    let mut found = Vec::new();
    for batch in log.batches_from(0) {
        let marker = batch.is_control().then(|| ControlRecord::of_batch(batch).unwrap());
        for record in batch.raw_records() {
            let record = record.unwrap();
            let key = match &marker {
                Some(Some(ControlRecord::Commit { .. })) => "C".to_owned(),
                Some(_) => "A".to_owned(),
                None => String::from_utf8(record.key.unwrap().to_vec()).unwrap(),
            };
            found.push((key, record.offset));
        }
    }
    found
}

fn is(log: &UnifiedLog, expected: &[(&str, Offset)]) {
    let expected: Vec<(String, Offset)> = expected.iter().map(|(key, offset)| (key.to_string(), *offset)).collect();
    assert_eq!(content(log), expected);
    for batch in log.batches_from(0) {
        assert!(batch.validate_crc(), "{batch:?}");
    }
}

#[test]
fn the_newest_record_of_each_key_stays_at_its_offset() {
    let mut log = compacted(|_| {});
    put(&mut log, "abcabd");
    assert!(clean(&mut log, NOW));
    is(&log, &[("c", 2), ("a", 3), ("b", 4), ("d", 5)]);
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.cleaned_to()), (0, 6, Some(6)));
    assert!(!clean(&mut log, NOW), "nothing is dirty");
    put(&mut log, "d");
    is(&log, &[("c", 2), ("a", 3), ("b", 4), ("d", 5), ("d", 6)]);
    assert!(clean(&mut log, NOW));
    is(&log, &[("c", 2), ("a", 3), ("b", 4), ("d", 6)]);
    assert_eq!(log.segments().len(), 2, "small segments become one");
}

#[test]
fn a_batch_keeps_its_offsets_when_records_go() {
    let mut log = compacted(|_| {});
    append(&mut log, records(&[("a", Some("1")), ("b", Some("2")), ("c", Some("3"))]).producer(7, 0, 5).build());
    put(&mut log, "ac");
    assert!(clean(&mut log, NOW));
    is(&log, &[("b", 1), ("a", 3), ("c", 4)]);
    let batch = log.batches_from(0).next().unwrap().clone();
    assert_eq!((batch.base_offset(), batch.last_offset(), batch.record_count()), (0, 2, 1));
    assert_eq!((batch.base_sequence(), batch.last_sequence(), batch.producer_id()), (5, 7, 7));
    assert_eq!(log.read(0, u32::MAX, 5, true).unwrap().len(), 3);
    assert_eq!(log.read(2, u32::MAX, 5, true).unwrap()[0], batch, "a reader between two records gets the batch");
}

#[test]
fn readers_meet_gaps() {
    let mut log = compacted(|config| config.segment_bytes = 3 * record("a", Some("v")).size_in_bytes());
    put(&mut log, "aaaaaaab");
    assert!(clean(&mut log, NOW));
    is(&log, &[("a", 6), ("b", 7)]);
    for offset in 0..=6 {
        assert_eq!(log.read(offset, u32::MAX, 8, true).unwrap()[0].base_offset(), 6, "from {offset}");
        assert_eq!(log.read(offset, u32::MAX, 6, true), Ok(vec![]), "nothing of it is below the bound");
    }
    assert_eq!(log.offset_for_timestamp(now_ms()).map(|found| found.1), Some(6));
}

#[test]
fn tombstones_stay_until_their_horizon() {
    let mut log = compacted(|config| config.delete_retention_ms = 1_000);
    put(&mut log, "ab");
    append(&mut log, record("a", None));
    put(&mut log, "c");
    assert!(clean(&mut log, NOW));
    is(&log, &[("b", 1), ("a", 2), ("c", 3)]);
    let tombstone = log.batches_from(2).next().unwrap();
    assert_eq!(tombstone.delete_horizon(), Some(now_ms() + 1_000));
    assert_eq!(tombstone.raw_records().next().unwrap().unwrap().timestamp, now_ms(), "the record's own time stays");
    put(&mut log, "d");
    assert!(clean(&mut log, later(999)));
    assert_eq!(log.batches_from(2).next().unwrap().delete_horizon(), Some(now_ms() + 1_000), "it is stamped once");
    put(&mut log, "e");
    assert!(clean(&mut log, later(1_000)));
    is(&log, &[("b", 1), ("c", 3), ("d", 4), ("e", 5)]);
}

#[test]
fn a_tombstone_is_superseded_like_any_record() {
    let mut log = compacted(|_| {});
    append(&mut log, record("a", None));
    put(&mut log, "ab");
    assert!(clean(&mut log, NOW));
    is(&log, &[("a", 1), ("b", 2)]);
}

#[test]
fn the_last_batch_of_the_cleaned_part_stays_even_if_empty() {
    let mut log = compacted(|config| config.delete_retention_ms = 0);
    put(&mut log, "a");
    append(&mut log, record("a", None));
    assert!(clean(&mut log, NOW));
    is(&log, &[("a", 1)]);
    roll(&mut log);
    put(&mut log, "b");
    assert!(clean(&mut log, NOW));
    is(&log, &[("b", 2)]);
    append(&mut log, record("b", None));
    clean(&mut log, NOW);
    append(&mut log, records(&[("c", Some("v"))]).build());
    let what = log.cleanable(NOW);
    assert_eq!(what.cleanable_bytes, 0);
    // Now the tombstone is the last of what is cleaned, and its horizon has passed.
    roll(&mut log);
    commit(&mut log);
    let what = LogToClean { first_uncleanable_offset: 4, ..log.cleanable(NOW) };
    log.clean(&what, NOW).unwrap();
    is(&log, &[("c", 4)]);
    let empty = log.batches_from(0).next().unwrap();
    assert_eq!((empty.base_offset(), empty.record_count(), empty.size_in_bytes()), (3, 0, 61));
    assert_eq!(log.segments()[0].next_offset(), 4);
}

#[test]
fn sequences_survive_their_records() {
    let mut log = compacted(|_| {});
    for sequence in 0..3 {
        append(&mut log, records(&[("a", Some("v"))]).producer(1, 0, sequence).build());
    }
    append(&mut log, records(&[("a", Some("v"))]).producer(2, 0, 0).build());
    assert!(clean(&mut log, NOW));
    is(&log, &[("a", 3)]);
    assert_eq!(base_offsets(&log), [2, 3], "the last batch of producer 1 stays, empty");
    let config = log.config().clone();
    let mut directory = log.into_directory();
    directory.snapshots.clear();
    let (mut log, _) = UnifiedLog::open(directory, config, 4, NOW);
    append(&mut log, records(&[("a", Some("v"))]).producer(1, 0, 3).build());
    assert!(append(&mut log, records(&[("a", Some("v"))]).producer(2, 0, 0).build()).duplicate);
    // Once the producer is forgotten, its batch is too.
    log.remove_expired_producers(later(86_400_001));
    assert!(clean(&mut log, NOW));
    assert_eq!(base_offsets(&log), [4]);
}

#[test]
fn data_of_aborted_transactions_goes_and_its_marker_later() {
    let mut log = compacted(|config| config.delete_retention_ms = 1_000);
    append(&mut log, of(1, 0, "ab"));
    append(&mut log, of(2, 0, "cd"));
    end(&mut log, 1, false).unwrap();
    end(&mut log, 2, true).unwrap();
    put(&mut log, "e");
    assert!(clean(&mut log, NOW));
    is(&log, &[("c", 2), ("d", 3), ("A", 4), ("C", 5), ("e", 6)]);
    assert_eq!(base_offsets(&log)[0], 0, "producer 1 is known by its batch, which is empty now");
    assert_eq!(log.batches_from(4).next().unwrap().delete_horizon(), None, "it was still traversed");
    let aborted = [AbortedTransaction { producer_id: 1, first_offset: 0 }];
    assert_eq!(log.aborted_transactions(0, 7), aborted);
    // Producer 1 goes on, so that its old batch need not stay.
    append(&mut log, of(1, 2, "f"));
    end(&mut log, 1, true).unwrap();
    assert!(clean(&mut log, NOW));
    is(&log, &[("c", 2), ("d", 3), ("A", 4), ("C", 5), ("e", 6), ("f", 7), ("C", 8)]);
    put(&mut log, "g");
    assert!(clean(&mut log, NOW));
    assert_eq!(log.batches_from(4).next().unwrap().delete_horizon(), Some(now_ms() + 1_000), "nothing is left of it");
    assert_eq!(log.aborted_transactions(0, 9), []);
    put(&mut log, "h");
    assert!(clean(&mut log, later(1_000)));
    is(&log, &[("c", 2), ("d", 3), ("C", 5), ("e", 6), ("f", 7), ("C", 8), ("g", 9), ("h", 10)]);
}

#[test]
fn a_commit_marker_goes_when_all_its_records_are_superseded() {
    let mut log = compacted(|config| config.delete_retention_ms = 1_000);
    append(&mut log, of(1, 0, "a"));
    end(&mut log, 1, true).unwrap();
    append(&mut log, of(1, 1, "a"));
    end(&mut log, 1, true).unwrap();
    put(&mut log, "b");
    assert!(clean(&mut log, NOW));
    is(&log, &[("C", 1), ("a", 2), ("C", 3), ("b", 4)]);
    assert_eq!(log.batches_from(1).next().unwrap().delete_horizon(), None);
    put(&mut log, "c");
    assert!(clean(&mut log, NOW));
    assert_eq!(log.batches_from(1).next().unwrap().delete_horizon(), Some(now_ms() + 1_000));
    put(&mut log, "d");
    assert!(clean(&mut log, later(1_000)));
    is(&log, &[("a", 2), ("C", 3), ("b", 4), ("c", 5), ("d", 6)]);
}

#[test]
fn an_aborted_record_does_not_supersede() {
    let mut log = compacted(|_| {});
    put(&mut log, "a");
    append(&mut log, of(1, 0, "a"));
    end(&mut log, 1, false).unwrap();
    assert!(clean(&mut log, NOW));
    is(&log, &[("a", 0), ("A", 2)]);
}

#[test]
fn a_transaction_over_several_segments() {
    let mut log = compacted(|config| config.segment_bytes = 150);
    append(&mut log, of(1, 0, "ab"));
    roll(&mut log);
    append(&mut log, of(1, 2, "cd"));
    roll(&mut log);
    end(&mut log, 1, false).unwrap();
    put(&mut log, "x");
    assert!(clean(&mut log, NOW));
    is(&log, &[("A", 4), ("x", 5)]);
    assert_eq!(log.aborted_transactions(0, 6), [AbortedTransaction { producer_id: 1, first_offset: 0 }]);
}

#[test]
fn the_marker_of_a_producer_without_data_stays_for_its_epoch() {
    let mut log = compacted(|config| config.delete_retention_ms = 0);
    append_marker(&mut log, ControlRecord::marker_batch(false, 1, 5, 0, now_ms()), 0).unwrap();
    for key in ["a", "b", "c"] {
        put(&mut log, key);
        assert!(clean(&mut log, later(10)));
    }
    assert_eq!(base_offsets(&log), [0, 1, 2, 3]);
    let marker = log.batches_from(0).next().unwrap();
    assert_eq!((marker.record_count(), marker.is_control(), marker.producer_epoch()), (0, true, 5));
    let config = log.config().clone();
    let mut directory = log.into_directory();
    directory.snapshots.clear();
    let (log, _) = UnifiedLog::open(directory, config, 4, NOW);
    assert!(log.producer_state().entry(1).is_none_or(|entry| entry.epoch <= 5), "an empty marker is no obstacle");
}

#[test]
fn what_is_not_stable_is_not_cleaned() {
    let mut log = compacted(|_| {});
    put(&mut log, "a");
    roll(&mut log);
    put(&mut log, "a");
    roll(&mut log);
    append(&mut log, of(1, 0, "a"));
    put(&mut log, "a");
    assert!(clean(&mut log, NOW));
    is(&log, &[("a", 1), ("a", 2), ("a", 3)]);
    assert_eq!(log.cleaned_to(), Some(2), "the segment with the open transaction is left alone");
    end(&mut log, 1, true).unwrap();
    assert!(clean(&mut log, NOW));
    is(&log, &[("a", 3), ("C", 4)]);
}

#[test]
fn what_is_not_replicated_is_not_cleaned() {
    let mut log = compacted(|_| {});
    put(&mut log, "aa");
    roll(&mut log);
    put(&mut log, "a");
    roll(&mut log);
    assert_eq!(log.to_clean(NOW), None);
    log.set_high_watermark(2);
    let what = log.to_clean(NOW).expect("one segment");
    assert_eq!((what.first_dirty_offset, what.first_uncleanable_offset), (0, 2));
    log.clean(&what, NOW).unwrap();
    is(&log, &[("a", 1), ("a", 2)]);
}

#[test]
fn cleaning_waits_for_the_dirty_ratio() {
    let mut log = compacted(|config| config.min_cleanable_dirty_ratio.numerator = 500);
    put(&mut log, "abcd");
    assert!(clean(&mut log, NOW));
    put(&mut log, "abcd");
    roll(&mut log);
    commit(&mut log);
    let found = log.cleanable(NOW);
    assert_eq!(found.clean_bytes, found.cleanable_bytes);
    assert_eq!(log.to_clean(NOW), None, "half is not more than half");
    put(&mut log, "e");
    assert!(clean(&mut log, NOW));
}

#[test]
fn compaction_lags() {
    let mut log = compacted(|config| config.min_compaction_lag_ms = 1_000);
    put(&mut log, "aa");
    roll(&mut log);
    append(&mut log, builder(1, now_ms() + 500).build());
    roll(&mut log);
    commit(&mut log);
    assert_eq!(log.to_clean(later(999)), None, "too young");
    let what = log.to_clean(later(1_000)).expect("the first segment is old enough");
    assert_eq!(what.first_uncleanable_offset, 2);

    let mut log = compacted(|config| {
        config.min_cleanable_dirty_ratio.numerator = 1_000;
        config.max_compaction_lag_ms = 1_000;
    });
    put(&mut log, "aa");
    roll(&mut log);
    commit(&mut log);
    assert_eq!(log.to_clean(later(1_000)), None, "not dirty enough, for a while");
    assert!(log.to_clean(later(1_001)).expect("overdue").is_overdue);
}

#[test]
fn the_active_segment_is_never_cleaned() {
    let mut log = compacted(|_| {});
    put(&mut log, "aaa");
    commit(&mut log);
    assert_eq!(log.to_clean(later(99_999_999)), None);
}

#[test]
fn cleaning_starts_at_the_log_start_if_that_passed_the_checkpoint() {
    let mut log = compacted(|config| config.delete = true);
    put(&mut log, "ab");
    assert!(clean(&mut log, NOW));
    put(&mut log, "cd");
    roll(&mut log);
    commit(&mut log);
    log.maybe_advance_log_start_offset(3).unwrap();
    assert_eq!(log.cleanable(NOW).first_dirty_offset, 3);
    log.truncate_fully_and_start_at(1, NOW);
    assert_eq!(log.cleaned_to(), Some(1));
    put(&mut log, "x");
    assert_eq!(log.cleanable(NOW).first_dirty_offset, 1);
}

#[test]
fn truncation_below_what_was_cleaned_moves_the_checkpoint_back() {
    let mut log = compacted(|config| config.segment_bytes = 150);
    put(&mut log, "abcdef");
    assert!(clean(&mut log, NOW));
    assert_eq!((bases(&log), log.cleaned_to()), (vec![0, 2, 4, 6], Some(6)));
    log.truncate_to(3, NOW);
    assert_eq!(log.cleaned_to(), Some(2));
}

#[test]
fn snapshots_go_with_the_segments_that_are_merged() {
    let mut log = compacted(|_| {});
    for sequence in 0..3 {
        append(&mut log, records(&[("a", Some("v"))]).producer(1, 0, sequence).build());
        roll(&mut log);
    }
    let snapshots = |log: &UnifiedLog| log.directory().snapshot_offsets().collect::<Vec<_>>();
    assert_eq!(snapshots(&log), [1, 2, 3]);
    assert!(clean(&mut log, NOW));
    assert_eq!((bases(&log), snapshots(&log)), (vec![0, 3], vec![3]));
}

#[test]
fn segments_are_grouped_by_size() {
    let size = record("a", Some("v")).size_in_bytes();
    let mut log = compacted(|config| config.segment_bytes = 4 * size);
    for keys in ["abc", "a", "bcde", "f", "g"] {
        put(&mut log, keys);
        roll(&mut log);
    }
    assert_eq!(bases(&log), [0, 3, 4, 8, 9, 10]);
    assert!(clean(&mut log, NOW));
    assert_eq!(bases(&log), [0, 4, 8, 10], "by their size before they were cleaned");
    is(&log, &[("a", 3), ("b", 4), ("c", 5), ("d", 6), ("e", 7), ("f", 8), ("g", 9)]);
}

#[test]
fn an_emptied_segment_does_no_harm() {
    let mut log = compacted(|config| config.segment_bytes = 2 * record("a", Some("v")).size_in_bytes());
    put(&mut log, "ababab");
    assert!(clean(&mut log, NOW));
    is(&log, &[("a", 4), ("b", 5)]);
    assert_eq!(log.segments()[0].size_in_bytes(), 0);
    assert_eq!(log.read(0, u32::MAX, 6, true).unwrap().len(), 2);
    assert!(log.truncate_to(5, NOW));
    assert_eq!(append(&mut log, record("c", Some("v"))).first_offset, 5);
    let config = log.config().clone();
    let (log, report) = UnifiedLog::open(log.into_directory(), config, 6, NOW);
    assert_eq!((report.lost_bytes, log.log_end_offset()), (0, 6));
}

#[test]
fn records_without_a_key_are_refused_or_removed() {
    let mut log = compacted(|config| config.compact = false);
    let mut keyless = BatchBuilder::new(now_ms());
    keyless.append(now_ms(), None, Some(b"v"), &[]);
    let keyless = keyless.build();
    append(&mut log, keyless.clone());
    put(&mut log, "a");
    let mut config = (**log.config()).clone();
    config.compact = true;
    log.set_config(Rc::new(config));
    assert_eq!(client(&mut log, keyless), Err(ErrorCode::InvalidRecord));
    assert!(clean(&mut log, NOW));
    is(&log, &[("a", 1)]);
}

#[test]
fn a_log_that_cannot_be_read_stays_as_it_is() {
    let mut log = compacted(|_| {});
    put(&mut log, "aa");
    append(&mut log, records(&[("b", Some("v"))]).build());
    roll(&mut log);
    commit(&mut log);
    // The length of the record, so that nothing after it makes sense.
    log.corrupt(2, crate::record::BATCH_OVERHEAD - 21);
    let before = log.clone();
    let what = log.to_clean(NOW).unwrap();
    assert!(log.clean(&what, NOW).is_err());
    assert_eq!(log, before);
}

#[test]
fn timestamps_by_append_time_stay() {
    let mut log = compacted(|config| config.timestamp_type = crate::base::config::TimestampType::LogAppendTime);
    append(&mut log, records(&[("a", Some("v")), ("b", None)]).build());
    put(&mut log, "ac");
    assert!(clean(&mut log, later(50)));
    is(&log, &[("b", 1), ("a", 2), ("c", 3)]);
    let batch = log.batches_from(0).next().unwrap();
    assert_eq!((batch.max_timestamp(), batch.timestamp_type()), (now_ms(), log.config().timestamp_type));
    assert_eq!(batch.raw_records().next().unwrap().unwrap().timestamp, now_ms());
}
