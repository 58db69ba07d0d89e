//! The loop of a program that sends in transactions:
//!
//! ```text
//! initTransactions();
//! loop { beginTransaction(); send() × transaction.records; commitTransaction(), or every nth time abortTransaction() }
//! ```
//!
//! Invariants: a step ends between any two of these calls; a record counts as handed over when its transaction has ended for
//! good, committed or aborted on purpose. What was aborted because something failed is sent again in a new transaction; so is, by a
//! program that was started again, whatever it does not know to be committed.

use super::{ProducerApp, Running};
use crate::app::TransactionPlan;
use crate::app::transactions::{Recovery, after_exception, transaction_error};
use crate::base::Time;
use crate::client::Producer;
use crate::client::producer::SendOutcome;
use crate::node::{ClientError, Event, Outbox};

/// Where the loop stands.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Phase {
    Initializing,
    /// No transaction is open.
    Ready,
    Open,
    /// Whether it commits.
    Ending(bool),
    Failed(ClientError),
}

/// A program's transaction.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Transaction {
    pub plan: TransactionPlan,
    pub phase: Phase,
    /// How many of its records were sent.
    pub sent: u32,
    /// It is aborted because something failed.
    undone: bool,
    /// When the next record is due.
    due: Time,
}

impl Transaction {
    pub fn new(plan: TransactionPlan, now: Time) -> Self {
        Transaction { plan, phase: Phase::Initializing, sent: 0, undone: false, due: now }
    }
}

impl ProducerApp {
    /// Takes the next step: begins a transaction, sends a record of it, or ends it.
    pub(super) fn step_transaction(&mut self, now: Time, out: &mut Outbox<'_>) {
        let (left, nth) = (self.setup.records - self.next, self.transactions + 1);
        let Some((client, transaction)) = self.parts() else { return };
        match transaction.phase {
            Phase::Ready if left > 0 => match client.begin_transaction(now, out) {
                Ok(()) => {
                    transaction.phase = Phase::Open;
                    self.schedule(now, out);
                }
                Err(error) => self.threw(error, now, out),
            },
            Phase::Open if transaction.sent < transaction.plan.records.min(left) => self.send_in_transaction(now, out),
            Phase::Open => {
                let on_purpose = transaction.plan.abort_every > 0 && nth % transaction.plan.abort_every == 0;
                self.call(Phase::Ending(!on_purpose), now, out);
            }
            _ => {}
        }
    }

    fn send_in_transaction(&mut self, now: Time, out: &mut Outbox<'_>) {
        let record = self.generate();
        let Some(running) = &mut self.running else { return };
        match running.client.send(now, record, out) {
            SendOutcome::Blocked => running.blocked = true,
            SendOutcome::Buffered(_) => self.sent_in_transaction(now, out),
            SendOutcome::Failed => match transaction_error(&running.client) {
                Some(error) => self.threw(error, now, out),
                None => self.sent_in_transaction(now, out),
            },
        }
    }

    /// `send()` returned.
    pub(super) fn sent_in_transaction(&mut self, now: Time, out: &mut Outbox<'_>) {
        let (left, interval) = (self.setup.records - self.next, self.setup.interval);
        let Some((_, transaction)) = self.parts() else { return };
        transaction.sent += 1;
        transaction.due = now + interval;
        let more = transaction.sent < transaction.plan.records.min(left);
        let at = if more { transaction.due } else { now };
        self.schedule(at, out);
    }

    /// Makes a call that blocks.
    pub(super) fn call(&mut self, phase: Phase, now: Time, out: &mut Outbox<'_>) {
        let Some((client, transaction)) = self.parts() else { return };
        match phase {
            Phase::Ending(true) => client.commit_transaction(now, out),
            Phase::Ending(false) => client.abort_transaction(now, out),
            _ => client.init_transactions(now, out),
        }
        transaction.phase = phase;
        self.await_call(now, out);
    }

    /// Goes on if the call that blocks has returned.
    pub(super) fn await_call(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some((client, transaction)) = self.parts() else { return };
        if !matches!(transaction.phase, Phase::Initializing | Phase::Ending(_)) {
            return;
        }
        match client.transaction_result(now) {
            None => {}
            Some(Err(error)) => self.threw(error, now, out),
            Some(Ok(())) => {
                let due = transaction.due.max(now);
                let sent = std::mem::take(&mut transaction.sent);
                let ended = std::mem::replace(&mut transaction.phase, Phase::Ready);
                let undone = std::mem::take(&mut transaction.undone);
                if matches!(ended, Phase::Ending(_)) && !undone {
                    self.next += sent;
                    self.transactions += 1;
                }
                if self.next < self.setup.records {
                    self.schedule(due, out);
                }
            }
        }
    }

    /// A call threw: the transaction is aborted and its records are sent again, if the producer can go on.
    fn threw(&mut self, error: ClientError, now: Time, out: &mut Outbox<'_>) {
        let Some((client, transaction)) = self.parts() else { return };
        out.emit(Event::ProducerFailed { error: error.clone() });
        let settled_elsewhere = matches!(transaction.phase, Phase::Initializing | Phase::Ending(_));
        match after_exception(client, settled_elsewhere, &error) {
            Recovery::Retry => {
                let phase = transaction.phase.clone();
                self.call(phase, now, out);
            }
            Recovery::Abort if transaction.phase != Phase::Initializing => {
                transaction.undone = true;
                self.call(Phase::Ending(false), now, out);
            }
            Recovery::Abort | Recovery::Stop => {
                transaction.phase = Phase::Failed(error);
                client.close(now, out);
            }
        }
    }

    fn parts(&mut self) -> Option<(&mut Producer, &mut Transaction)> {
        let Running { client, transaction, .. } = self.running.as_mut()?;
        Some((client, transaction.as_mut()?))
    }
}
