//! Produce (§3.5): append, then wait for the in-sync replicas if acks=all.

use super::ReplicaManager;
use super::verification::Check;
use crate::base::{Offset, TopicPartition};
use crate::broker::context::Context;
use crate::broker::purgatory::{DelayedProduce, ProduceStatus};
use crate::log::{AppendContext, AppendInfo, AppendOrigin};
use crate::node::{Event, RequestContext};
use crate::protocol::{
    ErrorCode, ProducePartition, ProducePartitionResponse, ProduceRequest, ProduceResponse, Response,
};
use crate::record::RecordBatch;

fn refused(partition: TopicPartition, error: ErrorCode) -> ProducePartitionResponse {
    let (base_offset, log_append_time, log_start_offset) = (-1, -1, -1);
    ProducePartitionResponse { partition, error, base_offset, log_append_time, log_start_offset, current_leader: None }
}

impl ReplicaManager {
    /// Handles a Produce request to the end, or parks it.
    pub fn handle_produce(&mut self, context: RequestContext, request: &ProduceRequest, ctx: &mut Context<'_, '_>) {
        if request.partitions.iter().any(|part| part.batch.is_transactional()) {
            return self.produce_in_transaction(context, request, ctx);
        }
        self.append_all(context, request, &[], ctx);
    }

    /// Appends what may be appended; the checks are in the order of the request, and none of them means that all is well.
    pub(super) fn append_all(
        &mut self,
        context: RequestContext,
        request: &ProduceRequest,
        checks: &[Check],
        ctx: &mut Context<'_, '_>,
    ) {
        let acks = request.acks;
        let mut statuses = Vec::with_capacity(request.partitions.len());
        let mut moved = Vec::with_capacity(request.partitions.len());
        for (at, part) in request.partitions.iter().enumerate() {
            let check = checks.get(at).copied().unwrap_or(Ok(None));
            let (status, advanced) = self.produce_one(part, acks, check, ctx);
            moved.push((part.partition, advanced, status.pending));
            statuses.push(status);
        }
        // All appends first, then whatever waits for them (Kafka's `ActionQueue`).
        for (partition, advanced, appended) in moved {
            if appended {
                self.appended(partition, ctx);
            }
            if advanced {
                self.advanced(partition, ctx);
            }
        }
        let operation = DelayedProduce { context, deadline: ctx.now + request.timeout, partitions: statuses };
        match acks {
            -1 => self.await_replication(operation, ctx),
            0 => finish_without_acks(&operation, ctx),
            _ => respond(operation, ctx),
        }
    }

    fn produce_one(
        &mut self,
        part: &ProducePartition,
        acks: i16,
        check: Check,
        ctx: &mut Context<'_, '_>,
    ) -> (ProduceStatus, bool) {
        let id = part.partition;
        let appended = check.and_then(|verification| {
            if !matches!(acks, -1..=1) {
                Err(ErrorCode::InvalidRequiredAcks)
            } else if !self.partitions.contains_key(&id) {
                Err(ctx.not_hosted_by_id(id))
            } else {
                let context = AppendContext { verification, ..AppendOrigin::Client.into() };
                self.append(id, &part.batch, acks, context, ctx)
            }
        });
        match appended {
            Ok((info, advanced)) => {
                let response = ProducePartitionResponse {
                    base_offset: info.first_offset,
                    log_append_time: info.log_append_time,
                    log_start_offset: info.log_start_offset,
                    ..refused(id, ErrorCode::None)
                };
                (ProduceStatus { response, required_offset: info.last_offset + 1, pending: true }, advanced)
            }
            Err(error) => {
                ctx.out.emit(Event::ProduceRefused { partition: id, error });
                let mut response = refused(id, error);
                if check.is_ok() {
                    response.log_start_offset = self.log_start_after(error, id);
                }
                self.name_leader(&mut response, ctx);
                (ProduceStatus { response, required_offset: 0, pending: false }, false)
            }
        }
    }

    /// Appends to a partition led here; the caller then calls `appended`, and `advanced` if the second value says so.
    pub fn append(
        &mut self,
        id: TopicPartition,
        batch: &RecordBatch,
        acks: i16,
        context: AppendContext,
        ctx: &mut Context<'_, '_>,
    ) -> Result<(AppendInfo, bool), ErrorCode> {
        if !self.partitions.contains_key(&id) {
            return Err(ctx.not_hosted(id));
        }
        let partition = self.partitions.get_mut(&id).map(std::rc::Rc::make_mut).expect("invariant: checked above");
        // Followers stood at the end of the log until now.
        self.sessions.mark_dirty(id, |follower, then| partition.record_idle_fetch(follower, then));
        partition.append_as_leader(batch, acks, context, ctx)
    }

    /// The log start offset that a refusal carries: only if the batch itself was looked at (`appendRecordsToLeader`).
    fn log_start_after(&self, error: ErrorCode, id: TopicPartition) -> Offset {
        match error {
            ErrorCode::InvalidRequiredAcks
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::MessageTooLarge
            | ErrorCode::RecordListTooLarge
            | ErrorCode::CorruptMessage
            | ErrorCode::KafkaStorageError => -1,
            _ => self.partition(id).map_or(-1, |partition| partition.log().log_start_offset()),
        }
    }

    /// Says who leads, if that is what was wrong (KIP-951).
    fn name_leader(&self, response: &mut ProducePartitionResponse, ctx: &Context<'_, '_>) {
        if response.error == ErrorCode::NotLeaderOrFollower {
            let here = self.partition(response.partition).map(super::Partition::current_leader);
            response.current_leader = here.or_else(|| ctx.leader_in_metadata(response.partition));
        }
    }

    fn await_replication(&mut self, mut operation: DelayedProduce, ctx: &mut Context<'_, '_>) {
        let mut pending = false;
        for status in operation.partitions.iter_mut().filter(|status| status.pending) {
            match self.replicated(status.response.partition, status.required_offset) {
                Some(error) => status.finish(error),
                None => pending = true,
            }
        }
        if pending {
            self.arm_purgatory(operation.deadline, ctx.out);
            self.produce.insert(operation);
        } else {
            self.answer_replicated(operation, ctx);
        }
    }

    fn replicated(&self, id: TopicPartition, required: Offset) -> Option<ErrorCode> {
        self.partition(id)
            .map_or(Some(ErrorCode::NotLeaderOrFollower), |partition| partition.check_replicated(required))
    }

    pub(super) fn complete_produces(&mut self, id: TopicPartition, ctx: &mut Context<'_, '_>) {
        let partition = self.partitions.get(&id);
        let done = self.produce.complete(id, |required| match partition {
            Some(partition) => partition.check_replicated(required),
            None => Some(ErrorCode::NotLeaderOrFollower),
        });
        for operation in done {
            self.answer_replicated(operation, ctx);
        }
    }

    pub(super) fn expire_produces(&mut self, ctx: &mut Context<'_, '_>) {
        for operation in self.produce.expire(ctx.now) {
            self.answer_replicated(operation, ctx);
        }
    }

    fn answer_replicated(&self, mut operation: DelayedProduce, ctx: &mut Context<'_, '_>) {
        for status in &mut operation.partitions {
            let error = status.response.error;
            // What was refused before the append has been reported already.
            if error.is_error() && status.required_offset > 0 {
                ctx.out.emit(Event::ProduceRefused { partition: status.response.partition, error });
                self.name_leader(&mut status.response, ctx);
            }
        }
        respond(operation, ctx);
    }
}

fn respond(operation: DelayedProduce, ctx: &mut Context<'_, '_>) {
    let partitions = operation.partitions.into_iter().map(|status| status.response).collect();
    ctx.requests.respond(operation.context, Response::Produce(ProduceResponse { partitions }), ctx.out);
}

/// acks=0 has no response; an error can only be shown by closing the connection.
fn finish_without_acks(operation: &DelayedProduce, ctx: &mut Context<'_, '_>) {
    if operation.partitions.iter().any(|status| status.response.error.is_error()) {
        ctx.requests.close(operation.context, ctx.out);
    } else {
        ctx.requests.finish(operation.context);
    }
}
