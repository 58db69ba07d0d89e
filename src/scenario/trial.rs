//! A scenario being run: the world with its ledger and checks, and when to stop.

use super::build::{Names, build};
use super::format::{Scenario, Until};
use super::reader::Mistake;
use crate::base::{StateHash, Time};
use crate::check::{Run, Verdict};
use crate::sim::{Fault, Recorded, World};
use std::rc::Rc;

/// A run with its end condition. Its clone is a checkpoint.
#[derive(Clone)]
pub struct Trial {
    /// World, ledger and invariants.
    pub run: Run,
    until: Until,
    boot_steps: u64,
    names: Rc<Names>,
}

impl Trial {
    /// Boots the world of a scenario; the clock stands at its origin.
    pub fn new(scenario: &Scenario) -> Result<Trial, Vec<Mistake>> {
        Self::with_faults(scenario, Vec::new())
    }

    /// The same with more faults than the scenario's own.
    pub fn with_faults(scenario: &Scenario, more: Vec<Fault>) -> Result<Trial, Vec<Mistake>> {
        let (mut setup, names) = build(scenario)?;
        setup.faults.extend(more);
        let refused = |error| vec![Mistake { place: "topics".to_owned(), problem: format!("{error}") }];
        let mut world = World::new(setup).map_err(refused)?;
        world.set_tracing(false);
        let boot_steps = world.steps();
        Ok(Trial { run: Run::new(world), until: scenario.until, boot_steps, names: Rc::new(names) })
    }

    /// Names of the nodes.
    pub fn names(&self) -> &Rc<Names> {
        &self.names
    }

    /// Events handled since the origin.
    pub fn events(&self) -> u64 {
        self.run.world.steps() - self.boot_steps
    }

    /// When the scenario ends at the latest.
    pub fn deadline(&self) -> Time {
        Time::ORIGIN + self.until.max
    }

    /// Is it over?
    pub fn is_finished(&self) -> bool {
        let world = &self.run.world;
        (self.until.quiet && world.is_quiet()) || world.next_at().is_none_or(|next| next > self.deadline())
    }

    /// The verdict so far; the final one when it is over.
    pub fn verdict(&self) -> Verdict {
        if self.is_finished() { self.run.final_verdict() } else { self.run.verdict() }
    }

    /// Handles one event, unless it is over; what happened in it.
    pub fn step(&mut self) -> Option<&[Recorded]> {
        if self.is_finished() { None } else { self.run.step().map(|step| step.events) }
    }

    /// Runs to the end.
    pub fn finish(&mut self) {
        while self.step().is_some() {}
    }

    /// The hash of all state.
    pub fn state_hash(&self) -> StateHash {
        StateHash::of(&self.run)
    }
}
