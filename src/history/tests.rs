//! History over a toy machine whose state is everything it ever saw.

use super::{History, Replay};
use crate::base::{StateHash, Time};

#[derive(Clone, Debug, PartialEq)]
struct Toy {
    position: u64,
    state: u64,
    pending: u64,
    last: u64,
    /// Its next event is announced too early: what is due then turns out to be nothing.
    early: bool,
}

impl Replay for Toy {
    type Input = u64;
    type Entry = (u64, u64);

    fn position(&self) -> u64 {
        self.position
    }
    fn now(&self) -> Time {
        Time(self.position * 10)
    }
    fn next_at(&self) -> Option<Time> {
        (self.position < self.last).then_some(Time((self.position + 1) * 10 - if self.early { 7 } else { 0 }))
    }
    fn inject(&mut self, input: &u64) {
        self.pending += input;
    }
    fn step(&mut self, entries: &mut Vec<(u64, u64)>) -> bool {
        if self.position >= self.last {
            return false;
        }
        self.state = StateHash::of(&(self.state, self.pending, self.position)).0;
        self.pending = 0;
        entries.push((self.position, self.state));
        self.position += 1;
        true
    }
}

fn toy(last: u64) -> History<Toy> {
    History::new(Toy { position: 3, state: 1, pending: 0, last, early: false })
}

fn run(history: &mut History<Toy>) {
    while history.step() {}
}

#[test]
fn a_seek_finds_the_same_state_however_it_is_reached() {
    let mut history = toy(100_000);
    run(&mut history);
    let end = history.cursor().clone();
    for position in [3, 4, 256, 4_096, 5_000, 77_777, 99_999, 12] {
        history.seek(position);
        let mut fresh = toy(100_000);
        while fresh.cursor().position < position {
            fresh.step();
        }
        assert_eq!(history.cursor(), fresh.cursor());
    }
    history.seek(u64::MAX);
    assert_eq!(history.cursor(), &end);
}

#[test]
fn checkpoints_thin_out_but_leave_no_wide_gap() {
    let mut history = toy(1_000_000);
    run(&mut history);
    assert!(history.checkpoint_count() < 1_000_000 / 4_096 + 40, "{}", history.checkpoint_count());
}

#[test]
fn stepping_back_undoes_a_step() {
    let mut history = toy(1_000);
    history.seek(500);
    let before = history.cursor().clone();
    history.step();
    assert!(history.step_back());
    assert_eq!(history.cursor(), &before);
    history.seek(3);
    assert!(!history.step_back());
}

#[test]
fn an_input_in_the_past_opens_a_branch_and_the_old_future_stays() {
    let mut history = toy(2_000);
    run(&mut history);
    let old = history.cursor().clone();
    history.seek(700);
    history.inject(9, Time::ZERO);
    assert_eq!(history.current(), 1);
    run(&mut history);
    assert_ne!(history.cursor().state, old.state);
    assert_eq!(history.branches()[1].parent.map(|(branch, at, _)| (branch, at)), Some((0, 700)));
    let new = history.cursor().clone();
    assert!(history.switch(0));
    history.seek(2_000);
    assert_eq!(history.cursor(), &old);
    history.switch(1);
    history.seek(2_000);
    assert_eq!(history.cursor(), &new);
}

#[test]
fn an_input_at_the_head_stays_on_its_branch_and_is_replayed() {
    let mut history = toy(2_000);
    history.seek(600);
    history.inject(5, Time::ZERO);
    run(&mut history);
    let end = history.cursor().clone();
    assert_eq!(history.current(), 0);
    history.seek(10);
    history.seek(2_000);
    assert_eq!(history.cursor(), &end);
}

#[test]
fn entries_are_the_same_from_the_window_and_from_replay() {
    let mut history = toy(200_000);
    run(&mut history);
    let of = |history: &mut History<Toy>, from: u64, to: u64| {
        let chunks = history.entries(from, to);
        chunks
            .iter()
            .flat_map(|chunk| chunk.iter().copied())
            .filter(|(at, _)| (from..to).contains(at))
            .collect::<Vec<_>>()
    };
    let early = of(&mut history, 3, 2_000);
    assert_eq!(early.len(), 1_997);
    let mut fresh = toy(200_000);
    fresh.seek(2_000);
    assert_eq!(of(&mut fresh, 3, 2_000), early);
    assert_eq!(of(&mut history, 199_000, 300_000).len(), 1_000);
}

#[test]
fn what_is_announced_too_early_is_not_seen_too_early() {
    let mut history = toy(1_000);
    history.cursor.early = true;
    history.seek_time(Time(45));
    assert_eq!((history.cursor().position, history.head()), (4, 4), "the event at 50 was announced for 43");
    assert!(history.run_until(Time(52), 100));
    assert_eq!((history.cursor().position, history.head()), (5, 5));
    history.inject(7, Time(53));
    assert_eq!(history.branches().len(), 1, "nothing had been seen of the future: it is no branch");
}
