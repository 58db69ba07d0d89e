//! `KafkaConsumer`: a member of a group ([`Consumer::subscribe`]), or alone ([`Consumer::assign`]).
//!
//! A call that blocks in Kafka is asked again here: the application calls [`Consumer::poll`] (or
//! [`Consumer::commit_sync_result`]) whenever something happened at its node, until it answers. As in Kafka, everything
//! that belongs to the application's thread happens inside its calls: positions move, automatic commits are made, fetches
//! are sent and callbacks run there and nowhere else.
//!
//! Inside one `poll()`, in this order: callbacks of finished commits; the membership (join, leave, rebalance listener);
//! automatic commit of the positions that earlier polls returned up to; committed offsets, resets and validations for
//! positions that are missing; records from the buffer; the next fetches. Who is no active member goes from the
//! membership to the buffer.
//!
//! In Kafka: `ClassicKafkaConsumer`. Departure: responses are read off the wire when they arrive, not when the
//! application polls next (but that of JoinGroup), so a request can time out while the application is busy.

mod assignment;
pub mod assignor;
mod calls;
mod commit;
mod commits;
mod committed;
mod completed_fetch;
mod coordinator;
pub(super) mod epoch_member;
mod epoch_requests;
mod events;
mod fetch_session;
mod fetcher;
mod group_requests;
mod heartbeat;
pub(super) mod io;
mod join;
pub(super) mod lookup;
mod member;
mod offset_lookup;
mod rebalance;
mod subscribed;
mod subscription;

pub use calls::MembershipOperation;
pub use commit::{Commit, CommitCallback, CommitKind, CommitPhase, Offsets};
pub use completed_fetch::CompletedFetch;
pub use coordinator::Coordinator;
pub use epoch_member::{EpochMember, EpochState};
pub use fetch_session::FetchSessionHandler;
pub use fetcher::Fetcher;
pub use heartbeat::Heartbeat;
pub use io::Pending;
pub use member::{Member, MemberGeneration, MemberState, RebalanceProtocol};
pub use rebalance::{Changes, RebalanceCallback};
pub use subscribed::Subscribed;
pub use subscription::{FetchPosition, FetchState, Leader, OffsetAndEpoch, PartitionState, Subscription};

use crate::base::config::ConsumerConfig;
use crate::base::{LeaderEpoch, NodeId, Offset, RecordId, Time, TopicPartition};
use crate::client::metadata::{Metadata, MetadataConfig};
use crate::client::network_client::{ExponentialBackoff, NetworkClient, NetworkConfig};
use crate::client::network_events::Timers;
use crate::node::{Channel, ClientError, Event, Outbox};
use crate::record::Record;
use calls::Closing;
use io::Io;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// A record as `poll()` returns it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsumerRecord {
    /// Who it is, read from its value; none for records that no generator made.
    pub id: Option<RecordId>,
    /// Where it was read.
    pub partition: TopicPartition,
    /// Epoch of the leader that appended it.
    pub leader_epoch: LeaderEpoch,
    /// Offset, timestamp, key, value, headers.
    pub record: Record,
    /// Of a share group: the how-manieth delivery this is, from 1; else 0 (`deliveryCount`).
    pub delivery_count: i16,
}

/// Without share group as it always was.
impl Hash for ConsumerRecord {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.id, self.partition, self.leader_epoch, &self.record).hash(state);
        if self.delivery_count > 0 {
            self.delivery_count.hash(state);
        }
    }
}

/// How `poll()` answers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Polled {
    /// Not yet: it blocks.
    Waiting,
    /// Records; none if a position moved over something that is not returned.
    Records(Vec<ConsumerRecord>),
    /// It throws.
    Failed(ClientError),
}

/// What a `poll()` that does not answer waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WaitsFor {
    /// Which partitions there are.
    Metadata,
    /// Where the group's coordinator is.
    Coordinator,
    /// Its place in the group, and its partitions.
    Group,
    /// How far the group has read.
    CommittedOffsets,
    /// Where to start without a committed offset.
    OffsetReset,
    /// Whether a new leader knows the position.
    Validation,
    /// Records.
    Records,
}

/// A consumer client.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct Consumer {
    name: Rc<str>,
    config: Rc<ConsumerConfig>,
    net: NetworkClient<Pending>,
    subscription: Subscription,
    fetcher: Fetcher,
    coordinator: Option<Coordinator>,
    seen_metadata: u32,
    /// Thrown by the next call.
    raised: Option<ClientError>,
    callbacks: Vec<CommitCallback>,
    closing: Option<Closing>,
    /// The application is inside a `poll()` that has not answered.
    polls: bool,
    timers: Timers,
}

/// In Kafka a constant of `ClientUtils.createConsumerNetworkClient`.
const MAX_IN_FLIGHT: u32 = 100;

impl Consumer {
    /// A consumer without assignment. Without `config.group_id` nothing is ever committed.
    pub fn new(name: Rc<str>, config: ConsumerConfig, cluster: Rc<[NodeId]>, now: Time) -> Self {
        let group = config.group_id.clone();
        let coordinator = group.map(|group| Coordinator::new(Rc::clone(&name), group, &config, now));
        Consumer {
            name,
            net: network(&config, cluster),
            subscription: Subscription::new(config.auto_offset_reset),
            fetcher: Fetcher::new(),
            coordinator,
            seen_metadata: 0,
            raised: None,
            callbacks: Vec::new(),
            closing: None,
            polls: false,
            timers: Timers::default(),
            config: Rc::new(config),
        }
    }

    // ---- asking ----

    /// Its name.
    pub fn name(&self) -> &Rc<str> {
        &self.name
    }

    /// Its settings.
    pub fn config(&self) -> &Rc<ConsumerConfig> {
        &self.config
    }

    /// Its partitions and positions.
    pub fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// Fetch sessions and buffered fetches.
    pub fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// The group's side; none without `group.id`.
    pub fn coordinator(&self) -> Option<&Coordinator> {
        self.coordinator.as_ref()
    }

    /// Connections, requests in flight, metadata.
    pub fn network(&self) -> &NetworkClient<Pending> {
        &self.net
    }

    /// The next offset to read of each partition that has one.
    pub fn positions(&self) -> impl Iterator<Item = (TopicPartition, Offset)> {
        self.subscription.iter().filter_map(|(tp, state)| Some((tp, state.position()?.offset)))
    }

    /// Records wait in the buffer for the next `poll()`.
    pub fn has_records(&self) -> bool {
        self.fetcher.has_available(&self.subscription)
    }

    /// A commit of any kind is not finished.
    pub fn is_committing(&self) -> bool {
        self.coordinator.as_ref().is_some_and(|coordinator| coordinator.commits().next().is_some())
    }

    /// A commit that is not finished would change what is committed (automatic commits repeat themselves for ever).
    pub fn is_committing_news(&self) -> bool {
        let known = |tp| self.subscription.get(tp).and_then(PartitionState::committed);
        let mut commits = self.coordinator.iter().flat_map(Coordinator::commits);
        commits.any(|commit| commit.offsets.iter().any(|(tp, offset)| known(*tp) != Some(offset.offset)))
    }

    /// What a `poll()` would wait for.
    pub fn waits_for(&self) -> WaitsFor {
        let any_in = |state| self.subscription.in_state(state).next().is_some();
        let fetching_offsets = self.coordinator.as_ref().filter(|coordinator| coordinator.is_fetching_offsets());
        let auto_assigned = self.subscription.subscribed().is_auto_assigned();
        let member = self.coordinator.as_ref().filter(|_| auto_assigned);
        match fetching_offsets {
            _ if self.subscription.is_empty() && !auto_assigned => WaitsFor::Metadata,
            _ if member.is_some_and(|group| group.node().is_none()) => WaitsFor::Coordinator,
            _ if member.is_some_and(Coordinator::is_rejoining) => WaitsFor::Group,
            Some(coordinator) if coordinator.node().is_none() => WaitsFor::Coordinator,
            Some(_) => WaitsFor::CommittedOffsets,
            None if any_in(FetchState::AwaitReset) => WaitsFor::OffsetReset,
            None if any_in(FetchState::AwaitValidation) => WaitsFor::Validation,
            None => WaitsFor::Records,
        }
    }

    // ---- the application's calls ----

    /// See the module.
    pub fn poll(&mut self, now: Time, out: &mut Outbox<'_>) -> Polled {
        let mut wake = None;
        self.net.poll(now, out);
        self.learn_metadata();
        self.run_callbacks(now);
        let polled = match self.raised.take() {
            Some(error) => Err(error),
            None => self.poll_inside(now, out, &mut wake),
        };
        if polled.is_ok() && self.rebalance_callback().is_none() {
            let mut io = Io { net: &mut self.net, now, out, wake: &mut wake };
            self.fetcher.send(&self.config, &mut self.subscription, &mut io);
        }
        let waits = polled.as_ref().is_ok_and(fetcher::Collected::is_empty);
        self.polls = waits && self.rebalance_callback().is_none();
        self.background(now, out, wake);
        match polled {
            Err(error) => Polled::Failed(error),
            Ok(_) if waits => Polled::Waiting,
            Ok(collected) => {
                self.tell_delivered(&collected.records, out);
                Polled::Records(collected.records)
            }
        }
    }

    fn poll_inside(
        &mut self,
        now: Time,
        out: &mut Outbox<'_>,
        wake: &mut Option<Time>,
    ) -> Result<fetcher::Collected, ClientError> {
        let mut io = Io { net: &mut self.net, now, out, wake };
        let mut active = true;
        if let Some(coordinator) = &mut self.coordinator {
            active = coordinator.poll_member(&self.config, &mut self.subscription, &mut io)?;
            if active {
                coordinator.maybe_auto_commit(&self.config, &self.subscription, &mut io);
            }
        } else if self.subscription.subscribed().is_auto_assigned() {
            return Err(no_group());
        }
        if self.rebalance_callback().is_some() {
            return Ok(fetcher::Collected::default());
        }
        if active {
            self.update_positions(now, out, wake)?;
        }
        self.collect(now, out, wake)
    }

    /// Begins `commitSync()` of the current positions; [`Self::commit_sync_result`] tells how it ends.
    pub fn commit_sync(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.commit(CommitKind::Sync, now, out);
    }

    /// How `commitSync()` ended; none while it blocks.
    pub fn commit_sync_result(&mut self, now: Time) -> Option<Result<(), ClientError>> {
        let result = match &mut self.coordinator {
            Some(coordinator) => coordinator.take_sync_result(),
            None => Some(Err(no_group())),
        };
        if result.is_some() {
            self.run_callbacks(now);
        }
        result
    }

    /// `commitAsync()` of the current positions.
    pub fn commit_async(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.commit(CommitKind::Async, now, out);
    }

    fn commit(&mut self, kind: CommitKind, now: Time, out: &mut Outbox<'_>) {
        self.run_callbacks(now);
        let deadline = now + self.config.default_api_timeout_ms;
        if let Some(coordinator) = &mut self.coordinator {
            coordinator.commit(kind, self.subscription.all_consumed().into(), deadline);
        }
        self.background(now, out, None);
    }

    /// Callbacks of asynchronous commits, in the order in which the commits ended.
    pub fn take_callbacks(&mut self) -> Vec<CommitCallback> {
        std::mem::take(&mut self.callbacks)
    }

    /// Stops returning records of a partition; what is buffered stays.
    pub fn pause(&mut self, partition: TopicPartition) {
        self.subscription.set_paused(partition, true);
    }

    /// Undoes [`Self::pause`].
    pub fn resume(&mut self, partition: TopicPartition) {
        self.subscription.set_paused(partition, false);
    }

    /// The next `poll()` reads from `offset`. What is buffered from elsewhere is dropped.
    pub fn seek(&mut self, partition: TopicPartition, offset: Offset, out: &mut Outbox<'_>) {
        let leader = leader_of(&self.net.metadata, partition);
        self.subscription.seek_validated(partition, FetchPosition { offset, offset_epoch: -1, leader });
        out.emit(Event::PositionSet { partition, offset, from_commit: false });
    }

    /// As [`Self::seek`], and says of which epoch the record before it is: the leader is asked whether it has that
    /// (`seek(TopicPartition, OffsetAndMetadata)`).
    pub fn seek_to(&mut self, partition: TopicPartition, to: OffsetAndEpoch, out: &mut Outbox<'_>) {
        let leader = leader_of(&self.net.metadata, partition);
        let (offset, offset_epoch) = (to.offset, to.leader_epoch);
        self.net.metadata.update_last_seen_epoch(partition, offset_epoch);
        self.subscription.seek_unvalidated(partition, FetchPosition { offset, offset_epoch, leader });
        out.emit(Event::PositionSet { partition, offset, from_commit: false });
    }

    // ---- inside poll() ----

    /// Takes over what metadata tell: partitions that were assigned by hand, topics that match the pattern, leaders.
    fn learn_metadata(&mut self) {
        let metadata = &self.net.metadata;
        let changed = self.seen_metadata != metadata.update_version();
        if let Subscribed::Assigned(topics) = self.subscription.subscribed()
            && (changed || self.subscription.is_empty())
            && let Some(partitions) = all_partitions(topics, metadata)
            // Topics may have grown since.
            && partitions.len() > self.subscription.len()
        {
            self.subscription.assign(partitions);
        }
        if !changed {
            return;
        }
        self.seen_metadata = metadata.update_version();
        self.subscription.match_topics(metadata.topic_names());
        for tp in self.subscription.assigned() {
            self.subscription.leader_is(tp, leader_of(&self.net.metadata, tp));
        }
    }

    fn run_callbacks(&mut self, now: Time) {
        if let Some(coordinator) = &mut self.coordinator {
            self.callbacks.append(&mut coordinator.run_callbacks(&self.config, now));
        }
    }

    /// Looks for the positions that are missing (`updateFetchPositions`).
    fn update_positions(
        &mut self,
        now: Time,
        out: &mut Outbox<'_>,
        wake: &mut Option<Time>,
    ) -> Result<(), ClientError> {
        let mut io = Io { net: &mut self.net, now, out, wake };
        offset_lookup::send_validations(&self.config, &mut self.subscription, &mut io);
        if !self.subscription.has_all_positions() {
            let known = self.coordinator.as_mut().is_none_or(|group| group.init_positions(&self.subscription));
            if known {
                reset_initializing(&mut self.subscription, |_| true)?;
                offset_lookup::send_resets(&self.config, &mut self.subscription, &mut io);
            }
        }
        if let Some(at) = self.subscription.next_retry() {
            io.wake_at(at);
        }
        Ok(())
    }

    fn collect(
        &mut self,
        now: Time,
        out: &mut Outbox<'_>,
        wake: &mut Option<Time>,
    ) -> Result<fetcher::Collected, ClientError> {
        let mut io = Io { net: &mut self.net, now, out, wake };
        let collected = self.fetcher.collect(&self.config, &mut self.subscription, &mut io);
        if collected.is_ok() && !self.subscription.has_all_positions() {
            // A position was out of range. Kafka's loop within poll() comes by here again at once.
            offset_lookup::send_resets(&self.config, &mut self.subscription, &mut io);
        }
        collected
    }

    fn tell_delivered(&self, records: &[ConsumerRecord], out: &mut Outbox<'_>) {
        for delivered in records {
            if let Some(record) = delivered.id {
                let (partition, offset) = (delivered.partition, delivered.record.offset);
                out.emit(Event::Delivered { record, partition, offset });
            }
        }
    }
}

/// The connections of a consumer with these settings.
pub(super) fn network<T>(config: &ConsumerConfig, cluster: Rc<[NodeId]>) -> NetworkClient<T> {
    let backoff = ExponentialBackoff::new;
    let network = NetworkConfig {
        request_timeout: config.request_timeout_ms,
        reconnect_backoff: backoff(config.reconnect_backoff_ms, config.reconnect_backoff_max_ms),
        setup_timeout: backoff(
            config.socket_connection_setup_timeout_ms,
            config.socket_connection_setup_timeout_max_ms,
        ),
        max_in_flight: MAX_IN_FLIGHT,
        metadata_channel: Channel::Consumer,
    };
    let metadata = MetadataConfig {
        refresh_backoff: backoff(config.retry_backoff_ms, config.retry_backoff_max_ms),
        max_age: config.metadata_max_age_ms,
        max_idle: None,
    };
    NetworkClient::new(network, metadata, cluster)
}

pub(super) fn backoff(config: &ConsumerConfig) -> ExponentialBackoff {
    ExponentialBackoff::new(config.retry_backoff_ms, config.retry_backoff_max_ms)
}

/// Every partition of these topics; none while one of the topics is not known.
fn all_partitions(topics: &[Rc<str>], metadata: &Metadata) -> Option<Vec<TopicPartition>> {
    let mut partitions = Vec::new();
    for name in topics {
        let topic = metadata.topic(metadata.topic_id(name)?)?;
        partitions.extend(topic.partitions.iter().map(|p| TopicPartition::new(topic.topic, p.partition)));
    }
    Some(partitions)
}

/// A partition's leader, as metadata knows it.
fn leader_of(metadata: &Metadata, tp: TopicPartition) -> Leader {
    let current = metadata.current_leader(tp);
    Leader { id: current.leader, epoch: current.epoch }
}

/// Leaves partitions without committed offset to `auto.offset.reset`; with `none`, that is an exception.
fn reset_initializing(
    subscription: &mut Subscription,
    concerned: impl Fn(TopicPartition) -> bool,
) -> Result<(), ClientError> {
    let without: Vec<TopicPartition> =
        subscription.in_state(FetchState::Initializing).filter(|tp| concerned(*tp)).collect();
    if !without.is_empty() && !subscription.has_default_reset() {
        let text = "NoOffsetForPartitionException: Undefined offset with no reset policy for partitions";
        return Err(ClientError::Exception(text.into()));
    }
    for tp in without {
        subscription.request_reset(tp);
    }
    Ok(())
}

fn no_group() -> ClientError {
    let text = "InvalidGroupIdException: To use the group management or offset commit APIs, you must provide a valid \
                group.id in the consumer configuration.";
    ClientError::Exception(text.into())
}

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
