//! The group coordinator's place in the broker: one shard for each `__consumer_offsets` partition led here (Kafka's
//! `CoordinatorRuntime`).
//!
//! A request becomes records, the records are appended with acks=all, and when they are committed they are replayed and the
//! answer goes out. Invariant: a shard is the replay of its partition up to the high watermark, and nothing else; so taking
//! over a partition and following its progress are the same loop.
//!
//! Departures: loading takes no time, so nobody meets `COORDINATOR_LOAD_IN_PROGRESS` (14) yet; members come later.

use super::context::Context;
use super::replica_manager::{Check, CoordinatorNews, PendingOffsets, ReplicaManager};
use crate::base::config::BrokerConfig;
use crate::base::{Offset, SortedMap, Time, TopicPartition};
use crate::coordinator::group::{GroupShard, OffsetsShard};
use crate::coordinator::{CoordinatorRecord, batch_of, partition_for, records_of, transactional_batch_of};
use crate::log::{AppendContext, AppendOrigin, VerificationGuard};
use crate::metadata::CONSUMER_OFFSETS_TOPIC;
use crate::node::{BrokerTimer, RequestContext, Timer};
use crate::protocol::{
    ErrorCode, OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResult, OffsetFetchRequest, OffsetFetchResponse,
    Response, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
use crate::record::{ControlRecord, RecordBatch};
use std::collections::VecDeque;
use std::rc::Rc;

/// All shards of this broker.
#[derive(Clone, Hash, Debug)]
pub struct GroupCoordinator {
    metadata_max_bytes: u32,
    shards: SortedMap<TopicPartition, Rc<Shard>>,
    timer: Option<Time>,
}

#[derive(Clone, Hash, Debug)]
struct Shard {
    group: GroupShard,
    replayed_to: Offset,
    waiting: VecDeque<Waiting>,
}

/// An answer that waits until what it rests on is committed.
#[derive(Clone, Hash, Debug)]
struct Waiting {
    required: Offset,
    deadline: Time,
    context: RequestContext,
    answer: Answer,
}

#[derive(Clone, Hash, Debug)]
enum Answer {
    Commit(OffsetCommitResponse),
    /// A fetch of stable offsets is answered from what is committed by then.
    Fetch(OffsetFetchRequest),
    TxnCommit(TxnOffsetCommitResponse),
}

impl GroupCoordinator {
    /// Coordinates nothing yet.
    pub fn new(config: &BrokerConfig) -> Self {
        let metadata_max_bytes = config.offset_metadata_max_bytes;
        GroupCoordinator { metadata_max_bytes, shards: SortedMap::new(), timer: None }
    }

    /// The offsets of the groups of each partition led here.
    pub fn shards(&self) -> impl Iterator<Item = (&TopicPartition, &OffsetsShard)> {
        self.shards.iter().map(|(id, shard)| (id, &shard.group.offsets))
    }

    /// The partition that coordinates a group, if this broker leads it.
    fn shard_of(&mut self, group: &str, ctx: &Context<'_, '_>) -> Result<(TopicPartition, &mut Shard), ErrorCode> {
        if group.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let id = partition_of(group, ctx).ok_or(ErrorCode::NotCoordinator)?;
        let shard = self.shards.get_mut(&id).map(Rc::make_mut).ok_or(ErrorCode::NotCoordinator)?;
        Ok((id, shard))
    }

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
            Err(error) => return respond(context, Response::OffsetCommit(commit_failed(request, error)), ctx),
        };
        let (records, response) = shard.group.commit(request, ctx.image, ctx.now);
        let batch = (!records.is_empty()).then(|| batch_of(&records, ctx.now.wall_clock_ms()));
        self.write(id, batch, None, context, Answer::Commit(response), replicas, ctx);
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
        } else {
            let Some(id) = partition_of(&request.group, ctx) else {
                let error = ErrorCode::CoordinatorNotAvailable;
                return respond(context, Response::TxnOffsetCommit(txn_commit_failed(request, error, ctx)), ctx);
            };
            match replicas.verify_offsets(id, context, request, ctx) {
                Some(check) => check.map_err(write_error),
                None => return,
            }
        };
        self.commit_verified(context, request, check, replicas, ctx);
    }

    /// As [`Self::commit_in_transaction`], with the answer of the transaction's coordinator.
    fn commit_verified(
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
                return respond(context, Response::TxnOffsetCommit(txn_commit_failed(request, error, ctx)), ctx);
            }
        };
        let (records, response) = shard.group.commit_in_transaction(request, ctx.image, ctx.now);
        let (now, id_and_epoch) = (ctx.now.wall_clock_ms(), (request.producer_id, request.producer_epoch));
        let batch =
            |records: Vec<CoordinatorRecord>| transactional_batch_of(&records, now, id_and_epoch.0, id_and_epoch.1);
        let batch = (!records.is_empty()).then(|| batch(records));
        self.write(id, batch, guard, context, Answer::TxnCommit(response), replicas, ctx);
    }

    /// Appends what a handler wrote, and lets its answer wait until that, or all before it, is committed.
    ///
    /// As `CoordinatorPartitionWriter` does it: append whatever the ISR, then wait for the high watermark. A write that
    /// times out stands in the log, and takes effect when it commits after all.
    #[allow(clippy::too_many_arguments)]
    fn write(
        &mut self,
        id: TopicPartition,
        batch: Option<RecordBatch>,
        verification: Option<VerificationGuard>,
        context: RequestContext,
        answer: Answer,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        let deadline = ctx.now + ctx.config.offsets_commit_timeout_ms;
        let mut required = replicas.partition(id).map_or(0, |partition| partition.log().log_end_offset());
        let mut advanced = false;
        if let Some(batch) = &batch {
            let origin = AppendContext { verification, ..AppendOrigin::Coordinator.into() };
            match replicas.append(id, batch, 1, origin, ctx) {
                Ok((info, moved)) => (required, advanced) = (info.last_offset + 1, moved),
                Err(error) => {
                    let waiting = Waiting { required, deadline, context, answer };
                    return waiting.fail(write_error(error), ctx);
                }
            }
        }
        if let Some(shard) = self.shards.get_mut(&id).map(Rc::make_mut) {
            shard.waiting.push_back(Waiting { required, deadline, context, answer });
        }
        self.arm(deadline, ctx);
        if batch.is_some() {
            replicas.appended(id, ctx);
        }
        if advanced {
            replicas.advanced(id, ctx);
        }
        self.catch_up(id, replicas, ctx);
    }

    /// The timer is left alone if it is due earlier anyway.
    fn arm(&mut self, deadline: Time, ctx: &mut Context<'_, '_>) {
        if self.timer.is_none_or(|due| deadline < due) {
            self.timer = Some(deadline);
            ctx.out.set_timer(Timer::Broker(BrokerTimer::Housekeeping), deadline);
        }
    }

    /// Handles OffsetFetch.
    pub fn fetch(
        &mut self,
        context: RequestContext,
        request: &OffsetFetchRequest,
        replicas: &ReplicaManager,
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
            let required = replicas.partition(id).map_or(0, |partition| partition.log().log_end_offset());
            let deadline = ctx.now + ctx.config.offsets_commit_timeout_ms;
            shard.waiting.push_back(Waiting { required, deadline, context, answer: Answer::Fetch(request.clone()) });
            self.arm(deadline, ctx);
            return self.catch_up(id, replicas, ctx);
        }
        let response = shard.group.offsets.fetch(request, ctx.image);
        respond(context, Response::OffsetFetch(response), ctx);
    }

    /// Something happened to a partition of `__consumer_offsets`.
    pub fn on_news(&mut self, news: CoordinatorNews, replicas: &mut ReplicaManager, ctx: &mut Context<'_, '_>) {
        match news {
            CoordinatorNews::Verified(pending) => {
                let PendingOffsets { context, request, check } = *pending;
                self.commit_verified(context, &request, check.map_err(write_error), replicas, ctx);
            }
            CoordinatorNews::Advanced(id) => self.catch_up(id, replicas, ctx),
            CoordinatorNews::Resigned(id) => self.unload(id, ctx),
            CoordinatorNews::Elected(id) => {
                self.unload(id, ctx);
                let group = GroupShard::new(self.metadata_max_bytes);
                let replayed_to = replicas.partition(id).map_or(0, |partition| partition.log().log_start_offset());
                self.shards.insert(id, Rc::new(Shard { group, replayed_to, waiting: VecDeque::new() }));
                self.catch_up(id, replicas, ctx);
            }
        }
    }

    fn unload(&mut self, id: TopicPartition, ctx: &mut Context<'_, '_>) {
        let Some(shard) = self.shards.remove(&id) else { return };
        for waiting in &shard.waiting {
            waiting.fail(ErrorCode::NotCoordinator, ctx);
        }
    }

    /// Replays what is committed by now, and gives the answers that waited for it.
    fn catch_up(&mut self, id: TopicPartition, replicas: &ReplicaManager, ctx: &mut Context<'_, '_>) {
        let Some(partition) = replicas.partition(id) else { return };
        let Some(shard) = self.shards.get_mut(&id).map(Rc::make_mut) else { return };
        let committed = partition.log().high_watermark();
        shard.replay(partition.log(), committed);
        while let Some(waiting) = shard.waiting.pop_front_if(|waiting| waiting.required <= committed) {
            let response = match waiting.answer {
                Answer::Commit(response) => Response::OffsetCommit(response),
                Answer::Fetch(request) => Response::OffsetFetch(shard.group.offsets.fetch(&request, ctx.image)),
                Answer::TxnCommit(response) => Response::TxnOffsetCommit(response),
            };
            respond(waiting.context, response, ctx);
        }
    }

    /// Commits that were not replicated in time fail with `COORDINATOR_NOT_AVAILABLE`; they may succeed all the same.
    pub fn on_timer(&mut self, ctx: &mut Context<'_, '_>) {
        self.timer = None;
        let mut earliest: Option<Time> = None;
        for shard in self.shards.values_mut().filter(|shard| !shard.waiting.is_empty()) {
            let shard = Rc::make_mut(shard);
            while let Some(late) = shard.waiting.pop_front_if(|waiting| waiting.deadline <= ctx.now) {
                late.fail(ErrorCode::CoordinatorNotAvailable, ctx);
            }
            earliest = earliest.into_iter().chain(shard.waiting.front().map(|waiting| waiting.deadline)).min();
        }
        if let Some(deadline) = earliest {
            self.timer = Some(deadline);
            ctx.out.set_timer(Timer::Broker(BrokerTimer::Housekeeping), deadline);
        }
    }
}

impl Shard {
    fn replay(&mut self, log: &crate::log::UnifiedLog, committed: Offset) {
        if self.replayed_to >= committed {
            return;
        }
        for batch in log.batches_from(self.replayed_to).take_while(|batch| batch.last_offset() < committed) {
            if batch.is_control() {
                self.replay_marker(batch);
                continue;
            }
            // A record that cannot be read is skipped, as Kafka's loader does with types it does not know.
            for (offset, record) in records_of(batch).unwrap_or_default() {
                if offset >= self.replayed_to {
                    let _ = self.group.offsets.replay(offset, batch.producer_id(), &record);
                }
            }
        }
        self.replayed_to = committed;
    }

    fn replay_marker(&mut self, batch: &RecordBatch) {
        let committed = match ControlRecord::of_batch(batch) {
            Ok(Some(ControlRecord::Commit { .. })) => true,
            Ok(Some(ControlRecord::Abort { .. })) => false,
            _ => return,
        };
        self.group.offsets.replay_end_transaction(batch.producer_id(), committed);
    }
}

impl Waiting {
    fn fail(&self, error: ErrorCode, ctx: &mut Context<'_, '_>) {
        let response = match &self.answer {
            Answer::Commit(response) => {
                let partitions = failed(&response.partitions, error);
                Response::OffsetCommit(OffsetCommitResponse { partitions })
            }
            Answer::TxnCommit(response) => {
                let partitions = failed(&response.partitions, error);
                Response::TxnOffsetCommit(TxnOffsetCommitResponse { partitions })
            }
            Answer::Fetch(_) => Response::OffsetFetch(OffsetFetchResponse { error, partitions: Vec::new() }),
        };
        respond(self.context, response, ctx);
    }
}

fn respond(context: RequestContext, response: Response, ctx: &mut Context<'_, '_>) {
    ctx.requests.respond(context, response, ctx.out);
}

fn commit_failed(request: &OffsetCommitRequest, error: ErrorCode) -> OffsetCommitResponse {
    let failed = request.offsets.iter().map(|offset| OffsetCommitResult { partition: offset.partition, error });
    OffsetCommitResponse { partitions: failed.collect() }
}

/// Partitions that do not exist have their error already.
fn failed(results: &[OffsetCommitResult], error: ErrorCode) -> Vec<OffsetCommitResult> {
    let fail = |result: &OffsetCommitResult| match result.error {
        ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId => *result,
        _ => OffsetCommitResult { error, ..*result },
    };
    results.iter().map(fail).collect()
}

fn txn_commit_failed(
    request: &TxnOffsetCommitRequest,
    error: ErrorCode,
    ctx: &Context<'_, '_>,
) -> TxnOffsetCommitResponse {
    let result = |partition: TopicPartition| {
        let unknown = ctx.image.partition(partition).is_none();
        OffsetCommitResult { partition, error: if unknown { ErrorCode::UnknownTopicOrPartition } else { error } }
    };
    TxnOffsetCommitResponse { partitions: request.offsets.iter().map(|offset| result(offset.partition)).collect() }
}

/// The partition that coordinates a group.
fn partition_of(group: &str, ctx: &Context<'_, '_>) -> Option<TopicPartition> {
    let topic = ctx.image.topic_id(CONSUMER_OFFSETS_TOPIC)?;
    Some(TopicPartition::new(topic, partition_for(group, ctx.image.partition_count(topic))))
}

/// How a write that failed looks to the client (§6.2, `CoordinatorOperationExceptionHelper`). A transaction's coordinator
/// that is out of reach is worth another try at the same group coordinator.
fn write_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::NetworkException => ErrorCode::CoordinatorLoadInProgress,
        ErrorCode::UnknownTopicOrPartition | ErrorCode::NotEnoughReplicas | ErrorCode::RequestTimedOut => {
            ErrorCode::CoordinatorNotAvailable
        }
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge | ErrorCode::InvalidFetchSize => {
            ErrorCode::UnknownServerError
        }
        other => other,
    }
}
