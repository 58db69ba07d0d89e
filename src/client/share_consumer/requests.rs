//! Share fetches: at most one request of any kind per broker is under way, and acknowledgements go first.
//!
//! Invariants: while an acknowledgement of `commitSync()` or `commitAsync()` is under way, nothing is fetched; what `poll()`
//! acknowledges travels with the next fetch from the same leader; nothing is fetched ahead: once records came, the next
//! `poll()` asks for more. Acknowledgements to a broker that no longer leads fail: what it had locked is free again.
//! In Kafka: `ShareConsumeRequestManager`, `ShareFetchBuffer`, `ShareFetchCollector`.

use super::acknowledging::{AcknowledgeKind, NodeStates, SyncCommit};
use super::completed_fetch::ShareCompletedFetch;
use super::in_flight::{NodeAcknowledgements, ShareFetch};
use super::membership::{Io, Membership};
use super::session::{SessionRequest, ShareSession};
use super::{Acknowledgements, Pending};
use crate::base::config::{ConsumerConfig, ShareAcquireMode};
use crate::base::{Duration, NodeId, SortedMap, TopicPartition};
use crate::client::network_client::Outcome;
use crate::node::{Channel, ClientError};
use crate::protocol::{CurrentLeader, ErrorCode, Request, Response, ShareFetchRequest, ShareFetchResponse};
use std::collections::VecDeque;
use std::rc::Rc;

/// Acknowledgements by partition.
pub(super) type Parts = SortedMap<TopicPartition, Acknowledgements>;

/// What became of acknowledgements.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Answer {
    pub(super) partition: TopicPartition,
    pub(super) acknowledgements: Acknowledgements,
    pub(super) error: ErrorCode,
    /// There may be renewals among them.
    pub(super) renews: bool,
    pub(super) lock_timeout: Option<Duration>,
}

/// See the module.
#[derive(Clone, PartialEq, Hash, Debug, Default)]
pub struct ShareRequests {
    pub(super) sessions: SortedMap<NodeId, ShareSession>,
    /// Brokers that have not answered.
    pub(super) busy: Vec<NodeId>,
    wants_more: bool,
    /// With `share.acquire.mode=record_limit`: the only one that is asked for records.
    records_from: Option<NodeId>,
    /// Travel with the next fetch.
    pub(super) to_send: SortedMap<NodeId, Parts>,
    /// Travel with a fetch.
    in_flight: SortedMap<NodeId, Parts>,
    pub(super) acknowledging: SortedMap<NodeId, NodeStates>,
    buffer: VecDeque<ShareCompletedFetch>,
    pub(super) answers: Vec<Answer>,
    pub(super) sync: Option<SyncCommit>,
    pub(super) closing: bool,
}

impl ShareRequests {
    /// Completed fetches whose records are not all returned, the next one first.
    pub fn buffered(&self) -> impl Iterator<Item = &ShareCompletedFetch> {
        self.buffer.iter()
    }

    /// The share session with each broker.
    pub fn sessions(&self) -> &SortedMap<NodeId, ShareSession> {
        &self.sessions
    }

    /// What the application acknowledged and no broker has confirmed, by the broker that has to.
    pub fn unconfirmed(&self) -> impl Iterator<Item = (NodeId, TopicPartition, &Acknowledgements)> {
        let commits = self.acknowledging.iter().flat_map(|(node, states)| states.parts().map(|parts| (*node, parts)));
        let piggybacked = self.to_send.iter().chain(&self.in_flight).map(|(node, parts)| (*node, parts));
        let parts = piggybacked.chain(commits);
        parts.flat_map(|(node, parts)| parts.iter().map(move |(partition, it)| (node, *partition, it)))
    }

    // ---- the application ----

    /// More records are wanted; `acknowledged` goes along.
    pub(super) fn fetch(&mut self, acknowledged: NodeAcknowledgements) {
        self.wants_more = true;
        for (partition, node, acknowledgements) in acknowledged {
            self.to_send.entry(node).or_default().entry(partition).or_default().merge(acknowledgements);
        }
    }

    /// Takes about `max.poll.records` records from the buffer, up to the end of a batch.
    pub(super) fn collect(
        &mut self,
        config: &ConsumerConfig,
        io: &mut Io<'_, '_>,
    ) -> (ShareFetch, Result<(), ClientError>) {
        let mut fetch = ShareFetch::default();
        let mut count = 0;
        let wanted = config.max_poll_records as usize;
        while count < wanted {
            let Some(next) = self.buffer.front_mut() else { break };
            if next.error().is_error() {
                let result = next.on_error();
                if result.is_err() && count > 0 {
                    break;
                }
                self.buffer.pop_front();
                match result {
                    Ok(true) => io.net.metadata.request_update(false),
                    Ok(false) => {}
                    Err(error) => return (fetch, Err(error)),
                }
                continue;
            }
            let (batch, result) = next.read(config, wanted - count);
            let (partition, lock_timeout, consumed) = (next.partition(), next.lock_timeout(), next.is_consumed());
            if consumed {
                self.buffer.pop_front();
            }
            count += batch.len();
            if !batch.is_empty() {
                fetch.add(partition, batch, lock_timeout);
            }
            if result.is_err() {
                return (fetch, result);
            }
        }
        (fetch, Ok(()))
    }

    // ---- in the background ----

    /// Sends what may be sent.
    pub(super) fn turn(&mut self, membership: &mut Membership, config: &ConsumerConfig, io: &mut Io<'_, '_>) {
        let Some(member_id) = membership.member_id().cloned() else { return };
        let who = (Rc::clone(membership.group()), member_id);
        if !self.send_acknowledgements(&who, config, io) && self.wants_more && !self.closing {
            self.send_fetches(&who, membership.assigned_mut(), config, io);
        }
    }

    fn send_fetches(
        &mut self,
        who: &(Rc<str>, Rc<str>),
        assigned: &mut Vec<TopicPartition>,
        config: &ConsumerConfig,
        io: &mut Io<'_, '_>,
    ) {
        let mut wanted = self.wanted(assigned, config, io);
        // Brokers that are only told what became of records.
        let told: Vec<NodeId> = self.to_send.keys().copied().filter(|node| !wanted.contains_key(node)).collect();
        for node in told {
            if !self.busy.contains(&node) && self.reach(node, io) {
                wanted.insert(node, Vec::new());
            }
        }
        for (node, partitions) in wanted {
            let acknowledged = self.piggyback(node, &partitions, io);
            let session = self.sessions.entry(node).or_insert_with(ShareSession::new);
            let only_one = config.share_acquire_mode == ShareAcquireMode::RecordLimit;
            let for_records = !partitions.is_empty() && (!only_one || self.records_from == Some(node));
            let request = session.fetch(&partitions, acknowledged);
            if !for_records && request.partitions.is_empty() && request.forgotten.is_empty() {
                continue;
            }
            let renews = request.renews;
            let request = fetch_request(who, config, request, for_records || !only_one);
            io.send(node, Channel::Consumer, Request::ShareFetch(request.into()), Pending::Fetch { renews });
            self.busy.push(node);
        }
    }

    /// Which leaders are asked for which partitions.
    fn wanted(
        &mut self,
        assigned: &mut Vec<TopicPartition>,
        config: &ConsumerConfig,
        io: &mut Io<'_, '_>,
    ) -> SortedMap<NodeId, Vec<TopicPartition>> {
        let mut wanted: SortedMap<NodeId, Vec<TopicPartition>> = SortedMap::new();
        let mut chosen = None;
        for partition in assigned.iter().copied() {
            let Some(leader) = io.net.metadata.current_leader(partition).leader else {
                io.net.metadata.request_update(false);
                continue;
            };
            let node = leader.node();
            if self.busy.contains(&node) || !wanted.contains_key(&node) && !self.reach(node, io) {
                continue;
            }
            wanted.entry(node).or_default().push(partition);
            if config.share_acquire_mode == ShareAcquireMode::RecordLimit && self.records_from.is_none() {
                self.records_from = Some(node);
                chosen = Some(partition);
            }
        }
        if let Some(chosen) = chosen {
            // The next poll() begins with another one.
            assigned.retain(|partition| *partition != chosen);
            assigned.push(chosen);
        }
        wanted
    }

    /// Whether a request can be sent there now. What waits for a broker that cannot be reached fails.
    fn reach(&mut self, node: NodeId, io: &mut Io<'_, '_>) -> bool {
        if io.is_unavailable(node, Channel::Consumer) {
            if let Some(session) = self.sessions.get_mut(&node) {
                session.on_failure();
            }
            for (partition, acknowledgements) in self.to_send.remove(&node).unwrap_or_default() {
                self.fail(partition, acknowledgements, ErrorCode::NetworkException);
            }
            return false;
        }
        io.ready(node, Channel::Consumer)
    }

    /// What goes along with the next fetch. Acknowledgements that can no longer help fail.
    fn piggyback(
        &mut self,
        node: NodeId,
        wanted: &[TopicPartition],
        io: &mut Io<'_, '_>,
    ) -> Vec<(TopicPartition, Acknowledgements)> {
        let is_new = self.sessions.get(&node).is_none_or(ShareSession::is_new);
        let mut sent = Vec::new();
        for (partition, acknowledgements) in self.to_send.remove(&node).unwrap_or_default() {
            let moved = !wanted.contains(&partition) && has_moved(node, partition, io);
            if is_new || moved {
                self.fail(partition, acknowledgements, ErrorCode::NotLeaderOrFollower);
                continue;
            }
            self.in_flight.entry(node).or_default().insert(partition, acknowledgements.clone());
            sent.push((partition, acknowledgements));
        }
        sent
    }

    pub(super) fn fail(&mut self, partition: TopicPartition, acknowledgements: Acknowledgements, error: ErrorCode) {
        self.answers.push(Answer { partition, acknowledgements, error, renews: true, lock_timeout: None });
    }

    // ---- hearing ----

    /// A fetch ended.
    pub(super) fn on_fetch(&mut self, node: NodeId, outcome: Outcome, renews: bool, io: &mut Io<'_, '_>) {
        self.busy.retain(|busy| *busy != node);
        if self.records_from == Some(node) {
            self.records_from = None;
        }
        let sent = self.in_flight.remove(&node).unwrap_or_default();
        let Some(session) = self.sessions.get_mut(&node) else { return };
        let error = match outcome {
            Outcome::Response(Response::ShareFetch(response)) if session.on_response(response.error) => {
                return self.on_records(node, response, sent, renews, io);
            }
            Outcome::Response(response) => response.error(),
            ended => {
                session.on_failure();
                error_of(&ended)
            }
        };
        if error == ErrorCode::UnknownTopicId {
            io.net.metadata.request_update(false);
        }
        for (partition, acknowledgements) in sent {
            self.answers.push(Answer { partition, acknowledgements, error, renews, lock_timeout: None });
        }
    }

    fn on_records(
        &mut self,
        node: NodeId,
        response: ShareFetchResponse,
        mut sent: Parts,
        renews: bool,
        io: &mut Io<'_, '_>,
    ) {
        let lock_timeout = Some(response.acquisition_lock_timeout).filter(|timeout| *timeout > Duration::ZERO);
        for part in response.partitions {
            if let Some(acknowledgements) = sent.remove(&part.partition) {
                let (partition, error) = (part.partition, part.acknowledge_error);
                self.answers.push(Answer { partition, acknowledgements, error, renews, lock_timeout });
            }
            learn_leader(part.partition, part.error, part.current_leader, io);
            if !part.acquired.is_empty() {
                self.wants_more = false;
            }
            if part.error.is_error() || !part.acquired.is_empty() {
                self.buffer.push_back(ShareCompletedFetch::new(node, part, lock_timeout));
            }
        }
        for (partition, acknowledgements) in sent {
            self.fail(partition, acknowledgements, ErrorCode::InvalidRecordState);
        }
    }

    /// `close()`: what is buffered will not be returned.
    pub(super) fn close(
        &mut self,
        acknowledged: NodeAcknowledgements,
        deadline: crate::base::Time,
        io: &mut Io<'_, '_>,
    ) {
        self.closing = true;
        self.buffer.clear();
        self.fetch(acknowledged);
        for (node, parts) in std::mem::take(&mut self.to_send) {
            for (partition, acknowledgements) in parts {
                let gone = !self.sessions.contains_key(&node) || has_moved(node, partition, io);
                match gone {
                    true => self.fail(partition, acknowledgements, ErrorCode::NotLeaderOrFollower),
                    false => drop(self.to_send.entry(node).or_default().insert(partition, acknowledgements)),
                }
            }
        }
        for node in self.sessions.keys().copied().collect::<Vec<_>>() {
            let parts = self.to_send.remove(&node).unwrap_or_default();
            self.acknowledging.entry(node).or_default().put(AcknowledgeKind::Close, parts, deadline);
        }
    }
}

/// Another broker is known to lead the partition: what the former leader had locked is free again.
pub(super) fn has_moved(node: NodeId, partition: TopicPartition, io: &mut Io<'_, '_>) -> bool {
    match io.net.metadata.current_leader(partition).leader {
        Some(leader) => leader.node() != node,
        None => {
            io.net.metadata.request_update(false);
            false
        }
    }
}

/// A leadership error names the new leader (KIP-951).
pub(super) fn learn_leader(
    partition: TopicPartition,
    error: ErrorCode,
    leader: Option<CurrentLeader>,
    io: &mut Io<'_, '_>,
) {
    if matches!(error, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch)
        && let Some(leader) = leader
    {
        io.net.metadata.update_partition_leadership(partition, leader);
    }
}

pub(super) fn error_of(outcome: &Outcome) -> ErrorCode {
    match outcome {
        Outcome::Response(response) => response.error(),
        Outcome::Disconnected => ErrorCode::NetworkException,
        Outcome::TimedOut => ErrorCode::RequestTimedOut,
    }
}

/// A request with renewals fetches nothing, nor does one that only keeps a session in step.
fn fetch_request(
    (group, member_id): &(Rc<str>, Rc<str>),
    config: &ConsumerConfig,
    request: SessionRequest,
    for_records: bool,
) -> ShareFetchRequest {
    let fetches = for_records && !request.renews;
    let or_none = |number: u32| if fetches { number } else { 0 };
    ShareFetchRequest {
        group: Rc::clone(group),
        member_id: Rc::clone(member_id),
        session_epoch: request.epoch,
        max_wait: if fetches { config.fetch_max_wait_ms } else { Duration::ZERO },
        min_bytes: or_none(config.fetch_min_bytes),
        max_bytes: or_none(config.fetch_max_bytes),
        max_records: or_none(config.max_poll_records),
        batch_size: or_none(config.max_poll_records),
        acquire_mode: config.share_acquire_mode,
        is_renew_ack: request.renews,
        partitions: request.partitions,
        forgotten: request.forgotten,
    }
}
