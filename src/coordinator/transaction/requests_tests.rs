//! Kafka's cases about InitProducerId and AddPartitionsToTxn (`kafka-cases.md`, section E), without a broker.

use super::*;
use crate::base::TopicId;
use crate::coordinator::transaction::is_legal;
use std::rc::Rc;

const PRODUCER: ProducerId = 10;
const TIMEOUT: Duration = Duration::from_millis(60_000);
const NOW: i64 = 1_000;

fn partition(index: u32) -> TopicPartition {
    TopicPartition::new(TopicId(1), index)
}

/// A transactional id in this state, with one partition if it has a transaction.
pub(in crate::coordinator::transaction) fn stored(
    state: TransactionState,
    epoch: ProducerEpoch,
) -> TransactionMetadata {
    let new = TransactionMetadata::new(Rc::from("t"), PRODUCER, TIMEOUT, 0);
    let open =
        matches!(state, TransactionState::Ongoing | TransactionState::PrepareCommit | TransactionState::PrepareAbort);
    let partitions: Rc<[TopicPartition]> = if open { Rc::from([partition(0)]) } else { Rc::default() };
    let start_ms = if state == TransactionState::Empty { -1 } else { 0 };
    let state = TransitMetadata { state, producer_epoch: epoch, partitions, start_ms, ..(*new).clone() };
    TransactionMetadata::load(Rc::from("t"), state)
}

pub(in crate::coordinator::transaction) fn no_new_id() -> Result<ProducerId, ErrorCode> {
    panic!("no new producer id is needed")
}

/// InitProducerId, committed: id and epoch.
fn init(
    metadata: &mut TransactionMetadata,
    expected: Option<(ProducerId, ProducerEpoch)>,
) -> Result<(ProducerId, ProducerEpoch), ErrorCode> {
    let expected = expected.map(|(producer_id, producer_epoch)| ExpectedProducer { producer_id, producer_epoch });
    let to = metadata.init_producer_id(expected, TIMEOUT, NOW, || Ok(PRODUCER + 1))?;
    let granted = (to.producer_id, to.producer_epoch);
    metadata.complete(to);
    Ok(granted)
}

#[test]
fn the_first_producer_has_epoch_0() {
    let mut metadata = TransactionMetadata::new(Rc::from("t"), PRODUCER, TIMEOUT, 0);
    assert_eq!(init(&mut metadata, None), Ok((PRODUCER, 0)));
    assert_eq!((metadata.state, metadata.last_producer_epoch), (TransactionState::Empty, -1));
    assert_eq!(init(&mut metadata, None), Ok((PRODUCER, 1)), "the next one fences it");
    assert_eq!(init(&mut metadata, Some((PRODUCER, 0))), Err(ErrorCode::ProducerFenced));
}

#[test]
fn e1_init_producer_id_with_current_epoch_provided() {
    let mut metadata = stored(TransactionState::Empty, 10);
    assert_eq!(init(&mut metadata, Some((PRODUCER, 10))), Ok((PRODUCER, 11)));
    assert_eq!(init(&mut metadata, Some((PRODUCER, 10))), Ok((PRODUCER, 11)), "a retry");
    assert_eq!(init(&mut metadata, Some((PRODUCER, 11))), Ok((PRODUCER, 12)));
    assert_eq!(init(&mut metadata, Some((PRODUCER, 10))), Err(ErrorCode::ProducerFenced));
    assert_eq!(init(&mut metadata, None), Ok((PRODUCER, 13)));
    assert_eq!(init(&mut metadata, Some((PRODUCER, 12))), Err(ErrorCode::ProducerFenced), "no retry of anything");
}

#[test]
fn e3_fence_producer_when_mapping_exists_with_different_producer_id() {
    for state in [TransactionState::Empty, TransactionState::Ongoing, TransactionState::PrepareCommit] {
        let mut metadata = stored(state, 10);
        assert_eq!(init(&mut metadata, Some((PRODUCER - 1, 10))), Err(ErrorCode::ProducerFenced), "{state:?}");
        assert_eq!(metadata, stored(state, 10));
    }
}

#[test]
fn e4_generate_new_producer_id_if_epochs_exhausted() {
    use TransactionState as S;
    for state in [S::Empty, S::CompleteCommit, S::CompleteAbort] {
        let mut metadata = stored(state, 32_766);
        assert_eq!(init(&mut metadata, None), Ok((PRODUCER + 1, 0)), "{state:?}");
        assert_eq!((metadata.prev_producer_id, metadata.last_producer_epoch), (PRODUCER, -1));
        let mut metadata = stored(state, 32_765);
        assert_eq!(init(&mut metadata, None), Ok((PRODUCER, 32_766)), "the last one for a client");
    }
    let mut metadata = stored(S::Empty, 32_766);
    assert_eq!(init(&mut metadata, Some((PRODUCER, 32_766))), Ok((PRODUCER + 1, 0)));
    assert_eq!(metadata.last_producer_epoch, 32_766);
    assert_eq!(init(&mut metadata, Some((PRODUCER, 32_766))), Ok((PRODUCER + 1, 0)), "a retry after the rotation");
    assert_eq!(init(&mut metadata, Some((PRODUCER, 32_765))), Err(ErrorCode::ProducerFenced));
}

#[test]
fn e4_without_a_new_producer_id_nothing_changes() {
    let mut metadata = stored(TransactionState::Empty, 32_766);
    let error = ErrorCode::CoordinatorLoadInProgress;
    assert_eq!(metadata.init_producer_id(None, TIMEOUT, NOW, || Err(error)), Err(error));
    assert_eq!(metadata, stored(TransactionState::Empty, 32_766));
}

#[test]
fn init_meets_what_is_pending_or_being_ended() {
    use TransactionState as S;
    for state in [S::PrepareCommit, S::PrepareAbort] {
        let error = ErrorCode::ConcurrentTransactions;
        assert_eq!(init(&mut stored(state, 3), None), Err(error), "{state:?}");
    }
    let mut metadata = stored(S::Empty, 3);
    metadata.init_producer_id(None, TIMEOUT, NOW, no_new_id).expect("a transition");
    assert_eq!(init(&mut metadata, Some((9, 9))), Err(ErrorCode::ConcurrentTransactions), "before anything else");
    metadata.give_up();
    assert_eq!(init(&mut metadata, None), Ok((PRODUCER, 4)), "what was given up left no trace");
}

#[test]
fn e9_add_partitions_in_every_state() {
    use TransactionState as S;
    for (state, epoch, producer_id, expected) in [
        (S::PrepareCommit, 3, PRODUCER, ErrorCode::ConcurrentTransactions),
        (S::PrepareAbort, 3, PRODUCER, ErrorCode::ConcurrentTransactions),
        (S::Ongoing, 2, PRODUCER, ErrorCode::ProducerFenced),
        (S::Ongoing, 4, PRODUCER, ErrorCode::ProducerFenced),
        (S::PrepareCommit, 2, PRODUCER, ErrorCode::ProducerFenced),
        (S::Ongoing, 3, PRODUCER - 1, ErrorCode::InvalidProducerIdMapping),
    ] {
        let mut metadata = stored(state, 3);
        let added = metadata.add_partitions(producer_id, epoch, &[partition(1)], NOW, 0);
        assert_eq!(added, Err(expected), "{state:?} {epoch} {producer_id}");
        assert_eq!(metadata, stored(state, 3));
    }
    for state in [S::Empty, S::CompleteCommit, S::CompleteAbort] {
        let mut metadata = stored(state, 3);
        let to = metadata.add_partitions(PRODUCER, 3, &[partition(1)], NOW, 2).expect("legal").expect("a transition");
        assert_eq!((to.state, &to.partitions[..], to.start_ms), (S::Ongoing, &[partition(1)][..], NOW));
        let second = metadata.add_partitions(PRODUCER, 9, &[partition(2)], NOW, 2);
        assert_eq!(second, Err(ErrorCode::ConcurrentTransactions), "pending goes before everything");
    }
}

#[test]
fn e9_partitions_that_are_contained_need_no_write() {
    let mut metadata = stored(TransactionState::Ongoing, 3);
    assert_eq!(metadata.add_partitions(PRODUCER, 3, &[partition(0)], NOW, 0), Ok(None));
    assert_eq!(metadata, stored(TransactionState::Ongoing, 3));
    let to = metadata.add_partitions(PRODUCER, 3, &[partition(1), partition(0)], NOW, 0).expect("legal").expect("more");
    assert_eq!((&to.partitions[..], to.start_ms), (&[partition(0), partition(1)][..], 0), "it began earlier");
    metadata.complete(to);
    assert_eq!(metadata.update_ms, NOW);
}

#[test]
fn e10_verify_partition_handling() {
    use TransactionState as S;
    let metadata = stored(S::Ongoing, 3);
    let verify = |epoch, producer| metadata.verify_partitions(producer, epoch, &[partition(0), partition(1)]);
    let found = vec![(partition(0), ErrorCode::None), (partition(1), ErrorCode::TransactionAbortable)];
    assert_eq!(verify(3, PRODUCER), Ok(found));
    assert_eq!(verify(2, PRODUCER), Err(ErrorCode::ProducerFenced));
    assert_eq!(verify(3, PRODUCER + 1), Err(ErrorCode::InvalidProducerIdMapping));
    assert_eq!(metadata, stored(S::Ongoing, 3));
    for state in [S::PrepareCommit, S::PrepareAbort] {
        let verified = stored(state, 3).verify_partitions(PRODUCER, 3, &[partition(0)]);
        assert_eq!(verified, Err(ErrorCode::ConcurrentTransactions));
    }
    let verified = stored(S::CompleteCommit, 3).verify_partitions(PRODUCER, 3, &[partition(0)]);
    assert_eq!(verified, Ok(vec![(partition(0), ErrorCode::TransactionAbortable)]), "none is open");
}

#[test]
fn transitions_are_kafkas() {
    use TransactionState as S;
    let legal = |to| S::ALL.into_iter().filter(|from| is_legal(*from, to)).collect::<Vec<_>>();
    assert_eq!(legal(S::Empty), [S::Empty, S::CompleteCommit, S::CompleteAbort]);
    assert_eq!(legal(S::Ongoing), [S::Empty, S::Ongoing, S::CompleteCommit, S::CompleteAbort]);
    assert_eq!(legal(S::PrepareCommit), [S::Ongoing]);
    let aborts = [S::Empty, S::Ongoing, S::CompleteCommit, S::CompleteAbort, S::PrepareEpochFence];
    assert_eq!(legal(S::PrepareAbort), aborts);
    assert_eq!(legal(S::CompleteCommit), [S::PrepareCommit]);
    assert_eq!(legal(S::CompleteAbort), [S::PrepareAbort]);
    assert_eq!(legal(S::Dead), [S::Empty, S::CompleteCommit, S::CompleteAbort]);
    assert_eq!(legal(S::PrepareEpochFence), [S::Ongoing]);
}
