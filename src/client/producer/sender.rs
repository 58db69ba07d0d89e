//! The sender's turn: after every event it sends what can be sent and sets its timers.
//!
//! In Kafka: `Sender.runOnce`, called in a loop by a thread of its own.

use super::accumulator::ReadyCheck;
use super::batch::{BatchId, ProducerIdAndEpoch};
use super::responses::unanswered;
use super::state::State;
use super::transactional::Step;
use super::{BlockedOn, Pending, Producer, TransactionManager, Unblocked};
use crate::base::config::Acks;
use crate::base::{BrokerId, Duration, Time};
use crate::client::network_client::Outcome;
use crate::node::{Channel, ClientError, Event, Outbox, ProducerTimer, Timer};
use crate::protocol::{ErrorCode, InitProducerIdRequest, ProducePartition, ProduceRequest, Request, Response};
use std::rc::Rc;

impl Producer {
    /// Does all there is to do now.
    pub(super) fn turn(&mut self, now: Time, out: &mut Outbox<'_>) {
        let mut wake_at = None;
        if !self.is_closed() {
            self.network.poll(now, out);
            loop {
                self.unblock(now, out);
                wake_at = None;
                let moved = self.run_once(now, &mut wake_at, out) || (self.closing && self.abort_on_close(out));
                if !moved {
                    break;
                }
            }
            self.end_flush();
            self.return_from_call(now, out);
            self.network.poll(now, out);
            earliest(&mut wake_at, self.network.next_poll(now));
            earliest(&mut wake_at, self.block.map(|block| block.until));
            earliest(&mut wake_at, self.call_until());
        }
        if self.closing {
            self.return_from_call(now, out);
        }
        self.set_timers(wake_at.filter(|_| !self.is_closed()), out);
    }

    /// Takes blocked records, until one stays blocked.
    fn unblock(&mut self, now: Time, out: &mut Outbox<'_>) {
        while !self.blocked.is_empty() {
            if self.unblock_first(now, out) == Unblocked::Not {
                break;
            }
        }
    }

    /// True if something moved, so that there may be more to do.
    fn run_once(&mut self, now: Time, wake_at: &mut Option<Time>, out: &mut Outbox<'_>) -> bool {
        if self.manager.as_ref().is_some_and(TransactionManager::is_transactional) {
            return match self.transactional_step(now, wake_at, out) {
                Step::Waits => false,
                Step::Moved => true,
                Step::Free => self.send_producer_data(now, wake_at, out),
            };
        }
        self.has_producer_id(now, wake_at, out) && self.send_producer_data(now, wake_at, out)
    }

    /// Whether records may be sent as far as the producer id is concerned. Like Kafka's sender, it does nothing else
    /// while it waits for one: not even give up old batches.
    fn has_producer_id(&mut self, now: Time, wake_at: &mut Option<Time>, out: &mut Outbox<'_>) -> bool {
        let Some(manager) = &mut self.manager else { return true };
        manager.resolve_sequences();
        if let State::FatalError(error) = manager.state() {
            let error = error.clone();
            self.abort_batches(&error, out);
            return false;
        }
        if manager.prepare(now, &mut self.accumulator.batches) {
            let node = self.network.least_loaded_node(Channel::Producer, now, out.random());
            if let Some(node) = node.filter(|node| self.network.ready(*node, Channel::Producer, now, out)) {
                manager.state = State::AwaitingProducerId;
                let none = ProducerIdAndEpoch::NONE;
                let request = Request::InitProducerId(InitProducerIdRequest {
                    transactional_id: None,
                    transaction_timeout: Duration::from_millis(i32::MAX as u64),
                    producer_id: none.id,
                    producer_epoch: none.epoch,
                });
                self.network.send(now, (node, Channel::Producer), request, Pending::InitProducerId, out);
            } else {
                earliest(wake_at, self.network.next_connect(Channel::Producer, now));
            }
            return false;
        }
        if let State::Initializing { at } = manager.state() {
            earliest(wake_at, Some(*at));
        }
        *manager.state() == State::Ready
    }

    /// The answer to `InitProducerId`.
    pub(super) fn on_producer_id(&mut self, now: Time, outcome: Outcome) {
        let retry_at = now + self.config.retry_backoff_ms;
        let Some(manager) = &mut self.manager else { return };
        manager.state = match outcome {
            Outcome::Response(Response::InitProducerId(response)) => match response.error {
                ErrorCode::None => {
                    let (id, epoch) = (response.producer_id, response.producer_epoch);
                    return manager.set_producer(ProducerIdAndEpoch { id, epoch });
                }
                error if error.is_retriable() => State::Initializing { at: retry_at },
                error => State::FatalError(ClientError::Broker(error)),
            },
            Outcome::Response(_) => unreachable!("invariant: a response has its request's API"),
            Outcome::Disconnected | Outcome::TimedOut => State::Initializing { at: retry_at },
        };
    }

    /// True if requests were sent or batches given up.
    fn send_producer_data(&mut self, now: Time, wake_at: &mut Option<Time>, out: &mut Outbox<'_>) -> bool {
        let exhausted = matches!(self.block, Some(block) if matches!(block.on, BlockedOn::Memory(_)));
        let completing = self.manager.as_ref().is_some_and(|manager| manager.state.is_completing());
        let all = self.closing || self.flush.is_some() || exhausted || completing;
        let mut check = self.accumulator.ready(&self.network.metadata, all, now);
        earliest(wake_at, check.next_check);
        self.look_for_leaders(&check, now);
        check.nodes.retain(|node| {
            let ready = self.network.ready(node.node(), Channel::Producer, now, out);
            if !ready {
                let reconnect_at = self.network.reconnect_at(node.node(), Channel::Producer);
                earliest(wake_at, reconnect_at.filter(|at| *at > now));
            }
            ready
        });
        let drained = self.drain(&check, now);
        let gave_up = self.give_up_expired(now, out);
        earliest(wake_at, self.next_expiry());
        let sent = !drained.is_empty();
        for (node, batches) in drained {
            self.send_produce_request(now, node, batches, out);
        }
        sent || gave_up
    }

    fn look_for_leaders(&mut self, check: &ReadyCheck, now: Time) {
        for topic in &check.unknown_leader {
            if let Some(name) = self.topic_names.get(topic) {
                self.network.metadata.add_topic(name, now);
            }
            self.network.metadata.request_update(false);
        }
    }

    fn drain(&mut self, check: &ReadyCheck, now: Time) -> Vec<(BrokerId, Vec<BatchId>)> {
        let mut drained = Vec::new();
        let max_size = self.config.max_request_size;
        for node in &check.nodes {
            let manager = self.manager.as_mut();
            let batches = self.accumulator.drain(*node, &self.network.metadata, manager, max_size, now);
            for id in &batches {
                let batch = self.accumulator.batches.get_mut(*id);
                batch.in_flight = true;
                let partition = batch.partition;
                self.in_flight.entry(partition).or_default().push(*id);
                if self.guarantees_order() {
                    self.accumulator.mute(partition);
                }
            }
            if !batches.is_empty() {
                drained.push((*node, batches));
            }
        }
        drained
    }

    /// With one request in flight, a partition whose batch is in flight sends no other.
    pub(super) fn guarantees_order(&self) -> bool {
        self.config.max_in_flight_requests_per_connection == 1
    }

    /// Fails the batches whose `delivery.timeout.ms` passed, in the queues and in flight.
    fn give_up_expired(&mut self, now: Time, out: &mut Outbox<'_>) -> bool {
        let mut expired = self.accumulator.take_expired(now);
        let (batches, timeout) = (&self.accumulator.batches, self.accumulator.delivery_timeout);
        for in_flight in self.in_flight.values() {
            expired.extend(in_flight.iter().take_while(|id| batches.get(**id).has_expired(timeout, now)));
        }
        for id in &expired {
            // Whoever was sent before may be written or not.
            let batch = self.accumulator.batches.get(*id);
            if batch.retry
                && let Some(manager) = &mut self.manager
            {
                manager.mark_unresolved(batch);
            }
            self.fail_batch(*id, &ClientError::Timeout, false, out);
        }
        !expired.is_empty()
    }

    fn next_expiry(&self) -> Option<Time> {
        let (batches, timeout) = (&self.accumulator.batches, self.accumulator.delivery_timeout);
        let first = self.in_flight.values().filter_map(|ids| ids.first());
        let in_flight = first.map(|id| batches.get(*id).created + timeout).min();
        let mut next = self.accumulator.next_expiry();
        earliest(&mut next, in_flight);
        next
    }

    fn send_produce_request(&mut self, now: Time, node: BrokerId, ids: Vec<BatchId>, out: &mut Outbox<'_>) {
        let acks = match self.config.acks {
            Acks::All => -1,
            Acks::None => 0,
            Acks::Leader => 1,
        };
        let none = || (None, false);
        let (transactional_id, transaction_v2) =
            self.manager.as_ref().map_or_else(none, TransactionManager::produce_as);
        let mut partitions = Vec::with_capacity(ids.len());
        for id in &ids {
            let batch = self.accumulator.batches.get_mut(*id);
            partitions
                .push(ProducePartition { partition: batch.partition, batch: batch.close(transactional_id.is_some()) });
            out.emit(Event::BatchSent {
                partition: batch.partition,
                to: node,
                attempt: batch.attempts + 1,
                base_sequence: batch.base_sequence(),
                records: Rc::from(batch.records()),
            });
        }
        let timeout = self.config.request_timeout_ms;
        let request = Request::Produce(ProduceRequest { transactional_id, transaction_v2, acks, timeout, partitions });
        let to = (node.node(), Channel::Producer);
        if acks != 0 {
            self.network.send(now, to, request, Pending::Produce(Rc::from(ids)), out);
            return;
        }
        self.network.send_one_way(to, request, out);
        for id in ids {
            let partition = self.accumulator.batches.get(id).partition;
            let nothing = unanswered(partition, ErrorCode::None);
            self.complete_batch(now, id, &nothing, out);
        }
    }

    fn end_flush(&mut self) {
        let Some(last) = self.flush else { return };
        let waits_for = |batch: &super::Batch| batch.id <= last || batch.is_split;
        if self.blocked.is_empty() && !self.accumulator.batches.incomplete().any(waits_for) {
            self.flush = None;
        }
    }

    fn set_timers(&mut self, wake_at: Option<Time>, out: &mut Outbox<'_>) {
        let timeout_at = self.network.next_timeout().filter(|_| !self.is_closed());
        for (kept, wanted, timer) in [
            (&mut self.sender_timer, wake_at, ProducerTimer::Sender),
            (&mut self.timeout_timer, timeout_at, ProducerTimer::RequestTimeout),
        ] {
            if *kept != wanted {
                *kept = wanted;
                match wanted {
                    Some(at) => out.set_timer(Timer::Producer(timer), at),
                    None => out.cancel_timer(Timer::Producer(timer)),
                }
            }
        }
    }
}

/// Brings `at` forward to `other`.
pub(super) fn earliest(at: &mut Option<Time>, other: Option<Time>) {
    if let Some(other) = other {
        *at = Some(at.map_or(other, |at| at.min(other)));
    }
}
