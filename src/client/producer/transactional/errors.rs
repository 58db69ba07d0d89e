//! The exceptions of transactional calls, by Kafka's class and words.

use crate::client::producer::ProducerIdAndEpoch;
use crate::client::producer::state::State;
use crate::node::ClientError;
use std::rc::Rc;

fn exception(text: String) -> ClientError {
    ClientError::Exception(Rc::from(text))
}

/// `IllegalStateException`.
pub(in crate::client::producer) fn illegal_state(text: &str) -> ClientError {
    exception(format!("IllegalStateException: {text}"))
}

/// `KafkaException`.
pub(in crate::client::producer) fn kafka_exception(text: &str) -> ClientError {
    exception(format!("KafkaException: {text}"))
}

/// `throwIfNoTransactionManager`, and `ensureTransactional`.
pub(in crate::client::producer) fn not_transactional(idempotent: bool) -> ClientError {
    illegal_state(if idempotent {
        "Transactional method invoked on a non-transactional producer."
    } else {
        "Cannot use transactional methods without enabling transactions by setting the transactional.id configuration \
         property"
    })
}

/// `throwIfProducerClosed`.
pub(in crate::client::producer) fn closed() -> ClientError {
    illegal_state("Cannot perform operation after producer has been closed")
}

/// `transitionTo`.
pub(super) fn invalid_transition(id: &str, from: &State, to: &State) -> ClientError {
    let (from, to) = (from.name(), to.name());
    illegal_state(&format!("TransactionalId {id}: Invalid transition attempted from state {from} to state {to}"))
}

/// `throwIfPendingState`: after a timeout only the same call may be made.
pub(super) fn must_be_retried(operation: &str, earlier: &str) -> ClientError {
    illegal_state(&format!(
        "Cannot attempt operation `{operation}` because the previous call to `{earlier}` timed out and must be retried"
    ))
}

/// `maybeFailWithError`: what a call throws after `error`.
pub(super) fn after(error: &ClientError, id: &str, producer: ProducerIdAndEpoch) -> ClientError {
    use crate::protocol::ErrorCode::{InvalidProducerEpoch, ProducerFenced};
    let ProducerIdAndEpoch { id: producer_id, epoch } = producer;
    let who =
        format!("Producer with transactionalId '{id}' and ProducerIdAndEpoch(producerId={producer_id}, epoch={epoch})");
    match error {
        ClientError::Broker(ProducerFenced) => exception(format!(
            "ProducerFencedException: {who} has been fenced by another producer with the same transactionalId"
        )),
        ClientError::Broker(InvalidProducerEpoch) => {
            exception(format!("InvalidProducerEpochException: {who} attempted to produce with an old epoch"))
        }
        cause => exception(format!(
            "KafkaException: Cannot execute transactional method because we are in an error state. Caused by: {}",
            cause.name()
        )),
    }
}

/// An error that retries did not cure: the transaction is to be aborted (KIP-1050).
pub(super) fn exhausted(cause: &ClientError) -> ClientError {
    exception(format!(
        "TransactionAbortableException: Transaction Request was aborted after exhausting retries. Caused by: {}",
        cause.name()
    ))
}

/// What unsent records of an aborted transaction end with.
pub(in crate::client::producer) fn transaction_aborted() -> ClientError {
    exception("TransactionAbortedException: Failing batch since transaction was aborted".to_owned())
}

/// What a consumer that is no member of its group any more gets for its offsets.
pub(super) fn commit_failed(error: crate::protocol::ErrorCode) -> ClientError {
    exception(format!(
        "CommitFailedException: Transaction offset Commit failed due to consumer group metadata mismatch: {}",
        error.description()
    ))
}

/// `maybeResolveSequences`: batches were given up, and nobody knows whether they were written.
pub(super) fn unacknowledged(safe: bool) -> ClientError {
    kafka_exception(if safe {
        "The client hasn't received acknowledgment for some previously sent messages and can no longer retry them. It is \
         safe to abort the transaction and continue."
    } else {
        "The client hasn't received acknowledgment for some previously sent messages and can no longer retry them. It \
         isn't safe to continue."
    })
}
