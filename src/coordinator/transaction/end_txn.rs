//! How a transaction ends: commit and abort, by its producer or by the coordinator (§5.4, §5.5).
//!
//! ```text
//!  version 2      |     Abort       |     Commit           Retry:   the request's epoch is one below the stored one
//!                 | Retry | Current | Retry | Current      Current: it is the stored one
//!  Empty          |  90   |  bump   |  90   |   48         bump:    to PrepareAbort, without partitions
//!  CompleteAbort  | NONE  |  bump   |  48   |   48
//!  CompleteCommit |  48   |  bump   | NONE  |   48
//! ```
//! Below version 2 the epoch stays: the stored one is asked for, Complete* agrees with the same outcome, Empty with none.
//!
//! In Kafka: `TransactionCoordinator.endTransaction`, `endTransactionWithTV1`.

use super::metadata::{TransactionMetadata, TransitMetadata, supports_epoch_bump};
use crate::base::{ProducerEpoch, ProducerId};
use crate::protocol::{ErrorCode, TransactionState};

/// Who wants a transaction to end, and how.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EndOfTransaction {
    /// Of the producer.
    pub producer_id: ProducerId,
    /// Of the producer; if the coordinator fences it, the raised one.
    pub producer_epoch: ProducerEpoch,
    /// Or aborted.
    pub committed: bool,
    /// Or by the coordinator itself, which has prepared an epoch fence.
    pub from_client: bool,
    /// The client's; the cluster's if the coordinator does it.
    pub transaction_version: u8,
}

/// What is to be done about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// Write this. The flag says that the epoch was raised below version 2, which counts even if the write fails.
    Write(TransitMetadata, bool),
    /// It has ended so already: the producer goes on with this id and epoch (−1, −1 below version 2).
    Already(ProducerId, ProducerEpoch),
}

impl TransactionMetadata {
    /// Ends the transaction.
    pub fn end(
        &mut self,
        end: EndOfTransaction,
        now_ms: i64,
        new_producer_id: impl FnOnce() -> Result<ProducerId, ErrorCode>,
    ) -> Result<Ended, ErrorCode> {
        if supports_epoch_bump(end.transaction_version) {
            self.end_v2(end, now_ms, new_producer_id)
        } else {
            self.end_v1(end, now_ms)
        }
    }

    fn is_being_fenced(&self) -> bool {
        self.pending_state == Some(TransactionState::PrepareEpochFence)
    }

    fn end_v1(&mut self, end: EndOfTransaction, now_ms: i64) -> Result<Ended, ErrorCode> {
        use TransactionState as S;
        let stale = end.producer_epoch < self.producer_epoch;
        if self.producer_id != end.producer_id {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        if stale || (end.from_client && end.producer_epoch != self.producer_epoch) {
            return Err(ErrorCode::ProducerFenced);
        }
        if self.pending_state.is_some() && !self.is_being_fenced() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        match (self.state, end.committed) {
            (S::Ongoing, committed) => {
                let fence = !committed && self.is_being_fenced();
                if fence {
                    self.yield_to_abort(Some(end.producer_epoch));
                }
                let state = if committed { S::PrepareCommit } else { S::PrepareAbort };
                Ok(Ended::Write(self.prepare_abort_or_commit(state, 0, -1, now_ms, false), fence))
            }
            (S::CompleteCommit, true) | (S::CompleteAbort, false) => Ok(Ended::Already(-1, -1)),
            (S::PrepareCommit, true) | (S::PrepareAbort, false) => Err(ErrorCode::ConcurrentTransactions),
            _ => Err(ErrorCode::InvalidTxnState),
        }
    }

    fn end_v2(
        &mut self,
        end: EndOfTransaction,
        now_ms: i64,
        new_producer_id: impl FnOnce() -> Result<ProducerId, ErrorCode>,
    ) -> Result<Ended, ErrorCode> {
        use TransactionState as S;
        let fence = self.is_being_fenced();
        let (epoch, stored) = (end.producer_epoch, self.producer_epoch);
        // The producer had used up its epochs, and did not hear of its new id.
        let overflow =
            !fence && self.prev_producer_id == end.producer_id && epoch == ProducerEpoch::MAX - 1 && stored == 0;
        let bumped = !fence && i32::from(stored) == i32::from(epoch) + 1;
        let retry = bumped || overflow;
        // First of all: a producer may use an id that is only about to be its own.
        if self.pending_state.is_some() && !fence {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        if self.producer_id != end.producer_id && !overflow {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        let valid = match self.state {
            _ if fence => (!end.from_client || epoch == stored) && epoch >= stored,
            S::PrepareCommit | S::PrepareAbort => bumped,
            S::CompleteCommit | S::CompleteAbort => retry || epoch == stored,
            S::Empty | S::Ongoing | S::Dead | S::PrepareEpochFence => epoch == stored,
        };
        if !valid {
            return Err(ErrorCode::ProducerFenced);
        }
        let (state, without_partitions) = match (self.state, end.committed) {
            (S::Ongoing, true) => (S::PrepareCommit, false),
            (S::Ongoing, false) => (S::PrepareAbort, false),
            (S::CompleteCommit, true) | (S::CompleteAbort, false) if retry => {
                return Ok(Ended::Already(self.producer_id, stored));
            }
            (S::CompleteCommit, false) if retry => return Err(ErrorCode::InvalidTxnState),
            (S::Empty | S::CompleteCommit | S::CompleteAbort, false) => (S::PrepareAbort, true),
            (S::PrepareCommit, true) | (S::PrepareAbort, false) => return Err(ErrorCode::ConcurrentTransactions),
            _ => return Err(ErrorCode::InvalidTxnState),
        };
        if state == S::PrepareCommit && stored == ProducerEpoch::MAX {
            // No client has that epoch. Kafka throws IllegalArgumentException.
            return Err(ErrorCode::UnknownServerError);
        }
        let next_producer_id = if self.is_producer_epoch_exhausted() { new_producer_id() } else { Ok(-1) };
        if state == S::PrepareAbort && fence {
            self.yield_to_abort(None);
        }
        let (version, next) = (end.transaction_version, next_producer_id?);
        Ok(Ended::Write(self.prepare_abort_or_commit(state, version, next, now_ms, without_partitions), false))
    }

    /// The decision is committed: what will be true once the markers are written, or why somebody else has to see to it.
    pub fn decided(&mut self, end: EndOfTransaction, now_ms: i64) -> Result<TransitMetadata, ErrorCode> {
        let bumps = supports_epoch_bump(end.transaction_version);
        let epoch_holds = self.producer_epoch == end.producer_epoch
            || (bumps && i32::from(self.producer_epoch) == i32::from(end.producer_epoch) + 1);
        if self.producer_id != end.producer_id {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        if !epoch_holds {
            return Err(ErrorCode::ProducerFenced);
        }
        if self.pending_state.is_some() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        match (self.state, end.committed) {
            (TransactionState::PrepareCommit, true) | (TransactionState::PrepareAbort, false) => {
                Ok(self.prepare_complete(now_ms))
            }
            _ => Err(ErrorCode::InvalidTxnState),
        }
    }
}

#[cfg(test)]
#[path = "end_txn_tests.rs"]
mod tests;
