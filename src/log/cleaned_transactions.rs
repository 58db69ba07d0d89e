//! Which transactions a cleaner is within as it walks over the batches (`CleanedTransactionMetadata`).

use super::AbortedTxn;
use crate::base::{Offset, ProducerId};
use crate::record::{ControlRecord, RecordBatch};

/// The transactions at one place of the log. There are few at a time.
#[derive(Default)]
pub(super) struct CleanedTransactions {
    /// Aborted ones that begin further on; those of one producer in their order.
    waiting: Vec<AbortedTxn>,
    /// Aborted ones that have begun, and whether a batch of theirs was seen.
    aborted: Vec<(AbortedTxn, bool)>,
    /// Producers of whose other transactions a batch was seen.
    committed: Vec<ProducerId>,
}

impl CleanedTransactions {
    /// These were aborted, by the transaction index.
    pub fn expect(&mut self, mut aborted: Vec<AbortedTxn>) {
        self.waiting.append(&mut aborted);
    }

    /// A data batch: is it of an aborted transaction?
    pub fn is_aborted(&mut self, batch: &RecordBatch) -> bool {
        self.begin_up_to(batch.last_offset());
        if !batch.is_transactional() {
            return false;
        }
        let producer = batch.producer_id();
        if let Some((_, seen)) = self.aborted.iter_mut().find(|(txn, _)| txn.producer_id == producer) {
            *seen = true;
            return true;
        }
        if !self.committed.contains(&producer) {
            self.committed.push(producer);
        }
        false
    }

    /// A control batch: is nothing left of what it ends, so that it may go? The index entry of an abort that has to stay is
    /// returned too.
    pub fn is_superfluous(&mut self, batch: &RecordBatch) -> (bool, Option<AbortedTxn>) {
        self.begin_up_to(batch.last_offset());
        let producer = batch.producer_id();
        match ControlRecord::of_batch(batch) {
            Ok(Some(ControlRecord::Abort { .. })) => {
                let at = self.aborted.iter().position(|(txn, _)| txn.producer_id == producer);
                match at.map(|at| self.aborted.swap_remove(at)) {
                    Some((txn, true)) => (false, Some(txn)),
                    _ => (true, None),
                }
            }
            Ok(Some(ControlRecord::Commit { .. })) => {
                let at = self.committed.iter().position(|known| *known == producer);
                (at.map(|at| self.committed.swap_remove(at)).is_none(), None)
            }
            // The cleaner emptied it before.
            Ok(None) => (true, None),
            _ => (false, None),
        }
    }

    fn begin_up_to(&mut self, offset: Offset) {
        let aborted = &mut self.aborted;
        self.waiting.retain(|txn| {
            let begins = txn.first_offset <= offset;
            // A transaction over several segments is expected once for each.
            if begins && !aborted.iter().any(|(known, _)| known.producer_id == txn.producer_id) {
                aborted.push((*txn, false));
            }
            !begins
        });
    }
}
