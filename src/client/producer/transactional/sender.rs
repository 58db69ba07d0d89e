//! How the sender puts transactional requests on the wire, before it looks at records.
//!
//! In Kafka: `Sender.maybeSendAndPollTransactionalRequest`, `awaitNodeReady`, `TransactionManager.nextRequest`. A thread
//! that sleeps or waits for a connection there is a request that waits here; answers that arrive meanwhile are heard at
//! once.

use super::{Content, ResultId, TxnRequest, errors};
use crate::base::{Duration, NodeId, Time};
use crate::client::Producer;
use crate::client::network_client::{ConnectionState, NetworkClient, Outcome};
use crate::client::producer::sender::earliest;
use crate::client::producer::state::State;
use crate::client::producer::{Pending, TransactionManager};
use crate::node::{Channel, ClientError, Outbox};
use crate::protocol::{
    AddOffsetsToTxnRequest, AddPartitionsToTxn, AddPartitionsToTxnRequest, CoordinatorType, EndTxnRequest, ErrorCode,
    FindCoordinatorRequest, InitProducerIdRequest, Request, TxnOffsetCommitRequest,
};
use std::rc::Rc;

/// How long the first AddPartitionsToTxn of a transaction pauses while the transaction before it is completed
/// (`ADD_PARTITIONS_RETRY_BACKOFF_MS`).
const HURRIED_BACKOFF: Duration = Duration::from_millis(20);

/// A request on its way from the queue to the wire.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(in crate::client::producer) struct Sending {
    pub request: TxnRequest,
    pub node: NodeId,
    /// The connection must stand by then.
    give_up: Time,
    /// It was asked for, or stood.
    tried: bool,
    /// The pause before a retry ends.
    not_before: Option<Time>,
}

/// What the transactional half leaves for the rest of the sender to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::client::producer) enum Step {
    /// Nothing: it waits for an answer, a connection, or the end of a pause.
    Waits,
    /// Look again: something changed.
    Moved,
    /// Records may be sent.
    Free,
}

/// What comes next in the queue.
enum Next {
    Nothing,
    /// An error came before it.
    Dropped,
    Request(TxnRequest),
}

impl Producer {
    /// One round of a transactional producer's sender.
    pub(in crate::client::producer) fn transactional_step(
        &mut self,
        now: Time,
        wake_at: &mut Option<Time>,
        out: &mut Outbox<'_>,
    ) -> Step {
        let Some(manager) = &mut self.manager else { return Step::Free };
        manager.resolve_sequences();
        if let State::FatalError(error) = &manager.state {
            let error = error.clone();
            self.abort_batches(&error, out);
            return Step::Waits;
        }
        if let Some(error) = manager.recover_from_authorization() {
            self.abort_batches(&error, out);
            return Step::Moved;
        }
        if manager.half().in_flight.is_some() {
            return Step::Waits;
        }
        let pause = manager.half().pause_until;
        if pause > now {
            earliest(wake_at, Some(pause));
            return Step::Waits;
        }
        if manager.half().sending.is_none() {
            match &manager.state {
                State::AbortableError(error) => {
                    let error = error.clone();
                    self.abort_undrained(&error, out);
                }
                State::AbortingTransaction => self.abort_undrained(&errors::transaction_aborted(), out),
                _ => {}
            }
            let step = self.take_request(now, wake_at, out);
            if step != Step::Moved {
                return step;
            }
        }
        self.try_sending(now, wake_at, out)
    }

    /// Takes the next request out of the queue and finds out where it goes. `Moved` if there is one to be sent, or the queue
    /// changed.
    fn take_request(&mut self, now: Time, wake_at: &mut Option<Time>, out: &mut Outbox<'_>) -> Step {
        let incomplete = self.accumulator.batches.incomplete().next().is_some();
        let Some(manager) = &mut self.manager else { return Step::Free };
        let request = match manager.next_request(incomplete) {
            Next::Nothing => return Step::Free,
            Next::Dropped => return Step::Moved,
            Next::Request(request) => request,
        };
        let half = manager.half();
        let node = match request.coordinator_type() {
            Some(CoordinatorType::Transaction) => half.coordinator,
            Some(CoordinatorType::Group | CoordinatorType::Share) => half.group_coordinator,
            None => {
                let Some(node) = self.network.least_loaded_node(Channel::Producer, now, out.random()) else {
                    manager.retry(request);
                    earliest(wake_at, self.network.next_connect(Channel::Producer, now));
                    return Step::Waits;
                };
                Some(node)
            }
        };
        let Some(node) = node else {
            manager.look_up_and_retry(request);
            return Step::Moved;
        };
        let give_up = now + self.config.request_timeout_ms;
        manager.half().sending = Some(Sending { request, node, give_up, tried: false, not_before: None });
        Step::Moved
    }

    /// Sends what was taken, once its broker is connected and its pause is over.
    fn try_sending(&mut self, now: Time, wake_at: &mut Option<Time>, out: &mut Outbox<'_>) -> Step {
        let Some(manager) = &mut self.manager else { return Step::Free };
        let Some(sending) = &mut manager.half().sending else { return Step::Moved };
        if let Some(at) = sending.not_before.filter(|at| *at > now) {
            earliest(wake_at, Some(at));
            return Step::Waits;
        }
        let (node, channel) = (sending.node, Channel::Producer);
        let tried = std::mem::replace(&mut sending.tried, true);
        let is_down =
            |network: &NetworkClient<Pending>| network.connection_state(node, channel) == ConnectionState::Disconnected;
        if (tried && is_down(&self.network)) || !self.network.ready(node, channel, now, out) {
            if !is_down(&self.network) && now < sending.give_up {
                earliest(wake_at, Some(sending.give_up));
                return Step::Waits;
            }
            return self.not_connected(now);
        }
        if sending.request.is_retry && sending.not_before.is_none() {
            let usual = self.config.retry_backoff_ms;
            let pause = if sending.request.hurry { usual.min(HURRIED_BACKOFF) } else { usual };
            sending.not_before = Some(now + pause);
            earliest(wake_at, sending.not_before);
            return Step::Waits;
        }
        let Some(sending) = manager.half().sending.take() else { return Step::Moved };
        let request = manager.build(&sending.request);
        manager.half().in_flight = Some(sending.request);
        self.network.send(now, (node, channel), request, Pending::Transactional, out);
        Step::Waits
    }

    /// The broker cannot be reached (`maybeFindCoordinatorAndRetry`).
    fn not_connected(&mut self, now: Time) -> Step {
        let pause_until = now + self.config.retry_backoff_ms;
        let Some(manager) = &mut self.manager else { return Step::Free };
        let Some(sending) = manager.half().sending.take() else { return Step::Moved };
        manager.half().pause_until = pause_until;
        if sending.request.coordinator_type().is_none() {
            self.network.metadata.request_update(false);
        }
        manager.look_up_and_retry(sending.request);
        Step::Moved
    }

    /// The request in flight ended.
    pub(in crate::client::producer) fn on_transactional(&mut self, outcome: Outcome) {
        let Some(manager) = &mut self.manager else { return };
        let request = manager.half().in_flight.take().expect("invariant: one transactional request is in flight");
        match outcome {
            Outcome::Response(response) => manager.on_transactional_response(request, response),
            Outcome::Disconnected | Outcome::TimedOut => manager.look_up_and_retry(request),
        }
    }

    /// Ends an open transaction of a producer that is being closed, once its records are sent (`Sender.run`).
    pub(in crate::client::producer) fn abort_on_close(&mut self, out: &mut Outbox<'_>) -> bool {
        let busy = self.accumulator.queues().next().is_some() || !self.in_flight.is_empty() || !self.blocked.is_empty();
        let Some(manager) = &mut self.manager else { return false };
        if !manager.has_ongoing_transaction() || manager.state.is_completing() || busy || manager.is_requesting() {
            return false;
        }
        match manager.begin_abort_on_close() {
            Ok(event) => out.emit(event),
            // What cannot be aborted is left to its timeout.
            Err(_) => manager.transition_to_fatal_error(errors::kafka_exception("The producer closed forcefully")),
        }
        true
    }
}

impl TransactionManager {
    /// What to send now, if anything: EndTxn only when all batches have ended, and not if the transaction is empty.
    fn next_request(&mut self, has_incomplete_batches: bool) -> Next {
        self.enqueue_new_partitions();
        let half = self.half();
        match half.queue.peek() {
            None => return Next::Nothing,
            Some(request) if request.is_end_txn() && has_incomplete_batches => return Next::Nothing,
            Some(_) => {}
        }
        let Some(mut request) = half.queue.pop() else { return Next::Nothing };
        if let Some(error) = self.state.error().cloned() {
            let harmless = matches!(request.content, Content::FindCoordinator(..));
            if !(harmless && matches!(self.state, State::AbortableError(_))) {
                self.half().complete(request.result, Err(error));
                return Next::Dropped;
            }
        }
        if request.is_end_txn() && !self.half().started {
            self.half().complete(request.result, Ok(()));
            self.reset_transaction_state();
            match self.half().queue.pop() {
                Some(next) => request = next,
                None => return Next::Nothing,
            }
        }
        Next::Request(request)
    }

    /// A transactional request is under way or waits.
    fn is_requesting(&mut self) -> bool {
        let half = self.half();
        half.in_flight.is_some() || half.sending.is_some() || !half.queue.is_empty()
    }

    /// Between `beginTransaction()` and its end, or a fatal error.
    pub fn has_ongoing_transaction(&self) -> bool {
        matches!(self.state, State::InTransaction | State::AbortableError(_)) || self.state.is_completing()
    }

    /// Back into the queue.
    pub(super) fn retry(&mut self, mut request: TxnRequest) {
        request.is_retry = true;
        self.half().queue.push(request);
    }

    /// The same, after a look for the coordinator if one answers it.
    pub(super) fn look_up_and_retry(&mut self, request: TxnRequest) {
        match request.coordinator_type() {
            Some(CoordinatorType::Group | CoordinatorType::Share) => {
                if let Some(group) = request.group() {
                    self.look_up_group(Rc::clone(group));
                }
            }
            Some(CoordinatorType::Transaction) => self.look_up_coordinator(),
            None => {}
        }
        self.retry(request);
    }

    pub(super) fn look_up_coordinator(&mut self) {
        self.half().coordinator = None;
        let key = Rc::clone(&self.half().id);
        self.enqueue(Content::FindCoordinator(CoordinatorType::Transaction, key), None::<ResultId>);
    }

    pub(super) fn look_up_group(&mut self, group: Rc<str>) {
        self.half().group_coordinator = None;
        self.enqueue(Content::FindCoordinator(CoordinatorType::Group, group), None::<ResultId>);
    }

    /// An authorization that failed leaves the producer as if new, so that it can try again.
    fn recover_from_authorization(&mut self) -> Option<ClientError> {
        use ErrorCode::{ClusterAuthorizationFailed, TransactionalIdAuthorizationFailed};
        let State::AbortableError(error) = &self.state else { return None };
        let refused = [ClusterAuthorizationFailed, TransactionalIdAuthorizationFailed];
        if !matches!(error, ClientError::Broker(code) if refused.contains(code)) {
            return None;
        }
        let error = error.clone();
        for request in self.half().queue.take_all() {
            self.half().complete(request.result, Err(error.clone()));
        }
        self.enter(State::Uninitialized);
        self.half().fail_transition(&error);
        Some(error)
    }

    fn build(&self, request: &TxnRequest) -> Request {
        let half = self.transactional.get().expect("invariant: only a transactional producer handles transactions");
        let transactional_id = Rc::clone(&half.id);
        let (producer_id, producer_epoch) = (request.producer.id, request.producer.epoch);
        match &request.content {
            Content::FindCoordinator(key_type, key) => {
                Request::FindCoordinator(FindCoordinatorRequest { key: Rc::clone(key), key_type: *key_type })
            }
            Content::InitProducerId { producer } => Request::InitProducerId(InitProducerIdRequest {
                transactional_id: Some(transactional_id),
                transaction_timeout: half.timeout,
                producer_id: producer.id,
                producer_epoch: producer.epoch,
            }),
            Content::AddPartitions { partitions } => {
                let (verify_only, partitions) = (false, partitions.to_vec());
                let transaction =
                    AddPartitionsToTxn { transactional_id, producer_id, producer_epoch, verify_only, partitions };
                Request::AddPartitionsToTxn(AddPartitionsToTxnRequest { transactions: vec![transaction] })
            }
            Content::AddOffsets { group, .. } => {
                let group = Rc::clone(&group.group);
                let request = AddOffsetsToTxnRequest { transactional_id, producer_id, producer_epoch, group };
                Request::AddOffsetsToTxn(request)
            }
            Content::TxnOffsetCommit { offsets, group } => Request::TxnOffsetCommit(TxnOffsetCommitRequest {
                transactional_id,
                group: Rc::clone(&group.group),
                producer_id,
                producer_epoch,
                generation: group.generation,
                member_id: Rc::clone(&group.member_id),
                instance_id: group.instance_id.clone(),
                transaction_v2: half.v2,
                offsets: offsets.to_vec(),
            }),
            Content::EndTxn { committed } => Request::EndTxn(EndTxnRequest {
                transactional_id,
                producer_id,
                producer_epoch,
                committed: *committed,
                transaction_v2: half.v2,
            }),
        }
    }
}
