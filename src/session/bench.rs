//! Measurements: the same natively and in wasm, so that the two can be compared.

use super::Trace;
use crate::history::{History, Replay};
use crate::scenario::{self, Scenario, Trial};
use std::fmt;

/// Something that measures; the library has no clock of its own.
pub trait Meter {
    /// Microseconds since some moment.
    fn micros(&mut self) -> u64;
    /// Bytes of memory in use.
    fn memory(&mut self) -> u64;
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
    /// Bytes it takes.
    pub history_bytes: u64,
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
        writeln!(f, "history of as many        {} MiB, {} checkpoints", self.history_bytes >> 20, self.checkpoints)?;
        writeln!(f, "slowest of 100 seeks      {}.{:03} ms", self.slowest_seek_us / 1_000, self.slowest_seek_us % 1_000)
    }
}

/// A steady stream through three brokers, long enough to be measured.
pub fn workload() -> Scenario {
    scenario::parse(include_str!("bench.json")).expect("invariant: the workload reads")
}

/// Runs the workload headless, then with history, and seeks about in it.
pub fn measure(meter: &mut impl Meter) -> Figures {
    let (events, run_us) = headless(meter);
    let before = meter.memory();
    let mut history = history();
    let history_bytes = meter.memory().saturating_sub(before);
    let (slowest_seek_us, checkpoints) = seeks(&mut history, meter);
    Figures { events, run_us, slowest_seek_us, checkpoints, history_bytes }
}

/// Handles [`EVENTS`] events without history: how many, and in how many microseconds.
pub fn headless(meter: &mut impl Meter) -> (u64, u64) {
    let mut trial = Trial::new(&workload()).expect("invariant: the workload is valid");
    let start = meter.micros();
    let mut events = 0;
    while events < EVENTS && trial.step().is_some() {
        events += 1;
    }
    (events, meter.micros() - start)
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
pub fn seeks(history: &mut History<Trace>, meter: &mut impl Meter) -> (u64, usize) {
    let (from, to) = (history.branches()[0].start, history.head());
    let mut slowest = 0;
    for i in 0..100 {
        // A fixed walk that jumps far each time.
        let position = from + (i * 7_919 % 100) * (to - from) / 100 + i * 37;
        let start = meter.micros();
        history.seek(position.min(to));
        slowest = slowest.max(meter.micros() - start);
    }
    (slowest, history.checkpoint_count())
}
