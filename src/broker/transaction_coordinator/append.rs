//! Writing to `__transaction_state` (`TransactionStateManager.appendTransactionToLog`).
//!
//! Invariant: what is appended with success is in its shard's `waiting` until it is committed, its time is up, or the shard
//! goes; then its answer is given, once. As in Kafka the time is the transaction's own timeout, and a record whose time was up
//! stands in the log all the same.

use super::{Host, Shard, TransactionCoordinator};
use crate::base::{Duration, Offset, ProducerEpoch, Time, TopicPartition};
use crate::coordinator::transaction::{EndOfTransaction, TransitMetadata, transaction_record, transaction_tombstone};
use crate::coordinator::{CoordinatorRecord, batch_of};
use crate::log::AppendOrigin;
use crate::node::{Event, RequestContext};
use crate::protocol::{AddOffsetsToTxnResponse, AddPartitionsToTxnResult, ErrorCode, InitProducerIdResponse, Response};
use std::rc::Rc;

/// Appended, not yet committed.
#[derive(Clone, Hash, Debug)]
pub(super) struct Waiting {
    pub(super) required: Offset,
    pub(super) deadline: Time,
    pub(super) what: Written,
}

/// What was appended.
#[derive(Clone, Hash, Debug)]
pub(super) enum Written {
    Transition {
        transactional_id: Rc<str>,
        to: TransitMetadata,
        then: Then,
    },
    /// Tombstones of transactional ids, with the epochs they had.
    Expiration(Vec<(Rc<str>, ProducerEpoch)>),
}

/// What a transition was for, and whom to answer.
#[derive(Clone, Hash, Debug)]
pub(super) enum Then {
    InitProducerId(RequestContext),
    /// A transaction of an [`Addition`].
    AddPartitions(u64, usize),
    AddOffsets(RequestContext),
    /// The flag is that of `Ended::Write`.
    End(EndOfTransaction, Asker, bool),
    /// The markers are written.
    Complete,
}

/// Who wanted a transaction to end.
#[derive(Clone, Copy, Hash, Debug)]
pub(super) enum Asker {
    EndTxn(RequestContext),
    /// Another producer, which is to ask again.
    InitProducerId(RequestContext),
    Timeout,
}

/// An AddPartitionsToTxn request that waits for some of its transactions.
#[derive(Clone, Hash, Debug)]
pub(super) struct Addition {
    pub(super) context: RequestContext,
    pub(super) results: Vec<AddPartitionsToTxnResult>,
    pub(super) missing: usize,
}

/// The record that all markers are written, to be appended again (`txnLogAppendRetryQueue`).
#[derive(Clone, Hash, Debug)]
pub(super) struct Retry {
    pub(super) due: Time,
    pub(super) shard: TopicPartition,
    pub(super) transactional_id: Rc<str>,
    pub(super) to: TransitMetadata,
}

impl TransactionCoordinator {
    /// Appends a transition.
    pub(super) fn write(
        &mut self,
        shard: TopicPartition,
        transactional_id: &Rc<str>,
        to: TransitMetadata,
        then: Then,
        host: &mut Host<'_, '_>,
    ) {
        let version = host.ctx.config.transaction_version;
        let record = transaction_record(transactional_id, &to, version, host.ctx.image);
        let timeout = to.timeout;
        let what = Written::Transition { transactional_id: transactional_id.clone(), to, then };
        self.append(shard, &[record], timeout, what, host);
    }

    /// Appends tombstones.
    pub(super) fn write_tombstones(
        &mut self,
        shard: TopicPartition,
        expired: Vec<(Rc<str>, ProducerEpoch)>,
        host: &mut Host<'_, '_>,
    ) {
        let records: Vec<CoordinatorRecord> = expired.iter().map(|(id, _)| transaction_tombstone(id)).collect();
        let timeout = host.ctx.config.request_timeout_ms;
        self.append(shard, &records, timeout, Written::Expiration(expired), host);
    }

    fn append(
        &mut self,
        id: TopicPartition,
        records: &[CoordinatorRecord],
        timeout: Duration,
        what: Written,
        host: &mut Host<'_, '_>,
    ) {
        let batch = batch_of(records, host.now_ms());
        match host.replicas.append(id, &batch, -1, AppendOrigin::Coordinator.into(), &mut host.ctx) {
            Ok((info, advanced)) => {
                let deadline = host.ctx.now + timeout;
                if let Some(shard) = self.shard_mut(id) {
                    shard.waiting.push(Waiting { required: info.last_offset + 1, deadline, what });
                }
                self.arm(deadline, host);
                host.replicas.appended(id, &mut host.ctx);
                if advanced {
                    // Which is news to this coordinator, too.
                    host.replicas.advanced(id, &mut host.ctx);
                }
            }
            Err(error) => self.written(id, what, error, host),
        }
    }

    /// Completes what is committed by now.
    pub(super) fn catch_up(&mut self, id: TopicPartition, host: &mut Host<'_, '_>) {
        while let Some(partition) = host.replicas.partition(id)
            && let Some(shard) = self.shards.get_mut(&id)
            && let Some(first) = shard.waiting.first()
            && let Some(error) = partition.check_replicated(first.required)
        {
            let done = Rc::make_mut(shard).waiting.remove(0);
            self.written(id, done.what, error, host);
        }
    }

    /// The time of some is up.
    pub(super) fn expire_waiting(&mut self, host: &mut Host<'_, '_>) {
        let now = host.ctx.now;
        let is_late = |shard: &Shard| shard.waiting.iter().any(|waiting| waiting.deadline <= now);
        let late: Vec<TopicPartition> =
            self.shards.iter().filter(|(_, shard)| is_late(shard)).map(|(id, _)| *id).collect();
        for id in late {
            while let Some(shard) = self.shard_mut(id)
                && let Some(at) = shard.waiting.iter().position(|waiting| waiting.deadline <= now)
            {
                let what = shard.waiting.remove(at).what;
                self.written(id, what, ErrorCode::RequestTimedOut, host);
            }
        }
    }

    /// What was appended is committed, or was not to be.
    fn written(&mut self, shard: TopicPartition, what: Written, error: ErrorCode, host: &mut Host<'_, '_>) {
        if let Written::Expiration(expired) = what {
            return self.forget(shard, expired, error, host);
        }
        let Written::Transition { transactional_id, to, then } = &what else { return };
        let error = append_error(error);
        let Some(metadata) = self.metadata_mut(shard, transactional_id) else {
            return self.answer(what, Err(ErrorCode::NotCoordinator), host);
        };
        if !error.is_error() {
            metadata.complete(to.clone());
            host.ctx.out.emit(Event::TransactionChanged {
                transactional_id: transactional_id.clone(),
                producer_id: to.producer_id,
                producer_epoch: to.producer_epoch,
                state: to.state,
                partitions: to.partitions.clone(),
            });
            return self.answer(what, Ok(shard), host);
        }
        if matches!(then, Then::Complete) && error == ErrorCode::CoordinatorNotAvailable {
            let (transactional_id, to) = (transactional_id.clone(), to.clone());
            return self.retry_later(Retry { due: host.ctx.now, shard, transactional_id, to }, host);
        }
        metadata.give_up();
        if matches!(then, Then::End(_, _, true)) {
            metadata.epoch_fence_failed();
        }
        self.answer(what, Err(error), host);
    }

    /// Gives the answer that waited, and does what comes after it.
    pub(super) fn answer(&mut self, what: Written, result: Result<TopicPartition, ErrorCode>, host: &mut Host<'_, '_>) {
        let Written::Transition { transactional_id, to, then } = what else { return };
        let error = result.err().unwrap_or(ErrorCode::None);
        match then {
            Then::InitProducerId(context) => {
                let response = match result {
                    Ok(_) => {
                        InitProducerIdResponse { error, producer_id: to.producer_id, producer_epoch: to.producer_epoch }
                    }
                    Err(error) => InitProducerIdResponse { error, producer_id: -1, producer_epoch: -1 },
                };
                respond(context, Response::InitProducerId(response), host);
            }
            Then::AddPartitions(addition, at) => self.added(addition, at, error, host),
            Then::AddOffsets(context) => {
                respond(context, Response::AddOffsetsToTxn(AddOffsetsToTxnResponse { error }), host);
            }
            Then::End(end, asker, _) => match result {
                Ok(shard) => self.decided(shard, &transactional_id, end, asker, host),
                Err(error) => answer_end(asker, Err(error), host),
            },
            Then::Complete => {}
        }
    }
}

pub(super) fn respond(context: RequestContext, response: Response, host: &mut Host<'_, '_>) {
    host.ctx.requests.respond(context, response, host.ctx.out);
}

/// Tells whoever wanted a transaction to end.
pub(super) fn answer_end(asker: Asker, result: Result<(i64, ProducerEpoch), ErrorCode>, host: &mut Host<'_, '_>) {
    match asker {
        Asker::EndTxn(context) => {
            let (producer_id, producer_epoch) = result.unwrap_or((-1, -1));
            let error = result.err().unwrap_or(ErrorCode::None);
            let response = crate::protocol::EndTxnResponse { error, producer_id, producer_epoch };
            respond(context, Response::EndTxn(response), host);
        }
        Asker::InitProducerId(context) => {
            let error = result.err().unwrap_or(ErrorCode::ConcurrentTransactions);
            let response = InitProducerIdResponse { error, producer_id: -1, producer_epoch: -1 };
            respond(context, Response::InitProducerId(response), host);
        }
        Asker::Timeout => {}
    }
}

/// How a failed append looks to the client (§5.1).
fn append_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::NotEnoughReplicasAfterAppend
        | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => ErrorCode::UnknownServerError,
        other => other,
    }
}
