//! The group coordinator's place in the broker: one shard for each `__consumer_offsets` partition led here (Kafka's
//! `CoordinatorRuntime`).
//!
//! A request becomes records, the records are appended with acks=all, and when they are committed they are replayed and the
//! answer goes out. Invariant: a shard is the replay of its partition up to the high watermark, and nothing else; so taking
//! over a partition and following its progress are the same loop.
//!
//! Departures: loading takes no time, so nobody meets `COORDINATOR_LOAD_IN_PROGRESS` (14) yet; members come later.

use super::context::Context;
use super::replica_manager::{CoordinatorNews, ReplicaManager};
use crate::base::config::BrokerConfig;
use crate::base::{Offset, SortedMap, Time, TopicPartition};
use crate::coordinator::group::OffsetsShard;
use crate::coordinator::{batch_of, partition_for, records_of};
use crate::log::AppendOrigin;
use crate::metadata::CONSUMER_OFFSETS_TOPIC;
use crate::node::{BrokerTimer, RequestContext, Timer};
use crate::protocol::{
    ErrorCode, OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResult, OffsetFetchRequest, OffsetFetchResponse,
    Response,
};
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
    offsets: OffsetsShard,
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
}

impl GroupCoordinator {
    /// Coordinates nothing yet.
    pub fn new(config: &BrokerConfig) -> Self {
        let metadata_max_bytes = config.offset_metadata_max_bytes;
        GroupCoordinator { metadata_max_bytes, shards: SortedMap::new(), timer: None }
    }

    /// The offsets of the groups of each partition led here.
    pub fn shards(&self) -> impl Iterator<Item = (&TopicPartition, &OffsetsShard)> {
        self.shards.iter().map(|(id, shard)| (id, &shard.offsets))
    }

    /// The partition that coordinates a group, if this broker leads it.
    fn shard_of(&mut self, group: &str, ctx: &Context<'_, '_>) -> Result<(TopicPartition, &mut Shard), ErrorCode> {
        if group.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let topic = ctx.image.topic_id(CONSUMER_OFFSETS_TOPIC).ok_or(ErrorCode::NotCoordinator)?;
        let id = TopicPartition::new(topic, partition_for(group, ctx.image.partition_count(topic)));
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
        let (records, response) = shard.offsets.commit(request, ctx.image, ctx.now);
        let deadline = ctx.now + ctx.config.offsets_commit_timeout_ms;
        let mut advanced = false;
        let mut required = replicas.partition(id).map_or(0, |partition| partition.log().log_end_offset());
        if !records.is_empty() {
            let batch = batch_of(&records, ctx.now.wall_clock_ms());
            // As CoordinatorPartitionWriter does it: append whatever the ISR, then wait for the high watermark. A commit that
            // times out stands in the log, and takes effect when it commits after all.
            match replicas.append(id, &batch, 1, AppendOrigin::Coordinator.into(), ctx) {
                Ok((info, moved)) => (required, advanced) = (info.last_offset + 1, moved),
                Err(error) => {
                    let failed = commit_failed(request, append_error(error));
                    return respond(context, Response::OffsetCommit(failed), ctx);
                }
            }
        }
        shard.waiting.push_back(Waiting { required, deadline, context, answer: Answer::Commit(response) });
        if self.timer.is_none_or(|due| deadline < due) {
            self.timer = Some(deadline);
            ctx.out.set_timer(Timer::Broker(BrokerTimer::Housekeeping), deadline);
        }
        if !records.is_empty() {
            replicas.appended(id, ctx);
        }
        if advanced {
            replicas.advanced(id, ctx);
        }
        self.catch_up(id, replicas, ctx);
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
            if self.timer.is_none_or(|due| deadline < due) {
                self.timer = Some(deadline);
                ctx.out.set_timer(Timer::Broker(BrokerTimer::Housekeeping), deadline);
            }
            return self.catch_up(id, replicas, ctx);
        }
        let response = shard.offsets.fetch(request, ctx.image);
        respond(context, Response::OffsetFetch(response), ctx);
    }

    /// Something happened to a partition of `__consumer_offsets`.
    pub fn on_news(&mut self, news: CoordinatorNews, replicas: &ReplicaManager, ctx: &mut Context<'_, '_>) {
        match news {
            CoordinatorNews::Advanced(id) => self.catch_up(id, replicas, ctx),
            CoordinatorNews::Resigned(id) => self.unload(id, ctx),
            CoordinatorNews::Elected(id) => {
                self.unload(id, ctx);
                let offsets = OffsetsShard::new(self.metadata_max_bytes);
                let replayed_to = replicas.partition(id).map_or(0, |partition| partition.log().log_start_offset());
                self.shards.insert(id, Rc::new(Shard { offsets, replayed_to, waiting: VecDeque::new() }));
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
                Answer::Fetch(request) => Response::OffsetFetch(shard.offsets.fetch(&request, ctx.image)),
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
            // A record that cannot be read is skipped, as Kafka's loader does with types it does not know.
            for (offset, record) in records_of(batch).unwrap_or_default() {
                if offset >= self.replayed_to {
                    let _ = self.offsets.replay(&record);
                }
            }
        }
        self.replayed_to = committed;
    }
}

impl Waiting {
    fn fail(&self, error: ErrorCode, ctx: &mut Context<'_, '_>) {
        let response = match &self.answer {
            Answer::Commit(response) => {
                let failed = |result: &OffsetCommitResult| OffsetCommitResult { partition: result.partition, error };
                let partitions = response.partitions.iter().map(failed).collect();
                Response::OffsetCommit(OffsetCommitResponse { partitions })
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

/// How a failed append looks to the client (§6.2).
fn append_error(error: ErrorCode) -> ErrorCode {
    match error {
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
