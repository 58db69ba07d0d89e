//! From errors to states: what can be aborted, what cannot be cured, and when a new epoch is needed.
//!
//! In Kafka: `TransactionManager.maybeTransitionToErrorState`, `abortableErrorIfPossible`, `resetTransactionState`.

use super::{NO_TIME, ResultId, Transactional, errors};
use crate::base::TopicPartition;
use crate::client::producer::TransactionManager;
use crate::client::producer::state::State;
use crate::node::ClientError;
use crate::protocol::ErrorCode;
use std::rc::Rc;

impl Transactional {
    /// The call that changes the state fails, whether somebody waits for it or not.
    pub(super) fn fail_transition(&mut self, error: &ClientError) {
        let id = self.transition.as_ref().map(|transition| transition.result.id);
        self.complete(id, Err(error.clone()));
    }
}

impl TransactionManager {
    /// The producer can only be closed now.
    pub(super) fn transition_to_fatal_error(&mut self, error: ClientError) {
        // The first one tells why.
        if matches!(self.state, State::FatalError(_)) {
            return;
        }
        if let Some(half) = self.transactional.get_mut() {
            half.fail_transition(&error);
        }
        self.enter(State::FatalError(error));
    }

    /// The transaction can only be aborted now, if it is not being aborted already.
    fn transition_to_abortable_error(&mut self, error: ClientError) {
        if !matches!(self.state, State::AbortingTransaction | State::FatalError(_)) {
            self.enter(State::AbortableError(error));
        }
    }

    pub(super) fn fatal_error(&mut self, result: Option<ResultId>, error: ClientError) {
        self.half().complete(result, Err(error.clone()));
        self.transition_to_fatal_error(error);
    }

    pub(super) fn abortable_error(&mut self, result: Option<ResultId>, error: ClientError) {
        self.half().complete(result, Err(error.clone()));
        self.transition_to_abortable_error(error);
    }

    /// Aborting makes good what happened only if the epoch rises with it; else it is fatal.
    pub(super) fn abortable_error_if_possible(
        &mut self,
        result: Option<ResultId>,
        abortable: ClientError,
        fatal: ClientError,
    ) {
        let half = self.half();
        if half.coordinator_supports_bumping_epoch || half.v2 {
            self.epoch_bump_required |= self.half().bumps_epoch_itself();
            self.abortable_error(result, abortable);
        } else {
            self.fatal_error(result, fatal);
        }
    }

    /// Batches of a transaction were given up, and nobody knows whether they were written.
    pub(in crate::client::producer) fn sequences_stay_unresolved(&mut self) {
        self.abortable_error_if_possible(None, errors::unacknowledged(true), errors::unacknowledged(false));
    }

    /// A record failed (`maybeTransitionToErrorState`).
    pub(in crate::client::producer) fn on_send_error(&mut self, error: &ClientError) {
        use ErrorCode::{
            ClusterAuthorizationFailed, InvalidProducerIdMapping, InvalidTxnState, ProducerFenced,
            TransactionalIdAuthorizationFailed, UnsupportedVersion,
        };
        let code = match error {
            ClientError::Broker(code) => Some(*code),
            _ => None,
        };
        let fatal = [
            ClusterAuthorizationFailed,
            TransactionalIdAuthorizationFailed,
            ProducerFenced,
            UnsupportedVersion,
            InvalidProducerIdMapping,
        ];
        if code.is_some_and(|code| fatal.contains(&code)) {
            return self.transition_to_fatal_error(error.clone());
        }
        let Some(half) = self.transactional.get() else { return };
        let bumps_epoch_itself = half.bumps_epoch_itself();
        // Whatever was worth a retry has had its retries: the transaction is not whole any more.
        let gave_up = *error == ClientError::Timeout || code.is_some_and(|c| c.is_retriable() || c == InvalidTxnState);
        let error = if gave_up { errors::exhausted(error) } else { error.clone() };
        if bumps_epoch_itself && !self.state.is_completing() {
            self.epoch_bump_required = true;
        }
        self.transition_to_abortable_error(error);
    }

    /// A `send()` failed with an exception that its callback heard of. Outside a transaction, Kafka's `send()` throws
    /// `IllegalStateException` instead of changing the state.
    pub(in crate::client::producer) fn on_send_refused(&mut self, error: &ClientError) {
        let of_broker = match error {
            ClientError::Exception(text) => text.starts_with("RecordTooLargeException"),
            _ => true,
        };
        if of_broker && self.is_transactional() && self.has_ongoing_transaction() {
            self.on_send_error(error);
        }
    }

    /// Whether a record may be sent now (`maybeAddPartition`, its first half).
    pub(in crate::client::producer) fn check_send(
        &mut self,
        topic: &str,
        partition: Option<u32>,
    ) -> Result<(), ClientError> {
        if !self.is_transactional() {
            return Ok(());
        }
        self.fail_with_error()?;
        self.refuse_pending("send")?;
        let partition = partition.map(|partition| format!("-{partition}")).unwrap_or_default();
        if !self.producer.is_valid() {
            return Err(errors::illegal_state(&format!(
                "Cannot add partition {topic}{partition} to transaction before completing a call to initTransactions"
            )));
        }
        if self.state != State::InTransaction {
            let state = self.state.name();
            return Err(errors::illegal_state(&format!(
                "Cannot add partition {topic}{partition} to transaction while in state  {state}"
            )));
        }
        Ok(())
    }

    /// A record was taken for this partition (`maybeAddPartition`, its second half).
    pub(in crate::client::producer) fn add_partition(&mut self, partition: TopicPartition) {
        let Some(half) = self.transactional.get_mut() else { return };
        if half.v2 {
            half.partitions.insert(partition);
            half.started = true;
        } else if !half.partitions.contains(&partition) && !half.pending_partitions.contains(&partition) {
            half.new_partitions.insert(partition);
        }
    }

    /// Whether the partition's batches may be sent (`isSendToPartitionAllowed`).
    pub(in crate::client::producer) fn is_send_allowed(&self, partition: TopicPartition) -> bool {
        self.transactional.get().is_none_or(|half| half.partitions.contains(&partition))
    }

    /// The transaction ended: on to the next, after a new epoch if one is needed.
    pub(super) fn reset_transaction_state(&mut self) {
        let bump = std::mem::take(&mut self.epoch_bump_required);
        self.enter(if bump { State::Initializing { at: NO_TIME } } else { State::Ready });
        let half = self.half();
        half.started = false;
        half.new_partitions.clear();
        half.pending_partitions.clear();
        half.partitions.clear();
    }

    /// Name of the transactional id, for Produce requests, and whether the broker adds partitions itself.
    pub(in crate::client::producer) fn produce_as(&self) -> (Option<Rc<str>>, bool) {
        self.transactional.get().map_or((None, false), |half| (Some(Rc::clone(&half.id)), half.v2))
    }
}
