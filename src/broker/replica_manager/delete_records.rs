//! DeleteRecords: move the log start, then wait until all live replicas have followed (Kafka's `DelayedDeleteRecords`).
//!
//! An operation completes when each of its partitions has: the low watermark reached what was asked for, or leadership was
//! lost. What has not by the deadline is answered `REQUEST_TIMED_OUT`; the log start stays where it was moved to.

use super::ReplicaManager;
use crate::base::{Offset, Time, TopicPartition};
use crate::broker::context::Context;
use crate::metadata::is_internal_topic;
use crate::node::RequestContext;
use crate::protocol::{DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsResult, ErrorCode, Response};

/// A request that waits. There are few at a time.
#[derive(Clone, Hash, Debug)]
pub(super) struct DelayedDelete {
    context: RequestContext,
    deadline: Time,
    statuses: Vec<Status>,
}

#[derive(Clone, Hash, Debug)]
struct Status {
    result: DeleteRecordsResult,
    /// Where the low watermark has to get.
    required: Offset,
    /// Not there yet.
    pending: bool,
}

impl ReplicaManager {
    /// Handles a DeleteRecords request to the end, or parks it.
    pub fn handle_delete_records(
        &mut self,
        context: RequestContext,
        request: &DeleteRecordsRequest,
        ctx: &mut Context<'_, '_>,
    ) {
        let mut statuses = Vec::with_capacity(request.partitions.len());
        for asked in &request.partitions {
            let partition = asked.partition;
            statuses.push(match self.delete_records(partition, asked.offset, ctx) {
                Ok((required, low_watermark)) => {
                    let result = DeleteRecordsResult { partition, low_watermark, error: ErrorCode::None };
                    Status { result, required, pending: low_watermark < required }
                }
                Err(error) => {
                    let result = DeleteRecordsResult { partition, low_watermark: -1, error };
                    Status { result, required: 0, pending: false }
                }
            });
        }
        let operation = DelayedDelete { context, deadline: ctx.now + request.timeout, statuses };
        if operation.statuses.iter().any(|status| status.pending) {
            self.arm_purgatory(operation.deadline, ctx.out);
            self.deletes.push(operation);
        } else {
            operation.respond(ctx);
        }
    }

    fn delete_records(
        &mut self,
        id: TopicPartition,
        offset: Offset,
        ctx: &mut Context<'_, '_>,
    ) -> Result<(Offset, Offset), ErrorCode> {
        if ctx.image.topic(id.topic).is_some_and(|topic| is_internal_topic(&topic.name)) {
            return Err(ErrorCode::InvalidTopicException);
        }
        let partition = self.partition_mut(id).ok_or_else(|| ctx.not_hosted(id))?;
        let deleted = partition.delete_records(offset, ctx)?;
        self.touch(id);
        Ok(deleted)
    }

    /// A follower of this partition has fetched, or its leadership or high watermark moved.
    pub(super) fn complete_deletes(&mut self, id: TopicPartition, ctx: &mut Context<'_, '_>) {
        if self.deletes.is_empty() {
            return;
        }
        let partition = self.partitions.get(&id);
        let (error, low_watermark) = match partition {
            Some(partition) if partition.is_leader() => (ErrorCode::None, partition.low_watermark(ctx)),
            Some(_) => (ErrorCode::NotLeaderOrFollower, -1),
            None => (ErrorCode::UnknownTopicOrPartition, -1),
        };
        for operation in &mut self.deletes {
            for status in operation.statuses.iter_mut().filter(|it| it.pending && it.result.partition == id) {
                if error.is_error() || low_watermark >= status.required {
                    status.pending = false;
                    (status.result.error, status.result.low_watermark) = (error, low_watermark);
                }
            }
        }
        self.answer_deletes(|operation| operation.statuses.iter().all(|status| !status.pending), ctx);
    }

    /// Answers what has waited too long.
    pub(super) fn expire_deletes(&mut self, ctx: &mut Context<'_, '_>) {
        let now = ctx.now;
        self.answer_deletes(|operation| operation.deadline <= now, ctx);
    }

    fn answer_deletes(&mut self, is_over: impl Fn(&DelayedDelete) -> bool, ctx: &mut Context<'_, '_>) {
        self.deletes.retain(|operation| {
            let over = is_over(operation);
            if over {
                operation.respond(ctx);
            }
            !over
        });
    }

    /// The earliest deadline.
    pub(super) fn deletes_deadline(&self) -> Option<Time> {
        self.deletes.iter().map(|operation| operation.deadline).min()
    }
}

impl DelayedDelete {
    fn respond(&self, ctx: &mut Context<'_, '_>) {
        let result = |status: &Status| match status.pending {
            true => DeleteRecordsResult { error: ErrorCode::RequestTimedOut, ..status.result },
            false => status.result,
        };
        let partitions = self.statuses.iter().map(result).collect();
        ctx.requests.respond(self.context, Response::DeleteRecords(DeleteRecordsResponse { partitions }), ctx.out);
    }
}
