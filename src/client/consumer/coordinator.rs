//! The group's side of a consumer: finding the coordinator, committed offsets, commits; and the membership, which has
//! files of its own.
//!
//! Invariants: at most one lookup and one OffsetFetch are under way; a coordinator that cannot be reached is looked up
//! again. In Kafka: `ConsumerCoordinator`, `AbstractCoordinator`.
//!
//! A consumer whose partitions the application assigned itself is no member: its requests say generation −1 and no
//! member id.

use super::backoff;
use super::commit::{
    Commit, CommitCallback, CommitKind, Failure, Lost, Offsets, commit_failed, disconnected, rebalance_in_progress,
    result_of,
};
use super::commits::{Commits, CommitsAs};
use super::committed::{read_offsets, refresh_committed};
use super::epoch_member::EpochMember;
use super::group_requests::Leaving;
use super::io::{Io, Pending};
use super::lookup::Lookup;
use super::member::{Member, MemberGeneration, MemberState};
use super::rebalance::Changes;
use super::subscription::{FetchState, Subscription};
use crate::base::config::{ConsumerConfig, GroupProtocol};
use crate::base::{Generation, NodeId, Time, TopicPartition, sort_short};
use crate::client::network_client::Outcome;
use crate::client::producer::GroupMetadata;
use crate::node::{Channel, ClientError};
use crate::protocol::{ErrorCode, OffsetFetchRequest, Request, Response};
use std::rc::Rc;

/// The question how far the group has read.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct OffsetFetch {
    wanted: bool,
    in_flight: bool,
    not_before: Time,
    attempts: u32,
    /// The generation it was asked in: what another member commits meanwhile counts.
    generation: Generation,
}

/// A consumer's relation to its group.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct Coordinator {
    pub(super) group: Rc<str>,
    pub(super) client_id: Rc<str>,
    /// `group.protocol=consumer`.
    pub(super) by_epochs: bool,
    pub(super) node: Option<NodeId>,
    lookup: Lookup,
    offset_fetch: OffsetFetch,
    pub(super) commits: Commits,
    pub(super) member: Member,
    /// The membership in the consumer protocol.
    pub(super) epochs: EpochMember,
    pub(super) changes: Changes,
    pub(super) leaving: Leaving,
    /// The membership as the application was last told of it.
    pub(super) told: GroupMetadata,
}

impl Coordinator {
    pub(super) fn new(client_id: Rc<str>, group: Rc<str>, config: &ConsumerConfig, now: Time) -> Self {
        let instance_id = config.group_instance_id.clone();
        Coordinator {
            told: GroupMetadata { group: Rc::clone(&group), generation: -1, member_id: "".into(), instance_id },
            member: Member::new(config),
            epochs: EpochMember::new(),
            changes: Changes::default(),
            leaving: Leaving::No,
            group,
            client_id,
            by_epochs: config.group_protocol == GroupProtocol::Consumer,
            node: None,
            lookup: Lookup::new(),
            offset_fetch: OffsetFetch::default(),
            commits: Commits::new(config.enable_auto_commit.then(|| now + config.auto_commit_interval_ms)),
        }
    }

    /// `group.id`.
    pub fn group(&self) -> &Rc<str> {
        &self.group
    }

    /// Where the coordinator is, if known.
    pub fn node(&self) -> Option<NodeId> {
        self.node
    }

    /// The membership; that of a consumer which never joins stays unjoined.
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// The membership in the consumer protocol, if that is spoken.
    pub fn epoch_member(&self) -> Option<&EpochMember> {
        self.by_epochs.then_some(&self.epochs)
    }

    /// Changes of the assignment that are under way.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// `groupMetadata()`.
    pub fn group_metadata(&self) -> &GroupMetadata {
        &self.told
    }

    /// It is on its way into a generation.
    pub fn is_rejoining(&self) -> bool {
        let rejoins = if self.by_epochs { self.epochs.is_rejoining() } else { self.member.is_rejoining() };
        rejoins || !self.changes.is_done()
    }

    /// When the membership has to do something by itself.
    pub(super) fn next_beat(&self) -> Option<Time> {
        if self.by_epochs {
            return self.epochs.next().filter(|_| self.node.is_some());
        }
        let heartbeat = self.member.heartbeat();
        (heartbeat.is_enabled() && self.node.is_some()).then(|| heartbeat.next())
    }

    /// The membership's part of `poll()`: false while the consumer is no active member.
    pub(super) fn poll_member(
        &mut self,
        config: &ConsumerConfig,
        subscription: &mut Subscription,
        io: &mut Io<'_, '_>,
    ) -> Result<bool, ClientError> {
        if self.commits.is_fenced() {
            return Err(ClientError::Broker(ErrorCode::FencedInstanceId));
        }
        match subscription.subscribed().is_auto_assigned() {
            true if self.by_epochs => self.poll_epochs(config, subscription, io),
            true => self.poll_classic(config, subscription, io),
            false => Ok(true),
        }
    }

    /// Commits that are not finished.
    pub fn commits(&self) -> impl Iterator<Item = &Commit> {
        self.commits.iter()
    }

    /// When the next automatic commit is due; none if there are none.
    pub fn next_auto_commit(&self) -> Option<Time> {
        self.commits.next_auto()
    }

    /// Committed offsets are asked for and not known yet.
    pub fn is_fetching_offsets(&self) -> bool {
        self.offset_fetch.wanted
    }

    /// A request of the group's side ended.
    pub(super) fn on_completed(
        &mut self,
        pending: Pending,
        (node, outcome): (NodeId, Outcome),
        config: &ConsumerConfig,
        subscription: &mut Subscription,
        io: &mut Io<'_, '_>,
    ) -> Result<(), ClientError> {
        match pending {
            Pending::FindCoordinator => self.on_lookup(&outcome, config, io),
            Pending::OffsetFetch => self.on_offset_fetch(node, outcome, config, subscription, io),
            Pending::OffsetCommit(id) => {
                self.on_commit((id, node), &outcome, config, subscription, io);
                Ok(())
            }
            Pending::EpochHeartbeat => {
                self.on_epoch_heartbeat((node, outcome), config, subscription, io);
                Ok(())
            }
            of_member => {
                self.on_member_request(of_member, (node, outcome), config, io);
                Ok(())
            }
        }
    }

    // ---- the coordinator ----

    /// Moves on whatever waits for the coordinator.
    pub(super) fn turn(
        &mut self,
        polls: bool,
        config: &ConsumerConfig,
        subscription: &mut Subscription,
        io: &mut Io<'_, '_>,
    ) {
        if let Some(node) = self.node.filter(|node| io.is_unavailable(*node, Channel::Coordinator)) {
            self.lose(node, Lost::Disconnected, config, io);
            self.lookup.unreachable(config, io);
            self.commits.fail_queued_async();
        }
        match self.by_epochs {
            true => self.beat_epochs(polls, config, subscription, io),
            false => self.beat(polls, config, io),
        }
        if self.node.is_none() {
            self.discover(subscription.subscribed().is_auto_assigned(), io);
        }
        self.send_commits(config, subscription, io);
        self.send_offset_fetch(subscription, io);
        self.send_leave(io);
    }

    fn discover(&mut self, member: bool, io: &mut Io<'_, '_>) {
        let wanted = member || self.offset_fetch.wanted || self.commits.iter().next().is_some();
        if wanted {
            self.lookup.ask(&self.group, Pending::FindCoordinator, io);
        }
    }

    fn on_lookup(
        &mut self,
        outcome: &Outcome,
        config: &ConsumerConfig,
        io: &mut Io<'_, '_>,
    ) -> Result<(), ClientError> {
        match self.lookup.on_answer(outcome, config, io) {
            Ok(node) => {
                self.node = Some(node);
                self.member.heartbeat.reset_session(io.now);
                Ok(())
            }
            Err(error) => {
                self.commits.fail_queued_async();
                if error.is_retriable() { Ok(()) } else { Err(ClientError::Broker(error)) }
            }
        }
    }

    /// The coordinator says that it is none, or does not answer.
    pub(super) fn lose_told(&mut self, config: &ConsumerConfig, io: &mut Io<'_, '_>) {
        if let Some(node) = self.node {
            self.lose(node, Lost::Told, config, io);
        }
    }

    pub(super) fn lose(&mut self, node: NodeId, how: Lost, config: &ConsumerConfig, io: &mut Io<'_, '_>) {
        if self.node != Some(node) {
            return;
        }
        self.node = None;
        if how == Lost::Disconnected {
            return;
        }
        // Closing the connection by choice ends what else is in flight on it, as a disconnection.
        for completed in io.net.disconnect(io.now, (node, Channel::Coordinator), io.out) {
            match completed.context {
                Pending::OffsetCommit(id) => {
                    let lost = disconnected(ClientError::Broker(ErrorCode::NetworkException));
                    self.commits.finish_attempt(id, Err(lost), config, io);
                }
                Pending::OffsetFetch => self.offset_fetch_failed(config, io),
                Pending::EpochHeartbeat => {
                    self.epochs.in_flight = false;
                    self.epochs.sent = Default::default();
                }
                of_member => self.on_member_request(of_member, (node, Outcome::Disconnected), config, io),
            }
        }
    }

    // ---- committed offsets ----

    /// Whether the committed offsets of all initializing partitions are known; asks for them if not.
    pub(super) fn init_positions(&mut self, subscription: &Subscription) -> bool {
        self.offset_fetch.wanted = subscription.in_state(FetchState::Initializing).next().is_some();
        !self.offset_fetch.wanted
    }

    fn send_offset_fetch(&mut self, subscription: &Subscription, io: &mut Io<'_, '_>) {
        if !self.offset_fetch.wanted || self.offset_fetch.in_flight {
            return;
        }
        if self.offset_fetch.not_before > io.now {
            return io.wake_at(self.offset_fetch.not_before);
        }
        let Some(node) = self.node.filter(|node| io.ready(*node, Channel::Coordinator)) else { return };
        let mut partitions: Vec<TopicPartition> = subscription.in_state(FetchState::Initializing).collect();
        if partitions.is_empty() {
            self.offset_fetch.wanted = false;
            return;
        }
        sort_short(&mut partitions, |a, b| a < b);
        // Members of the consumer protocol say who they are; others are not asked (version 9).
        let member = self.member.stable_generation().filter(|_| self.by_epochs);
        let member = member.map(|member| (Rc::clone(&member.member_id), member.id));
        let request = OffsetFetchRequest { group: Rc::clone(&self.group), partitions, require_stable: true, member };
        io.send(node, Channel::Coordinator, Request::OffsetFetch(request), Pending::OffsetFetch);
        self.offset_fetch.in_flight = true;
        self.offset_fetch.generation = self.generation_if_stable();
    }

    fn on_offset_fetch(
        &mut self,
        node: NodeId,
        outcome: Outcome,
        config: &ConsumerConfig,
        subscription: &mut Subscription,
        io: &mut Io<'_, '_>,
    ) -> Result<(), ClientError> {
        if self.offset_fetch.generation != self.generation_if_stable() {
            self.offset_fetch = OffsetFetch { wanted: true, ..OffsetFetch::default() };
            return Ok(());
        }
        let failure = match outcome {
            Outcome::Response(Response::OffsetFetch(response)) => match read_offsets(&response) {
                Ok(()) => {
                    self.offset_fetch = OffsetFetch::default();
                    return refresh_committed(&response, subscription, io);
                }
                Err(failure) => failure,
            },
            _ => disconnected(ClientError::Broker(ErrorCode::NetworkException)),
        };
        self.offset_fetch_failed(config, io);
        if let Some(how) = failure.coordinator_lost {
            self.lose(node, how, config, io);
        }
        // Its epoch has moved on; the next heartbeat tells it the new one.
        let stale = failure.error == ClientError::Broker(ErrorCode::StaleMemberEpoch);
        let retriable = failure.retriable || stale && self.member.stable_generation().is_some();
        if retriable { Ok(()) } else { Err(failure.error) }
    }

    fn generation_if_stable(&self) -> Generation {
        self.member.stable_generation().map_or(-1, |generation| generation.id)
    }

    fn offset_fetch_failed(&mut self, config: &ConsumerConfig, io: &mut Io<'_, '_>) {
        let pause = backoff(config).backoff(self.offset_fetch.attempts, io.out.random());
        self.offset_fetch.in_flight = false;
        self.offset_fetch.attempts += 1;
        self.offset_fetch.not_before = io.now + pause;
    }

    // ---- commits ----

    /// Begins a commit.
    pub(super) fn commit(&mut self, kind: CommitKind, offsets: Offsets, deadline: Time) {
        self.commits.begin(kind, offsets, deadline);
    }

    /// See [`Commits::maybe_auto`].
    pub(super) fn maybe_auto_commit(
        &mut self,
        config: &ConsumerConfig,
        subscription: &Subscription,
        io: &mut Io<'_, '_>,
    ) {
        self.commits.maybe_auto(config, subscription, io);
    }

    /// See [`Commits::take_sync_result`].
    pub(super) fn take_sync_result(&mut self) -> Option<Result<(), ClientError>> {
        self.commits.take_sync_result()
    }

    /// See [`Commits::run_callbacks`].
    pub(super) fn run_callbacks(&mut self, config: &ConsumerConfig, now: Time) -> Vec<CommitCallback> {
        self.commits.run_callbacks(config, now)
    }

    /// Sends the commits that wait, as the member that this consumer is now.
    pub(super) fn send_commits(&mut self, config: &ConsumerConfig, subscription: &Subscription, io: &mut Io<'_, '_>) {
        let commits_as = match self.member.stable_generation() {
            _ if !subscription.subscribed().is_auto_assigned() => CommitsAs::Anybody,
            Some(generation) => CommitsAs::Member(Rc::clone(generation), config.group_instance_id.clone()),
            None if self.member.rebalance_in_progress() => CommitsAs::Nobody(rebalance_in_progress()),
            None => CommitsAs::Nobody(commit_failed()),
        };
        self.commits.send(&self.group, &commits_as, self.node, io);
    }

    /// The coordinator objects to the generation of a commit: what that does to the member, and what is thrown.
    fn on_refused_commit(&mut self, id: u32, failure: &mut Failure) {
        let sent: Option<Rc<MemberGeneration>> =
            self.commits.iter().find(|commit| commit.id == id).and_then(|commit| commit.generation.clone());
        let (Some(error), Some(sent)) = (failure.refused, sent) else { return };
        let joined = self.member.stable_generation().is_some();
        let member = &mut self.member;
        let stale = sent != member.generation;
        let rejoining = stale && member.state == MemberState::PreparingRebalance;
        match error {
            // Before partitions change hands it is tried again, in the epoch that the next heartbeat tells.
            ErrorCode::StaleMemberEpoch if self.epochs.commit == Some(id) && joined => {
                failure.error = ClientError::Broker(error);
            }
            // The next heartbeat tells.
            _ if self.by_epochs => {}
            ErrorCode::RebalanceInProgress => member.request_rejoin(),
            ErrorCode::FencedInstanceId if !stale => {}
            _ if rejoining => failure.error = rebalance_in_progress(),
            ErrorCode::FencedInstanceId => failure.error = commit_failed(),
            error => member.reset_on(error),
        }
    }

    fn on_commit(
        &mut self,
        (id, node): (u32, NodeId),
        outcome: &Outcome,
        config: &ConsumerConfig,
        subscription: &mut Subscription,
        io: &mut Io<'_, '_>,
    ) {
        let mut result = result_of(outcome);
        if let Err(failure) = &mut result {
            self.on_refused_commit(id, failure);
            let gone = failure.error == ClientError::Broker(ErrorCode::UnknownTopicOrPartition);
            if gone && self.by_epochs && self.epochs.commit == Some(id) {
                // What is deleted is given up without a commit.
                failure.error = ClientError::Exception("UnknownTopicOrPartitionException".into());
            }
        }
        let lost = result.as_ref().err().and_then(|failure| failure.coordinator_lost);
        if result.is_ok() {
            self.commits.confirm(id, subscription, io);
        }
        self.commits.finish_attempt(id, result, config, io);
        if let Some(how) = lost {
            self.lose(node, how, config, io);
        }
    }
}
