//! A segment that is not trusted: its batches are checked, its indexes and the producers' state are made anew
//! (`LogLoader.recoverSegment`, `LogSegment.recover`).

use super::producer_append::{Verdict, judge};
use super::{AbortedTxn, AppendContext, AppendOrigin, LogConfig, LogDirectory, ProducerState, RecoveryReport};
use crate::base::{Offset, Time};
use crate::record::RecordBatch;
use std::rc::Rc;

/// Recovers one segment; those before it are trusted. Cuts it off at its first bad batch and returns how many bytes went.
pub(super) fn recover_segment(
    directory: &mut LogDirectory,
    index: usize,
    config: &LogConfig,
    now: Time,
    report: &mut RecoveryReport,
) -> u64 {
    let segment = Rc::clone(&directory.segments[index]);
    let mut producers = ProducerState::default();
    // Also what is below the log start: Kafka goes by the checkpoint here, and replays the segment as a whole.
    let start = directory.log_start_offset;
    reload(directory, &mut producers, start, segment.base_offset(), now.wall_clock_ms(), config);
    let mut next_offset = segment.base_offset();
    let (mut good, mut aborted) = (0, Vec::new());
    for stored in segment.batches().iter() {
        let batch = &stored.batch;
        report.checked_batches += 1;
        if !batch.validate_crc() || batch.base_offset() < next_offset {
            break;
        }
        let epoch = batch.leader_epoch();
        if epoch >= 0 && directory.epochs.latest().is_none_or(|latest| epoch > latest.epoch) {
            directory.epochs.assign(epoch, batch.base_offset());
        }
        aborted.extend(replay(&mut producers, batch));
        next_offset = batch.next_offset();
        producers.set_end_offset(next_offset);
        good += 1;
    }
    let whole = good == segment.batches().len() && segment.torn().is_none();
    drop(segment);
    let segment = Rc::make_mut(&mut directory.segments[index]);
    let lost = if whole { 0 } else { segment.truncate_to_batch(good, now) };
    segment.set_indexes(None, None, aborted);
    take_snapshot(directory, &producers);
    u64::from(lost)
}

/// The producers' state before `end`: from the nearest snapshot (or, without one, from `start`), and the batches since.
/// Snapshots that are not between the two go.
pub(super) fn reload(
    directory: &mut LogDirectory,
    producers: &mut ProducerState,
    start: Offset,
    end: Offset,
    now_ms: i64,
    config: &LogConfig,
) {
    directory.snapshots.retain(|&offset, _| offset <= end && offset > start);
    match directory.snapshots.last_key_value() {
        Some((&offset, snapshot)) => producers.load(offset, snapshot, now_ms, config),
        None => producers.reset(start),
    }
    let from = producers.end_offset();
    for segment in &directory.segments {
        if segment.next_offset() <= from {
            continue;
        }
        if segment.base_offset() >= end {
            break;
        }
        let batches = segment.batches().iter_from(segment.first_ending_at(from));
        for stored in batches.take_while(|stored| stored.last_offset < end) {
            // The transaction index of what is trusted is on disk already.
            let _ = replay(producers, &stored.batch);
        }
    }
    producers.set_end_offset(end);
}

/// Of the snapshots that begin no segment only the newest may stay, if it is above all segments
/// (`ProducerStateManager.removeStraySnapshots`).
pub(super) fn remove_stray_snapshots(directory: &mut LogDirectory) {
    let newest = directory.active().base_offset();
    let segments = &directory.segments;
    let begins = |offset: &Offset| segments.binary_search_by_key(offset, |segment| segment.base_offset()).is_ok();
    let kept = directory.snapshots.keys().copied().rfind(|offset| !begins(offset));
    let kept = kept.filter(|offset| *offset > newest);
    directory.snapshots.retain(|offset, _| begins(offset) || Some(*offset) == kept);
}

/// Takes over what a batch that was appended once means for its producer.
pub(super) fn replay(producers: &mut ProducerState, batch: &RecordBatch) -> Option<AbortedTxn> {
    if !batch.has_producer_id() {
        return None;
    }
    let context = AppendContext::from(AppendOrigin::Replication);
    match judge(producers, batch, &context, false) {
        Ok(Verdict::Append(update)) => producers.apply(&update),
        _ => None,
    }
}

/// Writes the producers' state, unless an offset as high has a snapshot.
fn take_snapshot(directory: &mut LogDirectory, producers: &ProducerState) {
    let offset = producers.end_offset();
    let newest = directory.snapshots.keys().next_back().copied();
    if newest.map_or(offset > directory.log_start_offset, |newest| offset > newest) {
        directory.snapshots.insert(offset, producers.snapshot());
    }
}
