//! One partition's directory: what a restart finds.

use super::{EpochCache, LogConfig, ProducerEntry, Segment};
use crate::base::{Duration, Offset, Prng, ProducerId, SortedMap, Time, TopicPartition};
use std::rc::Rc;

/// After how long the operating system has written a page back by itself.
const WRITE_BACK: Duration = Duration::from_millis(30_000);

/// A producer snapshot file: of each producer its state, with no more than its last batch.
pub(super) type Snapshot = Rc<[(ProducerId, ProducerEntry)]>;

/// The files of one replica.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LogDirectory {
    pub(super) partition: TopicPartition,
    /// Never empty; the last one is active.
    pub(super) segments: Vec<Rc<Segment>>,
    /// `leader-epoch-checkpoint`.
    pub(super) epochs: EpochCache,
    /// `.snapshot` files by offset.
    pub(super) snapshots: SortedMap<Offset, Snapshot>,
    /// Its line in `log-start-offset-checkpoint`; 0 if it has none, because the log starts where its first segment does.
    pub(super) log_start_offset: Offset,
    /// Its line in `recovery-point-offset-checkpoint`: before it, all is flushed.
    pub(super) recovery_point: Offset,
    /// Its line in `cleaner-offset-checkpoint`: before it, all is compacted.
    pub(super) cleaned_to: Option<Offset>,
    /// `.kafka_cleanshutdown`: the log was closed in an orderly way.
    pub(super) clean_shutdown: bool,
}

impl LogDirectory {
    /// A directory with one empty segment.
    pub fn new(partition: TopicPartition, config: &LogConfig, now: Time) -> LogDirectory {
        LogDirectory {
            partition,
            segments: vec![Rc::new(Segment::new(0, config.index_interval_bytes, now))],
            epochs: EpochCache::default(),
            snapshots: SortedMap::new(),
            log_start_offset: 0,
            recovery_point: 0,
            cleaned_to: None,
            clean_shutdown: false,
        }
    }

    /// Whose files these are.
    pub fn partition(&self) -> TopicPartition {
        self.partition
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> &[Rc<Segment>] {
        &self.segments
    }

    /// The leader epochs.
    pub fn epochs(&self) -> &EpochCache {
        &self.epochs
    }

    /// Offsets of the producer snapshots.
    pub fn snapshot_offsets(&self) -> impl Iterator<Item = Offset> + '_ {
        self.snapshots.keys().copied()
    }

    /// After its last batch, as a restart would find it.
    pub fn end_offset(&self) -> Offset {
        self.active().next_offset()
    }

    /// Before it, all is on the medium.
    pub fn recovery_point(&self) -> Offset {
        self.recovery_point
    }

    /// Its line in `log-start-offset-checkpoint`, if it has one: where its first segment begins, none is needed.
    pub fn checkpointed_log_start(&self) -> Option<Offset> {
        Some(self.log_start_offset).filter(|start| *start > self.segments[0].base_offset())
    }

    /// Its line in `cleaner-offset-checkpoint`, if it has one.
    pub fn cleaned_to(&self) -> Option<Offset> {
        self.cleaned_to
    }

    /// Was it closed in an orderly way?
    pub fn is_clean(&self) -> bool {
        self.clean_shutdown
    }

    /// Bytes of all segments.
    pub fn size_in_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| u64::from(segment.size_in_bytes())).sum()
    }

    pub(super) fn active(&self) -> &Segment {
        self.segments.last().expect("invariant: a log has an active segment")
    }

    pub(super) fn active_mut(&mut self) -> &mut Segment {
        Rc::make_mut(self.segments.last_mut().expect("invariant: a log has an active segment"))
    }

    /// The segment that holds `offset`, if it is not below all.
    pub(super) fn floor_segment(&self, offset: Offset) -> Option<usize> {
        self.segments.partition_point(|segment| segment.base_offset() <= offset).checked_sub(1)
    }

    /// Where the log starts, as a restart would find it.
    pub fn start_offset(&self) -> Offset {
        self.log_start_offset.max(self.segments[0].base_offset())
    }

    /// Deletes everything; one empty segment at `offset` remains.
    pub(super) fn begin_anew_at(&mut self, offset: Offset, index_interval: u32, now: Time) {
        self.segments = vec![Rc::new(Segment::new(offset, index_interval, now))];
        self.epochs.clear();
        self.snapshots.clear();
        self.recovery_point = self.recovery_point.min(offset);
    }

    /// The first `count` segments are replaced. Snapshots go with the segments whose base goes.
    pub(super) fn replace_head(&mut self, count: usize, new: Vec<Rc<Segment>>) {
        let stays = |base: Offset| new.iter().any(|segment| segment.base_offset() == base);
        for old in self.segments[..count].iter().filter(|old| !stays(old.base_offset())) {
            self.snapshots.remove(&old.base_offset());
        }
        self.segments.splice(..count, new);
    }

    /// What was compacted may have been cut off.
    pub(super) fn limit_cleaned(&mut self, offset: Offset) {
        self.cleaned_to = self.cleaned_to.map(|cleaned| cleaned.min(offset));
    }

    /// Forces everything to the medium.
    pub(super) fn flush(&mut self) {
        for segment in &mut self.segments {
            if segment.flushed_bytes() < segment.size_in_bytes() {
                Rc::make_mut(segment).flush();
            }
        }
    }

    /// Flips a byte of the batch that holds `offset`: a fault of the disk. Says whether there is one.
    pub fn corrupt(&mut self, offset: Offset, byte: usize) -> bool {
        let Some(index) = self.floor_segment(offset) else { return false };
        let segment = Rc::make_mut(&mut self.segments[index]);
        let at = segment.first_ending_at(offset);
        let Some(stored) = segment.batches().get(at) else { return false };
        let corrupted = stored.batch.corrupted(byte);
        segment.replace(at, corrupted);
        true
    }

    /// The machine loses power: what is in the page cache only is gone. The write that was under way may be torn.
    pub fn power_loss(&mut self, now: Time, random: &mut Prng) {
        self.clean_shutdown = false;
        let written_back_before = Time(now.0.saturating_sub(WRITE_BACK.0));
        for index in 0..self.segments.len() {
            let durable = self.segments[index].durable_batches(written_back_before);
            let Some(lost) = self.segments[index].batches().get(durable).map(|stored| stored.batch.clone()) else {
                continue;
            };
            // Every other time some of the first lost batch made it.
            let size = u64::from(lost.size_in_bytes());
            let torn = random.below(2 * size);
            let torn = (1..size).contains(&torn).then(|| lost.bytes().slice(..torn as usize));
            Rc::make_mut(&mut self.segments[index]).lose_power(durable, torn, now);
            self.segments.truncate(index + 1);
        }
        let end = self.end_offset();
        self.snapshots.retain(|&offset, _| offset <= end);
    }
}
