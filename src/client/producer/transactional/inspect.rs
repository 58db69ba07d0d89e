//! What a transactional producer shows of itself.

use super::Operation;
use crate::base::{Duration, NodeId, Time, TopicPartition};
use crate::client::Producer;
use crate::client::producer::ProducerIdAndEpoch;
use crate::node::ClientError;
use std::rc::Rc;

/// A transactional producer's view of its transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransactionInspection<'a> {
    /// `transactional.id`.
    pub transactional_id: &'a Rc<str>,
    /// `transaction.timeout.ms`.
    pub timeout: Duration,
    /// The broker adds partitions, and every end raises the epoch (`transaction.version` 2).
    pub transaction_v2: bool,
    /// By Kafka's name.
    pub state: &'static str,
    /// What led to a state of error.
    pub error: Option<&'a ClientError>,
    /// Its identity now.
    pub producer: ProducerIdAndEpoch,
    /// Part of the transaction.
    pub partitions: Vec<TopicPartition>,
    /// Written to, and not part of it yet.
    pub adding: Vec<TopicPartition>,
    /// Their offsets are on their way into the transaction.
    pub offsets: Vec<TopicPartition>,
    /// Of the transactional id, if known.
    pub coordinator: Option<NodeId>,
    /// Of the group whose offsets were sent, if known.
    pub group_coordinator: Option<NodeId>,
    /// The request in flight, by the name of its API.
    pub in_flight: Option<&'static str>,
    /// Those that wait, the first first.
    pub pending: Vec<&'static str>,
    /// The call that blocks the application, and when it throws `TimeoutException` (never, where a closed producer aborts).
    pub call: Option<(Operation, Time)>,
}

impl Producer {
    /// What it knows of its transaction; none without a `transactional.id`.
    pub fn transaction(&self) -> Option<TransactionInspection<'_>> {
        let manager = self.manager.as_ref()?;
        let half = manager.transactional.get()?;
        let waiting = half.sending.iter().map(|sending| &sending.request).chain(half.queue.iter());
        Some(TransactionInspection {
            transactional_id: &half.id,
            timeout: half.timeout,
            transaction_v2: half.v2,
            state: manager.state.name(),
            error: manager.state.error(),
            producer: manager.producer,
            partitions: half.partitions.iter().copied().collect(),
            adding: half.pending_partitions.iter().chain(&half.new_partitions).copied().collect(),
            offsets: half.offset_commits.keys().copied().collect(),
            coordinator: half.coordinator,
            group_coordinator: half.group_coordinator,
            in_flight: half.in_flight.as_ref().map(|request| request.name()),
            pending: waiting.map(|request| request.name()).collect(),
            call: self.transactional_call(),
        })
    }

    /// The call that blocks the application, and when it throws `TimeoutException`.
    pub fn transactional_call(&self) -> Option<(Operation, Time)> {
        let call = self.manager.as_ref()?.transactional.get()?.call?;
        Some((call.operation, call.until))
    }
}
