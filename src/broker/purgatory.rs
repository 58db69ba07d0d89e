//! Where produce requests with acks=all wait for replication (Kafka's `DelayedProduce`). Fetches wait in their sessions.
//!
//! An operation completes when each of its partitions has: the high watermark reached the end of what was appended, or
//! leadership was lost. What has not by the deadline is answered `REQUEST_TIMED_OUT`; the records stay in the log.

use crate::base::{Offset, SortedMap, Time, TopicPartition};
use crate::node::RequestContext;
use crate::protocol::{ErrorCode, ProducePartitionResponse};
use std::collections::VecDeque;

/// All waiting produce requests.
#[derive(Clone, Hash, Debug, Default)]
pub struct ProducePurgatory {
    next: u64,
    operations: SortedMap<u64, DelayedProduce>,
    watchers: SortedMap<TopicPartition, VecDeque<u64>>,
}

/// One request that waits.
#[derive(Clone, Hash, Debug)]
pub struct DelayedProduce {
    /// Whom to answer.
    pub context: RequestContext,
    /// When the producer's patience ends.
    pub deadline: Time,
    /// In the order of the request.
    pub partitions: Vec<ProduceStatus>,
}

/// One partition of a [`DelayedProduce`].
#[derive(Clone, Hash, Debug)]
pub struct ProduceStatus {
    /// The answer, which becomes an error if replication fails.
    pub response: ProducePartitionResponse,
    /// Where the high watermark has to get.
    pub required_offset: Offset,
    /// Not there yet.
    pub pending: bool,
}

impl DelayedProduce {
    fn is_done(&self) -> bool {
        self.partitions.iter().all(|status| !status.pending)
    }
}

impl ProduceStatus {
    /// Done, with an error or without.
    pub fn finish(&mut self, error: ErrorCode) {
        self.pending = false;
        self.response.error = error;
    }
}

impl ProducePurgatory {
    /// Lets a request wait.
    pub fn insert(&mut self, operation: DelayedProduce) {
        let id = self.next;
        self.next += 1;
        for status in operation.partitions.iter().filter(|status| status.pending) {
            self.watchers.entry(status.response.partition).or_default().push_back(id);
        }
        self.operations.insert(id, operation);
    }

    /// Asks `check` about everything that waits for this partition: `None` for "wait on". Returns what is complete now.
    pub fn complete(
        &mut self,
        partition: TopicPartition,
        mut check: impl FnMut(Offset) -> Option<ErrorCode>,
    ) -> Vec<DelayedProduce> {
        let mut done = Vec::new();
        let Some(watchers) = self.watchers.get_mut(&partition) else { return done };
        watchers.retain(|id| {
            let Some(operation) = self.operations.get_mut(id) else { return false };
            let mut waits = false;
            for status in operation.partitions.iter_mut().filter(|s| s.pending && s.response.partition == partition) {
                match check(status.required_offset) {
                    Some(error) => status.finish(error),
                    None => waits = true,
                }
            }
            if operation.is_done() {
                done.extend(self.operations.remove(id));
            }
            waits
        });
        done
    }

    /// Takes out what has waited too long.
    pub fn expire(&mut self, now: Time) -> Vec<DelayedProduce> {
        let late: Vec<u64> =
            self.operations.iter().filter(|(_, operation)| operation.deadline <= now).map(|(id, _)| *id).collect();
        let mut expired = Vec::with_capacity(late.len());
        for id in late {
            let Some(mut operation) = self.operations.remove(&id) else { continue };
            for status in operation.partitions.iter_mut().filter(|status| status.pending) {
                if let Some(watchers) = self.watchers.get_mut(&status.response.partition) {
                    watchers.retain(|watcher| *watcher != id);
                }
                status.finish(ErrorCode::RequestTimedOut);
            }
            expired.push(operation);
        }
        expired
    }

    /// The earliest deadline.
    pub fn deadline(&self) -> Option<Time> {
        self.operations.values().map(|operation| operation.deadline).min()
    }

    /// How many requests wait.
    pub fn len(&self) -> usize {
        self.operations.len()
    }
}
