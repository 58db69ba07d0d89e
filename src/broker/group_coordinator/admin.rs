//! ListGroups, DescribeGroups, ConsumerGroupDescribe, DeleteGroups, OffsetDelete.
//!
//! Departure: deletions look at a group when all that was written before them is committed, since offsets follow the high
//! watermark here; Kafka's look at once and take uncommitted offsets into account.

use super::waiting::Answer;
use super::{GroupCoordinator, partition_of, respond};
use crate::base::{SortedMap, TopicPartition};
use crate::broker::context::Context;
use crate::broker::replica_manager::ReplicaManager;
use crate::coordinator::batch_of;
use crate::coordinator::group::GroupShard;
use crate::node::{RemovalReason, RequestContext};
use crate::protocol::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DeleteGroupsRequest, DeleteGroupsResponse,
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedConsumerGroup, DescribedGroup, ErrorCode,
    ListGroupsRequest, ListGroupsResponse, OffsetDeleteRequest, OffsetDeleteResponse, Response,
};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// What waits until all before it is committed, and is looked at then.
#[derive(Clone, Hash, Debug)]
pub(super) enum Deferred {
    Groups(Vec<Rc<str>>),
    Offsets(OffsetDeleteRequest),
}

impl Deferred {
    /// It did not come to that.
    pub fn failed(&self, error: ErrorCode) -> Response {
        match self {
            Deferred::Groups(groups) => {
                let groups = groups.iter().map(|group| (group.clone(), error)).collect();
                Response::DeleteGroups(DeleteGroupsResponse { groups })
            }
            Deferred::Offsets(_) => Response::OffsetDelete(OffsetDeleteResponse { error, partitions: Vec::new() }),
        }
    }
}

/// Answers to DeleteGroups that come from several partitions: each with what is there, and how many groups it is to have.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered(Vec<(RequestContext, DeleteGroupsResponse, usize)>);

/// Adds nothing while there are none, so that runs without deletions keep the state hash that they always had.
impl Hash for Gathered {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if !self.0.is_empty() {
            self.0.hash(state);
        }
    }
}

impl GroupCoordinator {
    /// Answers ListGroups.
    pub fn list(&self, request: &ListGroupsRequest) -> ListGroupsResponse {
        let groups = self.group_shards().flat_map(|(_, shard)| shard.list(request)).collect();
        ListGroupsResponse { error: ErrorCode::None, groups }
    }

    /// Answers DescribeGroups.
    pub fn describe(&self, request: &DescribeGroupsRequest, ctx: &Context<'_, '_>) -> DescribeGroupsResponse {
        let describe = |group: &Rc<str>| match self.find(group, ctx) {
            Some((_, shard)) => shard.describe(group),
            None => DescribedGroup::failed(group.clone(), ErrorCode::NotCoordinator, None),
        };
        DescribeGroupsResponse { groups: request.groups.iter().map(describe).collect() }
    }

    /// Answers ConsumerGroupDescribe.
    pub fn describe_consumers(
        &self,
        request: &ConsumerGroupDescribeRequest,
        ctx: &Context<'_, '_>,
    ) -> ConsumerGroupDescribeResponse {
        let failed = |group: &Rc<str>, error| DescribedConsumerGroup::failed(group.clone(), error);
        let describe = |group: &Rc<str>| match self.find(group, ctx) {
            _ if group.is_empty() => failed(group, ErrorCode::InvalidGroupId),
            Some((_, shard)) => shard.describe_consumers(group, &ctx.config.group_consumer_assignors, ctx.image),
            None => failed(group, ErrorCode::NotCoordinator),
        };
        ConsumerGroupDescribeResponse { groups: request.groups.iter().map(describe).collect() }
    }

    /// Handles DeleteGroups. Groups of several partitions are several writes, and one answer.
    pub fn delete(
        &mut self,
        context: RequestContext,
        request: &DeleteGroupsRequest,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        if request.groups.is_empty() {
            return respond(context, Response::DeleteGroups(DeleteGroupsResponse { groups: Vec::new() }), ctx);
        }
        let nothing = DeleteGroupsResponse { groups: Vec::new() };
        self.gathered.0.push((context, nothing, request.groups.len()));
        let mut homes: SortedMap<Option<TopicPartition>, Vec<Rc<str>>> = SortedMap::new();
        for group in &request.groups {
            let home = self.find(group, ctx).map(|(id, _)| id);
            homes.entry(home).or_default().push(group.clone());
        }
        for (home, groups) in homes {
            let deferred = Deferred::Groups(groups);
            match home {
                Some(id) => self.write(id, None, Answer::Deferred(context, deferred), replicas, ctx),
                None => self.answer(context, deferred.failed(ErrorCode::NotCoordinator), ctx),
            }
        }
    }

    /// Handles OffsetDelete.
    pub fn delete_offsets(
        &mut self,
        context: RequestContext,
        request: &OffsetDeleteRequest,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        let deferred = Deferred::Offsets(request.clone());
        match self.shard_of(&request.group, ctx) {
            Ok((id, _)) => self.write(id, None, Answer::Deferred(context, deferred), replicas, ctx),
            Err(error) => self.answer(context, deferred.failed(error), ctx),
        }
    }

    /// All before it is committed.
    pub(super) fn undefer(
        &mut self,
        (id, context): (TopicPartition, RequestContext),
        deferred: &Deferred,
        replicas: &mut ReplicaManager,
        ctx: &mut Context<'_, '_>,
    ) {
        let Some(shard) = self.shards.get(&id) else { return };
        let (records, response, groups) = match deferred {
            Deferred::Groups(groups) => {
                let (records, results) = shard.group.delete(groups);
                (records, Response::DeleteGroups(DeleteGroupsResponse { groups: results }), groups.as_slice())
            }
            Deferred::Offsets(request) => {
                let deleted = shard.group.delete_offsets(&request.group, &request.partitions, ctx.image);
                let (records, partitions, error) = match deleted {
                    Ok((records, partitions)) => (records, partitions, ErrorCode::None),
                    Err(error) => (Vec::new(), Vec::new(), error),
                };
                (records, Response::OffsetDelete(OffsetDeleteResponse { error, partitions }), [].as_slice())
            }
        };
        let gone: Vec<_> = groups.iter().filter_map(|group| shard.group.shares.deletion(group)).collect();
        gone.into_iter().for_each(|task| self.state_tasks.push(task));
        let before: Vec<_> = groups.iter().map(|group| self.outline(id, group)).collect();
        let batch = (!records.is_empty()).then(|| (batch_of(&records, ctx.now.wall_clock_ms()), None));
        self.write(id, batch, Answer::Ready(context, response), replicas, ctx);
        before.iter().for_each(|before| self.tell(before, RemovalReason::Left, ctx));
    }

    /// Answers, or keeps what is only a part of the answer.
    pub(super) fn answer(&mut self, context: RequestContext, response: Response, ctx: &mut Context<'_, '_>) {
        let Response::DeleteGroups(part) = response else { return respond(context, response, ctx) };
        let at = self.gathered.0.iter().position(|(waits, ..)| *waits == context);
        let at = at.expect("invariant: who deletes groups waits for all parts of the answer");
        let (_, whole, wanted) = &mut self.gathered.0[at];
        whole.groups.extend(part.groups);
        if whole.groups.len() == *wanted {
            let (_, whole, _) = self.gathered.0.remove(at);
            respond(context, Response::DeleteGroups(whole), ctx);
        }
    }

    fn find(&self, group: &str, ctx: &Context<'_, '_>) -> Option<(TopicPartition, &GroupShard)> {
        let id = partition_of(group, ctx)?;
        self.shards.get(&id).map(|shard| (id, &shard.group))
    }
}
