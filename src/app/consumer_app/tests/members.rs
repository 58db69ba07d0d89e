//! The loop as a member of its group: what a rebalance and a shutdown do to its commits.

use super::*;
use crate::node::Event;
use crate::protocol::ErrorCode;

fn member(settings: &[(&str, &str)]) -> ConsumerAppSetup {
    let manual = [("enable.auto.commit", "false"), ("max.poll.records", "2")];
    ConsumerAppSetup { assign: false, ..setup(CommitMode::AfterSync, &[&manual, settings].concat()) }
}

/// What it keeps in a cooperative rebalance is read on from where it was, and nobody would commit it if it did not.
#[test]
fn what_a_rebalance_kept_from_being_committed_is_committed_after_it() {
    let mut lab = lab(member(&[("partition.assignment.strategy", "cooperative-sticky")]));
    lab.run_to(|event| matches!(event, Event::PartitionsAssigned { .. }));
    // The last of three batches: no later commit comes that would include it.
    lab.broker
        .errors
        .insert(ApiKey::OffsetCommit, [ErrorCode::None, ErrorCode::None, ErrorCode::RebalanceInProgress].into());
    lab.run_ms(20_000);
    let thrown = lab.events.iter().filter(|event| matches!(event, Event::ConsumerFailed { .. })).count();
    assert_eq!((thrown, lab.effects()), (1, vec![1; RECORDS as usize]));
    assert_eq!(lab.broker.committed.get(&TP), Some(&i64::from(RECORDS)));
    assert!(lab.node.is_done());
}

/// It has not been processed, and nobody gives it out twice.
#[test]
fn what_a_rebalance_kept_from_being_committed_before_processing_is_read_again() {
    let cooperative = [("partition.assignment.strategy", "cooperative-sticky")];
    let mut lab = lab(ConsumerAppSetup { commit: CommitMode::Before, ..member(&cooperative) });
    lab.run_to(|event| matches!(event, Event::PartitionsAssigned { .. }));
    lab.broker.errors.insert(ApiKey::OffsetCommit, [ErrorCode::None, ErrorCode::RebalanceInProgress].into());
    lab.run_ms(20_000);
    let thrown = lab.events.iter().filter(|event| matches!(event, Event::ConsumerFailed { .. })).count();
    assert_eq!((thrown > 0, lab.effects()), (true, vec![1; RECORDS as usize]));
    assert_eq!(lab.broker.committed.get(&TP), Some(&i64::from(RECORDS)));
}
