//! The engine is its state.

use super::super::fault::Action;
use super::probe::{A, B, C, Do, Lab};
use crate::base::Duration;

fn busy(seed: u64) -> Lab {
    let script: Vec<(u64, Do)> =
        (0..60).map(|number| (number, Do::Send(if number % 3 == 0 { C } else { B }, number as u32))).collect();
    let some = |ms| Some(Duration::from_millis(ms));
    Lab::with(seed, Duration(200), Duration(9_000), &script)
        .fault(10, Action::Crash { node: B, restart_after: some(10) })
        .fault(12, Action::Pause { node: C, duration: some(9) })
        .fault(30, Action::Partition { a: A, b: None, duration: some(5), symmetric: true })
}

#[test]
fn the_same_inputs_give_the_same_state_and_another_seed_another() {
    assert_eq!(busy(1).run(100).hash(), busy(1).run(100).hash());
    assert_ne!(busy(1).run(100).hash(), busy(2).run(100).hash());
}

#[test]
fn a_clone_goes_the_same_way() {
    let mut first = busy(5).run(20);
    let mut second = Lab(first.0.clone());
    first.run_on(100);
    assert_ne!(first.hash(), second.hash());
    second.run_on(100);
    assert_eq!(first.hash(), second.hash());
}

#[test]
fn tracing_changes_neither_state_nor_counts() {
    let traced = busy(9).run(100);
    let mut silent = busy(9);
    silent.0.tracer.enabled = false;
    let silent = silent.run(100);
    assert_eq!(traced.hash(), silent.hash());
    assert_eq!((traced.0.next_event, traced.0.steps), (silent.0.next_event, silent.0.steps));
}
