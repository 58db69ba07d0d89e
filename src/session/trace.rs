//! A trial as history replays it.

use crate::base::Time;
use crate::history::Replay;
use crate::scenario::Trial;
use crate::sim::{Fault, Recorded};

/// A running scenario that records what happens, messages included.
#[derive(Clone)]
pub struct Trace {
    trial: Trial,
    last_event: u64,
}

impl Trace {
    /// Begins where the trial stands.
    pub fn new(mut trial: Trial) -> Trace {
        trial.run.world.set_tracing(true);
        Trace { trial, last_event: 0 }
    }

    /// The scenario being run.
    pub fn trial(&self) -> &Trial {
        &self.trial
    }

    /// The number of the last thing that happened.
    pub fn last_event(&self) -> u64 {
        self.last_event
    }
}

impl Replay for Trace {
    type Input = Fault;
    type Entry = Recorded;

    fn position(&self) -> u64 {
        self.trial.events()
    }

    fn now(&self) -> Time {
        self.trial.run.world.now()
    }

    fn next_at(&self) -> Option<Time> {
        if self.trial.is_finished() { None } else { self.trial.run.world.next_at() }
    }

    fn inject(&mut self, fault: &Fault) {
        self.trial.run.inject(fault.clone());
    }

    fn step(&mut self, entries: &mut Vec<Recorded>) -> bool {
        let Some(recorded) = self.trial.step() else { return false };
        entries.extend_from_slice(recorded);
        if let Some(last) = recorded.last() {
            self.last_event = last.id;
        }
        true
    }
}
