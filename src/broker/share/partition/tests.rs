//! A share-partition by itself, by the names of Kafka's `SharePartitionTest`.

use super::*;
use crate::base::Duration;
use crate::base::TopicId;
use crate::base::TopicPartition;
use crate::base::config::ShareAcquireMode;
use crate::protocol::{AbortedTransaction, AcknowledgeType, AcknowledgementBatch, AcquiredRecords, ErrorCode};
use crate::record::{BatchBuilder, RecordBatch};
use std::rc::Rc;

pub(super) const LIMITS: ShareLimits =
    ShareLimits { lock: Duration::from_millis(30_000), deliveries: 5, in_flight: 2_000, may_renew: true };
pub(super) const NOW: Time = Time(1_000_000);

pub(super) fn batch(base: Offset, count: i64) -> RecordBatch {
    let mut builder = BatchBuilder::new(0).base_offset(base);
    (0..count).for_each(|_| {
        builder.append(0, None, Some(b"v"), &[]);
    });
    builder.build()
}

fn loaded(start: Offset, batches: &[(Offset, Offset, RecordState, i16)]) -> SharePartition {
    let state_batches = batches
        .iter()
        .map(|(first_offset, last_offset, state, delivery_count)| StateBatch {
            first_offset: *first_offset,
            last_offset: *last_offset,
            delivery_state: *state as i8,
            delivery_count: *delivery_count,
        })
        .collect();
    let partition = TopicPartition::new(TopicId(0), 0);
    let read =
        ReadStatePartition { partition, error: ErrorCode::None, state_epoch: 3, start_offset: start, state_batches };
    SharePartition::load(0, &read, start, 0).expect("valid")
}

pub(super) fn fresh() -> SharePartition {
    loaded(0, &[])
}

pub(super) fn member(name: &str) -> Acquirer {
    Acquirer { member: name.into(), mode: ShareAcquireMode::BatchOptimized, batch_size: 500, max_records: 500 }
}

fn fetch(partition: &mut SharePartition, who: &Acquirer, log: &[RecordBatch], now: Time) -> Vec<(Offset, Offset, i16)> {
    let offset = partition.next_fetch_offset();
    let from = log.iter().position(|batch| batch.last_offset() >= offset).unwrap_or(log.len());
    let acquired = partition.acquire(who, offset, &log[from..], &[], LIMITS, now);
    acquired.into_iter().map(plain).collect()
}

fn plain(records: AcquiredRecords) -> (Offset, Offset, i16) {
    (records.first_offset, records.last_offset, records.delivery_count)
}

pub(super) fn says(first_offset: Offset, last_offset: Offset, types: &[AcknowledgeType]) -> AcknowledgementBatch {
    AcknowledgementBatch { first_offset, last_offset, types: types.to_vec() }
}

/// Acknowledges, and the write succeeds.
fn acknowledge(
    partition: &mut SharePartition,
    name: &str,
    first: Offset,
    last: Offset,
    types: &[AcknowledgeType],
) -> Result<Vec<StateBatch>, ErrorCode> {
    let write = partition.acknowledge(&Rc::from(name), &[says(first, last, types)], LIMITS, NOW)?;
    let Some(write) = write else { return Ok(Vec::new()) };
    partition.written(&write, true, LIMITS, NOW);
    Ok(write.batches)
}

fn states(partition: &SharePartition) -> Vec<(Offset, Offset, RecordState, i16)> {
    partition.in_flight().map(|(first, last, state, count, _)| (first, last, state, count)).collect()
}

use AcknowledgeType::{Accept, Gap, Reject, Release, Renew};
use RecordState::{Acknowledged, Acquired, Archived, Available};

#[test]
fn records_are_acquired_once_and_accepting_moves_the_start_offset() {
    let mut partition = fresh();
    let log = [batch(0, 5), batch(5, 5)];
    assert_eq!(fetch(&mut partition, &member("a"), &log, NOW), [(0, 9, 1)]);
    assert_eq!((partition.start_offset(), partition.end_offset(), partition.next_fetch_offset()), (0, 9, 10));
    assert_eq!(fetch(&mut partition, &member("b"), &log, NOW), []);
    let written = acknowledge(&mut partition, "a", 0, 9, &[Accept]).expect("its own");
    assert_eq!(written, [StateBatch { first_offset: 0, last_offset: 9, delivery_state: 2, delivery_count: 1 }]);
    assert_eq!((partition.start_offset(), partition.end_offset(), partition.next_fetch_offset()), (10, 10, 10));
    assert_eq!(partition.in_flight().count(), 0);
}

#[test]
fn accepting_in_the_middle_keeps_the_batch_until_all_of_it_is_done() {
    let mut partition = fresh();
    fetch(&mut partition, &member("a"), &[batch(0, 10)], NOW);
    acknowledge(&mut partition, "a", 2, 4, &[Accept]).expect("its own");
    assert_eq!((partition.start_offset(), partition.delivery_complete_count()), (0, 3));
    acknowledge(&mut partition, "a", 0, 1, &[Accept, Gap]).expect("its own");
    assert_eq!((partition.start_offset(), partition.delivery_complete_count()), (5, 0));
    assert_eq!(partition.in_flight().count(), 10, "only whole batches are forgotten");
    acknowledge(&mut partition, "a", 5, 9, &[Reject]).expect("its own");
    assert_eq!((partition.start_offset(), partition.in_flight().count()), (10, 0));
}

#[test]
fn a_release_makes_records_available_until_the_last_delivery_archives_them() {
    let mut partition = fresh();
    let log = [batch(0, 1), batch(1, 1)];
    for delivery in 1..=5 {
        assert_eq!(fetch(&mut partition, &member("a"), &log[..1], NOW), [(0, 0, delivery)]);
        assert_eq!(fetch(&mut partition, &member("b"), &log[..1], NOW), []);
        let written = acknowledge(&mut partition, "a", 0, 0, &[Release]).expect("its own");
        assert_eq!(written[0].delivery_state, if delivery < 5 { 0 } else { 4 });
    }
    assert_eq!(partition.start_offset(), 1);
    assert_eq!(fetch(&mut partition, &member("a"), &log, NOW), [(1, 1, 1)]);
}

#[test]
fn an_acknowledgement_is_refused_unless_the_member_has_it_all() {
    let mut partition = fresh();
    fetch(&mut partition, &member("a"), &[batch(0, 5)], NOW);
    fetch(&mut partition, &member("b"), &[batch(5, 5)], NOW);
    let state = states(&partition);
    assert_eq!(acknowledge(&mut partition, "b", 0, 4, &[Accept]), Err(ErrorCode::InvalidRecordState));
    assert_eq!(acknowledge(&mut partition, "a", 3, 6, &[Accept]), Err(ErrorCode::InvalidRecordState));
    assert_eq!(acknowledge(&mut partition, "a", 3, 12, &[Accept]), Err(ErrorCode::InvalidRequest));
    assert_eq!(partition.delivery_complete_count(), 0, "what was begun is undone");
    assert_eq!(states(&partition).iter().filter(|it| it.2 == Acquired).count(), 6, "split, but acquired: {state:?}");
    acknowledge(&mut partition, "a", 0, 4, &[Accept]).expect("its own");
    assert_eq!(acknowledge(&mut partition, "a", 0, 4, &[Accept]), Ok(vec![]), "below the start offset");
    acknowledge(&mut partition, "b", 6, 6, &[Accept]).expect("its own");
    assert_eq!(acknowledge(&mut partition, "b", 6, 6, &[Accept]), Err(ErrorCode::InvalidRecordState), "twice");
}

#[test]
fn a_lock_that_ends_makes_records_available_to_others() {
    let mut partition = fresh();
    let log = [batch(0, 5)];
    fetch(&mut partition, &member("a"), &log, NOW);
    assert_eq!(partition.deadline(), Some(NOW + LIMITS.lock));
    assert_eq!(partition.expire_locks(LIMITS, NOW), None, "not yet");
    let late = NOW + LIMITS.lock;
    let write = partition.expire_locks(LIMITS, late).expect("it is time");
    assert_eq!(write.batches, [StateBatch { first_offset: 0, last_offset: 4, delivery_state: 0, delivery_count: 1 }]);
    assert_eq!(partition.next_fetch_offset(), 0, "whatever becomes of the write");
    partition.written(&write, false, LIMITS, late);
    assert_eq!(acknowledge(&mut partition, "a", 0, 4, &[Accept]), Err(ErrorCode::InvalidRecordState), "too late");
    assert_eq!(fetch(&mut partition, &member("b"), &log, late), [(0, 4, 2)]);
}

#[test]
fn renewing_extends_the_lock_and_writes_nothing() {
    let mut partition = fresh();
    fetch(&mut partition, &member("a"), &[batch(0, 5)], NOW);
    let later = NOW + Duration::from_millis(20_000);
    let says = [says(0, 4, &[Renew])];
    assert_eq!(partition.acknowledge(&Rc::from("a"), &says, LIMITS, later), Ok(None));
    assert_eq!(partition.deadline(), Some(later + LIMITS.lock));
}

/// `share.renew.acknowledge.enable`: "Renewing acquisition locks is not enabled for the group."
#[test]
fn renewing_may_be_forbidden() {
    let mut partition = fresh();
    fetch(&mut partition, &member("a"), &[batch(0, 5)], NOW);
    let limits = ShareLimits { may_renew: false, ..LIMITS };
    for (first, last) in [(0, 4), (1, 2)] {
        let renewed = partition.acknowledge(&Rc::from("a"), &[says(first, last, &[Renew])], limits, NOW);
        assert_eq!(renewed, Err(ErrorCode::InvalidRecordState));
    }
    assert_eq!(partition.deadline(), Some(NOW + LIMITS.lock));
}

#[test]
fn a_failed_write_gives_records_back_to_their_member_unless_its_time_is_up() {
    for (answered, then) in [(NOW, Acquired), (NOW + LIMITS.lock, Available)] {
        let mut partition = fresh();
        fetch(&mut partition, &member("a"), &[batch(0, 5)], NOW);
        let write = partition.acknowledge(&Rc::from("a"), &[says(0, 4, &[Accept])], LIMITS, NOW);
        let write = write.expect("its own").expect("changed");
        assert_eq!(partition.delivery_complete_count(), 5);
        assert_eq!(partition.expire_locks(LIMITS, answered), None, "it is acquired no more");
        assert_eq!(acknowledge(&mut partition, "a", 0, 4, &[Accept]), Err(ErrorCode::InvalidRecordState), "under way");
        assert!(!partition.written(&write, false, LIMITS, answered));
        assert_eq!(states(&partition), [(0, 4, then, 1)]);
        assert_eq!(partition.delivery_complete_count(), 0);
    }
}

#[test]
fn what_is_being_written_is_not_delivered_yet() {
    let mut partition = fresh();
    let log = [batch(0, 5)];
    fetch(&mut partition, &member("a"), &log, NOW);
    let write = partition.release(&Rc::from("a"), LIMITS).expect("it had something");
    assert_eq!(partition.next_fetch_offset(), 5);
    assert_eq!(fetch(&mut partition, &member("b"), &log, NOW), []);
    partition.written(&write, true, LIMITS, NOW);
    assert_eq!(fetch(&mut partition, &member("b"), &log, NOW), [(0, 4, 2)]);
    assert_eq!(partition.release(&Rc::from("a"), LIMITS), None, "it has nothing");
}

#[test]
fn batch_optimized_takes_whole_batches_and_record_limit_takes_exactly_so_many() {
    let log = [batch(0, 10), batch(10, 10)];
    let mut partition = fresh();
    let few = Acquirer { max_records: 5, ..member("a") };
    assert_eq!(fetch(&mut partition, &few, &log, NOW), [(0, 9, 1)]);
    let exact = Acquirer { mode: ShareAcquireMode::RecordLimit, ..few.clone() };
    let mut partition = fresh();
    assert_eq!(fetch(&mut partition, &exact, &log, NOW), [(0, 4, 1)]);
    assert_eq!(partition.end_offset(), 9, "the whole batch is in flight");
    let other = Acquirer { member: "b".into(), max_records: 3, ..exact.clone() };
    assert_eq!(fetch(&mut partition, &other, &log, NOW), [(5, 7, 1)]);
    assert_eq!(fetch(&mut partition, &exact, &log, NOW), [(8, 9, 1), (10, 12, 1)]);
}

#[test]
fn large_fetches_are_acquired_in_batches_of_about_batch_size() {
    let log: Vec<RecordBatch> = (0..6).map(|at| batch(at * 10, 10)).collect();
    let who = Acquirer { batch_size: 15, ..member("a") };
    assert_eq!(fetch(&mut fresh(), &who, &log, NOW), [(0, 19, 1), (20, 39, 1), (40, 59, 1)]);
}

#[test]
fn no_more_is_in_flight_than_there_are_locks() {
    let limits = ShareLimits { in_flight: 20, ..LIMITS };
    let mut partition = fresh();
    let log: Vec<RecordBatch> = (0..5).map(|at| batch(at * 10, 10)).collect();
    let acquired = partition.acquire(&member("a"), 0, &log, &[], limits, NOW);
    assert_eq!(acquired.into_iter().map(plain).collect::<Vec<_>>(), [(0, 19, 1)]);
    assert!(!partition.can_acquire(limits));
    assert_eq!(partition.acquire(&member("b"), 20, &log[2..], &[], limits, NOW), []);
    acknowledge(&mut partition, "a", 10, 19, &[Release]).expect("its own");
    assert!(partition.can_acquire(limits), "what came back may be had");
    let acquired = partition.acquire(&member("b"), 10, &log[1..], &[], limits, NOW);
    assert_eq!(acquired.into_iter().map(plain).collect::<Vec<_>>(), [(10, 19, 2)]);
}

#[test]
fn what_was_delivered_often_is_delivered_in_smaller_batches_and_at_last_alone() {
    let log = [batch(0, 8), batch(8, 4)];
    let mut partition = loaded(0, &[(0, 7, Available, 3)]);
    assert_eq!(fetch(&mut partition, &member("a"), &log, NOW), [(0, 3, 4)], "half of it, and nothing else");
    acknowledge(&mut partition, "a", 0, 3, &[Release]).expect("its own");
    assert_eq!(fetch(&mut partition, &member("a"), &log, NOW), [(0, 0, 5)], "alone");
    assert_eq!(fetch(&mut partition, &member("a"), &log, NOW), [(1, 1, 5)]);
}

#[test]
fn the_log_start_archives_what_was_available_and_moves_the_start_offset() {
    let mut partition = fresh();
    let log = [batch(0, 5), batch(5, 5), batch(10, 5)];
    fetch(&mut partition, &member("a"), &log[..1], NOW);
    fetch(&mut partition, &member("b"), &log[1..2], NOW);
    fetch(&mut partition, &member("a"), &log[2..], NOW);
    acknowledge(&mut partition, "b", 5, 9, &[Release]).expect("its own");
    partition.log_start_moved(8);
    assert_eq!((partition.start_offset(), partition.next_fetch_offset()), (8, 8));
    assert_eq!(states(&partition)[1..4], [(5, 5, Archived, 1), (6, 6, Archived, 1), (7, 7, Archived, 1)]);
    assert_eq!(states(&partition)[0], (0, 4, Acquired, 1), "until it is acknowledged, or its lock ends");
    assert_eq!(acknowledge(&mut partition, "a", 0, 4, &[Accept]), Ok(vec![]));
    partition.log_start_moved(20);
    assert_eq!((partition.start_offset(), partition.end_offset(), partition.next_fetch_offset()), (20, 20, 20));
    assert_eq!(fetch(&mut partition, &member("c"), &[batch(20, 2)], NOW), [(20, 21, 1)]);
}

#[test]
fn offsets_that_were_compacted_away_are_archived() {
    let mut partition = fresh();
    let log = [batch(0, 5), batch(5, 5), batch(10, 5)];
    for at in 0..3 {
        fetch(&mut partition, &member("a"), &log[at..=at], NOW);
    }
    acknowledge(&mut partition, "a", 0, 14, &[Release]).expect("its own");
    assert_eq!(fetch(&mut partition, &member("a"), &log[2..], NOW), [(10, 14, 2)], "there is nothing before");
    assert_eq!(states(&partition), [(0, 4, Archived, 1), (5, 9, Archived, 1), (10, 14, Acquired, 2)]);
    acknowledge(&mut partition, "a", 10, 10, &[Accept]).expect("its own");
    assert_eq!(partition.start_offset(), 11);
}

#[test]
fn gaps_of_a_former_leader_are_acquired_before_what_is_new() {
    let mut partition = loaded(0, &[(5, 9, Acknowledged, 1), (15, 19, Available, 2)]);
    let log = [batch(0, 10), batch(10, 10), batch(20, 5)];
    assert_eq!((partition.start_offset(), partition.end_offset(), partition.next_fetch_offset()), (0, 19, 0));
    let acquired = fetch(&mut partition, &member("a"), &log, NOW);
    assert_eq!(acquired, [(0, 4, 1), (10, 14, 1), (15, 19, 3), (20, 24, 1)]);
    acknowledge(&mut partition, "a", 0, 4, &[Accept]).expect("its own");
    assert_eq!(partition.start_offset(), 10);
}

#[test]
fn a_former_leaders_start_offset_moves_past_what_it_had_heard_of() {
    let partition = loaded(3, &[(3, 4, Acknowledged, 1), (5, 5, Archived, 5), (6, 9, Available, 1)]);
    assert_eq!((partition.start_offset(), partition.end_offset(), partition.next_fetch_offset()), (6, 9, 6));
    let partition = loaded(3, &[(3, 9, Acknowledged, 1)]);
    assert_eq!((partition.start_offset(), partition.end_offset(), partition.next_fetch_offset()), (10, 10, 10));
    assert_eq!(partition.state_epoch(), 3);
}

#[test]
fn read_committed_archives_what_was_aborted() {
    let transactional = |base, count: i64| {
        let mut builder = BatchBuilder::new(0).base_offset(base).producer(7, 0, 0).transactional(true);
        (0..count).for_each(|_| {
            builder.append(0, None, Some(b"v"), &[]);
        });
        builder.build()
    };
    let log = [batch(0, 3), transactional(3, 4), batch(7, 2)];
    let mut partition = fresh();
    let aborted = [AbortedTransaction { producer_id: 7, first_offset: 3 }];
    let acquired = partition.acquire(&member("a"), 0, &log, &aborted, LIMITS, NOW);
    assert_eq!(acquired.into_iter().map(plain).collect::<Vec<_>>(), [(0, 2, 1), (7, 8, 1)]);
    assert_eq!(partition.delivery_complete_count(), 4);
    acknowledge(&mut partition, "a", 0, 2, &[Accept]).expect("its own");
    assert_eq!(partition.start_offset(), 7);
}
