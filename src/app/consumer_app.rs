//! A program that polls, processes and commits.

use super::{ConsumerAppSetup, Sink};
use crate::base::{NodeId, Prng, RecordId, Time};
use crate::node::{ConnectionId, Crash, Message, Node, Outbox, Timer};
use std::rc::Rc;

/// What the program is doing now.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ConsumerActivity {
    /// The process is not running.
    Stopped,
    /// Inside `poll()`, waiting for records.
    Fetching,
    /// Inside `poll()`, looking for its group's coordinator.
    WaitingForCoordinator,
    /// A record's handler runs.
    Processing {
        /// Which.
        record: Option<RecordId>,
        /// Until when.
        until: Time,
    },
    /// Inside `commitSync()`.
    Committing,
}

/// A program that polls, processes and commits.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct ConsumerApp {
    setup: Rc<ConsumerAppSetup>,
    sink: Sink,
}

impl ConsumerApp {
    /// Not started yet.
    pub fn new(setup: ConsumerAppSetup) -> Self {
        let sink = Sink::new(setup.dedupe);
        ConsumerApp { setup: Rc::new(setup), sink }
    }

    /// What it was told.
    pub fn setup(&self) -> &Rc<ConsumerAppSetup> {
        &self.setup
    }

    /// Where its effects happen.
    pub fn sink(&self) -> &Sink {
        &self.sink
    }

    /// It is processing nothing, nothing is queued, no commit is under way.
    pub fn is_done(&self) -> bool {
        true
    }

    /// What it is doing now.
    pub fn activity(&self) -> ConsumerActivity {
        ConsumerActivity::Stopped
    }
}

impl Node for ConsumerApp {
    fn on_start(&mut self, _now: Time, _out: &mut Outbox<'_>) {}
    fn on_message(&mut self, _now: Time, _from: NodeId, _message: Message, _out: &mut Outbox<'_>) {}
    fn on_disconnect(&mut self, _now: Time, _peer: NodeId, _connection: ConnectionId, _out: &mut Outbox<'_>) {}
    fn on_timer(&mut self, _now: Time, _timer: Timer, _out: &mut Outbox<'_>) {}
    fn on_crash(&mut self, _now: Time, _crash: Crash, _random: &mut Prng) {}
}
