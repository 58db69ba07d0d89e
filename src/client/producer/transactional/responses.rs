//! What the answers to transactional requests mean: done, again, again after finding the coordinator, to be aborted, or the
//! end of this producer.
//!
//! In Kafka: the `handleResponse` of `TransactionManager`'s request handlers; their classes of errors are KIP-1050's.

use super::{Content, GroupMetadata, ResultId, TxnRequest, errors};
use crate::base::{BrokerId, TopicPartition};
use crate::client::producer::state::State;
use crate::client::producer::{ProducerIdAndEpoch, TransactionManager};
use crate::node::ClientError;
use crate::protocol::{
    CoordinatorType, EndTxnResponse, ErrorCode, FindCoordinatorResponse, InitProducerIdResponse, OffsetCommitPartition,
    OffsetCommitResult, Response,
};
use std::rc::Rc;

/// What to do with a request after an error.
enum Class {
    /// Its coordinator is another broker.
    LookUp,
    /// Send it again.
    Retry,
    /// The transaction can only be aborted.
    Abortable(ClientError),
    /// The same, if a new epoch can be had.
    AbortableIfPossible,
    /// The producer can only be closed.
    Fatal(ClientError),
}

/// What the errors common to the coordinator's answers mean; none if it depends on the request.
fn class_of(error: ErrorCode) -> Option<Class> {
    use ErrorCode::{
        CoordinatorNotAvailable, InvalidProducerEpoch, InvalidProducerIdMapping, InvalidTxnState, NotCoordinator,
        ProducerFenced, TransactionAbortable, TransactionalIdAuthorizationFailed, UnknownProducerId,
    };
    Some(match error {
        CoordinatorNotAvailable | NotCoordinator => Class::LookUp,
        _ if error.is_retriable() => Class::Retry,
        // Old coordinators call it INVALID_PRODUCER_EPOCH.
        InvalidProducerEpoch | ProducerFenced => Class::Fatal(ClientError::Broker(ProducerFenced)),
        TransactionalIdAuthorizationFailed | InvalidTxnState | InvalidProducerIdMapping => {
            Class::Fatal(ClientError::Broker(error))
        }
        UnknownProducerId => Class::AbortableIfPossible,
        TransactionAbortable => Class::Abortable(ClientError::Broker(error)),
        _ => return None,
    })
}

fn unexpected(response: &str, error: ErrorCode) -> Class {
    Class::Fatal(errors::kafka_exception(&format!("{response}{}", error.description())))
}

impl TransactionManager {
    pub(super) fn on_transactional_response(&mut self, request: TxnRequest, response: Response) {
        match (&request.content, response) {
            (Content::FindCoordinator(kind, key), Response::FindCoordinator(response)) => {
                let (kind, key) = (*kind, Rc::clone(key));
                self.on_coordinator(request, kind, &key, response);
            }
            (Content::InitProducerId { producer }, Response::InitProducerId(response)) => {
                let is_epoch_bump = producer.is_valid();
                self.on_init_producer_id(request, is_epoch_bump, response);
            }
            (Content::AddPartitions { .. }, Response::AddPartitionsToTxn(response)) => {
                let answers = response.transactions.into_iter().flat_map(|transaction| transaction.partitions);
                self.on_partitions_added(request, answers.collect());
            }
            (Content::AddOffsets { offsets, group }, Response::AddOffsetsToTxn(response)) => {
                let (offsets, group) = (Rc::clone(offsets), Rc::clone(group));
                self.on_offsets_added(request, &offsets, group, response.error);
            }
            (Content::TxnOffsetCommit { group, .. }, Response::TxnOffsetCommit(response)) => {
                let group = Rc::clone(&group.group);
                self.on_offsets_committed(request, &group, &response.partitions);
            }
            (Content::EndTxn { committed }, Response::EndTxn(response)) => {
                let committed = *committed;
                self.on_end_txn(request, committed, response);
            }
            _ => unreachable!("invariant: a response has its request's API"),
        }
    }

    fn apply(&mut self, request: TxnRequest, class: Class) {
        match class {
            Class::LookUp => self.look_up_and_retry(request),
            Class::Retry => self.retry(request),
            Class::Abortable(error) => self.abortable_error(request.result, error),
            Class::AbortableIfPossible => {
                let error = ClientError::Broker(ErrorCode::UnknownProducerId);
                self.abortable_error_if_possible(request.result, error.clone(), error);
            }
            Class::Fatal(error) => self.fatal_error(request.result, error),
        }
    }

    fn on_coordinator(
        &mut self,
        request: TxnRequest,
        kind: CoordinatorType,
        key: &str,
        response: FindCoordinatorResponse,
    ) {
        let node = |broker: BrokerId| Some(broker.node());
        match (response.error, kind) {
            (ErrorCode::None, CoordinatorType::Group) => self.half().group_coordinator = node(response.node),
            (ErrorCode::None, CoordinatorType::Transaction) => self.half().coordinator = node(response.node),
            (error, _) if error.is_retriable() => self.retry(request),
            (error @ ErrorCode::TransactionalIdAuthorizationFailed, _) => {
                self.fatal_error(None, ClientError::Broker(error));
            }
            (error @ (ErrorCode::GroupAuthorizationFailed | ErrorCode::TransactionAbortable), _) => {
                self.abortable_error(None, ClientError::Broker(error));
            }
            (error, kind) => {
                let kind = if kind == CoordinatorType::Group { "GROUP" } else { "TRANSACTION" };
                self.fatal_error(
                    None,
                    errors::kafka_exception(&format!(
                        "Could not find a coordinator with type {kind} with key {key} due to unexpected error: {}",
                        error.description()
                    )),
                );
            }
        }
    }

    fn on_init_producer_id(&mut self, request: TxnRequest, is_epoch_bump: bool, response: InitProducerIdResponse) {
        use ErrorCode::{ClusterAuthorizationFailed, TransactionalIdAuthorizationFailed};
        let class = match response.error {
            ErrorCode::None => {
                if matches!(self.state, State::FatalError(_)) {
                    return;
                }
                self.producer = ProducerIdAndEpoch { id: response.producer_id, epoch: response.producer_epoch };
                self.enter(State::Ready);
                if is_epoch_bump {
                    self.reset_sequences();
                }
                return self.half().complete(request.result, Ok(()));
            }
            error @ (TransactionalIdAuthorizationFailed | ClusterAuthorizationFailed) => {
                Class::Abortable(ClientError::Broker(error))
            }
            // Nobody is known to be fenced or lost yet.
            error @ (ErrorCode::InvalidTxnState
            | ErrorCode::InvalidProducerIdMapping
            | ErrorCode::UnknownProducerId) => unexpected("Unexpected error in InitProducerIdResponse; ", error),
            error => {
                class_of(error).unwrap_or_else(|| unexpected("Unexpected error in InitProducerIdResponse; ", error))
            }
        };
        self.apply(request, class);
    }

    fn on_partitions_added(&mut self, mut request: TxnRequest, answers: Vec<(TopicPartition, ErrorCode)>) {
        request.hurry = false;
        let (mut refused, mut failed) = (false, Vec::new());
        for (_, error) in &answers {
            match *error {
                ErrorCode::None => {}
                ErrorCode::ConcurrentTransactions => {
                    // The transaction before this one is about to be complete: no reason to wait long.
                    request.hurry = self.half().partitions.is_empty();
                    return self.retry(request);
                }
                ErrorCode::TopicAuthorizationFailed => refused = true,
                error => match class_of(error) {
                    Some(class) => return self.apply(request, class),
                    None => failed.push(error.name()),
                },
            }
        }
        let half = self.half();
        for (partition, _) in &answers {
            half.pending_partitions.remove(partition);
        }
        if refused {
            self.abortable_error(request.result, ClientError::Broker(ErrorCode::TopicAuthorizationFailed));
        } else if !failed.is_empty() {
            let text = format!("Could not add partitions to transaction due to errors: {}", failed.join(", "));
            self.abortable_error(request.result, errors::kafka_exception(&text));
        } else {
            half.partitions.extend(answers.iter().map(|(partition, _)| *partition));
            half.started = true;
        }
    }

    fn on_offsets_added(
        &mut self,
        request: TxnRequest,
        offsets: &[OffsetCommitPartition],
        group: Rc<GroupMetadata>,
        error: ErrorCode,
    ) {
        match error {
            ErrorCode::None => {
                // The call goes on: its end is that of the commit.
                self.enqueue_offset_commit(offsets, group, request.result);
                self.half().started = true;
            }
            ErrorCode::GroupAuthorizationFailed => self.abortable_error(request.result, ClientError::Broker(error)),
            error => {
                let class = class_of(error)
                    .unwrap_or_else(|| unexpected("Unexpected error in AddOffsetsToTxnResponse: ", error));
                self.apply(request, class);
            }
        }
    }

    fn on_offsets_committed(&mut self, request: TxnRequest, group: &Rc<str>, answers: &[OffsetCommitResult]) {
        use ErrorCode::{CoordinatorNotAvailable, NotCoordinator, RequestTimedOut};
        let (mut looked_up, mut ended) = (false, false);
        for answer in answers {
            match answer.error {
                ErrorCode::None => {
                    self.half().offset_commits.remove(&answer.partition);
                }
                CoordinatorNotAvailable | NotCoordinator | RequestTimedOut => {
                    if !std::mem::replace(&mut looked_up, true) {
                        self.look_up_group(Rc::clone(group));
                    }
                }
                error if error.is_retriable() => {}
                error => {
                    self.on_offsets_refused(request.result, error);
                    ended = true;
                    break;
                }
            }
        }
        if ended {
            self.half().offset_commits.clear();
        } else if self.half().offset_commits.is_empty() {
            self.half().complete(request.result, Ok(()));
        } else {
            self.retry(request);
        }
    }

    fn on_offsets_refused(&mut self, result: Option<ResultId>, error: ErrorCode) {
        use ErrorCode::{
            FencedInstanceId, GroupAuthorizationFailed, IllegalGeneration, InvalidProducerEpoch, ProducerFenced,
            TransactionAbortable, TransactionalIdAuthorizationFailed, UnknownMemberId, UnsupportedForMessageFormat,
        };
        match error {
            GroupAuthorizationFailed | FencedInstanceId | TransactionAbortable => {
                self.abortable_error(result, ClientError::Broker(error));
            }
            UnknownMemberId | IllegalGeneration => self.abortable_error(result, errors::commit_failed(error)),
            InvalidProducerEpoch | ProducerFenced => self.fatal_error(result, ClientError::Broker(ProducerFenced)),
            TransactionalIdAuthorizationFailed | UnsupportedForMessageFormat => {
                self.fatal_error(result, ClientError::Broker(error));
            }
            _ => {
                let text = format!("Unexpected error in TxnOffsetCommitResponse: {}", error.description());
                self.fatal_error(result, errors::kafka_exception(&text));
            }
        }
    }

    fn on_end_txn(&mut self, request: TxnRequest, committed: bool, response: EndTxnResponse) {
        let class = match response.error {
            ErrorCode::None => {
                if matches!(self.state, State::FatalError(_)) {
                    return;
                }
                if response.producer_id != -1 {
                    self.producer = ProducerIdAndEpoch { id: response.producer_id, epoch: response.producer_epoch };
                    self.reset_sequences();
                }
                self.reset_transaction_state();
                return self.half().complete(request.result, Ok(()));
            }
            // Nobody could abort the abort.
            error @ ErrorCode::TransactionAbortable if !committed => Class::Fatal(errors::kafka_exception(&format!(
                "Failed to abort transaction. Caused by: {}",
                error.name()
            ))),
            error => class_of(error).unwrap_or_else(|| unexpected("Unhandled error in EndTxnResponse: ", error)),
        };
        self.apply(request, class);
    }
}
