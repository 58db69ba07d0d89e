//! What a partition knows of its producers: sequences for idempotence, open transactions for the last stable offset.
//!
//! Invariants: a producer's open transaction is in `ongoing` under its first offset; `unreplicated` holds transactions
//! whose marker is at the high watermark or above. In Kafka: `ProducerStateManager`.

use super::directory::Snapshot;
use super::producer_append::ProducerUpdate;
use super::{AbortedTxn, LogConfig, ProducerEntry};
use crate::base::{Offset, ProducerEpoch, ProducerId, SortedMap};
use std::rc::Rc;

/// Ties an append to the verification that was asked for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct VerificationGuard(u64);

/// A transaction that is open, or that ended above the high watermark.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OpenTransaction {
    /// Whose.
    pub producer_id: ProducerId,
    /// Its first record.
    pub first_offset: Offset,
    /// Its marker, once there is one.
    pub marker_offset: Option<Offset>,
}

/// A transaction that a marker ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct CompletedTxn {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
    pub last_offset: Offset,
    pub aborted: bool,
}

/// A transaction's first append waits for its coordinator (`VerificationStateEntry`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct VerificationEntry {
    pub guard: VerificationGuard,
    pub lowest_sequence: i32,
    pub epoch: ProducerEpoch,
    pub supports_epoch_bump: bool,
    pub since_ms: i64,
}

/// The state of all producers of a partition.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct ProducerState {
    producers: SortedMap<ProducerId, Rc<ProducerEntry>>,
    ongoing: SortedMap<Offset, OpenTransaction>,
    unreplicated: SortedMap<Offset, OpenTransaction>,
    verifications: SortedMap<ProducerId, VerificationEntry>,
    guards: u64,
    /// Batches before it are in the state.
    end_offset: Offset,
}

impl ProducerState {
    /// What is known of one producer.
    pub fn entry(&self, producer_id: ProducerId) -> Option<&ProducerEntry> {
        self.producers.get(&producer_id).map(|entry| &**entry)
    }

    /// All producers.
    pub fn producers(&self) -> impl Iterator<Item = (ProducerId, &ProducerEntry)> {
        self.producers.iter().map(|(&producer_id, entry)| (producer_id, &**entry))
    }

    /// Transactions without a marker, by first offset.
    pub fn ongoing_transactions(&self) -> impl Iterator<Item = &OpenTransaction> {
        self.ongoing.values()
    }

    /// Before which offset is every record's fate known and replicated?
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        let undecided = self.first_undecided_offset();
        let unreplicated = self.unreplicated.keys().next().copied();
        match (undecided, unreplicated) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Where the first transaction without a marker begins.
    pub fn first_undecided_offset(&self) -> Option<Offset> {
        self.ongoing.keys().next().copied()
    }

    /// Has that producer an open transaction of that epoch?
    pub fn has_ongoing_transaction(&self, producer_id: ProducerId, epoch: ProducerEpoch) -> bool {
        self.entry(producer_id).is_some_and(|entry| entry.current_txn_first_offset.is_some() && entry.epoch == epoch)
    }

    /// Batches before it are in the state.
    pub fn end_offset(&self) -> Offset {
        self.end_offset
    }

    /// Before a transaction's first append its coordinator must be asked: None if it is open already, else the guard that
    /// the append has to bring (`maybeStartTransactionVerification`).
    pub fn start_verification(
        &mut self,
        producer_id: ProducerId,
        sequence: i32,
        epoch: ProducerEpoch,
        supports_epoch_bump: bool,
        now_ms: i64,
    ) -> Option<VerificationGuard> {
        if self.has_ongoing_transaction(producer_id, epoch) {
            return None;
        }
        let guards = &mut self.guards;
        let entry = self.verifications.entry(producer_id).or_insert_with(|| {
            *guards += 1;
            let guard = VerificationGuard(*guards);
            VerificationEntry { guard, lowest_sequence: sequence, epoch, supports_epoch_bump, since_ms: now_ms }
        });
        if epoch > entry.epoch {
            (entry.epoch, entry.lowest_sequence) = (epoch, sequence);
        } else if epoch == entry.epoch {
            entry.lowest_sequence = entry.lowest_sequence.min(sequence);
        }
        Some(entry.guard)
    }

    pub(super) fn verification(&self, producer_id: ProducerId) -> Option<&VerificationEntry> {
        self.verifications.get(&producer_id)
    }

    /// Takes over what an append changed. A transaction that an abort ended is returned for the transaction index.
    pub(super) fn apply(&mut self, update: &ProducerUpdate) -> Option<AbortedTxn> {
        self.producers.insert(update.producer_id, Rc::new(update.entry));
        if let Some(first_offset) = update.started_txn {
            let producer_id = update.producer_id;
            self.ongoing.insert(first_offset, OpenTransaction { producer_id, first_offset, marker_offset: None });
        }
        if update.verified {
            self.verifications.remove(&update.producer_id);
        }
        update.completed_txn.and_then(|completed| self.complete(completed))
    }

    fn complete(&mut self, completed: CompletedTxn) -> Option<AbortedTxn> {
        let CompletedTxn { producer_id, first_offset, last_offset, aborted } = completed;
        let others = self.ongoing.values().find(|open| open.producer_id != producer_id);
        let last_stable_offset = others.map_or(last_offset + 1, |open| open.first_offset);
        let mut transaction = self.ongoing.remove(&first_offset).expect("invariant: a transaction that ends has begun");
        transaction.marker_offset = Some(last_offset);
        self.unreplicated.insert(first_offset, transaction);
        aborted.then_some(AbortedTxn { producer_id, first_offset, last_offset, last_stable_offset })
    }

    /// Batches before `offset` are in the state now.
    pub(super) fn set_end_offset(&mut self, offset: Offset) {
        self.end_offset = offset;
    }

    /// Markers below `offset` are replicated (or their records gone): their transactions are stable.
    pub(super) fn on_high_watermark(&mut self, offset: Offset) {
        if !self.unreplicated.is_empty() {
            self.unreplicated.retain(|_, ended| ended.marker_offset.is_none_or(|marker| marker >= offset));
        }
    }

    /// The log starts at `offset` now. The producers stay known.
    pub(super) fn on_log_start(&mut self, offset: Offset) {
        self.on_high_watermark(offset);
        self.end_offset = self.end_offset.max(offset);
    }

    /// Is there anybody that [`Self::remove_expired`] would forget?
    pub(super) fn has_expired(&self, now_ms: i64, config: &LogConfig) -> bool {
        let limit = config.producer_id_expiration_ms;
        self.producers.values().any(|entry| is_expired(entry, now_ms, limit))
            || self.verifications.values().any(|entry| now_ms.saturating_sub(entry.since_ms) >= limit)
    }

    /// Forgets producers without an open transaction that were silent for too long.
    pub(super) fn remove_expired(&mut self, now_ms: i64, config: &LogConfig) {
        let limit = config.producer_id_expiration_ms;
        self.producers.retain(|_, entry| !is_expired(entry, now_ms, limit));
        self.verifications.retain(|_, entry| now_ms.saturating_sub(entry.since_ms) < limit);
    }

    /// Nothing known that a truncation could change?
    pub(super) fn is_empty(&self) -> bool {
        self.producers.is_empty() && self.unreplicated.is_empty()
    }

    /// Forgets all.
    pub(super) fn reset(&mut self, offset: Offset) {
        self.producers.clear();
        self.ongoing.clear();
        self.unreplicated.clear();
        self.end_offset = offset;
    }

    /// Starts over from a snapshot file, leaving out what expired.
    pub(super) fn load(&mut self, offset: Offset, snapshot: &Snapshot, now_ms: i64, config: &LogConfig) {
        self.reset(offset);
        for &(producer_id, entry) in snapshot.iter() {
            if is_expired(&entry, now_ms, config.producer_id_expiration_ms) {
                continue;
            }
            self.producers.insert(producer_id, Rc::new(entry));
            if let Some(first_offset) = entry.current_txn_first_offset {
                let open = OpenTransaction { producer_id, first_offset, marker_offset: None };
                self.ongoing.insert(first_offset, open);
            }
        }
    }

    /// What a snapshot file keeps.
    pub(super) fn snapshot(&self) -> Snapshot {
        self.producers.iter().map(|(&producer_id, entry)| (producer_id, entry.for_snapshot())).collect()
    }
}

fn is_expired(entry: &ProducerEntry, now_ms: i64, limit: i64) -> bool {
    entry.current_txn_first_offset.is_none() && now_ms.saturating_sub(entry.last_timestamp) >= limit
}
