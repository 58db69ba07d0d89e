//! A program that sends numbered records at a steady pace: `send()`, sleep for the interval, `send()` the next.
//!
//! Invariants: one record is sent per event; a `send()` that blocks stops the program until it returns, and the sleep
//! begins only then. The counter of records that `send()` returned for is durable (the program reads its input from
//! somewhere that remembers); what lay in the client's accumulator is not. So a restarted program goes on with the first
//! record that it had not yet handed over, and does not know what became of those before. With [`Resend::Unacknowledged`] it
//! keeps a durable list of those it has seen no ack for, and sends them again first.

mod transactional;

use super::unacknowledged::Unacknowledged;
use super::{KeyMode, ProducerAppSetup, Resend, transactions};
use crate::base::{NodeId, Prng, RecordId, Time};
use crate::client::Producer;
use crate::client::payload::record_value;
use crate::client::producer::{ProducerRecord, SendOutcome};
use crate::node::{ClientError, ConnectionId, Crash, LoopTimer, Message, Node, Outbox, Timer};
use bytes::Bytes;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use transactional::{Phase, Transaction};

/// What the program is doing now. What its client does at the same time, the client tells.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ProducerActivity {
    /// The process is not running.
    Stopped,
    /// Waits until the next record is due.
    Waiting {
        /// When.
        until: Time,
    },
    /// Inside `send()`, which does not return.
    Blocked {
        /// With which record.
        record: RecordId,
    },
    /// Has sent all its records; some may still be under way.
    AllSent,
    /// Inside `initTransactions()`.
    Initializing,
    /// Inside `commitTransaction()` or `abortTransaction()`.
    Ending {
        /// Which of them.
        committed: bool,
    },
    /// An exception ended the program.
    Failed(ClientError),
}

/// What a crash destroys.
#[derive(Clone, PartialEq, Debug)]
struct Running {
    client: Producer,
    due: Time,
    blocked: bool,
    /// With a `transactional.id`.
    transaction: Option<Transaction>,
}

/// A program that sends numbered records.
#[derive(Clone, PartialEq, Debug)]
pub struct ProducerApp {
    setup: Rc<ProducerAppSetup>,
    /// Durable: how many records `send()` has returned for; with transactions, how many are in transactions that ended.
    next: u32,
    /// Durable: records without an ack, if it sends them again and uses no transactions.
    unacknowledged: Unacknowledged,
    /// Durable: how many transactions ended for good.
    transactions: u32,
    lives: u32,
    running: Option<Running>,
}

/// Transactions count only where there are any, so that older runs keep their hashes.
impl Hash for ProducerApp {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.setup, self.next, &self.unacknowledged, self.lives, &self.running).hash(state);
        if self.setup.transactions.is_some() {
            self.transactions.hash(state);
        }
    }
}

impl Hash for Running {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.client, self.due, self.blocked).hash(state);
        if let Some(transaction) = &self.transaction {
            transaction.hash(state);
        }
    }
}

impl ProducerApp {
    /// Not started yet.
    pub fn new(setup: ProducerAppSetup) -> Self {
        ProducerApp {
            setup: Rc::new(setup),
            next: 0,
            unacknowledged: Unacknowledged::default(),
            transactions: 0,
            lives: 0,
            running: None,
        }
    }

    /// What it was told.
    pub fn setup(&self) -> &Rc<ProducerAppSetup> {
        &self.setup
    }

    /// Its Kafka client, while the process runs.
    pub fn client(&self) -> Option<&Producer> {
        self.running.as_ref().map(|running| &running.client)
    }

    /// How many records it has handed to its producer, over all its lives; those of a transaction that failed do not count.
    pub fn records_sent(&self) -> u32 {
        self.next + self.transaction().map_or(0, |transaction| transaction.sent)
    }

    fn transaction(&self) -> Option<&Transaction> {
        self.running.as_ref()?.transaction.as_ref()
    }

    /// How often it was started.
    pub fn lives(&self) -> u32 {
        self.lives
    }

    /// Nothing left to do on its own: all records sent and acknowledged or failed, or dead.
    pub fn is_done(&self) -> bool {
        match &self.running {
            Some(Running { transaction: Some(Transaction { phase: Phase::Failed(_), .. }), .. }) => true,
            Some(running) => self.has_sent_all() && running.client.is_idle(),
            None => self.lives > 0,
        }
    }

    /// What it is doing now.
    pub fn activity(&self) -> ProducerActivity {
        match self.transaction().map(|transaction| &transaction.phase) {
            Some(Phase::Failed(error)) => return ProducerActivity::Failed(error.clone()),
            Some(Phase::Initializing) => return ProducerActivity::Initializing,
            Some(Phase::Ending(committed)) => return ProducerActivity::Ending { committed: *committed },
            Some(Phase::Ready | Phase::Open) | None => {}
        }
        match &self.running {
            None => ProducerActivity::Stopped,
            Some(_) if self.has_sent_all() => ProducerActivity::AllSent,
            Some(running) if running.blocked => ProducerActivity::Blocked { record: self.next_record() },
            Some(running) => ProducerActivity::Waiting { until: running.due },
        }
    }

    fn has_sent_all(&self) -> bool {
        self.next == self.setup.records && self.unacknowledged.next().is_none()
    }

    fn next_record(&self) -> RecordId {
        self.unacknowledged.next().unwrap_or(RecordId(self.setup.first_record.0 + self.records_sent()))
    }

    fn generate(&self) -> ProducerRecord {
        let (setup, record) = (&self.setup, self.next_record());
        let key = match setup.key {
            KeyMode::None => None,
            KeyMode::Unique => Some(Bytes::from(record.to_string())),
            KeyMode::Entities(entities) => Some(Bytes::from(format!("entity-{}", record.0 % entities.max(1)))),
        };
        ProducerRecord {
            record,
            topic: Rc::clone(&setup.topic),
            partition: None,
            key,
            value: record_value(&setup.name, record, setup.value_size),
            headers: Vec::new(),
        }
    }

    fn send_next(&mut self, now: Time, out: &mut Outbox<'_>) {
        if self.transaction().is_some() {
            return self.step_transaction(now, out);
        }
        if self.has_sent_all() {
            return;
        }
        let record = self.generate();
        let Some(running) = &mut self.running else { return };
        running.blocked = running.client.send(now, record, out) == SendOutcome::Blocked;
        if !running.blocked {
            self.sent(now, out);
        }
    }

    /// `send()` returned.
    fn sent(&mut self, now: Time, out: &mut Outbox<'_>) {
        let again = self.setup.resend == Resend::Unacknowledged && self.unacknowledged.sent(self.next_record());
        if !again {
            self.next += 1;
        }
        if !self.has_sent_all() {
            self.schedule(now + self.setup.interval, out);
        }
    }

    fn schedule(&mut self, at: Time, out: &mut Outbox<'_>) {
        if let Some(running) = &mut self.running {
            running.due = at;
            out.set_timer(Timer::Loop(LoopTimer::Generate), at);
        }
    }

    fn after_client(&mut self, now: Time, out: &mut Outbox<'_>) {
        let acked = self.running.as_mut().map_or_else(Vec::new, |running| running.client.take_completions());
        for completion in acked.into_iter().filter(|completion| completion.result.is_ok()) {
            self.unacknowledged.acked(completion.record);
        }
        if let Some(running) = &mut self.running
            && running.blocked
            && !running.client.is_blocked()
        {
            running.blocked = false;
            match running.transaction {
                Some(_) => self.sent_in_transaction(now, out),
                None => self.sent(now, out),
            }
        }
        self.await_call(now, out);
    }
}

impl Node for ProducerApp {
    fn on_start(&mut self, now: Time, out: &mut Outbox<'_>) {
        let setup = &self.setup;
        let config = transactions::settings(&setup.config, out);
        let mut client = Producer::new(Rc::clone(&setup.name), config, Rc::clone(&setup.brokers));
        let transaction = setup.transactions.map(|plan| Transaction::new(plan, now));
        if let Some(plan) = setup.transactions {
            client = client.with_transaction_version(plan.version);
        } else if setup.resend == Resend::Unacknowledged {
            client = client.with_completions();
            self.unacknowledged.restart();
        }
        client.start(now, out);
        self.lives += 1;
        self.running = Some(Running { client, due: now, blocked: false, transaction });
        if self.transaction().is_some() {
            return self.call(Phase::Initializing, now, out);
        }
        if !self.has_sent_all() {
            self.schedule(now, out);
        }
    }

    fn on_message(&mut self, now: Time, _from: NodeId, message: Message, out: &mut Outbox<'_>) {
        if let Some(running) = &mut self.running {
            running.client.on_response(now, message, out);
            self.after_client(now, out);
        }
    }

    fn on_disconnect(&mut self, now: Time, _peer: NodeId, connection: ConnectionId, out: &mut Outbox<'_>) {
        if let Some(running) = &mut self.running {
            running.client.on_disconnect(now, connection, out);
            self.after_client(now, out);
        }
    }

    fn on_timer(&mut self, now: Time, timer: Timer, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        match timer {
            Timer::Producer(timer) => {
                running.client.on_timer(now, timer, out);
                self.after_client(now, out);
            }
            Timer::Loop(LoopTimer::Generate) => self.send_next(now, out),
            other => unreachable!("invariant: a producer application sets no {other:?}"),
        }
    }

    fn on_crash(&mut self, _now: Time, _crash: Crash, _random: &mut Prng) {
        self.running = None;
    }
}

#[cfg(test)]
mod tests;
