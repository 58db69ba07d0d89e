//! Offsets that open transactions will commit, by the producer that writes them (`pendingTransactionalOffsets`).
//!
//! Invariant: a producer is in it as long as it has a pending offset, and at most until its transaction ends.

use super::offset_records::{OffsetAndMetadata, OffsetKey};
use crate::base::{Offset, ProducerId, SortedMap};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// An offset, and where the record that says so stands in the coordinator's log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct StoredOffset {
    pub value: OffsetAndMetadata,
    pub record_offset: Offset,
}

/// The log, too, has the record's offset, and its hash covers that.
impl Hash for StoredOffset {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

/// The offsets of one producer's open transaction.
pub(super) type TransactionOffsets = SortedMap<OffsetKey, StoredOffset>;

/// All pending offsets of a shard.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct PendingOffsets {
    producers: SortedMap<ProducerId, Rc<TransactionOffsets>>,
}

/// Adds nothing while there is nothing, so that runs without transactions keep the state hash that they always had.
impl Hash for PendingOffsets {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if !self.producers.is_empty() {
            self.producers.hash(state);
        }
    }
}

impl PendingOffsets {
    /// Does no open transaction commit anything?
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// A transaction's latest word on a partition.
    pub fn put(&mut self, producer_id: ProducerId, key: OffsetKey, offset: StoredOffset) {
        Rc::make_mut(self.producers.entry(producer_id).or_default()).insert(key, offset);
    }

    /// The transaction is over: its offsets.
    pub fn end(&mut self, producer_id: ProducerId) -> Rc<TransactionOffsets> {
        self.producers.remove(&producer_id).unwrap_or_default()
    }

    /// Whatever transactions would commit there is forgotten.
    pub fn forget(&mut self, key: &OffsetKey) {
        if self.contains(key) {
            self.producers.retain(|_, offsets| {
                Rc::make_mut(offsets).remove(key);
                !offsets.is_empty()
            });
        }
    }

    /// Would an open transaction commit there?
    pub fn contains(&self, key: &OffsetKey) -> bool {
        self.producers.values().any(|offsets| offsets.contains_key(key))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (ProducerId, &OffsetKey, &StoredOffset)> {
        self.producers
            .iter()
            .flat_map(|(producer_id, offsets)| offsets.iter().map(|(key, offset)| (*producer_id, key, offset)))
    }
}
