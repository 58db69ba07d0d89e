//! A program that sends numbered records at a steady pace.

use super::ProducerAppSetup;
use crate::base::{NodeId, Prng, Time};
use crate::node::{ConnectionId, Crash, Message, Node, Outbox, Timer};
use std::rc::Rc;

/// What the program is doing now.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ProducerActivity {
    /// The process is not running.
    Stopped,
    /// Waits until the next record is due.
    Waiting {
        /// When.
        until: Time,
    },
    /// Sent all its records; some may still be under way.
    AllSent,
}

/// A program that sends numbered records.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct ProducerApp {
    setup: Rc<ProducerAppSetup>,
    next: u32,
}

impl ProducerApp {
    /// Not started yet.
    pub fn new(setup: ProducerAppSetup) -> Self {
        ProducerApp { setup: Rc::new(setup), next: 0 }
    }

    /// What it was told.
    pub fn setup(&self) -> &Rc<ProducerAppSetup> {
        &self.setup
    }

    /// How many records it has handed to its producer, over all its lives.
    pub fn records_sent(&self) -> u32 {
        self.next
    }

    /// All records sent, and each acknowledged or failed.
    pub fn is_done(&self) -> bool {
        self.next == self.setup.records
    }

    /// What it is doing now.
    pub fn activity(&self, _now: Time) -> ProducerActivity {
        ProducerActivity::Stopped
    }
}

impl Node for ProducerApp {
    fn on_start(&mut self, _now: Time, _out: &mut Outbox<'_>) {}
    fn on_message(&mut self, _now: Time, _from: NodeId, _message: Message, _out: &mut Outbox<'_>) {}
    fn on_disconnect(&mut self, _now: Time, _peer: NodeId, _connection: ConnectionId, _out: &mut Outbox<'_>) {}
    fn on_timer(&mut self, _now: Time, _timer: Timer, _out: &mut Outbox<'_>) {}
    fn on_crash(&mut self, _now: Time, _crash: Crash, _random: &mut Prng) {}
}
