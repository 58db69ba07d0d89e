//! Kafka's cases about EndTxn (`kafka-cases.md`, section E), without a broker.

use super::super::requests::tests::{no_new_id, stored};
use super::*;

const PRODUCER: ProducerId = 10;
const NEXT: ProducerId = 20;
const NOW: i64 = 1_000;
const MAX: ProducerEpoch = ProducerEpoch::MAX;

fn end(producer_epoch: ProducerEpoch, committed: bool, transaction_version: u8) -> EndOfTransaction {
    EndOfTransaction { producer_id: PRODUCER, producer_epoch, committed, from_client: true, transaction_version }
}

/// Ends a transaction and completes the decision; what the producer is answered.
fn decide(metadata: &mut TransactionMetadata, end: EndOfTransaction) -> Result<(ProducerId, ProducerEpoch), ErrorCode> {
    match metadata.end(end, NOW, || Ok(NEXT))? {
        Ended::Already(producer_id, epoch) => Ok((producer_id, epoch)),
        Ended::Write(to, _) => {
            metadata.complete(to);
            let to = metadata.decided(end, NOW)?;
            Ok((to.producer_id, to.producer_epoch))
        }
    }
}

/// The same, and all markers are written.
fn finish(metadata: &mut TransactionMetadata, end: EndOfTransaction) -> (ProducerId, ProducerEpoch) {
    let Ok(Ended::Write(to, _)) = metadata.end(end, NOW, || Ok(NEXT)) else { panic!("nothing to write") };
    metadata.complete(to);
    let to = metadata.decided(end, NOW).expect("decided");
    let answer = (to.producer_id, to.producer_epoch);
    let written = metadata.partitions.clone();
    written.iter().for_each(|partition| metadata.remove_partition(*partition));
    metadata.complete(to);
    answer
}

#[test]
fn e11_end_txn_version_1_in_every_state() {
    use ErrorCode as E;
    use TransactionState as S;
    let already = Ok(Ended::Already(-1, -1));
    for (state, commit, abort) in [
        (S::CompleteCommit, already.clone(), Err(E::InvalidTxnState)),
        (S::CompleteAbort, Err(E::InvalidTxnState), already),
        (S::PrepareCommit, Err(E::ConcurrentTransactions), Err(E::InvalidTxnState)),
        (S::PrepareAbort, Err(E::InvalidTxnState), Err(E::ConcurrentTransactions)),
        (S::Empty, Err(E::InvalidTxnState), Err(E::InvalidTxnState)),
    ] {
        for (committed, expected) in [(true, commit), (false, abort)] {
            let mut metadata = stored(state, 3);
            assert_eq!(metadata.end(end(3, committed, 0), NOW, no_new_id), expected, "{state:?} commit {committed}");
            assert_eq!(metadata, stored(state, 3));
        }
    }
    for (epoch, producer_id, expected) in [
        (2, PRODUCER, E::ProducerFenced),
        (4, PRODUCER, E::ProducerFenced),
        (3, PRODUCER + 1, E::InvalidProducerIdMapping),
    ] {
        let request = EndOfTransaction { producer_id, ..end(epoch, true, 0) };
        assert_eq!(stored(S::Ongoing, 3).end(request, NOW, no_new_id), Err(expected));
    }
}

#[test]
fn e11_version_1_keeps_the_epoch() {
    use TransactionState as S;
    for (committed, prepare, complete) in
        [(true, S::PrepareCommit, S::CompleteCommit), (false, S::PrepareAbort, S::CompleteAbort)]
    {
        let mut metadata = stored(S::Ongoing, 3);
        let request = end(3, committed, 0);
        let Ok(Ended::Write(to, false)) = metadata.end(request, NOW, no_new_id) else { panic!() };
        assert_eq!((to.state, to.producer_epoch, to.transaction_version), (prepare, 3, 0));
        let error = Err(ErrorCode::ConcurrentTransactions);
        assert_eq!(metadata.end(request, NOW, no_new_id), error, "pending");
        metadata.complete(to);
        let to = metadata.decided(request, NOW).expect("decided");
        assert_eq!((to.state, to.producer_id, to.producer_epoch), (complete, PRODUCER, 3));
        assert!(to.partitions.is_empty());
    }
}

/// A late EndTxn of the last transaction ends the next one under version 1, and is refused under version 2.
#[test]
fn a_late_end_harms_under_version_1_only() {
    use TransactionState as S;
    let next = |metadata: &mut TransactionMetadata, epoch, version| {
        let partition = crate::base::TopicPartition::new(crate::base::TopicId(1), 0);
        let added = metadata.add_partitions(PRODUCER, epoch, &[partition], NOW, version);
        metadata.complete(added.expect("legal").expect("a transition"));
    };
    let mut metadata = stored(S::Ongoing, 3);
    finish(&mut metadata, end(3, true, 0));
    next(&mut metadata, 3, 0);
    assert!(matches!(metadata.end(end(3, true, 0), NOW, no_new_id), Ok(Ended::Write(..))), "it commits the next");
    let mut metadata = stored(S::Ongoing, 3);
    finish(&mut metadata, end(3, true, 2));
    next(&mut metadata, 4, 2);
    assert_eq!(metadata.end(end(3, true, 2), NOW, no_new_id), Err(ErrorCode::ProducerFenced));
}

#[test]
fn e12_end_txn_version_2_when_complete_commit_and_result_is_commit() {
    let mut metadata = stored(TransactionState::CompleteCommit, 4);
    assert_eq!(decide(&mut metadata, end(3, true, 2)), Ok((PRODUCER, 4)), "a retry");
    assert_eq!(decide(&mut metadata, end(4, true, 2)), Err(ErrorCode::InvalidTxnState));
    assert_eq!(metadata, stored(TransactionState::CompleteCommit, 4));
}

#[test]
fn e12_end_txn_version_2_in_every_state() {
    use ErrorCode as E;
    use TransactionState as S;
    let (fenced, wrong, busy) = (Err(E::ProducerFenced), Err(E::InvalidTxnState), Err(E::ConcurrentTransactions));
    // The stored epoch is 4. Retry (3), current (4), and one that nobody has (5).
    for (state, committed, answers) in [
        (S::Empty, false, [fenced, Ok((PRODUCER, 5)), fenced]),
        (S::Empty, true, [fenced, wrong, fenced]),
        (S::Ongoing, false, [fenced, Ok((PRODUCER, 5)), fenced]),
        (S::Ongoing, true, [fenced, Ok((PRODUCER, 5)), fenced]),
        (S::PrepareCommit, true, [busy, fenced, fenced]),
        (S::PrepareCommit, false, [wrong, fenced, fenced]),
        (S::PrepareAbort, true, [wrong, fenced, fenced]),
        (S::PrepareAbort, false, [busy, fenced, fenced]),
        (S::CompleteCommit, true, [Ok((PRODUCER, 4)), wrong, fenced]),
        (S::CompleteCommit, false, [wrong, Ok((PRODUCER, 5)), fenced]),
        (S::CompleteAbort, true, [wrong, wrong, fenced]),
        (S::CompleteAbort, false, [Ok((PRODUCER, 4)), Ok((PRODUCER, 5)), fenced]),
    ] {
        for (epoch, expected) in (3..).zip(answers) {
            let answer = decide(&mut stored(state, 4), end(epoch, committed, 2));
            assert_eq!(answer, expected, "{state:?} commit {committed} epoch {epoch}");
        }
        let stranger = EndOfTransaction { producer_id: 11, ..end(4, committed, 2) };
        assert_eq!(decide(&mut stored(state, 4), stranger), Err(E::InvalidProducerIdMapping));
    }
}

/// [REL] Empty, CompleteCommit and CompleteAbort: an abort without a transaction raises the epoch all the same.
#[test]
fn an_abort_without_partitions_raises_the_epoch() {
    use TransactionState as S;
    for state in [S::Empty, S::CompleteCommit, S::CompleteAbort] {
        let mut metadata = stored(state, 3);
        assert_eq!(finish(&mut metadata, end(3, false, 2)), (PRODUCER, 4), "{state:?}");
        assert_eq!((metadata.state, metadata.start_ms, metadata.producer_epoch), (S::CompleteAbort, NOW, 4));
    }
}

#[test]
fn e14_return_ok_on_end_txn_v2_retry_epoch_overflow() {
    use TransactionState as S;
    let mut metadata = stored(S::Ongoing, MAX - 1);
    let request = end(MAX - 1, true, 2);
    assert_eq!(decide(&mut metadata, request), Ok((NEXT, 0)), "the client never sees the highest epoch");
    assert_eq!((metadata.producer_epoch, metadata.next_producer_id), (MAX, NEXT), "the marker carries it");
    assert_eq!(metadata.pending_state, Some(S::CompleteCommit));
    assert_eq!(decide(&mut metadata, request), Err(ErrorCode::ConcurrentTransactions), "while markers are written");

    let mut metadata = stored(S::Ongoing, MAX - 1);
    assert_eq!(finish(&mut metadata, request), (NEXT, 0));
    let current = (metadata.producer_id, metadata.producer_epoch, metadata.prev_producer_id);
    assert_eq!((current, metadata.last_producer_epoch), ((NEXT, 0, PRODUCER), MAX - 1));
    assert_eq!(decide(&mut metadata, request), Ok((NEXT, 0)), "a retry");
    assert_eq!(decide(&mut metadata, end(MAX - 2, true, 2)), Err(ErrorCode::InvalidProducerIdMapping));
}

#[test]
fn e15_concurrent_transactions_on_add_partitions_while_the_epoch_overflows() {
    let mut metadata = stored(TransactionState::Ongoing, MAX - 1);
    assert_eq!(decide(&mut metadata, end(MAX - 1, true, 2)), Ok((NEXT, 0)));
    let partition = metadata.partitions[0];
    let added = metadata.add_partitions(NEXT, 0, &[partition], NOW, 2);
    assert_eq!(added, Err(ErrorCode::ConcurrentTransactions), "its id is only about to be its own");
}

#[test]
fn e6_the_fenced_epoch_is_one_higher_in_the_abort() {
    for version in [0, 1, 2] {
        let mut metadata = stored(TransactionState::Ongoing, 3);
        let fence = metadata.init_producer_id(None, metadata.timeout, NOW, no_new_id).expect("a fence");
        assert_eq!((fence.state, fence.producer_epoch), (TransactionState::PrepareEpochFence, 4));
        let abort = EndOfTransaction { from_client: false, ..end(fence.producer_epoch, false, version) };
        assert_eq!(finish(&mut metadata, abort), (PRODUCER, 4), "version {version}");
        // Under version 2 the old producer looks as if it had not heard of the end that raised its epoch.
        let commit = if version < 2 { ErrorCode::ProducerFenced } else { ErrorCode::InvalidTxnState };
        assert_eq!(decide(&mut metadata, end(3, true, version)), Err(commit));
        let abort = if version < 2 { Err(ErrorCode::ProducerFenced) } else { Ok((PRODUCER, 4)) };
        assert_eq!(decide(&mut metadata, end(3, false, version)), abort);
        let added = metadata.add_partitions(PRODUCER, 3, &[], NOW, version);
        assert_eq!(added, Err(ErrorCode::ProducerFenced), "partitions are another matter");
        let granted = metadata.init_producer_id(None, metadata.timeout, NOW, no_new_id).expect("a transition");
        assert_eq!(granted.producer_epoch, 5);
    }
}

/// §5.2: a failed fence write must not raise the epoch twice (version 1).
#[test]
fn a_failed_epoch_fence_is_not_repeated() {
    for (version, second) in [(1, 4), (2, 4)] {
        let mut metadata = stored(TransactionState::Ongoing, 3);
        for expected in [4, second] {
            let fence = metadata.init_producer_id(None, metadata.timeout, NOW, no_new_id).expect("a fence");
            let abort = EndOfTransaction { from_client: false, ..end(fence.producer_epoch, false, version) };
            let Ok(Ended::Write(to, raised)) = metadata.end(abort, NOW, no_new_id) else { panic!() };
            assert_eq!((to.producer_epoch, raised), (expected, version < 2), "version {version}");
            metadata.give_up();
            if raised {
                metadata.epoch_fence_failed();
            }
        }
        assert_eq!(metadata.producer_epoch, if version < 2 { 4 } else { 3 });
    }
}

#[test]
fn a_fence_at_the_last_epoch_rotates_the_producer_id() {
    let mut metadata = stored(TransactionState::Ongoing, MAX - 1);
    let fence = metadata.init_producer_id(None, metadata.timeout, NOW, no_new_id).expect("a fence");
    assert_eq!(fence.producer_epoch, MAX);
    let abort = EndOfTransaction { from_client: false, ..end(MAX, false, 2) };
    assert_eq!(
        metadata.end(abort, NOW, || Err(ErrorCode::CoordinatorLoadInProgress)),
        Err(ErrorCode::CoordinatorLoadInProgress)
    );
    assert_eq!(metadata.pending_state, None, "nothing is left of the fence");
    metadata.init_producer_id(None, metadata.timeout, NOW, no_new_id).expect("a fence");
    assert_eq!(finish(&mut metadata, abort), (NEXT, 0));
}

/// TransactionCoordinatorTest.shouldUseLastEpochToFenceWhenEpochsAreExhausted: below version 2 it stays in the log.
#[test]
fn the_last_epoch_fences() {
    let mut metadata = stored(TransactionState::Ongoing, MAX - 1);
    let fence = metadata.init_producer_id(None, metadata.timeout, NOW, no_new_id).expect("a fence");
    let abort = EndOfTransaction { from_client: false, ..end(fence.producer_epoch, false, 1) };
    assert_eq!(finish(&mut metadata, abort), (PRODUCER, MAX));
    let granted = metadata.init_producer_id(None, metadata.timeout, NOW, || Ok(NEXT)).expect("a transition");
    assert_eq!((granted.producer_id, granted.producer_epoch), (NEXT, 0));
}
