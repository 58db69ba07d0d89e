//! May this producer append this batch? And what will be known of the producer afterwards?
//!
//! In Kafka: `ProducerAppendInfo` and `UnifiedLog.analyzeAndValidateProducerState`, in their order: duplicate,
//! verification, producer epoch, sequence, transaction.

use super::producer_state::{CompletedTxn, ProducerState, VerificationEntry};
use super::{AppendContext, AppendOrigin, CachedBatch, ProducerEntry};
use crate::base::{Offset, ProducerEpoch, ProducerId};
use crate::protocol::ErrorCode;
use crate::record::{ControlRecord, NO_PRODUCER_EPOCH, RecordBatch};

/// The answer.
pub(super) enum Verdict {
    /// It was appended already, there.
    Duplicate(CachedBatch),
    /// It may be appended; then this is known.
    Append(ProducerUpdate),
}

/// What an append changes.
pub(super) struct ProducerUpdate {
    pub producer_id: ProducerId,
    pub entry: ProducerEntry,
    pub started_txn: Option<Offset>,
    pub completed_txn: Option<CompletedTxn>,
    /// Drop the verification entry: the transaction is known now, or over.
    pub verified: bool,
}

/// Judges a batch with a producer id that already has its offsets.
pub(super) fn judge(
    state: &ProducerState,
    batch: &RecordBatch,
    context: &AppendContext,
    verify: bool,
) -> Result<Verdict, ErrorCode> {
    let producer_id = batch.producer_id();
    let known = state.entry(producer_id);
    if context.origin == AppendOrigin::Client
        && let Some(duplicate) = known.and_then(|entry| entry.find_duplicate(batch))
    {
        return Ok(Verdict::Duplicate(duplicate));
    }
    let verification = state.verification(producer_id);
    let current = known.copied().unwrap_or(ProducerEntry::EMPTY);
    if matches!(context.origin, AppendOrigin::Client | AppendOrigin::Coordinator) && batch.is_transactional() {
        check_verification(batch, known, verification, context, verify)?;
    }
    if batch.is_control() {
        return marker(batch, current, context).map(Verdict::Append);
    }
    data(batch, current, verification, context).map(Verdict::Append)
}

/// A transaction begins here only if its coordinator knows of it.
fn check_verification(
    batch: &RecordBatch,
    known: Option<&ProducerEntry>,
    verification: Option<&VerificationEntry>,
    context: &AppendContext,
    verify: bool,
) -> Result<(), ErrorCode> {
    if let Some(entry) = known {
        let same_epoch = entry.epoch == batch.producer_epoch();
        if entry.current_txn_first_offset.is_some() && same_epoch {
            return Ok(());
        }
        if batch.producer_epoch() < entry.epoch {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
    }
    if verify && !batch.is_control() {
        let guard = verification.map(|entry| entry.guard);
        if guard.is_none() || guard != context.verification {
            return Err(ErrorCode::InvalidTxnState);
        }
    }
    Ok(())
}

fn data(
    batch: &RecordBatch,
    current: ProducerEntry,
    verification: Option<&VerificationEntry>,
    context: &AppendContext,
) -> Result<ProducerUpdate, ErrorCode> {
    let epoch = batch.producer_epoch();
    if epoch < current.epoch && context.origin != AppendOrigin::Replication {
        return Err(ErrorCode::InvalidProducerEpoch);
    }
    if context.origin == AppendOrigin::Client {
        check_sequence(epoch, batch.base_sequence(), &current, verification)?;
    }
    let mut entry = current;
    entry.add_batch(
        epoch,
        CachedBatch {
            last_sequence: batch.last_sequence(),
            last_offset: batch.last_offset(),
            offset_delta: batch.last_offset_delta(),
            timestamp: batch.max_timestamp(),
        },
    );
    let transactional = batch.is_transactional();
    if entry.current_txn_first_offset.is_some() && !transactional {
        return Err(ErrorCode::InvalidTxnState);
    }
    let started_txn = (entry.current_txn_first_offset.is_none() && transactional).then(|| batch.base_offset());
    entry.current_txn_first_offset = entry.current_txn_first_offset.or(started_txn);
    let producer_id = batch.producer_id();
    Ok(ProducerUpdate { producer_id, entry, started_txn, completed_txn: None, verified: transactional })
}

fn check_sequence(
    epoch: ProducerEpoch,
    first_sequence: i32,
    current: &ProducerEntry,
    verification: Option<&VerificationEntry>,
) -> Result<(), ErrorCode> {
    if let Some(verification) = verification {
        let must_be_zero = verification.supports_epoch_bump && current.batches().is_empty();
        if (must_be_zero && first_sequence != 0) || first_sequence > verification.lowest_sequence {
            return Err(ErrorCode::OutOfOrderSequenceNumber);
        }
    }
    let accepted = if current.epoch == NO_PRODUCER_EPOCH {
        true
    } else if epoch != current.epoch {
        first_sequence == 0
    } else {
        let last = current.last_sequence();
        i64::from(first_sequence) == i64::from(last) + 1 || (first_sequence == 0 && last == i32::MAX)
    };
    if accepted { Ok(()) } else { Err(ErrorCode::OutOfOrderSequenceNumber) }
}

/// The end of a transaction.
fn marker(batch: &RecordBatch, current: ProducerEntry, context: &AppendContext) -> Result<ProducerUpdate, ErrorCode> {
    let producer_id = batch.producer_id();
    let unchanged =
        ProducerUpdate { producer_id, entry: current, started_txn: None, completed_txn: None, verified: true };
    // The cleaner may have emptied the batch: then the whole transaction is gone.
    let Some(record) = ControlRecord::of_batch(batch).map_err(|_| ErrorCode::InvalidRecord)? else {
        return Ok(unchanged);
    };
    let (committed, coordinator_epoch) = match record {
        ControlRecord::Commit { coordinator_epoch } => (true, coordinator_epoch),
        ControlRecord::Abort { coordinator_epoch } => (false, coordinator_epoch),
        ControlRecord::LeaderChange { .. } | ControlRecord::Other { .. } => return Err(ErrorCode::InvalidRecord),
    };
    let epoch = batch.producer_epoch();
    if context.origin != AppendOrigin::Replication {
        let version = context.transaction_version;
        let version = version.expect("invariant: who ends a transaction knows its version");
        check_marker_epoch(epoch, &current, version)?;
        if coordinator_epoch < current.coordinator_epoch {
            return Err(ErrorCode::TransactionCoordinatorFenced);
        }
    }
    let completed_txn = current.current_txn_first_offset.map(|first_offset| CompletedTxn {
        producer_id,
        first_offset,
        last_offset: batch.base_offset(),
        aborted: !committed,
    });
    let mut entry = current;
    entry.end_transaction(epoch, coordinator_epoch, batch.max_timestamp());
    Ok(ProducerUpdate { entry, completed_txn, ..unchanged })
}

/// Since transaction version 2 the coordinator raises the epoch before it writes markers, so that an equal epoch is a
/// marker that was retried, or (with an open transaction) one that comes too late.
fn check_marker_epoch(epoch: ProducerEpoch, current: &ProducerEntry, transaction_version: u8) -> Result<(), ErrorCode> {
    let accepted = if transaction_version >= 2 && epoch == current.epoch {
        current.current_txn_first_offset.is_none() || epoch == ProducerEpoch::MAX
    } else {
        epoch >= current.epoch
    };
    if accepted { Ok(()) } else { Err(ErrorCode::InvalidProducerEpoch) }
}
