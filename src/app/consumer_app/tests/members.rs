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

/// SIGTERM while the last of three batches is processed; its commit gets lost.
fn closed(setup: ConsumerAppSetup) -> Lab {
    let mut lab = lab(setup);
    lab.run_to(|event| matches!(event, Event::Processing { record: RecordId(5), .. }));
    lab.broker.errors.insert(ApiKey::OffsetCommit, [ErrorCode::CoordinatorLoadInProgress].into());
    lab.with(|node, now, out| node.on_shutdown(now, out));
    lab.run_ms(20_000);
    lab
}

/// `close()` calls the listener, and its `commitSync()` is answered before the member leaves.
#[test]
fn closing_gives_up_partitions_as_polling_does() {
    for (on_revoke, committed) in [(OnRevoke::Nothing, 4), (OnRevoke::Commit, 6)] {
        let lab = closed(ConsumerAppSetup { on_revoke, commit: CommitMode::AfterAsync, ..member(&[]) });
        assert_eq!(lab.effects(), [1; RECORDS as usize]);
        assert_eq!(lab.broker.committed.get(&TP), Some(&committed), "{on_revoke:?}");
        let of = |wanted| lab.requests.iter().rposition(|request| request.api() == wanted);
        assert!(of(ApiKey::OffsetCommit) < of(ApiKey::LeaveGroup), "{on_revoke:?}");
    }
}

/// What the worker has in its queue is lost, unless the listener waits for it.
#[test]
fn closing_waits_for_the_worker_if_the_listener_does() {
    for (on_revoke, effects) in [(OnRevoke::Nothing, 1), (OnRevoke::Wait, 6)] {
        let handing = ConsumerAppSetup { on_revoke, ..auto(HandOver::Worker) };
        let mut lab = lab(ConsumerAppSetup { assign: false, processing: Duration::from_millis(300), ..handing });
        lab.run_to(|event| matches!(event, Event::Processing { record: RecordId(1), .. }));
        lab.with(|node, now, out| node.on_shutdown(now, out));
        lab.run_ms(20_000);
        assert_eq!(lab.effects().iter().sum::<u32>(), effects, "{on_revoke:?}");
        assert_eq!(lab.count(ApiKey::LeaveGroup), 1);
        assert_eq!(lab.broker.committed.get(&TP), Some(&6), "either way: {on_revoke:?}");
    }
}

/// An exception ends the loop: `close()` follows, and the listener commits what nobody has processed.
#[test]
fn a_listener_that_commits_after_an_exception_loses_records() {
    let poison = SinkSetup { poison_every: 4, ..Dedupe::None.into() };
    for (on_revoke, committed) in [(OnRevoke::Nothing, 2), (OnRevoke::Commit, 4)] {
        let mut lab = lab(ConsumerAppSetup { on_revoke, sink: poison, ..member(&[]) });
        lab.run_ms(5_000);
        assert!(matches!(lab.node.activity(), ConsumerActivity::Failed(_)) && lab.node.is_done());
        assert_eq!(lab.broker.committed.get(&TP), Some(&committed), "{on_revoke:?}");
        lab.with(|node, now, out| node.on_shutdown(now, out));
        lab.run_ms(5_000);
        assert_eq!(lab.effects(), [1, 1, 1, 0, 0, 0]);
    }
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
