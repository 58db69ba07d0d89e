//! One partition's log as the present leader holds it.

use crate::base::{LeaderEpoch, NodeId, Offset, RecordId, Vector};

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
}

impl LogPicture {
    pub(super) fn new() -> Self {
        LogPicture { leader: None, leader_epoch: -1, entries: Vector::new(), committed: 0 }
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

    /// Cuts off all at or above `offset`, and gives back what that was.
    pub(super) fn cut(&mut self, offset: Offset) -> Vec<LogEntry> {
        self.committed = self.committed.min(offset);
        let place = self.place(offset);
        let cut = self.entries.iter_from(place).copied().collect();
        self.entries.truncate(place);
        cut
    }
}
