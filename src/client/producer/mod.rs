//! The producer client: `send()` puts records into an accumulator, a sender takes batches out, one of each partition in
//! a request, and retries them until they are acknowledged, refused or too old.
//!
//! With a `transactional.id` records are sent in transactions; [`transactional`] tells of them.
//!
//! Invariants: each record handed to [`Producer::send`] ends in exactly one of [`Event::Acked`] and
//! [`Event::SendFailed`], unless the process dies; with idempotence the batches of a partition are stored in the order
//! in which their records were sent.
//!
//! In Kafka: `KafkaProducer`, `RecordAccumulator`, `Sender`, `TransactionManager`, `BuiltInPartitioner`.
//!
//! On purpose different: a `send()` that would block leaves its record waiting, and all that are sent after it; a blocked
//! record's `max.block.ms` counts from when it became the first of them, as for a thread that calls `send()` in a loop.

mod accumulator;
mod batch;
mod inspect;
mod partitioner;
mod responses;
mod sender;
mod state;
mod transaction_manager;
mod transactional;

pub use batch::{Batch, BatchId, Batches, ProducerIdAndEpoch, ProducerRecord};
pub use inspect::{BufferedBatch, InFlightRequest, ProducerActivity};
pub use partitioner::{murmur2, partition_for_key};
pub use state::State;
pub use transaction_manager::{PartitionSequence, TransactionManager};
pub use transactional::{GroupMetadata, Operation, TransactionInspection};

use crate::base::config::ProducerConfig;
use crate::base::{NodeId, Offset, RecordId, SortedMap, Time, TopicId, TopicPartition};
use crate::client::metadata::MetadataConfig;
use crate::client::network_client::{ExponentialBackoff, NetworkClient, NetworkConfig};
use crate::node::{Channel, ClientError, ConnectionId, Event, Message, Outbox, ProducerTimer};
use crate::protocol::ErrorCode;
use crate::record::BatchBuilder;
use accumulator::{Accumulator, Append};
use std::collections::VecDeque;
use std::rc::Rc;

/// What became of a [`Producer::send`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum SendOutcome {
    /// The record is in the accumulator.
    Buffered(TopicPartition),
    /// `send()` blocks: for metadata, for memory, or behind a record that does.
    Blocked,
    /// It failed at once; the event tells why.
    Failed,
}

/// The end of a record, as its callback would hear it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Completion {
    /// Which record.
    pub record: RecordId,
    /// Where to, if that was decided.
    pub partition: Option<TopicPartition>,
    /// Its offset (−1 with `acks=0`), or why it failed.
    pub result: Result<Offset, ClientError>,
}

/// What a request in flight was for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Pending {
    /// These batches.
    Produce(Rc<[BatchId]>),
    /// The producer id.
    InitProducerId,
    /// Something about transactions.
    Transactional,
}

/// Why `send()` blocks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum BlockedOn {
    Metadata,
    Memory(TopicPartition),
}

/// The first record that `send()` could not take yet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Block {
    on: BlockedOn,
    until: Time,
    /// The metadata it found wanting.
    metadata_version: u32,
}

/// A producer client.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Producer {
    name: Rc<str>,
    config: Rc<ProducerConfig>,
    network: NetworkClient<Pending>,
    accumulator: Accumulator,
    manager: Option<TransactionManager>,
    /// Batches that a request carries, by partition, in the order of sending; those given up are not among them.
    in_flight: SortedMap<TopicPartition, Vec<BatchId>>,
    topic_names: SortedMap<TopicId, Rc<str>>,
    blocked: VecDeque<ProducerRecord>,
    block: Option<Block>,
    /// `flush()` waits for batches up to this one.
    flush: Option<BatchId>,
    closing: bool,
    completions: Option<Vec<Completion>>,
    sender_timer: Option<Time>,
    timeout_timer: Option<Time>,
}

impl Producer {
    /// A producer client that has not started.
    pub fn new(name: Rc<str>, config: ProducerConfig, cluster: Rc<[NodeId]>) -> Self {
        let network = NetworkConfig {
            request_timeout: config.request_timeout_ms,
            reconnect_backoff: ExponentialBackoff::new(config.reconnect_backoff_ms, config.reconnect_backoff_max_ms),
            setup_timeout: ExponentialBackoff::new(
                config.socket_connection_setup_timeout_ms,
                config.socket_connection_setup_timeout_max_ms,
            ),
            max_in_flight: config.max_in_flight_requests_per_connection,
            metadata_channel: Channel::Producer,
        };
        let metadata = MetadataConfig {
            refresh_backoff: ExponentialBackoff::new(config.retry_backoff_ms, config.retry_backoff_max_ms),
            max_age: config.metadata_max_age_ms,
            max_idle: Some(config.metadata_max_idle_ms),
        };
        Producer {
            name,
            network: NetworkClient::new(network, metadata, cluster),
            accumulator: Accumulator::new(&config),
            manager: config.enable_idempotence.then(|| TransactionManager::new(&config)),
            in_flight: SortedMap::new(),
            topic_names: SortedMap::new(),
            blocked: VecDeque::new(),
            block: None,
            flush: None,
            closing: false,
            completions: None,
            sender_timer: None,
            timeout_timer: None,
            config: Rc::new(config),
        }
    }

    /// Keeps the end of every record for [`Self::take_completions`].
    pub fn with_completions(mut self) -> Self {
        self.completions = Some(Vec::new());
        self
    }

    /// The callbacks that would have been called since the last time, in order.
    pub fn take_completions(&mut self) -> Vec<Completion> {
        self.completions.as_mut().map(std::mem::take).unwrap_or_default()
    }

    // ---- what the application calls ----

    /// The sender thread starts: it looks for brokers and, with idempotence, for a producer id.
    pub fn start(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.turn(now, out);
    }

    /// Sends a record: into the accumulator, if metadata and memory allow.
    pub fn send(&mut self, now: Time, record: ProducerRecord, out: &mut Outbox<'_>) -> SendOutcome {
        if let Some(error) = self.refusal() {
            self.fail_record(record.record, None, error, out);
            return SendOutcome::Failed;
        }
        if !self.blocked.is_empty() {
            self.blocked.push_back(record);
            return SendOutcome::Blocked;
        }
        let id = record.record;
        self.blocked.push_back(record);
        let outcome = self.unblock_first(now, out);
        if !matches!(outcome, Unblocked::Appended { wake: false, .. }) {
            self.turn(now, out);
        }
        match outcome {
            Unblocked::Appended { partition, .. } => SendOutcome::Buffered(partition),
            Unblocked::Failed => SendOutcome::Failed,
            // The turn may have settled it, one way or the other.
            Unblocked::Not if self.blocked.iter().any(|blocked| blocked.record == id) => SendOutcome::Blocked,
            Unblocked::Not => match self.accumulator.batches.incomplete().find(|b| b.records().contains(&id)) {
                Some(batch) => SendOutcome::Buffered(batch.partition),
                None => SendOutcome::Failed,
            },
        }
    }

    /// Sends at once what lingers; done when [`Self::is_flushed`].
    pub fn flush(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.flush = Some(self.accumulator.batches.last_id());
        self.turn(now, out);
    }

    /// No flush is under way.
    pub fn is_flushed(&self) -> bool {
        self.flush.is_none()
    }

    /// Takes no more records and sends what there is; done when [`Self::is_closed`].
    pub fn close(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.closing = true;
        self.turn(now, out);
    }

    /// Closed, and nothing is left to send.
    pub fn is_closed(&self) -> bool {
        self.closing
            && self.is_idle()
            && !self.manager.as_ref().is_some_and(TransactionManager::has_ongoing_transaction)
    }

    /// Every record has ended.
    pub fn is_idle(&self) -> bool {
        self.blocked.is_empty() && self.accumulator.batches.incomplete().next().is_none()
    }

    /// `send()` is blocked: a program would not get to its next record now.
    pub fn is_blocked(&self) -> bool {
        !self.blocked.is_empty()
    }

    // ---- what the world calls ----

    /// A response arrived.
    pub fn on_response(&mut self, now: Time, message: Message, out: &mut Outbox<'_>) {
        if let Some(completed) = self.network.on_response(now, message, out) {
            self.on_completed(now, completed, out);
        }
        self.turn(now, out);
    }

    /// A connection broke.
    pub fn on_disconnect(&mut self, now: Time, connection: ConnectionId, out: &mut Outbox<'_>) {
        for completed in self.network.on_disconnect(now, connection, out) {
            self.on_completed(now, completed, out);
        }
        self.turn(now, out);
    }

    /// A timer is due.
    pub fn on_timer(&mut self, now: Time, timer: ProducerTimer, out: &mut Outbox<'_>) {
        match timer {
            ProducerTimer::Sender => self.sender_timer = None,
            ProducerTimer::RequestTimeout => {
                self.timeout_timer = None;
                for completed in self.network.on_timeout(now, out) {
                    self.on_completed(now, completed, out);
                }
            }
        }
        self.turn(now, out);
    }

    // ---- send(), continued ----

    /// Why no record is taken at all.
    fn refusal(&self) -> Option<ClientError> {
        self.closing.then(transactional::closed)
    }

    /// Tries the first blocked record.
    fn unblock_first(&mut self, now: Time, out: &mut Outbox<'_>) -> Unblocked {
        let Some(record) = self.blocked.pop_front() else { return Unblocked::Not };
        let error = match self.try_append(&record, now, out) {
            Ok(Append::Done { partition, wake }) => {
                self.block = None;
                if let Some(manager) = &mut self.manager {
                    manager.add_partition(partition);
                }
                out.emit(Event::Sent { record: record.record, partition });
                return Unblocked::Appended { partition, wake };
            }
            Ok(Append::NoMemory(partition)) => self.still_blocked(BlockedOn::Memory(partition), &record.topic, now),
            Err(Wait::ForMetadata) => self.still_blocked(BlockedOn::Metadata, &record.topic, now),
            Err(Wait::InVain(error)) => Some((None, error)),
        };
        match error {
            None => {
                self.blocked.push_front(record);
                Unblocked::Not
            }
            Some((partition, error)) => {
                self.block = None;
                if let Some(manager) = &mut self.manager {
                    manager.on_send_refused(&error);
                }
                self.fail_record(record.record, partition, error, out);
                Unblocked::Failed
            }
        }
    }

    /// Goes on waiting, unless `max.block.ms` passed.
    fn still_blocked(
        &mut self,
        on: BlockedOn,
        topic: &Rc<str>,
        now: Time,
    ) -> Option<(Option<TopicPartition>, ClientError)> {
        let version = self.network.metadata.update_version();
        let asked_for = self.block.filter(|block| block.on == BlockedOn::Metadata).map(|block| block.metadata_version);
        if on == BlockedOn::Metadata && asked_for != Some(version) {
            self.network.metadata.request_update_for_topic(topic);
        }
        let until = self.block.map_or(now + self.config.max_block_ms, |block| block.until);
        self.block = Some(Block { on, until, metadata_version: version });
        let partition = match on {
            BlockedOn::Metadata => None,
            BlockedOn::Memory(partition) => Some(partition),
        };
        (until <= now).then_some((partition, ClientError::Timeout))
    }

    fn try_append(&mut self, record: &ProducerRecord, now: Time, out: &mut Outbox<'_>) -> Result<Append, Wait> {
        let metadata = &mut self.network.metadata;
        if metadata.topic_error(&record.topic) == Some(ErrorCode::InvalidTopicException) {
            return Err(Wait::InVain(ClientError::Broker(ErrorCode::InvalidTopicException)));
        }
        metadata.add_topic(&record.topic, now);
        let metadata = &self.network.metadata;
        let known = metadata.topic_id(&record.topic).and_then(|id| metadata.topic(id));
        let count = known.map_or(0, |topic| topic.partitions.len() as u32);
        let Some(topic) = known.filter(|_| record.partition.map_or(count > 0, |p| p < count)) else {
            return Err(Wait::ForMetadata);
        };
        let size = BatchBuilder::estimate_size(record.key.as_deref(), Some(&record.value), &record.headers);
        if let Some(error) = self.too_large(size) {
            return Err(Wait::InVain(ClientError::Exception(Rc::from(error))));
        }
        if let Some(manager) = &mut self.manager
            && let Err(error) = manager.check_send(&record.topic, record.partition)
        {
            return Err(Wait::InVain(error));
        }
        self.topic_names.entry(topic.topic).or_insert_with(|| Rc::clone(&topic.name));
        Ok(self.accumulator.append(record, topic, metadata, now, out.random()))
    }

    fn too_large(&self, size: u32) -> Option<String> {
        let is = format!("RecordTooLargeException: The message is {size} bytes when serialized which is larger than");
        let (max, memory) = (self.config.max_request_size, self.accumulator.memory_total);
        if size > max {
            return Some(format!("{is} {max}, which is the value of the max.request.size configuration."));
        }
        let needed = u64::from(size.max(self.config.batch_size));
        if u64::from(size) > memory {
            return Some(format!(
                "{is} the total memory buffer you have configured with the buffer.memory configuration."
            ));
        }
        (needed > memory).then(|| {
            format!(
                "IllegalArgumentException: Attempt to allocate {needed} bytes, but there is a hard limit of {memory} \
                 on memory allocations."
            )
        })
    }

    fn fail_record(
        &mut self,
        record: RecordId,
        partition: Option<TopicPartition>,
        error: ClientError,
        out: &mut Outbox<'_>,
    ) {
        if let Some(completions) = &mut self.completions {
            completions.push(Completion { record, partition, result: Err(error.clone()) });
        }
        out.emit(Event::SendFailed { record, partition, error });
    }
}

/// What a try to unblock a record came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unblocked {
    Appended { partition: TopicPartition, wake: bool },
    Failed,
    Not,
}

/// Why a record is not in the accumulator.
enum Wait {
    ForMetadata,
    InVain(ClientError),
}

#[cfg(test)]
mod tests;
