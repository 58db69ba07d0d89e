//! OffsetCommit, TxnOffsetCommit, OffsetFetch.

use super::waiting::Answer;
use super::{GroupCoordinator, partition_of, respond, write_error};
use crate::base::TopicPartition;
use crate::broker::context::Context;
use crate::broker::replica_manager::{Check, ReplicaManager};
use crate::coordinator::{batch_of, transactional_batch_of};
use crate::node::RequestContext;
use crate::protocol::{
    ErrorCode, OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResult, OffsetFetchRequest, OffsetFetchResponse,
    Response, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};

impl GroupCoordinator {
    /// Handles OffsetCommit.
    pub fn commit(
        &mut self,
        context: RequestContext,
        request: &OffsetCommitRequest,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        let (id, shard) = match self.shard_of(&request.group, ctx) {
            Ok(found) => found,
            Err(error) => return respond(context, Response::OffsetCommit(commit_failed(request, error, ctx)), ctx),
        };
        let (records, response) = shard.group.commit(request, ctx.image, ctx.now);
        let batch = (!records.is_empty()).then(|| (batch_of(&records, ctx.now.wall_clock_ms()), None));
        self.write(id, batch, Answer::Ready(context, Response::OffsetCommit(response)), replicas, ctx);
    }

    /// Handles TxnOffsetCommit: first the transaction's coordinator may have to be asked.
    pub fn commit_in_transaction(
        &mut self,
        context: RequestContext,
        request: &TxnOffsetCommitRequest,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        let check = if request.offsets.iter().all(|offset| ctx.image.partition(offset.partition).is_none()) {
            Err(ErrorCode::UnknownTopicOrPartition)
        } else if request.group.is_empty() {
            Err(ErrorCode::InvalidGroupId)
        } else if let Some(id) = partition_of(&request.group, ctx) {
            match replicas.verify_offsets(id, context, request, ctx) {
                Some(check) => check.map_err(write_error),
                None => return,
            }
        } else {
            Err(ErrorCode::CoordinatorNotAvailable)
        };
        self.commit_verified(context, request, check, replicas, ctx);
    }

    /// As [`Self::commit_in_transaction`], with the answer of the transaction's coordinator.
    pub(super) fn commit_verified(
        &mut self,
        context: RequestContext,
        request: &TxnOffsetCommitRequest,
        check: Check,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        let found = check.and_then(|guard| Ok((guard, self.shard_of(&request.group, ctx)?)));
        let (guard, (id, shard)) = match found {
            Ok(found) => found,
            Err(error) => {
                let response = txn_commit_failed(request, error, ctx);
                return respond(context, Response::TxnOffsetCommit(response), ctx);
            }
        };
        let (records, response) = shard.group.commit_in_transaction(request, ctx.image, ctx.now);
        let (producer_id, epoch, now) = (request.producer_id, request.producer_epoch, ctx.now.wall_clock_ms());
        let batch = (!records.is_empty()).then(|| (transactional_batch_of(&records, now, producer_id, epoch), guard));
        self.write(id, batch, Answer::Ready(context, Response::TxnOffsetCommit(response)), replicas, ctx);
    }

    /// Handles OffsetFetch. Stable offsets are a write without records, as in Kafka: they wait for all before them.
    pub fn fetch(
        &mut self,
        context: RequestContext,
        request: &OffsetFetchRequest,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        let (id, shard) = match self.shard_of(&request.group, ctx) {
            Ok(found) => found,
            Err(error) => {
                let failed = OffsetFetchResponse { error, partitions: Vec::new() };
                return respond(context, Response::OffsetFetch(failed), ctx);
            }
        };
        if request.require_stable {
            return self.write(id, None, Answer::Fetch(context, request.clone()), replicas, ctx);
        }
        let response = shard.group.fetch(request, ctx.image);
        respond(context, Response::OffsetFetch(response), ctx);
    }
}

/// Partitions that do not exist have an error of their own; a topic that does not is named by its id here.
fn commit_failed(request: &OffsetCommitRequest, error: ErrorCode, ctx: &Context<'_, '_>) -> OffsetCommitResponse {
    let result = |partition: TopicPartition| match ctx.image.topic(partition.topic) {
        None => OffsetCommitResult { partition, error: ErrorCode::UnknownTopicId },
        Some(_) => failed(partition, error, ctx),
    };
    OffsetCommitResponse { partitions: request.offsets.iter().map(|offset| result(offset.partition)).collect() }
}

fn txn_commit_failed(
    request: &TxnOffsetCommitRequest,
    error: ErrorCode,
    ctx: &Context<'_, '_>,
) -> TxnOffsetCommitResponse {
    let results = request.offsets.iter().map(|offset| failed(offset.partition, error, ctx));
    TxnOffsetCommitResponse { partitions: results.collect() }
}

fn failed(partition: TopicPartition, error: ErrorCode, ctx: &Context<'_, '_>) -> OffsetCommitResult {
    let unknown = ctx.image.partition(partition).is_none();
    OffsetCommitResult { partition, error: if unknown { ErrorCode::UnknownTopicOrPartition } else { error } }
}
