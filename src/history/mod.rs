//! Time travel: history is the beginning, the inputs, and checkpoints.
//!
//! A position is a number of handled events. To seek is to take the nearest checkpoint at or before the position and to
//! replay; an input in the past opens a branch, and the old future stays. What happened (for timelines and "why") is not
//! kept for ever either: a window of it is, and the rest is made again by replay when someone looks.
//!
//! Invariants: the state at a position of a branch is always the same; a checkpoint holds the state *before* the inputs
//! of its position; the cursor never stands behind what its branch's inputs imply.

mod branch;
mod checkpoints;
mod record;
#[cfg(test)]
mod tests;

pub use branch::{Branch, Input};
use checkpoints::Checkpoints;
use record::Recording;

use crate::base::Time;
use std::rc::Rc;

/// What can be replayed: a deterministic machine whose clone is cheap.
pub trait Replay: Clone {
    /// What a person adds from outside.
    type Input: Clone;
    /// What it tells about itself.
    type Entry: Clone;

    /// Events handled so far.
    fn position(&self) -> u64;
    /// The present moment.
    fn now(&self) -> Time;
    /// When the next event will happen; none if nothing will.
    fn next_at(&self) -> Option<Time>;
    /// Adds an input, to take effect with the next event.
    fn inject(&mut self, input: &Self::Input);
    /// Handles one event and appends what it tells. False if there was none.
    fn step(&mut self, entries: &mut Vec<Self::Entry>) -> bool;
}

/// All that has happened, and the place in it where we stand.
#[derive(Clone)]
pub struct History<R: Replay> {
    cursor: R,
    branches: Vec<Branch<R::Input>>,
    checkpoints: Vec<Checkpoints<R>>,
    current: usize,
    recording: Recording<R::Entry>,
}

impl<R: Replay> History<R> {
    /// A history that begins with `start`.
    pub fn new(start: R) -> Self {
        let mut checkpoints = Checkpoints::default();
        checkpoints.keep(&start);
        let branch = Branch::trunk(start.position(), start.now());
        History {
            cursor: start,
            branches: vec![branch],
            checkpoints: vec![checkpoints],
            current: 0,
            recording: Recording::default(),
        }
    }

    /// The state where we stand.
    pub fn cursor(&self) -> &R {
        &self.cursor
    }

    /// All branches, the trunk first.
    pub fn branches(&self) -> &[Branch<R::Input>] {
        &self.branches
    }

    /// Which branch we stand on.
    pub fn current(&self) -> usize {
        self.current
    }

    /// How far the current branch has been run.
    pub fn head(&self) -> u64 {
        self.branches[self.current].head
    }

    /// Goes one event on. False at the end of everything.
    pub fn step(&mut self) -> bool {
        let position = self.cursor.position();
        for input in self.branches[self.current].inputs_at(position) {
            self.cursor.inject(input);
        }
        let cursor = &mut self.cursor;
        if !self.recording.record(self.current, position, |entries| cursor.step(entries)) {
            return false;
        }
        let branch = &mut self.branches[self.current];
        if self.cursor.position() > branch.head {
            branch.head = self.cursor.position();
            branch.end = self.cursor.now();
        }
        self.checkpoints[self.current].offer(&self.cursor, branch.head);
        true
    }

    /// Goes to a position, or as near as the run allows.
    pub fn seek(&mut self, position: u64) {
        self.rewind_before(|run| run.position() <= position);
        while self.cursor.position() < position && self.step() {}
    }

    /// Goes to the last event at or before a moment.
    pub fn seek_time(&mut self, at: Time) {
        self.rewind_before(|run| run.now() <= at);
        self.run_until(at, u64::MAX);
    }

    /// Goes on to the last event at or before a moment, over so many events at most. True if it got there.
    pub fn run_until(&mut self, at: Time, max_events: u64) -> bool {
        for _ in 0..max_events {
            if self.next_at().is_none_or(|next| next > at) {
                return true;
            }
            let branch = &self.branches[self.current];
            let (head, end) = (branch.head, branch.end);
            if !self.step() {
                return true;
            }
            if self.cursor.now() > at {
                // What was due turned out to be out of date, and the step went on to something later: that is not seen yet.
                let position = self.cursor.position() - 1;
                let branch = &mut self.branches[self.current];
                (branch.head, branch.end) = (head, end);
                if position >= head {
                    self.checkpoints[self.current].forget_after(head);
                    self.recording.forget_from(self.current, position);
                }
                self.seek(position);
                return true;
            }
        }
        false
    }

    /// When the next event may happen, an input that waits at the cursor included. What is due then may turn out to be
    /// out of date; nothing happens earlier.
    pub fn next_at(&self) -> Option<Time> {
        match self.branches[self.current].inputs_at(self.cursor.position()).next() {
            Some(_) => Some(self.cursor.now()),
            None => self.cursor.next_at(),
        }
    }

    /// When the next event will happen: unlike [`Self::next_at`] never too early, for it is tried out.
    pub fn next_event_at(&self) -> Option<Time> {
        let mut run = self.cursor.clone();
        for input in self.branches[self.current].inputs_at(run.position()) {
            run.inject(input);
        }
        run.step(&mut Vec::new()).then(|| run.now())
    }

    /// Goes one event back. False at the beginning.
    pub fn step_back(&mut self) -> bool {
        let position = self.cursor.position();
        if position <= self.branches[self.current].start {
            return false;
        }
        self.seek(position - 1);
        true
    }

    /// Adds an input here, to take effect at a moment before the next event, and goes on to its effect. In the past this
    /// opens a branch.
    pub fn inject(&mut self, input: R::Input, at: Time) {
        let position = self.cursor.position();
        if position < self.head() {
            let branch = self.branches[self.current].fork(self.current, position, self.cursor.now().max(at));
            self.checkpoints.push(self.checkpoints[self.current].up_to(position));
            self.branches.push(branch);
            self.current = self.branches.len() - 1;
        }
        self.branches[self.current].inputs.push(Input { after: position, what: input });
        self.recording.forget_from(self.current, position);
        // The cursor may hold inputs of this position already only if it was never stepped on: step applies them all.
        self.step();
    }

    /// Goes to another branch, to the same moment or its end.
    pub fn switch(&mut self, branch: usize) -> bool {
        if branch >= self.branches.len() {
            return false;
        }
        if branch != self.current {
            let at = self.cursor.now().min(self.branches[branch].end);
            self.current = branch;
            self.restore(|run| run.now() <= at);
            self.seek_time(at);
        }
        true
    }

    /// What happened in a span of positions of the current branch, from the window or by replay.
    pub fn entries(&mut self, from: u64, to: u64) -> Vec<Rc<Vec<R::Entry>>> {
        let to = to.min(self.head());
        let mut chunks = Vec::new();
        let mut chunk = Recording::<R::Entry>::chunk_of(from);
        while Recording::<R::Entry>::start_of(chunk) < to {
            let end = Recording::<R::Entry>::start_of(chunk + 1).min(self.head());
            if !self.recording.holds(self.current, chunk, end) {
                self.replay_chunk(chunk, end);
            }
            chunks.extend(self.recording.get(self.current, chunk));
            chunk += 1;
        }
        chunks
    }

    fn replay_chunk(&mut self, chunk: u64, end: u64) {
        let start = Recording::<R::Entry>::start_of(chunk).max(self.branches[self.current].start);
        let checkpoint = self.checkpoints[self.current].last_where(|run| run.position() <= start);
        let mut run = checkpoint.cloned().expect("invariant: the beginning is a checkpoint");
        let mut unseen = Vec::new();
        while run.position() < end {
            let position = run.position();
            for input in self.branches[self.current].inputs_at(position) {
                run.inject(input);
            }
            let went = match position < start {
                true => run.step(&mut unseen),
                false => self.recording.record(self.current, position, |entries| run.step(entries)),
            };
            unseen.clear();
            assert!(went, "invariant: a replay goes as far as the first run went");
        }
    }

    /// Moves the cursor to a state that satisfies `earlier`, unless it stands on one that is nearer already.
    fn rewind_before(&mut self, earlier: impl Fn(&R) -> bool) {
        let best = self.checkpoints[self.current].last_where(&earlier).map(R::position);
        if !earlier(&self.cursor) || best.is_some_and(|best| best > self.cursor.position()) {
            self.restore(earlier);
        }
    }

    fn restore(&mut self, earlier: impl Fn(&R) -> bool) {
        let checkpoints = &self.checkpoints[self.current];
        let found = checkpoints.last_where(earlier).or_else(|| checkpoints.first());
        self.cursor = found.cloned().expect("invariant: the beginning is a checkpoint");
    }

    /// Positions that enclose a span of time, as the checkpoints know it: never too narrow, perhaps too wide.
    pub fn positions_around(&self, from: Time, to: Time) -> (u64, u64) {
        let checkpoints = &self.checkpoints[self.current];
        let first = self.checkpoint_before(from);
        let last = checkpoints.first_where(|run| run.now() > to);
        (first.map_or(0, R::position), last.map_or(self.head(), R::position))
    }

    /// The position of the last state that is kept and satisfies `earlier`; else of the beginning.
    pub fn position_where(&self, earlier: impl Fn(&R) -> bool) -> u64 {
        let kept = self.checkpoints[self.current].last_where(earlier);
        kept.map_or(self.branches[self.current].start, R::position)
    }

    /// The last state that is kept from before that time: that at the first of [`Self::positions_around`].
    pub fn checkpoint_before(&self, from: Time) -> Option<&R> {
        let checkpoints = &self.checkpoints[self.current];
        checkpoints.last_where(|run| run.now() < from).or_else(|| checkpoints.first())
    }

    /// How many checkpoints are kept, for measurements.
    pub fn checkpoint_count(&self) -> usize {
        self.checkpoints.iter().map(Checkpoints::len).sum()
    }
}
