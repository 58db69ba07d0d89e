//! Kafka's cases about the transaction coordinator (`kafka-cases.md`, section E): TransactionCoordinatorTest,
//! TransactionStateManagerTest.

use super::coordinator_lab::{AT_2, AT_3, Lab, OFFSETS, PRODUCER, TIMEOUT_MS, TRANSACTIONS};
use crate::base::{TopicId, TopicPartition};
use crate::coordinator::batch_of;
use crate::coordinator::transaction::{TransitMetadata, transaction_record};
use crate::log::AppendOrigin;
use crate::metadata::MetadataRecord;
use crate::node::Event;
use crate::protocol::{
    AddPartitionsToTxn, DescribeTransactionsRequest, ErrorCode, ListTransactionsRequest, TransactionState as State,
};

const VERSION_1: &[(&str, &str)] = &[("transaction.version", "1")];
const DAY_MS: u64 = 86_400_000;

#[test]
fn a_producer_id_is_granted_when_its_record_is_committed() {
    let mut lab = Lab::with_replicas(&[1, 2], &[]);
    let init = lab.init("t");
    assert_eq!((lab.answer(init), lab.log()), (None, vec![Some((State::Empty, 0))]), "it is not replicated yet");
    let second = lab.init("t");
    assert_eq!(lab.error(second), Some(ErrorCode::ConcurrentTransactions));
    assert_eq!(lab.state("t"), (State::Empty, -1));
    lab.replicate(2, 1);
    assert_eq!(lab.granted(init), Some((ErrorCode::None, PRODUCER, 0)));
    assert_eq!(lab.state("t"), (State::Empty, 0));
    let changed = |event: &&Event| matches!(event, Event::TransactionChanged { state: State::Empty, .. });
    assert_eq!(lab.bench.events.iter().filter(changed).count(), 1);
}

#[test]
fn init_producer_id_is_checked() {
    let mut lab = Lab::new(&[("transaction.max.timeout.ms", "60000")]);
    for (id, producer_id, epoch, error) in [
        ("", -1, -1, ErrorCode::InvalidRequest),
        ("t", 5, -1, ErrorCode::InvalidRequest),
        ("t", -1, 5, ErrorCode::InvalidRequest),
    ] {
        let init = lab.init_as(id, producer_id, epoch);
        assert_eq!(lab.granted(init), Some((error, -1, -1)), "{id} {producer_id} {epoch}");
    }
    assert_eq!(lab.log(), []);
    let init = lab.init("t");
    assert_eq!(lab.error(init), Some(ErrorCode::None), "60 s is the longest");
    let mut lab = Lab::new(&[("transaction.max.timeout.ms", "59999")]);
    let init = lab.init("t");
    assert_eq!(lab.error(init), Some(ErrorCode::InvalidTransactionTimeout));
}

#[test]
fn without_producer_ids_it_is_loading() {
    let mut lab = Lab::new(&[]);
    lab.ids = Default::default();
    let init = lab.init("t");
    assert_eq!((lab.error(init), lab.ids_wanted), (Some(ErrorCode::CoordinatorLoadInProgress), 1));
    assert!(lab.find("t").is_none());
    lab.allocate(8_000);
    let init = lab.init("t");
    assert_eq!(lab.granted(init), Some((ErrorCode::None, 8_000, 0)));
}

#[test]
fn who_does_not_lead_does_not_coordinate() {
    let mut lab = Lab::new(&[]);
    lab.open("t", &[AT_2]);
    lab.lead(TRANSACTIONS, &[1, 2], 2, 1);
    let asked = [lab.init("t"), lab.add("t", 0, &[AT_3]), lab.verify("t", 0, &[AT_2]), lab.end("t", 0, true)];
    for request in asked {
        assert_eq!(lab.error(request), Some(ErrorCode::NotCoordinator));
    }
    assert_eq!(lab.transactions.transactions().count(), 0);
}

#[test]
fn without_its_topic_nobody_coordinates() {
    let mut lab = Lab::with_replicas(&[1, 2], &[]);
    let init = lab.init("t");
    lab.bench.follow(&[MetadataRecord::RemoveTopic { topic: TRANSACTIONS.topic }]);
    lab.run(|_, _| {});
    assert_eq!(lab.error(init), Some(ErrorCode::NotCoordinator));
    assert!(!lab.transactions.coordinates(TRANSACTIONS));
}

#[test]
fn who_leads_since_just_now_is_loading() {
    let mut lab = Lab::new(&[]);
    lab.open("t", &[AT_2]);
    lab.register(TRANSACTIONS, &[1], &[1], 1, 1);
    let asked = [lab.init("t"), lab.add("t", 0, &[AT_3]), lab.verify("t", 0, &[AT_2]), lab.end("t", 0, true)];
    for request in asked {
        assert_eq!(lab.error(request), Some(ErrorCode::CoordinatorLoadInProgress));
    }
    lab.run(|transactions, host| {
        let listed = transactions.list(&ListTransactionsRequest { duration: -1, ..Default::default() }, host);
        assert_eq!(listed.error, ErrorCode::CoordinatorLoadInProgress);
    });
    lab.pass(1);
    let end = lab.end_as("t", PRODUCER, 0, true, true);
    assert_eq!(lab.error(end), Some(ErrorCode::None));
    lab.register(TRANSACTIONS, &[1, 2], &[1, 2], 1, 2);
    lab.register(TRANSACTIONS, &[1, 2], &[1, 2], 2, 3);
    lab.pass(1);
    let end = lab.end_as("t", PRODUCER, 0, true, true);
    assert_eq!(lab.error(end), Some(ErrorCode::NotCoordinator), "what was being read is let go");
}

#[test]
fn e6_abort_transaction_on_handle_init_pid_when_existing_transaction_in_ongoing_state() {
    for settings in [&[("transaction.version", "0")][..], VERSION_1, &[]] {
        let mut lab = Lab::new(settings);
        lab.open("t", &[AT_2]);
        let init = lab.init("t");
        assert_eq!(lab.granted(init), Some((ErrorCode::ConcurrentTransactions, -1, -1)), "{settings:?}");
        assert_eq!(lab.log().last(), Some(&Some((State::PrepareAbort, 1))), "the abort has the next epoch");
        let again = lab.init("t");
        assert_eq!(lab.error(again), Some(ErrorCode::ConcurrentTransactions), "the marker is not written");
        let markers = lab.markers();
        let marker = &markers[0].1[0];
        assert_eq!((markers.len(), markers[0].0, marker.committed, marker.producer_epoch), (1, 2, false, 1));
        lab.leader_answers(2, ErrorCode::None);
        assert_eq!(lab.state("t"), (State::CompleteAbort, 1));
        let init = lab.init("t");
        assert_eq!(lab.granted(init), Some((ErrorCode::None, PRODUCER, 2)));
        let old = lab.add("t", 0, &[AT_2]);
        assert_eq!(lab.error(old), Some(ErrorCode::ProducerFenced));
    }
}

/// The fence and the abort are one record: if it is not written, the epoch is not raised twice (version 1), or not at all
/// (version 2).
#[test]
fn a_failed_epoch_fence_counts_once() {
    for settings in [VERSION_1, &[]] {
        let mut lab = Lab::with_replicas(&[1, 2], settings);
        let init = lab.init("t");
        lab.replicate(2, 1);
        let add = lab.add("t", 0, &[AT_2]);
        lab.replicate(2, 2);
        assert_eq!((lab.error(init), lab.error(add)), (Some(ErrorCode::None), Some(ErrorCode::None)));
        let init = lab.init("t");
        lab.pass(TIMEOUT_MS);
        assert_eq!(lab.error(init), Some(ErrorCode::CoordinatorNotAvailable), "it was not replicated in time");
        let again = lab.init("t");
        lab.replicate(2, 4);
        assert_eq!(lab.error(again), Some(ErrorCode::ConcurrentTransactions));
        assert_eq!(lab.state("t"), (State::PrepareAbort, 1), "{settings:?}");
    }
}

#[test]
fn e8_abort_expired_transactions_in_ongoing_state_and_bump_epoch() {
    for settings in [VERSION_1, &[]] {
        let mut lab = Lab::new(settings);
        lab.open("t", &[AT_2]);
        lab.pass(TIMEOUT_MS);
        assert_eq!(lab.state("t"), (State::Ongoing, 0), "its time is not over");
        lab.pass(10_000);
        assert_eq!(lab.state("t"), (State::PrepareAbort, 1), "{settings:?}");
        assert_eq!(lab.markers().len(), 1);
        let old = lab.add("t", 0, &[AT_2]);
        assert_eq!(lab.error(old), Some(ErrorCode::ConcurrentTransactions), "the completion is pending");
        lab.leader_answers(2, ErrorCode::None);
        let old = lab.add("t", 0, &[AT_2]);
        assert_eq!(lab.error(old), Some(ErrorCode::ProducerFenced));
        let old = lab.end_as("t", PRODUCER, 0, true, false);
        assert_eq!(lab.error(old), Some(ErrorCode::ProducerFenced));
    }
}

#[test]
fn e8_transactions_in_other_states_have_no_timeout() {
    let mut lab = Lab::new(&[]);
    let init = lab.init("empty");
    assert_eq!(lab.error(init), Some(ErrorCode::None));
    lab.open("prepared", &[AT_2]);
    lab.end("prepared", 0, true);
    lab.pass(DAY_MS);
    assert_eq!((lab.state("empty"), lab.state("prepared")), ((State::Empty, 0), (State::PrepareCommit, 1)));
}

#[test]
fn e9_add_partitions() {
    let mut lab = Lab::new(&[]);
    let unknown = lab.add("t", 0, &[AT_2]);
    assert_eq!(lab.error(unknown), Some(ErrorCode::InvalidProducerIdMapping));
    let empty = lab.add("", 0, &[AT_2]);
    assert_eq!(lab.error(empty), Some(ErrorCode::InvalidRequest));
    lab.open("t", &[AT_2]);
    let written = lab.log().len();
    let again = lab.add("t", 0, &[AT_2]);
    assert_eq!((lab.error(again), lab.log().len()), (Some(ErrorCode::None), written), "no need to write it twice");
    let old = lab.add("t", -1, &[AT_2]);
    assert_eq!(lab.error(old), Some(ErrorCode::ProducerFenced));
    let missing = TopicPartition::new(TopicId(1), 9);
    let mixed = lab.add("t", 0, &[AT_3, missing]);
    let expected = [(AT_3, ErrorCode::OperationNotAttempted), (missing, ErrorCode::UnknownTopicOrPartition)];
    assert_eq!(lab.added(mixed)[0].partitions, expected);
    lab.end("t", 0, true);
    let busy = lab.add("t", 1, &[AT_3]);
    assert_eq!(lab.error(busy), Some(ErrorCode::ConcurrentTransactions));
    assert_eq!(&lab.find("t").expect("known").partitions[..], [AT_2]);
}

/// A broker asks about several transactions at once (version 4); each has its own answer, and they come together.
#[test]
fn e9_a_batch_of_transactions_is_answered_as_one() {
    let mut lab = Lab::with_replicas(&[1, 2], &[]);
    for (id, records) in [("a", 1), ("b", 2)] {
        lab.init(id);
        lab.replicate(2, records);
    }
    let wishes = vec![
        lab.wish("a", 0, &[AT_2, AT_3], false),
        lab.wish("nobody", 0, &[AT_2], false),
        lab.wish("b", 0, &[AT_2], true),
        lab.wish("b", 0, &[AT_3], false),
    ];
    let asked = lab.add_all(wishes);
    assert_eq!(lab.answer(asked), None, "two of them wait for the log");
    lab.replicate(2, 3);
    assert_eq!(lab.answer(asked), None, "one does");
    lab.replicate(2, 4);
    let errors: Vec<_> = lab.added(asked).into_iter().map(|it| (it.transactional_id, it.partitions)).collect();
    let (none, mapping) = (ErrorCode::None, ErrorCode::InvalidProducerIdMapping);
    let expected = [
        ("a".into(), vec![(AT_2, none), (AT_3, none)]),
        ("nobody".into(), vec![(AT_2, mapping)]),
        ("b".into(), vec![(AT_2, ErrorCode::TransactionAbortable)]),
        ("b".into(), vec![(AT_3, none)]),
    ];
    assert_eq!(errors, expected);
    let nothing = lab.add_all(Vec::<AddPartitionsToTxn>::new());
    assert!(lab.added(nothing).is_empty());
}

#[test]
fn e10_verification_changes_nothing() {
    let mut lab = Lab::new(&[]);
    lab.open("t", &[AT_2]);
    let before = (lab.find("t").cloned(), lab.log());
    for (id, epoch, partition, expected) in [
        ("t", 0, AT_2, ErrorCode::None),
        ("t", 0, AT_3, ErrorCode::TransactionAbortable),
        ("t", 1, AT_2, ErrorCode::ProducerFenced),
        ("u", 0, AT_2, ErrorCode::InvalidProducerIdMapping),
        ("", 0, AT_2, ErrorCode::InvalidRequest),
        ("t", 0, TopicPartition::new(TopicId(9), 0), ErrorCode::UnknownTopicOrPartition),
    ] {
        let verify = lab.verify(id, epoch, &[partition]);
        assert_eq!(lab.error(verify), Some(expected), "{id} {epoch} {partition:?}");
    }
    assert_eq!((lab.find("t").cloned(), lab.log()), before);
}

#[test]
fn the_offsets_of_a_group_join_with_their_partition() {
    let mut lab = Lab::new(VERSION_1);
    lab.open("t", &[AT_3]);
    let unknown = lab.add_offsets("u", 0, "mail");
    assert_eq!(lab.error(unknown), Some(ErrorCode::InvalidProducerIdMapping));
    let add = lab.add_offsets("t", 0, "mail");
    assert_eq!(lab.error(add), Some(ErrorCode::None));
    assert_eq!(&lab.find("t").expect("known").partitions[..], [AT_3, OFFSETS]);
    lab.bench.follow(&[MetadataRecord::RemoveTopic { topic: OFFSETS.topic }]);
    let add = lab.add_offsets("t", 0, "mail");
    assert_eq!(lab.error(add), Some(ErrorCode::CoordinatorNotAvailable), "no __consumer_offsets to speak of");
}

#[test]
fn an_end_is_answered_when_it_is_decided() {
    for (v2, goes_on) in [(false, (ErrorCode::None, -1, -1)), (true, (ErrorCode::None, PRODUCER, 1))] {
        let mut lab = Lab::with_replicas(&[1, 2], &[]);
        lab.init("t");
        lab.replicate(2, 1);
        lab.add("t", 0, &[AT_3]);
        lab.replicate(2, 2);
        let end = lab.end_as("t", PRODUCER, 0, true, v2);
        assert_eq!((lab.answer(end), lab.markers().len()), (None, 0), "the decision is not replicated");
        lab.replicate(2, 3);
        assert_eq!((lab.granted(end), lab.markers().len()), (Some(goes_on), 1));
        assert_eq!(lab.state("t").0, State::PrepareCommit, "and the markers come afterwards");
        lab.leader_answers(3, ErrorCode::None);
        lab.replicate(2, 4);
        assert_eq!(lab.state("t"), (State::CompleteCommit, i16::from(v2)));
    }
}

#[test]
fn e15_concurrent_transactions_on_add_partitions_if_end_txn_v2_epoch_overflow_and_not_complete() {
    let mut lab = Lab::new(&[]);
    lab.open("t", &[AT_2]);
    // The epochs of a producer id are used up by aborts without a transaction.
    lab.end("t", 0, true);
    lab.leader_answers(2, ErrorCode::None);
    for epoch in 1..32_766 {
        let end = lab.end("t", epoch, false);
        assert_eq!(lab.error(end), Some(ErrorCode::None));
    }
    lab.add("t", 32_766, &[AT_2]);
    let end = lab.end("t", 32_766, true);
    let next = PRODUCER + 1;
    assert_eq!(lab.granted(end), Some((ErrorCode::None, next, 0)));
    assert_eq!(lab.state("t"), (State::PrepareCommit, 32_767));
    let wish = AddPartitionsToTxn { producer_id: next, ..lab.wish("t", 0, &[AT_2], false) };
    let add = lab.add_all(vec![wish.clone()]);
    assert_eq!(lab.error(add), Some(ErrorCode::ConcurrentTransactions));
    let retry = lab.end_as("t", PRODUCER, 32_766, true, true);
    assert_eq!(lab.error(retry), Some(ErrorCode::ConcurrentTransactions));
    lab.leader_answers(2, ErrorCode::None);
    let retry = lab.end_as("t", PRODUCER, 32_766, true, true);
    assert_eq!(lab.granted(retry), Some((ErrorCode::None, next, 0)), "the answer got lost");
    let add = lab.add_all(vec![wish]);
    assert_eq!(lab.error(add), Some(ErrorCode::None));
}

#[test]
fn e16_append_fail_to_coordinator_not_available_error() {
    let mut lab = Lab::with_replicas(&[1, 2], &[("min.insync.replicas", "2")]);
    lab.init("t");
    lab.replicate(2, 1);
    let before = lab.find("t").cloned();
    lab.register(TRANSACTIONS, &[1, 2], &[1], 1, 0);
    let add = lab.add("t", 0, &[AT_2]);
    assert_eq!(lab.error(add), Some(ErrorCode::CoordinatorNotAvailable), "NOT_ENOUGH_REPLICAS");
    assert_eq!((lab.find("t").cloned(), lab.log().len()), (before.clone(), 1));

    let mut lab = Lab::with_replicas(&[1, 2], &[]);
    lab.init("t");
    lab.replicate(2, 1);
    let add = lab.add("t", 0, &[AT_2]);
    lab.pass(TIMEOUT_MS - 1);
    assert_eq!(lab.answer(add), None);
    lab.pass(1);
    assert_eq!(lab.error(add), Some(ErrorCode::CoordinatorNotAvailable), "REQUEST_TIMED_OUT");
    assert_eq!(lab.state("t"), (State::Empty, 0), "although the record is in the log");
    let add = lab.add("t", 0, &[AT_2]);
    lab.replicate(2, 3);
    assert_eq!(lab.error(add), Some(ErrorCode::None), "nothing is pending from before");
}

#[test]
fn e16_append_fail_to_not_coordinator_error() {
    let mut lab = Lab::with_replicas(&[1, 2], &[]);
    let init = lab.init("t");
    lab.lead(TRANSACTIONS, &[1, 2], 2, 1);
    assert_eq!(lab.granted(init), Some((ErrorCode::NotCoordinator, -1, -1)));
}

/// TransactionCoordinator.onElection: nothing of the pending state survives, not even with the same leader.
#[test]
fn a_new_epoch_of_the_same_leader_is_a_new_coordinator() {
    let mut lab = Lab::with_replicas(&[1, 2], &[]);
    lab.init("t");
    lab.replicate(2, 1);
    let add = lab.add("t", 0, &[AT_2]);
    lab.lead(TRANSACTIONS, &[1, 2], 1, 1);
    assert_eq!(lab.error(add), Some(ErrorCode::NotCoordinator));
    assert_eq!(lab.state("t"), (State::Ongoing, 0), "it was in the log, and the log is what counts");
}

#[test]
fn e19_remove_complete_commit_expired_transactional_ids() {
    let week = 7 * DAY_MS;
    let mut lab = Lab::new(&[]);
    for (id, end) in [("committed", Some(true)), ("aborted", Some(false)), ("prepared", Some(true)), ("empty", None)] {
        match end {
            Some(committed) => {
                lab.open(id, &[AT_2]);
                lab.end(id, 0, committed);
                if id != "prepared" {
                    lab.leader_answers(2, ErrorCode::None);
                }
            }
            None => drop(lab.init(id)),
        }
    }
    lab.pass(week - 1);
    assert_eq!(lab.transactions.transactions().count(), 4);
    lab.pass(DAY_MS);
    let known: Vec<&str> = lab.transactions.transactions().map(|(_, it)| &*it.transactional_id).collect();
    assert_eq!(known, ["prepared"]);
    assert_eq!(lab.log().iter().filter(|record| record.is_none()).count(), 3);
    let add = lab.add("committed", 1, &[AT_2]);
    assert_eq!(lab.error(add), Some(ErrorCode::InvalidProducerIdMapping));
    let expired = lab.bench.events.iter().filter(|event| matches!(event, Event::TransactionalIdExpired { .. }));
    assert_eq!(expired.count(), 3);
    lab.lead(TRANSACTIONS, &[1], 1, 1);
    assert_eq!(lab.transactions.transactions().count(), 1, "tombstones are read, too");
}

/// TransactionStateManagerTest.testTransactionExpirationShouldRespectBatchSize.
#[test]
fn e19_many_tombstones_are_several_batches() {
    let mut lab = Lab::new(&[]);
    for number in 0..700 {
        lab.init(&format!("a-long-transactional-id-{number}"));
    }
    let before = lab.log().len();
    lab.pass(8 * DAY_MS);
    assert_eq!((lab.log().len(), lab.transactions.transactions().count()), (2 * before, 0));
    let log = lab.bench.replicas.partition(TRANSACTIONS).expect("hosted").log();
    let sizes: Vec<u32> = log.batches_from(before as i64).map(|batch| batch.size_in_bytes()).collect();
    assert!(sizes.len() == 2 && sizes.iter().all(|size| *size < 17_000), "{sizes:?}");
}

/// A broken disk may show a record that no coordinator wrote: it is skipped, as one that cannot be read.
#[test]
fn impossible_records_are_skipped() {
    let mut lab = Lab::new(&[]);
    lab.open("t", &[AT_2]);
    let good = lab.find("t").cloned().expect("known");
    let image = crate::metadata::MetadataImage::default();
    for bad in [
        TransitMetadata { state: State::PrepareEpochFence, ..(*good).clone() },
        TransitMetadata { state: State::Dead, ..(*good).clone() },
        TransitMetadata { producer_epoch: -2, ..(*good).clone() },
        TransitMetadata { producer_id: -1, ..(*good).clone() },
        TransitMetadata { state: State::PrepareCommit, start_ms: -1, ..(*good).clone() },
    ] {
        let batch = batch_of(&[transaction_record("t", &bad, 2, &image)], 0);
        lab.bench.run(|replicas, _, ctx| {
            replicas.append(TRANSACTIONS, &batch, -1, AppendOrigin::Coordinator.into(), ctx).expect("appended");
        });
    }
    lab.lead(TRANSACTIONS, &[1], 1, 1);
    assert_eq!(lab.find("t"), Some(&good));
}

#[test]
fn e19_who_comes_back_while_the_tombstone_is_written() {
    let mut lab = Lab::with_replicas(&[1, 2], &[]);
    lab.init("t");
    lab.replicate(2, 1);
    lab.pass(8 * DAY_MS);
    assert_eq!(lab.log().last(), Some(&None));
    let init = lab.init("t");
    assert_eq!(lab.error(init), Some(ErrorCode::ConcurrentTransactions));
    lab.replicate(2, 2);
    assert!(lab.find("t").is_none());
    let init = lab.init("t");
    lab.replicate(2, 3);
    assert_eq!(lab.granted(init), Some((ErrorCode::None, PRODUCER + 1, 0)), "as if it had never been");
}

#[test]
fn transactions_are_described_and_listed() {
    let mut lab = Lab::new(&[]);
    lab.open("open", &[AT_3, AT_2]);
    lab.init("idle");
    let start_ms = lab.bench.now.wall_clock_ms();
    lab.pass(5_000);
    let ids = ["open", "", "nobody"].map(Into::into).to_vec();
    lab.run(|transactions, host| {
        let request = DescribeTransactionsRequest { transactional_ids: ids };
        let described = transactions.describe(&request, host.ctx.image).transactions;
        let errors: Vec<_> = described.iter().map(|it| it.error).collect();
        let not_found = ErrorCode::TransactionalIdNotFound;
        assert_eq!(errors, [ErrorCode::None, ErrorCode::InvalidRequest, not_found]);
        let open = &described[0];
        assert_eq!((open.state, open.start_time, open.timeout.as_millis()), (Some(State::Ongoing), start_ms, 60_000));
        assert_eq!((open.producer_id, open.producer_epoch, &open.partitions[..]), (PRODUCER, 0, &[AT_2, AT_3][..]));
        let all = ListTransactionsRequest { duration: -1, ..Default::default() };
        let names = |request: &ListTransactionsRequest| {
            let listed = transactions.list(request, host).transactions;
            listed.into_iter().map(|(id, ..)| id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(&all), ["idle", "open"]);
        assert_eq!(names(&ListTransactionsRequest { producer_ids: vec![PRODUCER], ..all.clone() }), ["open"]);
        let states = ["Ongoing", "Started"].map(Into::into).to_vec();
        let request = ListTransactionsRequest { states, ..all.clone() };
        assert_eq!(names(&request), ["open"]);
        assert_eq!(transactions.list(&request, host).unknown_states, ["Started".into()]);
        assert_eq!(names(&ListTransactionsRequest { id_pattern: Some("i.*".into()), ..all.clone() }), ["idle"]);
        let refused = transactions.list(&ListTransactionsRequest { id_pattern: Some("(".into()), ..all }, host);
        assert_eq!(refused.error, ErrorCode::InvalidRegularExpression);
        let long =
            |duration| ListTransactionsRequest { duration, states: vec!["Ongoing".into()], ..Default::default() };
        assert_eq!((names(&long(4_999)).len(), names(&long(5_000)).len()), (1, 0));
    });
}
