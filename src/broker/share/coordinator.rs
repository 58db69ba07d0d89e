//! The share coordinator's place in the broker: one shard for each `__share_group_state` partition led here.
//!
//! A request is about several share-partitions, each of one shard; what a shard writes takes effect when it is appended,
//! and the answer goes out when all of it is committed. Loading takes no time.
//!
//! In Kafka: `ShareCoordinatorService`.

use super::Host;
use crate::base::{Offset, SortedMap, Time, TopicPartition};
use crate::broker::group_coordinator::write_error;
use crate::broker::replica_manager::{CoordinatorNews, ReplicaManager};
use crate::coordinator::share::{ShareCoordinatorShard, SharePartitionKey, coordinator_key};
use crate::coordinator::{CoordinatorRecord, batch_of, partition_for, records_of};
use crate::log::AppendOrigin;
use crate::metadata::{MetadataImage, SHARE_GROUP_STATE_TOPIC};
use crate::node::RequestContext;
use crate::protocol::{
    ErrorCode, ReadShareGroupStateResponse, ReadShareGroupStateSummaryResponse, ReadStatePartition,
    ReadStateSummaryPartition, Request, Response, ShareGroupStateResponse,
};
use std::collections::VecDeque;
use std::rc::Rc;

/// All shards of this broker.
#[derive(Clone, Hash, Debug, Default)]
pub struct ShareCoordinator {
    shards: SortedMap<TopicPartition, Rc<Shard>>,
    requests: SortedMap<u64, Joined>,
    next: u64,
}

#[derive(Clone, Hash, Debug)]
struct Shard {
    state: ShareCoordinatorShard,
    waiting: VecDeque<Waiting>,
}

/// A part of a request that waits until what it rests on is committed.
#[derive(Clone, Copy, Hash, Debug)]
struct Waiting {
    required: Offset,
    deadline: Time,
    request: u64,
    /// Which partition of the request.
    at: usize,
}

/// A request with its answer as it will be if nothing fails.
#[derive(Clone, Hash, Debug)]
struct Joined {
    context: RequestContext,
    response: Response,
    missing: usize,
}

/// Which broker coordinates a share-partition, as far as the metadata go.
pub(super) fn place_of((group, partition): &SharePartitionKey, image: &MetadataImage) -> Option<TopicPartition> {
    let topic = image.topic_id(SHARE_GROUP_STATE_TOPIC)?;
    let key = coordinator_key(group, *partition);
    Some(TopicPartition::new(topic, partition_for(&key, image.partition_count(topic))))
}

impl ShareCoordinator {
    /// The shards, by partition of `__share_group_state`.
    pub fn shards(&self) -> impl Iterator<Item = (&TopicPartition, &ShareCoordinatorShard)> {
        self.shards.iter().map(|(id, shard)| (id, &shard.state))
    }

    /// Does this broker coordinate what is in this partition?
    pub(super) fn coordinates(&self, id: TopicPartition) -> bool {
        self.shards.contains_key(&id)
    }

    /// Does it coordinate nothing, and has it never?
    pub(super) fn is_new(&self) -> bool {
        self.shards.is_empty() && self.next == 0
    }

    /// Handles a request about share-partitions' state.
    pub(super) fn handle(&mut self, context: RequestContext, request: &Request, host: &mut Host<'_, '_>) {
        let Some((group, partitions, response)) = empty_answer(request) else { return };
        self.next += 1;
        let id = self.next;
        self.requests.insert(id, Joined { context, response, missing: partitions.len() + 1 });
        for (at, partition) in partitions.into_iter().enumerate() {
            self.handle_one(id, at, &(group.clone(), partition), request, host);
        }
        self.done(id, host);
    }

    fn handle_one(
        &mut self,
        request: u64,
        at: usize,
        key: &SharePartitionKey,
        asked: &Request,
        host: &mut Host<'_, '_>,
    ) {
        let place = place_of(key, host.ctx.image);
        let place = place.filter(|place| self.shards.contains_key(place));
        let Some(place) = place else { return self.fail(request, at, ErrorCode::NotCoordinator, host) };
        let (image, now_ms) = (host.ctx.image, host.ctx.now.wall_clock_ms());
        let (state, joined) = (&self.shards[&place].state, self.requests.get_mut(&request));
        let Some(Joined { response, .. }) = joined else { return };
        let record = run(state, asked, at, key, response, image, now_ms);
        // Who only asks how far a group is does not wait for anything.
        if record.is_none() && is_failed(response, at) {
            return self.done(request, host);
        }
        self.write(place, record, request, at, host);
    }

    fn write(
        &mut self,
        place: TopicPartition,
        record: Option<CoordinatorRecord>,
        request: u64,
        at: usize,
        host: &mut Host<'_, '_>,
    ) {
        let mut required = host.replicas.partition(place).map_or(0, |partition| partition.log().log_end_offset());
        let mut advanced = false;
        if let Some(record) = &record {
            let batch = batch_of(std::slice::from_ref(record), host.ctx.now.wall_clock_ms());
            match host.replicas.append(place, &batch, 1, AppendOrigin::Coordinator.into(), &mut host.ctx) {
                Ok((info, moved)) => (required, advanced) = (info.last_offset + 1, moved),
                Err(error) => return self.fail(request, at, write_error(error), host),
            }
        }
        let deadline = host.ctx.now + host.ctx.config.share_coordinator_write_timeout_ms;
        if let Some(shard) = self.shards.get_mut(&place).map(Rc::make_mut) {
            if let Some(record) = &record {
                let _ = shard.state.replay(record);
            }
            shard.waiting.push_back(Waiting { required, deadline, request, at });
        }
        if record.is_some() {
            host.replicas.appended(place, &mut host.ctx);
        }
        if advanced {
            host.replicas.advanced(place, &mut host.ctx);
        }
        self.catch_up(place, host);
    }

    /// Something happened to a partition of `__share_group_state`.
    pub(super) fn on_news(&mut self, news: &CoordinatorNews, host: &mut Host<'_, '_>) {
        match news {
            CoordinatorNews::Advanced(id) => self.catch_up(*id, host),
            CoordinatorNews::Resigned(id) => self.unload(*id, host),
            CoordinatorNews::Elected(id) => {
                self.unload(*id, host);
                let updates = host.ctx.config.share_coordinator_snapshot_update_records_per_snapshot;
                if let Some(state) = load(*id, host.replicas, updates) {
                    self.shards.insert(*id, Rc::new(Shard { state, waiting: VecDeque::new() }));
                }
            }
            CoordinatorNews::Verified(_) => {}
        }
    }

    fn unload(&mut self, id: TopicPartition, host: &mut Host<'_, '_>) {
        let Some(shard) = self.shards.remove(&id) else { return };
        for waiting in &shard.waiting {
            self.fail(waiting.request, waiting.at, ErrorCode::NotCoordinator, host);
        }
    }

    fn catch_up(&mut self, id: TopicPartition, host: &mut Host<'_, '_>) {
        let Some(committed) = host.replicas.partition(id).map(|partition| partition.log().high_watermark()) else {
            return;
        };
        while let Some(waiting) = self.pop(id, |waiting| waiting.required <= committed) {
            self.done(waiting.request, host);
        }
    }

    fn pop(&mut self, id: TopicPartition, is_due: impl Fn(&Waiting) -> bool) -> Option<Waiting> {
        let shard = self.shards.get_mut(&id).filter(|shard| shard.waiting.front().is_some_and(is_due))?;
        Rc::make_mut(shard).waiting.pop_front()
    }

    /// Gives up what was not replicated in time; it stands in the log all the same.
    pub(super) fn expire(&mut self, host: &mut Host<'_, '_>) {
        let (now, ids) = (host.ctx.now, self.shards.keys().copied().collect::<Vec<_>>());
        for id in ids {
            while let Some(late) = self.pop(id, |waiting| waiting.deadline <= now) {
                self.fail(late.request, late.at, ErrorCode::CoordinatorNotAvailable, host);
            }
        }
    }

    /// When the first is given up.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.shards.values().filter_map(|shard| shard.waiting.front()).map(|waiting| waiting.deadline).min()
    }

    /// A part of a request has failed.
    fn fail(&mut self, request: u64, at: usize, error: ErrorCode, host: &mut Host<'_, '_>) {
        if let Some(joined) = self.requests.get_mut(&request) {
            set_error(&mut joined.response, at, error);
        }
        self.done(request, host);
    }

    /// A part of a request is done.
    fn done(&mut self, request: u64, host: &mut Host<'_, '_>) {
        let Some(joined) = self.requests.get_mut(&request) else { return };
        joined.missing -= 1;
        if joined.missing == 0
            && let Some(joined) = self.requests.remove(&request)
        {
            host.ctx.requests.respond(joined.context, joined.response, host.ctx.out);
        }
    }
}

fn load(id: TopicPartition, replicas: &ReplicaManager, updates: u32) -> Option<ShareCoordinatorShard> {
    let log = replicas.partition(id)?.log();
    let mut state = ShareCoordinatorShard::new(updates);
    for batch in log.batches_from(log.log_start_offset()) {
        for (_, record) in records_of(batch).unwrap_or_default() {
            let _ = state.replay(&record);
        }
    }
    Some(state)
}

type Asked = (Rc<str>, Vec<TopicPartition>, Response);

/// The group, the partitions, and an answer with room for each.
fn empty_answer(request: &Request) -> Option<Asked> {
    let plain = |partitions: &[TopicPartition]| ShareGroupStateResponse {
        partitions: partitions.iter().map(|id| (*id, ErrorCode::None)).collect(),
    };
    Some(match request {
        Request::InitializeShareGroupState(request) => {
            let ids: Vec<TopicPartition> = request.partitions.iter().map(|it| it.partition).collect();
            let response = Response::InitializeShareGroupState(plain(&ids));
            (request.group.clone(), ids, response)
        }
        Request::WriteShareGroupState(request) => {
            let ids: Vec<TopicPartition> = request.partitions.iter().map(|it| it.partition).collect();
            let response = Response::WriteShareGroupState(plain(&ids));
            (request.group.clone(), ids, response)
        }
        Request::DeleteShareGroupState(request) => {
            let response = Response::DeleteShareGroupState(plain(&request.partitions));
            (request.group.clone(), request.partitions.clone(), response)
        }
        Request::ReadShareGroupState(request) => {
            let ids: Vec<TopicPartition> = request.partitions.iter().map(|it| it.0).collect();
            let partitions = ids.iter().map(|id| unread(*id)).collect();
            let response = Response::ReadShareGroupState(ReadShareGroupStateResponse { partitions });
            (request.group.clone(), ids, response)
        }
        Request::ReadShareGroupStateSummary(request) => {
            let ids: Vec<TopicPartition> = request.partitions.iter().map(|it| it.0).collect();
            let partitions = ids.iter().map(|id| unsummarised(*id)).collect();
            let response = Response::ReadShareGroupStateSummary(ReadShareGroupStateSummaryResponse { partitions });
            (request.group.clone(), ids, response)
        }
        _ => return None,
    })
}

fn unread(partition: TopicPartition) -> ReadStatePartition {
    let (error, state_epoch, start_offset) = (ErrorCode::None, 0, 0);
    ReadStatePartition { partition, error, state_epoch, start_offset, state_batches: Vec::new() }
}

fn unsummarised(partition: TopicPartition) -> ReadStateSummaryPartition {
    let (error, state_epoch, leader_epoch) = (ErrorCode::None, 0, 0);
    let (start_offset, delivery_complete_count) = (0, 0);
    ReadStateSummaryPartition { partition, error, state_epoch, leader_epoch, start_offset, delivery_complete_count }
}

/// Asks the shard about one partition of a request, and puts what it says into the answer.
fn run(
    state: &ShareCoordinatorShard,
    request: &Request,
    at: usize,
    key: &SharePartitionKey,
    response: &mut Response,
    image: &MetadataImage,
    now_ms: i64,
) -> Option<CoordinatorRecord> {
    match (request, response) {
        (Request::InitializeShareGroupState(request), Response::InitializeShareGroupState(response)) => {
            let (record, error) = state.initialize(key, &request.partitions[at], image, now_ms);
            response.partitions[at].1 = error;
            record
        }
        (Request::WriteShareGroupState(request), Response::WriteShareGroupState(response)) => {
            let (record, error) = state.write(key, &request.partitions[at], image, now_ms);
            response.partitions[at].1 = error;
            record
        }
        (Request::DeleteShareGroupState(_), Response::DeleteShareGroupState(response)) => {
            let (record, error) = state.delete(key, image);
            response.partitions[at].1 = error;
            record
        }
        (Request::ReadShareGroupState(request), Response::ReadShareGroupState(response)) => {
            let (record, read) = state.read(key, request.partitions[at].1, image, now_ms);
            response.partitions[at] = read;
            record
        }
        (Request::ReadShareGroupStateSummary(_), Response::ReadShareGroupStateSummary(response)) => {
            response.partitions[at] = state.summary(key, image);
            None
        }
        _ => None,
    }
}

fn is_failed(response: &Response, at: usize) -> bool {
    match response {
        Response::InitializeShareGroupState(response)
        | Response::WriteShareGroupState(response)
        | Response::DeleteShareGroupState(response) => response.partitions[at].1.is_error(),
        Response::ReadShareGroupState(response) => response.partitions[at].error.is_error(),
        _ => true,
    }
}

fn set_error(response: &mut Response, at: usize, error: ErrorCode) {
    match response {
        Response::InitializeShareGroupState(response)
        | Response::WriteShareGroupState(response)
        | Response::DeleteShareGroupState(response) => response.partitions[at].1 = error,
        Response::ReadShareGroupState(response) => {
            response.partitions[at] = ReadStatePartition { error, ..unread(response.partitions[at].partition) };
        }
        Response::ReadShareGroupStateSummary(response) => {
            response.partitions[at] =
                ReadStateSummaryPartition { error, ..unsummarised(response.partitions[at].partition) };
        }
        _ => {}
    }
}
