//! What a producer shows of itself: the sentence on the stage, and the inspector's tables.

use super::batch::Batch;
use super::state::State;
use super::{BlockedOn, Operation, Pending, Producer, ProducerIdAndEpoch, TransactionManager};
use crate::base::config::ProducerConfig;
use crate::base::{NodeId, RecordId, Time, TopicPartition};
use crate::client::metadata::Metadata;
use crate::node::ClientError;
use std::rc::Rc;

/// What a producer is doing now; what matters most to a spectator comes first.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ProducerActivity {
    /// Nothing to send.
    Idle,
    /// Closed, and all is sent.
    Closed,
    /// It cannot go on.
    Failed(ClientError),
    /// `send()` waits until the topic's partitions are known.
    WaitingForMetadata {
        /// The records waiting, in order.
        records: Vec<RecordId>,
        /// When the first one fails.
        until: Time,
    },
    /// `send()` waits for `buffer.memory`.
    WaitingForMemory {
        /// The records waiting, in order.
        records: Vec<RecordId>,
        /// When the first one fails.
        until: Time,
    },
    /// It asks for a producer id before it sends anything.
    WaitingForProducerId {
        /// The records waiting.
        records: Vec<RecordId>,
    },
    /// The partitions of these records are being added to the transaction.
    AddingPartitions {
        /// The records waiting.
        records: Vec<RecordId>,
    },
    /// A transactional call blocks the application, and no record is on the wire.
    InCall {
        /// Which.
        operation: Operation,
        /// When it throws `TimeoutException`.
        until: Time,
    },
    /// Batches that are not full wait for more records.
    Lingering {
        /// The records in them.
        records: Vec<RecordId>,
        /// When the first is sent.
        until: Time,
    },
    /// Batches could be sent, but their leader is not known, not connected or has enough requests.
    WaitingForLeader {
        /// The records in them.
        records: Vec<RecordId>,
    },
    /// Requests are on the wire.
    InFlight {
        /// The records in them; if any is sent again, only those.
        records: Vec<RecordId>,
        /// The how-manieth time: 1, or more for a retry.
        attempt: u32,
    },
    /// Batches that came back wait for their next attempt.
    BackingOff {
        /// The records in them.
        records: Vec<RecordId>,
        /// Which attempt comes next: 2 for the first retry.
        attempt: u32,
        /// When.
        until: Time,
    },
}

/// A batch in the accumulator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BufferedBatch<'a> {
    /// The batch: partition, records, attempts, sequence, size.
    pub batch: &'a Batch,
    /// When linger or back-off ends.
    pub ready_at: Time,
    /// When `delivery.timeout.ms` ends.
    pub expires_at: Time,
}

/// A Produce request on the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InFlightRequest<'a> {
    /// To whom.
    pub node: NodeId,
    /// Its number.
    pub correlation_id: u32,
    /// When it was sent.
    pub sent_at: Time,
    /// When it times out.
    pub deadline: Time,
    /// What it carries; a batch that was given up meanwhile is `done`.
    pub batches: Vec<&'a Batch>,
}

impl Producer {
    /// The application's name.
    pub fn name(&self) -> &Rc<str> {
        &self.name
    }

    /// Its settings.
    pub fn config(&self) -> &Rc<ProducerConfig> {
        &self.config
    }

    /// What it knows of the cluster.
    pub fn metadata(&self) -> &Metadata {
        &self.network.metadata
    }

    /// The name of a topic it wrote to.
    pub fn topic_name(&self, partition: TopicPartition) -> Option<&Rc<str>> {
        self.topic_names.get(&partition.topic)
    }

    /// Sequences and epochs; none without idempotence.
    pub fn transaction_manager(&self) -> Option<&TransactionManager> {
        self.manager.as_ref()
    }

    /// Its identity at the brokers; none (−1) without idempotence or before it was given.
    pub fn producer_id_and_epoch(&self) -> ProducerIdAndEpoch {
        self.manager.as_ref().map_or(ProducerIdAndEpoch::NONE, TransactionManager::producer)
    }

    /// Bytes of `buffer.memory` that are free, and all of them.
    pub fn memory(&self) -> (u64, u64) {
        (self.accumulator.memory_available, self.accumulator.memory_total)
    }

    /// The records for which `send()` blocks.
    pub fn blocked_records(&self) -> impl Iterator<Item = RecordId> {
        self.blocked.iter().map(|record| record.record)
    }

    /// The batches in the accumulator, by partition, in the order of their queues.
    pub fn buffered(&self) -> impl Iterator<Item = BufferedBatch<'_>> {
        let delivery_timeout = self.accumulator.delivery_timeout;
        self.accumulator.queues().flat_map(|(_, queue)| queue).map(move |batch| BufferedBatch {
            batch,
            ready_at: if batch.attempts > 0 { batch.retry_at() } else { self.accumulator.linger_until(batch) },
            expires_at: batch.created + delivery_timeout,
        })
    }

    /// The Produce requests on the wire.
    pub fn in_flight_requests(&self) -> impl Iterator<Item = InFlightRequest<'_>> {
        self.network.in_flight().filter_map(|(node, _, request)| match request.context() {
            Some(Pending::Produce(ids)) => Some(InFlightRequest {
                node,
                correlation_id: request.correlation_id,
                sent_at: request.sent_at,
                deadline: request.deadline,
                batches: ids.iter().map(|id| self.accumulator.batches.get(*id)).collect(),
            }),
            Some(Pending::InitProducerId | Pending::Transactional) | None => None,
        })
    }

    /// What it is doing now.
    pub fn activity(&self, now: Time) -> ProducerActivity {
        if let Some(State::FatalError(error)) = self.manager.as_ref().map(TransactionManager::state) {
            return ProducerActivity::Failed(error.clone());
        }
        self.activity_on_wire(now)
            .or_else(|| self.activity_of_send())
            .or_else(|| self.activity_of_call())
            .or_else(|| self.activity_in_queue(now))
            .unwrap_or(if self.closing { ProducerActivity::Closed } else { ProducerActivity::Idle })
    }

    /// Retries first, then first attempts.
    fn activity_on_wire(&self, now: Time) -> Option<ProducerActivity> {
        let on_wire = || self.in_flight_requests().flat_map(|request| request.batches).filter(|batch| !batch.done);
        let most = on_wire().map(|batch| batch.attempts).max();
        let backing_off = || self.buffered().map(|b| b.batch).filter(|batch| batch.is_backing_off(now));
        if most.is_none_or(|attempts| attempts == 0)
            && let Some(until) = backing_off().map(Batch::retry_at).min()
        {
            let attempt = backing_off().map(|batch| batch.attempts).max().unwrap_or(0) + 1;
            return Some(ProducerActivity::BackingOff { records: records(backing_off()), attempt, until });
        }
        let attempts = most?;
        let shown = on_wire().filter(|batch| attempts == 0 || batch.attempts > 0);
        Some(ProducerActivity::InFlight { records: records(shown), attempt: attempts + 1 })
    }

    fn activity_of_send(&self) -> Option<ProducerActivity> {
        let block = self.block?;
        let (records, until) = (self.blocked_records().collect(), block.until);
        Some(match block.on {
            BlockedOn::Metadata => ProducerActivity::WaitingForMetadata { records, until },
            BlockedOn::Memory(_) => ProducerActivity::WaitingForMemory { records, until },
        })
    }

    fn activity_of_call(&self) -> Option<ProducerActivity> {
        let (operation, until) = self.transactional_call()?;
        Some(ProducerActivity::InCall { operation, until })
    }

    fn activity_in_queue(&self, now: Time) -> Option<ProducerActivity> {
        let queued = || self.buffered().map(|b| b.batch);
        queued().next()?;
        if let Some(manager) = &self.manager {
            if !manager.producer().is_valid() || matches!(manager.state(), State::Initializing { .. }) {
                return Some(ProducerActivity::WaitingForProducerId { records: records(queued()) });
            }
            let adding = || queued().filter(|batch| !manager.is_send_allowed(batch.partition));
            if adding().next().is_some() {
                return Some(ProducerActivity::AddingPartitions { records: records(adding()) });
            }
        }
        let lingering = || self.buffered().filter(|b| b.batch.attempts == 0 && !b.batch.is_full() && b.ready_at > now);
        match lingering().map(|b| b.ready_at).min() {
            Some(until) if lingering().count() == queued().count() => {
                Some(ProducerActivity::Lingering { records: records(lingering().map(|b| b.batch)), until })
            }
            _ => Some(ProducerActivity::WaitingForLeader { records: records(queued()) }),
        }
    }
}

fn records<'a>(batches: impl Iterator<Item = &'a Batch>) -> Vec<RecordId> {
    batches.flat_map(Batch::records).copied().collect()
}
