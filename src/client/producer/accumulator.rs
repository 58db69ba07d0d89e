//! Records waiting to be sent: a queue of batches for each partition.
//!
//! Invariants: only the last batch of a queue is open for records; the memory taken never exceeds `buffer.memory`; a
//! queue's retried batches stand in front, with idempotence in the order of their sequences.
//!
//! In Kafka: `RecordAccumulator`, `BufferPool`. On purpose different: a retry's back-off is drawn once, when the batch
//! comes back, not each time somebody looks.

use super::batch::{Batch, BatchId, Batches, ProducerRecord};
use super::partitioner::{PartitionLoad, StickyPartition, next_partition, partition_for_key};
use super::transaction_manager::TransactionManager;
use crate::base::config::ProducerConfig;
use crate::base::{BrokerId, Duration, Prng, SortedMap, SortedSet, Time, TopicId, TopicPartition, sort_long};
use crate::client::metadata::Metadata;
use crate::client::network_client::ExponentialBackoff;
use crate::protocol::TopicMetadata;
use crate::record::BatchBuilder;
use std::collections::VecDeque;

/// What became of an append.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Append {
    /// It is in.
    Done {
        /// Where.
        partition: TopicPartition,
        /// The batch is new or full: the sender should look.
        wake: bool,
    },
    /// There is no memory for the batch it needs.
    NoMemory(TopicPartition),
}

/// What the sender finds when it looks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ReadyCheck {
    /// Leaders of partitions with something to send.
    pub nodes: SortedSet<BrokerId>,
    /// When to look again although nothing happens.
    pub next_check: Option<Time>,
    /// Topics with batches whose leader is not known.
    pub unknown_leader: SortedSet<TopicId>,
}

/// Queues and memory.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Accumulator {
    pub batches: Batches,
    queues: SortedMap<TopicPartition, VecDeque<BatchId>>,
    /// Partitions that ever had a queue.
    touched: SortedSet<TopicPartition>,
    sticky: SortedMap<TopicId, StickyPartition>,
    muted: SortedSet<TopicPartition>,
    drain_from: SortedMap<BrokerId, TopicPartition>,
    batch_size: u32,
    linger: Duration,
    retry_backoff: ExponentialBackoff,
    pub delivery_timeout: Duration,
    adaptive: bool,
    ignore_keys: bool,
    idempotent: bool,
    pub memory_available: u64,
    pub memory_total: u64,
}

impl Accumulator {
    pub fn new(config: &ProducerConfig) -> Self {
        Accumulator {
            batches: Batches::default(),
            queues: SortedMap::new(),
            touched: SortedSet::new(),
            sticky: SortedMap::new(),
            muted: SortedSet::new(),
            drain_from: SortedMap::new(),
            batch_size: config.batch_size.max(1),
            linger: config.linger_ms,
            retry_backoff: ExponentialBackoff::new(config.retry_backoff_ms, config.retry_backoff_max_ms),
            delivery_timeout: config.delivery_timeout_ms,
            adaptive: config.partitioner_adaptive_partitioning_enable,
            ignore_keys: config.partitioner_ignore_keys,
            idempotent: config.enable_idempotence,
            memory_available: config.buffer_memory,
            memory_total: config.buffer_memory,
        }
    }

    // ---- appending ----

    /// Appends a record to the partition it belongs to, in a new batch if need be.
    pub fn append(
        &mut self,
        record: &ProducerRecord,
        topic: &TopicMetadata,
        metadata: &Metadata,
        now: Time,
        random: &mut Prng,
    ) -> Append {
        let count = topic.partitions.len() as u32;
        let keyed = record.key.as_ref().filter(|_| !self.ignore_keys);
        if let Some(partition) = record.partition.or_else(|| keyed.map(|key| partition_for_key(key, count))) {
            let (append, _) = self.append_to(record, TopicPartition::new(topic.topic, partition), now);
            return append;
        }
        let mut sticky = match self.sticky.get(&topic.topic) {
            Some(sticky) => *sticky,
            None => StickyPartition::new(self.choose_partition(topic, metadata, random)),
        };
        // A switch may be due from an earlier append that could not carry it out.
        let current = TopicPartition::new(topic.topic, sticky.partition());
        if self.last_is_full(current) && sticky.update(0, self.batch_size, true) {
            sticky = StickyPartition::new(self.choose_partition(topic, metadata, random));
        }
        self.sticky.insert(topic.topic, sticky);
        let partition = TopicPartition::new(topic.topic, sticky.partition());
        let (append, bytes) = self.append_to(record, partition, now);
        if matches!(append, Append::Done { .. }) {
            let enable_switch = self.last_is_full(partition);
            if sticky.update(bytes, self.batch_size, enable_switch) {
                sticky = StickyPartition::new(self.choose_partition(topic, metadata, random));
            }
            self.sticky.insert(topic.topic, sticky);
        }
        append
    }

    /// Also returns by how many bytes the batch grew.
    fn append_to(&mut self, record: &ProducerRecord, partition: TopicPartition, now: Time) -> (Append, u32) {
        let (key, value) = (record.key.as_deref(), Some(&record.value[..]));
        let timestamp = now.wall_clock_ms();
        if let Some(last) = self.queues.get(&partition).and_then(|queue| queue.back()) {
            let batch = self.batches.get_mut(*last);
            let before = batch.size_in_bytes();
            if batch.try_append(record.record, timestamp, key, value, &record.headers) {
                let wake = batch.is_full();
                return (Append::Done { partition, wake }, batch.size_in_bytes() - before);
            }
            batch.close_for_appends();
        }
        let size = self.batch_size.max(BatchBuilder::estimate_size(key, value, &record.headers));
        if self.memory_available < u64::from(size) {
            return (Append::NoMemory(partition), 0);
        }
        self.memory_available -= u64::from(size);
        let mut batch = Batch::new(self.batches.next_id(), partition, size, timestamp, now);
        let fits = batch.try_append(record.record, timestamp, key, value, &record.headers);
        assert!(fits, "invariant: the first record always finds room");
        let bytes = batch.size_in_bytes();
        self.queues.entry(partition).or_default().push_back(batch.id);
        self.touched.insert(partition);
        self.batches.insert(batch);
        (Append::Done { partition, wake: true }, bytes)
    }

    fn last_is_full(&self, partition: TopicPartition) -> bool {
        let last = self.queues.get(&partition).and_then(|queue| queue.back());
        last.is_none_or(|id| self.batches.get(*id).is_full())
    }

    fn choose_partition(&self, topic: &TopicMetadata, metadata: &Metadata, random: &mut Prng) -> u32 {
        let at = |index: u32| TopicPartition::new(topic.topic, index);
        let all = 0..topic.partitions.len() as u32;
        let mut candidates: Vec<u32> = all.clone().filter(|index| metadata.leader(at(*index)).is_some()).collect();
        if candidates.is_empty() {
            candidates = all.clone().collect();
        }
        let touched = self.touched.range(at(0)..=at(u32::MAX)).count();
        let load = (self.adaptive && touched >= topic.partitions.len()).then(|| {
            let queued = |index: u32| self.queues.get(&at(index)).map_or(0, |queue| queue.len() as u64);
            let led = all.clone().filter(|index| metadata.leader(at(*index)).is_some());
            let queues: Vec<(u32, u64)> = led.map(|index| (index, queued(index))).collect();
            let some_left_out = queues.len() < touched;
            PartitionLoad { queues, some_left_out }
        });
        next_partition(&candidates, load.as_ref(), random)
    }

    // ---- what is ready ----

    /// Which nodes have something to send. `all`: whatever lingers (closing, flushing, out of memory).
    pub fn ready(&mut self, metadata: &Metadata, all: bool, now: Time) -> ReadyCheck {
        let mut check = ReadyCheck::default();
        for (partition, queue) in &self.queues {
            let Some(head) = queue.front() else { continue };
            if self.batches.get(*head).attempts > 0 {
                self.batches.get_mut(*head).update_leader_epoch(metadata.leader_epoch(*partition));
            }
            let batch = self.batches.get(*head);
            let Some(leader) = metadata.leader(*partition) else {
                check.unknown_leader.insert(partition.topic);
                continue;
            };
            if check.nodes.contains(&leader) || self.muted.contains(partition) {
                continue;
            }
            let backing_off = batch.is_backing_off(now);
            let wait_until = if backing_off { batch.retry_at() } else { batch.last_attempt + self.linger };
            let full = queue.len() > 1 || batch.is_full();
            if !backing_off && (full || all || wait_until <= now) {
                check.nodes.insert(leader);
            } else {
                check.next_check = Some(check.next_check.map_or(wait_until, |at| at.min(wait_until)));
            }
        }
        check
    }

    /// Takes at most one batch of each partition led by `node`, together at most `max_size` bytes (but at least one).
    pub fn drain(
        &mut self,
        node: BrokerId,
        metadata: &Metadata,
        mut manager: Option<&mut TransactionManager>,
        max_size: u32,
        now: Time,
    ) -> Vec<BatchId> {
        let (mut drained, mut size) = (Vec::new(), 0);
        for partition in self.led_by(node, metadata) {
            self.drain_from.insert(node, partition);
            if self.muted.contains(&partition) {
                continue;
            }
            let Some(head) = self.queues.get(&partition).and_then(|queue| queue.front()).copied() else { continue };
            let batch = self.batches.get_mut(head);
            batch.update_leader_epoch(metadata.leader_epoch(partition));
            if batch.is_backing_off(now) {
                continue;
            }
            if !drained.is_empty() && size + batch.size_in_bytes() > max_size {
                break;
            }
            // Kafka, too, leaves the node's other partitions for later here.
            if manager.as_ref().is_some_and(|manager| manager.holds_back(batch)) {
                break;
            }
            self.pop_front(partition);
            if let Some(manager) = manager.as_deref_mut()
                && !self.batches.get(head).has_sequence()
            {
                manager.assign_sequence(head, &mut self.batches);
            }
            size += self.batches.get(head).size_in_bytes();
            drained.push(head);
        }
        drained
    }

    /// Partitions with batches that `node` leads, beginning with the one looked at last.
    fn led_by(&self, node: BrokerId, metadata: &Metadata) -> Vec<TopicPartition> {
        let mut led: Vec<_> = self.queues.keys().filter(|p| metadata.leader(**p) == Some(node)).copied().collect();
        if let Some(last) = self.drain_from.get(&node) {
            let first = led.partition_point(|partition| partition < last);
            led.rotate_left(first);
        }
        led
    }

    fn pop_front(&mut self, partition: TopicPartition) {
        if let Some(queue) = self.queues.get_mut(&partition) {
            queue.pop_front();
            if queue.is_empty() {
                self.queues.remove(&partition);
            }
        }
    }

    // ---- coming back ----

    /// A batch that was sent in vain goes back into its queue.
    pub fn reenqueue(&mut self, id: BatchId, now: Time, random: &mut Prng) {
        let attempts = self.batches.get(id).attempts;
        let backoff = self.retry_backoff.backoff(attempts, random);
        self.batches.get_mut(id).reenqueued(now, backoff);
        self.insert_front(id);
    }

    /// Replaces a batch that is too large by smaller ones; returns them.
    pub fn split_and_reenqueue(&mut self, id: BatchId, manager: Option<&mut TransactionManager>) -> Vec<BatchId> {
        let big = self.batches.get(id);
        let halved = big.max_record_size.max(big.size_in_bytes() / 2);
        let target = if big.is_split { halved } else { self.batch_size };
        let mut next = self.batches.last_id().0;
        let parts = self.batches.get_mut(id).split(target, || {
            next += 1;
            BatchId(next)
        });
        let ids: Vec<BatchId> = parts.iter().map(|part| part.id).collect();
        for part in parts {
            self.batches.next_id();
            self.batches.insert(part);
        }
        let mut manager = manager;
        for part in ids.iter().rev() {
            if let Some(manager) = manager.as_deref_mut() {
                manager.add_in_flight(self.batches.get(*part));
            }
            self.insert_front(*part);
        }
        ids
    }

    fn insert_front(&mut self, id: BatchId) {
        let batch = self.batches.get(id);
        assert!(!self.idempotent || batch.has_sequence(), "invariant: what was sent has a sequence");
        let batches = &self.batches;
        let queue = self.queues.entry(batch.partition).or_default();
        let before = |other: &&BatchId| {
            let other = batches.get(**other);
            self.idempotent && other.has_sequence() && other.base_sequence() < batch.base_sequence()
        };
        let at = queue.iter().take_while(before).count();
        queue.insert(at, id);
    }

    /// Takes out the batches at the heads of queues whose `delivery.timeout.ms` passed.
    pub fn take_expired(&mut self, now: Time) -> Vec<BatchId> {
        let mut expired = Vec::new();
        for queue in self.queues.values_mut() {
            while let Some(head) = queue.front() {
                if !self.batches.get(*head).has_expired(self.delivery_timeout, now) {
                    break;
                }
                expired.extend(queue.pop_front());
            }
        }
        if !expired.is_empty() {
            self.queues.retain(|_, queue| !queue.is_empty());
        }
        expired
    }

    /// When the next head of a queue expires.
    pub fn next_expiry(&self) -> Option<Time> {
        let heads = self.queues.values().filter_map(|queue| queue.front());
        heads.map(|head| self.batches.get(*head).created + self.delivery_timeout).min()
    }

    /// Takes out what was never sent.
    pub fn take_undrained(&mut self) -> Vec<BatchId> {
        let (mut taken, batches) = (Vec::new(), &self.batches);
        self.queues.retain(|_, queue| {
            queue.retain(|id| {
                let keep = batches.get(*id).has_sequence();
                if !keep {
                    taken.push(*id);
                }
                keep
            });
            !queue.is_empty()
        });
        sort_long(&mut taken, |a, b| a < b);
        taken
    }

    /// Empties every queue.
    pub fn take_all(&mut self) -> Vec<BatchId> {
        std::mem::take(&mut self.queues).into_values().flatten().collect()
    }

    /// Gives a batch's memory back and forgets it. Parts of a split batch never had any.
    pub fn deallocate(&mut self, id: BatchId) {
        let batch = self.batches.get(id);
        if !batch.is_split {
            self.memory_available += u64::from(batch.capacity);
        }
        self.batches.remove(id);
    }

    pub fn mute(&mut self, partition: TopicPartition) {
        self.muted.insert(partition);
    }

    pub fn unmute(&mut self, partition: TopicPartition) {
        self.muted.remove(&partition);
    }

    /// The queues that are not empty.
    pub fn queues(&self) -> impl Iterator<Item = (TopicPartition, impl Iterator<Item = &Batch>)> {
        self.queues.iter().map(|(partition, queue)| (*partition, queue.iter().map(|id| self.batches.get(*id))))
    }

    /// When the linger of a fresh batch ends.
    pub fn linger_until(&self, batch: &Batch) -> Time {
        batch.last_attempt + self.linger
    }
}
