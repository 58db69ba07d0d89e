//! One partition's log as the present leader holds it, with what its markers make of transactions.

use super::ledger::records_with_offsets;
use crate::base::{LeaderEpoch, NodeId, Offset, ProducerId, RecordId, SortedMap, Vector};
use crate::record::{ControlRecord, RecordBatch};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// What a record's transaction came to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fate {
    /// It is in none.
    Plain,
    /// Nothing yet.
    Open,
    /// It was committed.
    Committed,
    /// It was aborted.
    Aborted,
}

impl Fate {
    /// Whether `read_committed` gets the record.
    pub const fn holds(self) -> bool {
        matches!(self, Fate::Plain | Fate::Committed)
    }
}

/// A generated record in a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogEntry {
    /// Where.
    pub offset: Offset,
    /// Which record.
    pub record: RecordId,
    /// The CRC of its batch: tells two batches at the same offset apart.
    pub crc: u32,
    /// The leader epoch of its batch.
    pub leader_epoch: LeaderEpoch,
    /// What its transaction came to.
    pub fate: Fate,
}

/// Outside of transactions as it always was.
impl Hash for LogEntry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.offset, self.record, self.crc, self.leader_epoch).hash(state);
        if self.fate != Fate::Plain {
            self.fate.hash(state);
        }
    }
}

/// The end of a transaction in a log.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Marker {
    /// Where it stands.
    pub offset: Offset,
    /// Whose transaction.
    pub producer_id: ProducerId,
    /// Or aborted.
    pub committed: bool,
    /// Of its batch.
    pub leader_epoch: LeaderEpoch,
    /// Where the transaction's generated records stand.
    pub records: Rc<[Offset]>,
}

/// The generated records of one partition. Other records (control records, say) are left out.
#[derive(Clone, PartialEq, Eq, Debug)]
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
    /// Open transactions: where their records stand.
    pub open: SortedMap<ProducerId, Vec<Offset>>,
    /// The ends of transactions, by offset.
    pub markers: Vector<Marker>,
}

/// Without transactions as it always was.
impl Hash for LogPicture {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.leader, self.leader_epoch, &self.entries, self.committed, self.start).hash(state);
        if self.has_transactions() {
            (&self.open, &self.markers).hash(state);
        }
    }
}

/// The marker in a batch, if it is one: whether it commits.
pub(super) fn marker_of(batch: &RecordBatch) -> Option<bool> {
    match batch.is_control().then(|| ControlRecord::of_batch(batch))? {
        Ok(Some(ControlRecord::Commit { .. })) => Some(true),
        Ok(Some(ControlRecord::Abort { .. })) => Some(false),
        _ => None,
    }
}

impl LogPicture {
    pub(super) fn new() -> Self {
        LogPicture {
            leader: None,
            leader_epoch: -1,
            entries: Vector::new(),
            committed: 0,
            start: 0,
            open: SortedMap::new(),
            markers: Vector::new(),
        }
    }

    /// Whether anything in it ever was part of a transaction.
    pub fn has_transactions(&self) -> bool {
        !self.open.is_empty() || !self.markers.is_empty()
    }

    /// What the transaction of the record at `offset` came to.
    pub fn fate(&self, offset: Offset) -> Fate {
        if !self.has_transactions() {
            return Fate::Plain;
        }
        self.entries.get(self.place(offset)).filter(|entry| entry.offset == offset).map_or(Fate::Plain, |it| it.fate)
    }

    /// Where the first open transaction begins: `read_committed` reads up to here.
    pub fn first_open(&self) -> Option<Offset> {
        self.open.values().filter_map(|offsets| offsets.first()).min().copied()
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

    /// Whether that very batch stands here, or is a marker that does.
    pub(super) fn knows(&self, batch: &RecordBatch) -> bool {
        if let Some(committed) = marker_of(batch) {
            let at = self.markers.partition_point(|marker| marker.offset < batch.base_offset());
            let is = |it: &Marker| {
                (it.offset, it.producer_id, it.committed, it.leader_epoch)
                    == (batch.base_offset(), batch.producer_id(), committed, batch.leader_epoch())
            };
            return self.markers.get(at).is_some_and(is);
        }
        self.entries.get(self.place(batch.base_offset())).is_some_and(|entry| {
            entry.offset <= batch.last_offset()
                && (entry.crc, entry.leader_epoch) == (batch.crc(), batch.leader_epoch())
        })
    }

    /// Whether all that is left of the batch stands here: it may have been compacted.
    pub(super) fn knows_records_of(&self, batch: &RecordBatch) -> bool {
        marker_of(batch).is_none()
            && records_with_offsets(batch).all(|(offset, record)| {
                self.entries.get(self.place(offset)).is_some_and(|entry| {
                    (entry.offset, entry.record, entry.leader_epoch) == (offset, record, batch.leader_epoch())
                })
            })
    }

    /// One more record at the end.
    pub(super) fn push(&mut self, offset: Offset, record: RecordId, batch: &RecordBatch) {
        let fate = if batch.is_transactional() { Fate::Open } else { Fate::Plain };
        if fate == Fate::Open {
            self.open.entry(batch.producer_id()).or_default().push(offset);
        }
        let (crc, leader_epoch) = (batch.crc(), batch.leader_epoch());
        self.entries.push(LogEntry { offset, record, crc, leader_epoch, fate });
    }

    /// A marker at the end: the records whose transaction it ends, and where they stand.
    pub(super) fn end_transaction(&mut self, batch: &RecordBatch, committed: bool) -> Vec<(RecordId, Offset)> {
        let (offset, producer_id, leader_epoch) = (batch.base_offset(), batch.producer_id(), batch.leader_epoch());
        let records: Rc<[Offset]> = self.open.remove(&producer_id).unwrap_or_default().into();
        let fate = if committed { Fate::Committed } else { Fate::Aborted };
        let ended = self.set_fate(&records, fate);
        self.markers.push(Marker { offset, producer_id, committed, leader_epoch, records });
        ended
    }

    fn set_fate(&mut self, offsets: &[Offset], fate: Fate) -> Vec<(RecordId, Offset)> {
        let mut changed = Vec::new();
        for offset in offsets {
            let place = self.place(*offset);
            if let Some(entry) = self.entries.get_mut(place).filter(|entry| entry.offset == *offset) {
                entry.fate = fate;
                changed.push((entry.record, *offset));
            }
        }
        changed
    }

    /// Cuts off all at or above `offset`, and gives back what that was. Transactions whose marker goes are open again.
    pub(super) fn cut(&mut self, offset: Offset) -> Vec<LogEntry> {
        self.committed = self.committed.min(offset);
        self.start = self.start.min(offset);
        let place = self.place(offset);
        let cut = self.entries.iter_from(place).copied().collect();
        self.entries.truncate(place);
        for offsets in self.open.values_mut() {
            offsets.retain(|it| *it < offset);
        }
        while let Some(marker) = self.markers.last().filter(|marker| marker.offset >= offset).cloned() {
            self.markers.truncate(self.markers.len() - 1);
            let left: Vec<Offset> = marker.records.iter().copied().filter(|it| *it < offset).collect();
            self.set_fate(&left, Fate::Open);
            self.open.entry(marker.producer_id).or_default().splice(0..0, left);
        }
        self.open.retain(|_, offsets| !offsets.is_empty());
        cut
    }
}
