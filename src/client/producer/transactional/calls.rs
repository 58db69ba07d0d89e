//! The calls of the application: `initTransactions()`, `beginTransaction()`, `sendOffsetsToTransaction()`,
//! `commitTransaction()`, `abortTransaction()`, and how they end.
//!
//! Invariants: the application makes one call at a time; a call that took longer than `max.block.ms` throws
//! `TimeoutException` while the sender goes on with it, and then only the same call can be made, which waits for the rest.
//!
//! In Kafka: `KafkaProducer`, `TransactionManager.handleCachedTransactionRequestResult`.

use super::{Content, GroupMetadata, NO_TIME, RequestResult, errors};
use crate::base::{SortedMap, Time};
use crate::client::Producer;
use crate::client::producer::TransactionManager;
use crate::client::producer::state::State;
use crate::node::{ClientError, Event, Outbox};
use crate::protocol::OffsetCommitPartition;
use std::rc::Rc;

/// What the application can call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operation {
    /// `initTransactions()`.
    InitTransactions,
    /// `commitTransaction()`.
    CommitTransaction,
    /// `abortTransaction()`.
    AbortTransaction,
    /// `sendOffsetsToTransaction()`.
    SendOffsets,
}

impl Operation {
    /// As Kafka spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Operation::InitTransactions => "initTransactions",
            Operation::CommitTransaction => "commitTransaction",
            Operation::AbortTransaction => "abortTransaction",
            Operation::SendOffsets => "sendOffsetsToTransaction",
        }
    }
}

/// A call that changes the state, until the application heard how it ended (`PendingStateTransition`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Transition {
    pub operation: Operation,
    pub result: RequestResult,
}

/// The call that blocks the application.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Call {
    pub operation: Operation,
    pub until: Time,
}

impl TransactionManager {
    fn initialize_transactions(&mut self) -> Result<(), ClientError> {
        self.fail_with_error()?;
        if self.goes_on(Operation::InitTransactions)? {
            return Ok(());
        }
        self.transition_to(State::Initializing { at: NO_TIME })?;
        let content = Content::InitProducerId { producer: super::super::ProducerIdAndEpoch::NONE };
        self.begin(Operation::InitTransactions, Some(content));
        Ok(())
    }

    fn begin_transaction(&mut self) -> Result<(), ClientError> {
        self.refuse_pending("beginTransaction")?;
        self.fail_with_error()?;
        self.transition_to(State::InTransaction)
    }

    fn begin_commit(&mut self) -> Result<(), ClientError> {
        if self.goes_on(Operation::CommitTransaction)? {
            return Ok(());
        }
        self.fail_with_error()?;
        self.transition_to(State::CommittingTransaction)?;
        self.begin_completing(true);
        Ok(())
    }

    /// Also what closing an open transaction does.
    pub(in crate::client::producer) fn begin_abort(&mut self) -> Result<(), ClientError> {
        if self.goes_on(Operation::AbortTransaction)? {
            return Ok(());
        }
        if !matches!(self.state, State::AbortableError(_)) {
            self.fail_with_error()?;
        }
        self.transition_to(State::AbortingTransaction)?;
        // Nothing more will be written.
        self.half().new_partitions.clear();
        self.begin_completing(false);
        Ok(())
    }

    /// EndTxn, and a new epoch after it where one is needed: then that is what the caller waits for.
    fn begin_completing(&mut self, committed: bool) {
        self.enqueue_new_partitions();
        let operation = if committed { Operation::CommitTransaction } else { Operation::AbortTransaction };
        let end = Content::EndTxn { committed };
        if self.epoch_bump_required {
            self.enqueue(end, None);
            let producer = self.producer;
            self.begin(operation, Some(Content::InitProducerId { producer }));
        } else {
            self.begin(operation, Some(end));
        }
    }

    fn begin(&mut self, operation: Operation, content: Option<Content>) {
        let result = self.half().new_result();
        if let Some(content) = content {
            self.enqueue(content, Some(result.id));
        }
        self.half().transition = Some(Transition { operation, result });
    }

    fn send_offsets(&mut self, offsets: Vec<OffsetCommitPartition>, group: GroupMetadata) -> Result<(), ClientError> {
        self.refuse_pending(Operation::SendOffsets.name())?;
        self.fail_with_error()?;
        if self.state != State::InTransaction {
            let state = self.state.name();
            return Err(errors::illegal_state(&format!(
                "Cannot send offsets if a transaction is not in progress (currentState= {state})"
            )));
        }
        let group = Rc::new(group);
        let half = self.half();
        let result = half.new_result();
        let id = Some(result.id);
        half.offsets_result = Some(result);
        if half.v2 {
            half.started = true;
            self.enqueue_offset_commit(&offsets, group, id);
        } else {
            self.enqueue(Content::AddOffsets { offsets: offsets.into(), group }, id);
        }
        Ok(())
    }

    /// Together with those that an earlier call did not get committed (`txnOffsetCommitHandler`).
    pub(super) fn enqueue_offset_commit(
        &mut self,
        offsets: &[OffsetCommitPartition],
        group: Rc<GroupMetadata>,
        result: Option<super::ResultId>,
    ) {
        let pending: &mut SortedMap<_, _> = &mut self.half().offset_commits;
        pending.extend(offsets.iter().map(|offset| (offset.partition, offset.clone())));
        let offsets = pending.values().cloned().collect();
        self.enqueue(Content::TxnOffsetCommit { offsets, group }, result);
    }

    // ---- what stands in the way ----

    /// An error came before (`maybeFailWithError`).
    pub(super) fn fail_with_error(&mut self) -> Result<(), ClientError> {
        let producer = self.producer;
        let Some(error) = self.state.error() else { return Ok(()) };
        let id = self.transactional.get().map_or("", |half| &half.id);
        Err(errors::after(error, id, producer))
    }

    /// A call that timed out is to be repeated first (`throwIfPendingState`).
    pub(super) fn refuse_pending(&mut self, operation: &str) -> Result<(), ClientError> {
        let transition = &mut self.half().transition;
        match transition {
            Some(earlier) if !earlier.result.acked => Err(errors::must_be_retried(operation, earlier.operation.name())),
            _ => {
                *transition = None;
                Ok(())
            }
        }
    }

    /// The same call timed out before, and its result is still awaited.
    fn goes_on(&mut self, operation: Operation) -> Result<bool, ClientError> {
        if matches!(&self.half().transition, Some(t) if !t.result.acked && t.operation == operation) {
            return Ok(true);
        }
        self.refuse_pending(operation.name()).map(|()| false)
    }

    // ---- the end ----

    /// How the call that blocks the application ended, if it did.
    fn end_of_call(&mut self, now: Time) -> Option<(Operation, Result<(), ClientError>)> {
        let half = self.transactional.get_mut()?;
        let call = half.call?;
        let result = match call.operation {
            Operation::SendOffsets => half.offsets_result.as_mut(),
            _ => half.transition.as_mut().map(|transition| &mut transition.result),
        };
        let outcome = match result.filter(|result| result.done) {
            Some(result) => {
                result.acked = true;
                result.error.clone().map_or(Ok(()), Err)
            }
            None if call.until <= now => Err(ClientError::Timeout),
            None => return None,
        };
        half.call = None;
        half.returned = Some(outcome.clone());
        Some((call.operation, outcome))
    }

    /// As `abortTransaction()`, of a producer that is being closed: the abort that nobody waits for.
    pub(super) fn begin_abort_on_close(&mut self) -> Result<Event, ClientError> {
        self.begin_abort()?;
        let half = self.half();
        half.call = Some(Call { operation: Operation::AbortTransaction, until: Time::MAX });
        Ok(Event::TransactionEnding { transactional_id: Rc::clone(&half.id), committed: false })
    }
}

impl Producer {
    /// Tells which `transaction.version` the cluster has finalized: 2 (the default), or less. Before [`Self::start`].
    pub fn with_transaction_version(mut self, version: u8) -> Self {
        if let Some(half) = self.manager.as_mut().and_then(|manager| manager.transactional.get_mut()) {
            half.v2 = version >= 2;
        }
        self
    }

    /// `initTransactions()`: gets the producer id and an epoch that fences former producers of this `transactional.id`.
    /// [`Self::transaction_result`] tells how it ends.
    pub fn init_transactions(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.call(now, Operation::InitTransactions, out, TransactionManager::initialize_transactions);
    }

    /// `beginTransaction()`. It does not block, and is refused with `IllegalStateException` if there was no
    /// `initTransactions()` or a transaction is open, with `ProducerFencedException` or `KafkaException` after an error.
    pub fn begin_transaction(&mut self, _now: Time, out: &mut Outbox<'_>) -> Result<(), ClientError> {
        let manager = self.callable()?;
        manager.begin_transaction()?;
        let producer = manager.producer;
        let transactional_id = Rc::clone(&manager.half().id);
        out.emit(Event::TransactionBegun {
            transactional_id,
            producer_id: producer.id,
            producer_epoch: producer.epoch,
        });
        Ok(())
    }

    /// `sendOffsetsToTransaction()`: these offsets are committed for the group if the transaction is.
    /// [`Self::transaction_result`] tells how it ends.
    pub fn send_offsets_to_transaction(
        &mut self,
        now: Time,
        offsets: Vec<OffsetCommitPartition>,
        group: GroupMetadata,
        out: &mut Outbox<'_>,
    ) {
        if let Err(error) = self.callable().and_then(|_| check_group(&group)) {
            return self.throw(error);
        }
        if offsets.is_empty() {
            return self.set_returned(Ok(()));
        }
        self.call(now, Operation::SendOffsets, out, |manager| manager.send_offsets(offsets, group));
    }

    /// `commitTransaction()`: sends what is left and lets the transaction hold. [`Self::transaction_result`] tells how it
    /// ends; after a timeout it is unknown whether it holds, and only another `commitTransaction()` may follow.
    pub fn commit_transaction(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.call(now, Operation::CommitTransaction, out, TransactionManager::begin_commit);
    }

    /// `abortTransaction()`: drops what is not sent and undoes the transaction. [`Self::transaction_result`] tells how it
    /// ends.
    pub fn abort_transaction(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.call(now, Operation::AbortTransaction, out, TransactionManager::begin_abort);
    }

    /// When the application's patience with a call ends.
    pub(in crate::client::producer) fn call_until(&self) -> Option<Time> {
        self.transactional_call().map(|(_, until)| until).filter(|until| *until < Time::MAX)
    }

    /// How the last transactional call ended, once; none while it blocks. `TimeoutException` is
    /// [`ClientError::Timeout`], what a broker said [`ClientError::Broker`].
    pub fn transaction_result(&mut self, _now: Time) -> Option<Result<(), ClientError>> {
        match &mut self.manager {
            Some(manager) if manager.is_transactional() => manager.half().returned.take(),
            manager => Some(Err(errors::not_transactional(manager.is_some()))),
        }
    }

    fn callable(&mut self) -> Result<&mut TransactionManager, ClientError> {
        let Some(manager) = &mut self.manager else { return Err(errors::not_transactional(false)) };
        if self.closing {
            return Err(errors::closed());
        }
        if manager.is_transactional() { Ok(manager) } else { Err(errors::not_transactional(true)) }
    }

    fn call(
        &mut self,
        now: Time,
        operation: Operation,
        out: &mut Outbox<'_>,
        begin: impl FnOnce(&mut TransactionManager) -> Result<(), ClientError>,
    ) {
        let until = now + self.config.max_block_ms;
        let begun = self.callable().and_then(|manager| {
            begin(manager)?;
            let half = manager.half();
            assert!(half.call.is_none(), "invariant: a program makes one call at a time");
            half.call = Some(Call { operation, until });
            half.returned = None;
            Ok(Rc::clone(&half.id))
        });
        match begun {
            Ok(transactional_id) => {
                let committed = operation == Operation::CommitTransaction;
                if committed || operation == Operation::AbortTransaction {
                    out.emit(Event::TransactionEnding { transactional_id, committed });
                }
                self.turn(now, out);
            }
            Err(error) => self.throw(error),
        }
    }

    fn throw(&mut self, error: ClientError) {
        self.set_returned(Err(error));
    }

    fn set_returned(&mut self, outcome: Result<(), ClientError>) {
        if let Some(half) = self.manager.as_mut().and_then(|manager| manager.transactional.get_mut()) {
            half.returned = Some(outcome);
        }
    }

    /// Lets the call that blocks the application return, if it ended or took too long.
    pub(in crate::client::producer) fn return_from_call(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(manager) = self.manager.as_mut() else { return };
        let Some((operation, outcome)) = manager.end_of_call(now) else { return };
        let producer = manager.producer;
        let (producer_id, producer_epoch) = (producer.id, producer.epoch);
        let transactional_id = Rc::clone(&manager.half().id);
        if outcome.is_err() {
            return;
        }
        match operation {
            Operation::InitTransactions => {
                out.emit(Event::TransactionsInitialized { transactional_id, producer_id, producer_epoch });
            }
            Operation::CommitTransaction | Operation::AbortTransaction => {
                let committed = operation == Operation::CommitTransaction;
                out.emit(Event::TransactionEnded { transactional_id, producer_id, producer_epoch, committed });
            }
            Operation::SendOffsets => {}
        }
    }
}

/// `throwIfInvalidGroupMetadata`.
fn check_group(group: &GroupMetadata) -> Result<(), ClientError> {
    let GroupMetadata { group, generation, member_id, instance_id } = group;
    if *generation <= 0 || !member_id.is_empty() {
        return Ok(());
    }
    let instance = instance_id.as_deref().unwrap_or_default();
    Err(ClientError::Exception(Rc::from(format!(
        "IllegalArgumentException: Passed in group metadata GroupMetadata(groupId = {group}, generationId = \
         {generation}, memberId = {member_id}, groupInstanceId = {instance}) has generationId > 0 but the member.id is \
         unknown"
    ))))
}
