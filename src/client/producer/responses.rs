//! What becomes of batches when their request ends.
//!
//! In Kafka: `Sender.handleProduceResponse`, `completeBatch`, `failBatch`.

use super::batch::BatchId;
use super::{Completion, Pending, Producer};
use crate::base::{Offset, RecordId, Time, TopicPartition};
use crate::client::network_client::{Completed, Outcome};
use crate::node::{ClientError, Event, Outbox};
use crate::protocol::{ErrorCode, ProducePartitionResponse, Response};
use std::rc::Rc;

/// What the client makes of a request that ended without a response.
pub(super) fn unanswered(partition: TopicPartition, error: ErrorCode) -> ProducePartitionResponse {
    let (base_offset, log_append_time, log_start_offset) = (-1, -1, -1);
    ProducePartitionResponse { partition, error, base_offset, log_append_time, log_start_offset, current_leader: None }
}

impl Producer {
    /// A request ended.
    pub(super) fn on_completed(&mut self, now: Time, completed: Completed<Pending>, out: &mut Outbox<'_>) {
        let ids = match completed.context {
            Pending::InitProducerId => return self.on_producer_id(now, completed.outcome),
            Pending::Transactional => return self.on_transactional(completed.outcome),
            Pending::Produce(ids) => ids,
        };
        let error = match completed.outcome {
            Outcome::TimedOut => ErrorCode::RequestTimedOut,
            Outcome::Disconnected => ErrorCode::NetworkException,
            Outcome::Response(Response::Produce(response)) => {
                return self.on_produce_response(now, &ids, &response.partitions, out);
            }
            Outcome::Response(_) => unreachable!("invariant: a response has its request's API"),
        };
        for id in &*ids {
            let partition = self.accumulator.batches.get(*id).partition;
            self.complete_batch(now, *id, &unanswered(partition, error), out);
        }
    }

    fn on_produce_response(
        &mut self,
        now: Time,
        ids: &[BatchId],
        answers: &[ProducePartitionResponse],
        out: &mut Outbox<'_>,
    ) {
        for id in ids {
            let partition = self.accumulator.batches.get(*id).partition;
            let answer = answers.iter().find(|answer| answer.partition == partition);
            let missing = unanswered(partition, ErrorCode::UnknownServerError);
            self.complete_batch(now, *id, answer.unwrap_or(&missing), out);
        }
        for answer in answers {
            let tells = matches!(answer.error, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch);
            if let Some(leader) = answer.current_leader.filter(|_| tells) {
                self.network.metadata.update_partition_leadership(answer.partition, leader);
            }
        }
    }

    /// One batch's answer.
    pub(super) fn complete_batch(
        &mut self,
        now: Time,
        id: BatchId,
        answer: &ProducePartitionResponse,
        out: &mut Outbox<'_>,
    ) {
        let batch = self.accumulator.batches.get_mut(id);
        batch.in_flight = false;
        let (partition, error) = (batch.partition, answer.error);
        if error == ErrorCode::MessageTooLarge && batch.record_count() > 1 && !batch.done {
            self.split_batch(now, id, out);
        } else if error.is_error() {
            if self.can_retry(now, id, answer) {
                self.retry_batch(now, id, error, out);
            } else if error == ErrorCode::DuplicateSequenceNumber {
                self.succeed_batch(id, answer.base_offset, out);
            } else {
                let adjust = self.accumulator.batches.get(id).attempts < self.config.retries;
                self.fail_batch(id, &ClientError::Broker(error), adjust, out);
            }
            if error.is_invalid_metadata() {
                self.network.metadata.request_update(false);
            }
        } else {
            self.succeed_batch(id, answer.base_offset, out);
        }
        if self.guarantees_order() {
            self.accumulator.unmute(partition);
        }
    }

    fn can_retry(&mut self, now: Time, id: BatchId, answer: &ProducePartitionResponse) -> bool {
        let batch = self.accumulator.batches.get(id);
        let over = batch.done || batch.has_expired(self.accumulator.delivery_timeout, now);
        if over || batch.attempts >= self.config.retries {
            return false;
        }
        match &mut self.manager {
            Some(manager) => manager.can_retry(id, answer, &mut self.accumulator.batches),
            None => answer.error.is_retriable(),
        }
    }

    fn retry_batch(&mut self, now: Time, id: BatchId, error: ErrorCode, out: &mut Outbox<'_>) {
        self.accumulator.reenqueue(id, now, out.random());
        self.forget_in_flight(id);
        let batch = self.accumulator.batches.get(id);
        let (partition, records, at) = (batch.partition, Rc::from(batch.records()), batch.retry_at());
        out.emit(Event::Retry { partition, error, records, at });
    }

    fn split_batch(&mut self, now: Time, id: BatchId, out: &mut Outbox<'_>) {
        let batch = self.accumulator.batches.get(id);
        let (partition, records) = (batch.partition, Rc::from(batch.records()));
        if let Some(manager) = &mut self.manager {
            manager.remove_in_flight(batch);
        }
        self.accumulator.split_and_reenqueue(id, self.manager.as_mut());
        self.forget_in_flight(id);
        self.accumulator.deallocate(id);
        out.emit(Event::Retry { partition, error: ErrorCode::MessageTooLarge, records, at: now });
    }

    fn succeed_batch(&mut self, id: BatchId, base_offset: Offset, out: &mut Outbox<'_>) {
        let batch = self.accumulator.batches.get(id);
        if let Some(manager) = &mut self.manager {
            manager.on_completed(batch, base_offset);
        }
        if !batch.done {
            let partition = batch.partition;
            for (index, record) in batch.records().iter().enumerate() {
                let offset = if base_offset < 0 { -1 } else { base_offset + index as Offset };
                if let Some(completions) = &mut self.completions {
                    completions.push(Completion { record: *record, partition: Some(partition), result: Ok(offset) });
                }
                out.emit(Event::Acked { record: *record, partition, offset });
            }
        }
        self.forget_in_flight(id);
        self.accumulator.deallocate(id);
    }

    /// Reports failure, once. A batch whose request is still in flight keeps its memory until that ends.
    pub(super) fn fail_batch(&mut self, id: BatchId, error: &ClientError, adjust: bool, out: &mut Outbox<'_>) {
        if !self.accumulator.batches.get(id).done
            && let Some(manager) = &mut self.manager
        {
            manager.on_failed(id, error, adjust, &mut self.accumulator.batches);
        }
        self.abort_batch(id, error, out);
    }

    /// As [`Self::fail_batch`], without consequences for the sequences (`ProducerBatch.abort`).
    fn abort_batch(&mut self, id: BatchId, error: &ClientError, out: &mut Outbox<'_>) {
        let batch = self.accumulator.batches.get_mut(id);
        if !batch.done {
            batch.done = true;
            let partition = batch.partition;
            let records: Vec<RecordId> = batch.records().to_vec();
            for record in records {
                self.fail_record(record, Some(partition), error.clone(), out);
            }
        }
        self.forget_in_flight(id);
        if !self.accumulator.batches.get(id).in_flight {
            self.accumulator.deallocate(id);
        }
    }

    /// The producer cannot go on: everything fails.
    pub(super) fn abort_batches(&mut self, error: &ClientError, out: &mut Outbox<'_>) {
        self.accumulator.take_all();
        let incomplete: Vec<BatchId> = self.accumulator.batches.incomplete().map(|batch| batch.id).collect();
        for id in incomplete {
            self.abort_batch(id, error, out);
        }
    }

    /// The transaction will not hold: what was never sent need not be.
    pub(super) fn abort_undrained(&mut self, error: &ClientError, out: &mut Outbox<'_>) {
        for id in self.accumulator.take_undrained() {
            self.abort_batch(id, error, out);
        }
    }

    fn forget_in_flight(&mut self, id: BatchId) {
        let partition = self.accumulator.batches.get(id).partition;
        if let Some(ids) = self.in_flight.get_mut(&partition) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.in_flight.remove(&partition);
            }
        }
    }
}
