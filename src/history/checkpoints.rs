//! Checkpoints of one branch: dense near its head, sparse in the far past.
//!
//! Invariant: between two neighbours there are never more than [`SPARSE`] events, so a seek replays at most that many.

use super::Replay;
use crate::base::SortedMap;
use std::rc::Rc;

/// Near the head there is one each so many events,
const DENSE: u64 = 256;
/// further back than this
const RECENT: u64 = 32 * DENSE;
/// one each so many.
const SPARSE: u64 = 20 * DENSE;

#[derive(Clone)]
pub(super) struct Checkpoints<R> {
    kept: SortedMap<u64, Rc<R>>,
}

impl<R> Default for Checkpoints<R> {
    fn default() -> Self {
        Checkpoints { kept: SortedMap::new() }
    }
}

impl<R: Replay> Checkpoints<R> {
    pub fn keep(&mut self, run: &R) {
        self.kept.insert(run.position(), Rc::new(run.clone()));
    }

    /// Keeps the state if its position is due, and thins out what has become old.
    pub fn offer(&mut self, run: &R, head: u64) {
        let position = run.position();
        if !position.is_multiple_of(DENSE) || position < head.saturating_sub(RECENT) && !position.is_multiple_of(SPARSE)
        {
            return;
        }
        self.kept.entry(position).or_insert_with(|| Rc::new(run.clone()));
        let old = head.saturating_sub(RECENT);
        let first = self.kept.keys().next().copied().unwrap_or(0);
        // One position leaves the recent span for each that enters it.
        let leaving = old - old % DENSE;
        if leaving > first && !leaving.is_multiple_of(SPARSE) {
            self.kept.remove(&leaving);
        }
    }

    pub fn last_where(&self, earlier: impl Fn(&R) -> bool) -> Option<&R> {
        self.kept.values().rev().map(Rc::as_ref).find(|run| earlier(run))
    }

    pub fn first_where(&self, later: impl Fn(&R) -> bool) -> Option<&R> {
        self.kept.values().map(Rc::as_ref).find(|run| later(run))
    }

    pub fn first(&self) -> Option<&R> {
        self.kept.values().next().map(Rc::as_ref)
    }

    /// What lies behind a position has not happened.
    pub fn forget_after(&mut self, position: u64) {
        self.kept.retain(|at, _| *at <= position);
    }

    pub fn up_to(&self, position: u64) -> Self {
        Checkpoints { kept: self.kept.range(..=position).map(|(at, run)| (*at, Rc::clone(run))).collect() }
    }

    pub fn len(&self) -> usize {
        self.kept.len()
    }
}
