//! Kafka's cases about the markers that a transaction coordinator sends (`kafka-cases.md`, E17, E18):
//! TransactionMarkerChannelManagerTest, TransactionMarkerRequestCompletionHandlerTest.

use super::coordinator_lab::{AT_2, AT_3, Lab, OFFSETS, PRODUCER, TRANSACTIONS};
use crate::base::{BrokerId, TopicPartition};
use crate::metadata::MetadataRecord;
use crate::protocol::{ErrorCode, TransactionState as State, TxnMarker};

/// Brokers and partitions of the markers from the `from`th request on.
fn sent(lab: &Lab, from: usize) -> Vec<(i32, Vec<TopicPartition>)> {
    let markers = lab.markers().into_iter().skip(from);
    markers.map(|(to, markers)| (to, markers.into_iter().flat_map(|it| it.partitions).collect())).collect()
}

/// A committed transaction whose markers are under way.
fn committing(partitions: &[TopicPartition]) -> Lab {
    let mut lab = Lab::new(&[]);
    lab.open("t", partitions);
    let end = lab.end("t", 0, true);
    assert_eq!(lab.error(end), Some(ErrorCode::None));
    lab
}

#[test]
fn markers_go_to_the_leaders() {
    let mut lab = committing(&[AT_2, AT_3]);
    let marker = |partition| TxnMarker {
        producer_id: PRODUCER,
        producer_epoch: 1,
        committed: true,
        coordinator_epoch: 0,
        transaction_version: 0,
        partitions: vec![partition],
    };
    // The client added the partitions itself, but ended the transaction as version 2 does.
    let marker = |partition| TxnMarker { transaction_version: 2, ..marker(partition) };
    assert_eq!(lab.markers(), [(2, vec![marker(AT_2)]), (3, vec![marker(AT_3)])]);
    lab.leader_answers(3, ErrorCode::None);
    assert_eq!((lab.state("t").0, &lab.find("t").expect("known").partitions[..]), (State::PrepareCommit, &[AT_2][..]));
    lab.leader_answers(2, ErrorCode::None);
    assert_eq!(
        (lab.state("t"), lab.log().last()),
        ((State::CompleteCommit, 1), Some(&Some((State::CompleteCommit, 1))))
    );
}

#[test]
fn e17_write_txn_markers_for_transaction_in_prepared_commit_state() {
    for committed in [true, false] {
        let mut lab = Lab::new(&[]);
        lab.open("t", &[AT_2, AT_3]);
        lab.open("open", &[AT_2]);
        lab.end("t", 0, committed);
        let asked = sent(&lab, 0).len();
        lab.lead(TRANSACTIONS, &[1], 1, 7);
        assert_eq!(sent(&lab, asked), [], "one request at a time is on its way to each broker");
        let (correlation, _) = lab.bench.last_sent(2);
        for broker in [2, 3] {
            lab.leader_answers(broker, ErrorCode::None);
        }
        assert_eq!(
            lab.state("t").0,
            if committed { State::PrepareCommit } else { State::PrepareAbort },
            "an old answer"
        );
        assert_eq!(sent(&lab, asked), [(2, vec![AT_2]), (3, vec![AT_3])]);
        let again = lab.markers().split_off(asked);
        assert!(again.iter().all(|(_, it)| it[0].coordinator_epoch == 7 && it[0].committed == committed));
        assert!(lab.bench.last_sent(2).0 > correlation);
        for broker in [2, 3] {
            lab.leader_answers(broker, ErrorCode::None);
        }
        let (complete, expected) =
            if committed { (true, State::CompleteCommit) } else { (false, State::CompleteAbort) };
        assert_eq!((committed, lab.state("t").0, lab.state("open").0), (complete, expected, State::Ongoing));
    }
}

#[test]
fn e18_retriable_errors_are_tried_again() {
    for error in [
        ErrorCode::UnknownTopicOrPartition,
        ErrorCode::NotLeaderOrFollower,
        ErrorCode::NotEnoughReplicas,
        ErrorCode::NotEnoughReplicasAfterAppend,
        ErrorCode::RequestTimedOut,
        ErrorCode::KafkaStorageError,
    ] {
        let mut lab = committing(&[AT_2, AT_3]);
        lab.leader_answers(3, ErrorCode::None);
        lab.leader_answers(2, error);
        assert_eq!(sent(&lab, 2), [], "{error:?}: the same leader gets a pause");
        lab.pass(100);
        assert_eq!(sent(&lab, 2), [(2, vec![AT_2])], "{error:?}");
        lab.leader_answers(2, error);
        lab.lead(AT_2, &[2, 3], 3, 1);
        assert_eq!(sent(&lab, 3), [(3, vec![AT_2])], "a new leader does not");
        lab.leader_answers(3, ErrorCode::None);
        assert_eq!(lab.state("t").0, State::CompleteCommit);
    }
}

#[test]
fn e18_a_partition_is_tried_again_without_the_others() {
    let mut lab = Lab::new(&[]);
    lab.lead(OFFSETS, &[2], 2, 1);
    lab.open("t", &[AT_2]);
    lab.add_offsets("t", 0, "mail");
    lab.end("t", 0, true);
    assert_eq!(sent(&lab, 0), [(2, vec![AT_2, OFFSETS])]);
    lab.leader_answers_each(2, |it| if it == OFFSETS { ErrorCode::NotLeaderOrFollower } else { ErrorCode::None });
    lab.pass(100);
    assert_eq!(sent(&lab, 1), [(2, vec![OFFSETS])]);
    lab.leader_answers(2, ErrorCode::None);
    assert_eq!(lab.state("t").0, State::CompleteCommit);
}

#[test]
fn e18_fenced_markers_end_the_operation() {
    for error in [ErrorCode::InvalidProducerEpoch, ErrorCode::TransactionCoordinatorFenced] {
        let mut lab = committing(&[AT_2, AT_3]);
        lab.leader_answers(2, error);
        lab.leader_answers(3, ErrorCode::None);
        lab.pass(1_000_000);
        assert_eq!(
            (lab.state("t").0, sent(&lab, 2)),
            (State::PrepareCommit, vec![]),
            "{error:?}: nothing more is done"
        );
        let end = lab.end("t", 0, true);
        assert_eq!(lab.error(end), Some(ErrorCode::ConcurrentTransactions));
    }
}

#[test]
fn e18_a_format_without_transactions_needs_no_marker() {
    for error in [ErrorCode::UnsupportedForMessageFormat, ErrorCode::UnsupportedVersion] {
        let mut lab = committing(&[AT_2]);
        lab.leader_answers(2, error);
        assert_eq!(lab.state("t").0, State::CompleteCommit);
    }
}

#[test]
fn a_broken_connection_sends_the_marker_again() {
    let mut lab = committing(&[AT_2, AT_3]);
    lab.leader_answers(3, ErrorCode::None);
    lab.run(|transactions, host| transactions.on_markers_disconnect(BrokerId(2), host));
    assert_eq!(sent(&lab, 2), []);
    lab.pass(50);
    assert_eq!(sent(&lab, 2), [(2, vec![AT_2])]);
    lab.pass(29_999);
    assert_eq!((sent(&lab, 3).len(), lab.bench.closed), (0, 0));
    lab.pass(1);
    assert_eq!(lab.bench.closed, 1, "request.timeout.ms");
    lab.pass(50);
    assert_eq!(sent(&lab, 3), [(2, vec![AT_2])]);
    lab.leader_answers(2, ErrorCode::None);
    assert_eq!(lab.state("t").0, State::CompleteCommit);
}

#[test]
fn one_request_per_broker_carries_all_that_waited() {
    let mut lab = Lab::new(&[]);
    for id in ["a", "b", "c"] {
        lab.open(id, &[AT_2]);
        lab.end(id, 0, id != "b");
    }
    assert_eq!(lab.markers().len(), 1);
    lab.leader_answers(2, ErrorCode::None);
    let markers = lab.markers();
    let outcomes: Vec<bool> = markers[1].1.iter().map(|marker| marker.committed).collect();
    assert_eq!((markers.len(), outcomes), (2, vec![false, true]));
    lab.leader_answers(2, ErrorCode::None);
    assert_eq!((lab.state("b").0, lab.state("c").0), (State::CompleteAbort, State::CompleteCommit));
}

#[test]
fn a_marker_waits_for_a_leader() {
    let mut lab = Lab::new(&[]);
    lab.open("t", &[AT_2]);
    lab.lead(AT_2, &[2], -1, 1);
    lab.end("t", 0, true);
    lab.pass(5_000);
    assert_eq!(lab.markers(), []);
    lab.lead(AT_2, &[2], 2, 2);
    assert_eq!(sent(&lab, 0), [(2, vec![AT_2])]);
}

#[test]
fn a_partition_that_is_gone_needs_no_marker() {
    let mut lab = Lab::new(&[]);
    lab.open("t", &[AT_2, AT_3]);
    lab.bench.follow(&[MetadataRecord::RemoveTopic { topic: AT_2.topic }]);
    let end = lab.end("t", 0, true);
    assert_eq!((lab.error(end), lab.state("t").0), (Some(ErrorCode::None), State::CompleteCommit));
    assert_eq!(lab.markers(), []);
}

#[test]
fn a_completion_that_cannot_be_written_is_tried_again() {
    let mut lab = Lab::with_replicas(&[1, 2], &[("min.insync.replicas", "2")]);
    lab.init("t");
    lab.replicate(2, 1);
    lab.add("t", 0, &[AT_3]);
    lab.replicate(2, 2);
    lab.end("t", 0, true);
    lab.replicate(2, 3);
    lab.register(TRANSACTIONS, &[1, 2], &[1], 1, 0);
    lab.leader_answers(3, ErrorCode::None);
    assert_eq!(lab.log().len(), 3, "NOT_ENOUGH_REPLICAS");
    let init = lab.init("t");
    assert_eq!(lab.error(init), Some(ErrorCode::ConcurrentTransactions), "it is pending all the same");
    lab.register(TRANSACTIONS, &[1, 2], &[1, 2], 1, 0);
    lab.pass(30_000);
    lab.replicate(2, 4);
    assert_eq!(lab.state("t"), (State::CompleteCommit, 1));
}
