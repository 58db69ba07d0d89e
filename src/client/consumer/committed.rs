//! How committed offsets become positions.
//!
//! In Kafka: `OffsetFetchResponseHandler`, `ConsumerUtils.refreshCommittedOffsets`.

use super::commit::{Failure, Lost};
use super::io::Io;
use super::leader_of;
use super::subscription::{FetchPosition, FetchState, Subscription};
use crate::base::TopicPartition;
use crate::node::{ClientError, Event};
use crate::protocol::{ErrorCode, OffsetFetchResponse};

pub(super) fn read_offsets(response: &OffsetFetchResponse) -> Result<(), Failure> {
    let failure = |error, retriable| Failure {
        error: ClientError::Broker(error),
        retriable,
        refused: None,
        coordinator_lost: None,
    };
    match response.error {
        ErrorCode::None => {}
        error @ (ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator) => {
            return Err(Failure { coordinator_lost: Some(Lost::Told), ..failure(error, true) });
        }
        error => return Err(failure(error, error.is_retriable())),
    }
    let mut unstable = Ok(());
    for partition in &response.partitions {
        match partition.error {
            ErrorCode::None => {}
            ErrorCode::UnstableOffsetCommit => unstable = Err(failure(ErrorCode::UnstableOffsetCommit, true)),
            error => return Err(failure(error, false)),
        }
    }
    unstable
}

/// Takes over the committed offsets; a partition without one is left to `auto.offset.reset`.
pub(super) fn refresh_committed(
    response: &OffsetFetchResponse,
    subscription: &mut Subscription,
    io: &mut Io<'_, '_>,
) -> Result<(), ClientError> {
    for committed in &response.partitions {
        let tp = committed.partition;
        let waits = subscription.get(tp).is_some_and(|state| state.state() == FetchState::Initializing);
        if !waits || committed.offset < 0 {
            continue;
        }
        if committed.leader_epoch >= 0 {
            io.net.metadata.update_last_seen_epoch(tp, committed.leader_epoch);
        }
        let leader = leader_of(&io.net.metadata, tp);
        let (offset, offset_epoch) = (committed.offset, committed.leader_epoch);
        subscription.seek_unvalidated(tp, FetchPosition { offset, offset_epoch, leader });
        subscription.set_committed(tp, offset);
        io.out.emit(Event::PositionSet { partition: tp, offset, from_commit: true });
    }
    let asked: Vec<TopicPartition> = response.partitions.iter().map(|partition| partition.partition).collect();
    super::reset_initializing(subscription, |tp| asked.contains(&tp))
}
