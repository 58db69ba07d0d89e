//! Asks transaction coordinators about transactions before their first batch is appended (KIP-890, Kafka's
//! `AddPartitionsToTxnManager`).
//!
//! Invariants: one request in flight per coordinator, with everything that waited for it; at most one question per
//! transactional id waits. Every question comes back exactly once: with the coordinator's answer, with `NETWORK_EXCEPTION`
//! if the connection or the patience ended, or because another of its transactional id took its place.

use crate::base::{BrokerId, Duration, SortedMap, Time, TopicPartition};
use crate::node::{Channel, Outbox};
use crate::protocol::{AddPartitionsToTxn, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, ErrorCode, Request};

/// Questions, each with what waits for the answer.
#[derive(Clone, Hash, Debug)]
pub struct AddPartitionsToTxnManager<W> {
    lanes: SortedMap<BrokerId, Lane<W>>,
}

/// The way to one coordinator.
#[derive(Clone, Hash, Debug)]
struct Lane<W> {
    correlation: u32,
    unsent: Vec<Question<W>>,
    in_flight: Vec<Question<W>>,
    /// Of what is in flight.
    deadline: Time,
}

#[derive(Clone, Hash, Debug)]
struct Question<W> {
    transaction: AddPartitionsToTxn,
    waiting: W,
}

/// What waited, and what was found.
pub struct Verified<W> {
    /// What waited.
    pub waiting: W,
    /// The partitions that are not part of the transaction, with the reason. (`NONE` may be among them.)
    pub errors: Vec<(TopicPartition, ErrorCode)>,
}

impl<W> Question<W> {
    fn failed(self, error: ErrorCode) -> Verified<W> {
        Verified { errors: self.transaction.failed(error), waiting: self.waiting }
    }
}

impl<W> AddPartitionsToTxnManager<W> {
    /// Nothing was ever asked.
    pub fn new() -> Self {
        AddPartitionsToTxnManager { lanes: SortedMap::new() }
    }

    /// Was nothing ever asked?
    pub fn is_new(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Puts a question to the coordinator. Of two that wait for one transactional id the older epoch is fenced; with equal
    /// epochs the producer has asked again, and the earlier question fails in a way that it may retry.
    pub fn add_or_verify(
        &mut self,
        coordinator: BrokerId,
        transaction: AddPartitionsToTxn,
        waiting: W,
    ) -> Option<Verified<W>> {
        let lane = self.lanes.entry(coordinator).or_insert_with(|| Lane {
            correlation: 0,
            unsent: Vec::new(),
            in_flight: Vec::new(),
            deadline: Time(0),
        });
        let id = &transaction.transactional_id;
        let older = lane.unsent.iter_mut().find(|question| question.transaction.transactional_id == *id);
        let epoch = transaction.producer_epoch;
        let question = Question { transaction, waiting };
        let Some(older) = older else {
            lane.unsent.push(question);
            return None;
        };
        let known = older.transaction.producer_epoch;
        if known > epoch {
            return Some(question.failed(ErrorCode::InvalidProducerEpoch));
        }
        let error = if known < epoch { ErrorCode::InvalidProducerEpoch } else { ErrorCode::NetworkException };
        Some(std::mem::replace(older, question).failed(error))
    }

    /// Sends what waits to the coordinators that have nothing in flight.
    pub fn send(&mut self, now: Time, timeout: Duration, out: &mut Outbox<'_>) {
        for (coordinator, lane) in self.lanes.iter_mut() {
            if lane.unsent.is_empty() || !lane.in_flight.is_empty() {
                continue;
            }
            lane.in_flight = std::mem::take(&mut lane.unsent);
            lane.deadline = now + timeout;
            lane.correlation = lane.correlation.wrapping_add(1);
            let transactions = lane.in_flight.iter().map(|question| question.transaction.clone()).collect();
            let request = Request::AddPartitionsToTxn(AddPartitionsToTxnRequest { transactions });
            out.request(coordinator.node(), Channel::Transactions, lane.correlation, request);
        }
    }

    /// A coordinator answered.
    pub fn answered(
        &mut self,
        from: BrokerId,
        correlation: u32,
        mut response: AddPartitionsToTxnResponse,
    ) -> Vec<Verified<W>> {
        let Some(lane) = self.lanes.get_mut(&from).filter(|lane| lane.correlation == correlation) else {
            return Vec::new();
        };
        let questions = std::mem::take(&mut lane.in_flight).into_iter();
        if response.error.is_error() {
            return questions.map(|question| question.failed(response.error)).collect();
        }
        let answer = |question: Question<W>| {
            let id = &question.transaction.transactional_id;
            let at = response.transactions.iter().position(|result| result.transactional_id == *id);
            // Kafka would wait for ever for a transaction that is not in the answer.
            let Some(at) = at else { return question.failed(ErrorCode::UnknownServerError) };
            let mut errors = response.transactions.swap_remove(at).partitions;
            for (_, error) in &mut errors {
                // What producers know how to deal with.
                if *error == ErrorCode::ProducerFenced {
                    *error = ErrorCode::InvalidProducerEpoch;
                }
            }
            Verified { waiting: question.waiting, errors }
        };
        questions.map(answer).collect()
    }

    /// The connection to a coordinator broke.
    pub fn disconnected(&mut self, coordinator: BrokerId) -> Vec<Verified<W>> {
        self.lanes.get_mut(&coordinator).map_or_else(Vec::new, Lane::fail)
    }

    /// Gives up what was in flight for too long.
    pub fn expire(&mut self, now: Time, out: &mut Outbox<'_>) -> Vec<Verified<W>> {
        let mut expired = Vec::new();
        for (coordinator, lane) in self.lanes.iter_mut() {
            if !lane.in_flight.is_empty() && lane.deadline <= now {
                out.disconnect(coordinator.node(), Channel::Transactions);
                expired.append(&mut lane.fail());
            }
        }
        expired
    }

    /// The earliest end of patience.
    pub fn deadline(&self) -> Option<Time> {
        self.lanes.values().filter(|lane| !lane.in_flight.is_empty()).map(|lane| lane.deadline).min()
    }
}

impl<W> Lane<W> {
    fn fail(&mut self) -> Vec<Verified<W>> {
        let questions = std::mem::take(&mut self.in_flight).into_iter();
        questions.map(|question| question.failed(ErrorCode::NetworkException)).collect()
    }
}
