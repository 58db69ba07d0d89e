//! One partition's log as the present leader holds it.

use super::ledger::records_with_offsets;
use crate::base::{LeaderEpoch, NodeId, Offset, RecordId, Vector};
use crate::record::RecordBatch;

/// A generated record in a log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LogEntry {
    /// Where.
    pub offset: Offset,
    /// Which record.
    pub record: RecordId,
    /// The CRC of its batch: tells two batches at the same offset apart.
    pub crc: u32,
    /// The leader epoch of its batch.
    pub leader_epoch: LeaderEpoch,
}

/// The generated records of one partition. Other records (control records, say) are left out.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LogPicture {
    /// Who leads, if that is known.
    pub leader: Option<NodeId>,
    /// Its epoch.
    pub leader_epoch: LeaderEpoch,
    /// By offset.
    pub entries: Vector<LogEntry>,
    /// Everything below is committed.
    pub committed: Offset,
    /// Everything below was deleted, though it is still listed.
    pub start: Offset,
}

impl LogPicture {
    pub(super) fn new() -> Self {
        LogPicture { leader: None, leader_epoch: -1, entries: Vector::new(), committed: 0, start: 0 }
    }

    /// Whether what `node` does in `epoch` is done by the present leader; a newer epoch makes it that.
    pub(super) fn is_leader(&mut self, node: NodeId, epoch: LeaderEpoch) -> bool {
        if epoch > self.leader_epoch {
            (self.leader, self.leader_epoch) = (Some(node), epoch);
        }
        self.leader == Some(node) && self.leader_epoch == epoch
    }

    /// The place of the first entry at or above `offset`.
    pub(super) fn place(&self, offset: Offset) -> usize {
        self.entries.partition_point(|entry| entry.offset < offset)
    }

    /// Whether that very batch stands here.
    pub(super) fn knows(&self, batch: &RecordBatch) -> bool {
        self.entries.get(self.place(batch.base_offset())).is_some_and(|entry| {
            entry.offset <= batch.last_offset()
                && (entry.crc, entry.leader_epoch) == (batch.crc(), batch.leader_epoch())
        })
    }

    /// Whether all that is left of the batch stands here: it may have been compacted.
    pub(super) fn knows_records_of(&self, batch: &RecordBatch) -> bool {
        records_with_offsets(batch).all(|(offset, record)| {
            self.entries.get(self.place(offset)).is_some_and(|entry| {
                (entry.offset, entry.record, entry.leader_epoch) == (offset, record, batch.leader_epoch())
            })
        })
    }

    /// Cuts off all at or above `offset`, and gives back what that was.
    pub(super) fn cut(&mut self, offset: Offset) -> Vec<LogEntry> {
        self.committed = self.committed.min(offset);
        self.start = self.start.min(offset);
        let place = self.place(offset);
        let cut = self.entries.iter_from(place).copied().collect();
        self.entries.truncate(place);
        cut
    }
}
