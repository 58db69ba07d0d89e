//! Snapshots of the committed metadata: when they are written, and how a controller begins with one.
//!
//! In Kafka: `SnapshotGenerator`, `RaftMetadataLogCleanerManager`. On purpose different: a snapshot is written at once, not
//! by another thread; old ones are deleted when a new one is written, not each minute; brokers write none.

use super::Controller;
use super::replay::Replayed;
use crate::base::{Duration, Time};
use crate::metadata::{MetadataDelta, snapshot_records};
use crate::raft::Snapshot;

/// Since the last one, or since the process began.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Generator {
    pub bytes: u64,
    pub since: Time,
}

impl Controller {
    /// Writes a snapshot if enough was committed since the last one, or anything a long time after it.
    pub(super) fn maybe_snapshot(&mut self, now: Time) {
        let config = self.config();
        let (most, interval) =
            (config.metadata_log_max_record_bytes_between_snapshots, config.metadata_log_max_snapshot_interval_ms);
        let Generator { bytes, since } = self.generator;
        let is_late = interval > Duration::ZERO && now.since(since) >= interval;
        if bytes == 0 || !(bytes >= most || is_late) {
            return;
        }
        self.generator = Generator { bytes: 0, since: now };
        let Some(id) = self.raft.log().snapshot_id(self.committed.next_offset()) else { return };
        if self.raft.log().snapshot(id).is_some() {
            return;
        }
        let bytes = self.committed.image.to_snapshot(id.epoch, now.wall_clock_ms());
        let config = self.setup.config.clone();
        let log = self.raft.log_mut();
        log.keep_snapshot(Snapshot { id, bytes, timestamp: now });
        log.clean(now, &config);
    }

    /// Replays the newest snapshot, if this life has replayed nothing yet, or the log no longer holds what comes next.
    pub(super) fn maybe_load_snapshot(&mut self) {
        let next = self.committed.next_offset();
        let must = next == 0 || next < self.raft.log().log().log_start_offset();
        let newest = self.raft.log().latest_snapshot().filter(|snapshot| must && snapshot.id.end_offset > next);
        let Some(snapshot) = newest else { return };
        let (end, bytes) = (snapshot.id.end_offset, snapshot.bytes.clone());
        let records = snapshot_records(end, bytes).expect("invariant: a snapshot holds what this very program wrote");
        let (mut replayed, mut delta) = (Replayed::default(), MetadataDelta::default());
        for record in &records {
            replayed.apply(end - 1, record, &mut delta);
        }
        replayed.image.advance(end - 1);
        self.committed = replayed;
    }
}
