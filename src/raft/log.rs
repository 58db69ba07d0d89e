//! The replicated log: batches on a simulated disk, and the snapshots that stand for what was deleted before them.
//!
//! Invariants: a snapshot stands at a batch boundary at or below the high watermark; if the log does not begin at 0, there
//! is a snapshot where it begins; a voter's batches are on the medium before anybody hears of them, so a power loss takes
//! nothing away that counted.
//!
//! In Kafka: `KafkaRaftLog`, `RaftLog`, `MetadataLogConfig`. On purpose different: a batch that was damaged on the disk ends
//! the log at the next start, where Kafka's controller would refuse to start.

use crate::base::config::{BrokerConfig, TopicConfig};
use crate::base::{LeaderEpoch, Offset, Prng, SortedMap, Time, TopicPartition};
use crate::log::{AppendOrigin, LogConfig, UnifiedLog};
use crate::node::Crash;
use crate::protocol::{EpochEndOffset, SnapshotId};
use crate::record::RecordBatch;
use bytes::Bytes;
use std::rc::Rc;

/// `KafkaRaftClient.MAX_BATCH_SIZE_BYTES`
const MAX_BATCH_BYTES: u32 = 8 * 1024 * 1024;

/// What a leader makes of where a follower wants to go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Position {
    Valid,
    Diverging(EpochEndOffset),
    Snapshot(SnapshotId),
}

/// A file `….checkpoint`: everything before its offset, as batches.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Snapshot {
    /// Of what.
    pub id: SnapshotId,
    /// The file.
    pub bytes: Bytes,
    /// When its last record was written.
    pub timestamp: Time,
}

/// The log and its snapshots.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct RaftLog {
    log: UnifiedLog,
    snapshots: SortedMap<SnapshotId, Rc<Snapshot>>,
}

impl RaftLog {
    /// An empty log.
    pub fn new(partition: TopicPartition, broker: &BrokerConfig) -> Self {
        let mut config = LogConfig::new(&TopicConfig::default(), broker);
        config.max_message_bytes = MAX_BATCH_BYTES;
        RaftLog { log: UnifiedLog::create(partition, Rc::new(config), Time::ZERO), snapshots: SortedMap::new() }
    }

    /// As any log.
    pub fn log(&self) -> &UnifiedLog {
        &self.log
    }

    /// The offset the next record gets.
    pub fn end_offset(&self) -> Offset {
        self.log.log_end_offset()
    }

    /// Before it, all is committed, as far as this replica knows.
    pub fn high_watermark(&self) -> Offset {
        self.log.high_watermark()
    }

    /// The epoch of the last record, 0 in an empty log.
    pub fn last_epoch(&self) -> LeaderEpoch {
        let of_snapshot = || self.latest_snapshot().map(|snapshot| snapshot.id.epoch);
        self.log.latest_epoch().or_else(of_snapshot).unwrap_or(0)
    }

    /// The newest snapshot.
    pub fn latest_snapshot(&self) -> Option<&Rc<Snapshot>> {
        self.snapshots.last_key_value().map(|(_, snapshot)| snapshot)
    }

    /// The snapshot of that id.
    pub fn snapshot(&self, id: SnapshotId) -> Option<&Rc<Snapshot>> {
        self.snapshots.get(&id)
    }

    /// All snapshots there are, oldest first.
    pub fn snapshots(&self) -> impl Iterator<Item = &Rc<Snapshot>> {
        self.snapshots.values()
    }

    // ---- writing ----

    /// Writes a batch that has its offset and epoch.
    pub(super) fn append_as_leader(&mut self, now: Time, batch: RecordBatch) {
        let epoch = batch.leader_epoch();
        let appended = self.log.append_as_leader(batch, epoch, AppendOrigin::Raft, now);
        appended.expect("invariant: a quorum leader's own batches are good");
        self.log.flush();
    }

    /// Writes what the leader sent. Batches that do not follow the log, or are of a later epoch, are left out.
    pub(super) fn append_as_follower(&mut self, now: Time, batches: &[RecordBatch], epoch: LeaderEpoch) {
        // A damaged batch is asked for again.
        let _ = self.log.append_as_follower(batches, epoch, now);
        self.log.flush();
    }

    pub(super) fn begin_epoch(&mut self, epoch: LeaderEpoch) {
        self.log.assign_epoch_start_offset(epoch, self.log.log_end_offset());
    }

    pub(super) fn set_high_watermark(&mut self, offset: Offset) {
        self.log.maybe_advance_high_watermark(offset);
    }

    // ---- reading ----

    /// Batches from the one that holds `offset`, up to `max_bytes` but at least one.
    pub(super) fn read(&self, offset: Offset, max_bytes: u32) -> Vec<RecordBatch> {
        let read = self.log.read(offset, max_bytes, self.end_offset(), true);
        read.expect("invariant: the offset was checked")
    }

    /// Whether a follower whose log ends at `offset`, in `epoch`, can go on there (`RaftLog.validateOffsetAndEpoch`).
    pub(super) fn validate(&self, offset: Offset, epoch: LeaderEpoch) -> Position {
        let start = self.log.log_start_offset();
        if start == 0 && offset == 0 {
            return Position::Valid;
        }
        if let (Some((first, _)), Some(latest)) = (self.snapshots.first_key_value(), self.latest_snapshot())
            && (offset < start || (offset == start && epoch != first.epoch) || epoch < first.epoch)
        {
            return Position::Snapshot(latest.id);
        }
        let end = self.end_of_epoch(epoch);
        if end.epoch != epoch || end.end_offset < offset { Position::Diverging(end) } else { Position::Valid }
    }

    /// The largest epoch not above `epoch`, and where it ends; above all, the last one.
    fn end_of_epoch(&self, epoch: LeaderEpoch) -> EpochEndOffset {
        let end = self.log.end_offset_for_epoch(epoch);
        if end.end_offset < 0 {
            return EpochEndOffset { epoch: self.last_epoch(), end_offset: self.end_offset() };
        }
        match self.snapshots.first_key_value() {
            Some((first, _)) if end.end_offset == first.end_offset && end.epoch == epoch => {
                EpochEndOffset { epoch: first.epoch, end_offset: first.end_offset }
            }
            _ => end,
        }
    }

    // ---- cutting ----

    /// Cuts the end off, so that the log agrees with a leader whose `diverging` epoch ends there; where it ends now.
    pub(super) fn truncate_to_end_offset(&mut self, diverging: EpochEndOffset, now: Time) -> Offset {
        let to = if diverging.epoch == 0 {
            diverging.end_offset.min(self.end_offset())
        } else {
            let own = self.end_of_epoch(diverging.epoch);
            if own.epoch == diverging.epoch { own.end_offset.min(diverging.end_offset) } else { own.end_offset }
        };
        assert!(to >= self.high_watermark(), "invariant: what is committed is not cut off");
        self.log.truncate_to(to, now);
        to
    }

    /// Ends the log before the batch at `offset`, which the disk has damaged.
    pub(super) fn cut(&mut self, offset: Offset, now: Time) {
        self.log.truncate_to(offset, now);
    }

    /// The first batch that the disk has damaged.
    pub(super) fn damaged(&self) -> Option<Offset> {
        let start = self.log.log_start_offset();
        self.log.batches_from(start).find(|batch| !batch.validate_crc()).map(RecordBatch::base_offset)
    }

    /// What a crash leaves of the log. What was committed has to be found out anew.
    pub(super) fn crash(&mut self, now: Time, crash: Crash, random: &mut Prng) {
        let mut directory = self.log.clone().into_directory();
        if crash == Crash::PowerLoss {
            directory.power_loss(now, random);
        }
        self.log = UnifiedLog::open(directory, self.log.config().clone(), 0, now).0;
    }

    // ---- snapshots ----

    /// Where the last committed batch at or below `offset` ends, and its epoch: what a snapshot of `offset` is called.
    pub fn snapshot_id(&self, end_offset: Offset) -> Option<SnapshotId> {
        let epoch = self.log.epoch_for_offset(end_offset - 1)?;
        (end_offset <= self.high_watermark()).then_some(SnapshotId { epoch, end_offset })
    }

    /// Keeps a snapshot of what is committed.
    pub fn keep_snapshot(&mut self, snapshot: Snapshot) {
        self.snapshots.insert(snapshot.id, Rc::new(snapshot));
    }

    /// Puts a leader's snapshot, which goes further than this log, in the place of all there is.
    pub(super) fn install_snapshot(&mut self, snapshot: Snapshot) {
        let id = snapshot.id;
        assert!(id.end_offset >= self.high_watermark(), "invariant: a snapshot takes nothing committed away");
        self.log.truncate_fully_and_start_at(id.end_offset, snapshot.timestamp);
        self.snapshots.clear();
        self.keep_snapshot(snapshot);
    }

    /// Deletes the oldest snapshot and what is before the next one, as long as there is too much
    /// (`metadata.max.retention.bytes`, `metadata.max.retention.ms`). The newest snapshot stays.
    pub fn clean(&mut self, now: Time, config: &BrokerConfig) {
        while self.snapshots.len() > 1 {
            let oldest = self.snapshots.first_key_value().expect("invariant: there are two").1.timestamp;
            let bytes: u64 = self.snapshots.values().map(|snapshot| snapshot.bytes.len() as u64).sum();
            let too_large =
                config.metadata_max_retention_bytes.is_some_and(|max| bytes + self.log.size_in_bytes() > max);
            let too_old = config.metadata_max_retention_ms.is_some_and(|max| now.since(oldest) > max);
            if !(too_large || too_old) {
                return;
            }
            self.snapshots.pop_first();
            let next = *self.snapshots.first_key_value().expect("invariant: there were two").0;
            // Snapshots stand at or below the high watermark, so this cannot be refused.
            let _ = self.log.maybe_advance_log_start_offset(next.end_offset);
            self.log.checkpoint_log_start();
        }
    }
}

#[cfg(test)]
impl RaftLog {
    /// The disk damages the batch at `offset`.
    pub(crate) fn corrupt(&mut self, offset: Offset) {
        assert!(self.log.corrupt(offset, 70), "there is such a batch");
    }
}
