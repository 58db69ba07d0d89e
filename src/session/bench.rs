//! Measurements: the same natively and in wasm, so that the two can be compared.

use super::Trace;
use crate::history::{History, Replay};
use crate::scenario::{self, Scenario, Trial};
use std::fmt;

/// Something that tells time; the library has no clock of its own.
pub trait Clock {
    /// Microseconds since some moment.
    fn micros(&mut self) -> u64;
}

/// How many events a measured history has.
pub const EVENTS: u64 = 1_000_000;

/// What was measured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Figures {
    /// Events handled headless, and how long it took.
    pub events: u64,
    /// In microseconds.
    pub run_us: u64,
    /// The slowest of some seeks anywhere in a history of [`EVENTS`] events, in microseconds.
    pub slowest_seek_us: u64,
    /// Checkpoints kept for it.
    pub checkpoints: usize,
}

impl Figures {
    /// Simulated events a second, headless.
    pub fn events_per_second(&self) -> u64 {
        self.events * 1_000_000 / self.run_us.max(1)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "events handled            {}", self.events)?;
        writeln!(f, "events per second         {}", self.events_per_second())?;
        writeln!(
            f,
            "slowest seek in {EVENTS}  {:>6}.{:03} ms",
            self.slowest_seek_us / 1_000,
            self.slowest_seek_us % 1_000
        )?;
        writeln!(f, "checkpoints kept          {}", self.checkpoints)
    }
}

/// A steady stream through three brokers, long enough to be measured.
pub fn workload() -> Scenario {
    scenario::parse(include_str!("bench.json")).expect("invariant: the workload reads")
}

/// Runs the workload headless, then with history, and seeks about in it.
pub fn measure(clock: &mut impl Clock) -> Figures {
    let (events, run_us) = headless(clock);
    let (slowest_seek_us, checkpoints) = seeks(&mut history(), clock);
    Figures { events, run_us, slowest_seek_us, checkpoints }
}

/// Handles [`EVENTS`] events without history: how many, and in how many microseconds.
pub fn headless(clock: &mut impl Clock) -> (u64, u64) {
    let mut trial = Trial::new(&workload()).expect("invariant: the workload is valid");
    let start = clock.micros();
    let mut events = 0;
    while events < EVENTS && trial.step().is_some() {
        events += 1;
    }
    (events, clock.micros() - start)
}

/// A history of [`EVENTS`] events.
pub fn history() -> History<Trace> {
    let trial = Trial::new(&workload()).expect("invariant: the workload is valid");
    let mut history = History::new(Trace::new(trial));
    let start = history.cursor().position();
    while history.cursor().position() < start + EVENTS && history.step() {}
    history
}

/// The slowest of a hundred seeks all over a history, and the number of checkpoints.
pub fn seeks(history: &mut History<Trace>, clock: &mut impl Clock) -> (u64, usize) {
    let (from, to) = (history.branches()[0].start, history.head());
    let mut slowest = 0;
    for i in 0..100 {
        // A fixed walk that jumps far each time.
        let position = from + (i * 7_919 % 100) * (to - from) / 100 + i * 37;
        let start = clock.micros();
        history.seek(position.min(to));
        slowest = slowest.max(clock.micros() - start);
    }
    (slowest, history.checkpoint_count())
}
