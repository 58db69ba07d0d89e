//! Questions to partition leaders: where to start when nothing was committed (`auto.offset.reset`, by ListOffsets), and
//! whether a position still exists on a new leader (by OffsetForLeaderEpoch, KIP-320).
//!
//! Invariants: a partition has one question open at a time (its `retry_at` lies a request timeout ahead); an answer for
//! a position or reset that changed meanwhile is ignored. In Kafka: `OffsetFetcher`, `OffsetsForLeaderEpochClient`.

use super::io::{Io, Pending};
use super::leader_of;
use super::subscription::{FetchPosition, FetchState, Subscription};
use crate::base::config::{AutoOffsetReset, ConsumerConfig};
use crate::base::{BrokerId, NodeId, SortedMap, Time, TopicPartition};
use crate::client::network_client::Outcome;
use crate::node::{Channel, ClientError, Event};
use crate::protocol::{
    ErrorCode, ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, OffsetForLeaderEpochPartition,
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResult, Request, Response,
};

/// A partition and the strategy that is to find its position.
pub type Reset = (TopicPartition, AutoOffsetReset);

/// The timestamp a strategy asks for, none for [`AutoOffsetReset::None`].
fn timestamp(strategy: AutoOffsetReset, now: Time) -> Option<i64> {
    match strategy {
        AutoOffsetReset::Latest => Some(ListOffsetsPartition::LATEST),
        AutoOffsetReset::Earliest => Some(ListOffsetsPartition::EARLIEST),
        AutoOffsetReset::ByDuration(span) => Some(now.wall_clock_ms() - span.as_millis() as i64),
        AutoOffsetReset::None => None,
    }
}

/// Asks for every position that a reset strategy has to find (`resetPositionsIfNeeded`).
pub(super) fn send_resets(config: &ConsumerConfig, subscription: &mut Subscription, io: &mut Io<'_, '_>) {
    let mut by_leader: SortedMap<NodeId, Vec<Reset>> = SortedMap::new();
    for reset in subscription.needing_reset(io.now) {
        match leader_of(&io.net.metadata, reset.0).id {
            Some(leader) => by_leader.entry(leader.node()).or_default().push(reset),
            None => io.net.metadata.request_update(true),
        }
    }
    for (node, resets) in by_leader {
        if io.is_unavailable(node, Channel::Consumer) || !io.ready(node, Channel::Consumer) {
            continue;
        }
        let question = |(partition, strategy): &Reset| {
            let current_leader_epoch = leader_of(&io.net.metadata, *partition).epoch;
            let timestamp = timestamp(*strategy, io.now)?;
            Some(ListOffsetsPartition { partition: *partition, current_leader_epoch, timestamp })
        };
        let partitions = resets.iter().filter_map(question).collect();
        let request = ListOffsetsRequest { replica: BrokerId::NONE, isolation: config.isolation_level, partitions };
        for (tp, _) in &resets {
            subscription.retry_at(*tp, io.now + config.request_timeout_ms);
        }
        io.send(node, Channel::Consumer, Request::ListOffsets(request), Pending::ListOffsets(resets.into()));
    }
}

/// A ListOffsets request ended.
pub(super) fn on_resets(
    resets: &[Reset],
    outcome: Outcome,
    config: &ConsumerConfig,
    subscription: &mut Subscription,
    io: &mut Io<'_, '_>,
) -> Result<(), ClientError> {
    let answers = match outcome {
        Outcome::Response(Response::ListOffsets(response)) => response.partitions,
        _ => Vec::new(),
    };
    let failed = answers.iter().find(|answer| answer.error == ErrorCode::TopicAuthorizationFailed);
    for (tp, strategy) in resets {
        match answers.iter().find(|answer| answer.partition == *tp && failed.is_none()) {
            Some(answer) if !answer.error.is_error() => reset_to(answer, *strategy, subscription, io),
            _ => retry_later(*tp, config, subscription, io),
        }
    }
    failed.map_or(Ok(()), |answer| Err(ClientError::Broker(answer.error)))
}

/// An answer without offset leaves the partition waiting, as in Kafka: nothing is as young as `by_duration` asks for.
fn reset_to(
    answer: &ListOffsetsPartitionResponse,
    strategy: AutoOffsetReset,
    subscription: &mut Subscription,
    io: &mut Io<'_, '_>,
) {
    let tp = answer.partition;
    if answer.offset < 0 {
        return;
    }
    if answer.leader_epoch >= 0 {
        io.net.metadata.update_last_seen_epoch(tp, answer.leader_epoch);
    }
    // Without an epoch the position needs no validation.
    let leader = leader_of(&io.net.metadata, tp);
    let position = FetchPosition { offset: answer.offset, offset_epoch: -1, leader };
    if subscription.complete_reset(tp, strategy, position) {
        io.out.emit(Event::PositionSet { partition: tp, offset: answer.offset, from_commit: false });
    }
}

fn retry_later(tp: TopicPartition, config: &ConsumerConfig, subscription: &mut Subscription, io: &mut Io<'_, '_>) {
    subscription.retry_at(tp, io.now + config.retry_backoff_ms);
    io.net.metadata.request_update(false);
}

/// Asks the leader of every position that awaits validation (`validatePositionsIfNeeded`).
pub(super) fn send_validations(config: &ConsumerConfig, subscription: &mut Subscription, io: &mut Io<'_, '_>) {
    let mut by_leader: SortedMap<NodeId, Vec<(TopicPartition, FetchPosition)>> = SortedMap::new();
    for (tp, position) in subscription.needing_validation(io.now) {
        match position.leader.id {
            Some(leader) => by_leader.entry(leader.node()).or_default().push((tp, position)),
            None => io.net.metadata.request_update(true),
        }
    }
    for (node, positions) in by_leader {
        if !io.ready(node, Channel::Consumer) {
            continue;
        }
        let question = |(partition, position): &(TopicPartition, FetchPosition)| OffsetForLeaderEpochPartition {
            partition: *partition,
            current_leader_epoch: position.leader.epoch,
            leader_epoch: position.offset_epoch,
        };
        let partitions = positions.iter().map(question).collect();
        let request = OffsetForLeaderEpochRequest { replica: BrokerId::NONE, partitions };
        for (tp, _) in &positions {
            subscription.retry_at(*tp, io.now + config.request_timeout_ms);
        }
        io.send(node, Channel::Consumer, Request::OffsetForLeaderEpoch(request), Pending::Validate(positions.into()));
    }
}

/// An OffsetForLeaderEpoch request ended.
pub(super) fn on_validations(
    positions: &[(TopicPartition, FetchPosition)],
    outcome: Outcome,
    config: &ConsumerConfig,
    subscription: &mut Subscription,
    io: &mut Io<'_, '_>,
) -> Result<(), ClientError> {
    let answers = match outcome {
        Outcome::Response(Response::OffsetForLeaderEpoch(response)) => response.partitions,
        _ => Vec::new(),
    };
    let mut result = Ok(());
    for (tp, asked) in positions {
        match answers.iter().find(|answer| answer.partition == *tp) {
            Some(answer) if !answer.error.is_error() => {
                result = result.and(complete_validation(asked, answer, subscription, io));
            }
            Some(answer) if answer.error == ErrorCode::TopicAuthorizationFailed => {
                result = Err(ClientError::Broker(answer.error));
            }
            _ => retry_later(*tp, config, subscription, io),
        }
    }
    result
}

fn complete_validation(
    asked: &FetchPosition,
    answer: &OffsetForLeaderEpochResult,
    subscription: &mut Subscription,
    io: &mut Io<'_, '_>,
) -> Result<(), ClientError> {
    let tp = answer.partition;
    let waits = subscription.get(tp).is_some_and(|state| state.state() == FetchState::AwaitValidation);
    if !waits || subscription.position(tp) != Some(asked) {
        return Ok(());
    }
    let unknown = answer.end_offset < 0 || answer.leader_epoch < 0;
    if !unknown && answer.end_offset >= asked.offset {
        subscription.complete_validation(tp);
    } else if !subscription.has_default_reset() {
        let text = "LogTruncationException: Detected log truncation with diverging offsets";
        return Err(ClientError::Exception(text.into()));
    } else if unknown {
        subscription.request_reset(tp);
    } else {
        let (offset, offset_epoch) = (answer.end_offset, answer.leader_epoch);
        subscription.seek_validated(tp, FetchPosition { offset, offset_epoch, leader: asked.leader });
        io.out.emit(Event::PositionSet { partition: tp, offset, from_commit: false });
    }
    Ok(())
}
