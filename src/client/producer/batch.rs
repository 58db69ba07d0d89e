//! A batch of one partition's records on its way: being filled, queued, in flight, back in the queue.
//!
//! Invariants: it ends once (`done`); it is forgotten when it is done and no request carries it any more; its producer
//! state changes only through [`Batch::set_producer`] and [`Batch::reset_producer`].
//!
//! In Kafka: `ProducerBatch`, `MemoryRecordsBuilder`.

use crate::base::{Duration, LeaderEpoch, ProducerEpoch, ProducerId, RecordId, SortedMap, Time, TopicPartition};
use crate::record::{BatchBuilder, Header, NO_SEQUENCE, RecordBatch, increment_sequence};
use bytes::Bytes;
use std::rc::Rc;

/// Identity of a batch within its producer, in the order of creation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BatchId(pub u64);

/// A producer's identity at the brokers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProducerIdAndEpoch {
    /// −1 if none.
    pub id: ProducerId,
    /// −1 if none.
    pub epoch: ProducerEpoch,
}

impl ProducerIdAndEpoch {
    /// Not known yet.
    pub const NONE: ProducerIdAndEpoch = ProducerIdAndEpoch { id: -1, epoch: -1 };

    /// Is there one?
    pub fn is_valid(self) -> bool {
        self.id > -1
    }
}

/// Records as they are collected, then as they are sent.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Content {
    Open(BatchBuilder),
    Built(RecordBatch),
}

/// A batch.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Batch {
    /// Which one.
    pub id: BatchId,
    /// Where it goes.
    pub partition: TopicPartition,
    content: Content,
    records: Vec<RecordId>,
    /// What it may grow to, and what it takes from `buffer.memory`.
    pub(super) capacity: u32,
    pub(super) max_record_size: u32,
    closed_for_appends: bool,
    /// Where `delivery.timeout.ms` counts from.
    pub created: Time,
    /// When it was created or last came back.
    pub last_attempt: Time,
    /// How often it was sent in vain.
    pub attempts: u32,
    /// It came back at least once.
    pub(super) retry: bool,
    pub(super) retry_backoff: Duration,
    leader_epoch: Option<LeaderEpoch>,
    attempts_when_leader_changed: u32,
    /// A part of a batch that was too large.
    pub is_split: bool,
    /// A request carries it.
    pub in_flight: bool,
    /// Its end was reported to the application.
    pub done: bool,
    producer: ProducerIdAndEpoch,
    base_sequence: i32,
    /// Its sequence was rewritten since it was last sent.
    pub(super) sequence_reset: bool,
}

impl Batch {
    pub(super) fn new(id: BatchId, partition: TopicPartition, capacity: u32, timestamp: i64, created: Time) -> Self {
        Batch {
            id,
            partition,
            content: Content::Open(BatchBuilder::new(timestamp)),
            records: Vec::new(),
            capacity,
            max_record_size: 0,
            closed_for_appends: false,
            created,
            last_attempt: created,
            attempts: 0,
            retry: false,
            retry_backoff: Duration::ZERO,
            leader_epoch: None,
            attempts_when_leader_changed: 0,
            is_split: false,
            in_flight: false,
            done: false,
            producer: ProducerIdAndEpoch::NONE,
            base_sequence: NO_SEQUENCE,
            sequence_reset: false,
        }
    }

    /// Appends a record if there is room; the first one always finds some.
    pub(super) fn try_append(
        &mut self,
        record: RecordId,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> bool {
        if self.is_full() {
            return false;
        }
        let Content::Open(builder) = &mut self.content else { return false };
        if !builder.has_room_for(self.capacity, timestamp, key, value, headers) {
            return false;
        }
        builder.append(timestamp, key, value, headers);
        self.max_record_size = self.max_record_size.max(BatchBuilder::estimate_size(key, value, headers));
        self.records.push(record);
        true
    }

    /// No record fits any more.
    pub fn is_full(&self) -> bool {
        let at_limit = || !self.records.is_empty() && self.capacity <= self.size_in_bytes();
        self.closed_for_appends || matches!(self.content, Content::Built(_)) || at_limit()
    }

    pub(super) fn close_for_appends(&mut self) {
        self.closed_for_appends = true;
    }

    /// The records in it.
    pub fn records(&self) -> &[RecordId] {
        &self.records
    }

    /// How many there are.
    pub fn record_count(&self) -> u32 {
        self.records.len() as u32
    }

    /// As bytes.
    pub fn size_in_bytes(&self) -> u32 {
        match &self.content {
            Content::Open(builder) => builder.size_in_bytes(),
            Content::Built(batch) => batch.size_in_bytes(),
        }
    }

    /// Who sends it, once it was sent by an idempotent producer.
    pub fn producer(&self) -> ProducerIdAndEpoch {
        self.producer
    }

    /// Of its first record; −1 before it was sent, or without idempotence.
    pub fn base_sequence(&self) -> i32 {
        self.base_sequence
    }

    /// Of its last record.
    pub fn last_sequence(&self) -> i32 {
        increment_sequence(self.base_sequence, self.record_count() as i32 - 1)
    }

    /// It was given its place in the sequence.
    pub fn has_sequence(&self) -> bool {
        self.base_sequence != NO_SEQUENCE
    }

    pub(super) fn set_producer(&mut self, producer: ProducerIdAndEpoch, base_sequence: i32) {
        self.producer = producer;
        self.base_sequence = base_sequence;
        if let Content::Built(batch) = &mut self.content {
            *batch = batch.with_producer(producer.id, producer.epoch, base_sequence);
        }
    }

    /// As [`Self::set_producer`], on a batch that was sent before.
    pub(super) fn reset_producer(&mut self, producer: ProducerIdAndEpoch, base_sequence: i32) {
        self.sequence_reset = true;
        self.set_producer(producer, base_sequence);
    }

    /// The bytes to send; nothing can be appended after.
    pub(super) fn close(&mut self, transactional: bool) -> RecordBatch {
        self.sequence_reset = false;
        self.build(transactional)
    }

    fn build(&mut self, transactional: bool) -> RecordBatch {
        if let Content::Open(builder) = &mut self.content {
            let mut builder = std::mem::replace(builder, BatchBuilder::new(0)).transactional(transactional);
            builder.set_producer(self.producer.id, self.producer.epoch, self.base_sequence);
            self.content = Content::Built(builder.build());
        }
        match &self.content {
            Content::Built(batch) => batch.clone(),
            Content::Open(_) => unreachable!("invariant: it was built just now"),
        }
    }

    /// The batch is back and will be sent again.
    pub(super) fn reenqueued(&mut self, now: Time, backoff: Duration) {
        self.attempts += 1;
        self.last_attempt = self.last_attempt.max(now);
        self.retry = true;
        self.retry_backoff = backoff;
    }

    pub(super) fn update_leader_epoch(&mut self, latest: Option<LeaderEpoch>) {
        if latest > self.leader_epoch {
            self.attempts_when_leader_changed = self.attempts;
            self.leader_epoch = latest;
        }
    }

    /// A newer leader became known since it came back: no reason to wait.
    pub fn leader_changed_for_retry(&self) -> bool {
        self.attempts > 0 && self.attempts == self.attempts_when_leader_changed
    }

    /// When its back-off ends.
    pub fn retry_at(&self) -> Time {
        self.last_attempt + self.retry_backoff
    }

    /// It has to wait before it is sent again.
    pub fn is_backing_off(&self, now: Time) -> bool {
        self.attempts > 0 && now < self.retry_at() && !self.leader_changed_for_retry()
    }

    /// Its time is up.
    pub fn has_expired(&self, delivery_timeout: Duration, now: Time) -> bool {
        self.created + delivery_timeout <= now
    }

    /// The same records in smaller batches, each at least one record and, beyond that, at most `size` bytes.
    pub(super) fn split(&mut self, size: u32, mut next_id: impl FnMut() -> BatchId) -> Vec<Batch> {
        let Content::Built(source) = &self.content else { unreachable!("invariant: what was refused was sent") };
        let mut parts: Vec<Batch> = Vec::new();
        for (record, id) in source.records().zip(&self.records) {
            let record = record.expect("invariant: a producer reads its own batches");
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            let append = |part: &mut Batch| part.try_append(*id, record.timestamp, key, value, &record.headers);
            if !parts.last_mut().is_some_and(append) {
                let capacity = size.max(BatchBuilder::estimate_size(key, value, &record.headers));
                let mut part = Batch::new(next_id(), self.partition, capacity, record.timestamp, self.created);
                part.is_split = true;
                let fits = append(&mut part);
                assert!(fits, "invariant: the first record always finds room");
                parts.push(part);
            }
        }
        let mut sequence = self.base_sequence;
        for part in &mut parts {
            part.close_for_appends();
            if self.has_sequence() {
                part.set_producer(self.producer, sequence);
                sequence = increment_sequence(sequence, part.record_count() as i32);
            }
        }
        parts
    }
}

/// All batches that are not done, or that a request still carries.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Batches {
    batches: SortedMap<BatchId, Rc<Batch>>,
    next: u64,
}

impl Batches {
    pub(super) fn next_id(&mut self) -> BatchId {
        self.next += 1;
        BatchId(self.next)
    }

    /// The last id given.
    pub(super) fn last_id(&self) -> BatchId {
        BatchId(self.next)
    }

    pub(super) fn insert(&mut self, batch: Batch) {
        self.batches.insert(batch.id, Rc::new(batch));
    }

    /// A batch that is alive.
    pub fn get(&self, id: BatchId) -> &Batch {
        self.batches.get(&id).expect("invariant: a batch is referred to only while it lives")
    }

    pub(super) fn get_mut(&mut self, id: BatchId) -> &mut Batch {
        Rc::make_mut(self.batches.get_mut(&id).expect("invariant: a batch is referred to only while it lives"))
    }

    pub(super) fn remove(&mut self, id: BatchId) {
        self.batches.remove(&id);
    }

    /// Those whose end was not reported yet, in the order of creation.
    pub fn incomplete(&self) -> impl Iterator<Item = &Batch> {
        self.batches.values().map(|batch| &**batch).filter(|batch| !batch.done)
    }
}

/// A record for `send()`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ProducerRecord {
    /// Its number in the scenario.
    pub record: RecordId,
    /// Where to.
    pub topic: Rc<str>,
    /// If the application chose it.
    pub partition: Option<u32>,
    /// Chooses the partition, and what compaction keeps.
    pub key: Option<Bytes>,
    /// The content.
    pub value: Bytes,
    /// More of it.
    pub headers: Vec<Header>,
}
