//! What producers and brokers ask of a transactional id: to be given a producer id, to add partitions to its transaction, or
//! whether partitions are part of it (§5.2, §5.3).
//!
//! In Kafka: `TransactionCoordinator.prepareInitProducerIdTransit`, `handleAddPartitionsToTransaction`,
//! `handleVerifyPartitionsInTransaction`.

use super::metadata::{TransactionMetadata, TransitMetadata, is_epoch_exhausted};
use crate::base::{Duration, ProducerEpoch, ProducerId, TopicPartition};
use crate::protocol::{ErrorCode, TransactionState};

/// Which producer an InitProducerId believes to be (KIP-360).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ExpectedProducer {
    /// Its id.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: ProducerEpoch,
}

impl TransactionMetadata {
    /// A producer starts with this transactional id, or starts again. The transition is to Empty, or, where a transaction is
    /// open, to PrepareEpochFence: then that transaction is to be aborted first, and the producer to ask again.
    pub fn init_producer_id(
        &mut self,
        expected: Option<ExpectedProducer>,
        timeout: Duration,
        now_ms: i64,
        new_producer_id: impl FnOnce() -> Result<ProducerId, ErrorCode>,
    ) -> Result<TransitMetadata, ErrorCode> {
        use TransactionState as S;
        if self.pending_state.is_some() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        if expected.is_some_and(|expected| !self.is_valid_producer(expected)) {
            return Err(ErrorCode::ProducerFenced);
        }
        let expected_epoch = expected.map(|expected| expected.producer_epoch);
        match self.state {
            S::PrepareCommit | S::PrepareAbort => Err(ErrorCode::ConcurrentTransactions),
            S::Ongoing => Ok(self.prepare_fence_producer_epoch()),
            S::Empty | S::CompleteCommit | S::CompleteAbort => {
                let names_it = expected_epoch.is_none_or(|epoch| epoch == self.producer_epoch);
                if self.is_producer_epoch_exhausted() && names_it {
                    let producer_id = new_producer_id()?;
                    return Ok(self.prepare_producer_id_rotation(producer_id, timeout, now_ms, expected.is_some()));
                }
                if self.is_producer_epoch_exhausted() {
                    // Kafka throws IllegalStateException here, and the client gets its code.
                    return Err(ErrorCode::UnknownServerError);
                }
                self.prepare_increment_producer_epoch(timeout, expected_epoch, now_ms)
            }
            S::Dead | S::PrepareEpochFence => unreachable!("invariant: these are only ever pending"),
        }
    }

    /// It is the present producer; or one that was never told its first epoch; or the one before, whose epochs were used up
    /// and which did not hear of the new one.
    fn is_valid_producer(&self, expected: ExpectedProducer) -> bool {
        self.producer_epoch == -1
            || expected.producer_id == self.producer_id
            || (expected.producer_id == self.prev_producer_id && is_epoch_exhausted(expected.producer_epoch))
    }

    /// Adds partitions to the transaction, which begins with them if there is none. None if they are all in it already.
    pub fn add_partitions(
        &mut self,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        partitions: &[TopicPartition],
        now_ms: i64,
        transaction_version: u8,
    ) -> Result<Option<TransitMetadata>, ErrorCode> {
        // First of all: a producer may use an id that is only about to be its own.
        if self.pending_state.is_some() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        self.check_writer(producer_id, producer_epoch)?;
        let known = partitions.iter().all(|partition| self.partitions.contains(partition));
        if self.state == TransactionState::Ongoing && known {
            return Ok(None);
        }
        Ok(Some(self.prepare_add_partitions(partitions, now_ms, transaction_version)))
    }

    /// Which of the partitions are part of the transaction. What is pending does not matter: partitions are in it once that
    /// is written, and leave it with their marker, and the leader checks again when it appends.
    pub fn verify_partitions(
        &self,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        partitions: &[TopicPartition],
    ) -> Result<Vec<(TopicPartition, ErrorCode)>, ErrorCode> {
        self.check_writer(producer_id, producer_epoch)?;
        let verified = |partition: &TopicPartition| match self.partitions.contains(partition) {
            true => (*partition, ErrorCode::None),
            false => (*partition, ErrorCode::TransactionAbortable),
        };
        Ok(partitions.iter().map(verified).collect())
    }

    fn check_writer(&self, producer_id: ProducerId, producer_epoch: ProducerEpoch) -> Result<(), ErrorCode> {
        if self.producer_id != producer_id {
            Err(ErrorCode::InvalidProducerIdMapping)
        } else if self.producer_epoch != producer_epoch {
            Err(ErrorCode::ProducerFenced)
        } else if matches!(self.state, TransactionState::PrepareCommit | TransactionState::PrepareAbort) {
            Err(ErrorCode::ConcurrentTransactions)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
#[path = "requests_tests.rs"]
pub(super) mod tests;
