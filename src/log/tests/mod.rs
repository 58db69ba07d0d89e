//! Kafka's own cases by their numbers, and the log against a model.

mod cases;
mod compaction;
mod disk;
mod model;
mod model_compaction;
mod producer_cases;
mod producers;
mod retention;
mod segments;
mod transactions;

use super::*;
use crate::base::{Duration, Offset, Time, TopicId, TopicPartition};
use crate::protocol::ErrorCode;
use crate::record::{BatchBuilder, ControlRecord, RecordBatch};
use std::rc::Rc;

const PARTITION: TopicPartition = TopicPartition::new(TopicId(1), 0);
const NOW: Time = Time::ORIGIN;

fn now_ms() -> i64 {
    NOW.wall_clock_ms()
}

fn empty_log() -> UnifiedLog {
    UnifiedLog::create(PARTITION, Rc::new(LogConfig::default()), NOW)
}

fn log_with(change: impl FnOnce(&mut LogConfig)) -> UnifiedLog {
    let mut config = LogConfig::default();
    change(&mut config);
    UnifiedLog::create(PARTITION, Rc::new(config), NOW)
}

/// `count` records stamped `timestamp`.
fn builder(count: u32, timestamp: i64) -> BatchBuilder {
    let mut builder = BatchBuilder::new(timestamp);
    for number in 0..count {
        builder.append(timestamp, Some(b"key"), Some(format!("value-{number}").as_bytes()), &[]);
    }
    builder
}

fn plain(count: u32) -> RecordBatch {
    builder(count, now_ms()).build()
}

/// A batch of the idempotent producer 1.
fn idempotent(epoch: i16, sequence: i32, count: u32) -> RecordBatch {
    builder(count, now_ms()).producer(1, epoch, sequence).build()
}

fn transactional(producer_id: i64, sequence: i32, count: u32) -> RecordBatch {
    builder(count, now_ms()).producer(producer_id, 0, sequence).transactional(true).build()
}

fn marker(producer_id: i64, commit: bool) -> RecordBatch {
    ControlRecord::marker_batch(commit, producer_id, 0, 0, now_ms())
}

fn append(log: &mut UnifiedLog, batch: RecordBatch) -> AppendInfo {
    client(log, batch).expect("the append is fine")
}

fn client(log: &mut UnifiedLog, batch: RecordBatch) -> Result<AppendInfo, ErrorCode> {
    log.append_as_leader(batch, 0, AppendOrigin::Client, NOW)
}

/// A marker as the coordinator writes it, of transaction version 0.
fn end(log: &mut UnifiedLog, producer_id: i64, commit: bool) -> Result<AppendInfo, ErrorCode> {
    append_marker(log, marker(producer_id, commit), 0)
}

fn append_marker(log: &mut UnifiedLog, batch: RecordBatch, transaction_version: u8) -> Result<AppendInfo, ErrorCode> {
    let transaction_version = Some(transaction_version);
    let context = AppendContext { transaction_version, ..AppendContext::from(AppendOrigin::Coordinator) };
    log.append_as_leader_with(batch, 0, context, NOW)
}

fn replicate(log: &mut UnifiedLog, batch: &RecordBatch, offset: Offset, epoch: i32) {
    let batch = batch.with_offset_and_epoch(offset, epoch);
    log.append_as_follower(&[batch], epoch, NOW).expect("the append is fine").expect("it is not left out");
}

/// All that was appended is replicated.
fn commit(log: &mut UnifiedLog) {
    log.set_high_watermark(log.log_end_offset());
}

fn later(millis: u64) -> Time {
    NOW + Duration::from_millis(millis)
}

/// Where the segments begin.
fn bases(log: &UnifiedLog) -> Vec<Offset> {
    log.segments().iter().map(|segment| segment.base_offset()).collect()
}

fn epochs(log: &UnifiedLog) -> Vec<(i32, Offset)> {
    log.epoch_entries().iter().map(|entry| (entry.epoch, entry.start_offset)).collect()
}

/// Everything a reader could get, by base offset.
fn base_offsets(log: &UnifiedLog) -> Vec<Offset> {
    log.batches_from(0).map(RecordBatch::base_offset).collect()
}
