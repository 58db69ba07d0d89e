//! A worker thread that processes what the poll loop hands it through a queue in memory.
//!
//! Invariants: it takes records in the order of hand-over, one at a time; the queue holds at most
//! [`WORKER_QUEUE_CAPACITY`] records, and a hand-over to a full queue blocks (`ArrayBlockingQueue.put`). A crash destroys
//! the queue, and with it every record whose offset was committed in the belief that handed over means processed.

use crate::base::{Duration, Time, TopicPartition};
use crate::client::consumer::ConsumerRecord;
use std::collections::VecDeque;

/// How many records may wait for the worker.
pub const WORKER_QUEUE_CAPACITY: usize = 1_000;

/// The worker's side of the hand-over.
#[derive(Clone, PartialEq, Hash, Debug, Default)]
pub struct Worker {
    queue: VecDeque<ConsumerRecord>,
    current: Option<(ConsumerRecord, Time)>,
}

impl Worker {
    /// Records that wait for it, the next one first.
    pub fn queue(&self) -> &VecDeque<ConsumerRecord> {
        &self.queue
    }

    /// What it processes, and until when.
    pub fn current(&self) -> Option<&(ConsumerRecord, Time)> {
        self.current.as_ref()
    }

    /// Nothing to do.
    pub fn is_idle(&self) -> bool {
        self.current.is_none() && self.queue.is_empty()
    }

    /// Another record may be put into the queue.
    pub fn has_room(&self) -> bool {
        self.queue.len() < WORKER_QUEUE_CAPACITY
    }

    /// Whether it works on a record of these partitions, or has one in its queue.
    pub(super) fn has_any(&self, partitions: &[TopicPartition]) -> bool {
        let current = self.current.iter().map(|(record, _)| record);
        current.chain(&self.queue).any(|record| partitions.contains(&record.partition))
    }

    /// Takes a record over.
    pub(super) fn put(&mut self, record: ConsumerRecord) {
        assert!(self.has_room(), "invariant: a hand-over to a full queue blocks");
        self.queue.push_back(record);
    }

    /// Begins the next record, if it is free and there is one; tells which, and when it will be done.
    pub(super) fn begin(&mut self, now: Time, processing: Duration) -> Option<(&ConsumerRecord, Time)> {
        if self.current.is_some() {
            return None;
        }
        self.current = Some((self.queue.pop_front()?, now + processing));
        self.current.as_ref().map(|(record, until)| (record, *until))
    }

    /// Its record takes until then.
    pub(super) fn wait(&mut self, until: Time) {
        if let Some((_, end)) = &mut self.current {
            *end = until;
        }
    }

    /// Its record is done now.
    pub(super) fn finish(&mut self) {
        self.current = None;
    }
}
