//! The metadata log of a quorum of one: what is appended is committed, and on disk.
//!
//! In Kafka: `KafkaRaftLog`, `MetadataLogConfig`. The raft quorum comes with a later issue; its epochs and `LeaderChange`
//! records are here. On purpose different: a batch that was damaged on the disk ends the log at the next start, where
//! Kafka's controller would refuse to start.

use crate::base::config::{BrokerConfig, TopicConfig};
use crate::base::{BrokerId, LeaderEpoch, NodeId, Offset, Prng, Time};
use crate::log::{AppendOrigin, LogConfig, UnifiedLog};
use crate::metadata::{CLUSTER_METADATA, MetadataRecord, batch_of};
use crate::node::Crash;
use crate::record::{ControlRecord, RecordBatch};
use std::rc::Rc;

/// `KafkaRaftClient.MAX_BATCH_SIZE_BYTES`
const MAX_BATCH_BYTES: u32 = 8 * 1024 * 1024;

/// The log, and how it is written.
#[derive(Clone, PartialEq, Hash, Debug)]
pub(super) struct MetadataLog {
    log: UnifiedLog,
}

impl MetadataLog {
    /// An empty log.
    pub(super) fn new(broker: &BrokerConfig) -> Self {
        let mut config = LogConfig::new(&TopicConfig::default(), broker);
        config.max_message_bytes = MAX_BATCH_BYTES;
        MetadataLog { log: UnifiedLog::create(CLUSTER_METADATA, Rc::new(config), Time::ZERO) }
    }

    /// As any log.
    pub(super) fn log(&self) -> &UnifiedLog {
        &self.log
    }

    /// The offset the next record gets.
    pub(super) fn end_offset(&self) -> Offset {
        self.log.log_end_offset()
    }

    /// The epoch of the last record, 0 in an empty log.
    pub(super) fn last_epoch(&self) -> LeaderEpoch {
        self.log.latest_epoch().unwrap_or(0)
    }

    /// The new leader announces itself.
    pub(super) fn append_leader_change(&mut self, now: Time, leader: NodeId, epoch: LeaderEpoch) {
        let me = BrokerId::from(leader);
        let change = ControlRecord::LeaderChange { leader: me, voters: vec![me], granting_voters: vec![me] };
        self.append_batch(now, change.quorum_batch(self.end_offset(), epoch, now.wall_clock_ms()));
    }

    /// Writes `records` as one batch: all of them or none. Gives back the offset of the first.
    pub(super) fn append(&mut self, now: Time, records: &[MetadataRecord], epoch: LeaderEpoch) -> Offset {
        let offset = self.end_offset();
        self.append_batch(now, batch_of(records, epoch, now.wall_clock_ms()).with_offset_and_epoch(offset, epoch));
        offset
    }

    fn append_batch(&mut self, now: Time, batch: RecordBatch) {
        let epoch = batch.leader_epoch();
        let appended = self.log.append_as_leader(batch, epoch, AppendOrigin::Raft, now);
        appended.expect("invariant: the controller's own batches are good");
        self.log.flush();
        self.log.set_high_watermark(self.end_offset());
    }

    /// Batches from the one that holds `offset`, up to `max_bytes` but at least one.
    pub(super) fn read(&self, offset: Offset, max_bytes: u32) -> Vec<RecordBatch> {
        let read = self.log.read(offset, max_bytes, self.end_offset(), true);
        read.expect("invariant: the offset was checked")
    }

    /// What a crash leaves of the log.
    pub(super) fn crash(&mut self, now: Time, crash: Crash, random: &mut Prng) {
        let mut directory = self.log.clone().into_directory();
        if crash == Crash::PowerLoss {
            directory.power_loss(now, random);
        }
        self.log = UnifiedLog::open(directory, self.log.config().clone(), Offset::MAX, now).0;
    }

    /// Ends the log before the batch at `offset`.
    pub(super) fn cut(&mut self, offset: Offset, now: Time) {
        self.log.truncate_to(offset, now);
    }
}

#[cfg(test)]
impl MetadataLog {
    /// The disk damages the batch at `offset`.
    pub(super) fn corrupt(&mut self, offset: Offset) {
        assert!(self.log.corrupt(offset, 70), "there is such a batch");
    }
}
