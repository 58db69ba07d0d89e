//! What a directory goes through that no golden shows.

use super::{Beside, FileKind, file_name, open, render, snapshot};
use crate::base::{Duration, Offset, Time, TopicId, TopicPartition};
use crate::log::{AppendContext, AppendOrigin, LogConfig, UnifiedLog};
use crate::record::{BatchBuilder, ControlRecord};
use std::rc::Rc;

const PARTITION: TopicPartition = TopicPartition::new(TopicId(1), 0);
const NOW: Time = Time::ORIGIN;

fn reopened(log: UnifiedLog) -> UnifiedLog {
    let config = Rc::clone(log.config());
    UnifiedLog::open(log.close(), config, Offset::MAX, NOW).0
}

fn append(log: &mut UnifiedLog, sequence: i32, transactional: bool) {
    let at = NOW.wall_clock_ms();
    let mut builder = BatchBuilder::new(at).producer(7, 0, sequence).transactional(transactional);
    builder.append(at, None, Some(b"value"), &[]);
    log.append_as_leader(builder.build(), 0, AppendOrigin::Client, NOW).expect("the append is fine");
}

fn new_log() -> UnifiedLog {
    UnifiedLog::create(PARTITION, Rc::new(LogConfig::default()), NOW)
}

fn snapshots(log: &UnifiedLog) -> Vec<Offset> {
    log.directory().snapshot_offsets().collect()
}

/// `ProducerStateManager.removeStraySnapshots`
#[test]
fn snapshots_that_begin_no_segment_go_at_the_next_start_but_for_the_newest() {
    let mut log = new_log();
    append(&mut log, 0, false);
    let mut log = reopened(log);
    assert_eq!(snapshots(&log), [1], "it is above all segments");
    append(&mut log, 1, false);
    log.roll(2, NOW);
    append(&mut log, 2, false);
    assert_eq!(snapshots(&log), [1, 2]);
    assert_eq!(snapshots(&reopened(log)), [2, 3], "a segment began above it");
}

#[test]
fn the_one_timestamp_of_a_snapshots_entry_is_that_of_the_last_batch_or_marker() {
    let mut log = new_log();
    append(&mut log, 0, true);
    let later = NOW + Duration::from_millis(500);
    let marker = ControlRecord::marker_batch(true, 7, 0, 0, later.wall_clock_ms());
    let context = AppendContext { transaction_version: Some(0), ..AppendContext::from(AppendOrigin::Coordinator) };
    log.append_as_leader_with(marker, 0, context, later).expect("the marker is fine");
    let files = render(&log.clone().close(), "AAAAAAAAAAAAAAAAAAAAAQ");
    let file = files.iter().find(|file| file.name == file_name(2, FileKind::Snapshot)).expect("close writes one");
    let (_, entry) = snapshot::read(&file.bytes, 2).expect("we wrote it")[0];
    assert_eq!(entry.last_timestamp, later.wall_clock_ms());
    assert_eq!(entry.batches()[0].timestamp, later.wall_clock_ms());
    // And so it comes back: what is in memory after a start is what the file says.
    let beside = Beside { clean_shutdown: true, recovery_point: 2, log_start_offset: 0, cleaned_to: None };
    let config = Rc::new(LogConfig::default());
    let opened = open(PARTITION, &files, beside, &config, NOW).expect("we wrote it");
    let (again, _) = UnifiedLog::open(opened.directory, config, 2, NOW);
    assert_eq!(again.producer_state().entry(7), Some(&entry));
    assert_eq!(reopened(log).producer_state().entry(7), Some(&entry), "a restart without files between");
}

#[test]
fn a_log_whose_start_was_moved_to_its_end_comes_back_empty_there() {
    let mut log = new_log();
    (0..4).for_each(|sequence| append(&mut log, sequence, false));
    log.set_high_watermark(4);
    log.maybe_advance_log_start_offset(4).expect("it is replicated");
    let directory = log.close();
    let beside = Beside {
        clean_shutdown: directory.is_clean(),
        recovery_point: directory.recovery_point(),
        log_start_offset: directory.checkpointed_log_start().expect("it is no segment's base"),
        cleaned_to: None,
    };
    let config = Rc::new(LogConfig::default());
    let opened = open(PARTITION, &render(&directory, "AAAAAAAAAAAAAAAAAAAAAQ"), beside, &config, NOW).expect("sound");
    let (again, _) = UnifiedLog::open(opened.directory, config, 4, NOW);
    assert_eq!((again.log_start_offset(), again.log_end_offset(), again.is_empty()), (4, 4, true));
}
