//! Fetching ahead: one fetch in flight per broker, in an incremental session; completed fetches wait in a buffer until
//! `poll()` hands their records out.
//!
//! Invariants: a partition with buffered records is not fetched; while a broker leads a fetchable partition with buffered
//! records it is not asked for others either (they would fall out of its session); a position moves only when its
//! records are returned, and past what is skipped. In Kafka: `AbstractFetch`, `FetchBuffer`, `FetchCollector`.
//!
//! A leader may name a nearer replica (KIP-392): it is read from until `metadata.max.age.ms` is over, it fails, the leader
//! changes, or it does not have what is asked for; then the leader is asked again.

use super::completed_fetch::CompletedFetch;
use super::fetch_session::{FetchSessionHandler, SessionRequest};
use super::io::{Io, Pending};
use super::subscription::{FetchPosition, Subscription};
use super::{ConsumerRecord, leader_of};
use crate::base::config::ConsumerConfig;
use crate::base::{BrokerId, NodeId, SortedMap, TopicPartition};
use crate::client::network_client::Outcome;
use crate::node::{Channel, ClientError};
use crate::protocol::{ErrorCode, FetchPartition, FetchRequest, FetchResponse, Request, Response};
use std::collections::VecDeque;

/// Sessions, fetches in flight, and what came of them.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct Fetcher {
    sessions: SortedMap<NodeId, FetchSessionHandler>,
    in_flight: Vec<NodeId>,
    buffer: VecDeque<CompletedFetch>,
    next_in_line: Option<CompletedFetch>,
}

/// What `poll()` returns.
#[derive(Clone, PartialEq, Hash, Debug, Default)]
pub(super) struct Collected {
    pub(super) records: Vec<ConsumerRecord>,
    /// A position moved, even if nothing was returned for it.
    pub(super) progressed: bool,
}

impl Collected {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && !self.progressed
    }
}

impl Fetcher {
    pub(super) fn new() -> Self {
        Fetcher { sessions: SortedMap::new(), in_flight: Vec::new(), buffer: VecDeque::new(), next_in_line: None }
    }

    /// Completed fetches whose records are not all returned, the next one first.
    pub fn buffered(&self) -> impl Iterator<Item = &CompletedFetch> {
        self.next_in_line.iter().filter(|fetch| !fetch.is_consumed()).chain(&self.buffer)
    }

    /// The incremental session with each broker.
    pub fn sessions(&self) -> &SortedMap<NodeId, FetchSessionHandler> {
        &self.sessions
    }

    /// Brokers that have not answered the last fetch.
    pub fn in_flight(&self) -> &[NodeId] {
        &self.in_flight
    }

    pub(super) fn has_available(&self, subscription: &Subscription) -> bool {
        self.buffered().any(|fetch| subscription.is_fetchable(fetch.partition()))
    }

    // ---- asking ----

    /// Asks every broker that has nothing to answer for the partitions it leads.
    pub(super) fn send(&mut self, config: &ConsumerConfig, subscription: &mut Subscription, io: &mut Io<'_, '_>) {
        leave_lost_replicas(subscription, io);
        for (node, wanted) in self.wanted(config, subscription, io) {
            if !io.ready(node, Channel::Consumer) {
                continue;
            }
            let session = self.sessions.entry(node).or_insert_with(FetchSessionHandler::new);
            let request = request(config, session.build(wanted));
            io.send(node, Channel::Consumer, Request::Fetch(request), Pending::Fetch);
            self.in_flight.push(node);
        }
    }

    fn wanted(
        &self,
        config: &ConsumerConfig,
        subscription: &Subscription,
        io: &mut Io<'_, '_>,
    ) -> SortedMap<NodeId, Vec<FetchPartition>> {
        let now = io.now;
        let source = |tp| {
            let leader = subscription.position(tp)?.leader.id?;
            Some(subscription.get(tp)?.preferred_read_replica(now).unwrap_or(leader))
        };
        let buffered: Vec<TopicPartition> = self.buffered().map(CompletedFetch::partition).collect();
        let fetchable = |tp: &&TopicPartition| subscription.is_fetchable(**tp);
        let busy: Vec<_> = buffered.iter().filter(fetchable).filter_map(|tp| source(*tp)).collect();
        let mut wanted: SortedMap<NodeId, Vec<FetchPartition>> = SortedMap::new();
        for (tp, state) in subscription.iter() {
            let Some(position) = state.position().filter(|_| state.is_fetchable()) else { continue };
            if buffered.contains(&tp) {
                continue;
            }
            let Some(source) = source(tp) else {
                io.net.metadata.request_update(false);
                continue;
            };
            let node = source.node();
            if busy.contains(&source) || self.in_flight.contains(&node) || io.is_unavailable(node, Channel::Consumer) {
                continue;
            }
            wanted.entry(node).or_default().push(fetch_partition(tp, position, config));
        }
        wanted
    }

    // ---- hearing ----

    /// A fetch ended.
    pub(super) fn on_completed(
        &mut self,
        node: NodeId,
        outcome: Outcome,
        subscription: &mut Subscription,
        io: &mut Io<'_, '_>,
    ) {
        self.in_flight.retain(|waiting| *waiting != node);
        let Some(session) = self.sessions.get_mut(&node) else { return };
        let Outcome::Response(Response::Fetch(response)) = outcome else {
            session.handle_error();
            for partition in session.partitions() {
                subscription.clear_preferred(partition.partition);
            }
            return;
        };
        if !session.handle_response(&response) {
            if response.error == ErrorCode::FetchSessionTopicIdError {
                io.net.metadata.request_update(false);
            }
            return;
        }
        learn_leaders(&response, subscription, io);
        for partition in response.partitions {
            if let Some(asked) = session.get(partition.partition) {
                self.buffer.push_back(CompletedFetch::new(partition, asked.fetch_offset));
            }
        }
    }

    // ---- handing out ----

    /// Takes up to `max.poll.records` records from the buffer.
    pub(super) fn collect(
        &mut self,
        config: &ConsumerConfig,
        subscription: &mut Subscription,
        io: &mut Io<'_, '_>,
    ) -> Result<Collected, ClientError> {
        let mut collected = Collected::default();
        let mut paused = Vec::new();
        let result = self.collect_into(&mut collected, &mut paused, config, subscription, io);
        self.buffer.extend(paused);
        match result {
            Err(error) if collected.is_empty() => Err(error),
            _ => Ok(collected),
        }
    }

    fn collect_into(
        &mut self,
        collected: &mut Collected,
        paused: &mut Vec<CompletedFetch>,
        config: &ConsumerConfig,
        subscription: &mut Subscription,
        io: &mut Io<'_, '_>,
    ) -> Result<(), ClientError> {
        while (collected.records.len() as u64) < u64::from(config.max_poll_records) {
            match self.next_in_line.take().filter(|fetch| !fetch.is_consumed()) {
                None => {
                    let Some(mut fetch) = self.buffer.pop_front() else { return Ok(()) };
                    match initialize(&mut fetch, config, subscription, io) {
                        Ok(true) => self.next_in_line = Some(fetch),
                        Ok(false) => {}
                        Err(error) => {
                            if !collected.is_empty() || !fetch.batches().is_empty() {
                                self.buffer.push_front(fetch);
                            }
                            return Err(error);
                        }
                    }
                }
                Some(fetch) if subscription.get(fetch.partition()).is_some_and(|state| state.is_paused()) => {
                    paused.push(fetch);
                }
                Some(mut fetch) => {
                    let result = take_records(&mut fetch, collected, config, subscription);
                    self.next_in_line = Some(fetch);
                    result?;
                }
            }
        }
        Ok(())
    }

    // ---- ending ----

    /// Ends every session whose broker can be told.
    pub(super) fn close(&mut self, config: &ConsumerConfig, io: &mut Io<'_, '_>) {
        for (node, session) in self.sessions.iter_mut() {
            if let Some(closing) = session.close()
                && io.net.is_ready(*node, Channel::Consumer, io.now)
            {
                io.send(*node, Channel::Consumer, Request::Fetch(request(config, closing)), Pending::CloseSession);
            }
        }
        self.buffer.clear();
        self.next_in_line = None;
    }
}

fn request(config: &ConsumerConfig, session: SessionRequest) -> FetchRequest {
    FetchRequest {
        replica: None,
        max_wait: config.fetch_max_wait_ms,
        min_bytes: config.fetch_min_bytes,
        max_bytes: config.fetch_max_bytes,
        isolation: config.isolation_level,
        session: session.session,
        partitions: session.partitions,
        forgotten: session.forgotten,
        rack: config.client_rack.clone(),
    }
}

/// Replicas that metadata do not show as alive are not read from any longer (`selectReadReplica`).
fn leave_lost_replicas(subscription: &mut Subscription, io: &mut Io<'_, '_>) {
    let metadata = &io.net.metadata;
    let is_online = |tp: TopicPartition, replica: BrokerId| {
        let offline = metadata.partition(tp).is_none_or(|partition| partition.offline.contains(&replica));
        !offline && metadata.brokers().contains(&replica)
    };
    let preferring = subscription.iter().filter_map(|(tp, state)| Some((tp, state.preferred_read_replica(io.now)?)));
    let lost: Vec<_> = preferring.filter(|(tp, replica)| !is_online(*tp, *replica)).map(|(tp, _)| tp).collect();
    for tp in lost {
        subscription.clear_preferred(tp);
        io.net.metadata.request_update(false);
    }
}

/// A consumer tells the leader epoch it knows, but not the epoch of the last record it read.
fn fetch_partition(partition: TopicPartition, position: &FetchPosition, config: &ConsumerConfig) -> FetchPartition {
    FetchPartition {
        partition,
        current_leader_epoch: position.leader.epoch,
        fetch_offset: position.offset,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: config.max_partition_fetch_bytes,
        high_watermark: -1,
    }
}

/// A leadership error names the new leader (KIP-951).
fn learn_leaders(response: &FetchResponse, subscription: &mut Subscription, io: &mut Io<'_, '_>) {
    for partition in &response.partitions {
        let moved = matches!(partition.error, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch);
        let tp = partition.partition;
        if let Some(leader) = partition.current_leader.filter(|_| moved)
            && io.net.metadata.update_partition_leadership(tp, leader)
        {
            subscription.leader_is(tp, leader_of(&io.net.metadata, tp));
        }
    }
}

/// Looks at a completed fetch for the first time. False if nothing can be read from it.
fn initialize(
    fetch: &mut CompletedFetch,
    config: &ConsumerConfig,
    subscription: &mut Subscription,
    io: &mut Io<'_, '_>,
) -> Result<bool, ClientError> {
    if fetch.is_initialized() {
        return Ok(true);
    }
    let tp = fetch.partition();
    let Some(position) = subscription.position(tp).copied() else { return Ok(false) };
    if !subscription.get(tp).is_some_and(|state| state.has_valid_position()) {
        return Ok(false);
    }
    if fetch.error().is_error() {
        let result = on_error(fetch, position, subscription, io);
        subscription.move_to_end(tp);
        return result.map(|()| false);
    }
    if position.offset != fetch.next_fetch_offset() {
        return Ok(false);
    }
    let response = fetch.response();
    subscription.log_offsets(tp, response.high_watermark, response.last_stable_offset, response.log_start_offset);
    if response.preferred_read_replica != BrokerId::NONE {
        subscription.prefer(tp, response.preferred_read_replica, io.now + config.metadata_max_age_ms);
    }
    fetch.set_initialized();
    Ok(true)
}

fn on_error(
    fetch: &CompletedFetch,
    position: FetchPosition,
    subscription: &mut Subscription,
    io: &mut Io<'_, '_>,
) -> Result<(), ClientError> {
    match fetch.error() {
        ErrorCode::NotLeaderOrFollower
        | ErrorCode::ReplicaNotAvailable
        | ErrorCode::KafkaStorageError
        | ErrorCode::FencedLeaderEpoch
        | ErrorCode::OffsetNotAvailable
        | ErrorCode::UnknownTopicOrPartition
        | ErrorCode::UnknownTopicId
        | ErrorCode::InconsistentTopicId => {
            io.net.metadata.request_update(false);
            subscription.clear_preferred(fetch.partition());
        }
        // The follower does not have it; the leader is asked.
        ErrorCode::OffsetOutOfRange if subscription.clear_preferred(fetch.partition()) => {}
        // Answers an old question: the position has moved since.
        ErrorCode::OffsetOutOfRange if position.offset != fetch.next_fetch_offset() => {}
        ErrorCode::OffsetOutOfRange if subscription.has_default_reset() => {
            subscription.request_reset(fetch.partition());
        }
        ErrorCode::UnknownLeaderEpoch | ErrorCode::UnknownServerError => {}
        error => return Err(ClientError::Broker(error)),
    }
    Ok(())
}

fn take_records(
    fetch: &mut CompletedFetch,
    collected: &mut Collected,
    config: &ConsumerConfig,
    subscription: &mut Subscription,
) -> Result<(), ClientError> {
    let tp = fetch.partition();
    let position = subscription.position(tp).copied().filter(|_| subscription.is_fetchable(tp));
    let Some(position) = position.filter(|position| position.offset == fetch.next_fetch_offset()) else {
        if fetch.drain() {
            subscription.move_to_end(tp);
        }
        return Ok(());
    };
    let remaining = config.max_poll_records - collected.records.len() as u32;
    let result = fetch.fetch_records(config, remaining, &mut collected.records);
    if fetch.next_fetch_offset() > position.offset {
        let offset = fetch.next_fetch_offset();
        subscription.advance(tp, FetchPosition { offset, offset_epoch: fetch.last_epoch(), ..position });
        collected.progressed = true;
    }
    if fetch.is_consumed() {
        subscription.move_to_end(tp);
    }
    result
}
