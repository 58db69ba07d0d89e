//! The group coordinator's place in the broker: one shard for each `__consumer_offsets` partition led here (Kafka's
//! `CoordinatorRuntime`).
//!
//! A request becomes records, the records are appended, and when they are committed the answer goes out. Invariants: a
//! shard's offsets are the replay of its partition up to the high watermark, and nothing else, so that taking over a
//! partition and following its progress are the same loop; its groups' members are loaded once, up to the end of the log,
//! and live in memory from then on (see [`crate::coordinator::group::classic`]).
//!
//! Departure: loading takes no time, so nobody meets `COORDINATOR_LOAD_IN_PROGRESS` (14).

mod admin;
mod members;
mod observe;
mod offsets;
mod shares;
mod waiting;

use self::admin::Gathered;
use self::members::surroundings;
use self::shares::StateTasks;
use self::waiting::{Answer, Shard, Waiting};
use super::context::Context;
use super::replica_manager::{CoordinatorNews, PendingOffsets, ReplicaManager};
use crate::base::config::BrokerConfig;
use crate::base::{SortedMap, Time, TopicPartition};
use crate::coordinator::batch_of;
use crate::coordinator::group::classic::{AfterWrite, Due};
use crate::coordinator::group::share::StateTask;
use crate::coordinator::group::{GroupShard, OffsetsShard};
use crate::coordinator::partition_for;
use crate::log::{AppendContext, AppendOrigin, VerificationGuard};
use crate::metadata::CONSUMER_OFFSETS_TOPIC;
use crate::node::{BrokerTimer, RemovalReason, RequestContext, Timer};
use crate::protocol::{ErrorCode, Response};
use crate::record::RecordBatch;
use std::rc::Rc;

/// All shards of this broker.
#[derive(Clone, Hash, Debug)]
pub struct GroupCoordinator {
    metadata_max_bytes: u32,
    shards: SortedMap<TopicPartition, Rc<Shard>>,
    timer: Option<Time>,
    gathered: Gathered,
    /// What share coordinators are to be told.
    state_tasks: StateTasks,
}

/// A shard that is here, and which.
type Found<'a> = (TopicPartition, &'a mut Shard);

impl GroupCoordinator {
    /// Coordinates nothing yet.
    pub fn new(config: &BrokerConfig) -> Self {
        let metadata_max_bytes = config.offset_metadata_max_bytes;
        GroupCoordinator {
            metadata_max_bytes,
            shards: SortedMap::new(),
            timer: None,
            gathered: Gathered::default(),
            state_tasks: StateTasks::default(),
        }
    }

    /// The offsets of the groups of each partition led here.
    pub fn shards(&self) -> impl Iterator<Item = (&TopicPartition, &OffsetsShard)> {
        self.group_shards().map(|(id, shard)| (id, &shard.offsets))
    }

    /// The groups of each partition led here.
    pub fn group_shards(&self) -> impl Iterator<Item = (&TopicPartition, &GroupShard)> {
        self.shards.iter().map(|(id, shard)| (id, &shard.group))
    }

    /// The partition that coordinates a group, if this broker leads it.
    fn shard_of(&mut self, group: &str, ctx: &Context<'_, '_>) -> Result<Found<'_>, ErrorCode> {
        if group.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let id = partition_of(group, ctx).ok_or(ErrorCode::NotCoordinator)?;
        let shard = self.shards.get_mut(&id).map(Rc::make_mut).ok_or(ErrorCode::NotCoordinator)?;
        Ok((id, shard))
    }

    /// Appends what a handler wrote, and lets its answer wait until that, or all before it, is committed.
    ///
    /// As `CoordinatorPartitionWriter` does it: append whatever the ISR, then wait for the high watermark. A write that
    /// times out stands in the log, and takes effect when it commits after all.
    fn write(
        &mut self,
        id: TopicPartition,
        batch: Option<(RecordBatch, Option<VerificationGuard>)>,
        answer: Answer,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        let deadline = ctx.now + ctx.config.offsets_commit_timeout_ms;
        let mut required = replicas.partition(id).map_or(0, |partition| partition.log().log_end_offset());
        let mut advanced = false;
        if let Some((batch, verification)) = &batch {
            let origin = AppendContext { verification: *verification, ..AppendOrigin::Coordinator.into() };
            match replicas.append(id, batch, 1, origin, ctx) {
                Ok((info, moved)) => (required, advanced) = (info.last_offset + 1, moved),
                Err(error) => return self.fail(id, answer, write_error(error), replicas, ctx),
            }
        }
        if let Some(shard) = self.shards.get_mut(&id).map(Rc::make_mut) {
            if let Some((batch, _)) = &batch {
                shard.appended(batch);
            }
            shard.waiting.push_back(Waiting { required, deadline, answer });
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
                let Some(partition) = replicas.partition(id) else { return };
                let cleanup_at = ctx.now + ctx.config.offsets_retention_check_interval_ms;
                let shard = Shard::load(GroupShard::new(self.metadata_max_bytes), partition.log(), cleanup_at);
                self.shards.insert(id, Rc::new(shard));
                self.arm(cleanup_at, ctx);
                let around = surroundings(ctx);
                self.with_members((id, None), replicas, ctx, |group, work| {
                    group.groups.loaded(work);
                    group.consumers.loaded(around);
                    group.shares.loaded(around);
                });
                self.catch_up(id, replicas, ctx);
            }
        }
    }

    fn unload(&mut self, id: TopicPartition, ctx: &mut Context<'_, '_>) {
        let Some(shard) = self.shards.remove(&id) else { return };
        let answers = Rc::unwrap_or_clone(shard).unload(ErrorCode::NotCoordinator, ctx);
        answers.into_iter().for_each(|(context, response)| self.answer(context, response, ctx));
    }

    /// Replays what is committed by now, and gives the answers that waited for it.
    fn catch_up(&mut self, id: TopicPartition, replicas: &mut ReplicaManager, ctx: &mut Context<'_, '_>) {
        let Some(partition) = replicas.partition(id) else { return };
        let Some(shard) = self.shards.get_mut(&id).map(Rc::make_mut) else { return };
        let committed = partition.log().high_watermark();
        shard.replay(partition.log(), committed);
        while let Some(shard) = self.shards.get_mut(&id).map(Rc::make_mut)
            && let Some(waiting) = shard.waiting.pop_front_if(|waiting| waiting.required <= committed)
        {
            match waiting.answer {
                Answer::Ready(context, response) => self.answer(context, response, ctx),
                Answer::Deferred(context, deferred) => self.undefer((id, context), &deferred, replicas, ctx),
                Answer::Share(context, response, initialize) => {
                    self.answer(context, Response::ShareGroupHeartbeat(response), ctx);
                    self.state_tasks.push(StateTask::Initialize(initialize));
                }
                Answer::Fetch(context, request) => {
                    let response = shard.group.fetch(&request, ctx.image);
                    respond(context, Response::OffsetFetch(response), ctx);
                }
                Answer::Written(then) => {
                    self.written(id, &then, Ok(()), replicas, ctx);
                }
            }
        }
    }

    fn fail(
        &mut self,
        id: TopicPartition,
        answer: Answer,
        error: ErrorCode,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        match answer {
            Answer::Written(then) => self.written(id, &then, Err(error), replicas, ctx),
            answer => answer.failed(error).into_iter().for_each(|(to, response)| self.answer(to, response, ctx)),
        }
    }

    fn written(
        &mut self,
        id: TopicPartition,
        then: &AfterWrite,
        result: Result<(), ErrorCode>,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        let watched = then.group().map(|group| (group, RemovalReason::Replaced));
        self.with_members((id, watched), replicas, ctx, |group, work| group.groups.written(then, result, work));
    }

    /// Members that are silent are removed, rebalances that last too long end. Writes that were not replicated in time fail
    /// with `COORDINATOR_NOT_AVAILABLE`; they may succeed all the same.
    pub fn on_timer(&mut self, replicas: &mut ReplicaManager, ctx: &mut Context<'_, '_>) {
        self.timer = None;
        let ids: Vec<TopicPartition> = self.shards.keys().copied().collect();
        for id in ids {
            while let Some(late) = self.late(id, ctx.now) {
                if !matches!(&late, Answer::Written(then) if then.may_be_late()) {
                    self.fail(id, late, ErrorCode::CoordinatorNotAvailable, replicas, ctx);
                }
            }
            let due = self.shards.get(&id).and_then(|shard| shard.group.deadline());
            if due.is_some_and(|due| due <= ctx.now) {
                self.expire_consumers(id, replicas, ctx);
                self.expire_classic(id, replicas, ctx);
                self.expire_shares(id, replicas, ctx);
            }
            self.cleanup(id, replicas, ctx);
        }
        if let Some(deadline) = self.shards.values().filter_map(|shard| shard.deadline()).min() {
            self.arm(deadline, ctx);
        }
    }

    fn expire_classic(&mut self, id: TopicPartition, replicas: &mut ReplicaManager, ctx: &mut Context<'_, '_>) {
        while let Some((group, due)) = self.shards.get(&id).and_then(|shard| shard.group.groups.due(ctx.now)) {
            let reason = match due {
                Due::Session(_) => RemovalReason::SessionTimeout,
                Due::Join | Due::Sync => RemovalReason::RebalanceTimeout,
            };
            self.with_members((id, Some((&group, reason))), replicas, ctx, |shard, work| {
                shard.groups.expire(&group, due, work);
            });
        }
    }

    /// Forgets what has expired, each `offsets.retention.check.interval.ms`.
    fn cleanup(&mut self, id: TopicPartition, replicas: &mut ReplicaManager, ctx: &mut Context<'_, '_>) {
        let Some(shard) = self.shards.get_mut(&id).filter(|shard| shard.cleanup_at <= ctx.now) else { return };
        let shard = Rc::make_mut(shard);
        shard.cleanup_at = ctx.now + ctx.config.offsets_retention_check_interval_ms;
        let records = shard.group.cleanup(ctx.config.offsets_retention_minutes, ctx.now);
        if records.is_empty() {
            return;
        }
        let batch = batch_of(&records, ctx.now.wall_clock_ms());
        self.write(id, Some((batch, None)), Answer::Written(AfterWrite::Emptied), replicas, ctx);
    }

    fn late(&mut self, id: TopicPartition, now: Time) -> Option<Answer> {
        let shard = self.shards.get_mut(&id).filter(|shard| !shard.waiting.is_empty())?;
        Rc::make_mut(shard).waiting.pop_front_if(|waiting| waiting.deadline <= now).map(|waiting| waiting.answer)
    }
}

fn respond(context: RequestContext, response: Response, ctx: &mut Context<'_, '_>) {
    ctx.requests.respond(context, response, ctx.out);
}

/// The partition that coordinates a group.
fn partition_of(group: &str, ctx: &Context<'_, '_>) -> Option<TopicPartition> {
    let topic = ctx.image.topic_id(CONSUMER_OFFSETS_TOPIC)?;
    Some(TopicPartition::new(topic, partition_for(group, ctx.image.partition_count(topic))))
}

/// How a write that failed looks to the client (§6.2, `CoordinatorOperationExceptionHelper`). A transaction's coordinator
/// that is out of reach is worth another try at the same group coordinator.
pub fn write_error(error: ErrorCode) -> ErrorCode {
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
