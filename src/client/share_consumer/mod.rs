//! `KafkaShareConsumer` (KIP-932): a member of a share group, which gets records one by one, under a lock, and says of each
//! what became of it.
//!
//! As for [`crate::client::consumer`], a call that blocks in Kafka is asked again until it answers. Inside one `poll()`, in
//! this order: what became of earlier acknowledgements; with implicit acknowledgement, everything that the last `poll()`
//! returned is accepted, with explicit, it must be acknowledged; records from the buffer; if there are none, a fetch, which
//! takes the acknowledgements along.
//!
//! Invariants: the application has the records of one `poll()` at a time; what `close()` finds unacknowledged is released by
//! the brokers, with the sessions. In Kafka: `ShareConsumerImpl`. Departures: there is no `wakeup()`; a `poll()` never
//! returns empty, and what Kafka's next one would ask for, the same one does.

mod acknowledgements;
mod acknowledging;
mod completed_fetch;
mod events;
mod in_flight;
mod membership;
mod requests;
mod session;

pub use acknowledgements::Acknowledgements;
pub use acknowledging::AcknowledgeKind;
pub use completed_fetch::ShareCompletedFetch;
pub use in_flight::{InFlightBatch, ShareFetch};
pub use membership::Membership;
pub use requests::ShareRequests;
pub use session::ShareSession;

use crate::base::config::{ConsumerConfig, ShareAcknowledgementMode};
use crate::base::{Duration, NodeId, Offset, Time, TopicPartition};
use crate::client::consumer::{ConsumerRecord, Polled, WaitsFor, network};
use crate::client::network_client::NetworkClient;
use crate::client::network_events::Timers;
use crate::node::{ClientError, Event, Outbox};
use crate::protocol::{AcknowledgeType, ErrorCode};
use in_flight::illegal_state;
use membership::Io;
use std::rc::Rc;

/// What the share consumer keeps of a request until it ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pending {
    /// To any broker.
    FindCoordinator,
    /// To the coordinator.
    Heartbeat,
    /// To a leader: ShareFetch.
    Fetch {
        /// It carries renewals.
        renews: bool,
    },
    /// To a leader: ShareAcknowledge.
    Acknowledge {
        /// Who acknowledges.
        kind: AcknowledgeKind,
        /// It carries renewals.
        renews: bool,
    },
}

/// What the `AcknowledgementCommitCallback` is called with.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AcknowledgementCommit {
    /// Of which partition.
    pub partition: TopicPartition,
    /// Which records.
    pub offsets: Vec<Offset>,
    /// `NONE`, or why they are not acknowledged.
    pub error: ErrorCode,
}

/// What `commitSync()` returns: how it went, by partition.
pub type CommitResults = Vec<(TopicPartition, ErrorCode)>;

/// How far `close()` is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Closing {
    /// Acknowledges and ends its sessions, at most until then.
    Sessions(Time),
    /// Leaves the group.
    Leaving(Time),
    /// It has returned.
    Done,
}

/// `ConsumerUtils.DEFAULT_CLOSE_TIMEOUT_MS`.
const DEFAULT_CLOSE_TIMEOUT: Duration = Duration::from_millis(30_000);

/// A share consumer client.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct ShareConsumer {
    name: Rc<str>,
    config: Rc<ConsumerConfig>,
    net: NetworkClient<Pending>,
    membership: Membership,
    requests: ShareRequests,
    /// What the application has.
    current: ShareFetch,
    /// Thrown by the next call.
    raised: Option<ClientError>,
    /// A callback is set, and these are its calls to come.
    callbacks: Option<Vec<AcknowledgementCommit>>,
    closing: Option<Closing>,
    /// The application is inside a `poll()` that has not answered.
    polls: bool,
    timers: Timers,
}

impl ShareConsumer {
    /// A consumer that reads nothing yet.
    ///
    /// # Panics
    /// Without `config.group_id`, where Kafka throws: the settings were checked before.
    pub fn new(name: Rc<str>, config: ConsumerConfig, cluster: Rc<[NodeId]>) -> Self {
        let group = config.group_id.clone().expect("invariant: a share consumer has a group.id");
        ShareConsumer {
            net: network(&config, cluster),
            membership: Membership::new(Rc::clone(&name), group),
            name,
            requests: ShareRequests::default(),
            current: ShareFetch::default(),
            raised: None,
            callbacks: None,
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

    /// Its place in the group.
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Share sessions, buffered fetches, acknowledgements on their way.
    pub fn requests(&self) -> &ShareRequests {
        &self.requests
    }

    /// What the application has and has not acknowledged, or what it acknowledged and is not on its way yet.
    pub fn current(&self) -> &ShareFetch {
        &self.current
    }

    /// Connections, requests in flight, metadata.
    pub fn network(&self) -> &NetworkClient<Pending> {
        &self.net
    }

    /// The application has to acknowledge each record.
    pub fn is_explicit(&self) -> bool {
        self.config.share_acknowledgement_mode == ShareAcknowledgementMode::Explicit
    }

    /// Records wait in the buffer for the next `poll()`.
    pub fn has_records(&self) -> bool {
        self.requests.buffered().any(|fetch| !fetch.batches().is_empty())
    }

    /// Acknowledgements are on their way, or about to be.
    pub fn is_acknowledging(&self) -> bool {
        let waits = self.current.batches().any(|(_, batch)| !batch.acknowledgements().is_empty());
        waits || self.requests.unconfirmed().next().is_some()
    }

    /// Renewed records come back with the next `poll()`, or may, when the broker has answered.
    pub fn is_renewing(&self) -> bool {
        self.current.has_renewals()
    }

    /// What a `poll()` would wait for.
    pub fn waits_for(&self) -> WaitsFor {
        match &self.membership {
            it if it.topics().is_none() => WaitsFor::Metadata,
            it if it.node().is_none() => WaitsFor::Coordinator,
            it if it.is_rejoining() => WaitsFor::Group,
            it if it.assigned().iter().any(|tp| self.net.metadata.leader(*tp).is_none()) => WaitsFor::Metadata,
            _ => WaitsFor::Records,
        }
    }

    // ---- the application's calls ----

    /// Becomes a member of the group with the next `poll()`, or changes what it reads.
    pub fn subscribe(&mut self, now: Time, topics: impl IntoIterator<Item = Rc<str>>) {
        let topics: crate::base::SortedSet<Rc<str>> = topics.into_iter().collect();
        for topic in topics.iter() {
            self.net.metadata.add_topic(topic, now);
        }
        self.membership.subscribe(topics);
    }

    /// Leaves the group. What the application has stays locked for it.
    pub fn unsubscribe(&mut self, now: Time, out: &mut Outbox<'_>) {
        let mut wake = None;
        let mut io = Io { net: &mut self.net, now, out, wake: &mut wake };
        self.membership.leave("the consumer unsubscribed from all topics", &mut io);
        self.background(now, out, wake);
    }

    /// See the module.
    pub fn poll(&mut self, now: Time, out: &mut Outbox<'_>) -> Polled {
        let mut wake = None;
        self.net.poll(now, out);
        let mut again = false;
        let polled = self.poll_inside(now, out, &mut wake, &mut again);
        self.polls = matches!(polled, Polled::Waiting);
        self.background(now, out, wake);
        if let Polled::Records(records) = &polled
            && !again
        {
            tell_delivered(records, out);
        }
        polled
    }

    /// `again`: these records were here before, and have been renewed.
    fn poll_inside(&mut self, now: Time, out: &mut Outbox<'_>, wake: &mut Option<Time>, again: &mut bool) -> Polled {
        let polled = self.membership.polled(&self.config, now);
        if let Some(error) = self.raised.take().or(polled.err()) {
            return Polled::Failed(error);
        }
        self.hear_answers();
        self.accept_if_implicit();
        if self.is_explicit() && self.current.unacknowledged() > 0 {
            let text = "All records must be acknowledged in explicit acknowledgement mode.";
            return Polled::Failed(illegal_state(text));
        }
        if self.membership.topics().is_none() {
            return Polled::Failed(illegal_state("Consumer is not subscribed to any topics."));
        }
        let mut io = Io { net: &mut self.net, now, out, wake };
        let acknowledged = self.current.take_acknowledgements();
        if self.current.has_renewals() {
            self.current.take_renewed();
        }
        if !self.current.is_empty() || self.current.has_renewals() {
            // Kept back by renewals: what else was acquired has to wait.
            match self.current.is_empty() {
                true => self.requests.fetch(acknowledged),
                false => self.commit_acknowledged(acknowledged, now, out),
            }
            let records = self.current.records();
            *again = true;
            return if records.is_empty() { Polled::Waiting } else { Polled::Records(records) };
        }
        let (mut fetch, result) = self.requests.collect(&self.config, &mut io);
        if fetch.is_empty() && result.is_ok() {
            // Offsets without a record that anybody could see.
            let gaps = fetch.take_acknowledgements();
            self.requests.fetch(acknowledged);
            self.commit_acknowledged(gaps, now, out);
            return Polled::Waiting;
        }
        self.commit_acknowledged(acknowledged, now, out);
        self.current = fetch;
        match result {
            Err(error) => Polled::Failed(error),
            Ok(()) => Polled::Records(self.current.records()),
        }
    }

    /// Says what became of a record that the last `poll()` returned. With explicit acknowledgement only.
    pub fn acknowledge(
        &mut self,
        (partition, offset): (TopicPartition, Offset),
        kind: AcknowledgeType,
    ) -> Result<(), ClientError> {
        if !self.is_explicit() {
            return Err(illegal_state("Implicit acknowledgement of delivery is being used."));
        }
        self.current.acknowledge((partition, offset), kind)
    }

    /// How long records are locked (`acquisitionLockTimeoutMs()`).
    pub fn acquisition_lock_timeout(&self) -> Option<Duration> {
        self.current.lock_timeout()
    }

    /// Begins `commitSync()`: with implicit acknowledgement it accepts what the last `poll()` returned. How it ends,
    /// [`Self::commit_sync_result`] tells.
    pub fn commit_sync(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.commit(AcknowledgeKind::Sync, now, out);
    }

    /// How `commitSync()` ended; none while it blocks.
    pub fn commit_sync_result(&mut self) -> Option<CommitResults> {
        let ended = self.requests.sync.as_ref().is_none_or(|sync| sync.waiting == 0);
        if !ended {
            return None;
        }
        self.hear_answers();
        Some(self.requests.sync.take().map(|sync| sync.results).unwrap_or_default())
    }

    /// `commitAsync()`.
    pub fn commit_async(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.commit(AcknowledgeKind::Async, now, out);
    }

    fn commit(&mut self, kind: AcknowledgeKind, now: Time, out: &mut Outbox<'_>) {
        self.hear_answers();
        self.accept_if_implicit();
        let acknowledged = self.current.take_acknowledgements();
        let deadline = now + self.config.default_api_timeout_ms;
        let mut wake = None;
        let mut io = Io { net: &mut self.net, now, out, wake: &mut wake };
        self.requests.commit(kind, acknowledged, deadline, &mut io);
        self.background(now, out, wake);
    }

    fn commit_acknowledged(&mut self, acknowledged: in_flight::NodeAcknowledgements, now: Time, out: &mut Outbox<'_>) {
        let deadline = now + self.config.default_api_timeout_ms;
        let mut wake = None;
        let mut io = Io { net: &mut self.net, now, out, wake: &mut wake };
        self.requests.commit(AcknowledgeKind::Async, acknowledged, deadline, &mut io);
    }

    /// From now on [`Self::take_callbacks`] has something to tell (`setAcknowledgementCommitCallback`).
    pub fn set_acknowledgement_commit_callback(&mut self) {
        self.callbacks.get_or_insert_default();
    }

    /// The calls of the `AcknowledgementCommitCallback`, in order.
    pub fn take_callbacks(&mut self) -> Vec<AcknowledgementCommit> {
        self.callbacks.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Sends what is acknowledged, ends its sessions (whereby all else that it holds is released) and leaves the group; see
    /// [`Self::is_closed`].
    pub fn close(&mut self, now: Time, out: &mut Outbox<'_>) {
        let deadline = now + DEFAULT_CLOSE_TIMEOUT.min(self.config.request_timeout_ms);
        self.closing = Some(Closing::Sessions(deadline));
        self.polls = false;
        let acknowledged = self.current.take_acknowledgements();
        self.current = ShareFetch::default();
        let mut wake = None;
        let mut io = Io { net: &mut self.net, now, out, wake: &mut wake };
        self.requests.close(acknowledged, deadline, &mut io);
        self.background(now, out, wake);
    }

    /// `close()` has returned.
    pub fn is_closed(&self) -> bool {
        self.closing == Some(Closing::Done)
    }

    // ---- inside ----

    fn accept_if_implicit(&mut self) {
        if !self.is_explicit() {
            self.current.accept_rest();
        }
    }

    /// What became of acknowledgements: renewed records come back, and the callback is called.
    fn hear_answers(&mut self) {
        for answer in std::mem::take(&mut self.requests.answers) {
            if answer.renews {
                let acknowledgements = &answer.acknowledgements;
                self.current.on_answer(answer.partition, acknowledgements, answer.error, answer.lock_timeout);
            }
            if let Some(callbacks) = &mut self.callbacks {
                let offsets = answer.acknowledgements.iter().map(|(offset, _)| offset).collect();
                let (partition, error) = (answer.partition, answer.error);
                callbacks.push(AcknowledgementCommit { partition, offsets, error });
            }
        }
    }
}

fn tell_delivered(records: &[ConsumerRecord], out: &mut Outbox<'_>) {
    for delivered in records {
        if let Some(record) = delivered.id {
            let (partition, offset) = (delivered.partition, delivered.record.offset);
            out.emit(Event::Delivered { record, partition, offset });
        }
    }
}

#[cfg(test)]
mod tests;
